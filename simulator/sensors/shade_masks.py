"""Maps of light on the ground: where buildings and trees keep the sun away, and where street lamps shine."""

from __future__ import annotations

import math
from collections import OrderedDict

import cv2
import numpy as np

from simulator.scenery.tags import Tag
from simulator.scenery.town import TownScenery
from simulator.sensors.shade_light import Light

MASK_CELL = 0.5  # metres
_LOWEST_SUN = math.radians(7.0)  # shadows grow no longer than at this altitude
_KEPT = 6  # sun positions a process keeps
_LAMP_REACH = 15.0  # metres on the ground

_CASTERS = (int(Tag.BUILDING), int(Tag.VEGETATION), int(Tag.TRAFFIC_LIGHT), int(Tag.TRAFFIC_SIGN), int(Tag.BRIDGE))

_suns: OrderedDict[tuple[int, float, float], np.ndarray] = OrderedDict()
_lamps: OrderedDict[int, np.ndarray] = OrderedDict()


def _shape(town: TownScenery) -> tuple[int, int]:
    rows, columns = town.ground.shape
    return round((rows - 1) / MASK_CELL) + 1, round((columns - 1) / MASK_CELL) + 1


def sun_mask(town: TownScenery, light: Light) -> np.ndarray:
    """uint8[rows, columns] of 0.5 m from the ground map's origin: 255 where the sun shines, 0 in the shade.

    The sun's place is rounded to 2 degrees, so that a sun that moves slowly does not mean a new map every tick.
    """
    altitude = math.degrees(math.asin(min(max(float(light.sun[2]), -1.0), 1.0)))
    azimuth = math.degrees(math.atan2(float(light.sun[1]), float(light.sun[0])))
    key = (id(town.mesh.vertex), round(altitude / 2.0) * 2.0, round(azimuth / 2.0) * 2.0)
    if light.shadow <= 0.02 or altitude < 1.0:
        key = (key[0], -90.0, 0.0)
    if key not in _suns:
        _suns[key] = _cast(town, math.radians(key[1]), math.radians(key[2]))
        while len(_suns) > _KEPT:
            _suns.popitem(last=False)
    return _suns[key]


def _cast(town: TownScenery, altitude: float, azimuth: float) -> np.ndarray:
    mask = np.full(_shape(town), 255, np.uint8)
    if altitude <= 0.0:
        return mask
    mesh = town.mesh
    near = np.zeros(len(mesh.tag), bool)  # what stands in for trees from afar casts no second shadow
    for a, b in zip(mesh.chunk_triangle[:-1:3], mesh.chunk_triangle[2::3]):
        near[a:b] = True
    corner = mesh.vertex[mesh.triangle[near & np.isin(mesh.tag, _CASTERS)]].astype(np.float64)
    middle = corner[:, :, :2].mean(axis=1)
    c = np.clip(np.round(middle[:, 0] - town.ground_origin[0]).astype(int), 0, town.ground.shape[1] - 1)
    r = np.clip(np.round(middle[:, 1] - town.ground_origin[1]).astype(int), 0, town.ground.shape[0] - 1)
    rise = np.maximum(corner[:, :, 2] - town.ground[r, c][:, None], 0.0)
    reach = rise / math.tan(max(altitude, _LOWEST_SUN))
    x = corner[:, :, 0] - reach * math.cos(azimuth) - town.ground_origin[0]
    y = corner[:, :, 1] - reach * math.sin(azimuth) - town.ground_origin[1]
    points = np.round(np.stack([x, y], axis=2) / MASK_CELL * 16).astype(np.int32)
    for triangle in points:
        cv2.fillConvexPoly(mask, triangle, 0, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.9))


def lamp_mask(town: TownScenery) -> np.ndarray:
    """uint8[rows, columns]: light of street lamps on the ground, 255 right below."""
    key = id(town.mesh.vertex)
    if key not in _lamps:
        light = np.zeros(_shape(town), np.float32)
        n = int(_LAMP_REACH / MASK_CELL)
        y, x = np.mgrid[-n : n + 1, -n : n + 1] * MASK_CELL
        gap2 = (x * x + y * y) / _LAMP_REACH**2
        spot = (1.25 * np.maximum(1.0 - gap2, 0.0) ** 2 / (1.0 + 9.0 * gap2)).astype(np.float32)
        for lamp in town.street_lamp:
            c, r = (round((lamp[k] - town.ground_origin[k]) / MASK_CELL) for k in range(2))
            if n <= r < light.shape[0] - n and n <= c < light.shape[1] - n:
                light[r - n : r + n + 1, c - n : c + n + 1] += spot
        _lamps[key] = np.clip(255.0 * light, 0, 255).astype(np.uint8)
    return _lamps[key]
