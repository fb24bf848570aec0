"""The structured observation, version 1: what is around the ego as padded arrays with masks.

Everything is in the ego's frame (x ahead, y right, metres), in SI units, not scaled. Where a mask is 0 the row is 0. A
direction is given as its cosine and sine against the ego's heading.

`ego`: float32[B, 12]

| column | meaning | unit |
|---|---|---|
| 0 | speed along the heading | m/s |
| 1, 2 | acceleration ahead, to the right | m/s2 |
| 3 | yaw rate, right positive | rad/s |
| 4 | angle of the front wheels, right positive | rad |
| 5 | speed limit | m/s |
| 6 | offset from the path, right positive | m |
| 7, 8 | direction of the path | |
| 9 | way to the route's end along the path | m |
| 10 | way to the next junction on the path, at most 200; 0 in one | m |
| 11 | 1 while in a junction | |

`route`: float32[B, 24, 5] points of the path, 2.5 m apart, from the ego on; `route_mask` is 0 beyond the route's end

| column | meaning | unit |
|---|---|---|
| 0, 1 | x, y | m |
| 2, 3 | direction | |
| 4 | curvature, right positive | 1/m |

`actors`: float32[B, 32, 14], nearest first, within 80 m and 5 m of height

| column | meaning | unit |
|---|---|---|
| 0, 1 | x, y of the centre | m |
| 2, 3 | direction | |
| 4, 5 | velocity against the ground, ahead and right of the ego | m/s |
| 6, 7 | half length, half width | m |
| 8 to 11 | 1 for a vehicle; two-wheeler; walker; prop | |
| 12 | 1 while it brakes visibly | |
| 13 | -1 blinks left, +1 right, 2 hazard or emergency lights | |

`lanes`: float32[B, 64, 10, 2] x, y of 10 points along a piece of lane of at most 20 m, in the direction of travel;
nearest first, within 80 m. `lane_features`: float32[B, 64, 6]

| column | meaning | unit |
|---|---|---|
| 0 | half width | m |
| 1 | speed limit | m/s |
| 2, 3 | marking on the left, on the right: 0 none, 1 may be crossed from one side at least, 2 solid | |
| 4 | 1 in a junction | |
| 5 | 1 for lanes that the path takes within the next 80 m | |

`lights`: float32[B, 12, 9] stop lines of traffic lights, nearest first, within 80 m

| column | meaning | unit |
|---|---|---|
| 0, 1 | x, y of the line's middle | m |
| 2, 3 | direction of its lane | |
| 4 | half width | m |
| 5 to 7 | 1 for red; yellow; green | |
| 8 | 1 where the light rules the next junction on the path | |

`stops`: float32[B, 12, 7] stop lines of signs, nearest first, within 80 m

| column | meaning | unit |
|---|---|---|
| 0 to 4 | as of `lights` | |
| 5, 6 | 1 for a stop sign; a yield sign | |

`actors_mask`, `lanes_mask`, `lights_mask`, `stops_mask`, `route_mask`: uint8[B, N], 1 where the row is filled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from envs.observations.base import Observation, allocate
from envs.routes import RouteBatch
from simulator.array_bundle import bundle
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import MARK_COLOR, LaneMark, LaneType, RoadArrays
from simulator.sensors.stop_lines import STOP, stop_lines
from simulator.state import EGO, VehicleLight
from simulator.tracking import path_point

VERSION = 1
SIGHT = 80.0  # m
_STORY = 5.0  # m
_SPACING = 2.5  # m between points of the route
_PIECE = 20.0  # m, the longest piece of lane
_POINTS = 10  # of a piece

#: Shapes of one world's arrays.
SHAPES: dict[str, tuple[int, ...]] = {
    "ego": (12,),
    "route": (24, 5),
    "actors": (32, 14),
    "lanes": (64, _POINTS, 2),
    "lane_features": (64, 6),
    "lights": (12, 9),
    "stops": (12, 7),
}
MASKS = {"route_mask": 24, "actors_mask": 32, "lanes_mask": 64, "lights_mask": 12, "stops_mask": 12}

_BICYCLE, _WALKER, _PROP = int(Kind.BICYCLE), int(Kind.WALKER), int(Kind.PROP)
_BRAKE = int(VehicleLight.BRAKE)
_LEFT, _RIGHT = int(VehicleLight.LEFT_BLINKER), int(VehicleLight.RIGHT_BLINKER)
_SPECIAL = int(VehicleLight.SPECIAL1 | VehicleLight.SPECIAL2)
_STOP = STOP
_ROUTE_LANES = 24  # of the path within sight that are remembered
_SIGHT = SIGHT

_MARK_CODE = {
    LaneMark.SOLID: 2.0,
    LaneMark.SOLID_SOLID: 2.0,
    LaneMark.BROKEN: 1.0,
    LaneMark.BROKEN_BROKEN: 1.0,
    LaneMark.SOLID_BROKEN: 1.0,
    LaneMark.BROKEN_SOLID: 1.0,
    LaneMark.BOTTS_DOTS: 1.0,
}


def _mark_code(mark: int) -> float:
    return _MARK_CODE.get(LaneMark(int(mark) % MARK_COLOR), 0.0)


class Pieces(NamedTuple):
    """A town's driving lanes in pieces, and its stop lines: what the kernels choose from. N pieces of K points."""

    lane: np.ndarray  # int64[N] lane index
    centre: np.ndarray  # float64[N, 3] x, y, z of its middle point, m
    x: np.ndarray  # float64[N, K] m
    y: np.ndarray  # float64[N, K]
    feature: np.ndarray  # float64[N, 5] columns 0 to 4 of `lane_features`
    light: np.ndarray  # float64[n, 5] of `StopLines`
    sign: np.ndarray  # float64[m, 5]


def cut_lanes(net: RoadArrays) -> Pieces:
    """Pieces of a town."""
    lanes, centres, xs, ys, features = [], [], [], [], []
    for lane in np.flatnonzero(net.lane_type == LaneType.DRIVING):
        span = slice(net.lane_first[lane], net.lane_first[lane + 1])
        at = np.arange(span.stop - span.start) * net.lane_step[lane]
        length = float(net.lane_length[lane])
        count = max(math.ceil(length / _PIECE), 1)
        for n in range(count):
            s = np.linspace(length * n / count, length * (n + 1) / count, _POINTS)
            x, y = (np.interp(s, at, column[span]) for column in (net.point_x, net.point_y))
            middle = float(s[0] + s[-1]) / 2.0
            p = int(net.lane_first[lane] + min(round(middle / net.lane_step[lane]), span.stop - span.start - 1))
            marks = [_mark_code(side[p]) for side in (net.point_left_mark, net.point_right_mark)]
            inside = float(net.lane_junction[lane] >= 0)
            lanes.append(int(lane))
            centres.append((net.point_x[p], net.point_y[p], net.point_z[p]))
            xs.append(x)
            ys.append(y)
            features.append((0.5 * net.point_width[p], net.lane_speed_limit[lane], *marks, inside))
    lines = stop_lines(net)
    return Pieces(
        np.array(lanes, np.int64),
        np.array(centres, np.float64).reshape(-1, 3),
        np.array(xs, np.float64).reshape(-1, _POINTS),
        np.array(ys, np.float64).reshape(-1, _POINTS),
        np.array(features, np.float64).reshape(-1, 5),
        lines.light,
        lines.sign,
    )


@kernel
def keep_nearest(best, gap, count, index, distance):  # type: ignore[no-untyped-def]
    """Insert a candidate into the list of the nearest, sorted by distance, then index; returns the list's new length.

    Args:
        best: int64[K], gap: float64[K]. Candidates come by rising index.
    """
    if count == len(best) and distance >= gap[count - 1]:
        return count
    k = min(count, len(best) - 1)
    while k > 0 and gap[k - 1] > distance:
        best[k] = best[k - 1]
        gap[k] = gap[k - 1]
        k -= 1
    best[k] = index
    gap[k] = distance
    return min(count + 1, len(best))


@kernel
def observe_path(w, net, routes, ego, route, route_mask, route_lanes):  # type: ignore[no-untyped-def]
    """Write `ego` and `route`; return how many lanes of the path are in `route_lanes`, and the light that rules it."""
    yaw = w.yaw[EGO]
    c, s = math.cos(yaw), math.sin(yaw)
    ego[0] = w.vx[EGO] * c + w.vy[EGO] * s
    ego[1] = w.ax[EGO] * c + w.ay[EGO] * s
    ego[2] = -w.ax[EGO] * s + w.ay[EGO] * c
    ego[3] = w.yaw_rate[EGO]
    ego[4] = w.steer_angle[EGO]
    lane = w.lane[EGO]
    ego[5] = net.lane_speed_limit[lane] if lane >= 0 else 0.0
    ego[6] = w.path_offset
    x, y, along, curvature = path_point(routes, w.route, w.path_s)
    ego[7] = math.cos(along - yaw)
    ego[8] = math.sin(along - yaw)
    ego[9] = max(routes.path_end[w.route] - w.path_s, 0.0)
    ego[10] = 200.0
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    step = routes.path_step[w.route]
    here = min(first + int(w.path_s / step), last)
    lanes = 0
    light = -1
    entered = False
    for p in range(here, min(here + int(200.0 / step), last + 1)):
        on = routes.path_lane[p]
        if on < 0:
            continue
        if (p - here) * step < _SIGHT and lanes < len(route_lanes) and (lanes == 0 or route_lanes[lanes - 1] != on):
            route_lanes[lanes] = on
            lanes += 1
        if not entered and net.lane_junction[on] >= 0:
            entered = True
            ego[10] = (p - here) * step
            ego[11] = 1.0 if p == here else 0.0
            if p > here:
                light = net.lane_light[on]
    for k in range(len(route)):
        ahead = w.path_s + k * _SPACING
        if ahead > routes.path_end[w.route] and k > 0:
            break
        x, y, along, curvature = path_point(routes, w.route, ahead)
        dx, dy = x - w.x[EGO], y - w.y[EGO]
        route[k, 0] = dx * c + dy * s
        route[k, 1] = -dx * s + dy * c
        route[k, 2] = math.cos(along - yaw)
        route[k, 3] = math.sin(along - yaw)
        route[k, 4] = curvature
        route_mask[k] = 1
    return lanes, light


@kernel
def observe_actors(w, actors, mask, best, gap):  # type: ignore[no-untyped-def]
    """Write `actors`."""
    count = 0
    for j in range(w.num_slots):
        if j == EGO or w.kind[j] == 0 or w.hidden[j] == 1 or abs(w.z[j] - w.z[EGO]) > _STORY:
            continue
        distance = math.hypot(w.x[j] - w.x[EGO], w.y[j] - w.y[EGO])
        if distance < _SIGHT:
            count = keep_nearest(best, gap, count, j, distance)
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    for k in range(count):
        j = best[k]
        dx, dy = w.x[j] - w.x[EGO], w.y[j] - w.y[EGO]
        actors[k, 0] = dx * c + dy * s
        actors[k, 1] = -dx * s + dy * c
        actors[k, 2] = math.cos(w.yaw[j] - w.yaw[EGO])
        actors[k, 3] = math.sin(w.yaw[j] - w.yaw[EGO])
        actors[k, 4] = w.vx[j] * c + w.vy[j] * s
        actors[k, 5] = -w.vx[j] * s + w.vy[j] * c
        actors[k, 6] = w.half_length[j]
        actors[k, 7] = w.half_width[j]
        kind = w.kind[j]
        actors[k, 11 if kind == _PROP else (10 if kind == _WALKER else (9 if kind == _BICYCLE else 8))] = 1.0
        lights = w.lights[j]
        if kind != _WALKER and kind != _PROP:
            actors[k, 12] = 1.0 if lights & _BRAKE or w.brake[j] > 0.05 else 0.0
        left, right = lights & _LEFT, lights & _RIGHT
        if lights & _SPECIAL or (left and right):
            actors[k, 13] = 2.0
        elif left or right:
            actors[k, 13] = -1.0 if left else 1.0
        mask[k] = 1


@kernel
def observe_lanes(w, pieces, route_lanes, on_route, lanes, features, mask, best, gap):  # type: ignore[no-untyped-def]
    """Write `lanes` and `lane_features`."""
    count = 0
    reach = _SIGHT + 0.5 * _PIECE
    for n in range(len(pieces.lane)):
        dx, dy = pieces.centre[n, 0] - w.x[EGO], pieces.centre[n, 1] - w.y[EGO]
        if abs(dx) > reach or abs(dy) > reach or abs(pieces.centre[n, 2] - w.z[EGO]) > _STORY:
            continue
        distance = math.hypot(dx, dy)
        if distance < _SIGHT:
            count = keep_nearest(best, gap, count, n, distance)
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    for k in range(count):
        n = best[k]
        for p in range(pieces.x.shape[1]):
            dx, dy = pieces.x[n, p] - w.x[EGO], pieces.y[n, p] - w.y[EGO]
            lanes[k, p, 0] = dx * c + dy * s
            lanes[k, p, 1] = -dx * s + dy * c
        for f in range(5):
            features[k, f] = pieces.feature[n, f]
        for r in range(on_route):
            if route_lanes[r] == pieces.lane[n]:
                features[k, 5] = 1.0
                break
        mask[k] = 1


@kernel
def observe_lines(w, lines, rows, mask, best, gap):  # type: ignore[no-untyped-def]
    """Write columns 0 to 4 of `lights` or `stops`; return how many rows."""
    count = 0
    for n in range(len(lines)):
        distance = math.hypot(lines[n, 0] - w.x[EGO], lines[n, 1] - w.y[EGO])
        if distance < _SIGHT:
            count = keep_nearest(best, gap, count, n, distance)
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    for k in range(count):
        n = best[k]
        dx, dy = lines[n, 0] - w.x[EGO], lines[n, 1] - w.y[EGO]
        rows[k, 0] = dx * c + dy * s
        rows[k, 1] = -dx * s + dy * c
        rows[k, 2] = math.cos(lines[n, 2] - w.yaw[EGO])
        rows[k, 3] = math.sin(lines[n, 2] - w.yaw[EGO])
        rows[k, 4] = lines[n, 3]
        mask[k] = 1
    return count


@kernel
def observe_structure(worlds, net, routes, pieces, ego, route, actors, lanes, features, lights, stops,
                      route_mask, actors_mask, lanes_mask, lights_mask, stops_mask):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the observations of B worlds; every array has a leading world axis and holds zeros."""
    best = np.zeros(lanes.shape[1], np.int64)
    gap = np.zeros(lanes.shape[1])
    route_lanes = np.zeros(_ROUTE_LANES, np.int64)
    for b in range(worlds.shape[0]):
        w = worlds[b]
        on_route, light = observe_path(w, net, routes, ego[b], route[b], route_mask[b], route_lanes)
        most = actors.shape[1]
        observe_actors(w, actors[b], actors_mask[b], best[:most], gap[:most])
        observe_lanes(w, pieces, route_lanes, on_route, lanes[b], features[b], lanes_mask[b], best, gap)
        most = lights.shape[1]
        count = observe_lines(w, pieces.light, lights[b], lights_mask[b], best[:most], gap[:most])
        for k in range(count):
            n = int(pieces.light[best[k], 4])
            if w.light_state[n] < 3:
                lights[b, k, 5 + w.light_state[n]] = 1.0
            lights[b, k, 8] = 1.0 if n == light else 0.0
        most = stops.shape[1]
        count = observe_lines(w, pieces.sign, stops[b], stops_mask[b], best[:most], gap[:most])
        for k in range(count):
            stops[b, k, 5 if pieces.sign[best[k], 4] == _STOP else 6] = 1.0


class StructuredObservation(Observation):
    """The structured observation of a batch of worlds: a dict of arrays, `SHAPES` and `MASKS` by name."""

    def __init__(self, routes: RouteBatch, num_worlds: int = 1) -> None:
        self._net, self._routes = routes.net, routes.arrays
        self._pieces = bundle(cut_lanes(routes.network.arrays))
        self.num_worlds = num_worlds
        spaces: dict[str, gym.Space] = {n: gym.spaces.Box(-np.inf, np.inf, s, np.float32) for n, s in SHAPES.items()}
        spaces |= {name: gym.spaces.Box(0, 1, (count,), np.uint8) for name, count in MASKS.items()}
        self.space: gym.Space[Any] = gym.spaces.Dict(spaces)

    def observe(self, worlds: np.ndarray) -> dict[str, np.ndarray]:
        """Fresh arrays with a leading world axis.

        Raises:
            ValueError: for another number of worlds.
        """
        if len(worlds) != self.num_worlds:
            raise ValueError(f"expected {self.num_worlds} worlds, got {len(worlds)}")
        out = allocate(self.space, self.num_worlds)
        self.write(worlds, out)
        return out

    def write(self, worlds: np.ndarray, out: dict[str, np.ndarray], first: int = 0) -> None:
        arrays = [out[name] for name in (*SHAPES, *MASKS)]
        for array in arrays:
            array.fill(0)
        observe_structure(worlds, self._net, self._routes, self._pieces, *arrays)
