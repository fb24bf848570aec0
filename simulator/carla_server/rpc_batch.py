"""RPC: apply_batch, many commands in one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding, rpc_actors, rpc_lights, rpc_physics, rpc_vehicles, rpc_walkers
from simulator.carla_server.encoding import BadArgument, RpcError
from simulator.carla_server.methods import Result, method
from simulator.carla_server.protocol import Command

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

Apply = Callable[..., Any]  # (server, actor id, value)


#: Commands whose body is [actor id, value, ...].
_APPLY: dict[int, Apply] = {
    Command.APPLY_VEHICLE_CONTROL: rpc_vehicles.apply_control_to_vehicle,
    Command.APPLY_VEHICLE_ACKERMANN_CONTROL: rpc_physics.apply_ackermann_control_to_vehicle,
    Command.APPLY_VEHICLE_PHYSICS_CONTROL: rpc_physics.apply_physics_control,
    Command.APPLY_WALKER_CONTROL: rpc_walkers.apply_control_to_walker,
    Command.APPLY_TRANSFORM: rpc_actors.set_actor_transform,
    Command.APPLY_WALKER_STATE: rpc_walkers.apply_walker_state,
    Command.APPLY_TARGET_VELOCITY: rpc_actors.set_actor_target_velocity,
    Command.APPLY_TARGET_ANGULAR_VELOCITY: rpc_actors.set_actor_target_angular_velocity,
    Command.APPLY_IMPULSE: rpc_actors.add_actor_impulse,
    Command.APPLY_FORCE: rpc_actors.add_actor_force,
    Command.APPLY_ANGULAR_IMPULSE: rpc_actors.add_actor_angular_impulse,
    Command.APPLY_TORQUE: rpc_actors.add_actor_torque,
    Command.SET_SIMULATE_PHYSICS: rpc_actors.set_actor_simulate_physics,
    Command.SET_ENABLE_GRAVITY: rpc_actors.set_actor_enable_gravity,
    Command.SET_AUTOPILOT: rpc_vehicles.set_actor_autopilot,
    Command.SHOW_DEBUG_TELEMETRY: rpc_vehicles.show_vehicle_debug_telemetry,
    Command.SET_VEHICLE_LIGHT_STATE: rpc_vehicles.set_lights,
    Command.APPLY_LOCATION: rpc_actors.set_actor_location,
    Command.SET_TRAFFIC_LIGHT_STATE: rpc_lights.set_traffic_light_state,
}


@method(Result.BARE)
def apply_batch(server: CarlaServer, commands: Any, tick: Any) -> list[Any]:
    answers: list[Any] = []
    for command in encoding.items(commands, "commands"):
        try:
            answers.append([[1, _carry_out(server, command)]])
        except RpcError as error:
            answers.append([[0, [str(error)]]])
    if tick is True:
        server.tick()
    return answers


def _carry_out(server: CarlaServer, command: Any) -> int:
    """Carry out one command and return the actor's id."""
    kind, body = encoding.fields(encoding.fields(command, 1, "Command")[0], 2, "Command")
    apply = _APPLY.get(kind) if isinstance(kind, int) else None
    if apply is not None:
        body = encoding.items(body, "Command")
        if not body:
            raise BadArgument("the command names no actor")
        try:
            apply(server, *body)
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise BadArgument(f"command {Command(kind).name}: wrong number of fields") from None
        return int(body[0])
    if kind == Command.SPAWN_ACTOR:
        return _spawn(server, body)
    if kind == Command.DESTROY_ACTOR:
        (actor_id,) = encoding.fields(body, 1, "DestroyActor")
        rpc_actors.destroy_actor(server, actor_id)
        return int(actor_id)
    if kind == Command.CONSOLE_COMMAND:
        raise RpcError("console commands are for Unreal; there is no console here")
    raise RpcError(f"command {kind} is not served")


def _spawn(server: CarlaServer, body: Any) -> int:
    described = encoding.fields(body, server.protocol.spawn_fields, "SpawnActor")
    description, pose, parent = described[:3]
    attachment, socket = described[3:5] if server.protocol.spawn_fields == 6 else (0, "")
    of = encoding.optional(parent, "parent")
    actor = rpc_actors.spawn(server, description, pose, of or 0, attachment, socket)
    for command in encoding.items(described[-1], "do_after"):
        # the id in it is a placeholder for the new actor's
        kind, inner = encoding.fields(encoding.fields(command, 1, "Command")[0], 2, "Command")
        _carry_out(server, [[kind, [actor.id, *encoding.items(inner, "Command")[1:]]]])
    return actor.id
