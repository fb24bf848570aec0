"""Red lights, stop signs and emergency vehicles (docs/bench2drive.md 2.3)."""

from __future__ import annotations

import numpy as np
import pytest
from criteria_world import LANE_Y, ONCOMING_Y, SECOND_LINE_X, SIGN_X, STOP_LINE_X, Drive, straight_road

from leaderboard_adapters.criteria import finish_criteria
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import infraction_list
from simulator.actors import remove_actor
from simulator.state import EGO, LightState

RED, YELLOW, GREEN, OFF = LightState.RED, LightState.YELLOW, LightState.GREEN, LightState.OFF

HALF_LENGTH = 2.446
TAIL_CLOSE = 0.8 * HALF_LENGTH  # the tail of the official test begins here, behind the ego's centre
TAIL_FAR = HALF_LENGTH + 1.0  # and ends here


@pytest.fixture
def drive() -> Drive:
    """20 m before the stop line, at 10 m/s; all lights green."""
    drive = Drive()
    drive.put(STOP_LINE_X - 20.0)
    drive.c["nearest_index"] = int(STOP_LINE_X - 22.0)  # as if it had come along the route
    return drive


# Red lights


def test_tail_over_the_line_on_red_is_a_violation(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.go(STOP_LINE_X + 10.0)
    assert drive.messages("red_light") == ["Agent ran a red light 0 at (x=205.0, y=6.0, z=5.0)"]


def test_violation_is_booked_when_the_rear_crosses(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.go(STOP_LINE_X + TAIL_CLOSE - 0.05)
    assert drive.names() == []
    drive.go(STOP_LINE_X + TAIL_CLOSE + 0.05)
    assert drive.names() == ["red_light"]


@pytest.mark.parametrize("state", [YELLOW, GREEN, OFF])
def test_only_red_counts(drive: Drive, state: LightState) -> None:
    drive.lights(state, 0, 1)
    drive.go(STOP_LINE_X + 20.0)
    assert drive.names() == []


def test_standing_with_the_front_over_the_line_is_free(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.go(STOP_LINE_X + 1.0)
    drive.stand(20)
    assert drive.names() == []


def test_light_that_turns_red_behind_the_tail_is_free(drive: Drive) -> None:
    drive.go(STOP_LINE_X + TAIL_FAR + 0.1)
    drive.lights(RED, 0)
    drive.go(STOP_LINE_X + 10.0)
    assert drive.names() == []


def test_light_that_turns_red_over_the_tail_is_run(drive: Drive) -> None:
    drive.go(STOP_LINE_X + TAIL_FAR - 0.1)
    drive.lights(RED, 0)
    drive.tick()
    assert drive.names() == ["red_light"]


def test_oncoming_lane_is_not_ruled_by_the_light(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.put(STOP_LINE_X - 20.0, ONCOMING_Y)
    drive.go(STOP_LINE_X + 10.0, ONCOMING_Y)
    assert drive.messages("red_light") == []


def test_lane_of_the_tail_decides_not_that_of_the_centre(drive: Drive) -> None:
    """The line reaches 0.6 lane widths to either side; a tail on the oncoming lane crosses it unseen."""
    drive.lights(RED, 0)
    drive.put(STOP_LINE_X - 5.0, -0.2)
    drive.go(STOP_LINE_X + 10.0, -0.2)
    assert drive.messages("red_light") == []
    drive.put(STOP_LINE_X - 5.0, 0.2)
    drive.go(STOP_LINE_X + 10.0, 0.2)
    assert len(drive.messages("red_light")) == 1


def test_backing_over_the_line_counts_by_the_heading(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.put(STOP_LINE_X + 4.0)
    drive.go(STOP_LINE_X, yaw=0.0)
    assert drive.names() == ["red_light"]


def test_facing_the_other_way_is_free(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.put(STOP_LINE_X + 5.0, yaw=np.pi)
    drive.go(STOP_LINE_X - 10.0)
    assert drive.messages("red_light") == []


def test_same_light_counts_again_only_after_another(drive: Drive) -> None:
    drive.lights(RED, 0)
    drive.go(STOP_LINE_X + 4.0)
    drive.put(STOP_LINE_X - 5.0)
    drive.go(STOP_LINE_X + 4.0)
    assert drive.names() == ["red_light"]
    drive.lights(RED, 1)
    drive.go(SECOND_LINE_X + 4.0)
    assert drive.names() == ["red_light"] * 2
    drive.put(STOP_LINE_X - 5.0)
    drive.go(STOP_LINE_X + 4.0)
    assert drive.names() == ["red_light"] * 3


def test_light_farther_than_15_m_from_its_box_is_out_of_sight(drive: Drive) -> None:
    x = STOP_LINE_X + TAIL_CLOSE + 0.5
    for box, expected in ((x - 15.1, []), (x - 14.9, ["red_light"])):
        drive.rebuild(light_box_x=np.array([box, 1000.0]))
        drive.lights(RED, 0)
        drive.put(x)
        drive.tick()
        assert drive.names() == expected


def test_after_a_violation_the_tick_measures_from_the_light_that_was_run() -> None:
    """Official: the ego's place is overwritten by the light's, so a second light over the same line waits a tick."""
    net = straight_road()
    line = np.full(2, STOP_LINE_X)
    for pole, later in ((100.0, 1), (205.0, 0)):
        drive = Drive(
            net._replace(
                light_x=np.array([pole, 215.0]),
                light_box_x=line,
                light_stop_x=line,
                light_stop_lane=np.zeros(2, np.int32),
            )
        )
        drive.lights(RED, 0, 1)
        drive.put(STOP_LINE_X + TAIL_CLOSE + 0.3)
        drive.c["nearest_index"] = int(STOP_LINE_X) - 2
        drive.stand(3)
        ticks = [i.tick for i in infraction_list(drive.c) if i.name == "red_light"]
        assert ticks[1] - ticks[0] == later


# Stop signs


@pytest.fixture
def at_sign() -> Drive:
    """20 m before the stop sign."""
    drive = Drive()
    drive.put(SIGN_X - 20.0)
    drive.c["nearest_index"] = int(SIGN_X - 22.0)
    return drive


def test_rolling_through_a_stop_sign_is_a_violation(at_sign: Drive) -> None:
    at_sign.go(SIGN_X + 10.0, speed=1.0)
    assert at_sign.messages("stop_infraction") == ["Agent ran a stop with id=0 at (x=300.0, y=1.75, z=0.0)"]


def test_violation_is_booked_when_the_sign_is_left_behind(at_sign: Drive) -> None:
    at_sign.go(SIGN_X + 1.7)
    assert at_sign.names() == []
    at_sign.go(SIGN_X + 2.4)
    assert at_sign.names() == ["stop_infraction"]


def test_standing_once_within_4_m_of_the_sign_is_a_stop(at_sign: Drive) -> None:
    at_sign.go(SIGN_X - 3.0)
    at_sign.stand(1)
    at_sign.go(SIGN_X + 10.0)
    assert at_sign.names() == []


def test_standing_farther_off_is_no_stop(at_sign: Drive) -> None:
    at_sign.go(SIGN_X - 5.0)
    at_sign.stand(40)
    at_sign.go(SIGN_X + 10.0)
    assert at_sign.names() == ["stop_infraction"]


def test_sign_rules_whoever_is_on_its_lane_even_at_the_lane_edge(at_sign: Drive) -> None:
    """Waypoints are tested, not the ego's own place, so a box narrower than the lane still catches all of it."""
    at_sign.rebuild(stop_extent_y=np.array([0.1]))
    at_sign.go(SIGN_X + 10.0, LANE_Y + 1.5)
    assert at_sign.names() == ["stop_infraction"]


def test_box_stays_parallel_to_the_world_and_is_widened_by_a_fifth(at_sign: Drive) -> None:
    extents = {"stop_extent_x": np.array([0.5]), "stop_extent_y": np.array([1.0])}
    at_sign.rebuild(stop_y=np.array([LANE_Y + 1.19]), **extents)
    at_sign.go(SIGN_X + 10.0)
    assert at_sign.names() == ["stop_infraction"]
    at_sign.rebuild(stop_y=np.array([LANE_Y + 1.21]), stop_x=np.array([SIGN_X + 20.0]), **extents)
    at_sign.c["last_failed_stop"] = -1
    at_sign.go(SIGN_X + 30.0)
    assert at_sign.names() == ["stop_infraction"]


def test_oncoming_lane_is_not_ruled_by_the_sign(at_sign: Drive) -> None:
    at_sign.put(SIGN_X - 20.0, ONCOMING_Y)
    at_sign.go(SIGN_X + 10.0, ONCOMING_Y)
    assert at_sign.messages("stop_infraction") == []


def test_backing_or_facing_against_the_lane_meets_no_sign(at_sign: Drive) -> None:
    at_sign.put(SIGN_X + 5.0, yaw=np.pi)
    at_sign.go(SIGN_X - 10.0)
    assert at_sign.messages("stop_infraction") == []
    at_sign.put(SIGN_X + 5.0, speed=-5.0)
    for k in range(60):
        at_sign.put(SIGN_X + 5.0 - 0.25 * k, speed=-5.0)
        at_sign.tick()
    assert at_sign.messages("stop_infraction") == []


def test_same_sign_is_not_failed_twice_in_a_row(at_sign: Drive) -> None:
    at_sign.go(SIGN_X + 5.0)
    at_sign.put(SIGN_X - 8.0)
    at_sign.go(SIGN_X + 5.0)
    assert at_sign.names() == ["stop_infraction"]


def test_stop_made_once_does_not_hold_for_the_next_time(at_sign: Drive) -> None:
    at_sign.go(SIGN_X - 2.0)
    at_sign.stand(2)
    at_sign.go(SIGN_X + 5.0)
    at_sign.put(SIGN_X - 8.0)
    at_sign.go(SIGN_X + 5.0)
    assert at_sign.names() == ["stop_infraction"]


# Emergency vehicles

YIELDED = "yield_emergency_vehicle_infractions"


def with_ambulance(x: float) -> tuple[Drive, int]:
    """Ego at x = 50 m; an ambulance on the lane at `x`, registered by its scenario."""
    drive = Drive()
    drive.go(50.0)
    slot = drive.spawn("vehicle.ford.ambulance", x, LANE_Y)
    drive.switches["emergency_slot"] = slot
    drive.tick()
    return drive, slot


def test_ambulance_still_behind_when_its_scenario_ends_is_a_failure() -> None:
    drive, _ = with_ambulance(30.0)
    assert drive.names() == []
    drive.switches["emergency_done"] = 1
    drive.tick()
    assert drive.messages(YIELDED) == ["Agent failed to yield to an emergency vehicle"]


def test_ambulance_ahead_when_its_scenario_ends_is_fine() -> None:
    drive, slot = with_ambulance(30.0)
    drive.w["x"][slot] = 60.0
    drive.switches["emergency_done"] = 1
    drive.tick()
    assert drive.names() == []


def test_last_state_decides_also_at_the_end_of_the_route() -> None:
    drive, slot = with_ambulance(60.0)
    drive.w["x"][slot] = 45.0
    drive.tick()
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.TICK_CAP))
    assert drive.names() == [YIELDED]


def test_ambulance_that_its_scenario_removed_keeps_its_last_state() -> None:
    drive, slot = with_ambulance(30.0)
    remove_actor(drive.w, slot)
    drive.switches["emergency_done"] = 1
    drive.tick()
    assert drive.names() == [YIELDED]


def test_verdict_is_given_once_and_the_switches_are_taken_back() -> None:
    drive, _ = with_ambulance(30.0)
    drive.switches["emergency_done"] = 1
    drive.tick(5)
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.AGENT_CRASHED))
    assert drive.names() == [YIELDED]
    assert drive.switches["emergency_slot"] == -1
    assert drive.switches["emergency_done"] == 0


def test_ambulance_beside_the_ego_has_passed_once_its_centre_is_level() -> None:
    drive, slot = with_ambulance(30.0)
    drive.w["x"][slot] = drive.w["x"][EGO]
    drive.w["y"][slot] = ONCOMING_Y
    drive.switches["emergency_done"] = 1
    drive.tick()
    assert drive.names() == []
