"""What a route file says, as plain data (BENCH2DRIVE.md 1.1). Nothing here is projected on a map yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Location(NamedTuple):
    """A point in CARLA world coordinates, metres."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class TriggerPoint:
    """Where a scenario wakes up. `yaw` in degrees, as in the file."""

    x: float
    y: float
    z: float
    yaw: float


@dataclass(frozen=True)
class ScenarioSpec:
    """One `<scenario>` element. `parameters[tag]` is the attribute mapping of that child element, still as strings."""

    name: str
    type: str
    trigger_point: TriggerPoint
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    other_actors: tuple[Mapping[str, str], ...] = ()
    line: int = 0


@dataclass(frozen=True)
class WeatherKeyframe:
    """One `<weather>` element: attributes by name as strings (the official weather id compares strings)."""

    route_percentage: float
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """One `<route>` element of a Leaderboard / Bench2Drive file."""

    id: str
    town: str
    positions: tuple[Location, ...]
    scenarios: tuple[ScenarioSpec, ...] = ()
    weathers: tuple[WeatherKeyframe, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def scenario_type(self) -> str:
        """Type of the first scenario, which the official tables count the route under; '' without one."""
        return self.scenarios[0].type if self.scenarios else ""
