"""What a careful planner would drive: the reference that progress is measured against (PDM-Closed's recipe).

Proposals follow the route's path at a lateral offset with the Intelligent Driver Model towards a share of the speed
limit (gap 1 m, headway 1.5 s, acceleration 1.5, braking 3.0 m/s2), behind whoever is forecast on the path at constant
velocity, and halt at red lights.
"""

from __future__ import annotations

import math

import numpy as np

from leaderboard_adapters.pdms.score import COLUMNS
from simulator.kernel import kernel
from simulator.state import EGO, LightState
from simulator.tracking import path_point, project_on_path

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
OFFSETS = (0.0, -1.0, 1.0)
STATES = 41

_GAP, _HEADWAY, _ACCELERATION, _BRAKING = 1.0, 1.5, 1.5, 3.0
_FALLBACK = 15.0  # m/s where no limit is known
_STEP = 0.1
_SIDE = 0.3  # m of room beside somebody
_REACH = 100.0
_RED, _YELLOW = int(LightState.RED), int(LightState.YELLOW)


@kernel
def place_others(w, routes, found):  # type: ignore[no-untyped-def]
    """Others near the route's path: float64[A, 6]: s, offset, speeds along and across, half length, width.

    Returns how many there are.
    """
    count = 0
    for j in range(1, w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1 or abs(w.z[j] - w.z[EGO]) > 5.0:
            continue
        if math.hypot(w.x[j] - w.x[EGO], w.y[j] - w.y[EGO]) > _REACH:
            continue
        s, offset = project_on_path(routes, w.route, w.path_s, w.x[j], w.y[j], _REACH)
        if abs(offset) > 15.0:
            continue
        x, y, yaw, curvature = path_point(routes, w.route, s)
        c, n = math.cos(yaw), math.sin(yaw)
        turned = abs(math.cos(w.yaw[j] - yaw))
        across = math.sqrt(max(1.0 - turned * turned, 0.0))
        found[count, 0] = s
        found[count, 1] = offset
        found[count, 2] = w.vx[j] * c + w.vy[j] * n
        found[count, 3] = -w.vx[j] * n + w.vy[j] * c
        found[count, 4] = w.half_length[j] * turned + w.half_width[j] * across
        found[count, 5] = w.half_length[j] * across + w.half_width[j] * turned
        count += 1
    return count


@kernel
def red_line(w, net, routes):  # type: ignore[no-untyped-def]
    """Metres along the path of the next junction with a red or yellow light, 1e9 without one."""
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    step = routes.path_step[w.route]
    here = min(first + int(w.path_s / step), last)
    for p in range(here, min(here + int(_REACH / step), last)):
        lane = routes.path_lane[p]
        if lane >= 0 and net.lane_junction[lane] >= 0:
            if p > here and net.lane_light[lane] >= 0:
                state = w.light_state[net.lane_light[lane]]
                if state in (_RED, _YELLOW):
                    return (p - first) * step
            return 1e9
    return 1e9


@kernel
def propose(w, net, routes, others, count, share, offset, places):  # type: ignore[no-untyped-def]
    """Places along the path every 0.1 s of one proposal: float64[41] metres. Returns the way made."""
    lane = w.lane[EGO]
    limit = net.lane_speed_limit[lane] if lane >= 0 else _FALLBACK
    target = max(share * limit, 0.1)
    s, v = w.path_s, max(w.speed[EGO], 0.0)
    front = w.half_length[EGO]
    line = red_line(w, net, routes)
    places[0] = s
    for k in range(1, len(places)):
        seconds = (k - 1) * _STEP
        gap = 1e9
        ahead = target
        for n in range(count):
            beside = others[n, 1] + others[n, 3] * seconds - offset
            if abs(beside) > others[n, 5] + w.half_width[EGO] + _SIDE:
                continue
            along = others[n, 0] + others[n, 2] * seconds
            if along <= s:
                continue
            between = along - others[n, 4] - s - front
            if between < gap:
                gap = between
                ahead = others[n, 2]
        if line - s - front < gap and line > s:
            gap = line - s - front
            ahead = 0.0
        acceleration = 1.0 - (v / target) ** 4
        if gap < 1e8:
            wanted = _GAP + max(v * _HEADWAY + v * (v - ahead) / (2.0 * math.sqrt(_ACCELERATION * _BRAKING)), 0.0)
            acceleration -= (wanted / max(gap, 0.1)) ** 2
        acceleration = min(max(_ACCELERATION * acceleration, -8.0), _ACCELERATION)
        s += v * _STEP
        v = max(v + acceleration * _STEP, 0.0)
        places[k] = s
    return places[len(places) - 1] - places[0]


@kernel
def propose_all(w, net, routes, shares, offsets, others, places, poses):  # type: ignore[no-untyped-def]
    """All proposals: poses float64[shares * offsets, 41, 3] of the box centre, world."""
    count = place_others(w, routes, others)
    n = 0
    for share in shares:
        for offset in offsets:
            propose(w, net, routes, others, count, share, offset, places)
            for k in range(len(places)):
                x, y, yaw, curvature = path_point(routes, w.route, places[k])
                blend = min((places[k] - places[0]) / 10.0, 1.0)
                side = w.path_offset + (offset - w.path_offset) * blend
                poses[n, k, 0] = x - side * math.sin(yaw)
                poses[n, k, 1] = y + side * math.cos(yaw)
                poses[n, k, 2] = yaw
            n += 1


@kernel
def free_progress(w, net, routes, others, places):  # type: ignore[no-untyped-def]
    """Metres that the proposal at the speed limit, in the middle of the path, makes in 4 s."""
    count = place_others(w, routes, others)
    return propose(w, net, routes, others, count, 1.0, 0.0, places)


@kernel
def ego_row(w, row):  # type: ignore[no-untyped-def]
    """Begin a state of the scorer (float64[11]) with where the ego is."""
    for k in range(COLUMNS):
        row[k] = 0.0
    row[0], row[1], row[2], row[3], row[4] = w.x[EGO], w.y[EGO], w.yaw[EGO], w.speed[EGO], w.path_s


def scratch() -> tuple[np.ndarray, np.ndarray]:
    """Arrays for the kernels above: others float64[96, 6], places float64[41]."""
    return np.zeros((96, 6)), np.zeros(STATES)
