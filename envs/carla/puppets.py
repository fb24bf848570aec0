"""CARLA actors that show what the record holds: everybody but the ego vehicle, moved by one batch of commands a tick.

Puppets have no physics of their own. Those that are not needed, or hidden in the record, wait far below the ground, and
serve again when an actor of the same blueprint comes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.carla.client import CarlaClient
from envs.carla.poses import Box, Place, box_of, origin_at
from simulator.blueprints import BLUEPRINTS, Kind
from simulator.errors import SimulatorError
from simulator.state import EGO

DEPTH = 500.0  # m below the ground where puppets wait
_PITCH = 12.0  # m between them there: longer than any of them
_ROW = 16  # puppets a row there

_POSE_FIELDS = ("x", "y", "z", "yaw", "pitch", "vx", "vy")

#: What stands in for a blueprint that a server lacks.
_STAND_INS = {
    Kind.VEHICLE: ("vehicle.lincoln.mkz_2020", "vehicle.lincoln.mkz_2017", "vehicle.tesla.model3"),
    Kind.BICYCLE: ("vehicle.diamondback.century", "vehicle.bh.crossbike"),
    Kind.WALKER: ("walker.pedestrian.0001",),
    Kind.PROP: ("static.prop.vendingmachine", "static.prop.barrel", "static.prop.trafficcone01"),
}


class _Puppet:
    __slots__ = ("actor", "at", "blueprint", "door", "lights", "number", "shown")

    def __init__(self, blueprint: int, number: int) -> None:
        self.blueprint = blueprint
        self.number = number  # its waiting place
        self.actor = 0  # CARLA's id, 0: not spawned
        self.shown = False
        self.at: tuple[float, ...] = ()  # where it was last sent
        self.lights = 0
        self.door = 0


class Puppets:
    """The puppets of one world.

    Attributes:
        slots: slot of the record by CARLA actor id, of all puppets on stage.
        stand_ins: blueprint ids that the server lacks, and what is shown instead.
    """

    def __init__(self, client: CarlaClient) -> None:
        """The client's town is loaded."""
        self._client = client
        with client.calls("asking for blueprints", client.options.tick_s):
            self._library = {blueprint.id: blueprint for blueprint in client.world.get_blueprint_library()}
        self._by_slot: dict[int, tuple[int, _Puppet]] = {}  # slot -> (actor id of the record, puppet)
        self._waiting: dict[int, list[_Puppet]] = {}  # by blueprint
        self._boxes: dict[int, Box] = {}  # by blueprint
        self._count = 0
        self._below: tuple[float, float, float] = (0.0, 0.0, -DEPTH)
        self.slots: dict[int, int] = {}
        self.stand_ins: dict[str, str] = {}

    def box(self, slot: int) -> Box:
        """The box of the puppet that plays a slot."""
        return self._boxes[self._by_slot[slot][1].blueprint]

    def clear(self, x: float, y: float, z: float) -> None:
        """Send all away; from now on they wait below this point (m)."""
        self._below = (x, y, z - DEPTH)
        for slot in list(self._by_slot):
            self._retire(slot)

    def destroy(self) -> None:
        """Take all of them out of the world."""
        import carla

        everybody = [puppet for _, puppet in self._by_slot.values()]
        everybody += [puppet for puppets in self._waiting.values() for puppet in puppets]
        gone = [carla.command.DestroyActor(puppet.actor) for puppet in everybody if puppet.actor]
        self._by_slot, self._waiting, self.slots = {}, {}, {}
        self._client.batch(gone, "removing actors")

    def commands(self, w: np.void) -> list[Any]:
        """Commands that make CARLA show the record `w`: WORLD[] as it is now.

        Raises:
            SimulatorError: when an actor cannot be spawned.
        """
        import carla

        command = carla.command
        used = int(w["num_slots"])
        kinds, ids = w["kind"][:used].tolist(), w["actor_id"][:used].tolist()
        for slot, (actor_id, _) in list(self._by_slot.items()):
            if slot >= used or not kinds[slot] or ids[slot] != actor_id:
                self._retire(slot)
        hidden, blueprints = w["hidden"][:used].tolist(), w["blueprint"][:used].tolist()
        for slot in range(EGO + 1, used):
            if kinds[slot] and not hidden[slot] and slot not in self._by_slot:
                self._by_slot[slot] = (ids[slot], self._engage(blueprints[slot]))
        self._spawn_new()
        poses = np.stack([w[name][:used] for name in _POSE_FIELDS], axis=1).tolist()
        lights, doors = w["lights"][:used].tolist(), w["door"][:used].tolist()
        found: list[Any] = []
        self.slots = {}
        for slot, (_, puppet) in self._by_slot.items():
            shown = not hidden[slot]
            if shown:
                self.slots[puppet.actor] = slot
                at = tuple(poses[slot])
            else:
                at = ()
            if shown and (not puppet.shown or at != puppet.at):
                found.append(command.ApplyTransform(puppet.actor, self._transform(puppet.blueprint, at)))
                if kinds[slot] != int(Kind.PROP):
                    found.append(command.ApplyTargetVelocity(puppet.actor, carla.Vector3D(at[5], at[6], 0.0)))
            elif puppet.shown and not shown:
                found.append(self._bury(puppet))
            puppet.shown, puppet.at = shown, at
            if kinds[slot] == int(Kind.VEHICLE) and shown:
                if lights[slot] != puppet.lights:
                    state = carla.VehicleLightState(lights[slot])
                    found.append(command.SetVehicleLightState(puppet.actor, state))
                    puppet.lights = lights[slot]
                if doors[slot] != puppet.door:
                    self._move_door(puppet, doors[slot])
        for puppets in self._waiting.values():
            for puppet in puppets:
                if puppet.shown:
                    found.append(self._bury(puppet))
                    puppet.shown = False
        return found

    def _engage(self, blueprint: int) -> _Puppet:
        waiting = self._waiting.get(blueprint)
        if waiting:
            return waiting.pop()
        self._count += 1
        return _Puppet(blueprint, self._count)

    def _retire(self, slot: int) -> None:
        _, puppet = self._by_slot.pop(slot)
        if puppet.door:
            self._move_door(puppet, 0)
        self._waiting.setdefault(puppet.blueprint, []).append(puppet)

    def _spawn_new(self) -> None:
        """Spawn puppets that are new, below the ground where nothing is in the way."""
        import carla

        command = carla.command
        new = [puppet for _, puppet in self._by_slot.values() if not puppet.actor]
        spawns = [
            command.SpawnActor(self._blueprint(puppet.blueprint), self._waiting_place(puppet)).then(
                command.SetSimulatePhysics(command.FutureActor, False)
            )
            for puppet in new
        ]
        for puppet, response in zip(new, self._client.batch(spawns, "spawning actors"), strict=True):
            if response.error:
                name = BLUEPRINTS[puppet.blueprint].id
                raise SimulatorError(f"the CARLA server at {self._client.place} cannot spawn {name}: {response.error}")
            puppet.actor = response.actor_id
        for puppet in new:
            if puppet.blueprint not in self._boxes:
                with self._client.calls("asking for a bounding box", self._client.options.tick_s):
                    actor = self._client.world.get_actor(puppet.actor)
                    sizes = BLUEPRINTS[puppet.blueprint]
                    self._boxes[puppet.blueprint] = box_of(
                        actor, (sizes.half_length, sizes.half_width, sizes.half_height)
                    )

    def _blueprint(self, index: int) -> Any:
        wanted = BLUEPRINTS[index]
        names = (wanted.id, *_STAND_INS[wanted.kind])
        name = next((name for name in names if name in self._library), "")
        if not name:
            raise SimulatorError(
                f"the CARLA server at {self._client.place} has no {wanted.id}, and nothing that could stand in for it"
            )
        if name != wanted.id:
            self.stand_ins[wanted.id] = name
        blueprint = self._library[name]
        if blueprint.has_attribute("role_name"):
            blueprint.set_attribute("role_name", "routegym")
        return blueprint

    def _transform(self, blueprint: int, at: tuple[float, ...]) -> Any:
        import carla

        x, y, z = origin_at(Place(*at[:5]), self._boxes[blueprint])
        rotation = carla.Rotation(pitch=math.degrees(at[4]), yaw=math.degrees(at[3]))
        return carla.Transform(carla.Location(x, y, z), rotation)

    def _waiting_place(self, puppet: _Puppet) -> Any:
        import carla

        row, column = divmod(puppet.number, _ROW)
        x, y, z = self._below
        return carla.Transform(carla.Location(x + _PITCH * column, y + _PITCH * row, z))

    def _bury(self, puppet: _Puppet) -> Any:
        import carla

        return carla.command.ApplyTransform(puppet.actor, self._waiting_place(puppet))

    def _move_door(self, puppet: _Puppet, door: int) -> None:
        """Close the door that was open, open the one that is now; numbers are the record's, 1 + CARLA's."""
        import carla

        with self._client.calls("moving a door", self._client.options.tick_s):
            actor = self._client.world.get_actor(puppet.actor)
            if actor is not None and puppet.door:
                actor.close_door(carla.VehicleDoor(puppet.door - 1))
            if actor is not None and door:
                actor.open_door(carla.VehicleDoor(door - 1))
        puppet.door = door
