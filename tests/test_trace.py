"""The official dense route: lengths, options, joints, errors, cache.

Town used here: road 1 runs east from the origin with two lanes, road 2 goes on east, road 3 turns off to the left; the
junction between them has connecting roads 11 (straight on, two lanes) and 12 (left turn from the inner lane).
"""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.route_file import read_routes
from simulator.errors import MapError, RouteError
from simulator.roads.planner import RoadOption, TracedRoute, downsample, trace_routes
from simulator.roads.route_graph import NoPathError, find_path

INNER, OUTER = 1.75, 5.25  # metres right of the centre line


def road(
    ident: int, geometry: tuple[float, ...], lanes: int, link: str, junction: int = -1, lane_links: str = ""
) -> str:
    """A road with right-hand driving lanes and broken markings; geometry: x, y, heading, length[, curvature]."""
    x, y, heading, length, *curvature = geometry
    shape = f'<arc curvature="{curvature[0]}"/>' if curvature else "<line/>"
    right = "".join(
        f'<lane id="-{k}" type="driving" level="false"><link>{lane_links.replace("#", str(k))}</link>'
        f'<width sOffset="0" a="3.5" b="0" c="0" d="0"/>'
        f'<roadMark sOffset="0" type="broken" weight="standard" color="white" width="0.1" laneChange="both"/></lane>'
        for k in range(1, lanes + 1)
    )
    return f"""<road name="" length="{length}" id="{ident}" junction="{junction}"><link>{link}</link>
      <planView><geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length}">{shape}</geometry></planView>
      <lanes><laneSection s="0">
        <center><lane id="0" type="none" level="false">
          <roadMark sOffset="0" type="solid" laneChange="none"/></lane></center>
        <right>{right}</right></laneSection></lanes></road>"""


def towards(kind: str, element: str, ident: int, contact: str = "") -> str:
    contact = f' contactPoint="{contact}"' if contact else ""
    return f'<{kind} elementType="{element}" elementId="{ident}"{contact}/>'


def town() -> str:
    straight_links = '<predecessor id="-#"/><successor id="-#"/>'
    between = towards("predecessor", "road", 1, "end")
    turn_length = 10.0 * math.pi / 2
    roads = [
        road(1, (0, 0, 0, 100), 2, towards("successor", "junction", 9)),
        road(2, (120, 0, 0, 80), 2, towards("predecessor", "junction", 9)),
        road(3, (110, 10, math.pi / 2, 60), 1, towards("predecessor", "junction", 9)),
        road(11, (100, 0, 0, 20), 2, between + towards("successor", "road", 2, "start"), 9, straight_links),
        road(
            12, (100, 0, 0, turn_length, 0.1), 1, between + towards("successor", "road", 3, "start"), 9, straight_links
        ),
    ]
    connections = (
        '<connection id="0" incomingRoad="1" connectingRoad="11" contactPoint="start">'
        '<laneLink from="-1" to="-1"/><laneLink from="-2" to="-2"/></connection>'
        '<connection id="1" incomingRoad="1" connectingRoad="12" contactPoint="start">'
        '<laneLink from="-1" to="-1"/></connection>'
    )
    return f"""<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="" version="1" date="" north="0"
      south="0" east="0" west="0"><geoReference><![CDATA[+proj=tmerc +lat_0=42 +lon_0=2]]></geoReference></header>
      {"".join(roads)}<junction id="9" name="">{connections}</junction></OpenDRIVE>"""


TOWN = town()


def trace(*positions: tuple[float, float]) -> TracedRoute:
    (route,) = trace_routes(TOWN, "Fork", [np.array([(x, y, 0.0) for x, y in positions])], route_names=["7"])
    return route


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """A cache of its own, so that the tests trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUTEGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_a_straight_route_has_a_point_each_metre_on_its_lane():
    route = trace((10.0, INNER), (40.0, INNER))
    assert np.diff(route.x) == pytest.approx(1.0, abs=1e-3)
    assert route.y == pytest.approx(INNER, abs=1e-3)
    assert route.yaw == pytest.approx(0.0, abs=1e-6)
    assert set(zip(route.road.tolist(), route.lane_id.tolist(), strict=True)) == {(1, -1)}
    assert set(route.option.tolist()) == {RoadOption.LANEFOLLOW}


def test_tracing_stops_within_two_metres_of_the_last_position():
    route = trace((10.0, INNER), (40.0, INNER))
    assert 38.0 <= route.x[-1] <= 40.0


def test_the_official_length_contains_the_raised_first_point():
    route = trace((10.0, INNER), (40.0, INNER))
    flat = route.x[-1] - route.x[0]
    assert route.length == pytest.approx(flat + math.sqrt(1.25) - 1.0, abs=2e-3)
    assert route.s[0] == 0.0
    assert round(float(route.s[-1]), 3) == route.length


def test_a_left_turn_is_named_throughout_its_junction():
    route = trace((80.0, INNER), (111.75, -30.0))
    assert set(route.option[route.road == 12].tolist()) == {RoadOption.LEFT}
    assert {1, 12, 3} <= set(route.road.tolist())
    assert route.yaw[-1] == pytest.approx(-math.pi / 2, abs=1e-3)


def test_going_straight_through_a_junction_is_named_straight():
    route = trace((80.0, INNER), (150.0, INNER))
    inside = (route.x > 100.5) & (route.x < 119.5)
    assert set(route.option[inside].tolist()) == {RoadOption.STRAIGHT}
    assert set(route.option[~inside & (np.abs(route.x - 110) > 11)].tolist()) == {RoadOption.LANEFOLLOW}


def test_a_lane_ends_with_the_first_point_of_the_next():
    route = trace((80.0, INNER), (150.0, INNER))
    twice = np.flatnonzero(np.diff(route.x) < 1e-6)
    assert route.x[twice] == pytest.approx([100.0, 120.0], abs=0.01)
    assert route.option[twice].tolist() == [RoadOption.LANEFOLLOW, RoadOption.STRAIGHT]
    assert route.option[twice + 1].tolist() == [RoadOption.STRAIGHT, RoadOption.LANEFOLLOW]


def test_a_lane_change_hops_five_points_ahead():
    route = trace((20.0, OUTER), (60.0, INNER))
    changing = np.flatnonzero(route.option == RoadOption.CHANGELANELEFT)
    before, after = route.x[changing], route.lane_id[changing]
    assert after.tolist() == [-2, -1]
    assert before[1] - before[0] == pytest.approx(5.0, abs=1.01)


def test_pairs_are_traced_on_their_own_and_joined():
    whole = trace((10.0, INNER), (20.0, INNER), (30.0, INNER))
    parts = [trace((10.0, INNER), (20.0, INNER)), trace((20.0, INNER), (30.0, INNER))]
    assert whole.x.tolist() == [x for part in parts for x in part.x.tolist()]


def test_a_dead_end_can_be_driven_into():
    route = trace((130.0, INNER), (190.0, INNER))
    assert route.x[-1] == pytest.approx(190.0, abs=2.0)


def test_a_position_off_the_road_is_refused():
    with pytest.raises(RouteError, match=r"route 7 on Fork: position 1 at \(40.0, 30.0, 0.0\) is 2\d\.\d m off"):
        trace((10.0, INNER), (40.0, 30.0))


def test_positions_without_a_connection_are_refused():
    with pytest.raises(RouteError, match=r"position 1 at .* cannot be reached from the position before it"):
        trace((150.0, INNER), (20.0, INNER))


def test_one_bad_route_does_not_spoil_the_others():
    good = np.array([(10.0, INNER, 0.0), (50.0, INNER, 0.0)])
    bad = np.array([(10.0, INNER, 0.0), (50.0, 90.0, 0.0)])
    with pytest.raises(RouteError, match="route bad"):
        trace_routes(TOWN, "Fork", [good, bad], route_names=["good", "bad"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulator.roads.planner.call_in_child", None)  # the good one must come from the cache
        assert len(trace_routes(TOWN, "Fork", [good])) == 1


def test_a_cached_route_is_the_traced_route():
    first, second = trace((10.0, INNER), (90.0, INNER)), trace((10.0, INNER), (90.0, INNER))
    for name in TracedRoute.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_a_broken_cache_file_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ROUTEGYM_CACHE", str(tmp_path))
    first = trace((10.0, INNER), (30.0, INNER))
    (file,) = (tmp_path / "traces").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert trace((10.0, INNER), (30.0, INNER)).x.tolist() == first.x.tolist()


def test_a_map_that_carla_cannot_read_is_refused():
    with pytest.raises(MapError, match="map Broken"):
        trace_routes("<OpenDRIVE>", "Broken", [np.zeros((2, 3))])


# Down-sampling


def route_of(options: list[int], spacing: float = 1.0) -> TracedRoute:
    n = len(options)
    zeros, whole = np.zeros(n), np.zeros(n, np.int32)
    x = np.arange(n) * spacing
    return TracedRoute(x, zeros, zeros, zeros, zeros, np.array(options, np.int8), whole, whole, whole, x, zeros > 0)


def test_downsampling_keeps_ends_and_changes_of_option():
    lane, left = RoadOption.LANEFOLLOW, RoadOption.LEFT
    assert downsample(route_of([lane] * 3 + [left] * 3 + [lane] * 3)).tolist() == [0, 3, 6, 8]


def test_downsampling_keeps_lane_changes_but_not_the_point_after():
    lane, change = RoadOption.LANEFOLLOW, RoadOption.CHANGELANELEFT
    assert downsample(route_of([lane, lane, change, change, lane, lane, lane])).tolist() == [0, 2, 3, 6]


def test_downsampling_keeps_a_point_after_fifty_metres():
    kept = downsample(route_of([RoadOption.LANEFOLLOW] * 120))
    # 50 m must be exceeded, and a point counts when the next is looked at; the raised start lengthens the first step.
    assert kept.tolist() == [0, 51, 103, 119]


# A*

edges = st.dictionaries(
    st.integers(0, 7), st.dictionaries(st.integers(0, 7), st.integers(0, 9), max_size=4), max_size=8
)


def cheapest(graph: dict[int, dict[int, int]], source: int) -> dict[int, int]:
    """Bellman-Ford."""
    cost = {source: 0}
    for _ in range(9):
        for a in sorted(graph):
            for b, step in graph[a].items():
                if a in cost and cost[a] + step < cost.get(b, 10**9):
                    cost[b] = cost[a] + step
    return cost


@given(edges)
def test_the_search_finds_a_cheapest_path(graph):
    cost = cheapest(graph, 0)
    if 7 in cost:
        path = find_path(graph, 0, 7, lambda a, b: 0.0)
        assert (path[0], path[-1]) == (0, 7)
        assert sum(graph[a][b] for a, b in pairwise(path)) == cost[7]
    else:
        with pytest.raises(NoPathError):
            find_path(graph, 0, 7, lambda a, b: 0.0)


def test_of_equal_paths_the_one_found_first_is_taken():
    assert find_path({0: {2: 1, 1: 1}, 1: {3: 1}, 2: {3: 1}}, 0, 3, lambda a, b: 0.0) == [0, 2, 3]
    assert find_path({0: {1: 1, 2: 1}, 1: {3: 1}, 2: {3: 1}}, 0, 3, lambda a, b: 0.0) == [0, 1, 3]


def test_a_cheaper_way_reopens_a_node():
    # The estimate of node 2 is far too high, so node 1 is first reached by the dear way.
    graph = {0: {1: 5, 2: 1}, 1: {3: 20}, 2: {1: 1}}
    assert find_path(graph, 0, 3, lambda a, b: 10.0 if a == 2 else 0.0) == [0, 2, 1, 3]


# Official lengths

EXACT_TOWNS = ("Town01", "Town02", "Town04", "Town10HD")
OLDER_TOWNS = {"Town05": "Town05_2019geom_plus_signals"}


@pytest.mark.official_data
@pytest.mark.parametrize(
    ("town_name", "file", "tolerance"),
    [(name, name, 0.0005) for name in EXACT_TOWNS] + [(name, file, 1.5) for name, file in OLDER_TOWNS.items()],
)
def test_lengths_equal_the_official_ones(official_data, town_name, file, tolerance):
    results = json.loads((official_data / "results" / "UniAD-Base.json").read_text(encoding="utf-8"))
    official = {r["route_id"]: r["meta"]["route_length"] for r in results["_checkpoint"]["records"]}
    read = [r for r in read_routes(official_data / "routes" / "bench2drive220.xml") if r.town == town_name]
    text = (official_data / "towns" / f"{file}.xodr").read_text(encoding="utf-8")
    traced = trace_routes(text, town_name, [np.array(r.positions) for r in read], route_names=[r.id for r in read])
    for route, points in zip(read, traced, strict=True):
        assert points.length == pytest.approx(official[f"{route.name}_rep0"], abs=tolerance), route.id
