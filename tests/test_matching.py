"""Matching positions to lanes, and the drivable path along them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from scenarios.route_file import read_routes
from simulator.errors import RouteError
from simulator.roads.cache import load_town
from simulator.roads.matching import LanePiece, match_route
from simulator.roads.minitown import TOWN_FILE
from simulator.roads.network import LANE_CHANGE_LEFT, LANE_CHANGE_RIGHT, LaneType, RoadArrays, RoadNetwork
from simulator.roads.path import RoutePath, route_path
from simulator.roads.planner import trace_routes

BOTH = LANE_CHANGE_LEFT | LANE_CHANGE_RIGHT
CELL = 4.0


class TownBuilder:
    """Puts a road network together lane by lane; fields that matching does not read stay empty."""

    def __init__(self) -> None:
        self.lanes: list[np.ndarray] = []
        self.left: dict[int, int] = {}
        self.successors: dict[int, list[int]] = {}
        self.types: dict[int, LaneType] = {}
        self.changes: dict[int, int] = {}

    def lane(self, points: list[tuple[float, float]] | np.ndarray, z: float = 0.0) -> int:
        """A lane through a polyline; returns its number."""
        line = np.asarray(points, np.float64)
        metres = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        even = np.linspace(0.0, metres[-1], math.ceil(metres[-1]) + 1)
        x, y = (np.interp(even, metres, line[:, k]) for k in (0, 1))
        self.lanes.append(np.column_stack([x, y, np.full(len(x), z), even]))
        return len(self.lanes) - 1

    def straight(self, x0: float, x1: float, y: float, z: float = 0.0) -> int:
        return self.lane([(x0, y), (x1, y)], z)

    def follow(self, lane: int, *successors: int) -> None:
        self.successors[lane] = list(successors)

    def beside(self, left: int, right: int, allowed: int = BOTH) -> None:
        """Two lanes of one section; `allowed` LANE_CHANGE_* bits hold for both."""
        self.left[right] = left
        self.changes[left] = self.changes[right] = allowed

    def build(self) -> RoadNetwork:
        count = len(self.lanes)
        points = np.concatenate(self.lanes)
        sizes = [len(lane) for lane in self.lanes]
        first = np.cumsum([0, *sizes]).astype(np.int32)
        left = np.full(count, -1, np.int32)
        right = np.full(count, -1, np.int32)
        for lane, other in self.left.items():
            left[lane], right[other] = other, lane
        yaw = np.concatenate([np.unwrap(np.arctan2(*np.gradient(lane[:, 1::-1], axis=0).T)) for lane in self.lanes])
        low = points[:, :2].min(axis=0) - 1.0
        size = np.ceil((points[:, :2].max(axis=0) + 1.0 - low) / CELL).astype(np.int64)
        column, row = ((points[:, k] - low[k]) // CELL for k in (0, 1))
        cell = (row * size[0] + column).astype(np.int64)
        known = {
            "lane_type": np.array([self.types.get(i, LaneType.DRIVING) for i in range(count)], np.int8),
            "lane_length": np.array([lane[-1, 3] for lane in self.lanes]),
            "lane_step": np.array([lane[1, 3] for lane in self.lanes]),
            "lane_first": first,
            "lane_left": left,
            "lane_right": right,
            "succ_first": np.cumsum([0, *(len(self.successors.get(i, [])) for i in range(count))]).astype(np.int32),
            "succ_lane": np.array([k for i in range(count) for k in self.successors.get(i, [])], np.int32),
            "point_x": points[:, 0],
            "point_y": points[:, 1],
            "point_z": points[:, 2],
            "point_yaw": yaw,
            "point_change": np.repeat([self.changes.get(i, 0) for i in range(count)], sizes).astype(np.uint8),
            "point_lane": np.repeat(np.arange(count), sizes).astype(np.int32),
            "grid_origin": low,
            "grid_size": size,
            "grid_cell": np.array([CELL]),
            "cell_first": np.cumsum([0, *np.bincount(cell, minlength=int(size.prod()))]).astype(np.int32),
            "cell_point": np.argsort(cell, kind="stable").astype(np.int32),
        }
        arrays = RoadArrays(**{name: known.get(name, np.zeros(0)) for name in RoadArrays._fields})
        return RoadNetwork("Handmade", "", arrays, "", (), (), ())


def positions(*points: tuple[float, ...]) -> np.ndarray:
    return np.array([(p[0], p[1], p[2] if len(p) > 2 else 0.0) for p in points])


def along(x0: float, x1: float, y: float, spacing: float = 2.0) -> list[tuple[float, float]]:
    return [(float(x), y) for x in np.arange(x0, x1 + 1e-9, spacing)]


def lanes_of(matched) -> list[int]:
    return [piece.lane for piece in matched.pieces]


@pytest.fixture
def fork() -> RoadNetwork:
    """Lane 0 runs east to x = 50; there 1 goes straight on, 2 turns right (+y) on a radius of 15 m; 3 and 4 follow."""
    town = TownBuilder()
    town.straight(0.0, 50.0, 0.0)
    town.straight(50.0, 80.0, 0.0)
    angle = np.linspace(0.0, math.pi / 2, 60)
    town.lane(np.column_stack([50.0 + 15.0 * np.sin(angle), 15.0 - 15.0 * np.cos(angle)]))
    town.straight(80.0, 200.0, 0.0)
    town.lane([(65.0, 15.0), (65.0, 120.0)])
    town.follow(0, 1, 2)
    town.follow(1, 3)
    town.follow(2, 4)
    return town.build()


@pytest.fixture
def two_lanes() -> RoadNetwork:
    """Lanes 0 (left) and 1 (right, 3.5 m beside it) run east for 200 m."""
    town = TownBuilder()
    left = town.straight(0.0, 200.0, 0.0)
    right = town.straight(0.0, 200.0, 3.5)
    town.beside(left, right)
    return town.build()


def test_a_route_on_one_lane_is_one_piece(fork):
    matched = match_route(fork, positions(*along(10.0, 40.0, 0.3)))
    assert matched.pieces == (LanePiece(0, 10.0, 40.0),)
    assert matched.position_offset == pytest.approx(0.3)


def test_a_turn_is_recognised_from_what_comes_after_it(fork):
    matched = match_route(fork, positions((30.0, 0.0), (48.0, 0.0), (65.0, 40.0), (65.0, 60.0)))
    assert lanes_of(matched) == [0, 2, 4]
    assert matched.pieces[1] == LanePiece(2, 0.0, pytest.approx(15.0 * math.pi / 2, abs=0.01))


def test_going_straight_skips_the_turn(fork):
    assert lanes_of(match_route(fork, positions((30.0, 0.0), (100.0, 0.0)))) == [0, 1, 3]


def test_pieces_join_without_gaps(fork):
    matched = match_route(fork, positions((30.0, 0.0), (65.0, 60.0)))
    for before, after in pairwise(matched.pieces):
        assert before.s_to == fork.arrays.lane_length[before.lane]
        assert after.s_from == 0.0


def test_lanes_against_the_route_do_not_count():
    town = TownBuilder()
    town.straight(0.0, 100.0, 0.0)
    town.lane([(100.0, 0.4), (0.0, 0.4)])
    matched = match_route(town.build(), positions(*along(10.0, 60.0, 0.4)))
    assert lanes_of(matched) == [0]


def test_the_level_of_a_bridge_is_told_by_height():
    town = TownBuilder()
    town.straight(0.0, 100.0, 0.0, z=0.0)
    town.straight(0.0, 100.0, 0.1, z=6.0)
    matched = match_route(town.build(), np.array([(10.0, 0.0, 6.1), (12.0, 0.0, 6.1), (50.0, 0.0, 6.1)]))
    assert lanes_of(matched) == [1]


def test_only_driving_lanes_count():
    town = TownBuilder()
    town.straight(0.0, 100.0, 0.0)
    town.types[town.straight(0.0, 100.0, 2.0)] = LaneType.PARKING
    assert lanes_of(match_route(town.build(), positions(*along(10.0, 60.0, 1.9)))) == [0]


def test_a_lane_change_is_a_piece_of_its_own(two_lanes):
    matched = match_route(two_lanes, positions(*along(10.0, 60.0, 3.5), *along(64.0, 120.0, 0.0)))
    assert [(piece.lane, piece.change) for piece in matched.pieces] == [(1, 0), (0, -1)]
    first, second = matched.pieces
    assert 60.0 <= first.s_to <= 64.0
    assert second.s_from == pytest.approx(first.s_to)


def test_a_free_lane_change_begins_where_the_markings_allow_it():
    town = TownBuilder()
    left, right = town.straight(0.0, 300.0, 0.0), town.straight(0.0, 300.0, 3.5)
    town.beside(left, right)
    network = town.build()
    network.arrays.point_change[network.arrays.point_x < 100.0] = 0
    matched = match_route(network, positions((10.0, 0.0), (280.0, 3.5)))
    assert 100.0 <= matched.pieces[0].s_to <= 120.0


def test_the_inside_of_a_bend_is_no_short_cut():
    town = TownBuilder()
    angle = np.linspace(0.0, math.pi, 200)

    def ring(radius: float) -> int:
        return town.lane(np.column_stack([radius * np.sin(angle), -radius * np.cos(angle)]))

    outer, inner = ring(40.0), ring(36.5)
    town.beside(outer, inner)
    assert lanes_of(match_route(town.build(), positions((0.0, -40.0), (0.0, 40.0)))) == [outer]


def test_a_step_back_is_tolerated(fork):
    matched = match_route(fork, positions((10.0, 0.0), (20.0, 0.0), (19.0, 0.0), (30.0, 0.0)))
    assert matched.pieces == (LanePiece(0, 10.0, 30.0),)


def test_a_loop_is_driven_all_the_way_round():
    town = TownBuilder()
    corners = [(0.0, 0.0), (60.0, 0.0), (60.0, 60.0), (0.0, 60.0), (0.0, 0.0)]
    for a, b in pairwise(corners):
        town.lane([a, b])
    for lane in range(4):
        town.follow(lane, (lane + 1) % 4)
    matched = match_route(town.build(), positions((40.0, 0.0), (42.0, 0.0), (0.0, 30.0), (10.0, 0.0), (12.0, 0.0)))
    assert lanes_of(matched) == [0, 1, 2, 3, 0]


def test_a_position_off_the_road_is_refused(fork):
    with pytest.raises(RouteError, match=r"route 12 on Handmade: position 1 at \(30.0, 9.0, 0.0\) .*off every driving"):
        match_route(fork, positions((10.0, 0.0), (30.0, 9.0)), "12")


def test_positions_without_a_connection_are_refused(fork):
    with pytest.raises(RouteError, match=r"position 1 at \(65.0, 60.0, 0.0\) cannot be reached along lanes from"):
        match_route(fork, positions((100.0, 0.0), (65.0, 60.0)))


# Path


def assert_even_and_forward(path: RoutePath) -> None:
    steps = np.hypot(np.diff(path.x), np.diff(path.y))
    assert steps == pytest.approx(path.step, rel=0.01)
    ahead = np.diff(path.x) * np.cos(path.yaw[:-1]) + np.diff(path.y) * np.sin(path.yaw[:-1])
    assert ahead.min() > 0.9 * path.step


def test_the_path_begins_at_the_first_position_and_goes_on_beyond_the_last(fork):
    path = route_path(fork, match_route(fork, positions((10.0, 0.0), (45.0, 0.0))))
    assert (path.x[0], path.y[0]) == (10.0, 0.0)
    assert path.end_s == pytest.approx(35.0)
    assert path.s[-1] >= 95.0
    assert_even_and_forward(path)


def test_beyond_the_end_it_goes_straight_on(fork):
    path = route_path(fork, match_route(fork, positions((10.0, 0.0), (45.0, 0.0))))
    assert set(path.lane[path.s > 36.0].tolist()) == {0, 1, 3}
    assert path.y == pytest.approx(0.0)


def test_where_the_road_ends_it_goes_on_straight_without_a_lane(fork):
    path = route_path(fork, match_route(fork, positions((100.0, 0.0), (190.0, 0.0))))
    assert set(path.lane[path.x > 200.5].tolist()) == {-1}
    assert path.x[-1] == pytest.approx(250.0, abs=0.5)
    assert_even_and_forward(path)


def test_a_turn_has_the_curvature_of_its_lane(fork):
    path = route_path(fork, match_route(fork, positions((30.0, 0.0), (65.0, 60.0))), step=0.5)
    middle = (path.lane == 2) & (path.lane_s > 5.0) & (path.lane_s < 18.0)
    assert path.curvature[middle] == pytest.approx(1.0 / 15.0, rel=0.05)
    assert path.yaw[-1] == pytest.approx(math.pi / 2, abs=1e-3)
    assert_even_and_forward(path)


def test_lane_and_lane_s_tell_where_the_point_lies(fork):
    path = route_path(fork, match_route(fork, positions((30.0, 0.0), (65.0, 60.0))))
    last = path.lane == 4
    assert path.y[last] - path.lane_s[last] == pytest.approx(15.0, abs=0.02)
    assert path.x[path.lane == 0] - path.lane_s[path.lane == 0] == pytest.approx(0.0, abs=1e-6)


def test_a_lane_change_is_blended_in(two_lanes):
    matched = match_route(two_lanes, positions(*along(10.0, 60.0, 3.5), *along(64.0, 120.0, 0.0)))
    path = route_path(two_lanes, matched)
    assert_even_and_forward(path)
    assert path.y[path.x < 46.0] == pytest.approx(3.5)
    assert path.y[path.x > 78.0] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(path.y) < 1e-9)
    assert np.abs(path.yaw).max() < math.radians(15.0)
    assert np.abs(path.curvature).max() < 0.05
    assert path.lane[0] == 1
    assert path.lane[path.x > 70.0][0] == 0


def test_lane_changes_in_quick_succession_add_up():
    town = TownBuilder()
    lanes = [town.straight(0.0, 200.0, 3.5 * k) for k in range(3)]
    town.beside(lanes[0], lanes[1])
    town.beside(lanes[1], lanes[2])
    route = positions(*along(10.0, 60.0, 0.0), (64.0, 3.5), (66.0, 3.5), *along(70.0, 120.0, 7.0))
    matched = match_route(town.build(), route)
    assert [piece.change for piece in matched.pieces] == [0, 1, 1]
    path = route_path(town.build(), matched)
    assert_even_and_forward(path)
    assert np.abs(path.yaw).max() < math.radians(27.0)
    assert path.y[-1] == pytest.approx(7.0)


def test_a_lane_change_right_at_the_start_still_begins_on_the_first_lane(two_lanes):
    matched = match_route(two_lanes, positions((10.0, 0.0), (14.0, 3.5), *along(16.0, 60.0, 3.5)))
    path = route_path(two_lanes, matched)
    assert (path.x[0], path.y[0]) == pytest.approx((10.0, 0.0))
    assert path.y[-1] == pytest.approx(3.5)
    assert_even_and_forward(path)


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_points_are_evenly_spaced_at_the_step(two_lanes, step):
    path = route_path(two_lanes, match_route(two_lanes, positions((0.0, 0.0), (100.0, 3.5))), step=step)
    assert path.s == pytest.approx(np.arange(len(path)) * step)
    assert_even_and_forward(path)


# Towns


@pytest.fixture(scope="module")
def minitown() -> RoadNetwork:
    return load_town(TOWN_FILE, "MiniTown")


@pytest.mark.parametrize("seed", range(8))
def test_a_drive_through_minitown_is_matched_lane_by_lane(minitown, seed):
    net = minitown.arrays
    draw = np.random.default_rng(seed)
    drivable = np.flatnonzero((net.lane_type == LaneType.DRIVING) & (net.lane_length > 20.0))
    lanes = [int(draw.choice(drivable))]
    for _ in range(6):
        following = net.succ_lane[net.succ_first[lanes[-1]] : net.succ_first[lanes[-1] + 1]]
        lanes.append(int(draw.choice(following[net.lane_type[following] == LaneType.DRIVING])))
    rows = np.concatenate([np.arange(net.lane_first[k] + 1, net.lane_first[k + 1] - 1, 2) for k in lanes])
    driven = np.column_stack([net.point_x[rows], net.point_y[rows], net.point_z[rows]])
    matched = match_route(minitown, np.round(driven, 1))
    assert lanes_of(matched) == lanes
    path = route_path(minitown, matched)
    assert_even_and_forward(path)
    away = [np.hypot(path.x - x, path.y - y).min() for x, y in driven[:, :2]]
    assert max(away) < 0.35


@pytest.mark.official_data
@pytest.mark.parametrize("file", ["Town01", "Town02", "Town04", "Town10HD", "Town05_2019geom_plus_signals"])
def test_the_path_of_an_official_route_keeps_to_its_trace(official_data, file):
    town_file = official_data / "towns" / f"{file}.xodr"
    name = file.split("_")[0]
    town = load_town(town_file, name)
    routes = [r for r in read_routes(official_data / "routes" / "bench2drive220.xml") if r.town == name]
    traced = trace_routes(town_file.read_text(encoding="utf-8"), name, [np.array(r.positions) for r in routes])
    for route, trace in zip(routes, traced, strict=True):
        matched = match_route(town, np.array(route.positions), route.id)
        assert np.abs(matched.position_offset).max() < 0.15
        path = route_path(town, matched)
        assert_even_and_forward(path)
        away = [np.hypot(path.x - x, path.y - y).min() for x, y in zip(trace.x, trace.y, strict=True)]
        assert max(away) < 0.6, route.id
        assert path.end_s == pytest.approx(trace.length, abs=3.0), route.id
