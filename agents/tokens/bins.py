"""Uniform coordinate bins: a trajectory is written out number by number, x and y of every waypoint a token.

DriveRX-Agent has 512 bins over the range of its training data. Tokens of x and y share the vocabulary and differ by
their place in the sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.tokens.base import ActionTokens


class CoordinateBins(ActionTokens):
    """`length` = 2 W tokens: x of the first waypoint, y of the first, x of the second, ...

    Attributes:
        low, high: float64[2] metres, the range of x and of y; what lies outside is drawn to the border.
    """

    kind = "bins"

    def __init__(self, low: np.ndarray, high: np.ndarray, size: int, waypoints: int, interval: float) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if size < 2 or not (self.high > self.low).all():
            raise ValueError(f"bins need 2 or more of them over a range, got {size} from {low} to {high}")
        self.size = size
        self.waypoints = waypoints
        self.interval = interval
        self.length = 2 * waypoints

    def encode(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        share = (trajectories[..., :2] - self.low) / (self.high - self.low)
        tokens = np.clip(np.floor(share * self.size), 0, self.size - 1).astype(np.int64)
        return tokens.reshape(len(trajectories), self.length)

    def decode(self, tokens: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        tokens = self.check(tokens).reshape(-1, self.waypoints, 2)
        places = self.low + (tokens + 0.5) / self.size * (self.high - self.low)
        return np.concatenate([places, headings(places)[..., None]], axis=-1)

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        settings = {"size": self.size, "waypoints": self.waypoints, "interval": self.interval}
        return {"low": self.low, "high": self.high}, settings


def fit_bins(trajectories: np.ndarray, size: int, interval: float, margin: float = 0.02) -> CoordinateBins:
    """Bins over the range of float64[N, W, 3] trajectories, and `margin` of it beyond; y the same on both sides."""
    low, high = trajectories[..., :2].min(axis=(0, 1)), trajectories[..., :2].max(axis=(0, 1))
    side = max(-low[1], high[1], 1.0)
    low, high = np.array([low[0], -side]), np.array([max(high[0], low[0] + 1.0), side])
    room = margin * (high - low)
    return CoordinateBins(low - room, high + room, size, trajectories.shape[1], interval)


def headings(places: np.ndarray, least: float = 0.3) -> np.ndarray:
    """float64[N, W] directions of travel through float64[N, W, 2] places from the origin; kept where less than `least`
    metres are driven."""
    steps = np.diff(places, axis=1, prepend=0.0)
    yaw = np.arctan2(steps[..., 1], steps[..., 0])
    moves = np.hypot(steps[..., 0], steps[..., 1]) >= least
    held = np.zeros(len(places))
    for w in range(places.shape[1]):
        held = np.where(moves[:, w], yaw[:, w], held)
        yaw[:, w] = held
    return yaw
