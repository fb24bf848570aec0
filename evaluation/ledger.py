"""The ledger of a run: one SQLite file, one row an attempt, committed as the attempt ends.

Whatever happens to the process, finished attempts stay. A run continues from its ledger, and the official result files
are exports of it. Every attempt is kept, the last one of a route counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from evaluation.tasks import NEVER_DRIVEN
from leaderboard_adapters.json_files import Place
from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.story_json import read_circumstances, read_timeline, story_document, timeline_document
from simulator.errors import EvaluationError, ResultFileError

LEDGER_NAME = "ledger.sqlite"
LEDGER_SCHEMA = 1

_TABLES = """
CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE attempts (
    route_id TEXT NOT NULL,       -- id in the route file
    repetition INTEGER NOT NULL,
    attempt INTEGER NOT NULL,     -- 1, 2, ...
    status TEXT NOT NULL,         -- official status
    started REAL NOT NULL,        -- seconds since 1970
    finished REAL NOT NULL,
    reason TEXT NOT NULL,         -- why it failed, '' when it was driven to an end
    result TEXT NOT NULL,         -- RouteResult as JSON
    PRIMARY KEY (route_id, repetition, attempt)
);
"""

_HEADER = "SELECT name, value FROM header ORDER BY name"
_ATTEMPTS = (
    "SELECT route_id, repetition, attempt, started, finished, reason, result FROM attempts "
    "ORDER BY route_id, repetition, attempt"
)

#: Header fields that must agree for a run to be continued: all that decides what a result is.
IDENTITY = ("suite", "route_file_digest", "routes", "repetitions", "agent", "seed", "towns", "versions")


@dataclass(frozen=True)
class Attempt:
    """One row of the ledger. Times are seconds since 1970; `number` counts from 1."""

    route_id: str
    repetition: int
    number: int
    started: float
    finished: float
    reason: str
    result: RouteResult

    @property
    def driven(self) -> bool:
        """True when the route was driven to an end, however good or bad."""
        return self.result.status not in NEVER_DRIVEN


def encode_result(result: RouteResult) -> str:
    """One line of JSON with every field.

    Raises:
        ValueError: when a number is not finite, naming the field.
        TypeError: when a value is no JSON value.
    """
    for spec in dataclasses.fields(result):
        value = getattr(result, spec.name)
        if isinstance(value, float) and value - value != 0.0:
            raise ValueError(f"the result's {spec.name} is {value}")
    document = dataclasses.asdict(dataclasses.replace(result, infractions=(), timeline=()))
    document["infractions"] = [_infraction_document(infraction) for infraction in result.infractions]
    document["timeline"] = timeline_document(result.timeline)
    return json.dumps(document, allow_nan=False)


def _infraction_document(infraction: Infraction) -> dict[str, Any]:
    document = dataclasses.asdict(dataclasses.replace(infraction, circumstances=None))
    if infraction.circumstances is not None:
        document["circumstances"] = story_document(infraction.circumstances)
    return document


def decode_result(text: str | bytes) -> RouteResult:
    """Read what `encode_result` wrote.

    Raises:
        EvaluationError: when the text is no result of this version.
    """
    try:
        fields = json.loads(text)
        stored = Place("the ledger", fields)
        fields["infractions"] = tuple(_read_infraction(entry) for entry in stored.at("infractions").items())
        if "timeline" in fields:
            fields["timeline"] = read_timeline(stored.at("timeline"))
        for name in ("notes", "scenarios_missing"):
            fields[name] = tuple(fields[name])
        if fields["first_junction"] is not None:
            fields["first_junction"] = tuple(fields["first_junction"])
        return RouteResult(**fields)
    except (ValueError, TypeError, KeyError, ResultFileError) as error:
        raise EvaluationError(f"a stored result cannot be read ({error}); another version wrote it") from error


def _read_infraction(entry: Place) -> Infraction:
    fields = dict(entry.mapping())
    if fields.get("circumstances") is not None:
        fields["circumstances"] = read_circumstances(entry.at("circumstances"))
    return Infraction(**fields)


class Ledger:
    """An open ledger. Use as a context manager; only one process at a time may write to a run folder."""

    def __init__(self, folder: Path) -> None:
        """Open or create `folder/ledger.sqlite` and take the folder's lock.

        Raises:
            EvaluationError: when the folder cannot be written, is in use, or holds something else under that name.
        """
        self.path = folder / LEDGER_NAME
        self._close = contextlib.ExitStack()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise EvaluationError(
                f"cannot write to the run folder {folder}: {error.strerror}; choose another with --out"
            ) from error
        self._close.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise EvaluationError(f"{folder} is in use by another run; wait for it, or choose another --out") from None
        except OSError:
            pass  # some network file systems have no locks
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._close.callback(self._db.close)
            with contextlib.suppress(sqlite3.OperationalError):  # not every file system can
                self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            schema = self._db.execute("PRAGMA user_version").fetchone()[0]
            if schema == 0:
                self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {LEDGER_SCHEMA}; COMMIT;")
        except sqlite3.Error as error:
            self.close()
            self._fail(error)
        if schema not in (0, LEDGER_SCHEMA):
            self.close()
            raise EvaluationError(
                f"{self.path} has schema {schema}, this version writes {LEDGER_SCHEMA}; choose another with --out"
            )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the folder free."""
        self._close.close()

    def header(self) -> dict[str, Any]:
        """The run's header, {} before `start`."""
        return _header(self._rows(_HEADER))

    def start(self, header: Mapping[str, Any]) -> None:
        """Write the header of a new run, or check that a run to be continued is the same one.

        Args:
            header: JSON-able values; the fields of `IDENTITY` must be among them.

        Raises:
            EvaluationError: when the ledger belongs to a different run, naming every field that disagrees.
        """
        stored, header = self.header(), _as_json(header)
        if stored:
            differences = [
                f"  {name}: there {_short(stored.get(name))}, here {_short(header[name])}"
                for name in IDENTITY
                if stored.get(name) != header[name]
            ]
            if differences:
                raise EvaluationError(
                    f"{self.path.parent} holds a different run, which cannot be continued with these options:\n"
                    + "\n".join(differences)
                    + "\nRepeat its options, or choose another folder with --out."
                )
        rows = [(name, json.dumps(value, allow_nan=False)) for name, value in header.items()]
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO header VALUES (?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(error)

    def add(self, attempt: Attempt) -> None:
        """Append one attempt; it is on disk when this returns."""
        row = (
            attempt.route_id,
            attempt.repetition,
            attempt.number,
            attempt.result.status,
            attempt.started,
            attempt.finished,
            attempt.reason,
            encode_result(attempt.result),
        )
        try:
            self._db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            self._fail(error)

    def attempts(self) -> list[Attempt]:
        """Every attempt, by route, repetition and number."""
        return _attempts(self._rows(_ATTEMPTS))

    def last_attempts(self) -> dict[tuple[str, int], Attempt]:
        """The attempt that counts, by (route id, repetition)."""
        return {(attempt.route_id, attempt.repetition): attempt for attempt in self.attempts()}

    def _rows(self, query: str) -> Iterable[tuple[Any, ...]]:
        try:
            return self._db.execute(query).fetchall()
        except sqlite3.Error as error:
            self._fail(error)

    def _fail(self, error: sqlite3.Error) -> NoReturn:
        raise EvaluationError(f"the ledger {self.path} cannot be used: {error}") from error


def read_ledger(folder: Path) -> tuple[dict[str, Any], list[Attempt]]:
    """Header and attempts of a run folder's ledger, also while the run goes on; nothing is written.

    Raises:
        EvaluationError: when there is no ledger of this version, or it cannot be read.
    """
    path = folder / LEDGER_NAME
    last: Exception | None = None
    # `immutable` is for folders that cannot be written: there the other mode has no place for its index of the log.
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as db:
                schema = db.execute("PRAGMA user_version").fetchone()[0]
                if schema != LEDGER_SCHEMA:
                    raise EvaluationError(f"{path} has schema {schema}, this version reads {LEDGER_SCHEMA}")
                return _header(db.execute(_HEADER)), _attempts(db.execute(_ATTEMPTS))
        except sqlite3.Error as error:
            last = error
    raise EvaluationError(f"{path}: cannot be read as a ledger: {last}")


def _header(rows: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in rows}


def _attempts(rows: Iterable[tuple[Any, ...]]) -> list[Attempt]:
    return [
        Attempt(route_id, repetition, number, started, finished, reason, decode_result(result))
        for route_id, repetition, number, started, finished, reason, result in rows
    ]


def _as_json(header: Mapping[str, Any]) -> dict[str, Any]:
    """The header as it would come back from the file, where tuples are lists."""
    copy: dict[str, Any] = json.loads(json.dumps(header, allow_nan=False))
    return copy


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
