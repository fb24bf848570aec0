"""The path that is driven along a matched route: lane centres, lane changes blended in, going on beyond the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.roads.matching import LanePiece, MatchedRoute
from simulator.roads.network import LaneType, RoadArrays, RoadNetwork

FINE_M = 0.25  # spacing at which the path is put together
BLEND_HALF_M = 15.0  # a lane change takes this long to either side of its middle
CURVATURE_HALF_M = 1.5  # curvature is the change of heading over this much to either side


@dataclass(frozen=True)
class RoutePath:
    """A smooth path of M points, evenly spaced in the plane: point k is `k * step` metres from the start.

    It begins at the route's first position and goes on beyond `end_s`, where the route ends.
    """

    x: np.ndarray  # float64[M] metres, world
    y: np.ndarray  # float64[M]
    z: np.ndarray  # float64[M]
    yaw: np.ndarray  # float64[M] rad, without jumps; starts in (-pi, pi]
    curvature: np.ndarray  # float64[M] 1/m, positive turns right
    lane: np.ndarray  # int32[M] lane index; -1 beyond the end of the road
    lane_s: np.ndarray  # float64[M] metres along that lane
    s: np.ndarray  # float64[M] metres from the start
    step: float  # metres
    end_s: float  # metres

    def __len__(self) -> int:
        return len(self.x)


def route_path(network: RoadNetwork, matched: MatchedRoute, step: float = 0.5, extension: float = 60.0) -> RoutePath:
    """Lay a drivable path along a matched route.

    A lane change runs over 15 m to either side of its middle, less where the path has only just begun. After the last
    position the path goes on for at least `extension` metres, at every fork along the lane that bends least; where the
    road ends it goes on straight, with lane -1.

    Args:
        step: metres between points.
        extension: metres.
    """
    net = network.arrays
    pieces = list(matched.pieces)
    base, jumps = _base_line(net, [*pieces, *_onward(net, pieces[-1], extension + 2 * BLEND_HALF_M)])
    end = int(np.flatnonzero(base.piece < len(pieces))[-1])
    along = _arc_length(base.x, base.y, jumps)
    offset = _lane_change_offset(along, jumps, base)
    x = base.x - np.sin(base.yaw) * offset
    y = base.y + np.cos(base.yaw) * offset
    return _resample(net, x, y, base, end, step, extension)


@dataclass
class _Base:
    """Lane centres of all pieces in a row, about `FINE_M` apart; a lane change is a jump to the side."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    yaw: np.ndarray
    lane: np.ndarray
    lane_s: np.ndarray
    piece: np.ndarray


def _onward(net: RoadArrays, last: LanePiece, distance: float) -> list[LanePiece]:
    """Pieces from the end of `last` along its lane and the straightest lanes after it."""
    lane = last.lane
    length = float(net.lane_length[lane])
    pieces = [LanePiece(lane, last.s_to, length)]
    left = distance - (length - last.s_to)
    while left > 0:
        following = [int(k) for k in net.succ_lane[net.succ_first[lane] : net.succ_first[lane + 1]]]
        following = [k for k in following if net.lane_type[k] == LaneType.DRIVING]
        if not following:
            break
        lane = min(following, key=lambda k: (abs(_bend(net, k)), k))
        pieces.append(LanePiece(lane, 0.0, float(net.lane_length[lane])))
        left -= float(net.lane_length[lane])
    return pieces


def _bend(net: RoadArrays, lane: int) -> float:
    return float(net.point_yaw[net.lane_first[lane + 1] - 1] - net.point_yaw[net.lane_first[lane]])


def _base_line(net: RoadArrays, pieces: list[LanePiece]) -> tuple[_Base, list[int]]:
    """The pieces in a row, and the indices of the first points after a lane change."""
    rows: list[np.ndarray] = []
    jumps = []
    total = 0
    for k, piece in enumerate(pieces):
        part = _centre_line(net, piece.lane, piece.s_from, piece.s_to)
        if rows and not piece.change:
            # Lanes may overlap by centimetres where they meet: keep what lies ahead of the last point.
            x, y, yaw = rows[-1][-1, 0], rows[-1][-1, 1], rows[-1][-1, 3]
            ahead = (part[:, 0] - x) * math.cos(yaw) + (part[:, 1] - y) * math.sin(yaw)
            near = np.hypot(part[:, 0] - x, part[:, 1] - y) < 2.0
            part = part[~(near & (ahead < 0.2 * FINE_M))]
        if not len(part):
            continue
        if piece.change:
            jumps.append(total)
        rows.append(np.column_stack([part, np.full(len(part), piece.lane), np.full(len(part), k)]))
        total += len(part)
    table = np.concatenate(rows)
    base = _Base(
        x=table[:, 0],
        y=table[:, 1],
        z=table[:, 2],
        yaw=table[:, 3],
        lane_s=table[:, 4],
        lane=table[:, 5].astype(np.int32),
        piece=table[:, 6].astype(np.int64),
    )
    return base, jumps


def _centre_line(net: RoadArrays, lane: int, s_from: float, s_to: float) -> np.ndarray:
    """float64[n, 5] x, y, z, yaw, s of the lane's centre, both ends included; cubic between lane points."""
    first, last = int(net.lane_first[lane]), int(net.lane_first[lane + 1]) - 1
    step = float(net.lane_step[lane])
    count = max(math.ceil((s_to - s_from) / FINE_M), 1) + 1 if s_to > s_from else 1
    s = np.linspace(s_from, s_to, count)
    at = np.clip(s / step, 0.0, last - first)
    a = first + np.minimum(at.astype(np.int64), last - first - 1)
    t = first + at - a
    chord = np.hypot(net.point_x[a + 1] - net.point_x[a], net.point_y[a + 1] - net.point_y[a])

    def hermite(values: np.ndarray, slope: np.ndarray) -> np.ndarray:
        v0, v1, m0, m1 = values[a], values[a + 1], slope[a] * chord, slope[a + 1] * chord
        cubic: np.ndarray = (
            v0 * (1 + 2 * t) * (1 - t) ** 2 + m0 * t * (1 - t) ** 2 + v1 * t**2 * (3 - 2 * t) + m1 * t**2 * (t - 1)
        )
        return cubic

    turn = net.point_yaw[a + 1] - net.point_yaw[a]
    return np.column_stack(
        [
            hermite(net.point_x, np.cos(net.point_yaw)),
            hermite(net.point_y, np.sin(net.point_yaw)),
            net.point_z[a] + t * (net.point_z[a + 1] - net.point_z[a]),
            net.point_yaw[a] + t * np.arctan2(np.sin(turn), np.cos(turn)),
            s,
        ]
    )


def _arc_length(x: np.ndarray, y: np.ndarray, jumps: list[int]) -> np.ndarray:
    """Metres along the base line, not counting the steps to the side."""
    steps = np.hypot(np.diff(x), np.diff(y))
    steps[[j - 1 for j in jumps]] = 0.0
    return np.concatenate([[0.0], np.cumsum(steps)])


def _lane_change_offset(along: np.ndarray, jumps: list[int], base: _Base) -> np.ndarray:
    """How far to the right of the base line the path runs, so that its jumps become smooth changes.

    Each change adds a smooth step minus the sudden one, so changes in quick succession simply add up.
    """
    offset = np.zeros(len(along))
    for j in jumps:
        yaw = base.yaw[j]
        across = -(base.x[j] - base.x[j - 1]) * math.sin(yaw) + (base.y[j] - base.y[j - 1]) * math.cos(yaw)
        begin = max(along[j] - BLEND_HALF_M, along[0])
        share = np.clip((along - begin) / (along[j] + BLEND_HALF_M - begin), 0.0, 1.0)
        smooth = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        smooth[j:] -= 1.0
        offset += across * smooth
    return offset


def _resample(
    net: RoadArrays, x: np.ndarray, y: np.ndarray, base: _Base, end: int, step: float, extension: float
) -> RoutePath:
    # The two sides of a lane change meet in one point: keep one of them, a tiny step has no heading.
    keep = np.concatenate([[True], np.hypot(np.diff(x), np.diff(y)) > 0.2 * FINE_M])
    kept = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x[keep]), np.diff(y[keep])))])
    end_s = float(kept[np.count_nonzero(keep[: end + 1]) - 1])
    count = math.ceil((end_s + extension) / step) + 1
    s = np.arange(count) * step
    beyond = np.maximum(s - kept[-1], 0.0)
    index = np.clip(np.searchsorted(kept, s, side="right") - 1, 0, len(kept) - 1)

    heading = _heading(x[keep], y[keep], kept)
    yaw = np.interp(s, kept, heading)
    lane = np.where(beyond > 0, -1, base.lane[keep][index]).astype(np.int32)
    lane_s = np.minimum(base.lane_s[keep][index] + s - kept[index], net.lane_length[lane])
    lane_s[lane < 0] = 0.0
    half = max(round(CURVATURE_HALF_M / step), 1)
    low, high = np.maximum(np.arange(count) - half, 0), np.minimum(np.arange(count) + half, count - 1)
    return RoutePath(
        x=np.interp(s, kept, x[keep]) + beyond * math.cos(heading[-1]),
        y=np.interp(s, kept, y[keep]) + beyond * math.sin(heading[-1]),
        z=np.interp(s, kept, base.z[keep]),
        yaw=yaw,
        curvature=(yaw[high] - yaw[low]) / ((high - low) * step),
        lane=lane,
        lane_s=lane_s,
        s=s,
        step=step,
        end_s=end_s,
    )


def _heading(x: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Direction of the line at its points, without jumps, from central differences."""
    if len(x) < 2:
        return np.zeros(len(x))
    yaw: np.ndarray = np.unwrap(np.arctan2(np.gradient(y, s), np.gradient(x, s)))
    return yaw
