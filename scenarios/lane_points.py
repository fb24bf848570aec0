"""Places on lanes, and how one walks from them: the waypoints that scenario descriptions speak of.

A `LanePoint` answers what `carla.Waypoint` does (`next`, `previous`, `get_left_lane`, ...) from the road arrays. At
forks it follows the route where the route goes there, else the first branch, as the official scenarios do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from scenarios.vocabulary import Place
from simulator.roads.network import LaneType, RoadArrays
from simulator.roads.queries import nearest_lane, nearest_lane_aligned

_WALK_STEP = 1.0  # metres, the official step of "walk until a junction"
_ROAD_SIDE = 12  # lanes that a carriageway can have


@dataclass(frozen=True)
class LanePoint:
    """A place on the centre of a lane."""

    net: RoadArrays = field(repr=False, compare=False)
    lane: int
    s: float  # metres from the lane's start
    preferred: frozenset[int] = field(default=frozenset(), repr=False, compare=False)  # lanes taken first at forks

    @property
    def place(self) -> Place:
        """Its pose in the world, facing along the lane."""
        net, at = self.net, self.s / float(self.net.lane_step[self.lane])
        first, last = int(net.lane_first[self.lane]), int(net.lane_first[self.lane + 1]) - 1
        a = min(max(int(at), 0), last - first - 1)
        t = min(max(at - a, 0.0), 1.0)
        a += first

        def between(values: np.ndarray) -> float:
            low, high = float(values[a]), float(values[a + 1])
            return low + t * (high - low)

        return Place(between(net.point_x), between(net.point_y), between(net.point_z), between(net.point_yaw))

    @property
    def width(self) -> float:
        """Of its lane, metres."""
        net, step = self.net, float(self.net.lane_step[self.lane])
        first, last = int(net.lane_first[self.lane]), int(net.lane_first[self.lane + 1]) - 1
        return float(net.point_width[min(first + round(self.s / step), last)])

    @property
    def lane_change(self) -> int:
        """LANE_CHANGE_* bits that the markings allow here."""
        net, step = self.net, float(self.net.lane_step[self.lane])
        first, last = int(net.lane_first[self.lane]), int(net.lane_first[self.lane + 1]) - 1
        return int(net.point_change[min(first + round(self.s / step), last)])

    @property
    def type(self) -> LaneType:
        return LaneType(int(self.net.lane_type[self.lane]))

    @property
    def junction(self) -> int:
        """Junction index, -1 outside."""
        return int(self.net.lane_junction[self.lane])

    @property
    def speed_limit(self) -> float:
        """m/s."""
        return float(self.net.lane_speed_limit[self.lane])

    def beside(self, right: float, forward: float = 0.0, turned: float = 0.0) -> Place:
        """A place off the centre: metres to the right and forward, turned by radians."""
        return self.place.moved(forward=forward, right=right, turned=turned)

    # Along the lane

    def ahead(self, metres: float) -> LanePoint:
        """The place `metres` ahead, through junctions, or the end of the road."""
        lane, s = self.lane, self.s + metres
        while s > float(self.net.lane_length[lane]):
            after = self._following(lane)
            if after < 0:
                return self._at(lane, float(self.net.lane_length[lane]))
            s -= float(self.net.lane_length[lane])
            lane = after
        return self._at(lane, s)

    def next_lane(self) -> LanePoint | None:
        """The start of the lane that follows, None at the end of the road."""
        lane = self._following(self.lane)
        return self._at(lane, 0.0) if lane >= 0 else None

    def back(self, metres: float) -> LanePoint:
        """The place `metres` back, or the beginning of the road."""
        lane, s = self.lane, self.s - metres
        while s < 0.0:
            before = self._preceding(lane)
            if before < 0:
                return self._at(lane, 0.0)
            lane = before
            s += float(self.net.lane_length[lane])
        return self._at(lane, s)

    def walk(self, metres: float, step: float = _WALK_STEP) -> LanePoint:
        """Up to `metres` ahead in whole steps, stopping before a junction or where the lane ends."""
        here = self
        for _ in range(int(metres / step + 1e-9)):
            following = here.ahead(step)
            if following.junction >= 0 or following == here:
                break
            here = following
        return here

    def walk_back(self, metres: float, step: float = _WALK_STEP) -> LanePoint:
        """Up to `metres` back in whole steps, stopping behind a junction or where the lane begins."""
        here = self
        for _ in range(int(metres / step + 1e-9)):
            before = here.back(step)
            if before.junction >= 0 or before == here:
                break
            here = before
        return here

    def way_to_junction(self, limit: float = 1000.0) -> float:
        """Metres ahead to the first junction lane, or to the end of the road; at most about `limit`."""
        lane, metres = self.lane, float(self.net.lane_length[self.lane]) - self.s
        while metres < limit:
            lane = self._following(lane)
            if lane < 0 or self.net.lane_junction[lane] >= 0:
                break
            metres += float(self.net.lane_length[lane])
        return metres

    def way_from_junction(self, limit: float = 1000.0) -> float:
        """Metres back to the last junction lane, or to the beginning of the road; at most about `limit`."""
        lane, metres = self.lane, self.s
        while metres < limit:
            lane = self._preceding(lane)
            if lane < 0 or self.net.lane_junction[lane] >= 0:
                break
            metres += float(self.net.lane_length[lane])
        return metres

    # Across the road

    def left(self) -> LanePoint | None:
        """The neighbour on the left, whatever its type and direction (CARLA's get_left_lane)."""
        lane = int(self.net.lane_left[self.lane])
        if lane >= 0:
            return self._abreast(lane)
        return self.opposite()

    def right(self) -> LanePoint | None:
        """The neighbour on the right, with the same direction, of any type."""
        lane = int(self.net.lane_right[self.lane])
        return self._abreast(lane) if lane >= 0 else None

    def opposite(self) -> LanePoint | None:
        """From the leftmost lane: the oncoming lane beside it. It faces the other way."""
        lane = int(self.net.lane_opposite[self.lane])
        if lane < 0:
            return None
        share = 1.0 - self.s / float(self.net.lane_length[self.lane])
        return self._at(lane, share * float(self.net.lane_length[lane]))

    def to_the(self, side: str) -> LanePoint | None:
        """`left()` with the same direction, or `right()`."""
        lane = int(self.net.lane_right[self.lane] if side == "right" else self.net.lane_left[self.lane])
        return self._abreast(lane) if lane >= 0 else None

    def outward(self, side: str, until: LaneType) -> tuple[LanePoint, bool]:
        """Go from lane to lane until one of type `until`, or the edge of the road; whether it was found."""
        here = self
        for _ in range(_ROAD_SIDE):
            if here.type == until:
                return here, True
            beyond = here.to_the(side)
            if beyond is None:
                break
            here = beyond
        return here, here.type == until

    def same_direction_lanes(self) -> list[LanePoint]:
        """Itself, then the driving lanes to its right, then those to its left."""
        found = [self]
        for side in ("right", "left"):
            here = self.to_the(side)
            while here is not None and here.type == LaneType.DRIVING:
                found.append(here)
                here = here.to_the(side)
        return found

    # Steps

    def _following(self, lane: int) -> int:
        return self._choose(lanes_after(self.net, lane))

    def _preceding(self, lane: int) -> int:
        return self._choose(lanes_before(self.net, lane))

    def _choose(self, lanes: list[int]) -> int:
        return next((i for i in lanes if i in self.preferred), lanes[0] if lanes else -1)

    def _abreast(self, lane: int) -> LanePoint:
        share = self.s / float(self.net.lane_length[self.lane])
        return self._at(lane, share * float(self.net.lane_length[lane]))

    def _at(self, lane: int, s: float) -> LanePoint:
        return LanePoint(self.net, lane, min(max(s, 0.0), float(self.net.lane_length[lane])), self.preferred)


def lanes_after(net: RoadArrays, lane: int) -> list[int]:
    """Driving lanes that follow a driving lane (any lanes that follow another one), CARLA's first branch first."""
    return _of_kind(net, lane, net.succ_lane[net.succ_first[lane] : net.succ_first[lane + 1]])


def lanes_before(net: RoadArrays, lane: int) -> list[int]:
    """Driving lanes that lead to a driving lane (any lanes that lead to another one)."""
    return _of_kind(net, lane, net.pred_lane[net.pred_first[lane] : net.pred_first[lane + 1]])


def _of_kind(net: RoadArrays, lane: int, others: np.ndarray) -> list[int]:
    lanes = [int(i) for i in others]
    if net.lane_type[lane] != LaneType.DRIVING:
        return lanes
    return [i for i in lanes if net.lane_type[i] == LaneType.DRIVING]


def heading_change(net: RoadArrays, lane: int) -> float:
    """How far a lane turns from its start to its end, radians, right positive."""
    first, last = net.lane_first[lane], net.lane_first[lane + 1] - 1
    return float(net.point_yaw[last] - net.point_yaw[first])


def straightest(net: RoadArrays, lane: int) -> int:
    """The lane after this one that bends least, -1 at the end of the road."""
    return min(lanes_after(net, lane), key=lambda i: (abs(heading_change(net, i)), i), default=-1)


def lane_point_at(
    net: RoadArrays, x: float, y: float, z: float, yaw: float | None = None, mask: int = 1 << LaneType.DRIVING
) -> tuple[LanePoint, float] | None:
    """The nearest place on a lane and its distance in metres; with `yaw`, among lanes within 90 degrees of it.

    Returns:
        None where there is no lane within 100 m.
    """
    if yaw is None:
        lane, s, _, distance = nearest_lane(net, x, y, z, mask)
    else:
        lane, s, _, distance = nearest_lane_aligned(net, x, y, z, yaw, mask)
    if lane < 0:
        return None
    return LanePoint(net, int(lane), float(s)), float(distance)


def angle_between(a: float, b: float) -> float:
    """b - a in (-pi, pi]."""
    return -math.remainder(a - b, 2.0 * math.pi)
