"""What the reward remembers of a running world: one record, copied along with snapshots."""

from __future__ import annotations

import numpy as np

from leaderboard_adapters.records import INFRACTION_NAMES

SAMPLES = 15  # of the ego's motion, 0.1 s apart, that comfort is measured on

REWARD = np.dtype(
    [
        ("tick", np.int64),  # last tick that was rewarded
        ("stopped", np.int64),  # 1: an infraction has ended the episode
        ("route_percent", np.float64),
        ("wrong_distance", np.float64),  # m
        ("score", np.float64),  # driving score so far
        ("counts", np.int64, (len(INFRACTION_NAMES),)),
        ("steer", np.float64),
        ("off_road", np.int64),  # 1: has been counted
        # CaRL
        ("ttc_left", np.int64),  # ticks for which a violation still counts
        ("comfort_left", np.int64, (6,)),
        ("off_centre_ticks", np.int64),
        # the ego's last motion, for comfort
        ("num_samples", np.int64),
        ("longitudinal", np.float64, (SAMPLES,)),  # m/s2, oldest first
        ("lateral", np.float64, (SAMPLES,)),
        ("magnitude", np.float64, (SAMPLES,)),
        ("yaw", np.float64, (SAMPLES,)),  # rad, continuous
        ("last_vx", np.float64),  # m/s at the last sample
        ("last_vy", np.float64),
        ("exceeded", np.int64),  # comfort bounds exceeded at the last sample
        ("ttc_now", np.int64),  # 1: violated at the last sample
    ],
    align=True,
)


def empty_rewards(count: int) -> np.ndarray:
    """REWARD[count] of worlds that have not begun."""
    return np.zeros(count, REWARD)
