"""Towns by the names that clients use."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import MissingMapError, ServerError
from simulator.roads.cache import load_town
from simulator.roads.network import RoadNetwork
from simulator.roads.towns import available_towns, load_named_town

OPENDRIVE_WORLD = "OpenDriveMap"  # what CARLA calls a world that was generated from an OpenDRIVE text
_FOLDER = "Carla/Maps/"


class Maps:
    """The towns of a folder, the built-in one, and the last OpenDRIVE text that a client has sent."""

    def __init__(self, folder: Path | None) -> None:
        """
        Raises:
            ServerError: there is no such folder.
        """
        if folder is not None and not folder.is_dir():
            raise ServerError(f"{folder}: no such folder; name one with .xodr files in --maps")
        self.folder = folder
        self._texts: dict[str, str] = {}

    def available(self) -> list[str]:
        """Paths of all towns, as CARLA lists them."""
        return [f"/Game/{_FOLDER}{name}" for name in available_towns(self.folder)]

    def name(self, town: str) -> str:
        """What `get_map_info` calls a town that was loaded under this name."""
        return _FOLDER + _short(town)

    def load(self, town: str) -> RoadNetwork:
        """A town by name or path; only the last component counts.

        Raises:
            MissingMapError: there is no such map.
            MapError: it is malformed.
        """
        short = _short(town)
        if short in self._texts:
            return load_town(self._texts[short], short)
        if not short:
            raise MissingMapError("a map needs a name")
        return load_named_town(short, self.folder)

    def keep(self, name: str, text: str) -> None:
        """Have `load(name)` read this OpenDRIVE text."""
        self._texts[name] = text


def _short(town: str) -> str:
    name = town.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name.removesuffix("_Opt") if name.startswith("Town") else name
