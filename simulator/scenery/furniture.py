"""Street lamps, guard rails and the pillars of bridges."""

from __future__ import annotations

import math

import numpy as np

from simulator.scenery.borders import Section
from simulator.scenery.ground import RAISED_TYPES, ROAD_TYPES
from simulator.scenery.mesh import MeshBuilder, box, column, turned, wall
from simulator.scenery.plot import Plot
from simulator.scenery.surfaces import CONCRETE
from simulator.scenery.tags import Material, Tag

STREET_LAMP = 500_000  # aux of the triangles that are a street lamp's light
_POLE = (0.30, 0.32, 0.33)
_RAIL = (0.66, 0.67, 0.68)
_LAMP_HEIGHT = 7.2  # metres
_SPACING = 27.0  # metres between lamps
_RAIL_OUT = 0.45  # metres of a rail outside the pavement
_PILLARS = 22.0  # metres between pillars


def add_street_lamps(out: MeshBuilder, sections: list[Section], plot: Plot, draws: np.random.Generator) -> np.ndarray:
    """Lamps behind the sidewalks, on alternate sides; returns float64[n, 3] their light sources."""
    lights: list[tuple[float, float, float]] = []
    for section in sections:
        if section.junction >= 0:
            continue
        sides = [(section.edge[0][::-1], section.type[0], 0.5), (section.edge[-1], section.type[-1], 0.0)]
        for line, kind, shift in sides:
            if kind not in RAISED_TYPES:
                continue
            along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1))])
            at = (0.3 + shift) * _SPACING if along[-1] > _SPACING else 0.5 * along[-1]
            while at < along[-1] - 1.0:
                _lamp(out, line, along, at, plot, lights)
                at += _SPACING
    return np.array(lights, np.float64).reshape(-1, 3)


def _lamp(
    out: MeshBuilder,
    line: np.ndarray,
    along: np.ndarray,
    at: float,
    plot: Plot,
    lights: list[tuple[float, float, float]],
) -> None:
    x, y, z = (float(np.interp(at, along, line[:, k])) for k in range(3))
    k = int(np.clip(np.searchsorted(along, at) - 1, 0, len(line) - 2))
    yaw = math.atan2(line[k + 1, 1] - line[k, 1], line[k + 1, 0] - line[k, 0])
    x, y = x - math.sin(yaw) * 0.55, y + math.cos(yaw) * 0.55
    road = float(plot.ground.at(plot.ground.road, x, y))
    if road < 1.2 or not plot.free_of_road(x, y, 0.2, 0.5):
        return
    plot.take(x, y, 1.0)
    thing = out.new_object()
    z -= 0.1
    out.add(*column(x, y, z, z + _LAMP_HEIGHT, 0.10, 0.06, 6), _POLE, Tag.POLE, Material.METAL, thing, level=1)
    reach = min(1.9, road - 0.4)
    arm = turned(box((-0.05, -reach, -0.05), (0.05, 0.05, 0.05)), yaw, x, y, z + _LAMP_HEIGHT)
    out.add(*arm, _POLE, Tag.POLE, Material.METAL, thing, level=1)
    head = turned(box((-0.16, -reach - 0.25, -0.03), (0.16, -reach + 0.45, 0.11)), yaw, x, y, z + _LAMP_HEIGHT)
    out.add(*head, _POLE, Tag.POLE, Material.METAL, thing, level=1)
    glass = turned(box((-0.12, -reach - 0.2, -0.075), (0.12, -reach + 0.38, -0.03)), yaw, x, y, z + _LAMP_HEIGHT)
    out.add(*glass, (0.85, 0.85, 0.8), Tag.POLE, Material.LAMP, thing, aux=STREET_LAMP, level=1)
    lights.append((x + math.sin(yaw) * reach, y - math.cos(yaw) * reach, z + _LAMP_HEIGHT))


def add_rails(out: MeshBuilder, sections: list[Section], plot: Plot, elevation: np.ndarray) -> None:
    """Guard rails beside roads without sidewalks that are fast or high."""
    ground = plot.ground
    for section in sections:
        if section.junction >= 0 or any(t in RAISED_TYPES for t in section.type):
            continue
        for line, first in ((section.edge[0][::-1], 0), (section.edge[-1], len(section.lane) - 1)):
            if section.type[first] not in ROAD_TYPES:
                continue
            lanes = sum(t == "driving" for t, f in zip(section.type, section.forward) if f == section.forward[first])
            drop = line[:, 2] - ground.smooth(elevation, line[:, 0], line[:, 1])
            if lanes < 2 and drop.max() < 1.0:
                continue
            _rail(out, line, plot, float(drop.max()) > 1.0)


def _rail(out: MeshBuilder, line: np.ndarray, plot: Plot, high: bool) -> None:
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1))])
    if along[-1] < 3.0:
        return
    at = np.linspace(0.0, along[-1], max(2, int(along[-1] / 4.0) + 1))
    points = np.stack([np.interp(at, along, line[:, k]) for k in range(3)], axis=1)
    direction = np.gradient(points[:, :2], axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    points[:, 0] -= direction[:, 1] * (0.25 if high else _RAIL_OUT)
    points[:, 1] += direction[:, 0] * (0.25 if high else _RAIL_OUT)
    ground = plot.ground
    r, c = ground.index(points[:, 0], points[:, 1])
    # beside the own road only: another lane on the same level may begin right there
    beyond = points[:, :2] + np.stack([-direction[:, 1], direction[:, 0]], axis=1) * 1.2
    r2, c2 = ground.index(beyond[:, 0], beyond[:, 1])
    level = np.abs(ground.lane_height[r2, c2] - points[:, 2]) < 3.0
    free = (ground.road[r2, c2] > 0.9) | ~level
    free &= plot.sight[r, c] == 0
    thing = out.new_object()
    for k in range(len(points) - 1):
        if not (free[k] and free[k + 1]):
            continue
        pair = points[k : k + 2]
        band = pair + np.array([0.0, 0.0, 0.44])
        out.add(*wall(band, 0.32), _RAIL, Tag.GUARD_RAIL, Material.METAL, thing, level=1)
        out.add(*wall(band[::-1], 0.32), _RAIL, Tag.GUARD_RAIL, Material.METAL, thing, level=1)
        x, y, z = pair[0]
        post = box((x - 0.06, y - 0.06, z - 0.5), (x + 0.06, y + 0.06, z + 0.7), False)
        out.add(*post, (0.5, 0.5, 0.5), Tag.GUARD_RAIL, Material.METAL, thing, level=1)


def add_pillars(out: MeshBuilder, sections: list[Section], plot: Plot, elevation: np.ndarray) -> None:
    """Pillars under bridges, where no lane passes below."""
    ground = plot.ground
    for section in sections:
        middle = 0.5 * (section.edge[0] + section.edge[-1])
        at = np.arange(0.5 * _PILLARS, section.station[-1], _PILLARS)
        for s in at:
            x, y, z = (float(np.interp(s, section.station, middle[:, k])) for k in range(3))
            low = float(ground.smooth(elevation, np.array([x]), np.array([y]))[0])
            # the ground map holds the lowest lane: under a bridge that is the one that passes below
            if z - low < 3.6 or float(ground.at(ground.lane_height, x, y)) < z - 2.0:
                continue
            out.add(*column(x, y, low - 1.5, z - 0.6, 0.55, 0.55, 8), CONCRETE, Tag.BRIDGE, Material.CONCRETE)
