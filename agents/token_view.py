"""What the token policy sees: an observation of the environment, cut into the ego's row and sets of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.policy import Rows
from envs.observations.registry import make_observation
from envs.world import WorldBatch
from simulator.state import EGO

#: Rows of numbers that hold neighbours behind the ego's own values: name -> (the ego's, neighbours, values of each).
NEIGHBOURS = {"vector": (36, 16, 8), "frenet": (68, 12, 14)}
_STRUCTURED_SETS = ("actors", "lights", "stops")


@dataclass(frozen=True)
class ViewShape:
    """Shapes of the rows: `ego` numbers, `sets` of (M, F) with masks, an `image` (C, H, W) or none."""

    ego: int
    sets: dict[str, tuple[int, int]]
    image: tuple[int, int, int] | None = None


class TokenView:
    """Observer of the token policy over any observation of `envs.observations`.

    Rows: `ego` float32[N, E]; for each set `<name>` float32[N, M, F] and `<name>_mask` bool[N, M]; `image`
    uint8[N, C, H, W] with a bird's-eye view; `speed` float64[N] m/s.
    """

    def __init__(self, name: str, batch: WorldBatch) -> None:
        self._name = name
        self._batch = batch
        self._view = make_observation(name, batch)
        self._extra = make_observation("vector", batch) if name == "bev" else None
        self._fresh = [self._view.snapshot(b) for b in range(batch.num_worlds)]

    def reset(self, index: int) -> None:
        self._view.restore(index, self._fresh[index])

    def observe(self, indices: np.ndarray) -> Rows:
        seen = self._view.observe(self._batch.worlds)
        if self._name == "structured":
            route = seen["route"] * seen["route_mask"][..., None]
            rows = {"ego": np.concatenate([seen["ego"], route.reshape(len(route), -1)], axis=1)[indices]}
            for name in _STRUCTURED_SETS:
                rows[name], rows[f"{name}_mask"] = seen[name][indices], seen[f"{name}_mask"][indices] > 0
        elif self._extra is not None:
            # what a picture does not show: speed, limit, where the route goes
            rows = {"ego": self._extra.observe(self._batch.worlds)[indices, :36], "image": seen[indices]}
        elif self._name in NEIGHBOURS:
            own, count, values = NEIGHBOURS[self._name]
            others = seen[indices, own : own + count * values].reshape(len(indices), count, values)
            rows = {"ego": seen[indices, :own], "actors": others, "actors_mask": (others != 0.0).any(axis=2)}
        else:
            rows = {"ego": seen[indices]}
        rows["speed"] = self._batch.worlds["speed"][indices, EGO].astype(np.float64)
        return rows

    def snapshot(self, index: int) -> Any:
        return self._view.snapshot(index)

    def restore(self, index: int, snapshot: Any) -> None:
        self._view.restore(index, snapshot)


def view_shape(rows: Rows) -> ViewShape:
    """Shapes of the rows of a view."""
    sets = {name: array.shape[1:] for name, array in rows.items() if f"{name}_mask" in rows}
    image = rows["image"].shape[1:] if "image" in rows else None
    return ViewShape(rows["ego"].shape[1], sets, image)  # type: ignore[arg-type]
