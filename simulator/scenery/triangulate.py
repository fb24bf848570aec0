"""Cutting polygons with holes into triangles by clipping ears."""

from __future__ import annotations

import numpy as np


def triangulate(outline: np.ndarray, holes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices float64[n, 2] and triangles int64[m, 3], all counter-clockwise in (x, y).

    Args:
        outline: float64[k, 2], without a repeated last point.
        holes: polygons inside it that do not touch it.
    """
    polygon = _oriented(outline, 1.0)
    for hole in sorted(holes, key=lambda h: -float(h[:, 0].max())):
        polygon = _bridged(polygon, _oriented(hole, -1.0))
    return polygon, _clip(polygon)


def area(polygon: np.ndarray) -> float:
    """Signed area, positive when it runs counter-clockwise in (x, y)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _oriented(polygon: np.ndarray, sign: float) -> np.ndarray:
    points = np.asarray(polygon, np.float64)
    return points if area(points) * sign > 0 else points[::-1]


def _bridged(polygon: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The polygon with the hole joined to it by a cut to the nearest vertex that is in sight."""
    start = int(np.argmax(hole[:, 0]))
    hole = np.roll(hole, -start, axis=0)
    spot = hole[0]
    distance = np.hypot(*(polygon - spot).T)
    edges = np.concatenate([polygon, hole])
    ends = np.concatenate([np.roll(polygon, -1, axis=0), np.roll(hole, -1, axis=0)])
    for k in np.argsort(distance, kind="stable"):
        if not _crosses(spot, polygon[k], edges, ends):
            break
    else:
        k = int(np.argmin(distance))
    return np.concatenate([polygon[: k + 1], hole, hole[:1], polygon[k:]])


def _crosses(a: np.ndarray, b: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether the open segment a-b properly crosses any of the segments."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return np.asarray(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )

    first = side(a, b, starts) * side(a, b, ends) < -1e-12
    second = side(starts, ends, a) * side(starts, ends, b) < -1e-12
    return bool((first & second).any())


def _clip(polygon: np.ndarray) -> np.ndarray:
    left = list(range(len(polygon)))
    triangles = []
    at = 0
    misses = 0
    while len(left) > 3:
        n = len(left)
        i, j, k = left[(at - 1) % n], left[at % n], left[(at + 1) % n]
        a, b, c = polygon[i], polygon[j], polygon[k]
        turn = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        flat = abs(turn) < 1e-9
        if flat or misses > n or (turn > 0 and _is_empty(polygon, left, i, j, k)):
            if turn > 1e-9:
                triangles.append((i, j, k))
            left.pop(at % n)
            at = max((at % n) - 1, 0)
            misses = 0
        else:
            at += 1
            misses += 1
    if len(left) == 3:
        triangles.append((left[0], left[1], left[2]))
    return np.array(triangles, np.int64).reshape(-1, 3)


def _is_empty(polygon: np.ndarray, left: list[int], i: int, j: int, k: int) -> bool:
    """No other corner lies inside the ear."""
    a, b, c = polygon[i], polygon[j], polygon[k]
    points = polygon[left]
    inside = np.ones(len(points), bool)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= (q[0] - p[0]) * (points[:, 1] - p[1]) - (q[1] - p[1]) * (points[:, 0] - p[0]) > -1e-9
    for corner in (a, b, c):  # the ear's own corners, and their doubles at bridges
        inside &= (points != corner).any(axis=1)
    return not bool(inside.any())
