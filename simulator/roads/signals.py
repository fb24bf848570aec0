"""Traffic lights, stop signs and stop lines of a town.

Groups and phases follow CARLA's own rules: a junction's controllers form one group, each controller is one phase, in
the order in which the junction names them; every phase is green 10 s, yellow 3 s, then all red 2 s
(UTrafficLightController's defaults; `sequence` is not used by CARLA).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from simulator.roads.network import LaneType
from simulator.roads.opendrive import STOP_SIGN_TYPE, MapFacts, Signal

GREEN_SECONDS, YELLOW_SECONDS, RED_SECONDS = 10.0, 3.0, 2.0

STOP_LINE_GAP = 1.0  # metres between a stop line and the junction, or the crosswalk before it
_CROSSWALK_REACH = 15.0  # metres before a junction in which a crosswalk belongs to it
_SIGN_HALF_LENGTH = 1.5  # metres along the lane, as UTrafficLightComponent's boxes
_BEFORE_STOP_CENTRE, _BEHIND_STOP_CENTRE = 1.2, 3.0  # metres around a stop sign's trigger centre for its stop line
_STENCIL_REACH = 40.0  # metres from a STOP stencil to the junction it is painted for

Arrays = dict[str, np.ndarray]


def place_signals(
    arrays: Arrays, facts: MapFacts, lights: list[Signal], signs: list[Signal], raw: dict[str, Any]
) -> tuple[Arrays, list[str], list[str], list[str]]:
    """Signal arrays, light ids, stop ids, warnings.

    Args:
        arrays: the lane, point and crosswalk arrays of `RoadArrays`.
        lights, signs: in the order of `raw["lights"]` and `raw["signs"]`.
        raw: what `sample.sample_map` returned.
    """
    lanes = _Lanes(arrays)
    out: Arrays = {}
    warnings: list[str] = []
    rules = [lanes.entries_of(_lane_indices(lanes, light["affected"])) for light in raw["lights"]]
    out.update(_light_arrays(lanes, raw["lights"]))
    out["lane_light"] = _lane_lights(lanes, lights, rules, warnings)
    out.update(_groups(lanes, facts, lights, rules, warnings))
    sign_arrays, stop_ids = _signs(lanes, signs, raw)
    out.update(sign_arrays)
    out["lane_stop_line"] = _stop_lines(lanes, out)
    return out, [light.id for light in lights], stop_ids, warnings


class _Lanes:
    """Lookups over the lane arrays."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        keys = zip(arrays["lane_road"].tolist(), arrays["lane_section"].tolist(), arrays["lane_id"].tolist())
        self.index = {key: i for i, key in enumerate(keys)}
        self.junction = arrays["lane_junction"]
        self.crosswalks = _boxes(arrays)

    def successors(self, lane: int) -> list[int]:
        first = self.arrays["succ_first"]
        return [int(k) for k in self.arrays["succ_lane"][first[lane] : first[lane + 1]]]

    def predecessors(self, lane: int) -> list[int]:
        first = self.arrays["pred_first"]
        return [int(k) for k in self.arrays["pred_lane"][first[lane] : first[lane + 1]]]

    def entries_of(self, affected: list[int]) -> list[int]:
        """Junction lanes through which traffic that a signal rules enters its junction."""
        entries: list[int] = []
        for lane in affected:
            entries += self._entries(lane) if self.junction[lane] >= 0 else self._entered_from(lane)
        return sorted(set(entries))

    def _entries(self, lane: int) -> list[int]:
        """First lanes, inside the junction, of all ways that lead to a junction lane."""
        found, todo, seen = [], [lane], {lane}
        while todo:
            lane = todo.pop()
            inside = [k for k in self.predecessors(lane) if self.junction[k] == self.junction[lane]]
            if not inside:
                found.append(lane)
            todo += [k for k in inside if k not in seen]
            seen.update(inside)
        return found

    def _entered_from(self, lane: int) -> list[int]:
        approach = self.approach(lane, 200.0)
        return [k for k in self.successors(approach) if self.junction[k] >= 0] if approach >= 0 else []

    def approach(self, lane: int, reach: float) -> int:
        """The last lane before the next junction ahead of `lane` (perhaps itself), at most `reach` metres on, or -1."""
        seen = set()
        while lane not in seen and reach > 0.0:
            seen.add(lane)
            following = self.successors(lane)
            if any(self.junction[k] >= 0 for k in following):
                return lane
            if not following:
                return -1
            lane = following[0]
            reach -= float(self.arrays["lane_length"][lane])
        return -1

    def approaches_of(self, affected: list[int]) -> list[int]:
        """Lanes outside whose end a signal on these lanes rules."""
        found = []
        for lane in affected:
            if self.junction[lane] >= 0:
                found += [p for e in self._entries(lane) for p in self.predecessors(e) if self.junction[p] < 0]
            else:
                found.append(self.approach(lane, 200.0))
        return sorted({lane for lane in found if lane >= 0})

    def points(self, lane: int) -> np.ndarray:
        """float64[n, 4] x, y, z, yaw of a lane's points."""
        span = slice(self.arrays["lane_first"][lane], self.arrays["lane_first"][lane + 1])
        return np.stack([self.arrays[f"point_{k}"][span] for k in ("x", "y", "z", "yaw")], axis=1)

    def project(self, lane: int, x: float, y: float) -> float:
        """s of the point of a lane nearest to (x, y); beyond its end it goes on along the end's direction."""
        points = self.points(lane)
        a, b = points[:-1, :2], points[1:, :2]
        d = b - a
        t = ((np.array([x, y]) - a) * d).sum(axis=1) / np.maximum((d * d).sum(axis=1), 1e-12)
        t = np.clip(t, 0.0, 1.0)
        gap = np.hypot(*(a + t[:, None] * d - (x, y)).T)
        best = int(np.argmin(gap))
        s = (best + float(t[best])) * float(self.arrays["lane_step"][lane])
        end = points[-1]
        ahead = (x - end[0]) * math.cos(end[3]) + (y - end[1]) * math.sin(end[3])
        if best == len(t) - 1 and ahead > 0.0:
            return float(self.arrays["lane_length"][lane]) + float(ahead)
        return s

    def pose(self, lane: int, s: float) -> tuple[float, float, float, float]:
        """x, y, z, yaw at s of a lane; beyond its end on the straightest way on."""
        length = float(self.arrays["lane_length"][lane])
        if s > length:
            following = sorted(self.successors(lane), key=lambda k: (abs(int(self.arrays["lane_turn"][k])), k))
            if following:
                return self.pose(following[0], min(s - length, float(self.arrays["lane_length"][following[0]])))
        points = self.points(lane)
        at = np.linspace(0.0, length, len(points))
        x, y, z, yaw = (float(np.interp(s, at, points[:, k])) for k in range(4))
        return x, y, z, yaw

    def width_at_end(self, lane: int) -> float:
        return float(self.arrays["point_width"][self.arrays["lane_first"][lane + 1] - 1])


def _lane_indices(lanes: _Lanes, places: list[list[float]]) -> list[int]:
    found = [lanes.index.get((int(p[0]), int(p[1]), int(p[2])), -1) for p in places]
    return [lane for lane in dict.fromkeys(found) if lane >= 0]


def _offsets(counts: list[int]) -> np.ndarray:
    first: np.ndarray = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return first


def _light_arrays(lanes: _Lanes, raw_lights: list[dict[str, Any]]) -> Arrays:
    pose = np.array([light["pose"] for light in raw_lights], np.float64).reshape(-1, 4)
    # A light that rules no lane has no trigger volume; its own place stands in for the volume's centre.
    boxes = [light["box"] or [*light["pose"][:3], 0.0, 0.0, 0.0] for light in raw_lights]
    box = np.array(boxes, np.float64).reshape(-1, 6)
    stops = [p for light in raw_lights for p in light["stops"]]
    stop = np.array(stops, np.float64).reshape(-1, 9)
    affected = [p for light in raw_lights for p in light["affected"]]
    place = np.array(affected, np.float64).reshape(-1, 9)
    index = lanes.index
    return {
        "light_x": pose[:, 0].copy(),
        "light_y": pose[:, 1].copy(),
        "light_z": pose[:, 2].copy(),
        "light_yaw": pose[:, 3] + math.pi / 2,
        "light_box_x": box[:, 0].copy(),
        "light_box_y": box[:, 1].copy(),
        "light_box_z": box[:, 2].copy(),
        "light_box_extent_x": box[:, 4].copy(),
        "light_box_extent_y": box[:, 5].copy(),
        "light_stop_first": _offsets([len(light["stops"]) for light in raw_lights]),
        "light_stop_lane": np.array([index[int(p[0]), int(p[1]), int(p[2])] for p in stops], np.int32),
        "light_stop_x": stop[:, 4].copy(),
        "light_stop_y": stop[:, 5].copy(),
        "light_stop_yaw": stop[:, 7].copy(),
        "light_stop_width": stop[:, 8].copy(),
        "light_affected_first": _offsets([len(light["affected"]) for light in raw_lights]),
        "light_affected_lane": np.array([index[int(p[0]), int(p[1]), int(p[2])] for p in affected], np.int32),
        "light_affected_x": place[:, 4].copy(),
        "light_affected_y": place[:, 5].copy(),
        "light_affected_z": place[:, 6].copy(),
    }


def _lane_lights(lanes: _Lanes, lights: list[Signal], rules: list[list[int]], warnings: list[str]) -> np.ndarray:
    lane_light = np.full(len(lanes.junction), -1, np.int32)
    for light, entries in enumerate(rules):
        for lane in entries:
            if lane_light[lane] < 0:
                lane_light[lane] = light
            elif lane_light[lane] != light:
                road = int(lanes.arrays["lane_road"][lane])
                warnings.append(
                    f"road {road}, lane {int(lanes.arrays['lane_id'][lane])}: ruled by the traffic lights "
                    f"{lights[lane_light[lane]].id} and {lights[light].id}; the first counts"
                )
    _complete(lanes, lane_light)
    return lane_light


def _complete(lanes: _Lanes, lane_light: np.ndarray) -> None:
    """Give the movements of a lane that no light names the light of that lane's other movements.

    In CARLA a light acts on whoever passes its trigger volume, which lies on the lane before the junction.
    """
    for lane in np.flatnonzero((lanes.junction >= 0) & (lane_light < 0)):
        if lanes.arrays["lane_type"][lane] != LaneType.DRIVING:
            continue
        before = [p for p in lanes.predecessors(int(lane)) if lanes.junction[p] < 0]
        siblings = {int(lane_light[k]) for p in before for k in lanes.successors(p)} - {-1}
        if len(siblings) == 1:
            lane_light[lane] = siblings.pop()


def _groups(
    lanes: _Lanes, facts: MapFacts, lights: list[Signal], rules: list[list[int]], warnings: list[str]
) -> Arrays:
    """Groups in the order of their junctions, then one for each light that rules no junction."""
    number = {light.id: k for k, light in enumerate(lights)}
    home = [_home_junction(lanes, entries) for entries in rules]
    phase_of: dict[int, tuple[int, int]] = {}
    group_junction: list[int] = []
    group_phases: list[int] = []
    for j, junction in enumerate(facts.junctions):
        group, phases = len(group_junction), 0
        for controller in junction.controllers:
            members = [number[s] for s in facts.controllers.get(controller, ()) if s in number]
            members = [light for light in members if light not in phase_of]
            for light in members:
                phase_of[light] = (group, phases)
            phases += bool(members)
        loose = [k for k in range(len(lights)) if home[k] == j and k not in phase_of]
        if loose:
            ids = ", ".join(lights[k].id for k in loose)
            warnings.append(
                f"junction {junction.id}: no controller of it has the traffic light(s) {ids}; "
                "each approach gets a phase of its own"
            )
            for members in _by_approach(lanes, facts, lights, rules, loose):
                for light in members:
                    phase_of[light] = (group, phases)
                phases += 1
        if phases:
            group_junction.append(j)
            group_phases.append(phases)
    for light in range(len(lights)):
        if light not in phase_of:
            phase_of[light] = (len(group_junction), 0)
            group_junction.append(-1)
            group_phases.append(1)
    total = sum(group_phases)
    return {
        "light_group": np.array([phase_of[k][0] for k in range(len(lights))], np.int32),
        "light_phase": np.array([phase_of[k][1] for k in range(len(lights))], np.int32),
        "group_junction": np.array(group_junction, np.int32),
        "group_first": _offsets(group_phases),
        "phase_green": np.full(total, GREEN_SECONDS),
        "phase_yellow": np.full(total, YELLOW_SECONDS),
        "phase_red": np.full(total, RED_SECONDS),
    }


def _home_junction(lanes: _Lanes, entries: list[int]) -> int:
    """The junction that most of the ruled lanes lie in, or -1."""
    counts = Counter(int(lanes.junction[lane]) for lane in entries)
    return min(counts, key=lambda j: (-counts[j], j)) if counts else -1


def _by_approach(
    lanes: _Lanes, facts: MapFacts, lights: list[Signal], rules: list[list[int]], loose: list[int]
) -> list[list[int]]:
    """Lights that share a controller, or else the road they are seen from."""
    controller_of = {signal: name for name, members in sorted(facts.controllers.items()) for signal in members}
    groups: dict[tuple[str, ...], list[int]] = {}
    for light in loose:
        name = controller_of.get(lights[light].id)
        before = {p for lane in rules[light] for p in lanes.predecessors(lane)}
        roads = sorted({int(lanes.arrays["lane_road"][p]) for p in before})
        key = ("controller", name) if name is not None else ("roads", *map(str, roads))
        groups.setdefault(key, []).append(light)
    return list(groups.values())


def _signs(lanes: _Lanes, signs: list[Signal], raw: dict[str, Any]) -> tuple[Arrays, list[str]]:
    lane_stop = np.full(len(lanes.junction), -1, np.int32)
    lane_yield = np.zeros(len(lanes.junction), np.int8)
    stops: list[list[float]] = []
    stop_lanes: list[int] = []
    ids: list[str] = []

    def add_stop(lane: int, x: float, y: float, name: str) -> None:
        lane_stop[lane] = len(stops)
        cx, cy, cz, yaw = lanes.pose(lane, lanes.project(lane, x, y))
        half = (_SIGN_HALF_LENGTH, 0.25 * lanes.width_at_end(lane))
        cos, sin = abs(math.cos(yaw)), abs(math.sin(yaw))
        stops.append([cx, cy, cz, cos * half[0] + sin * half[1], sin * half[0] + cos * half[1]])
        stop_lanes.append(lane)
        ids.append(name)

    for sign, found in zip(signs, raw["signs"]):
        for lane in lanes.approaches_of(_lane_indices(lanes, found["affected"])):
            if sign.type != STOP_SIGN_TYPE:
                lane_yield[lane] = 1
            elif lane_stop[lane] < 0 and found["pose"] is not None:
                add_stop(lane, found["pose"][0], found["pose"][1], sign.id)
    for number, (x, y, z, yaw) in enumerate(raw["stencils"]):
        lane = _stencil_lane(lanes, x, y, z, yaw)
        if lane >= 0 and lane_stop[lane] < 0:
            add_stop(lane, x, y, f"stencil{number}")
    stop = np.array(stops, np.float64).reshape(-1, 5)
    return {
        "lane_stop_sign": lane_stop,
        "lane_yield_sign": lane_yield,
        "stop_lane": np.array(stop_lanes, np.int32),
        "stop_x": stop[:, 0].copy(),
        "stop_y": stop[:, 1].copy(),
        "stop_z": stop[:, 2].copy(),
        "stop_extent_x": stop[:, 3].copy(),
        "stop_extent_y": stop[:, 4].copy(),
    }, ids


def _stencil_lane(lanes: _Lanes, x: float, y: float, z: float, yaw: float) -> int:
    """The lane before a junction for which a STOP stencil is painted, or -1."""
    arrays = lanes.arrays
    owner = arrays["point_lane"]
    gap = (
        np.hypot(arrays["point_x"] - x, arrays["point_y"] - y)
        + np.where(np.abs(arrays["point_z"] - z) > 3.0, np.inf, 0.0)
        + np.where(arrays["lane_type"][owner] == LaneType.DRIVING, 0.0, np.inf)
        + np.where(lanes.junction[owner] < 0, 0.0, np.inf)
    )
    nearest = int(np.argmin(gap))
    if not gap[nearest] < 4.0:
        return -1
    lane = int(owner[nearest])
    approach = lanes.approach(lane, _STENCIL_REACH)
    ahead = float(arrays["lane_length"][lane]) - (nearest - arrays["lane_first"][lane]) * arrays["lane_step"][lane]
    return approach if ahead <= _STENCIL_REACH else -1


def _stop_lines(lanes: _Lanes, signals: Arrays) -> np.ndarray:
    """s of the stop line of each driving lane before a junction with a light, a stop or a yield sign; -1 elsewhere."""
    arrays = lanes.arrays
    line = np.full(len(lanes.junction), -1.0)
    for lane in np.flatnonzero((lanes.junction < 0) & (arrays["lane_type"] == LaneType.DRIVING)):
        into = [k for k in lanes.successors(int(lane)) if lanes.junction[k] >= 0]
        lit = any(signals["lane_light"][k] >= 0 for k in into)
        sign = int(signals["lane_stop_sign"][lane])
        if into and (lit or sign >= 0 or signals["lane_yield_sign"][lane]):
            length = float(arrays["lane_length"][lane])
            at = min(length, _crosswalk_begin(lanes, int(lane))) - STOP_LINE_GAP
            if sign >= 0 and not lit:
                # Bench2Drive's RunningStopTest sees a halt only near the sign's trigger centre.
                centre = lanes.project(int(lane), float(signals["stop_x"][sign]), float(signals["stop_y"][sign]))
                at = min(max(at, centre - _BEFORE_STOP_CENTRE), centre + _BEHIND_STOP_CENTRE)
            line[lane] = min(max(at, 0.0), length)
    return line


def _crosswalk_begin(lanes: _Lanes, lane: int) -> float:
    """s at which a lane first meets a crosswalk within the last metres before its junction, or infinity."""
    arrays = lanes.arrays
    points = lanes.points(lane)
    at = np.linspace(0.0, float(arrays["lane_length"][lane]), len(points))
    fine = np.arange(max(0.0, at[-1] - _CROSSWALK_REACH), at[-1], 0.2)
    if len(fine) == 0:
        return math.inf
    x, y = np.interp(fine, at, points[:, 0]), np.interp(fine, at, points[:, 1])
    begin = math.inf
    low, high = lanes.crosswalks
    near = (high >= (x.min(), y.min())).all(axis=1) & (low <= (x.max(), y.max())).all(axis=1)
    first = arrays["crosswalk_first"]
    for k in np.flatnonzero(near):
        px, py = (arrays[f"crosswalk_{c}"][first[k] : first[k + 1]] for c in "xy")
        inside = _inside(x, y, px, py)
        if inside.any():
            begin = min(begin, float(fine[np.argmax(inside)]))
    return begin


def _boxes(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """float64[crosswalks, 2] lower and upper corners around the crosswalks."""
    corners = np.stack([arrays["crosswalk_x"], arrays["crosswalk_y"]], axis=1)
    begins = arrays["crosswalk_first"][:-1]
    if len(begins) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.minimum.reduceat(corners, begins), np.maximum.reduceat(corners, begins)


def _inside(x: np.ndarray, y: np.ndarray, px: np.ndarray, py: np.ndarray) -> np.ndarray:
    """Which points lie in a closed polygon (even-odd rule)."""
    inside = np.zeros(len(x), bool)
    for x0, y0, x1, y1 in zip(px[:-1], py[:-1], px[1:], py[1:]):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1.0))
    return inside
