"""Right of way: where a traffic vehicle must halt for a light, a sign, or somebody on a crossing lane."""

from __future__ import annotations

from simulator.kernel import kernel
from simulator.roads.network import Yield
from simulator.state import EGO, MAX_PLAN, Behaviour, DriverFlag, LightState

_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_IGNORE_LIGHTS = int(DriverFlag.IGNORE_LIGHTS)
_IGNORE_SIGNS = int(DriverFlag.IGNORE_SIGNS)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)
_GREEN = int(LightState.GREEN)
_YELLOW = int(LightState.YELLOW)
_RED = int(LightState.RED)
_OFF = int(LightState.OFF)
_GIVES_WAY = int(Yield.GIVES_WAY)
_EQUAL = int(Yield.EQUAL)
_HAS_PRIORITY = int(Yield.HAS_PRIORITY)

FREE = 1e6
_SIGHT = 45.0  # m before a junction at which its rules begin to matter
_PATIENCE = 20.0  # s after which a standing vehicle takes an equal's gap
_LET_IN = 20.0  # s of waiting after which those with priority let somebody in
_COURTESY = 3.0  # s after which a vehicle that stands inside a junction loses its right of way
_MARGIN = 1.2  # s kept between two vehicles in a shared area
_YELLOW_BRAKE = 5.0  # m/s2 that a halt at yellow may need; IDM brakes with up to 4, so who begins to halt does
STANDING = 0.3  # m/s
CRAWL = 4.0  # m/s; below it equals at their lines go by who has waited longer, not by who is nearer
_AT_LINE = 7.5  # m from the junction to the front of who is first in line
_START_SPEED = 2.5  # m/s that a standing vehicle is taken to drive with


@kernel
def junction_gap(w, net, i):  # type: ignore[no-untyped-def]
    """Metres from i's front to the place where it must halt, or a huge number when it may go on."""
    lane = w.plan[i, 0]
    if net.lane_junction[lane] >= 0:
        return gap_inside(w, net, i, lane)
    ahead = net.lane_length[lane] - w.lane_s[i]
    before = lane
    entering = -1
    for k in range(1, MAX_PLAN):
        following = w.plan[i, k]
        if following < 0 or ahead > _SIGHT:
            return FREE
        if net.lane_junction[following] >= 0:
            entering = following
            break
        before = following
        ahead += net.lane_length[following]
    if entering < 0:
        return FREE
    line = ahead
    if net.lane_stop_line[before] >= 0.0:
        line = ahead - (net.lane_length[before] - net.lane_stop_line[before])
    gap = line - w.half_length[i]
    if gap < -1.5:  # already over the line
        return FREE
    flags = w.driver_flags[i]
    light = net.lane_light[entering]
    if light >= 0 and flags & _IGNORE_LIGHTS == 0:
        state = w.light_state[light]
        if state == _RED:
            return gap
        if state == _YELLOW and w.speed[i] * w.speed[i] < 2.0 * _YELLOW_BRAKE * max(gap, 0.1):
            return gap
    ruled_by_light = light >= 0 and w.light_state[light] != _OFF
    if net.lane_stop_sign[before] >= 0 and not ruled_by_light and flags & _IGNORE_SIGNS == 0:
        if w.stopped_at_sign[i] == 0:
            if w.speed[i] < STANDING and gap < 2.5:
                w.stopped_at_sign[i] = 1
            else:
                return gap
    if flags & _IGNORE_VEHICLES:
        return FREE
    if w.bg_clear_junction == net.lane_junction[entering]:
        return gap
    if must_give_way(w, net, i, entering, -ahead):
        return gap
    if exit_is_blocked(w, net, i, entering):
        return gap
    return FREE


@kernel
def see_junctions(w, net):  # type: ignore[no-untyped-def]
    """Note for every actor the junction lane that it is on, or will take next within sight."""
    for i in range(w.num_slots):
        w.junction_lane[i] = -1
        lane = w.lane[i]
        if w.kind[i] == 0 or lane < 0 or w.hidden[i] == 1:
            continue
        if net.lane_junction[lane] >= 0:
            w.junction_lane[i] = lane
            w.junction_distance[i] = -w.lane_s[i]
            continue
        if i != EGO and w.behaviour[i] != _LANES:
            continue
        ahead = net.lane_length[lane] - w.lane_s[i]
        for k in range(1, MAX_PLAN):
            following = w.plan[i, k]
            if following < 0 or ahead > 1.6 * _SIGHT:
                break
            if net.lane_junction[following] >= 0:
                w.junction_lane[i] = following
                w.junction_distance[i] = max(ahead, 0.0)
                break
            ahead += net.lane_length[following]


@kernel
def gap_inside(w, net, i, lane):  # type: ignore[no-untyped-def]
    """Inside a junction: metres to the first shared area that belongs to somebody else now."""
    if w.driver_flags[i] & _IGNORE_VEHICLES:
        return FREE
    s = w.lane_s[i]
    best = FREE
    for j in range(w.num_slots):
        c = conflict_with(w, net, i, lane, j)
        if c >= 0:
            gap = net.conflict_enter[c] - s - w.half_length[i] - 0.5
            if -1.0 <= gap < best and conflict_taken(w, net, i, s, c, j):
                best = gap
    return max(best, 0.05)


@kernel
def must_give_way(w, net, i, lane, s):  # type: ignore[no-untyped-def]
    """True when entering junction lane `lane` (i is at `s` on it, negative before it) would cut somebody off."""
    for j in range(w.num_slots):
        c = conflict_with(w, net, i, lane, j)
        if c >= 0 and conflict_taken(w, net, i, s, c, j):
            return True
    return False


@kernel
def conflict_with(w, net, i, lane, j):  # type: ignore[no-untyped-def]
    """Index of the conflict between i's junction lane and the one that j is on or will take, or -1."""
    other = w.junction_lane[j]
    if j == i or other < 0 or other == lane or w.kind[j] == 0:
        return -1
    if net.lane_junction[other] != net.lane_junction[lane]:
        return -1
    for c in range(net.conflict_first[lane], net.conflict_first[lane + 1]):
        if net.conflict_lane[c] == other:
            return c
    return -1


@kernel
def conflict_taken(w, net, i, s, c, j):  # type: ignore[no-untyped-def]
    """True when the shared area of conflict `c` belongs to j now.

    i is at `s` on its junction lane, negative before it.
    """
    speed = max(w.speed[i], _START_SPEED)
    enter = max(net.conflict_enter[c] - s - w.half_length[i], 0.0) / speed
    leave = (net.conflict_exit[c] - s + w.half_length[i]) / max(speed, 4.0)
    if leave <= 0.0:
        return False
    distance = w.junction_distance[j] + net.conflict_other_enter[c] - w.half_length[j]
    inside = w.junction_distance[j] <= 0.0
    if inside:
        if -w.junction_distance[j] - w.half_length[j] > net.conflict_other_exit[c]:
            return False  # j is through
        if distance <= 0.0:  # j is in the shared area; if i is too, who is nearer to its end goes first
            mine = net.conflict_exit[c] - s
            theirs = net.conflict_other_exit[c] + w.junction_distance[j]
            in_it = s + w.half_length[i] > net.conflict_enter[c]
            return not in_it or theirs < mine or (theirs == mine and j < i)
    elif j != EGO:
        light = net.lane_light[net.conflict_lane[c]]
        if light >= 0 and w.light_state[light] == _RED:
            return False
    rule = net.conflict_rule[c]
    if rule == _HAS_PRIORITY:
        # whoever has waited for long is let in, by those who can halt easily
        before_line = -s - w.half_length[i]
        if w.waiting[j] < _LET_IN or w.waiting[i] > _COURTESY or before_line <= 0.0:
            return False
        at_line = inside or w.junction_distance[j] - w.half_length[j] < _AT_LINE
        return at_line and w.speed[i] * w.speed[i] < 2.0 * _YELLOW_BRAKE * before_line
    if w.speed[j] < STANDING and inside and w.waiting[j] > _COURTESY:
        return False  # j cannot go on itself; standing for each other helps nobody
    first_in_line = 0.0 < w.junction_distance[j] - w.half_length[j] < _AT_LINE or inside
    if w.speed[j] < STANDING and not inside:
        # standing before the junction: only an equal that has waited longer goes first
        if rule == _GIVES_WAY or j == EGO or s >= 0.0 or not first_in_line or w.waiting[i] > _PATIENCE:
            return False
        return has_waited_longer(w, j, i)
    if rule == _EQUAL and j != EGO and first_in_line and not inside and w.speed[j] < CRAWL:
        if -_AT_LINE < s + w.half_length[i] < 0.0 and w.speed[i] < CRAWL:
            return has_waited_longer(w, j, i)
    their_speed = max(w.speed[j], 1.0)
    shared = net.conflict_other_exit[c] - net.conflict_other_enter[c]
    their_enter = distance / their_speed
    their_leave = (distance + shared + 2.0 * w.half_length[j]) / their_speed
    if their_enter >= leave + _MARGIN or their_leave <= enter - _MARGIN:
        return False
    their_enter = distance / max(w.speed[j], _START_SPEED)
    return rule == _GIVES_WAY or their_enter < enter or (their_enter == enter and j < i)


@kernel
def has_waited_longer(w, j, i):  # type: ignore[no-untyped-def]
    """True when j has waited for longer than i (the same time: the lower slot)."""
    return w.waiting[j] > w.waiting[i] or (w.waiting[j] == w.waiting[i] and j < i)


@kernel
def exit_is_blocked(w, net, i, lane):  # type: ignore[no-untyped-def]
    """True when somebody stands just behind the junction, so that i would have to wait inside it."""
    after = -1
    for k in range(1, MAX_PLAN - 1):
        if w.plan[i, k] == lane:
            after = w.plan[i, k + 1]
    if after < 0 or net.lane_junction[after] >= 0:
        return False
    room = 2.0 * w.half_length[i] + 2.5
    for j in range(w.num_slots):
        if j != i and w.lane[j] == after and w.kind[j] != 0 and w.hidden[j] == 0 and w.speed[j] < 0.5:
            if w.lane_s[j] - w.half_length[j] < room and abs(w.lane_offset[j]) < 1.5:
                return True
    return False
