"""Training, validation and test routes share no place, and training knows every scenario type."""

from __future__ import annotations

from itertools import combinations

import pytest

from rl.routes_split import FOLDER, TEST, TRAINING, VALIDATION, apart, split
from scenarios.route_file import read_routes
from scenarios.suites import find_suite


@pytest.fixture(scope="module")
def splits():
    training, validation = (read_routes(FOLDER / f"{name}.xml") for name in (TRAINING, VALIDATION))
    return {"training": training, "validation": validation, "test": read_routes(find_suite(TEST))}


@pytest.mark.parametrize(("one", "other"), list(combinations(("training", "validation", "test"), 2)))
def test_no_two_splits_share_a_place_or_an_id(splits, one, other):
    assert apart(splits[one], splits[other]) == splits[one]
    assert {r.id for r in splits[one]}.isdisjoint(r.id for r in splits[other])


def test_every_type_of_the_test_is_trained_on(splits):
    kinds = {name: {route.scenario_type for route in routes} for name, routes in splits.items()}
    assert len(kinds["test"]) == 44
    assert kinds["training"] == kinds["test"]
    assert len(kinds["validation"]) >= 43


def test_the_files_are_what_the_split_makes_of_their_routes(splits):
    order = {kind: k for k, kind in enumerate(dict.fromkeys(r.scenario_type for r in splits["test"]))}
    routes = sorted(splits["training"] + splits["validation"], key=lambda r: (order[r.scenario_type], int(r.id)))
    training, validation = split(routes)
    assert {r.id for r in training} == {r.id for r in splits["training"]}
    assert {r.id for r in validation} == {r.id for r in splits["validation"]}
