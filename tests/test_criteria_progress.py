"""Criteria along the route: completion, min speed, deviation, blocked, caps and time-outs (docs/bench2drive.md 2.3)."""

from __future__ import annotations

import numpy as np
import pytest
from criteria_world import LANE_Y, ROUTE_END, SPEED_LIMIT, Drive, straight_route

from leaderboard_adapters.criteria import finish_criteria
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import infraction_list, route_completed, route_status
from simulator.actors import remove_actor, set_speed
from simulator.state import EGO, Role


@pytest.fixture
def drive() -> Drive:
    return Drive()


def end(drive: Drive) -> RouteEnd:
    return RouteEnd(int(drive.c["finished"]))


# Route completion


def test_progress_is_the_share_of_the_traced_length_behind_the_ego(drive: Drive) -> None:
    drive.go(101.0)
    # Points lie at 2, 3, ...; the one at 101 is reached, not passed.
    passed = drive.routes.trace_distance[98] / drive.routes.trace_distance[-1] * 100
    assert route_completed(drive.c) == round(passed, 2)


def test_progress_gains_at_most_two_points_a_tick(drive: Drive) -> None:
    drive.put(12.0)
    drive.tick()
    assert drive.c["route_index"] == 2
    drive.tick()
    assert drive.c["route_index"] == 4


def test_progress_never_goes_back(drive: Drive) -> None:
    drive.go(60.0)
    before = route_completed(drive.c)
    drive.go(40.0)
    assert route_completed(drive.c) == before


def test_route_ends_in_the_tick_after_the_end_was_reached_and_still_judges_it(drive: Drive) -> None:
    car = drive.spawn("vehicle.audi.tt")
    while not drive.c["completed"]:
        drive.go(float(drive.w["x"][EGO]) + 0.5)
    assert end(drive) is RouteEnd.RUNNING
    drive.touch(car)
    drive.tick()
    assert end(drive) is RouteEnd.COMPLETED
    assert drive.messages("collisions_vehicle")
    assert route_completed(drive.c) == 100
    assert route_status(drive.c) == "Completed"


def test_end_is_reached_beyond_99_percent_only(drive: Drive) -> None:
    drive.go(392.0)  # 6 m before the end, 98.5 %
    drive.tick(5)
    assert not drive.c["completed"]
    drive.go(396.0)
    assert drive.c["completed"]


def test_end_is_reached_within_10_m_only(drive: Drive) -> None:
    drive.go(380.0, LANE_Y + 10.5)
    drive.go(ROUTE_END, LANE_Y + 10.5)
    assert route_completed(drive.c) > 99
    assert not drive.c["completed"]
    drive.go(ROUTE_END, LANE_Y + 9.5)
    assert drive.c["completed"]


def test_finished_route_stays_as_it_is(drive: Drive) -> None:
    drive.go(ROUTE_END)
    assert end(drive) is RouteEnd.COMPLETED
    before = drive.criteria.copy()
    drive.touch(drive.spawn("vehicle.audi.tt"))
    drive.tick(3)
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.AGENT_CRASHED))
    assert np.array_equal(drive.criteria, before)


# Min speed


def speeds(drive: Drive) -> list[str]:
    return [m.split("%")[0].split(" ")[-1] for m in drive.messages("min_speed_infractions")]


def test_without_traffic_every_entry_is_the_integer_100(drive: Drive) -> None:
    drive.go(ROUTE_END)
    assert set(speeds(drive)) == {"100"}


def test_each_twentieth_of_the_route_books_an_entry_and_the_end_books_two(drive: Drive) -> None:
    drive.go(340.0)
    # A twentieth is 19.8 m, more than which is 20 points of 1 m.
    assert len(speeds(drive)) == (340 - 2 - 1) // 20
    drive.go(ROUTE_END)
    assert len(speeds(drive)) == 19 + 2


def test_last_value_is_booked_twice_when_the_route_ends_by_itself(drive: Drive) -> None:
    other = drive.spawn("vehicle.audi.tt", role=Role.BACKGROUND)
    for x in range(10, 399, 4):
        set_speed(drive.w, other, 2.0 + x / 100)
        drive.go(float(x))
    assert end(drive) is RouteEnd.COMPLETED
    values = speeds(drive)
    assert values[-1] == values[-2]
    assert len(set(values)) == len(values) - 1


def test_last_value_is_booked_once_when_an_exception_ends_the_route(drive: Drive) -> None:
    drive.go(390.0)
    before = len(speeds(drive))
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.AGENT_CRASHED))
    assert len(speeds(drive)) == before + 1


def test_no_last_value_before_95_percent_of_the_route(drive: Drive) -> None:
    drive.go(370.0)
    before = len(speeds(drive))
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.AGENT_CRASHED))
    assert len(speeds(drive)) == before


def test_value_compares_the_ego_with_the_mean_of_background_vehicles(drive: Drive) -> None:
    for speed, role in ((4.0, Role.BACKGROUND), (12.0, Role.BACKGROUND), (100.0, Role.SCENARIO), (100.0, Role.FLOW)):
        set_speed(drive.w, drive.spawn("vehicle.audi.tt", role=role), speed)
    drive.go(30.0, speed=10.0)
    assert speeds(drive) == ["125.0"]


def test_ticks_without_background_vehicles_do_not_count(drive: Drive) -> None:
    other = drive.spawn("vehicle.audi.tt", role=Role.BACKGROUND)
    set_speed(drive.w, other, 5.0)
    drive.go(12.0, speed=10.0)
    remove_actor(drive.w, other)
    drive.go(30.0, speed=2.0)
    assert speeds(drive) == ["200.0"]


def test_standing_traffic_gives_100(drive: Drive) -> None:
    drive.spawn("vehicle.audi.tt", role=Role.BACKGROUND)
    drive.go(30.0)
    assert speeds(drive) == ["100"]


def test_speeds_of_the_tick_that_passes_a_checkpoint_belong_to_the_next_one(drive: Drive) -> None:
    other = drive.spawn("vehicle.audi.tt", role=Role.BACKGROUND)
    set_speed(drive.w, other, 10.0)
    drive.go(22.0, speed=10.0)
    assert speeds(drive) == []
    set_speed(drive.w, other, 1.0)
    drive.go(22.5, speed=10.0)
    assert speeds(drive) == ["100.0"]


# Deviation


def test_leaving_the_route_by_30_m_ends_it_at_once(drive: Drive) -> None:
    drive.go(50.0)
    drive.put(50.0, LANE_Y + 29.9)
    drive.tick()
    assert end(drive) is RouteEnd.RUNNING
    drive.put(50.0, LANE_Y + 30.1)
    drive.tick()
    assert end(drive) is RouteEnd.DEVIATED
    assert drive.messages("route_dev") == ["Agent deviated from the route at (x=50.0, y=31.85, z=0.0)"]
    assert route_status(drive.c) == "Failed - Agent deviated from the route"


def test_15_m_beside_the_route_is_allowed_for_30_percent_of_it(drive: Drive) -> None:
    length = drive.routes.trace_distance[-1]
    drive.go(50.0)
    drive.put(50.0, LANE_Y + 15.1)
    drive.go(50.0 + 0.29 * length, LANE_Y + 15.1)
    assert end(drive) is RouteEnd.RUNNING
    drive.go(50.0 + 0.32 * length, LANE_Y + 15.1)
    assert end(drive) is RouteEnd.DEVIATED


def test_less_than_15_m_beside_the_route_is_no_deviation(drive: Drive) -> None:
    drive.go(50.0)
    drive.put(50.0, LANE_Y + 14.9)
    drive.go(350.0, LANE_Y + 14.9)
    assert drive.messages("route_dev") == []
    assert end(drive) is RouteEnd.RUNNING


def test_deviation_beside_the_goal_leaves_a_completed_route_completed(drive: Drive) -> None:
    while not drive.c["completed"]:
        drive.go(float(drive.w["x"][EGO]) + 0.5)
    drive.put(395.0, LANE_Y + 31.0)
    drive.tick()
    assert end(drive) is RouteEnd.DEVIATED
    assert route_status(drive.c) == "Completed"
    assert drive.messages("route_dev")


# Blocked


def test_standing_for_a_minute_ends_the_route(drive: Drive) -> None:
    drive.go(10.0)
    drive.stand(1199)
    assert end(drive) is RouteEnd.RUNNING
    drive.stand(1)
    assert end(drive) is RouteEnd.BLOCKED
    assert drive.messages("vehicle_blocked") == ["Agent got blocked at (x=10.0, y=1.75, z=0.0)"]
    assert route_status(drive.c) == "Failed - Agent got blocked"


def test_creeping_at_a_tenth_of_a_metre_per_second_is_not_standing(drive: Drive) -> None:
    drive.stand(1000)
    set_speed(drive.w, EGO, 0.1)
    drive.tick()
    drive.stand(1199)
    assert end(drive) is RouteEnd.RUNNING


def test_blocked_test_sleeps_while_a_scenario_says_so_and_then_starts_afresh(drive: Drive) -> None:
    drive.stand(1100)
    drive.switches["blocked_test_off"] = 1
    drive.stand(2000)
    assert end(drive) is RouteEnd.RUNNING
    drive.switches["blocked_test_off"] = 0
    drive.tick(600)  # beyond the minute that began before the scenario
    assert end(drive) is RouteEnd.RUNNING


def test_blocked_test_ends_the_route_a_minute_after_it_is_switched_on_again(drive: Drive) -> None:
    drive.switches["blocked_test_off"] = 1
    drive.stand(100)
    drive.switches["blocked_test_off"] = 0
    drive.stand(1200)
    assert end(drive) is RouteEnd.RUNNING
    drive.stand(1)
    assert end(drive) is RouteEnd.BLOCKED


# Caps and time-outs


def test_tick_cap_ends_the_route_with_its_partial_score(drive: Drive) -> None:
    drive.switches["blocked_test_off"] = 1
    drive.go(100.0)
    drive.stand(4000 - int(drive.c["tick"]))
    assert end(drive) is RouteEnd.RUNNING
    drive.tick()
    assert end(drive) is RouteEnd.TICK_CAP
    assert route_status(drive.c) == "Failed - TickRuntime"
    assert 24 < route_completed(drive.c) < 25
    assert drive.names() == []


def test_collision_while_the_world_ticks_for_the_last_time_counts(drive: Drive) -> None:
    drive.c["tick_cap"] = 10
    car = drive.spawn("vehicle.audi.tt")
    drive.go(7.0)
    assert drive.c["tick"] == 10
    drive.touch(car)
    drive.tick()
    assert end(drive) is RouteEnd.TICK_CAP
    assert len(drive.messages("collisions_vehicle")) == 1


def test_route_timeout_needs_a_protocol_without_tick_cap(drive: Drive) -> None:
    drive.c["tick_cap"] = 0
    drive.switches["blocked_test_off"] = 1
    drive.stand(6000)
    assert end(drive) is RouteEnd.RUNNING
    drive.stand(1)
    assert end(drive) is RouteEnd.TIMED_OUT
    assert drive.messages("route_timeout") == ["Route timeout."]
    assert route_status(drive.c) == "Failed - Agent timed out"


def test_progress_adds_time_at_a_tenth_of_the_speed_limit(drive: Drive) -> None:
    drive.go(103.0)
    metres = drive.routes.trace_distance[100]
    assert drive.c["timeout"] == pytest.approx(300.0 + metres / (0.1 * SPEED_LIMIT))


def test_each_scenario_timeout_is_one_infraction(drive: Drive) -> None:
    drive.go(10.0)
    drive.switches["scenario_timeouts"] = 1
    drive.tick(2)
    drive.switches["scenario_timeouts"] = 3
    drive.tick(2)
    assert drive.messages("scenario_timeouts") == ["Agent timed out a scenario"] * 3


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (RouteEnd.AGENT_CRASHED, "Failed - Agent crashed"),
        (RouteEnd.AGENT_NOT_SET_UP, "Failed - Agent couldn't be set up"),
        (RouteEnd.SENSORS_INVALID, "Failed - Agent's sensors were invalid"),
        (RouteEnd.SIMULATION_CRASHED, "Failed - Simulation crashed"),
        (RouteEnd.INTERRUPTED, "Failed"),
    ],
)
def test_ends_from_outside_have_their_official_status(drive: Drive, reason: RouteEnd, status: str) -> None:
    drive.go(20.0)
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(reason))
    assert end(drive) is reason
    assert route_status(drive.c) == status


def test_short_route_is_judged_to_its_end() -> None:
    drive = Drive(routes=straight_route(2.0, 8.0))
    drive.go(8.5)
    drive.tick()
    assert end(drive) is RouteEnd.COMPLETED
    assert all(i.name == "min_speed_infractions" for i in infraction_list(drive.c))


def test_westward_route_is_judged_like_an_eastward_one() -> None:
    drive = Drive(routes=straight_route(398.0, 2.0, -LANE_Y), yaw=np.pi)
    drive.go(2.0, -LANE_Y)
    assert end(drive) is RouteEnd.COMPLETED
    assert drive.names() == []
