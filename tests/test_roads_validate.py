"""Malformed maps end in one clear error; none of them reaches, or takes down, CARLA's parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.errors import MapError, MissingMapError
from simulator.roads import load_town
from simulator.roads.child import call_in_child
from simulator.roads.opendrive import Document
from simulator.roads.validate import validate
from simulator.roads.validate_report import MOST_LISTED
from tests.bad_maps import DEFECTS, GOOD_MAP, NOT_A_MAP, WARNINGS, BadMap, spoil


def test_a_sound_map_has_neither_defects_nor_warnings() -> None:
    assert validate(Document(GOOD_MAP, "small.xodr")) == []


@pytest.mark.parametrize("bad", DEFECTS, ids=lambda bad: bad.name)
def test_a_defect_is_named_with_file_line_element_and_mend(bad: BadMap, tmp_path: Path) -> None:
    path = tmp_path / "spoilt.xodr"
    path.write_text(spoil(bad), encoding="utf-8")
    with pytest.raises(MapError) as caught:
        load_town(path, "Spoilt", cache=False)
    message = str(caught.value)
    line = 1 + spoil(bad)[: GOOD_MAP.index(bad.find)].count("\n")
    own = [text for text in message.splitlines() if bad.wrong in text]
    assert own, message
    assert bad.place in own[0]
    assert bad.mend in own[0].split("; ", 1)[1]
    assert f"{path}:" in own[0]
    # A record that misses something is named by the line on which its owner starts.
    assert abs(int(own[0].split(f"{path}:")[1].split(":")[0]) - line) <= 1


@pytest.mark.parametrize("odd", WARNINGS, ids=lambda odd: odd.name)
def test_an_oddity_that_does_no_harm_is_a_warning(odd: BadMap) -> None:
    town = load_town(spoil(odd), "Odd", cache=False)
    found = [text for text in town.warnings if odd.wrong in text]
    assert len(found) == 1
    assert odd.place in found[0]
    assert odd.mend in found[0]


@pytest.mark.parametrize(("name", "text"), NOT_A_MAP, ids=[name for name, _ in NOT_A_MAP])
def test_what_is_no_map_at_all_is_refused(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.xodr"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MapError, match=r"strange\.xodr"):
        load_town(path, "Strange", cache=False)


def test_defects_are_reported_together_and_in_the_order_of_the_file() -> None:
    text = GOOD_MAP.replace('a="3.5"', 'a="-3.5"', 1).replace('curvature="0.05"', 'curvature="0"')
    with pytest.raises(MapError) as caught:
        validate(Document(text, "two.xodr"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "two.xodr: 2 defects in the map"
    assert "width -3.5" in lines[1]
    assert "curvature 0" in lines[2]


def test_of_very_many_defects_only_the_first_are_written_out() -> None:
    roads = "".join(f'<road id="{k}" length="0"/>' for k in range(50))
    with pytest.raises(MapError) as caught:
        validate(Document(f"<OpenDRIVE>{roads}</OpenDRIVE>", "many.xodr"))
    assert len(str(caught.value).splitlines()) == 1 + MOST_LISTED + 1
    assert "more" in str(caught.value).splitlines()[-1]


def test_many_oddities_of_one_kind_are_one_warning_with_a_count() -> None:
    warnings = validate(Document(GOOD_MAP.replace(' laneChange="none"', ""), "marks.xodr"))
    assert len(warnings) == 1
    assert warnings[0].endswith("more like this)")


def test_a_missing_file_is_a_missing_map(tmp_path: Path) -> None:
    with pytest.raises(MissingMapError, match=r"nowhere\.xodr"):
        load_town(tmp_path / "nowhere.xodr", "Nowhere")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.xodr"
    path.write_bytes(GOOD_MAP.replace('name="r1"', 'name="Straße"').encode("latin-1"))
    with pytest.raises(MapError, match="UTF-8"):
        load_town(path, "Latin")


def test_a_crash_of_carlas_parser_stays_in_the_child() -> None:
    crashing = GOOD_MAP.replace("<line/>", "")
    payload = {"xodr": crashing, "lanes": np.zeros((0, 6)), "lights": [], "signs": []}
    with pytest.raises(MapError, match="SIGSEGV"):
        call_in_child("simulator.roads.sample:sample_map", payload, what="crashing.xodr")
