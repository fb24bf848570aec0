"""The Gymnasium environments keep Gymnasium's contract, step by step."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from sim_world import smoke

import envs  # registers the ids
from envs import RouteEnv, RouteVectorEnv, load_routes
from envs.observations import vector
from leaderboard_adapters.records import RouteResult
from simulator.errors import RouteFileError

ENV_ID = "RouteGym/MiniTown-v0"
FORWARD = np.array([0.4, 0.0], np.float32)
STAND = np.array([-1.0, 0.0], np.float32)


def route_of(scenario_type: str) -> int:
    return next(k for k, route in enumerate(smoke().routes) if route.route.scenario_type == scenario_type)


@pytest.fixture
def env() -> RouteEnv:
    return RouteEnv(smoke())


def ride(env: RouteEnv, action: np.ndarray, limit: int = 2000) -> Iterator[tuple]:
    """Steps with one action until the end."""
    for _ in range(limit):
        step = env.step(action)
        yield step
        if step[2] or step[3]:
            return


# One environment


def test_check_env_finds_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is.*")
        check_env(gym.make(ENV_ID).unwrapped, skip_render_check=True)


def test_make_gives_the_registered_environment() -> None:
    env = gym.make(ENV_ID, routes=smoke(), frame_skip=4)
    assert isinstance(env.unwrapped, RouteEnv)
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert info["route_id"] in {route.route.id for route in smoke().routes}
    assert env.step(FORWARD)[4]["tick"] == 4
    assert envs.RouteEnv is RouteEnv


def test_spaces(env: RouteEnv) -> None:
    assert env.observation_space == gym.spaces.Box(-np.inf, np.inf, (vector.SIZE,), np.float32)
    assert env.action_space == gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


def test_step_before_reset_raises(env: RouteEnv) -> None:
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(FORWARD)


def test_step_after_the_end_raises(env: RouteEnv) -> None:
    env.reset(seed=0)
    list(ride(env, STAND))
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(STAND)


@pytest.mark.parametrize(
    "action",
    [np.zeros(3), np.zeros((1, 2)), 0.5, np.array([np.nan, 0.0]), np.array([0.0, np.inf]), [0.1]],
    ids=["too long", "two-dimensional", "scalar", "NaN", "infinite", "too short"],
)
def test_bad_actions_raise(env: RouteEnv, action: object) -> None:
    env.reset(seed=0)
    with pytest.raises(ValueError, match="finite, of shape"):
        env.step(action)  # type: ignore[arg-type]


def test_a_refused_action_moves_nothing(env: RouteEnv) -> None:
    env.reset(seed=0)
    with pytest.raises(ValueError):
        env.step(np.array([np.nan, 0.0]))
    assert env.step(FORWARD)[4]["tick"] == 2


def test_actions_beyond_the_space_are_clipped(env: RouteEnv) -> None:
    ends = []
    for action in (np.array([1.0, -1.0]), np.array([7.0, -9.0])):
        env.reset(seed=3)
        ends.append([env.step(action)[0] for _ in range(10)][-1])
    assert (ends[0] == ends[1]).all()


def test_the_same_seed_begins_and_drives_alike(env: RouteEnv) -> None:
    other = RouteEnv(smoke())
    first, second = env.reset(seed=11), other.reset(seed=11)
    assert (first[0] == second[0]).all()
    assert first[1]["route_id"] == second[1]["route_id"]
    for _ in range(100):
        a, b = env.step(FORWARD), other.step(FORWARD)
        assert (a[0] == b[0]).all()
        assert a[1:4] == b[1:4]


def test_reset_without_a_seed_goes_on_with_the_draws(env: RouteEnv) -> None:
    def next_routes() -> list[str]:
        return [str(env.reset(seed=5)[1]["route_id"])] + [str(env.reset()[1]["route_id"]) for _ in range(12)]

    routes = next_routes()
    assert routes == next_routes()
    assert len(set(routes)) > 3


def test_a_route_can_be_chosen(env: RouteEnv) -> None:
    for index, prepared in enumerate(smoke().routes):
        assert env.reset(seed=0, options={"route": index})[1]["route_id"] == prepared.route.id


def test_observations_are_finite_all_along(env: RouteEnv) -> None:
    for index in range(len(smoke().routes)):
        observation, _ = env.reset(seed=1, options={"route": index})
        assert np.isfinite(observation).all()
        for _ in range(60):
            observation, reward, over, cut, _ = env.step(FORWARD)
            assert observation.dtype == np.float32
            assert np.isfinite(observation).all()
            assert np.isfinite(reward)
            if over or cut:
                break


def test_the_observation_is_not_overwritten_by_the_next_step(env: RouteEnv) -> None:
    first, _ = env.reset(seed=0)
    kept = first.copy()
    env.step(FORWARD)
    assert (first == kept).all()


def test_reward_is_progress_in_metres(env: RouteEnv) -> None:
    index = route_of("ParkedObstacle")
    env.reset(seed=0, options={"route": index})
    before = env._vector.batch.criteria["route_percent"][0]
    total = sum(env.step(FORWARD)[1] for _ in range(60))
    after = env._vector.batch.criteria["route_percent"][0]
    assert total == pytest.approx((after - before) / 100.0 * smoke().routes[index].length, rel=1e-5)
    assert total > 5.0


def test_standing_still_ends_blocked_with_a_result(env: RouteEnv) -> None:
    env.reset(seed=0, options={"route": route_of("ParkedObstacle")})
    steps = list(ride(env, STAND))
    assert all("result" not in info for *_, info in steps[:-1])
    _, reward, terminated, truncated, info = steps[-1]
    assert (terminated, truncated) == (True, False)
    assert reward < -10.0  # the infraction of being blocked
    result = info["result"]
    assert isinstance(result, RouteResult)
    assert result.status == "Failed - Agent got blocked"
    assert result.score_composed < 5.0
    assert result.num_ticks == info["tick"]


def test_arriving_is_rewarded_and_terminates(env: RouteEnv) -> None:
    from agents.autopilot import Autopilot

    agent = Autopilot()
    agent.bind(env._vector.batch)
    env.reset(seed=0, options={"route": route_of("PedestrianCrossing")})
    terminated = truncated = False
    while not (terminated or truncated):
        throttle, brake, steer = agent.act()[0]
        _, reward, terminated, truncated, info = env.step(np.array([throttle - brake, steer]))
    assert terminated
    assert info["result"].score_route == 100.0
    assert reward > 15.0


def test_the_tick_cap_truncates(env: RouteEnv) -> None:
    env.reset(seed=0, options={"route": route_of("ParkedObstacle")})
    env._vector.batch.criteria["tick_cap"] = 9
    *_, (_, _, terminated, truncated, info) = ride(env, FORWARD)
    assert (terminated, truncated) == (False, True)
    assert info["result"].status == "Failed - TickRuntime"


def test_snapshot_and_restore_lead_to_the_same_future(env: RouteEnv) -> None:
    env.reset(seed=2, options={"route": route_of("DynamicObjectCrossing")})
    for _ in range(100):
        observation = env.step(FORWARD)[0]
    snapshot = env.snapshot()
    future = [env.step(FORWARD)[:4] for _ in range(80)]
    assert (env.restore(snapshot) == observation).all()
    again = [env.step(FORWARD)[:4] for _ in range(80)]
    for a, b in zip(future, again, strict=True):
        assert (a[0] == b[0]).all()
        assert a[1:] == b[1:]


def test_a_snapshot_from_before_the_end_makes_the_environment_step_again(env: RouteEnv) -> None:
    env.reset(seed=0)
    snapshot = env.snapshot()
    list(ride(env, STAND))
    env.restore(snapshot)
    assert env.step(STAND)[4]["tick"] == 2


def test_frame_skip_must_be_positive() -> None:
    with pytest.raises(ValueError, match="frame_skip"):
        RouteEnv(smoke(), frame_skip=0)


def test_routes_on_several_towns_need_a_choice(tmp_path) -> None:
    file = tmp_path / "two_towns.xml"
    route = '<route id="{}" town="{}"><waypoints>{}</waypoints></route>'
    positions = '<position x="0" y="0" z="0"/><position x="9" y="0" z="0"/>'
    both = "".join(route.format(k, town, positions) for k, town in enumerate(("MiniTown", "Town05")))
    file.write_text(f"<routes>{both}</routes>")
    with pytest.raises(RouteFileError, match="MiniTown, Town05"):
        load_routes(file)
    with pytest.raises(RouteFileError, match="none on Town01"):
        load_routes(file, town="Town01")


# Many environments


def test_vector_spaces_are_batched() -> None:
    many = RouteVectorEnv(3, smoke())
    assert many.observation_space.shape == (3, vector.SIZE)
    assert many.action_space.shape == (3, 2)
    assert many.single_observation_space.shape == (vector.SIZE,)
    assert many.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_make_vec_gives_the_native_batch() -> None:
    many = gym.make_vec(ENV_ID, num_envs=4, vectorization_mode="vector_entry_point", routes=smoke())
    assert isinstance(many, RouteVectorEnv)
    observations, infos = many.reset(seed=0)
    assert many.observation_space.contains(observations)
    assert len(infos["route_id"]) == 4


def test_vector_step_before_reset_raises() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        RouteVectorEnv(2, smoke()).step(np.zeros((2, 2)))


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3)])
def test_vector_actions_of_a_wrong_shape_raise(shape: tuple[int, ...]) -> None:
    many = RouteVectorEnv(2, smoke())
    many.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        many.step(np.zeros(shape))


def test_a_batch_steps_like_single_environments() -> None:
    many = RouteVectorEnv(3, smoke())
    observations, infos = many.reset(seed=20)
    singles = [RouteEnv(smoke()) for _ in range(3)]
    begun = [single.reset(seed=20 + b) for b, single in enumerate(singles)]
    assert [str(info["route_id"]) for _, info in begun] == infos["route_id"].tolist()
    assert (np.stack([o for o, _ in begun]) == observations).all()
    draws = np.random.default_rng(0)
    for _ in range(60):
        actions = draws.uniform([-0.2, -0.1], [0.8, 0.1], (3, 2))
        observations, rewards, terminated, truncated, _ = many.step(actions)
        for b, single in enumerate(singles):
            alone = single.step(actions[b])
            assert (alone[0] == observations[b]).all()
            assert alone[1:4] == (rewards[b], terminated[b], truncated[b])


def test_a_list_of_seeds_seeds_each_world() -> None:
    one, other = RouteVectorEnv(2, smoke()), RouteVectorEnv(2, smoke())
    a, _ = one.reset(seed=[7, 9])
    b, _ = other.reset(seed=[9, 7])
    assert (a[0] == b[1]).all()
    assert (a[1] == b[0]).all()


def test_routes_can_be_chosen_for_all_or_each() -> None:
    many = RouteVectorEnv(3, smoke())
    ids = [route.route.id for route in smoke().routes]
    assert many.reset(seed=0, options={"route": 1})[1]["route_id"].tolist() == [ids[1]] * 3
    assert many.reset(seed=0, options={"route": [2, 0, 1]})[1]["route_id"].tolist() == [ids[2], ids[0], ids[1]]


def test_autoreset_begins_the_next_episode_in_the_step_after_the_end() -> None:
    many = RouteVectorEnv(2, smoke())
    many.reset(seed=0, options={"route": [route_of("ParkedObstacle"), route_of("HardBreakRoute")]})
    many.batch.criteria["tick_cap"] = [20, 4000]
    drive = np.stack([FORWARD, FORWARD])

    def step() -> tuple:
        return many.step(drive)

    # world 0 runs into its cap; world 1 goes on
    for _ in range(10):
        _, _, terminated, truncated, infos = step()
        assert not (terminated | truncated).any()
        assert "result" not in infos
    last, rewards, terminated, truncated, infos = step()
    assert truncated.tolist() == [True, False]
    assert not terminated.any()
    assert infos["_result"].tolist() == [True, False]
    assert infos["result"][0].status == "Failed - TickRuntime"
    assert infos["result"][1] is None
    others_tick = int(infos["tick"][1])
    # the step after: a new episode, whose first observation comes back without a tick, whatever the action was
    first, rewards, terminated, truncated, infos = step()
    assert not (terminated | truncated).any()
    assert rewards[0] == 0.0
    assert infos["tick"].tolist() == [0, others_tick + 2]
    assert "result" not in infos
    assert (first[0] != last[0]).any()
    # then it is driven
    _, _, _, _, infos = step()
    assert infos["tick"].tolist() == [2, others_tick + 4]


def test_autoreset_draws_on_from_the_seed() -> None:
    def ids_after_ends(seed: int) -> list[str]:
        many = RouteVectorEnv(1, smoke())
        found = [str(many.reset(seed=seed)[1]["route_id"][0])]
        for _ in range(6):
            many.batch.criteria["tick_cap"] = 1
            for _ in range(2):
                many.step(FORWARD[None])
            found.append(str(many.step(FORWARD[None])[4]["route_id"][0]))
        return found

    assert ids_after_ends(4) == ids_after_ends(4)
    assert len(set(ids_after_ends(4))) > 1


def test_a_world_of_a_batch_can_be_forked_and_restored() -> None:
    many = RouteVectorEnv(3, smoke())
    many.reset(seed=1)
    for _ in range(50):
        many.step(np.tile(FORWARD, (3, 1)))
    observations = many.restore(many.snapshot(2), 0)
    assert (observations[0] == observations[2]).all()
    fork = many.fork(5, index=1)
    assert fork.num_envs == 5
    assert len({record.tobytes() for record in fork.batch.worlds}) == 1
    observations, rewards, *_ = many.step(np.tile(FORWARD, (3, 1)))
    assert (observations[0] == observations[2]).all()
    assert rewards[0] == rewards[2]
