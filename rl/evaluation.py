"""Evaluation during training: all held-out routes at once, each as `run_eval.py` would drive it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.base import Agent
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import driving_score, route_completion, success_rate


def drive_all(agent: Agent, routes: RouteBatch, seed: int = 0) -> list[RouteResult]:
    """Results of every route of a batch, one world each, in order."""
    batch = WorldBatch(routes, len(routes.routes))
    agent.bind(batch)
    for b in range(batch.num_worlds):
        batch.reset(b, EpisodeStart(b, seed))
        agent.reset(b, seed)
    while (batch.criteria["finished"] == RouteEnd.RUNNING).any():
        batch.tick(np.asarray(agent.act(), np.float64))
    return [
        build_result(
            batch.criteria[b],
            prepared.route,
            network=routes.network,
            notes=prepared.drive_notes(batch.directors[b]),
            seed=seed,
            **prepared.result_fields(batch.directors[b], batch.ambient.world),
        )
        for b, prepared in enumerate(routes.routes)
    ]


def scores_of(results: Sequence[RouteResult]) -> dict[str, float]:
    """`driving_score`, `success_rate`, `route_completion`, all 0..100."""
    count = len(results)
    return {
        "driving_score": driving_score(results, count),
        "success_rate": 100.0 * success_rate(results, count),
        "route_completion": route_completion(results, count),
    }
