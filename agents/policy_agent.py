"""Driving with a policy: one decision every half second for each world, batched; between them its plan is tracked.

What happens when a decision cannot be driven (garbage, too few tokens, numbers that are not finite, an exception of the
policy): it is counted by reason, and the vehicle goes on with its last plan while that lasts, half a second beyond its
trajectory included; then it comes to a safe stop at 3 m/s2, wheels straight. The next decision is due as always.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.base import Agent
from agents.costs import Costs
from agents.policy import Decisions, Policy, Rows
from agents.tokens.track import PLAN_TICKS, lay_plan, track_plans
from envs.world import WorldBatch
from simulator.state import EGO, TICK_SECONDS

DECISION_TICKS = 10  # 2 Hz

_STATE = ("plans", "last", "born", "due")

#: Hears every call of the policy: worlds int64[N], what they saw, what was decided (None after an exception).
Listener = Callable[[np.ndarray, Rows, Decisions | None], None]


class PolicyAgent(Agent):
    """Drives the worlds of a batch with one policy.

    Attributes:
        realtime: decisions come into effect as many ticks late as the policy took to make them.
        latency: seconds that every decision counts as having taken, in place of measured ones; None measures.
        costs: of all decisions so far.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        temperature: float = 0.0,
        decision_ticks: int = DECISION_TICKS,
        realtime: bool = False,
        latency: float | None = None,
    ) -> None:
        self.policy = policy
        self.temperature = temperature
        self.decision_ticks = decision_ticks
        self.realtime = realtime
        self.latency = latency
        total, trainable = policy.size()
        self.costs = Costs(parameters=total, trainable=trainable)
        self.listener: Listener | None = None

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        count = batch.num_worlds
        self.observer = self.policy.observer(batch)
        self._plans = np.zeros((count, PLAN_TICKS + 1, 3))
        self._last = np.full(count, -1, np.int64)
        self._born = np.zeros(count, np.int64)
        self._due = np.zeros(count, np.int64)
        self._draws = [np.random.default_rng(b) for b in range(count)]
        self._coming: list[tuple[int, np.ndarray, int, int] | None] = [None] * count
        self._controls = np.zeros((count, 3))

    def reset(self, index: int, seed: int) -> None:
        self.observer.reset(index)
        self._last[index] = -1
        self._born[index] = 0
        self._due[index] = 0
        self._coming[index] = None
        self._draws[index] = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        batch = self.batch
        ticks = batch.worlds["tick"]
        due = np.flatnonzero(self.due())
        if len(due):
            self._decide(due)
        if self.realtime:
            self._receive(ticks)
        track_plans(batch.worlds, batch.criteria, self._plans, self._last, self._born, self._controls)
        return self._controls

    def inference_costs(self) -> dict[str, Any]:
        return self.costs.document()

    def _decide(self, due: np.ndarray) -> None:
        worlds = self.batch.worlds
        self._due[due] = worlds["tick"][due] + self.decision_ticks
        size = self.policy.sample_size
        uniforms = None
        if self.temperature > 0.0:
            uniforms = np.stack([self._draws[b].random((1, size)) for b in due])
        rows = self.observer.observe(due)
        began = time.perf_counter()
        try:
            decisions = self.policy.act(rows, uniforms, temperature=self.temperature or 1.0)
        except Exception as error:
            seconds = self._count(began, len(due), None)
            for b in due:
                self.costs.failed(f"{type(error).__name__}")
                self._wait(int(b), seconds)
            if self.listener is not None:
                self.listener(due, rows, None)
            return
        seconds = self._count(began, len(due), decisions)
        if self.listener is not None:
            self.listener(due, rows, decisions)
        for k, b in enumerate(due):
            self.take(int(b), decisions, k, seconds)

    def take(self, b: int, decisions: Decisions, k: int, seconds: float = 0.0) -> None:
        """World `b` is driven by decision `k`, which took so long; the next is due one decision later."""
        tick = int(self.batch.worlds["tick"][b])
        self._due[b] = tick + self.decision_ticks
        late = self._wait(b, seconds)
        if not decisions.valid[k]:
            self.costs.failed(decisions.reasons[k] if decisions.reasons else "not valid")
            return
        w = self.batch.worlds[b]
        pose = np.array([w["x"][EGO], w["y"][EGO], w["yaw"][EGO]])
        try:
            plan, last = lay_plan(decisions.trajectories[k], decisions.interval, pose, float(w["speed"][EGO]))
        except ValueError:
            self.costs.failed("trajectory")
            return
        if self.realtime:
            self._coming[b] = (tick + late, plan, last, tick)
        else:
            self._plans[b], self._last[b], self._born[b] = plan, last, tick

    def due(self) -> np.ndarray:
        """bool[B], running worlds whose decision is due at this tick."""
        return np.asarray((self.batch.worlds["tick"] >= self._due) & ~self.batch.finished)

    def snapshot(self, index: int) -> dict[str, np.ndarray]:
        """Copy of what is known of one world, its sampling stream aside."""
        own = (self._plans, self._last, self._born, self._due)
        found = {name: array[index : index + 1].copy() for name, array in zip(_STATE, own, strict=True)}
        found |= {f"seen{k}": np.asarray(part).copy() for k, part in enumerate(self.observer.snapshot(index))}
        return found

    def restore(self, index: int, snapshot: dict[str, np.ndarray]) -> None:
        """Put a copy back."""
        for name, array in zip(_STATE, (self._plans, self._last, self._born, self._due), strict=True):
            array[index] = snapshot[name][0]
        self._coming[index] = None
        seen = sorted((name for name in snapshot if name.startswith("seen")), key=lambda name: int(name[4:]))
        self.observer.restore(index, tuple(snapshot[name] for name in seen))

    def reseed(self, index: int, seed: int) -> None:
        """Begin the sampling stream of a world afresh."""
        self._draws[index] = np.random.default_rng(seed)

    def stream(self, index: int) -> str:
        """State of a world's sampling stream, as JSON."""
        return json.dumps(self._draws[index].bit_generator.state)

    def load_stream(self, index: int, state: str) -> None:
        """Put a sampling stream back."""
        self._draws[index].bit_generator.state = json.loads(state)

    def _wait(self, b: int, seconds: float) -> int:
        """Ticks that an answer is late in real time, be it good or not; nobody is asked again before it has come."""
        if not self.realtime:
            return 0
        late = math.ceil(seconds / TICK_SECONDS - 1e-9)
        self.costs.late_ticks.append(late)
        self._due[b] = max(int(self._due[b]), int(self.batch.worlds["tick"][b]) + late)
        return late

    def _receive(self, ticks: np.ndarray) -> None:
        """Plans whose time has come."""
        for b, coming in enumerate(self._coming):
            if coming is not None and ticks[b] >= coming[0]:
                _, self._plans[b], self._last[b], self._born[b] = coming
                self._coming[b] = None

    def _count(self, began: float, count: int, decisions: Decisions | None) -> float:
        seconds = time.perf_counter() - began
        if self.latency is not None:
            seconds = self.latency
        self.costs.seconds.append(seconds)
        self.costs.decisions.append(count)
        if decisions is not None:
            self.costs.tokens += int(decisions.mask.sum())
            self.costs.prompt_tokens += int(decisions.prompt_tokens.sum())
        return seconds
