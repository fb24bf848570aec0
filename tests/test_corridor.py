"""Corridors: CARLA's parser drives the whole route on a map that was rebuilt from the route alone."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import carla
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import MapError
from simulator.roads.corridor import build_corridor
from simulator.roads.corridor_runs import with_trigger

STEP = 2.0
Lane = tuple[int, int]


class Walk:
    """Positions of a made-up route, CARLA frame, grown step by step; `right` turns are positive."""

    def __init__(self, heading: float = 0.3) -> None:
        self.x, self.y, self.heading = 100.0, -50.0, heading
        self.points = [(self.x, self.y)]

    def go(self, length: float, turn: float = 0.0) -> Walk:
        steps = round(length / STEP)
        for _ in range(steps):
            self._move(STEP, turn / steps / 2)
            self.heading += turn / steps / 2
            self.points.append((self.x, self.y))
        return self

    def skip(self, ahead: float, right: float = 0.0, turn: float = 0.0) -> Walk:
        """Leave the inside of a junction (or a change of lanes) out."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        self.x, self.y = self.x + ahead * c - right * s, self.y + ahead * s + right * c
        self.heading += turn
        self.points.append((self.x, self.y))
        return self

    def positions(self, climb: float = 0.02) -> np.ndarray:
        """float64[N, 3], rounded to 0.1 m as in route files, on a slope."""
        xy = np.array(self.points)
        way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        return np.round(np.column_stack([xy, 350.0 + climb * way]), 1)

    def _move(self, length: float, turn: float) -> None:
        self.heading += turn
        self.x += length * math.cos(self.heading)
        self.y += length * math.sin(self.heading)


RIGHT_ANGLE = math.pi / 2
STRAIGHT = Walk().go(134).positions()
LEFT_TURN = Walk().go(24).skip(16, -16, -RIGHT_ANGLE).go(30).positions()
RIGHT_TURN = Walk().go(24).skip(12, 12, RIGHT_ANGLE).go(30).positions()
ROUTES = {
    "straight": (STRAIGHT, "Accident"),
    "straight two ways": (STRAIGHT, "AccidentTwoWays"),
    "curve": (Walk().go(40).go(50, 1.0).go(40).positions(), "InvadingTurn"),
    "sharp curve": (Walk().go(30).go(32, -RIGHT_ANGLE).go(40).positions(), "ControlLoss"),
    "left turn": (LEFT_TURN, "SignalizedJunctionLeftTurn"),
    "right turn": (RIGHT_TURN, "NonSignalizedJunctionRightTurn"),
    "straight on": (Walk().go(24).skip(30).go(40).positions(), "OppositeVehicleRunningRedLight"),
    "two turns": (Walk().go(30).skip(14, 14, RIGHT_ANGLE).go(60).skip(15, -15, -RIGHT_ANGLE).go(30).positions(), ""),
    "lane changes": (Walk().go(40).skip(6, -3.5).go(30).skip(6, -3.5).go(30).positions(), "SequentialLaneChange"),
    "change to the right": (Walk().go(40).skip(8, 3.5).go(60).positions(), "Accident"),
    "wide exit": (Walk().go(24).skip(58, 18, 0.5).go(50).positions(), "HighwayExit"),
    "turn at once": (Walk().skip(16, -16, -RIGHT_ANGLE).go(30).positions(), "VanillaNonSignalizedTurn"),
}


@pytest.fixture(params=sorted(ROUTES), scope="module")
def corridor(request: pytest.FixtureRequest) -> tuple[carla.Map, str, np.ndarray]:
    positions, scenario_type = ROUTES[request.param]
    xodr = build_corridor("Corridor", positions, scenario_type)
    return carla.Map("Corridor", xodr), xodr, positions


# ---- what holds for every corridor -----------------------------------------------------------------------------------


def beside(waypoint: carla.Waypoint, point: np.ndarray) -> float:
    """Metres between a point and the middle line of a waypoint's lane."""
    place = waypoint.transform.location
    yaw = math.radians(waypoint.transform.rotation.yaw)
    return abs((point[1] - place.y) * math.cos(yaw) - (point[0] - place.x) * math.sin(yaw))


def snap(town: carla.Map, positions: np.ndarray) -> list[carla.Waypoint]:
    return [town.get_waypoint(carla.Location(*map(float, p))) for p in positions]


def lane_ends(town: carla.Map, xodr: str, kinds: tuple[str, ...]) -> dict[Lane, tuple[carla.Waypoint, carla.Waypoint]]:
    """(road, lane) -> waypoints just inside the lane's beginning and end, in its direction of travel."""
    ends = {}
    for road in ElementTree.fromstring(xodr).iter("road"):
        road_id, length = int(road.get("id", "")), float(road.get("length", ""))
        for lane in road.iter("lane"):
            lane_id = int(lane.get("id", ""))
            if lane_id != 0 and lane.get("type") in kinds:
                first, last = (town.get_waypoint_xodr(road_id, lane_id, s) for s in (0.02, length - 0.02))
                ends[road_id, lane_id] = (first, last) if lane_id < 0 else (last, first)
    return ends


def reaches(ends: dict[Lane, tuple[carla.Waypoint, carla.Waypoint]], start: Lane, goal: Lane) -> bool:
    """Whether one lane leads to another by driving on and by lane changes outside junctions."""
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        first, last = ends[here]
        following = list(last.next(0.5))
        if not first.is_junction:
            following += [w for w in (first.get_left_lane(), first.get_right_lane()) if w is not None]
        for waypoint in following:
            lane = (waypoint.road_id, waypoint.lane_id)
            same_way = waypoint.is_junction or waypoint.road_id != here[0] or waypoint.lane_id * here[1] > 0
            if lane not in seen and lane in ends and same_way:
                seen.add(lane)
                todo.append(lane)
    return goal in seen


def check_route(town: carla.Map, xodr: str, positions: np.ndarray) -> None:
    """The route lies on the middle of connected driving lanes, along their direction and at their height."""
    waypoints = snap(town, positions)
    for waypoint, point in zip(waypoints, positions):
        assert beside(waypoint, point) < 0.2, point
        assert abs(waypoint.transform.location.z - point[2]) < 0.3, point
    for waypoint, here, there in zip(waypoints, positions, positions[1:]):
        dx, dy = there[:2] - here[:2]
        if 0.5 < math.hypot(dx, dy) < 3.0:
            yaw = math.degrees(math.atan2(dy, dx))
            assert abs((waypoint.transform.rotation.yaw - yaw + 180) % 360 - 180) < 12, here
    ends = lane_ends(town, xodr, ("driving",))
    for before, after in pairwise((w.road_id, w.lane_id) for w in waypoints):
        assert before == after or reaches(ends, before, after), (before, after)


def test_the_route_is_drivable(corridor: tuple[carla.Map, str, np.ndarray]) -> None:
    check_route(*corridor)


def test_lanes_follow_each_other_without_gap_or_kink(corridor: tuple[carla.Map, str, np.ndarray]) -> None:
    town, xodr, _ = corridor
    for lane, (_, last) in lane_ends(town, xodr, ("driving", "sidewalk", "biking")).items():
        ahead = last.transform.transform(carla.Location(x=0.04))
        for following in last.next(0.04):
            yaw = following.transform.rotation.yaw - last.transform.rotation.yaw
            assert following.transform.location.distance(ahead) < 0.05, lane
            assert abs((yaw + 180) % 360 - 180) < 3.0, lane


def test_traffic_has_room_before_and_behind_the_route(corridor: tuple[carla.Map, str, np.ndarray]) -> None:
    town, _, positions = corridor
    first, last = (town.get_waypoint(carla.Location(*map(float, positions[i]))) for i in (0, -1))
    assert first.previous(60.0)
    assert last.next(80.0)


def test_carla_lists_the_route_in_its_topology(corridor: tuple[carla.Map, str, np.ndarray]) -> None:
    """Its planner traces over the topology, which leaves out lanes that lead nowhere."""
    town, _, positions = corridor
    listed = {(w.road_id, w.lane_id) for pair in town.get_topology() for w in pair}
    assert {(w.road_id, w.lane_id) for w in snap(town, positions)} <= listed


def test_the_same_route_gives_the_same_bytes() -> None:
    assert build_corridor("A", LEFT_TURN, "SignalizedJunctionLeftTurn") == build_corridor(
        "A", LEFT_TURN.copy(), "SignalizedJunctionLeftTurn"
    )


# ---- what scenario types find ----------------------------------------------------------------------------------------


def middle_of(positions: np.ndarray, scenario_type: str) -> carla.Waypoint:
    town = carla.Map("Corridor", build_corridor("Corridor", positions, scenario_type))
    return town.get_waypoint(carla.Location(*map(float, positions[len(positions) // 2])))


@pytest.mark.parametrize("scenario_type", ["Accident", "ConstructionObstacle", "HazardAtSideLane", "ParkedObstacle"])
def test_obstacles_find_a_lane_of_the_same_direction_at_left(scenario_type: str) -> None:
    left = middle_of(STRAIGHT, scenario_type).get_left_lane()
    assert left.lane_type == carla.LaneType.Driving
    assert left.lane_id < 0


@pytest.mark.parametrize("scenario_type", ["AccidentTwoWays", "HazardAtSideLaneTwoWays", "VehicleOpensDoorTwoWays"])
def test_two_ways_types_may_pass_on_the_oncoming_lane(scenario_type: str) -> None:
    here = middle_of(STRAIGHT, scenario_type)
    assert here.left_lane_marking.type == carla.LaneMarkingType.Broken
    assert here.get_left_lane().lane_type == carla.LaneType.Driving
    assert here.get_left_lane().lane_id > 0


@pytest.mark.parametrize("scenario_type", ["VehicleOpensDoorTwoWays", "ParkingExit", "ParkingCutIn"])
def test_parking_types_find_a_parking_lane_at_right(scenario_type: str) -> None:
    assert middle_of(STRAIGHT, scenario_type).get_right_lane().lane_type == carla.LaneType.Parking


def test_static_cut_in_finds_a_lane_at_right() -> None:
    right = middle_of(STRAIGHT, "StaticCutIn").get_right_lane()
    assert right.lane_type == carla.LaneType.Driving


def entries(town: carla.Map, positions: np.ndarray) -> dict[int, carla.Waypoint]:
    """Entries of the route's junction by angle to the route's own (degrees clockwise, to the nearest 90)."""
    here = town.get_waypoint(carla.Location(*map(float, positions[0])))
    ahead = here
    while not ahead.is_junction:
        ahead = ahead.next(0.5)[0]
    found = {}
    for begin, _ in ahead.get_junction().get_waypoints(carla.LaneType.Driving):
        entry = begin.previous(1.0)[0]
        angle = entry.transform.rotation.yaw - here.transform.rotation.yaw
        found[round(angle / 90) * 90 % 360] = entry
    return found


def test_a_turn_has_entries_on_all_sides_with_room_for_flows() -> None:
    for positions in (LEFT_TURN, RIGHT_TURN):
        town = carla.Map("Corridor", build_corridor("Corridor", positions, "SignalizedJunctionLeftTurn"))
        found = entries(town, positions)
        assert sorted(found) == [0, 90, 180, 270]
        assert all(entry.previous(60.0) for entry in found.values())


def test_signalised_types_get_lights_for_every_entry_in_two_phases() -> None:
    xodr = build_corridor("Corridor", LEFT_TURN, "SignalizedJunctionLeftTurn")
    town = carla.Map("Corridor", xodr)
    lights = [mark for mark in town.get_all_landmarks() if mark.type == "1000001"]
    ruled = {light.road_id for light in lights if any(pair != (0, 0) for pair in light.get_lane_validities())}
    ways = entries(town, LEFT_TURN).values()
    assert all(following.road_id in ruled for entry in ways for following in entry.next(2.0))
    assert len(ElementTree.fromstring(xodr).findall("controller")) == 2
    assert build_corridor("Corridor", LEFT_TURN, "NonSignalizedJunctionLeftTurn").count("1000001") == 0


def test_the_stop_sign_type_gets_its_sign() -> None:
    xodr = build_corridor("Corridor", LEFT_TURN, "VanillaNonSignalizedTurnEncounterStopsign")
    town = carla.Map("Corridor", xodr)
    signs = [mark for mark in town.get_all_landmarks() if mark.type == "206"]
    here = town.get_waypoint(carla.Location(*map(float, LEFT_TURN[0])))
    assert [sign.road_id for sign in signs] == [here.road_id]


def test_a_street_flow_runs_through_its_points() -> None:
    # the flow comes from the right and goes straight on into the road that the route turns left into
    end = tuple(map(float, LEFT_TURN[-5]))
    c, s = math.cos(0.3), math.sin(0.3)
    x, y, z = LEFT_TURN[12]
    start = (float(x + 15 * c - 30 * s), float(y + 15 * s + 30 * c), float(z))
    flow = {"start_actor_flow": start, "end_actor_flow": end}
    check_flow(LEFT_TURN, "EnterActorFlow", flow)


def test_a_motorway_exit_crosses_the_flow_beside_it() -> None:
    positions, _ = ROUTES["wide exit"]
    flow = {
        "start_actor_flow": offset(positions, 0, -20.0, 3.5),
        "end_actor_flow": offset(positions, 13, 0.0, -22.0),
    }
    check_flow(positions, "HighwayExit", flow)


def test_a_motorway_flow_is_joined() -> None:
    positions = Walk().go(24).skip(90, 8, 0.15).go(50).positions()
    flow = {
        "start_actor_flow": offset(positions, 0, -20.0, 3.5),
        "end_actor_flow": tuple(map(float, positions[18])),
    }
    check_flow(positions, "MergerIntoSlowTraffic", flow)


def test_a_ramp_passes_the_vehicle_that_cuts_in_and_leads_to_the_lane_beside_the_route() -> None:
    positions = Walk().go(24).skip(90).go(50).positions()
    other = offset(positions, 12, 7.0, 12.5)
    town = carla.Map("Corridor", build_corridor("C", positions, "HighwayCutIn", {"other_actor_location": other}))
    ramp = town.get_waypoint(carla.Location(*other))
    assert beside(ramp, np.array(other)) < 0.5
    ahead = ramp
    while ahead.road_id == ramp.road_id or ahead.is_junction:
        ahead = ahead.next(1.0)[0]
    route = town.get_waypoint(carla.Location(*map(float, positions[20])))
    assert ahead.get_left_lane().lane_id == route.lane_id
    assert ahead.road_id == route.road_id


def offset(positions: np.ndarray, index: int, ahead: float, right: float) -> tuple[float, float, float]:
    """A point beside a position, seen in the route's direction there."""
    x, y, z = positions[index]
    dx, dy = positions[index + 1][:2] - positions[index][:2]
    if math.hypot(dx, dy) > 5:
        dx, dy = positions[index][:2] - positions[index - 1][:2]
    c, s = dx / math.hypot(dx, dy), dy / math.hypot(dx, dy)
    return (float(x + ahead * c - right * s), float(y + ahead * s + right * c), float(z))


def check_flow(positions: np.ndarray, scenario_type: str, flow: dict[str, tuple[float, float, float]]) -> None:
    """The route stays drivable, and a vehicle of the flow can drive from its start to its end."""
    xodr = build_corridor("Corridor", positions, scenario_type, flow)
    town = carla.Map("Corridor", xodr)
    check_route(town, xodr, positions)
    start, end = (town.get_waypoint(carla.Location(*point)) for point in flow.values())
    for waypoint, point in zip((start, end), flow.values()):
        assert beside(waypoint, np.array(point)) < 1.8, point
    ends = lane_ends(town, xodr, ("driving",))
    assert reaches(ends, (start.road_id, start.lane_id), (end.road_id, end.lane_id))


# ---- any route -------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    heading=st.floats(-3.1, 3.1),
    bend=st.floats(-0.8, 0.8),
    turn=st.sampled_from([-RIGHT_ANGLE, RIGHT_ANGLE, 0.0]),
    gap=st.floats(13.0, 30.0),
    scenario_type=st.sampled_from(["CrossingBicycleFlow", "VehicleTurningRoute", "Accident", "PedestrianCrossing"]),
)
def test_a_bend_and_a_junction_anywhere(
    heading: float, bend: float, turn: float, gap: float, scenario_type: str
) -> None:
    right = math.copysign(gap, turn) if turn else 0.0
    positions = Walk(heading).go(50, bend).skip(gap, right, turn).go(40).positions()
    xodr = build_corridor("Corridor", positions, scenario_type)
    check_route(carla.Map("Corridor", xodr), xodr, positions)


def test_positions_that_make_no_line_are_refused() -> None:
    with pytest.raises(MapError, match=r"corridor X.*do not make a line"):
        build_corridor("X", np.zeros((5, 3)), "Accident")
    with pytest.raises(MapError, match=r"finite numbers of shape \[N, 3\]"):
        build_corridor("X", np.zeros((5, 2)), "Accident")
    broken = STRAIGHT.copy()
    broken[3, 0] = np.nan
    with pytest.raises(MapError, match="finite"):
        build_corridor("X", broken, "Accident")


# ---- official routes -------------------------------------------------------------------------------------------------


@pytest.mark.official_data
def test_official_routes_without_a_map_are_drivable(official_data: Path) -> None:
    """Every seventh of the 165 routes whose towns cannot be had; a vehicle of each flow finds its way too."""
    tree = ElementTree.parse(official_data / "routes" / "bench2drive220.xml")
    routes = [r for r in tree.getroot() if r.get("town") in ("Town11", "Town12", "Town13", "Town15")]
    assert len(routes) == 165
    for route in routes[::7]:
        positions = np.array([[float(p.get(axis, "")) for axis in "xyz"] for p in route.iter("position")])
        scenario = route.find("scenarios/scenario")
        assert scenario is not None
        flow = {e.tag: tuple(float(e.get(k, "")) for k in "xyz") for e in scenario if e.get("x") and "flow" in e.tag}
        if len(flow) == 2 and scenario.get("type") != "CrossingBicycleFlow":
            check_flow(positions, scenario.get("type", ""), flow)
        else:
            xodr = build_corridor(route.get("id", ""), positions, scenario.get("type", ""), flow)
            check_route(carla.Map("Corridor", xodr), xodr, positions)


def test_the_road_goes_on_to_a_trigger_that_lies_before_the_junction() -> None:
    """Official positions skip the inside of junctions, and the last metres before them with the trigger, too."""
    positions = Walk().go(6).skip(26, -16, -RIGHT_ANGLE).go(30).positions()
    gap = int(np.argmax(np.hypot(*np.diff(positions[:, :2], axis=0).T)))
    last, before = positions[gap], positions[gap - 1]
    forward = (last - before) / np.hypot(*(last - before)[:2])
    x, y, z = last + 3.0 * forward
    found = with_trigger(positions, (float(x), float(y), float(z), math.atan2(forward[1], forward[0])))
    assert len(found) == len(positions) + 2
    assert found[gap + 1] == pytest.approx([x, y, z])
    aside = with_trigger(positions, (float(x - 2.0 * forward[1]), float(y + 2.0 * forward[0]), float(z), 0.0))
    assert len(aside) == len(positions)
