"""What sensors yield: CARLA's own layouts, the bytes that a CARLA server streams, and what a leaderboard agent gets.

Frames and axes are CARLA's: x ahead, y right, z up, seen from the sensor; angles rad. `wire_body` is the body of a
stream frame after its 48-byte header, as CARLA 0.9.15 and 0.9.16 write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgpack
import numpy as np

from simulator.roads.network import LaneMark, MarkColor

#: One point of a semantic LiDAR, 24 bytes.
SEMANTIC_POINT = np.dtype(
    [
        ("x", "<f4"),  # m, sensor's axes
        ("y", "<f4"),
        ("z", "<f4"),
        ("cos_inc_angle", "<f4"),  # cosine between the ray, reversed, and the surface's normal
        ("object_idx", "<u4"),  # actor id, 0 for the town
        ("object_tag", "<u4"),  # semantic class
    ]
)


class Placement(NamedTuple):
    """A sensor's pose in the world, in CARLA's order."""

    x: float  # m
    y: float
    z: float
    pitch: float  # deg
    yaw: float
    roll: float


@dataclass(frozen=True)
class Imu:
    """One IMU measurement."""

    accelerometer: np.ndarray  # float64[3] m/s2, gravity included: a car at rest reads +9.81 on z
    gyroscope: np.ndarray  # float64[3] rad/s; turning right is +z
    compass: float  # rad, 0 north (-y), pi/2 east (+x), in [0, 2 pi)

    def for_leaderboard(self) -> np.ndarray:
        """float64[7] ax, ay, az, gx, gy, gz, compass."""
        return np.array([*self.accelerometer, *self.gyroscope, self.compass])

    def wire_body(self) -> bytes:
        packed = [[float(v) for v in self.accelerometer], [float(v) for v in self.gyroscope], float(self.compass)]
        return bytes(msgpack.packb(packed, use_single_float=True))


@dataclass(frozen=True)
class Gnss:
    """One GNSS measurement."""

    latitude: float  # deg
    longitude: float  # deg
    altitude: float  # m

    def for_leaderboard(self) -> np.ndarray:
        """float64[3] latitude, longitude, altitude."""
        return np.array([self.latitude, self.longitude, self.altitude])

    def wire_body(self) -> bytes:
        return bytes(msgpack.packb([self.latitude, self.longitude, self.altitude]))


@dataclass(frozen=True)
class Lidar:
    """The points of one tick, grouped by channel, the highest laser first."""

    horizontal_angle: float  # rad, where the head stands after this tick
    counts: np.ndarray  # uint32[channels] points of each channel
    points: np.ndarray  # float32[N, 4] x, y, z (m, sensor's axes), intensity

    def for_leaderboard(self) -> np.ndarray:
        """float32[N, 4] x, y, z, intensity."""
        return self.points

    def wire_body(self) -> bytes:
        return _lidar_header(self.horizontal_angle, self.counts) + self.points.astype("<f4").tobytes()


@dataclass(frozen=True)
class SemanticLidar:
    """The points of one tick, grouped by channel, the highest laser first."""

    horizontal_angle: float  # rad, where the head stands after this tick
    counts: np.ndarray  # uint32[channels]
    points: np.ndarray  # SEMANTIC_POINT[N]

    def for_leaderboard(self) -> np.ndarray:
        """SEMANTIC_POINT[N]; not among the leaderboard's sensors, handed out as CARLA lays it out."""
        return self.points

    def wire_body(self) -> bytes:
        return _lidar_header(self.horizontal_angle, self.counts) + self.points.tobytes()


def _lidar_header(angle: float, counts: np.ndarray) -> bytes:
    return np.float32(angle).tobytes() + np.uint32(len(counts)).tobytes() + counts.astype("<u4").tobytes()


@dataclass(frozen=True)
class Radar:
    """The detections of one tick."""

    points: np.ndarray  # float32[N, 4] velocity (m/s along the ray, away positive), azimuth, altitude (rad), depth (m)

    def for_leaderboard(self) -> np.ndarray:
        """float32[N, 4] depth, altitude, azimuth, velocity: the leaderboard mirrors CARLA's columns."""
        return np.ascontiguousarray(self.points[:, ::-1])

    def wire_body(self) -> bytes:
        return bytes(self.points.astype("<f4").tobytes())


@dataclass(frozen=True)
class Image:
    """One picture of any camera."""

    pixels: np.ndarray  # uint8[H, W, 4] BGRA
    fov: float  # deg, horizontal

    def for_leaderboard(self) -> np.ndarray:
        """uint8[H, W, 4] BGRA."""
        return self.pixels

    def wire_body(self) -> bytes:
        height, width = self.pixels.shape[:2]
        return np.array([width, height], "<u4").tobytes() + np.float32(self.fov).tobytes() + self.pixels.tobytes()


@dataclass(frozen=True)
class Speed:
    """The leaderboard's speedometer."""

    speed: float  # m/s along the vehicle's nose

    def for_leaderboard(self) -> dict[str, float]:
        return {"speed": self.speed}


@dataclass(frozen=True)
class TownMap:
    """The leaderboard's map sensor."""

    opendrive: str

    def for_leaderboard(self) -> dict[str, str]:
        return {"opendrive": self.opendrive}


class Collision(NamedTuple):
    """The vehicle touches another actor in this tick."""

    other_slot: int
    other_id: int  # actor id
    normal_impulse: tuple[float, float, float]  # N s on the vehicle, world


class LaneMarking(NamedTuple):
    """A marking that was crossed."""

    type: LaneMark
    color: MarkColor


class Obstacle(NamedTuple):
    """An actor ahead."""

    other_slot: int
    other_id: int  # actor id
    distance: float  # m that the ball travels before it touches


Event = Collision | LaneMarking | Obstacle


@dataclass(frozen=True)
class Events:
    """What an event sensor noticed in one tick: collisions, or the markings of one lane invasion, or one obstacle."""

    events: tuple[Event, ...]

    def for_leaderboard(self) -> tuple[Event, ...]:
        """The events; such sensors are not among the leaderboard's."""
        return self.events


Data = Imu | Gnss | Lidar | SemanticLidar | Radar | Image | Speed | TownMap | Events


@dataclass(frozen=True)
class Measurement:
    """One measurement of one sensor."""

    frame: int  # tick of the world
    timestamp: float  # s since the episode began
    placement: Placement
    data: Data

    HEADER: ClassVar[np.dtype[Any]] = np.dtype(
        [("type", "<u8"), ("frame", "<u8"), ("timestamp", "<f8"), ("transform", "<f4", 6)]
    )

    def wire_header(self, type_index: int) -> bytes:
        """The 48 bytes before the body. `type_index`: the sensor's place in the client's registry (docs/sensors.md)."""
        return self.header(type_index, self.frame, self.timestamp, self.placement)

    @classmethod
    def header(cls, type_index: int, frame: int, timestamp: float, placement: Placement) -> bytes:
        """As `wire_header`, without a measurement."""
        header = np.zeros((), cls.HEADER)
        header["type"], header["frame"], header["timestamp"] = type_index, frame, timestamp
        header["transform"] = placement
        return header.tobytes()
