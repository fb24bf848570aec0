"""Where dressing may stand: never on pavement, nor in the sight lines to lights and signs, nor twice on one spot."""

from __future__ import annotations

import math

import cv2
import numpy as np

from simulator.scenery.ground import CELL, GroundMap

SIGHT_WIDTH = 3.2  # metres kept free on either side of a sight line


class Plot:
    """A map of what is taken, in the cells of the ground map."""

    def __init__(self, ground: GroundMap) -> None:
        self.ground = ground
        self.taken = np.zeros(ground.height.shape, np.uint8)
        self.sight = np.zeros(ground.height.shape, np.uint8)

    def keep_sight(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Nothing may stand between two points."""
        a, b = self._pixel(x0, y0), self._pixel(x1, y1)
        cv2.line(self.sight, a, b, 1, max(1, round(2 * SIGHT_WIDTH / CELL)))

    def free(self, x: float, y: float, radius: float, gap: float) -> bool:
        """Whether a thing of this radius may stand at (x, y), `gap` metres off every pavement."""
        c, r = self._pixel(x, y)
        if self.ground.paved[r, c] < radius + gap or not self._inside(x, y, radius + 2.0):
            return False
        n = math.ceil(radius / CELL)
        window = (slice(r - n, r + n + 1), slice(c - n, c + n + 1))
        return not (self.taken[window].any() or self.sight[window].any())

    def free_of_road(self, x: float, y: float, radius: float, gap: float) -> bool:
        """As `free`, but sidewalks do not count as pavement."""
        c, r = self._pixel(x, y)
        if self.ground.road[r, c] < radius + gap or not self._inside(x, y, radius + 2.0):
            return False
        return not (self.taken[r, c] or self.sight[r, c])

    def free_outline(self, outline: np.ndarray, gap: float) -> bool:
        """Whether a polygon float[n, 2] is free, `gap` metres off every pavement."""
        if not all(self._inside(float(p[0]), float(p[1]), gap + 2.0) for p in outline):
            return False
        cells = np.array([self._pixel(float(p[0]), float(p[1])) for p in outline], np.int32)
        low, high = cells.min(axis=0) - 1, cells.max(axis=0) + 2
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        mask = np.zeros(self.taken[window].shape, np.uint8)
        cv2.fillConvexPoly(mask, cells - low, 1)
        here = mask > 0
        if not here.any():
            return False
        return bool(self.ground.paved[window][here].min() >= gap) and not bool(
            (self.taken[window][here] | self.sight[window][here]).any()
        )

    def take(self, x: float, y: float, radius: float) -> None:
        """Mark a disc as taken."""
        cv2.circle(self.taken, self._pixel(x, y), max(1, math.ceil(radius / CELL)), 1, -1)

    def take_outline(self, outline: np.ndarray) -> None:
        """Mark a convex polygon, and a cell around it, as taken."""
        cells = np.array([self._pixel(float(p[0]), float(p[1])) for p in outline], np.int32)
        cv2.fillConvexPoly(self.taken, cells, 1)
        cv2.polylines(self.taken, [cells], True, 1, 3)

    def height(self, x: float, y: float) -> float:
        """Terrain height."""
        return float(self.ground.smooth(self.ground.height, np.array([x]), np.array([y]))[0])

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        rows, columns = len(self.taken), len(self.taken[0])
        c = round((float(x) - float(self.ground.origin[0])) / CELL)
        r = round((float(y) - float(self.ground.origin[1])) / CELL)
        return min(max(c, 0), columns - 1), min(max(r, 0), rows - 1)

    def _inside(self, x: float, y: float, margin: float) -> bool:
        rows, columns = len(self.taken), len(self.taken[0])
        u, v = (x - self.ground.origin[0]) / CELL, (y - self.ground.origin[1]) / CELL
        return margin < u < columns - margin and margin < v < rows - margin
