"""Milliseconds a frame of the embedded town's cameras, beside an independent ray caster on the same triangles.

    python -m benchmarks.render                 # a table
    python -m benchmarks.render --json          # and one JSON object as the last line

A frame is all four outputs (colour, depth, semantic and instance segmentation) of MiniTown at noon with 40 vehicles and
30 walkers within 120 m of the ego, on one core; process time, so that other work on the machine counts little. `depth`
asks for depth alone. The peer, Embree (package `embreex`), casts one ray a pixel against the same triangles, its tree
built beforehand: what it needs to know the triangle and the depth of every pixel, without any colour. The ratio is
Embree's time over that of `visibility`, our buffer of the same content with actors posed anew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from simulator.blueprints import BLUEPRINTS, HALF_SIZE, KIND, blueprint_index
from simulator.roads import load_named_town
from simulator.roads.network import RoadNetwork
from simulator.scenery.markings import lane_point
from simulator.sensors.camera import OUTPUTS, Camera
from simulator.sensors.camera_geometry import Pose, mounted
from simulator.sensors.scene import Scene
from simulator.state import empty_worlds

SIZES = ((96, 96), (160, 90), (640, 360), (1600, 900))
AIMS = {(96, 96): 0.7, (160, 90): 1.0, (640, 360): 5.0, (1600, 900): 25.0}  # ms
FOV = 90.0
MOUNT = Pose(x=0.8, z=1.6)


def busy_world(network: RoadNetwork, vehicles: int = 40, walkers: int = 30) -> np.void:
    """A record with the ego in the middle of the town and everybody within 120 m of it."""
    arrays = network.arrays
    draws = np.random.default_rng(5)
    world = empty_worlds(1)[0]
    world["weather"][[0, 5]] = 10.0, 60.0
    lanes = {t: np.flatnonzero((arrays.lane_type == t) & (arrays.lane_length > 6.0)) for t in (1, 5)}
    middle = np.array([0.0, 0.0])
    ego = min(lanes[1], key=lambda k: math.dist(lane_point(arrays, int(k), 5.0)[:2], middle))
    home = lane_point(arrays, int(ego), 5.0)
    cars = [i for i, b in enumerate(BLUEPRINTS) if b.base_type == "car" or b.base_type in ("van", "bicycle", "truck")]
    people = [i for i, b in enumerate(BLUEPRINTS) if b.id.startswith("walker.")]
    for slot in range(vehicles + walkers):
        kind = 1 if slot < vehicles else 5
        place = home
        while slot and not 6.0 < math.dist(place[:2], home[:2]) < 120.0:
            lane = int(draws.choice(lanes[kind]))
            place = lane_point(arrays, lane, float(draws.uniform(1.0, arrays.lane_length[lane] - 1.0)))
        blueprint = (
            int(draws.choice(cars if kind == 1 else people)) if slot else blueprint_index("vehicle.lincoln.mkz_2020")
        )
        fields = dict(
            zip(("x", "y", "z", "yaw"), place), kind=KIND[blueprint], blueprint=blueprint, actor_id=100 + slot
        )
        fields |= dict(zip(("half_length", "half_width", "half_height"), HALF_SIZE[blueprint]))
        for name, value in fields.items():
            world[name][slot] = value
    world["num_slots"] = vehicles + walkers
    return world


def measure(function: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Median and spread (half the distance between the quartiles) of the process time, ms."""
    function()
    times = []
    for _ in range(repetitions):
        began = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - began))
    quartiles = statistics.quantiles(times, n=4)
    return statistics.median(times), 0.5 * (quartiles[2] - quartiles[0])


def embree_frame(scene: Scene, world: np.void, width: int, height: int) -> Callable[[], object] | None:
    """One frame of rays, or None without the package."""
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError:
        return None
    scene.place(world)
    embree = EmbreeScene()
    TriangleMesh(embree, scene.vertex, scene.triangle[: scene.num_triangles])
    axes, position = mounted(world, 0, MOUNT)
    f = width / (2.0 * math.tan(math.radians(FOV) / 2.0))
    column, row = np.meshgrid((np.arange(width) + 0.5 - width / 2) / f, (np.arange(height) + 0.5 - height / 2) / f)
    rays = (axes[:, 0] + column[..., None] * axes[:, 1] - row[..., None] * axes[:, 2]).reshape(-1, 3).astype(np.float32)
    origins = np.broadcast_to(position, rays.shape).astype(np.float32)
    return lambda: embree.run(origins, rays, query="INTERSECT", output=True)


def run(repetitions: int, threads: int) -> dict[str, object]:
    """Everything that the table and the JSON object tell."""
    network = load_named_town("MiniTown", None)
    scene = Scene(network, threads=threads)
    world = busy_world(network)
    rows = []
    for width, height in SIZES:
        camera = Camera(scene, width, height, FOV, MOUNT)
        count = max(5, int(repetitions * min(1.0, 60000 / (width * height))))

        def visibility(camera: Camera = camera, width: int = width, height: int = height) -> None:
            axes, position = mounted(world, 0, MOUNT)
            scene.place(world, viewer=position, focal=camera.focal)
            scene.look(axes, position, width, height, FOV)

        row: dict[str, object] = {"width": width, "height": height, "aim_ms": AIMS[width, height], "repetitions": count}
        row["all_ms"], row["all_spread_ms"] = measure(lambda c=camera: c.render(world, OUTPUTS), count)
        row["depth_ms"], _ = measure(lambda c=camera: c.render(world, ("depth",)), count)
        row["visibility_ms"], row["visibility_spread_ms"] = measure(visibility, count)
        peer = embree_frame(scene, world, width, height)
        if peer is not None:
            row["embree_ms"], row["embree_spread_ms"] = measure(peer, max(5, count // 5))
            row["embree_over_visibility"] = float(row["embree_ms"]) / float(row["visibility_ms"])  # type: ignore[arg-type]
        rows.append(row)
    versions = {name: version(name) for name in ("numpy", "numba")}
    if "embree_ms" in rows[0]:
        versions["embreex"] = version("embreex")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "threads": threads,
        "town_triangles": scene.num_static,
        "actor_triangles": scene.num_triangles - scene.num_static,
        "frames": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=60, help="frames of each kind at the small sizes")
    parser.add_argument("--threads", type=int, default=1, help="row bands drawn at once (process time adds them up)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    found = run(arguments.repetitions, arguments.threads)
    print(f"{found['machine']}; {found['versions']}; {found['town_triangles']} + {found['actor_triangles']} triangles")
    print("| size | all four ms | aim | depth ms | visibility ms | embree ms | embree / visibility |")
    print("|---|---|---|---|---|---|---|")
    for row in found["frames"]:  # type: ignore[attr-defined]
        peer = (f"{row['embree_ms']:.1f}", f"{row['embree_over_visibility']:.1f}") if "embree_ms" in row else ("-", "-")
        print(
            f"| {row['width']} x {row['height']} | {row['all_ms']:.2f} +- {row['all_spread_ms']:.2f} | {row['aim_ms']} "
            f"| {row['depth_ms']:.2f} | {row['visibility_ms']:.2f} | {peer[0]} | {peer[1]} |"
        )
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
