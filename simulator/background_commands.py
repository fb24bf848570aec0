"""What scenarios may tell the background traffic to do at once (Bench2Drive's commands to its background activity).

Each acts in the tick in which it is called. Lasting settings are plain fields of the world record (`bg_*`).
"""

from __future__ import annotations

import math

import numpy as np

from simulator.actors import is_free, remove_actor
from simulator.kernel import kernel
from simulator.roads.queries import advance
from simulator.state import EGO, MAX_ACTORS, MAX_MARKS, Role
from simulator.tracking import stand_on_lane

_BACKGROUND = int(Role.BACKGROUND)
_REACH = 150.0  # m along the path within which "ahead of the ego" is looked for


@kernel
def same_road_lane(net, a, b):  # type: ignore[no-untyped-def]
    """True when two lane indices are the same lane of the same road, whatever lane section."""
    return (
        net.lane_road[a] == net.lane_road[b]
        and net.lane_id[a] * net.lane_id[b] > 0
        and (net.lane_id[a] == net.lane_id[b])
    )


@kernel
def path_distance(w, net, routes, lane, lane_s):  # type: ignore[no-untyped-def]
    """Metres from the ego to a place on a lane of its path ahead, or -1 when the path does not lead there."""
    r = w.route
    step = routes.path_step[r]
    first = routes.path_first[r]
    last = routes.path_first[r + 1] - 1
    p = min(first + int(w.path_s / step), last)
    end = min(p + int(_REACH / step), last)
    stride = max(int(2.0 / step), 1)
    while p <= end:
        if routes.path_lane[p] == lane:
            distance = (p - first) * step - w.path_s + lane_s - routes.path_lane_s[p]
            return distance if distance > -30.0 else -1.0
        p += stride
    return -1.0


@kernel
def in_ego_lane_ahead(w, net, routes, i):  # type: ignore[no-untyped-def]
    """Distance of background vehicle i ahead of the ego in the ego's lane, or -1."""
    if w.kind[i] == 0 or w.role[i] != _BACKGROUND or w.lane[i] < 0:
        return -1.0
    lane = w.lane[EGO]
    if lane >= 0 and w.lane[i] == lane:
        return w.lane_s[i] - w.lane_s[EGO]
    return path_distance(w, net, routes, w.lane[i], w.lane_s[i])


@kernel
def leave_space_in_front(w, net, routes, space):  # type: ignore[no-untyped-def]
    """LeaveSpaceInFront: move the vehicles ahead in the ego's lane so that the nearest is `space` metres away."""
    nearest = 1e9
    for i in range(1, w.num_slots):
        d = in_ego_lane_ahead(w, net, routes, i)
        if 0.0 < d < nearest:
            nearest = d
    shift = space - nearest
    if shift <= 0.0 or nearest > 1e8:
        return
    for i in range(1, w.num_slots):
        if in_ego_lane_ahead(w, net, routes, i) > 0.0:
            lane, s = advance(net, w.lane[i], w.lane_s[i], shift, 0)
            for k in range(w.plan.shape[1]):
                w.plan[i, k] = -1
            stand_on_lane(w, net, i, lane, s)


@kernel
def close_lane(w, net, lane):  # type: ignore[no-untyped-def]
    """RemoveRoadLane and removed junction entries: no background vehicles on this lane of its road, now and later."""
    for i in range(1, w.num_slots):
        if w.kind[i] != 0 and w.role[i] == _BACKGROUND and w.lane[i] >= 0 and same_road_lane(net, w.lane[i], lane):
            remove_actor(w, i)
    if not is_closed(w, net, lane) and w.num_closed < MAX_MARKS:
        w.closed_lane[w.num_closed] = lane
        w.num_closed += 1


@kernel
def is_closed(w, net, lane):  # type: ignore[no-untyped-def]
    """True when scenarios have closed this lane for background traffic."""
    for k in range(w.num_closed):
        if same_road_lane(net, w.closed_lane[k], lane):
            return True
    return False


@kernel
def clear_junction(w, net, junction):  # type: ignore[no-untyped-def]
    """Take background vehicles out of a junction, and keep later ones from entering it."""
    for i in range(1, w.num_slots):
        if w.kind[i] != 0 and w.role[i] == _BACKGROUND and w.lane[i] >= 0:
            if net.lane_junction[w.lane[i]] == junction:
                remove_actor(w, i)
    w.bg_clear_junction = junction


@kernel
def unclear_junction(w):  # type: ignore[no-untyped-def]
    """Let background vehicles enter junctions again."""
    w.bg_clear_junction = -1


@kernel
def clear_ego_entry(w, net, routes):  # type: ignore[no-untyped-def]
    """Take away the background vehicles ahead on the ego's road, and keep those behind from passing.

    The second holds until the ego has left the junction.
    """
    lane = w.lane[EGO]
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.role[i] != _BACKGROUND or w.lane[i] < 0:
            continue
        d = in_ego_lane_ahead(w, net, routes, i)
        if d <= 0.0 and lane >= 0 and net.lane_road[w.lane[i]] == net.lane_road[lane]:
            if net.lane_id[w.lane[i]] * net.lane_id[lane] > 0:
                d = (w.x[i] - w.x[EGO]) * math.cos(w.yaw[EGO]) + (w.y[i] - w.y[EGO]) * math.sin(w.yaw[EGO])
        if d > 0.0:
            remove_actor(w, i)
    w.bg_keep_behind = 1


@kernel
def extend_exit(w, net, routes, space):  # type: ignore[no-untyped-def]
    """Extend the space behind the route's next junction exit: vehicles there move forward by `space` metres."""
    r = w.route
    crossing = -1
    for k in range(routes.crossing_first[r], routes.crossing_first[r + 1]):
        if routes.crossing_exit[k] > w.path_s:
            crossing = k
            break
    if crossing < 0:
        return
    moved = np.zeros(MAX_ACTORS, np.bool_)
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.role[i] != _BACKGROUND or w.lane[i] < 0:
            continue
        for e in range(routes.exit_first[crossing], routes.exit_first[crossing + 1]):
            if same_road_lane(net, routes.exit_lane[e], w.lane[i]):
                lane, s = advance(net, w.lane[i], w.lane_s[i], space, 0)
                for q in range(w.plan.shape[1]):
                    w.plan[i, q] = -1
                stand_on_lane(w, net, i, lane, s)
                moved[i] = True
                break
    for i in range(w.num_slots - 1, 0, -1):
        if moved[i] and not is_free_except(w, i):
            remove_actor(w, i)


@kernel
def is_free_except(w, i):  # type: ignore[no-untyped-def]
    """True when actor i overlaps nobody where it stands."""
    kind = w.kind[i]
    w.kind[i] = 0
    free = is_free(w, w.x[i], w.y[i], w.yaw[i], w.half_length[i], w.half_width[i], 0.5)
    w.kind[i] = kind
    return free


@kernel
def leave_crossing_space(w, net, x, y):  # type: ignore[no-untyped-def]
    """LeaveCrossingSpace: oncoming vehicles within 20 m of (x, y) go, those within 30 m stand still."""
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.role[i] != _BACKGROUND:
            continue
        if math.cos(w.yaw[i] - w.yaw[EGO]) > -0.5:
            continue
        d = math.hypot(w.x[i] - x, w.y[i] - y)
        if d < 20.0:
            remove_actor(w, i)
        elif d < 30.0:
            w.speed[i] = 0.0
            w.vx[i] = 0.0
            w.vy[i] = 0.0
