"""What the bends of a path allow."""

from __future__ import annotations

import math

from simulator.kernel import kernel
from simulator.tracking import path_point

SIDEWAYS = 2.5  # m/s2 that a driver accepts in a bend
BRAKING = 2.0  # m/s2 before it


@kernel
def bend_limit(routes, route, s, speed):  # type: ignore[no-untyped-def]
    """Speed (m/s) that the bends within braking distance of path place `s` allow."""
    reach = 8.0 + speed * speed / 5.0
    allowed = 1e3
    ahead = 0.0
    while ahead < reach:
        x, y, yaw, curvature = path_point(routes, route, s + ahead)
        if abs(curvature) > 0.004:
            allowed = min(allowed, math.sqrt(SIDEWAYS / abs(curvature) + 2.0 * BRAKING * ahead))
        ahead += 2.0
    return allowed
