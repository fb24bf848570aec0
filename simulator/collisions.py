"""Contacts between oriented boxes, and what they do to speeds and places."""

from __future__ import annotations

import math

from simulator.actors import DOOR_WIDTH, solid_box
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.state import EGO, MAX_CONTACTS, Behaviour, Role

_VEHICLE = int(Kind.VEHICLE)
_BICYCLE = int(Kind.BICYCLE)
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)
_HOLD = int(Behaviour.HOLD)
_AMBIENT = int(Role.AMBIENT)
_WALK = int(Behaviour.WALK)

RESTITUTION = 0.1
FLAT = 0.08  # m; lower props (debris) are driven over


@kernel
def mass_of(w, i):  # type: ignore[no-untyped-def]
    """Rough mass, kg: by volume for vehicles, typical for the rest."""
    kind = w.kind[i]
    if kind == _VEHICLE:
        return 110.0 * 8.0 * w.half_length[i] * w.half_width[i] * w.half_height[i]
    if kind == _BICYCLE:
        return 100.0
    if kind == _WALKER:
        return 75.0
    volume = 8.0 * w.half_length[i] * w.half_width[i] * w.half_height[i]
    return 8.0 if volume < 0.5 else 400.0


@kernel
def overlap(w, i, j):  # type: ignore[no-untyped-def]
    """Separating-axis test of two boxes.

    Returns (depth metres, nx, ny): how deep they overlap and the unit direction that pushes i away from j;
    depth <= 0 when they do not touch.
    """
    xi, yi, length_i, width_i = solid_box(w, i)
    xj, yj, length_j, width_j = solid_box(w, j)
    return boxes_overlap(xi, yi, w.yaw[i], length_i, width_i, xj, yj, w.yaw[j], length_j, width_j)


@kernel
def boxes_overlap(xi, yi, yaw_i, length_i, width_i, xj, yj, yaw_j, length_j, width_j):  # type: ignore[no-untyped-def]
    """As `overlap`, of two boxes given by centre, yaw and half sizes."""
    dx = xi - xj
    dy = yi - yj
    ci = math.cos(yaw_i)
    si = math.sin(yaw_i)
    cj = math.cos(yaw_j)
    sj = math.sin(yaw_j)
    cc = abs(ci * cj + si * sj)
    sc = abs(si * cj - ci * sj)
    best = 1e18
    nx = 0.0
    ny = 0.0
    for axis in range(4):
        if axis == 0:
            ax, ay = ci, si
            reach = length_i + length_j * cc + width_j * sc
        elif axis == 1:
            ax, ay = -si, ci
            reach = width_i + length_j * sc + width_j * cc
        elif axis == 2:
            ax, ay = cj, sj
            reach = length_j + length_i * cc + width_i * sc
        else:
            ax, ay = -sj, cj
            reach = width_j + length_i * sc + width_i * cc
        along = dx * ax + dy * ay
        depth = reach - abs(along)
        if depth <= 0.0:
            return 0.0, 0.0, 0.0
        if depth < best:
            best = depth
            sign = 1.0 if along >= 0.0 else -1.0
            nx = ax * sign
            ny = ay * sign
    return best, nx, ny


@kernel
def collide(w):  # type: ignore[no-untyped-def]
    """Find contacts of this tick, push the boxes apart and exchange momentum; note those of the ego."""
    w.num_contacts = 0
    n = w.num_slots
    for i in range(n):
        if w.kind[i] == 0 or w.hidden[i] == 1 or w.kind[i] == _PROP:
            continue
        for j in range(n):
            if w.kind[j] == 0 or (w.kind[j] != _PROP and j <= i):
                continue
            depth, nx, ny = contact(w, i, j)
            if depth > 0.0:
                push_apart(w, i, j, depth, nx, ny)


@kernel
def contact(w, i, j):  # type: ignore[no-untyped-def]
    """How two actors touch: (depth metres, nx, ny) as `overlap`; depth <= 0 where they do not, or both stand."""
    dx = w.x[i] - w.x[j]
    dy = w.y[i] - w.y[j]
    reach = w.half_length[i] + w.half_width[i] + w.half_length[j] + w.half_width[j] + DOOR_WIDTH
    if dx * dx + dy * dy > reach * reach or w.hidden[j] == 1:
        return 0.0, 0.0, 0.0
    if abs(w.z[i] - w.z[j]) > w.half_height[i] + w.half_height[j] or 2.0 * w.half_height[j] < FLAT:
        return 0.0, 0.0, 0.0
    if w.speed[i] == 0.0 and w.speed[j] == 0.0:
        return 0.0, 0.0, 0.0
    if passes_by(w, i, j) or passes_by(w, j, i):
        return 0.0, 0.0, 0.0
    return overlap(w, i, j)


@kernel
def passes_by(w, i, j):  # type: ignore[no-untyped-def]
    """True for an ambient pedestrian i and a walker or a thing: it steps aside, and nobody falls."""
    return w.kind[i] == _WALKER and w.role[i] == _AMBIENT and (w.kind[j] == _WALKER or w.kind[j] == _PROP)


@kernel
def push_apart(w, i, j, depth, nx, ny):  # type: ignore[no-untyped-def]
    """Momentum along the contact normal (restitution 0.1), places by mass."""
    inverse_i = 1.0 / mass_of(w, i)
    impulse = part(w, i, j, depth, nx, ny, inverse_i, 1.0 / mass_of(w, j))
    if i == EGO:
        if w.num_contacts < MAX_CONTACTS:
            w.contact_slot[w.num_contacts] = j
            w.contact_impulse[w.num_contacts] = impulse * inverse_i
            w.num_contacts += 1
    elif w.kind[j] != _PROP:
        w.other_contacts += 1


@kernel
def part(w, i, j, depth, nx, ny, inverse_i, inverse_j):  # type: ignore[no-untyped-def]
    """Push two boxes apart and exchange momentum; returns the impulse, N s.

    `inverse_i`, `inverse_j`: 1/kg, 0 for what cannot be moved (not both).
    """
    share = inverse_i / (inverse_i + inverse_j)
    w.x[i] += nx * depth * share
    w.y[i] += ny * depth * share
    w.x[j] -= nx * depth * (1.0 - share)
    w.y[j] -= ny * depth * (1.0 - share)
    closing = (w.vx[i] - w.vx[j]) * nx + (w.vy[i] - w.vy[j]) * ny
    impulse = 0.0
    if closing < 0.0:
        impulse = -(1.0 + RESTITUTION) * closing / (inverse_i + inverse_j)
        strike(w, i, impulse * inverse_i * nx, impulse * inverse_i * ny)
        strike(w, j, -impulse * inverse_j * nx, -impulse * inverse_j * ny)
    return impulse


@kernel
def strike(w, i, dvx, dvy):  # type: ignore[no-untyped-def]
    """Change an actor's velocity; vehicles keep only what lies along their wheels, walkers fall."""
    if w.kind[i] == _PROP:
        return
    if w.kind[i] == _WALKER:
        w.behaviour[i] = _HOLD
        w.target_speed[i] = 0.0
        w.speed[i] = 0.0
        w.vx[i] = 0.0
        w.vy[i] = 0.0
        return
    w.speed[i] = (w.vx[i] + dvx) * math.cos(w.yaw[i]) + (w.vy[i] + dvy) * math.sin(w.yaw[i])
    w.vx[i] = w.speed[i] * math.cos(w.yaw[i])
    w.vy[i] = w.speed[i] * math.sin(w.yaw[i])
