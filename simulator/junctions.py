"""Right of way: where a traffic vehicle must halt for a light, a sign, or somebody on a crossing lane."""

from __future__ import annotations

from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import Yield
from simulator.state import EGO, MAX_PLAN, Behaviour, DriverFlag, LightState

_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_WALKER = int(Kind.WALKER)
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
_SIGHT = 45.0  # m before a junction at which its rules begin to matter, up to 15 m/s
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
def sight(speed):  # type: ignore[no-untyped-def]
    """Metres before a junction at which its rules matter: to halt there with 2.5 m/s2, at most 5 s."""
    return max(_SIGHT, min(speed * speed / 5.0, 5.0 * speed))


@kernel
def junction_gap(w, net, i):  # type: ignore[no-untyped-def]
    """Metres from i's front to the place where it must halt, or a huge number when it may go on.

    Right of way is asked for at the first junction ahead; the lights and stop signs of all within sight.
    """
    lane = w.plan[i, 0]
    junction = net.lane_junction[lane]
    best = gap_inside(w, net, i) if junction >= 0 else FREE
    ahead = net.lane_length[lane] - w.lane_s[i]
    limit = sight(w.speed[i])
    before = lane
    first = junction < 0
    for k in range(1, MAX_PLAN):
        following = w.plan[i, k]
        if following < 0 or ahead > limit:
            break
        if net.lane_junction[following] >= 0 and net.lane_junction[following] != net.lane_junction[before]:
            line = ahead
            if net.lane_stop_line[before] >= 0.0:
                line = ahead - (net.lane_length[before] - net.lane_stop_line[before])
            gap = line - w.half_length[i]
            if gap < best and gap >= -1.5:  # farther over the line it goes on
                if must_halt(w, net, i, before, following, gap):
                    best = gap
                elif first and must_wait(w, net, i, k, ahead):
                    best = gap
            first = False
        before = following
        ahead += net.lane_length[following]
    return best


@kernel
def must_halt(w, net, i, before, entering, gap):  # type: ignore[no-untyped-def]
    """True when a light or a stop sign at the end of lane `before`, `gap` metres ahead, holds i up."""
    flags = w.driver_flags[i]
    light = net.lane_light[entering]
    if light >= 0 and flags & _IGNORE_LIGHTS == 0:
        state = w.light_state[light]
        if state == _RED:
            return True
        if state == _YELLOW and w.speed[i] * w.speed[i] < 2.0 * _YELLOW_BRAKE * max(gap, 0.1):
            return True
    ruled_by_light = light >= 0 and w.light_state[light] != _OFF
    if net.lane_stop_sign[before] >= 0 and not ruled_by_light and flags & _IGNORE_SIGNS == 0:
        if w.stopped_at_sign[i] == 0:
            if w.speed[i] < STANDING and gap < 2.5:
                w.stopped_at_sign[i] = 1
            else:
                return True
    return False


@kernel
def must_wait(w, net, i, k, ahead):  # type: ignore[no-untyped-def]
    """True when others, or a scenario, keep i from entering the junction whose first lane is number `k` of its plan."""
    if w.driver_flags[i] & _IGNORE_VEHICLES:
        return False
    entering = w.plan[i, k]
    if w.bg_clear_junction == net.lane_junction[entering]:
        return True
    return must_give_way(w, net, i, k, -ahead) or exit_is_blocked(w, net, i, k)


@kernel
def see_junctions(w, net, routes):  # type: ignore[no-untyped-def]
    """Note for every vehicle the junction lane that it is on, or will take next within sight."""
    for i in range(w.num_slots):
        w.junction_lane[i] = -1
        lane = w.lane[i]
        if w.kind[i] == 0 or w.kind[i] == _WALKER or lane < 0 or w.hidden[i] == 1:
            continue
        if net.lane_junction[lane] >= 0:
            w.junction_lane[i] = lane
            w.junction_distance[i] = -w.lane_s[i]
            continue
        limit = max(1.6 * _SIGHT, 5.0 * w.speed[i])
        if w.behaviour[i] == _TRACK and i != EGO:
            see_on_track(w, net, routes, i, limit)
            continue
        if i != EGO and w.behaviour[i] != _LANES:
            continue
        ahead = net.lane_length[lane] - w.lane_s[i]
        for k in range(1, MAX_PLAN):
            following = w.plan[i, k]
            if following < 0 or ahead > limit:
                break
            if net.lane_junction[following] >= 0:
                w.junction_lane[i] = following
                w.junction_distance[i] = max(ahead, 0.0)
                break
            ahead += net.lane_length[following]


@kernel
def see_on_track(w, net, routes, i, limit):  # type: ignore[no-untyped-def]
    """Note the next junction lane on the track of a scripted vehicle that drives."""
    t = w.track[i]
    if t < 0 or w.speed[i] < STANDING:
        return
    first = routes.track_first[t]
    step = routes.track_step[t]
    stride = max(int(1.0 / step), 1)
    p = first + max(int(w.track_s[i] / step), 0)
    end = min(routes.track_first[t + 1], p + int(limit / step))
    while p < end:
        lane = routes.track_lane[p]
        if lane >= 0 and net.lane_junction[lane] >= 0:
            w.junction_lane[i] = lane
            w.junction_distance[i] = max((p - first) * step - w.track_s[i], 0.01)
            return
        p += stride


@kernel
def gap_inside(w, net, i):  # type: ignore[no-untyped-def]
    """Inside a junction: metres to the first shared area that belongs to somebody else now."""
    if w.driver_flags[i] & _IGNORE_VEHICLES:
        return FREE
    best = FREE
    s = w.lane_s[i]
    for k in range(MAX_PLAN):
        lane = w.plan[i, k]
        if lane < 0 or net.lane_junction[lane] != net.lane_junction[w.plan[i, 0]]:
            break
        for j in range(w.num_slots):
            if meets(w, net, i, lane, j):
                best = min(best, gap_to_shared(w, net, i, lane, s, j, -1.0, best))
        s -= net.lane_length[lane]
    return max(best, 0.05)


@kernel
def must_give_way(w, net, i, k, s):  # type: ignore[no-untyped-def]
    """True when entering the junction would cut somebody off.

    Its first lane is number `k` of i's plan; i is at `s` on it (negative before it).
    """
    junction = net.lane_junction[w.plan[i, k]]
    while k < MAX_PLAN:
        lane = w.plan[i, k]
        if lane < 0 or net.lane_junction[lane] != junction:
            break
        for j in range(w.num_slots):
            if meets(w, net, i, lane, j) and gap_to_shared(w, net, i, lane, s, j, -FREE, FREE) < FREE:
                return True
        s -= net.lane_length[lane]
        k += 1
    return False


@kernel
def meets(w, net, i, lane, j):  # type: ignore[no-untyped-def]
    """True when j is in, or on its way to, the junction of lane `lane`."""
    other = w.junction_lane[j]
    return j != i and other >= 0 and w.kind[j] != 0 and net.lane_junction[other] == net.lane_junction[lane]


@kernel
def gap_to_shared(w, net, i, lane, s, j, low, high):  # type: ignore[no-untyped-def]
    """Metres from i's front to the nearest area of its junction lane `lane` that belongs to j now, else a huge number.

    A way through a junction may be several lanes long, i's and j's. i is at `s` on its lane, negative before it. Only
    gaps from `low` to below `high` count.
    """
    other = w.junction_lane[j]
    distance = w.junction_distance[j]
    at = 0
    while at < MAX_PLAN and w.plan[j, at] != other:
        at += 1
    best = FREE
    while True:
        for c in range(net.conflict_first[lane], net.conflict_first[lane + 1]):
            if net.conflict_lane[c] == other:
                gap = net.conflict_enter[c] - s - w.half_length[i] - 0.5
                if low <= gap < min(best, high) and conflict_taken(w, net, i, s, c, j, distance):
                    best = gap
                break
        distance += net.lane_length[other]
        at += 1
        if at >= MAX_PLAN:
            return best
        other = w.plan[j, at]
        if other < 0 or net.lane_junction[other] != net.lane_junction[lane]:
            return best


@kernel
def conflict_taken(w, net, i, s, c, j, start):  # type: ignore[no-untyped-def]
    """True when the shared area of conflict `c` belongs to j now.

    i is at `s` on its junction lane, negative before it; j's lane begins `start` metres ahead of j.
    """
    speed = max(w.speed[i], _START_SPEED)
    enter = max(net.conflict_enter[c] - s - w.half_length[i], 0.0) / speed
    leave = (net.conflict_exit[c] - s + w.half_length[i]) / max(speed, 4.0)
    if leave <= 0.0:
        return False
    distance = start + net.conflict_other_enter[c] - w.half_length[j]
    inside = w.junction_distance[j] <= 0.0
    if inside:
        if -start - w.half_length[j] > net.conflict_other_exit[c]:
            return False  # j is through
        locked = w.junction_distance[i] <= 0.0 and w.waiting[i] > _PATIENCE and w.waiting[j] > _COURTESY
        if locked and w.speed[j] < STANDING:
            return False  # both stand inside for each other: whose way is free of the other's body goes
        if distance <= 0.0:  # j is in the shared area; if i is too, who is nearer to its end goes first
            mine = net.conflict_exit[c] - s
            theirs = net.conflict_other_exit[c] + start
            in_it = s + w.half_length[i] > net.conflict_enter[c]
            return not in_it or theirs < mine or (theirs == mine and j < i)
    elif j != EGO and w.driver_flags[j] & _IGNORE_LIGHTS == 0:
        light = net.lane_light[w.junction_lane[j]]
        if light >= 0 and w.light_state[light] == _RED:
            return False
    rule = net.conflict_rule[c]
    if w.behaviour[j] == _TRACK and w.driver_flags[j] & _IGNORE_VEHICLES:
        rule = _GIVES_WAY  # it will not
    if rule == _HAS_PRIORITY:
        # whoever has waited for long is let in, by those who can halt easily
        before_line = w.junction_distance[i] - w.half_length[i]
        if w.waiting[j] < _LET_IN or w.waiting[i] > _COURTESY or before_line <= 0.0:
            return False
        at_line = inside or w.junction_distance[j] - w.half_length[j] < _AT_LINE
        return at_line and w.speed[i] * w.speed[i] < 2.0 * _YELLOW_BRAKE * before_line
    if w.speed[j] < STANDING and inside and w.waiting[j] > _COURTESY:
        return False  # j cannot go on itself; standing for each other helps nobody
    first_in_line = 0.0 < w.junction_distance[j] - w.half_length[j] < _AT_LINE or inside
    if w.speed[j] < STANDING and not inside:
        # standing before the junction: only an equal that has waited longer goes first
        entered = w.junction_distance[i] <= 0.0
        if rule == _GIVES_WAY or j == EGO or entered or not first_in_line or w.waiting[i] > _PATIENCE:
            return False
        return has_waited_longer(w, j, i)
    if rule == _EQUAL and j != EGO and first_in_line and not inside and w.speed[j] < CRAWL:
        if 0.0 < w.junction_distance[i] - w.half_length[i] < _AT_LINE and w.speed[i] < CRAWL:
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
def exit_is_blocked(w, net, i, k):  # type: ignore[no-untyped-def]
    """True when i would have to wait inside the junction, for want of room behind it.

    Its first lane is number `k` of i's plan. Those who are inside on their way to the same lane need room, too.
    """
    junction = net.lane_junction[w.plan[i, k]]
    while k < MAX_PLAN and w.plan[i, k] >= 0 and net.lane_junction[w.plan[i, k]] == junction:
        k += 1
    if k == MAX_PLAN or w.plan[i, k] < 0 or net.lane_junction[w.plan[i, k]] >= 0:
        return False
    after = w.plan[i, k]
    room = 2.0 * w.half_length[i] + 2.5
    for j in range(w.num_slots):
        inside = w.junction_lane[j]
        if j != i and inside >= 0 and w.junction_distance[j] <= 0.0 and net.lane_junction[inside] == junction:
            for q in range(1, MAX_PLAN):
                if w.plan[j, q] == after:
                    room += 2.0 * w.half_length[j] + 2.5
    for j in range(w.num_slots):
        if j != i and w.lane[j] == after and w.kind[j] != 0 and w.hidden[j] == 0 and w.speed[j] < 0.5:
            if w.lane_s[j] - w.half_length[j] < room and abs(w.lane_offset[j]) < 1.5:
                return True
    return False
