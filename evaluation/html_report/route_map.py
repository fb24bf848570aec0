"""The map of a drive as SVG: roads as outlines, the way of the ego coloured by its speed, who else took part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from evaluation.html_report.colors import STEPS, step_of
from leaderboard_adapters.recordings import Recording
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Blueprint
from simulator.roads.network import MARK_COLOR, LaneMark, LaneType, RoadNetwork
from simulator.sensors.bev_map import TILE, BevMap, Ground, town_from_above

MARGIN = 18.0  # m around the way
WIDEST, NARROWEST = 3.6, 1.75  # width to height of the map

_SCALE = 3.0  # pixels per metre of the town's picture, from which outlines are taken
_TOLERANCE = 0.25  # m by which outlines and lines are simplified
_MOST_PIXELS = 40_000_000
_SIZES = {blueprint.id: blueprint for blueprint in BLUEPRINTS}
_STANDS = 2.0  # m; who moves less is drawn as a box, others as their way
_BROKEN = (LaneMark.BROKEN, LaneMark.BROKEN_BROKEN)
_LINES = (*_BROKEN, LaneMark.SOLID, LaneMark.SOLID_SOLID, LaneMark.SOLID_BROKEN, LaneMark.BROKEN_SOLID)


@dataclass(frozen=True)
class Frame:
    """From the world to the map: turned so that the drive goes from left to right, metres, origin at the upper left."""

    angle: float  # rad
    low: np.ndarray  # float64[2] upper left corner, turned
    size: np.ndarray  # float64[2] metres

    def turned(self, points: np.ndarray) -> np.ndarray:
        """float64[n, 2] map metres of world points float[n, 2]."""
        return _turn(points, self.angle) - self.low

    def corners(self) -> np.ndarray:
        """float64[4, 2] of the map, world."""
        box = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) * self.size + self.low
        return _turn(box, -self.angle)

    def percent(self, points: np.ndarray) -> np.ndarray:
        """float64[n, 2] of world points: left and top in percent of the map."""
        return 100.0 * self.turned(points) / self.size


def frame_of(recording: Recording) -> Frame:
    """The part of the world that a drive's map shows."""
    way = np.stack([recording.ego["x"], recording.ego["y"]], axis=1)
    planned = np.stack([recording.path["x"], recording.path["y"]], axis=1)
    cloud = np.concatenate([way, planned]) if len(planned) else way
    angle = 0.0
    if len(cloud) > 2:
        spread = (cloud - cloud.mean(axis=0))[:: max(len(cloud) // 500, 1)]
        main = np.linalg.svd(spread, full_matrices=False)[2][0]  # the direction in which it is longest
        angle = -math.atan2(main[1], main[0])
    ends = _turn(cloud[[0, -1]] if not len(planned) else planned[[0, -1]], angle)
    if ends[1, 0] < ends[0, 0]:
        angle += math.pi
    spots = _turn(cloud, angle)
    low, high = spots.min(axis=0) - MARGIN, spots.max(axis=0) + MARGIN
    size, middle = high - low, 0.5 * (low + high)
    size = np.array([max(size[0], NARROWEST * size[1]), max(size[1], size[0] / WIDEST)])
    return Frame(angle, middle - 0.5 * size, size)


def route_map(recording: Recording, network: RoadNetwork | None, frame: Frame) -> str:
    """The SVG; without a network the roads are left out."""
    width, height = frame.size
    parts = []
    if network is not None:
        parts += _roads(network, frame)
    planned = frame.turned(np.stack([recording.path["x"], recording.path["y"]], axis=1))
    parts.append(f'<path class="planned" d="{_line(planned)}"/>')
    parts += _others(recording, frame)
    parts += _way(recording, frame)
    return (
        f'<svg viewBox="0 0 {width:.1f} {height:.1f}" role="img" aria-label="map of the drive">{"".join(parts)}</svg>'
    )


def _turn(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.asarray(points, np.float64) @ np.array([[c, s], [-s, c]])


def _line(points: np.ndarray, closed: bool = False) -> str:
    if not len(points):
        return ""
    text = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{text}{'Z' if closed else ''}"


def _simple(points: np.ndarray, tolerance: float = _TOLERANCE, closed: bool = False) -> np.ndarray:
    if len(points) < 3:
        return points
    found = cv2.approxPolyDP(np.asarray(points, np.float32)[:, None], tolerance, closed)[:, 0]
    return np.asarray(found, np.float64)


# Roads


def _roads(network: RoadNetwork, frame: Frame) -> list[str]:
    town = town_from_above(network, _SCALE)
    corners = frame.corners()
    low = np.floor((corners.min(axis=0) - town.origin) * town.scale).astype(int)
    high = np.ceil((corners.max(axis=0) - town.origin) * town.scale).astype(int) + 1
    if (high - low).prod() > _MOST_PIXELS:
        return []
    bits = _picture(town, low, high)
    drawn = []
    for kind, mask in (
        ("walk", Ground.SIDEWALK),
        ("asphalt", Ground.LANE | Ground.BESIDE),
        ("crossing", Ground.CROSSWALK),
    ):
        outlines = _outlines((bits & int(mask)) != 0)
        # A contour runs through the middles of its pixels.
        world = [(outline + low + 0.5) / town.scale + town.origin for outline in outlines]
        path = "".join(_line(frame.turned(points), closed=True) for points in world)
        if path:
            drawn.append(f'<path class="{kind}" d="{path}"/>')
    drawn.append(f'<path class="marks" d="{"".join(_marks(network, frame))}"/>')
    return drawn


def _picture(town: BevMap, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """uint8[rows, columns] `Ground` bits of the pixels (columns, rows) from `low` to `high`."""
    out = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    rows, columns = town.tile_index.shape
    for row in range(max(low[1] // TILE, 0), min((high[1] - 1) // TILE + 1, rows)):
        for column in range(max(low[0] // TILE, 0), min((high[0] - 1) // TILE + 1, columns)):
            number = town.tile_index[row, column]
            if number < 0:
                continue
            corner = np.array([column, row]) * TILE
            a, b = np.maximum(low, corner), np.minimum(high, corner + TILE)
            part = (slice(a[1] - low[1], b[1] - low[1]), slice(a[0] - low[0], b[0] - low[0]))
            out[part] = town.tiles[number][a[1] - corner[1] : b[1] - corner[1], a[0] - corner[0] : b[0] - corner[0]]
    return out


def _outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Simplified outlines float64[n, 2] (column, row) of the areas of a mask and of their holes."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    simple = [cv2.approxPolyDP(contour, _TOLERANCE * _SCALE, True)[:, 0] for contour in contours]
    return [outline.astype(np.float64) for outline in simple if len(outline) > 2]


def _marks(network: RoadNetwork, frame: Frame) -> Iterable[str]:
    """Markings between lanes, as lines; a broken line is drawn as dashes of its own length."""
    net = network.arrays
    for lane in np.flatnonzero((net.lane_type == LaneType.DRIVING) & (net.lane_junction < 0)):
        span = slice(int(net.lane_first[lane]), int(net.lane_first[lane + 1]))
        centre = np.stack([net.point_x[span], net.point_y[span]], axis=1)
        place = frame.turned(centre)
        if (place.max(axis=0) < 0.0).any() or (place.min(axis=0) > frame.size).any():
            continue
        yaw = net.point_yaw[span]
        right = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1) * 0.5 * net.point_width[span, None]
        for side, marks in ((-1.0, net.point_left_mark), (1.0, net.point_right_mark)):
            kind = LaneMark(int(marks[span][len(centre) // 2]) % MARK_COLOR)
            if kind not in _LINES:
                continue
            edge = frame.turned(centre + side * right)
            inside = ((edge > -5.0) & (edge < frame.size + 5.0)).all(axis=1)
            edge = edge[inside]
            if len(edge) < 2:
                continue
            if kind in _BROKEN:
                step = float(net.lane_step[lane])
                every, long = max(round(8.0 / step), 2), max(round(3.0 / step), 1)
                yield "".join(_line(edge[[k, min(k + long, len(edge) - 1)]]) for k in range(0, len(edge) - 1, every))
            else:
                yield _line(_simple(edge))


# Drives


def _way(recording: Recording, frame: Frame) -> list[str]:
    ego = recording.ego
    way = frame.turned(np.stack([ego["x"], ego["y"]], axis=1))
    steps = step_of(np.abs(ego["speed"][:-1]), top_speed(recording))
    drawn = [f'<path class="casing" d="{_line(_simple(way, 0.1))}"/>']
    edges = np.flatnonzero(np.diff(steps)) + 1
    for a, b in zip([0, *edges], [*edges, len(steps)]):
        if b > a:
            drawn.append(f'<path class="way" stroke="{STEPS[steps[a]]}" d="{_line(_simple(way[a : b + 1], 0.1))}"/>')
    return drawn


def top_speed(recording: Recording) -> float:
    """m/s at the end of the colour scale: the next 10 km/h above the fastest."""
    return max(math.ceil(float(np.abs(recording.ego["speed"]).max(initial=0.0)) * 3.6 / 10.0), 1) * 10.0 / 3.6


def _others(recording: Recording, frame: Frame) -> Iterable[str]:
    """Actors of scenarios: where they went, or where they stood."""
    for i, card in enumerate(recording.actors):
        if card.role not in ("scenario", "flow"):
            continue
        rows = recording.rows_of(i)
        spots = frame.turned(np.stack([rows["x"], rows["y"]], axis=1))
        if not len(spots):
            continue
        inside = ((spots > 0.0) & (spots < frame.size)).all(axis=1)
        if not inside.any():
            continue
        if float(np.ptp(spots, axis=0).max()) < _STANDS:
            size = _SIZES.get(card.blueprint, BLUEPRINTS[EGO_BLUEPRINT])
            yield f'<path class="cast" d="{_line(_box(rows, size, frame), closed=True)}"/>'
            continue
        first, last = np.flatnonzero(inside)[[0, -1]]
        yield f'<path class="others" d="{_line(_simple(spots[first : last + 1], 0.4))}"/>'


def _box(rows: dict[str, np.ndarray], size: Blueprint, frame: Frame) -> np.ndarray:
    long, wide = max(size.half_length, 0.5), max(size.half_width, 0.5)
    x, y, yaw = float(rows["x"][0]), float(rows["y"][0]), float(rows["yaw"][0])
    c, s = math.cos(yaw), math.sin(yaw)
    signs: Sequence[tuple[int, int]] = ((1, 1), (1, -1), (-1, -1), (-1, 1))
    corners = [(x + a * long * c - b * wide * s, y + a * long * s + b * wide * c) for a, b in signs]
    return frame.turned(np.array(corners))
