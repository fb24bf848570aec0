"""RouteGym for RLlib: an environment creator of a page. Ray itself is not imported.

```python
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env
from envs.rllib import make_rllib_env

register_env("routegym", make_rllib_env)
config = PPOConfig().environment("routegym", env_config={"routes": "minitown220", "reward": "carl"})
```

RLlib makes environments from a config, seeds none of them, and sends infos between processes. So every worker and
environment draws routes of its own (from `seed`, its worker's and its own index), and results travel as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gymnasium as gym

from envs.route_env import RouteEnv


class PlainInfo(gym.Wrapper[Any, Any, Any, Any]):
    """Seeds the first reset, and turns results in infos into plain dicts."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self._seed: int | None = seed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As of `RouteEnv`; without a seed the first reset takes the worker's."""
        if seed is None:
            seed = self._seed
        self._seed = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As of `RouteEnv`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "result" in info:
            info = {**info, "result": asdict(info["result"])}
        return observation, reward, terminated, truncated, info


def make_rllib_env(config: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """An environment for one of RLlib's runners.

    Args:
        config: settings of `RouteEnv`, and `seed` (default 0); RLlib's `EnvContext` adds `worker_index` and
            `vector_index`.
    """
    settings = dict(config)
    seed = int(settings.pop("seed", 0))
    worker, place = getattr(config, "worker_index", 0), getattr(config, "vector_index", 0)
    return PlainInfo(RouteEnv(**settings), seed + 10_000 * int(worker) + int(place))
