"""Find what lies under a path: which result files make one result, and what lies beside them.

A path may be a file, a folder of shards, a folder of one-file-a-route folders, or a folder of any of those:

* checkpoint files of one folder are shards of one result;
* a merged.json beside shards repeats them: it is compared, not counted (the official merge skips it too);
* merged files without shards are a result each;
* files that tell which run they come from are parts of one result only if it is the same run;
* below a folder, folders whose files hold at most one record each are one result, and so are folders whose routes are
  all different; folders that repeat routes are a result each;
* a run folder is read by `read_run`, from its ledger; the files exported from it are passed over.

A bad file becomes a problem with its name and place; the good ones beside it are still read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leaderboard_adapters.comfort import METRIC_FILE, METRIC_FOLDER
from leaderboard_adapters.json_files import read_json
from leaderboard_adapters.official_json import (
    AbilityFile,
    Checkpoint,
    Merged,
    is_ability_document,
    is_result_document,
    parse_result_document,
    read_ability_file,
)
from leaderboard_adapters.own_record import RunInfo, joined_run, run_kind, same_run
from simulator.errors import ResultFileError, RouteGymError


@dataclass
class ResultSet:
    """The files of one result. `companions`: merged files that repeat them. `metrics`: metric_info by folder name."""

    name: str
    files: list[Checkpoint | Merged] = field(default_factory=list)
    companions: list[Merged] = field(default_factory=list)
    abilities: list[AbilityFile] = field(default_factory=list)
    metrics: dict[str, Path] = field(default_factory=dict)

    @property
    def run(self) -> RunInfo | None:
        """The run that all files come from; None for other people's files."""
        return joined_run([file.run for file in self.files])

    def metric_file(self, save_name: str) -> Path | None:
        """The metric_info.json of a record: folder `<save_name>`, or `<routes>_<save_name>` as some agents write it."""
        if save_name in self.metrics:
            return self.metrics[save_name]
        longer = [name for name in self.metrics if name.endswith("_" + save_name)]
        if longer:
            return self.metrics[min(longer)]
        parents = [Path(file.path).parent / folder for file in self.files for folder in ("", METRIC_FOLDER)]
        beside = [parent / save_name / METRIC_FILE for parent in parents]
        return next((path for path in beside if save_name and path.is_file()), None)


#: Reads the results of a run folder; None for any other folder. Raises `RouteGymError` for a run that is damaged.
RunReader = Callable[[Path], "list[ResultSet] | None"]


@dataclass
class Found:
    """All results below some paths, what could not be read, and JSON files that are no result files."""

    read_run: RunReader | None = None
    sets: list[ResultSet] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def find_results(paths: Iterable[str | os.PathLike[str]], read_run: RunReader | None = None) -> Found:
    """Read everything below `paths`. Never raises for a bad file or an empty folder: they stand in `problems`."""
    found = Found(read_run)
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
    if (run := _read_run(folder, found)) is not None:
        return run
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
    parts = _by_run(here)
    if len(parts) > 1:
        own = [each for part in parts for each in _results_of(part)]
    elif not here.files and not here.companions:
        own = [here] if not below and (here.metrics or here.abilities) else []
    else:
        own = _results_of(here)
    if not own:
        for child in below:
            child.metrics = {**here.metrics, **child.metrics}
    return own + below


def _read_run(folder: Path, found: Found) -> list[ResultSet] | None:
    try:
        return found.read_run(folder) if found.read_run is not None else None
    except RouteGymError as error:
        found.problems.append(f"{error}. Its exported files are read instead.")
        return None


def _by_run(here: ResultSet) -> list[ResultSet]:
    """The files of a folder by the run that they come from, such as maps and corridors of one run."""
    parts: dict[object, ResultSet] = {}
    for file in (*here.files, *here.companions):
        stem = Path(file.path).stem
        part = parts.setdefault(run_kind(file.run), ResultSet(f"{here.name}/{stem}", metrics=here.metrics))
        part.abilities += [ability for ability in here.abilities if Path(ability.path).stem == f"{stem}_ability"]
        if isinstance(file, Merged):
            part.companions.append(file)
        else:
            part.files.append(file)
    return list(parts.values())


def _results_of(part: ResultSet) -> list[ResultSet]:
    """A part whose shards are one result, or whose merged files are a result each."""
    if part.files:
        return [part]
    if len(part.companions) == 1:
        return [ResultSet(part.name, list(part.companions), [], part.abilities, part.metrics)]
    return [_of_merged(merged, part) for merged in part.companions]


def _of_merged(merged: Merged, folder: ResultSet) -> ResultSet:
    """One of several merged files of a folder, with the ability file named after it."""
    stem = Path(merged.path).stem
    return ResultSet(
        stem, [merged], [], [a for a in folder.abilities if Path(a.path).stem == f"{stem}_ability"], folder.metrics
    )


def _is_one_result(parts: list[ResultSet]) -> bool:
    """Whether checkpoint files of several folders are parts of one result (see the rules at the top)."""
    files = [file for part in parts for file in part.files]
    if not files or any(isinstance(file, Merged) for file in files) or not same_run(file.run for file in files):
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
