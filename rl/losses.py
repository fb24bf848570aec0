"""Losses over log-probabilities of tokens; each block of a method's formula is one function.

Shapes: N decisions, S tokens. `mask` says which tokens count. All return a scalar tensor and plain numbers to log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class LossSettings:
    """The policy-gradient loss."""

    ratio: Literal["token", "sequence", "none"] = "token"
    """Importance ratio of new to old policy: per token, per sequence (GSPO: its geometric mean), or none (REINFORCE)."""
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


def log_ratio(logp: Tensor, old: Tensor, mask: Tensor, kind: str) -> Tensor:
    """float[N, S] logarithm of the importance ratio that each token counts with, with the gradient of `logp`."""
    if kind == "none":
        return logp - logp.detach()
    change = (logp - old) * mask
    if kind == "token":
        return change
    mean = (change.sum(1) / mask.sum(1).clamp(min=1)).detach()
    # GSPO-token: the value is the sequence's, the gradient each token's own
    return mean[:, None] + (logp - logp.detach())


def clipped_objective(ratio: Tensor, advantage: Tensor, low: float, high: float, dual: float = 0.0) -> Tensor:
    """float[N, S] what is maximised: min(ratio A, clip(ratio) A), for A < 0 not below dual A where `dual` is given."""
    objective = torch.minimum(ratio * advantage, ratio.clamp(1.0 - low, 1.0 + high) * advantage)
    if dual:
        objective = torch.where(advantage < 0.0, torch.maximum(objective, dual * advantage), objective)
    return objective


def shaped_objective(logp: Tensor, advantage: Tensor, gamma: float) -> Tensor:
    """float[N, S] f(p) A with f(p) = p / (p + gamma) of the token's probability p: rare tokens still learn."""
    p = logp.exp()
    return p / (p + gamma) * advantage


def aggregate(values: Tensor, mask: Tensor, weight: Tensor, kind: str, max_tokens: int = 0) -> Tensor:
    """Scalar of float[N, S] values; `weight`: float[N] of the decisions, relative to each other."""
    values = values * mask
    if kind == "token":
        return (values * weight[:, None]).sum() / (mask * weight[:, None]).sum().clamp(min=1e-12)
    length = mask.sum(1).clamp(min=1) if kind == "sequence" else torch.full_like(weight, float(max_tokens))
    return (values.sum(1) / length * weight).sum() / weight.sum().clamp(min=1e-12)


def k3(logp: Tensor, reference: Tensor) -> Tensor:
    """float[N, S] estimate of KL(policy, reference), never negative: exp(d) - d - 1, d = log reference - log policy."""
    d = reference - logp
    return d.exp() - d - 1.0


def policy_loss(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    mask: Tensor,
    weight: Tensor,
    settings: LossSettings,
    *,
    entropy: Tensor | None = None,
    reference: Tensor | None = None,
    shaped: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The whole loss.

    Args:
        logp, old, advantage: float[N, S]; old: of the sampler.
        mask: bool[N, S]. weight: float[N].
        entropy: float[N, S], needed with an entropy bonus, logged otherwise.
        reference: float[N, S] log-probabilities of the reference model, needed with a KL weight, logged otherwise.
        shaped: bool[N] decisions that policy shaping applies to.

    Raises:
        ValueError: when the settings need what is not given.
    """
    mask = mask.to(logp.dtype)
    change = log_ratio(logp, old, mask, settings.ratio)
    ratio = change.exp()
    objective = clipped_objective(ratio, advantage, settings.clip_low, settings.clip_high, settings.dual_clip)
    if settings.ratio == "none":
        objective = logp * advantage
    if settings.shape_gamma and shaped is not None:
        objective = torch.where(shaped[:, None], shaped_objective(logp, advantage, settings.shape_gamma), objective)
    reduce = (mask, weight, settings.aggregate, settings.max_tokens)
    loss = -aggregate(objective, *reduce)
    metrics = {"policy_loss": float(loss.detach())}
    if settings.kl and reference is None:
        raise ValueError("a KL weight needs log-probabilities of the reference model")
    if reference is not None:
        kl = aggregate(k3(logp, reference), *reduce)
        metrics["kl_reference"] = float(kl.detach())
        loss = loss + settings.kl * kl
    if settings.entropy and entropy is None:
        raise ValueError("an entropy bonus needs entropies")
    if entropy is not None:
        metrics["entropy"] = float(aggregate(entropy, mask, weight, "token").detach())
        loss = loss - settings.entropy * aggregate(entropy, *reduce)
    with torch.no_grad():
        plain = (logp - old) * mask
        total = mask.sum().clamp(min=1)
        outside = ((ratio < 1.0 - settings.clip_low) & (advantage < 0)) | (
            (ratio > 1.0 + settings.clip_high) & (advantage > 0)
        )
        metrics["clip_share"] = float((outside * mask).sum() / total)
        metrics["approx_kl"] = float(((plain.exp() - 1.0 - plain) * mask).sum() / total)
        metrics["ratio_max"] = float((plain.exp() * mask).max())
        metrics["ratio_min"] = float(torch.where(mask > 0, plain.exp(), torch.ones_like(plain)).min())
    metrics["loss"] = float(loss.detach())
    return loss, metrics


def cross_entropy(logp: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Scalar: mean negative log-probability of given tokens."""
    return -aggregate(logp, mask.to(logp.dtype), weight, "token")


def dpo(better: Tensor, worse: Tensor, better_reference: Tensor, worse_reference: Tensor, beta: float) -> Tensor:
    """float[N] sigmoid DPO loss from summed log-probabilities of the better and the worse answer."""
    margin = (better - better_reference) - (worse - worse_reference)
    return -torch.nn.functional.logsigmoid(beta * margin)
