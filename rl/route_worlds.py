"""Worlds in training: decisions in, observations and rewards out, as arrays.

`RouteWorlds` is the whole environment; `rl.rollouts` drives it. One decision:

| order | what |
|---|---|
| 1 | the action moves the wanted offset (`envs.actions.route_command`), or is pedals and steering as it is |
| 2 | `frame_skip` ticks, with fresh controls and the terms of the reward every tick (`envs.rewards`) |
| 3 | worlds whose route has ended leave their last observation and their scores, then begin another route |
| 4 | observation |

Routes are drawn so that all scenario types come alike often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.policy_driving import PolicyDriving
from envs.observations.base import Observed
from envs.rewards.rewarder import Rewarder
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import LAYOUT, PEDESTRIAN, VEHICLE, RouteEnd
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import PENALTY_FACTORS
from rl.config import PpoConfig
from rl.rewards import training_reward
from simulator.errors import TrainingError

_COLLISIONS = [LAYOUT, PEDESTRIAN, VEHICLE]
_LOG_FACTORS = np.log([PENALTY_FACTORS.get(name, 1.0) for name in INFRACTION_NAMES])

#: What one decision gives: observations of the worlds as they go on, rewards float32[B], ended bool[B], truncated
#: bool[B], and a story of each ended world: its scores, and the `terminal_observation` of a truncated one.
Step = tuple[Observed, np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]


class RouteWorlds:
    """B worlds that begin a new route whenever one ends: one share of those of a run.

    Attributes:
        num_worlds: B.
        batch, driving, rewarder: the running worlds, what the policy sees of them, what it is paid.
        draws: generator of routes and seeds.
        terms: contribution of each reward term, summed over worlds and decisions since `take_terms`.
    """

    def __init__(self, routes: RouteBatch, config: PpoConfig, num_worlds: int | None = None) -> None:
        """
        Args:
            num_worlds: how many; by default as many as a share has.
        """
        self.config = config
        self.num_worlds = config.worlds // config.shares if num_worlds is None else num_worlds
        self.batch = WorldBatch(routes, self.num_worlds)
        self.driving = PolicyDriving(self.batch, config.observation, config.action)
        self.rewarder = Rewarder(training_reward(config.reward), self.batch)
        self.draws = np.random.default_rng([config.seed, 1])
        names = [prepared.route.scenario_type for prepared in routes.routes]
        self._by_type = [[i for i, name in enumerate(names) if name == kind] for kind in sorted(set(names))]
        self.steps = np.zeros(self.num_worlds, np.int64)
        self.returns = np.zeros(self.num_worlds)
        self.terms: dict[str, float] = {}

    def reset(self) -> Observed:
        """Begin an episode in every world."""
        for b in range(self.num_worlds):
            self._begin(b)
        return self.driving.observe()

    def step(self, actions: np.ndarray) -> Step:
        """One decision in every world.

        Raises:
            TrainingError: for actions of a wrong shape, or that are not finite.
        """
        if actions.shape != (self.num_worlds, 2) or not np.isfinite(actions).all():
            raise TrainingError(f"actions must be finite, of shape ({self.num_worlds}, 2); got shape {actions.shape}")
        batch, driving, rewarder = self.batch, self.driving, self.rewarder
        driving.actions.decide(actions)
        rewarder.start_step()
        for _ in range(self.config.frame_skip):
            driving.actions.control()
            batch.tick(driving.actions.controls)
            rewarder.tick()
        rewards, terms = rewarder.finish_step()
        for name, values in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + float(values.sum())
        finished = batch.criteria["finished"]
        ended = finished != RouteEnd.RUNNING
        truncated = (finished == RouteEnd.TICK_CAP) | ((finished == RouteEnd.INTERRUPTED) & ~rewarder.stopped)
        self.steps += 1
        self.returns += rewards
        stories: list[dict[str, Any]] = []
        if ended.any():
            # only what is cut short has a value beyond its end, for which the last observation is needed
            last = driving.observe() if truncated.any() else None
            for b in np.flatnonzero(ended).tolist():
                seen = None if last is None else _row(last, b)
                stories.append({"world": b, "terminal_observation": seen, **self._scores(b)})
                self._begin(b)
        return driving.observe(), rewards.astype(np.float32), ended, truncated, stories

    def take_terms(self) -> dict[str, float]:
        """The sums of the reward's terms, which begin anew."""
        taken, self.terms = self.terms, {}
        return taken

    def _scores(self, b: int) -> dict[str, Any]:
        c = self.batch.criteria[b]
        completion = 100.0 if c["completed"] else float(c["route_percent"])
        factor = float(np.exp(c["counts"] @ _LOG_FACTORS))
        if c["driven_distance"] > 0.0:
            factor *= max(1.0 - float(c["wrong_distance"] / c["driven_distance"]), 0.0)
        return {
            "return": float(self.returns[b]),
            "steps": int(self.steps[b]),
            "completion": completion,
            "driving_score": completion * factor,
            "collision": bool(c["counts"][_COLLISIONS].any()),
        }

    def _begin(self, b: int) -> None:
        kind = self._by_type[int(self.draws.integers(len(self._by_type)))]
        route = kind[int(self.draws.integers(len(kind)))]
        self.batch.reset(b, EpisodeStart(route, int(self.draws.integers(2**31))))
        self.rewarder.begin(b)
        self.driving.actions.begin(b)
        self.steps[b] = 0
        self.returns[b] = 0.0

    def snapshot(self) -> dict[str, np.ndarray]:
        """Every bit of the worlds, by name, for a checkpoint."""
        kept = {name: flat.copy() for name, flat in self._records().items()}
        kept |= _stacked("driving", [self.driving.snapshot(b) for b in range(self.num_worlds)])
        # windows of PDMS; the last of their parts, the finished ones, is for reading only
        kept |= _stacked("window", [self.rewarder.snapshot(b)[1][:-1] for b in range(self.num_worlds)])
        kept |= {"steps": self.steps.copy(), "returns": self.returns.copy()}
        kept["draws"] = np.frombuffer(pack_draws(self.draws), np.uint8).copy()
        return kept

    def restore(self, kept: dict[str, np.ndarray]) -> None:
        """Put a snapshot back.

        Raises:
            TrainingError: when it was taken of another number or layout of worlds.
        """
        try:
            for name, flat in self._records().items():
                if flat.shape != kept[name].shape:
                    raise TrainingError(
                        f"the checkpoint's worlds ({name}: {kept[name].shape}) are not those of this version or "
                        f"configuration ({flat.shape}); start a new run"
                    )
                flat[:] = kept[name]
            for b in range(self.num_worlds):
                self.driving.restore(b, _unstacked("driving", kept, b))
                windows = _unstacked("window", kept, b)
                self.rewarder.restore(b, (self.rewarder.snapshot(b)[0], (*windows, ()) if windows else ()))
            self.steps[:] = kept["steps"]
            self.returns[:] = kept["returns"]
            unpack_draws(self.draws, kept["draws"].tobytes())
        except KeyError as error:
            raise TrainingError(f"the checkpoint lacks {error}; start a new run") from None

    def _records(self) -> dict[str, np.ndarray]:
        """State of the batch and memory of the reward, uint8[B, bytes] by name: views of them."""
        names = ("world", "director", "criteria", "switches", "reward")
        arrays = (*self.batch.state, self.rewarder.memory)
        return {name: each.view(np.uint8).reshape(len(each), -1) for name, each in zip(names, arrays, strict=True)}


def _stacked(name: str, memories: list[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    """What is remembered of each world, as arrays with a leading world axis, named and numbered."""
    return {f"{name}{k}": np.stack(parts) for k, parts in enumerate(zip(*memories, strict=True))}


def _unstacked(name: str, kept: dict[str, np.ndarray], b: int) -> tuple[np.ndarray, ...]:
    """What is remembered of one world."""
    count = len([each for each in kept if each.startswith(name)])
    return tuple(kept[f"{name}{k}"][b].copy() for k in range(count))


def _row(seen: Observed, b: int) -> Any:
    """The observation of one world, with a leading axis of one."""
    if isinstance(seen, dict):
        return {name: array[b : b + 1].copy() for name, array in seen.items()}
    return seen[b : b + 1].copy()


def pack_draws(draws: np.random.Generator) -> bytes:
    """State of a PCG64 generator, 37 bytes."""
    state = draws.bit_generator.state
    words = [state["state"][name].to_bytes(16, "little") for name in ("state", "inc")]
    return b"".join(words) + bytes([state["has_uint32"]]) + state["uinteger"].to_bytes(4, "little")


def unpack_draws(draws: np.random.Generator, packed: bytes) -> None:
    """Put that state back."""
    draws.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {
            "state": int.from_bytes(packed[:16], "little"),
            "inc": int.from_bytes(packed[16:32], "little"),
        },
        "has_uint32": packed[32],
        "uinteger": int.from_bytes(packed[33:37], "little"),
    }
