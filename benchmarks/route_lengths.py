"""Compare our traced route lengths with the official `meta.route_length`, route by route.

    python benchmarks/route_lengths.py --data DATA

DATA holds `routes/bench2drive220.xml`, `towns/*.xodr` and `results/**/*.json`, official-format result files of any
agent; it defaults to the environment variable ROUTEGYM_DATA. A map `TownXX_<variant>.xodr` counts as another edition of
the town, which explains rows that differ. Ends with status 1 when a row of a town's own map differs by more than
0.01 m. `--json` adds one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from scenarios.route_file import read_routes
from simulator.roads.planner import TRACE_VERSION, trace_routes

TOLERANCE_M = 0.01


def official_lengths(folder: Path) -> dict[str, set[float]]:
    """All route lengths that result files give, by `RouteScenario_<id>`."""
    lengths: dict[str, set[float]] = defaultdict(set)
    for file in sorted(folder.rglob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        checkpoint = content.get("_checkpoint", {}) if isinstance(content, dict) else {}
        for record in checkpoint.get("records", []):
            lengths[record["route_id"].rsplit("_rep", 1)[0]].add(record["meta"]["route_length"])
    return lengths


def explanation(difference: float, map_file: Path, town: str, official: set[float]) -> str:
    if len(official) > 1:
        return f"result files disagree: {sorted(official)}"
    if abs(difference) <= TOLERANCE_M:
        return ""
    if map_file.stem != town:
        return "other edition of the map"
    return "UNEXPLAINED"


def compare(data: Path) -> list[dict[str, Any]]:
    """One row a route whose town is among the maps and whose length is among the results."""
    official = official_lengths(data / "results")
    routes = read_routes(data / "routes" / "bench2drive220.xml")
    rows = []
    for map_file in sorted((data / "towns").glob("*.xodr")):
        town = map_file.stem.split("_")[0]
        chosen = [route for route in routes if route.town == town and official.get(route.name)]
        positions = [np.array(route.positions) for route in chosen]
        traced = trace_routes(
            map_file.read_text(encoding="utf-8"), town, positions, route_names=[route.id for route in chosen]
        )
        for route, trace in zip(chosen, traced, strict=True):
            known = official[route.name]
            nearest = min(known, key=lambda length, ours=trace.length: abs(length - ours))
            difference = round(trace.length - nearest, 3)
            note = explanation(difference, map_file, town, known)
            rows.append(
                {
                    "route": route.id,
                    "town": town,
                    "ours": trace.length,
                    "official": nearest,
                    "difference": difference,
                    "note": note,
                }
            )
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Route length, metres")
    for name in ("route", "town", "ours", "official", "difference", "note"):
        table.add_column(name, justify="left" if name in ("town", "note") else "right")
    for row in rows:
        numbers = (f"{row[name]:.3f}" for name in ("ours", "official", "difference"))
        table.add_row(row["route"], row["town"], *numbers, row["note"])
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ROUTEGYM_DATA"), help="folder of official files")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    args = parser.parse_args()
    if args.data is None or not args.data.is_dir():
        parser.error("name the folder of official files with --data or ROUTEGYM_DATA")
    begun = time.perf_counter()
    rows = compare(args.data)
    seconds = time.perf_counter() - begun
    print_table(rows)
    same = sum(abs(row["difference"]) <= TOLERANCE_M for row in rows)
    share = max((abs(row["difference"]) / row["official"] for row in rows), default=0.0)
    print(
        f"{same} of {len(rows)} routes within {TOLERANCE_M} m, the others within {100 * share:.2f} %; {seconds:.1f} s; "
        f"carla {version('carla')}, trace version {TRACE_VERSION}, Python {platform.python_version()}"
    )
    if args.json:
        print(json.dumps({"rows": rows, "within": same, "seconds": seconds, "carla": version("carla")}))
    return int(any(row["note"] == "UNEXPLAINED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
