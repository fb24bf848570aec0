"""How far compiled towns are from what a real CARLA server says of the same towns.

    ROUTEGYM_DATA=/path/to/data python -m benchmarks.map_truth [--json]

Needs the stock maps (`towns/*.xodr`) and a dump of a server (`server_truth/*.npz`), which are not part of this project.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tyro

from simulator.errors import MissingMapError
from simulator.kernel import kernel
from simulator.roads import RoadArrays, RoadNetwork, load_town
from simulator.roads.network import DRIVING_MASK
from simulator.roads.queries import affected_points, nearest_lane

TOWNS = ("Town01", "Town02", "Town04", "Town10HD")


@dataclass(frozen=True)
class TownTruth:
    """Errors of one town in metres, and what it costs to load."""

    town: str
    lanes: int
    lane_points: int
    centre_points: int  # lane points of the server, 1 m apart
    centre_p99: float  # distance of the server's points from our centrelines
    centre_max: float
    light_points: int  # waypoints that the server's traffic lights affect
    light_max: float  # the larger of: server's point to our nearest, and ours to the server's nearest
    stop_signs: int
    stop_median: float  # distance of the server's stop-sign trigger centres from ours
    stop_max: float
    compile_s: float
    load_s: float
    nearest_lane_us: float


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    data: Path = Path(os.environ.get("ROUTEGYM_DATA", ""))
    """Folder with `towns/` and `server_truth/`."""
    json: bool = False
    """Print one JSON object as the last line."""


def centre_errors(network: RoadNetwork, points: np.ndarray) -> np.ndarray:
    """float64[N] distance in metres of points [N, 3] from the nearest driving lane's centreline."""
    out = np.zeros(len(points))
    _distances(network.arrays, np.ascontiguousarray(points, np.float64), out)
    return out


def light_error(network: RoadNetwork, points: np.ndarray) -> float:
    """Largest distance between the waypoints that lights affect here and [N, 3] on the server, in either direction."""
    gap = np.linalg.norm(affected_points(network)[:, None] - points[None].astype(np.float64), axis=2)
    return float(max(gap.min(axis=0).max(), gap.min(axis=1).max()))


def stop_errors(network: RoadNetwork, points: np.ndarray) -> np.ndarray:
    """float64[N] distance of the server's stop-sign trigger centres [N, 3] from the nearest of ours."""
    arrays = network.arrays
    ours = np.stack([arrays.stop_x, arrays.stop_y, arrays.stop_z], axis=1)
    if len(points) == 0 or len(ours) == 0:
        return np.full(len(points), np.inf)
    gap: np.ndarray = np.linalg.norm(ours[:, None] - points[None].astype(np.float64), axis=2).min(axis=0)
    return gap


def measure(name: str, data: Path) -> TownTruth:
    """Compare one town with its dump."""
    path = data / "towns" / f"{name}.xodr"
    start = time.perf_counter()
    load_town(path, name, cache=False)
    compiled = time.perf_counter() - start
    load_town(path, name)
    start = time.perf_counter()
    network = load_town(path, name)
    loaded = time.perf_counter() - start
    with np.load(data / "server_truth" / f"{name}.npz") as truth:
        centres, lights, stops = truth["road_wps_1m"], truth["tl_stops"], truth["stop_signs"]
    centre_errors(network, centres[:1])  # compiles the kernel
    start = time.perf_counter()
    centre = centre_errors(network, centres)
    query = (time.perf_counter() - start) / len(centres)
    stop = stop_errors(network, stops.reshape(-1, 3)) if len(stops) else np.zeros(0)
    return TownTruth(
        town=name,
        lanes=network.num_lanes,
        lane_points=len(network.arrays.point_x),
        centre_points=len(centres),
        centre_p99=float(np.quantile(centre, 0.99)),
        centre_max=float(centre.max()),
        light_points=len(lights),
        light_max=light_error(network, lights),
        stop_signs=len(stops),
        stop_median=float(np.median(stop)) if len(stop) else 0.0,
        stop_max=float(stop.max()) if len(stop) else 0.0,
        compile_s=compiled,
        load_s=loaded,
        nearest_lane_us=query * 1e6,
    )


def main(options: Options) -> None:
    """Print the table."""
    if not (options.data / "server_truth").is_dir():
        raise MissingMapError(f"{options.data}: no folder server_truth; name the data with ROUTEGYM_DATA or --data")
    rows = [measure(name, options.data) for name in TOWNS]
    versions = {name: version(name) for name in ("carla", "numba", "numpy")}
    print(f"{platform.machine()}, {os.cpu_count()} cores, " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    print("| town | lane centres: points, p99, max m | light waypoints: points, max m | stops: number, median, max m |")
    print("|---|---|---|---|")
    for r in rows:
        stops = f"{r.stop_signs}, {r.stop_median:.2f}, {r.stop_max:.2f}" if r.stop_signs else "none"
        print(
            f"| {r.town} | {r.centre_points}, {r.centre_p99:.3f}, {r.centre_max:.3f} "
            f"| {r.light_points}, {r.light_max:.4f} | {stops} |"
        )
    print()
    print("| town | lanes | lane points | compiled in s | loaded from the cache in s | nearest_lane us |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r.town} | {r.lanes} | {r.lane_points} | {r.compile_s:.2f} | {r.load_s:.3f} | {r.nearest_lane_us:.2f} |"
        )
    if options.json:
        print(json.dumps({"versions": versions, "towns": [asdict(r) for r in rows]}))


@kernel
def _distances(net: RoadArrays, points: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(points)):
        _lane, _s, _lateral, distance = nearest_lane(net, points[i, 0], points[i, 1], points[i, 2], DRIVING_MASK)
        out[i] = distance


if __name__ == "__main__":
    main(tyro.cli(Options))
