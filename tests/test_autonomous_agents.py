"""Leaderboard agent files in the embedded town: `--agent official:FILE[:CONFIG]`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agents.registry import make_agent
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from evaluation.drive import drive_route
from evaluation.tasks import RouteTask, plan_run
from leaderboard_adapters.records import RouteResult
from simulator.errors import AgentError

FILES = Path(__file__).with_name("agent_files")
STRAIGHT = f"official:{FILES / 'straight_agent.py'}"
DIFFICULT = f"official:{FILES / 'difficult_agent.py'}"
HARMLESS = "112"  # ControlLoss: a route without anybody in the way


def task(agent: str, route: str = "101") -> RouteTask:
    plan = plan_run("smoke", agent=agent, seed=0, route_ids=route)
    return dataclasses.replace(plan.tasks[0])


def drive(agent: str, route: str = "101") -> RouteResult:
    return drive_route(task(agent, route), lambda tick, completion: None)


@pytest.fixture
def destroyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File that the difficult agent writes its number of steps to in `destroy`."""
    file = tmp_path / "destroyed"
    monkeypatch.setenv("DESTROYED", str(file))
    return file


def test_an_agent_file_drives_by_its_sensors_and_its_plan():
    result = drive(f"{STRAIGHT}:7.0", HARMLESS)
    assert result.score_route == 100
    assert not any(infraction.name == "route_dev" for infraction in result.infractions)
    assert result.agent == f"{STRAIGHT}:7.0"


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("setup", "FileNotFoundError: weights.pt (difficult_agent.py:"),
        ("depth", "sensor.camera.depth is not allowed in track SENSORS"),
        ("two gps", "2 sensors of type sensor.other.gnss; track SENSORS allows 1"),
    ],
)
def test_an_agent_that_cannot_be_set_up_says_why(deed: str, words: str, destroyed: Path):
    with pytest.raises(AgentError) as error:
        drive(f"{DIFFICULT}:{deed}")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("step", "ZeroDivisionError: a bug (difficult_agent.py:"),
        ("exit", "the process of difficult_agent.py exited with code 3"),
        ("nan", "controls must be finite"),
        ("world", "run_eval.py --official"),
    ],
)
def test_a_crash_of_the_agent_ends_the_route_with_its_score(deed: str, words: str, destroyed: Path):
    result = drive(f"{DIFFICULT}:{deed}")
    assert result.status == "Failed - Agent crashed"
    assert words in result.notes[-1]
    assert result.num_ticks == 2


def test_destroy_is_called_at_the_end_of_each_route(destroyed: Path):
    batch = WorldBatch(load_routes("smoke"), 1)
    agent = make_agent(f"{DIFFICULT}:metrics")
    try:
        agent.bind(batch)
        for _ in range(2):
            batch.reset(0, EpisodeStart(route=0, seed=0))
            agent.reset(0, 0)
            for _ in range(4):
                batch.tick(agent.act())
    finally:
        agent.close()
    assert destroyed.read_text() == "4"


@pytest.mark.parametrize("argument", ["", ":nowhere.py", ":nowhere.py:config", f":{FILES}"])
def test_a_file_that_is_not_there_is_refused(argument: str):
    with pytest.raises(AgentError, match=r"official:FILE\.py"):
        make_agent(f"official{argument}")
