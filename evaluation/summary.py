"""The scores of a run: one JSON object for machines, tables for people.

Routes driven on real maps and routes driven on rebuilt corridors are never pooled: each group is a block of its own,
and every block says which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.tasks import NEVER_DRIVEN
from leaderboard_adapters.abilities import abilities
from leaderboard_adapters.efficiency import efficiency
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import driving_score, route_completion, success_rate

REAL = "real maps"
SYNTHETIC = "synthetic corridors"


@dataclass(frozen=True)
class Block:
    """Scores of routes of one kind of map.

    `driving_score`, `success_rate`, `route_completion` 0..100; `infraction_penalty` and `comfort` 0..1; `efficiency` in
    percent of the surrounding traffic's speed; `abilities` shares 0..1 by name, and "mean". None where nothing counts.
    A crashed route counts as 0 in the first three and as 1 in the penalty, as its official record does.
    """

    maps: str  # REAL or SYNTHETIC
    count: int  # attempts
    crashed: int  # of them never driven to an end
    driving_score: float
    success_rate: float
    route_completion: float
    infraction_penalty: float
    efficiency: float | None
    comfort: float | None
    abilities: dict[str, float | None]
    abilities_note: str

    def document(self) -> dict[str, Any]:
        """The block as JSON."""
        return {
            "maps": self.maps,
            "count": self.count,
            "crashed": self.crashed,
            "driving_score": self.driving_score,
            "success_rate": self.success_rate,
            "route_completion": self.route_completion,
            "infraction_penalty": self.infraction_penalty,
            "efficiency": self.efficiency,
            "comfort": self.comfort,
            "abilities": self.abilities,
            "abilities_note": self.abilities_note,
        }


def blocks_of(results: Sequence[RouteResult]) -> list[Block]:
    """One block a kind of map that occurs, real maps first."""
    groups = [(REAL, [r for r in results if not r.synthetic]), (SYNTHETIC, [r for r in results if r.synthetic])]
    return [_block(maps, group) for maps, group in groups if group]


def _block(maps: str, results: Sequence[RouteResult]) -> Block:
    count = len(results)
    comforts = [result.comfort for result in results if result.comfort is not None]
    ability = abilities(results)
    return Block(
        maps=maps,
        count=count,
        crashed=sum(result.status in NEVER_DRIVEN for result in results),
        driving_score=driving_score(results, count),
        success_rate=100.0 * success_rate(results, count),
        route_completion=route_completion(results, count),
        infraction_penalty=sum(result.score_penalty for result in results) / count,
        efficiency=efficiency(results).value,
        comfort=sum(comforts) / len(comforts) if comforts else None,
        abilities={**ability.values(), "mean": ability.mean},
        abilities_note=ability.note,
    )


def summary_document(header: dict[str, Any], results: Sequence[RouteResult]) -> dict[str, Any]:
    """The object of `--json` and of summary.json.

    The scores on top are those of the first block: of the real maps where there are any. `synthetic` counts the routes
    that are not in them because a corridor stood in for their town, or that are all of them when `maps` says so.
    """
    blocks = blocks_of(results)
    return {
        **blocks[0].document(),
        "synthetic": sum(result.synthetic for result in results),
        "blocks": [block.document() for block in blocks],
        **header,
        "routes": [_route_document(result) for result in results],
    }


def _route_document(result: RouteResult) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for infraction in result.infractions:
        counts[infraction.name] = counts.get(infraction.name, 0) + 1
    return {
        "route_id": result.xml_id,
        "repetition": int(result.repetition),
        "scenario_type": result.scenario_type,
        "town": result.town,
        "synthetic": result.synthetic,
        "status": result.status,
        "success": result.success,
        "driving_score": result.score_composed,
        "route_completion": result.score_route,
        "infraction_penalty": result.score_penalty,
        "infractions": counts,
        "comfort": result.comfort,
        "route_length": result.route_length,
        "duration_game": result.duration_game,
        "seed": result.seed,
        "notes": list(result.notes),
    }


def say(console: Console, text: str) -> None:
    """Print plain text as it is: no markup, no colours, no line breaks of its own, so that it can be copied."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_summary(console: Console, title: str, results: Sequence[RouteResult]) -> None:
    """A table a block: a row a scenario type, and the totals (driving score, success rate, route completion)."""
    for block in blocks_of(results):
        rows = [result for result in results if result.synthetic == (block.maps == SYNTHETIC)]
        console.print(_table(f"{title}, {block.maps}", rows, block))
        say(console, _more(block))


def _table(title: str, results: Sequence[RouteResult], block: Block) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("scenario type", no_wrap=True)
    for name in ("routes", "DS", "SR %", "RC %", "penalty"):
        table.add_column(name, justify="right")
    for kind in sorted({result.scenario_type for result in results}):
        group = [result for result in results if result.scenario_type == kind]
        table.add_row(kind or "(none)", *_cells(group))
    table.add_section()
    table.add_row("all" if block.maps == REAL else "all (synthetic)", *_cells(results), style="bold")
    return table


def _cells(results: Sequence[RouteResult]) -> Iterable[str]:
    count = len(results)
    return (
        str(count),
        f"{driving_score(results, count):.2f}",
        f"{100.0 * success_rate(results, count):.1f}",
        f"{route_completion(results, count):.1f}",
        f"{sum(result.score_penalty for result in results) / count:.3f}",
    )


def _more(block: Block) -> str:
    shares = ", ".join(
        f"{name} {'-' if value is None else f'{100 * value:.0f} %'}" for name, value in block.abilities.items()
    )
    speed = "-" if block.efficiency is None else f"{block.efficiency:.1f} %"
    smooth = "-" if block.comfort is None else f"{100 * block.comfort:.1f} %"
    lines = [f"efficiency {speed}, comfort {smooth}", f"abilities: {shares}"]
    if block.abilities_note:
        lines.append(f"  {block.abilities_note}")
    if block.crashed:
        lines.append(f"{block.crashed} of {block.count} crashed or could not be set up, counted as 0")
    return "\n".join(lines)
