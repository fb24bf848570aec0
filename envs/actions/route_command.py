"""Driving by commands relative to the path: a target speed, and an offset that is shifted step by step.

The action of one decision is a pair of choices:

| choice | values | meaning |
|---|---|---|
| speed | 0 .. 6 | target speed: 0, 0.2, 0.4, 0.6, 0.8, 1, 1.15 times what speed limit and bends ahead allow |
| shift | 0, 1, 2 | the wanted offset from the path moves 0.7 m left, stays, moves 0.7 m right, within 4.2 m |

Pedals and steering follow from both by the controllers of `envs.path_control`, every tick. The wanted offset is
remembered, so that a policy that tries things at random still makes wide, steady excursions: it has to be part of what
the policy sees.
"""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np

from envs.actions.base import Actions
from envs.path_control import bend_speed, steer_on_line
from envs.world import WorldBatch
from simulator.dynamics import pedals
from simulator.kernel import kernel
from simulator.state import EGO
from simulator.tracking import path_point

SPEEDS = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.15])  # share of the speed that is allowed
FULL_SPEED = 5  # the choice of what is allowed
SHIFT = 0.7  # m a decision
MAX_OFFSET = 4.2  # m
CHOICES = (len(SPEEDS), 3)
SPEED_GAIN = 1.5  # 1/s, acceleration for a difference in speed
_PREVIEW = 0.12  # s, for the lag of the steering


@kernel
def shift_offsets(actions, offsets):  # type: ignore[no-untyped-def]
    """Take in new decisions. actions: int64[B, 2], offsets: float64[B] metres, right positive."""
    for b in range(actions.shape[0]):
        wanted = offsets[b] + SHIFT * (actions[b, 1] - 1)
        offsets[b] = min(max(wanted, -MAX_OFFSET), MAX_OFFSET)


@kernel
def allowed_speed(w, net, routes):  # type: ignore[no-untyped-def]
    """Speed of the ego that the limit and the bends ahead allow, m/s."""
    lane = w.lane[EGO]
    limit = net.lane_speed_limit[lane] if lane >= 0 else 5.0
    return min(limit, bend_speed(routes, w.route, w.path_s, w.speed[EGO]))


@kernel
def allowed_speeds(worlds, net, routes, allowed):  # type: ignore[no-untyped-def]
    """`allowed_speed` of every world, into float64[B]."""
    for b in range(worlds.shape[0]):
        allowed[b] = allowed_speed(worlds[b], net, routes)


@kernel
def follow_command(w, net, routes, share, offset, control):  # type: ignore[no-untyped-def]
    """Control of one ego, float64[3]: towards `share` of the allowed speed, `offset` metres right of the path."""
    speed = w.speed[EGO]
    wanted = share * allowed_speed(w, net, routes)
    acceleration = min(max(SPEED_GAIN * (wanted - speed), -8.0), 3.0)
    throttle, brake = pedals(speed, acceleration)
    if wanted < 0.2 and speed < 0.5:
        throttle, brake = 0.0, 1.0
    ahead = speed * _PREVIEW
    x, y, yaw, curvature = path_point(routes, w.route, w.path_s + ahead)
    bend = curvature / max(1.0 - curvature * offset, 0.3)
    control[0] = throttle
    control[1] = brake
    control[2] = steer_on_line(w, x - math.sin(yaw) * offset, y + math.cos(yaw) * offset, yaw, bend, ahead)


@kernel
def follow_commands(worlds, net, routes, actions, offsets, controls):  # type: ignore[no-untyped-def]
    """`follow_command` for every world; controls: float64[B, 3]."""
    for b in range(worlds.shape[0]):
        follow_command(worlds[b], net, routes, SPEEDS[actions[b, 0]], offsets[b], controls[b])


class RouteCommands(Actions):
    """`route_command`: MultiDiscrete([7, 3]), target speed and shift of the offset from the path.

    Attributes:
        offsets: float64[B] metres, the wanted offset of each world, right positive.
    """

    def __init__(self, batch: WorldBatch) -> None:
        super().__init__(batch)
        self.space = gym.spaces.MultiDiscrete(np.array(CHOICES))
        self.offsets = np.zeros(batch.num_worlds)
        self._actions = np.zeros((batch.num_worlds, 2), np.int64)
        self._actions[:, 1] = 1

    def decide(self, actions: np.ndarray) -> None:
        given = actions.astype(np.int64)
        if ((given < 0) | (given >= np.array(CHOICES))).any():
            raise ValueError(f"choices must be from 0 to below {CHOICES}, got {actions.tolist()}")
        self._actions[:] = given
        shift_offsets(self._actions, self.offsets)

    def control(self) -> None:
        routes = self.batch.routes
        follow_commands(self.batch.worlds, routes.net, routes.arrays, self._actions, self.offsets, self.controls)

    def begin(self, index: int) -> None:
        self.offsets[index] = 0.0

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        return (self.controls[index].copy(), self.offsets[index].copy(), self._actions[index].copy())

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        self.controls[index], self.offsets[index], self._actions[index] = snapshot
