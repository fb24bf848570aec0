"""The report for people: tables in the terminal (100 columns and more), and report.json + report.md in a folder.

Each table is built once, as plain text cells, and shown twice: coloured by rich, and as Markdown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from leaderboard_adapters.abilities import SIGNS
from leaderboard_adapters.intervals import Interval, PairedDifference
from leaderboard_adapters.official_json import write_json
from leaderboard_adapters.report import Comparison, Report, report_document
from leaderboard_adapters.result_checks import PENALTY_TOLERANCE, Finding, penalty_error
from leaderboard_adapters.scores import PENALTY_FACTORS, SCORER
from leaderboard_adapters.sheet import INCOMPLETE, MISSING, ComponentRow, Sheet

#: Words for the infraction lists of the official files.
LABELS = {
    "collisions_layout": "hit static object",
    "collisions_pedestrian": "hit pedestrian",
    "collisions_vehicle": "hit vehicle",
    "red_light": "red light",
    "stop_infraction": "stop sign",
    "outside_route_lanes": "outside lanes",
    "min_speed_infractions": "min-speed entry (costs nothing)",
    "yield_emergency_vehicle_infractions": "failed to yield",
    "scenario_timeouts": "scenario timeout",
    "route_dev": "deviated from the route",
    "vehicle_blocked": "blocked",
    "route_timeout": "route timeout",
    INCOMPLETE: "route not completed",
    MISSING: "route without record",
}

#: Official statuses in plain words.
STATUSES = {"Failed - TickRuntime": "Failed - TickRuntime (200 s limit)"}

_MARKS = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "note": ("·", "dim")}
_SHOWN_OF_A_KIND = 12
_BAR = 8  # characters of a full bar


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


def print_report(report: Report, console: Console) -> None:
    """Print every sheet, the comparison, and what could not be read."""
    for sheet in report.sheets:
        _print_sheet(sheet, console)
    if report.comparisons:
        for table in comparison_tables(report):
            _print_block(console, _rich(table), table.caption)
    for problem in report.problems:
        console.print(Text.assemble(("✗ not read  ", "bold red"), problem))


def write_report(report: Report, out_dir: str | os.PathLike[str]) -> None:
    """Write report.json and report.md to a folder, which is made if needed."""
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", report_document(report))
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")


def markdown(report: Report) -> str:
    """The whole report as Markdown."""
    parts = ["# Score report", f"Scorer: {SCORER}. Intervals: 95 % bootstrap over routes."]
    if report.comparisons:
        parts += [_markdown_table(table) for table in comparison_tables(report)]
    for sheet in report.sheets:
        parts.append(f"## {sheet.name}")
        parts.append(_subtitle(sheet))
        parts.append(_markdown_table(score_table(sheet)))
        if sheet.findings:
            parts.append("\n".join(f"- **{f.severity}** ({f.kind}): {_escape(f.text)}" for f in sheet.findings))
        parts += [_markdown_table(table) for table in sheet_tables(sheet)]
    if report.problems:
        parts += ["## Not read", "\n".join(f"- {_escape(problem)}" for problem in report.problems)]
    return "\n\n".join(parts) + "\n"


# --- tables ----------------------------------------------------------------------------------------------------------


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
        rows.append(("Comfort %", _share(comfort.official), "", f"official formula, over {comfort.routes} routes"))
        rows.append(("Comfort, corrected %", _share(comfort.corrected), "", "true time step, rad/s, derivative"))
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
        rows.append((score.name.replace("_", " "), _share(value), plain))
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
    rows = [_component_cells(row) for row in sheet.components if row.count]
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
    )
    return [side_by_side, _difference_table(report.sheets[0].name, report.comparisons)]


def _difference_table(baseline: str, comparisons: Sequence[Comparison]) -> TextTable:
    rows, bold = [], set()
    for i, each in enumerate(comparisons):
        score, success = each.driving_score, each.success_rate
        if score is None or success is None:
            rows.append((each.other, "", each.refused, "", "", ""))
            continue
        rows.append((each.other, str(score.routes), _signed(score), _flips(score), _signed(success), _flips(success)))
        bold |= {(i, k) for k, paired in ((2, score), (4, success)) if _differs(paired)}
    return TextTable(
        f"Difference to {baseline}, route by route",
        ("result", "routes", "driving score", "better/worse", "success rate %", "gained/lost"),
        tuple(rows),
        bold=frozenset(bold),
        caption="Over the routes that both recorded. In bold: the 95 % interval does not contain 0.",
    )


def _component_cells(row: ComponentRow) -> tuple[str, ...]:
    costs = row.name in (*PENALTY_FACTORS, "outside_route_lanes", INCOMPLETE, MISSING)
    lost = f"{row.points_lost:.2f}" if costs else "–"
    rate = "" if row.name in (INCOMPLETE, MISSING) else f"{row.per_km:.3f}"
    return (LABELS.get(row.name, row.name), str(row.count), rate, str(row.routes), lost)


def _with_interval(interval: Interval, digits: int = 2) -> tuple[str, str]:
    return f"{interval.value:.{digits}f}", f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _score_and_interval(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.1f}, {interval.high:.1f}]"


def _signed(paired: PairedDifference) -> str:
    d = paired.difference
    return f"{d.value:+.2f} [{d.low:+.1f}, {d.high:+.1f}]"


def _differs(paired: PairedDifference) -> bool:
    return paired.difference.low > 0 or paired.difference.high < 0


def _flips(paired: PairedDifference) -> str:
    return f"{paired.better}/{paired.worse}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _subtitle(sheet: Sheet) -> str:
    repeats = f" x {sheet.repetitions} repetitions" if sheet.repetitions > 1 else ""
    files = f"{len(sheet.files)} file{'' if len(sheet.files) == 1 else 's'}"
    suite = f"suite {sheet.suite}, " if sheet.suite else ""
    error = sheet.largest_penalty_error
    check = f"penalties follow from the messages {f'within {error:.0e}' if error else 'exactly'}"
    if wrong := sum(penalty_error(result) > PENALTY_TOLERANCE for result in sheet.results):
        check = f"{wrong} of {sheet.recorded} penalties do not follow from the messages"
    return f"{suite}{sheet.recorded} of {sheet.total} routes{repeats}, {files}; {check}"


# --- terminal --------------------------------------------------------------------------------------------------------


def _print_sheet(sheet: Sheet, console: Console) -> None:
    console.rule(Text(sheet.name, "bold"), align="left")
    console.print(Text(_subtitle(sheet), "dim"))
    console.print(_tiles(sheet))
    console.print(_findings(sheet.findings))
    abilities, statuses, *rest = sheet_tables(sheet)
    pair = Table.grid(padding=(0, 4))
    pair.add_row(_rich(abilities), _rich(statuses))
    _print_block(console, pair, abilities.caption)
    for table in rest:
        _print_block(console, _rich(table), table.caption)


def _print_block(console: Console, view: Table, caption: str) -> None:
    console.print()
    console.print(view)
    if caption:
        console.print(Text(caption, "dim"))


def _tiles(sheet: Sheet) -> Table:
    """The headline numbers as a row of boxes."""
    speed, comfort = sheet.efficiency_interval, sheet.comfort
    tiles = [
        _tile("Driving score", sheet.driving_score, 2, sheet.driving_score.value),
        _tile("Success rate %", sheet.success_rate, 2, sheet.success_rate.value),
        _tile("Completion %", sheet.route_completion, 2, sheet.route_completion.value),
        _tile("Penalty", sheet.penalty, 3, 100 * sheet.penalty.value),
        _tile("Efficiency %", speed, 1) if speed else _plain_tile("Efficiency %", "–", "no entries"),
    ]
    if comfort is None:
        tiles.append(_plain_tile("Comfort %", "–", "no logs"))
    else:
        tiles.append(_plain_tile("Comfort %", _share(comfort.official), f"corrected {_share(comfort.corrected)}"))
    grid = Table.grid(expand=True)
    for _ in tiles:
        grid.add_column(ratio=1)
    grid.add_row(*tiles)
    return grid


def _tile(label: str, interval: Interval, digits: int, score: float | None = None) -> Panel:
    low, high = (f"{bound:.{min(digits, 1) if digits != 3 else 3}f}" for bound in (interval.low, interval.high))
    return _plain_tile(label, f"{interval.value:.{digits}f}", f"[{low}, {high}]", _colour(score))


def _plain_tile(label: str, value: str, below: str, colour: str = "") -> Panel:
    text = Text.assemble(
        (label, "dim"), "\n", (value, f"bold {colour}".strip()), "\n", (below, "dim"), justify="center"
    )
    return Panel(text, box=box.ROUNDED, border_style="dim", padding=(0, 0))


def _findings(findings: Sequence[Finding]) -> Table:
    """One line a finding, at most a few of a kind (report.json has all)."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    seen: Counter[str] = Counter()
    for finding in findings:
        mark, style = _MARKS[finding.severity]
        seen[finding.kind] += 1
        if seen[finding.kind] <= _SHOWN_OF_A_KIND:
            body = "dim" if finding.severity == "note" else ""
            grid.add_row(Text(f"{mark} {finding.kind}", style), Text(finding.text, body))
    for kind, count in seen.items():
        if count > _SHOWN_OF_A_KIND:
            grid.add_row(Text(f"  {kind}", "dim"), Text(f"and {count - _SHOWN_OF_A_KIND} more in report.json", "dim"))
    return grid


def _rich(table: TextTable) -> Table:
    view = Table(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        header_style="dim",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, column in enumerate(table.columns):
        left = i in table.left or i in table.bars
        view.add_column(
            f"{column:>6}" if i in table.bars else column, justify="left" if left else "right", no_wrap=i == 0
        )
    for i, row in enumerate(table.rows):
        cells = [
            _bar_cell(cell) if k in table.bars else Text(cell, "bold" if (i, k) in table.bold else "")
            for k, cell in enumerate(row)
        ]
        view.add_row(*cells)
    return view


def _bar_cell(cell: str) -> Text:
    """A score 0..100 with a bar behind it, the numbers aligned."""
    try:
        score = float(cell)
    except ValueError:
        return Text(cell)
    eighths = round(max(0.0, min(score, 100.0)) / 100 * _BAR * 8)
    bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
    return Text.assemble(f"{cell:>6} ", (bar, _colour(score)))


def _colour(score: float | None) -> str:
    if score is None:
        return ""
    return "green" if score >= 80 else "yellow" if score >= 50 else "red"


# --- markdown --------------------------------------------------------------------------------------------------------


def _markdown_table(table: TextTable) -> str:
    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(table.columns) + " |")
    lines.append("|" + "|".join(":--" if i in table.left else "--:" for i in range(len(table.columns))) + "|")
    for i, row in enumerate(table.rows):
        cells = [f"**{_escape(cell)}**" if (i, k) in table.bold else _escape(cell) for k, cell in enumerate(row)]
        lines.append("| " + " | ".join(cells) + " |")
    if table.caption:
        lines += ["", table.caption.replace("\n", "  \n")]
    return "\n".join(lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|")
