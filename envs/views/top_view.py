"""The surroundings of the ego from above, heading up: roads, lights' stop lines, the route, everybody who is near."""

from __future__ import annotations

import math

import cv2
import numpy as np

from simulator.blueprints import Kind
from simulator.roads.network import RoadNetwork
from simulator.sensors.bev_map import TILE, Ground, town_from_above
from simulator.state import EGO, LightState, Role

METRES_ACROSS = 64.0
EGO_DOWN = 0.68  # share of the height at which the ego stands

_SCALE = 6.0  # pixels per metre of the town's picture
_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with
_STORY = 5.0  # m; actors further above or below the ego are on another road
_LINE_HALF = 0.45  # m, half width of a light's stop line as drawn
_ROUTE_WIDTH = 1.1  # m

# RGB
_GRASS = (37, 42, 40)
_GROUND = (
    (Ground.SIDEWALK, (78, 80, 79)),
    (Ground.BESIDE, (62, 66, 72)),
    (Ground.LANE, (70, 74, 81)),
    (Ground.CROSSWALK, (122, 126, 130)),
    (Ground.BROKEN, (140, 145, 150)),
    (Ground.SOLID, (178, 182, 186)),
    (Ground.YIELD, (178, 182, 186)),
    (Ground.STOP, (214, 216, 218)),
)
_ROUTE = (64, 128, 178)
_EGO = (255, 255, 255)
_OTHERS = {Role.SCENARIO: (230, 159, 0), Role.FLOW: (240, 200, 90)}
_TRAFFIC = (160, 168, 178)
_WALKER = (240, 228, 66)
_LIGHTS = {LightState.RED: (230, 60, 40), LightState.YELLOW: (240, 200, 40), LightState.GREEN: (0, 190, 120)}


def _palette() -> np.ndarray:
    """uint8[256, 3]: the colour of each set of `Ground` bits; later entries of `_GROUND` lie over earlier ones."""
    colors = np.empty((256, 3), np.uint8)
    colors[:] = _GRASS
    bits = np.arange(256)
    for bit, color in _GROUND:
        colors[(bits & int(bit)) != 0] = color
    return colors


_PALETTE = _palette()


class TopView:
    """Draws worlds of one town from above."""

    def __init__(self, network: RoadNetwork, width: int, height: int, metres_across: float = METRES_ACROSS) -> None:
        """
        Args:
            width, height: pixels. metres_across: metres that the width shows.
        """
        self._town = town_from_above(network, _SCALE)
        self.width, self.height = width, height
        self._pixels = width / metres_across
        self._origin = np.array([0.5 * width, EGO_DOWN * height])
        reach = math.hypot(width, height) / self._pixels * _SCALE  # of the town's pixels, more than is ever seen
        self._around = math.ceil(reach / TILE)
        self._patch_key: tuple[int, int] | None = None
        self._patch = np.empty((0, 0, 3), np.uint8)

    def draw(self, world: np.ndarray, path: np.ndarray) -> np.ndarray:
        """uint8[height, width, 3] RGB.

        Args:
            world: one record `worlds[b]`; only read.
            path: float64[n, 2] metres, the route.
        """
        x, y, yaw = (float(world[name][EGO]) for name in ("x", "y", "yaw"))
        picture = cv2.resize(self._ground(x, y, yaw), (self.width, self.height), interpolation=cv2.INTER_AREA)
        c, s = math.cos(yaw), math.sin(yaw)
        turned = np.array([[-s, c], [-c, -s]]) * self._pixels  # world to columns, rows

        def pixels(points: np.ndarray) -> np.ndarray:
            placed = (np.asarray(points, np.float64) - (x, y)) @ turned.T + self._origin
            return np.round((placed - 0.5) * (1 << _SHIFT)).astype(np.int32)

        self._route(picture, pixels, path, x, y)
        self._stop_lines(picture, pixels, world, x, y)
        self._actors(picture, pixels, world)
        return picture

    def _ground(self, x: float, y: float, yaw: float) -> np.ndarray:
        """uint8[2 height, 2 width, 3]: twice as fine as the picture, so that edges are smooth once it is shrunk."""
        town = self._town
        c, s = math.cos(yaw), math.sin(yaw)
        u, v = (x - town.origin[0]) * town.scale, (y - town.origin[1]) * town.scale
        tile = (math.floor(u / TILE), math.floor(v / TILE))
        if tile != self._patch_key:
            self._patch_key, self._patch = tile, self._colored(*tile)
        step = 0.5 * town.scale / self._pixels  # town's pixels to a pixel of the fine picture
        ahead, right = 2.0 * self._origin[1] - 0.5, 0.5 - 2.0 * self._origin[0]  # of its upper left pixel
        at_u = u - (tile[0] - self._around) * TILE - 0.5 + step * (ahead * c - right * s)
        at_v = v - (tile[1] - self._around) * TILE - 0.5 + step * (ahead * s + right * c)
        to_town = np.array([[-step * s, -step * c, at_u], [step * c, -step * s, at_v]])
        size = (2 * self.width, 2 * self.height)
        return cv2.warpAffine(self._patch, to_town, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    def _colored(self, column: int, row: int) -> np.ndarray:
        """The tiles around one, coloured; north up."""
        town, around = self._town, self._around
        rows, columns = town.tile_index.shape
        edge = (2 * around + 1) * TILE
        bits = np.zeros((edge, edge), np.uint8)
        for r in range(max(row - around, 0), min(row + around + 1, rows)):
            for c in range(max(column - around, 0), min(column + around + 1, columns)):
                number = town.tile_index[r, c]
                if number >= 0:
                    top, left = (r - row + around) * TILE, (c - column + around) * TILE
                    bits[top : top + TILE, left : left + TILE] = town.tiles[number]
        return _PALETTE[bits]

    def _route(self, picture: np.ndarray, pixels, path: np.ndarray, x: float, y: float) -> None:  # type: ignore[no-untyped-def]
        reach = (self.width + self.height) / self._pixels
        near = np.abs(path - (x, y)).max(axis=1) < reach
        if near.sum() < 2:
            return
        pieces = np.split(np.flatnonzero(near), np.flatnonzero(np.diff(np.flatnonzero(near)) > 1) + 1)
        over = picture.copy()
        thick = max(round(_ROUTE_WIDTH * self._pixels), 1)
        for piece in pieces:
            cv2.polylines(over, [pixels(path[piece])], False, _ROUTE, thick, cv2.LINE_AA, _SHIFT)
        cv2.addWeighted(over, 0.8, picture, 0.2, 0.0, dst=picture)

    def _stop_lines(self, picture: np.ndarray, pixels, world: np.ndarray, x: float, y: float) -> None:  # type: ignore[no-untyped-def]
        reach = (self.width + self.height) / self._pixels
        states = world["light_state"]
        for line in self._town.lines:
            color = _LIGHTS.get(LightState(int(states[int(line[4])])))
            if color is None or max(abs(line[0] - x), abs(line[1] - y)) > reach:
                continue
            cv2.fillConvexPoly(
                picture, pixels(_corners(line[0], line[1], line[2], _LINE_HALF, line[3])), color, cv2.LINE_AA, _SHIFT
            )

    def _actors(self, picture: np.ndarray, pixels, world: np.ndarray) -> None:  # type: ignore[no-untyped-def]
        used = int(world["num_slots"])
        level = np.abs(world["z"][:used] - world["z"][EGO]) < _STORY
        seen = np.flatnonzero((world["kind"][:used] != Kind.NONE) & (world["hidden"][:used] == 0) & level)
        for slot in [*seen[seen != EGO], EGO]:
            kind, role = int(world["kind"][slot]), int(world["role"][slot])
            color = _OTHERS.get(Role(role), _WALKER if kind == Kind.WALKER else _TRAFFIC)
            if slot == EGO:
                color = _EGO
            x, y, yaw, long, wide = (
                float(world[name][slot]) for name in ("x", "y", "yaw", "half_length", "half_width")
            )
            smallest = 2.2 / self._pixels
            corners = _corners(x, y, yaw, max(long, smallest), max(wide, smallest))
            if kind in (Kind.VEHICLE, Kind.BICYCLE):  # a bevelled front tells where it is heading
                front = np.array([math.cos(yaw), math.sin(yaw)]) * min(0.7, 0.4 * long)
                middle = 0.5 * (corners[1] + corners[2])
                corners = np.array([corners[0], corners[1] - front, middle, corners[2] - front, corners[3]])
            cv2.fillConvexPoly(picture, pixels(corners), color, cv2.LINE_AA, _SHIFT)


def _corners(x: float, y: float, yaw: float, half_length: float, half_width: float) -> np.ndarray:
    """float64[4, 2]: rear left, front left, front right, rear right."""
    along = np.array([math.cos(yaw), math.sin(yaw)]) * half_length
    right = np.array([-math.sin(yaw), math.cos(yaw)]) * half_width
    at = np.array([x, y])
    return np.array([at - along - right, at + along - right, at + along + right, at - along + right])
