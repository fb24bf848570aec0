"""Runs one command and leaves nothing behind: `python guard.py MARK COMMAND...`.

Every process that the command starts inherits MARK in its environment, also those that leave its process group, as
CARLA's servers do. When the command ends, or standard input closes because whoever started the guard is gone (however
that came about), all processes with the mark are killed. The guard ends with the command's exit code; killed by signal
N, with 128 + N.

Standard library only, and no import of this package: the process must start at once.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

VARIABLE = "ROUTEGYM_GUARD"
_GRACE_S = 5.0


def marked(mark: str) -> list[int]:
    """Processes whose environment carries the mark, but for this one."""
    needle = f"{VARIABLE}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if needle in file.read().split(b"\0"):
                found.append(int(name))
    return found


def kill_marked(mark: str, number: int) -> bool:
    """Send a signal to all marked processes; False when there was none."""
    found = marked(mark)
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return bool(found)


def sweep(mark: str, child: "subprocess.Popen[bytes]", gentle: bool) -> None:
    """End everything marked: with `gentle` by SIGTERM first, then for good."""
    if gentle:
        kill_marked(mark, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while marked(mark) and time.monotonic() < deadline:
            child.poll()
            time.sleep(0.05)
    while kill_marked(mark, signal.SIGKILL):
        child.poll()  # a zombie keeps no environment, but its parent has to know
        time.sleep(0.02)


def main(mark: str, command: list[str]) -> int:
    """Run the command to its end, or to the end of whoever holds our standard input."""
    done_reader, done_writer = os.pipe()
    os.set_blocking(done_writer, False)
    signal.set_wakeup_fd(done_writer)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):  # a handler, unlike SIG_IGN, is not inherited
        signal.signal(number, lambda number, frame: None)
    environment = {**os.environ, VARIABLE: mark}
    try:
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    abandoned = False
    while child.poll() is None and not abandoned:
        ready, _, _ = select.select([0, done_reader], [], [], 1.0)
        if done_reader in ready:
            os.read(done_reader, 4096)
        if 0 in ready and not os.read(0, 4096):
            abandoned = True
    sweep(mark, child, gentle=abandoned)
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
