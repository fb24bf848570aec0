"""RPC: actors of every kind: blueprints, spawn, destroy, place, push."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.actors import Actor
from simulator.carla_server.blueprint_library import ActorKind, Definition, as_described
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, Support, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_MAX_ATTRIBUTES = 256


@method(Result.VALUE)
def get_actor_definitions(server: CarlaServer) -> list[Any]:
    return server.blueprints.wire()


@method(Result.VALUE)
def get_spectator(server: CarlaServer) -> list[Any]:
    return server.episode.spectator.wire()


@method(Result.VALUE)
def get_actors_by_id(server: CarlaServer, ids: Any) -> list[Any]:
    actors = server.episode.registry.actors
    return [actors[i].wire() for i in encoding.items(ids, "ids") if isinstance(i, int) and i in actors]


@method(Result.VALUE)
def spawn_actor(server: CarlaServer, description: Any, pose: Any) -> list[Any]:
    return spawn(server, description, pose).wire()


@method(Result.VALUE)
def spawn_actor_with_parent(
    server: CarlaServer, description: Any, pose: Any, parent: Any, attachment: Any, socket: Any = ""
) -> list[Any]:  # clients of 0.9.15 name no socket
    return spawn(server, description, pose, parent, attachment, socket).wire()


def spawn(
    server: CarlaServer, description: Any, pose: Any, parent: Any = 0, attachment: Any = 0, socket: Any = ""
) -> Actor:
    """Spawn an actor as a client describes it."""
    definition, described = _described(server, description)
    server.sensors.check(definition, described)
    of = None if parent == 0 else server.episode.registry.get(parent)
    encoding.text(socket, "socket name")
    # without a parent clients send whatever their memory held
    kind = 0 if of is None else encoding.whole(attachment, "attachment type", 0, 2)
    actor = server.episode.spawn(definition, described, encoding.transform(pose), of, kind)
    server.added(actor)
    return actor


def _described(server: CarlaServer, description: Any) -> tuple[Definition, list[Any]]:
    """The blueprint of an ActorDescription, and the description, checked."""
    uid, type_id, attributes = encoding.fields(description, 3, "ActorDescription")
    definition = server.blueprints.find(encoding.text(type_id, "blueprint id"))
    if definition is None:
        raise RpcError(f"unknown blueprint: {type_id}")
    rows = encoding.items(attributes, "attributes")
    if len(rows) > _MAX_ATTRIBUTES:
        raise RpcError(f"more than {_MAX_ATTRIBUTES} attributes")
    checked = []
    for row in rows:
        name, kind, value = encoding.fields(row, 3, "ActorAttributeValue")
        checked.append([encoding.text(name, "attribute"), encoding.whole(kind), encoding.text(value, "attribute")])
    described = [encoding.whole(uid, "blueprint uid"), definition.id, checked]
    return as_described(definition, {str(name): str(value) for name, _, value in checked}), described


@method(Result.VALUE)
def destroy_actor(server: CarlaServer, actor_id: Any) -> bool:
    if server.episode.registry.bury(actor_id):
        return True
    actor = server.episode.registry.get(actor_id)
    if actor.kind in (ActorKind.SPECTATOR, ActorKind.TRAFFIC_LIGHT, ActorKind.TRAFFIC_SIGN):
        raise RpcError(f"unable to destroy actor: {actor.type_id} {actor.id} belongs to the town")
    server.destroy(actor)
    return True


@method(Result.VALUE)
def get_actor_bounding_box(server: CarlaServer, actor_id: Any) -> list[Any]:
    return server.episode.registry.get(actor_id, dead=True).box


@method(Result.VOID)
def set_actor_location(server: CarlaServer, actor_id: Any, location: Any) -> None:
    actor = server.episode.registry.get(actor_id)
    x, y, z = encoding.vector(location, "Location")
    _, _, _, pitch, yaw, roll = server.episode.frame.pose(actor.row)
    server.episode.place(actor, (x, y, z, pitch, yaw, roll))


@method(Result.VOID, note="on its parent for an attached actor")
def set_actor_transform(server: CarlaServer, actor_id: Any, pose: Any) -> None:
    server.episode.place(server.episode.registry.get(actor_id), encoding.transform(pose))


@method(Result.VOID, note="vehicles keep what lies along their wheels")
def set_actor_target_velocity(server: CarlaServer, actor_id: Any, velocity: Any) -> None:
    server.episode.set_velocity(server.episode.registry.with_body(actor_id), encoding.vector(velocity))


@method(Result.VOID, Support.APPROXIMATES, "turns about the vertical axis only, and wears off in a quarter of a second")
def set_actor_target_angular_velocity(server: CarlaServer, actor_id: Any, velocity: Any) -> None:
    slot = server.episode.registry.with_body(actor_id).slot
    server.episode.bodies["spin"][0, slot] = math.radians(encoding.vector(velocity)[2])


@method(Result.VOID)
def enable_actor_constant_velocity(server: CarlaServer, actor_id: Any, velocity: Any) -> None:
    slot = server.episode.registry.with_body(actor_id).slot
    bodies = server.episode.bodies
    bodies["constant"][0, slot] = 1
    for axis, value in zip("xyz", encoding.vector(velocity), strict=True):
        bodies[f"constant_{axis}"][0, slot] = value


@method(Result.VOID)
def disable_actor_constant_velocity(server: CarlaServer, actor_id: Any) -> None:
    slot = server.episode.registry.with_body(actor_id).slot
    bodies = server.episode.bodies
    for name in ("constant", "constant_x", "constant_y", "constant_z"):
        bodies[name][0, slot] = 0


def push(server: CarlaServer, actor_id: Any, momentum: Any, seconds: float) -> None:
    """A change of momentum: `momentum` times `seconds`, N s."""
    slot = server.episode.registry.with_body(actor_id).slot
    bodies = server.episode.bodies
    for axis, value in zip("xyz", encoding.vector(momentum), strict=True):
        bodies[f"push_{axis}"][0, slot] += value * seconds / bodies["mass"][0, slot]


def twist(server: CarlaServer, actor_id: Any, momentum: Any, seconds: float) -> None:
    """A change of angular momentum about the vertical axis, for a box of even density."""
    slot = server.episode.registry.with_body(actor_id).slot
    w, bodies = server.episode.worlds, server.episode.bodies
    length, width = 2.0 * w["half_length"][0, slot], 2.0 * w["half_width"][0, slot]
    inertia = bodies["mass"][0, slot] * (length**2 + width**2) / 12.0
    bodies["spin"][0, slot] += encoding.vector(momentum)[2] * seconds / inertia


_ALONG = "vehicles keep what lies along their wheels"
_ANYWHERE = "acts on the centre of mass, wherever it is applied; " + _ALONG


@method(Result.VOID, Support.APPROXIMATES, _ALONG)
def add_actor_impulse(server: CarlaServer, actor_id: Any, impulse: Any) -> None:
    push(server, actor_id, impulse, 1.0)


@method(Result.VOID, Support.APPROXIMATES, _ANYWHERE)
def add_actor_impulse_at_location(server: CarlaServer, actor_id: Any, impulse: Any, location: Any) -> None:
    encoding.vector(location, "Location")
    push(server, actor_id, impulse, 1.0)


@method(Result.VOID, Support.APPROXIMATES, _ALONG)
def add_actor_force(server: CarlaServer, actor_id: Any, force: Any) -> None:
    push(server, actor_id, force, server.settings.seconds)


@method(Result.VOID, Support.APPROXIMATES, _ANYWHERE)
def add_actor_force_at_location(server: CarlaServer, actor_id: Any, force: Any, location: Any) -> None:
    encoding.vector(location, "Location")
    push(server, actor_id, force, server.settings.seconds)


@method(Result.VOID, Support.APPROXIMATES, "about the vertical axis only")
def add_actor_angular_impulse(server: CarlaServer, actor_id: Any, impulse: Any) -> None:
    twist(server, actor_id, impulse, 1.0)


@method(Result.VOID, Support.APPROXIMATES, "about the vertical axis only")
def add_actor_torque(server: CarlaServer, actor_id: Any, torque: Any) -> None:
    twist(server, actor_id, torque, server.settings.seconds)


def _switch(server: CarlaServer, actor_id: Any, name: str, on: Any) -> None:
    actor = server.episode.registry.get(actor_id)
    value = encoding.flag(on, name)
    if actor.slot >= 0 and not server.episode.bodies["attached"][0, actor.slot]:
        server.episode.bodies[name][0, actor.slot] = value
        server.episode.bodies["settled"][0, actor.slot] = 0


@method(Result.VOID)
def set_actor_simulate_physics(server: CarlaServer, actor_id: Any, on: Any) -> None:
    _switch(server, actor_id, "physics", on)


@method(Result.VOID)
def set_actor_collisions(server: CarlaServer, actor_id: Any, on: Any) -> None:
    _switch(server, actor_id, "collides", on)


@method(Result.VOID)
def set_actor_enable_gravity(server: CarlaServer, actor_id: Any, on: Any) -> None:
    _switch(server, actor_id, "gravity", on)
