"""How pedestrians go: along sidewalks, round corners, and over the road where nobody comes and no light forbids it.

A pedestrian is an actor with `Behaviour.WALK` and `Role.AMBIENT`: it walks straight on, and here it is turned, halted
and sent. What it is about stands in fields that a scripted walker has no use for:

| field | of a pedestrian |
|---|---|
| `stopped_at_sign` | `STROLLING` along a sidewalk, `AT_KERB` waiting to cross, `CROSSING` straight to the other side |
| `plan[0]`, `track_s` | the sidewalk lane, and metres along it; at the kerb and on the road, metres left to go |
| `reverse` | 1: against the lane's direction |
| `desired_offset` | metres right of the sidewalk's centre |
| `speed_factor` | pace, m/s |
| `headway` | metres travelled from which it will cross at a crosswalk again |

Vehicles need no rule of their own: who is on the road, or about to be in their way, is braked for.
"""

from __future__ import annotations

import math

from simulator.actors import remove_actor
from simulator.blueprints import Kind
from simulator.draws import choose, uniform
from simulator.drivers import plan_pose
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK, SIDEWALK_MASK, LaneType
from simulator.roads.queries import lane_pose, lane_width, nearest_lane
from simulator.state import EGO, TICK_SECONDS, Behaviour, DriverFlag, LightState, Role

_AMBIENT = int(Role.AMBIENT)
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)
_LANES = int(Behaviour.LANES)
_SIDEWALK = int(LaneType.SIDEWALK)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)
_RED = int(LightState.RED)
_OFF = int(LightState.OFF)

STROLLING = 0
AT_KERB = 1
CROSSING = 2

AHEAD = 1.5  # m along its way at which it looks
CORNER = 18.0  # m from the end of a sidewalk within which another one may go on
KERB_TICKS = 10  # it looks left and right twice a second
GIVES_UP = 0.01  # chance, each time, to turn round instead
AT_CROSSWALK = 0.4  # chance to cross at a crosswalk that it comes by
CROSS_AGAIN = 30.0  # m
HURRY = 1.15  # times its pace on the road
SPARE = 1.5  # s between it and the vehicle that comes
LIGHT_REACH = 25.0  # m before a junction in which its lights rule who crosses the road
FAST = 20.0  # m/s of speed limit above which nobody crosses
RECKLESS_REACH = 60.0  # m within which a scripted vehicle that brakes for nobody is waited for
ROOM = 6.0  # m from where scenarios put actors or drive them in which nobody crosses
REACH_OF_ARMS = 0.4  # m


@kernel
def walk_on(w, net, routes, i):  # type: ignore[no-untyped-def]
    """What a pedestrian does next; it then goes straight on at `target_speed` for one tick."""
    if w.stopped_at_sign[i] == AT_KERB:
        w.target_speed[i] = 0.0
        if (i + w.tick) % KERB_TICKS == 0:
            if may_cross(w, net, i):
                w.stopped_at_sign[i] = CROSSING
            elif uniform(w, 0.0, 1.0) < GIVES_UP:
                w.track_s[i] = 0.0
                arrive(w, net, i)
    elif w.stopped_at_sign[i] == CROSSING:
        w.track_s[i] -= w.speed[i] * TICK_SECONDS
        w.target_speed[i] = 0.0 if is_obstructed(w, i) else HURRY * w.speed_factor[i]
        if w.track_s[i] <= 0.0:
            arrive(w, net, i)
    else:
        stroll(w, net, routes, i)


@kernel
def stroll(w, net, routes, i):  # type: ignore[no-untyped-def]
    """Along the sidewalk; round, over or back where it ends, and sometimes over a crosswalk."""
    w.target_speed[i] = w.speed_factor[i]
    if is_obstructed(w, i):
        w.reverse[i] = 1 - w.reverse[i]
        turn_towards_way(w, net, i)
        return
    way = -1.0 if w.reverse[i] == 1 else 1.0
    w.track_s[i] += way * w.speed[i] * TICK_SECONDS
    lane = w.plan[i, 0]
    if w.track_s[i] < 0.0 or w.track_s[i] > net.lane_length[lane]:
        leave_sidewalk(w, net, routes, i)
    elif (i + w.tick) % KERB_TICKS == 0 and w.travelled[i] > w.headway[i]:
        come_by_crosswalk(w, net, routes, i)
    if w.stopped_at_sign[i] == STROLLING:
        turn_towards_way(w, net, i)


@kernel
def turn_towards_way(w, net, i):  # type: ignore[no-untyped-def]
    """Face a place a bit ahead on the sidewalk."""
    way = -1.0 if w.reverse[i] == 1 else 1.0
    x, y, z, yaw = lane_pose(net, w.plan[i, 0], w.track_s[i] + way * AHEAD)
    x -= w.desired_offset[i] * math.sin(yaw)
    y += w.desired_offset[i] * math.cos(yaw)
    if math.hypot(x - w.x[i], y - w.y[i]) > 0.3:
        w.yaw[i] = math.atan2(y - w.y[i], x - w.x[i])
    w.z[i] = z


@kernel
def is_obstructed(w, i):  # type: ignore[no-untyped-def]
    """True when something other than a pedestrian stands where i would be in a moment."""
    x = w.x[i] + 0.9 * math.cos(w.yaw[i])
    y = w.y[i] + 0.9 * math.sin(w.yaw[i])
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.hidden[j] == 1 or (w.kind[j] == _WALKER and w.role[j] == _AMBIENT):
            continue
        dx = x - w.x[j]
        dy = y - w.y[j]
        if abs(dx) > 6.0 or abs(dy) > 6.0:
            continue
        c = math.cos(w.yaw[j])
        s = math.sin(w.yaw[j])
        if abs(dx * c + dy * s) < w.half_length[j] + REACH_OF_ARMS:
            if abs(-dx * s + dy * c) < w.half_width[j] + REACH_OF_ARMS:
                return True
    return False


@kernel
def leave_sidewalk(w, net, routes, i):  # type: ignore[no-untyped-def]
    """At the end of its sidewalk lane: on along the next, to one round the corner or over the road, or back."""
    lane = w.plan[i, 0]
    backwards = w.reverse[i] == 1
    first = net.pred_first[lane] if backwards else net.succ_first[lane]
    last = net.pred_first[lane + 1] if backwards else net.succ_first[lane + 1]
    for q in range(first, last):
        following = net.pred_lane[q] if backwards else net.succ_lane[q]
        if net.lane_type[following] == _SIDEWALK:
            w.plan[i, 0] = following
            w.track_s[i] = net.lane_length[following] if backwards else 0.0
            return
    found = 0
    goal_x = 0.0
    goal_y = 0.0
    for other in range(net.lane_type.shape[0]):
        if net.lane_type[other] != _SIDEWALK or other == lane:
            continue
        for end in range(2):
            x, y, z, yaw = lane_pose(net, other, 1.0 if end == 0 else net.lane_length[other] - 1.0)
            if 1.0 < math.hypot(x - w.x[i], y - w.y[i]) < CORNER and abs(z - w.z[i]) < 2.0:
                found += 1
                if choose(w, found) == 0:  # each of them with the same chance
                    goal_x = x
                    goal_y = y
    if found == 0:
        w.reverse[i] = 1 - w.reverse[i]
        w.track_s[i] = min(max(w.track_s[i], 0.0), net.lane_length[lane])
    else:
        head_for(w, net, routes, i, goal_x, goal_y)


@kernel
def come_by_crosswalk(w, net, routes, i):  # type: ignore[no-untyped-def]
    """Sometimes take a crosswalk that begins beside it."""
    for p in range(net.crosswalk_first.shape[0] - 1):
        first = net.crosswalk_first[p]
        corners = net.crosswalk_first[p + 1] - first - 1  # the last one is the first again
        if corners < 3 or abs(net.crosswalk_x[first] - w.x[i]) > 40.0 or abs(net.crosswalk_y[first] - w.y[i]) > 40.0:
            continue
        x = 0.0
        y = 0.0
        longest = 0.0
        c = 1.0
        s = 0.0
        for k in range(corners):
            x += net.crosswalk_x[first + k] / corners
            y += net.crosswalk_y[first + k] / corners
            dx = net.crosswalk_x[first + k + 1] - net.crosswalk_x[first + k]
            dy = net.crosswalk_y[first + k + 1] - net.crosswalk_y[first + k]
            length = math.hypot(dx, dy)
            if length > longest:
                longest = length
                c = dx / length
                s = dy / length
        along = (w.x[i] - x) * c + (w.y[i] - y) * s
        across = -(w.x[i] - x) * s + (w.y[i] - y) * c
        if abs(across) > 1.0 or abs(along) > 0.5 * longest + 5.0 or abs(along) < 0.25 * longest:
            continue
        w.headway[i] = w.travelled[i] + CROSS_AGAIN
        if uniform(w, 0.0, 1.0) < AT_CROSSWALK:
            head_for(w, net, routes, i, w.x[i] - 2.0 * along * c, w.y[i] - 2.0 * along * s)
        return


@kernel
def head_for(w, net, routes, i, x, y):  # type: ignore[no-untyped-def]
    """Go straight to a place: at once where no road lies between, else from the kerb when that is safe.

    Fast roads, and roads that a scenario needs, are not crossed.
    """
    w.yaw[i] = math.atan2(y - w.y[i], x - w.x[i])
    w.track_s[i] = math.hypot(x - w.x[i], y - w.y[i])
    w.stopped_at_sign[i] = CROSSING
    step = 0.0
    while step < w.track_s[i]:
        lane = lane_under(net, w.x[i] + step * math.cos(w.yaw[i]), w.y[i] + step * math.sin(w.yaw[i]), w.z[i])
        if lane >= 0 and (net.lane_speed_limit[lane] > FAST or is_used_by_scenario(w, routes, i, step)):
            w.track_s[i] = 0.0
            arrive(w, net, i)
            return
        if lane >= 0:
            w.stopped_at_sign[i] = AT_KERB
            w.target_speed[i] = 0.0
        step += 1.0


@kernel
def is_used_by_scenario(w, routes, i, ahead):  # type: ignore[no-untyped-def]
    """True where scenarios put actors or drive them, `ahead` metres before i."""
    x = w.x[i] + ahead * math.cos(w.yaw[i])
    y = w.y[i] + ahead * math.sin(w.yaw[i])
    for p in range(routes.room_first[w.route], routes.room_first[w.route + 1]):
        if math.hypot(routes.room_x[p] - x, routes.room_y[p] - y) < ROOM:
            return True
    return False


@kernel
def lane_under(net, x, y, z):  # type: ignore[no-untyped-def]
    """The driving lane on which a place lies, or -1."""
    lane, s, lateral, distance = nearest_lane(net, x, y, z, DRIVING_MASK)
    return lane if lane >= 0 and abs(lateral) < 0.5 * lane_width(net, lane, s) and distance < 4.0 else -1


@kernel
def arrive(w, net, i):  # type: ignore[no-untyped-def]
    """Stroll on along the sidewalk that is nearest; without one it is taken away."""
    lane, s, lateral, distance = nearest_lane(net, w.x[i], w.y[i], w.z[i], SIDEWALK_MASK)
    if lane < 0 or distance > 6.0:
        remove_actor(w, i)
        return
    half = 0.3 * lane_width(net, lane, s)
    w.stopped_at_sign[i] = STROLLING
    w.plan[i, 0] = lane
    w.track_s[i] = s
    w.desired_offset[i] = min(max(lateral, -half), half)
    w.reverse[i] = choose(w, 2)
    w.headway[i] = w.travelled[i] + CROSS_AGAIN
    w.target_speed[i] = w.speed_factor[i]
    turn_towards_way(w, net, i)


@kernel
def may_cross(w, net, i):  # type: ignore[no-untyped-def]
    """True when lights hold the traffic on the road that i wants to cross, and no vehicle will come by meanwhile."""
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    step = 0.0
    while step < w.track_s[i]:
        lane = lane_under(net, w.x[i] + step * c, w.y[i] + step * s, w.z[i])
        if lane >= 0 and not is_held_by_light(w, net, lane, w.x[i], w.y[i]):
            return False
        step += 1.5
    if is_obstructed(w, i):
        return False
    seconds = w.track_s[i] / (HURRY * w.speed_factor[i]) + SPARE
    for j in range(w.num_slots):
        if w.kind[j] == 0 or w.kind[j] == _WALKER or w.kind[j] == _PROP or w.hidden[j] == 1:
            continue
        if abs(w.x[j] - w.x[i]) + abs(w.y[j] - w.y[i]) < 120.0 and comes_by(w, net, i, j, seconds):
            return False
    return True


@kernel
def is_held_by_light(w, net, lane, x, y):  # type: ignore[no-untyped-def]
    """True unless a light lets vehicles drive from the end of this lane, if that is near."""
    end_x, end_y, z, yaw = lane_pose(net, lane, net.lane_length[lane])
    if net.lane_junction[lane] >= 0 or math.hypot(end_x - x, end_y - y) > LIGHT_REACH:
        return True
    for q in range(net.succ_first[lane], net.succ_first[lane + 1]):
        light = net.lane_light[net.succ_lane[q]]
        if light >= 0 and w.light_state[light] != _RED and w.light_state[light] != _OFF:
            return False
    return True


@kernel
def comes_by(w, net, i, j, seconds):  # type: ignore[no-untyped-def]
    """True when vehicle j is, or within `seconds` will be, where i wants to walk."""
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    speed = abs(w.speed[j])
    if speed > 0.5 and w.driver_flags[j] & _IGNORE_VEHICLES:
        return math.hypot(w.x[j] - w.x[i], w.y[j] - w.y[i]) < RECKLESS_REACH
    if speed > 0.5 or j == EGO:
        speed = max(speed, 4.0)  # it may speed up
    time = 0.0
    while time <= seconds:
        if w.lane[j] >= 0 and w.plan[j, 0] >= 0 and (w.behaviour[j] == _LANES or j == EGO):
            x, y, yaw = plan_pose(w, net, j, speed * time)
        else:
            x = w.x[j] + speed * time * math.cos(w.yaw[j])
            y = w.y[j] + speed * time * math.sin(w.yaw[j])
        along = (x - w.x[i]) * c + (y - w.y[i]) * s
        across = abs(-(x - w.x[i]) * s + (y - w.y[i]) * c)
        if -1.0 < along < w.track_s[i] + 1.0 and across < w.half_length[j] + 1.0:
            return True
        if speed < 0.5:
            return False
        time += 0.4
    return False
