"""What lies over the finished picture: halos of lamps in the dark, rain."""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel_on_loan
from simulator.sensors.raster import NEAR

_f4 = np.float32


@kernel_on_loan
def add_halos(out, ids, triangle, vertex, paint, glow, normal, chosen, axes, position, focal, strength):  # type: ignore[no-untyped-def]
    """Add a soft glow around every lamp among the triangles int[n] `chosen` that is seen. `out`: uint8[H, W, 4]."""
    height, width = ids.shape
    cx, cy = width * 0.5, height * 0.5
    for number in range(chosen.shape[0]):
        t = chosen[number]
        if glow[t] < _f4(0.5):
            continue
        a, b, c = triangle[t, 0], triangle[t, 1], triangle[t, 2]
        x = np.float64(vertex[a, 0] + vertex[b, 0] + vertex[c, 0]) / 3.0 - position[0]
        y = np.float64(vertex[a, 1] + vertex[b, 1] + vertex[c, 1]) / 3.0 - position[1]
        z = np.float64(vertex[a, 2] + vertex[b, 2] + vertex[c, 2]) / 3.0 - position[2]
        facing = -(normal[t, 0] * x + normal[t, 1] * y + normal[t, 2] * z)
        ahead = axes[0, 0] * x + axes[1, 0] * y + axes[2, 0] * z
        if facing <= 0.0 or ahead < NEAR:
            continue
        u = cx + focal * (axes[0, 1] * x + axes[1, 1] * y + axes[2, 1] * z) / ahead
        v = cy - focal * (axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z) / ahead
        if not (0.0 <= u < width and 0.0 <= v < height):
            continue
        near = ids[int(v), int(u)]
        if near < 0 or abs(near - t) > 12:  # a lamp's faces are numbered in a row
            continue
        facing /= math.sqrt(x * x + y * y + z * z)
        radius = min(max(focal * 0.42 / ahead, 1.5), 0.11 * width)
        power = strength * glow[t] * facing * 0.5 * min(1.0, 40.0 / ahead)
        r, g, b_ = paint[t, 0] * power, paint[t, 1] * power, paint[t, 2] * power
        for j in range(max(0, int(v - radius)), min(height, int(v + radius) + 2)):
            for i in range(max(0, int(u - radius)), min(width, int(u + radius) + 2)):
                gap = math.sqrt((i + 0.5 - u) ** 2 + (j + 0.5 - v) ** 2) / radius
                if gap < 1.0:
                    fall = (1.0 - gap) * (1.0 - gap)
                    out[j, i, 2] = np.uint8(min(255.0, out[j, i, 2] + r * fall))
                    out[j, i, 1] = np.uint8(min(255.0, out[j, i, 1] + g * fall))
                    out[j, i, 0] = np.uint8(min(255.0, out[j, i, 0] + b_ * fall))


@kernel_on_loan
def _hash01(a, b):  # type: ignore[no-untyped-def]
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F)
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return np.float64(h >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel_on_loan
def add_rain(out, tick, amount, brightness, slant):  # type: ignore[no-untyped-def]
    """Streaks of rain, drawn anew each tick from a hash of it. `out`: uint8[H, W, 4]."""
    height, width = out.shape[0], out.shape[1]
    count = int(amount * width * height / 1500.0)
    for k in range(count):
        u = _hash01(tick, 3 * k) * (width + 0.3 * height) - 0.15 * height
        v = _hash01(tick, 3 * k + 1) * height * 1.1 - 0.1 * height
        size = _hash01(tick, 3 * k + 2)
        length = height * (0.02 + 0.06 * size * size)
        alpha = 0.10 + 0.16 * size
        steps = int(length) + 1
        for s in range(steps):
            i, j = int(u + slant * s), int(v + s)
            if 0 <= i < width and 0 <= j < height:
                share = alpha * (1.0 - s / steps * 0.5)
                for c in range(3):
                    old = np.float64(out[j, i, c])
                    out[j, i, c] = np.uint8(old + (brightness - old) * share)
