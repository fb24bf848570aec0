"""Putting actors into a world and taking them out."""

from __future__ import annotations

import math

import numpy as np

from simulator.blueprints import HALF_SIZE, KIND
from simulator.kernel import kernel
from simulator.state import MAX_ACTORS, Behaviour

DOOR_WIDTH = 0.85  # m that an open door sticks out

_HALF_SIZE = HALF_SIZE
_KIND = KIND
_HOLD = int(Behaviour.HOLD)


@kernel
def spawn_actor(w, blueprint, role, x, y, z, yaw):  # type: ignore[no-untyped-def]
    """Put an actor of `blueprint` into a free slot, standing still.

    Returns its slot, or -1 when the world is full.
    """
    slot = -1
    for i in range(1, MAX_ACTORS):
        if w.kind[i] == 0:
            slot = i
            break
    if slot < 0:
        return -1
    place_actor(w, slot, blueprint, role, x, y, z, yaw)
    return slot


@kernel
def place_actor(w, slot, blueprint, role, x, y, z, yaw):  # type: ignore[no-untyped-def]
    """Fill `slot` with a fresh actor, standing still."""
    w.kind[slot] = _KIND[blueprint]
    w.role[slot] = role
    w.blueprint[slot] = blueprint
    w.actor_id[slot] = w.next_actor_id
    w.next_actor_id += 1
    w.hidden[slot] = 0
    w.half_length[slot] = _HALF_SIZE[blueprint, 0]
    w.half_width[slot] = _HALF_SIZE[blueprint, 1]
    w.half_height[slot] = _HALF_SIZE[blueprint, 2]
    w.x[slot] = x
    w.y[slot] = y
    w.z[slot] = z
    w.yaw[slot] = yaw
    w.pitch[slot] = 0.0
    set_speed(w, slot, 0.0)
    w.ax[slot] = 0.0
    w.ay[slot] = 0.0
    w.yaw_rate[slot] = 0.0
    w.steer_angle[slot] = 0.0
    w.throttle[slot] = 0.0
    w.brake[slot] = 0.0
    w.steer[slot] = 0.0
    w.hand_brake[slot] = 0
    w.reverse[slot] = 0
    w.lane[slot] = -1
    w.lane_s[slot] = 0.0
    w.lane_offset[slot] = 0.0
    w.behaviour[slot] = _HOLD
    w.driver_flags[slot] = 0
    w.target_speed[slot] = 0.0
    w.desired_offset[slot] = 0.0
    w.track[slot] = -1
    w.track_s[slot] = 0.0
    w.acceleration[slot] = 0.0
    w.travelled[slot] = 0.0
    w.travel_limit[slot] = 0.0
    w.headway[slot] = 1.2
    w.speed_factor[slot] = 1.0
    w.waiting[slot] = 0.0
    w.stopped_at_sign[slot] = 0
    w.changing_lane[slot] = 0
    w.junction_lane[slot] = -1
    w.junction_distance[slot] = 0.0
    w.lights[slot] = 0
    w.door[slot] = 0
    w.scenario[slot] = -1
    for k in range(w.plan.shape[1]):
        w.plan[slot, k] = -1
    if slot >= w.num_slots:
        w.num_slots = slot + 1


@kernel
def remove_actor(w, slot):  # type: ignore[no-untyped-def]
    """Free a slot."""
    w.kind[slot] = 0
    w.role[slot] = 0
    w.hidden[slot] = 0
    w.behaviour[slot] = _HOLD
    while w.num_slots > 1 and w.kind[w.num_slots - 1] == 0:
        w.num_slots -= 1


@kernel
def set_speed(w, slot, speed):  # type: ignore[no-untyped-def]
    """Give an actor a speed (m/s) along its heading."""
    w.speed[slot] = speed
    w.vx[slot] = speed * math.cos(w.yaw[slot])
    w.vy[slot] = speed * math.sin(w.yaw[slot])


@kernel
def solid_box(w, i):  # type: ignore[no-untyped-def]
    """What an actor takes up: x, y, half length, half width of its box, widened by the door that it has opened."""
    if w.door[i] == 0:
        return w.x[i], w.y[i], w.half_length[i], w.half_width[i]
    right = 0.5 * DOOR_WIDTH if w.door[i] % 2 == 0 else -0.5 * DOOR_WIDTH  # CARLA's doors: 0 and 2 left, 1 and 3 right
    x = w.x[i] - right * math.sin(w.yaw[i])
    y = w.y[i] + right * math.cos(w.yaw[i])
    return x, y, w.half_length[i], w.half_width[i] + 0.5 * DOOR_WIDTH


@kernel
def is_free(w, x, y, yaw, half_length, half_width, margin):  # type: ignore[no-untyped-def]
    """True when no actor's box comes within about `margin` metres of the given box."""
    c = math.cos(yaw)
    s = math.sin(yaw)
    for j in range(w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1:
            continue
        dx = w.x[j] - x
        dy = w.y[j] - y
        reach = w.half_length[j] + half_length + margin
        if dx * dx + dy * dy > reach * reach + 16.0:
            continue
        # in the frame of the new box, the other's axis-aligned reach
        cj = abs(math.cos(w.yaw[j] - yaw))
        sj = abs(math.sin(w.yaw[j] - yaw))
        along = abs(dx * c + dy * s)
        across = abs(-dx * s + dy * c)
        if (
            along < half_length + w.half_length[j] * cj + w.half_width[j] * sj + margin
            and across < half_width + w.half_length[j] * sj + w.half_width[j] * cj + 0.2
        ):
            return False
    return True


@kernel
def distance_between(w, i, j):  # type: ignore[no-untyped-def]
    """3-D centre distance of two actors, metres."""
    dx = w.x[i] - w.x[j]
    dy = w.y[i] - w.y[j]
    dz = w.z[i] - w.z[j]
    return np.sqrt(dx * dx + dy * dy + dz * dz)
