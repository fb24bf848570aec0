"""Decisions that are followed: trajectories, paths with a target speed, meta-actions, action tokens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import gymnasium as gym
import numpy as np

from envs.actions.base import Actions
from envs.actions.decide import (
    decide_meta,
    decide_on_route,
    decide_paths,
    decide_trajectories,
    scratch_points,
)
from envs.actions.settings import Codebook, Path, RouteSpeed, Trajectory
from envs.actions.tracking import TRACK, track_all
from envs.entry import entry
from envs.world import WorldBatch

SPEED_WORDS = ("accelerate", "decelerate", "maintain", "stop")
PATH_WORDS = ("keep lane", "turn left", "turn right", "change left", "change right")
#: Names of the meta-actions, by index.
META_ACTIONS = tuple(f"{speed}, {path}" for speed, path in product(SPEED_WORDS, PATH_WORDS))


class Tracked(Actions):
    """Actions that lay a line, which a controller follows tick by tick (`envs.actions.tracking`)."""

    def __init__(self, batch: WorldBatch, controller: str, points: int = 0) -> None:
        super().__init__(batch)
        self.tracks = np.zeros(batch.num_worlds, TRACK)
        self._pid = int(controller == "pid")
        self._points = scratch_points(points)
        self._track: Callable[..., None] | None = None

    def control(self) -> None:
        arguments = (self.batch.worlds, self.tracks, self._pid, self.controls)
        if self._track is None:
            self._track = entry(track_all, *arguments)
        self._track(*arguments)

    def begin(self, index: int) -> None:
        self.tracks[index] = np.zeros((), TRACK)

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        return (*super().snapshot(index), self.tracks[index : index + 1].copy())

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        super().restore(index, snapshot)
        self.tracks[index] = snapshot[1][0]


class TrajectoryActions(Tracked):
    """`trajectory`, or a `Trajectory`: Box(-reach, reach, (points, 2)), metres in the ego's frame."""

    def __init__(self, batch: WorldBatch, settings: Trajectory | None = None) -> None:
        settings = Trajectory() if settings is None else settings
        super().__init__(batch, settings.controller, settings.points)
        self._interval = settings.interval
        reach = np.float32(settings.reach)
        self.space = gym.spaces.Box(-reach, reach, (settings.points, 2), np.float32)

    def decide(self, actions: np.ndarray) -> None:
        decide_trajectories(self.batch.worlds, self.tracks, actions, self._interval, self._points)


class CodebookActions(Tracked):
    """A `Codebook`: Discrete(N) action tokens."""

    def __init__(self, batch: WorldBatch, settings: Codebook) -> None:
        self._trajectories = np.ascontiguousarray(np.asarray(settings.trajectories, np.float64)[..., :2])
        super().__init__(batch, settings.controller, self._trajectories.shape[1])
        self._interval = settings.interval
        self.space = gym.spaces.Discrete(len(self._trajectories))

    def decide(self, actions: np.ndarray) -> None:
        chosen = self._trajectories[actions]
        decide_trajectories(self.batch.worlds, self.tracks, chosen, self._interval, self._points)


class PathActions(Tracked):
    """`path`, or a `Path`: Box (1 + 2 points,): target speed m/s, then x, y of each point, metres, ego's frame."""

    def __init__(self, batch: WorldBatch, settings: Path | None = None) -> None:
        settings = Path() if settings is None else settings
        super().__init__(batch, settings.controller, settings.points)
        high = np.full(1 + 2 * settings.points, settings.reach, np.float32)
        low = -high
        low[0], high[0] = 0.0, settings.top_speed
        self.space = gym.spaces.Box(low, high, dtype=np.float32)

    def decide(self, actions: np.ndarray) -> None:
        decide_paths(self.batch.worlds, self.tracks, actions, self._points)


class RouteSpeedActions(Tracked):
    """`route_speed`, or a `RouteSpeed`: Box(-1, 1, (2,)): target speed and offset from the route's path, scaled."""

    def __init__(self, batch: WorldBatch, settings: RouteSpeed | None = None) -> None:
        settings = RouteSpeed() if settings is None else settings
        super().__init__(batch, settings.controller)
        self._scale = np.array([0.5 * settings.top_speed, settings.offset])
        self._shift = np.array([0.5 * settings.top_speed, 0.0])
        self.space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def decide(self, actions: np.ndarray) -> None:
        wanted = np.clip(actions, -1.0, 1.0) * self._scale + self._shift
        decide_on_route(self.batch.worlds, self.tracks, wanted, self.batch.routes.arrays, self._points)


class MetaActions(Tracked):
    """`meta`: Discrete(20), speed word x path word (`META_ACTIONS`); lanes are taken from the road network.

    Accelerating and decelerating are worth 4 m/s, and no more than the speed limit; a lane change takes 2.5 s; where
    there is no such turn or lane, the lane is kept.
    """

    def __init__(self, batch: WorldBatch, controller: str = "pursuit") -> None:
        super().__init__(batch, controller)
        self.space = gym.spaces.Discrete(len(META_ACTIONS))

    def decide(self, actions: np.ndarray) -> None:
        decide_meta(self.batch.worlds, self.tracks, actions, self.batch.routes.net, self._points)
