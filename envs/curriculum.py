"""Which route comes next: drawn evenly, by scenario type, by difficulty, or by how often it has failed.

The draws are the environment's own (from its seed), the counts are kept here and can be saved and loaded, so a training
run that is resumed goes on with the same routes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from envs.names import unknown_name
from envs.routes import PreparedRoute
from leaderboard_adapters.records import RouteResult


@dataclass(frozen=True)
class CurriculumConfig:
    """How routes are weighed. Weights multiply; the defaults draw every route alike."""

    by_type: bool = False
    """Every scenario type alike, however many routes it has."""
    type_weights: Mapping[str, float] | None = None
    """Weight of scenario types by name; those that are not named have 1. 0 leaves a type out."""
    failure: float = 0.0
    """0: by failures not at all; 1: a route that always fails is drawn ten times as often as one that never does."""
    difficulty: tuple[float, float] = (0.0, 1.0)
    """Only routes whose share of failures lies between these, once they were driven `warm_up` times."""
    memory: float = 0.9
    """How much of a route's share of failures the next attempt leaves, 0 to 1."""
    warm_up: int = 2
    """Attempts after which a route's share of failures is believed."""
    success: float = 99.999
    """Driving score from which on an attempt counts as a success."""

    def __post_init__(self) -> None:
        low, high = self.difficulty
        if not 0.0 <= low <= high <= 1.0:
            raise ValueError(f"difficulty is two shares, low and high, from 0 to 1; got {self.difficulty}")
        if not 0.0 <= self.failure <= 1.0:
            raise ValueError(f"failure is from 0 to 1, got {self.failure}")
        if not 0.0 <= self.memory < 1.0:
            raise ValueError(f"memory is from 0 to under 1, got {self.memory}")
        object.__setattr__(self, "difficulty", (float(low), float(high)))


class Curriculum:
    """Draws the routes of one environment and hears how they ended.

    Attributes:
        attempts: int64[R] attempts of each route so far.
        failures: float64[R] running share of failures, 0..1.
        scores: float64[R] running mean of the driving score, 0..100.
    """

    def __init__(self, routes: Sequence[PreparedRoute], config: CurriculumConfig | None = None) -> None:
        """
        Raises:
            ValueError: for a scenario type that no route has, or weights that leave no route.
        """
        self.config = CurriculumConfig() if config is None else config
        self.route_ids = [prepared.route.id for prepared in routes]
        self._types = [prepared.route.scenario_type for prepared in routes]
        weights = dict(self.config.type_weights or {})
        for name in weights:
            if name not in self._types:
                raise ValueError(unknown_name("scenario type among the routes", name, sorted(set(self._types))))
        base = np.array([float(weights.get(name, 1.0)) for name in self._types])
        if self.config.by_type:
            base /= np.array([self._types.count(name) for name in self._types])
        if not (base >= 0.0).all() or not base.sum() > 0.0:
            raise ValueError("type_weights must be 0 or more, and leave at least one route")
        self._base = base
        self.attempts = np.zeros(len(base), np.int64)
        self.failures = np.zeros(len(base))
        self.scores = np.zeros(len(base))

    @property
    def probabilities(self) -> np.ndarray:
        """float64[R]: how likely each route is drawn next."""
        known = self.attempts >= self.config.warm_up
        weights = self._base * np.where(known, 1.0 + 9.0 * self.config.failure * self.failures, 1.0)
        low, high = self.config.difficulty
        inside = ~known | ((self.failures >= low) & (self.failures <= high))
        chosen = np.where(inside, weights, 0.0)
        if not chosen.sum() > 0.0:
            chosen = weights  # nothing is as hard as wanted: all count
        return chosen / chosen.sum()

    def draw(self, draws: np.random.Generator) -> int:
        """Index of the next route. One number is drawn."""
        cumulated = np.cumsum(self.probabilities)
        return int(min(np.searchsorted(cumulated, draws.random() * cumulated[-1], side="right"), len(cumulated) - 1))

    def record(self, index: int, result: RouteResult) -> None:
        """Hear how a route ended."""
        failed = 0.0 if result.score_composed >= self.config.success else 1.0
        n = int(self.attempts[index])
        kept = min(self.config.memory, n / (n + 1.0))  # a plain mean at first
        self.failures[index] = kept * self.failures[index] + (1.0 - kept) * failed
        self.scores[index] = kept * self.scores[index] + (1.0 - kept) * result.score_composed
        self.attempts[index] += 1

    def to_json(self) -> str:
        """Configuration and counts; `load_json` reads them."""
        table = {
            route: [int(n), float(f), float(s)]
            for route, n, f, s in zip(self.route_ids, self.attempts, self.failures, self.scores, strict=True)
        }
        return json.dumps({"version": 1, "config": asdict(self.config), "routes": table})

    def load_json(self, text: str) -> None:
        """Take over the counts of `to_json`; routes that it does not name keep theirs.

        Raises:
            ValueError: for a text of another kind or version, or another configuration.
        """
        data: Any = json.loads(text)
        if not isinstance(data, dict) or data.get("version") != 1:
            raise ValueError("this is no curriculum of version 1")
        if json.loads(json.dumps(asdict(self.config))) != data["config"]:
            changed = [
                f.name
                for f in fields(self.config)
                if json.loads(json.dumps(asdict(self.config)))[f.name] != data["config"].get(f.name)
            ]
            raise ValueError(f"the curriculum was saved with another {', '.join(changed)}")
        for k, route in enumerate(self.route_ids):
            if route in data["routes"]:
                self.attempts[k], self.failures[k], self.scores[k] = data["routes"][route]
