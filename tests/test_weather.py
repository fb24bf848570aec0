"""Weather of a route: interpolation, named cases, night mode."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree

import carla
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.route import Location, Route, WeatherKeyframe
from scenarios.route_file import read_routes
from scenarios.weather import (
    BASE_WEATHER,
    WEATHER_CASES,
    WEATHER_FIELDS,
    Weather,
    is_night,
    keyframe_weather,
    weather_at,
    weather_id,
)


def route_with(*keyframes: tuple[float, dict[str, str]]) -> Route:
    line = (Location(0, 0, 0), Location(1, 0, 0))
    return Route("1", "Town01", line, weathers=tuple(WeatherKeyframe(p, a) for p, a in keyframes))


def test_defaults_are_those_of_carla():
    built = carla.WeatherParameters()
    assert Weather() == tuple(getattr(built, name) for name in WEATHER_FIELDS)


def test_a_route_without_weather_has_the_base_weather():
    assert weather_at(route_with(), 40.0) == BASE_WEATHER
    assert (BASE_WEATHER.sun_altitude_angle, BASE_WEATHER.cloudiness) == (70.0, 50.0)


def test_a_keyframe_overrides_only_what_it_names():
    weather = weather_at(route_with((0.0, {"fog_density": "30"})), 0.0)
    assert weather == BASE_WEATHER._replace(fog_density=30.0)


def test_weather_is_linear_between_keyframes():
    route = route_with((0.0, {"cloudiness": "0"}), (50.0, {"cloudiness": "100"}), (100.0, {"cloudiness": "20"}))
    assert [weather_at(route, p).cloudiness for p in (0.0, 25.0, 50.0, 75.0, 100.0)] == [0.0, 50.0, 100.0, 60.0, 20.0]


def test_weather_is_constant_outside_its_keyframes():
    route = route_with((20.0, {"wetness": "10"}), (80.0, {"wetness": "70"}))
    assert weather_at(route, 0.0).wetness == 10.0
    assert weather_at(route, 100.0).wetness == 70.0


@given(st.floats(0.0, 100.0))
def test_equal_keyframes_give_constant_weather(percentage):
    case = dict(WEATHER_CASES["14"])
    route = route_with((0.0, case), (100.0, case))
    assert weather_at(route, percentage) == keyframe_weather(route.weathers[0])


def test_interpolation_drops_the_dust_storm():
    dusty = {"dust_storm": "50"}
    assert weather_at(route_with((0.0, dusty)), 0.0).dust_storm == 50.0
    assert weather_at(route_with((0.0, dusty), (100.0, dusty)), 0.0).dust_storm == 0.0


def test_a_weather_is_named_by_the_text_of_its_fields():
    named = dict(WEATHER_CASES["18"])
    assert weather_id(route_with((0.0, named), (100.0, named))) == "18"
    assert weather_id(route_with((0.0, {**named, "fog_density": "2.5"}))) is None
    assert weather_id(route_with()) == "26"


def test_a_field_that_no_case_names_does_not_matter():
    assert weather_id(route_with((0.0, {**WEATHER_CASES["18"], "fog_falloff": "3"}))) == "18"


def test_float32_rounding_shows_in_the_text():
    cases = {"x": {"wetness": "0.1"}, "y": {"wetness": "0.10000000149011612"}}
    assert weather_id(route_with((0.0, {"wetness": "0.1"})), cases) == "y"


@pytest.mark.parametrize(
    ("fields", "night"),
    [
        ({}, False),
        ({"sun_altitude_angle": 14.9}, True),
        ({"sun_altitude_angle": 15.0}, False),
        ({"sun_altitude_angle": 166.0}, True),
        ({"cloudiness": 81.0}, True),
        ({"fog_density": 41.0}, True),
        ({"cloudiness": 75.0}, False),
        ({"cloudiness": 75.0, "fog_density": 35.0}, True),
        ({"cloudiness": 70.0, "fog_density": 35.0}, False),
        ({"sun_altitude_angle": 20.0, "fog_density": 35.0}, True),
    ],
)
def test_night_mode(fields, night):
    assert is_night(BASE_WEATHER._replace(**fields)) == night


@pytest.mark.official_data
def test_the_case_table_is_the_official_one(official_data):
    root = ElementTree.parse(official_data / "routes" / "weather.xml").getroot()
    official = {
        case.attrib["weather_id"]: {k: v for k, v in case[0].attrib.items() if k != "route_percentage"}
        for case in root.iter("case")
    }
    assert {case: dict(fields) for case, fields in WEATHER_CASES.items()} == official
    assert list(WEATHER_CASES) == list(official)


@pytest.mark.official_data
def test_official_routes_have_their_official_weather_id(official_data):
    with (official_data / "routes" / "b2d_routes.csv").open(encoding="utf-8") as file:
        expected = {r["id"]: r["weather_id"] for r in csv.DictReader(file) if r["file"] == "bench2drive220.xml"}
    read = read_routes(official_data / "routes" / "bench2drive220.xml")
    assert {route.id: weather_id(route) for route in read} == expected
