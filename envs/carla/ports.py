"""Ports that no two servers ever share: blocks of a range, held by a lock file and probed by binding.

A CARLA server takes its RPC port P, P + 1 for streams and P + 2 for other GPUs; P + 4 is for a Traffic Manager of the
client. A lock ends with the last process that has it open, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from pathlib import Path

from simulator.errors import SimulatorStartError

BLOCK = 8  # ports
TRAFFIC_MANAGER = 4  # offset of its port in a block
_PROBED = (0, 1, 2, TRAFFIC_MANAGER)


class PortLock:
    """A block of ports, or the address of a running server, that this process has for itself until `release`.

    `file`: descriptor of the lock; who inherits it holds the lock too.
    """

    def __init__(self, host: str, port: int, file: int) -> None:
        self.host, self.port, self.file = host, port, file

    @property
    def traffic_manager_port(self) -> int:
        """Where a Traffic Manager of the client may listen."""
        return self.port + TRAFFIC_MANAGER

    def release(self) -> None:
        """Let others have it."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def reserve_block(first: int, last: int, *, after: int = 0) -> PortLock:
    """Take a free block within the range; those behind the port `after` are looked at first.

    Raises:
        SimulatorStartError: when none is free.
    """
    starts = list(range(first, last - BLOCK + 2, BLOCK))
    starts = [p for p in starts if p > after] + [p for p in starts if p <= after]
    locked = busy = 0
    for port in starts:
        lock = _try_lock("127.0.0.1", port)
        if lock is None:
            locked += 1
        elif not all(_is_free(port + offset) for offset in _PROBED):
            lock.release()
            busy += 1
        else:
            return lock
    raise SimulatorStartError(
        f"no free ports for a CARLA server in {first}-{last}: of {len(starts)} blocks of {BLOCK} ports {locked} are "
        f"held by running evaluations and {busy} by other programs; give another range with --carla-ports"
    )


def reserve_address(addresses: tuple[tuple[str, int], ...]) -> PortLock:
    """Take the first of these running servers that no other worker or run has.

    Raises:
        SimulatorStartError: when all are taken.
    """
    for host, port in addresses:
        lock = _try_lock(host, port)
        if lock is not None:
            return lock
    names = ", ".join(f"{host}:{port}" for host, port in addresses)
    raise SimulatorStartError(
        f"every CARLA server of {names} is in use by another worker or run; a server drives one route at a time"
    )


def _try_lock(host: str, port: int) -> PortLock | None:
    folder = Path(tempfile.gettempdir()) / f"routegym-ports-{os.getuid()}"
    name = f"{port}" if host in ("127.0.0.1", "localhost") else f"{host.replace('/', '_')}:{port}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SimulatorStartError(f"no lock files for ports can be kept in {folder}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return PortLock(host, port, file)


def _is_free(port: int) -> bool:
    """Whether nobody listens there on any IPv4 address of this machine."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger there
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
