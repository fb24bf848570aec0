"""Writing a report as a folder of web pages: index.html, report.css, report.js, routes/*.html, videos/*.mp4."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from evaluation.html_report.index_page import index_page
from evaluation.html_report.route_page import Neighbours, route_page
from evaluation.ledger import LEDGER_NAME, read_ledger
from evaluation.tasks import NEVER_DRIVEN
from evaluation.video import FOLDER as VIDEOS
from evaluation.video import SUFFIX as VIDEO
from evaluation.video import network_of
from leaderboard_adapters.recordings import FOLDER as RECORDINGS
from leaderboard_adapters.recordings import SUFFIX, Recording, read_recording
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.report import Report
from leaderboard_adapters.sheet import Sheet
from simulator.errors import EvaluationError, RouteGymError
from simulator.roads.network import RoadNetwork

ROUTES = "routes"  # folder of the route pages
_MOST_NETWORKS = 4  # towns kept while pages are written


def write_html(report: Report, out: Path, *, maps: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Write the pages and return the path of the first.

    What a route lacks (recording, map, video) its page says; only a folder that cannot be written ends it.

    Args:
        maps: folder with the towns' maps; by default the one that each run was driven with.
        say: told how many recordings could not be used.

    Raises:
        EvaluationError: when the folder cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"--html {out}: there is a file of that name; name a folder")
    try:
        return _write(report, out, maps, say)
    except OSError as error:
        where = error.filename or out
        raise EvaluationError(f"--html {out}: {where} cannot be written: {error.strerror or error}") from None


def _write(report: Report, out: Path, maps: Path | None, say: Callable[[str], None]) -> Path:
    (out / ROUTES).mkdir(parents=True, exist_ok=True)
    for name in ("report.css", "report.js"):
        text = resources.files("evaluation.html_report").joinpath(name).read_text(encoding="utf-8")
        (out / name).write_text(text, encoding="utf-8")
    pages = {
        (k, result.route_id): f"{ROUTES}/{k}-{_file_name(result.route_id)}.html"
        for k, sheet in enumerate(report.sheets)
        for result in sheet.results
    }
    films: set[tuple[int, str]] = set()
    problems: list[str] = []
    for k, sheet in enumerate(report.sheets):
        source = _Source(sheet, maps)
        for i, result in enumerate(sheet.results):
            video = _take_video(source.folder, result, out, k)
            if video:
                films.add((k, result.route_id))
            recording, missing = source.recording(result)
            network = None
            if recording is not None:
                network, missing = source.network(recording)
            if missing and result.timeline:
                problems.append(f"{result.route_id}: {missing}")
            around = Neighbours(
                up=(sheet.name, f"../index.html#run-{k}"),
                before=_link(sheet.results[i - 1] if i else None, k),
                after=_link(sheet.results[i + 1] if i + 1 < len(sheet.results) else None, k),
            )
            text = route_page(result, recording, network, video=video, missing=missing, around=around)
            (out / pages[k, result.route_id]).write_text(text, encoding="utf-8")
    index = out / "index.html"
    index.write_text(index_page(report, pages, frozenset(films)), encoding="utf-8")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        say(f"pages that lack something: {problems[0]}{more}")
    return index


class _Source:
    """Where the recordings, videos and maps of a sheet's results are."""

    def __init__(self, sheet: Sheet, maps: Path | None) -> None:
        self.folder = Path(sheet.files[0]).parent if sheet.files else Path()
        options = {}
        if (self.folder / LEDGER_NAME).is_file():
            with contextlib.suppress(RouteGymError):
                options = read_ledger(self.folder)[0].get("options", {})
        self._maps = str(maps) if maps is not None else str(options.get("maps") or "")
        self._route_file = str(options.get("routes") or "")
        self._networks: dict[str, tuple[RoadNetwork | None, str]] = {}

    def recording(self, result: RouteResult) -> tuple[Recording | None, str]:
        """The recording of an attempt, or None and why."""
        path = self.folder / RECORDINGS / f"{result.route_id}{SUFFIX}"
        if not path.is_file():
            if result.status in NEVER_DRIVEN:
                return None, "The route was never driven, so there is no map and there are no plots."
            return None, "There is no recording of this drive, so there is no map and there are no plots."
        try:
            return read_recording(path), ""
        except RouteGymError as error:
            return None, f"The recording cannot be used: {error}"

    def network(self, recording: Recording) -> tuple[RoadNetwork | None, str]:
        """The town of a recording, or None and why."""
        header = recording.header
        key = str(header["route_id"]) if header.get("synthetic") else str(header["town"])
        if key not in self._networks:
            while len(self._networks) >= _MOST_NETWORKS:
                del self._networks[next(iter(self._networks))]
            try:
                self._networks[key] = network_of(header, self._maps, self._route_file), ""
            except RouteGymError as error:
                self._networks[key] = None, f"The map shows no roads: {error}"
        return self._networks[key]


def _take_video(folder: Path, result: RouteResult, out: Path, k: int) -> str:
    """Put the film of an attempt into the report; its address from a route page, '' without one."""
    source = folder / VIDEOS / f"{result.route_id}{VIDEO}"
    if not source.is_file():
        return ""
    name = f"{k}-{_file_name(result.route_id)}{VIDEO}"
    target = out / VIDEOS / name
    target.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)
    return f"../{VIDEOS}/{name}"


def _link(result: RouteResult | None, k: int) -> tuple[str, str]:
    if result is None:
        return "", ""
    repetition = f" rep {result.repetition}" if result.repetition != "0" else ""
    return f"{result.xml_id}{repetition}", f"{k}-{_file_name(result.route_id)}.html"


def _file_name(route_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", route_id)
