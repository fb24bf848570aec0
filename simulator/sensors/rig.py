"""The sensors of one vehicle in one world.

A rig only reads the world's record. It keeps nothing from one tick to the next, so the same record gives the same
measurements: after a restore, in a fork, in a batch of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.array_bundle import bundle
from simulator.errors import SensorError
from simulator.roads.network import MARK_COLOR, LaneMark, MarkColor, RoadArrays, RoadNetwork
from simulator.sensors.catalogue import SENSOR_TYPES
from simulator.sensors.encounters import (
    MAX_MARKS_CROSSED,
    measure_collisions,
    measure_lane_invasion,
    measure_obstacle,
)
from simulator.sensors.inertial import forward_speed, measure_gnss, measure_imu
from simulator.sensors.measurements import (
    Collision,
    Data,
    Events,
    Gnss,
    Imu,
    LaneMarking,
    Measurement,
    Obstacle,
    Placement,
    Speed,
    TownMap,
)
from simulator.sensors.pose import rotation_of, sensor_pose
from simulator.sensors.specs import SensorSpec
from simulator.state import EGO, MAX_ACTORS, MAX_CONTACTS, TICK_SECONDS

if TYPE_CHECKING:
    from simulator.sensors.camera_reader import CameraReaders
    from simulator.sensors.scene import Scene

Read = Callable[[np.void, int], Data | None]  # (world, ticks since the last measurement) -> data, None without event


#: Sensors that look at the town's triangles.
_LOOKS = frozenset(t for t in SENSOR_TYPES if t.startswith(("sensor.camera.", "sensor.lidar.", "sensor.other.radar")))


class Mount:
    """Where a sensor sits and which number it has; scratch arrays for its kernels."""

    def __init__(self, spec: SensorSpec, number: int, slot: int) -> None:
        self.spec, self.number, self.slot = spec, number, slot
        self.place = np.array([spec.x, spec.y, spec.z, *(math.radians(a) for a in (spec.roll, spec.pitch, spec.yaw))])
        self.noise_seed = int(spec.attributes.get("noise_seed", 0))
        self.pose = np.zeros((4, 3))
        self.scratch = np.zeros((2, 4, 3))

    def placement(self, w: np.void) -> Placement:
        """The sensor's pose in the world."""
        sensor_pose(w, self.slot, self.place, self.pose, self.scratch)
        roll, pitch, yaw = (math.degrees(a) for a in rotation_of(self.pose))
        x, y, z = (float(v) for v in self.pose[0])
        return Placement(x, y, z, pitch, yaw, roll)


def is_due(tick: int, sensor_tick: float) -> bool:
    """Whether a sensor that measures every `sensor_tick` seconds does so at this tick; at tick 0 every sensor does."""
    return tick == 0 or _measured(tick, sensor_tick) != _measured(tick - 1, sensor_tick)


def ticks_since(tick: int, sensor_tick: float) -> int:
    """Ticks from the measurement before `tick` to `tick`, a tick at which the sensor measures."""
    longest = max(math.ceil(sensor_tick / TICK_SECONDS), 1)
    return next((n for n in range(1, longest + 1) if tick >= n and is_due(tick - n, sensor_tick)), longest)


def _measured(tick: int, sensor_tick: float) -> int:
    """How many whole intervals have passed."""
    return tick if sensor_tick <= TICK_SECONDS else math.floor(tick * TICK_SECONDS / sensor_tick + 1e-9)


class SensorRig:
    """Sensors on one actor of one world.

    ```python
    rig = SensorRig(parse_sensors(agent.sensors()), batch.routes.network, batch.worlds, world=0)
    input_data = rig.read()      # {"front": (frame, image), "gps": (frame, [lat, lon, alt]), ...}
    ```
    """

    def __init__(
        self,
        specs: Sequence[SensorSpec],
        network: RoadNetwork,
        worlds: np.ndarray,
        *,
        world: int = 0,
        slot: int = EGO,
        net: RoadArrays | None = None,
        scene: Scene | None = None,
    ) -> None:
        """
        Args:
            specs: of `parse_sensors`. A sensor's number in this list is part of the hash that makes its noise.
            network: the town.
            worlds: WORLD[B], such as `WorldBatch.worlds`; read anew at every measurement.
            world: which of them.
            slot: the actor that carries the sensors.
            net: the town's arrays as kernels take them (`RouteBatch.net`), where they are at hand.
            scene: the town's triangles, which rigs of one thread may share; made when a sensor needs it otherwise.

        Raises:
            SensorError: a world or slot that is not there, a collision sensor on another actor than the ego vehicle, or
                a type that only the CARLA server streams.
        """
        if not 0 <= world < len(worlds):
            raise SensorError(f"no world {world}: the batch has worlds 0 to {len(worlds) - 1}")
        if not 0 <= slot < MAX_ACTORS:
            raise SensorError(f"no actor slot {slot}: a world has slots 0 to {MAX_ACTORS - 1}")
        self.specs = tuple(specs)
        self.network = network
        self._worlds, self._world, self._slot = worlds, world, slot
        self._net = bundle(network.arrays) if net is None else net
        self._scene = scene
        self._cameras: CameraReaders | None = None
        self._mounts = [Mount(spec, number, slot) for number, spec in enumerate(self.specs)]
        self._readers = [self._reader(mount) for mount in self._mounts]

    def read(self) -> dict[str, tuple[int, Any]]:
        """id -> (frame, data), data as a leaderboard agent gets it (docs/sensors.md).

        Sensors that do not measure at this tick, and event sensors without event, are left out.
        """
        return {name: (m.frame, m.data.for_leaderboard()) for name, m in self.measure().items()}

    def measure(self) -> dict[str, Measurement]:
        """id -> measurement in CARLA's own layout, of the sensors that measure at this tick."""
        w = self._worlds[self._world]
        if w["kind"][self._slot] == 0:
            raise SensorError(f"world {self._world}: nobody is in slot {self._slot}; reset the world first")
        tick = int(w["tick"])
        found = {}
        placed = False
        if self._cameras is not None:
            self._cameras.begin()
        for mount, read in zip(self._mounts, self._readers, strict=True):
            interval = float(mount.spec.attributes.get("sensor_tick", 0.0))
            if not is_due(tick, interval):
                continue
            if self._scene is not None and not placed and mount.spec.type in _LOOKS:
                self._scene.place(w)
                placed = True
            data = read(w, ticks_since(tick, interval))
            if data is not None:
                found[mount.spec.id] = Measurement(tick, float(w["time"]), mount.placement(w), data)
        return found

    def _reader(self, mount: Mount) -> Read:
        if mount.spec.kind.served:
            raise SensorError(f"sensor {mount.spec.id!r}: {mount.spec.type} is streamed by the CARLA server only")
        makers: dict[str, Callable[[Mount], Read]] = {
            "sensor.other.imu": _imu,
            "sensor.other.gnss": self._gnss,
            "sensor.other.collision": self._collision,
            "sensor.other.lane_invasion": self._lane_invasion,
            "sensor.other.obstacle": _obstacle,
            "sensor.lidar.ray_cast": self._lidar,
            "sensor.lidar.ray_cast_semantic": self._lidar,
            "sensor.other.radar": self._radar,
            "sensor.speedometer": lambda mount: lambda w, ticks: Speed(float(forward_speed(w, mount.slot))),
            "sensor.opendrive_map": lambda mount: lambda w, ticks: TownMap(self.network.xodr),
        }
        return self._camera(mount) if mount.spec.kind.camera else makers[mount.spec.type](mount)

    def _looked_at(self) -> Scene:
        """The town's triangles; they and their kernels are loaded for sensors that need them only."""
        if self._scene is None:
            from simulator.sensors.scene import Scene

            self._scene = Scene(self.network)
        return self._scene

    def _camera(self, mount: Mount) -> Read:
        from simulator.sensors.camera_reader import CameraReaders

        if self._cameras is None:
            self._cameras = CameraReaders(self._looked_at())
        return self._cameras.reader(mount.spec, mount.slot)

    def _lidar(self, mount: Mount) -> Read:
        from simulator.sensors.lidar import LidarReader

        return LidarReader(mount.spec, mount.number, mount.slot, mount.place, self._looked_at()).measure

    def _radar(self, mount: Mount) -> Read:
        from simulator.sensors.radar import RadarReader

        return RadarReader(mount.spec, mount.number, mount.slot, mount.place, self._looked_at()).measure

    def _gnss(self, mount: Mount) -> Read:
        numbers = [mount.spec.number(f"noise_{a}_{kind}") for kind in ("bias", "stddev") for a in ("lat", "lon", "alt")]
        noise, origin, out = np.array(numbers), np.array(self.network.geo_reference, np.float64), np.zeros(3)

        def read(w: np.void, ticks: int) -> Gnss:
            where = (w, mount.slot, mount.place, mount.number, mount.noise_seed)
            measure_gnss(*where, noise, origin, out, mount.pose, mount.scratch)
            return Gnss(*(float(v) for v in out))

        return read

    def _collision(self, mount: Mount) -> Read:
        if mount.slot != EGO:
            raise SensorError(
                f"sensor {mount.spec.id!r}: a world records contacts of its ego vehicle only (slot {EGO}), "
                f"not of slot {mount.slot}"
            )
        others, impulses = np.zeros(MAX_CONTACTS, np.int64), np.zeros((MAX_CONTACTS, 3))

        def read(w: np.void, ticks: int) -> Events | None:
            count = measure_collisions(w, mount.slot, others, impulses)
            events = [
                Collision(int(others[k]), int(w["actor_id"][others[k]]), (*impulses[k].tolist(),)) for k in range(count)
            ]
            return Events(tuple(events)) if events else None

        return read

    def _lane_invasion(self, mount: Mount) -> Read:
        marks = np.zeros(MAX_MARKS_CROSSED, np.int64)

        def read(w: np.void, ticks: int) -> Events | None:
            count = measure_lane_invasion(w, self._net, mount.slot, marks) if w["tick"] > 0 else 0
            found = [divmod(int(mark), MARK_COLOR) for mark in marks[:count]]
            events = [LaneMarking(LaneMark(kind), MarkColor(color)) for color, kind in found]
            return Events(tuple(events)) if events else None

        return read


def _imu(mount: Mount) -> Read:
    names = [f"noise_{kind}_{axis}" for kind in ("accel_stddev", "gyro_stddev", "gyro_bias") for axis in "xyz"]
    noise, out = np.array([mount.spec.number(name) for name in names]), np.zeros(7)

    def read(w: np.void, ticks: int) -> Imu:
        measure_imu(w, mount.slot, mount.place, mount.number, mount.noise_seed, noise, out, mount.pose, mount.scratch)
        return Imu(out[:3].copy(), out[3:6].copy(), float(out[6]))

    return read


def _obstacle(mount: Mount) -> Read:
    distance, radius = mount.spec.number("distance"), mount.spec.number("hit_radius")
    only_dynamics = int(bool(mount.spec.attributes["only_dynamics"]))

    def read(w: np.void, ticks: int) -> Events | None:
        slot, travelled = measure_obstacle(
            w, mount.slot, mount.place, distance, radius, only_dynamics, mount.pose, mount.scratch
        )
        return Events((Obstacle(int(slot), int(w["actor_id"][slot]), float(travelled)),)) if slot >= 0 else None

    return read
