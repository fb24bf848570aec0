"""Imitation: cross-entropy on the tokens of the expert's trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from agents.policy import Policy, take_rows
from rl.losses import cross_entropy
from rl.sft_data import DecisionSet
from rl.sft_settings import SftSettings
from simulator.errors import TrainingError


def train_sft(
    policy: Policy,
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
    tokens = policy.label(train.rows, train.trajectories, train.offsets)
    weight = balance_weights(tokens[:, 0], settings.balance)
    policy.fit_scale(train.rows)
    parameters = [p for p in policy.trainable() if p.requires_grad]
    alone = {id(p) for p in policy.undecayed()}
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if id(p) not in alone], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if id(p) in alone], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )
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
            torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        measures = {"train_nll": float(np.mean(losses)), **measure(policy, held)}
        if on_epoch is not None:
            on_epoch(epoch, measures)
    return measures


def measure(policy: Policy, data: DecisionSet, batch: int = 1024) -> dict[str, float]:
    """`nll` a token; of greedy decisions `accuracy` as a whole, and `error` of waypoints in metres (0 for commands)."""
    if not len(data):
        return {}
    sums: dict[str, Any] = {"nll": 0.0, "accuracy": 0.0, "error": 0.0}
    for first in range(0, len(data), batch):
        part = data.take(np.arange(first, min(first + batch, len(data))))
        tokens = policy.label(part.rows, part.trajectories, part.offsets)
        with torch.no_grad():
            found = policy.logp(part.rows, tokens, np.ones(tokens.shape, bool))
        said = policy.act(part.rows)
        sums["nll"] -= float(found.logp.mean(1).sum())
        sums["accuracy"] += float((said.tokens == tokens).all(axis=1).sum())
        if not said.trajectories.shape[1]:  # commands
            continue
        gap = np.hypot(*np.moveaxis(said.trajectories[..., :2] - part.trajectories[..., :2], -1, 0))
        sums["error"] += float(gap.mean(axis=1).sum())
    return {name: value / len(data) for name, value in sums.items()}


def split_rides(data: DecisionSet, share: float, draws: np.random.Generator) -> tuple[DecisionSet, DecisionSet]:
    """Decisions to train on and to measure with; whole rides go to one side."""
    rides = np.unique(data.ride)
    held = draws.permutation(rides)[: round(share * len(rides))]
    aside = np.isin(data.ride, held)
    return data.take(np.flatnonzero(~aside)), data.take(np.flatnonzero(aside))


def balance_weights(tokens: np.ndarray, power: float) -> np.ndarray:
    """float32[N] weights with mean 1."""
    if power == 0.0:
        return np.ones(len(tokens), np.float32)
    frequency = np.bincount(tokens)[tokens] / len(tokens)
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
