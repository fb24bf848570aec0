"""Where results were driven, in words: which world, on which kind of map, and what that forbids to compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from leaderboard_adapters.own_record import EMBEDDED, OWN_TRAFFIC
from leaderboard_adapters.records import RouteResult
from simulator.roads.towns import available_towns

CORRIDORS = "synthetic corridors"


def maps_label(results: Iterable[RouteResult]) -> str:
    """Kind of map of some results, such as "embedded town MiniTown" or "CARLA towns"; several kinds with "and"."""
    results = list(results)
    towns = sorted({result.town for result in results if not result.synthetic})
    own = [town for town in towns if town in _own_towns()]
    official = [town for town in towns if town not in own and is_carla_town(town)]
    others = [town for town in towns if town not in own and town not in official]
    kinds = []
    if official:
        kinds.append("CARLA towns")
    if own:
        kinds.append(f"embedded town {', '.join(own)}")
    if others:
        kinds.append(f"town{'s' if len(others) > 1 else ''} {', '.join(others)}")
    if any(result.synthetic for result in results):
        kinds.append(CORRIDORS)
    return " and ".join(kinds)


def is_carla_town(town: str) -> bool:
    """Whether CARLA has a town of this name."""
    return re.match(r"Town\d", town) is not None


@lru_cache(maxsize=1)
def _own_towns() -> tuple[str, ...]:
    return available_towns(None)


def is_embedded(world: str) -> bool:
    """Whether a world is simulated by this package, so that no score from it is a Bench2Drive score."""
    return world.startswith(EMBEDDED)


def has_own_traffic(world: str) -> bool:
    """Whether traffic and scenarios are this package's, in its own world or on a CARLA server: no Bench2Drive score."""
    return is_embedded(world) or OWN_TRAFFIC in world


def world_label(results: Iterable[RouteResult]) -> str:
    """The worlds of some results, '' where none is told: so are the files of the official evaluator on CARLA."""
    return ", ".join(sorted({result.world for result in results if result.world}))


def incomparable(first: Sequence[RouteResult], second: Sequence[RouteResult]) -> str:
    """Why two results cannot be compared route by route, '' when they can.

    Compared are worlds, kinds of map, and, where both tell them, suites and scorers.
    """
    worlds = [{result.world for result in results} for results in (first, second)]
    if worlds[0] != worlds[1] and (
        all(all(w) for w in worlds) or any(has_own_traffic(w) for w in worlds[0] | worlds[1])
    ):
        return _differ("worlds", worlds)
    for what, values in (
        ("kinds of map", [{CORRIDORS if r.synthetic else "maps" for r in results} for results in (first, second)]),
        ("suites", [{r.suite for r in results if r.suite} for results in (first, second)]),
        ("scorers", [{r.scorer for r in results if r.scorer} for results in (first, second)]),
    ):
        if all(values) and values[0] != values[1]:
            return _differ(what, values)
    return ""


def _differ(what: str, values: Sequence[set[str]]) -> str:
    names = " and ".join(", ".join(name or "not told" for name in sorted(group)) for group in values)
    return f"different {what} ({names}) are not compared"
