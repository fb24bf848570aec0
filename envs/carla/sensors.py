"""CARLA's own sensors on the ego vehicle, in the form in which the embedded town's sensors come (`SensorRig`)."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.carla.client import CarlaClient
from envs.carla.ego import EgoVehicle
from simulator.errors import SimulatorError
from simulator.roads.network import LaneMark, MarkColor, RoadNetwork
from simulator.sensors.inertial import forward_speed
from simulator.sensors.measurements import (
    SEMANTIC_POINT,
    Collision,
    Data,
    Events,
    Gnss,
    Image,
    Imu,
    LaneMarking,
    Lidar,
    Measurement,
    Obstacle,
    Placement,
    Radar,
    SemanticLidar,
    Speed,
    TownMap,
)
from simulator.sensors.specs import SensorSpec
from simulator.state import EGO, TICK_SECONDS

if TYPE_CHECKING:
    import carla

SlotOf = Callable[[int], int]  # CARLA's actor id -> slot of the record, -1 none


class CarlaRig:
    """Sensors on the ego vehicle of one route; they go with it. Reads like a `SensorRig`.

    Attributes:
        specs: as asked for.
    """

    def __init__(
        self,
        specs: Sequence[SensorSpec],
        client: CarlaClient,
        ego: EgoVehicle,
        network: RoadNetwork,
        worlds: np.ndarray,
        slot_of: SlotOf,
    ) -> None:
        """Attach them. They measure from the server's next tick on.

        Raises:
            SimulatorError: when the server has no such sensor, or fails.
        """
        self.specs = tuple(specs)
        self._client, self._network, self._worlds, self._slot_of = client, network, worlds, slot_of
        self._heard: dict[str, queue.SimpleQueue[Any]] = {}
        self._actors: list[carla.Sensor] = []
        self.frame = 0  # the server's frame that the record shows
        with client.calls("attaching sensors", client.options.load_s):
            library = {blueprint.id: blueprint for blueprint in client.world.get_blueprint_library()}
            for spec in self.specs:
                if not spec.kind.pseudo:
                    self._attach(spec, library, ego)

    def read(self) -> dict[str, tuple[int, Any]]:
        """id -> (frame, data), data as a leaderboard agent gets it (docs/sensors.md).

        Raises:
            SimulatorError: when a sensor that measures at every tick sends nothing.
        """
        return {name: (m.frame, m.data.for_leaderboard()) for name, m in self.measure().items()}

    def measure(self) -> dict[str, Measurement]:
        """id -> measurement in CARLA's own layout, of the sensors that have measured at this tick."""
        w = self._worlds[0]
        limit = time.monotonic() + self._client.options.tick_s
        found = {}
        for spec in self.specs:
            told = self._pseudo(spec, w) if spec.kind.pseudo else self._news(spec, limit)
            if told is not None:
                data, placement = told
                found[spec.id] = Measurement(int(w["tick"]), float(w["time"]), placement, data)
        return found

    def destroy(self) -> None:
        """Take the sensors off."""
        with self._client.calls("removing sensors", self._client.options.tick_s):
            for actor in self._actors:
                actor.stop()
                actor.destroy()
        self._actors = []

    def _attach(self, spec: SensorSpec, library: Mapping[str, Any], ego: EgoVehicle) -> None:
        import carla

        blueprint = library.get(spec.type)
        if blueprint is None:
            raise SimulatorError(f"the CARLA server at {self._client.place} has no {spec.type}, for sensor {spec.id!r}")
        for name, value in spec.attributes.items():
            if blueprint.has_attribute(name) and blueprint.get_attribute(name).is_modifiable:
                blueprint.set_attribute(name, str(value).lower() if isinstance(value, bool) else str(value))
        pose = carla.Transform(
            carla.Location(spec.x, spec.y, spec.z), carla.Rotation(pitch=spec.pitch, yaw=spec.yaw, roll=spec.roll)
        )
        actor = self._client.world.spawn_actor(blueprint, pose, attach_to=ego.actor)
        heard = self._heard[spec.id] = queue.SimpleQueue()
        actor.listen(heard.put)
        self._actors.append(actor)

    def _news(self, spec: SensorSpec, limit: float) -> tuple[Data, Placement] | None:
        """What a sensor sent of the present frame. One that measures every tick is waited for."""
        heard, events = self._heard[spec.id], []
        steady = not spec.kind.event and float(spec.attributes.get("sensor_tick", 0.0)) <= TICK_SECONDS
        while True:
            try:
                left = max(limit - time.monotonic(), 0.0) if steady else 0.0
                told = heard.get(timeout=left) if left else heard.get_nowait()
            except queue.Empty:
                if steady:
                    raise SimulatorError(
                        f"the CARLA server at {self._client.place} ticks, but sensor {spec.id!r} ({spec.type}) sent "
                        f"nothing within {self._client.options.tick_s:g} s"
                    ) from None
                break
            if spec.kind.event:
                events.append(told)
            elif told.frame >= self.frame:
                return self._data(spec, told), _placement(told.transform)
        if not events:
            return None
        data = [event for told in events for event in self._events(spec, told)]
        return Events(tuple(data)), _placement(events[-1].transform)

    def _pseudo(self, spec: SensorSpec, w: np.void) -> tuple[Data, Placement]:
        x, y, z, yaw = (float(w[name][EGO]) for name in ("x", "y", "z", "yaw"))
        place = Placement(x, y, z, 0.0, math.degrees(yaw), 0.0)
        if spec.type == "sensor.speedometer":
            return Speed(float(forward_speed(w, EGO))), place
        return TownMap(self._network.xodr), place

    def _data(self, spec: SensorSpec, told: Any) -> Data:
        if spec.kind.camera:
            pixels = np.frombuffer(told.raw_data, np.uint8).reshape(told.height, told.width, 4)
            return Image(pixels.copy(), float(told.fov))
        if spec.type == "sensor.other.imu":
            a, g = told.accelerometer, told.gyroscope
            return Imu(np.array([a.x, a.y, a.z]), np.array([g.x, g.y, g.z]), float(told.compass))
        if spec.type == "sensor.other.gnss":
            return Gnss(told.latitude, told.longitude, told.altitude)
        if spec.type == "sensor.other.radar":
            return Radar(np.frombuffer(told.raw_data, np.float32).reshape(-1, 4).copy())
        counts = np.array([told.get_point_count(channel) for channel in range(told.channels)], np.uint32)
        angle = float(told.horizontal_angle)
        if spec.type == "sensor.lidar.ray_cast_semantic":
            return SemanticLidar(angle, counts, np.frombuffer(told.raw_data, SEMANTIC_POINT).copy())
        return Lidar(angle, counts, np.frombuffer(told.raw_data, np.float32).reshape(-1, 4).copy())

    def _events(self, spec: SensorSpec, told: Any) -> list[Any]:
        if spec.type == "sensor.other.lane_invasion":
            return [_marking(mark) for mark in told.crossed_lane_markings]
        other = told.other_actor
        number = 0 if other is None else int(other.id)
        if spec.type == "sensor.other.collision":
            impulse = told.normal_impulse
            return [Collision(self._slot_of(number), number, (impulse.x, impulse.y, impulse.z))]
        return [Obstacle(self._slot_of(number), number, float(told.distance))]


def _marking(mark: Any) -> LaneMarking:
    return LaneMarking(LaneMark(int(mark.type)), MarkColor(int(mark.color)))


def _placement(transform: Any) -> Placement:
    place, turn = transform.location, transform.rotation
    return Placement(place.x, place.y, place.z, turn.pitch, turn.yaw, turn.roll)
