"""Which tasks teach something: difficulty of a frame's questions, and spread of a task's rewards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def difficulty(scores: Sequence[np.ndarray]) -> float:
    """Mean score 0..100 of a frame over its questions, each float64[models, samples]; low is hard (AutoDriveRL)."""
    return float(np.mean([np.asarray(question, np.float64).mean(axis=-1).mean() for question in scores]))


def in_window(value: float, low: float, high: float) -> bool:
    """Whether a difficulty is kept, borders included."""
    return low <= value <= high


def keep_task(mean: float, std: float, *, easy_mean: float = 0.85, easy_std: float = 0.05) -> bool:
    """Whether a task is kept by its rollouts' rewards 0..1: what is always solved is dropped (ELF-VLA)."""
    return not (mean > easy_mean and std < easy_std)
