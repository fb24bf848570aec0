"""The leaderboard's criteria as kernels: judge a running route tick by tick (docs/bench2drive.md 2).

Per tick, somebody above moves the world, lets the scenarios act, calls `update_weather`, then `update_criteria` once.
Its order is that of the official tree:

| # | criterion | ends the route |
|---|---|---|
| 0 | contacts that the collision sensor heard while the world moved; tick cap | in the tick after the cap |
| 1 | RouteCompletionTest | in the tick **after** the end was reached; all others still judge that tick |
| 2 | OutsideRouteLanesTest | |
| 3 | CollisionTest | |
| 4 | RunningRedLightTest | |
| 5 | RunningStopTest | |
| 6 | MinimumSpeedRouteTest | |
| 7 | InRouteTest | at once |
| 8 | ActorBlockedTest | at once |
| 9 | criteria of scenarios: yield, scenario timeout, second CollisionTest | |
| 10 | route timeout | at once |

A criterion that ends the route does not keep those after it from judging the same tick. `finished` then holds a
`RouteEnd`, all closing entries are booked, and further calls change nothing.

Arguments everywhere: `w` one WORLD record, `c` its CRITERIA, `switches` its SWITCHES, `net` RoadArrays,
`routes` RouteArrays.
"""

from __future__ import annotations

from leaderboard_adapters.criteria_collisions import note_contacts, update_collisions
from leaderboard_adapters.criteria_lanes import place_ego, update_outside_lanes
from leaderboard_adapters.criteria_progress import (
    LAST_CHECKPOINT_SHARE,
    book_min_speed,
    planar_speed,
    route_length,
    update_completion,
    update_in_route,
    update_min_speed,
    update_route_timeout,
)
from leaderboard_adapters.criteria_state import ROUTE_SECONDS, RouteEnd
from leaderboard_adapters.criteria_traffic_rules import (
    book_timeouts,
    conclude_yield,
    update_blocked,
    update_red_lights,
    update_scenario_criteria,
    update_stop_signs,
)
from leaderboard_adapters.criteria_weather import update_weather
from leaderboard_adapters.scores import TICK_CAP
from simulator.kernel import kernel
from simulator.state import EGO

__all__ = ["finish_criteria", "reset_criteria", "update_criteria", "update_weather"]

_COMPLETED = int(RouteEnd.COMPLETED)
_DEVIATED = int(RouteEnd.DEVIATED)
_BLOCKED = int(RouteEnd.BLOCKED)
_TIMED_OUT = int(RouteEnd.TIMED_OUT)
_TICK_CAP = int(RouteEnd.TICK_CAP)
_INTERRUPTED = int(RouteEnd.INTERRUPTED)


@kernel
def reset_criteria(w, c, net, routes):  # type: ignore[no-untyped-def]
    """Begin to judge a route whose ego stands at its start; whatever the record held is forgotten.

    `tick_cap` is then the official 4000; another protocol sets the field after the reset (0: no cap).
    """
    clear_criteria(c)
    cache_ego(w, c)
    place_ego(w, c, net)
    c.outside_lane = 0
    update_weather(w, c, routes)


@kernel
def update_criteria(w, c, switches, net, routes):  # type: ignore[no-untyped-def]
    """Judge one tick. Nothing happens once the route has finished."""
    if c.finished != 0:
        return
    c.tick += 1
    note_contacts(w, c)
    if c.tick_cap > 0 and c.tick > c.tick_cap:
        finish_criteria(w, c, switches, net, routes, _TICK_CAP)
        return
    completed = update_completion(w, c, routes)
    before = c.lane_index
    update_outside_lanes(w, c, switches, net, routes)
    update_collisions(w, c, switches)
    update_red_lights(w, c, net)
    update_stop_signs(w, c, net)
    update_min_speed(w, c, routes)
    deviated = update_in_route(w, c, routes)
    blocked = update_blocked(w, c, switches)
    update_scenario_criteria(w, c, switches)
    late = update_route_timeout(w, c, net, routes, before)
    cache_ego(w, c)
    if blocked:
        finish_criteria(w, c, switches, net, routes, _BLOCKED)
    elif deviated:
        finish_criteria(w, c, switches, net, routes, _DEVIATED)
    elif late:
        finish_criteria(w, c, switches, net, routes, _TIMED_OUT)
    elif completed:
        finish_criteria(w, c, switches, net, routes, _COMPLETED)


@kernel
def finish_criteria(w, c, switches, net, routes, reason=_INTERRUPTED):  # type: ignore[no-untyped-def]
    """End a route for `reason` (a RouteEnd) and book what the criteria report last. A finished route stays as it is.

    `update_criteria` calls it for the ends of its own; call it for all others, such as a crash of the agent.
    """
    if c.finished != 0:
        return
    c.finished = reason
    distance = routes.trace_distance[routes.trace_first[w.route] + c.route_index]
    if distance / route_length(w, routes) > LAST_CHECKPOINT_SHARE:
        book_min_speed(c)
        # The official tree ends its criteria twice, by itself and with the scenario; an exception leaves out the first.
        if reason <= _TIMED_OUT:
            book_min_speed(c)
    conclude_yield(w, c)
    book_timeouts(w, c, switches)


@kernel
def cache_ego(w, c):  # type: ignore[no-untyped-def]
    """What the data provider knows of the ego until the next tick is over."""
    c.cached_x = w.x[EGO]
    c.cached_y = w.y[EGO]
    c.cached_z = w.z[EGO]
    c.cached_speed = planar_speed(w, EGO)


@kernel
def clear_criteria(c):  # type: ignore[no-untyped-def]
    """All fields as in `empty_criteria`."""
    c.tick = 0
    c.tick_cap = TICK_CAP
    c.finished = 0
    c.cached_x = 0.0
    c.cached_y = 0.0
    c.cached_z = 0.0
    c.cached_speed = 0.0
    c.route_index = 0
    c.route_percent = 0.0
    c.completed = 0
    c.speed_start = 0.0
    c.speed_traffic = 0.0
    c.speed_ego = 0.0
    c.speed_ticks = 0
    c.lane_index = 0
    c.driven_distance = 0.0
    c.wrong_distance = 0.0
    c.wrong_tick = -1
    c.outside_lane = 0
    c.wrong_lane = 0
    c.ego_lane = -1
    c.ego_lane_s = 0.0
    c.ego_lane_x = 0.0
    c.ego_lane_y = 0.0
    c.ego_lane_z = 0.0
    c.ego_lane_yaw = 0.0
    c.lane_known = 0
    c.timeout = ROUTE_SECONDS
    c.double_collision = 0
    c.hit_id[:] = -1
    c.hit_tick[:] = 0
    c.hit_known[:] = 0
    c.hit_x[:] = 0.0
    c.hit_y[:] = 0.0
    c.hit_z[:] = 0.0
    c.last_red_light = -1
    c.stop_target = -1
    c.stop_completed = 0
    c.last_failed_stop = -1
    c.nearest_index = 0
    c.unsafe_distance = 0.0
    c.in_safe_route = 1
    c.blocked_asleep = 0
    c.moved_tick = -1
    c.yield_slot = -1
    c.yield_failed = 0
    c.scenario_timeouts = 0
    c.weather_index = -1
    c.night = 0
    c.counts[:] = 0
    c.num_events = 0
    c.events_lost = 0
    c.event_code[:] = 0
    c.event_test[:] = 0
    c.event_tick[:] = 0
    c.event_x[:] = 0.0
    c.event_y[:] = 0.0
    c.event_z[:] = 0.0
    c.event_subject[:] = 0
    c.event_blueprint[:] = 0
    c.num_speed_events = 0
    c.speed_tick[:] = 0
    c.speed_percent[:] = 0.0
