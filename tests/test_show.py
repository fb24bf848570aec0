"""`run_eval.py show`: the story of a route from run folders and result files, ours and others'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from result_samples import driven, hit, outside_lanes

import run_eval
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.official_json import checkpoint_document, merged_document
from leaderboard_adapters.recordings import read_recording


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two smoke routes, driven by an agent that does not look: 110 with a collision, 111 without yielding."""
    out = tmp_path_factory.mktemp("show") / "out"
    options = ["--routes", "smoke", "--route-ids", "110,111", "--agent", "constant:0.5", "--out", str(out)]
    assert run_eval.main(options) == 0
    return out


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run_eval.main(["show", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run_eval.main(["show", *map(str, arguments)]) == 2
    return capsys.readouterr().err


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Somebody else's checkpoint file: two routes, one of them twice."""
    crashed = driven(1711, "ParkingCutIn", 80.5, hit("collisions_vehicle"), outside_lanes(10.0), failure="TickRuntime")
    results = [crashed, driven(1711, "ParkingCutIn", 100, repetition=1), driven(2082, "Accident", 100)]
    write_json(tmp_path / "eval.json", checkpoint_document(results))
    return tmp_path / "eval.json"


@pytest.mark.parametrize("which", ["", "merged.json", "checkpoint.json"])
def test_the_story_tells_what_happened_and_why(run: Path, capsys: pytest.CaptureFixture[str], which: str) -> None:
    story = shown(capsys, run / which, "--route", "110")
    assert "route 110, ParkingCutIn, MiniTown" in story
    assert "ParkingCutIn_1 triggers, " in story
    assert "'car' sets out at" in story
    assert "Agent collided against object with type=vehicle." in story
    assert "collisions_vehicle: the score is multiplied by 0.6" in story
    assert "hit: actor 'car' of ParkingCutIn_1" in story
    assert "after its trigger, waits until 'car' has gone 30 m" in story
    assert "end of the route: Completed, 100.0 % driven" in story
    assert "driving score" in story
    assert story.index("triggers") < story.index("Agent collided") < story.index("end of the route")
    assert "recordings/RouteScenario_110_rep0.npz" in story


def test_without_a_route_the_worst_come_first(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, run).splitlines()
    assert lines[1].split()[:2] == ["110", "ParkingCutIn"]
    assert "1 collisions_vehicle (x0.60)" in lines[1]
    assert lines[2].split()[:2] == ["111", "YieldToEmergencyVehicle"]
    entries = json.loads(shown(capsys, run, "--json"))
    assert [(entry["route_id"], entry["driving_score"]) for entry in entries] == [("110", 60.0), ("111", 70.0)]


def test_json_holds_the_whole_story(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = json.loads(shown(capsys, run, "--route", "110", "--json"))
    (bump,) = [i for i in story["infractions"] if i["name"] == "collisions_vehicle"]
    assert bump["factor"] == 0.6
    assert bump["circumstances"]["actors"][0]["member"] == "car"
    assert [moment["kind"] for moment in story["timeline"]][-1] == "route_end"
    assert read_recording(story["recording"]).header["route_id"] == "RouteScenario_110_rep0"


@pytest.mark.parametrize("name", ["1711", "RouteScenario_1711", "RouteScenario_1711_rep0"])
def test_official_files_show_what_they_hold_and_what_is_missing(official, capsys, name) -> None:
    story = shown(capsys, official, "--route", name)
    assert "at an unknown time: Agent collided against object" in story
    assert "another evaluator" in story
    assert "holds no timeline" in story
    assert "outside_route_lanes" in story
    assert "x 0.9" in story
    assert ("repetition 1" in story) == (name != "RouteScenario_1711_rep0")


def test_repetitions_can_be_chosen(official, capsys) -> None:
    assert "TickRuntime" not in shown(capsys, official, "--route", "1711", "--repetition", "1")
    assert len(json.loads(shown(capsys, official, "--route", "1711", "--json"))) == 2
    assert "route 1711 has no repetition 7; there are: 0, 1" in refused(
        capsys, official, "--route", "1711", "--repetition", "7"
    )


def test_a_merged_file_works_as_well(tmp_path, capsys) -> None:
    write_json(tmp_path / "merged.json", merged_document([driven(2082, "Accident", 100)]))
    assert "route 2082, Accident" in shown(capsys, tmp_path / "merged.json", "--route", "2082")


@pytest.mark.parametrize(
    ("route", "says"),
    [("1710", "did you mean 1711?"), ("9", "It has 1711, 2082")],
)
def test_a_wrong_route_is_answered_with_those_that_are_there(official, capsys, route, says) -> None:
    message = refused(capsys, official, "--route", route)
    assert f"has no route '{route}'" in message
    assert says in message


def test_a_path_without_results_is_named(tmp_path, capsys) -> None:
    assert "no such file or folder" in refused(capsys, tmp_path / "nothing", "--route", "1")
    assert "no result file" in refused(capsys, tmp_path)


def test_recordings_can_be_left_out(tmp_path, capsys) -> None:
    out = tmp_path / "out"
    options = ["--routes", "smoke", "--route-ids", "105", "--agent", "autopilot", "--no-recordings", "--out", str(out)]
    assert run_eval.main(options) == 0
    assert not (out / "recordings").exists()
    assert "recording:" not in shown(capsys, out, "--route", "105")
