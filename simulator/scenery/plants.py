"""Trees and bushes: along streets in rows, in the open in loose groups."""

from __future__ import annotations

import math

import numpy as np

from simulator.scenery.borders import Section
from simulator.scenery.ground import RAISED_TYPES
from simulator.scenery.mesh import MeshBuilder, Solid, column
from simulator.scenery.plot import Plot
from simulator.scenery.tags import Material, Tag

_BARK = (0.33, 0.25, 0.18)
_LEAVES = ((0.24, 0.38, 0.14), (0.30, 0.42, 0.16), (0.20, 0.34, 0.16), (0.36, 0.44, 0.17), (0.27, 0.36, 0.12))
_NEEDLES = (0.13, 0.27, 0.16)
_GRID = 12.0  # metres between the places where a tree may grow in the open
NEAR, FAR = 1, 2  # levels of detail


def add_street_trees(out: MeshBuilder, sections: list[Section], plot: Plot, draws: np.random.Generator) -> None:
    """Rows behind the sidewalks."""
    for section in sections:
        if section.junction >= 0:
            continue
        for edge, kind in ((section.edge[0][::-1], section.type[0]), (section.edge[-1], section.type[-1])):
            if kind in RAISED_TYPES and draws.random() < 0.75:
                _row(out, edge, plot, draws)


def _row(out: MeshBuilder, line: np.ndarray, plot: Plot, draws: np.random.Generator) -> None:
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1))])
    spacing = float(draws.uniform(9.0, 15.0))
    at = float(draws.uniform(3.0, spacing))
    while at < along[-1] - 2.0:
        x, y = (float(np.interp(at, along, line[:, k])) for k in range(2))
        k = int(np.clip(np.searchsorted(along, at) - 1, 0, len(line) - 2))
        yaw = math.atan2(line[k + 1, 1] - line[k, 1], line[k + 1, 0] - line[k, 0])
        x, y = x - math.sin(yaw) * 1.9, y + math.cos(yaw) * 1.9
        size = float(draws.uniform(0.85, 1.15))
        if plot.free(x, y, 0.5, 0.6) and plot.free_of_road(x, y, 1.9 * size, 0.3):
            plot.take(x, y, 1.5)
            broadleaf(out, draws, x, y, plot.height(x, y) - 0.1, size)
        at += spacing + float(draws.uniform(-1.5, 1.5))


def add_open_trees(out: MeshBuilder, plot: Plot, draws: np.random.Generator) -> None:
    """Groups of trees, and bushes, on land that nothing else covers."""
    ground = plot.ground
    rows, columns = ground.height.shape
    for v in np.arange(4.0, rows - 4.0, _GRID):
        for u in np.arange(4.0, columns - 4.0, _GRID):
            jitter = draws.uniform(-0.45, 0.45, 2) * _GRID
            chance, size, kind = draws.random(3)
            x, y = ground.origin[0] + u + jitter[0], ground.origin[1] + v + jitter[1]
            wood = math.sin(0.021 * x + 1.7) * math.cos(0.017 * y) + 0.5 * math.sin(0.05 * (x - y))
            if chance > 0.10 + 0.40 * max(0.0, wood):
                continue
            scale = 0.8 + 0.6 * size
            if not (plot.free(x, y, 1.0, 3.0) and plot.free_of_road(x, y, 2.2 * scale, 2.0)):
                continue
            plot.take(x, y, 1.6)
            z = plot.height(x, y) - 0.15
            if kind < 0.28:
                conifer(out, draws, x, y, z, scale)
            elif kind < 0.85:
                broadleaf(out, draws, x, y, z, scale)
            else:
                bush(out, draws, x, y, z, 0.7 + 0.5 * size)


def _blob(x: float, y: float, z: float, rx: float, rz: float, phase: float, sides: int = 6) -> Solid:
    """A rounded crown: rings of 4 heights."""
    levels = ((-0.92, 0.36), (-0.35, 0.94), (0.30, 0.90), (0.92, 0.34))
    angle = phase + np.arange(sides) * (2 * math.pi / sides)
    rings = []
    for number, (h, w) in enumerate(levels):
        turn = angle + number * math.pi / sides
        rings.append(np.stack([x + rx * w * np.cos(turn), y + rx * w * np.sin(turn), np.full(sides, z + rz * h)], 1))
    vertices = np.concatenate(rings)
    faces = []
    for k in range(len(levels) - 1):
        for i in range(sides):
            j = (i + 1) % sides
            a, b, c, d = k * sides + i, k * sides + j, (k + 1) * sides + i, (k + 1) * sides + j
            faces += [[a, b, c], [b, d, c]]
    top = (len(levels) - 1) * sides
    for i in range(1, sides - 1):
        faces += [[top, top + i, top + i + 1], [0, i + 1, i]]
    return vertices, np.array(faces)


def broadleaf(out: MeshBuilder, draws: np.random.Generator, x: float, y: float, z: float, size: float) -> None:
    """A tree with a round crown."""
    thing = out.new_object()
    height = size * float(draws.uniform(5.2, 7.4))
    crown = size * float(draws.uniform(1.5, 1.9))
    middle = z + height - 0.38 * height
    colour = np.array(_LEAVES[int(draws.integers(len(_LEAVES)))]) * float(draws.uniform(0.88, 1.12))
    out.add(
        *column(x, y, z, middle, 0.16 * size, 0.10 * size, 5),
        _BARK,
        Tag.VEGETATION,
        Material.CONCRETE,
        thing,
        level=NEAR,
    )
    phase = float(draws.uniform(0, 6.28))
    out.add(
        *_blob(x, y, middle, crown, 0.36 * height, phase, 6), colour, Tag.VEGETATION, Material.LEAVES, thing, level=NEAR
    )
    for k in range(2):
        a = phase + 2.4 * k
        off = 0.48 * crown
        spot = (x + off * math.cos(a), y + off * math.sin(a), middle - 0.05 * height + 0.12 * height * k)
        blob = _blob(*spot, 0.62 * crown, 0.22 * height, a, 5)
        out.add(*blob, colour * (1.06 - 0.1 * k), Tag.VEGETATION, Material.LEAVES, thing, level=NEAR)
    _far(out, x, y, z, middle, crown, 0.36 * height, colour, thing)


def _far(
    out: MeshBuilder,
    x: float,
    y: float,
    z: float,
    middle: float,
    crown: float,
    half: float,
    colour: np.ndarray,
    thing: int,
) -> None:
    out.add(*column(x, y, z, middle, 0.17, 0.10, 3), _BARK, Tag.VEGETATION, Material.CONCRETE, thing, level=FAR)
    angle = np.arange(5) * (2 * math.pi / 5)
    belt = np.stack([x + 1.02 * crown * np.cos(angle), y + 1.02 * crown * np.sin(angle), np.full(5, middle - 0.1)], 1)
    vertices = np.concatenate([belt, [[x, y, middle + half], [x, y, middle - half]]])
    faces = [[i, (i + 1) % 5, 5] for i in range(5)] + [[(i + 1) % 5, i, 6] for i in range(5)]
    out.add(vertices, faces, colour * 0.98, Tag.VEGETATION, Material.LEAVES, thing, level=FAR)


def conifer(out: MeshBuilder, draws: np.random.Generator, x: float, y: float, z: float, size: float) -> None:
    """A tree of three cones."""
    thing = out.new_object()
    height = size * float(draws.uniform(6.0, 9.0))
    colour = np.array(_NEEDLES) * float(draws.uniform(0.85, 1.2))
    out.add(
        *column(x, y, z, z + 0.25 * height, 0.17, 0.13, 5), _BARK, Tag.VEGETATION, Material.CONCRETE, thing, level=NEAR
    )
    for low, high, radius in ((0.16, 0.56, 1.5), (0.38, 0.78, 1.15), (0.60, 1.0, 0.8)):
        cone = column(x, y, z + low * height, z + high * height, radius * size, 0.05, 7, True)
        out.add(*cone, colour, Tag.VEGETATION, Material.LEAVES, thing, level=NEAR)
    out.add(*column(x, y, z + 0.14 * height, z + height, 1.3 * size, 0.04, 4, True), colour, Tag.VEGETATION,
            Material.LEAVES, thing, level=FAR)  # fmt: skip


def bush(out: MeshBuilder, draws: np.random.Generator, x: float, y: float, z: float, size: float) -> None:
    """A low crown on the ground."""
    thing = out.new_object()
    colour = np.array(_LEAVES[int(draws.integers(len(_LEAVES)))]) * 0.92
    out.add(*_blob(x, y, z + 0.45 * size, size, 0.62 * size, float(draws.uniform(0, 6.28)), 6), colour, Tag.VEGETATION,
            Material.LEAVES, thing, level=NEAR)  # fmt: skip
