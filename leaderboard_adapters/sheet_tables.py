"""The tables of the report as plain text cells, built once for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard_adapters.abilities import SIGNS
from leaderboard_adapters.infraction_words import LABELS
from leaderboard_adapters.intervals import Interval, PairedDifference
from leaderboard_adapters.report import Comparison, Report
from leaderboard_adapters.result_checks import PENALTY_TOLERANCE, penalty_error
from leaderboard_adapters.scores import PENALTY_FACTORS
from leaderboard_adapters.sheet import INCOMPLETE, MISSING, ComponentRow, Sheet

#: Rates per kilometre of less than this say nothing.
_SHORT_KM = 0.01

#: Official statuses in plain words.
STATUSES = {"Failed - TickRuntime": "Failed - TickRuntime (200 s limit)"}


@dataclass(frozen=True)
class TextTable:
    """A table of plain text. `left`: left-aligned columns; `bars`: columns of scores 0..100; `bold`: (row, column)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)
    bars: tuple[int, ...] = ()
    bold: frozenset[tuple[int, int]] = frozenset()
    caption: str = ""


def score_table(sheet: Sheet) -> TextTable:
    """The headline numbers with their intervals."""
    speed, comfort = sheet.efficiency, sheet.comfort
    rows = [
        ("Driving score", *_with_interval(sheet.driving_score), f"over {sheet.total} routes"),
        ("Success rate %", *_with_interval(sheet.success_rate), f"over {sheet.total} routes"),
        ("Route completion %", *_with_interval(sheet.route_completion), f"over {sheet.total} routes"),
        ("Infraction penalty", *_with_interval(sheet.penalty, 3), f"over {sheet.recorded} records"),
        (
            "Efficiency %",
            *(_with_interval(sheet.efficiency_interval) if sheet.efficiency_interval else ("–", "")),
            f"over {speed.routes} routes with traffic" if speed.routes else "no min-speed entries",
        ),
    ]
    if comfort is None:
        rows.append(("Comfort %", "–", "", "no metric_info.json"))
    else:
        rows.append(("Comfort %", share_text(comfort.official), "", f"official formula, over {comfort.routes} routes"))
        rows.append(("Comfort, corrected %", share_text(comfort.corrected), "", "true time step, rad/s, derivative"))
    return TextTable("Scores", ("score", "value", "95 % interval", "basis"), tuple(rows), left=(0, 3))


def sheet_tables(sheet: Sheet) -> list[TextTable]:
    """All detail tables of a sheet, in print order."""
    tables = [ability_table(sheet), status_table(sheet), component_table(sheet)]
    if sheet.comfort is not None and sheet.comfort.windows:
        tables.append(comfort_table(sheet))
    return [*tables, scenario_table(sheet)]


def ability_table(sheet: Sheet) -> TextTable:
    """Abilities 0..100, with the bounds of the Traffic_Signs rules where maps are missing."""
    values = sheet.abilities.values()
    rows = []
    for score in sheet.abilities.scores:
        value = values[score.name]
        plain = f"{score.successes} / {score.routes}"
        rows.append((score.name.replace("_", " "), share_text(value), plain))
    rows.append(("Mean", f"{100 * sheet.abilities.mean:.2f}", ""))
    lines = []
    for version, signs in sheet.abilities.signs.items():
        between = f"{100 * signs.low:.2f}" if signs.exact else f"{100 * signs.low:.2f} to {100 * signs.high:.2f}"
        lines.append(f"{SIGNS.replace('_', ' ')} by the rule of {version}: {between}")
    if sheet.abilities.note:
        lines.insert(0, sheet.abilities.note.replace("_", " ") + ".")
    return TextTable("Abilities", ("ability", "%", "succeeded"), tuple(rows), bars=(1,), caption="\n".join(lines))


def status_table(sheet: Sheet) -> TextTable:
    """How the routes ended."""
    rows = tuple(
        (STATUSES.get(status, status), str(count), f"{100 * count / sheet.recorded:.1f}")
        for status, count in sheet.statuses.items()
    )
    return TextTable("Statuses", ("status", "routes", "%"), rows)


def component_table(sheet: Sheet) -> TextTable:
    """What each infraction cost. Rows that never occurred are left out."""
    rows = [_component_cells(row, sheet.km) for row in sheet.components if row.count]
    caption = (
        f"Over {sheet.km:.2f} km driven. 'points lost': driving score gained if this alone were forgiven; "
        "the column does not add up, because penalties multiply. What ends a route costs under 'route not completed'."
    )
    return TextTable(
        "What it cost", ("component", "count", "per km", "routes", "points lost"), tuple(rows), caption=caption
    )


def comfort_table(sheet: Sheet) -> TextTable:
    """Windows outside each bound, by the corrected formula."""
    assert sheet.comfort is not None
    windows = sheet.comfort.windows
    rows = tuple((name, str(n), f"{100 * n / windows:.1f}") for name, n in sheet.comfort.out_of_bounds.items())
    caption = f"One-second windows outside each bound, corrected formula; {windows} windows."
    return TextTable("Comfort", ("bound", "windows outside", "%"), rows, caption=caption)


def scenario_table(sheet: Sheet) -> TextTable:
    """One row a scenario type, lowest driving score first."""
    rows = tuple(
        (
            row.scenario_type,
            str(row.recorded),
            f"{row.driving_score:.1f}",
            f"{row.success_rate:.0f}",
            f"{row.route_completion:.1f}",
            f"{LABELS.get(row.worst_infraction, row.worst_infraction)} ({row.worst_routes})"
            if row.worst_infraction
            else "",
        )
        for row in sheet.scenarios
    )
    return TextTable(
        "Scenarios, lowest driving score first",
        ("scenario", "n", "DS", "SR", "RC", "most frequent"),
        rows,
        left=(0, 5),
        bars=(2,),
        caption="n: records, DS: driving score, SR: success rate %, RC: route completion %; "
        "most frequent infraction and how many records have it.",
    )


def comparison_tables(report: Report) -> list[TextTable]:
    """Results side by side, and paired differences with the first of them."""
    rows = []
    for sheet in report.sheets:
        rows.append(
            (
                sheet.name,
                f"{sheet.recorded}/{sheet.total}",
                _score_and_interval(sheet.driving_score),
                _score_and_interval(sheet.success_rate),
                f"{sheet.route_completion.value:.1f}",
                f"{sheet.penalty.value:.3f}",
                "–" if sheet.efficiency.value is None else f"{sheet.efficiency.value:.1f}",
                f"{100 * sheet.abilities.mean:.1f}",
            )
        )
    side_by_side = TextTable(
        "Results side by side",
        ("result", "routes", "driving score", "success rate %", "RC %", "penalty", "effic. %", "ability"),
        tuple(rows),
        caption=_worlds(report.sheets),
    )
    return [side_by_side, _difference_table(report.sheets[0].name, report.comparisons)]


def _worlds(sheets: Sequence[Sheet]) -> str:
    """Which result is from which world, where any tells it."""
    if not any(sheet.world for sheet in sheets):
        return ""
    names: dict[str, list[str]] = {}
    for sheet in sheets:
        label = f"{sheet.maps}, world {sheet.world}" if sheet.world else f"{sheet.maps}, world not told"
        names.setdefault(label, []).append(sheet.name)
    return "\n".join(f"{label}: {', '.join(group)}" for label, group in names.items())


def _difference_table(baseline: str, comparisons: Sequence[Comparison]) -> TextTable:
    rows, bold, refused = [], set(), []
    for i, each in enumerate(comparisons):
        score, success = each.driving_score, each.success_rate
        if score is None or success is None:
            rows.append((each.other, "", "–", "", "–", ""))
            refused.append(f"{each.other}: {each.refused}.")
            continue
        rows.append((each.other, str(score.routes), _signed(score), _flips(score), _signed(success), _flips(success)))
        bold |= {(i, k) for k, paired in ((2, score), (4, success)) if _differs(paired)}
    return TextTable(
        f"Difference to {baseline}, route by route",
        ("result", "routes", "driving score", "better/worse", "success rate %", "gained/lost"),
        tuple(rows),
        bold=frozenset(bold),
        caption="\n".join(
            ["Over the routes that both recorded. In bold: the 95 % interval does not contain 0.", *refused]
        ),
    )


def _component_cells(row: ComponentRow, km: float) -> tuple[str, ...]:
    costs = row.name in (*PENALTY_FACTORS, "outside_route_lanes", INCOMPLETE, MISSING)
    lost = f"{row.points_lost:.2f}" if costs else "–"
    rate = "–" if km < _SHORT_KM else f"{row.per_km:.3f}"
    rate = "" if row.name in (INCOMPLETE, MISSING) else rate
    return (LABELS.get(row.name, row.name), str(row.count), rate, str(row.routes), lost)


def _with_interval(interval: Interval, digits: int = 2) -> tuple[str, str]:
    return f"{interval.value:.{digits}f}", f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _score_and_interval(interval: Interval) -> str:
    low, high = (f"{bound:.1f}" if bound < 99.95 else "100" for bound in (interval.low, interval.high))
    return f"{interval.value:.2f} [{low}, {high}]"


def _signed(paired: PairedDifference) -> str:
    d = paired.difference
    return f"{d.value:+.2f} [{d.low:+.1f}, {d.high:+.1f}]"


def _differs(paired: PairedDifference) -> bool:
    return paired.difference.low > 0 or paired.difference.high < 0


def _flips(paired: PairedDifference) -> str:
    return f"{paired.better}/{paired.worse}"


def share_text(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def subtitle(sheet: Sheet) -> str:
    """What was driven, where, how much of it there is, and whether its numbers follow from its messages."""
    repeats = f" x {sheet.repetitions} repetitions" if sheet.repetitions > 1 else ""
    files = f"{len(sheet.files)} file{'' if len(sheet.files) == 1 else 's'}"
    part_of_suite = sheet.run is not None and sheet.run.suite != sheet.suite
    where = [sheet.suite if part_of_suite or not sheet.suite else f"suite {sheet.suite}"]
    if sheet.world:
        where += [sheet.maps, f"world {sheet.world}"]
    error = sheet.largest_penalty_error
    check = f"penalties follow from the messages {f'within {error:.0e}' if error else 'exactly'}"
    if wrong := sum(penalty_error(result) > PENALTY_TOLERANCE for result in sheet.results):
        check = f"{wrong} of {sheet.recorded} penalties do not follow from the messages"
    told = ", ".join(part for part in where if part)
    return f"{f'{told}; ' if told else ''}{sheet.recorded} of {sheet.total} routes{repeats}, {files}; {check}"
