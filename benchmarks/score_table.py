"""Scores of evaluations side by side, with intervals: `python benchmarks/score_table.py RUN_FOLDER ... [--json]`.

Each folder is one of `run_eval.py run`. Intervals are 95 % bootstrap intervals over routes;
they say how far a score would move on other routes of the same kind, not with another training seed.
Folders joined by commas are one method trained with several seeds: the row is their mean, and its interval is over
routes and seeds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from leaderboard_adapters.intervals import Interval, bootstrap_interval, crossed_interval


@dataclass(frozen=True)
class Options:
    """What to compare."""

    folders: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders of runs; joined by commas: runs of one method with several training seeds."""
    json: bool = False
    """Print one JSON object as the last line."""


def scores(folders: list[Path]) -> dict[str, Interval]:
    """Driving score, success rate and route completion of a run, or of one a seed on the same routes, 0..100."""
    for folder in folders:
        if not (folder / "summary.json").is_file():
            raise SystemExit(f"{folder}: no summary.json; name the folder of an evaluation that has ended")
    runs = [json.loads((folder / "summary.json").read_text())["routes"] for folder in folders]
    order = [(route["route_id"], route["repetition"]) for route in runs[0]]
    by_route = [{(route["route_id"], route["repetition"]): route for route in run} for run in runs]
    if any(set(run) != set(order) for run in by_route):
        raise SystemExit(f"not the same routes: {', '.join(map(str, folders))}")
    found = {}
    for name, key, scale in (("DS", "driving_score", 1.0), ("SR", "success", 100.0), ("RC", "route_completion", 1.0)):
        values = [[scale * run[route][key] for run in by_route] for route in order]
        found[name] = crossed_interval(values) if len(runs) > 1 else bootstrap_interval([row[0] for row in values])
    return found


def main(options: Options) -> None:
    """Print the table."""
    table = Table("run", "DS", "SR %", "RC %")
    found = {}
    for folder in options.folders:
        parts = [Path(part) for part in folder.split(",")]
        name = parts[0].name if len(parts) == 1 else f"{parts[0].name} and {len(parts) - 1} more seeds"
        found[name] = row = scores(parts)
        table.add_row(name, *(f"{x.value:.1f} [{x.low:.1f}, {x.high:.1f}]" for x in row.values()))
    Console(width=110).print(table)
    if options.json:
        print(json.dumps({name: {k: vars(x) for k, x in row.items()} for name, row in found.items()}))


if __name__ == "__main__":
    main(tyro.cli(Options))
