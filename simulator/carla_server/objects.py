"""The things that a town's scenery consists of, as CARLA's environment objects and level bounding boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.carla_server.encoding import Vector, write_box
from simulator.carla_server.episode import Episode
from simulator.carla_server.rays import load_scenery_once
from simulator.scenery.mesh import FIRST_OBJECT
from simulator.scenery.tags import Tag

ANY_TAG = 255


@dataclass(frozen=True)
class TownObject:
    """One thing, or the part of it that is of one semantic class. Its box is along the world's axes."""

    id: int
    tag: int
    centre: Vector  # m
    half: Vector  # m

    @property
    def name(self) -> str:
        return f"{Tag(self.tag).name.title().replace('_', '')}_{self.id}"

    def box(self) -> list[Any]:
        """The struct BoundingBox, in the world."""
        return write_box(self.centre, self.half, 0)

    def wire(self) -> list[Any]:
        """The struct EnvironmentObject."""
        return [[list(self.centre), [0.0, 0.0, 0.0]], self.box(), self.id, self.name, self.tag]


def town_objects(episode: Episode) -> list[TownObject]:
    """All things of an episode's town; ground and roads, which are no things, are left out."""
    if episode.objects is None:
        episode.objects = _find(load_scenery_once(episode))
    return episode.objects


def _find(mesh: Any) -> list[TownObject]:
    near = np.zeros(len(mesh.triangle), bool)  # not what stands for detail from afar
    first = mesh.chunk_triangle
    for chunk in range(len(mesh.chunk_low)):
        near[first[3 * chunk] : first[3 * chunk + 2]] = True
    rows = np.flatnonzero(near & (mesh.object >= FIRST_OBJECT))
    key = mesh.object[rows].astype(np.int64) * 256 + mesh.tag[rows]
    rows = rows[np.argsort(key, kind="stable")]
    key = np.sort(key)
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(begins):
        return []
    corners = mesh.vertex[mesh.triangle[rows]].astype(np.float64)
    low = np.minimum.reduceat(corners.min(axis=1), begins)
    high = np.maximum.reduceat(corners.max(axis=1), begins)
    found = []
    for k, begin in enumerate(begins):
        centre, half = (low[k] + high[k]) / 2, (high[k] - low[k]) / 2
        number, tag = divmod(int(key[begin]), 256)
        found.append(TownObject(number, tag, _tuple(centre), _tuple(half)))
    return found


def _tuple(v: np.ndarray) -> Vector:
    return float(v[0]), float(v[1]), float(v[2])
