"""`--agent vla:FOLDER`: drives with a saved vision-language policy."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from agents.policy_agent import PolicyAgent
from agents.token_agent import split_argument
from agents.vla.policy import VlaPolicy


class VlaAgent(PolicyAgent):
    """A vision-language policy from its folder. Argument: `FOLDER[,temperature=T][,threads=N][,online=1]`.

    N threads of the CPU, 1 by default: evaluations have a worker for each core.
    """

    def __init__(self, argument: str) -> None:
        folder, options = split_argument(argument, ("temperature", "threads", "online"))
        torch.set_num_threads(int(options.get("threads", 1)))
        changed = max((file.stat().st_mtime_ns for file in Path(folder).rglob("*")), default=0)
        policy = _loaded(folder, options.get("online", "0") == "1", changed)
        super().__init__(policy, temperature=float(options.get("temperature", 0.0)))


@lru_cache(maxsize=1)
def _loaded(folder: str, online: bool, changed: int) -> VlaPolicy:
    """The policy of a folder, read once for all routes that this process drives; `changed`: when it was written."""
    return VlaPolicy.load(folder, online=online)
