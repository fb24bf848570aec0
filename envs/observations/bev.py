"""The bird's-eye observation, version 1: the ego's surroundings from above, uint8[B, C, H, W].

Ahead of the ego is up, its right is right; the ego itself is not drawn, as it never moves in its own view.

| channel | what | values |
|---|---|---|
| `road` | lanes that vehicles drive on; what is paved beside them (parking, bicycle lane, shoulder) | 255; 128 |
| `sidewalk` | crosswalks; sidewalks | 255; 128 |
| `markings` | solid lines; lines that may be crossed from one side at least | 255; 128 |
| `stops` | stop lines of stop signs; of yield signs | 255; 128 |
| `route` | the path to be driven, up to the route's end | 255 |
| `signals` | stop lines of traffic lights: red; yellow; green | 255; 170; 85 |
| `vehicles` | cars, trucks, buses; bicycles and motorcycles | 255; 170 |
| `walkers` | pedestrians | 255 |
| `props` | things that scenarios put on the road | 255 |
| `signals@-t`, `vehicles@-t`, `walkers@-t` | the same t ticks ago, seen from where the ego is now | |

The history is that of the observations that were taken: at an age between two of them the older one counts, before the
first of the episode the first. It lives in `BevObservation.memory`, which is copied along with a snapshot of the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from envs.observations.base import Observation
from envs.routes import RouteBatch
from simulator.sensors.bev import CHANNELS, PAST_CHANNELS, Memory, draw_all_bev
from simulator.sensors.bev_map import town_from_above

VERSION = 1


@dataclass(frozen=True)
class BevConfig:
    """What the view shows and how finely."""

    width: int = 192
    """Pixels from left to right."""
    height: int = 192
    """Pixels from behind to ahead."""
    pixels_per_metre: float = 4.0
    """Resolution, pixels per metre."""
    behind: float = 10.0
    """Metres from the lower edge to the ego's origin."""
    right: float = 0.0
    """Metres from the middle column to the ego's origin, right positive."""
    history: tuple[int, ...] = ()
    """Ages of past frames, ticks of 0.05 s, such as (5, 10, 20)."""
    route_width: float = 3.0
    """Width of the route as drawn, metres."""

    def __post_init__(self) -> None:
        wrong = []
        if not (1 <= self.width <= 4096 and 1 <= self.height <= 4096):
            wrong.append(f"width and height are 1 to 4096 px, got {self.width} x {self.height}")
        if not 0.05 <= self.pixels_per_metre <= 100.0:
            wrong.append(f"pixels_per_metre is 0.05 to 100, got {self.pixels_per_metre}")
        if not 0.0 < self.route_width <= 100.0:
            wrong.append(f"route_width is more than 0 and at most 100 m, got {self.route_width}")
        if not (abs(self.behind) < 1e4 and abs(self.right) < 1e4):
            wrong.append(f"behind and right are metres, got {self.behind} and {self.right}")
        if any(not 1 <= age <= 200 for age in self.history):
            wrong.append(f"history is 1 to 200 ticks ago, got {self.history}")
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names, in order."""
        return CHANNELS + tuple(f"{name}@-{age}" for age in self.history for name in PAST_CHANNELS)


class BevObservation(Observation):
    """The bird's-eye views of a batch of worlds.

    ```python
    view = BevObservation(batch.routes, batch.num_worlds, BevConfig(history=(10, 20)))
    image = view.observe(batch.worlds)           # uint8[B, 15, 192, 192]
    ```
    """

    def __init__(self, routes: RouteBatch, num_worlds: int = 1, config: BevConfig | None = None) -> None:
        self.config = BevConfig() if config is None else config
        self._routes = routes.arrays
        # twice as fine as the view, so that no line falls between two of its pixels
        self._map = town_from_above(routes.network, min(2.0 * self.config.pixels_per_metre, 16.0))
        lights = len(routes.network.arrays.light_x)
        self.memory = Memory.empty(num_worlds, max(self.config.history, default=0) + 1, lights)
        scale = self.config.pixels_per_metre
        self._view = np.array(
            [
                scale,
                self.config.height - self.config.behind * scale,
                0.5 * self.config.width + self.config.right * scale,
                0.5 * self.config.route_width,
                max(self.config.behind, 0.0),
            ]
        )
        self._ages = np.array(self.config.history, np.int64)
        self.shape = (len(self.config.channels), self.config.height, self.config.width)
        self.space: gym.Space[Any] = gym.spaces.Box(0, 255, self.shape, np.uint8)

    def observe(self, worlds: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Draw every world.

        Args:
            worlds: WORLD[B], in the order of the memory.
            out: uint8[B, C, H, W] to draw into; a fresh one by default.

        Raises:
            ValueError: for another number of worlds, or another shape of `out`.
        """
        shape = (len(self.memory.head), *self.shape)
        if out is None:
            out = np.empty(shape, np.uint8)
        if len(worlds) != shape[0] or out.shape != shape or out.dtype != np.uint8:
            got = f"{len(worlds)} worlds and {out.dtype}{list(out.shape)}"
            raise ValueError(f"expected {shape[0]} worlds and uint8{list(shape)}; got {got}")
        self.write(worlds, out)
        return out

    def write(self, worlds: np.ndarray, out: np.ndarray, first: int = 0) -> None:
        m = self._map
        last = first + len(worlds)
        head, tick, kind, pose, light = (array[first:last] for array in self.memory.arrays)
        draw_all_bev(
            worlds, self._routes, m.tile_index, m.tiles, m.origin, m.scale, m.lines, self._view, self._ages,
            head, tick, kind, pose, light, out,
        )  # fmt: skip

    def snapshot(self, index: int) -> tuple[np.ndarray, ...]:
        """Copy of what is remembered of one world."""
        return self.memory.snapshot(index)

    def restore(self, index: int, snapshot: tuple[np.ndarray, ...]) -> None:
        """Put a copy back."""
        self.memory.restore(index, snapshot)


def to_picture(image: np.ndarray, config: BevConfig, ego_half: tuple[float, float] = (2.45, 1.09)) -> np.ndarray:
    """uint8[H, W, 3] RGB picture for people of one view uint8[C, H, W]; older frames are paler, the ego is white.

    Args:
        ego_half: half length and half width of the ego, metres.
    """
    planes = dict(zip(config.channels, image, strict=True))
    picture = np.full((*image.shape[1:], 3), (38, 44, 40), np.uint8)

    def paint(plane: np.ndarray, colour: tuple[int, int, int], value: int | None = None, alpha: float = 1.0) -> None:
        at = plane > 0 if value is None else plane == value
        picture[at] = (np.array(colour) * alpha + picture[at] * (1.0 - alpha)).astype(np.uint8)

    paint(planes["sidewalk"], (92, 88, 84), 128)
    paint(planes["road"], (72, 78, 90), 128)
    paint(planes["road"], (58, 62, 70), 255)
    paint(planes["sidewalk"], (120, 120, 116), 255, 0.7)
    paint(planes["route"], (60, 110, 160), alpha=0.6)
    paint(planes["markings"], (150, 150, 140), 128)
    paint(planes["markings"], (225, 215, 150), 255)
    paint(planes["stops"], (235, 120, 60), 255)
    paint(planes["stops"], (200, 160, 110), 128)
    for value, colour in ((85, (70, 210, 90)), (170, (245, 200, 60)), (255, (235, 60, 60))):
        paint(planes["signals"], colour, value)
    for age in sorted(config.history, reverse=True):
        fade = 0.55 / (1.0 + 0.08 * age)
        paint(planes[f"vehicles@-{age}"], (110, 190, 235), alpha=fade)
        paint(planes[f"walkers@-{age}"], (250, 140, 200), alpha=fade)
    paint(planes["props"], (240, 160, 60))
    paint(planes["vehicles"], (110, 190, 235))
    paint(planes["vehicles"], (130, 230, 200), 170)
    paint(planes["walkers"], (250, 120, 190))
    row = config.height - config.behind * config.pixels_per_metre
    column = 0.5 * config.width + config.right * config.pixels_per_metre
    long, wide = (half * config.pixels_per_metre for half in ego_half)
    top, left = max(round(row - long), 0), max(round(column - wide), 0)
    picture[top : max(round(row + long), 0), left : max(round(column + wide), 0)] = (240, 240, 240)
    return picture
