"""What lies between the paths of a junction: asphalt in the wedges, sidewalks around the corners.

Paths through a junction overlap and leave gaps, so the ground there is drawn on a grid of 0.2 m, and its outlines
become polygons again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from simulator.scenery.borders import Section
from simulator.scenery.ground import RAISED_TYPES, ROAD_TYPES
from simulator.scenery.mesh import MeshBuilder, strip, wall
from simulator.scenery.surfaces import ASPHALT, KERB, KERB_HEIGHT, SIDEWALK
from simulator.scenery.tags import Material, Tag
from simulator.scenery.triangulate import triangulate

_CELL = 0.2  # metres
_MARGIN = 10.0  # metres around the junction's own lanes
_LAYER = 2.0  # metres of height within which roads meet
_WEDGE = 2.6  # metres: gaps up to twice as wide between paths are asphalt
_LARGEST_ISLAND = 160.0  # square metres; larger ones, such as a roundabout's, stay green
_CORNER = 5.0  # metres: gaps up to twice as wide between sidewalks and road are closed
_BELOW = 0.012  # metres of the fill under the paths
_THINNEST = 0.6  # square metres of a piece


@dataclass
class _Grid:
    low: np.ndarray
    shape: tuple[int, int]
    road: np.ndarray  # uint8: lanes for wheels
    walk: np.ndarray  # uint8: sidewalks
    own: np.ndarray  # uint8: lanes of the junction itself
    height: np.ndarray  # float32


def add_junctions(out: MeshBuilder, sections: list[Section]) -> None:
    """Fill all junctions of a town."""
    boxes = [(s.edge.reshape(-1, 3).min(axis=0), s.edge.reshape(-1, 3).max(axis=0)) for s in sections]
    for junction in sorted({s.junction for s in sections if s.junction >= 0}):
        own = [k for k, s in enumerate(sections) if s.junction == junction]
        around = np.array([_MARGIN, _MARGIN, _LAYER])
        low = np.min([boxes[k][0] for k in own], axis=0) - around
        high = np.max([boxes[k][1] for k in own], axis=0) + around
        near = [k for k, (a, b) in enumerate(boxes) if (a <= high).all() and (b >= low).all()]
        grid = _draw([sections[k] for k in near], junction, low, high)
        if grid is not None:
            _fill(out, grid)


def _draw(sections: list[Section], junction: int, low: np.ndarray, high: np.ndarray) -> _Grid | None:
    shape = (int((high[1] - low[1]) / _CELL) + 2, int((high[0] - low[0]) / _CELL) + 2)
    road, walk, own = (np.zeros(shape, np.uint8) for _ in range(3))
    height = np.full(shape, np.nan, np.float32)
    for section in sections:
        for i, kind in enumerate(section.type):
            if kind not in ROAD_TYPES and kind not in RAISED_TYPES:
                continue
            layer = road if kind in ROAD_TYPES else walk
            left, right = section.edge[i], section.edge[i + 1]
            for k in range(len(left) - 1):
                quad = np.array([left[k], left[k + 1], right[k + 1], right[k]])
                if quad[:, 2].min() > high[2] or quad[:, 2].max() < low[2]:
                    continue
                corners = np.round((quad[:, :2] - low[:2]) / _CELL * 16).astype(np.int32)
                cv2.fillConvexPoly(layer, corners, 1, cv2.LINE_8, 4)
                if section.junction == junction:
                    cv2.fillConvexPoly(own, corners, 1, cv2.LINE_8, 4)
            points = np.concatenate([left, right])
            fine = np.concatenate([points] + [points[:-1] + t * (points[1:] - points[:-1]) for t in (0.25, 0.5, 0.75)])
            c, r = np.round((fine[:, :2] - low[:2]) / _CELL).astype(int).T
            ok = (c >= 0) & (r >= 0) & (c < shape[1]) & (r < shape[0]) & (fine[:, 2] > low[2]) & (fine[:, 2] < high[2])
            height[r[ok], c[ok]] = fine[ok, 2]
    known = np.isfinite(height)
    if not known.any() or not own.any():
        return None
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = np.zeros(label.max() + 1, np.float32)
    value[label[known]] = height[known]
    smooth: np.ndarray = np.asarray(cv2.GaussianBlur(value[label], (0, 0), 1.0 / _CELL))
    return _Grid(low[:2], shape, road, walk, own, smooth)


def _fill(out: MeshBuilder, grid: _Grid) -> None:
    zone = _grown(grid.own, 3.0)
    road = _closed(grid.road, _WEDGE)
    road = np.where(zone > 0, road, grid.road).astype(np.uint8)
    _, label, stats, _ = cv2.connectedComponentsWithStats(1 - road, connectivity=4)
    for k in range(1, len(stats)):
        x, y, w, h, size = stats[k]
        touches = x == 0 or y == 0 or x + w == grid.shape[1] or y + h == grid.shape[0]
        island = label == k
        if not touches and size * _CELL**2 < _LARGEST_ISLAND and not (grid.walk[island] > 0).any():
            road[island] = 1
    # slits between road and sidewalk
    both = np.maximum(road, grid.walk)
    slits = (_closed(both, 0.6) > 0) & (both == 0) & (_grown(grid.own, 8.0) > 0)
    road[slits] = 1
    wedges = np.where((grid.road == 0) & ((zone > 0) | slits), road, 0).astype(np.uint8)
    # a little under the paths, so that no seam shows
    wedges = np.minimum(_grown(wedges, 0.5), road)
    for outline, holes in _polygons(wedges):
        _add_flat(out, grid, outline, holes, -_BELOW, ASPHALT, Tag.ROAD, Material.ASPHALT)
    if not grid.walk.any():
        return
    walk = _closed(np.maximum(grid.walk, road), _CORNER) - road
    width = 2.6
    walk = np.where(_grown(road, width) > 0, walk, grid.walk) * (zone > 0) * (road == 0)
    walk = _closed(_opened(walk.astype(np.uint8), 0.35), 0.4) * (road == 0)
    count, label = cv2.connectedComponents(walk, connectivity=4)
    for k in range(1, count):
        piece = (label == k).astype(np.uint8)
        if not (grid.walk[piece > 0] > 0).any():
            continue
        for outline, holes in _polygons(piece):
            _add_flat(out, grid, outline, holes, KERB_HEIGHT, SIDEWALK, Tag.SIDEWALK, Material.PAVING)
            for line in [outline, *holes]:
                _add_kerbs(out, grid, line, road)


def _disc(radius: float) -> np.ndarray:
    n = max(1, round(radius / _CELL))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * n + 1, 2 * n + 1))


def _grown(mask: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(cv2.dilate(mask, _disc(radius)))


def _closed(mask: np.ndarray, radius: float) -> np.ndarray:
    n = round(radius / _CELL) + 2
    wide = cv2.copyMakeBorder(mask, n, n, n, n, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, _disc(radius))[n:-n, n:-n])


def _opened(mask: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(radius)))


def _polygons(mask: np.ndarray) -> list[tuple[np.ndarray, list[np.ndarray]]]:
    """Outlines with their holes, in cells, smooth to a fraction of a cell."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    signed = cv2.distanceTransform(padded, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5)
    distance = np.asarray(cv2.GaussianBlur(signed, (0, 0), 1.2))
    contours, tree = cv2.findContours((distance > 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found: dict[int, tuple[np.ndarray, list[np.ndarray]]] = {}
    lines = [_on_edge(c[:, 0].astype(np.float64), distance) - 1.0 for c in contours]
    for k, line in enumerate(lines):
        if tree[0][k][3] < 0 and len(line) >= 3 and _size(line) * _CELL**2 > _THINNEST:
            found[k] = (line, [])
    for k, line in enumerate(lines):
        parent = int(tree[0][k][3])
        if parent in found and len(line) >= 3 and _size(line) * _CELL**2 > _THINNEST:
            found[parent][1].append(line)
    return list(found.values())


def _size(line: np.ndarray) -> float:
    return abs(float(cv2.contourArea(line.astype(np.float32))))


def _on_edge(points: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Contour points moved to where the distance is zero, then thinned."""
    dy, dx = np.gradient(distance)
    c, r = points[:, 0].astype(int), points[:, 1].astype(int)
    slope = np.stack([dx[r, c], dy[r, c]], axis=1)
    length2 = np.maximum((slope**2).sum(axis=1, keepdims=True), 0.2)
    moved = points - np.clip(distance[r, c][:, None] / length2, -1.0, 1.0) * slope
    thin = cv2.approxPolyDP(moved.astype(np.float32)[:, None], 0.22, True)
    return np.asarray(thin[:, 0], np.float64)


def _lift(grid: _Grid, line: np.ndarray, lift: float) -> np.ndarray:
    """World points float64[n, 3] of points in cells."""
    c = np.clip(np.round(line[:, 0]).astype(int), 0, grid.shape[1] - 1)
    r = np.clip(np.round(line[:, 1]).astype(int), 0, grid.shape[0] - 1)
    return np.c_[grid.low + line * _CELL, grid.height[r, c] + lift]


def _add_flat(
    out: MeshBuilder, grid: _Grid, outline: np.ndarray, holes: list[np.ndarray], lift: float,
    colour: tuple[float, float, float], tag: int, material: int,
) -> None:  # fmt: skip
    points, triangles = triangulate(outline, holes)
    out.add(_lift(grid, points, lift), triangles, colour, tag, material)


def _add_kerbs(out: MeshBuilder, grid: _Grid, line: np.ndarray, road: np.ndarray) -> None:
    """Kerb faces on the edges of a corner that border the road, and its outer skirt elsewhere."""
    n = len(line)
    near_road = _grown(road, 0.6)
    for k in range(n):
        a, b = line[k], line[(k + 1) % n]
        middle = 0.5 * (a + b)
        direction = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
        left = np.array([-direction[1], direction[0]])  # towards larger y for a step along x
        # of the two sides the one off the piece
        outside_left = not _inside(line, middle + 0.6 * left)
        ends = np.array([a, b]) if outside_left else np.array([b, a])
        world = _lift(grid, ends, 0.0)
        borders = near_road[tuple(np.clip(np.round(middle[::-1]).astype(int), 0, np.array(grid.shape) - 1))] > 0
        out.add(*wall(world, KERB_HEIGHT, 0.1 if borders else 0.5), KERB, Tag.SIDEWALK, Material.KERB, level=1)
        if borders:
            outward = left if outside_left else -left
            inner = _lift(grid, ends - outward * (0.16 / _CELL), KERB_HEIGHT + 0.004)
            top = world + np.array([0.0, 0.0, KERB_HEIGHT + 0.004])
            out.add(*strip(inner, top), KERB, Tag.SIDEWALK, Material.KERB, level=1)


def _inside(polygon: np.ndarray, point: np.ndarray) -> bool:
    return bool(
        cv2.pointPolygonTest(polygon.astype(np.float32)[:, None], (float(point[0]), float(point[1])), False) > 0
    )
