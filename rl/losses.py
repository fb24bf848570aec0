"""Losses over log-probabilities of tokens; each block of a method's formula is one function.

Shapes: N decisions, S tokens. `mask` says which tokens count. All return a scalar tensor and plain numbers to log.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rl.loss_settings import LossSettings


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
