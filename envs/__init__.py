"""Gymnasium environments over batches of route worlds. Importing this package registers their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from envs.route_env import RouteEnv
    from envs.vector_env import RouteVectorEnv, load_routes

__all__ = ["RouteEnv", "RouteVectorEnv", "load_routes"]

_HOME = {"RouteEnv": "envs.route_env", "RouteVectorEnv": "envs.vector_env", "load_routes": "envs.vector_env"}


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
