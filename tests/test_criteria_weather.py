"""Weather that follows the ego along its route, and headlights at night (docs/bench2drive.md 1.4)."""

from __future__ import annotations

import numpy as np
import pytest
from criteria_world import Drive, straight_route

from leaderboard_adapters.criteria_weather import is_night_now, update_headlights, update_weather
from scenarios.route import Location, Route, WeatherKeyframe
from scenarios.weather import BASE_WEATHER, WEATHER_FIELDS, Weather, is_night, keyframe_weather, weather_at
from simulator.actors import set_speed
from simulator.state import EGO, HAZARD, Role, VehicleLight

DAY = BASE_WEATHER
NIGHT = BASE_WEATHER._replace(sun_altitude_angle=-90.0)
HEADLIGHTS = int(VehicleLight.POSITION | VehicleLight.LOW_BEAM)

KEYFRAMES = (
    WeatherKeyframe(0.0, {"cloudiness": "10.0", "sun_altitude_angle": "90.0"}),
    WeatherKeyframe(40.0, {"cloudiness": "80.0", "fog_density": "33.0", "sun_altitude_angle": "12.5"}),
    WeatherKeyframe(100.0, {"cloudiness": "20.0", "precipitation": "55.0", "sun_altitude_angle": "-3.0"}),
)


def drive_with(*keyframes: WeatherKeyframe) -> Drive:
    frames = [(k.route_percentage, tuple(keyframe_weather(k))) for k in keyframes]
    return Drive(routes=straight_route(weather=frames))


def route_with(*keyframes: WeatherKeyframe) -> Route:
    return Route("1", "Town01", (Location(0, 0, 0), Location(1, 0, 0)), weathers=keyframes)


def test_weather_at_the_start_is_that_of_the_first_keyframe() -> None:
    drive = drive_with(*KEYFRAMES)
    assert Weather(*drive.w["weather"]) == weather_at(route_with(*KEYFRAMES), 0.0)


def test_weather_is_that_of_the_last_route_point_passed() -> None:
    drive, route = drive_with(*KEYFRAMES), route_with(*KEYFRAMES)
    distance = drive.routes.trace_distance
    for x in np.arange(2.5, 398.5, 0.5):
        drive.put(float(x))
        update_weather(drive.w, drive.c, drive.routes)
        passed = int(np.ceil(x - 2.0)) - 1
        assert drive.c["weather_index"] == passed
        expected = weather_at(route, float(distance[passed] / distance[-1] * 100.0))
        np.testing.assert_array_equal(drive.w["weather"], expected)


def test_weather_gains_at_most_three_points_a_tick_and_never_goes_back() -> None:
    drive = drive_with(*KEYFRAMES)
    drive.put(50.0)
    update_weather(drive.w, drive.c, drive.routes)
    assert drive.c["weather_index"] == 3
    drive.put(2.0)
    update_weather(drive.w, drive.c, drive.routes)
    assert drive.c["weather_index"] == 3


def test_one_keyframe_holds_all_along_the_route() -> None:
    drive = drive_with(KEYFRAMES[1])
    before = drive.w["weather"].copy()
    drive.put(50.0)
    update_weather(drive.w, drive.c, drive.routes)
    np.testing.assert_array_equal(drive.w["weather"], before)
    np.testing.assert_array_equal(before, keyframe_weather(KEYFRAMES[1]))


@pytest.mark.parametrize("sun", [-90.0, 14.9, 15.0, 24.0, 26.0, 90.0])
@pytest.mark.parametrize("clouds", [0.0, 69.0, 71.0, 81.0])
@pytest.mark.parametrize("fog", [0.0, 29.0, 31.0, 41.0])
def test_night_is_that_of_the_route_file(sun: float, clouds: float, fog: float) -> None:
    weather = DAY._replace(sun_altitude_angle=sun, cloudiness=clouds, fog_density=fog)
    drive = Drive()
    drive.w["weather"] = tuple(weather)
    assert is_night_now(drive.w) == is_night(weather)


def test_at_night_the_ego_and_near_vehicles_of_scenarios_have_their_lights_on() -> None:
    drive = Drive()
    near = drive.spawn("vehicle.audi.tt", 90.0)
    far = drive.spawn("vehicle.audi.tt", 120.0)
    flow = drive.spawn("vehicle.audi.tt", 20.0, role=Role.FLOW)
    traffic = drive.spawn("vehicle.audi.tt", 20.0, role=Role.BACKGROUND)
    walker = drive.spawn("walker.pedestrian.0001", 20.0)
    drive.w["lights"][near] = HAZARD & ~HEADLIGHTS
    drive.w["weather"] = tuple(NIGHT)
    update_headlights(drive.w, drive.c)
    lights = drive.w["lights"]
    assert lights[EGO] == HEADLIGHTS
    assert lights[near] == HAZARD | HEADLIGHTS
    assert not any(lights[i] for i in (far, flow, traffic, walker))


def test_radius_grows_with_the_speed_of_the_ego() -> None:
    drive = Drive()
    far = drive.spawn("vehicle.audi.tt", 120.0)
    drive.w["weather"] = tuple(NIGHT)
    set_speed(drive.w, EGO, 9.0)
    update_headlights(drive.w, drive.c)
    assert drive.w["lights"][far] == HEADLIGHTS


def test_vehicles_left_behind_switch_off() -> None:
    drive = Drive()
    car = drive.spawn("vehicle.audi.tt", 20.0)
    drive.w["weather"] = tuple(NIGHT)
    update_headlights(drive.w, drive.c)
    drive.put(200.0, speed=0.0)
    update_headlights(drive.w, drive.c)
    assert drive.w["lights"][car] == 0


def test_at_dawn_all_headlights_go_off_once() -> None:
    drive = Drive()
    car = drive.spawn("vehicle.audi.tt", 20.0)
    drive.w["weather"] = tuple(NIGHT)
    update_headlights(drive.w, drive.c)
    drive.w["weather"] = tuple(DAY)
    update_headlights(drive.w, drive.c)
    assert drive.w["lights"][EGO] == 0
    assert drive.w["lights"][car] == 0
    drive.w["lights"][car] = HAZARD
    update_headlights(drive.w, drive.c)
    assert drive.w["lights"][car] == HAZARD


def test_fields_of_the_world_are_those_of_carla() -> None:
    assert len(WEATHER_FIELDS) == Drive().w["weather"].shape[0]
