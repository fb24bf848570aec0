"""Rollouts: a share of the worlds, driven by one policy for a while.

The worlds of a run are divided into `PpoConfig.shares`, each with draws of its own. What a share drives is a function
of the policy's weights and of the share's state at the beginning of the update, and both can be copied. So it does not
matter who drives it, in which order, or how often: here (`Rollouts`), or in workers (`rl.rollout_pool`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.policies import ActorCriticPolicy, MultiInputActorCriticPolicy

from envs.actions.route_command import CHOICES
from envs.observations.base import Observed, allocate
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from rl.config import PpoConfig, resolve_routes
from rl.route_worlds import RouteWorlds, pack_draws, unpack_draws
from simulator.errors import TrainingError

#: State of a share or of several, one after the other along the first axis: names as in `rl.checkpoint`.
State = dict[str, np.ndarray]

_WORLDS, _ACTIONS, _SEEN, _STARTS = "worlds/", "random/actions", "next/seen/", "next/starts"


@dataclass(frozen=True)
class Rollout:
    """T decisions in each of W worlds, and what follows them."""

    observations: Observed
    """float32[T, W, n], or a dict of arrays [T, W, ...]"""
    actions: np.ndarray
    """[T, W, k]"""
    rewards: np.ndarray
    """float32[T, W]"""
    starts: np.ndarray
    """bool[T, W]: this decision is the first of its episode"""
    seen: Observed
    """What the next decision is made on, [W, ...]"""
    seen_starts: np.ndarray
    """bool[W]: that decision is the first of its episode"""
    cut: list[tuple[int, int, Observed]]
    """Episodes that were cut short: decision, world, and the last observation, with a leading axis of one"""
    stories: list[dict[str, Any]]
    """Scores of the episodes that ended"""
    terms: dict[str, float]
    """Contribution of each reward term, summed"""
    seconds: dict[str, float]
    """Time spent in worlds ("env") and by the policy ("act")"""


class Share:
    """Some of the worlds, the draws of their actions, and what the next decision is made on.

    Attributes:
        worlds: the running worlds; draws: generator of the actions.
    """

    def __init__(self, worlds: RouteWorlds) -> None:
        self.worlds = worlds
        self.draws = np.random.default_rng(0)
        self._seen: Any = None
        self._starts = np.ones(worlds.num_worlds, bool)

    def begin(self, number: int) -> None:
        """The first state of a share: an episode begins in every world.

        A number of 0 leaves the seed as it would be without it, so that a run of one share is the run of old.
        """
        seed = self.worlds.config.seed
        self.worlds.draws = np.random.default_rng([seed, 1, number])
        self.draws = np.random.default_rng([seed, 2, number])
        self._seen = self.worlds.reset()
        self._starts = np.ones(self.worlds.num_worlds, bool)

    def drive(self, policy: ActorCriticPolicy, decisions: int = 0) -> Rollout:
        """As many decisions in every world as the configuration wants.

        Args:
            decisions: of the whole run before this one, for messages.

        Raises:
            TrainingError: when the policy gives numbers that are not finite.
        """
        worlds, steps = self.worlds, self.worlds.config.rollout
        policy.set_training_mode(False)
        parts: Any = _of_each_step(worlds.driving.observation_space, worlds.num_worlds, steps)
        actions: np.ndarray | None = None
        rewards = np.empty((steps, worlds.num_worlds), np.float32)
        starts = np.empty((steps, worlds.num_worlds), bool)
        cut: list[tuple[int, int, Observed]] = []
        ended_stories: list[dict[str, Any]] = []
        acting = driving = 0.0
        for step in range(steps):
            began = time.perf_counter()
            seen = self._seen
            chosen = act(policy, self.draws, seen, decisions)
            acted = time.perf_counter()
            self._seen, rewards[step], ended, truncated, stories = worlds.step(chosen)
            acting += acted - began
            driving += time.perf_counter() - acted
            if isinstance(parts, dict):
                for name, array in parts.items():
                    array[step] = seen[name]
            else:
                parts[step] = seen
            if actions is None:
                actions = np.empty((steps, *chosen.shape), chosen.dtype)
            actions[step] = chosen
            starts[step] = self._starts
            self._starts = ended
            for story in stories:
                last = story.pop("terminal_observation")
                if truncated[story["world"]]:
                    cut.append((step, story["world"], last))
                ended_stories.append(story)
        assert actions is not None
        return Rollout(
            observations=parts,
            actions=actions,
            rewards=rewards,
            starts=starts,
            seen=self._seen,
            seen_starts=self._starts,
            cut=cut,
            stories=ended_stories,
            terms=worlds.take_terms(),
            seconds={"env": driving, "act": acting},
        )

    def snapshot(self) -> State:
        """Every bit that the next rollout depends on, but for the policy."""
        kept = {_WORLDS + name: array for name, array in self.worlds.snapshot().items()}
        kept[_ACTIONS] = np.frombuffer(pack_draws(self.draws), np.uint8).copy()
        seen = self._seen if isinstance(self._seen, dict) else {"": self._seen}
        kept |= {_SEEN + name: array for name, array in seen.items()}
        kept[_STARTS] = np.asarray(self._starts, np.uint8)
        return kept

    def restore(self, kept: Mapping[str, np.ndarray]) -> None:
        """Put a snapshot back.

        Raises:
            TrainingError: when it is one of another number or layout of worlds.
        """
        self.worlds.restore({name[len(_WORLDS) :]: a for name, a in kept.items() if name.startswith(_WORLDS)})
        try:
            unpack_draws(self.draws, kept[_ACTIONS].tobytes())
            self._starts = kept[_STARTS].astype(bool)
        except KeyError as error:
            raise TrainingError(f"the checkpoint lacks {error}; start a new run") from None
        seen = {name[len(_SEEN) :]: array.copy() for name, array in kept.items() if name.startswith(_SEEN)}
        self._seen = seen.get("", seen)


class Rollouts:
    """All shares, driven here one after the other."""

    lost = 0  # workers that were lost while they drove, since the run began

    def __init__(self, routes: RouteBatch, config: PpoConfig) -> None:
        self.config = config
        self.shares = [Share(RouteWorlds(routes, config)) for _ in range(config.shares)]
        for number, share in enumerate(self.shares):
            share.begin(number)

    @property
    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        """Of observations and actions of one world."""
        driving = self.shares[0].worlds.driving
        return driving.observation_space, driving.action_space

    def collect(self, policy: ActorCriticPolicy, decisions: int = 0) -> list[Rollout]:
        """A rollout of every share, in order.

        Raises:
            TrainingError: when it cannot be had.
        """
        return [share.drive(policy, decisions) for share in self.shares]

    def snapshot(self) -> State:
        """State of all shares."""
        return joined([share.snapshot() for share in self.shares])

    def restore(self, kept: Mapping[str, np.ndarray]) -> None:
        """Put a snapshot back.

        Raises:
            TrainingError: when it is one of another number or layout of worlds.
        """
        for share, part in zip(self.shares, parted(kept, self.config), strict=True):
            share.restore(part)


def training_routes(config: PpoConfig) -> RouteBatch:
    """The routes that a run trains on, ready to be driven."""
    return load_routes(resolve_routes(config.routes), config.maps or None)


def warmed(routes: RouteBatch, config: PpoConfig) -> Share:
    """A share of one world that has made a decision: by then everything is compiled."""
    share = Share(RouteWorlds(routes, config, num_worlds=1))
    share.begin(0)
    share.worlds.step(np.zeros((1, 2), np.int64 if config.action == "route_command" else np.float32))
    return share


def joined(states: Sequence[State]) -> State:
    """States of shares, one after the other."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def parted(state: Mapping[str, np.ndarray], config: PpoConfig) -> list[State]:
    """The shares of a state again.

    Raises:
        TrainingError: when it has another number of worlds than the configuration.
    """
    found = len(state.get(_STARTS, ()))
    if found != config.worlds:
        raise TrainingError(
            f"the checkpoint has {found} worlds, its configuration {config.worlds}; they have to be as they were"
        )
    names = [name for name in state if name.startswith((_WORLDS, _SEEN)) or name in (_ACTIONS, _STARTS)]
    cut = {name: np.split(state[name], config.shares) for name in names}
    return [{name: parts[k] for name, parts in cut.items()} for k in range(config.shares)]


def make_policy(
    config: PpoConfig, observation_space: gym.Space[Any], action_space: gym.Space[Any]
) -> ActorCriticPolicy:
    """A policy as the learner has one, to load its weights into; without an optimiser, whose import takes seconds."""
    torch.set_num_threads(config.threads)
    kind = MultiInputActorCriticPolicy if config.observation == "bev" else ActorCriticPolicy
    settings: dict[str, Any] = {**policy_settings(config), "optimizer_class": lambda *_, **__: None}
    return kind(observation_space, action_space, lambda _: 0.0, **settings)  # type: ignore[arg-type]


def policy_settings(config: PpoConfig) -> dict[str, Any]:
    """What a policy of stable-baselines3 is made with."""
    return {"net_arch": list(config.hidden), "activation_fn": torch.nn.ReLU}


def act(policy: ActorCriticPolicy, draws: np.random.Generator, seen: Observed, decisions: int = 0) -> np.ndarray:
    """Actions, drawn from what the policy thinks of them; its value network rests.

    Raises:
        TrainingError: when it gives numbers that are not finite.
    """
    with torch.no_grad():
        features: Any = policy.extract_features(tensors(seen), policy.pi_features_extractor)
        numbers = policy.action_net(policy.mlp_extractor.forward_actor(features)).numpy()
    if not np.isfinite(numbers).all():
        raise TrainingError(
            f"the policy gives numbers that are not finite after {decisions} decisions; go on from an earlier "
            "checkpoint with a lower learning_rate, or start afresh with another seed"
        )
    if isinstance(policy.action_space, gym.spaces.Box):
        spread = policy.log_std.detach().exp().numpy()
        return (numbers + spread * draws.standard_normal(numbers.shape)).astype(np.float32)
    noisy = numbers - np.log(-np.log(draws.random(numbers.shape)))
    ends = np.cumsum(CHOICES)
    parts = np.split(noisy, ends[:-1], axis=1)
    return np.stack([part.argmax(axis=1) for part in parts], axis=1)


def tensors(seen: Any) -> Any:
    """Observations for torch, without a copy."""
    if isinstance(seen, dict):
        return {name: torch.from_numpy(array) for name, array in seen.items()}
    return torch.from_numpy(seen)


def _of_each_step(space: gym.Space[Any], worlds: int, steps: int) -> Observed:
    """Arrays for the observations of a rollout, [T, W, ...]."""
    flat: Any = allocate(space, steps * worlds)
    if isinstance(flat, dict):
        return {name: array.reshape(steps, worlds, *array.shape[1:]) for name, array in flat.items()}
    return flat.reshape(steps, worlds, *flat.shape[1:])
