"""The models of all blueprints, in flat arrays that the posing kernel reads."""

from __future__ import annotations

import math
from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np

from simulator.blueprints import BLUEPRINTS, Kind
from simulator.scenery.mesh import Colour, Solid
from simulator.scenery.tags import Material


class Part(IntEnum):
    """What of a model moves by itself."""

    BODY = 0
    LEG_LEFT = 1  # swings about its pivot, forwards first
    LEG_RIGHT = 2
    ARM_LEFT = 3
    ARM_RIGHT = 4
    DOOR_FRONT_LEFT = 5  # opens about its pivot
    DOOR_FRONT_RIGHT = 6
    DOOR_REAR_LEFT = 7
    DOOR_REAR_RIGHT = 8
    FRONT_WHEEL = 9  # turns with the steering, about its pivot


class Lamp(IntEnum):
    """Which lamp a triangle with Material.LAMP belongs to."""

    NONE = 0
    HEAD = 1
    TAIL = 2  # dim with position lights, bright when braking
    LEFT = 3
    RIGHT = 4
    REVERSE = 5
    SPECIAL_RED = 6
    SPECIAL_BLUE = 7
    ALWAYS = 8


class Models(NamedTuple):
    """All models one after another; model of blueprint b: vertices `first_vertex[b] : first_vertex[b + 1]`."""

    first_vertex: np.ndarray  # int64[N+1]
    first_triangle: np.ndarray  # int64[N+1]
    coarse_end: np.ndarray  # int64[N] end of the triangles that are drawn from afar, too
    coarse_vertex: np.ndarray  # int64[N] end of their vertices
    vertex: np.ndarray  # float32[V, 3]
    pivot: np.ndarray  # float32[V, 3] of the vertex's part
    part: np.ndarray  # int64[V] Part
    triangle: np.ndarray  # int64[T, 3] counted from the model's first vertex
    colour: np.ndarray  # float32[T, 3] RGB 0..255; white under Material.PAINT takes the actor's colour
    tag: np.ndarray  # int64[T] Tag
    material: np.ndarray  # int64[T] Material
    lamp: np.ndarray  # int64[T] Lamp
    radius: np.ndarray  # float64[N] of a sphere about the box's origin that holds the model in every pose


Piece = tuple[np.ndarray, np.ndarray, np.ndarray, int, int, int, int, np.ndarray]


class ModelBuilder:
    """Collects the pieces of one model."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def add(
        self, vertices: np.ndarray, triangles: np.ndarray, colour: Colour, tag: int, material: int, *,
        part: int = Part.BODY, lamp: int = Lamp.NONE, pivot: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Add a solid; `pivot` float[3] is the point about which its part moves."""
        about = np.zeros(3) if pivot is None else np.asarray(pivot, float)
        colours = np.broadcast_to(np.asarray(colour, float), (len(triangles), 3))
        self.pieces.append((vertices, triangles, colours, int(tag), int(material), int(part), int(lamp), about))

    def solid(self, solid: Solid, colour: Colour, tag: int, material: int = Material.PLAIN, **rest: object) -> None:
        """As `add`, for a solid."""
        self.add(*solid, colour, tag, material, **rest)  # type: ignore[arg-type]

    def wheel(
        self, x: float, side: float, half_width: float, radius: float, thickness: float, tag: int, colour: Colour,
        rim: Colour, sides: int = 10, *, bare: bool = False,
    ) -> None:  # fmt: skip
        """A wheel flush with the body's side, in an arch of shadow; or a `bare` one, closed behind."""
        outer = side * half_width
        tyre = disc(x, outer - side * 0.01, radius, radius, thickness, side, sides)
        hub = disc(x, outer + side * 0.004, radius, radius * 0.62, 0.02, side, 8)
        pivot = np.array([x, outer - side * thickness / 2, radius])
        part = Part.FRONT_WHEEL if x > 0 else Part.BODY
        if bare:
            back = disc(x, outer - side * thickness, radius, radius, 0.01, -side, sides)
            self.add(*back, colour, tag, Material.PLAIN, part=part, pivot=pivot)
        else:
            arch = disc(x, outer - side * 0.022, radius * 1.17, radius * 1.16, 0.01, side, sides)
            self.add(*arch, (0.03, 0.03, 0.032), tag, Material.PLAIN)
        self.add(*tyre, colour, tag, Material.PLAIN, part=part, pivot=pivot)
        self.add(*hub, rim, tag, Material.METAL, part=part, pivot=pivot)


def disc(x: float, y: float, z: float, radius: float, thickness: float, side: float, sides: int) -> Solid:
    """Upright disc across the y axis; its outer face at y, seen from `side` (+1 right), its rim inwards of it."""
    angle = np.arange(sides) * (2 * math.pi / sides) + math.pi / sides
    ring = np.stack([x + radius * np.cos(angle), np.full(sides, y), z + radius * np.sin(angle)], axis=1)
    inner = ring.copy()
    inner[:, 1] = y - side * thickness
    i = np.arange(sides)
    j = (i + 1) % sides
    fan = np.arange(1, sides - 1)
    face = np.stack([np.zeros(sides - 2, np.int64), fan, fan + 1], 1)
    rim = np.concatenate([np.stack([i, i + sides, j + sides], 1), np.stack([i, j + sides, j], 1)])
    faces = np.concatenate([face, rim]) if side < 0 else np.concatenate([face[:, ::-1], rim[:, ::-1]])
    return np.concatenate([ring, inner]), faces


@cache
def load_models() -> Models:
    """Build the models of `BLUEPRINTS`, once a process."""
    from simulator.scenery.people import build_two_wheeler, build_walker
    from simulator.scenery.props import build_prop
    from simulator.scenery.vehicles import build_vehicle

    first_vertex, first_triangle, coarse_end, coarse_vertex, radius = [0], [0], [], [], []
    columns: dict[str, list[np.ndarray]] = {n: [] for n in ("vertex", "pivot", "part", "triangle", "colour", "rest")}
    for index, blueprint in enumerate(BLUEPRINTS):
        out = ModelBuilder()
        if blueprint.kind == Kind.VEHICLE:
            build_vehicle(out, blueprint)
        elif blueprint.kind == Kind.BICYCLE:
            build_two_wheeler(out, blueprint, index)
        elif blueprint.kind == Kind.WALKER:
            build_walker(out, blueprint, index)
        else:
            build_prop(out, blueprint)
        count, triangles, coarse, coarse_count, reach = 0, 0, 0, 0, 0.0
        whole = _extent([piece[0] for piece in out.pieces])
        # large pieces and lamps first: from afar only they are drawn
        pieces = sorted(out.pieces, key=lambda piece: not _seen_from_afar(piece, whole))
        for piece in pieces:
            vertices, faces, colours, tag, material, part, lamp, pivot = piece
            corner = vertices[faces]
            area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
            keep = area > 1e-8
            faces, colours = faces[keep], colours[keep]
            columns["vertex"].append(vertices)
            columns["pivot"].append(np.broadcast_to(pivot, vertices.shape))
            columns["part"].append(np.full(len(vertices), part))
            columns["triangle"].append(faces + count)
            columns["colour"].append(colours * 255.0)
            columns["rest"].append(np.tile([tag, material, lamp], (len(faces), 1)))
            count += len(vertices)
            triangles += len(faces)
            if _seen_from_afar(piece, whole):
                coarse, coarse_count = triangles, count
            swing = 2.0 * float(np.linalg.norm(vertices - pivot, axis=1).max()) if part else 0.0
            reach = max(reach, float(np.linalg.norm(vertices, axis=1).max()) + swing)
        first_vertex.append(first_vertex[-1] + count)
        first_triangle.append(first_triangle[-1] + triangles)
        coarse_end.append(first_triangle[-2] + coarse)
        coarse_vertex.append(first_vertex[-2] + coarse_count)
        radius.append(reach)
    rest = np.concatenate(columns["rest"]).astype(np.int64)
    return Models(
        first_vertex=np.array(first_vertex, np.int64),
        first_triangle=np.array(first_triangle, np.int64),
        coarse_end=np.array(coarse_end, np.int64),
        coarse_vertex=np.array(coarse_vertex, np.int64),
        vertex=np.concatenate(columns["vertex"]).astype(np.float32),
        pivot=np.concatenate(columns["pivot"]).astype(np.float32),
        part=np.concatenate(columns["part"]).astype(np.int64),
        triangle=np.concatenate(columns["triangle"]).astype(np.int64),
        colour=np.concatenate(columns["colour"]).astype(np.float32),
        tag=np.ascontiguousarray(rest[:, 0]),
        material=np.ascontiguousarray(rest[:, 1]),
        lamp=np.ascontiguousarray(rest[:, 2]),
        radius=np.array(radius, np.float64),
    )


def _extent(vertices: list[np.ndarray]) -> float:
    points = np.concatenate(vertices)
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def _seen_from_afar(piece: Piece, whole: float) -> bool:
    return bool(piece[6]) or _extent([piece[0]]) > 0.2 * whole
