"""Drawing worlds from above, around the ego vehicle: the kernels of the bird's-eye view.

The view is the ego's: ahead is up, right is right. Row r and column c are centred `row0 - r - 0.5` pixels ahead of the
ego's origin and `c + 0.5 - column0` to its right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.sensors.bev_map import TILE, Ground
from simulator.state import EGO, MAX_ACTORS, LightState
from simulator.tracking import path_point

#: Channels of the present, then for every age of the history those of `PAST_CHANNELS`.
CHANNELS = ("road", "sidewalk", "markings", "stops", "route", "signals", "vehicles", "walkers", "props")
PAST_CHANNELS = ("signals", "vehicles", "walkers")

_ROUTE, _SIGNALS, _VEHICLES, _WALKERS, _PROPS, _PAST = 4, 5, 6, 7, 8, len(CHANNELS)
_VEHICLE, _BICYCLE, _WALKER, _PROP = int(Kind.VEHICLE), int(Kind.BICYCLE), int(Kind.WALKER), int(Kind.PROP)
_FULL, _BICYCLE_VALUE = 255, 170
_TILE = TILE
_FRACTION = 1 << 16  # of the fixed-point coordinates in which rows are walked
_SMALLEST = 0.71  # px, half edge of a box that covers a pixel's centre wherever it lies, however it is turned
_STORY = 5.0  # m; actors further above or below the ego are on another road
_ROUTE_STEP = 2.0  # m between the points through which the route is drawn
_LINE_HALF = 0.3  # m, half width of a light's stop line along the road
_NO_LIGHT = 3  # LightState.OFF and what lies above


def _values() -> np.ndarray:
    """uint8[4, 256]: what road, sidewalk, markings and stops show for each set of `Ground` bits."""
    bits = np.arange(256)
    planes = np.zeros((4, 256), np.uint8)
    for plane, bit, value in (
        (0, Ground.BESIDE, 128),
        (0, Ground.LANE, 255),
        (1, Ground.SIDEWALK, 128),
        (1, Ground.CROSSWALK, 255),
        (2, Ground.BROKEN, 128),
        (2, Ground.SOLID, 255),
        (3, Ground.YIELD, 128),
        (3, Ground.STOP, 255),
    ):
        planes[plane, (bits & int(bit)) != 0] = value
    return planes


_PLANES = _values()
_SIGNAL_VALUE = np.zeros(8, np.uint8)
_SIGNAL_VALUE[[LightState.RED, LightState.YELLOW, LightState.GREEN]] = 255, 170, 85


@dataclass
class Memory:
    """Poses of all actors and states of all lights at the last R observations of B worlds.

    What a view with history draws comes from here alone, so copying it with the world's record copies the view.
    """

    head: np.ndarray  # int64[B, 4] seed and route of the episode, number of the oldest entry, number of the next one
    tick: np.ndarray  # int64[B, R] entry n lies at n % R
    kind: np.ndarray  # uint8[B, R, A] Kind; 0 for hidden actors and those on other levels
    pose: np.ndarray  # float32[B, R, A, 5] x, y (m), yaw (rad), half length, half width (m)
    light: np.ndarray  # uint8[B, R, lights] LightState

    @classmethod
    def empty(cls, worlds: int, entries: int, lights: int) -> Memory:
        """Nothing remembered."""
        return cls(
            np.full((worlds, 4), -1, np.int64),
            np.zeros((worlds, entries), np.int64),
            np.zeros((worlds, entries, MAX_ACTORS), np.uint8),
            np.zeros((worlds, entries, MAX_ACTORS, 5), np.float32),
            np.zeros((worlds, entries, lights), np.uint8),
        )

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All of them, as kernels take them."""
        return self.head, self.tick, self.kind, self.pose, self.light

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """Copy of one world's memory."""
        return tuple(a[index].copy() for a in self.arrays)

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""
        for array, copy in zip(self.arrays, snapshot, strict=True):
            array[index] = copy


@kernel
def remember(w, head, tick, kind, pose, light):  # type: ignore[no-untyped-def]
    """Note the present. Entries of another episode, or from later than now, are forgotten first.

    Arguments are one world's rows of a `Memory`. Returns the index of the entry.
    """
    entries = len(tick)
    if head[0] != w.seed or head[1] != w.route or head[2] < 0:
        head[0], head[1], head[2], head[3] = w.seed, w.route, 0, 0
    while head[3] > head[2] and tick[(head[3] - 1) % entries] >= w.tick:
        head[3] -= 1
    here = head[3] % entries
    head[3] += 1
    head[2] = max(head[2], head[3] - entries)
    tick[here] = w.tick
    for i in range(MAX_ACTORS):
        if i >= w.num_slots or w.hidden[i] == 1 or abs(w.z[i] - w.z[EGO]) > _STORY:
            kind[here, i] = 0
            continue
        kind[here, i] = w.kind[i]
        pose[here, i, 0] = w.x[i]
        pose[here, i, 1] = w.y[i]
        pose[here, i, 2] = w.yaw[i]
        pose[here, i, 3] = w.half_length[i]
        pose[here, i, 4] = w.half_width[i]
    for k in range(light.shape[1]):
        light[here, k] = w.light_state[k]
    return here


@kernel
def recall(head, tick, wanted):  # type: ignore[no-untyped-def]
    """Index of the newest entry that is no newer than tick `wanted`, or else of the oldest."""
    entries = len(tick)
    n = head[3] - 1
    while n > head[2] and tick[n % entries] > wanted:
        n -= 1
    return n % entries


@kernel
def fill_box(plane, row, column, half_long, half_wide, turn, value):  # type: ignore[no-untyped-def]
    """Fill the pixels whose centres lie in an oriented box.

    Args:
        plane: uint8[H, W]. `row`, `column`: the box's centre in pixels. `half_long`, `half_wide`: pixels.
        turn: rad from up, clockwise.
    """
    height, width = plane.shape
    half_long = max(half_long, _SMALLEST)
    half_wide = max(half_wide, _SMALLEST)
    c, s = math.cos(turn), math.sin(turn)
    tall = half_long * abs(c) + half_wide * abs(s)
    wide = half_long * abs(s) + half_wide * abs(c)
    if row + tall < 0.0 or row - tall > height or column + wide < 0.0 or column - wide > width:
        return
    for r in range(max(int(row - tall - 0.5), 0), min(int(row + tall + 0.5) + 1, height)):
        down = r + 0.5 - row
        low, high = -wide, wide
        # along = -down c + across s within half_long; beside = down s + across c within half_wide
        if abs(s) > 1e-9:
            a, b = (-half_long + down * c) / s, (half_long + down * c) / s
            low, high = max(low, min(a, b)), min(high, max(a, b))
        elif abs(down * c) > half_long:
            continue
        if abs(c) > 1e-9:
            a, b = (-half_wide - down * s) / c, (half_wide - down * s) / c
            low, high = max(low, min(a, b)), min(high, max(a, b))
        elif abs(down * s) > half_wide:
            continue
        first = max(math.ceil(column + low - 0.5), 0)
        last = min(math.floor(column + high - 0.5), width - 1)
        for q in range(first, last + 1):
            plane[r, q] = value


@kernel
def draw_ground(tile_index, tiles, origin, scale, x, y, yaw, view, out):  # type: ignore[no-untyped-def]
    """Planes 0 to 3 of `out`: the town's picture, turned and sampled at the pixels' centres."""
    height, width = out.shape[1], out.shape[2]
    c, s = math.cos(yaw), math.sin(yaw)
    pitch = scale / view[0]  # pixels of the town's picture to one of the view
    step_u = int(-s * pitch * _FRACTION)
    step_v = int(c * pitch * _FRACTION)
    end_u = tile_index.shape[1] * _TILE
    end_v = tile_index.shape[0] * _TILE
    for r in range(height):
        ahead = (view[1] - r - 0.5) / view[0]
        right = (0.5 - view[2]) / view[0]
        u = int((x + ahead * c - right * s - origin[0]) * scale * _FRACTION)
        v = int((y + ahead * s + right * c - origin[1]) * scale * _FRACTION)
        for q in range(width):
            pu, pv = u >> 16, v >> 16
            bits = 0
            if 0 <= pu < end_u and 0 <= pv < end_v:
                tile = tile_index[pv >> 8, pu >> 8]
                if tile >= 0:
                    bits = tiles[tile, pv & 255, pu & 255]
            out[0, r, q] = _PLANES[0, bits]
            out[1, r, q] = _PLANES[1, bits]
            out[2, r, q] = _PLANES[2, bits]
            out[3, r, q] = _PLANES[3, bits]
            u += step_u
            v += step_v


@kernel
def draw_route(w, routes, view, plane):  # type: ignore[no-untyped-def]
    """The drivable path from a little behind the ego to the route's end, as far as the view goes."""
    reach = (plane.shape[0] + plane.shape[1]) / view[0]
    s = max(w.path_s - view[4], 0.0)
    end = min(w.path_s + reach, routes.path_end[w.route])
    c, sn = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    ax, ay, yaw, curvature = path_point(routes, w.route, s)
    while s < end:
        s = min(s + _ROUTE_STEP, end)
        bx, by, yaw, curvature = path_point(routes, w.route, s)
        dx, dy = 0.5 * (ax + bx) - w.x[EGO], 0.5 * (ay + by) - w.y[EGO]
        half = 0.5 * math.hypot(bx - ax, by - ay) + 0.15
        turn = math.atan2(by - ay, bx - ax) - w.yaw[EGO]
        row = view[1] - (dx * c + dy * sn) * view[0]
        column = view[2] + (-dx * sn + dy * c) * view[0]
        fill_box(plane, row, column, half * view[0], view[3] * view[0], turn, _FULL)
        ax, ay = bx, by


@kernel
def draw_signals(x, y, yaw, lines, light, view, plane):  # type: ignore[no-untyped-def]
    """Stop lines of traffic lights, by state. `lines` as `BevMap.lines`; `light`: uint8[lights] LightState."""
    c, s = math.cos(yaw), math.sin(yaw)
    for k in range(len(lines)):
        state = light[int(lines[k, 4])]
        if state >= _NO_LIGHT:
            continue
        dx, dy = lines[k, 0] - x, lines[k, 1] - y
        row = view[1] - (dx * c + dy * s) * view[0]
        column = view[2] + (-dx * s + dy * c) * view[0]
        value = _SIGNAL_VALUE[state]
        fill_box(plane, row, column, _LINE_HALF * view[0], lines[k, 3] * view[0], lines[k, 2] - yaw, value)


@kernel
def draw_actors(x, y, yaw, kind, pose, view, vehicles, walkers, props, draw_props):  # type: ignore[no-untyped-def]
    """Boxes of everybody but the ego. `kind`: uint8[A], `pose`: float32[A, 5] as in `Memory`."""
    c, s = math.cos(yaw), math.sin(yaw)
    for i in range(len(kind)):
        if i == EGO or kind[i] == 0:
            continue
        dx, dy = np.float64(pose[i, 0]) - x, np.float64(pose[i, 1]) - y
        row = view[1] - (dx * c + dy * s) * view[0]
        column = view[2] + (-dx * s + dy * c) * view[0]
        long, wide = np.float64(pose[i, 3]) * view[0], np.float64(pose[i, 4]) * view[0]
        turn = np.float64(pose[i, 2]) - yaw
        if kind[i] == _WALKER:
            fill_box(walkers, row, column, long, wide, turn, _FULL)
        elif kind[i] != _PROP:
            fill_box(vehicles, row, column, long, wide, turn, _FULL if kind[i] == _VEHICLE else _BICYCLE_VALUE)
        elif draw_props == 1:
            fill_box(props, row, column, long, wide, turn, _FULL)


@kernel
def draw_bev(w, routes, tile_index, tiles, origin, scale, lines, view, ages, head, tick, kind, pose, light,
             out):  # type: ignore[no-untyped-def]  # fmt: skip
    """One world from above.

    Args:
        tile_index, tiles, origin, scale, lines: of `BevMap`.
        view: float64[5] pixels per metre, row and column of the ego's origin, half width of the route (m), metres of it
            that are drawn behind the ego.
        ages: int64[k] ticks ago of the history.
        head, tick, kind, pose, light: one world's rows of a `Memory`; the present is added.
        out: uint8[9 + 3 k, H, W], written whole.
    """
    now = remember(w, head, tick, kind, pose, light)
    x, y, yaw = w.x[EGO], w.y[EGO], w.yaw[EGO]
    draw_ground(tile_index, tiles, origin, scale, x, y, yaw, view, out)
    out[_ROUTE:] = 0
    draw_route(w, routes, view, out[_ROUTE])
    draw_signals(x, y, yaw, lines, light[now], view, out[_SIGNALS])
    draw_actors(x, y, yaw, kind[now], pose[now], view, out[_VEHICLES], out[_WALKERS], out[_PROPS], 1)
    for k in range(len(ages)):
        then = recall(head, tick, w.tick - ages[k])
        plane = _PAST + 3 * k
        draw_signals(x, y, yaw, lines, light[then], view, out[plane])
        draw_actors(x, y, yaw, kind[then], pose[then], view, out[plane + 1], out[plane + 2], out[_PROPS], 0)


@kernel
def draw_all_bev(worlds, routes, tile_index, tiles, origin, scale, lines, view, ages, head, tick, kind, pose,
                 light, out):  # type: ignore[no-untyped-def]  # fmt: skip
    """`draw_bev` for every world; `out`: uint8[B, C, H, W]."""
    for b in range(worlds.shape[0]):
        draw_bev(
            worlds[b], routes, tile_index, tiles, origin, scale, lines, view, ages,
            head[b], tick[b], kind[b], pose[b], light[b], out[b],
        )  # fmt: skip
