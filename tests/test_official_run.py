"""`run --official`: every route is accounted for, whatever the evaluator does, and nothing is left running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run_eval
from envs.carla.ports import reserve_block
from evaluation.ledger import read_ledger
from evaluation.official_pool import PORT_RANGE
from evaluation.official_servers import choose_servers, start_once
from evaluation.options import EXIT_INCOMPLETE, EXIT_INPUT, EXIT_OK
from tests.carla_runs import MARK, marked

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = Path(__file__).with_name("stand_in_evaluator.py")
IDS = ("3", "5", "7", "11")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out like Bench2Drive and one like PythonAPI/carla beside it, with the stand-in as evaluator."""
    root = tmp_path / "Bench2Drive"
    for name in (
        "leaderboard/leaderboard/__init__.py",
        "leaderboard/data/weather.xml",
        "scenario_runner/srunner/__init__.py",
        "scenario_runner/srunner/scenariomanager/__init__.py",
        "scenario_runner/srunner/scenariomanager/carla_data_provider.py",
        "api/agents/__init__.py",
        "api/agents/navigation/__init__.py",
        "api/agents/navigation/global_route_planner.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    shutil.copyfile(STAND_IN, root / "leaderboard" / "leaderboard" / "leaderboard_evaluator.py")
    routes = "".join(
        f'<route id="{name}" town="Town01"><waypoints><position x="0" y="{k}" z="0"/><position x="9" y="{k}" z="0"/>'
        f'</waypoints><scenarios><scenario name="Accident_1" type="Accident"><trigger_point x="0" y="0" z="0" yaw="0"/>'
        f"</scenario></scenarios></route>"
        for k, name in enumerate(IDS)
    )
    (tmp_path / "four.xml").write_text(f"<routes>{routes}</routes>")
    (tmp_path / "team_agent.py").write_text("")
    monkeypatch.setenv(MARK, str(root))  # of every process that is started from here
    return root


def command(checkout: Path, deeds: str = "", *more: str) -> list[str]:
    folder = checkout.parent
    return [
        *("--official", "--bench2drive-root", str(checkout), "--carla-python-api", str(checkout / "api")),
        *("--official-python", sys.executable, "--carla-start", "echo server on {port}; exec sleep 1000"),
        *("--routes", str(folder / "four.xml"), "--official-agent", str(folder / "team_agent.py")),
        *("--agent-config", deeds, "--out", str(folder / "run"), "--timeout", "5", *more),
    ]


def attempts(checkout: Path) -> dict[str, list[str]]:
    """Statuses of all attempts by route id."""
    found: dict[str, list[str]] = {}
    for attempt in read_ledger(checkout.parent / "run")[1]:
        found.setdefault(attempt.route_id, []).append(attempt.result.status)
    return found


def left_running(checkout: Path) -> list[str]:
    """Command lines of all processes that a run of this checkout has started."""
    return list(marked(str(checkout)).values())


CRASHED, COMPLETED = "Failed - Simulation crashed", "Completed"


@pytest.mark.parametrize(
    ("deeds", "code", "expected"),
    [
        pytest.param("", EXIT_OK, {}, id="a good day"),
        pytest.param("once-kill@5", EXIT_OK, {"5": [CRASHED, COMPLETED]}, id="killed once"),
        pytest.param("once-hang@3", EXIT_OK, {"3": [CRASHED, COMPLETED]}, id="hangs once"),
        pytest.param("once-babble@3", EXIT_OK, {"3": [CRASHED, COMPLETED]}, id="hangs once while a thread talks on"),
        pytest.param("once-crash@7", EXIT_OK, {"7": [CRASHED, COMPLETED]}, id="its simulation crashes once"),
        pytest.param("kill@11", EXIT_INCOMPLETE, {"11": [CRASHED, CRASHED]}, id="killed twice"),
        pytest.param("agent@5", EXIT_OK, {"5": ["Failed - Agent crashed"]}, id="a crash of the agent counts"),
        pytest.param("setup@5", EXIT_INCOMPLETE, {"5": ["Failed - Agent couldn't be set up"]}, id="no agent"),
        pytest.param("never-ends", EXIT_OK, {}, id="does not end after its last route"),
    ],
)
def test_every_route_is_accounted_for(checkout: Path, deeds: str, code: int, expected: dict[str, list[str]]):
    assert run_eval.main(command(checkout, deeds)) == code
    assert attempts(checkout) == {**{name: [COMPLETED] for name in IDS}, **expected}
    checkpoint = json.loads((checkout.parent / "run" / "checkpoint.json").read_text())["_checkpoint"]
    assert [record["route_id"] for record in checkpoint["records"]] == [f"RouteScenario_{name}_rep0" for name in IDS]
    assert left_running(checkout) == []


def test_routes_are_shared_among_servers_on_ports_of_their_own(checkout: Path):
    assert run_eval.main(command(checkout, "", "--servers", "2", "--routes-per-start", "1")) == EXIT_OK
    logs = [path.read_text() for path in (checkout.parent / "run" / "official").glob("*/evaluator.log")]
    assert len(logs) == len(IDS)
    ports = {line for log in logs for line in log.splitlines() if line.startswith("server on ")}
    assert len(ports) == 2


def test_resume_drives_what_has_no_result_and_nothing_else(checkout: Path):
    arguments = command(checkout, "once-kill@5,kill@7")
    assert run_eval.main(arguments) == EXIT_INCOMPLETE
    assert attempts(checkout)["7"] == [CRASHED, CRASHED]
    evaluator = checkout / "leaderboard" / "leaderboard" / "leaderboard_evaluator.py"
    evaluator.write_text(evaluator.read_text().replace('if deed == "kill":', 'if deed == "off":'))
    # other code is another scorer, which cannot continue this run
    assert run_eval.main([*arguments, "--resume"]) == EXIT_INPUT
    shutil.copyfile(STAND_IN, evaluator)
    assert run_eval.main([*arguments, "--resume"]) == EXIT_INCOMPLETE
    assert attempts(checkout) == {"3": [COMPLETED], "5": [CRASHED, COMPLETED], "7": 4 * [CRASHED], "11": [COMPLETED]}


def test_repetitions_are_evaluations_of_their_own_with_seeds_of_their_own(checkout: Path):
    assert run_eval.main(command(checkout, "", "--repetitions", "2", "--route-ids", "3", "--seed", "4")) == EXIT_OK
    results = [attempt.result for attempt in read_ledger(checkout.parent / "run")[1]]
    told = [(result.route_id, result.seed) for result in results]
    assert told == [("RouteScenario_3_rep0", 4), ("RouteScenario_3_rep1", 5)]


@pytest.mark.parametrize(
    ("deeds", "words"),
    [("never-starts", "RuntimeError: nothing starts here"), ("reject@3", "rejects the agent's sensors")],
)
def test_an_evaluation_that_cannot_go_on_says_why(checkout: Path, deeds: str, words: str, capsys):
    assert run_eval.main(command(checkout, deeds)) == EXIT_INPUT
    assert words in capsys.readouterr().err
    assert left_running(checkout) == []


@pytest.mark.parametrize(
    ("command", "comes", "words"),
    [("", True, "MiniTown is served on 127.0.0.1:"), ("echo no way; exit 3 # {port}", False, "no way")],
    ids=["ours", "one that fails"],
)
def test_a_server_is_started_once_before_evaluators_wait_for_it(tmp_path: Path, command: str, comes: bool, words: str):
    servers = choose_servers(tmp_path, carla_version="0.9.16", carla_start=command)
    lock = reserve_block(*PORT_RANGE)
    try:
        assert start_once(servers, lock.port, tmp_path / "server.log") == comes
        assert words in (tmp_path / "server.log").read_text()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", lock.port))  # it has ended
    finally:
        lock.release()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_nothing_outlives_the_command(checkout: Path, number: int):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_eval.py"), *command(checkout, "hang@3", "--timeout", "100")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any("leaderboard_evaluator" in line for line in left_running(checkout)))
    wait_until(lambda: any("sleep 1000" in line for line in left_running(checkout)))
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_until(lambda: not left_running(checkout))


def test_a_checkout_that_lacks_something_is_refused_with_the_remedy(checkout: Path, capsys):
    shutil.rmtree(checkout / "api" / "agents" / "navigation")
    assert run_eval.main(command(checkout)) == EXIT_INPUT
    assert "PythonAPI/carla" in capsys.readouterr().err


def wait_until(happened, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
