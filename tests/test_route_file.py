"""Route files: what is read, what is refused and how it is said, subsets, suites."""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.route import (
    Location,
    Route,
    ScenarioSpec,
    TriggerPoint,
    WeatherKeyframe,
    scenario_interval,
    scenario_location,
    scenario_text,
    scenario_value,
)
from scenarios.route_file import read_routes, write_routes
from scenarios.route_subset import select_routes
from scenarios.suites import find_suite, list_suites
from simulator.errors import RouteFileError

POSITIONS = '<position x="1" y="2.5" z="0"/><position x="3" y="2.5" z="0"/>'
TRIGGER = '<trigger_point x="2" y="2.5" z="0" yaw="-90"/>'
VALID = f"""<routes>
  <route id="7" town="Town01" road_id="ignored">
    <waypoints>{POSITIONS}</waypoints>
    <scenarios>
      <scenario name="Accident_1" type="Accident">
        {TRIGGER}
        <distance value="42"/>
        <frequency from="20" to="100.5"/>
        <start_actor_flow x="1" y="2" z="3"/>
        <other_actor model="vehicle.*"/>
      </scenario>
    </scenarios>
    <weathers>
      <weather route_percentage="100" cloudiness="5.0"/>
      <weather route_percentage="0" cloudiness="80.0"/>
    </weathers>
  </route>
</routes>
"""


@pytest.fixture
def route_file(tmp_path: Path):
    """Writes text to a route file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "routes.xml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(RouteFileError) as caught:
        read_routes(path)
    return str(caught.value)


def test_every_element_is_read(route_file):
    (route,) = read_routes(route_file(VALID))
    assert (route.id, route.town, route.line, route.name) == ("7", "Town01", 2, "RouteScenario_7")
    assert route.positions == (Location(1.0, 2.5, 0.0), Location(3.0, 2.5, 0.0))
    (scenario,) = route.scenarios
    assert (scenario.name, scenario.type, scenario.line, scenario.route_id) == ("Accident_1", "Accident", 5, "7")
    assert scenario.trigger_point == TriggerPoint(2.0, 2.5, 0.0, -90.0)
    assert scenario.parameters["frequency"] == {"from": "20", "to": "100.5"}
    assert scenario.other_actors == ({"model": "vehicle.*"},)
    assert [k.route_percentage for k in route.weathers] == [0.0, 100.0]
    assert route.weathers[0].attributes == {"cloudiness": "80.0"}


def test_scenarios_and_weathers_are_optional(route_file):
    text = f'<routes><route id="1" town="T"><waypoints>{POSITIONS}</waypoints></route></routes>'
    (route,) = read_routes(route_file(text))
    assert route.scenarios == ()
    assert route.weathers == ()
    assert route.scenario_type == ""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("<routes>", "routes:", 1, "not well-formed XML"),
        ("</routes>\n", "", 18, "<routes> of line 1 is still open"),
        (' id="7"', "", 2, "has no id"),
        (' id="7"', ' id="seven"', 2, "must be an integer"),
        (' town="Town01"', "", 2, "has no town"),
        (f"<waypoints>{POSITIONS}</waypoints>", "", 2, "has no <waypoints>"),
        (POSITIONS, '<position x="1" y="2" z="0"/>', 3, "at least 2"),
        ('x="3" y="2.5"', 'x="three" y="2.5"', 3, "<position x='three'> must be a finite number"),
        ('x="3" y="2.5"', 'x="3" y="nan"', 3, "<position y='nan'> must be a finite number"),
        ('x="3" y="2.5"', 'x="3"', 3, "<position> has no attribute 'y'"),
        (' type="Accident"', "", 5, "has no type"),
        (TRIGGER, "", 5, "has no <trigger_point"),
        (TRIGGER, '<trigger_point x="2" y="2.5" z="0"/>', 6, "<trigger_point> has no attribute 'yaw'"),
        (' route_percentage="100"', "", 14, "<weather> has no attribute 'route_percentage'"),
        ('cloudiness="5.0"', 'cloudiness="wet"', 14, "<weather cloudiness='wet'> must be a finite number"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(route_file, old, new, line, words):
    path = route_file(VALID.replace(old, new, 1))
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message


def test_a_complaint_names_the_route(route_file):
    assert "route '7'" in refusal(route_file(VALID.replace('x="3"', 'x="three"')))


def test_duplicate_ids_name_both_lines(route_file):
    one = f'<route id="5" town="T"><waypoints>{POSITIONS}</waypoints></route>'
    message = refusal(route_file(f"<routes>\n{one}\n{one}\n</routes>"))
    assert ":3: route id '5' is already taken by the route in line 2" in message


def test_a_file_without_routes_is_refused(route_file):
    assert "holds no <route>" in refusal(route_file("<OpenDRIVE/>"))


def test_an_absent_file_is_refused(tmp_path):
    assert "no such route file" in refusal(tmp_path / "nothing.xml")


def test_entity_expansion_is_refused(route_file):
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<routes>&b;</routes>'
    assert "document type declarations are not allowed" in refusal(route_file(bomb))


def test_an_unknown_weather_name_is_kept_and_reported(route_file, caplog):
    with caplog.at_level(logging.WARNING):
        (route,) = read_routes(route_file(VALID.replace('cloudiness="5.0"', 'cloudyness="5.0"')))
    assert route.weathers[1].attributes == {"cloudyness": "5.0"}
    assert "'cloudyness' is no weather parameter" in caplog.text
    assert "route '7'" in caplog.text


def test_parameters_are_read_by_shape(route_file):
    (spec,) = read_routes(route_file(VALID))[0].scenarios
    assert scenario_value(spec, "distance", 120.0) == 42.0
    assert scenario_value(spec, "speed", 60.0) == 60.0
    assert scenario_text(spec, "direction", "right") == "right"
    assert scenario_interval(spec, "frequency", (20.0, 100.0)) == (20.0, 100.5)
    assert scenario_location(spec, "start_actor_flow") == Location(1.0, 2.0, 3.0)


def test_a_bad_parameter_names_route_and_scenario():
    trigger = TriggerPoint(0, 0, 0, 0)
    spec = ScenarioSpec("Accident_1", "Accident", trigger, {"distance": {"value": "far"}, "flow": {}}, route_id="7")
    with pytest.raises(RouteFileError, match=r"route '7', scenario 'Accident_1'.*distance.*'far'.*finite number"):
        scenario_value(spec, "distance", 120.0)
    with pytest.raises(RouteFileError, match=r"needs a <end_actor_flow x="):
        scenario_location(spec, "end_actor_flow")
    with pytest.raises(RouteFileError, match=r"<flow> has no attribute 'from'"):
        scenario_interval(spec, "flow", (1.0, 2.0))


# Writing

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFD, exclude_categories=["Cs"]), min_size=1)
tags = st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda t: t not in ("trigger_point", "other_actor"))
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
attributes = st.dictionaries(names, texts, max_size=3)
scenarios = st.builds(
    ScenarioSpec,
    name=texts,
    type=texts,
    trigger_point=st.builds(TriggerPoint, numbers, numbers, numbers, numbers),
    parameters=st.dictionaries(tags, attributes, max_size=3),
    other_actors=st.lists(attributes, max_size=2).map(tuple),
)
weathers = st.builds(
    WeatherKeyframe,
    route_percentage=st.floats(0.0, 100.0),
    attributes=st.dictionaries(st.sampled_from(["cloudiness", "wetness", "fog_density"]), numbers.map(repr)),
)
routes = st.builds(
    Route,
    id=st.just("0"),
    town=texts,
    positions=st.lists(st.builds(Location, numbers, numbers, numbers), min_size=2, max_size=4).map(tuple),
    scenarios=st.lists(scenarios, max_size=2).map(tuple),
    weathers=st.lists(weathers, max_size=3).map(lambda ws: tuple(sorted(ws, key=lambda w: w.route_percentage))),
)


def without_places(route: Route) -> Route:
    """The route without what only says where in a file it stands."""
    return replace(route, file="", line=0, scenarios=tuple(replace(s, line=0, route_id="") for s in route.scenarios))


@given(st.lists(routes, min_size=1, max_size=3))
def test_what_is_written_reads_back_the_same(tmp_path_factory, generated):
    path = tmp_path_factory.mktemp("round") / "routes.xml"
    written = [replace(route, id=str(i)) for i, route in enumerate(generated)]
    write_routes(path, written)
    assert [without_places(r) for r in read_routes(path)] == written


def test_a_parameter_that_xml_cannot_name_is_refused(tmp_path):
    spec = ScenarioSpec("A_1", "A", TriggerPoint(0, 0, 0, 0), {"two words": {"value": "1"}})
    route = Route("1", "T", (Location(0, 0, 0), Location(1, 0, 0)), (spec,))
    with pytest.raises(RouteFileError, match="'two words' cannot name a parameter"):
        write_routes(tmp_path / "routes.xml", [route])


# Subsets and suites

LINE = (Location(0, 0, 0), Location(1, 0, 0))
FILE_ORDER = [Route(i, "T", LINE) for i in ("30", "2", "9", "11", "5")]


def chosen(subset: str) -> list[str]:
    return [route.id for route in select_routes(FILE_ORDER, subset)]


def test_a_range_follows_file_order():
    assert chosen("2-11") == ["2", "9", "11"]


def test_ids_and_ranges_come_in_file_order():
    assert chosen("5, 30-2") == ["30", "2", "5"]


def test_no_subset_means_all():
    assert chosen("") == ["30", "2", "9", "11", "5"]


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        ("2,2", "'2' is named twice"),
        ("30-9,2", "'2' is named twice"),
        ("12", "no route has the id '12'"),
        ("2-12", "no route has the id '12'"),
        ("11-2", "ranges follow file order, write '2-11'"),
        ("1-2-3", "neither an id nor a range"),
        ("2,", "neither an id nor a range"),
    ],
)
def test_a_wrong_subset_is_refused(subset, words):
    with pytest.raises(RouteFileError) as caught:
        chosen(subset)
    assert words in str(caught.value)


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    for name in ("minitown", "corners"):
        (tmp_path / f"{name}.xml").write_text("<routes/>", encoding="utf-8")
    return tmp_path


def test_a_suite_is_found_by_name_and_by_path(suites):
    assert find_suite("minitown", suites) == suites / "minitown.xml"
    assert find_suite(suites / "corners.xml", suites) == suites / "corners.xml"
    assert list_suites(suites) == ["corners", "minitown"]


def test_an_unknown_suite_suggests_the_nearest(suites):
    with pytest.raises(RouteFileError, match="did you mean 'minitown'"):
        find_suite("mini-town", suites)


def test_an_absent_route_file_is_refused(suites):
    with pytest.raises(RouteFileError, match="no such route file"):
        find_suite(suites / "gone.xml", suites)


def test_built_in_suites_can_be_read():
    for name in list_suites():
        assert read_routes(find_suite(name))


# Official files


@pytest.mark.official_data
@pytest.mark.parametrize(
    ("file", "count", "scenario_count"),
    [("bench2drive220", 220, 220), ("bench2drive_dev10", 10, 10), ("leaderboard2_validation", 20, 1786)],
)
def test_official_files_are_read_whole(official_data, tmp_path, file, count, scenario_count):
    read = read_routes(official_data / "routes" / f"{file}.xml")
    assert len(read) == count
    assert sum(len(route.scenarios) for route in read) == scenario_count
    copy = tmp_path / "copy.xml"
    write_routes(copy, read)
    assert [without_places(r) for r in read_routes(copy)] == [without_places(r) for r in read]


@pytest.mark.official_data
def test_official_routes_agree_with_their_table(official_data):
    with (official_data / "routes" / "b2d_routes.csv").open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file) if row["file"] == "bench2drive220.xml"}
    for route in read_routes(official_data / "routes" / "bench2drive220.xml"):
        row = rows[route.id]
        assert (route.town, route.scenario_type, len(route.positions)) == (row["town"], row["type"], int(row["n_pos"]))
        assert {tag: dict(a) for tag, a in route.scenarios[0].parameters.items()} == json.loads(row["params"])
