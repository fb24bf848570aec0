"""How much life there is beside the road, and what a world with it is called in results."""

from __future__ import annotations

from dataclasses import dataclass

from simulator import WORLD


@dataclass(frozen=True)
class Ambient:
    """Densities of life beside the road (`simulator.ambient`), from 0 (none, as in Bench2Drive) to 1.

    Raises:
        ValueError: for a density outside 0..1.
    """

    pedestrians: float = 0.0
    parked_cars: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("pedestrians", self.pedestrians), ("parked_cars", self.parked_cars)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is a density from 0 to 1, got {value}")

    @property
    def world(self) -> str:
        """Name of the world in results: another one for every density, so that these are not compared."""
        name = WORLD
        if self.pedestrians:
            name += f"+pedestrians={self.pedestrians:g}"
        if self.parked_cars:
            name += f"+parked-cars={self.parked_cars:g}"
        return name


NO_AMBIENT = Ambient()
