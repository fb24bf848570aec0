"""RPC: files that clients download: the navigation mesh on which their pedestrians walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, method
from simulator.carla_server.navigation_mesh import file_name

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer


@method(Result.VALUE, note="the navigation mesh; the town itself is in get_map_data")
def get_required_files(server: CarlaServer, folder: Any) -> list[str]:
    name = file_name(server.episode.network)
    wanted = encoding.text(folder, "folder")
    return [name] if server.navigation and wanted in ("", "Nav") else []


@method(Result.VALUE)
def request_file(server: CarlaServer, name: Any) -> bytes:
    if encoding.text(name, "file") != file_name(server.episode.network):
        raise RpcError(f"no file {name}; this town has {', '.join(get_required_files(server, '')) or 'none'}")
    return server.navigation


@method(Result.VALUE)
def get_navigation_mesh(server: CarlaServer) -> bytes:
    return server.navigation
