"""What actors do to the light around them: contact shadows, sun shadows, the beams of their lamps."""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel_on_loan
from simulator.sensors.raster import NEAR
from simulator.state import VehicleLight

_f4 = np.float32
_REACH = 90.0  # metres to the actors whose shadows are drawn
_CONTACT = 0.55  # metres over which a contact shadow fades
_LONGEST = 14.0  # metres of a sun shadow
_BEAM = 40.0  # metres
_BEAMS_SEEN = 75.0  # metres to the vehicles whose beams are drawn
_LOW_BEAM = int(VehicleLight.LOW_BEAM | VehicleLight.HIGH_BEAM)


@kernel_on_loan
def _window(
    axes, position, x, y, z, cos, sin, low_x, high_x, low_y, high_y, rise, focal, cx, cy, width, height, bounds
):  # type: ignore[no-untyped-def]
    """Pixels that may show a rectangle of the ground; bounds int64[4] column, row low and high. False: none."""
    u_low, u_high, v_low, v_high = 1e9, -1e9, 1e9, -1e9
    seen = False
    for corner in range(8):
        lx = low_x if corner & 1 == 0 else high_x
        ly = low_y if corner & 2 == 0 else high_y
        lz = -0.6 if corner & 4 == 0 else rise
        px = x + cos * lx - sin * ly - position[0]
        py = y + sin * lx + cos * ly - position[1]
        pz = z + lz - position[2]
        ahead = axes[0, 0] * px + axes[1, 0] * py + axes[2, 0] * pz
        aside = axes[0, 1] * px + axes[1, 1] * py + axes[2, 1] * pz
        above = axes[0, 2] * px + axes[1, 2] * py + axes[2, 2] * pz
        if ahead > NEAR:
            seen = True
        ahead = max(ahead, NEAR)
        u, v = cx + focal * aside / ahead, cy - focal * above / ahead
        u_low, u_high = min(u_low, u), max(u_high, u)
        v_low, v_high = min(v_low, v), max(v_high, v)
    bounds[0] = max(0, int(min(max(u_low, -1.0), width + 1.0)))
    bounds[1] = min(width, int(min(max(u_high, -1.0), width + 1.0)) + 1)
    bounds[2] = max(0, int(min(max(v_low, -1.0), height + 1.0)))
    bounds[3] = min(height, int(min(max(v_high, -1.0), height + 1.0)) + 1)
    return seen and bounds[0] < bounds[1] and bounds[2] < bounds[3]


@kernel_on_loan
def cast_shadows(
    w, slots, count, spheres, num_static, normal, ids, inverse_depth, axes, position, focal, sun, occlusion, sun_block,
    shadowed, bounds,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Darken `occlusion` and `sun_block` on the ground around actors.

    Args:
        occlusion, sun_block: uint8[H, W], 255 but for what the last call has darkened, which is undone first.
        shadowed: int32[H, 2] columns first and end of each row that this call has darkened.
    """
    height, width = ids.shape
    for y in range(height):
        for x in range(shadowed[y, 0], shadowed[y, 1]):
            occlusion[y, x] = np.uint8(255)
            sun_block[y, x] = np.uint8(255)
        shadowed[y, 0], shadowed[y, 1] = np.int32(width), np.int32(0)
    cx, cy = width * 0.5, height * 0.5
    inv_f = 1.0 / focal
    for k in range(count):
        slot = slots[k]
        ox, oy, oz = spheres[k, 0], spheres[k, 1], spheres[k, 2]
        away = (ox - position[0]) ** 2 + (oy - position[1]) ** 2
        if away > _REACH * _REACH:
            continue
        cos, sin = math.cos(w.yaw[slot]), math.sin(w.yaw[slot])
        hl, hw, top = w.half_length[slot], w.half_width[slot], 2.0 * w.half_height[slot]
        low_x, high_x, low_y, high_y = -hl - _CONTACT, hl + _CONTACT, -hw - _CONTACT, hw + _CONTACT
        # the sun, seen from the actor; its shadow falls the other way
        sx, sy, sz = cos * sun[0] + sin * sun[1], -sin * sun[0] + cos * sun[1], sun[2]
        reach = 0.0
        if sz > 0.05:
            reach = min(top * 0.94 / sz, _LONGEST)
            low_x, high_x = low_x - max(sx, 0.0) * reach, high_x - min(sx, 0.0) * reach
            low_y, high_y = low_y - max(sy, 0.0) * reach, high_y - min(sy, 0.0) * reach
        if not _window(axes, position, ox, oy, oz, cos, sin, low_x, high_x, low_y, high_y, 0.3, focal, cx, cy, width,
                       height, bounds):  # fmt: skip
            continue
        for y in range(bounds[2], bounds[3]):
            vy = (y + 0.5 - cy) * inv_f
            for x in range(bounds[0], bounds[1]):
                t = ids[y, x]
                if t < 0 or t >= num_static or normal[t, 2] < _f4(0.6):
                    continue
                d = 1.0 / np.float64(inverse_depth[y, x])
                vx = (x + 0.5 - cx) * inv_f
                px = position[0] + d * (axes[0, 0] + vx * axes[0, 1] - vy * axes[0, 2]) - ox
                py = position[1] + d * (axes[1, 0] + vx * axes[1, 1] - vy * axes[1, 2]) - oy
                pz = position[2] + d * (axes[2, 0] + vx * axes[2, 1] - vy * axes[2, 2]) - oz
                if abs(pz) > 1.2:
                    continue
                lx, ly = cos * px + sin * py, -sin * px + cos * py
                gx, gy = max(abs(lx) - hl, 0.0), max(abs(ly) - hw, 0.0)
                gap = math.sqrt(gx * gx + gy * gy)
                if gap < _CONTACT:
                    fade = 1.0 - gap / _CONTACT
                    shade = 1.0 - 0.62 * fade * fade
                    occlusion[y, x] = min(occlusion[y, x], np.uint8(255.0 * shade))
                    shadowed[y, 0] = min(shadowed[y, 0], np.int32(x))
                    shadowed[y, 1] = max(shadowed[y, 1], np.int32(x + 1))
                if reach > 0.0:
                    # how much of the way to the sun leads through the box
                    a, b = 0.0, reach
                    if abs(sx) > 1e-6:
                        q0, q1 = (-hl - lx) / sx, (hl - lx) / sx
                        a, b = max(a, min(q0, q1)), min(b, max(q0, q1))
                    elif abs(lx) > hl:
                        b = -1.0
                    if abs(sy) > 1e-6:
                        q0, q1 = (-hw - ly) / sy, (hw - ly) / sy
                        a, b = max(a, min(q0, q1)), min(b, max(q0, q1))
                    elif abs(ly) > hw:
                        b = -1.0
                    if b > a:
                        share = min(1.0, (b - a) / 0.35)
                        sun_block[y, x] = min(sun_block[y, x], np.uint8(255.0 * (1.0 - 0.9 * share)))
                        shadowed[y, 0] = min(shadowed[y, 0], np.int32(x))
                        shadowed[y, 1] = max(shadowed[y, 1], np.int32(x + 1))


@kernel_on_loan
def cast_beams(
    w, night_role, slots, count, spheres, triangles, ids, inverse_depth, axes, position, focal, beams, bounds
):  # type: ignore[no-untyped-def]
    """Fill uint8[(H+1)/2, (W+1)/2] `beams` with the light of headlamps on what every other pixel shows.

    Vehicles of `night_role` have their lamps on.
    """
    height, width = ids.shape
    beams[:] = np.uint8(0)
    cx, cy = width * 0.5, height * 0.5
    inv_f = _f4(1.0 / focal)
    for k in range(count):
        slot = slots[k]
        if w.lights[slot] & _LOW_BEAM == 0 and not (w.kind[slot] == 1 and w.role[slot] == night_role):
            continue
        ox, oy, oz = spheres[k, 0], spheres[k, 1], spheres[k, 2]
        away2 = (ox - position[0]) ** 2 + (oy - position[1]) ** 2
        if away2 > _BEAMS_SEEN * _BEAMS_SEEN:
            continue
        cos, sin = math.cos(w.yaw[slot]), math.sin(w.yaw[slot])
        nose = w.half_length[slot]
        if not _window(axes, position, ox, oy, oz, cos, sin, nose, nose + _BEAM, -7.5, 7.5, 2.0, focal, cx, cy, width,
                       height, bounds):  # fmt: skip
            continue
        own_first, own_end = triangles[k, 0], triangles[k, 2]
        # forwards and rightwards of the vehicle, and up, as functions of the ray
        fc, fs = _f4(cos), _f4(sin)
        bx, by, bz = _f4(position[0] - ox), _f4(position[1] - oy), _f4(position[2] - oz)
        start_x, start_y = fc * bx + fs * by - _f4(nose), -fs * bx + fc * by
        rx, ry, rz = _f4(axes[0, 1]), _f4(axes[1, 1]), _f4(axes[2, 1])
        for j in range(bounds[2] // 2, (bounds[3] + 1) // 2):
            vy = (_f4(2 * j) + _f4(0.5) - _f4(cy)) * inv_f
            ax = _f4(axes[0, 0]) - vy * _f4(axes[0, 2])
            ay = _f4(axes[1, 0]) - vy * _f4(axes[1, 2])
            az = _f4(axes[2, 0]) - vy * _f4(axes[2, 2])
            for i in range(bounds[0] // 2, (bounds[1] + 1) // 2):
                t = ids[2 * j, 2 * i]
                if t < 0:
                    continue
                d = _f4(1.0) / inverse_depth[2 * j, 2 * i]
                vx = (_f4(2 * i) + _f4(0.5) - _f4(cx)) * inv_f
                px, py = d * (ax + vx * rx), d * (ay + vx * ry)
                lx = start_x + fc * px + fs * py
                if lx <= _f4(0.3) or lx > _f4(_BEAM):
                    continue
                aside = (start_y - fs * px + fc * py) / (_f4(1.0) + _f4(0.17) * lx)
                aside *= aside
                pz = bz + d * (az + vx * rz)
                if aside > _f4(3.2) or pz > _f4(2.4) or pz < _f4(-2.0) or own_first <= t < own_end:
                    continue
                # a bell that ends at 3.2
                bell = _f4(1.0) - aside * _f4(1.0 / 3.2)
                power = bell * bell * bell * (_f4(1.0) - lx * _f4(1.0 / _BEAM))
                power *= min(_f4(1.0), _f4(0.25) + lx * _f4(0.17)) / (_f4(1.0) + _f4(0.012) * lx)
                if pz > _f4(0.7):
                    power *= max(_f4(0.0), _f4(1.0) - (pz - _f4(0.7)) * _f4(0.588))
                beams[j, i] = np.uint8(min(_f4(255.0), _f4(beams[j, i]) + _f4(215.0) * power))
