"""Action spaces by name, or by their configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envs.actions.base import Actions
from envs.actions.direct import ContinuousControl, FullControl, GridControl
from envs.actions.route_command import RouteCommands
from envs.actions.settings import Codebook, ControlGrid, Path, RouteSpeed, Trajectory
from envs.actions.tracked import CodebookActions, MetaActions, PathActions, RouteSpeedActions, TrajectoryActions
from envs.names import unknown_name
from envs.world import WorldBatch

#: Makers by name.
ACTIONS: dict[str, Callable[[WorldBatch], Actions]] = {
    "control": ContinuousControl,
    "vehicle_control": FullControl,
    "grid": GridControl,
    "trajectory": TrajectoryActions,
    "path": PathActions,
    "route_speed": RouteSpeedActions,
    "route_command": RouteCommands,
    "meta": MetaActions,
}

_CONFIGURED: dict[type, Callable[[WorldBatch, Any], Actions]] = {
    ControlGrid: GridControl,
    Trajectory: TrajectoryActions,
    Path: PathActions,
    RouteSpeed: RouteSpeedActions,
    Codebook: CodebookActions,
}


def register_action(name: str, maker: Callable[[WorldBatch], Actions]) -> None:
    """Make an action space of one's own known by name, such as the tokens of a codebook.

    Raises:
        ValueError: for a name that is taken.
    """
    if name in ACTIONS:
        raise ValueError(f"action space {name!r} exists; choose another name")
    ACTIONS[name] = maker


def make_action(choice: Any, batch: WorldBatch) -> Actions:
    """An action space by name, by its configuration, or from a maker.

    Raises:
        ValueError: for a name that does not exist.
    """
    if type(choice) in _CONFIGURED:
        return _CONFIGURED[type(choice)](batch, choice)
    if callable(choice):
        return choice(batch)
    if choice not in ACTIONS:
        raise ValueError(unknown_name("action space", choice, ACTIONS))
    return ACTIONS[choice](batch)
