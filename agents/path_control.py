"""From a wanted speed and a path to pedals and steering: the controller that built-in agents share."""

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
