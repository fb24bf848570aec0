"""Compile every kernel of a drive into the disk cache, once a version: `python -m envs.warmup`.

Without it the first route pays for compiling, and several workers that start together all pay, side by side. With two
cores the work is shared by two processes, cut so that they have little to compile in common.

Most drives need no pictures. `python -m envs.warmup sensors` compiles what cameras, LiDAR and radar need.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numba
import numpy as np
from llvmlite import binding

from simulator.kernel import compiled_folder

if TYPE_CHECKING:
    from envs.world import WorldBatch

# What the parts compile is imported by them: `is_warm` is asked before every run.

#: Agents with kernels of their own. Agents stand above environments, so they are looked up by name, where they exist.
AGENTS = ("agents.expert:Expert", "agents.autopilot:Autopilot")


def marker() -> Path:
    """The file that says that all kernels of this version are compiled for this interpreter and processor."""
    folder = Path(compiled_folder())  # its name tells the version, wherever Numba keeps its cache
    processor = numba.config.CPU_NAME or binding.get_host_cpu_name()  # type: ignore[attr-defined]
    name = f"warm-{folder.name}-{sys.implementation.cache_tag}-{processor}"
    return Path(os.environ.get("NUMBA_CACHE_DIR", folder)) / name


def is_warm() -> bool:
    """Whether `warm_up` has been done."""
    return marker().exists()


def warm_up(processes: int | None = None) -> None:
    """Compile all kernels and leave the marker.

    Args:
        processes: 1 or 2; default: 2 where there are two cores.

    Raises:
        subprocess.CalledProcessError: when a kernel cannot be compiled; its process has said why.
    """
    if processes is None:
        processes = min(2, len(os.sched_getaffinity(0)))
    if processes > 1:
        command = [sys.executable, "-m", "envs.warmup"]
        started = [subprocess.Popen([*command, part], cwd=Path(__file__).resolve().parent.parent) for part in PARTS]
        try:
            codes = [process.wait() for process in started]
        finally:
            for process in started:
                process.kill()
        for code in codes:
            if code:
                raise subprocess.CalledProcessError(code, command)
    else:
        for part in PARTS.values():
            part()
    path = marker()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def compile_rules() -> None:
    """What begins, judges, logs, ends and observes an episode: reset, scenarios, criteria, observations."""
    from envs.observations import vector
    from envs.tick import log_ego, tick_rules
    from envs.world import EpisodeStart

    batch = _worlds()
    batch.reset(0, EpisodeStart(route=0, seed=0))
    batch.finish(0)
    tick_rules(*batch.state, batch.routes.net, batch.routes.arrays, batch.routes.scripts)  # the episode is over
    log_ego(batch.worlds, batch.criteria, batch.log)
    observations = np.zeros((1, vector.SIZE), np.float32)
    vector.observe_all(batch.worlds, batch.routes.net, batch.routes.arrays, observations)


def compile_traffic() -> None:
    """What moves an episode: traffic, and the agents. An agent that fails is reported and left out."""
    from envs.tick import tick_traffic

    batch = _worlds()
    controls = np.zeros((1, 3))
    tick_traffic(batch.worlds, batch.directors, batch.criteria, controls, batch.routes.net, batch.routes.arrays)
    for name in AGENTS:
        module, _, attribute = name.partition(":")
        try:
            agent = getattr(import_module(module), attribute)()
            agent.bind(batch)
            agent.act()
        except Exception:
            traceback.print_exc()


def compile_sensors() -> None:
    """What draws and measures: cameras by day and in a rainy night, both LiDARs, radar."""
    from envs.world import EpisodeStart
    from simulator.sensors import SensorRig, parse_sensors
    from simulator.sensors.scene_weather import Field

    batch = _worlds()
    batch.reset(0, EpisodeStart(route=0, seed=0))
    kinds = [f"camera.{kind}" for kind in ("rgb", "depth", "semantic_segmentation", "instance_segmentation")]
    kinds += ["lidar.ray_cast", "lidar.ray_cast_semantic", "other.radar"]
    sensors = [{"type": f"sensor.{kind}", "id": kind, "z": 2.0, "width": 64, "height": 36} for kind in kinds]
    for sensor in sensors[4:]:
        del sensor["width"], sensor["height"]
    specs = parse_sensors(sensors, leaderboard=False)
    rig = SensorRig(specs, batch.routes.network, batch.worlds, net=batch.routes.net)
    for sun_altitude, precipitation in ((60.0, 0.0), (-20.0, 60.0)):
        batch.worlds["weather"][0, Field.SUN_ALTITUDE] = sun_altitude
        batch.worlds["weather"][0, Field.PRECIPITATION] = precipitation
        rig.measure()


PARTS: Mapping[str, Callable[[], None]] = {"rules": compile_rules, "traffic": compile_traffic}
#: Compiled by name only
EXTRA: Mapping[str, Callable[[], None]] = {"sensors": compile_sensors}


def _worlds() -> WorldBatch:
    from envs.vector_env import load_routes
    from envs.world import WorldBatch

    return WorldBatch(load_routes("smoke"), 1, log=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {**PARTS, **EXTRA}[sys.argv[1]]()
    elif not is_warm():
        warm_up()
