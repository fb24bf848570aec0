"""The fields of a world's weather that sensors read (CARLA's `WeatherParameters`, in its order)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Field(IntEnum):
    """Index into `world["weather"]`."""

    CLOUDINESS = 0  # percent
    PRECIPITATION = 1  # percent
    DEPOSITS = 2  # percent of the road under puddles
    WIND = 3  # percent
    SUN_AZIMUTH = 4  # degrees
    SUN_ALTITUDE = 5  # degrees above the horizon
    FOG_DENSITY = 6  # percent
    FOG_DISTANCE = 7  # metres at which fog begins
    FOG_FALLOFF = 8
    WETNESS = 9  # percent
    SCATTERING = 10
    MIE = 11
    RAYLEIGH = 12
    DUST = 13  # percent


def is_dark(weather: np.ndarray) -> bool:
    """Whether traffic and streets are lit: low sun, dense clouds or fog, or two of the three near their thresholds.

    The rule of Bench2Drive's `RouteLightsBehavior` (docs/bench2drive.md 1.4), which CARLA's Traffic Manager shares.
    """
    altitude = float(weather[Field.SUN_ALTITUDE])
    margins = (
        min(altitude - 15.0, 165.0 - altitude),
        80.0 - float(weather[Field.CLOUDINESS]),
        40.0 - float(weather[Field.FOG_DENSITY]),
    )
    return min(margins) < 0 or sum(margin < 10.0 for margin in margins) >= 2
