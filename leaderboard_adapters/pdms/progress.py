"""Progress of plans against a reference's. Each plan is paired with the reference alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENOUGH = 5.0  # m: shorter progress of both is not compared


def ego_progress(
    raw: ArrayLike, reference: float, gates: ArrayLike = 1.0, reference_gate: float = 1.0, *, version: int = 2
) -> NDArray[np.float64]:
    """EP of each plan, float64[N], 0 to 1.

    Plans are never compared with one another: in one group the fastest would rescale all others.

    Args:
        raw: metres along the centreline from first to last state, float64[N].
        reference: metres of the reference planner (PDM-Closed).
        gates: product of a plan's multipliers (NC, DAC, ...), float64[N]. reference_gate: likewise of the reference.
        version: 1: gated progress over the larger of both, 1 where that is at most 5 m (0 where gated away).
            2: progress over the larger gated one, clipped.
    """
    raw = np.maximum(np.asarray(raw, np.float64), 0.0)
    gates = np.broadcast_to(np.asarray(gates, np.float64), raw.shape)
    most = np.maximum(raw * gates, max(reference, 0.0) * reference_gate)
    safe = np.where(most > 0.0, most, 1.0)
    if version == 1:
        return np.where(most > ENOUGH, raw * gates / safe, np.where(gates > 0.0, 1.0, 0.0))
    return np.where(most > ENOUGH, np.clip(raw / safe, 0.0, 1.0), 1.0)
