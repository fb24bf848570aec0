"""From route files to what the kernels run: town, traced route, drivable path, compiled scenarios, packed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leaderboard_adapters.abilities import first_junction
from scenarios.compiler import CompiledScripts, compile_scripts, pack_scripts, staging_notes, used_places
from scenarios.director_state import Status
from scenarios.geometry import RouteGeometry, pack_routes, route_geometry
from scenarios.route import Route
from scenarios.script_arrays import ScriptArrays
from scenarios.weather import weather_id
from simulator import WORLD
from simulator.array_bundle import bundle
from simulator.errors import MissingMapError, RouteError
from simulator.roads.cache import load_town
from simulator.roads.matching import match_route
from simulator.roads.network import RoadArrays, RoadNetwork
from simulator.roads.path import route_path
from simulator.roads.planner import TracedRoute, trace_routes
from simulator.roads.towns import load_named_town
from simulator.route_arrays import RouteArrays

PATH_STEP = 0.5  # m between points of the drivable path


@dataclass(frozen=True)
class PreparedRoute:
    """One route laid on its town."""

    route: Route
    trace: TracedRoute
    geometry: RouteGeometry
    compiled: CompiledScripts
    notes: tuple[str, ...] = ()  # scenarios that were adapted or could not be placed
    scenarios_missing: tuple[str, ...] = ()  # names of those that could not be placed or built

    @property
    def length(self) -> float:
        """Official route length, metres."""
        return self.trace.length

    def drive_notes(self, director: np.ndarray) -> tuple[str, ...]:
        """The route's notes, and what one drive adds to them (`director`: its DIRECTOR record)."""
        return self.notes + staging_notes(self.compiled, director)

    def result_fields(self, director: np.ndarray, world: str = WORLD) -> dict[str, Any]:
        """What the route, its town and one drive's DIRECTOR record tell of a result: fields of `RouteResult`.

        `world`: name of the world that it was driven in.
        """
        status = zip(self.compiled.scenarios, director["status"], strict=False)
        crowded_out = tuple(scenario.spec.name for scenario, each in status if each == Status.BLOCKED)
        return {
            "route_length": self.length,
            "weather_id": weather_id(self.route),
            "world": world,
            "first_junction": first_junction(self.trace.in_junction.tolist()),
            "scenarios_missing": self.scenarios_missing + crowded_out,
        }


@dataclass(frozen=True)
class RouteBatch:
    """Routes on one town, compiled and packed: what a `WorldBatch` runs."""

    network: RoadNetwork
    routes: tuple[PreparedRoute, ...]
    net: RoadArrays  # for kernels: an `ArrayBundle`, which reads like the arrays it refers to
    arrays: RouteArrays  # likewise
    scripts: ScriptArrays  # likewise


def load_network(route: Route, maps: Path | None = None, *, corridor: bool = False) -> RoadNetwork:
    """The town of a route, or the corridor rebuilt from the route itself.

    Raises:
        MissingMapError: when the town has no map and `corridor` is False.
        MapError: when the map is malformed.
    """
    if not corridor:
        return load_named_town(route.town, maps)
    from simulator.roads.corridor import build_corridor  # rarely needed

    points = np.array([(p.x, p.y, p.z) for p in route.positions])
    at = route.scenarios[0].trigger_point if route.scenarios else None
    trigger = None if at is None else (at.x, at.y, at.z, math.radians(at.yaw))
    text = build_corridor(f"{route.town}_{route.id}", points, route.scenario_type, flow_points(route), trigger)
    return load_town(text, route.town, synthetic=True)


def flow_points(route: Route) -> dict[str, tuple[float, float, float]]:
    """Locations that the scenarios of a route name, such as `start_actor_flow`, by tag."""
    found = {}
    for scenario in route.scenarios:
        for tag, attributes in scenario.parameters.items():
            if {"x", "y", "z"} <= attributes.keys():
                x, y, z = (float(attributes[axis]) for axis in "xyz")
                found[tag] = (x, y, z)
    return found


def prepare_routes(network: RoadNetwork, routes: Sequence[Route]) -> RouteBatch:
    """Trace, match and compile routes that all lie on `network`.

    Raises:
        RouteError: when a route leaves the road or two of its positions have no connection.
        ScenarioError: for a scenario type that does not exist.
    """
    for route in routes:
        if route.town != network.town:
            raise MissingMapError(f"route {route.id} is on {route.town}, the loaded town is {network.town}")
    positions = [np.array([(p.x, p.y, p.z) for p in route.positions]) for route in routes]
    names = [route.id + (f" ({Path(route.file).name}, line {route.line})" if route.file else "") for route in routes]
    traces = trace_routes(network.xodr, network.town, positions, route_names=names)
    geometries = [_geometry(network, *item) for item in zip(routes, traces, positions, strict=True)]
    compiled = [compile_scripts(network, r, g) for r, g in zip(routes, geometries, strict=True)]
    scripts, tracks = pack_scripts(compiled)
    prepared = tuple(
        PreparedRoute(r, t, g, c, tuple(c.notes), _missing(r, c))
        for r, t, g, c in zip(routes, traces, geometries, compiled, strict=True)
    )
    packed = pack_routes(geometries, routes, network.arrays, tracks, [used_places(c) for c in compiled])
    return RouteBatch(network, prepared, bundle(network.arrays), bundle(packed), bundle(scripts))


def _missing(route: Route, compiled: CompiledScripts) -> tuple[str, ...]:
    placed = [scenario.spec for scenario in compiled.scenarios]
    return tuple(spec.name for spec in route.scenarios if spec not in placed)


def _geometry(network: RoadNetwork, route: Route, trace: TracedRoute, positions: np.ndarray) -> RouteGeometry:
    if len(trace) < 2:
        raise RouteError(f"route {route.id}: its positions lead nowhere; a route needs two places on the road")
    matched = match_route(network, positions)
    path = route_path(network, matched, step=PATH_STEP)
    return route_geometry(trace, path)
