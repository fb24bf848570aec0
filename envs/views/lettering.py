"""Text, bars and panels on frames: small helpers over OpenCV's drawing, RGB uint8[H, W, 3] throughout."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np

Color = tuple[int, int, int]

INK: Color = (240, 241, 243)
SOFT: Color = (176, 181, 188)
PANEL: Color = (16, 19, 23)
#: Okabe and Ito's colours, which colour-blind people can tell apart
BLUE: Color = (86, 180, 233)
ORANGE: Color = (230, 159, 0)
GREEN: Color = (0, 178, 130)
RED: Color = (230, 92, 30)
YELLOW: Color = (240, 228, 66)

_REGULAR, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_CAP = 22.0  # pixels that capitals are high at scale 1
_ASCII = str.maketrans({"–": "-", "—": "-", "×": "x", "°": " deg", "²": "2", "’": "'", "…": "..."})


def write(
    frame: np.ndarray, text: str, x: float, y: float, size: float, color: Color = INK, *, bold: bool = False,
    align: str = "left",
) -> float:  # fmt: skip
    """Write one line and return its width in pixels.

    Args:
        x, y: left end (or middle, right end: `align`) of the line, and its base.
        size: height of the capitals, pixels.
    """
    text = text.translate(_ASCII)
    font, scale = (_BOLD if bold else _REGULAR), size / _CAP
    width = cv2.getTextSize(text, font, scale, 1)[0][0]
    left = x - {"left": 0.0, "middle": 0.5, "right": 1.0}[align] * width
    cv2.putText(frame, text, (round(left), round(y)), font, scale, color, 1, cv2.LINE_AA)
    return float(width)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line takes."""
    return float(cv2.getTextSize(text.translate(_ASCII), _BOLD if bold else _REGULAR, size / _CAP, 1)[0][0])


def wrapped(text: str, size: float, width: float, lines: int) -> list[str]:
    """A text in at most `lines` lines no wider than `width` pixels."""
    if not text:
        return []
    letters = max(int(width / max(width_of(text, size) / len(text), 1e-6)), 8)
    parts = textwrap.wrap(text, letters)
    if len(parts) > lines:
        parts = [*parts[: lines - 1], textwrap.shorten(" ".join(parts[lines - 1 :]), letters, placeholder=" ...")]
    return parts


def panel(frame: np.ndarray, x: float, y: float, width: float, height: float, color: Color = PANEL,
          strength: float = 0.62) -> None:  # fmt: skip
    """Darken a rectangle towards a colour, so that text on it is readable over any picture."""
    rows = slice(max(round(y), 0), max(round(y + height), 0))
    columns = slice(max(round(x), 0), max(round(x + width), 0))
    part = frame[rows, columns]
    if part.size:
        flat = np.empty_like(part)
        flat[:] = color
        frame[rows, columns] = cv2.addWeighted(part, 1.0 - strength, flat, strength, 0.0)


def box(frame: np.ndarray, x: float, y: float, width: float, height: float, color: Color) -> None:
    """Fill a rectangle."""
    frame[max(round(y), 0) : max(round(y + height), 0), max(round(x), 0) : max(round(x + width), 0)] = color
