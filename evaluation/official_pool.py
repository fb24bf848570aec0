"""Drives routes with the official evaluator on several servers, and accounts for every route whatever happens to it.

Each slot has its own ports and starts evaluators one after the other, each with some of the routes that are left. A
route whose evaluator died, hung or called its simulation crashed is driven once more. Like `evaluation.pool`, this
stores nothing: it yields events for the ledger.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from envs.carla.ports import TRAFFIC_MANAGER, reserve_block
from evaluation.ledger import Attempt
from evaluation.official_checkout import EVALUATOR, OfficialCheckout
from evaluation.official_servers import Servers
from evaluation.official_shard import CHECKPOINT, Began, Ended, Shard, Ticked
from evaluation.pool import (
    Interrupted,
    PoolEvent,
    RouteEnded,
    RouteProgress,
    RouteStarted,
    failed_result,
    interrupt_pipe,
)
from evaluation.process_group import ProcessGroup, how_it_ended
from evaluation.tasks import CRASHED, NOT_SET_UP, RouteTask
from leaderboard_adapters.comfort import METRIC_FILE, comfort, read_metric_info
from leaderboard_adapters.records import RouteResult
from simulator.errors import EvaluationError, ResultFileError
from simulator.state import TICK_SECONDS

_TRIES = 2  # a route whose evaluator died is driven once more
_START_TRIES = 3  # evaluators in a row that end before they begin a route; agents in a row that cannot be set up
_POLL_S = 0.5
_PAUSE_S = 0.05  # evaluators print a line each tick: look at many at a time
_LEAVE_S = 60.0  # an evaluator that has driven all its routes may take this long to end

PORT_RANGE = (20000, 31999)  # below those that Linux takes for outgoing connections
_HOST = 6  # offset of the agent host's port in a slot's block; the evaluator looks for free ones from those it is given


@dataclass(frozen=True)
class OfficialAgent:
    """What the evaluator loads as agent.

    `host`: command of the process that drives through it, which listens on the port that is put in for `{port}`; empty
    where the file drives by itself. The same goes for `{port}` and `{seed}` in `config`.
    """

    file: Path
    config: str = ""
    track: str = "SENSORS"
    host: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfficialSetup:
    """Everything that the starts of the evaluator have in common."""

    checkout: OfficialCheckout
    servers: Servers
    agent: OfficialAgent
    folder: Path  # for checkpoints and logs, absolute
    save_path: Path  # for what agents save, absolute
    scorer: str
    gpus: tuple[str, ...] = ()  # given to the slots in turn
    routes_per_start: int = 20
    timeout_s: float = 600.0


@dataclass
class _Slot:
    """One server's place: its number (from 1), its first port, and what runs there now."""

    number: int
    port: int
    shard: Shard | None = None
    host: ProcessGroup | None = None
    drove: bool = False  # the shard has begun a route
    starts: int = 0


@dataclass
class OfficialPool:
    """Drives tasks on `servers` slots; see `events`.

    `earlier`: reasons of the attempts that a record id already has.
    """

    tasks: Sequence[RouteTask]
    setup: OfficialSetup
    servers: int = 1
    earlier: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pending = deque(self.tasks)
        self._reasons: dict[str, list[str]] = {key: list(value) for key, value in self.earlier.items()}
        self._tries: dict[str, int] = {}
        self._failed_starts = 0
        self._failed_setups = 0

    def events(self) -> Generator[PoolEvent, None, None]:
        """Drive everything and tell about it. All processes are gone when it returns, however it does.

        Raises:
            Interrupted: after SIGINT or SIGTERM.
            EvaluationError: when evaluators cannot start, or the agent cannot be used on any route.
        """
        count = max(1, min(self.servers, len(self.tasks)))
        with contextlib.ExitStack() as stack:
            interrupted = stack.enter_context(interrupt_pipe())
            slots = [_Slot(number + 1, _reserve(stack)) for number in range(count)]
            for slot in slots:
                stack.callback(_clear, slot)
            while self._pending or any(slot.shard for slot in slots):
                for slot in slots:
                    if slot.shard is None and self._pending:
                        self._start(slot, idle=sum(other.shard is None for other in slots))
                ready = wait([interrupted, *(slot.shard.output for slot in slots if slot.shard)], _POLL_S)
                if interrupted in ready:
                    raise Interrupted
                time.sleep(_PAUSE_S)
                for slot in slots:
                    if slot.shard is not None:
                        yield from self._watch(slot, slot.shard)

    def _start(self, slot: _Slot, idle: int) -> None:
        """Start an evaluator with a fair share of the routes that are left, all of one repetition."""
        share = min(self.setup.routes_per_start, math.ceil(len(self._pending) / idle))
        repetition = self._pending[0].repetition
        batch = [task for task in self._pending if task.repetition == repetition][:share]
        for task in batch:
            self._pending.remove(task)
        if self.setup.agent.host and (slot.host is None or slot.host.poll() is not None):
            self._start_host(slot)
        # the evaluator keeps the order of the file, and so does the batch
        batch.sort(key=lambda task: task.index)
        slot.starts, slot.drove = slot.starts + 1, False
        folder = self.setup.folder / f"{time.strftime('%m%d-%H%M%S')}-slot{slot.number}-start{slot.starts}"
        environment = self._environment(slot, batch, folder)
        command = self._command(slot, batch, folder)
        slot.shard = Shard(batch, folder, command, cwd=self.setup.checkout.root, environment=environment)

    def _command(self, slot: _Slot, batch: Sequence[RouteTask], folder: Path) -> list[str]:
        setup, agent, first = self.setup, self.setup.agent, batch[0]
        seed = max(first.seed, 0)
        return [
            *(setup.checkout.python, str(setup.checkout.root / EVALUATOR)),
            *("--routes", first.route_file, "--routes-subset", ",".join(task.route_id for task in batch)),
            *("--port", str(slot.port), "--traffic-manager-port", str(slot.port + TRAFFIC_MANAGER)),
            *("--traffic-manager-seed", str(seed), "--gpu-rank", self._gpu(slot) or "0"),
            *("--agent", str(agent.file), "--agent-config", self._config(slot, seed), "--track", agent.track),
            *("--checkpoint", str(folder / CHECKPOINT), "--debug-checkpoint", str(folder / "live_results.txt")),
        ]

    def _environment(self, slot: _Slot, batch: Sequence[RouteTask], folder: Path) -> dict[str, str]:
        setup, gpu = self.setup, self._gpu(slot)
        setup.save_path.mkdir(parents=True, exist_ok=True)
        return setup.checkout.environment(
            {
                "CARLA_ROOT": str(setup.servers.carla_root),
                "ROUTES": batch[0].route_file,
                "TEAM_AGENT": str(setup.agent.file),
                "TEAM_CONFIG": self._config(slot, max(batch[0].seed, 0)),
                "CHECKPOINT_ENDPOINT": str(folder / CHECKPOINT),
                "SAVE_PATH": str(setup.save_path),
                "PORT": str(slot.port),
                "TM_PORT": str(slot.port + TRAFFIC_MANAGER),
                "REPETITIONS": "1",
                **({"CUDA_VISIBLE_DEVICES": gpu, "GPU_RANK": gpu} if gpu else {}),
            }
        )

    def _config(self, slot: _Slot, seed: int) -> str:
        return self.setup.agent.config.replace("{port}", str(slot.port + _HOST)).replace("{seed}", str(seed))

    def _gpu(self, slot: _Slot) -> str:
        gpus = self.setup.gpus
        return gpus[(slot.number - 1) % len(gpus)] if gpus else ""

    def _start_host(self, slot: _Slot) -> None:
        if slot.host is not None:
            slot.host.close()
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        command = [word.replace("{port}", str(slot.port + _HOST)) for word in self.setup.agent.host]
        search = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        log = self.setup.folder / f"agent-host-{slot.number}.log"
        environment = {**os.environ, "PYTHONPATH": search}
        slot.host = ProcessGroup(command, cwd=self.setup.folder, environment=environment, log=log)

    def _watch(self, slot: _Slot, shard: Shard) -> Iterator[PoolEvent]:
        """Everything that a slot's evaluator has said, and what follows from its end or its silence."""
        code = shard.poll()  # before its last words are read
        for event in shard.news():
            match event:
                case Began(route_id):
                    slot.drove, self._failed_starts = True, 0
                    task = shard.pending[route_id]
                    yield RouteStarted(task, len(self._reasons.get(task.record_id, ())) + 1, slot.number)
                case Ticked(game_time) if shard.current:
                    yield RouteProgress(shard.current, slot.number, round(game_time / TICK_SECONDS), 0.0)
                case Ended(route_id, result):
                    yield from self._ended(slot, shard, route_id, result)
        silence = time.monotonic() - shard.last_heard
        if code is not None:
            yield from self._replace(slot, shard, how_it_ended(code))
        elif not shard.pending and silence > min(_LEAVE_S, self.setup.timeout_s):
            yield from self._replace(slot, shard, "did not end")
        elif silence > self.setup.timeout_s:
            yield from self._replace(slot, shard, f"made no progress for {self.setup.timeout_s:g} s")

    def _ended(self, slot: _Slot, shard: Shard, route_id: str, result: RouteResult) -> Iterator[PoolEvent]:
        """A route has its record. One that was not driven is driven once more where the simulation is to blame."""
        task = shard.tasks[route_id]
        self._failed_setups = self._failed_setups + 1 if result.status == NOT_SET_UP else 0
        reason, final = "", True
        if result.status == CRASHED:
            reason, final = _last_words("the evaluator says so", shard), not self._again(task)
        elif result.status == NOT_SET_UP:
            reason = _last_words("the agent could not be set up", shard)
        yield self._record(slot, shard, task, result, reason, final)
        if self._failed_setups >= _START_TRIES:
            raise EvaluationError(
                f"the agent could not be set up on {_START_TRIES} routes in a row; the evaluator's last words:\n"
                + _tail(shard)
                + f"\nMore in {self.setup.folder}. Continue with --resume once it can be."
            )

    def _replace(self, slot: _Slot, shard: Shard, how: str) -> Iterator[PoolEvent]:
        """Clear an evaluator away and put back what it has not driven."""
        shard.close()
        slot.shard = None
        if shard.entry_status == "Rejected":
            raise EvaluationError(f"the evaluator rejects the agent's sensors; its last words:\n{_tail(shard)}")
        left = list(shard.pending.values())
        if not slot.drove and left:
            self._failed_starts += 1
            if self._failed_starts >= _START_TRIES:
                raise EvaluationError(
                    f"the official evaluator {how} before it began a route, {_START_TRIES} times in a row; its last "
                    f"words:\n{_tail(shard)}\nMore in {self.setup.folder}."
                )
        if (lost := shard.current) is not None:
            left.remove(lost)
            again = self._again(lost)
            reason = _last_words(f"the evaluator {how}", shard)
            yield self._record(slot, shard, lost, failed_result(lost, CRASHED), reason, not again)
        self._pending.extendleft(reversed(left))

    def _again(self, task: RouteTask) -> bool:
        """Whether a route that was not driven is driven once more; if so, it is put back."""
        self._tries[task.record_id] = self._tries.get(task.record_id, 0) + 1
        if self._tries[task.record_id] >= _TRIES:
            return False
        self._pending.append(task)
        return True

    def _record(
        self, slot: _Slot, shard: Shard, task: RouteTask, result: RouteResult, reason: str, final: bool
    ) -> RouteEnded:
        reasons = self._reasons.setdefault(task.record_id, [])
        notes = [f"attempt {number} failed: {text}" for number, text in enumerate(reasons, 1)]
        if reason:
            notes.append(f"attempt {len(reasons) + 1} failed: {reason}")
        official, corrected = self._comfort(result)
        result = dataclasses.replace(
            result,
            comfort=official,
            comfort_corrected=corrected,
            route_id=task.record_id,  # a start drives one repetition, which it calls the first
            index=task.index,
            seed=task.seed,
            agent=task.agent,
            suite=task.suite,
            world=task.world,
            scorer=self.setup.scorer,
            num_ticks=max(round(result.duration_game / TICK_SECONDS), 0),
            attempt=len(reasons) + 1,
            notes=(*result.notes, *notes),
        )
        reasons.append(reason)
        attempt = Attempt(task.route_id, task.repetition, result.attempt, shard.started, time.time(), reason, result)
        return RouteEnded(task, slot.number, attempt, final)

    def _comfort(self, result: RouteResult) -> tuple[float | None, float | None]:
        """Comfort of a route, official and corrected, where its agent has logged the motion."""
        file = self.setup.save_path / result.save_name / METRIC_FILE
        if not file.is_file():
            return None, None
        try:
            smooth = comfort(read_metric_info(file))
        except ResultFileError:
            return None, None
        return smooth.official, smooth.corrected


def _reserve(stack: contextlib.ExitStack) -> int:
    """First port of a block that is ours until the stack unwinds."""
    lock = reserve_block(*PORT_RANGE)
    stack.callback(lock.release)
    return lock.port


def _clear(slot: _Slot) -> None:
    if slot.shard is not None:
        slot.shard.close()
    if slot.host is not None:
        slot.host.close()


def _tail(shard: Shard) -> str:
    return "\n".join(f"  {line[:300]}" for line in shard.tail) or "  (none)"


def _last_words(what: str, shard: Shard) -> str:
    """A reason with the error that the evaluator printed last, if there is one."""
    errors = [line for line in shard.tail if "Error" in line or "Exception" in line]
    return f"{what}: {errors[-1][:200]}" if errors else what
