"""Ackermann control: a vehicle is given a wheel angle and a speed instead of pedals.

CARLA has two PID controllers for it, tuned on its own vehicles. Here the pedals are found from the dynamics themselves,
inverted; the gains that a client sets are kept and reported, and have no effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from simulator.carla_server import encoding
from simulator.dynamics import REFERENCE_HALF_LENGTH, STEERING_GAIN, WHEELBASE, pedals

DEFAULT_GAINS = (0.15, 0.0, 0.25, 0.01, 0.0, 0.01)  # CARLA's: speed kp, ki, kd, acceleration kp, ki, kd
_RESPONSE = 0.5  # s in which a difference in speed is made good, where no limit is given
_HARDEST = 8.0  # m/s2
_TRUE_WHEELBASE = 2.86  # m, of the vehicle that the dynamics were fitted on


@dataclass
class AckermannControl:
    """What a client wants of one vehicle."""

    steer: float  # rad, right positive
    steer_speed: float  # rad/s, 0 no limit
    speed: float  # m/s, negative backwards
    acceleration: float  # m/s2, 0 no limit
    jerk: float  # m/s3, 0 no limit
    angle: float = 0.0  # rad, reached so far
    pull: float = field(default=0.0)  # m/s2, asked for in the last tick


def read_ackermann(value: Any) -> AckermannControl:
    """The struct VehicleAckermannControl."""
    names = ("steer", "steer_speed", "speed", "acceleration", "jerk")
    found = [encoding.number(v, n) for v, n in zip(encoding.fields(value, 5, "VehicleAckermannControl"), names)]
    return AckermannControl(*found)


def control_for(
    wanted: AckermannControl, speed: float, half_length: float, seconds: float
) -> tuple[float, float, float, bool]:
    """Throttle, steer, brake, reverse for the next `seconds`.

    Args:
        wanted: its `angle` and `pull` move on.
        speed: m/s along the heading.
        half_length: m; the wheelbase grows with it.
    """
    turn = wanted.steer - wanted.angle
    if wanted.steer_speed > 0.0:
        turn = min(max(turn, -wanted.steer_speed * seconds), wanted.steer_speed * seconds)
    wanted.angle += turn
    # the same curvature on the dynamics' effective wheelbase
    scale = half_length / REFERENCE_HALF_LENGTH
    curvature = math.tan(min(max(wanted.angle, -1.4), 1.4)) / (_TRUE_WHEELBASE * scale)
    steer = math.atan(curvature * WHEELBASE * scale) / STEERING_GAIN
    backwards = wanted.speed < 0.0 or (wanted.speed == 0.0 and speed < 0.0)
    sign = -1.0 if backwards else 1.0
    along, target = sign * speed, sign * wanted.speed
    limit = wanted.acceleration if wanted.acceleration > 0.0 else _HARDEST
    pull = min(max((target - along) / _RESPONSE, -limit), limit)
    if wanted.jerk > 0.0:
        pull = min(max(pull, wanted.pull - wanted.jerk * seconds), wanted.pull + wanted.jerk * seconds)
    wanted.pull = pull
    if target == 0.0 and abs(speed) < 0.2:
        return 0.0, min(max(steer, -1.0), 1.0), 1.0, backwards
    throttle, brake = pedals(max(along, 0.0), pull)
    return throttle, min(max(steer, -1.0), 1.0), brake, backwards
