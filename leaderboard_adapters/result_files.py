"""Find what lies under a path: which result files make one result, and what lies beside them.

A path may be a file, a folder of shards, a folder of one-file-a-route folders, or a folder of any of those:

* checkpoint files of one folder are shards of one result;
* a merged.json beside shards repeats them: it is compared, not counted (the official merge skips it too);
* merged files without shards are a result each;
* below a folder, folders whose files hold at most one record each are one result, and so are folders whose routes are
  all different; folders that repeat routes are a result each.

A bad file becomes a problem with its name and place; the good ones beside it are still read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leaderboard_adapters.official_json import (
    AbilityFile,
    Checkpoint,
    Merged,
    is_ability_document,
    is_result_document,
    parse_result_document,
    read_ability_file,
    read_json,
)
from simulator.errors import ResultFileError

METRIC_FILE = "metric_info.json"


@dataclass
class ResultSet:
    """The files of one result. `companions`: merged files that repeat them. `metrics`: metric_info by folder name."""

    name: str
    files: list[Checkpoint | Merged] = field(default_factory=list)
    companions: list[Merged] = field(default_factory=list)
    abilities: list[AbilityFile] = field(default_factory=list)
    metrics: dict[str, Path] = field(default_factory=dict)

    def metric_file(self, save_name: str) -> Path | None:
        """The metric_info.json of a record: folder `<save_name>`, or `<routes>_<save_name>` as some agents write it."""
        if save_name in self.metrics:
            return self.metrics[save_name]
        longer = [name for name in self.metrics if name.endswith("_" + save_name)]
        if longer:
            return self.metrics[min(longer)]
        beside = [Path(file.path).parent / save_name / METRIC_FILE for file in self.files]
        return next((path for path in beside if save_name and path.is_file()), None)


@dataclass
class Found:
    """All results below some paths, what could not be read, and JSON files that are no result files."""

    sets: list[ResultSet] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def find_results(paths: Iterable[str | os.PathLike[str]]) -> Found:
    """Read everything below `paths`. Never raises for a bad file or an empty folder: they stand in `problems`."""
    found = Found()
    for path in map(Path, paths):
        if not path.exists():
            found.problems.append(f"{path}: no such file or folder. Check the path.")
        elif path.is_dir():
            before = len(found.problems)
            sets = [result for result in _read_folder(path, found) if result.files]
            if not sets and len(found.problems) == before:
                found.problems.append(f"{path}: no result file (*.json with '_checkpoint') in this folder or below it.")
            found.sets += sets
        else:
            alone = ResultSet(path.stem)
            _read_file(path, alone, found, wanted=True)
            alone.files += alone.companions
            alone.companions = []
            found.sets += [alone] if alone.files else []
            if alone.abilities:
                found.problems.append(f"{path}: an ability file holds no records. Give the merged.json beside it.")
    _name_apart(found.sets)
    return found


def _read_file(path: Path, into: ResultSet, found: Found, *, wanted: bool = False) -> None:
    """Read one JSON file to where it belongs. `wanted`: the user named it, so a foreign file is a problem."""
    try:
        document = read_json(path)
        if is_result_document(document):
            read = parse_result_document(document, str(path))
            if isinstance(read, Merged):
                into.companions.append(read)
            else:
                into.files.append(read)
        elif is_ability_document(document):
            into.abilities.append(read_ability_file(path))
        elif wanted:
            raise ResultFileError(f"{path}: '_checkpoint' is missing: this is not a result file. Check the path.")
        else:
            found.skipped.append(str(path))
    except ResultFileError as error:
        found.problems.append(str(error))


def _read_folder(folder: Path, found: Found) -> list[ResultSet]:
    here = ResultSet(folder.resolve().name)
    below: list[ResultSet] = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            below += _read_folder(entry, found)
        elif entry.name == METRIC_FILE:
            here.metrics[folder.name] = entry
        elif entry.suffix == ".json" and entry.is_file():
            _read_file(entry, here, found)

    # Folders that hold nothing but logs belong to the results above them.
    for child in [child for child in below if not child.files and not child.companions]:
        here.metrics.update(child.metrics)
        here.abilities += child.abilities
        below.remove(child)
    if below and _is_one_result([*below, here]):
        for child in below:
            here.files += child.files
            here.companions += child.companions
            here.abilities += child.abilities
            here.metrics.update(child.metrics)
        below = []
    if here.files or (not here.companions and not below):
        own = [here] if here.files or here.metrics or here.abilities else []
    elif len(here.companions) == 1:
        own = [ResultSet(here.name, list(here.companions), [], here.abilities, here.metrics)]
    else:
        own = [_of_merged(merged, here) for merged in here.companions]
    if not own:
        for child in below:
            child.metrics = {**here.metrics, **child.metrics}
    return own + below


def _of_merged(merged: Merged, folder: ResultSet) -> ResultSet:
    """One of several merged files of a folder, with the ability file named after it."""
    stem = Path(merged.path).stem
    return ResultSet(
        stem, [merged], [], [a for a in folder.abilities if Path(a.path).stem == f"{stem}_ability"], folder.metrics
    )


def _is_one_result(parts: list[ResultSet]) -> bool:
    """Whether checkpoint files of several folders are parts of one result (see the rules at the top)."""
    files = [file for part in parts for file in part.files]
    if not files or any(isinstance(file, Merged) for file in files):
        return False
    if all(len(file.results) <= 1 for file in files):
        return True
    routes = [{result.route_id for file in part.files for result in file.results} for part in parts]
    return sum(map(len, routes)) == len(set().union(*routes))


def _name_apart(sets: list[ResultSet]) -> None:
    """Give results of the same name the name of the folder above them, then numbers."""
    count = Counter(result.name for result in sets)
    for result in sets:
        if count[result.name] > 1:
            parent = Path(result.files[0].path).resolve().parent
            above = parent.parent if parent.name == result.name else parent
            result.name = f"{above.name}/{result.name}"
    seen: Counter[str] = Counter()
    for result in sets:
        seen[result.name] += 1
        if seen[result.name] > 1:
            result.name = f"{result.name} ({seen[result.name]})"
