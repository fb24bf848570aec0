"""Traffic over seeds and towns, and what each vehicle does where that was once not so. Towns as in `sim_world`."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from sim_world import CAR, EAST, WEST, Ride, Traffic, avenue, crossroads, crowd, lane_at, smoke, with_track

from simulator.array_bundle import bundle
from simulator.background import spawn_background
from simulator.roads.towns import load_named_town
from simulator.state import EGO, HAZARD, Behaviour, DriverFlag, LightState
from simulator.traffic_watch import empty_tallies, watch_traffic

LINE_A = -13.0  # x of the stop line at A for who comes from the west


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(crossroads())


# All towns


@lru_cache(maxsize=1)
def loaded(town: str, folder: Path):
    return bundle(load_named_town(town, folder).arrays)


def watch(traffic: Traffic, seconds: float) -> np.void:
    tally = empty_tallies(1)[0]
    for _ in range(round(seconds / 0.05)):
        traffic.tick()
        watch_traffic(traffic.w, traffic.net, tally)
    return tally


def assert_as_it_should_be(tally: np.void) -> None:
    assert tally["contacts"] == 0
    assert tally["deepest"] == 0.0
    assert tally["off_lane_ticks"] == 0
    assert tally["offset_max"] < 0.6
    assert tally["red_runs"] == 0
    assert tally["stop_runs"] == 0
    assert tally["stuck"] == 0
    assert tally["hardest_brake"] < 8.5
    assert tally["entries_lights"] + tally["entries_other"] > 20


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_crowded_minitown_is_as_it_should_be(seed: int) -> None:
    traffic = Traffic(smoke())
    traffic.run_lights()
    assert crowd(traffic, 58, seed) == 58
    assert_as_it_should_be(watch(traffic, 120.0))


@pytest.mark.official_data
@pytest.mark.parametrize(
    ("town", "seed"),
    [("Town01", 1), ("Town02", 1), ("Town04", 3), ("Town05", 1), ("Town05", 3), ("Town10HD", 1), ("Town10HD", 2)],
)
def test_so_is_every_town_of_carla(official_data: Path, town: str, seed: int) -> None:
    traffic = Traffic(smoke())
    traffic.net = loaded(town, official_data / "towns")
    traffic.run_lights()
    assert crowd(traffic, 45, seed) > 30
    assert_as_it_should_be(watch(traffic, 100.0))


# Sight


@pytest.mark.parametrize("kmh", [50.0, 80.0, 105.0])
def test_who_is_fast_sees_a_red_light_early_enough(traffic: Traffic, kmh: float) -> None:
    traffic.hold_lights(LightState.RED)
    car = traffic.drive(-195.0, 1.75, EAST, speed=kmh / 3.6)
    traffic.w["target_speed"][car] = kmh / 3.6
    hardest = 0.0
    for _ in range(20 * 18):
        traffic.tick()
        hardest = min(hardest, float(traffic.w["acceleration"][car]))
    assert traffic.speed(car) == 0.0
    assert traffic.front(car) <= LINE_A
    assert hardest > -6.0


def test_who_is_fast_sees_a_bend_early_enough(traffic: Traffic) -> None:
    car = traffic.drive(215.0, 1.75, EAST, speed=25.0)
    lane, s = lane_at(traffic.net, 215.0, 1.75, EAST)
    before = traffic.drive(20.0, 1.75, EAST, speed=25.0)  # has the junction's lane before the one with the bend
    traffic.w["kind"][car] = 0
    traffic.w["target_speed"][before] = 25.0
    furthest = 0.0
    for _ in range(20 * 25):
        traffic.tick()
        furthest = max(furthest, abs(float(traffic.w["lane_offset"][before] - traffic.w["desired_offset"][before])))
    assert furthest < 0.3


def test_who_turns_off_is_followed_until_it_is_out_of_the_way(traffic: Traffic) -> None:
    turning = traffic.drive(-60.0, 1.75, EAST, speed=11.0, turns="RSSS")
    behind = traffic.drive(-76.0, 1.75, EAST, speed=11.0)
    traffic.w["driver_flags"][behind] = int(DriverFlag.IGNORE_LIGHTS | DriverFlag.IGNORE_SIGNS)
    hardest = 0.0
    for _ in range(20 * 12):
        traffic.tick()
        hardest = min(hardest, float(traffic.w["acceleration"][behind]))
    assert traffic.w["other_contacts"] == 0
    assert traffic.w["x"][behind] > 15.0
    assert traffic.w["y"][turning] > 10.0
    assert hardest > -4.5


# Right of way


def test_left_turn_waits_for_a_scripted_vehicle_that_brakes_for_nobody() -> None:
    points = [(150.0 - k, -1.75) for k in range(300)]
    traffic = Traffic(with_track(crossroads(), points))
    scripted = traffic.spawn(CAR, 150.0, -1.75, WEST)
    w = traffic.w
    w["behaviour"][scripted] = int(Behaviour.TRACK)
    w["track"][scripted] = 0
    w["target_speed"][scripted] = 14.0
    w["driver_flags"][scripted] = int(DriverFlag.CONSTANT_VELOCITY | DriverFlag.IGNORE_VEHICLES)
    turning = traffic.drive(-90.0, 1.75, EAST, speed=9.0, turns="LSSS")
    while w["x"][scripted] > -20.0:
        traffic.tick()
        assert w["y"][turning] > -2.0 or w["x"][scripted] < 0.0
    traffic.seconds(12.0)
    assert w["other_contacts"] == 0
    assert w["y"][turning] < -15.0


def test_who_runs_red_by_script_is_let_through(traffic: Traffic) -> None:
    traffic.run_lights()  # main street green
    runner = traffic.drive(-1.75, -60.0, math.pi / 2, speed=10.0)
    traffic.w["driver_flags"][runner] = int(DriverFlag.IGNORE_LIGHTS)
    for x in (-62.0, -75.0):
        traffic.drive(x, 1.75, EAST, speed=10.0)
    traffic.seconds(15.0)
    assert traffic.w["other_contacts"] == 0
    assert traffic.w["y"][runner] > 15.0


def test_walkers_beside_a_junction_do_not_count_as_vehicles_in_it(traffic: Traffic) -> None:
    traffic.hold_lights(LightState.OFF)
    traffic.spawn("walker.pedestrian.0001", 8.0, 8.0)
    car = traffic.drive(-1.75, -60.0, math.pi / 2, speed=10.0)
    slowest = 99.0
    while traffic.w["y"][car] < 15.0:
        traffic.tick()
        slowest = min(slowest, traffic.speed(car))
    assert slowest > 8.0


def test_whose_exit_stays_full_takes_another_way(traffic: Traffic) -> None:
    car = traffic.drive(-60.0, 1.75, EAST, speed=8.0)
    traffic.spawn(CAR, 17.0, 1.75)  # for good
    traffic.seconds(20.0)
    assert traffic.speed(car) == 0.0
    traffic.seconds(90.0)
    assert abs(traffic.w["y"][car]) > 20.0
    assert traffic.w["other_contacts"] == 0


# Who appears


def test_who_appears_before_a_bend_is_no_faster_than_the_bend_allows(traffic: Traffic) -> None:
    lane, s = lane_at(traffic.net, 296.0, 1.75, EAST)
    slot = spawn_background(traffic.w, traffic.net, lane, s, LIMIT_OF_ALL := 13.9, 0)
    assert 4.0 < traffic.speed(slot) < 0.7 * LIMIT_OF_ALL


# Bench2Drive's rules for background traffic


def test_where_a_lane_runs_out_background_vehicles_stand_with_hazard_lights() -> None:
    ride = Ride(avenue())
    w = ride.w
    cars = ride.background()
    cars = cars[w["lane"][cars] == w["lane"][EGO]]
    slot = cars[ride.along(cars).argmax()]
    arrays = smoke().network.arrays
    beyond = arrays.point_x - w["x"][slot]
    on_it = (abs(arrays.point_y - w["y"][slot]) < 0.5) & (beyond > 0.0) & (beyond < 40.0)
    width = np.where(on_it, np.clip(3.5 - 0.1 * beyond, 0.5, 3.5), arrays.point_width)  # 2.25 m after 12.5 m
    ride.net = bundle(arrays._replace(point_width=width))
    ride.driven = True
    ride.seconds(12.0)
    assert w["behaviour"][slot] == Behaviour.HOLD
    assert w["speed"][slot] == 0.0
    assert w["lights"][slot] & HAZARD == HAZARD


def test_behind_the_crossing_background_vehicles_halt_on_roads_that_are_not_the_egos() -> None:
    ride = Ride(avenue())
    net, w = ride.net, ride.w
    ride.driven = True
    while w["bg_junction"] < ride.routes.crossing_first[0]:
        ride.tick()
    ride.driven = False
    ride.seconds(60.0)
    junction = ride.routes.crossing_junction[0]
    cars = ride.background()
    lanes = w["lane"][cars]
    first = net.pred_first[lanes]
    from_it = (net.lane_junction[lanes] < 0) & (net.lane_junction[net.pred_lane[first]] == junction)
    away = from_it & (abs(np.sin(w["yaw"][cars])) > 0.7)  # the side street
    assert away.any()
    assert w["speed"][cars[away & (w["lane_s"][cars] > 45.0)]].max(initial=0.0) < 1.0
    assert np.bincount(lanes[away & (w["speed"][cars] < 0.5)]).max(initial=0) <= 3
