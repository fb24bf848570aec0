"""Which lanes a route drives on: the positions of a route file matched to the lanes of a town.

Nearest lanes alone go wrong where lanes cross or lie side by side, and route files leave out whole junctions. So every
position gets its candidate lanes, and the most plausible sequence of candidates is found by the Viterbi algorithm
(Newson and Krumm 2009): a position should lie near the lane's centre, and the way along lanes from one position to the
next should be about as long as the straight line.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count

import numpy as np

from simulator.errors import RouteError
from simulator.roads.network import LANE_CHANGE_LEFT, LANE_CHANGE_RIGHT, LaneType, RoadArrays, RoadNetwork

NEAR_M = 2.5  # lanes this near to a position are candidates,
FAR_M = 5.0  # and these, heading aside, where there is none
LEVEL_M = 4.0  # a lane higher or lower than this is another level of the road
HEADING_LIMIT = math.cos(math.radians(60.0))
HEADING_REACH_M = 6.0  # positions farther apart say nothing about the heading between them
OFFSET_WEIGHT = 2.0  # cost of a metre beside the lane's centre, in metres of detour
CHANGE_COST = 10.0  # cost of a lane change, in metres: more than the inside lane of a bend saves
FORBIDDEN_CHANGE_COST = 40.0  # cost of one that the markings do not allow
BACKWARD_M = 6.0  # a position may lie this far behind the one before it (the official trace does, at lane changes)
BLEND_LEAD_M = 10.0  # a free lane change begins this far before its middle


@dataclass(frozen=True)
class LanePiece:
    """A stretch of one lane; `change` says how it is entered: 0 driving on, -1 / +1 changing to the left / right."""

    lane: int
    s_from: float  # metres along the lane
    s_to: float
    change: int = 0


@dataclass(frozen=True)
class MatchedRoute:
    """The lanes of a route, without gaps, and where its K positions lie on them."""

    pieces: tuple[LanePiece, ...]
    position_lane: np.ndarray  # int32[K]
    position_s: np.ndarray  # float64[K] metres along that lane
    position_offset: np.ndarray  # float64[K] metres beside its centre, right positive


@dataclass(frozen=True)
class _Candidate:
    lane: int
    s: float
    offset: float
    cost: float


def match_route(network: RoadNetwork, positions: np.ndarray, name: str = "") -> MatchedRoute:
    """Find the lanes that the positions of a route run along.

    Args:
        network: the town.
        positions: float64[K, 3] metres, world, K >= 2, in driving order; 2 m or 200 m apart.
        name: the route's id, for messages.

    Raises:
        RouteError: when a position is more than 5 m off every driving lane, or no lanes lead on from one to the next.
    """
    points = np.asarray(positions, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2:
        raise RouteError(
            f"positions of route '{name}' have shape {points.shape}; two or more rows of x, y, z are needed"
        )
    lanes = _LaneGraph(network.arrays)
    headings = _headings(points)
    candidates = [_candidates(network.arrays, p, h) for p, h in zip(points, headings)]
    for i, found in enumerate(candidates):
        if not found:
            raise _route_error(name, network, points, i, f"is more than {FAR_M:.0f} m off every driving lane")
    chosen = _viterbi(lanes, points, candidates, name, network)
    return MatchedRoute(
        pieces=_pieces(lanes, chosen),
        position_lane=np.array([c.lane for c in chosen], np.int32),
        position_s=np.array([c.s for c in chosen]),
        position_offset=np.array([c.offset for c in chosen]),
    )


def _route_error(name: str, network: RoadNetwork, points: np.ndarray, i: int, text: str) -> RouteError:
    x, y, z = points[i]
    label = f"route {name}" if name else "the route"
    return RouteError(
        f"{label} on {network.town}: position {i} at ({x:.1f}, {y:.1f}, {z:.1f}) {text}; "
        f"correct the position in the route file, or check that this is the map it was made for"
    )


# Candidates


def _headings(points: np.ndarray) -> list[float | None]:
    """Direction of travel at each position, rad, where its neighbours are near enough to tell."""
    gaps = np.hypot(*np.diff(points[:, :2], axis=0).T)
    headings: list[float | None] = []
    for i in range(len(points)):
        a = i - 1 if i > 0 and gaps[i - 1] < HEADING_REACH_M else i
        b = i + 1 if i + 1 < len(points) and gaps[i] < HEADING_REACH_M else i
        dx, dy = points[b, :2] - points[a, :2]
        headings.append(math.atan2(dy, dx) if math.hypot(dx, dy) > 0.3 else None)
    return headings


def _candidates(net: RoadArrays, point: np.ndarray, heading: float | None) -> list[_Candidate]:
    found = _lanes_around(net, point, heading, NEAR_M, LEVEL_M)
    return found or _lanes_around(net, point, None, FAR_M, LEVEL_M) or _lanes_around(net, point, None, FAR_M, math.inf)


def _lanes_around(
    net: RoadArrays, point: np.ndarray, heading: float | None, radius: float, level: float
) -> list[_Candidate]:
    """Driving lanes whose centre is within `radius` (planar), ordered by lane; each with the nearest place on it."""
    x, y, z = (float(v) for v in point)
    near = _points_around(net, x, y, radius + 1.0)
    near = near[net.lane_type[net.point_lane[near]] == LaneType.DRIVING]
    near = near[np.abs(net.point_z[near] - z) <= level]
    if heading is not None:
        near = near[np.cos(net.point_yaw[near] - heading) > HEADING_LIMIT]
    distance = np.hypot(net.point_x[near] - x, net.point_y[near] - y)
    order = np.lexsort((near, distance))
    _, first = np.unique(net.point_lane[near[order]], return_index=True)
    found = []
    for p in near[order][first]:
        s, offset, away = _project(net, int(p), x, y)
        if away <= radius:
            found.append(_Candidate(int(net.point_lane[p]), s, offset, OFFSET_WEIGHT * away))
    return found


def _points_around(net: RoadArrays, x: float, y: float, radius: float) -> np.ndarray:
    """Lane points of all grid cells that a square around (x, y) touches."""
    low, high = (np.floor((np.array([x, y]) + r - net.grid_origin) / net.grid_cell[0]) for r in (-radius, radius))
    low = np.clip(low, 0, net.grid_size).astype(np.int64)
    high = np.clip(high, -1, net.grid_size - 1).astype(np.int64)
    rows = [
        net.cell_point[
            net.cell_first[iy * net.grid_size[0] + low[0]] : net.cell_first[iy * net.grid_size[0] + high[0] + 1]
        ]
        for iy in range(low[1], high[1] + 1)
        if low[0] <= high[0]
    ]
    return np.concatenate(rows) if rows else np.zeros(0, np.int32)


def _project(net: RoadArrays, p: int, x: float, y: float) -> tuple[float, float, float]:
    """Nearest place on the two segments beside lane point p: s, offset (right positive) and distance, metres."""
    lane = net.point_lane[p]
    first, last = int(net.lane_first[lane]), int(net.lane_first[lane + 1]) - 1
    best = (0.0, 0.0, math.inf)
    for a in range(max(p - 1, first), min(p, last - 1) + 1):
        ux, uy = net.point_x[a + 1] - net.point_x[a], net.point_y[a + 1] - net.point_y[a]
        wx, wy = x - net.point_x[a], y - net.point_y[a]
        t = min(max((wx * ux + wy * uy) / max(ux * ux + uy * uy, 1e-12), 0.0), 1.0)
        rx, ry = wx - t * ux, wy - t * uy
        away = math.hypot(rx, ry)
        if away < best[2]:
            best = ((a - first + t) * float(net.lane_step[lane]), math.copysign(away, ux * ry - uy * rx), away)
    return best


# The lane graph


class _LaneGraph:
    """Ways between lanes: to a successor, or to a neighbour that runs beside it in the same direction.

    A state is (lane, entered): `entered` is false as long as only lane changes have happened, so that places behind the
    starting place count as behind, and true once the lane was reached through its beginning.
    """

    def __init__(self, net: RoadArrays) -> None:
        self.net = net
        self._cache: dict[tuple[int, float], _Reach] = {}

    def reach(self, lane: int, limit: float) -> _Reach:
        """Costs from the start of `lane` to the starts of all lanes within `limit` metres."""
        key = lane, limit
        if key not in self._cache:
            self._cache[key] = self._search(lane, limit)
        return self._cache[key]

    def neighbours(self, lane: int) -> list[tuple[int, int, float]]:
        """Lanes beside it: (lane, -1 left / +1 right, cost of changing to it)."""
        net = self.net
        found = []
        for side, other, bit in (
            (-1, int(net.lane_left[lane]), LANE_CHANGE_LEFT),
            (1, int(net.lane_right[lane]), LANE_CHANGE_RIGHT),
        ):
            if other >= 0 and net.lane_type[other] == LaneType.DRIVING:
                marks = net.point_change[net.lane_first[lane] : net.lane_first[lane + 1]]
                found.append((other, side, CHANGE_COST if np.any(marks & bit) else FORBIDDEN_CHANGE_COST))
        return found

    def _search(self, start: int, limit: float) -> _Reach:
        net = self.net
        cost: dict[_State, float] = {(start, False): 0.0}
        scale: dict[_State, float] = {(start, False): 1.0}
        parent: dict[_State, tuple[_State, int]] = {}
        done: set[_State] = set()
        order = count()
        queue: list[tuple[float, int, _State]] = [(0.0, next(order), (start, False))]
        while queue:
            so_far, _, state = heapq.heappop(queue)
            if state in done:
                continue
            done.add(state)
            if so_far > limit:
                break
            lane, entered = state
            steps = [((other, entered), side, price) for other, side, price in self.neighbours(lane)]
            for k in range(net.succ_first[lane], net.succ_first[lane + 1]):
                following = int(net.succ_lane[k])
                if net.lane_type[following] == LaneType.DRIVING:
                    steps.append(((following, True), 0, float(net.lane_length[lane])))
            for next_state, how, price in steps:
                if so_far + price < cost.get(next_state, math.inf):
                    cost[next_state] = so_far + price
                    scale[next_state] = scale[state]
                    if not next_state[1]:
                        scale[next_state] = float(net.lane_length[next_state[0]] / net.lane_length[start])
                    parent[next_state] = state, how
                    heapq.heappush(queue, (so_far + price, next(order), next_state))
        return _Reach(cost, scale, parent)


_State = tuple[int, bool]


@dataclass(frozen=True)
class _Reach:
    """Ways from the start of one lane. `scale`: length of the lane beside it that was left last, relative to it."""

    cost: dict[_State, float]
    scale: dict[_State, float]
    parent: dict[_State, tuple[_State, int]]

    def between(self, a: _Candidate, b: _Candidate) -> tuple[float, _State] | None:
        """Metres driven from a to b (lane changes at their cost), and the state in which b is reached."""
        best: tuple[float, _State] | None = None
        state = b.lane, False
        if state in self.cost:
            metres = b.s - a.s * self.scale[state]
            if metres >= -BACKWARD_M:
                best = max(metres, 0.0) + self.cost[state], state
        state = b.lane, True
        if state in self.cost:
            metres = self.cost[state] - a.s * self.scale[state] + b.s
            if best is None or metres < best[0]:
                best = max(metres, 0.0), state
        return best

    def chain(self, state: _State) -> list[tuple[int, int]]:
        """Lanes after the first on the way to `state`: (lane, how it is entered)."""
        steps = []
        while state in self.parent:
            before, how = self.parent[state]
            steps.append((state[0], how))
            state = before
        return steps[::-1]


@dataclass(frozen=True)
class _Choice(_Candidate):
    """The chosen candidate of a position, and the lanes that lead to it from the choice before."""

    chain: tuple[tuple[int, int], ...] = ()


def _viterbi(
    lanes: _LaneGraph,
    points: np.ndarray,
    candidates: list[list[_Candidate]],
    name: str,
    network: RoadNetwork,
) -> list[_Choice]:
    costs = [c.cost for c in candidates[0]]
    back: list[list[tuple[int, tuple[tuple[int, int], ...]]]] = []
    for i in range(1, len(points)):
        gap = float(math.dist(points[i - 1, :2], points[i, :2]))
        # A roundabout way is looked for only where there is no direct one.
        for limit in (2.0 * gap + 60.0, 10.0 * gap + 600.0):
            new_costs, links = _advance(lanes, candidates[i - 1], candidates[i], costs, gap, limit)
            if min(new_costs) < math.inf:
                break
        else:
            text = f"cannot be reached along lanes from position {i - 1}, {gap:.1f} m away"
            raise _route_error(name, network, points, i, text)
        costs = new_costs
        back.append(links)
    j = costs.index(min(costs))
    chosen = []
    for i in range(len(points) - 1, -1, -1):
        c = candidates[i][j]
        before, chain = back[i - 1][j] if i else (0, ())
        chosen.append(_Choice(c.lane, c.s, c.offset, c.cost, chain))
        j = before
    return chosen[::-1]


def _advance(
    lanes: _LaneGraph, old: list[_Candidate], new: list[_Candidate], costs: list[float], gap: float, limit: float
) -> tuple[list[float], list[tuple[int, tuple[tuple[int, int], ...]]]]:
    """One Viterbi step: cost of each new candidate, and (old candidate, lanes between) that it comes from."""
    best = [math.inf] * len(new)
    links: list[tuple[int, tuple[tuple[int, int], ...]]] = [(-1, ())] * len(new)
    for j, a in enumerate(old):
        if costs[j] == math.inf:
            continue
        reach = lanes.reach(a.lane, _rounded_up(limit + a.s))
        for k, b in enumerate(new):
            way = reach.between(a, b)
            if way is None:
                continue
            total = costs[j] + abs(way[0] - gap) + b.cost
            if total < best[k]:
                best[k] = total
                links[k] = j, tuple(reach.chain(way[1]))
    return best, links


def _rounded_up(limit: float) -> float:
    """The next power of two, so that positions on one lane share a search."""
    return 2.0 ** math.ceil(math.log2(limit))


# Pieces


def _pieces(lanes: _LaneGraph, chosen: list[_Choice]) -> tuple[LanePiece, ...]:
    net = lanes.net
    pieces = [LanePiece(chosen[0].lane, chosen[0].s, chosen[0].s)]

    def extend_to(s: float) -> None:
        last = pieces[-1]
        pieces[-1] = LanePiece(last.lane, last.s_from, max(last.s_to, s), last.change)

    for target in chosen[1:]:
        for k, (lane, how) in enumerate(target.chain):
            here = pieces[-1]
            if how == 0:
                extend_to(float(net.lane_length[here.lane]))
                pieces.append(LanePiece(lane, 0.0, 0.0))
                continue
            goes_on = any(later == 0 for _, later in target.chain[k + 1 :])
            latest = float(net.lane_length[here.lane])
            if not goes_on:
                latest = min(latest, _beside(net, target.lane, target.s, here.lane))
            extend_to(_change_at(net, here.lane, how, here.s_to, latest))
            s = _beside(net, here.lane, pieces[-1].s_to, lane)
            pieces.append(LanePiece(lane, s, s, how))
        extend_to(target.s)
    return tuple(pieces)


def _change_at(net: RoadArrays, lane: int, side: int, earliest: float, latest: float) -> float:
    """Where on a lane the middle of a change lies: soon after the markings allow it."""
    if latest <= earliest:
        return earliest
    first = int(net.lane_first[lane])
    marks = net.point_change[first : net.lane_first[lane + 1]] & (LANE_CHANGE_LEFT if side < 0 else LANE_CHANGE_RIGHT)
    s = np.arange(len(marks)) * net.lane_step[lane]
    allowed = s[(marks != 0) & (s >= earliest) & (s <= latest)]
    begin = float(allowed[0]) if len(allowed) else earliest
    return begin + min(BLEND_LEAD_M, 0.5 * (latest - begin))


def _beside(net: RoadArrays, lane: int, s: float, other: int) -> float:
    """The s on `other` beside the place s of `lane`."""
    first, last = int(net.lane_first[lane]), int(net.lane_first[lane + 1]) - 1
    at = min(max(s / float(net.lane_step[lane]), 0.0), float(last - first))
    a = min(first + int(at), last - 1)
    t = first + at - a
    x = float(net.point_x[a] + t * (net.point_x[a + 1] - net.point_x[a]))
    y = float(net.point_y[a] + t * (net.point_y[a + 1] - net.point_y[a]))
    span = slice(int(net.lane_first[other]), int(net.lane_first[other + 1]))
    nearest = span.start + int(np.argmin(np.hypot(net.point_x[span] - x, net.point_y[span] - y)))
    return _project(net, nearest, x, y)[0]
