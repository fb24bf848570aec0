"""Where results were driven, in words, and which of them are not compared."""

from __future__ import annotations

import dataclasses

import pytest
from result_samples import driven

from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.report import compare
from leaderboard_adapters.sheet import sheet_of_results
from leaderboard_adapters.worlds import incomparable, is_embedded, maps_label
from simulator import WORLD

OURS = {"world": "routegym-embedded/2", "suite": "smoke", "scorer": "bench2drive-0.0.4"}


def test_kinds_of_map_have_their_words() -> None:
    assert maps_label([driven(1, town="MiniTown")]) == "embedded town MiniTown"
    assert maps_label([driven(1, town="Town10HD"), driven(2, town="Town01")]) == "CARLA towns"
    assert maps_label([driven(1, town="Town12", synthetic=True)]) == "synthetic corridors"
    assert maps_label([driven(1, town="Springfield")]) == "town Springfield"
    both = [driven(1, town="MiniTown"), driven(2, town="Town01"), driven(3, town="Town12", synthetic=True)]
    assert maps_label(both) == "CARLA towns and embedded town MiniTown and synthetic corridors"
    assert maps_label([]) == ""


def test_the_world_of_this_package_is_an_embedded_one() -> None:
    assert is_embedded(WORLD)
    assert not is_embedded("")
    assert not is_embedded("carla/0.9.15")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({}, {}, ""),
        (OURS, OURS, ""),
        (OURS, {**OURS, "agent": "idle", "seed": 3}, ""),
        (OURS, {}, "different worlds (routegym-embedded/2 and not told)"),
        (OURS, {**OURS, "world": "routegym-embedded/3"}, "different worlds (routegym-embedded/2 and "),
        ({"world": "carla/0.9.15"}, {}, ""),
        ({"world": "carla/0.9.15"}, {"world": "carla/0.9.16"}, "different worlds"),
        ({"world": "carla 0.9.16 server, traffic routegym/2"}, {}, "different worlds"),
        (OURS, {**OURS, "suite": "minitown60"}, "different suites (smoke and minitown60)"),
        (OURS, {**OURS, "scorer": "bench2drive-0.0.3"}, "different scorers"),
        (OURS, {**OURS, "synthetic": True}, "different kinds of map (maps and synthetic corridors)"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(first: dict, second: dict, reason: str) -> None:
    def results(fields: dict) -> list[RouteResult]:
        return [dataclasses.replace(driven(number), **fields) for number in (1, 2)]

    said = incomparable(results(first), results(second))
    assert said.startswith(reason) if reason else said == ""
    sheets = [sheet_of_results("x", results(fields), total=2) for fields in (first, second)]
    comparison = compare(*sheets)
    assert comparison.refused == said
    assert (comparison.driving_score is None) == bool(reason)
