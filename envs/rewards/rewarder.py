"""The reward of a batch of worlds: kernels tick by tick, and terms that others have registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple

import numpy as np

from envs.entry import entry
from envs.rewards.memory import REWARD, empty_rewards
from envs.rewards.spec import RewardSpec
from envs.rewards.term_kernels import begin_reward, tick_rewards, weigh
from envs.rewards.terms import NAMES, REGISTERED, STOPS
from envs.world import WorldBatch
from leaderboard_adapters.records import INFRACTION_NAMES

_COMFORT = ("discomfort", "carl")
_TTC = ("ttc", "carl")
_ROACH = ("roach_speed", "roach_position", "roach_rotation")


class Rewarder:
    """Rewards B worlds.

    Attributes:
        memory: REWARD[B], part of the running worlds' state.
        names: of the terms that have a weight, in the order of `contributions`.
    """

    def __init__(self, spec: RewardSpec, batch: WorldBatch) -> None:
        self.spec = spec
        self._batch = batch
        self.memory = empty_rewards(batch.num_worlds)
        weights = {name: weight for name, weight in spec.weights.items() if weight != 0.0}
        self._weights = np.array([weights.get(name, 0.0) for name in NAMES])
        self._columns = [(name, k) for k, name in enumerate(NAMES) if name in weights]
        self._others = [(name, REGISTERED[name], weights[name]) for name in weights if name in REGISTERED]
        self.names = tuple(name for name, _ in self._columns) + tuple(name for name, *_ in self._others)
        self._settings = np.array(astuple(spec.settings), np.float64)
        stops = set(spec.terminate_on)
        self._stops = np.array([int(name in stops) for name in (*INFRACTION_NAMES, STOPS[-1])], np.int64)

        def any_of(names: Iterable[str]) -> int:
            return int(any(name in weights for name in names))

        off_road = int("off_road" in weights or "off_road" in stops)
        self._needs = np.array([off_road, any_of(_TTC), any_of(_COMFORT), any_of(_ROACH)], np.int64)
        self._tick: Callable[..., None] | None = None
        self._weigh: Callable[..., None] | None = None
        self._terms = np.zeros((batch.num_worlds, len(NAMES)))

    def begin(self, index: int) -> None:
        """World `index` has been reset."""
        batch = self._batch
        begin_reward(batch.worlds[index], batch.criteria[index], self.memory[index])

    def start_step(self, terms: np.ndarray | None = None) -> None:
        """Begin a step. `terms`: float64[B, terms] of zeros to add to; fresh ones by default."""
        self._terms = np.zeros((self._batch.num_worlds, len(NAMES))) if terms is None else terms

    def tick(self) -> None:
        """Add the tick that the worlds have just made; ends episodes as `terminate_on` says."""
        batch = self._batch
        arguments = (
            batch.worlds,
            batch.criteria,
            self.memory,
            batch.switches,
            batch.routes.net,
            batch.routes.arrays,
            self._settings,
            self._needs,
            self._stops,
            self._terms,
        )
        if self._tick is None:
            self._tick = entry(tick_rewards, *arguments)
        self._tick(*arguments)

    def finish_step(self, rewards: np.ndarray | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """float64[B] rewards of the step, and what each term contributed to them, float64[B] by name."""
        if rewards is None:
            rewards = np.empty(len(self._terms))
        arguments = (self._terms, self._weights, rewards)
        if self._weigh is None:
            self._weigh = entry(weigh, *arguments)
        self._weigh(*arguments)
        contributions = {name: self._terms[:, k] for name, k in self._columns}
        for name, function, weight in self._others:
            contributions[name] = weight * np.asarray(function(self._batch), np.float64)
            rewards += contributions[name]
        return rewards, contributions

    def snapshot(self, index: int) -> np.ndarray:
        """REWARD[1]: copy of what is remembered of one world."""
        return self.memory[index : index + 1].copy()

    def restore(self, index: int, snapshot: np.ndarray) -> None:
        """Put a copy back."""
        self.memory[index] = snapshot[0]

    @property
    def stopped(self) -> np.ndarray:
        """bool[B]: whose episode an infraction has ended."""
        return np.asarray(self.memory["stopped"] == 1)

    @property
    def bytes_per_world(self) -> int:
        """Bytes that it remembers of a world."""
        return int(REWARD.itemsize)
