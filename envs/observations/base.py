"""What an observation does, and the arrays that it is written into."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np

#: What a policy gets, with a leading world axis: an array, or arrays by name, or texts, or these in one another.
Observed = Any


class Observation(ABC):
    """Sees B worlds. What it remembers of their past travels with snapshots.

    Attributes:
        space: of one world.
    """

    space: gym.Space[Any]

    @abstractmethod
    def write(self, worlds: np.ndarray, out: Observed, first: int = 0) -> None:
        """Write what is seen of WORLD[n] into the buffers `out` (`allocate`) with a leading axis of n.

        `first`: number, within the batch, of the first of these worlds.
        """

    def observe(self, worlds: np.ndarray) -> Observed:
        """What is seen of all worlds of the batch, WORLD[B], in fresh arrays with a leading world axis."""
        out = allocate(self.space, len(worlds))
        self.write(worlds, out)
        return out

    def snapshot(self, index: int) -> tuple[Any, ...]:
        """Copy of what is remembered of one world."""
        return ()

    def restore(self, index: int, snapshot: tuple[Any, ...]) -> None:  # noqa: B027 - most remember nothing
        """Put a copy back."""


def allocate(space: gym.Space[Any], count: int) -> Observed:
    """Buffers for the observations of `count` worlds.

    Boxes give arrays, texts object arrays, dicts and tuples of spaces the same of buffers.
    """
    if isinstance(space, gym.spaces.Dict):
        return {name: allocate(each, count) for name, each in space.spaces.items()}
    if isinstance(space, gym.spaces.Tuple):
        return tuple(allocate(each, count) for each in space.spaces)
    if isinstance(space, gym.spaces.Text):
        return np.full(count, "", object)
    return np.zeros((count, *(space.shape or ())), space.dtype)


def rows(out: Observed, span: slice) -> Observed:
    """Views of some worlds' rows of buffers."""
    if isinstance(out, dict):
        return {name: rows(each, span) for name, each in out.items()}
    if isinstance(out, tuple):
        return tuple(rows(each, span) for each in out)
    return out[span]


def one(out: Observed, index: int = 0) -> Observed:
    """The observation of one world: views where buffers hold arrays."""
    if isinstance(out, dict):
        return {name: one(each, index) for name, each in out.items()}
    if isinstance(out, tuple) and not (out and isinstance(out[0], str)):
        return tuple(one(each, index) for each in out)
    return np.asarray(out[index]) if isinstance(out[index], np.generic) else out[index]


def copied(observed: Observed) -> Observed:
    """A deep copy of an observation or of buffers."""
    if isinstance(observed, dict):
        return {name: copied(each) for name, each in observed.items()}
    if isinstance(observed, tuple):
        return tuple(copied(each) for each in observed)
    return observed.copy() if isinstance(observed, np.ndarray) else observed


def batched(out: Observed) -> Observed:
    """Buffers as Gymnasium's batched spaces want them: texts as tuples, arrays as they are."""
    if isinstance(out, dict):
        return {name: batched(each) for name, each in out.items()}
    if isinstance(out, tuple):
        return tuple(batched(each) for each in out)
    return tuple(out) if out.dtype == object else out
