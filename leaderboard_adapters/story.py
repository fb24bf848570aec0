"""Why it happened: the circumstances of an infraction, and the timeline of a route."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Part(str, Enum):
    """What an actor has to do with an infraction."""

    HIT = "hit"  # the ego collided with it
    EMERGENCY = "emergency"  # the ego did not let it pass
    NEAR = "near"  # stood or drove near the ego


class Happening(str, Enum):
    """Kinds of moments."""

    STAGED = "staged"  # the actors of a scenario come into the world
    TRIGGER = "trigger"
    PHASE = "phase"  # a strand of a scenario goes on to its next condition
    SCENARIO_END = "scenario_end"
    NOT_STAGED = "not_staged"  # there was no room
    MISSED = "missed"  # the ego passed without triggering it
    INFRACTION = "infraction"
    LEFT_OUT = "left_out"  # moments beyond the limit are not listed
    ROUTE_END = "route_end"


@dataclass(frozen=True)
class Involved:
    """An actor that an infraction has to do with. `scenario` and `member` are '' for background traffic."""

    actor: int  # its id, as in infraction messages; 0 for fences, poles, buildings
    blueprint: str
    role: str  # "background", "scenario", "flow", "ambient", "map"
    part: Part
    scenario: str = ""  # name of the scenario that it belongs to
    member: str = ""  # its name in the scenario's cast, or the name of its flow
    distance: float = 0.0  # m between its centre and the ego's
    speed: float = 0.0  # m/s, after the tick


@dataclass(frozen=True)
class ScenarioState:
    """What a scenario was doing.

    `stage`: "running" (`seconds` since its trigger), "ended" (`seconds` ago), or "ahead" (its trigger is `metres` away
    along the route). `waits`: what each strand that is not done waits for, in words.
    """

    scenario: str
    stage: str
    seconds: float = 0.0
    metres: float = 0.0
    waits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Circumstances:
    """What was going on when an infraction was booked, or when a route ended early."""

    speed: float  # m/s, the ego's at the end of the tick before, so before an impact
    x: float  # m, the ego
    y: float
    percent: float  # of the route
    standing: float = 0.0  # s for which the ego has not moved
    actors: tuple[Involved, ...] = ()
    scenarios: tuple[ScenarioState, ...] = ()


@dataclass(frozen=True)
class Moment:
    """One entry of a timeline."""

    tick: int
    kind: Happening
    text: str
    scenario: str = ""  # name of the scenario that it belongs to
    because: str = ""  # the condition that had come true, in words
    speed: float = 0.0  # m/s, the ego
    percent: float = 0.0  # of the route
    circumstances: Circumstances | None = None  # of the end of a route that was not completed
