"""Picks the suite `hard`: routes of minitown220 that a careless driver never passes, and the expert barely does.

    python -m benchmarks.pick_hard

Every route is driven by `route-follower` and by the expert, once a seed. A route qualifies when the careless driver
fails it with every seed and the expert passes it with one at least. The hardest come first: fewest successes of the
expert, then its smallest margin, the shortest distance to anybody's box while it drives. At most two routes a scenario
type. What it prints are the lines of `scenarios/suite_picks.py`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np

from agents.registry import make_agent
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.infractions import infraction_list, route_status
from simulator.state import EGO

PER_TYPE = 2
_MOVING = 1.0  # m/s from which a distance counts as a margin


@dataclass(frozen=True)
class Drives:
    """One agent's drives of all routes: success and margin, [seeds, routes]."""

    success: np.ndarray  # bool
    margin: np.ndarray  # metres


def drive(routes: RouteBatch, agent_name: str, seeds: range) -> Drives:
    count = len(routes.routes)
    success, margin = np.zeros((len(seeds), count), bool), np.zeros((len(seeds), count))
    for k, seed in enumerate(seeds):
        batch = WorldBatch(routes, count)
        agent = make_agent(agent_name)
        agent.bind(batch)
        for b in range(count):
            batch.reset(b, EpisodeStart(b, seed))
            agent.reset(b, seed)
        nearest = np.full(count, np.inf)
        while not batch.finished.all():
            batch.tick(agent.act())
            running = ~batch.finished & (batch.worlds["speed"][:, EGO] > _MOVING)
            nearest[running] = np.minimum(nearest[running], clearance(batch.worlds[running]))
        margin[k] = nearest
        for b in range(count):
            found = infraction_list(batch.criteria[b], routes.network)
            clean = all(infraction.name == "min_speed_infractions" for infraction in found)
            success[k, b] = clean and route_status(batch.criteria[b]) in ("Completed", "Perfect")
    return Drives(success, margin)


def clearance(worlds: np.ndarray) -> np.ndarray:
    """float64[B] metres from the ego's box to the nearest actor's circle of its half width; huge without actors."""
    dx = worlds["x"] - worlds["x"][:, [EGO]]
    dy = worlds["y"] - worlds["y"][:, [EGO]]
    c, s = np.cos(worlds["yaw"][:, [EGO]]), np.sin(worlds["yaw"][:, [EGO]])
    along = np.maximum(np.abs(dx * c + dy * s) - worlds["half_length"][:, [EGO]], 0.0)
    across = np.maximum(np.abs(dy * c - dx * s) - worlds["half_width"][:, [EGO]], 0.0)
    gap = np.hypot(along, across) - worlds["half_width"]
    gap[(worlds["kind"] == 0) | (worlds["hidden"] == 1)] = np.inf
    gap[:, EGO] = np.inf
    return np.asarray(gap.min(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=44, help="routes to pick")
    parser.add_argument("--seeds", type=int, default=3, help="drives of each route and agent")
    options = parser.parse_args()
    routes = load_routes("minitown220")
    seeds = range(options.seeds)
    careless, expert = drive(routes, "route-follower", seeds), drive(routes, "expert", seeds)
    rates, margins = expert.success.mean(axis=0), expert.margin.min(axis=0)
    fit = [b for b in range(len(routes.routes)) if not careless.success[:, b].any() and expert.success[:, b].any()]
    picked: list[int] = []
    per_type: Counter[str] = Counter()
    for b in sorted(fit, key=lambda b: (rates[b], margins[b])):
        kind = routes.routes[b].route.scenario_type
        if len(picked) < options.count and per_type[kind] < PER_TYPE:
            picked.append(b)
            per_type[kind] += 1
    for b in sorted(picked):
        route = routes.routes[b].route
        drives = f"{rates[b]:.0%} of the drives, {margins[b]:.2f} m"
        print(f'    "{route.id}",  # {route.scenario_type}: {drives}')


if __name__ == "__main__":
    main()
