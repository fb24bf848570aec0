"""What the scenario types beyond the smoke suite do, each on a route made for it (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenarios.director import TRIGGER_DISTANCE
from scenarios.director_state import Status
from scenarios.registry import scenario_types
from scenarios.suite_recipes_more import ALL_RECIPES
from scenarios.vocabulary import Raise
from simulator.blueprints import HALF_SIZE
from simulator.roads.planner import RoadOption
from simulator.state import EGO, HAZARD, SPECIAL, TICK_SECONDS, Role
from tests.scenario_drive import Drive
from tests.type_drives import (
    LANE,
    MORE_TYPES,
    SPEED,
    drive_of,
    end_of,
    exit_s,
    many,
)

WHOLE_ROUTE = ("T_Junction", "SequentialLaneChange")  # last longer than their routes, as officially
BESIDE_THE_EGO = ("Hazard", "HighwayCutIn", "ParkingExit")  # their vehicles drive along with the ego
CHANGES = (RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT)
ENDING = [kind for kind in MORE_TYPES if kind not in WHOLE_ROUTE]


# What holds for all


def test_every_type_that_can_be_run_has_a_recipe() -> None:
    assert set(scenario_types()) <= set(ALL_RECIPES)


@pytest.mark.parametrize("kind", MORE_TYPES)
def test_it_starts_at_its_trigger_point_and_not_before(kind: str) -> None:
    drive = drive_of(kind, traffic=True)
    for member in drive.script.cast:
        slot = drive.slot(member.name)
        assert drive.w["blueprint"][slot] in member.choices
        raised = any(isinstance(word, Raise) and member.name in word.members for word in drive.script.setup)
        assert drive.w["hidden"][slot] == (member.hidden and not raised)
        assert drive.w["role"][slot] == Role.SCENARIO
    drive.remove_traffic()
    while drive.path_s < drive.trigger_s - TRIGGER_DISTANCE - 1.0:
        drive.tick(SPEED)
        assert drive.status == Status.NEAR
    drive.to_trigger(SPEED)
    assert abs(drive.path_s - drive.trigger_s) < TRIGGER_DISTANCE + 1.0
    assert drive.s["blocked_test_off"] == drive.script.timeout


@pytest.mark.parametrize("kind", ENDING)
def test_it_ends_and_leaves_the_world_as_it_was(kind: str) -> None:
    drive = drive_of(kind)
    before = {name: drive.w[name].copy() for name in drive.w.dtype.names if name.startswith("bg_")}
    switches = drive.s.copy()
    drive.to_trigger(SPEED)
    for _ in range(1800):
        let_pass = not kind.startswith(BESIDE_THE_EGO) and any(drive.w["speed"][drive.cast_slots()] > 0.5)
        drive.tick(0.0 if let_pass else SPEED, right=-LANE if kind.startswith("Hazard") else 0.0)
        if drive.status == Status.DONE:
            break
    assert drive.status == Status.DONE
    assert not np.isin(drive.w["role"][drive.w["kind"] != 0], [Role.SCENARIO, Role.FLOW]).any()
    assert (drive.d["slot_flow"] == -1).all()
    assert drive.d["num_live"] == 0
    assert drive.w["num_closed"] == 0
    assert (drive.w["group_frozen"] == 0).all()
    for name in (
        "bg_max_speed",
        "bg_extra_space",
        "bg_front_stopped",
        "bg_back_stopped",
        "bg_opposite_active",
        "bg_opposite_dist",
        "bg_opposite_source",
        "bg_route_sources",
        "bg_entries_stopped",
        "bg_keep_behind",
        "bg_clear_junction",
        "bg_spawn_dist",
    ):
        assert drive.w[name] == before[name], name
    # the official code leaves the wrong-direction test off after this one
    assert drive.s["wrong_direction_test"] == (0 if kind == "HazardAtSideLaneTwoWays" else 1)
    for name in ("blocked_test_off", "double_collision", "scenario_timeouts"):
        assert drive.s[name] == switches[name], name


@pytest.mark.parametrize("kind", WHOLE_ROUTE)
def test_it_lasts_to_the_end_of_the_route(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    while drive.path_s < drive.geometry.path_end:
        drive.tick(SPEED)
    assert drive.status == Status.ACTIVE
    assert drive.s["blocked_test_off"] == 1


# Obstacles


def test_parked_obstacle_of_a_two_way_road_stands_at_its_distance() -> None:
    drive = drive_of("ParkedObstacleTwoWays")
    car = drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert right == pytest.approx(0.7 * LANE / 2, abs=0.1)
    assert drive.w["lights"][car] == HAZARD
    end_of(drive)
    assert drive.path_s == pytest.approx(s + 50.0, abs=2.0)


@pytest.mark.parametrize(("kind", "before"), [("ParkedObstacleTwoWays", 50.0), ("ConstructionObstacleTwoWays", 30.0)])
def test_the_ego_may_pass_against_oncoming_cars_after_5_s(kind: str, before: float) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    obstacle = drive.trigger_s + drive.value("distance")
    drive.until(lambda: obstacle - drive.path_s < before - 0.5, 4.0)
    drive.wait(4.7)
    assert drive.s["wrong_direction_test"] == 1
    drive.wait(0.5)
    assert drive.s["wrong_direction_test"] == 0
    assert drive.w["bg_opposite_active"] == 0
    drive.wait(20.0)
    spacing, flow = drive.value("frequency", "from"), drive.script.flows[0]
    s = sorted(drive.beside_path(i)[0] for i in drive.flow_slots())
    assert len(s) >= 1
    assert np.all(np.diff(s) > spacing - 5.0)
    for i in drive.flow_slots():
        along, right = drive.beside_path(i)
        assert right == pytest.approx(-LANE, abs=0.5)
        path_yaw = drive.geometry.path_yaw[max(int(along / drive.geometry.path_step), 0)]  # the road bends
        assert math.cos(drive.w["yaw"][i] - path_yaw) < -0.9
        assert drive.w["speed"][i] < flow.speed + 0.5


def test_construction_site_of_a_two_way_road_closes_the_lane() -> None:
    drive = drive_of("ConstructionObstacleTwoWays")
    props = [member.name for member in drive.script.cast if member.hidden]
    assert len(props) == 9  # traffic warning, debris, 7 cones
    drive.to_trigger(4.0)
    assert all(drive.w["hidden"][drive.slot(name)] == 0 for name in props)
    assert drive.w["closed_lane"][0] == drive.w["lane"][EGO]
    end_of(drive)
    assert drive.path_s == pytest.approx(drive.trigger_s + drive.value("distance") + 50.0, abs=2.0)


def test_accident_blocks_the_lane_and_slows_the_traffic() -> None:
    drive = drive_of("Accident")
    names = ("police", "first wreck", "second wreck")
    places = [drive.beside_path(drive.slot(name)) for name in names]
    assert places[0][0] == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert np.diff([s for s, _ in places]) == pytest.approx([10.0, 6.0], abs=0.5)
    assert [right for _, right in places] == pytest.approx([0.6 * LANE / 2] * 3, abs=0.1)
    assert drive.w["lights"][drive.slot("police")] == SPECIAL
    drive.to_trigger(4.0)
    drive.until(lambda: drive.distance(drive.slot("first wreck")) < 50.0, 4.0)
    drive.wait(4.8)
    assert drive.w["bg_max_speed"] == 0.0
    drive.wait(0.3)
    assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)
    end_of(drive)
    assert drive.path_s == pytest.approx(places[2][0] + 50.0, abs=2.0)


def test_accident_makes_traffic_leave_the_space() -> None:
    drive = drive_of("Accident", traffic=True)
    drive.to_trigger(4.0)
    ahead = [
        s - drive.path_s
        for i in np.flatnonzero((drive.w["role"] == Role.BACKGROUND) & (drive.w["kind"] != 0))
        for s, right in [drive.beside_path(int(i))]
        if abs(right) < 1.5 and s > drive.path_s
    ]
    assert all(metres > drive.value("distance") + 26.0 for metres in ahead)


# Bicycles and doors


@pytest.mark.parametrize("kind", ["HazardAtSideLane", "HazardAtSideLaneTwoWays"])
def test_bicycles_ride_at_the_right_and_stop_after_their_way(kind: str) -> None:
    drive = drive_of(kind)
    slots = [drive.slot(name) for name in ("first bicycle", "second bicycle")]
    starts = [drive.beside_path(slot) for slot in slots]
    assert starts[0][0] == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert starts[1][0] - starts[0][0] == pytest.approx(9.0, abs=0.5)
    assert [right for _, right in starts] == pytest.approx([0.55 * LANE / 2] * 2, abs=0.1)
    drive.to_trigger()
    assert drive.w["bg_extra_space"] == 30.0
    drive.wait(5.0)
    speed = drive.value("bicycle_speed") / 3.6
    assert drive.w["speed"][slots] == pytest.approx([speed, speed], abs=0.4)
    assert [drive.beside_path(slot)[1] for slot in slots] == pytest.approx([0.55 * LANE / 2] * 2, abs=0.3)
    drive.wait(drive.value("bicycle_drive_distance") / speed + 2.0)
    assert drive.w["speed"][slots] == pytest.approx([0.0, 0.0], abs=0.01)
    for slot, (s, _) in zip(slots, starts, strict=True):
        assert drive.beside_path(slot)[0] - s == pytest.approx(drive.value("bicycle_drive_distance"), abs=2.5)
    assert drive.w["num_contacts"] == 0


@pytest.mark.parametrize("kind", ["HazardAtSideLane", "HazardAtSideLaneTwoWays"])
def test_passing_bicycles_ends_50_m_further(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    second = drive.slot("second bicycle")
    drive.until(lambda: drive.distance(second) < 40.0, SPEED)
    drive.wait(5.2)
    if kind == "HazardAtSideLane":
        assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)
    else:
        assert drive.s["wrong_direction_test"] == 0
        assert drive.w["bg_opposite_dist"] == drive.value("frequency")
        assert drive.w["bg_opposite_source"] == 2.0 * drive.value("frequency")
    lengths = float(HALF_SIZE[drive.w["blueprint"][second], 0] + HALF_SIZE[drive.w["blueprint"][EGO], 0])
    drive.until(lambda: drive.path_s > drive.beside_path(second)[0] + lengths, SPEED, right=-LANE)
    at = drive.path_s
    end_of(drive, right=-LANE)
    assert drive.path_s - at == pytest.approx(50.0, abs=1.5)


def test_door_opens_in_front_of_the_ego() -> None:
    drive = drive_of("VehicleOpensDoorTwoWays")
    car = drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert 1.5 < right < LANE + 0.5
    drive.until(lambda: drive.w["door"][car] != 0, SPEED)
    assert drive.w["door"][car] == 1  # front left, on the traffic's side
    assert s - drive.path_s == pytest.approx(3.0 * SPEED, abs=1.0)
    assert drive.w["bg_back_stopped"] == 1
    drive.wait(4.8)
    assert drive.s["wrong_direction_test"] == 1
    drive.wait(0.4)
    assert drive.s["wrong_direction_test"] == 0
    end_of(drive)
    assert drive.path_s == pytest.approx(s + 50.0, abs=2.0)


def test_the_flow_of_the_opened_door_comes_from_behind_as_officially() -> None:
    drive = drive_of("VehicleOpensDoorTwoWays")
    drive.to_trigger()
    drive.until(lambda: bool(drive.flow_slots()), SPEED, limit=30.0)
    first = drive.flow_slots()[0]
    s, right = drive.beside_path(first)
    assert s < drive.path_s
    assert right == pytest.approx(0.0, abs=0.3)
    assert math.cos(drive.w["yaw"][first] - drive.w["yaw"][EGO]) > 0.7  # the road bends


# Cut-in and invasion


def test_a_car_leaves_the_queue_in_front_of_the_ego() -> None:
    drive = drive_of("StaticCutIn")
    names = [member.name for member in drive.script.cast]
    places = [drive.beside_path(drive.slot(name)) for name in names]
    first = drive.trigger_s + drive.value("distance")
    assert [s for s, _ in places] == pytest.approx([first + 11.0 * k for k in range(6)], abs=1.0)
    assert [right for _, right in places] == pytest.approx([LANE] * 6, abs=0.3)
    adversary = drive.slot("adversary")
    drive.to_trigger()
    assert not drive.w["hidden"][drive.cast_slots()].any()
    drive.until(lambda: drive.w["speed"][adversary] > 0.0, SPEED)
    assert first + 22.0 - drive.path_s == pytest.approx(2.7 * SPEED, abs=1.0)
    assert drive.w["bg_extra_space"] == 30.0
    assert drive.w["num_closed"] == 1
    drive.wait(6.0)
    assert abs(drive.beside_path(adversary)[1]) < 0.6
    assert drive.w["num_contacts"] == 0
    start = np.array(drive.script.cast[2].place[:3])
    last = drive.place(adversary)
    while drive.status != Status.DONE:
        last = drive.place(adversary)
        drive.tick()
    assert float(np.linalg.norm(last - start)) == pytest.approx(78.0, abs=3.0)


def test_static_cut_in_is_over_after_30_s() -> None:
    drive = drive_of("StaticCutIn")
    meeting = drive.trigger_s + drive.value("distance") + 22.0
    drive.to_trigger()
    drive.until(lambda: meeting - drive.path_s < 15.5, 5.0)
    drive.tick(1e-4)
    drive.path_s += 1.0  # the ego stands when the other is to cut in, so that it wants to stand, too
    assert drive.until(lambda: drive.status == Status.DONE) == pytest.approx(30.0, abs=0.3)


def test_oncoming_vehicles_invade_the_lane_beside_the_cones() -> None:
    drive = drive_of("InvadingTurn")
    distance, offset = drive.value("distance"), drive.value("offset")
    cones = [drive.beside_path(drive.slot(member.name)) for member in drive.script.cast]
    source = drive.trigger_s + distance + 30.0
    assert len(cones) == math.ceil(0.1 * distance)
    assert [s for s, _ in cones] == pytest.approx([source - 10.0 - 5.0 * k for k in range(len(cones))], abs=2.5)
    assert [right for _, right in cones] == pytest.approx([-LANE * 1.4] * len(cones), abs=0.3)
    drive.to_trigger()
    assert not drive.w["hidden"][drive.cast_slots()].any()
    assert drive.w["bg_opposite_active"] == 0
    assert drive.w["num_closed"] == 1
    middle = []
    for _ in range(200):
        drive.tick(0.0, right=1.5)
        middle += [
            right for s, right in map(drive.beside_path, drive.flow_slots()) if source - 60.0 < s < source - 25.0
        ]
    # its left side, 0.7 m from its centre, is `offset` m across the line between the lanes
    assert np.median(middle) == pytest.approx(-LANE / 2 + offset - 0.7, abs=0.25)
    s = sorted(drive.beside_path(i)[0] for i in drive.flow_slots())
    assert np.all(np.diff(s) > 38.0)


def test_invasion_ends_where_it_comes_from() -> None:
    drive = drive_of("InvadingTurn")
    source = drive.trigger_s + drive.value("distance") + 30.0
    end_of(drive)
    assert drive.path_s == pytest.approx(source, abs=2.0)
    assert drive.w["time"] > TICK_SECONDS


# Beside the ego


@pytest.mark.parametrize("route", range(5))
def test_a_car_comes_down_the_ramp_with_the_ego_and_cuts_in(route: int) -> None:
    drive = Drive(many("HighwayCutIn", 5), route, traffic=False)
    net, car = drive.batch.network.arrays, drive.slot("car")
    drive.tick()
    drive.to_trigger()
    drive.tick(SPEED)
    assert drive.w["hidden"][car] == 0
    assert net.lane_road[drive.w["lane"][car]] != net.lane_road[drive.w["lane"][EGO]]  # it is still on the ramp
    assert abs(drive.beside_path(car)[1]) > 2.0 * LANE
    assert drive.w["num_closed"] == 1
    out = exit_s(drive)
    drive.until(lambda: drive.path_s > out, 15.0)
    s, right = drive.beside_path(car)
    assert s == pytest.approx(out + 10.0, abs=6.5)  # 10 m further when the ego leaves the junction
    assert right == pytest.approx(LANE, abs=0.8)
    speeds = []
    while drive.slot("car") >= 0:
        right = drive.beside_path(car)[1]
        drive.tick(15.0 * 0.8 if right < 3.0 else 15.0)  # the ego brakes for it
        if drive.slot("car") >= 0 and abs(right) < 0.5:
            speeds.append(float(drive.w["speed"][car]))
    assert len(speeds) > 20  # it has driven in the ego's lane
    assert np.median(speeds) == pytest.approx(0.8 * 15.0, abs=1.0)
    assert drive.w["num_contacts"] == 0
    assert drive.status == Status.DONE


@pytest.mark.parametrize("route", range(5))
def test_an_ego_that_does_not_brake_runs_into_the_car_that_cuts_in(route: int) -> None:
    drive = Drive(many("HighwayCutIn", 5), route, traffic=False)
    drive.to_trigger()
    drive.until(lambda: drive.w["num_contacts"] > 0, 16.0, limit=30.0)
    assert drive.path_s > exit_s(drive)


def test_the_ego_begins_between_two_parked_cars() -> None:
    drive = drive_of("ParkingExit")
    s, right = drive.beside_path(EGO)
    assert right > 2.0
    (front, at_front), (behind, _) = (drive.beside_path(drive.slot(name)) for name in ("front", "behind"))
    assert front - s == pytest.approx(9.0, abs=0.7)
    assert s - behind == pytest.approx(9.0, abs=0.7)
    assert at_front == pytest.approx(right, abs=0.3)
    side = drive.slot("side")
    assert drive.w["hidden"][side] == 0
    assert drive.beside_path(side)[0] == pytest.approx(s, abs=2.0)
    assert abs(drive.beside_path(side)[1]) < 0.3
    assert drive.w["num_contacts"] == 0


def test_the_car_beside_drives_off_and_the_exit_ends_after_24_m() -> None:
    drive = drive_of("ParkingExit")
    side = drive.slot("side")
    start = drive.place(side)
    drive.to_trigger(0.0)
    assert drive.w["bg_spawn_dist"] == 25.0
    last, here, way = start, drive.place(EGO), 0.0
    while drive.slot("side") >= 0:
        last = drive.place(side)
        drive.tick(0.0, right=2.5)
        way += float(np.linalg.norm(drive.place(EGO) - here))
        here = drive.place(EGO)
    assert float(np.linalg.norm(last - start)) == pytest.approx(50.0, abs=1.5)
    at = drive.path_s
    end_of(drive, right=2.5)
    assert way + drive.path_s - at == pytest.approx(24.0, abs=1.5)
    assert drive.w["bg_spawn_dist"] == 15.0


def test_the_ego_leaves_the_road_across_a_stream() -> None:
    drive = drive_of("HighwayExit")
    drive.to_trigger()
    slots = drive.flow_slots()
    assert len(slots) >= 2  # they are there from the beginning
    assert drive.w["num_closed"] == 1
    assert drive.w["speed"][slots] == pytest.approx([drive.value("flow_speed")] * len(slots))
    ahead = [right for s, right in map(drive.beside_path, slots) if drive.path_s < s < drive.path_s + 15.0]
    assert all(right == pytest.approx(LANE, abs=0.5) for right in ahead)
    nearest = []
    for _ in range(300):
        drive.tick()
        nearest += [abs(right) for s, right in map(drive.beside_path, drive.flow_slots()) if s > drive.path_s + 20.0]
    assert min(nearest) < 0.5  # the route changes into their lane
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at, abs=1.5)


# Lane changes


@pytest.mark.parametrize("route", range(5))
def test_the_route_changes_lanes_twice_and_begins_with_its_trigger(route: int) -> None:
    drive = Drive(many("SequentialLaneChange", 5), route, traffic=False)
    prepared, net, path = drive.batch.routes[route], drive.batch.network.arrays, drive.geometry
    start, second = prepared.route.positions[:2]
    t = drive.spec.trigger_point
    assert (t.x, t.y, t.z) == start
    assert math.dist(start, second) == pytest.approx(5.0, abs=0.2)  # officially as far apart
    assert 112.0 < prepared.length < 128.0
    thirds = [path.path_lane[int(s / path.path_step)] for s in (15.0, 60.0, path.path_end - 15.0)]
    driven = [int(net.lane_id[lane]) for lane in thirds]
    assert driven[0] != driven[1] != driven[2]  # the path changes over,
    changes = np.isin(prepared.trace.option, CHANGES)
    assert np.count_nonzero(changes[1:] & ~changes[:-1]) == 2  # and so does the official trace
