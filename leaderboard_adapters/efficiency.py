"""Driving efficiency: ego speed against the surrounding traffic's, in percent.

Rules of the official efficiency_smoothness_benchmark.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import percentage_in

#: Values above are dropped: traffic that hardly moves makes the ratio meaningless.
LARGEST_PERCENTAGE = 1000.0


@dataclass(frozen=True)
class Efficiency:
    """`value`: percent, mean over `routes` routes, None without any. `by_route`: (route_id, percent) of those routes.

    `unusable`: route ids whose every value is above 1000 %; left out, the official script divides by zero there.
    """

    value: float | None
    routes: int
    by_route: tuple[tuple[str, float], ...]
    unusable: tuple[str, ...]


def route_efficiency(result: RouteResult) -> float | None:
    """Mean percentage of a route's min-speed messages; None when it has none up to 1000 %.

    The official file holds a finished route's last value twice, so its last stretch weighs double; kept.
    """
    values = [percentage_in(message) for message in result.messages("min_speed_infractions")]
    usable = [value for value in values if value is not None and value <= LARGEST_PERCENTAGE]
    return sum(usable) / len(usable) if usable else None


def efficiency(results: Iterable[RouteResult]) -> Efficiency:
    """Efficiency of a benchmark. Failed routes count with what they drove; routes without a message are left out."""
    by_route, unusable = [], []
    for result in results:
        value = route_efficiency(result)
        if value is not None:
            by_route.append((result.route_id, value))
        elif result.messages("min_speed_infractions"):
            unusable.append(result.route_id)
    mean = sum(value for _, value in by_route) / len(by_route) if by_route else None
    return Efficiency(mean, len(by_route), tuple(by_route), tuple(unusable))
