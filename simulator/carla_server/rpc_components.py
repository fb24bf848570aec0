"""RPC: what Unreal actors are composed of, and other physics engines. None of it exists here, and is said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, Support, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_NONE = "actors have none: they are one piece"


def _nothing(server: CarlaServer, actor_id: Any) -> list[Any]:
    server.episode.registry.get(actor_id)
    return []


@method(Result.VALUE, note=_NONE)
def get_actor_component_names(server: CarlaServer, actor_id: Any) -> list[str]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_bone_names(server: CarlaServer, actor_id: Any) -> list[str]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_socket_names(server: CarlaServer, actor_id: Any) -> list[str]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_bone_world_transforms(server: CarlaServer, actor_id: Any) -> list[Any]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_bone_relative_transforms(server: CarlaServer, actor_id: Any) -> list[Any]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_socket_world_transforms(server: CarlaServer, actor_id: Any) -> list[Any]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_actor_socket_relative_transforms(server: CarlaServer, actor_id: Any) -> list[Any]:
    return _nothing(server, actor_id)


@method(Result.VALUE, note=_NONE)
def get_vehicle_bone_world_transforms(server: CarlaServer, actor_id: Any) -> list[Any]:
    return _nothing(server, actor_id)


def _no_component(server: CarlaServer, actor_id: Any, name: Any) -> None:
    server.episode.registry.get(actor_id)
    raise RpcError(f"Actor {actor_id} has no component '{encoding.text(name, 'component')}': {_NONE}")


@method(Result.VALUE, Support.REFUSES, _NONE)
def get_actor_component_world_transform(server: CarlaServer, actor_id: Any, name: Any) -> None:
    _no_component(server, actor_id, name)


@method(Result.VALUE, Support.REFUSES, _NONE)
def get_actor_component_relative_transform(server: CarlaServer, actor_id: Any, name: Any) -> None:
    _no_component(server, actor_id, name)


@method(Result.VOID, Support.REFUSES, "there is no CarSim here")
def enable_carsim(server: CarlaServer, actor_id: Any, simfile: Any) -> None:
    raise RpcError("CarSim is no part of this server")


@method(Result.VOID, Support.REFUSES, "there is no CarSim here")
def use_carsim_road(server: CarlaServer, actor_id: Any, on: Any) -> None:
    raise RpcError("CarSim is no part of this server")


@method(Result.VOID, Support.REFUSES, "there is no Chrono here")
def enable_chrono_physics(
    server: CarlaServer, actor_id: Any, substeps: Any, delta: Any, vehicle: Any, powertrain: Any, tire: Any, path: Any
) -> None:
    raise RpcError("Chrono is no part of this server")


@method(Result.VOID, note="vehicles always move by the server's own dynamics")
def restore_physx_physics(server: CarlaServer, actor_id: Any) -> None:
    server.episode.registry.get(actor_id)
