"""Driving scores of a policy on held-out routes, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.base import Agent
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import MIN_SPEED
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import INFRACTION_NAMES, RouteResult
from leaderboard_adapters.scores import driven_km
from rl.config import resolve_routes


@dataclass(frozen=True)
class Score:
    """Mean driving score and success rate (percent) with bootstrap intervals of 95 % over routes, and their parts.

    `infraction_penalty`: mean factor, 0..1. `per_km`: entries of each infraction list a driven kilometre, without the
    min-speed one.
    """

    driving_score: float
    driving_score_low: float
    driving_score_high: float
    success_rate: float
    success_rate_low: float
    success_rate_high: float
    route_completion: float
    infraction_penalty: float
    per_km: dict[str, float]
    routes: int

    def document(self) -> dict[str, float]:
        """As plain numbers; infractions as `<name>_per_km`."""
        found = {**vars(self), **{f"{name}_per_km": rate for name, rate in self.per_km.items()}}
        del found["per_km"]
        return {name: round(float(value), 3) for name, value in found.items()}


def split_routes(routes: RouteBatch, every: int, validation: str = "") -> tuple[list[int], RouteBatch, list[int]]:
    """What to train on (indices into `routes`), and what to measure on (routes of their own or the same, and indices).

    Args:
        every: train on every so-manieth route, measure on the rest (on the same where there is none).
        validation: measure on these routes instead.
    """
    picks = list(range(0, len(routes.routes), every))
    if validation:
        others = load_routes(resolve_routes(validation))
        return picks, others, list(range(len(others.routes)))
    rest = [k for k in range(len(routes.routes)) if k not in set(picks)]
    return picks, routes, rest or picks


def drive_all(
    agent: Agent, routes: RouteBatch, tasks: Sequence[tuple[int, int]], width: int = 64, agent_seed: int = 0
) -> list[RouteResult]:
    """Results of driving tasks (route index, seed) to their end, `width` side by side."""
    found: list[RouteResult] = []
    for first in range(0, len(tasks), width):
        chosen = tasks[first : first + width]
        batch = WorldBatch(routes, len(chosen))
        agent.bind(batch)
        for b, (route, seed) in enumerate(chosen):
            batch.reset(b, EpisodeStart(route, seed))
            agent.reset(b, agent_seed + seed)
        while not batch.finished.all():
            batch.tick(agent.act())
        for b, (route, seed) in enumerate(chosen):
            prepared = routes.routes[route]
            fields: dict[str, Any] = prepared.result_fields(batch.directors[b], batch.ambient.world)
            found.append(build_result(batch.criteria[b], prepared.route, network=routes.network, seed=seed, **fields))
    return found


def score_of(results: Sequence[RouteResult], draws: int = 2000, seed: int = 0) -> Score:
    """Means and intervals; results of one route are drawn together."""
    by_route: dict[str, list[RouteResult]] = {}
    for result in results:
        by_route.setdefault(result.xml_id, []).append(result)
    driving = np.array([np.mean([r.score_composed for r in rides]) for rides in by_route.values()])
    success = np.array([100.0 * np.mean([r.success for r in rides]) for rides in by_route.values()])
    picks = np.random.default_rng(seed).integers(len(driving), size=(draws, len(driving)))
    low, high = np.percentile(driving[picks].mean(axis=1), [2.5, 97.5])
    worst, best = np.percentile(success[picks].mean(axis=1), [2.5, 97.5])
    names = [infraction.name for result in results for infraction in result.infractions]
    km = driven_km(results)
    return Score(
        driving.mean(), low, high, success.mean(), worst, best,
        route_completion=float(np.mean([r.score_route for r in results])),
        infraction_penalty=float(np.mean([r.score_penalty for r in results])),
        per_km={name: names.count(name) / km for k, name in enumerate(INFRACTION_NAMES) if k != MIN_SPEED},
        routes=len(driving),
    )  # fmt: skip
