"""Compiling kernels before the first workers start, so that they do not all do it, side by side and in silence."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from evaluation.summary import say
from simulator.errors import EvaluationError

_LOG = "compile.log"


def compile_kernels(console: Console, log_folder: Path) -> None:
    """Fill the cache of compiled kernels if this version has not done so, and say so. Ends with Ctrl-C like any wait.

    A failure is told and otherwise left to the workers, whose own messages say more.

    Raises:
        EvaluationError: when there is no place for the cache.
    """
    from envs import warmup  # brings Numba

    if warmup.is_warm():
        return
    folder = warmup.marker().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise EvaluationError(
            f"the cache of compiled kernels cannot be written to {folder}: {error.strerror}; "
            "name another place with the environment variable ROUTEGYM_CACHE"
        ) from error
    say(console, "compiling kernels, once per version: about half a minute on two cores ...")
    log_folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with open(log_folder / _LOG, "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", warmup.__name__],
            cwd=Path(warmup.__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the terminal's Ctrl-C is ours to handle; and the whole group can be ended
        )
        try:
            code = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    took = f"{time.monotonic() - began:.0f} s"
    say(console, f"  compiled in {took}" if code == 0 else f"  failed after {took}, see {log_folder / _LOG}")
