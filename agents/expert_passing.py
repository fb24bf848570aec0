"""Going round what blocks the lane: which obstacles, on which side, how far over, and when.

An obstacle is something that stands (or crawls along) in the ego's way and is not just queueing. The expert shifts as
little as it can: inside its lane, then to a neighbour lane of its direction, then to the oncoming lane where that is
allowed. A shift is made only after the whole manoeuvre has been rolled out against everybody's forecast.
"""

from __future__ import annotations

import math

from agents.expert_memory import KEEP_LANE, LATE_TURN, LONG_STEPS, MAKE_WAY, PASS, STEPS, TURN_BACK
from agents.expert_path import STANDING, glide_to, lane_there, path_pose, profile_now, start_of_line, take_trial
from agents.expert_space import ROOM_TO_TURN_OUT, lay_out
from agents.expert_speed import HURRY_ACCELERATION, PASS_ACCELERATION, roll, set_caps
from simulator.actors import solid_box
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.state import EGO, TICK_SECONDS, Behaviour, VehicleLight

_PROP = int(Kind.PROP)
_WALKER = int(Kind.WALKER)
_BICYCLE = int(Kind.BICYCLE)
_HOLD = int(Behaviour.HOLD)
_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_DRIVING = int(LaneType.DRIVING)
_BLINKERS = int(VehicleLight.RIGHT_BLINKER | VehicleLight.LEFT_BLINKER)
_SPECIAL = int(VehicleLight.SPECIAL1 | VehicleLight.SPECIAL2)

SIGHT = 60.0  # m ahead within which obstacles are dealt with
CLEARANCE = 0.75  # m beside an obstacle
TIGHT = 0.45  # m, where that keeps the ego in its lane
CRAWLING = 5.0  # m/s, bicycles slower than this are passed
TOGETHER = 14.0  # m between obstacles that are passed in one go
SHORTEST = 4.7  # m of path for a shift of 1 m; grows with its square root
HURRY_AFTER = 5.0  # s behind an obstacle after which the ego passes in a hurry
TURN_BACK_METRES = 5.0  # of path back into the lane for an ego that has begun to turn out
BEGUN = 0.3  # m from the offset at which it was decided on at which a pass has begun
RETURNED = 0.3  # of the way back, which may be left when the forecasts end: the ego is a tenth of its shift aside then
OWN_LANE, SAME_WAY, WRONG_WAY = 0, 1, 2


@kernel
def watch_standing(w, e):  # type: ignore[no-untyped-def]
    """Count for how long each actor has stood."""
    for j in range(1, w.num_slots):
        if e.stood_id[j] != w.actor_id[j]:
            e.stood_id[j] = w.actor_id[j]
            e.stood[j] = 0.0
        if w.kind[j] == 0 or w.hidden[j] == 1 or abs(w.speed[j]) > 0.2:
            e.stood[j] = 0.0
        else:
            e.stood[j] += TICK_SECONDS


@kernel
def is_obstacle(w, e, sheet, n):  # type: ignore[no-untyped-def]
    """True for what will not get out of the way by itself."""
    j = sheet.slot[n]
    kind = w.kind[j]
    if kind == _PROP:
        return True
    if kind == _BICYCLE and w.behaviour[j] != _LANES and math.cos(sheet.turn[n, 0]) > 0.9:
        return sheet.speed[n] < CRAWLING
    if abs(w.speed[j]) > 0.3:
        return False
    if kind == _WALKER:
        return e.stood[j] > 4.0 and e.still > 3.0
    if w.behaviour[j] == _HOLD:
        if w.lights[j] & _BLINKERS == _BLINKERS or w.lights[j] & _SPECIAL:
            return True
        if abs(sheet.d[n, 0]) > 0.7:  # parked beside the lane's middle
            return True
        return e.stood[j] > 15.0 and e.still > 5.0
    return kind == _BICYCLE and w.behaviour[j] == _TRACK and e.stood[j] > 3.0


@kernel
def across(w, sheet, n):  # type: ignore[no-untyped-def]
    """Half extents of an actor along and across the path, m."""
    x, y, half_length, half_width = solid_box(w, sheet.slot[n])
    c = abs(math.cos(sheet.turn[n, 0]))
    s = abs(math.sin(sheet.turn[n, 0]))
    return half_length * c + half_width * s, half_length * s + half_width * c


@kernel
def meeting(w, sheet, n, place):  # type: ignore[no-untyped-def]
    """Where obstacle n will be when the ego gets to it: shift along the path, m."""
    speed = sheet.speed[n]
    if speed < 0.3:
        return 0.0
    mine = max(w.speed[EGO], 6.0, speed + 2.0)
    seconds = max(place - w.path_s, 0.0) / (mine - speed)
    return speed * min(seconds, 20.0)


@kernel
def find_cluster(w, e, sheet, cluster):  # type: ignore[no-untyped-def]
    """Collect the obstacles ahead that are passed in one go.

    `cluster`: float64[5] start and end along the path, leftmost and rightmost edge, 1 when something in it moves.
    Returns whether there is one.
    """
    half = w.half_width[EGO] + 0.25
    rear = w.path_s - w.half_length[EGO] - 1.0
    cluster[0] = 1e9
    cluster[1] = -1e9
    cluster[2] = 1e9
    cluster[3] = -1e9
    cluster[4] = 0.0
    for n in range(sheet.count[0]):
        sheet.obstacle[n] = 0
        if not is_obstacle(w, e, sheet, n):
            continue
        depth, width = across(w, sheet, n)
        if sheet.s[n, 0] + depth < rear or sheet.s[n, 0] > w.path_s + SIGHT:
            continue
        if abs(sheet.d[n, 0]) - width > half + 0.6:
            continue
        sheet.obstacle[n] = 2 if abs(sheet.d[n, 0]) - width < half else 1
    # the nearest that is in the way
    for n in range(sheet.count[0]):
        if sheet.obstacle[n] == 2:
            depth, width = across(w, sheet, n)
            start = sheet.s[n, 0] - depth + meeting(w, sheet, n, sheet.s[n, 0] - depth - w.half_length[EGO])
            cluster[0] = min(cluster[0], start)
    if cluster[0] > 1e8:
        return False
    cluster[1] = cluster[0]
    grown = True
    while grown:
        grown = False
        for n in range(sheet.count[0]):
            if sheet.obstacle[n] == 0 or sheet.obstacle[n] == 3:
                continue
            depth, width = across(w, sheet, n)
            place = sheet.s[n, 0] + depth + w.half_length[EGO]
            shift = meeting(w, sheet, n, place)
            if sheet.s[n, 0] - depth + shift > cluster[1] + TOGETHER:
                continue
            cluster[1] = max(cluster[1], sheet.s[n, 0] + depth + shift)
            cluster[2] = min(cluster[2], sheet.d[n, 0] - width)
            cluster[3] = max(cluster[3], sheet.d[n, 0] + width)
            if shift > 0.0:
                cluster[4] = 1.0
            sheet.obstacle[n] = 3
            grown = True
    return True


@kernel
def side_offset(w, net, routes, cluster, side, wrong_way_ok, clearance):  # type: ignore[no-untyped-def]
    """How far to shift to pass the cluster on `side` (-1 left, +1 right).

    Returns (offset m, OWN_LANE / SAME_WAY / WRONG_WAY), or (0, -1) where there is no room.
    """
    lane, lane_s = lane_there(routes, w.route, 0.5 * (cluster[0] + cluster[1]))
    if lane < 0:
        return 0.0, -1
    half = 0.5 * net.point_width[net.lane_first[lane]]
    edge = cluster[2] if side < 0 else cluster[3]
    own_limit = half - 0.1
    need = edge + side * (w.half_width[EGO] + clearance)
    if side * need < 0.0:
        need = 0.0
    if abs(need) <= own_limit:
        return need, OWN_LANE
    tight = edge + side * (w.half_width[EGO] + TIGHT)
    if abs(tight) <= own_limit:
        return side * own_limit, OWN_LANE
    beside = net.lane_left[lane] if side < 0 else net.lane_right[lane]
    if beside >= 0 and net.lane_type[beside] == _DRIVING:
        width = net.point_width[net.lane_first[beside]]
        centre = half + 0.5 * width
        if abs(need) <= centre + 0.5 * width - 0.6:
            return side * max(abs(need), centre), SAME_WAY
        return 0.0, -1
    if side < 0 and wrong_way_ok and net.lane_opposite[lane] >= 0:
        width = net.point_width[net.lane_first[net.lane_opposite[lane]]]
        if abs(need) <= half + width - 0.8:
            return need, WRONG_WAY
    return 0.0, -1


@kernel
def plan_pass(w, e, routes, sheet, cluster, offset):  # type: ignore[no-untyped-def]
    """Write the profile of a pass into the trial: out, along, back. Returns where it ends, m along the path."""
    here = w.path_s
    now, slope, second = start_of_line(w, e, routes, 0)
    speed = max(w.speed[EGO], 4.0)
    shift = math.sqrt(abs(offset - now) + 0.01)
    length = max(SHORTEST * shift, 1.4 * speed * shift)
    room = cluster[0] - 0.5 - w.half_length[EGO] - here
    start = here
    if room > length and abs(slope) < 0.01:
        start = here + room - length
    elif room > length:
        length = room
    else:
        length = max(room, SHORTEST * shift)
        if w.speed[EGO] < STANDING:  # too near for a smooth start: with the wheels turned
            now, slope, second = start_of_line(w, e, routes, 1 if offset > now else -1)
    aside = math.sqrt(abs(offset) + 0.01)
    back = max(6.0, 1.3 * max(speed, 7.0)) * aside
    leave = max(cluster[1] + w.half_length[EGO] + 1.0, start + length + 0.5)
    sheet.trial_s[0] = start
    sheet.trial_d[0] = now
    sheet.trial_s[1] = start + length
    sheet.trial_d[1] = offset
    sheet.trial_s[2] = leave
    sheet.trial_d[2] = offset
    sheet.trial_s[3] = leave + back
    sheet.trial_d[3] = 0.0
    sheet.trial_count[0] = 4
    sheet.trial_slope[0] = slope if start == here else 0.0
    sheet.trial_bend[0] = second if start == here else 0.0
    return leave + back


@kernel
def trial_passes(w, e, net, routes, sheet, until, way):  # type: ignore[no-untyped-def]
    """True when driving the trial profile meets nobody until it is back, or for 12 s in a lane of the own direction."""
    lay_out(w, e, routes, sheet, True, LONG_STEPS)
    set_caps(w, e, net, routes, sheet, True)
    s = w.path_s
    most = PASS_ACCELERATION if e.blocked < HURRY_AFTER else HURRY_ACCELERATION
    k, end, left = roll(sheet, s, w.speed[EGO], 1.0, most, True, LONG_STEPS)
    if way == SAME_WAY:
        return k == LONG_STEPS and end > min(until, s + 12.0)
    back = sheet.trial_s[3] - RETURNED * (sheet.trial_s[3] - sheet.trial_s[2])
    return end >= back or (k == LONG_STEPS and way == OWN_LANE and end > s + 12.0)


@kernel
def wait_place(w, e, net, routes, aside):  # type: ignore[no-untyped-def]
    """Offset at the left (`aside` -1) or right (1) of the ego's lane where it waits to pass an obstacle, m."""
    lane, lane_s = lane_there(routes, w.route, w.path_s)
    if lane < 0:
        return 0.0
    return aside * max(0.5 * net.point_width[net.lane_first[lane]] - w.half_width[EGO] - 0.1, 0.0)


@kernel
def sticks_out(w, net, routes):  # type: ignore[no-untyped-def]
    """True when a front corner of the ego is beyond the edges of its lane."""
    lane, lane_s = lane_there(routes, w.route, w.path_s)
    if lane < 0:
        return False
    x, y, yaw, curvature = path_pose(routes, w.route, w.path_s)
    turn = w.yaw[EGO] - yaw
    front = w.path_offset + w.half_length[EGO] * math.sin(turn)
    return abs(front) + w.half_width[EGO] * abs(math.cos(turn)) > 0.5 * net.point_width[net.lane_first[lane]]


@kernel
def turn_back(w, e, net, routes):  # type: ignore[no-untyped-def]
    """Make the line lead back into the lane within a few metres, with the wheels turned."""
    side = -1 if w.path_offset > 0.0 else 1
    now, slope, second = start_of_line(w, e, routes, side)
    e.knot_s[0] = w.path_s
    e.knot_d[0] = now
    e.knot_s[1] = w.path_s + TURN_BACK_METRES
    e.knot_d[1] = wait_place(w, e, net, routes, -side)
    e.num_knots = 2
    e.first_slope = slope
    e.first_bend = second
    e.manoeuvre = TURN_BACK
    e.rushing = 0
    e.still = 0.0


@kernel
def go_on_passing(w, e, net, routes, sheet, blocked):  # type: ignore[no-untyped-def]
    """A pass that has begun: move its return with obstacles that move, end it, give it up when stuck before them."""
    cluster = sheet.cluster
    if w.path_s > e.pass_until:
        e.manoeuvre = KEEP_LANE
        e.num_knots = 0
        return
    halted = w.speed[EGO] < 0.1 and e.num_knots == 4 and w.path_s < e.knot_s[1]
    if halted or e.still > 3.0:
        if sticks_out(w, net, routes):
            turn_back(w, e, net, routes)
            return
        # hold this place beside the path, and plan afresh from it
        now, slope, second = profile_now(e, w.path_s)
        glide_to(w, e, now, 6.0)
        e.manoeuvre = KEEP_LANE
        return
    if not blocked or e.num_knots != 4 or w.path_s > e.knot_s[2] - 0.5:
        return
    leave = max(cluster[1] + w.half_length[EGO] + 1.0, e.knot_s[1] + 0.5)
    if cluster[4] > 0.0 or leave > e.knot_s[2]:
        length = e.knot_s[3] - e.knot_s[2]
        e.knot_s[2] = max(leave, w.path_s + 0.5)
        e.knot_s[3] = e.knot_s[2] + length
        e.pass_until = e.knot_s[3]


@kernel
def pass_obstacles(w, e, net, routes, sheet, blocked, wrong_way_ok):  # type: ignore[no-untyped-def]
    """Begin, adapt or end a pass. `blocked`: there is a cluster to pass (`find_cluster`).

    Returns True when trials have overwritten what the sheet says of the line in use.
    """
    if e.manoeuvre == MAKE_WAY or e.manoeuvre == LATE_TURN:
        return False
    cluster = sheet.cluster
    now, slope, second = profile_now(e, w.path_s)
    if e.manoeuvre == TURN_BACK:
        if w.path_s < e.knot_s[1] and e.still < 3.0 and sticks_out(w, net, routes):
            return False
        e.manoeuvre = KEEP_LANE
    if e.manoeuvre == PASS:
        if abs(now - e.wait_offset) > BEGUN:
            go_on_passing(w, e, net, routes, sheet, blocked)
            return False
        if blocked and e.num_knots == 4:  # it has been found good: kept up as long as it meets nobody
            most = PASS_ACCELERATION if e.blocked < HURRY_AFTER else HURRY_ACCELERATION
            set_caps(w, e, net, routes, sheet, False)
            k, end, left = roll(sheet, w.path_s, w.speed[EGO], 1.0, most, True, STEPS)
            if k == STEPS and end > w.path_s + 4.0:
                return False
    if not blocked:
        e.blocked = 0.0
        e.wait_offset = 0.0
        e.manoeuvre = KEEP_LANE
        if e.num_knots > 0:
            if w.path_s > e.knot_s[e.num_knots - 1] and e.knot_d[e.num_knots - 1] == 0.0:
                e.num_knots = 0
            elif e.num_knots != 2 or e.knot_d[1] != 0.0:
                glide_to(w, e, 0.0, max(12.0, 1.5 * w.speed[EGO]) * math.sqrt(abs(now) + 0.1))
        return False
    if w.speed[EGO] < 0.5:
        e.blocked += TICK_SECONDS
    clearance = CLEARANCE if e.blocked < 40.0 else TIGHT
    aside = 0
    for way in range(3):
        for side in (-1, 1):
            offset, kind = side_offset(w, net, routes, cluster, side, wrong_way_ok, clearance)
            if kind != way:
                continue
            if aside == 0:
                aside = side
            until = plan_pass(w, e, routes, sheet, cluster, offset)
            if trial_passes(w, e, net, routes, sheet, until, way):
                take_trial(e, sheet)
                e.wait_offset = now
                e.manoeuvre = PASS
                e.rushing = 1 if e.blocked > HURRY_AFTER else 0
                e.pass_until = until
                return True
    # wait behind it, a little to the side on which it will be passed
    e.manoeuvre = KEEP_LANE
    e.wait_offset = wait_place(w, e, net, routes, -1 if aside == 0 else aside)
    if w.speed[EGO] < 0.1 and sticks_out(w, net, routes):
        turn_back(w, e, net, routes)
        return True
    room = cluster[0] - w.half_length[EGO] - ROOM_TO_TURN_OUT - w.path_s
    if room < 1.0 and w.speed[EGO] < 0.2:  # no creeping: the room is needed to turn out
        sheet.stop[0] = min(sheet.stop[0], w.path_s)
    if room > 6.0 and room < 30.0 and (e.num_knots != 2 or abs(e.knot_d[1] - e.wait_offset) > 0.1):
        glide_to(w, e, e.wait_offset, room)
    elif e.num_knots == 4:
        glide_to(w, e, now, 6.0)
    return True
