"""Criteria of red lights, stop signs, blocked roads and emergency vehicles (docs/bench2drive.md 2.3)."""

from __future__ import annotations

import math

from leaderboard_adapters.criteria_events import add_event
from leaderboard_adapters.criteria_progress import planar_speed
from leaderboard_adapters.criteria_state import BLOCKED, RED_LIGHT, SCENARIO_TIMEOUT, STOP, TICK_STEP, YIELD
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK
from simulator.roads.queries import advance, lane_pose, nearest_lane
from simulator.state import EGO, LightState

LIGHT_DISTANCE = 15.0  # m from the ego to the middle of a light's trigger volume
TAIL_CLOSE = 0.8  # of the half length behind the centre
TAIL_FAR = 1.0  # m behind the rear bumper
LINE_HALF_WIDTH = 0.6  # of the lane's width, to either side

STOP_DISTANCE = 4.0  # m, how near a sign must be, and how far ahead waypoints are looked at
STOP_STEP = 0.5  # m between those waypoints
STOP_BOX = 1.2  # what the trigger volume is widened by
STOP_SPEED = 0.1  # m/s
BACKWARDS = -0.17  # cosine of 100 degrees

BLOCKED_SPEED = 0.1  # m/s
BLOCKED_SECONDS = 60.0

_RED = int(LightState.RED)


@kernel
def update_red_lights(w, c, net):  # type: ignore[no-untyped-def]
    """RunningRedLightTest: a light is run when the tail of the ego crosses its line while it is red."""
    x, y, z = w.x[EGO], w.y[EGO], w.z[EGO]
    cos_yaw, sin_yaw = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    close = TAIL_CLOSE * w.half_length[EGO]
    far = w.half_length[EGO] + TAIL_FAR
    far_x, far_y = x - far * cos_yaw, y - far * sin_yaw
    tail_lane = -2  # not looked up yet
    # Where a light has been run, the official loop measures the distance of those after it from that light.
    from_x, from_y, from_z = x, y, z
    for i in range(net.light_x.shape[0]):
        if w.light_state[i] != _RED or i == c.last_red_light:
            continue
        dx, dy, dz = net.light_box_x[i] - from_x, net.light_box_y[i] - from_y, net.light_box_z[i] - from_z
        if dx * dx + dy * dy + dz * dz > LIGHT_DISTANCE * LIGHT_DISTANCE:
            continue
        for k in range(net.light_stop_first[i], net.light_stop_first[i + 1]):
            if math.cos(w.yaw[EGO] - net.light_stop_yaw[k]) <= 0.0:
                continue
            if tail_lane == -2:
                tail_lane = nearest_lane(net, far_x, far_y, z, DRIVING_MASK)[0]
            if tail_lane < 0:
                return
            stop_lane = net.light_stop_lane[k]
            if net.lane_road[tail_lane] != net.lane_road[stop_lane] or net.lane_id[tail_lane] != net.lane_id[stop_lane]:
                continue
            reach = LINE_HALF_WIDTH * net.light_stop_width[k]
            across_x = -reach * math.sin(net.light_stop_yaw[k])
            across_y = reach * math.cos(net.light_stop_yaw[k])
            if segments_touch(
                x - close * cos_yaw,
                y - close * sin_yaw,
                far_x,
                far_y,
                net.light_stop_x[k] + across_x,
                net.light_stop_y[k] + across_y,
                net.light_stop_x[k] - across_x,
                net.light_stop_y[k] - across_y,
            ):
                add_event(c, RED_LIGHT, 0, net.light_x[i], net.light_y[i], net.light_z[i], i, -1)
                c.last_red_light = i
                from_x, from_y, from_z = net.light_x[i], net.light_y[i], net.light_z[i]
                break


@kernel
def segments_touch(ax, ay, bx, by, px, py, qx, qy):  # type: ignore[no-untyped-def]
    """Whether the segments a-b and p-q share a point, ends included; parallel ones count as apart."""
    dx, dy = bx - ax, by - ay
    ex, ey = qx - px, qy - py
    det = dx * ey - dy * ex
    if det == 0.0:
        return False
    t = ((px - ax) * ey - (py - ay) * ex) / det
    u = ((px - ax) * dy - (py - ay) * dx) / det
    return 0.0 <= t <= 1.0 and 0.0 <= u <= 1.0


@kernel
def affected_by_stop(c, net, sign):  # type: ignore[no-untyped-def]
    """Whether one of nine waypoints from the ego's own on lies in the sign's box, which stays parallel to the world."""
    dx, dy, dz = c.ego_lane_x - net.stop_x[sign], c.ego_lane_y - net.stop_y[sign], c.ego_lane_z - net.stop_z[sign]
    if dx * dx + dy * dy + dz * dz > STOP_DISTANCE * STOP_DISTANCE:
        return False
    reach_x = STOP_BOX * net.stop_extent_x[sign]
    reach_y = STOP_BOX * net.stop_extent_y[sign]
    if abs(dx) < reach_x and abs(dy) < reach_y:
        return True
    lane, s = c.ego_lane, c.ego_lane_s
    for _ in range(int(STOP_DISTANCE / STOP_STEP)):
        lane, s = advance(net, lane, s, STOP_STEP, 0)
        x, y, _, _ = lane_pose(net, lane, s)
        if abs(x - net.stop_x[sign]) < reach_x and abs(y - net.stop_y[sign]) < reach_y:
            return True
    return False


@kernel
def update_stop_signs(w, c, net):  # type: ignore[no-untyped-def]
    """RunningStopTest: between the tick that meets a sign's box and the one that leaves it, the ego must stand once."""
    if c.ego_lane < 0:
        return
    if c.stop_target < 0:
        forward = w.vx[EGO] * math.cos(w.yaw[EGO]) + w.vy[EGO] * math.sin(w.yaw[EGO])
        if forward < BACKWARDS or math.cos(w.yaw[EGO] - c.ego_lane_yaw) < BACKWARDS:
            return
        for i in range(net.stop_x.shape[0]):
            if affected_by_stop(c, net, i):
                c.stop_target = i
                break
        return
    if c.stop_completed == 0 and planar_speed(w, EGO) < STOP_SPEED:
        c.stop_completed = 1
    if not affected_by_stop(c, net, c.stop_target):
        sign = c.stop_target
        if c.stop_completed == 0 and c.last_failed_stop != sign:
            add_event(c, STOP, 0, net.stop_x[sign], net.stop_y[sign], net.stop_z[sign], sign, -1)
            c.last_failed_stop = sign
        c.stop_target = -1
        c.stop_completed = 0


@kernel
def update_blocked(w, c, switches):  # type: ignore[no-untyped-def]
    """ActorBlockedTest; returns True when the ego has stood for more than a minute, which ends the route."""
    if switches.blocked_test_off > 0:
        c.blocked_asleep = 1
        return False
    if c.blocked_asleep == 1:
        c.blocked_asleep = 0
        c.moved_tick = c.tick
    if planar_speed(w, EGO) >= BLOCKED_SPEED or c.moved_tick < 0:
        c.moved_tick = c.tick
        return False
    blocked = (c.tick - c.moved_tick) * TICK_STEP > BLOCKED_SECONDS
    if blocked:
        add_event(c, BLOCKED, 0, w.x[EGO], w.y[EGO], w.z[EGO], -1, -1)
    return blocked


@kernel
def update_scenario_criteria(w, c, switches):  # type: ignore[no-untyped-def]
    """YieldToEmergencyVehicleTest and ScenarioTimeoutTest, as far as scenarios have asked for them."""
    slot = switches.emergency_slot
    if slot != c.yield_slot and (slot >= 0 or switches.emergency_done == 0):
        c.yield_slot = slot
        c.yield_failed = 0
    if slot >= 0 and w.kind[slot] != 0:
        # Still behind: the ego lies ahead of it, along the emergency vehicle's heading.
        ahead = (w.x[EGO] - w.x[slot]) * math.cos(w.yaw[slot]) + (w.y[EGO] - w.y[slot]) * math.sin(w.yaw[slot])
        pitch = w.pitch[slot]
        c.yield_failed = 1 if ahead * math.cos(pitch) + (w.z[EGO] - w.z[slot]) * math.sin(pitch) > 0.0 else 0
    if switches.emergency_done == 1:
        conclude_yield(w, c)
        switches.emergency_done = 0
        switches.emergency_slot = -1
    book_timeouts(w, c, switches)


@kernel
def conclude_yield(w, c):  # type: ignore[no-untyped-def]
    """The last state of the emergency vehicle decides; afterwards it is watched no more."""
    if c.yield_slot >= 0 and c.yield_failed == 1:
        add_event(c, YIELD, 0, w.x[EGO], w.y[EGO], w.z[EGO], w.actor_id[c.yield_slot], w.blueprint[c.yield_slot])
    c.yield_slot = -1
    c.yield_failed = 0


@kernel
def book_timeouts(w, c, switches):  # type: ignore[no-untyped-def]
    """One event for each scenario that has timed out since the last look."""
    while c.scenario_timeouts < switches.scenario_timeouts:
        add_event(c, SCENARIO_TIMEOUT, 0, w.x[EGO], w.y[EGO], w.z[EGO], -1, -1)
        c.scenario_timeouts += 1
