"""Rides that are judged by a value network: what PPO learns from.

No groups: `groups * size` worlds drive `rollout` decisions each, beginning a new route whenever one ends. Advantages
are generalised advantage estimates (Schulman et al. 2016), scaled to mean 0 and deviation 1 over the collection.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from agents.policy import Decisions, Policy, Rows
from agents.policy_agent import PolicyAgent
from envs.rewards.rewarder import Rewarder
from envs.routes import RouteBatch
from envs.world import WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from rl.group_members import Collection, Member, TaskDraws
from rl.grpo_settings import GrpoSettings
from rl.records import DecisionRecord, TaskKey, record_of, stack_records
from rl.rewards import training_reward
from rl.ride_state import load_rides, ride_state


class SingleRides:
    """Rides side by side, cut into collections of `rollout` decisions."""

    def __init__(self, policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.settings = settings
        group = settings.group
        self._policy = policy
        self._tasks = TaskDraws(routes, picks, settings)
        self._batch = WorldBatch(routes, group.groups * group.size)
        self._agent = PolicyAgent(policy, temperature=settings.temperature)
        self._agent.bind(self._batch)
        self._agent.listener = self._listen
        self._rewarder = Rewarder(training_reward(settings.reward), self._batch)
        self._begun = False
        self._records: list[list[DecisionRecord]] = []

    def collect(self, draws: np.random.Generator) -> Collection:
        group, batch, agent = self.settings.group, self._batch, self._agent
        count = batch.num_worlds
        found = Collection()
        if not self._begun:
            self._begin(np.arange(count), draws)
            self._begun = True
        self._records = [[] for _ in range(count)]
        rewards, ended = np.zeros((group.rollout, count)), np.zeros((group.rollout, count), bool)
        terms: dict[str, np.ndarray] = {}
        failed = sum(agent.costs.failures.values())
        inferred = sum(agent.costs.seconds)
        began = time.perf_counter()
        for t in range(group.rollout):
            self._rewarder.start_step()
            for _ in range(self._policy.decision_ticks):
                controls = agent.act()
                found.ticks += int((~batch.finished).sum())
                batch.tick(controls)
                self._rewarder.tick()
            rewards[t], contributions = self._rewarder.finish_step()
            for name, values in contributions.items():
                terms[name] = terms.get(name, 0.0) + values
            ended[t] = batch.criteria["finished"] != RouteEnd.RUNNING
            if ended[t].any():
                self._begin(np.flatnonzero(ended[t]), draws)
        found.infer_s = sum(agent.costs.seconds) - inferred
        found.simulate_s = time.perf_counter() - began - found.infer_s
        found.failures = sum(agent.costs.failures.values()) - failed
        self._judge(rewards, ended)
        for b, records in enumerate(self._records):
            own = {name: float(values[b]) for name, values in terms.items()}
            percent = float(batch.criteria["route_percent"][b])
            success = not ended[:, b].any()
            found.groups.append([Member(records[0].task, records, rewards[:, b], own, success, percent)])
        return found

    def _begin(self, worlds: np.ndarray, draws: np.random.Generator) -> None:
        for b in worlds.tolist():
            self._batch.reset(b, self._tasks.task(draws))
            self._rewarder.begin(b)
            self._agent.reset(b, int(draws.integers(2**63)))

    def _listen(self, due: np.ndarray, rows: Rows, decisions: Decisions | None) -> None:
        if decisions is None:
            return
        worlds = self._batch.worlds
        for k, b in enumerate(due):
            route = self._batch.routes.routes[int(worlds["route"][b])].route
            key = TaskKey(route.id, int(worlds["seed"][b]))
            self._records[b].append(
                record_of(decisions, rows, key, k, int(worlds["tick"][b]), self.settings.temperature)
            )

    @torch.no_grad()
    def _judge(self, rewards: np.ndarray, ended: np.ndarray) -> None:
        """Write advantages and value targets into the records."""
        count = self._batch.num_worlds
        steps = len(rewards)
        values = np.zeros((steps + 1, count))
        for t in range(steps):
            values[t] = self._value(stack_records([records[t] for records in self._records]).rows)
        values[steps] = self._value(self._agent.observer.observe(np.arange(count)))
        advantages = generalised_advantages(
            rewards, values, ended, self.settings.group.discount, self.settings.group.trace
        )
        targets = advantages + values[:-1]
        scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        for b, records in enumerate(self._records):
            for t, record in enumerate(records):
                record.advantage, record.value_target = float(scaled[t, b]), float(targets[t, b])

    def _value(self, rows: Rows) -> np.ndarray:
        found = self._policy.value(rows)
        if found is None:
            raise TypeError(f"{self._policy.name} has no value network, which PPO needs")
        return found.numpy().astype(np.float64)

    def state(self) -> dict[str, np.ndarray]:
        found = ride_state(self._tasks, self._batch, self._agent)
        found["begun"] = np.array([self._begun])
        for b in range(self._batch.num_worlds):
            memory, windows = self._rewarder.snapshot(b)
            found[f"{b}/reward"] = memory.view(np.uint8)
            found |= {f"{b}/window/{k}": array for k, array in enumerate(windows[:-1])}
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        load_rides(state, self._tasks, self._batch, self._agent)
        self._begun = bool(state["begun"][0])
        for b in range(self._batch.num_worlds):
            memory = np.ascontiguousarray(state[f"{b}/reward"]).view(self._rewarder.memory.dtype)
            count = sum(name.startswith(f"{b}/window/") for name in state)
            windows = [state[f"{b}/window/{k}"] for k in range(count)]
            self._rewarder.restore(b, (memory, (*windows, ()) if windows else ()))


def generalised_advantages(
    rewards: np.ndarray, values: np.ndarray, ended: np.ndarray, discount: float, trace: float
) -> np.ndarray:
    """float64[T, B] of rewards float64[T, B], values float64[T + 1, B], and whose ride ended with it, bool[T, B]."""
    found = np.zeros(rewards.shape)
    after = np.zeros(rewards.shape[1])
    for t in range(len(rewards) - 1, -1, -1):
        on = 1.0 - ended[t]
        delta = rewards[t] + discount * values[t + 1] * on - values[t]
        after = delta + discount * trace * on * after
        found[t] = after
    return found
