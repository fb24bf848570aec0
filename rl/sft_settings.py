"""Everything that decides how a policy imitates."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import TrainingError


@dataclass(frozen=True)
class SftSettings:
    """How a policy imitates."""

    epochs: int = 10
    """Passes over the data."""
    batch: int = 256
    """Decisions a step."""
    learning_rate: float = 1e-3
    """Of AdamW at the start; falls along a cosine to a tenth."""
    weight_decay: float = 0.01
    """Of AdamW."""
    warmup: float = 0.03
    """Share of the steps over which the learning rate rises."""
    max_grad_norm: float = 1.0
    """Gradients are cut to this norm."""
    balance: float = 0.0
    """Rare first tokens count more: weight (1 / frequency)^balance, at most 5 times the mean; 0 treats all alike."""
    held_out: float = 0.1
    """Share of the rides that is kept to measure."""
    seed: int = 0
    """Of the split and the order."""

    def check(self) -> SftSettings:
        """These settings, when they make sense.

        Raises:
            TrainingError: naming everything that does not.
        """
        found = [
            f"{name} must be above 0, got {getattr(self, name)}"
            for name in ("epochs", "batch", "learning_rate", "max_grad_norm")
            if not getattr(self, name) > 0
        ]
        if not 0.0 <= self.held_out < 1.0 or not 0.0 <= self.warmup < 1.0:
            found.append("held_out and warmup are in [0, 1)")
        if found:
            raise TrainingError("these settings make no sense: " + "; ".join(found))
        return self
