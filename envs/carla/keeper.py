"""Stands between a worker and the server that it started, and leaves nothing behind: `python keeper.py CONFIG`.

The keeper lives as long as its standard input is open: the worker holds the other end, and the kernel closes it however
the worker ends. Everything that the start command has made, in whatever session, is a descendant of the keeper, which
is their reaper; all of them are ended, SIGTERM first, then SIGKILL. This file imports the standard library only, and
runs by itself, so that it starts at once.

Standard output: one line of JSON, `{"exit": code}`, when the start command has ended (negative: killed by that signal).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_STOP_SECONDS = 30.0  # for the stop command


def descendants(root: int) -> list[int]:
    """Processes below `root`, not itself, in no order; those that have ended and wait for their parent are left out."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state != "Z":
                parents[int(name)] = int(parent)
    found: list[int] = []
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += level
    return found


def end_all(grace: float) -> None:
    """End every descendant of this process."""
    signal_all(signal.SIGTERM)
    limit = time.monotonic() + grace
    while descendants(os.getpid()) and time.monotonic() < limit:
        reap()
        time.sleep(0.02)
    while descendants(os.getpid()):
        signal_all(signal.SIGKILL)
        reap()
        time.sleep(0.02)


def signal_all(number: int) -> None:
    """Send a signal to every descendant."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def reap() -> None:
    """Bury orphans that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def main(config: dict) -> None:
    """Start, watch, end."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # should the keeper itself be killed

    child = subprocess.Popen(
        ["/bin/sh", "-c", config["start"]],
        stdin=subprocess.DEVNULL,
        stdout=2,
        stderr=2,
        start_new_session=True,
        preexec_fn=in_child,
    )
    told = False
    while not stopping:
        ready = select.select([0], [], [], 0.1)[0]
        if ready and not os.read(0, 4096):
            break
        if not told and child.poll() is not None:
            told = True
            print(json.dumps({"exit": child.returncode}), flush=True)
    end_all(config["grace"])
    if config["stop"]:
        try:
            subprocess.run(["/bin/sh", "-c", config["stop"]], stdin=subprocess.DEVNULL, stdout=2, timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_all(0.0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
