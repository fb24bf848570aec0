"""Draw what the bird's-eye observation sees: one busy moment of each of eight smoke routes, as a picture grid.

    python -m benchmarks.draw_bev --out docs/bev.png

Of each route, driven by the built-in expert, the frame with the most different things in it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro

from agents.registry import make_agent
from envs.observations.bev import BevConfig, BevObservation, to_picture
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch

WORTH = {"vehicles": 1.0, "walkers": 3.0, "props": 2.0, "signals": 2.5, "stops": 1.5, "sidewalk": 0.0}
LEGEND = (
    ("route", (60, 110, 160)), ("vehicles, paler before", (110, 190, 235)), ("two-wheelers", (130, 230, 200)),
    ("walkers", (250, 120, 190)), ("props", (240, 160, 60)), ("red light", (235, 60, 60)),
    ("green light", (70, 210, 90)), ("stop sign", (235, 120, 60)), ("solid line", (225, 215, 150)),
    ("ego", (240, 240, 240)),
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What to draw."""

    out: Path
    """Picture to write (.png)."""
    columns: int = 4
    """Frames side by side."""
    rows: int = 2
    """Frames below each other."""
    zoom: int = 2
    """Picture pixels to a pixel of the view."""
    seed: int = 1
    """Seed of the drives."""


def busiest(batch: WorldBatch, route: int, config: BevConfig, seed: int) -> tuple[float, np.ndarray]:
    """Worth and picture of the most eventful frame of a route."""
    agent = make_agent("expert")
    agent.bind(batch)
    batch.reset(0, EpisodeStart(route, seed))
    agent.reset(0, seed)
    view = BevObservation(batch.routes, 1, config)
    best, picture = -1.0, np.zeros((config.height, config.width, 3), np.uint8)
    while not batch.finished[0] and batch.worlds["tick"][0] < 1200:
        batch.tick(agent.act())
        image = view.observe(batch.worlds)[0]
        planes = dict(zip(config.channels, image))
        # clusters of pixels stand for things
        worth = sum(
            value * min(cv2.connectedComponents((planes[name] > 0).astype(np.uint8))[0] - 1, 6)
            for name, value in WORTH.items()
            if value
        )
        if batch.worlds["tick"][0] > 60 and worth > best:
            best, picture = worth, to_picture(image, config)
    return best, picture


def main(options: Options) -> None:
    """Draw and write."""
    routes = load_routes("smoke")
    config = BevConfig(history=(10, 20))
    found = [busiest(WorldBatch(routes), r, config, options.seed) for r in range(len(routes.routes))]
    kept = sorted(range(len(found)), key=lambda r: -found[r][0])[: options.columns * options.rows]
    gap = 6
    cells = []
    for route in sorted(kept):
        picture = cv2.resize(found[route][1], None, fx=options.zoom, fy=options.zoom, interpolation=cv2.INTER_NEAREST)
        label = routes.routes[route].route.scenarios[0].type if routes.routes[route].route.scenarios else "no scenario"
        cv2.putText(picture, label, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
        cells.append(cv2.copyMakeBorder(picture, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=(20, 22, 21)))
    lines = [np.hstack(cells[k : k + options.columns]) for k in range(0, len(cells), options.columns)]
    grid = np.vstack(lines)
    legend = np.full((34, grid.shape[1], 3), (20, 22, 21), np.uint8)
    at = 14
    for name, colour in LEGEND:
        cv2.rectangle(legend, (at, 10), (at + 14, 24), colour, -1)
        cv2.putText(legend, name, (at + 20, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (225, 225, 225), 1, cv2.LINE_AA)
        at += 44 + int(7.6 * len(name))
    picture = np.vstack([grid, legend])
    cv2.imwrite(str(options.out), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {options.out} ({picture.shape[1]} x {picture.shape[0]})")


if __name__ == "__main__":
    main(tyro.cli(Options))
