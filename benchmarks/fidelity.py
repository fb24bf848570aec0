"""How the embedded town compares with CARLA: our expert's routes beside those of an expert that drove in CARLA.

    python run_eval.py --routes bench2drive220.xml --maps MAPS --missing-maps corridor --out results/b2d
    python benchmarks/fidelity.py results/b2d "$ROUTEGYM_DATA/results/pdm_lite_b2d_traj/merged.json"

Route by route: official length, game time, speed against the surrounding traffic (mean of the min-speed percentages),
infractions. Medians stand for the groups, since a few long waits would rule a mean. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.run_folder import read_run_folder
from leaderboard_adapters.efficiency import route_efficiency
from leaderboard_adapters.records import RouteResult, scenario_type_of
from leaderboard_adapters.result_files import find_results

#: Ratio of game times from which a route is listed by itself.
FAR_APART = 1.8


@dataclass(frozen=True)
class Pair:
    """One route driven in both worlds."""

    ours: RouteResult
    theirs: RouteResult

    @property
    def time_ratio(self) -> float:
        return self.ours.duration_game / self.theirs.duration_game

    @property
    def speeds(self) -> tuple[float | None, float | None]:
        return route_efficiency(self.ours), route_efficiency(self.theirs)


def read_results(paths: Iterable[Path]) -> dict[str, RouteResult]:
    """Results of run folders or official files by route id; the first of each counts."""
    found = find_results(paths, read_run_folder)
    for problem in found.problems:
        print(f"left out: {problem}")
    results: dict[str, RouteResult] = {}
    for result_set in found.sets:
        for file in result_set.files:
            for result in file.results:
                results.setdefault(result.xml_id, result)
    return results


def median(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else float("nan")


def infractions(results: Iterable[RouteResult]) -> int:
    """Entries of all infraction lists but the min-speed one, which costs nothing."""
    return sum(i.name != "min_speed_infractions" for result in results for i in result.infractions)


def row(name: str, pairs: Sequence[Pair]) -> str:
    speeds = [pair.speeds for pair in pairs]
    cells = (
        name,
        f"{len(pairs)}",
        f"{median([p.ours.duration_game for p in pairs]):.1f}",
        f"{median([p.theirs.duration_game for p in pairs]):.1f}",
        f"{median([p.time_ratio for p in pairs]):.2f}",
        f"{median([s for s, _ in speeds]):.0f}",
        f"{median([s for _, s in speeds]):.0f}",
        f"{infractions(p.ours for p in pairs)}",
        f"{infractions(p.theirs for p in pairs)}",
    )
    return "| " + " | ".join(cells) + " |"


def grouped(pairs: Iterable[Pair], key: Callable[[Pair], str]) -> dict[str, list[Pair]]:
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[key(pair)].append(pair)
    return dict(sorted(groups.items()))


_HEAD = (
    "| | routes | time, s | in CARLA | ratio | speed, % | in CARLA | infractions | in CARLA |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of our expert")
    parser.add_argument("reference", type=Path, nargs="+", help="official result files of the other expert")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    ours, theirs = read_results([options.run]), read_results(options.reference)
    # a record that was edited to nothing tells nothing
    pairs = [Pair(ours[i], theirs[i]) for i in ours if i in theirs and theirs[i].duration_game > 0.0]
    if not pairs:
        raise SystemExit("no route is in both")
    maps = grouped(pairs, lambda p: "rebuilt corridors" if p.ours.synthetic else "CARLA's maps")
    print(f"{len(pairs)} routes in both\n\n{_HEAD}")
    for name, group in maps.items():
        print(row(name, group))
    print(row("all", pairs))
    for name, group in maps.items():
        print(f"\n### {name[0].upper()}{name[1:]}\n\n{_HEAD}")
        for kind, of_kind in grouped(group, lambda p: scenario_type_of(p.ours.scenario_name)).items():
            print(row(kind, of_kind))
    print("\n### Far apart\n\n| route | type | map | time, s | in CARLA | status | in CARLA |")
    print("|---|---|---|---|---|---|---|")
    for p in sorted(pairs, key=lambda p: -abs(np.log(p.time_ratio))):
        if not 1.0 / FAR_APART < p.time_ratio < FAR_APART:
            place = "corridor" if p.ours.synthetic else p.ours.town
            print(
                f"| {p.ours.xml_id} | {scenario_type_of(p.ours.scenario_name)} | {place} | {p.ours.duration_game:.1f} "
                f"| {p.theirs.duration_game:.1f} | {p.ours.status} | {p.theirs.status} |"
            )
    if options.json:
        print(
            json.dumps(
                {
                    name: {
                        "routes": len(group),
                        "time_ratio": median([p.time_ratio for p in group]),
                        "speed": median([p.speeds[0] for p in group]),
                        "speed_reference": median([p.speeds[1] for p in group]),
                        "infractions": infractions(p.ours for p in group),
                        "infractions_reference": infractions(p.theirs for p in group),
                    }
                    for name, group in maps.items()
                }
            )
        )


if __name__ == "__main__":
    main()
