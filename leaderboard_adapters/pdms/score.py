"""What four seconds of states are worth, against the road and everybody's boxes: one kernel a sub-score.

| sub-score | rule |
|---|---|
| NC | first contact with each other actor, in order: ego standing (<= 0.05 m/s): not at fault; other standing (<= 0.005 m/s) or no traffic participant: at fault; other behind (> 150 degrees): not; front bumper touched: at fault; else sideways: at fault while in several lanes or off the road. At fault: 0, with a thing 0.5. Who was hit without fault is disregarded from then on |
| TTC | for each state, boxes go on straight by 0, 0.3, 0.6, 0.9 s and meet the others where they are then; counts when the other is ahead (< 20 degrees), or the ego is in several lanes, off the road or in a junction and the other is not behind |
| DAC | some corner off the drivable area |
| DDC | most metres within 1.0 s while against the traffic, outside junctions |
| TLC | a corner or the centre on a junction lane of the route whose light is red |
| LK | centre over 0.5 m off the path for 20 states outside junctions, those inside skipped |
"""  # noqa: E501

from __future__ import annotations

import math

import numpy as np

from leaderboard_adapters.boxes import boxes_overlap
from leaderboard_adapters.criteria_traffic_rules import segments_touch
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.roads.network import DRIVING_MASK, LaneType
from simulator.roads.queries import follow_lane, lane_width, nearest_lane
from simulator.state import EGO, LightState
from simulator.tracking import project_on_path

#: Columns of the ego's states.
X, Y, YAW, SPEED, PROGRESS, OFFSET, SEVERAL, OFF_ROAD, AGAINST, JUNCTION, RED = range(11)
COLUMNS = 11
#: Columns of an actor's states: x, y, yaw, speed, and 1 while it is there.
ACTOR_COLUMNS = 5
#: Columns of what is constant of an actor: half length, half width, 1 for things.
SIZE_COLUMNS = 3
#: Columns of the scores.
NC, DAC, DDC, TLC, TTC, LK = range(6)

_STORY = 5.0  # m
_STANDING_EGO, _STANDING_OTHER, _STILL = 0.05, 5e-3, 5e-3  # m/s
_AHEAD, _BEHIND = math.cos(math.radians(20.0)), math.cos(math.radians(150.0))
_PROJECTIONS = (0, 3, 6, 9)  # states
_TTC_STATES = 32  # of the second version; the first checks all
_WINDOW = 10  # steps of 0.1 s within which driving against the traffic adds up
_LK_STATES, _LK_OFFSET = 20, 0.5
_JUNCTION_SLACK = 2.0  # m; between the lanes of a junction the ground is drivable too
_RED = int(LightState.RED)
_PROP = int(Kind.PROP)
_BESIDE = int(1 << LaneType.PARKING | 1 << LaneType.SHOULDER | 1 << LaneType.BIKING)


@kernel
def inside_lane(net, lane, x, y):  # type: ignore[no-untyped-def]
    """Whether a point lies on a lane."""
    s, offset, beyond = follow_lane(net, lane, 0.5 * net.lane_length[lane], x, y)
    return beyond == 0 and abs(offset) <= 0.5 * lane_width(net, lane, s)


@kernel
def lane_under(net, x, y, z):  # type: ignore[no-untyped-def]
    """Drivable lane at a point, the s on it, and the metres from its edge, negative inside; lane -1: none is near.

    Driving lanes come first: the centreline of a narrow shoulder may be nearer to a point on the lane beside it.
    """
    lane, s, _, distance = nearest_lane(net, x, y, z, DRIVING_MASK)
    beyond = distance - 0.5 * lane_width(net, lane, s) if lane >= 0 else math.inf
    if beyond <= 0.0:
        return lane, s, beyond
    other, other_s, _, distance = nearest_lane(net, x, y, z, _BESIDE)
    other_beyond = distance - 0.5 * lane_width(net, other, other_s) if other >= 0 else math.inf
    if other_beyond < beyond:
        return other, other_s, other_beyond
    return lane, s, beyond


@kernel
def judge_place(row, z, half_length, half_width, net, routes, route, on_route, light_state):  # type: ignore[no-untyped-def]
    """Fill a state's place on the road: columns from PROGRESS on. Its x, y, yaw are known.

    Args:
        row: float64[11], z: m. on_route: int64[L], 1 for lanes that lead along the route. light_state: int64[lights].
    """
    x, y = row[X], row[Y]
    c, s = math.cos(row[YAW]), math.sin(row[YAW])
    row[PROGRESS], row[OFFSET] = project_on_path(routes, route, row[PROGRESS], x, y, 25.0)
    lanes = np.empty(4, np.int64)
    row[OFF_ROAD] = 0.0
    row[RED] = 0.0
    for k in range(5):
        along = 0.0 if k == 4 else (half_length if k < 2 else -half_length)
        across = 0.0 if k == 4 else (half_width if k % 2 == 0 else -half_width)
        px, py = x + along * c - across * s, y + along * s + across * c
        lane, at, beyond = lane_under(net, px, py, z)
        inside = lane >= 0 and beyond <= 0.0
        if inside and net.lane_light[lane] >= 0 and on_route[lane] == 1:
            if light_state[net.lane_light[lane]] == _RED:
                row[RED] = 1.0
        if k == 4:
            half = 0.5 * lane_width(net, lane, at) if lane >= 0 else 0.0
            row[JUNCTION] = 1.0 if lane >= 0 and net.lane_junction[lane] >= 0 else 0.0
            wrong = not (inside and on_route[lane] == 1) and abs(row[OFFSET]) > max(half, 1.5)
            row[AGAINST] = 1.0 if wrong else 0.0
        else:
            lanes[k] = lane if inside else -1
            slack = _JUNCTION_SLACK if lane >= 0 and net.lane_junction[lane] >= 0 else 0.0
            if lane < 0 or beyond > slack:
                row[OFF_ROAD] = 1.0
    several = False
    for k in range(1, 4):
        if lanes[k] >= 0 and lanes[0] >= 0 and lanes[k] != lanes[0]:
            several = True
    if several:
        for k in range(4):
            whole = lanes[k] >= 0
            for n in range(4):
                along = half_length if n < 2 else -half_length
                across = half_width if n % 2 == 0 else -half_width
                px, py = x + along * c - across * s, y + along * s + across * c
                if whole and not inside_lane(net, lanes[k], px, py):
                    whole = False
            if whole:
                several = False
                break
    row[SEVERAL] = 1.0 if several else 0.0


@kernel
def bearing_cosine(x, y, yaw, px, py):  # type: ignore[no-untyped-def]
    """Cosine of the angle from the heading at (x, y) to the point (px, py)."""
    dx, dy = px - x, py - y
    size = math.hypot(dx, dy)
    return (dx * math.cos(yaw) + dy * math.sin(yaw)) / size if size > 1e-9 else 1.0


@kernel
def front_touches(x, y, yaw, half_length, half_width, px, py, pyaw, length, width):  # type: ignore[no-untyped-def]
    """Whether the front bumper, a segment, meets a box."""
    c, s = math.cos(yaw), math.sin(yaw)
    fx, fy = x + half_length * c, y + half_length * s
    ax, ay, bx, by = fx - half_width * s, fy + half_width * c, fx + half_width * s, fy - half_width * c
    pc, ps = math.cos(pyaw), math.sin(pyaw)
    for q in range(2):  # an end of it inside
        qx, qy = (ax, ay) if q == 0 else (bx, by)
        u, v = (qx - px) * pc + (qy - py) * ps, -(qx - px) * ps + (qy - py) * pc
        if abs(u) <= length and abs(v) <= width:
            return True
    for k in range(4):
        u0 = length if k == 0 or k == 3 else -length
        v0 = width if k < 2 else -width
        u1 = length if k == 3 or k == 2 else -length
        v1 = width if k == 0 or k == 3 else -width
        if segments_touch(
            ax, ay, bx, by,
            px + u0 * pc - v0 * ps, py + u0 * ps + v0 * pc, px + u1 * pc - v1 * ps, py + u1 * ps + v1 * pc,
        ):  # fmt: skip
            return True
    return False


@kernel
def judge_collisions(ego, rear, half_length, half_width, actors, sizes):  # type: ignore[no-untyped-def]
    """NC. `ego`: float64[T, 11], `actors`: float64[A, T2, 5], `sizes`: float64[A, 3], `rear`: m from axle to centre."""
    score = 1.0
    for j in range(actors.shape[0]):
        for t in range(min(ego.shape[0], actors.shape[1])):
            other = actors[j, t]
            if other[4] == 0.0:
                continue
            x, y, yaw = ego[t, X], ego[t, Y], ego[t, YAW]
            if not boxes_overlap(
                x, y, yaw, half_length, half_width, other[0], other[1], other[2], sizes[j, 0], sizes[j, 1]
            ):
                continue
            fault = False
            if ego[t, SPEED] > _STANDING_EGO:
                rx, ry = x - rear * math.cos(yaw), y - rear * math.sin(yaw)
                if other[3] <= _STANDING_OTHER or sizes[j, 2] == 1.0:
                    fault = True
                elif bearing_cosine(rx, ry, yaw, other[0], other[1]) < _BEHIND:
                    fault = False
                elif front_touches(
                    x, y, yaw, half_length, half_width, other[0], other[1], other[2], sizes[j, 0], sizes[j, 1]
                ):
                    fault = True
                else:
                    fault = ego[t, SEVERAL] == 1.0 or ego[t, OFF_ROAD] == 1.0
            if fault:
                score = min(score, 0.5 if sizes[j, 2] == 1.0 else 0.0)
            break  # hit without fault: disregarded from then on; with fault: it is known
    return score


@kernel
def judge_ttc(ego, rear, half_length, half_width, actors, sizes, states):  # type: ignore[no-untyped-def]
    """TTC, over the first `states` states."""
    for j in range(actors.shape[0]):
        forgiven = False
        for t in range(min(ego.shape[0], states)):
            if forgiven:
                break
            if abs(ego[t, SPEED]) < _STILL:
                continue
            x, y, yaw = ego[t, X], ego[t, Y], ego[t, YAW]
            c, s = math.cos(yaw), math.sin(yaw)
            for n in _PROJECTIONS:
                if t + n >= actors.shape[1]:
                    break
                other = actors[j, t + n]
                if other[4] == 0.0:
                    continue
                way = ego[t, SPEED] * 0.1 * n
                if not boxes_overlap(
                    x + way * c, y + way * s, yaw, half_length, half_width,
                    other[0], other[1], other[2], sizes[j, 0], sizes[j, 1],
                ):  # fmt: skip
                    continue
                side = bearing_cosine(x - rear * c, y - rear * s, yaw, other[0], other[1])
                loose = ego[t, SEVERAL] == 1.0 or ego[t, OFF_ROAD] == 1.0 or ego[t, JUNCTION] == 1.0
                if side > _AHEAD or (loose and side >= _BEHIND):
                    return 0.0
                forgiven = True
                break
    return 1.0


@kernel
def judge_road(ego, scores):  # type: ignore[no-untyped-def]
    """DAC, DDC, TLC and LK from the places of the states."""
    scores[DAC] = scores[TLC] = scores[LK] = 1.0
    states = ego.shape[0]
    off_centre = 0
    most = 0.0
    for t in range(states):
        if ego[t, OFF_ROAD] == 1.0:
            scores[DAC] = 0.0
        if ego[t, RED] == 1.0:
            scores[TLC] = 0.0
        if ego[t, JUNCTION] == 0.0:
            off_centre = off_centre + 1 if abs(ego[t, OFFSET]) > _LK_OFFSET else 0
            if off_centre >= _LK_STATES:
                scores[LK] = 0.0
        way = 0.0
        for k in range(max(t - _WINDOW, 0) + 1, t + 1):
            if ego[k, AGAINST] == 1.0 and ego[k, JUNCTION] == 0.0:
                way += math.hypot(ego[k, X] - ego[k - 1, X], ego[k, Y] - ego[k - 1, Y])
        most = max(most, way)
    scores[DDC] = 1.0 if most < 2.0 else (0.5 if most < 6.0 else 0.0)


@kernel
def score_states(ego, z, rear, half_length, half_width, actors, sizes, lights, net, routes, route, on_route, version, scores):  # type: ignore[no-untyped-def]  # fmt: skip  # noqa: E501
    """Sub-scores of one window but progress and comfort.

    Args:
        ego: float64[T, 11] whose x, y (box centre), yaw and speed are given, and the first state's PROGRESS as a hint.
        rear: m from the rear axle to the centre. actors: float64[A, T2, 5], T2 >= T. sizes: float64[A, 3].
        lights: int64[T, lights]. version: 1 or 2. scores: float64[6] to write.
    """
    for t in range(ego.shape[0]):
        if t > 0:
            ego[t, PROGRESS] = ego[t - 1, PROGRESS]
        judge_place(
            ego[t], z, half_length, half_width, net, routes, route, on_route, lights[min(t, lights.shape[0] - 1)]
        )
    scores[NC] = judge_collisions(ego, rear, half_length, half_width, actors, sizes)
    states = _TTC_STATES if version == 2 else ego.shape[0]
    scores[TTC] = judge_ttc(ego, rear, half_length, half_width, actors, sizes, states)
    judge_road(ego, scores)


@kernel
def record_traffic(w, actors, t, sizes):  # type: ignore[no-untyped-def]
    """Note where everybody but the ego is: `actors` float64[A, T, 5] at index t, `sizes` float64[A, 3]."""
    for j in range(actors.shape[0]):
        there = j != EGO and j < w.num_slots and w.kind[j] != 0 and w.hidden[j] == 0
        if not there or abs(w.z[j] - w.z[EGO]) > _STORY:
            actors[j, t, 4] = 0.0
            continue
        actors[j, t, 0] = w.x[j]
        actors[j, t, 1] = w.y[j]
        actors[j, t, 2] = w.yaw[j]
        actors[j, t, 3] = abs(w.speed[j])
        actors[j, t, 4] = 1.0
        sizes[j, 0] = w.half_length[j]
        sizes[j, 1] = w.half_width[j]
        sizes[j, 2] = 1.0 if w.kind[j] == _PROP else 0.0


def lanes_on_route(net: object, lanes: np.ndarray) -> np.ndarray:
    """int64[L]: 1 for the lanes of a route's path, their neighbours of the same direction, and what connects these."""
    arrays = net
    on = np.zeros(len(arrays.lane_road), np.int64)  # type: ignore[attr-defined]
    for lane in np.unique(lanes[lanes >= 0]):
        on[lane] = 1
        for side in (arrays.lane_left, arrays.lane_right):  # type: ignore[attr-defined]
            beside = int(side[lane])
            while beside >= 0 and on[beside] == 0:
                on[beside] = 1
                beside = int(side[beside])
    first, successors = arrays.succ_first, arrays.succ_lane  # type: ignore[attr-defined]
    for lane in np.flatnonzero(on):
        for following in successors[first[lane] : first[lane + 1]]:
            ends = successors[first[following] : first[following + 1]]
            if arrays.lane_junction[following] >= 0 and len(ends) and all(on[e] == 1 for e in ends):  # type: ignore[attr-defined]
                on[following] = 1
    return on
