"""The land around the roads: a quadtree of squares, finer where it is not flat, and a plain to the horizon."""

from __future__ import annotations

import numpy as np

from simulator.scenery.ground import CELL, GroundMap
from simulator.scenery.mesh import MeshBuilder
from simulator.scenery.surfaces import GRASS
from simulator.scenery.tags import Material, Tag

_LARGEST, _SMALLEST = 64, 4  # cells
_TOLERANCE = 0.15  # metres beside roads
_OPEN_TOLERANCE = 0.4  # metres in open land
_DEEP = 0.6  # metres below pavement, where nobody sees it
_BELOW = 0.07  # metres of the terrain below the pavement beside it
_HORIZON = 2500.0  # metres


def add_terrain(out: MeshBuilder, ground: GroundMap) -> np.ndarray:
    """Add the terrain; returns float32[rows, columns] its height, laid under the pavement."""
    height = _under_roads(ground)
    rows, columns = height.shape
    # whole squares only; the plain covers the rest
    rows, columns = (rows - 1) // _LARGEST * _LARGEST, (columns - 1) // _LARGEST * _LARGEST
    tolerance = np.where(ground.paved < 1.5, _DEEP, np.where(ground.paved < 20.0, _TOLERANCE, _OPEN_TOLERANCE))
    leaves: list[tuple[int, int, int]] = []
    for r in range(0, rows, _LARGEST):
        for c in range(0, columns, _LARGEST):
            _split(height, tolerance, r, c, _LARGEST, leaves)
    corners = {(r + dr, c + dc) for r, c, n in leaves for dr in (0, n) for dc in (0, n)}
    vertices: list[tuple[int, int]] = []
    triangles: list[tuple[int, int, int]] = []
    for r, c, n in leaves:
        edge = _outline(r, c, n, corners)
        base = len(vertices)
        if len(edge) == 4:
            vertices += edge
            triangles += [(base, base + 1, base + 2), (base, base + 2, base + 3)]
        else:
            vertices += [(r + n // 2, c + n // 2), *edge]
            triangles += [(base, base + 1 + i, base + 1 + (i + 1) % len(edge)) for i in range(len(edge))]
    cells = np.array(vertices)
    points = np.stack(
        [
            ground.origin[0] + cells[:, 1] * CELL,
            ground.origin[1] + cells[:, 0] * CELL,
            height[cells[:, 0], cells[:, 1]],
        ],
        axis=1,
    )
    out.add(points, np.array(triangles), GRASS, Tag.TERRAIN, Material.GRASS)
    _add_plain(out, ground, height, rows, columns)
    return height


def _under_roads(ground: GroundMap) -> np.ndarray:
    """Terrain height with room for the roads' bodies."""
    height = ground.height - _BELOW
    # gentle swells in the open
    r, c = np.mgrid[0 : height.shape[0], 0 : height.shape[1]]
    open_land = np.clip((ground.paved - 25.0) / 60.0, 0.0, 1.0)
    swell = np.sin(c * 0.045) * np.cos(r * 0.037) + np.sin(c * 0.019 + 1.3) * np.sin(r * 0.023)
    height = height + open_land * (1.2 + 0.9 * swell) * open_land
    return np.asarray(height, np.float32)


def _split(
    height: np.ndarray, tolerance: np.ndarray, r: int, c: int, n: int, leaves: list[tuple[int, int, int]]
) -> None:
    block = height[r : r + n + 1, c : c + n + 1]
    if n > _SMALLEST:
        t = np.linspace(0.0, 1.0, n + 1)
        top = block[0, 0] * (1 - t) + block[0, -1] * t
        low = block[-1, 0] * (1 - t) + block[-1, -1] * t
        gap = top[None, :] * (1 - t)[:, None] + low[None, :] * t[:, None] - block
        # below pavement it must never stand above it
        allowed = tolerance[r : r + n + 1, c : c + n + 1]
        if (-gap > allowed).any() or (gap > np.where(allowed == _DEEP, _BELOW - 0.01, allowed)).any():
            h = n // 2
            for dr in (0, h):
                for dc in (0, h):
                    _split(height, tolerance, r + dr, c + dc, h, leaves)
            return
    leaves.append((r, c, n))


def _outline(r: int, c: int, n: int, corners: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Corners of a square with those of finer neighbours on its sides; x, then y: front up."""
    found = [(r, c + k) for k in range(0, n, _SMALLEST) if k == 0 or (r, c + k) in corners]
    found += [(r + k, c + n) for k in range(0, n, _SMALLEST) if k == 0 or (r + k, c + n) in corners]
    found += [(r + n, c + n - k) for k in range(0, n, _SMALLEST) if k == 0 or (r + n, c + n - k) in corners]
    found += [(r + n - k, c) for k in range(0, n, _SMALLEST) if k == 0 or (r + n - k, c) in corners]
    return found


def _add_plain(out: MeshBuilder, ground: GroundMap, height: np.ndarray, rows: int, columns: int) -> None:
    """Land from the outermost squares to the horizon."""
    line = [(0, c) for c in range(0, columns, _SMALLEST)]
    line += [(r, columns) for r in range(0, rows, _SMALLEST)]
    line += [(rows, columns - c) for c in range(0, columns, _SMALLEST)]
    line += [(rows - r, 0) for r in range(0, rows, _SMALLEST)]
    cells = np.array(line)[::8]
    x, y = ground.origin[0] + cells[:, 1] * CELL, ground.origin[1] + cells[:, 0] * CELL
    z = height[cells[:, 0], cells[:, 1]]
    inner = np.stack([x, y, z], axis=1)
    inner[:, 2] -= 0.1
    centre = np.array([x.mean(), y.mean()])
    away = inner[:, :2] - centre
    scale = _HORIZON / np.maximum(np.linalg.norm(away, axis=1), 1.0)
    outer = np.c_[centre + away * np.maximum(scale, 1.2)[:, None], np.full(len(z), float(np.median(z)))]
    n = len(inner)
    i = np.arange(n)
    j = (i + 1) % n
    faces = np.concatenate([np.stack([i, j + n, j], 1), np.stack([i, i + n, j + n], 1)])
    out.add(np.concatenate([inner, outer]), faces, GRASS, Tag.TERRAIN, Material.GRASS)
