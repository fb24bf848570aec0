"""Choosing routes of a file by the official `--routes-subset` rules (docs/bench2drive.md 1.2)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from scenarios.route import Route
from simulator.errors import RouteFileError


def select_routes(routes: Sequence[Route], subset: str) -> list[Route]:
    """The routes that `subset` names, in file order.

    Args:
        routes: in file order.
        subset: comma-separated ids and ranges, such as `"1711,2509-2513"`. A range runs **in file order** from the
            route with the first id to the route with the last id. Empty: all routes.

    Raises:
        RouteFileError: for an unknown id, an id named twice, or a range whose end stands before its start.
    """
    groups = subset.replace(" ", "")
    if not groups:
        return list(routes)
    position = {route.id: i for i, route in enumerate(routes)}
    chosen: set[int] = set()
    for group in groups.split(","):
        ends = group.split("-")
        if len(ends) > 2 or not all(ends):
            raise RouteFileError(f"routes subset '{subset}': '{group}' is neither an id nor a range 'a-b'")
        first, last = (_index(end, position, subset) for end in (ends[0], ends[-1]))
        if last < first:
            raise RouteFileError(
                f"routes subset '{subset}': route '{ends[-1]}' stands before '{ends[0]}' in the file; "
                f"ranges follow file order, write '{ends[-1]}-{ends[0]}'"
            )
        for index in range(first, last + 1):
            if index in chosen:
                raise RouteFileError(f"routes subset '{subset}': route '{routes[index].id}' is named twice")
            chosen.add(index)
    return [routes[index] for index in sorted(chosen)]


def _index(route_id: str, position: dict[str, int], subset: str) -> int:
    if route_id in position:
        return position[route_id]
    near = difflib.get_close_matches(route_id, position, n=3)
    hint = f"; nearest ids: {', '.join(near)}" if near else ""
    raise RouteFileError(f"routes subset '{subset}': no route has the id '{route_id}'{hint}")
