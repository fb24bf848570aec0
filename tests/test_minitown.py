"""MiniTown: the file is what the code draws, CARLA's parser drives on it, every scenario type finds places."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from itertools import combinations, pairwise
from typing import NamedTuple

import carla
import cv2
import numpy as np
import pytest

from simulator.roads.minitown import TOWN_FILE, MiniTown, minitown_xodr
from simulator.roads.places import scenario_places
from simulator.roads.writer.junction import Connection
from simulator.roads.writer.road import POCKET

MOVING = ("driving", "biking", "sidewalk")


class LaneEnd(NamedTuple):
    """A lane of one section, with waypoints just inside its beginning and end in the direction of travel."""

    road: int
    section: int
    lane: int
    type: str
    first: carla.Waypoint
    last: carla.Waypoint


@pytest.fixture(scope="module")
def xodr() -> str:
    return TOWN_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(xodr: str) -> ElementTree.Element:
    return ElementTree.fromstring(xodr)


@pytest.fixture(scope="module")
def town(xodr: str) -> carla.Map:
    return carla.Map("MiniTown", xodr)


@pytest.fixture(scope="module")
def drawing() -> MiniTown:
    return MiniTown()


@pytest.fixture(scope="module")
def lanes(tree: ElementTree.Element, town: carla.Map) -> list[LaneEnd]:
    found = []
    for road in tree.iter("road"):
        sections = road.findall("lanes/laneSection")
        starts = [float(s.get("s", "")) for s in sections] + [float(road.get("length", ""))]
        for i, section in enumerate(sections):
            for lane in section.iter("lane"):
                lane_id = int(lane.get("id", ""))
                if lane_id == 0:
                    continue
                ends = [starts[i] + 0.02, starts[i + 1] - 0.02]
                if lane_id > 0:
                    ends.reverse()
                first, last = (town.get_waypoint_xodr(int(road.get("id", "")), lane_id, s) for s in ends)
                assert first is not None, (road.get("id"), lane_id)
                assert last is not None, (road.get("id"), lane_id)
                found.append(LaneEnd(first.road_id, i, lane_id, lane.get("type", ""), first, last))
    return found


def key(waypoint: carla.Waypoint) -> tuple[int, int, int]:
    return (waypoint.road_id, waypoint.section_id, waypoint.lane_id)


# ---- the file --------------------------------------------------------------------------------------------------------


def test_the_file_on_disk_is_what_the_code_draws() -> None:
    assert TOWN_FILE.read_bytes() == minitown_xodr().encode(), "run `python -m simulator.roads.minitown`"


def test_the_file_stays_small() -> None:
    assert TOWN_FILE.stat().st_size < 600_000


def test_every_lane_states_width_mark_lane_change_and_speed(tree: ElementTree.Element) -> None:
    for road in tree.iter("road"):
        for lane in road.iter("lane"):
            where = (road.get("name"), road.get("id"), lane.get("id"))
            mark = lane.find("roadMark")
            assert mark is not None, where
            assert mark.get("laneChange") in ("both", "none"), where
            if lane.get("id") != "0":
                assert lane.find("width") is not None, where
            if lane.get("type") == "driving":
                assert lane.find("speed") is not None, where


def test_carla_reads_the_geo_reference(town: carla.Map) -> None:
    origin = town.transform_to_geolocation(carla.Location(0, 0, 0))
    assert (origin.latitude, origin.longitude) == pytest.approx((49.0, 8.0))


# ---- the network -----------------------------------------------------------------------------------------------------


def test_no_driving_lane_is_a_dead_end(lanes: list[LaneEnd]) -> None:
    stuck = [lane[:3] for lane in lanes if lane.type == "driving" and not lane.last.next(0.5)]
    assert stuck == []


def test_driving_lanes_are_strongly_connected(lanes: list[LaneEnd]) -> None:
    """From every lane every other can be reached, by driving on and by lane changes within a direction."""
    forward: dict[tuple[int, int, int], set[tuple[int, int, int]]] = defaultdict(set)
    for lane in lanes:
        if lane.type != "driving":
            continue
        here = lane[:3]
        beside = [w for w in (lane.first.get_left_lane(), lane.first.get_right_lane()) if w is not None]
        same_way = [w for w in beside if w.lane_type == carla.LaneType.Driving and w.lane_id * lane.lane > 0]
        forward[here].update(key(w) for w in [*lane.last.next(0.5), *(same_way if not lane.first.is_junction else [])])
    backward: dict[tuple[int, int, int], set[tuple[int, int, int]]] = defaultdict(set)
    for here, following in forward.items():
        for there in following:
            backward[there].add(here)
    start = min(forward)
    assert _reach(forward, start) == _reach(backward, start) == set(forward)


def _reach(graph: dict, start: tuple) -> set:
    seen, todo = {start}, [start]
    while todo:
        for following in graph[todo.pop()]:
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return seen


def test_lanes_follow_each_other_without_gap_or_kink(lanes: list[LaneEnd]) -> None:
    for lane in lanes:
        if lane.type not in MOVING:
            continue
        pose = lane.last.transform
        ahead = pose.transform(carla.Location(x=0.04))
        for following in lane.last.next(0.04):
            gap = following.transform.location.distance(ahead)
            kink = abs((following.transform.rotation.yaw - pose.rotation.yaw + 180) % 360 - 180)
            bend = abs((following.transform.rotation.pitch - pose.rotation.pitch + 180) % 360 - 180)
            assert gap < 0.05, (lane[:4], key(following), gap)
            assert kink < 3.0, (lane[:4], key(following), kink)
            assert bend < 1.0, (lane[:4], key(following), bend)


def test_bike_lanes_never_end(lanes: list[LaneEnd]) -> None:
    bike = [lane for lane in lanes if lane.type == "biking"]
    assert len(bike) > 20
    assert [lane[:3] for lane in bike if not lane.last.next(0.5)] == []


def test_sidewalks_lead_around_corners(lanes: list[LaneEnd]) -> None:
    """All but those of streets that leave the built-up part."""
    ends = [lane for lane in lanes if lane.type == "sidewalk"]
    stuck = [lane[:3] for lane in ends if not lane.last.next(0.5)]
    assert len(stuck) <= 10, stuck
    assert sum(lane.first.is_junction for lane in ends) > 40


# ---- the ground plan -------------------------------------------------------------------------------------------------

CELL = 0.25
DECK_FROM = 3.0  # metres: what is higher lies on the motorway's level


def _surface(town: carla.Map, road: ElementTree.Element) -> list[tuple[np.ndarray, float]]:
    """Quads of a road's whole surface: (corners [4, 2] in metres, height)."""
    length, road_id = float(road.get("length", "")), int(road.get("id", ""))
    quads = []
    sections = road.findall("lanes/laneSection")
    starts = [float(s.get("s", "")) for s in sections] + [length]
    for section, start, end in zip(sections, starts, starts[1:]):
        for lane in section.iter("lane"):
            lane_id = int(lane.get("id", ""))
            if lane_id == 0:
                continue
            rows = []
            for s in np.linspace(start + 0.01, end - 0.01, max(2, math.ceil((end - start) / 2) + 1)):
                waypoint = town.get_waypoint_xodr(road_id, lane_id, float(s))
                half, pose = waypoint.lane_width / 2, waypoint.transform
                left, right = (pose.transform(carla.Location(y=side * half)) for side in (-1, 1))
                rows.append((left.x, left.y, right.x, right.y, pose.location.z))
            for a, b in pairwise(rows):
                quads.append((np.array([a[:2], b[:2], b[2:4], a[2:4]]), (a[4] + b[4]) / 2))
    return quads


@pytest.fixture(scope="module")
def overlaps(town: carla.Map, tree: ElementTree.Element) -> dict[tuple[str, str], float]:
    """Square metres that two roads outside junctions, or a road and a junction, or two junctions share on one level."""
    owners: dict[str, list[tuple[np.ndarray, float]]] = defaultdict(list)
    for road in tree.iter("road"):
        owner = road.get("id", "") if road.get("junction") == "-1" else f"junction {road.get('junction')}"
        owners[owner] += _surface(town, road)
    corners = np.concatenate([quad for quads in owners.values() for quad, _ in quads])
    low = corners.min(axis=0) - 1
    size = np.ceil((corners.max(axis=0) + 1 - low) / CELL).astype(int)
    masks: dict[str, dict[bool, tuple[slice, slice, np.ndarray]]] = {}
    for owner, quads in owners.items():
        masks[owner] = {}
        for raised in (False, True):
            shapes = [np.round((q - low) / CELL * 16).astype(np.int32) for q, z in quads if (z > DECK_FROM) == raised]
            if shapes:
                flat = np.concatenate(shapes) // 16
                x0, y0 = np.maximum(flat.min(axis=0) - 1, 0)
                x1, y1 = np.minimum(flat.max(axis=0) + 2, size)
                mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
                for shape in shapes:
                    cv2.fillConvexPoly(mask, shape - np.array([x0, y0]) * 16, 1, shift=4)
                masks[owner][raised] = (slice(y0, y1), slice(x0, x1), mask)
    shared: dict[tuple[str, str], float] = {}
    for a, b in combinations(masks, 2):
        cells = sum(_common(masks[a][level], masks[b][level]) for level in masks[a] if level in masks[b])
        if cells:
            shared[a, b] = cells * CELL**2
    return shared


def _common(a: tuple[slice, slice, np.ndarray], b: tuple[slice, slice, np.ndarray]) -> int:
    y0, y1 = max(a[0].start, b[0].start), min(a[0].stop, b[0].stop)
    x0, x1 = max(a[1].start, b[1].start), min(a[1].stop, b[1].stop)
    if y0 >= y1 or x0 >= x1:
        return 0
    parts = [m[2][y0 - m[0].start : y1 - m[0].start, x0 - m[1].start : x1 - m[1].start] for m in (a, b)]
    return int((parts[0] & parts[1]).sum())


def _touching(tree: ElementTree.Element) -> set[tuple[str, str]]:
    """(road, junction) pairs that join, both as owner names."""
    return {
        (road.get("id", ""), f"junction {link.get('elementId')}")
        for road in tree.iter("road")
        if road.get("junction") == "-1"
        for link in (road.find("link") or [])
    }


def test_roads_do_not_overlap_each_other(overlaps: dict[tuple[str, str], float]) -> None:
    bad = {pair: area for pair, area in overlaps.items() if not any("junction" in name for name in pair) and area > 0.5}
    assert bad == {}


def test_junctions_overlap_their_own_roads_only_at_the_mouths(
    overlaps: dict[tuple[str, str], float], tree: ElementTree.Element
) -> None:
    touching = _touching(tree)
    for pair, area in overlaps.items():
        if not any("junction" in name for name in pair):
            continue
        joined = pair in touching or pair[::-1] in touching
        # where they join, one row of cells across the road is shared by rounding
        assert area < (10.0 if joined else 0.5), (pair, area)


def test_streets_pass_under_the_motorway_with_headroom(town: carla.Map) -> None:
    for x in (-200.0, 0.0, 200.0):
        deck = town.get_waypoint(carla.Location(x, -303.0, 7.0))
        street = town.get_waypoint(carla.Location(x, -303.0, -1.0))
        assert deck.road_id != street.road_id
        assert deck.transform.location.z - street.transform.location.z > 5.0
        assert street.transform.location.distance(carla.Location(x, -303.0, street.transform.location.z)) < 6.0


# ---- control ---------------------------------------------------------------------------------------------------------


def test_every_light_rules_lanes_inside_its_junction(town: carla.Map) -> None:
    rules: dict[str, list[carla.Waypoint]] = defaultdict(list)
    lights = [mark for mark in town.get_all_landmarks() if mark.type == "1000001"]
    for light in lights:
        for low, high in (sorted(pair) for pair in light.get_lane_validities()):
            for lane in range(low, high + 1):
                if lane != 0:
                    rules[light.id].append(town.get_waypoint_xodr(light.road_id, lane, light.s))
    assert len({light.id for light in lights}) >= 20
    for light in lights:
        assert rules[light.id], light.id
        assert all(w is not None and w.is_junction for w in rules[light.id]), light.id


def test_lights_have_controllers_that_belong_to_junctions(tree: ElementTree.Element) -> None:
    signals = {s.get("id") for s in tree.iter("signal") if s.get("type") == "1000001"}
    controlled = [c.get("signalId") for c in tree.iter("control")]
    assert sorted(controlled, key=int) == sorted(signals, key=int)  # each light in exactly one phase
    of_junctions = [c.get("id") for junction in tree.iter("junction") for c in junction.findall("controller")]
    assert sorted(of_junctions) == sorted(c.get("id") for c in tree.findall("controller"))


def test_movements_that_are_green_together_do_not_cross_except_permissive_left(drawing: MiniTown) -> None:
    phases = 0
    for name, junction in drawing.junctions.items():
        for controller_id in junction.controllers:
            phases += 1
            signals = next(c.signals for c in drawing.town.controllers if c.id == controller_id)
            green = [c for c in junction.connections if any(r.id in signals for r in c.road.references)]
            assert green, (name, controller_id)
            for a, b in combinations(green, 2):
                if a.entry == b.entry or "left" in (a.turn, b.turn):
                    continue
                gap = np.linalg.norm(_lane_middles(a)[:, None] - _lane_middles(b)[None], axis=2).min()
                assert gap > 2.8, (name, controller_id, a[:3], b[:3], gap)
    assert phases >= 14


def _lane_middles(connection: Connection) -> np.ndarray:
    """float64[N, 2] points on the middle lines of a connecting road's lanes, OpenDRIVE frame."""
    road = connection.road
    middles = []
    for lane in range(1, len(connection.pairs) + 1):
        for s, x, y, heading in road.path.sample(1.0):
            t = (road.border(-lane, s, False) + road.border(-lane, s, True)) / 2
            middles.append((x - t * math.sin(heading), y + t * math.cos(heading)))
    return np.array(middles)


def test_every_incoming_lane_of_a_lit_junction_has_a_green_phase(drawing: MiniTown) -> None:
    for name, junction in drawing.junctions.items():
        if junction.controllers:
            for connection in junction.driving(0) + junction.driving(1) + junction.driving(2):
                assert connection.road.references, (name, connection[:3])


def test_pockets_open_before_the_lights(drawing: MiniTown, town: carla.Map) -> None:
    arms = [arm for junction in drawing.junctions.values() for arm in junction.arms]
    pockets = [arm for arm in arms for lane in arm.lanes(incoming=True)[:1] if arm.lane(lane).key == POCKET]
    assert len(pockets) == 3
    for arm in pockets:
        lane = arm.lanes(incoming=True)[0]
        waypoint = town.get_waypoint_xodr(arm.road.id, lane, min(arm.s, arm.road.length - 0.1))
        assert waypoint.lane_width == pytest.approx(3.25, abs=0.01)
        following = waypoint.next(30.0)
        turns = {
            round((w.transform.rotation.yaw - waypoint.transform.rotation.yaw + 180) % 360 - 180) for w in following
        }
        assert len(turns) == 1
        assert -95 < turns.pop() < -60


def test_signs_and_crosswalks_are_read(town: carla.Map) -> None:
    kinds = defaultdict(int)
    for landmark in town.get_all_landmarks():
        kinds[landmark.type] += 1
    assert kinds["206"] >= 9
    assert kinds["205"] >= 7
    assert kinds["274"] >= 50
    assert len(town.get_crosswalks()) % 5 == 0
    assert len(town.get_crosswalks()) // 5 >= 25


# ---- scenarios -------------------------------------------------------------------------------------------------------


def test_every_scenario_type_finds_five_places(town: carla.Map) -> None:
    places = scenario_places(town)
    assert len(places) == 44
    assert {name: len(found) for name, found in places.items() if len(found) < 5} == {}


def test_places_are_on_driving_lanes(town: carla.Map) -> None:
    for name, found in scenario_places(town).items():
        for place in found:
            waypoint = town.get_waypoint(carla.Location(place.x, place.y, place.z))
            assert (waypoint.road_id, waypoint.lane_id) == (place.road, place.lane), name
