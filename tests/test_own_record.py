"""What our files tell beside the official fields: it comes back whole, and does not touch what official tools read."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from result_samples import driven, hit, outside_lanes, records, speed

from evaluation.ledger import decode_result, encode_result
from leaderboard_adapters.official_json import (
    checkpoint_document,
    merged_document,
    parse_result_document,
    record_document,
)
from leaderboard_adapters.own_record import RunInfo, joined_run, same_run
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.result_checks import row_contradictions
from leaderboard_adapters.story import Circumstances, Happening, Involved, Moment, Part, ScenarioState
from simulator.errors import EvaluationError, ResultFileError

RUN = RunInfo(
    suite="smoke",
    suite_digest="ab12",
    suite_routes=12,
    routes={"101": "ParkedObstacle", "102": ""},
    agent="expert",
    seed=7,
    world="routegym-embedded/2",
    scorer="bench2drive-0.0.4",
)


SEEN = Circumstances(
    speed=11.5,
    x=1.0,
    y=-2.25,
    percent=31.5,
    standing=0.5,
    actors=(Involved(101, "vehicle.audi.tt", "scenario", Part.HIT, "ParkedObstacle_1", "car", 4.5, 0.125),),
    scenarios=(
        ScenarioState("ParkedObstacle_1", "running", seconds=5.25, waits=("the scenario ends", "5 s have gone by")),
        ScenarioState("Accident_2", "ahead", metres=60.0),
    ),
)
TIMELINE = (
    Moment(1, Happening.TRIGGER, "triggers", "ParkedObstacle_1", speed=3.0, percent=2.0),
    Moment(30, Happening.PHASE, "'car' sets out", "ParkedObstacle_1", because="5 s have gone by"),
    Moment(600, Happening.ROUTE_END, "Failed", circumstances=dataclasses.replace(SEEN, actors=())),
)


def ours(**fields: Any) -> RouteResult:
    """A result with a value in every field that official files do not know."""
    infractions = (
        dataclasses.replace(hit("collisions_vehicle"), tick=40, circumstances=SEEN),
        dataclasses.replace(hit("collisions_vehicle"), tick=55),
        dataclasses.replace(outside_lanes(12.345678901), tick=60),
        dataclasses.replace(speed(0.0), tick=61),
        dataclasses.replace(speed(140.0), tick=80),
    )
    told: dict[str, Any] = {
        "num_ticks": 600,
        "seed": 7,
        "agent": "expert",
        "suite": "smoke",
        "world": "routegym-embedded/2",
        "scorer": "bench2drive-0.0.4",
        "attempt": 2,
        "comfort": 0.25,
        "comfort_corrected": 1 / 3,
        "first_junction": (27, 72),
        "scenarios_missing": ("Accident_2",),
        "notes": ("attempt 1 failed: the worker was killed", "adapted"),
        "timeline": TIMELINE,
    }
    return driven(101, "ParkedObstacle", 100, *infractions, **{**told, **fields})


def read_back(result: RouteResult) -> RouteResult:
    document = json.loads(json.dumps(checkpoint_document([result])))
    return parse_result_document(document, "memory.json").results[0]


def test_a_result_of_ours_comes_back_whole_from_its_file() -> None:
    for result in (ours(), ours(synthetic=True), ours(comfort=None, first_junction=None, notes=())):
        assert read_back(result) == result


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(records(), st.none() | st.tuples(st.integers(1, 50), st.integers(50, 90)), st.lists(st.text(), max_size=2))
def test_any_result_of_ours_comes_back(result: RouteResult, junction: tuple[int, int] | None, notes: list[str]) -> None:
    result = dataclasses.replace(result, world="w", first_junction=junction, notes=tuple(notes), scenario_type="Other")
    assert read_back(result) == result


def test_official_fields_are_the_same_with_and_without_ours() -> None:
    own = record_document(ours(synthetic=True))
    official = record_document(dataclasses.replace(ours(), world=""))
    assert {key: own[key] for key in official} == official
    assert set(own) - set(official) == {"routegym", "synthetic"}


def test_a_list_that_was_edited_is_noticed() -> None:
    document = checkpoint_document([ours()])
    record = document["_checkpoint"]["records"][0]
    record["infractions"]["collisions_vehicle"].pop()
    record["num_infractions"] -= 1
    result = parse_result_document(document, "memory.json").results[0]
    assert [i.tick for i in result.infractions] == [-1, 60, 61, 80]
    assert all(i.circumstances is None for i in result.infractions)
    assert "infraction_ticks tells of 2 collisions_vehicle, the list holds 1" in row_contradictions(result)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("seed", "7", r"records\[0\]\.routegym\.seed: expected a whole number, found \"7\""),
        ("first_junction", [80, 72], r"routegym\.first_junction: expected \[waypoints up to the first junction"),
        ("notes", "one", r"routegym\.notes: expected a list"),
        ("synthetic", 1, r"routegym\.synthetic: expected true or false"),
        ("comfort", "high", r"routegym\.comfort: expected a number"),
        ("infraction_ticks", {"red_light": 3}, r"routegym\.infraction_ticks\.red_light: expected a list"),
        ("timeline", [{"tick": 1, "kind": "trigger"}], r"timeline\[0\]\.text is missing"),
        (
            "timeline",
            [{"tick": 1, "kind": "magic", "text": ""}],
            r"timeline\[0\]\.kind: expected one of staged, trigger",
        ),
        (
            "infraction_circumstances",
            {"collisions_vehicle": [{"speed": "fast", "x": 0.0, "y": 0.0, "percent": 0.0}, None]},
            r"collisions_vehicle\[0\]\.speed: expected a number, found \"fast\"",
        ),
    ],
)
def test_a_malformed_value_is_named(key: str, value: Any, says: str) -> None:
    document = checkpoint_document([ours()])
    document["_checkpoint"]["records"][0]["routegym"][key] = value
    with pytest.raises(ResultFileError, match=says):
        parse_result_document(document, "eval.json")


def test_files_of_an_earlier_version_are_read_without_a_story() -> None:
    document = checkpoint_document([ours()])
    own = document["_checkpoint"]["records"][0]["routegym"]
    del own["timeline"], own["infraction_circumstances"]
    result = parse_result_document(document, "memory.json").results[0]
    assert result.timeline == ()
    assert [infraction.circumstances for infraction in result.infractions] == [None] * 5
    assert result.infractions[0].tick == 40


def test_a_result_keeps_its_story_in_the_ledger() -> None:
    assert decode_result(encode_result(ours())) == ours()
    stored = json.loads(encode_result(ours()))
    del stored["timeline"], stored["infractions"][0]["circumstances"]
    earlier = decode_result(json.dumps(stored))
    assert (earlier.timeline, earlier.infractions[0].circumstances) == ((), None)
    stored["timeline"] = [{"tick": "early"}]
    with pytest.raises(EvaluationError, match="timeline"):
        decode_result(json.dumps(stored))


def test_the_run_comes_back_from_checkpoint_and_merged_file() -> None:
    for document in (checkpoint_document([ours()], 2, run=RUN), merged_document([ours()], 2, run=RUN)):
        assert parse_result_document(copy.deepcopy(document), "memory.json").run == RUN
        del document["routegym"]["world"]
        with pytest.raises(ResultFileError, match=r"routegym\.world is missing"):
            parse_result_document(document, "memory.json")


def test_shards_of_one_run_are_joined_and_others_are_not() -> None:
    rest = dataclasses.replace(RUN, routes={"103": "Accident"})
    joined = joined_run([RUN, rest])
    assert joined is not None
    assert list(joined.routes) == ["101", "102", "103"]
    assert joined.suite_label == "3 of the 12 routes of smoke"
    for change in ({"agent": "idle"}, {"seed": 8}, {"world": "routegym-embedded/3"}, {"synthetic": True}):
        other = dataclasses.replace(rest, **change)
        assert not same_run([RUN, other])
        assert joined_run([RUN, other]) is None
    assert not same_run([RUN, None])
    assert joined_run([None, None]) is None
