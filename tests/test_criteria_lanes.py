"""OutsideRouteLanesTest: off the road, against the traffic, share of the driven way (docs/bench2drive.md 2.3)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from criteria_world import LANE_Y, ONCOMING_Y, PARKING_Y, Drive, straight_route

from leaderboard_adapters.infractions import infraction_list, scores

OUT = "outside_route_lanes"


@pytest.fixture
def drive() -> Drive:
    return Drive()


def share(drive: Drive) -> float:
    """Percentage of the one lane entry; 0 without."""
    found = [i.percentage for i in infraction_list(drive.c) if i.name == OUT]
    assert len(found) <= 1
    return found[0] if found else 0.0


def test_driving_in_the_lane_is_no_infraction(drive: Drive) -> None:
    drive.go(150.0)
    assert drive.messages(OUT) == []


@pytest.mark.parametrize("y", [PARKING_Y, PARKING_Y + 1.25 + 0.45, LANE_Y + 2.0])
def test_parking_lane_is_legal_with_half_a_metre_beyond_its_edge(drive: Drive, y: float) -> None:
    drive.put(20.0, y)
    drive.go(150.0, y)
    assert drive.messages(OUT) == []


def test_centre_of_the_ego_beyond_the_edge_of_the_road_counts(drive: Drive) -> None:
    drive.go(20.0)
    y = PARKING_Y + 1.25 + 0.55
    drive.put(20.0, y)
    drive.go(60.0, y)
    assert share(drive) > 50


def test_edge_of_the_nearest_lane_decides_where_there_is_no_parking(drive: Drive) -> None:
    drive.go(212.0)
    drive.put(212.0, LANE_Y + 2.2)
    drive.tick()
    assert drive.c["outside_lane"] == 0
    drive.put(212.0, LANE_Y + 2.3)
    drive.tick()
    assert drive.c["outside_lane"] == 1


def test_height_counts_into_the_distance_to_the_lane(drive: Drive) -> None:
    drive.put(20.0)
    drive.w["z"][0] = 2.3
    drive.tick()
    assert drive.c["outside_lane"] == 1


def test_share_refers_to_the_way_driven_so_far_and_falls_as_it_goes_on(drive: Drive) -> None:
    y = PARKING_Y + 3.0
    drive.go(42.0)
    drive.put(42.0, y)
    drive.go(82.0, y)
    first = share(drive)
    assert first == pytest.approx(50.0, abs=1.5)
    drive.put(82.0, LANE_Y)
    drive.go(162.0)
    assert share(drive) == pytest.approx(25.0, abs=1.0)
    assert drive.c["wrong_distance"] == pytest.approx(40.0, abs=1.0)


def test_message_and_penalty_are_official(drive: Drive) -> None:
    y = PARKING_Y + 3.0
    drive.go(102.5)
    drive.put(102.5, y)
    drive.go(122.5, y)
    wrong, driven = 20.0, 120.0 + math.hypot(1.0, 0.5) - 1.0
    assert drive.messages(OUT) == [
        f"Agent went outside its route lanes for about 20.0 meters ({round(wrong / driven * 100, 2)}% of the completed "
        "route)"
    ]
    assert scores(drive.c).score_penalty == round(1 - wrong / driven, 6)


def test_standing_off_the_road_costs_nothing(drive: Drive) -> None:
    drive.go(50.0)
    drive.put(50.0, 20.0)
    drive.stand(100)
    drive.put(50.0)
    drive.go(60.0)
    assert drive.messages(OUT) == []


def test_oncoming_lane_counts_from_crossing_over_to_coming_back(drive: Drive) -> None:
    drive.go(50.0)
    drive.put(50.0, ONCOMING_Y)
    drive.go(90.0, ONCOMING_Y)
    assert drive.c["wrong_lane"] == 1
    drive.put(90.0, LANE_Y)
    drive.go(130.0)
    assert drive.c["wrong_lane"] == 0
    assert drive.c["wrong_distance"] == pytest.approx(40.0, abs=1.0)


def test_oncoming_lane_is_free_while_the_switch_is_off(drive: Drive) -> None:
    drive.switches["wrong_direction_test"] = 0
    drive.go(50.0)
    drive.put(50.0, ONCOMING_Y)
    drive.go(90.0, ONCOMING_Y)
    assert drive.messages(OUT) == []
    drive.switches["wrong_direction_test"] = 1
    drive.go(100.0, ONCOMING_Y)
    assert drive.c["wrong_distance"] == pytest.approx(10.0, abs=1.0)


def test_off_road_counts_although_the_switch_is_off(drive: Drive) -> None:
    drive.switches["wrong_direction_test"] = 0
    drive.go(20.0)
    drive.put(20.0, 9.0)
    drive.go(30.0, 9.0)
    assert share(drive) > 0


def test_junctions_have_no_wrong_direction(drive: Drive) -> None:
    drive.go(190.0)
    drive.put(190.0, ONCOMING_Y)
    drive.go(199.0, ONCOMING_Y)
    assert drive.c["wrong_lane"] == 1
    drive.go(210.0, ONCOMING_Y)
    assert drive.c["wrong_lane"] == 0


def test_leaving_a_junction_against_the_traffic_is_wrong_by_the_heading_of_the_ego(drive: Drive) -> None:
    drive.go(205.0)
    drive.go(219.0, ONCOMING_Y)
    drive.go(222.0, ONCOMING_Y)
    assert drive.c["wrong_lane"] == 1


def test_leaving_a_junction_on_the_own_lane_is_right(drive: Drive) -> None:
    drive.go(225.0)
    assert drive.c["wrong_lane"] == 0
    assert drive.messages(OUT) == []


@pytest.mark.parametrize(("yaw", "wrong"), [(61.0, 0), (59.0, 1)])
def test_120_degrees_tell_right_from_wrong_after_a_junction(drive: Drive, yaw: float, wrong: int) -> None:
    drive.go(205.0)
    drive.put(219.0, ONCOMING_Y, yaw=np.radians(yaw))
    drive.tick()
    drive.put(221.0, ONCOMING_Y, yaw=np.radians(yaw))
    drive.tick()
    assert drive.c["wrong_lane"] == wrong


def test_turning_on_the_road_does_not_make_the_lane_wrong(drive: Drive) -> None:
    """Outside junctions the official test compares lanes, not the heading of the ego."""
    drive.go(50.0)
    drive.put(50.0, yaw=np.pi)
    drive.tick()
    assert drive.c["wrong_lane"] == 0


def test_route_that_begins_against_the_traffic_is_not_noticed() -> None:
    """Official: the first lane is taken as it is, only a change of lanes is judged."""
    drive = Drive(routes=straight_route(2.0, 398.0, ONCOMING_Y))
    drive.go(60.0, ONCOMING_Y)
    assert drive.messages(OUT) == []
    drive.put(60.0, LANE_Y)
    drive.go(80.0, LANE_Y)
    assert drive.c["wrong_lane"] == 1


def test_far_off_the_map_is_off_the_road(drive: Drive) -> None:
    drive.put(50.0, 500.0)
    drive.tick()
    assert drive.c["outside_lane"] == 1
    assert drive.c["ego_lane"] == -1


def test_first_metre_includes_the_raised_spawn_point(drive: Drive) -> None:
    """Spawning the ego lifts the first route point by 0.5 m, which the official lengths keep."""
    drive.go(3.5)
    assert drive.c["driven_distance"] == pytest.approx(math.hypot(1.0, 0.5))
