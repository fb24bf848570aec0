"""Conflicts between the lanes of MiniTown's junctions: who meets whom, where, and who waits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.roads import LaneType, Turn, Yield, load_named_town
from simulator.roads.conflicts import MARGIN, VEHICLE_HALF_WIDTH

TOWN = load_named_town("MiniTown", None)
A = TOWN.arrays
OWNER = np.repeat(np.arange(TOWN.num_lanes), np.diff(A.conflict_first))
PAIRS = {(int(i), int(k)): n for n, (i, k) in enumerate(zip(OWNER, A.conflict_lane))}
JUNCTION_LANES = [int(k) for k in np.flatnonzero((A.lane_junction >= 0) & (A.lane_type == LaneType.DRIVING))]


def before(lane: int) -> set[int]:
    return set(A.pred_lane[A.pred_first[lane] : A.pred_first[lane + 1]].tolist())


def after(lane: int) -> set[int]:
    return set(A.succ_lane[A.succ_first[lane] : A.succ_first[lane + 1]].tolist())


def points(lane: int) -> np.ndarray:
    span = slice(A.lane_first[lane], A.lane_first[lane + 1])
    return np.stack([A.point_x[span], A.point_y[span]], axis=1)


def entry_yaw(lane: int) -> float:
    return float(A.point_yaw[A.lane_first[lane]])


def angle(a: float, b: float) -> float:
    return abs((a - b + math.pi) % (2 * math.pi) - math.pi)


def sign_rank(lane: int) -> int:
    return max((2 if A.lane_stop_sign[k] >= 0 else int(A.lane_yield_sign[k]) for k in before(lane)), default=0)


def test_both_sides_of_a_conflict_say_the_same() -> None:
    assert len(PAIRS) == len(OWNER) > 100
    for (i, k), n in PAIRS.items():
        m = PAIRS[k, i]
        assert A.conflict_rule[n] == -A.conflict_rule[m]
        assert (A.conflict_enter[n], A.conflict_exit[n]) == (A.conflict_other_enter[m], A.conflict_other_exit[m])
        assert 0.0 <= A.conflict_enter[n] <= A.conflict_exit[n] <= A.lane_length[i] + 1e-9


def test_lanes_meet_exactly_where_vehicles_on_them_would_touch() -> None:
    for i in JUNCTION_LANES:
        for k in JUNCTION_LANES:
            if k <= i or A.lane_junction[i] != A.lane_junction[k] or before(i) & before(k):
                continue
            gap = np.linalg.norm(points(i)[:, None] - points(k)[None], axis=2)
            if gap.min() < 2 * VEHICLE_HALF_WIDTH - 0.1:
                assert (i, k) in PAIRS
            if gap.min() > 2 * VEHICLE_HALF_WIDTH + MARGIN + 0.6:  # half of both samplings' steps more
                assert (i, k) not in PAIRS


def test_outside_the_shared_area_the_lanes_are_apart() -> None:
    for (i, k), n in PAIRS.items():
        own, other = points(i), points(k)
        s = np.linspace(0.0, A.lane_length[i], len(own))
        outside = (s < A.conflict_enter[n] - 0.6) | (s > A.conflict_exit[n] + 0.6)
        gap = np.linalg.norm(own[outside][:, None] - other[None], axis=2)
        assert gap.size == 0 or gap.min() > 2 * VEHICLE_HALF_WIDTH - 0.3


def test_lanes_out_of_the_same_lane_do_not_conflict() -> None:
    assert not [pair for pair in PAIRS if before(pair[0]) & before(pair[1])]


def test_lanes_into_the_same_lane_conflict_up_to_their_ends() -> None:
    merging = [(pair, n) for pair, n in PAIRS.items() if after(pair[0]) & after(pair[1])]
    assert merging
    for (i, _k), n in merging:
        assert A.conflict_exit[n] == pytest.approx(A.lane_length[i])


def test_lanes_side_by_side_do_not_conflict() -> None:
    for i, k in PAIRS:
        assert A.lane_left[i] != k
        assert A.lane_right[i] != k


def test_a_left_turn_gives_way_to_oncoming_traffic_of_its_phase() -> None:
    seen = 0
    for (i, k), n in PAIRS.items():
        lights = A.lane_light[i], A.lane_light[k]
        if min(lights) < 0:
            continue
        same = [(A.light_group[s], A.light_phase[s]) for s in lights]
        facing = angle(entry_yaw(i), entry_yaw(k)) > math.radians(120)
        if same[0] == same[1] and facing and A.lane_turn[i] == Turn.LEFT and A.lane_turn[k] != Turn.LEFT:
            assert A.conflict_rule[n] == Yield.GIVES_WAY
            seen += 1
        if same[0] != same[1]:
            assert A.conflict_rule[n] == Yield.EQUAL
    assert seen > 4


def test_a_stop_or_yield_sign_gives_way_to_the_road_without() -> None:
    seen = 0
    for (i, k), n in PAIRS.items():
        if A.lane_light[i] < 0 and A.lane_light[k] < 0 and sign_rank(i) > sign_rank(k):
            assert A.conflict_rule[n] == Yield.GIVES_WAY
            seen += 1
    assert seen > 4


def test_without_signs_straight_goes_before_turns_and_right_before_left() -> None:
    order = {Turn.STRAIGHT: 0, Turn.RIGHT: 1, Turn.LEFT: 2}
    for (i, k), n in PAIRS.items():
        if A.lane_light[i] < 0 and A.lane_light[k] < 0 and sign_rank(i) == sign_rank(k):
            mine, theirs = (order[Turn(A.lane_turn[lane])] for lane in (i, k))
            if mine != theirs:
                assert A.conflict_rule[n] == (Yield.GIVES_WAY if mine > theirs else Yield.HAS_PRIORITY)


def test_a_lane_that_tapers_into_another_gives_way() -> None:
    merges = [(pair, n) for pair, n in PAIRS.items() if after(pair[0]) & after(pair[1]) and A.lane_light[pair[0]] < 0]
    merges = [(pair, n) for pair, n in merges if {A.lane_turn[k] for k in pair} == {Turn.STRAIGHT}]
    merges = [(pair, n) for pair, n in merges if sign_rank(pair[0]) == sign_rank(pair[1])]
    assert merges
    for (i, _k), n in merges:
        # Both go straight on; the taper's end lies a lane's width beside the line of its begin.
        way = points(i)
        dx, dy = way[-1] - way[0]
        aside = abs(dy * math.cos(entry_yaw(i)) - dx * math.sin(entry_yaw(i)))
        if A.conflict_rule[n] == Yield.GIVES_WAY:
            assert aside > 1.0
