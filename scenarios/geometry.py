"""The geometry of one route as plain arrays, and how the routes of a batch are packed for the kernels."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scenarios.route import Route
from scenarios.weather import BASE_WEATHER, WEATHER_FIELDS, keyframe_weather
from simulator.roads.network import DRIVING_MASK, RoadArrays
from simulator.roads.path import RoutePath
from simulator.roads.planner import TracedRoute
from simulator.route_arrays import RouteArrays


@dataclass(frozen=True)
class RouteGeometry:
    """Where one route runs: the official trace, and the path that is driven.

    Frame: world, CARLA's left-handed metres; angles in radians. `path_lane[k]` is the lane of path point k,
    `path_lane_s[k]` metres along it. The path begins where the route begins and goes on beyond `path_end`.
    """

    trace_x: np.ndarray  # float64[N] metres
    trace_y: np.ndarray  # float64[N]
    trace_z: np.ndarray  # float64[N]
    trace_yaw: np.ndarray  # float64[N] rad
    trace_pitch: np.ndarray  # float64[N] rad
    trace_distance: np.ndarray  # float64[N] accumulated 3-D metres, the official way
    trace_option: np.ndarray  # int8[N] RoadOption
    path_x: np.ndarray  # float64[M] metres
    path_y: np.ndarray  # float64[M]
    path_z: np.ndarray  # float64[M]
    path_yaw: np.ndarray  # float64[M] rad
    path_curvature: np.ndarray  # float64[M] 1/m, positive turns right
    path_lane: np.ndarray  # int32[M], -1 beyond the end of the road
    path_lane_s: np.ndarray  # float64[M] metres
    path_step: float  # metres between path points
    path_end: float  # metres along the path where the route ends


def route_geometry(traced: TracedRoute, path: RoutePath) -> RouteGeometry:
    """Put the official trace and the drivable path of one route together."""
    return RouteGeometry(
        trace_x=traced.x,
        trace_y=traced.y,
        trace_z=traced.z,
        trace_yaw=traced.yaw,
        trace_pitch=traced.pitch,
        trace_distance=traced.s,
        trace_option=traced.option,
        path_x=path.x,
        path_y=path.y,
        path_z=path.z,
        path_yaw=path.yaw,
        path_curvature=path.curvature,
        path_lane=path.lane,
        path_lane_s=path.lane_s,
        path_step=path.step,
        path_end=path.end_s,
    )


class Polyline(NamedTuple):
    """A line that a scripted actor follows; points are `step` metres apart. Metres, radians, world."""

    x: np.ndarray  # float64[n], n >= 2
    y: np.ndarray  # float64[n]
    z: np.ndarray  # float64[n]
    yaw: np.ndarray  # float64[n] direction of travel
    step: float


class Crossing(NamedTuple):
    """One passage of the path through a junction."""

    junction: int
    enter: float  # metres along the path of the first point on a junction lane
    exit: float  # metres along the path of the first point beyond it
    entry_lanes: tuple[int, ...]  # lanes that end at the junction, off the route's own entry road
    exit_lanes: tuple[int, ...]  # lanes that begin at the junction, on the route's own exit road
    path_lanes: tuple[int, ...]  # junction lanes that the path takes, in order
    entry_lane: int  # lane by which the path enters, -1 when it begins inside
    exit_lane: int  # lane by which the path leaves, -1 when it ends inside


def route_crossings(net: RoadArrays, geometry: RouteGeometry) -> list[Crossing]:
    """Junctions that the path crosses, in order; two junctions without a lane between them are two crossings."""
    lanes = geometry.path_lane
    junction = np.where(lanes >= 0, net.lane_junction[np.maximum(lanes, 0)], -1)
    edges = np.flatnonzero(np.diff(junction)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(junction)]])
    crossings = []
    for first, last in zip(starts, ends, strict=True):
        j = int(junction[first])
        if j < 0:
            continue
        entry = int(lanes[first - 1]) if first > 0 else -1
        leaving = int(lanes[last]) if last < len(lanes) else -1
        entry_road = int(net.lane_road[entry]) if entry >= 0 else -1
        exit_road = int(net.lane_road[leaving]) if leaving >= 0 else -1
        crossings.append(
            Crossing(
                junction=j,
                enter=float(first * geometry.path_step),
                exit=float(last * geometry.path_step),
                entry_lanes=tuple(i for i in junction_entries(net, j) if net.lane_road[i] != entry_road),
                exit_lanes=tuple(i for i in junction_exits(net, j) if net.lane_road[i] == exit_road),
                path_lanes=tuple(dict.fromkeys(int(i) for i in lanes[first:last])),
                entry_lane=entry,
                exit_lane=leaving,
            )
        )
    return crossings


def junction_lanes(net: RoadArrays, junction: int) -> list[int]:
    """Driving lanes of a junction, ascending."""
    inside = (net.lane_junction == junction) & ((1 << net.lane_type.astype(np.int64)) & DRIVING_MASK != 0)
    return [int(i) for i in np.flatnonzero(inside)]


def junction_entries(net: RoadArrays, junction: int) -> list[int]:
    """Driving lanes outside the junction that lead into it, ascending."""
    return _neighbours(net, junction, net.pred_first, net.pred_lane)


def junction_exits(net: RoadArrays, junction: int) -> list[int]:
    """Driving lanes outside the junction that follow its lanes, ascending."""
    return _neighbours(net, junction, net.succ_first, net.succ_lane)


def _neighbours(net: RoadArrays, junction: int, first: np.ndarray, lanes: np.ndarray) -> list[int]:
    found = set()
    for lane in junction_lanes(net, junction):
        for k in range(first[lane], first[lane + 1]):
            other = int(lanes[k])
            if net.lane_junction[other] != junction and (1 << int(net.lane_type[other])) & DRIVING_MASK:
                found.add(other)
    return sorted(found)


def pack_routes(
    geometries: Sequence[RouteGeometry],
    routes: Sequence[Route],
    net: RoadArrays,
    tracks: Sequence[Polyline] = (),
) -> RouteArrays:
    """Pack the routes of a batch, all on one town.

    Args:
        geometries: one a route.
        routes: the same routes as read, for their weather.
        net: the town.
        tracks: polylines of all routes, as `pack_scripts` numbers them.
    """
    crossings = [route_crossings(net, g) for g in geometries]
    flat = [c for of_route in crossings for c in of_route]
    weathers = [_keyframes(route) for route in routes]

    def joined(name: str, dtype: type) -> np.ndarray:
        return _joined([getattr(g, name) for g in geometries], dtype)

    return RouteArrays(
        stream=np.array([zlib.crc32(route.id.encode()) for route in routes], np.int64),
        trace_first=_offsets(len(g.trace_x) for g in geometries),
        trace_x=joined("trace_x", np.float64),
        trace_y=joined("trace_y", np.float64),
        trace_z=joined("trace_z", np.float64),
        trace_yaw=joined("trace_yaw", np.float64),
        trace_pitch=joined("trace_pitch", np.float64),
        trace_distance=joined("trace_distance", np.float64),
        trace_option=joined("trace_option", np.int8),
        path_first=_offsets(len(g.path_x) for g in geometries),
        path_x=joined("path_x", np.float64),
        path_y=joined("path_y", np.float64),
        path_z=joined("path_z", np.float64),
        path_yaw=joined("path_yaw", np.float64),
        path_curvature=joined("path_curvature", np.float64),
        path_lane=joined("path_lane", np.int32),
        path_lane_s=joined("path_lane_s", np.float64),
        path_step=np.array([g.path_step for g in geometries], np.float64),
        path_end=np.array([g.path_end for g in geometries], np.float64),
        crossing_first=_offsets(len(c) for c in crossings),
        crossing_junction=np.array([c.junction for c in flat], np.int32),
        crossing_enter=np.array([c.enter for c in flat], np.float64),
        crossing_exit=np.array([c.exit for c in flat], np.float64),
        entry_first=_offsets(len(c.entry_lanes) for c in flat),
        entry_lane=np.array([i for c in flat for i in c.entry_lanes], np.int32),
        exit_first=_offsets(len(c.exit_lanes) for c in flat),
        exit_lane=np.array([i for c in flat for i in c.exit_lanes], np.int32),
        weather_first=_offsets(len(p) for p, _ in weathers),
        weather_percent=_joined([p for p, _ in weathers], np.float64),
        weather_values=np.concatenate([v for _, v in weathers]) if weathers else np.zeros((0, len(WEATHER_FIELDS))),
        track_first=_offsets(len(t.x) for t in tracks),
        track_x=_joined([t.x for t in tracks], np.float64),
        track_y=_joined([t.y for t in tracks], np.float64),
        track_z=_joined([t.z for t in tracks], np.float64),
        track_yaw=_joined([t.yaw for t in tracks], np.float64),
        track_step=np.array([t.step for t in tracks], np.float64),
    )


def _keyframes(route: Route) -> tuple[np.ndarray, np.ndarray]:
    """float64[q] percent ascending and float64[q, 14] values; the base weather where a route has none."""
    frames = sorted(route.weathers, key=lambda k: k.route_percentage)
    if not frames:
        return np.zeros(1), np.array([BASE_WEATHER], np.float64)
    values = np.array([keyframe_weather(k) for k in frames], np.float64)
    if len(frames) > 1:
        values[:, WEATHER_FIELDS.index("dust_storm")] = 0.0  # the official code drops it when it interpolates
    return np.array([k.route_percentage for k in frames], np.float64), values


def _offsets(lengths: Iterable[int]) -> np.ndarray:
    return np.cumsum([0, *lengths], dtype=np.int64).astype(np.int32)


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)
