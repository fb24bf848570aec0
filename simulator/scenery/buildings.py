"""Houses along the streets, and blocks behind them. Windows are painted by the cameras (Material.FACADE)."""

from __future__ import annotations

import math

import numpy as np

from simulator.scenery.borders import Section
from simulator.scenery.ground import RAISED_TYPES
from simulator.scenery.mesh import MeshBuilder, box, turned
from simulator.scenery.plot import Plot
from simulator.scenery.tags import Material, Tag

_WALLS = (
    (0.72, 0.66, 0.58), (0.62, 0.45, 0.37), (0.78, 0.74, 0.66), (0.55, 0.57, 0.60), (0.68, 0.58, 0.46),
    (0.52, 0.36, 0.31), (0.66, 0.70, 0.70), (0.80, 0.72, 0.56), (0.48, 0.52, 0.50), (0.74, 0.60, 0.52),
)  # fmt: skip
_ROOFS = ((0.46, 0.24, 0.19), (0.36, 0.31, 0.29), (0.30, 0.31, 0.33), (0.52, 0.32, 0.23))
_FLAT_ROOF = (0.42, 0.42, 0.42)
_SETBACK = 3.6  # metres from the sidewalk to the front
_GAP = 2.2  # metres of a building off every pavement


def add_buildings(out: MeshBuilder, sections: list[Section], plot: Plot, draws: np.random.Generator) -> None:
    """Fill the land beside sidewalks with buildings, then the land behind them."""
    centre = np.median(np.concatenate([s.edge.reshape(-1, 3)[:, :2] for s in sections]), axis=0)
    for section in sections:
        if section.junction >= 0:
            continue
        n = len(section.lane)
        if section.type[0] in RAISED_TYPES:
            _row(out, section.edge[0][::-1], plot, draws, centre)
        if section.type[n - 1] in RAISED_TYPES:
            _row(out, section.edge[n], plot, draws, centre)
    _behind(out, plot, draws, centre)


def _row(out: MeshBuilder, line: np.ndarray, plot: Plot, draws: np.random.Generator, centre: np.ndarray) -> None:
    """Lots along a sidewalk's outer edge; the land is to the right of the line."""
    step = np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(step)])
    at = float(draws.uniform(2.0, 8.0))
    while at + 8.0 < along[-1]:
        width = float(draws.uniform(10.0, 22.0))
        depth = float(draws.uniform(9.0, 14.0))
        middle = at + width / 2
        x, y = (float(np.interp(middle, along, line[:, k])) for k in range(2))
        k = int(np.clip(np.searchsorted(along, middle) - 1, 0, len(step) - 1))
        yaw = math.atan2(line[k + 1, 1] - line[k, 1], line[k + 1, 0] - line[k, 0])
        back = _SETBACK + depth / 2 + float(draws.uniform(0.0, 2.5))
        x, y = x - math.sin(yaw) * back, y + math.cos(yaw) * back
        if _place(out, plot, draws, x, y, yaw, width, depth, _floors(draws, x, y, centre)):
            at += width + float(draws.choice([0.6, 3.5, 7.0, 14.0], p=[0.35, 0.3, 0.2, 0.15]))
        else:
            at += 4.0


def _floors(draws: np.random.Generator, x: float, y: float, centre: np.ndarray) -> int:
    """Taller towards the middle of the town."""
    away = math.hypot(x - centre[0], y - centre[1])
    mean = 2.0 + 4.5 * math.exp(-((away / 170.0) ** 2))
    return int(np.clip(round(draws.normal(mean, 1.2)), 1, 9))


def _behind(out: MeshBuilder, plot: Plot, draws: np.random.Generator, centre: np.ndarray) -> None:
    """Larger blocks in the interior, as a skyline."""
    ground = plot.ground
    rows, columns = np.nonzero((ground.paved > 22.0) & (ground.paved < 70.0))
    if not len(rows):
        return
    for pick in draws.permutation(len(rows))[: len(rows) // 260]:
        x, y = ground.origin[0] + float(columns[pick]), ground.origin[1] + float(rows[pick])
        away = math.hypot(x - centre[0], y - centre[1])
        if draws.random() > 0.9 * math.exp(-((away / 260.0) ** 2)) + 0.06:
            continue
        width, depth = float(draws.uniform(12.0, 26.0)), float(draws.uniform(11.0, 18.0))
        floors = int(np.clip(_floors(draws, x, y, centre) + draws.integers(0, 4), 2, 12))
        _place(out, plot, draws, x, y, float(draws.integers(0, 2)) * math.pi / 2, width, depth, floors)


def _place(
    out: MeshBuilder, plot: Plot, draws: np.random.Generator, x: float, y: float, yaw: float, width: float,
    depth: float, floors: int,
) -> bool:  # fmt: skip
    c, s = math.cos(yaw), math.sin(yaw)
    corners = np.array(
        [[-width / 2, -depth / 2], [width / 2, -depth / 2], [width / 2, depth / 2], [-width / 2, depth / 2]]
    )
    outline = np.stack([x + c * corners[:, 0] - s * corners[:, 1], y + s * corners[:, 0] + c * corners[:, 1]], axis=1)
    if not plot.free_outline(outline, _GAP):
        return False
    heights = [plot.height(px, py) for px, py in outline]
    if max(heights) - min(heights) > 1.6:
        return False
    plot.take_outline(outline)
    base = min(heights) - 0.2
    colour = np.array(_WALLS[int(draws.integers(len(_WALLS)))]) * float(draws.uniform(0.9, 1.08))
    thing = out.new_object()
    storey = float(draws.uniform(2.9, 3.5))
    height = floors * storey + 0.9
    gable = floors <= 2 and width < 18.0 and draws.random() < 0.8
    pitch = float(draws.uniform(2.2, 3.4))
    glass = float(draws.uniform(0.42, 0.62)) if floors < 4 or draws.random() < 0.5 else float(draws.uniform(0.72, 0.9))
    seed = int(draws.integers(0, 200)) * 3 + (0 if gable else int(draws.integers(0, 3)))
    for i in range(4):
        j = (i + 1) % 4
        a, b = outline[i], outline[j]
        length = float(np.linalg.norm(b - a))
        u = (b - a) / length
        count = max(1, round(length / pitch))
        row = out.add_pattern(
            (a[0], a[1], base + 0.35),
            (u[0], u[1], 0.0),
            (0.0, 0.0, 1.0),
            length / count,
            storey,
            seed + min(glass, 0.95),
        )
        # walls run against the clock, so that their fronts look outwards
        vertices = [[a[0], a[1], base], [b[0], b[1], base], [b[0], b[1], base + height], [a[0], a[1], base + height]]
        out.add(vertices, [[0, 1, 2], [0, 2, 3]], colour, Tag.BUILDING, Material.FACADE, thing, aux=row)
    if gable:
        _gable(out, draws, x, y, yaw, width, depth, base + height, colour, thing)
    else:
        _flat_roof(out, draws, x, y, yaw, width, depth, base + height, colour, thing)
    return True


def _gable(
    out: MeshBuilder, draws: np.random.Generator, x: float, y: float, yaw: float, width: float, depth: float, z: float,
    colour: np.ndarray, thing: int,
) -> None:  # fmt: skip
    a, b, rise = width / 2, depth / 2, depth * 0.32
    over = 0.4
    roof = np.array(
        [[-a - over, -b - over, -0.25], [a + over, -b - over, -0.25], [a + over, 0, rise], [-a - over, 0, rise],
         [-a - over, b + over, -0.25], [a + over, b + over, -0.25]], float
    )  # fmt: skip
    faces = np.array([[0, 1, 2], [0, 2, 3], [3, 2, 5], [3, 5, 4]])
    vertices, faces = turned((roof, faces), yaw, x, y, z)
    tiles = np.array(_ROOFS[int(draws.integers(len(_ROOFS)))])
    out.add(vertices, faces, tiles, Tag.BUILDING, Material.CONCRETE, thing)
    out.add(vertices, faces[:, ::-1], tiles * 0.6, Tag.BUILDING, Material.CONCRETE, thing)
    ends = np.array([[-a, -b, 0], [-a, b, 0], [-a, 0, rise], [a, -b, 0], [a, b, 0], [a, 0, rise]], float)
    vertices, faces = turned((ends, np.array([[0, 2, 1], [3, 4, 5]])), yaw, x, y, z)
    out.add(vertices, faces, colour, Tag.BUILDING, Material.CONCRETE, thing)
    chimney = turned(
        box((a * 0.4, -b * 0.5 - 0.3, 0.0), (a * 0.4 + 0.6, -b * 0.5 + 0.3, rise + 0.7), False), yaw, x, y, z
    )
    out.add(*chimney, np.array((0.45, 0.30, 0.25)), Tag.BUILDING, Material.CONCRETE, thing, level=1)


def _flat_roof(
    out: MeshBuilder, draws: np.random.Generator, x: float, y: float, yaw: float, width: float, depth: float, z: float,
    colour: np.ndarray, thing: int,
) -> None:  # fmt: skip
    a, b = width / 2, depth / 2
    rim = turned(box((-a - 0.15, -b - 0.15, -0.25), (a + 0.15, b + 0.15, 0.3)), yaw, x, y, z)
    out.add(*rim, colour * 0.82, Tag.BUILDING, Material.CONCRETE, thing)
    top = np.array([[-a, -b, 0.31], [a, -b, 0.31], [a, b, 0.31], [-a, b, 0.31]])
    out.add(
        *turned((top, np.array([[0, 1, 2], [0, 2, 3]])), yaw, x, y, z),
        _FLAT_ROOF,
        Tag.BUILDING,
        Material.CONCRETE,
        thing,
    )
    for _ in range(int(draws.integers(1, 3))):
        u, v = float(draws.uniform(-0.6, 0.6)) * a, float(draws.uniform(-0.6, 0.6)) * b
        unit = turned(box((u - 1.2, v - 0.9, 0.3), (u + 1.2, v + 0.9, 1.7), False), yaw, x, y, z)
        out.add(*unit, (0.55, 0.56, 0.57), Tag.BUILDING, Material.CONCRETE, thing, level=1)
