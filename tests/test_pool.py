"""The worker pool loses nothing, whatever a route does to its worker. Workers are real processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import fake_drive
import pytest

from evaluation.pool import Interrupted, Pool, RouteEnded, RouteProgress, RouteStarted
from evaluation.tasks import CRASHED, NOT_SET_UP, RouteTask
from simulator.errors import EvaluationError


def tasks(agent: str = "fake", count: int = 4) -> list[RouteTask]:
    return [
        RouteTask(
            route_file="routes.xml",
            route_id=str(number),
            repetition=0,
            index=number - 1,
            agent=agent,
            seed=0,
            maps=None,
            missing_maps="error",
            suite="routes",
            town="Town01",
            scenario_name="Accident_1",
            scenario_type="Accident",
        )
        for number in range(1, count + 1)
    ]


def ended(pool: Pool) -> list[RouteEnded]:
    return [event for event in pool.events() if isinstance(event, RouteEnded)]


def final_results(pool: Pool) -> dict:
    return {event.task.route_id: event.attempt.result for event in ended(pool) if event.final}


def test_a_route_starts_progresses_and_ends():
    events = list(Pool(tasks(count=1), driver=fake_drive.NAME).events())
    assert [type(event) for event in events] == [RouteStarted, RouteProgress, RouteEnded]
    assert (events[1].tick, events[1].completion) == (1, 0.5)
    assert events[2].attempt.result.score_composed == 100.0


def test_results_do_not_depend_on_the_number_of_workers():
    one = final_results(Pool(tasks("fake:bump@2", 6), workers=1, driver=fake_drive.NAME))
    two = final_results(Pool(tasks("fake:bump@2", 6), workers=2, driver=fake_drive.NAME))
    assert len(one) == 6
    assert sorted(one.items()) == sorted(two.items())


def test_a_killed_worker_is_replaced_and_its_route_driven_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROUTEGYM_FAKE_MARKS", str(tmp_path))
    events = ended(Pool(tasks("fake:once-kill@2", 3), driver=fake_drive.NAME))
    assert [(e.task.route_id, e.attempt.number, e.final) for e in events] == [
        ("1", 1, True),
        ("2", 1, False),
        ("3", 1, True),
        ("2", 2, True),
    ]
    assert events[1].attempt.result.status == CRASHED
    assert events[3].attempt.result.status == "Perfect"
    assert "killed by SIGKILL" in events[3].attempt.result.notes[0]


def test_a_route_that_always_kills_its_worker_is_recorded_and_costs_nothing_else():
    results = final_results(Pool(tasks("fake:kill@2", 4), workers=2, driver=fake_drive.NAME))
    assert [results[key].status for key in "1234"] == ["Perfect", CRASHED, "Perfect", "Perfect"]
    assert len(results["2"].notes) == 2
    assert "attempt 2 failed: the worker was killed by SIGKILL" in results["2"].notes[1]
    assert (results["2"].score_composed, results["2"].score_penalty) == (0.0, 1.0)
    assert results["2"].scenario_type == "Accident"


def test_a_worker_that_has_grown_is_replaced_between_routes():
    pool = Pool(tasks("fake", 3), driver=fake_drive.NAME, memory_gb=0.001)
    found = ended(pool)
    assert [(e.task.route_id, e.attempt.number, e.attempt.reason) for e in found] == [(n, 1, "") for n in "123"]
    for event in found:
        (note,) = event.attempt.result.notes
        assert note.startswith("a fresh worker followed: the worker had grown to ")


def test_a_failing_simulator_is_not_held_against_the_agent():
    found = ended(Pool(tasks("fake:simulator@2", 3), driver=fake_drive.NAME))
    assert [(e.task.route_id, e.final) for e in found] == [("1", True), ("2", False), ("3", True), ("2", True)]
    assert {e.attempt.reason for e in found if e.task.route_id == "2"} == {"the server is gone"}
    assert found[-1].attempt.result.status == CRASHED


def test_when_no_simulator_works_the_rest_is_recorded_untried():
    deeds = ",".join(f"simulator@{number}" for number in range(1, 10))
    found = ended(Pool(tasks(f"fake:{deeds}", 9), driver=fake_drive.NAME))
    final = {e.task.route_id: e.attempt.reason for e in found if e.final}
    assert sorted(final) == list("123456789")
    untried = "not driven, as the simulator failed 6 times in a row; the last: the server is gone"
    assert final["9"] == untried


def test_a_worker_that_exits_by_itself_is_a_crash():
    events = ended(Pool(tasks("fake:exit@1", 1), driver=fake_drive.NAME))
    assert [e.attempt.reason for e in events] == ["the worker exited with code 7, at tick 1 (0.5 % of the route)"] * 2


def test_a_hanging_worker_is_killed_and_its_stack_logged(tmp_path: Path):
    pool = Pool(tasks("fake:hang@1", 2), driver=fake_drive.NAME, timeout_s=1.0, log_folder=tmp_path)
    results = final_results(pool)
    assert results["1"].status == CRASHED
    assert "no progress for 1 s" in results["1"].notes[0]
    assert results["2"].status == "Perfect"
    assert "drive_route" in (tmp_path / "worker-1.log").read_text()


@pytest.mark.parametrize(
    ("deed", "status", "reason"),
    [
        ("refuse", CRASHED, "route 1: position 1 is 12.0 m off the road; move it onto a lane"),
        ("agent", NOT_SET_UP, "weights.pt: no such file"),
        ("bug", CRASHED, "ZeroDivisionError: a bug (fake_drive.py:"),
        ("nan", CRASHED, "the result's score_penalty is nan"),
    ],
)
def test_a_route_that_raises_is_recorded_without_a_second_try(tmp_path: Path, deed: str, status: str, reason: str):
    events = ended(Pool(tasks(f"fake:{deed}@1", 2), driver=fake_drive.NAME, log_folder=tmp_path))
    assert [(e.task.route_id, e.final) for e in events] == [("1", True), ("2", True)]
    assert events[0].attempt.result.status == status
    assert reason in events[0].attempt.reason
    assert reason in events[0].attempt.result.notes[0]
    assert events[1].attempt.result.status == "Perfect"


def test_attempts_count_on_from_an_earlier_run():
    pool = Pool(
        tasks(count=1), driver=fake_drive.NAME, earlier={"RouteScenario_1_rep0": ["the worker ran away", "again"]}
    )
    (event,) = ended(pool)
    assert event.attempt.number == 3
    assert event.attempt.result.notes == ("attempt 1 failed: the worker ran away", "attempt 2 failed: again")


def test_output_of_an_agent_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    ended(Pool(tasks("fake:chatter@1", 1), driver=fake_drive.NAME, log_folder=tmp_path))
    assert "a print from an agent" in (tmp_path / "worker-1.log").read_text()
    assert capfd.readouterr().out == ""


def test_workers_that_cannot_start_end_the_run_with_a_message(tmp_path: Path):
    with pytest.raises(EvaluationError, match=r"workers cannot start .*worker-1\.log"):
        ended(Pool(tasks(), driver="no_such_module:drive", log_folder=tmp_path))
    assert "No module named 'no_such_module'" in (tmp_path / "worker-1.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_workers_at_once(number: signal.Signals):
    pool = Pool(tasks("fake:hang@1,hang@2", 4), workers=2, driver=fake_drive.NAME)
    before = signal.getsignal(number)
    events = pool.events()
    while not isinstance(next(events), RouteProgress):
        pass
    processes = [worker.process for worker in pool._workers]
    os.kill(os.getpid(), number)
    with pytest.raises(Interrupted):
        list(events)
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)
    assert signal.getsignal(number) is before


def test_closing_the_events_ends_all_workers():
    pool = Pool(tasks("fake:hang@1", 1), driver=fake_drive.NAME)
    events = pool.events()
    assert isinstance(next(events), RouteStarted)
    (worker,) = pool._workers
    events.close()
    assert worker.process.poll() is not None


def test_a_worker_ends_when_its_parent_is_gone():
    pool = Pool(tasks("fake:hang@1", 1), driver=fake_drive.NAME)
    events = pool.events()
    next(events)
    (worker,) = pool._workers
    worker.connection.close()  # what the worker sees when the parent is killed
    assert worker.process.wait(10) == 1
    events.close()


def test_times_of_an_attempt_are_in_order():
    before = time.time()
    (event,) = ended(Pool(tasks(count=1), driver=fake_drive.NAME))
    assert before <= event.attempt.started <= event.attempt.finished
