"""The five Bench2Drive abilities: success rate over groups of scenario types (rules of its ability_benchmark.py).

Four abilities are plain. Traffic_Signs knows a second way to succeed: the junction rule. A route passes it when it came
at least 8 waypoints past its first junction waypoint without running a red light or a stop sign; collisions do not
matter. The rule needs the town's map. Version 0.0.4 counts a route when it succeeds or passes; version 0.0.3, behind
all numbers published before August 2026, is (successes + passes) / (2 * routes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leaderboard_adapters.records import RouteResult

_JUNCTIONS = (
    "CrossingBicycleFlow",
    "EnterActorFlow",
    "NonSignalizedJunctionLeftTurn",
    "NonSignalizedJunctionLeftTurnEnterFlow",
    "NonSignalizedJunctionRightTurn",
    "SignalizedJunctionLeftTurn",
    "SignalizedJunctionLeftTurnEnterFlow",
    "SignalizedJunctionRightTurn",
)
_CROSSINGS = (
    "BlockedIntersection",
    "OppositeVehicleRunningRedLight",
    "OppositeVehicleTakingPriority",
    "PedestrianCrossing",
    "VehicleTurningRoute",
    "VehicleTurningRoutePedestrian",
)

#: Scenario types of each ability, in the order of the official file. Types may stand in two groups.
ABILITIES: Mapping[str, tuple[str, ...]] = {
    "Overtaking": (
        "Accident",
        "AccidentTwoWays",
        "ConstructionObstacle",
        "ConstructionObstacleTwoWays",
        "HazardAtSideLane",
        "HazardAtSideLaneTwoWays",
        "ParkedObstacle",
        "ParkedObstacleTwoWays",
        "VehicleOpensDoorTwoWays",
    ),
    "Merging": (
        *_JUNCTIONS,
        "HighwayCutIn",
        "HighwayExit",
        "InterurbanActorFlow",
        "InterurbanAdvancedActorFlow",
        "MergerIntoSlowTraffic",
        "MergerIntoSlowTrafficV2",
        "ParkingExit",
        "SequentialLaneChange",
    ),
    "Emergency_Brake": (
        *_CROSSINGS,
        "ControlLoss",
        "DynamicObjectCrossing",
        "HardBreakRoute",
        "ParkingCrossingPedestrian",
        "ParkingCutIn",
        "StaticCutIn",
    ),
    "Give_Way": ("InvadingTurn", "YieldToEmergencyVehicle"),
    "Traffic_Signs": (
        *_CROSSINGS,
        *_JUNCTIONS,
        "T_Junction",
        "VanillaNonSignalizedTurn",
        "VanillaNonSignalizedTurnEncounterStopsign",
        "VanillaSignalizedTurnEncounterGreenLight",
        "VanillaSignalizedTurnEncounterRedLight",
    ),
}

SIGNS = "Traffic_Signs"
PLAIN_SIGNS = "Traffic_Signs: plain success; maps needed for the official rule"


@dataclass(frozen=True)
class AbilityScore:
    """Plain success of one ability: `successes` of `routes` with a record. `value`: share 0..1, None without routes."""

    name: str
    successes: int
    routes: int

    @property
    def value(self) -> float | None:
        return self.successes / self.routes if self.routes else None


@dataclass(frozen=True)
class SignsScore:
    """Traffic_Signs by one version's rule, as bounds 0..1: equal when every route that matters has a known junction."""

    version: str
    low: float
    high: float
    unknown: int  # routes whose pass or failure needs a map

    @property
    def exact(self) -> bool:
        return self.unknown == 0


@dataclass(frozen=True)
class Abilities:
    """All five abilities of one result. `crashed`: the suite's routes without record, as (scenario type, route id)."""

    scores: tuple[AbilityScore, ...]
    signs: Mapping[str, SignsScore]  # by version: "0.0.4", "0.0.3"; empty when no route shows traffic signs
    crashed: tuple[tuple[str, str], ...] = ()

    @property
    def signs_exact(self) -> bool:
        """Whether Traffic_Signs follows the official 0.0.4 rule; if not, it is plain success."""
        return "0.0.4" not in self.signs or self.signs["0.0.4"].exact

    @property
    def note(self) -> str:
        """What to know about the values; '' when all are official."""
        return "" if self.signs_exact else PLAIN_SIGNS

    def values(self) -> dict[str, float | None]:
        """Share 0..1 by ability (0.0.4; Traffic_Signs as `note` says), None where no route has a record."""
        values = {score.name: score.value for score in self.scores}
        if "0.0.4" in self.signs and self.signs["0.0.4"].exact:
            values[SIGNS] = self.signs["0.0.4"].low
        return values

    @property
    def mean(self) -> float:
        """Plain mean of the abilities that have routes; 0 when none has."""
        present = [value for value in self.values().values() if value is not None]
        return sum(present) / len(present) if present else 0.0


def abilities(
    results: Iterable[RouteResult],
    *,
    scenario_types: Mapping[str, str] | None = None,
    first_junction_share: Mapping[str, tuple[int, int]] | None = None,
) -> Abilities:
    """Abilities of one result.

    `scenario_types`: scenario type by route id, of the whole suite and in file order. Given, it decides the types, and
    routes without a record are listed as crashed; they leave the denominators (official rule). Otherwise the type comes
    from the scenario's name.
    `first_junction_share`: `first_junction` of a route's trace by route id, for results that do not tell it themselves.
    Only the first record of a route counts, the official choice.
    """
    first: dict[str, RouteResult] = {}
    for result in results:
        first.setdefault(result.xml_id, result)
    crashed: tuple[tuple[str, str], ...] = ()
    if scenario_types is not None:
        crashed = tuple((kind, route) for route, kind in scenario_types.items() if route not in first)
    types = {route: (scenario_types or {}).get(route, result.scenario_type) for route, result in first.items()}
    if scenario_types is not None:
        types = {route: kind for route, kind in types.items() if route in scenario_types}

    scores = []
    for name, members in ABILITIES.items():
        group = [first[route] for route, kind in types.items() if kind in members]
        scores.append(AbilityScore(name, sum(result.success for result in group), len(group)))
    signs = [first[route] for route, kind in types.items() if kind in ABILITIES[SIGNS]]
    return Abilities(tuple(scores), _signs(signs, first_junction_share or {}), crashed)


def first_junction(in_junction: Sequence[bool]) -> tuple[int, int]:
    """(c, n) of a traced route of n waypoints at 1 m: c of them up to and with the first one in a junction.

    Without any junction c is n: then no route completion passes (the official script stops with an error there).
    """
    count = len(in_junction)
    return next((i for i, inside in enumerate(in_junction, 1) if inside), count), count


def passes_junction(result: RouteResult, junction: tuple[int, int] | None) -> bool | None:
    """The junction rule on one route; None when it hangs on a junction that is not known."""
    if result.messages("red_light") or result.messages("stop_infraction") or result.score_route <= 0:
        return False
    if junction is None:
        return None
    waypoints_to_junction, waypoints = junction
    return result.score_route / 100.0 > (waypoints_to_junction + 8) / waypoints


def _signs(routes: list[RouteResult], junctions: Mapping[str, tuple[int, int]]) -> dict[str, SignsScore]:
    if not routes:
        return {}
    passed = {r.xml_id: passes_junction(r, r.first_junction or junctions.get(r.xml_id)) for r in routes}
    wins = sum(result.success for result in routes)
    failed = [passed[result.xml_id] for result in routes if not result.success]
    every = list(passed.values())
    scores = {}
    for version, rule, divisor in (("0.0.4", failed, len(routes)), ("0.0.3", every, 2 * len(routes))):
        low, unknown = wins + rule.count(True), rule.count(None)
        scores[version] = SignsScore(version, low / divisor, (low + unknown) / divisor, unknown)
    return scores
