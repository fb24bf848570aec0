"""Commands as tokens: a decision is one of the 21 pairs of `envs.actions.route_command`, not a motion.

Token = speed choice * 3 + shift choice. A command means nothing without the path, the allowed speed, and the offset
that is wanted so far, so that it has no trajectory of its own; controllers drive it tick by tick
(`agents.following.CommandFollower`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.tokens.base import ActionTokens
from envs.actions.route_command import CHOICES, MAX_OFFSET, SHIFT, SPEED_GAIN, SPEEDS


class CommandTokens(ActionTokens):
    """What the policy that drives by commands says."""

    kind = "commands"
    size = CHOICES[0] * CHOICES[1]
    length = 1
    interval = 0.1
    waypoints = 8  # how far the expert is looked at: its speed after 0.5 s, its offset after 0.8 s
    _SPEED_AT = 4

    def encode(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        raise ValueError("commands are relative to the path; `choose` says which ones lead along a trajectory")

    def decode(self, tokens: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        """Nothing, float64[N, 0, 3]."""
        return np.zeros((len(self.check(tokens)), 0, 3))

    def choose(
        self,
        trajectories: np.ndarray,
        offsets: np.ndarray,
        speeds: np.ndarray,
        allowed: np.ndarray,
        wanted: np.ndarray,
    ) -> np.ndarray:
        """int64[N, 1] commands that lead where the trajectories go.

        The speed is the one that the command's controller would have to aim at to have the trajectory's speed after
        half a second; the offset is shifted towards that of the trajectory's end.

        Args:
            trajectories: float64[N, W, 3], ego frame. offsets: float64[N, W] m from the path at their waypoints.
            speeds: float64[N] m/s at the decision. allowed: float64[N] m/s by limit and bends.
            wanted: float64[N] m, the offset wanted so far.
        """
        k = self._SPEED_AT
        ways = np.hypot(*np.moveaxis(np.diff(trajectories[:, k - 1 : k + 2, :2], axis=1), -1, 0))
        later = ways.mean(axis=1) / self.interval
        rest = math.exp(-SPEED_GAIN * (k + 1) * self.interval)
        aim = (later - rest * speeds) / (1.0 - rest)
        share = np.where(later < 0.15, 0.0, aim / np.maximum(allowed, 0.5))
        speed = np.abs(share[:, None] - SPEEDS).argmin(axis=1)
        shift = np.clip(np.rint((np.clip(offsets[:, -1], -MAX_OFFSET, MAX_OFFSET) - wanted) / SHIFT), -1, 1) + 1
        return (speed * CHOICES[1] + shift.astype(np.int64))[:, None]

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return {}, {}


def command_features() -> np.ndarray:
    """float64[21, 3]: share of the allowed speed, whether it is a halt, and shift."""
    speed, shift = np.divmod(np.arange(CommandTokens.size), CHOICES[1])
    return np.stack([SPEEDS[speed], SPEEDS[speed] == 0.0, shift - 1.0], axis=1)
