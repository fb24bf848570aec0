"""Gymnasium environments over batches of route worlds. Importing this package registers their ids.

| id | routes |
|---|---|
| `RouteGym/MiniTown-v0` | a built-in suite of the town that comes with the package |
| `RouteGym/Town-v0` | any town: of a route file, or made for it (`town=`, `maps=`) |
| `RouteGym/Bench2Drive-v0` | a Bench2Drive or Leaderboard file (`routes=`, `maps=`) |
| `RouteGym/Carla-v0` | routes of one town on a CARLA server (`routes=`, `carla=`); one world, no native batch |

All take the settings of `RouteVectorEnv`; `gymnasium.make` gives a `RouteEnv`, `gymnasium.make_vec` the native batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from envs.chunk import EnvSnapshot
    from envs.curriculum import CurriculumConfig
    from envs.plan_scores import score_plans
    from envs.rewards.presets import make_reward
    from envs.rewards.spec import RewardSpec
    from envs.route_env import RouteEnv
    from envs.vector_env import RouteVectorEnv, load_routes

_HOME = {
    "CurriculumConfig": "envs.curriculum",
    "EnvSnapshot": "envs.chunk",
    "RewardSpec": "envs.rewards.spec",
    "RouteEnv": "envs.route_env",
    "RouteVectorEnv": "envs.vector_env",
    "load_routes": "envs.vector_env",
    "make_reward": "envs.rewards.presets",
    "score_plans": "envs.plan_scores",
}

__all__ = [
    "CurriculumConfig",
    "EnvSnapshot",
    "RewardSpec",
    "RouteEnv",
    "RouteVectorEnv",
    "load_routes",
    "make_reward",
    "score_plans",
]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that importing the package stays cheap."""
    if name not in _HOME:
        raise AttributeError(f"module 'envs' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


gym.register(id="RouteGym/Carla-v0", entry_point="envs.route_env:RouteEnv", kwargs={"backend": "carla"})
gym.register(
    id="RouteGym/MiniTown-v0",
    entry_point="envs.route_env:RouteEnv",
    vector_entry_point="envs.vector_env:RouteVectorEnv",
)
gym.register(
    id="RouteGym/Town-v0",
    entry_point="envs.registered:make_town_env",
    vector_entry_point="envs.registered:make_town_vector_env",
)
gym.register(
    id="RouteGym/Bench2Drive-v0",
    entry_point="envs.registered:make_bench2drive_env",
    vector_entry_point="envs.registered:make_bench2drive_vector_env",
)
