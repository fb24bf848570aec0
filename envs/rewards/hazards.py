"""Who is in the way: time to collision as CaRL sees it, and the hazards that Roach slows down for."""

from __future__ import annotations

import math

import numpy as np

from leaderboard_adapters.boxes import boxes_overlap
from simulator.actors import solid_box
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.roads.queries import lane_width, nearest_lane
from simulator.state import EGO, LightState

_AHEAD = np.array([0.1, 0.3, 0.5, 0.7, 0.9])  # s
_STANDING = 0.1  # m/s, below which nobody is run into
_STORY = 5.0  # m
_WALKER, _PROP = int(Kind.WALKER), int(Kind.PROP)
_RED, _YELLOW = int(LightState.RED), int(LightState.YELLOW)

_NEAR = 9.5  # m within which somebody is a hazard
_SLOWING = 5.0  # m over which the desired speed falls to 0
_VEHICLE_GAP, _WALKER_GAP, _LINE_GAP = 8.0, 6.0, 5.0  # m at which it is 0
_LIGHT_REACH = 18.0  # m
_SHOULDERS = int(1 << LaneType.DRIVING | 1 << LaneType.PARKING | 1 << LaneType.SHOULDER | 1 << LaneType.BIKING)


@kernel
def collision_ahead(w):  # type: ignore[no-untyped-def]
    """Whether the ego's box meets another within 0.9 s when everybody goes on at its velocity."""
    speed = w.speed[EGO]
    if abs(speed) < _STANDING:
        return False
    vx, vy = w.vx[EGO], w.vy[EGO]
    radius = math.hypot(w.half_length[EGO], w.half_width[EGO])
    for j in range(1, w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1 or abs(w.z[j] - w.z[EGO]) > _STORY:
            continue
        x, y, half_length, half_width = solid_box(w, j)
        dx, dy = x - w.x[EGO], y - w.y[EGO]
        dvx, dvy = w.vx[j] - vx, w.vy[j] - vy
        reach = radius + math.hypot(half_length, half_width) + 0.9 * math.hypot(dvx, dvy)
        if dx * dx + dy * dy > reach * reach:
            continue
        for t in _AHEAD:
            if boxes_overlap(
                w.x[EGO] + t * vx, w.y[EGO] + t * vy, w.yaw[EGO], w.half_length[EGO], w.half_width[EGO],
                x + t * w.vx[j], y + t * w.vy[j], w.yaw[j], half_length, half_width,
            ):  # fmt: skip
                return True
    return False


@kernel
def off_the_road(w, net):  # type: ignore[no-untyped-def]
    """Whether the ego's centre and corners are all off lanes, parking places, shoulders and bicycle lanes."""
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    for corner in range(5):
        along = 0.0 if corner == 4 else (w.half_length[EGO] if corner < 2 else -w.half_length[EGO])
        across = 0.0 if corner == 4 else (w.half_width[EGO] if corner % 2 == 0 else -w.half_width[EGO])
        x = w.x[EGO] + along * c - across * s
        y = w.y[EGO] + along * s + across * c
        lane, at, _, distance = nearest_lane(net, x, y, w.z[EGO], _SHOULDERS)
        if lane >= 0 and distance <= 0.5 * lane_width(net, lane, at):
            return False
    return True


@kernel
def slowing(distance, gap):  # type: ignore[no-untyped-def]
    """Share 0..1 of the free speed that Roach desires at `distance` metres from a hazard."""
    return min(max(distance - gap, 0.0), _SLOWING) / _SLOWING


@kernel
def desired_share(w, c, net, routes):  # type: ignore[no-untyped-def]
    """Share 0..1 of its speed on a free road that Roach desires: vehicles, walkers, red lights, stop signs ahead."""
    share = 1.0
    cosine, sine = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    for j in range(1, w.num_slots):
        kind = w.kind[j]
        if kind == 0 or kind == _PROP or w.hidden[j] == 1 or abs(w.z[j] - w.z[EGO]) > _STORY:
            continue
        dx, dy = w.x[j] - w.x[EGO], w.y[j] - w.y[EGO]
        distance = math.hypot(dx, dy)
        if distance > _NEAR:
            continue
        angle = abs(math.degrees(math.atan2(-dx * sine + dy * cosine, dx * cosine + dy * sine)))
        if kind == _WALKER:
            if angle < 162.0 / (min(max(distance, 1.5), 10.5) + 0.3) and on_lane(w, net, j):
                share = min(share, slowing(distance, _WALKER_GAP))
        elif angle < 45.0 and math.cos(w.yaw[j] - w.yaw[EGO]) >= math.cos(math.radians(150.0)):
            share = min(share, slowing(distance, _VEHICLE_GAP))
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    step = routes.path_step[w.route]
    here = min(first + int(w.path_s / step), last)
    for p in range(here, min(here + int(_LIGHT_REACH / step), last)):
        lane = routes.path_lane[p]
        if lane >= 0 and net.lane_junction[lane] >= 0:
            if p > here and net.lane_light[lane] >= 0:
                state = w.light_state[net.lane_light[lane]]
                if state in (_RED, _YELLOW):
                    share = min(share, slowing((p - here) * step, _LINE_GAP))
            break
    if c.stop_target >= 0 and c.stop_completed == 0:
        gap = math.hypot(net.stop_x[c.stop_target] - w.x[EGO], net.stop_y[c.stop_target] - w.y[EGO])
        share = min(share, slowing(gap, _LINE_GAP))
    return share


@kernel
def on_lane(w, net, j):  # type: ignore[no-untyped-def]
    """Whether an actor stands on its driving lane."""
    lane = w.lane[j]
    return lane >= 0 and abs(w.lane_offset[j]) < 0.5 * lane_width(net, lane, w.lane_s[j])
