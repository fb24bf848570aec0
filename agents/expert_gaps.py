"""Through gaps in crossing or merging traffic, at junctions.

Who waits right at the edge has to start from rest while the gap closes. So the expert waits with a run-up, and goes
when a brisk drive meets nobody until the end of the forecast. In wide left turns it may turn late, which shortens the
way through the oncoming lane.
"""

from __future__ import annotations

import math

from agents.expert_memory import KEEP_LANE, LATE_TURN, STEPS
from agents.expert_path import path_pose, take_trial, trial_at
from agents.expert_space import lay_out
from agents.expert_speed import (
    FREE,
    HASTE,
    HURRY_ACCELERATION,
    HURRY_HEADWAY,
    MAX_ACCELERATION,
    cap_at,
    engine_limit,
    follow,
    roll,
    set_caps,
)
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK
from simulator.roads.queries import lane_width, nearest_lane
from simulator.state import EGO

_VEHICLE = int(Kind.VEHICLE)

RUN_UP = 9.0  # m
GATE_BRAKE = 3.5  # m/s2 to halt there, at most
LAZY_ACCELERATION = 0.6  # m/s2 with which a gap must still do for the ego not to wait at its run-up
LAZY_BRAKE = 3.0  # m/s2 for that wait
LATE_FROM = 15.0  # m before the junction, where a late turn is decided on at the earliest
LATE_SHARE = 0.27  # of the way through the junction at which a late turn is farthest out
TURNS_LEFT = -0.8  # rad of heading over a junction


@kernel
def find_gate(w, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Where the ego waits for a gap in crossing or merging vehicles: m along the path, huge where there are none.

    A run-up before the place where they meet lets the ego cross fast, so that shorter gaps will do.
    """
    gate = FREE
    for n in range(sheet.count[0]):
        j = sheet.slot[n]
        if sheet.fixed[n] == 1 or sheet.yielding[n] == 1 or w.kind[j] != _VEHICLE:
            continue
        if sheet.low[n, 0] < sheet.high[n, 0] and math.cos(sheet.turn[n, 0]) > 0.5:
            continue  # a leader
        for k in range(STEPS):
            if sheet.low[n, k] < sheet.high[n, k]:
                gate = min(gate, sheet.low[n, k])
    if gate > w.path_s + 70.0:
        return FREE
    r = w.route
    first = routes.path_first[r]
    last = routes.path_first[r + 1] - 1
    p = min(first + int((gate + w.half_length[EGO] + 2.0) / routes.path_step[r]), last)
    lane = routes.path_lane[p]
    if lane < 0 or net.lane_junction[lane] < 0:
        return FREE
    return gate - RUN_UP


@kernel
def junction_ahead(w, routes):  # type: ignore[no-untyped-def]
    """Number of the crossing that the ego is on or before next, -1 none."""
    r = w.route
    for k in range(routes.crossing_first[r], routes.crossing_first[r + 1]):
        if routes.crossing_exit[k] > w.path_s:
            return k
    return -1


@kernel
def late_turn(w, e, net, routes, sheet, aside):  # type: ignore[no-untyped-def]
    """Write a late left turn, `aside` metres out, into the trial.

    False where the path does not turn left, or has begun to.
    """
    k = junction_ahead(w, routes)
    if k < 0 or e.num_knots > 0:
        return False
    enter = routes.crossing_enter[k]
    leave = routes.crossing_exit[k]
    if enter <= 0.0 or w.path_s < enter - LATE_FROM or w.path_s > enter + 2.0 or leave - enter < 18.0:
        return False
    r = w.route
    first = routes.path_first[r]
    step = routes.path_step[r]
    turn = routes.path_yaw[first + int(leave / step)] - routes.path_yaw[first + int(enter / step)]
    if math.sin(turn) > TURNS_LEFT + 0.1 or math.cos(turn) < -0.6:
        return False
    start = min(enter - 6.0, w.path_s) if w.path_s < enter - 6.0 else w.path_s
    start = max(start, enter - 6.0)
    sheet.trial_s[0] = start
    sheet.trial_d[0] = 0.0
    sheet.trial_s[1] = enter + LATE_SHARE * (leave - enter)
    sheet.trial_d[1] = aside
    sheet.trial_s[2] = leave
    sheet.trial_d[2] = 0.0
    sheet.trial_count[0] = 3
    sheet.trial_slope[0] = 0.0
    sheet.trial_bend[0] = 0.0
    return stays_on_lanes(w, net, routes, sheet, start, leave)


@kernel
def stays_on_lanes(w, net, routes, sheet, start, end):  # type: ignore[no-untyped-def]
    """True when the ego's centre stays on driving lanes along the trial (the leaderboard allows 0.5 m beside them)."""
    s = start
    while s < end:
        d, slope, second = trial_at(sheet, s)
        x, y, yaw, curvature = path_pose(routes, w.route, s)
        lane, lane_s, lateral, distance = nearest_lane(
            net, x - math.sin(yaw) * d, y + math.cos(yaw) * d, w.z[EGO], DRIVING_MASK
        )
        if lane < 0 or distance > 0.5 * lane_width(net, lane, lane_s) + 0.3:
            return False
        s += 2.0
    return True


@kernel
def gap_is_open(w, sheet):  # type: ignore[no-untyped-def]
    """True when hurrying now meets nobody within the horizon."""
    k, end, left = roll(sheet, w.path_s, w.speed[EGO], HURRY_ACCELERATION, HURRY_ACCELERATION, True, STEPS)
    return k == STEPS


@kernel
def meets_crossing(w, sheet):  # type: ignore[no-untyped-def]
    """True while somebody else takes part of the line ahead of the ego's rear within the horizon, leaders aside."""
    for n in range(sheet.count[0]):
        if sheet.fixed[n] == 1 or sheet.yielding[n] == 1:
            continue
        if sheet.low[n, 0] < sheet.high[n, 0] and math.cos(sheet.turn[n, 0]) > 0.5 and sheet.s[n, 0] > w.path_s:
            continue
        for k in range(STEPS):
            if sheet.low[n, k] < sheet.high[n, k] and sheet.high[n, k] > w.path_s:
                return True
    return False


@kernel
def take_gap(w, e, net, routes, sheet, wanted):  # type: ignore[no-untyped-def]
    """Before crossing or merging vehicles: hurry through a gap if there is one, else wait with a run-up.

    Sets `e.rushing`; may take a late turn, or draw `sheet.stop` nearer.
    """
    s = w.path_s
    speed = w.speed[EGO]
    if e.manoeuvre == LATE_TURN and s > e.pass_until:
        e.manoeuvre = KEEP_LANE
        e.num_knots = 0
    if e.rushing == 1:
        e.rushing = 1 if meets_crossing(w, sheet) and gap_is_open(w, sheet) else 0
        return
    k, end, left = roll(sheet, s, speed, wanted, MAX_ACCELERATION, True, STEPS)
    free = k == STEPS
    gate = find_gate(w, net, routes, sheet)
    if gate > FREE - 1.0:
        return
    if free:  # but only just? Then rather wait with a run-up than stop at the edge
        k, end, left = roll(sheet, s, speed, min(wanted, 0.0), LAZY_ACCELERATION, True, STEPS)
        if k == STEPS or s + speed * speed / (2.0 * LAZY_BRAKE) > gate:
            return
    if sheet.stop[0] > max(gate, s) + RUN_UP + 6.0:
        if gap_is_open(w, sheet):
            e.rushing = 1
            return
        if e.manoeuvre == LATE_TURN and speed < 1.0:
            e.manoeuvre = KEEP_LANE
            e.num_knots = 0
        if e.manoeuvre == KEEP_LANE and speed < 3.0:
            for aside in (2.0, 3.5, 5.0):
                if late_turn(w, e, net, routes, sheet, aside):
                    lay_out(w, e, routes, sheet, True, STEPS)
                    set_caps(w, e, net, routes, sheet, True)
                    if gap_is_open(w, sheet):
                        take_trial(e, sheet)
                        e.manoeuvre = LATE_TURN
                        e.pass_until = e.knot_s[2]
                        e.rushing = 1
                        return
            lay_out(w, e, routes, sheet, False, STEPS)
            set_caps(w, e, net, routes, sheet, False)
    if gate + RUN_UP > s - 1.0:
        sheet.stop[0] = min(sheet.stop[0], max(gate, s + speed * speed / (2.0 * GATE_BRAKE)))


@kernel
def rush(w, sheet):  # type: ignore[no-untyped-def]
    """Acceleration on the way through a gap, m/s2."""
    s = w.path_s
    speed = w.speed[EGO]
    cap = HASTE * cap_at(sheet, s + 0.25 * speed)
    acceleration = min(engine_limit(speed), (cap - speed) / 0.5)
    for m in range(sheet.busy_count[0]):
        low = sheet.busy_low[0, m]
        if sheet.busy_keep[0, m] >= 0.0 and s <= low < s + 60.0:
            leader = sheet.busy_speed[0, m]
            acceleration = min(acceleration, follow(speed, low - s, leader, 1.0, HURRY_ACCELERATION, HURRY_HEADWAY))
    return acceleration
