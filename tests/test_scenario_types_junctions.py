"""Scenario types at junctions: vehicles that cross, lights, signs (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from scenarios.compiler import compile_scripts
from scenarios.director_state import Status
from scenarios.suite_checks import blind_drive
from scenarios.suite_recipes_more import MORE_RECIPES
from simulator.state import SPECIAL, LightState, VehicleLight
from tests.scenario_drive import Drive, smoke_drive
from tests.type_drives import (
    SPEED,
    drive_of,
    end_of,
    exit_s,
    lights,
    many,
)

# Of the smoke suite


def test_red_light_runner_crosses_while_the_ego_has_green() -> None:
    drive = smoke_drive("OppositeVehicleRunningRedLight", traffic=False)
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    assert drive.w["hidden"][vehicle] == 0
    assert _ego_light(drive) == LightState.GREEN
    assert _other_lights(drive) == {LightState.RED}
    drive.until(lambda: drive.w["speed"][vehicle] > 0.0, SPEED)
    assert drive.w["speed"][vehicle] == pytest.approx(60.0 / 3.6, abs=0.01)
    start, time = drive.place(vehicle), float(drive.w["time"])
    nearest = 1e9
    while drive.slot("vehicle") >= 0:
        end = drive.place(vehicle)
        nearest = min(nearest, abs(drive.beside_path(vehicle)[1]))
        drive.tick()
    assert nearest < 1.0  # it has crossed the ego's way
    assert math.dist(start, end) == pytest.approx((float(drive.w["time"]) - time) * 60.0 / 3.6, abs=6.0)
    end_of(drive)
    assert (drive.w["group_frozen"] == 0).all()


def test_red_light_runner_waits_up_to_30_m_before_the_junction() -> None:
    drive = smoke_drive("OppositeVehicleRunningRedLight", traffic=False)
    drive.tick()
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    drive.tick()
    net, lane = drive.batch.network.arrays, int(drive.w["lane"][vehicle])
    assert net.lane_junction[lane] < 0
    assert net.lane_length[lane] - drive.w["lane_s"][vehicle] == pytest.approx(30.0, abs=1.5)
    assert lane in drive.w["closed_lane"]


def test_left_turn_waits_for_green_and_then_for_a_gap() -> None:
    drive = smoke_drive("SignalizedJunctionLeftTurn", traffic=False)
    drive.to_trigger(4.0)
    assert drive.w["bg_opposite_active"] == 0
    theirs = set(_source_lights(drive))
    assert _ego_light(drive) == LightState.RED
    drive.wait(4.8)
    assert _ego_light(drive) == LightState.RED
    assert {drive.light(i) for i in theirs} == {LightState.GREEN}
    drive.wait(0.3)
    assert _ego_light(drive) == LightState.GREEN
    assert {drive.light(i) for i in theirs} == {LightState.GREEN}
    drive.wait(20.0)
    assert _ego_light(drive) == LightState.GREEN  # held to the end

    speeds = [float(drive.w["speed"][i]) for i in drive.flow_slots()]
    assert len(speeds) >= 2
    assert speeds == pytest.approx([drive.value("flow_speed")] * len(speeds), abs=0.01)


def test_left_turn_ends_10_m_behind_the_junction() -> None:
    drive = smoke_drive("SignalizedJunctionLeftTurn", traffic=False)
    drive.to_trigger()
    end_of(drive)
    junction = drive.batch.arrays.crossing_exit[drive.batch.arrays.crossing_first[drive.route]]
    assert drive.path_s == pytest.approx(junction + 10.0, abs=1.5)


def _junction_lights(drive: Drive) -> tuple[int, list[int]]:
    """The ego's light, and all lights of its junction."""
    b = drive.batch
    junction = int(b.arrays.crossing_junction[b.arrays.crossing_first[drive.route]])
    net = b.network.arrays
    lanes = [i for i in dict.fromkeys(drive.geometry.path_lane.tolist()) if i >= 0 and net.lane_junction[i] == junction]
    groups = np.flatnonzero(net.group_junction == junction)
    return int(net.lane_light[lanes[0]]), [int(i) for i in np.flatnonzero(np.isin(net.light_group, groups))]


def _ego_light(drive: Drive) -> LightState:
    return drive.light(_junction_lights(drive)[0])


def _other_lights(drive: Drive) -> set[LightState]:
    own, lights = _junction_lights(drive)
    return {drive.light(i) for i in lights if i != own}


def _source_lights(drive: Drive) -> list[int]:
    """Lights of the junction lanes that the flow takes."""
    net, line = drive.batch.network.arrays, drive.script.flows[0].track
    first, last = net.lane_first[:-1], net.lane_first[1:] - 1
    found = []
    for lane in np.flatnonzero(net.lane_light >= 0):
        ends = [(net.point_x[p], net.point_y[p]) for p in (first[lane], last[lane])]
        if all(np.min(np.hypot(line.x - x, line.y - y)) < 0.5 for x, y in ends):
            found.append(int(net.lane_light[lane]))
    assert found
    return found


# Beyond it


def test_a_car_blocks_the_way_out_of_the_junction_for_10_s() -> None:
    drive = drive_of("BlockedIntersection")
    car = drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(exit_s(drive) + 5.0, abs=1.0)
    assert abs(right) < 0.3
    assert drive.w["lights"][car] == VehicleLight.BRAKE
    drive.to_trigger()
    assert drive.w["hidden"][car] == 0
    assert drive.w["bg_entries_stopped"] == 1
    drive.until(lambda: drive.distance(car) < 13.0, 4.0)
    assert drive.until(lambda: drive.status == Status.DONE) == pytest.approx(10.0, abs=0.2)


def test_emergency_vehicle_takes_priority_where_there_are_no_lights() -> None:
    drive = drive_of("OppositeVehicleTakingPriority")
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    assert drive.w["hidden"][vehicle] == 0
    assert drive.w["bg_entries_stopped"] == 1
    assert drive.w["lights"][vehicle] == SPECIAL
    drive.until(lambda: drive.w["speed"][vehicle] > 0.0, SPEED)
    assert drive.w["speed"][vehicle] == pytest.approx(60.0 / 3.6, abs=0.01)
    nearest = 1e9
    while drive.slot("vehicle") >= 0:
        nearest = min(nearest, abs(drive.beside_path(vehicle)[1]))
        drive.tick()
    assert nearest < 1.0  # it has crossed the ego's way
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at, abs=2.0)


SIGNALIZED_TURNS = ("SignalizedJunctionLeftTurnEnterFlow", "SignalizedJunctionRightTurn")
TURNS = (
    *SIGNALIZED_TURNS,
    "NonSignalizedJunctionLeftTurn",
    "NonSignalizedJunctionLeftTurnEnterFlow",
    "NonSignalizedJunctionRightTurn",
)


@pytest.mark.parametrize("kind", SIGNALIZED_TURNS)
def test_the_ego_gets_green_after_5_s_and_so_does_the_stream(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger(4.0)
    own, others = lights(drive)
    assert own == LightState.RED
    assert others == {LightState.RED, LightState.GREEN}
    drive.wait(4.8)
    assert lights(drive)[0] == LightState.RED
    drive.wait(0.4)
    own, others = lights(drive)
    assert own == LightState.GREEN
    assert LightState.GREEN in others
    drive.wait(20.0)
    assert lights(drive) == (own, others)  # held to the end


@pytest.mark.parametrize("kind", TURNS)
def test_a_stream_meets_the_ego_in_the_junction(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger(4.0)
    assert drive.w["bg_entries_stopped"] == (not kind.startswith("Signalized"))
    assert drive.w["bg_opposite_active"] == ("Right" in kind)  # the right turn leaves the oncoming traffic alone
    assert (len(drive.flow_slots()) > 1) == ("Right" in kind)  # which also has vehicles from the beginning
    near: list[float] = []
    for _ in range(500):
        drive.tick()
        slots = drive.flow_slots()
        assert drive.w["speed"][slots] == pytest.approx([drive.value("flow_speed")] * len(slots), abs=0.01)
        for i in slots:
            s, right = drive.beside_path(i)
            if s > drive.trigger_s + 20.0 and s < exit_s(drive) + 15.0:
                near.append(abs(right))
    assert min(near) < 1.0
    source = drive.script.flows[0].track
    gaps = np.hypot(drive.w["x"][slots] - source.x[0], drive.w["y"][slots] - source.y[0])
    assert len(gaps) >= 2


@pytest.mark.parametrize("kind", TURNS)
def test_turns_end_10_m_behind_the_junction(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at + 10.0, abs=1.5)


@pytest.mark.parametrize("kind", ["SignalizedJunctionLeftTurnEnterFlow", "NonSignalizedJunctionLeftTurnEnterFlow"])
def test_the_stream_turns_into_the_road_of_the_ego(kind: str) -> None:
    drive = drive_of(kind)
    line = drive.script.flows[0].track
    turned = math.degrees(math.remainder(float(line.yaw[-1] - line.yaw[0]), 2.0 * math.pi))
    assert 45.0 < turned < 135.0
    k = int((exit_s(drive) + 10.0) / drive.geometry.path_step)
    assert math.cos(line.yaw[-1] - drive.geometry.path_yaw[k]) > 0.8


# Traffic rules


def test_green_light_turns_red_for_all_and_then_the_scenario_is_over() -> None:
    drive = drive_of("VanillaSignalizedTurnEncounterGreenLight")
    drive.to_trigger()
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
    drive.wait(4.8)
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
    drive.wait(0.4)
    assert lights(drive) == (LightState.RED, {LightState.RED})
    assert drive.until(lambda: drive.status == Status.DONE) == pytest.approx(4.8, abs=0.2)


def test_red_light_turns_green_after_5_s() -> None:
    drive = drive_of("VanillaSignalizedTurnEncounterRedLight")
    drive.to_trigger()
    assert lights(drive) == (LightState.RED, {LightState.RED})
    drive.wait(4.8)
    assert lights(drive) == (LightState.RED, {LightState.RED})
    drive.wait(0.4)
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
    drive.wait(20.0)
    assert lights(drive) == (LightState.GREEN, {LightState.RED})


@pytest.mark.parametrize("kind", [kind for kind in MORE_RECIPES if kind.startswith("Vanilla")])
def test_vanilla_turns_end_10_m_behind_the_junction(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at + 10.0, abs=1.5)


@pytest.mark.parametrize("pace", [2.0, 2.5, 3.0])
@pytest.mark.parametrize("kind", ["OppositeVehicleTakingPriority", "OppositeVehicleRunningRedLight"])
def test_a_driver_who_does_not_look_is_met_whatever_the_pace(kind: str, pace: float) -> None:
    routes = many(kind, 5)
    for k in range(5):
        drive = Drive(routes, k, traffic=False)
        times, places = blind_drive(routes.network.arrays, drive.geometry, pace)
        met = False
        for speed in np.diff(places) / np.diff(times):
            drive.tick(float(speed))
            met |= bool(drive.w["num_contacts"] > 0)
        assert met, (kind, k)


def test_the_ego_has_priority_until_it_has_left_the_junction() -> None:
    drive = drive_of("PriorityAtJunction")
    drive.to_trigger()
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
    drive.wait(30.0)
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at, abs=1.5)
    assert (drive.w["group_frozen"] == 0).all()
    drive.wait(60.0)
    assert lights(drive) != (LightState.GREEN, {LightState.RED})  # they run on


def test_priority_needs_a_light() -> None:
    routes = many("VanillaNonSignalizedTurn", 1)
    route = routes.routes[0].route
    spec = replace(route.scenarios[0], type="PriorityAtJunction")
    compiled = compile_scripts(routes.network, replace(route, scenarios=(spec,)), routes.routes[0].geometry)
    assert not compiled.scenarios
    assert "no traffic light for the ego" in compiled.notes[0]
