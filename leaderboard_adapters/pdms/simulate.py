"""From a plan to the states of a vehicle that tracks it: LQR over a kinematic bicycle, as nuPlan and NAVSIM do it.

Frame: that of the plan, x ahead, y to either side as long as yaw grows towards it (CARLA's: right, clockwise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP = 0.1  # s between states
STATES = 41  # of a plan of 4 s

_HORIZON = 10  # steps that the tracker looks ahead
_Q_SPEED, _R_SPEED = 10.0, 1.0
_Q_LATERAL = np.diag([1.0, 10.0, 0.0])
_R_LATERAL = 1.0
_STOP_SPEED, _STOP_GAIN = 0.2, 0.5
_JERK_PENALTY, _CURVATURE_RATE_PENALTY, _CURVATURE_PENALTY = 1e-4, 1e-2, 1e-10
_SPEED_LAG, _STEER_LAG = 0.2, 0.05  # s
_STEER_MOST = np.pi / 3.0


@dataclass(frozen=True)
class Body:
    """A vehicle for scoring. Metres."""

    length: float
    width: float
    wheelbase: float
    rear_to_centre: float


#: nuPlan's vehicle, which NAVSIM scores with.
PACIFICA = Body(length=5.176, width=2.297, wheelbase=3.089, rear_to_centre=1.461)


class Driven:
    """States of N vehicles, all float64[N, T]; x, y of the rear axle, metres, yaw rad, speed m/s.

    `longitudinal`, `lateral`: acceleration at the rear axle, m/s2; `yaw_rate` rad/s, `yaw_acceleration` rad/s2.
    """

    FIELDS = ("x", "y", "yaw", "speed", "longitudinal", "lateral", "yaw_rate", "yaw_acceleration")

    def __init__(self, count: int, states: int = STATES) -> None:
        for name in self.FIELDS:
            setattr(self, name, np.zeros((count, states)))

    x: Array
    y: Array
    yaw: Array
    speed: Array
    longitudinal: Array
    lateral: Array
    yaw_rate: Array
    yaw_acceleration: Array

    def centre(self, body: Body) -> tuple[Array, Array]:
        """x, y of the box centres."""
        return self.x + body.rear_to_centre * np.cos(self.yaw), self.y + body.rear_to_centre * np.sin(self.yaw)

    def centre_acceleration(self, body: Body) -> tuple[Array, Array]:
        """Longitudinal and lateral acceleration at the box centre, shifted rigidly from the rear axle."""
        return (
            self.longitudinal - body.rear_to_centre * self.yaw_rate**2,
            self.lateral + body.rear_to_centre * self.yaw_acceleration,
        )


def interpolate_plan(plans: Array, interval: float = 0.5) -> Array:
    """Poses every 0.1 s of plans of poses in the ego's frame.

    Args:
        plans: float64[N, K, 3] x, y (m), yaw (rad) of the rear axle every `interval` s, the first one interval ahead.

    Returns:
        float64[N, 41, 3], the first the present.
    """
    plans = np.asarray(plans, np.float64)
    poses = np.concatenate([np.zeros((len(plans), 1, 3)), plans], 1)
    poses[..., 2] = np.unwrap(poses[..., 2], axis=1)
    at = np.arange(poses.shape[1]) * interval
    times = np.arange(STATES) * STEP
    k = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    f = ((times - at[k]) / interval)[None, :, None]
    f = np.clip(f, 0.0, 1.0)
    return poses[:, k] * (1.0 - f) + poses[:, k + 1] * f


def plan_headings(points: Array) -> Array:
    """float64[N, K, 3]: waypoints float64[N, K, 2] with the heading of the way that leads to each."""
    before = np.concatenate([np.zeros((len(points), 1, 2)), points[:, :-1]], 1)
    way = points - before
    heading = np.arctan2(way[..., 1], way[..., 0])
    moving = np.hypot(way[..., 0], way[..., 1]) > 0.1
    for k in range(points.shape[1]):
        still = ~moving[:, k]
        heading[still, k] = heading[still, k - 1] if k else 0.0
    return np.concatenate([points, heading[..., None]], -1)


def profiles(poses: Array) -> tuple[Array, Array]:
    """Speed and curvature float64[N, 40] that explain poses float64[N, 41, 3] with little jerk and turning."""
    moved = np.diff(poses[..., :2], axis=1)
    turned = np.diff(poses[..., 2], axis=1)
    n, steps = turned.shape
    unit = np.stack([np.cos(poses[:, :-1, 2]), np.sin(poses[:, :-1, 2])], -1)
    # speed at step i is v0 + dt * sum of the accelerations before it
    lower = np.tril(np.ones((steps, steps - 1)), -1) * STEP
    basis = np.concatenate([np.ones((steps, 1)), lower], 1)  # [steps, 1 + accelerations]
    design = (unit[:, :, :, None] * (STEP * basis)[None, :, None, :]).reshape(n, 2 * steps, steps)
    jerk = np.zeros((steps - 2, steps))
    jerk[:, 1:-1] -= np.eye(steps - 2) / STEP
    jerk[:, 2:] += np.eye(steps - 2) / STEP
    normal = design.transpose(0, 2, 1) @ design + _JERK_PENALTY * jerk.T @ jerk
    speed = (basis @ np.linalg.pinv(normal) @ design.transpose(0, 2, 1) @ moved.reshape(n, -1, 1))[..., 0]
    design = STEP * speed[..., None] * basis
    penalty = np.diag([_CURVATURE_PENALTY] + [_CURVATURE_RATE_PENALTY] * (steps - 1))
    normal = design.transpose(0, 2, 1) @ design + penalty
    curvature = (basis @ np.linalg.pinv(normal) @ design.transpose(0, 2, 1) @ turned[..., None])[..., 0]
    return speed, curvature


def track_plans(poses: Array, speed: float | Array, steer: float | Array = 0.0, body: Body = PACIFICA) -> Driven:
    """Drive plans float64[N, 41, 3] (rear axle, ego's frame) from the present `speed` (m/s) and wheel angle (rad)."""
    n = len(poses)
    wanted_speed, wanted_curvature = profiles(poses)
    driven = Driven(n)
    v = np.broadcast_to(np.asarray(speed, np.float64), (n,)).copy()
    delta = np.broadcast_to(np.asarray(steer, np.float64), (n,)).copy()
    x, y, yaw, a = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    rate = v * np.tan(delta) / body.wheelbase
    driven.speed[:, 0], driven.yaw_rate[:, 0] = v, rate
    for k in range(STATES - 1):
        ahead = min(k + _HORIZON, wanted_speed.shape[1] - 1)
        accelerate, turn = _command(poses[:, k], x, y, yaw, v, delta, wanted_speed[:, ahead], wanted_curvature, k, body)
        a = a + STEP / (STEP + _SPEED_LAG) * (accelerate - a)
        ideal = delta + STEP * turn
        following = delta + STEP / (STEP + _STEER_LAG) * (ideal - delta)
        x = x + STEP * v * np.cos(yaw)
        y = y + STEP * v * np.sin(yaw)
        yaw = yaw + STEP * v * np.tan(delta) / body.wheelbase
        v = v + STEP * a
        delta = np.clip(following, -_STEER_MOST, _STEER_MOST)
        last, rate = rate, v * np.tan(delta) / body.wheelbase
        for name, value in zip(Driven.FIELDS, (x, y, yaw, v, a, np.zeros(n), rate, (rate - last) / STEP), strict=True):
            getattr(driven, name)[:, k + 1] = value
    return driven


def _command(
    pose: Array,
    x: Array,
    y: Array,
    yaw: Array,
    v: Array,
    delta: Array,
    wanted: Array,
    curvature: Array,
    k: int,
    body: Body,
) -> tuple[Array, Array]:
    """Acceleration and steering rate of one step, float64[N] each."""
    n = len(v)
    gain = _HORIZON * STEP
    accelerate = -gain * _Q_SPEED * (v - wanted) / (gain * gain * _Q_SPEED + _R_SPEED)
    dx, dy = x - pose[:, 0], y - pose[:, 1]
    lateral = -dx * np.sin(pose[:, 2]) + dy * np.cos(pose[:, 2])
    heading = np.arctan2(np.sin(yaw - pose[:, 2]), np.cos(yaw - pose[:, 2]))
    state = np.stack([lateral, heading, delta], -1)[..., None]
    effect = np.zeros((n, 3, 1))
    drift = np.zeros((n, 3, 1))
    transition = np.broadcast_to(np.eye(3), (n, 3, 3)).copy()
    for j in range(_HORIZON):
        pace = v + accelerate * STEP * j
        step = np.broadcast_to(np.eye(3), (n, 3, 3)).copy()
        step[:, 0, 1] = pace * STEP
        step[:, 1, 2] = pace * STEP / body.wheelbase
        bend = curvature[:, min(k + j, curvature.shape[1] - 1)]
        transition = step @ transition
        effect = step @ effect
        effect[:, 2, 0] += STEP
        drift = step @ drift
        drift[:, 1, 0] -= pace * bend * STEP
    free = transition @ state + drift
    weighed = effect.transpose(0, 2, 1) @ _Q_LATERAL
    turn = -(weighed @ free)[:, 0, 0] / ((weighed @ effect)[:, 0, 0] + _R_LATERAL)
    stop = (wanted <= _STOP_SPEED) & (v <= _STOP_SPEED)
    return np.where(stop, -_STOP_GAIN * (v - wanted), accelerate), np.where(stop, 0.0, turn)
