"""Paint on the road: lane marks by type and colour, crosswalks, stop lines."""

from __future__ import annotations

import math

import numpy as np

from simulator.roads.network import LaneType, RoadArrays
from simulator.scenery.borders import Paint, Section
from simulator.scenery.mesh import MeshBuilder, strip
from simulator.scenery.tags import Material, Tag

WHITE = (0.86, 0.86, 0.84)
YELLOW = (0.85, 0.63, 0.16)
_COLOURS = {"yellow": YELLOW, "orange": (0.85, 0.45, 0.12), "red": (0.7, 0.16, 0.14), "blue": (0.2, 0.35, 0.7)}

LIFT = 0.008  # metres of paint above the road
_LIFT_CROSSING = 0.014
_DASH, _GAP = 3.0, 6.0  # metres: a broken line, painted and free
_SPLIT = 0.12  # metres between the two lines of a double mark, edge to edge
_STOP_WIDTH = 0.4  # metres of a stop line along the road
_STRIPE, _STRIPE_GAP = 0.45, 0.55  # metres of a crosswalk's stripe, painted and free


def add_markings(out: MeshBuilder, section: Section) -> None:
    """Lane marks of one section. A lane's mark lies on its outer edge, that of lane 0 on the centre line."""
    if section.junction >= 0:
        return  # paths through junctions overlap: their marks would cross each other
    for paint in section.paints:
        if paint.lane == 0:
            edge, inward = section.centre, 0
        elif paint.lane in section.lane:
            i = section.lane.index(paint.lane)
            edge, inward = (i, 1) if paint.lane > 0 else (i + 1, -1)
        else:
            continue
        _add_mark(out, section, edge, inward, paint)


def _add_mark(out: MeshBuilder, section: Section, edge: int, inward: int, paint: Paint) -> None:
    line = section.edge[edge]
    side = _sideways(section.edge[edge])
    colour = _COLOURS.get(paint.colour, WHITE)
    parts = paint.type.split()
    if len(parts) == 2:  # seen along the road's s, left then right
        shift = 0.5 * (_SPLIT + paint.width)
        lines = [(parts[0], -shift), (parts[1], shift)]
    else:
        outermost = edge in (0, len(section.lane))
        # a mark on the very edge of the pavement lies on its inner side
        lines = [(paint.type, inward * 0.5 * paint.width if outermost else 0.0)]
    for kind, offset in lines:
        broken = kind in ("broken", "botts")
        spans = _dashes(paint.start, paint.end) if broken else [(paint.start, paint.end)]
        for start, end in spans:
            piece, across = _cut(section.station, line + offset * side, side, start, end)
            half = 0.5 * paint.width * across
            up = np.array([0.0, 0.0, LIFT])
            out.add(*strip(piece - half + up, piece + half + up), colour, Tag.ROAD_LINE, Material.MARKING)


def _sideways(line: np.ndarray) -> np.ndarray:
    """Unit vectors to the right of a polyline's direction, level."""
    direction = np.gradient(line[:, :2], axis=0) if len(line) > 2 else np.repeat(np.diff(line[:, :2], axis=0), 2, 0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    return np.stack([-direction[:, 1], direction[:, 0], np.zeros(len(line))], axis=1)


def _dashes(start: float, end: float) -> list[tuple[float, float]]:
    found = []
    at = start + 0.5 * _GAP
    while at + 0.5 * _DASH < end:
        found.append((at, min(at + _DASH, end)))
        at += _DASH + _GAP
    return found


def _cut(
    station: np.ndarray, line: np.ndarray, side: np.ndarray, start: float, end: float
) -> tuple[np.ndarray, np.ndarray]:
    inside = station[(station > start + 1e-6) & (station < end - 1e-6)]
    at = np.concatenate([[max(start, station[0])], inside, [min(end, station[-1])]])
    return (
        np.stack([np.interp(at, station, line[:, k]) for k in range(3)], axis=1),
        np.stack([np.interp(at, station, side[:, k]) for k in range(3)], axis=1),
    )


def add_crosswalks(out: MeshBuilder, net: RoadArrays, height: object) -> None:
    """Stripes across the road: along its direction of travel, side by side over the crosswalk's length.

    `height(x, y)` gives the road's height.
    """
    for k in range(len(net.crosswalk_first) - 1):
        span = slice(net.crosswalk_first[k], net.crosswalk_first[k + 1])
        corners = np.stack([net.crosswalk_x[span], net.crosswalk_y[span]], axis=1)
        if len(corners) > 3 and np.allclose(corners[0], corners[-1], atol=1e-3):
            corners = corners[:-1]
        if len(corners) != 4:
            continue
        if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
            corners = np.roll(corners, -1, axis=0)
        length = float(np.linalg.norm(corners[1] - corners[0]))
        count = max(1, int((length - 0.2) / (_STRIPE + _STRIPE_GAP)))
        pitch = length / count
        for i in range(count):
            t0, t1 = (i * pitch + 0.5 * (pitch - _STRIPE)) / length, (i * pitch + 0.5 * (pitch + _STRIPE)) / length
            quad = np.array(
                [_mix(corners[0], corners[1], t0), _mix(corners[0], corners[1], t1),
                 _mix(corners[3], corners[2], t1), _mix(corners[3], corners[2], t0)]
            )  # fmt: skip
            z = np.array([height(x, y) for x, y in quad]) + _LIFT_CROSSING  # type: ignore[operator]
            add_quad(out, np.c_[quad, z], WHITE)


def _mix(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    return np.asarray(a + t * (b - a))


def add_quad(out: MeshBuilder, quad: np.ndarray, colour: tuple[float, float, float]) -> None:
    """A painted quad whose front is up, however its corners run."""
    a, b, c = quad[0], quad[1], quad[2]
    if (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0:
        quad = quad[::-1]
    out.add(quad, [[0, 1, 2], [0, 2, 3]], colour, Tag.ROAD_LINE, Material.MARKING)


def add_stop_lines(out: MeshBuilder, net: RoadArrays) -> None:
    """A bar across every lane that halts at a light, a stop sign or a yield sign (there of triangles)."""
    for lane in np.flatnonzero(net.lane_stop_line >= 0):
        if net.lane_type[lane] != LaneType.DRIVING:
            continue
        yields = bool(net.lane_yield_sign[lane]) and net.lane_stop_sign[lane] < 0
        stops = net.lane_stop_sign[lane] >= 0
        following = net.succ_lane[net.succ_first[lane] : net.succ_first[lane + 1]]
        if not (stops or yields or any(net.lane_light[k] >= 0 for k in following)):
            continue
        s = float(net.lane_stop_line[lane])
        x, y, z, yaw, width = lane_point(net, int(lane), s)
        fx, fy = math.cos(yaw), math.sin(yaw)
        half = 0.5 * width - 0.08

        def spot(along: float, across: float, x=x, y=y, z=z, fx=fx, fy=fy) -> list[float]:  # type: ignore[no-untyped-def]
            return [x + along * fx - across * fy, y + along * fy + across * fx, z + _LIFT_CROSSING]

        if not yields:
            quad = [spot(0.1, -half), spot(0.1 + _STOP_WIDTH, -half), spot(0.1 + _STOP_WIDTH, half), spot(0.1, half)]
            add_quad(out, np.array(quad), WHITE)
            continue
        count = max(2, int(2 * half / 0.75))
        pitch = 2 * half / count
        for i in range(count):
            middle = -half + (i + 0.5) * pitch
            teeth = np.array([spot(0.6, middle - 0.25), spot(0.6, middle + 0.25), spot(0.1, middle)])
            out.add(teeth, [[0, 1, 2]], WHITE, Tag.ROAD_LINE, Material.MARKING)


def lane_point(net: RoadArrays, lane: int, s: float) -> tuple[float, float, float, float, float]:
    """x, y, z, yaw, width of a lane's centreline at s."""
    first, end = int(net.lane_first[lane]), int(net.lane_first[lane + 1])
    at = np.arange(end - first) * float(net.lane_step[lane])
    x, y, z, yaw, width = (
        float(np.interp(s, at, column[first:end]))
        for column in (net.point_x, net.point_y, net.point_z, net.point_yaw, net.point_width)
    )
    return x, y, z, yaw, width
