"""Comfort of the last 1.5 s, tick by tick: the six bounds of nuPlan, as CaRL measures them.

Samples of the acceleration 0.1 s apart are smoothed by Savitzky-Golay filters (window 8, order 2), jerks are the
derivative of that (window 15), yaw rate and acceleration come from the heading (window 5, order 2 and 3). The bounds
are judged at the newest sample.
"""

from __future__ import annotations

import math

import numpy as np

from envs.rewards.memory import SAMPLES
from leaderboard_adapters.comfort import BOUNDS
from leaderboard_adapters.smoothing import savgol_matrix
from simulator.kernel import kernel
from simulator.state import EGO

SAMPLE_TICKS = 2  # ticks from sample to sample
_SECONDS = 0.1
_ENOUGH = 8  # samples from which on comfort is judged


def _newest() -> np.ndarray:
    """float64[4, 16, 15]: weights of n samples in the newest smoothed value, jerk, yaw rate and yaw acceleration."""
    weights = np.zeros((4, SAMPLES + 1, SAMPLES))
    for n in range(_ENOUGH, SAMPLES + 1):
        smooth = savgol_matrix(n, min(8, n), 2)
        slope = savgol_matrix(n, n, 2, 1, _SECONDS)
        weights[0, n, :n] = smooth[-1]
        weights[1, n, :n] = (slope @ smooth)[-1]
        weights[2, n, :n] = savgol_matrix(n, 5, 2, 1, _SECONDS)[-1]
        weights[3, n, :n] = savgol_matrix(n, 5, 3, 2, _SECONDS)[-1]
    return weights


_WEIGHTS = _newest()
_LOW_LONGITUDINAL, _HIGH_LONGITUDINAL = BOUNDS["longitudinal acceleration"]
_LATERAL = BOUNDS["lateral acceleration"][1]
_JERK = BOUNDS["jerk"][1]
_LONGITUDINAL_JERK = BOUNDS["longitudinal jerk"][1]
_YAW_ACCELERATION = BOUNDS["yaw acceleration"][1]
_YAW_RATE = BOUNDS["yaw rate"][1]


@kernel
def push(values, count, value):  # type: ignore[no-untyped-def]
    """Append to a list of at most `len(values)`, whose oldest entry gives way."""
    if count < len(values):
        values[count] = value
        return
    for k in range(len(values) - 1):
        values[k] = values[k + 1]
    values[len(values) - 1] = value


@kernel
def newest(which, values, count):  # type: ignore[no-untyped-def]
    """Filtered value at the newest of `count` samples."""
    total = 0.0
    for k in range(count):
        total += _WEIGHTS[which, count, k] * values[k]
    return total


@kernel
def sample_motion(w, m):  # type: ignore[no-untyped-def]
    """Take a sample of the ego's motion."""
    yaw = w.yaw[EGO]
    ax = (w.vx[EGO] - m.last_vx) / _SECONDS
    ay = (w.vy[EGO] - m.last_vy) / _SECONDS
    m.last_vx = w.vx[EGO]
    m.last_vy = w.vy[EGO]
    c, s = math.cos(yaw), math.sin(yaw)
    n = m.num_samples
    push(m.longitudinal, n, ax * c + ay * s)
    push(m.lateral, n, -ax * s + ay * c)
    push(m.magnitude, n, math.hypot(ax, ay))
    before = m.yaw[min(n, SAMPLES) - 1] if n > 0 else yaw
    turn = yaw - before
    push(m.yaw, n, before + math.atan2(math.sin(turn), math.cos(turn)))
    m.num_samples = min(n + 1, SAMPLES)


@kernel
def judge_comfort(m, hold, ticks):  # type: ignore[no-untyped-def]
    """Count the bounds exceeded now into `m.exceeded`; a violation is held for `hold` ticks in `m.comfort_left`."""
    for k in range(6):
        m.comfort_left[k] = max(m.comfort_left[k] - ticks, 0)
    m.exceeded = 0
    n = m.num_samples
    if n < _ENOUGH:
        return
    longitudinal = newest(0, m.longitudinal, n)
    exceeds = (
        longitudinal > _HIGH_LONGITUDINAL or longitudinal < _LOW_LONGITUDINAL,
        abs(newest(0, m.lateral, n)) > _LATERAL,
        abs(newest(1, m.magnitude, n)) > _JERK,
        abs(newest(1, m.longitudinal, n)) > _LONGITUDINAL_JERK,
        abs(newest(2, m.yaw, n)) > _YAW_RATE,
        abs(newest(3, m.yaw, n)) > _YAW_ACCELERATION,
    )
    for k in range(6):
        if exceeds[k]:
            m.exceeded += 1
            m.comfort_left[k] = hold
