"""Ways of other vehicles through the junction ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scenarios.geometry import Polyline
from scenarios.lane_points import LanePoint, angle_between
from scenarios.placement import NotPlaced, Site
from scenarios.tracks import straight_stretches, track

_STRAIGHT = math.radians(45.0)  # a way through a junction that turns less counts as straight on
_STEP_BACK = 5.0  # metres in which the official code walks back from an entry


@dataclass(frozen=True)
class Way:
    """From before an entry through the junction to beyond it."""

    entry: LanePoint  # the end of the lane by which it enters, or where it begins
    sink: LanePoint  # where it ends
    line: Polyline
    exit_lane: int  # by which it leaves the junction, -1 when it ends inside
    junction_from: float  # metres along the line
    junction_to: float

    @property
    def is_straight(self) -> bool:
        """True when it turns by less than 45 degrees in the junction."""
        after = float(self.line.yaw[min(math.ceil(self.junction_to / self.line.step), len(self.line.yaw) - 1)])
        return abs(angle_between(self.entry.place.yaw, after)) < _STRAIGHT

    def meets_ego(self, at: Site) -> bool:
        """True when it comes within 2 m of the ego's path in the junction."""
        try:
            at.crossing_point(self.line)
        except NotPlaced:
            return False
        return True


def way_through(at: Site, entry: LanePoint, *, before: float = 0.0, beyond: float = 10.0, turn: float = 0.0) -> Way:
    """The way from up to `before` metres before an entry through the junction to `beyond` metres past it.

    Args:
        turn: heading change wanted in the junction, radians: 0 straight on, pi / 2 to the right.
    """
    return _way(at, entry, entry.walk_back(before, step=_STEP_BACK), beyond, turn)


def way_ahead(at: Site, start: LanePoint, *, beyond: float) -> Way:
    """The way from a place straight on through the next junction to `beyond` metres past it."""
    return _way(at, start, start, beyond, 0.0)


def _way(at: Site, entry: LanePoint, start: LanePoint, beyond: float, turn: float) -> Way:
    stretches = straight_stretches(start, beyond, turn)
    inside = [at.net.lane_junction[lane] >= 0 for lane, _, _ in stretches]
    metres = [s_to - s_from for _, s_from, s_to in stretches]
    first = inside.index(True) if True in inside else len(stretches)
    after = next((k for k in range(first, len(stretches)) if not inside[k]), len(stretches))
    lane, _, s = stretches[-1]
    return Way(
        entry=entry,
        sink=LanePoint(at.net, lane, s, at.path_lanes),
        line=track(at.net, stretches),
        exit_lane=stretches[after][0] if after < len(stretches) else -1,
        junction_from=sum(metres[:first]),
        junction_to=sum(metres[:after]),
    )


def crosses_ego(at: Site, entry: LanePoint) -> bool:
    """True when a vehicle that goes straight on from an entry crosses the ego's way."""
    way = way_through(at, entry, beyond=10.0)
    return way.is_straight and way.meets_ego(at)
