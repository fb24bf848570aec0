"""`run_eval.py list`: what can be named on the command line, on standard output."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.registry import list_agents
from evaluation.options import ListOptions
from scenarios.route_file import read_routes
from scenarios.suites import find_suite, list_suites
from simulator.roads.towns import available_towns, find_town


def show(options: ListOptions) -> None:
    """Print one list.

    Raises:
        RouteGymError: when a route file cannot be read.
    """
    if options.what == "routes":
        table = _routes(options.routes) if options.routes else _suites()
    elif options.what == "towns":
        table = _towns(options.maps)
    elif options.what == "scenarios":
        table = _scenarios()
    else:
        table = _agents()
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a pipe has no width to fit in
    console.print(table)


def _suites() -> Table:
    table = _table("built-in suite", "routes", "towns", "scenario types")
    for name in list_suites():
        routes = read_routes(find_suite(name))
        towns = sorted({route.town for route in routes})
        kinds = {route.scenario_type for route in routes}
        table.add_row(name, str(len(routes)), ", ".join(towns), str(len(kinds)))
    return table


def _routes(name: str) -> Table:
    table = _table("route", "town", "scenario type")
    for route in read_routes(find_suite(name)):
        table.add_row(route.id, route.town, ", ".join(spec.type for spec in route.scenarios))
    return table


def _towns(maps: Path | None) -> Table:
    table = _table("town", "map")
    for name in available_towns(maps):
        table.add_row(name, str(find_town(name, maps)))
    return table


def _scenarios() -> Table:
    from scenarios.registry import BENCH2DRIVE_TYPES, LEADERBOARD_TYPES, scenario_types  # brings Numba

    known = scenario_types()
    table = _table("scenario type", "family", "")
    for name in sorted({*known, *BENCH2DRIVE_TYPES, *LEADERBOARD_TYPES}):
        if name in known:
            table.add_row(name, known[name].family, known[name].summary)
        else:
            table.add_row(name, "-", "(not available: routes are driven without it)")
    return table


def _agents() -> Table:
    table = _table("agent", "")
    for name, line in list_agents().items():
        table.add_row(name, line)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
