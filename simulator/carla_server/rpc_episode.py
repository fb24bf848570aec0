"""RPC: versions, episodes, maps, settings, ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import RpcError, write_token, write_transform
from simulator.carla_server.methods import Result, Support, method
from simulator.carla_server.protocol import WORLD_STREAM
from simulator.carla_server.settings import read_settings
from simulator.errors import RouteGymError

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_LONGEST_MAP = 200_000_000  # characters of an OpenDRIVE text


@method(Result.VALUE)
def version(server: CarlaServer) -> str:
    return server.protocol.version


@method(Result.VALUE)
def get_available_maps(server: CarlaServer) -> list[str]:
    return server.maps.available()


@method(Result.VOID, note="towns of --maps and MiniTown; map layers have no effect")
def load_new_episode(server: CarlaServer, name: Any, reset_settings: Any, layers: Any) -> None:
    town = encoding.text(name, "map name") or server.episode.network.town
    try:
        server.load_episode(town, reset_settings=encoding.flag(reset_settings, "reset_settings"))
    except RouteGymError as error:
        raise RpcError(f"map not found: {error}") from None


@method(Result.VOID, Support.ACCEPTS, "towns have no layers")
def load_map_layer(server: CarlaServer, layer: Any) -> None:
    encoding.whole(layer, "map layer")


@method(Result.VOID, Support.ACCEPTS, "towns have no layers")
def unload_map_layer(server: CarlaServer, layer: Any) -> None:
    encoding.whole(layer, "map layer")


@method(Result.VOID, note="the generation parameters have no effect: roads need no mesh here")
def copy_opendrive_to_file(server: CarlaServer, opendrive: Any, parameters: Any) -> None:
    server.load_opendrive(encoding.text(opendrive, "OpenDRIVE text", _LONGEST_MAP))


@method(Result.VALUE)
def get_episode_info(server: CarlaServer) -> list[Any]:
    return [server.episode.number, [write_token(WORLD_STREAM, server.streams.port)]]


@method(Result.VALUE)
def get_sensor_token(server: CarlaServer, stream: Any) -> list[bytes]:
    return [write_token(encoding.whole(stream, "stream id"), server.streams.port)]


@method(Result.VALUE)
def get_episode_settings(server: CarlaServer) -> list[Any]:
    return server.settings.wire()


@method(Result.VALUE, note="steps longer than 0.05 s are divided, whatever substepping says; delta 0 is 0.05 s")
def set_episode_settings(server: CarlaServer, settings: Any) -> int:
    server.apply_settings(read_settings(settings))
    return server.clock.frame


@method(Result.VALUE)
def get_map_info(server: CarlaServer) -> list[Any]:
    return [server.episode.map_name, [write_transform(p) for p in server.episode.spawn_points]]


@method(Result.VALUE)
def get_map_data(server: CarlaServer) -> str:
    return server.episode.network.xodr


@method(Result.VALUE)
def tick_cue(server: CarlaServer) -> int:
    return server.tick()
