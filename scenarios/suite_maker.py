"""Makes route files: every scenario type laid where a town has room for it, by map queries and a seed.

`python -m scenarios.suite_maker [NAME ...]` writes the built-in suites. The same town and seed give the same files.

A recipe says where a type fits. Candidates are drawn in a random order, best spread over the town first, and kept when
the route traces and the scenario can be placed without a remark. Parameters are drawn from the ranges of the official
files (docs/bench2drive.md 1.5), the weather from its 23 cases.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenarios.compiler import compile_scripts
from scenarios.geometry import RouteGeometry, route_geometry
from scenarios.lane_points import LanePoint
from scenarios.route import Location, Route, ScenarioSpec, TriggerPoint, WeatherKeyframe
from scenarios.route_file import write_routes
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


@dataclass(frozen=True)
class Suite:
    """What a built-in suite holds."""

    town: str
    per_type: int
    first_id: int
    seed: int
    types: tuple[str, ...] = tuple(RECIPES)


SUITES: Mapping[str, Suite] = {
    "smoke": Suite("MiniTown", per_type=1, first_id=101, seed=1),
    "minitown60": Suite("MiniTown", per_type=5, first_id=1001, seed=2),
    "minitown220": Suite("MiniTown", per_type=5, first_id=2001, seed=3, types=tuple(BENCH2DRIVE_RECIPES)),
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
    weather = _shuffled(list(WEATHER_CASES), _draws(seed, "weather"))
    routes: list[Route] = []
    for kind in types:
        if kind not in ALL_RECIPES:
            raise ScenarioError(f"no recipe for scenario type '{kind}'; there are: {', '.join(ALL_RECIPES)}")
        for draft in _chosen(network, kind, ALL_RECIPES[kind], per_type, seed):
            case = weather[len(routes) % len(weather)]
            routes.append(_route(network.town, kind, draft, str(first_id + len(routes)), case))
    return routes


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
    write_routes(path, make_suite(network, suite.types, suite.per_type, seed=suite.seed, first_id=suite.first_id))
    return path


# Choosing places


def _chosen(network: RoadNetwork, kind: str, recipe: Recipe, count: int, seed: int) -> list[Draft]:
    """The first `count` candidates on which the scenario can be placed."""
    kept: list[Draft] = []
    candidates = _candidates(network, kind, recipe, seed)
    while len(kept) < count:
        drafts = [draft for draft, _ in zip(candidates, range(BATCH), strict=False)]
        if not drafts:
            raise ScenarioError(f"{network.town} has room for {len(kept)} routes of type {kind}, not for {count}")
        routes = [_route(network.town, kind, draft, str(i + 1), "0") for i, draft in enumerate(drafts)]
        for draft, route, geometry in zip(drafts, routes, lay_routes(network, routes), strict=True):
            if len(kept) == count or geometry is None or _is_near(draft, kept):
                continue
            if _fits(network, recipe, draft, route, geometry):
                kept.append(draft)
    return kept


def _is_near(draft: Draft, others: Sequence[Draft]) -> bool:
    return any(draft.trigger.place.distance(other.trigger.place) < APART for other in others)


def _fits(network: RoadNetwork, recipe: Recipe, draft: Draft, route: Route, geometry: RouteGeometry) -> bool:
    """Trace and path follow the lanes without a detour, the scenario is placed without a remark, the check holds."""
    meant = sum(s_to - s_from for _, s_from, s_to in draft.stretches)
    compiled = compile_scripts(network, route, geometry)
    lengths = geometry.path_end, float(geometry.trace_distance[-1])
    if any(abs(length - meant) > recipe.detour for length in lengths) or compiled.notes:
        return False
    return recipe.check(network.arrays, geometry, compiled.scenarios[0].script)


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
