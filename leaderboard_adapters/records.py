"""The result of one attempt at one route: the product of an evaluation.

Field names follow the official checkpoint record (docs/scores.md); what the official record cannot hold (ticks, actors,
timings, labels) stands beside it and is dropped on export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leaderboard_adapters.story import Circumstances, Moment

#: Infraction lists in the order of the official JSON.
INFRACTION_NAMES = (
    "collisions_layout",
    "collisions_pedestrian",
    "collisions_vehicle",
    "red_light",
    "stop_infraction",
    "outside_route_lanes",
    "min_speed_infractions",
    "yield_emergency_vehicle_infractions",
    "scenario_timeouts",
    "route_dev",
    "vehicle_blocked",
    "route_timeout",
)


@dataclass(frozen=True)
class Infraction:
    """One entry of an infraction list. `message` is the official text; `tick` is -1 where a file does not tell.

    `circumstances`: what was going on; None for entries that cost nothing, and in other people's results.
    """

    name: str
    message: str
    tick: int = -1
    percentage: float = 0.0  # unrounded value behind a percentage message (lane share, min speed)
    circumstances: Circumstances | None = None


@dataclass
class RouteResult:
    """One attempt at one route.

    Scores: `score_route` percent 0..100, `score_penalty` factor 0..1, `score_composed` (driving score) 0..100.
    Durations in seconds, length in metres. Comfort is a share 0..1 or None where nothing was logged.
    `world`, `scorer` and `suite` say what the scores can be compared with; '' in other people's results.
    """

    route_id: str  # "RouteScenario_<id>_rep<k>"
    scenario_name: str
    scenario_type: str
    town: str
    weather_id: str | None
    save_name: str
    status: str
    infractions: tuple[Infraction, ...]
    score_route: float
    score_penalty: float
    score_composed: float
    route_length: float
    duration_game: float
    duration_system: float
    index: int = 0
    num_ticks: int = 0
    seed: int = 0
    agent: str = ""
    suite: str = ""
    world: str = ""  # which world was driven in, such as "routegym-embedded/2"
    scorer: str = ""  # version of the scoring rules
    attempt: int = 1  # number of the attempt that this is; those before it failed
    synthetic: bool = False  # driven on a corridor rebuilt from the route
    comfort: float | None = None  # official formula, quirks included
    comfort_corrected: float | None = None  # true units, true derivative
    first_junction: tuple[int, int] | None = None  # waypoints up to and with the first in a junction, waypoints in all
    scenarios_missing: tuple[str, ...] = ()  # names of the scenarios that the route asks for and ran without
    notes: tuple[str, ...] = field(default_factory=tuple)  # scenario adapted or not placed, retries
    timeline: tuple[Moment, ...] = ()  # what happened, by tick; () in other people's results
    inference: Mapping[str, Any] = field(default_factory=dict)  # what deciding cost a policy; {} for other agents
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys of a foreign record that the schema does not know

    @property
    def xml_id(self) -> str:
        """Id of the route in its route file: "4937" of "RouteScenario_4937_rep0" (the official rule: second word)."""
        words = self.route_id.split("_")
        return words[1] if len(words) > 1 else self.route_id

    @property
    def repetition(self) -> str:
        """The k of "_rep<k>"; "0" where the id does not tell."""
        return self.route_id.rpartition("_rep")[2] if "_rep" in self.route_id else "0"

    def messages(self, name: str) -> list[str]:
        """Messages of one infraction list, in order."""
        return [i.message for i in self.infractions if i.name == name]

    @property
    def success(self) -> bool:
        """Bench2Drive success: finished, and every list but the min-speed one is empty."""
        finished = self.status in ("Completed", "Perfect")
        return finished and all(i.name == "min_speed_infractions" for i in self.infractions)


def scenario_type_of(scenario_name: str) -> str:
    """Scenario type in a scenario's name: "T_Junction_1" -> "T_Junction" (true for every official route)."""
    return re.sub(r"_\d+$", "", scenario_name)


def route_order(result: RouteResult) -> tuple[int, str, str]:
    """Sort key: by route number where ids are numbers, else by text; then by repetition."""
    number = result.xml_id
    return (int(number) if number.isascii() and number.isdigit() else -1, number, result.repetition)
