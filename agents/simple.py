"""Agents that look at nothing: baselines and smoke tests."""

from __future__ import annotations

import numpy as np

from agents.base import BRAKE, STEER, THROTTLE, Agent
from envs.world import WorldBatch


class Idle(Agent):
    """Stands still with the brake on."""

    def act(self) -> np.ndarray:
        controls = np.zeros((self.batch.num_worlds, 3))
        controls[:, BRAKE] = 1.0
        return controls


class Constant(Agent):
    """One control for ever. Argument: `throttle,brake,steer`, missing ones are 0."""

    def __init__(self, argument: str = "0.5,0,0") -> None:
        values = [float(part) for part in argument.split(",")]
        if len(values) > 3 or not np.isfinite(values).all():
            raise ValueError(f"expected up to three finite numbers throttle,brake,steer, got {argument!r}")
        self._control = np.zeros(3)
        self._control[: len(values)] = values

    def act(self) -> np.ndarray:
        return np.tile(self._control, (self.batch.num_worlds, 1))


class Random(Agent):
    """Random controls that change smoothly, from the episode's seed."""

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        self._draws = [np.random.default_rng(i) for i in range(batch.num_worlds)]
        self._controls = np.zeros((batch.num_worlds, 3))

    def reset(self, index: int, seed: int) -> None:
        self._draws[index] = np.random.default_rng(seed)
        self._controls[index] = 0.0

    def act(self) -> np.ndarray:
        for b, draws in enumerate(self._draws):
            pedal = 0.9 * (self._controls[b, THROTTLE] - self._controls[b, BRAKE]) + draws.normal(0.08, 0.2)
            steer = 0.9 * self._controls[b, STEER] + draws.normal(0.0, 0.05)
            self._controls[b] = max(pedal, 0.0), max(-pedal, 0.0), steer
        return np.clip(self._controls, [0.0, 0.0, -1.0], 1.0)
