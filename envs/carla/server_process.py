"""A CARLA server that is started by a command of the user, on ports of its own, and ended without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from envs.carla.keeper import descendants
from envs.carla.options import CarlaOptions
from envs.carla.ports import PortLock, reserve_block

_KEEPER = Path(__file__).with_name("keeper.py")
_GRACE_S = 2.0  # for a server to end by itself
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ServerProcess:
    """One started server and the block of ports that it has.

    Attributes:
        ports: its block; `ports.port` is the RPC port.
        command: the start command as it was run.
        log: file with its output, None when that goes to standard error.
    """

    def __init__(self, options: CarlaOptions, number: int, *, after: int = 0) -> None:
        """Start it; it is not up yet when this returns.

        Args:
            options: with a start command.
            number: which server of this process it is, from 1; {number} in the command.
            after: port of the block that the server before had; another one is taken where there is one.

        Raises:
            SimulatorError: when no ports are free.
        """
        self.ports: PortLock = reserve_block(*options.port_range, after=after)
        fields = {"{port}": str(self.ports.port), "{number}": str(number)}
        self.command = _fill(options.start, fields)
        self.log: Path | None = None
        stop = _fill(options.stop, fields)
        config = {
            "start": ["/bin/sh", "-c", self.command],
            "stop": ["/bin/sh", "-c", stop] if stop else [],
            "grace": _GRACE_S,
            "outlived": True,
        }
        with contextlib.ExitStack() as stack:
            output = None
            if options.log_folder:
                self.log = Path(options.log_folder) / f"server-{self.ports.port}.log"
                self.log.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(open(self.log, "ab"))
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={**os.environ, "PYTHONPATH": _search_path()},
                start_new_session=True,  # it outlives this process's group, to clear up behind it
                pass_fds=[self.ports.file],  # the ports are taken as long as the keeper lives
            )
        self._exit: int | None = None

    @property
    def pids(self) -> list[int]:
        """All processes of the server."""
        return descendants(self._keeper.pid)

    @property
    def ended(self) -> str:
        """How the start command has ended, '' while it runs or when it has only handed the server on (code 0)."""
        assert self._keeper.stdout is not None
        if self._exit is None and select.select([self._keeper.stdout], [], [], 0.0)[0]:
            line = self._keeper.stdout.readline()
            self._exit = json.loads(line)["exit"] if line else -signal.SIGKILL
        if not self._exit:
            return ""
        if self._exit > 128:  # a shell tells so that its command was killed
            self._exit = 128 - self._exit
        return f"exited with code {self._exit}" if self._exit > 0 else f"was killed by {_signal_name(-self._exit)}"

    @property
    def memory_gb(self) -> float:
        """Resident memory of all its processes; what runs in a container of a daemon is not among them."""
        return sum(resident_bytes(pid) for pid in self.pids) / 1e9

    def stop(self) -> None:
        """End every process of it, and give its ports free."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        with contextlib.suppress(OSError):
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()
        self.ports.release()

    def last_words(self) -> str:
        """The last line of its log, '' where there is none."""
        if self.log is None:
            return ""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(self.log.stat().st_size - 4096, 0))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def listens(host: str, port: int, seconds: float = 1.0) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """Resident memory of one process, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def _search_path() -> str:
    """PYTHONPATH with which `python -m simulator.carla_server` runs from anywhere."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))


def _fill(command: str, fields: dict[str, str]) -> str:
    """Placeholders replaced, everything else as it is: shells have braces of their own."""
    for name, value in fields.items():
        command = command.replace(name, value)
    return command


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
