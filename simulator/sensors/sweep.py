"""Casting the rays of a rotating LiDAR: triangles are drawn straight into the grid of its rays.

The rays of one tick are a grid of columns (azimuths) and channels (elevations). A column is a half plane through the
sensor's own z axis. It cuts a triangle in a segment; the channels between the segment's ends hit the triangle, at the
point where the ray meets the triangle's plane. So every hit is exact, no ray is traced, and no picture's resolution
comes in between. Cost grows with the hits, not with rays times triangles.

Only fronts are hit, as cameras see fronts only; models are closed.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel

NEAR = 1e-4  # m, the shortest distance from the sensor's z axis
_TURN = 2.0 * math.pi
_SLACK = 1e-7  # rad added to a triangle's azimuths, for rounding


@kernel
def to_sensor(vertex, first, end, pose, local, azimuth):  # type: ignore[no-untyped-def]
    """Vertices first..end in the sensor's axes: `local` float64[V, 3] (m), `azimuth` float64[V] (rad)."""
    px, py, pz = pose[0, 0], pose[0, 1], pose[0, 2]
    for i in range(first, end):
        x, y, z = np.float64(vertex[i, 0]) - px, np.float64(vertex[i, 1]) - py, np.float64(vertex[i, 2]) - pz
        u = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z
        v = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z
        local[i, 0] = u
        local[i, 1] = v
        local[i, 2] = pose[3, 0] * x + pose[3, 1] * y + pose[3, 2] * z
        azimuth[i] = math.atan2(v, u)


@kernel
def wrap(angle):  # type: ignore[no-untyped-def]
    """An angle in (-2 pi, 2 pi) brought into [-pi, pi]."""
    if angle > math.pi:
        return angle - _TURN
    if angle < -math.pi:
        return angle + _TURN
    return angle


@kernel
def sweep_scene(vertex, triangle, chunk_vertex, chunk_triangle, chunk_low, chunk_high, actor_vertex, actor_triangle,
                actor_sphere, num_actors, pose, reach, scan, column_cos, column_sin, tangent, local, azimuth, planar,
                hit):  # type: ignore[no-untyped-def]  # fmt: skip
    """Hit a town and its actors, leaving out what is out of reach.

    Args:
        vertex, triangle, actor_*: of `Scene`; chunk_*: of its town's `Mesh`.
        pose: float64[4, 3] of the sensor.
        reach: m.
        scan: float64[3] phase of the first column, phase between columns, phases of a whole turn of the head (rad); a
            column's azimuth is its phase, modulo the turn, less half of the turn.
        column_cos, column_sin: float64[columns] of their azimuths.
        tangent: float64[channels] of their elevations, falling.
        local, azimuth: scratch of as many rows as there are vertices.
        planar: float64[columns, channels], written: m from the sensor's z axis to the nearest hit, infinite without.
        hit: int64[columns, channels], written: number of the triangle, -1 without.
    """
    planar[:, :] = math.inf
    hit[:, :] = -1
    for chunk in range(len(chunk_low)):
        gap = 0.0
        for k in range(3):
            below = np.float64(chunk_low[chunk, k]) - pose[0, k]
            above = pose[0, k] - np.float64(chunk_high[chunk, k])
            outside = max(max(below, above), 0.0)
            gap += outside * outside
        if gap > reach * reach:
            continue
        for k in range(3 * chunk, 3 * chunk + 2):  # not what stands for the detail from afar
            to_sensor(vertex, chunk_vertex[k], chunk_vertex[k + 1], pose, local, azimuth)
            sweep_triangles(local, azimuth, triangle, chunk_triangle[k], chunk_triangle[k + 1], reach, scan,
                            column_cos, column_sin, tangent, planar, hit)  # fmt: skip
    for a in range(num_actors):
        dx, dy, dz = (
            actor_sphere[a, 0] - pose[0, 0], actor_sphere[a, 1] - pose[0, 1], actor_sphere[a, 2] - pose[0, 2]
        )  # fmt: skip
        if math.sqrt(dx * dx + dy * dy + dz * dz) > reach + actor_sphere[a, 3]:
            continue
        to_sensor(vertex, actor_vertex[a, 0], actor_vertex[a, 1], pose, local, azimuth)
        sweep_triangles(local, azimuth, triangle, actor_triangle[a, 0], actor_triangle[a, 2], reach, scan,
                        column_cos, column_sin, tangent, planar, hit)  # fmt: skip


@kernel
def sweep_triangles(local, azimuth, triangle, first, end, reach, scan, column_cos, column_sin, tangent,
                    planar, hit):  # type: ignore[no-untyped-def]  # fmt: skip
    """Hit triangles first..end, whose vertices are in the sensor's axes already. Arguments as `sweep_scene`."""
    columns, channels = planar.shape
    start, step, turn = scan[0], scan[1], scan[2]
    last_lap = math.floor((start + step * (columns - 1)) / turn)
    steepest, flattest = tangent[0], tangent[channels - 1]
    for t in range(first, end):
        ia, ib, ic = triangle[t, 0], triangle[t, 1], triangle[t, 2]
        ax, ay, az = local[ia, 0], local[ia, 1], local[ia, 2]
        bx, by, bz = local[ib, 0], local[ib, 1], local[ib, 2]
        cx, cy, cz = local[ic, 0], local[ic, 1], local[ic, 2]
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * ax + ny * ay + nz * az
        if d >= 0.0:
            continue  # its back, or edge on
        # above the highest laser, or under the lowest
        ra, rb, rc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
        if _outside(az, ra, steepest) and _outside(bz, rb, steepest) and _outside(cz, rc, steepest) and steepest > 0.0:
            continue
        if (
            _outside(-az, ra, -flattest)
            and _outside(-bz, rb, -flattest)
            and _outside(-cz, rc, -flattest)
            and (flattest < 0.0)
        ):
            continue
        alpha = azimuth[ia]
        to_b, to_c, b_to_c = wrap(azimuth[ib] - alpha), wrap(azimuth[ic] - alpha), wrap(azimuth[ic] - azimuth[ib])
        if abs(to_b + b_to_c - to_c) > 1.0:  # the z axis pierces it
            low, high = -math.pi, math.pi
        else:
            low = alpha + min(min(to_b, to_c), 0.0) - _SLACK
            high = alpha + max(max(to_b, to_c), 0.0) + _SLACK
        for shift in range(-1, 2):
            phase_low = max(low + shift * _TURN + 0.5 * turn, 0.0)
            phase_high = min(high + shift * _TURN + 0.5 * turn, turn)
            if phase_low > phase_high:
                continue
            for lap in range(last_lap + 1):
                k0 = max(math.ceil((phase_low + lap * turn - start) / step), 0)
                k1 = min(math.floor((phase_high + lap * turn - start) / step), columns - 1)
                guess = 0
                for k in range(k0, k1 + 1):
                    c, s = column_cos[k], column_sin[k]
                    # signed distance from the column's plane, and distance along it
                    sa, sb, sc = c * ay - s * ax, c * by - s * bx, c * cy - s * cx
                    pa, pb, pc = sa >= 0.0, sb >= 0.0, sc >= 0.0
                    if pa == pb and pb == pc:
                        continue
                    ha, hb, hc = c * ax + s * ay, c * bx + s * by, c * cx + s * cy
                    # the corner that is alone on its side; the plane cuts both of its edges
                    if pb == pc:
                        f, g = sa / (sa - sb), sa / (sa - sc)
                        h0, z0, h1, z1 = ha + f * (hb - ha), az + f * (bz - az), ha + g * (hc - ha), az + g * (cz - az)
                    elif pa == pc:
                        f, g = sb / (sb - sa), sb / (sb - sc)
                        h0, z0, h1, z1 = hb + f * (ha - hb), bz + f * (az - bz), hb + g * (hc - hb), bz + g * (cz - bz)
                    else:
                        f, g = sc / (sc - sa), sc / (sc - sb)
                        h0, z0, h1, z1 = hc + f * (ha - hc), cz + f * (az - cz), hc + g * (hb - hc), cz + g * (bz - cz)
                    if h0 < NEAR:
                        if h1 < NEAR:
                            continue
                        z0 += (NEAR - h0) / (h1 - h0) * (z1 - z0)
                        h0 = NEAR
                    elif h1 < NEAR:
                        z1 += (NEAR - h1) / (h0 - h1) * (z0 - z1)
                        h1 = NEAR
                    if h0 > reach and h1 > reach:
                        continue
                    m0, m1 = z0 / h0, z1 / h1
                    top, bottom = max(m0, m1), min(m0, m1)
                    if top < flattest or bottom > steepest:
                        continue
                    # the first channel not above the segment's top; the last column's is near
                    while guess > 0 and tangent[guess - 1] <= top:
                        guess -= 1
                    while guess < channels and tangent[guess] > top:
                        guess += 1
                    if guess == channels:
                        guess = channels - 1
                        continue
                    nearest, furthest = min(h0, h1), max(h0, h1)
                    level = nx * c + ny * s
                    e = guess
                    while e < channels and tangent[e] >= bottom:
                        h = d / (level + nz * tangent[e])
                        h = min(max(h, nearest), furthest)
                        if h < planar[k, e]:
                            planar[k, e] = h
                            hit[k, e] = t
                        e += 1


@kernel
def _outside(z, planar_squared, tangent):  # type: ignore[no-untyped-def]
    """Whether a point lies higher than a cone that opens upwards (tangent > 0)."""
    return z > 0.0 and z * z > tangent * tangent * planar_squared
