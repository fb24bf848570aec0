"""Questions to a road network that kernels ask in every tick: where am I, what lies ahead.

Scalar functions over `RoadArrays`; nothing is allocated. Angles in radians, lengths in metres, CARLA's frame.
`lateral` is the offset from a lane's centreline, positive to the right of the direction of travel.

They take a `RoadArrays` or its bundle (`simulator.array_bundle`). Numba counts a reference for each array of a plain
`RoadArrays` at every call that it does not inline, which costs about a microsecond; a bundle is one pointer.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel
from simulator.roads.network import RoadArrays, RoadNetwork

SEARCH_LIMIT = 100.0  # metres around a position in which lanes are looked for
_HALF_SEGMENT = 0.51  # metres; lane points are at most 1 m apart


@kernel
def nearest_lane(net: RoadArrays, x: float, y: float, z: float, mask: int) -> tuple[int, float, float, float]:
    """Lane of the types in `mask` (bits `1 << LaneType`) whose centreline is nearest in 3-D, as CARLA's get_waypoint.

    Returns:
        lane (-1 where there is none within `SEARCH_LIMIT`), s, lateral, and the distance to the centreline in metres.
        Of several lanes at the same distance the one of the lowest number.
    """
    return _search(
        net.grid_origin, net.grid_size, net.grid_cell, net.cell_first, net.cell_point, net.point_lane,
        net.point_x, net.point_y, net.point_z, net.point_yaw, net.lane_first, net.lane_type, net.lane_step,
        x, y, z, mask, 0.0, False,
    )  # fmt: skip


@kernel
def nearest_lane_aligned(
    net: RoadArrays, x: float, y: float, z: float, yaw: float, mask: int
) -> tuple[int, float, float, float]:
    """As `nearest_lane`, among lanes whose direction is within 90 degrees of `yaw`."""
    return _search(
        net.grid_origin, net.grid_size, net.grid_cell, net.cell_first, net.cell_point, net.point_lane,
        net.point_x, net.point_y, net.point_z, net.point_yaw, net.lane_first, net.lane_type, net.lane_step,
        x, y, z, mask, yaw, True,
    )  # fmt: skip


@kernel
def _search(
    grid_origin: np.ndarray, grid_size: np.ndarray, grid_cell: np.ndarray, cell_first: np.ndarray,
    cell_point: np.ndarray, point_lane: np.ndarray, point_x: np.ndarray, point_y: np.ndarray, point_z: np.ndarray,
    point_yaw: np.ndarray, lane_first: np.ndarray, lane_type: np.ndarray, lane_step: np.ndarray,
    x: float, y: float, z: float, mask: int, yaw: float, aligned: bool,
) -> tuple[int, float, float, float]:  # fmt: skip
    cell = grid_cell[0]
    size_x, size_y = grid_size[0], grid_size[1]
    # A position off the grid starts from the ring that touches it.
    cx = math.floor((x - grid_origin[0]) / cell) if abs(x) < 1e9 else -1000000
    cy = math.floor((y - grid_origin[1]) / cell) if abs(y) < 1e9 else -1000000
    outside = max(max(-cx, cx - size_x + 1), max(-cy, cy - size_y + 1), 0)
    last_ring = math.ceil(SEARCH_LIMIT / cell) + 1
    forward_x, forward_y = math.cos(yaw), math.sin(yaw)
    best_lane, best_s, best_x, best_y, best_yaw = -1, 0.0, 0.0, 0.0, 0.0
    best = SEARCH_LIMIT * SEARCH_LIMIT
    # The foot on the nearest segment is at most half a segment from one of its two points.
    point_limit = (SEARCH_LIMIT + _HALF_SEGMENT) ** 2
    # From the position to the nearest edge of its own cell.
    fx = (x - grid_origin[0]) / cell - cx
    fy = (y - grid_origin[1]) / cell - cy
    margin = max(min(fx, 1.0 - fx, fy, 1.0 - fy), 0.0) * cell
    for ring in range(outside, last_ring + 1):
        bound = (ring - 1) * cell + margin
        if bound > 0.0 and bound * bound > point_limit:
            break
        for iy in range(max(cy - ring, 0), min(cy + ring, size_y - 1) + 1):
            step = 1 if iy == cy - ring or iy == cy + ring else max(2 * ring, 1)
            for ix in range(cx - ring, cx + ring + 1, step):
                if ix < 0 or ix >= size_x:
                    continue
                here = iy * size_x + ix
                for k in range(cell_first[here], cell_first[here + 1]):
                    p = cell_point[k]
                    dx, dy, dz = x - point_x[p], y - point_y[p], z - point_z[p]
                    if dx * dx + dy * dy + dz * dz > point_limit:
                        continue
                    lane = point_lane[p]
                    if (mask >> lane_type[lane]) & 1 == 0:
                        continue
                    first, end = lane_first[lane], lane_first[lane + 1]
                    for a in range(max(p - 1, first), min(p, end - 2) + 1):
                        ux = point_x[a + 1] - point_x[a]
                        uy = point_y[a + 1] - point_y[a]
                        if aligned and ux * forward_x + uy * forward_y <= 0.0:
                            continue
                        uz = point_z[a + 1] - point_z[a]
                        wx, wy, wz = x - point_x[a], y - point_y[a], z - point_z[a]
                        t = (wx * ux + wy * uy + wz * uz) / max(ux * ux + uy * uy + uz * uz, 1e-18)
                        t = min(max(t, 0.0), 1.0)
                        rx, ry, rz = wx - t * ux, wy - t * uy, wz - t * uz
                        gap = rx * rx + ry * ry + rz * rz
                        if gap < best or (gap == best and (best_lane < 0 or lane < best_lane)):
                            best = gap
                            point_limit = (math.sqrt(gap) + _HALF_SEGMENT) ** 2
                            best_lane = lane
                            best_s = (a - first + t) * lane_step[lane]
                            best_x, best_y = rx, ry
                            best_yaw = point_yaw[a] + t * (point_yaw[a + 1] - point_yaw[a])
    lateral = -best_x * math.sin(best_yaw) + best_y * math.cos(best_yaw)
    return best_lane, best_s, lateral, math.sqrt(best) if best_lane >= 0 else math.inf


@kernel
def follow_lane(net: RoadArrays, lane: int, s_hint: float, x: float, y: float) -> tuple[float, float, int]:
    """Project (x, y) on a lane near `s_hint`: for actors that move a little each tick.

    Returns:
        s, lateral, beyond. `beyond` is 0 on the lane; +1 past its end, where s goes on growing past the lane's length
        along the direction of its end; -1 before its start, where s is negative likewise.
    """
    first = net.lane_first[lane]
    last = net.lane_first[lane + 1] - 2 - first
    step = net.lane_step[lane]
    a = min(max(int(s_hint / step), 0), last)
    came = 0
    while True:
        p = first + a
        ux, uy = net.point_x[p + 1] - net.point_x[p], net.point_y[p + 1] - net.point_y[p]
        wx, wy = x - net.point_x[p], y - net.point_y[p]
        t = (wx * ux + wy * uy) / max(ux * ux + uy * uy, 1e-18)
        if t > 1.0 and a < last and came >= 0:
            a += 1
            came = 1
        elif t < 0.0 and a > 0 and came <= 0:
            a -= 1
            came = -1
        else:
            break
    beyond = 0
    if t > 1.0:
        if a == last:
            beyond = 1
        else:
            t = 1.0  # the outside of a corner, walked to from ahead
    elif t < 0.0:
        if a == 0:
            beyond = -1
        else:
            t = 0.0
    rx, ry = wx - t * ux, wy - t * uy
    f = min(max(t, 0.0), 1.0)
    yaw = net.point_yaw[p] + f * (net.point_yaw[p + 1] - net.point_yaw[p])
    return (a + t) * step, -rx * math.sin(yaw) + ry * math.cos(yaw), beyond


@kernel
def _locate(net: RoadArrays, lane: int, s: float) -> tuple[int, float]:
    """Index of the point before s, and the fraction of the way to the next; clamped to the lane."""
    first = net.lane_first[lane]
    last = net.lane_first[lane + 1] - 2 - first
    u = s / net.lane_step[lane]
    a = min(max(int(u), 0), last)
    return first + a, min(max(u - a, 0.0), 1.0)


@kernel
def lane_pose(net: RoadArrays, lane: int, s: float) -> tuple[float, float, float, float]:
    """x, y, z, yaw of the centreline at s (clamped to the lane)."""
    p, t = _locate(net, lane, s)
    return (
        net.point_x[p] + t * (net.point_x[p + 1] - net.point_x[p]),
        net.point_y[p] + t * (net.point_y[p + 1] - net.point_y[p]),
        net.point_z[p] + t * (net.point_z[p + 1] - net.point_z[p]),
        net.point_yaw[p] + t * (net.point_yaw[p + 1] - net.point_yaw[p]),
    )


@kernel
def lane_pitch(net: RoadArrays, lane: int, s: float) -> float:
    """Slope at s in radians, up positive."""
    p, t = _locate(net, lane, s)
    return net.point_pitch[p] + t * (net.point_pitch[p + 1] - net.point_pitch[p])


@kernel
def lane_width(net: RoadArrays, lane: int, s: float) -> float:
    """Width at s in metres."""
    p, t = _locate(net, lane, s)
    return net.point_width[p] + t * (net.point_width[p + 1] - net.point_width[p])


@kernel
def lane_curvature(net: RoadArrays, lane: int, s: float) -> float:
    """Curvature at s in 1/m, positive where the lane bends right."""
    p, t = _locate(net, lane, s)
    return net.point_curvature[p] + t * (net.point_curvature[p + 1] - net.point_curvature[p])


@kernel
def lane_change_allowed(net: RoadArrays, lane: int, s: float) -> int:
    """`LANE_CHANGE_*` bits that the markings allow at s."""
    p, t = _locate(net, lane, s)
    return net.point_change[p + 1] if t > 0.5 else net.point_change[p]


@kernel
def advance(net: RoadArrays, lane: int, s: float, distance: float, branch: int) -> tuple[int, float]:
    """Lane and s that lie `distance` metres ahead, as the waypoint `next(distance)[branch]`.

    At every lane end the successor number `branch` is taken (0 is CARLA's first), the last one where there are fewer;
    a lane without successor ends the way at its end.
    """
    s += distance
    while s > net.lane_length[lane]:
        first, count = net.succ_first[lane], net.succ_first[lane + 1] - net.succ_first[lane]
        if count == 0:
            return lane, net.lane_length[lane]
        s -= net.lane_length[lane]
        lane = net.succ_lane[first + min(max(branch, 0), count - 1)]
    return lane, max(s, 0.0)


@kernel
def retreat(net: RoadArrays, lane: int, s: float, distance: float, branch: int) -> tuple[int, float]:
    """Lane and s that lie `distance` metres back; the mirror image of `advance` over predecessors."""
    s -= distance
    while s < 0.0:
        first, count = net.pred_first[lane], net.pred_first[lane + 1] - net.pred_first[lane]
        if count == 0:
            return lane, 0.0
        lane = net.pred_lane[first + min(max(branch, 0), count - 1)]
        s += net.lane_length[lane]
    return lane, min(s, net.lane_length[lane])


def affected_points(network: RoadNetwork) -> np.ndarray:
    """float64[N, 3] x, y, z of the waypoints that lights affect (CARLA: get_affected_lane_waypoints), by light."""
    arrays = network.arrays
    return np.stack([arrays.light_affected_x, arrays.light_affected_y, arrays.light_affected_z], axis=1)
