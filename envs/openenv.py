"""Driving for language models: one decision a call, the scene as text. For TRL's `environment_factory` and OpenEnv.

```python
from trl import GRPOTrainer
from envs.openenv import DrivingTask, driving_score

GRPOTrainer(..., environment_factory=DrivingTask, reward_funcs=[driving_score])   # each rollout drives a route
```

TRL makes one instance a rollout, calls `reset` with the columns of the dataset (here `route` and `seed`) and offers the
other public methods with docstring as tools. `OpenEnvRoute` is the same drive with OpenEnv's `reset`/`step`/`state`.
Decisions are meta-actions, 2 a second by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envs.actions.tracked import PATH_WORDS, SPEED_WORDS
from envs.names import unknown_name
from envs.route_env import RouteEnv
from leaderboard_adapters.records import RouteResult

DECISION_HZ = 2.0


class _Drive:
    """One route, decision by decision."""

    def __init__(self, routes: Any = "smoke", reward: Any = "leaderboard", **settings: Any) -> None:
        settings = {"decision_hz": DECISION_HZ, "observation": "text", "action": "meta", **settings}
        self.env = RouteEnv(routes, reward=reward, **settings)  # type: ignore[arg-type]
        self.total = 0.0
        self.decisions = 0
        self.done = True
        self.result: RouteResult | None = None

    def begin(self, route: str | int | None, seed: int | None) -> str:
        """The first scene of a route."""
        options = {} if route is None else {"route": route}
        text, _ = self.env.reset(seed=seed, options=options)
        self.total, self.decisions, self.done, self.result = 0.0, 0, False, None
        return str(text)

    def decide(self, speed: str, path: str) -> tuple[str, float]:
        """Carry out a meta-action: the next scene, and the reward."""
        for what, word, known in (("speed word", speed, SPEED_WORDS), ("path word", path, PATH_WORDS)):
            if word not in known:
                raise ValueError(unknown_name(what, word, known))
        action = SPEED_WORDS.index(speed) * len(PATH_WORDS) + PATH_WORDS.index(path)
        text, reward, terminated, truncated, info = self.env.step(action)
        self.total += reward
        self.decisions += 1
        self.done = terminated or truncated
        self.result = info.get("result")
        return str(text), reward


class DrivingTask:
    """A drive as tools of a chat: TRL's environment protocol."""

    def __init__(self, routes: Any = "smoke", **settings: Any) -> None:
        self._drive = _Drive(routes, **settings)

    def reset(self, route: str | int | None = None, seed: int | None = None, **columns: Any) -> str:
        """The first scene of a route. Further columns of a dataset's row are not used."""
        return self._drive.begin(route, seed)

    def drive(self, speed: str, path: str) -> str:
        """Drive on for half a second.

        Args:
            speed: one of "accelerate", "decelerate", "maintain", "stop".
            path: one of "keep lane", "turn left", "turn right", "change left", "change right".

        Returns:
            What the scene looks like then, or how the route ended.
        """
        if self._drive.done:
            return "The route has ended."
        try:
            text, _ = self._drive.decide(speed, path)
        except ValueError as error:
            return f"That was not understood: {error}. Nothing has moved."
        if self._drive.result is not None:
            result = self._drive.result
            return f"The route has ended: {result.status}. Driving score {result.score_composed:.1f} of 100."
        return text

    @property
    def score(self) -> float:
        """Driving score so far, 0 to 100; final once the route has ended."""
        return self._drive.env.result().score_composed

    @property
    def done(self) -> bool:
        """Whether the route has ended."""
        return self._drive.done


def driving_score(completions: Any, environments: list[DrivingTask], **columns: Any) -> list[float]:
    """Reward function for TRL: the driving score of each rollout's environment, 0 to 1."""
    return [environment.score / 100.0 for environment in environments]


@dataclass(frozen=True)
class DriveAction:
    """A decision of `OpenEnvRoute`."""

    speed: str = "maintain"
    path: str = "keep lane"


@dataclass(frozen=True)
class DriveStep:
    """What OpenEnv's clients get of a step."""

    observation: str
    reward: float | None
    done: bool


@dataclass(frozen=True)
class DriveState:
    """Where an episode is."""

    episode_id: str
    step_count: int
    driving_score: float


class OpenEnvRoute:
    """OpenEnv's environment interface: `reset()`, `step(action)`, `state`."""

    def __init__(self, routes: Any = "smoke", **settings: Any) -> None:
        self._drive = _Drive(routes, **settings)
        self._episode = ""

    def reset(self, seed: int | None = None, route: str | int | None = None) -> DriveStep:
        """Begin a route."""
        text = self._drive.begin(route, seed)
        self._episode = self._drive.env.result().route_id
        return DriveStep(text, None, False)

    def step(self, action: DriveAction) -> DriveStep:
        """Carry out a decision.

        Raises:
            ValueError: for words that do not exist.
            gymnasium.error.ResetNeeded: after the end.
        """
        text, reward = self._drive.decide(action.speed, action.path)
        return DriveStep(text, reward, self._drive.done)

    @property
    def state(self) -> DriveState:
        """Where the episode is."""
        return DriveState(self._episode, self._drive.decisions, self._drive.env.result().score_composed)

    def close(self) -> None:
        """Close the environment behind it."""
        self._drive.env.close()
