"""Ticks a second of the embedded town: everything on, traffic included, one core.

    python benchmarks/step.py [--suite minitown220] [--vehicles 30] [--json]

Worlds run a suite with the autopilot at the wheel and as many vehicles around it as asked for. Measured are medians
of `--repeats` stretches of `--ticks` ticks: the tick alone, and tick plus agent. The split is measured by running each
part of the tick on its own over the same states.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro

from agents.registry import make_agent
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria import update_criteria
from scenarios.director import tick_director
from simulator.background import spawn_background, tick_background
from simulator.collisions import collide
from simulator.drivers import decide_all, move_actors
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.signals import tick_lights
from simulator.state import EGO, Role
from simulator.tracking import track_actors, track_ego

_AMBIENT = int(Role.AMBIENT)


@dataclass(frozen=True)
class Options:
    """What to measure."""

    suite: str = "smoke"
    """Suite or route file that the worlds run; minitown220 has every scenario type."""
    vehicles: int = 30
    """Vehicles in each world, the ego not counted."""
    batches: tuple[int, ...] = (1, 8, 64)
    """Worlds in a batch."""
    ticks: int = 400
    """Ticks of one stretch (of the whole batch)."""
    repeats: int = 5
    """Stretches; the median counts."""
    cold: bool = True
    """Also time a fresh process: import to first reset, with compiled kernels and without."""
    json: bool = False
    """Print one JSON object as the last line."""


@kernel
def fill(w, net, lanes, places, wanted):  # type: ignore[no-untyped-def]
    """Add traffic around the ego, nearest free places first, until `wanted` vehicles are there."""
    count = 0
    for i in range(1, w.num_slots):
        if w.kind[i] != 0:
            count += 1
    for k in range(len(lanes)):
        if count >= wanted:
            return
        slot = spawn_background(w, net, lanes[k], places[k], 5.0, 16)
        if slot >= 0:
            w.role[slot] = _AMBIENT  # stays: background activity neither stops nor recycles it
            count += 1


@kernel
def run_part(worlds, directors, criteria, switches, net, routes, scripts, part, repeats):  # type: ignore[no-untyped-def]
    """Run one part of the tick `repeats` times over every world."""
    for _ in range(repeats):
        for b in range(worlds.shape[0]):
            w = worlds[b]
            if part == 0:
                decide_all(w, net, routes)
            elif part == 1:
                move_actors(w, net, routes)
            elif part == 2:
                collide(w)
            elif part == 3:
                track_actors(w, net)
                track_ego(w, net, routes)
            elif part == 4:
                tick_lights(w, net)
            elif part == 5:
                tick_background(w, net, routes)
            elif part == 6:
                tick_director(w, directors[b], switches[b], net, routes, scripts)
            elif part == 7:
                update_criteria(w, criteria[b], switches[b], net, routes)


PARTS = ("decide", "move", "collide", "track", "lights", "background", "scenarios", "criteria")


def crowd(batch: WorldBatch, b: int, vehicles: int) -> None:
    """Bring world `b` to `vehicles` actors."""
    net, w = batch.routes.net, batch.worlds[b]
    lanes, places, distances = [], [], []
    for lane in np.flatnonzero(net.lane_type == LaneType.DRIVING):
        for s in np.arange(5.0, net.lane_length[lane] - 5.0, 12.0):
            p = net.lane_first[lane] + int(s / net.lane_step[lane])
            lanes.append(lane)
            places.append(s)
            distances.append(np.hypot(net.point_x[p] - w["x"][EGO], net.point_y[p] - w["y"][EGO]))
    order = np.argsort(distances, kind="stable")[:400]
    fill(w, net, np.array(lanes)[order], np.array(places)[order], vehicles)


def measure(options: Options, count: int) -> dict[str, Any]:
    """Ticks a second with `count` worlds."""
    batch = WorldBatch(load_routes(options.suite), count)
    agent = make_agent("autopilot")
    agent.bind(batch)

    def begin(b: int, seed: int) -> None:
        batch.reset(b, EpisodeStart(seed % len(batch.routes.routes), seed))
        agent.reset(b, seed)
        crowd(batch, b, options.vehicles)

    stride = max(len(batch.routes.routes) // count, 1)  # scenario types of all kinds, also in a small batch
    for b in range(count):
        begin(b, b * stride)
    batch.tick(agent.act())
    ticks = max(options.ticks // count, 20)
    alone, together, seeds = [], [], count * stride
    actors = []
    for _ in range(options.repeats):
        inside = 0.0
        started = time.perf_counter()
        for _ in range(ticks):
            controls = agent.act()
            t = time.perf_counter()
            batch.tick(controls)
            inside += time.perf_counter() - t
        whole = time.perf_counter() - started
        alone.append(ticks * count / inside)
        together.append(ticks * count / whole)
        actors.append(float((batch.worlds["kind"] != 0).sum(axis=1).mean()) - 1.0)
        for b in np.flatnonzero(batch.finished):
            begin(int(b), seeds)
            seeds += 1
    parts = split(batch)
    return {
        "worlds": count,
        "actors": round(statistics.mean(actors), 1),
        "ticks_per_s": round(statistics.median(alone)),
        "ticks_per_s_spread": [round(min(alone)), round(max(alone))],
        "with_agent_per_s": round(statistics.median(together)),
        "microseconds": parts,
    }


def split(batch: WorldBatch, repeats: int = 200) -> dict[str, float]:
    """Microseconds a world and tick that each part takes."""
    spent = {}
    kept = [a.copy() for a in (batch.worlds, batch.directors, batch.criteria, batch.switches)]
    n = max(repeats // batch.num_worlds, 10)
    for part, name in enumerate(PARTS):
        state = [a.copy() for a in kept]
        rest = (batch.routes.net, batch.routes.arrays, batch.routes.scripts)
        run_part(*state, *rest, part, 1)
        times = []
        for _ in range(5):
            state = [a.copy() for a in kept]
            t = time.perf_counter()
            run_part(*state, *rest, part, n)
            times.append((time.perf_counter() - t) / n / batch.num_worlds * 1e6)
        spent[name] = round(statistics.median(times), 2)
    return spent


_FIRST_RESET = """
import time
t = time.perf_counter()
from envs.vector_env import RouteVectorEnv
env = RouteVectorEnv(1)
env.reset(seed=0)
print(time.perf_counter() - t)
import numpy as np
env.step(np.zeros((1, 2)))
print(time.perf_counter() - t)
"""


def first_reset(cache: str | None) -> tuple[float, float]:
    """Seconds from import to the first reset, and to the first step, in a fresh process."""
    environment = dict(os.environ) | ({"ROUTEGYM_CACHE": cache} if cache else {})
    command = [sys.executable, "-c", _FIRST_RESET]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    reset, step = (float(line) for line in done.stdout.split())
    return round(reset, 2), round(step, 2)


def main(options: Options) -> None:
    """Measure and print."""
    rows = [measure(options, count) for count in options.batches]
    batch = WorldBatch(load_routes("smoke"), 1)
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rows": rows,
        "bytes_per_world": batch.bytes_per_world,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    start = time.perf_counter()
    for _ in range(1000):
        batch.snapshot(0)
    result["snapshot_us"] = round((time.perf_counter() - start) * 1e3, 1)
    if options.cold:
        import tempfile

        result["warm_reset_s"], result["warm_step_s"] = first_reset(None)
        with tempfile.TemporaryDirectory() as folder:
            result["cold_reset_s"], result["cold_step_s"] = first_reset(folder)
    print(f"{result['machine']}, Python {result['python']}, NumPy {result['numpy']}")
    print(f"{'worlds':>6} {'actors':>6} {'ticks/s':>9} {'spread':>17} {'with agent':>11}  microseconds a tick")
    for row in rows:
        low, high = row["ticks_per_s_spread"]
        shares = "  ".join(f"{name} {value}" for name, value in row["microseconds"].items())
        print(
            f"{row['worlds']:>6} {row['actors']:>6} {row['ticks_per_s']:>9,} {low:>8,}-{high:<8,} "
            f"{row['with_agent_per_s']:>11,}  {shares}"
        )
    print(f"state of one world: {result['bytes_per_world'] / 1024:.0f} KiB; snapshot {result['snapshot_us']} us")
    if options.cold:
        print(f"import to first reset: {result['warm_reset_s']} s warm, {result['cold_reset_s']} s with cold compile")
        print(f"import to first step: {result['warm_step_s']} s warm, {result['cold_step_s']} s with cold compile")
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main(tyro.cli(Options))
