"""RPC: where Traffic Managers run. They live in clients; the server keeps the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.methods import Result, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_MOST = 1000


def _port(value: Any) -> int:
    return encoding.whole(value, "Traffic Manager port", 0, 65535)


@method(Result.VALUE)
def is_traffic_manager_running(server: CarlaServer, port: Any) -> bool:
    return _port(port) in server.traffic_managers


@method(Result.VALUE)
def get_traffic_manager_running(server: CarlaServer, port: Any) -> list[Any]:
    host = server.traffic_managers.get(_port(port))
    return ["", 0] if host is None else [host, port]


@method(Result.VALUE)
def add_traffic_manager_running(server: CarlaServer, place: Any) -> bool:
    host, port = encoding.fields(place, 2, "Traffic Manager")
    if _port(port) in server.traffic_managers or len(server.traffic_managers) >= _MOST:
        return False
    server.traffic_managers[port] = encoding.text(host, "Traffic Manager host")
    return True


@method(Result.VALUE)
def destroy_traffic_manager(server: CarlaServer, port: Any) -> bool:
    return server.traffic_managers.pop(_port(port), None) is not None
