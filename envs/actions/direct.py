"""Decisions that are controls: pedals and steering themselves."""

from __future__ import annotations

from itertools import product

import gymnasium as gym
import numpy as np

from envs.actions.base import Actions
from envs.actions.settings import ControlGrid
from envs.entry import entry
from envs.world import WorldBatch
from simulator.kernel import kernel


@kernel
def pedal_to_controls(actions, controls):  # type: ignore[no-untyped-def]
    """Pedal (throttle where positive, brake where negative) and steer float64[B, 2] into float64[B, 3], clipped."""
    for b in range(actions.shape[0]):
        controls[b, 0] = min(max(actions[b, 0], 0.0), 1.0)
        controls[b, 1] = min(max(-actions[b, 0], 0.0), 1.0)
        controls[b, 2] = min(max(actions[b, 1], -1.0), 1.0)


class ContinuousControl(Actions):
    """`control`: Box(-1, 1, (2,)): pedal (throttle where positive, brake where negative) and steer, right positive."""

    def __init__(self, batch: WorldBatch) -> None:
        super().__init__(batch)
        self.space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._convert = entry(pedal_to_controls, self.controls[:, :2].copy(), self.controls)

    def decide(self, actions: np.ndarray) -> None:
        self._convert(np.ascontiguousarray(actions, np.float64), self.controls)


class FullControl(Actions):
    """`vehicle_control`: Box([0, 0, -1], 1, (3,)): throttle, brake and steer, as CARLA's VehicleControl."""

    def __init__(self, batch: WorldBatch) -> None:
        super().__init__(batch)
        self.space = gym.spaces.Box(np.array([0, 0, -1], np.float32), np.ones(3, np.float32), dtype=np.float32)

    def decide(self, actions: np.ndarray) -> None:
        np.clip(actions, (0.0, 0.0, -1.0), 1.0, out=self.controls)


class GridControl(Actions):
    """`grid`, or a `ControlGrid`: Discrete(pedals x steers)."""

    def __init__(self, batch: WorldBatch, grid: ControlGrid | None = None) -> None:
        super().__init__(batch)
        grid = ControlGrid() if grid is None else grid
        self._table = np.array(list(product(grid.pedals, grid.steers)), np.float64)
        self.space = gym.spaces.Discrete(len(grid.pedals) * len(grid.steers))

    def decide(self, actions: np.ndarray) -> None:
        pedal_to_controls(self._table[actions], self.controls)
