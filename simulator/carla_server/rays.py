"""Rays through a town: what they meet of its triangles, and of the boxes of actors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.encoding import Vector
from simulator.carla_server.episode import Episode
from simulator.carla_server.ray_kernel import meet_triangles
from simulator.scenery.town import load_scenery

_MAX_HITS = 256


class Hit(NamedTuple):
    """A point on a ray's way."""

    distance: float  # m
    tag: int  # semantic class


def cast(episode: Episode, origin: Vector, direction: Vector, length: float) -> list[Hit]:
    """What a ray meets within `length` metres, nearest first; `direction` need not be a unit vector."""
    size = math.sqrt(sum(d * d for d in direction))
    if size < 1e-9 or length <= 0.0:
        return []
    unit = np.array(direction) / size
    mesh = load_scenery_once(episode)
    distance, number = np.zeros(_MAX_HITS), np.zeros(_MAX_HITS, np.int64)
    count = meet_triangles(
        mesh.vertex, mesh.triangle, mesh.chunk_triangle, mesh.chunk_low, mesh.chunk_high, np.array(origin), unit,
        float(length), distance, number,
    )  # fmt: skip
    hits = [Hit(float(distance[k]), int(mesh.tag[number[k]])) for k in range(count)]
    for actor in episode.registry.actors.values():
        if actor.slot >= 0 and actor.kind in (ActorKind.VEHICLE, ActorKind.WALKER, ActorKind.PROP):
            met = _meet_box(episode, actor.slot, np.array(origin), unit)
            if met is not None and met <= length:
                hits.append(Hit(met, actor.tag))
    return sorted(hits)


def load_scenery_once(episode: Episode):  # type: ignore[no-untyped-def]
    """The mesh of an episode's town, loaded when it is first asked for."""
    if episode.scenery is None:
        episode.scenery = load_scenery(episode.network)
    return episode.scenery.mesh


def _meet_box(episode: Episode, slot: int, origin: np.ndarray, unit: np.ndarray) -> float | None:
    """Metres to where a ray enters an actor's box, or None."""
    w = episode.worlds
    half = np.array([float(w[k][0, slot]) for k in ("half_length", "half_width", "half_height")])
    centre = np.array([float(w[k][0, slot]) for k in "xyz"]) + (0.0, 0.0, half[2])
    c, s = math.cos(float(w["yaw"][0, slot])), math.sin(float(w["yaw"][0, slot]))
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    at, along = turn @ (origin - centre), turn @ unit
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (-half - at) / along, (half - at) / along
    enter = np.where(np.abs(along) < 1e-12, np.where(np.abs(at) <= half, -math.inf, math.inf), np.minimum(a, b)).max()
    leave = np.where(np.abs(along) < 1e-12, np.where(np.abs(at) <= half, math.inf, -math.inf), np.maximum(a, b)).min()
    return float(enter) if 0.0 <= enter <= leave else None
