"""Rewards that hold one plan against another: end points and preferences (SafeAlign-VLA, METHODS of driving VLAs)."""

from __future__ import annotations

import numpy as np


def goal_reward(final_distance: np.ndarray, scale: float = 3.0) -> np.ndarray:
    """float64[...] exp(-d / scale) of the distance (metres) between the last waypoints of plan and target."""
    return np.asarray(np.exp(-np.asarray(final_distance, np.float64) / scale))


def preference_reward(to_negative: np.ndarray, positive_to_negative: np.ndarray, cap: float = 1.5) -> np.ndarray:
    """float64[...] 0..1: distance of a plan to the dangerous one, in units of the safe plan's distance to it.

    As published it rewards distance in any direction, up to `cap` times the safe plan's; watch for plans that flee.
    """
    share = np.asarray(to_negative, np.float64) / (np.asarray(positive_to_negative, np.float64) + 1e-6)
    return np.asarray(np.clip(share, 0.0, cap) / cap)
