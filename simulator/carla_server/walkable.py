"""Where people can walk in a town, as convex polygons: what a navigation mesh is made of.

The ground that cameras see is drawn on a grid, tile by tile: sidewalks, the road, crosswalks on it. Connected cells of
one kind become a region; the lines between regions are thinned out, each once for both of its sides, so that neighbours
share edges; regions are cut into triangles, and triangles joined to convex polygons again. Where roads lie above each
other, the lowest counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import cv2
import numpy as np

from simulator.roads.network import RoadArrays
from simulator.scenery.mesh import Mesh
from simulator.scenery.tags import Tag
from simulator.scenery.triangulate import triangulate

TILE = 40.0  # metres
CELL = 0.4  # metres
MAX_CORNERS = 6  # of a polygon
_MARGIN = 6  # cells drawn around a tile, for what looks at neighbours
_THIN = 3  # cells: narrower sidewalks, such as the kerbs of medians, are none
_TOLERANCE = 0.3  # metres that a thinned line may lie beside the grid's
_STEEPNESS = 3.0  # how much more an error of height counts than one of place
_SHIFT = 4  # bits of a cell's fractions when triangles are drawn


class Area(IntEnum):
    """Kind of ground, as CARLA's navigation numbers it."""

    NONE = 0
    SIDEWALK = 1
    CROSSWALK = 2
    ROAD = 3


@dataclass(frozen=True)
class Tile:
    """The polygons of one square of the town."""

    column: int
    row: int
    vertex: np.ndarray  # float64[V, 3] metres, world
    polygons: list[list[int]]  # corners of each, counter-clockwise in (x, y)
    area: list[int]  # Area of each


def walkable_tiles(mesh: Mesh, net: RoadArrays) -> tuple[np.ndarray, list[Tile]]:
    """The town's origin float64[2] (lower corner of tile 0, 0) and its tiles that hold any polygons.

    Args:
        mesh: of `TownScenery`. net: for its crosswalks.
    """
    flat = np.flatnonzero((mesh.normal[:, 2] > 0.7) & ((mesh.tag == Tag.ROAD) | (mesh.tag == Tag.SIDEWALK)))
    corner = mesh.vertex[mesh.triangle[flat]].astype(np.float64)
    if not len(corner):
        return np.zeros(2), []
    ground = _Ground(corner, mesh.tag[flat] == Tag.SIDEWALK, mesh.normal[flat].astype(np.float64), net)
    low = np.floor(corner[:, :, :2].min(axis=(0, 1)) / TILE) * TILE
    columns, rows = np.ceil((corner[:, :, :2].max(axis=(0, 1)) - low) / TILE).astype(int)
    tiles = []
    for row in range(rows):
        for column in range(columns):
            tile = _tile(ground, low, column, row)
            if tile.polygons:
                tiles.append(tile)
    return low, tiles


class _Ground:
    """The flat triangles of a town, highest first."""

    def __init__(self, corner: np.ndarray, walk: np.ndarray, normal: np.ndarray, net: RoadArrays) -> None:
        order = np.argsort(-corner[:, :, 2].mean(axis=1), kind="stable")
        self.corner, self.walk, self.normal = corner[order], walk[order], normal[order]
        self.low, self.high = self.corner[:, :, :2].min(axis=1), self.corner[:, :, :2].max(axis=1)
        first = net.crosswalk_first
        self.crosswalks = [
            np.stack([net.crosswalk_x[a:b], net.crosswalk_y[a:b]], axis=1) for a, b in pairwise(first.tolist())
        ]

    def draw(self, low: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
        """int32[cells, cells] numbers of the road's and the sidewalks' triangles in a square, -1 for none."""
        high = low + cells * CELL
        near = np.flatnonzero((self.low < high).all(axis=1) & (self.high > low).all(axis=1))
        road, walk = (np.full((cells, cells), -1, np.int32) for _ in range(2))
        scaled = np.round(((self.corner[near, :, :2] - low) / CELL - 0.5) * (1 << _SHIFT)).astype(np.int32)
        for number, points in zip(near, scaled):
            cv2.fillConvexPoly(walk if self.walk[number] else road, points, int(number), cv2.LINE_8, _SHIFT)
        return road, walk

    def draw_crosswalks(self, low: np.ndarray, cells: int) -> np.ndarray:
        """uint8[cells, cells]"""
        out = np.zeros((cells, cells), np.uint8)
        for polygon in self.crosswalks:
            points = np.round(((polygon - low) / CELL - 0.5) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(out, [points], 1, cv2.LINE_8, _SHIFT)
        return out

    def height(self, number: int, x: float, y: float) -> float:
        """Of a triangle's plane."""
        (ax, ay, az), (nx, ny, nz) = self.corner[number, 0], self.normal[number]
        return float(az - (nx * (x - ax) + ny * (y - ay)) / nz)


def _tile(ground: _Ground, origin: np.ndarray, column: int, row: int) -> Tile:
    inner = round(TILE / CELL)
    low = origin + TILE * np.array([column, row]) - _MARGIN * CELL
    road, walk = ground.draw(low, inner + 2 * _MARGIN)
    ones = np.ones((_THIN, _THIN), np.uint8)
    is_walk = cv2.morphologyEx((walk >= 0).astype(np.uint8), cv2.MORPH_OPEN, ones)
    closed = cv2.morphologyEx(((road >= 0) | (is_walk > 0)).astype(np.uint8), cv2.MORPH_CLOSE, ones)
    anywhere = cv2.erode(closed, np.ones((3, 3), np.uint8))  # a walker's shoulders stay on the pavement
    area = np.where(is_walk > 0, Area.SIDEWALK, Area.ROAD) * anywhere
    area[(area == Area.ROAD) & (ground.draw_crosswalks(low, inner + 2 * _MARGIN) > 0)] = Area.CROSSWALK
    cut = slice(_MARGIN, _MARGIN + inner)
    surface = np.where(is_walk > 0, walk, road)
    known: dict[tuple[int, int], float] = {}

    def height(r: int, c: int) -> float:
        """Of the ground at a lattice point."""
        if (r, c) not in known:
            x, y = low + (np.array([c, r]) + _MARGIN) * CELL
            number = _nearest(surface, r + _MARGIN, c + _MARGIN)
            known[r, c] = ground.height(number, x, y) if number >= 0 else 0.0
        return known[r, c]

    shapes = _Shapes(area[cut, cut].astype(np.int32), height)
    vertex: dict[tuple[float, float], int] = {}
    places: list[tuple[float, float, float]] = []
    polygons, areas = [], []
    for kind, outline, holes in shapes.regions():
        points, triangles = triangulate(outline, holes)
        for polygon in _joined([list(t) for t in triangles], points):
            corners = []
            for c, r in points[polygon]:
                key = (float(c), float(r))
                if key not in vertex:
                    vertex[key] = len(places)
                    x, y = (low + (np.array(key) + _MARGIN) * CELL).tolist()
                    places.append((x, y, height(int(r), int(c))))
                corners.append(vertex[key])
            polygons.append(corners)
            areas.append(int(kind))
    return Tile(column, row, np.array(places, np.float64).reshape(-1, 3), polygons, areas)


def _nearest(surface: np.ndarray, r: int, c: int) -> int:
    """Number of the triangle at a lattice point, or near it."""
    for reach in range(1, _MARGIN):
        window = surface[r - reach : r + reach, c - reach : c + reach]
        found = window[window >= 0]
        if len(found):
            return int(found[len(found) // 2])
    return -1


class _Shapes:
    """Outlines of the regions of a grid, in lattice units; lines between regions are thinned once for both sides."""

    def __init__(self, area: np.ndarray, height: Callable[[int, int], float]) -> None:
        self.height = height
        region = np.zeros(area.shape, np.int32)
        self.kinds = [Area.NONE]
        for kind in (Area.SIDEWALK, Area.CROSSWALK, Area.ROAD):
            count, labels = cv2.connectedComponents((area == kind).astype(np.uint8), connectivity=4)
            region[labels > 0] = labels[labels > 0] + len(self.kinds) - 1
            self.kinds += [kind] * (count - 1)
        self.padded = np.pad(region, 1, constant_values=-1)
        p = self.padded
        # edges of the lattice between different regions: right[r, c] from (r, c) to (r, c + 1), down likewise
        right, down = p[:-1, 1:-1] != p[1:, 1:-1], p[1:-1, :-1] != p[1:-1, 1:]
        rows, columns = area.shape
        degree = np.zeros((rows + 1, columns + 1), np.int8)
        degree[:, :-1] += right
        degree[:, 1:] += right
        degree[:-1] += down
        degree[1:] += down
        self.is_node = degree > 2
        self.is_node[[0, 0, -1, -1], [0, -1, 0, -1]] = True

    def regions(self) -> list[tuple[Area, np.ndarray, list[np.ndarray]]]:
        """(kind, outline, holes) of each region: float64[n, 2] columns and rows."""
        found: list[tuple[Area, np.ndarray, list[np.ndarray]]] = []
        loops = self._loops()
        for number, kind in enumerate(self.kinds):
            if kind == Area.NONE:
                continue
            outline, holes = None, []
            for loop in loops.get(number, []):
                points = self._thinned(loop)
                if len(points) < 3:
                    continue
                size = _signed_area(points)
                if size > 0.0 and (outline is None or size > _signed_area(outline)):
                    outline = points
                elif size < 0.0:
                    holes.append(points)
            if outline is not None:
                found.append((kind, outline, [h for h in holes if abs(_signed_area(h)) > 1.0]))
        return found

    def _loops(self) -> dict[int, list[list[tuple[int, int]]]]:
        """Closed walks of (row, column) along each region's border: counter-clockwise in (column, row) around outlines,
        clockwise around holes."""
        p = self.padded
        nexts: dict[int, dict[tuple[int, int], list[tuple[int, int]]]] = {}

        def add(region: int, start: tuple[int, int], end: tuple[int, int]) -> None:
            if region > 0:
                nexts.setdefault(region, {}).setdefault(start, []).append(end)

        for r, c in zip(*np.nonzero(p[:-1, 1:-1] != p[1:, 1:-1])):
            add(int(p[r + 1, c + 1]), (r, c), (r, c + 1))  # the region at larger rows: column rises
            add(int(p[r, c + 1]), (r, c + 1), (r, c))
        for r, c in zip(*np.nonzero(p[1:-1, :-1] != p[1:-1, 1:])):
            add(int(p[r + 1, c + 1]), (r + 1, c), (r, c))
            add(int(p[r + 1, c]), (r, c), (r + 1, c))
        loops: dict[int, list[list[tuple[int, int]]]] = {}
        for region, steps in nexts.items():
            while steps:
                start = min(steps)
                loop, at, came = [start], start, (0, 0)
                while True:
                    ends = steps[at]
                    # where two corners of the region touch, turn towards the region's inside
                    end = _inmost(came, at, ends)
                    ends.remove(end)
                    if not ends:
                        del steps[at]
                    came, at = (end[0] - at[0], end[1] - at[1]), end
                    if at == start:
                        break
                    loop.append(at)
                loops.setdefault(region, []).append(loop)
        return loops

    def _thinned(self, loop: list[tuple[int, int]]) -> np.ndarray:
        """float64[n, 2] columns and rows of what is left of a closed walk."""
        nodes = [k for k, (r, c) in enumerate(loop) if self.is_node[r, c]]
        if len(nodes) < 2:
            nodes = sorted({loop.index(min(loop)), loop.index(max(loop)), *nodes})
        out: list[tuple[int, int]] = []
        for a, b in zip(nodes, [*nodes[1:], nodes[0] + len(loop)]):
            piece = [loop[k % len(loop)] for k in range(a, b + 1)]
            forward = (piece[0], piece[1]) <= (piece[-1], piece[-2])
            line = piece if forward else piece[::-1]
            kept = _thin(np.array([(r * CELL, c * CELL, _STEEPNESS * self.height(r, c)) for r, c in line]))
            points = [point for point, keep in zip(line, kept) if keep]
            out += (points if forward else points[::-1])[:-1]
        return np.array([(c, r) for r, c in out], np.float64)


def _inmost(came: tuple[int, int], at: tuple[int, int], ends: list[tuple[int, int]]) -> tuple[int, int]:
    """The end that turns most towards the region (row, column steps)."""
    return max(ends, key=lambda e: came[1] * (e[0] - at[0]) - came[0] * (e[1] - at[1]))


def _signed_area(polygon: np.ndarray) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _thin(points: np.ndarray) -> np.ndarray:
    """bool[n] the ends, and what lies further than the tolerance from the line without it (Douglas and Peucker 1973).

    `points`: float64[n, 3] metres.
    """
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        a, b = spans.pop()
        if b - a < 2:
            continue
        line = points[b] - points[a]
        away = points[a + 1 : b] - points[a]
        size = float(line @ line)
        share = np.clip(away @ line / size, 0.0, 1.0) if size else np.zeros(len(away))
        distance = np.linalg.norm(away - share[:, None] * line, axis=1)
        k = int(np.argmax(distance))
        if distance[k] > _TOLERANCE:
            keep[a + 1 + k] = True
            spans += [(a, a + 1 + k), (a + 1 + k, b)]
    return keep


def _joined(polygons: list[list[int]], points: np.ndarray) -> list[list[int]]:
    """Join polygons over shared edges, longest first, while they stay convex and have no more than `MAX_CORNERS`."""
    owner: dict[tuple[int, int], int] = {}
    for number, polygon in enumerate(polygons):
        for a, b in zip(polygon, [*polygon[1:], polygon[0]]):
            owner[a, b] = number
    shared = [(a, b) for (a, b) in owner if a < b and (b, a) in owner]
    shared.sort(key=lambda e: (-float(np.hypot(*(points[e[0]] - points[e[1]]))), e))
    for a, b in shared:
        one, two = owner[a, b], owner[b, a]
        if one == two:
            continue
        p, q = polygons[one], polygons[two]
        if len(p) + len(q) - 2 > MAX_CORNERS:
            continue
        i, j = p.index(b), q.index(a)
        whole = p[i:] + p[:i] + (q[j:] + q[:j])[1:-1]
        if _is_convex(points[whole]):
            polygons[one], polygons[two] = whole, []
            for c, d in zip(whole, [*whole[1:], whole[0]]):
                owner[c, d] = one
    return [p for p in polygons if p]


def _is_convex(corner: np.ndarray) -> bool:
    edge = np.roll(corner, -1, axis=0) - corner
    after = np.roll(edge, -1, axis=0)
    return bool((edge[:, 0] * after[:, 1] - edge[:, 1] * after[:, 0] >= 0.0).all())
