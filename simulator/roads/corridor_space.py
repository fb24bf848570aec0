"""What ground a corridor's roads already take: for laying further roads beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.roads.writer.geometry import Path, Pose
from simulator.roads.writer.road import Road

_STEP = 3.0  # metres between the points that stand for a road
_HEADROOM = 4.5  # metres of height at which roads may cross
_SHARED_MOUTH = 15.0  # metres from the mouths within which roads of one crossing may come close


class Space:
    """Points along the middle of the roads drawn so far, with their half widths."""

    def __init__(self) -> None:
        self._points: dict[int, np.ndarray] = {}  # road id -> float64[N, 4] x, y, z, half width

    def add(self, road: Road) -> None:
        """Take the ground of a road."""
        rows = []
        for s, x, y, heading in road.path.sample(_STEP):
            right, left = road.edge(-1, s), road.edge(1, s)
            middle = Pose(x, y, heading).moved(0.0, (left + right) / 2)
            rows.append((middle.x, middle.y, road.elevation.value(s), (left - right) / 2))
        self._points[road.id] = np.array(rows)

    def free_length(self, path: Path, half_width: float, z: float, neighbours: Sequence[Road]) -> float:
        """Metres from its start that a level road can follow a path without running into others.

        `neighbours` are roads of the same crossing, whose mouths may be near.
        """
        close = {road.id for road in neighbours}
        for s, x, y, _ in path.sample(_STEP):
            for road_id, points in self._points.items():
                if road_id in close and s < _SHARED_MOUTH:
                    continue
                distance = np.hypot(points[:, 0] - x, points[:, 1] - y)
                hit = (distance < points[:, 3] + half_width) & (np.abs(points[:, 2] - z) < _HEADROOM)
                if hit.any():
                    return max(float(s) - 2 * _STEP, 0.0)
        return path.length

    def on_road(self, point: np.ndarray, road: Road) -> bool:
        """Whether a point lies on a road."""
        points = self._points[road.id]
        distance = np.hypot(points[:, 0] - point[0], points[:, 1] - point[1])
        return bool((distance < points[:, 3]).any())

    @staticmethod
    def lane_at(road: Road, s: float, pose: Pose) -> int:
        """Id of the right driving lane whose middle is nearest to a pose beside the station `s`."""
        base = road.path.at(s)
        left = (pose.y - base.y) * math.cos(base.heading) - (pose.x - base.x) * math.sin(base.heading)
        section = road.section_at(s)
        driving = [-(i + 1) for i, lane in enumerate(section.right) if lane.type == "driving"]
        return min(driving, key=lambda lane: abs((road.border(lane, s, False) + road.border(lane, s, True)) / 2 - left))
