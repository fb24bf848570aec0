"""OutsideRouteLanesTest: how much of the driven route the ego spends off the lanes or against the traffic.

Rules: docs/bench2drive.md 2.3. Despite its name the test does not ask whether a lane belongs to the route.
"""

from __future__ import annotations

import math

from leaderboard_adapters.criteria_progress import passed_point
from leaderboard_adapters.criteria_state import OUTSIDE_LANES
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK, LaneType
from simulator.roads.planner import SPAWN_RAISE_M
from simulator.roads.queries import lane_pose, lane_width, nearest_lane
from simulator.state import EGO

LANE_WINDOW = 3  # points looked ahead
ALLOWED_OUT_DISTANCE = 0.5  # m beyond the lane's edge, for the mini-shoulder
AGAINST_TRAFFIC = 120.0  # degrees between ego and lane, after a junction
OPPOSITE_LANE = 150.0  # degrees between two lanes

_DRIVING = int(LaneType.DRIVING)
_PARKING_OR_DRIVING_MASK = int(DRIVING_MASK | 1 << LaneType.PARKING)


@kernel
def place_ego(w, c, net):  # type: ignore[no-untyped-def]
    """Find the ego's nearest driving lane and whether it is off the road, as CARLA's get_waypoint would.

    Only the centre of the vehicle counts, and a parking lane is as good as a driving lane.
    """
    # The nearer of the two types decides; only where that is a parking lane, the driving lane needs its own search.
    lane, s, _, distance = nearest_lane(net, w.x[EGO], w.y[EGO], w.z[EGO], _PARKING_OR_DRIVING_MASK)
    if lane < 0:
        c.outside_lane = 1
        c.ego_lane = -1
        return
    c.outside_lane = 1 if distance > lane_width(net, lane, s) / 2.0 + ALLOWED_OUT_DISTANCE else 0
    if net.lane_type[lane] != _DRIVING:
        lane, s, _, distance = nearest_lane(net, w.x[EGO], w.y[EGO], w.z[EGO], DRIVING_MASK)
    c.ego_lane = lane
    if lane >= 0:
        c.ego_lane_s = s
        c.ego_lane_x, c.ego_lane_y, c.ego_lane_z, c.ego_lane_yaw = lane_pose(net, lane, s)


@kernel
def degrees_between(yaw, other):  # type: ignore[no-untyped-def]
    """`yaw - other` (rad) in degrees, 0 <= d < 360."""
    return math.degrees(yaw - other) % 360.0


@kernel
def judge_direction(w, c, net, last_lane, last_yaw):  # type: ignore[no-untyped-def]
    """Update `wrong_lane` from the lane of this tick and that of the tick before (`last_lane`, -1 none)."""
    lane = c.ego_lane
    if lane < 0:
        return
    if net.lane_junction[lane] >= 0:
        c.wrong_lane = 0
    elif last_lane >= 0 and (
        c.lane_known == 0
        or net.lane_road[lane] != net.lane_road[last_lane]
        or net.lane_id[lane] != net.lane_id[last_lane]
    ):
        if net.lane_junction[last_lane] >= 0:
            angle = degrees_between(c.ego_lane_yaw, w.yaw[EGO])
            c.wrong_lane = 1 if AGAINST_TRAFFIC <= angle <= 360.0 - AGAINST_TRAFFIC else 0
        else:
            # Lanes run on smoothly outside junctions, so a turn-about means out to the oncoming lane, or back.
            angle = degrees_between(last_yaw, c.ego_lane_yaw)
            if OPPOSITE_LANE < angle < 360.0 - OPPOSITE_LANE:
                c.wrong_lane = 1 - c.wrong_lane
    c.lane_known = 1


@kernel
def update_outside_lanes(w, c, switches, net, routes):  # type: ignore[no-untyped-def]
    """Place the ego, then add the route metres passed in this tick to the driven and, if so, the wrong distance."""
    last_lane = c.ego_lane
    last_yaw = c.ego_lane_yaw
    place_ego(w, c, net)
    judge_direction(w, c, net, last_lane, last_yaw)
    outside = c.outside_lane == 1 or (c.wrong_lane == 1 and switches.wrong_direction_test == 1)
    first = routes.trace_first[w.route]
    last = routes.trace_first[w.route + 1] - first - 1
    start = c.lane_index
    for k in range(start + 1, min(start + LANE_WINDOW, last) + 1):
        if not passed_point(w, routes, first + k):
            continue
        p = first + c.lane_index
        dx = routes.trace_x[first + k] - routes.trace_x[p]
        dy = routes.trace_y[first + k] - routes.trace_y[p]
        dz = routes.trace_z[first + k] - routes.trace_z[p]
        if c.lane_index == 0:
            dz -= SPAWN_RAISE_M
        distance = math.sqrt(dx * dx + dy * dy + dz * dz)
        c.driven_distance += distance
        if outside:
            c.wrong_distance += distance
        if c.wrong_distance > 0.0 and c.wrong_tick < 0:
            c.wrong_tick = c.tick
            c.counts[OUTSIDE_LANES] = 1
        c.lane_index = k
