"""What an action space does for a batch of worlds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np

from envs.world import WorldBatch


class Actions(ABC):
    """Turns decisions into controls, for B worlds.

    Life: `begin` for each world whose episode begins, `decide` once a decision, then `control` once a tick. What is
    remembered of a world travels with its snapshots.

    Attributes:
        space: of one world.
        controls: float64[B, 3] throttle, brake, steer of the coming tick.
    """

    space: gym.Space[Any]

    def __init__(self, batch: WorldBatch) -> None:
        self.batch = batch
        self.controls = np.zeros((batch.num_worlds, 3))

    @abstractmethod
    def decide(self, actions: np.ndarray) -> None:
        """Take a decision of every world, checked by `checked_actions`."""

    def control(self) -> None:  # noqa: B027 - spaces whose decisions are controls have nothing to do
        """Bring `controls` up to date before a tick."""

    def begin(self, index: int) -> None:  # noqa: B027 - most spaces remember nothing
        """World `index` has been reset."""

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """Copy of what is remembered of one world."""
        return (self.controls[index].copy(),)

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""
        self.controls[index] = snapshot[0]


def checked_actions(space: gym.Space[Any], actions: Any, count: int) -> np.ndarray:
    """Actions of `count` worlds as an array: float64[count, ...] of a box, int64[count] of a discrete space.

    Raises:
        ValueError: for another shape, numbers that are not finite, or indices that do not exist. It says which.
    """
    if isinstance(space, gym.spaces.Discrete):
        given = np.asarray(actions)
        if given.shape != (count,) or not np.issubdtype(given.dtype, np.integer):
            raise ValueError(f"actions must be integers of shape ({count},), got {given.dtype} of shape {given.shape}")
        given = given.astype(np.int64)
        if ((given < space.start) | (given >= space.start + space.n)).any():
            raise ValueError(f"actions must be from {space.start} to {space.start + space.n - 1}, got {given.tolist()}")
        return given - int(space.start)
    shape = (count, *(space.shape or ()))
    try:
        given = np.asarray(actions, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"actions must be finite, of shape {shape}; got {actions!r} ({error})") from None
    if given.shape != shape:
        raise ValueError(f"actions must be finite, of shape {shape}; got shape {given.shape}")
    if not np.isfinite(given).all():
        bad = np.argwhere(~np.isfinite(given))[0].tolist()
        raise ValueError(f"actions must be finite, of shape {shape}; got {given[tuple(bad)]} at index {bad}")
    return given
