"""What a vision-language policy sees: pictures of its cameras, the navigation command, speed, and where it has been.

Rows: `images` uint8[N, C, H, W, 3] RGB; `command` int64[N], CARLA's road option; `speed` float64[N] m/s, `acceleration`
float64[N] m/s2; `points` float64[N, 2, 2] metres of the path 10 and 20 m ahead, `history` float64[N, 3, 2] metres of
the ego 1.5, 1.0 and 0.5 s ago, both (ahead, right) in the ego's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.policy import Rows
from agents.tokens.poses import relative
from envs.world import WorldBatch
from simulator.sensors.camera import Camera
from simulator.sensors.camera_geometry import Pose
from simulator.sensors.scene import Scene
from simulator.state import EGO
from simulator.tracking import path_point

_FOLLOW = 4
_LOOK_AHEAD = 30  # points of the traced route, about metres
_AHEAD = (10.0, 20.0)  # m
_PAST = (30, 20, 10)  # ticks
_KEEP = 64  # poses remembered a world


@dataclass(frozen=True)
class CameraView:
    """One camera of the rig."""

    width: int = 224
    """Pixels."""
    height: int = 224
    """Pixels."""
    fov: float = 100.0
    """Horizontal, degrees."""
    yaw: float = 0.0
    """Degrees, right positive; 0 looks ahead."""
    x: float = 0.7
    """Metres ahead of the vehicle's middle."""
    z: float = 1.6
    """Metres above the ground."""


class VlaView:
    """Observer over a rig of cameras. Remembers the ego's poses at the ticks at which it was asked."""

    def __init__(self, batch: WorldBatch, cameras: tuple[CameraView, ...]) -> None:
        self._batch = batch
        scene = Scene(batch.routes.network)
        self._cameras = [
            Camera(scene, c.width, c.height, c.fov, Pose(x=c.x, z=c.z, yaw=c.yaw), slot=EGO) for c in cameras
        ]
        self._ticks = np.full((batch.num_worlds, _KEEP), -1, np.int64)
        self._poses = np.zeros((batch.num_worlds, _KEEP, 3))
        self._options = [np.asarray(prepared.trace.option, np.int64) for prepared in batch.routes.routes]

    def reset(self, index: int) -> None:
        self._ticks[index] = -1

    def observe(self, indices: np.ndarray) -> Rows:
        worlds = self._batch.worlds
        pose = np.stack([worlds[name][indices, EGO] for name in ("x", "y", "yaw")], axis=-1)
        for k, b in enumerate(indices):
            at = int(worlds["tick"][b])
            self._ticks[b, at % _KEEP], self._poses[b, at % _KEEP] = at, pose[k]
        c, s = np.cos(pose[:, 2]), np.sin(pose[:, 2])
        ax, ay = worlds["ax"][indices, EGO], worlds["ay"][indices, EGO]
        return {
            "images": np.stack([self._pictures(int(b)) for b in indices]),
            "command": np.array([self._command(int(b)) for b in indices], np.int64),
            "speed": worlds["speed"][indices, EGO].astype(np.float64),
            "acceleration": (ax * c + ay * s).astype(np.float64),
            "points": np.stack([self._points(int(b), pose[k]) for k, b in enumerate(indices)]),
            "history": np.stack([self._history(int(b), pose[k]) for k, b in enumerate(indices)]),
        }

    def _pictures(self, b: int) -> np.ndarray:
        world = self._batch.worlds[b]
        shots = [camera.render(world, ("rgb",), place=n == 0)["rgb"] for n, camera in enumerate(self._cameras)]
        return np.stack([shot[..., 2::-1] for shot in shots])

    def _command(self, b: int) -> int:
        """The next option of the route that is not to follow the lane, within 30 points."""
        options = self._options[int(self._batch.worlds["route"][b])]
        here = int(self._batch.criteria["route_index"][b])
        for option in options[here : here + _LOOK_AHEAD]:
            if option != _FOLLOW and option > 0:
                return int(option)
        return _FOLLOW

    def _points(self, b: int, pose: np.ndarray) -> np.ndarray:
        world, routes = self._batch.worlds[b], self._batch.routes.arrays
        found = [path_point(routes, world["route"], world["path_s"] + ahead)[:3] for ahead in _AHEAD]
        return relative(pose[None], np.array(found))[:, :2]

    def _history(self, b: int, pose: np.ndarray) -> np.ndarray:
        """The pose at each past time, or the oldest one known."""
        now = int(self._batch.worlds["tick"][b])
        known = self._ticks[b] >= 0
        found = []
        for age in _PAST:
            gap = np.where(known & (self._ticks[b] <= now - age), now - age - self._ticks[b], 10**6)
            best = int(gap.argmin())
            if gap[best] == 10**6:
                best = int(np.where(known, self._ticks[b], 10**9).argmin())
            found.append(self._poses[b, best])
        return relative(pose[None], np.array(found))[:, :2]

    def snapshot(self, index: int) -> Any:
        return self._ticks[index].copy(), self._poses[index].copy()

    def restore(self, index: int, snapshot: Any) -> None:
        self._ticks[index], self._poses[index] = snapshot
