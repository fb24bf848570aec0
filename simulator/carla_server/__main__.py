"""`python -m simulator.carla_server`: serve a town to CARLA clients."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from simulator.errors import RouteGymError


@dataclass(frozen=True)
class Options:
    """Serve the embedded town to the unmodified `carla` client, as a CARLA server would."""

    port: int = 2000
    """TCP port of RPC; streams are on the port after it."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is reachable from other machines. There is no access control."""
    town: str = "MiniTown"
    """Town that is loaded at the start."""
    maps: Path | None = None
    """Folder of OpenDRIVE (.xodr) files, such as CarlaUE4/Content/Carla/Maps of a CARLA installation."""
    protocol: Literal["0.9.15", "0.9.16"] = "0.9.16"
    """Version of the clients that will connect."""
    quiet: bool = False
    """Log only what went wrong."""


def main() -> int:
    """Run the command and return its exit code."""
    options = tyro.cli(Options, prog="python -m simulator.carla_server")
    began = time.monotonic()
    from simulator.carla_server.log import LOG, start_log  # after the options: --help needs no Numba
    from simulator.carla_server.server import CarlaServer

    start_log(quiet=options.quiet)
    try:
        server = CarlaServer(
            host=options.host, port=options.port, town=options.town, maps_dir=options.maps, version=options.protocol
        )
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130

    def ready() -> None:
        where = f"{options.host}:{options.port}"
        print(f"{options.town} is served on {where} to CARLA {options.protocol} clients", flush=True)
        LOG.info("ready after %.2f s", time.monotonic() - began)

    server.serve(ready)
    LOG.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
