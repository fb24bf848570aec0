"""Read and write the official result files: checkpoint, merged.json, ability JSON (fields: docs/scores.md).

Reading is strict: a file that is truncated, malformed, or lacks a field raises `ResultFileError`, which names the file
and the place in it. Writing gives the official key order and indentation: a file read and written again is unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from leaderboard_adapters.abilities import ABILITIES, Abilities
from leaderboard_adapters.json_files import Place, read_json
from leaderboard_adapters.own_record import KEY, RunInfo, own_document, read_run, run_document, with_own_document
from leaderboard_adapters.records import INFRACTION_NAMES, Infraction, RouteResult, scenario_type_of
from leaderboard_adapters.scores import (
    BENCH2DRIVE_ROUTES,
    driving_score,
    entry_status,
    global_record,
    metres_in,
    percentage_in,
    success_rate,
)

ENTRY_STATUSES = ("Started", "Finished", "Rejected", "Crashed", "Invalid")

#: Labels of a checkpoint in file order, each with the number of the global record that stands under it.
_LABELS = (
    ("Avg. driving score", "scores_mean", "score_composed"),
    ("Avg. route completion", "scores_mean", "score_route"),
    ("Avg. infraction penalty", "scores_mean", "score_penalty"),
    ("Collisions with pedestrians", "infractions", "collisions_pedestrian"),
    ("Collisions with vehicles", "infractions", "collisions_vehicle"),
    ("Collisions with layout", "infractions", "collisions_layout"),
    ("Red lights infractions", "infractions", "red_light"),
    ("Stop sign infractions", "infractions", "stop_infraction"),
    ("Off-road infractions", "infractions", "outside_route_lanes"),
    ("Route deviations", "infractions", "route_dev"),
    ("Route timeouts", "infractions", "route_timeout"),
    ("Agent blocked", "infractions", "vehicle_blocked"),
    ("Yield emergency vehicles infractions", "infractions", "yield_emergency_vehicle_infractions"),
    ("Scenario timeouts", "infractions", "scenario_timeouts"),
    ("Min speed infractions", "infractions", "min_speed_infractions"),
)

_RECORD_KEYS = (
    "index",
    "route_id",
    "scenario_name",
    "weather_id",
    "save_name",
    "status",
    "num_infractions",
    "infractions",
    "scores",
    "meta",
    "town_name",
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file: one process's routes. `progress` is (routes started, routes in all), () where none stands.

    `run`: the run that it tells of, None in other people's files.
    """

    path: str
    results: tuple[RouteResult, ...]
    progress: tuple[int, ...] = ()
    global_record: dict[str, Any] = field(default_factory=dict)
    entry_status: str = "Started"
    sensors: tuple[str, ...] = ()
    run: RunInfo | None = None


@dataclass(frozen=True)
class Merged:
    """A merged.json: a benchmark's routes. `success_rate` is a share 0..1; header fields are None where none stand.

    `run`: the run that it tells of, None in other people's files.
    """

    path: str
    results: tuple[RouteResult, ...]
    driving_score: float | None = None
    success_rate: float | None = None
    eval_num: int | None = None
    run: RunInfo | None = None


@dataclass(frozen=True)
class AbilityFile:
    """A stored ability file: shares 0..1 by ability, and by "mean"; crashed routes as (scenario type, route id)."""

    path: str
    values: dict[str, float]
    crashed: tuple[tuple[str, str], ...] = ()
    efficiency: float | None = None
    smoothness: float | None = None


# --- reading ---------------------------------------------------------------------------------------------------------


def is_result_document(document: Any) -> bool:
    """Whether a JSON document claims to be a checkpoint or a merged.json."""
    return isinstance(document, dict) and "_checkpoint" in document


def is_ability_document(document: Any) -> bool:
    """Whether a JSON document claims to be an ability file."""
    return isinstance(document, dict) and "mean" in document and any(name in document for name in ABILITIES)


def read_result_file(path: str | os.PathLike[str]) -> Checkpoint | Merged:
    """A checkpoint or a merged.json. Raises `ResultFileError` naming the file and the place in it."""
    return parse_result_document(read_json(path), str(path))


def parse_result_document(document: Any, path: str) -> Checkpoint | Merged:
    """The same from a JSON document; `path` is what errors name."""
    root = Place(path, document)
    checkpoint = root.at("_checkpoint")
    results = tuple(_read_record(item) for item in checkpoint.at("records").items())
    run = read_run(root)
    if not root.has("entry_status") and not checkpoint.has("progress"):
        return Merged(
            path,
            results,
            root.at("driving score").number() if root.has("driving score") else None,
            root.at("success rate").number() if root.has("success rate") else None,
            root.at("eval num").integer() if root.has("eval num") else None,
            run,
        )
    status = root.at("entry_status").text()
    if status not in ENTRY_STATUSES:
        raise root.at("entry_status").fail(f"one of {', '.join(ENTRY_STATUSES)}")
    progress = tuple(item.integer() for item in checkpoint.at("progress").items())
    if len(progress) not in (0, 2):
        raise checkpoint.at("progress").fail("[routes started, routes in all]")
    return Checkpoint(
        path,
        results,
        progress,
        checkpoint.at("global_record").mapping(),
        status,
        tuple(item.text() for item in root.at("sensors").items()),
        run,
    )


def _read_record(record: Place) -> RouteResult:
    lists = record.at("infractions")
    names = [*INFRACTION_NAMES, *(name for name in lists.mapping() if name not in INFRACTION_NAMES)]
    infractions = tuple(_read_infraction(name, item) for name in names for item in lists.at(name).items())
    scores, meta = record.at("scores"), record.at("meta")
    weather = record.at("weather_id")
    scenario_name = record.at("scenario_name").text()
    stated = record.at("num_infractions").integer()
    notes = () if stated == len(infractions) else (f"num_infractions says {stated}, the lists hold {len(infractions)}",)
    extra = {key: value for key, value in record.mapping().items() if key not in (*_RECORD_KEYS, KEY)}
    synthetic = extra.get("synthetic") is True
    if synthetic:
        del extra["synthetic"]
    result = RouteResult(
        route_id=record.at("route_id").text(),
        scenario_name=scenario_name,
        scenario_type=scenario_type_of(scenario_name),
        town=record.at("town_name").text(),
        weather_id=None if weather.value is None else weather.text(),
        save_name=record.at("save_name").text(),
        status=record.at("status").text(),
        infractions=infractions,
        score_route=scores.at("score_route").number(0),
        score_penalty=scores.at("score_penalty").number(0),
        score_composed=scores.at("score_composed").number(0),
        route_length=meta.at("route_length").number(0),
        duration_game=meta.at("duration_game").number(),
        duration_system=meta.at("duration_system").number(),
        index=record.at("index").integer() if record.has("index") else 0,
        synthetic=synthetic,
        notes=notes,
        extra=extra,
    )
    return with_own_document(result, record.at(KEY)) if record.has(KEY) else result


def _read_infraction(name: str, item: Place) -> Infraction:
    message = item.text()
    share = percentage_in(message)
    if name in ("outside_route_lanes", "min_speed_infractions") and share is None:
        raise item.fail("a message with a percentage")
    if name == "outside_route_lanes" and metres_in(message) is None:
        raise item.fail("a message with metres as its ninth word")
    return Infraction(name, message, percentage=share or 0.0)


def read_ability_file(path: str | os.PathLike[str]) -> AbilityFile:
    """A stored ability file. Raises `ResultFileError` naming the file and the place in it."""
    root = Place(str(path), read_json(path))
    crashed = []
    for item in root.at("crashed").items() if root.has("crashed") else []:
        if len(pair := item.items()) != 2:
            raise item.fail("[scenario type, route id]")
        crashed.append((pair[0].text(), pair[1].text()))
    return AbilityFile(
        str(path),
        {name: root.at(name).number() for name in (*ABILITIES, "mean") if root.has(name)},
        tuple(crashed),
        root.at("Driving Efficiency").number() if root.has("Driving Efficiency") else None,
        root.at("Driving Smoothness").number() if root.has("Driving Smoothness") else None,
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def record_document(result: RouteResult, *, with_index: bool = True) -> dict[str, Any]:
    """One record in official key order. Numbers keep their type: officially a finished route has an int 100.

    A result of ours, told by its `world`, carries the rest of itself under "routegym"; a corridor's also a plain
    `"synthetic": true`, for readers that know nothing of us.
    """
    lists: dict[str, list[str]] = {name: [] for name in INFRACTION_NAMES}
    for infraction in result.infractions:
        lists.setdefault(infraction.name, []).append(infraction.message)
    document: dict[str, Any] = {"index": result.index} if with_index else {}
    document.update(
        route_id=result.route_id,
        scenario_name=result.scenario_name,
        weather_id=result.weather_id,
        save_name=result.save_name,
        status=result.status,
        num_infractions=len(result.infractions),
        infractions=lists,
        scores={key: getattr(result, key) for key in ("score_route", "score_penalty", "score_composed")},
        meta={key: getattr(result, key) for key in ("route_length", "duration_game", "duration_system")},
        town_name=result.town,
    )
    document.update(result.extra)
    if result.synthetic:
        document["synthetic"] = True
    if result.world:
        document[KEY] = own_document(result)
    return document


def checkpoint_document(
    results: Sequence[RouteResult],
    total: int | None = None,
    *,
    sensors: Sequence[str] = (),
    finished: bool = True,
    started: int | None = None,
    run: RunInfo | None = None,
) -> dict[str, Any]:
    """A checkpoint file of `total` routes (default: as many as there are results), with what `run` tells of them.

    `sensors` are icon names such as "carla_camera". While an evaluation runs (`finished=False`) the global record,
    values and labels stay empty, as in the official file; afterwards it is Invalid unless all routes have a record.
    """
    total = len(results) if total is None else total
    started = len(results) if started is None else started
    record = global_record(results, max(total, 1)) if finished else {}
    status = "Started"
    if finished:
        status = entry_status(results)
        complete = started == total == len(results) and all(r.status != "Started" for r in results)
        if status != "Crashed" and not complete:
            status = "Invalid"
    return {
        "_checkpoint": {
            "global_record": record,
            "progress": [started, total],
            "records": [record_document(result) for result in results],
        },
        "entry_status": status,
        "eligible": status == "Finished",
        "sensors": list(sensors),
        "values": [str(record[part][key]) for _, part, key in _LABELS] if finished else [],
        "labels": [label for label, _, _ in _LABELS] if finished else [],
        **_told(run),
    }


def merged_document(
    results: Sequence[RouteResult], total: int = BENCH2DRIVE_ROUTES, *, run: RunInfo | None = None
) -> dict[str, Any]:
    """A merged.json over a suite of `total` routes: records without index, by route id as text, descending."""
    ordered = sorted(results, key=lambda result: result.route_id, reverse=True)
    return {
        "_checkpoint": {"records": [record_document(result, with_index=False) for result in ordered]},
        "driving score": driving_score(ordered, total),
        "success rate": success_rate(results, total),
        "eval num": len(results),
        **_told(run),
    }


def _told(run: RunInfo | None) -> dict[str, Any]:
    return {} if run is None else {KEY: run_document(run)}


def ability_document(
    abilities: Abilities, *, efficiency: float | None = None, smoothness: float | None = None
) -> dict[str, Any]:
    """An ability file. Where the official Traffic_Signs rule could not be applied, the file says so in one more key."""
    document: dict[str, Any] = {name: value for name, value in abilities.values().items() if value is not None}
    document["mean"] = abilities.mean
    if efficiency is not None:
        document["Driving Efficiency"] = efficiency
    if smoothness is not None:
        document["Driving Smoothness"] = smoothness
    document["crashed"] = [list(pair) for pair in abilities.crashed]
    if not abilities.signs_exact:
        document["Traffic_Signs_rule"] = abilities.note
    return document
