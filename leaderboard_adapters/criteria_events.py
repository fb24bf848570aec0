"""Booking events in a CRITERIA record, and what they cost."""

from __future__ import annotations

import numpy as np

from leaderboard_adapters.criteria_state import MAX_EVENTS, MAX_SPEED_EVENTS, MIN_SPEED
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import PENALTY_FACTORS
from simulator.kernel import kernel

_FACTORS = np.array([PENALTY_FACTORS.get(name, 1.0) for name in INFRACTION_NAMES])


@kernel
def add_event(c, code, test, x, y, z, subject, blueprint):  # type: ignore[no-untyped-def]
    """Book one event of this tick. `x, y, z` is the place in its message; `test` 1 for the second CollisionTest."""
    c.counts[code] += 1
    n = c.num_events
    if n == MAX_EVENTS:
        c.events_lost += 1
        return
    c.event_code[n] = code
    c.event_test[n] = test
    c.event_tick[n] = c.tick
    c.event_x[n] = x
    c.event_y[n] = y
    c.event_z[n] = z
    c.event_subject[n] = subject
    c.event_blueprint[n] = blueprint
    c.num_events = n + 1


@kernel
def add_speed_event(c, percent):  # type: ignore[no-untyped-def]
    """Book one min-speed entry of this tick; `percent` is negative where there was no traffic to compare with."""
    c.counts[MIN_SPEED] += 1
    n = c.num_speed_events
    if n == MAX_SPEED_EVENTS:
        c.events_lost += 1
        return
    c.speed_tick[n] = c.tick
    c.speed_percent[n] = percent
    c.num_speed_events = n + 1


@kernel
def penalty_so_far(c):  # type: ignore[no-untyped-def]
    """Penalty factor 0..1 of all that is booked, unrounded: `scores.penalty` for kernels, such as rewards."""
    penalty = 1.0
    for code in range(_FACTORS.shape[0]):
        for _ in range(c.counts[code]):
            penalty *= _FACTORS[code]
    if c.wrong_distance > 0.0:
        penalty *= 1.0 - c.wrong_distance / c.driven_distance
    return penalty
