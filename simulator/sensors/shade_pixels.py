"""Colour of every pixel of a visibility buffer: textures, light, wet roads, fog, sky.

Textures are computed from the place in the world that a pixel shows; there are no files. All in single precision.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from simulator.kernel import kernel
from simulator.scenery.tags import FIRST_PLAIN, Material
from simulator.sensors.shade_light import FOG_STEP, FOG_STEPS, SKY_STEPS

_f4 = np.float32
_i4 = np.int32
_u4 = np.uint32

_ASPHALT, _MARKING, _PAVING, _KERB = (int(m) for m in (Material.ASPHALT, Material.MARKING, Material.PAVING, Material.KERB))
_GRASS, _FACADE, _PICTURE, _LEAVES = (int(m) for m in (Material.GRASS, Material.FACADE, Material.PICTURE, Material.LEAVES))
_CONCRETE, _GLASS, _LAMP = int(Material.CONCRETE), int(Material.GLASS), int(Material.LAMP)
_PAINT = int(Material.PAINT)

NOISE = 256  # cells along a side of the noise tables; they repeat
_SHIFT = 16384.0  # metres that make coordinates positive
_FOG_SCALE = 1.0 / FOG_STEP


class Noise(NamedTuple):
    """Tables of noise in -1..1 that repeat seamlessly."""

    grain: np.ndarray  # float32[NOISE, NOISE] white
    cloud: np.ndarray  # float32[NOISE, NOISE] soft, several octaves


@cache
def noise_tables() -> Noise:
    """The tables: the same in every process."""
    bits = np.arange(NOISE * NOISE, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x51ED270B)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    white = ((bits >> np.uint64(40)).astype(np.float64) / 2**24).reshape(NOISE, NOISE) * 2.0 - 1.0
    soft = np.zeros((NOISE, NOISE))
    for octave, sigma in enumerate((24.0, 12.0, 6.0, 3.0)):
        rolled = np.roll(white, 37 * octave, axis=1)
        layer = cv2.GaussianBlur(np.tile(rolled, (3, 3)), (0, 0), sigma)[NOISE : 2 * NOISE, NOISE : 2 * NOISE]
        soft += layer / layer.std() * 0.55**octave
    soft = np.clip(soft / (2.4 * soft.std()), -1.0, 1.0)
    return Noise(white.astype(np.float32), soft.astype(np.float32))


@cache
def grain_levels(focal: float) -> tuple[np.ndarray, np.ndarray]:
    """float32[FOG_STEPS] cells per metre of the grain by depth, never finer than pixels, and its strength."""
    depth = np.maximum(np.arange(FOG_STEPS) * FOG_STEP, 0.25)
    cells = np.clip(2.0 ** np.floor(np.log2(0.8 * focal / depth)), 1.0, 64.0)
    strength = np.clip(1.15 - 0.35 * np.log2(64.0 / cells) / 2.0, 0.12, 1.0) / (1.0 + depth * 0.03)
    return cells.astype(np.float32), strength.astype(np.float32)


@kernel
def light_faces(normal, material, first, end, sun, lit):  # type: ignore[no-untyped-def]
    """float32[T, 2] share of sky light (1 up, 0 down) and of sun light of triangles first..end."""
    sx, sy, sz = _f4(sun[0]), _f4(sun[1]), _f4(sun[2])
    for t in range(first, end):
        nx, ny, nz = normal[t, 0], normal[t, 1], normal[t, 2]
        # faces that look along x and along y differ a little even in the shade
        lit[t, 0] = _f4(0.5) + _f4(0.5) * nz + _f4(0.05) * (nx * nx - ny * ny)
        direct = nx * sx + ny * sy + nz * sz
        if material[t] == _LEAVES:
            direct = _f4(0.25) + _f4(0.75) * direct
        lit[t, 1] = direct if direct > _f4(0.0) else _f4(0.0)


@kernel
def _soft(table, u, v):  # type: ignore[no-untyped-def]
    """Bilinear value of a noise table at cell coordinates u, v > 0."""
    iu, iv = _i4(u), _i4(v)
    fu, fv = u - _f4(iu), v - _f4(iv)
    a, b = iu & _i4(255), (iu + _i4(1)) & _i4(255)
    c, d = iv & _i4(255), (iv + _i4(1)) & _i4(255)
    top = table[c, a] + (table[c, b] - table[c, a]) * fu
    low = table[d, a] + (table[d, b] - table[d, a]) * fu
    return top + (low - top) * fv


@kernel
def _sky(rx, ry, rz, sky, cloud, p):  # type: ignore[no-untyped-def]
    """RGB of the sky in a direction (any length); p: the float32 parameters of `shade`."""
    scale = _f4(1.0) / _f4(math.sqrt(rx * rx + ry * ry + rz * rz))
    sine = rz * scale
    up = sine if sine > _f4(0.0) else _f4(0.0)
    i = _i4(up * _f4(SKY_STEPS - 1))
    r, g, b = sky[i, 0], sky[i, 1], sky[i, 2]
    toward = (rx * p[0] + ry * p[1] + rz * p[2]) * scale
    if toward > _f4(0.88) and p[20] > _f4(0.0):
        near = (toward - _f4(0.88)) * _f4(8.3333)
        near = near * near
        shine = near * near * p[20] * _f4(0.55)
        if toward > _f4(0.9996):
            shine = p[20] * _f4(1.6)
        r, g, b = r + (_f4(255.0) - r) * shine, g + (_f4(244.0) - g) * shine, b + (_f4(215.0) - b) * shine
    if p[18] > _f4(0.02) and up > _f4(0.015):
        q = _f4(9.0) / (up + _f4(0.06))
        u = rx * scale * q + _f4(8192.0)
        v = ry * scale * q + _f4(8192.0)
        thick = _soft(cloud, u, v) * _f4(0.75) + _soft(cloud, u * _f4(3.1), v * _f4(3.1)) * _f4(0.25)
        thick = (thick - _f4(0.55) + p[18] * _f4(1.15)) * _f4(1.6)
        thick = min(max(thick, _f4(0.0)), _f4(1.0)) * min(_f4(1.0), up * _f4(7.0)) * _f4(0.85)
        r, g, b = r + (p[15] - r) * thick, g + (p[16] - g) * thick, b + (p[17] - b) * thick
    return r, g, b


@kernel
def shade(
    ids, inverse_depth, axes, position, focal, paint, glow, lit, normal, material, aux, pattern, pictures,
    sky, fog, p, grain, cloud, cells, strength, sun_mask, lamp_mask, mask_origin, occlusion, sun_block, beams, use_beams,
    out, row_low, row_high,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write uint32[H, W] `out`, bytes B, G, R, 255, for rows row_low..row_high.

    Args:
        p: float32[32]: 0-2 sun, 3-5 its colour, 6-8 ambient, 9-11 from the ground, 12-14 fog colour, 15-17 cloud colour,
            18 clouds, 19 wet, 20 sun's strength, 21 puddles, 22 lamps' strength, 23 dark, 24 mask's cells per metre.
        sun_mask, lamp_mask: uint8[rows, columns] light on the ground, 255 all; 1 x 1 where there is none.
        occlusion, sun_block: uint8[H, W] 255 none; beams: uint8[H, W] light of vehicles, read if use_beams.
    """
    height, width = ids.shape
    inv_f = _f4(1.0 / focal)
    cx, cy = _f4(width * 0.5), _f4(height * 0.5)
    px, py, pz = _f4(position[0]), _f4(position[1]), _f4(position[2])
    fx, fy, fz = _f4(axes[0, 0]), _f4(axes[1, 0]), _f4(axes[2, 0])
    rx, ry, rz = _f4(axes[0, 1]), _f4(axes[1, 1]), _f4(axes[2, 1])
    dx, dy, dz = _f4(-axes[0, 2]), _f4(-axes[1, 2]), _f4(-axes[2, 2])
    wet, dark = p[19], p[23] > _f4(0.5)
    mask_rows, mask_columns = _f4(sun_mask.shape[0] - 1), _f4(sun_mask.shape[1] - 1)
    has_mask = sun_mask.shape[0] > 1
    mask_x, mask_y, per_metre = _f4(mask_origin[0]), _f4(mask_origin[1]), p[24]
    last = _i4(FOG_STEPS - 1)
    for y in range(row_low, row_high):
        vy = (_f4(y) + _f4(0.5) - cy) * inv_f
        bx, by, bz = fx + vy * dx, fy + vy * dy, fz + vy * dz
        for x in range(width):
            vx = (_f4(x) + _f4(0.5) - cx) * inv_f
            t = ids[y, x]
            ax, ay, az = bx + vx * rx, by + vx * ry, bz + vx * rz
            if t < 0:
                r, g, b = _sky(ax, ay, az, sky, cloud, p)
                out[y, x] = _pack(r, g, b)
                continue
            d = _f4(1.0) / inverse_depth[y, x]
            k = min(_i4(d * _f4(_FOG_SCALE)), last)
            r, g, b = paint[t, 0], paint[t, 1], paint[t, 2]
            m = _i4(material[t])
            sunny = lit[t, 1]
            lamp = _f4(0.0)
            extra = glow[t]
            mirror = _f4(0.0)
            wx, wy, wz = px + d * ax, py + d * ay, pz + d * az
            if m < _i4(FIRST_PLAIN):
                ux, uy = wx + _f4(_SHIFT), wy + _f4(_SHIFT)
                if m <= _i4(_GRASS):
                    s = cells[k]
                    n = grain[_i4(uy * s) & _i4(255), _i4(ux * s) & _i4(255)] * strength[k]
                    if m == _i4(_GRASS):
                        soft = _soft(cloud, ux * _f4(1.4), uy * _f4(1.4)) * strength[k]
                        wide = _soft(cloud, ux * _f4(0.11), uy * _f4(0.11))
                        q = _f4(1.0) + _f4(0.13) * n + _f4(0.20) * soft + _f4(0.08) * wide
                        r, g, b = r * (q + _f4(0.12) * wide), g * q, b * (q - _f4(0.08) * wide)
                    elif m == _i4(_ASPHALT):
                        wide = _soft(cloud, ux * _f4(0.9), uy * _f4(0.9))
                        q = _f4(1.0) + _f4(0.17) * n + _f4(0.07) * wide
                        r, g, b = r * q, g * q, b * q
                    elif m == _i4(_MARKING):
                        worn = _soft(cloud, ux * _f4(6.0), uy * _f4(6.0))
                        q = _f4(0.97) + _f4(0.06) * n - (_f4(0.22) * worn if worn > _f4(0.35) else _f4(0.0))
                        r, g, b = r * q, g * q, b * q
                    elif m == _i4(_PAVING):
                        su, sv = ux * _f4(0.8), uy * _f4(0.8)
                        iu, iv = _i4(su), _i4(sv)
                        q = _f4(1.0) + _f4(0.07) * n + _f4(0.05) * grain[iv & _i4(255), iu & _i4(255)]
                        joint = _f4(0.028)
                        if su - _f4(iu) < joint or sv - _f4(iv) < joint:
                            q -= _f4(0.22) * min(_f4(1.0), strength[k] * _f4(1.6))
                        r, g, b = r * q, g * q, b * q
                    else:
                        q = _f4(1.0) + _f4(0.10) * n
                        r, g, b = r * q, g * q, b * q
                    if has_mask:
                        mu = min(max((wx - mask_x) * per_metre, _f4(0.0)), mask_columns)
                        mv = min(max((wy - mask_y) * per_metre, _f4(0.0)), mask_rows)
                        if sunny > _f4(0.0):
                            sunny *= _bilinear(sun_mask, mu, mv)
                        if dark:
                            lamp = _bilinear(lamp_mask, mu, mv)
                    if wet > _f4(0.01) and normal[t, 2] > _f4(0.7) and m != _i4(_GRASS):
                        pool = _soft(cloud, ux * _f4(0.55), uy * _f4(0.55))
                        film = wet * _f4(0.55)
                        if p[21] > _f4(0.0):
                            edge = (pool - _f4(0.75) + p[21] * _f4(0.95)) * _f4(5.0)
                            film += (_f4(1.0) - film) * min(max(edge, _f4(0.0)), _f4(1.0)) * _f4(0.8)
                        length = _f4(math.sqrt(ax * ax + ay * ay + az * az))
                        graze = _f4(1.0) - min(_f4(1.0), abs(az) / length)
                        graze = graze * graze
                        mirror = film * (_f4(0.06) + _f4(0.62) * graze * graze)
                        dull = _f4(1.0) - _f4(0.42) * film
                        r, g, b = r * dull, g * dull, b * dull
                elif m == _i4(_FACADE):
                    r, g, b, extra = _facade(
                        wx, wy, wz, d * inv_f, r, g, b, pattern, aux[t], grain, dark, p[22],
                        sky[60, 0], sky[60, 1], sky[60, 2],
                    )  # fmt: skip
                elif m == _i4(_PICTURE):
                    r, g, b = _picture(wx, wy, wz, pattern, aux[t], pictures)
                    extra = _f4(0.12) if dark else _f4(0.0)
                elif m == _i4(_LEAVES):
                    s = cells[k] * _f4(0.125)
                    n = grain[_i4((uy + wz) * s) & _i4(255), _i4((ux - wz) * s) & _i4(255)]
                    soft = _soft(cloud, (ux + wz) * _f4(5.0), (uy - wz) * _f4(5.0))
                    q = _f4(0.95) + _f4(0.16) * n * strength[k] + _f4(0.26) * soft
                    r, g, b = r * q, g * q, b * q
                else:
                    q = _f4(1.0) + _f4(0.06) * _soft(cloud, (ux + wz) * _f4(2.0), (uy + wz) * _f4(2.0))
                    r, g, b = r * q, g * q, b * q
            elif dark and has_mask and extra == _f4(0.0):
                mu = min(max((wx - mask_x) * per_metre, _f4(0.0)), mask_columns)
                mv = min(max((wy - mask_y) * per_metre, _f4(0.0)), mask_rows)
                lamp = _bilinear(lamp_mask, mu, mv) * _f4(0.8)
            up = lit[t, 0] * (_f4(occlusion[y, x]) * _f4(1.0 / 255.0))
            down = _f4(1.0) - lit[t, 0]
            sunny *= _f4(sun_block[y, x]) * _f4(1.0 / 255.0)
            lr = p[6] * up + p[9] * down + p[3] * sunny
            lg = p[7] * up + p[10] * down + p[4] * sunny
            lb = p[8] * up + p[11] * down + p[5] * sunny
            if lamp > _f4(0.0):
                lr, lg, lb = lr + lamp * _f4(0.88), lg + lamp * _f4(0.72), lb + lamp * _f4(0.46)
            if use_beams:
                beam = _f4(beams[y, x]) * _f4(1.25 / 255.0)
                lr, lg, lb = lr + beam, lg + beam * _f4(0.97), lb + beam * _f4(0.86)
            if extra > _f4(0.0):
                lr, lg, lb = max(lr, extra), max(lg, extra), max(lb, extra)
            r, g, b = r * lr, g * lg, b * lb
            if m == _i4(_GLASS) or m == _i4(_PAINT):
                # panes and varnish show some sky
                nz = normal[t, 2]
                i = _i4(min(max(nz, _f4(0.0)) + _f4(0.12), _f4(1.0)) * _f4(SKY_STEPS - 1))
                share = _f4(0.30) if m == _i4(_GLASS) else _f4(0.07)
                share *= _f4(0.55) + _f4(0.45) * lit[t, 0]
                r, g, b = r + (sky[i, 0] - r) * share, g + (sky[i, 1] - g) * share, b + (sky[i, 2] - b) * share
            if mirror > _f4(0.01):
                qr, qg, qb = _mirrored(
                    ax, ay, az, x, y, ids, paint, glow, lit, fx, fy, fz, rx, ry, rz, dx, dy, dz,
                    focal, cx, cy, sky, cloud, grain, p,
                )  # fmt: skip
                r, g, b = r + (qr - r) * mirror, g + (qg - g) * mirror, b + (qb - b) * mirror
            q = fog[k]
            if extra > _f4(0.5):
                q *= _f4(0.6)
            r, g, b = r + (p[12] - r) * q, g + (p[13] - g) * q, b + (p[14] - b) * q
            out[y, x] = _pack(r, g, b)


@kernel
def _pack(r, g, b):  # type: ignore[no-untyped-def]
    r = min(max(r, _f4(0.0)), _f4(255.0))
    g = min(max(g, _f4(0.0)), _f4(255.0))
    b = min(max(b, _f4(0.0)), _f4(255.0))
    return _u4(_i4(b)) | (_u4(_i4(g)) << _u4(8)) | (_u4(_i4(r)) << _u4(16)) | _u4(0xFF000000)


@kernel
def _bilinear(mask, u, v):  # type: ignore[no-untyped-def]
    """0..1 of a uint8 mask at cell coordinates inside it."""
    iu, iv = min(_i4(u), _i4(mask.shape[1] - 2)), min(_i4(v), _i4(mask.shape[0] - 2))
    fu, fv = u - _f4(iu), v - _f4(iv)
    top = _f4(mask[iv, iu]) * (_f4(1.0) - fu) + _f4(mask[iv, iu + 1]) * fu
    low = _f4(mask[iv + 1, iu]) * (_f4(1.0) - fu) + _f4(mask[iv + 1, iu + 1]) * fu
    return (top + (low - top) * fv) * _f4(1.0 / 255.0)


@kernel
def _facade(wx, wy, wz, footprint, r, g, b, pattern, row, grain, dark, dim, sky_r, sky_g, sky_b):  # type: ignore[no-untyped-def]
    """Windows. Pattern row: origin, u, v, then 9 metres between windows, 10 storey height, 11 seed + share of glass."""
    x, y, z = wx - pattern[row, 0], wy - pattern[row, 1], wz - pattern[row, 2]
    u = x * pattern[row, 3] + y * pattern[row, 4] + z * pattern[row, 5]
    v = x * pattern[row, 6] + y * pattern[row, 7] + z * pattern[row, 8]
    u, v = u / pattern[row, 9] + _f4(64.0), v / pattern[row, 10] + _f4(64.0)
    iu, iv = _i4(u), _i4(v)
    fu, fv = u - _f4(iu), v - _f4(iv)
    seed = _i4(pattern[row, 11])
    glass = pattern[row, 11] - _f4(seed)
    side = (_f4(1.0) - glass) * _f4(0.5)
    low, high = _f4(0.30), _f4(0.82)
    ground = iv == _i4(64)
    if ground and seed % 3 != 0:
        side, low, high = _f4(0.07), _f4(0.10), _f4(0.80)
    inside = fu > side and fu < _f4(1.0) - side and fv > low and fv < high
    # windows finer than pixels melt into one tone
    blur = min(_f4(1.0), max(_f4(0.0), footprint * _f4(2.2) - _f4(0.35)))
    extra = _f4(0.0)
    n = grain[(iv * _i4(17) + seed) & _i4(255), (iu * _i4(31) + seed) & _i4(255)]
    if inside:
        share = _f4(1.0) - blur * _f4(0.55)
        q = _f4(0.30) + _f4(0.12) * n
        wr, wg, wb = sky_r * q + _f4(10.0), sky_g * q + _f4(12.0), sky_b * q + _f4(16.0)
        if fu - side < _f4(0.035) or _f4(1.0) - side - fu < _f4(0.035) or fv - low < _f4(0.03):
            wr, wg, wb = wr * _f4(0.6), wg * _f4(0.6), wb * _f4(0.6)
        if dark and n > (_f4(-0.2) if ground and seed % 3 != 0 else _f4(0.35)):
            warm = _f4(0.75) + _f4(0.25) * n
            wr, wg, wb = _f4(255.0) * warm, _f4(214.0) * warm, _f4(140.0) * warm
            extra = _f4(0.85) * dim
        r, g, b = r + (wr - r) * share, g + (wg - g) * share, b + (wb - b) * share
    else:
        shade_ = _f4(1.0)
        if fv > _f4(0.95) or (fv > high and fv < high + _f4(0.03)):
            shade_ = _f4(0.90)
        elif fv < low and fv > low - _f4(0.05) and fu > side - _f4(0.04) and fu < _f4(1.04) - side:
            shade_ = _f4(1.10)
        shade_ = shade_ + (_f4(0.78) - shade_) * blur * _f4(0.6)
        r, g, b = r * shade_, g * shade_, b * shade_
    return r, g, b, extra


@kernel
def _picture(wx, wy, wz, pattern, row, pictures):  # type: ignore[no-untyped-def]
    """Pixel of a picture that is stretched over a quad; pattern 9: its number."""
    x, y, z = wx - pattern[row, 0], wy - pattern[row, 1], wz - pattern[row, 2]
    size = _f4(pictures.shape[1])
    u = (x * pattern[row, 3] + y * pattern[row, 4] + z * pattern[row, 5]) * size
    v = (x * pattern[row, 6] + y * pattern[row, 7] + z * pattern[row, 8]) * size
    last = _i4(pictures.shape[1] - 1)
    iu, iv = min(max(_i4(u), _i4(0)), last), min(max(_i4(v), _i4(0)), last)
    k = _i4(pattern[row, 9])
    return _f4(pictures[k, iv, iu, 0]), _f4(pictures[k, iv, iu, 1]), _f4(pictures[k, iv, iu, 2])


@kernel
def _mirrored(
    ax, ay, az, x, y, ids, paint, glow, lit, fx, fy, fz, rx, ry, rz, dx, dy, dz, focal, cx, cy, sky, cloud, grain, p,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """What level water shows: the picture's own pixel in the mirrored direction, or the sky."""
    forward = ax * fx + ay * fy - az * fz
    if forward > _f4(0.05):
        scale = _f4(focal) / forward
        n = grain[(y * _i4(3)) & _i4(255), (x >> 1) & _i4(255)]
        u = (ax * rx + ay * ry - az * rz) * scale + cx
        v = (ax * dx + ay * dy - az * dz) * scale + cy
        v += n * _f4(ids.shape[0]) * _f4(0.006)
        iu, iv = _i4(u), _i4(v)
        if 0 <= iu < ids.shape[1] and 0 <= iv < ids.shape[0]:
            t = ids[iv, iu]
            if t >= 0:
                q = max(p[7] * lit[t, 0] + p[4] * lit[t, 1] + p[10] * (_f4(1.0) - lit[t, 0]), glow[t] * _f4(1.1))
                return paint[t, 0] * q, paint[t, 1] * q, paint[t, 2] * q
    return _sky(ax, ay, abs(az), sky, cloud, p)
