"""What training pays by default: the route as a whole, dearly for what lowers its score.

A route brings 10 for its progress and 2 for its end, whatever its length. A collision costs 5, a broken rule 4, and
both end the episode, so that no score is learnt behind an accident. On a route of 200 m, a metre outside the route
lanes costs what three metres bring: with a third of that, policies drove beside their lanes to meet nobody
(docs/ppo.md). Time costs a little.
"""

from __future__ import annotations

from envs.rewards import RewardSpec, make_reward
from simulator.errors import TrainingError

_COLLISIONS = ("collisions_layout", "collisions_pedestrian", "collisions_vehicle")
_RULES = ("red_light", "stop_infraction", "yield_emergency_vehicle_infractions", "scenario_timeouts")
_ENDS = ("route_dev", "vehicle_blocked", "route_timeout")

ROUTE_REWARD = RewardSpec(
    {
        "completion": 0.1,
        "arrival": 2.0,
        **dict.fromkeys(_COLLISIONS, -5.0),
        **dict.fromkeys(_RULES, -4.0),
        **dict.fromkeys(_ENDS, -5.0),
        "wrong_way": -0.15,
        "time": -0.025,
    },
    terminate_on=(*_COLLISIONS, *_RULES),
)


def training_reward(choice: str) -> RewardSpec:
    """`route` (the default above), a preset of `envs.rewards`, or a JSON file.

    Raises:
        TrainingError: for a name that does not exist, or a file that is no reward.
    """
    if choice == "route":
        return ROUTE_REWARD
    try:
        return make_reward(choice)
    except (ValueError, OSError) as error:
        raise TrainingError(f"reward {choice!r}: {error} (and 'route', the default of training)") from None
