"""The report for people: tables in the terminal (100 columns and more), and report.json + report.md in a folder.

`sheet_tables` builds each table once; here it is shown twice: coloured by rich, and as Markdown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from leaderboard_adapters.intervals import Interval
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.report import Report, report_document
from leaderboard_adapters.result_checks import Finding
from leaderboard_adapters.scores import SCORER
from leaderboard_adapters.sheet import Sheet
from leaderboard_adapters.sheet_tables import (
    TextTable,
    comparison_tables,
    score_table,
    share_text,
    sheet_tables,
    subtitle,
)
from simulator.errors import ResultFileError

_MARKS = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "note": ("·", "dim")}
_SHOWN_OF_A_KIND = 12
_BAR = 8  # characters of a full bar


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
    """Write report.json and report.md to a folder, which is made if needed. Raises `ResultFileError` when it cannot."""
    folder = Path(out_dir)
    try:
        write_json(folder / "report.json", report_document(report))
        (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    except OSError as error:
        raise ResultFileError(
            f"{folder}: cannot write the report: {error.strerror or error}. Name another folder."
        ) from None


def markdown(report: Report) -> str:
    """The whole report as Markdown."""
    parts = ["# Score report", f"Scorer: {SCORER}. Intervals: 95 % bootstrap over routes."]
    if report.comparisons:
        parts += [_markdown_table(table) for table in comparison_tables(report)]
    for sheet in report.sheets:
        parts.append(f"## {sheet.name}")
        parts.append(subtitle(sheet))
        parts.append(_markdown_table(score_table(sheet)))
        if sheet.findings:
            parts.append("\n".join(f"- **{f.severity}** ({f.kind}): {_escape(f.text)}" for f in sheet.findings))
        parts += [_markdown_table(table) for table in sheet_tables(sheet)]
    if report.problems:
        parts += ["## Not read", "\n".join(f"- {_escape(problem)}" for problem in report.problems)]
    return "\n\n".join(parts) + "\n"


# --- terminal --------------------------------------------------------------------------------------------------------


def _print_sheet(sheet: Sheet, console: Console) -> None:
    console.rule(Text(sheet.name, "bold"), align="left")
    console.print(Text(subtitle(sheet), "dim"))
    console.print(_tiles(sheet, 6 if console.width >= 96 else 3))
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


def _tiles(sheet: Sheet, columns: int) -> Table:
    """The headline numbers as boxes, `columns` in a row."""
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
        tiles.append(
            _plain_tile("Comfort %", share_text(comfort.official), f"corrected {share_text(comfort.corrected)}")
        )
    grid = Table.grid(expand=True)
    for _ in range(columns):
        grid.add_column(ratio=1)
    for start in range(0, len(tiles), columns):
        grid.add_row(*tiles[start : start + columns])
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
