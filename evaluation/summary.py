"""The scores of a run: one JSON object for machines, tables for people.

Routes driven on maps and routes driven on rebuilt corridors are never pooled: each group is a block of its own, and
every block says which world and which kind of map it is from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.inference import inference_line, inference_summary
from evaluation.tasks import NEVER_DRIVEN
from leaderboard_adapters.abilities import abilities
from leaderboard_adapters.efficiency import efficiency
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.result_checks import counted, ids_of
from leaderboard_adapters.scores import driving_score, route_completion, success_rate
from leaderboard_adapters.worlds import has_own_traffic, maps_label, world_label


@dataclass(frozen=True)
class Block:
    """Scores of the routes on maps, or of those on rebuilt corridors.

    `driving_score`, `success_rate`, `route_completion` 0..100; `infraction_penalty` and the comforts 0..1; `efficiency`
    in percent of the surrounding traffic's speed; `abilities` shares 0..1 by name, and "mean". None where nothing
    counts. A crashed route counts as 0 in the first three and as 1 in the penalty, as its official record does.
    """

    world: str
    maps: str  # in words, see `worlds.maps_label`
    count: int  # attempts
    crashed: int  # of them never driven to an end
    scenarios_missing: int  # of them driven without a scenario that the route file asks for
    driving_score: float
    success_rate: float
    route_completion: float
    infraction_penalty: float
    efficiency: float | None
    comfort: float | None
    comfort_corrected: float | None
    abilities: dict[str, float | None]
    abilities_note: str

    def document(self) -> dict[str, Any]:
        """The block as JSON."""
        return dataclasses.asdict(self)


def blocks_of(results: Sequence[RouteResult]) -> list[Block]:
    """One block a kind of map that occurs, real maps first."""
    return [_block(group) for group in _groups(results)]


def _groups(results: Sequence[RouteResult]) -> list[list[RouteResult]]:
    groups = ([r for r in results if r.synthetic == synthetic] for synthetic in (False, True))
    return [group for group in groups if group]


def _block(results: Sequence[RouteResult]) -> Block:
    count = len(results)
    ability = abilities(results)
    return Block(
        world=world_label(results),
        maps=maps_label(results),
        count=count,
        crashed=sum(result.status in NEVER_DRIVEN for result in results),
        scenarios_missing=sum(bool(result.scenarios_missing) for result in results),
        driving_score=driving_score(results, count),
        success_rate=100.0 * success_rate(results, count),
        route_completion=route_completion(results, count),
        infraction_penalty=sum(result.score_penalty for result in results) / count,
        efficiency=efficiency(results).value,
        comfort=_mean([result.comfort for result in results]),
        comfort_corrected=_mean([result.comfort_corrected for result in results]),
        abilities={**ability.values(), "mean": ability.mean},
        abilities_note=ability.note,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def summary_document(header: dict[str, Any], results: Sequence[RouteResult]) -> dict[str, Any]:
    """The object of `--json` and of summary.json.

    The scores on top are those of the first block: of the maps where there are any. `synthetic` counts the routes that
    are not in them because a corridor stood in for their town, or that are all of them when `maps` says so.
    """
    blocks = blocks_of(results)
    return {
        **blocks[0].document(),
        "synthetic": sum(result.synthetic for result in results),
        "inference": inference_summary(results),
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
        "comfort_corrected": result.comfort_corrected,
        "first_junction": None if result.first_junction is None else list(result.first_junction),
        "scenarios_missing": list(result.scenarios_missing),
        "attempt": result.attempt,
        "route_length": result.route_length,
        "duration_game": result.duration_game,
        "seed": result.seed,
        "inference": dict(result.inference) or None,
        "notes": list(result.notes),
    }


def say(console: Console, text: str) -> None:
    """Print plain text as it is: no markup, no colours, no line breaks of its own, so that it can be copied."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_summary(console: Console, title: str, results: Sequence[RouteResult]) -> None:
    """A table a block: a row a scenario type, and the totals (driving score, success rate, route completion)."""
    for group in _groups(results):
        block = _block(group)
        no_score = " (no Bench2Drive scores)" if has_own_traffic(block.world) else ""
        say(console, f"\n{title}: {block.maps}, world {block.world}{no_score}")
        console.print(_table(group))
        say(console, _more(block, group))


def _table(results: Sequence[RouteResult]) -> Table:
    table = Table()
    table.add_column("scenario type", overflow="ellipsis")  # gives way in a narrow window; figures stay whole
    for name in ("routes", "DS", "SR %", "RC %", "penalty"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in sorted({result.scenario_type for result in results}):
        group = [result for result in results if result.scenario_type == kind]
        table.add_row(kind or "(none)", *_cells(group))
    table.add_section()
    table.add_row("all (synthetic)" if results[0].synthetic else "all", *_cells(results), style="bold")
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


def _more(block: Block, results: Sequence[RouteResult]) -> str:
    shares = ", ".join(f"{name} {_percent(value, 0)}" for name, value in block.abilities.items())
    speed = "-" if block.efficiency is None else f"{block.efficiency:.1f} %"
    lines = [
        f"efficiency {speed}, comfort {_percent(block.comfort)} (corrected {_percent(block.comfort_corrected)})",
        f"abilities: {shares}",
    ]
    if block.abilities_note:
        lines.append(f"  {block.abilities_note}")
    without = [result.route_id for result in results if result.scenarios_missing]
    if without:
        lines.append(f"{counted(without, 'route')} ran without {_its(without)} scenario: {ids_of(without)}")
    if block.crashed:
        lines.append(f"{block.crashed} of {block.count} crashed or could not be set up, counted as 0")
    costs = inference_summary(results)
    if costs is not None:
        lines.append(inference_line(costs))
    return "\n".join(lines)


def _its(things: Sequence[object]) -> str:
    return "its" if len(things) == 1 else "their"


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"
