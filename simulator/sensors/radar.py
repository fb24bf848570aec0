"""Radar: a few rays at random places of its field of view, with the speed at which what they hit goes away.

CARLA's `sensor.other.radar`: per tick int(points_per_second * dt) rays, drawn evenly in radius and angle of an ellipse,
so that they are denser in the middle. A ray's velocity is that of its target against the radar, along the ray: positive
for what moves away (CARLA's source; its reference says the opposite).
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel
from simulator.sensors.measurements import Radar
from simulator.sensors.noise import noise_key, noise_uniform
from simulator.sensors.pose import sensor_pose
from simulator.sensors.scene import Scene
from simulator.sensors.specs import SensorSpec
from simulator.state import TICK_SECONDS

_NEAR = 1e-3  # m


@kernel
def draw_rays(w, sensor, noise_seed, wide, tall, rays):  # type: ignore[no-untyped-def]
    """Rays through the plane x = 1: `rays` float64[N, 2] y and z there. wide, tall: tangents of the half angles."""
    key = noise_key(w, sensor, noise_seed)
    for n in range(len(rays)):
        radius = noise_uniform(key, 2 * n)
        angle = 2.0 * math.pi * noise_uniform(key, 2 * n + 1)
        rays[n, 0] = wide * radius * math.cos(angle)
        rays[n, 1] = tall * radius * math.sin(angle)


@kernel
def cast_rays(vertex, triangle, first, end, pose, wide, tall, far, rays, order, depth, hit):  # type: ignore[no-untyped-def]
    """Meet triangles first..end with rays.

    Args:
        rays: float64[N, 2]; order: int64[N] their numbers by y.
        far: m ahead up to which rays reach.
        depth: float64[N] m along the x axis to the nearest hit so far, updated; hit: int64[N] its triangle.
    """
    for t in range(first, end):
        ax, ay, az = _seen(vertex, triangle[t, 0], pose)
        bx, by, bz = _seen(vertex, triangle[t, 1], pose)
        cx, cy, cz = _seen(vertex, triangle[t, 2], pose)
        if (ax < _NEAR and bx < _NEAR and cx < _NEAR) or (ax > far and bx > far and cx > far):
            continue
        if (ay > wide * ax and by > wide * bx and cy > wide * cx) or (
            ay < -wide * ax and by < -wide * bx and cy < -wide * cx
        ):
            continue
        if (az > tall * ax and bz > tall * bx and cz > tall * cx) or (
            az < -tall * ax and bz < -tall * bx and cz < -tall * cx
        ):
            continue
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * ax + ny * ay + nz * az
        if d >= 0.0:
            continue  # its back
        low, high = -wide, wide
        if ax >= _NEAR and bx >= _NEAR and cx >= _NEAR:
            low = min(min(ay / ax, by / bx), cy / cx)
            high = max(max(ay / ax, by / bx), cy / cx)
        # a ray (1, y, z) is inside where it lies on the same side of the planes through the eye and each edge
        px, py, pz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        qx, qy, qz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        rx, ry, rz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        begin, stop = 0, len(order)
        while begin < stop:
            middle = (begin + stop) // 2
            if rays[order[middle], 0] < low:
                begin = middle + 1
            else:
                stop = middle
        for at in range(begin, len(order)):
            n = order[at]
            y, z = rays[n, 0], rays[n, 1]
            if y > high:
                break
            if px + py * y + pz * z > 0.0 or qx + qy * y + qz * z > 0.0 or rx + ry * y + rz * z > 0.0:
                continue
            x = d / (nx + ny * y + nz * z)
            if _NEAR < x < depth[n]:
                depth[n] = x
                hit[n] = t


@kernel
def _seen(vertex, i, pose):  # type: ignore[no-untyped-def]
    """A vertex in the sensor's axes."""
    x = np.float64(vertex[i, 0]) - pose[0, 0]
    y = np.float64(vertex[i, 1]) - pose[0, 1]
    z = np.float64(vertex[i, 2]) - pose[0, 2]
    return (
        pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z,
        pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z,
        pose[3, 0] * x + pose[3, 1] * y + pose[3, 2] * z,
    )


@kernel
def cast_scene(vertex, triangle, chunk_triangle, chunk_low, chunk_high, actor_triangle, actor_sphere, num_actors, pose,
               wide, tall, far, rays, order, depth, hit):  # type: ignore[no-untyped-def]  # fmt: skip
    """`cast_rays` on a whole scene; what lies behind the radar or beyond its reach is left out."""
    depth[:] = far
    hit[:] = -1
    for chunk in range(len(chunk_low)):
        ahead = 0.0
        gap = 0.0
        for k in range(3):
            low, high = np.float64(chunk_low[chunk, k]) - pose[0, k], np.float64(chunk_high[chunk, k]) - pose[0, k]
            ahead += max(pose[1, k] * low, pose[1, k] * high)
            outside = max(max(low, -high), 0.0)
            gap += outside * outside
        if ahead < 0.0 or gap > far * far * (1.0 + wide * wide + tall * tall):
            continue
        # not what stands for the detail from afar
        first, end = chunk_triangle[3 * chunk], chunk_triangle[3 * chunk + 2]
        cast_rays(vertex, triangle, first, end, pose, wide, tall, far, rays, order, depth, hit)
    for a in range(num_actors):
        ahead = 0.0
        for k in range(3):
            ahead += pose[1, k] * (actor_sphere[a, k] - pose[0, k])
        if ahead < -actor_sphere[a, 3] or ahead > far + actor_sphere[a, 3]:
            continue
        cast_rays(vertex, triangle, actor_triangle[a, 0], actor_triangle[a, 2], pose, wide, tall, far, rays, order,
                  depth, hit)  # fmt: skip


@kernel
def collect_detections(w, slot, rays, depth, hit, num_static, actor_triangle, actor_slot, num_actors, pose, points):  # type: ignore[no-untyped-def]
    """CARLA's records of the rays that hit: `points` float32[N, 4] velocity, azimuth, altitude, depth.

    Returns:
        how many.
    """
    own_x, own_y, own_z = 0.0, 0.0, 0.0  # of a radar that stands in the world, slot -1
    if slot >= 0:
        rate = w.yaw_rate[slot]
        own_x = w.vx[slot] - rate * (pose[0, 1] - w.y[slot])
        own_y = w.vy[slot] + rate * (pose[0, 0] - w.x[slot])
        own_z = _climb(w, slot)
    count = 0
    for n in range(len(rays)):
        t = hit[n]
        if t < 0:
            continue
        vx, vy, vz = 0.0, 0.0, 0.0
        if t >= num_static:
            a = 0
            while a + 1 < num_actors and actor_triangle[a + 1, 0] <= t:
                a += 1
            other = actor_slot[a]
            vx, vy, vz = w.vx[other], w.vy[other], _climb(w, other)
        y, z = rays[n, 0], rays[n, 1]
        size = math.sqrt(1.0 + y * y + z * z)
        speed = 0.0
        for k in range(3):
            along = (pose[1, k] + y * pose[2, k] + z * pose[3, k]) / size
            speed += along * (vx - own_x if k == 0 else (vy - own_y if k == 1 else vz - own_z))
        points[count, 0] = speed
        points[count, 1] = math.atan2(y, 1.0)
        points[count, 2] = math.asin(z / size)
        points[count, 3] = depth[n] * size
        count += 1
    return count


@kernel
def _climb(w, slot):  # type: ignore[no-untyped-def]
    """Vertical speed, m/s."""
    planar = w.vx[slot] * math.cos(w.yaw[slot]) + w.vy[slot] * math.sin(w.yaw[slot])
    return planar * math.tan(w.pitch[slot])


class RadarReader:
    """Measures one radar."""

    def __init__(self, spec: SensorSpec, number: int, slot: int, place: np.ndarray, scene: Scene) -> None:
        """
        Args:
            number: of the sensor in its rig. slot: the actor that carries it, or -1.
            place: float64[6] x, y, z (m), roll, pitch, yaw (rad) on that actor, or in the world; read anew each time.
            scene: with the actors of the world placed before each measurement.
        """
        self._spec, self._number, self._slot, self._place, self._scene = spec, number, slot, place, scene
        self._seed = int(spec.attributes["noise_seed"])
        self._wide = math.tan(math.radians(spec.number("horizontal_fov")) / 2.0)
        self._tall = math.tan(math.radians(spec.number("vertical_fov")) / 2.0)
        self._pose = np.zeros((4, 3))
        self._scratch = np.zeros((2, 4, 3))

    def measure(self, w: np.void, ticks: float) -> Radar:
        """The detections of one measurement, `ticks` after the last."""
        count = int(self._spec.number("points_per_second") * ticks * TICK_SECONDS + 1e-6)
        rays, depth, hit = np.zeros((count, 2)), np.zeros(count), np.zeros(count, np.int64)
        points = np.zeros((count, 4), np.float32)
        sensor_pose(w, self._slot, self._place, self._pose, self._scratch)
        draw_rays(w, self._number, self._seed, self._wide, self._tall, rays)
        scene, mesh = self._scene, self._scene.town.mesh
        cast_scene(
            scene.vertex, scene.triangle, mesh.chunk_triangle, mesh.chunk_low, mesh.chunk_high, scene.actor_triangle,
            scene.actor_sphere, scene.num_actors, self._pose, self._wide, self._tall, self._spec.number("range"), rays,
            np.argsort(rays[:, 0], kind="stable"), depth, hit,
        )  # fmt: skip
        found = collect_detections(
            w, self._slot, rays, depth, hit, scene.num_static, scene.actor_triangle, scene.actor_slot, scene.num_actors,
            self._pose, points,
        )  # fmt: skip
        return Radar(points[:found])
