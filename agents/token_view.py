"""What the token policy sees: an observation of the environment, cut into the ego's row and sets of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.policy import Rows
from agents.tokens.base import ActionTokens
from agents.tokens.commands import CommandTokens
from envs.actions.route_command import CHOICES, MAX_OFFSET, SHIFT, allowed_speeds
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

    def __init__(self, name: str, batch: WorldBatch, flat: bool = False) -> None:
        """
        Args:
            flat: neighbours are part of the ego's row, not a set: less to compute, and their order counts.
        """
        self._name = name
        self._flat = flat
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
        elif self._name in NEIGHBOURS and not self._flat:
            own, count, values = NEIGHBOURS[self._name]
            others = seen[indices, own : own + count * values].reshape(len(indices), count, values)
            rows = {"ego": seen[indices, :own], "actors": others, "actors_mask": (others != 0.0).any(axis=2)}
        else:
            rows = {"ego": seen[indices]}
        rows["speed"] = self._batch.worlds["speed"][indices, EGO].astype(np.float64)
        return rows

    def retrace(self, rows: Rows, trajectories: np.ndarray, offsets: np.ndarray) -> Rows:
        """The rows of one ride of somebody else, in order, with what the policy would remember had it driven it so."""
        return rows

    def snapshot(self, index: int) -> Any:
        return self._view.snapshot(index)

    def restore(self, index: int, snapshot: Any) -> None:
        self._view.restore(index, snapshot)


class CommandView(TokenView):
    """The same for a policy that says commands (`agents.tokens.commands`).

    More rows: `allowed` float64[N] m/s, `wanted` float64[N] m, the offset that is wanted so far, which is also the last
    number of `ego`, / 3.5.

    Attributes:
        wanted: float64[B], written by who drives.
    """

    def __init__(self, name: str, batch: WorldBatch, flat: bool = False) -> None:
        super().__init__(name, batch, flat)
        self.wanted = np.zeros(batch.num_worlds)
        self._allowed = np.zeros(batch.num_worlds)

    def observe(self, indices: np.ndarray) -> Rows:
        rows = super().observe(indices)
        routes = self._batch.routes
        allowed_speeds(self._batch.worlds, routes.net, routes.arrays, self._allowed)
        return _with_wanted({**rows, "allowed": self._allowed[indices]}, self.wanted[indices].copy())

    def retrace(self, rows: Rows, trajectories: np.ndarray, offsets: np.ndarray) -> Rows:
        """The rows of one ride, in order, with what would have been wanted had commands driven it."""
        wanted = np.zeros(len(offsets))
        for k in range(len(wanted) - 1):
            one = slice(k, k + 1)
            speed, allowed = rows["speed"][one], rows["allowed"][one]
            said = CommandTokens().choose(trajectories[one], offsets[one], speed, allowed, wanted[one])
            shift = int(said[0, 0]) % CHOICES[1] - 1
            wanted[k + 1] = np.clip(wanted[k] + SHIFT * shift, -MAX_OFFSET, MAX_OFFSET)
        own = rows["ego"][:, :-1]
        return _with_wanted({**rows, "ego": own}, wanted)


def _with_wanted(rows: Rows, wanted: np.ndarray) -> Rows:
    last = (wanted / 3.5).astype(np.float32)[:, None]
    return {**rows, "ego": np.concatenate([rows["ego"], last], axis=1), "wanted": wanted}


def make_token_view(name: str, tokens: ActionTokens, flat: bool, batch: WorldBatch) -> TokenView:
    """What a policy with these tokens sees."""
    return CommandView(name, batch, flat) if isinstance(tokens, CommandTokens) else TokenView(name, batch, flat)


def view_shape(rows: Rows) -> ViewShape:
    """Shapes of the rows of a view."""
    sets = {name: array.shape[1:] for name, array in rows.items() if f"{name}_mask" in rows}
    image = rows["image"].shape[1:] if "image" in rows else None
    return ViewShape(rows["ego"].shape[1], sets, image)  # type: ignore[arg-type]
