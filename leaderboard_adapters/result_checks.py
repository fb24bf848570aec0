"""What is wrong, or worth knowing, about a result: the findings of a report.

Official files are edited by hand, merged with missing routes, scored by modified forks. A finding names what does not
follow from the records themselves, so that a number is never taken for more than it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass

from leaderboard_adapters.abilities import SIGNS, Abilities
from leaderboard_adapters.efficiency import Efficiency
from leaderboard_adapters.official_json import AbilityFile, Checkpoint, Merged
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import (
    AGENT_CRASHED,
    AGENT_NOT_SET_UP,
    BENCH2DRIVE_ROUTES,
    DURATION_CAP,
    SENSORS_INVALID,
    SIMULATION_CRASHED,
    TICK_CAP,
    TICK_RUNTIME,
    driving_score,
    global_record,
    penalty,
    success_rate,
)

#: Two decimals of a percentage message leave 5e-5 of the penalty open, its own six decimals a little more.
PENALTY_TOLERANCE = 5.1e-5
_SHOWN = 6


@dataclass(frozen=True)
class Finding:
    """One finding. `severity`: "error" (the scores cannot be taken as they stand), "warning" or "note"."""

    severity: str
    kind: str
    text: str
    routes: tuple[str, ...] = ()


def penalty_error(result: RouteResult) -> float:
    """|stored penalty - penalty recomputed from the messages|."""
    return abs(result.score_penalty - penalty(result.infractions))


def check_records(results: Sequence[RouteResult]) -> Iterator[Finding]:
    """Records that contradict themselves, broke a rule of the protocol, or failed for reasons other than driving."""
    odd = [(result, evidence) for result in results if (evidence := row_contradictions(result))]
    for result, evidence in odd[:_SHOWN]:
        yield Finding(
            "error",
            "row set by hand",
            f"route {result.xml_id}: {'; '.join(evidence)}. The row was edited, or scored by other rules.",
            (result.route_id,),
        )
    if len(odd) > _SHOWN:
        rest = tuple(result.route_id for result, _ in odd[_SHOWN:])
        yield Finding("error", "row set by hand", f"{len(rest)} more rows contradict themselves: {ids_of(rest)}.", rest)

    long = [result for result in results if result.duration_game > DURATION_CAP + 1e-6]
    if long:
        longest = max(result.duration_game for result in long)
        yield Finding(
            "error",
            "over the cap",
            f"{counted(long, 'route')} ran past the cap of {TICK_CAP} ticks ({DURATION_CAP:g} s), the longest "
            f"{longest:.2f} s: {ids_of(r.route_id for r in long)}. The cap was lifted; official scores have it.",
            tuple(r.route_id for r in long),
        )
    for reason, blame in (
        (SIMULATION_CRASHED, "the simulator failed, not the agent; drive them again"),
        (AGENT_NOT_SET_UP, "the agent did not start; they score 0"),
        (SENSORS_INVALID, "the agent's sensors were rejected; they score 0"),
        (AGENT_CRASHED, "the agent failed in a step; what it drove before still scores"),
    ):
        hit = [result for result in results if result.status == f"Failed - {reason}"]
        if hit:
            routes = tuple(r.route_id for r in hit)
            text = f"{counted(hit, 'record')} '{reason}' ({blame}): {ids_of(routes)}."
            yield Finding("warning", "crashed", text, routes)
    unfinished = [result for result in results if result.status == "Started"]
    if unfinished:
        routes = tuple(r.route_id for r in unfinished)
        yield Finding("error", "unfinished", f"{counted(unfinished, 'record')} never ended: {ids_of(routes)}.", routes)
    outside = [r for r in results if r.score_route >= 100 and penalty(r.infractions) <= 0]
    if outside:
        routes = tuple(r.route_id for r in outside)
        text = f"{counted(outside, 'route')} completed, all of it off the lanes: {ids_of(routes)}."
        text += " Did the ego fall through the ground?"
        yield Finding("warning", "completed off the road", text, routes)
    rebuilt = tuple(result.route_id for result in results if result.synthetic)
    if rebuilt:
        text = f"{counted(rebuilt, 'route')} driven on a corridor rebuilt from the route, without the town's map: "
        yield Finding("warning", "synthetic", f"{text}{ids_of(rebuilt)}. They are no Bench2Drive scores.", rebuilt)


def row_contradictions(result: RouteResult) -> list[str]:
    """What in a record does not follow from the rest of it."""
    found = []
    factor = penalty(result.infractions)
    if abs(result.score_penalty - factor) > PENALTY_TOLERANCE:
        found.append(f"score_penalty {result.score_penalty:g} does not follow from its infractions ({factor:.6g})")
    composed = result.score_route * result.score_penalty
    if abs(composed - result.score_composed) > 1e-4:
        found.append(f"score_composed {result.score_composed:g} is not score_route x score_penalty ({composed:.6g})")
    finished = result.status in ("Completed", "Perfect")
    if finished != (result.score_route >= 100) and result.status != "Started":
        found.append(f"status '{result.status}' with score_route {result.score_route:g}")
    if TICK_RUNTIME in result.status and abs(result.duration_game - DURATION_CAP) > 0.05 + 1e-6:
        if result.duration_game < DURATION_CAP:
            found.append(f"status {TICK_RUNTIME} after {result.duration_game:g} s (the cap is {DURATION_CAP:g} s)")
    told = f"{result.town}_{result.scenario_name}_{result.weather_id}"
    named = re.fullmatch(rf"{re.escape(result.route_id)}_(.+?)(_\d\d){{5}}", result.save_name)
    if named and named[1] != told:
        found.append(f"save_name says {named[1]}, the record {told}")
    found.extend(note for note in result.notes if note.startswith(("num_infractions", "infraction_")))
    return found


def check_coverage(
    kept: Sequence[RouteResult],
    duplicates: Sequence[RouteResult],
    total: int,
    missing: Sequence[str] | None,
    foreign: Sequence[str],
    *,
    planned: bool = False,
) -> Iterator[Finding]:
    """Routes recorded twice, not at all, or not of the suite. `total` counts repetitions; ids are of the route file.

    `planned`: the routes are those that a run planned, so what lacks can be driven by continuing it.
    """
    if duplicates:
        routes = tuple(result.route_id for result in duplicates)
        everything = driving_score([*kept, *duplicates], total)
        yield Finding(
            "error",
            "duplicates",
            f"{counted(duplicates, 'record')} of routes that already have one: {ids_of(routes)}. The first record "
            f"counts here; the official merge counts all (driving score {everything:.4f}).",
            routes,
        )
    if len(kept) < total:
        text = f"{total - len(kept)} of {total} routes have no record and count as 0"
        if missing:
            text += f": {ids_of(missing)}"
        if kept and (planned or not missing):
            text += f" (over the {len(kept)} recorded: driving score {driving_score(kept, max(len(kept), 1)):.2f})"
        kind = "incomplete run" if planned else "missing routes"
        remedy = "Continue the run with --resume." if planned else "Drive them, or give the suite's number of routes."
        yield Finding("warning", kind, f"{text}. {remedy}")
    elif len(kept) > total:
        text = f"{len(kept)} routes recorded, the scores are divided by {total}. Give the suite's number of routes."
        yield Finding("error", "too many routes", text)
    if foreign:
        text = f"{counted(foreign, 'record')} of routes that are not in the route file, left out: {ids_of(foreign)}."
        yield Finding("warning", "foreign routes", text, tuple(foreign))


def check_header(
    file: Checkpoint | Merged, total: int = BENCH2DRIVE_ROUTES, pooled: Sequence[RouteResult] | None = None
) -> Iterator[Finding]:
    """A header that disagrees with its records. `total`: routes that a merged header should be divided by.

    `pooled`: the shards' records that a merged file should repeat.
    """
    name = file.path
    if isinstance(file, Checkpoint):
        yield from _check_checkpoint(file)
        return
    results = file.results
    if file.eval_num is not None and file.eval_num != len(results):
        text = f"{name}: eval num says {file.eval_num}, the file holds {len(results)} records."
        yield Finding("warning", "header", text)
    divisor = total if total >= len(results) else BENCH2DRIVE_ROUTES  # a suite smaller than the file is a part of it
    for label, stored, scale, score in (
        ("driving score", file.driving_score, 1, driving_score),
        ("success rate", file.success_rate, 100, success_rate),
    ):
        if stored is None or any(abs(stored - score(results, n)) < 1e-6 for n in (divisor, BENCH2DRIVE_ROUTES)):
            continue
        if abs(stored - score(results, max(len(results), 1))) < 1e-6:
            why = f"it is divided by the {len(results)} records, not by the {divisor} routes"
        else:
            why = "it does not follow from the records"
        right = score(results, divisor) * scale
        text = f"{name}: {label} in the header is {stored * scale:.4f}, {why}: {right:.4f}."
        yield Finding("warning", "header", text)
    if pooled is not None:
        own, theirs = ({r.route_id: r.score_composed for r in records} for records in (results, pooled))
        differing = [route for route in sorted(own.keys() | theirs.keys()) if own.get(route) != theirs.get(route)]
        if differing:
            text = f"{name} and the shards beside it differ: {ids_of(differing)}. The shards count."
            yield Finding("warning", "merged differs", text, tuple(differing))
        else:
            yield Finding("note", "merged agrees", f"{name} repeats the shards beside it; the shards count.")


def _check_checkpoint(file: Checkpoint) -> Iterator[Finding]:
    if not file.results and file.run is None:
        yield Finding("warning", "empty", f"{file.path}: the file holds no record.")
    total = file.progress[1] if file.progress else len(file.results)
    if file.run is not None:
        pass  # what lacks in a run is told once, of the whole run
    elif file.entry_status != "Finished":
        text = f"{file.path}: entry_status is {file.entry_status}, with {len(file.results)} of {total} routes recorded."
        yield Finding("warning", "unfinished", text)
    elif len(file.results) != total:
        text = f"{file.path}: progress says {total} routes, the file holds {len(file.results)} records."
        yield Finding("warning", "header", text)
    if file.global_record:
        own = global_record(file.results, max(total, 1))
        parts = ("scores_mean", "scores_std_dev", "infractions")
        wrong = [key for key in parts if file.global_record.get(key) != own[key]]
        if wrong:
            mean = (file.global_record.get("scores_mean") or {}).get("score_composed")
            text = f"{file.path}: global_record ({', '.join(wrong)}) does not follow from the records"
            text += f": driving score {mean}, recomputed {own['scores_mean']['score_composed']}."
            yield Finding("warning", "header", text)


def check_stored_abilities(file: AbilityFile, own: Abilities, speed: Efficiency) -> Iterator[Finding]:
    """A stored ability file against the abilities of the records."""
    equal: list[str] = []
    different: list[tuple[str, float, float]] = []
    for name, value in own.values().items():
        stored = file.values.get(name)
        if stored is None or value is None or (name == SIGNS and not own.signs_exact):
            continue
        if abs(stored - value) < 1e-9:
            equal.append(name)
        else:
            different.append((name, stored, value))
    if file.efficiency is not None and speed.value is not None:
        if abs(file.efficiency - speed.value) < 1e-6:
            equal.append("Driving Efficiency")
        else:
            different.append(("Driving Efficiency", file.efficiency, speed.value))
    if equal:
        yield Finding("note", "stored abilities", f"{file.path}: {', '.join(equal)} agree with the records.")
    for name, stored, value in different:
        text = f"{file.path}: {name} is {stored:.6g}, the records give {value:.6g}."
        yield Finding("warning", "stored abilities", text)
    signs = file.values.get(SIGNS)
    if signs is not None and not own.signs_exact:
        fits = [version for version, s in own.signs.items() if s.low - 1e-9 <= signs <= s.high + 1e-9]
        text = f"{file.path}: Traffic_Signs {signs:.4f}, "
        text += f"possible by the rule of version {' or '.join(fits)}" if fits else "not possible by either rule"
        yield Finding("note" if fits else "warning", "stored abilities", text + "; maps needed to recompute it.")


def check_types(results: Iterable[RouteResult], types: Mapping[str, str]) -> Iterator[Finding]:
    """Records whose scenario is not the one of the route file."""
    wrong = [r for r in results if r.xml_id in types and r.scenario_type != types[r.xml_id]]
    if wrong:
        routes = tuple(r.route_id for r in wrong)
        text = f"{counted(wrong, 'record')} with another scenario than the route file, which counts: {ids_of(routes)}."
        yield Finding("warning", "scenario differs", text, routes)


def counted(things: Sized, noun: str) -> str:
    """Their number with a noun: "1 route", "2 routes"."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def ids_of(routes: Iterable[str], shown: int = 10) -> str:
    """Short route ids for a sentence: "1711, 2201 and 5 more"."""
    names = [route.replace("RouteScenario_", "").replace("_rep0", "") for route in routes]
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
