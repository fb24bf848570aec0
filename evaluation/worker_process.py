"""A worker as the pool knows it, and the worker that is a process of this machine.

Such a process is a fresh interpreter in its own process group, which runs `evaluation.worker.main`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from evaluation.tasks import RouteTask

_GRACE_S = 2.0

#: The worker imports from the same places as this process, whatever its working directory holds.
_BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from evaluation.worker import main
main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
"""


@dataclass(frozen=True)
class Setting:
    """What every worker of a pool is started with."""

    driver: str
    """`module:function`, see `evaluation.worker.Driver`."""
    memory_gb: float = 0.0
    """Resident memory from which a worker leaves between routes; 0: never."""
    log_folder: Path | None = None
    """Where its output goes, as `worker-<n>.log`; to the caller's standard error without it."""


class PoolWorker(ABC):
    """One worker and what it is at. Messages over `connection` are those of `evaluation.worker`.

    Times: `started` since 1970, `last_heard` monotonic, seconds.
    """

    waits_for_place = False  # True: it may have to wait until there is room for it, which is no failure

    def __init__(self, number: int, connection: Connection) -> None:
        self.number = number
        self.connection = connection
        self.ready = False
        self.leaving = False
        self.task: RouteTask | None = None
        self.started = 0.0
        self.last_heard = time.monotonic()
        self.tick = 0
        self.completion = 0.0

    @abstractmethod
    def gone(self) -> bool:
        """True when it has ended; what it said before can still be read."""

    @abstractmethod
    def end(self) -> str:
        """Clear away a worker that died by itself, and say how it died."""

    @abstractmethod
    def abort(self) -> None:
        """End a hung worker, and leave its stack in the log."""

    @abstractmethod
    def kill(self) -> None:
        """End it and all that it started, now."""

    @abstractmethod
    def dismiss(self) -> None:
        """Let an idle worker, whose connection is closed, end in good order; then `kill`."""


class ProcessWorker(PoolWorker):
    """A process of this machine."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], connection: Connection) -> None:
        super().__init__(number, connection)
        self.process = process

    def gone(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> str:
        self.dismiss()
        code = self.process.returncode
        if code >= 0:
            return f"the worker exited with code {code}"
        cause = {signal.SIGKILL: " (out of memory, or killed from outside)", signal.SIGSEGV: " (segmentation fault)"}
        return f"the worker was killed by {signal.Signals(-code).name}{cause.get(signal.Signals(-code), '')}"

    def abort(self) -> None:
        self.process.send_signal(signal.SIGABRT)  # makes it write its stack
        self.dismiss()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()

    def dismiss(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_S)
        self.kill()


def start_process(number: int, setting: Setting) -> ProcessWorker:
    """Start a worker process."""
    ours, theirs = Pipe()
    log: int | None = None
    if setting.log_folder is not None:
        log = os.open(log_file(setting, number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    numbers = (theirs.fileno(), os.getpid(), setting.memory_gb)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(search_path()), setting.driver, *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=2 if log is None else log,  # standard output belongs to the command's own answer
            stderr=log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # the terminal's Ctrl-C is ours to handle; and the whole group can be ended
        )
    finally:
        theirs.close()
        if log is not None:
            os.close(log)
    return ProcessWorker(number, process, ours)


def log_file(setting: Setting, number: int) -> Path:
    """Where a worker's output goes; `setting` has a log folder."""
    assert setting.log_folder is not None
    return setting.log_folder / f"worker-{number}.log"


def search_path() -> list[str]:
    """Where this process imports from, as absolute paths."""
    return [os.path.abspath(entry) for entry in sys.path]
