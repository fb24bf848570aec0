"""The terms that a reward can be made of: name, unit and meaning. Each is the sum over the ticks of a step.

Terms of what goes wrong count upwards, so they want negative weights. The `roach_` terms carry their signs, as Roach
defines them, and count in units of 0.1 s, so that their sums do not depend on the length of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from leaderboard_adapters.records import INFRACTION_NAMES

if TYPE_CHECKING:
    from envs.world import WorldBatch

#: Meaning of each term.
TERMS: Mapping[str, str] = {
    "progress": "metres of route newly passed",
    "completion": "route completion gained, percent points",
    "score": "driving score gained (route completion times penalty), points; negative when an infraction costs it",
    "arrival": "1 when the route is completed",
    "time": "seconds driven",
    "standing": "seconds below 0.1 m/s",
    "infractions": "new infractions of any list but the min-speed one",
    **{name: f"new infractions of the list `{name}`" for name in INFRACTION_NAMES if name != "min_speed_infractions"},
    "off_road": "1 when the whole ego has left lanes, parking places and shoulders",
    "wrong_way": "metres driven outside the route lanes",
    "speeding": "metres per second above the speed limit, times seconds",
    "off_centre": "metres beside the path, times seconds",
    "steering": "change of the steering wheel, 0..2",
    "discomfort": "bounds of comfort that are exceeded (of six), times seconds",
    "ttc": "seconds in which going on straight for 0.9 s would hit somebody who goes on straight",
    "carl": "CaRL: route completion gained, percent points, times the factors of all soft penalties",
    "carl_hint": "CaRL: 1 for a collision or a red light",
    "roach_speed": "Roach: 1 - |speed - desired speed| / 6 m/s",
    "roach_position": "Roach: -(metres beside the path) / 2",
    "roach_rotation": "Roach: -(angle to the path), rad",
    "roach_steer": "Roach: -0.1 where the wheel turned by more than 0.01 between two steps",
    "roach_end": "Roach: -1 when the route ends before its end, and -1 - speed for a collision, red light, stop sign",
}

NAMES = tuple(TERMS)

#: What can end an episode: the infraction lists, and leaving the road altogether.
STOPS = (*(name for name in INFRACTION_NAMES if name != "min_speed_infractions"), "off_road")

#: A term of one's own: from a batch, after the last tick of a step, to float64[B].
TermFunction = Callable[["WorldBatch"], np.ndarray]
REGISTERED: dict[str, TermFunction] = {}


def register_term(name: str, function: TermFunction) -> None:
    """Make a term of one's own known by name. It is computed once a step, and reads the worlds only.

    Raises:
        ValueError: for the name of a built-in term.
    """
    if name in TERMS:
        raise ValueError(f"reward term {name!r} is built in; choose another name")
    REGISTERED[name] = function


def known_terms() -> tuple[str, ...]:
    """Names of all terms."""
    return NAMES + tuple(REGISTERED)


PROGRESS = NAMES.index("progress")
COMPLETION = NAMES.index("completion")
SCORE = NAMES.index("score")
ARRIVAL = NAMES.index("arrival")
TIME = NAMES.index("time")
STANDING = NAMES.index("standing")
INFRACTIONS = NAMES.index("infractions")
OFF_ROAD = NAMES.index("off_road")
WRONG_WAY = NAMES.index("wrong_way")
SPEEDING = NAMES.index("speeding")
OFF_CENTRE = NAMES.index("off_centre")
STEERING = NAMES.index("steering")
DISCOMFORT = NAMES.index("discomfort")
TTC = NAMES.index("ttc")
CARL = NAMES.index("carl")
CARL_HINT = NAMES.index("carl_hint")
ROACH_SPEED = NAMES.index("roach_speed")
ROACH_POSITION = NAMES.index("roach_position")
ROACH_ROTATION = NAMES.index("roach_rotation")
ROACH_STEER = NAMES.index("roach_steer")
ROACH_END = NAMES.index("roach_end")
