"""What a reward is made of, as data: weights of terms, what ends an episode, and the settings of the terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from envs.names import unknown_name
from envs.rewards.terms import STOPS, known_terms

VERSION = 1


@dataclass(frozen=True)
class RewardSettings:
    """Numbers inside the terms. The defaults are the published ones."""

    overspeed_mps: float = 2.23
    """`carl`: speed above the limit at which the reward has fallen to 0, m/s."""
    penalty_seconds: float = 50.0
    """`carl`: how long a violation of comfort or time to collision lowers the reward, s."""
    ttc_factor: float = 0.5
    """`carl`: what a violation of time to collision multiplies the reward with."""
    comfort_factor: float = 0.5
    """`carl`: what the reward is lowered by when all six comfort bounds are violated."""
    lane_offset_m: float = 0.5
    """`carl`: distance from the lane's centre that is free, m."""
    lane_seconds: float = 3.0
    """`carl`: how long the distance may be larger, for lane changes, s."""
    lane_factor: float = 0.5
    """`carl`: what leaving the centre for longer multiplies the reward with."""
    roach_speed_mps: float = 6.0
    """`roach_speed`: desired speed of a free road, m/s."""


@dataclass(frozen=True)
class RewardSpec:
    """A reward: the weighted sum of named terms (`envs.rewards.TERMS`), and the infractions that end an episode.

    Raises:
        ValueError: for a term, stop or version that does not exist, or a weight that is no finite number.
    """

    weights: Mapping[str, float]
    """Weight of each term that counts."""
    terminate_on: tuple[str, ...] = ()
    """Infraction lists whose first entry ends the episode, besides the ends that the leaderboard knows."""
    settings: RewardSettings = field(default_factory=RewardSettings)
    """Numbers inside the terms."""
    version: int = VERSION
    """Of the terms' definitions."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", dict(self.weights))
        object.__setattr__(self, "terminate_on", tuple(self.terminate_on))
        for name, weight in self.weights.items():
            if name not in known_terms():
                raise ValueError(unknown_name("reward term", name, known_terms()))
            if not isinstance(weight, (int, float)) or not abs(weight) < float("inf"):
                raise ValueError(f"weight of reward term {name!r} must be a finite number, got {weight!r}")
        for name in self.terminate_on:
            if name not in STOPS:
                raise ValueError(unknown_name("infraction to terminate on", name, STOPS))
        for setting in fields(self.settings):
            value = getattr(self.settings, setting.name)
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"reward setting {setting.name} must be a finite number from 0 on, got {value!r}")
        if self.version != VERSION:
            raise ValueError(f"reward version {self.version} is not {VERSION}: its terms were defined differently")

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> RewardSpec:
        """The reward of `to_json`.

        Raises:
            ValueError: for text that is no JSON object, and for keys or values that do not exist.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a reward is a JSON object: {error}") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> RewardSpec:
        """The reward of a mapping such as `{"weights": {"progress": 1.0}}`."""
        if not isinstance(data, Mapping) or not isinstance(data.get("weights"), Mapping):
            raise ValueError('a reward is an object with "weights": {term: number}')
        known = {f.name for f in fields(cls)}
        for key in data:
            if key not in known:
                raise ValueError(unknown_name("key of a reward", key, known))
        settings = dict(data.get("settings", {}))
        names = {f.name for f in fields(RewardSettings)}
        for key in settings:
            if key not in names:
                raise ValueError(unknown_name("reward setting", key, names))
        rest = {key: value for key, value in data.items() if key != "settings"}
        return cls(**rest, settings=RewardSettings(**settings))

    @classmethod
    def load(cls, path: str | Path) -> RewardSpec:
        """The reward of a JSON file."""
        return cls.from_json(Path(path).read_text())

    def save(self, path: str | Path) -> None:
        """Write it as a JSON file."""
        Path(path).write_text(self.to_json() + "\n")
