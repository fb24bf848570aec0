"""The score report: what is found under a path, the sheet, its findings, comparisons, and how it is shown."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from result_samples import driven, hit, outside_lanes, speed
from rich.console import Console

from leaderboard_adapters.comfort import MetricLog, write_metric_info
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.official_json import ability_document, checkpoint_document, merged_document
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.report import build_report, compare, report_document, show_report
from leaderboard_adapters.report_tables import markdown, print_report, write_report
from leaderboard_adapters.result_checks import PENALTY_TOLERANCE, penalty_error
from leaderboard_adapters.result_files import find_results
from leaderboard_adapters.scores import AGENT_CRASHED, SIMULATION_CRASHED, TICK_RUNTIME
from leaderboard_adapters.sheet import INCOMPLETE, MISSING, Sheet, sheet_of_results
from scenarios.route import Route, ScenarioSpec, TriggerPoint
from simulator.errors import ResultFileError


def kinds(sheet: Sheet) -> list[str]:
    return [finding.kind for finding in sheet.findings]


def finding(sheet: Sheet, kind: str) -> str:
    return next(found.text for found in sheet.findings if found.kind == kind)


def shard(path: Path, *results: RouteResult, total: int | None = None) -> Path:
    numbered = [dataclasses.replace(result, index=i) for i, result in enumerate(results)]
    write_json(path, checkpoint_document(numbered, total, sensors=["carla_imu"]))
    return path


def suite(*pairs: tuple[str, str]) -> list[Route]:
    return [
        Route(number, "Town12", (), (ScenarioSpec(f"{kind}_1", kind, TriggerPoint(0, 0, 0, 0)),), file="ours.xml")
        for number, kind in pairs
    ]


def printed(report: object, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_report(report, console)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined]


# --- what lies under a path ------------------------------------------------------------------------------------------


def test_shards_of_a_folder_are_one_result(tmp_path: Path) -> None:
    shard(tmp_path / "run" / "eval_0.json", driven(1), driven(2))
    shard(tmp_path / "run" / "eval_1.json", driven(3))
    (tmp_path / "run" / "settings.json").write_text("{}")
    found = find_results([tmp_path / "run"])
    assert [(each.name, len(each.files)) for each in found.sets] == [("run", 2)]
    assert found.skipped == [str(tmp_path / "run" / "settings.json")]
    assert found.problems == []


def test_one_file_a_route_folders_are_one_result(tmp_path: Path) -> None:
    for number in (11, 12, 13):
        shard(tmp_path / str(number) / "endpoint.json", driven(number))
    assert [len(each.files) for each in find_results([tmp_path]).sets] == [3]


def test_folders_that_repeat_routes_are_results_of_their_own(tmp_path: Path) -> None:
    for name in ("first", "second"):
        shard(tmp_path / name / "eval.json", driven(1), driven(2))
    assert [each.name for each in find_results([tmp_path]).sets] == ["first", "second"]


def test_folders_of_different_routes_are_one_result(tmp_path: Path) -> None:
    shard(tmp_path / "gpu0" / "eval.json", driven(1), driven(2))
    shard(tmp_path / "gpu1" / "eval.json", driven(3), driven(4))
    assert [(each.name, len(each.files)) for each in find_results([tmp_path]).sets] == [(tmp_path.name, 2)]


def test_a_merged_file_beside_its_shards_is_compared_not_counted(tmp_path: Path) -> None:
    results = [driven(1), driven(2, "Accident", 50.0, failure=TICK_RUNTIME)]
    shard(tmp_path / "eval_0.json", results[0])
    shard(tmp_path / "eval_1.json", results[1])
    write_json(tmp_path / "merged.json", merged_document(results))
    sheet = build_report([tmp_path]).sheets[0]
    assert sheet.recorded == 2
    assert "merged agrees" in kinds(sheet)
    results[0].score_composed = 99.0
    write_json(tmp_path / "merged.json", merged_document(results))
    assert "differ: 1." in finding(build_report([tmp_path]).sheets[0], "merged differs")


def test_merged_files_without_shards_are_results_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_json(tmp_path / f"{name}.json", merged_document([driven(1)]))
    assert [each.name for each in find_results([tmp_path]).sets] == ["one", "two"]


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_json(tmp_path / name / "merged.json", merged_document([driven(1)]))
    paths = [tmp_path / "one" / "merged.json", tmp_path / "two" / "merged.json"]
    assert [each.name for each in find_results(paths).sets] == ["one/merged", "two/merged"]
    assert [each.name for each in find_results([paths[0], paths[0]]).sets] == ["one/merged", "one/merged (2)"]


def test_good_files_are_reported_beside_bad_ones(tmp_path: Path) -> None:
    shard(tmp_path / "eval_0.json", driven(1))
    whole = shard(tmp_path / "eval_1.json", driven(2)).read_text()
    (tmp_path / "eval_1.json").write_text(whole[: len(whole) // 2])
    (tmp_path / "eval_2.json").write_text(whole.replace('"score_route": 100,', '"score_route": null,'))
    report = build_report([tmp_path])
    assert report.sheets[0].recorded == 1
    assert len(report.problems) == 2
    assert "eval_1.json: line" in report.problems[0]
    assert "records[0].scores.score_route: expected a number, found null" in report.problems[1]
    assert "eval_1.json" in printed(report)
    assert show_report(build_report([tmp_path]), json=True) == 1


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match="no result file"):
        build_report([tmp_path])
    with pytest.raises(ResultFileError, match="no such file"):
        build_report([tmp_path / "gone"])
    with pytest.raises(ResultFileError, match="no path was given"):
        build_report([])
    write_json(tmp_path / "other.json", {"a": 1})
    with pytest.raises(ResultFileError, match="not a result file"):
        build_report([tmp_path / "other.json"])


def test_a_missing_path_does_not_hide_the_others(tmp_path: Path) -> None:
    path = shard(tmp_path / "eval.json", driven(1))
    report = build_report([path, tmp_path / "gone"])
    assert len(report.sheets) == 1
    assert "no such file" in report.problems[0]


# --- the suite -------------------------------------------------------------------------------------------------------


def test_missing_routes_count_as_zero_over_the_official_220(tmp_path: Path) -> None:
    sheet = build_report([shard(tmp_path / "a.json", driven(1711), driven(2050))]).sheets[0]
    assert (sheet.suite, sheet.total, sheet.recorded) == ("bench2drive220", 220, 2)
    assert sheet.driving_score.value == pytest.approx(200 / 220)
    assert "218 of 220 routes have no record" in finding(sheet, "missing routes")


def test_dev10_is_divided_by_ten() -> None:
    sheet = sheet_of_results(
        "dev10", [driven(3514, "ParkingExit"), driven(2091, "NonSignalizedJunctionLeftTurn", 40.0)]
    )
    assert (sheet.suite, sheet.total) == ("bench2drive_dev10", 10)
    assert sheet.driving_score.value == pytest.approx(14.0)


def test_towns_that_are_not_carlas_count_the_planned_routes(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.json", driven(1, town="MiniTown"), driven(2, town="MiniTown"), total=4)
    sheet = build_report([path]).sheets[0]
    assert (sheet.suite, sheet.total) == ("", 4)
    assert sheet.success_rate.value == 50.0
    assert build_report([path], total=2).sheets[0].success_rate.value == 100.0


def test_a_route_file_names_missing_and_foreign_routes(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.json", driven(1, "Accident"), driven(9, "Accident"))
    routes = suite(("1", "InvadingTurn"), ("2", "Accident"))
    sheet = build_report([path], routes=routes).sheets[0]
    assert (sheet.suite, sheet.total, sheet.recorded) == ("ours", 2, 1)
    assert "1 of 2 routes have no record and count as 0: 2." in finding(sheet, "missing routes")
    assert "not in the route file, left out: 9" in finding(sheet, "foreign routes")
    assert "another scenario" in finding(sheet, "scenario differs")
    assert sheet.scenarios[0].scenario_type == "InvadingTurn"
    assert sheet.abilities.crashed == (("Accident", "2"),)


def test_repetitions_share_their_route() -> None:
    runs = [driven(1, repetition=0), driven(1, "Accident", 50.0, repetition=1), driven(2, repetition=0)]
    sheet = sheet_of_results("twice", runs, total=2)
    assert (sheet.repetitions, sheet.total, sheet.recorded) == (2, 4, 3)
    assert sheet.driving_score.value == pytest.approx(250 / 4)  # the fourth drive is missing


def test_duplicates_are_found_and_the_first_counts() -> None:
    sheet = sheet_of_results("twice", [driven(1, "Accident", 21.0), driven(1, "Accident", 100)], total=1)
    assert sheet.driving_score.value == 21.0
    assert "driving score 121.0000" in finding(sheet, "duplicates")


def test_more_routes_than_the_suite_has() -> None:
    sheet = sheet_of_results("many", [driven(1), driven(2), driven(3)], total=2)
    assert sheet.driving_score.value == pytest.approx(150.0)
    assert "3 routes recorded, the scores are divided by 2" in finding(sheet, "too many routes")


# --- findings --------------------------------------------------------------------------------------------------------


def test_a_record_that_follows_from_its_messages_is_not_accused() -> None:
    results = [
        driven(1, "Accident", 100, hit("collisions_vehicle"), outside_lanes(33.33333)),
        driven(2, "Accident", 12.35, failure=TICK_RUNTIME, duration_game=200.05),
        driven(3, "Accident", 100, hit("route_dev")),
    ]
    sheet = sheet_of_results("fine", results, total=3)
    assert sheet.findings == ()
    assert sheet.largest_penalty_error < PENALTY_TOLERANCE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score_penalty": 0.0, "score_composed": 0.0}, "score_penalty 0 does not follow from its infractions (1)"),
        ({"score_composed": 99.0}, "score_composed 99 is not score_route x score_penalty (100)"),
        ({"status": "Failed - TickRuntime", "duration_game": 36.25}, "status TickRuntime after 36.25 s"),
        ({"score_route": 90.0, "score_composed": 90.0}, "status 'Perfect' with score_route 90"),
        ({"weather_id": "3"}, "save_name says Town12_ParkingCutIn_1_15, the record Town12_ParkingCutIn_1_3"),
        ({"notes": ("num_infractions says 5, the lists hold 0",)}, "num_infractions says 5"),
    ],
)
def test_a_row_set_by_hand_is_pointed_out(change: dict, says: str) -> None:
    sheet = sheet_of_results("edited", [dataclasses.replace(driven(11755), **change)], total=1)
    text = finding(sheet, "row set by hand")
    assert text.startswith("route 11755: ")
    assert says in text


def test_routes_over_the_cap_are_named() -> None:
    sheet = sheet_of_results("long", [driven(1, duration_game=262.6), driven(2, duration_game=200.05)], total=2)
    assert "1 route ran past the cap of 4000 ticks (200.05 s), the longest 262.60 s: 1." in finding(
        sheet, "over the cap"
    )


def test_crashes_are_named_with_who_failed() -> None:
    results = [
        driven(1, "Accident", 30.0, failure=SIMULATION_CRASHED),
        driven(2, "Accident", 30.0, failure=AGENT_CRASHED),
        driven(3, status="Started"),
    ]
    sheet = sheet_of_results("crashed", results, total=3)
    texts = [found.text for found in sheet.findings if found.kind == "crashed"]
    assert [text.split("(")[0] for text in texts] == ["1 record 'Simulation crashed' ", "1 record 'Agent crashed' "]
    assert "1 record never ended: 3" in finding(sheet, "unfinished")


def test_a_header_that_counts_wrong_is_named(tmp_path: Path) -> None:
    document = merged_document([driven(1), driven(2, "Accident", 50.0)])
    document["eval num"] = 3
    document["driving score"] = 75.0
    document["success rate"] = 0.4
    write_json(tmp_path / "merged.json", document)
    texts = [
        found.text for found in build_report([tmp_path / "merged.json"]).sheets[0].findings if found.kind == "header"
    ]
    assert "eval num says 3, the file holds 2 records" in texts[0]
    assert (
        "driving score in the header is 75.0000, it is divided by the 2 records, not by the 220 routes: 0.6818"
        in texts[1]
    )
    assert "success rate in the header is 40.0000, it does not follow from the records: 0.4545" in texts[2]


def test_a_part_of_a_result_does_not_accuse_its_header(tmp_path: Path) -> None:
    write_json(tmp_path / "merged.json", merged_document([driven(1, "Accident"), driven(2), driven(3)]))
    sheet = build_report([tmp_path / "merged.json"], routes=suite(("1", "Accident"), ("9", "Accident"))).sheets[0]
    assert (sheet.recorded, sheet.total, sheet.driving_score.value) == (1, 2, 50.0)
    assert kinds(sheet) == ["missing routes", "foreign routes"]


def test_an_edited_global_record_is_named(tmp_path: Path) -> None:
    document = checkpoint_document([driven(1)], sensors=["carla_imu"])
    document["_checkpoint"]["global_record"]["scores_mean"]["score_composed"] = 12.0
    write_json(tmp_path / "a.json", document)
    text = finding(build_report([tmp_path / "a.json"]).sheets[0], "header")
    assert "driving score 12.0, recomputed 100.0" in text


def test_an_unfinished_shard_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", checkpoint_document([driven(1)], 55, finished=False))
    assert "entry_status is Started, with 1 of 55 routes" in finding(build_report([tmp_path]).sheets[0], "unfinished")


def test_synthetic_routes_are_marked(tmp_path: Path) -> None:
    result = dataclasses.replace(driven(1), extra={"synthetic": True})
    sheet = build_report([shard(tmp_path / "a.json", result)]).sheets[0]
    assert "no Bench2Drive scores" in finding(sheet, "synthetic")


def test_stored_abilities_are_checked(tmp_path: Path) -> None:
    results = [driven(1, "Accident"), driven(2, "ParkingExit", 10.0)]
    path = shard(tmp_path / "eval.json", *results)
    sheet = build_report([path]).sheets[0]
    write_json(tmp_path / "merged_ability.json", {**ability_document(sheet.abilities), "Merging": 0.9})
    sheet = build_report([tmp_path]).sheets[0]
    texts = [found.text for found in sheet.findings if found.kind == "stored abilities"]
    assert "Merging is 0.9, the records give 0" in texts[0]
    assert "Overtaking agree with the records" in texts[1]


# --- parts of the sheet ----------------------------------------------------------------------------------------------


def test_points_lost_are_found_by_leaving_one_out() -> None:
    results = [
        driven(1, "Accident", 100, hit("collisions_vehicle"), hit("collisions_vehicle"), hit("red_light")),
        driven(2, "Accident", 50.0, hit("vehicle_blocked")),
    ]
    sheet = sheet_of_results("costs", results, total=4)
    rows = {row.name: row for row in sheet.components}
    assert sheet.driving_score.value == pytest.approx((25.2 + 50.0) / 4)
    assert rows["collisions_vehicle"].points_lost == pytest.approx((70.0 - 25.2) / 4)
    assert rows["red_light"].points_lost == pytest.approx((36.0 - 25.2) / 4)
    assert rows["vehicle_blocked"].points_lost == 0.0
    assert rows[INCOMPLETE].points_lost == pytest.approx(50.0 / 4)
    assert rows[MISSING].points_lost == pytest.approx(50.0)
    assert (rows["collisions_vehicle"].count, rows["collisions_vehicle"].routes) == (2, 1)
    assert rows["collisions_vehicle"].per_km == pytest.approx(2 / 0.15)


def test_scenarios_stand_worst_first_with_what_went_wrong() -> None:
    results = [
        driven(1, "Accident", 100, hit("red_light")),
        driven(2, "Accident", 100, hit("collisions_vehicle")),
        driven(3, "Accident", 100, hit("collisions_vehicle"), hit("collisions_vehicle")),
        driven(4, "ParkingExit"),
        driven(5, "T_Junction", 10.0),
    ]
    rows = sheet_of_results("rows", results, total=5).scenarios
    assert [row.scenario_type for row in rows] == ["T_Junction", "Accident", "ParkingExit"]
    assert (rows[0].worst_infraction, rows[0].worst_routes) == (INCOMPLETE, 1)
    assert (rows[1].worst_infraction, rows[1].worst_routes, rows[1].success_rate) == ("collisions_vehicle", 2, 0.0)
    assert rows[2].worst_infraction == ""


def test_comfort_comes_from_the_logs_beside_the_records(tmp_path: Path) -> None:
    results = [driven(1), driven(2), driven(3)]
    shard(tmp_path / "run" / "eval.json", *results)
    calm, basis = np.zeros((45, 3)), np.eye(3)
    turning = np.tile([0.0, 0.0, 1.0], (45, 1))  # deg/s
    for result, rate, folder in ((results[0], calm, ""), (results[1], turning, "bench2drive220_0_")):
        log = MetricLog.from_arrays(calm, rate, np.tile(basis[0], (45, 1)), np.tile(basis[1], (45, 1)))
        write_metric_info(tmp_path / "run" / "logs" / f"{folder}{result.save_name}" / "metric_info.json", log)
    report = build_report([tmp_path / "run"])
    summary = report.sheets[0].comfort
    assert summary is not None
    assert (summary.official, summary.corrected, summary.routes, summary.windows) == (0.5, 1.0, 2, 4)
    assert "50.00" in printed(report)
    (tmp_path / "run" / "logs" / results[0].save_name / "metric_info.json").write_text('{"0": {}}')
    report = build_report([tmp_path / "run" / "eval.json", tmp_path / "run"])
    assert any("metric_info.json: step '0'" in problem for problem in report.problems)


def test_comfort_of_the_drive_itself_is_used() -> None:
    results = [
        driven(1, comfort=0.25, comfort_corrected=0.75),
        driven(2, comfort=0.75, comfort_corrected=0.75),
        driven(3),
    ]
    summary = sheet_of_results("drive", results, total=3).comfort
    assert summary is not None
    assert (summary.official, summary.corrected, summary.routes) == (0.5, 0.75, 2)


# --- comparison ------------------------------------------------------------------------------------------------------


def test_differences_are_paired_over_common_routes() -> None:
    first = sheet_of_results("a", [driven(n, "Accident", 50.0) for n in range(30)], total=30)
    second = sheet_of_results("b", [driven(n, "Accident", 60.0 + n % 3) for n in range(5, 40)], total=40)
    result = compare(first, second)
    assert result.driving_score is not None
    assert result.success_rate is not None
    assert (result.driving_score.routes, result.driving_score.better) == (25, 25)
    assert 10.5 < result.driving_score.difference.low < 11.5
    assert result.success_rate.equal == 25


def test_different_suites_are_not_compared() -> None:
    first = sheet_of_results("a", [driven(1, suite="minitown-v1")], total=1)
    second = sheet_of_results("b", [driven(1, suite="minitown-v2")], total=1)
    assert "different suites (minitown-v1 and minitown-v2)" in compare(first, second).refused
    assert compare(first, sheet_of_results("c", [driven(2)], total=1)).refused == "no common route"


# --- showing ---------------------------------------------------------------------------------------------------------


def test_the_report_is_written_as_json_and_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shard(tmp_path / "in" / "a|b.json", driven(1, "Accident", 100, hit("red_light"), speed(140.0)), driven(2))
    assert show_report(build_report([path, path]), tmp_path / "out", json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "out" / "report.json").read_text())
    sheet = document["sheets"][0]
    assert sheet["driving_score"]["value"] == pytest.approx(170 / 220)
    assert sheet["routes"][0]["infractions"] == {"red_light": 1}
    assert sheet["routes"][0]["efficiency"] == 140.0
    assert len(document["comparisons"]) == 1
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| red light | 1 | 5.000 | 1 | 0.14 |" in text
    assert "a\\|b" in text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.json", driven(1))
    with pytest.raises(ResultFileError, match="cannot write the report"):
        write_report(build_report([path]), path / "inside a file")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_tables_fit_the_terminal(width: int, tmp_path: Path) -> None:
    shard(tmp_path / "one" / "eval.json", driven(1, "Accident", 100, hit("red_light")), driven(2, "T_Junction", 0.0))
    shard(tmp_path / "two" / "eval.json", driven(1, "Accident"), driven(2, "T_Junction", 30.0))
    text = printed(build_report([tmp_path]), width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    for words in ("Driving score", "Abilities", "What it cost", "Scenarios", "Difference to one"):
        assert words in text


def test_an_empty_checkpoint_still_has_a_sheet(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", checkpoint_document([], 220, finished=False))
    report = build_report([tmp_path / "a.json"])
    assert report.sheets[0].driving_score.value == 0.0
    assert "the file holds no record" in finding(report.sheets[0], "empty")
    assert "Driving score" in printed(report)
    assert "Driving score" in markdown(report)


def test_the_same_files_give_the_same_report(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.json", *[driven(n, "Accident", n % 100 + 0.5) for n in range(50)])
    first, second = (json.dumps(report_document(build_report([path]))) for _ in range(2))
    assert first == second


# --- official files --------------------------------------------------------------------------------------------------


@pytest.mark.official_data
@pytest.mark.parametrize(
    ("name", "score", "success", "records", "speed_percent"),
    [
        ("UniAD-Base", 45.81, 16.36, 218, 129.208),
        ("VAD", 42.35, 15.00, 213, 157.950),
        ("TCP-only-traj", 59.90, 30.00, 210, 76.539),
        ("ORION", 76.32, 53.64, 216, 151.478),
    ],
)
def test_published_scores_come_out(
    official_data: Path, name: str, score: float, success: float, records: int, speed_percent: float
) -> None:
    sheet = build_report([official_data / "results" / f"{name}.json"]).sheets[0]
    assert round(sheet.driving_score.value, 2) == score
    assert round(sheet.success_rate.value, 2) == success
    assert (sheet.recorded, sheet.total) == (records, 220)
    assert round(sheet.efficiency.value or 0, 3) == pytest.approx(speed_percent, abs=1e-3)
    assert max(penalty_error(result) for result in sheet.results) <= 5e-5
    assert "row set by hand" not in kinds(sheet)
    assert "missing routes" in kinds(sheet)


@pytest.mark.official_data
def test_headers_that_disagree_are_named(official_data: Path) -> None:
    vad = build_report([official_data / "results" / "VAD.json"]).sheets[0]
    assert "eval num says 214, the file holds 213 records" in finding(vad, "header")
    orion = build_report([official_data / "results" / "ORION.json"]).sheets[0]
    assert "driving score in the header is 77.7361, it is divided by the 216 records" in finding(orion, "header")
    uniad = build_report([official_data / "results" / "UniAD-Base.json"]).sheets[0]
    assert "header" not in kinds(uniad)


@pytest.mark.official_data
@pytest.mark.parametrize("path", ["pdm_lite_b2d_traj", "pdm_lite_b2d_traj/merged.json"])
def test_pdm_lite_with_its_row_set_by_hand(official_data: Path, path: str) -> None:
    sheet = build_report([official_data / "results" / path]).sheets[0]
    assert (round(sheet.driving_score.value, 2), round(sheet.success_rate.value, 2)) == (97.02, 92.27)
    assert (sheet.recorded, sheet.total) == (220, 220)
    text = finding(sheet, "row set by hand")
    assert text.startswith("route 11755: score_penalty 0 does not follow")
    assert "after 36.25 s" in text
    assert kinds(sheet).count("row set by hand") == 1
    others = [result for result in sheet.results if result.xml_id != "11755"]
    assert max(penalty_error(result) for result in others) <= 5e-5


@pytest.mark.official_data
def test_one_file_a_route_and_a_folder_of_everything(official_data: Path, tmp_path: Path) -> None:
    report = build_report([official_data / "results"])
    names = [sheet.name for sheet in report.sheets]
    assert names == ["ORION", "TCP-only-traj", "UniAD-Base", "VAD", "pdm_lite_b2d_traj", "pdm_lite_per_route"]
    assert report.problems == ()
    assert report.sheets[-1].recorded == 60
    assert len(report.comparisons) == 5
    write_report(report, tmp_path)
    assert (tmp_path / "report.md").read_text().count("\n## ") == 6
    assert all(len(line) <= 100 for line in printed(report).splitlines())
