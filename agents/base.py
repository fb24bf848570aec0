"""What an agent is: something that looks at a batch of worlds and answers with controls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from envs.world import WorldBatch

THROTTLE, BRAKE, STEER = 0, 1, 2  # columns of a control array


class Agent(ABC):
    """Drives the ego vehicles of a batch of worlds.

    Life: `bind` once with the batch, `reset` for each world that begins an episode, `act` once a tick for all
    worlds, `close` at the end. An agent keeps its memory per world index, so that worlds may begin and end at different
    times. Everything random comes from the seed given to `reset`. Worlds are read only.
    """

    #: one line for `run_eval.py list agents`
    description = ""

    #: decisions come into effect as late as they took to make; agents that decide in no time need not care
    realtime = False

    def bind(self, batch: WorldBatch) -> None:
        """Get ready for a batch; called before any `reset`."""
        self.batch = batch

    def reset(self, index: int, seed: int) -> None:  # noqa: B027 - an agent without memory has nothing to reset
        """World `index` begins an episode."""

    def inference_costs(self) -> dict[str, Any]:
        """What deciding has cost since `bind`, as JSON (`agents.costs`); {} for agents that are no policies."""
        return {}

    @abstractmethod
    def act(self) -> np.ndarray:
        """float64[B, 3]: throttle 0..1, brake 0..1, steer -1..1 (right positive) for every world of the batch."""

    def close(self) -> None:  # noqa: B027 - most agents hold nothing
        """Let go of processes and the like; called once, whatever has happened."""
