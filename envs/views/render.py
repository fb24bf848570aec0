"""Rendering for Gymnasium: `render_mode` "rgb_array" and "human" of the environments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.views.live import LiveDashboard, frame_rate
from envs.views.painter import HEIGHT, VIEWS, WIDTH, FramePainter
from envs.views.window import Window, load_pygame
from envs.world import WorldBatch

RENDER_MODES = ("human", "rgb_array")


class EnvRenderer:
    """Draws the worlds of a batch. The town's triangles are loaded with the first frame."""

    def __init__(
        self, batch: WorldBatch, mode: str, frame_skip: int, size: Sequence[int] = (WIDTH, HEIGHT), view: str = "chase"
    ) -> None:
        """
        Args:
            mode: of `RENDER_MODES`. size: width and height of a frame, pixels. view: see `painter.VIEWS`; TAB changes
                it in a window.

        Raises:
            ValueError: for an unknown mode.
            SensorError: without pygame, where a window is asked for.
        """
        if mode not in RENDER_MODES:
            raise ValueError(f"render_mode {mode!r}: must be one of {', '.join(map(repr, RENDER_MODES))}, or None")
        if mode == "human":
            load_pygame()
        self._batch, self._mode, self._fps = batch, mode, frame_rate(frame_skip)
        self._size, self._view = tuple(size), view
        self._dashboard = LiveDashboard(batch)
        self._painter: FramePainter | None = None
        self._window: Window | None = None
        self._closed = False

    def frame(self, index: int) -> np.ndarray:
        """RGB uint8[H, W, 3] of a world now."""
        if self._painter is None:
            width, height = self._size
            threads = 2 if self._mode == "human" else 1
            self._painter = FramePainter(self._batch.routes.network, width, height, view=self._view, threads=threads)
        return self._painter.paint(self._batch.worlds[index], self._dashboard.path(index), self._dashboard.read(index))

    def show(self, index: int = 0) -> None:
        """Show a world in the window, at the pace of the game. A window that the user has closed stays closed."""
        if self._closed:
            return
        if self._window is None:
            self._window = Window()
        keys = self._window.keys()
        if keys.quit:
            self._closed = True
            self._window.close()
            return
        if keys.view and self._painter is not None:
            self._painter.view = next_view(self._painter.view)
        self._window.show(self.frame(index), self._fps)

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None


def next_view(view: str) -> str:
    """The view after `view`, round and round."""
    names = list(VIEWS)
    return names[(names.index(view) + 1) % len(names)]
