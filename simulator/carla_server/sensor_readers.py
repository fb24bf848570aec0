"""What each kind of sensor measures on a server's world: the bodies of its stream frames.

Measurements are those of `simulator.sensors`, by the same kernels on the same record. What a server adds: a sensor may
hang on anything or on nothing, and ticks need not be 0.05 s long. A sensor whose parent has a slot in the record moves
with that slot; any other one stands in the world where its row of the frame says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.roads.network import RoadNetwork
from simulator.sensors.encounters import measure_obstacle
from simulator.sensors.inertial import measure_gnss, measure_imu
from simulator.sensors.measurements import Gnss, Imu, Lidar, Radar, SemanticLidar
from simulator.sensors.specs import SensorSpec
from simulator.state import TICK_SECONDS

if TYPE_CHECKING:
    from simulator.sensors.scene import Scene

_ON_TIME = 1e-6  # s


@dataclass
class Mounted:
    """A sensor, where it is now, and when it measured last."""

    spec: SensorSpec
    number: int  # of its stream; part of the hash that makes its noise
    slot: int = -1  # of its parent in the record; -1: it stands in the world
    measured: float = -math.inf  # s, the world's time at its last measurement

    def __post_init__(self) -> None:
        self.place = np.zeros(6)  # x, y, z (m), roll, pitch, yaw (rad) on the slot, or in the world
        self._put: tuple[object, ...] = ()  # the arguments of the last `put`: most sensors stay where they are mounted
        self.interval = self.spec.number("sensor_tick") if "sensor_tick" in self.spec.attributes else 0.0

    def put(self, slot: int, pose: tuple[float, ...], lift: float = 0.0) -> None:
        """Where it is at this tick.

        Args:
            pose: x, y, z (m), pitch, yaw, roll (deg).
            lift: m that CARLA's origin of the parent lies above the record's.
        """
        if (slot, pose, lift) == self._put:
            return
        self._put = slot, pose, lift
        self.slot = slot
        x, y, z, pitch, yaw, roll = pose
        self.place[:] = x, y, z + lift, math.radians(roll), math.radians(pitch), math.radians(yaw)
        self.spec = replace(self.spec, x=x, y=y, z=z + lift, roll=roll, pitch=pitch, yaw=yaw)

    def is_due(self, now: float) -> bool:
        """Whether it measures at this tick: at its first, and then whenever `sensor_tick` has passed."""
        return now - self.measured >= self.interval - _ON_TIME

    def ticks_since(self, now: float, delta: float) -> float:
        """Time since the last measurement in units of 0.05 s; the first one covers one tick of `delta` seconds."""
        return in_ticks(delta if math.isinf(self.measured) else now - self.measured)


def in_ticks(seconds: float) -> float:
    """Seconds in units of 0.05 s, whole where they are."""
    ticks = seconds / TICK_SECONDS
    whole = round(ticks)
    return float(whole) if abs(ticks - whole) < _ON_TIME else ticks


class Reader:
    """Measures one sensor of one kind; `scene` holds the world's actors by then, for those that look."""

    def measure(self, w: np.void, sensor: Mounted, ticks: float) -> bytes | None:
        """The body of a frame, or None for nothing to send. `ticks`: of 0.05 s since the last measurement."""
        raise NotImplementedError


class ImuReader(Reader):
    """`sensor.other.imu`"""

    def __init__(self, spec: SensorSpec) -> None:
        names = [f"noise_{kind}_{axis}" for kind in ("accel_stddev", "gyro_stddev", "gyro_bias") for axis in "xyz"]
        self._noise, self._out = np.array([spec.number(name) for name in names]), np.zeros(7)
        self._seed = int(spec.attributes["noise_seed"])
        self._pose, self._scratch = np.zeros((4, 3)), np.zeros((2, 4, 3))

    def measure(self, w: np.void, sensor: Mounted, ticks: float) -> bytes:
        out = self._out
        measure_imu(
            w, sensor.slot, sensor.place, sensor.number, self._seed, self._noise, out, self._pose, self._scratch
        )  # fmt: skip
        return Imu(out[:3].copy(), out[3:6].copy(), float(out[6])).wire_body()


class GnssReader(Reader):
    """`sensor.other.gnss`"""

    def __init__(self, spec: SensorSpec, network: RoadNetwork) -> None:
        numbers = [spec.number(f"noise_{axis}_{kind}") for kind in ("bias", "stddev") for axis in ("lat", "lon", "alt")]
        self._noise, self._out = np.array(numbers), np.zeros(3)
        self._origin = np.array(network.geo_reference, np.float64)
        self._seed = int(spec.attributes["noise_seed"])
        self._pose, self._scratch = np.zeros((4, 3)), np.zeros((2, 4, 3))

    def measure(self, w: np.void, sensor: Mounted, ticks: float) -> bytes:
        where = (w, sensor.slot, sensor.place, sensor.number, self._seed)
        measure_gnss(*where, self._noise, self._origin, self._out, self._pose, self._scratch)
        return Gnss(*(float(v) for v in self._out)).wire_body()


class ObstacleReader:
    """`sensor.other.obstacle`: which slot lies ahead, and how far."""

    def __init__(self, spec: SensorSpec) -> None:
        self._reach = spec.number("distance"), spec.number("hit_radius"), int(bool(spec.attributes["only_dynamics"]))
        self._pose, self._scratch = np.zeros((4, 3)), np.zeros((2, 4, 3))

    def find(self, w: np.void, sensor: Mounted) -> tuple[int, float]:
        """Slot of the first actor on the way, or -1, and the metres to it."""
        slot, distance = measure_obstacle(w, sensor.slot, sensor.place, *self._reach, self._pose, self._scratch)
        return int(slot), float(distance)


class RayReader(Reader):
    """LiDARs and radar."""

    def __init__(self, sensor: Mounted, scene: Scene) -> None:
        """`scene`: of the worker that measures it. The reader is good for the sensor's present slot."""
        where = (sensor.spec, sensor.number, sensor.slot, sensor.place, scene)
        self.slot = sensor.slot
        self._read: Callable[[np.void, float, float], Radar | Lidar | SemanticLidar | None]
        if sensor.spec.type == "sensor.other.radar":
            from simulator.sensors.radar import RadarReader

            radar = RadarReader(*where)
            self._read = lambda w, ticks, now: radar.measure(w, ticks)
        else:
            from simulator.sensors.lidar import LidarReader

            self._read = LidarReader(*where).measure

    def measure(self, w: np.void, sensor: Mounted, ticks: float) -> bytes | None:
        data = self._read(w, ticks, in_ticks(float(w["time"])))
        return None if data is None else data.wire_body()
