"""Loading a town: from the disk cache when its text was compiled before, else by compiling it.

A cached town is a folder `maps/<sha256 of the text>-v<version>` with `arrays.npz` and `names.json`. The version covers
the compiling code and the CARLA library, so a change of either never meets old arrays. A damaged entry is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from functools import lru_cache
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import MapError, MissingMapError
from simulator.roads.compile import compile_town
from simulator.roads.network import RoadArrays, RoadNetwork

_NAMES = ("junction_ids", "light_ids", "stop_ids", "geo_reference", "warnings")
_COMPILING_FILES = (
    *("child", "compile", "conflicts", "network", "opendrive", "sample", "signals"),
    *("validate", "validate_links", "validate_report", "validate_signals"),
)


def load_town(path_or_text: Path | str, name: str, *, cache: bool = True, synthetic: bool = False) -> RoadNetwork:
    """Read a town.

    Args:
        path_or_text: an OpenDRIVE file, or its text (a string that contains `<`).
        name: how the town is called in routes, such as `Town10HD`.
        cache: keep the compiled arrays under `cache_root()/maps`, and use those kept there.
        synthetic: the map was rebuilt from a route, it is not the real town.

    Raises:
        MissingMapError: the file does not exist.
        MapError: the map is malformed, or CARLA's parser cannot read it.
    """
    from simulator.kernel import cache_root  # brings Numba along, which the child process has no use for

    text, what = _read(path_or_text, name)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    folder = cache_root() / "maps" / f"{digest[:32]}-v{cache_version()}"
    loaded = _load(folder) if cache else None
    if loaded is None:
        loaded = compile_town(text, what)
        if cache:
            _save(folder, *loaded)
    arrays, names = loaded
    return RoadNetwork(
        town=name,
        digest=digest,
        arrays=arrays,
        xodr=text,
        junction_ids=tuple(names["junction_ids"]),
        light_ids=tuple(names["light_ids"]),
        stop_ids=tuple(names["stop_ids"]),
        geo_reference=(names["geo_reference"][0], names["geo_reference"][1]),
        synthetic=synthetic,
        warnings=tuple(names["warnings"]),
    )


@lru_cache(maxsize=1)
def cache_version() -> str:
    """Fingerprint of the code and library that compile a town."""
    digest = hashlib.sha256(package_version("carla").encode())
    for stem in _COMPILING_FILES:
        digest.update((Path(__file__).parent / f"{stem}.py").read_bytes())
    return digest.hexdigest()[:12]


def _read(path_or_text: Path | str, name: str) -> tuple[str, str]:
    if isinstance(path_or_text, str) and "<" in path_or_text:
        return path_or_text, f"map {name}"
    path = Path(path_or_text)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except FileNotFoundError:
        raise MissingMapError(f"{path}: no such map file; give the path of an OpenDRIVE (.xodr) file") from None
    except UnicodeDecodeError as error:
        raise MapError(f"{path}: not UTF-8 text (byte {error.start}); save the map as UTF-8") from None
    except OSError as error:
        raise MapError(f"{path}: cannot be read ({error.strerror}); name an OpenDRIVE (.xodr) file") from None


def _load(folder: Path) -> tuple[RoadArrays, dict[str, Any]] | None:
    """What `_save` wrote, or None where there is nothing, or nothing whole."""
    try:
        names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = RoadArrays(**{name: stored[name] for name in RoadArrays._fields})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (arrays, names) if all(name in names for name in _NAMES) else None


def _save(folder: Path, arrays: RoadArrays, names: dict[str, Any]) -> None:
    """Write the entry beside its place and move it there, so that nobody ever reads half of it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    except OSError:
        return  # no place to keep it: the arrays are at hand either way
    try:
        np.savez(work / "arrays.npz", **arrays._asdict())
        (work / "names.json").write_text(json.dumps(names), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
    except OSError:
        # Another process has put the same entry there meanwhile, or the disk is full.
        shutil.rmtree(work, ignore_errors=True)
