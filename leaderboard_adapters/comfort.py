"""Comfort ("Driving Smoothness"): the share of one-second windows inside six bounds.

Two values stand side by side. The official one keeps three quirks of efficiency_smoothness_benchmark.py: time steps of
0.1 s although agents log every 0.05 s (so jerks are half of the true ones), CARLA's yaw rate in deg/s against bounds in
rad/s, and the smoothed yaw rate in place of the yaw acceleration. The corrected one has the true time step, rad/s, and
the derivative.
Windows, smoothing and bounds are the same in both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leaderboard_adapters.json_files import read_json, write_json
from simulator.errors import ResultFileError

Array = NDArray[np.float64]

METRIC_FILE = "metric_info.json"  # one a route, in a folder named after its save_name
METRIC_FOLDER = "metric_info"  # of a run folder, for those folders

WINDOW = 20  # samples, one second at 20 Hz
SMOOTHING = 7  # samples of the Savitzky-Golay filter
ORDER = 2  # of its polynomial

#: (low, high), exclusive, in the order of the official script.
BOUNDS = {
    "longitudinal acceleration": (-4.05, 2.40),  # m/s^2
    "lateral acceleration": (-4.89, 4.89),  # m/s^2
    "jerk": (-8.37, 8.37),  # m/s^3, of the magnitude of the acceleration
    "longitudinal jerk": (-4.13, 4.13),  # m/s^3
    "yaw acceleration": (-1.93, 1.93),  # rad/s^2
    "yaw rate": (-0.95, 0.95),  # rad/s
}

_VECTORS = ("acceleration", "angular_velocity", "forward_vector", "right_vector", "location", "rotation")


@dataclass(frozen=True)
class MetricLog:
    """What a drive logs for comfort, one row a tick, world frame. All float64[N, 3].

    `acceleration` m/s^2; `angular_velocity` deg/s; `forward_vector`, `right_vector` of the ego, unit length;
    `location` metres and `rotation` degrees (roll, pitch, yaw): kept for the file, not used by the metric.
    """

    acceleration: Array
    angular_velocity: Array
    forward_vector: Array
    right_vector: Array
    location: Array
    rotation: Array

    def __len__(self) -> int:
        return len(self.acceleration)

    @classmethod
    def from_arrays(
        cls,
        acceleration: ArrayLike,
        angular_velocity: ArrayLike,
        forward_vector: ArrayLike,
        right_vector: ArrayLike,
        location: ArrayLike | None = None,
        rotation: ArrayLike | None = None,
    ) -> MetricLog:
        """A log from anything that reads as float[N, 3]. Raises `ValueError` on other shapes."""
        given = (acceleration, angular_velocity, forward_vector, right_vector, location, rotation)
        count = len(np.asarray(acceleration))
        arrays = [np.zeros((count, 3)) if value is None else np.asarray(value, np.float64) for value in given]
        for name, array in zip(_VECTORS, arrays):
            if array.shape != (count, 3):
                raise ValueError(f"{name} has shape {array.shape}, expected ({count}, 3)")
        return cls(*arrays)


@dataclass(frozen=True)
class Comfort:
    """Comfort of one route as a share 0..1 of `windows`; None under 3 samples (the official script stops there).

    `out_of_bounds`: windows outside each bound, by name, corrected version.
    """

    official: float | None
    corrected: float | None
    windows: int
    out_of_bounds: dict[str, int]


def savgol(values: ArrayLike, window: int, order: int, deriv: int = 0, delta: float = 1.0) -> Array:
    """Savitzky-Golay filter along the last axis; equals `scipy.signal.savgol_filter` with its default mode 'interp'.

    `values`: float[..., N], N >= window. `window` samples: odd, or all N. In the middle each sample is the polynomial
    fitted to the window around it; the ends take the polynomial fitted to the first or last window.
    Raises `ValueError` on a window that does not fit.
    """
    x = np.asarray(values, np.float64)
    n = x.shape[-1]
    if not order < window <= n:
        raise ValueError(f"window {window} must be larger than the order {order} and at most the {n} samples")
    if window % 2 == 0 and window != n:
        raise ValueError(f"window {window} must be odd, or the {n} samples")
    fit = _fit_matrix(window, order, deriv) / delta**deriv  # [window, window]: value at each position of a window
    half = window // 2
    out = np.empty_like(x)
    out[..., :half] = x[..., :window] @ fit[:half].T
    out[..., n - half :] = x[..., n - window :] @ fit[window - half :].T
    if n > 2 * half:
        windows = np.lib.stride_tricks.sliding_window_view(x, window, axis=-1)
        out[..., half : n - half] = windows @ fit[half]
    return out


@lru_cache(maxsize=64)
def _fit_matrix(window: int, order: int, deriv: int) -> Array:
    """Row p: weights of a window's samples in the derivative, at position p, of the polynomial fitted to them."""
    position = np.arange(window) - (window - 1) / 2.0
    powers = np.arange(order + 1)
    coefficients = np.linalg.pinv(position[:, None] ** powers)  # [order + 1, window]
    terms = np.zeros((window, order + 1))
    for power in range(deriv, order + 1):
        terms[:, power] = factorial(power) / factorial(power - deriv) * position ** (power - deriv)
    return terms @ coefficients


def unwrap_rates(values: Array) -> Array:
    """Phase-unwrap along the last axis by whole turns of 2 pi. The official script does it to rates; kept."""
    turns = np.zeros_like(values)
    turns[..., 1:] = np.cumsum(np.round(np.diff(values, axis=-1) / (2.0 * np.pi)), axis=-1)
    return values - 2.0 * np.pi * turns


def window_bounds(log: MetricLog, *, corrected: bool, dt: float) -> NDArray[np.bool_]:
    """Whether each window keeps each bound: bool[windows, 6], columns as `BOUNDS`.

    Up to 20 samples are one window; of more, an incomplete last window is dropped. `dt` seconds between samples.
    Raises `ValueError` with fewer than 3 samples.
    """
    count, size = (1, len(log)) if len(log) <= WINDOW else (len(log) // WINDOW, WINDOW)
    used = count * size
    acceleration = log.acceleration[:used, :2].reshape(count, size, 2)
    longitudinal = np.einsum("wsk,wsk->ws", acceleration, log.forward_vector[:used, :2].reshape(count, size, 2))
    lateral = np.einsum("wsk,wsk->ws", acceleration, log.right_vector[:used, :2].reshape(count, size, 2))
    magnitude = np.hypot(acceleration[..., 0], acceleration[..., 1])
    yaw_rate = log.angular_velocity[:used, 2].reshape(count, size)
    yaw_rate = np.deg2rad(yaw_rate) if corrected else unwrap_rates(yaw_rate)

    smoothing = min(SMOOTHING, size)
    longitudinal, lateral, magnitude, yaw_rate = (
        savgol(values, smoothing, ORDER) for values in (longitudinal, lateral, magnitude, yaw_rate)
    )
    jerk = savgol(magnitude, smoothing, ORDER, 1, dt)
    longitudinal_jerk = savgol(longitudinal, smoothing, ORDER, 1, dt)
    yaw_acceleration = savgol(yaw_rate, smoothing, ORDER, 1, dt) if corrected else yaw_rate

    measured = (longitudinal, lateral, jerk, longitudinal_jerk, yaw_acceleration, yaw_rate)
    kept = [np.all((v > low) & (v < high), axis=-1) for v, (low, high) in zip(measured, BOUNDS.values())]
    return np.stack(kept, axis=-1)


def comfort(log: MetricLog, dt: float = 0.05) -> Comfort:
    """Comfort of one route, official and corrected. `dt`: true seconds between the log's samples."""
    if len(log) <= ORDER:
        return Comfort(None, None, 0, {})
    official = window_bounds(log, corrected=False, dt=0.1)
    corrected = window_bounds(log, corrected=True, dt=dt)
    shares = [float(windows.all(axis=-1).mean()) for windows in (official, corrected)]
    outside = {name: int((~corrected[:, i]).sum()) for i, name in enumerate(BOUNDS)}
    return Comfort(shares[0], shares[1], len(official), outside)


def read_metric_info(path: str | os.PathLike[str]) -> MetricLog:
    """A metric_info.json, samples in file order. Raises `ResultFileError` naming the file and the step."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise ResultFileError(f"{path}: top level: expected an object of steps. Drive the route again to log it.")
    columns: dict[str, list[list[float]]] = {name: [] for name in _VECTORS}
    for step, sample in document.items():
        for name in _VECTORS:
            columns[name].append(_vector(sample, name, f"{path}: step {step!r}: {name}"))
    return MetricLog(*(np.array(columns[name], np.float64).reshape(-1, 3) for name in _VECTORS))


def _vector(sample: Any, name: str, place: str) -> list[float]:
    vector = sample.get(name) if isinstance(sample, dict) else None
    if (
        not isinstance(vector, list)
        or len(vector) != 3
        or not all(isinstance(v, (int, float)) and not isinstance(v, bool) and np.isfinite(v) for v in vector)
    ):
        raise ResultFileError(f"{place}: expected three finite numbers. Drive the route again to log it.")
    return vector


def write_metric_info(path: str | os.PathLike[str], log: MetricLog, first_step: int = 0) -> None:
    """Write a log as metric_info.json, steps numbered from `first_step`."""
    rows = {name: getattr(log, name).tolist() for name in _VECTORS}
    steps = {str(first_step + i): {name: rows[name][i] for name in _VECTORS} for i in range(len(log))}
    write_json(Path(path), steps)
