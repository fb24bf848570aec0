"""RPC: walkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.methods import Result, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer


@method(Result.VOID)
def apply_control_to_walker(server: CarlaServer, actor_id: Any, control: Any) -> None:
    slot = server.episode.registry.with_body(actor_id, ActorKind.WALKER).slot
    direction, speed, jump = encoding.fields(control, 3, "WalkerControl")
    b = server.episode.bodies
    for axis, value in zip("xyz", encoding.vector(direction), strict=True):
        b[f"walk_{axis}"][0, slot] = value
    b["walk_speed"][0, slot] = encoding.number(speed, "speed")
    b["jump"][0, slot] = encoding.flag(jump, "jump")
