"""Training, validation and test routes of MiniTown that share no place: `python -m rl.routes_split` writes the files.

It takes minutes on one core, and writes the same bytes every time.

| split | routes | for |
|---|---|---|
| test | `minitown220`, all of it | what is reported; no decision about training looks at it |
| validation | one of each scenario type that has at least three free places | best checkpoint, early stop |
| training | all others | |

All places come from `scenarios.suite_maker`, with a seed of their own. A place is free when its trigger point is at
least 20 m from every trigger point of its type in the test split; the suite maker keeps places of one type 20 m apart
anyway, so that the same holds between training and validation. Roads, junctions and the rules of traffic are those of
one town: what is held out are the places, parameters, traffic and weather of the scenarios. For roads never seen, see
other towns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from scenarios.route import Route
from scenarios.route_file import read_routes, write_routes
from scenarios.suite_maker import APART, lay_suite
from scenarios.suite_recipes_more import BENCH2DRIVE_RECIPES
from scenarios.suites import find_suite
from simulator.roads.towns import load_named_town

FOLDER = Path(__file__).parent / "routes"
TRAINING, VALIDATION, TEST = "minitown_train", "minitown_validation", "minitown220"
PER_TYPE = 24  # places that are looked for, of each type
SEED = 11
FIRST_ID = 5001


def distance(a: Route, b: Route) -> float:
    """Metres between the first trigger points of two routes."""
    p, q = a.scenarios[0].trigger_point, b.scenarios[0].trigger_point
    return math.hypot(p.x - q.x, p.y - q.y)


def apart(routes: Sequence[Route], others: Sequence[Route]) -> list[Route]:
    """Those of `routes` that are at least `APART` metres from all `others` of their type."""
    return [
        route
        for route in routes
        if all(distance(route, other) >= APART for other in others if other.scenario_type == route.scenario_type)
    ]


def split(routes: Sequence[Route]) -> tuple[list[Route], list[Route]]:
    """Training and validation routes of places that are free."""
    training: list[Route] = []
    validation: list[Route] = []
    for kind in dict.fromkeys(route.scenario_type for route in routes):
        of_kind = [route for route in routes if route.scenario_type == kind]
        held = 1 if len(of_kind) >= 3 else 0
        validation += of_kind[:held]
        training += of_kind[held:]
    return training, validation


def main() -> None:
    """Write both files."""
    laid = lay_suite(
        load_named_town("MiniTown", None), tuple(BENCH2DRIVE_RECIPES), PER_TYPE, seed=SEED, first_id=FIRST_ID
    )
    training, validation = split(apart(laid.routes, read_routes(find_suite(TEST))))
    for name, routes in ((TRAINING, training), (VALIDATION, validation)):
        write_routes(FOLDER / f"{name}.xml", routes)
        print(f"{FOLDER / name}.xml: {len(routes)} routes")


if __name__ == "__main__":
    main()
