"""Weather along the route and lights at night, which the official tree ticks first (docs/bench2drive.md 1.4, 2.1).

Call them before the scenarios of a tick. The rules of interpolation and night are those of `scenarios/weather.py`, here
as kernels.
"""

from __future__ import annotations

import math

import numpy as np

from leaderboard_adapters.criteria_progress import passed_index, planar_speed, route_length
from scenarios.weather import WEATHER_FIELDS
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.state import EGO, Role, VehicleLight

WEATHER_WINDOW = 3  # route points looked ahead

LIGHTS_RADIUS = 100.0  # m around the ego
LIGHTS_SECONDS = 15.0  # or so many seconds of its way

_SUN = WEATHER_FIELDS.index("sun_altitude_angle")
_CLOUDS = WEATHER_FIELDS.index("cloudiness")
_FOG = WEATHER_FIELDS.index("fog_density")
_NUM_FIELDS = len(WEATHER_FIELDS)

_VEHICLE = int(Kind.VEHICLE)
_BICYCLE = int(Kind.BICYCLE)
_SCENARIO = int(Role.SCENARIO)
_HEADLIGHTS = int(VehicleLight.POSITION | VehicleLight.LOW_BEAM)


@kernel
def update_weather(w, c, routes):  # type: ignore[no-untyped-def]
    """Set `w.weather` (fields: WEATHER_FIELDS) whenever the ego has passed another point of its route."""
    index = max(c.weather_index, 0)
    found = passed_index(w, routes, index, WEATHER_WINDOW)
    if found == c.weather_index:
        return
    c.weather_index = found
    distance = routes.trace_distance[routes.trace_first[w.route] + found]
    set_weather(w, routes, distance / route_length(w, routes) * 100.0)


@kernel
def set_weather(w, routes, percentage):  # type: ignore[no-untyped-def]
    """Weather of the world's route at a percentage of its length, linear between keyframes."""
    first = routes.weather_first[w.route]
    count = routes.weather_first[w.route + 1] - first
    after = 0
    while after < count and routes.weather_percent[first + after] < percentage:
        after += 1
    a = first + max(after - 1, 0)
    b = first + min(after, count - 1)
    past = percentage - routes.weather_percent[a]
    span = routes.weather_percent[b] - routes.weather_percent[a]
    for k in range(_NUM_FIELDS):
        start = routes.weather_values[a, k]
        value = start
        if span > 0.0:
            # carla.WeatherParameters stores float32.
            value = np.float64(np.float32(start + (routes.weather_values[b, k] - start) * past / span))
        w.weather[k] = value


@kernel
def is_night_now(w):  # type: ignore[no-untyped-def]
    """Low sun, dense clouds or dense fog alone, or two of the three within 10 of their thresholds."""
    sun = min(w.weather[_SUN] - 15.0, 165.0 - w.weather[_SUN])
    clouds = 80.0 - w.weather[_CLOUDS]
    fog = 40.0 - w.weather[_FOG]
    near = int(sun < 10.0) + int(clouds < 10.0) + int(fog < 10.0)
    return sun < 0.0 or clouds < 0.0 or fog < 0.0 or near >= 2


@kernel
def update_headlights(w, c):  # type: ignore[no-untyped-def]
    """At night the ego and the scenarios' vehicles near it have their lights on; flows and traffic stay as they are."""
    if not is_night_now(w):
        if c.night == 1:
            c.night = 0
            for i in range(w.num_slots):
                if i == EGO or is_lit_by_leaderboard(w, i):
                    w.lights[i] &= ~_HEADLIGHTS
        return
    c.night = 1
    w.lights[EGO] |= _HEADLIGHTS
    radius = max(LIGHTS_RADIUS, LIGHTS_SECONDS * planar_speed(w, EGO))
    for i in range(1, w.num_slots):
        if not is_lit_by_leaderboard(w, i):
            continue
        dx, dy, dz = w.x[i] - w.x[EGO], w.y[i] - w.y[EGO], w.z[i] - w.z[EGO]
        if math.sqrt(dx * dx + dy * dy + dz * dz) > radius:
            w.lights[i] &= ~_HEADLIGHTS
        else:
            w.lights[i] |= _HEADLIGHTS


@kernel
def is_lit_by_leaderboard(w, i):  # type: ignore[no-untyped-def]
    """Vehicles whose role name is exactly `scenario`."""
    return w.role[i] == _SCENARIO and (w.kind[i] == _VEHICLE or w.kind[i] == _BICYCLE)
