"""The reward of driving in training, term by term, from what the criteria note. Same bookkeeping as a step of `envs`.

| term | counts | weight |
|---|---|---|
| `progress` | new metres of the route | 0.1 |
| `infractions` | logarithm of the penalty factor of every new infraction (collision with a vehicle: -0.51) | 20 |
| `lanes` | metres outside of the route lanes | -0.3 |
| `arrival` | 1 at the end of the route | 5 |
| `failure` | 1 when the route ends otherwise, by the leaderboard's rules | -10 |
"""

from __future__ import annotations

import numpy as np

from envs.world import WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import PENALTY_FACTORS

_LOG_FACTORS = np.log([PENALTY_FACTORS.get(name, 1.0) for name in INFRACTION_NAMES])
_FAILURES = (RouteEnd.DEVIATED, RouteEnd.BLOCKED, RouteEnd.TIMED_OUT)
WEIGHTS = {"progress": 0.1, "infractions": 20.0, "lanes": -0.3, "arrival": 5.0, "failure": -10.0}


def penalised(criteria: np.ndarray) -> np.ndarray:
    """bool[B], rides with an infraction that lowers the driving score, lane excursions aside."""
    return np.asarray(criteria["counts"] @ _LOG_FACTORS < 0.0)


class RideReward:
    """Sums of the weighted terms over the ticks since `start`, for every world of a batch."""

    def __init__(self, batch: WorldBatch) -> None:
        self._batch = batch
        self._lengths = np.array([route.length for route in batch.routes.routes])
        self._terms = {name: np.zeros(batch.num_worlds) for name in WEIGHTS}
        self._remember()

    def start(self) -> None:
        """Forget what was summed, and begin from the worlds as they are."""
        self._terms = {name: np.zeros(self._batch.num_worlds) for name in WEIGHTS}
        self._remember()

    def tick(self) -> None:
        """Add what has changed since the last call."""
        criteria = self._batch.criteria
        lengths = self._lengths[self._batch.worlds["route"]]
        fresh = criteria["counts"] - self._counts
        ended = (criteria["finished"] != RouteEnd.RUNNING) & ~self._ended
        failed = ended & np.isin(criteria["finished"], _FAILURES)
        self._terms["progress"] += WEIGHTS["progress"] * (criteria["route_percent"] - self._percent) / 100.0 * lengths
        self._terms["infractions"] += WEIGHTS["infractions"] * (fresh @ _LOG_FACTORS)
        self._terms["lanes"] += WEIGHTS["lanes"] * (criteria["wrong_distance"] - self._wrong)
        self._terms["arrival"] += WEIGHTS["arrival"] * (ended & (criteria["finished"] == RouteEnd.COMPLETED))
        self._terms["failure"] += WEIGHTS["failure"] * failed
        self._remember()

    def sums(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """float64[B] rewards since `start`, and each term's part."""
        return np.sum(list(self._terms.values()), axis=0), {name: value.copy() for name, value in self._terms.items()}

    def _remember(self) -> None:
        criteria = self._batch.criteria
        self._percent = criteria["route_percent"].copy()
        self._counts = criteria["counts"].copy()
        self._wrong = criteria["wrong_distance"].copy()
        self._ended = criteria["finished"] != RouteEnd.RUNNING
