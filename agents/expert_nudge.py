"""A little to the right for those who come towards the ego and stick out into its lane."""

from __future__ import annotations

import math

from agents.expert_memory import KEEP_LANE, STEPS
from agents.expert_path import NUDGE_METRES, lane_there, profile_now
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS

_VEHICLE = int(Kind.VEHICLE)

SIGHT = 60.0  # m ahead
BEHIND = 4.0  # m, until they are past
ROOM = 0.45  # m kept beside them
BEYOND_EDGE = 0.4  # m that the ego's box may go beyond the lane's right edge (the leaderboard judges its centre)


@kernel
def nudge(w, e, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Set `e.nudge_target` by the forecasts, and let `e.nudge` follow as far as the ego has driven in this tick."""
    target = 0.0
    if e.manoeuvre == KEEP_LANE:
        for n in range(sheet.count[0]):
            if w.kind[sheet.slot[n]] == _VEHICLE:
                target = max(target, room_needed(w, e, net, routes, sheet, n))
    if target > 0.0:
        lane, lane_s = lane_there(routes, w.route, w.path_s)
        if lane >= 0:
            half = 0.5 * net.point_width[net.lane_first[lane]]
            target = min(target, max(half + BEYOND_EDGE - w.half_width[EGO], 0.0))
    e.nudge_target = target
    e.nudge += (target - e.nudge) * min(w.speed[EGO] * TICK_SECONDS / NUDGE_METRES, 1.0)


@kernel
def room_needed(w, e, net, routes, sheet, n):  # type: ignore[no-untyped-def]
    """Metres to the right that let an oncoming vehicle by, 0 where none are needed; in junctions others turn."""
    j = sheet.slot[n]
    needed = 0.0
    for k in range(STEPS):
        ahead = sheet.s[n, k] - w.path_s
        turn = sheet.turn[n, k]
        if ahead > SIGHT or ahead < -BEHIND or math.cos(turn) > -0.8 or sheet.d[n, k] > 0.0:
            continue
        lane, lane_s = lane_there(routes, w.route, sheet.s[n, k])
        if lane < 0 or net.lane_junction[lane] >= 0:
            continue
        wide = w.half_width[j] * abs(math.cos(turn)) + w.half_length[j] * abs(math.sin(turn))
        line, slope, second = profile_now(e, sheet.s[n, k])
        needed = max(needed, sheet.d[n, k] + wide + ROOM + w.half_width[EGO] - line)
    return needed
