"""Blocks of TCP ports that two runs on one machine never both take.

A block is free when nobody listens on any of its ports and no other run has locked it. The lock is a file, so runs that
start at the same moment see each other before either has opened a port.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simulator.errors import EvaluationError

#: Below the range from which Linux takes the ports of outgoing connections.
FIRST, LAST = 20000, 32000


@contextlib.contextmanager
def reserve_ports(size: int, *, first: int = FIRST, last: int = LAST) -> Iterator[int]:
    """The first port of `size` ports in a row that are ours until the context ends.

    Raises:
        EvaluationError: when no block is free.
    """
    folder = Path(tempfile.gettempdir()) / f"routegym-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for base in range(first, last - size + 1, size):
        lock = os.open(folder / f"{base}-{size}", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if all(is_free(port) for port in range(base, base + size)):
                yield base
                return
        finally:
            os.close(lock)
    raise EvaluationError(f"no {size} free ports in a row between {first} and {last}; end the servers that hold them")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port, on every address of the machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do; else a closed one is in the way
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
