"""What the official evaluator starts as `$CARLA_ROOT/CarlaUE4.sh`: CARLA, our server, or a command of the user."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from evaluation.process_group import ProcessGroup
from simulator import WORLD
from simulator.errors import EvaluationError

#: Versions of CARLA's client that our own server can serve.
PROTOCOLS = ("0.9.15", "0.9.16")

_UP = b" is served on "  # in the line that our server prints when clients can connect
_COMPILE_S = 900.0  # for a first start on a slow machine; on two cores it takes about a minute

_SCRIPT = """#!/bin/sh
# The official evaluator calls this as it calls CARLA's own script:
#   CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port=PORT -graphicsadapter=GPU
port=2000 gpu=0
for argument in "$@"; do
  case "$argument" in
    -carla-rpc-port=*) port="${{argument#*=}}" ;;
    -graphicsadapter=*) gpu="${{argument#*=}}" ;;
  esac
done
unset PYTHONPATH PYTHONUNBUFFERED
{command}
"""


@dataclass(frozen=True)
class Servers:
    """Where the evaluator finds a server to start, and what world it will have driven in."""

    carla_root: Path
    world: str


def choose_servers(
    folder: Path, *, carla_version: str, carla_root: Path | None = None, carla_start: str = "", maps: Path | None = None
) -> Servers:
    """A CARLA root for the evaluator: the user's, or a folder with a script that starts something else.

    Args:
        folder: where to write the script, unless CARLA itself is used.
        carla_version: of the client that will connect.
        carla_root: a CARLA installation.
        carla_start: shell command that starts a server; `{port}` and `{gpu}` in it are filled in.
        maps: folder with the .xodr files of the towns, for our own server.

    Raises:
        EvaluationError: for a CARLA root without its script, or a command without a port.
    """
    if carla_start:
        if "{port}" not in carla_start:
            raise EvaluationError(f"--carla-start {carla_start!r}: where the port belongs, write {{port}}")
        command = re.sub(r"\{port\}", '"$port"', carla_start).replace("{gpu}", '"$gpu"')
        return Servers(_write(folder, command), f"carla-start/{carla_version}")
    if carla_root is not None:
        script = carla_root / "CarlaUE4.sh"
        if not os.access(script, os.X_OK):
            raise EvaluationError(f"--carla-root {carla_root}: there is no executable CarlaUE4.sh")
        return Servers(carla_root.resolve(), f"carla/{carla_version}")
    return Servers(_write(folder, own_server_command(carla_version, maps)), f"{WORLD}+carla-server")


def own_server_command(carla_version: str, maps: Path | None) -> str:
    """Shell command that starts the embedded town's CARLA server on `$port`, for a client of that version.

    Raises:
        EvaluationError: for a version whose protocol the server does not speak.
    """
    search = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    if carla_version not in PROTOCOLS:
        raise EvaluationError(
            f"RouteGym's server speaks the protocols of CARLA {' and '.join(PROTOCOLS)}, the official Python has "
            f"carla {carla_version}; install one of these there, or name a CARLA installation with --carla-root"
        )
    words = [sys.executable, "-m", "simulator.carla_server", "--quiet", "--protocol", carla_version]
    words += ["--maps", str(maps.resolve())] if maps else []
    return f'PYTHONPATH={shlex.quote(search)} exec {shlex.join(words)} --port "$port"'


def start_once(servers: Servers, port: int, log: Path) -> bool:
    """Start a server of ours, wait until clients could come, and end it: what it compiles at its first start is kept.

    The evaluator gives a server half a minute, and a client that comes before is not answered for five.

    Args:
        servers: as `choose_servers` chose them.
        port: free, as is the one after it.
        log: for what it prints.

    Returns:
        Whether it came up.
    """
    said = b""
    command = [str(servers.carla_root / "CarlaUE4.sh"), f"-carla-rpc-port={port}"]
    group = ProcessGroup(command, cwd=servers.carla_root, environment=os.environ)
    try:
        until = time.monotonic() + _COMPILE_S
        while _UP not in said and group.poll() is None and time.monotonic() < until:
            select.select([group.output], [], [], 0.5)
            with contextlib.suppress(BlockingIOError):
                said += os.read(group.output, 1 << 16)
    finally:
        group.close()
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            file.write(said)
    return _UP in said


def _write(folder: Path, command: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "CarlaUE4.sh"
    script.write_text(_SCRIPT.format(command=command), encoding="utf-8")
    script.chmod(0o755)
    return folder.resolve()
