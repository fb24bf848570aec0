"""Steer x acceleration grids: a token holds one steering and one acceleration for its part of the trajectory.

The trajectory is what the ego's own bicycle (`simulator.dynamics`) drives with them, from its speed at the decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.tokens.base import YAW_METRES, ActionTokens
from simulator.dynamics import REAR_AXLE, STEERING_GAIN, WHEELBASE


class ControlGrid(ActionTokens):
    """Token = steering index * accelerations + acceleration index, held for `points * interval` seconds.

    Attributes:
        steers: float64[S], -1..1, right positive. accelerations: float64[A], m/s2.
    """

    kind = "grid"

    def __init__(
        self, steers: np.ndarray, accelerations: np.ndarray, interval: float = 0.1, points: int = 5, length: int = 1
    ) -> None:
        self.steers, self.accelerations = np.asarray(steers, np.float64), np.asarray(accelerations, np.float64)
        self.size = len(self.steers) * len(self.accelerations)
        self.interval = interval
        self.length = length
        self._points = points
        self.waypoints = length * points

    def encode(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        """Token after token, the one whose poses come nearest."""
        count = len(trajectories)
        tokens = np.zeros((count, self.length), np.int64)
        here, speed = np.zeros((count, 3)), np.asarray(speeds, np.float64).copy()
        every = np.arange(self.size)
        for k in range(self.length):
            wanted = trajectories[:, k * self._points : (k + 1) * self._points]
            for n in range(count):
                poses, after = self._roll(np.repeat(here[n : n + 1], self.size, axis=0), every, speed[n])
                gap = poses - wanted[n]
                gap[..., 2] = YAW_METRES * np.arctan2(np.sin(gap[..., 2]), np.cos(gap[..., 2]))
                tokens[n, k] = (gap**2).sum(axis=(1, 2)).argmin()
                here[n], speed[n] = poses[tokens[n, k], -1], after[tokens[n, k]]
        return tokens

    def decode(self, tokens: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        tokens = self.check(tokens)
        here, speed = np.zeros((len(tokens), 3)), np.asarray(speeds, np.float64)
        pieces = []
        for k in range(self.length):
            poses, speed = self._roll(here, tokens[:, k], speed)
            here = poses[:, -1]
            pieces.append(poses)
        return np.concatenate(pieces, axis=1)

    def _roll(self, start: np.ndarray, tokens: np.ndarray, speed: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Poses float64[N, P, 3] and the speed after them."""
        angle = STEERING_GAIN * self.steers[tokens // len(self.accelerations)]
        slip = np.arctan(REAR_AXLE / WHEELBASE * np.tan(angle))
        acceleration = self.accelerations[tokens % len(self.accelerations)]
        x, y, yaw = start.T.copy()
        velocity = np.broadcast_to(np.asarray(speed, np.float64), x.shape).copy()
        poses = []
        for _ in range(self._points):
            following = np.maximum(velocity + acceleration * self.interval, 0.0)
            way = 0.5 * (velocity + following) * self.interval
            turn = way * np.sin(slip) / REAR_AXLE
            x = x + way * np.cos(yaw + 0.5 * turn + slip)
            y = y + way * np.sin(yaw + 0.5 * turn + slip)
            yaw = yaw + turn
            velocity = following
            poses.append(np.stack([x, y, yaw], axis=-1))
        return np.stack(poses, axis=1), velocity

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        settings = {"interval": self.interval, "points": self._points, "length": self.length}
        return {"steers": self.steers, "accelerations": self.accelerations}, settings


def default_grid(length: int = 1) -> ControlGrid:
    """13 steerings, finer around straight on, times 9 accelerations from full brake to full throttle."""
    steers = np.array([0.0, 0.03, 0.08, 0.16, 0.3, 0.55, 1.0])
    steers = np.concatenate([-steers[:0:-1], steers])
    return ControlGrid(steers, np.array([-8.0, -5.0, -3.0, -1.5, -0.5, 0.0, 0.8, 1.8, 3.0]), length=length)
