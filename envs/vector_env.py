"""Many worlds as one Gymnasium vector environment; a single environment is a batch of one (`route_env`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from envs.actions.base import checked_actions
from envs.chunk import Chunk, EnvSnapshot
from envs.curriculum import Curriculum, CurriculumConfig
from envs.names import unknown_name
from envs.observations.base import Observed, allocate, batched, copied, one, rows
from envs.rewards import RewardSpec, make_reward
from envs.rewards.terms import NAMES
from envs.routes import RouteBatch, load_network, prepare_routes
from envs.views.live import frame_rate
from envs.views.painter import HEIGHT, WIDTH
from envs.views.render import RENDER_MODES, EnvRenderer
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import MIN_SPEED, RouteEnd
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.records import INFRACTION_NAMES, RouteResult
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.densities import Ambient
from simulator.errors import RouteFileError
from simulator.state import TICK_SECONDS


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


def ticks_of(decision_hz: float) -> int:
    """Ticks of 0.05 s between decisions that are made so often a second.

    Raises:
        ValueError: for a rate whose interval is no whole number of ticks.
    """
    rate = 1.0 / TICK_SECONDS
    ticks = round(rate / decision_hz) if decision_hz > 0.0 else 0
    if ticks < 1 or abs(ticks * decision_hz - rate) > 1e-6:
        raise ValueError(f"decision_hz must divide {rate:g} (20, 10, 5, 4, 2, 1, ...), got {decision_hz}")
    return ticks


class RouteVectorEnv(VectorEnv[Any, np.ndarray, np.ndarray]):
    """B worlds on one town, stepped together by the kernels; no worlds are copied and nothing runs in Python per world.

    | | |
    |---|---|
    | observation | `vector`: float32[B, 188] (default), `bev`, `structured`, `text`, sensors, or several by name |
    | action | `control`: float32[B, 2] in [-1, 1], pedal and steer (default), or any of `envs.actions` |
    | reward | the weighted terms of `envs.rewards`; each by itself in `infos["reward_terms"]` |
    | step | `frame_skip` ticks of 0.05 s (default 2: 10 Hz), `action_repeat` times |
    | start | a route drawn from the seed, or `options={"route": id or index}`, or `options={"snapshot": snapshot}` |
    | termination | the leaderboard ends the route (completed, deviated, blocked, timed out), or an infraction of
    `terminate_on` does |
    | truncation | `tick_cap` ticks, by default the leaderboard's 4000 |
    | autoreset | `NEXT_STEP`: the step after an end begins the next episode and ignores its action. `SAME_STEP`: the
    step that ends an episode gives the first observation of the next, `infos["final_obs"]` and `infos["final_info"]`
    hold the end. `DISABLED`: `reset(options={"reset_mask": ...})` begins anew |
    | rendering | `render_mode="rgb_array"`: `render()` gives a uint8[H, W, 3] a world; `"human"`: a window on world 0 |

    | `infos[...]` | |
    |---|---|
    | `route_id`, `tick` | of every world |
    | `infractions` | int64[B, 12]: entries so far of each list of `INFRACTION_NAMES` |
    | `route_completion`, `driving_score` | float64[B], percent and points so far |
    | `reward_terms` | float64[B] by name: what each term contributed to the reward |
    | `result` | `RouteResult` of every world that ended in this step (object array, `_result` its mask) |
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
        decision_hz: float | None = None,
        action_repeat: int = 1,
        action: Any = "control",
        observation: Any = "vector",
        reward: str | RewardSpec | Mapping[str, Any] = "simple",
        terminate_on: Sequence[str] | None = None,
        tick_cap: int | None = None,
        curriculum: CurriculumConfig | Mapping[str, Any] | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        threads: int = 1,
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
            frame_skip: ticks of 0.05 s for which a decision is carried out.
            decision_hz: decisions a second, instead of `frame_skip`; 20 over it is a whole number.
            action_repeat: how often a decision is taken over in a step; trajectories are laid anew each time.
            action: name of an action space, or its configuration: see `envs.actions`.
            observation: name of an observation, its configuration, or a dict of several: see `envs.observations`.
            reward: name of a preset, a `.json` file, or a specification: see `envs.rewards`.
            terminate_on: infractions that end an episode, instead of the reward's.
            tick_cap: ticks after which an episode is truncated; the leaderboard's 4000 by default, 0: never.
            curriculum: how routes are drawn; evenly by default.
            autoreset_mode: of Gymnasium, or its name: "NextStep", "SameStep", "Disabled".
            copy: fresh arrays at every step. False: observations are written into the same arrays again and again,
                so what a step returned holds until the next only.
            threads: how many threads share the worlds. The results are the same, bit for bit.
            pedestrians, parked_cars: density of life beside the road, 0..1. Results of different densities are not
                compared.
            render_mode: None, "rgb_array", or "human" (needs the `view` extra).
            render_size: width and height of a frame, pixels.
            render_view: where the camera stands: "chase", "front" or "above".
            load: `maps`, `town` for `load_routes`.
        """
        if decision_hz is not None:
            frame_skip = ticks_of(decision_hz)
        for name, value in (
            ("frame_skip", frame_skip), ("action_repeat", action_repeat), ("num_envs", num_envs), ("threads", threads),
        ):  # fmt: skip
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
        if tick_cap is not None and tick_cap < 0:
            raise ValueError(f"tick_cap must be 0 (never) or more ticks, got {tick_cap}")
        self.reward_spec = make_reward(reward)
        if terminate_on is not None:
            self.reward_spec = replace(self.reward_spec, terminate_on=tuple(terminate_on))
        self.num_envs = num_envs
        self.frame_skip = frame_skip
        self.action_repeat = action_repeat
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self._copy = copy
        self._settings = {
            "frame_skip": frame_skip, "action_repeat": action_repeat, "action": action, "observation": observation,
            "reward": self.reward_spec, "tick_cap": tick_cap, "curriculum": curriculum, "copy": copy,
            "autoreset_mode": self.autoreset_mode, "pedestrians": pedestrians, "parked_cars": parked_cars,
        }  # fmt: skip
        batch = routes if isinstance(routes, RouteBatch) else load_routes(routes, **load)
        self.batch = WorldBatch(batch, num_envs, ambient=Ambient(pedestrians, parked_cars))
        if isinstance(curriculum, Mapping):
            curriculum = CurriculumConfig(**curriculum)
        self.curriculum = Curriculum(batch.routes, curriculum)
        self._ids = np.array([prepared.route.id for prepared in batch.routes])
        self._index = {prepared.route.id: k for k, prepared in enumerate(batch.routes)}
        threads = min(threads, num_envs)
        bounds = [num_envs * k // threads for k in range(threads + 1)]
        self._chunks = [
            Chunk(
                self.batch if threads == 1 else self.batch.part(first, last),
                slice(first, last),
                action=action,
                observation=observation,
                reward=self.reward_spec,
                tick_cap=tick_cap,
            )
            for first, last in pairwise(bounds)
        ]
        self._home = [(chunk, b - chunk.span.start) for chunk in self._chunks for b in range(num_envs)[chunk.span]]
        self._pool = ThreadPoolExecutor(threads, "routegym") if threads > 1 else None
        self.single_observation_space = self._chunks[0].observation.space
        self.single_action_space = self._chunks[0].actions.space
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self.metadata = {
            **self.metadata,
            "render_fps": frame_rate(frame_skip * action_repeat),
            "autoreset_mode": self.autoreset_mode,
        }
        self._renderer = None
        if render_mode is not None:
            self._renderer = EnvRenderer(self.batch, render_mode, frame_skip * action_repeat, render_size, render_view)
        self._draws: list[np.random.Generator] = []
        self._ended = np.zeros(num_envs, bool)
        self._all = np.ones(num_envs, bool)
        self._buffers: Observed = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Begin an episode in every world.

        Args:
            seed: of the draws of routes and worlds; world b takes `seed + b`, or the b-th of a sequence.
            options: `route`: id (text) or index, or one a world. `snapshot`: an `EnvSnapshot`, or one a world, to go
                on from. `reset_mask`: bool[B], which worlds begin anew; all by default.

        Raises:
            ValueError: for options or routes that do not exist.
        """
        self._check_open()
        options = options or {}
        for name in options:
            if name not in ("route", "snapshot", "reset_mask"):
                raise ValueError(unknown_name("reset option", name, ("route", "snapshot", "reset_mask")))
        if seed is not None or not self._draws:
            if seed is None or isinstance(seed, (int, np.integer)):
                seed = [None if seed is None else int(seed) + b for b in range(self.num_envs)]
            if len(seed) != self.num_envs:
                raise ValueError(f"{len(seed)} seeds for {self.num_envs} worlds")
            self._draws = [np.random.default_rng(s) for s in seed]
        mask = self._all if options.get("reset_mask") is None else np.asarray(options["reset_mask"], bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must be of shape ({self.num_envs},), got {mask.shape}")
        picks = self._picks(options.get("route"))
        snapshots = self._snapshots(options.get("snapshot"))
        for b in np.flatnonzero(mask):
            snapshot = snapshots[b]
            if snapshot is not None:
                self._put_back(int(b), snapshot)
            else:
                self._begin(int(b), picks[b])
        self._show()
        return batched(self._observe()), self._status()

    def step(self, actions: Any) -> tuple[Observed, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every world by `frame_skip * action_repeat` ticks.

        Raises:
            ValueError: for actions of a wrong shape, or that are not finite, or do not exist.
            gymnasium.error.ResetNeeded: before the first `reset`, or after an end where autoreset is disabled.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        self._check_open()
        if not self._draws:
            raise gym.error.ResetNeeded("no episode has begun; call reset() first")
        given = checked_actions(self.single_action_space, actions, self.num_envs)
        fresh = None
        if self._ended.any():
            if self.autoreset_mode == AutoresetMode.DISABLED:
                over = np.flatnonzero(self._ended).tolist()
                raise gym.error.ResetNeeded(f"the routes of worlds {over} have ended; reset them with a reset_mask")
            fresh = self._ended.copy()
            for b in np.flatnonzero(fresh):
                self._begin(int(b), None)
        out = self._next_buffers()
        terms = np.zeros((self.num_envs, len(NAMES)))
        rewards = np.empty(self.num_envs)

        def run(chunk: Chunk) -> dict[str, np.ndarray]:
            span = chunk.span
            waiting = None if fresh is None else fresh[span]
            chunk.step(given[span], waiting, self.frame_skip, self.action_repeat, terms[span])
            contributions = chunk.rewarder.finish_step(rewards[span])[1]
            chunk.observe(rows(out, span) if self._pool else out)
            return contributions

        if self._pool is None:
            contributions = run(self._chunks[0])
        else:
            parts = list(self._pool.map(run, self._chunks))
            contributions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if fresh is not None:
            rewards[fresh] = 0.0
        finished = self.batch.criteria["finished"]
        ended = finished != RouteEnd.RUNNING
        infos = self._status()
        infos["reward_terms"], infos["_reward_terms"] = contributions, self._all
        truncated = np.zeros(self.num_envs, bool)
        if ended.any():
            stopped = np.concatenate([chunk.rewarder.stopped for chunk in self._chunks])
            truncated = (finished == RouteEnd.TICK_CAP) | ((finished == RouteEnd.INTERRUPTED) & ~stopped)
            self._book_ends(ended, infos)
        self._ended = ended
        self._show()
        if ended.any() and self.autoreset_mode == AutoresetMode.SAME_STEP:
            infos = self._begin_again(ended, out, infos)
        return batched(out), rewards, ended & ~truncated, truncated, infos

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
        self._check_open()
        if self._renderer is None:
            raise gym.error.Error('made without a render mode; pass render_mode="rgb_array" or "human"')
        if not self._draws:
            raise gym.error.ResetNeeded("no episode has begun; call reset() first")
        if self.render_mode == "human":
            return None
        return tuple(self._renderer.frame(b) for b in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window and the threads; Gymnasium's `close` calls it."""
        if self._renderer is not None:
            self._renderer.close()
        if self._pool is not None:
            self._pool.shutdown()

    def snapshot(self, index: int = 0) -> EnvSnapshot:
        """Every bit of one running world, and of what its observation, reward and controller remember."""
        chunk, local = self._home[index]
        return chunk.snapshot(local)

    def restore(self, snapshot: EnvSnapshot, index: int = 0) -> Observed:
        """Put a snapshot back and return the observations of all worlds."""
        self._put_back(index, snapshot)
        return batched(self._observe())

    def fork(self, count: int, index: int = 0) -> RouteVectorEnv:
        """A vector environment of `count` worlds that all go on from world `index`.

        Its settings are this one's; its draws of later routes depend on the world alone. `reset` is not called.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        self._check_open()
        if not self._draws:
            raise gym.error.ResetNeeded("no episode has begun; call reset() first")
        fork = RouteVectorEnv(count, self.batch.routes, **self._settings)
        snapshot = self.snapshot(index)
        origin = [int(self.batch.worlds["seed"][index]), int(self.batch.worlds["tick"][index])]
        fork._draws = [np.random.default_rng([*origin, b]) for b in range(count)]
        for b in range(count):
            fork._put_back(b, snapshot)
        return fork

    def observe(self) -> Observed:
        """The observations of all worlds as they are."""
        return batched(self._observe())

    def _check_open(self) -> None:
        if self.closed:
            raise gym.error.ClosedEnvironmentError("the environment has been closed; make another one")

    def _show(self) -> None:
        if self._renderer is not None and self.render_mode == "human":
            self._renderer.show()

    def _picks(self, choice: Any) -> list[int | None]:
        """Route index of each world, None where it is drawn."""
        if choice is None:
            return [None] * self.num_envs
        several = isinstance(choice, (list, tuple, np.ndarray)) and np.ndim(choice) == 1
        choices = list(choice) if several else [choice] * self.num_envs
        if len(choices) != self.num_envs:
            raise ValueError(f"{len(choices)} routes for {self.num_envs} worlds")
        return [self._route_index(each) for each in choices]

    def _route_index(self, choice: Any) -> int | None:
        count = len(self._ids)
        if choice is None:
            return None
        if isinstance(choice, str):
            if choice not in self._index:
                raise ValueError(unknown_name("route", str(choice), list(self._index)[:40]))
            return self._index[choice]
        if not isinstance(choice, (int, np.integer)) or not 0 <= choice < count:
            raise ValueError(f"route {choice!r}: give an index from 0 to {count - 1}, or the id as text")
        return int(choice)

    def _snapshots(self, choice: Any) -> list[EnvSnapshot | None]:
        if choice is None or isinstance(choice, EnvSnapshot):
            return [choice] * self.num_envs
        if len(choice) != self.num_envs:
            raise ValueError(f"{len(choice)} snapshots for {self.num_envs} worlds")
        return list(choice)

    def _begin(self, b: int, route: int | None) -> None:
        draws = self._draws[b]
        if route is None:
            route = self.curriculum.draw(draws)
        chunk, local = self._home[b]
        chunk.begin(local, EpisodeStart(route, int(draws.integers(2**31))))
        self._ended[b] = False

    def _put_back(self, b: int, snapshot: EnvSnapshot) -> None:
        chunk, local = self._home[b]
        chunk.restore(local, snapshot)
        self._ended[b] = snapshot.finished

    def _next_buffers(self) -> Observed:
        if self._copy or self._buffers is None:
            self._buffers = allocate(self.single_observation_space, self.num_envs)
        return self._buffers

    def _observe(self) -> Observed:
        out = self._next_buffers()
        for chunk in self._chunks:
            chunk.observe(rows(out, chunk.span))
        return out

    def _status(self) -> dict[str, Any]:
        """What every step tells of every world."""
        criteria = self.batch.criteria
        scores = [chunk.rewarder.memory["score"] for chunk in self._chunks]
        infos: dict[str, Any] = {
            "route_id": self._ids[self.batch.worlds["route"]],
            "tick": self.batch.worlds["tick"].copy(),
            "infractions": criteria["counts"].copy(),
            "route_completion": criteria["route_percent"].copy(),
            "driving_score": scores[0].copy() if len(scores) == 1 else np.concatenate(scores),
        }
        for name in tuple(infos):
            infos["_" + name] = self._all
        return infos

    def _book_ends(self, ended: np.ndarray, infos: dict[str, Any]) -> None:
        """Add the results of the worlds that have ended, and tell the curriculum."""
        results = np.full(self.num_envs, None, object)
        for b in np.flatnonzero(ended):
            results[b] = self.result(int(b))
            self.curriculum.record(int(self.batch.worlds["route"][b]), results[b])
        infos |= {"result": results, "_result": ended.copy()}

    def _begin_again(self, ended: np.ndarray, out: Observed, infos: dict[str, Any]) -> dict[str, Any]:
        """Reset the worlds that have ended in this very step; their last observation and info move aside."""
        final = np.full(self.num_envs, None, object)
        for b in np.flatnonzero(ended):
            final[b] = copied(one(out, int(b)))
            self._begin(int(b), None)
            chunk, local = self._home[b]
            chunk.observe_one(local, rows(out, slice(b, b + 1)))
        last = {
            name: value if isinstance(value, dict) or name[0] == "_" else np.array(value, copy=True)
            for name, value in infos.items()
        }
        last |= {name: ended.copy() for name in infos if name[0] == "_"}
        now = {**self._status(), "reward_terms": infos["reward_terms"], "_reward_terms": self._all}
        mask = ended.copy()
        return {**now, "final_obs": final, "_final_obs": mask, "final_info": last, "_final_info": mask}


def _autoreset_mode(choice: AutoresetMode | str) -> AutoresetMode:
    if isinstance(choice, AutoresetMode):
        return choice
    names = {mode.value: mode for mode in AutoresetMode} | {mode.name: mode for mode in AutoresetMode}
    if choice not in names:
        raise ValueError(unknown_name("autoreset mode", choice, names))
    return names[choice]


def infractions_by_name(counts: np.ndarray) -> dict[str, int]:
    """Entries so far of each infraction list that has any, without the min-speed one. `counts`: int64[12]."""
    return {INFRACTION_NAMES[k]: int(counts[k]) for k in np.flatnonzero(counts) if k != MIN_SPEED}
