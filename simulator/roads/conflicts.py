"""Where two lanes of a junction share ground, and who waits for whom there.

Two junction lanes conflict when vehicles on their centrelines would touch: crossings and merges. Lanes that come from
the same lane diverge instead, and never conflict.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.roads.network import LaneType, Turn, Yield

VEHICLE_HALF_WIDTH = 1.1  # metres, mirrors included
FRONT_SWING = 6.5  # m2: metres that the front corner swings out of a bend, times its curvature in 1/m
MARGIN = 0.3  # metres between two vehicles that pass clear of each other
_STEP = 0.5  # metres between the samples that are compared
_LEVEL = 3.0  # metres of height between lanes that pass over each other
_SHIFT = 1.0  # metres: of two lanes that merge, the one that moves aside by so much more waits
_ONCOMING = math.radians(120.0)  # entry directions that differ by more face each other

Arrays = dict[str, np.ndarray]


def find_conflicts(arrays: Arrays) -> Arrays:
    """The `conflict_*` arrays (CSR over lanes), from all other lane arrays."""
    found: list[tuple[int, int, float, float, float, float, int]] = []
    driving = arrays["lane_type"] == LaneType.DRIVING
    approaches = _Approaches(arrays)
    for junction in range(int(arrays["lane_junction"].max(initial=-1)) + 1):
        lanes = [int(k) for k in np.flatnonzero((arrays["lane_junction"] == junction) & driving)]
        samples = {lane: _sample(arrays, lane) for lane in lanes}
        for i, a in enumerate(lanes):
            for b in lanes[i + 1 :]:
                if approaches.diverge(a, b):
                    continue
                shared = _shared(samples[a], samples[b])
                if shared is None:
                    continue
                a0, a1, b0, b1 = shared
                rule = approaches.rule(a, b)
                found.append((a, b, a0, a1, b0, b1, rule))
                found.append((b, a, b0, b1, a0, a1, -rule))
    found.sort(key=lambda c: (c[0], c[2], c[1]))
    count = np.bincount([c[0] for c in found], minlength=len(driving)) if found else np.zeros(len(driving), int)
    column = [np.array([c[k] for c in found], np.float64) for k in range(7)]
    return {
        "conflict_first": np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        "conflict_lane": column[1].astype(np.int32),
        "conflict_enter": column[2],
        "conflict_exit": column[3],
        "conflict_other_enter": column[4],
        "conflict_other_exit": column[5],
        "conflict_rule": column[6].astype(np.int8),
    }


class _Approaches:
    """What rules the way in of each junction lane: its light, its signs, its direction and its turn."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._cache: dict[int, tuple[frozenset[int], int, int, float]] = {}

    def diverge(self, a: int, b: int) -> bool:
        """True for lanes of one way, or of two ways out of the same lane."""
        return bool(self._of(a)[0] & self._of(b)[0])

    def rule(self, a: int, b: int) -> int:
        """`Yield` from lane a's view."""
        _, light_a, rank_a, yaw_a = self._of(a)
        _, light_b, rank_b, yaw_b = self._of(b)
        turn_a, turn_b = int(self._arrays["lane_turn"][a]), int(self._arrays["lane_turn"][b])
        if (light_a < 0) != (light_b < 0):
            return Yield.GIVES_WAY if light_a < 0 else Yield.HAS_PRIORITY
        if light_a >= 0:
            group, phase = self._arrays["light_group"], self._arrays["light_phase"]
            if group[light_a] != group[light_b] or phase[light_a] != phase[light_b]:
                return Yield.EQUAL  # never green together
            return _by_turn_with_light(turn_a, turn_b, _facing(yaw_a, yaw_b))
        if rank_a != rank_b:
            return Yield.GIVES_WAY if rank_a > rank_b else Yield.HAS_PRIORITY
        rule = _by_turn(turn_a, turn_b)
        if rule == Yield.EQUAL and self._successors(a) & self._successors(b):
            shift = self._sideways(a) - self._sideways(b)
            if abs(shift) > _SHIFT:
                return Yield.GIVES_WAY if shift > 0.0 else Yield.HAS_PRIORITY
        return rule

    def _successors(self, lane: int) -> frozenset[int]:
        first = self._arrays["succ_first"]
        return frozenset(self._arrays["succ_lane"][first[lane] : first[lane + 1]].tolist())

    def _sideways(self, lane: int) -> float:
        """Metres by which a lane's end lies beside where an arc of the same change of direction would end."""
        arrays = self._arrays
        a, b = arrays["lane_first"][lane], arrays["lane_first"][lane + 1] - 1
        dx, dy = (float(arrays[f"point_{k}"][b] - arrays[f"point_{k}"][a]) for k in "xy")
        yaw = float(arrays["point_yaw"][a])
        ahead, right = dx * math.cos(yaw) + dy * math.sin(yaw), -dx * math.sin(yaw) + dy * math.cos(yaw)
        return abs(right - ahead * math.tan(0.5 * (float(arrays["point_yaw"][b]) - yaw)))

    def _of(self, lane: int) -> tuple[frozenset[int], int, int, float]:
        """(lanes outside that lead here, light, 2 for a stop sign or 1 for a yield sign, entry direction)"""
        if lane not in self._cache:
            self._cache[lane] = self._trace(lane)
        return self._cache[lane]

    def _trace(self, lane: int) -> tuple[frozenset[int], int, int, float]:
        arrays = self._arrays
        junction = arrays["lane_junction"]
        outside: set[int] = set()
        entries, todo, seen = [], [lane], {lane}
        while todo:
            here = todo.pop()
            before = arrays["pred_lane"][arrays["pred_first"][here] : arrays["pred_first"][here + 1]].tolist()
            inside = [k for k in before if junction[k] == junction[lane]]
            outside.update(k for k in before if junction[k] != junction[lane])
            if not inside:
                entries.append(here)
            todo += [k for k in inside if k not in seen]
            seen.update(inside)
        # A way without a lane before it is told apart by its own first lane.
        outside.update(-1 - k for k in entries if arrays["pred_first"][k] == arrays["pred_first"][k + 1])
        lights = [int(arrays["lane_light"][k]) for k in sorted(entries) if arrays["lane_light"][k] >= 0]
        known = [k for k in outside if k >= 0]
        signs = (2 if arrays["lane_stop_sign"][k] >= 0 else int(arrays["lane_yield_sign"][k]) for k in known)
        rank = max(signs, default=0)
        entry = min(entries) if entries else lane
        yaw = float(arrays["point_yaw"][arrays["lane_first"][entry]])
        return frozenset(outside), lights[0] if lights else -1, rank, yaw


def _facing(yaw_a: float, yaw_b: float) -> bool:
    return abs((yaw_a - yaw_b + math.pi) % (2 * math.pi) - math.pi) > _ONCOMING


def _by_turn_with_light(turn_a: int, turn_b: int, facing: bool) -> int:
    """Both are green: who turns left waits for oncoming traffic that does not."""
    if facing and (turn_a == Turn.LEFT) != (turn_b == Turn.LEFT):
        return Yield.GIVES_WAY if turn_a == Turn.LEFT else Yield.HAS_PRIORITY
    return Yield.EQUAL


def _by_turn(turn_a: int, turn_b: int) -> int:
    """Nothing but the turns tells: straight on before turning, right before left."""
    order = {Turn.STRAIGHT: 0, Turn.RIGHT: 1, Turn.LEFT: 2}
    a, b = order[Turn(turn_a)], order[Turn(turn_b)]
    if a == b:
        return Yield.EQUAL
    return Yield.GIVES_WAY if a > b else Yield.HAS_PRIORITY


class _Way(NamedTuple):
    """Samples along a lane."""

    s: np.ndarray  # float64[n] metres
    place: np.ndarray  # float64[n, 3] metres
    half: np.ndarray  # float64[n] metres swept to either side
    yaw: np.ndarray  # float64[n] rad
    swing: np.ndarray  # float64[n] metres that the front corner swings out, positive to the right


def _sample(arrays: Arrays, lane: int) -> _Way:
    span = slice(arrays["lane_first"][lane], arrays["lane_first"][lane + 1])
    length = float(arrays["lane_length"][lane])
    at = np.linspace(0.0, length, span.stop - span.start)
    s = np.linspace(0.0, length, max(2, math.ceil(length / _STEP) + 1))
    place = np.stack([np.interp(s, at, arrays[f"point_{k}"][span]) for k in ("x", "y", "z")], axis=1)
    yaw, curvature = (np.interp(s, at, arrays[f"point_{k}"][span]) for k in ("yaw", "curvature"))
    # In a narrow lane the neighbour's vehicle is not in the way: sweep no wider than the lane itself.
    half = np.minimum(VEHICLE_HALF_WIDTH + MARGIN / 2, np.interp(s, at, arrays["point_width"][span]) / 2 - 0.1)
    return _Way(s, place, np.maximum(half, 0.5), yaw, -FRONT_SWING * curvature)


def _shared(a: _Way, b: _Way) -> tuple[float, float, float, float] | None:
    """Own and other s interval of the shared area, or None."""
    gap = a.place[:, None, :] - b.place[None, :, :]
    room = a.half[:, None] + b.half[None, :]
    # Those who meet in a bend, such as two who turn left from opposite sides, swing out towards each other.
    facing = np.cos(a.yaw[:, None] - b.yaw[None, :]) < 0.0
    b_of_a = gap[..., 0] * np.sin(a.yaw)[:, None] - gap[..., 1] * np.cos(a.yaw)[:, None]  # metres to a's right
    a_of_b = gap[..., 1] * np.cos(b.yaw)[None, :] - gap[..., 0] * np.sin(b.yaw)[None, :]
    out = np.maximum(np.sign(b_of_a) * a.swing[:, None], 0.0) + np.maximum(np.sign(a_of_b) * b.swing[None, :], 0.0)
    near = np.hypot(gap[..., 0], gap[..., 1]) < np.maximum(room, np.where(facing, room - MARGIN + out, 0.0))
    near &= np.abs(gap[..., 2]) < _LEVEL
    if not near.any():
        return None
    along_a, along_b = a.s[near.any(axis=1)], b.s[near.any(axis=0)]
    return float(along_a[0]), float(along_a[-1]), float(along_b[0]), float(along_b[-1])
