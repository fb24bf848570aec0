"""The rasteriser: triangles to a visibility buffer (nearest triangle and inverse depth of every pixel).

Everything that a camera or a LiDAR gives is looked up from this buffer. A pixel belongs to the triangle that covers its
centre nearest to the camera; a centre exactly on a shared edge belongs to one of the two, never to none. Set-up is in
double precision, pixels in single. Rows are independent of each other: a band of rows holds the same bits as in the
whole picture.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel

NEAR = 0.1  # metres: the near plane (CARLA's default)

_f4 = np.float32
_i4 = np.int32


@kernel
def cull_chunks(low, high, axes, position, half_x, half_y, far, visible):  # type: ignore[no-untyped-def]
    """Write 1 to uint8[C] `visible` for chunks whose box may be in view; half_x, half_y: tangents of the half angles.

    Chunks that begin beyond `far` metres along the view axis are not in view.
    """
    for c in range(low.shape[0]):
        inside = True
        for plane in range(6):
            if plane == 0:
                nx, ny, nz, d = axes[0, 0], axes[1, 0], axes[2, 0], NEAR
            elif plane == 1:
                nx, ny, nz, d = -axes[0, 0], -axes[1, 0], -axes[2, 0], -far
            elif plane == 2:
                nx, ny, nz, d = _side(axes, 1, half_x, -1.0)
            elif plane == 3:
                nx, ny, nz, d = _side(axes, 1, half_x, 1.0)
            elif plane == 4:
                nx, ny, nz, d = _side(axes, 2, half_y, -1.0)
            else:
                nx, ny, nz, d = _side(axes, 2, half_y, 1.0)
            # the corner furthest along the plane's inner side
            x = np.float64(high[c, 0] if nx > 0.0 else low[c, 0]) - position[0]
            y = np.float64(high[c, 1] if ny > 0.0 else low[c, 1]) - position[1]
            z = np.float64(high[c, 2] if nz > 0.0 else low[c, 2]) - position[2]
            if nx * x + ny * y + nz * z < d:
                inside = False
                break
        visible[c] = 1 if inside else 0


@kernel
def _side(axes, axis, tangent, sign):  # type: ignore[no-untyped-def]
    return (
        tangent * axes[0, 0] + sign * axes[0, axis],
        tangent * axes[1, 0] + sign * axes[1, axis],
        tangent * axes[2, 0] + sign * axes[2, axis],
        0.0,
    )


@kernel
def to_camera(vertex, first, end, axes, position, out):  # type: ignore[no-untyped-def]
    """Vertices first..end into `out` float64[V, 3]: right, down, forward of the camera, metres."""
    px, py, pz = position[0], position[1], position[2]
    r0, r1, r2 = axes[0, 1], axes[1, 1], axes[2, 1]
    u0, u1, u2 = axes[0, 2], axes[1, 2], axes[2, 2]
    f0, f1, f2 = axes[0, 0], axes[1, 0], axes[2, 0]
    for i in range(first, end):
        x = np.float64(vertex[i, 0]) - px
        y = np.float64(vertex[i, 1]) - py
        z = np.float64(vertex[i, 2]) - pz
        out[i, 0] = r0 * x + r1 * y + r2 * z
        out[i, 1] = -(u0 * x + u1 * y + u2 * z)
        out[i, 2] = f0 * x + f1 * y + f2 * z


@kernel
def clear(inverse_depth, triangle_id, row_low, row_high):  # type: ignore[no-untyped-def]
    """Empty rows of the buffers: nothing is seen."""
    for y in range(row_low, row_high):
        for x in range(inverse_depth.shape[1]):
            inverse_depth[y, x] = _f4(0.0)
            triangle_id[y, x] = _i4(-1)


@kernel
def draw_triangles(camera, triangle, first, end, f, cx, cy, inverse_depth, triangle_id, row_low, row_high):  # type: ignore[no-untyped-def]
    """Draw triangles first..end, whose vertices `camera` holds in camera coordinates, into rows row_low..row_high."""
    width = triangle_id.shape[1]
    inv_f = 1.0 / f
    left, right = -cx * inv_f, (width - cx) * inv_f
    top, bottom = (row_low - cy) * inv_f, (row_high - cy) * inv_f
    for t in range(first, end):
        a, b, c = triangle[t, 0], triangle[t, 1], triangle[t, 2]
        az, bz, cz = camera[a, 2], camera[b, 2], camera[c, 2]
        if az < NEAR and bz < NEAR and cz < NEAR:
            continue
        ax, bx, cx_ = camera[a, 0], camera[b, 0], camera[c, 0]
        if (ax > az * right and bx > bz * right and cx_ > cz * right) or (
            ax < az * left and bx < bz * left and cx_ < cz * left
        ):
            continue
        ay, by, cy_ = camera[a, 1], camera[b, 1], camera[c, 1]
        if (ay > az * bottom and by > bz * bottom and cy_ > cz * bottom) or (
            ay < az * top and by < bz * top and cy_ < cz * top
        ):
            continue
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx_ - ax, cy_ - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * ax + ny * ay + nz * az
        if d <= 0.0:
            continue  # its back, or edge on
        # inverse depth is linear on the screen: w = (nx (i - cx) / f + ny (j - cy) / f + nz) / d
        dw_x, dw_y = nx * inv_f / d, ny * inv_f / d
        w0 = nz / d - dw_x * cx - dw_y * cy
        if az >= NEAR and bz >= NEAR and cz >= NEAR:
            ia, ib, ic = f / az, f / bz, f / cz
            _fill(
                ax * ia + cx, ay * ia + cy, bx * ib + cx, by * ib + cy, cx_ * ic + cx, cy_ * ic + cy,
                w0, dw_x, dw_y, t, inverse_depth, triangle_id, row_low, row_high, width,
            )  # fmt: skip
            continue
        # clip at the near plane: three or four corners are left
        n = 0
        x0 = y0 = x1 = y1 = x2 = y2 = x3 = y3 = 0.0
        for e in range(3):
            if e == 0:
                px, py, pz, qx, qy, qz = ax, ay, az, bx, by, bz
            elif e == 1:
                px, py, pz, qx, qy, qz = bx, by, bz, cx_, cy_, cz
            else:
                px, py, pz, qx, qy, qz = cx_, cy_, cz, ax, ay, az
            for half in range(2):
                if half == 0:
                    if pz < NEAR:
                        continue
                    sx, sy = px * f / pz + cx, py * f / pz + cy
                else:
                    if (pz >= NEAR) == (qz >= NEAR):
                        continue
                    s = (NEAR - pz) / (qz - pz)
                    sx, sy = (px + s * (qx - px)) * f / NEAR + cx, (py + s * (qy - py)) * f / NEAR + cy
                if n == 0:
                    x0, y0 = sx, sy
                elif n == 1:
                    x1, y1 = sx, sy
                elif n == 2:
                    x2, y2 = sx, sy
                else:
                    x3, y3 = sx, sy
                n += 1
        if n >= 3:
            _fill(
                x0, y0, x1, y1, x2, y2, w0, dw_x, dw_y, t, inverse_depth, triangle_id, row_low, row_high, width
            )  # fmt: skip
        if n == 4:
            _fill(
                x0, y0, x2, y2, x3, y3, w0, dw_x, dw_y, t, inverse_depth, triangle_id, row_low, row_high, width
            )  # fmt: skip


@kernel
def _fill(x0, y0, x1, y1, x2, y2, w0, dw_x, dw_y, t, inverse_depth, triangle_id, row_low, row_high, width):  # type: ignore[no-untyped-def]
    """Pixels of one triangle on the screen whose corners run clockwise as one sees it (y down)."""
    first = max(row_low, math.ceil(max(min(y0, y1, y2), -1e6) - 0.5))
    last = min(row_high - 1, math.floor(min(max(y0, y1, y2), 1e6) - 0.5))
    if first > last:
        return
    x_low, x_high = min(x0, x1, x2), max(x0, x1, x2)
    if math.ceil(max(x_low, -1e6) - 0.5) > math.floor(min(x_high, 1e6) - 0.5):
        return  # between two columns of pixel centres
    # An edge is walked from its upper end, whichever triangle it belongs to, so that neighbours agree on it.
    d01, d12, d20 = y1 - y0, y2 - y1, y0 - y2
    k01 = (x1 - x0) / d01 if d01 != 0.0 else 0.0
    k12 = (x2 - x1) / d12 if d12 != 0.0 else 0.0
    k20 = (x0 - x2) / d20 if d20 != 0.0 else 0.0
    ex0, ey0 = (x0, y0) if d01 > 0.0 else (x1, y1)
    ex1, ey1 = (x1, y1) if d12 > 0.0 else (x2, y2)
    ex2, ey2 = (x2, y2) if d20 > 0.0 else (x0, y0)
    step = _f4(dw_x)
    for y in range(first, last + 1):
        middle = y + 0.5
        lower, upper = x_low, x_high
        if d01 != 0.0:
            cross = ex0 + (middle - ey0) * k01
            if d01 > 0.0:
                upper = min(upper, cross)
            else:
                lower = max(lower, cross)
        if d12 != 0.0:
            cross = ex1 + (middle - ey1) * k12
            if d12 > 0.0:
                upper = min(upper, cross)
            else:
                lower = max(lower, cross)
        if d20 != 0.0:
            cross = ex2 + (middle - ey2) * k20
            if d20 > 0.0:
                upper = min(upper, cross)
            else:
                lower = max(lower, cross)
        begin = max(0, math.ceil(max(lower, -1e6) - 0.5))
        end = min(width, math.ceil(min(upper, 1e6) - 0.5))
        if begin >= end:
            continue
        w = _f4(w0 + (begin + 0.5) * dw_x + middle * dw_y)
        depths = inverse_depth[y, begin:end]
        ids = triangle_id[y, begin:end]
        for x in range(end - begin):
            here = w + _f4(x) * step
            if here > depths[x]:
                depths[x] = here
                ids[x] = _i4(t)
