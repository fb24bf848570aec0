"""Group samplers: rides or decisions that start alike and are judged against each other (rewards: `envs.rewards`).

* **Episode groups**: G replays of one route from one world seed, driven to the end with sampled decisions. Every
  decision of a ride shares the ride's advantage.
* **Decision groups**: G decisions sampled in one state, each driven on for a horizon in its own copy of the world,
  among traffic that reacts to it. Every decision has its own advantage. The ride itself then goes on with one of them.
  With `credit` all, the decisions on the way are learnt from too: each is judged by what its member earned from there
  on, against what the others earned from the same tick on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from agents.policy import Decisions, Policy, Rows, repeat_rows
from agents.policy_agent import PolicyAgent
from envs.routes import RouteBatch
from envs.world import WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from rl.advantages import is_spread
from rl.group_members import Collection, Earnings, Member, TaskDraws, spread_of
from rl.grpo_settings import GrpoSettings
from rl.records import DecisionRecord, TaskKey, record_of
from rl.ride_state import load_rides, ride_state
from rl.single_rides import SingleRides
from simulator.state import TICK_SECONDS


class GroupSampler(Protocol):
    """Collects groups of a policy. Its state between collections can be saved."""

    def collect(self, draws: np.random.Generator) -> Collection:
        """Drive one update's groups."""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays by name: everything that the next collection depends on, besides policy and draws."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Put `state` back."""


class EpisodeGroups:
    """Replays of a route, `groups * size` worlds side by side."""

    def __init__(self, policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.settings = settings
        group = settings.group
        self._tasks = TaskDraws(routes, picks, settings)
        self._batch = WorldBatch(routes, group.groups * group.size)
        self._agent = PolicyAgent(policy, temperature=settings.temperature)
        self._agent.bind(self._batch)
        self._agent.listener = self._listen
        self._reward = Earnings(self._batch, settings.reward, policy.decision_ticks)
        self._records: list[list[DecisionRecord]] = []
        self._keys: list[TaskKey] = []

    def collect(self, draws: np.random.Generator) -> Collection:
        group = self.settings.group
        found = Collection()
        most = int(np.ceil(group.groups * group.oversample)) if group.dynamic else group.groups
        driven = 0
        while len(found.groups) < group.groups and driven < most:
            for members in self._drive(draws, found):
                driven += 1
                if group.dynamic and not is_spread(spread_of(members)):
                    found.dropped += 1
                elif len(found.groups) < group.groups:
                    found.groups.append(members)
        return found

    def _drive(self, draws: np.random.Generator, found: Collection) -> list[list[Member]]:
        group, batch, agent = self.settings.group, self._batch, self._agent
        self._keys, self._records = [], [[] for _ in range(batch.num_worlds)]
        for g in range(group.groups):
            start = self._tasks.task(draws)
            key = TaskKey(batch.routes.routes[start.route].route.id, start.seed)
            for b in range(g * group.size, (g + 1) * group.size):
                batch.reset(b, start)
                agent.reset(b, int(draws.integers(2**63)))
                self._keys.append(key)
        self._reward.start()
        before, failed = sum(agent.costs.seconds), sum(agent.costs.failures.values())
        began = time.perf_counter()
        for _ in range(int(group.max_seconds / TICK_SECONDS)):
            if batch.finished.all():
                break
            controls = agent.act()
            found.ticks += int((~batch.finished).sum())
            batch.tick(controls)
            self._reward.tick()
        inferred = sum(agent.costs.seconds) - before
        found.infer_s += inferred
        found.simulate_s += time.perf_counter() - began - inferred
        found.failures += sum(agent.costs.failures.values()) - failed
        earned, terms, penalised = self._reward.stop()
        members = [
            Member(
                self._keys[b], self._records[b], earned[b], {n: float(v[b]) for n, v in terms.items()},
                bool(not penalised[b] and batch.criteria["finished"][b] == RouteEnd.COMPLETED),
                float(batch.criteria["route_percent"][b]),
            )
            for b in range(batch.num_worlds)
        ]  # fmt: skip
        return [members[g * group.size : (g + 1) * group.size] for g in range(group.groups)]

    def _listen(self, due: np.ndarray, rows: Rows, decisions: Decisions | None) -> None:
        if decisions is None:
            return
        for k, b in enumerate(due):
            tick = int(self._batch.worlds["tick"][b])
            record = record_of(decisions, rows, self._keys[b], k, tick, self.settings.temperature)
            record.ride = int(b)
            self._records[b].append(record)

    def state(self) -> dict[str, np.ndarray]:
        return {"order": np.array(self._tasks.order, np.int64)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._tasks.order = [int(k) for k in state["order"]]


MAX_ROOTS = 256  # rides side by side; more groups than that branch from them in turns


class DecisionGroups:
    """Rides that branch: at a decision, G copies of the world each take a decision of their own and drive on."""

    def __init__(self, policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.settings = settings
        group = settings.group
        self._policy = policy
        self._tasks = TaskDraws(routes, picks, settings)
        self.num_roots = min(group.groups, MAX_ROOTS)
        self._roots = WorldBatch(routes, self.num_roots)
        self._branches = WorldBatch(routes, self.num_roots * group.size)
        self._ticks = policy.decision_ticks
        self._driver = PolicyAgent(policy, temperature=settings.temperature)
        self._driver.bind(self._roots)
        after = settings.temperature if group.continuation == "sample" else 0.0
        self._scouts = PolicyAgent(policy, temperature=after)
        self._scouts.bind(self._branches)
        self._scouts.listener = self._listen
        self._records: list[list[DecisionRecord]] = []
        self._reward = Earnings(self._branches, settings.reward, self._ticks)
        self._asked_s = 0.0  # seconds in which the policy was asked for the groups' own decisions

    def collect(self, draws: np.random.Generator) -> Collection:
        group = self.settings.group
        found = Collection()
        before = self._infer_seconds()
        failed = self._failures()
        began = time.perf_counter()
        if (self._roots.worlds["tick"] == 0).all():
            self._spread_out(draws, found)
        most = int(np.ceil(group.groups * group.oversample)) if group.dynamic else group.groups
        driven = 0
        while len(found.groups) < group.groups and driven < most:
            for members in self._branch(draws, found):
                driven += 1
                if group.dynamic and not is_spread(spread_of(members)):
                    found.dropped += 1
                elif len(found.groups) < group.groups:
                    found.groups.append(members)
            self._go_on(found)
        inferred = self._infer_seconds() - before
        found.infer_s = inferred + self._asked_s
        found.simulate_s = time.perf_counter() - began - found.infer_s
        found.failures += self._failures() - failed
        self._asked_s = 0.0
        return found

    def _spread_out(self, draws: np.random.Generator, found: Collection) -> None:
        """Drive every ride for a while of its own: all at their starts, they would teach nothing but to set off."""
        self._begin_rides(draws)
        most = self.settings.group.stagger / TICK_SECONDS / self._ticks
        until = self._ticks * np.floor(draws.random(self.num_roots) * (most + 1.0))
        for tick in range(int(until.max())):
            controls = self._driver.act()
            for b in np.flatnonzero((until > tick) & ~self._roots.finished):
                self._roots.part(int(b), int(b) + 1).tick(controls[b : b + 1])
                found.ticks += 1

    def _infer_seconds(self) -> float:
        return sum(self._driver.costs.seconds) + sum(self._scouts.costs.seconds)

    def _failures(self) -> int:
        return sum(self._driver.costs.failures.values()) + sum(self._scouts.costs.failures.values())

    def _begin_rides(self, draws: np.random.Generator) -> None:
        most = int(self.settings.group.max_seconds / TICK_SECONDS)
        for b in np.flatnonzero(self._roots.finished | (self._roots.worlds["tick"] > most)):
            self._roots.reset(int(b), self._tasks.task(draws))
            self._driver.reset(int(b), int(draws.integers(2**63)))

    def _branch(self, draws: np.random.Generator, found: Collection) -> list[list[Member]]:
        """One group at every root; roots go on as the first member of theirs did."""
        self._begin_rides(draws)
        group, size, roots, branches = self.settings.group, self.settings.group.size, self._roots, self._branches
        every = np.arange(self.num_roots)
        rows = self._driver.observer.observe(every)
        began = time.perf_counter()
        uniforms = draws.random((self.num_roots, size, self._policy.sample_size))
        decisions = self._policy.act(rows, uniforms, n=size, temperature=self.settings.temperature)
        self._asked_s += time.perf_counter() - began
        many = repeat_rows(rows, size)
        self._records = []
        for b in range(self.num_roots):
            snapshot, memory = roots.snapshot(b), self._driver.snapshot(b)
            key = TaskKey(roots.routes.routes[snapshot.route].route.id, int(snapshot.world["seed"][0]))
            for m in range(b * size, (b + 1) * size):
                branches.restore(m, snapshot)
                self._scouts.restore(m, memory)
                self._scouts.reseed(m, int(draws.integers(2**63)))
                self._scouts.take(m, decisions, m)
                tick = int(snapshot.world["tick"][0])
                self._records.append([record_of(decisions, many, key, m, tick, self.settings.temperature)])
        self._reward.start()
        for t in range(group.horizon):
            if t == group.spacing * self._ticks:
                self._adopt(every * size)
            controls = self._scouts.act()
            found.ticks += int((~branches.finished).sum())
            branches.tick(controls)
            self._reward.tick()
        if group.horizon <= group.spacing * self._ticks:
            self._adopt(every * size)
        earned, terms, penalised = self._reward.stop()
        left = self._left() if group.bootstrap else np.zeros(len(branches.worlds))
        members = []
        for m, records in enumerate(self._records):
            own = {n: float(v[m]) for n, v in terms.items()}
            percent = float(branches.criteria["route_percent"][m])
            members.append(Member(records[0].task, records, earned[m], own, bool(not penalised[m]), percent, left[m]))
            records[0].reward, records[0].terms = members[-1].reward, own
        return [members[b * size : (b + 1) * size] for b in range(self.num_roots)]

    @torch.no_grad()
    def _left(self) -> np.ndarray:
        """float64[B] what the rest of the route is worth to the branches; 0 where it has ended."""
        value = self._policy.value(self._scouts.observer.observe(np.arange(self._branches.num_worlds)))
        if value is None:
            raise TypeError(f"{self._policy.name} has no value network, which group.bootstrap needs")
        return np.where(self._branches.finished, 0.0, value.numpy().astype(np.float64))

    def _listen(self, due: np.ndarray, rows: Rows, decisions: Decisions | None) -> None:
        """Decisions on the way, where they are learnt from."""
        if decisions is None or self.settings.group.credit != "all":
            return
        for k, m in enumerate(due):
            task, tick = self._records[m][0].task, int(self._branches.worlds["tick"][m])
            self._records[m].append(record_of(decisions, rows, task, k, tick, self.settings.temperature))

    def _adopt(self, members: np.ndarray) -> None:
        """Roots go on from where these branches are."""
        for b, m in enumerate(members):
            self._roots.restore(b, self._branches.snapshot(int(m)))
            self._driver.restore(b, self._scouts.snapshot(int(m)))

    def _go_on(self, found: Collection) -> None:
        """Drive the rides to the next decision that branches."""
        for _ in range(self.settings.group.spacing * self._ticks - self.settings.group.horizon):
            controls = self._driver.act()
            found.ticks += int((~self._roots.finished).sum())
            self._roots.tick(controls)

    def state(self) -> dict[str, np.ndarray]:
        return ride_state(self._tasks, self._roots, self._driver)

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        load_rides(state, self._tasks, self._roots, self._driver)


def make_sampler(policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> GroupSampler:
    """The sampler that the settings ask for."""
    if settings.group.kind == "single":
        return SingleRides(policy, routes, picks, settings)
    kind = EpisodeGroups if settings.group.kind == "episode" else DecisionGroups
    return kind(policy, routes, picks, settings)
