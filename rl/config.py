"""The configuration of one training run: command line, file beside the results, and part of every checkpoint."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from simulator.errors import TrainingError

VERSION = 1

#: Fields that came later, and what runs had before them.
_LATER = {"shares": 1}
_POSITIVE = (
    "steps", "frame_skip", "worlds", "shares", "rollout", "batch_size", "epochs", "learning_rate", "threads"
)  # fmt: skip


@dataclass(frozen=True)
class PpoConfig:
    """What decides a training run, to the bit."""

    routes: str = "minitown_train"
    """Routes to train on: a suite, a route file, or one of the training splits of `rl/routes`. All on one town."""
    validation: str = "minitown_validation"
    """Held-out routes that choose the best checkpoint and stop early; empty: none."""
    steps: int = 8_000_000
    """Decisions to train on, over all worlds."""
    seed: int = 0
    """Of weights, actions, minibatches, routes and worlds."""
    maps: str = ""
    """Folder with the OpenDRIVE maps (.xodr) of the towns. The built-in towns need none."""

    observation: Literal["frenet", "vector", "bev"] = "frenet"
    """What the policy sees, `envs.observations`."""
    action: Literal["route_command", "control"] = "route_command"
    """What it decides: speed and offset relative to the path (`envs.actions.route_command`), or pedals and steering."""
    frame_skip: int = 4
    """Ticks of 0.05 s a decision."""
    worlds: int = 64
    """Worlds that a policy drives between two updates."""
    shares: int = 1
    """Parts of equal size that the worlds are divided into, each stepped together and with draws of its own. Workers
    drive a share at a time; their number changes nothing, that of shares does. With --workers: by default as many."""

    rollout: int = 128
    """Decisions of each world between two updates."""
    batch_size: int = 1024
    """Decisions in one minibatch."""
    epochs: int = 5
    """Passes over a rollout."""
    learning_rate: float = 5e-4
    """Of Adam, at the start; falls linearly to a tenth of it at the end."""
    gamma: float = 0.99
    """Discount a decision."""
    gae_lambda: float = 0.95
    """Trace decay of generalised advantage estimation."""
    clip_range: float = 0.2
    """Bound on the change of a decision's probability in one update."""
    entropy: float = 0.01
    """Weight of the entropy bonus."""
    value_weight: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradients are cut to this norm."""
    target_kl: float = 0.03
    """An update ends early beyond 1.5 times this divergence; 0: never."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers, of the policy and of the value network."""
    start_bias: float = 2.0
    """Logit by which the new policy prefers the allowed speed and the offset it has; 0: indifferent."""

    reward: str = "route"
    """What is learnt for: `route` (`rl.rewards`), a preset of `envs.rewards`, or a JSON file with a specification."""

    threads: int = 1
    """Threads of torch."""
    evaluate_every: int = 250_000
    """Decisions between two evaluations."""
    checkpoint_every: int = 250_000
    """Decisions between two checkpoints."""
    patience: int = 0
    """Evaluations without a better driving score after which training stops; 0: never."""

    def __post_init__(self) -> None:
        wrong = [
            f"{name} is {getattr(self, name)}; it must be above 0" for name in _POSITIVE if not getattr(self, name) > 0
        ]
        wrong += [
            f"{name} is {getattr(self, name)}; it must lie in [0, 1]"
            for name in ("gamma", "gae_lambda", "clip_range")
            if not 0.0 <= getattr(self, name) <= 1.0
        ]
        if self.batch_size > self.worlds * self.rollout:
            wrong.append(f"batch_size {self.batch_size} is more than worlds x rollout, {self.worlds * self.rollout}")
        if self.shares > 0 and self.worlds % self.shares:
            wrong.append(f"worlds is {self.worlds}, which {self.shares} shares cannot divide evenly; choose a multiple")
        if self.seed < 0:
            wrong.append(f"seed is {self.seed}; it must not be negative")
        if wrong:
            raise TrainingError("configuration: " + "; ".join(wrong))

    def to_json(self) -> str:
        """Every field, as stands beside the results."""
        return json.dumps({"version": VERSION, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "configuration") -> PpoConfig:
        """Read it back.

        Raises:
            TrainingError: for text that is no configuration, unknown or missing fields, another version.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields.pop("version")
            fields = {**_LATER, **fields}
        except (ValueError, KeyError, AttributeError) as error:
            raise TrainingError(f"{where}: not a configuration of a training run ({error!r})") from None
        known = {field.name for field in dataclasses.fields(cls)}
        if version != VERSION or fields.keys() != known:
            odd = ", ".join(sorted(fields.keys() ^ known)) or f"version {version}"
            raise TrainingError(f"{where}: made by another version of RouteGym: {odd}")
        fields["hidden"] = tuple(fields["hidden"])
        return cls(**fields)


@dataclass(frozen=True)
class RolloutOptions:
    """Who drives for the learner (docs/scale.md). Nothing of this changes the result."""

    workers: int = 0
    """Processes that drive a share of the worlds each; 0: this process drives them all."""

    ray: Annotated[str, tyro.conf.arg(metavar="[ADDRESS]")] = ""
    """Spread --workers over a Ray cluster: HOST:PORT of its head. Without an address: the cluster in RAY_ADDRESS or of
    this machine, or else one that is started here for this run."""

    timeout: float = 600.0
    """Seconds for one rollout after which a worker is ended and its share driven again; 0: never."""

    def __post_init__(self) -> None:
        if self.workers < 0 or self.timeout < 0.0:
            raise TrainingError(f"--workers {self.workers} --timeout {self.timeout:g}: must not be negative")
        if self.ray and not self.workers:
            raise TrainingError("--ray spreads --workers over a cluster; say how many, such as --workers 16")


def on_any_machine(config: PpoConfig) -> tuple[PpoConfig, list[str]]:
    """The same configuration for another working directory, and the files and folders of the user that it names."""
    own = resolve_routes(config.routes) != config.routes
    named = {"routes": "" if own else config.routes, "maps": config.maps, "reward": config.reward}
    found = {field: str(Path(name).resolve()) for field, name in named.items() if name and Path(name).exists()}
    changes: dict[str, Any] = found
    return dataclasses.replace(config, **changes), list(found.values())


def resolve_routes(name: str) -> str:
    """Path of a training split of `rl/routes`, or the name as it is."""
    own = Path(__file__).parent / "routes" / f"{name}.xml"
    return str(own) if own.exists() else name
