"""Giving way to an emergency vehicle from behind: aside to a neighbour lane or the edge, and back when it is past."""

from __future__ import annotations

import math

from agents.expert_memory import KEEP_LANE, MAKE_WAY, STEPS
from agents.expert_path import lane_there, profile_now, take_trial
from agents.expert_space import lay_out
from agents.expert_speed import MAX_ACCELERATION, roll, set_caps
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.state import EGO, SPECIAL

_DRIVING = int(LaneType.DRIVING)

HEARD = 80.0  # m behind within which a siren is minded
PAST = 12.0  # m ahead of the ego at which it is past
ROOM = 0.5  # m between the two when it passes
EDGE = 0.4  # m that the ego's centre may go beyond the lane's edge (the leaderboard allows 0.5 m)


@kernel
def hear_siren(w, sheet):  # type: ignore[no-untyped-def]
    """Index in the sheet of an emergency vehicle that comes up from behind, or is just passing; -1 none."""
    for n in range(sheet.count[0]):
        j = sheet.slot[n]
        if w.lights[j] & SPECIAL != SPECIAL or math.cos(sheet.turn[n, 0]) < 0.8 or sheet.fixed[n] == 1:
            continue
        ahead = sheet.s[n, 0] - w.path_s
        if -HEARD < ahead < PAST + w.half_length[j] and abs(sheet.d[n, 0]) < 6.0:
            return n
    return -1


@kernel
def plan_aside(w, e, sheet, offset):  # type: ignore[no-untyped-def]
    """Write the profile that leads to `offset` and stays there into the trial."""
    now, slope, second = profile_now(e, w.path_s)
    shift = math.sqrt(abs(offset - now) + 0.01)
    sheet.trial_s[0] = w.path_s
    sheet.trial_d[0] = now
    sheet.trial_s[1] = w.path_s + max(6.0, 1.4 * w.speed[EGO]) * shift
    sheet.trial_d[1] = offset
    sheet.trial_count[0] = 2
    sheet.trial_slope[0] = slope
    sheet.trial_bend[0] = second


@kernel
def aside_is_free(w, e, net, routes, sheet, siren):  # type: ignore[no-untyped-def]
    """True when driving the trial meets nobody; the emergency vehicle waits behind."""
    lay_out(w, e, routes, sheet, True, STEPS)
    set_caps(w, e, net, routes, sheet, True)
    k, end, left = roll(sheet, w.path_s, w.speed[EGO], 0.0, MAX_ACCELERATION, True, STEPS)
    if k == STEPS:
        return True
    k, end, left = roll(sheet, w.path_s, w.speed[EGO], -1.0, -2.0, False, STEPS)
    return k == STEPS


@kernel
def make_way(w, e, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Begin or end making way. Returns True when trials have overwritten what the sheet says of the line in use."""
    siren = hear_siren(w, sheet)
    if siren < 0:
        if e.manoeuvre != MAKE_WAY:
            return False
        now, slope, second = profile_now(e, w.path_s)
        if e.num_knots == 0 or (e.knot_d[e.num_knots - 1] == 0.0 and w.path_s > e.knot_s[e.num_knots - 1]):
            e.manoeuvre = KEEP_LANE
            e.num_knots = 0
            return False
        if e.knot_d[e.num_knots - 1] != 0.0:
            plan_aside(w, e, sheet, 0.0)
            if aside_is_free(w, e, net, routes, sheet, siren):
                take_trial(e, sheet)
            return True
        return False
    sheet.yielding[siren] = 1
    if e.manoeuvre == MAKE_WAY:
        return False
    lane, lane_s = lane_there(routes, w.route, w.path_s)
    if lane < 0:
        return False
    half = 0.5 * net.point_width[net.lane_first[lane]]
    line = sheet.d[siren, 0]
    needed = w.half_width[EGO] + w.half_width[sheet.slot[siren]] + ROOM
    for choice in range(4):
        offset = 0.0
        if choice < 2:
            beside = net.lane_right[lane] if choice == 0 else net.lane_left[lane]
            if beside < 0 or net.lane_type[beside] != _DRIVING:
                continue
            offset = half + 0.5 * net.point_width[net.lane_first[beside]]
            if choice == 1:
                offset = -offset
        else:
            offset = half + EDGE if choice == 2 else -half
        if choice < 3 and abs(offset - line) < needed and choice != 2:
            continue
        plan_aside(w, e, sheet, offset)
        if aside_is_free(w, e, net, routes, sheet, siren):
            take_trial(e, sheet)
            e.manoeuvre = MAKE_WAY
            return True
        if choice < 2:
            return True  # a neighbour lane is worth waiting for
    return True
