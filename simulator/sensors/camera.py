"""CARLA's cameras on the embedded town: colour, depth, semantic and instance segmentation of one view.

    scene = Scene(network)
    camera = Camera(scene, width=640, height=360, fov=90, mount=Pose(x=-1.5, z=2.0))
    images = camera.render(worlds[0], outputs=("rgb", "depth"))      # uint8[H, W, 4], B G R A

All outputs of one call come from one visibility buffer, so they agree pixel by pixel. The same record gives the same
bytes, in every process and with any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from simulator.errors import SensorError
from simulator.sensors.camera_encode import encode
from simulator.sensors.camera_geometry import Pose, check_camera, check_world, focal_length, mounted, pose_matrix
from simulator.sensors.scene import Scene, View
from simulator.sensors.shade import Shader
from simulator.state import EGO

OUTPUTS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation")


class Camera:
    """A pinhole camera, on an actor or in the world."""

    def __init__(
        self,
        scene: Scene,
        width: int = 800,
        height: int = 600,
        fov: float = 90.0,
        mount: Pose | None = None,
        *,
        slot: int = EGO,
        antialias: int = 1,
    ) -> None:
        """
        Args:
            scene: the town; several cameras may share it.
            width, height: pixels. fov: horizontal, degrees.
            mount: pose relative to actor `slot`; the default looks ahead from 1.6 m above its origin.
            slot: the actor that carries the camera, or -1: `mount` is a pose in the world.
            antialias: 2 smooths the colour picture from four samples a pixel; the other outputs stay as they are.

        Raises:
            SensorError: impossible resolution, field of view or pose.
        """
        self.mount = Pose(z=1.6) if mount is None else Pose(*mount)
        check_camera(width, height, fov, self.mount)
        if antialias not in (1, 2):
            raise SensorError(f"camera antialias {antialias!r}: must be 1 (off) or 2 (four samples a pixel)")
        if antialias == 2:
            check_camera(2 * width, 2 * height, fov)
        self.scene, self.width, self.height, self.fov = scene, width, height, float(fov)
        self.slot, self.antialias = slot, antialias
        scene.shader = scene.shader or Shader(scene)
        self._shader: Shader = scene.shader

    @property
    def focal(self) -> float:
        """Focal length in pixels of what is drawn (twice the picture's with antialias 2)."""
        return self.antialias * focal_length(self.width, self.fov)

    def render(
        self, world: np.ndarray, outputs: Sequence[str] = ("rgb",), *, place: bool = True
    ) -> dict[str, np.ndarray]:
        """uint8[H, W, 4] (B, G, R, A) for each of `outputs`, names of `OUTPUTS`.

        Args:
            world: one record `worlds[b]`; only read.
            place: put its actors into the scene first; False when the scene already holds this record.

        Raises:
            SensorError: for an unknown output, or what is not one WORLD record.
        """
        for name in outputs:
            if name not in OUTPUTS:
                raise SensorError(f"camera output {name!r}: must be one of {', '.join(OUTPUTS)}")
        check_world(world)
        axes, position = pose_matrix(self.mount) if self.slot < 0 else mounted(world, self.slot, self.mount)
        if place:
            size = self.antialias * self.width, self.antialias * self.height
            self.scene.place(world, viewer=position, focal=self.focal, axes=axes, size=size)
        images: dict[str, np.ndarray] = {}
        if "rgb" in outputs and self.antialias == 2:
            view = self.scene.look(axes, position, 2 * self.width, 2 * self.height, self.fov)
            fine = self._shader.paint(world, view)
            images["rgb"] = cv2.resize(fine, (self.width, self.height), interpolation=cv2.INTER_AREA)
            if len(outputs) == 1:
                return images
        view = self.scene.look(axes, position, self.width, self.height, self.fov)
        if "rgb" in outputs and "rgb" not in images:
            images["rgb"] = self._shader.paint(world, view)
        return images | self._encode(outputs, view)

    def _encode(self, outputs: Sequence[str], view: View) -> dict[str, np.ndarray]:
        """All outputs but colour, in one pass."""
        scene, (height, width) = self.scene, view.triangle.shape
        codes = [np.empty((height if name in outputs else 0, width), np.uint32) for name in OUTPUTS[1:]]
        depth, classes, instances = codes

        def band(number: int) -> None:
            low, high = height * number // scene.threads, height * (number + 1) // scene.threads
            encode(view.inverse_depth, view.triangle, scene.tag, scene.thing, depth, classes, instances, low, high)

        if any(len(code) for code in codes):
            scene.in_bands(band)
        return {
            name: code.view(np.uint8).reshape(height, width, 4)
            for name, code in zip(OUTPUTS[1:], codes)
            if name in outputs
        }
