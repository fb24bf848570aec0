"""Decisions a second that PPO learns from, end to end on one core, and where the time goes.

    python benchmarks/ppo.py [--repeats 5] [--json]

A row is a learner on an environment. `null` costs nothing: its rows are what the learner alone can take in; `routes`
is the training of `run_train.py ppo`. `stock` is PPO of stable-baselines3 as it is, `rollout` that of `rl.ppo`, which
changes how experience is collected and nothing of the mathematics. Rates are per second of processor time of this
process, medians of `--repeats` updates after one that does not count.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch
import tyro
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from agents.policy_driving import PolicyDriving
from envs.actions.route_command import CHOICES
from envs.vector_env import load_routes
from rl.config import PpoConfig, resolve_routes
from rl.ppo import make_ppo
from rl.route_worlds import RouteWorlds
from rl.vec_env import RouteVecEnv


@dataclass(frozen=True)
class Options:
    """What to measure."""

    routes: str = "minitown_validation"
    """Routes to drive."""
    repeats: int = 5
    """Updates that are measured; the median counts."""
    json: bool = False
    """Print one JSON object as the last line."""


class NullDriving:
    """Spaces of the real thing."""

    def __init__(self, size: int) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gym.spaces.MultiDiscrete(np.array(CHOICES))


class NullWorlds:
    """Worlds that cost nothing: random observations once, episodes of 100 decisions."""

    always_last = False

    def __init__(self, config: PpoConfig, size: int) -> None:
        self.config = config
        self.driving = NullDriving(size)
        self.seen = np.random.default_rng(0).standard_normal((config.worlds, size)).astype(np.float32)
        self.count = 0

    def reset(self) -> np.ndarray:
        return self.seen

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        self.count += 1
        ended = np.full(self.config.worlds, self.count % 100 == 0)
        return self.seen, np.zeros(self.config.worlds, np.float32), ended, np.zeros_like(ended), []


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    env: str
    learner: str
    config: PpoConfig


BASE = PpoConfig()
SMALL = replace(BASE, worlds=8, rollout=256, batch_size=256, epochs=10, hidden=(64, 64))
CASES = (
    Case("null", "stock", SMALL),
    Case("null", "stock", BASE),
    Case("null", "rollout", BASE),
    Case("routes", "stock", SMALL),
    Case("routes", "stock", BASE),
    Case("routes", "rollout", SMALL),
    Case("routes", "rollout", BASE),
    Case("routes", "rollout", replace(BASE, worlds=256, rollout=32)),
    Case("routes", "rollout", replace(BASE, hidden=(256, 256))),
    Case("routes", "rollout", replace(BASE, hidden=(64, 64))),
    Case("routes", "rollout", replace(BASE, epochs=3)),
)


def measure(case: Case, routes: Any, size: int, repeats: int) -> dict[str, Any]:
    """One row."""
    worlds: Any = RouteWorlds(routes, case.config) if case.env == "routes" else NullWorlds(case.config, size)
    model = make_ppo(RouteVecEnv(worlds), case.config)
    model.set_logger(Logger(None, []))
    if case.learner == "stock":
        model.collect_rollouts = PPO.collect_rollouts.__get__(model)  # type: ignore[method-assign]
    env: Any = model.get_env()
    spent = 0.0
    real_step = env.worlds.step

    def timed_step(actions: np.ndarray) -> Any:
        nonlocal spent
        began = time.process_time()
        answer = real_step(actions)
        spent += time.process_time() - began
        return answer

    env.worlds.step = timed_step
    _, callback = model._setup_learn(10**9)
    rates, shares = [], []
    decisions = case.config.worlds * case.config.rollout
    for repeat in range(repeats + 1):
        began, spent = time.process_time(), 0.0
        model.collect_rollouts(env, callback, model.rollout_buffer, case.config.rollout)
        collected = time.process_time()
        model.train()
        ended = time.process_time()
        if repeat:
            rates.append(decisions / (ended - began))
            shares.append((spent, collected - began - spent, ended - collected))
    total = [sum(share) for share in shares]
    parts = [statistics.median(share[k] / whole for share, whole in zip(shares, total, strict=True)) for k in range(3)]
    config = case.config
    return {
        "env": case.env,
        "learner": case.learner,
        "worlds": config.worlds,
        "batch": config.batch_size,
        "epochs": config.epochs,
        "hidden": "x".join(map(str, config.hidden)),
        "per_second": statistics.median(rates),
        "spread": (max(rates) - min(rates)) / statistics.median(rates),
        "worlds_share": parts[0],
        "acting_share": parts[1],
        "update_share": parts[2],
    }


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    routes = load_routes(resolve_routes(options.routes))
    size = PolicyDriving(RouteWorlds(routes, replace(BASE, worlds=1, rollout=2048)).batch, "frenet", "route_command")
    width = int(np.prod(size.observation_space.shape or ()))
    rows = [measure(case, routes, width, options.repeats) for case in CASES]
    table = Table(
        title=f"PPO, decisions a CPU second, one thread; {width} numbers a decision; torch {torch.__version__}, "
        f"stable-baselines3 {stable_baselines3.__version__}, Python {platform.python_version()}"
    )
    for name in ("env", "learner", "worlds", "batch", "epochs", "hidden", "decisions/s", "spread", "worlds", "acting"):
        table.add_column(name)
    table.add_column("update")
    for row in rows:
        shares = [f"{100 * row[name]:.0f} %" for name in ("worlds_share", "acting_share", "update_share")]
        words = [str(row[name]) for name in ("env", "learner", "worlds", "batch", "epochs", "hidden")]
        table.add_row(*words, f"{row['per_second']:.0f}", f"{100 * row['spread']:.0f} %", *shares)
    Console(width=130).print(table)
    if options.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": rows}))


if __name__ == "__main__":
    main(tyro.cli(Options))
