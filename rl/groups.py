"""Group samplers: rides or decisions that start alike and are judged against each other.

* **Episode groups**: G replays of one route from one world seed, driven to the end with sampled decisions. Every
  decision of a ride shares the ride's advantage.
* **Decision groups**: G decisions sampled in one state, each driven on for a horizon in its own copy of the world,
  among traffic that reacts to it. Every decision has its own advantage. The ride itself then goes on with one of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from agents.policy import Decisions, Policy, Rows, repeat_rows
from agents.policy_agent import PolicyAgent
from envs.routes import RouteBatch
from envs.world import EpisodeStart, Snapshot, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from rl.advantages import group_advantages, is_spread
from rl.grpo_settings import GrpoSettings
from rl.records import DecisionRecord, TaskKey, record_of
from rl.ride_reward import RideReward, penalised
from simulator.state import TICK_SECONDS


@dataclass
class Member:
    """One member of a group: a ride, or one decision and what came of it."""

    task: TaskKey
    records: list[DecisionRecord]
    reward: float
    terms: dict[str, float]
    success: bool  # reached the end without a penalty (rides), or had no infraction (decisions)
    percent: float  # of the route, at the end


@dataclass
class Collection:
    """What one collection yields.

    Attributes:
        groups: members side by side; those that are kept.
        dropped: groups that were driven and left out, for want of spread.
        ticks: simulated, over all worlds. infer_s, simulate_s: seconds of this process.
    """

    groups: list[list[Member]] = field(default_factory=list)
    dropped: int = 0
    ticks: int = 0
    infer_s: float = 0.0
    simulate_s: float = 0.0
    failures: int = 0

    def records(self) -> list[DecisionRecord]:
        """All records, group by group."""
        return [record for group in self.groups for member in group for record in member.records]


class GroupSampler(Protocol):
    """Collects groups of a policy. Its state between collections can be saved."""

    def collect(self, draws: np.random.Generator) -> Collection:
        """Drive one update's groups."""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays by name: everything that the next collection depends on, besides policy and draws."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Put `state` back."""


def set_advantages(groups: Sequence[Sequence[Member]], settings: GrpoSettings) -> None:
    """Write the advantage and weight of every record."""
    for number, group in enumerate(groups):
        rewards = np.array([member.reward for member in group])
        for member, advantage in zip(group, group_advantages(rewards, settings.advantage), strict=True):
            for record in member.records:
                record.group = number
                record.advantage = float(advantage)
                share = settings.group.kind == "episode" and settings.group.ride_weight == "ride"
                record.weight = 1.0 / max(len(member.records), 1) if share else 1.0


def end_penalised(batch: WorldBatch) -> None:
    """End the rides of a batch that have an infraction with a penalty."""
    for b in np.flatnonzero(penalised(batch.criteria) & ~batch.finished):
        batch.finish(int(b))


def spread_of(group: Sequence[Member]) -> float:
    """Deviation of a group's rewards."""
    return float(np.std([member.reward for member in group], ddof=1))


class _Draws:
    """Tasks: routes in shuffled order, and world seeds."""

    def __init__(self, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.routes, self.picks, self.settings = routes, list(picks), settings
        self.order: list[int] = []

    def task(self, draws: np.random.Generator) -> tuple[int, int]:
        if not self.order:
            self.order = [self.picks[k] for k in draws.permutation(len(self.picks))]
        seeds = self.settings.group.seeds
        return self.order.pop(), int(draws.integers(seeds if seeds else 2**31))


class EpisodeGroups:
    """Replays of a route, `groups * size` worlds side by side."""

    def __init__(self, policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.settings = settings
        group = settings.group
        self._tasks = _Draws(routes, picks, settings)
        self._batch = WorldBatch(routes, group.groups * group.size)
        self._agent = PolicyAgent(policy, temperature=settings.temperature, decision_ticks=settings.decision_ticks)
        self._agent.bind(self._batch)
        self._agent.listener = self._listen
        self._reward = RideReward(self._batch)
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
            route, seed = self._tasks.task(draws)
            key = TaskKey(batch.routes.routes[route].route.id, seed)
            for b in range(g * group.size, (g + 1) * group.size):
                batch.reset(b, EpisodeStart(route, seed))
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
            if group.end_at_infraction:
                end_penalised(batch)
        inferred = sum(agent.costs.seconds) - before
        found.infer_s += inferred
        found.simulate_s += time.perf_counter() - began - inferred
        found.failures += sum(agent.costs.failures.values()) - failed
        rewards, terms = self._reward.sums()
        members = [self._member(b, rewards, terms) for b in range(batch.num_worlds)]
        return [members[g * group.size : (g + 1) * group.size] for g in range(group.groups)]

    def _listen(self, due: np.ndarray, rows: Rows, decisions: Decisions | None) -> None:
        if decisions is None:
            return
        for k, b in enumerate(due):
            tick = int(self._batch.worlds["tick"][b])
            record = record_of(decisions, rows, self._keys[b], k, tick, self.settings.temperature)
            record.ride = int(b)
            self._records[b].append(record)

    def _member(self, b: int, rewards: np.ndarray, terms: dict[str, np.ndarray]) -> Member:
        criteria = self._batch.criteria
        clean = terms["infractions"][b] == 0.0 and criteria["finished"][b] == RouteEnd.COMPLETED
        return Member(
            self._keys[b], self._records[b], float(rewards[b]), {n: float(v[b]) for n, v in terms.items()},
            bool(clean), float(criteria["route_percent"][b]),
        )  # fmt: skip

    def state(self) -> dict[str, np.ndarray]:
        return {"order": np.array(self._tasks.order, np.int64)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._tasks.order = [int(k) for k in state["order"]]


MAX_ROOTS = 16


class DecisionGroups:
    """Rides that branch: at a decision, G copies of the world each take a decision of their own and drive on."""

    def __init__(self, policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.settings = settings
        group = settings.group
        self._policy = policy
        self._tasks = _Draws(routes, picks, settings)
        self.num_roots = min(group.groups, MAX_ROOTS)
        self._roots = WorldBatch(routes, self.num_roots)
        self._branches = WorldBatch(routes, self.num_roots * group.size)
        ticks = settings.decision_ticks
        self._driver = PolicyAgent(policy, temperature=settings.temperature, decision_ticks=ticks)
        self._driver.bind(self._roots)
        after = settings.temperature if group.continuation == "sample" else 0.0
        self._scouts = PolicyAgent(policy, temperature=after, decision_ticks=ticks)
        self._scouts.bind(self._branches)
        self._reward = RideReward(self._branches)
        self._asked_s = 0.0  # seconds in which the policy was asked for the groups' own decisions

    def collect(self, draws: np.random.Generator) -> Collection:
        group = self.settings.group
        found = Collection()
        before = self._infer_seconds()
        failed = self._failures()
        began = time.perf_counter()
        most = int(np.ceil(group.groups * group.oversample)) if group.dynamic else group.groups
        driven = 0
        while len(found.groups) < group.groups and driven < most:
            for members in self._branch(draws, found):
                driven += 1
                if group.dynamic and not is_spread(spread_of(members)):
                    found.dropped += 1
                elif len(found.groups) < group.groups:
                    found.groups.append(members)
            self._go_on(draws, found)
        inferred = self._infer_seconds() - before
        found.infer_s = inferred + self._asked_s
        found.simulate_s = time.perf_counter() - began - found.infer_s
        found.failures += self._failures() - failed
        self._asked_s = 0.0
        return found

    def _infer_seconds(self) -> float:
        return sum(self._driver.costs.seconds) + sum(self._scouts.costs.seconds)

    def _failures(self) -> int:
        return sum(self._driver.costs.failures.values()) + sum(self._scouts.costs.failures.values())

    def _begin_rides(self, draws: np.random.Generator) -> None:
        most = int(self.settings.group.max_seconds / TICK_SECONDS)
        for b in np.flatnonzero(self._roots.finished | (self._roots.worlds["tick"] > most)):
            route, seed = self._tasks.task(draws)
            self._roots.reset(int(b), EpisodeStart(route, seed))
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
        records = []
        for b in range(self.num_roots):
            snapshot, memory = roots.snapshot(b), self._driver.snapshot(b)
            key = TaskKey(roots.routes.routes[snapshot.route].route.id, int(snapshot.world["seed"][0]))
            for m in range(b * size, (b + 1) * size):
                branches.restore(m, snapshot)
                self._scouts.restore(m, memory)
                self._scouts.reseed(m, int(draws.integers(2**63)))
                self._scouts.take(m, decisions, m)
                tick = int(snapshot.world["tick"][0])
                records.append(record_of(decisions, many, key, m, tick, self.settings.temperature))
        self._reward.start()
        for t in range(group.horizon):
            if t == self.settings.decision_ticks:
                self._adopt(every * size)
            controls = self._scouts.act()
            found.ticks += int((~branches.finished).sum())
            branches.tick(controls)
            self._reward.tick()
            if group.end_at_infraction:
                end_penalised(branches)
        if group.horizon <= self.settings.decision_ticks:
            self._adopt(every * size)
        rewards, terms = self._reward.sums()
        members = [
            Member(
                record.task, [record], float(rewards[m]), {n: float(v[m]) for n, v in terms.items()},
                bool(terms["infractions"][m] == 0.0), float(branches.criteria["route_percent"][m]),
            )
            for m, record in enumerate(records)
        ]  # fmt: skip
        for member in members:
            member.records[0].reward, member.records[0].terms = member.reward, member.terms
        return [members[b * size : (b + 1) * size] for b in range(self.num_roots)]

    def _adopt(self, members: np.ndarray) -> None:
        """Roots go on from where these branches are."""
        for b, m in enumerate(members):
            self._roots.restore(b, self._branches.snapshot(int(m)))
            self._driver.restore(b, self._scouts.snapshot(int(m)))

    def _go_on(self, draws: np.random.Generator, found: Collection) -> None:
        """Drive the rides to the next decision that branches."""
        for _ in range((self.settings.group.spacing - 1) * self.settings.decision_ticks):
            controls = self._driver.act()
            found.ticks += int((~self._roots.finished).sum())
            self._roots.tick(controls)
            if self.settings.group.end_at_infraction:
                end_penalised(self._roots)

    def state(self) -> dict[str, np.ndarray]:
        found: dict[str, Any] = {"order": np.array(self._tasks.order, np.int64)}
        for b in range(self.num_roots):
            for name, record in zip(Snapshot._fields, self._roots.snapshot(b), strict=True):
                found[f"{b}/{name}"] = record.view(np.uint8)
            for name, array in self._driver.snapshot(b).items():
                found[f"{b}/agent/{name}"] = array
            found[f"{b}/draws"] = np.frombuffer(self._driver.stream(b).encode(), np.uint8)
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._tasks.order = [int(k) for k in state["order"]]
        for b in range(self.num_roots):
            present = self._roots.snapshot(b)
            saved = [
                np.ascontiguousarray(state[f"{b}/{name}"]).view(record.dtype)
                for name, record in zip(Snapshot._fields, present, strict=True)
            ]
            self._roots.restore(b, Snapshot(*saved))
            prefix = f"{b}/agent/"
            memory = {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
            self._driver.restore(b, memory)
            self._driver.load_stream(b, bytes(state[f"{b}/draws"]).decode())


def make_sampler(policy: Policy, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> GroupSampler:
    """The sampler that the settings ask for."""
    kind = EpisodeGroups if settings.group.kind == "episode" else DecisionGroups
    return kind(policy, routes, picks, settings)
