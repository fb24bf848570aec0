"""The native batch as a stable-baselines3 `VecEnv`. Needs the `train` extra; nothing else imports this module.

```python
from stable_baselines3 import PPO
from envs.sb3 import RouteVecEnv

env = RouteVecEnv(32, "minitown220", reward="carl")
PPO("MlpPolicy", env).learn(100_000)
```

stable-baselines3 begins episodes anew in the step that ends them (`SAME_STEP`), wants a dict an environment, and the
last observation of an episode as `terminal_observation`. Dicts are empty but at ends, where they hold:

| key | |
|---|---|
| `terminal_observation` | last observation of the episode |
| `TimeLimit.truncated` | whether it was cut, not ended: values are to be bootstrapped |
| `episode` | `r` sum of rewards, `l` steps, `t` simulated seconds, as `VecMonitor` has them |
| `reward_terms` | what each term contributed to `r` |
| `result` | the `RouteResult` |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from envs.vector_env import RouteVectorEnv


class RouteVecEnv(VecEnv):
    """Makes a `RouteVectorEnv` of the given settings and adapts it.

    Attributes:
        vector: the environment behind it.
    """

    def __init__(self, num_envs: int = 1, routes: Any = "smoke", **settings: Any) -> None:
        """
        Args:
            settings: as of `RouteVectorEnv`. `copy=False` is refused: stable-baselines3 keeps observations.
        """
        if not settings.get("copy", True):
            raise ValueError("copy=False: stable-baselines3 still reads an observation after the next step")
        settings["autoreset_mode"] = AutoresetMode.SAME_STEP
        self.vector = RouteVectorEnv(num_envs, routes, **settings)
        self.render_mode = self.vector.render_mode
        super().__init__(num_envs, self.vector.single_observation_space, self.vector.single_action_space)
        self._actions: np.ndarray | None = None
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)
        self._terms: dict[str, np.ndarray] = {}

    def reset(self) -> Any:
        """Observations of new episodes; seeds of `seed` and options of `set_options` count once."""
        seeds = self._seeds if any(seed is not None for seed in self._seeds) else None
        options: dict[str, Any] = {}
        for b, each in enumerate(self._options):
            for name, value in each.items():
                options.setdefault(name, [None] * self.num_envs)[b] = value
        observations, infos = self.vector.reset(seed=seeds, options=options)
        self.reset_infos = [{"route_id": str(route)} for route in infos["route_id"]]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._terms = {}
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        observations, rewards, terminated, truncated, infos = self.vector.step(self._actions)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        for name, value in infos["reward_terms"].items():
            if name not in self._terms:
                self._terms[name] = np.zeros(self.num_envs)
            self._terms[name] += value
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if dones.any():
            seconds = self.vector.frame_skip * self.vector.action_repeat * 0.05
            for b in np.flatnonzero(dones):
                told[b] = {
                    "terminal_observation": infos["final_obs"][b],
                    "TimeLimit.truncated": bool(truncated[b] and not terminated[b]),
                    "episode": {
                        "r": float(self._returns[b]),
                        "l": int(self._lengths[b]),
                        "t": round(float(self._lengths[b]) * seconds, 6),
                    },
                    "reward_terms": {name: float(value[b]) for name, value in self._terms.items()},
                    "result": infos["final_info"]["result"][b],
                }
            self._returns[dones] = 0.0
            self._lengths[dones] = 0
            for value in self._terms.values():
                value[dones] = 0.0
        return observations, rewards.astype(np.float32), dones, told

    def close(self) -> None:
        """Close the environment behind it."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of the environment behind it, once for each world asked for."""
        value = getattr(self.vector, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the worlds share one environment; make it with the settings wanted."""
        raise AttributeError(f"worlds of a native batch have no attributes of their own; cannot set {attr_name!r}")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """`snapshot`, `restore`, `result`, ... of the environment behind it, with `index=` each world asked for."""
        method = getattr(self.vector, method_name)
        return [method(*method_args, index=b, **method_kwargs) for b in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """No world is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A frame of each world, with a render mode."""
        frames = self.vector.render()
        return [None] * self.num_envs if frames is None else list(frames)
