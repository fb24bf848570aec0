"""The dense route, exactly as the official evaluator traces it with CARLA's `GlobalRoutePlanner(map, 1.0)`.

The route length of result files, all route percentages, the triggers of scenarios and the plan of an agent refer to
these points. Positions are traced pair by pair and the pieces put in a row, so points at the joints may repeat or step
slightly back, and a lane change jumps ahead by about 5 m: that is official, do not smooth it here
(`matching.route_path` gives a path to drive on).
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from simulator.errors import RouteError
from simulator.kernel import cache_root
from simulator.roads.child import call_in_child

#: Changes whenever the traced points can change.
TRACE_VERSION = 1

#: Spawning the ego vehicle raises the first route point by this much, before the length is taken.
SPAWN_RAISE_M = 0.5


class RoadOption(IntEnum):
    """What the route does at a point, with CARLA's values."""

    VOID = -1
    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANEFOLLOW = 4
    CHANGELANELEFT = 5
    CHANGELANERIGHT = 6


@dataclass(frozen=True)
class TracedRoute:
    """The N points of a dense route, about 1 m apart.

    Coordinates are CARLA's float32 values, held as float64.
    """

    x: np.ndarray  # float64[N] metres, world
    y: np.ndarray  # float64[N] metres
    z: np.ndarray  # float64[N] metres, the road; the first point is not raised
    yaw: np.ndarray  # float64[N] rad, direction of travel, in (-pi, pi]
    pitch: np.ndarray  # float64[N] rad, up positive
    option: np.ndarray  # int8[N] RoadOption
    road: np.ndarray  # int32[N] OpenDRIVE road id
    section: np.ndarray  # int32[N] OpenDRIVE lane section index
    lane_id: np.ndarray  # int32[N] OpenDRIVE lane id
    road_s: np.ndarray  # float64[N] metres along the OpenDRIVE road
    in_junction: np.ndarray  # bool[N]

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def s(self) -> np.ndarray:
        """float64[N] official metres from the start: 3-D, float32 steps, with the first point raised by 0.5 m."""
        points = np.stack([self.x, self.y, self.z], axis=1).astype(np.float32)
        points[:1, 2] += np.float32(SPAWN_RAISE_M)
        step = np.diff(points, axis=0)
        metres = np.sqrt(step[:, 0] * step[:, 0] + step[:, 1] * step[:, 1] + step[:, 2] * step[:, 2])
        return np.concatenate([[0.0], np.cumsum(metres.astype(np.float64))])[: len(self.x)]

    @property
    def length(self) -> float:
        """Metres, rounded to 3 decimals: `meta.route_length` of the official result (docs/bench2drive.md 1.2)."""
        return round(float(self.s[-1]), 3) if len(self) else 0.0


def trace_routes(
    xodr_text: str,
    town_name: str,
    positions: Sequence[np.ndarray],
    *,
    route_names: Sequence[str] | None = None,
    timeout: float = 1800.0,
) -> list[TracedRoute]:
    """Trace routes on a map; results are cached on disk by map, positions and version.

    Args:
        xodr_text: the OpenDRIVE map, a real town or a corridor.
        town_name: its name, for CARLA and for messages.
        positions: per route float64[K, 3], metres, world, K >= 2.
        route_names: how to call each route in a message; default: its number.
        timeout: seconds for reading the map and tracing what is not in the cache.

    Returns:
        One traced route per entry of `positions`.

    Raises:
        RouteError: for the first route with a position more than 5 m off every driving lane, or with two consecutive
            positions that no lane connects. The other routes of the call are in the cache then.
        MapError: when CARLA's parser cannot read the map.
    """
    names = [f"number {i}" for i in range(len(positions))] if route_names is None else list(route_names)
    arrays = [_checked(p, name) for p, name in zip(positions, names, strict=True)]
    map_digest = hashlib.sha256(xodr_text.encode())
    files = [_cache_file(map_digest, town_name, p) for p in arrays]
    traced = [_read(file) for file in files]
    missing = [i for i, route in enumerate(traced) if route is None]
    if missing:
        result = call_in_child(
            "simulator.roads.route_tracer:trace_in_child",
            {
                "town": town_name,
                "xodr": xodr_text,
                "positions": np.concatenate([arrays[i] for i in missing]),
                "first": np.cumsum([0] + [len(arrays[i]) for i in missing]),
            },
            what=f"map {town_name}",
            timeout=timeout,
        )
        failed = {missing[route]: (position, text) for route, position, text in result["errors"]}
        first = result["point_first"]
        for k, i in enumerate(missing):
            if i not in failed:
                part = slice(first[k], first[k + 1])
                _write(files[i], result["points"][part], result["lanes"][part])
                traced[i] = _route(result["points"][part], result["lanes"][part])
        for i, (position, text) in sorted(failed.items()):
            x, y, z = arrays[i][position]
            raise RouteError(
                f"route {names[i]} on {town_name}: position {position} at ({x:.1f}, {y:.1f}, {z:.1f}) {text}; "
                f"correct the position in the route file, or check that this is the map it was made for"
            )
    return [route for route in traced if route is not None]


def downsample(route: TracedRoute, max_distance: float = 50.0) -> np.ndarray:
    """Indices of the points that the official evaluator hands to an agent (docs/bench2drive.md 4.1).

    Kept are the first and the last point, lane changes, points where the option changes (unless right after a lane
    change), and points more than `max_distance` metres after the last kept one.

    Returns:
        int64[M], ascending.
    """
    changes = (RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT)
    points = np.stack([route.x, route.y, route.z], axis=1)
    points[:1, 2] += SPAWN_RAISE_M
    kept = []
    since = 0.0
    for i, option in enumerate(route.option):
        previous = route.option[i - 1]
        if (
            i == 0
            or option in changes
            or (option != previous and previous not in changes)
            or since > max_distance
            or i == len(route) - 1
        ):
            kept.append(i)
            since = 0.0
        else:
            since += float(np.linalg.norm(points[i] - points[i - 1]))
    return np.array(kept, np.int64)


def _checked(positions: np.ndarray, name: str) -> np.ndarray:
    array = np.ascontiguousarray(positions, np.float64)
    if array.ndim != 2 or array.shape[1] != 3 or len(array) < 2:
        raise RouteError(f"route {name}: positions have shape {array.shape}; at least two rows of x, y, z are needed")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise RouteError(f"route {name}: position {row} is not finite: {array[row].tolist()}")
    return array


def _cache_file(map_digest: hashlib._Hash, town: str, positions: np.ndarray) -> Path:
    digest = map_digest.copy()
    digest.update(f"|{town}|{TRACE_VERSION}|".encode())
    digest.update(positions.tobytes())
    return cache_root() / "traces" / f"{digest.hexdigest()}.npz"


def _read(file: Path) -> TracedRoute | None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return _route(arrays["points"], arrays["lanes"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # absent, or left half-written by a crash: trace again


def _write(file: Path, points: np.ndarray, lanes: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.stem}.{os.getpid()}.npz")
    np.savez_compressed(part, points=points, lanes=lanes)
    os.replace(part, file)


def _route(points: np.ndarray, lanes: np.ndarray) -> TracedRoute:
    yaw = np.radians(points[:, 4])
    return TracedRoute(
        x=points[:, 0].copy(),
        y=points[:, 1].copy(),
        z=points[:, 2].copy(),
        yaw=np.arctan2(np.sin(yaw), np.cos(yaw)),
        pitch=np.radians(points[:, 3]),
        option=lanes[:, 0].astype(np.int8),
        road=lanes[:, 1].copy(),
        section=lanes[:, 2].copy(),
        lane_id=lanes[:, 3].copy(),
        road_s=points[:, 5].copy(),
        in_junction=lanes[:, 4].astype(bool),
    )
