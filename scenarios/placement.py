"""Where a scenario takes place: the town around its trigger point, as scripts ask about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scenarios.geometry import Crossing, Polyline, RouteGeometry, route_crossings
from scenarios.lane_points import LanePoint, angle_between, lane_point_at
from scenarios.route import Location, ScenarioSpec
from scenarios.tracks import straight_stretches, stretches_between, track
from scenarios.vocabulary import Place
from simulator.errors import ScenarioError
from simulator.roads.network import RoadArrays, RoadNetwork

# A scenario belongs to a route when a trace point is this near to its trigger (docs/bench2drive.md 1.2 "kept only if").
TRIGGER_REACH = 2.0  # metres, planar, and signed in height
TRIGGER_YAW = math.radians(10.0)

# From where a junction entry comes, by its heading relative to the ego's entry (docs/bench2drive.md 1.7).
_ENTRY_ANGLES = {"left": (30.0, 135.0), "opposite": (135.0, 225.0), "right": (225.0, 330.0)}


class NotPlaced(ScenarioError):
    """Raised while a script is written, when the place lacks what the scenario needs."""


@dataclass(frozen=True)
class Site:
    """One scenario's place on its route."""

    network: RoadNetwork
    geometry: RouteGeometry
    spec: ScenarioSpec
    trigger_index: int  # trace point at which the scenario triggers
    remarks: list[str]  # what the result should say about how the scenario was placed

    @property
    def net(self) -> RoadArrays:
        return self.network.arrays

    @cached_property
    def path_lanes(self) -> frozenset[int]:
        """Lanes of the route's path."""
        return frozenset(int(i) for i in np.unique(self.geometry.path_lane) if i >= 0)

    @cached_property
    def trigger(self) -> LanePoint:
        """W: the place on a driving lane at the trigger point, on the route where lanes cross."""
        t = self.spec.trigger_point
        g = self.geometry
        k = int(np.argmin(np.hypot(g.path_x - t.x, g.path_y - t.y)))
        lane = int(g.path_lane[k])
        if lane >= 0 and math.hypot(g.path_x[k] - t.x, g.path_y[k] - t.y) < 1.0:
            return LanePoint(self.net, lane, float(g.path_lane_s[k]), self.path_lanes)
        return self.lane_at(Location(t.x, t.y, t.z), math.radians(t.yaw), what="trigger point")

    @cached_property
    def trigger_path_s(self) -> float:
        """Metres along the path at the trigger."""
        t, g = self.spec.trigger_point, self.geometry
        return float(np.argmin(np.hypot(g.path_x - t.x, g.path_y - t.y)) * g.path_step)

    def lane_at(self, location: Location, yaw: float | None = None, *, what: str, within: float = 10.0) -> LanePoint:
        """The driving lane at a location of the route file.

        Raises:
            NotPlaced: when there is none within `within` metres.
        """
        found = lane_point_at(self.net, *location, yaw=yaw)
        if found is None or found[1] > within:
            away = "none within 100 m" if found is None else f"the nearest is {found[1]:.1f} m away"
            x, y, z = location
            raise NotPlaced(f"no driving lane at its {what} ({x:.1f}, {y:.1f}, {z:.1f}): {away}")
        point = found[0]
        return LanePoint(self.net, point.lane, point.s, self.path_lanes)

    # The junction ahead

    @cached_property
    def junction(self) -> Crossing:
        """The first junction that the route crosses after the trigger.

        Raises:
            NotPlaced: when there is none, or the route begins inside it.
        """
        for crossing in route_crossings(self.net, self.geometry):
            if crossing.exit > self.trigger_path_s and crossing.enter < self.geometry.path_end:
                if crossing.entry_lane < 0 or crossing.exit_lane < 0:
                    raise NotPlaced("the route begins or ends inside the junction that it needs")
                return crossing
        raise NotPlaced("the route crosses no junction after the trigger")

    @property
    def entry(self) -> LanePoint:
        """The end of the lane by which the ego enters the junction ahead."""
        return self.lane_end(self.junction.entry_lane)

    @property
    def exit(self) -> LanePoint:
        """The start of the lane by which the ego leaves the junction ahead."""
        return LanePoint(self.net, self.junction.exit_lane, 0.0, self.path_lanes)

    def lane_end(self, lane: int) -> LanePoint:
        """The end of a lane."""
        return LanePoint(self.net, lane, float(self.net.lane_length[lane]), self.path_lanes)

    def entries_from(self, direction: str) -> list[LanePoint]:
        """Ends of the other lanes that enter the junction ahead from the ego's left, right, or opposite.

        Raises:
            NotPlaced: when there is none.
        """
        low, high = _ENTRY_ANGLES[direction]
        ends = [self.lane_end(lane) for lane in self.junction.entry_lanes]
        yaw = self.entry.place.yaw
        found = [e for e in ends if low < math.degrees(e.place.yaw - yaw) % 360.0 <= high]
        if not found:
            raise NotPlaced(f"no lane enters the junction from the {direction}")
        return found

    @property
    def ego_light(self) -> int:
        """Traffic light that rules the ego's way through the junction ahead, -1 none."""
        return next((int(i) for i in self.net.lane_light[list(self.junction.path_lanes)] if i >= 0), -1)

    def lights_of(self, lanes: Iterable[int]) -> tuple[int, ...]:
        """Traffic lights that rule the ends of lanes, ascending."""
        net = self.net
        after = [net.succ_lane[net.succ_first[i] : net.succ_first[i + 1]] for i in lanes]
        return tuple(sorted({int(net.lane_light[j]) for part in after for j in part if net.lane_light[j] >= 0}))

    # Tracks

    def track_between(self, start: LanePoint, goal: LanePoint) -> Polyline:
        """The way along lanes from one place to another.

        Raises:
            NotPlaced: when no lanes lead there.
        """
        stretches = stretches_between(start, goal)
        if stretches is None:
            a, b = start.place, goal.place
            raise NotPlaced(f"no lanes lead from ({a.x:.1f}, {a.y:.1f}) to ({b.x:.1f}, {b.y:.1f})")
        return track(self.net, stretches)

    def track_through_junction(self, start: LanePoint, beyond: float, turn: float = 0.0) -> tuple[Polyline, LanePoint]:
        """The way from a place through the junction ahead of it, to `beyond` metres past it, and the place of its end.

        Args:
            turn: 0 straight on, pi / 2 to the right.
        """
        stretches = straight_stretches(start, beyond, turn)
        lane, _, s = stretches[-1]
        return track(self.net, stretches), LanePoint(self.net, lane, s, self.path_lanes)

    # Meeting points

    def crossing_point(self, line: Polyline) -> Place:
        """Where the ego's path in the junction ahead first comes within 2 m of a track.

        Raises:
            NotPlaced: when it never does.
        """
        g, crossing = self.geometry, self.junction
        first = max(int(crossing.enter / g.path_step) - 4, 0)
        last = min(int(crossing.exit / g.path_step) + 4, len(g.path_x) - 1)
        for k in range(first, last):
            if float(np.min(np.hypot(line.x - g.path_x[k], line.y - g.path_y[k]))) < 2.0:
                return Place(float(g.path_x[k]), float(g.path_y[k]), float(g.path_z[k]), float(g.path_yaw[k]))
        raise NotPlaced("its vehicle's way does not cross the ego's in the junction")


def find_trigger(geometry: RouteGeometry, spec: ScenarioSpec) -> int:
    """Index of the trace point that is nearest to the trigger among those near enough in place, height and heading.

    Returns:
        -1 when there is none: the route does not pass the trigger point, and runs without the scenario.
    """
    t, g = spec.trigger_point, geometry
    planar = np.hypot(g.trace_x - t.x, g.trace_y - t.y)
    turned = np.abs(np.remainder(g.trace_yaw - math.radians(t.yaw) + math.pi, 2.0 * math.pi) - math.pi)
    near = np.flatnonzero((planar < TRIGGER_REACH) & (g.trace_z - t.z < TRIGGER_REACH) & (turned < TRIGGER_YAW))
    return int(near[np.argmin(planar[near])]) if len(near) else -1


def line_intersection(a: Place, b: Place) -> Place | None:
    """Where the planar lines along two places' headings meet, at the height of a; None where they hardly cross."""
    if abs(math.sin(angle_between(a.yaw, b.yaw))) < 0.5:
        return None
    ca, sa, cb, sb = math.cos(a.yaw), math.sin(a.yaw), math.cos(b.yaw), math.sin(b.yaw)
    along = ((b.x - a.x) * sb - (b.y - a.y) * cb) / (ca * sb - sa * cb)
    return a.moved(forward=along)
