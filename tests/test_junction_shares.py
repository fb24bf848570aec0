"""First junctions of routes, for the Traffic_Signs rule on results of others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from result_samples import driven, hit

from leaderboard_adapters.abilities import SIGNS, abilities, first_junction
from leaderboard_adapters.junction_shares import (
    TracedJunction,
    TracedJunctions,
    check_junctions,
    trace_junctions,
    usable_junctions,
)
from leaderboard_adapters.report import build_report
from scenarios.route import Location, Route
from scenarios.route_file import read_routes
from scenarios.suites import find_suite


def test_the_first_junction_is_counted_with_its_waypoint() -> None:
    assert first_junction([False, False, True, True, False]) == (3, 5)
    assert first_junction([True, False]) == (1, 2)
    assert first_junction([False] * 4) == (4, 4)


def test_a_route_without_junction_never_passes() -> None:
    result = driven(1, "T_Junction", 99.0, first_junction=first_junction([False] * 100))
    assert abilities([result]).values()[SIGNS] == 0.0


def test_a_result_that_tells_its_junction_needs_no_trace() -> None:
    results = [
        driven(1, "T_Junction", 50.0, first_junction=(40, 100)),
        driven(2, "T_Junction", 48.0, first_junction=(40, 100)),
        driven(3, "T_Junction", 99.0, hit("red_light"), first_junction=(40, 100)),
        driven(4, "T_Junction", 60.0, hit("collisions_vehicle"), first_junction=(40, 100)),
    ]
    own = abilities(results)
    assert own.signs_exact
    assert own.values()[SIGNS] == 0.5


def test_our_own_junction_goes_before_a_traced_one() -> None:
    result = driven(1, "T_Junction", 50.0, first_junction=(40, 100))
    assert abilities([result], first_junction_share={"1": (60, 100)}).values()[SIGNS] == 1.0


def test_smoke_routes_are_traced_on_the_built_in_town() -> None:
    routes = read_routes(find_suite("smoke"))
    traced = trace_junctions(routes, None)
    assert (traced.failed, traced.missing_towns) == ((), ())
    assert set(traced.routes) == {"105", "107", "108", "109"}  # the others show no traffic signs
    for each in traced.routes.values():
        c, n = each.first_junction
        assert 1 < c < n
        assert each.length > 50.0


def test_a_bad_route_does_not_hide_the_others() -> None:
    routes = [route for route in read_routes(find_suite("smoke")) if route.id in ("105", "107")]
    astray = dataclasses.replace(routes[0], positions=(Location(9e3, 9e3, 0.0), Location(9e3, 8e3, 0.0)))
    nowhere = dataclasses.replace(routes[0], id="9", town="Town99")
    traced = trace_junctions([astray, routes[1], nowhere], None)
    assert set(traced.routes) == {"107"}
    assert "route 105" in traced.failed[0]
    assert traced.missing_towns == ("Town99",)


def test_a_trace_of_another_length_is_of_another_map() -> None:
    traced = TracedJunctions({"1": TracedJunction((10, 100), 100.0), "2": TracedJunction((10, 100), 101.0)})
    results = [driven(number, "T_Junction", 50.0) for number in (1, 2)]
    assert usable_junctions(results, traced) == {"1": (10, 100)}
    (finding,) = check_junctions(results, traced)
    assert finding.kind == "other map"
    assert "1 route traced up to 1.00 m longer or shorter than recorded: 2." in finding.text


def test_only_results_that_need_a_junction_are_told_of() -> None:
    traced = TracedJunctions(missing_towns=("Town12",), failed=("route 7 on Town12: off the road",))
    fine = [driven(1, "T_Junction"), driven(2, "Accident", 50.0), driven(3, "T_Junction", 50.0, hit("red_light"))]
    assert [finding.kind for finding in check_junctions(fine, traced)] == ["not traced"]
    needy = [*fine, driven(4, "T_Junction", 50.0)]
    texts = [finding.text for finding in check_junctions(needy, traced)]
    assert texts[0] == "route 7 on Town12: off the road. Its junction counts as not known."
    assert texts[1] == "the first junction of 1 route is not known, for want of the maps of Town12."


def sheet_with_maps(data: Path, name: str, routes: list[Route]):
    traced = trace_junctions(routes, data / "towns")
    return build_report([data / "results" / name], routes=routes, traced=traced).sheets[0], traced


@pytest.mark.official_data
def test_maps_narrow_the_bounds_of_published_results(official_data: Path) -> None:
    routes = read_routes(official_data / "routes" / "bench2drive220.xml")
    plain = build_report([official_data / "results" / "VAD.json"], routes=routes).sheets[0].abilities
    sheet, traced = sheet_with_maps(official_data, "VAD.json", routes)
    assert traced.failed == ()
    assert "Town12" in traced.missing_towns
    assert "Town01" not in traced.missing_towns
    signs, before = sheet.abilities.signs["0.0.4"], plain.signs["0.0.4"]
    assert before.low < signs.low <= signs.high < before.high
    assert 0 < signs.unknown < before.unknown


@pytest.mark.official_data
def test_a_suite_whose_towns_are_there_has_the_official_value(official_data: Path) -> None:
    towns = ("Town01", "Town02", "Town04", "Town10HD")
    routes = [r for r in read_routes(official_data / "routes" / "bench2drive220.xml") if r.town in towns]
    sheet, _ = sheet_with_maps(official_data, "pdm_lite_b2d_traj", routes)
    assert sheet.abilities.signs_exact
    assert sheet.abilities.note == ""
    assert "other map" not in [finding.kind for finding in sheet.findings]
