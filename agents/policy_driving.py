"""What a learned policy sees and decides on a batch of worlds: shared by training and by the trained agent.

Actions: `path` commands (`agents.path_command`), or `pedals`: throttle (positive) or brake (negative), and steering.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from agents.path_command import CHOICES, follow_commands, shift_offsets
from envs.observations import bev, frenet, vector
from envs.observations.bev import BevConfig
from envs.observations.registry import make_observation
from envs.world import WorldBatch

#: Observations that a policy can be trained on, with the version of their meaning.
OBSERVATIONS = {"frenet": frenet.VERSION, "vector": vector.VERSION, "bev": bev.VERSION}
ACTIONS = ("path", "pedals")

#: The bird's-eye view that policies are trained on: 48 m square, 10 m of it behind the ego, half a second of history.
POLICY_BEV = BevConfig(width=96, height=96, pixels_per_metre=2.0, history=(10,))

Seen = np.ndarray | dict[str, np.ndarray]


class PolicyDriving:
    """Observation and action of a policy.

    Attributes:
        offsets: float64[B] metres, the wanted offset of each world from its path; the only memory of the action.
        observation_space, action_space: of one world.
    """

    def __init__(self, batch: WorldBatch, observation: str, action: str) -> None:
        self.batch = batch
        self.is_path = action == "path"
        self.is_bev = observation == "bev"
        choice = POLICY_BEV if self.is_bev else observation
        self.view = make_observation(choice, batch.routes, batch.num_worlds)
        self.offsets = np.zeros(batch.num_worlds)
        self._controls = np.zeros((batch.num_worlds, 3))
        self.observation_space: gym.Space[Any]
        if self.is_bev:
            self._ego = make_observation("frenet", batch.routes, batch.num_worlds)
            ego = gym.spaces.Box(-np.inf, np.inf, (frenet.EGO_SIZE + 1,), np.float32)
            self.observation_space = gym.spaces.Dict({"bev": self.view.space, "ego": ego})
        else:
            assert self.view.space.shape is not None
            self._size = self.view.space.shape[0] + 1
            self.observation_space = gym.spaces.Box(-np.inf, np.inf, (self._size,), np.float32)
        self.action_space: gym.Space[Any] = (
            gym.spaces.MultiDiscrete(CHOICES) if self.is_path else gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        )

    def observe(self) -> Seen:
        """Fresh float32[B, size], the wanted offset last; or for a bird's-eye view the picture and the ego's own values."""
        worlds = self.batch.worlds
        if self.is_bev:
            ego = np.empty((len(worlds), frenet.EGO_SIZE + 1), np.float32)
            ego[:, :-1] = self._ego.observe(worlds)[:, : frenet.EGO_SIZE]  # type: ignore[index, call-overload]
            ego[:, -1] = self.offsets / 3.5
            return {"bev": self.view.observe(worlds), "ego": ego}  # type: ignore[dict-item]
        rows = np.empty((len(worlds), self._size), np.float32)
        rows[:, :-1] = self.view.observe(worlds)  # type: ignore[assignment]
        rows[:, -1] = self.offsets / 3.5
        return rows

    def begin(self, index: int) -> None:
        """World `index` begins an episode."""
        self.offsets[index] = 0.0

    def decide(self, actions: np.ndarray) -> None:
        """Take in one decision for every world: int64[B, 2] choices, or float[B, 2] pedals and steering."""
        if self.is_path:
            shift_offsets(actions, self.offsets)
        else:
            np.clip(actions[:, 0], 0.0, 1.0, out=self._controls[:, 0])
            np.clip(-actions[:, 0], 0.0, 1.0, out=self._controls[:, 1])
            np.clip(actions[:, 1], -1.0, 1.0, out=self._controls[:, 2])

    def control(self, actions: np.ndarray) -> np.ndarray:
        """float64[B, 3] throttle, brake, steer of this tick, under the decision that runs."""
        if self.is_path:
            routes = self.batch.routes
            follow_commands(self.batch.worlds, routes.net, routes.arrays, actions, self.offsets, self._controls)
        return self._controls

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """What it remembers of one world."""
        ego = self._ego.snapshot(index) if self.is_bev else ()
        return (np.array([self.offsets[index]]), *ego, *self.view.snapshot(index))

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""
        self.offsets[index] = snapshot[0][0]
        if self.is_bev:
            self._ego.restore(index, snapshot[1:2])
        self.view.restore(index, snapshot[2 if self.is_bev else 1 :])
