"""Cameras of a rig: those that look from the same place in the same way share one view."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from simulator.sensors.camera import Camera
from simulator.sensors.camera_geometry import Pose
from simulator.sensors.measurements import Image
from simulator.sensors.scene import Scene
from simulator.sensors.specs import SensorSpec


class CameraReaders:
    """Makes the readers of a rig's cameras."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._views: dict[tuple[object, ...], _View] = {}

    def begin(self) -> None:
        """Forget the pictures of the last measurement."""
        for view in self._views.values():
            view.pictures = {}

    def reader(self, spec: SensorSpec, slot: int) -> Callable[[np.void, int], Image]:
        """What measures one camera; the scene holds the world's actors by then."""
        width, height = int(spec.number("image_size_x")), int(spec.number("image_size_y"))
        key = (spec.place, width, height, spec.number("fov"), spec.number("sensor_tick"), slot)
        if key not in self._views:
            self._views[key] = _View(
                Camera(self._scene, width, height, spec.number("fov"), Pose(*spec.place), slot=slot)
            )
        view = self._views[key]
        output = spec.type.removeprefix("sensor.camera.")
        view.outputs.append(output)
        return lambda w, ticks: Image(view.picture(w, output), spec.number("fov"))


class _View:
    """One camera with all outputs that are asked of it."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self.outputs: list[str] = []
        self.pictures: dict[str, np.ndarray] = {}

    def picture(self, w: np.void, output: str) -> np.ndarray:
        if not self.pictures:
            self.pictures = self._camera.render(cast(np.ndarray, w), tuple(dict.fromkeys(self.outputs)), place=False)
        return self.pictures[output].copy()
