"""One tick of a seen world: what is told of actors and lights goes into a WORLD record, what is not told is guessed.

Background traffic and vehicles that move along a lane follow lanes, those that have never moved are held, walkers and
everything else go straight on. Background traffic turns by chance; a scenario's vehicle goes where the one before it
went, or straight on, as flows do, and stops for nobody.
"""

from __future__ import annotations

import math

from simulator.background import extend_plan
from simulator.blueprints import Kind
from simulator.dynamics import STEERING_GAIN, STEERING_LAG
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.state import EGO, MAX_PLAN, TICK_SECONDS, Behaviour, DriverFlag, LightState, Role
from simulator.tracking import track_actor, track_ego

COLUMNS = 17  # of a row, in the order of `leaderboard_adapters.official_agent.ACTOR_COLUMNS`:
_X, _Y, _Z, _ROLL, _PITCH, _YAW, _VX, _VY, _VZ, _AX, _AY, _AZ, _WZ, _THROTTLE, _BRAKE, _STEER = range(1, COLUMNS)
_STATE, _FROZEN = 255, 256  # bits of what is told of a light

_OUT_OF_SIGHT = 40.0  # m above or below the ego: parked out of the world by a scenario
_DECAY = 1.0 - math.exp(-TICK_SECONDS / STEERING_LAG)
_CRAWLS = 5.0  # m/s, below which a scenario's bicycle is no traffic
_MOVES = 0.3  # m/s
_ASIDE = 2.2  # m from a lane's centre at which a vehicle no longer follows it
_ACROSS = math.radians(40.0)  # from a lane's direction, likewise

_NONE, _VEHICLE, _BICYCLE = int(Kind.NONE), int(Kind.VEHICLE), int(Kind.BICYCLE)
_LANES, _WALK, _HOLD = int(Behaviour.LANES), int(Behaviour.WALK), int(Behaviour.HOLD)
_CONTROLLED = int(Behaviour.CONTROLLED)
_BACKGROUND = int(Role.BACKGROUND)
_DRIVING = int(LaneType.DRIVING)
_YELLOW = int(LightState.YELLOW)
_HEEDLESS = int(DriverFlag.IGNORE_LIGHTS | DriverFlag.IGNORE_SIGNS | DriverFlag.IGNORE_VEHICLES)


@kernel
def see_world(worlds, net, routes, rows, slots, centres, lights, told, moved, followed):  # type: ignore[no-untyped-def]
    """Take one tick into world 0. It takes the array of records, as handing over a single record costs 20 us.

    `rows`: float64[N, 17], the ego vehicle first. `slots`: int64[N] where each is kept, -1 nowhere. `centres`:
    float64[A, 3] of the boxes on their actors, by slot. `lights`: int64[K], -1 for unknown ones, with what is `told`
    of them. `moved`, `followed`: see `place_seen`.
    """
    w = worlds[0]
    fill_rows(w, rows, slots, centres)
    w.steer_angle[EGO] += (STEERING_GAIN * w.steer[EGO] - w.steer_angle[EGO]) * _DECAY
    show_lights(w, net, lights, told)
    w.tick += 1
    w.time = w.tick * TICK_SECONDS
    place_seen(w, net, routes, moved, followed)


@kernel
def fill_rows(w, rows, slots, centres):  # type: ignore[no-untyped-def]
    """Poses and motions."""
    for r in range(rows.shape[0]):
        i = slots[r]
        if i < 0:
            continue
        yaw = math.radians(rows[r, _YAW])
        c = math.cos(yaw)
        s = math.sin(yaw)
        w.x[i] = rows[r, _X] + c * centres[i, 0] - s * centres[i, 1]
        w.y[i] = rows[r, _Y] + s * centres[i, 0] + c * centres[i, 1]
        w.z[i] = rows[r, _Z] + centres[i, 2] - w.half_height[i]
        w.yaw[i] = yaw
        w.pitch[i] = math.radians(rows[r, _PITCH])
        w.speed[i] = c * rows[r, _VX] + s * rows[r, _VY]
        w.acceleration[i] = c * rows[r, _AX] + s * rows[r, _AY]
        w.vx[i] = rows[r, _VX]
        w.vy[i] = rows[r, _VY]
        w.ax[i] = rows[r, _AX]
        w.ay[i] = rows[r, _AY]
        w.yaw_rate[i] = math.radians(rows[r, _WZ])
        w.throttle[i] = rows[r, _THROTTLE]
        w.brake[i] = rows[r, _BRAKE]
        w.steer[i] = rows[r, _STEER]
        w.hidden[i] = 1 if abs(rows[r, _Z] - rows[0, _Z]) > _OUT_OF_SIGHT else 0


@kernel
def show_lights(w, net, lights, told):  # type: ignore[no-untyped-def]
    """States of the lights, and of their groups what follows: phase and time where one turns yellow, frozen or not."""
    for g in range(w.group_time.shape[0]):
        w.group_time[g] += TICK_SECONDS
    for k in range(lights.shape[0]):
        light = lights[k]
        if light < 0:
            continue
        state = told[k] & _STATE
        group = net.light_group[light]
        if state == _YELLOW and w.light_state[light] != _YELLOW:
            phase = net.light_phase[light]
            w.group_phase[group] = phase
            w.group_time[group] = net.phase_green[net.group_first[group] + phase]
        w.light_state[light] = state
        w.group_frozen[group] = 1 if told[k] & _FROZEN else 0


@kernel
def place_seen(w, net, routes, moved, followed):  # type: ignore[no-untyped-def]
    """Lanes, plans and behaviours of everybody, from poses and speeds.

    `moved`: int64[A], 1 for who has ever moved. `followed`: int64[lanes], the lane on which the last vehicle of a
    scenario went on from each, -1 none.
    """
    track_actor(w, net, EGO)
    track_ego(w, net, routes)
    for i in range(1, w.num_slots):
        if w.kind[i] == _NONE or w.hidden[i] == 1:
            continue
        speed = math.hypot(w.vx[i], w.vy[i])
        if speed > _MOVES:
            moved[i] = 1
        if w.kind[i] != _VEHICLE and w.kind[i] != _BICYCLE:
            w.behaviour[i] = _WALK if speed > 0.05 else _HOLD
            w.target_speed[i] = speed
            continue
        before = w.plan[i, 0]
        w.behaviour[i] = _CONTROLLED
        z = w.z[i]
        track_actor(w, net, i)
        w.target_speed[i] = -1.0
        crawls = w.kind[i] == _BICYCLE and speed < _CRAWLS
        if not follows_lane(w, net, i) or (w.role[i] != _BACKGROUND and (moved[i] == 0 or crawls)):
            w.behaviour[i] = _WALK if speed > 0.05 else _HOLD
            w.target_speed[i] = speed
            w.z[i] = z if w.lane[i] < 0 else w.z[i]
            continue
        w.behaviour[i] = _LANES
        if w.lane[i] != before:
            shift_plan(w, i)
        if w.role[i] == _BACKGROUND:
            extend_plan(w, net, i)
        else:
            w.driver_flags[i] = _HEEDLESS
            if w.lane[i] != before and before >= 0 and goes_on(net, before, w.lane[i]):
                followed[before] = w.lane[i]
            expect_plan(w, net, followed, i)
        w.waiting[i] = w.waiting[i] + TICK_SECONDS if speed < 0.5 else 0.0
        find_junction(w, net, i)


@kernel
def follows_lane(w, net, i):  # type: ignore[no-untyped-def]
    """Whether a vehicle is on a lane and along it."""
    lane = w.lane[i]
    if lane < 0 or abs(w.lane_offset[i]) > _ASIDE:
        return False
    first = net.lane_first[lane]
    last = net.lane_first[lane + 1] - 1
    p = min(first + int(w.lane_s[i] / net.lane_step[lane]), last)
    turn = w.yaw[i] - net.point_yaw[p]
    return abs(math.atan2(math.sin(turn), math.cos(turn))) < _ACROSS


@kernel
def shift_plan(w, i):  # type: ignore[no-untyped-def]
    """Begin the plan at the lane that the vehicle is on, keeping what was planned beyond it."""
    lane = w.lane[i]
    at = -1
    for k in range(1, MAX_PLAN):
        if w.plan[i, k] == lane:
            at = k
            break
    for k in range(MAX_PLAN):
        w.plan[i, k] = w.plan[i, at + k] if at >= 0 and at + k < MAX_PLAN else -1
    w.plan[i, 0] = lane


@kernel
def goes_on(net, lane, way):  # type: ignore[no-untyped-def]
    """Whether `way` begins where `lane` ends."""
    for q in range(net.succ_first[lane], net.succ_first[lane + 1]):
        if net.succ_lane[q] == way:
            return True
    return False


@kernel
def expect_plan(w, net, followed, i):  # type: ignore[no-untyped-def]
    """Plan the way that others of a scenario went before, straight on where nobody did."""
    for k in range(1, MAX_PLAN):
        lane = w.plan[i, k - 1]
        if lane < 0:
            return
        way = followed[lane] if followed[lane] >= 0 else straight_on(net, lane)
        if w.plan[i, k] != way:
            w.plan[i, k] = way
            for rest in range(k + 1, MAX_PLAN):
                w.plan[i, rest] = -1


@kernel
def straight_on(net, lane):  # type: ignore[no-untyped-def]
    """The driving lane after this one that turns least, -1 where there is none."""
    yaw = net.point_yaw[net.lane_first[lane + 1] - 1]
    best = -1
    least = 10.0
    for q in range(net.succ_first[lane], net.succ_first[lane + 1]):
        way = net.succ_lane[q]
        if net.lane_type[way] != _DRIVING:
            continue
        turn = net.point_yaw[net.lane_first[way + 1] - 1] - yaw
        turn = abs(math.atan2(math.sin(turn), math.cos(turn)))
        if turn < least:
            best = way
            least = turn
    return best


@kernel
def find_junction(w, net, i):  # type: ignore[no-untyped-def]
    """Note the next junction lane of the plan and how far away it begins."""
    w.junction_lane[i] = -1
    w.junction_distance[i] = 0.0
    start = -w.lane_s[i]
    for k in range(MAX_PLAN):
        lane = w.plan[i, k]
        if lane < 0:
            return
        if net.lane_junction[lane] >= 0:
            w.junction_lane[i] = lane
            w.junction_distance[i] = start
            return
        start += net.lane_length[lane]
