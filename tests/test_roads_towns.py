"""Finding towns by name in the folders that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import MissingMapError
from simulator.roads import available_towns, find_town, load_named_town
from tests.bad_maps import GOOD_MAP


@pytest.mark.parametrize(
    "place",
    [
        "Town12.xodr",
        "Town12/OpenDrive/Town12.xodr",  # CARLA's large maps
        "OpenDrive/Town12.xodr",  # CARLA's other maps, from the Maps folder
        "Town12/Town12.xodr",
        "Town12_with_signals.xodr",
    ],
)
def test_a_town_is_found_where_carla_and_people_put_it(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GOOD_MAP)
    assert find_town("Town12", tmp_path) == path
    assert "Town12" in available_towns(tmp_path)
    assert load_named_town("Town12", tmp_path).town == "Town12"


def test_the_exact_name_goes_before_a_variant(tmp_path: Path) -> None:
    for name in ("Town05_old.xodr", "Town05.xodr"):
        (tmp_path / name).write_text(GOOD_MAP)
    assert find_town("Town05", tmp_path) == tmp_path / "Town05.xodr"
    assert find_town("Town05_old", tmp_path) == tmp_path / "Town05_old.xodr"


def test_a_name_is_not_the_beginning_of_another(tmp_path: Path) -> None:
    (tmp_path / "Town10HD.xodr").write_text(GOOD_MAP)
    assert find_town("Town10", tmp_path) is None
    assert find_town("Town1", tmp_path) is None


def test_the_built_in_town_needs_no_folder() -> None:
    assert "MiniTown" in available_towns(None)
    town = load_named_town("MiniTown", None)
    assert town.town == "MiniTown"
    assert not town.synthetic
    assert town.num_lanes > 100


def test_a_users_town_goes_before_a_built_in_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "MiniTown.xodr").write_text(GOOD_MAP)
    assert find_town("MiniTown", tmp_path) == tmp_path / "MiniTown.xodr"


def test_a_missing_town_is_named_with_what_there_is_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "Town07.xodr").write_text(GOOD_MAP)
    with pytest.raises(MissingMapError, match=r"Town13.*MiniTown, Town07.*Town13\.xodr"):
        load_named_town("Town13", tmp_path)


def test_the_example_of_the_documentation_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "maps.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    assert isinstance(names["lane"], int)
    assert names["lane"] >= 0


@pytest.mark.parametrize("name", ["../Town07", "Town*", "", "Town[0]7"])
def test_a_strange_name_finds_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    (tmp_path / "Town07.xodr").write_text(GOOD_MAP)
    (folder / "Town07.xodr").write_text(GOOD_MAP)
    assert find_town(name, folder) is None
