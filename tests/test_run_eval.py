"""`run_eval.py` end to end: options, run folder, resume, interruption, exit codes. `fake_drive` drives the routes."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import fake_drive
import pytest
from rich.console import Console
from test_pool import tasks as pool_tasks

import run_eval
from evaluation.ledger import Ledger
from evaluation.pool import Pool
from evaluation.progress import progress_view
from leaderboard_adapters.official_json import read_result_file

ROOT = Path(run_eval.__file__).parent
FAKE_MAIN = f"import run_eval, sys; sys.exit(run_eval.main(driver={fake_drive.NAME!r}))"


def write_routes(path: Path, towns: dict[str, str]) -> Path:
    """A route file with one route for each id in `towns`."""
    kinds = {route_id: "Accident" if int(route_id) < 3 else "ParkingCutIn" for route_id in towns}
    routes = "".join(
        f'<route id="{route_id}" town="{town}"><waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/>'
        f'</waypoints><scenarios><scenario name="{kinds[route_id]}_1" type="{kinds[route_id]}">'
        f'<trigger_point x="0" y="0" z="0" yaw="0"/></scenario></scenarios></route>'
        for route_id, town in towns.items()
    )
    path.write_text(f"<routes>{routes}</routes>")
    return path


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    return write_routes(tmp_path / "four.xml", dict.fromkeys("4312", "MiniTown"))


@pytest.fixture
def mixed_routes(tmp_path: Path) -> Path:
    return write_routes(tmp_path / "mixed.xml", {"1": "MiniTown", "2": "Town99", "3": "Town98", "4": "Town99"})


def drive(*arguments: object) -> int:
    return run_eval.main([str(argument) for argument in arguments], driver=fake_drive.NAME)


def last_json(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


# --- a run and its files ---------------------------------------------------------------------------------------------


def test_a_run_prints_its_scores_as_one_json_line_and_tables_to_stderr(routes, tmp_path, capsys):
    assert drive("--routes", routes, "--agent", "fake:bump@3", "--out", tmp_path / "out", "--json") == 0
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    scores = json.loads(line)
    assert scores["driving_score"] == 90.0
    assert scores["success_rate"] == 75.0
    assert scores["route_completion"] == 100.0
    assert scores["infraction_penalty"] == pytest.approx(0.9)
    assert scores["comfort"] == 0.5
    assert scores["abilities"]["Overtaking"] == 1.0
    assert scores["synthetic"] == 0
    assert scores["complete"] is True
    assert [route["route_id"] for route in scores["routes"]] == ["4", "3", "1", "2"]
    assert scores["routes"][1]["infractions"] == {"collisions_vehicle": 1}
    assert set(scores["versions"]) == {"routegym", "world", "scorer"}
    assert "ParkingCutIn" in captured.err
    assert "90.00" in captured.err


def test_the_run_folder_holds_official_files_and_the_summary(routes, tmp_path, capsys):
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake:bump@3", "--out", out, "--json")
    checkpoint = read_result_file(out / "checkpoint.json")
    assert checkpoint.progress == (4, 4)
    assert [result.xml_id for result in checkpoint.results] == ["4", "3", "1", "2"]
    merged = read_result_file(out / "merged.json")
    assert (merged.driving_score, merged.success_rate, merged.eval_num) == (90.0, 0.75, 4)
    assert json.loads((out / "summary.json").read_text()) == last_json(capsys)


def test_repetitions_have_seeds_of_their_own(routes, tmp_path, capsys):
    twice = ("--repetitions", 2, "--seed", 5, "--route-ids", "3-1")
    drive("--routes", routes, *twice, "--out", tmp_path / "out", "--json")
    shown = [(route["route_id"], route["repetition"], route["seed"]) for route in last_json(capsys)["routes"]]
    assert shown == [("3", 0, 5), ("3", 1, 6), ("1", 0, 5), ("1", 1, 6)]


def test_results_do_not_depend_on_the_number_of_workers(routes, tmp_path, capsys):
    documents = []
    for workers in (1, 3):
        out = tmp_path / f"out{workers}"
        drive("--routes", routes, "--agent", "fake:bump@1", "--workers", workers, "--out", out, "--json")
        document = last_json(capsys)
        document.pop("out")
        document.pop("options")
        documents.append(document)
    assert documents[0] == documents[1]
    assert (tmp_path / "out1/checkpoint.json").read_bytes() == (tmp_path / "out3/checkpoint.json").read_bytes()


@pytest.mark.slow
def test_driven_routes_are_the_same_bit_for_bit_on_one_and_two_workers(tmp_path):
    results = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        options = ("--routes", "smoke", "--route-ids", "104-106", "--agent", "autopilot", "--workers", workers)
        assert run_eval.main([str(option) for option in (*options, "--out", out)]) == 0
        with Ledger(out) as ledger:
            last = ledger.last_attempts()
        results.append({key: dataclasses.replace(a.result, duration_system=0.0) for key, a in last.items()})
    assert len(results[0]) == 3
    assert all(result.num_ticks > 0 for result in results[0].values())
    assert results[0] == results[1]


def test_without_out_each_run_takes_a_new_folder_and_resume_the_last(routes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert drive("--routes", routes, "--agent", "fake:refuse@1") == 3
    assert drive("--routes", routes, "--agent", "fake:refuse@1") == 3
    names = [f"four-fake_refuse_1-0{suffix}" for suffix in ("", "-2")]
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == names
    assert drive("--routes", routes, "--agent", "fake:refuse@1", "--resume") == 3
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == names
    assert attempts(tmp_path / "results" / names[0], "1") == 1
    assert attempts(tmp_path / "results" / names[1], "1") == 2


def attempts(folder: Path, route_id: str) -> int:
    query = "SELECT count(*) FROM attempts WHERE route_id = ?"
    return sqlite3.connect(folder / "ledger.sqlite").execute(query, (route_id,)).fetchone()[0]


# --- exit codes ------------------------------------------------------------------------------------------------------


def test_a_score_under_the_bar_is_exit_code_1(routes, tmp_path):
    bumped = ("--routes", routes, "--agent", "fake:bump@3")
    assert drive(*bumped, "--out", tmp_path / "a", "--fail-under", 90) == 0
    assert drive(*bumped, "--out", tmp_path / "b", "--fail-under", 90.01) == 1


def test_a_crashed_route_is_exit_code_3_and_the_others_are_kept(routes, tmp_path, capsys):
    out = tmp_path / "out"
    assert drive("--routes", routes, "--agent", "fake:kill@1", "--out", out, "--workers", 2, "--json") == 3
    captured = capsys.readouterr()
    scores = json.loads(captured.out)
    assert scores["driving_score"] == 75.0
    assert scores["crashed"] == 1
    assert [r["status"] for r in scores["routes"]] == ["Perfect", "Perfect", "Failed - Simulation crashed", "Perfect"]
    assert "killed by SIGKILL" in scores["routes"][2]["notes"][1]
    assert attempts(out, "1") == 2
    assert "RouteScenario_1_rep0: Failed - Simulation crashed: attempt 2 failed" in " ".join(captured.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--routes", "nowhere.xml"], "no such route file"),
        (["--routes", "smoky"], "suite 'smoky' is unknown"),
        (["--routes", "{routes}", "--route-ids", "7"], "no route has the id '7'"),
        (["--routes", "{routes}", "--maps", "nowhere"], "no such folder"),
        (["--routes", "{routes}", "--workers", "0"], "--workers 0: must be above 0"),
        (["--routes", "{routes}", "--repetitions", "0"], "must be at least 1"),
        (["--routes", "{routes}", "--out", "{routes}/out"], "cannot write to the run folder"),
        (["--routes", "{broken}"], "not well-formed XML"),
        (["--routes", "{unknown}"], "scenario type 'Acident' is unknown; did you mean Accident?"),
        (["report", "nowhere.json"], "no such file or folder"),
        (["list", "routes", "--routes", "{broken}"], "not well-formed XML"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(routes, tmp_path, capsys, arguments, message):
    broken = tmp_path / "broken.xml"
    broken.write_text(routes.read_text()[:-20])
    unknown = tmp_path / "unknown.xml"
    unknown.write_text(routes.read_text().replace('type="Accident"', 'type="Acident"'))
    files = {"routes": routes, "broken": broken, "unknown": unknown}
    assert drive(*(argument.format(**files) for argument in arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.out == ""


def test_an_unknown_agent_is_exit_code_2(routes, tmp_path, capsys):
    assert run_eval.main(["--routes", str(routes), "--agent", "experd", "--out", str(tmp_path / "out")]) == 2
    assert "did you mean 'expert'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--sede", "3"], ["fly"], ["list", "cars"], ["--workers", "many"]])
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as caught:
        run_eval.main(arguments)
    assert caught.value.code == 2


def test_workers_that_cannot_start_leave_one_message(routes, tmp_path, capsys):
    arguments = ["--routes", str(routes), "--out", str(tmp_path / "out")]
    assert run_eval.main(arguments, driver="no_such_module:drive") == 2
    assert "error: workers cannot start" in capsys.readouterr().err


# --- towns without a map ---------------------------------------------------------------------------------------------


def test_missing_towns_are_an_error_that_names_towns_routes_and_places(mixed_routes, tmp_path, capsys):
    assert drive("--routes", mixed_routes, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "3 routes need 2 towns" in error
    assert "Town99: routes 2, 4" in error
    assert "Town98: routes 3" in error
    assert "Maps/OpenDrive/<town>.xodr" in error
    assert not (tmp_path / "out").exists()


def test_routes_of_missing_towns_are_left_out_on_demand(mixed_routes, tmp_path, capsys):
    arguments = ("--routes", mixed_routes, "--missing-maps", "skip")
    assert drive(*arguments, "--out", tmp_path / "out", "--json") == 0
    captured = capsys.readouterr()
    scores = json.loads(captured.out)
    assert [route["route_id"] for route in scores["routes"]] == ["1"]
    assert scores["skipped_routes"][0] == {"route_id": "2", "town": "Town99"}
    assert "3 routes are left out, for want of the maps of Town98, Town99" in captured.err
    assert drive(*arguments, "--route-ids", "2", "--out", tmp_path / "none") == 2


def test_corridors_are_scored_apart_and_labelled_everywhere(mixed_routes, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("--routes", mixed_routes, "--agent", "fake:bump@3", "--missing-maps", "corridor", "--fail-under", 99)
    assert drive(*arguments, "--out", out, "--json") == 0
    captured = capsys.readouterr()
    scores = json.loads(captured.out)
    assert (scores["maps"], scores["driving_score"], scores["synthetic"]) == ("embedded town MiniTown", 100.0, 3)
    blocks = [(block["maps"], block["count"]) for block in scores["blocks"]]
    assert blocks == [("embedded town MiniTown", 1), ("synthetic corridors", 3)]
    assert scores["blocks"][1]["driving_score"] == pytest.approx(260 / 3)
    assert [route["synthetic"] for route in scores["routes"]] == [False, True, True, True]
    assert "all (synthetic)" in captured.err
    assert len(read_result_file(out / "checkpoint.json").results) == 1
    corridors = read_result_file(out / "checkpoint_synthetic.json").results
    assert all(result.synthetic for result in corridors)
    records = json.loads((out / "checkpoint_synthetic.json").read_text())["_checkpoint"]["records"]
    assert [(record["synthetic"], record["routegym"]["synthetic"]) for record in records] == [(True, True)] * 3


def test_a_run_on_corridors_alone_says_so(mixed_routes, tmp_path, capsys):
    arguments = ("--routes", mixed_routes, "--route-ids", "2-4", "--missing-maps", "corridor")
    assert drive(*arguments, "--out", tmp_path / "out", "--json") == 0
    scores = last_json(capsys)
    assert (scores["maps"], scores["synthetic"], len(scores["blocks"])) == ("synthetic corridors", 3, 1)
    assert not (tmp_path / "out" / "checkpoint.json").exists()


# --- resume and interruption -----------------------------------------------------------------------------------------


def test_a_folder_with_a_run_is_refused_without_resume(routes, tmp_path, capsys):
    out = tmp_path / "out"
    assert drive("--routes", routes, "--out", out) == 0
    before = (out / "checkpoint.json").read_bytes()
    assert drive("--routes", routes, "--out", out) == 2
    assert "already holds a run; continue it with --resume" in capsys.readouterr().err
    assert (out / "checkpoint.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--seed", 1), "seed: there 0, here 1"),
        (("--agent", "fake:bump@1"), 'agent: there "fake", here "fake:bump@1"'),
        (("--route-ids", "1"), 'routes: there ["4", "3", "1", "2"], here ["1"]'),
    ],
)
def test_another_run_cannot_be_resumed(routes, tmp_path, capsys, change, message):
    options = ("--routes", routes, "--agent", "fake", "--out", tmp_path / "out")
    assert drive(*options) == 0
    assert drive(*options, *change, "--resume") == 2
    assert message in capsys.readouterr().err


def test_a_changed_route_file_cannot_be_resumed(routes, tmp_path, capsys):
    options = ("--routes", routes, "--agent", "fake", "--out", tmp_path / "out")
    assert drive(*options) == 0
    routes.write_text(routes.read_text().replace('x="9"', 'x="8"'))
    assert drive(*options, "--resume") == 2
    assert "route_file_digest" in capsys.readouterr().err


def test_resume_drives_crashed_routes_and_keeps_the_rest(routes, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROUTEGYM_FAKE_MARKS", str(tmp_path))
    options = ("--routes", routes, "--agent", "fake:once-refuse@3,bump@1", "--out", tmp_path / "out", "--json")
    assert drive(*options) == 3
    assert drive(*options, "--resume") == 0
    scores = last_json(capsys)
    assert [route["status"] for route in scores["routes"]] == ["Perfect", "Perfect", "Completed", "Perfect"]
    assert "12.0 m off the road" in scores["routes"][1]["notes"][0]
    assert [attempts(tmp_path / "out", route_id) for route_id in "4312"] == [1, 2, 1, 1]


def test_resume_of_a_finished_run_drives_nothing_and_prints_the_same(routes, tmp_path, capsys):
    options = ("--routes", routes, "--agent", "fake", "--out", tmp_path / "out", "--json")
    assert drive(*options) == 0
    first = last_json(capsys)
    assert drive(*options, "--resume") == 0
    second = last_json(capsys)
    assert {**first, "options": 0} == {**second, "options": 0}
    assert attempts(tmp_path / "out", "1") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_can_be_resumed(routes, tmp_path, number):
    out = tmp_path / "out"
    options = ["--routes", str(routes), "--agent", "fake:once-hang@1", "--out", str(out), "--json"]
    path = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    environment = {**os.environ, "PYTHONPATH": path, "ROUTEGYM_FAKE_MARKS": str(tmp_path)}
    command = [sys.executable, "-c", FAKE_MAIN, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(command, **pipes) as process:
        while not (tmp_path / "RouteScenario_1_rep0").exists():  # until the third route hangs
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert output == ""
    assert "Interrupted with 2 of 4 routes done" in errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert len(read_result_file(out / "checkpoint.json").results) == 2

    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, env=environment, timeout=20)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["complete"] is True
    assert attempts(out, "4") == 1


# --- what is shown while driving --------------------------------------------------------------------------------------


def test_the_terminal_shows_each_route_under_way_and_the_running_scores():
    task = pool_tasks("fake", 1)[0]
    (started, progress, ended) = Pool([task], driver=fake_drive.NAME).events()
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with progress_view(console, 4, [ended.attempt.result]) as view:
        view.show(started)
        view.show(progress)  # from here on the time is taken
        view.show(dataclasses.replace(progress, tick=300, completion=45.0))
        view._progress.refresh()
        assert "1/4  DS 100.0  SR 100.0 %  ETA 0:0" in screen.getvalue()
        assert "45 %  tick 300" in screen.getvalue()
        view.show(ended)
        view._progress.refresh()
    assert "2/4  DS 100.0" in screen.getvalue()


# --- list, help, imports ---------------------------------------------------------------------------------------------


def test_lists_show_towns_agents_and_routes(mixed_routes, capsys):
    assert drive("list", "towns") == 0
    assert drive("list", "agents") == 0
    assert drive("list", "scenarios") == 0
    assert drive("list", "routes", "--routes", mixed_routes) == 0
    output = capsys.readouterr().out
    assert "MiniTown" in output
    assert "expert" in output
    assert "Town98" in output
    assert "ParkedObstacle" in output


def test_a_reader_that_has_enough_is_no_error():
    command = f"{sys.executable} run_eval.py list scenarios | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_tells_options_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        run_eval.main(["--help"])
    assert caught.value.code == 0
    with pytest.raises(SystemExit):
        run_eval.main(["run", "--help"])
    output = capsys.readouterr().out
    assert "130  interrupted" in output
    assert "--missing-maps {error,skip,corridor}" in output


@pytest.mark.parametrize(
    "arguments", [["list", "towns"], ["list", "agents"], ["report", "nowhere"], ["--routes", "none"]]
)
def test_commands_that_drive_nothing_import_no_heavy_package(arguments):
    script = f"""
import run_eval, sys
run_eval.main({arguments!r})
print([name for name in ("numba", "carla", "gymnasium", "torch", "cv2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"
