"""The vector observation, version 1: the ego, its route ahead and its neighbours as one row of numbers.

Frame: the ego's (x ahead, y right, metres). All numbers are scaled to be of the order of one.

| index | meaning | unit | scale |
|---|---|---|---|
| 0 | speed | m/s | /20 |
| 1 | front wheel angle | rad | x2 |
| 2 | speed limit | m/s | /20 |
| 3 | offset from the path, right positive | m | /4 |
| 4, 5 | sine and cosine of the heading against the path | | |
| 6-8 | light that rules the next junction: red, yellow, green (all 0: none within 60 m) | | |
| 9 | distance to that junction | m | /60 |
| 10 | distance to the route's end, at most 100 m | m | /100 |
| 11 | 1 while in a junction | | |
| 12 + 2k, 13 + 2k | path point k of 12, at 2, 4, 6, 9, 12, 16, 20, 25, 30, 40, 50, 60 m: x, y | m | /30 |
| 36 + 8k ... | neighbour k of 16 by distance, within 60 m: x, y, sin and cos of its heading, speed, half length,
half width, 1 | m, m/s | /30, /30, 1, 1, /20, /5, /2, 1 |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from envs.entry import entry
from envs.observations.base import Observation
from envs.routes import RouteBatch
from simulator.kernel import kernel
from simulator.state import EGO
from simulator.tracking import path_point

VERSION = 1
_PATH_AHEAD = np.array([2.0, 4.0, 6.0, 9.0, 12.0, 16.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0])
_NEIGHBOURS = 16
_EGO_VALUES = 12
_NEIGHBOUR_VALUES = 8
_SIGHT = 60.0
SIZE = _EGO_VALUES + 2 * len(_PATH_AHEAD) + _NEIGHBOURS * _NEIGHBOUR_VALUES


@kernel
def observe(w, net, routes, out):  # type: ignore[no-untyped-def]
    """Write the observation of one world into `out`: float32[SIZE]."""
    out[:] = 0.0
    x, y, yaw, curvature = path_point(routes, w.route, w.path_s)
    lane = w.lane[EGO]
    out[0] = w.speed[EGO] / 20.0
    out[1] = w.steer_angle[EGO] * 2.0
    out[2] = net.lane_speed_limit[lane] / 20.0 if lane >= 0 else 0.0
    out[3] = w.path_offset / 4.0
    out[4] = math.sin(w.yaw[EGO] - yaw)
    out[5] = math.cos(w.yaw[EGO] - yaw)
    step = routes.path_step[w.route]
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    here = min(first + int(w.path_s / step), last)
    for p in range(here, min(here + int(_SIGHT / step), last)):
        on = routes.path_lane[p]
        if on >= 0 and net.lane_junction[on] >= 0:
            if p > here and net.lane_light[on] >= 0:
                state = w.light_state[net.lane_light[on]]
                if state <= 2:
                    out[6 + state] = 1.0
            out[9] = (p - here) * step / _SIGHT
            out[11] = 1.0 if p == here else 0.0
            break
    out[10] = min(max(routes.path_end[w.route] - w.path_s, 0.0), 100.0) / 100.0
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    k = _EGO_VALUES
    for ahead in _PATH_AHEAD:
        x, y, yaw, curvature = path_point(routes, w.route, w.path_s + ahead)
        dx = x - w.x[EGO]
        dy = y - w.y[EGO]
        out[k] = (dx * c + dy * s) / 30.0
        out[k + 1] = (-dx * s + dy * c) / 30.0
        k += 2
    seen = -1.0
    seen_slot = 0
    for _ in range(_NEIGHBOURS):  # the next nearest each time, ties by slot
        best = _SIGHT * _SIGHT
        found = -1
        for j in range(1, w.num_slots):
            if w.kind[j] == 0 or w.hidden[j] == 1:
                continue
            dx = w.x[j] - w.x[EGO]
            dy = w.y[j] - w.y[EGO]
            d2 = dx * dx + dy * dy
            if d2 < best and (d2 > seen or (d2 == seen and j > seen_slot)):
                best = d2
                found = j
        if found < 0:
            break
        seen = best
        seen_slot = found
        dx = w.x[found] - w.x[EGO]
        dy = w.y[found] - w.y[EGO]
        out[k] = (dx * c + dy * s) / 30.0
        out[k + 1] = (-dx * s + dy * c) / 30.0
        out[k + 2] = math.sin(w.yaw[found] - w.yaw[EGO])
        out[k + 3] = math.cos(w.yaw[found] - w.yaw[EGO])
        out[k + 4] = w.speed[found] / 20.0
        out[k + 5] = w.half_length[found] / 5.0
        out[k + 6] = w.half_width[found] / 2.0
        out[k + 7] = 1.0
        k += _NEIGHBOUR_VALUES


@kernel
def observe_all(worlds, net, routes, out):  # type: ignore[no-untyped-def]
    """`observe` for every world; `out`: float32[B, SIZE]."""
    for b in range(worlds.shape[0]):
        observe(worlds[b], net, routes, out[b])


class VectorObservation(Observation):
    """float32[B, 188]: the ego, its route ahead and its neighbours in one row."""

    def __init__(self, routes: RouteBatch) -> None:
        self._net, self._routes = routes.net, routes.arrays
        self._observe: Callable[..., None] | None = None
        self.space: gym.Space[Any] = gym.spaces.Box(-np.inf, np.inf, (SIZE,), np.float32)

    def write(self, worlds: np.ndarray, out: np.ndarray, first: int = 0) -> None:
        if self._observe is None:
            self._observe = entry(observe_all, worlds, self._net, self._routes, out)
        self._observe(worlds, self._net, self._routes, out)
