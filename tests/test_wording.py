"""Scenario scripts in plain words: every word of the vocabulary, and what strands wait for, row by row."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sim_world import smoke

from scenarios import vocabulary
from scenarios.geometry import Polyline
from scenarios.opcodes import FIRST_COMMAND, Op
from scenarios.vocabulary import (
    AheadOfEgo,
    Between,
    Drove,
    EgoSpeed,
    Flow,
    HoldLights,
    Member,
    Near,
    Passed,
    Place,
    Raise,
    Stands,
    Wait,
    Walk,
)
from scenarios.wording import _SAYINGS, StrandWords, in_words, is_condition
from simulator.state import LightState

HERE = Place(10.0, -20.0, 0.0, 0.0)
WORDS = [
    kind
    for kind in vars(vocabulary).values()
    if dataclasses.is_dataclass(kind) and kind not in (Member, Flow) and hasattr(kind, "rows")
]


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_every_word_has_a_saying(kind: type) -> None:
    assert kind in _SAYINGS


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (Wait(5.0), "5 s have gone by"),
        (Wait(Between(0.0, 1.5)), "0 to 1.5 s have gone by"),
        (Near("car", 50.0), "the ego is less than 50 m from 'car'"),
        (Near(HERE, 2.0), "the ego is less than 2 m from (10, -20)"),
        (Passed(HERE), "the ego has passed (10, -20)"),
        (Passed(HERE, 50.0), "the ego has passed (10, -20), within 50 m of it"),
        (Drove(15.0), "the ego has gone 15 m"),
        (Drove(15.0, "side"), "'side' has gone 15 m"),
        (Stands("walker"), "'walker' has come to its end"),
        (Stands("walker", 4.0), "'walker' has come to its end (or had 4 s for it)"),
        (AheadOfEgo("vehicle", 10.0), "'vehicle' is ahead of the ego, within 10 m"),
        (Walk("walker", 2.0, 8.0), "'walker' sets out at 7 km/h for 8 m"),
        (Walk("walker", EgoSpeed(0.8)), "'walker' sets out at 80 % of the ego's speed"),
        (Walk("walker", EgoSpeed(plus=25.0)), "'walker' sets out at the ego's speed +90 km/h"),
        (Raise(("car", "sign")), "'car', 'sign' appear"),
        (Raise(("cone 1", "cone 2", "cone 3", "car")), "'cone 1' to 'cone 3', 'car' appear"),
        (HoldLights(0, LightState.RED, ((3, LightState.RED),)), "lights of the junction are held red"),
        (HoldLights(0, LightState.RED, ((3, LightState.GREEN),)), "lights of the junction are held red, 1 green"),
    ],
)
def test_what_words_say(word: vocabulary.Word, said: str) -> None:
    assert in_words(word) == said


def test_a_word_of_another_package_goes_by_its_name() -> None:
    @dataclasses.dataclass(frozen=True)
    class RainFalls:
        def rows(self, names: vocabulary.Names) -> list[vocabulary.Instruction]:
            return [vocabulary.Instruction(Op.FOREVER)]

    assert in_words(RainFalls()) == "rain falls"
    assert is_condition(RainFalls())


def test_rows_and_words_of_all_smoke_scenarios_agree() -> None:
    for route in smoke().routes:
        for scenario in route.compiled.scenarios:
            words = StrandWords(scenario)
            assert len(words) == len(scenario.strands) - 2
            for strand, rows in enumerate(scenario.strands[:-2]):
                assert words.waits(strand, len(rows)) == ""
                for k, row in enumerate(rows):
                    assert words.waits(strand, k)
                    assert words.stands_at_end(strand, k) == (row.op == Op.END)
                    because, done = words.step(strand, k, k + 1)
                    assert bool(because) == (row.op < FIRST_COMMAND)
                    assert bool(done) == (row.op >= FIRST_COMMAND)


def test_places_are_told_from_the_trigger() -> None:
    route = next(route for route in smoke().routes if route.route.scenario_type == "ParkedObstacle")
    words = StrandWords(route.compiled.scenarios[0])
    because, done = words.step(0, 0, 2)
    assert because.startswith("the ego has passed the place ")
    assert because.endswith(" m from the trigger")
    assert done[0].startswith("traffic ahead leaves")
    assert words.ends_because(0) == because
    assert words.ends_because(1) == ""


def test_a_polyline_is_no_part_of_what_is_said() -> None:
    line = Polyline(*(np.zeros(2) for _ in range(4)), step=1.0)
    said = in_words(vocabulary.Follow("car", line, 10.0, metres=30.0))
    assert said == "'car' sets out at 36 km/h for 30 m"
    assert in_words(vocabulary.Chase("car", Between(1.0, 2.0), 5.0, math.pi)).startswith(
        "the scenario ends, while 'car'"
    )
