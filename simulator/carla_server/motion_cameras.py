"""Cameras that compare two measurements, and the one of normals; kernels are in `simulator.sensors.camera_motion`."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from simulator.carla_server.sensor_readers import Mounted
from simulator.sensors.camera_geometry import Pose, mounted, pose_matrix, rotation
from simulator.sensors.camera_motion import EVENT, encode_normals, intensity, measure_flow, sense_events
from simulator.sensors.measurements import Image
from simulator.sensors.noise import noise_key
from simulator.sensors.scene import Scene, View
from simulator.state import MAX_ACTORS

#: Types that are drawn here, and not by `simulator.sensors.camera`.
MOTION_TYPES = frozenset(f"sensor.camera.{name}" for name in ("normals", "optical_flow", "dvs"))


def image_header(width: int, height: int, fov: float) -> bytes:
    """What comes before the pixels of every picture."""
    return np.array([width, height], "<u4").tobytes() + np.float32(fov).tobytes()


class MotionCamera:
    """One such camera: what it saw last, and how to see again."""

    def __init__(self, sensor: Mounted) -> None:
        spec = sensor.spec
        self.width, self.height = int(spec.number("image_size_x")), int(spec.number("image_size_y"))
        self.fov = spec.number("fov")
        self._before: _Before | None = None
        self._events = _EventPixels(sensor) if spec.type == "sensor.camera.dvs" else None

    def look(self, scene: Scene, w: np.void, sensor: Mounted) -> View:
        """The visibility buffer of a scene that holds the world's actors."""
        mount = Pose(*sensor.spec.place)
        axes, position = pose_matrix(mount) if sensor.slot < 0 else mounted(cast(np.ndarray, w), sensor.slot, mount)
        return scene.look(axes, position, self.width, self.height, self.fov)

    def measure(self, scene: Scene, w: np.void, sensor: Mounted, picture: np.ndarray | None) -> bytes:
        """The body of a frame. `picture`: uint8[H, W, 4] of the colour camera at the same place, for events."""
        if self._events is not None and picture is not None:
            return image_header(self.width, self.height, self.fov) + self._events.sense(w, picture)
        view = self.look(scene, w, sensor)
        if sensor.spec.type == "sensor.camera.normals":
            code = np.empty(view.triangle.shape, np.uint32)
            encode_normals(view.triangle, scene.normal, code)
            return Image(code.view(np.uint8).reshape(*code.shape, 4), self.fov).wire_body()
        flow = self._flow(scene, w, view)
        return image_header(self.width, self.height, self.fov) + flow.astype("<f4").tobytes()

    def _flow(self, scene: Scene, w: np.void, view: View) -> np.ndarray:
        now = _Before(
            view.axes.copy(), view.position.copy(), {int(w["actor_id"][s]): _pose(w, int(s)) for s in _slots(scene)}
        )
        before = self._before or now
        self._before = now
        motion = np.zeros((MAX_ACTORS, 4, 3))
        motion[:, :3] = np.eye(3)
        for a, slot in enumerate(_slots(scene)):
            actor = int(w["actor_id"][slot])
            if actor in before.actors:
                (turn, place), (old_turn, old_place) = now.actors[actor], before.actors[actor]
                motion[a, :3] = old_turn @ turn.T
                motion[a, 3] = old_place - motion[a, :3] @ place
        out = np.empty((*view.triangle.shape, 2), np.float32)
        measure_flow(
            view.triangle, view.inverse_depth, view.axes, view.position, before.axes, before.position, view.focal,
            scene.num_static, scene.actor_triangle, scene.num_actors, motion, out,
        )  # fmt: skip
        return out


class _Before(NamedTuple):
    """Where everything was at the last measurement."""

    axes: np.ndarray
    position: np.ndarray
    actors: dict[int, tuple[np.ndarray, np.ndarray]]  # actor id -> its axes float64[3, 3] and its place


def _slots(scene: Scene) -> np.ndarray:
    return scene.actor_slot[: scene.num_actors]


def _pose(w: np.void, slot: int) -> tuple[np.ndarray, np.ndarray]:
    axes = rotation(0.0, float(np.degrees(w["pitch"][slot])), float(np.degrees(w["yaw"][slot])))
    return axes, np.array([w["x"][slot], w["y"][slot], w["z"][slot]], np.float64)


class _EventPixels:
    """The pixels of a dynamic vision sensor."""

    def __init__(self, sensor: Mounted) -> None:
        spec = sensor.spec
        self._number = sensor.number
        names = [f"{kind}_threshold" for kind in ("positive", "negative", "sigma_positive", "sigma_negative")]
        self._limits = np.array([spec.number(name) for name in names])
        self._refractory = int(spec.attributes["refractory_period_ns"])
        self._use_log, self._log_eps = int(bool(spec.attributes["use_log"])), spec.number("log_eps")
        self._time = 0
        self._last: np.ndarray | None = None
        self._reference: np.ndarray = np.zeros((0, 0), np.float32)
        self._fired: np.ndarray = np.zeros((0, 0), np.int64)

    def sense(self, w: np.void, picture: np.ndarray) -> bytes:
        """EVENT records since the last picture, in the order of time."""
        now, end = np.empty(picture.shape[:2], np.float32), round(float(w["time"]) * 1e9)
        intensity(picture, self._use_log, self._log_eps, now)
        if self._last is None:
            self._reference, self._fired = now.copy(), np.zeros(now.shape, np.int64)
            found = np.zeros(0, EVENT)
        else:
            key = np.uint64(noise_key(w, self._number, 0))
            found = np.zeros(2 * now.size, EVENT)
            where = (key, self._last, now)
            reference, fired = self._reference.copy(), self._fired.copy()
            rest = (self._time, end, self._limits, self._refractory)
            count = sense_events(*where, reference, fired, *rest, found)
            if count > len(found):
                found = np.zeros(count, EVENT)
                reference, fired = self._reference.copy(), self._fired.copy()
                sense_events(*where, reference, fired, *rest, found)
            self._reference, self._fired = reference, fired
            found = found[:count]
            found = found[np.argsort(found["t"], kind="stable")]
        self._last, self._time = now, end
        return found.tobytes()
