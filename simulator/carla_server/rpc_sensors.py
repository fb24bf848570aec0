"""RPC: what clients may ask of sensors beyond their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, Support, method
from simulator.sensors.inertial import GRAVITY

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_ROS = "there is no ROS node here"
_GBUFFERS = "there are no g-buffers: pictures are drawn without Unreal"


@method(Result.VOID, Support.REFUSES, _ROS)
def enable_sensor_for_ros(server: CarlaServer, stream: Any) -> None:
    raise RpcError(_ROS)


@method(Result.VOID, Support.ACCEPTS, _ROS)
def disable_sensor_for_ros(server: CarlaServer, stream: Any) -> None:
    encoding.whole(stream, "stream id")


@method(Result.VALUE, note=_ROS)
def is_sensor_enabled_for_ros(server: CarlaServer, stream: Any) -> bool:
    return False


@method(Result.VOID, Support.REFUSES, _GBUFFERS)
def enable_gbuffers(server: CarlaServer, actor_id: Any, on: Any) -> None:
    if encoding.flag(on, "enable"):
        raise RpcError(_GBUFFERS)


@method(Result.VALUE, note=_GBUFFERS)
def are_gbuffers_enabled(server: CarlaServer, actor_id: Any) -> bool:
    server.episode.registry.get(actor_id)
    return False


@method(Result.VALUE, Support.REFUSES, _GBUFFERS)
def get_gbuffer_token(server: CarlaServer, actor_id: Any, index: Any) -> bytes:
    raise RpcError(_GBUFFERS)


@method(Result.VALUE)
def get_imui_gravity(server: CarlaServer) -> float:
    return GRAVITY


@method(Result.VOID, Support.REFUSES, f"an IMU at rest reads {GRAVITY} m/s2")
def set_imui_gravity(server: CarlaServer, gravity: Any) -> None:
    if encoding.number(gravity, "gravity") != GRAVITY:
        raise RpcError(f"gravity cannot be changed: an IMU at rest reads {GRAVITY} m/s2")


@method(Result.VOID, Support.ACCEPTS, "nothing in a town is translucent")
def set_annotations_traverse_translucency(server: CarlaServer, on: Any) -> None:
    encoding.flag(on, "enable")


@method(Result.VOID, Support.REFUSES, "sensors see every vehicle")
def set_ignored_vehicles(server: CarlaServer, actor_id: Any, ids: Any) -> None:
    if encoding.items(ids, "ids"):
        raise RpcError("sensors cannot be told to look through vehicles")


@method(Result.VOID, Support.REFUSES, "there is no vehicle-to-vehicle radio here")
def send(server: CarlaServer, actor_id: Any, message: Any) -> None:
    raise RpcError("there is no vehicle-to-vehicle radio here")


@method(Result.VOID, Support.REFUSES, "surfaces have colours, not textures")
def apply_color_texture_to_objects(server: CarlaServer, names: Any, parameter: Any, texture: Any) -> None:
    raise RpcError("textures cannot be changed: surfaces of this town have colours only")


@method(Result.VOID, Support.REFUSES, "surfaces have colours, not textures")
def apply_float_color_texture_to_objects(server: CarlaServer, names: Any, parameter: Any, texture: Any) -> None:
    raise RpcError("textures cannot be changed: surfaces of this town have colours only")
