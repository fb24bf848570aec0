"""The actors of a world record as triangles, behind those of the town: posed, coloured, with their lamps on or off."""

from __future__ import annotations

import math

import numpy as np

from simulator.blueprints import Kind
from simulator.kernel import kernel_on_loan
from simulator.scenery.model import Lamp, Part
from simulator.scenery.tags import Material
from simulator.state import LightState, Role, VehicleLight

LAMP_WARM = (255.0, 246.0, 222.0)

_f4 = np.float32
_u8 = np.uint64  # an unsigned index needs no look at its sign
PARTS = len(Part)
_WALKER, _NONE, _PROP = int(Kind.WALKER), int(Kind.NONE), int(Kind.PROP)
_VEHICLE, _BICYCLE = int(Kind.VEHICLE), int(Kind.BICYCLE)
_PAINT, _LAMP, _PLAIN = int(Material.PAINT), int(Material.LAMP), int(Material.PLAIN)
_LEG_LEFT, _LEG_RIGHT = int(Part.LEG_LEFT), int(Part.LEG_RIGHT)
_ARM_LEFT, _ARM_RIGHT = int(Part.ARM_LEFT), int(Part.ARM_RIGHT)
_DOOR, _LAST_DOOR, _WHEEL = int(Part.DOOR_FRONT_LEFT), int(Part.DOOR_REAR_RIGHT), int(Part.FRONT_WHEEL)
_HEAD, _TAIL, _LEFT, _RIGHT = int(Lamp.HEAD), int(Lamp.TAIL), int(Lamp.LEFT), int(Lamp.RIGHT)
_REVERSE, _RED, _BLUE, _ALWAYS = int(Lamp.REVERSE), int(Lamp.SPECIAL_RED), int(Lamp.SPECIAL_BLUE), int(Lamp.ALWAYS)
_POSITION, _LOW, _HIGH = int(VehicleLight.POSITION), int(VehicleLight.LOW_BEAM), int(VehicleLight.HIGH_BEAM)
_BRAKE, _REVERSE_BIT = int(VehicleLight.BRAKE), int(VehicleLight.REVERSE)
_BLINK_LEFT, _BLINK_RIGHT = int(VehicleLight.LEFT_BLINKER), int(VehicleLight.RIGHT_BLINKER)
_SPECIAL = int(VehicleLight.SPECIAL1 | VehicleLight.SPECIAL2)
_BACKGROUND = int(Role.BACKGROUND)
_GREEN, _YELLOW, _RED_LIGHT = int(LightState.GREEN), int(LightState.YELLOW), int(LightState.RED)

_BLINK_TICKS = 8  # on, and as many off
_BEACON_TICKS = 4
_DOOR_ANGLE = math.radians(62.0)
_STRIDE = 0.75  # metres a step
_SWING = math.radians(28.0)  # of legs at a walk
_FASTEST_SWING = math.radians(42.0)

#: float32[14, 3] RGB of vehicle bodies; the blueprint and the actor's id choose.
BODY_COLOURS = np.array(
    [
        (226, 227, 226), (34, 35, 38), (128, 132, 136), (88, 92, 98), (196, 198, 200), (142, 28, 30), (36, 62, 110),
        (60, 62, 66), (176, 170, 158), (92, 24, 34), (44, 84, 74), (180, 110, 44), (108, 132, 152), (214, 206, 188),
    ],
    np.float32,
)  # fmt: skip


@kernel_on_loan
def place_actors(
    w, models, colours, raised, raised_origin, raised_cell, kerb, night, skip, viewer, axes, reach, half_width,
    half_height, vertex, triangle, normal, paint, glow, tag, material, thing,
    first_vertex, first_triangle, actor_triangle, actor_vertex, actor_sphere, actor_slot,
    turns,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write every visible actor's triangles from first_vertex and first_triangle on.

    Args:
        raised: uint8[rows, columns] 1 where the ground is a raised sidewalk: walkers and props stand on it.
        night: whether background vehicles have their lights on, as CARLA's Traffic Manager sees to.
        skip: slot that is left out, -1 none.
        viewer: float64[3]; reach: actors farther from there than `reach` times their radius are placed without details.
        axes: float64[3, 3] of a camera there; half_width, half_height: tangents of half its picture. Actors outside get
            no triangles, but they are counted: their shadows may be seen. A half_width of 0: everywhere.
        turns: float64[PARTS, 2] scratch.
        paint: float32[T, 3] RGB 0..255; glow: float32[T] 0..1 share of light of its own.
    Returns:
        number of actors, end of the vertices, end of the triangles.
    """
    count = 0
    v_at, t_at = first_vertex, first_triangle
    side, rim = math.sqrt(1.0 + half_width * half_width), math.sqrt(1.0 + half_height * half_height)
    for slot in range(w.num_slots):
        kind = w.kind[slot]
        if kind == _NONE or w.hidden[slot] != 0 or slot == skip:
            continue
        b = w.blueprint[slot]
        v0, v1 = models.first_vertex[b], models.first_vertex[b + 1]
        t0, t1 = models.first_triangle[b], models.first_triangle[b + 1]
        dx, dy, radius = w.x[slot] - viewer[0], w.y[slot] - viewer[1], models.radius[b]
        if math.hypot(dx, dy) > (reach + 1.5) * radius:
            v1, t1 = models.coarse_vertex[b], models.coarse_end[b]
        if v_at + v1 - v0 > vertex.shape[0] or t_at + t1 - t0 > triangle.shape[0] or count >= actor_sphere.shape[0]:
            break
        x, y, z = w.x[slot], w.y[slot], w.z[slot]
        if kind in (_WALKER, _PROP):
            c = math.floor((x - raised_origin[0]) / raised_cell + 0.5)
            r = math.floor((y - raised_origin[1]) / raised_cell + 0.5)
            if 0 <= r < raised.shape[0] and 0 <= c < raised.shape[1] and raised[r, c] != 0:
                z += kerb
        coarse = models.coarse_end[b]
        if half_width > 0.0:
            dz = z - viewer[2]
            ahead = axes[0, 0] * dx + axes[1, 0] * dy + axes[2, 0] * dz
            aside = abs(axes[0, 1] * dx + axes[1, 1] * dy + axes[2, 1] * dz)
            above = abs(axes[0, 2] * dx + axes[1, 2] * dy + axes[2, 2] * dz)
            room = radius + 0.01
            if ahead < -room or aside - half_width * ahead > room * side or above - half_height * ahead > room * rim:
                v1, t1, coarse = v0, t0, t0
        if t1 > t0:
            _pose(w, slot, kind, models, v0, v1, v_at, x, y, z, turns, vertex)
            _colour(
                w, slot, b, kind, night, models, colours, t0, t1, v_at, t_at, triangle, paint, glow, tag, material,
                thing,
            )  # fmt: skip
            face_normals(vertex, triangle, t_at, t_at + t1 - t0, normal)
        actor_triangle[count, 0] = t_at
        actor_triangle[count, 1] = t_at + coarse - t0
        actor_triangle[count, 2] = t_at + t1 - t0
        actor_vertex[count, 0] = v_at
        actor_vertex[count, 1] = v_at + v1 - v0
        actor_sphere[count, 0], actor_sphere[count, 1], actor_sphere[count, 2] = x, y, z
        actor_sphere[count, 3] = models.radius[b]
        actor_slot[count] = slot
        count += 1
        v_at += v1 - v0
        t_at += t1 - t0
    return count, v_at, t_at


@kernel_on_loan
def _pose(w, slot, kind, models, v0, v1, v_at, x, y, z, turns, vertex):  # type: ignore[no-untyped-def]
    """Write an actor's vertices. `turns`: scratch for cosine and sine of the angle of every `Part`."""
    cy, sy = math.cos(w.yaw[slot]), math.sin(w.yaw[slot])
    cp, sp = math.cos(w.pitch[slot]), math.sin(w.pitch[slot])
    swing = 0.0
    if kind == _WALKER and w.speed[slot] > 0.05:
        reach = min(_SWING * w.speed[slot] / 1.4, _FASTEST_SWING)
        swing = reach * math.sin(math.pi * w.travelled[slot] / _STRIDE)
    for part in range(PARTS):
        angle = 0.0
        if part == _WHEEL:
            angle = w.steer_angle[slot]
        elif part >= _DOOR and part <= _LAST_DOOR:
            if w.door[slot] == part - _DOOR + 1:
                angle = -_DOOR_ANGLE if (part - _DOOR) % 2 == 1 else _DOOR_ANGLE
        elif part == _LEG_LEFT:
            angle = swing
        elif part == _LEG_RIGHT:
            angle = -swing
        elif part == _ARM_LEFT:
            angle = -0.7 * swing
        elif part == _ARM_RIGHT:
            angle = 0.7 * swing
        turns[part, 0], turns[part, 1] = (math.cos(angle), math.sin(angle)) if angle != 0.0 else (1.0, 0.0)
    for number in range(v0, v1):
        i = _u8(number)
        px, py, pz = np.float64(models.vertex[i, 0]), np.float64(models.vertex[i, 1]), np.float64(models.vertex[i, 2])
        part = models.part[i]
        if part != 0:
            cos, sin = turns[part, 0], turns[part, 1]
            ax, ay, az = models.pivot[i, 0], models.pivot[i, 1], models.pivot[i, 2]
            if part >= _DOOR:  # about the z axis
                dx, dy = px - ax, py - ay
                px, py = ax + dx * cos - dy * sin, ay + dx * sin + dy * cos
            else:
                dx, dz = px - ax, pz - az
                px, pz = ax + dx * cos - dz * sin, az + dx * sin + dz * cos
        # pitched, then turned (CARLA's rotation without roll)
        qx, qz = cp * px - sp * pz, sp * px + cp * pz
        j = _u8(v_at + number - v0)
        vertex[j, 0] = _f4(x + cy * qx - sy * py)
        vertex[j, 1] = _f4(y + sy * qx + cy * py)
        vertex[j, 2] = _f4(z + qz)


@kernel_on_loan
def _colour(w, slot, b, kind, night, models, colours, t0, t1, v_at, t_at, triangle, paint, glow, tag, material, thing):  # type: ignore[no-untyped-def]
    bits = w.lights[slot]
    if night and kind == _VEHICLE and w.role[slot] == _BACKGROUND:
        bits |= _POSITION | _LOW
    braking = (bits & _BRAKE) != 0 or ((kind in (_VEHICLE, _BICYCLE)) and w.brake[slot] > 0.05)
    blink = (w.tick // _BLINK_TICKS) % 2 == 0
    beacon = (w.tick // _BEACON_TICKS) % 2 == 0
    number = np.int32(w.actor_id[slot] & 0xFFFF)
    choice = ((w.actor_id[slot] * 2654435761 + b * 40503) >> 7) % colours.shape[0]
    for t_model in range(t0, t1):
        t, j = _u8(t_model), _u8(t_at + t_model - t0)
        triangle[j, 0] = np.int32(models.triangle[t, 0] + v_at)
        triangle[j, 1] = np.int32(models.triangle[t, 1] + v_at)
        triangle[j, 2] = np.int32(models.triangle[t, 2] + v_at)
        paint[j, 0], paint[j, 1], paint[j, 2] = models.colour[t, 0], models.colour[t, 1], models.colour[t, 2]
        what = models.material[t]
        glow[j] = _f4(0.0)
        if what == _PAINT:
            paint[j, 0], paint[j, 1], paint[j, 2] = colours[choice, 0], colours[choice, 1], colours[choice, 2]
        elif what == _LAMP:
            lamp = models.lamp[t]
            red, green, blue, power = 0.0, 0.0, 0.0, 0.0
            if lamp == _HEAD:
                if bits & (_LOW | _HIGH):
                    red, green, blue, power = 255.0, 246.0, 222.0, 1.0
                elif bits & _POSITION:
                    red, green, blue, power = 235.0, 228.0, 205.0, 0.5
            elif lamp == _TAIL:
                if braking:
                    red, green, blue, power = 255.0, 38.0, 26.0, 1.0
                elif bits & (_POSITION | _LOW | _HIGH):
                    red, green, blue, power = 190.0, 20.0, 16.0, 0.6
            elif lamp in (_LEFT, _RIGHT):
                if blink and bits & (_BLINK_LEFT if lamp == _LEFT else _BLINK_RIGHT):
                    red, green, blue, power = 255.0, 160.0, 20.0, 1.0
            elif lamp == _REVERSE:
                if bits & _REVERSE_BIT or (kind == _VEHICLE and w.reverse[slot] == 1 and w.speed[slot] < -0.1):
                    red, green, blue, power = 240.0, 240.0, 240.0, 0.9
            elif lamp == _RED:
                if bits & _SPECIAL and beacon:
                    red, green, blue, power = 255.0, 30.0, 26.0, 1.0
            elif lamp == _BLUE:
                if bits & _SPECIAL and not beacon:
                    red, green, blue, power = 40.0, 80.0, 255.0, 1.0
            elif lamp == _ALWAYS:
                red, green, blue, power = 255.0, 170.0, 30.0, 0.9
            if power > 0.0:
                paint[j, 0], paint[j, 1], paint[j, 2] = _f4(red), _f4(green), _f4(blue)
                glow[j] = _f4(power)
        tag[j] = np.uint8(models.tag[t])
        material[j] = np.uint8(what)
        thing[j] = number


@kernel_on_loan
def face_normals(vertex, triangle, first, end, normal):  # type: ignore[no-untyped-def]
    """Unit normals float32[T, 3] of triangles first..end."""
    for number in range(first, end):
        t = _u8(number)
        a, b, c = _u8(triangle[t, 0]), _u8(triangle[t, 1]), _u8(triangle[t, 2])
        ux, uy, uz = vertex[b, 0] - vertex[a, 0], vertex[b, 1] - vertex[a, 1], vertex[b, 2] - vertex[a, 2]
        vx, vy, vz = vertex[c, 0] - vertex[a, 0], vertex[c, 1] - vertex[a, 1], vertex[c, 2] - vertex[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        size = _f4(math.sqrt(nx * nx + ny * ny + nz * nz))
        scale = _f4(1.0) / max(size, _f4(1e-12))
        normal[t, 0], normal[t, 1], normal[t, 2] = nx * scale, ny * scale, nz * scale


@kernel_on_loan
def light_signals(w, lamp_light, lamp_kind, lamp_triangle, paint, glow):  # type: ignore[no-untyped-def]
    """Switch the lamps of traffic lights: triangle lamp_triangle[i] is lamp lamp_kind[i] (LightState) of a light."""
    for i in range(lamp_triangle.shape[0]):
        t = lamp_triangle[i]
        on = w.light_state[lamp_light[i]] == lamp_kind[i]
        kind = lamp_kind[i]
        if kind == _RED_LIGHT:
            red, green, blue = 255.0, 42.0, 30.0
        elif kind == _YELLOW:
            red, green, blue = 255.0, 196.0, 30.0
        else:
            red, green, blue = 40.0, 240.0, 130.0
        share = 1.0 if on else 0.16
        paint[t, 0], paint[t, 1], paint[t, 2] = _f4(red * share), _f4(green * share), _f4(blue * share)
        glow[t] = _f4(1.0 if on else 0.0)
