"""Comfort of four seconds: six bounds on filtered motion, and whether two plans agree."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from leaderboard_adapters.comfort import BOUNDS
from leaderboard_adapters.pdms.simulate import STEP
from leaderboard_adapters.smoothing import savgol_matrix

Array = NDArray[np.float64]

#: Largest root mean squares by which two plans, made 0.5 s apart, may differ.
AGREEMENT = {"acceleration": 0.7, "jerk": 0.5, "yaw rate": 0.1, "yaw acceleration": 0.1}
PLAN_GAP = 5  # states between two plans


@lru_cache(maxsize=16)
def _filters(samples: int) -> tuple[Array, Array, Array, Array]:
    """Smoothing, derivative of what is smoothed, first and second derivative of the heading."""
    smooth = savgol_matrix(samples, min(8, samples), 2)
    slope = savgol_matrix(samples, min(15, samples), 2, 1, STEP)
    return smooth, slope @ smooth, savgol_matrix(samples, 5, 2, 1, STEP), savgol_matrix(samples, 5, 3, 2, STEP)


def motion(longitudinal: Array, lateral: Array, yaw: Array) -> tuple[Array, ...]:
    """Filtered motion float64[N, T]: longitudinal, lateral, jerk, longitudinal jerk, yaw acceleration, yaw rate.

    Args:
        longitudinal, lateral: m/s2, float64[N, T]. yaw: rad, float64[N, T].
    """
    smooth, slope, turn, turn2 = (matrix.T for matrix in _filters(longitudinal.shape[1]))
    heading = np.unwrap(yaw, axis=1)
    size = np.hypot(longitudinal, lateral)
    return (
        longitudinal @ smooth,
        lateral @ smooth,
        size @ slope,
        longitudinal @ slope,
        heading @ turn2,
        heading @ turn,
    )


def is_comfortable(longitudinal: Array, lateral: Array, yaw: Array) -> Array:
    """1 where all six bounds are kept at every state, float64[N]."""
    kept = np.ones(len(yaw), bool)
    for values, (low, high) in zip(motion(longitudinal, lateral, yaw), BOUNDS.values(), strict=True):
        kept &= ((values > low) & (values < high)).all(axis=1)
    return kept.astype(np.float64)


def plans_agree(now: tuple[Array, Array, Array], before: tuple[Array, Array, Array]) -> Array:
    """EC, float64[N]: whether plans agree with those of 0.5 s before where they overlap.

    Args:
        now, before: longitudinal and lateral acceleration and yaw of their simulated states, float64[N, 41] each.
    """
    kept = np.ones(len(now[0]), bool)
    filtered = [motion(*states) for states in (now, before)]
    sizes = [np.hypot(states[0], states[1]) @ _filters(states[0].shape[1])[0].T for states in (now, before)]
    compared = {
        "acceleration": sizes,
        "jerk": [each[2] for each in filtered],
        "yaw rate": [each[5] for each in filtered],
        "yaw acceleration": [each[4] for each in filtered],
    }
    for name, (a, b) in compared.items():
        gap = a[:, :-PLAN_GAP] - b[:, PLAN_GAP:]
        kept &= np.sqrt((gap**2).mean(axis=1)) <= AGREEMENT[name]
    return kept.astype(np.float64)
