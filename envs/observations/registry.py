"""The observations that an environment can give: by name, by their configuration, or several in a dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from envs.names import unknown_name
from envs.observations.base import Observation, Observed
from envs.observations.bev import BevConfig, BevObservation
from envs.observations.frenet import FrenetObservation
from envs.observations.sensors import Leaderboard, SensorObservation, Sensors
from envs.observations.structured import StructuredObservation
from envs.observations.text import TextConfig, TextObservation
from envs.observations.vector import VectorObservation
from envs.world import WorldBatch

Maker = Callable[[WorldBatch], Observation]

#: Makers by name.
OBSERVATIONS: dict[str, Maker] = {
    "vector": lambda batch: VectorObservation(batch.routes),
    "frenet": lambda batch: FrenetObservation(batch.routes, batch.num_worlds),
    "bev": lambda batch: BevObservation(batch.routes, batch.num_worlds),
    "structured": lambda batch: StructuredObservation(batch.routes, batch.num_worlds),
    "text": lambda batch: TextObservation(batch.routes),
}

_CONFIGURED: dict[type, Callable[[WorldBatch, Any], Observation]] = {
    BevConfig: lambda batch, config: BevObservation(batch.routes, batch.num_worlds, config),
    TextConfig: lambda batch, config: TextObservation(batch.routes, config),
    Sensors: SensorObservation,
    Leaderboard: SensorObservation,
}


class Several(Observation):
    """Observations by name, as a dict."""

    def __init__(self, parts: Mapping[str, Observation]) -> None:
        self._parts = dict(parts)
        self.space = gym.spaces.Dict({name: part.space for name, part in self._parts.items()})

    def write(self, worlds: np.ndarray, out: Observed, first: int = 0) -> None:
        for name, part in self._parts.items():
            part.write(worlds, out[name], first)

    def snapshot(self, index: int) -> tuple[Any, ...]:
        return tuple(part.snapshot(index) for part in self._parts.values())

    def restore(self, index: int, snapshot: tuple[Any, ...]) -> None:
        for part, copy in zip(self._parts.values(), snapshot, strict=True):
            part.restore(index, copy)


def register_observation(name: str, maker: Maker) -> None:
    """Make an observation of one's own known by name.

    Raises:
        ValueError: for a name that is taken.
    """
    if name in OBSERVATIONS:
        raise ValueError(f"observation {name!r} exists; choose another name")
    OBSERVATIONS[name] = maker


def make_observation(choice: Any, batch: WorldBatch) -> Observation:
    """An observation by name, by its configuration, from a maker, or several by name from a mapping of these.

    Raises:
        ValueError: for a name that does not exist.
    """
    if isinstance(choice, Mapping):
        return Several({name: make_observation(each, batch) for name, each in choice.items()})
    if type(choice) in _CONFIGURED:
        return _CONFIGURED[type(choice)](batch, choice)
    if callable(choice):
        return choice(batch)
    if choice not in OBSERVATIONS:
        raise ValueError(unknown_name("observation", choice, OBSERVATIONS))
    return OBSERVATIONS[choice](batch)
