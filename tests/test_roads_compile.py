"""What a town's arrays hold, on the small sound map of `bad_maps`, where every number can be told by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from simulator.roads import LaneType, RoadNetwork, Turn, Yield, load_town
from simulator.roads.network import LANE_CHANGE_LEFT, MARK_COLOR, LaneMark, RoadArrays
from simulator.roads.queries import affected_points
from tests.bad_maps import GOOD_MAP

LANE_WIDTH = 3.5


@pytest.fixture(scope="module")
def town() -> RoadNetwork:
    return load_town(GOOD_MAP, "Small", cache=False)


def lane_of(town: RoadNetwork, road: int, lane: int, section: int = 0) -> int:
    a = town.arrays
    return int(np.flatnonzero((a.lane_road == road) & (a.lane_section == section) & (a.lane_id == lane))[0])


def group(first: np.ndarray, values: np.ndarray, owner: int) -> list[int]:
    return [int(v) for v in values[first[owner] : first[owner + 1]]]


def test_lanes_run_in_the_direction_of_travel(town: RoadNetwork) -> None:
    a = town.arrays
    with_s, against_s = lane_of(town, 1, -1), lane_of(town, 1, 1)
    assert a.point_x[a.lane_first[with_s]] == pytest.approx(0.0, abs=1e-3)
    assert a.point_x[a.lane_first[against_s]] == pytest.approx(50.0, abs=1e-3)
    assert a.point_yaw[a.lane_first[against_s]] == pytest.approx(-math.pi)
    # CARLA's y grows to the right, and right of the reference line lie the negative lanes.
    assert a.point_y[a.lane_first[with_s]] == pytest.approx(LANE_WIDTH / 2)


def test_points_are_evenly_spaced_and_end_with_the_lane(town: RoadNetwork) -> None:
    a = town.arrays
    arc = lane_of(town, 3, -1)
    span = slice(a.lane_first[arc], a.lane_first[arc + 1])
    # A left turn of 90 degrees around radius 20 m, on the outer lane.
    length = (20.0 + LANE_WIDTH / 2) * math.pi / 2
    assert a.lane_length[arc] == pytest.approx(length, abs=2e-3)
    assert a.lane_step[arc] == pytest.approx(length / math.ceil(length), abs=1e-3)
    gaps = np.hypot(np.diff(a.point_x[span]), np.diff(a.point_y[span]))
    assert gaps == pytest.approx(a.lane_step[arc], rel=1e-3)
    assert a.point_curvature[span] == pytest.approx(-1.0 / (20.0 + LANE_WIDTH / 2), rel=1e-3)


def test_neighbours_and_the_oncoming_lane(town: RoadNetwork) -> None:
    a = town.arrays
    driving, sidewalk, oncoming = lane_of(town, 1, -1), lane_of(town, 1, -2), lane_of(town, 1, 1)
    assert (a.lane_left[driving], a.lane_right[driving]) == (-1, sidewalk)
    assert (a.lane_left[sidewalk], a.lane_right[sidewalk]) == (driving, -1)
    assert (a.lane_opposite[driving], a.lane_opposite[oncoming]) == (oncoming, driving)
    assert a.lane_opposite[sidewalk] == -1
    assert a.lane_type[sidewalk] == LaneType.SIDEWALK


def test_a_broken_centre_line_may_be_crossed_to_the_left(town: RoadNetwork) -> None:
    a = town.arrays
    driving = lane_of(town, 1, -1)
    assert set(a.point_change[a.lane_first[driving] : a.lane_first[driving + 1]]) == {LANE_CHANGE_LEFT}


def test_markings_are_named_as_a_driver_sees_them(town: RoadNetwork) -> None:
    a = town.arrays
    for lane in (lane_of(town, 1, -1), lane_of(town, 1, 1)):
        span = slice(a.lane_first[lane], a.lane_first[lane + 1])
        assert set(a.point_left_mark[span] % MARK_COLOR) == {LaneMark.BROKEN}  # the centre line, from either side
        assert set(a.point_right_mark[span] % MARK_COLOR) == {LaneMark.SOLID}


def test_lanes_are_linked_over_sections_roads_and_the_junction(town: RoadNetwork) -> None:
    a = town.arrays
    first, second = lane_of(town, 1, -1, 0), lane_of(town, 1, -1, 1)
    straight, left = lane_of(town, 2, -1), lane_of(town, 3, -1)
    assert group(a.succ_first, a.succ_lane, first) == [second]
    assert sorted(group(a.succ_first, a.succ_lane, second)) == [straight, left]
    assert group(a.pred_first, a.pred_lane, straight) == [second]
    assert group(a.succ_first, a.succ_lane, straight) == [lane_of(town, 4, -1)]
    back = lane_of(town, 7, -1)
    assert group(a.succ_first, a.succ_lane, lane_of(town, 4, 1)) == [back]
    assert group(a.succ_first, a.succ_lane, back) == [lane_of(town, 1, 1, 1)]
    sidewalk = lane_of(town, 1, -2, 0)
    assert group(a.succ_first, a.succ_lane, sidewalk) == [lane_of(town, 1, -2, 1)]


def test_junction_lanes_know_junction_and_turn(town: RoadNetwork) -> None:
    a = town.arrays
    assert town.junction_ids == (5,)
    assert a.lane_junction[lane_of(town, 2, -1)] == 0
    assert a.lane_junction[lane_of(town, 1, -1)] == -1
    assert a.lane_turn[lane_of(town, 2, -1)] == Turn.STRAIGHT
    assert a.lane_turn[lane_of(town, 3, -1)] == Turn.LEFT


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ('<speed max="50" unit="km/h"/>', 50 / 3.6),
        ('<speed max="30" unit="mph"/>', 30 * 0.44704),
        ('<speed max="20" unit="m/s"/>', 20.0),
        ('<speed max="20"/>', 20.0),
        ('<speed max="no limit"/>', 30 / 3.6),
        ("", 30 / 3.6),
    ],
)
def test_a_roads_speed_limit_in_its_unit(limit: str, expected: float) -> None:
    town = load_town(GOOD_MAP.replace('<speed max="50" unit="km/h"/>', limit), "Fast", cache=False)
    assert town.arrays.lane_speed_limit[lane_of(town, 1, -1)] == pytest.approx(expected)


def test_a_lanes_own_speed_goes_before_the_roads() -> None:
    own = '<speed sOffset="0" max="72" unit="km/h"/></lane></left>'
    town = load_town(GOOD_MAP.replace("</lane></left>", own, 1), "Own", cache=False)
    assert town.arrays.lane_speed_limit[lane_of(town, 1, 1)] == pytest.approx(20.0)
    assert town.arrays.lane_speed_limit[lane_of(town, 1, -1)] == pytest.approx(50 / 3.6)


def test_a_junction_lane_without_speed_keeps_the_one_before() -> None:
    limit = '<type s="0" type="town"><speed max="50" unit="km/h"/></type>'
    head, tail = GOOD_MAP.split('<road name="r2"')
    town = load_town(head + '<road name="r2"' + tail.replace(limit, "", 1), "Kept", cache=False)
    assert town.arrays.lane_speed_limit[lane_of(town, 2, -1)] == pytest.approx(50 / 3.6)


def test_a_light_rules_the_junction_lanes_that_refer_to_it(town: RoadNetwork) -> None:
    a = town.arrays
    assert town.light_ids == ("70",)
    assert [a.lane_light[lane_of(town, road, -1)] for road in (2, 3, 7)] == [0, 0, -1]
    # References lie 0.1 m into both connecting lanes.
    where = affected_points(town)
    assert where.shape == (2, 3)
    assert where[0] == pytest.approx([100.1, LANE_WIDTH / 2, 0.0], abs=1e-4)
    assert set(a.light_affected_lane) == {lane_of(town, 2, -1), lane_of(town, 3, -1)}


def test_a_lights_trigger_volume_lies_three_metres_before_the_junction(town: RoadNetwork) -> None:
    a = town.arrays
    assert (a.light_box_x[0], a.light_box_y[0]) == pytest.approx((97.0, LANE_WIDTH / 2), abs=1e-3)
    # The light's x axis runs across the lane: a quarter of its width; 1.5 m along it.
    assert a.light_yaw[0] == pytest.approx(math.pi / 2)
    assert (a.light_box_extent_x[0], a.light_box_extent_y[0]) == pytest.approx((LANE_WIDTH / 4, 1.5), abs=1e-3)


def test_a_lights_stop_point_is_the_last_waypoint_before_the_junction(town: RoadNetwork) -> None:
    a = town.arrays
    assert list(a.light_stop_lane) == [lane_of(town, 1, -1, 1)]
    # 97 m and then steps of half a metre; the junction begins at 100 m.
    assert 99.0 < a.light_stop_x[0] < 100.0
    assert a.light_stop_width[0] == pytest.approx(LANE_WIDTH)
    assert a.light_stop_yaw[0] == pytest.approx(0.0)


def test_one_controller_is_one_phase_of_its_junctions_group(town: RoadNetwork) -> None:
    a = town.arrays
    assert (list(a.light_group), list(a.light_phase)) == ([0], [0])
    assert list(a.group_junction) == [0]
    assert list(a.group_first) == [0, 1]
    assert (a.phase_green[0], a.phase_yellow[0], a.phase_red[0]) == (10.0, 3.0, 2.0)


def test_a_light_without_controller_gets_a_phase_for_its_approach() -> None:
    text = GOOD_MAP.replace('<controller id="90" type="0" sequence="0"/>', "")
    text = text.replace('<controller name="c" id="90" sequence="0"><control signalId="70" type="0"/></controller>', "")
    town = load_town(text, "Loose", cache=False)
    assert any("70" in warning and "phase of its own" in warning for warning in town.warnings)
    assert list(town.arrays.group_junction) == [0]
    assert list(town.arrays.light_phase) == [0]


def test_a_stop_sign_rules_the_lane_before_the_junction(town: RoadNetwork) -> None:
    a = town.arrays
    ruled = lane_of(town, 4, 1)
    assert town.stop_ids == ("71",)  # its stencil does not count twice
    assert list(a.stop_lane) == [ruled]
    assert np.flatnonzero(a.lane_stop_sign >= 0).tolist() == [ruled]
    # The pole stands at s = 3 beside the road, its trigger centre on the lane.
    assert (a.stop_x[0], a.stop_y[0]) == pytest.approx((123.0, -LANE_WIDTH / 2), abs=1e-3)
    assert (a.stop_extent_x[0], a.stop_extent_y[0]) == pytest.approx((1.5, LANE_WIDTH / 4), abs=1e-6)


def test_a_stencil_alone_is_a_stop_sign() -> None:
    start = GOOD_MAP.index('<signals><signal s="3"')
    end = GOOD_MAP.index("</signals>", start) + len("</signals>")
    town = load_town(GOOD_MAP[:start] + GOOD_MAP[end:], "Stencil", cache=False)
    assert town.stop_ids == ("stencil0",)
    assert list(town.arrays.stop_lane) == [lane_of(town, 4, 1)]
    assert town.arrays.stop_x[0] == pytest.approx(124.0, abs=0.3)


def test_a_yield_sign_rules_the_lane_before_the_junction() -> None:
    text = GOOD_MAP.replace('type="206"', 'type="205"').replace("Stencil_STOP", "Stencil_GIVE")
    town = load_town(text, "Yield", cache=False)
    assert np.flatnonzero(town.arrays.lane_yield_sign).tolist() == [lane_of(town, 4, 1)]
    assert town.stop_ids == ()


def test_stop_lines_lie_before_the_crosswalk_or_the_junction(town: RoadNetwork) -> None:
    a = town.arrays
    lit, signed = lane_of(town, 1, -1, 1), lane_of(town, 4, 1)
    assert np.flatnonzero(a.lane_stop_line >= 0).tolist() == [lit, signed]
    # The crosswalk begins at x = 92.5, the lane section at x = 50.
    assert a.lane_stop_line[lit] == pytest.approx(92.5 - 50.0 - 1.0, abs=0.2)
    assert a.lane_stop_line[signed] == pytest.approx(a.lane_length[signed] - 1.0, abs=1e-3)


def test_the_crosswalk_is_a_closed_polygon(town: RoadNetwork) -> None:
    a = town.arrays
    assert list(a.crosswalk_first) == [0, 5]
    assert sorted(set(a.crosswalk_x.round(3))) == [92.5, 95.5]
    assert sorted(set(a.crosswalk_y.round(3))) == [-4.0, 4.0]
    assert (a.crosswalk_x[0], a.crosswalk_y[0]) == (a.crosswalk_x[-1], a.crosswalk_y[-1])


def test_a_left_turn_crosses_the_oncoming_lane(town: RoadNetwork) -> None:
    a = town.arrays
    left, oncoming, straight = lane_of(town, 3, -1), lane_of(town, 7, -1), lane_of(town, 2, -1)
    assert group(a.conflict_first, a.conflict_lane, left) == [oncoming]
    assert group(a.conflict_first, a.conflict_lane, oncoming) == [left]
    assert group(a.conflict_first, a.conflict_lane, straight) == []  # it diverges from the left turn
    own, other = a.conflict_first[left], a.conflict_first[oncoming]
    # The lanes cross where the arc has come 3.5 m to the left: at an angle of acos(1 - 3.5 / 21.75).
    crossing = 21.75 * math.acos(1 - 3.5 / 21.75)
    assert a.conflict_enter[own] < crossing < a.conflict_exit[own]
    assert a.conflict_enter[own] == a.conflict_other_enter[other]
    assert a.conflict_exit[other] == a.conflict_other_exit[own]
    # The way back has neither light nor sign to protect it, the left turn has a light.
    assert a.conflict_rule[own] == Yield.HAS_PRIORITY
    assert a.conflict_rule[other] == Yield.GIVES_WAY


def test_without_light_and_sign_straight_goes_before_left() -> None:
    text = GOOD_MAP
    for tag in ("signals",):
        while f"<{tag}>" in text:
            start, end = text.index(f"<{tag}>"), text.index(f"</{tag}>") + len(tag) + 3
            text = text[:start] + text[end:]
    text = text.replace('<control signalId="70" type="0"/>', "").replace("Stencil_STOP", "Stencil_ARROW")
    town = load_town(text, "Free", cache=False)
    a = town.arrays
    left = lane_of(town, 3, -1)
    assert a.conflict_rule[a.conflict_first[left]] == Yield.GIVES_WAY
    assert (town.light_ids, town.stop_ids) == ((), ())


def test_traffic_on_the_left_side() -> None:
    town = load_town(GOOD_MAP.replace("<road ", '<road rule="LHT" '), "Left", cache=False)
    a = town.arrays
    driving, sidewalk = lane_of(town, 1, -1, 1), lane_of(town, 1, -2, 1)
    assert a.point_x[a.lane_first[driving]] == pytest.approx(100.0, abs=1e-3)
    assert math.cos(a.point_yaw[a.lane_first[driving]]) == pytest.approx(-1.0)
    assert (a.lane_left[driving], a.lane_right[driving]) == (sidewalk, -1)
    assert group(a.succ_first, a.succ_lane, driving) == [lane_of(town, 1, -1, 0)]


def test_the_origin_comes_from_the_geo_reference(town: RoadNetwork) -> None:
    assert town.geo_reference == (49.5, 8.25)


def test_a_gap_between_linked_lanes_is_a_warning() -> None:
    moved = load_town(GOOD_MAP.replace('x="120" y="20"', 'x="123" y="20"'), "Moved", cache=False)
    assert len(moved.warnings) == 1
    assert "road 3, lane -1: ends 3.0 m from where road 6, lane -1 goes on" in moved.warnings[0]


class TestCache:
    def load(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> RoadNetwork:
        monkeypatch.setenv("ROUTEGYM_CACHE", str(folder))
        return load_town(GOOD_MAP, "Small")

    def assert_same(self, one: RoadNetwork, other: RoadNetwork) -> None:
        for name in RoadArrays._fields:
            before, after = getattr(one.arrays, name), getattr(other.arrays, name)
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after, err_msg=name)
        assert one.light_ids == other.light_ids
        assert one.warnings == other.warnings
        assert one.digest == other.digest

    def test_what_comes_from_the_cache_is_what_was_compiled(
        self, town: RoadNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compiled = self.load(tmp_path, monkeypatch)
        monkeypatch.setattr("simulator.roads.cache.compile_town", None)  # a second compilation would fail
        self.assert_same(compiled, self.load(tmp_path, monkeypatch))
        self.assert_same(compiled, town)

    @pytest.mark.parametrize("file", ["arrays.npz", "names.json"])
    @pytest.mark.parametrize("damage", ["cut", "emptied", "removed"])
    def test_a_damaged_entry_is_made_again(
        self, file: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compiled = self.load(tmp_path, monkeypatch)
        (path,) = tmp_path.glob(f"maps/*/{file}")
        whole = path.read_bytes()
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
        self.assert_same(compiled, self.load(tmp_path, monkeypatch))
        assert path.read_bytes()[:100] == whole[:100]

    def test_another_version_of_the_compiler_does_not_read_old_arrays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.load(tmp_path, monkeypatch)
        monkeypatch.setattr("simulator.roads.cache.cache_version", lambda: "other")
        self.load(tmp_path, monkeypatch)
        assert len(list(tmp_path.glob("maps/*-v*"))) == 2

    def test_a_cache_that_cannot_be_written_is_no_hindrance(
        self, town: RoadNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "maps").write_text("a file where the folder should be")
        self.assert_same(town, self.load(tmp_path, monkeypatch))

    def test_nothing_is_left_behind_but_the_entry(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.load(tmp_path, monkeypatch)
        assert len(list((tmp_path / "maps").iterdir())) == 1
