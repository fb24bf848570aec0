"""RPC: weather, debug drawing, rays, what the town is built of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.methods import Result, Support, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_WEATHER_FIELDS = 14


@method(Result.VALUE)
def get_weather_parameters(server: CarlaServer) -> list[float]:
    return server.episode.weather


@method(Result.VOID, note="cameras show it; grip does not change")
def set_weather_parameters(server: CarlaServer, weather: Any) -> None:
    values = [encoding.number(v, "weather") for v in encoding.fields(weather, _WEATHER_FIELDS, "WeatherParameters")]
    server.episode.weather = values
    server.episode.worlds["weather"][0] = values


@method(Result.VALUE)
def is_weather_enabled(server: CarlaServer) -> bool:
    return True


@method(Result.VOID, Support.ACCEPTS, "there is no window to draw in")
def draw_debug_shape(server: CarlaServer, shape: Any) -> None:
    encoding.fields(shape, 4, "DebugShape")


@method(Result.VOID, Support.ACCEPTS, "there is no window to draw in")
def clear_debug_shape(server: CarlaServer) -> None:
    pass


@method(Result.VOID, Support.ACCEPTS, "there is no window to draw in")
def clear_debug_string(server: CarlaServer) -> None:
    pass
