"""Codebooks of short motion segments, one token a segment, chained pose by pose.

Two ways to choose the segments, both from what an expert drove:

* **k-means**: centres of the segments' distribution (2048 tokens, as DriveRX-VLA has them);
* **k-disk**: segments drawn one after the other, each at least a tolerance from all before, the first standing still
  (2048 tokens and 0.05 m between corners of the vehicle's box, as AutoVLA has them). It covers rare motions as finely
  as common ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.tokens.base import YAW_METRES, ActionTokens
from agents.tokens.poses import compose, relative
from simulator.errors import AgentError

HALF_LENGTH, HALF_WIDTH = 2.45, 1.09  # m, the ego's box, for distances between corners
_CHUNK = 4096


class SegmentCodebook(ActionTokens):
    """`length` segments, one after the other.

    Attributes:
        segments: float64[size, P, 3], poses at `interval`, 2 `interval`, ... in the frame of the segment's start.
    """

    def __init__(self, segments: np.ndarray, interval: float, length: int, kind: str) -> None:
        self.segments = np.asarray(segments, np.float64)
        self.kind = kind
        self.size, self._points = self.segments.shape[:2]
        self.length = length
        self.interval = interval
        self.waypoints = length * self._points
        self._features = features(self.segments)
        self._norms = (self._features**2).sum(axis=1)

    def encode(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        """Segment after segment, each seen from where the ones before it have led, so that errors do not add up."""
        count = len(trajectories)
        here = np.zeros((count, 3))
        tokens = np.zeros((count, self.length), np.int64)
        for k in range(self.length):
            piece = trajectories[:, k * self._points : (k + 1) * self._points]
            tokens[:, k] = self.nearest(relative(here[:, None], piece))
            here = compose(here, self.segments[tokens[:, k], -1])
        return tokens

    def nearest(self, segments: np.ndarray) -> np.ndarray:
        """int64[N] token nearest to each of float64[N, P, 3]."""
        wanted = features(segments)
        return np.concatenate(
            [
                np.argmin(self._norms - 2.0 * wanted[n : n + _CHUNK] @ self._features.T, axis=1)
                for n in range(0, max(len(wanted), 1), _CHUNK)
            ]
        )

    def decode(self, tokens: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        tokens = self.check(tokens)
        here = np.zeros((len(tokens), 3))
        pieces = []
        for k in range(self.length):
            piece = compose(here[:, None], self.segments[tokens[:, k]])
            here = piece[:, -1]
            pieces.append(piece)
        return np.concatenate(pieces, axis=1)

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return {"segments": self.segments.astype(np.float32)}, {"interval": self.interval, "length": self.length}


def features(segments: np.ndarray) -> np.ndarray:
    """float64[N, 3 P]: coordinates in which distances between segments are plain ones, in metres."""
    scaled = segments * np.array([1.0, 1.0, YAW_METRES])
    return scaled.reshape(len(segments), -1) / np.sqrt(segments.shape[1])


def fit_k_means(segments: np.ndarray, size: int, seed: int, rounds: int = 25) -> np.ndarray:
    """float64[size, P, 3] centres by Lloyd's algorithm from a seeded start; empty ones go where it hurts most.

    Raises:
        AgentError: for fewer segments than tokens.
    """
    _enough(segments, size)
    draws = np.random.default_rng(seed)
    points = features(segments)
    centres = points[draws.choice(len(points), size, replace=False)]
    for _ in range(rounds):
        label, distance = _assign(points, centres)
        counts = np.bincount(label, minlength=size)
        sums = np.stack([np.bincount(label, column, size) for column in points.T], axis=1)
        full = counts > 0
        centres[full] = sums[full] / counts[full, None]
        centres[~full] = points[np.argsort(-distance, kind="stable")[: (~full).sum()]]
    flat = centres * np.sqrt(segments.shape[1])
    return flat.reshape(size, *segments.shape[1:]) / np.array([1.0, 1.0, YAW_METRES])


def fit_k_disk(segments: np.ndarray, size: int, seed: int, tolerance: float = 0.05) -> np.ndarray:
    """float64[M, P, 3], M <= size, segments whose last poses are `tolerance` metres apart, corner by corner on average.

    The first is no motion at all. M is smaller than `size` where the data has no more that are far enough apart.
    """
    draws = np.random.default_rng(seed)
    pool = segments[draws.permutation(len(segments))]
    pool = np.concatenate([np.zeros((1, *segments.shape[1:])), pool])
    shape = corners(pool[:, -1])
    free = np.ones(len(pool), bool)
    chosen: list[int] = []
    for n in range(len(pool)):
        if not free[n]:
            continue
        chosen.append(n)
        if len(chosen) == size:
            break
        gap = np.hypot(*np.moveaxis(shape[free] - shape[n], -1, 0)).mean(axis=1)
        free[free] = gap >= tolerance
    return pool[chosen]


def corners(poses: np.ndarray) -> np.ndarray:
    """float64[N, 4, 2] corners of the ego's box at poses float64[N, 3]."""
    box = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * np.array([HALF_LENGTH, HALF_WIDTH])
    c, s = np.cos(poses[:, 2])[:, None], np.sin(poses[:, 2])[:, None]
    x = poses[:, 0, None] + box[:, 0] * c - box[:, 1] * s
    y = poses[:, 1, None] + box[:, 0] * s + box[:, 1] * c
    return np.stack([x, y], axis=-1)


def _assign(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each point, and the squared distance to it."""
    label = np.empty(len(points), np.int64)
    distance = np.empty(len(points))
    norms = (centres**2).sum(axis=1)
    for n in range(0, len(points), _CHUNK):
        part = points[n : n + _CHUNK]
        squared = norms - 2.0 * part @ centres.T
        label[n : n + _CHUNK] = squared.argmin(axis=1)
        distance[n : n + _CHUNK] = squared.min(axis=1) + (part**2).sum(axis=1)
    return label, distance


def _enough(segments: np.ndarray, size: int) -> None:
    if len(segments) < size:
        raise AgentError(f"{size} tokens need as many motion segments, there are {len(segments)}; drive more routes")
