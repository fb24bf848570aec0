"""Criteria that follow the ego along the traced route: completion, min speed, deviation, time.

Rules: docs/bench2drive.md 2.3. "Passing" a route point k means (ego - point_k) . forward_k > 0, in 3-D.
"""

from __future__ import annotations

import math

from leaderboard_adapters.criteria_events import add_event, add_speed_event
from leaderboard_adapters.criteria_state import DEVIATION, ROUTE_TIMEOUT, TICK_STEP
from simulator.kernel import kernel
from simulator.state import EGO, Role

COMPLETION_WINDOW = 2  # points looked ahead
COMPLETED_PERCENT = 99.0
COMPLETED_DISTANCE = 10.0  # m to the last point
CHECKPOINTS = 20
LAST_CHECKPOINT_SHARE = 0.95  # of the route beyond which its end books one more entry
DEVIATION_WINDOW = 5
DEVIATION_MAX = 30.0  # m
DEVIATION_UNSAFE = 15.0  # m
UNSAFE_PERCENT = 30.0  # of the route's length
TIMEOUT_SPEED_SHARE = 0.1  # of the speed limit

_BACKGROUND = int(Role.BACKGROUND)


@kernel
def planar_speed(w, slot):  # type: ignore[no-untyped-def]
    """Speed over ground in m/s, as the official data provider caches it."""
    return math.sqrt(w.vx[slot] * w.vx[slot] + w.vy[slot] * w.vy[slot])


@kernel
def passed_point(w, routes, p):  # type: ignore[no-untyped-def]
    """Whether the ego is beyond point p (an index into the packed traces)."""
    dx = w.x[EGO] - routes.trace_x[p]
    dy = w.y[EGO] - routes.trace_y[p]
    dz = w.z[EGO] - routes.trace_z[p]
    flat = dx * math.cos(routes.trace_yaw[p]) + dy * math.sin(routes.trace_yaw[p])
    pitch = routes.trace_pitch[p]
    return flat * math.cos(pitch) + dz * math.sin(pitch) > 0.0


@kernel
def passed_index(w, routes, index, window):  # type: ignore[no-untyped-def]
    """The last point passed among index+1 .. index+window, or `index`. Indices count from the route's first point."""
    first = routes.trace_first[w.route]
    last = routes.trace_first[w.route + 1] - first - 1
    found = index
    for k in range(index + 1, min(index + window, last) + 1):
        if passed_point(w, routes, first + k):
            found = k
    return found


@kernel
def route_length(w, routes):  # type: ignore[no-untyped-def]
    """Length of the world's traced route in metres."""
    return routes.trace_distance[routes.trace_first[w.route + 1] - 1]


@kernel
def update_completion(w, c, routes):  # type: ignore[no-untyped-def]
    """RouteCompletionTest; returns True in the tick after the end was reached, which ends the route."""
    # The min-speed test walks the same index by the same rule, and goes on when the completion test no longer does.
    c.route_index = passed_index(w, routes, c.route_index, COMPLETION_WINDOW)
    if c.completed == 1:
        return True
    first = routes.trace_first[w.route]
    c.route_percent = routes.trace_distance[first + c.route_index] / route_length(w, routes) * 100.0
    if round(c.route_percent, 2) > COMPLETED_PERCENT:
        p = routes.trace_first[w.route + 1] - 1
        dx = w.x[EGO] - routes.trace_x[p]
        dy = w.y[EGO] - routes.trace_y[p]
        dz = w.z[EGO] - routes.trace_z[p]
        if math.sqrt(dx * dx + dy * dy + dz * dz) < COMPLETED_DISTANCE:
            c.completed = 1
    return False


@kernel
def update_min_speed(w, c, routes):  # type: ignore[no-untyped-def]
    """MinimumSpeedRouteTest: an entry at each checkpoint, then this tick's speeds go to the next one."""
    distance = routes.trace_distance[routes.trace_first[w.route] + c.route_index]
    if distance - c.speed_start > route_length(w, routes) / CHECKPOINTS:
        book_min_speed(c)
        c.speed_start = distance
        c.speed_traffic = 0.0
        c.speed_ego = 0.0
        c.speed_ticks = 0
    total = 0.0
    count = 0
    for i in range(1, w.num_slots):
        if w.kind[i] != 0 and w.role[i] == _BACKGROUND:
            total += planar_speed(w, i)
            count += 1
    if count > 0:
        c.speed_traffic += total / count
        c.speed_ego += planar_speed(w, EGO)
        c.speed_ticks += 1


@kernel
def book_min_speed(c):  # type: ignore[no-untyped-def]
    """One min-speed entry from the sums, which become means; a second call books the same value again."""
    if c.speed_ticks > 0 and c.speed_traffic != 0.0:
        c.speed_traffic /= c.speed_ticks
        c.speed_ego /= c.speed_ticks
        add_speed_event(c, c.speed_ego / c.speed_traffic * 100.0)
    else:
        add_speed_event(c, -1.0)


@kernel
def update_in_route(w, c, routes):  # type: ignore[no-untyped-def]
    """InRouteTest; returns True when the ego has left the route for good, which ends it."""
    first = routes.trace_first[w.route]
    last = routes.trace_first[w.route + 1] - first - 1
    nearest = c.nearest_index
    shortest = math.inf
    for k in range(c.nearest_index, min(c.nearest_index + DEVIATION_WINDOW, last) + 1):
        dx = w.x[EGO] - routes.trace_x[first + k]
        dy = w.y[EGO] - routes.trace_y[first + k]
        distance = math.sqrt(dx * dx + dy * dy)
        if distance <= shortest:
            nearest = k
            shortest = distance
    if shortest == math.inf:
        return False
    off_route = shortest >= DEVIATION_MAX
    if not off_route:
        c.in_safe_route = 1 if shortest < DEVIATION_UNSAFE else 0
    if nearest != c.nearest_index:
        if c.in_safe_route == 0:
            c.unsafe_distance += routes.trace_distance[first + nearest] - routes.trace_distance[first + c.nearest_index]
            if 100.0 * c.unsafe_distance / route_length(w, routes) > UNSAFE_PERCENT:
                off_route = True
        c.nearest_index = nearest
    if off_route:
        add_event(c, DEVIATION, 0, w.x[EGO], w.y[EGO], w.z[EGO], -1, -1)
    return off_route


@kernel
def update_route_timeout(w, c, net, routes, before):  # type: ignore[no-untyped-def]
    """RouteTimeoutBehavior; returns True when the route has taken too long, which ends it.

    `before` is `lane_index` before this tick: the official time limit walks an index of its own by the same rule.
    """
    first = routes.trace_first[w.route]
    if c.lane_index > before and c.ego_lane >= 0:
        gained = routes.trace_distance[first + c.lane_index] - routes.trace_distance[first + before]
        c.timeout += gained / (TIMEOUT_SPEED_SHARE * net.lane_speed_limit[c.ego_lane])
    late = (c.tick - 1) * TICK_STEP > c.timeout
    if late:
        add_event(c, ROUTE_TIMEOUT, 0, w.x[EGO], w.y[EGO], w.z[EGO], -1, -1)
    return late
