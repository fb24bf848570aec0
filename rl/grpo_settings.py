"""Everything that decides a GRPO run, explicit and saved; recipes are presets, and a validator refuses nonsense."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rl.advantages import AdvantageSettings
from rl.loss_settings import LossSettings
from rl.rewards import training_reward
from simulator.errors import TrainingError


@dataclass(frozen=True)
class GroupSettings:
    """Who is judged against whom."""

    kind: Literal["episode", "decision", "single"] = "episode"
    """`episode`: replays of one route from one seed, driven to the end. `decision`: continuations from one state.
    `single`: no groups, `groups` x `size` rides side by side, judged by a value network (PPO)."""
    size: int = 8
    """G, members of a group."""
    groups: int = 4
    """Groups an update."""
    horizon: int = 60
    """Decision groups: ticks of 0.05 s that each member is driven and rewarded for."""
    continuation: Literal["greedy", "sample"] = "greedy"
    """Decision groups: how a member is driven after its first decision."""
    spacing: int = 2
    """Decision groups: decisions between two groups along one ride, which goes on as the first member did for as long
    as that was driven: no tick is lost where the horizon is as long."""
    stagger: float = 20.0
    """Decision groups: seconds that rides have been driven for at most when they branch for the very first time."""
    credit: Literal["first", "all"] = "first"
    """Decision groups: learn from the decision that a member begins with, or from all of its horizon, each judged by
    what came after it; these are sampled (`continuation`)."""
    bootstrap: bool = False
    """Decision groups: at the horizon a member that goes on is worth what a value network says; without it whoever has
    crashed loses nothing of the route that is left."""
    discount: float = 1.0
    """Of rewards, a decision; in decision groups and `single` rides."""
    rollout: int = 64
    """`single`: decisions a ride and update."""
    trace: float = 0.95
    """`single`: trace decay of generalised advantage estimation."""
    value_warmup: int = 2
    """First updates that train the value network alone, where there is one."""
    max_seconds: float = 120.0
    """Rides are cut after this time."""
    ride_weight: Literal["ride", "decision"] = "ride"
    """Episode groups: every ride counts the same, or every decision does."""
    dynamic: bool = False
    """Drive on until `groups` groups have a spread of rewards (DAPO)."""
    oversample: float = 3.0
    """With `dynamic`, drive at most so many times `groups` groups."""
    seeds: int = 0
    """Distinct world seeds that are drawn from; 0: a new one each group."""

    @property
    def needs_values(self) -> bool:
        """Whether there has to be a value network."""
        return self.kind == "single" or self.bootstrap

    def problems(self) -> list[str]:
        """What makes no sense."""
        found = []
        if self.size < 2:
            found.append(f"group.size must be at least 2, got {self.size}: nobody to be judged against")
        if self.groups < 1 or self.horizon < 1 or self.spacing < 1 or not self.max_seconds > 0.0:
            found.append("group.groups, horizon, spacing and max_seconds must be above 0")
        if self.stagger < 0.0:
            found.append(f"group.stagger is 0 or more, got {self.stagger}")
        if self.credit == "all" and (self.kind != "decision" or self.continuation != "sample"):
            found.append("group.credit all is for decision groups whose continuation is sampled")
        if self.bootstrap and self.kind != "decision":
            found.append("group.bootstrap is for decision groups: rides are driven to their end")
        if not 0.0 < self.discount <= 1.0 or not 0.0 <= self.trace <= 1.0 or self.rollout < 1 or self.value_warmup < 0:
            found.append("group.discount is in (0, 1], trace in [0, 1], rollout above 0, value_warmup 0 or more")
        if self.dynamic and self.kind == "single":
            found.append("group.dynamic needs groups")
        if self.dynamic and self.oversample < 1.0:
            found.append(f"group.oversample must be at least 1, got {self.oversample}")
        return found


@dataclass(frozen=True)
class GrpoSettings:
    """One GRPO run."""

    recipe: Literal["grpo", "dr_grpo", "dapo", "gspo", "rloo", "ppo", "custom"] = "grpo"
    """What the advantage and loss settings claim to be; `custom` claims nothing."""
    group: GroupSettings = field(default_factory=GroupSettings)
    advantage: AdvantageSettings = field(default_factory=AdvantageSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    reward: str = "route"
    """What is learnt for: `route` (`rl.rewards`), a preset of `envs.rewards`, or a JSON file with a specification."""
    temperature: float = 1.0
    """Of sampling."""
    updates: int = 50
    """Collections, each followed by an update."""
    epochs: int = 1
    """Passes over a collection."""
    target_kl: float = 0.0
    """An update ends once a step finds the policy beyond 1.5 times this divergence from the one that drove; 0: no
    limit. The first steps need it: Adam takes them at full length, and the policy is at its sharpest."""
    minibatch: int = 256
    """Decisions a step of the optimiser."""
    learning_rate: float = 3e-4
    """Of AdamW, at the start."""
    final_rate: float = 1.0
    """Share of the learning rate left at the end; it falls linearly over `max_ticks`, or else over `updates`."""
    value_rate: float = 1e-3
    """Of the value network's AdamW (PPO)."""
    max_ticks: int = 0
    """Stop after the update that has simulated so many ticks in all; 0: go by `updates`."""
    evaluate_ticks: int = 0
    """Evaluate whenever so many more ticks have been simulated, in place of `evaluate_every`; 0: by updates."""
    max_grad_norm: float = 1.0
    """Gradients are cut to this norm."""
    seed: int = 0
    """Of sampling, tasks and minibatches."""
    evaluate_every: int = 10
    """Updates between evaluations on held-out routes."""
    checkpoint_every: int = 10
    """Updates between checkpoints."""

    def check(self) -> GrpoSettings:
        """These settings, when they make sense.

        Raises:
            TrainingError: naming everything that does not.
        """
        found = [*self.group.problems(), *self.advantage.problems(), *self.loss.problems(), *self._recipe_problems()]
        for name in ("temperature", "updates", "epochs", "minibatch", "learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                found.append(f"{name} must be above 0, got {getattr(self, name)}")
        try:
            training_reward(self.reward)
        except TrainingError as error:
            found.append(str(error))
        if not 0.0 <= self.final_rate <= 1.0:
            found.append(f"final_rate is a share from 0 to 1, got {self.final_rate}")
        if self.target_kl < 0.0:
            found.append(f"target_kl is 0 or more, got {self.target_kl}")
        for name in ("evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                found.append(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.loss.ratio == "none" and self.epochs > 1:
            found.append("loss.ratio none (REINFORCE) is wrong from the second pass over a collection; take epochs 1")
        if self.group.dynamic and self.advantage.baseline == "others":
            found.append("group.dynamic drops groups without spread, whose RLOO advantages are 0 already; leave it off")
        if found:
            raise TrainingError("these settings make no sense together: " + "; ".join(found))
        return self

    def _recipe_problems(self) -> list[str]:
        if self.recipe == "custom":
            return []
        preset = PRESETS[self.recipe]
        found = []
        for part in ("advantage", "loss", "group"):
            for name, value in preset.get(part, {}).items():
                mine = getattr(getattr(self, part), name)
                if mine != value:
                    found.append(f"recipe {self.recipe} has {part}.{name} {value}, got {mine}; say recipe custom")
        return found

    def to_json(self) -> str:
        """All settings."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GrpoSettings:
        """What `to_json` wrote.

        Raises:
            TrainingError: for unknown or missing names.
        """
        return _build(json.loads(text))


#: What a recipe's name promises; everything else is free.
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "grpo": {
        "advantage": {"baseline": "mean", "divisor": "std"},
        "loss": {"ratio": "token", "aggregate": "sequence"},
    },
    "dr_grpo": {
        "advantage": {"baseline": "mean", "divisor": "none"},
        "loss": {"ratio": "token", "aggregate": "constant"},
    },
    "dapo": {
        "advantage": {"baseline": "mean", "divisor": "std"},
        "loss": {"ratio": "token", "aggregate": "token", "clip_low": 0.2, "clip_high": 0.28, "kl": 0.0},
        "group": {"dynamic": True},
    },
    "gspo": {
        "advantage": {"baseline": "mean", "divisor": "std"},
        "loss": {"ratio": "sequence", "aggregate": "sequence"},
    },
    "rloo": {
        "advantage": {"baseline": "others", "divisor": "none"},
        "loss": {"ratio": "token", "aggregate": "sequence"},
    },
    "ppo": {
        "group": {"kind": "single"},
        "loss": {"ratio": "token", "aggregate": "sequence"},
    },
}


def recipe(name: str, max_tokens: int, **changes: Any) -> GrpoSettings:
    """Settings of a recipe, checked.

    Args:
        name: of `PRESETS`.
        max_tokens: longest decision of the policy, which Dr. GRPO divides by.
        changes: fields of `GrpoSettings`; those of its parts with a prefix, such as `group_size=4`, `loss_kl=0.01`.

    Raises:
        TrainingError: for an unknown recipe or field, or settings that make no sense.
    """
    if name not in PRESETS:
        raise TrainingError(f"no recipe is called {name!r}; known: {', '.join(PRESETS)}")
    preset = PRESETS[name]
    parts: dict[str, dict[str, Any]] = {part: dict(preset.get(part, {})) for part in ("group", "advantage", "loss")}
    if parts["loss"]["aggregate"] == "constant":
        parts["loss"]["max_tokens"] = max_tokens
    top: dict[str, Any] = {"recipe": name}
    for key, value in changes.items():
        part, _, rest = key.partition("_")
        if part in parts and rest:
            parts[part][rest] = value
        else:
            top[key] = value
    return _build({**top, **parts}).check()


def _build(data: Mapping[str, Any]) -> GrpoSettings:
    values = dict(data)
    kinds = {"group": GroupSettings, "advantage": AdvantageSettings, "loss": LossSettings}
    try:
        for part, kind in kinds.items():
            values[part] = kind(**values.get(part, {}))
        return GrpoSettings(**values)
    except TypeError as error:
        raise TrainingError(f"GRPO settings: {error}") from error


def load_settings(path: str | Path) -> GrpoSettings:
    """Settings from a file that `to_json` wrote, checked.

    Raises:
        TrainingError: for a file that is none, or settings that make no sense.
    """
    try:
        return GrpoSettings.from_json(Path(path).read_text(encoding="utf-8")).check()
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} holds no settings of a GRPO run: {error}") from error


def settings_file(name: str) -> Path:
    """File of the settings that are called so (`rl/settings`), or the file itself.

    Raises:
        TrainingError: when there is neither.
    """
    own = {path.stem: path for path in sorted((Path(__file__).parent / "settings").glob("*.json"))}
    if name in own:
        return own[name]
    if not Path(name).is_file():
        raise TrainingError(f"no settings are called {name!r}, and there is no such file; known: {', '.join(own)}")
    return Path(name)
