"""Background traffic around the ego, as Bench2Drive's background activity (docs/bench2drive.md 1.8).

* own road: two vehicles ahead and two behind in each same-direction lane, a source behind the ego
* ahead of the ego speeds follow the distance to it, so that its company neither runs away nor falls behind
* oncoming lanes: a source 80 m ahead, vehicles go once they are 80 m behind
* junctions ahead: entries other than the ego's fill up, the ego's exit gets two vehicles
Nothing appears within 20 m of the ego or on top of anybody.
"""

from __future__ import annotations

import math

from simulator.actors import is_free, remove_actor, set_speed, spawn_actor
from simulator.background_commands import is_closed, same_road_lane
from simulator.blueprints import HALF_SIZE, TRAFFIC_CARS
from simulator.draws import choose, uniform
from simulator.drivers import COMFORT_BRAKE, LOOK_AHEAD, STANDSTILL_GAP, curve_speed, leader_on_plan
from simulator.junctions import exit_is_blocked
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.roads.queries import advance, lane_pose, lane_width, retreat
from simulator.state import (
    EGO,
    HAZARD,
    MAX_ACTORS,
    MAX_PLAN,
    SLOTS_FOR_SCENARIOS,
    Behaviour,
    DriverFlag,
    Role,
    VehicleLight,
)
from simulator.tracking import set_lane

_CARS = TRAFFIC_CARS
_SIZE = HALF_SIZE
_BACKGROUND = int(Role.BACKGROUND)
_HOLD = int(Behaviour.HOLD)
_LANES = int(Behaviour.LANES)
_DRIVING = int(LaneType.DRIVING)
_NO_LANE_CHANGE = int(DriverFlag.NO_LANE_CHANGE)
_IGNORE_RULES = int(DriverFlag.IGNORE_LIGHTS | DriverFlag.IGNORE_SIGNS)
_BRAKE_LIGHT = int(VehicleLight.BRAKE)

PER_LANE = 2  # vehicles ahead, and behind, in each lane
SOURCE_PER_LANE = 4  # vehicles kept behind by the source
MIN_WIDTH = 2.25  # m; where a lane begins or ends, it is too narrow to stand on
CLEAR_OF_EGO = 20.0  # m around the ego in which nobody appears
FORGET_BEHIND = 80.0  # m
FORGET_AHEAD = 160.0  # m, beyond the exit of a junction that is populated 30 m + 1.5 s before it
ENTRY_REACH = 40.0  # m back from a junction where its entries' sources are
ENTRY_PITCH = 15.0  # m
ENTRY_ALIVE = 6
ENTRY_PROBABILITY = 0.8
EXIT_START = 30.0  # m behind the exit
MAX_SPEED = 25.0  # m/s (90 km/h)
CHANGE_OF_MIND = 25.0  # s of standing before a full exit after which another way is taken
FIRST_IN_LINE = 7.5  # m from a junction to the front of who stands there first
SOURCE_TICKS = 10  # sources look after their lanes every half second


@kernel
def spawn_background(w, net, lane, s, speed, flags):  # type: ignore[no-untyped-def]
    """Put a background car on a lane if there is room.

    Returns its slot, or -1.
    """
    if net.lane_type[lane] != _DRIVING or lane_width(net, lane, s) < MIN_WIDTH or is_closed(w, net, lane):
        return -1
    used = 0
    for i in range(w.num_slots):
        if w.kind[i] != 0:
            used += 1
    if used >= MAX_ACTORS - SLOTS_FOR_SCENARIOS:
        return -1
    x, y, z, yaw = lane_pose(net, lane, s)
    if math.hypot(x - w.x[EGO], y - w.y[EGO]) < CLEAR_OF_EGO and w.tick > 0:
        return -1
    if w.bg_max_speed > 0.0:
        speed = min(speed, w.bg_max_speed)
    blueprint = _CARS[choose(w, len(_CARS))]
    if not is_free(w, x, y, yaw, _SIZE[blueprint, 0], _SIZE[blueprint, 1], 4.0):
        return -1
    if cuts_off(w, net, lane, s - _SIZE[blueprint, 0], speed):
        return -1
    slot = spawn_actor(w, blueprint, _BACKGROUND, x, y, z, yaw)
    if slot < 0:
        return -1
    w.behaviour[slot] = _LANES
    w.driver_flags[slot] = flags & ~_NO_LANE_CHANGE if w.bg_lane_changes == 1 else flags | _NO_LANE_CHANGE
    w.headway[slot] = uniform(w, 1.0, 1.6)
    w.speed_factor[slot] = uniform(w, 0.85, 1.0)
    w.target_speed[slot] = -1.0
    w.desired_offset[slot] = 0.1
    set_lane(w, net, slot, lane, s, 0.0)
    extend_plan(w, net, slot)
    gap, leader_speed = leader_on_plan(w, net, slot)
    room = max(gap - STANDSTILL_GAP, 0.0)
    speed = min(speed, math.sqrt(leader_speed * leader_speed + 2.0 * COMFORT_BRAKE * room))
    set_speed(w, slot, min(speed, curve_speed(w, net, slot)))
    return slot


@kernel
def cuts_off(w, net, lane, s, speed):  # type: ignore[no-untyped-def]
    """True when somebody on the way to `lane` could not brake gently for a vehicle whose rear appears there at `s`."""
    for j in range(w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1 or w.speed[j] <= speed:
            continue
        ahead = s - w.lane_s[j]
        for k in range(MAX_PLAN):
            planned = w.plan[j, k]
            if planned < 0 or ahead > LOOK_AHEAD:
                break
            if planned == lane:
                gap = ahead - w.half_length[j]
                braking = (w.speed[j] * w.speed[j] - speed * speed) / (2.0 * COMFORT_BRAKE)
                if ahead > 0.0 and gap < STANDSTILL_GAP + braking:
                    return True
                break
            ahead += net.lane_length[planned]
    return False


@kernel
def extend_plan(w, net, i):  # type: ignore[no-untyped-def]
    """Draw the next lanes of a traffic vehicle until its plan is full or the road ends."""
    for k in range(1, MAX_PLAN):
        if w.plan[i, k] >= 0:
            continue
        lane = w.plan[i, k - 1]
        if lane < 0:
            return
        first = net.succ_first[lane]
        count = 0
        for q in range(first, net.succ_first[lane + 1]):
            if net.lane_type[net.succ_lane[q]] == _DRIVING:
                count += 1
        if count == 0:
            return
        pick = choose(w, count) if count > 1 else 0
        for q in range(first, net.succ_first[lane + 1]):
            if net.lane_type[net.succ_lane[q]] == _DRIVING:
                if pick == 0:
                    w.plan[i, k] = net.succ_lane[q]
                    break
                pick -= 1


@kernel
def choose_another_way(w, net, i):  # type: ignore[no-untyped-def]
    """Draw the way anew of a vehicle that has stood for long before a junction whose exit stays full.

    Without this, queues that wait for each other around a block would wait for ever.
    """
    lane = w.plan[i, 0]
    entering = w.plan[i, 1]
    if lane < 0 or entering < 0 or net.lane_junction[lane] >= 0 or net.lane_junction[entering] < 0:
        return
    if w.junction_distance[i] > w.half_length[i] + FIRST_IN_LINE or not exit_is_blocked(w, net, i, 1):
        return
    for k in range(1, MAX_PLAN):
        w.plan[i, k] = -1
    extend_plan(w, net, i)


@kernel
def leftmost_lane(net, lane):  # type: ignore[no-untyped-def]
    """The leftmost driving lane with the same direction."""
    for _ in range(8):
        left = net.lane_left[lane]
        if left < 0 or net.lane_type[left] != _DRIVING:
            break
        lane = left
    return lane


@kernel
def populate(w, net, routes):  # type: ignore[no-untyped-def]
    """Traffic at the start: two ahead and two behind in every lane of the ego's road, and the oncoming lanes."""
    w.bg_junction = routes.crossing_first[w.route] - 1
    if w.bg_enabled == 0 or w.lane[EGO] < 0:
        return
    lane = leftmost_lane(net, w.lane[EGO])
    for _ in range(8):
        s = min(w.lane_s[EGO], net.lane_length[lane])
        for k in range(1, PER_LANE + 1):
            spawn_within_road(w, net, lane, s, k * w.bg_spawn_dist)
            spawn_within_road(w, net, lane, s, -k * w.bg_spawn_dist)
        lane = net.lane_right[lane]
        if lane < 0 or net.lane_type[lane] != _DRIVING:
            break
    for k in range(2):
        feed_oncoming(w, net, routes, w.bg_opposite_source - k * w.bg_opposite_dist)


@kernel
def spawn_within_road(w, net, lane, s, distance):  # type: ignore[no-untyped-def]
    """Spawn `distance` metres along (or back along) a lane, unless a junction lies between."""
    if distance > 0.0:
        there, at = advance(net, lane, s, distance, 0)
        if at - s < distance - 0.5 and there == lane:
            return
    else:
        there, at = retreat(net, lane, s, -distance, 0)
        if s - at < -distance - 0.5 and there == lane:
            return
    if net.lane_junction[there] >= 0 or net.lane_road[there] != net.lane_road[lane]:
        return
    spawn_background(w, net, there, at, 0.0, 0)


@kernel
def tick_background(w, net, routes):  # type: ignore[no-untyped-def]
    """One tick of background activity: plans, wanted speeds, recycling, sources."""
    for i in range(1, w.num_slots):
        if w.behaviour[i] != _LANES or w.kind[i] == 0:
            continue
        if w.plan[i, MAX_PLAN - 1] < 0:
            extend_plan(w, net, i)
        if w.waiting[i] > CHANGE_OF_MIND and (i + w.tick) % SOURCE_TICKS == 0:
            choose_another_way(w, net, i)
    if w.bg_enabled == 0:
        return
    set_speeds(w, net, routes)
    enter_junctions(w, net, routes)
    if w.tick % SOURCE_TICKS == 0:
        recycle(w, net, routes)
        if w.bg_route_sources == 1 and w.bg_keep_behind == 0:
            feed_own_road(w, net)
        if w.bg_opposite_active == 1:
            feed_oncoming(w, net, routes, w.bg_opposite_source)
        feed_entries(w, net, routes)


@kernel
def set_speeds(w, net, routes):  # type: ignore[no-untyped-def]
    """Wanted speed of every background vehicle (1.8 "Percentage ahead", "Percentage behind")."""
    ego_lane = w.lane[EGO]
    if ego_lane < 0:
        return
    limit = net.lane_speed_limit[ego_lane]
    near = 2.0 * w.bg_spawn_dist + 1.7 * w.speed[EGO] + w.bg_extra_space
    span = w.bg_spawn_dist
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.role[i] != _BACKGROUND or w.lane[i] < 0 or w.behaviour[i] != _LANES:
            continue
        if runs_out(net, w.lane[i], w.lane_s[i]):
            w.behaviour[i] = _HOLD
            w.lights[i] |= HAZARD
            continue
        dx = w.x[i] - w.x[EGO]
        dy = w.y[i] - w.y[EGO]
        along = dx * c + dy * s
        distance = math.hypot(dx, dy)
        facing = math.cos(w.yaw[i]) * c + math.sin(w.yaw[i]) * s
        wanted = net.lane_speed_limit[w.lane[i]] * w.speed_factor[i]
        stopped = False
        if facing > 0.5:
            if along > 0.0:
                if distance > near and not keeps_junction_busy(w, net, i):
                    wanted = limit * min(max((near + span - distance) / span, 0.0), 1.0)
                else:
                    wanted = limit
                stopped = w.bg_front_stopped == 1
            else:
                wanted = limit * min(1.0 + distance / span, 2.0 if w.bg_keep_behind == 0 else 1.0)
                if w.bg_keep_behind == 1:
                    wanted = min(wanted, w.speed[EGO] + 1.0)
                stopped = w.bg_back_stopped == 1
        if halts_behind_junction(w, net, routes, i):
            stopped = True
        if w.bg_entries_stopped == 1 and facing <= 0.5 and net.lane_junction[w.lane[i]] < 0:
            stopped = True
        if w.bg_max_speed > 0.0:
            wanted = min(wanted, w.bg_max_speed)
        w.target_speed[i] = 0.0 if stopped else min(wanted, MAX_SPEED)
        if stopped:
            w.lights[i] |= _BRAKE_LIGHT
        else:
            w.lights[i] &= ~_BRAKE_LIGHT


@kernel
def runs_out(net, lane, s):  # type: ignore[no-untyped-def]
    """True where a lane is narrower than `MIN_WIDTH` and gets narrower still."""
    width = lane_width(net, lane, s)
    return width < MIN_WIDTH and lane_width(net, lane, s + 1.0) < width - 0.01


@kernel
def halts_behind_junction(w, net, routes, i):  # type: ignore[no-untyped-def]
    """True for a vehicle that is `EXIT_START` metres or more behind the populated junction, on a road not the ego's.

    Oncoming traffic of the ego's road is no such vehicle.
    """
    lane = w.lane[i]
    if w.lane_s[i] < EXIT_START or (w.lane[EGO] >= 0 and net.lane_road[lane] == net.lane_road[w.lane[EGO]]):
        return False
    return is_other_exit(w, net, routes, lane)


@kernel
def is_other_exit(w, net, routes, lane):  # type: ignore[no-untyped-def]
    """True for a lane that begins at the junction that is populated for the ego, and that is not on its way."""
    k = w.bg_junction
    if k < routes.crossing_first[w.route] or w.path_s > routes.crossing_exit[k] or net.lane_junction[lane] >= 0:
        return False
    first = net.pred_first[lane]
    if first == net.pred_first[lane + 1] or net.lane_junction[net.pred_lane[first]] != routes.crossing_junction[k]:
        return False
    return not is_on_way(w, net, routes, lane)


@kernel
def is_one_too_many(w, net, routes, i):  # type: ignore[no-untyped-def]
    """True for who stands behind the junction on a road not the ego's, with `PER_LANE` others behind it on its lane."""
    if not halts_behind_junction(w, net, routes, i):
        return False
    behind = 0
    for j in range(1, w.num_slots):
        if w.kind[j] != 0 and w.role[j] == _BACKGROUND and w.lane[j] == w.lane[i] and w.lane_s[j] < w.lane_s[i]:
            behind += 1
    return behind >= PER_LANE


@kernel
def keeps_junction_busy(w, net, i):  # type: ignore[no-untyped-def]
    """True for a vehicle in a junction or less than `EXIT_START` metres behind one, where it must not wait."""
    lane = w.lane[i]
    if net.lane_junction[lane] >= 0:
        return True
    if w.lane_s[i] > EXIT_START or net.pred_first[lane] == net.pred_first[lane + 1]:
        return False
    return net.lane_junction[net.pred_lane[net.pred_first[lane]]] >= 0


@kernel
def recycle(w, net, routes):  # type: ignore[no-untyped-def]
    """Take away background vehicles that the ego has left behind, that ran far ahead, or that stand at a dead end.

    Ahead of the ego each lane of its way keeps `PER_LANE`: more, waiting for the ego, would hold it up for ever.
    """
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    far_ahead = max(FORGET_AHEAD, w.bg_opposite_source + 20.0)
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.role[i] != _BACKGROUND:
            continue
        dx = w.x[i] - w.x[EGO]
        dy = w.y[i] - w.y[EGO]
        distance = math.hypot(dx, dy)
        along = dx * c + dy * s
        if (along < 0.0 and distance > FORGET_BEHIND) or distance > far_ahead:
            remove_actor(w, i)
        elif along > 0.0 and distance > CLEAR_OF_EGO and is_surplus(w, net, routes, i):
            remove_actor(w, i)
        elif distance > CLEAR_OF_EGO and w.lane[i] >= 0 and is_one_too_many(w, net, routes, i):
            remove_actor(w, i)
        elif along > 0.0 and w.waiting[i] > 0.5 and is_held_ahead(w, net, routes, i):
            remove_actor(w, i)
        elif distance > 50.0 and (w.waiting[i] > 90.0 or w.lane[i] < 0 or (w.plan[i, 1] < 0 and w.speed[i] < 0.5)):
            remove_actor(w, i)


@kernel
def is_held_ahead(w, net, routes, i):  # type: ignore[no-untyped-def]
    """True for a vehicle on the ego's way that stands before a junction which scenarios keep clear.

    Bench2Drive takes those who would enter such a junction out of the world; here they would bar the ego's way.
    """
    entering = w.junction_lane[i]
    if w.bg_clear_junction < 0 or entering < 0 or net.lane_junction[entering] != w.bg_clear_junction:
        return False
    return w.junction_distance[i] < w.half_length[i] + 6.0 and is_on_way(w, net, routes, w.lane[i])


@kernel
def is_surplus(w, net, routes, i):  # type: ignore[no-untyped-def]
    """True when `PER_LANE` background vehicles on i's lane of the ego's way are between the ego and i."""
    lane = w.lane[i]
    if lane < 0 or not is_on_way(w, net, routes, lane):
        return False
    mine = math.hypot(w.x[i] - w.x[EGO], w.y[i] - w.y[EGO])
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    between = 0
    for j in range(1, w.num_slots):
        if j != i and w.kind[j] != 0 and w.role[j] == _BACKGROUND and w.lane[j] >= 0:
            if net.lane_road[w.lane[j]] == net.lane_road[lane] and net.lane_id[w.lane[j]] == net.lane_id[lane]:
                dx = w.x[j] - w.x[EGO]
                dy = w.y[j] - w.y[EGO]
                if dx * c + dy * s > 0.0 and math.hypot(dx, dy) < mine:
                    between += 1
    return between >= PER_LANE


@kernel
def is_on_way(w, net, routes, lane):  # type: ignore[no-untyped-def]
    """True for lanes of the ego's road, and of the one behind the next junction, that lead its way."""
    ego_lane = w.lane[EGO]
    if net.lane_junction[lane] >= 0:
        return False
    if ego_lane >= 0 and net.lane_road[lane] == net.lane_road[ego_lane]:
        return net.lane_id[lane] * net.lane_id[ego_lane] > 0
    k = w.bg_junction
    if k < routes.crossing_first[w.route]:
        return False
    for e in range(routes.exit_first[k], routes.exit_first[k + 1]):
        way_out = routes.exit_lane[e]
        if net.lane_road[lane] == net.lane_road[way_out] and net.lane_id[lane] * net.lane_id[way_out] > 0:
            return True
    return False


@kernel
def feed_own_road(w, net):  # type: ignore[no-untyped-def]
    """Keep vehicles behind the ego in each lane of its road."""
    lane = w.lane[EGO]
    if lane < 0 or net.lane_junction[lane] >= 0:
        return
    lane = leftmost_lane(net, lane)
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    for _ in range(8):
        back = 0.0
        alive = 0
        for i in range(1, w.num_slots):
            if w.kind[i] != 0 and w.role[i] == _BACKGROUND and w.lane[i] >= 0:
                if net.lane_road[w.lane[i]] == net.lane_road[lane] and net.lane_id[w.lane[i]] == net.lane_id[lane]:
                    along = (w.x[i] - w.x[EGO]) * c + (w.y[i] - w.y[EGO]) * s
                    if along < 0.0:
                        alive += 1
                        back = max(back, -along)
        wanted = max(back + w.bg_spawn_dist, 2.0 * w.bg_spawn_dist)
        if alive < SOURCE_PER_LANE and wanted < FORGET_BEHIND - 5.0:
            at = min(w.lane_s[EGO], net.lane_length[lane])
            there, place = retreat(net, lane, at, wanted, 0)
            if net.lane_road[there] == net.lane_road[lane] and (there != lane or at - place > wanted - 0.5):
                spawn_background(w, net, there, place, 0.7 * w.speed[EGO], 0)
        lane = net.lane_right[lane]
        if lane < 0 or net.lane_type[lane] != _DRIVING:
            break


@kernel
def feed_oncoming(w, net, routes, ahead):  # type: ignore[no-untyped-def]
    """Oncoming source: `ahead` metres along the ego's path, on every lane that runs against it."""
    r = w.route
    p = routes.path_first[r] + int((w.path_s + ahead) / routes.path_step[r])
    if p >= routes.path_first[r + 1]:
        return
    lane = routes.path_lane[p]
    if lane < 0 or net.lane_junction[lane] >= 0:
        return
    opposite = net.lane_opposite[leftmost_lane(net, lane)]
    x = routes.path_x[p]
    y = routes.path_y[p]
    for _ in range(4):
        if opposite < 0 or net.lane_type[opposite] != _DRIVING:
            return
        # the same place seen from the other side of the road: lanes of one section share their length closely
        share = routes.path_lane_s[p] / max(net.lane_length[lane], 1e-6)
        s = min(max((1.0 - share) * net.lane_length[opposite], 0.0), net.lane_length[opposite])
        nearest = 1e9
        for i in range(1, w.num_slots):
            if w.kind[i] == 0 or w.role[i] != _BACKGROUND or w.lane[i] < 0:
                continue
            if same_road_lane(net, w.lane[i], opposite):
                nearest = min(nearest, math.hypot(w.x[i] - x, w.y[i] - y))
        if nearest > w.bg_opposite_dist:
            spawn_background(w, net, opposite, s, 0.8 * net.lane_speed_limit[opposite], _IGNORE_RULES)
        opposite = net.lane_right[opposite]


@kernel
def enter_junctions(w, net, routes):  # type: ignore[no-untyped-def]
    """Populate the next junction on the route once it is 30 m + 1.5 s away.

    The commands that belonged to the last junction end when the ego has left it.
    """
    current = w.bg_junction
    if current >= routes.crossing_first[w.route] and w.path_s > routes.crossing_exit[current] + 5.0:
        w.bg_keep_behind = 0
        w.bg_entries_stopped = 0
        w.bg_clear_junction = -1
    following = current + 1
    if following >= routes.crossing_first[w.route + 1]:
        return
    if routes.crossing_enter[following] - w.path_s > 30.0 + 1.5 * w.speed[EGO]:
        return
    w.bg_junction = following
    for e in range(routes.entry_first[following], routes.entry_first[following + 1]):
        lane = routes.entry_lane[e]
        if uniform(w, 0.0, 1.0) < ENTRY_PROBABILITY:
            back = 8.0
            while back < min(ENTRY_REACH, net.lane_length[lane] - 5.0):
                spawn_background(w, net, lane, net.lane_length[lane] - back, 0.0, 0)
                back += ENTRY_PITCH
    for e in range(routes.exit_first[following], routes.exit_first[following + 1]):
        for k in range(PER_LANE):
            lane, s = advance(net, routes.exit_lane[e], 0.0, EXIT_START + k * w.bg_spawn_dist, 0)
            if net.lane_road[lane] == net.lane_road[routes.exit_lane[e]]:
                spawn_background(w, net, lane, s, 0.0, 0)


@kernel
def feed_entries(w, net, routes):  # type: ignore[no-untyped-def]
    """Sources of the populated junction's entries, while the ego has not left it."""
    k = w.bg_junction
    if k < routes.crossing_first[w.route] or w.path_s > routes.crossing_exit[k]:
        return
    for e in range(routes.entry_first[k], routes.entry_first[k + 1]):
        lane = routes.entry_lane[e]
        if net.lane_length[lane] < ENTRY_PITCH:
            continue
        alive = 0
        for i in range(1, w.num_slots):
            if w.kind[i] != 0 and w.role[i] == _BACKGROUND and w.lane[i] == lane:
                alive += 1
        if alive < ENTRY_ALIVE:
            back = min(ENTRY_REACH, net.lane_length[lane] - 1.0)
            speed = 0.5 * net.lane_speed_limit[lane] if alive == 0 else 0.0
            spawn_background(w, net, lane, net.lane_length[lane] - back, speed, 0)
