"""One loaded town with everything in it: the world's record, its actors, its frame; spawn, place, destroy, tick."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.actors import place_actor, remove_actor
from simulator.array_bundle import bundle
from simulator.blueprints import Kind
from simulator.carla_server.actors import Actor, Registry
from simulator.carla_server.blueprint_library import ActorKind, Definition
from simulator.carla_server.bodies import BODIES, DEFAULT_LIMIT
from simulator.carla_server.encoding import RpcError, Transform, write_box
from simulator.carla_server.frames import Frame, mounting, own_phases, tick_and_write, write_carried
from simulator.carla_server.protocol import Protocol
from simulator.carla_server.tick import blocking, ground_below, stand
from simulator.carla_server.town_actors import TownActor, other_signs, spawn_points, stop_signs, traffic_lights
from simulator.collisions import mass_of
from simulator.roads.network import RoadNetwork
from simulator.scenery.tags import Tag
from simulator.scenery.town import TownScenery, load_scenery
from simulator.signals import reset_lights, show_group
from simulator.state import MAX_ACTORS, MAX_GROUPS, MAX_LIGHTS, TICK_SECONDS, Behaviour, Role, empty_worlds

FIRST_SLOT = 1  # slot 0 stays empty
DEFAULT_WEATHER = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
SPECTATOR_POSE: Transform = (0.0, 0.0, 50.0, -90.0, 0.0, 0.0)
LAMP_INTENSITY, LAMP_COLOUR, STREET_GROUP = 10_000.0, (255, 224, 160), 2  # lumen, RGB, LightGroup.Street
_FAR_BELOW = -1e6  # m, ground where there is no road at all

_ROLES = {"hero": Role.HERO, "ego_vehicle": Role.HERO, "scenario": Role.SCENARIO}


class Columns:
    """Views of the fields that controls write, by slot: looking them up by name costs more than writing them."""

    def __init__(self, world: np.void, body: np.void) -> None:
        self.throttle, self.steer, self.brake = world["throttle"], world["steer"], world["brake"]
        self.hand_brake, self.reverse, self.lights = world["hand_brake"], world["reverse"], world["lights"]
        self.manual, self.gear = body["manual"], body["gear"]


class Episode:
    """A town between two loads."""

    def __init__(self, network: RoadNetwork, protocol: Protocol, *, map_name: str, number: int, first_id: int) -> None:
        """
        Args:
            network: the town.
            protocol: whose frames are written.
            map_name: as clients see it, such as `Carla/Maps/Town01`.
            number: episode id; another number tells clients that the map has changed.
            first_id: first actor id.

        Raises:
            RpcError: the town has more lights than a world's record.
        """
        if len(network.light_ids) > MAX_LIGHTS or len(network.arrays.group_junction) > MAX_GROUPS:
            raise RpcError(f"{network.town} has more than {MAX_LIGHTS} traffic lights or {MAX_GROUPS} groups of them")
        self.network = network
        self.map_name = map_name
        self.number = number
        self.arrays = own_phases(network.arrays)
        self.net = bundle(self.arrays)
        self.worlds = empty_worlds(1)
        self.world = self.worlds[0]  # a view: what is written to it is written to the record
        self.bodies = np.zeros(1, BODIES)
        self.body = self.bodies[0]
        self.columns = Columns(self.world, self.body)
        self.registry = Registry(first_id)
        self.frame = Frame(protocol.world_state_type)
        self.weather = list(DEFAULT_WEATHER)
        self.worlds["weather"][0] = DEFAULT_WEATHER
        self.scenery: TownScenery | None = None  # loaded when a client asks what the town is built of
        self.objects: list[Any] | None = None
        self._street_lights: list[Any] | None = None
        self.spawn_points = spawn_points(self.net)
        heights = network.arrays.point_z
        self._level = float(np.median(heights)) if len(heights) else 0.0
        self._scratch = np.zeros((3, 4, 3))
        self._carried_bodies: list[Actor] = []
        reset_lights(self.world, self.net)
        self.spectator = self._add_fixed(ActorKind.SPECTATOR, "spectator", SPECTATOR_POSE)
        self._first_light_row = self.frame.count
        self.lights = [self._add_town_actor(ActorKind.TRAFFIC_LIGHT, light) for light in traffic_lights(network)]
        for k, light in enumerate(self.lights):
            light.light = k
            self.frame.lights["pole"][light.row] = self._pole(k)
        self.signs = [
            self._add_town_actor(ActorKind.TRAFFIC_SIGN, sign)
            for sign in (*stop_signs(network, self.net), *other_signs(network))
        ]
        self.light_ids = np.array([light.id for light in self.lights], np.int64).reshape(-1)
        self.write_frame()

    # Actors

    def _add_fixed(self, kind: ActorKind, type_id: str, pose: Transform) -> Actor:
        actor = Actor(self.registry.take_id(), kind, type_id, [0, type_id, []])
        actor.box = write_box((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), actor.id)
        actor.row = self.frame.append(actor.id)
        self.frame.rows["pose"][actor.row] = pose
        self.registry.add(actor)
        return actor

    def _add_town_actor(self, kind: ActorKind, of: TownActor) -> Actor:
        actor = self._add_fixed(kind, of.type_id, of.pose)
        actor.box = write_box(*of.box, actor.id)
        actor.tag = int(Tag.TRAFFIC_LIGHT if kind == ActorKind.TRAFFIC_LIGHT else Tag.TRAFFIC_SIGN)
        rows = self.frame.lights if kind == ActorKind.TRAFFIC_LIGHT else self.frame.signs
        rows["sign"][actor.row] = of.sign.encode("utf-8")[:31]
        return actor

    def _pole(self, light: int) -> int:
        """Number of a light among those of its group."""
        group = self.arrays.light_group[light]
        return int((self.arrays.light_group[:light] == group).sum())

    def spawn(
        self, definition: Definition, description: list[Any], pose: Transform, parent: Actor | None = None,
        attachment: int = 0,
    ) -> Actor:  # fmt: skip
        """Bring an actor into the world.

        Args:
            definition: its blueprint.
            description: ActorDescription as the client sent it.
            pose: in the world; on the parent where there is one.

        Raises:
            RpcError: the place is taken, or the world is full.
        """
        actor = Actor(0, definition.kind, definition.id, description, tag=definition.tag)
        if parent is not None:
            actor.parent, actor.attachment, actor.mounting = parent.id, attachment, pose
        slot = -1
        if definition.look >= 0:
            slot = self._give_body(actor, definition, pose, carried=parent is not None)
        actor.id = self.registry.take_id()
        centre = (0.0, 0.0, definition.half_size[2] if definition.kind != ActorKind.WALKER else 0.0)
        actor.box = write_box(centre, definition.half_size, actor.id)
        actor.row = self.frame.append(actor.id)
        self.frame.rows["pose"][actor.row] = pose
        if slot >= 0:
            actor.slot = slot
            self.worlds["actor_id"][0, slot] = actor.id
            self.frame.row_of_slot[slot] = actor.row
        if parent is not None:
            self.frame.carry(actor.row, parent.row, mounting(pose))
            if slot >= 0:
                self._carried_bodies.append(actor)
            self._carry()
        self.registry.add(actor)
        self.write_frame()
        return actor

    def _give_body(self, actor: Actor, definition: Definition, pose: Transform, *, carried: bool) -> int:
        w, b = self.worlds, self.bodies
        half = definition.half_size
        centre = half[2] if definition.kind == ActorKind.WALKER else 0.0
        x, y, z, pitch, yaw, roll = pose
        z -= centre
        free = np.flatnonzero(w["kind"][0, FIRST_SLOT:] == 0)
        if len(free) == 0:
            raise RpcError(f"Spawn failed because the world is full: it has room for {MAX_ACTORS - FIRST_SLOT} bodies")
        if not carried and blocking(self.world, self.body, x, y, z, math.radians(yaw), *half) >= 0:
            raise RpcError("Spawn failed because of collision at spawn position")
        slot = int(free[0]) + FIRST_SLOT
        role = _ROLES.get(actor.attributes.get("role_name", ""), Role.BACKGROUND)
        place_actor(self.world, slot, definition.look, int(role), x, y, z, math.radians(yaw))
        if definition.kind == ActorKind.PROP:
            w["kind"][0, slot] = int(Kind.PROP)  # also what looks like a vehicle
        for name, value in zip(("half_length", "half_width", "half_height"), half, strict=True):
            w[name][0, slot] = value
        w["pitch"][0, slot] = math.radians(pitch)
        moves = definition.kind == ActorKind.VEHICLE
        w["behaviour"][0, slot] = int(Behaviour.CONTROLLED if moves else Behaviour.HOLD)
        for name in b.dtype.names or ():
            if b[name].shape[1:] == (MAX_ACTORS,):
                b[name][0, slot] = 0
        b["physics"][0, slot] = b["gravity"][0, slot] = b["collides"][0, slot] = 1
        b["mass"][0, slot] = mass_of(self.world, slot)
        b["centre"][0, slot] = centre
        b["light"][0, slot] = -1
        b["limit"][0, slot] = DEFAULT_LIMIT
        b["mortal"][0, slot] = definition.kind == ActorKind.WALKER and actor.attributes.get("is_invincible") == "false"
        if definition.kind == ActorKind.PROP or carried:
            b["roll"][0, slot] = math.radians(roll)
        if carried:
            b["physics"][0, slot], b["attached"][0, slot], b["collides"][0, slot] = 0, 1, 0
        self._find_ground(slot)
        return slot

    def _find_ground(self, slot: int) -> None:
        """After an actor has been put somewhere: its lane is looked up afresh, and the ground under it."""
        w, b = self.worlds, self.bodies
        x, y, z = (float(w[k][0, slot]) for k in "xyz")
        ground = ground_below(self.net, x, y, z, _FAR_BELOW)
        if ground == _FAR_BELOW:  # far above or below the town, or beside it
            ground = ground_below(self.net, x, y, self._level, _FAR_BELOW)
        b["ground"][0, slot] = ground if ground != _FAR_BELOW else z
        b["settled"][0, slot] = 0
        w["lane"][0, slot] = -1

    def place(self, actor: Actor, pose: Transform) -> None:
        """Teleport an actor to a pose in the world, or on its parent for one that is carried."""
        if actor.mounting is not None:
            actor.mounting = pose
            parent = self.registry.get(actor.parent)
            self.frame.carry(actor.row, parent.row, mounting(pose))
            self._carry()
            return
        if actor.slot < 0:
            self.frame.rows["pose"][actor.row] = pose
            return
        w, slot = self.worlds, actor.slot
        x, y, z, pitch, yaw, roll = pose
        w["x"][0, slot], w["y"][0, slot] = x, y
        w["z"][0, slot] = z - self.bodies["centre"][0, slot]
        heading = math.radians(yaw)
        heading = math.atan2(math.sin(heading), math.cos(heading))
        w["yaw"][0, slot], w["pitch"][0, slot] = heading, math.radians(pitch)
        if self.bodies["physics"][0, slot] == 0 or actor.kind == ActorKind.PROP:
            self.bodies["roll"][0, slot] = math.radians(roll)
        # what it had of speed it keeps, as far as its wheels now point that way
        vx, vy = float(w["vx"][0, slot]), float(w["vy"][0, slot])
        self.set_velocity(actor, (vx, vy, float(self.bodies["vz"][0, slot])))
        self._find_ground(slot)

    def set_velocity(self, actor: Actor, velocity: tuple[float, float, float]) -> None:
        """Give an actor a velocity in the world, m/s; vehicles keep what lies along their wheels."""
        w, slot = self.worlds, actor.slot
        yaw = float(w["yaw"][0, slot])
        if actor.kind == ActorKind.VEHICLE:
            speed = velocity[0] * math.cos(yaw) + velocity[1] * math.sin(yaw)
            velocity = (speed * math.cos(yaw), speed * math.sin(yaw), velocity[2])
        else:
            speed = math.hypot(velocity[0], velocity[1])
        w["speed"][0, slot], w["vx"][0, slot], w["vy"][0, slot] = speed, velocity[0], velocity[1]
        if velocity[2] != 0.0:
            self.bodies["vz"][0, slot] = velocity[2]
        self.bodies["settled"][0, slot] = 0

    def settle(self, actor: Actor) -> None:
        """Look up lane and ground of an actor at once."""
        stand(self.world, self.body, self.net, actor.slot, 0.0)

    def destroy(self, actor: Actor, *, with_parent: bool = False) -> list[Actor]:
        """Take an actor out of the world, with what hangs on it; returns all that went."""
        gone: list[Actor] = []
        for child in self.registry.children(actor.id):
            gone += self.destroy(child, with_parent=True)
        row = actor.row
        self.frame.remove(row)
        for other in self.registry.actors.values():
            if other.row > row:
                other.row -= 1
        if actor.slot >= 0:
            remove_actor(self.world, actor.slot)
            self._carried_bodies = [a for a in self._carried_bodies if a is not actor]
        self.registry.remove(actor, with_parent=with_parent)
        return [*gone, actor]

    def contacts(self, slot: int) -> list[tuple[Actor, tuple[float, float, float]]]:
        """Who touches an actor in this tick, and the impulse on it (N s, world)."""
        found = []
        b = self.body
        for k in range(int(b["num_pairs"])):
            first, second = int(b["pair_first"][k]), int(b["pair_second"][k])
            if slot in (first, second):
                sign = 1.0 if slot == first else -1.0
                nx, ny = (sign * float(v) * float(b["pair_impulse"][k]) for v in b["pair_normal"][k])
                other = self.actor_in(second if slot == first else first)
                if other is not None:
                    found.append((other, (nx, ny, 0.0)))
        return found

    def actor_in(self, slot: int) -> Actor | None:
        """The actor whose body is in a slot."""
        return self.registry.actors.get(int(self.worlds["actor_id"][0, slot]))

    def reset_group(self, group: int) -> None:
        """A group of traffic lights begins its first phase anew."""
        self.worlds["group_phase"][0, group] = 0
        self.worlds["group_time"][0, group] = 0.0
        show_group(self.world, self.net, group)

    def street_lights(self) -> list[Any]:
        """LightState of every street lamp; what is written into the lists is kept."""
        if self._street_lights is None:
            if self.scenery is None:
                self.scenery = load_scenery(self.network)
            self._street_lights = [
                [number, [float(v) for v in place], LAMP_INTENSITY, STREET_GROUP, list(LAMP_COLOUR), False]
                for number, place in enumerate(self.scenery.street_lamp)
            ]
        return self._street_lights

    # Time

    def tick(self, seconds: float) -> None:
        """Move the world on by `seconds`, in steps of at most 0.05 s."""
        steps = max(math.ceil(seconds / TICK_SECONDS - 1e-9), 1)
        self._run(seconds / steps, steps)

    def write_frame(self) -> None:
        """Bring the rows of all that moves up to date."""
        self._run(0.0, 0)

    def _run(self, seconds: float, steps: int) -> None:
        f = self.frame
        tick_and_write(
            self.worlds, self.bodies, self.net, seconds, steps, f.row_of_slot, f.rows, f.vehicles, f.walkers,
            self.light_ids, self._first_light_row, f.light_numbers, f.carried, f.mounting, self._scratch,
        )  # fmt: skip
        if self._carried_bodies:
            self._place_carried_bodies()

    def _carry(self) -> None:
        f = self.frame
        write_carried(f.carried, f.mounting, f.rows, self._scratch)
        self._place_carried_bodies()

    def _place_carried_bodies(self) -> None:
        """What is carried and has a body is where its row is."""
        f = self.frame
        for actor in self._carried_bodies:
            x, y, z, pitch, yaw, roll = f.pose(actor.row)
            w, slot = self.worlds, actor.slot
            w["x"][0, slot], w["y"][0, slot] = x, y
            w["z"][0, slot] = z - self.bodies["centre"][0, slot]
            w["yaw"][0, slot], w["pitch"][0, slot] = math.radians(yaw), math.radians(pitch)
            self.bodies["roll"][0, slot] = math.radians(roll)
