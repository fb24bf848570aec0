"""The actors of an episode as a client knows them, and the registry that hands out their ids."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.encoding import RpcError, Transform

_TOMBSTONES = 4096


@dataclass
class Actor:
    """One actor. What moves about it is in the world's record (`slot`) and in the frame (`row`)."""

    id: int
    kind: ActorKind
    type_id: str
    description: list[Any]  # ActorDescription, as the client sent it
    row: int = -1  # in `Frame`
    slot: int = -1  # in the world's record, -1 for what has no body
    parent: int = 0  # actor id, 0 none
    attachment: int = 0  # protocol.Attachment
    box: list[Any] = field(default_factory=list)  # BoundingBox
    tag: int = 0  # semantic class
    stream: int = 0  # stream id of a sensor, 0 for the rest
    token: bytes = b""
    light: int = -1  # index of a traffic light in the town
    mounting: Transform | None = None  # on its parent
    extras: dict[str, Any] = field(default_factory=dict)  # what a client set and may read back

    @property
    def attributes(self) -> dict[str, str]:
        """Attribute id -> value, as text."""
        return {a[0]: a[2] for a in self.description[2]}

    def wire(self) -> list[Any]:
        """The struct Actor."""
        tags = bytes([self.tag]) if self.tag else b""
        return [self.id, self.parent, self.description, self.box, tags, self.token]


class Registry:
    """Actors by id. Ids are never used twice, not even in another episode."""

    def __init__(self, first_id: int) -> None:
        self.next_id = first_id
        self.actors: dict[int, Actor] = {}
        self._dead: OrderedDict[int, Actor] = OrderedDict()
        self._orphans: set[int] = set()  # of the dead, those that went with their parents

    def add(self, actor: Actor) -> None:
        self.actors[actor.id] = actor

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def remove(self, actor: Actor, *, with_parent: bool = False) -> None:
        """Clients ask about a destroyed actor until the next frame, so it is remembered for a while."""
        del self.actors[actor.id]
        self._dead[actor.id] = actor
        if with_parent:
            self._orphans.add(actor.id)
        while len(self._dead) > _TOMBSTONES:
            self._orphans.discard(self._dead.popitem(last=False)[0])

    def bury(self, actor_id: Any) -> bool:
        """True, once, for an actor that went with its parent.

        In CARLA what hangs on an actor stays when that is destroyed, so its owner destroys it as well.
        """
        if not isinstance(actor_id, int) or actor_id not in self._orphans:
            return False
        self._orphans.remove(actor_id)
        return True

    def get(self, actor_id: Any, *, dead: bool = False) -> Actor:
        """An actor; with `dead` also one that was destroyed.

        Raises:
            RpcError: there is none, in CARLA's words.
        """
        found = self.actors.get(actor_id) if isinstance(actor_id, int) else None
        if found is None and dead and isinstance(actor_id, int):
            found = self._dead.get(actor_id)
        if found is None:
            raise RpcError(f"Responding error from function: Actor not found. Actor Id: {actor_id}")
        return found

    def with_body(self, actor_id: Any, *kinds: ActorKind) -> Actor:
        """An actor that has a slot in the world's record, of one of these kinds where any are named."""
        actor = self.get(actor_id)
        if kinds and actor.kind not in kinds:
            wanted = " or a ".join(k.name.lower() for k in kinds)
            raise RpcError(f"Actor {actor_id} ({actor.type_id}) is not a {wanted}")
        if actor.slot < 0:
            raise RpcError(f"Actor {actor_id} ({actor.type_id}) has no body")
        return actor

    def children(self, actor_id: int) -> list[Actor]:
        return [a for a in self.actors.values() if a.parent == actor_id]
