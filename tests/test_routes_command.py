"""`run_eval.py routes`: route files made for a town, and checked before they are driven."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from run_eval import main
from scenarios.route import Location, Route
from scenarios.route_file import read_routes, write_routes
from scenarios.suites import find_suite


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of one command."""
    code = main(["routes", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def make(tmp_path: Path, *more: str) -> list[str]:
    return ["make", "--town", "MiniTown", "--out", str(tmp_path / "made.xml"), *more]


# Making


def test_routes_are_made_for_a_town(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = make(tmp_path, "--types", "ParkedObstacle,PriorityAtJunction", "--per-type", "2", "--first-id", "700")
    code, out, _ = run(capsys, *wanted)
    made = read_routes(tmp_path / "made.xml")
    assert code == 0
    assert "4 routes of 2 scenario types" in out
    assert [route.id for route in made] == ["700", "701", "702", "703"]
    assert [route.scenario_type for route in made] == ["ParkedObstacle"] * 2 + ["PriorityAtJunction"] * 2
    assert run(capsys, "check", str(tmp_path / "made.xml"))[0] == 0


def test_the_same_seed_makes_the_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for seed in ("3", "3", "4"):
        run(capsys, *make(tmp_path, "--types", "ControlLoss", "--per-type", "2", "--seed", seed))
        files.append((tmp_path / "made.xml").read_bytes())
    assert files[0] == files[1] != files[2]


def test_what_there_is_no_room_for_is_told_and_the_rest_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = make(tmp_path, "--types", "SignalizedJunctionRightTurn,ControlLoss", "--per-type", "15", "--json")
    code, out, _ = run(capsys, *wanted)
    told = json.loads(out)
    assert code == 0
    assert told["types"]["ControlLoss"] == 15
    assert 0 < told["types"]["SignalizedJunctionRightTurn"] < 15
    assert list(told["left_out"]) == ["SignalizedJunctionRightTurn"]
    assert told["routes"] == len(read_routes(tmp_path / "made.xml"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--types", "ParkedObstacel"), "no scenario type 'ParkedObstacel' (nearest: ParkedObstacle"),
        (("--per-type", "0"), "--per-type 0: must be at least 1"),
        (("--town", "Town99"), "Town99: no map of this town"),
        (("--out", "nowhere/made.xml"), "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_made_is_refused(
    more: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *make(tmp_path, *more))
    assert code == 2
    assert said in err
    assert not (tmp_path / "made.xml").exists()


# Checking


@pytest.fixture(scope="module")
def good() -> Route:
    return next(r for r in read_routes(find_suite("smoke")) if r.scenario_type == "ParkedObstacle")


def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], *routes: Route) -> tuple[int, list[dict]]:
    write_routes(tmp_path / "routes.xml", routes)
    code, out, _ = run(capsys, "check", str(tmp_path / "routes.xml"), "--json")
    return code, json.loads(out)


def changed(route: Route, route_id: str, **fields: object) -> Route:
    """The route with another id, and with changes to its scenario."""
    return replace(route, id=route_id, scenarios=(replace(route.scenarios[0], **fields),))


def test_a_built_in_suite_is_placed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "smoke")
    assert code == 0
    assert "12 routes, 12 traced; scenarios: 12 placed" in out


def test_every_scenario_is_placed_adapted_or_impossible_with_a_reason(
    good: Route, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {**good.scenarios[0].parameters, "spede": {"value": "3"}, "distance": {"value": "4000"}}
    code, told = checked(
        tmp_path,
        capsys,
        good,
        changed(good, "902", parameters=odd),
        changed(good, "903", type="PriorityAtJunction", parameters={}),
        changed(good, "904", type="ParkedObstacel"),
        changed(good, "905", type="EnterActorFlow", parameters={}),
    )
    states = [route["scenarios"][0]["state"] for route in told]
    notes = [" ".join(route["scenarios"][0]["notes"]) for route in told]
    assert code == 3
    assert states == ["placed", "adapted", "impossible", "unknown type", "impossible"]
    assert notes[0] == ""
    assert "unknown parameter 'spede' has no effect; did you mean 'speed'?" in notes[1]
    assert "distance 4000 is outside 0 to 1000 m; taken as 1000" in notes[1]
    assert "the route crosses no junction after the trigger" in notes[2]
    assert "ParkedObstacle" in notes[3]
    assert "scenario 'ParkedObstacle_1'" in notes[4]
    assert "start_actor_flow" in notes[4]
    assert all(route["length"] == pytest.approx(told[0]["length"]) for route in told)


def test_one_route_off_the_road_keeps_no_other_from_being_checked(
    good: Route, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = replace(good, id="906", positions=(Location(9000.0, 9000.0, 0.0), *good.positions))
    code, told = checked(tmp_path, capsys, off, good)
    assert code == 3
    assert told[0]["length"] is None
    assert "route 906 on MiniTown: position 0 at (9000.0, 9000.0, 0.0)" in told[0]["problem"]
    assert told[0]["scenarios"][0]["state"] == "not placed"
    assert told[1]["problem"] == ""
    assert told[1]["scenarios"][0]["state"] == "placed"


def test_without_a_map_types_and_parameters_are_checked(
    good: Route, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = changed(replace(good, town="Town99"), "907", parameters={"distance": {"value": "-3"}})
    code, told = checked(tmp_path, capsys, far)
    assert code == 3
    assert "Town99: no map of this town" in told[0]["problem"]
    assert told[0]["scenarios"][0]["notes"] == ["distance -3 is outside 0 to 1000 m; taken as 0"]
