"""The rasteriser: triangles to a visibility buffer (nearest triangle and inverse depth of every pixel).

Everything that a camera or a LiDAR gives is looked up from this buffer. A pixel belongs to the triangle that covers its
centre nearest to the camera; a centre exactly on a shared edge belongs to one of the two, never to none. Set-up is in
double precision, pixels in single. Rows are independent of each other: a band of rows holds the same bits as in the
whole picture.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import inlined, kernel

NEAR = 0.1  # metres: the near plane (CARLA's default)
DETAIL_PIXELS = 14.0  # radius of an actor on the screen below which its details are left out

_FAR_TREES = 5.0  # metres per pixel of focal length beyond which a tree is about a pixel, and left out

_f4 = np.float32
_i4 = np.int32
_u8 = np.uint64  # an unsigned index needs no look at its sign


@inlined
def to_camera(vertex, first, end, axes, position, out):  # type: ignore[no-untyped-def]
    """Vertices first..end into `out` float64[V, 3]: right, down, forward of the camera, metres."""
    px, py, pz = position[0], position[1], position[2]
    r0, r1, r2 = axes[0, 1], axes[1, 1], axes[2, 1]
    u0, u1, u2 = axes[0, 2], axes[1, 2], axes[2, 2]
    f0, f1, f2 = axes[0, 0], axes[1, 0], axes[2, 0]
    for number in range(first, end):
        i = _u8(number)
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
        row = _u8(t)
        a, b, c = _u8(triangle[row, 0]), _u8(triangle[row, 1]), _u8(triangle[row, 2])
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
        if az >= NEAR and bz >= NEAR and cz >= NEAR:
            wa, wb, wc = 1.0 / az, 1.0 / bz, 1.0 / cz
            x0, y0 = ax * wa * f + cx, ay * wa * f + cy
            x1, y1 = bx * wb * f + cx, by * wb * f + cy
            x2, y2 = cx_ * wc * f + cx, cy_ * wc * f + cy
            area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
            if area <= 0.0:
                continue  # its back, or edge on
            if math.ceil(min(y0, y1, y2) - 0.5) > math.floor(max(y0, y1, y2) - 0.5):
                continue  # between two rows of pixel centres
            if math.ceil(min(x0, x1, x2) - 0.5) > math.floor(max(x0, x1, x2) - 0.5):
                continue
            # inverse depth is linear on the screen
            dw_x = ((wb - wa) * (y2 - y0) - (wc - wa) * (y1 - y0)) / area
            dw_y = ((wc - wa) * (x1 - x0) - (wb - wa) * (x2 - x0)) / area
            _fill(
                x0, y0, x1, y1, x2, y2, wa - dw_x * x0 - dw_y * y0, dw_x, dw_y, t, inverse_depth, triangle_id,
                row_low, row_high, width,
            )  # fmt: skip
            continue
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx_ - ax, cy_ - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * ax + ny * ay + nz * az
        if d <= 0.0:
            continue
        # the same from the triangle's plane: w = (nx (i - cx) / f + ny (j - cy) / f + nz) / d
        dw_x, dw_y = nx * inv_f / d, ny * inv_f / d
        w0 = nz / d - dw_x * cx - dw_y * cy
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


@inlined
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
        for x in range(begin, end):
            here = w + _f4(x - begin) * step
            if here > inverse_depth[y, x]:
                inverse_depth[y, x] = here
                triangle_id[y, x] = _i4(t)


@kernel
def draw_view(
    vertex, triangle, chunk_triangle, chunk_vertex, chunk_low, chunk_high, actor_triangle, actor_vertex, actor_sphere,
    num_actors, axes, position, f, cx, cy, far, near, camera, inverse_depth, triangle_id, row_low, row_high,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Clear rows row_low..row_high and draw into them all that they show.

    Args:
        vertex, triangle: of the town, then of the actors.
        chunk_*: the town's chunks (`scenery.mesh.Mesh`).
        actor_triangle: int32[A, 3] first triangle, end of those seen from afar, end of all; actor_vertex: int32[A, 2].
        actor_sphere: float64[A, 4] centre and radius.
        axes, position: the camera's (`camera_geometry.pose_matrix`). f, cx, cy: pixels.
        far: metres along the view axis beyond which chunks and actors are left out.
        near: metres to a chunk's box within which its details are drawn.
        camera: float64[V, 3] scratch.
    """
    clear(inverse_depth, triangle_id, row_low, row_high)
    width = triangle_id.shape[1]
    left, right = -cx / f, (width - cx) / f
    top, bottom = (row_low - cy) / f, (row_high - cy) / f
    r0, r1, r2 = axes[0, 1], axes[1, 1], axes[2, 1]
    d0, d1, d2 = -axes[0, 2], -axes[1, 2], -axes[2, 2]
    f0, f1, f2 = axes[0, 0], axes[1, 0], axes[2, 0]
    for k in range(num_actors):
        x, y, z = actor_sphere[k, 0] - position[0], actor_sphere[k, 1] - position[1], actor_sphere[k, 2] - position[2]
        radius = actor_sphere[k, 3]
        ahead = f0 * x + f1 * y + f2 * z
        if ahead < NEAR - radius or ahead > far + radius:
            continue
        aside, below = r0 * x + r1 * y + r2 * z, d0 * x + d1 * y + d2 * z
        if aside - right * ahead > radius * math.sqrt(1.0 + right * right):
            continue
        if left * ahead - aside > radius * math.sqrt(1.0 + left * left):
            continue
        if below - bottom * ahead > radius * math.sqrt(1.0 + bottom * bottom):
            continue
        if top * ahead - below > radius * math.sqrt(1.0 + top * top):
            continue
        to_camera(vertex, actor_vertex[k, 0], actor_vertex[k, 1], axes, position, camera)
        small = radius * f < DETAIL_PIXELS * (ahead - radius)
        end = actor_triangle[k, 1] if small else actor_triangle[k, 2]
        draw_triangles(
            camera, triangle, actor_triangle[k, 0], end, f, cx, cy, inverse_depth, triangle_id, row_low, row_high
        )
    for c in range(chunk_low.shape[0]):
        if _box_in_view(chunk_low, chunk_high, c, axes, position, left, right, top, bottom, far):
            gap_x = max(chunk_low[c, 0] - position[0], position[0] - chunk_high[c, 0], 0.0)
            gap_y = max(chunk_low[c, 1] - position[1], position[1] - chunk_high[c, 1], 0.0)
            gap2 = gap_x * gap_x + gap_y * gap_y
            skipped = 1 if gap2 >= near * near else 2
            if skipped == 1 and gap2 > _FAR_TREES * _FAR_TREES * f * f:
                skipped = 3  # neither of them
            for level in range(3):
                k = 3 * c + level
                first, end = chunk_triangle[k], chunk_triangle[k + 1]
                if level == skipped or (skipped == 3 and level > 0) or first == end:
                    continue
                to_camera(vertex, chunk_vertex[k], chunk_vertex[k + 1], axes, position, camera)
                draw_triangles(camera, triangle, first, end, f, cx, cy, inverse_depth, triangle_id, row_low, row_high)


@inlined
def _box_in_view(low, high, c, axes, position, left, right, top, bottom, far):  # type: ignore[no-untyped-def]
    """Whether box c reaches into the frustum with these tangents of its sides."""
    for plane in range(6):
        if plane == 0:  # ahead >= NEAR
            a, b, k, d = 1.0, 0.0, 0.0, NEAR
        elif plane == 1:  # ahead <= far
            a, b, k, d = -1.0, 0.0, 0.0, -far
        elif plane == 2:  # aside >= left * ahead
            a, b, k, d = -left, 1.0, 0.0, 0.0
        elif plane == 3:
            a, b, k, d = right, -1.0, 0.0, 0.0
        elif plane == 4:  # below >= top * ahead; up is the third axis
            a, b, k, d = -top, 0.0, -1.0, 0.0
        else:
            a, b, k, d = bottom, 0.0, 1.0, 0.0
        nx = a * axes[0, 0] + b * axes[0, 1] + k * axes[0, 2]
        ny = a * axes[1, 0] + b * axes[1, 1] + k * axes[1, 2]
        nz = a * axes[2, 0] + b * axes[2, 1] + k * axes[2, 2]
        # the corner furthest along the plane's inner side
        x = np.float64(high[c, 0] if nx > 0.0 else low[c, 0]) - position[0]
        y = np.float64(high[c, 1] if ny > 0.0 else low[c, 1]) - position[1]
        z = np.float64(high[c, 2] if nz > 0.0 else low[c, 2]) - position[2]
        if nx * x + ny * y + nz * z < d:
            return False
    return True
