"""The long routes of CARLA Leaderboard 2.0: read whole, every scenario type known; their town has no map at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.routes import load_network
from scenarios.registry import scenario_types
from scenarios.route import Route
from scenarios.route_check import RouteCheck, State, check_without_map
from scenarios.route_file import read_routes
from simulator.errors import MapError, MissingMapError

pytestmark = pytest.mark.official_data


@pytest.fixture(scope="module")
def routes(official_data: Path) -> list[Route]:
    return read_routes(official_data / "routes" / "leaderboard2_validation.xml")


@pytest.fixture(scope="module")
def checks(routes: list[Route]) -> list[RouteCheck]:
    return check_without_map(routes, "no map")


def test_the_file_is_read_whole(routes: list[Route]) -> None:
    assert len(routes) == 20
    assert sum(len(route.scenarios) for route in routes) == 1786
    assert {route.town for route in routes} == {"Town13"}


def test_every_scenario_type_can_be_run(routes: list[Route]) -> None:
    assert {spec.type for route in routes for spec in route.scenarios} <= set(scenario_types())


def test_every_scenario_has_what_it_needs(checks: list[RouteCheck]) -> None:
    assert {s.state for found in checks for s in found.scenarios} == {State.UNSEEN}


def test_the_one_parameter_that_is_out_of_range_is_named(checks: list[RouteCheck]) -> None:
    told = [(found.route_id, s.name, note) for found in checks for s in found.scenarios for note in s.notes]
    note = "distance 230 is outside 15 to 200 m; taken as 200"  # 23 cones stand beside 200 m, a cast holds 24
    assert told == [("6", "InvadingTurn_8", note), ("16", "InvadingTurn_8", note)]


def test_its_town_is_asked_for_and_no_corridor_is_tried(routes: list[Route]) -> None:
    with pytest.raises(MissingMapError, match="Town13: no map of this town"):
        load_network(routes[0])
    for route in routes:
        with pytest.raises(MapError, match=r"km long, and corridors are for routes up to 2 km.*needs the map"):
            load_network(route, corridor=True)
