"""One start of the official evaluator: some routes, one server, one checkpoint file, watched from outside.

The evaluator prints a line each tick, which is its heart-beat: once a route ticks, nothing else that is printed counts
as progress, as threads of the evaluator may go on talking while its main thread hangs in a tick. The checkpoint file
says which routes have ended. The evaluator's own resume is never used: a start drives routes that have no result, and
no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.process_group import ProcessGroup
from evaluation.tasks import RouteTask
from leaderboard_adapters.official_json import Checkpoint, parse_result_document
from leaderboard_adapters.records import RouteResult
from simulator.errors import ResultFileError

CHECKPOINT = "checkpoint.json"
LOG = "evaluator.log"

_PREPARING = re.compile(rb"Preparing RouteScenario_(\S+) \(repetition")
_TICK = re.compile(rb"^=== \[Agent\] .*Game time = ([0-9.]+)")
_KEPT_TICKS = 200  # of the lines that the evaluator prints each tick, every 200th is kept in the log
_STARTED = "Started"  # status of a record whose route is under way
_TAIL = 12


@dataclass(frozen=True)
class Began:
    """The evaluator prepares a route."""

    route_id: str


@dataclass(frozen=True)
class Ticked:
    """The route under way has come this far, seconds of game time."""

    game_time: float


@dataclass(frozen=True)
class Ended:
    """A route has its final record."""

    route_id: str
    result: RouteResult


ShardEvent = Began | Ticked | Ended


class Shard:
    """A running evaluator. `pending` are the routes that have no final record yet, in the evaluator's order."""

    def __init__(
        self,
        tasks: Sequence[RouteTask],
        folder: Path,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Start it.

        Args:
            tasks: routes that the command drives, each once.
            folder: for its log and, as `CHECKPOINT`, its checkpoint.
            command: of the evaluator.
            cwd: its working directory.
            environment: its whole environment.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.pending = {task.route_id: task for task in tasks}
        self.tasks = dict(self.pending)  # by route id, all of them
        self.current: RouteTask | None = None
        self.started = time.time()  # of the route under way, seconds since 1970
        self.last_heard = time.monotonic()
        self.entry_status = _STARTED
        self.tail: deque[str] = deque(maxlen=_TAIL)  # last lines of the log
        self._checkpoint = folder / CHECKPOINT
        self._seen: tuple[int, int] = (0, 0)
        self._partial = b""
        self._ticks = 0
        self._ticking = False  # the route under way has begun to tick
        self._log = open(folder / LOG, "ab")  # noqa: SIM115 - closed by `close`
        self._process = ProcessGroup(command, cwd=cwd, environment=environment)

    @property
    def output(self) -> int:
        """Descriptor to wait on for news."""
        return self._process.output

    def poll(self) -> int | None:
        """Exit code once everything is gone, None before."""
        return self._process.poll()

    def news(self) -> Iterator[ShardEvent]:
        """What happened since the last call."""
        ticked: Ticked | None = None
        for line in self._lines():
            if match := _TICK.match(line):
                ticked = Ticked(float(match[1]))
                continue
            if match := _PREPARING.search(line):
                yield from self._records()  # the route before has ended
                task = self.pending.get(match[1].decode(errors="replace"))
                if task is not None:
                    self.current, self.started, ticked = task, time.time(), None
                    yield Began(task.route_id)
        if ticked is not None:
            yield ticked
        yield from self._records()

    def close(self) -> None:
        """End the evaluator and everything it started."""
        self._process.stop()
        list(self._lines())
        self._process.close()
        self._log.close()

    def _lines(self) -> Iterator[bytes]:
        """Complete lines of output; they are written to the log, most of the tick lines excepted."""
        chunks = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.output, 1 << 16):
                chunks.append(chunk)
        if not chunks:
            return
        *lines, self._partial = (self._partial + b"".join(chunks)).split(b"\n")
        for line in lines:
            ticks = _TICK.match(line) is not None
            if ticks or not self._ticking or _PREPARING.search(line):
                self.last_heard = time.monotonic()
                self._ticking = ticks
            if ticks:
                self._ticks += 1
                if self._ticks % _KEPT_TICKS == 1:
                    self._log.write(line + b"\n")
            else:
                self._log.write(line + b"\n")
                if text := re.sub(r"\x1b\[[0-9;]*m", "", line.decode(errors="replace")).strip():
                    self.tail.append(text)
            yield line
        self._log.flush()

    def _records(self) -> Iterator[ShardEvent]:
        checkpoint = self._read()
        if checkpoint is None:
            return
        self.entry_status = checkpoint.entry_status
        for result in checkpoint.results:
            task = self.pending.get(result.xml_id)
            if task is None or result.status == _STARTED:
                continue
            if self.current is not task:  # its first line has not been read yet
                yield Began(task.route_id)
            del self.pending[result.xml_id]
            self.current = None
            yield Ended(task.route_id, result)

    def _read(self) -> Checkpoint | None:
        """The checkpoint file, if it has changed and can be read: the evaluator writes it in place."""
        try:
            status = self._checkpoint.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return None
            document: Any = json.loads(self._checkpoint.read_bytes())
            document = without_started(document)
            found = parse_result_document(document, str(self._checkpoint))
        except (OSError, ValueError, ResultFileError, KeyError, TypeError):
            return None
        self._seen = seen
        self.last_heard = time.monotonic()
        return found if isinstance(found, Checkpoint) else None


def without_started(document: Any) -> Any:
    """A checkpoint document without the record of the route under way, which has no scores yet."""
    checkpoint = document["_checkpoint"]
    records = [record for record in checkpoint["records"] if record.get("status") != _STARTED]
    return {**document, "_checkpoint": {**checkpoint, "records": records}}
