"""A run folder: the official files that a run leaves in it, and reading it back from its ledger."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.ledger import LEDGER_NAME, read_ledger
from leaderboard_adapters.abilities import abilities
from leaderboard_adapters.comfort import METRIC_FILE, METRIC_FOLDER
from leaderboard_adapters.efficiency import efficiency
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.official_json import Checkpoint, ability_document, checkpoint_document, merged_document
from leaderboard_adapters.own_record import RunInfo
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.result_files import ResultSet
from simulator.errors import EvaluationError

#: Official checkpoint files of a run folder; merged and ability files are named alike.
REAL_FILE = "checkpoint.json"
SYNTHETIC_FILE = "checkpoint_synthetic.json"
SUMMARY_FILE = "summary.json"


def run_info(header: dict[str, Any], synthetic: bool) -> RunInfo:
    """What the header of a run (`runner.run_header`) says of its routes on corridors, or of those on maps."""
    rebuilt = set(header["synthetic_routes"])
    types: dict[str, str] = header["scenario_types"]
    return RunInfo(
        suite=header["suite"],
        suite_digest=header["route_file_digest"],
        suite_routes=header["suite_routes"],
        routes={route: types[route] for route in header["routes"] if (route in rebuilt) == synthetic},
        synthetic=synthetic,
        repetitions=header["repetitions"],
        skipped=len(header["skipped_routes"]),
        agent=header["agent"],
        seed=header["seed"],
        world=header["versions"]["world"],
        scorer=header["versions"]["scorer"],
    )


def export(folder: Path, header: dict[str, Any], results: Sequence[RouteResult], summary: dict[str, Any]) -> None:
    """Write the official files, maps and corridors apart, and summary.json.

    Raises:
        EvaluationError: when the folder cannot be written.
    """
    try:
        for synthetic, name in ((False, REAL_FILE), (True, SYNTHETIC_FILE)):
            run = run_info(header, synthetic)
            group = [result for result in results if result.synthetic == synthetic]
            if not group:
                continue
            merged = name.replace("checkpoint", "merged")
            ability = abilities(group, scenario_types=run.routes)
            comforts = [result.comfort for result in group if result.comfort is not None]
            smoothness = sum(comforts) / len(comforts) if comforts else None
            write_json(folder / name, checkpoint_document(group, run.planned, run=run))
            write_json(folder / merged, merged_document(group, run.planned, run=run))
            write_json(
                folder / merged.replace(".json", "_ability.json"),
                ability_document(ability, efficiency=efficiency(group).value, smoothness=smoothness),
            )
        write_json(folder / SUMMARY_FILE, summary)
    except OSError as error:
        raise EvaluationError(f"cannot write result files to {folder}: {error.strerror}; the ledger is safe") from error


def read_run_folder(folder: Path) -> list[ResultSet] | None:
    """Results of a run folder, from its ledger: one for its maps, one for its corridors. None without a ledger.

    The last attempt of a route counts. A run that goes on, or was cut off, is read as far as it came.

    Raises:
        EvaluationError: when the ledger cannot be read.
    """
    if not (folder / LEDGER_NAME).is_file():
        return None
    header, attempts = read_ledger(folder)
    last = {(attempt.route_id, attempt.repetition): attempt.result for attempt in attempts}
    found = []
    for synthetic in (False, True):
        try:
            run = run_info(header, synthetic)
        except KeyError as error:
            lacks = f"{folder / LEDGER_NAME}: its header lacks {error}; another version wrote it"
            raise EvaluationError(lacks) from error
        keys = [(route, repetition) for route in run.routes for repetition in range(run.repetitions)]
        results = [dataclasses.replace(last[key], index=i) for i, key in enumerate(keys) if key in last]
        if not keys:
            continue
        name = folder.resolve().name + (" (synthetic corridors)" if synthetic else "")
        metrics = {path.parent.name: path for path in sorted(folder.glob(f"{METRIC_FOLDER}/*/{METRIC_FILE}"))}
        file = Checkpoint(str(folder / LEDGER_NAME), tuple(results), (len(results), len(keys)), {}, "Finished", (), run)
        found.append(ResultSet(name, [file], metrics=metrics))
    return found
