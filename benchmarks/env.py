"""Steps a second of the environments, beside MetaDrive and highway-env where these are installed.

`taskset -c 0 python benchmarks/env.py` measures RouteGym; `--peers /path/to/python` names an interpreter that has
`metadrive-simulator` and `highway-env`, which are then measured on the same core, one after the other:

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install metadrive-simulator highway-env

Everything counts: the agent at the wheel, resets, observations, rewards, infos. Ours are driven by the autopilot; in
MetaDrive its own IDM policy drives. A step is 0.1 s of simulated time in both; in highway-env it is one decision (1 s).
Rates are medians of repeats, by wall clock and by the process's CPU time, which is steadier on a shared machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import tyro  # noqa: E402

from agents.registry import make_agent  # noqa: E402
from envs import RouteVectorEnv  # noqa: E402
from envs.observations.bev import BevConfig  # noqa: E402
from envs.route_env import RouteEnv  # noqa: E402

BEV = BevConfig(width=96, height=96, pixels_per_metre=2.0)


@dataclass
class Options:
    """What to measure."""

    suite: str = "smoke"
    """Routes."""
    batches: tuple[int, ...] = (1, 8, 64)
    """Worlds of the vector environment."""
    seconds: float = 2.0
    """Length of a repeat."""
    repeats: int = 7
    """Repeats."""
    reward: str = "simple"
    """Reward."""
    peers: str = ""
    """Interpreter that has the peers; without it they are not measured."""
    json: bool = False
    """Print one JSON object as the last line."""
    rewards: tuple[str, ...] = field(default_factory=lambda: ("carl", "roach"))
    """Further rewards, measured with 64 worlds."""


def measure(step: Callable[[], Any], count: int, options: Options) -> dict[str, Any]:
    """Environment steps a second of a function that makes `count` of them."""
    step()
    wall, cpu = [], []
    for _ in range(options.repeats):
        steps = 0
        started, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < options.seconds:
            for _ in range(20):
                step()
            steps += 20 * count
        wall.append(steps / (time.perf_counter() - started))
        cpu.append(steps / (time.process_time() - used))
    return {
        "wall": statistics.median(wall), "wall_min": min(wall), "wall_max": max(wall), "cpu": statistics.median(cpu),
    }  # fmt: skip


def single(options: Options, **settings: Any) -> dict[str, Any]:
    """One `RouteEnv`."""
    env = RouteEnv(options.suite, reward=options.reward, **settings)
    agent = make_agent("autopilot")
    agent.bind(env._vector.batch)
    env.reset(seed=0)
    action = np.zeros(2, np.float32)
    cars: list[float] = []

    def step() -> None:
        control = agent.act()[0]
        action[0], action[1] = control[0] - control[1], control[2]
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            cars.append(float((env._vector.batch.worlds["kind"] != 0).sum() - 1))
            env.reset()

    found = measure(step, 1, options)
    return {"what": "RouteEnv", "worlds": 1, "others": statistics.mean(cars) if cars else None, **found}


def batch(options: Options, count: int, **settings: Any) -> dict[str, Any]:
    """A `RouteVectorEnv`."""
    env = RouteVectorEnv(count, options.suite, **{"reward": options.reward, **settings})
    agent = make_agent("autopilot")
    agent.bind(env.batch)
    env.reset(seed=0)
    actions = np.zeros((count, 2), np.float32)

    def step() -> None:
        control = agent.act()
        np.subtract(control[:, 0], control[:, 1], out=actions[:, 0], casting="same_kind")
        actions[:, 1] = control[:, 2]
        env.step(actions)

    found = measure(step, count, options)
    cars = float((env.batch.worlds["kind"] != 0).sum(axis=1).mean() - 1)
    return {"what": "RouteVectorEnv", "worlds": count, "others": cars, **found}


_METADRIVE = """
import json, logging, statistics, sys, time
from metadrive import MetaDriveEnv
from metadrive.policy.idm_policy import IDMPolicy
seconds, repeats = float(sys.argv[1]), int(sys.argv[2])
env = MetaDriveEnv(dict(use_render=False, traffic_density=0.1, map=3, log_level=logging.ERROR, num_scenarios=1,
                        start_seed=0, agent_policy=IDMPolicy))
env.reset(seed=0)
wall, cpu, cars = [], [], []
for _ in range(repeats):  # episodes go on from repeat to repeat: traffic is thin when they begin
    n, a, b = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - a < seconds:
        terminated, truncated = env.step([0.0, 0.0])[2:4]
        cars.append(len(env.engine.traffic_manager.traffic_vehicles))
        n += 1
        if terminated or truncated:
            env.reset()
    wall.append(n / (time.perf_counter() - a))
    cpu.append(n / (time.process_time() - b))
print(json.dumps({"wall": statistics.median(wall), "wall_min": min(wall), "wall_max": max(wall),
                  "cpu": statistics.median(cpu), "others": statistics.mean(cars)}))
"""

_HIGHWAY = """
import json, statistics, sys, time
import gymnasium, highway_env
gymnasium.register_envs(highway_env)
seconds, repeats, name = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
env = gymnasium.make(name)
env.reset(seed=0)
env.action_space.seed(0)
wall, cpu, cars = [], [], []
for _ in range(repeats):
    n, a, b = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - a < seconds:
        terminated, truncated = env.step(env.action_space.sample())[2:4]
        cars.append(len(env.unwrapped.road.vehicles) - 1)
        n += 1
        if terminated or truncated:
            env.reset()
    wall.append(n / (time.perf_counter() - a))
    cpu.append(n / (time.process_time() - b))
print(json.dumps({"wall": statistics.median(wall), "wall_min": min(wall), "wall_max": max(wall),
                  "cpu": statistics.median(cpu), "others": statistics.mean(cars)}))
"""


def peer(options: Options, what: str, script: str, *more: str) -> dict[str, Any]:
    """Another simulator, in its own interpreter."""
    seconds = max(options.seconds, 4.0)  # slow as they are, they need some time to meet their traffic
    command = [options.peers, "-c", script, str(seconds), str(options.repeats), *more]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SDL_VIDEODRIVER": "dummy"})
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return {"what": what, "worlds": 1, "error": reason[0][:200]}
    return {"what": what, "worlds": 1, **json.loads(done.stdout.strip().splitlines()[-1])}


def show(title: str, row: dict[str, Any]) -> dict[str, Any]:
    """Print a row."""
    if "error" in row:
        print(f"{title:<46}{row['error']}", flush=True)
        return {"title": title, **row}
    others = "" if row["others"] is None else f"{row['others']:.1f}"
    print(
        f"{title:<46}{row['worlds']:>6}{others:>8}{row['wall']:>12,.0f}{row['wall_min']:>11,.0f}-"
        f"{row['wall_max']:<9,.0f}{row['cpu']:>12,.0f}",
        flush=True,
    )
    return {"title": title, **row}


def main(options: Options) -> None:
    """Measure and print."""
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}")
    print(f"{'':<46}{'worlds':>6}{'others':>8}{'steps/s':>12}{'spread':>21}{'per CPU s':>12}")
    rows = [show("single, vector", single(options))]
    rows.append(show("single, BEV 96 px", single(options, observation=BEV)))
    rows += [show(f"batch of {n}, vector", batch(options, n)) for n in options.batches]
    rows.append(show("batch of 64, BEV 96 px", batch(options, 64, observation=BEV)))
    rows.append(show("batch of 64, structured", batch(options, 64, observation="structured")))
    rows.append(show("batch of 64, trajectory tracked at 20 Hz", _tracked(options)))
    rows += [show(f"batch of 64, reward {name}", batch(options, 64, reward=name)) for name in options.rewards]
    if options.peers:
        rows.append(show("MetaDrive, vector, 3 blocks, density 0.1", peer(options, "MetaDrive", _METADRIVE)))
        for name in ("highway-fast-v0", "highway-v0"):
            rows.append(show(f"highway-env {name}", peer(options, name, _HIGHWAY, name)))
        ours = {row["title"]: row for row in rows if "wall" in row}
        base = ours.get("MetaDrive, vector, 3 blocks, density 0.1")
        if base:
            for title in ("single, vector", "single, BEV 96 px", "batch of 64, vector", "batch of 64, BEV 96 px"):
                ratio = {kind: ours[title][kind] / base[kind] for kind in ("wall", "cpu")}
                print(f"{title}: {ratio['wall']:.0f} times MetaDrive ({ratio['cpu']:.0f} by CPU time)")
    if options.json:
        print(json.dumps({"load": load, "python": platform.python_version(), "rows": rows}))


def _tracked(options: Options, count: int = 64) -> dict[str, Any]:
    """Trajectories along the ego's heading at 8 m/s, laid anew at every step."""
    env = RouteVectorEnv(count, options.suite, reward=options.reward, action="trajectory")
    env.reset(seed=0)
    times = np.arange(1, 9) * 0.5
    actions = np.tile(np.stack([8.0 * times, 0.0 * times], -1), (count, 1, 1)).astype(np.float32)
    found = measure(lambda: env.step(actions), count, options)
    cars = float((env.batch.worlds["kind"] != 0).sum(axis=1).mean() - 1)
    return {"what": "RouteVectorEnv", "worlds": count, "others": cars, **found}


if __name__ == "__main__":
    main(tyro.cli(Options))
