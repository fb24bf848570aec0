"""One frame of a drive: the picture of a camera, a map from above in its corner, the dashboard over it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from envs.views.dashboard import Dashboard, draw_dashboard
from envs.views.top_view import TopView
from simulator.errors import SensorError
from simulator.roads.network import RoadNetwork
from simulator.sensors.camera import Camera
from simulator.sensors.camera_geometry import Pose
from simulator.sensors.scene import Scene

#: Where cameras stand: pose on the ego, horizontal field of view in degrees.
VIEWS: Mapping[str, tuple[Pose, float]] = {
    "chase": (Pose(x=-7.2, z=3.5, pitch=-10.0), 82.0),
    "front": (Pose(x=0.8, z=1.6), 90.0),
    "above": (Pose(x=6.0, z=95.0, pitch=-90.0), 34.0),
}
WIDTH, HEIGHT = 960, 540
SMALLEST = (320, 180)


class FramePainter:
    """Draws frames of the worlds of one town, always of one size. The same world gives the same bytes."""

    def __init__(
        self,
        network: RoadNetwork,
        width: int = WIDTH,
        height: int = HEIGHT,
        *,
        view: str = "chase",
        smooth: bool = False,
        threads: int = 1,
    ) -> None:
        """
        Args:
            network: the town.
            width, height: pixels.
            view: a name of `VIEWS`; it may be changed later.
            smooth: four samples a pixel, at four times the cost of the camera.
            threads: 1 or 2 for the camera; the frames are the same.

        Raises:
            SensorError: for an impossible size or an unknown view.
        """
        if width < SMALLEST[0] or height < SMALLEST[1]:
            raise SensorError(f"a frame of {width} x {height}: must be at least {SMALLEST[0]} x {SMALLEST[1]} pixels")
        self.width, self.height = width, height
        scene = Scene(network, threads=threads)
        self._cameras = {
            name: Camera(scene, width, height, fov, pose, antialias=2 if smooth else 1)
            for name, (pose, fov) in VIEWS.items()
        }
        self.view = view
        unit = height / 540.0
        self._inset = TopView(network, round(176 * unit), round(232 * unit))

    @property
    def view(self) -> str:
        """Which camera looks."""
        return self._view

    @view.setter
    def view(self, name: str) -> None:
        if name not in VIEWS:
            raise SensorError(f"view '{name}': must be one of {', '.join(VIEWS)}")
        self._view = name

    def paint(self, world: np.ndarray, path: np.ndarray, dash: Dashboard | None = None) -> np.ndarray:
        """uint8[height, width, 3] RGB, a new array.

        Args:
            world: one record `worlds[b]`; only read.
            path: float64[n, 2] metres, the route.
            dash: what to write; None leaves the picture and the map alone.
        """
        image = self._cameras[self._view].render(world)["rgb"]
        frame = cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)
        if dash is None:
            return frame
        inset = self._inset.draw(world, path)
        tall, wide = inset.shape[:2]
        frame[:tall, self.width - wide :] = inset
        edge = max(round(self.height / 540.0), 1)
        frame[:tall, self.width - wide - edge : self.width - wide] = (16, 19, 23)
        frame[tall : tall + edge, self.width - wide - edge :] = (16, 19, 23)
        draw_dashboard(frame, dash)
        return frame
