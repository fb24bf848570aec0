"""A CARLA server in a process of its own that leaves the world's record in a file after every tick.

python -m tests.carla_server_child PORT FILE [PROTOCOL]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


from simulator.carla_server.log import start_log
from simulator.carla_server.server import CarlaServer


class WitnessedServer(CarlaServer):
    """Writes WORLD[1] to `witness`, whole or not at all, before a tick is answered."""

    witness = Path()

    def tick(self) -> int:
        frame = super().tick()
        if self.witness.name:
            work = self.witness.with_suffix(".new")
            work.write_bytes(self.episode.worlds.tobytes())
            os.replace(work, self.witness)
        return frame


def main() -> None:
    """Serve MiniTown until a signal."""
    port, witness = int(sys.argv[1]), Path(sys.argv[2])
    version = sys.argv[3] if len(sys.argv) > 3 else "0.9.16"
    start_log(quiet=True)
    server = WitnessedServer(port=port, version=version)
    server.witness = witness
    server.serve(lambda: print("ready", flush=True))


if __name__ == "__main__":
    main()
