"""Members of groups: what they earn, and what advantage that is; and the tasks that groups are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from envs.rewards.rewarder import Rewarder
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import PENALTY_FACTORS
from rl.advantages import group_advantages
from rl.grpo_settings import GrpoSettings
from rl.records import DecisionRecord, TaskKey
from rl.rewards import training_reward

_COSTS = np.array([PENALTY_FACTORS.get(name, 1.0) < 1.0 for name in INFRACTION_NAMES])


@dataclass
class Member:
    """One member of a group: a ride, or one decision and what came of it.

    Attributes:
        earned: float64[D] rewards, one a decision period from the member's first decision on.
        terms: what each reward term contributed.
        left: what a value network says that the rest of the route is worth; 0 where the ride has ended, or nobody asks.
        success: reached the end without a penalty (rides), or had no infraction (decisions).
        percent: of the route, at the end.
    """

    task: TaskKey
    records: list[DecisionRecord]
    earned: np.ndarray
    terms: dict[str, float]
    success: bool
    percent: float
    left: float = 0.0

    @property
    def reward(self) -> float:
        """All that was earned."""
        return float(self.earned.sum())

    def returns(self, discount: float) -> np.ndarray:
        """float64[D] discounted sums of what was earned from each decision on, and of what is left."""
        found = np.zeros(len(self.earned))
        total = self.left
        for d in range(len(self.earned) - 1, -1, -1):
            total = self.earned[d] + discount * total
            found[d] = total
        return found


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


def set_advantages(groups: Sequence[Sequence[Member]], settings: GrpoSettings) -> None:
    """Write the advantage, weight and group of every record. Those of `single` rides stand already."""
    for number, group in enumerate(groups):
        for member in group:
            for record in member.records:
                record.group = number
        if settings.group.kind == "single":
            continue
        if settings.group.kind == "decision":
            _credit_decisions(group, settings)
            continue
        rewards = np.array([member.reward for member in group])
        for member, advantage in zip(group, group_advantages(rewards, settings.advantage), strict=True):
            for record in member.records:
                record.advantage = float(advantage)
                share = settings.group.ride_weight == "ride"
                record.weight = 1.0 / max(len(member.records), 1) if share else 1.0


def _credit_decisions(group: Sequence[Member], settings: GrpoSettings) -> None:
    """Every decision against what the others earned from the same tick on."""
    returns = np.stack([member.returns(settings.group.discount) for member in group])
    for d in range(max(len(member.records) for member in group)):
        advantages = group_advantages(returns[:, d], settings.advantage)
        for m, member in enumerate(group):
            if d < len(member.records):
                member.records[d].advantage = float(advantages[m])
                member.records[d].value_target = float(returns[m, d])


class Earnings:
    """Rewards of a batch, decision period by decision period (`envs.rewards`); its stops end episodes.

    Attributes:
        periods: float64[B] rewards of each period so far. terms: sums of what each term contributed, float64[B].
    """

    def __init__(self, batch: WorldBatch, reward: str, ticks: int) -> None:
        self._batch, self._ticks = batch, ticks
        self.rewarder = Rewarder(training_reward(reward), batch)

    def start(self) -> None:
        """Forget what was earned, and begin from the worlds as they are."""
        for b in range(self._batch.num_worlds):
            self.rewarder.begin(b)
        self._penalties = self._counted()
        self.periods: list[np.ndarray] = []
        self.terms: dict[str, np.ndarray] = {}
        self._at = 0

    def tick(self) -> None:
        """Add the tick that the worlds have just made."""
        if self._at % self._ticks == 0:
            self.rewarder.start_step()
        self.rewarder.tick()
        self._at += 1
        if self._at % self._ticks == 0:
            self._finish()

    def stop(self) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """float64[B, D] rewards, each term's float64[B] part, and bool[B] who had an infraction with a penalty."""
        if self._at % self._ticks:
            self._finish()
        return np.stack(self.periods, axis=1), self.terms, self._counted() > self._penalties

    def _finish(self) -> None:
        rewards, terms = self.rewarder.finish_step()
        self.periods.append(rewards.copy())
        for name, values in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + values
        self._at += -self._at % self._ticks

    def _counted(self) -> np.ndarray:
        return np.asarray(self._batch.criteria["counts"][:, _COSTS].sum(axis=1))


def spread_of(group: Sequence[Member]) -> float:
    """Deviation of what a group's members earned, with what is left; 0 for one member alone."""
    return float(np.std([member.reward + member.left for member in group], ddof=1)) if len(group) > 1 else 0.0


class TaskDraws:
    """Tasks: routes such that all scenario types come alike often, and world seeds."""

    def __init__(self, routes: RouteBatch, picks: Sequence[int], settings: GrpoSettings) -> None:
        self.routes, self.settings = routes, settings
        self.order: list[int] = []
        self._by_type: dict[str, list[int]] = {}
        for k in picks:
            self._by_type.setdefault(routes.routes[k].route.scenario_type, []).append(k)

    def task(self, draws: np.random.Generator) -> EpisodeStart:
        """The next one: a round of all types, shuffled, each with one of its routes."""
        if not self.order:
            kinds = [self._by_type[kind] for kind in sorted(self._by_type)]
            chosen = [kind[int(draws.integers(len(kind)))] for kind in kinds]
            self.order = [chosen[k] for k in draws.permutation(len(chosen))]
        seeds = self.settings.group.seeds
        return EpisodeStart(self.order.pop(), int(draws.integers(seeds if seeds else 2**31)))
