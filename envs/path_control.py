"""From a wanted speed and a path to pedals and steering: the controllers of built-in agents and of action spaces."""

from __future__ import annotations

import math

from simulator.dynamics import REAR_AXLE, STEERING_GAIN, WHEELBASE, brake_acceleration, throttle_acceleration
from simulator.kernel import kernel
from simulator.state import EGO
from simulator.tracking import path_point

MAX_BEND_ACCELERATION = 2.5  # m/s2 sideways that an agent accepts in a bend
FULL_BRAKE_SHARE = 1.0


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
def steer_to(w, x, y):  # type: ignore[no-untyped-def]
    """Pure pursuit: steer (-1..1) towards the world point (x, y)."""
    c = math.cos(w.yaw[EGO])
    s = math.sin(w.yaw[EGO])
    # pursued from the rear axle, whose course is the heading
    dx = x - w.x[EGO] + REAR_AXLE * c
    dy = y - w.y[EGO] + REAR_AXLE * s
    along = dx * c + dy * s
    across = -dx * s + dy * c
    curvature = 2.0 * across / max(along * along + across * across, 1.0)
    return min(max(math.atan(WHEELBASE * curvature) / STEERING_GAIN, -1.0), 1.0)


@kernel
def steer_on_line(w, x, y, yaw, curvature, ahead):  # type: ignore[no-untyped-def]
    """Steer (-1..1) so that the ego, `ahead` metres further, is led on to the line through (x, y).

    `yaw` rad and `curvature` 1/m of the line there. The law is `simulator.dynamics.steer_along`, on the pose that
    the ego will have when its wheels have followed: kappa = kappa_line - e/L^2 - 2 psi/L.
    """
    slip = math.atan(REAR_AXLE / WHEELBASE * math.tan(w.steer_angle[EGO]))
    course = w.yaw[EGO] + slip
    px = w.x[EGO] + ahead * math.cos(course)
    py = w.y[EGO] + ahead * math.sin(course)
    heading = w.yaw[EGO] + ahead / REAR_AXLE * math.sin(slip) - yaw
    heading = math.atan2(math.sin(heading), math.cos(heading)) + math.asin(min(max(REAR_AXLE * curvature, -0.7), 0.7))
    length = 3.0 + 0.3 * abs(w.speed[EGO])
    error = min(max(-(px - x) * math.sin(yaw) + (py - y) * math.cos(yaw), -1.2), 1.2)
    wanted = curvature - error / (length * length) - 2.0 * heading / length
    wanted_slip = math.asin(min(max(REAR_AXLE * wanted, -0.75), 0.75))
    return min(max(math.atan(WHEELBASE / REAR_AXLE * math.tan(wanted_slip)) / STEERING_GAIN, -1.0), 1.0)


@kernel
def pursuit_distance(speed):  # type: ignore[no-untyped-def]
    """Metres ahead of the ego at which it aims."""
    return min(max(3.0, 0.5 * speed + 1.5), 14.0)


@kernel
def bend_speed(routes, route, s, speed):  # type: ignore[no-untyped-def]
    """Speed (m/s) that the bends within braking distance of path place `s` allow."""
    reach = 8.0 + speed * speed / 5.0
    allowed = 1e3
    ahead = 0.0
    while ahead < reach:
        x, y, yaw, curvature = path_point(routes, route, s + ahead)
        if abs(curvature) > 0.004:
            v2 = MAX_BEND_ACCELERATION / abs(curvature) + 2.0 * 2.0 * ahead
            allowed = min(allowed, math.sqrt(v2))
        ahead += 2.0
    return allowed
