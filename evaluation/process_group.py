"""A program with all the processes it starts, which end with it, with `close`, and with us."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from envs.carla import keeper

_GRACE_S = 5.0  # to end by itself
_STOP_S = 15.0


class ProcessGroup:
    """A running command under a keeper (`envs.carla.keeper`).

    Attributes:
        output: file descriptor to read its output and that of all it starts from, without blocking; -1 with a log.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        """Start it.

        Args:
            command: program and arguments.
            cwd: its working directory.
            environment: its whole environment, nothing is inherited.
            log: file to append its output to; a pipe without it.

        Raises:
            OSError: when no process can be started.
        """
        config = {"start": list(command), "stop": [], "grace": _GRACE_S, "outlived": False}
        reader = -1
        if log is None:
            reader, writer = os.pipe()
            os.set_blocking(reader, False)
        else:
            writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, json.dumps(config)],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=writer,
                stderr=writer,
                start_new_session=True,  # the terminal's Ctrl-C is ours to handle
            )
        finally:
            os.close(writer)
        self.output = reader

    def poll(self) -> int | None:
        """Exit code once the command and everything it started is gone, None before; 128 + N for signal N."""
        return self._process.poll()

    def stop(self) -> None:
        """End everything: politely first, for good after some seconds."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            for pid in keeper.descendants(self._process.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """`stop`, and give the descriptor back."""
        self.stop()
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


def how_it_ended(code: int) -> str:
    """An exit code of `ProcessGroup.poll` in words."""
    if code <= 128:
        return f"exited with code {code}"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return f"exited with code {code}"
    causes = {"SIGKILL": " (out of memory, or killed from outside)", "SIGSEGV": " (segmentation fault)"}
    return f"was killed by {name}{causes.get(name, '')}"
