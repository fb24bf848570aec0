"""What a policy is: observations in, sampled tokens with their log-probabilities and trajectories out.

An agent (`agents.policy_agent.PolicyAgent`) drives with a policy; a trainer (`rl/`) asks it again for the
log-probabilities of what it said. Everything random comes in as uniform numbers, so that the same numbers give the same
decisions, whoever else is in the batch.

Observations are `Rows`: arrays by name with one leading axis N, what an `Observer` of the policy makes of worlds. They
are plain NumPy, so that they can be stored, and sent to a server.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from envs.world import WorldBatch
from simulator.errors import AgentError

if TYPE_CHECKING:
    import torch

    from agents.following import Follower

Rows = dict[str, np.ndarray]


class Observer(Protocol):
    """Sees the worlds of a batch for a policy. What it remembers of their past is kept per world index."""

    def reset(self, index: int) -> None:
        """World `index` begins an episode."""

    def observe(self, indices: np.ndarray) -> Rows:
        """Rows of the worlds int64[N] `indices`, in that order."""

    def snapshot(self, index: int) -> Any:
        """Copy of what it remembers of one world."""

    def restore(self, index: int, snapshot: Any) -> None:
        """Put a copy back."""


@dataclass
class Decisions:
    """N decisions, each a sequence of at most S tokens; shorter ones are padded and masked.

    Attributes:
        tokens: int64[N, S], the policy's own token ids.
        logp: float32[N, S] log-probability of each token where it was sampled, under the policy's restriction and
            temperature; 0 where masked.
        entropy: float32[N, S] of the distribution that it was sampled from.
        mask: bool[N, S], which tokens were sampled.
        valid: bool[N]; False is a format failure: nothing that could be driven was said.
        trajectories: float64[N, W, 3] in the ego's frame, zeros where not valid.
        interval: seconds between waypoints.
        reasons: str[N], why a decision is not valid; '' where it is.
        prompt_tokens: int64[N] tokens of the input.
    """

    tokens: np.ndarray
    logp: np.ndarray
    entropy: np.ndarray
    mask: np.ndarray
    valid: np.ndarray
    trajectories: np.ndarray
    interval: float
    reasons: list[str] = field(default_factory=list)
    prompt_tokens: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass
class LogProb:
    """Log-probabilities of given tokens: torch tensors float32[N, S], and their bool[N, S] mask."""

    logp: torch.Tensor
    entropy: torch.Tensor
    mask: torch.Tensor


class Policy(ABC):
    """Says trajectories in tokens.

    Attributes:
        sample_size: S, how many uniform numbers a decision takes at most.
        decision_ticks: ticks of 0.05 s between two decisions that it is made for.
    """

    name = "policy"
    sample_size: int
    decision_ticks = 10

    @abstractmethod
    def observer(self, batch: WorldBatch) -> Observer:
        """What sees a batch of worlds for this policy."""

    def follower(self, batch: WorldBatch, observer: Observer) -> Follower:
        """What drives by its decisions; `observer` is the one of the same batch."""
        from agents.following import make_follower

        return make_follower(batch, observer)

    def view_spec(self) -> dict[str, Any]:
        """What `observer` makes, as JSON, for `agents.views.make_view`."""
        raise AgentError(f"a {self.name} policy cannot be served")

    @abstractmethod
    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        """Decide. Never raises for what the policy itself says: such decisions are not valid.

        Args:
            rows: N observations.
            uniforms: float64[N, n, S] in [0, 1), one a token; None takes the likeliest token each time.
            n: decisions an observation; the result has N * n, those of one observation side by side.
            temperature: what logits are divided by.
        """

    @abstractmethod
    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        """Log-probabilities of int64[N, S] tokens under the restriction and temperature of sampling, with gradients."""

    @abstractmethod
    def trainable(self) -> Iterable[torch.nn.Parameter]:
        """Parameters that training changes."""

    def undecayed(self) -> list[torch.nn.Parameter]:
        """Those of them that weight decay must leave alone."""
        return []

    @contextmanager
    def reference(self) -> Iterator[None]:
        """Inside it `logp` answers for the frozen reference model."""
        raise AgentError(f"a {self.name} policy has no reference model")
        yield

    def label(self, rows: Rows, trajectories: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """int64[N, S] what this policy should say for trajectories, in its own token ids.

        Args:
            rows: what is seen. trajectories: float64[N, W, 3]. offsets: float64[N, W] m of them from the path.
        """
        raise AgentError(f"a {self.name} policy cannot imitate")

    def fit_scale(self, rows: Rows) -> None:  # noqa: B027 - not every policy scales its input
        """Take the scale of what is seen from data, before imitation."""

    def value(self, rows: Rows) -> torch.Tensor | None:
        """float32[N] expected returns, for actor-critic training; None where the policy has no value head."""
        return None

    def add_critic(self) -> Iterable[torch.nn.Parameter]:
        """Give it a value network of its own, for actor-critic training; its parameters."""
        raise AgentError(f"a {self.name} policy has no value network, which PPO needs")

    @abstractmethod
    def save(self, folder: str) -> None:
        """Write everything that loading it again needs."""

    def state(self) -> dict[str, torch.Tensor]:
        """Trainable weights by name, for checkpoints."""
        raise NotImplementedError

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Put `state` back."""
        raise NotImplementedError

    def size(self) -> tuple[int, int]:
        """Parameters in all, and trainable ones."""
        return 0, sum(p.numel() for p in self.trainable())


def pick(probabilities: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """int64[N] drawn from float[N, V] probabilities by inversion of uniforms float64[N]."""
    total = np.cumsum(probabilities, axis=1, dtype=np.float64)
    drawn = (total <= (uniforms * total[:, -1])[:, None]).sum(axis=1)
    return np.minimum(drawn, probabilities.shape[1] - 1)


def repeat_rows(rows: Rows, n: int) -> Rows:
    """Every row n times, side by side."""
    return rows if n == 1 else {name: np.repeat(array, n, axis=0) for name, array in rows.items()}


def take_rows(rows: Rows, at: np.ndarray) -> Rows:
    """Some of the rows."""
    return {name: array[at] for name, array in rows.items()}


def stack_rows(parts: list[Rows]) -> Rows:
    """Rows of several, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def join_decisions(parts: Sequence[Decisions]) -> Decisions:
    """Decisions of several calls of one policy, one after the other."""
    found: dict[str, Any] = {}
    for name in (field_of.name for field_of in fields(Decisions)):
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], np.ndarray):
            found[name] = np.concatenate(values)
        elif isinstance(values[0], list):
            found[name] = [each for value in values for each in value]
        else:
            found[name] = values[0]
    return Decisions(**found)
