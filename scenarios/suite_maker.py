"""Makes route files: every scenario type laid where a town has room for it, by map queries and a seed.

`python -m scenarios.suite_maker [NAME ...]` writes the built-in suites. The same town and seed give the same files.

A recipe says where a type fits. Candidates are drawn in a random order, best spread over the town first, and kept when
the route traces and the scenario can be placed without a remark. Parameters are drawn from the ranges of the official
files (docs/bench2drive.md 1.5), the weather from its 23 cases.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from scenarios.compiler import compile_scripts
from scenarios.geometry import RouteGeometry, route_geometry
from scenarios.lane_points import LanePoint
from scenarios.route import Location, Route, ScenarioSpec, TriggerPoint, WeatherKeyframe
from scenarios.route_file import write_routes
from scenarios.suite_picks import HARD_ROUTES
from scenarios.suite_recipes import RECIPES, Draft, Recipe
from scenarios.suite_recipes_more import ALL_RECIPES, BENCH2DRIVE_RECIPES
from scenarios.weather import WEATHER_CASES
from simulator.errors import RouteError, ScenarioError
from simulator.roads.matching import match_route
from simulator.roads.network import RoadNetwork
from simulator.roads.path import route_path
from simulator.roads.planner import trace_routes
from simulator.roads.towns import load_named_town

SUITES_FOLDER = Path(__file__).parent / "suites"
APART = 20.0  # metres between the triggers of two routes of one type, at least
BATCH = 8  # candidates that are traced together
MOST_CANDIDATES = 240  # that are looked at for one type


@dataclass(frozen=True)
class Suite:
    """What a built-in suite holds."""

    town: str
    per_type: int
    first_id: int
    seed: int
    types: tuple[str, ...] = tuple(RECIPES)
    picked: tuple[str, ...] = ()  # only the routes with these ids


SUITES: Mapping[str, Suite] = {
    "smoke": Suite("MiniTown", per_type=1, first_id=101, seed=1),
    "minitown60": Suite("MiniTown", per_type=5, first_id=1001, seed=2),
    "minitown220": Suite("MiniTown", per_type=5, first_id=2001, seed=3, types=tuple(BENCH2DRIVE_RECIPES)),
    "hard": Suite(
        "MiniTown", per_type=5, first_id=2001, seed=3, types=tuple(BENCH2DRIVE_RECIPES), picked=tuple(HARD_ROUTES)
    ),
}


def make_suite(
    network: RoadNetwork, types: Sequence[str], per_type: int, *, seed: int = 0, first_id: int = 1
) -> list[Route]:
    """Routes for some scenario types on one town.

    Args:
        network: the town.
        types: names of scenario types that have a recipe.
        per_type: routes for each.
        seed: of places, parameters and weather.
        first_id: id of the first route; the others count on.

    Raises:
        ScenarioError: when a type has no recipe, or the town no room for so many routes of it.
    """
    made = lay_suite(network, types, per_type, seed=seed, first_id=first_id, limit=None)
    for kind, reason in made.left_out.items():
        raise ScenarioError(f"{network.town}: {kind}: {reason}")
    return made.routes


@dataclass(frozen=True)
class LaidSuite:
    """Routes that a town has room for, and what it lacks."""

    routes: list[Route]
    left_out: dict[str, str]  # scenario type -> why there are fewer routes of it than wanted


def lay_suite(
    network: RoadNetwork,
    types: Sequence[str],
    per_type: int,
    *,
    seed: int = 0,
    first_id: int = 1,
    limit: int | None = MOST_CANDIDATES,
    progress: Callable[[str, int], None] = lambda kind, count: None,
) -> LaidSuite:
    """As `make_suite`, but a type for which the town has little or no room gets as many routes as there are.

    Args:
        limit: candidates that are looked at for one type; None: all of them.
        progress: is told each type and how many routes it has got.

    Raises:
        ScenarioError: when a type has no recipe.
    """
    weather = _shuffled(list(WEATHER_CASES), _draws(seed, "weather"))
    made = LaidSuite([], {})
    for kind in types:
        if kind not in ALL_RECIPES:
            raise ScenarioError(f"no recipe for scenario type '{kind}'; there are: {', '.join(ALL_RECIPES)}")
        drafts, looked_at = _chosen(network, kind, ALL_RECIPES[kind], per_type, seed, limit)
        for draft in drafts:
            case = weather[len(made.routes) % len(weather)]
            made.routes.append(_route(network.town, kind, draft, str(first_id + len(made.routes)), case))
        progress(kind, len(drafts))
        if len(drafts) < per_type:
            made.left_out[kind] = f"room for {len(drafts)} routes, not for {per_type}: {_told(looked_at, len(drafts))}"
    return made


def write_suite(name: str, folder: Path = SUITES_FOLDER) -> Path:
    """Make a built-in suite again and write its file.

    Raises:
        ScenarioError: for a name that is none of `SUITES`.
    """
    if name not in SUITES:
        raise ScenarioError(f"no built-in suite '{name}'; there are: {', '.join(SUITES)}")
    suite = SUITES[name]
    network = load_named_town(suite.town, None)
    path = folder / f"{name}.xml"
    routes = make_suite(network, suite.types, suite.per_type, seed=suite.seed, first_id=suite.first_id)
    write_routes(path, [route for route in routes if not suite.picked or route.id in suite.picked])
    return path


# Choosing places


def _chosen(
    network: RoadNetwork, kind: str, recipe: Recipe, count: int, seed: int, limit: int | None
) -> tuple[list[Draft], Counter[str]]:
    """The first `count` candidates on which the scenario can be placed, and what became of all that were looked at."""
    kept: list[Draft] = []
    fates: Counter[str] = Counter()
    candidates = islice(_candidates(network, kind, recipe, seed), limit)
    while len(kept) < count:
        drafts = list(islice(candidates, BATCH))
        if not drafts:
            break
        routes = [_route(network.town, kind, draft, str(i + 1), "0") for i, draft in enumerate(drafts)]
        for draft, route, geometry in zip(drafts, routes, lay_routes(network, routes), strict=True):
            if len(kept) == count:
                break
            fate = "cannot be traced"
            if _is_near(draft, kept):
                fate = "are too near to one that is taken"
            elif geometry is not None:
                fate = _misfit(network, recipe, draft, route, geometry)
            if fate == "":
                kept.append(draft)
            else:
                fates[fate] += 1
    return kept, fates


def _told(fates: Counter[str], kept: int) -> str:
    """What became of candidates, most frequent first."""
    if not fates:
        return "there are no other places of this kind" if kept else "no road or junction has what it needs"
    return "of the other places " + ", ".join(f"{number} {fate}" for fate, number in fates.most_common(3))


def _is_near(draft: Draft, others: Sequence[Draft]) -> bool:
    return any(draft.trigger.place.distance(other.trigger.place) < APART for other in others)


def _misfit(network: RoadNetwork, recipe: Recipe, draft: Draft, route: Route, geometry: RouteGeometry) -> str:
    """What is wrong with a laid route; empty where trace and path follow the lanes and the scenario is placed."""
    meant = sum(s_to - s_from for _, s_from, s_to in draft.stretches)
    lengths = geometry.path_end, float(geometry.trace_distance[-1])
    if any(abs(length - meant) > recipe.detour for length in lengths):
        return "take a detour"
    compiled = compile_scripts(network, route, geometry)
    if compiled.notes:
        return "have no room for the scenario (" + compiled.notes[0].partition("): ")[2] + ")"
    if not recipe.check(network.arrays, geometry, compiled.scenarios[0].script):
        return "let a driver through who does not look"
    return ""


def _candidates(network: RoadNetwork, kind: str, recipe: Recipe, seed: int) -> Iterator[Draft]:
    """Drafts in a random order, each road's first before any road's second."""
    draws = _draws(seed, kind)
    starts = _shuffled(list(recipe.starts(network.arrays)), draws)
    rounds: dict[int, list[LanePoint]] = {}
    met: dict[tuple[int, ...], int] = {}
    for start in starts:
        key = recipe.key(start)
        rounds.setdefault(met.get(key, 0), []).append(start)
        met[key] = met.get(key, 0) + 1
    for turn in sorted(rounds):
        for start in rounds[turn]:
            draft = recipe.draft(start, draws)
            if draft is not None:
                yield draft


def lay_routes(network: RoadNetwork, routes: Sequence[Route]) -> list[RouteGeometry | None]:
    """Geometry of each route, None where it cannot be traced."""
    positions = [np.array(route.positions) for route in routes]
    try:
        traces = trace_routes(network.xodr, network.town, positions)
        return [
            route_geometry(trace, route_path(network, match_route(network, p)))
            for trace, p in zip(traces, positions, strict=True)
        ]
    except RouteError:
        if len(routes) == 1:
            return [None]
        return [lay_routes(network, [route])[0] for route in routes]


# Writing routes


def _route(town: str, kind: str, draft: Draft, route_id: str, case: str) -> Route:
    trigger = draft.trigger.place
    spec = ScenarioSpec(
        name=f"{kind}_1",
        type=kind,
        trigger_point=TriggerPoint(*_rounded(trigger[:3]), yaw=round(float(np.degrees(trigger.yaw)) % 360.0, 1)),
        parameters=draft.parameters,
        route_id=route_id,
    )
    weathers = tuple(WeatherKeyframe(percent, WEATHER_CASES[case]) for percent in (0.0, 100.0))
    return Route(route_id, town, _positions(draft), (spec,), weathers)


def _positions(draft: Draft) -> tuple[Location, ...]:
    """Evenly spaced positions along stretches of lanes, but none in junctions, where lanes overlap; one at the end."""
    net = draft.trigger.net
    found: list[Location] = []
    due = 0.0
    for lane, s_from, s_to in draft.stretches:
        s = s_from + due
        while s <= s_to:
            if net.lane_junction[lane] < 0:
                found.append(Location(*_rounded(LanePoint(net, lane, s).place[:3])))
            s += draft.pitch
        due = s - s_to
    if due < draft.pitch - 0.5:
        lane, _, s_to = draft.stretches[-1]
        found.append(Location(*_rounded(LanePoint(net, lane, s_to).place[:3])))
    return tuple(found)


def _rounded(point: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 1) + 0.0 for v in point)
    return x, y, z


def _draws(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(what.encode())])


def _shuffled(items: list, draws: np.random.Generator) -> list:  # type: ignore[type-arg]
    return [items[i] for i in draws.permutation(len(items))]


if __name__ == "__main__":
    for suite_name in sys.argv[1:] or SUITES:
        print(write_suite(suite_name))
