"""Every scenario type has its picture, and a figure can be drawn of any recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios.registry import BENCH2DRIVE_TYPES

FOLDER = Path(__file__).parent.parent / "docs" / "scenarios"


def test_every_type_has_a_picture_on_the_page() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\w+)\.png\)", page)) == sorted(BENCH2DRIVE_TYPES)
    assert sorted(re.findall(r"^\| \[(\w+)\]\(#", page, re.M)) == sorted(BENCH2DRIVE_TYPES)
    assert {path.stem for path in FOLDER.glob("*.png")} == set(BENCH2DRIVE_TYPES)


def test_pictures_stay_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.glob("*.png")]
    assert max(sizes) < 100_000
    assert sum(sizes) < 6_000_000


@pytest.mark.slow
def test_the_command_draws_a_type_and_its_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.scenario_pictures import draw_types

    draw_types(["PedestrianCrossing"], tmp_path)
    assert (tmp_path / "PedestrianCrossing.png").read_bytes().startswith(b"\x89PNG")
    assert "Three walkers cross" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_moments_of_a_figure_are_few_and_in_order() -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.scenario_pictures import best_drive
    from benchmarks.story_beats import MAX_BEATS, beats_of
    from simulator.roads.towns import load_named_town

    _, recording = best_drive(load_named_town("MiniTown", None), "ParkingCutIn")
    beats = beats_of(recording)
    assert 3 <= len(beats) <= MAX_BEATS
    assert [beat.tick for beat in beats] == sorted(beat.tick for beat in beats)
    assert beats[0].text.startswith("trigger: ")
    assert any("closest to 'car'" in beat.text for beat in beats)
