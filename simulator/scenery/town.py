"""The geometry of a town: compiled once from its roads, kept on disk beside the compiled map."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.roads.network import RoadNetwork
from simulator.scenery.mesh import Mesh

CHUNK = 40.0  # metres: edge of the squares that triangles are sorted into


class TownScenery(NamedTuple):
    """What stands in a town."""

    mesh: Mesh
    raised: np.ndarray  # uint8[rows, columns] 1 on raised sidewalks
    raised_origin: np.ndarray  # float64[2] x, y of cell (0, 0)'s centre
    raised_cell: float  # metres
    lamp_triangle: np.ndarray  # int32[n] triangles that are lamps of traffic lights
    lamp_light: np.ndarray  # int64[n] light index
    lamp_kind: np.ndarray  # int64[n] LightState in which it is on
    street_triangle: np.ndarray  # int32[m] triangles that are lamps of the street
    street_lamp: np.ndarray  # float64[k, 3] their light sources
    pictures: np.ndarray  # uint8[n, S, S, 3] RGB faces of signs
    signal_heads: np.ndarray  # float64[h, 5] light, x, y, z, yaw that its lamps look to
    sign_faces: np.ndarray  # float64[g, 4] x, y, z, yaw that a sign looks to
    ground: np.ndarray  # float32[rows, columns] terrain height at 1 m
    ground_origin: np.ndarray  # float64[2]


def load_scenery(network: RoadNetwork, *, cache: bool = True) -> TownScenery:
    """The scenery of a town, from the cache where it was compiled before.

    Args:
        cache: keep it under `cache_root()/scenery`, and use what is kept there.
    """
    from simulator.kernel import cache_root

    path = cache_root() / "scenery" / f"{network.digest[:32]}-v{scenery_version()}.npz"
    found = _read(path) if cache else None
    if found is None:
        from simulator.scenery.compile import compile_scenery

        found = compile_scenery(network)
        if cache:
            _write(path, found)
    return found


@lru_cache(maxsize=1)
def scenery_version() -> str:
    """Fingerprint of the code that makes scenery."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _read(path: Path) -> TownScenery | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            mesh = Mesh(**{name: stored[f"mesh_{name}"] for name in Mesh._fields})
            rest = {name: stored[name] for name in TownScenery._fields if name != "mesh"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    rest["raised_cell"] = float(rest["raised_cell"])
    return TownScenery(mesh=mesh, **rest)


def _write(path: Path, scenery: TownScenery) -> None:
    """Write beside the place and move there, so that nobody ever reads half of it."""
    arrays = {f"mesh_{name}": value for name, value in scenery.mesh._asdict().items()}
    arrays.update({name: value for name, value in scenery._asdict().items() if name != "mesh"})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    except OSError:
        return  # no place to keep it: the scenery is at hand either way
    try:
        np.savez(work / "scenery.npz", **arrays)
        os.replace(work / "scenery.npz", path)
    except OSError:
        pass
    finally:
        shutil.rmtree(work, ignore_errors=True)
