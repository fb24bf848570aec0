"""Where everybody near will be: forecasts along lanes, tracks and walks, seen in the frame of the ego's path.

A forecast says what its actor does if nobody makes it do otherwise: traffic follows its lanes and halts where lights,
signs and right of way make it, scripted vehicles follow their track, walkers walk on. Everything in 0.25 s steps.
"""

from __future__ import annotations

import math

from agents.expert_memory import MAX_NEAR, STEP_SECONDS
from agents.expert_path import nearest_coarse, to_path
from simulator.actors import solid_box
from simulator.blueprints import Kind
from simulator.collisions import FLAT
from simulator.dynamics import REAR_AXLE, REFERENCE_HALF_LENGTH
from simulator.kernel import kernel
from simulator.roads.network import Yield
from simulator.roads.queries import lane_curvature, lane_pose
from simulator.state import EGO, MAX_PLAN, Behaviour, DriverFlag, LightState, Role

_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_WALK = int(Behaviour.WALK)
_HOLD = int(Behaviour.HOLD)
_PROP = int(Kind.PROP)
_WALKER = int(Kind.WALKER)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)
_IGNORE_LIGHTS = int(DriverFlag.IGNORE_LIGHTS)
_IGNORE_SIGNS = int(DriverFlag.IGNORE_SIGNS)
_CONSTANT_VELOCITY = int(DriverFlag.CONSTANT_VELOCITY)
_RED = int(LightState.RED)
_YELLOW = int(LightState.YELLOW)
_GIVES_WAY = int(Yield.GIVES_WAY)

_FLOW = int(Role.FLOW)

FREE = 1e6
SIDE_SIGHT = 45.0  # m beside the path beyond which nobody matters within the horizon
NOSE_IN_AFTER = 20.0  # s of waiting at a junction
NOSE_IN_SECONDS = 1.5  # until the ego is seen on shared ground
NOSE_IN_BRAKE = 3.0  # m/s2 that others may then have to brake
FLOW_SPACING = 18.0  # m, assumed while a flow shows one vehicle
ONCOMING_SPACING = 60.0  # m, likewise, of a flow that brakes for the ego
TRUST_BRAKES_AFTER = 25.0  # s behind an obstacle after which the ego counts on oncoming vehicles to brake if need be
FLOW_SHARE = 0.9  # of the spacing seen so far that is assumed for the next vehicle
GONE = 1e4  # m beside the path: not there
_TRACK_ACCELERATION = 1.8  # m/s2 of scripted vehicles that reach for their speed


@kernel
def find_near(w, e, routes, sheet, reach):  # type: ignore[no-untyped-def]
    """List the actors that may come into the ego's way, with their present place in the path frame."""
    n = 0
    route = w.route
    seconds = 6.0
    low_x = 1e18
    high_x = -1e18
    low_y = 1e18
    high_y = -1e18
    for k in range(sheet.coarse_first[1]):
        low_x = min(low_x, sheet.coarse_x[k])
        high_x = max(high_x, sheet.coarse_x[k])
        low_y = min(low_y, sheet.coarse_y[k])
        high_y = max(high_y, sheet.coarse_y[k])
    for j in range(1, w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1 or n == MAX_NEAR:
            continue
        if abs(w.z[j] - w.z[EGO]) > 4.0 or (w.kind[j] == _PROP and 2.0 * w.half_height[j] < FLAT):
            continue
        size = w.half_length[j] + 5.0
        if w.x[j] + max(w.vx[j], 0.0) * seconds < low_x - size or w.x[j] + min(w.vx[j], 0.0) * seconds > high_x + size:
            continue
        if w.y[j] + max(w.vy[j], 0.0) * seconds < low_y - size or w.y[j] + min(w.vy[j], 0.0) * seconds > high_y + size:
            continue
        x, y, half_length, half_width = solid_box(w, j)
        s, d, yaw, k = to_path(routes, route, nearest_coarse(sheet, x, y), x, y)
        speed = math.hypot(w.vx[j], w.vy[j])
        if abs(d) > SIDE_SIGHT + 6.0 * speed or (abs(d) > 12.0 and speed < 0.2):
            continue
        if s < w.path_s - 40.0 or s > w.path_s + reach + 8.0 * speed:
            continue
        turn = math.atan2(math.sin(w.yaw[j] - yaw), math.cos(w.yaw[j] - yaw))
        sheet.slot[n] = j
        sheet.s[n, 0] = s
        sheet.d[n, 0] = d
        sheet.turn[n, 0] = turn
        sheet.speed[n] = w.vx[j] * math.cos(yaw) + w.vy[j] * math.sin(yaw)
        sheet.behind[n] = 0.0
        n += 1
    sheet.count[0] = n
    expect_flows(w, e, sheet)


@kernel
def expect_flows(w, e, sheet):  # type: ignore[no-untyped-def]
    """Add the next vehicle of each flow, not yet there, a bit closer behind the last than they are apart."""
    n = sheet.count[0]
    for q in range(sheet.count[0]):
        j = sheet.slot[q]
        if w.role[j] != _FLOW or w.behaviour[j] != _TRACK or n == MAX_NEAR:
            continue
        reckless = w.driver_flags[j] & _IGNORE_VEHICLES != 0
        if not reckless and e.blocked > TRUST_BRAKES_AFTER:
            continue
        first = w.track_s[j]
        others = 0
        for i in range(1, w.num_slots):
            if i != j and w.kind[i] != 0 and w.role[i] == _FLOW and w.track[i] == w.track[j]:
                if w.track_s[i] < w.track_s[j]:
                    others = -1
                    break
                first = max(first, w.track_s[i])
                others += 1
        if others < 0:
            continue
        spacing = FLOW_SPACING if reckless else ONCOMING_SPACING
        if others > 0:
            spacing = FLOW_SHARE * (first - w.track_s[j]) / others
        sheet.slot[n] = j
        sheet.s[n, 0] = sheet.s[q, 0] - spacing
        sheet.d[n, 0] = GONE
        sheet.turn[n, 0] = sheet.turn[q, 0]
        sheet.speed[n] = sheet.speed[q]
        sheet.behind[n] = max(spacing, w.track_s[j])
        n += 1
    sheet.count[0] = n


@kernel
def halting_distance(w, e, net, j):  # type: ignore[no-untyped-def]
    """Metres that the centre of traffic vehicle j goes before it halts for a light, a sign or the ego's priority."""
    entering = w.junction_lane[j]
    ahead = w.junction_distance[j]
    if entering < 0 or ahead <= 0.0:
        return FREE
    before = w.lane[j]
    for k in range(1, MAX_PLAN):
        if w.plan[j, k] == entering:
            break
        if w.plan[j, k] >= 0:
            before = w.plan[j, k]
    line = ahead
    if net.lane_stop_line[before] >= 0.0:
        line = ahead - (net.lane_length[before] - net.lane_stop_line[before])
    gap = line - w.half_length[j]
    if gap < -1.5:
        return FREE
    needed = w.speed[j] * w.speed[j] / (2.0 * max(gap, 0.3))
    flags = w.driver_flags[j]
    light = net.lane_light[entering]
    if light >= 0 and flags & _IGNORE_LIGHTS == 0:
        if w.light_state[light] == _RED and needed < 6.0:
            return max(line, 0.0)
        if w.light_state[light] == _YELLOW and needed < 3.5:
            return max(line, 0.0)
    if light < 0 and net.lane_stop_sign[before] >= 0 and flags & _IGNORE_SIGNS == 0 and w.stopped_at_sign[j] == 0:
        if needed < 4.0:
            return max(line, 0.0)
    mine = w.junction_lane[EGO]
    if flags & _IGNORE_VEHICLES or mine < 0 or net.lane_junction[mine] != net.lane_junction[entering]:
        return FREE
    # who has waited for long puts its nose in: drivers halt for somebody on ground that they share
    room = gap - NOSE_IN_SECONDS * w.speed[j]
    halts_for_nose = e.still > NOSE_IN_AFTER and room > 0.0 and w.speed[j] * w.speed[j] < 2.0 * NOSE_IN_BRAKE * room
    if needed < 3.5 or halts_for_nose:
        for c in range(net.conflict_first[entering], net.conflict_first[entering + 1]):
            if net.conflict_lane[c] == mine and (net.conflict_rule[c] == _GIVES_WAY or halts_for_nose):
                return max(line, 0.0)
    return FREE


@kernel
def forecast_near(w, e, net, routes, sheet, steps):  # type: ignore[no-untyped-def]
    """Forecasts of all listed actors over steps 0..steps-1."""
    for n in range(sheet.count[0]):
        j = sheet.slot[n]
        behaviour = w.behaviour[j]
        speed = abs(w.speed[j])
        if sheet.behind[n] > 0.0:
            sheet.fixed[n] = 0
            forecast_on_track(w, routes, sheet, n, j, steps)
            continue
        still = w.kind[j] == _PROP or (speed < 0.05 and behaviour == _HOLD)
        if behaviour == _LANES and speed < 0.1 and w.acceleration[j] <= 0.05:
            still = True
        if behaviour == _TRACK and speed < 0.05 and w.target_speed[j] < 0.05:
            still = True
        sheet.fixed[n] = 1 if still else 0
        if still:
            for k in range(1, steps):
                sheet.s[n, k] = sheet.s[n, 0]
                sheet.d[n, k] = sheet.d[n, 0]
                sheet.turn[n, k] = sheet.turn[n, 0]
        elif behaviour == _LANES and w.lane[j] >= 0 and w.plan[j, 0] >= 0:
            forecast_on_lanes(w, e, net, routes, sheet, n, j, steps)
        elif behaviour == _TRACK and w.track[j] >= 0:
            forecast_on_track(w, routes, sheet, n, j, steps)
        else:
            forecast_straight(w, routes, sheet, n, j, steps)


@kernel
def note(w, routes, sheet, n, k, hint, x, y, yaw):  # type: ignore[no-untyped-def]
    """Write down a forecast pose in the path frame; returns the path index for the next one."""
    if k == 1 or abs(sheet.d[n, k - 1]) > 4.0:
        hint = nearest_coarse(sheet, x, y)
    s, d, path_yaw, hint = to_path(routes, w.route, hint, x, y)
    sheet.s[n, k] = s
    sheet.d[n, k] = d
    turn = yaw - path_yaw
    sheet.turn[n, k] = math.atan2(math.sin(turn), math.cos(turn))
    return hint


@kernel
def lag(w, j, bend):  # type: ignore[no-untyped-def]
    """How much the heading of a vehicle stays behind its course in a bend, rad (`simulator.dynamics.move`)."""
    rear = REAR_AXLE * w.half_length[j] / REFERENCE_HALF_LENGTH
    return math.asin(min(max(rear * bend, -0.7), 0.7))


@kernel
def forecast_straight(w, routes, sheet, n, j, steps):  # type: ignore[no-untyped-def]
    """Straight on at constant speed: walkers, and whatever is on no lane."""
    x = w.x[j]
    y = w.y[j]
    left = FREE
    if w.travel_limit[j] > 0.0:
        left = w.travel_limit[j] - w.travelled[j]
    speed = math.hypot(w.vx[j], w.vy[j])
    if w.behaviour[j] == _WALK:
        speed = w.target_speed[j]
    c = math.cos(w.yaw[j]) if w.kind[j] == _WALKER or speed < 0.1 else w.vx[j] / speed
    s = math.sin(w.yaw[j]) if w.kind[j] == _WALKER or speed < 0.1 else w.vy[j] / speed
    hint = 0
    gone = 0.0
    slowing = w.behaviour[j] == _HOLD
    for k in range(1, steps):
        if slowing:
            speed = max(speed - 4.0 * STEP_SECONDS, 0.0)
        step = min(speed * STEP_SECONDS, left - gone)
        gone += max(step, 0.0)
        hint = note(w, routes, sheet, n, k, hint, x + gone * c, y + gone * s, w.yaw[j])


@kernel
def forecast_on_track(w, routes, sheet, n, j, steps):  # type: ignore[no-untyped-def]
    """Along a scripted vehicle's track, then straight on."""
    t = w.track[j]
    first = routes.track_first[t]
    count = routes.track_first[t + 1] - first
    step = routes.track_step[t]
    left = FREE
    if w.travel_limit[j] > 0.0:
        left = max(w.travel_limit[j] - w.travelled[j], 0.0)
    imposed = w.driver_flags[j] & _CONSTANT_VELOCITY != 0
    speed = w.target_speed[j] if imposed else w.speed[j]
    # the place beside the track that it has now, moving to the one that it wants
    p = first + min(max(int(w.track_s[j] / step), 0), count - 2)
    share = w.track_s[j] / step - (p - first)
    dx = w.x[j] - (routes.track_x[p] + share * (routes.track_x[p + 1] - routes.track_x[p]))
    dy = w.y[j] - (routes.track_y[p] + share * (routes.track_y[p + 1] - routes.track_y[p]))
    beside = -dx * math.sin(routes.track_yaw[p]) + dy * math.cos(routes.track_yaw[p])
    gone = 0.0
    hint = 0
    for k in range(1, steps):
        if not imposed:
            if speed < w.target_speed[j]:
                speed = min(speed + _TRACK_ACCELERATION * STEP_SECONDS, w.target_speed[j])
            else:
                speed = max(speed - 2.0 * STEP_SECONDS, w.target_speed[j])
        gone = min(gone + speed * STEP_SECONDS, left)
        f = (w.track_s[j] - sheet.behind[n] + gone) / step
        q = min(max(int(f), 0), count - 2)
        f -= q
        q += first
        offset = w.desired_offset[j] + (beside - w.desired_offset[j]) * math.exp(-gone / 5.0)
        yaw = routes.track_yaw[q] if f < 0.5 else routes.track_yaw[q + 1]
        x = routes.track_x[q] + f * (routes.track_x[q + 1] - routes.track_x[q]) - offset * math.sin(yaw)
        y = routes.track_y[q] + f * (routes.track_y[q + 1] - routes.track_y[q]) + offset * math.cos(yaw)
        bend = math.sin(routes.track_yaw[q + 1] - routes.track_yaw[q]) / step
        if w.role[j] == _FLOW and (f > 1.0 or f < 0.0):  # a flow begins and ends with its track
            sheet.s[n, k] = sheet.s[n, k - 1]
            sheet.d[n, k] = GONE
            sheet.turn[n, k] = sheet.turn[n, k - 1]
            continue
        hint = note(w, routes, sheet, n, k, hint, x, y, yaw - lag(w, j, bend))


@kernel
def forecast_on_lanes(w, e, net, routes, sheet, n, j, steps):  # type: ignore[no-untyped-def]
    """Along the lanes of a traffic vehicle's plan."""
    halt = halting_distance(w, e, net, j)
    speed = w.speed[j]
    acceleration = min(max(w.acceleration[j], -4.0), 1.8)
    lane = w.plan[j, 0]
    at = 0
    start = -w.lane_s[j]  # distance from the vehicle to the start of `lane`
    gone = 0.0
    hint = 0
    for k in range(1, steps):
        if k <= 6 or (acceleration > 0.0 and speed < 4.0):
            speed = max(speed + acceleration * STEP_SECONDS, 0.0)
            if w.target_speed[j] >= 0.0 and acceleration > 0.0:
                speed = min(speed, max(w.target_speed[j], w.speed[j]))
        gone = min(gone + speed * STEP_SECONDS, halt)
        while gone - start > net.lane_length[lane] and at < MAX_PLAN - 1 and w.plan[j, at + 1] >= 0:
            start += net.lane_length[lane]
            at += 1
            lane = w.plan[j, at]
        s = gone - start
        x, y, z, yaw = lane_pose(net, lane, s)
        beyond = max(s - net.lane_length[lane], 0.0)
        offset = w.lane_offset[j] if at == 0 else w.desired_offset[j]
        x += beyond * math.cos(yaw) - offset * math.sin(yaw)
        y += beyond * math.sin(yaw) + offset * math.cos(yaw)
        bend = lane_curvature(net, lane, s)
        hint = note(w, routes, sheet, n, k, hint, x, y, yaw - lag(w, j, bend))
