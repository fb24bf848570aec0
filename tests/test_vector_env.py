"""The native batch: autoreset modes, threads, buffers, starts, forks, and Gymnasium's wrappers around it."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from sim_world import smoke

from envs import EnvSnapshot, RouteEnv, RouteVectorEnv
from envs.observations.bev import BevConfig
from leaderboard_adapters.records import INFRACTION_NAMES, RouteResult

FORWARD = np.array([0.5, 0.0], np.float32)


def drive(env: RouteVectorEnv) -> np.ndarray:
    return np.tile(FORWARD, (env.num_envs, 1))


def capped(mode: str | AutoresetMode, **settings) -> RouteVectorEnv:
    """Two worlds; the first is truncated after ten ticks, that is in its sixth step."""
    env = RouteVectorEnv(2, smoke(), autoreset_mode=mode, **settings)
    env.reset(seed=0, options={"route": [0, 1]})
    env.batch.criteria["tick_cap"][0] = 10
    return env


# Autoreset


def test_same_step_begins_anew_in_the_step_that_ends() -> None:
    env = capped("SameStep")
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    for _ in range(5):
        observations, _, terminated, truncated, infos = env.step(drive(env))
        assert not (terminated | truncated).any()
        assert "final_obs" not in infos
    before = observations
    observations, rewards, terminated, truncated, infos = env.step(drive(env))
    assert (terminated.tolist(), truncated.tolist()) == ([False, False], [True, False])
    assert infos["_final_obs"].tolist() == [True, False]
    assert infos["final_obs"][1] is None
    assert infos["tick"].tolist() == [0, 12]  # the new episode, and the one that goes on
    last = infos["final_info"]
    assert isinstance(last["result"][0], RouteResult)
    assert last["tick"][0] == 11
    assert last["_result"].tolist() == [True, False]
    # the final observation is that of the end, not of the new episode
    assert (infos["final_obs"][0] != observations[0]).any()
    assert np.abs(infos["final_obs"][0] - before[0]).max() < 0.5
    assert env.step(drive(env))[4]["tick"].tolist() == [2, 14]


def test_same_step_and_next_step_drive_the_same_episodes() -> None:
    def episodes(mode: str) -> list[tuple[str, float]]:
        env = RouteVectorEnv(1, smoke(), autoreset_mode=mode, tick_cap=30)
        env.reset(seed=3)
        found, total = [], 0.0
        while len(found) < 4:
            _, rewards, terminated, truncated, infos = env.step(drive(env))
            total += float(rewards[0])
            if terminated[0] or truncated[0]:
                result = infos["result"][0] if "result" in infos else infos["final_info"]["result"][0]
                found.append((result.route_id, round(total, 9)))
                total = 0.0
        return found

    assert episodes("SameStep") == episodes("NextStep")


def test_disabled_waits_for_a_reset_of_those_that_have_ended() -> None:
    env = capped("Disabled")
    for _ in range(6):
        _, _, _, truncated, _ = env.step(drive(env))
    assert truncated.tolist() == [True, False]
    with pytest.raises(gym.error.ResetNeeded, match=r"worlds \[0\]"):
        env.step(drive(env))
    _, infos = env.reset(options={"reset_mask": truncated})
    assert infos["tick"].tolist() == [0, 12]
    assert env.step(drive(env))[4]["tick"].tolist() == [2, 14]


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'SameStep'"):
        RouteVectorEnv(1, smoke(), autoreset_mode="SameSteps")


# Threads, buffers


@pytest.mark.parametrize("observation", ["vector", BevConfig(32, 32, 1.0, history=(4,))])
def test_threads_change_no_bit(observation) -> None:
    def run(threads: int) -> list[bytes]:
        env = RouteVectorEnv(
            5, smoke(), threads=threads, observation=observation, reward="carl", tick_cap=60, autoreset_mode="SameStep"
        )
        seen = [env.reset(seed=7)[0].tobytes()]
        draws = np.random.default_rng(0)
        for _ in range(50):
            observations, rewards, terminated, truncated, infos = env.step(draws.uniform(-0.3, 1.0, (5, 2)))
            seen += [a.tobytes() for a in (observations, rewards, terminated, truncated, infos["tick"])]
            seen += [value.tobytes() for value in infos["reward_terms"].values()]
        seen += [record.tobytes() for record in env.batch.state]
        env.close()
        return seen

    assert run(1) == run(3)


def test_more_threads_than_worlds_are_not_used() -> None:
    env = RouteVectorEnv(2, smoke(), threads=8)
    env.reset(seed=0)
    assert len(env._chunks) == 2
    env.close()


def test_observations_are_fresh_arrays_unless_copies_are_declined() -> None:
    fresh, same = RouteVectorEnv(2, smoke()), RouteVectorEnv(2, smoke(), copy=False)
    fresh.reset(seed=0)
    same.reset(seed=0)
    a, b = fresh.step(drive(fresh))[0], fresh.step(drive(fresh))[0]
    assert not np.shares_memory(a, b)
    c = same.step(drive(same))[0]
    assert (c == a).all()
    d = same.step(drive(same))[0]
    assert np.shares_memory(c, d)
    assert (d == b).all()


# Starts


def test_a_route_can_be_chosen_by_id() -> None:
    env = RouteVectorEnv(2, smoke())
    ids = [prepared.route.id for prepared in smoke().routes]
    assert env.reset(options={"route": ids[3]})[1]["route_id"].tolist() == [ids[3]] * 2
    assert env.reset(options={"route": [ids[1], 4]})[1]["route_id"].tolist() == [ids[1], ids[4]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"route": "9999"}, "no route '9999'"),
        ({"route": 99}, "index from 0"),
        ({"route": -1}, "index from 0"),
        ({"route": 1.5}, "index from 0"),
        ({"route": [0, 1, 2]}, "3 routes for 2 worlds"),
        ({"rout": 1}, "did you mean 'route'"),
        ({"reset_mask": [True]}, "reset_mask"),
        ({"snapshot": []}, "0 snapshots for 2 worlds"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RouteVectorEnv(2, smoke()).reset(seed=0, options=options)


@pytest.mark.parametrize("action", ["control", "trajectory"])
def test_an_episode_can_begin_from_a_snapshot(action: str) -> None:
    env = RouteVectorEnv(2, smoke(), action=action, reward="dense", observation=BevConfig(32, 32, 1.0, history=(4,)))
    env.reset(seed=1)
    env.action_space.seed(1)  # a draw that ends no episode in what follows
    move = env.action_space.sample() * 0.1
    for _ in range(30):
        env.step(move)
    snapshot = env.snapshot(1)
    assert isinstance(snapshot, EnvSnapshot)
    other = RouteVectorEnv(3, smoke(), action=action, reward="dense", observation=BevConfig(32, 32, 1.0, history=(4,)))
    observations, infos = other.reset(seed=5, options={"snapshot": snapshot})
    assert infos["tick"].tolist() == [60] * 3
    future = [env.step(move) for _ in range(20)]
    again = [other.step(np.repeat(move[1:], 3, axis=0)) for _ in range(20)]
    for a, b in zip(future, again, strict=True):
        assert not (a[2] | a[3])[1]
        for index in range(3):
            assert (b[0][index] == a[0][1]).all()
            assert b[1][index] == a[1][1]


def test_single_worlds_begin_from_snapshots_too() -> None:
    env = RouteEnv(smoke())
    env.reset(seed=0, options={"route": 2})
    for _ in range(10):
        observation = env.step(FORWARD)[0]
    snapshot = env.snapshot()
    env.reset(seed=9)
    begun, info = env.reset(options={"snapshot": snapshot})
    assert (begun == observation).all()
    assert info["tick"] == 20


# Forks


def test_a_fork_goes_on_like_its_original() -> None:
    env = RouteEnv(smoke(), reward="dense", observation={"bev": BevConfig(32, 32, 1.0, history=(4,)), "row": "vector"})
    env.reset(seed=4, options={"route": 3})
    for _ in range(40):
        env.step(FORWARD)
    fork = env.fork(3)
    assert fork.num_envs == 3
    for _ in range(30):
        observation, reward, *_ = env.step(FORWARD)
        observations, rewards, *_ = fork.step(drive(fork))
        for name in observation:
            assert (observations[name] == observation[name]).all()
        assert rewards.tolist() == [reward] * 3


def test_forks_part_where_their_actions_do_and_leave_the_original_alone() -> None:
    env = RouteEnv(smoke())
    env.reset(seed=4, options={"route": 3})
    fork = env.fork(2)
    for _ in range(20):
        fork.step(np.array([[0.8, 0.0], [-1.0, 0.0]]))
    assert fork.batch.worlds["path_s"][0] > fork.batch.worlds["path_s"][1] + 3.0
    assert env.step(FORWARD)[4]["tick"] == 2


def test_forks_draw_their_next_routes_alike_every_time() -> None:
    def routes() -> list[str]:
        env = RouteVectorEnv(1, smoke(), tick_cap=4, autoreset_mode="SameStep")
        env.reset(seed=1)
        fork = env.fork(4)
        found = []
        for _ in range(9):
            found += fork.step(drive(fork))[4]["route_id"].tolist()
        return found

    assert routes() == routes()
    assert len(set(routes())) > 3


# Infos


def test_infos_tell_what_has_happened_so_far() -> None:
    env = RouteVectorEnv(2, smoke())
    route = next(k for k, r in enumerate(smoke().routes) if r.route.scenario_type == "ParkedObstacle")
    env.reset(seed=0, options={"route": route})
    hit = False
    for _ in range(300):
        infos = env.step(np.array([[1.0, 0.0], [0.0, 0.0]]))[4]
        assert {name for name in infos if "_" + name not in infos and name[0] != "_"} == set()
        hit = bool(infos["infractions"][0, : INFRACTION_NAMES.index("red_light")].any())
        if hit:
            break
    assert hit
    assert infos["driving_score"][0] < infos["route_completion"][0]
    assert infos["driving_score"][1] == 0.0
    single = RouteEnv(smoke())
    single.reset(seed=0, options={"route": route})
    for _ in range(300):
        info = single.step(np.array([1.0, 0.0]))[4]
        if info["infractions"]:
            break
    assert set(info["infractions"]) <= set(INFRACTION_NAMES)


# Gymnasium around it


def test_gymnasiums_vector_wrappers_work() -> None:
    env = gym.make_vec("RouteGym/MiniTown-v0", 3, "vector_entry_point", routes=smoke(), tick_cap=20)
    wrapped = gym.wrappers.vector.RecordEpisodeStatistics(env)
    wrapped = gym.wrappers.vector.NormalizeObservation(gym.wrappers.vector.DictInfoToList(wrapped))
    observations, infos = wrapped.reset(seed=0)
    assert len(infos) == 3
    statistics = 0
    for _ in range(25):
        observations, _, _, _, infos = wrapped.step(np.zeros((3, 2), np.float32))
        statistics += sum("episode" in info for info in infos)
    assert observations.shape == (3, 164)
    assert statistics >= 3


def test_gymnasiums_own_batch_of_single_environments_drives_the_same() -> None:
    ours = RouteVectorEnv(2, smoke(), tick_cap=20)
    theirs = gym.make_vec("RouteGym/MiniTown-v0", 2, "sync", routes=smoke(), tick_cap=20)
    a, b = ours.reset(seed=11)[0], theirs.reset(seed=11)[0]
    assert (a == b).all()
    for _ in range(30):
        one, other = ours.step(drive(ours)), theirs.step(drive(ours))
        for x, y in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(x, y)


def test_single_wrappers_work() -> None:
    env = gym.wrappers.TimeLimit(gym.make("RouteGym/MiniTown-v0", routes=smoke()), 5)
    env = gym.wrappers.RecordEpisodeStatistics(env)
    env.reset(seed=0)
    ends = [env.step(FORWARD) for _ in range(5)]
    assert ends[-1][3]
    assert ends[-1][4]["episode"]["l"] == 5


# Faults


def test_a_closed_environment_says_so() -> None:
    for env in (RouteEnv(smoke()), RouteVectorEnv(2, smoke()), RouteVectorEnv(2, smoke(), threads=2)):
        env.reset(seed=0)
        env.close()
        env.close()
        with pytest.raises(gym.error.ClosedEnvironmentError, match="closed"):
            env.step(FORWARD if isinstance(env, RouteEnv) else np.stack([FORWARD, FORWARD]))
        with pytest.raises(gym.error.ClosedEnvironmentError, match="closed"):
            env.reset()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"observation": "vectors"}, "did you mean 'vector'"),
        ({"action": "trajectories"}, "did you mean 'trajectory'"),
        ({"reward": "carrl"}, "did you mean 'carl'"),
        ({"terminate_on": ["red_lights"]}, "did you mean 'red_light'"),
        ({"decision_hz": 3.0}, "decision_hz"),
        ({"decision_hz": 0.0}, "decision_hz"),
        ({"frame_skip": 1.5}, "frame_skip"),
        ({"action_repeat": 0}, "action_repeat"),
        ({"threads": 0}, "threads"),
        ({"tick_cap": -1}, "tick_cap"),
        ({"pedestrians": 2.0}, "density"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RouteVectorEnv(1, smoke(), **settings)


@pytest.mark.parametrize(("hz", "ticks"), [(20, 1), (10, 2), (5, 4), (4, 5), (2, 10), (1, 20), (0.5, 40)])
def test_decision_rates_are_ticks(hz: float, ticks: int) -> None:
    env = RouteVectorEnv(1, smoke(), decision_hz=hz)
    env.reset(seed=0)
    assert env.step(drive(env))[4]["tick"][0] == ticks


def test_actions_can_be_repeated() -> None:
    env = RouteVectorEnv(1, smoke(), frame_skip=2, action_repeat=3)
    env.reset(seed=0)
    assert env.step(drive(env))[4]["tick"][0] == 6


@pytest.mark.parametrize(("cap", "last"), [(0, None), (7, 8)])
def test_the_tick_cap_can_be_chosen(cap: int, last: int | None) -> None:
    env = RouteVectorEnv(1, smoke(), tick_cap=cap, frame_skip=1, autoreset_mode="Disabled")
    env.reset(seed=0)
    assert env.batch.criteria["tick_cap"][0] == cap
    if last is not None:
        for tick in range(1, last + 1):
            _, _, terminated, truncated, _ = env.step(drive(env))
            assert (bool(terminated[0]), bool(truncated[0])) == (False, tick == last)
