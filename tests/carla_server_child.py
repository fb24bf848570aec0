"""A CARLA server whose world a test may look into: it leaves the record in a file after every tick.

python -m tests.carla_server_child FILE [--port ...]: options are those of `python -m simulator.carla_server`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from simulator.carla_server import __main__ as command
from simulator.carla_server import server
from simulator.state import WORLD


class WitnessedServer(server.CarlaServer):
    """Writes WORLD[1] to `witness`, whole or not at all, before a tick is answered."""

    witness = Path()

    def tick(self) -> int:
        frame = super().tick()
        work = self.witness.with_suffix(".new")
        work.write_bytes(self.episode.worlds.tobytes())
        os.replace(work, self.witness)
        return frame


def read_witness(path: Path) -> np.ndarray:
    """WORLD[1] after the last tick."""
    return np.frombuffer(path.read_bytes(), WORLD).copy()


if __name__ == "__main__":
    WitnessedServer.witness = Path(sys.argv.pop(1))
    server.CarlaServer = WitnessedServer  # type: ignore[misc]
    sys.exit(command.main())
