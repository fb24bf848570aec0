"""One ray against the triangles of a town."""

from __future__ import annotations

import numpy as np

from simulator.kernel import kernel


@kernel
def meet_triangles(vertex, triangle, chunk_triangle, chunk_low, chunk_high, origin, direction, length,
                   distance, number):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fronts that a ray meets (Moeller and Trumbore 1997), in no order; returns how many.

    Args:
        origin, direction: float64[3] m, unit vector.
        length: m.
        distance, number: float64[n], int64[n], written: metres, triangle.
    """
    count = 0
    for chunk in range(len(chunk_low)):
        enter = 0.0
        leave = length
        for k in range(3):
            low = np.float64(chunk_low[chunk, k]) - 0.01
            high = np.float64(chunk_high[chunk, k]) + 0.01
            if abs(direction[k]) < 1e-12:
                if origin[k] < low or origin[k] > high:
                    leave = -1.0
            else:
                a = (low - origin[k]) / direction[k]
                b = (high - origin[k]) / direction[k]
                enter = max(enter, min(a, b))
                leave = min(leave, max(a, b))
        if enter > leave:
            continue
        # levels 0 and 1; 2 stands for 1 from afar
        for t in range(chunk_triangle[3 * chunk], chunk_triangle[3 * chunk + 2]):
            ia, ib, ic = triangle[t, 0], triangle[t, 1], triangle[t, 2]
            ax, ay, az = np.float64(vertex[ia, 0]), np.float64(vertex[ia, 1]), np.float64(vertex[ia, 2])
            ux, uy, uz = vertex[ib, 0] - ax, vertex[ib, 1] - ay, vertex[ib, 2] - az
            vx, vy, vz = vertex[ic, 0] - ax, vertex[ic, 1] - ay, vertex[ic, 2] - az
            px = direction[1] * vz - direction[2] * vy
            py = direction[2] * vx - direction[0] * vz
            pz = direction[0] * vy - direction[1] * vx
            determinant = ux * px + uy * py + uz * pz
            if abs(determinant) < 1e-12:
                continue
            sx, sy, sz = origin[0] - ax, origin[1] - ay, origin[2] - az
            f = (sx * px + sy * py + sz * pz) / determinant
            if f < 0.0 or f > 1.0:
                continue
            qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
            g = (direction[0] * qx + direction[1] * qy + direction[2] * qz) / determinant
            if g < 0.0 or f + g > 1.0:
                continue
            away = (vx * qx + vy * qy + vz * qz) / determinant
            if away < 0.0 or away > length or count == len(distance):
                continue
            distance[count] = away
            number[count] = t
            count += 1
    return count
