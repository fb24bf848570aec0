"""A policy that was trained with `run_train.py ppo`: `sb3:PATH` of a checkpoint or run folder.

It decides greedily: the likeliest choices, the middle of pedals and steering. On vectors its network runs as a kernel,
without torch; on bird's-eye views it is stable-baselines3's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Agent
from agents.mlp import Mlp
from agents.policy_driving import PolicyDriving
from agents.policy_file import PolicyFile, read_policy
from envs.actions.route_command import CHOICES
from envs.observations.base import Observed
from envs.world import WorldBatch
from simulator.errors import AgentError


class Sb3Agent(Agent):
    """Drives with a trained policy, every `frame_skip` ticks a decision."""

    description = "policy trained with run_train.py; ARG = checkpoint or run folder"

    def __init__(self, argument: str | Path | PolicyFile = "") -> None:
        if argument == "":
            raise ValueError("name a checkpoint or run folder: sb3:PATH")
        self._file = argument if isinstance(argument, PolicyFile) else read_policy(argument)
        self._skip = self._file.spec.frame_skip

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        spec = self._file.spec
        self.driving = PolicyDriving(batch, spec.observation, spec.action)
        self._network = _network(self._file, self.driving)

    def reset(self, index: int, seed: int) -> None:
        self.driving.actions.begin(index)

    def act(self) -> np.ndarray:
        due = self.batch.worlds["tick"] % self._skip == 0
        actions = self.driving.actions
        if due.any():
            numbers = self._network(self.driving.observe())
            if not np.isfinite(numbers[due]).all():
                raise AgentError(f"{self._file.path}: the policy gives numbers that are not finite")
            kept = [] if due.all() else [(b, actions.snapshot(b)) for b in np.flatnonzero(~due).tolist()]
            actions.decide(greedy(numbers) if self._file.spec.action == "route_command" else numbers)
            for b, memory in kept:  # of worlds at another place of their rhythm
                actions.restore(b, memory)
        actions.control()
        return actions.controls


def greedy(numbers: np.ndarray) -> np.ndarray:
    """int64[B, 2]: the likeliest choices of logits float32[B, sum of CHOICES]."""
    parts = np.split(numbers, np.cumsum(CHOICES)[:-1], axis=1)
    return np.stack([part.argmax(axis=1) for part in parts], axis=1)


def _network(file: PolicyFile, driving: PolicyDriving) -> Callable[[Observed], np.ndarray]:
    """From observations to logits or means."""
    if driving.is_bev:
        return _torch_network(file, driving)
    names = [f"mlp_extractor.policy_net.{2 * k}" for k in range(len(file.spec.hidden))] + ["action_net"]
    try:
        layers = [(file.weights[f"{name}.weight"], file.weights[f"{name}.bias"]) for name in names]
    except KeyError as error:
        raise AgentError(f"{file.path}: the weights {error} are missing; use another checkpoint") from None
    expected = driving.observation_space.shape
    if expected != (layers[0][0].shape[1],):
        raise AgentError(
            f"{file.path}: its network takes {layers[0][0].shape[1]} numbers, the observation "
            f"{file.spec.observation!r} gives {expected}"
        )
    network: Any = Mlp(layers)
    return network  # type: ignore[no-any-return]


def _torch_network(file: PolicyFile, driving: PolicyDriving) -> Callable[[Observed], np.ndarray]:
    try:
        import torch
        from stable_baselines3.common.policies import MultiInputActorCriticPolicy
    except ImportError as error:
        raise AgentError(f"this policy needs the training packages ({error}): pip install 'routegym[train]'") from None
    torch.set_num_threads(1)
    policy = MultiInputActorCriticPolicy(
        driving.observation_space,  # type: ignore[arg-type]
        driving.action_space,
        lambda _: 0.0,
        net_arch=list(file.spec.hidden),
        activation_fn=torch.nn.ReLU,
    )
    try:
        policy.load_state_dict({name: torch.from_numpy(array) for name, array in file.weights.items()})
    except RuntimeError as error:
        raise AgentError(f"{file.path}: its weights do not fit the network: {error}") from None
    policy.set_training_mode(False)

    def run(seen: Observed) -> np.ndarray:
        assert isinstance(seen, dict)
        with torch.no_grad():
            tensors = {name: torch.from_numpy(array) for name, array in seen.items()}
            features: Any = policy.extract_features(tensors, policy.pi_features_extractor)  # type: ignore[arg-type]
            return np.asarray(policy.action_net(policy.mlp_extractor.forward_actor(features)).numpy())

    return run
