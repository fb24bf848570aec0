"""`run_eval.py routes`: make a route file for a town, and check one before it is driven."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from evaluation.options import (
    EXIT_INCOMPLETE,
    EXIT_INPUT,
    EXIT_OK,
    CheckRoutesOptions,
    MakeRoutesOptions,
    RoutesOptions,
)
from scenarios.registry import is_official, nearest_types
from scenarios.route import Route
from scenarios.route_check import RouteCheck, State, check_routes, check_without_map
from scenarios.route_file import read_routes, write_routes
from scenarios.suite_maker import LaidSuite, lay_suite
from scenarios.suite_recipes_more import ALL_RECIPES, BENCH2DRIVE_RECIPES
from scenarios.suites import find_suite
from simulator.errors import EvaluationError, MapError, MissingMapError
from simulator.roads.towns import load_named_town


def routes(options: RoutesOptions) -> int:
    """Carry out `routes`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: for options or files that make no sense.
    """
    command = options.command
    return make_routes(command) if isinstance(command, MakeRoutesOptions) else check(command)


def make_routes(options: MakeRoutesOptions) -> int:
    """Carry out `routes make`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: when an option makes no sense, or there is no map of the town.
    """
    if options.per_type < 1:
        raise EvaluationError(f"--per-type {options.per_type}: must be at least 1")
    if options.first_id < 0:
        raise EvaluationError(f"--first-id {options.first_id}: must not be negative")
    types = _types(options.types)
    if not options.out.parent.is_dir():
        raise EvaluationError(f"--out {options.out}: there is no folder {options.out.parent}")
    network = load_named_town(options.town, options.maps)
    console = _console()
    laid = lay_suite(
        network,
        types,
        options.per_type,
        seed=options.seed,
        first_id=options.first_id,
        progress=lambda kind, count: console.print(f"{kind}: {count} of {options.per_type}"),
    )
    if laid.routes:
        write_routes(options.out, laid.routes)
    if options.json:
        print(json.dumps(_made(options, types, laid)))
    else:
        _show_made(options, types, laid)
    return EXIT_OK if laid.routes else EXIT_INPUT


def check(options: CheckRoutesOptions) -> int:
    """Carry out `routes check`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: when the file cannot be read.
    """
    read = read_routes(find_suite(options.file))
    by_town: dict[str, list[Route]] = defaultdict(list)
    for route in read:
        by_town[route.town].append(route)
    found: dict[str, RouteCheck] = {}
    for town, group in by_town.items():
        for each in _check_town(town, group, options.maps):
            found[each.route_id] = each
    checks = [found[route.id] for route in read]
    if options.json:
        print(json.dumps([_as_json(each) for each in checks]))
    else:
        _show_checks(checks, options.all)
    return EXIT_OK if all(each.is_good for each in checks) else EXIT_INCOMPLETE


# Making


def _types(wanted: str) -> list[str]:
    """Scenario types of a comma list; without one, all of Bench2Drive.

    Raises:
        EvaluationError: for a name that no recipe has.
    """
    if not wanted:
        return list(BENCH2DRIVE_RECIPES)
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in ALL_RECIPES:
            near = ", ".join(n for n in nearest_types(name) if n in ALL_RECIPES)
            what = "no recipe says where it fits" if is_official(name) else f"nearest: {near or 'none'}"
            raise EvaluationError(f"--types: no scenario type '{name}' ({what}); see `run_eval.py list scenarios`")
    return list(dict.fromkeys(names))


def _made(options: MakeRoutesOptions, types: Sequence[str], laid: LaidSuite) -> dict[str, object]:
    counts = Counter(route.scenario_type for route in laid.routes)
    return {
        "town": options.town,
        "file": str(options.out) if laid.routes else None,
        "routes": len(laid.routes),
        "types": {kind: counts[kind] for kind in types},
        "left_out": laid.left_out,
    }


def _show_made(options: MakeRoutesOptions, types: Sequence[str], laid: LaidSuite) -> None:
    console = _console(stderr=False)
    if laid.left_out:
        table = _table("scenario type", "routes", "why not more")
        counts = Counter(route.scenario_type for route in laid.routes)
        for kind, reason in laid.left_out.items():
            table.add_row(kind, str(counts[kind]), reason.partition(": ")[2])
        console.print(table)
    there = len({route.scenario_type for route in laid.routes})
    if laid.routes:
        console.print(f"{options.out}: {len(laid.routes)} routes of {there} scenario types, of {len(types)} asked for")
    else:
        console.print(f"{options.town} has room for none of the {len(types)} scenario types; nothing was written")


# Checking


def _check_town(town: str, routes: list[Route], maps: Path | None) -> list[RouteCheck]:
    try:
        return check_routes(load_named_town(town, maps), routes)
    except (MissingMapError, MapError) as error:
        return check_without_map(routes, str(error))


def _as_json(found: RouteCheck) -> dict[str, object]:
    return {
        "route": found.route_id,
        "town": found.town,
        "length": found.length,
        "problem": found.problem,
        "scenarios": [
            {"name": s.name, "type": s.type, "state": s.state.value, "notes": list(s.notes)} for s in found.scenarios
        ],
    }


def _show_checks(checks: Sequence[RouteCheck], everything: bool) -> None:
    console = _console(stderr=False)
    table = _table("route", "town", "length m", "scenario", "state", "")
    problems: Counter[str] = Counter()
    for found in checks:
        length = "-" if found.length is None else f"{found.length:.1f}"
        problems[found.problem] += 1
        if found.problem and problems[found.problem] == 1:  # a map that is missing is told once
            table.add_row(found.route_id, found.town, length, "", "problem", found.problem)
        for s in found.scenarios:
            if everything or s.notes or s.state in (State.IMPOSSIBLE, State.UNKNOWN):
                what = f"{s.name} ({s.type})"
                table.add_row(found.route_id, found.town, length, what, s.state.value, "\n".join(s.notes))
    if table.row_count:
        console.print(table)
    states = Counter(s.state.value for found in checks for s in found.scenarios)
    traced = sum(found.length is not None for found in checks)
    told = ", ".join(f"{states[state.value]} {state.value}" for state in State if states[state.value])
    console.print(f"{len(checks)} routes, {traced} traced; scenarios: {told or 'none'}")


def _console(stderr: bool = True) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width to fit in
    return console


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
