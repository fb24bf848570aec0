"""The observations that an environment can give, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from envs.observations import vector
from envs.observations.bev import BevConfig, BevObservation
from envs.observations.frenet import FrenetObservation
from envs.observations.structured import StructuredObservation
from envs.routes import RouteBatch

#: What a policy gets: an array, or arrays by name, with a leading world axis.
Observed = np.ndarray | dict[str, np.ndarray]


class Observation(Protocol):
    """Sees B worlds. What it remembers of their past travels with snapshots."""

    @property
    def space(self) -> gym.Space[Any]:
        """Of one world."""

    def observe(self, worlds: np.ndarray) -> Observed:
        """Fresh arrays of WORLD[B]."""

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """Copy of what it remembers of one world."""

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""


class VectorObservation:
    """float32[B, 188], `envs.observations.vector`: the ego, its route ahead and its neighbours in one row."""

    def __init__(self, routes: RouteBatch, num_worlds: int = 1) -> None:
        self._net, self._routes = routes.net, routes.arrays
        self._out = np.zeros((num_worlds, vector.SIZE), np.float32)
        self.space: gym.Space[Any] = gym.spaces.Box(-np.inf, np.inf, (vector.SIZE,), np.float32)

    def observe(self, worlds: np.ndarray) -> np.ndarray:
        """Fresh rows of WORLD[B]."""
        vector.observe_all(worlds, self._net, self._routes, self._out)
        return self._out.copy()

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """Nothing is remembered."""
        return ()

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Nothing is remembered."""


#: Makers by name.
OBSERVATIONS: Mapping[str, Callable[[RouteBatch, int], Observation]] = {
    "vector": VectorObservation,
    "frenet": FrenetObservation,
    "bev": BevObservation,
    "structured": StructuredObservation,
}


def make_observation(choice: str | BevConfig, routes: RouteBatch, num_worlds: int) -> Observation:
    """An observation by name, or a bird's-eye view by its configuration.

    Raises:
        ValueError: for a name that does not exist.
    """
    if isinstance(choice, BevConfig):
        return BevObservation(routes, num_worlds, choice)
    if choice not in OBSERVATIONS:
        near = difflib.get_close_matches(str(choice), OBSERVATIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no observation {choice!r}{hint} Known: {', '.join(OBSERVATIONS)}")
    return OBSERVATIONS[choice](routes, num_worlds)
