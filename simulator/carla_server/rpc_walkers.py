"""RPC: walkers: controls, the state that their AI controllers give them, bones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.actors import Actor
from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.methods import Result, Support, method
from simulator.carla_server.walker_bones import Bones

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_BONES = "bones"  # key in `Actor.extras`
_MOST_BONES = 512
_NOT_DRAWN = "cameras show the walk, not the pose of single bones; fingers have none"


@method(Result.VOID)
def apply_control_to_walker(server: CarlaServer, actor_id: Any, control: Any) -> None:
    slot = server.episode.registry.with_body(actor_id, ActorKind.WALKER).slot
    direction, speed, jump = encoding.fields(control, 3, "WalkerControl")
    b = server.episode.bodies
    for axis, value in zip("xyz", encoding.vector(direction), strict=True):
        b[f"walk_{axis}"][0, slot] = value
    b["walk_speed"][0, slot] = encoding.number(speed, "speed")
    b["jump"][0, slot] = encoding.flag(jump, "jump")


def apply_walker_state(server: CarlaServer, actor_id: Any, pose: Any, speed: Any) -> None:
    """A command of AI controllers: where a walker's feet are in this tick, and how fast it walks.

    The height is the town's: the navigation mesh is coarser than the ground.
    """
    actor = server.episode.registry.with_body(actor_id, ActorKind.WALKER)
    b, slot = server.episode.bodies, actor.slot
    pace = encoding.number(speed, "speed")
    if b["dead"][0, slot]:
        return
    x, y, z, pitch, yaw, roll = encoding.transform(pose)
    server.episode.place(actor, (x, y, z + float(b["centre"][0, slot]), pitch, yaw, roll))
    if abs(float(b["ground"][0, slot]) - z) < _STEP:
        server.episode.worlds["z"][0, slot] = b["ground"][0, slot]
    for axis in "xyz":
        b[f"walk_{axis}"][0, slot] = 0.0
    b["walk_speed"][0, slot], b["led"][0, slot], b["jump"][0, slot] = pace, 1, 0


_STEP = 1.0  # m between navigation mesh and ground within which a walker stands on the ground


@method(Result.VOID, note="it stands where it is; removed after 10 s, as one that is run over")
def set_actor_dead(server: CarlaServer, actor_id: Any) -> None:
    actor = server.episode.registry.get(actor_id)
    if actor.kind == ActorKind.WALKER and actor.slot >= 0:
        server.episode.bodies["dead"][0, actor.slot] = 1


@method(Result.VALUE, Support.APPROXIMATES, _NOT_DRAWN)
def get_bones_transform(server: CarlaServer, actor_id: Any) -> list[Any]:
    actor = _walker(server, actor_id)
    bones: Bones = actor.extras.setdefault(_BONES, Bones())
    pose = server.episode.frame.pose(actor.row)
    return [bones.wire(server.episode.world, actor.slot, pose)]


@method(Result.VOID, Support.APPROXIMATES, _NOT_DRAWN)
def set_bones_transform(server: CarlaServer, actor_id: Any, control: Any) -> None:
    actor = _walker(server, actor_id)
    bones: Bones = actor.extras.setdefault(_BONES, Bones())
    rows = encoding.items(encoding.fields(control, 1, "WalkerBoneControlIn")[0], "bone transforms")
    for row in rows[:_MOST_BONES]:
        name, pose = encoding.fields(row, 2, "BoneTransformDataIn")
        bones.set(encoding.text(name, "bone name"), encoding.transform(pose))


@method(Result.VOID, Support.APPROXIMATES, _NOT_DRAWN)
def blend_pose(server: CarlaServer, actor_id: Any, share: Any) -> None:
    bones: Bones = _walker(server, actor_id).extras.setdefault(_BONES, Bones())
    bones.blend = min(max(encoding.number(share, "blend"), 0.0), 1.0)


@method(Result.VOID, Support.APPROXIMATES, _NOT_DRAWN)
def get_pose_from_animation(server: CarlaServer, actor_id: Any) -> None:
    actor = _walker(server, actor_id)
    bones: Bones = actor.extras.setdefault(_BONES, Bones())
    bones.take_animation(server.episode.world, actor.slot)


def _walker(server: CarlaServer, actor_id: Any) -> Actor:
    return server.episode.registry.with_body(actor_id, ActorKind.WALKER)


def bury(server: CarlaServer) -> None:
    """Take away walkers that have been dead for as long as CARLA leaves them."""
    episode = server.episode
    for slot in episode.bodies["dead"][0].nonzero()[0]:
        actor = episode.actor_in(int(slot))
        if actor is None or actor.slot != slot:
            continue
        died = actor.extras.setdefault("died", server.clock.elapsed)
        if server.clock.elapsed - died >= _LIES_FOR:
            server.destroy(actor)


_LIES_FOR = 10.0  # s, ACharacter life span after death in CARLA
