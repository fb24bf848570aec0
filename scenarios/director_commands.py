"""The commands of the vocabulary: what each does to the world, the traffic, the lights and the criteria."""

from __future__ import annotations

import math

from scenarios.director_cast import raise_member, remove_member
from scenarios.flows import end_flow, start_flow
from scenarios.opcodes import Op
from simulator.actors import set_speed
from simulator.background_commands import (
    clear_ego_entry,
    clear_junction,
    close_lane,
    extend_exit,
    leave_crossing_space,
    leave_space_in_front,
    same_road_lane,
    unclear_junction,
)
from simulator.draws import uniform
from simulator.kernel import kernel
from simulator.signals import hold_lights, release_lights
from simulator.state import EGO, Behaviour, DriverFlag

_HOLD = int(Behaviour.HOLD)
_TRACK = int(Behaviour.TRACK)
_WALK = int(Behaviour.WALK)
_CONSTANT_VELOCITY = int(DriverFlag.CONSTANT_VELOCITY)


@kernel
def execute(w, d, s, net, routes, scripts, live, pc):  # type: ignore[no-untyped-def]
    """Carry out the command at `pc` for a live scenario."""
    op = scripts.op[pc]
    if op <= Op.OPEN_DOOR:
        command_member(w, d, routes, scripts, live, pc)
    elif op <= Op.RELEASE_LIGHTS:
        command_flow_or_lights(w, d, net, routes, scripts, live, pc)
    elif op <= Op.LEAVE_CROSSING_SPACE:
        command_traffic(w, net, routes, scripts, pc)
    else:
        command_route(w, d, s, scripts, live, pc)


@kernel
def command_member(w, d, routes, scripts, live, pc):  # type: ignore[no-untyped-def]
    """Commands to one member of the cast; those to a member that is gone do nothing."""
    op = scripts.op[pc]
    whole = scripts.whole[pc]
    number = scripts.number[pc]
    slot = d.cast_slot[live, whole[0]]
    if slot < 0:
        return
    if op == Op.RAISE:
        raise_member(w, slot)
    elif op == Op.REMOVE:
        remove_member(w, d, live, whole[0])
    elif op == Op.HOLD:
        set_behaviour(w, slot, _HOLD, 0.0)
        w.target_speed[slot] = 0.0
    elif op == Op.WALK:
        set_behaviour(w, slot, _WALK, number[3])
        w.target_speed[slot] = speed_of(w, number)
        set_speed(w, slot, w.target_speed[slot])
    elif op == Op.FOLLOW:
        set_behaviour(w, slot, _TRACK, number[4])
        w.track[slot] = whole[1]
        w.track_s[slot] = nearest_on_track(w, routes, slot, whole[1])
        w.driver_flags[slot] = whole[2]
        w.desired_offset[slot] = number[3]
        command_speed(w, slot, speed_of(w, number))
    elif op == Op.SET_SPEED:
        command_speed(w, slot, speed_of(w, number))
    elif op == Op.SET_LIGHTS:
        w.lights[slot] = whole[1]
    elif op == Op.OPEN_DOOR:
        w.door[slot] = 1 + whole[1]


@kernel
def set_behaviour(w, slot, behaviour, metres):  # type: ignore[no-untyped-def]
    """Move an actor another way from now on, for at most `metres` (0: without limit)."""
    w.behaviour[slot] = behaviour
    w.travelled[slot] = 0.0
    w.travel_limit[slot] = metres


@kernel
def speed_of(w, number):  # type: ignore[no-untyped-def]
    """The speed that operands (low, high, share of the ego's speed) stand for, m/s."""
    speed = number[0] if number[0] == number[1] else uniform(w, number[0], number[1])
    return speed + number[2] * math.hypot(w.vx[EGO], w.vy[EGO])


@kernel
def command_speed(w, slot, speed):  # type: ignore[no-untyped-def]
    """Want a speed; with constant velocity, have it."""
    w.target_speed[slot] = speed
    if w.driver_flags[slot] & _CONSTANT_VELOCITY:
        set_speed(w, slot, speed)


@kernel
def nearest_on_track(w, routes, slot, t):  # type: ignore[no-untyped-def]
    """Metres along a track of its point that is nearest to an actor."""
    first = routes.track_first[t]
    best = first
    nearest = 1e18
    for p in range(first, routes.track_first[t + 1]):
        dx = routes.track_x[p] - w.x[slot]
        dy = routes.track_y[p] - w.y[slot]
        if dx * dx + dy * dy < nearest:
            nearest = dx * dx + dy * dy
            best = p
    return (best - first) * routes.track_step[t]


@kernel
def command_flow_or_lights(w, d, net, routes, scripts, live, pc):  # type: ignore[no-untyped-def]
    """Commands to flows and traffic lights."""
    op = scripts.op[pc]
    whole = scripts.whole[pc]
    if op == Op.START_FLOW:
        scenario = scripts.scenario_first[w.route] + d.scenario[live]
        start_flow(w, d, routes, scripts, live, whole[0], scripts.flow_first[scenario] + whole[0])
    elif op == Op.END_FLOW:
        end_flow(w, d, live, whole[0])
    elif op == Op.HOLD_LIGHTS:
        d.held_junction[live] = whole[0]
        for g in range(net.group_junction.shape[0]):
            if net.group_junction[g] == whole[0]:
                hold_lights(w, net, g, whole[1])
    elif op == Op.SET_LIGHT:
        w.light_state[whole[0]] = whole[1]
    elif op == Op.RELEASE_LIGHTS:
        release_junction(w, d, net, live)


@kernel
def release_junction(w, d, net, live):  # type: ignore[no-untyped-def]
    """Let the lights that a scenario holds run on."""
    if d.held_junction[live] < 0:
        return
    for g in range(net.group_junction.shape[0]):
        if net.group_junction[g] == d.held_junction[live]:
            release_lights(w, net, g)
    d.held_junction[live] = -1


@kernel
def command_traffic(w, net, routes, scripts, pc):  # type: ignore[no-untyped-def]
    """Commands to the background traffic (docs/bench2drive.md 1.6)."""
    op = scripts.op[pc]
    which = scripts.whole[pc, 0]
    number = scripts.number[pc]
    if op == Op.LEAVE_SPACE:
        leave_space_in_front(w, net, routes, number[0])
    elif op == Op.CLOSE_LANE:
        close_lane(w, net, which)
    elif op == Op.REOPEN_LANE:
        reopen_closed_lane(w, net, which)
    elif op == Op.CLEAR_JUNCTION:
        clear_junction(w, net, which)
    elif op == Op.CLEAR_EGO_ENTRY:
        clear_ego_entry(w, net, routes)
    elif op == Op.EXTEND_EXIT:
        extend_exit(w, net, routes, number[0])
    elif op == Op.FREE_JUNCTION:
        unclear_junction(w)
        w.bg_entries_stopped = 0
        w.bg_keep_behind = 0
        w.bg_route_sources = 1
    elif op == Op.STOP_ENTRIES:
        w.bg_entries_stopped = 1
    elif op == Op.ROUTE_SOURCES:
        w.bg_route_sources = which
    elif op == Op.ONCOMING:
        w.bg_opposite_active = which
    elif op == Op.ONCOMING_SPACING:
        w.bg_opposite_dist = number[0]
        w.bg_opposite_source = 2.0 * number[0]
    elif op == Op.MAX_SPEED:
        w.bg_max_speed = number[0]
    elif op == Op.EXTRA_SPACE:
        w.bg_extra_space = number[0]
    elif op == Op.SPACING:
        w.bg_spawn_dist = number[0]
    elif op == Op.STOP_AHEAD:
        w.bg_front_stopped = which
    elif op == Op.STOP_BEHIND:
        w.bg_back_stopped = which
    elif op == Op.LEAVE_CROSSING_SPACE:
        leave_crossing_space(w, net, number[0], number[1])


@kernel
def reopen_closed_lane(w, net, lane):  # type: ignore[no-untyped-def]
    """Take back `close_lane` for a lane of its road."""
    kept = 0
    for k in range(w.num_closed):
        if not same_road_lane(net, w.closed_lane[k], lane):
            w.closed_lane[kept] = w.closed_lane[k]
            kept += 1
    for k in range(kept, w.num_closed):
        w.closed_lane[k] = -1
    w.num_closed = kept


@kernel
def command_route(w, d, s, scripts, live, pc):  # type: ignore[no-untyped-def]
    """Commands to the criteria and the ego."""
    op = scripts.op[pc]
    whole = scripts.whole[pc]
    number = scripts.number[pc]
    if op == Op.WRONG_DIRECTION_TEST:
        s.wrong_direction_test = whole[0]
    elif op == Op.COUNT_COLLISIONS_TWICE:
        s.double_collision = whole[0]
    elif op == Op.JUDGE_YIELDING:
        s.emergency_slot = d.cast_slot[live, whole[0]]
        d.judges[live] = 1
    elif op == Op.DISTURB_CONTROL:
        for k in range(4):
            d.noise[k] = number[k]
    elif op == Op.PLACE_EGO:
        right = number[4] * w.half_width[EGO]
        w.x[EGO] = number[0] - right * math.sin(number[3])
        w.y[EGO] = number[1] + right * math.cos(number[3])
        w.z[EGO] = number[2]
        w.yaw[EGO] = number[3]
        w.lane[EGO] = -1
        set_speed(w, EGO, 0.0)
