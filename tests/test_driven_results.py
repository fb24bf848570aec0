"""What a driven route leaves behind: its record, its motion as metric_info.json, its first junction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import run_eval
from evaluation.run_folder import read_run_folder
from leaderboard_adapters.comfort import comfort, read_metric_info
from leaderboard_adapters.junction_shares import trace_junctions
from leaderboard_adapters.official_json import read_result_file
from leaderboard_adapters.report import build_report
from scenarios.route_file import read_routes
from scenarios.suites import find_suite

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of three smoke routes, one of them with traffic signs."""
    out = tmp_path_factory.mktemp("run") / "out"
    options = ["--routes", "smoke", "--route-ids", "104-106", "--agent", "autopilot", "--metric-info"]
    assert run_eval.main([*options, "--out", str(out)]) == 0
    return out


def test_metric_info_gives_the_comfort_of_the_record(run: Path) -> None:
    results = read_result_file(run / "merged.json").results
    assert len(results) == 3
    for result in results:
        log = read_metric_info(run / "metric_info" / result.save_name / "metric_info.json")
        assert len(log) == result.num_ticks
        own = comfort(log)
        assert (own.official, own.corrected) == (result.comfort, result.comfort_corrected)


def test_metric_info_holds_what_the_official_script_reads(run: Path) -> None:
    for path in sorted(run.glob("metric_info/*/metric_info.json")):
        steps = json.loads(path.read_text())
        assert list(steps) == [str(number) for number in range(len(steps))]
        vectors = {"acceleration", "angular_velocity", "forward_vector", "right_vector", "location", "rotation"}
        assert all(set(sample) == vectors for sample in steps.values())
        first, last = steps["0"]["location"], steps[str(len(steps) - 1)]["location"]
        assert abs(first[0] - last[0]) + abs(first[1] - last[1]) > 20.0


@pytest.mark.parametrize("which", ["", "merged.json", "checkpoint.json"])
def test_the_report_finds_the_logs_of_a_run(run: Path, which: str) -> None:
    summary = json.loads((run / "summary.json").read_text())
    sheet = build_report([run / which], read_run=read_run_folder).sheets[0]
    assert sheet.comfort is not None
    assert sheet.comfort.windows > 20
    assert sheet.comfort.official == pytest.approx(summary["comfort"], rel=1e-12)
    assert sheet.comfort.corrected == pytest.approx(summary["comfort_corrected"], rel=1e-12)


def test_the_record_tells_the_first_junction_of_the_trace(run: Path) -> None:
    traced = trace_junctions(read_routes(find_suite("smoke")), None).routes["105"]
    result = next(r for r in read_result_file(run / "checkpoint.json").results if r.xml_id == "105")
    assert result.first_junction == traced.first_junction
    assert result.route_length == traced.length


def test_names_of_log_folders_are_official_but_for_the_time(run: Path) -> None:
    for result in read_result_file(run / "checkpoint.json").results:
        parts = (result.route_id, result.town, result.scenario_name, result.weather_id)
        assert result.save_name == "_".join(map(str, parts))


def test_abilities_of_a_run_follow_the_official_rule(run: Path) -> None:
    stored = json.loads((run / "merged_ability.json").read_text())
    assert "Traffic_Signs" in stored
    assert "Traffic_Signs_rule" not in stored
    assert stored["crashed"] == []
