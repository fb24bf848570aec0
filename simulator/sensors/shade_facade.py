"""Windows of facades, computed from the place on the wall that a pixel shows.

Places are counted in windows and storeys (`u`, `v`). Row of the pattern table (`scenery.buildings`): 0-2 origin,
3-5 u axis, 6-8 v axis, 9 metres between windows, 10 storey height, 11 seed + share of glass. `line` is that of
`shade_pixels.shade`: 0 depth, 1 u, 2 v, 3-5 colour, 6 share of fog, 7 share of the pane, 8 of the wall.

Loops that write one line each, without branches, are turned into vector instructions by the compiler.
"""

from __future__ import annotations

import numpy as np

from simulator.kernel import inlined
from simulator.sensors.shade_light import FOG_STEP, FOG_STEPS

_f4 = np.float32
_i4 = np.int32
_u8 = np.uint64  # an unsigned index needs no look at its sign

FIRST_STOREY = 64  # number of the lowest one, so that all are positive
FRAME, LEDGE, SILL = 0.035, 0.03, 0.05  # shares of a window and of a storey
SIDE, LOW, HIGH = 0.07, 0.10, 0.80  # the window of a shop
LOWEST, HIGHEST = 0.30, 0.82  # of others


@inlined
def melt(depth, inv_f):  # type: ignore[no-untyped-def]
    """0..1: windows finer than pixels melt into one tone."""
    return min(_f4(1.0), max(_f4(0.0), depth * inv_f * _f4(2.2) - _f4(0.35)))


@inlined
def _draw(iu, iv, seed, grain):  # type: ignore[no-untyped-def]
    """-1..1: the same number for all of a window."""
    return grain[_u8((iv * _i4(17) + seed) & _i4(255)), _u8((iu * _i4(31) + seed) & _i4(255))]


@inlined
def paint_facade(
    begin, end, cx, inv_f, u_eye, u_ray, u_step, v_eye, v_ray, v_step, seed, shop, margin, grain, sky, red, green,
    blue, by_depth, line,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write all lines of pixels begin..end of a row, which show one wall, before light falls on it.

    A pane's brightness is in line 6 until the fog takes its place.
    """
    for column in range(begin, end):
        x = _u8(column)
        line[1, x] = u_eye + line[0, x] * (u_ray + (_f4(column) + _f4(0.5) - cx) * inv_f * u_step)
    for column in range(begin, end):
        x = _u8(column)
        line[2, x] = v_eye + line[0, x] * (v_ray + (_f4(column) + _f4(0.5) - cx) * inv_f * v_step)
    for column in range(begin, end):
        x = _u8(column)
        iu, iv = _i4(line[1, x]), _i4(line[2, x])
        line[6, x] = _f4(0.42) + _f4(0.18) * _draw(iu, iv, seed, grain)
    for column in range(begin, end):
        x = _u8(column)
        iv = _i4(line[2, x])
        street = (iv == _i4(FIRST_STOREY)) & shop
        side, low, high = (
            _f4(SIDE) if street else margin, _f4(LOW) if street else _f4(LOWEST), _f4(HIGH) if street else _f4(HIGHEST)
        )  # fmt: skip
        fu, fv = line[1, x] - _f4(_i4(line[1, x])), line[2, x] - _f4(iv)
        edge = min(fu, _f4(1.0) - fu)
        frame = (edge < side + _f4(FRAME)) | (fv < low + _f4(LEDGE))
        tone = (_f4(0.6) if frame else _f4(1.0)) * (_f4(1.0) - melt(line[0, x], inv_f) * _f4(0.55))
        line[7, x] = tone if (edge > side) & (fv > low) & (fv < high) else _f4(0.0)
    for column in range(begin, end):
        x = _u8(column)
        iv = _i4(line[2, x])
        street = (iv == _i4(FIRST_STOREY)) & shop
        side, low, high = (
            _f4(SIDE) if street else margin, _f4(LOW) if street else _f4(LOWEST), _f4(HIGH) if street else _f4(HIGHEST)
        )  # fmt: skip
        fu, fv = line[1, x] - _f4(_i4(line[1, x])), line[2, x] - _f4(iv)
        edge = min(fu, _f4(1.0) - fu)
        ledge = (fv > _f4(0.95)) | ((fv > high) & (fv < high + _f4(LEDGE)))
        sill = (fv < low) & (fv > low - _f4(SILL)) & (edge > side - _f4(0.04))
        tone = _f4(0.90) if ledge else (_f4(1.10) if sill else _f4(1.0))
        blur = melt(line[0, x], inv_f)
        tone += (_f4(0.78) - tone) * blur * _f4(0.6)
        line[8, x] = blur * _f4(0.55) if (edge > side) & (fv > low) & (fv < high) else tone
    sky_r, sky_g, sky_b = sky[60, 0], sky[60, 1], sky[60, 2]
    for column in range(begin, end):
        x = _u8(column)
        line[3, x] = line[7, x] * (sky_r * line[6, x] + _f4(8.0)) + line[8, x] * red
    for column in range(begin, end):
        x = _u8(column)
        line[4, x] = line[7, x] * (sky_g * line[6, x] + _f4(10.0)) + line[8, x] * green
    for column in range(begin, end):
        x = _u8(column)
        line[5, x] = line[7, x] * (sky_b * line[6, x] + _f4(14.0)) + line[8, x] * blue
    for column in range(begin, end):
        x = _u8(column)
        line[6, x] = by_depth[_u8(min(_i4(line[0, x] * _f4(1.0 / FOG_STEP)), _i4(FOG_STEPS - 1))), 0]


@inlined
def light_line(begin, end, lr, lg, lb, line):  # type: ignore[no-untyped-def]
    """Let the same light fall on pixels begin..end."""
    for column in range(begin, end):
        line[3, _u8(column)] *= lr
    for column in range(begin, end):
        line[4, _u8(column)] *= lg
    for column in range(begin, end):
        line[5, _u8(column)] *= lb


@inlined
def light_window(x, seed, shop, red, green, blue, dim, grain, line):  # type: ignore[no-untyped-def]
    """Switch on the light behind some windows after dark; returns how much of it there is at pixel x."""
    extra = _f4(0.0)
    if line[7, x] > _f4(0.0):
        iv = _i4(line[2, x])
        n = _draw(_i4(line[1, x]), iv, seed, grain)
        if n > (_f4(-0.2) if (iv == _i4(FIRST_STOREY)) & shop else _f4(0.35)):
            warm, wall = _f4(0.75) + _f4(0.25) * n, line[8, x]
            warm *= _f4(1.0) - wall
            line[3, x] = _f4(255.0) * warm + red * wall
            line[4, x] = _f4(214.0) * warm + green * wall
            line[5, x] = _f4(140.0) * warm + blue * wall
            extra = _f4(0.85) * dim
            if extra > _f4(0.5):
                line[6, x] *= _f4(0.6)
    return extra
