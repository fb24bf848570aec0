"""What the leaderboard's criteria know about a running route: one record a world.

`empty_criteria(B)` stands beside `empty_worlds(B)` and `empty_switches(B)`; copying the records copies the routes,
events included.

An event is one entry of an infraction list. Its code is the index of that list in `INFRACTION_NAMES`.
Two lists are kept apart: the share of lane excursions is one running value (`wrong_distance / driven_distance`), and
the min-speed entries have a buffer of their own, because every route has about twenty.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import TICK_CAP

MAX_EVENTS = 64
MAX_SPEED_EVENTS = 32  # at most one each twentieth of the route, and two when it ends

#: Seconds of one tick as the official game clock adds them up: CARLA sends the step as float32, a little more than
#: 0.05, so that 1200 ticks are more than 60 s and 100 ticks more than 5 s.
TICK_STEP = float(np.float32(0.05))

ROUTE_SECONDS = 300.0  # s of game time that a route may take, to which its progress adds

MAP_GEOMETRY = -1  # contact_slot of fences, poles, buildings: no actor, id 0
UNCLASSIFIED = -2  # contact_slot of what the official code has no class for, such as sidewalks

#: Event codes.
LAYOUT = INFRACTION_NAMES.index("collisions_layout")
PEDESTRIAN = INFRACTION_NAMES.index("collisions_pedestrian")
VEHICLE = INFRACTION_NAMES.index("collisions_vehicle")
RED_LIGHT = INFRACTION_NAMES.index("red_light")
STOP = INFRACTION_NAMES.index("stop_infraction")
OUTSIDE_LANES = INFRACTION_NAMES.index("outside_route_lanes")
MIN_SPEED = INFRACTION_NAMES.index("min_speed_infractions")
YIELD = INFRACTION_NAMES.index("yield_emergency_vehicle_infractions")
SCENARIO_TIMEOUT = INFRACTION_NAMES.index("scenario_timeouts")
DEVIATION = INFRACTION_NAMES.index("route_dev")
BLOCKED = INFRACTION_NAMES.index("vehicle_blocked")
ROUTE_TIMEOUT = INFRACTION_NAMES.index("route_timeout")


class RouteEnd(IntEnum):
    """What ended a route (docs/bench2drive.md 2.4): up to TIMED_OUT the official tree, from there on an exception."""

    RUNNING = 0
    COMPLETED = 1
    DEVIATED = 2
    BLOCKED = 3
    TIMED_OUT = 4
    TICK_CAP = 5
    AGENT_CRASHED = 6
    AGENT_NOT_SET_UP = 7
    SENSORS_INVALID = 8
    SIMULATION_CRASHED = 9
    INTERRUPTED = 10  # stopped from outside, such as a truncated training episode


CRITERIA = np.dtype(
    [
        ("tick", np.int64),  # ticks judged since reset
        ("tick_cap", np.int64),  # the route ends in the tick after this one; 0 never
        ("finished", np.int64),  # RouteEnd
        # what the data provider last cached: the ego at the end of the tick before, which collisions refer to
        ("cached_x", np.float64),  # m
        ("cached_y", np.float64),
        ("cached_z", np.float64),
        ("cached_speed", np.float64),  # m/s, planar
        # RouteCompletionTest, MinimumSpeedRouteTest: the furthest point of the traced route that the ego has passed
        ("route_index", np.int64),
        ("route_percent", np.float64),  # of the route's length at that point, unrounded
        ("completed", np.int64),  # 1: reached the end; the next tick ends the route
        ("speed_start", np.float64),  # m along the route where the running checkpoint began
        ("speed_traffic", np.float64),  # m/s, sum over ticks of the mean speed of background vehicles
        ("speed_ego", np.float64),  # m/s, sum over the same ticks
        ("speed_ticks", np.int64),
        # OutsideRouteLanesTest (and the route timeout, which advances alike)
        ("lane_index", np.int64),  # point of the traced route
        ("driven_distance", np.float64),  # m between the points passed
        ("wrong_distance", np.float64),  # m of it outside the route lanes
        ("wrong_tick", np.int64),  # tick of the first metre outside, -1 never
        ("outside_lane", np.int64),  # 1: off the driving and parking lanes now
        ("wrong_lane", np.int64),  # 1: on a lane against the traffic now, whatever the switch says
        ("ego_lane", np.int64),  # nearest driving lane of the ego, whichever its direction, -1 none
        ("ego_lane_s", np.float64),  # m along it
        ("ego_lane_x", np.float64),  # m, the ego's waypoint: that point of its centreline
        ("ego_lane_y", np.float64),
        ("ego_lane_z", np.float64),
        ("ego_lane_yaw", np.float64),  # rad, its direction there
        ("lane_known", np.int64),  # 0 until the first tick: the official test starts without a road id
        ("timeout", np.float64),  # s of game time that the route may take so far
        # CollisionTest: the route's own, and the one that a scenario may add
        ("double_collision", np.int64),  # 1: the second one listens
        ("hit_id", np.int64, (2,)),  # actor id remembered, -1 none
        ("hit_tick", np.int64, (2,)),  # tick of the last collision
        ("hit_known", np.int64, (2,)),  # 1: a place is remembered
        ("hit_x", np.float64, (2,)),  # m, that place
        ("hit_y", np.float64, (2,)),
        ("hit_z", np.float64, (2,)),
        # RunningRedLightTest, RunningStopTest
        ("last_red_light", np.int64),  # light index, -1 none
        ("stop_target", np.int64),  # stop sign index that rules the ego now, -1 none
        ("stop_completed", np.int64),
        ("last_failed_stop", np.int64),  # stop sign index, -1 none
        # InRouteTest
        ("nearest_index", np.int64),  # point of the traced route
        ("unsafe_distance", np.float64),  # m driven 15 m or more beside the route
        ("in_safe_route", np.int64),
        # ActorBlockedTest
        ("blocked_asleep", np.int64),  # 1: switched off by a scenario in the tick before
        ("moved_tick", np.int64),  # tick in which the timer was last reset, -1 never
        # scenario criteria
        ("yield_slot", np.int64),  # emergency vehicle watched, -1 none
        ("yield_failed", np.int64),  # 1: it is still behind the ego
        ("scenario_timeouts", np.int64),  # those already booked
        # weather and lights
        ("weather_index", np.int64),  # point of the traced route whose weather shows, -1 none yet
        ("night", np.int64),  # 1: vehicle lights are on
        # events
        ("counts", np.int64, (len(INFRACTION_NAMES),)),  # entries of each infraction list so far
        ("num_events", np.int64),
        ("events_lost", np.int64),  # events beyond MAX_EVENTS; they count in `counts`
        ("event_code", np.int64, (MAX_EVENTS,)),
        ("event_test", np.int64, (MAX_EVENTS,)),  # 1: from the second CollisionTest
        ("event_tick", np.int64, (MAX_EVENTS,)),
        ("event_x", np.float64, (MAX_EVENTS,)),  # m, the place that the message names
        ("event_y", np.float64, (MAX_EVENTS,)),
        ("event_z", np.float64, (MAX_EVENTS,)),
        ("event_subject", np.int64, (MAX_EVENTS,)),  # actor id, light index or stop sign index
        ("event_blueprint", np.int64, (MAX_EVENTS,)),  # of the actor collided with, -1 map geometry or none
        ("num_speed_events", np.int64),
        ("speed_tick", np.int64, (MAX_SPEED_EVENTS,)),
        ("speed_percent", np.float64, (MAX_SPEED_EVENTS,)),  # unrounded; -1 where there was no traffic to compare with
    ],
    align=True,
)

#: Initial values other than zero.
_INITIAL: dict[str, float] = {
    "tick_cap": TICK_CAP,
    "wrong_tick": -1,
    "ego_lane": -1,
    "timeout": ROUTE_SECONDS,
    "hit_id": -1,
    "last_red_light": -1,
    "stop_target": -1,
    "last_failed_stop": -1,
    "in_safe_route": 1,
    "moved_tick": -1,
    "yield_slot": -1,
    "weather_index": -1,
}


def empty_criteria(count: int) -> np.ndarray:
    """CRITERIA[count] of routes that have not begun; `reset_criteria` then takes in where the ego stands."""
    criteria = np.zeros(count, CRITERIA)
    for name, value in _INITIAL.items():
        criteria[name] = value
    return criteria
