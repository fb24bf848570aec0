"""The table of docs/official.md, from run folders of `run_eval.py --official`: `python -m benchmarks.official A B`.

One row a route and one group of columns an agent, of whose runs the later ones named count: status, driving score, and
how many times faster than real time the official evaluator drove it (its own `duration_game` / `duration_system`).
`--write docs/official.md` puts the table between the page's two marks.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.ledger import read_ledger
from leaderboard_adapters.records import RouteResult, route_order

BEGIN, END = "<!-- table: python -m benchmarks.official -->", "<!-- end of table -->"


def read_results(folder: Path) -> tuple[str, dict[str, RouteResult]]:
    """Agent of a run, and its results by route id; the last attempt counts."""
    header, attempts = read_ledger(folder)
    return header["agent"], {attempt.route_id: attempt.result for attempt in attempts}


def table(runs: Sequence[tuple[str, Mapping[str, RouteResult]]]) -> str:
    """Markdown."""
    routes = sorted({r.xml_id: r for _, results in runs for r in results.values()}.values(), key=route_order)
    names = [agent.removeprefix("official:") for agent, _ in runs]
    groups = " | ".join(f"{name}: status | score | x real time" for name in names)
    lines = [f"| route | type | town | {groups} |", "|---|---|---" + "|---|---|---" * len(runs) + "|"]
    for route in routes:
        cells = [cell for _, results in runs for cell in _cells(results.get(route.xml_id))]
        lines.append(f"| {route.xml_id} | {route.scenario_type} | {route.town} | {' | '.join(cells)} |")
    totals = [cell for _, results in runs for cell in _totals(list(results.values()))]
    lines.append(f"| {len(routes)} routes | | | {' | '.join(totals)} |")
    return "\n".join(lines)


def _cells(result: RouteResult | None) -> tuple[str, str, str]:
    if result is None:
        return "-", "-", "-"
    return result.status.removeprefix("Failed - "), f"{result.score_composed:.1f}", f"{_ratio(result):.1f}"


def _totals(results: Sequence[RouteResult]) -> tuple[str, str, str]:
    crashed = sum("crashed" in result.status or "set up" in result.status for result in results)
    mean = statistics.fmean(result.score_composed for result in results)
    ratios = [_ratio(result) for result in results]
    return f"{crashed} crashed", f"mean {mean:.1f}", f"median {statistics.median(ratios):.1f}, least {min(ratios):.1f}"


def _ratio(result: RouteResult) -> float:
    return result.duration_game / max(result.duration_system, 1e-9)


def main() -> None:
    """Print the table, or write it to a page."""
    about = (__doc__ or "").partition(":")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.official", description=about)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--write", type=Path, metavar="FILE", help="page to write it to")
    options = parser.parse_args()
    runs: dict[str, dict[str, RouteResult]] = {}
    for agent, results in map(read_results, options.runs):
        runs.setdefault(agent, {}).update(results)
    text = table(list(runs.items()))
    if options.write is None:
        print(text)
        return
    page = options.write.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    options.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
