"""Findings about how a run came about: where it drove, which routes, and what it had to do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leaderboard_adapters.own_record import RunInfo
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.result_checks import Finding, counted, ids_of
from leaderboard_adapters.worlds import has_own_traffic, is_embedded, world_label


def check_run(results: Sequence[RouteResult], run: RunInfo | None) -> Iterator[Finding]:
    """What the results of a run say of themselves, beyond their scores. Other people's results say nothing."""
    world = world_label(results) or (run.world if run else "")
    if is_embedded(world):
        text = f"these are no Bench2Drive scores: the world is {world}, not CARLA."
        yield Finding("warning", "embedded world", text)
    elif has_own_traffic(world):
        text = f"these are no Bench2Drive scores: traffic and scenarios are RouteGym's own ({world})."
        yield Finding("warning", "own traffic", text)
    if run is not None and len(run.routes) < run.suite_routes:
        text = f"{run.suite_label} were to be driven; the scores are over these."
        if run.skipped:
            text += f" {run.skipped} more were left out, for want of their towns' maps."
        yield Finding("warning", "part of a suite", text)
    without = [result for result in results if result.scenarios_missing]
    if without:
        routes = tuple(result.route_id for result in without)
        names = sorted({name for result in without for name in result.scenarios_missing})
        text = f"{counted(without, 'route')} ran without a scenario ({_some(names)}), which could not be placed "
        text += f"or is not supported: {ids_of(routes)}. The notes tell why."
        yield Finding("warning", "scenario missing", text, routes)
    again = [result for result in results if result.attempt > 1]
    if again:
        routes = tuple(result.route_id for result in again)
        told = ", ".join(f"{ids_of([result.route_id])} ({result.attempt} attempts)" for result in again[:6])
        more = f" and {len(again) - 6} more" if len(again) > 6 else ""
        text = f"{counted(again, 'route')} driven again after a failed attempt: {told}{more}. The last one counts."
        yield Finding("warning", "driven again", text, routes)
    noted = [result for result in results if result.notes and not result.scenarios_missing and result.attempt == 1]
    if noted and world:
        text = f"{counted(noted, 'route')} with a note, such as: {noted[0].notes[0]}."
        yield Finding("note", "notes", text, tuple(result.route_id for result in noted))


def _some(names: Sequence[str], shown: int = 4) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
