"""`run_train.py grpo`: a policy gets better at driving, from groups of rides or decisions."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from rl.grpo_settings import PRESETS, GrpoSettings, load_settings, recipe, settings_file
from simulator.errors import TrainingError

if TYPE_CHECKING:
    from rl.grpo import GrpoTrainer

_SHOWN = (
    "update", "ticks", "reward", "group_std", "zero_variance_share", "entropy", "held_out_driving_score",
    "held_out_sampled_driving_score",
)  # fmt: skip


@dataclass(frozen=True)
class GrpoOptions:
    """Online GRPO, Dr. GRPO, DAPO, GSPO or RLOO; the first argument names the recipe."""

    policy: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Policy to begin with: a folder of a token policy or a vision-language policy."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Run folder: settings.json, metrics.jsonl, tensorboard, checkpoints, best and last policy."""

    settings: Annotated[GrpoSettings, tyro.conf.arg(name="")]
    """What decides the run."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = "minitown60"
    """Route file or built-in suite; routes of one town."""

    every: int = 2
    """Train on every so-manieth route of it, the first included; the others are for measuring."""

    validation: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = ""
    """Routes to measure on in place of the others."""

    measure: int = 20
    """Routes to measure on, out of those not trained on; 0: none."""

    measure_seeds: int = 1
    """Worlds on each of them."""

    like: Annotated[str, tyro.conf.arg(metavar="NAME|FILE")] = ""
    """Begin with the settings of `rl/settings` that are called so (decision_groups, episode_groups, ppo), or of another
    run's settings.json, in place of the recipe's; options change them."""

    resume: bool = False
    """Go on with the run in the folder, with its settings, bit by bit."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit code."""
    named = bool(arguments) and arguments[0] in PRESETS
    options = parse(arguments[0] if named else "", list(arguments[1:] if named else arguments))
    print(json.dumps(run(options)))
    return 0


def parse(name: str, arguments: Sequence[str]) -> GrpoOptions:
    """Options of a command line whose defaults are the recipe's. Without a name: GRPO, or as `--like` says."""
    if "--resume" in arguments and (out := _value(arguments, "--out")):
        default = load_settings(Path(out) / "settings.json")
    elif like := _value(arguments, "--like"):
        default = _fitting(load_settings(settings_file(like)), _longest(_value(arguments, "--policy")))
        if name and name != default.recipe:
            raise TrainingError(f"--like {like} is of recipe {default.recipe}, not {name}")
    else:
        default = recipe(name or "grpo", _longest(_value(arguments, "--policy")))
    return tyro.cli(
        GrpoOptions,
        prog=f"run_train.py grpo {name}".strip(),
        args=list(arguments),
        default=GrpoOptions(tyro.MISSING, tyro.MISSING, default),
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def run(options: GrpoOptions) -> dict[str, Any]:
    """Carry it out and return the last measures.

    Raises:
        TrainingError: for settings or folders that make no sense.
    """
    import torch

    from envs.vector_env import load_routes
    from rl.config import resolve_routes
    from rl.grpo import GrpoTrainer
    from rl.grpo_checkpoint import last_checkpoint
    from rl.held_out import split_routes

    torch.set_num_threads(1)
    options.settings.check()
    routes = load_routes(resolve_routes(options.routes))
    picks, held_routes, rest = split_routes(routes, options.every, options.validation)
    step = max(len(rest) // max(options.measure, 1), 1)
    held = [(k, 10_000 + s) for k in rest[::step][: options.measure] for s in range(options.measure_seeds)]
    trainer = GrpoTrainer(
        load_policy(options.policy), routes, options.settings, options.out,
        train=picks, held_out=held, held_out_routes=held_routes, resume=options.resume,
    )  # fmt: skip
    try:
        return trainer.run(_teller(trainer))
    except KeyboardInterrupt:
        saved = last_checkpoint(options.out)
        then = f"--resume goes on from {saved}" if saved else f"{options.out} holds no checkpoint yet"
        print(f"stopped in update {trainer.update + 1}; {then}", file=sys.stderr)
        raise


def load_policy(folder: Path) -> Any:
    """A token policy or a vision-language policy, by what the folder holds.

    Raises:
        AgentError: when it holds neither.
    """
    if (folder / "vla.json").exists():
        from agents.vla.policy import VlaPolicy

        return VlaPolicy.load(folder)
    from agents.token_policy import TokenPolicy

    return TokenPolicy.load(folder)


def _longest(folder: str | None) -> int:
    """Tokens of the longest decision of a policy, which Dr. GRPO divides by; 1 where the folder does not tell."""
    manifest = Path(folder or "") / "tokens" / "manifest.json"
    if not manifest.exists():
        return 1
    return int(json.loads(manifest.read_text(encoding="utf-8"))["length"])


def _fitting(settings: GrpoSettings, longest: int) -> GrpoSettings:
    """The same for a policy of longer or shorter decisions."""
    if settings.loss.aggregate != "constant":
        return settings
    return dataclasses.replace(settings, loss=dataclasses.replace(settings.loss, max_tokens=longest))


def _value(arguments: Sequence[str], flag: str) -> str | None:
    for k, word in enumerate(arguments):
        if word == flag and k + 1 < len(arguments):
            return arguments[k + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def _teller(trainer: GrpoTrainer) -> Callable[[dict[str, float]], None]:
    """Prints a line an update: how far the run is, for how long it will go on, and the measures that matter most."""
    settings = trainer.settings
    whole = settings.max_ticks or settings.updates
    first = trainer.ticks if settings.max_ticks else trainer.update
    began = time.perf_counter()

    def say(measures: dict[str, float]) -> None:
        done = trainer.ticks if settings.max_ticks else trainer.update
        left = (time.perf_counter() - began) * max(whole - done, 0) / max(done - first, 1)
        told = [f"{min(done / whole, 1.0):4.0%}", f"{left / 60:.1f} min left"]
        told += [f"{name} {measures[name]:.3g}" for name in _SHOWN if name in measures]
        print("  ".join(told), flush=True)

    return say
