"""Checkpoints: everything of a training run, in one file that is also an agent (`agents.policy_file`).

| tensors | what |
|---|---|
| `policy/...` | weights, by their names in stable-baselines3 |
| `adam/<k>/...` | state of the optimiser for parameter k |
| `random/torch`, `random/numpy`, `random/actions` | states of all generators that training draws from |
| `worlds/...` | every bit of the running worlds, share after share |
| `next/...` | the observations that the next decision is made on, and which episodes have just begun |

The last two, and `random/actions`, are the state of the rollouts (`rl.rollouts`), however many workers drive them.

The header holds the configuration, the counters and the scores of the evaluations so far.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from agents.policy_driving import OBSERVATIONS
from agents.policy_file import PolicyFile, PolicySpec, read_policy, write_policy
from rl.config import PpoConfig
from rl.ppo import RoutePPO
from rl.rollouts import State
from simulator.errors import AgentError, TrainingError


@dataclass
class Progress:
    """Where a run stands."""

    decisions: int = 0
    """Decisions taken."""
    updates: int = 0
    """stable-baselines3's counter of passes over rollouts."""
    seconds: float = 0.0
    """Wall time of training, evaluations and checkpoints not included, s."""
    best: float = -1.0
    """Best driving score of an evaluation."""
    evaluations: list[dict[str, float]] = field(default_factory=list)
    """Each evaluation: `decisions`, `driving_score`, `success_rate`, `route_completion`."""


def policy_spec(config: PpoConfig) -> PolicySpec:
    """What the policy of a run expects."""
    return PolicySpec(
        config.observation, OBSERVATIONS[config.observation], config.action, config.frame_skip, config.hidden
    )


def policy_weights(model: RoutePPO) -> dict[str, np.ndarray]:
    """Weights by name."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in model.policy.state_dict().items()}


def save_policy(path: Path, model: RoutePPO, config: PpoConfig, progress: Progress) -> None:
    """Write the policy alone: small, and an agent."""
    write_policy(path, policy_spec(config), policy_weights(model), metadata=_header(config, progress))


def save_checkpoint(path: Path, model: RoutePPO, state: State, config: PpoConfig, progress: Progress) -> None:
    """Write everything. `state`: of the rollouts.

    Raises:
        OSError: when it cannot be written; the file before stays.
    """
    rest: dict[str, np.ndarray] = dict(state)
    adam = model.policy.optimizer.state_dict()["state"]
    for k, state in adam.items():
        for name, value in state.items():
            rest[f"adam/{k}/{name}"] = torch.as_tensor(value).numpy().copy()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 - what SB3 shuffles with
    rest["random/torch"] = torch.get_rng_state().numpy().copy()
    rest["random/numpy"] = np.array([*keys, position, has_gauss], np.uint32)
    rest["random/numpy_cached"] = np.array([cached])
    write_policy(path, policy_spec(config), policy_weights(model), rest, _header(config, progress))


def _header(config: PpoConfig, progress: Progress) -> dict[str, str]:
    return {"config": config.to_json(), "progress": json.dumps(asdict(progress))}


def read_checkpoint(path: Path) -> tuple[PolicyFile, PpoConfig, Progress]:
    """A checkpoint that training can go on from.

    Raises:
        TrainingError: when there is none, it is damaged, a policy alone, or of another version.
    """
    try:
        file = read_policy(path)
    except AgentError as error:
        raise TrainingError(f"cannot resume: {error}") from None
    if "config" not in file.metadata or "next/starts" not in file.rest:
        raise TrainingError(f"cannot resume: {path} holds a policy alone; name the last.safetensors of a run")
    config = PpoConfig.from_json(file.metadata["config"], str(path))
    return file, config, Progress(**json.loads(file.metadata["progress"]))


def load_into(model: RoutePPO, file: PolicyFile, progress: Progress) -> None:
    """Put a checkpoint into a new learner of the same configuration; the state of rollouts stays in `file.rest`.

    Raises:
        TrainingError: when it does not fit.
    """
    try:
        model.policy.load_state_dict({name: torch.from_numpy(array) for name, array in file.weights.items()})
        _load_adam(model, file)
        torch.set_rng_state(torch.from_numpy(file.rest["random/torch"].copy()))
        numbers = file.rest["random/numpy"]
        cached = float(file.rest["random/numpy_cached"][0])
        state = ("MT19937", numbers[:624], int(numbers[624]), int(numbers[625]), cached)
        np.random.set_state(state)  # noqa: NPY002
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(f"cannot resume from {file.path}: it does not fit its configuration ({error})") from None
    model.num_timesteps = progress.decisions
    model._n_updates = progress.updates


def _load_adam(model: RoutePPO, file: PolicyFile) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in file.rest.items():
        if name.startswith("adam/"):
            _, k, what = name.split("/")
            state.setdefault(int(k), {})[what] = torch.from_numpy(array.copy())
    whole = model.policy.optimizer.state_dict()
    model.policy.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
