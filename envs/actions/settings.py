"""Configurations of action spaces that have numbers to choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.actions.tracking import MAX_TIMES

CONTROLLERS = ("pursuit", "pid")


def _check(**numbers: float) -> None:
    wrong = [
        f"{name} must be a finite number above 0, got {value!r}"
        for name, value in numbers.items()
        if not 0 < value < 1e6
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _check_controller(name: str) -> None:
    if name not in CONTROLLERS:
        raise ValueError(f"controller must be one of {', '.join(CONTROLLERS)}, got {name!r}")


@dataclass(frozen=True)
class ControlGrid:
    """Discrete control: every pedal with every steering, action = pedal index * steerings + steering index."""

    pedals: tuple[float, ...] = (-1.0, -0.3, 0.0, 0.5, 0.8)
    """Throttle where positive, brake where negative."""
    steers: tuple[float, ...] = (-0.7, -0.35, -0.15, -0.05, 0.0, 0.05, 0.15, 0.35, 0.7)
    """Steering, right positive."""

    def __post_init__(self) -> None:
        for name in ("pedals", "steers"):
            values = getattr(self, name)
            if not values or any(not -1.0 <= v <= 1.0 for v in values):
                raise ValueError(f"{name} are numbers from -1 to 1, at least one; got {values}")


@dataclass(frozen=True)
class Trajectory:
    """Waypoints in the ego's frame (x ahead, y right, metres), to be reached one interval after the other."""

    points: int = 8
    """How many."""
    interval: float = 0.5
    """Seconds from one to the next; the first is one interval away."""
    controller: str = "pursuit"
    """"pursuit" or "pid": see `envs.actions.tracking`."""
    reach: float = 160.0
    """Bound of the space, metres."""

    def __post_init__(self) -> None:
        _check(interval=self.interval, reach=self.reach)
        _check_controller(self.controller)
        if not 1 <= self.points < MAX_TIMES:
            raise ValueError(f"a trajectory has 1 to {MAX_TIMES - 1} points, got {self.points}")


@dataclass(frozen=True)
class Path:
    """A target speed, m/s, and points of a path in the ego's frame (x ahead, y right, metres)."""

    points: int = 10
    """How many; they are to be some metres apart."""
    top_speed: float = 40.0
    """Bound of the target speed, m/s."""
    controller: str = "pursuit"
    """"pursuit" or "pid"."""
    reach: float = 160.0
    """Bound of the points, metres."""

    def __post_init__(self) -> None:
        _check(top_speed=self.top_speed, reach=self.reach)
        _check_controller(self.controller)
        if not 1 <= self.points < MAX_TIMES:
            raise ValueError(f"a path has 1 to {MAX_TIMES - 1} points, got {self.points}")


@dataclass(frozen=True)
class RouteSpeed:
    """Target speed and offset from the route's path, both scaled to [-1, 1]."""

    top_speed: float = 20.0
    """Target speed at +1, m/s; -1 is standing."""
    offset: float = 4.0
    """Offset to the right at +1, metres."""
    controller: str = "pursuit"
    """"pursuit" or "pid"."""

    def __post_init__(self) -> None:
        _check(top_speed=self.top_speed, offset=self.offset)
        _check_controller(self.controller)


@dataclass(frozen=True, eq=False)
class Codebook:
    """Action tokens: each is a trajectory of a codebook."""

    trajectories: np.ndarray
    """float[N, K, 2] waypoints in the ego's frame, metres; further columns, such as headings, are disregarded."""
    interval: float = 0.5
    """Seconds from one waypoint to the next."""
    controller: str = "pursuit"
    """"pursuit" or "pid"."""

    def __post_init__(self) -> None:
        _check(interval=self.interval)
        _check_controller(self.controller)
        shape = np.shape(self.trajectories)
        if len(shape) != 3 or not shape[0] or not 1 <= shape[1] < MAX_TIMES or shape[2] < 2:
            raise ValueError(f"a codebook is float[N, K, 2 or more], K under {MAX_TIMES}; got shape {shape}")
        if not np.isfinite(np.asarray(self.trajectories, np.float64)).all():
            raise ValueError("a codebook holds finite numbers; it has NaN or infinite ones")
