"""The colours of speeds: eight steps from slow to fast that differ in lightness, so that every eye tells them apart."""

from __future__ import annotations

import numpy as np

#: Dark blue, over green, to yellow.
STEPS = ("#3b2f7d", "#3a4f8c", "#2f6d8e", "#26898c", "#2ca57f", "#5fbf62", "#a8d33d", "#f2dc2e")


def step_of(values: np.ndarray, top: float) -> np.ndarray:
    """int64[n] step of each value 0..top."""
    return np.clip((np.asarray(values) / max(top, 1e-9) * len(STEPS)).astype(np.int64), 0, len(STEPS) - 1)
