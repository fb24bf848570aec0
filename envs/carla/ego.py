"""The ego vehicle on a CARLA server: spawned, driven by CARLA's physics, read back, its collisions heard."""

from __future__ import annotations

import contextlib
import math
import queue
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from envs.carla.client import CarlaClient
from envs.carla.poses import Box, box_of, place_of
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT
from simulator.errors import SimulatorError
from simulator.state import EGO

if TYPE_CHECKING:
    import carla

SPAWN_LIFT = 0.5  # m above the road, as the official evaluator does
SPAWN_TRIES = 5  # each that much higher
#: s for which a collision that our boxes see is waited for: news come on a stream of their own, late on a busy machine
LATE_S = 1.0


class Hit(NamedTuple):
    """One collision event of the ego."""

    frame: int
    actor: int  # CARLA id of the other, 0: none
    type_id: str
    impulse: tuple[float, float, float]  # N s on the ego, world


class EgoVehicle:
    """One vehicle for one route; `destroy` at its end.

    Attributes:
        actor: the `carla.Vehicle`.
        box: its box in its own frame.
        mass: kg.
    """

    def __init__(self, client: CarlaClient, x: float, y: float, z: float, yaw: float) -> None:
        """Spawn it above a place on the road: metres, radians.

        Raises:
            SimulatorError: when the server has no such vehicle, or no room for it.
        """
        import carla

        self._client = client
        self._hits: queue.SimpleQueue[Hit] = queue.SimpleQueue()
        self._ears: carla.Sensor | None = None
        name = BLUEPRINTS[EGO_BLUEPRINT].id
        with client.calls("spawning the ego vehicle", client.options.tick_s):
            blueprint = client.world.get_blueprint_library().find(name)
            blueprint.set_attribute("role_name", "hero")
            actor = None
            for lift in range(1, SPAWN_TRIES + 1):
                location = carla.Location(x, y, z + SPAWN_LIFT * lift)
                pose = carla.Transform(location, carla.Rotation(yaw=math.degrees(yaw)))
                actor = client.world.try_spawn_actor(blueprint, pose)
                if actor is not None:
                    break
            if actor is None:
                raise SimulatorError(
                    f"the CARLA server at {client.place} has no room for the ego vehicle at ({x:.1f}, {y:.1f}, {z:.1f})"
                )
            self.actor: carla.Vehicle = actor
            sizes = BLUEPRINTS[EGO_BLUEPRINT]
            self.box: Box = box_of(actor, (sizes.half_length, sizes.half_width, sizes.half_height))
            self.mass = float(actor.get_physics_control().mass)

    def listen(self) -> None:
        """Hear of collisions from now on."""
        import carla

        client = self._client
        with client.calls("attaching the collision sensor", client.options.tick_s):
            blueprint = client.world.get_blueprint_library().find("sensor.other.collision")
            sensor = client.world.spawn_actor(blueprint, carla.Transform(), attach_to=self.actor)
            sensor.listen(self._hear)
        self._ears = sensor

    def _hear(self, event: Any) -> None:
        other, impulse = event.other_actor, event.normal_impulse
        number, type_id = (0, "static.unknown") if other is None else (other.id, other.type_id)
        self._hits.put(Hit(event.frame, number, type_id, (impulse.x, impulse.y, impulse.z)))

    def control(self, w: np.void) -> Any:
        """The command that gives CARLA the record's control."""
        import carla

        control = carla.VehicleControl(
            throttle=_clipped(w["throttle"][EGO], 0.0),
            steer=_clipped(w["steer"][EGO], -1.0),
            brake=_clipped(w["brake"][EGO], 0.0),
            hand_brake=bool(w["hand_brake"][EGO]),
            reverse=bool(w["reverse"][EGO]),
        )
        return carla.command.ApplyVehicleControl(self.actor.id, control)

    def standing(self) -> Any:
        """The command that keeps it where it is."""
        import carla

        return carla.command.ApplyVehicleControl(self.actor.id, carla.VehicleControl(brake=1.0, hand_brake=True))

    def read(self, w: np.void, snapshot: carla.WorldSnapshot) -> float:
        """Write its motion into the record's slot 0; returns the height of its lower side, m.

        Raises:
            SimulatorError: when it is no longer in the world, or its place is no number.
        """
        seen = snapshot.find(self.actor.id)
        if seen is None:
            raise SimulatorError(f"the ego vehicle is gone from the CARLA server at {self._client.place}")
        place = place_of(seen.get_transform(), self.box)
        velocity, acceleration = seen.get_velocity(), seen.get_acceleration()
        values = (*place, velocity.x, velocity.y, acceleration.x, acceleration.y)
        if not all(map(math.isfinite, values)):
            raise SimulatorError(f"the CARLA server at {self._client.place} puts the ego vehicle at {tuple(place)}")
        w["x"][EGO], w["y"][EGO], w["yaw"][EGO] = place.x, place.y, place.yaw
        w["vx"][EGO], w["vy"][EGO] = velocity.x, velocity.y
        w["ax"][EGO], w["ay"][EGO] = acceleration.x, acceleration.y
        w["speed"][EGO] = velocity.x * math.cos(place.yaw) + velocity.y * math.sin(place.yaw)
        w["yaw_rate"][EGO] = math.radians(seen.get_angular_velocity().z)
        return place.z

    def hits(self, frame: int, *, patience: float) -> list[Hit]:
        """Collisions heard up to and with this frame. `patience`: s for which news on their way are awaited."""
        found: list[Hit] = []
        limit = time.monotonic() + patience
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    found.append(self._hits.get_nowait())
            if any(hit.frame >= frame for hit in found) or time.monotonic() >= limit:
                return found
            time.sleep(0.001)

    def destroy(self) -> None:
        """Take it and its collision sensor out of the world."""
        with self._client.calls("removing the ego vehicle", self._client.options.tick_s):
            if self._ears is not None:
                self._ears.stop()
                self._ears.destroy()
                self._ears = None
            self.actor.destroy()


def _clipped(value: float, low: float) -> float:
    return min(max(float(value), low), 1.0)
