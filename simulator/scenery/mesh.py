"""Triangle meshes: the arrays that cameras and LiDAR read, a builder, and the solids that models are made of.

Frame: CARLA's (x forward, y right, z up, metres). A triangle's front is where `cross(b - a, c - a)` points to, by the
plain formula of the cross product; cameras see fronts only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float] | np.ndarray


class Mesh(NamedTuple):
    """T triangles over V vertices, in C chunks.

    A chunk has three levels: what is always drawn (0), what is drawn from near (1), and what stands for that from
    afar (2). Triangles of level k of chunk c are `chunk_triangle[3 c + k] : chunk_triangle[3 c + k + 1]`, and its
    vertices, which nothing else uses, `chunk_vertex[3 c + k] : chunk_vertex[3 c + k + 1]`.
    """

    vertex: np.ndarray  # float32[V, 3] metres
    triangle: np.ndarray  # int32[T, 3]
    normal: np.ndarray  # float32[T, 3] unit length, towards the front
    colour: np.ndarray  # uint8[T, 3] RGB
    tag: np.ndarray  # uint8[T] Tag
    material: np.ndarray  # uint8[T] Material
    object: np.ndarray  # int32[T] number of the thing it belongs to, from FIRST_OBJECT on; 0 ground
    aux: np.ndarray  # int32[T] row of `pattern`, or what the material says; -1 none
    chunk_triangle: np.ndarray  # int32[3 C + 1]
    chunk_vertex: np.ndarray  # int32[3 C + 1]
    chunk_low: np.ndarray  # float32[C, 3] bounding box
    chunk_high: np.ndarray  # float32[C, 3]
    pattern: np.ndarray  # float32[P, 12] origin (3), u axis (3), v axis (3) per metre or per picture; 3 parameters


PATTERN_WIDTH = 12
FIRST_OBJECT = 20000  # numbers below are those of actors


@dataclass
class MeshBuilder:
    """Collects pieces of triangles."""

    vertices: list[np.ndarray] = field(default_factory=list)
    triangles: list[np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    attributes: list[np.ndarray] = field(default_factory=list)  # int32[n, 5] tag, material, object, aux, level
    firsts: list[int] = field(default_factory=list)  # number of each piece's first vertex
    patterns: list[Sequence[float]] = field(default_factory=list)
    count: int = 0
    objects: int = FIRST_OBJECT - 1  # last object number given out

    def new_object(self) -> int:
        """Number for one more thing; they begin again after 65535, as CARLA's instance ids are 16 bits wide."""
        self.objects = self.objects + 1 if self.objects < 65535 else FIRST_OBJECT
        return self.objects

    def add(
        self,
        vertices: np.ndarray | Sequence[Sequence[float]],
        triangles: np.ndarray | Sequence[Sequence[int]],
        colour: Colour,
        tag: int,
        material: int,
        thing: int = 0,
        aux: int | np.ndarray = -1,
        level: int = 0,
    ) -> None:
        """Add a piece.

        Args:
            vertices: float[n, 3] metres.
            triangles: int[m, 3] indices into them.
            colour: RGB in 0..1, one for all or float[m, 3].
            thing: object number.
            aux: one for all, or int[m].
            level: of detail: 0 always drawn, 1 from near, 2 from afar.
        """
        v = np.asarray(vertices, np.float64).reshape(-1, 3)
        t = np.asarray(triangles, np.int64).reshape(-1, 3)
        self.vertices.append(v)
        self.triangles.append(t + self.count)
        self.firsts.append(self.count)
        self.count += len(v)
        self.colours.append(np.broadcast_to(np.asarray(colour, np.float64), (len(t), 3)))
        rest = np.empty((len(t), 5), np.int32)
        rest[:, 0], rest[:, 1], rest[:, 2], rest[:, 3], rest[:, 4] = tag, material, thing, aux, level
        self.attributes.append(rest)

    def add_pattern(self, origin: Sequence[float], u: Sequence[float], v: Sequence[float], *rest: float) -> int:
        """Row of the pattern table: a picture or facade is laid out by (p - origin) . u and (p - origin) . v."""
        row = [*origin, *u, *v, *rest]
        self.patterns.append(row + [0.0] * (PATTERN_WIDTH - len(row)))
        return len(self.patterns) - 1

    def build(self, chunk_size: float = 0.0) -> Mesh:
        """The mesh; `chunk_size` metres is the edge of the squares that triangles are sorted into, 0 for one chunk."""
        vertex = np.concatenate(self.vertices) if self.vertices else np.zeros((0, 3))
        triangle = np.concatenate(self.triangles) if self.triangles else np.zeros((0, 3), np.int64)
        colour = np.concatenate(self.colours) if self.colours else np.zeros((0, 3))
        rest = np.concatenate(self.attributes) if self.attributes else np.zeros((0, 5), np.int32)
        # Judged in the precision in which they are kept
        corner = vertex.astype(np.float32).astype(np.float64)[triangle]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        area = np.linalg.norm(normal, axis=1)
        keep = area > 1e-7
        triangle, colour, rest, corner = triangle[keep], colour[keep], rest[keep], corner[keep]
        normal = normal[keep] / area[keep][:, None]
        if chunk_size > 0.0 and len(triangle):
            cell = np.floor(corner[:, :, :2].mean(axis=1) / chunk_size).astype(np.int64)
            cell -= cell.min(axis=0)
            key = cell[:, 1] * (cell[:, 0].max() + 1) + cell[:, 0]
        else:
            key = np.zeros(len(triangle), np.int64)
        key = key * 3 + rest[:, 4]
        order = np.argsort(key, kind="stable")
        triangle, colour, rest, normal, key = triangle[order], colour[order], rest[order], normal[order], key[order]
        level, key = key % 3, key // 3
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, np.int64)
        bounds = np.concatenate([starts, [len(key)]]).astype(np.int32)
        vertices, low, high = [], [], []
        spans = np.zeros((len(bounds) - 1, 3, 2), np.int32)  # first triangle and vertex of each chunk's levels
        count = 0
        for chunk, (a, b) in enumerate(itertools.pairwise(bounds)):
            cuts = [a, *(a + int(np.searchsorted(level[a:b], k)) for k in (1, 2)), b]
            for k in range(3):
                used, index = np.unique(triangle[cuts[k] : cuts[k + 1]], return_inverse=True)
                triangle[cuts[k] : cuts[k + 1]] = index.reshape(-1, 3) + count
                spans[chunk, k] = cuts[k], count
                vertices.append(vertex[used])
                count += len(used)
            whole = np.concatenate(vertices[-3:])
            low.append(whole.min(axis=0))
            high.append(whole.max(axis=0))
        return Mesh(
            vertex=(np.concatenate(vertices) if vertices else np.zeros((0, 3))).astype(np.float32),
            triangle=triangle.astype(np.int32),
            normal=normal.astype(np.float32),
            colour=np.clip(np.round(colour * 255.0), 0, 255).astype(np.uint8),
            tag=rest[:, 0].astype(np.uint8),
            material=rest[:, 1].astype(np.uint8),
            object=rest[:, 2].astype(np.int32),
            aux=rest[:, 3].astype(np.int32),
            chunk_triangle=np.concatenate([spans[:, :, 0].reshape(-1), [len(triangle)]]).astype(np.int32),
            chunk_vertex=np.concatenate([spans[:, :, 1].reshape(-1), [count]]).astype(np.int32),
            chunk_low=np.array(low, np.float32).reshape(-1, 3),
            chunk_high=np.array(high, np.float32).reshape(-1, 3),
            pattern=np.array(self.patterns, np.float32).reshape(-1, PATTERN_WIDTH),
        )


# ---- solids: (vertices, triangles) -----------------------------------------------------------------------------------

Solid = tuple[np.ndarray, np.ndarray]


def strip(left: np.ndarray, right: np.ndarray) -> Solid:
    """Band between two polylines float[n, 3] of equal length that run the same way; its front is up."""
    n = len(left)
    a = np.arange(n - 1)
    triangles = np.concatenate([np.stack([a, a + 1, a + n + 1], 1), np.stack([a, a + n + 1, a + n], 1)])
    return np.concatenate([left, right]), triangles


def wall(line: np.ndarray, height: np.ndarray | float, drop: float = 0.0) -> Solid:
    """Upright band over a polyline float[n, 3]; seen from the right of its direction (larger y if that is x)."""
    top, bottom = line.copy(), line.copy()
    top[:, 2] += height
    bottom[:, 2] -= drop
    return strip(top, bottom)


def box(low: Sequence[float], high: Sequence[float], bottom: bool = True) -> Solid:
    """Axis-aligned box."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    vertices = np.array(
        [[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0], [x0, y0, z1], [x1, y0, z1], [x1, y1, z1], [x0, y1, z1]]
    )
    faces = [
        [4, 5, 6],
        [4, 6, 7],
        [0, 1, 5],
        [0, 5, 4],
        [1, 2, 6],
        [1, 6, 5],
        [2, 3, 7],
        [2, 7, 6],
        [3, 0, 4],
        [3, 4, 7],
    ]
    if bottom:
        faces += [[0, 2, 1], [0, 3, 2]]
    return vertices, np.array(faces)


def prism(outline: np.ndarray, z0: float, z1: float, shrink: float = 1.0, bottom: bool = False) -> Solid:
    """Upright prism over a convex outline float[n, 2], counter-clockwise in (x, y); `shrink` scales its top."""
    n = len(outline)
    centre = outline.mean(axis=0)
    top = centre + shrink * (outline - centre)
    vertices = np.concatenate([np.c_[outline, np.full(n, z0)], np.c_[top, np.full(n, z1)]])
    i = np.arange(n)
    j = (i + 1) % n
    faces = [np.stack([i, j, n + j], 1), np.stack([i, n + j, n + i], 1)]
    fan = np.arange(1, n - 1)
    if shrink > 0.0:
        faces.append(np.stack([np.full(n - 2, n), n + fan, n + fan + 1], 1))
    if bottom:
        faces.append(np.stack([np.zeros(n - 2, np.int64), fan + 1, fan], 1))
    return vertices, np.concatenate(faces)


def ring(x: float, y: float, radius: float, sides: int, phase: float = 0.0) -> np.ndarray:
    """float[sides, 2]: regular outline, counter-clockwise in (x, y)."""
    angle = phase + np.arange(sides) * (2.0 * math.pi / sides)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def column(
    x: float, y: float, z0: float, z1: float, r0: float, r1: float, sides: int = 6, bottom: bool = False
) -> Solid:
    """Upright truncated cone."""
    return prism(ring(x, y, r0, sides), z0, z1, shrink=r1 / r0, bottom=bottom)


def side_profile(profile: Sequence[tuple[float, float]], half_width: float, top_width: float | None = None) -> Solid:
    """Solid of a convex outline in (x, z), drawn with x forward and z up against the clock, from -y to +y.

    `top_width` is the half width at the highest points, so that cabins lean inwards.
    """
    points = np.asarray(profile, float)
    n = len(points)
    low, high = points[:, 1].min(), points[:, 1].max()
    wide = np.full(n, half_width)
    if top_width is not None:
        wide = half_width + (top_width - half_width) * (points[:, 1] - low) / max(high - low, 1e-9)
    left = np.stack([points[:, 0], -wide, points[:, 1]], 1)
    right = np.stack([points[:, 0], wide, points[:, 1]], 1)
    i = np.arange(n)
    j = (i + 1) % n
    fan = np.arange(1, n - 1)
    zero = np.zeros(n - 2, np.int64)
    faces = [
        np.stack([i, n + i, n + j], 1),
        np.stack([i, n + j, j], 1),
        np.stack([zero, fan, fan + 1], 1),
        np.stack([zero + n, n + fan + 1, n + fan], 1),
    ]
    return np.concatenate([left, right]), np.concatenate(faces)


def turned(solid: Solid, yaw: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
    """A solid turned about the z axis by `yaw` rad, then moved."""
    vertices, triangles = solid
    c, s = math.cos(yaw), math.sin(yaw)
    out = vertices.copy()
    out[:, 0] = x + c * vertices[:, 0] - s * vertices[:, 1]
    out[:, 1] = y + s * vertices[:, 0] + c * vertices[:, 1]
    out[:, 2] = z + vertices[:, 2]
    return out, triangles
