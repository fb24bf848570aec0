"""Milliseconds of every sensor and observation, one core: LiDAR, radar, bird's-eye view and the rest.

    python -m benchmarks.sensors [--vehicles 40] [--json]

One world of the smoke suite on MiniTown with vehicles around the ego. Figures are processor time (which other work on
the machine disturbs least): the median of `--repeats` calls, its quartiles, and the shortest time by the wall clock.
All calls work on the same record. `embree` is a peer: Embree 4 over the same triangles, its tree built anew as the
actors have moved; it needs the package embreex.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import tyro

from benchmarks.step import crowd
from envs.observations.bev import BevConfig, BevObservation
from envs.observations.registry import VectorObservation
from envs.observations.structured import StructuredObservation
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from simulator.sensors import SensorRig, parse_sensors
from simulator.sensors.scene import Scene


@dataclass(frozen=True)
class Options:
    """What to measure."""

    vehicles: int = 40
    """Vehicles around the ego; the bird's-eye view is also measured with 70."""
    repeats: int = 51
    """Calls; the median counts."""
    peer: bool = True
    """Also cast the LiDAR's rays with Embree, where embreex is installed."""
    json: bool = False
    """Print one JSON object as the last line."""


FULL_TURN = {"type": "sensor.lidar.ray_cast", "id": "lidar", "x": -0.4, "z": 2.5, "channels": 64, "range": 85.0,
             "points_per_second": 64 * 1800 * 20, "rotation_frequency": 20.0}  # fmt: skip
LEADERBOARD = {"type": "sensor.lidar.ray_cast", "id": "lidar", "x": -0.4, "z": 2.5}
RADAR = {"type": "sensor.other.radar", "id": "radar", "x": 2.5, "z": 1.0, "horizontal_fov": 35, "vertical_fov": 20}
CAMERA = {"x": -1.5, "z": 2.0, "width": 640, "height": 360, "fov": 90}
OWN = [
    {"type": "sensor.other.imu", "id": "imu"},
    {"type": "sensor.other.gnss", "id": "gps"},
    {"type": "sensor.speedometer", "id": "speed"},
]
EVENTS = [
    {"type": "sensor.other.collision", "id": "collision"},
    {"type": "sensor.other.lane_invasion", "id": "lane"},
    {"type": "sensor.other.obstacle", "id": "obstacle", "x": 2.5, "z": 0.7, "distance": 50.0},
]


def median_ms(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median and quartiles of a call's processor time, and its shortest wall time, milliseconds."""
    call()
    start = time.perf_counter()
    call()
    loops = max(int(2e-3 / max(time.perf_counter() - start, 1e-7)), 1)  # short calls are timed by the dozen
    times, walls = [], []
    for _ in range(repeats):
        spent, start = time.process_time(), time.perf_counter()
        for _ in range(loops):
            call()
        times.append((time.process_time() - spent) * 1e3 / loops)
        walls.append((time.perf_counter() - start) * 1e3 / loops)
    low, middle, high = statistics.quantiles(times, n=4)
    return {"ms": round(middle, 4), "low": round(low, 4), "high": round(high, 4), "best_wall": round(min(walls), 4)}


def world(vehicles: int) -> WorldBatch:
    """One world with vehicles around the ego."""
    batch = WorldBatch(load_routes("smoke"), 1)
    batch.reset(0, EpisodeStart(0, 7))
    crowd(batch, 0, vehicles)
    return batch


def measure_rays(options: Options) -> dict[str, Any]:
    """LiDAR and radar, placing the actors included."""
    batch = world(options.vehicles)
    scene = Scene(batch.routes.network)
    scene.place(batch.worlds[0])
    rows: dict[str, Any] = {"triangles": int(scene.num_triangles)}

    def rig(sensors: list[dict[str, Any]], leaderboard: bool = True) -> SensorRig:
        specs = parse_sensors(sensors, leaderboard=leaderboard)
        return SensorRig(specs, batch.routes.network, batch.worlds, net=batch.routes.net, scene=scene)

    full = rig([FULL_TURN], leaderboard=False)
    semantic = FULL_TURN | {"type": "sensor.lidar.ray_cast_semantic"}
    rows["place actors"] = median_ms(lambda: scene.place(batch.worlds[0]), options.repeats)
    rows["lidar 64 x 1800"] = median_ms(full.measure, options.repeats)
    rows["semantic lidar 64 x 1800"] = median_ms(rig([semantic], leaderboard=False).measure, options.repeats)
    rows["lidar of the leaderboard"] = median_ms(rig([LEADERBOARD]).read, options.repeats)
    rows["radar of the leaderboard"] = median_ms(rig([RADAR]).read, options.repeats)
    rows["imu, gnss, speedometer"] = median_ms(rig(OWN).read, options.repeats)
    cameras = [CAMERA | {"type": f"sensor.camera.{kind}", "id": kind} for kind in ("rgb", "depth")]
    rows["rgb camera 640 x 360"] = median_ms(rig(cameras[:1]).read, options.repeats)
    rows["rgb and depth camera 640 x 360"] = median_ms(rig(cameras).read, options.repeats)
    rows["collision, lane, obstacle"] = median_ms(rig(EVENTS).read, options.repeats)
    if options.peer:
        rows |= embree(scene, full, options.repeats)
    return rows


def embree(scene: Scene, rig: SensorRig, repeats: int) -> dict[str, Any]:
    """The same rays by Embree: build and query, and how far both agree."""
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError:
        return {}
    from simulator.sensors.lidar import scan_of

    spec, reader = rig.specs[0], rig._readers[0].__self__  # type: ignore[attr-defined]
    rig.measure()
    pose, tangent = reader._pose, reader._tangent
    corner = scene.vertex[scene.triangle[: scene.num_triangles]].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    fronts = ((pose[0] - corner[:, 0]) * normal).sum(axis=1) > 0.0
    number = np.arange(scene.num_triangles)
    level = (np.searchsorted(scene.town.mesh.chunk_triangle, number, side="right") - 1) % 3
    real = (number >= scene.num_static) | (level != 2)  # not what stands for the detail from afar
    triangles = scene.triangle[: scene.num_triangles][fronts & real].astype(np.int32)
    elevation, azimuth = np.meshgrid(np.arctan(tangent), scan_of(spec, 0, 1).azimuth, indexing="ij")
    level = np.cos(elevation)
    ray = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1).reshape(-1, 3)
    ray = np.ascontiguousarray(ray @ pose[1:], np.float32)
    start = np.broadcast_to(pose[0].astype(np.float32), ray.shape).copy()
    peers = []

    def build() -> None:
        peer = EmbreeScene()
        TriangleMesh(peer, scene.vertex, triangles)
        peers[:] = [peer]

    def query() -> dict[str, np.ndarray]:
        return peers[0].run(start, ray, query="INTERSECT", output=True)  # type: ignore[no-any-return]

    built = median_ms(lambda: (build(), peers[0].run(start[:1], ray[:1])), max(repeats // 5, 3))
    rows = {"embree: build": built, "embree: 64 x 1800": median_ms(query, max(repeats // 5, 3))}
    found = query()
    reach = spec.number("range")
    distance = found["tfar"].reshape(elevation.shape)
    theirs = (found["primID"].reshape(elevation.shape) >= 0) & (distance <= reach)
    own = reader._planar.T[:, : elevation.shape[1]] * np.hypot(1.0, tangent)[:, None]
    ours = (reader._hit.T[:, : elevation.shape[1]] >= 0) & (own <= reach)
    both = ours & theirs
    rows["agreement with embree"] = {
        "hit or miss %": round(100.0 * float((ours == theirs).mean()), 4),
        "within 2 cm %": round(100.0 * float((abs(own - distance)[both] < 0.02).mean()), 4),
    }
    return rows


def measure_views(options: Options) -> dict[str, Any]:
    """Observations, per world."""
    rows: dict[str, Any] = {}
    for vehicles in (options.vehicles, 70):
        batch = world(vehicles)
        actors = int((batch.worlds["kind"][0] != 0).sum()) - 1
        for name, config in (
            ("bev 192 px", BevConfig()),
            ("bev 192 px, 3 past frames", BevConfig(history=(5, 10, 20))),
            ("bev 96 px, 2 px/m", BevConfig(96, 96, 2.0)),
        ):
            view = BevObservation(batch.routes, 1, config)
            out = view.observe(batch.worlds)
            call = lambda view=view, batch=batch, out=out: view.observe(batch.worlds, out)  # noqa: E731
            rows[f"{name}, {actors} actors"] = median_ms(call, options.repeats)
    for name, observation in (
        ("structured", StructuredObservation(batch.routes, 1)),
        ("vector", VectorObservation(batch.routes)),
    ):
        call = lambda observation=observation, batch=batch: observation.observe(batch.worlds)  # noqa: E731
        rows[f"{name}, {actors} actors"] = median_ms(call, options.repeats)
    return rows


def main(options: Options) -> None:
    """Measure and print."""
    rows = measure_rays(options) | measure_views(options)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, {versions}; {rows['triangles']} triangles; medians of {options.repeats} calls, one core")
    print(f"{'':40} {'ms':>9}   {'quartiles':15}   best wall")
    for name, row in rows.items():
        if isinstance(row, dict) and "ms" in row:
            quartiles = f"{row['low']:.3f} - {row['high']:.3f}"
            print(f"{name:40} {row['ms']:>9.3f}   {quartiles:15}   {row['best_wall']:.3f}")
        elif isinstance(row, dict):
            print(f"{name:40} " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if options.json:
        print(json.dumps({"machine": machine, "versions": versions, "repeats": options.repeats, "rows": rows}))


if __name__ == "__main__":
    main(tyro.cli(Options))
