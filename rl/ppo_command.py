"""`run_train.py ppo`: train with PPO of stable-baselines3 on batches of route worlds."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rl.config import PpoConfig, RolloutOptions
from simulator.errors import TrainingError
from simulator.ray_cluster import with_address

EXIT_OK, EXIT_INTERRUPTED = 0, 130

#: What a resumed run may change; everything else belongs to the checkpoint.
FREE_ON_RESUME = ("steps", "evaluate_every", "checkpoint_every", "patience")


@dataclass(frozen=True)
class PpoOptions:
    """Train with PPO of stable-baselines3 on batches of route worlds."""

    config: Annotated[PpoConfig, tyro.conf.arg(name="")]
    """What decides the run."""

    rollouts: Annotated[RolloutOptions, tyro.conf.arg(name="")]
    """Who drives for the learner."""

    config_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Take the options from a configuration file, such as the config.json of a run; options beside it override it."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Run folder; default: results/ppo-<routes>-<seed>."""

    resume: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Go on with the run in this folder: with its configuration, from its last checkpoint, to the bit."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code.

    Raises:
        RouteGymError: when the run cannot start or go on.
        SystemExit: after --help (code 0) or for wrong usage (code 2).
    """
    return _train(parse(arguments))


def parse(arguments: Sequence[str]) -> PpoOptions:
    """Options of a command line.

    Raises:
        TrainingError: for a configuration file that cannot be used, or a value that makes no sense.
        SystemExit: after --help (code 0) or for wrong usage (code 2).
    """
    default = PpoConfig()
    for flag, value in itertools.pairwise(arguments):
        if flag in ("--config-file", "--config_file"):
            try:
                default = PpoConfig.from_json(Path(value).read_text(), value)
            except OSError as error:
                raise TrainingError(f"--config-file {value}: {error.strerror or error}") from None
    return tyro.cli(
        PpoOptions,
        prog="run_train.py ppo",
        args=with_address(arguments),
        default=PpoOptions(default, RolloutOptions()),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
    )


def _train(options: PpoOptions) -> int:
    config, checkpoint = options.config, None
    if options.rollouts.workers > 1 and config.shares == 1:
        config = dataclasses.replace(config, shares=options.rollouts.workers)
    if options.resume is not None:
        checkpoint = options.resume / "last.safetensors"
        config = _resumed(options, checkpoint)
    folder = options.resume or options.out or _folder(config)
    if options.resume is None and (folder / "last.safetensors").exists():
        raise TrainingError(f"{folder} already holds a run; go on with --resume {folder}, or choose another --out")
    from rl.train import train

    return EXIT_OK if train(config, folder, checkpoint, rollouts=options.rollouts) else EXIT_INTERRUPTED


def _resumed(options: PpoOptions, checkpoint: Path) -> PpoConfig:
    """The configuration of a checkpoint, with what may be changed."""
    from rl.checkpoint import read_checkpoint

    _, kept, _ = read_checkpoint(checkpoint)
    plain = PpoConfig()
    changed = {
        field.name: getattr(options.config, field.name)
        for field in dataclasses.fields(PpoConfig)
        if getattr(options.config, field.name) not in (getattr(plain, field.name), getattr(kept, field.name))
    }
    fixed = [name for name in changed if name not in FREE_ON_RESUME]
    if fixed:
        raise TrainingError(
            f"--resume goes on with the configuration of the run; it cannot change {', '.join(fixed)}. It may change "
            f"{', '.join(FREE_ON_RESUME)}"
        )
    return dataclasses.replace(kept, **changed)


def _folder(config: PpoConfig) -> Path:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"ppo-{Path(config.routes).stem}-{config.seed}")
    return Path("results") / name
