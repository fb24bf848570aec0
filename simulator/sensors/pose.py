"""Where a sensor is: the pose of its vehicle and its mounting, as CARLA composes them; and where the vehicle was.

A pose is float64[4, 3]: the position (m), then the unit vectors of its x, y and z axes, all in the world's frame
(left-handed, z up). Rotations are CARLA's: yaw turns x towards y, pitch lifts the nose, roll lowers the right side.
"""

from __future__ import annotations

import math

from simulator.dynamics import REAR_AXLE, REFERENCE_HALF_LENGTH
from simulator.kernel import kernel
from simulator.state import TICK_SECONDS


@kernel
def set_axes(pose, roll, pitch, yaw):  # type: ignore[no-untyped-def]
    """Write the axes of a rotation (rad) into rows 1 to 3 of `pose`."""
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    pose[1, 0], pose[1, 1], pose[1, 2] = cp * cy, cp * sy, sp
    pose[2, 0], pose[2, 1], pose[2, 2] = cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, -cp * sr
    pose[3, 0], pose[3, 1], pose[3, 2] = -cy * sp * cr - sy * sr, -sy * sp * cr + cy * sr, cp * cr


@kernel
def vehicle_pose(w, slot, pose):  # type: ignore[no-untyped-def]
    """Pose of an actor; its origin lies under its centre on the ground. Slot -1 is the world's origin."""
    if slot < 0:
        pose[0, 0], pose[0, 1], pose[0, 2] = 0.0, 0.0, 0.0
        set_axes(pose, 0.0, 0.0, 0.0)
        return
    pose[0, 0], pose[0, 1], pose[0, 2] = w.x[slot], w.y[slot], w.z[slot]
    set_axes(pose, 0.0, w.pitch[slot], w.yaw[slot])


@kernel
def sensor_pose(w, slot, place, pose, scratch):  # type: ignore[no-untyped-def]
    """Pose of a sensor.

    Args:
        slot: the actor that carries it, or -1: it stands in the world.
        place: float64[6] x, y, z (m), roll, pitch, yaw (rad) on the vehicle, or in the world.
        pose: float64[4, 3], written.
        scratch: float64[2, 4, 3], overwritten: the vehicle's pose, and the mounting's rotation.
    """
    vehicle = scratch[0]
    local = scratch[1]
    vehicle_pose(w, slot, vehicle)
    set_axes(local, place[3], place[4], place[5])
    for k in range(3):
        pose[0, k] = vehicle[0, k] + place[0] * vehicle[1, k] + place[1] * vehicle[2, k] + place[2] * vehicle[3, k]
        for axis in range(1, 4):
            pose[axis, k] = (
                local[axis, 0] * vehicle[1, k] + local[axis, 1] * vehicle[2, k] + local[axis, 2] * vehicle[3, k]
            )


@kernel
def rotation_of(pose):  # type: ignore[no-untyped-def]
    """Roll, pitch, yaw of a pose, rad."""
    pitch = math.atan2(pose[1, 2], math.hypot(pose[1, 0], pose[1, 1]))
    yaw = math.atan2(pose[1, 1], pose[1, 0])
    # the y axis without roll is (-sin yaw, cos yaw, 0)
    level = -math.sin(yaw) * pose[2, 0] + math.cos(yaw) * pose[2, 1]
    cp = math.cos(pitch)
    up = pose[3, 2] / cp if cp > 1e-9 else level
    roll = math.atan2(-pose[2, 2] / cp if cp > 1e-9 else 0.0, up)
    return roll, pitch, yaw


@kernel
def previous_place(w, slot):  # type: ignore[no-untyped-def]
    """x, y, yaw of a vehicle one tick ago, from its record: what `dynamics.move` added is taken off again.

    Exact to rounding, but for contacts, which also push.
    """
    old_vx = w.vx[slot] - w.ax[slot] * TICK_SECONDS
    old_vy = w.vy[slot] - w.ay[slot] * TICK_SECONDS
    yaw = w.yaw[slot] - w.yaw_rate[slot] * TICK_SECONDS
    speed = math.hypot(old_vx, old_vy)
    if old_vx * math.cos(yaw) + old_vy * math.sin(yaw) < 0.0:
        speed = -speed
    if abs(speed) < 1e-9:
        return w.x[slot], w.y[slot], yaw
    rear = REAR_AXLE * w.half_length[slot] / REFERENCE_HALF_LENGTH
    course = yaw + math.asin(min(max(w.yaw_rate[slot] * rear / speed, -1.0), 1.0))
    return (
        w.x[slot] - speed * math.cos(course) * TICK_SECONDS,
        w.y[slot] - speed * math.sin(course) * TICK_SECONDS,
        yaw,
    )
