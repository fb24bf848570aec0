"""stable-baselines3's PPO, with rollouts made for large batches of worlds, here or elsewhere (`rl.rollouts`).

What differs from `PPO.collect_rollouts`, none of which changes the mathematics:

- acting runs the policy network alone; values and log-probabilities of the whole rollout follow in one pass at its end
- actions are drawn in NumPy (Gumbel for choices, normal for pedals), from a generator that is part of the checkpoint
- no environment is attached, no dictionary a world and step; stories of ended episodes only
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from envs.actions.route_command import CHOICES, FULL_SPEED
from envs.observations.base import Observed
from rl.config import PpoConfig
from rl.rollouts import Rollout, policy_settings, tensors

_CHUNK = 8192  # decisions in one pass of the networks


class RoutePPO(PPO):
    """PPO that learns from rollouts.

    Attributes:
        stories: scores of the episodes that ended in the last rollouts.
        seconds: time spent so far: in worlds ("env") and acting ("act"), summed over whoever drove; values ("value")
            and updates ("update").
    """

    stories: list[dict[str, Any]]
    seconds: dict[str, float]

    def take(self, rollouts: Sequence[Rollout]) -> None:
        """Fill the buffer with the rollouts of all shares, side by side; see the module."""
        buffer = self.rollout_buffer
        buffer.reset()
        self.stories = [story for rollout in rollouts for story in rollout.stories]
        cut: list[tuple[int, int, Observed]] = []
        first = 0
        for rollout in rollouts:
            steps, worlds = rollout.rewards.shape
            span = slice(first, first + worlds)
            if isinstance(rollout.observations, dict):
                for name, array in rollout.observations.items():
                    buffer.observations[name][:, span] = array  # type: ignore[call-overload]
            else:
                buffer.observations[:, span] = rollout.observations
            buffer.actions[:, span] = rollout.actions
            buffer.rewards[:, span] = rollout.rewards
            buffer.episode_starts[:, span] = rollout.starts
            cut += [(step, first + world, last) for step, world, last in rollout.cut]
            for name, seconds in rollout.seconds.items():
                self.seconds[name] += seconds
            self.num_timesteps += steps * worlds
            first += worlds
        buffer.pos = buffer.buffer_size
        buffer.full = True
        began = time.perf_counter()
        self._judge(cut, beside([rollout.seen for rollout in rollouts]), beside([r.seen_starts for r in rollouts]))
        self.seconds["value"] += time.perf_counter() - began

    def train(self) -> None:
        began = time.perf_counter()
        super().train()
        self.seconds["update"] += time.perf_counter() - began

    def _judge(self, cut: list[tuple[int, int, Observed]], following: Observed, starts: np.ndarray) -> None:
        """Values, log-probabilities, advantages and returns of a full buffer.

        Args:
            cut: episodes that were cut short: decision, world, last observation.
            following: observations that the next decisions are made on; starts: bool[B] whether they begin an episode.
        """
        self.policy.set_training_mode(False)
        buffer = self.rollout_buffer
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
                some = {name: array[part] for name, array in flat.items()} if isinstance(flat, dict) else flat[part]
                values, log_probs, _ = self.policy.evaluate_actions(tensors(some), actions[part])
                buffer.values.reshape(-1)[part] = values.flatten().numpy()
                buffer.log_probs.reshape(-1)[part] = log_probs.numpy()
            last = self.policy.predict_values(tensors(following))
            for step, world, observation in cut:
                buffer.rewards[step, world] += self.gamma * float(self.policy.predict_values(tensors(observation)))
        buffer.compute_returns_and_advantage(last_values=last, dones=starts)


def beside(parts: Sequence[Observed]) -> Any:
    """Arrays, or dicts of arrays, of all shares: one after the other."""
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)


def make_ppo(config: PpoConfig, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> RoutePPO:
    """A new learner with fresh weights."""
    torch.set_num_threads(config.threads)
    start, end = config.learning_rate, 0.1 * config.learning_rate
    model = RoutePPO(
        "MultiInputPolicy" if config.observation == "bev" else "MlpPolicy",
        None,  # type: ignore[arg-type]  # the worlds may be elsewhere; their spaces follow
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
        policy_kwargs=policy_settings(config),
        seed=config.seed,
        device="cpu",
        _init_setup_model=False,
    )
    model.observation_space, model.action_space, model.n_envs = observation_space, action_space, config.worlds
    model._setup_model()
    model.set_logger(Logger(None, []))
    model.seconds = dict.fromkeys(("env", "act", "value", "update"), 0.0)
    model.stories = []
    if config.action == "route_command":
        with torch.no_grad():
            bias: Any = model.policy.action_net.bias
            bias[FULL_SPEED] += config.start_bias
            bias[CHOICES[0] + 1] += config.start_bias
    return model
