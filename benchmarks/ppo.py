"""Decisions a second that PPO learns from, end to end on one core, and where the time goes.

    python benchmarks/ppo.py [--repeats 5] [--json]

A row is a learner on an environment. `null` costs nothing: its rows are what the learner alone can take in; `routes`
are those of `run_train.py ppo`. `stock` is PPO of stable-baselines3 as it is, on `envs.sb3.RouteVecEnv`; `rollout` is
the training of `run_train.py ppo`, which changes how experience is collected and nothing of the mathematics. Rates are
per second of processor time of this process, medians of `--repeats` updates after one that does not count.
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
from stable_baselines3.common.vec_env import VecEnv

from envs.actions.route_command import CHOICES
from envs.sb3 import RouteVecEnv
from envs.vector_env import load_routes
from rl.config import PpoConfig, resolve_routes
from rl.ppo import make_ppo
from rl.rewards import training_reward
from rl.rollouts import Share, policy_settings
from rl.route_worlds import RouteWorlds


@dataclass(frozen=True)
class Options:
    """What to measure."""

    routes: str = "minitown_validation"
    """Routes to drive."""
    repeats: int = 5
    """Updates that are measured; the median counts."""
    json: bool = False
    """Print one JSON object as the last line."""


class NullWorlds:
    """Worlds that cost nothing: random observations once, episodes of 100 decisions."""

    render_mode = None

    def __init__(self, config: PpoConfig, size: int) -> None:
        self.config, self.num_worlds, self.driving = config, config.worlds, self
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gym.spaces.MultiDiscrete(np.array(CHOICES))
        self.seen = np.random.default_rng(0).standard_normal((config.worlds, size)).astype(np.float32)
        self.count = 0

    def reset(self) -> np.ndarray:
        return self.seen

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        self.count += 1
        ended = np.full(self.num_worlds, self.count % 100 == 0)
        return self.seen, np.zeros(self.num_worlds, np.float32), ended, np.zeros_like(ended), []

    def take_terms(self) -> dict[str, float]:
        return {}


class NullVecEnv(RouteVecEnv):
    """The same as stable-baselines3 wants it."""

    def __init__(self, config: PpoConfig, size: int) -> None:
        self.vector: Any = NullWorlds(config, size)
        VecEnv.__init__(self, config.worlds, self.vector.observation_space, self.vector.action_space)

    def reset(self) -> np.ndarray:
        return self.vector.reset()

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        seen, rewards, ended, _, _ = self.vector.step(self._actions)
        infos = [{"terminal_observation": seen[b]} if ended[b] else {} for b in range(self.num_envs)]
        return seen, rewards, ended, infos


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


class Stock:
    """PPO of stable-baselines3 as it is, on the environments that anybody has."""

    def __init__(self, case: Case, routes: Any, size: int) -> None:
        config = case.config
        env: Any = NullVecEnv(config, size)
        if case.env == "routes":
            env = RouteVecEnv(
                config.worlds, routes, frame_skip=config.frame_skip, action=config.action,
                observation=config.observation, reward=training_reward(config.reward),
            )  # fmt: skip
        self.timed = Timed(env.vector, "step")
        self.model = PPO(
            "MlpPolicy", env, n_steps=config.rollout, batch_size=config.batch_size, n_epochs=config.epochs,
            learning_rate=config.learning_rate, ent_coef=config.entropy, seed=0, device="cpu",
            policy_kwargs=policy_settings(config),
        )  # fmt: skip
        _, self._callback = self.model._setup_learn(10**9)
        self._steps = config.rollout

    def collect(self) -> None:
        env: Any = self.model.get_env()
        self.model.collect_rollouts(env, self._callback, self.model.rollout_buffer, self._steps)


class Ours:
    """The training of `run_train.py ppo`."""

    def __init__(self, case: Case, routes: Any, size: int) -> None:
        config = case.config
        worlds: Any = RouteWorlds(routes, config) if case.env == "routes" else NullWorlds(config, size)
        self.timed = Timed(worlds, "step")
        self._share = Share(worlds)
        self._share.begin(0)
        self.model = make_ppo(config, worlds.driving.observation_space, worlds.driving.action_space)

    def collect(self) -> None:
        self.model.take([self._share.drive(self.model.policy)])


class Timed:
    """Counts the processor time of a method."""

    def __init__(self, owner: Any, name: str) -> None:
        self.spent = 0.0
        self._method = getattr(owner, name)
        setattr(owner, name, self)

    def __call__(self, *arguments: Any) -> Any:
        began = time.process_time()
        answer = self._method(*arguments)
        self.spent += time.process_time() - began
        return answer


def measure(case: Case, routes: Any, size: int, repeats: int) -> dict[str, Any]:
    """One row."""
    learner = (Stock if case.learner == "stock" else Ours)(case, routes, size)
    rates, shares = [], []
    decisions = case.config.worlds * case.config.rollout
    for repeat in range(repeats + 1):
        began, learner.timed.spent = time.process_time(), 0.0
        learner.collect()
        collected, spent = time.process_time(), learner.timed.spent
        learner.model.train()
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
    width = int(np.prod(RouteWorlds(routes, BASE, num_worlds=1).driving.observation_space.shape or ()))
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
