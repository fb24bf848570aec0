"""Running rides as arrays by name, for checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.policy_agent import PolicyAgent
from envs.world import Snapshot, WorldBatch
from rl.group_members import TaskDraws


def ride_state(tasks: TaskDraws, batch: WorldBatch, agent: PolicyAgent) -> dict[str, np.ndarray]:
    """Every world with who drives it and the numbers it draws, and the tasks to come."""
    found: dict[str, Any] = {"order": np.array(tasks.order, np.int64)}
    for b in range(batch.num_worlds):
        for name, record in zip(Snapshot._fields, batch.snapshot(b), strict=True):
            found[f"{b}/{name}"] = record.view(np.uint8)
        for name, array in agent.snapshot(b).items():
            found[f"{b}/agent/{name}"] = array
        found[f"{b}/draws"] = np.frombuffer(agent.stream(b).encode(), np.uint8)
    return found


def load_rides(state: dict[str, np.ndarray], tasks: TaskDraws, batch: WorldBatch, agent: PolicyAgent) -> None:
    """Put what `ride_state` gave back."""
    tasks.order = [int(k) for k in state["order"]]
    for b in range(batch.num_worlds):
        saved = [
            np.ascontiguousarray(state[f"{b}/{name}"]).view(record.dtype)
            for name, record in zip(Snapshot._fields, batch.snapshot(b), strict=True)
        ]
        batch.restore(b, Snapshot(*saved))
        prefix = f"{b}/agent/"
        memory = {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
        agent.restore(b, memory)
        agent.load_stream(b, bytes(state[f"{b}/draws"]).decode())
