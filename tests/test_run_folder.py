"""`report` on run folders: what a run planned, has, and had to do without. `fake_drive` does the driving."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_run_eval import drive, last_json, write_routes

import run_eval
from evaluation.ledger import LEDGER_NAME, Ledger
from evaluation.run_folder import read_run_folder
from leaderboard_adapters.report import Report, build_report
from leaderboard_adapters.sheet import Sheet


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    return write_routes(tmp_path / "four.xml", dict.fromkeys("4312", "MiniTown"))


@pytest.fixture
def mixed_routes(tmp_path: Path) -> Path:
    return write_routes(tmp_path / "mixed.xml", {"1": "MiniTown", "2": "Town99", "3": "Town98", "4": "Town99"})


def report(*paths: Path) -> Report:
    return build_report(paths, read_run=read_run_folder)


def findings(sheet: Sheet) -> dict[str, str]:
    return {finding.kind: finding.text for finding in sheet.findings}


def test_a_run_is_divided_by_its_planned_routes(routes, tmp_path):
    assert drive("--routes", routes, "--agent", "fake:bump@3", "--out", tmp_path / "out") == 0
    (sheet,) = report(tmp_path / "out").sheets
    assert (sheet.name, sheet.suite, sheet.total, sheet.recorded) == ("out", "four", 4, 4)
    assert (sheet.driving_score.value, sheet.success_rate.value) == (90.0, 75.0)
    assert (sheet.world, sheet.maps) == ("routegym-embedded/2", "embedded town MiniTown")
    assert "no Bench2Drive scores" in findings(sheet)["embedded world"]
    assert sheet.files == (str(tmp_path / "out" / LEDGER_NAME),)


def test_chosen_routes_are_named_so(routes, tmp_path):
    chosen = ("--routes", routes, "--route-ids", "3-1", "--repetitions", 2)
    drive(*chosen, "--out", tmp_path / "out")
    (sheet,) = report(tmp_path / "out").sheets
    assert (sheet.suite, sheet.total, sheet.repetitions) == ("2 of the 4 routes of four", 4, 2)
    assert findings(sheet)["part of a suite"].startswith("2 of the 4 routes of four were to be driven")


def test_routes_left_out_for_want_of_maps_are_told(mixed_routes, tmp_path):
    drive("--routes", mixed_routes, "--missing-maps", "skip", "--out", tmp_path / "out")
    (sheet,) = report(tmp_path / "out").sheets
    assert sheet.total == 1
    assert "3 more were left out, for want of their towns' maps" in findings(sheet)["part of a suite"]


@pytest.mark.parametrize("from_ledger", [True, False])
def test_maps_and_corridors_are_sheets_of_their_own(mixed_routes, tmp_path, from_ledger):
    out = tmp_path / "out"
    drive("--routes", mixed_routes, "--agent", "fake:bump@3", "--missing-maps", "corridor", "--out", out)
    if not from_ledger:
        (out / LEDGER_NAME).unlink()
    made = report(out)
    assert [sheet.maps for sheet in made.sheets] == ["embedded town MiniTown", "synthetic corridors"]
    assert [(sheet.total, sheet.recorded) for sheet in made.sheets] == [(1, 1), (3, 3)]
    assert made.sheets[1].driving_score.value == pytest.approx(260 / 3)
    assert "different kinds of map" in made.comparisons[0].refused
    assert made.problems == ()


def test_exported_files_alone_give_the_scores_of_the_ledger(routes, tmp_path):
    out, copies = tmp_path / "out", tmp_path / "copies"
    drive("--routes", routes, "--agent", "fake:bump@3,without@1", "--out", out)
    copies.mkdir()
    for path in out.glob("*.json"):
        shutil.copy(path, copies)
    by_ledger, by_files = report(out).sheets[0], report(copies).sheets[0]
    for name in ("suite", "total", "world", "driving_score", "abilities", "comfort", "components", "results"):
        assert getattr(by_ledger, name) == getattr(by_files, name), name
    told = {kind for kind in findings(by_files) if kind not in ("merged agrees", "stored abilities")}
    assert told == set(findings(by_ledger))
    assert "Traffic_Signs" not in by_files.abilities.note


def test_a_run_that_goes_on_is_read_as_far_as_it_came(routes, tmp_path):
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake", "--out", out)
    with Ledger(out) as ledger:  # another process drives
        ledger._db.execute("DELETE FROM attempts WHERE route_id IN ('1', '2')")
        (sheet,) = report(out).sheets
    assert (sheet.recorded, sheet.total, sheet.driving_score.value) == (2, 4, 50.0)
    text = findings(sheet)["incomplete run"]
    assert "2 of 4 routes have no record and count as 0: 1, 2 (over the 2 recorded: driving score 100.00)" in text
    assert "--resume" in text
    assert sheet.abilities.crashed == (("Accident", "1"), ("Accident", "2"))


def test_a_run_without_a_single_result_has_a_sheet(routes, tmp_path, capsys):
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake", "--out", out)
    with Ledger(out) as ledger:
        ledger._db.execute("DELETE FROM attempts")
    (sheet,) = report(out).sheets
    assert (sheet.recorded, sheet.total, sheet.driving_score.value) == (0, 4, 0.0)
    assert run_eval.main(["report", str(out)]) == 0
    assert "incomplete run" in capsys.readouterr().out


def test_routes_that_were_driven_again_are_named(routes, tmp_path, monkeypatch):
    monkeypatch.setenv("ROUTEGYM_FAKE_MARKS", str(tmp_path))
    assert drive("--routes", routes, "--agent", "fake:once-kill@3", "--out", tmp_path / "out") == 0
    (sheet,) = report(tmp_path / "out").sheets
    assert "1 route driven again after a failed attempt: 3 (2 attempts)" in findings(sheet)["driven again"]
    assert sheet.driving_score.value == 100.0


def test_routes_without_their_scenario_are_counted_everywhere(routes, tmp_path, capsys):
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake:without@3,without@1", "--out", out, "--json")
    captured = capsys.readouterr()
    scores = json.loads(captured.out)
    assert scores["scenarios_missing"] == 2
    assert [route["scenarios_missing"] for route in scores["routes"]] == [[], ["ParkingCutIn_1"], ["Accident_1"], []]
    assert "2 routes ran without their scenario: 3, 1" in captured.err
    text = findings(report(out).sheets[0])["scenario missing"]
    assert text.startswith("2 routes ran without a scenario (Accident_1, ParkingCutIn_1)")


def test_a_damaged_ledger_is_told_and_the_exported_files_are_read(routes, tmp_path):
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake", "--out", out)
    (out / LEDGER_NAME).write_bytes(b"not a database" * 500)
    made = report(out)
    assert made.sheets[0].driving_score.value == 100.0
    assert "cannot be read as a ledger" in made.problems[0]
    assert "exported files are read instead" in made.problems[0]


def test_runs_below_one_folder_are_results_of_their_own(routes, tmp_path):
    for agent in ("fake", "fake:bump@1"):
        drive("--routes", routes, "--agent", agent, "--out", tmp_path / "runs" / agent.replace(":", "_"))
    made = report(tmp_path / "runs")
    assert [sheet.name for sheet in made.sheets] == ["fake", "fake_bump@1"]
    assert made.comparisons[0].driving_score.difference.value == -10.0


def test_shards_of_one_run_on_several_machines_are_one_result(routes, tmp_path):
    for part in ("4-3", "1-2"):
        drive("--routes", routes, "--route-ids", part, "--out", tmp_path / "runs" / part)
    (sheet,) = report(tmp_path / "runs").sheets
    assert (sheet.suite, sheet.recorded, sheet.total) == ("four", 4, 4)


def test_other_editions_of_a_suite_are_not_compared(routes, tmp_path):
    drive("--routes", routes, "--agent", "fake", "--out", tmp_path / "one")
    routes.write_text(routes.read_text().replace('x="9"', 'x="8"'))
    drive("--routes", routes, "--agent", "fake", "--out", tmp_path / "two")
    refused = report(tmp_path / "one", tmp_path / "two").comparisons[0].refused
    assert refused == "different route files of the name four are not compared"


def test_the_report_command_reads_a_run_folder(routes, tmp_path, capsys):
    drive("--routes", routes, "--agent", "fake:bump@3", "--out", tmp_path / "out", "--json")
    scores = last_json(capsys)
    assert run_eval.main(["report", str(tmp_path / "out"), "--json", "--out", str(tmp_path / "sheet")]) == 0
    document = json.loads(capsys.readouterr().out)
    sheet = document["sheets"][0]
    assert (sheet["world"], sheet["suite"], sheet["maps"]) == (scores["world"], scores["suite"], scores["maps"])
    assert sheet["driving_score"]["value"] == scores["driving_score"]
    assert sheet["comfort"]["official"] == scores["comfort"] == 0.5
    assert sheet["comfort"]["corrected"] == scores["comfort_corrected"] == 0.75
    assert sheet["abilities"]["values"] == {k: v for k, v in scores["abilities"].items() if k != "mean"}
    assert sheet["routes"][0]["first_junction"] == [20, 100]
    assert "world routegym-embedded/2" in (tmp_path / "sheet" / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--total", "0"], "--total 0: must be at least 1"),
        (["--maps", "."], "name it with --routes"),
        (["--routes", "smoke", "--maps", "nowhere"], "no such folder"),
        (["--routes", "smoky"], "suite 'smoky' is unknown"),
    ],
)
def test_wrong_options_of_report_are_one_message(arguments, message, tmp_path, capsys):
    assert run_eval.main(["report", str(tmp_path), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
