"""Where the first junction of a route lies, for the Traffic_Signs rule on results that do not tell it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leaderboard_adapters.abilities import ABILITIES, SIGNS, first_junction, passes_junction
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.result_checks import Finding, counted, ids_of
from scenarios.route import Route
from simulator.errors import MapError, RouteError
from simulator.roads.towns import find_town

#: A route that was driven on the same map has the same traced length, up to the rounding in the files.
LENGTH_TOLERANCE_M = 0.01


@dataclass(frozen=True)
class TracedJunction:
    """A route traced on a map: `first_junction` as in `abilities`, and its official length in metres."""

    first_junction: tuple[int, int]
    length: float


@dataclass(frozen=True)
class TracedJunctions:
    """Routes by id. `failed`: why some could not be traced; `missing_towns`: towns without a map."""

    routes: Mapping[str, TracedJunction] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    missing_towns: tuple[str, ...] = ()


def trace_junctions(routes: Iterable[Route], maps: Path | None) -> TracedJunctions:
    """Trace the routes that show traffic signs, on the towns whose maps are in `maps` or built in.

    Raises nothing for a bad map or route: it stands in `failed`.
    """
    by_town: dict[str, list[Route]] = {}
    for route in routes:
        if route.scenario_type in ABILITIES[SIGNS]:
            by_town.setdefault(route.town, []).append(route)
    traced: dict[str, TracedJunction] = {}
    failed: list[str] = []
    missing: list[str] = []
    for town, group in sorted(by_town.items()):
        path = find_town(town, maps)
        if path is None:
            missing.append(town)
        else:
            _trace(path, group, traced, failed)
    return TracedJunctions(traced, tuple(failed), tuple(missing))


def _trace(path: Path, routes: Sequence[Route], traced: dict[str, TracedJunction], failed: list[str]) -> None:
    from simulator.roads.planner import trace_routes  # brings Numba, which most reports do without

    try:
        xodr = path.read_text(encoding="utf-8")
        positions = [np.array(route.positions, np.float64) for route in routes]
        for route, trace in zip(
            routes, trace_routes(xodr, routes[0].town, positions, route_names=[route.id for route in routes])
        ):
            traced[route.id] = TracedJunction(first_junction(trace.in_junction.tolist()), trace.length)
    except (OSError, UnicodeDecodeError) as error:
        failed.append(f"{path}: cannot be read as a map: {error}")
    except MapError as error:
        failed.append(str(error))
    except RouteError as error:
        if len(routes) == 1:
            failed.append(str(error))
        else:  # one bad route fails the whole call; the good ones are in the cache by now
            for route in routes:
                _trace(path, [route], traced, failed)


def usable_junctions(results: Iterable[RouteResult], traced: TracedJunctions) -> dict[str, tuple[int, int]]:
    """(c, n) by route id, of the routes whose results were driven on the map that they were traced on."""
    results = [result for result in results if result.xml_id in traced.routes]
    other = {result.xml_id for result in results if _other_map(result, traced)}
    return {r.xml_id: traced.routes[r.xml_id].first_junction for r in results if r.xml_id not in other}


def check_junctions(results: Sequence[RouteResult], traced: TracedJunctions) -> Iterator[Finding]:
    """Traced routes that are of no use for the results."""
    for text in traced.failed:
        yield Finding("warning", "not traced", f"{text}. Its junction counts as not known.")
    needy = [result for result in results if _needs_junction(result)]
    unmapped = [result for result in needy if result.town in traced.missing_towns]
    if unmapped:
        towns = ", ".join(sorted({result.town for result in unmapped}))
        text = f"the first junction of {counted(unmapped, 'route')} is not known, for want of the maps of {towns}."
        yield Finding("note", "maps", text, tuple(r.route_id for r in unmapped))
    other = [result for result in needy if result.xml_id in traced.routes and _other_map(result, traced)]
    if other:
        widest = max(abs(r.route_length - traced.routes[r.xml_id].length) for r in other)
        text = f"{counted(other, 'route')} traced up to {widest:.2f} m longer or shorter than recorded: "
        text += f"{ids_of(r.route_id for r in other)}. That is another edition of the map than was driven on, so "
        text += "their junctions count as not known."
        yield Finding("warning", "other map", text, tuple(r.route_id for r in other))


def _needs_junction(result: RouteResult) -> bool:
    """Whether the ability hangs on a junction that the result does not tell."""
    shows_signs = result.scenario_type in ABILITIES[SIGNS] and not result.success
    return shows_signs and result.first_junction is None and passes_junction(result, None) is None


def _other_map(result: RouteResult, traced: TracedJunctions) -> bool:
    return abs(result.route_length - traced.routes[result.xml_id].length) > LENGTH_TOLERANCE_M + 1e-9
