"""Colour of every pixel of a visibility buffer: textures, light, wet roads, fog, sky.

Textures are computed from the place in the world that a pixel shows; there are no files. All in single precision.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from simulator.kernel import inlined, kernel_on_loan
from simulator.scenery.tags import Material
from simulator.sensors.shade_facade import FIRST_STOREY, light_line, light_window, paint_facade
from simulator.sensors.shade_light import FOG_STEP, FOG_STEPS, SKY_STEPS

_f4 = np.float32
_i4 = np.int32
_u4 = np.uint32
_u8 = np.uint64  # an unsigned index needs no look at its sign

_ASPHALT, _MARKING, _PAVING, _KERB = (
    int(m) for m in (Material.ASPHALT, Material.MARKING, Material.PAVING, Material.KERB)
)
_GRASS, _FACADE, _PICTURE, _LEAVES = (
    int(m) for m in (Material.GRASS, Material.FACADE, Material.PICTURE, Material.LEAVES)
)
_GLASS, _PAINT = int(Material.GLASS), int(Material.PAINT)

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


def depth_table(focal: float, fog: np.ndarray) -> np.ndarray:
    """float32[FOG_STEPS, 4] by depth: share of fog, cells per metre of the grain, never finer than pixels, its strength
    and that of joints between slabs."""
    depth = np.maximum(np.arange(FOG_STEPS) * FOG_STEP, 0.25)
    cells = np.clip(2.0 ** np.floor(np.log2(0.8 * focal / depth)), 1.0, 64.0)
    strength = np.clip(1.15 - 0.35 * np.log2(64.0 / cells) / 2.0, 0.12, 1.0) / (1.0 + depth * 0.03)
    return np.stack([fog, cells, strength, np.minimum(1.0, 1.6 * strength)], axis=1).astype(np.float32)


@kernel_on_loan
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


@inlined
def _soft(table, u, v):  # type: ignore[no-untyped-def]
    """Bilinear value of a noise table at cell coordinates u, v > 0."""
    iu, iv = _i4(u), _i4(v)
    fu, fv = u - _f4(iu), v - _f4(iv)
    a, b = _u8(iu & _i4(255)), _u8((iu + _i4(1)) & _i4(255))
    c, d = _u8(iv & _i4(255)), _u8((iv + _i4(1)) & _i4(255))
    top = table[c, a] + (table[c, b] - table[c, a]) * fu
    low = table[d, a] + (table[d, b] - table[d, a]) * fu
    return top + (low - top) * fv


@inlined
def _sky(rx, ry, rz, sky, cloud, p, block, h, at):  # type: ignore[no-untyped-def]
    """Write RGB to block[h, at:at + 3]: of the sky in a direction of any length; p: the parameters of `shade`."""
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
    block[h, at], block[h, at + 1], block[h, at + 2] = r, g, b


@kernel_on_loan
def shade(
    ids, inverse_depth, eye, paint, glow, lit, normal, material, aux, pattern, pictures,
    sky, p, grain, cloud, by_depth, sun_mask, lamp_mask, mask_origin, occlusion, sun_block, shadowed, beams,
    use_beams, shift, block, block_id, line, out, row_low, row_high,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write uint32[H, W] `out`, bytes B, G, R, 255, for rows row_low..row_high; row_low is a
    multiple of 4.

    A row is worked on in runs of pixels that show the same triangle: what depends on the triangle alone is read once a
    run. What changes slowly over the picture (sky, stains, shade of houses, reflections) is worked out once for each
    square of 2^shift pixels (shift 1 or 2) and triangle; grain, edges, windows, shadows of actors and fog for every
    pixel. What the same few operations give for every pixel is left to loops over the row that the compiler turns into
    vector instructions.

    Args:
        eye: float32[16]: 0-2 forward, 3-5 right, 6-8 down, 9-11 position, 12 focal length, 13-14 centre.
        p: float32[32]: 0-2 sun, 3-5 its colour, 6-8 ambient, 9-11 from below, 12-14 fog colour, 15-17 cloud colour,
            18 clouds, 19 wet, 20 sun's strength, 21 puddles, 22 lamps' strength, 23 dark, 24 mask's cells per metre.
        by_depth: float32[FOG_STEPS, 4] by depth in steps of FOG_STEP: share of fog, cells of grain per metre, strength
            of grain, and of joints.
        sun_mask, lamp_mask: uint8[rows, columns] light on the ground, 255 all.
        occlusion, sun_block: uint8[H, W] 255 none; shadowed: int32[H, 2] columns of a row that may hold anything else.
        beams: uint8[(H+1)/2, (W+1)/2] light of vehicles, read if use_beams.
        block: float32[(W+1)/2, 8], block_id: int32[(W+1)/2] scratch of one square each.
        line: float32[9, W] scratch of a row: depth, x, y, red, green, blue, share of fog, two more.
    """
    width = ids.shape[1]
    inv_f, cx, cy = _f4(1.0) / eye[12], eye[13], eye[14]
    px, py, pz = eye[9], eye[10], eye[11]
    rx, ry, rz = eye[3], eye[4], eye[5]
    sun_r, sun_g, sun_b = p[3], p[4], p[5]
    up_r, up_g, up_b = p[6], p[7], p[8]
    dim = p[22]
    dark = p[23] > _f4(0.5)
    last = _i4(FOG_STEPS - 1)
    for row in range(row_low, row_high):
        y = _u8(row)
        vy = (_f4(row) + _f4(0.5) - cy) * inv_f
        bx, by, bz = eye[0] + vy * eye[6], eye[1] + vy * eye[7], eye[2] + vy * eye[8]
        _reach_out(row, inverse_depth, inv_f, cx, px, py, bx, by, rx, ry, line)
        if row & ((1 << shift) - 1) == 0:
            for i in range(block_id.shape[0]):
                block_id[i] = _i4(-2)
        shadow_low, shadow_high = np.int64(shadowed[y, 0]), np.int64(shadowed[y, 1])
        begin = 0
        while begin < width:
            t = ids[y, _u8(begin)]
            end = begin + 1
            while end < width and ids[y, _u8(end)] == t:
                end += 1
            if t < 0:
                while begin < end:
                    h = _u8(begin >> shift)
                    stop = min(end, ((begin >> shift) + 1) << shift)
                    if block_id[h] != t:
                        block_id[h] = t
                        vx = (_f4(begin) + _f4(0.5) - cx) * inv_f
                        _sky(bx + vx * rx, by + vx * ry, bz + vx * rz, sky, cloud, p, block, h, 0)
                    for column in range(begin, stop):
                        x = _u8(column)
                        line[3, x], line[4, x], line[5, x] = block[h, 0], block[h, 1], block[h, 2]
                        line[6, x] = _f4(0.0)
                    begin = stop
                continue
            # of the triangle
            j = _u8(t)
            m = _i4(material[j])
            red, green, blue = paint[j, 0], paint[j, 1], paint[j, 2]
            up, sunlit, own = lit[j, 0], lit[j, 1], glow[j]
            low_r, low_g, low_b = p[9] * (_f4(1.0) - up), p[10] * (_f4(1.0) - up), p[11] * (_f4(1.0) - up)
            varied = dark or (begin < shadow_high and end > shadow_low)  # whether light changes from pixel to pixel
            lamp, mirror = _f4(0.0), _f4(0.0)
            lr, lg, lb = up_r * up + low_r, up_g * up + low_g, up_b * up + low_b
            if m <= _i4(_GRASS):
                bright = _f4(0.07)  # of the grain
                if m == _i4(_ASPHALT):
                    bright = _f4(0.17)
                elif m == _i4(_GRASS):
                    bright = _f4(0.15)
                while begin < end:
                    h = _u8(begin >> shift)
                    stop = min(end, ((begin >> shift) + 1) << shift)
                    if block_id[h] != t:
                        block_id[h] = t
                        vx = (_f4(begin) + _f4(0.5) - cx) * inv_f
                        ax, ay, az = bx + vx * rx, by + vx * ry, bz + vx * rz
                        d = line[0, _u8(begin)]
                        _ground(
                            m, px + d * ax, py + d * ay, ax, ay, az, begin, row, normal[j, 2], ids, paint, glow, lit,
                            eye, sky, cloud, grain, p, sun_mask, lamp_mask, mask_origin, block, h,
                        )  # fmt: skip
                    q0, sunny, lamp, mirror, wide = (
                        block[h, 0], sunlit * block[h, 1], block[h, 2], block[h, 3], block[h, 7]
                    )  # fmt: skip
                    lr, lg, lb = (
                        up_r * up + low_r + sun_r * sunny, up_g * up + low_g + sun_g * sunny,
                        up_b * up + low_b + sun_b * sunny,
                    )  # fmt: skip
                    for column in range(begin, stop):
                        x = _u8(column)
                        k = _u8(min(_i4(line[0, x] * _f4(_FOG_SCALE)), last))
                        if varied:
                            lr, lg, lb = _light(
                                x, y, up, sunny, low_r, low_g, low_b, lamp, own, p, dark, occlusion, sun_block, beams,
                                use_beams,
                            )  # fmt: skip
                        ux, uy = line[1, x] + _f4(_SHIFT), line[2, x] + _f4(_SHIFT)
                        s = by_depth[k, 1]
                        n = grain[_u8(_i4(uy * s) & _i4(255)), _u8(_i4(ux * s) & _i4(255))] * by_depth[k, 2]
                        q = q0 + bright * n
                        if m == _i4(_PAVING):
                            su, sv = ux * _f4(0.8), uy * _f4(0.8)
                            iu, iv = _i4(su), _i4(sv)
                            q += _f4(0.05) * grain[_u8(iv & _i4(255)), _u8(iu & _i4(255))]
                            if su - _f4(iu) < _f4(0.028) or sv - _f4(iv) < _f4(0.028):
                                q -= _f4(0.22) * by_depth[k, 3]
                        # `wide` is 0 but for grass
                        r, g, b = red * (q + _f4(0.12) * wide) * lr, green * q * lg, blue * (q - _f4(0.08) * wide) * lb
                        if mirror > _f4(0.01):
                            r, g, b = (
                                r + (block[h, 4] - r) * mirror, g + (block[h, 5] - g) * mirror,
                                b + (block[h, 6] - b) * mirror,
                            )  # fmt: skip
                        line[3, x], line[4, x], line[5, x], line[6, x] = r, g, b, by_depth[k, 0]
                    begin = stop
                continue
            lr, lg, lb = lr + sun_r * sunlit, lg + sun_g * sunlit, lb + sun_b * sunlit
            if m == _i4(_FACADE):
                # places on the wall are linear in depth
                w = _u8(aux[j])
                scale_u, scale_v = _f4(1.0) / pattern[w, 9], _f4(1.0) / pattern[w, 10]
                u0, u1, u2 = pattern[w, 3] * scale_u, pattern[w, 4] * scale_u, pattern[w, 5] * scale_u
                v0, v1, v2 = pattern[w, 6] * scale_v, pattern[w, 7] * scale_v, pattern[w, 8] * scale_v
                ox, oy, oz = px - pattern[w, 0], py - pattern[w, 1], pz - pattern[w, 2]
                u_eye = ox * u0 + oy * u1 + oz * u2 + _f4(FIRST_STOREY)
                v_eye = ox * v0 + oy * v1 + oz * v2 + _f4(FIRST_STOREY)
                u_ray, v_ray = bx * u0 + by * u1 + bz * u2, bx * v0 + by * v1 + bz * v2
                u_step, v_step = rx * u0 + ry * u1 + rz * u2, rx * v0 + ry * v1 + rz * v2
                seed = _i4(pattern[w, 11])
                shop = seed % _i4(3) != _i4(0)
                margin = (_f4(1.0) - (pattern[w, 11] - _f4(seed))) * _f4(0.5)
                paint_facade(
                    begin, end, cx, inv_f, u_eye, u_ray, u_step, v_eye, v_ray, v_step, seed, shop, margin, grain, sky,
                    red, green, blue, by_depth, line,
                )  # fmt: skip
                if not dark:  # no actor's shadow reaches a wall
                    light_line(begin, end, lr, lg, lb, line)
                    begin = end
                while begin < end:
                    h = _u8(begin >> shift)
                    stop = min(end, ((begin >> shift) + 1) << shift)
                    if block_id[h] != t:
                        block_id[h] = t
                        vx = (_f4(begin) + _f4(0.5) - cx) * inv_f
                        d = line[0, _u8(begin)]
                        block[h, 2] = _f4(0.8) * _on_mask(
                            lamp_mask, mask_origin, p[24], px + d * (bx + vx * rx), py + d * (by + vx * ry)
                        )
                    for column in range(begin, stop):
                        x = _u8(column)
                        extra = light_window(x, seed, shop, red, green, blue, dim, grain, line)
                        lr, lg, lb = _light(
                            x, y, up, sunlit, low_r, low_g, low_b, block[h, 2], extra, p, dark, occlusion, sun_block,
                            beams, use_beams,
                        )  # fmt: skip
                        line[3, x], line[4, x], line[5, x] = line[3, x] * lr, line[4, x] * lg, line[5, x] * lb
                    begin = stop
                continue
            sheen, level = _f4(0.0), _u8(0)
            if m == _i4(_GLASS) or m == _i4(_PAINT):
                # panes and varnish show some sky
                level = _u8(_i4(min(max(normal[j, 2], _f4(0.0)) + _f4(0.12), _f4(1.0)) * _f4(SKY_STEPS - 1)))
                sheen = (_f4(0.30) if m == _i4(_GLASS) else _f4(0.07)) * (_f4(0.1) + _f4(0.9) * up)
            elif m == _i4(_PICTURE):
                own = _f4(0.12) if dark else _f4(0.0)
            squares = m == _i4(_LEAVES) or (dark and own == _f4(0.0))
            if own > _f4(0.0):
                lr, lg, lb = max(lr, own), max(lg, own), max(lb, own)
            mist = _f4(0.6) if own > _f4(0.5) else _f4(1.0)
            q0 = _f4(1.0)
            while begin < end:
                stop = end
                if squares:
                    h = _u8(begin >> shift)
                    stop = min(end, ((begin >> shift) + 1) << shift)
                    if block_id[h] != t:
                        block_id[h] = t
                        vx = (_f4(begin) + _f4(0.5) - cx) * inv_f
                        d = line[0, _u8(begin)]
                        wx, wy, wz = px + d * (bx + vx * rx), py + d * (by + vx * ry), pz + d * (bz + vx * rz)
                        block[h, 0], block[h, 2] = _f4(1.0), _f4(0.0)
                        if m == _i4(_LEAVES):
                            ux, uy = wx + _f4(_SHIFT) + wz, wy + _f4(_SHIFT) - wz
                            block[h, 0] = _f4(0.95) + _f4(0.26) * _soft(cloud, ux * _f4(5.0), uy * _f4(5.0))
                        if dark:
                            block[h, 2] = _f4(0.8) * _on_mask(lamp_mask, mask_origin, p[24], wx, wy)
                    q0, lamp = block[h, 0], block[h, 2]
                for column in range(begin, stop):
                    x = _u8(column)
                    d = line[0, x]
                    k = _u8(min(_i4(d * _f4(_FOG_SCALE)), last))
                    r, g, b = red, green, blue
                    if m == _i4(_LEAVES) or m == _i4(_PICTURE):
                        vx = (_f4(column) + _f4(0.5) - cx) * inv_f
                        wx, wy, wz = line[1, x], line[2, x], pz + d * (bz + vx * rz)
                        if m == _i4(_PICTURE):
                            r, g, b = _picture(wx, wy, wz, pattern, aux[j], pictures)
                        else:
                            s = by_depth[k, 1] * _f4(0.125)
                            ux, uy = wx + _f4(_SHIFT) - wz, wy + _f4(_SHIFT) + wz
                            n = grain[_u8(_i4(uy * s) & _i4(255)), _u8(_i4(ux * s) & _i4(255))]
                            q = q0 + _f4(0.16) * n * by_depth[k, 2]
                            r, g, b = r * q, g * q, b * q
                    if varied:
                        lr, lg, lb = _light(
                            x, y, up, sunlit, low_r, low_g, low_b, lamp, own, p, dark, occlusion, sun_block, beams,
                            use_beams,
                        )  # fmt: skip
                    r, g, b = r * lr, g * lg, b * lb
                    if sheen > _f4(0.0):
                        r, g, b = (
                            r + (sky[level, 0] - r) * sheen, g + (sky[level, 1] - g) * sheen,
                            b + (sky[level, 2] - b) * sheen,
                        )  # fmt: skip
                    line[3, x], line[4, x], line[5, x], line[6, x] = r, g, b, by_depth[k, 0] * mist
                begin = stop
        _write_row(row, line, p, out)


@inlined
def _reach_out(row, inverse_depth, inv_f, cx, px, py, bx, by, rx, ry, line):  # type: ignore[no-untyped-def]
    """Write depth, x and y of what the pixels of a row show."""
    y = _u8(row)
    for column in range(line.shape[1]):
        x = _u8(column)
        line[0, x] = _f4(1.0) / max(inverse_depth[y, x], _f4(1e-6))
    for column in range(line.shape[1]):
        x = _u8(column)
        line[1, x] = px + line[0, x] * (bx + (_f4(column) + _f4(0.5) - cx) * inv_f * rx)
    for column in range(line.shape[1]):
        x = _u8(column)
        line[2, x] = py + line[0, x] * (by + (_f4(column) + _f4(0.5) - cx) * inv_f * ry)


@inlined
def _write_row(row, line, p, out):  # type: ignore[no-untyped-def]
    """Lay fog over the colours of a row and write them as bytes."""
    y = _u8(row)
    fog_r, fog_g, fog_b = p[12], p[13], p[14]
    for column in range(line.shape[1]):
        x = _u8(column)
        r, g, b, q = line[3, x], line[4, x], line[5, x], line[6, x]
        r = min(max(r + (fog_r - r) * q, _f4(0.0)), _f4(255.0))
        g = min(max(g + (fog_g - g) * q, _f4(0.0)), _f4(255.0))
        b = min(max(b + (fog_b - b) * q, _f4(0.0)), _f4(255.0))
        out[y, x] = _u4(_i4(b)) | (_u4(_i4(g)) << _u4(8)) | (_u4(_i4(r)) << _u4(16)) | _u4(0xFF000000)


@inlined
def _light(
    x, y, up, sunny, low_r, low_g, low_b, lamp, own, p, dark, occlusion, sun_block, beams, use_beams
):  # type: ignore[no-untyped-def]  # fmt: skip
    """RGB light on a pixel among shadows of actors, or in the dark; at least `own`."""
    byte = _f4(1.0 / 255.0)
    sky_light, sunlight = up * (_f4(occlusion[y, x]) * byte), sunny * (_f4(sun_block[y, x]) * byte)
    lr = p[6] * sky_light + low_r + p[3] * sunlight
    lg = p[7] * sky_light + low_g + p[4] * sunlight
    lb = p[8] * sky_light + low_b + p[5] * sunlight
    if dark:
        bulbs = lamp * p[22]
        lr, lg, lb = lr + bulbs * _f4(0.88), lg + bulbs * _f4(0.72), lb + bulbs * _f4(0.46)
        if use_beams:
            beam = _f4(beams[y >> _u8(1), x >> _u8(1)]) * (_f4(0.95 / 255.0) * p[22])
            lr, lg, lb = lr + beam, lg + beam * _f4(0.97), lb + beam * _f4(0.86)
    if own > _f4(0.0):
        lr, lg, lb = max(lr, own), max(lg, own), max(lb, own)
    return lr, lg, lb


@inlined
def _ground(
    m, wx, wy, ax, ay, az, x, y, nz, ids, paint, glow, lit, eye, sky, cloud, grain, p, sun_mask, lamp_mask,
    mask_origin, block, h,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write block[h]: brightness, sun, lamps, share and RGB of the reflection, tint."""
    ux, uy = wx + _f4(_SHIFT), wy + _f4(_SHIFT)
    q = _f4(1.0)
    wide = _f4(0.0)
    if m == _i4(_GRASS):
        wide = _soft(cloud, ux * _f4(0.11), uy * _f4(0.11))
        q += _f4(0.17) * _soft(cloud, ux * _f4(1.4), uy * _f4(1.4)) + _f4(0.08) * wide
    elif m == _i4(_ASPHALT):
        q += _f4(0.07) * _soft(cloud, ux * _f4(0.9), uy * _f4(0.9))
    elif m == _i4(_MARKING):
        worn = _soft(cloud, ux * _f4(6.0), uy * _f4(6.0))
        q -= _f4(0.03) + (_f4(0.22) * worn if worn > _f4(0.35) else _f4(0.0))
    block[h, 0] = q
    block[h, 1] = _on_mask(sun_mask, mask_origin, p[24], wx, wy)
    block[h, 2] = _on_mask(lamp_mask, mask_origin, p[24], wx, wy) if p[23] > _f4(0.5) else _f4(0.0)
    block[h, 3] = _f4(0.0)
    block[h, 7] = wide
    wet = p[19]
    if wet > _f4(0.01) and nz > _f4(0.7) and m != _i4(_GRASS):
        film = wet * _f4(0.55)
        if p[21] > _f4(0.0):
            pool = _soft(cloud, ux * _f4(0.55), uy * _f4(0.55))
            edge = (pool - _f4(0.75) + p[21] * _f4(0.95)) * _f4(5.0)
            film += (_f4(1.0) - film) * min(max(edge, _f4(0.0)), _f4(1.0)) * _f4(0.8)
        length = _f4(math.sqrt(ax * ax + ay * ay + az * az))
        graze = _f4(1.0) - min(_f4(1.0), abs(az) / length)
        graze = graze * graze
        block[h, 3] = film * (_f4(0.06) + _f4(0.62) * graze * graze)
        block[h, 0] = q * (_f4(1.0) - _f4(0.42) * film)
        _mirrored(
            ax, ay, az, x, y, ids, paint, glow, lit, eye, sky, cloud, grain, p, block, h,
        )  # fmt: skip


@inlined
def _on_mask(mask, origin, per_metre, wx, wy):  # type: ignore[no-untyped-def]
    """0..1 of a mask at a place in the world."""
    u = min(max((wx - _f4(origin[0])) * per_metre, _f4(0.0)), _f4(mask.shape[1] - 1))
    v = min(max((wy - _f4(origin[1])) * per_metre, _f4(0.0)), _f4(mask.shape[0] - 1))
    return _bilinear(mask, u, v)


@inlined
def _bilinear(mask, u, v):  # type: ignore[no-untyped-def]
    """0..1 of a uint8 mask at cell coordinates inside it."""
    iu, iv = min(_i4(u), _i4(mask.shape[1] - 2)), min(_i4(v), _i4(mask.shape[0] - 2))
    fu, fv = u - _f4(iu), v - _f4(iv)
    top = _f4(mask[iv, iu]) * (_f4(1.0) - fu) + _f4(mask[iv, iu + 1]) * fu
    low = _f4(mask[iv + 1, iu]) * (_f4(1.0) - fu) + _f4(mask[iv + 1, iu + 1]) * fu
    return (top + (low - top) * fv) * _f4(1.0 / 255.0)


@inlined
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


@inlined
def _mirrored(
    ax, ay, az, x, y, ids, paint, glow, lit, eye, sky, cloud, grain, p, block, h,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write block[h, 4:7]: what level water shows: the picture's own pixel in the mirrored direction, or the sky."""
    found = False
    forward = ax * eye[0] + ay * eye[1] - az * eye[2]
    if forward > _f4(0.05):
        scale = eye[12] / forward
        n = grain[(y * _i4(3)) & _i4(255), (x >> 1) & _i4(255)]
        u = (ax * eye[3] + ay * eye[4] - az * eye[5]) * scale + eye[13]
        v = (ax * eye[6] + ay * eye[7] - az * eye[8]) * scale + eye[14]
        v += n * _f4(ids.shape[0]) * _f4(0.006)
        iu, iv = _i4(u), _i4(v)
        if 0 <= iu < ids.shape[1] and 0 <= iv < ids.shape[0]:
            t = ids[iv, iu]
            if t >= 0:
                q = max(p[7] * lit[t, 0] + p[4] * lit[t, 1] + p[10] * (_f4(1.0) - lit[t, 0]), glow[t] * _f4(1.1))
                block[h, 4], block[h, 5], block[h, 6] = paint[t, 0] * q, paint[t, 1] * q, paint[t, 2] * q
                found = True
    if not found:
        _sky(ax, ay, abs(az), sky, cloud, p, block, h, 4)
