"""Scenario types in which walkers and bicycles cross (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from envs.routes import prepare_routes
from scenarios.director_state import Status
from simulator.blueprints import HALF_SIZE
from simulator.state import EGO, TICK_SECONDS
from tests.scenario_drive import Drive, smoke_drive
from tests.type_drives import (
    LANE,
    SPEED,
    drive_of,
    end_of,
    exit_s,
    many,
)

# Of the smoke suite


@pytest.mark.parametrize("speed", [2.0, 8.0])
def test_walker_steps_out_in_front_of_the_ego(speed: float) -> None:
    drive = smoke_drive("DynamicObjectCrossing", traffic=False)
    walker = drive.slot("walker")
    assert drive.w["hidden"][walker] == 1
    drive.to_trigger(speed)
    assert drive.w["hidden"][walker] == 0
    drive.until(lambda: drive.w["speed"][walker] > 0.0, speed)
    meeting = drive.trigger_s + drive.value("distance")
    patience = 2.1 + 0.1 * (drive.value("crossing_angle") // 5)
    assert meeting - drive.path_s == pytest.approx(max(patience * speed, 6.0), abs=0.1 * speed + 0.5)

    right = [drive.beside_path(walker)[1]]
    for _ in range(60):
        drive.tick()
        right.append(drive.beside_path(walker)[1])
    assert right[0] > 2.5
    assert right[-1] == pytest.approx(right[0] - 2.0 * 60 * TICK_SECONDS, abs=0.5)  # 2 m/s across


def test_walker_and_blocker_go_once_the_road_is_crossed() -> None:
    drive = smoke_drive("DynamicObjectCrossing", traffic=False)
    walker = drive.slot("walker")
    drive.to_trigger()
    drive.until(lambda: drive.w["speed"][walker] > 0.0, SPEED)
    seconds = drive.until(lambda: drive.slot("walker") < 0)
    way = 2.0 * math.dist(drive.script.cast[1].place[:3], _meeting_place(drive))
    assert seconds == pytest.approx(way / 2.0, abs=0.2)
    assert drive.slot("blocker") < 0
    at = drive.path_s
    end_of(drive)
    assert drive.path_s - at == pytest.approx(40.0, abs=1.0)


def _meeting_place(drive: Drive) -> tuple[float, float, float]:
    g = drive.geometry
    k = int((drive.trigger_s + drive.value("distance")) / g.path_step)
    return float(g.path_x[k]), float(g.path_y[k]), float(g.path_z[k])


def test_three_walkers_cross_before_the_junction() -> None:
    drive = smoke_drive("PedestrianCrossing", traffic=False)
    names = [member.name for member in drive.script.cast]
    walkers = [drive.slot(name) for name in names]
    drive.to_trigger(4.0)
    assert drive.w["bg_keep_behind"] == 1  # the ego's entry is cleared
    drive.until(lambda: any(drive.w["speed"][i] > 0 for i in walkers) or drive.path_s > 60.0, 4.0)
    set_off_s = drive.path_s
    speeds = {i: 0.0 for i in walkers}
    for _ in range(35):  # all have set off 1.5 s later
        drive.tick()
        for i in walkers:
            speeds[i] = max(speeds[i], float(drive.w["speed"][i]))
    assert all(1.3 <= v <= 2.0 for v in speeds.values())
    assert len(set(speeds.values())) == 3
    # they wait for the ego to be 3.5 s or 12 m away, and then up to 1.5 s
    entry = min(drive.beside_path(i)[0] for i in walkers)
    assert entry - set_off_s < 3.5 * 4.0 + 2.0
    drive.wait(12.0)
    assert all(drive.slot(name) < 0 for name in names)


def test_traffic_is_free_again_after_the_pedestrians_junction() -> None:
    drive = smoke_drive("PedestrianCrossing", traffic=False)
    drive.to_trigger()
    junction_exit = drive.batch.arrays.crossing_exit[drive.batch.arrays.crossing_first[drive.route]]
    drive.until(lambda: drive.path_s > junction_exit - 1.0, SPEED)
    assert drive.w["bg_keep_behind"] == 1
    drive.wait(0.5, SPEED)
    assert drive.w["bg_keep_behind"] == 0
    assert drive.w["bg_route_sources"] == 1
    assert drive.status == Status.ACTIVE


# Beyond it


def test_walker_steps_out_from_a_parked_car() -> None:
    drive = drive_of("ParkingCrossingPedestrian")
    walker, car = drive.slot("walker"), drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert right == pytest.approx(LANE, abs=0.1)
    beyond, at_right = drive.beside_path(walker)
    assert beyond - s == pytest.approx(HALF_SIZE[drive.w["blueprint"][car], 0] + 0.5, abs=0.3)
    assert at_right == pytest.approx(LANE, abs=0.1)
    drive.to_trigger()
    assert drive.w["hidden"][walker] == 0
    drive.until(lambda: drive.w["speed"][walker] > 0.0, SPEED)
    patience = 2.15 + 0.1 * (drive.value("crossing_angle") // 5)
    assert beyond - drive.path_s == pytest.approx(patience * SPEED, abs=1.0)
    assert drive.w["speed"][walker] == pytest.approx(2.0)
    drive.wait(2.0)
    assert drive.beside_path(walker)[1] == pytest.approx(LANE - 4.0, abs=0.3)
    assert drive.until(lambda: drive.slot("walker") < 0) == pytest.approx(2.0, abs=0.2)
    assert drive.slot("car") < 0
    at = drive.path_s
    end_of(drive)
    assert drive.path_s - at == pytest.approx(40.0, abs=1.0)


@pytest.mark.parametrize(
    ("kind", "name", "beyond", "patience"),
    [("VehicleTurningRoute", "bicycle", 11.0, 1.8), ("VehicleTurningRoutePedestrian", "walker", 0.5, 2.2)],
)
def test_somebody_crosses_behind_the_turn(kind: str, name: str, beyond: float, patience: float) -> None:
    drive = drive_of(kind)
    slot, speed = drive.slot(name), 4.0
    s, right = drive.beside_path(slot)
    assert s == pytest.approx(exit_s(drive) + beyond, abs=1.5)
    assert abs(right) > LANE / 2
    drive.to_trigger(speed)
    assert drive.s["double_collision"] == (name == "walker")
    drive.until(lambda: drive.w["speed"][slot] > 0.0, speed)
    assert drive.w["speed"][slot] == pytest.approx(1.8)
    meeting = (drive.geometry.path_x, drive.geometry.path_y)
    k = int((exit_s(drive) + beyond) / drive.geometry.path_step)
    place = np.array([meeting[0][k], meeting[1][k], drive.w["z"][EGO]])
    away = float(np.linalg.norm(place - drive.place(EGO)))
    assert away == pytest.approx(max(patience * speed, 6.0), abs=1.0)
    sides = []
    while drive.slot(name) >= 0:
        sides.append(drive.beside_path(slot)[1])
        drive.tick()
    assert sides[0] * sides[-1] < 0.0  # from one side of the ego's way to the other
    assert abs(sides[-1]) > LANE / 2
    at = drive.path_s
    end_of(drive)
    assert drive.path_s - at == pytest.approx(40.0, abs=1.0)


# Nobody is caught by what hides it

CROSSING = {
    "DynamicObjectCrossing": ("walker",),
    "ParkingCrossingPedestrian": ("walker",),
    "VehicleTurningRoute": ("bicycle",),
    "VehicleTurningRoutePedestrian": ("walker",),
    "PedestrianCrossing": ("first walker", "second walker", "third walker"),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", CROSSING)
def test_who_is_left_alone_gets_across_at_all_of_20_places(kind: str, seed: int) -> None:
    routes = many(kind, 10, seed)
    for k in range(10):
        assert crosses(Drive(routes, k, traffic=False), CROSSING[kind]), routes.routes[k].route.id


@pytest.mark.parametrize("angle", [-30, 0, 12, 30, 45])
@pytest.mark.parametrize("blocker", ["vendingmachine", "advertisement", "container", "busstoplb", "foodcart"])
def test_a_walker_gets_past_every_blocker_at_every_angle(blocker: str, angle: int) -> None:
    parameters = {"blocker_model": {"value": f"static.prop.{blocker}"}, "crossing_angle": {"value": str(angle)}}
    assert crosses(with_parameters("DynamicObjectCrossing", parameters), ("walker",))


@pytest.mark.parametrize("angle", [-30, 0, 12, 30, 45])
def test_a_walker_gets_past_a_parked_car_at_every_angle(angle: int) -> None:
    drive = with_parameters("ParkingCrossingPedestrian", {"crossing_angle": {"value": str(angle)}})
    drive.to_trigger(6.0)
    walker = drive.slot("walker")
    drive.until(lambda: drive.w["speed"][walker] > 0.5, 4.0)
    start = end = drive.place(walker)
    while drive.slot("walker") >= 0:
        end = drive.place(walker)
        drive.tick()
    assert float(np.linalg.norm(end - start)) == pytest.approx(8.0, abs=0.3)


def with_parameters(kind: str, parameters: dict[str, dict[str, str]]) -> Drive:
    """A drive of a route whose scenario has some other parameters."""
    prepared = many(kind, 10, 0).routes[0].route
    spec = prepared.scenarios[0]
    changed = replace(spec, parameters={**spec.parameters, **parameters})
    return Drive(prepare_routes(many(kind, 10, 0).network, [replace(prepared, scenarios=(changed,))]), 0, traffic=False)


def crosses(drive: Drive, names: tuple[str, ...]) -> bool:
    """True when all get from one side of the ego's path to the other while the ego waits."""
    drive.to_trigger(6.0)
    slots = {name: drive.slot(name) for name in names}
    drive.until(lambda: any(drive.w["speed"][slot] > 0.5 for slot in slots.values()), 4.0)
    first = {name: drive.beside_path(slot)[1] for name, slot in slots.items()}
    last = dict(first)
    for _ in range(800):
        there = [name for name in names if drive.slot(name) >= 0]
        if not there:
            break
        last.update((name, drive.beside_path(slots[name])[1]) for name in there)
        drive.tick()
    return all(first[name] * last[name] < 0.0 and abs(last[name]) > 1.0 for name in names)
