"""Faces of traffic signs, drawn once: uint8 pictures that `Material.PICTURE` stretches over quads."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 96  # pixels along a side

_RED, _WHITE, _BLACK, _YELLOW = (176, 24, 30), (240, 240, 238), (22, 22, 24), (246, 196, 40)


def stop_face() -> np.ndarray:
    """uint8[SIZE, SIZE, 3] RGB: STOP on red."""
    image = np.full((SIZE, SIZE, 3), _RED, np.uint8)
    k = SIZE / (1 + np.sqrt(2)) / 2
    h = SIZE / 2
    corners = np.array(
        [[h - k, 0], [h + k, 0], [SIZE, h - k], [SIZE, h + k], [h + k, SIZE], [h - k, SIZE], [0, h + k], [0, h - k]]
    )
    cv2.polylines(image, [np.round(h + (corners - h) * 0.92).astype(np.int32)], True, _WHITE, 3, cv2.LINE_AA)
    _text(image, "STOP", 0.60, 1.05, _WHITE, 3)
    return image


def yield_face() -> np.ndarray:
    """uint8[SIZE, SIZE, 3]: white, red rim; the point is down."""
    image = np.full((SIZE, SIZE, 3), _WHITE, np.uint8)
    corners = np.array([[2, 2], [SIZE - 3, 2], [SIZE / 2, SIZE - 3]])
    cv2.polylines(image, [corners.astype(np.int32)], True, _RED, 22, cv2.LINE_AA)
    return image


def limit_face(number: int) -> np.ndarray:
    """uint8[SIZE, SIZE, 3]: SPEED LIMIT and the number."""
    image = np.full((SIZE, SIZE, 3), _WHITE, np.uint8)
    cv2.rectangle(image, (3, 3), (SIZE - 4, SIZE - 4), _BLACK, 2, cv2.LINE_AA)
    _text(image, "SPEED", 0.22, 0.55, _BLACK, 1)
    _text(image, "LIMIT", 0.42, 0.55, _BLACK, 1)
    _text(image, str(number), 0.86, 1.25, _BLACK, 4)
    return image


def warning_face() -> np.ndarray:
    """uint8[SIZE, SIZE, 3]: yellow with an exclamation mark, for signs without a face of their own."""
    image = np.full((SIZE, SIZE, 3), _YELLOW, np.uint8)
    cv2.rectangle(image, (4, 4), (SIZE - 5, SIZE - 5), _BLACK, 2, cv2.LINE_AA)
    _text(image, "!", 0.78, 2.2, _BLACK, 6)
    return image


def _text(image: np.ndarray, text: str, base: float, scale: float, colour: tuple[int, int, int], thick: int) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, scale, thick)
    if width > 0.86 * SIZE:
        scale *= 0.86 * SIZE / width
        (width, _), _ = cv2.getTextSize(text, font, scale, thick)
    cv2.putText(image, text, (int((SIZE - width) / 2), int(base * SIZE)), font, scale, colour, thick, cv2.LINE_AA)
