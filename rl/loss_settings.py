"""What a policy-gradient loss is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LossSettings:
    """The policy-gradient loss."""

    ratio: Literal["token", "sequence", "none"] = "token"
    """Ratio of new to old policy: per token, per sequence (GSPO: the geometric mean), or none (REINFORCE)."""
    clip_low: float = 0.2
    """The ratio counts down to 1 - clip_low."""
    clip_high: float = 0.2
    """The ratio counts up to 1 + clip_high."""
    dual_clip: float = 0.0
    """For negative advantages the loss is at most this times the advantage's size; 0 sets no limit."""
    aggregate: Literal["sequence", "token", "constant"] = "sequence"
    """Mean over each decision's tokens, then over decisions (GRPO); mean over all tokens (DAPO); sum over tokens
    divided by max_tokens, then mean over decisions (Dr. GRPO)."""
    max_tokens: int = 0
    """What `constant` divides by: the longest a decision can be."""
    kl: float = 0.0
    """Weight of the k3 estimate of KL(policy, reference)."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    shape_gamma: float = 0.0
    """Refined and foreign decisions count with p / (p + gamma) of their probability p in place of a clipped ratio
    (policy shaping of LUFFY, ELF-VLA: 0.1); 0 treats them like samples."""

    def problems(self) -> list[str]:
        """What makes no sense."""
        found = []
        if not 0.0 < self.clip_low < 1.0 or not self.clip_high > 0.0:
            found.append(f"loss.clip_low is in (0, 1) and clip_high above 0, got {self.clip_low}, {self.clip_high}")
        if self.dual_clip and self.dual_clip <= 1.0 + self.clip_high:
            found.append(f"loss.dual_clip must be above 1 + clip_high, or 0; got {self.dual_clip}")
        if self.dual_clip and self.ratio == "none":
            found.append("loss.dual_clip needs a ratio")
        if (self.aggregate == "constant") != (self.max_tokens > 0):
            found.append("loss.max_tokens belongs to aggregate constant, and to nothing else")
        if self.ratio == "sequence" and self.aggregate != "sequence":
            found.append("loss.ratio sequence (GSPO) averages by sequence; take aggregate sequence")
        if min(self.kl, self.entropy, self.shape_gamma) < 0.0:
            found.append("loss.kl, entropy and shape_gamma are 0 or more")
        return found
