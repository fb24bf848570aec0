"""Worlds in training: decisions in, observations and rewards out, as preallocated arrays.

`RouteWorlds` is the whole environment; `rl.vec_env` shows it to stable-baselines3. One decision:

| order | what |
|---|---|
| 1 | the action moves the wanted offset (`agents.path_command`), or is pedals and steering as it is |
| 2 | `frame_skip` ticks, with fresh controls every tick |
| 3 | reward and end, from what the criteria have noted |
| 4 | worlds that ended are kept as their last observation, then begin another route |
| 5 | observation |
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from agents.path_command import CHOICES, follow_commands, shift_offsets
from envs.observations.registry import make_observation
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import (
    LAYOUT,
    PEDESTRIAN,
    RED_LIGHT,
    SCENARIO_TIMEOUT,
    STOP,
    VEHICLE,
    YIELD,
    RouteEnd,
)
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import PENALTY_FACTORS
from rl.config import PpoConfig

_COLLISIONS = [LAYOUT, PEDESTRIAN, VEHICLE]
_RULES = [RED_LIGHT, STOP, YIELD, SCENARIO_TIMEOUT]
_LOG_FACTORS = np.log([PENALTY_FACTORS.get(name, 1.0) for name in INFRACTION_NAMES])
_EARLY_ENDS = [RouteEnd.DEVIATED, RouteEnd.BLOCKED, RouteEnd.TIMED_OUT, RouteEnd.TICK_CAP]


class Driving:
    """Observation and action of a policy on a batch of worlds: what training and the trained agent share.

    Attributes:
        offsets: float64[B] metres, the wanted offset of each world from its path.
    """

    def __init__(self, batch: WorldBatch, observation: str, action: str) -> None:
        self.batch = batch
        self.is_path = action == "path"
        self.view = make_observation(observation, batch.routes, batch.num_worlds)
        self.offsets = np.zeros(batch.num_worlds)
        self.controls = np.zeros((batch.num_worlds, 3))
        shape = self.view.space.shape
        assert shape is not None
        self.size = shape[0] + 1
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (self.size,), np.float32)
        self.action_space: gym.Space[Any] = (
            gym.spaces.MultiDiscrete(CHOICES) if self.is_path else gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        )

    def observe(self) -> np.ndarray:
        """Fresh float32[B, size]."""
        rows = np.empty((self.batch.num_worlds, self.size), np.float32)
        rows[:, :-1] = self.view.observe(self.batch.worlds)
        rows[:, -1] = self.offsets / 3.5
        return rows

    def begin(self, index: int) -> None:
        """World `index` begins an episode."""
        self.offsets[index] = 0.0

    def decide(self, actions: np.ndarray) -> None:
        """Take in one decision for every world."""
        if self.is_path:
            shift_offsets(actions, self.offsets)
        else:
            np.clip(actions[:, 0], 0.0, 1.0, out=self.controls[:, 0])
            np.clip(-actions[:, 0], 0.0, 1.0, out=self.controls[:, 1])
            np.clip(actions[:, 1], -1.0, 1.0, out=self.controls[:, 2])

    def control(self, actions: np.ndarray) -> np.ndarray:
        """float64[B, 3] of this tick."""
        if self.is_path:
            routes = self.batch.routes
            follow_commands(self.batch.worlds, routes.net, routes.arrays, actions, self.offsets, self.controls)
        return self.controls


class RouteWorlds:
    """B worlds that begin a new route whenever one ends. Routes are drawn so that all scenario types come alike often."""

    def __init__(self, routes: RouteBatch, config: PpoConfig) -> None:
        self.config = config
        self.batch = WorldBatch(routes, config.worlds)
        self.driving = Driving(self.batch, config.observation, config.action)
        self.draws = np.random.default_rng([config.seed, 1])
        self.by_type: list[list[int]] = []
        names = [prepared.route.scenario_type for prepared in routes.routes]
        for name in sorted(set(names)):
            self.by_type.append([i for i, other in enumerate(names) if other == name])
        self.steps = np.zeros(config.worlds, np.int64)
        self.returns = np.zeros(config.worlds)

    def reset(self) -> np.ndarray:
        """Begin an episode in every world; returns the observations."""
        for b in range(self.config.worlds):
            self._begin(b)
        return self.driving.observe()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """One decision in every world.

        Returns:
            (observations float32[B, size] of the worlds as they go on, rewards float32[B], ended bool[B], truncated
            bool[B], for each ended world in order its `terminal_observation` and scores).
        """
        config, batch, driving = self.config, self.batch, self.driving
        criteria = batch.criteria
        percent = criteria["route_percent"].copy()
        counts = criteria["counts"].copy()
        wrong = criteria["wrong_distance"].copy()
        driving.decide(actions)
        for _ in range(config.frame_skip):
            batch.tick(driving.control(actions))
        finished = criteria["finished"]
        fresh = criteria["counts"] - counts
        collided = fresh[:, _COLLISIONS].sum(axis=1) > 0
        broken = fresh[:, _RULES].sum(axis=1)
        completed = finished == RouteEnd.COMPLETED
        failed = np.isin(finished, _EARLY_ENDS)
        lengths = np.maximum(self.lengths, 1.0)
        rewards = (
            config.progress_reward * (criteria["route_percent"] - percent) / 100.0
            + config.arrival_reward * completed
            - config.collision_penalty * collided
            - config.rule_penalty * broken
            - config.end_penalty * failed
            - config.lane_penalty * (criteria["wrong_distance"] - wrong) / lengths
            - config.step_penalty
        ).astype(np.float32)
        ended = finished != RouteEnd.RUNNING
        if config.end_at_infraction:
            ended = ended | collided | (broken > 0)
        truncated = np.zeros_like(ended)
        self.steps += 1
        self.returns += rewards
        stories: list[dict[str, Any]] = []
        if ended.any():
            last = driving.observe()
            for b in np.flatnonzero(ended):
                stories.append({"world": int(b), "terminal_observation": last[b], **self._scores(int(b))})
                self._begin(int(b))
        return driving.observe(), rewards, ended, truncated, stories

    def _scores(self, b: int) -> dict[str, Any]:
        c = self.batch.criteria[b]
        completion = 100.0 if c["completed"] else float(c["route_percent"])
        factor = float(np.exp(c["counts"] @ _LOG_FACTORS))
        if c["driven_distance"] > 0.0:
            factor *= max(1.0 - float(c["wrong_distance"] / c["driven_distance"]), 0.0)
        return {
            "return": float(self.returns[b]),
            "steps": int(self.steps[b]),
            "completion": completion,
            "driving_score": completion * factor,
            "collision": bool(c["counts"][_COLLISIONS].any()),
            "rule": bool(c["counts"][_RULES].any()),
        }

    def _begin(self, b: int) -> None:
        kind = self.by_type[int(self.draws.integers(len(self.by_type)))]
        route = kind[int(self.draws.integers(len(kind)))]
        self.batch.reset(b, EpisodeStart(route, int(self.draws.integers(2**31))))
        self.driving.begin(b)
        self.steps[b] = 0
        self.returns[b] = 0.0

    @property
    def lengths(self) -> np.ndarray:
        """float64[B] metres, of the routes that are driven."""
        return self._lengths[self.batch.worlds["route"]]

    @property
    def _lengths(self) -> np.ndarray:
        if not hasattr(self, "_all_lengths"):
            self._all_lengths = np.array([prepared.length for prepared in self.batch.routes.routes])
        return self._all_lengths
