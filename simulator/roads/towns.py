"""Finding the map file of a town by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import MissingMapError

if TYPE_CHECKING:
    from simulator.roads.network import RoadNetwork

BUILT_IN_FOLDER = Path(__file__).parent / "towns"


def find_town(name: str, maps_dir: Path | None) -> Path | None:
    """The `.xodr` file of a town, or None.

    Looked for in `maps_dir`, then among the built-in towns, an exact name first:
    `Town12.xodr`, `Town12/OpenDrive/Town12.xodr`, `OpenDrive/Town12.xodr` (CARLA's own folders), `Town12/Town12.xodr`,
    then a single variant `Town12_*.xodr`.
    """
    if not name or Path(name).name != name:
        return None
    for folder in _folders(maps_dir):
        for path in _exact_places(folder, name):
            if path.is_file():
                return path
        variants = sorted(path for path in folder.glob(f"{_escape(name)}_*.xodr") if path.is_file())
        if variants:
            return variants[0]
    return None


def available_towns(maps_dir: Path | None) -> tuple[str, ...]:
    """Names for which `find_town` finds a map, sorted."""
    names: set[str] = set()
    for folder in _folders(maps_dir):
        for pattern in ("*.xodr", "OpenDrive/*.xodr", "*/OpenDrive/*.xodr", "*/*.xodr"):
            names.update(path.stem.split("_")[0] for path in folder.glob(pattern))
    return tuple(sorted(name for name in names if find_town(name, maps_dir) is not None))


def load_named_town(name: str, maps_dir: Path | None) -> RoadNetwork:
    """Find and read a town.

    Raises:
        MissingMapError: there is no map of that name.
        MapError: the map is malformed.
    """
    from simulator.roads.cache import load_town  # brings Numba, which finding a file does not need

    path = find_town(name, maps_dir)
    if path is None:
        have = ", ".join(available_towns(maps_dir)) or "none"
        where = f"in {maps_dir}" if maps_dir is not None else "without a maps folder"
        raise MissingMapError(
            f"{name}: no map of this town {where} (available: {have}); name a folder that holds {name}.xodr, "
            "such as CarlaUE4/Content/Carla/Maps of a CARLA installation"
        )
    return load_town(path, name)


def _folders(maps_dir: Path | None) -> list[Path]:
    return [BUILT_IN_FOLDER] if maps_dir is None else [Path(maps_dir), BUILT_IN_FOLDER]


def _exact_places(folder: Path, name: str) -> list[Path]:
    file = f"{name}.xodr"
    return [
        folder / file,
        folder / name / "OpenDrive" / file,
        folder / "OpenDrive" / file,
        folder / name / file,
    ]


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
