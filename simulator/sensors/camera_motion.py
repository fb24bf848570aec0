"""CARLA's other cameras: surface normals, optical flow, and the events of a dynamic vision sensor.

They are read out of the same visibility buffer as depth and classes. Flow and events compare two measurements, so
whoever measures keeps what the last one saw (`simulator.carla_server.motion_cameras`); kernels here are given both.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel
from simulator.sensors.noise import noise_normal

EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("pol", "u1")])  # pixel, ns, 1 brighter or 0 darker


@kernel
def encode_normals(ids, normal, out):  # type: ignore[no-untyped-def]
    """uint32[H, W] (B, G, R, A) with R, G, B = 127.5 (1 + x, y, z) of the unit normal in the world; black for sky."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            t = ids[y, x]
            code = np.uint32(0xFF000000)
            if t >= 0:
                for k in range(3):
                    value = np.uint32(np.int32(127.5 * (1.0 + normal[t, k]) + 0.5))
                    code |= value << np.uint32(8 * (2 - k))
            out[y, x] = code


@kernel
def measure_flow(ids, inverse_depth, axes, position, old_axes, old_position, focal, num_static, actor_triangle,
                 num_actors, motion, out):  # type: ignore[no-untyped-def]  # fmt: skip
    """How what each pixel shows has moved in the picture since the last measurement.

    Args:
        ids, inverse_depth: of a `View`; axes float64[3, 3], position float64[3] of its camera, old_* those of before.
        focal: pixels.
        actor_triangle: int32[A, 3] of `Scene`.
        motion: float64[A, 4, 3] where a point p of actor a was: rows 0 to 2 times p, plus row 3.
        out: float32[H, W, 2], written: 2 / width and 2 / height of pixels to the right and down, so that a point which
            crosses the whole picture has 2.
    """
    height, width = ids.shape
    for y in range(height):
        for x in range(width):
            right = (x + 0.5 - 0.5 * width) / focal
            down = (y + 0.5 - 0.5 * height) / focal
            t = ids[y, x]
            depth = 1.0 / inverse_depth[y, x] if t >= 0 else 1.0
            px = depth * (axes[0, 0] + right * axes[0, 1] - down * axes[0, 2])
            py = depth * (axes[1, 0] + right * axes[1, 1] - down * axes[1, 2])
            pz = depth * (axes[2, 0] + right * axes[2, 1] - down * axes[2, 2])
            if t >= 0:  # the sky is infinitely far: only the camera's turning moves it
                px += position[0]
                py += position[1]
                pz += position[2]
                if t >= num_static:
                    a = 0
                    while a + 1 < num_actors and actor_triangle[a + 1, 0] <= t:
                        a += 1
                    m = motion[a]
                    px, py, pz = (
                        m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[3, 0],
                        m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[3, 1],
                        m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[3, 2],
                    )
                px -= old_position[0]
                py -= old_position[1]
                pz -= old_position[2]
            ahead = old_axes[0, 0] * px + old_axes[1, 0] * py + old_axes[2, 0] * pz
            aside = old_axes[0, 1] * px + old_axes[1, 1] * py + old_axes[2, 1] * pz
            above = old_axes[0, 2] * px + old_axes[1, 2] * py + old_axes[2, 2] * pz
            dx, dy = 0.0, 0.0
            if ahead > 1e-6:
                dx = (right - aside / ahead) * focal * 2.0 / width
                dy = (down + above / ahead) * focal * 2.0 / height
            out[y, x, 0] = min(max(dx, -2.0), 2.0)
            out[y, x, 1] = min(max(dy, -2.0), 2.0)


@kernel
def intensity(picture, use_log, log_eps, out):  # type: ignore[no-untyped-def]
    """float32[H, W] brightness 0..1 of uint8[H, W, 4] B, G, R, A (ITU-R BT.601), or its logarithm."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            value = 0.114 * picture[y, x, 0] + 0.587 * picture[y, x, 1] + 0.299 * picture[y, x, 2]
            value /= 255.0
            out[y, x] = math.log(log_eps + value) if use_log == 1 else value


@kernel
def sense_events(key, before, now, reference, last_event, start, end, limits, refractory, events):  # type: ignore[no-untyped-def]
    """The events between two pictures: whenever a pixel's intensity, linear in time, has changed by a threshold.

    The method of ESIM (Rebecq, Gehrig, Scaramuzza 2018), which CARLA uses.

    Args:
        key: uint64 of the draws that vary the thresholds.
        before, now: float32[H, W] of `intensity`.
        reference: float32[H, W] intensity at each pixel's last event, updated.
        last_event: int64[H, W] its time, ns, updated.
        start, end: times of the pictures, ns. limits: float64[4] thresholds up and down, their standard deviations.
        refractory: ns in which a pixel cannot fire again.
        events: EVENT[N], written; counted on when it is full.

    Returns:
        how many there are.
    """
    count = 0
    height, width = now.shape
    for y in range(height):
        for x in range(width):
            old, new = np.float64(before[y, x]), np.float64(now[y, x])
            if abs(new - old) < 1e-6:
                continue
            up = new > old
            step = limits[0] if up else limits[1]
            spread = limits[2] if up else limits[3]
            if spread > 0.0:
                step += spread * noise_normal(key, 2 * (y * width + x) + (1 if up else 0))
            step = max(step, 0.01) if up else -max(step, 0.01)
            level = np.float64(reference[y, x])
            while True:
                level += step
                if (up and not (old < level <= new)) or (not up and not (new <= level < old)):
                    if (up and level <= old) or (not up and level >= old):
                        reference[y, x] = level  # passed before: catch up
                        continue
                    break
                at = start + np.int64((level - old) / (new - old) * (end - start))
                reference[y, x] = level
                if last_event[y, x] == 0 or at - last_event[y, x] >= refractory:
                    last_event[y, x] = at
                    if count < len(events):
                        events[count].x = x
                        events[count].y = y
                        events[count].t = at
                        events[count].pol = 1 if up else 0
                    count += 1
    return count
