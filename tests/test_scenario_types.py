"""What scenario types do, watched on their routes of the smoke suite (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenarios.director import TRIGGER_DISTANCE, perturb_control
from scenarios.director_state import Status
from scenarios.suite_recipes import RECIPES
from simulator.state import EGO, HAZARD, SPECIAL, TICK_SECONDS, Behaviour, Role
from tests.scenario_drive import smoke_batch, smoke_drive
from tests.type_drives import (
    SPEED,
    ego_distance,
    end_of,
)

ENDING = [kind for kind in RECIPES if kind != "PedestrianCrossing"]  # as officially, that one runs on


# What holds for all


@pytest.mark.parametrize("kind", RECIPES)
def test_it_starts_at_its_trigger_point_and_not_before(kind: str) -> None:
    drive = smoke_drive(kind, traffic=False)
    while drive.path_s < drive.trigger_s - TRIGGER_DISTANCE - 1.0:
        drive.tick(SPEED)
        assert drive.status == Status.NEAR
    drive.to_trigger(SPEED)
    assert abs(drive.path_s - drive.trigger_s) < TRIGGER_DISTANCE + 1.0


@pytest.mark.parametrize("kind", ENDING)
def test_it_ends_and_leaves_the_world_as_it_was(kind: str) -> None:
    drive = smoke_drive(kind, traffic=False)
    before = {name: drive.w[name].copy() for name in drive.w.dtype.names if name.startswith("bg_")}
    switches = drive.s.copy()
    drive.to_trigger(SPEED)
    for _ in range(1800):
        let_pass = kind != "YieldToEmergencyVehicle" and any(drive.w["speed"][drive.cast_slots()] > 0.5)
        drive.tick(0.0 if let_pass else SPEED)
        if drive.status == Status.DONE:
            break

    assert drive.status == Status.DONE
    assert not np.isin(drive.w["role"][drive.w["kind"] != 0], [Role.SCENARIO, Role.FLOW]).any()
    assert (drive.d["slot_flow"] == -1).all()
    assert drive.d["num_live"] == 0
    assert drive.w["num_closed"] == 0
    assert (drive.w["group_frozen"] == 0).all()
    assert (drive.d["noise"] == 0.0).all()
    for name in ("bg_max_speed", "bg_extra_space", "bg_front_stopped", "bg_opposite_active", "bg_route_sources"):
        assert drive.w[name] == before[name], name
    for name in ("wrong_direction_test", "blocked_test_off", "double_collision", "scenario_timeouts"):
        assert drive.s[name] == switches[name], name


@pytest.mark.parametrize("kind", RECIPES)
def test_its_actors_are_in_the_world_from_the_start(kind: str) -> None:
    drive = smoke_drive(kind)
    for member in drive.script.cast:
        slot = drive.slot(member.name)
        assert drive.w["blueprint"][slot] in member.choices
        assert drive.w["hidden"][slot] == member.hidden
        assert drive.w["role"][slot] == Role.SCENARIO


# Obstacles


def test_parked_obstacle_stands_in_the_lane_at_its_distance() -> None:
    drive = smoke_drive("ParkedObstacle")
    car = drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert right == pytest.approx(0.7 * 3.5 / 2, abs=0.1)
    assert drive.w["lights"][car] == HAZARD
    drive.wait(2.0)
    assert drive.w["speed"][car] == 0.0
    assert drive.beside_path(drive.slot("sign"))[1] > 3.5  # beside the road


def test_parked_obstacle_keeps_traffic_away_then_slow() -> None:
    drive = smoke_drive("ParkedObstacle")
    drive.to_trigger(4.0)
    ahead = [
        s - drive.path_s
        for i in np.flatnonzero(drive.w["role"] == Role.BACKGROUND)
        for s, right in [drive.beside_path(int(i))]
        if drive.w["kind"][i] != 0 and abs(right) < 1.5 and s > drive.path_s
    ]
    assert all(metres > drive.value("distance") + 10.0 for metres in ahead)
    drive.until(lambda: drive.distance(drive.slot("car")) < 50.0, 4.0)
    drive.wait(4.8)
    assert drive.w["bg_max_speed"] == 0.0
    drive.wait(0.3)
    assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)


def test_parked_obstacle_ends_50_m_beyond_the_car() -> None:
    drive = smoke_drive("ParkedObstacle", traffic=False)
    car_s = drive.beside_path(drive.slot("car"))[0]
    drive.to_trigger()
    assert drive.s["blocked_test_off"] == 1  # it has a scenario timeout
    end_of(drive)
    assert drive.path_s == pytest.approx(car_s + 50.0, abs=2.0)
    assert drive.s["blocked_test_off"] == 0


def test_accident_blocks_the_lane_with_three_cars() -> None:
    drive = smoke_drive("AccidentTwoWays")
    places = [drive.beside_path(drive.slot(name))[0] for name in ("police", "first wreck", "second wreck")]
    assert places[0] == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert np.diff(places) == pytest.approx([10.0, 6.0], abs=0.5)
    assert drive.w["lights"][drive.slot("police")] == SPECIAL


def test_accident_lets_the_ego_pass_between_oncoming_cars() -> None:
    drive = smoke_drive("AccidentTwoWays", traffic=False)
    drive.to_trigger()
    drive.until(lambda: drive.distance(drive.slot("first wreck")) < 50.0, SPEED)
    drive.wait(4.8)
    assert drive.s["wrong_direction_test"] == 1
    drive.wait(0.3)
    assert drive.s["wrong_direction_test"] == 0
    assert drive.w["bg_opposite_active"] == 0

    spacing, source = drive.value("frequency", "from"), drive.script.flows[0].track
    newest, gaps = drive.flow_slots()[0], []
    for _ in range(600):
        place = drive.place(newest)
        drive.tick()
        if int(drive.d["flow_newest"][0, 0]) not in (newest, -1):
            gaps.append(math.hypot(place[0] - source.x[0], place[1] - source.y[0]))
            newest = int(drive.d["flow_newest"][0, 0])
        for i in drive.flow_slots():
            assert drive.beside_path(i)[1] == pytest.approx(-3.5, abs=0.5)  # in the oncoming lane
            assert math.cos(drive.w["yaw"][i] - drive.w["yaw"][EGO]) < -0.9
            assert drive.w["speed"][i] < drive.script.flows[0].speed + 0.5
    assert len(gaps) >= 2
    assert all(gap > spacing - 1.0 for gap in gaps)
    end_of(drive)
    assert drive.s["wrong_direction_test"] == 1


def test_construction_site_appears_and_closes_the_lane() -> None:
    drive = smoke_drive("ConstructionObstacle", traffic=False)
    props = [member.name for member in drive.script.cast if member.hidden]
    assert len(props) == 9  # traffic warning, debris, 7 cones
    drive.to_trigger(4.0)
    assert all(drive.w["hidden"][drive.slot(name)] == 0 for name in props)
    assert drive.w["closed_lane"][0] == drive.w["lane"][EGO]

    site = drive.trigger_s + drive.value("distance")
    places = {name: drive.beside_path(drive.slot(name)) for name in props}
    assert places["traffic warning"][0] == pytest.approx(site - 5.0, abs=1.0)
    along = [places[f"cone {k}"][0] - site for k in range(1, 5)]
    assert along == pytest.approx([2.0, 4.0, 6.0, 8.0], abs=1.0)
    assert [places[f"cone {k}"][1] for k in range(4, 8)] == pytest.approx([-1.5, -0.5, 0.5, 1.5], abs=0.1)

    drive.until(lambda: drive.path_s > site - 29.0, 4.0)
    drive.wait(5.1)
    assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)
    end_of(drive)
    assert drive.path_s == pytest.approx(site + 50.0, abs=2.0)


# Traffic ahead


def test_hard_brake_stops_those_ahead_for_10_s() -> None:
    drive = smoke_drive("HardBreakRoute")
    drive.to_trigger(4.0)
    assert drive.w["bg_front_stopped"] == 1
    drive.wait(6.0)
    ahead = [
        int(i)
        for i in np.flatnonzero((drive.w["role"] == Role.BACKGROUND) & (drive.w["kind"] != 0))
        for s, right in [drive.beside_path(int(i))]
        if abs(right) < 6.0 and 0.0 < s - drive.path_s < 60.0
        if math.cos(drive.w["yaw"][i] - drive.w["yaw"][EGO]) > 0.5
    ]
    assert ahead
    assert max(drive.w["speed"][ahead]) < 0.5
    drive.wait(3.9)
    assert drive.w["bg_front_stopped"] == 1
    drive.wait(0.3)
    assert drive.w["bg_front_stopped"] == 0
    at = drive.path_s
    end_of(drive, 4.0)
    assert drive.path_s - at == pytest.approx(15.0, abs=1.0)


# Cut-in


def test_parked_car_pulls_out_in_front_of_the_ego() -> None:
    drive = smoke_drive("ParkingCutIn", traffic=False)
    car, blocker = drive.slot("car"), drive.slot("blocker")
    assert drive.beside_path(car)[0] == pytest.approx(drive.trigger_s + 35.0, abs=1.0)
    assert drive.beside_path(blocker)[0] == pytest.approx(drive.trigger_s + 28.0, abs=1.0)
    assert drive.beside_path(car)[1] > 2.0
    drive.to_trigger()
    drive.until(lambda: drive.w["behaviour"][car] == Behaviour.TRACK, SPEED)
    assert drive.trigger_s + 35.0 - drive.path_s == pytest.approx(2.35 * SPEED, abs=1.0)
    assert drive.w["bg_extra_space"] == 20.0
    drive.wait(5.0)  # the ego brakes
    assert abs(drive.beside_path(car)[1]) < 0.6  # it is in the ego's lane
    assert drive.w["speed"][car] == pytest.approx(20.0 / 3.6, abs=0.4)
    start = drive.script.cast[1].place
    drive.until(lambda: drive.slot("car") < 0)
    assert drive.w["bg_extra_space"] == 0.0
    assert math.dist(drive.place(car), start[:3]) == pytest.approx(30.0, abs=1.5)


# Give way


def test_emergency_vehicle_comes_up_close_behind_and_stays_there() -> None:
    drive = smoke_drive("YieldToEmergencyVehicle", traffic=False)
    vehicle = drive.slot("vehicle")
    assert drive.beside_path(vehicle)[0] == pytest.approx(drive.trigger_s - drive.value("distance"), abs=1.0)
    drive.to_trigger()
    assert drive.s["emergency_slot"] == vehicle
    drive.tick(SPEED)
    assert drive.w["speed"][vehicle] > SPEED + 20.0
    drive.wait(3.0, SPEED)
    behind = drive.path_s - drive.beside_path(vehicle)[0]
    assert 5.0 < behind < 20.0
    assert drive.w["speed"][vehicle] == pytest.approx(SPEED, abs=0.5)
    assert drive.w["num_contacts"] == 0
    drive.wait(6.7, SPEED)
    assert drive.status == Status.ACTIVE
    drive.wait(0.5, SPEED)
    assert drive.status == Status.DONE  # 10 s after it has come within 50 m
    assert drive.s["emergency_done"] == 1


def test_emergency_vehicle_passes_an_ego_that_makes_room() -> None:
    drive = smoke_drive("YieldToEmergencyVehicle", traffic=False)
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    for k in range(30):
        drive.tick(SPEED, right=-3.5 * (k + 1) / 30)
    passed = drive.until(lambda: drive.beside_path(vehicle)[0] > drive.path_s, SPEED, right=-3.5, limit=5.0)
    assert passed < 4.0
    drive.until(lambda: drive.status == Status.DONE, SPEED, right=-3.5, limit=4.0)


# Control loss


def test_debris_disturbs_the_ego_only_within_2_m() -> None:
    drive = smoke_drive("ControlLoss", traffic=False)
    debris = [member.place for member in drive.script.cast]
    assert [drive.beside_path(drive.slot(m.name))[0] - drive.trigger_s for m in drive.script.cast] == pytest.approx(
        [14.0, 48.0, 74.0], abs=1.0
    )
    disturbed = []
    while drive.status != Status.DONE:
        drive.tick(SPEED)
        near = min(ego_distance(drive, place) for place in debris) < 2.0
        drive.w["throttle"][EGO], drive.w["steer"][EGO] = 0.5, 0.1
        perturb_control(drive.w, drive.d)
        change = float(drive.w["throttle"][EGO]) - 0.5, float(drive.w["steer"][EGO]) - 0.1
        assert (change != (0.0, 0.0)) == near
        if near:
            disturbed.append(change)
    assert len(disturbed) == pytest.approx(3 * 4.0 / (SPEED * TICK_SECONDS), abs=4)
    throttle, steer = np.abs(np.mean(disturbed, axis=0))
    assert throttle == pytest.approx(0.03, abs=0.01)
    assert steer == pytest.approx(0.055, abs=0.015)


def test_control_loss_ends_36_m_behind_the_last_debris() -> None:
    drive = smoke_drive("ControlLoss", traffic=False)
    drive.to_trigger()
    end_of(drive)
    assert drive.path_s == pytest.approx(drive.trigger_s + 74.0 + 36.0, abs=2.0)


def test_smoke_has_one_route_for_each_type() -> None:
    assert [p.route.scenario_type for p in smoke_batch().routes] == list(RECIPES)
