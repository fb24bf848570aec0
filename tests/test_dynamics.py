"""The vehicle model: what is published of CARLA's Lincoln holds, and nothing runs away where nothing is published."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.actors import place_actor, set_speed
from simulator.blueprints import EGO_BLUEPRINT
from simulator.dynamics import BRAKE_TABLE, COAST, THROTTLE_TABLE, drive_controlled, throttle_acceleration
from simulator.state import EGO, TICK_SECONDS, Role, empty_worlds

KMH = 1.0 / 3.6


def car_on_open_ground(speed: float = 0.0) -> np.void:
    """A world with nothing but the ego, which drives east at `speed` m/s."""
    w = empty_worlds(1)[0]
    place_actor(w, EGO, EGO_BLUEPRINT, int(Role.HERO), 0.0, 0.0, 0.0, 0.0)
    set_speed(w, EGO, speed)
    return w


def drive(w: np.void, ticks: int = 1, **control: float) -> None:
    for name, value in control.items():
        w[name][EGO] = value
    for _ in range(ticks):
        drive_controlled(w, EGO)


def speed_of(w: np.void) -> float:
    return float(w["speed"][EGO])


@pytest.mark.parametrize(("kmh", "metres"), [(30.0, 2.7), (50.0, 11.3), (70.0, 23.0), (90.0, 42.0)])
def test_full_brake_stops_within_the_published_distance(kmh: float, metres: float) -> None:
    w = car_on_open_ground(kmh * KMH)
    while speed_of(w) > 0.0:
        drive(w, brake=1.0)
    # one tick of rolling is what a discrete simulation may add
    assert w["x"][EGO] == pytest.approx(metres, rel=0.1, abs=0.5 * kmh * KMH * TICK_SECONDS)


def test_half_the_brake_is_half_the_deceleration() -> None:
    full, half = car_on_open_ground(15.0), car_on_open_ground(15.0)
    drive(full, brake=1.0)
    drive(half, brake=0.5)
    assert 15.0 - speed_of(full) == pytest.approx(2.0 * (15.0 - speed_of(half)))


def test_a_touch_of_the_brake_slows_no_less_than_coasting() -> None:
    touched, coasting = car_on_open_ground(15.0), car_on_open_ground(15.0)
    drive(touched, brake=0.01)
    drive(coasting)
    assert speed_of(touched) <= speed_of(coasting)


def test_full_throttle_reaches_50_kmh_in_the_published_time() -> None:
    w = car_on_open_ground()
    ticks = 0
    while speed_of(w) < 50.0 * KMH:
        drive(w, throttle=1.0)
        ticks += 1
    assert ticks * TICK_SECONDS == pytest.approx(2.5, abs=0.25)


def test_throttle_060_reaches_50_kmh_in_the_published_time() -> None:
    w = car_on_open_ground()
    ticks = 0
    while speed_of(w) < 50.0 * KMH:
        drive(w, throttle=0.6)
        ticks += 1
    assert ticks * TICK_SECONDS == pytest.approx(9.6, rel=0.1)


def test_top_speed_is_finite() -> None:
    w = car_on_open_ground()
    drive(w, ticks=20 * 600, throttle=1.0)
    top = speed_of(w)
    drive(w, ticks=20 * 60)
    assert 150.0 * KMH < top < 250.0 * KMH
    assert speed_of(w) == pytest.approx(top, abs=0.01)  # it has been reached


@pytest.mark.parametrize("throttle", [0.0, 0.2, 0.39, 0.4, 0.55, 0.7, 0.85, 1.0])
def test_acceleration_never_grows_with_speed(throttle: float) -> None:
    speeds = np.linspace(0.0, 80.0, 1601)
    accelerations = np.array([throttle_acceleration(v, throttle) for v in speeds])
    assert np.diff(accelerations).max() <= 1e-12


@pytest.mark.parametrize("kmh", [0.0, 20.0, 50.0, 80.0, 120.0])
def test_acceleration_never_falls_with_throttle(kmh: float) -> None:
    accelerations = np.array([throttle_acceleration(kmh * KMH, t) for t in np.linspace(0.0, 1.0, 401)])
    assert np.diff(accelerations).min() >= -1e-12


def test_below_throttle_040_the_pull_fades_to_coasting_without_a_jump() -> None:
    speed = 5.0
    at_fit = throttle_acceleration(speed, 0.4)
    assert throttle_acceleration(speed, 0.0) == COAST
    assert throttle_acceleration(speed, 0.2) == pytest.approx(0.5 * (COAST + at_fit))
    assert throttle_acceleration(speed, 0.4 - 1e-9) == pytest.approx(at_fit, abs=1e-6)


def test_without_pedals_a_rolling_car_coasts_to_a_halt() -> None:
    w = car_on_open_ground(5.0)
    drive(w, ticks=20)
    assert speed_of(w) == pytest.approx(5.0 + COAST)
    drive(w, ticks=20 * 30)
    assert speed_of(w) == 0.0


def test_turning_radius_is_the_published_one() -> None:
    w = car_on_open_ground(5.0)
    drive(w, ticks=40, steer=0.25, throttle=0.0)  # the wheels have followed
    set_speed(w, EGO, 5.0)
    places = []
    for _ in range(400):
        drive(w, steer=0.25)
        set_speed(w, EGO, 5.0)
        places.append((float(w["x"][EGO]), float(w["y"][EGO])))
    ring = np.array(places)
    # the circle through the places: x^2 + y^2 = 2 a x + 2 b y + c
    matrix = np.column_stack([2.0 * ring, np.ones(len(ring))])
    a, b, c = np.linalg.lstsq(matrix, (ring**2).sum(axis=1), rcond=None)[0]
    assert math.sqrt(c + a * a + b * b) == pytest.approx(14.4, rel=0.02)


def test_positive_steer_turns_right() -> None:
    w = car_on_open_ground(5.0)
    drive(w, ticks=20, steer=0.3)
    assert w["yaw"][EGO] > 0.1  # clockwise seen from above
    assert w["y"][EGO] > 0.0  # south of where it came from, which is to the right of east


def test_wheels_follow_the_steering_with_a_lag() -> None:
    w = car_on_open_ground(5.0)
    drive(w, ticks=2, steer=1.0)  # 0.1 s, one time constant
    first = float(w["steer_angle"][EGO])
    drive(w, ticks=40)
    assert first / w["steer_angle"][EGO] == pytest.approx(1.0 - math.exp(-1.0), rel=0.01)


def test_reverse_drives_backwards_and_steers_like_a_car() -> None:
    w = car_on_open_ground()
    drive(w, ticks=40, throttle=0.6, reverse=1, steer=0.3)
    assert speed_of(w) < -1.0
    assert w["x"][EGO] < 0.0
    assert w["yaw"][EGO] < 0.0  # the tail goes to the right


def test_reverse_gear_while_rolling_forward_brakes_first() -> None:
    w = car_on_open_ground(8.0)
    speeds = []
    for _ in range(80):
        drive(w, throttle=0.6, reverse=1)
        speeds.append(speed_of(w))
    turned = speeds.index(0.0)
    assert all(b < a for a, b in pairwise(speeds[: turned + 1]))
    assert min(speeds[:turned]) > 0.0
    assert speeds[-1] < 0.0


def test_reverse_gear_without_pedals_does_not_roll_on_for_ever() -> None:
    w = car_on_open_ground(8.0)
    drive(w, ticks=20 * 30, reverse=1)
    assert speed_of(w) == 0.0


def test_hand_brake_is_a_full_brake_whatever_the_throttle() -> None:
    braked, held = car_on_open_ground(12.0), car_on_open_ground(12.0)
    drive(braked, brake=1.0)
    drive(held, hand_brake=1, throttle=1.0)
    assert speed_of(held) == speed_of(braked)
    drive(held, ticks=200)
    assert speed_of(held) == 0.0


@pytest.mark.parametrize("speed", [0.01, 0.3, 5.0, -0.01, -0.3, -3.0])
def test_brake_never_reverses_motion(speed: float) -> None:
    w = car_on_open_ground(speed)
    w["reverse"][EGO] = int(speed < 0.0)
    for _ in range(100):
        drive(w, brake=1.0)
        assert speed_of(w) * speed >= 0.0
    assert speed_of(w) == 0.0


def test_a_longer_vehicle_turns_wider() -> None:
    short, long = car_on_open_ground(5.0), car_on_open_ground(5.0)
    long["half_length"][EGO] *= 2.0
    drive(short, ticks=40, steer=0.3)
    drive(long, ticks=40, steer=0.3)
    assert long["yaw_rate"][EGO] == pytest.approx(0.5 * short["yaw_rate"][EGO])


def test_acceleration_is_the_change_of_velocity() -> None:
    w = car_on_open_ground(10.0)
    drive(w, ticks=20, steer=0.2, throttle=0.5)
    before = float(w["vx"][EGO]), float(w["vy"][EGO])
    drive(w)
    assert w["ax"][EGO] == pytest.approx((w["vx"][EGO] - before[0]) / TICK_SECONDS)
    assert w["ay"][EGO] == pytest.approx((w["vy"][EGO] - before[1]) / TICK_SECONDS)


controls = st.lists(
    st.tuples(
        st.integers(1, 40),  # ticks
        st.floats(-2.0, 2.0),  # throttle, brake, steer: out of range as well
        st.floats(-2.0, 2.0),
        st.floats(-2.0, 2.0),
        st.booleans(),  # hand brake
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(speed=st.floats(0.0, 70.0), sequence=controls)
def test_any_forward_drive_keeps_speed_finite_and_not_negative(speed: float, sequence: list) -> None:
    w = car_on_open_ground(speed)
    for ticks, throttle, brake, steer, hand_brake in sequence:
        for _ in range(ticks):
            drive(w, throttle=throttle, brake=brake, steer=steer, hand_brake=int(hand_brake))
            assert 0.0 <= speed_of(w) <= max(speed, 70.0)
    state = [w[name][EGO] for name in ("x", "y", "yaw", "vx", "vy", "ax", "ay", "yaw_rate", "steer_angle")]
    assert np.isfinite(state).all()
    assert abs(w["yaw"][EGO]) <= math.pi


@settings(max_examples=20)
@given(sequence=controls)
def test_the_same_controls_give_the_same_bits(sequence: list) -> None:
    twins = [car_on_open_ground(7.0), car_on_open_ground(7.0)]
    for w in twins:
        for ticks, throttle, brake, steer, hand_brake in sequence:
            drive(w, ticks, throttle=throttle, brake=brake, steer=steer, hand_brake=int(hand_brake))
    assert twins[0].tobytes() == twins[1].tobytes()


def test_tables_brake_everywhere_and_pull_less_as_speed_grows() -> None:
    assert (BRAKE_TABLE < 0.0).all()
    assert (np.diff(THROTTLE_TABLE, axis=1) <= 0.0).all()
