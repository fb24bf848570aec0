"""A map of the ground in cells of one metre: where it is paved, how high, and how far to the nearest pavement.

Terrain is laid by it and dressing is placed by it. Roads may pass over each other: heights are those of the lowest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from simulator.scenery.borders import Section

CELL = 1.0  # metres
MARGIN = 160.0  # metres of ground beyond the outermost lane
_SLOPE = 0.45  # the steepest rise of terrain beside a road
_SHELF = 3.0  # metres beside a road that stay level with it

PAVED_TYPES = frozenset(
    ["driving", "shoulder", "parking", "biking", "bidirectional", "entry", "exit", "onramp", "offramp",
     "connectingramp",
     "stop", "border", "restricted", "bus", "hov", "taxi", "sidewalk", "walking", "curb"]
)  # fmt: skip
RAISED_TYPES = frozenset(["sidewalk", "walking", "curb"])
ROAD_TYPES = PAVED_TYPES - RAISED_TYPES


@dataclass(frozen=True)
class GroundMap:
    """Arrays are [rows along y, columns along x]; cell (r, c) is centred at origin + (c, r) * CELL."""

    origin: np.ndarray  # float64[2] x, y
    height: np.ndarray  # float32 terrain height
    road: np.ndarray  # float32 metres to the nearest lane for wheels, 0 on it
    paved: np.ndarray  # float32 metres to the nearest lane of any paved type
    lane_height: np.ndarray  # float32 height of the nearest paved lane

    def index(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of positions, clipped to the map."""
        c = np.clip(np.round((np.asarray(x) - self.origin[0]) / CELL).astype(int), 0, self.height.shape[1] - 1)
        r = np.clip(np.round((np.asarray(y) - self.origin[1]) / CELL).astype(int), 0, self.height.shape[0] - 1)
        return r, c

    def at(self, layer: np.ndarray, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
        """Value of a layer at positions (nearest cell)."""
        return np.asarray(layer[self.index(x, y)])

    def smooth(self, layer: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Value of a layer at positions, bilinear."""
        u = np.clip((np.asarray(x, float) - self.origin[0]) / CELL, 0.0, layer.shape[1] - 1.001)
        v = np.clip((np.asarray(y, float) - self.origin[1]) / CELL, 0.0, layer.shape[0] - 1.001)
        c, r = u.astype(int), v.astype(int)
        fu, fv = u - c, v - r
        top = layer[r, c] * (1 - fu) + layer[r, c + 1] * fu
        low = layer[r + 1, c] * (1 - fu) + layer[r + 1, c + 1] * fu
        return np.asarray(top * (1 - fv) + low * fv)


def lane_cells(section: Section, i: int, spacing: float) -> np.ndarray:
    """float64[n, 3] points that cover lane i of a section, at most `spacing` metres apart."""
    left, right = section.edge[i], section.edge[i + 1]
    length = max(np.linalg.norm(np.diff(e, axis=0), axis=1).sum() for e in (left, right))
    width = np.linalg.norm(right - left, axis=1).max()
    k = np.linspace(0, len(left) - 1, max(2, int(length / spacing) + 2))
    # stations are uneven: walk along metres of the section
    at = np.interp(np.linspace(0, 1, len(k)), section.station / max(section.station[-1], 1e-9), np.arange(len(left)))
    whole = np.minimum(at.astype(int), len(left) - 2)
    part = (at - whole)[:, None]
    a = left[whole] * (1 - part) + left[whole + 1] * part
    b = right[whole] * (1 - part) + right[whole + 1] * part
    across = np.linspace(0, 1, max(2, int(width / spacing) + 2))[:, None, None]
    return np.asarray((a * (1 - across) + b * across).reshape(-1, 3))


def map_ground(sections: list[Section]) -> GroundMap:
    """Measure the ground of a town."""
    road = [lane_cells(s, i, 0.5) for s in sections for i, t in enumerate(s.type) if t in ROAD_TYPES]
    walk = [lane_cells(s, i, 0.5) for s in sections for i, t in enumerate(s.type) if t in RAISED_TYPES]
    points = np.concatenate(road + walk)
    low = np.floor(points[:, :2].min(axis=0) - MARGIN)
    size = np.ceil((points[:, :2].max(axis=0) + MARGIN - low) / CELL).astype(int) + 1
    shape = (int(size[1]), int(size[0]))
    is_road = np.zeros(shape, np.uint8)
    c, r = np.round((np.concatenate(road)[:, :2] - low) / CELL).astype(int).T
    is_road[r, c] = 1
    height = np.full(shape, np.inf, np.float32)
    c, r = np.round((points[:, :2] - low) / CELL).astype(int).T
    np.minimum.at(height, (r, c), points[:, 2].astype(np.float32))
    is_paved = np.isfinite(height)
    to_road = cv2.distanceTransform(1 - is_road, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * CELL
    to_paved, label = cv2.distanceTransformWithLabels(
        1 - is_paved.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = np.zeros(label.max() + 1, np.float32)
    value[label[is_paved]] = height[is_paved]
    nearest = value[label]
    lane_height = nearest.copy()
    shelf = cv2.erode(np.where(is_paved, height, np.float32(1e6)), _disc(_SHELF / CELL))
    bound = np.minimum(shelf, 1e6).astype(np.float32)
    # away from roads the heights of the nearest ones melt into each other
    soft = cv2.GaussianBlur(nearest, (0, 0), 12.0 / CELL)
    blend = np.clip((to_paved * CELL - 4.0) / 30.0, 0.0, 1.0)
    height = np.minimum(_cone(bound, _SLOPE), nearest * (1 - blend) + soft * blend)
    height = _cone(height, _SLOPE)
    return GroundMap(low, height.astype(np.float32), to_road, (to_paved * CELL).astype(np.float32), lane_height)


def _disc(radius: float) -> np.ndarray:
    n = int(radius)
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return (x * x + y * y <= radius * radius + 0.5).astype(np.uint8)


def _cone(height: np.ndarray, slope: float) -> np.ndarray:
    """Lower envelope: nowhere steeper than `slope` above any cell."""
    out = height.copy()
    straight, diagonal = slope * CELL, slope * CELL * 1.4142
    for _ in range(2):
        for flip in (slice(None), slice(None, None, -1)):
            view = out[flip]
            for r in range(1, len(view)):
                up = view[r - 1]
                row = np.minimum(view[r], up + straight)
                np.minimum(row[1:], up[:-1] + diagonal, out=row[1:])
                np.minimum(row[:-1], up[1:] + diagonal, out=row[:-1])
                view[r] = row
            view = out[:, flip]
            for c in range(1, view.shape[1]):
                np.minimum(view[:, c], view[:, c - 1] + straight, out=view[:, c])
    return out
