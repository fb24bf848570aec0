"""LiDAR: the rays of a tick, what they hit, and what of it comes back.

CARLA's `sensor.lidar.ray_cast` and `ray_cast_semantic`: per tick each laser fires
round(points_per_second * dt / channels) times, evenly over the part of a turn that the head makes meanwhile; an episode
begins with its back (azimuth -horizontal_fov / 2). Points come channel by channel, from the highest laser down, in the
order of firing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.errors import SensorError
from simulator.kernel import kernel
from simulator.sensors.measurements import SEMANTIC_POINT, Lidar, SemanticLidar
from simulator.sensors.noise import mix, noise_key, noise_normal, noise_uniform
from simulator.sensors.pose import sensor_pose
from simulator.sensors.scene import Scene
from simulator.sensors.specs import SensorSpec
from simulator.sensors.sweep import sweep_scene
from simulator.state import TICK_SECONDS

MAX_RAYS = 20_000_000  # of one tick
_COLUMNS_AT_ONCE = 4096  # bounds the memory of a wide sweep


@kernel
def collect_points(w, sensor, noise_seed, first_column, columns, column_cos, column_sin, tangent, planar, hit, reach,
                   returns, points, counts):  # type: ignore[no-untyped-def]  # fmt: skip
    """What comes back of the hits of `planar`, as CARLA's ray_cast LiDAR decides it.

    Args:
        first_column, columns: number of `planar`'s first column in the tick, and columns of the tick.
        returns: float64[5] attenuation (1/m), general drop-off, intensity limit, drop-off at zero intensity, standard
            deviation (m).
        points: float32[channels, columns, 4], written: x, y, z (m, sensor's axes), intensity.
        counts: int64[channels] points of each channel so far, added to.
    """
    key = noise_key(w, sensor, noise_seed)
    noisy = mix(key ^ np.uint64(1))
    alpha = returns[3] / returns[2] if returns[2] > 0.0 else 0.0
    for e in range(planar.shape[1]):
        slant = math.sqrt(1.0 + tangent[e] * tangent[e])
        n = counts[e]
        for k in range(planar.shape[0]):
            h = planar[k, e]
            if hit[k, e] < 0 or h * slant > reach:
                continue
            draw = 2 * (e * columns + first_column + k)
            if returns[1] > 0.0 and noise_uniform(key, draw) < returns[1]:
                continue
            intensity = math.exp(-returns[0] * h * slant)
            if intensity <= returns[2] and noise_uniform(key, draw + 1) >= alpha * intensity + 1.0 - returns[3]:
                continue
            if returns[4] > 0.0:
                h += returns[4] * noise_normal(noisy, e * columns + first_column + k) / slant
            points[e, n, 0] = h * column_cos[k]
            points[e, n, 1] = h * column_sin[k]
            points[e, n, 2] = h * tangent[e]
            points[e, n, 3] = intensity
            n += 1
        counts[e] = n


@kernel
def collect_semantic(column_cos, column_sin, tangent, planar, hit, reach, pose, normal, points, triangles, counts):  # type: ignore[no-untyped-def]
    """The hits themselves: x, y, z (m, sensor's axes), cosine of the angle of incidence; nothing is dropped.

    Args:
        normal: float32[T, 3] of `Scene`.
        points: float32[channels, columns, 4], written. triangles: int64[channels, columns], written.
        counts: int64[channels] points of each channel so far, added to.
    """
    for e in range(planar.shape[1]):
        slant = math.sqrt(1.0 + tangent[e] * tangent[e])
        n = counts[e]
        for k in range(planar.shape[0]):
            h = planar[k, e]
            t = hit[k, e]
            if t < 0 or h * slant > reach:
                continue
            x, y, z = h * column_cos[k], h * column_sin[k], h * tangent[e]
            toward = 0.0
            for axis in range(3):
                toward -= (x * pose[1, axis] + y * pose[2, axis] + z * pose[3, axis]) * normal[t, axis]
            points[e, n, 0] = x
            points[e, n, 1] = y
            points[e, n, 2] = z
            points[e, n, 3] = toward / (h * slant)
            triangles[e, n] = t
            n += 1
        counts[e] = n


@dataclass(frozen=True)
class Scan:
    """The rays of one measurement."""

    start: float  # rad, phase of the head when it begins
    step: float  # rad from one firing to the next
    turn: float  # rad, horizontal_fov
    azimuth: np.ndarray  # float64[columns] rad, in order of firing
    angle_after: float  # rad, phase of the head afterwards


def scan_of(spec: SensorSpec, tick: float, ticks: float) -> Scan:
    """The rays of a LiDAR at `tick`, `ticks` after its last measurement.

    Raises:
        SensorError: more than 20 million rays at once.
    """
    seconds = ticks * TICK_SECONDS
    wanted = spec.number("points_per_second") * seconds / spec.number("channels")
    columns = math.floor(wanted + 0.5)
    if columns * spec.number("channels") > MAX_RAYS:
        raise SensorError(
            f"sensor {spec.id!r}: {columns * spec.number('channels'):.0f} rays in one measurement; at most {MAX_RAYS}. "
            "Lower points_per_second"
        )
    turn = math.radians(spec.number("horizontal_fov"))
    speed = turn * spec.number("rotation_frequency") * TICK_SECONDS  # per tick
    start = math.fmod(speed * (tick - ticks), turn)
    start += turn if start < 0.0 else 0.0
    if turn - start < 1e-9 * turn:
        start = 0.0
    step = speed * ticks / max(columns, 1)
    phase = start + step * np.arange(columns)
    after = math.fmod(start + speed * ticks, turn)
    return Scan(start, step, turn, np.mod(phase, turn) - 0.5 * turn, 0.0 if turn - after < 1e-9 * turn else after)


class LidarReader:
    """Measures one LiDAR, with intensities or with semantic classes."""

    def __init__(self, spec: SensorSpec, number: int, slot: int, place: np.ndarray, scene: Scene) -> None:
        """
        Args:
            number: of the sensor in its rig. slot: the actor that carries it, or -1.
            place: float64[6] x, y, z (m), roll, pitch, yaw (rad) on that actor, or in the world; read anew each time.
            scene: with the actors of the world placed before each measurement.
        """
        self._spec, self._number, self._slot, self._place, self._scene = spec, number, slot, place, scene
        self._semantic = spec.type.endswith("semantic")
        channels = int(spec.number("channels"))
        angles = np.radians(np.linspace(spec.number("upper_fov"), spec.number("lower_fov"), channels))
        if channels == 1:
            angles = np.radians([spec.number("upper_fov")])
        self._tangent = np.tan(angles)
        self._reach = spec.number("range")
        self._seed = int(spec.attributes.get("noise_seed", 0))
        drops = [f"dropoff_{what}" for what in ("general_rate", "intensity_limit", "zero_intensity")]
        names = ["atmosphere_attenuation_rate", *drops, "noise_stddev"]
        self._returns = np.array([float(spec.attributes.get(name, 0.0)) for name in names])
        self._local = np.zeros((len(scene.vertex), 3))
        self._azimuth = np.zeros(len(scene.vertex))
        self._pose = np.zeros((4, 3))
        self._scratch = np.zeros((2, 4, 3))
        self._planar = np.zeros((0, channels))
        self._hit = np.zeros((0, channels), np.int64)

    def measure(self, w: np.void, ticks: float, now: float | None = None) -> Lidar | SemanticLidar | None:
        """The points of one measurement, `ticks` after the last; None where not one point is due.

        Args:
            now: ticks of 0.05 s since the episode began, where the world's own ticks are longer or shorter.
        """
        scan = scan_of(self._spec, int(w["tick"]) if now is None else now, ticks)
        columns, channels = len(scan.azimuth), len(self._tangent)
        if columns == 0:
            return None
        sensor_pose(w, self._slot, self._place, self._pose, self._scratch)
        points = np.empty((channels, columns, 4), np.float32)
        triangles = np.empty((channels if self._semantic else 0, columns), np.int64)
        counts = np.zeros(channels, np.int64)
        for first in range(0, columns, _COLUMNS_AT_ONCE):
            part = scan.azimuth[first : first + _COLUMNS_AT_ONCE]
            cos, sin = np.cos(part), np.sin(part)
            planar, hit = self._sweep(scan, first, cos, sin)
            if self._semantic:
                collect_semantic(
                    cos, sin, self._tangent, planar, hit, self._reach, self._pose, self._scene.normal, points,
                    triangles, counts,
                )  # fmt: skip
            else:
                collect_points(
                    w, self._number, self._seed, first, columns, cos, sin, self._tangent, planar, hit, self._reach,
                    self._returns, points, counts,
                )  # fmt: skip
        came = np.arange(columns) < counts[:, None]
        if not self._semantic:
            return Lidar(scan.angle_after, counts.astype(np.uint32), points[came])
        return SemanticLidar(scan.angle_after, counts.astype(np.uint32), self._label(w, points[came], triangles[came]))

    def _sweep(self, scan: Scan, first: int, cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hit the scene with some columns: `planar`, `hit` of `sweep_scene`."""
        if len(self._planar) < len(cos):
            self._planar = np.zeros((len(cos), len(self._tangent)))
            self._hit = np.zeros((len(cos), len(self._tangent)), np.int64)
        scene, mesh = self._scene, self._scene.town.mesh
        planar, hit = self._planar[: len(cos)], self._hit[: len(cos)]
        start = math.fmod(scan.start + first * scan.step, scan.turn)
        sweep_scene(
            scene.vertex, scene.triangle, mesh.chunk_vertex, mesh.chunk_triangle, mesh.chunk_low, mesh.chunk_high,
            scene.actor_vertex, scene.actor_triangle, scene.actor_sphere, scene.num_actors, self._pose, self._reach,
            np.array([start, scan.step, scan.turn]), cos, sin, self._tangent, self._local, self._azimuth, planar, hit,
        )  # fmt: skip
        return planar, hit

    def _label(self, w: np.void, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        out = np.empty(len(points), SEMANTIC_POINT)
        for k, name in enumerate(("x", "y", "z", "cos_inc_angle")):
            out[name] = points[:, k]
        scene = self._scene
        of_actor = triangles >= scene.num_static
        out["object_idx"] = 0
        if of_actor.any():
            # actors' triangles lie one actor after the other
            actor = np.searchsorted(scene.actor_triangle[: scene.num_actors, 0], triangles[of_actor], side="right") - 1
            out["object_idx"][of_actor] = w["actor_id"][scene.actor_slot[actor]]
        out["object_tag"] = scene.tag[triangles]
        return out
