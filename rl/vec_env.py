"""`RouteWorlds` as a stable-baselines3 `VecEnv`: nothing is copied and nothing runs in Python per world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from envs.observations.base import Observed
from rl.route_worlds import RouteWorlds, Step


class RouteVecEnv(VecEnv):
    """The worlds for stable-baselines3. `step_arrays` is `step` without a dictionary a world."""

    def __init__(self, worlds: RouteWorlds) -> None:
        self.worlds = worlds
        driving = worlds.driving
        super().__init__(worlds.config.worlds, driving.observation_space, driving.action_space)

    def reset(self) -> Observed:  # type: ignore[override]
        return self.worlds.reset()

    def step_arrays(self, actions: np.ndarray) -> Step:
        """See `RouteWorlds.step`."""
        self.worlds.always_last = False
        return self.worlds.step(actions)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        self.worlds.always_last = True
        observations, rewards, ended, truncated, stories = self.worlds.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for story in stories:
            b = story["world"]
            seen = story["terminal_observation"]
            last = {name: array[0] for name, array in seen.items()} if isinstance(seen, dict) else seen[0]
            infos[b] = {**story, "terminal_observation": last, "TimeLimit.truncated": bool(truncated[b])}
        return observations, rewards, ended, infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self.worlds, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        raise NotImplementedError("worlds are configured when they are made")

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("the worlds are stepped together; there is no environment of one")

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The seed is part of the configuration."""
        return [None] * self.num_envs
