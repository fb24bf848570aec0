"""What the expert would do from any state, as trajectories: it drives on in copies of the worlds.

Labels for imitation, and the measure of action tokens in closed loop: `expert-tokens:FOLDER` drives with the expert's
own trajectories, said in tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from agents.expert import Expert
from agents.policy import Decisions, LogProb, Policy, Rows
from agents.policy_agent import PolicyAgent
from agents.tokens.base import ActionTokens
from agents.tokens.files import load_tokens
from agents.tokens.poses import relative
from envs.world import WorldBatch
from simulator.state import EGO, TICK_SECONDS


class ExpertAhead:
    """An expert that goes along with a batch without driving it, and says on request where it would drive from here.

    `watch` once a tick keeps its memory; `look` drives copies of the worlds.
    """

    def __init__(self, batch: WorldBatch) -> None:
        self._batch = batch
        self._expert = Expert()
        self._expert.bind(batch)
        self._scouts: dict[int, tuple[WorldBatch, Expert]] = {}

    def reset(self, index: int) -> None:
        """World `index` begins an episode."""
        self._expert.reset(index, 0)

    def watch(self) -> np.ndarray:
        """The expert's own controls float64[B, 3] at this tick."""
        return self._expert.act()

    def look(self, indices: np.ndarray, waypoints: int, interval: float) -> tuple[np.ndarray, np.ndarray]:
        """float64[N, waypoints, 3] trajectories of the expert from worlds `indices`, in their egos' frames, and
        float64[N, waypoints] m, how far they are from the path.

        A route that ends on the way leaves the vehicle where it was.
        """
        count = len(indices)
        if count not in self._scouts:
            scouts = WorldBatch(self._batch.routes, count, ambient=self._batch.ambient)
            expert = Expert()
            expert.bind(scouts)
            self._scouts[count] = scouts, expert
        scouts, expert = self._scouts[count]
        for k, b in enumerate(indices):
            scouts.restore(k, self._batch.snapshot(int(b)))
            expert.memory[k] = self._expert.memory[b]
        start = _poses(scouts)
        ticks = round(interval / TICK_SECONDS)
        found, offsets = np.zeros((count, waypoints, 3)), np.zeros((count, waypoints))
        for t in range(waypoints * ticks):
            scouts.tick(expert.act())
            if (t + 1) % ticks == 0:
                found[:, t // ticks] = relative(start, _poses(scouts))
                offsets[:, t // ticks] = scouts.worlds["path_offset"]
        return found, offsets


def _poses(batch: WorldBatch) -> np.ndarray:
    worlds = batch.worlds
    return np.stack([worlds[name][:, EGO] for name in ("x", "y", "yaw")], axis=-1)


class _Scout:
    """Observer whose rows are the expert's trajectories."""

    def __init__(self, batch: WorldBatch, tokens: ActionTokens) -> None:
        self.ahead = ExpertAhead(batch)
        self._batch, self._tokens = batch, tokens

    def reset(self, index: int) -> None:
        self.ahead.reset(index)

    def observe(self, indices: np.ndarray) -> Rows:
        speeds = self._batch.worlds["speed"][indices, EGO]
        ahead, _ = self.ahead.look(indices, self._tokens.waypoints, self._tokens.interval)
        return {"trajectory": ahead, "speed": np.asarray(speeds, np.float64)}

    def snapshot(self, index: int) -> Any:
        return self.ahead._expert.memory[index].copy()

    def restore(self, index: int, snapshot: Any) -> None:
        self.ahead._expert.memory[index] = snapshot


class OraclePolicy(Policy):
    """The expert's trajectory, in tokens and back."""

    name = "expert-tokens"
    sample_size = 0

    def __init__(self, tokens: ActionTokens) -> None:
        self.tokens = tokens

    def observer(self, batch: WorldBatch) -> _Scout:
        self.scout = _Scout(batch, self.tokens)
        return self.scout

    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        said = self.tokens.encode(rows["trajectory"], rows["speed"])
        zeros, every = np.zeros(said.shape, np.float32), np.ones(said.shape, bool)
        count = len(said)
        heard = self.tokens.decode(said, rows["speed"])
        return Decisions(
            said,
            zeros,
            zeros,
            every,
            np.ones(count, bool),
            heard,
            self.tokens.interval,
            [""] * count,
            np.zeros(count, np.int64),
        )

    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        raise NotImplementedError("the expert has no log-probabilities")

    def trainable(self) -> list[Any]:
        return []

    def save(self, folder: str) -> None:
        raise NotImplementedError("the expert has nothing to save")

    @contextmanager
    def reference(self) -> Iterator[None]:
        yield


class ExpertTokens(PolicyAgent):
    """The expert, heard through action tokens: what a perfect imitator with these tokens would drive."""

    def __init__(self, folder: str) -> None:
        super().__init__(OraclePolicy(load_tokens(folder)))

    def act(self) -> np.ndarray:
        controls = super().act()  # a decision looks ahead from the memory of the tick before
        self._scout_policy.scout.ahead.watch()
        return controls

    @property
    def _scout_policy(self) -> OraclePolicy:
        assert isinstance(self.policy, OraclePolicy)
        return self.policy
