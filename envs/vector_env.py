"""Many worlds as one Gymnasium vector environment; a single environment is a batch of one (`route_env`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from envs.observations.bev import BevConfig
from envs.observations.registry import Observed, make_observation
from envs.rewards import RewardSpec, make_reward
from envs.rewards.rewarder import Rewarder
from envs.routes import RouteBatch, load_network, prepare_routes
from envs.views.live import frame_rate
from envs.views.painter import HEIGHT, WIDTH
from envs.views.render import RENDER_MODES, EnvRenderer
from envs.world import EpisodeStart, Snapshot, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import RouteResult
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.densities import Ambient
from simulator.errors import RouteFileError


def load_routes(routes: str | Path = "smoke", maps: str | Path | None = None, town: str | None = None) -> RouteBatch:
    """Routes of a suite or file, ready to run; all on one town.

    Raises:
        RouteFileError: when the file has routes on several towns and `town` picks none, or none on `town`.
    """
    file = find_suite(routes)
    found = [r for r in read_routes(file) if town is None or r.town == town]
    towns = sorted({r.town for r in found})
    if len(towns) != 1:
        picked = f"{', '.join(towns)}; pass town=..." if towns else f"none on {town}"
        raise RouteFileError(f"{file}: an environment needs routes on one town, found {picked}")
    return prepare_routes(load_network(found[0], Path(maps) if maps else None), found)


class EnvSnapshot(NamedTuple):
    """Every bit of one running world, and what its observation and its reward remember of the past."""

    world: Snapshot
    seen: tuple[np.ndarray, ...]
    reward: np.ndarray  # REWARD[1]

    @property
    def finished(self) -> bool:
        """Whether its route had ended."""
        return self.world.finished


class RouteVectorEnv(VectorEnv[Any, np.ndarray, np.ndarray]):
    """B worlds on one town, stepped together by the kernels; no worlds are copied and nothing runs in Python per world.

    | | |
    |---|---|
    | observation | `vector`: float32[B, 188] (default); `bev`: uint8[B, C, H, W]; `structured`: arrays by name |
    | action | float32[B, 2] in [-1, 1]: throttle (positive) or brake (negative), steer (right positive) |
    | reward | the weighted terms of `envs.rewards`; each by itself in `infos["reward_terms"]` |
    | step | `frame_skip` ticks of 0.05 s (default 2: 10 Hz) |
    | start | a route of the batch, drawn from the seed or given as `options={"route": index}` |
    | termination | the leaderboard ends the route (completed, deviated, blocked, timed out), or an infraction of
    `reward_spec.terminate_on` does |
    | truncation | the leaderboard's cap of 4000 ticks |
    | autoreset | `NEXT_STEP`: the step after an end begins the next episode and ignores its action |
    | rendering | `render_mode="rgb_array"`: `render()` gives a uint8[H, W, 3] a world; `"human"`: a window on world 0 |

    `infos["result"]` holds the full `RouteResult` of every world that ended in this step (object array, `_result`
    its mask).
    """

    metadata = {  # noqa: RUF012 - Gymnasium's own convention
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        routes: RouteBatch | str | Path = "smoke",
        *,
        frame_skip: int = 2,
        observation: str | BevConfig = "vector",
        reward: str | RewardSpec | Mapping[str, Any] = "simple",
        pedestrians: float = 0.0,
        parked_cars: float = 0.0,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (WIDTH, HEIGHT),
        render_view: str = "chase",
        **load: Any,
    ) -> None:
        """
        Args:
            num_envs: worlds.
            routes: a prepared batch, the name of a suite, or a route file.
            frame_skip: ticks of 0.05 s a step.
            observation: its name, or the configuration of a bird's-eye view.
            reward: name of a preset, a `.json` file, or a specification: see `envs.rewards`.
            pedestrians, parked_cars: density of life beside the road, 0..1. Results of different densities are not
                compared.
            render_mode: None, "rgb_array", or "human" (needs the `view` extra).
            render_size: width and height of a frame, pixels.
            render_view: where the camera stands: "chase", "front" or "above".
            load: `maps`, `town` for `load_routes`.
        """
        if frame_skip < 1:
            raise ValueError(f"frame_skip must be at least 1 tick, got {frame_skip}")
        self.num_envs = num_envs
        self.frame_skip = frame_skip
        batch = routes if isinstance(routes, RouteBatch) else load_routes(routes, **load)
        self.batch = WorldBatch(batch, num_envs, ambient=Ambient(pedestrians, parked_cars))
        self._observation = make_observation(observation, self.batch.routes, num_envs)
        self.single_observation_space = self._observation.space
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": frame_rate(frame_skip)}
        self._renderer = None
        if render_mode is not None:
            self._renderer = EnvRenderer(self.batch, render_mode, frame_skip, render_size, render_view)
        self.reward_spec = make_reward(reward)
        self._rewarder = Rewarder(self.reward_spec, self.batch)
        self._controls = np.zeros((num_envs, 3))
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Begin an episode in every world.

        `options={"route": index or indices}` picks routes, otherwise they are drawn from the seed.
        """
        if seed is not None or not hasattr(self, "_draws"):
            if seed is None or isinstance(seed, int):
                seed = [None if seed is None else seed + b for b in range(self.num_envs)]
            self._draws = [np.random.default_rng(s) for s in seed]
        chosen = (options or {}).get("route")
        picks = np.broadcast_to(np.asarray(-1 if chosen is None else chosen), (self.num_envs,))
        for b in range(self.num_envs):
            self._begin(b, int(picks[b]))
        self._show()
        return self._observe(), {"route_id": self._route_ids()}

    def step(self, actions: np.ndarray) -> tuple[Observed, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every world by `frame_skip` ticks.

        Raises:
            ValueError: for actions of a wrong shape, or that are not finite.
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        if not hasattr(self, "_draws"):
            raise gym.error.ResetNeeded("no episode has begun; call reset() first")
        actions = np.asarray(actions, np.float64)
        if actions.shape != (self.num_envs, 2) or not np.isfinite(actions).all():
            raise ValueError(f"actions must be finite, of shape ({self.num_envs}, 2); got shape {actions.shape}")
        fresh = self._ended.copy()
        for b in np.flatnonzero(fresh):
            self._begin(int(b), -1)
        criteria = self.batch.criteria
        self._rewarder.start_step()
        np.clip(actions[:, 0], 0.0, 1.0, out=self._controls[:, 0])
        np.clip(-actions[:, 0], 0.0, 1.0, out=self._controls[:, 1])
        np.clip(actions[:, 1], -1.0, 1.0, out=self._controls[:, 2])
        if fresh.any():
            self._tick_all_but(fresh)
        else:
            self._tick()
        rewards, terms = self._rewarder.finish_step()
        finished = criteria["finished"]
        ended = finished != RouteEnd.RUNNING
        truncated = (finished == RouteEnd.TICK_CAP) | ((finished == RouteEnd.INTERRUPTED) & ~self._rewarder.stopped)
        self._ended = ended
        infos: dict[str, Any] = {
            "route_id": self._route_ids(),
            "tick": self.batch.worlds["tick"].copy(),
            "reward_terms": terms,
        }
        if ended.any():
            results = np.full(self.num_envs, None, object)
            for b in np.flatnonzero(ended):
                results[b] = self.result(int(b))
            infos |= {"result": results, "_result": ended.copy()}
        self._show()
        return self._observe(), rewards, ended & ~truncated, truncated, infos

    def result(self, index: int) -> RouteResult:
        """The result of a world's route so far; final once it has ended."""
        prepared = self.batch.routes.routes[int(self.batch.worlds["route"][index])]
        return build_result(
            self.batch.criteria[index],
            prepared.route,
            network=self.batch.routes.network,
            notes=prepared.drive_notes(self.batch.directors[index]),
            seed=int(self.batch.worlds["seed"][index]),
            **prepared.result_fields(self.batch.directors[index], self.batch.ambient.world),
        )

    def render(self) -> tuple[np.ndarray, ...] | None:
        """With "rgb_array" a frame of every world, RGB uint8[H, W, 3]; None with "human", where `step` shows them.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
            gymnasium.error.Error: without a render mode.
        """
        if self._renderer is None:
            raise gym.error.Error('made without a render mode; pass render_mode="rgb_array" or "human"')
        if not hasattr(self, "_draws"):
            raise gym.error.ResetNeeded("no episode has begun; call reset() first")
        if self.render_mode == "human":
            return None
        return tuple(self._renderer.frame(b) for b in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window; Gymnasium's `close` calls it."""
        if self._renderer is not None:
            self._renderer.close()

    def _show(self) -> None:
        if self._renderer is not None and self.render_mode == "human":
            self._renderer.show()

    def snapshot(self, index: int = 0) -> EnvSnapshot:
        """Every bit of one running world, and of what its observation remembers."""
        return EnvSnapshot(
            self.batch.snapshot(index), self._observation.snapshot(index), self._rewarder.snapshot(index)
        )

    def restore(self, snapshot: EnvSnapshot, index: int = 0) -> Observed:
        """Put a snapshot back and return the observations of all worlds."""
        self.batch.restore(index, snapshot.world)
        self._observation.restore(index, snapshot.seen)
        self._rewarder.restore(index, snapshot.reward)
        self._ended[index] = snapshot.finished
        return self._observe()

    def fork(self, count: int, index: int = 0) -> WorldBatch:
        """A batch of `count` worlds that all go on from world `index`."""
        return self.batch.fork(index, count)

    def _begin(self, b: int, route: int) -> None:
        draws = self._draws[b]
        if route < 0:
            route = int(draws.integers(len(self.batch.routes.routes)))
        self.batch.reset(b, EpisodeStart(route, int(draws.integers(2**31))))
        self._rewarder.begin(b)
        self._ended[b] = False

    def _tick_all_but(self, waiting: np.ndarray) -> None:
        """Tick the worlds that go on; those that have just begun wait for their first action."""
        finished = self.batch.criteria["finished"]
        kept = finished[waiting].copy()
        finished[waiting] = RouteEnd.INTERRUPTED
        self._tick()
        finished[waiting] = kept

    def _tick(self) -> None:
        for _ in range(self.frame_skip):
            self.batch.tick(self._controls)
            self._rewarder.tick()

    def _observe(self) -> Observed:
        return self._observation.observe(self.batch.worlds)

    def _route_ids(self) -> np.ndarray:
        return np.array([self.batch.routes.routes[r].route.id for r in self.batch.worlds["route"]])
