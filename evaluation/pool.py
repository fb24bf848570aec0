"""Workers that drive routes, one route at a time each, and survive whatever a route does to them.

A worker that dies or falls silent is replaced; its route is driven once more and then recorded as crashed. The pool
stores nothing: it yields events for the ledger. What a worker is, it is told by `Start`: a process of this machine by
default (`evaluation.worker_process`), or an actor somewhere on a Ray cluster (`evaluation.ray_workers`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from evaluation.ledger import Attempt, decode_result
from evaluation.tasks import CRASHED, RouteTask
from evaluation.worker_process import PoolWorker, Setting, start_process
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import SCORER
from simulator.errors import EvaluationError

#: The driver of production, as `module:function`.
DRIVER = "evaluation.drive:drive_route"

_TRIES = 2  # a route whose worker died is driven once more
_START_TRIES = 3
_GIVE_UP = 6  # failures of a worker's simulator in a row after which the rest is not tried
_START_TIMEOUT_S = 120.0
_POLL_S = 0.5  # how often a dead worker is looked for whose pipe a grandchild still holds open

#: Starts the worker with a number, from 1: (number, setting) -> worker.
Start = Callable[[int, Setting], PoolWorker]


class Interrupted(KeyboardInterrupt):
    """Raised out of `Pool.events` after a SIGINT or SIGTERM, when all workers are gone."""


@dataclass(frozen=True)
class RouteStarted:
    """A worker took a route. `attempt` counts from 1."""

    task: RouteTask
    attempt: int
    worker: int


@dataclass(frozen=True)
class RouteProgress:
    """A worker has driven `tick` ticks and `completion` percent of its route."""

    task: RouteTask
    worker: int
    tick: int
    completion: float


@dataclass(frozen=True)
class RouteEnded:
    """An attempt ended. `final` is False when the route will be driven once more."""

    task: RouteTask
    worker: int
    attempt: Attempt
    final: bool


PoolEvent = RouteStarted | RouteProgress | RouteEnded


class Pool:
    """Drives tasks on a number of workers; see `events`."""

    def __init__(
        self,
        tasks: Sequence[RouteTask],
        *,
        workers: int = 1,
        driver: str = DRIVER,
        timeout_s: float = 600.0,
        earlier: Mapping[str, Sequence[str]] | None = None,
        log_folder: Path | None = None,
        memory_gb: float = 0.0,
        start: Start = start_process,
    ) -> None:
        """Nothing starts before `events` is iterated.

        Args:
            tasks: in the order in which to drive them.
            workers: number of workers, at least 1.
            driver: `module:function` that the workers call, see `evaluation.worker.Driver`.
            timeout_s: seconds without progress after which a worker counts as hung.
            earlier: reasons of the failed attempts that a record id already has.
            log_folder: where each worker's output goes (`worker-<n>.log`); the caller's standard error without it.
            memory_gb: resident memory of a worker from which it is replaced between routes; 0: never.
            start: what a worker is; a process of this machine by default.
        """
        self._pending = deque(tasks)
        self._size = max(1, min(workers, len(tasks)))
        self._start_worker = start
        self._setting = Setting(driver, memory_gb, log_folder)
        self._timeout_s = timeout_s
        self._reasons: dict[str, list[str]] = {key: list(value) for key, value in (earlier or {}).items()}
        self._tries: dict[str, int] = {}
        self._log_folder = log_folder
        self._simulator_failures = 0  # since a route was last driven to its end
        self._workers: list[PoolWorker] = []
        self._failed_starts = 0

    def events(self) -> Generator[PoolEvent, None, None]:
        """Drive everything and tell about it. Close the iterator to stop early; all workers are gone when it returns.

        Raises:
            Interrupted: after SIGINT or SIGTERM.
            EvaluationError: when workers cannot start.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            interrupted = stack.enter_context(interrupt_pipe())
            self._workers = [self._start(number) for number in range(1, self._size + 1)]
            while self._pending or any(worker.task for worker in self._workers):
                for worker in self._workers:
                    if worker.ready and not worker.leaving and worker.task is None and self._pending:
                        yield self._assign(worker)
                ready = wait([interrupted, *(worker.connection for worker in self._workers)], _POLL_S)
                if interrupted in ready:
                    raise Interrupted
                for worker in list(self._workers):
                    yield from self._receive(worker)

    def _start(self, number: int) -> PoolWorker:
        if self._log_folder is not None:
            self._log_folder.mkdir(parents=True, exist_ok=True)
        return self._start_worker(number, self._setting)

    def _assign(self, worker: PoolWorker) -> RouteStarted:
        task = self._pending.popleft()
        worker.task, worker.tick, worker.completion = task, 0, 0.0
        worker.started, worker.last_heard = time.time(), time.monotonic()
        with contextlib.suppress(OSError):  # a worker that just died is noticed by `_receive`
            worker.connection.send_bytes(json.dumps({"task": dataclasses.asdict(task)}).encode())
        return RouteStarted(task, len(self._reasons.get(task.record_id, ())) + 1, worker.number)

    def _receive(self, worker: PoolWorker) -> Iterator[PoolEvent]:
        """Everything that a worker has said, and what follows from its silence."""
        # Looked at before the pipe, so that nothing a worker said before its end is missed.
        dead = worker.gone() or worker.leaving
        try:
            while worker.connection.poll():
                yield from self._understand(worker, json.loads(worker.connection.recv_bytes()))
        except (EOFError, OSError):
            dead = True
        limit = self._timeout_s if worker.ready else max(self._timeout_s, _START_TIMEOUT_S)
        if worker.waits_for_place and not worker.ready and any(other.ready for other in self._workers):
            worker.last_heard = time.monotonic()  # the cluster is full; it may have room later
        if dead:
            yield from self._replace(worker, worker.end())
        elif (worker.task or not worker.ready) and time.monotonic() - worker.last_heard > limit:
            worker.abort()
            yield from self._replace(worker, f"no progress for {self._timeout_s:g} s")

    def _understand(self, worker: PoolWorker, message: dict[str, object]) -> Iterator[PoolEvent]:
        worker.last_heard = time.monotonic()
        match message:
            case {"ready": _}:
                worker.ready, self._failed_starts = True, 0
            case {"progress": [int(tick), float(completion)]} if worker.task:
                worker.tick, worker.completion = tick, completion
                yield RouteProgress(worker.task, worker.number, tick, completion)
            case {"result": str(text)} if worker.task:
                result = decode_result(text)
                if leaving := message.get("leaving"):
                    result = dataclasses.replace(result, notes=(*result.notes, f"a fresh worker followed: {leaving}"))
                self._simulator_failures = 0
                yield self._ended(worker, result, "")
            case {"error": str(reason), "again": True} if worker.task:
                self._simulator_failures += 1
                yield self._failed(worker, reason)
                if self._simulator_failures >= _GIVE_UP * self._size:
                    yield from self._give_up(worker, reason)
            case {"error": str(reason), "status": str(status)} if worker.task:
                yield self._ended(worker, failed_result(worker.task, status), reason)
        worker.leaving = worker.leaving or "leaving" in message

    def _replace(self, worker: PoolWorker, how: str) -> Iterator[PoolEvent]:
        """Record what a lost worker was doing, and start another one if there is work left."""
        self._workers.remove(worker)
        if worker.task is None and not worker.ready and not worker.leaving:
            self._failed_starts += 1
            if self._failed_starts >= _START_TRIES:
                raise EvaluationError(f"workers cannot start ({how}); {self._log_hint(worker)}")
        if worker.task is not None:
            yield self._failed(worker, f"{how}, at tick {worker.tick} ({worker.completion:.1f} % of the route)")
        if self._pending:
            self._workers.append(self._start(worker.number))
            self._workers.sort(key=lambda w: w.number)

    def _give_up(self, worker: PoolWorker, reason: str) -> Iterator[RouteEnded]:
        """Record all that is left as not driven: the simulator does not work, and waiting for it takes long."""
        while self._pending:
            worker.task, worker.tick, worker.started = self._pending.popleft(), 0, time.time()
            why = f"not driven, as the simulator failed {self._simulator_failures} times in a row; the last: {reason}"
            yield self._ended(worker, failed_result(worker.task, CRASHED), why)

    def _failed(self, worker: PoolWorker, reason: str) -> RouteEnded:
        """An attempt came to nothing through no fault of the agent; the route is driven once more if it may be."""
        assert worker.task is not None
        task, key = worker.task, worker.task.record_id
        self._tries[key] = self._tries.get(key, 0) + 1
        again = self._tries[key] < _TRIES
        if again:
            self._pending.append(task)
        return self._ended(worker, failed_result(task, CRASHED), reason, final=not again)

    def _ended(self, worker: PoolWorker, result: RouteResult, reason: str, *, final: bool = True) -> RouteEnded:
        task = worker.task
        assert task is not None
        reasons = self._reasons.setdefault(task.record_id, [])
        notes = [f"attempt {number} failed: {text}" for number, text in enumerate(reasons, 1)]
        if reason:
            notes.append(f"attempt {len(reasons) + 1} failed: {reason}")
        # The task decides these, whatever a driver says: a corridor's result cannot lose its label.
        result = dataclasses.replace(
            result,
            index=task.index,
            synthetic=task.synthetic,
            world=task.world,
            scorer=SCORER,
            suite=task.suite,
            attempt=len(reasons) + 1,
            notes=(*result.notes, *notes),
        )
        attempt = Attempt(task.route_id, task.repetition, result.attempt, worker.started, time.time(), reason, result)
        reasons.append(reason)
        worker.task = None
        return RouteEnded(task, worker.number, attempt, final)

    def _log_hint(self, worker: PoolWorker) -> str:
        if self._log_folder is None:
            return "its output above says why"
        return f"see {self._log_folder / f'worker-{worker.number}.log'}"

    def _stop(self) -> None:
        """End all workers: those between routes in good order, those in mid-route at once."""
        for worker in self._workers:
            worker.connection.close()
            if worker.task is not None:
                worker.kill()
        for worker in self._workers:
            worker.dismiss()
        self._workers = []


def failed_result(task: RouteTask, status: str) -> RouteResult:
    """The record of a route that was not driven: nothing scored, no infractions, as the official evaluator has it."""
    return RouteResult(
        route_id=task.record_id,
        scenario_name=task.scenario_name,
        scenario_type=task.scenario_type,
        town=task.town,
        weather_id=task.weather_id,
        save_name=task.save_name,
        status=status,
        infractions=(),
        score_route=0.0,
        score_penalty=1.0,
        score_composed=0.0,
        route_length=0.0,
        duration_game=0.0,
        duration_system=0.0,
        index=task.index,
        seed=task.seed,
        agent=task.agent,
        suite=task.suite,
        world=task.world,
        scorer=SCORER,
        synthetic=task.synthetic,
    )


@contextlib.contextmanager
def interrupt_pipe() -> Iterator[int]:
    """A file descriptor that becomes readable when SIGINT or SIGTERM arrives, instead of an exception anywhere."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def note(signum: int, frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(writer, b"!")

    previous = {}
    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
