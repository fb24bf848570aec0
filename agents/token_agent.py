"""`--agent token:FOLDER`: drives with a saved token policy."""

from __future__ import annotations

import torch

from agents.policy_agent import PolicyAgent
from agents.token_policy import TokenPolicy


def split_argument(argument: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """`FOLDER,name=value,...` in its parts.

    Raises:
        ValueError: for a name that is not known, or a part without a value.
    """
    folder, *rest = argument.split(",")
    options = {}
    for part in rest:
        name, equals, value = part.partition("=")
        if name not in known or not equals:
            raise ValueError(f"expected FOLDER and {', '.join(f'{n}=VALUE' for n in known)}; got {part!r}")
        options[name] = value
    return folder, options


class TokenAgent(PolicyAgent):
    """A token policy from its folder. Argument: `FOLDER[,temperature=T][,threads=N]`; temperature 0 is greedy."""

    def __init__(self, argument: str) -> None:
        folder, options = split_argument(argument, ("temperature", "threads"))
        torch.set_num_threads(int(options.get("threads", 1)))
        super().__init__(TokenPolicy.load(folder), temperature=float(options.get("temperature", 0.0)))
