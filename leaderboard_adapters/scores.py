"""Route scores, statuses and benchmark numbers, by the rules of Bench2Drive 0.0.4 (its leaderboard and merge script).

A route:      score_composed = score_route [0..100] * score_penalty [0..1], the latter a product over infractions.
A checkpoint: means over the routes the file was to hold, infractions per driven kilometre (`global_record`).
A benchmark:  driving score and success rate over the suite's routes; a route without a record counts as 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from leaderboard_adapters.records import INFRACTION_NAMES, Infraction, RouteResult

#: Version of these rules. Scores of different scorers are not compared.
SCORER = "bench2drive-0.0.4"

#: Routes of the official suite, the divisor of every official benchmark number.
BENCH2DRIVE_ROUTES = 220

#: The run loop stops after this many ticks; game time is then 200.05 s.
TICK_CAP = 4000
DURATION_CAP = 200.05

#: What one infraction multiplies the penalty with. Lane excursions multiply with their share; the rest costs nothing.
PENALTY_FACTORS = {
    "collisions_layout": 0.65,
    "collisions_pedestrian": 0.50,
    "collisions_vehicle": 0.60,
    "red_light": 0.70,
    "stop_infraction": 0.80,
    "yield_emergency_vehicle_infractions": 0.70,
    "scenario_timeouts": 0.70,
}

#: Failure reasons that the run loop gives, as they stand in a status.
TICK_RUNTIME = "TickRuntime"
AGENT_CRASHED = "Agent crashed"
AGENT_NOT_SET_UP = "Agent couldn't be set up"
SENSORS_INVALID = "Agent's sensors were invalid"
SIMULATION_CRASHED = "Simulation crashed"

#: Failure reasons that an infraction gives; a later one overrides an earlier one (criteria order).
_ENDING_INFRACTIONS = (
    ("route_timeout", "Agent timed out"),
    ("route_dev", "Agent deviated from the route"),
    ("vehicle_blocked", "Agent got blocked"),
)


class RouteScores(NamedTuple):
    """`score_route` percent 0..100, `score_penalty` factor 0..1, `score_composed` 0..100; six decimals."""

    score_route: float
    score_penalty: float
    score_composed: float


def percentage_in(message: str) -> float | None:
    """The number before the percent sign of an official message; None without one."""
    found = re.search(r"\b\d+\.?\d*%", message)
    return float(found.group().rstrip("%")) if found else None


def metres_in(message: str) -> float | None:
    """Metres of an official lane message (its ninth word, as the official code takes it); None without one."""
    words = message.split(" ")
    try:
        return float(words[8])
    except (IndexError, ValueError):
        return None


def penalty_factor(infraction: Infraction) -> float:
    """What one infraction multiplies the route's penalty with: 1 for those that only end or describe a route."""
    if infraction.name == "outside_route_lanes":
        return 1.0 - infraction.percentage / 100.0
    return PENALTY_FACTORS.get(infraction.name, 1.0)


def penalty(infractions: Iterable[Infraction]) -> float:
    """Product of the penalty factors, unrounded. There is no floor, and equal infractions multiply."""
    return math.prod(penalty_factor(infraction) for infraction in infractions)


def route_scores(route_completed: float, infractions: Iterable[Infraction]) -> RouteScores:
    """Scores of a route. `route_completed` in percent; a whole number stays an int, as in the official files."""
    factor = penalty(infractions)
    composed = max(route_completed * factor, 0.0)
    return RouteScores(round(route_completed, 6), round(factor, 6), round(composed, 6))


def route_status(route_completed: float, infractions: Sequence[Infraction], failure: str = "") -> str:
    """Official status of a route.

    `failure` is the run loop's reason (`TICK_RUNTIME`, `AGENT_CRASHED`, ...) or ''. A route that reached 100 % is
    `Completed` whatever ended it, `Perfect` only with every list empty, the min-speed one included.
    """
    if route_completed >= 100:
        return "Completed" if infractions else "Perfect"
    names = {infraction.name for infraction in infractions}
    for name, reason in _ENDING_INFRACTIONS:
        if name in names:
            failure = reason
    return f"Failed - {failure}" if failure else "Failed"


def driving_score(results: Iterable[RouteResult], total: int = BENCH2DRIVE_ROUTES) -> float:
    """Benchmark driving score 0..100: sum of the routes' scores over the `total` routes of the suite."""
    return sum(result.score_composed for result in results) / total


def success_rate(results: Iterable[RouteResult], total: int = BENCH2DRIVE_ROUTES) -> float:
    """Benchmark success rate as a share 0..1: successful routes over the `total` routes of the suite."""
    return sum(result.success for result in results) / total


def route_completion(results: Iterable[RouteResult], total: int = BENCH2DRIVE_ROUTES) -> float:
    """Mean route completion 0..100 over the `total` routes of the suite; a route without a record counts as 0."""
    return sum(result.score_route for result in results) / total


def driven_km(results: Iterable[RouteResult]) -> float:
    """Kilometres driven along the routes, at least a metre (the divisor of the official infraction rates)."""
    km = 0.0
    for result in results:
        km += result.route_length / 1000 * result.score_route / 100
    return max(km, 0.001)


def global_record(results: Sequence[RouteResult], total: int) -> dict[str, Any]:
    """The `global_record` of a checkpoint file, key order included.

    `total` is the number of routes the file was to hold. Sums run in record order and the deviation is taken from the
    rounded mean, as in the official code, so that the numbers agree to the last digit.
    """
    keys = ("score_composed", "score_route", "score_penalty")
    mean: dict[str, float] = dict.fromkeys(keys, 0)
    meta: dict[str, Any] = {"total_length": 0, "duration_game": 0, "duration_system": 0, "exceptions": []}
    status = "Perfect"
    for result in results:
        for key in keys:
            mean[key] += getattr(result, key) / total
        meta["total_length"] += result.route_length
        meta["duration_game"] += result.duration_game
        meta["duration_system"] += result.duration_system
        if "Failed" in result.status:
            meta["exceptions"].append([result.route_id, result.index, result.status])
            status = "Failed"
        elif status == "Perfect":
            status = result.status
    mean = {key: round(value, 6) for key, value in mean.items()}

    deviation: dict[str, float] = dict.fromkeys(keys, 0)
    if total > 1:
        for key in keys:
            squares = sum(math.pow(getattr(result, key) - mean[key], 2) for result in results)
            deviation[key] = round(math.sqrt(squares / float(total - 1)), 3)

    km = driven_km(results)
    infractions: dict[str, float] = {}
    for name in INFRACTION_NAMES:
        lists = [result.messages(name) for result in results]
        if name == "outside_route_lanes":
            infractions[name] = round(sum((metres_in(m[0]) or 0.0) / 1000 if m else 0.0 for m in lists), 3)
        else:
            infractions[name] = round(sum(map(len, lists)) / km, 3)
    return {
        "index": -1,
        "route_id": -1,
        "status": status,
        "infractions": infractions,
        "scores_mean": mean,
        "scores_std_dev": deviation,
        "meta": meta,
    }


def entry_status(results: Iterable[RouteResult]) -> str:
    """`entry_status` of a checkpoint that ran to its end: Finished, or Crashed / Rejected by its last such record."""
    status = "Finished"
    for result in results:
        if SIMULATION_CRASHED in result.status:
            status = "Crashed"
        elif SENSORS_INVALID in result.status:
            status = "Rejected"
    return status
