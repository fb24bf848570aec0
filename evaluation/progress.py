"""What a run shows while it drives, on standard error: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from evaluation.pool import PoolEvent, RouteEnded, RouteProgress, RouteStarted
from evaluation.summary import say
from evaluation.tasks import RouteTask
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import driving_score, success_rate


class ProgressView(Protocol):
    """Shows the events of a pool between `__enter__` and `__exit__`."""

    def __enter__(self) -> ProgressView: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: PoolEvent) -> None:
        """Take in one event."""


def progress_view(console: Console, total: int, done: Iterable[RouteResult]) -> ProgressView:
    """The view that suits `console`. `done`: results that a resumed run already has, of `total` attempts in all."""
    tally = Tally(total, done)
    return LiveView(console, tally) if console.is_terminal else PlainView(console, tally)


class Tally:
    """Running scores and the time that is left."""

    def __init__(self, total: int, done: Iterable[RouteResult]) -> None:
        self.total = total
        self._results = list(done)
        self._before = len(self._results)
        self._under_way: dict[int, float] = {}  # share 0..1 of the route, by worker
        self._start: float | None = None  # of the first progress: what comes before it, such as compiling, comes once
        self._ahead = 0.0  # routes driven before that

    @property
    def count(self) -> int:
        """Attempts that have their final result."""
        return len(self._results)

    def take(self, event: PoolEvent) -> None:
        """Count one event."""
        match event:
            case RouteStarted():
                self._under_way[event.worker] = 0.0
            case RouteProgress():
                self._under_way[event.worker] = min(event.completion / 100.0, 1.0)
            case RouteEnded():
                self._under_way.pop(event.worker, None)
                if event.final:
                    self._results.append(event.attempt.result)
        if self._start is None and not isinstance(event, RouteStarted):
            self._start, self._ahead = time.monotonic(), self._driven()

    def _driven(self) -> float:
        """Routes driven since the start, those under way in part."""
        return self.count - self._before + sum(self._under_way.values())

    def scores(self) -> str:
        """Running driving score and success rate."""
        if not self._results:
            return "DS -  SR -"
        count = len(self._results)
        return f"DS {driving_score(self._results, count):.1f}  SR {100 * success_rate(self._results, count):.1f} %"

    def time_left(self) -> str:
        """Estimate of the remaining time from the pace so far; '-' while there is none."""
        driven = self._driven()
        if self._start is None or driven - self._ahead < 0.05:
            return "-"
        pace = (time.monotonic() - self._start) / (driven - self._ahead)
        seconds = pace * (self.total - self._before - driven)
        minutes, seconds = divmod(max(round(seconds), 0), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class LiveView:
    """One bar for the run, and a line for each route under way."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[place]}"),
            console=console,
            transient=True,
        )
        self._overall = self._progress.add_task("routes", total=tally.total, place="")
        self._lines: dict[int, TaskID] = {}

    def __enter__(self) -> LiveView:
        self._progress.start()
        self._update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: PoolEvent) -> None:
        self._tally.take(event)
        match event:
            case RouteStarted():
                name = f"  {_name(event.task)}"
                self._lines[event.worker] = self._progress.add_task(escape(name), total=100.0, place="")
            case RouteProgress():
                place = f"{event.completion:.0f} %  tick {event.tick}"
                self._progress.update(self._lines[event.worker], completed=event.completion, place=place)
            case RouteEnded():
                self._progress.remove_task(self._lines.pop(event.worker))
                if event.attempt.reason:
                    say(self._console, _ended_line(event, self._tally))
        self._update()

    def _update(self) -> None:
        tally = self._tally
        place = f"{tally.count}/{tally.total}  {tally.scores()}  ETA {tally.time_left()}"
        self._progress.update(self._overall, completed=tally.count, place=place)


class PlainView:
    """One line for each attempt that ended."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: PoolEvent) -> None:
        self._tally.take(event)
        if isinstance(event, RouteEnded):
            say(self._console, _ended_line(event, self._tally))


def _name(task: RouteTask) -> str:
    repetition = f" rep{task.repetition}" if task.repetition else ""
    label = " (synthetic)" if task.synthetic else ""
    return f"{task.route_id}{repetition} {task.town} {task.scenario_type}{label}"


def _ended_line(event: RouteEnded, tally: Tally) -> str:
    result = event.attempt.result
    said = f": {event.attempt.reason}" if event.attempt.reason else f", DS {result.score_composed:.1f}"
    again = "" if event.final else "; to be driven once more"
    return (
        f"[{tally.count}/{tally.total}] {_name(event.task)}: {result.status}{said}{again} | "
        f"{tally.scores()}  ETA {tally.time_left()}"
    )
