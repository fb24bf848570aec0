"""One route, one agent, one result: what `drive_route` makes of agents that arrive, stand, crash or answer nonsense."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sim_world import smoke

from agents import registry
from agents.autopilot import Autopilot
from evaluation.drive import PROGRESS_TICKS, checked_controls, drive_route
from evaluation.tasks import RouteTask, plan_run
from leaderboard_adapters.records import RouteResult
from simulator.errors import AgentError, RouteFileError

GOOD_TICKS = 120  # before a spoilt agent goes wrong


class SpoiltAgent(Autopilot):
    """Drives well for a while; then does what its argument says."""

    def __init__(self, deed: str = "raise") -> None:
        self._deed = deed

    def act(self) -> np.ndarray:
        controls = super().act()
        if self.batch.worlds["tick"][0] < GOOD_TICKS:
            return controls
        if self._deed == "raise":
            raise RuntimeError("out of memory")
        if self._deed == "nan":
            return controls * math.nan
        return controls[:, :2]


@pytest.fixture(autouse=True)
def spoilt_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "spoilt", (f"{__name__}:SpoiltAgent", "for tests"))


def task_for(scenario_type: str, agent: str, seed: int = 0) -> RouteTask:
    route = next(r.route for r in smoke().routes if r.route.scenario_type == scenario_type)
    return plan_run("smoke", agent=agent, seed=seed, route_ids=route.id).tasks[0]


def drive(task: RouteTask) -> RouteResult:
    return drive_route(task, lambda tick, percent: None)


def test_the_autopilot_arrives_with_a_full_record() -> None:
    task = task_for("PedestrianCrossing", "autopilot")
    result = drive(task)
    assert result.status in ("Completed", "Perfect")
    assert result.score_route == 100.0
    assert result.score_composed == pytest.approx(100.0 * result.score_penalty)
    assert result.route_id == f"RouteScenario_{task.route_id}_rep0"
    assert (result.town, result.scenario_type) == ("MiniTown", "PedestrianCrossing")
    assert result.scenario_name.startswith("PedestrianCrossing_")
    assert result.save_name.startswith(f"{result.route_id}_MiniTown_{result.scenario_name}")
    assert (result.agent, result.suite, result.seed, result.index) == ("autopilot", "smoke", 0, 0)
    assert 40.0 < result.route_length < 300.0
    assert result.duration_game == pytest.approx(0.05 * result.num_ticks, abs=0.2)
    assert result.duration_system > 0.0
    assert not result.synthetic


def test_comfort_is_measured_in_both_ways() -> None:
    result = drive(task_for("PedestrianCrossing", "autopilot"))
    assert result.comfort is not None
    assert result.comfort_corrected is not None
    assert 0.0 < result.comfort <= 1.0
    assert 0.0 < result.comfort_corrected <= 1.0


def test_standing_still_is_perfectly_comfortable_and_worth_nothing() -> None:
    result = drive(task_for("ParkedObstacle", "idle"))
    assert result.status == "Failed - Agent got blocked"
    assert result.score_composed < 5.0
    assert len(result.messages("vehicle_blocked")) == 1
    assert (result.comfort, result.comfort_corrected) == (1.0, 1.0)
    assert not result.success


@pytest.mark.parametrize("agent", ["autopilot", "random", "route-follower"])
def test_the_same_task_gives_the_same_result(agent: str) -> None:
    task = task_for("ParkingCutIn", agent, seed=3)
    first, second = (dataclasses.replace(drive(task), duration_system=0.0) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_drive() -> None:
    results = [drive(task_for("ParkingCutIn", "random", seed)) for seed in (1, 2)]
    assert results[0].infractions != results[1].infractions or results[0].score_route != results[1].score_route


@pytest.mark.parametrize(
    ("deed", "said"),
    [("raise", "RuntimeError: out of memory"), ("nan", "must be finite"), ("short", "shape (1, 3)")],
)
def test_an_agent_that_crashes_keeps_its_partial_score(deed: str, said: str) -> None:
    result = drive(task_for("PedestrianCrossing", f"spoilt:{deed}"))
    assert result.status == "Failed - Agent crashed"
    assert 3.0 < result.score_route < 60.0
    assert result.score_composed == pytest.approx(result.score_route * result.score_penalty, abs=1e-3)
    assert result.num_ticks == GOOD_TICKS
    assert any(f"tick {GOOD_TICKS}" in note and said in note for note in result.notes)
    assert result.comfort is not None


def test_what_the_agent_drove_before_it_crashed_counts_as_driven() -> None:
    crashed = drive(task_for("HardBreakRoute", "spoilt"))
    whole = drive(task_for("HardBreakRoute", "autopilot"))
    early = [i for i in whole.infractions if 0 <= i.tick < GOOD_TICKS and i.name != "min_speed_infractions"]
    late = [i for i in crashed.infractions if i.name != "min_speed_infractions"]
    assert early == late
    assert crashed.score_route < whole.score_route


def test_progress_is_reported_now_and_then() -> None:
    reports: list[tuple[int, float]] = []
    result = drive_route(task_for("PedestrianCrossing", "autopilot"), lambda *report: reports.append(report))
    ticks = [tick for tick, _ in reports]
    percents = [percent for _, percent in reports]
    assert ticks == list(range(PROGRESS_TICKS, result.num_ticks + 1, PROGRESS_TICKS))
    assert percents == sorted(percents)
    assert 0.0 < percents[-1] <= 100.0


def test_an_unknown_agent_is_refused_with_a_hint() -> None:
    with pytest.raises(AgentError, match="autopilot"):
        drive(task_for("ParkedObstacle", "autopilto"))


def test_an_agent_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(AgentError, match="constant:fast"):
        drive(task_for("ParkedObstacle", "constant:fast"))


def test_a_route_that_has_gone_from_its_file_is_refused() -> None:
    task = dataclasses.replace(task_for("ParkedObstacle", "idle"), route_id="999")
    with pytest.raises(RouteFileError, match="no route 999"):
        drive(task)


def test_repetitions_are_told_apart() -> None:
    first, second = plan_run("smoke", agent="idle", seed=4, repetitions=2).tasks[:2]
    assert (first.record_id[-5:], second.record_id[-5:]) == ("_rep0", "_rep1")
    assert (first.seed, second.seed) == (4, 5)


@pytest.mark.parametrize(
    "answer",
    [np.zeros(3), np.zeros((2, 3)), np.zeros((1, 2)), [[0.0, math.nan, 0.0]], [[math.inf, 0.0, 0.0]], [["a", 0, 0]]],
)
def test_controls_that_are_no_controls_are_refused(answer: object) -> None:
    with pytest.raises(ValueError):
        checked_controls(answer, 1)  # type: ignore[arg-type]


def test_controls_may_be_any_numbers() -> None:
    assert checked_controls([[1, 0, 0]], 1).tolist() == [[1.0, 0.0, 0.0]]  # type: ignore[arg-type]
