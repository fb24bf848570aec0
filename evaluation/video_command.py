"""`run_eval.py video`, and `run --video`: films of the recorded routes of a run folder."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evaluation.ledger import LEDGER_NAME, read_ledger
from evaluation.options import EXIT_INCOMPLETE, EXIT_OK, VideoOptions
from evaluation.run_folder import read_run_folder
from evaluation.summary import say
from evaluation.tasks import NEVER_DRIVEN
from evaluation.video import FOLDER, SUFFIX, VideoJob, VideoStyle, make_videos
from leaderboard_adapters.recordings import FOLDER as RECORDINGS
from leaderboard_adapters.recordings import SUFFIX as RECORDING
from leaderboard_adapters.records import RouteResult
from simulator.errors import EvaluationError


def video(options: VideoOptions) -> int:
    """Carry out `video`; returns an exit code of `evaluation.options`: `EXIT_INCOMPLETE` when a film was not made.

    Raises:
        RouteGymError: for wrong options, or a folder that is no run folder.
    """
    if options.workers < 1:
        raise EvaluationError(f"--workers {options.workers}: must be at least 1")
    style = VideoStyle(options.view, options.fps, *size_of(options.size), options.codec)
    style.check()
    found = read_run_folder(options.run)
    if found is None:
        raise EvaluationError(f"{options.run}: no run folder, it has no {LEDGER_NAME}; name one that a run has made")
    results = [result for group in found for file in group.files for result in file.results]
    wanted = _choose(results, options)
    stored = read_ledger(options.run)[0].get("options", {})
    maps = options.maps or (Path(stored["maps"]) if stored.get("maps") else None)
    if maps is not None and not maps.is_dir():
        raise EvaluationError(f"--maps {maps}: no such folder; name one that holds <town>.xodr files")
    console = Console(stderr=True)
    made = film(
        console,
        options.run,
        wanted,
        style=style,
        out=options.out,
        maps=str(maps.resolve()) if maps else "",
        route_file=str(stored.get("routes", "")),
        workers=options.workers,
        again=True,
    )
    return EXIT_OK if made == len(wanted) else EXIT_INCOMPLETE


def film(
    console: Console,
    folder: Path,
    results: Sequence[RouteResult],
    *,
    style: VideoStyle | None = None,
    out: Path | None = None,
    maps: str = "",
    route_file: str = "",
    workers: int = 1,
    again: bool = False,
) -> int:
    """Make the films of some routes of a run folder and tell of them; returns how many there are then.

    Args:
        style: of the films; `VideoStyle()` by default.
        out: folder of the films; by default `videos` in the run folder.
        maps, route_file: as for `VideoJob`.
        again: make those again that are there.

    Raises:
        EvaluationError: when no film at all can be made: package, codec, folder.
    """
    style = style or VideoStyle()
    style.check()
    target = out or folder / FOLDER
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"{target}: cannot be made: {error.strerror or error}") from None
    jobs, there = [], 0
    for result in results:
        recording = folder / RECORDINGS / f"{result.route_id}{RECORDING}"
        path = target / f"{result.route_id}{SUFFIX}"
        if not recording.is_file():
            why = "it was never driven" if result.status in NEVER_DRIVEN else f"there is no {recording}"
            say(console, f"no video of {_named(result)}: {why}")
        elif path.is_file() and not again:
            there += 1
        else:
            jobs.append(VideoJob(str(recording), str(path), style, maps, route_file))
    if not jobs:
        return there
    say(console, f"making {len(jobs)} video{'s' if len(jobs) != 1 else ''} in {target} ...")

    def told(job: VideoJob, frames: int, problem: str) -> None:
        name = Path(job.out)
        if problem:
            say(console, f"no video of {name.stem}: {problem}")
        else:
            say(console, f"  {name.name}: {frames / style.fps:.0f} s, {name.stat().st_size / 1e6:.1f} MB")

    try:
        return there + make_videos(jobs, workers, told)
    finally:  # a process that was ended leaves its film half made
        for half in target.glob(f"*.partial{SUFFIX}"):
            with contextlib.suppress(OSError):
                half.unlink()


def size_of(text: str) -> tuple[int, int]:
    """Width and height of "WxH".

    Raises:
        EvaluationError: for anything else.
    """
    found = re.fullmatch(r"(\d{1,5})\s*[xX×]\s*(\d{1,5})", text.strip())
    if not found:
        raise EvaluationError(f"--size {text}: must be WIDTHxHEIGHT in pixels, such as 960x540")
    return int(found[1]), int(found[2])


def _choose(results: Sequence[RouteResult], options: VideoOptions) -> list[RouteResult]:
    wanted = options.route.removeprefix("RouteScenario_").partition("_rep")[0]
    chosen = [result for result in results if not wanted or result.xml_id == wanted]
    if not chosen:
        known = list(dict.fromkeys(result.xml_id for result in results))
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        there = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
        raise EvaluationError(f"{options.run} has no route '{options.route}'{hint} It has {there or 'none'}")
    if options.repetition is not None:
        chosen = [result for result in chosen if result.repetition == str(options.repetition)]
        if not chosen:
            raise EvaluationError(f"{options.run}: no repetition {options.repetition} of what is asked for")
    if options.failed:
        chosen = [result for result in chosen if not result.success]
    if not chosen:
        raise EvaluationError(f"{options.run}: all of these routes were a success; nothing to film with --failed")
    return chosen


def _named(result: RouteResult) -> str:
    return f"route {result.xml_id}" + (f" repetition {result.repetition}" if result.repetition != "0" else "")
