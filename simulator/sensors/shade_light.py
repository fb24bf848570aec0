"""From a world's weather to the light of a picture: sun, sky, fog, wetness.

Colours are RGB 0..255 for what is seen, and shares of white for light. Brightness is that of a camera with automatic
exposure: neither noon nor night is true to life.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.sensors.scene_weather import Field, is_dark

SKY_STEPS = 256  # of the sine of elevation, 0 horizon .. 1 zenith
FOG_STEPS = 4096  # of FOG_STEP metres
FOG_STEP = 0.25

Rgb = tuple[float, float, float]

_NIGHT_ZENITH, _NIGHT_HORIZON = (7.0, 10.0, 22.0), (26.0, 32.0, 48.0)
_DAY_ZENITH, _DAY_HORIZON = (74.0, 126.0, 196.0), (196.0, 214.0, 230.0)
_DUSK_ZENITH, _DUSK_HORIZON = (74.0, 92.0, 140.0), (244.0, 178.0, 118.0)
_CLOUD_DAY, _CLOUD_DUSK, _CLOUD_NIGHT = (168.0, 174.0, 182.0), (150.0, 132.0, 128.0), (20.0, 23.0, 31.0)


class Light(NamedTuple):
    """Light of one weather."""

    sun: np.ndarray  # float64[3] unit vector towards the sun (or moon)
    sun_colour: np.ndarray  # float32[3] light on a surface that faces it
    ambient: np.ndarray  # float32[3] light from the sky on a surface that faces up
    ground: np.ndarray  # float32[3] light from below on a surface that faces down
    sky: np.ndarray  # float32[SKY_STEPS, 3] RGB 0..255
    fog: np.ndarray  # float32[FOG_STEPS] share of fog at a depth
    fog_colour: np.ndarray  # float32[3] RGB 0..255
    cloud_colour: np.ndarray  # float32[3] RGB 0..255
    clouds: float  # 0..1
    wet: float  # 0..1
    puddles: float  # 0..1
    rain: float  # 0..1
    dark: bool  # street and vehicle lights are on
    dim: float  # 0..1 how much lamps show: 0 in daylight
    shadow: float  # 0..1 strength of the sun's shadows


def light_of(weather: np.ndarray) -> Light:
    """The light of float64[14] weather; sun angles are rounded to half a degree."""
    altitude = round(2.0 * float(weather[Field.SUN_ALTITUDE])) / 2.0
    azimuth = math.radians(round(2.0 * float(weather[Field.SUN_AZIMUTH])) / 2.0)
    if altitude > 90.0:
        altitude, azimuth = 180.0 - altitude, azimuth + math.pi
    clouds = _share(weather[Field.CLOUDINESS])
    rain = _share(weather[Field.PRECIPITATION])
    fog_density = _share(weather[Field.FOG_DENSITY])
    dust = _share(weather[Field.DUST])
    day = _smooth(-7.0, 10.0, altitude)
    sunlit = _smooth(-1.0, 9.0, altitude) * (1.0 - 0.92 * _smooth(0.25, 0.95, clouds)) * (1.0 - 0.6 * fog_density)
    low = math.exp(-((max(altitude, 0.0) / 13.0) ** 2)) * _smooth(-9.0, 0.0, altitude)

    zenith = _mix(_mix(_NIGHT_ZENITH, _DAY_ZENITH, day), _DUSK_ZENITH, 0.75 * low)
    horizon = _mix(_mix(_NIGHT_HORIZON, _DAY_HORIZON, day), _DUSK_HORIZON, 0.8 * low)
    grey = _mix(_mix(_CLOUD_NIGHT, _CLOUD_DAY, day), _CLOUD_DUSK, 0.7 * low)
    cover = _smooth(0.45, 1.0, clouds)
    zenith, horizon = (
        _mix(zenith, grey, 0.9 * cover),
        _mix(horizon, _mix(grey, (255.0, 255.0, 255.0), 0.12), 0.75 * cover),
    )
    gloom = 1.0 - 0.28 * rain - 0.1 * cover
    haze = _mix(horizon, (186.0 * day + 30.0, 140.0 * day + 26.0, 92.0 * day + 22.0), dust)

    density = 0.00035 + 0.030 * fog_density**1.4 + 0.0035 * rain + 0.03 * dust
    depth = np.arange(FOG_STEPS) * FOG_STEP
    start = max(float(weather[Field.FOG_DISTANCE]), 0.0)
    fog = 1.0 - np.exp(-density * np.maximum(depth - start, 0.0))
    sine = np.linspace(0.0, 1.0, SKY_STEPS)[:, None]
    sky = np.array(zenith) + (np.array(horizon) - np.array(zenith)) * np.exp(-5.0 * sine)
    veil = 1.0 - np.exp(-density * 160.0 / (sine + 0.08))
    sky = (sky * (1 - veil) + np.array(haze) * veil) * gloom
    fog_colour = np.array(haze) * gloom

    warm = _mix((1.0, 0.95, 0.87), (1.0, 0.66, 0.40), low)
    ambient_day = _mix((0.56, 0.60, 0.67), (0.70, 0.71, 0.73), cover)
    ambient = _mix(_mix((0.12, 0.14, 0.21), ambient_day, day), (0.52, 0.46, 0.48), 0.6 * low)
    power = 0.62 * sunlit
    return Light(
        sun=np.array([math.cos(math.radians(altitude)) * math.cos(azimuth),
                      math.cos(math.radians(altitude)) * math.sin(azimuth), math.sin(math.radians(altitude))]),
        sun_colour=np.array([c * power for c in warm], np.float32),
        ambient=np.array([c * gloom for c in ambient], np.float32),
        ground=np.array([0.62 * c * gloom for c in _mix(ambient, (0.5, 0.5, 0.44), 0.3 * day)], np.float32),
        sky=sky.astype(np.float32),
        fog=fog.astype(np.float32),
        fog_colour=fog_colour.astype(np.float32),
        cloud_colour=(np.array(_mix(grey, (255.0, 255.0, 255.0), 0.75 * day * (1 - cover))) * gloom).astype(np.float32),
        clouds=clouds,
        wet=max(_share(weather[Field.WETNESS]), 0.8 * _share(weather[Field.DEPOSITS]), 0.7 * rain),
        puddles=_share(weather[Field.DEPOSITS]),
        rain=rain,
        dark=is_dark(weather),
        dim=1.0 - 0.85 * _smooth(-6.0, 16.0, altitude) * (1.0 - 0.5 * fog_density),
        shadow=min(1.0, 1.6 * sunlit),
    )  # fmt: skip


def _share(percent: float) -> float:
    value = float(percent) / 100.0
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def _smooth(low: float, high: float, value: float) -> float:
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def _mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)
