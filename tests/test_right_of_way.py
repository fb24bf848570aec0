"""Who goes first: lights, signs, priority, and crossings of equals. The crossroads of `sim_world`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_world import CAR, EAST, NORTH, SOUTH, WEST, Traffic, crossroads

from simulator.state import TICK_SECONDS, DriverFlag, LightState

LINE_A = -13.0  # x of the stop line at A for who comes from the west
LINE_B = -13.0  # y of the stop line at B for who comes from the north
A_WEST = (-70.0, 1.75, EAST)


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(crossroads())


def until(traffic: Traffic, holds, limit: float) -> float:
    """Ticks until `holds()`; returns the seconds that it took."""
    for k in range(round(limit / TICK_SECONDS)):
        if holds():
            return k * TICK_SECONDS
        traffic.tick()
    raise AssertionError(f"it has not come to that within {limit} s")


# Lights


def test_halts_at_red_just_before_the_line_and_goes_at_green(traffic: Traffic) -> None:
    traffic.hold_lights(LightState.RED)
    car = traffic.drive(*A_WEST, speed=12.0)
    traffic.seconds(15.0)
    assert traffic.speed(car) == 0.0
    assert LINE_A - 1.0 < traffic.front(car) <= LINE_A
    traffic.hold_lights(LightState.GREEN)
    until(traffic, lambda: traffic.w["x"][car] > 15.0, limit=8.0)


def test_drives_on_at_green_without_slowing(traffic: Traffic) -> None:
    car = traffic.drive(*A_WEST, speed=12.0)
    slowest = math.inf
    while traffic.w["x"][car] < 20.0:
        traffic.tick()
        slowest = min(slowest, traffic.speed(car))
    assert slowest > 11.9


@pytest.mark.parametrize("kmh", [15.0, 30.0, 50.0])
def test_nobody_crosses_on_red_wherever_yellow_finds_them(kmh: float) -> None:
    speed = kmh / 3.6
    halted = passed = 0
    for metres in np.arange(1.0, 60.0, 1.5):
        traffic = Traffic(crossroads())
        car = traffic.drive(LINE_A - metres - 2.446, 1.75, EAST, speed=speed)
        traffic.w["target_speed"][car] = speed
        traffic.hold_lights(LightState.YELLOW)
        traffic.seconds(3.0)
        over_at_red = traffic.front(car) > LINE_A
        traffic.hold_lights(LightState.RED)
        traffic.seconds(8.0)
        assert (traffic.front(car) > LINE_A) == over_at_red, f"{metres} m before the line"
        halted, passed = halted + (not over_at_red), passed + over_at_red
    assert halted > 5
    assert passed > 0


def test_who_ignores_lights_drives_through_red(traffic: Traffic) -> None:
    traffic.hold_lights(LightState.RED)
    car = traffic.drive(*A_WEST, speed=12.0)
    traffic.w["driver_flags"][car] = int(DriverFlag.IGNORE_LIGHTS)
    until(traffic, lambda: traffic.w["x"][car] > 15.0, limit=9.0)


def test_lights_let_both_streets_through_in_turn(traffic: Traffic) -> None:
    traffic.run_lights()
    main = traffic.drive(*A_WEST, speed=10.0)
    side = traffic.drive(-1.75, -60.0, SOUTH, speed=10.0)
    main_time = until(traffic, lambda: traffic.w["x"][main] > 15.0, limit=15.0)
    assert traffic.speed(side) < 1.0  # waits at its red
    side_time = main_time + until(traffic, lambda: traffic.w["y"][side] > 15.0, limit=20.0)
    assert side_time > 15.0  # the first phase is over: 10 s green, 3 s yellow, 2 s all red


def test_left_turn_at_green_waits_for_oncoming_traffic(traffic: Traffic) -> None:
    turning = traffic.drive(-40.0, 1.75, EAST, speed=8.0, turns="LSSS")
    oncoming = [traffic.drive(60.0 + 25.0 * k, -1.75, WEST, speed=13.0) for k in range(3)]
    slowest = math.inf
    for _ in range(20 * 7):
        traffic.tick()
        slowest = min(slowest, *(traffic.speed(k) for k in oncoming))
        assert traffic.front(turning) < -2.0  # not on the other lane
    assert slowest > 12.9  # nobody had to brake
    until(traffic, lambda: traffic.w["y"][turning] < -15.0, limit=12.0)
    assert traffic.w["other_contacts"] == 0


# Signs


def test_halts_at_a_stop_sign_then_goes(traffic: Traffic) -> None:
    car = traffic.drive(198.25, -70.0, SOUTH, speed=10.0)
    until(traffic, lambda: traffic.speed(car) < 0.3, limit=10.0)
    assert LINE_B - 2.5 < traffic.front(car, SOUTH) <= LINE_B
    assert until(traffic, lambda: traffic.w["y"][car] > 15.0, limit=10.0) > 3.0


def test_who_ignores_signs_does_not_halt(traffic: Traffic) -> None:
    car = traffic.drive(198.25, -70.0, SOUTH, speed=10.0)
    traffic.w["driver_flags"][car] = int(DriverFlag.IGNORE_SIGNS)
    slowest = math.inf
    while traffic.w["y"][car] < 15.0:
        traffic.tick()
        slowest = min(slowest, traffic.speed(car))
    assert slowest > 5.0


def test_each_vehicle_makes_its_own_stop(traffic: Traffic) -> None:
    cars = [traffic.drive(198.25, y, SOUTH, speed=8.0) for y in (-40.0, -50.0)]
    stops = [False, False]
    for _ in range(20 * 25):
        traffic.tick()
        for k, car in enumerate(cars):
            at_line = LINE_B - 2.5 < traffic.front(car, SOUTH) <= LINE_B
            stops[k] |= at_line and traffic.speed(car) < 0.3
    assert stops == [True, True]
    assert min(float(traffic.w["y"][car]) for car in cars) > 15.0


# Priority


def test_side_street_lets_the_main_street_pass(traffic: Traffic) -> None:
    waiting = traffic.drive(198.25, -16.0, SOUTH)
    main = [traffic.drive(120.0 - 25.0 * k, 1.75, EAST, speed=13.0) for k in range(3)]
    slowest = math.inf
    while traffic.w["x"][main[-1]] < 203.0:
        traffic.tick()
        slowest = min(slowest, *(traffic.speed(k) for k in main if traffic.w["x"][k] < 212.0))
        assert traffic.w["y"][waiting] < -8.0
    assert slowest > 12.9
    until(traffic, lambda: traffic.w["y"][waiting] > 15.0, limit=10.0)
    assert traffic.w["other_contacts"] == 0


def test_side_street_goes_when_the_main_street_is_far(traffic: Traffic) -> None:
    side = traffic.drive(198.25, -16.0, SOUTH)
    main = traffic.drive(20.0, 1.75, EAST, speed=13.0)
    until(traffic, lambda: traffic.w["y"][side] > 8.0, limit=10.0)
    assert traffic.w["x"][main] < 185.0


@pytest.mark.parametrize("light", [LightState.GREEN, LightState.OFF])
def test_nobody_enters_a_junction_whose_exit_is_full(traffic: Traffic, light: LightState) -> None:
    traffic.hold_lights(light)
    car = traffic.drive(*A_WEST, speed=8.0)
    blocker = traffic.spawn(CAR, 17.0, 1.75)
    traffic.seconds(15.0)
    assert traffic.speed(car) == 0.0
    assert traffic.front(car) <= LINE_A
    traffic.w["kind"][blocker] = 0
    until(traffic, lambda: traffic.w["x"][car] > 15.0, limit=8.0)


def test_nobody_enters_a_junction_that_a_scenario_keeps_clear(traffic: Traffic) -> None:
    car = traffic.drive(*A_WEST, speed=8.0)
    traffic.w["bg_clear_junction"] = 0
    traffic.seconds(15.0)
    assert traffic.speed(car) == 0.0
    assert traffic.front(car) <= LINE_A
    traffic.w["bg_clear_junction"] = -1
    until(traffic, lambda: traffic.w["x"][car] > 15.0, limit=8.0)


def test_who_is_in_the_junction_is_not_hit(traffic: Traffic) -> None:
    traffic.hold_lights(LightState.OFF)
    stranded = traffic.spawn(CAR, 1.75, 0.0, NORTH)
    car = traffic.drive(*A_WEST, speed=12.0)
    traffic.seconds(12.0)
    assert traffic.w["other_contacts"] == 0
    assert traffic.speed(car) == 0.0
    assert traffic.front(car) < traffic.w["x"][stranded]


# Equals


@pytest.mark.parametrize("turns", ["SSSS", "LSSS", "RSSS"], ids=["straight", "left", "right"])
def test_four_equals_that_arrive_together_cross_one_after_the_other(traffic: Traffic, turns: str) -> None:
    traffic.hold_lights(LightState.OFF)
    places = ((-40.0, 1.75, EAST), (40.0, -1.75, WEST), (-1.75, -40.0, SOUTH), (1.75, 40.0, NORTH))
    cars = [traffic.drive(*place, speed=8.0, turns=turns) for place in places]
    entries = {int(traffic.w["lane"][car]) for car in cars}

    def all_across() -> bool:
        lanes = traffic.w["lane"][cars]
        return not (traffic.net.lane_junction[lanes] >= 0).any() and not entries & set(lanes.tolist())

    until(traffic, all_across, limit=30.0)
    assert traffic.w["other_contacts"] == 0


@pytest.mark.parametrize("swapped", [False, True])
def test_among_equals_goes_first_who_has_waited_longer(traffic: Traffic, swapped: bool) -> None:
    traffic.hold_lights(LightState.OFF)
    traffic.w["bg_clear_junction"] = 0  # both have to wait
    places = [(-20.0, 1.75, EAST), (-1.75, -60.0, SOUTH)]
    cars = [traffic.drive(*place, speed=5.0) for place in (places[::-1] if swapped else places)]
    early, late = cars[::-1] if swapped else cars
    traffic.seconds(15.0)
    assert traffic.w["waiting"][early] > traffic.w["waiting"][late] + 2.0 > 4.0
    traffic.w["bg_clear_junction"] = -1
    until(traffic, lambda: traffic.w["x"][early] > 5.0, limit=8.0)
    assert traffic.front(late, SOUTH) < -2.0
    assert traffic.w["other_contacts"] == 0


@pytest.mark.parametrize("delay", np.arange(0.0, 3.0, 0.25))
def test_two_equals_never_touch_whoever_is_earlier(traffic: Traffic, delay: float) -> None:
    traffic.hold_lights(LightState.OFF)
    first = traffic.drive(-45.0, 1.75, EAST, speed=9.0)
    second = traffic.drive(-1.75, -45.0 - 9.0 * delay, SOUTH, speed=9.0)
    traffic.seconds(20.0)
    assert traffic.w["other_contacts"] == 0
    assert traffic.w["x"][first] > 12.0
    assert traffic.w["y"][second] > 12.0
