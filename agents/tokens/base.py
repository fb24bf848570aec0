"""The contract of action tokens: a trajectory is said in `length` tokens out of a vocabulary of `size`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

YAW_METRES = 2.0  # m that one radian counts in distances between poses: about half a car


@dataclass(frozen=True)
class TokenError:
    """How well tokens say trajectories that they were not built from.

    Attributes:
        mean, p95: distance of the waypoints, metres, mean and 95th percentile over all.
        final: mean distance of the last waypoint, metres.
        yaw: mean error of the heading, degrees.
    """

    mean: float
    p95: float
    final: float
    yaw: float


class ActionTokens(ABC):
    """Translates between trajectories and tokens.

    A trajectory is float64[..., W, 3]: x ahead, y right (metres), yaw (radians, right positive) of the vehicle in its
    own frame at the decision; waypoint w is for `(w + 1) * interval` seconds later.

    Attributes:
        size: tokens in the vocabulary, 0..size-1.
        length: tokens a trajectory, in the order in which they are said.
        waypoints: W.
        interval: seconds between waypoints.
    """

    kind = ""
    size: int
    length: int
    waypoints: int
    interval: float

    @property
    def seconds(self) -> float:
        """How far ahead a trajectory reaches."""
        return self.waypoints * self.interval

    @abstractmethod
    def encode(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        """int64[N, length] tokens of float64[N, W, 3] trajectories. `speeds`: float64[N], m/s at the decision."""

    @abstractmethod
    def decode(self, tokens: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        """float64[N, W, 3] trajectories of int64[N, length] tokens.

        Raises:
            ValueError: for tokens outside of the vocabulary.
        """

    @abstractmethod
    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What is saved: arrays by name, and settings by name."""

    def check(self, tokens: np.ndarray) -> np.ndarray:
        """The tokens as int64[N, length].

        Raises:
            ValueError: for another shape or tokens outside of the vocabulary.
        """
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or tokens.shape[1] != self.length or tokens.dtype.kind not in "iu":
            raise ValueError(f"expected integer tokens of shape (N, {self.length}), got {tokens.dtype}{tokens.shape}")
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.size):
            raise ValueError(f"tokens are 0..{self.size - 1}, got {tokens.min()}..{tokens.max()}")
        return tokens.astype(np.int64)

    def error(self, trajectories: np.ndarray, speeds: np.ndarray) -> TokenError:
        """What is lost by saying `trajectories` in tokens."""
        again = self.decode(self.encode(trajectories, speeds), speeds)
        gap = np.hypot(*np.moveaxis(again[..., :2] - trajectories[..., :2], -1, 0))
        turn = np.abs(np.arctan2(*(f(again[..., 2] - trajectories[..., 2]) for f in (np.sin, np.cos))))
        return TokenError(
            float(gap.mean()), float(np.percentile(gap, 95)), float(gap[:, -1].mean()), float(np.degrees(turn.mean()))
        )
