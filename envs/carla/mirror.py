"""Any CARLA world as a record, whoever populates and ticks it: what observations, criteria, recorders and agents read.

It is for a client that only looks, such as an agent inside another evaluator. `envs.carla.world` drives a world itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from envs.carla.poses import Box, box_of, place_of
from envs.carla.traffic_lights import lights_by_index
from envs.routes import RouteBatch
from envs.tick import log_ego
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria import reset_criteria, update_criteria
from leaderboard_adapters.criteria_state import MAP_GEOMETRY, empty_criteria
from scenarios.weather import WEATHER_FIELDS
from simulator.blueprints import BLUEPRINTS, Kind, blueprint_index
from simulator.errors import SimulatorError
from simulator.state import ACTOR_FIELDS, EGO, MAX_ACTORS, MAX_CONTACTS, TICK_SECONDS, Behaviour, Role, empty_worlds
from simulator.tracking import track_actor, track_actors, track_ego

if TYPE_CHECKING:
    import carla

OUT_OF_SIGHT = 100.0  # m above or below the ego: parked out of the world
WEATHER_TICKS = 20  # ticks between two looks at the weather, a call to the server

_FRESH = empty_worlds(1)
_KINDS = {"walker": Kind.WALKER, "static": Kind.PROP}
_ROLES = {"hero": Role.HERO, "scenario": Role.SCENARIO, "background": Role.BACKGROUND, "autopilot": Role.BACKGROUND}
#: What an actor counts as whose blueprint the embedded town does not know; its box is its own.
_LIKE = {
    Kind.VEHICLE: blueprint_index("vehicle.tesla.model3"),
    Kind.BICYCLE: blueprint_index("vehicle.diamondback.century"),
    Kind.WALKER: blueprint_index("walker.pedestrian.0001"),
    Kind.PROP: blueprint_index("static.prop.container"),
}


class _Known(NamedTuple):
    """What never changes about an actor."""

    actor: Any
    blueprint: int
    kind: Kind
    role: Role
    box: Box


class MirroredWorld(WorldBatch):
    """A batch of one world that is filled by `look`, once for each tick of a CARLA world.

    Criteria judge the ego on its route as in any world, but for the rules that scenarios switch on and off. Lights of
    vehicles and their controls are read too; doors, which CARLA tells nobody of, are not.
    """

    def __init__(self, routes: RouteBatch, world: carla.World, ego: int, *, route: int = 0, log: bool = False) -> None:
        """
        Args:
            routes: laid on the map of `world`.
            world: of the caller's client.
            ego: CARLA's id of the ego vehicle, which is there.
            route: index of the ego's route.
            log: keep the ego's motion.

        Raises:
            SimulatorError: when the ego vehicle is not there.
        """
        super().__init__(routes, 1, log=log)
        self._world, self._ego, self._route = world, ego, route
        self._lights = lights_by_index(world, routes.network)
        self._known: dict[int, _Known | None] = {}
        self._slots: dict[int, int] = {}
        self.reset(0, EpisodeStart(route, 0))

    def reset(self, index: int, start: EpisodeStart) -> None:
        """Begin with the world as it is now; nothing is changed in it."""
        if index != 0:
            raise IndexError(f"there is one world, 0; got {index}")
        self.worlds[:] = _FRESH
        self.criteria[:] = empty_criteria(1)
        self._slots = {}
        w = self.worlds[0]
        w["route"], w["seed"], w["bg_enabled"] = start.route, start.seed, 0
        self._fill(w, self._world.get_snapshot())
        track_actor(w, self.routes.net, EGO)
        track_actors(w, self.routes.net)
        track_ego(w, self.routes.net, self.routes.arrays)
        reset_criteria(w, self.criteria[0], self.routes.net, self.routes.arrays)

    def look(self, snapshot: carla.WorldSnapshot, hits: Sequence[tuple[int, float]] = ()) -> None:
        """Take in the tick that CARLA has just done.

        Args:
            snapshot: of it.
            hits: what the ego's collision sensor has told since the last look: id of the other actor (0: scenery) and
                change of the ego's speed, m/s.

        Raises:
            SimulatorError: when the ego vehicle is gone.
        """
        if self.finished[0]:
            return
        w, net, routes = self.worlds[0], self.routes.net, self.routes.arrays
        self._fill(w, snapshot)
        w["num_contacts"] = min(len(hits), MAX_CONTACTS)
        for k, (actor, strength) in enumerate(hits[:MAX_CONTACTS]):
            w["contact_slot"][k] = self._slots.get(actor, MAP_GEOMETRY)
            w["contact_impulse"][k] = strength
        track_actors(w, net)
        track_ego(w, net, routes)
        w["tick"] += 1
        w["time"] = w["tick"] * TICK_SECONDS
        update_criteria(w, self.criteria[0], self.switches[0], net, routes)
        if self._log:
            log_ego(self.worlds, self.criteria, self.log)

    def tick(self, controls: np.ndarray) -> NoReturn:
        """Refused: somebody else ticks this world; tell of each tick by `look`."""
        raise SimulatorError("a mirrored world is ticked by others; call look(snapshot) after each tick")

    def slot_of(self, actor: int) -> int:
        """Slot of a CARLA actor, -1 where the record has none."""
        return self._slots.get(actor, -1)

    def _fill(self, w: np.void, snapshot: carla.WorldSnapshot) -> None:
        ego = snapshot.find(self._ego)
        if ego is None:
            raise SimulatorError(f"the ego vehicle (actor {self._ego}) is not in the CARLA world")
        here = ego.get_transform().location
        seen = {actor.id: (actor, actor.get_transform()) for actor in snapshot}
        self._meet([number for number in seen if number not in self._known])
        near = sorted(
            (pose.location.distance(here), number)
            for number, (_, pose) in seen.items()
            if self._known[number] is not None and abs(pose.location.z - here.z) < OUT_OF_SIGHT and number != self._ego
        )
        shown = [self._ego, *(number for _, number in near[: MAX_ACTORS - 1])]
        for number in set(self._slots) - set(shown):
            _clear(w, self._slots.pop(number))
        lights = dict(self._world.get_vehicles_light_states())
        for number in shown:
            known = self._known[number]
            assert known is not None
            _put(w, self._slot(w, number, known), *seen[number], known)
            if known.kind == Kind.VEHICLE:
                w["lights"][self._slots[number]] = int(lights.get(number, 0))
        w["num_slots"] = max(self._slots.values()) + 1
        for light, actor in self._lights.items():
            w["light_state"][light] = min(int(actor.get_state()), 3)
        if w["tick"] % WEATHER_TICKS == 0:
            weather = self._world.get_weather()
            w["weather"] = [getattr(weather, name) for name in WEATHER_FIELDS]

    def _meet(self, numbers: list[int]) -> None:
        """Learn about actors that are new; what is neither road user nor prop is None."""
        if not numbers:
            return
        actors = {actor.id: actor for actor in self._world.get_actors(numbers)}
        for number in numbers:
            actor = actors.get(number)
            family = actor.type_id.partition(".")[0] if actor is not None else ""
            if actor is None or family not in ("vehicle", "walker", "static"):
                self._known[number] = None
                continue
            attributes = actor.attributes
            kind = _KINDS.get(family, Kind.BICYCLE if attributes.get("number_of_wheels") == "2" else Kind.VEHICLE)
            try:
                blueprint = blueprint_index(actor.type_id)
            except KeyError:
                blueprint = _LIKE[kind]
            like = BLUEPRINTS[blueprint]
            box = box_of(actor, (like.half_length, like.half_width, like.half_height))
            role = _ROLES.get(attributes.get("role_name", ""), Role.SCENARIO if kind == Kind.PROP else Role.BACKGROUND)
            self._known[number] = _Known(actor, blueprint, kind, role, box)
        if self._known.get(self._ego) is None:
            raise SimulatorError(f"actor {self._ego} is no vehicle that could be the ego")

    def _slot(self, w: np.void, number: int, known: _Known) -> int:
        """The slot of an actor, a free one for a new actor."""
        if number not in self._slots:
            taken = set(self._slots.values())
            slot = EGO if number == self._ego else next(s for s in range(1, MAX_ACTORS) if s not in taken)
            _clear(w, slot)
            self._slots[number] = slot
            w["kind"][slot], w["blueprint"][slot], w["role"][slot] = known.kind, known.blueprint, known.role
            w["half_length"][slot], w["half_width"][slot], w["half_height"][slot] = known.box[3:]
            w["actor_id"][slot] = number
            w["next_actor_id"] = max(int(w["next_actor_id"]), number + 1)
            w["headway"][slot], w["speed_factor"][slot] = 1.2, 1.0
            w["behaviour"][slot] = Behaviour.WALK if known.kind == Kind.WALKER else Behaviour.CONTROLLED
        return self._slots[number]


def _clear(w: np.void, slot: int) -> None:
    """Free a slot, whatever was in it."""
    for name, _ in ACTOR_FIELDS:
        w[name][slot] = _FRESH[name][0, slot]
    w["plan"][slot] = -1


def _put(w: np.void, slot: int, seen: Any, transform: carla.Transform, known: _Known) -> None:
    """Write an actor's motion and control into its slot."""
    place = place_of(transform, known.box)
    velocity, acceleration = seen.get_velocity(), seen.get_acceleration()
    w["x"][slot], w["y"][slot], w["yaw"][slot] = place.x, place.y, place.yaw
    if w["lane"][slot] < 0:
        w["z"][slot], w["pitch"][slot] = place.z, place.pitch
    w["vx"][slot], w["vy"][slot] = velocity.x, velocity.y
    w["ax"][slot], w["ay"][slot] = acceleration.x, acceleration.y
    w["speed"][slot] = velocity.x * math.cos(place.yaw) + velocity.y * math.sin(place.yaw)
    w["yaw_rate"][slot] = math.radians(seen.get_angular_velocity().z)
    if known.kind in (Kind.VEHICLE, Kind.BICYCLE):
        control = known.actor.get_control()
        w["throttle"][slot], w["brake"][slot], w["steer"][slot] = control.throttle, control.brake, control.steer
        w["hand_brake"][slot], w["reverse"][slot] = int(control.hand_brake), int(control.reverse)
