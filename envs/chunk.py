"""Some worlds of a vector environment, stepped by one thread: actions, ticks, rewards, observation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envs.actions.base import Actions
from envs.actions.registry import make_action
from envs.observations.base import Observation, Observed
from envs.observations.registry import make_observation
from envs.rewards.rewarder import Rewarder
from envs.rewards.spec import RewardSpec
from envs.world import EpisodeStart, Snapshot, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd


class EnvSnapshot(NamedTuple):
    """Every bit of one running world, and what its observation, reward and controller remember of the past."""

    world: Snapshot
    seen: tuple[Any, ...]
    reward: np.ndarray  # REWARD[1]
    controller: tuple[np.ndarray, ...]

    @property
    def finished(self) -> bool:
        """Whether its route had ended."""
        return self.world.finished


class Chunk:
    """`batch` is a part of the environment's worlds, on the same memory; worlds are numbered within it."""

    def __init__(
        self, batch: WorldBatch, span: slice, *, action: Any, observation: Any, reward: RewardSpec, tick_cap: int | None
    ) -> None:
        self.batch, self.span = batch, span
        self.actions: Actions = make_action(action, batch)
        self.observation: Observation = make_observation(observation, batch)
        self.rewarder = Rewarder(reward, batch)
        self._tick_cap = tick_cap

    def begin(self, index: int, start: EpisodeStart) -> None:
        """Begin an episode in a world."""
        self.batch.reset(index, start)
        if self._tick_cap is not None:
            self.batch.criteria["tick_cap"][index] = self._tick_cap
        self.rewarder.begin(index)
        self.actions.begin(index)

    def step(
        self, actions: np.ndarray, waiting: np.ndarray | None, frame_skip: int, repeat: int, terms: np.ndarray
    ) -> None:
        """Decide, and tick `frame_skip` times; that `repeat` times over.

        Args:
            waiting: bool[n] worlds that stand still in this step, or None.
            terms: float64[n, terms], zeros, to which the terms of the reward are added.
        """
        finished = self.batch.criteria["finished"]
        kept = None
        if waiting is not None and waiting.any():
            kept = finished[waiting].copy()
            finished[waiting] = RouteEnd.INTERRUPTED
        self.rewarder.start_step(terms)
        for _ in range(repeat):
            self.actions.decide(actions)
            for _ in range(frame_skip):
                self.actions.control()
                self.batch.tick(self.actions.controls)
                self.rewarder.tick()
        if kept is not None:
            finished[waiting] = kept

    def observe(self, out: Observed) -> None:
        """Write the observations of all worlds into `out`."""
        self.observation.write(self.batch.worlds, out)

    def observe_one(self, index: int, out: Observed) -> None:
        """Write the observation of one world into `out`, with a leading axis of 1."""
        self.observation.write(self.batch.worlds[index : index + 1], out, index)

    def snapshot(self, index: int) -> EnvSnapshot:
        """Copy of one running world."""
        return EnvSnapshot(
            self.batch.snapshot(index),
            self.observation.snapshot(index),
            self.rewarder.snapshot(index),
            self.actions.snapshot(index),
        )

    def restore(self, index: int, snapshot: EnvSnapshot) -> None:
        """Put a copy back."""
        self.batch.restore(index, snapshot.world)
        self.observation.restore(index, snapshot.seen)
        self.rewarder.restore(index, snapshot.reward)
        self.actions.restore(index, snapshot.controller)
