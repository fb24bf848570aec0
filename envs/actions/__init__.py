"""What a policy decides, and how it becomes pedals and steering. docs/environments.md has the tables."""

from envs.actions.registry import ACTIONS, make_action, register_action
from envs.actions.settings import Codebook, ControlGrid, Path, RouteSpeed, Trajectory

__all__ = [
    "ACTIONS",
    "Codebook",
    "ControlGrid",
    "Path",
    "RouteSpeed",
    "Trajectory",
    "make_action",
    "register_action",
]
