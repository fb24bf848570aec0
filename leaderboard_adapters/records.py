"""The result of one attempt at one route: the product of an evaluation.

Field names follow the official checkpoint record (BENCH2DRIVE.md 3.6); what the official record cannot hold (ticks, actors,
timings, labels) stands beside it and is dropped on export.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    """One entry of an infraction list. `message` is the official text; `tick` is -1 where a file does not tell."""

    name: str
    message: str
    tick: int = -1
    percentage: float = 0.0  # unrounded value behind a percentage message (lane share, min speed)


@dataclass
class RouteResult:
    """One attempt at one route.

    Scores: `score_route` percent 0..100, `score_penalty` factor 0..1, `score_composed` (driving score) 0..100.
    Durations in seconds, length in metres. Comfort is a share 0..1 or None where nothing was logged.
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
    synthetic: bool = False  # driven on a corridor rebuilt from the route
    comfort: float | None = None  # official formula, quirks included
    comfort_corrected: float | None = None  # true units, true derivative
    notes: tuple[str, ...] = field(default_factory=tuple)  # scenario adapted or not placed, retries

    def messages(self, name: str) -> list[str]:
        """Messages of one infraction list, in order."""
        return [i.message for i in self.infractions if i.name == name]

    @property
    def success(self) -> bool:
        """Bench2Drive success (3.3): finished, and every list but the min-speed one is empty."""
        finished = self.status in ("Completed", "Perfect")
        return finished and all(i.name == "min_speed_infractions" for i in self.infractions)
