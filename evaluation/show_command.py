"""`run_eval.py show`: the story of a route, or which routes went worst."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluation.options import EXIT_OK, ShowOptions
from evaluation.run_folder import read_run_folder
from evaluation.story_words import costs, reasons, told
from evaluation.tasks import NEVER_DRIVEN
from leaderboard_adapters.recordings import FOLDER as RECORDINGS
from leaderboard_adapters.recordings import SUFFIX
from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.result_files import ResultSet, find_results
from leaderboard_adapters.scores import penalty_factor
from leaderboard_adapters.story import Happening, Moment
from leaderboard_adapters.story_json import story_document, timeline_document
from leaderboard_adapters.worlds import is_embedded
from simulator.errors import EvaluationError
from simulator.state import TICK_SECONDS

_KMH = 3.6
_WORST = 20  # routes of the list without --route
_WIDTH = 120  # columns where the output is no terminal

_STYLES = {
    Happening.TRIGGER: "bold cyan",
    Happening.SCENARIO_END: "cyan",
    Happening.INFRACTION: "bold red",
    Happening.NOT_STAGED: "yellow",
    Happening.MISSED: "yellow",
    Happening.ROUTE_END: "bold",
    Happening.STAGED: "dim",
    Happening.LEFT_OUT: "dim",
}


def show(options: ShowOptions) -> int:
    """Carry out `show`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: when there is no result, or no such route in it.
    """
    found = find_results([options.path], read_run_folder)
    if not found.sets:
        raise EvaluationError("; ".join(found.problems) or f"{options.path}: no results")
    entries = [(found_set, result) for found_set in found.sets for file in found_set.files for result in file.results]
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    if not options.route:
        worst = sorted((result for _, result in entries), key=_badness)
        if options.json:
            print(json.dumps([_line_document(result) for result in worst], allow_nan=False))
        else:
            _print_worst(console, worst, options.path)
        return EXIT_OK
    chosen = _choose(entries, options)
    if options.json:
        documents = [_document(result, _recording_of(options.path, result)) for _, result in chosen]
        print(json.dumps(documents[0] if len(documents) == 1 else documents, allow_nan=False))
        return EXIT_OK
    several_sets = len({id(found_set) for found_set, _ in chosen}) > 1
    for found_set, result in chosen:
        _print_story(console, result, _recording_of(options.path, result), found_set.name if several_sets else "")
    return EXIT_OK


def _choose(
    entries: Sequence[tuple[ResultSet, RouteResult]], options: ShowOptions
) -> list[tuple[ResultSet, RouteResult]]:
    """The attempts at the wanted route."""
    wanted = options.route.removeprefix("RouteScenario_")
    repetition = None if options.repetition is None else str(options.repetition)
    if "_rep" in wanted:
        wanted, _, said = wanted.rpartition("_rep")
        repetition = repetition or said
    known = list(dict.fromkeys(result.xml_id for _, result in entries))
    of_route = [(found_set, result) for found_set, result in entries if result.xml_id == wanted]
    if not of_route:
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        shown = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
        raise EvaluationError(f"{options.path} has no route '{options.route}'{hint} It has {shown or 'no routes'}")
    chosen = [entry for entry in of_route if repetition is None or entry[1].repetition == repetition]
    if not chosen:
        there = ", ".join(dict.fromkeys(result.repetition for _, result in of_route))
        raise EvaluationError(f"{options.path}: route {wanted} has no repetition {repetition}; there are: {there}")
    return chosen


def _recording_of(path: Path, result: RouteResult) -> Path | None:
    folder = path if path.is_dir() else path.parent
    file = folder / RECORDINGS / f"{result.route_id}{SUFFIX}"
    return file if file.is_file() else None


# The list


def _badness(result: RouteResult) -> tuple[float, bool, float]:
    return result.score_composed, result.success, result.score_penalty


def _print_worst(console: Console, worst: Sequence[RouteResult], path: Path) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("route", "scenario type", "status"):
        table.add_column(name, no_wrap=name != "status")
    table.add_column("DS", justify="right")
    table.add_column("RC %", justify="right")
    table.add_column("what cost points")
    for result in worst[:_WORST]:
        name = result.xml_id if result.repetition == "0" else f"{result.xml_id} rep {result.repetition}"
        table.add_row(
            name,
            result.scenario_type or "-",
            Text(result.status, style="" if result.success else "red"),
            f"{result.score_composed:.2f}",
            f"{result.score_route:.1f}",
            "; ".join(costs(result)),
        )
    console.print(table)
    rest = len(worst) - _WORST
    if rest > 0:
        console.print(f"... and {rest} more", highlight=False)
    console.print(f"The story of one: run_eval.py show {path} --route ID", highlight=False, soft_wrap=True)


# The story


def _print_story(console: Console, result: RouteResult, recording: Path | None, set_name: str) -> None:
    console.print(_heading(result, set_name))
    if result.timeline:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column()
        seen: dict[tuple[int, str], Infraction] = {}
        for infraction in result.infractions:
            seen.setdefault((infraction.tick, infraction.message), infraction)
        for moment in result.timeline:
            booked = seen.get((moment.tick, moment.text)) if moment.kind == Happening.INFRACTION else None
            table.add_row(
                f"{moment.tick * TICK_SECONDS:.2f} s",
                f"{moment.speed * _KMH:.0f} km/h",
                Group(_told(moment), *(_indented(reasons(booked, moment)))),
            )
        console.print(table)
    else:
        console.print(_without_timeline(result))
    console.print(_scores(result))
    for note in result.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if recording is not None:
        console.print(Text(f"recording: {recording}", style="dim"), soft_wrap=True)


def _heading(result: RouteResult, set_name: str) -> Text:
    parts = [
        f"route {result.xml_id}" + (f" repetition {result.repetition}" if result.repetition != "0" else ""),
        result.scenario_type or "no scenario",
        result.town + (" (synthetic corridor)" if result.synthetic else ""),
        f"{result.route_length:.0f} m",
        f"agent {result.agent}, seed {result.seed}" if result.agent else "",
        f"weather {result.weather_id}" if result.weather_id else "",
        set_name,
    ]
    return Text(", ".join(part for part in parts if part), style="bold")


def _told(moment: Moment) -> Text:
    text = Text(style=_STYLES.get(moment.kind, ""))
    if moment.scenario:
        text.append(f"{moment.scenario} ", style="bold" if moment.kind != Happening.STAGED else "")
    text.append(told(moment))
    return text


def _indented(lines: Iterable[str]) -> Iterable[Padding]:
    return (Padding(Text(line, style="not bold"), (0, 0, 0, 2)) for line in lines)


def _without_timeline(result: RouteResult) -> Text:
    """What a file without a story still tells."""
    if result.status in NEVER_DRIVEN:
        return Text("The route was never driven, so there is no timeline.")
    text = Text()
    for infraction in result.infractions:
        if infraction.name != "min_speed_infractions":
            at = f"{infraction.tick * TICK_SECONDS:8.2f} s  " if infraction.tick >= 0 else "  at an unknown time: "
            text.append(f"{at}{infraction.message}\n", style="red")
    whose = "another version" if is_embedded(result.world) else "another evaluator"
    text.append(
        f"This result comes from {whose} and holds no timeline: when and why these happened, and what the scenarios "
        "were doing, is not known. Official files hold infraction messages and scores only."
    )
    return text


def _scores(result: RouteResult) -> Group:
    factors = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    factors.add_column()
    factors.add_column(justify="right")
    factors.add_row("route completion", f"{result.score_route:.2f} %")
    for infraction in result.infractions:
        factor = penalty_factor(infraction)
        if factor < 1.0:
            factors.add_row(infraction.name, f"x {factor:.4g}")
    factors.add_row(Text("driving score", style="bold"), Text(f"{result.score_composed:.2f}", style="bold"))
    verdict = "success" if result.success else "no success"
    slow = sum(infraction.name == "min_speed_infractions" for infraction in result.infractions)
    notes = f"{result.status} ({verdict}), {result.duration_game:.1f} s of game time"
    if slow:
        notes += f"; {slow} min-speed entries, which cost nothing"
    return Group(Text(notes, style="green" if result.success else "red"), factors)


# JSON


def _line_document(result: RouteResult) -> dict[str, Any]:
    return {
        "route_id": result.xml_id,
        "repetition": int(result.repetition) if result.repetition.isdigit() else result.repetition,
        "scenario_type": result.scenario_type,
        "status": result.status,
        "success": result.success,
        "driving_score": result.score_composed,
        "route_completion": result.score_route,
        "infraction_penalty": result.score_penalty,
        "costs": costs(result),
    }


def _document(result: RouteResult, recording: Path | None) -> dict[str, Any]:
    infractions = []
    for infraction in result.infractions:
        entry = dataclasses.asdict(dataclasses.replace(infraction, circumstances=None))
        seen = infraction.circumstances
        entry["circumstances"] = None if seen is None else story_document(seen)
        entry["factor"] = penalty_factor(infraction)
        infractions.append(entry)
    return {
        **_line_document(result),
        "town": result.town,
        "synthetic": result.synthetic,
        "agent": result.agent,
        "seed": result.seed,
        "tick_seconds": TICK_SECONDS,
        "num_ticks": result.num_ticks,
        "infractions": infractions,
        "timeline": timeline_document(result.timeline),
        "scenarios_missing": list(result.scenarios_missing),
        "notes": list(result.notes),
        "recording": None if recording is None else str(recording),
    }
