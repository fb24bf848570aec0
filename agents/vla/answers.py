"""Reading what a vision-language model has written: think section, waypoints as text."""

from __future__ import annotations

import re

import numpy as np

THINK_END = "</think>"
_PAIR = re.compile(r"\(\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)")
_FARTHEST = 200.0  # m, beyond which a waypoint is nonsense


def split_think(text: str) -> tuple[str, str]:
    """The think section and the answer; no section, no thought."""
    before, found, after = text.partition(THINK_END)
    return (before.replace("<think>", "").strip(), after) if found else ("", text)


def format_waypoints(trajectory: np.ndarray) -> str:
    """float64[W, >=2] metres as the text that `read_waypoints` reads."""
    return ", ".join(f"({x:.1f}, {y:.1f})" for x, y in np.asarray(trajectory)[:, :2])


def read_waypoints(text: str, count: int) -> tuple[np.ndarray | None, str]:
    """float64[count, 2] metres of a written answer, or None and the reason.

    More than `count` are cut off; fewer, none, or absurd ones are a format failure.
    """
    pairs = _PAIR.findall(split_think(text)[1])
    if not pairs:
        return None, "no waypoints"
    if len(pairs) < count:
        return None, "too few waypoints"
    found = np.array(pairs[:count], np.float64)
    if np.abs(found).max() > _FARTHEST:
        return None, "absurd waypoints"
    return found, ""
