"""Boxes on the ground that overlap, for criteria that look ahead."""

from __future__ import annotations

import math

from simulator.kernel import kernel


@kernel
def boxes_overlap(xi, yi, yaw_i, length_i, width_i, xj, yj, yaw_j, length_j, width_j):  # type: ignore[no-untyped-def]
    """Whether two boxes share ground (separating axes; boxes that only touch do not).

    Args:
        x, y: centres, metres. yaw: rad. length, width: half sizes, metres.
    """
    dx = xi - xj
    dy = yi - yj
    reach = math.hypot(length_i, width_i) + math.hypot(length_j, width_j)
    if dx * dx + dy * dy >= reach * reach:
        return False
    ci, si = math.cos(yaw_i), math.sin(yaw_i)
    cj, sj = math.cos(yaw_j), math.sin(yaw_j)
    cc = abs(ci * cj + si * sj)
    sc = abs(si * cj - ci * sj)
    return (
        abs(dx * ci + dy * si) < length_i + length_j * cc + width_j * sc
        and abs(-dx * si + dy * ci) < width_i + length_j * sc + width_j * cc
        and abs(dx * cj + dy * sj) < length_j + length_i * cc + width_i * sc
        and abs(-dx * sj + dy * cj) < width_j + length_i * sc + width_i * cc
    )
