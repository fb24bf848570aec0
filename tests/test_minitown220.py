"""The suite minitown220 tells drivers apart: the 44 types of Bench2Drive, five routes each, all driven at once."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from agents.registry import make_agent
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import RouteResult
from scenarios.registry import BENCH2DRIVE_TYPES
from scenarios.route_file import read_routes
from scenarios.suite_maker import SUITES_FOLDER
from scenarios.suite_picks import HARD_ROUTES


@cache
def suite() -> RouteBatch:
    return load_routes("minitown220")


@cache
def results_of(agent_name: str) -> tuple[RouteResult, ...]:
    """Every route of the suite driven once, one world a route."""
    routes = suite()
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


def successes(agent_name: str) -> dict[str, int]:
    """Successful routes of each scenario type."""
    counts: dict[str, int] = defaultdict(int)
    for result in results_of(agent_name):
        counts[result.scenario_type] += result.success
    return dict(counts)


def driving_score(agent_name: str) -> float:
    return float(np.mean([result.score_composed for result in results_of(agent_name)]))


def test_every_type_of_bench2drive_is_in_place_five_times() -> None:
    results = results_of("route-follower")
    assert set(successes("route-follower")) == set(BENCH2DRIVE_TYPES)
    assert len(results) == 220
    assert not [r.route_id for r in results if r.scenarios_missing]


def test_the_expert_masters_them() -> None:
    """DS at least 95 and SR at least 90 %, with no type under 3 of 5."""
    failed = {r.route_id: (r.scenario_type, r.status) for r in results_of("expert") if not r.success}
    assert driving_score("expert") >= 95.0, failed
    assert len(failed) <= 22, failed
    assert min(successes("expert").values()) >= 3, failed


def test_a_driver_who_looks_at_nobody_fails_at_least_three_of_five_routes_of_each_type() -> None:
    passed = successes("route-follower")
    assert max(passed.values()) <= 2, passed
    assert sum(passed.values()) <= 0.15 * 220, passed


@pytest.mark.parametrize("route_id", HARD_ROUTES)
def test_a_driver_who_looks_at_nobody_fails_every_hard_route(route_id: str) -> None:
    result = next(r for r in results_of("route-follower") if r.xml_id == route_id)
    assert not result.success


def test_hard_routes_are_those_of_minitown220() -> None:
    whole = {route.id: route for route in read_routes(SUITES_FOLDER / "minitown220.xml")}
    hard = read_routes(SUITES_FOLDER / "hard.xml")
    assert [route.id for route in hard] == list(HARD_ROUTES)
    assert all(route.positions == whole[route.id].positions for route in hard)


def test_idle_scores_nothing() -> None:
    assert driving_score("idle") < 5.0


@pytest.mark.parametrize(("blind", "sighted"), [("idle", "route-follower"), ("route-follower", "expert")])
def test_better_drivers_score_higher(blind: str, sighted: str) -> None:
    assert driving_score(blind) < 0.5 * driving_score(sighted)
