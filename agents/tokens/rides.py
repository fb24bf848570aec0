"""What an expert drives, as motion alone: where action tokens come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agents.registry import make_agent
from agents.tokens.poses import relative
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from simulator.densities import Ambient
from simulator.state import TICK_SECONDS


@dataclass(frozen=True)
class Ride:
    """The ego's motion on one route.

    Attributes:
        poses: float64[T, 3] x, y (metres), yaw (radians), world frame, one a tick.
        speed: float64[T] m/s.
    """

    route_id: str
    seed: int
    poses: np.ndarray
    speed: np.ndarray


def drive_rides(
    routes: RouteBatch,
    picks: Sequence[int],
    *,
    agent: str = "expert",
    seed: int = 0,
    width: int = 16,
    ambient: Ambient | None = None,
) -> Iterator[Ride]:
    """Drive routes `picks` of a batch once each, `width` side by side, the n-th from seed + n. In order of end."""
    width = min(width, len(picks))
    batch = WorldBatch(routes, width, log=True, ambient=ambient or Ambient(0.0, 0.0))
    driver = make_agent(agent)
    driver.bind(batch)
    waiting = iter(enumerate(picks))
    running: dict[int, int] = {}

    def begin(b: int) -> None:
        following = next(waiting, None)
        if following is not None:
            n, route = following
            batch.reset(b, EpisodeStart(route, seed + n))
            driver.reset(b, seed + n)
            running[b] = n

    for b in range(width):
        begin(b)
    while running:
        batch.tick(driver.act())
        for b in np.flatnonzero(batch.finished).tolist():
            if b in running:
                n = running.pop(b)
                log = batch.log[b, : int(batch.worlds["tick"][b])]
                route_id = routes.routes[picks[n]].route.id
                yield Ride(route_id, seed + n, log[:, [0, 1, 3]].copy(), log[:, 4].copy())
                begin(b)


def cut_trajectories(
    rides: Sequence[Ride], waypoints: int, interval: float, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Trajectories float64[N, W, 3] and speeds float64[N] at their starts, one every `stride` ticks of each ride."""
    ticks = round(interval / TICK_SECONDS)
    found, speeds = [], []
    for ride in rides:
        starts = np.arange(0, len(ride.poses) - waypoints * ticks, stride)
        at = starts[:, None] + ticks * np.arange(1, waypoints + 1)
        found.append(relative(ride.poses[starts][:, None], ride.poses[at]))
        speeds.append(ride.speed[starts])
    if not found:
        return np.zeros((0, waypoints, 3)), np.zeros(0)
    return np.concatenate(found), np.concatenate(speeds)


def mirrored(trajectories: np.ndarray) -> np.ndarray:
    """Left for right."""
    return trajectories * np.array([1.0, -1.0, -1.0])
