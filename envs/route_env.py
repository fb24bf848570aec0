"""One route world as a Gymnasium environment: a vector environment of one, without the leading axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from envs.observations.bev import BevConfig
from envs.observations.registry import Observed
from envs.routes import RouteBatch
from envs.vector_env import EnvSnapshot, RouteVectorEnv
from envs.views.render import RENDER_MODES


class RouteEnv(gym.Env[Any, np.ndarray]):
    """Drive a route of a suite: observation, action, reward and end as in `RouteVectorEnv`, for one world.

    `info` carries `route_id` and `tick`, and on the end of a route its full `RouteResult` as `result`.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012 - Gymnasium's own convention

    def __init__(
        self,
        routes: RouteBatch | str | Path = "smoke",
        *,
        frame_skip: int = 2,
        observation: str | BevConfig = "vector",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self._vector = RouteVectorEnv(
            1, routes, frame_skip=frame_skip, observation=observation, render_mode=render_mode, **options
        )
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": self._vector.metadata["render_fps"]}
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Begin a route. `options={"route": index}` picks it, otherwise it is drawn from the seed."""
        super().reset(seed=seed)
        observations, infos = self._vector.reset(seed=seed, options=options)
        self._over = False
        return _only(observations), _first(infos)

    def step(self, action: np.ndarray) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Advance by `frame_skip` ticks.

        Raises:
            gymnasium.error.ResetNeeded: before `reset`, or after the route has ended.
        """
        if self._over:
            raise gym.error.ResetNeeded("the route has ended (or none has begun); call reset() first")
        observations, rewards, terminated, truncated, infos = self._vector.step(np.asarray(action)[None])
        self._over = bool(terminated[0] or truncated[0])
        return _only(observations), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first(infos)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """With "rgb_array" a frame, RGB uint8[H, W, 3]; None with "human", where `step` and `reset` show it.

        Raises:
            gymnasium.error.Error: before `reset`, or without a render mode.
        """
        frames = self._vector.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Close the window, where there is one."""
        self._vector.close()

    def snapshot(self) -> EnvSnapshot:
        """Every bit of the running world, and of what its observation remembers."""
        return self._vector.snapshot()

    def restore(self, snapshot: EnvSnapshot) -> Observed:
        """Put a snapshot back and return its observation."""
        self._over = snapshot.finished
        return _only(self._vector.restore(snapshot))


def _only(observations: Observed) -> Observed:
    """The observation of the one world, without the leading axis."""
    if isinstance(observations, dict):
        return {name: value[0] for name, value in observations.items()}
    return np.asarray(observations[0])


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: float(each[0]) for key, each in value.items()} if isinstance(value, dict) else value[0]
        for name, value in infos.items()
        if not name.startswith("_")
    }
