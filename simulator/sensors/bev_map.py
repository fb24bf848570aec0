"""A town from above, drawn once: what the bird's-eye view samples, turned, at every step.

The picture is kept in square tiles, and only where there is something, so that a town of many kilometres stays small.
Each pixel is a set of bits (`Ground`). North is up: rows run along y, columns along x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache

import numpy as np

from simulator.roads.network import MARK_COLOR, LaneMark, LaneType, RoadArrays, RoadNetwork
from simulator.sensors.stop_lines import STOP, stop_lines

TILE = 256  # pixels along a tile's edge
_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with
_PIECE = 24  # lane points to a polygon, so that a polygon touches few tiles
_LINE_HALF = 0.13  # m, half width of a marking as drawn; it must not fall between two samples
_STOP_HALF = 0.3  # m, half width of a stop line, along the road
_WEDGE = 1.5  # m; gaps in a junction up to twice as wide are closed
_ISLAND = 100.0  # m2; smaller holes in a junction are closed
_MOST_BYTES = 512 << 20  # above this, a town is drawn at half the resolution


Slices = tuple[slice, slice]


class Ground(IntFlag):
    """What a pixel of the town's picture may be at once."""

    LANE = 1  # driving lane
    BESIDE = 2  # parking, bicycle lane, shoulder; the wedges between the lanes of a junction
    SIDEWALK = 4
    CROSSWALK = 8
    SOLID = 16  # marking that may not be crossed from either side
    BROKEN = 32  # marking that may be crossed from one side at least
    STOP = 64  # stop line of a stop sign
    YIELD = 128  # stop line of a yield sign


_AREA = {
    LaneType.DRIVING: Ground.LANE,
    LaneType.PARKING: Ground.BESIDE,
    LaneType.BIKING: Ground.BESIDE,
    LaneType.SHOULDER: Ground.BESIDE,
    LaneType.SIDEWALK: Ground.SIDEWALK,
}
_LINE = {
    LaneMark.SOLID: Ground.SOLID,
    LaneMark.SOLID_SOLID: Ground.SOLID,
    LaneMark.BROKEN: Ground.BROKEN,
    LaneMark.BROKEN_BROKEN: Ground.BROKEN,
    LaneMark.SOLID_BROKEN: Ground.BROKEN,
    LaneMark.BROKEN_SOLID: Ground.BROKEN,
    LaneMark.BOTTS_DOTS: Ground.BROKEN,
}


@dataclass(frozen=True)
class BevMap:
    """A town's picture, and the stop lines whose colour changes.

    Pixel (row, column) of the whole picture covers `origin + (column, row) / scale` to one pixel further.
    """

    tile_index: np.ndarray  # int32[rows of tiles, columns of tiles]: its number, -1 where nothing is
    tiles: np.ndarray  # uint8[N, TILE, TILE] Ground
    origin: np.ndarray  # float64[2] x, y in metres of the first pixel's corner
    scale: float  # pixels per metre
    lines: np.ndarray  # float64[n, 5] `StopLines.light`


def town_from_above(network: RoadNetwork, scale: float = 8.0) -> BevMap:
    """The picture of a town, drawn when it is first asked for.

    Args:
        scale: pixels per metre; a town that would need more than 512 MB is drawn at half of it.
    """
    return _drawn(_Key(network), float(scale))


class _Key:
    """A town by its digest, so that equal towns share a picture."""

    def __init__(self, network: RoadNetwork) -> None:
        self.network = network

    def __hash__(self) -> int:
        return hash(self.network.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.network.digest == other.network.digest


@lru_cache(maxsize=8)
def _drawn(key: _Key, scale: float) -> BevMap:
    net = key.network.arrays
    # every lane, plus as much again for tiles that are not full
    area = 2.0 * float((net.point_width * net.lane_step[net.point_lane]).sum())
    return _Painter(net, scale if area * scale * scale < _MOST_BYTES else 0.5 * scale).paint()


class _Painter:
    def __init__(self, net: RoadArrays, scale: float) -> None:
        self.net, self.scale, self.lines = net, scale, stop_lines(net)
        margin = float(net.point_width.max()) if len(net.point_width) else 1.0
        low = np.array([net.point_x.min(), net.point_y.min()]) - margin
        high = np.array([net.point_x.max(), net.point_y.max()]) + margin
        if len(net.crosswalk_x):
            low = np.minimum(low, [net.crosswalk_x.min(), net.crosswalk_y.min()])
            high = np.maximum(high, [net.crosswalk_x.max(), net.crosswalk_y.max()])
        self.origin = np.floor(low)
        count = np.ceil((high - self.origin) * scale / TILE).astype(int) + 1
        self.index = np.full((count[1], count[0]), -1, np.int32)
        self.tiles: list[np.ndarray] = []

    def paint(self) -> BevMap:
        net = self.net
        for lane in range(len(net.lane_type)):
            area = _AREA.get(LaneType(int(net.lane_type[lane])))
            if area is not None:
                self._lane(lane, area)
        self._close_junctions()
        for k in range(len(net.crosswalk_first) - 1):
            span = slice(net.crosswalk_first[k], net.crosswalk_first[k + 1])
            self._fill(np.stack([net.crosswalk_x[span], net.crosswalk_y[span]], axis=1), Ground.CROSSWALK)
        self._signs()
        tiles = np.stack(self.tiles) if self.tiles else np.zeros((0, TILE, TILE), np.uint8)
        return BevMap(self.index, tiles, self.origin, self.scale, self.lines.light)

    def _lane(self, lane: int, area: Ground) -> None:
        net = self.net
        first, end = int(net.lane_first[lane]), int(net.lane_first[lane + 1])
        span = slice(first, end)
        centre = np.stack([net.point_x[span], net.point_y[span]], axis=1)
        yaw = net.point_yaw[span]
        right = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
        half = 0.5 * net.point_width[span, None]
        marked = net.lane_junction[lane] < 0 and area in (Ground.LANE, Ground.BESIDE)
        for a in range(0, max(end - first - 1, 1), _PIECE):
            b = min(a + _PIECE + 1, end - first)
            piece = slice(a, b)
            edge = half[piece] * right[piece]
            self._fill(np.concatenate([centre[piece] - edge, (centre[piece] + edge)[::-1]]), area)
            if marked:
                for side, marks in ((-1.0, net.point_left_mark), (1.0, net.point_right_mark)):
                    self._marks(centre[piece] + side * edge, right[piece], marks[first + a : first + b])

    def _marks(self, line: np.ndarray, across: np.ndarray, marks: np.ndarray) -> None:
        """Draw the runs of equal markings along an edge."""
        kinds = np.array([_LINE.get(LaneMark(int(mark) % MARK_COLOR), Ground(0)).value for mark in marks])
        starts = np.flatnonzero(np.concatenate([[True], kinds[1:] != kinds[:-1]]))
        for a, b in zip(starts, [*starts[1:], len(kinds)]):
            run = slice(a, min(b + 1, len(kinds)))
            if kinds[a] and run.stop - a > 1:
                half = _LINE_HALF * across[run]
                self._fill(np.concatenate([line[run] - half, (line[run] + half)[::-1]]), Ground(int(kinds[a])))

    def _close_junctions(self) -> None:
        """Lanes through a junction leave wedges and holes between them; those are paved as well."""
        import cv2

        net, margin = self.net, 4.0
        reach = max(round(_WEDGE * self.scale), 1)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        junction = net.lane_junction[net.point_lane]
        for j in range(int(junction.max(initial=-1)) + 1):
            x, y = net.point_x[junction == j], net.point_y[junction == j]
            if not len(x):
                continue
            low = ((np.array([x.min(), y.min()]) - margin - self.origin) * self.scale).astype(int)
            high = ((np.array([x.max(), y.max()]) + margin - self.origin) * self.scale).astype(int)
            bits = self._read(low, high)
            paved = (bits & int(Ground.LANE | Ground.BESIDE | Ground.SIDEWALK) != 0).astype(np.uint8)
            closed = cv2.morphologyEx(paved, cv2.MORPH_CLOSE, disc)
            count, label, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
            small = stats[:, cv2.CC_STAT_AREA] < _ISLAND * self.scale**2
            # what touches the frame goes on outside
            edge = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
            small[np.unique(edge)] = False
            small[0] = False
            closed[small[label]] = 1
            self._add(low, (closed > paved).astype(np.uint8) * np.uint8(Ground.BESIDE))

    def _read(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """uint8[rows, columns] of the pixels from `low` to `high` (columns, rows)."""
        out = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        for number, part, inside in self._overlaps(low, high):
            if number >= 0:
                out[part] = self.tiles[number][inside]
        return out

    def _add(self, low: np.ndarray, bits: np.ndarray) -> None:
        """Add bits from pixel `low` on, where there are tiles."""
        for number, part, inside in self._overlaps(low, low + np.array(bits.shape)[::-1]):
            if number >= 0:
                self.tiles[number][inside] |= bits[part]

    def _overlaps(self, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[int, Slices, Slices]]:
        """Number of every tile in a rectangle, its part of the rectangle, and the rectangle's part of it."""
        last = np.array(self.index.shape)[::-1] - 1
        begin, end = np.maximum(low // TILE, 0), np.minimum((high - 1) // TILE, last)
        for row in range(begin[1], end[1] + 1):
            for column in range(begin[0], end[0] + 1):
                corner = np.array([column, row]) * TILE
                a, b = np.maximum(low, corner), np.minimum(high, corner + TILE)
                part = (slice(a[1] - low[1], b[1] - low[1]), slice(a[0] - low[0], b[0] - low[0]))
                inside = (slice(a[1] - corner[1], b[1] - corner[1]), slice(a[0] - corner[0], b[0] - corner[0]))
                yield int(self.index[row, column]), part, inside

    def _signs(self) -> None:
        for x, y, yaw, half, what in self.lines.sign:
            c, s = np.cos(yaw), np.sin(yaw)
            corners = [(-_STOP_HALF, -half), (-_STOP_HALF, half), (_STOP_HALF, half), (_STOP_HALF, -half)]
            shape = np.array([(x + a * c - b * s, y + a * s + b * c) for a, b in corners])
            self._fill(shape, Ground.STOP if what == STOP else Ground.YIELD)

    def _fill(self, corners: np.ndarray, bit: Ground) -> None:
        """Add a bit inside a polygon float[n, 2] (metres)."""
        import cv2

        pixels = (corners - self.origin) * self.scale
        low = np.maximum(np.floor(pixels.min(axis=0) / TILE).astype(int), 0)
        high = np.minimum(np.floor(pixels.max(axis=0) / TILE).astype(int), np.array(self.index.shape)[::-1] - 1)
        for row in range(low[1], high[1] + 1):
            for column in range(low[0], high[0] + 1):
                corner = np.array([column, row]) * TILE
                first = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1 - corner, 0)
                last = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 1 - corner, TILE)
                mask = np.zeros((last[1] - first[1], last[0] - first[0]), np.uint8)
                # OpenCV's pixel centres have whole coordinates
                shape = np.round((pixels - corner - first - 0.5) * (1 << _SHIFT)).astype(np.int32)
                cv2.fillPoly(mask, [shape], int(bit), cv2.LINE_8, _SHIFT)
                if not mask.any():
                    continue
                number = self.index[row, column]
                if number < 0:
                    number = self.index[row, column] = len(self.tiles)
                    self.tiles.append(np.zeros((TILE, TILE), np.uint8))
                self.tiles[number][first[1] : last[1], first[0] : last[0]] |= mask
