"""What scenarios tell the leaderboard's criteria: one record a world, written by the scenario director.

Scenarios stand below the criteria, so they leave their wishes here and the criteria read them after the scenarios have
ticked (docs/bench2drive.md 1.7, 2.3). The record is part of the world's state: copying a world copies it.
"""

from __future__ import annotations

import numpy as np

SWITCHES = np.dtype(
    [
        # 1: driving against the traffic counts as outside the route lanes; the TwoWays scenarios set 0 and later 1
        ("wrong_direction_test", np.int64),
        # scenarios with a ScenarioTimeout that run now; the blocked test sleeps while it is > 0, then starts afresh
        ("blocked_test_off", np.int64),
        # 1: a scenario's own CollisionTest runs beside the route's, so every collision counts twice
        ("double_collision", np.int64),
        # slot of the emergency vehicle that the ego must let pass, -1 none; set while its scenario runs
        ("emergency_slot", np.int64),
        # one-shot: the scenario of the emergency vehicle has ended, its last state decides. The criteria take it back,
        # and with it emergency_slot
        ("emergency_done", np.int64),
        # scenarios that have timed out since reset; every growth is one infraction
        ("scenario_timeouts", np.int64),
    ],
    align=True,
)


def empty_switches(count: int) -> np.ndarray:
    """SWITCHES[count] as at the start of a route: the wrong-direction test on, nothing else."""
    switches = np.zeros(count, SWITCHES)
    switches["wrong_direction_test"] = 1
    switches["emergency_slot"] = -1
    return switches
