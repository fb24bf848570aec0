"""Imitation: cross-entropy on the tokens of the expert's trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agents.policy import take_rows
from agents.token_policy import TokenPolicy
from rl.losses import cross_entropy
from rl.sft_data import DecisionSet, start_speeds
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


def train_sft(
    policy: TokenPolicy,
    data: DecisionSet,
    settings: SftSettings,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> dict[str, float]:
    """Train `policy` in place and return the last measures: `nll`, `accuracy`, `error` (metres), on held-out rides.

    Raises:
        TrainingError: for settings or data that make no sense.
    """
    settings.check()
    if not len(data):
        raise TrainingError("there are no decisions to imitate")
    draws = np.random.default_rng(settings.seed)
    train, held = split_rides(data, settings.held_out, draws)
    tokens = policy.tokens.encode(train.trajectories, start_speeds(train))
    weight = balance_weights(tokens[:, 0], policy.tokens.size, settings.balance)
    policy.fit_scale(train.rows)
    optimiser = torch.optim.AdamW(policy.trainable(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(train) / settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cosine(step, steps, settings.warmup))
    measures: dict[str, float] = {}
    for epoch in range(settings.epochs):
        losses = []
        for at in np.array_split(draws.permutation(len(train)), math.ceil(len(train) / settings.batch)):
            found = policy.logp(take_rows(train.rows, at), tokens[at], np.ones(tokens[at].shape, bool))
            loss = cross_entropy(found.logp, found.mask, torch.from_numpy(weight[at]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.trainable(), settings.max_grad_norm)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        measures = {"train_nll": float(np.mean(losses)), **measure(policy, held)}
        if on_epoch is not None:
            on_epoch(epoch, measures)
    return measures


def measure(policy: TokenPolicy, data: DecisionSet, batch: int = 1024) -> dict[str, float]:
    """`nll` a token, `accuracy` of whole decisions, `error` of waypoints in metres, of greedy decisions."""
    if not len(data):
        return {}
    sums: dict[str, Any] = {"nll": 0.0, "accuracy": 0.0, "error": 0.0}
    for first in range(0, len(data), batch):
        part = data.take(np.arange(first, min(first + batch, len(data))))
        tokens = policy.tokens.encode(part.trajectories, start_speeds(part))
        with torch.no_grad():
            found = policy.logp(part.rows, tokens, np.ones(tokens.shape, bool))
        said = policy.act(part.rows)
        sums["nll"] -= float(found.logp.mean(1).sum())
        sums["accuracy"] += float((said.tokens == tokens).all(axis=1).sum())
        gap = np.hypot(*np.moveaxis(said.trajectories[..., :2] - part.trajectories[..., :2], -1, 0))
        sums["error"] += float(gap.mean(axis=1).sum())
    return {name: value / len(data) for name, value in sums.items()}


def split_rides(data: DecisionSet, share: float, draws: np.random.Generator) -> tuple[DecisionSet, DecisionSet]:
    """Decisions to train on and to measure with; whole rides go to one side."""
    rides = np.unique(data.ride)
    held = draws.permutation(rides)[: round(share * len(rides))]
    aside = np.isin(data.ride, held)
    return data.take(np.flatnonzero(~aside)), data.take(np.flatnonzero(aside))


def balance_weights(tokens: np.ndarray, size: int, power: float) -> np.ndarray:
    """float32[N] weights with mean 1."""
    if power == 0.0:
        return np.ones(len(tokens), np.float32)
    frequency = np.bincount(tokens, minlength=size)[tokens] / len(tokens)
    weight = frequency**-power
    weight /= weight.mean()
    weight = np.minimum(weight, 5.0)
    return (weight / weight.mean()).astype(np.float32)


def cosine(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate at `step`."""
    rise = max(round(warmup * steps), 1)
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * min((step - rise) / max(steps - rise, 1), 1.0)))
