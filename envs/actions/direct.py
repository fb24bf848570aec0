"""Decisions that are controls: pedals and steering themselves."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from envs.actions.base import Actions
from envs.actions.settings import ControlGrid
from envs.world import WorldBatch


def pedal_to_controls(pedal: np.ndarray, steer: np.ndarray, controls: np.ndarray) -> None:
    """Pedal float[B] (throttle positive, brake negative) and steer float[B] into float64[B, 3], clipped."""
    np.clip(pedal, 0.0, 1.0, out=controls[:, 0])
    np.clip(-pedal, 0.0, 1.0, out=controls[:, 1])
    np.clip(steer, -1.0, 1.0, out=controls[:, 2])


class ContinuousControl(Actions):
    """`control`: Box(-1, 1, (2,)): pedal (throttle where positive, brake where negative) and steer, right positive."""

    def __init__(self, batch: WorldBatch) -> None:
        super().__init__(batch)
        self.space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def decide(self, actions: np.ndarray) -> None:
        pedal_to_controls(actions[:, 0], actions[:, 1], self.controls)


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
        self._pedals, self._steers = np.array(grid.pedals, np.float64), np.array(grid.steers, np.float64)
        self.space = gym.spaces.Discrete(len(grid.pedals) * len(grid.steers))

    def decide(self, actions: np.ndarray) -> None:
        pedal, steer = np.divmod(actions, len(self._steers))
        pedal_to_controls(self._pedals[pedal], self._steers[steer], self.controls)
