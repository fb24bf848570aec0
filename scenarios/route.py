"""What a route file says, as plain data (docs/bench2drive.md 1.1). Nothing here is projected on a map yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.errors import RouteFileError


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
    route_id: str = ""  # of the route it stands in, for messages


@dataclass(frozen=True)
class WeatherKeyframe:
    """One `<weather>` element: attributes by name as strings, without `route_percentage`."""

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

    @property
    def name(self) -> str:
        """The official name of the route, `RouteScenario_<id>`; result files append `_rep<k>`."""
        return f"RouteScenario_{self.id}"


# The three shapes of a scenario parameter: <tag value=""/>, <tag from="" to=""/>, <tag x="" y="" z=""/>.
# `default` is what counts when the element is absent; without one the parameter is required.


def scenario_text(spec: ScenarioSpec, tag: str, default: str | None = None) -> str:
    """The string of `<tag value="..."/>`, such as the `direction` of an obstacle.

    Raises:
        RouteFileError: when the element is absent and there is no default, or has no `value`.
    """
    if tag not in spec.parameters and default is not None:
        return default
    return _attribute(spec, tag, "value")


def scenario_value(spec: ScenarioSpec, tag: str, default: float | None = None) -> float:
    """The number of `<tag value="..."/>`, in the unit that docs/bench2drive.md 1.1 gives for the tag.

    Raises:
        RouteFileError: when the element is absent and there is no default, or holds no finite number.
    """
    if tag not in spec.parameters and default is not None:
        return default
    return _number(spec, tag, "value")


def scenario_interval(spec: ScenarioSpec, tag: str, default: tuple[float, float] | None = None) -> tuple[float, float]:
    """The two numbers of `<tag from="..." to="..."/>`, in file order.

    Raises:
        RouteFileError: when the element is absent and there is no default, or holds no two finite numbers.
    """
    if tag not in spec.parameters and default is not None:
        return default
    return _number(spec, tag, "from"), _number(spec, tag, "to")


def scenario_location(spec: ScenarioSpec, tag: str, default: Location | None = None) -> Location:
    """The point of `<tag x="..." y="..." z="..."/>`, world, metres.

    Raises:
        RouteFileError: when the element is absent and there is no default, or holds no three finite numbers.
    """
    if tag not in spec.parameters and default is not None:
        return default
    return Location(_number(spec, tag, "x"), _number(spec, tag, "y"), _number(spec, tag, "z"))


def _attribute(spec: ScenarioSpec, tag: str, name: str) -> str:
    if tag not in spec.parameters:
        raise RouteFileError(f'{_whose(spec)} needs a <{tag} {name}="..."/> element; add it to the route file')
    attributes = spec.parameters[tag]
    if name not in attributes:
        found = ", ".join(sorted(attributes)) or "none"
        raise RouteFileError(f"{_whose(spec)}: <{tag}> has no attribute '{name}' (its attributes: {found})")
    return attributes[name]


def _number(spec: ScenarioSpec, tag: str, name: str) -> float:
    text = _attribute(spec, tag, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RouteFileError(f"{_whose(spec)}: <{tag} {name}={text!r}> must be a finite number")
    return value


def _whose(spec: ScenarioSpec) -> str:
    line = f" (line {spec.line})" if spec.line else ""
    return f"route '{spec.route_id}', scenario '{spec.name}' of type {spec.type}{line}"
