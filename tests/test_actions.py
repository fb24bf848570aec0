"""Action spaces drive where they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_world import smoke

from agents.expert import Expert
from envs import RouteEnv, RouteVectorEnv
from envs.actions import ACTIONS, Codebook, ControlGrid, Path, RouteSpeed, Trajectory, make_action, register_action
from envs.actions.direct import GridControl
from envs.actions.tracked import META_ACTIONS
from envs.world import EpisodeStart, WorldBatch
from simulator.state import EGO

ROUTES = [1, 3, 5]


def pose(env: RouteVectorEnv, b: int = 0) -> tuple[float, float, float, float]:
    w = env.batch.worlds[b]
    return tuple(float(w[name][EGO]) for name in ("x", "y", "yaw", "speed"))  # type: ignore[return-value]


def rolling(action, speed: float = 8.0, route: int = 0, **settings) -> RouteVectorEnv:
    """A lone ego that rolls along its route."""
    env = RouteVectorEnv(1, smoke(), action=action, tick_cap=0, **settings)
    env.reset(seed=0, options={"route": route})
    w = env.batch.worlds[0]
    w["kind"][1:] = 0
    w["bg_enabled"] = 0
    w["speed"][EGO] = speed
    w["vx"][EGO], w["vy"][EGO] = speed * math.cos(w["yaw"][EGO]), speed * math.sin(w["yaw"][EGO])
    return env


@pytest.mark.parametrize("name", ACTIONS)
def test_any_sample_of_a_space_is_driven(name: str) -> None:
    env = RouteVectorEnv(3, smoke(), action=name)
    env.reset(seed=0)
    env.action_space.seed(1)
    for _ in range(40):
        observations, rewards, *_ = env.step(env.action_space.sample())
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()


@pytest.mark.parametrize("name", ["trajectory", "path", "route_speed", "meta"])
def test_the_same_decisions_drive_the_same_bits_in_any_batch(name: str) -> None:
    many, alone = RouteVectorEnv(3, smoke(), action=name), RouteVectorEnv(1, smoke(), action=name)
    many.reset(seed=[4, 5, 6])
    alone.reset(seed=[5])
    many.action_space.seed(2)
    for _ in range(40):
        actions = many.action_space.sample()
        together = many.step(actions)
        single = alone.step(actions[1:2])
        assert (together[0][1] == single[0][0]).all()


# Direct control


def test_grid_actions_are_pedals_and_steers() -> None:
    grid = ControlGrid(pedals=(-1.0, 0.5), steers=(-0.2, 0.0, 0.2))
    batch = WorldBatch(smoke(), 6)
    actions = GridControl(batch, grid)
    actions.decide(np.arange(6))
    assert actions.controls.tolist() == [
        [0.0, 1.0, -0.2], [0.0, 1.0, 0.0], [0.0, 1.0, 0.2], [0.5, 0.0, -0.2], [0.5, 0.0, 0.0], [0.5, 0.0, 0.2],
    ]  # fmt: skip


def test_vehicle_control_is_carlas() -> None:
    env = RouteVectorEnv(1, smoke(), action="vehicle_control")
    env.reset(seed=0)
    env.step(np.array([[0.4, 0.1, -0.3]]))
    w = env.batch.worlds[0]
    assert [w[name][EGO] for name in ("throttle", "brake", "steer")] == pytest.approx([0.4, 0.1, -0.3])


# Trajectories


@pytest.mark.parametrize("controller", ["pursuit", "pid"])
@pytest.mark.parametrize(("points", "interval", "skip"), [(8, 0.5, 2), (8, 0.5, 10), (6, 0.2, 4)])
def test_trajectories_lead_where_the_expert_was(controller: str, points: int, interval: float, skip: int) -> None:
    """The expert's own places, asked for again: on its way, and when it was there."""
    ticks = 400
    batch = WorldBatch(smoke(), len(ROUTES), log=True)
    expert = Expert()
    expert.bind(batch)
    for b, route in enumerate(ROUTES):
        batch.reset(b, EpisodeStart(route, b))
        expert.reset(b, b)
    start = np.stack([batch.worlds["x"][:, EGO], batch.worlds["y"][:, EGO]], -1)[:, None]
    for _ in range(ticks):
        batch.tick(expert.act())
    places = np.concatenate([start, batch.log[:, :ticks, :2]], 1)
    ends = [int(np.flatnonzero(np.any(way != 0, axis=1))[-1]) for way in places]
    env = RouteVectorEnv(len(ROUTES), smoke(), action=Trajectory(points, interval, controller), frame_skip=skip)
    env.reset(seed=0)
    for b, route in enumerate(ROUTES):
        env._chunks[0].begin(b, EpisodeStart(route, b))
    across, behind = [], []
    for tick in range(0, min(ends) - skip - 1, skip):
        w = env.batch.worlds
        x, y, yaw = (w[name][:, EGO][:, None] for name in ("x", "y", "yaw"))
        at = np.minimum(tick + np.arange(1, points + 1) * round(interval / 0.05), min(ends))
        dx, dy = places[:, at, 0] - x, places[:, at, 1] - y
        env.step(np.stack([dx * np.cos(yaw) + dy * np.sin(yaw), -dx * np.sin(yaw) + dy * np.cos(yaw)], -1))
        here = np.stack([w["x"][:, EGO], w["y"][:, EGO]], -1)[:, None]
        away = np.linalg.norm(places - here, axis=-1)
        across.append(away.min(axis=1))
        behind.append(away[:, tick + skip])
    assert np.mean(across) < (0.05 if controller == "pursuit" else 0.25)
    assert np.mean(behind) < (0.25 if controller == "pursuit" else 1.5)


def test_a_trajectory_that_stops_brings_the_ego_to_a_stand_there() -> None:
    env = rolling(Trajectory(8, 0.5))
    x, y, yaw, _ = pose(env)
    place = np.array([3.6, 6.6, 8.9, 10.5, 11.5, 12.0, 12.0, 12.0])
    for k in range(60):
        at = np.interp((k + np.arange(1, 9) * 5) * 0.1, np.arange(9) * 0.5, [0.0, *place])
        nx, ny, _, _ = pose(env)
        gone = (nx - x) * math.cos(yaw) + (ny - y) * math.sin(yaw)
        env.step(np.stack([at - gone, np.zeros(8)], -1)[None])
    nx, ny, _, speed = pose(env)
    assert speed == 0.0
    assert math.hypot(nx - x, ny - y) == pytest.approx(12.0, abs=0.6)


def test_who_is_far_behind_a_plan_does_not_brake_because_the_plan_slows_down() -> None:
    """20 m in the first half second cannot be; from there on the plan is as fast as the ego, which has to catch up."""
    env = rolling(Trajectory(8, 0.5), speed=8.0)
    actions = env._chunks[0].actions
    actions.decide(np.stack([20.0 + 4.0 * np.arange(8), np.zeros(8)], -1)[None])
    for _ in range(10):
        actions.control()
        throttle, brake, _ = actions.controls[0]
        assert (throttle, brake) == (1.0, 0.0)
        env.batch.tick(actions.controls)


def test_points_behind_are_waited_for() -> None:
    env = rolling(Trajectory(4, 0.5), speed=0.0)
    x, y, yaw, _ = pose(env)
    for _ in range(20):
        env.step(np.array([[[-1.0, 0.0], [-1.0, 0.1], [-1.0, 0.0], [-1.1, 0.0]]]))
    nx, ny, nyaw, speed = pose(env)
    assert (nx, ny, nyaw, speed) == (x, y, yaw, 0.0)


def test_right_is_right() -> None:
    env = rolling(Trajectory(8, 0.5))
    yaw = pose(env)[2]
    t = np.arange(1, 9) * 0.5
    for _ in range(5):
        env.step(np.stack([8.0 * t, 0.4 * t**2], -1)[None])
    assert math.sin(pose(env)[2] - yaw) > 0.02


# Tokens


def test_tokens_are_the_trajectories_of_their_codebook() -> None:
    t = np.arange(1, 9) * 0.5
    book = np.stack([np.stack([8.0 * t, side * t**2], -1) for side in (-0.4, 0.0, 0.4)])
    by_token, by_way = rolling(Codebook(book)), rolling(Trajectory(8, 0.5))
    for token in (0, 2, 2, 1, 0):
        by_token.step(np.array([token]))
        by_way.step(book[token][None])
    assert pose(by_token) == pose(by_way)


def test_a_codebook_plugs_in_by_name() -> None:
    book = Codebook(np.ones((4, 6, 3)))
    register_action("my_tokens", lambda batch: make_action(book, batch))
    try:
        assert RouteEnv(smoke(), action="my_tokens").action_space.n == 4
        with pytest.raises(ValueError, match="exists"):
            register_action("my_tokens", lambda batch: make_action(book, batch))
    finally:
        del ACTIONS["my_tokens"]


# Paths and speeds


def test_a_target_speed_is_reached_and_kept() -> None:
    env = rolling("route_speed", speed=0.0, route=0)
    for _ in range(80):
        env.step(np.array([[0.0, 0.0]]))  # the middle of 0..20 m/s
    assert pose(env)[3] == pytest.approx(10.0, abs=0.3)
    for _ in range(60):
        env.step(np.array([[-1.0, 0.0]]))
    assert pose(env)[3] == 0.0


@pytest.mark.parametrize("wanted", [-1.5, 1.5])
def test_an_offset_from_the_route_is_reached(wanted: float) -> None:
    env = rolling(RouteSpeed(top_speed=16.0, offset=3.0), route=0)
    for _ in range(50):
        env.step(np.array([[0.0, wanted / 3.0]]))
    assert float(env.batch.worlds["path_offset"][0]) == pytest.approx(wanted, abs=0.15)


def test_a_path_is_followed_at_its_speed() -> None:
    env = rolling(Path(points=10))
    x, y, yaw, _ = pose(env)
    ways = np.arange(1, 11) * 3.0
    for _ in range(30):
        nx, ny, nyaw, _ = pose(env)
        gone = (nx - x) * math.cos(yaw) + (ny - y) * math.sin(yaw)
        # straight on along the first heading, seen from where the ego is
        px, py = x + (gone + ways) * math.cos(yaw) - nx, y + (gone + ways) * math.sin(yaw) - ny
        points = np.stack([px * math.cos(nyaw) + py * math.sin(nyaw), -px * math.sin(nyaw) + py * math.cos(nyaw)], -1)
        env.step(np.concatenate([[5.0], points.ravel()])[None])
    nx, ny, _, speed = pose(env)
    assert speed == pytest.approx(5.0, abs=0.2)
    assert abs(-(nx - x) * math.sin(yaw) + (ny - y) * math.cos(yaw)) < 0.05


# Meta-actions


def meta(words: str) -> np.ndarray:
    return np.array([META_ACTIONS.index(words)])


def test_meta_actions_change_the_speed() -> None:
    env = rolling("meta", speed=8.0, decision_hz=2.0)
    for _ in range(4):
        env.step(meta("maintain, keep lane"))
    assert pose(env)[3] == pytest.approx(8.0, abs=0.3)
    env.step(meta("accelerate, keep lane"))
    assert pose(env)[3] > 8.5
    for _ in range(3):
        env.step(meta("decelerate, keep lane"))
    assert pose(env)[3] < 7.0
    for _ in range(10):
        env.step(meta("stop, keep lane"))
    assert pose(env)[3] == 0.0


def test_meta_actions_change_lanes() -> None:
    found = 0
    for route in range(len(smoke().routes)):
        for side, word in (("lane_left", "left"), ("lane_right", "right")):
            env = rolling("meta", speed=8.0, route=route, decision_hz=2.0)
            w, net = env.batch.worlds[0], env.batch.routes.net
            lane = int(w["lane"][EGO])
            beside = int(getattr(net, side)[lane])
            if beside < 0 or net.lane_type[beside] != net.lane_type[lane] or net.lane_length[lane] < 45.0:
                continue
            env.step(meta(f"maintain, change {word}"))
            for _ in range(5):
                if int(env.batch.worlds["lane"][0, EGO]) == lane:
                    env.step(meta(f"maintain, change {word}"))
                else:
                    env.step(meta("maintain, keep lane"))
            now = int(env.batch.worlds["lane"][0, EGO])
            assert net.lane_road[now] != net.lane_road[lane] or net.lane_id[now] != net.lane_id[lane]
            assert abs(float(env.batch.worlds["lane_offset"][0, EGO])) < 1.0
            found += 1
    assert found


# Configurations


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trajectory(points=0), "1 to 63 points"),
        (lambda: Trajectory(interval=math.nan), "interval"),
        (lambda: Trajectory(controller="lqr"), "pursuit, pid"),
        (lambda: Path(points=99), "1 to 63 points"),
        (lambda: RouteSpeed(top_speed=-1.0), "top_speed"),
        (lambda: ControlGrid(pedals=(2.0,)), "pedals"),
        (lambda: ControlGrid(steers=()), "steers"),
        (lambda: Codebook(np.ones((3, 2))), "codebook"),
        (lambda: Codebook(np.full((3, 2, 2), np.nan)), "NaN"),
    ],
)
def test_impossible_configurations_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("name", "action", "message"),
    [
        ("grid", 99, "from 0 to 44"),
        ("grid", -1, "from 0 to 44"),
        ("grid", 1.5, "integers"),
        ("meta", [1, 2], "integers"),
        ("trajectory", np.zeros((8, 3)), "finite, of shape"),
        ("trajectory", np.full((8, 2), np.nan), r"nan at index \[0, 0, 0\]"),
        ("path", np.zeros(20), "finite, of shape"),
        ("control", ["fast", "left"], "finite, of shape"),
    ],
)
def test_bad_actions_are_refused_and_move_nothing(name: str, action: object, message: str) -> None:
    env = RouteEnv(smoke(), action=name)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    env.action_space.seed(0)
    assert env.step(env.action_space.sample())[4]["tick"] == 2
