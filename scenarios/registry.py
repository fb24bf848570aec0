"""Scenario types by name.

A type is a function from a place on a route to a `Script`, registered with `@scenario_type`. Built-in types live in
`scenarios/catalogue/`; an installed package adds its own by an entry point of the group `routegym.scenarios` that names
a module, which registers them when it is imported.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

import scenarios.catalogue
from scenarios.parameters import Parameter
from scenarios.script import Script

ENTRY_POINT_GROUP = "routegym.scenarios"

#: The 44 types of bench2drive220.xml (docs/bench2drive.md 1.5), in alphabetical order.
BENCH2DRIVE_TYPES = (
    "Accident",
    "AccidentTwoWays",
    "BlockedIntersection",
    "ConstructionObstacle",
    "ConstructionObstacleTwoWays",
    "ControlLoss",
    "CrossingBicycleFlow",
    "DynamicObjectCrossing",
    "EnterActorFlow",
    "HardBreakRoute",
    "HazardAtSideLane",
    "HazardAtSideLaneTwoWays",
    "HighwayCutIn",
    "HighwayExit",
    "InterurbanActorFlow",
    "InterurbanAdvancedActorFlow",
    "InvadingTurn",
    "MergerIntoSlowTraffic",
    "MergerIntoSlowTrafficV2",
    "NonSignalizedJunctionLeftTurn",
    "NonSignalizedJunctionLeftTurnEnterFlow",
    "NonSignalizedJunctionRightTurn",
    "OppositeVehicleRunningRedLight",
    "OppositeVehicleTakingPriority",
    "ParkedObstacle",
    "ParkedObstacleTwoWays",
    "ParkingCrossingPedestrian",
    "ParkingCutIn",
    "ParkingExit",
    "PedestrianCrossing",
    "SequentialLaneChange",
    "SignalizedJunctionLeftTurn",
    "SignalizedJunctionLeftTurnEnterFlow",
    "SignalizedJunctionRightTurn",
    "StaticCutIn",
    "T_Junction",
    "VanillaNonSignalizedTurn",
    "VanillaNonSignalizedTurnEncounterStopsign",
    "VanillaSignalizedTurnEncounterGreenLight",
    "VanillaSignalizedTurnEncounterRedLight",
    "VehicleOpensDoorTwoWays",
    "VehicleTurningRoute",
    "VehicleTurningRoutePedestrian",
    "YieldToEmergencyVehicle",
)

#: Types that the Leaderboard 2.0 route files use and Bench2Drive does not.
LEADERBOARD_TYPES = ("EnterActorFlowV2", "PriorityAtJunction")


@dataclass(frozen=True)
class ScenarioType:
    """A registered type: how to write its script for a place on a route."""

    name: str
    build: Callable[..., Script]
    parameters: dict[str, Parameter]
    family: str  # module of the catalogue that holds it

    @property
    def summary(self) -> str:
        """First line of its description."""
        return (inspect.getdoc(self.build) or "").partition("\n")[0]


_TYPES: dict[str, ScenarioType] = {}


def scenario_type(name: str, **parameters: Parameter) -> Callable[[Callable[..., Script]], Callable[..., Script]]:
    """Register a scenario type.

    The decorated function takes a `Site` (`scenarios/placement.py`) and, by keyword, a value for each parameter, and
    returns a `Script`; it raises `NotPlaced` where the site lacks what the scenario needs.
    """

    def register(build: Callable[..., Script]) -> Callable[..., Script]:
        _TYPES[name] = ScenarioType(name, build, parameters, build.__module__.rpartition(".")[2])
        return build

    return register


def scenario_types() -> dict[str, ScenarioType]:
    """All types that can be run, by name in alphabetical order."""
    _load()
    return dict(sorted(_TYPES.items()))


def find_type(name: str) -> ScenarioType | None:
    """A type that can be run, or None."""
    _load()
    return _TYPES.get(name)


def is_official(name: str) -> bool:
    """True for every type of the Bench2Drive and Leaderboard 2.0 route files, whether it can be run yet or not."""
    return name in BENCH2DRIVE_TYPES or name in LEADERBOARD_TYPES


def nearest_types(name: str) -> list[str]:
    """Known names that a wrong one may stand for, best first."""
    known: dict[str, Any] = dict.fromkeys([*scenario_types(), *BENCH2DRIVE_TYPES, *LEADERBOARD_TYPES])
    folded = {k.lower(): k for k in known}
    return [folded[k] for k in difflib.get_close_matches(name.lower(), folded, n=3)]


@lru_cache(maxsize=1)
def _load() -> None:
    for module in sorted(m.name for m in pkgutil.iter_modules(scenarios.catalogue.__path__)):
        importlib.import_module(f"scenarios.catalogue.{module}")
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        entry.load()
