"""How well the controllers of trajectory actions follow the expert's own drives.

`python benchmarks/tracking.py`: the expert drives every route of a suite; then the same worlds are driven again by
trajectory actions that ask for the places where the expert was. The error is the distance from there, tick by tick:
from the way that the expert took, and along it. A path says nothing of when to be where: along it, the ego falls behind
as its speed lags behind the expert's, and nothing asks it to catch up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro

from agents.registry import make_agent
from envs import RouteVectorEnv, load_routes
from envs.actions import Path, Trajectory
from envs.world import EpisodeStart, WorldBatch
from simulator.state import EGO, TICK_SECONDS


@dataclass
class Options:
    """What to drive."""

    suite: str = "smoke"
    """Routes."""
    ticks: int = 800
    """Ticks of each route at most."""
    json: bool = False
    """Print one JSON object as the last line."""


def record(suite: str, ticks: int) -> tuple[np.ndarray, np.ndarray]:
    """The expert's places float64[B, T, 2] and how many ticks of each route count."""
    batch = WorldBatch(load_routes(suite), len(load_routes(suite).routes), log=True)
    agent = make_agent("expert")
    agent.bind(batch)
    for b in range(batch.num_worlds):
        batch.reset(b, EpisodeStart(b, b))
        agent.reset(b, b)
    start = np.stack([batch.worlds["x"][:, EGO], batch.worlds["y"][:, EGO]], -1)[:, None]
    lasts = np.full(batch.num_worlds, ticks)
    for tick in range(ticks):
        batch.tick(agent.act())
        lasts = np.where(batch.finished & (lasts == ticks), tick, lasts)
    return np.concatenate([start, batch.log[:, :ticks, :2]], 1), lasts


def follow(suite: str, places: np.ndarray, lasts: np.ndarray, action: Any, skip: int) -> np.ndarray:
    """Errors in metres, float64[N, 2]: along the recorded way (where the expert was then), and from it."""
    count, ticks = places.shape[:2]
    env = RouteVectorEnv(count, suite, action=action, frame_skip=skip, tick_cap=0)
    env.reset(seed=0)
    for b in range(count):
        env._begin(b, b)
        chunk, local = env._home[b]
        chunk.begin(local, EpisodeStart(b, b))
    errors = []
    for tick in range(0, int(lasts.max()) - skip, skip):
        w = env.batch.worlds
        x, y, yaw = w["x"][:, EGO], w["y"][:, EGO], w["yaw"][:, EGO]
        if isinstance(action, Path):
            ahead = [_point_ahead(places, tick, x, y, 3.0 * (k + 1)) for k in range(action.points)]
        else:
            wanted = tick + np.arange(1, action.points + 1) * round(action.interval / TICK_SECONDS)
            ahead = [places[:, min(t, ticks - 1)] for t in wanted]
        points = np.stack(ahead, 1) - np.stack([x, y], -1)[:, None]
        c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
        local_points = np.stack([points[..., 0] * c + points[..., 1] * s, -points[..., 0] * s + points[..., 1] * c], -1)
        if isinstance(action, Path):
            speed = np.linalg.norm(places[:, min(tick + 2, ticks - 1)] - places[:, tick], axis=-1) / (2 * TICK_SECONDS)
            decision = np.concatenate([speed[:, None], local_points.reshape(count, -1)], 1)
        else:
            decision = local_points
        env.step(decision)
        now = tick + skip
        live = now < lasts
        gap = np.stack([w["x"][:, EGO], w["y"][:, EGO]], -1) - places[:, now]
        way = places[:, min(now + 1, ticks - 1)] - places[:, now - 1]
        size = np.linalg.norm(way, axis=-1)
        unit = way / np.maximum(size, 1e-9)[:, None]
        unit[size < 0.01] = np.stack([np.cos(yaw), np.sin(yaw)], -1)[size < 0.01]
        along = (gap * unit).sum(-1)
        here = np.stack([w["x"][:, EGO], w["y"][:, EGO]], -1)
        across = np.array([_nearest(places[b, : now + 100], here[b])[1] for b in range(count)])
        errors.append(np.stack([along, across], -1)[live])
    return np.concatenate(errors)


def _point_ahead(places: np.ndarray, tick: int, x: np.ndarray, y: np.ndarray, distance: float) -> np.ndarray:
    """float64[B, 2]: the place `distance` metres further on each recorded way, from where it is nearest to the ego."""
    found = np.empty((len(places), 2))
    for b, way in enumerate(places):
        here, _ = _nearest(way[: tick + 100], np.array([x[b], y[b]]))
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=-1))])
        found[b] = [np.interp(here + distance, along, way[:, k]) for k in (0, 1)]
    return found


def _nearest(way: np.ndarray, place: np.ndarray) -> tuple[float, float]:
    """Where a line float64[N, 2] is nearest to a place: metres along it, and metres from it."""
    pieces = np.diff(way, axis=0)
    sizes = np.linalg.norm(pieces, axis=-1)
    shares = ((place - way[:-1]) * pieces).sum(-1) / np.maximum(sizes, 1e-9) ** 2
    shares = np.clip(shares, 0.0, 1.0)
    gaps = np.linalg.norm(way[:-1] + shares[:, None] * pieces - place, axis=-1)
    k = int(gaps.argmin())
    return float(sizes[:k].sum() + shares[k] * sizes[k]), float(gaps[k])


def main(options: Options) -> None:
    """Measure and print."""
    places, lasts = record(options.suite, options.ticks)
    rows: list[dict[str, Any]] = []
    cases: list[tuple[str, Any, int]] = [
        ("trajectory 8 x 0.5 s", Trajectory(), 2),
        ("trajectory 8 x 0.5 s", Trajectory(), 10),
        ("trajectory 6 x 0.2 s", Trajectory(6, 0.2), 4),
        ("trajectory 8 x 0.5 s", Trajectory(controller="pid"), 2),
        ("trajectory 8 x 0.5 s", Trajectory(controller="pid"), 10),
        ("path and target speed", Path(), 2),
        ("path and target speed", Path(controller="pid"), 2),
    ]
    print(f"{'':<39}{'across':>10}{'':>11}{'along':>11}")
    print(f"{'action':<24}{'controller':<11}{'Hz':>4}{'mean':>10}{'95 %':>7}{'max':>7}{'mean':>8}{'95 %':>7}")
    for name, action, skip in cases:
        found = np.abs(follow(options.suite, places, lasts, action, skip))
        along, across = found.T
        row = {
            "action": name, "controller": action.controller, "hz": 20 // skip,
            "across_mean": float(across.mean()), "across_95": float(np.quantile(across, 0.95)),
            "across_max": float(across.max()),
            "along_mean": float(along.mean()), "along_95": float(np.quantile(along, 0.95)),
        }  # fmt: skip
        rows.append(row)
        print(
            f"{name:<24}{action.controller:<11}{row['hz']:>4}{row['across_mean']:>10.3f}{row['across_95']:>7.2f}"
            f"{row['across_max']:>7.2f}{row['along_mean']:>8.2f}{row['along_95']:>7.2f}",
            flush=True,
        )
    print(f"metres; {len(lasts)} routes of {options.suite}, {int(lasts.sum())} ticks")
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
