"""Filter matrices equal scipy's filter, for odd and even windows."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboard_adapters.smoothing import savgol_matrix

signal = pytest.importorskip("scipy.signal")


@pytest.mark.parametrize("samples", [8, 9, 15, 41])
@pytest.mark.parametrize(("window", "order", "deriv"), [(8, 2, 0), (7, 2, 1), (5, 2, 1), (5, 3, 2), (8, 2, 1)])
def test_a_matrix_filters_like_scipy(samples: int, window: int, order: int, deriv: int) -> None:
    values = np.random.default_rng(samples).normal(size=(3, samples))
    ours = values @ savgol_matrix(samples, window, order, deriv, 0.1).T
    theirs = signal.savgol_filter(values, window, order, deriv=deriv, delta=0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("window", [2, 10])
def test_windows_that_do_not_fit_are_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"window {window}"):
        savgol_matrix(9, window, 2)
