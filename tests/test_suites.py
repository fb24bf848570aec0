"""The built-in suites: made by code with a seed, each scenario type where the town has room for it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from envs.routes import RouteBatch, prepare_routes
from scenarios.registry import BENCH2DRIVE_TYPES, LEADERBOARD_TYPES
from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.suite_maker import SUITES, SUITES_FOLDER, lay_suite, make_suite, write_suite
from scenarios.suite_recipes import RECIPES
from scenarios.suite_recipes_more import ALL_RECIPES, BENCH2DRIVE_RECIPES
from scenarios.suites import list_suites
from scenarios.weather import WEATHER_CASES, weather_id
from simulator.errors import ScenarioError
from simulator.roads.network import RoadNetwork
from simulator.roads.towns import load_named_town

AT_JUNCTIONS = ("PedestrianCrossing", "OppositeVehicleRunningRedLight", "SignalizedJunctionLeftTurn", "EnterActorFlow")


@pytest.fixture(scope="module")
def town() -> RoadNetwork:
    return load_named_town("MiniTown", None)


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    return read_routes(SUITES_FOLDER / "minitown60.xml")


@pytest.fixture(scope="module")
def laid(town: RoadNetwork, routes: list[Route]) -> RouteBatch:
    return prepare_routes(town, routes)


@pytest.mark.parametrize("name", SUITES)
def test_the_committed_file_is_what_the_maker_writes(name: str, tmp_path: Path) -> None:
    written = write_suite(name, tmp_path)
    assert written.read_bytes() == (SUITES_FOLDER / f"{name}.xml").read_bytes()


def test_all_suites_are_made_by_code() -> None:
    assert sorted(SUITES) == list_suites()


def test_twelve_types_five_times(routes: list[Route]) -> None:
    assert Counter(route.scenario_type for route in routes) == dict.fromkeys(RECIPES, 5)
    assert len({route.id for route in routes}) == 60


def test_routes_are_as_long_as_official_ones(laid: RouteBatch) -> None:
    lengths = [prepared.length for prepared in laid.routes]
    assert min(lengths) > 50.0
    assert max(lengths) < 180.0


def test_every_scenario_is_placed_without_a_remark(laid: RouteBatch) -> None:
    assert [note for prepared in laid.routes for note in prepared.notes] == []
    assert np.array_equal(np.diff(laid.scripts.scenario_first), np.ones(60))


def test_the_trigger_lies_as_far_after_the_start_as_in_official_files(routes: list[Route]) -> None:
    before_a_junction = 0
    for route in routes:
        trigger, start = route.scenarios[0].trigger_point, route.positions[0]
        metres = math.hypot(trigger.x - start.x, trigger.y - start.y)
        if route.scenario_type in AT_JUNCTIONS:
            before_a_junction += 1
            assert 2.9 < metres < 9.1
        else:
            assert 9.7 < metres < 14.1
    assert before_a_junction == 20


def test_positions_are_2_m_apart_outside_junctions(routes: list[Route]) -> None:
    for route in routes:
        gaps = np.hypot(*np.diff(np.array(route.positions)[:, :2], axis=0).T)
        assert np.median(gaps) == pytest.approx(2.0, abs=0.1)
        assert np.sort(gaps)[-1] < 60.0
        assert np.count_nonzero(gaps > 2.6) <= 2  # a junction or two


def test_the_trace_takes_no_detour(laid: RouteBatch) -> None:
    for prepared in laid.routes:
        assert prepared.length == pytest.approx(prepared.geometry.path_end, abs=6.0)


def test_routes_of_a_type_are_at_different_places(routes: list[Route]) -> None:
    triggers = defaultdict(list)
    for route in routes:
        point = route.scenarios[0].trigger_point
        triggers[route.scenario_type].append((point.x, point.y))
    for places in triggers.values():
        assert min(math.dist(a, b) for a, b in combinations(places, 2)) > 19.8


def test_weather_varies_over_all_cases(routes: list[Route]) -> None:
    cases = Counter(weather_id(route) for route in routes)
    assert set(cases) == set(WEATHER_CASES)
    assert max(cases.values()) <= 3
    assert all([k.route_percentage for k in route.weathers] == [0.0, 100.0] for route in routes)


def test_another_seed_makes_another_suite(town: RoadNetwork) -> None:
    first, again, other = (make_suite(town, ["ParkedObstacle"], 2, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert [r.positions for r in first] != [r.positions for r in other]


def test_a_type_without_recipe_or_room_is_an_error(town: RoadNetwork) -> None:
    with pytest.raises(ScenarioError, match="no recipe for scenario type 'Nonsense'"):
        make_suite(town, ["Nonsense"], 1)
    with pytest.raises(ScenarioError, match="MiniTown: SignalizedJunctionLeftTurn: room for"):
        make_suite(town, ["SignalizedJunctionLeftTurn"], 1000)
    with pytest.raises(ScenarioError, match="no built-in suite 'minitown6'"):
        write_suite("minitown6")


def test_a_town_gets_as_many_routes_as_it_has_room_for_and_is_told_why_not_more(town: RoadNetwork) -> None:
    told = []
    laid = lay_suite(
        town,
        ["SignalizedJunctionLeftTurn", "ParkedObstacle"],
        20,
        seed=4,
        first_id=50,
        progress=lambda *x: told.append(x),
    )
    lefts = [route for route in laid.routes if route.scenario_type == "SignalizedJunctionLeftTurn"]
    assert 5 <= len(lefts) < 20
    assert list(laid.left_out) == ["SignalizedJunctionLeftTurn"]
    assert laid.left_out["SignalizedJunctionLeftTurn"].startswith(f"room for {len(lefts)} routes, not for 20: ")
    assert [int(route.id) for route in laid.routes] == list(range(50, 50 + len(laid.routes)))
    assert told == [("SignalizedJunctionLeftTurn", len(lefts)), ("ParkedObstacle", 20)]


def test_there_is_a_recipe_for_every_official_type() -> None:
    assert set(ALL_RECIPES) == {*BENCH2DRIVE_TYPES, *LEADERBOARD_TYPES}
    assert set(BENCH2DRIVE_RECIPES) == set(BENCH2DRIVE_TYPES)
