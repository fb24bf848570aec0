"""From an OpenDRIVE text to the flat arrays of a town.

`compile_town` validates the text, has CARLA's library sample it in a child process (`sample.py`), and assembles what it
returns with what only the text says (`opendrive.py`). Every frame and unit is that of `RoadArrays`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.roads.child import call_in_child
from simulator.roads.conflicts import find_conflicts
from simulator.roads.network import LaneType, RoadArrays, Turn
from simulator.roads.opendrive import (
    STOP_SIGN_TYPE,
    TRAFFIC_LIGHT_TYPES,
    YIELD_SIGN_TYPE,
    Document,
    MapFacts,
    Signal,
    geo_reference,
    read_facts,
)
from simulator.roads.sample import SHORTEST_LANE
from simulator.roads.signals import place_signals
from simulator.roads.validate import validate

DEFAULT_SPEED_LIMIT = 30.0 / 3.6  # m/s, where the map says none
STRAIGHT_LIMIT = math.radians(28.0)  # a junction lane that bends less goes straight on

_GRID_CELL = 4.0  # metres
_MAX_CELLS = 4_000_000
_WIDEST_GAP = 1.0  # metres between a lane's end and its successor's begin
_MOST_GAPS = 10  # warnings of gaps
_CURVATURE_WINDOW = 2.0  # metres to either side over which curvature is taken
_BEND_ACCELERATION = 2.0  # m/s2 sideways that traffic accepts
_BEND_BRAKE = 1.5  # m/s2 before a bend

_LANE_TYPES = {
    "Driving": LaneType.DRIVING,
    "Parking": LaneType.PARKING,
    "Biking": LaneType.BIKING,
    "Shoulder": LaneType.SHOULDER,
    "Sidewalk": LaneType.SIDEWALK,
    "Median": LaneType.MEDIAN,
    "NONE": LaneType.NONE,
}


def compile_town(text: str, what: str) -> tuple[RoadArrays, dict[str, Any]]:
    """Arrays of a town, and its names: `junction_ids`, `light_ids`, `stop_ids`, `geo_reference`, `warnings`.

    Args:
        text: OpenDRIVE.
        what: how to name the map in an error, such as its file.

    Raises:
        MapError: the map is malformed, or CARLA's parser cannot read it.
    """
    document = Document(text, what)
    warnings = validate(document)
    facts = read_facts(document)
    facts = replace(facts, lanes=tuple(f for f in facts.lanes if f.s_end - f.s_start >= SHORTEST_LANE))
    lights = [s for s in facts.signals if s.type in TRAFFIC_LIGHT_TYPES and not _is_leftover(s, facts)]
    signs = [s for s in facts.signals if s.type in (STOP_SIGN_TYPE, YIELD_SIGN_TYPE) and s.references]
    rows = np.array(
        [(f.road, f.section, f.lane, f.s_start, f.s_end, f.forward) for f in facts.lanes], np.float64
    ).reshape(-1, 6)
    raw = call_in_child(
        "simulator.roads.sample:sample_map",
        {"xodr": text, "lanes": rows, "lights": _references(lights), "signs": _references(signs)},
        what=what,
    )
    arrays: dict[str, np.ndarray] = {}
    arrays.update(_lane_arrays(facts, raw))
    arrays.update(_point_arrays(arrays, raw))
    arrays.update(_grid_arrays(arrays))
    arrays.update(_turns_and_speeds(arrays, facts))
    arrays.update(_crosswalk_arrays(raw["crosswalks"], facts.crosswalk_corners))
    signal_arrays, light_ids, stop_ids, signal_warnings = place_signals(arrays, facts, lights, signs, raw)
    arrays.update(signal_arrays)
    arrays.update(find_conflicts(arrays))
    names = {
        "junction_ids": [j.id for j in facts.junctions],
        "light_ids": light_ids,
        "stop_ids": stop_ids,
        "geo_reference": list(geo_reference(document)),
        "warnings": [*warnings, *_gaps(arrays), *signal_warnings],
    }
    return RoadArrays(**{name: arrays[name] for name in RoadArrays._fields}), names


def _is_leftover(signal: Signal, facts: MapFacts) -> bool:
    """A nameless signal that no controller and no other road knows: stock towns have some, CARLA no light for them."""
    controlled = any(signal.id in members for members in facts.controllers.values())
    return not signal.name and not controlled and all(r.road == signal.road for r in signal.references)


def offsets(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """int32 CSR offsets of groups with these counts."""
    first: np.ndarray = np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))]).astype(np.int32)
    return first


def _references(signals: list[Signal]) -> list[dict[str, Any]]:
    return [
        {"id": s.id, "references": [[r.road, lane, r.s] for r in s.references for lane in r.lanes]} for s in signals
    ]


def _lane_arrays(facts: MapFacts, raw: dict[str, Any]) -> dict[str, np.ndarray]:
    lanes = facts.lanes
    index = {(f.road, f.section, f.lane): i for i, f in enumerate(lanes)}
    types = np.array([_LANE_TYPES.get(t, LaneType.OTHER) for t in raw["type"]], np.int8)
    junction_index = {j.id: k for k, j in enumerate(facts.junctions)}
    left = np.full(len(lanes), -1, np.int32)
    right = np.full(len(lanes), -1, np.int32)
    opposite = np.full(len(lanes), -1, np.int32)
    for i, f in enumerate(lanes):
        side = 1 if f.lane > 0 else -1
        inner = index.get((f.road, f.section, f.lane - side), -1) if f.lane != side else -1
        outer = index.get((f.road, f.section, f.lane + side), -1)
        # With traffic on the right the inner lane is on the left; with traffic on the left it is on the right.
        keeps_right = f.forward == (f.lane < 0)
        left[i], right[i] = (inner, outer) if keeps_right else (outer, inner)
        if f.lane == side:
            across = index.get((f.road, f.section, -side), -1)
            if across >= 0 and types[across] == LaneType.DRIVING:
                opposite[i] = across
    succ_first, succ_lane = _links(raw, "next", index)
    pred_first, pred_lane = _links(raw, "previous", index)
    return {
        "lane_road": np.array([f.road for f in lanes], np.int32),
        "lane_section": np.array([f.section for f in lanes], np.int32),
        "lane_id": np.array([f.lane for f in lanes], np.int32),
        "lane_type": types,
        "lane_length": raw["length"],
        "lane_step": raw["length"] / np.maximum(raw["count"] - 1, 1),
        "lane_first": offsets(raw["count"]),
        "lane_junction": np.array([junction_index.get(int(j), -1) for j in raw["junction"]], np.int32),
        "lane_left": left,
        "lane_right": right,
        "lane_opposite": opposite,
        "succ_first": succ_first,
        "succ_lane": succ_lane,
        "pred_first": pred_first,
        "pred_lane": pred_lane,
    }


def _links(raw: dict[str, Any], name: str, index: dict[tuple[int, int, int], int]) -> tuple[np.ndarray, np.ndarray]:
    keys = [index.get((int(a), int(b), int(c)), -1) for a, b, c in raw[f"{name}_key"]]
    owner = np.repeat(np.arange(len(raw[f"{name}_count"])), raw[f"{name}_count"])
    known = np.array(keys, np.int32) >= 0
    counts = np.bincount(owner[known], minlength=len(raw[f"{name}_count"]))
    return offsets(counts), np.array(keys, np.int32)[known]


def _point_arrays(arrays: dict[str, np.ndarray], raw: dict[str, Any]) -> dict[str, np.ndarray]:
    points = raw["points"]
    first = arrays["lane_first"]
    x, y, z, yaw, width = (np.ascontiguousarray(points[:, k]) for k in range(5))
    pitch = np.zeros(len(x))
    curvature = np.zeros(len(x))
    bend_speed = np.zeros(len(x))
    for lane in range(len(first) - 1):
        span = slice(first[lane], first[lane + 1])
        step = arrays["lane_step"][lane]
        heading = np.unwrap(yaw[span])
        heading -= 2 * math.pi * math.floor((heading[0] + math.pi) / (2 * math.pi))
        yaw[span] = heading
        planar = np.hypot(np.gradient(x[span]), np.gradient(y[span]))
        pitch[span] = np.arctan2(np.gradient(z[span]), np.maximum(planar, 1e-9))
        curvature[span] = _slope(heading, step)
        bend_speed[span] = _bend_speed(curvature[span], step)
    return {
        "point_x": x,
        "point_y": y,
        "point_z": z,
        "point_yaw": yaw,
        "point_pitch": pitch,
        "point_width": width,
        "point_curvature": curvature,
        "point_bend_speed": bend_speed,
        "point_change": raw["change"],
        "point_left_mark": np.ascontiguousarray(raw["marks"][:, 0]),
        "point_right_mark": np.ascontiguousarray(raw["marks"][:, 1]),
        "point_lane": np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first)),
    }


def _slope(values: np.ndarray, step: float) -> np.ndarray:
    """Derivative by central differences over up to `_CURVATURE_WINDOW` to either side, one-sided at the ends."""
    n = len(values)
    reach = max(1, round(_CURVATURE_WINDOW / step)) if step > 1e-9 else 1
    index = np.arange(n)
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach, n - 1)
    slope: np.ndarray = (values[high] - values[low]) / np.maximum((high - low) * step, 1e-9)
    return slope


def _bend_speed(curvature: np.ndarray, step: float) -> np.ndarray:
    """Speed along a lane, m/s, that stays under the sideways acceleration in every bend still to come on it."""
    squared: np.ndarray = _BEND_ACCELERATION / np.maximum(np.abs(curvature), 1e-4)
    for k in range(len(squared) - 2, -1, -1):
        squared[k] = min(squared[k], squared[k + 1] + 2.0 * _BEND_BRAKE * step)
    return np.sqrt(squared)


def _grid_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    x, y = arrays["point_x"], arrays["point_y"]
    low = np.array([x.min(), y.min()]) - 1.0 if len(x) else np.zeros(2)
    high = np.array([x.max(), y.max()]) + 1.0 if len(x) else np.ones(2)
    cell = _GRID_CELL
    while np.prod(np.ceil((high - low) / cell)) > _MAX_CELLS:
        cell *= 2.0
    size = np.maximum(np.ceil((high - low) / cell).astype(np.int64), 1)
    index = ((y - low[1]) // cell).astype(np.int64) * size[0] + ((x - low[0]) // cell).astype(np.int64)
    order = np.argsort(index, kind="stable")
    return {
        "grid_origin": low,
        "grid_size": size,
        "grid_cell": np.array([cell]),
        "cell_first": offsets(np.bincount(index, minlength=int(np.prod(size)))),
        "cell_point": order.astype(np.int32),
    }


def _turns_and_speeds(arrays: dict[str, np.ndarray], facts: MapFacts) -> dict[str, np.ndarray]:
    """Turn directions over the whole way through a junction, and speed limits.

    A junction lane whose map says no speed takes that of the lane before it, as a driver would; so do lanes after it.
    """
    first, yaw = arrays["lane_first"], arrays["point_yaw"]
    bend = yaw[first[1:] - 1] - yaw[first[:-1]]
    lanes = len(bend)
    turn = np.zeros(lanes, np.int8)
    speed = np.array([f.speed for f in facts.lanes], np.float64)
    for lane in np.flatnonzero(arrays["lane_junction"] >= 0):
        total = bend[lane]
        for name in ("pred", "succ"):
            for other in _chain(arrays, int(lane), name):
                total += bend[other]
        turn[lane] = Turn.STRAIGHT if abs(total) < STRAIGHT_LIMIT else (Turn.RIGHT if total > 0 else Turn.LEFT)
    for _ in range(3):
        for lane in np.flatnonzero(np.isnan(speed)):
            before = arrays["pred_lane"][arrays["pred_first"][lane] : arrays["pred_first"][lane + 1]]
            known = [speed[k] for k in before if not math.isnan(speed[k])]
            speed[lane] = known[0] if known else math.nan
    return {"lane_turn": turn, "lane_speed_limit": np.where(np.isnan(speed), DEFAULT_SPEED_LIMIT, speed)}


def _gaps(arrays: dict[str, np.ndarray]) -> list[str]:
    """Warnings of driving lanes that do not begin where the lane before them ends."""
    first, links = arrays["lane_first"], arrays["succ_lane"]
    lane = np.repeat(np.arange(len(first) - 1), np.diff(arrays["succ_first"]))
    end, begin = first[lane + 1] - 1, first[links]
    gap = np.hypot(*(arrays[f"point_{k}"][end] - arrays[f"point_{k}"][begin] for k in "xy"))
    wide = np.flatnonzero((gap > _WIDEST_GAP) & (arrays["lane_type"][lane] == LaneType.DRIVING))
    return [
        f"road {arrays['lane_road'][lane[k]]}, lane {arrays['lane_id'][lane[k]]}: ends {gap[k]:.1f} m from where "
        f"road {arrays['lane_road'][links[k]]}, lane {arrays['lane_id'][links[k]]} goes on; check their contactPoint"
        for k in wide[:_MOST_GAPS]
    ]


def _chain(arrays: dict[str, np.ndarray], lane: int, name: str) -> list[int]:
    """The lanes that follow (or lead to) a junction lane inside its junction, first branch each time."""
    first, other = arrays[f"{name}_first"], arrays[f"{name}_lane"]
    chain: list[int] = []
    junction = arrays["lane_junction"][lane]
    while first[lane + 1] > first[lane]:
        lane = int(other[first[lane]])
        if arrays["lane_junction"][lane] != junction or lane in chain:
            break
        chain.append(lane)
    return chain


def _crosswalk_arrays(corners: np.ndarray, counts: Sequence[int]) -> dict[str, np.ndarray]:
    """Closed polygons; CARLA returns the corners of all in one list, each polygon ending on its first corner."""
    polygons = []
    start = 0
    while start < len(corners):
        same = np.flatnonzero(np.abs(corners[start + 1 :, :2] - corners[start, :2]).max(axis=1) < 1e-3)
        end = start + 2 + int(same[0]) if len(same) else len(corners)
        polygons.append(corners[start:end])
        start = end
    flat = np.concatenate(polygons) if polygons else np.zeros((0, 3))
    return {
        "crosswalk_first": offsets([len(p) for p in polygons]),
        "crosswalk_x": np.ascontiguousarray(flat[:, 0]),
        "crosswalk_y": np.ascontiguousarray(flat[:, 1]),
    }
