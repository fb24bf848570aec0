"""`--agent vla:FOLDER`: drives with a saved vision-language policy."""

from __future__ import annotations

import torch

from agents.policy_agent import PolicyAgent
from agents.token_agent import split_argument
from agents.vla.policy import VlaPolicy


class VlaAgent(PolicyAgent):
    """A vision-language policy from its folder. Argument: `FOLDER[,temperature=T][,threads=N][,online=1]`."""

    def __init__(self, argument: str) -> None:
        folder, options = split_argument(argument, ("temperature", "threads", "online"))
        if "threads" in options:
            torch.set_num_threads(int(options["threads"]))
        policy = VlaPolicy.load(folder, online=options.get("online", "0") == "1")
        super().__init__(policy, temperature=float(options.get("temperature", 0.0)))
