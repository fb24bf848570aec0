"""Sensors on the streams: which of them exist, and what they send after a tick.

`SensorActors` is told of every sensor that comes and goes, and publishes after every tick. A sensor nobody reads is not
measured. Cameras, LiDARs and radars are shared out among workers, each with a scene of its own; kernels let go of the
interpreter, so two workers draw at once. Frames go out in the order of the sensors' ids, whoever was ready first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import msgpack
import numpy as np

from simulator.carla_server.actors import Actor
from simulator.carla_server.blueprint_library import Definition
from simulator.carla_server.encoding import RpcError
from simulator.carla_server.log import LOG
from simulator.carla_server.sensor_readers import GnssReader, ImuReader, Mounted, ObstacleReader, RayReader, Reader
from simulator.errors import SensorError
from simulator.sensors.measurements import Image, Measurement, Placement
from simulator.sensors.specs import SensorSpec, parse_blueprint

if TYPE_CHECKING:
    from simulator.carla_server.motion_cameras import MotionCamera
    from simulator.carla_server.server import CarlaServer
    from simulator.sensors.camera_reader import CameraReaders
    from simulator.sensors.scene import Scene

_MOST_WORKERS = 4
_RAYS = ("sensor.lidar.", "sensor.other.radar")
_CLIENT_SIDE = frozenset({"sensor.other.lane_invasion"})  # the client measures it by itself
_PIXELS_OF_RAYS = 200_000  # what a LiDAR or radar costs beside a camera's pixels, when work is shared out


@dataclass
class Sensor:
    """One sensor actor and what measures it."""

    actor: Actor
    mounted: Mounted
    reader: Reader | None = None
    obstacle: ObstacleReader | None = None
    motion: MotionCamera | None = None
    worker: int = -1  # of those that look; LiDARs and radars stay with one
    told: bool = False  # an error of it has been logged

    @property
    def type_id(self) -> str:
        return self.actor.type_id

    @property
    def is_camera(self) -> bool:
        return self.type_id.startswith("sensor.camera.")


@dataclass
class _Worker:
    """A scene and the work of one tick on it."""

    scene: Scene
    load: int = 0
    jobs: list[_Look] = field(default_factory=list)


class SensorActors:
    """The sensors of one episode."""

    def __init__(self, server: CarlaServer) -> None:
        self.server = server
        self._sensors: dict[int, Sensor] = {}
        self._workers: list[_Worker] = []
        self._pool: ThreadPoolExecutor | None = None

    @staticmethod
    def check(definition: Definition, description: list[Any]) -> None:
        """Refuse what no sensor can be, before it is spawned.

        Raises:
            RpcError: which attribute is wrong, and what it may be.
        """
        if definition.id.startswith("sensor."):
            _spec(definition.id, {a[0]: a[2] for a in description[2]})

    def added(self, actor: Actor) -> None:
        """A sensor has been spawned; `actor.stream` is its stream."""
        mounted = Mounted(_spec(actor.type_id, actor.attributes), actor.stream)
        sensor = Sensor(actor, mounted)
        spec = mounted.spec
        if actor.type_id == "sensor.other.imu":
            sensor.reader = ImuReader(spec)
        elif actor.type_id == "sensor.other.gnss":
            sensor.reader = GnssReader(spec, self.server.episode.network)
        elif actor.type_id == "sensor.other.obstacle":
            sensor.obstacle = ObstacleReader(spec)
        elif spec.kind.served:
            from simulator.carla_server.motion_cameras import MotionCamera

            sensor.motion = MotionCamera(mounted)
        self._sensors[actor.id] = sensor

    def removed(self, actor: Actor) -> None:
        """A sensor has been destroyed."""
        self._sensors.pop(actor.id, None)

    def close(self) -> None:
        """Let go of the workers."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def publish(self) -> None:
        """Measure, and send, after a tick."""
        bodies: dict[int, list[bytes]] = {}
        looking: list[Sensor] = []
        now = float(self.server.episode.world["time"])
        for sensor in self._sensors.values():
            if not self._is_read(sensor):
                sensor.mounted.measured = -np.inf  # begins anew with its next reader
                continue
            self._put(sensor)
            if sensor.type_id == "sensor.other.collision":
                bodies[sensor.actor.id] = self._collisions(sensor.actor)
            elif sensor.mounted.is_due(now):
                if sensor.is_camera or sensor.type_id.startswith(_RAYS):
                    looking.append(sensor)
                else:
                    bodies[sensor.actor.id] = self._felt(sensor, now)
        if looking:
            bodies |= self._seen(looking, now)
        for actor_id in sorted(bodies):
            for body in bodies[actor_id]:
                self._send(self._sensors[actor_id].actor, body)

    def _is_read(self, sensor: Sensor) -> bool:
        if sensor.type_id in _CLIENT_SIDE or (sensor.is_camera and self.server.settings.no_rendering):
            return False
        return self.server.streams.has_readers(sensor.actor.stream)

    def _put(self, sensor: Sensor) -> None:
        """Where the sensor is at this tick."""
        episode, actor = self.server.episode, sensor.actor
        parent = episode.registry.actors.get(actor.parent)
        if parent is not None and parent.slot >= 0 and actor.mounting is not None:
            sensor.mounted.put(parent.slot, actor.mounting, float(episode.bodies["centre"][0, parent.slot]))
        else:
            sensor.mounted.put(-1, episode.frame.pose(actor.row))

    # Sensors that feel

    def _felt(self, sensor: Sensor, now: float) -> list[bytes]:
        world = self.server.episode.world
        ticks = sensor.mounted.ticks_since(now, self.server.settings.seconds)
        sensor.mounted.measured = now
        if sensor.obstacle is not None:
            return self._obstacle(sensor)
        body = sensor.reader.measure(world, sensor.mounted, ticks) if sensor.reader is not None else None
        return [] if body is None else [body]

    def _collisions(self, actor: Actor) -> list[bytes]:
        """One frame for each contact of the actor that carries the sensor."""
        episode = self.server.episode
        parent = episode.registry.actors.get(actor.parent)
        if parent is None or parent.slot < 0:
            return []
        return [_packed(parent, other, list(impulse)) for other, impulse in episode.contacts(parent.slot)]

    def _obstacle(self, sensor: Sensor) -> list[bytes]:
        episode = self.server.episode
        assert sensor.obstacle is not None
        slot, distance = sensor.obstacle.find(episode.world, sensor.mounted)
        other = episode.actor_in(slot) if slot >= 0 else None
        own = episode.registry.actors.get(sensor.actor.parent, sensor.actor)
        return [] if other is None else [_packed(own, other, distance)]

    # Sensors that look

    def _seen(self, sensors: list[Sensor], now: float) -> dict[int, list[bytes]]:
        """Bodies of cameras, LiDARs and radars."""
        world, delta = self.server.episode.world, self.server.settings.seconds
        groups = _views(sensors)
        self._hire(len(groups))
        for worker in self._workers:
            worker.load, worker.jobs = 0, []
        for group in groups:
            first = group[0]
            number = first.worker if first.worker >= 0 else min(range(len(self._workers)), key=self._load)
            if not first.is_camera:
                first.worker = number
            worker = self._workers[number]
            worker.load += _cost(group)
            for sensor in group:
                worker.jobs.append(_Look(sensor, world, sensor.mounted.ticks_since(now, delta)))
                sensor.mounted.measured = now
        busy = [worker for worker in self._workers if worker.jobs]
        waits = [self._threads().submit(_work, worker, world) for worker in busy[1:]]
        _work(busy[0], world)
        for wait in waits:
            wait.result()
        looks = [job for worker in busy for job in worker.jobs]
        return {job.sensor.actor.id: [job.body] for job in looks if job.body is not None}

    def _load(self, worker: int) -> int:
        return self._workers[worker].load

    def _hire(self, wanted: int) -> None:
        """As many workers as there are views and processors, and at least one."""
        most = max(1, min(wanted, len(os.sched_getaffinity(0)), _MOST_WORKERS))
        while len(self._workers) < most:
            if self._workers:
                self._workers.append(_Worker(self._workers[0].scene.twin()))
                continue
            from simulator.sensors.scene import Scene

            self._workers.append(_Worker(Scene(self.server.episode.network)))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_MOST_WORKERS - 1, thread_name_prefix="sensors")
        return self._pool

    def _send(self, actor: Actor, body: bytes) -> None:
        """Send one frame of a sensor."""
        kind = self.server.protocol.sensor_type(actor.type_id)
        if kind is None:
            return
        clock = self.server.clock
        placement = Placement(*self.server.episode.frame.pose(actor.row))
        header = Measurement.header(kind, clock.frame, clock.elapsed, placement)
        size = (len(header) + len(body)).to_bytes(4, "little")
        droppable = not self.server.settings.synchronous
        self.server.streams.publish(actor.stream, size + header + body, droppable=droppable)


def _spec(type_id: str, values: dict[str, str]) -> SensorSpec:
    try:
        return parse_blueprint(type_id, values)
    except SensorError as error:
        raise RpcError(f"Spawn failed: {error}") from None


def _packed(own: Actor, other: Actor, value: object) -> bytes:
    return bytes(msgpack.packb([own.wire(), other.wire(), value], use_bin_type=True, use_single_float=True))


def _views(sensors: list[Sensor]) -> list[list[Sensor]]:
    """Cameras that look from one place in one way share a view; everything else looks for itself."""
    groups: dict[tuple[object, ...], list[Sensor]] = {}
    for sensor in sensors:
        spec = sensor.mounted.spec
        key: tuple[object, ...] = (sensor.actor.id,)
        if sensor.is_camera:
            size = (spec.number("image_size_x"), spec.number("image_size_y"), spec.number("fov"))
            key = (sensor.mounted.slot, spec.place, size)
        groups.setdefault(key, []).append(sensor)
    return list(groups.values())


def _cost(group: list[Sensor]) -> int:
    spec = group[0].mounted.spec
    if not group[0].is_camera:
        return _PIXELS_OF_RAYS
    return int(spec.number("image_size_x") * spec.number("image_size_y"))


class _Look:
    """One sensor's share of a tick's work."""

    def __init__(self, sensor: Sensor, world: np.void, ticks: float) -> None:
        self.sensor, self._world, self._ticks = sensor, world, ticks
        self.body: bytes | None = None
        self._picture: Callable[[np.void, int], Image] | None = None

    def prepare(self, readers: CameraReaders) -> None:
        """Tell the cameras what is wanted before anything is drawn, so that one view serves all of them."""
        spec, slot = self.sensor.mounted.spec, self.sensor.mounted.slot
        # cameras that are due share views whatever their own interval
        spec = replace(spec, attributes={**spec.attributes, "sensor_tick": 0.0})
        if self.sensor.type_id == "sensor.camera.dvs":
            self._picture = readers.reader(replace(spec, type="sensor.camera.rgb"), slot)
        elif self.sensor.is_camera and self.sensor.motion is None:
            self._picture = readers.reader(spec, slot)

    def run(self, scene: Scene) -> None:
        """Measure, on a scene that holds the world's actors."""
        sensor = self.sensor
        try:
            self.body = self._measure(scene)
        except SensorError as error:
            if not sensor.told:
                LOG.error("%s %d: %s", sensor.type_id, sensor.actor.id, error)
                sensor.told = True

    def _measure(self, scene: Scene) -> bytes | None:
        sensor = self.sensor
        image = None if self._picture is None else self._picture(self._world, 1)
        if sensor.motion is not None:
            return sensor.motion.measure(scene, self._world, sensor.mounted, None if image is None else image.pixels)
        if image is not None:
            return image.wire_body()
        reader = sensor.reader
        if not isinstance(reader, RayReader) or reader.slot != sensor.mounted.slot:
            reader = sensor.reader = RayReader(sensor.mounted, scene)
        return reader.measure(self._world, sensor.mounted, self._ticks)


def _work(worker: _Worker, world: np.void) -> None:
    """Do a worker's jobs of this tick."""
    from simulator.sensors.camera_reader import CameraReaders

    readers = CameraReaders(worker.scene)
    worker.scene.place(cast(np.ndarray, world))
    for job in worker.jobs:
        job.prepare(readers)
    for job in worker.jobs:
        job.run(worker.scene)
