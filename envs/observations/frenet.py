"""The path-relative observation, version 1: everything as the driver of the path meets it, one row of numbers.

Places are (along, beside): metres along the drivable path from the ego's projection, and metres right of it. Who
follows the path and brakes for what is ahead needs no trigonometry, which is what makes this row quick to learn from.

| index | meaning | unit | scale |
|---|---|---|---|
| 0, 1 | speed, acceleration along the heading | m/s, m/s2 | /15, /5 |
| 2, 3 | yaw rate, front wheel angle | rad/s, rad | x1, x2 |
| 4, 5 | offset from the path, sine of the heading against it | m | /3.5, x2 |
| 6, 7 | speed limit; speed that limit and bends ahead allow | m/s | /15 |
| 8 | left of the route, at most 100 m | m | /100 |
| 9 | time that the ego has stood | s | /10, at most 3 |
| 10-17 | curvature of the path 0, 4, 8, 12, 18, 25, 35, 50 m ahead | 1/m | x10 |
| 18-29 | 0, 15, 30 m ahead, each: driving lane left of it its way, against it; right of it; other paved lane
right of it | 0/1 | |
| 30-34 | next signal on the path within 80 m: 1, front to its line, red, yellow, green | m | /40 |
| 35-38 | next stop sign within 80 m: 1, ego to where it must halt, 1 in its zone, 1 once halted | m | /40 |
| 39-45 | next junction within 80 m: 1, ego to begin and end, signal, stop and yield sign, turn (-1 left) | m | /40 |
| 46-61 | strips 3.5 m left of the path, on it, 3.5 m right of it, and where the ego is; each: gap ahead and the speed
along the path of who is there, gap behind and likewise (no one: 60 m, 0) | m, m/s | /30, /15 |
| 62-67 | gap from where the ego is now to whoever will be ahead in its strip in 0.5, 1, 1.5, 2, 3, 4 s, if all go on
with their speed and yaw rate | m | /30 |
| 68 + 14k | neighbour k of 12: along, beside, cos and sin of its heading against the path, speed along, speed
beside, half length, half width, walker, two-wheeler, prop, hazard lights, special lights, stood for | m, m/s, s |
/40, /10, 1, 1, /15, /5, /5, /2, then 0/1, and /10 at most 3 |

Neighbours are sorted by sqrt(along^2 + 4 beside^2), ties by slot. Stop signs and standing need a memory, which travels
with snapshots (`FrenetObservation.memory`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from envs.observations.base import Observation
from envs.path_control import bend_speed
from envs.routes import RouteBatch
from simulator.array_bundle import bundle
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Kind
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.state import EGO, MAX_ACTORS, SPECIAL, TICK_SECONDS, VehicleLight
from simulator.tracking import path_point

VERSION = 1
NEIGHBOURS = 12
NEIGHBOUR_VALUES = 14
_FIRST_NEIGHBOUR = 68
EGO_SIZE = 46  # values of the ego, its path and the rules; those after them are of others
SIZE = _FIRST_NEIGHBOUR + NEIGHBOURS * NEIGHBOUR_VALUES

MAX_POINTS = 32  # signals and stop signs on one route
MEMORY = 4  # values remembered a world: tick of the last look, stop sign that is done + 1, seconds stood, reserved

_SIGHT = 80.0  # m along the path, for rules
_BEHIND = 30.0  # m
_NEAR = 70.0  # m around the ego in which actors are looked at
_COARSE = 2.0  # m between the points of the path that actors are projected on
_COARSE_POINTS = 56
_FREE = 60.0  # m, nobody ahead
_MARGIN = 0.4  # m to either side of a strip as wide as the ego
_CURVATURES = np.array([0.0, 4.0, 8.0, 12.0, 18.0, 25.0, 35.0, 50.0])
_ROOMS = np.array([0.0, 15.0, 30.0])
_STRIPS = np.array([-3.5, 0.0, 3.5])
_TIMES = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])

_WALKER = int(Kind.WALKER)
_BICYCLE = int(Kind.BICYCLE)
_PROP = int(Kind.PROP)
_DRIVING = int(LaneType.DRIVING)
_PAVED = (1 << LaneType.PARKING) | (1 << LaneType.SHOULDER) | (1 << LaneType.BIKING)
_BLINKERS = int(VehicleLight.RIGHT_BLINKER | VehicleLight.LEFT_BLINKER)
_LIGHT, _STOP = 0, 1


class RulePoints(NamedTuple):
    """Signals and stop signs on the paths of R routes, [R, MAX_POINTS], in order; `kind` -1 beyond the last."""

    kind: np.ndarray  # int64: 0 signal, 1 stop sign
    which: np.ndarray  # int64: index of the signal or sign
    place: np.ndarray  # float64 m along the path: its line; of a stop sign where the ego's centre halts
    low: np.ndarray  # float64 m: from where a halt counts
    high: np.ndarray  # float64 m: up to where


@kernel
def find_rule_points(net, routes, half_length, points):  # type: ignore[no-untyped-def]
    """Fill `points` for every route. `half_length`: of the ego, metres."""
    points.kind[:] = -1
    for r in range(points.kind.shape[0]):
        count = find_signals(net, routes, r, points)
        count = find_stop_signs(net, routes, r, half_length, points, count)
        for i in range(1, count):  # by place
            for j in range(i, 0, -1):
                if points.place[r, j] >= points.place[r, j - 1]:
                    break
                swap(points.kind, r, j)
                swap(points.which, r, j)
                swap(points.place, r, j)
                swap(points.low, r, j)
                swap(points.high, r, j)


@kernel
def swap(array, r, j):  # type: ignore[no-untyped-def]
    """Exchange two neighbours of a row."""
    kept = array[r, j]
    array[r, j] = array[r, j - 1]
    array[r, j - 1] = kept


@kernel
def find_signals(net, routes, r, points):  # type: ignore[no-untyped-def]
    """The signals whose stop points, which the leaderboard judges by, lie on the path; returns their number."""
    count = 0
    first = routes.path_first[r]
    last = routes.path_first[r + 1] - 1
    for light in range(net.light_stop_first.shape[0] - 1):
        for q in range(net.light_stop_first[light], net.light_stop_first[light + 1]):
            best = 1.5 * 1.5
            at = -1
            p = first
            while p <= last:
                dx = routes.path_x[p] - net.light_stop_x[q]
                dy = routes.path_y[p] - net.light_stop_y[q]
                d2 = dx * dx + dy * dy
                if d2 < best and math.cos(routes.path_yaw[p] - net.light_stop_yaw[q]) > 0.7:
                    best = d2
                    at = p
                # no point nearer than this can be within reach
                p += max(1, int((math.sqrt(d2) - 2.0) / routes.path_step[r]))
            if at >= 0 and count < MAX_POINTS:
                points.kind[r, count] = _LIGHT
                points.which[r, count] = light
                points.place[r, count] = (at - first) * routes.path_step[r]
                count += 1
    return count


@kernel
def find_stop_signs(net, routes, r, half_length, points, count):  # type: ignore[no-untyped-def]
    """The stop signs at the junctions of the path, where to halt for them; returns the number of all points.

    The leaderboard wants a halt while one of the places up to 4 m ahead of the ego lies in the sign's box
    (RunningStopTest).
    """
    first = routes.path_first[r]
    step = routes.path_step[r]
    for k in range(routes.crossing_first[r], routes.crossing_first[r + 1]):
        enter = routes.crossing_enter[k]
        if enter <= 0.0 or count >= MAX_POINTS:
            continue
        p = first + int(enter / step + 0.5)
        before = routes.path_lane[max(p - 1, first)]
        if before < 0 or net.lane_stop_sign[before] < 0:
            continue
        sign = net.lane_stop_sign[before]
        line = enter
        if net.lane_stop_line[before] >= 0.0:
            line = enter - (net.lane_length[before] - net.lane_stop_line[before])
        best = 1e9
        s = enter
        yaw = 0.0
        for q in range(max(first, p - int(30.0 / step)), p + 1):
            dx = routes.path_x[q] - net.stop_x[sign]
            dy = routes.path_y[q] - net.stop_y[sign]
            if dx * dx + dy * dy < best:
                best = dx * dx + dy * dy
                s = (q - first) * step
                yaw = routes.path_yaw[q]
        reach = 1.2 * (net.stop_extent_x[sign] * abs(math.cos(yaw)) + net.stop_extent_y[sign] * abs(math.sin(yaw)))
        points.kind[r, count] = _STOP
        points.which[r, count] = sign
        points.low[r, count] = s - min(3.4, 3.2 + reach)
        points.high[r, count] = s + max(min(reach - 0.4, 2.5), -1.0)
        halt = line - half_length - 0.7
        points.place[r, count] = min(max(halt, points.low[r, count]), points.high[r, count])
        count += 1
    return count


@kernel
def observe(w, memory, net, routes, points, coarse, near, out):  # type: ignore[no-untyped-def]
    """Write the observation of one world into `out`: float32[SIZE].

    Args:
        memory: float64[MEMORY], brought up to date.
        coarse: float64[3, _COARSE_POINTS] scratch, near: float64[MAX_ACTORS, 9] scratch.
    """
    out[:] = 0.0
    remember(w, memory, points)
    observe_ego(w, memory, net, routes, out)
    observe_rules(w, memory, net, routes, points, out)
    for k in range(_COARSE_POINTS):
        x, y, yaw, curvature = path_point(routes, w.route, w.path_s - _BEHIND + k * _COARSE)
        coarse[0, k] = x
        coarse[1, k] = y
        coarse[2, k] = yaw
    count = find_near(w, coarse, near)
    observe_strips(w, near, count, out)
    observe_forecast(w, coarse, near, count, out)
    observe_neighbours(w, near, count, out)


@kernel
def remember(w, memory, points):  # type: ignore[no-untyped-def]
    """Which stop sign has been obeyed, and for how long the ego has stood."""
    if w.tick == 0 or w.tick < memory[0]:
        memory[:] = 0.0
    seconds = (w.tick - memory[0]) * TICK_SECONDS
    memory[0] = w.tick
    standing = abs(w.speed[EGO]) < 0.1
    memory[2] = memory[2] + seconds if standing else 0.0
    if standing:
        for k in range(MAX_POINTS):
            if points.kind[w.route, k] < 0:
                break
            if points.kind[w.route, k] == _STOP and points.low[w.route, k] <= w.path_s <= points.high[w.route, k] + 1.0:
                memory[1] = points.which[w.route, k] + 1


@kernel
def observe_ego(w, memory, net, routes, out):  # type: ignore[no-untyped-def]
    """Values 0-29."""
    s = w.path_s
    x, y, yaw, curvature = path_point(routes, w.route, s)
    c = math.cos(w.yaw[EGO])
    n = math.sin(w.yaw[EGO])
    lane = w.lane[EGO]
    limit = net.lane_speed_limit[lane] if lane >= 0 else 5.0
    out[0] = w.speed[EGO] / 15.0
    out[1] = (w.ax[EGO] * c + w.ay[EGO] * n) / 5.0
    out[2] = w.yaw_rate[EGO]
    out[3] = w.steer_angle[EGO] * 2.0
    out[4] = w.path_offset / 3.5
    out[5] = math.sin(w.yaw[EGO] - yaw) * 2.0
    out[6] = limit / 15.0
    out[7] = min(limit, bend_speed(routes, w.route, s, w.speed[EGO])) / 15.0
    out[8] = min(max(routes.path_end[w.route] - s, 0.0), 100.0) / 100.0
    out[9] = min(memory[2] / 10.0, 3.0)
    for k in range(_CURVATURES.shape[0]):
        x, y, yaw, curvature = path_point(routes, w.route, s + _CURVATURES[k])
        out[10 + k] = curvature * 10.0
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    for k in range(_ROOMS.shape[0]):
        on = routes.path_lane[min(first + int((s + _ROOMS[k]) / routes.path_step[w.route]), last)]
        if on < 0:
            continue
        left = net.lane_left[on]
        right = net.lane_right[on]
        if left >= 0 and net.lane_type[left] == _DRIVING:
            out[18 + 4 * k] = 1.0
        if net.lane_opposite[on] >= 0:
            out[19 + 4 * k] = 1.0
        if right >= 0:
            if net.lane_type[right] == _DRIVING:
                out[20 + 4 * k] = 1.0
            elif (1 << net.lane_type[right]) & _PAVED:
                out[21 + 4 * k] = 1.0


@kernel
def observe_rules(w, memory, net, routes, points, out):  # type: ignore[no-untyped-def]
    """Values 30-45."""
    r = w.route
    s = w.path_s
    signal = False
    stop = False
    for k in range(MAX_POINTS):
        if points.kind[r, k] < 0 or points.place[r, k] > s + _SIGHT:
            break
        if points.kind[r, k] == _LIGHT and not signal:
            if s - w.half_length[EGO] - 1.2 < points.place[r, k]:  # its rear has not crossed the line
                signal = True
                out[30] = 1.0
                out[31] = (points.place[r, k] - s - w.half_length[EGO]) / 40.0
                state = w.light_state[points.which[r, k]]
                if state <= 2:
                    out[32 + state] = 1.0
        if points.kind[r, k] == _STOP and not stop and s < points.high[r, k] + 2.0:
            stop = True
            out[35] = 1.0
            out[36] = (points.place[r, k] - s) / 40.0
            out[37] = 1.0 if points.low[r, k] <= s <= points.high[r, k] + 1.0 else 0.0
            out[38] = 1.0 if memory[1] == points.which[r, k] + 1 else 0.0
    first = routes.path_first[r]
    for k in range(routes.crossing_first[r], routes.crossing_first[r + 1]):
        if routes.crossing_exit[k] < s:
            continue
        enter = routes.crossing_enter[k]
        if enter > s + _SIGHT:
            break
        p = first + int(max(enter, 0.0) / routes.path_step[r] + 0.5)
        entering = routes.path_lane[p]
        before = routes.path_lane[max(p - 1, first)]
        out[39] = 1.0
        out[40] = (enter - s) / 40.0
        out[41] = (routes.crossing_exit[k] - s) / 40.0
        if entering >= 0:
            out[42] = 1.0 if net.lane_light[entering] >= 0 else 0.0
            out[45] = net.lane_turn[entering]
        if before >= 0:
            out[43] = 1.0 if net.lane_stop_sign[before] >= 0 else 0.0
            out[44] = 1.0 if net.lane_yield_sign[before] > 0 else 0.0
        break


@kernel
def to_path(coarse, x, y):  # type: ignore[no-untyped-def]
    """(along, beside, path yaw) of a place, by the nearest of the coarse points."""
    best = 1e18
    at = 0
    for k in range(_COARSE_POINTS):
        dx = x - coarse[0, k]
        dy = y - coarse[1, k]
        d2 = dx * dx + dy * dy
        if d2 < best:
            best = d2
            at = k
    dx = x - coarse[0, at]
    dy = y - coarse[1, at]
    c = math.cos(coarse[2, at])
    n = math.sin(coarse[2, at])
    return at * _COARSE - _BEHIND + dx * c + dy * n, -dx * n + dy * c, coarse[2, at]


@kernel
def find_near(w, coarse, near):  # type: ignore[no-untyped-def]
    """Actors near the ego: slot, along, beside, cos, sin, half extent along and beside, speed along and beside."""
    count = 0
    for j in range(1, w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1:
            continue
        dx = w.x[j] - w.x[EGO]
        dy = w.y[j] - w.y[EGO]
        if dx * dx + dy * dy > _NEAR * _NEAR:
            continue
        along, beside, yaw = to_path(coarse, w.x[j], w.y[j])
        c = math.cos(w.yaw[j] - yaw)
        n = math.sin(w.yaw[j] - yaw)
        pc = math.cos(yaw)
        pn = math.sin(yaw)
        near[count, 0] = j
        near[count, 1] = along
        near[count, 2] = beside
        near[count, 3] = c
        near[count, 4] = n
        near[count, 5] = w.half_length[j] * abs(c) + w.half_width[j] * abs(n)
        near[count, 6] = w.half_length[j] * abs(n) + w.half_width[j] * abs(c)
        near[count, 7] = w.vx[j] * pc + w.vy[j] * pn
        near[count, 8] = -w.vx[j] * pn + w.vy[j] * pc
        count += 1
    return count


@kernel
def observe_strips(w, near, count, out):  # type: ignore[no-untyped-def]
    """Values 46-61."""
    for k in range(4):
        middle = w.path_offset if k == 3 else _STRIPS[k]
        ahead = _FREE
        behind = _FREE
        ahead_speed = 0.0
        behind_speed = 0.0
        for i in range(count):
            if abs(near[i, 2] - middle) > near[i, 6] + w.half_width[EGO] + _MARGIN:
                continue
            apart = near[i, 5] + w.half_length[EGO]
            if near[i, 1] >= 0.0:
                gap = max(near[i, 1] - apart, 0.0)
                if gap < ahead:
                    ahead = gap
                    ahead_speed = near[i, 7]
            else:
                gap = max(-near[i, 1] - apart, 0.0)
                if gap < behind:
                    behind = gap
                    behind_speed = near[i, 7]
        out[46 + 4 * k] = ahead / 30.0
        out[47 + 4 * k] = ahead_speed / 15.0
        out[48 + 4 * k] = behind / 30.0
        out[49 + 4 * k] = behind_speed / 15.0


@kernel
def observe_forecast(w, coarse, near, count, out):  # type: ignore[no-untyped-def]
    """Values 62-67."""
    for k in range(_TIMES.shape[0]):
        out[62 + k] = _FREE / 30.0
    for i in range(count):
        j = int(near[i, 0])
        speed2 = near[i, 7] * near[i, 7] + near[i, 8] * near[i, 8]
        apart = near[i, 5] + w.half_length[EGO]
        for k in range(_TIMES.shape[0]):
            along = near[i, 1]
            beside = near[i, 2]
            reach = near[i, 6]
            if speed2 > 0.04:
                t = _TIMES[k]
                turned = w.yaw_rate[j] * t
                # along an arc: its chord has the mean heading
                c = math.cos(0.5 * turned)
                n = math.sin(0.5 * turned)
                x = w.x[j] + t * (w.vx[j] * c - w.vy[j] * n)
                y = w.y[j] + t * (w.vx[j] * n + w.vy[j] * c)
                along, beside, yaw = to_path(coarse, x, y)
                heading = w.yaw[j] + turned - yaw
                reach = w.half_length[j] * abs(math.sin(heading)) + w.half_width[j] * abs(math.cos(heading))
                apart = (
                    w.half_length[j] * abs(math.cos(heading))
                    + w.half_width[j] * abs(math.sin(heading))
                    + w.half_length[EGO]
                )
            if along < 0.0 or abs(beside - w.path_offset) > reach + w.half_width[EGO] + _MARGIN:
                continue
            out[62 + k] = min(out[62 + k], max(along - apart, 0.0) / 30.0)


@kernel
def observe_neighbours(w, near, count, out):  # type: ignore[no-untyped-def]
    """Values from 68 on."""
    seen = -1.0
    seen_at = -1
    o = _FIRST_NEIGHBOUR
    for _ in range(NEIGHBOURS):
        best = 1e18
        found = -1
        for i in range(count):
            key = near[i, 1] * near[i, 1] + 4.0 * near[i, 2] * near[i, 2]
            if key < best and (key > seen or (key == seen and i > seen_at)):
                best = key
                found = i
        if found < 0:
            break
        seen = best
        seen_at = found
        j = int(near[found, 0])
        out[o] = near[found, 1] / 40.0
        out[o + 1] = near[found, 2] / 10.0
        out[o + 2] = near[found, 3]
        out[o + 3] = near[found, 4]
        out[o + 4] = near[found, 7] / 15.0
        out[o + 5] = near[found, 8] / 5.0
        out[o + 6] = w.half_length[j] / 5.0
        out[o + 7] = w.half_width[j] / 2.0
        out[o + 8] = 1.0 if w.kind[j] == _WALKER else 0.0
        out[o + 9] = 1.0 if w.kind[j] == _BICYCLE else 0.0
        out[o + 10] = 1.0 if w.kind[j] == _PROP else 0.0
        out[o + 11] = 1.0 if w.lights[j] & _BLINKERS == _BLINKERS else 0.0
        out[o + 12] = 1.0 if w.lights[j] & SPECIAL else 0.0
        out[o + 13] = min(w.waiting[j] / 10.0, 3.0)
        o += NEIGHBOUR_VALUES


@kernel
def observe_all(worlds, memory, net, routes, points, coarse, near, out):  # type: ignore[no-untyped-def]
    """`observe` for every world; `memory`: float64[B, MEMORY], `out`: float32[B, SIZE]."""
    for b in range(worlds.shape[0]):
        observe(worlds[b], memory[b], net, routes, points, coarse, near, out[b])


class FrenetObservation(Observation):
    """float32[B, 236]: the ego, its path, rules and neighbours, relative to the path.

    Attributes:
        memory: float64[B, MEMORY], what is remembered of each world.
    """

    def __init__(self, routes: RouteBatch, num_worlds: int = 1) -> None:
        self._net, self._routes = routes.net, routes.arrays
        shape = (len(routes.routes), MAX_POINTS)
        points = RulePoints(np.full(shape, -1, np.int64), np.zeros(shape, np.int64), *np.zeros((3, *shape)))
        self._points = bundle(points)
        find_rule_points(self._net, self._routes, BLUEPRINTS[EGO_BLUEPRINT].half_length, self._points)
        self.memory = np.zeros((num_worlds, MEMORY))
        self.space: gym.Space[Any] = gym.spaces.Box(-np.inf, np.inf, (SIZE,), np.float32)

    def write(self, worlds: np.ndarray, out: np.ndarray, first: int = 0) -> None:
        memory = self.memory[first : first + len(worlds)]
        # scratch of this call alone: several threads may see their worlds at once
        coarse, near = np.empty((3, _COARSE_POINTS)), np.empty((MAX_ACTORS, 9))
        observe_all(worlds, memory, self._net, self._routes, self._points, coarse, near, out)

    def snapshot(self, index: int) -> tuple[Any, ...]:
        return (self.memory[index].copy(),)

    def restore(self, index: int, snapshot: tuple[Any, ...]) -> None:
        self.memory[index] = snapshot[0]
