"""A window on the screen that shows frames and hears keys. Needs pygame, of the `view` extra."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import SensorError


@dataclass(frozen=True)
class Keys:
    """What was pressed since the last look, and what is held down."""

    quit: bool = False
    view: bool = False  # TAB
    pause: bool = False  # P
    reset: bool = False  # R
    reverse: bool = False  # Q
    forward: bool = False  # held: up, W
    back: bool = False  # held: down, S
    left: bool = False  # held: left, A
    right: bool = False  # held: right, D
    hand_brake: bool = False  # held: space


def load_pygame() -> Any:
    """The pygame module.

    Raises:
        SensorError: when it is not installed.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise SensorError(f"a window needs pygame ({error}): pip install 'routegym[view]'") from None
    return pygame


_UNSEEN = ("dummy", "offscreen")  # SDL's drivers without a screen


def _no_screen(why: str) -> str:
    return (
        f"no window can be opened: {why}. render_mode 'rgb_array' and films need none; SDL_VIDEODRIVER=dummy opens "
        "windows that nobody sees"
    )


class Window:
    """One window. It opens with the first frame."""

    def __init__(self, title: str = "RouteGym") -> None:
        self._pygame = load_pygame()
        self._title = title
        self._screen: Any = None
        self._clock: Any = None

    @property
    def is_open(self) -> bool:
        """Whether there is a window."""
        return self._screen is not None

    def show(self, frame: np.ndarray, fps: float) -> None:
        """Show a frame, RGB uint8[H, W, 3], and wait so that there are at most `fps` a second.

        Raises:
            SensorError: when no window can be opened, as without a display.
        """
        pygame = self._pygame
        height, width = frame.shape[:2]
        if self._screen is None:
            try:
                pygame.display.init()
                pygame.display.set_caption(self._title)
                self._screen = pygame.display.set_mode((width, height))
            except pygame.error as error:
                raise SensorError(_no_screen(str(error))) from None
            driver = pygame.display.get_driver()
            if driver in _UNSEEN and "SDL_VIDEODRIVER" not in os.environ:  # what SDL falls back to, unasked
                self.close()
                raise SensorError(_no_screen(f"there is no screen, only SDL's driver '{driver}'"))
            self._clock = pygame.time.Clock()
        picture = pygame.image.frombuffer(np.ascontiguousarray(frame).data, (width, height), "RGB")
        self._screen.blit(picture, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(fps)

    def milliseconds(self) -> int:
        """Of real time since pygame began."""
        return int(self._pygame.time.get_ticks())

    def keys(self) -> Keys:
        """What the keyboard says; nothing without a window."""
        if self._screen is None:
            return Keys()
        pygame = self._pygame
        told: dict[str, bool] = {}
        names = {
            pygame.K_ESCAPE: "quit",
            pygame.K_TAB: "view",
            pygame.K_p: "pause",
            pygame.K_r: "reset",
            pygame.K_q: "reverse",
        }
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                told["quit"] = True
            elif event.type == pygame.KEYDOWN and event.key in names:
                told[names[event.key]] = True
        held = pygame.key.get_pressed()
        return Keys(
            **told,
            forward=bool(held[pygame.K_UP] or held[pygame.K_w]),
            back=bool(held[pygame.K_DOWN] or held[pygame.K_s]),
            left=bool(held[pygame.K_LEFT] or held[pygame.K_a]),
            right=bool(held[pygame.K_RIGHT] or held[pygame.K_d]),
            hand_brake=bool(held[pygame.K_SPACE]),
        )

    def close(self) -> None:
        """Close the window; the next frame opens another one."""
        if self._screen is not None:
            self._pygame.display.quit()
            self._screen = None
