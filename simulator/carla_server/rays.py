"""Rays through a town: what they meet of its triangles, and of the boxes of actors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.encoding import Vector
from simulator.carla_server.episode import Episode
from simulator.kernel import kernel
from simulator.scenery.town import load_scenery

_MAX_HITS = 256


class Hit(NamedTuple):
    """A point on a ray's way."""

    distance: float  # m
    tag: int  # semantic class


@kernel
def meet_triangles(vertex, triangle, chunk_triangle, chunk_low, chunk_high, origin, direction, length,
                   distance, number):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fronts that a ray meets (Moeller and Trumbore 1997), in no order; returns how many.

    Args:
        origin, direction: float64[3] m, unit vector.
        length: m.
        distance, number: float64[n], int64[n], written: metres, triangle.
    """
    count = 0
    for chunk in range(len(chunk_low)):
        enter = 0.0
        leave = length
        for k in range(3):
            low = np.float64(chunk_low[chunk, k]) - 0.01
            high = np.float64(chunk_high[chunk, k]) + 0.01
            if abs(direction[k]) < 1e-12:
                if origin[k] < low or origin[k] > high:
                    leave = -1.0
            else:
                a = (low - origin[k]) / direction[k]
                b = (high - origin[k]) / direction[k]
                enter = max(enter, min(a, b))
                leave = min(leave, max(a, b))
        if enter > leave:
            continue
        # levels 0 and 1; 2 stands for 1 from afar
        for t in range(chunk_triangle[3 * chunk], chunk_triangle[3 * chunk + 2]):
            ia, ib, ic = triangle[t, 0], triangle[t, 1], triangle[t, 2]
            ax, ay, az = np.float64(vertex[ia, 0]), np.float64(vertex[ia, 1]), np.float64(vertex[ia, 2])
            ux, uy, uz = vertex[ib, 0] - ax, vertex[ib, 1] - ay, vertex[ib, 2] - az
            vx, vy, vz = vertex[ic, 0] - ax, vertex[ic, 1] - ay, vertex[ic, 2] - az
            px = direction[1] * vz - direction[2] * vy
            py = direction[2] * vx - direction[0] * vz
            pz = direction[0] * vy - direction[1] * vx
            determinant = ux * px + uy * py + uz * pz
            if abs(determinant) < 1e-12:
                continue
            sx, sy, sz = origin[0] - ax, origin[1] - ay, origin[2] - az
            f = (sx * px + sy * py + sz * pz) / determinant
            if f < 0.0 or f > 1.0:
                continue
            qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
            g = (direction[0] * qx + direction[1] * qy + direction[2] * qz) / determinant
            if g < 0.0 or f + g > 1.0:
                continue
            away = (vx * qx + vy * qy + vz * qz) / determinant
            if away < 0.0 or away > length or count == len(distance):
                continue
            distance[count] = away
            number[count] = t
            count += 1
    return count


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
