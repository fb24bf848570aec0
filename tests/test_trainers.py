"""Other people's trainers get what they expect: stable-baselines3, TRL, OpenEnv, RLlib."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from sim_world import smoke

from envs.openenv import DriveAction, DrivingTask, OpenEnvRoute, driving_score
from envs.rllib import make_rllib_env
from envs.route_env import RouteEnv

ROOT = Path(__file__).resolve().parent.parent


def test_environments_import_no_learning_framework() -> None:
    script = (
        "import sys, envs, envs.vector_env, envs.route_env, envs.openenv, envs.rllib, envs.registered\n"
        "print([m for m in ('torch', 'stable_baselines3', 'ray', 'trl', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


# stable-baselines3


@pytest.mark.parametrize(
    "settings", [{}, {"action": "grid"}, {"observation": "bev"}, {"observation": {"row": "vector"}}]
)
def test_stable_baselines3_finds_nothing_wrong_with_a_single_world(settings: dict) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(RouteEnv(smoke(), **settings))


@pytest.fixture
def vec_env():
    pytest.importorskip("stable_baselines3")
    from envs.sb3 import RouteVecEnv

    return RouteVecEnv(3, smoke(), tick_cap=9, reward="leaderboard")


def test_the_batch_is_a_vec_env(vec_env) -> None:
    vec_env.seed(4)
    observations = vec_env.reset()
    assert observations.shape == (3, 164)
    assert [info["route_id"] for info in vec_env.reset_infos] != []
    for step in range(1, 11):
        before = observations
        observations, rewards, dones, infos = vec_env.step(np.zeros((3, 2), np.float32))
        assert rewards.dtype == np.float32
        assert dones.tolist() == [step % 5 == 0] * 3
        for b, info in enumerate(infos):
            if not dones[b]:
                assert info == {}
                continue
            assert info["TimeLimit.truncated"]
            assert info["episode"] == {"r": pytest.approx(info["reward_terms"]["score"]), "l": 5, "t": 0.5}
            assert info["result"].status == "Failed - TickRuntime"
            assert np.abs(info["terminal_observation"][:36] - before[b][:36]).max() < 0.2  # the ego and its route
            assert (info["terminal_observation"] != observations[b]).any()


def test_the_same_seed_gives_the_same_vec_env(vec_env) -> None:
    runs = []
    for _ in range(2):
        vec_env.seed(4)
        seen = [vec_env.reset()]
        seen += [vec_env.step(np.full((3, 2), 0.3, np.float32))[0] for _ in range(12)]
        runs.append(np.stack(seen))
    assert (runs[0] == runs[1]).all()


def test_methods_of_worlds_are_called_by_index(vec_env) -> None:
    vec_env.seed(0)
    vec_env.reset()
    assert len(vec_env.env_method("snapshot", indices=[0, 2])) == 2
    assert vec_env.get_attr("frame_skip") == [2, 2, 2]
    assert vec_env.env_is_wrapped(gym.Wrapper) == [False] * 3
    with pytest.raises(AttributeError, match="attributes of their own"):
        vec_env.set_attr("frame_skip", 4)
    vec_env.close()


@pytest.mark.parametrize(
    "action", [np.full((3, 2), np.nan), np.zeros((2, 2)), np.zeros(2)], ids=["NaN", "too few", "of one world"]
)
def test_bad_actions_move_no_world_of_the_vec_env(vec_env, action: np.ndarray) -> None:
    vec_env.seed(0)
    vec_env.reset()
    with pytest.raises(ValueError, match=r"finite, of shape \(3, 2\)"):
        vec_env.step(action)
    assert vec_env.vector.batch.worlds["tick"].tolist() == [0, 0, 0]


def test_a_closed_vec_env_says_so(vec_env) -> None:
    vec_env.reset()
    vec_env.close()
    vec_env.close()
    with pytest.raises(gym.error.ClosedEnvironmentError, match="closed"):
        vec_env.step(np.zeros((3, 2)))


def test_reused_buffers_are_refused() -> None:
    pytest.importorskip("stable_baselines3")
    from envs.sb3 import RouteVecEnv

    with pytest.raises(ValueError, match="copy=False"):
        RouteVecEnv(1, smoke(), copy=False)


def test_ppo_takes_its_first_steps(vec_env) -> None:
    ppo = pytest.importorskip("stable_baselines3").PPO
    model = ppo("MlpPolicy", vec_env, n_steps=8, batch_size=12, n_epochs=1, seed=0, device="cpu")
    model.learn(24)
    assert model.num_timesteps == 24
    assert len(model.ep_info_buffer) == 3


# TRL and OpenEnv


def test_a_drive_is_a_tool_of_a_chat() -> None:
    task = DrivingTask(smoke())
    first = task.reset(route=smoke().routes[3].route.id, seed=1, prompt="not used")
    assert first.startswith("Ego: ")
    assert DrivingTask(smoke()).reset(route=smoke().routes[3].route.id, seed=1) == first
    texts = [task.drive("accelerate", "keep lane") for _ in range(4)]
    assert len(set(texts)) == 4
    assert "did you mean 'accelerate'" in task.drive("acelerate", "keep lane")
    assert 0.0 < task.score <= 100.0
    assert driving_score([None], [task]) == [task.score / 100.0]


def test_tools_describe_themselves_as_trl_wants_it() -> None:
    """Every public method but `reset` has a docstring with its arguments, and annotations."""
    tools = [
        (name, method)
        for name, method in inspect.getmembers(DrivingTask, inspect.isfunction)
        if not name.startswith("_") and name != "reset"
    ]
    assert [name for name, _ in tools] == ["drive"]
    for _, method in tools:
        parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
        assert "Args:" in method.__doc__
        for parameter in parameters:
            assert parameter.annotation is not inspect.Parameter.empty
            assert f"{parameter.name}: " in method.__doc__


def test_a_chat_is_told_how_its_route_ended() -> None:
    task = DrivingTask(smoke(), tick_cap=15)
    task.reset(route=smoke().routes[0].route.id, seed=0)
    said = [task.drive("stop", "keep lane") for _ in range(3)]
    assert said[1].startswith("The route has ended: Failed - TickRuntime. Driving score 0.0")
    assert said[2] == "The route has ended."
    assert task.done


def test_openenvs_interface() -> None:
    env = OpenEnvRoute(smoke())
    begun = env.reset(seed=0, route=smoke().routes[3].route.id)
    assert (begun.done, begun.reward) == (False, None)
    step = env.step(DriveAction("accelerate", "keep lane"))
    assert step.observation.startswith("Ego: ")
    assert env.state.step_count == 1
    assert env.state.episode_id == f"{smoke().routes[3].route.name}_rep0"
    with pytest.raises(ValueError, match="did you mean 'keep lane'"):
        env.step(DriveAction("stop", "keep lanes"))
    env.close()


# RLlib


class Context(dict):
    """As RLlib's EnvContext: a dict with the worker's place."""

    def __init__(self, config: dict, worker_index: int, vector_index: int) -> None:
        super().__init__(config)
        self.worker_index, self.vector_index = worker_index, vector_index


def test_rllib_makes_environments_from_a_config() -> None:
    config = {"routes": smoke(), "reward": "carl", "seed": 3, "tick_cap": 9}
    envs = [make_rllib_env(Context(config, worker, place)) for worker, place in ((1, 0), (1, 0), (2, 0), (1, 1))]
    begun = [env.reset()[0] for env in envs]
    assert (begun[0] == begun[1]).all()
    assert len({b.tobytes() for b in begun}) == 3
    assert isinstance(envs[0].observation_space, gym.spaces.Box)
    for _ in range(5):
        _, _, terminated, truncated, info = envs[0].step(np.zeros(2, np.float32))
    assert (terminated, truncated) == (False, True)
    assert info["result"]["status"] == "Failed - TickRuntime"
    plain = make_rllib_env({"routes": smoke()})
    assert plain.reset(seed=1)[0].shape == (164,)
