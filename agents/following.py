"""What drives between two decisions of a policy: it takes a decision in, and gives pedals and steering every tick."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from agents.policy import Decisions, Observer
from agents.token_view import CommandView
from agents.tokens.track import PLAN_TICKS, lay_plan, track_plans
from envs.actions.route_command import CHOICES, FULL_SPEED, MAX_OFFSET, SHIFT, follow_commands
from envs.world import WorldBatch
from simulator.state import EGO


class Follower(ABC):
    """Drives the worlds of a batch by their last decisions.

    Life: `reset` where an episode begins; `prepare` a decision when it is made, `install` it when it takes effect;
    `control` every tick.
    """

    def __init__(self, batch: WorldBatch) -> None:
        self.batch = batch
        self.controls = np.zeros((batch.num_worlds, 3))

    @abstractmethod
    def reset(self, index: int) -> None:
        """World `index` begins an episode."""

    @abstractmethod
    def prepare(self, b: int, decisions: Decisions, k: int) -> Any:
        """What `install` takes, of decision `k` for world `b` as it is now.

        Raises:
            ValueError: for a decision that cannot be driven.
        """

    @abstractmethod
    def install(self, b: int, prepared: Any) -> None:
        """World `b` is driven by this from now on."""

    @abstractmethod
    def control(self) -> np.ndarray:
        """float64[B, 3] throttle, brake, steer."""

    @abstractmethod
    def snapshot(self, index: int) -> dict[str, np.ndarray]:
        """Copy of what is known of one world."""

    @abstractmethod
    def restore(self, index: int, snapshot: dict[str, np.ndarray]) -> None:
        """Put a copy back."""


class PlanFollower(Follower):
    """Tracks trajectories (`agents.tokens.track`)."""

    def __init__(self, batch: WorldBatch) -> None:
        super().__init__(batch)
        count = batch.num_worlds
        self._plans = np.zeros((count, PLAN_TICKS + 1, 3))
        self._last = np.full(count, -1, np.int64)
        self._born = np.zeros(count, np.int64)

    def reset(self, index: int) -> None:
        self._last[index] = -1
        self._born[index] = 0

    def prepare(self, b: int, decisions: Decisions, k: int) -> tuple[np.ndarray, int, int]:
        w = self.batch.worlds[b]
        pose = np.array([w["x"][EGO], w["y"][EGO], w["yaw"][EGO]])
        plan, last = lay_plan(decisions.trajectories[k], decisions.interval, pose, float(w["speed"][EGO]))
        return plan, last, int(w["tick"])

    def install(self, b: int, prepared: tuple[np.ndarray, int, int]) -> None:
        self._plans[b], self._last[b], self._born[b] = prepared

    def control(self) -> np.ndarray:
        track_plans(self.batch.worlds, self.batch.criteria, self._plans, self._last, self._born, self.controls)
        return self.controls

    def snapshot(self, index: int) -> dict[str, np.ndarray]:
        own = {"plans": self._plans, "last": self._last, "born": self._born}
        return {name: array[index : index + 1].copy() for name, array in own.items()}

    def restore(self, index: int, snapshot: dict[str, np.ndarray]) -> None:
        self._plans[index], self._last[index], self._born[index] = (snapshot[n][0] for n in ("plans", "last", "born"))


class CommandFollower(Follower):
    """Drives by commands relative to the path (`envs.actions.route_command`).

    Before the first decision it stands still.

    Attributes:
        wanted: float64[B] m, the wanted offset from the path; shared with who shows it to the policy.
    """

    def __init__(self, batch: WorldBatch, wanted: np.ndarray) -> None:
        super().__init__(batch)
        self.wanted = wanted
        self._actions = np.zeros((batch.num_worlds, 2), np.int64)

    def reset(self, index: int) -> None:
        self.wanted[index] = 0.0
        self._actions[index] = 0, 1

    def prepare(self, b: int, decisions: Decisions, k: int) -> tuple[int, int]:
        speed, shift = divmod(int(decisions.tokens[k, 0]), CHOICES[1])
        if not 0 <= speed <= FULL_SPEED + 1:
            raise ValueError(f"token {int(decisions.tokens[k, 0])} is no command")
        return speed, shift

    def install(self, b: int, prepared: tuple[int, int]) -> None:
        self._actions[b] = prepared
        self.wanted[b] = min(max(self.wanted[b] + SHIFT * (prepared[1] - 1), -MAX_OFFSET), MAX_OFFSET)

    def control(self) -> np.ndarray:
        routes = self.batch.routes
        follow_commands(self.batch.worlds, routes.net, routes.arrays, self._actions, self.wanted, self.controls)
        return self.controls

    def snapshot(self, index: int) -> dict[str, np.ndarray]:
        return {"wanted": self.wanted[index : index + 1].copy(), "command": self._actions[index : index + 1].copy()}

    def restore(self, index: int, snapshot: dict[str, np.ndarray]) -> None:
        self.wanted[index], self._actions[index] = snapshot["wanted"][0], snapshot["command"][0]


def make_follower(batch: WorldBatch, observer: Observer) -> Follower:
    """What drives by the decisions of a policy that sees with `observer`."""
    return CommandFollower(batch, observer.wanted) if isinstance(observer, CommandView) else PlanFollower(batch)
