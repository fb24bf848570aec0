"""What holds for every drive: bounds, monotony, copies, resets. Drives are random walks of events."""

from __future__ import annotations

import numpy as np
from criteria_world import LANE_Y, ONCOMING_Y, SIGN_X, STOP_LINE_X, Drive
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard_adapters.criteria import finish_criteria, reset_criteria
from leaderboard_adapters.criteria_events import penalty_so_far
from leaderboard_adapters.criteria_state import CRITERIA, MAP_GEOMETRY, UNCLASSIFIED, RouteEnd, empty_criteria
from leaderboard_adapters.infractions import infraction_list, route_completed, route_status, scores
from leaderboard_adapters.scores import penalty
from simulator.state import LightState, Role

BLUEPRINTS = ("vehicle.audi.tt", "walker.pedestrian.0001", "static.prop.barrel", "vehicle.bh.crossbike")

# One step of a drive: (what, number). Numbers mean different things to different steps.
steps = st.tuples(
    st.sampled_from(["go", "go", "go", "beside", "stand", "touch", "light", "switch", "traffic", "jump"]),
    st.integers(0, 1000),
)
drives = st.lists(steps, min_size=1, max_size=40)


def begin() -> Drive:
    drive = Drive()
    for name in BLUEPRINTS:
        drive.spawn(name)
    drive.spawn("vehicle.ford.ambulance", 30.0, LANE_Y)
    drive.spawn("vehicle.bmw.grandtourer", 30.0, ONCOMING_Y, Role.BACKGROUND)
    return drive


def act(drive: Drive, what: str, number: int) -> None:
    """Do one step of a random drive."""
    w, x, y = drive.w, float(drive.w["x"][0]), float(drive.w["y"][0])
    if what == "go":
        drive.go(x + number / 25.0, y, speed=1.0 + number % 20)
    elif what == "beside":
        drive.go(x + 2.0, (LANE_Y, ONCOMING_Y, LANE_Y, 9.0)[number % 4], speed=8.0)
    elif what == "stand":
        drive.stand(number % 30)
    elif what == "touch":
        drive.touch((MAP_GEOMETRY, UNCLASSIFIED, 1, 2, 3, 4)[number % 6], 1 + number % 4)
        drive.tick()
    elif what == "light":
        drive.lights(LightState(number % 3), 0, 1)
    elif what == "traffic":
        w["vx"][6] = number / 60.0
    elif what == "jump":
        # To where something may happen: the line, the sign, the end; the criteria follow along the route.
        goal = (STOP_LINE_X - 3.0, SIGN_X - 6.0, 380.0)[number % 3]
        while float(w["x"][0]) < goal and not drive.c["finished"]:
            drive.go(min(float(w["x"][0]) + 1.9, goal), y, speed=38.0)
    else:
        switches = drive.switches
        name = ("wrong_direction_test", "blocked_test_off", "double_collision")[number % 3]
        switches[name] = 1 - min(int(switches[name]), 1)
        if number % 7 == 0:
            switches["emergency_slot"] = 5
        if number % 11 == 0:
            switches["emergency_done"] = 1
        if number % 13 == 0:
            switches["scenario_timeouts"] += 1


@settings(max_examples=60)
@given(drives)
def test_scores_stay_in_their_bounds_and_completion_never_falls(drive_steps: list[tuple[str, int]]) -> None:
    drive = begin()
    completion, factor = 0.0, 1.0
    for step in drive_steps:
        act(drive, *step)
        assert completion <= route_completed(drive.c) <= 100
        completion = route_completed(drive.c)
        found = infraction_list(drive.c)
        factor = penalty(found)
        assert 0.0 <= factor <= 1.0
        np.testing.assert_allclose(penalty_so_far(drive.c), factor, rtol=1e-12)
        assert [i.name for i in found if i.name != "outside_route_lanes"].__len__() == (
            drive.c["num_events"] + drive.c["num_speed_events"]
        )
        assert all(0 < i.tick <= drive.c["tick"] for i in found)
    assert scores(drive.c).score_composed == round(completion * factor, 6)
    assert route_status(drive.c).split(" - ")[0] in ("Completed", "Failed")


@settings(max_examples=40)
@given(drives, drives)
def test_copy_of_the_records_goes_on_alike(before: list[tuple[str, int]], after: list[tuple[str, int]]) -> None:
    drive = begin()
    for step in before:
        act(drive, *step)
    twin = drive.copy()
    for step in after:
        act(drive, *step)
    untouched = twin.copy()
    for step in after:
        act(twin, *step)
    assert np.array_equal(twin.criteria, drive.criteria)
    assert infraction_list(twin.c) == infraction_list(drive.c)
    for step in after:
        act(untouched, *step)
    assert np.array_equal(untouched.criteria, drive.criteria)


@settings(max_examples=20)
@given(drives, st.sampled_from([r for r in RouteEnd if r >= RouteEnd.TICK_CAP]))
def test_closing_twice_is_closing_once(drive_steps: list[tuple[str, int]], reason: RouteEnd) -> None:
    drive = begin()
    for step in drive_steps:
        act(drive, *step)
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(reason))
    once = drive.criteria.copy()
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.COMPLETED))
    assert np.array_equal(drive.criteria, once)


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_reset_forgets_whatever_the_record_held(seed: int) -> None:
    garbage = np.random.default_rng(seed).bytes(CRITERIA.itemsize)
    drive = Drive()
    fresh = drive.criteria.copy()
    drive.criteria[:] = np.frombuffer(garbage, CRITERIA)
    reset_criteria(drive.w, drive.c, drive.net, drive.routes)
    assert np.array_equal(drive.criteria, fresh)


def test_fresh_record_differs_from_a_reset_one_only_in_where_the_ego_stands() -> None:
    drive = Drive()
    empty = empty_criteria(1)
    differing = {name for name in CRITERIA.names or () if not np.array_equal(drive.criteria[name], empty[name])}
    assert differing <= {
        "cached_x",
        "cached_y",
        "cached_z",
        "ego_lane",
        "ego_lane_s",
        "ego_lane_x",
        "ego_lane_y",
        "ego_lane_z",
        "ego_lane_yaw",
        "weather_index",
    }
