"""Planar poses: x, y (metres) and yaw (radians, right positive) in the last axis of an array."""

from __future__ import annotations

import numpy as np


def wrap(angle: np.ndarray) -> np.ndarray:
    """Angles in (-pi, pi]."""
    return np.asarray(np.arctan2(np.sin(angle), np.cos(angle)))


def compose(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """`pose` of `frame`'s own coordinates in those that `frame` is given in; both [..., 3], broadcast."""
    c, s = np.cos(frame[..., 2]), np.sin(frame[..., 2])
    x = frame[..., 0] + pose[..., 0] * c - pose[..., 1] * s
    y = frame[..., 1] + pose[..., 0] * s + pose[..., 1] * c
    return np.stack([x, y, wrap(frame[..., 2] + pose[..., 2])], axis=-1)


def relative(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """`pose` seen from `frame`, the inverse of `compose`."""
    c, s = np.cos(frame[..., 2]), np.sin(frame[..., 2])
    dx, dy = pose[..., 0] - frame[..., 0], pose[..., 1] - frame[..., 1]
    return np.stack([dx * c + dy * s, -dx * s + dy * c, wrap(pose[..., 2] - frame[..., 2])], axis=-1)
