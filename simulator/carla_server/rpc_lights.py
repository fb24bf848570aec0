"""RPC: traffic lights and street lights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, method
from simulator.signals import reset_lights

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer


def _light(server: CarlaServer, actor_id: Any) -> int:
    actor = server.episode.registry.get(actor_id)
    if actor.light < 0:
        raise RpcError(f"Actor {actor_id} ({actor.type_id}) is not a traffic light")
    return actor.light


def _phase(server: CarlaServer, actor_id: Any) -> int:
    """Index of the phase that a light is green in."""
    light, arrays = _light(server, actor_id), server.episode.arrays
    return int(arrays.group_first[arrays.light_group[light]] + arrays.light_phase[light])


def _group(server: CarlaServer, actor_id: Any) -> int:
    return int(server.episode.arrays.light_group[_light(server, actor_id)])


@method(Result.VOID)
def set_traffic_light_state(server: CarlaServer, actor_id: Any, state: Any) -> None:
    light = _light(server, actor_id)
    server.episode.worlds["light_state"][0, light] = encoding.whole(state, "TrafficLightState", 0, 4)


@method(Result.VOID, note="of its phase, as in CARLA")
def set_traffic_light_green_time(server: CarlaServer, actor_id: Any, seconds: Any) -> None:
    server.episode.arrays.phase_green[_phase(server, actor_id)] = max(encoding.number(seconds, "green time"), 0.0)


@method(Result.VOID, note="of its phase, as in CARLA")
def set_traffic_light_yellow_time(server: CarlaServer, actor_id: Any, seconds: Any) -> None:
    server.episode.arrays.phase_yellow[_phase(server, actor_id)] = max(encoding.number(seconds, "yellow time"), 0.0)


@method(Result.VOID, note="of its phase, as in CARLA")
def set_traffic_light_red_time(server: CarlaServer, actor_id: Any, seconds: Any) -> None:
    server.episode.arrays.phase_red[_phase(server, actor_id)] = max(encoding.number(seconds, "red time"), 0.0)


@method(Result.VOID, note="its whole group, as in CARLA")
def freeze_traffic_light(server: CarlaServer, actor_id: Any, freeze: Any) -> None:
    server.episode.worlds["group_frozen"][0, _group(server, actor_id)] = encoding.flag(freeze, "freeze")


@method(Result.VOID)
def freeze_all_traffic_lights(server: CarlaServer, freeze: Any) -> None:
    server.episode.worlds["group_frozen"][0, : len(server.episode.arrays.group_junction)] = encoding.flag(freeze)


@method(Result.VOID)
def reset_traffic_light_group(server: CarlaServer, actor_id: Any) -> None:
    server.episode.reset_group(_group(server, actor_id))


@method(Result.VOID)
def reset_all_traffic_lights(server: CarlaServer) -> None:
    reset_lights(server.episode.world, server.episode.net)


@method(Result.VALUE)
def get_group_traffic_lights(server: CarlaServer, actor_id: Any) -> list[int]:
    group = _group(server, actor_id)
    lights = server.episode.lights
    return [light.id for light in lights if server.episode.arrays.light_group[light.light] == group]


@method(Result.VALUE)
def get_light_boxes(server: CarlaServer, actor_id: Any) -> list[Any]:
    light = server.episode.lights[_light(server, actor_id)]
    x, y, z, _, yaw, _ = server.episode.frame.pose(light.row)
    return [encoding.write_box((x, y, z + 5.0), (0.25, 0.25, 0.55), light.id, yaw)]
