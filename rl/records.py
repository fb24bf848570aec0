"""One decision is one record: what was seen, what was said, and what came of it.

A ride is a list of records; a group is a list of rides or decisions that are judged against each other. Methods differ
in who made a record (`Origin`), what its advantage is and which loss it meets, not in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from agents.policy import Decisions, Rows


class Origin(str, Enum):
    """Who made a decision; losses and group statistics may treat them differently."""

    SAMPLE = "sample"  # the policy, asked as usual
    REFINED = "refined"  # the policy, asked again with feedback; learned as if asked as usual
    ANCHOR_POS = "anchor_pos"  # a safe plan from outside the policy
    ANCHOR_NEG = "anchor_neg"  # a dangerous one
    EXPERT = "expert"  # what the expert would do in a state that the policy visited
    GT = "gt"  # what the expert did in its own ride


@dataclass(frozen=True)
class TaskKey:
    """What was to be driven."""

    route_id: str
    seed: int


@dataclass
class DecisionRecord:
    """One decision.

    Attributes:
        tick: of its world.
        rows: what was seen, without the leading axis of `Rows`.
        tokens: int64[S] what was said; mask: bool[S] which of them count.
        logp: float32[S] log-probabilities under the sampler's restriction and temperature.
        trajectory: float64[W, 3] as driven, ego frame; None for a format failure.
        terms: the reward by term; a term that does not apply is absent. reward: their weighted sum.
        group, ride: numbers of its group and of its ride within the collection.
        weight: of the record in the loss.
        advantage: a number, or float64[S]. value_target: what the value network learns (PPO).
        failed: why it could not be driven; '' where it could.
    """

    task: TaskKey
    tick: int
    rows: Rows
    tokens: np.ndarray
    mask: np.ndarray
    logp: np.ndarray
    temperature: float
    trajectory: np.ndarray | None = None
    terms: dict[str, float] = field(default_factory=dict)
    reward: float = 0.0
    origin: Origin = Origin.SAMPLE
    group: int = 0
    ride: int = 0
    weight: float = 1.0
    advantage: float | np.ndarray = 0.0
    value_target: float = 0.0
    failed: str = ""


@dataclass(frozen=True)
class RecordBatch:
    """Records side by side, as an update takes them.

    Attributes:
        tokens: int64[N, S], mask: bool[N, S], logp: float32[N, S], advantage: float32[N, S].
        weight: float32[N], value_target: float32[N].
        shaped: bool[N], records that the policy was not asked for as usual (`Origin.REFINED`, `GT`, anchors).
    """

    rows: Rows
    tokens: np.ndarray
    mask: np.ndarray
    logp: np.ndarray
    advantage: np.ndarray
    weight: np.ndarray
    value_target: np.ndarray
    shaped: np.ndarray
    temperature: float

    def __len__(self) -> int:
        return len(self.tokens)


def record_of(decisions: Decisions, rows: Rows, task: TaskKey, k: int, tick: int, temperature: float) -> DecisionRecord:
    """The record of decision `k`; `rows` has one row a decision."""
    valid = bool(decisions.valid[k])
    reason = "" if valid else (decisions.reasons[k] if decisions.reasons else "not valid")
    return DecisionRecord(
        task=task,
        tick=tick,
        rows={name: array[k] for name, array in rows.items()},
        tokens=decisions.tokens[k],
        mask=decisions.mask[k],
        logp=decisions.logp[k],
        temperature=temperature,
        trajectory=decisions.trajectories[k] if valid else None,
        failed=reason,
    )


def stack_records(records: Sequence[DecisionRecord]) -> RecordBatch:
    """Records side by side.

    Raises:
        ValueError: for none, or records of different temperatures.
    """
    temperatures = {record.temperature for record in records}
    if len(temperatures) != 1:
        raise ValueError(f"expected records of one temperature, got {sorted(temperatures)}")
    size = max(len(record.tokens) for record in records)
    tokens = np.zeros((len(records), size), np.int64)
    mask = np.zeros(tokens.shape, bool)
    logp = np.zeros(tokens.shape, np.float32)
    advantage = np.zeros(tokens.shape, np.float32)
    for n, record in enumerate(records):
        width = len(record.tokens)
        tokens[n, :width], mask[n, :width], logp[n, :width] = record.tokens, record.mask, record.logp
        advantage[n, :width] = record.advantage
    return RecordBatch(
        rows={name: np.stack([record.rows[name] for record in records]) for name in records[0].rows},
        tokens=tokens,
        mask=mask,
        logp=logp,
        advantage=advantage,
        weight=np.array([record.weight for record in records], np.float32),
        value_target=np.array([record.value_target for record in records], np.float32),
        shaped=np.array([record.origin is not Origin.SAMPLE for record in records]),
        temperature=temperatures.pop(),
    )
