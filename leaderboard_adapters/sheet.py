"""The score sheet of one result as data: every number that the tables show (how each is computed: docs/scores.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leaderboard_adapters.abilities import Abilities, abilities
from leaderboard_adapters.comfort import Comfort
from leaderboard_adapters.efficiency import Efficiency, efficiency
from leaderboard_adapters.intervals import Interval, bootstrap_interval
from leaderboard_adapters.own_record import RunInfo
from leaderboard_adapters.records import INFRACTION_NAMES, RouteResult, route_order
from leaderboard_adapters.result_checks import Finding, check_coverage, check_records, check_types, penalty_error
from leaderboard_adapters.run_checks import check_run
from leaderboard_adapters.scores import BENCH2DRIVE_ROUTES, driven_km, penalty
from leaderboard_adapters.worlds import is_carla_town, maps_label, world_label
from scenarios.route import Route

#: Route ids of the official Dev10 suite; a result within them is divided by 10. Everything else counts as the 220.
DEV10 = frozenset(["2091", "3255", "3514", "17569", "25378", "25381", "25424", "26405", "27494", "28198"])

#: Component rows that are no infraction: what routes lost by not being finished, and by having no record.
INCOMPLETE, MISSING = "route_not_completed", "no_record"

_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class ComfortSummary:
    """Mean comfort over the `routes` that have a log, shares 0..1; windows outside each bound (corrected) by name."""

    official: float | None
    corrected: float | None
    routes: int
    windows: int
    out_of_bounds: dict[str, int]


@dataclass(frozen=True)
class ScenarioRow:
    """One scenario type over its `recorded` records: scores 0..100; the infraction that most of its routes have.

    Without any infraction `worst_infraction` is `INCOMPLETE` where routes were not completed, else ''.
    """

    scenario_type: str
    recorded: int
    driving_score: float
    success_rate: float
    route_completion: float
    worst_infraction: str
    worst_routes: int


@dataclass(frozen=True)
class ComponentRow:
    """What one infraction costs. `points_lost`: driving score gained if it alone were forgiven, all else the same."""

    name: str
    count: int
    per_km: float
    routes: int
    points_lost: float


@dataclass(frozen=True)
class Sheet:
    """The score sheet of one result. Rates and scores 0..100, `penalty` 0..1, intervals 95 % over routes.

    Driving score, success rate and route completion are over `total` routes, missing ones counting 0; `penalty` is over
    the records. `world`, `maps` and `suite` say what was driven; `run` tells more of it where the files do.
    """

    name: str
    files: tuple[str, ...]
    world: str  # '' where the files do not tell it, as those of the official evaluator on CARLA
    maps: str  # kind of map, see `worlds.maps_label`
    suite: str
    run: RunInfo | None
    total: int
    recorded: int
    repetitions: int
    km: float
    driving_score: Interval
    success_rate: Interval
    route_completion: Interval
    penalty: Interval
    efficiency: Efficiency
    efficiency_interval: Interval | None
    comfort: ComfortSummary | None
    abilities: Abilities
    scenarios: tuple[ScenarioRow, ...]
    components: tuple[ComponentRow, ...]
    statuses: dict[str, int]
    largest_penalty_error: float
    findings: tuple[Finding, ...]
    results: tuple[RouteResult, ...]


def sheet_of_results(
    name: str,
    results: Iterable[RouteResult],
    *,
    total: int | None = None,
    routes: Sequence[Route] | None = None,
    planned: int = 0,
    run: RunInfo | None = None,
    first_junction_share: Mapping[str, tuple[int, int]] | None = None,
    files: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    comfort_logs: Mapping[str, Comfort] | None = None,
) -> Sheet:
    """The sheet of results in memory; arguments as in `build_report`. The first record of a route id counts.

    `run`: the run that they come from; its planned routes are the suite where no route file is given.
    """
    by_run = run is not None and routes is None and total is None
    types = {route.id: route.scenario_type for route in routes} if routes is not None else None
    if by_run and run is not None:
        types = dict(run.routes)
    kept, duplicates, foreign = _first_records(results, types)
    repetitions = run.repetitions if run else repetitions_of(kept)
    suite, suite_routes = suite_of(kept, total, routes, planned, run)
    expected = suite_routes * repetitions
    missing = None
    if types is not None:
        recorded = {result.xml_id for result in kept}
        missing = [route for route in types if route not in recorded]
    coverage = check_coverage(kept, duplicates, expected, missing, foreign, planned=by_run)
    notes = [*findings, *coverage, *check_records(kept), *check_run(kept, run)]
    if types is not None:
        notes += check_types(kept, types)
        kept = [replace(result, scenario_type=types[result.xml_id]) for result in kept]

    speed = efficiency(kept)
    if speed.unusable:
        text = f"every min-speed value of {', '.join(speed.unusable)} is above 1000 %: left out of Efficiency"
        notes.append(Finding("note", "efficiency", f"{text} (the official script divides by zero)."))
    ability = abilities(kept, scenario_types=types, first_junction_share=first_junction_share)
    factors = [result.score_penalty for result in kept]
    return Sheet(
        name=name,
        files=tuple(files),
        world=world_label(kept) or (run.world if run else ""),
        maps=maps_label(kept),
        suite=suite,
        run=run,
        total=expected,
        recorded=len(kept),
        repetitions=repetitions,
        km=driven_km(kept),
        driving_score=_over_suite(kept, "score_composed", suite_routes, repetitions),
        success_rate=_over_suite(kept, "success", suite_routes, repetitions, 100.0),
        route_completion=_over_suite(kept, "score_route", suite_routes, repetitions),
        penalty=bootstrap_interval(factors) if factors else Interval(0.0, 0.0, 0.0),
        efficiency=speed,
        efficiency_interval=bootstrap_interval([v for _, v in speed.by_route]) if speed.by_route else None,
        comfort=_comfort(kept, comfort_logs or {}),
        abilities=ability,
        scenarios=_scenario_rows(kept),
        components=_component_rows(kept, expected),
        statuses=dict(sorted(Counter(result.status for result in kept).items(), key=lambda item: (-item[1], item[0]))),
        largest_penalty_error=max((penalty_error(result) for result in kept), default=0.0),
        findings=sorted_findings(notes),
        results=tuple(kept),
    )


def suite_of(
    results: Sequence[RouteResult],
    total: int | None = None,
    routes: Sequence[Route] | None = None,
    planned: int = 0,
    run: RunInfo | None = None,
) -> tuple[str, int]:
    """Name ('' where unknown) and number of routes of the suite that scores are divided by.

    In this order: `total`; the routes of the route file; those of the run; 10 for the ids of Dev10; 220 in CARLA's
    towns, as the official merge does whatever the file says; else the routes that the files announce (`planned`), at
    least those recorded.
    """
    name = ", ".join(sorted({result.suite for result in results if result.suite}))
    recorded = {result.xml_id for result in results}
    if total is not None:
        return name, total
    if routes is not None:
        return name or Path(routes[0].file if routes else "").stem, len(routes)
    if run is not None:
        return run.suite_label, len(run.routes)
    if recorded and recorded <= DEV10:
        return name or "bench2drive_dev10", len(DEV10)
    if all(is_carla_town(result.town) for result in results):
        return name or "bench2drive220", BENCH2DRIVE_ROUTES
    return name, max(planned // repetitions_of(results), len(recorded))


def repetitions_of(results: Iterable[RouteResult]) -> int:
    """How often each route was to be driven: the number of different _rep<k>."""
    return max(len({result.repetition for result in results}), 1)


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then notes."""
    return tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity)))


def _first_records(
    results: Iterable[RouteResult], types: Mapping[str, str] | None
) -> tuple[list[RouteResult], list[RouteResult], list[str]]:
    """Records that count, in route order; later records of a route id; route ids that the suite does not have."""
    first: dict[str, RouteResult] = {}
    duplicates, foreign = [], []
    for result in results:
        if types is not None and result.xml_id not in types:
            foreign.append(result.route_id)
        elif result.route_id in first:
            duplicates.append(result)
        else:
            first[result.route_id] = result
    return sorted(first.values(), key=route_order), duplicates, foreign


def _over_suite(
    results: Sequence[RouteResult], key: str, routes: int, repetitions: int, scale: float = 1.0
) -> Interval:
    """Mean of a field over the suite's routes with its interval; a missing record is 0. Repeats stay together."""
    by_route: dict[str, float] = {}
    for result in results:
        by_route[result.xml_id] = by_route.get(result.xml_id, 0.0) + float(getattr(result, key)) / repetitions
    values = np.zeros(max(routes, len(by_route), 1))
    values[: len(by_route)] = list(by_route.values())
    return bootstrap_interval(values, scale=scale * len(values) / routes if routes else scale)


def _comfort(results: Sequence[RouteResult], logs: Mapping[str, Comfort]) -> ComfortSummary | None:
    """Mean comfort over the routes with a log on disk, or with values from the drive itself; None without any."""
    official, corrected, windows = [], [], 0
    outside: Counter[str] = Counter()
    for result in results:
        log = logs.get(result.route_id)
        values = (log.official, log.corrected) if log else (result.comfort, result.comfort_corrected)
        if log:
            windows += log.windows
            outside.update(log.out_of_bounds)
        if values[0] is not None:
            official.append(values[0])
        if values[1] is not None:
            corrected.append(values[1])
    if not official and not corrected:
        return None
    means = [sum(values) / len(values) if values else None for values in (official, corrected)]
    return ComfortSummary(means[0], means[1], max(len(official), len(corrected)), windows, dict(outside))


def _scenario_rows(results: Sequence[RouteResult]) -> tuple[ScenarioRow, ...]:
    """One row a scenario type, lowest driving score first."""
    groups: dict[str, list[RouteResult]] = {}
    for result in results:
        groups.setdefault(result.scenario_type, []).append(result)
    rows = []
    for kind, group in groups.items():
        hit = {name: sum(bool(result.messages(name)) for result in group) for name in _costly_names(group)}
        worst = max(hit, key=lambda name: hit[name])
        if not hit[worst]:
            worst, hit = INCOMPLETE, {INCOMPLETE: sum(result.score_route < 100 for result in group)}
        count = len(group)
        rows.append(
            ScenarioRow(
                kind,
                count,
                sum(result.score_composed for result in group) / count,
                100.0 * sum(result.success for result in group) / count,
                sum(result.score_route for result in group) / count,
                worst if hit[worst] else "",
                hit[worst],
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.driving_score, row.scenario_type)))


def _component_rows(results: Sequence[RouteResult], total: int) -> tuple[ComponentRow, ...]:
    """One row an infraction, then what unfinished and missing routes cost. Losses do not add up: penalties multiply."""
    km, divisor = driven_km(results), max(total, 1)
    rows = []
    for name in [*_costly_names(results), "min_speed_infractions"]:
        count = sum(len(result.messages(name)) for result in results)
        hit = sum(bool(result.messages(name)) for result in results)
        lost = 0.0
        for result in results:
            without = penalty(i for i in result.infractions if i.name != name)
            lost += result.score_route * (without - penalty(result.infractions))
        rows.append(ComponentRow(name, count, count / km, hit, lost / divisor))
    short = [result for result in results if result.score_route < 100]
    lost = sum((100.0 - result.score_route) * penalty(result.infractions) for result in short)
    rows.append(ComponentRow(INCOMPLETE, len(short), len(short) / km, len(short), lost / divisor))
    missing = max(total - len(results), 0)
    rows.append(ComponentRow(MISSING, missing, 0.0, missing, 100.0 * missing / divisor))
    return tuple(rows)


def _costly_names(results: Iterable[RouteResult]) -> list[str]:
    """All infraction lists but the min-speed one, which costs nothing; lists of foreign files last."""
    known = [name for name in INFRACTION_NAMES if name != "min_speed_infractions"]
    foreign = {i.name for result in results for i in result.infractions} - set(INFRACTION_NAMES)
    return [*known, *sorted(foreign)]
