"""Advantages of the members of a group, from their rewards alone.

| divisor | name | advantage |
|---|---|---|
| `std` | GRPO | (r - mean) / (std + epsilon) |
| `none` | Dr. GRPO | r - mean |
| `fixed` | VD-GRPO | (r - mean) / constant: safety keeps its size across groups |
| `floor` | variance gate | (r - mean) / max(std, constant) |

`baseline="others"` is RLOO: each member against the mean of the others. The standard deviation is the unbiased one
(n - 1), as TRL and verl take it; where it is 0 the divisor is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class AdvantageSettings:
    """How rewards of a group become advantages."""

    baseline: Literal["mean", "others"] = "mean"
    """What a member is held against: the group's mean, or the mean of the other members (RLOO)."""
    divisor: Literal["std", "none", "fixed", "floor"] = "std"
    """What the difference is divided by."""
    constant: float = 1.0
    """The divisor of `fixed`, the least of `floor`; in units of the reward."""
    epsilon: float = 1e-4
    """Added to the standard deviation (`std` only)."""
    clamp: float = 0.0
    """Largest size of an advantage; 0 sets no limit."""

    def problems(self) -> list[str]:
        """What makes no sense."""
        found = []
        if self.divisor in ("fixed", "floor") and not self.constant > 0.0:
            found.append(f"advantage.divisor {self.divisor} needs a constant above 0, got {self.constant}")
        if self.epsilon < 0.0 or self.clamp < 0.0:
            found.append(f"advantage.epsilon and clamp are 0 or more, got {self.epsilon} and {self.clamp}")
        if self.baseline == "others" and self.divisor == "std":
            found.append("advantage.baseline others (RLOO) does not divide by the deviation; take divisor none")
        return found


def group_advantages(rewards: np.ndarray, settings: AdvantageSettings, counted: np.ndarray | None = None) -> np.ndarray:
    """float64[G] advantages.

    Args:
        rewards: float64[G].
        counted: bool[G], members that mean and deviation are taken over; all by default. Anchors may be left out.

    Raises:
        ValueError: when nobody is counted, or a leave-one-out baseline has less than two.
    """
    rewards = np.asarray(rewards, np.float64)
    counted = np.ones(len(rewards), bool) if counted is None else np.asarray(counted, bool)
    inside = rewards[counted]
    if not len(inside) or (settings.baseline == "others" and len(inside) < 2):
        raise ValueError(f"a group of {len(inside)} counted members has no baseline")
    mean = inside.mean()
    if settings.baseline == "others":
        others = np.where(counted, (inside.sum() - rewards) / (len(inside) - 1), mean)
        difference = rewards - others
    else:
        difference = rewards - mean
    std = inside.std(ddof=1) if len(inside) > 1 else 0.0
    advantages = difference / _divisor(std, settings)
    return np.clip(advantages, -settings.clamp, settings.clamp) if settings.clamp else advantages


def _divisor(std: float, settings: AdvantageSettings) -> float:
    if settings.divisor == "none":
        return 1.0
    if settings.divisor == "fixed":
        return settings.constant
    if settings.divisor == "floor":
        return max(std, settings.constant)
    return std + settings.epsilon if is_spread(std) else 1.0


def is_spread(std: float) -> bool:
    """Whether a group's rewards differ by more than rounding; those that do not teach nothing."""
    return std > 1e-9


def chain_discounts(steps: int, gamma: float) -> np.ndarray:
    """float64[steps] weights of denoising steps, noisiest first: gamma^(steps-1) ... gamma, 1 (ReCogDrive)."""
    return gamma ** np.arange(steps - 1, -1, -1.0)
