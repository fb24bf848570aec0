"""Booking events in a CRITERIA record."""

from __future__ import annotations

from leaderboard_adapters.criteria_state import MAX_EVENTS, MAX_SPEED_EVENTS, MIN_SPEED
from simulator.kernel import kernel


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
