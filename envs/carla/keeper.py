"""Stands between us and a program that we started, and leaves nothing of it behind: `python keeper.py CONFIG`.

The keeper lives as long as its standard input is open: we hold the other end, and the kernel closes it however we end.
Everything that the program has made, in whatever session, is a descendant of the keeper, which is their reaper; all of
them are ended, SIGTERM first, then SIGKILL. This file imports the standard library only, and runs by itself, so that it
starts at once.

CONFIG is JSON:

| field | |
|---|---|
| `start` | the program: a list of words, run with the keeper's working directory, environment and standard error |
| `grace` | seconds between SIGTERM and SIGKILL |
| `outlived` | true: what the program has started goes on when it has ended, and so does the keeper, which says how it \
ended in one line of JSON, `{"exit": code}` (negative: killed by that signal). false: all ends with it, and the keeper \
ends with its exit code, 128 + N when it was killed by signal N |
| `stop` | a list of words to run when everything has been ended; empty for none |
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


def main(config: dict) -> int:
    """Start, watch, end; returns the exit code."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    done, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    for number in (signal.SIGINT, signal.SIGCHLD):  # a handler, unlike SIG_IGN, is not inherited
        signal.signal(number, lambda number, frame: None)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # should the keeper itself be killed

    try:
        child = subprocess.Popen(
            config["start"], stdin=subprocess.DEVNULL, stdout=2, stderr=2, start_new_session=True, preexec_fn=in_child
        )
    except OSError as error:
        print(f"cannot start {config['start'][0]}: {error.strerror}", file=sys.stderr)
        return 127
    ended = False
    while not stopping:
        if not ended and child.poll() is not None:
            ended = True
            if not config["outlived"]:
                break
            print(json.dumps({"exit": child.returncode}), flush=True)
        ready = select.select([0, done], [], [], 1.0)[0]
        if done in ready:
            os.read(done, 4096)
        if 0 in ready and not os.read(0, 4096):
            break
    end_all(0.0 if ended and not config["outlived"] else config["grace"])
    if config["stop"]:
        try:
            subprocess.run(config["stop"], stdin=subprocess.DEVNULL, stdout=2, timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_all(0.0)
    code = child.returncode or 0
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
