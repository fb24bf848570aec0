"""Comfort: the smoothing filter against SciPy, the official formula with its quirks, the corrected one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard_adapters.comfort import (
    BOUNDS,
    MetricLog,
    comfort,
    read_metric_info,
    savgol,
    unwrap_rates,
    window_bounds,
    write_metric_info,
)
from simulator.errors import ResultFileError


def log_of(
    samples: int, ahead: float | np.ndarray = 0.1, side: float | np.ndarray = 0.0, turn: float | np.ndarray = 0.2
) -> MetricLog:
    """A drive along +x: `ahead` and `side` accelerations m/s^2, `turn` the yaw rate in deg/s."""
    zero = np.zeros(samples)
    return MetricLog.from_arrays(
        np.stack([ahead + zero, side + zero, zero + 9.81], axis=1),
        np.stack([zero, zero, turn + zero], axis=1),
        np.tile([1.0, 0.0, 0.0], (samples, 1)),
        np.tile([0.0, 1.0, 0.0], (samples, 1)),
    )


# --- filter ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deriv", [0, 1, 2])
@pytest.mark.parametrize("samples", [3, 4, 5, 6, 7, 8, 13, 20, 57])
def test_savgol_equals_scipy(samples: int, deriv: int) -> None:
    signal = pytest.importorskip("scipy.signal", reason="SciPy is the oracle of this test")
    values = np.random.default_rng(samples).normal(0, 5, (4, samples))
    for window in {min(7, samples), 5, samples, 11}:
        if 2 < window <= samples and (window % 2 or window == samples):
            ours = savgol(values, window, 2, deriv, 0.1)
            theirs = signal.savgol_filter(values, window, 2, deriv=deriv, delta=0.1)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5), st.integers(7, 40))
def test_savgol_keeps_parabolas_and_their_slopes(a: float, b: float, c: float, samples: int) -> None:
    x = np.arange(samples) * 0.05
    np.testing.assert_allclose(savgol(a + b * x + c * x**2, 7, 2), a + b * x + c * x**2, atol=1e-9)
    np.testing.assert_allclose(savgol(a + b * x + c * x**2, 7, 2, 1, 0.05), b + 2 * c * x, atol=1e-8)


@pytest.mark.parametrize("window", [2, 6, 9])
def test_savgol_refuses_windows_that_do_not_fit(window: int) -> None:
    with pytest.raises(ValueError, match=f"window {window} must be"):
        savgol(np.zeros(8), window, 2)


def test_rates_are_unwrapped_by_whole_turns() -> None:
    rates = np.array([0.0, 3.0, 6.5, 0.1])
    np.testing.assert_allclose(unwrap_rates(rates), [0.0, 3.0, 6.5 - 2 * np.pi, 0.1], atol=1e-12)


# --- official formula ------------------------------------------------------------------------------------------------


def test_a_calm_drive_is_comfortable() -> None:
    result = comfort(log_of(45))
    assert (result.official, result.corrected, result.windows) == (1.0, 1.0, 2)  # the incomplete third is dropped


def test_officially_one_degree_a_second_is_too_fast() -> None:
    result = comfort(log_of(45, turn=1.0))
    assert result.official == 0.0
    assert result.corrected == 1.0  # it is 0.017 rad/s


def test_officially_the_yaw_rate_stands_for_its_derivative() -> None:
    steady = window_bounds(log_of(20, turn=1.5), corrected=False, dt=0.1)
    assert steady[0].tolist() == [True, True, True, True, True, False]
    fast = window_bounds(log_of(20, turn=2.0), corrected=False, dt=0.1)
    assert fast[0].tolist() == [True, True, True, True, False, False]


def test_officially_jerk_is_halved() -> None:
    ramp = 6.0 * 0.05 * np.arange(12) - 3.6  # from -3.6 m/s^2 with 6 m/s^3; the bound is 4.13
    result = comfort(log_of(12, ahead=ramp))
    assert (result.official, result.corrected) == (1.0, 0.0)
    assert {name for name, windows in result.out_of_bounds.items() if windows} == {"longitudinal jerk"}


def test_each_bound_is_judged_by_its_own_signal() -> None:
    names = list(BOUNDS)
    hard_braking = window_bounds(log_of(20, ahead=-4.1), corrected=True, dt=0.05)[0]
    assert [name for name, kept in zip(names, hard_braking) if not kept] == ["longitudinal acceleration"]
    hard_curve = window_bounds(log_of(20, side=4.9), corrected=True, dt=0.05)[0]
    assert [name for name, kept in zip(names, hard_curve) if not kept] == ["lateral acceleration"]
    spin = window_bounds(log_of(20, turn=np.rad2deg(1.0)), corrected=True, dt=0.05)[0]
    assert [name for name, kept in zip(names, spin) if not kept] == ["yaw rate"]
    swing = np.rad2deg(2.0 * 0.05 * (np.arange(18) - 8.5))  # 2 rad/s^2, through zero, below 0.95 rad/s
    swung = window_bounds(log_of(18, turn=swing), corrected=True, dt=0.05)[0]
    assert [name for name, kept in zip(names, swung) if not kept] == ["yaw acceleration"]


def test_bounds_are_exclusive() -> None:
    assert not window_bounds(log_of(3, ahead=2.4 + 1e-9), corrected=False, dt=0.1)[0, 0]
    assert window_bounds(log_of(3, ahead=2.4 - 1e-9), corrected=False, dt=0.1)[0, 0]


@pytest.mark.parametrize(("samples", "windows"), [(3, 1), (6, 1), (20, 1), (21, 1), (39, 1), (40, 2), (4000, 200)])
def test_windows(samples: int, windows: int) -> None:
    assert comfort(log_of(samples)).windows == windows


@pytest.mark.parametrize("samples", [0, 1, 2])
def test_too_short_a_log_has_no_comfort(samples: int) -> None:
    assert comfort(log_of(samples)).official is None


def test_the_official_formula_step_by_step_with_scipy() -> None:
    """An independent, literal reading of the rules, on rough random drives."""
    signal = pytest.importorskip("scipy.signal", reason="SciPy is the oracle of this test")
    rng = np.random.default_rng(5)
    passed = 0
    for n in [5, 19, 60]:
        for _ in range(20):
            yaw = rng.uniform(-3, 3, n)
            forward = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(n)], axis=1)
            right = np.stack([-np.sin(yaw), np.cos(yaw), np.zeros(n)], axis=1)
            acceleration = rng.normal(0, 0.7, (n, 3)).cumsum(axis=0) * 0.2
            rate = rng.normal(0, 0.4, (n, 3))
            log = MetricLog.from_arrays(acceleration, rate, forward, right)
            marks = []
            for start in range(0, n if n <= 20 else n - n % 20, 20):
                part = slice(start, start + 20)
                a, window = acceleration[part], min(7, len(acceleration[part]))

                def smooth(values: np.ndarray, window: int = window, **more: float) -> np.ndarray:
                    return signal.savgol_filter(values, window, 2, **more)

                lon = smooth(np.sum(a[:, :2] * forward[part, :2], axis=1))
                lat = smooth(np.sum(a[:, :2] * right[part, :2], axis=1))
                mag = smooth(np.hypot(a[:, 0], a[:, 1]))
                yaw_rate = smooth(unwrap_rates(rate[part, 2]))
                marks.append(
                    bool(
                        np.all((lon > -4.05) & (lon < 2.40) & (abs(lat) < 4.89) & (abs(yaw_rate) < 0.95))
                        and np.all(abs(smooth(mag, deriv=1, delta=0.1)) < 8.37)
                        and np.all(abs(smooth(lon, deriv=1, delta=0.1)) < 4.13)
                    )
                )
            passed += sum(marks)
            assert comfort(log).official == pytest.approx(sum(marks) / len(marks))
    assert 0 < passed < 100  # the drives are rough enough to fail, calm enough to pass


@settings(max_examples=30)
@given(st.integers(3, 90), st.integers(0, 1000))
def test_comfort_does_not_depend_on_the_heading_of_the_world(samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    acceleration, rate = rng.normal(0, 2, (samples, 3)), rng.normal(0, 0.5, (samples, 3))
    turn = rng.uniform(-3, 3)
    spin = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    basis = np.tile(np.eye(3)[None], (samples, 1, 1))
    straight = MetricLog.from_arrays(acceleration, rate, basis[:, 0], basis[:, 1])
    turned = MetricLog.from_arrays(acceleration @ spin, rate, basis[:, 0] @ spin, basis[:, 1] @ spin)
    assert comfort(straight) == comfort(turned)


# --- files -----------------------------------------------------------------------------------------------------------


def test_metric_info_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    log = MetricLog(*(rng.normal(size=(25, 3)) for _ in range(6)))
    write_metric_info(tmp_path / "metric_info.json", log, first_step=1)
    read = read_metric_info(tmp_path / "metric_info.json")
    assert next(iter(json.loads((tmp_path / "metric_info.json").read_text()))) == "1"
    for name in ("acceleration", "angular_velocity", "forward_vector", "right_vector", "location", "rotation"):
        np.testing.assert_array_equal(getattr(read, name), getattr(log, name))
    assert comfort(read) == comfort(log)


def test_a_log_needs_rows_of_three() -> None:
    with pytest.raises(ValueError, match="right_vector has shape"):
        MetricLog.from_arrays(np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "expected an object"),
        ('{"0": 1}', "step '0': acceleration"),
        ('{"0": {"acceleration": [1, 2]}}', "step '0': acceleration: expected three"),
        ('{"0": {"acceleration": [1, 2, NaN]}}', "three finite"),
        ('{"0": {"acceleration": [1, 2, 3]', "cut off"),
        ("", "empty"),
    ],
)
def test_a_bad_metric_info_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "metric_info.json"
    path.write_text(text)
    with pytest.raises(ResultFileError, match=says) as caught:
        read_metric_info(path)
    assert str(path) in str(caught.value)
