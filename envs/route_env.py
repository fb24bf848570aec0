"""One route world as a Gymnasium environment: a vector environment of one, without the leading axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from envs.chunk import EnvSnapshot
from envs.observations.base import Observed, one
from envs.places import Places
from envs.routes import RouteBatch
from envs.vector_env import RouteVectorEnv, infractions_by_name
from envs.views.render import RENDER_MODES
from leaderboard_adapters.records import RouteResult


class RouteEnv(gym.Env[Any, Any]):
    """Drive a route: observation, action, reward and end as in `RouteVectorEnv`, for one world.

    Routes may lie on several towns; each is loaded when it is driven first.

    | `info[...]` | |
    |---|---|
    | `route_id`, `tick` | |
    | `infractions` | entries so far of each infraction list that has any, by name |
    | `route_completion`, `driving_score` | percent and points so far |
    | `reward_terms` | what each term contributed to the reward, by name |
    | `result` | the full `RouteResult`, in the step that ends the route |
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012 - Gymnasium's own convention

    def __init__(
        self,
        routes: RouteBatch | str | Path = "smoke",
        *,
        maps: str | Path | None = None,
        town: str | None = None,
        missing_maps: str = "error",
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        """
        Args:
            routes: a prepared batch, the name of a suite, or a route file.
            maps, town, missing_maps: see `envs.places.Places`.
            render_mode: None, "rgb_array", or "human" (needs the `view` extra).
            settings: as of `RouteVectorEnv`: `frame_skip`, `action`, `observation`, `reward`, ...
        """
        self._settings = {"render_mode": render_mode, "autoreset_mode": AutoresetMode.DISABLED, **settings}
        self._places: Places | None = None
        self._envs: dict[str, RouteVectorEnv] = {}
        if isinstance(routes, RouteBatch):
            self._vector = RouteVectorEnv(1, routes, **self._settings)
        else:
            self._places = Places(routes, maps=maps, town=town, missing_maps=missing_maps)
            self._vector = self._go_to(next(iter(self._places.routes)))
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": self._vector.metadata["render_fps"]}
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self._over = True
        self._closed = False

    def _go_to(self, place: str) -> RouteVectorEnv:
        assert self._places is not None
        if place not in self._envs:
            self._envs[place] = RouteVectorEnv(1, self._places.load(place), **self._settings)
        return self._envs[place]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Begin a route.

        Args:
            seed: of the draws of routes and worlds.
            options: `route`: its id (text), or its index where all routes lie on one town. `snapshot`: an
                `EnvSnapshot` to go on from. Without them the route is drawn.

        Raises:
            ValueError: for options or routes that do not exist.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        self._check_open()
        super().reset(seed=seed)
        options = options or {}
        if self._places is not None and len(self._places.routes) > 1 and "snapshot" not in options:
            self._vector = self._go_to(self._choose_place(options.get("route")))
            # the draws of all places come from this environment's own
            seed = int(self.np_random.integers(2**31))
        observations, infos = self._vector.reset(seed=seed, options=options)
        self._over = False
        return one(observations), _first(infos)

    def _choose_place(self, route: Any) -> str:
        assert self._places is not None
        if isinstance(route, str):
            return self._places.place_of(route)
        if route is not None:
            raise ValueError(f"route {route!r}: the routes lie on several towns; give the id as text")
        counts = np.array([len(routes) for routes in self._places.routes.values()])
        return list(self._places.routes)[int(self.np_random.choice(len(counts), p=counts / counts.sum()))]

    def step(self, action: Any) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Advance by `frame_skip` ticks, `action_repeat` times.

        Raises:
            ValueError: for an action of a wrong shape, or that is not finite, or does not exist.
            gymnasium.error.ResetNeeded: before `reset`, or after the route has ended.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        if self._over:
            self._check_open()
            raise gym.error.ResetNeeded("the route has ended (or none has begun); call reset() first")
        observations, rewards, terminated, truncated, infos = self._vector.step(np.asarray(action)[None])
        ended, cut = bool(terminated[0]), bool(truncated[0])
        self._over = ended or cut
        return one(observations), float(rewards[0]), ended, cut, _first(infos)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """With "rgb_array" a frame, RGB uint8[H, W, 3]; None with "human", where `step` and `reset` show it.

        Raises:
            gymnasium.error.Error: before `reset`, or without a render mode.
        """
        frames = self._vector.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Close the window, where there is one."""
        for env in {id(env): env for env in (self._vector, *self._envs.values())}.values():
            env.close()
        self._over = self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise gym.error.ClosedEnvironmentError("the environment has been closed; make another one")

    def snapshot(self) -> EnvSnapshot:
        """Every bit of the running world, and of what observation, reward and controller remember."""
        return self._vector.snapshot()

    def restore(self, snapshot: EnvSnapshot) -> Observed:
        """Put a snapshot back and return its observation."""
        self._over = snapshot.finished
        return one(self._vector.restore(snapshot))

    def fork(self, count: int) -> RouteVectorEnv:
        """A vector environment of `count` worlds that all go on from this one."""
        return self._vector.fork(count)

    def result(self) -> RouteResult:
        """The result of the route so far; final once it has ended."""
        return self._vector.result(0)


def _first(infos: Mapping[str, Any]) -> dict[str, Any]:
    """The info of the one world."""
    info: dict[str, Any] = {}
    for name, value in infos.items():
        if name[0] == "_":
            continue
        if name == "reward_terms":
            info[name] = {term: float(each[0]) for term, each in value.items()}
        elif name == "infractions":
            info[name] = infractions_by_name(value[0])
        else:
            info[name] = value[0]
    return info
