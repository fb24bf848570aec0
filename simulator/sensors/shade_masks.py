"""Maps of light on the ground: where buildings and trees keep the sun away, and where street lamps shine."""

from __future__ import annotations

import math
from collections import OrderedDict

import cv2
import numpy as np

from simulator.kernel import kernel
from simulator.scenery.tags import Tag
from simulator.scenery.town import TownScenery
from simulator.sensors.shade_light import Light

MASK_CELL = 0.5  # metres
_LOWEST_SUN = math.radians(7.0)  # shadows grow no longer than at this altitude
_KEPT = 6  # sun positions a process keeps
_LAMP_REACH = 15.0  # metres on the ground

_CASTERS = (int(Tag.BUILDING), int(Tag.VEGETATION), int(Tag.TRAFFIC_LIGHT), int(Tag.TRAFFIC_SIGN), int(Tag.BRIDGE))

# with the town's vertices, so that their id stays theirs
_suns: OrderedDict[tuple[int, float, float], tuple[np.ndarray, np.ndarray]] = OrderedDict()
_lamps: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()


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
        _suns[key] = town.mesh.vertex, _cast(town, math.radians(key[1]), math.radians(key[2]))
        while len(_suns) > _KEPT:
            _suns.popitem(last=False)
    return _suns[key][1]


def _cast(town: TownScenery, altitude: float, azimuth: float) -> np.ndarray:
    mask = np.full(_shape(town), 255, np.uint8)
    if altitude <= 0.0:
        return mask
    mesh = town.mesh
    near = np.zeros(len(mesh.tag), bool)  # what stands in for trees from afar casts no second shadow
    for a, b in zip(mesh.chunk_triangle[:-1:3], mesh.chunk_triangle[2::3]):
        near[a:b] = True
    casters = np.flatnonzero(near & np.isin(mesh.tag, _CASTERS))
    slope = 1.0 / math.tan(max(altitude, _LOWEST_SUN))
    _throw(
        mesh.vertex, mesh.triangle, casters, town.ground, town.ground_origin, slope * math.cos(azimuth),
        slope * math.sin(azimuth), mask,
    )  # fmt: skip
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.9))


@kernel
def _throw(vertex, triangle, casters, ground, origin, run_x, run_y, mask):  # type: ignore[no-untyped-def]
    """Fill with 0 what the triangles `casters` hide from a sun whose rays run `run` metres for each metre of height."""
    x, y = np.zeros(3), np.zeros(3)
    for n in range(casters.shape[0]):
        t = casters[n]
        middle_x = middle_y = 0.0
        for k in range(3):
            middle_x += vertex[triangle[t, k], 0] / 3.0 - origin[0] / 3.0
            middle_y += vertex[triangle[t, k], 1] / 3.0 - origin[1] / 3.0
        r = min(max(int(middle_y + 0.5), 0), ground.shape[0] - 1)
        c = min(max(int(middle_x + 0.5), 0), ground.shape[1] - 1)
        for k in range(3):
            v = triangle[t, k]
            rise = max(vertex[v, 2] - ground[r, c], 0.0)
            x[k] = (vertex[v, 0] - run_x * rise - origin[0]) / MASK_CELL
            y[k] = (vertex[v, 1] - run_y * rise - origin[1]) / MASK_CELL
        area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
        if area == 0.0:
            continue
        sign = 1.0 if area > 0.0 else -1.0
        j_low, j_high = max(int(y.min()), 0), min(int(y.max()) + 1, mask.shape[0] - 1)
        i_low, i_high = max(int(x.min()), 0), min(int(x.max()) + 1, mask.shape[1] - 1)
        for j in range(j_low, j_high + 1):
            for i in range(i_low, i_high + 1):
                inside = True
                for k in range(3):
                    m = (k + 1) % 3
                    if sign * ((x[m] - x[k]) * (j - y[k]) - (y[m] - y[k]) * (i - x[k])) < 0.0:
                        inside = False
                        break
                if inside:
                    mask[j, i] = np.uint8(0)


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
        _lamps[key] = town.mesh.vertex, np.clip(255.0 * light, 0, 255).astype(np.uint8)
    return _lamps[key][1]
