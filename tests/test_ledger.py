"""The ledger keeps every finished attempt and refuses to mix runs."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.ledger import IDENTITY, LEDGER_NAME, Attempt, Ledger, decode_result, encode_result
from evaluation.tasks import CRASHED
from leaderboard_adapters.records import Infraction, RouteResult
from simulator.errors import EvaluationError

HEADER = {name: name for name in IDENTITY} | {"seed": 0, "routes": ("1", "2"), "workers": 1}


def a_result(route_id: str = "7", status: str = "Completed") -> RouteResult:
    return RouteResult(
        route_id=f"RouteScenario_{route_id}_rep0",
        scenario_name="Accident_1",
        scenario_type="Accident",
        town="Town01",
        weather_id=None,
        save_name="some name",
        status=status,
        infractions=(Infraction("red_light", "Agent ran a red light 3 at (x=1, y=2, z=0)", 31, 0.1 + 0.2),),
        score_route=99.123456,
        score_penalty=0.7,
        score_composed=1 / 3,
        route_length=1e-17,
        duration_game=20.05,
        duration_system=0.1,
        notes=("scenario adapted",),
    )


def an_attempt(route_id: str = "7", number: int = 1, status: str = "Completed") -> Attempt:
    return Attempt(route_id, 0, number, 1000.5, 1002.25, "", a_result(route_id, status))


def test_a_result_survives_its_json_bit_for_bit():
    assert decode_result(encode_result(a_result())) == a_result()


def test_a_result_that_is_not_finite_is_refused_by_field_name():
    with pytest.raises(ValueError, match="score_composed is nan"):
        encode_result(dataclasses.replace(a_result(), score_composed=float("nan")))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"infractions": [], "notes": [], "score": 1}'])
def test_a_stored_result_of_another_shape_is_refused(text: str):
    with pytest.raises(EvaluationError, match="cannot be read"):
        decode_result(text)


def test_attempts_come_back_after_reopening(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.start(HEADER)
        ledger.add(an_attempt("2", 1, CRASHED))
        ledger.add(an_attempt("2", 2))
        ledger.add(an_attempt("1"))
    with Ledger(tmp_path) as ledger:
        assert ledger.header()["routes"] == ["1", "2"]
        assert [(a.route_id, a.number) for a in ledger.attempts()] == [("1", 1), ("2", 1), ("2", 2)]
        assert ledger.last_attempts()["2", 0] == an_attempt("2", 2)


def test_a_crashed_attempt_does_not_count_as_driven():
    assert not an_attempt(status=CRASHED).driven
    assert not an_attempt(status="Failed - Agent couldn't be set up").driven
    assert an_attempt(status="Failed - Agent crashed").driven
    assert an_attempt(status="Failed - TickRuntime").driven


def test_an_attempt_is_on_disk_when_add_returns(tmp_path: Path):
    script = f"""
import os, signal, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from test_ledger import HEADER, Ledger, an_attempt
ledger = Ledger(Path({str(tmp_path)!r}))
ledger.start(HEADER)
ledger.add(an_attempt("1"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    with Ledger(tmp_path) as ledger:
        assert [a.route_id for a in ledger.attempts()] == ["1"]


def test_another_run_is_refused_and_every_difference_named(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.start(HEADER)
        with pytest.raises(EvaluationError) as caught:
            ledger.start(HEADER | {"seed": 1, "agent": "idle"})
        assert 'agent: there "agent", here "idle"' in str(caught.value)
        assert "seed: there 0, here 1" in str(caught.value)
        assert "suite" not in str(caught.value)
        assert ledger.header()["seed"] == 0


def test_what_is_no_part_of_the_identity_may_change(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.start(HEADER)
        ledger.start(HEADER | {"workers": 8})
        assert ledger.header()["workers"] == 8


def test_a_folder_in_use_is_refused(tmp_path: Path):
    with Ledger(tmp_path), pytest.raises(EvaluationError, match="in use by another run"):
        Ledger(tmp_path)
    Ledger(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot write to the run folder"):
        Ledger(tmp_path / "file" / "out")


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / LEDGER_NAME).write_text("something else entirely" * 100)
    with pytest.raises(EvaluationError, match="cannot be used"):
        Ledger(tmp_path)
    assert (tmp_path / LEDGER_NAME).read_text().startswith("something else")


def test_the_same_attempt_cannot_be_written_twice(tmp_path: Path):
    with Ledger(tmp_path) as ledger:
        ledger.add(an_attempt())
        with pytest.raises(EvaluationError, match="UNIQUE"):
            ledger.add(an_attempt())
