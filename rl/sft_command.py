"""`run_train.py sft`: expert rides, imitation, DAgger rounds; ends with a token policy that drives."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from rl.sft_settings import SftSettings
from simulator.errors import TrainingError


@dataclass(frozen=True)
class SftOptions:
    """Imitate the expert: drive it, train a token policy on its decisions, and let it correct the policy (DAgger)."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for the dataset, the policy and metrics.jsonl."""

    tokens: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Action tokens to say (`python -m agents.tokens build`), for a new token policy."""

    policy: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Go on with this policy, such as a vision-language policy (`python -m agents.vla`), in place of a new one."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = "minitown60"
    """Route file or built-in suite to drive; routes of one town."""

    every: int = 2
    """Train on every so-manieth route of it, the first included; the others are for measuring."""

    validation: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = ""
    """Routes to measure on in place of the others."""

    seeds: int = 1
    """Rides of the expert on each route."""

    dagger: int = 0
    """Rounds in which the policy drives and the expert says what it would have done."""

    dagger_routes: int = 16
    """Rides a round."""

    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Take the decisions of this dataset in place of driving the expert."""

    side_by_side: int = 16
    """Worlds in which the expert drives at the same time."""

    observation: str = "vector"
    """What the policy sees."""

    width: int = 96
    """Width of its transformer."""

    layers: int = 2
    """Its blocks."""

    heads: int = 4
    """Attention heads of a block."""

    decision_ticks: int = 10
    """Ticks of 0.05 s between its decisions."""

    flat: bool = False
    """It sees neighbours in one row with the ego, not as a set: less to compute, and their order counts."""

    train: SftSettings = field(default_factory=SftSettings)
    """How it imitates."""

    measure: int = 20
    """Routes that are driven at the end to measure, out of those not trained on; 0: none."""

    seed: int = 0
    """Of worlds and weights."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = tyro.cli(SftOptions, prog="run_train.py sft", args=arguments)
    print(json.dumps(run(options)))
    return 0


def run(options: SftOptions) -> dict[str, Any]:
    """Carry it out and return the last measures.

    Raises:
        TrainingError: for options that make no sense, or a folder that holds another run.
    """
    import numpy as np
    import torch

    from agents.policy_agent import PolicyAgent
    from agents.token_policy import TokenPolicy, TokenPolicyConfig
    from agents.token_view import make_token_view, view_shape
    from agents.tokens.commands import CommandTokens
    from agents.tokens.files import load_tokens
    from envs.vector_env import load_routes
    from rl.config import resolve_routes
    from rl.grpo_command import load_policy
    from rl.held_out import drive_all, score_of, split_routes
    from rl.sft import train_sft
    from rl.sft_data import collect_dagger, collect_expert, join_sets, load_sets, save_set

    torch.set_num_threads(1)
    options.train.check()
    if (options.out / "metrics.jsonl").exists():
        raise TrainingError(f"{options.out} already holds a run; choose another folder with --out")
    if (options.tokens is None) == (options.policy is None):
        raise TrainingError("say either --tokens, for a new token policy, or --policy")
    policy: Any = None if options.policy is None else load_policy(options.policy)
    tokens = policy.tokens if options.tokens is None else load_tokens(options.tokens)
    if tokens is None:
        raise TrainingError(f"{options.policy} does not answer in action tokens; imitation needs one that does")
    new_view = partial(make_token_view, options.observation, tokens, options.flat)
    observer = new_view if policy is None else policy.observer
    routes = load_routes(resolve_routes(options.routes))
    picks, held_routes, rest = split_routes(routes, options.every, options.validation)
    options.out.mkdir(parents=True, exist_ok=True)
    said = {name: value for name, value in dataclasses.asdict(options).items() if not isinstance(value, Path)}
    (options.out / "settings.json").write_text(json.dumps(said, indent=2, default=str) + "\n", encoding="utf-8")

    def log(measures: dict[str, Any]) -> None:
        with (options.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(measures) + "\n")

    def epoch_ended(number: int, epoch: int, measures: dict[str, float]) -> None:
        log({"round": number, "epoch": epoch, **measures})

    if options.data is None:
        tasks = [(route, options.seed + k) for k in range(options.seeds) for route in picks]
        data = collect_expert(
            routes, tasks, observer, waypoints=tokens.waypoints, interval=tokens.interval, width=options.side_by_side,
            every=options.decision_ticks if isinstance(tokens, CommandTokens) else min(options.decision_ticks, 5),
        )  # fmt: skip
        save_set(data, options.out / "data", {"name": "expert", "rides": len(tasks)})
    else:
        data = load_sets(options.data)
    if policy is None:
        config = TokenPolicyConfig(
            options.observation, options.width, options.layers, options.heads, options.seed, options.decision_ticks,
            options.flat,
        )  # fmt: skip
        policy = TokenPolicy(config, tokens, view_shape(data.rows))
    train_sft(policy, data, options.train, partial(epoch_ended, 0))
    draws = np.random.default_rng(options.seed)
    for number in range(1, options.dagger + 1):
        chosen = [(int(draws.choice(picks)), int(draws.integers(2**31))) for _ in range(options.dagger_routes)]
        visited = collect_dagger(
            policy, routes, chosen, waypoints=tokens.waypoints, interval=tokens.interval, seed=options.seed + number
        )
        save_set(visited, options.out / "data", {"name": f"dagger{number}", "rides": len(chosen)})
        data = join_sets([data, visited])
        train_sft(policy, data, options.train, partial(epoch_ended, number))
    policy.save(options.out / "policy")
    last: dict[str, Any] = {"decisions": len(data)}
    if options.measure:
        step = max(len(rest) // options.measure, 1)
        held = [(route, options.seed) for route in rest[::step][: options.measure]]
        last |= score_of(drive_all(PolicyAgent(policy), held_routes, held)).document()
    log(last)
    return last
