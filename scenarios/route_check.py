"""Will a route run as its file says? Every route traced, every scenario placed, adapted or impossible, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from scenarios.compiler import compile_scripts
from scenarios.director_state import MAX_SCENARIOS
from scenarios.geometry import RouteGeometry, route_geometry
from scenarios.parameters import read_parameters
from scenarios.registry import find_type, nearest_types
from scenarios.route import Route, ScenarioSpec
from simulator.errors import RouteError, RouteGymError
from simulator.roads.matching import match_route
from simulator.roads.network import RoadNetwork
from simulator.roads.path import route_path
from simulator.roads.planner import trace_routes


class State(Enum):
    """What becomes of a scenario."""

    PLACED = "placed"
    ADAPTED = "adapted"  # runs, but not quite as the file says
    IMPOSSIBLE = "impossible"  # the route runs without it
    UNKNOWN = "unknown type"  # the route is refused
    UNSEEN = "not placed"  # there is no map, or the route cannot be traced: only its parameters were looked at


@dataclass(frozen=True)
class ScenarioCheck:
    """One scenario of a route."""

    name: str
    type: str
    state: State
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RouteCheck:
    """One route: its traced length in metres, or why it has none."""

    route_id: str
    town: str
    length: float | None
    problem: str
    scenarios: tuple[ScenarioCheck, ...]

    @property
    def is_good(self) -> bool:
        """True when it is traced and all its scenarios run."""
        return not self.problem and all(s.state in (State.PLACED, State.ADAPTED) for s in self.scenarios)


def check_routes(network: RoadNetwork, routes: Sequence[Route]) -> list[RouteCheck]:
    """Trace routes that all lie on a town, and place their scenarios one by one."""
    positions = [np.array(route.positions, np.float64) for route in routes]
    try:
        traces = trace_routes(network.xodr, network.town, positions, route_names=[route.id for route in routes])
    except RouteError as error:
        if len(routes) > 1:  # the others are traced by now, and wait in the cache
            return [check for route in routes for check in check_routes(network, [route])]
        return [_unseen(routes[0], str(error))]
    found = []
    for route, trace, points in zip(routes, traces, positions, strict=True):
        try:
            if len(trace) < 2:
                raise RouteError(f"route {route.id}: its positions lead nowhere; a route needs two places on the road")
            geometry = route_geometry(trace, route_path(network, match_route(network, points, route.id)))
        except RouteError as error:
            found.append(_unseen(route, str(error)))
            continue
        problem = ""
        if len(route.scenarios) > MAX_SCENARIOS:
            problem = f"{len(route.scenarios)} scenarios; a world holds {MAX_SCENARIOS}: split the route"
        scenarios = tuple(_placed(network, route, geometry, spec) for spec in route.scenarios)
        found.append(RouteCheck(route.id, route.town, trace.length, problem, scenarios))
    return found


def check_without_map(routes: Sequence[Route], problem: str) -> list[RouteCheck]:
    """What can be said of routes whose town has no map: types and parameters of their scenarios."""
    return [_unseen(route, problem) for route in routes]


def _unseen(route: Route, problem: str) -> RouteCheck:
    return RouteCheck(route.id, route.town, None, problem, tuple(_read(spec) for spec in route.scenarios))


def _read(spec: ScenarioSpec) -> ScenarioCheck:
    """Type and parameters alone."""
    kind = find_type(spec.type)
    if kind is None:
        return _unknown(spec)
    notes: list[str] = []
    try:
        read_parameters(spec, kind.parameters, notes)
    except RouteGymError as error:
        return ScenarioCheck(spec.name, spec.type, State.IMPOSSIBLE, (*notes, str(error)))
    return ScenarioCheck(spec.name, spec.type, State.UNSEEN, tuple(notes))


def _placed(network: RoadNetwork, route: Route, geometry: RouteGeometry, spec: ScenarioSpec) -> ScenarioCheck:
    if find_type(spec.type) is None:
        return _unknown(spec)
    alone = replace(route, scenarios=(spec,))
    try:
        compiled = compile_scripts(network, alone, geometry)
    except RouteGymError as error:
        return ScenarioCheck(spec.name, spec.type, State.IMPOSSIBLE, (str(error),))
    notes = tuple(note.partition("): ")[2] for note in compiled.notes)
    state = State.ADAPTED if notes else State.PLACED
    return ScenarioCheck(spec.name, spec.type, state if compiled.scenarios else State.IMPOSSIBLE, notes)


def _unknown(spec: ScenarioSpec) -> ScenarioCheck:
    near = ", ".join(nearest_types(spec.type)) or "none"
    return ScenarioCheck(spec.name, spec.type, State.UNKNOWN, (f"nearest known types: {near}",))
