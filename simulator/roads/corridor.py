"""A corridor: an OpenDRIVE map rebuilt from one route, for towns whose map is not at hand.

Known from the route: the course of its lane. Not known, and made up so that its scenario can play: the lanes beside it,
the arms of junctions, lights and signs, the way through gaps. What runs on a corridor must be labelled synthetic.

A run of positions becomes a road, extended straight on at both ends of the route. A gap becomes

* a **crossing**, where the route turns or the scenario is one of streets: a four-way junction with two more arms, which
  pass through the scenario's flow points, and with lights or signs as the scenario type asks;
* a **motorway junction**, where the scenario is one of merging or leaving (`MOTORWAY_TYPES`), see `corridor_motorway`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.errors import MapError
from simulator.roads.corridor_layout import LIT_TYPES, MOTORWAY_TYPES, STOP_SIGN_TYPES, Layout, layout_for
from simulator.roads.corridor_motorway import draw_motorway_junction
from simulator.roads.corridor_runs import MOUTH, Run, reference_line, split_runs, with_trigger
from simulator.roads.corridor_space import Space
from simulator.roads.writer.geometry import Path, Pose, Profile, wrap
from simulator.roads.writer.junction import Junction
from simulator.roads.writer.road import Arm, Road
from simulator.roads.writer.town import Town
from simulator.roads.writer.xml import to_xodr

BEFORE = 70.0  # metres of road before the route's first position
AFTER = 90.0  # metres of road after its last one
TAIL = 30.0  # metres of them that are a road of their own: CARLA's topology leaves out a road that leads nowhere
ARM_LENGTH = 100.0
SHORTEST_ARM = 45.0

_TURN = math.radians(35)  # a gap that bends more is a turn at a crossing
_LEAST_SETBACK = 12.0  # metres from a crossing's middle to the mouth of an added arm
_CLEAR_OF_CURB = 7.0  # metres between the edge of a crossing road and the mouth of an added arm
LONGEST = 2000.0  # metres of a route
_FARTHEST_SHIFT = 16.0  # metres that an arm may lie beside the crossing's axis to pass through a flow point


def build_corridor(
    name: str,
    positions: np.ndarray,
    scenario_type: str,
    flow_points: Mapping[str, tuple[float, float, float]] | None = None,
    trigger: tuple[float, float, float, float] | None = None,
) -> str:
    """OpenDRIVE text of a corridor around a route.

    Args:
        name: the map's name, such as `Town12_2534`.
        positions: float64[N, 3] metres, CARLA frame (y right), N >= 2: the route's positions in order.
        scenario_type: decides lanes, arms and control; an unknown type gets a street of 2+2 lanes.
        flow_points: CARLA locations of the scenario's other traffic by the names of the route file (`start_actor_flow`,
            `end_actor_flow`, `other_actor_location`); roads are led through them where that is possible.
        trigger: x, y, z (CARLA frame) and yaw (rad) of the scenario's trigger point; the road goes on to it.

    Returns:
        Text that `carla.Map` reads. The route lies on connected driving lanes, at most 0.2 m beside their middle.

    Raises:
        MapError: when the positions do not make a line, or one that is longer than a corridor can be.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 3 or not np.isfinite(positions).all():
        raise MapError(f"corridor {name}: positions must be finite numbers of shape [N, 3], not {positions.shape}")
    if len(positions) < 2 or np.ptp(positions[:, :2], axis=0).max() < 1.0:
        raise MapError(f"corridor {name}: the {len(positions)} positions do not make a line of at least 1 m")
    length = float(np.sum(np.hypot(*np.diff(positions[:, :2], axis=0).T)))
    if length > LONGEST:
        raise MapError(
            f"corridor {name}: the route is {length / 1000:.1f} km long, and corridors are for routes up to "
            f"{LONGEST / 1000:g} km, such as those of Bench2Drive; it needs the map of its town"
        )
    if trigger is not None:
        positions = with_trigger(positions, trigger)
    flows = {key: np.array([x, -y, z]) for key, (x, y, z) in (flow_points or {}).items()}
    runs = split_runs(positions * [1.0, -1.0, 1.0])
    town = Town(name, latitude=42.0, longitude=2.0)
    _Corridor(town, scenario_type, runs, flows).draw()
    return to_xodr(town)


@dataclass(frozen=True)
class _Ends:
    """A gap: the route's pose and height where it begins and where it ends, and how much it turns (left positive)."""

    a: Pose
    b: Pose
    z: float
    turn: float


class _Corridor:
    def __init__(self, town: Town, scenario_type: str, runs: list[Run], flows: dict[str, np.ndarray]) -> None:
        self.town = town
        self.type = scenario_type
        self.runs = runs
        self.flows = flows
        self.space = Space()
        self.roads: list[Road] = []

    def draw(self) -> None:
        if self.type in MOTORWAY_TYPES and len(self.runs) == 2:
            draw_motorway_junction(
                self.town, self.runs[0], self.runs[1], self.flows, self.type == "HighwayCutIn", BEFORE, AFTER
            )
            return
        self.roads = [self._road(i, run) for i, run in enumerate(self.runs)]
        for road in self.roads:
            self.space.add(road)
        self.space.add(self.town.prolong(self.roads[-1], TAIL))
        for before, after, road_in, road_out in zip(self.runs, self.runs[1:], self.roads, self.roads[1:]):
            ends = _Ends(
                before.pose(-1).moved(MOUTH),
                after.pose(0).moved(-MOUTH),
                (before.height(-1) + after.height(0)) / 2,
                wrap(after.pose(0).heading - before.pose(-1).heading),
            )
            self._crossing(ends, road_in, road_out)

    def _road(self, index: int, run: Run) -> Road:
        """The road of one run: its layout depends on the scenario and on the turns at its ends."""
        layout = layout_for(self.type, run.lanes, self._turn_beside(index))
        path, elevation = reference_line(
            run,
            layout.route_offset(run.lane_width),
            BEFORE if index == 0 else MOUTH,
            AFTER - TAIL if index == len(self.runs) - 1 else MOUTH,
        )
        road = self.town.road(
            f"Route {index + 1}" if index else "Route",
            path,
            layout.left,
            layout.right,
            center=layout.center,
            speed=layout.speed,
            kind=layout.kind,
            lane_width=run.lane_width,
        )
        road.elevation = elevation
        return road

    def _turn_beside(self, index: int) -> float | None:
        """Radians that the route turns (left positive) at the gap behind a run or before the last; None without."""
        if len(self.runs) == 1:
            return None
        i = min(index, len(self.runs) - 2)
        return wrap(self.runs[i + 1].pose(0).heading - self.runs[i].pose(-1).heading)

    # ---- crossings ---------------------------------------------------------------------------------------------------

    def _crossing(self, ends: _Ends, road_in: Road, road_out: Road) -> None:
        middle, setback = self._middle(ends, road_in, road_out)
        arms = {"in": Arm(road_in, "end"), "out": Arm(road_out, "start")}
        layout = layout_for(self.type, (0, 0), 0.0, arm=True)
        for arm_name, heading in self._free_sides(ends):
            road = self._arm(f"Arm {arm_name}", middle, heading, setback, ends.z, layout, arms)
            if road is not None:
                arms[arm_name] = Arm(road, "start")
                self.space.add(road)
        junction = self.town.junction(f"Crossing {len(self.town.junctions) + 1}", list(arms.values()))
        self._keep_route(junction, ends, road_in, road_out)
        self._control(junction, list(arms))
        self.town.crosswalk_at(junction, *range(len(arms)))

    def _middle(self, ends: _Ends, road_in: Road, road_out: Road) -> tuple[Pose, float]:
        """Where the axes of the two roads meet (heading: that of the way in), and how far off their mouths are."""
        a, b = road_in.path.end, road_out.path.start
        if abs(ends.turn) > _TURN:
            dx, dy = b.x - a.x, b.y - a.y
            left = dy * math.cos(a.heading) - dx * math.sin(a.heading)
            ahead = dx * math.cos(a.heading) + dy * math.sin(a.heading)
            behind_b = left / math.sin(ends.turn)
            before_b = ahead - behind_b * math.cos(ends.turn)
            if 4.0 < behind_b < 60.0 and 4.0 < before_b < 60.0:
                return a.moved(before_b), max(before_b, behind_b, _LEAST_SETBACK)
        middle = Pose((a.x + b.x) / 2, (a.y + b.y) / 2, wrap(a.heading + ends.turn / 2))
        sides = [
            abs(road.edge(side, s)) for road, s in ((road_in, road_in.length), (road_out, 0.0)) for side in (-1, 1)
        ]
        return middle, max(max(sides) + _CLEAR_OF_CURB, _LEAST_SETBACK)

    def _free_sides(self, ends: _Ends) -> list[tuple[str, float]]:
        """Names and outward headings of the arms that the route does not use."""
        a, b = ends.a.heading, ends.b.heading
        if ends.turn > _TURN:
            return [("ahead", a), ("right", wrap(b + math.pi))]
        if ends.turn < -_TURN:
            return [("ahead", a), ("left", wrap(b + math.pi))]
        along = wrap(a + ends.turn / 2)
        return [("left", wrap(along + math.pi / 2)), ("right", wrap(along - math.pi / 2))]

    def _arm(
        self, name: str, middle: Pose, heading: float, setback: float, z: float, layout: Layout, arms: dict[str, Arm]
    ) -> Road | None:
        """An added street, through a flow point where one lies on its side; None where there is no room for it."""
        outward = Pose(middle.x, middle.y, heading)
        shift, setback = self._through_flow(outward, setback, layout, arms)
        start = outward.moved(setback, shift)
        path = Path(start).line(ARM_LENGTH)
        half = max(layout.widths())
        free = self.space.free_length(path, half, z, [arm.road for arm in arms.values()])
        if free < SHORTEST_ARM:
            return None
        road = self.town.road(
            name,
            Path(start).line(min(free, ARM_LENGTH)),
            layout.left,
            layout.right,
            center=layout.center,
            speed=layout.speed,
            kind=layout.kind,
        )
        road.elevation = Profile.constant(z)
        return road

    def _through_flow(self, outward: Pose, setback: float, layout: Layout, arms: dict[str, Arm]) -> tuple[float, float]:
        """How far left of the axis an arm must lie for a flow to start (or end) on it, and where it then begins."""
        for key in ("start_actor_flow", "end_actor_flow", "other_actor_location"):
            point = self.flows.get(key)
            if point is None or any(self.space.on_road(point, arm.road) for arm in arms.values()):
                continue
            dx, dy = point[0] - outward.x, point[1] - outward.y
            ahead = dx * math.cos(outward.heading) + dy * math.sin(outward.heading)
            left = dy * math.cos(outward.heading) - dx * math.sin(outward.heading)
            lane = layout.bike_offset() if self.type == "CrossingBicycleFlow" else layout.outer_offset()
            # seen outwards, traffic that comes in keeps to the left of the axis, traffic that leaves to its right
            shift = left - lane if key != "end_actor_flow" else left + lane
            if abs(shift) <= _FARTHEST_SHIFT and 8.0 < ahead < ARM_LENGTH - 10.0 and abs(left) < ahead:
                return shift, max(min(setback, ahead - 3.0), 8.0)
        return 0.0, setback

    def _keep_route(self, junction: Junction, ends: _Ends, road_in: Road, road_out: Road) -> None:
        """Make sure that the route's lane before the gap leads to its lane after it."""
        source = self.space.lane_at(road_in, road_in.length, ends.a)
        target = self.space.lane_at(road_out, 0.0, ends.b)
        known = {pair for c in junction.connections if c.entry == 0 and c.exit == 1 for pair in c.pairs}
        if (source, target) not in known:
            self.town.add_movement(junction, 0, 1, [(source, target)])

    def _control(self, junction: Junction, names: list[str]) -> None:
        """Lights for opposite arms together, or a stop sign where the route comes in."""
        if self.type in STOP_SIGN_TYPES:
            self.town.stop(junction, 0)
        if self.type not in LIT_TYPES:
            return
        groups: list[dict[int, str]] = []
        for i, arm in enumerate(junction.arms):
            if not arm.lanes(incoming=True):
                continue
            for group in groups:
                other = junction.arms[next(iter(group))]
                if abs(abs(wrap(arm.outward.heading - other.outward.heading)) - math.pi) < 0.7:
                    group[i] = "LSR"
                    break
            else:
                groups.append({i: "LSR"})
        self.town.signalise(junction, groups)
