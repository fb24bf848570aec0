"""The reward of the first environments: progress along the route, less what the leaderboard punishes.

One number a step: metres of new route per 1 m, minus `PENALTY` for every new infraction that lowers the driving
score, plus `ARRIVAL` when the route is completed. Named, weighted terms come on top of the same events.
"""

from __future__ import annotations

import numpy as np

from leaderboard_adapters.criteria_state import MIN_SPEED, RouteEnd

PENALTY = 20.0
ARRIVAL = 20.0


def step_rewards(
    percent_before: np.ndarray, counts_before: np.ndarray, criteria: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """float64[B] reward of one step.

    Args:
        percent_before: float64[B] route completion in percent before the step.
        counts_before: int64[B, lists] entries of each infraction list before the step.
        criteria: CRITERIA[B] after it.
        lengths: float64[B] route lengths, metres.
    """
    metres = (criteria["route_percent"] - percent_before) / 100.0 * lengths
    fresh = criteria["counts"] - counts_before
    fresh[:, MIN_SPEED] = 0
    arrived = criteria["finished"] == RouteEnd.COMPLETED
    return np.asarray(metres - PENALTY * fresh.sum(axis=1) + ARRIVAL * arrived)
