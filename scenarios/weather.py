"""Weather of a route: its keyframes, the named cases of Bench2Drive, night mode (docs/bench2drive.md 1.4).

All values are rounded to float32, as `carla.WeatherParameters` stores them; the official weather id depends on it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from scenarios.route import Route, WeatherKeyframe


class Weather(NamedTuple):
    """The fields of `carla.WeatherParameters` in its own order; the defaults are those of its constructor."""

    cloudiness: float = 0.0  # percent
    precipitation: float = 0.0  # percent
    precipitation_deposits: float = 0.0  # percent of the road under puddles
    wind_intensity: float = 0.0  # percent
    sun_azimuth_angle: float = 0.0  # degrees
    sun_altitude_angle: float = 0.0  # degrees above the horizon
    fog_density: float = 0.0  # percent
    fog_distance: float = 0.0  # metres at which fog begins
    fog_falloff: float = 0.0
    wetness: float = 0.0  # percent
    scattering_intensity: float = 0.0
    mie_scattering_scale: float = 0.0
    rayleigh_scattering_scale: float = float(np.float32(0.0331))
    dust_storm: float = 0.0  # percent


WEATHER_FIELDS: tuple[str, ...] = Weather._fields

#: What a keyframe starts from, and the whole weather of a route without `<weathers>`.
BASE_WEATHER = Weather(cloudiness=50.0, sun_altitude_angle=70.0)

_CASE_FIELDS = (
    "cloudiness",
    "precipitation",
    "precipitation_deposits",
    "wetness",
    "wind_intensity",
    "sun_azimuth_angle",
    "sun_altitude_angle",
    "fog_density",
)

# One row a case: id, then the fields above.
_CASES = (
    (0, 5, 0, 0, 0, 10, -1, 90, 2),
    (1, 5, 0, 0, 0, 10, -1, 15, 2),
    (2, 20, 30, 50, 0, 30, -1, 45, 3),
    (3, 60, 60, 60, 0, 60, -1, 45, 3),
    (5, 80, 0, 50, 20, 10, -1, 45, 3),
    (6, 5, 0, 50, 0, 10, -1, 15, 10),
    (7, 5, 0, 0, 0, 10, -1, 45, 2),
    (8, 100, 100, 90, 0, 100, -1, 45, 7),
    (9, 70, 60, 60, 0, 60, -1, 45, 50),
    (10, 40, 100, 90, 0, 100, -1, 0, 7),
    (11, 100, 60, 60, 0, 60, -1, 45, 50),
    (12, 5, 0, 0, 0, 10, -1, 45, 50),
    (13, 5, 0, 0, 0, 10, -1, 15, 50),
    (14, 100, 100, 50, 50, 100, -1, 45, 10),
    (15, 100, 50, 100, 80, 80, -1, 45, 10),
    (18, 40, 0, 50, 0, 10, -1, 15, 2),
    (19, 40, 0, 50, 0, 10, -1, -90, 2),
    (20, 60, 30, 50, 60, 30, -1, -90, 3),
    (21, 100, 100, 90, 100, 100, -1, -90, 3),
    (22, 5, 0, 0, 0, 10, -1, -90, 60),
    (23, 80, 60, 60, 80, 60, -1, -90, 60),
    (25, 100, 100, 90, 100, 100, -1, -90, 100),
    (26, 50, 0, 0, 0, 0, 0, 70, 0),
)

#: The 23 named cases of Bench2Drive: id -> attribute strings, written as Python writes a float.
WEATHER_CASES: Mapping[str, Mapping[str, str]] = {
    str(row[0]): {name: str(float(value)) for name, value in zip(_CASE_FIELDS, row[1:], strict=True)} for row in _CASES
}


def keyframe_weather(keyframe: WeatherKeyframe) -> Weather:
    """The base weather with the named fields of the keyframe set; unknown names are ignored."""
    named = {k: float(np.float32(v)) for k, v in keyframe.attributes.items() if k in WEATHER_FIELDS}
    return BASE_WEATHER._replace(**named)


def weather_at(route: Route, percentage: float) -> Weather:
    """Weather at a percentage (0..100) of the route's length.

    Between two keyframes every field but `dust_storm` is linear; before the first and after the last it is theirs.
    With two or more keyframes the official code builds each weather anew and leaves `dust_storm` at 0.
    """
    if not route.weathers:
        return BASE_WEATHER
    frames = sorted(route.weathers, key=lambda k: k.route_percentage)
    if len(frames) == 1:
        return keyframe_weather(frames[0])
    index = bisect_left([k.route_percentage for k in frames], percentage)
    before, after = frames[max(index - 1, 0)], frames[min(index, len(frames) - 1)]
    first, last = keyframe_weather(before), keyframe_weather(after)
    span = after.route_percentage - before.route_percentage
    if span <= 0:
        return first._replace(dust_storm=0.0)
    past = percentage - before.route_percentage
    mixed = Weather(*(float(np.float32(a + (b - a) * past / span)) for a, b in zip(first, last, strict=True)))
    return mixed._replace(dust_storm=0.0)


def weather_id(route: Route, cases: Mapping[str, Mapping[str, str]] = WEATHER_CASES) -> str | None:
    """Id of the first case whose attributes all equal, as strings, those of the route's first weather; else None.

    The official evaluator compares `str(field)` of the weather at the start with the text in its case file.
    """
    start = keyframe_weather(route.weathers[0]) if route.weathers else BASE_WEATHER
    as_text = {name: str(value) for name, value in start._asdict().items()}
    for case, attributes in cases.items():
        if all(as_text.get(name) == text for name, text in attributes.items()):
            return case
    return None


# Night-mode thresholds, and how near to them two of the three must be to count together.
_SUN_LOW, _SUN_HIGH, _CLOUDS, _FOG, _NEAR = 15.0, 165.0, 80.0, 40.0, 10.0


def is_night(weather: Weather) -> bool:
    """Whether street and vehicle lights are switched on in this weather.

    Low sun, dense clouds or dense fog alone, or two of the three near their thresholds.
    """
    margins = (
        min(weather.sun_altitude_angle - _SUN_LOW, _SUN_HIGH - weather.sun_altitude_angle),
        _CLOUDS - weather.cloudiness,
        _FOG - weather.fog_density,
    )
    return min(margins) < 0 or sum(margin < _NEAR for margin in margins) >= 2
