"""How much a decision group can teach: `python benchmarks/group_signal.py --policy sft/policy [--json]`.

In states that the policy's own rides pass through, eight decisions are sampled and one is the expert's; all are driven
on in copies of the world. Printed for several horizons, and for decisions on the way that are greedy or sampled:

* spread: deviation of the rewards within a group, and the share of groups without any;
* repeats: correlation of the advantages with those of the same decisions when the way on is sampled anew; 1 where all
  of an advantage is due to the decision, 0 where it is luck. A greedy way on has no luck;
* with 6 s: correlation with the advantages over the longest horizon, mean of both sampled ways;
* expert: the mean advantage of the expert's decision, in units of the reward.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from agents.policy import Decisions
from agents.policy_agent import PolicyAgent
from agents.token_oracle import ExpertAhead
from agents.token_policy import TokenPolicy
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import WorldBatch
from rl.config import resolve_routes
from rl.group_members import Earnings, TaskDraws
from rl.grpo_settings import recipe
from simulator.state import TICK_SECONDS

HORIZONS = (20, 40, 60, 120)  # ticks


@dataclass(frozen=True)
class Options:
    """What to measure."""

    policy: Path
    """Folder of a token policy."""
    routes: str = "minitown_train"
    """Routes to ride on."""
    states: int = 32
    """Groups."""
    size: int = 8
    """Decisions that are sampled in each."""
    seed: int = 0
    """Of everything."""
    json: bool = False
    """Print one JSON object as the last line."""


class Scene:
    """States along rides of the policy, and the decisions compared in each: the sampled ones, then the expert's."""

    def __init__(self, policy: TokenPolicy, routes: RouteBatch, options: Options) -> None:
        self.policy, self.size, self.ticks = policy, options.size + 1, policy.decision_ticks
        self.roots = WorldBatch(routes, options.states)
        self.driver = PolicyAgent(policy, temperature=1.0)
        self.driver.bind(self.roots)
        self.ahead = ExpertAhead(self.roots)
        draws = np.random.default_rng(options.seed)
        tasks = TaskDraws(routes, range(len(routes.routes)), recipe("grpo", 1))
        for b in range(options.states):
            self._begin(b, tasks, draws)
        until = draws.integers(20, 60, options.states) * self.ticks  # ticks of each ride
        kept: dict[int, tuple] = {}
        while len(kept) < options.states:
            for b in np.flatnonzero(self.roots.finished):
                self._begin(int(b), tasks, draws)
            for b in [b for b in range(options.states) if b not in kept and self.roots.worlds["tick"][b] == until[b]]:
                kept[b] = self._decide(b, draws)
            controls = self.driver.act()
            self.ahead.watch()
            self.roots.tick(controls)
        self.kept = [kept[b] for b in range(options.states)]

    def _begin(self, b: int, tasks: TaskDraws, draws: np.random.Generator) -> None:
        self.roots.reset(b, tasks.task(draws))
        self.driver.reset(b, int(draws.integers(2**63)))
        self.ahead.reset(b)

    def _decide(self, b: int, draws: np.random.Generator) -> tuple:
        rows = self.driver.observer.observe(np.array([b]))
        uniforms = draws.random((1, self.size - 1, self.policy.sample_size))
        said = self.policy.act(rows, uniforms, n=self.size - 1).tokens
        labels = self.ahead.look(np.array([b]), self.policy.tokens.waypoints, self.policy.tokens.interval)
        expert = self.policy.label(rows, *labels)
        return self.roots.snapshot(b), self.driver.snapshot(b), np.concatenate([said, expert])

    def drive(self, temperature: float, seed: int) -> np.ndarray:
        """float64[states, size, D] rewards of each decision period."""
        count = len(self.kept) * self.size
        batch = WorldBatch(self.roots.routes, count)
        scouts = PolicyAgent(self.policy, temperature=temperature)
        scouts.bind(batch)
        earnings = Earnings(batch, "route", self.ticks)
        for k, (snapshot, memory, tokens) in enumerate(self.kept):
            plans = self.policy.tokens.decode(tokens, np.full(self.size, float(snapshot.world["speed"][0, 0])))
            plain = np.zeros(tokens.shape, np.float32)
            decisions = Decisions(
                tokens, plain, plain, plain == 0.0, np.ones(self.size, bool), plans, self.policy.tokens.interval
            )
            for m in range(self.size):
                index = k * self.size + m
                batch.restore(index, snapshot)
                scouts.reset(index, seed * count + index)
                scouts.restore(index, memory)
                scouts.take(index, decisions, m)
        earnings.start()
        for _ in range(max(HORIZONS)):
            batch.tick(scouts.act())
            earnings.tick()
        return earnings.stop()[0].reshape(len(self.kept), self.size, -1)


def advantages(rewards: np.ndarray, periods: int) -> np.ndarray:
    """float64[states, size] of the first decisions, against the mean of the sampled ones."""
    earned = rewards[:, :, :periods].sum(axis=2)
    return np.asarray(earned - earned[:, :-1].mean(axis=1, keepdims=True))


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of the sampled decisions' advantages."""
    return float(np.corrcoef(a[:, :-1].ravel(), b[:, :-1].ravel())[0, 1])


def main(options: Options) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    policy = TokenPolicy.load(options.policy)
    scene = Scene(policy, load_routes(resolve_routes(options.routes)), options)
    ways = {"greedy": [scene.drive(0.0, 0)], "sampled": [scene.drive(1.0, seed) for seed in (1, 2)]}
    ahead = np.mean([advantages(r, max(HORIZONS) // scene.ticks) for r in ways["sampled"]], axis=0)
    table = Table("way on", "horizon s", "spread", "without %", "repeats", "with 6 s", "expert")
    rows = []
    for way, repeats in ways.items():
        for horizon in HORIZONS:
            found = [advantages(rewards, horizon // scene.ticks) for rewards in repeats]
            spread = found[0][:, :-1].std(axis=1, ddof=1)
            row = {
                "way": way,
                "horizon_s": horizon * TICK_SECONDS,
                "spread": float(spread.mean()),
                "without_percent": 100.0 * float((spread < 1e-9).mean()),
                "repeats": likeness(*found) if len(found) == 2 else 1.0,
                "with_longest": likeness(found[0], ahead),
                "expert": float(np.mean([each[:, -1] for each in found])),
                "expert_error": float(np.mean(found, axis=0)[:, -1].std(ddof=1) / np.sqrt(options.states)),
            }
            rows.append(row)
            table.add_row(
                way, f"{row['horizon_s']:.0f}", f"{row['spread']:.2f}", f"{row['without_percent']:.0f}",
                f"{row['repeats']:.2f}", f"{row['with_longest']:.2f}",
                f"{row['expert']:+.2f} +- {row['expert_error']:.2f}",
            )  # fmt: skip
    Console(width=110).print(table)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
