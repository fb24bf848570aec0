"""Two plain drivers of the route: one blind, one that keeps distance and obeys lights but never leaves its lane."""

from __future__ import annotations

import numpy as np

from agents.base import Agent
from envs.path_control import bend_speed, pedals, pursuit_distance, steer_to
from envs.world import WorldBatch
from simulator.drivers import idm, obstacle_in_corridor
from simulator.junctions import junction_gap
from simulator.kernel import kernel
from simulator.state import EGO
from simulator.tracking import path_point

FREE = 1e6


@kernel
def follow_route(w, net, routes, sighted, control):  # type: ignore[no-untyped-def]
    """Control of one ego: speed limit and bends; with `sighted` also leaders, lights and right of way."""
    speed = w.speed[EGO]
    r = w.route
    x, y, yaw, curvature = path_point(routes, r, w.path_s)
    lane = w.lane[EGO]
    wanted = net.lane_speed_limit[lane] if lane >= 0 else 5.0
    wanted = min(wanted, bend_speed(routes, r, w.path_s, speed))
    acceleration = min(max(1.2 * (wanted - speed), -4.0), 3.0)
    if sighted:
        gap, leader = obstacle_in_corridor(w, EGO, curvature, 10.0 + 2.0 * speed)
        acceleration = min(acceleration, idm(speed, wanted, gap, leader, 0.8, 3.0))
        gap = junction_gap(w, net, EGO)
        if gap < FREE:
            acceleration = min(acceleration, idm(speed, wanted, max(gap, 0.05), 0.0, 0.2, 1.0))
    throttle, brake = pedals(speed, acceleration)
    if wanted < 0.2 or (acceleration < -0.3 and speed < 0.3):
        throttle, brake = 0.0, 1.0
    x, y, yaw, curvature = path_point(routes, r, w.path_s + pursuit_distance(speed))
    control[0] = throttle
    control[1] = brake
    control[2] = steer_to(w, x, y)


@kernel
def follow_routes(worlds, net, routes, sighted, controls):  # type: ignore[no-untyped-def]
    """`follow_route` for every world."""
    for b in range(worlds.shape[0]):
        follow_route(worlds[b], net, routes, sighted, controls[b])


class RouteFollower(Agent):
    """Tracks the route at the speed limit (slower in bends), blind to everything else."""

    sighted = False

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        self._controls = np.zeros((batch.num_worlds, 3))

    def act(self) -> np.ndarray:
        batch = self.batch
        follow_routes(batch.worlds, batch.routes.net, batch.routes.arrays, self.sighted, self._controls)
        return self._controls


class Autopilot(RouteFollower):
    """Follows the route with IDM, lights, signs and right of way; never overtakes."""

    sighted = True
