"""Where actors are on the road: their lane, height and slope, and the ego's place on its path. Updated once a tick."""

from __future__ import annotations

import math

from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK
from simulator.roads.queries import follow_lane, lane_pose, nearest_lane_aligned
from simulator.state import EGO, MAX_PLAN, Behaviour

_PROP = int(Kind.PROP)
_WALKER = int(Kind.WALKER)
_LANES = int(Behaviour.LANES)
_HOLD = int(Behaviour.HOLD)
_DRIVING = DRIVING_MASK
_LOST = 6.0  # m from a lane's centre beyond which an actor is looked up afresh


@kernel
def track_actors(w, net):  # type: ignore[no-untyped-def]
    """Update lane, lane_s, lane_offset and height of every actor that moves."""
    for i in range(w.num_slots):
        kind = w.kind[i]
        if kind == 0 or kind == _PROP or w.hidden[i] == 1:
            continue
        if w.behaviour[i] == _HOLD and w.lane[i] >= 0 and w.speed[i] == 0.0:
            continue
        track_actor(w, net, i)


@kernel
def track_actor(w, net, i):  # type: ignore[no-untyped-def]
    """Update one actor's lane: along its own lane where possible, by search otherwise."""
    lane = w.lane[i]
    if lane >= 0 and (w.behaviour[i] == _LANES or w.kind[i] != _WALKER):
        s, offset, beyond = follow_lane(net, lane, w.lane_s[i], w.x[i], w.y[i])
        if w.behaviour[i] == _LANES:
            while beyond > 0 and w.plan[i, 1] >= 0:
                for k in range(MAX_PLAN - 1):
                    w.plan[i, k] = w.plan[i, k + 1]
                w.plan[i, MAX_PLAN - 1] = -1
                lane = w.plan[i, 0]
                w.stopped_at_sign[i] = 0
                s, offset, beyond = follow_lane(net, lane, 0.0, w.x[i], w.y[i])
            set_lane(w, net, i, lane, s, offset)
            return
        half = 0.5 * net.point_width[net.lane_first[lane]]
        if beyond == 0 and abs(offset) < half:
            set_lane(w, net, i, lane, s, offset)
            return
    found, s, offset, distance = nearest_lane_aligned(net, w.x[i], w.y[i], w.z[i], w.yaw[i], _DRIVING)
    if found >= 0 and distance < 2.0 * _LOST:
        set_lane(w, net, i, found, s, offset)
    else:
        w.lane[i] = -1


@kernel
def set_lane(w, net, i, lane, s, offset):  # type: ignore[no-untyped-def]
    """Note an actor's lane, and stand it on that lane's surface."""
    w.lane[i] = lane
    w.lane_s[i] = s
    w.lane_offset[i] = offset
    if w.behaviour[i] == _LANES:
        w.plan[i, 0] = lane
    step = net.lane_step[lane]
    first = net.lane_first[lane]
    last = net.lane_first[lane + 1] - 1
    f = s / step
    k = min(max(int(f), 0), last - first - 1)
    f = min(max(f - k, 0.0), 1.0)
    k += first
    w.z[i] = net.point_z[k] * (1.0 - f) + net.point_z[k + 1] * f
    w.pitch[i] = net.point_pitch[k]


@kernel
def project_on_path(routes, route, hint, x, y, ahead):  # type: ignore[no-untyped-def]
    """Nearest place on a route's drivable path within [hint - 5, hint + ahead] metres.

    Returns (s metres, offset metres right positive).
    """
    first = routes.path_first[route]
    count = routes.path_first[route + 1] - first
    step = routes.path_step[route]
    low = max(int((hint - 5.0) / step), 0)
    high = min(int((hint + ahead) / step) + 1, count - 2)
    best = 1e18
    best_s = hint
    best_offset = 0.0
    for k in range(low, high + 1):
        p = first + k
        ax = routes.path_x[p]
        ay = routes.path_y[p]
        dx = routes.path_x[p + 1] - ax
        dy = routes.path_y[p + 1] - ay
        length2 = dx * dx + dy * dy
        if length2 < 1e-12:
            continue
        t = ((x - ax) * dx + (y - ay) * dy) / length2
        t = min(max(t, 0.0), 1.0)
        ex = x - ax - t * dx
        ey = y - ay - t * dy
        d2 = ex * ex + ey * ey
        if d2 < best:
            best = d2
            best_s = (k + t) * step
            best_offset = (dx * ey - dy * ex) / math.sqrt(length2)
    return best_s, best_offset


@kernel
def path_point(routes, route, s):  # type: ignore[no-untyped-def]
    """Pose on the drivable path at `s` metres: (x, y, yaw, curvature)."""
    first = routes.path_first[route]
    count = routes.path_first[route + 1] - first
    f = min(max(s / routes.path_step[route], 0.0), count - 1.001)
    k = int(f)
    f -= k
    p = first + k
    turn = routes.path_yaw[p + 1] - routes.path_yaw[p]
    turn = math.atan2(math.sin(turn), math.cos(turn))
    return (
        routes.path_x[p] * (1.0 - f) + routes.path_x[p + 1] * f,
        routes.path_y[p] * (1.0 - f) + routes.path_y[p + 1] * f,
        routes.path_yaw[p] + f * turn,
        routes.path_curvature[p] * (1.0 - f) + routes.path_curvature[p + 1] * f,
    )


@kernel
def track_ego(w, net, routes):  # type: ignore[no-untyped-def]
    """Update the ego's place on its path, and the lanes that it is expected to take (its plan)."""
    w.path_s, w.path_offset = project_on_path(routes, w.route, w.path_s, w.x[EGO], w.y[EGO], 15.0)
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    p = min(first + int(w.path_s / routes.path_step[w.route]), last)
    current = routes.path_lane[p]
    w.plan[EGO, 0] = w.lane[EGO] if w.lane[EGO] >= 0 else current
    k = 1
    stride = max(int(1.0 / routes.path_step[w.route]), 1)
    while p < last and k < MAX_PLAN and p - first < (w.path_s + 80.0) / routes.path_step[w.route]:
        p += stride
        lane = routes.path_lane[min(p, last)]
        if lane != current and lane >= 0:
            current = lane
            if lane != w.plan[EGO, k - 1]:
                w.plan[EGO, k] = lane
                k += 1
    while k < MAX_PLAN:
        w.plan[EGO, k] = -1
        k += 1


@kernel
def stand_on_lane(w, net, slot, lane, s):  # type: ignore[no-untyped-def]
    """Put an actor on a lane's centre, facing along it."""
    x, y, z, yaw = lane_pose(net, lane, s)
    w.x[slot] = x
    w.y[slot] = y
    w.z[slot] = z
    w.yaw[slot] = yaw
    set_lane(w, net, slot, lane, s, 0.0)
