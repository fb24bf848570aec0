"""Savitzky-Golay filters as matrices, for windows of any length: what comfort bounds are measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def savgol_matrix(samples: int, window: int, order: int, deriv: int = 0, delta: float = 1.0) -> NDArray[np.float64]:
    """float64[samples, samples]: times a signal it is the filtered signal, as `scipy.signal.savgol_filter` gives it.

    Every sample is the polynomial fitted to the window around it; the ends take the polynomial of the first or last
    window (mode "interp"). The middle of an even window lies half a sample later, as in scipy.

    Args:
        samples: length of the signal. window: samples of a window. order: of the polynomial. deriv: which derivative.
        delta: distance of the samples.

    Raises:
        ValueError: for a window that is not longer than the order, or longer than the signal.
    """
    if not order < window <= samples:
        raise ValueError(f"window {window} must be larger than the order {order} and at most the {samples} samples")
    matrix = np.zeros((samples, samples))
    half = window // 2
    for row in range(samples):
        if row < half:
            first, at = 0, float(row)
        elif row >= samples - half:
            first, at = samples - window, float(row - samples + window)
        else:
            first, at = row - half + (1 - window % 2), 0.5 * (window - 1)
        matrix[row, first : first + window] = _weights(window, order, deriv, at)
    return matrix / delta**deriv


def _weights(window: int, order: int, deriv: int, at: float) -> NDArray[np.float64]:
    """Weights of a window's samples in the fitted polynomial's derivative at place `at` (samples from its first)."""
    middle = 0.5 * (window - 1)
    place = np.arange(window) - middle
    powers = np.arange(order + 1)
    coefficients = np.linalg.pinv(place[:, None] ** powers)  # [order + 1, window]
    weights = np.zeros(window)
    for power in range(deriv, order + 1):
        factor = np.prod(np.arange(power - deriv + 1, power + 1)) if deriv else 1.0
        weights += factor * (at - middle) ** (power - deriv) * coefficients[power]
    return weights
