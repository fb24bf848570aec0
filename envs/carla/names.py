"""What worlds on CARLA servers are called in results. Different names are never compared."""

from __future__ import annotations

from leaderboard_adapters.own_record import OWN_TRAFFIC
from simulator import WORLD, WORLD_VERSION
from simulator.densities import NO_AMBIENT, Ambient

_OWN_TOWN = "MiniTown"  # every server of this project has it, CARLA has not


def carla_world_name(
    version: str, towns: tuple[str, ...], lights: str = "routegym", ambient: Ambient = NO_AMBIENT
) -> str:
    """Name of the world that a server and RouteGym's traffic make together.

    Args:
        version: of the server, as it tells.
        towns: that it has; they give away a server of this project, which is the embedded town behind CARLA's protocol.
        lights: whose traffic lights.
        ambient: life beside the road.
    """
    if _OWN_TOWN in towns:
        name = f"{WORLD} behind CARLA {version} protocol"
    else:
        name = f"carla {version} server, {OWN_TRAFFIC}{WORLD_VERSION}"
    return name + ("" if lights == "routegym" else f", lights of the {lights}") + ambient.world.removeprefix(WORLD)
