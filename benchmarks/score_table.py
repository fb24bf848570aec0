"""Scores of evaluations side by side, with intervals: `python benchmarks/score_table.py RUN_FOLDER ... [--json]`.

Each folder is one of `run_eval.py run`. Intervals are 95 % bootstrap intervals over routes;
they say how far a score would move on other routes of the same kind, not with another training seed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from leaderboard_adapters.intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class Options:
    """What to compare."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    json: bool = False
    """Print one JSON object as the last line."""


def scores(folder: Path) -> dict[str, Interval]:
    """Driving score, success rate and route completion of a run, 0..100."""
    routes = json.loads((folder / "summary.json").read_text())["routes"]
    return {
        "DS": bootstrap_interval([route["driving_score"] for route in routes]),
        "SR": bootstrap_interval([100.0 * route["success"] for route in routes]),
        "RC": bootstrap_interval([route["route_completion"] for route in routes]),
    }


def main(options: Options) -> None:
    """Print the table."""
    table = Table("run", "DS", "SR %", "RC %")
    found = {}
    for folder in options.folders:
        found[folder.name] = row = scores(folder)
        table.add_row(folder.name, *(f"{x.value:.1f} [{x.low:.1f}, {x.high:.1f}]" for x in row.values()))
    Console(width=110).print(table)
    if options.json:
        print(json.dumps({name: {k: vars(x) for k, x in row.items()} for name, row in found.items()}))


if __name__ == "__main__":
    main(tyro.cli(Options))
