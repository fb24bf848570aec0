"""Environment ids. Gymnasium calls `register_envs` by itself: the package names it as a plug-in."""

from __future__ import annotations

import gymnasium as gym


def register_envs() -> None:
    """Register RouteGym's environments with Gymnasium."""
    gym.register(
        id="RouteGym/MiniTown-v0",
        entry_point="envs.route_env:RouteEnv",
        vector_entry_point="envs.vector_env:RouteVectorEnv",
    )
