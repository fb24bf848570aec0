"""The report as web pages: complete, true to the score sheet, without network, readable on a screen and on a phone."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import find_chromium, look_at
from driven_run import driven_run
from result_samples import driven, hit, outside_lanes

import run_eval
from evaluation.html_report.write import write_html
from evaluation.run_folder import read_run_folder
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.official_json import checkpoint_document
from leaderboard_adapters.report import build_report

needs_browser = pytest.mark.skipif(not find_chromium(), reason="no chromium is installed")
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of two routes, one of them with a film."""
    run = shutil.copytree(driven_run(), tmp_path_factory.mktemp("html") / "blind")
    (run / "videos").mkdir()
    (run / "videos" / "RouteScenario_110_rep0.mp4").write_bytes(b"")
    out = run.parent / "pages"
    assert run_eval.main(["report", str(run), "--html", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same two routes, and somebody else's result file."""
    folder = tmp_path_factory.mktemp("compared")
    better = folder / "other"
    options = ["--routes", "smoke", "--route-ids", "110,111", "--agent", "idle", "--no-recordings"]
    assert run_eval.main([*options, "--out", str(better)]) == 0
    others = folder / "others.json"
    names = [("<b>Parking</b>CutIn", 1711), ("Accident", 2082)]
    results = [driven(route, name, 80.5, hit("collisions_vehicle"), outside_lanes(10.0)) for name, route in names]
    write_json(others, checkpoint_document(results))
    out = folder / "pages"
    paths = [str(path) for path in (driven_run(), better, others)]
    assert run_eval.main(["report", *paths, "--html", str(out)]) == 0
    return out


class Links(HTMLParser):
    """Addresses that a page names, and its elements that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src")]
        if tag not in ("meta", "link", "input", "wbr", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def every_page(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# What stands on the pages


@pytest.mark.parametrize("which", ["pages", "compared"])
def test_pages_are_whole_and_need_no_network(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    assert len(every_page(folder)) > 2
    for path in every_page(folder):
        links = Links(text_of(path))
        assert links.open == []
        for address in links.addresses:
            assert not re.match(r"\w+://|//", address), address
            file, _, anchor = address.partition("#")
            target = path.parent / file if file else path
            assert address == "data:," or target.is_file(), address
            assert not anchor or f'id="{anchor}"' in text_of(target)
    for name in ("report.css", "report.js"):
        assert "http" not in text_of(folder / name)


def test_the_first_page_tells_the_scores_of_the_sheet(pages: Path) -> None:
    sheet = build_report([driven_run()], read_run=read_run_folder).sheets[0]
    text = text_of(pages / "index.html")
    for interval, digits in ((sheet.driving_score, 2), (sheet.success_rate, 1), (sheet.penalty, 3)):
        assert f"<b>{interval.value:.{digits}f}</b>" in text
        assert f"{interval.low:.{digits}f} to {interval.high:.{digits}f}" in text
    for row in sheet.components:
        assert not row.count or row.points_lost == 0 or f"<b>{row.points_lost:.2f}</b>" in text
    assert "these are no Bench2Drive scores" in text
    for result in sheet.results:
        assert f"{result.score_composed:.2f}" in text
        assert f'href="routes/0-{result.route_id}.html"' in text
    assert text.count('title="with video"') == 1


def test_a_route_page_has_map_plots_story_and_film(pages: Path) -> None:
    text = text_of(pages / "routes" / "0-RouteScenario_110_rep0.html")
    assert '<div class="map"><svg' in text
    assert '<path class="asphalt"' in text
    assert text.count('class="way"') >= 3  # pieces of different speeds
    assert '<path class="speed"' in text
    assert "60.00</b> <small>driving score" in text
    assert "× 0.6 <small>hit vehicle</small>" in text
    assert "Agent collided against object with type=vehicle." in text
    assert "ParkingCutIn_1</b> triggers" in text
    assert 'src="../videos/0-RouteScenario_110_rep0.mp4"' in text
    assert "<video" not in text_of(pages / "routes" / "0-RouteScenario_111_rep0.html")


def test_runs_are_compared_where_they_may_be(compared: Path) -> None:
    text = text_of(compared / "index.html")
    assert "Difference to blind" in text
    comparison = build_report([driven_run(), compared.parent / "other"], read_run=read_run_folder).comparisons[0]
    assert comparison.driving_score is not None
    assert f"{comparison.driving_score.difference.value:+.2f}" in text
    assert "others: different worlds" in text
    assert "are not compared" in text


def test_results_of_others_say_what_is_not_known(compared: Path) -> None:
    text = text_of(compared / "routes" / "2-RouteScenario_1711_rep0.html")
    assert "There is no recording of this drive" in text
    assert "holds no timeline" in text
    assert "<svg" not in text
    assert "× 0.6 <small>hit vehicle</small> × 0.9 <small>outside lanes</small>" in text


def test_text_from_files_is_never_markup(compared: Path) -> None:
    for path in every_page(compared):
        assert "<b>Parking</b>CutIn" not in text_of(path)
    assert "&lt;b&gt;Parking&lt;/b&gt;CutIn" in text_of(compared / "routes" / "2-RouteScenario_1711_rep0.html")


def test_a_damaged_recording_costs_its_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(driven_run(), tmp_path / "blind")
    (run / "recordings" / "RouteScenario_110_rep0.npz").write_bytes(b"PK")
    assert run_eval.main(["report", str(run), "--html", str(tmp_path / "pages")]) == 0
    assert "RouteScenario_110_rep0: The recording cannot be used" in capsys.readouterr().err
    text = text_of(tmp_path / "pages" / "routes" / "0-RouteScenario_110_rep0.html")
    assert "The recording cannot be used: " in text
    assert "ParkingCutIn_1</b> triggers" in text


def test_the_same_results_make_the_same_pages(pages: Path, tmp_path: Path) -> None:
    report = build_report([driven_run()], read_run=read_run_folder)
    for name in ("one", "two"):
        write_html(report, tmp_path / name, say=lambda text: None)
    for path in every_page(tmp_path / "one"):
        assert text_of(path) == text_of(tmp_path / "two" / path.relative_to(tmp_path / "one"))


@pytest.mark.parametrize("name", ["file", "file/pages"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run_eval.main(["report", str(driven_run()), "--html", str(tmp_path / name)]) == 2
    assert f"--html {tmp_path / name}: " in capsys.readouterr().err


# In a browser


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("which", "page", "charts"),
    [
        ("pages", "index.html", 12),
        ("pages", "routes/0-RouteScenario_110_rep0.html", 3),
        ("compared", "index.html", 30),
        ("compared", "routes/2-RouteScenario_1711_rep0.html", 0),
    ],
    ids=["one run", "route", "compared", "route of others"],
)
def test_pages_fit_and_raise_no_errors(
    which: str, page: str, charts: int, width: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seen = look_at(request.getfixturevalue(which) / page, width, tmp_path / "profile")
    assert seen["width"] == width
    assert [error for error in seen["errors"] if ".mp4" not in error] == []  # the film is a dummy
    assert seen["console"] == []
    assert seen["overflow"] == 0
    assert seen["charts"] >= charts


@needs_browser
def test_tables_are_filtered_and_sorted(compared: Path, tmp_path: Path) -> None:
    deed = """
      const words = document.querySelector("#run-2 input[type=search]");
      words.value = "accident";
      words.dispatchEvent(new Event("input"));
      document.querySelector("#run-0 #routes-0 th:nth-child(6)").click();
    """
    seen = look_at(
        compared / "index.html", 1280, tmp_path / "profile", deed=deed, selectors=["#routes-2 tbody tr", "#routes-0 tr"]
    )
    assert seen["shown"] == {"#routes-2 tbody tr": 1, "#routes-0 tr": 3}
    assert "1 of 2 routes" in seen["text"]
    routes = seen["text"].split("Routes\n")[1]
    assert routes.index("110") < routes.index("111")  # 60 before 70


@needs_browser
def test_the_cursor_reads_the_plots(pages: Path, tmp_path: Path) -> None:
    deed = """
      const plots = document.querySelector(".plots"), box = plots.getBoundingClientRect();
      plots.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2 }));
    """
    seen = look_at(pages / "routes" / "0-RouteScenario_110_rep0.html", 1280, tmp_path / "profile", deed=deed)
    assert re.search(r"\d+\.\d\d s\s+\d+ km/h\s+throttle 0\.50\s+brake 0\.00", seen["text"])
