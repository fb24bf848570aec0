"""What the scenarios of a running world remember: one record a world, beside the world's own record."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from simulator.state import MAX_ACTORS

MAX_SCENARIOS = 160  # on one route
MAX_LIVE = 8  # scenarios of a route that have their actors in the world at the same time
MAX_STRANDS = 8  # that run side by side in one scenario
MAX_CAST = 24
MAX_FLOWS = 6


class Status(IntEnum):
    """What has become of a scenario of the route."""

    WAITING = 0
    NEAR = 1  # its actors are in the world
    ACTIVE = 2
    DONE = 3
    BLOCKED = 4  # there was no room for its actors; it does not run
    MISSED = 5  # the ego went by without triggering it


class Stage(IntEnum):
    """Where a live scenario stands."""

    FREE = 0  # the place is free for another one
    SPAWNED = 1  # its cast has come; its setup is due
    READY = 2  # waits for its trigger
    TRIGGERED = 3  # starts in this tick
    RUNNING = 4


_STRANDS = (MAX_LIVE, MAX_STRANDS)

DIRECTOR = np.dtype(
    [
        ("route_index", np.int64),  # nearest trace point so far, from the route's start
        ("num_live", np.int64),
        ("status", np.int64, (MAX_SCENARIOS,)),  # Status
        # live scenarios
        ("scenario", np.int64, (MAX_LIVE,)),  # its number within the route, -1: free
        ("stage", np.int64, (MAX_LIVE,)),  # Stage
        ("since", np.float64, (MAX_LIVE,)),  # s, time of the trigger
        ("cast_slot", np.int64, (MAX_LIVE, MAX_CAST)),  # actor slot of each member, -1: gone
        ("held_junction", np.int64, (MAX_LIVE,)),  # junction whose lights it holds, -1 none
        ("judges", np.int64, (MAX_LIVE,)),  # 1: it watches whether the ego yields
        # strands of live scenarios
        ("pc", np.int64, _STRANDS),  # instruction that it waits at, or its strand's end
        ("began", np.float64, _STRANDS),  # s, since when it waits there
        ("metres", np.float64, _STRANDS),  # driven since then
        ("last_x", np.float64, _STRANDS),
        ("last_y", np.float64, _STRANDS),
        ("last_z", np.float64, _STRANDS),
        ("phase", np.int64, _STRANDS),  # scratch of conditions that have stages
        ("drawn", np.float64, _STRANDS),  # number drawn for this wait
        # flows of live scenarios
        ("flow_on", np.int64, (MAX_LIVE, MAX_FLOWS)),
        ("flow_spacing", np.float64, (MAX_LIVE, MAX_FLOWS)),  # m, to the next vehicle
        ("flow_newest", np.int64, (MAX_LIVE, MAX_FLOWS)),  # slot of the newest vehicle, -1 none
        ("flow_touched", np.int64, (MAX_LIVE, MAX_FLOWS)),  # 1: the ego has hit one of them
        ("slot_flow", np.int64, (MAX_ACTORS,)),  # live * MAX_FLOWS + flow that an actor belongs to, -1 none
        # noise on the ego's control
        ("noise", np.float64, (4,)),  # means and deviations: throttle, throttle deviation, steer, steer deviation
        ("noise_sign", np.float64, (2,)),  # +1 or -1, of throttle and steer
    ],
    align=True,
)


def empty_directors(count: int) -> np.ndarray:
    """DIRECTOR[count]: nothing live, all scenarios waiting."""
    directors = np.zeros(count, DIRECTOR)
    for name in ("scenario", "cast_slot", "held_junction", "flow_newest", "slot_flow"):
        directors[name] = -1
    directors["noise_sign"] = 1.0
    return directors
