"""The queries that kernels ask a road network, against plain searches over all points and against CARLA's own map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.roads import LaneType, RoadNetwork, load_named_town, load_town
from simulator.roads import queries as q
from simulator.roads.network import ANY_LANE_MASK, DRIVING_MASK, LANE_CHANGE_LEFT
from tests.bad_maps import GOOD_MAP, lane, road, section

TOWN = load_named_town("MiniTown", None)
A = TOWN.arrays
LOW = np.array([A.point_x.min(), A.point_y.min()])
HIGH = np.array([A.point_x.max(), A.point_y.max()])

positions = st.tuples(
    st.floats(float(LOW[0]) - 60.0, float(HIGH[0]) + 60.0),
    st.floats(float(LOW[1]) - 60.0, float(HIGH[1]) + 60.0),
    st.floats(-3.0, 12.0),
)
places = st.tuples(st.integers(0, TOWN.num_lanes - 1), st.floats(0.0, 1.0))


def brute_force(x: float, y: float, z: float, mask: int, yaw: float | None = None) -> tuple[float, set[int]]:
    """Distance of the nearest lane segment in 3-D, and all lanes that come as near."""
    points = np.stack([A.point_x, A.point_y, A.point_z], axis=1)
    a, b = points[:-1], points[1:]
    inside = (A.point_lane[:-1] == A.point_lane[1:]) & ((mask >> A.lane_type.astype(int)[A.point_lane[:-1]]) & 1 == 1)
    d = b - a
    if yaw is not None:
        inside &= d[:, 0] * math.cos(yaw) + d[:, 1] * math.sin(yaw) > 0.0
    t = np.clip(((np.array([x, y, z]) - a) * d).sum(axis=1) / np.maximum((d * d).sum(axis=1), 1e-18), 0.0, 1.0)
    gap = np.linalg.norm(a + t[:, None] * d - (x, y, z), axis=1)
    gap[~inside] = np.inf
    least = float(gap.min())
    return least, set(A.point_lane[:-1][gap <= least + 1e-9].tolist())


@settings(deadline=None, max_examples=150)
@given(position=positions, mask=st.sampled_from([DRIVING_MASK, ANY_LANE_MASK, 1 << LaneType.SIDEWALK]))
def test_nearest_lane_is_what_a_search_over_all_points_finds(position: tuple[float, float, float], mask: int) -> None:
    lane_found, s, lateral, distance = q.nearest_lane(A, *position, mask)
    least, lanes = brute_force(*position, mask)
    if least > q.SEARCH_LIMIT:
        assert (lane_found, distance) == (-1, math.inf)
        return
    assert distance == pytest.approx(least, abs=1e-9)
    assert lane_found in lanes
    assert 0.0 <= s <= A.lane_length[lane_found] + 1e-9
    assert abs(lateral) <= distance + 1e-9


@settings(deadline=None, max_examples=150)
@given(position=positions, yaw=st.floats(-math.pi, math.pi))
def test_the_aligned_search_leaves_out_lanes_against_the_heading(
    position: tuple[float, float, float], yaw: float
) -> None:
    lane_found, _s, _lateral, distance = q.nearest_lane_aligned(A, *position, yaw, DRIVING_MASK)
    least, lanes = brute_force(*position, DRIVING_MASK, yaw)
    if least > q.SEARCH_LIMIT:
        assert lane_found == -1
        return
    assert distance == pytest.approx(least, abs=1e-9)
    assert lane_found in lanes


@settings(deadline=None, max_examples=150)
@given(place=places, offset=st.floats(-1.0, 1.0))
def test_a_place_beside_a_lane_is_found_again_with_its_side(place: tuple[int, float], offset: float) -> None:
    lane_wanted, share = place
    s = share * A.lane_length[lane_wanted]
    x, y, _z, yaw = q.lane_pose(A, lane_wanted, s)
    beside = x - offset * math.sin(yaw), y + offset * math.cos(yaw)
    found, lateral, beyond = q.follow_lane(A, lane_wanted, s, *beside)
    # Where a lane bends, the offset place may be a little nearer to a neighbouring segment.
    assert found == pytest.approx(s, abs=0.6)
    assert lateral == pytest.approx(offset, abs=0.12)
    assert beyond in (-1, 0, 1)


def test_lateral_is_positive_on_the_right() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    # The lane runs east along y = 1.75; y grows to the south, which is to the right of it.
    lane_found, s, lateral, distance = q.nearest_lane(town, 20.0, 2.25, 0.0, DRIVING_MASK)
    assert town.lane_id[lane_found] == -1
    assert (s, lateral, distance) == pytest.approx((20.0, 0.5, 0.5), abs=1e-4)
    _lane, _s, lateral, _distance = q.nearest_lane(town, 20.0, 1.25, 0.0, DRIVING_MASK)
    assert lateral == pytest.approx(-0.5, abs=1e-4)


def test_distance_counts_height() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    _lane, _s, lateral, distance = q.nearest_lane(town, 20.0, 1.75, 4.0, DRIVING_MASK)
    assert lateral == pytest.approx(0.0, abs=1e-4)
    assert distance == pytest.approx(4.0, abs=1e-4)


def crossing_with_bridge() -> RoadNetwork:
    """A road along y = 0 at z = 0, and one along x = 50 on a bridge at z = 6."""
    lanes = section(0, "", lane(-1))
    below, above = road(1, "0 0 0 <line/>", 100, lanes), road(2, "50 -50 1.5707963 <line/>", 100, lanes)
    above = above.replace('<elevation s="0" a="0"', '<elevation s="0" a="6"')
    return load_town(f"<OpenDRIVE>{below}{above}</OpenDRIVE>", "Bridge", cache=False)


@pytest.mark.parametrize(("z", "road_found"), [(0.0, 1), (2.0, 1), (4.0, 2), (6.5, 2)])
def test_on_an_overpass_the_height_tells_the_road(z: float, road_found: int) -> None:
    town = crossing_with_bridge().arrays
    lane_found, _s, _lateral, _distance = q.nearest_lane(town, 51.0, 1.0, z, DRIVING_MASK)
    assert town.lane_road[lane_found] == road_found


@pytest.mark.parametrize("far", [1e4, -1e6, 1e12, math.inf, -math.inf, math.nan])
def test_far_from_any_road_there_is_no_lane(far: float) -> None:
    assert q.nearest_lane(A, far, 0.0, 0.0, DRIVING_MASK)[0] == -1
    assert q.nearest_lane(A, 0.0, far, 0.0, DRIVING_MASK)[0] == -1
    assert q.nearest_lane_aligned(A, far, far, 0.0, 0.0, DRIVING_MASK)[0] == -1


def test_no_lane_of_an_absent_type() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    assert q.nearest_lane(town, 20.0, 0.0, 0.0, 1 << LaneType.PARKING)[0] == -1


@settings(deadline=None, max_examples=100)
@given(place=places, hint=st.floats(-30.0, 30.0))
def test_following_finds_the_place_from_a_hint_some_metres_off_on_a_straight_lane(
    place: tuple[int, float], hint: float
) -> None:
    straight = np.flatnonzero(np.maximum.reduceat(np.abs(A.point_curvature), A.lane_first[:-1]) < 1e-4)
    lane_wanted = int(straight[place[0] % len(straight)])
    s = place[1] * A.lane_length[lane_wanted]
    x, y, _z, _yaw = q.lane_pose(A, lane_wanted, s)
    found, lateral, _beyond = q.follow_lane(A, lane_wanted, s + hint, x, y)
    assert found == pytest.approx(s, abs=1e-3)
    assert lateral == pytest.approx(0.0, abs=1e-3)


def test_following_goes_on_past_both_ends() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    first = int(np.flatnonzero((town.lane_road == 1) & (town.lane_id == -1))[0])
    assert q.follow_lane(town, first, 49.0, 52.5, 1.75) == pytest.approx((52.5, 0.0, 1), abs=1e-3)
    assert q.follow_lane(town, first, 1.0, -2.0, 2.0) == pytest.approx((-2.0, 0.25, -1), abs=1e-3)


@settings(deadline=None, max_examples=100)
@given(place=places)
def test_values_along_a_lane_lie_between_those_of_its_points(place: tuple[int, float]) -> None:
    number, share = place
    s = share * A.lane_length[number]
    span = slice(A.lane_first[number], A.lane_first[number + 1])
    at = np.linspace(0.0, A.lane_length[number], span.stop - span.start)
    assert q.lane_width(A, number, s) == pytest.approx(np.interp(s, at, A.point_width[span]), abs=1e-9)
    assert q.lane_curvature(A, number, s) == pytest.approx(np.interp(s, at, A.point_curvature[span]), abs=1e-9)
    assert q.lane_pitch(A, number, s) == pytest.approx(np.interp(s, at, A.point_pitch[span]), abs=1e-9)
    pose = [np.interp(s, at, getattr(A, f"point_{k}")[span]) for k in ("x", "y", "z", "yaw")]
    assert q.lane_pose(A, number, s) == pytest.approx(pose, abs=1e-9)
    assert q.lane_change_allowed(A, number, s) in set(A.point_change[span].tolist())


def test_values_before_and_after_a_lane_are_those_of_its_ends() -> None:
    assert q.lane_pose(A, 0, -5.0) == q.lane_pose(A, 0, 0.0)
    assert q.lane_pose(A, 0, 1e6) == pytest.approx(q.lane_pose(A, 0, A.lane_length[0]))


def test_lane_change_where_the_markings_allow_it() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    first = int(np.flatnonzero((town.lane_road == 1) & (town.lane_id == -1))[0])
    assert q.lane_change_allowed(town, first, 25.0) == LANE_CHANGE_LEFT


@settings(deadline=None, max_examples=100)
@given(place=places, distance=st.floats(0.0, 300.0), branch=st.integers(0, 3))
def test_advancing_walks_as_far_along_linked_lanes(place: tuple[int, float], distance: float, branch: int) -> None:
    here, s = place[0], place[1] * A.lane_length[place[0]]
    rest, walked, expected = s + distance, 0, here
    while rest > A.lane_length[expected]:
        following = A.succ_lane[A.succ_first[expected] : A.succ_first[expected + 1]]
        if len(following) == 0:
            rest = A.lane_length[expected]
            break
        rest -= A.lane_length[expected]
        expected = int(following[min(branch, len(following) - 1)])
        walked += 1
    assert q.advance(A, here, s, distance, branch) == pytest.approx((expected, rest))


@settings(deadline=None, max_examples=100)
@given(place=places, distance=st.floats(0.0, 100.0))
def test_retreating_undoes_advancing_where_the_way_is_the_only_one(place: tuple[int, float], distance: float) -> None:
    here, s = place[0], place[1] * A.lane_length[place[0]]
    there, at = q.advance(A, here, s, distance, 0)
    way = [there]
    while way[-1] != here:
        before = A.pred_lane[A.pred_first[way[-1]] : A.pred_first[way[-1] + 1]]
        if len(before) != 1:
            return
        way.append(int(before[0]))
        if len(way) > 50:
            return
    if len(way) == 1:
        distance = at - s
    else:
        distance = A.lane_length[here] - s + sum(A.lane_length[k] for k in way[1:-1]) + at
    back = q.retreat(A, there, at, distance, 0)
    # On the seam of two lanes either may be named.
    assert q.lane_pose(A, *back)[:3] == pytest.approx(q.lane_pose(A, here, s)[:3], abs=1e-3)


def test_a_lane_without_successor_ends_the_way() -> None:
    town = load_town(GOOD_MAP, "Small", cache=False).arrays
    last = int(np.flatnonzero((town.lane_road == 4) & (town.lane_id == -1))[0])
    assert q.advance(town, last, 10.0, 500.0, 0) == (last, pytest.approx(60.0, abs=1e-3))
    first = int(np.flatnonzero((town.lane_road == 1) & (town.lane_id == -1) & (town.lane_section == 0))[0])
    assert q.retreat(town, first, 10.0, 500.0, 0) == (first, 0.0)


def test_nearest_lane_agrees_with_carlas_get_waypoint() -> None:
    carla = pytest.importorskip("carla")
    town = carla.Map("MiniTown", TOWN.xodr)
    random = np.random.default_rng(7)
    points = random.integers(0, len(A.point_x), 400)
    same, nearer = 0, []
    for p in points:
        x, y = A.point_x[p] + random.normal(0.0, 2.0), A.point_y[p] + random.normal(0.0, 2.0)
        z = A.point_z[p]
        waypoint = town.get_waypoint(carla.Location(x, y, z))
        lane_found, _s, _lateral, distance = q.nearest_lane(A, x, y, z, DRIVING_MASK)
        found = (A.lane_road[lane_found], A.lane_section[lane_found], A.lane_id[lane_found])
        same += found == (waypoint.road_id, waypoint.section_id, waypoint.lane_id)
        theirs = waypoint.transform.location
        nearer.append(math.dist((x, y, z), (theirs.x, theirs.y, theirs.z)) - distance)
    # Our chords of 1 m cut bends by centimetres, CARLA's search by decimetres; in junctions several lanes are as near.
    assert min(nearer) > -0.02
    assert np.median(np.abs(nearer)) < 0.002
    assert np.quantile(nearer, 0.95) < 0.1
    assert same > 0.9 * len(points)
