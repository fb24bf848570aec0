"""Edges of all lanes of a town at common stations of their road, and the paint that lies on them.

Lane centres come from CARLA's own parser, as those of `simulator.roads` do; the paint from the OpenDRIVE text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.roads.child import call_in_child
from simulator.roads.network import RoadNetwork
from simulator.roads.opendrive import Document, lanes_of_section, read_facts, section_spans
from simulator.roads.sample import SHORTEST_LANE

_STEP = 1.0  # metres between stations as they are sampled
_TOLERANCE = 0.02  # metres that a kept polyline may deviate from the sampled one
_LONGEST = 40.0  # metres between kept stations
_EDGE = 2e-5  # metres: at a lane's very end CARLA finds no waypoint

Payload = dict[str, Any]


@dataclass(frozen=True)
class Paint:
    """One stretch of road mark on a lane's outer edge (or the centre line, lane 0)."""

    lane: int
    start: float  # metres along the section
    end: float
    type: str  # OpenDRIVE's words: "solid", "broken", "solid solid", ...
    colour: str
    width: float  # metres


@dataclass(frozen=True)
class Section:
    """One lane section: K stations along the road, lanes from left to right as one looks along the road's s.

    `edge[i]` is the left edge of lane i, `edge[n]` the right edge of the last lane; lanes on both sides of the centre
    line share `edge[centre]`.
    """

    road: int
    section: int
    junction: int  # OpenDRIVE junction id, -1 outside
    station: np.ndarray  # float64[K] metres along the section
    lane: tuple[int, ...]  # OpenDRIVE lane ids, descending
    type: tuple[str, ...]
    forward: tuple[bool, ...]  # traffic runs along the road's s
    edge: np.ndarray  # float64[n + 1, K, 3]
    centre: int
    paints: tuple[Paint, ...]

    @property
    def centre_edge(self) -> np.ndarray:
        return np.asarray(self.edge[self.centre])


@dataclass(frozen=True)
class Landmark:
    """A sign of the map: OpenDRIVE type, value, place."""

    type: str
    value: float
    x: float
    y: float
    z: float


def read_sections(network: RoadNetwork) -> tuple[list[Section], list[Landmark]]:
    """All lane sections of a town, thinned to what keeps their edges within two centimetres; and its signs."""
    document = Document(network.xodr, network.town)
    facts = read_facts(document)
    by_section: dict[tuple[int, int], list[Any]] = {}
    for lane in facts.lanes:
        if lane.s_end - lane.s_start >= SHORTEST_LANE:
            by_section.setdefault((lane.road, lane.section), []).append(lane)
    keys = list(by_section)
    rows = np.array([(r, s, by_section[r, s][0].s_start, by_section[r, s][0].s_end) for r, s in keys], np.float64)
    lanes = [[(lane.lane, int(lane.forward)) for lane in by_section[key]] for key in keys]
    raw = call_in_child(
        "simulator.scenery.borders:sample_edges",
        {"xodr": network.xodr, "rows": rows.reshape(-1, 4), "lanes": lanes},
        what=network.town,
    )
    paints = _read_paints(document)
    junction_of = {int(r.get("id", "-1")): int(r.get("junction", "-1")) for r in document.root.findall("road")}
    sections = []
    at = 0
    for number, key in enumerate(keys):
        n, k = int(raw["shape"][number, 0]), int(raw["shape"][number, 1])
        block = raw["points"][at : at + n * k * 2].reshape(n, k, 2, 3)
        at += n * k * 2
        order = sorted(range(n), key=lambda i: -by_section[key][i].lane)
        facts_here = [by_section[key][i] for i in order]
        block = block[order]
        sections += _sections(key, junction_of.get(key[0], -1), facts_here, block, raw["stations"], number, raw, paints)
    marks = zip(raw["mark_types"], raw["marks"].tolist())
    return sections, [Landmark(kind, *row) for kind, row in marks]


def _sections(
    key: tuple[int, int], junction: int, lanes: list[Any], block: np.ndarray, stations: np.ndarray, number: int,
    raw: Payload, paints: dict[tuple[int, int], list[Paint]],
) -> list[Section]:  # fmt: skip
    first = int(raw["first"][number])
    station = stations[first : first + block.shape[1]]
    station = station - station[0]
    left = [f for f in lanes if f.lane > 0]
    edges = [block[0, :, 0]] + [block[i, :, 1] for i in range(len(lanes))]
    if left and len(left) < len(lanes):
        # both sides know the centre line; that of the right side counts
        edges[len(left)] = block[len(left), :, 0]
    edge = np.stack(edges)
    kept = _thin(edge, station)
    return [
        Section(
            road=key[0],
            section=key[1],
            junction=junction,
            station=station[kept],
            lane=tuple(f.lane for f in lanes),
            type=tuple(f.type.lower() for f in lanes),
            forward=tuple(f.forward for f in lanes),
            edge=edge[:, kept],
            centre=len(left),
            paints=tuple(paints.get(key, ())),
        )
    ]


def _thin(edge: np.ndarray, station: np.ndarray) -> np.ndarray:
    """Indices of the stations to keep (Douglas and Peucker, over all edges at once)."""
    points = edge.transpose(1, 0, 2).reshape(len(station), -1)
    keep = np.zeros(len(station), bool)
    keep[0] = keep[-1] = True
    todo = [(0, len(station) - 1)]
    while todo:
        a, b = todo.pop()
        if b - a < 2:
            continue
        t = (station[a + 1 : b] - station[a]) / max(station[b] - station[a], 1e-9)
        straight = points[a] + t[:, None] * (points[b] - points[a])
        error = np.abs(points[a + 1 : b] - straight).max(axis=1)
        worst = int(np.argmax(error))
        if error[worst] > _TOLERANCE:
            middle = a + 1 + worst
        elif station[b] - station[a] > _LONGEST:
            middle = (a + b) // 2
        else:
            continue
        keep[middle] = True
        todo += [(a, middle), (middle, b)]
    return np.flatnonzero(keep)


def sample_edges(payload: Payload) -> Payload:
    """Child side: left and right edge of every lane at the stations of its section, seen along the road's s.

    Payload: `xodr`; `rows` float64[N, 4] road, section, s_start, s_end; `lanes` N lists of [lane id, forward].
    """
    import carla

    town = carla.Map("town", payload["xodr"])
    points: list[np.ndarray] = []
    stations: list[np.ndarray] = []
    shape: list[tuple[int, int]] = []
    first = [0]
    for row, lanes in zip(payload["rows"], payload["lanes"]):
        road, s_start, s_end = int(row[0]), float(row[2]), float(row[3])
        edge = min(max(_EDGE, 2.5e-7 * s_end), 0.01 * (s_end - s_start))
        last_lane = lanes[0][0]
        while edge < 0.4 * (s_end - s_start) and town.get_waypoint_xodr(road, last_lane, s_end - edge) is None:
            edge *= 2.0
        s = np.linspace(s_start + edge, s_end - edge, max(2, math.ceil((s_end - s_start) / _STEP) + 1))
        block = np.zeros((len(lanes), len(s), 2, 3))
        for i, (lane, forward) in enumerate(lanes):
            for k, at in enumerate(s):
                block[i, k] = _edges(town.get_waypoint_xodr(road, lane, float(at)), bool(forward))
        points.append(block.reshape(-1, 3))
        stations.append(s)
        shape.append((len(lanes), len(s)))
        first.append(first[-1] + len(s))
    marks: dict[tuple[str, int, int], list[float]] = {}
    for mark in town.get_all_landmarks():
        at = mark.transform.location
        marks.setdefault((mark.type, round(at.x * 5), round(at.y * 5)), [float(mark.value), at.x, at.y, at.z])
    return {
        "mark_types": [key[0] for key in marks],
        "marks": np.array(list(marks.values()), np.float64).reshape(-1, 4),
        "points": np.concatenate(points) if points else np.zeros((0, 3)),
        "stations": np.concatenate(stations) if stations else np.zeros(0),
        "shape": np.array(shape, np.int64).reshape(-1, 2),
        "first": np.array(first, np.int64),
    }


def _edges(waypoint: Any, forward: bool) -> list[list[float]]:
    if waypoint is None:
        raise ValueError("CARLA finds no waypoint on a lane that the map has")
    transform = waypoint.transform
    location, yaw = transform.location, math.radians(transform.rotation.yaw)
    half = 0.5 * waypoint.lane_width * (1.0 if forward else -1.0)
    x, y = -math.sin(yaw) * half, math.cos(yaw) * half
    return [[location.x - x, location.y - y, location.z], [location.x + x, location.y + y, location.z]]


def _read_paints(document: Document) -> dict[tuple[int, int], list[Paint]]:
    found: dict[tuple[int, int], list[Paint]] = {}
    for road in document.root.findall("road"):
        for index, (section, start, end) in enumerate(section_spans(road)):
            paints = []
            for lane in lanes_of_section(section):
                marks = sorted(lane.findall("roadMark"), key=lambda m: float(m.get("sOffset", "0")))
                begins = [float(m.get("sOffset", "0")) for m in marks]
                for mark, begin, stop in zip(marks, begins, [*begins[1:], end - start]):
                    kind = (mark.get("type") or "none").lower()
                    if kind in ("none", "curb", "grass", "edge", "custom") or stop - begin < 0.05:
                        continue
                    width = float(mark.get("width") or 0.12)
                    if not 0.02 <= width <= 1.0:
                        width = 0.12
                    colour = (mark.get("color") or "white").lower()
                    paints.append(Paint(int(lane.get("id", "0")), begin, stop, kind, colour, width))
            found[int(road.get("id", "-1")), index] = paints
    return found
