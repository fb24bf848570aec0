"""Life beside the road: parked cars and pedestrians near the ego. Off unless a world asks for it.

`w.parked_cars` and `w.pedestrians` are densities from 0 to 1. Both keep to their numbers (`MAX_PARKED`,
`MAX_PEDESTRIANS`), leave scenarios the slots that background traffic leaves them, and are taken away far from the ego.

A parked car stands on a place of a parking lane. Whether a place is taken is a hash of (seed, lane, place), so a street
looks the same whenever the ego comes by. None stands where scenarios put their actors or drive them.
How pedestrians move is in `simulator.pedestrians`.
"""

from __future__ import annotations

import math

from simulator.actors import is_free, remove_actor, set_speed, spawn_actor
from simulator.blueprints import HALF_SIZE, TRAFFIC_CARS, WALKERS, Kind
from simulator.draws import choose, hash_unit, uniform
from simulator.kernel import kernel
from simulator.pedestrians import STROLLING, turn_towards_way, walk_on
from simulator.roads.network import SIDEWALK_MASK, LaneType
from simulator.roads.queries import lane_pose, lane_width, nearest_lane
from simulator.state import EGO, MAX_ACTORS, SLOTS_FOR_SCENARIOS, Behaviour, Role

_CARS = TRAFFIC_CARS
_WALKERS = WALKERS
_SIZE = HALF_SIZE
_AMBIENT = int(Role.AMBIENT)
_WALK = int(Behaviour.WALK)
_WALKER = int(Kind.WALKER)
_PARKING = int(LaneType.PARKING)

MAX_PARKED = 12
MAX_PEDESTRIANS = 16
PARKING_PITCH = 6.5  # m from place to place
PARKING_MARGIN = 0.1  # m that a car leaves to either edge of its lane
ROOM = 12.0  # m kept from where scenarios put actors or drive them
NEAR = 80.0  # m around the ego in which they appear
FAR = 100.0  # m from the ego at which they are taken away
UNSEEN = 25.0  # m around the ego in which nobody appears once it drives
AT_START = 6.0  # m likewise before it does
SOURCE_TICKS = 10


@kernel
def populate_ambient(w, net, routes):  # type: ignore[no-untyped-def]
    """Parked cars and pedestrians at the start of an episode."""
    if w.parked_cars > 0.0:
        fill_parking(w, net, routes)
    if w.pedestrians > 0.0:
        for _ in range(4 * MAX_PEDESTRIANS):
            feed_pedestrians(w, net)


@kernel
def tick_ambient(w, net, routes):  # type: ignore[no-untyped-def]
    """One tick: pedestrians go their ways; twice a second some come and go."""
    if w.pedestrians > 0.0:
        for i in range(w.num_slots - 1, 0, -1):
            if w.role[i] == _AMBIENT and w.kind[i] == _WALKER and w.behaviour[i] == _WALK:
                walk_on(w, net, routes, i)
    if w.tick % SOURCE_TICKS == 0:
        for i in range(w.num_slots - 1, 0, -1):
            if w.role[i] == _AMBIENT and w.kind[i] != 0 and distance_to_ego(w, w.x[i], w.y[i]) > FAR:
                remove_actor(w, i)
        if w.parked_cars > 0.0:
            fill_parking(w, net, routes)
        if w.pedestrians > 0.0:
            feed_pedestrians(w, net)


@kernel
def distance_to_ego(w, x, y):  # type: ignore[no-untyped-def]
    """Metres from the ego to a place."""
    return math.hypot(x - w.x[EGO], y - w.y[EGO])


@kernel
def has_room(w, kind, most):  # type: ignore[no-untyped-def]
    """True when fewer than `most` of these are there, and scenarios keep their slots."""
    used = 0
    mine = 0
    for i in range(w.num_slots):
        if w.kind[i] != 0:
            used += 1
            if w.role[i] == _AMBIENT and (w.kind[i] == _WALKER) == (kind == _WALKER):
                mine += 1
    return mine < most and used < MAX_ACTORS - SLOTS_FOR_SCENARIOS


@kernel
def may_appear(w, x, y):  # type: ignore[no-untyped-def]
    """True for places that are near the ego, but not where it would see somebody appear."""
    distance = distance_to_ego(w, x, y)
    return (UNSEEN if w.tick > 0 else AT_START) < distance < NEAR


@kernel
def fill_parking(w, net, routes):  # type: ignore[no-untyped-def]
    """Put cars on the taken places of parking lanes near the ego."""
    for lane in range(net.lane_type.shape[0]):
        if net.lane_type[lane] != _PARKING:
            continue
        length = net.lane_length[lane]
        x, y, z, yaw = lane_pose(net, lane, 0.5 * length)
        if distance_to_ego(w, x, y) > NEAR + length:
            continue
        for k in range(int((length - 2.0) / PARKING_PITCH)):
            if hash_unit(w.seed, lane, k) < w.parked_cars:
                park(w, net, routes, lane, k)


@kernel
def park(w, net, routes, lane, k):  # type: ignore[no-untyped-def]
    """Put a car on place `k` of a parking lane, if it fits and nobody is in its way."""
    s = 1.0 + (k + 0.5) * PARKING_PITCH
    x, y, z, yaw = lane_pose(net, lane, s)
    blueprint = _CARS[int(hash_unit(w.seed, lane, -1 - k) * len(_CARS))]
    if not may_appear(w, x, y) or lane_width(net, lane, s) < 2.0 * (_SIZE[blueprint, 1] + PARKING_MARGIN):
        return
    if not has_room(w, 1, MAX_PARKED) or not is_free(w, x, y, yaw, _SIZE[blueprint, 0], _SIZE[blueprint, 1], 0.5):
        return
    for p in range(routes.room_first[w.route], routes.room_first[w.route + 1]):
        if math.hypot(routes.room_x[p] - x, routes.room_y[p] - y) < ROOM:
            return
    spawn_actor(w, blueprint, _AMBIENT, x, y, z, yaw)


@kernel
def feed_pedestrians(w, net):  # type: ignore[no-untyped-def]
    """Try one random place around the ego for one more pedestrian."""
    if not has_room(w, _WALKER, w.pedestrians * MAX_PEDESTRIANS):
        return
    around = uniform(w, -math.pi, math.pi)
    away = NEAR * math.sqrt(uniform(w, 0.0, 1.0))
    x = w.x[EGO] + away * math.cos(around)
    y = w.y[EGO] + away * math.sin(around)
    lane, s, lateral, distance = nearest_lane(net, x, y, w.z[EGO], SIDEWALK_MASK)
    if lane < 0 or distance > 15.0:
        return
    x, y, z, yaw = lane_pose(net, lane, s)
    if not may_appear(w, x, y):
        return
    offset = uniform(w, -0.3, 0.3) * lane_width(net, lane, s)
    x -= offset * math.sin(yaw)
    y += offset * math.cos(yaw)
    if not is_free(w, x, y, yaw, 0.5, 0.5, 0.5):
        return
    slot = spawn_actor(w, _WALKERS[choose(w, len(_WALKERS))], _AMBIENT, x, y, z, yaw)
    if slot < 0:
        return
    w.behaviour[slot] = _WALK
    w.plan[slot, 0] = lane
    w.track_s[slot] = s
    w.desired_offset[slot] = offset
    w.reverse[slot] = choose(w, 2)
    w.speed_factor[slot] = uniform(w, 1.0, 1.6)
    w.stopped_at_sign[slot] = STROLLING
    w.target_speed[slot] = w.speed_factor[slot]
    turn_towards_way(w, net, slot)
    set_speed(w, slot, w.target_speed[slot])
