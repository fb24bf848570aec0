"""Sub-scores of driven or planned four seconds, and the two sums of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SubScores(NamedTuple):
    """Sub-scores of N windows or plans, each float64[N] from 0 to 1. NaN: not applicable."""

    no_collision: NDArray[np.float64]
    """NC: no collision at fault; 0.5 for one with a standing object."""
    drivable_area: NDArray[np.float64]
    """DAC: all corners stay on the drivable area."""
    driving_direction: NDArray[np.float64]
    """DDC: 1, 0.5, 0 for under 2, under 6, or more metres against the traffic within a second."""
    traffic_lights: NDArray[np.float64]
    """TLC: no red junction lane of the route is touched."""
    progress: NDArray[np.float64]
    """EP: progress along the route against the reference's."""
    time_to_collision: NDArray[np.float64]
    """TTC: going on straight for 0.9 s would hit nobody ahead."""
    lane_keeping: NDArray[np.float64]
    """LK: not over 0.5 m off the centreline for 2 s."""
    comfort: NDArray[np.float64]
    """C: the six bounds, over the window itself."""
    history_comfort: NDArray[np.float64]
    """HC: the same with 1.5 s of driving before it."""
    extended_comfort: NDArray[np.float64]
    """EC: the plan agrees with the one of half a second before; NaN without one."""


def pdms(scores: SubScores) -> NDArray[np.float64]:
    """NC * DAC * (5 EP + 5 TTC + 2 C) / 12, float64[N]."""
    weighed = (5.0 * scores.progress + 5.0 * scores.time_to_collision + 2.0 * scores.comfort) / 12.0
    return np.asarray(scores.no_collision * scores.drivable_area * weighed)


def epdms(scores: SubScores, human: SubScores | None = None) -> NDArray[np.float64]:
    """NC * DAC * DDC * TLC * (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16, float64[N].

    Without EC (NaN) the weights are 14 in all. `human`: sub-scores of a human driver of the same scene; what a human
    gets 0 for is not held against the plan (logged scenes only).
    """
    if human is not None:
        scores = SubScores(*(np.where(h == 0.0, 1.0, s) for s, h in zip(scores, human, strict=True)))
    gates = scores.no_collision * scores.drivable_area * scores.driving_direction * scores.traffic_lights
    known = ~np.isnan(scores.extended_comfort)
    total = 5.0 * scores.progress + 5.0 * scores.time_to_collision + 2.0 * scores.lane_keeping
    total = total + 2.0 * scores.history_comfort + np.where(known, 2.0 * np.nan_to_num(scores.extended_comfort), 0.0)
    return np.asarray(gates * total / np.where(known, 16.0, 14.0))


def make_scores(count: int, **values: ArrayLike) -> SubScores:
    """Sub-scores of N plans; those that are not given are 1, and EC is NaN."""
    filled = {name: np.ones(count) for name in SubScores._fields}
    filled["extended_comfort"] = np.full(count, np.nan)
    for name, value in values.items():
        filled[name] = np.broadcast_to(np.asarray(value, np.float64), (count,)).copy()
    return SubScores(**filled)
