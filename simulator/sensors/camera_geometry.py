"""Where a camera stands and what it sees: CARLA's transforms and its pinhole model.

A pose is (x, y, z, roll, pitch, yaw): metres and degrees, CARLA's conventions (pitch up positive, yaw clockwise from
above, roll to the right positive). The camera looks along its x axis; y is to the right, z up.

Pixel (column i, row j) covers [i, i+1) x [j, j+1); it is sampled at its centre (i + 0.5, j + 0.5). With
f = width / (2 tan(fov / 2)) a point at (x, y, z) of the camera frame falls on u = width / 2 + f y / x and
v = height / 2 - f z / x, as in CARLA's own examples (`build_projection_matrix`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.errors import SensorError
from simulator.state import WORLD

MAX_PIXELS = 4096  # along a side
MIN_FOV, MAX_FOV = 1.0, 170.0  # degrees


class Pose(NamedTuple):
    """A CARLA transform: metres and degrees, in the order of the leaderboard's sensor dictionaries."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0


def rotation(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """float64[3, 3]: columns are the forward, right and up axes of a CARLA rotation in degrees."""
    r, p, y = math.radians(roll), math.radians(pitch), math.radians(yaw)
    cr, sr, cp, sp, cy, sy = math.cos(r), math.sin(r), math.cos(p), math.sin(p), math.cos(y), math.sin(y)
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -(cy * sp * cr + sy * sr)],
            [cp * sy, sy * sp * sr + cy * cr, cy * sr - sy * sp * cr],
            [sp, -cp * sr, cp * cr],
        ]
    )


def pose_matrix(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Axes float64[3, 3] (columns forward, right, up) and position float64[3] of a pose in the world."""
    return rotation(pose.roll, pose.pitch, pose.yaw), np.array([pose.x, pose.y, pose.z], np.float64)


def mounted(world: np.ndarray, slot: int, mount: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Axes and position in the world of a sensor that is fixed to an actor.

    Args:
        world: one record `worlds[b]` of `simulator.state`.
        slot: the actor; its origin is on the ground at the centre of its box.
        mount: relative to the actor.
    """
    axes = rotation(0.0, math.degrees(float(world["pitch"][slot])), math.degrees(float(world["yaw"][slot])))
    origin = np.array([world["x"][slot], world["y"][slot], world["z"][slot]], np.float64)
    inner, offset = pose_matrix(mount)
    return axes @ inner, origin + axes @ offset


def focal_length(width: int, fov: float) -> float:
    """Focal length in pixels of a horizontal field of view in degrees."""
    return width / (2.0 * math.tan(math.radians(fov) / 2.0))


def project(
    points: np.ndarray, axes: np.ndarray, position: np.ndarray, width: int, height: int, fov: float
) -> np.ndarray:
    """float64[n, 3] column, row (in pixels, not rounded) and depth along the view axis of points float[n, 3]."""
    local = (np.asarray(points, np.float64) - position) @ axes
    f = focal_length(width, fov)
    depth = local[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([width / 2 + f * local[:, 1] / depth, height / 2 - f * local[:, 2] / depth, depth], axis=1)


def check_camera(width: int, height: int, fov: float, pose: Pose | None = None) -> None:
    """Refuse what cannot be rendered.

    Raises:
        SensorError: which value is out of bounds, and what is allowed.
    """
    for name, value in (("width", width), ("height", height)):
        if not isinstance(value, int | np.integer) or not 1 <= value <= MAX_PIXELS:
            raise SensorError(f"camera {name} {value!r}: must be a whole number of pixels from 1 to {MAX_PIXELS}")
    if not (isinstance(fov, int | float | np.floating | np.integer) and MIN_FOV <= fov <= MAX_FOV):
        raise SensorError(f"camera fov {fov!r}: must be {MIN_FOV:g} to {MAX_FOV:g} degrees (horizontal field of view)")
    if pose is not None:
        for field, number in zip(Pose._fields, pose):
            if not math.isfinite(number) or abs(number) > 1e6:
                raise SensorError(
                    f"camera {field} {number!r}: must be a finite number (metres, degrees) below a million"
                )


def check_world(world: np.ndarray) -> None:
    """Refuse what is not one WORLD record.

    Raises:
        SensorError: what was given instead.
    """
    if not isinstance(world, np.void) or world.dtype != WORLD:
        shape = getattr(world, "shape", None)
        raise SensorError(
            f"a camera reads one world record (simulator.state.WORLD), such as batch.worlds[0]; "
            f"got {type(world).__name__} of shape {shape}"
        )
