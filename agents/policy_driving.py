"""What a learned policy sees and decides on a batch of worlds: shared by training and by the trained agent."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from envs.actions.registry import make_action
from envs.actions.route_command import RouteCommands
from envs.observations import bev, frenet, vector
from envs.observations.base import Observed, allocate, copied
from envs.observations.bev import BevConfig
from envs.observations.registry import make_observation
from envs.world import WorldBatch

#: Observations that a policy can be trained on, with the version of their meaning.
OBSERVATIONS = {"frenet": frenet.VERSION, "vector": vector.VERSION, "bev": bev.VERSION}

#: Action spaces that a policy can be trained on (`envs.actions`).
ACTIONS = ("route_command", "control")

#: The bird's-eye view that policies are trained on: 48 m square, 10 m of it behind the ego, half a second of history.
POLICY_BEV = BevConfig(width=96, height=96, pixels_per_metre=2.0, history=(10,))


class PolicyDriving:
    """Observation and action of a policy.

    The observation is a row of numbers, the wanted offset of a `route_command` last; with a bird's-eye view a dict of
    the picture, `bev`, and such a row of the ego, its path and the rules alone, `ego`.

    Attributes:
        actions: turns decisions into controls.
        observation_space: of one world; action_space: likewise.
    """

    def __init__(self, batch: WorldBatch, observation: str, action: str) -> None:
        self.batch = batch
        self.actions = make_action(action, batch)
        self.is_bev = observation == "bev"
        self._row = make_observation("frenet" if self.is_bev else observation, batch)
        assert self._row.space.shape is not None
        self._whole = np.zeros((batch.num_worlds, self._row.space.shape[0]), np.float32)
        self._size = frenet.EGO_SIZE if self.is_bev else self._whole.shape[1]
        row = gym.spaces.Box(-np.inf, np.inf, (self._size + 1,), np.float32)
        self.observation_space: gym.Space[Any] = row
        if self.is_bev:
            self._view = make_observation(POLICY_BEV, batch)
            self.observation_space = gym.spaces.Dict({"bev": self._view.space, "ego": row})
        self._out = allocate(self.observation_space, batch.num_worlds)
        self.action_space = self.actions.space

    def observe(self) -> Observed:
        """Fresh arrays with a leading world axis."""
        worlds = self.batch.worlds
        self._row.write(worlds, self._whole)
        row = self._out["ego"] if self.is_bev else self._out
        row[:, :-1] = self._whole[:, : self._size]
        row[:, -1] = self.actions.offsets / 3.5 if isinstance(self.actions, RouteCommands) else 0.0
        if self.is_bev:
            self._view.write(worlds, self._out["bev"])
        return copied(self._out)

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """What is remembered of one world."""
        kept = (*self.actions.snapshot(index), *self._row.snapshot(index))
        return (*kept, *self._view.snapshot(index)) if self.is_bev else kept

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""
        a = len(self.actions.snapshot(index))
        r = a + len(self._row.snapshot(index))
        self.actions.restore(index, snapshot[:a])
        self._row.restore(index, snapshot[a:r])
        if self.is_bev:
            self._view.restore(index, snapshot[r:])
