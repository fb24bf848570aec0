"""How vehicles move: a kinematic bicycle calibrated to CARLA's Lincoln MKZ, and the same frame for everybody else.

Constants are the published fit used by PDM-Lite, SimLingo and LEAD (20 Hz, after World on Rails). The raw
polynomials run away outside their data, so they are tabulated where they hold, made monotone in speed, and continued by
drag above and by coasting below.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel
from simulator.state import TICK_SECONDS, Behaviour

REAR_AXLE = 1.4178275  # m from the reference point to the rear axle
WHEELBASE = -0.090769015 + REAR_AXLE  # m, effective (a fitting artefact, not geometry)
STEERING_GAIN = 0.36848336  # rad at steer = 1
STEERING_LAG = 0.1  # s, first order
COAST = -0.5  # m/s2 without throttle, or less where the fit slows down more at its lowest throttle
DRAG = 1.0e-3  # 1/m above the tabulated speeds; full throttle tops out near 200 km/h
MAX_TABLE_SPEED = 80.0 / 3.6  # m/s
REFERENCE_HALF_LENGTH = 2.446  # m, of the vehicle that the constants were fitted on

_THROTTLE_FIT = (
    9.63873001e-01,
    4.37535692e-04,
    -3.80192912e-01,
    1.74950069e00,
    9.16787414e-02,
    -7.05461530e-02,
    -1.05996152e-03,
    6.71079346e-04,
)
_BRAKE_FIT = (
    9.31711370e-03,
    8.20967431e-02,
    -2.83832427e-03,
    5.06587474e-05,
    -4.90357228e-07,
    2.44419284e-09,
    -4.91381935e-12,
)
_THROTTLE_FROM = 0.4  # the fit holds from here on
_THROTTLE_STEPS = 12  # of 0.05 up to 1
_SPEED_STEPS = 40  # of 2 km/h up to 80
_BRAKE_STEPS = 45  # of 2 km/h up to 90


def _throttle_table() -> np.ndarray:
    """float64[throttle, speed] m/s2 for throttle 0.4..1 and speed 0..80 km/h, never rising with speed."""
    kmh = np.linspace(0.0, 80.0, _SPEED_STEPS + 1)[None, :]
    t = np.linspace(_THROTTLE_FROM, 1.0, _THROTTLE_STEPS + 1)[:, None]
    terms = (kmh, kmh**2, t, t**2, kmh * t, kmh * t**2, kmh**2 * t, kmh**2 * t**2)
    following = sum(c * term for c, term in zip(_THROTTLE_FIT, terms))
    acceleration = np.asarray((following - kmh) / 3.6 / TICK_SECONDS)
    return np.minimum.accumulate(acceleration, axis=1)


def _brake_table() -> np.ndarray:
    """float64[speed] m/s2 at brake = 1 for speed 0..90 km/h."""
    kmh = np.linspace(0.0, 90.0, _BRAKE_STEPS + 1)
    following = sum(c * kmh ** (k + 1) for k, c in enumerate(_BRAKE_FIT))
    return np.minimum((following - kmh) / 3.6 / TICK_SECONDS, -0.1)


THROTTLE_TABLE = _throttle_table()
BRAKE_TABLE = _brake_table()
_CONTROLLED = int(Behaviour.CONTROLLED)


@kernel
def throttle_acceleration(speed, throttle):  # type: ignore[no-untyped-def]
    """Acceleration in m/s2 at `speed` (m/s, >= 0) and throttle 0..1: rises with throttle, falls with speed."""
    if throttle < _THROTTLE_FROM:
        share = throttle / _THROTTLE_FROM
        pull = throttle_acceleration_table(speed, _THROTTLE_FROM)
        return min(COAST, pull) * (1.0 - share) + pull * share
    return throttle_acceleration_table(speed, throttle)


@kernel
def throttle_acceleration_table(speed, throttle):  # type: ignore[no-untyped-def]
    """Bilinear look-up for throttle 0.4..1, continued by drag above 80 km/h."""
    v = min(speed, MAX_TABLE_SPEED)
    fv = v / MAX_TABLE_SPEED * _SPEED_STEPS
    iv = min(int(fv), _SPEED_STEPS - 1)
    fv -= iv
    ft = (min(throttle, 1.0) - _THROTTLE_FROM) / (1.0 - _THROTTLE_FROM) * _THROTTLE_STEPS
    it = min(int(ft), _THROTTLE_STEPS - 1)
    ft -= it
    low = THROTTLE_TABLE[it, iv] * (1.0 - fv) + THROTTLE_TABLE[it, iv + 1] * fv
    high = THROTTLE_TABLE[it + 1, iv] * (1.0 - fv) + THROTTLE_TABLE[it + 1, iv + 1] * fv
    return low * (1.0 - ft) + high * ft - DRAG * (speed * speed - v * v)


@kernel
def brake_acceleration(speed, brake):  # type: ignore[no-untyped-def]
    """Deceleration (negative, m/s2) at `speed` (m/s, >= 0) and brake 0..1."""
    f = min(speed * 3.6 / 2.0, _BRAKE_STEPS - 1e-9)
    i = int(f)
    f -= i
    return brake * (BRAKE_TABLE[i] * (1.0 - f) + BRAKE_TABLE[i + 1] * f)


@kernel
def pedals(speed, acceleration):  # type: ignore[no-untyped-def]
    """Throttle and brake that give `acceleration` (m/s2) at `speed` (m/s): the dynamics, inverted."""
    coast = throttle_acceleration(speed, 0.0)
    if acceleration >= coast:
        low = 0.0
        high = 1.0
        for _ in range(12):
            middle = 0.5 * (low + high)
            if throttle_acceleration(speed, middle) < acceleration:
                low = middle
            else:
                high = middle
        return high, 0.0
    full = brake_acceleration(max(speed, 0.5), 1.0)
    return 0.0, min(max(acceleration / full, 0.02), 1.0)


@kernel
def drive_controlled(w, i):  # type: ignore[no-untyped-def]
    """One tick of a vehicle under VehicleControl: pedals, steering lag, bicycle."""
    drive_for(w, i, TICK_SECONDS)


@kernel
def drive_for(w, i, seconds):  # type: ignore[no-untyped-def]
    """As `drive_controlled`, over a step of `seconds`."""
    throttle = min(max(w.throttle[i], 0.0), 1.0)
    brake = min(max(w.brake[i], 0.0), 1.0)
    if w.hand_brake[i] == 1:
        brake = 1.0
    direction = 1.0
    if w.speed[i] < 0.0 or (w.speed[i] == 0.0 and w.reverse[i] == 1):
        direction = -1.0
    speed = abs(w.speed[i])
    opposed = (direction > 0.0) == (w.reverse[i] == 1) and speed > 0.0
    if brake > 0.0 or opposed:
        pedal = max(brake, throttle) if opposed else brake
        acceleration = min(brake_acceleration(speed, pedal), throttle_acceleration(speed, 0.0))
    else:
        acceleration = throttle_acceleration(speed, throttle)
    following = max(speed + acceleration * seconds, 0.0)
    slip = turn_wheels(w, i, seconds)
    roll_for(w, i, slip, direction * following, seconds)


@kernel
def turn_wheels(w, i, seconds):  # type: ignore[no-untyped-def]
    """The front wheels follow the steering; returns the slip angle of the reference point, rad."""
    wanted = STEERING_GAIN * min(max(w.steer[i], -1.0), 1.0)
    w.steer_angle[i] += (wanted - w.steer_angle[i]) * (1.0 - math.exp(-seconds / STEERING_LAG))
    return math.atan(REAR_AXLE / WHEELBASE * math.tan(w.steer_angle[i]))


@kernel
def move(w, i, slip, next_speed):  # type: ignore[no-untyped-def]
    """Kinematic bicycle: the actor rolls one tick along its course (yaw + slip), then has `next_speed` (m/s)."""
    roll_for(w, i, slip, next_speed, TICK_SECONDS)


@kernel
def roll_for(w, i, slip, next_speed, seconds):  # type: ignore[no-untyped-def]
    """As `move`, over a step of `seconds`."""
    speed = w.speed[i]
    rear = REAR_AXLE * w.half_length[i] / REFERENCE_HALF_LENGTH
    course = w.yaw[i] + slip
    w.x[i] += speed * math.cos(course) * seconds
    w.y[i] += speed * math.sin(course) * seconds
    rate = speed / rear * math.sin(slip)
    w.yaw_rate[i] = rate
    yaw = w.yaw[i] + rate * seconds
    if yaw > math.pi:
        yaw -= 2.0 * math.pi
    elif yaw < -math.pi:
        yaw += 2.0 * math.pi
    w.yaw[i] = yaw
    w.speed[i] = next_speed
    vx = next_speed * math.cos(yaw + slip)
    vy = next_speed * math.sin(yaw + slip)
    w.ax[i] = (vx - w.vx[i]) / seconds
    w.ay[i] = (vy - w.vy[i]) / seconds
    w.vx[i] = vx
    w.vy[i] = vy
    w.travelled[i] += abs(speed) * seconds


@kernel
def steer_along(w, i, lateral_error, heading_error, curvature):  # type: ignore[no-untyped-def]
    """Slip angle that leads an actor back to its line.

    Path curvature plus critically damped feedback in distance: kappa = kappa_line - e/L^2 - 2 psi/L, L = 3 m + 0.3 s v.
    `lateral_error` metres right of the line, `heading_error` rad of the yaw against the line, `curvature` 1/m.
    """
    rear = REAR_AXLE * w.half_length[i] / REFERENCE_HALF_LENGTH
    length = 3.0 + 0.3 * abs(w.speed[i])
    error = min(max(lateral_error, -1.2), 1.2)
    course_error = heading_error + math.asin(min(max(rear * curvature, -0.7), 0.7))
    wanted = curvature - error / (length * length) - 2.0 * course_error / length
    return math.asin(min(max(rear * wanted, -0.75), 0.75))
