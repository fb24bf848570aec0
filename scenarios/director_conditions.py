"""The conditions of the vocabulary: does what a strand waits for hold in this tick?"""

from __future__ import annotations

import math

from scenarios.opcodes import Op
from simulator.actors import distance_between, set_speed
from simulator.draws import uniform
from simulator.drivers import FREE, obstacle_on_track
from simulator.kernel import kernel
from simulator.state import EGO, Behaviour, DriverFlag

_HOLD = int(Behaviour.HOLD)
_CONSTANT_VELOCITY = int(DriverFlag.CONSTANT_VELOCITY)
_STANDING = 0.001  # m/s at or below which an arrival never happens
_JUST = 1e-6  # s; the official clock runs a hair fast, so that 100 ticks are more than 5 s


@kernel
def begin_waiting(w, d, live, strand):  # type: ignore[no-untyped-def]
    """Start the clock and the odometer of a strand that comes to its next instruction."""
    d.began[live, strand] = w.time
    d.metres[live, strand] = 0.0
    d.last_x[live, strand] = w.x[EGO]
    d.last_y[live, strand] = w.y[EGO]
    d.last_z[live, strand] = w.z[EGO]
    d.phase[live, strand] = 0
    d.drawn[live, strand] = 0.0


@kernel
def holds(w, d, net, routes, scripts, live, strand, pc):  # type: ignore[no-untyped-def]
    """True when the condition at `pc` holds; the strand then goes on."""
    op = scripts.op[pc]
    number = scripts.number[pc]
    if op == Op.WAIT:
        if d.phase[live, strand] == 0:
            d.phase[live, strand] = 1
            d.drawn[live, strand] = number[0] if number[0] == number[1] else uniform(w, number[0], number[1])
        return w.time - d.began[live, strand] > d.drawn[live, strand] - _JUST
    if op == Op.NEAR_PLACE:
        return ego_distance(w, number[0], number[1], number[2]) < number[3]
    if op == Op.AWAY_FROM:
        return ego_distance(w, number[0], number[1], number[2]) >= number[3]
    if op == Op.ARRIVING:
        distance = ego_distance(w, number[0], number[1], number[2])
        speed = math.hypot(w.vx[EGO], w.vy[EGO])
        return distance < number[4] or (speed > _STANDING and distance / speed < number[3])
    if op == Op.PASSED:
        dx = w.x[EGO] - number[0]
        dy = w.y[EGO] - number[1]
        return dx * number[2] + dy * number[3] > 0.0 and math.hypot(dx, dy) < number[4]
    if op == Op.DROVE:
        return add_way(w, d, live, strand, EGO) > number[0]
    if op == Op.LEFT_JUNCTION:
        return left_junction(w, d, net, live, strand, scripts.whole[pc, 0])
    if op == Op.FOREVER:
        return False
    slot = d.cast_slot[live, scripts.whole[pc, 0]]
    if slot < 0:  # a member that is gone is never near, and has finished what it did
        return op == Op.MEMBER_STANDS or op == Op.MEMBER_DROVE
    if op == Op.NEAR:
        return w.hidden[slot] == 0 and distance_between(w, EGO, slot) < number[0]
    if op == Op.MEMBER_DROVE:
        return add_way(w, d, live, strand, slot) > number[0]
    if op == Op.MEMBER_STANDS:
        arrived = w.behaviour[slot] == _HOLD and w.travel_limit[slot] <= 0.0
        return arrived or w.time - d.began[live, strand] > number[0] - _JUST
    if op == Op.MEMBER_AHEAD:
        ahead = (w.x[slot] - w.x[EGO]) * math.cos(w.yaw[EGO]) + (w.y[slot] - w.y[EGO]) * math.sin(w.yaw[EGO])
        return ahead > 0.0 and distance_between(w, EGO, slot) < number[0]
    if op == Op.MEMBER_PASSED:
        ahead = (w.x[EGO] - w.x[slot]) * math.cos(w.yaw[slot]) + (w.y[EGO] - w.y[slot]) * math.sin(w.yaw[slot])
        return ahead > w.half_length[EGO] + w.half_length[slot]
    if op == Op.MEET_EGO:
        return meet_ego(w, slot, number)
    if op == Op.CHASE:
        chase(w, routes, slot, number)
    return False


@kernel
def ego_distance(w, x, y, z):  # type: ignore[no-untyped-def]
    """3-D distance of the ego's centre to a place, metres."""
    dx = w.x[EGO] - x
    dy = w.y[EGO] - y
    dz = w.z[EGO] - z
    return math.sqrt(dx * dx + dy * dy + dz * dz)


@kernel
def add_way(w, d, live, strand, slot):  # type: ignore[no-untyped-def]
    """Metres that an actor has covered since the strand began to wait, this tick included."""
    if slot != EGO and d.phase[live, strand] == 0:  # the odometer began at the ego
        d.phase[live, strand] = 1
    else:
        dx = w.x[slot] - d.last_x[live, strand]
        dy = w.y[slot] - d.last_y[live, strand]
        dz = w.z[slot] - d.last_z[live, strand]
        d.metres[live, strand] += math.sqrt(dx * dx + dy * dy + dz * dz)
    d.last_x[live, strand] = w.x[slot]
    d.last_y[live, strand] = w.y[slot]
    d.last_z[live, strand] = w.z[slot]
    return d.metres[live, strand]


@kernel
def left_junction(w, d, net, live, strand, junction):  # type: ignore[no-untyped-def]
    """True once the ego, having been in the junction (-1: any), is on a lane outside of it."""
    lane = w.lane[EGO]
    if lane < 0:
        return False
    here = net.lane_junction[lane]
    inside = here >= 0 if junction < 0 else here == junction
    if d.phase[live, strand] == 0:
        if inside:
            d.phase[live, strand] = 1
        return False
    return not inside


@kernel
def chase(w, routes, slot, number):  # type: ignore[no-untyped-def]
    """Refresh an imposed speed: relative to the ego's, but no faster than what is close ahead in the way."""
    wanted = number[0] + number[2] * math.hypot(w.vx[EGO], w.vy[EGO])
    look = number[3] + number[4] * w.speed[slot]
    gap, speed_ahead = obstacle_on_track(w, routes, slot, look + 8.0)
    if gap < FREE and gap < look:
        wanted = min(wanted, speed_ahead)
    w.target_speed[slot] = wanted
    set_speed(w, slot, wanted)


@kernel
def meet_ego(w, slot, number):  # type: ignore[no-untyped-def]
    """True when an actor has come to its goal; else it gets the speed to be there when the ego is at its own."""
    distance = math.hypot(w.x[slot] - number[0], w.y[slot] - number[1])
    ego_distance = math.hypot(w.x[EGO] - number[2], w.y[EGO] - number[3])
    wanted = distance * math.hypot(w.vx[EGO], w.vy[EGO]) / max(ego_distance, 0.1)
    w.target_speed[slot] = wanted
    if w.driver_flags[slot] & _CONSTANT_VELOCITY:
        set_speed(w, slot, wanted)
    return distance < number[4]
