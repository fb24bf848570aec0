"""RPC: vehicles: controls, lights, doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.methods import Result, Support, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_ALL_LIGHTS = 0xFFFFFFFF
_DOORS = 6  # front left, front right, rear left, rear right, hood, trunk; then: all
_SIDE_DOORS = 4


@method(Result.VOID, note="gears are noted and reported, and have no effect")
def apply_control_to_vehicle(server: CarlaServer, actor_id: Any, control: Any) -> None:
    slot = server.episode.registry.with_body(actor_id, ActorKind.VEHICLE).slot
    throttle, steer, brake, hand_brake, reverse, manual, gear = encoding.fields(control, 7, "VehicleControl")
    if server.ackermann:
        server.ackermann.pop(actor_id, None)
    pedals = (encoding.number(throttle, "throttle"), encoding.number(steer, "steer"), encoding.number(brake, "brake"))
    switches = (hand_brake, reverse, manual)
    if not all(type(s) is bool for s in switches):
        raise encoding.BadArgument("hand_brake, reverse or manual_gear_shift is not a boolean")
    chosen = encoding.whole(gear, "gear", -(1 << 31), (1 << 31) - 1)
    c = server.episode.columns
    c.throttle[slot], c.steer[slot], c.brake[slot] = pedals
    c.hand_brake[slot], c.reverse[slot], c.manual[slot] = switches
    c.gear[slot] = chosen


@method(Result.VALUE)
def get_vehicle_light_state(server: CarlaServer, actor_id: Any) -> list[int]:
    actor = server.episode.registry.get(actor_id, dead=True)
    alive = actor.id in server.episode.registry.actors
    return [int(server.episode.worlds["lights"][0, actor.slot]) if alive and actor.slot >= 0 else 0]


@method(Result.VOID)
def set_vehicle_light_state(server: CarlaServer, actor_id: Any, state: Any) -> None:
    set_lights(server, actor_id, encoding.fields(state, 1, "VehicleLightState")[0])


def set_lights(server: CarlaServer, actor_id: Any, bits: Any) -> None:
    """Set the light bits of a vehicle."""
    slot = server.episode.registry.with_body(actor_id, ActorKind.VEHICLE).slot
    server.episode.worlds["lights"][0, slot] = encoding.whole(bits, "VehicleLightState", 0, _ALL_LIGHTS)


@method(Result.VALUE)
def get_vehicle_light_states(server: CarlaServer) -> list[list[int]]:
    lights = server.episode.worlds["lights"][0].tolist()
    actors = server.episode.registry.actors.values()
    return [[a.id, lights[a.slot]] for a in actors if a.kind == ActorKind.VEHICLE]


@method(Result.VOID, Support.APPROXIMATES, "one side door at a time stands open; 'All' opens the driver's")
def open_vehicle_door(server: CarlaServer, actor_id: Any, door: Any) -> None:
    slot = server.episode.registry.with_body(actor_id, ActorKind.VEHICLE).slot
    index = encoding.whole(door, "VehicleDoor", 0, _DOORS)
    if index == _DOORS:
        index = 0
    if index < _SIDE_DOORS:
        server.episode.worlds["door"][0, slot] = 1 + index


@method(Result.VOID, Support.APPROXIMATES, "see open_vehicle_door")
def close_vehicle_door(server: CarlaServer, actor_id: Any, door: Any) -> None:
    slot = server.episode.registry.with_body(actor_id, ActorKind.VEHICLE).slot
    index = encoding.whole(door, "VehicleDoor", 0, _DOORS)
    doors = server.episode.worlds["door"]
    if index == _DOORS or doors[0, slot] == 1 + index:
        doors[0, slot] = 0


@method(Result.VOID, Support.ACCEPTS, "the Traffic Manager runs in the client and drives by apply_batch")
def set_actor_autopilot(server: CarlaServer, actor_id: Any, on: Any) -> None:
    server.episode.registry.get(actor_id)
    encoding.flag(on, "autopilot")


@method(Result.VOID, Support.ACCEPTS, "there is no window to show it in")
def show_vehicle_debug_telemetry(server: CarlaServer, actor_id: Any, on: Any) -> None:
    server.episode.registry.get(actor_id)
