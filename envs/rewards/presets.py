"""Rewards by name."""

from __future__ import annotations

from collections.abc import Mapping

from envs.names import unknown_name
from envs.rewards.spec import RewardSpec

_COLLISIONS = ("collisions_layout", "collisions_pedestrian", "collisions_vehicle")

PRESETS: Mapping[str, RewardSpec] = {
    # Progress in metres, 20 for the arrival, -20 for every infraction.
    "simple": RewardSpec({"progress": 1.0, "infractions": -20.0, "arrival": 20.0}),
    # CaRL (arXiv 2504.17838): route completion only, scaled down by soft penalties; what is worse ends the episode.
    "carl": RewardSpec(
        {"carl": 1.0, "carl_hint": -1.0},
        (*_COLLISIONS, "red_light", "stop_infraction", "off_road"),
    ),
    # Roach (arXiv 2108.08265): dense terms of speed, place and heading.
    "roach": RewardSpec(
        {"roach_speed": 1.0, "roach_position": 1.0, "roach_rotation": 1.0, "roach_steer": 1.0, "roach_end": 1.0},
        (*_COLLISIONS, "red_light", "stop_infraction"),
    ),
    # The benchmark itself: an episode's rewards add up to its driving score.
    "leaderboard": RewardSpec({"score": 1.0}),
    # The benchmark, with what smooths the way there.
    "dense": RewardSpec(
        {
            "progress": 0.1,
            "arrival": 10.0,
            "infractions": -10.0,
            "wrong_way": -0.2,
            "speeding": -0.1,
            "discomfort": -0.02,
            "ttc": -0.2,
        }
    ),
}


def make_reward(choice: str | RewardSpec | Mapping[str, object]) -> RewardSpec:
    """A reward by the name of a preset, from a `.json` file, as a mapping, or as it is.

    Raises:
        ValueError: for a name that does not exist, or a specification that says something impossible.
    """
    if isinstance(choice, RewardSpec):
        return choice
    if isinstance(choice, Mapping):
        return RewardSpec.from_dict(choice)
    if choice in PRESETS:
        return PRESETS[choice]
    if str(choice).endswith(".json"):
        return RewardSpec.load(choice)
    raise ValueError(unknown_name("reward", str(choice), PRESETS))
