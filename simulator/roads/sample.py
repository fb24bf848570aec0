"""The child side of compiling a town: everything that is asked of CARLA's own map library.

Runs through `simulator.roads.child.call_in_child`, because the parser can crash. Waypoints are queried by road, lane
and s, so what is stored is what `carla.Map.get_waypoint_xodr` says, to the last bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.roads.network import MARK_COLOR, LaneMark

Payload = dict[str, Any]
Key = tuple[int, int, int]

_EDGE = 2e-5  # metres: at a lane's very end CARLA finds no waypoint, and it compares in single precision
_COARSE = 0.25  # metres of road s between the samples that measure a lane's length
SHORTEST_LANE = 0.1  # metres; shorter ones, left by editors where sections meet, would fill up every plan of lanes
_LONGEST = 20.0  # times its road's length a lane may be long before it is a mistake in the map
_STEP = 1.0  # metres, the longest distance between two lane points
_UPSTREAM = 3.0  # metres from a lane's end to the middle of a light's trigger box (UTrafficLightComponent: 1.5 + 1.5)
_BOX_LENGTH = 1.5  # metres, half length of that box along the lane
_BOX_WIDTH = 0.25  # its half width in lane widths
_MOST_STEPS = 2000  # of 0.5 m on the way to the next intersection; a ring road may have none


def sample_map(payload: Payload) -> Payload:
    """Sample every lane, and place the lights' boxes.

    Payload: `xodr` text, `lanes` float64[L, 6] (road, section, lane, s_start, s_end, forward), `lights` list of
    {"id", "references": [[road, lane, s], ...]}, `signs` likewise.
    """
    import carla

    town = carla.Map("town", payload["xodr"])
    lanes = payload["lanes"]
    known = {(int(row[0]), int(row[1]), int(row[2])) for row in lanes}
    sampled = [_sample_lane(town, row, known) for row in lanes]
    table = _LaneTable(town, lanes, sampled)
    landmarks: dict[str, Any] = {}
    for landmark in town.get_all_landmarks():
        landmarks.setdefault(landmark.id, landmark)
    crosswalks = town.get_crosswalks()
    out: Payload = {
        "points": np.concatenate([s["points"] for s in sampled]) if sampled else np.zeros((0, 6)),
        "change": np.concatenate([s["change"] for s in sampled]) if sampled else np.zeros(0, np.uint8),
        "marks": np.concatenate([s["marks"] for s in sampled]) if sampled else np.zeros((0, 2), np.uint8),
        "count": np.array([len(s["points"]) for s in sampled], np.int32),
        "length": np.array([s["length"] for s in sampled], np.float64),
        "type": [s["type"] for s in sampled],
        "junction": np.array([s["junction"] for s in sampled], np.int64),
        "crosswalks": np.array([[c.x, c.y, c.z] for c in crosswalks], np.float64).reshape(-1, 3),
        "lights": [_light(table, light, landmarks.get(light["id"])) for light in payload["lights"]],
        "signs": [_sign(table, sign, landmarks.get(sign["id"])) for sign in payload["signs"]],
        "stencils": [_stencil(mark) for mark in town.get_all_road_marks() if mark.type == "STOP"],
    }
    for name in ("next", "previous"):
        links = [s[name] for s in sampled]
        out[f"{name}_count"] = np.array([len(k) for k in links], np.int32)
        out[f"{name}_key"] = np.array([key for keys in links for key in keys], np.int32).reshape(-1, 3)
    return out


class _LaneTable:
    """The sampled lanes by key (road, section, lane): road s of start and end as one drives, and what leads in."""

    def __init__(self, town: Any, rows: np.ndarray, sampled: list[Payload]) -> None:
        self.town = town
        self.ends: dict[Key, tuple[float, float]] = {}
        self.previous: dict[Key, list[Key]] = {}
        self.in_junction: dict[Key, bool] = {}
        self._sections: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for row, sample in zip(rows, sampled):
            key = (int(row[0]), int(row[1]), int(row[2]))
            start, end = float(sample["points"][0, 5]), float(sample["points"][-1, 5])
            self.ends[key] = (start, end)
            self.previous[key] = sample["previous"]
            self.in_junction[key] = sample["junction"] != -1
            self._sections.setdefault((key[0], key[2]), []).append((min(start, end), max(start, end)))

    def waypoint_near(self, road: int, lane: int, s: float) -> Any | None:
        """Waypoint of a lane at road s, or at the nearest s within millimetres at which there is one."""
        spans = self._sections.get((road, lane), [])
        candidates = [min(max(s, low), high) for low, high in spans]
        inside = [c for c in candidates if abs(c - s) <= SHORTEST_LANE + 1e-3]
        return _waypoint(self.town, road, lane, min(inside, key=lambda c: abs(c - s))) if inside else None


def _sample_lane(town: Any, row: np.ndarray, known: set[Key]) -> Payload:
    road, section, lane = (int(v) for v in row[:3])
    first, last, forward = float(row[3]), float(row[4]), bool(row[5])
    keeps_right = forward == (lane < 0)  # CARLA calls a lane's inner marking its left one, whichever side traffic keeps
    edge = min(max(_EDGE, 2.5e-7 * last), 0.01 * (last - first))
    while edge < 0.4 * (last - first) and town.get_waypoint_xodr(road, lane, last - edge) is None:
        edge *= 2.0
    first, last = first + edge, last - edge
    start, end = (first, last) if forward else (last, first)

    coarse_s = np.linspace(start, end, max(3, math.ceil(abs(end - start) / _COARSE) + 1))
    coarse = np.array([_pose(_waypoint(town, road, lane, s)) for s in coarse_s])
    chord = np.linalg.norm(np.diff(coarse[:, :3], axis=0), axis=1)
    bend = np.abs((np.diff(coarse[:, 3]) + math.pi) % (2 * math.pi) - math.pi) / 2
    # An arc is longer than its chord by (angle / sin angle); unbent and jagged pieces keep the chord.
    arc = chord * np.where((bend > 1e-6) & (bend < 0.5), bend / np.sin(np.where(bend > 1e-6, bend, 1.0)), 1.0)
    along = np.concatenate([[0.0], np.cumsum(arc)])
    length = float(along[-1])
    if not length < _LONGEST * (last - first) + 100.0:
        raise ValueError(f"road {road}, lane {lane}: {length:.3g} m long on {last - first:.3g} m of road")
    pieces = max(1, math.ceil(length / _STEP - 1e-9))
    fine_s = np.interp(np.linspace(0.0, length, pieces + 1), along, coarse_s)
    fine_s[0], fine_s[-1] = start, end

    waypoints = [_waypoint(town, road, lane, s) for s in fine_s]
    points = np.array([[*_pose(w), w.lane_width, s] for w, s in zip(waypoints, fine_s)])
    head, tail = waypoints[0], waypoints[-1]
    if (head.section_id, tail.section_id) != (section, section):
        raise ValueError(f"road {road}, lane {lane}: CARLA finds section {head.section_id} where {section} is written")
    return {
        "points": points,
        "change": np.array([int(w.lane_change) for w in waypoints], np.uint8),
        "marks": np.array([_marks(w, keeps_right) for w in waypoints], np.uint8),
        "length": max(length, 1e-6),
        "type": head.lane_type.name,
        "junction": int(head.junction_id) if head.is_junction else -1,
        "next": _links(tail, "next", edge, known),
        "previous": _links(head, "previous", edge, known),
    }


def _waypoint(town: Any, road: int, lane: int, s: float) -> Any:
    waypoint = town.get_waypoint_xodr(road, lane, float(s))
    if waypoint is None:
        raise ValueError(f"road {road}, lane {lane}: CARLA finds no waypoint at s={s:.3f}")
    return waypoint


def _marks(waypoint: Any, keeps_right: bool) -> list[int]:
    """Left and right marking as type + 16 * colour; what CARLA does not know of counts as none."""
    marks = []
    for mark in (waypoint.left_lane_marking, waypoint.right_lane_marking):
        known = mark is not None
        marks.append(int(mark.type) + MARK_COLOR * int(mark.color) if known else int(LaneMark.NONE))
    return marks if keeps_right else marks[::-1]


def _pose(waypoint: Any) -> tuple[float, float, float, float]:
    transform = waypoint.transform
    location = transform.location
    return location.x, location.y, location.z, math.radians(transform.rotation.yaw)


def _key(waypoint: Any) -> Key:
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def _links(waypoint: Any, direction: str, edge: float, known: set[Key]) -> list[Key]:
    """Lanes that follow (`next`) or lead to (`previous`) a waypoint `edge` metres from a lane's end, in CARLA's order.

    Lanes too short to be known are passed over.
    """
    found: list[Key] = []
    todo = [(w, 0) for w in getattr(waypoint, direction)(2.5 * edge)]
    while todo:
        here, hops = todo.pop(0)
        if _key(here) in known:
            found.append(_key(here))
        elif hops < 20:
            todo = [(w, hops + 1) for w in getattr(here, direction)(SHORTEST_LANE)] + todo
    return list(dict.fromkeys(found))


def _place(waypoint: Any) -> list[float]:
    """[road, section, lane, s, x, y, z, yaw, width]"""
    return [*_key(waypoint), waypoint.s, *_pose(waypoint), waypoint.lane_width]


def _reference_waypoints(table: _LaneTable, references: list[list[float]]) -> list[Any]:
    """Waypoints of [road, lane, s] rows; where s lies on a lane's very edge, the waypoint just inside."""
    found = []
    for road, lane, s in references:
        waypoint = table.waypoint_near(int(road), int(lane), float(s))
        if waypoint is not None:
            found.append(waypoint)
    return found


def _upstream(table: _LaneTable, waypoint: Any) -> Any:
    """Where CARLA puts the trigger box of a light that refers to `waypoint` (UTrafficLightComponent::InitializeSign).

    A reference inside a junction with a single way in is moved back to the end of the lane before the junction; the box
    then lies 3 m further upstream, on a short lane section nearer to its begin. Unlike CARLA, this also looks back over
    earlier sections of a connecting road.
    """
    road, section, lane, s = *_key(waypoint), waypoint.s
    before = table.previous[road, section, lane] if waypoint.is_junction else []
    while len(before) == 1 and table.in_junction[before[0]] and before[0][0] == road:
        before = table.previous[before[0]]
    if len(before) == 1 and not table.in_junction[before[0]]:
        road, section, lane = before[0]
        _, s = table.ends[before[0]]
    start, end = table.ends[road, section, lane]
    ahead = min(_UPSTREAM, max(abs(s - start), 0.5 * abs(end - start)))
    s = min(max(s - math.copysign(ahead, end - start), min(start, end)), max(start, end))
    return _waypoint(table.town, road, lane, s)


def _light(table: _LaneTable, light: Payload, landmark: Any) -> Payload:
    waypoints = _reference_waypoints(table, light["references"])
    out: Payload = {"affected": [_place(w) for w in waypoints], "stops": [], "box": None}
    if landmark is not None:
        out["pose"] = list(_pose(landmark))
    elif waypoints:
        out["pose"] = list(_pose(waypoints[0]))
    else:
        out["pose"] = [0.0, 0.0, 0.0, 0.0]
    boxes = [_upstream(table, w) for w in waypoints if w.lane_type.name == "Driving"]
    if boxes:
        out["pose"][3] = _facing(out["pose"][3], boxes)
        yaw = out["pose"][3] + math.pi / 2
        x, y, z, half_x, half_y = _union(boxes, yaw)
        wanted = {(w.road_id, w.lane_id) for w in boxes}
        for share in (1.0, 0.5, 0.25):
            first = _across(table.town, x, y, z, yaw, share * half_x)
            met = {(w.road_id, w.lane_id) for w in first}
            # The boxes of stock towns are drawn by hand, so that they miss other lanes; ours shrink until they do.
            if met == wanted or share == 1.0:
                out["box"] = [x, y, z, yaw, share * half_x, half_y]
                stops = [_before_intersection(w) for w in first]
                out["stops"] = [_place(w) for w in stops if _key(w) in table.ends]
            if met == wanted:
                break
    return out


def _facing(yaw: float, boxes: list[Any]) -> float:
    """The pole's heading, or that of the lanes where the pole does not stand along or against them."""
    lanes = [_pose(w)[3] for w in boxes]
    along = math.atan2(sum(math.sin(a) for a in lanes), sum(math.cos(a) for a in lanes))
    return yaw if abs(math.cos(yaw - along)) > math.cos(math.pi / 4) else along


def _union(waypoints: list[Any], yaw: float) -> tuple[float, float, float, float, float]:
    """Box around the trigger boxes at `waypoints`, aligned with an actor of this yaw: centre and half sizes."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    corners = []
    for waypoint in waypoints:
        x, y, z, lane_yaw = _pose(waypoint)
        for along in (-_BOX_LENGTH, _BOX_LENGTH):
            for across in (-_BOX_WIDTH * waypoint.lane_width, _BOX_WIDTH * waypoint.lane_width):
                cx = x + along * math.cos(lane_yaw) - across * math.sin(lane_yaw)
                cy = y + along * math.sin(lane_yaw) + across * math.cos(lane_yaw)
                corners.append((cx * cos + cy * sin, -cx * sin + cy * cos, z))
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    u, v, z = (low + high) / 2
    half = (high - low) / 2
    return u * cos - v * sin, u * sin + v * cos, float(z), float(half[0]), float(half[1])


def _across(town: Any, x: float, y: float, z: float, yaw: float, half_x: float) -> list[Any]:
    """Lanes under a trigger volume, as Bench2Drive's RunningRedLightTest finds them.

    Points along the volume's x axis every metre from -0.9 to 0.9 of its half size, projected on lanes; one that repeats
    the road and lane before it is dropped.
    """
    import carla

    found: list[Any] = []
    for offset in np.arange(-0.9 * half_x, 0.9 * half_x, 1.0):
        waypoint = town.get_waypoint(carla.Location(x + offset * math.cos(yaw), y + offset * math.sin(yaw), z))
        if not found or (found[-1].road_id, found[-1].lane_id) != (waypoint.road_id, waypoint.lane_id):
            found.append(waypoint)
    return found


def _before_intersection(waypoint: Any) -> Any:
    """Advanced by steps of 0.5 m to the last waypoint before an intersection, as RunningRedLightTest does."""
    for _ in range(_MOST_STEPS):
        if waypoint.is_junction:
            break
        following = waypoint.next(0.5)
        if not following or following[0].is_junction:
            break
        waypoint = following[0]
    return waypoint


def _sign(table: _LaneTable, sign: Payload, landmark: Any) -> Payload:
    waypoints = _reference_waypoints(table, sign["references"])
    pose = list(_pose(landmark)) if landmark is not None else None
    return {"affected": [_place(w) for w in waypoints], "pose": pose}


def _stencil(mark: Any) -> list[float]:
    """[x, y, z, yaw] of a STOP stencil on the road."""
    return list(_pose(mark))
