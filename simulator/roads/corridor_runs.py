"""From route positions to smooth lines: where a route follows a lane, changes lanes, or leaves a junction out.

Official routes list a position every 2 m or so, rounded to 0.1 m, and skip the inside of junctions.
Frame: OpenDRIVE (y north).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.roads.writer.geometry import Path, Pose, Profile, wrap

LANE_WIDTH = 3.5  # metres, unless a lane change shows another

_GAP = 6.0  # metres between positions beyond which something is left out
_SAME_PLACE = 0.2
_SMOOTHING = 6.0  # metres each way that a point's line is fitted over
_KNOT = 6.0  # metres between the knots of a reference line
#: metres that a road goes on beyond its last position towards a junction: a position must not lie on the border between
#: a road and the ways through a junction, where `get_waypoint` may find any of these
MOUTH = 1.0

_TRIGGER_REACH = 15.0  # metres from the last position before a gap to a trigger that the road must still reach
_TRIGGER_ASIDE = 0.5  # metres that it may lie beside that road
_BEYOND_TRIGGER = 3.0  # metres by which the road goes on

_CHANGE = (2.0, 5.5)  # metres to the side that a lane change moves


@dataclass
class Run:
    """A part of a route without gaps.

    `line` is where the route would run had it stayed on its first lane: float64[N, 4] x, y, z, heading.
    `lane[i]` is the lane that position i is really on, counted to the right from the first one.
    """

    line: np.ndarray
    lane: np.ndarray
    lane_width: float

    def pose(self, index: int) -> Pose:
        """Pose of the route itself at its first (0) or last (-1) position."""
        x, y, _, heading = self.line[index]
        return Pose(float(x), float(y), float(heading)).moved(0.0, -float(self.lane[index]) * self.lane_width)

    def height(self, index: int) -> float:
        return float(self.line[index, 2])

    def climb(self, index: int) -> float:
        """Slope at the first (0) or last (-1) position."""
        near = self.line[:6] if index == 0 else self.line[-6:]
        if len(near) < 2:
            return 0.0
        length = math.hypot(near[-1, 0] - near[0, 0], near[-1, 1] - near[0, 1])
        return float(np.clip((near[-1, 2] - near[0, 2]) / max(length, 2.0), -0.12, 0.12))

    @property
    def lanes(self) -> tuple[int, int]:
        """Leftmost and rightmost lane that the route uses, relative to the first."""
        return int(self.lane.min()), int(self.lane.max())


def split_runs(positions: np.ndarray) -> list[Run]:
    """Split a route at its gaps.

    Args:
        positions: float64[N, 3] metres, OpenDRIVE frame, N >= 2 distinct points.
    """
    kept = [positions[0]]
    for point in positions[1:]:
        if math.dist(point[:2], kept[-1][:2]) >= _SAME_PLACE:
            kept.append(point)
    points = np.array(kept, dtype=np.float64)
    steps = np.diff(points[:, :2], axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    hops = _lane_changes(steps, lengths)
    gap = max(_GAP, 2.5 * float(np.median(lengths))) if len(lengths) else _GAP
    breaks = [i + 1 for i in range(len(lengths)) if lengths[i] > gap and i not in hops]
    runs = []
    for first, last in zip([0, *breaks], [*breaks, len(points)]):
        inner = {i - first: side for i, side in hops.items() if first <= i < last - 1}
        runs.append(_run(points[first:last], inner))
    # a lone position between two gaps says nothing that the gap does not
    kept_runs = [run for i, run in enumerate(runs) if len(run.line) > 1 or i in (0, len(runs) - 1)]
    _give_heading_to_lone_ends(kept_runs)
    return kept_runs


def with_trigger(positions: np.ndarray, trigger: tuple[float, float, float, float]) -> np.ndarray:
    """Positions with a scenario's trigger point among them, where that lies in a gap: triggers lie before junctions.

    Args:
        positions: float64[N, 3] metres, any frame.
        trigger: x, y, z metres and heading (rad) in the same frame.
    """
    x, y, z, heading = trigger
    forward = np.array([math.cos(heading), math.sin(heading)])
    for i in range(len(positions) - 1):
        step = positions[i + 1, :2] - positions[i, :2]
        ahead = np.array([x, y]) - positions[i, :2]
        along = float(ahead @ forward)
        if np.hypot(*step) <= _GAP or not 0.5 < along < min(_TRIGGER_REACH, np.hypot(*step) - _GAP):
            continue
        if abs(float(ahead @ np.array([-forward[1], forward[0]]))) > _TRIGGER_ASIDE:
            continue
        beyond = np.array([x, y]) + _BEYOND_TRIGGER * forward
        return np.insert(positions, i + 1, [[x, y, z], [*beyond, z]], axis=0)
    return positions


def _lane_changes(steps: np.ndarray, lengths: np.ndarray) -> dict[int, float]:
    """Steps that move to a neighbour lane: index -> metres to the right."""
    found = {}
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    for i in range(1, len(steps) - 1):
        bend = wrap(float(headings[i + 1] - headings[i - 1]))
        if abs(bend) > 0.15 or lengths[i] > 20.0:
            continue
        along = float(headings[i - 1]) + bend / 2
        right = float(steps[i, 0] * math.sin(along) - steps[i, 1] * math.cos(along))
        # a change of lanes stands out from the course before and after it; a bend does not
        if _CHANGE[0] < abs(right) < _CHANGE[1] and abs(wrap(float(headings[i]) - along)) > 0.2:
            found[i] = right
    return found


def _run(points: np.ndarray, hops: dict[int, float]) -> Run:
    width = float(np.mean([abs(side) for side in hops.values()])) if hops else LANE_WIDTH
    lane = np.zeros(len(points), dtype=np.int64)
    for i, side in sorted(hops.items()):
        lane[i + 1 :] += 1 if side > 0 else -1
    first_lane = points.copy()
    if hops:
        # the headings of the steps that stay in their lane say where "beside" is
        headings = np.arctan2(np.diff(points[:, 1]), np.diff(points[:, 0]))
        for i in sorted(hops):
            headings[i] = headings[i - 1]
        own = np.append(headings, headings[-1])
        first_lane[:, 0] += -np.sin(own) * lane * width
        first_lane[:, 1] += np.cos(own) * lane * width
    return Run(_smooth(first_lane), lane, width)


def _smooth(points: np.ndarray) -> np.ndarray:
    """float64[N, 4] x, y, z, heading: a parabola fitted around each point takes out the rounding of the file."""
    if len(points) == 1:
        return np.append(points, [[np.nan]], axis=1)
    stations = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points[:, :2], axis=0).T))])
    out = np.empty((len(points), 4))
    for i, s in enumerate(stations):
        reach = max(_SMOOTHING, 2.1 * float(np.diff(stations).max()))
        near = np.abs(stations - s) <= reach
        offsets = stations[near] - s
        degree = min(2, int(near.sum()) - 1)
        powers = np.vander(offsets, degree + 1, increasing=True)
        fit = np.linalg.lstsq(powers, points[near], rcond=None)[0]
        out[i, :3] = fit[0]
        out[i, 3] = math.atan2(fit[1, 1], fit[1, 0])
    return out


def _give_heading_to_lone_ends(runs: list[Run]) -> None:
    """A run of one position gets the heading that makes the way to the next run an arc."""
    for i, other, sign in ((0, 1, 1.0), (-1, -2, -1.0)):
        lone = runs[i].line
        if len(lone) > 1 or len(runs) < 2:
            continue
        near = runs[other].line[0 if i == 0 else -1]
        bearing = math.atan2(sign * (near[1] - lone[0, 1]), sign * (near[0] - lone[0, 0]))
        known = near[3] if not math.isnan(near[3]) else bearing
        lone[0, 3] = wrap(2 * bearing - known)


def reference_line(
    run: Run, offset: float, before: float, after: float, ahead: tuple[Pose, float] | None = None
) -> tuple[Path, Profile]:
    """A road's reference line `offset` metres to the left of a run's line, and its heights.

    Args:
        run: the part of the route.
        offset: metres to the left.
        before, after: metres that the line goes on straight beyond the run's ends.
        ahead: pose and height on the route's lane to which the road bends on after the run, before `after`.

    Returns:
        Plan view and elevation. Beyond the ends the road levels out.
    """
    knots = _knots(run.line)
    poses = [Pose(x, y, h).moved(0.0, offset) for x, y, _, h in knots]
    path = Path(poses[0].moved(-before))
    path.line(before)
    path.end = poses[0]
    stations = [path.length]
    for pose in poses[1:]:
        path.cubic_to(pose)
        stations.append(path.length)
    heights = [float(z) for z in knots[:, 2]]
    if ahead is not None and math.dist(ahead[0][:2], poses[-1].moved(0.0, -offset)[:2]) > 1.0:
        path.cubic_to(ahead[0].moved(0.0, offset))
        stations.append(path.length)
        heights.append(ahead[1])
    path.line(after)
    if len(heights) > 2:
        slopes = np.gradient(np.array(heights), np.array(stations))
        slopes[[0, -1]] = run.climb(0), run.climb(-1)
    else:
        slopes = np.array([run.climb(0), run.climb(-1)][: len(heights)])
    if ahead is not None:
        slopes[-1] = (heights[-1] - heights[-2]) / (stations[-1] - stations[-2]) if len(heights) > 1 else 0.0
    profile = [(s, z, float(m)) for s, z, m in zip(stations, heights, slopes)]
    if before > 0.0:
        profile.insert(0, _level_out(profile[0], -before))
    if after > 0.0:
        profile.append(_level_out(profile[-1], after))
    if len(profile) == 1:
        return path, Profile.constant(heights[0])
    return path, Profile.through(profile)


def _level_out(knot: tuple[float, float, float], distance: float) -> tuple[float, float, float]:
    """The knot of a height profile `distance` metres on: level if there is room for it, else on the same slope."""
    s, z, slope = knot
    if abs(distance) < 20.0:
        return s + distance, z + slope * distance, slope
    return s + distance, z + slope * distance / 2, 0.0


def _knots(line: np.ndarray) -> np.ndarray:
    """Rows of the line about `_KNOT` metres apart, both ends included."""
    chosen = [0]
    for i in range(1, len(line) - 1):
        if math.dist(line[i, :2], line[chosen[-1], :2]) >= _KNOT - 0.3:
            chosen.append(i)
    last = len(line) - 1
    if len(chosen) > 1 and math.dist(line[last, :2], line[chosen[-1], :2]) < _KNOT / 2:
        chosen.pop()
    if last > 0:
        chosen.append(last)
    return np.asarray(line[chosen])
