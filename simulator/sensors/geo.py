"""Latitude and longitude of places in a town, as CARLA's GNSS sensor and the leaderboard's GPS route reckon them.

Mercator on a sphere of the equator's radius, with the scale of the reference latitude (docs/bench2drive.md 1.2). North
is where CARLA's y falls. (`carla.Map.transform_to_geolocation` of 0.9.16 projects otherwise, and takes y as north.)
"""

from __future__ import annotations

import math

from simulator.kernel import kernel

EARTH_RADIUS = 6378137.0  # m


@kernel
def to_geo(lat0: float, lon0: float, x: float, y: float) -> tuple[float, float]:
    """Latitude, longitude (deg) of a place `x`, `y` (m, CARLA's frame) in a town whose origin lies at lat0, lon0."""
    scale = math.cos(math.radians(lat0))
    mx = scale * lon0 * math.pi * EARTH_RADIUS / 180.0 + x
    my = scale * EARTH_RADIUS * math.log(math.tan((90.0 + lat0) * math.pi / 360.0)) - y
    lon = mx * 180.0 / (math.pi * EARTH_RADIUS * scale)
    lat = 360.0 * math.atan(math.exp(my / (EARTH_RADIUS * scale))) / math.pi - 90.0
    return lat, lon


@kernel
def from_geo(lat0: float, lon0: float, lat: float, lon: float) -> tuple[float, float]:
    """The inverse of `to_geo`: x, y in metres."""
    scale = math.cos(math.radians(lat0))
    x = scale * (lon - lon0) * math.pi * EARTH_RADIUS / 180.0
    south = math.log(math.tan((90.0 + lat0) * math.pi / 360.0)) - math.log(math.tan((90.0 + lat) * math.pi / 360.0))
    return x, scale * EARTH_RADIUS * south
