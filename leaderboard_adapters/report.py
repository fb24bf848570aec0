"""The score sheet of a result as data, and the comparison of several (how each number is computed: docs/scores.md).

`build_report` reads result files and never changes them; `show_report` prints and writes what came out.
"""

from __future__ import annotations

import dataclasses
import json as json_module
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leaderboard_adapters.comfort import Comfort, comfort, read_metric_info
from leaderboard_adapters.intervals import PairedDifference, paired_difference
from leaderboard_adapters.junction_shares import TracedJunctions, check_junctions, usable_junctions
from leaderboard_adapters.official_json import Checkpoint
from leaderboard_adapters.records import RouteResult, route_order
from leaderboard_adapters.result_checks import check_header, check_stored_abilities
from leaderboard_adapters.result_files import ResultSet, RunReader, find_results
from leaderboard_adapters.scores import SCORER
from leaderboard_adapters.sheet import Sheet, repetitions_of, sheet_of_results, sorted_findings, suite_of
from leaderboard_adapters.worlds import incomparable
from scenarios.route import Route
from simulator.errors import ResultFileError

REPORT_VERSION = 1


@dataclass(frozen=True)
class Comparison:
    """`other` minus `baseline`, route by route. `refused` says why there are no numbers, '' where there are."""

    baseline: str
    other: str
    driving_score: PairedDifference | None = None
    success_rate: PairedDifference | None = None
    refused: str = ""


@dataclass(frozen=True)
class Report:
    """Sheets in the order of the paths, comparisons of each with the first, files that could not be read."""

    sheets: tuple[Sheet, ...]
    comparisons: tuple[Comparison, ...]
    problems: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def build_report(
    paths: Iterable[str | os.PathLike[str]],
    *,
    total: int | None = None,
    routes: Sequence[Route] | None = None,
    traced: TracedJunctions | None = None,
    read_run: RunReader | None = None,
) -> Report:
    """Read all result files below `paths` (see `result_files`) and score them.

    `total`: routes of the suite; the default is `suite_of`'s: the route file's, the run's, 10 for Dev10, 220 in
    official towns.
    `routes`: the suite's route file; names missing routes and decides scenario types.
    `traced`: first junctions of routes; without them Traffic_Signs of other people's results stands as plain success
    with bounds (our own results tell their junctions).
    `read_run`: reads run folders, see `result_files`.
    Raises `ResultFileError` when nothing at all could be read.
    """
    found = find_results(paths, read_run)
    if not found.sets:
        raise ResultFileError("\n".join(found.problems) or "no path was given; name a result file or a folder of them.")
    problems = list(found.problems)
    sheets = tuple(_sheet(each, total, routes, traced or TracedJunctions(), problems) for each in found.sets)
    comparisons = tuple(compare(sheets[0], other) for other in sheets[1:])
    return Report(sheets, comparisons, tuple(problems), tuple(found.skipped))


def compare(baseline: Sheet, other: Sheet) -> Comparison:
    """Paired differences over the routes that both recorded. Different worlds, suites and scorers are not compared."""
    refused = incomparable(baseline.results, other.results)
    runs = baseline.run, other.run
    if not refused and runs[0] and runs[1] and runs[0].suite_digest != runs[1].suite_digest:
        refused = f"different route files of the name {runs[0].suite} are not compared"
    if refused:
        return Comparison(baseline.name, other.name, refused=refused)
    first, second = _by_route(baseline.results), _by_route(other.results)
    common = sorted(first.keys() & second.keys())
    if not common:
        return Comparison(baseline.name, other.name, refused="no common route")

    def paired(key: str, scale: float = 1.0) -> PairedDifference:
        means = [[scale * np.mean([getattr(r, key) for r in side[i]]) for i in common] for side in (first, second)]
        return paired_difference(means[0], means[1])

    return Comparison(baseline.name, other.name, paired("score_composed"), paired("success", 100.0))


def report_document(report: Report) -> dict[str, Any]:
    """The report as one JSON document, versioned; field names as in the dataclasses, one row a route at the end."""
    sheets = []
    for sheet in report.sheets:
        names = [field.name for field in dataclasses.fields(Sheet) if field.name != "results"]
        document = {name: _plain(getattr(sheet, name)) for name in names}
        ability = sheet.abilities
        document["abilities"].update(values=ability.values(), mean=ability.mean, note=ability.note)
        speeds = dict(sheet.efficiency.by_route)
        document["routes"] = [_route_row(result, speeds.get(result.route_id)) for result in sheet.results]
        sheets.append(document)
    return {
        "report_version": REPORT_VERSION,
        "scorer": SCORER,
        "sheets": sheets,
        "comparisons": [_plain(comparison) for comparison in report.comparisons],
        "problems": list(report.problems),
        "skipped": list(report.skipped),
    }


def show_report(report: Report, out: str | os.PathLike[str] | None = None, json: bool = False) -> int:
    """Print the report (tables, or with `json` one JSON document), write report.json and report.md to `out` if given.

    Returns the exit status: 0 when every file could be read, else 1.
    """
    from rich.console import Console

    from leaderboard_adapters.report_tables import print_report, write_report

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=110)  # a pipe has no width of its own
    if json:
        json_module.dump(report_document(report), sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    else:
        print_report(report, console)
    if out is not None:
        write_report(report, out)
    return 1 if report.problems else 0


# --- pieces ----------------------------------------------------------------------------------------------------------


def _sheet(
    found: ResultSet,
    total: int | None,
    routes: Sequence[Route] | None,
    traced: TracedJunctions,
    problems: list[str],
) -> Sheet:
    results = [result for file in found.files for result in file.results]
    planned = sum(file.progress[1] for file in found.files if isinstance(file, Checkpoint) and file.progress)
    run = found.run
    expected = suite_of(results, total, routes, planned, run)[1]
    expected *= run.repetitions if run else repetitions_of(results)
    findings = [finding for file in found.files for finding in check_header(file, expected)]
    for merged in found.companions:
        findings += check_header(merged, expected, pooled=results)
    findings += check_junctions(results, traced)
    sheet = sheet_of_results(
        found.name,
        results,
        total=total,
        routes=routes,
        planned=planned,
        run=run,
        first_junction_share=usable_junctions(results, traced),
        files=[file.path for file in found.files],
        findings=findings,
        comfort_logs=_comfort_logs(found, results, problems),
    )
    more = [f for stored in found.abilities for f in check_stored_abilities(stored, sheet.abilities, sheet.efficiency)]
    return replace(sheet, findings=sorted_findings([*sheet.findings, *more]))


def _comfort_logs(found: ResultSet, results: Sequence[RouteResult], problems: list[str]) -> dict[str, Comfort]:
    """Comfort by route id, of the first record that has a metric_info.json; a bad log becomes a problem."""
    logs: dict[str, Comfort] = {}
    for result in results:
        path = found.metric_file(result.save_name)
        if path is not None and result.route_id not in logs:
            try:
                logs[result.route_id] = comfort(read_metric_info(path))
            except ResultFileError as error:
                problems.append(str(error))
    return logs


def _by_route(results: Iterable[RouteResult]) -> dict[str, list[RouteResult]]:
    routes: dict[str, list[RouteResult]] = {}
    for result in sorted(results, key=route_order):
        routes.setdefault(result.xml_id, []).append(result)
    return routes


def _route_row(result: RouteResult, efficiency: float | None) -> dict[str, Any]:
    """One route of the JSON report: all its scores, how often each infraction occurred, what is known beside them."""
    keys = ("route_id", "scenario_type", "town", "weather_id", "status", "score_route", "score_penalty")
    row = {key: getattr(result, key) for key in (*keys, "score_composed", "success")}
    row.update(efficiency=efficiency)
    told = ("comfort", "comfort_corrected", "first_junction", "duration_game", "seed", "attempt", "synthetic")
    row.update({key: _plain(getattr(result, key)) for key in (*told, "scenarios_missing", "notes")})
    row["infractions"] = {
        name: len(result.messages(name))
        for name in dict.fromkeys(i.name for i in result.infractions)
        if name != "min_speed_infractions"
    }
    return row


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
