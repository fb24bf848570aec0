"""Lane changes of traffic: MOBIL (Kesting et al. 2007), where the markings allow them.

Bench2Drive's background traffic never changes lanes; `w.bg_lane_changes` turns it on for livelier worlds. A vehicle
that changes belongs to its new lane at once, with the old lane's distance as its offset, and steers over from there.
"""

from __future__ import annotations

import math

from simulator.kernel import kernel
from simulator.roads.network import LANE_CHANGE_LEFT, LANE_CHANGE_RIGHT, LaneType
from simulator.roads.queries import follow_lane, lane_change_allowed, lane_pose
from simulator.state import MAX_PLAN, VehicleLight

_DRIVING = int(LaneType.DRIVING)
_LEFT = LANE_CHANGE_LEFT
_RIGHT = LANE_CHANGE_RIGHT
_LEFT_BLINKER = int(VehicleLight.LEFT_BLINKER)
_RIGHT_BLINKER = int(VehicleLight.RIGHT_BLINKER)

POLITENESS = 0.3
ADVANTAGE = 0.3  # m/s2 of acceleration to be won
SAFE_BRAKE = 3.0  # m/s2 that the new follower may have to brake with
KEEP_FROM_JUNCTION = 40.0  # m before a junction, and 15 m behind one, in which nobody changes
SIGHT = 60.0  # m
FREE = 1e6


@kernel
def neighbours_on(w, net, i, lane, s):  # type: ignore[no-untyped-def]
    """Gaps (m, bumper to bumper, `FREE` where nobody is) and speeds of the vehicles ahead of and behind `s` on a lane.

    Returns (gap ahead, its speed, gap behind, its speed).
    """
    ahead = FREE
    ahead_speed = 0.0
    behind = FREE
    behind_speed = 0.0
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.hidden[j] == 1 or w.lane[j] != lane:
            continue
        apart = w.lane_s[j] - s
        gap = abs(apart) - w.half_length[i] - w.half_length[j]
        if apart >= 0.0 and gap < ahead:
            ahead = gap
            ahead_speed = w.speed[j]
        elif apart < 0.0 and gap < behind:
            behind = gap
            behind_speed = w.speed[j]
    return ahead, ahead_speed, behind, behind_speed


@kernel
def following(speed, wanted, gap, leader_speed):  # type: ignore[no-untyped-def]
    """IDM acceleration, m/s2, with a 1.2 s gap."""
    free = 1.8 * (1.0 - min(speed / max(wanted, 0.1), 2.0) ** 4)
    if gap >= SIGHT:
        return free
    desired = 2.0 + max(1.2 * speed + speed * (speed - leader_speed) / 4.65, 0.0)
    return free - 1.8 * (desired / max(gap, 0.1)) ** 2


@kernel
def consider_lane_change(w, net, i):  # type: ignore[no-untyped-def]
    """Change to the left or right lane if that is allowed, safe for the follower there, and worth it."""
    lane = w.lane[i]
    s = w.lane_s[i]
    if w.changing_lane[i] != 0 or w.speed[i] < 3.0 or net.lane_junction[lane] >= 0:
        return
    if net.lane_length[lane] - s < KEEP_FROM_JUNCTION or s < 15.0:
        return
    allowed = lane_change_allowed(net, lane, s)
    wanted = net.lane_speed_limit[lane] * w.speed_factor[i]
    gap, leader_speed, behind, behind_speed = neighbours_on(w, net, i, lane, s)
    now = following(w.speed[i], wanted, gap, leader_speed)
    best = ADVANTAGE
    side = 0
    for direction in (-1, 1):
        bit = _LEFT if direction < 0 else _RIGHT
        other = net.lane_left[lane] if direction < 0 else net.lane_right[lane]
        if allowed & bit == 0 or other < 0 or net.lane_type[other] != _DRIVING:
            continue
        there, offset, beyond = follow_lane(net, other, s, w.x[i], w.y[i])
        ahead, ahead_speed, back, back_speed = neighbours_on(w, net, i, other, there)
        if min(ahead, back) < 4.0:
            continue
        follower_after = following(back_speed, max(back_speed, wanted), back, w.speed[i])
        if back < SIGHT and follower_after < -SAFE_BRAKE:
            continue
        gain = following(w.speed[i], wanted, ahead, ahead_speed) - now
        if back < SIGHT:
            gain += POLITENESS * min(follower_after, 0.0)
        if gain > best:
            best = gain
            side = direction
    if side != 0:
        begin_lane_change(w, net, i, side)


@kernel
def begin_lane_change(w, net, i, side):  # type: ignore[no-untyped-def]
    """Move i to the lane on `side` (-1 left, +1 right); its offset there is where it still drives."""
    lane = net.lane_left[w.lane[i]] if side < 0 else net.lane_right[w.lane[i]]
    s, offset, beyond = follow_lane(net, lane, w.lane_s[i], w.x[i], w.y[i])
    w.lane[i] = lane
    w.lane_s[i] = s
    w.lane_offset[i] = offset
    w.plan[i, 0] = lane
    for k in range(1, MAX_PLAN):
        w.plan[i, k] = -1
    w.changing_lane[i] = side
    w.lights[i] |= _LEFT_BLINKER if side < 0 else _RIGHT_BLINKER


@kernel
def end_lane_change(w, net, i):  # type: ignore[no-untyped-def]
    """Once it drives on its new lane's centre, a vehicle stops blinking."""
    x, y, z, yaw = lane_pose(net, w.lane[i], w.lane_s[i])
    if abs(w.lane_offset[i]) < 0.4 and abs(math.sin(w.yaw[i] - yaw)) < 0.05:
        w.changing_lane[i] = 0
        w.lights[i] &= ~(_LEFT_BLINKER | _RIGHT_BLINKER)
