"""Traffic lights and signs, where the map has them, and a second light beyond the junction.

A near light stands beside its stop line, where a camera at the line cannot see it; so every light is repeated on the
far side, in front of who waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.roads.network import RoadArrays
from simulator.scenery import pictures
from simulator.scenery.borders import Landmark
from simulator.scenery.mesh import MeshBuilder, Solid, box, column, ring, turned
from simulator.scenery.plot import Plot
from simulator.scenery.tags import Material, Tag
from simulator.state import LightState

TRAFFIC_LAMP = 1_000_000  # aux of a lamp: this + 4 * light + LightState
_HOUSING = (0.10, 0.10, 0.11)
_POLE = (0.32, 0.33, 0.34)
_BACK = (0.45, 0.46, 0.47)
_STOP, _YIELD, _LIMIT = "206", "205", "274"
_FARTHEST = 60.0  # metres from a stop line to its far light
_SIGHT = 32.0  # metres before a stop line from which its signals are to be seen


@dataclass(frozen=True)
class Head:
    """Where a traffic light's head hangs, for tests and sight lines."""

    light: int
    x: float
    y: float
    z: float
    yaw: float  # direction that its lamps look to, rad


def add_traffic_lights(out: MeshBuilder, net: RoadArrays, plot: Plot) -> list[Head]:
    """All lights that rule a lane; keeps the sight lines to them free."""
    heads: list[Head] = []
    for light in range(len(net.light_x)):
        stops = range(int(net.light_stop_first[light]), int(net.light_stop_first[light + 1]))
        if not stops:
            continue
        sx, sy = float(np.mean(net.light_stop_x[stops])), float(np.mean(net.light_stop_y[stops]))
        yaw = math.atan2(
            float(np.sin(net.light_stop_yaw[stops]).mean()), float(np.cos(net.light_stop_yaw[stops]).mean())
        )
        z = float(plot.ground.at(plot.ground.lane_height, sx, sy))
        places = [_near_place(plot, float(net.light_x[light]), float(net.light_y[light]), yaw)]
        places.append(_far_place(plot, sx, sy, yaw))
        for number, place in enumerate(places):
            if place is None:
                continue
            x, y = place
            height = 3.6 if number == 0 else 5.0
            heads.append(_stand(out, plot, light, x, y, z, yaw, height))
            for s in stops:
                px, py, way = float(net.light_stop_x[s]), float(net.light_stop_y[s]), float(net.light_stop_yaw[s])
                for back in (1.0, _SIGHT):
                    plot.keep_sight(px - back * math.cos(way), py - back * math.sin(way), x, y)
    return heads


def _near_place(plot: Plot, x: float, y: float, yaw: float) -> tuple[float, float] | None:
    """The pole's place, moved to the right off the lanes."""
    for step in range(14):
        px, py = x - math.sin(yaw) * 0.5 * step, y + math.cos(yaw) * 0.5 * step
        if float(plot.ground.at(plot.ground.road, px, py)) >= 0.9:
            return px, py
    return None


def _far_place(plot: Plot, x: float, y: float, yaw: float) -> tuple[float, float] | None:
    """Beyond the junction, right of the way straight on; else straight ahead where the road ends."""
    ground = plot.ground
    ahead, aside = (
        a.ravel() for a in np.meshgrid(np.arange(8.0, _FARTHEST, 1.0), np.arange(-2.0, 12.0, 0.5), indexing="ij")
    )
    px = x + ahead * math.cos(yaw) - aside * math.sin(yaw)
    py = y + ahead * math.sin(yaw) + aside * math.cos(yaw)
    fits = (np.abs(np.arctan2(aside, ahead + 2.0)) <= math.radians(24.0)) & (ground.at(ground.road, px, py) >= 0.9)
    cost = ahead + 1.6 * np.abs(aside - 5.0)
    for k in np.argsort(cost, kind="stable"):
        if fits[k] and _crossed(plot, x, y, float(px[k]), float(py[k])):
            return float(px[k]), float(py[k])
    return None


def _crossed(plot: Plot, x: float, y: float, px: float, py: float) -> bool:
    """The way there leads over road all along, so that nothing stands in between."""
    t = np.linspace(0.0, 0.88, 12)
    r, c = plot.ground.index(x + t * (px - x), y + t * (py - y))
    return bool((plot.ground.road[r, c] < 1.6).mean() > 0.9)


def _stand(out: MeshBuilder, plot: Plot, light: int, x: float, y: float, z: float, yaw: float, height: float) -> Head:
    thing = out.new_object()
    plot.take(x, y, 0.8)
    facing = yaw + math.pi
    base = z - 0.1
    out.add(*column(x, y, base, z + height + 0.6, 0.09, 0.07, 6), _POLE, Tag.POLE, Material.METAL, thing)
    # in the head's own frame x looks towards the traffic
    out.add(*turned(box((0.06, -0.19, height - 0.55), (0.32, 0.19, height + 0.55)), facing, x, y, z), _HOUSING,
            Tag.TRAFFIC_LIGHT, Material.PLAIN, thing)  # fmt: skip
    board = turned(box((0.05, -0.32, height - 0.68), (0.07, 0.32, height + 0.68)), facing, x, y, z)
    out.add(*board, (0.07, 0.07, 0.075), Tag.TRAFFIC_LIGHT, Material.PLAIN, thing)
    for k, state in enumerate((LightState.RED, LightState.YELLOW, LightState.GREEN)):
        centre = height + 0.35 - 0.35 * k
        out.add(*turned(_lens(0.33, centre, 0.135), facing, x, y, z), (0.2, 0.2, 0.2), Tag.TRAFFIC_LIGHT, Material.LAMP,
                thing, aux=TRAFFIC_LAMP + 4 * light + int(state))  # fmt: skip
        visor = turned(box((0.32, -0.15, centre + 0.13), (0.46, 0.15, centre + 0.15)), facing, x, y, z)
        out.add(*visor, _HOUSING, Tag.TRAFFIC_LIGHT, Material.PLAIN, thing, level=1)
    return Head(light, x + 0.33 * math.cos(facing), y + 0.33 * math.sin(facing), z + height, facing)


def _lens(x: float, z: float, radius: float) -> Solid:
    """Octagon that looks along x."""
    outline = ring(0.0, 0.0, radius, 8, math.pi / 8)
    vertices = np.stack([np.full(8, x), outline[:, 0], z + outline[:, 1]], axis=1)
    fan = np.arange(1, 7)
    return vertices, np.stack([np.zeros(6, np.int64), fan, fan + 1], axis=1)


@dataclass(frozen=True)
class SignFace:
    """Where a sign's face is, for tests."""

    kind: str
    x: float
    y: float
    z: float
    yaw: float


def add_signs(
    out: MeshBuilder, net: RoadArrays, landmarks: list[Landmark], plot: Plot
) -> tuple[list[SignFace], np.ndarray]:
    """Stop, yield and speed-limit signs; returns them and uint8[n, SIZE, SIZE, 3] their pictures."""
    faces = [pictures.stop_face(), pictures.yield_face()]
    number_of: dict[int, int] = {}
    signs: list[SignFace] = []
    for mark in landmarks:
        if mark.type not in (_STOP, _YIELD, _LIMIT):
            continue
        found = _beside_lane(net, plot, mark.x, mark.y, mark.z)
        if found is None:
            continue
        x, y, z, yaw, lane_x, lane_y = found
        picture = 0 if mark.type == _STOP else 1
        if mark.type == _LIMIT:
            limit = round(mark.value) if 0 < mark.value < 200 else 0
            if limit == 0:
                continue
            if limit not in number_of:
                number_of[limit] = len(faces)
                faces.append(pictures.limit_face(limit))
            picture = number_of[limit]
        plot.take(x, y, 0.8)
        signs.append(_sign(out, mark.type, picture, x, y, z, yaw + math.pi))
        for back in (0.0, 12.0, _SIGHT):
            plot.keep_sight(lane_x - back * math.cos(yaw), lane_y - back * math.sin(yaw), x, y)
    return signs, np.stack(faces)


def _beside_lane(
    net: RoadArrays, plot: Plot, x: float, y: float, z: float
) -> tuple[float, float, float, float, float, float] | None:
    """Place of a pole off the lanes, and the nearest driving lane's direction and point."""
    driving = net.lane_type[net.point_lane] == 1
    gap = np.hypot(net.point_x - x, net.point_y - y) + 4.0 * np.abs(net.point_z - z) + np.where(driving, 0.0, 1e6)
    p = int(np.argmin(gap))
    if gap[p] > 16.0:
        return None
    yaw = float(net.point_yaw[p])
    aside = -(x - net.point_x[p]) * math.sin(yaw) + (y - net.point_y[p]) * math.cos(yaw)
    sign = 1.0 if aside >= 0.0 else -1.0
    for step in range(16):
        px, py = x - math.sin(yaw) * 0.4 * step * sign, y + math.cos(yaw) * 0.4 * step * sign
        if float(plot.ground.at(plot.ground.road, px, py)) >= 0.9:
            return px, py, float(net.point_z[p]), yaw, float(net.point_x[p]), float(net.point_y[p])
    return None


def _sign(out: MeshBuilder, kind: str, picture: int, x: float, y: float, z: float, facing: float) -> SignFace:
    thing = out.new_object()
    height = 2.45
    out.add(*column(x, y, z - 0.1, z + height + 0.3, 0.045, 0.045, 5), _POLE, Tag.POLE, Material.METAL, thing)
    half = {_STOP: 0.42, _YIELD: 0.45}.get(kind, 0.36)
    tall = half * (1.25 if kind == _LIMIT else 1.0)
    if kind == _STOP:
        flat = ring(0.0, 0.0, half / math.cos(math.pi / 8), 8, math.pi / 8)
    elif kind == _YIELD:
        flat = np.array([[-half, half], [0.0, -half], [half, half]])
    else:
        flat = np.array([[-half, -tall], [half, -tall], [half, tall], [-half, tall]])
    n = len(flat)
    fan = np.arange(1, n - 1)
    faces = np.stack([np.zeros(n - 2, np.int64), fan, fan + 1], axis=1)
    front = np.stack([np.full(n, 0.06), flat[:, 0], height + flat[:, 1]], axis=1)
    back = np.stack([np.full(n, 0.05), flat[:, 0], height + flat[:, 1]], axis=1)
    c, s = math.cos(facing), math.sin(facing)
    # seen from the front, y of the sign's frame runs to the left: pictures read from y = +half
    left = (x + 0.06 * c - half * s, y + 0.06 * s + half * c, z + height + tall)
    row = out.add_pattern(left, (s / (2 * half), -c / (2 * half), 0.0), (0.0, 0.0, -1.0 / (2 * tall)), float(picture))
    out.add(
        *turned((front, faces), facing, x, y, z), (0.9, 0.9, 0.9), Tag.TRAFFIC_SIGN, Material.PICTURE, thing, aux=row
    )
    out.add(*turned((back, faces[:, ::-1]), facing, x, y, z), _BACK, Tag.TRAFFIC_SIGN, Material.METAL, thing)
    return SignFace(kind, x + 0.06 * c, y + 0.06 * s, z + height, facing)
