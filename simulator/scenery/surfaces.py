"""Carriageways, sidewalks and kerbs: bands between the lanes' edges."""

from __future__ import annotations

import numpy as np

from simulator.scenery.borders import Section
from simulator.scenery.ground import RAISED_TYPES, ROAD_TYPES
from simulator.scenery.mesh import MeshBuilder, strip, wall
from simulator.scenery.tags import Material, Tag

KERB_HEIGHT = 0.12  # metres of a sidewalk above the carriageway
_SKIRT = 0.7  # metres that a road's outer edge reaches down

ASPHALT = (0.235, 0.24, 0.25)
BIKE_PATH = (0.42, 0.24, 0.21)
SIDEWALK = (0.60, 0.58, 0.55)
KERB = (0.68, 0.67, 0.65)
CONCRETE = (0.55, 0.54, 0.52)
GRASS = (0.33, 0.43, 0.20)


def add_surfaces(out: MeshBuilder, section: Section, elevated: bool) -> None:
    """Add one lane section. Sidewalks inside junctions are left to `junction_fill`."""
    inside = section.junction >= 0
    n = len(section.lane)
    for i, kind in enumerate(section.type):
        left, right = section.edge[i], section.edge[i + 1]
        if kind in ROAD_TYPES:
            colour = BIKE_PATH if kind == "biking" and not inside else ASPHALT
            out.add(*strip(left, right), colour, Tag.ROAD, Material.ASPHALT)
        elif kind in RAISED_TYPES and not inside:
            out.add(*strip(_up(left), _up(right)), SIDEWALK, Tag.SIDEWALK, Material.PAVING)
            _kerb(out, section, i)
        elif kind == "median":
            out.add(*strip(_up(left), _up(right)), GRASS, Tag.TERRAIN, Material.GRASS)
            _kerb(out, section, i)
    _skirts(out, section, n, inside, 0 if elevated else 1)
    if elevated:
        paved = [i for i, t in enumerate(section.type) if t in ROAD_TYPES or t in RAISED_TYPES]
        if paved:
            low = section.edge[:, :, :] - np.array([0.0, 0.0, _SKIRT])
            out.add(*strip(low[paved[-1] + 1], low[paved[0]]), CONCRETE, Tag.BRIDGE, Material.CONCRETE)


def _up(line: np.ndarray) -> np.ndarray:
    raised = line.copy()
    raised[:, 2] += KERB_HEIGHT
    return raised


def _is_raised(kind: str) -> bool:
    return kind in RAISED_TYPES or kind == "median"


def _kerb(out: MeshBuilder, section: Section, i: int) -> None:
    """Upright faces of a raised lane towards lower neighbours, topped with a band of kerb stone."""
    left, right = section.edge[i], section.edge[i + 1]
    width = np.linalg.norm(right - left, axis=1)
    if width.max() < 0.3:
        return
    stone = np.minimum(0.16 / np.maximum(width, 1e-6), 0.45)[:, None]
    above = np.array([0.0, 0.0, 0.004])
    if i > 0 and not _is_raised(section.type[i - 1]):
        out.add(*wall(left[::-1], KERB_HEIGHT, 0.05), KERB, Tag.SIDEWALK, Material.KERB, level=1)
        inner = left + stone * (right - left)
        out.add(*strip(_up(left) + above, _up(inner) + above), KERB, Tag.SIDEWALK, Material.KERB, level=1)
    if i + 1 < len(section.lane) and not _is_raised(section.type[i + 1]):
        out.add(*wall(right, KERB_HEIGHT, 0.05), KERB, Tag.SIDEWALK, Material.KERB, level=1)
        inner = right + stone * (left - right)
        out.add(*strip(_up(inner) + above, _up(right) + above), KERB, Tag.SIDEWALK, Material.KERB, level=1)


def _skirts(out: MeshBuilder, section: Section, n: int, inside: bool, level: int) -> None:
    """Sides of the road's body, so that no gap opens to the terrain below; near the ground they are a detail."""

    def paved(i: int) -> bool:
        kind = section.type[i] if 0 <= i < n else ""
        return kind in ROAD_TYPES or (not inside and (kind in RAISED_TYPES or kind == "median"))

    # between the paths of a junction the asphalt goes on
    colour = ASPHALT if inside else CONCRETE
    tag, material = (Tag.ROAD, Material.ASPHALT) if inside else (Tag.GROUND, Material.CONCRETE)
    for i in range(n):
        if not paved(i):
            continue
        top = KERB_HEIGHT if _is_raised(section.type[i]) else 0.0
        if not paved(i - 1):
            out.add(*wall(section.edge[i][::-1], top, _SKIRT), colour, tag, material, level=level)
        if not paved(i + 1):
            out.add(*wall(section.edge[i + 1], top, _SKIRT), colour, tag, material, level=level)
