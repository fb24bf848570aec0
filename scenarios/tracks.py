"""Tracks: lines along lanes that scripted vehicles follow."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

from scenarios.geometry import Polyline
from scenarios.lane_points import LanePoint, angle_between, lanes_after, straightest
from simulator.roads.network import LaneType, RoadArrays

TRACK_STEP = 1.0  # metres between points, about
CHANGE_COST = 15.0  # metres of detour that a lane change is worth
CHANGE_LENGTH = 16.0  # metres along the road that it takes

#: A stretch of one lane: lane, s from, s to.
Stretch = tuple[int, float, float]


def ahead_stretches(start: LanePoint, metres: float) -> list[Stretch]:
    """From a place along its lane, as `LanePoint.ahead`."""
    stretches: list[Stretch] = []
    here = start
    while True:
        rest = float(start.net.lane_length[here.lane]) - here.s
        if metres <= rest:
            return [*stretches, (here.lane, here.s, here.s + metres)]
        stretches.append((here.lane, here.s, here.s + rest))
        following = here.next_lane()
        if following is None:
            return stretches
        metres -= rest
        here = following


def straight_stretches(
    start: LanePoint, beyond_junction: float, turn: float = 0.0, limit: float = 400.0
) -> list[Stretch]:
    """From a place through the first junction ahead, to `beyond_junction` metres past it.

    Args:
        turn: heading change wanted in the junction, radians, right positive: 0 straight on, pi / 2 to the right.
    """
    net = start.net
    lane, s = start.lane, start.s
    stretches: list[Stretch] = []
    inside = net.lane_junction[lane] >= 0
    left_after = math.inf
    covered = 0.0
    while True:
        length = float(net.lane_length[lane])
        step = min(length - s, left_after)
        stretches.append((lane, s, s + step))
        left_after -= step
        covered += step
        if left_after <= 0.0 or covered > limit:
            return stretches
        options = lanes_after(net, lane)
        if not options:
            return stretches
        if not inside and net.lane_junction[options[0]] >= 0:
            inside = True
            heading = start.net.point_yaw[net.lane_first[lane + 1] - 1]
            options.sort(key=lambda i: (abs(angle_between(turn, _turn_through(net, i, heading))), i))
            lane = options[0]
        else:
            if inside and math.isinf(left_after) and net.lane_junction[options[0]] < 0:
                left_after = beyond_junction
                if left_after <= 0.0:
                    return stretches
            lane = straightest(net, lane)
        s = 0.0


def _turn_through(net: RoadArrays, lane: int, heading: float) -> float:
    """Heading change of the way through a junction that begins with `lane`."""
    for _ in range(8):
        following = straightest(net, lane)
        if following < 0 or net.lane_junction[following] != net.lane_junction[lane]:
            break
        lane = following
    return angle_between(heading, float(net.point_yaw[net.lane_first[lane + 1] - 1]))


def stretches_between(start: LanePoint, goal: LanePoint, limit: float = 2000.0) -> list[Stretch] | None:
    """The shortest way along lanes from a place to another, lane changes included; None where there is none."""
    net = start.net
    if start.lane == goal.lane and goal.s >= start.s:
        return [(start.lane, start.s, goal.s)]
    # a node is a lane reached at its beginning, or the start lane where the start is
    cost: dict[tuple[int, bool], float] = {(start.lane, False): 0.0}
    parent: dict[tuple[int, bool], tuple[tuple[int, bool], bool]] = {}
    queue: list[tuple[float, int, bool]] = [(0.0, start.lane, False)]
    done: set[tuple[int, bool]] = set()
    while queue:
        so_far, lane, entered = heapq.heappop(queue)
        node = lane, entered
        if node in done:
            continue
        done.add(node)
        if so_far > limit:
            return None
        if lane == goal.lane and (entered or goal.s >= _share(start, net, lane)):
            return _unwind(net, start, goal, node, parent)
        s = 0.0 if entered else _share(start, net, lane)
        steps = [((i, True), float(net.lane_length[lane]) - s, False) for i in lanes_after(net, lane)]
        for other in (int(net.lane_left[lane]), int(net.lane_right[lane])):
            if other >= 0 and net.lane_type[other] == LaneType.DRIVING:
                steps.append(((other, entered), CHANGE_COST, True))
        for following, price, change in steps:
            total = so_far + price
            if total < cost.get(following, math.inf):
                cost[following] = total
                parent[following] = node, change
                heapq.heappush(queue, (total, following[0], following[1]))
    return None


def _share(start: LanePoint, net: RoadArrays, lane: int) -> float:
    """Where on a lane beside the start lane the start is."""
    return start.s / float(net.lane_length[start.lane]) * float(net.lane_length[lane])


def _unwind(
    net: RoadArrays,
    start: LanePoint,
    goal: LanePoint,
    node: tuple[int, bool],
    parent: dict[tuple[int, bool], tuple[tuple[int, bool], bool]],
) -> list[Stretch]:
    chain = [(node, False)]
    while node in parent:
        node, change = parent[node]
        chain.append((node, change))
    chain.reverse()
    stretches: list[Stretch] = []
    s = start.s
    for k, ((lane, _), change) in enumerate(chain):
        length = float(net.lane_length[lane])
        if k == len(chain) - 1:
            stretches.append((lane, min(s, goal.s), goal.s))
        elif change:  # to the lane beside it, soon after this one begins
            there = min(s + 0.5 * CHANGE_LENGTH, length)
            stretches.append((lane, s, there))
            following = chain[k + 1][0][0]
            s = there / length * float(net.lane_length[following])
        else:
            stretches.append((lane, s, length))
            s = 0.0
    return stretches


def track(net: RoadArrays, stretches: Sequence[Stretch], start_right: float = 0.0, blend: float = 0.0) -> Polyline:
    """A line along stretches of lanes; where one lane does not continue the other, it changes over smoothly.

    Args:
        start_right: metres right of the first lane's centre where the line begins; it joins the centre within `blend`.
    """
    rows = []
    for lane, s_from, s_to in stretches:
        if s_to - s_from < 1e-6 and len(stretches) > 1:
            continue
        count = max(math.ceil((s_to - s_from) / TRACK_STEP), 1)
        rows.append(_sample(net, lane, np.linspace(s_from, max(s_to, s_from + 0.1), count + 1)))
    x, y, z = (np.concatenate([row[k] for row in rows]) for k in range(3))
    yaw = np.unwrap(np.concatenate([row[3] for row in rows]))
    ends = np.cumsum([len(row[0]) for row in rows])[:-1]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    right = np.zeros(len(x))
    for j in ends:
        jump = -(x[j] - x[j - 1]) * math.sin(yaw[j]) + (y[j] - y[j - 1]) * math.cos(yaw[j])
        if abs(jump) > 0.3:
            along[j:] -= along[j] - along[j - 1]
            begin = max(along[j] - 0.5 * CHANGE_LENGTH, 0.0)
            share = _smooth(np.clip((along - begin) / (along[j] + 0.5 * CHANGE_LENGTH - begin), 0.0, 1.0))
            share[j:] -= 1.0
            right += jump * share
    if start_right != 0.0:
        right += start_right * (1.0 - _smooth(np.clip(along / max(blend, 1e-6), 0.0, 1.0)))
    x, y = x - np.sin(yaw) * right, y + np.cos(yaw) * right
    return resample(x, y, z)


def _smooth(share: np.ndarray) -> np.ndarray:
    result: np.ndarray = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
    return result


def _sample(net: RoadArrays, lane: int, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    points = slice(int(net.lane_first[lane]), int(net.lane_first[lane + 1]))
    known = np.arange(points.stop - points.start) * float(net.lane_step[lane])
    x, y, z, yaw = (np.interp(s, known, v[points]) for v in (net.point_x, net.point_y, net.point_z, net.point_yaw))
    return x, y, z, yaw


def resample(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Polyline:
    """A line with evenly spaced points and its heading, from one with any spacing."""
    keep = np.concatenate([[True], np.hypot(np.diff(x), np.diff(y)) > 1e-3])
    x, y, z = x[keep], y[keep], z[keep]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    count = max(math.ceil(along[-1] / TRACK_STEP), 1)
    s = np.linspace(0.0, along[-1], count + 1)
    x, y, z = (np.interp(s, along, v) for v in (x, y, z))
    dx, dy = np.diff(x), np.diff(y)
    segment = np.unwrap(np.arctan2(dy, dx))
    yaw = np.concatenate([segment[:1], 0.5 * (segment[:-1] + segment[1:]), segment[-1:]])
    return Polyline(x, y, z, yaw, float(along[-1] / count))
