"""The rasteriser: triangles to a visibility buffer (nearest triangle and inverse depth of every pixel).

Everything that a camera or a LiDAR gives is looked up from this buffer. A pixel belongs to the triangle that covers its
centre nearest to the camera; a centre exactly on a shared edge belongs to one of the two, never to none. Set-up is in
double precision, pixels in single. Rows are independent of each other: a band of rows holds the same bits as in the
whole picture.

Most of a town is never worked on: what lies outside the picture, and what is hidden, is found by boxes. Chunks and
actors are drawn from near to far, and one whose box covers only pixels that already show something nearer is skipped
with everything in it. No inverse depth exceeds that of its triangle's nearest corner, so skipping changes no bit.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import inlined, kernel_on_loan

NEAR = 0.1  # metres: the near plane (CARLA's default)
DETAIL_PIXELS = 14.0  # radius of an actor on the screen below which its details are left out

TILE = 8  # pixels: edge of the squares of which the farthest inverse depth is remembered
BUCKETS = 128  # of distance, in which boxes are sorted
WORK = ("boxes in view", "boxes drawn", "vertices", "triangles")  # what `draw_view` counts

_FAR_TREES = 5.0  # metres per pixel of focal length beyond which a tree is about a pixel, and left out
_BUCKET = 8.0  # metres
_FEW_PIXELS = 128  # up to which a box is compared with pixels, not with squares
_SLACK = 0.01  # metres: more than single precision moves a vertex
_HIDDEN = 1.0 + 1e-6  # more than the rounding to single precision adds

_f4 = np.float32
_i4 = np.int32
_u8 = np.uint64  # an unsigned index needs no look at its sign


@inlined
def _to_screen(vertex, first, end, axes, position, f, cx, cy, screen):  # type: ignore[no-untyped-def]
    """Vertices first..end to `screen` float64[3, V] from 0 on: column, row, inverse depth (0 before the near plane)."""
    px, py, pz = position[0], position[1], position[2]
    r0, r1, r2 = axes[0, 1] * f, axes[1, 1] * f, axes[2, 1] * f
    u0, u1, u2 = axes[0, 2] * f, axes[1, 2] * f, axes[2, 2] * f
    f0, f1, f2 = axes[0, 0], axes[1, 0], axes[2, 0]
    for number in range(first, end):
        i, j = _u8(number), _u8(number - first)
        x = np.float64(vertex[i, _u8(0)]) - px
        y = np.float64(vertex[i, _u8(1)]) - py
        z = np.float64(vertex[i, _u8(2)]) - pz
        ahead = f0 * x + f1 * y + f2 * z
        w = 1.0 / ahead
        screen[_u8(0), j] = cx + (r0 * x + r1 * y + r2 * z) * w
        screen[_u8(1), j] = cy - (u0 * x + u1 * y + u2 * z) * w
        screen[_u8(2), j] = w if ahead >= NEAR else 0.0


@inlined
def _draw_triangles(
    vertex, screen, triangle, first, end, base, axes, position, f, cx, cy, inverse_depth, triangle_id, row_low, row_high
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Draw triangles first..end, whose vertices from `base` on are on the `screen`, into rows row_low..row_high."""
    width = triangle_id.shape[1]
    # centres of the outermost pixels
    left, right, top, bottom = 0.5, width - 0.5, row_low + 0.5, row_high - 0.5
    for t in range(first, end):
        row = _u8(t)
        a, b, c = (
            _u8(triangle[row, _u8(0)] - base), _u8(triangle[row, _u8(1)] - base), _u8(triangle[row, _u8(2)] - base)
        )  # fmt: skip
        wa, wb, wc = screen[_u8(2), a], screen[_u8(2), b], screen[_u8(2), c]
        if wa > 0.0 and wb > 0.0 and wc > 0.0:
            x0, x1, x2 = screen[_u8(0), a], screen[_u8(0), b], screen[_u8(0), c]
            y0, y1, y2 = screen[_u8(1), a], screen[_u8(1), b], screen[_u8(1), c]
            area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
            if area <= 0.0:
                continue  # its back, or edge on
            y_low, y_high = min(y0, y1, y2), max(y0, y1, y2)
            if y_low > bottom or y_high < top or math.ceil(y_low - 0.5) > math.floor(y_high - 0.5):
                continue  # beyond the picture, or between two rows of pixel centres
            x_low, x_high = min(x0, x1, x2), max(x0, x1, x2)
            if x_low > right or x_high < left or math.ceil(x_low - 0.5) > math.floor(x_high - 0.5):
                continue
            # inverse depth is linear on the screen
            inverse_area = 1.0 / area
            dw_x = ((wb - wa) * (y2 - y0) - (wc - wa) * (y1 - y0)) * inverse_area
            dw_y = ((wc - wa) * (x1 - x0) - (wb - wa) * (x2 - x0)) * inverse_area
            _fill(
                x0, y0, x1, y1, x2, y2, wa - dw_x * x0 - dw_y * y0, dw_x, dw_y, max(wa, wb, wc), t, inverse_depth,
                triangle_id, row_low, row_high, width,
            )  # fmt: skip
        elif wa > 0.0 or wb > 0.0 or wc > 0.0:
            _draw_clipped(
                vertex, triangle, t, axes, position, f, cx, cy, inverse_depth, triangle_id, row_low, row_high
            )  # fmt: skip


@kernel_on_loan
def _draw_clipped(
    vertex, triangle, t, axes, position, f, cx, cy, inverse_depth, triangle_id, row_low, row_high
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Draw a triangle that the near plane cuts."""
    width = triangle_id.shape[1]
    ax, ay, az = _in_camera(vertex, triangle[t, 0], axes, position)
    bx, by, bz = _in_camera(vertex, triangle[t, 1], axes, position)
    cx_, cy_, cz = _in_camera(vertex, triangle[t, 2], axes, position)
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = cx_ - ax, cy_ - ay, cz - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    d = nx * ax + ny * ay + nz * az
    if d <= 0.0:
        return
    # from the triangle's plane: w = (nx (i - cx) / f + ny (j - cy) / f + nz) / d
    dw_x, dw_y = nx / (f * d), ny / (f * d)
    w0 = nz / d - dw_x * cx - dw_y * cy
    # three or four corners are left
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
    most = 1.0 / NEAR
    if n >= 3:
        _fill(
            x0, y0, x1, y1, x2, y2, w0, dw_x, dw_y, most, t, inverse_depth, triangle_id, row_low, row_high, width
        )  # fmt: skip
    if n == 4:
        _fill(
            x0, y0, x2, y2, x3, y3, w0, dw_x, dw_y, most, t, inverse_depth, triangle_id, row_low, row_high, width
        )  # fmt: skip


@inlined
def _in_camera(vertex, number, axes, position):  # type: ignore[no-untyped-def]
    """Right, down, forward of the camera, metres."""
    x = np.float64(vertex[number, 0]) - position[0]
    y = np.float64(vertex[number, 1]) - position[1]
    z = np.float64(vertex[number, 2]) - position[2]
    right = axes[0, 1] * x + axes[1, 1] * y + axes[2, 1] * z
    up = axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z
    return right, -up, axes[0, 0] * x + axes[1, 0] * y + axes[2, 0] * z


@inlined
def _fill(x0, y0, x1, y1, x2, y2, w0, dw_x, dw_y, most, t, inverse_depth, triangle_id, row_low, row_high, width):  # type: ignore[no-untyped-def]
    """Pixels of one triangle on the screen whose corners run clockwise as one sees it (y down); `most`: largest w."""
    first = max(row_low, math.ceil(max(min(y0, y1, y2), -1e6) - 0.5))
    last = min(row_high - 1, math.floor(min(max(y0, y1, y2), 1e6) - 0.5))
    x_low, x_high = max(min(x0, x1, x2), -1e6), min(max(x0, x1, x2), 1e6)
    # An edge is walked from its upper end, whichever triangle it belongs to, so that neighbours agree on it.
    d01, d12, d20 = y1 - y0, y2 - y1, y0 - y2
    k01 = (x1 - x0) / d01 if d01 != 0.0 else 0.0
    k12 = (x2 - x1) / d12 if d12 != 0.0 else 0.0
    k20 = (x0 - x2) / d20 if d20 != 0.0 else 0.0
    ex0, ey0 = (x0, y0) if d01 > 0.0 else (x1, y1)
    ex1, ey1 = (x1, y1) if d12 > 0.0 else (x2, y2)
    ex2, ey2 = (x2, y2) if d20 > 0.0 else (x0, y0)
    step, limit = _f4(dw_x), _f4(most)
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
        begin = max(0, math.ceil(lower - 0.5))
        end = min(width, math.ceil(upper - 0.5))
        if begin >= end:
            continue
        w = _f4(w0 + (begin + 0.5) * dw_x + middle * dw_y)
        j = _u8(y)
        for x in range(begin, end):
            here = min(w + _f4(x - begin) * step, limit)
            i = _u8(x)
            if here > inverse_depth[j, i]:
                inverse_depth[j, i] = here
                triangle_id[j, i] = _i4(t)


@kernel_on_loan
def draw_view(
    vertex, triangle, chunk_triangle, chunk_vertex, chunk_low, chunk_high, actor_triangle, actor_vertex, actor_sphere,
    num_actors, axes, position, f, cx, cy, far, near, hide, screen, order, filled, tiles, work, inverse_depth,
    triangle_id, row_low, row_high,
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
        hide: whether boxes are skipped that are hidden; the picture is the same.
        screen: float64[3, n] scratch for the vertices of a chunk's level or an actor.
        order: int32[3, C + A], filled: int64[BUCKETS + 1] scratch. tiles: float32[H / TILE + 2, W / TILE + 1] scratch.
        work: int64[4], written: see `WORK`.
    """
    width, chunks = triangle_id.shape[1], chunk_low.shape[0]
    for y in range(row_low, row_high):
        for x in range(width):
            inverse_depth[_u8(y), _u8(x)] = _f4(0.0)
            triangle_id[_u8(y), _u8(x)] = _i4(-1)
    tiles[:] = _f4(0.0)
    work[:] = 0
    left, right = -cx / f, (width - cx) / f
    top, bottom = (row_low - cy) / f, (row_high - cy) / f
    side_left, side_right = math.sqrt(1.0 + left * left), math.sqrt(1.0 + right * right)
    side_top, side_bottom = math.sqrt(1.0 + top * top), math.sqrt(1.0 + bottom * bottom)
    f0, f1, f2 = axes[0, 0], axes[1, 0], axes[2, 0]
    r0, r1, r2 = axes[0, 1], axes[1, 1], axes[2, 1]
    d0, d1, d2 = -axes[0, 2], -axes[1, 2], -axes[2, 2]
    # a box by its middle and half its size: along an axis it reaches |axis| . size around the middle
    planes = (
        (f0, f1, f2, NEAR), (-f0, -f1, -f2, -far), (r0 - left * f0, r1 - left * f1, r2 - left * f2, 0.0),
        (right * f0 - r0, right * f1 - r1, right * f2 - r2, 0.0), (d0 - top * f0, d1 - top * f1, d2 - top * f2, 0.0),
        (bottom * f0 - d0, bottom * f1 - d1, bottom * f2 - d2, 0.0),
    )  # fmt: skip
    count = 0
    filled[:] = 0
    for number in range(chunks + num_actors):
        if number < chunks:
            c = _u8(number)
            x0, y0 = np.float64(chunk_low[c, _u8(0)]) - position[0], np.float64(chunk_low[c, _u8(1)]) - position[1]
            x1, y1 = np.float64(chunk_high[c, _u8(0)]) - position[0], np.float64(chunk_high[c, _u8(1)]) - position[1]
            z0, z1 = np.float64(chunk_low[c, _u8(2)]) - position[2], np.float64(chunk_high[c, _u8(2)]) - position[2]
            x, y, z = 0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * (z0 + z1)
            hx, hy, hz = x1 - x, y1 - y, z1 - z
            seen = True
            for plane in planes:
                reach = abs(plane[0]) * hx + abs(plane[1]) * hy + abs(plane[2]) * hz
                if plane[0] * x + plane[1] * y + plane[2] * z + reach < plane[3]:
                    seen = False
                    break
            if not seen:
                continue
            gap_x, gap_y = max(x0, -x1, 0.0), max(y0, -y1, 0.0)
        else:
            k = number - chunks
            x, y = actor_sphere[k, 0] - position[0], actor_sphere[k, 1] - position[1]
            z, radius = actor_sphere[k, 2] - position[2], actor_sphere[k, 3]
            ahead = f0 * x + f1 * y + f2 * z
            aside, below = r0 * x + r1 * y + r2 * z, d0 * x + d1 * y + d2 * z
            if (
                actor_triangle[k, 0] == actor_triangle[k, 2]
                or ahead < NEAR - radius
                or ahead > far + radius
                or aside - right * ahead > radius * side_right
                or left * ahead - aside > radius * side_left
                or below - bottom * ahead > radius * side_bottom
                or top * ahead - below > radius * side_top
            ):
                continue
            gap_x, gap_y = max(abs(x) - radius, 0.0), max(abs(y) - radius, 0.0)
        bucket = min(int(math.sqrt(gap_x * gap_x + gap_y * gap_y) / _BUCKET), BUCKETS - 1)
        order[0, count], order[1, count] = number, bucket
        filled[bucket + 1] += 1
        count += 1
    for bucket in range(BUCKETS):
        filled[bucket + 1] += filled[bucket]
    for n in range(count):
        bucket = order[1, n]
        order[2, filled[bucket]] = order[0, n]
        filled[bucket] += 1
    work[0] = count
    for n in range(count):
        number = order[2, n]
        if number < chunks:
            if hide and _is_hidden(
                np.float64(chunk_low[number, 0]), np.float64(chunk_low[number, 1]), np.float64(chunk_low[number, 2]),
                np.float64(chunk_high[number, 0]), np.float64(chunk_high[number, 1]), np.float64(chunk_high[number, 2]),
                axes, position, f, cx, cy, inverse_depth, tiles, row_low, row_high,
            ):  # fmt: skip
                continue
            work[1] += 1
            gap_x = max(chunk_low[number, 0] - position[0], position[0] - chunk_high[number, 0], 0.0)
            gap_y = max(chunk_low[number, 1] - position[1], position[1] - chunk_high[number, 1], 0.0)
            gap2 = gap_x * gap_x + gap_y * gap_y
            skipped = 1 if gap2 >= near * near else 2
            if skipped == 1 and gap2 > _FAR_TREES * _FAR_TREES * f * f:
                skipped = 3  # neither of them
            levels = 3
        else:
            skipped, levels = 3, 1
            k = number - chunks
            x, y, z, radius = actor_sphere[k, 0], actor_sphere[k, 1], actor_sphere[k, 2], actor_sphere[k, 3] + _SLACK
            if hide and _is_hidden(
                x - radius, y - radius, z - radius, x + radius, y + radius, z + radius, axes, position, f, cx, cy,
                inverse_depth, tiles, row_low, row_high,
            ):  # fmt: skip
                continue
            work[1] += 1
        for level in range(levels):
            if level == skipped or (skipped == 3 and level > 0):
                continue
            if number < chunks:
                k = 3 * number + level
                first, end = chunk_triangle[k], chunk_triangle[k + 1]
                base, stop = chunk_vertex[k], chunk_vertex[k + 1]
            else:
                k = number - chunks
                x, y = actor_sphere[k, 0] - position[0], actor_sphere[k, 1] - position[1]
                z, radius = actor_sphere[k, 2] - position[2], actor_sphere[k, 3]
                small = radius * f < DETAIL_PIXELS * (f0 * x + f1 * y + f2 * z - radius)
                first, end = actor_triangle[k, 0], actor_triangle[k, 1] if small else actor_triangle[k, 2]
                base, stop = actor_vertex[k, 0], actor_vertex[k, 1]
            if first == end:
                continue
            _to_screen(vertex, base, stop, axes, position, f, cx, cy, screen)
            _draw_triangles(
                vertex, screen, triangle, first, end, base, axes, position, f, cx, cy, inverse_depth, triangle_id,
                row_low, row_high,
            )  # fmt: skip
            work[2] += stop - base
            work[3] += end - first


@kernel_on_loan
def _is_hidden(
    x0, y0, z0, x1, y1, z1, axes, position, f, cx, cy, inverse_depth, tiles, row_low, row_high
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Whether all pixels of rows row_low..row_high that a box may show already show something nearer."""
    nearest = math.inf
    u_low, u_high, v_low, v_high = math.inf, -math.inf, math.inf, -math.inf
    for corner in range(8):
        x = (x0 if corner & 1 == 0 else x1) - position[0]
        y = (y0 if corner & 2 == 0 else y1) - position[1]
        z = (z0 if corner & 4 == 0 else z1) - position[2]
        ahead = axes[0, 0] * x + axes[1, 0] * y + axes[2, 0] * z
        if ahead < NEAR:
            return False
        nearest = min(nearest, ahead)
        scale = f / ahead
        u = cx + scale * (axes[0, 1] * x + axes[1, 1] * y + axes[2, 1] * z)
        v = cy - scale * (axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z)
        u_low, u_high = min(u_low, u), max(u_high, u)
        v_low, v_high = min(v_low, v), max(v_high, v)
    # pixels whose centres lie in it, with room for rounding
    width = inverse_depth.shape[1]
    i0 = max(0, math.ceil(max(u_low, -1e6) - 0.5001))
    i1 = min(width - 1, math.floor(min(u_high, 1e6) - 0.4999))
    j0 = max(row_low, math.ceil(max(v_low, -1e6) - 0.5001))
    j1 = min(row_high - 1, math.floor(min(v_high, 1e6) - 0.4999))
    if i0 > i1 or j0 > j1:
        return True  # between pixels
    least = _f4(_HIDDEN / nearest)
    if (i1 - i0 + 1) * (j1 - j0 + 1) <= _FEW_PIXELS:
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                if inverse_depth[_u8(j), _u8(i)] < least:
                    return False
        return True
    # What a square shows only comes nearer: what was found before still holds
    for tile_j in range((j0 - row_low) // TILE, (j1 - row_low) // TILE + 1):
        for tile_i in range(i0 // TILE, i1 // TILE + 1):
            if tiles[_u8(tile_j), _u8(tile_i)] >= least:
                continue
            farthest = _f4(np.inf)
            for j in range(row_low + tile_j * TILE, min(row_low + tile_j * TILE + TILE, row_high)):
                for i in range(tile_i * TILE, min(tile_i * TILE + TILE, width)):
                    farthest = min(farthest, inverse_depth[_u8(j), _u8(i)])
            tiles[_u8(tile_j), _u8(tile_i)] = farthest
            if farthest < least:
                return False
    return True
