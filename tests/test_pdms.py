"""PDMS and EPDMS: sums, pairing, tracking, and what plans and drives are worth in a running world."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_world import smoke

from agents.autopilot import Autopilot, RouteFollower
from agents.expert import Expert
from envs import RouteEnv, RouteVectorEnv, score_plans
from envs.window_scores import WindowScores
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.boxes import boxes_overlap
from leaderboard_adapters.pdms import ego_progress, epdms, pdms
from leaderboard_adapters.pdms.aggregate import make_scores
from leaderboard_adapters.pdms.comfort import is_comfortable, plans_agree
from leaderboard_adapters.pdms.score import (
    AGAINST,
    COLUMNS,
    DAC,
    DDC,
    JUNCTION,
    LK,
    OFF_ROAD,
    OFFSET,
    RED,
    SEVERAL,
    SPEED,
    TLC,
    X,
    judge_collisions,
    judge_road,
    judge_ttc,
)
from leaderboard_adapters.pdms.simulate import PACIFICA, interpolate_plan, plan_headings, track_plans
from simulator.actors import spawn_actor
from simulator.blueprints import blueprint_index
from simulator.state import EGO, Role

REAR, HALF_LENGTH, HALF_WIDTH = 1.4, 2.45, 1.09
TIMES = np.arange(1, 9) * 0.5


# Sums


@pytest.mark.parametrize(
    ("values", "pdm", "extended"),
    [
        ({"progress": 0.8}, 11.0 / 12.0, 13.0 / 14.0),
        ({"progress": 0.8, "extended_comfort": 1.0}, 0.916667, 0.9375),
        ({"progress": 0.8, "no_collision": 0.5, "extended_comfort": 1.0}, 0.458333, 0.46875),
        ({"drivable_area": 0.0}, 0.0, 0.0),
        ({"driving_direction": 0.5}, 1.0, 0.5),
        ({"traffic_lights": 0.0}, 1.0, 0.0),
        ({"lane_keeping": 0.0, "history_comfort": 0.0, "extended_comfort": 0.0}, 1.0, 10.0 / 16.0),
        ({"comfort": 0.0}, 10.0 / 12.0, 1.0),
        ({"time_to_collision": 0.0, "extended_comfort": 1.0}, 7.0 / 12.0, 11.0 / 16.0),
    ],
)
def test_sums(values: dict, pdm: float, extended: float) -> None:
    scores = make_scores(1, **values)
    assert float(pdms(scores)[0]) == pytest.approx(pdm, abs=1e-6)
    assert float(epdms(scores)[0]) == pytest.approx(extended, abs=1e-6)


def test_what_a_human_fails_too_is_not_held_against_a_plan() -> None:
    plan, human = make_scores(1, drivable_area=0.0), make_scores(1, drivable_area=0.0)
    assert epdms(plan)[0] == 0.0
    assert epdms(plan, human)[0] == 1.0


@pytest.mark.parametrize("version", [1, 2])
def test_progress_pairs_each_plan_with_the_reference_alone(version: int) -> None:
    """Reference 30 m, plans of 20 and 40 m: 2/3 and 1; together the slower one would get a half."""
    np.testing.assert_allclose(ego_progress([20.0, 40.0], 30.0, version=version), [2.0 / 3.0, 1.0])


def test_little_progress_is_not_compared() -> None:
    assert ego_progress([1.0, 0.0], 4.0).tolist() == [1.0, 1.0]
    assert ego_progress([1.0, 0.0], 4.0, [1.0, 0.0], version=1).tolist() == [1.0, 0.0]


def test_gates_of_a_plan_count_for_its_progress_in_the_first_version() -> None:
    assert ego_progress([20.0], 20.0, [0.0], version=1)[0] == 0.0
    assert ego_progress([20.0], 20.0, [0.0], version=2)[0] == 1.0
    assert ego_progress([20.0], 40.0, 1.0, 0.0)[0] == 1.0  # a reference that crashes is no reference


# Tracking


def straight(speed: float, count: int = 1) -> np.ndarray:
    return np.tile(np.stack([speed * TIMES, 0 * TIMES, 0 * TIMES], -1), (count, 1, 1))


def test_a_straight_plan_at_the_present_speed_is_driven_exactly() -> None:
    driven = track_plans(interpolate_plan(straight(8.0)), 8.0)
    np.testing.assert_allclose(driven.x[0], np.arange(41) * 0.8, atol=0.02)
    np.testing.assert_allclose(driven.y[0], 0.0, atol=1e-9)
    np.testing.assert_allclose(driven.longitudinal[0], 0.0, atol=0.02)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_curve_is_tracked_to_its_side(side: float) -> None:
    yaw = side * 8.0 * TIMES / 40.0
    plan = np.stack([40.0 * np.sin(np.abs(yaw)), side * 40.0 * (1.0 - np.cos(yaw)), yaw], -1)[None]
    driven = track_plans(interpolate_plan(plan), 8.0)
    assert math.hypot(driven.x[0, -1] - plan[0, -1, 0], driven.y[0, -1] - plan[0, -1, 1]) < 0.6
    assert driven.yaw[0, -1] == pytest.approx(plan[0, -1, 2], abs=0.1)
    assert np.sign(driven.yaw_rate[0, 5:]).tolist() == [side] * 36


def test_plans_do_not_notice_one_another() -> None:
    plans = np.concatenate(
        [straight(3.0), straight(9.0), plan_headings(np.stack([6.0 * TIMES, 0.2 * TIMES**2], -1)[None])]
    )
    together = track_plans(interpolate_plan(plans), 6.0)
    for k in range(3):
        alone = track_plans(interpolate_plan(plans[k : k + 1]), 6.0)
        np.testing.assert_allclose(together.x[k], alone.x[0], atol=1e-9)


def test_a_standing_vehicle_stays_where_its_plan_stays() -> None:
    driven = track_plans(interpolate_plan(np.zeros((1, 8, 3))), 0.0)
    assert np.abs(driven.x).max() < 1e-6


def test_the_centre_feels_the_turn() -> None:
    yaw = 8.0 * TIMES / 40.0
    plan = np.stack([40.0 * np.sin(yaw), 40.0 * (1.0 - np.cos(yaw)), yaw], -1)[None]
    driven = track_plans(interpolate_plan(plan), 8.0)
    longitudinal, _ = driven.centre_acceleration(PACIFICA)
    rate = driven.yaw_rate[0, -1]
    assert longitudinal[0, -1] - driven.longitudinal[0, -1] == pytest.approx(-1.461 * rate**2)


# Comfort


def test_bounds_of_comfort() -> None:
    zero = np.zeros((1, 41))
    assert is_comfortable(zero, zero, zero)[0] == 1.0
    assert is_comfortable(zero + 2.5, zero, zero)[0] == 0.0
    assert is_comfortable(zero - 4.0, zero, zero)[0] == 1.0
    assert is_comfortable(zero, zero + 4.9, zero)[0] == 0.0
    assert is_comfortable(zero, zero, np.linspace(0.0, 4.0, 41)[None])[0] == 0.0  # 1 rad/s
    assert is_comfortable(np.where(np.arange(41) < 20, 2.0, -4.0)[None], zero, zero)[0] == 0.0  # jerk


def test_plans_agree_where_they_overlap() -> None:
    zero = np.zeros((1, 41))
    gentle = (zero + 1.0, zero, zero)
    assert plans_agree(gentle, gentle)[0] == 1.0
    assert plans_agree(gentle, (zero + 1.8, zero, zero))[0] == 0.0
    assert plans_agree(gentle, (zero + 1.6, zero, zero))[0] == 1.0


# Collisions and time to collision, on boxes by hand


def ego_states(speed: float = 5.0, **flags: float) -> np.ndarray:
    states = np.zeros((41, COLUMNS))
    states[:, X] = np.arange(41) * 0.1 * speed
    states[:, SPEED] = speed
    for name, value in flags.items():
        states[:, {"several": SEVERAL, "off_road": OFF_ROAD, "junction": JUNCTION}[name]] = value
    return states


def other(x: float, y: float, speed: float = 0.0, yaw: float = 0.0, states: int = 51) -> np.ndarray:
    t = np.arange(states) * 0.1
    way = np.zeros((1, states, 5))
    way[0, :, 0], way[0, :, 1] = x + speed * t * math.cos(yaw), y + speed * t * math.sin(yaw)
    way[0, :, 2], way[0, :, 3], way[0, :, 4] = yaw, speed, 1.0
    return way


CAR, CONE = np.array([[2.3, 1.0, 0.0]]), np.array([[0.3, 0.3, 1.0]])


@pytest.mark.parametrize(
    ("way", "sizes", "flags", "score"),
    [
        (other(15.0, 0.0), CAR, {}, 0.0),  # a standing car
        (other(15.0, 0.0), CONE, {}, 0.5),  # a standing thing
        (other(12.0, 0.0, 2.0), CAR, {}, 0.0),  # a slower car, with the front
        (other(-7.0, 0.0, 9.0), CAR, {}, 1.0),  # rear-ended
        (other(8.0, -9.0, 4.0, math.pi / 2), CAR, {}, 1.0),  # hit from the side, in the own lane
        (other(8.0, -9.0, 4.0, math.pi / 2), CAR, {"several": 1.0}, 0.0),  # the same in two lanes
        (other(8.0, -9.0, 4.0, math.pi / 2), CAR, {"off_road": 1.0}, 0.0),
        (other(15.0, 5.0), CAR, {}, 1.0),  # passed
    ],
)
def test_collisions_are_judged_by_fault(way: np.ndarray, sizes: np.ndarray, flags: dict, score: float) -> None:
    assert judge_collisions(ego_states(**flags), REAR, HALF_LENGTH, HALF_WIDTH, way, sizes) == score


def test_a_standing_ego_is_never_at_fault() -> None:
    assert judge_collisions(ego_states(0.0), REAR, HALF_LENGTH, HALF_WIDTH, other(10.0, 0.0, -3.0), CAR) == 1.0


@pytest.mark.parametrize(
    ("way", "flags", "score"),
    [
        (other(28.0, 0.0), {}, 0.0),  # reached with the last projection only
        (other(31.0, 0.0), {}, 1.0),
        (other(9.0, 0.0, 5.0), {}, 1.0),  # as fast as the ego
        (other(14.0, 8.0, 4.0, -math.pi / 2), {"junction": 1.0}, 0.0),  # from the side, in a junction
    ],
)
def test_time_to_collision(way: np.ndarray, flags: dict, score: float) -> None:
    assert judge_ttc(ego_states(**flags), REAR, HALF_LENGTH, HALF_WIDTH, way, CAR, 41) == score


def test_who_comes_from_behind_is_not_run_into() -> None:
    assert judge_ttc(ego_states(1.0), REAR, HALF_LENGTH, HALF_WIDTH, other(-6.0, 0.0, 3.0), CAR, 41) == 1.0


def test_the_second_version_looks_at_fewer_states() -> None:
    late = other(27.0, 0.0)  # met by projections from state 36 on
    late[0, :36, 4] = 0.0
    assert judge_ttc(ego_states(), REAR, HALF_LENGTH, HALF_WIDTH, late, CAR, 41) == 0.0
    assert judge_ttc(ego_states(), REAR, HALF_LENGTH, HALF_WIDTH, late, CAR, 26) == 1.0


# Rules of the road, on flags by hand


@pytest.mark.parametrize(("metres", "score"), [(1.9, 1.0), (2.1, 0.5), (5.9, 0.5), (6.1, 0.0)])
def test_driving_against_the_traffic_adds_up_within_a_second(metres: float, score: float) -> None:
    states, scores = ego_states(metres), np.zeros(6)  # metres a second
    states[20:31, AGAINST] = 1.0
    judge_road(states, scores)
    assert scores[DDC] == score
    states[:, JUNCTION] = 1.0
    judge_road(states, scores)
    assert scores[DDC] == 1.0


def test_lanes_are_kept_unless_left_for_two_seconds() -> None:
    states, scores = ego_states(), np.zeros(6)
    states[5:24, OFFSET] = 0.6
    judge_road(states, scores)
    assert scores[LK] == 1.0
    states[5:25, OFFSET] = -0.6
    judge_road(states, scores)
    assert scores[LK] == 0.0
    states[10, JUNCTION] = 1.0  # skipped, and the count goes on: 19 of 20 are left
    judge_road(states, scores)
    assert scores[LK] == 1.0
    states[25, OFFSET] = -0.6
    judge_road(states, scores)
    assert scores[LK] == 0.0


def test_one_state_off_the_road_or_on_red_is_enough() -> None:
    states, scores = ego_states(), np.zeros(6)
    judge_road(states, scores)
    assert scores[DAC] == scores[TLC] == 1.0
    states[40, OFF_ROAD] = states[0, RED] = 1.0
    judge_road(states, scores)
    assert scores[DAC] == scores[TLC] == 0.0


def test_boxes_overlap_like_polygons() -> None:
    draws = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        a = (*draws.uniform(-3, 3, 2), draws.uniform(-4, 4), *draws.uniform(0.3, 2.5, 2))
        b = (*draws.uniform(-3, 3, 2), draws.uniform(-4, 4), *draws.uniform(0.3, 2.5, 2))
        points = draws.uniform(-1, 1, (400, 2)) * [a[3], a[4]]
        x = a[0] + points[:, 0] * math.cos(a[2]) - points[:, 1] * math.sin(a[2]) - b[0]
        y = a[1] + points[:, 0] * math.sin(a[2]) + points[:, 1] * math.cos(a[2]) - b[1]
        inside = (np.abs(x * math.cos(b[2]) + y * math.sin(b[2])) < b[3]) & (
            np.abs(-x * math.sin(b[2]) + y * math.cos(b[2])) < b[4]
        )
        hits += int(inside.any())
        if inside.any():
            assert boxes_overlap(*a, *b)
        assert boxes_overlap(*a, *b) == boxes_overlap(*b, *a)
    assert 100 < hits < 300


# Plans in a running world


@pytest.fixture(scope="module")
def rolling() -> RouteEnv:
    """A route that goes straight on, the ego at some speed."""
    env = RouteEnv(smoke())
    env.reset(seed=0, options={"route": 3})
    for _ in range(30):
        env.step(np.array([0.6, 0.0]))
    return env


def plans_at(env: RouteEnv, *shares: float) -> np.ndarray:
    speed = float(env._vector.batch.worlds["speed"][0, EGO])
    return np.stack([np.stack([share * speed * TIMES, 0.0 * TIMES], -1) for share in shares])


@pytest.mark.parametrize("traffic", ["frozen", "reactive"])
def test_going_on_is_worth_more_than_standing_or_leaving_the_road(rolling: RouteEnv, traffic: str) -> None:
    speed = float(rolling._vector.batch.worlds["speed"][0, EGO])
    leave = np.stack([speed * TIMES, 0.5 * TIMES**2], -1)[None]
    before = rolling._vector.batch.worlds.tobytes()
    scores = score_plans(rolling, np.concatenate([plans_at(rolling, 1.0, 0.2), leave]), traffic=traffic)
    assert scores.pdms[0] > scores.pdms[1] > scores.pdms[2] == 0.0
    assert scores.epdms[0] > 0.9
    assert scores.sub.drivable_area.tolist() == [1.0, 1.0, 0.0]
    assert scores.raw_progress[0] == pytest.approx(4.0 * speed, rel=0.1)
    assert rolling._vector.batch.worlds.tobytes() == before


def test_a_plan_is_scored_alike_alone_and_among_others(rolling: RouteEnv) -> None:
    plans = plans_at(rolling, 0.5, 1.0, 1.6)
    for traffic in ("frozen", "reactive"):
        together = score_plans(rolling, plans, traffic=traffic)
        for k in range(3):
            alone = score_plans(rolling, plans[k : k + 1], traffic=traffic)
            assert alone.pdms[0] == pytest.approx(together.pdms[k], abs=1e-9)
            assert alone.epdms[0] == pytest.approx(together.epdms[k], abs=1e-9)


def obstacle_ahead(ahead: float) -> RouteEnv:
    env = RouteEnv(smoke())
    env.reset(seed=0, options={"route": 3})
    for _ in range(40):
        env.step(np.array([0.6, 0.0]))
    w = env._vector.batch.worlds[0]
    w["kind"][1:] = 0
    w["bg_enabled"] = 0
    x = w["x"][EGO] + ahead * math.cos(w["yaw"][EGO])
    y = w["y"][EGO] + ahead * math.sin(w["yaw"][EGO])
    slot = spawn_actor(w, blueprint_index("vehicle.audi.a2"), int(Role.SCENARIO), x, y, w["z"][EGO], w["yaw"][EGO])
    assert slot > 0
    return env


@pytest.mark.parametrize("traffic", ["frozen", "reactive"])
def test_running_into_a_standing_car_is_worth_nothing(traffic: str) -> None:
    env = obstacle_ahead(20.0)
    speed = float(env._vector.batch.worlds["speed"][0, EGO])
    on = np.stack([speed * TIMES, 0.0 * TIMES], -1)
    stop = np.stack([np.minimum(speed * TIMES - 0.5 * 3.0 * TIMES**2, speed**2 / 6.0), 0.0 * TIMES], -1)
    stop[int(speed / 3.0 / 0.5) :, 0] = speed**2 / 6.0
    scores = score_plans(env, np.stack([on, stop]), traffic=traffic)
    assert scores.sub.no_collision.tolist() == [0.0, 1.0]
    assert scores.pdms[0] == 0.0
    assert scores.pdms[1] > 0.0


def test_reactive_traffic_answers_and_frozen_traffic_does_not() -> None:
    """Someone behind drives at our speed; a plan that brakes hard is not rear-ended where they react."""
    env = RouteEnv(smoke())
    env.reset(seed=1, options={"route": 3})
    for _ in range(60):
        env.step(np.array([0.6, 0.0]))
    plans = plans_at(env, 1.0, 0.1)
    frozen, reactive = (score_plans(env, plans, traffic=t) for t in ("frozen", "reactive"))
    assert frozen.reference_progress == pytest.approx(reactive.reference_progress, rel=0.3)
    assert (reactive.sub.no_collision == 1.0).all()


def test_the_plan_before_gives_extended_comfort(rolling: RouteEnv) -> None:
    first = score_plans(rolling, plans_at(rolling, 1.0))
    assert np.isnan(first.sub.extended_comfort).all()
    again = score_plans(rolling, plans_at(rolling, 1.0, 3.0), previous=first.states)
    assert again.sub.extended_comfort.tolist() == [1.0, 0.0]


def test_a_rough_past_spoils_history_comfort(rolling: RouteEnv) -> None:
    yaw = float(rolling._vector.batch.worlds["yaw"][0, EGO])
    calm, rough = np.tile([0.0, 0.0, yaw], (15, 1)), np.tile([0.0, 0.0, yaw], (15, 1))
    rough[:, 0] = np.where(np.arange(15) % 8 < 4, -8.0, 3.0)
    for past, comfort in ((calm, 1.0), (rough, 0.0)):
        assert score_plans(rolling, plans_at(rolling, 1.0), history=past).sub.history_comfort[0] == comfort


@pytest.mark.parametrize(
    ("plans", "settings", "message"),
    [
        (np.zeros((1, 4, 2)), {}, "over 4 s or more"),
        (np.zeros((8, 2)), {}, "float"),
        (np.zeros((0, 8, 2)), {}, "float"),
        (np.full((1, 8, 2), np.nan), {}, "NaN"),
        (np.zeros((1, 8, 2)), {"traffic": "log"}, "frozen"),
    ],
)
def test_impossible_plans_are_refused(rolling: RouteEnv, plans: np.ndarray, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_plans(rolling, plans, **settings)


# Drives


def drive(agent, ticks: int = 500) -> WindowScores:
    batch = WorldBatch(smoke(), 3)
    agent.bind(batch)
    windows = WindowScores(batch)
    for b, route in enumerate((1, 3, 5)):
        batch.reset(b, EpisodeStart(route, b))
        agent.reset(b, b)
        windows.begin(b)
    for _ in range(ticks):
        batch.tick(agent.act())
        windows.tick()
    return windows


def test_careful_drivers_score_well_and_better_than_a_blind_one() -> None:
    expert, waiting, blind = drive(Expert()), drive(Autopilot()), drive(RouteFollower())
    best, patient, worst = (np.mean([w.closed_loop(b)[0] for b in range(3)]) for w in (expert, waiting, blind))
    assert best > 0.75
    assert patient > 0.75  # the planner that progress is measured against waits behind obstacles, too
    assert worst < min(best, patient) - 0.1
    assert all(0.0 <= window.epdms <= 1.0 for b in range(3) for window in expert.windows[b])
    assert math.isnan(WindowScores(WorldBatch(smoke(), 1)).closed_loop(0)[0])


def test_windows_come_twice_a_second_from_four_seconds_on() -> None:
    assert [w.tick for w in drive(Autopilot(), 111).windows[0]] == [80, 90, 100, 110]


@pytest.mark.parametrize("name", ["pdms", "epdms"])
def test_the_reward_is_the_windows_score_and_survives_a_snapshot(name: str) -> None:
    env = RouteVectorEnv(2, smoke(), reward=name)
    env.reset(seed=0, options={"route": [3, 5]})
    move = np.tile(np.array([0.4, 0.0]), (2, 1))
    rewards = [env.step(move)[1] for _ in range(60)]
    assert all((r == 0.0).all() for r in rewards[:39])
    assert np.count_nonzero(np.array(rewards)[:, 0]) <= 5
    assert 0.0 < max(r[0] for r in rewards) <= 0.5
    snapshot = env.snapshot(1)
    future = [env.step(move)[1][1] for _ in range(20)]
    env.restore(snapshot, 0)
    assert [env.step(move)[1][0] for _ in range(20)] == future
