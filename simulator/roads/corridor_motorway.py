"""The gap of a motorway route: an exit, an entry, or a stretch on which the scenario's flow must be crossed or joined.

Where the flow goes tells what the junction is (`r` the route, `f` the flow):

    exit        the flow ends beside the route's road: the route leaves, the flow's road goes on
    entry       the flow starts away from the route's road: a ramp passes through its start
    together    the flow starts in a neighbour lane and ends on the route: the route must change into the flow's lane

Lanes are counted to the right from the route's lane, so -1 is its left neighbour. The road before the gap is led on
into the gap where the route has to change lanes before the junction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.roads.corridor_runs import LANE_WIDTH, MOUTH, Run, reference_line
from simulator.roads.writer.geometry import Path, Pose, Profile, wrap
from simulator.roads.writer.road import EDGE_LINE, Arm, Road
from simulator.roads.writer.town import Town

RAMP_BEFORE = 60.0  # metres of ramp before the flow's start
SPEED = 90.0

_BESIDE = 6.0  # metres within which a flow's point is in a lane of the route's own road
_CHANGE_IN_GAP = 0.5  # share of the gap that stays road where the route must change lanes
_STRAIGHT_ON = 0.12  # the same where it need not
_FURTHEST_MERGE = (0.6, 0.5, 0.4, 0.3, 0.2)  # shares of a ramp's way after the flow's start that may stay road
_SHOULDER = 2.5


@dataclass
class _Carriageway:
    """A one-way road with lanes `first` to `last` (relative to the route's lane there)."""

    road: Road
    first: int
    last: int

    def lane_id(self, lane: int) -> int:
        return -(lane - self.first + 1)


def draw_motorway_junction(
    town: Town,
    before: Run,
    after: Run,
    flows: Mapping[str, np.ndarray],
    cuts_in: bool,
    length_before: float,
    length_after: float,
) -> None:
    """Draw the two roads of a motorway route and what lies between them.

    Args:
        town: receives the roads and the junction.
        before, after: the route on both sides of its gap.
        flows: points of the scenario's other traffic, float64[3] metres, OpenDRIVE frame.
        cuts_in: whether the other vehicle enters on a lane of its own and cuts in later (HighwayCutIn).
        length_before, length_after: metres of road beyond the route's ends.
    """
    _MotorwayJunction(town, before, after, length_before, length_after).draw(flows, cuts_in)


class _MotorwayJunction:
    def __init__(self, town: Town, before: Run, after: Run, length_before: float, length_after: float) -> None:
        self.town = town
        self.before, self.after = before, after
        self.length_before, self.length_after = length_before, length_after
        self.a, self.b = before.pose(-1), after.pose(0).moved(-MOUTH)

    def draw(self, flows: Mapping[str, np.ndarray], cuts_in: bool) -> None:
        start = flows.get("start_actor_flow", flows.get("other_actor_location"))
        end = flows.get("end_actor_flow")
        start_side = 0.0 if start is None else _right_of(start, self.before.line)
        end_side = 0.0 if end is None else _right_of(end, self.after.line)
        start_lane = round(start_side / LANE_WIDTH) if abs(start_side) < _BESIDE else None
        if end is not None and abs(end_side) >= _BESIDE:
            self._exit(end, 1 if end_side < 0 else -1, start_lane or 0)
        else:
            ramp_start = start if start_lane is None else None
            self._continue(start_lane or 0, ramp_start, round(end_side / LANE_WIDTH), cuts_in, start_side)

    # ---- the route leaves --------------------------------------------------------------------------------------------

    def _exit(self, end: np.ndarray, side: int, flow_lane: int) -> None:
        """The route leaves to a side (1 right, -1 left); the main road leads the flow's lane to its end."""
        exit_lane = flow_lane if flow_lane * side > 0 else 0
        first, last = (min(flow_lane, 0), exit_lane) if side > 0 else (exit_lane, max(flow_lane, 0))
        if first == last:  # the main road has two lanes at least
            first, last = (first - 1, last) if side > 0 else (first, last + 1)
        main_end = self._arrive(end).moved(0.0, flow_lane * LANE_WIDTH)
        main = Path(self.a).cubic_to(main_end)
        share = _CHANGE_IN_GAP if exit_lane else _STRAIGHT_ON
        come = self._road_before(main, share, end[2], first, last)
        beyond = main.at(max(main.length - 4.0, 0.75 * main.length))
        path = Path(self._edge(beyond, first)).cubic_to(self._edge(main_end, first))
        path.line(self.length_after)
        go_on = self._carriageway("Main road", path, Profile.constant(float(end[2])), first, last)
        leave = self._road_after(0, 0)
        main_lanes = [(come.lane_id(i), go_on.lane_id(i)) for i in range(first, last + 1)]
        self.town.junction(
            "Exit",
            [Arm(come.road, "end"), Arm(go_on.road, "start"), Arm(leave.road, "start")],
            {(0, 1): main_lanes, (0, 2): [(come.lane_id(exit_lane), leave.lane_id(0))]},
            shoulders=True,
        )

    def _arrive(self, point: np.ndarray) -> Pose:
        """Pose at a point, with the heading with which an arc from the gap's begin arrives there."""
        bearing = math.atan2(point[1] - self.a.y, point[0] - self.a.x)
        return Pose(float(point[0]), float(point[1]), wrap(2 * bearing - self.a.heading))

    # ---- the route goes on -------------------------------------------------------------------------------------------

    def _continue(
        self, start_lane: int, ramp_start: np.ndarray | None, end_lane: int, cuts_in: bool, ramp_side: float
    ) -> None:
        """The route's road goes on, its lane `shift` becoming the lane of the route after the gap."""
        shift = start_lane or (self._lanes_between() if ramp_start is not None else 0)
        first, last = min(0, shift), max(0, shift)
        side = 1 if ramp_side > 0 else -1
        if cuts_in:  # a lane on the far side of the ramp, and the ramp's own lane behind the gap
            first, last = (first - 1, last) if side > 0 else (first, last + 1)
        target = side if cuts_in else end_lane
        main = Path(self.a).cubic_to(self.b.moved(0.0, shift * LANE_WIDTH))
        share = _CHANGE_IN_GAP if shift else _STRAIGHT_ON
        come = self._road_before(main, share, self.after.height(0), first, last)
        ramp = None if ramp_start is None else self._ramp(ramp_start, target, come)
        first_after, last_after = first - shift, last - shift
        if ramp is not None:
            first_after, last_after = min(first_after, target), max(last_after, target)
        go_on = self._road_after(first_after, last_after)
        arms = [Arm(come.road, "end"), Arm(go_on.road, "start")]
        moves = {(0, 1): [(come.lane_id(i), go_on.lane_id(i - shift)) for i in range(first, last + 1)]}
        if ramp is not None:
            arms.append(Arm(ramp, "end"))
            moves[2, 1] = [(-1, go_on.lane_id(target))]
        self.town.junction("Entry" if ramp else "Stretch", arms, moves, shoulders=ramp is None)

    def _lanes_between(self) -> int:
        """Lanes to the right that the route moves over within a gap without a bend."""
        if abs(wrap(self.b.heading - self.a.heading)) > 0.12:
            return 0
        right = (self.b.x - self.a.x) * math.sin(self.a.heading) - (self.b.y - self.a.y) * math.cos(self.a.heading)
        return int(np.clip(round(right / LANE_WIDTH), -1, 1))

    def _ramp(self, start: np.ndarray, target: int, come: _Carriageway) -> Road | None:
        """A one-lane road through the flow's start towards a lane behind the gap; None where there is no room."""
        goal = self.b.moved(0.0, -target * LANE_WIDTH)
        bearing = math.atan2(goal.y - start[1], goal.x - start[0])
        here = Pose(float(start[0]), float(start[1]), wrap(2 * bearing - goal.heading))
        way = Path(here).cubic_to(goal)
        taken = _middle_points(come.road)
        half = LANE_WIDTH / 2
        for share in _FURTHEST_MERGE:
            begin, merge = here.moved(-RAMP_BEFORE, half), way.at(share * way.length).moved(0.0, half)
            path = Path(begin).line(RAMP_BEFORE)
            path.cubic_to(merge)
            points = path.sample(3.0)[:, 1:3]
            gaps = np.hypot(*(points[:, None] - taken[None, :, :2]).transpose(2, 0, 1)) - taken[None, :, 2]
            if gaps.min() > LANE_WIDTH + 1.0:
                road = self.town.road("Ramp", path, "", "ds", center=EDGE_LINE, speed=60, kind="rural")
                end_z = float(start[2]) + share * (self.after.height(0) - float(start[2]))
                road.elevation = Profile.eased([(0.0, float(start[2])), (path.length, end_z)])
                return road
        return None

    # ---- roads -------------------------------------------------------------------------------------------------------

    def _road_before(self, main: Path, share: float, end_z: float, first: int, last: int) -> _Carriageway:
        """The route's road before the gap, led on along `main` for a share of it."""
        merge = main.at(share * main.length)
        z = self.before.height(-1)
        ahead = (merge, z + share * (float(end_z) - z))
        path, elevation = reference_line(self.before, (0.5 - first) * LANE_WIDTH, self.length_before, 0.0, ahead)
        return self._carriageway("Route", path, elevation, first, last)

    def _road_after(self, first: int, last: int) -> _Carriageway:
        path, elevation = reference_line(self.after, (0.5 - first) * LANE_WIDTH, MOUTH, self.length_after)
        return self._carriageway("Route 2", path, elevation, first, last)

    def _carriageway(self, name: str, path: Path, elevation: Profile, first: int, last: int) -> _Carriageway:
        lanes = "d" * (last - first + 1) + "S"
        road = self.town.road(name, path, "", lanes, center=EDGE_LINE, speed=SPEED, kind="motorway")
        road.elevation = elevation
        return _Carriageway(road, first, last)

    @staticmethod
    def _edge(pose: Pose, first: int) -> Pose:
        """Pose on a carriageway's left edge, from one on the route's lane."""
        return pose.moved(0.0, (0.5 - first) * LANE_WIDTH)


def _right_of(point: np.ndarray, line: np.ndarray) -> float:
    """Metres that a point lies to the right of a run's line, which goes on straight at its ends."""
    x, y, _, heading = line[int(np.hypot(line[:, 0] - point[0], line[:, 1] - point[1]).argmin())]
    return float((point[0] - x) * math.sin(heading) - (point[1] - y) * math.cos(heading))


def _middle_points(road: Road) -> np.ndarray:
    """float64[N, 3] x, y, half width along a road."""
    rows = []
    for s, x, y, heading in road.path.sample(3.0):
        right, left = road.edge(-1, s), road.edge(1, s)
        middle = Pose(x, y, heading).moved(0.0, (left + right) / 2)
        rows.append((middle.x, middle.y, (left - right) / 2))
    return np.array(rows)
