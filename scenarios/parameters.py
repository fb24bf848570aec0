"""Parameters of scenario types: shape, unit, default and range; read from a route file's strings.

A value out of its range is clipped and an unknown parameter ignored, each with a note that names route and scenario.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scenarios.route import ScenarioSpec, scenario_interval, scenario_location, scenario_text, scenario_value
from scenarios.vocabulary import Between
from simulator.blueprints import blueprint_index

KMH = 1.0 / 3.6


class Parameter(Protocol):
    """One parameter of a scenario type."""

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> Any:
        """Its value for one scenario, in the units of the vocabulary."""

    def describe(self) -> str:
        """Unit, default and range, for listings."""


@dataclass(frozen=True)
class Quantity:
    """`<tag value="..."/>`: a number; handed over times `scale`."""

    default: float
    unit: str = "m"
    low: float = 0.0
    high: float = math.inf
    scale: float = 1.0

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> float:
        return _clipped(scenario_value(spec, tag, self.default), self, tag, notes) * self.scale

    def describe(self) -> str:
        return f"{self.unit}, default {self.default:g}{_range(self.low, self.high)}"


@dataclass(frozen=True)
class Interval:
    """`<tag from="..." to="..."/>`: a number is drawn from it each time."""

    default: tuple[float, float]
    unit: str = "m"
    low: float = 0.0
    high: float = math.inf

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> Between:
        bounds = sorted(_clipped(v, self, tag, notes) for v in scenario_interval(spec, tag, self.default))
        return Between(bounds[0], bounds[1])

    def describe(self) -> str:
        return f"{self.unit}, default {self.default[0]:g} to {self.default[1]:g}{_range(self.low, self.high)}"


@dataclass(frozen=True)
class Choice:
    """`<tag value="..."/>`: one of several words."""

    options: tuple[str, ...]
    default: str

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> str:
        word = scenario_text(spec, tag, self.default)
        if word in self.options:
            return word
        notes.append(f"{tag} '{word}' is none of {', '.join(self.options)}; taken as '{self.default}'")
        return self.default

    def describe(self) -> str:
        return f"{' | '.join(self.options)}, default {self.default}"


@dataclass(frozen=True)
class Point:
    """`<tag x="..." y="..." z="..."/>`: a location; required."""

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> Any:
        return scenario_location(spec, tag)

    def describe(self) -> str:
        return "location, required"


@dataclass(frozen=True)
class Unused:
    """A parameter that route files carry and that has no effect, as officially; it may be missing."""

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> None:
        return None

    def describe(self) -> str:
        return "without effect"


@dataclass(frozen=True)
class BlueprintId:
    """`<tag value="..."/>`: a blueprint id; handed over as a choice of one."""

    default: str

    def read(self, spec: ScenarioSpec, tag: str, notes: list[str]) -> tuple[int, ...]:
        word = scenario_text(spec, tag, self.default)
        try:
            return (blueprint_index(word),)
        except KeyError:
            notes.append(f"{tag} '{word}' is no known blueprint; taken as '{self.default}'")
            return (blueprint_index(self.default),)

    def describe(self) -> str:
        return f"blueprint id, default {self.default}"


def metres(default: float, low: float = 0.0, high: float = 1000.0) -> Quantity:
    """A length."""
    return Quantity(default, "m", low, high)


def metres_per_second(default: float, low: float = 0.1, high: float = 50.0) -> Quantity:
    """A speed in m/s."""
    return Quantity(default, "m/s", low, high)


def kmh(default: float, low: float = 0.0, high: float = 200.0) -> Quantity:
    """A speed in km/h in the file, handed over in m/s."""
    return Quantity(default, "km/h", low, high, KMH)


def degrees(default: float, low: float, high: float) -> Quantity:
    """An angle in degrees in the file, handed over in radians."""
    return Quantity(default, "deg", low, high, math.pi / 180.0)


SIDE = Choice(("right", "left"), "right")


def read_parameters(spec: ScenarioSpec, declared: Mapping[str, Parameter], notes: list[str]) -> dict[str, Any]:
    """Values of all declared parameters; unknown ones in the file are noted."""
    for tag in spec.parameters:
        if tag not in declared:
            near = difflib.get_close_matches(tag, declared, n=1)
            known = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(declared)) or 'none'}"
            notes.append(f"unknown parameter '{tag}' has no effect; {known}")
    return {tag: parameter.read(spec, tag, notes) for tag, parameter in declared.items()}


def _clipped(value: float, kind: Quantity | Interval, tag: str, notes: list[str]) -> float:
    inside = min(max(value, kind.low), kind.high)
    if inside != value:
        span = f"{kind.low:g} to {kind.high:g} {kind.unit}"
        notes.append(f"{tag} {value:g} is outside {span}; taken as {inside:g}")
    return inside


def _range(low: float, high: float) -> str:
    return "" if math.isinf(high) else f", {low:g} to {high:g}"
