"""stable-baselines3's PPO, with a rollout made for large batches of worlds.

What differs from `PPO.collect_rollouts`, none of which changes the mathematics:

- acting runs the policy network alone; values and log-probabilities of the whole rollout follow in one pass at its end
- actions are drawn in NumPy (Gumbel for choices, normal for pedals), from a generator that is part of the checkpoint
- no dictionary a world and step; stories of ended episodes only
"""

from __future__ import annotations

import time
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from envs.actions.route_command import CHOICES, FULL_SPEED
from envs.observations.base import Observed
from rl.config import PpoConfig
from rl.vec_env import RouteVecEnv
from simulator.errors import TrainingError

_CHUNK = 8192  # decisions in one pass of the networks


class RoutePPO(PPO):
    """PPO on a `RouteVecEnv`.

    Attributes:
        draws: generator of the actions.
        stories: scores of the episodes that ended in the last rollout.
        seconds: time spent so far: in worlds ("env"), acting ("act"), values ("value"), updates ("update").
    """

    draws: np.random.Generator
    stories: list[dict[str, Any]]
    seconds: dict[str, float]

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Fill the buffer; see the module.

        Raises:
            TrainingError: when the policy gives numbers that are not finite.
        """
        assert isinstance(env, RouteVecEnv)
        assert self._last_obs is not None
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        self.stories = []
        bootstraps: list[tuple[int, int, Any]] = []
        callback.on_rollout_start()
        for step in range(n_rollout_steps):
            began = time.perf_counter()
            observations: Any = self._last_obs
            actions = self._act(observations)
            acted = time.perf_counter()
            following, rewards, ended, truncated, stories = env.step_arrays(actions)
            self.seconds["act"] += acted - began
            self.seconds["env"] += time.perf_counter() - acted
            if isinstance(observations, dict):
                for name, array in observations.items():
                    rollout_buffer.observations[name][step] = array  # type: ignore[call-overload]
            else:
                rollout_buffer.observations[step] = observations
            rollout_buffer.actions[step] = actions
            rollout_buffer.rewards[step] = rewards
            rollout_buffer.episode_starts[step] = self._last_episode_starts
            for story in stories:
                if truncated[story["world"]]:
                    bootstraps.append((step, story["world"], story["terminal_observation"]))
            self.stories += stories
            self.num_timesteps += env.num_envs
            self._last_obs = following
            self._last_episode_starts = ended
        rollout_buffer.pos = n_rollout_steps
        rollout_buffer.full = True
        began = time.perf_counter()
        self._judge(rollout_buffer, bootstraps)
        self.seconds["value"] += time.perf_counter() - began
        callback.update_locals(locals())
        goes_on = callback.on_step()
        callback.on_rollout_end()
        return goes_on

    def train(self) -> None:
        began = time.perf_counter()
        super().train()
        self.seconds["update"] += time.perf_counter() - began

    def _act(self, observations: Observed) -> np.ndarray:
        with torch.no_grad():
            features: Any = self.policy.extract_features(_tensors(observations), self.policy.pi_features_extractor)
            numbers = self.policy.action_net(self.policy.mlp_extractor.forward_actor(features)).numpy()
        if not np.isfinite(numbers).all():
            raise TrainingError(
                f"the policy gives numbers that are not finite after {self.num_timesteps} decisions; go on from an "
                "earlier checkpoint with a lower learning_rate, or start afresh with another seed"
            )
        if isinstance(self.action_space, gym.spaces.Box):
            spread = self.policy.log_std.detach().exp().numpy()
            return (numbers + spread * self.draws.standard_normal(numbers.shape)).astype(np.float32)
        noisy = numbers - np.log(-np.log(self.draws.random(numbers.shape)))
        ends = np.cumsum(CHOICES)
        parts = np.split(noisy, ends[:-1], axis=1)
        return np.stack([part.argmax(axis=1) for part in parts], axis=1)

    def _judge(self, buffer: RolloutBuffer, bootstraps: list[tuple[int, int, Observed]]) -> None:
        """Values, log-probabilities, advantages and returns of a full buffer."""
        steps, worlds = buffer.rewards.shape
        seen: Any = buffer.observations
        flat: Any = (
            {name: array.reshape(steps * worlds, *array.shape[2:]) for name, array in seen.items()}
            if isinstance(seen, dict)
            else seen.reshape(steps * worlds, *seen.shape[2:])
        )
        actions = torch.from_numpy(buffer.actions.reshape(steps * worlds, -1))
        with torch.no_grad():
            for first in range(0, steps * worlds, _CHUNK):
                part = slice(first, first + _CHUNK)
                cut = {name: array[part] for name, array in flat.items()} if isinstance(flat, dict) else flat[part]
                values, log_probs, _ = self.policy.evaluate_actions(_tensors(cut), actions[part])
                buffer.values.reshape(-1)[part] = values.flatten().numpy()
                buffer.log_probs.reshape(-1)[part] = log_probs.numpy()
            last = self.policy.predict_values(_tensors(self._last_obs))
            for step, world, observation in bootstraps:
                buffer.rewards[step, world] += self.gamma * float(self.policy.predict_values(_tensors(observation)))
        starts = self._last_episode_starts
        assert starts is not None
        buffer.compute_returns_and_advantage(last_values=last, dones=np.asarray(starts))


def _tensors(seen: Any) -> Any:
    """Observations for torch, without a copy."""
    if isinstance(seen, dict):
        return {name: torch.from_numpy(array) for name, array in seen.items()}
    return torch.from_numpy(seen)


def make_ppo(env: RouteVecEnv, config: PpoConfig) -> RoutePPO:
    """A new learner with fresh weights."""
    torch.set_num_threads(config.threads)
    start, end = config.learning_rate, 0.1 * config.learning_rate
    model = RoutePPO(
        "MultiInputPolicy" if config.observation == "bev" else "MlpPolicy",
        env,
        learning_rate=lambda left: end + (start - end) * left,
        n_steps=config.rollout,
        batch_size=config.batch_size,
        n_epochs=config.epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.entropy,
        vf_coef=config.value_weight,
        max_grad_norm=config.max_grad_norm,
        target_kl=config.target_kl or None,
        policy_kwargs={"net_arch": list(config.hidden), "activation_fn": torch.nn.ReLU},
        seed=config.seed,
        device="cpu",
    )
    model.draws = np.random.default_rng([config.seed, 2])
    model.seconds = dict.fromkeys(("env", "act", "value", "update"), 0.0)
    model.stories = []
    if config.action == "route_command":
        with torch.no_grad():
            bias: Any = model.policy.action_net.bias
            bias[FULL_SPEED] += config.start_bias
            bias[CHOICES[0] + 1] += config.start_bias
    return model
