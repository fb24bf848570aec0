"""Pictures of every scenario type, from drives of the built-in expert on MiniTown, and a page that shows them.

    python -m benchmarks.scenario_pictures                          # all types, to docs/scenarios/
    python -m benchmarks.scenario_pictures --types ParkedObstacle --out /tmp/pictures

Each type gets a few routes (`scenarios.suite_maker`); the one that the expert drives best is drawn. Same code, same
pictures. Needs the `view` extra.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import carla
import numpy as np

from benchmarks.draw_story import save_figure, story_figure
from benchmarks.draw_town import lane_strips
from benchmarks.story_beats import MOVED
from evaluation.drive import drive_route
from evaluation.tasks import plan_run
from leaderboard_adapters.recordings import SUFFIX, Recording, read_recording
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.story import Happening
from scenarios.registry import BENCH2DRIVE_TYPES, ScenarioType, scenario_types
from scenarios.route_file import write_routes
from scenarios.suite_maker import make_suite
from simulator.errors import ScenarioError
from simulator.roads.network import RoadNetwork
from simulator.roads.towns import load_named_town

TOWN = "MiniTown"
OUT = Path(__file__).parent.parent / "docs" / "scenarios"
ROUTES = 4  # routes of a type to choose from
SEED = 2


def best_drive(network: RoadNetwork, kind: str) -> tuple[RouteResult, Recording]:
    """The expert's best drive of a few routes of one type."""
    routes = None
    for count in range(ROUTES, 0, -1):
        try:
            routes = make_suite(network, [kind], count, seed=SEED)
            break
        except ScenarioError:  # the town has less room
            if count == 1:
                raise
    assert routes is not None
    drives: list[tuple[tuple[float, ...], RouteResult, Recording]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.xml"
        write_routes(file, routes)
        for task in plan_run(str(file), agent="expert", seed=0).tasks:
            result = drive_route(replace(task, recordings=folder), lambda tick, percent: None)
            recording = read_recording(Path(folder) / f"{result.route_id}{SUFFIX}")
            drives.append((_merit(result, recording), result, recording))
    _, result, recording = max(drives, key=lambda drive: drive[0])
    return result, recording


def _merit(result: RouteResult, recording: Recording) -> tuple[float, ...]:
    """Best: triggered, successful, with actors that get going, short in time."""
    triggered = any(moment.kind == Happening.TRIGGER for moment in recording.timeline)
    cast = (recording.rows_of(i) for i, card in enumerate(recording.actors) if card.role == "scenario")
    moved = sum(max(float(np.ptp(rows["x"])), float(np.ptp(rows["y"]))) > MOVED for rows in cast)
    return float(triggered), float(result.success), result.score_composed, float(moved), -float(result.num_ticks)


def write_index(folder: Path, types: dict[str, ScenarioType]) -> Path:
    """The page: a line a type by family, then the pictures."""
    pictured = [name for name in BENCH2DRIVE_TYPES if (folder / f"{name}.png").exists()]
    lines = [
        "# The scenario types, pictured",
        "",
        "Each figure is one drive of the built-in expert on MiniTown, seen from above and turned so that the ego",
        "comes from the left. The way of the ego is coloured by its speed. Numbers mark the decisive moments: where",
        "the ego was, where the scenario's actors were (paler at the other moments), and what happened. Traffic",
        "stands where it was at the first moment after the trigger; bars before a junction show its lights then. The",
        "shaded part of the speed chart is the time from the trigger to the end of the scenario.",
        "",
        "Made by `python -m benchmarks.scenario_pictures` ([how scenarios are written](../scenarios.md)).",
        "",
        "| type | family | |",
        "|---|---|---|",
    ]
    lines += [f"| [{name}](#{name.lower()}) | {types[name].family} | {types[name].summary} |" for name in pictured]
    for name in pictured:
        lines += ["", f"### {name}", "", f"![{types[name].summary}]({name}.png)"]
    page = folder / "README.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def draw_types(names: Sequence[str], out: Path) -> None:
    """Draw some types and tell what was drawn."""
    network = load_named_town(TOWN, None)
    strips: list[dict[str, Any]] = lane_strips(carla.Map(TOWN, network.xodr), network.xodr, 1.0)
    types = scenario_types()
    total = 0
    for name in names:
        result, recording = best_drive(network, name)
        size = save_figure(
            story_figure(recording, network, strips, types[name].summary.replace("`", "")), out / f"{name}.png"
        )
        total += size
        scored = f"{result.status}, DS {result.score_composed:.0f}"
        print(f"{name:40s} {size / 1000:6.0f} kB  {scored}  {'; '.join(result.notes)}", flush=True)
    print(f"{len(names)} pictures, {total / 1e6:.1f} MB; {write_index(out, types)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="*", default=list(BENCH2DRIVE_TYPES), help="only these scenario types")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for pictures and page")
    options = parser.parse_args()
    draw_types(options.types, options.out)


if __name__ == "__main__":
    main()
