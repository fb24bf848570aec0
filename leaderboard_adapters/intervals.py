"""Bootstrap intervals over routes: how far a score would move on other routes of the same kind.

They say nothing about the spread over repeats or training seeds; where those were driven, `crossed_interval` covers
both. Everything is seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95
_BLOCK = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A mean with its percentile bootstrap interval, in the unit of the values."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Mean of b - a over `routes` common routes with its interval; how many routes got better, worse, stayed equal."""

    difference: Interval
    routes: int
    better: int
    worse: int
    equal: int


def bootstrap_means(values: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Means of `resamples` bootstrap samples. `values`: float[N] or float[N, K]; returns float[resamples(, K)].

    All K columns share their samples, so that differences between columns are meaningful. Raises `ValueError` on N = 0.
    """
    x = np.asarray(values, np.float64)
    if len(x) == 0:
        raise ValueError("no values to bootstrap")
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(x))  # resamples drawn at once: bounded memory for any number of routes
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    return np.concatenate([x[rng.integers(0, len(x), (size, len(x)))].mean(axis=1) for size in sizes])


def bootstrap_interval(
    values: ArrayLike, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL, scale: float = 1.0
) -> Interval:
    """Mean of float[N] with its `level` percentile interval, all times `scale`. Raises `ValueError` on N = 0."""
    means = bootstrap_means(values, resamples, seed)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(np.mean(np.asarray(values, np.float64))) * scale, float(low) * scale, float(high) * scale)


def crossed_interval(values: ArrayLike, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> Interval:
    """Mean of float[N, S], N routes driven with each of S training seeds, with its `level` percentile interval.

    Routes and seeds are drawn anew independently of each other, so it covers other routes and other seeds. With three
    seeds it is still too narrow: no bootstrap knows more than it has seen. Raises `ValueError` on N = 0 or S = 0.
    """
    x = np.asarray(values, np.float64)
    if x.size == 0:
        raise ValueError("no values to bootstrap")
    rng = np.random.default_rng(seed)
    rows, columns = x.shape
    means = [
        x[rng.integers(0, rows, rows)][:, rng.integers(0, columns, columns)].mean() for _ in range(resamples)
    ]  # fmt: skip
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(x.mean()), float(low), float(high))


def paired_difference(
    a: ArrayLike, b: ArrayLike, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> PairedDifference:
    """b - a over the same routes: float[N] each, row by row the same route. Raises `ValueError` on unequal lengths.

    Pairing takes out how hard the routes are, so it shows differences that two separate intervals hide.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"cannot pair {first.shape} with {second.shape} values")
    change = second - first
    counts = [int(np.sum(test)) for test in (change > 0, change < 0, change == 0)]
    return PairedDifference(bootstrap_interval(change, resamples, seed, level), len(change), *counts)
