"""The suite minitown60 tells drivers apart: twelve scenario types, five routes each, all driven at once."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import pytest

from agents.registry import make_agent
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import RouteResult


@cache
def results_of(agent_name: str) -> tuple[RouteResult, ...]:
    """Every route of the suite driven once, one world a route."""
    routes = load_routes("minitown60")
    batch = WorldBatch(routes, len(routes.routes))
    agent = make_agent(agent_name)
    agent.bind(batch)
    for b in range(batch.num_worlds):
        batch.reset(b, EpisodeStart(route=b, seed=0))
        agent.reset(b, 0)
    while not batch.finished.all():
        batch.tick(agent.act())
    return tuple(
        build_result(
            batch.criteria[b],
            prepared.route,
            network=routes.network,
            **prepared.result_fields(batch.directors[b]),
        )
        for b, prepared in enumerate(routes.routes)
    )


def test_every_scenario_is_in_place() -> None:
    assert not [r.route_id for r in results_of("idle") if r.scenarios_missing]


def test_idle_scores_nothing() -> None:
    results = results_of("idle")
    assert sum(r.score_composed for r in results) / len(results) < 5.0


def test_a_blind_driver_fails_at_least_three_of_five_routes_of_each_type() -> None:
    failures: dict[str, int] = defaultdict(int)
    for result in results_of("route-follower"):
        failures[result.scenario_type] += not result.success
    assert len(failures) == 12
    assert min(failures.values()) >= 3, dict(failures)


def test_the_expert_succeeds_on_nine_of_ten_routes() -> None:
    results = results_of("expert")
    failed = {r.route_id: (r.scenario_type, r.status) for r in results if not r.success}
    assert len(failed) <= len(results) // 10, failed


@pytest.mark.parametrize(("blind", "sighted"), [("idle", "route-follower"), ("route-follower", "expert")])
def test_better_drivers_score_higher(blind: str, sighted: str) -> None:
    def driving_score(name: str) -> float:
        return sum(r.score_composed for r in results_of(name)) / len(results_of(name))

    assert driving_score(blind) < driving_score(sighted)
