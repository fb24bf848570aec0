"""What the frames of a drive tell besides the picture: the numbers, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.views.lettering import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PANEL,
    RED,
    SOFT,
    box,
    panel,
    width_of,
    wrapped,
    write,
)

CAPTION_SECONDS = 4.0  # for which an infraction stands in the picture

_KMH = 3.6
_DARK = (58, 63, 70)


@dataclass(frozen=True)
class Caption:
    """An infraction in words. `factor`: what it multiplies the driving score with; `age`: seconds since."""

    text: str
    factor: float = 1.0
    age: float = 0.0


@dataclass(frozen=True)
class Dashboard:
    """The numbers of one moment of a drive."""

    title: str = ""  # such as "1711 ParkedObstacle"
    subtitle: str = ""  # town, agent, weather
    seconds: float = 0.0  # game time
    speed: float = 0.0  # m/s
    throttle: float = 0.0  # 0..1
    brake: float = 0.0  # 0..1
    steer: float = 0.0  # -1..1, right positive
    percent: float = 0.0  # of the route
    score: float = 0.0  # driving score so far: completion times penalty, 0..100
    penalty: float = 1.0  # 0..1 so far
    scenario: str = ""  # name of the scenario that runs, or is next
    phase: str = ""  # what it does or waits for
    captions: tuple[Caption, ...] = ()  # infractions of the last seconds, newest last
    marks: tuple[float, ...] = ()  # percent of the route at which infractions happened
    status: str = ""  # of a route that has ended
    hint: str = ""  # keys, for a window


def draw_dashboard(frame: np.ndarray, dash: Dashboard) -> None:
    """Draw over a frame, RGB uint8[H, W, 3]; everything scales with its height."""
    height, width = frame.shape[:2]
    unit = height / 540.0
    _draw_title(frame, dash, unit)
    _draw_instruments(frame, dash, unit)
    _draw_scenario(frame, dash, unit)
    _draw_score(frame, dash, unit)
    _draw_progress(frame, dash, unit)
    _draw_captions(frame, dash, unit)
    if dash.hint:
        write(frame, dash.hint, 14 * unit, 78 * unit, 8 * unit, INK)


def _draw_title(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    clock = f"{int(dash.seconds) // 60}:{dash.seconds % 60:04.1f}"
    lower = f"{clock}   {dash.subtitle}" if dash.subtitle else clock
    wide = max(width_of(dash.title, 11 * unit, bold=True), width_of(lower, 8.5 * unit)) + 28 * unit
    panel(frame, 0, 0, wide, 56 * unit)
    write(frame, dash.title, 14 * unit, 24 * unit, 11 * unit, bold=True)
    write(frame, lower, 14 * unit, 44 * unit, 8.5 * unit, SOFT)


def _draw_instruments(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    """Speed, pedals and wheel, in the lower left corner."""
    height = frame.shape[0]
    wide, tall = 226 * unit, 92 * unit
    top = height - tall - 5 * unit
    panel(frame, 0, top, wide, tall)
    write(frame, f"{abs(dash.speed) * _KMH:.0f}", 84 * unit, top + 56 * unit, 30 * unit, bold=True, align="right")
    write(frame, "km/h", 84 * unit, top + 78 * unit, 8.5 * unit, SOFT, align="right")
    left, long, thick = 158 * unit, 54 * unit, 8 * unit
    bars = (("throttle", dash.throttle, GREEN), ("brake", dash.brake, RED))
    for row, (name, value, color) in enumerate(bars):
        y = top + (22 + 22 * row) * unit
        write(frame, name, left - 8 * unit, y + 7.5 * unit, 8 * unit, SOFT, align="right")
        box(frame, left, y, long, thick, _DARK)
        box(frame, left, y, long * min(max(value, 0.0), 1.0), thick, color)
    y = top + 66 * unit
    write(frame, "steer", left - 8 * unit, y + 7.5 * unit, 8 * unit, SOFT, align="right")
    box(frame, left, y, long, thick, _DARK)
    middle, turn = left + 0.5 * long, 0.5 * long * min(max(dash.steer, -1.0), 1.0)
    box(frame, min(middle, middle + turn), y, abs(turn), thick, BLUE)
    box(frame, middle - 0.5 * unit, y - 2 * unit, max(unit, 1), thick + 4 * unit, SOFT)


def _draw_scenario(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    height, width = frame.shape[:2]
    if not dash.scenario and not dash.status:
        return
    left, wide = 240 * unit, width - (240 + 190) * unit
    lines = wrapped(dash.status or dash.phase, 8.5 * unit, wide - 24 * unit, 3)
    tall = (26 + 18 * len(lines)) * unit
    top = height - tall - 5 * unit
    panel(frame, left, top, wide, tall)
    heading = "End of the route" if dash.status else dash.scenario
    write(frame, heading, left + 12 * unit, top + 19 * unit, 9.5 * unit, ORANGE, bold=True)
    for row, line in enumerate(lines):
        write(frame, line, left + 12 * unit, top + (37 + 18 * row) * unit, 8.5 * unit, INK)


def _draw_score(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    height, width = frame.shape[:2]
    wide, tall = 176 * unit, 92 * unit
    top, right = height - tall - 5 * unit, width - 14 * unit
    panel(frame, width - wide, top, wide, tall)
    write(frame, f"{dash.score:.1f}", right, top + 50 * unit, 24 * unit, bold=True, align="right")
    write(frame, "driving", width - wide + 14 * unit, top + 34 * unit, 8.5 * unit, SOFT)
    write(frame, "score", width - wide + 14 * unit, top + 50 * unit, 8.5 * unit, SOFT)
    write(frame, f"{dash.percent:.0f} %", width - wide + 14 * unit, top + 77 * unit, 9.5 * unit)
    write(frame, f"penalty {dash.penalty:.2f}", right, top + 77 * unit, 9.5 * unit,
          RED if dash.penalty < 0.995 else INK, align="right")  # fmt: skip


def _draw_progress(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    """The route as a line along the lower edge, infractions as notches."""
    height, width = frame.shape[:2]
    tall = max(5 * unit, 2)
    box(frame, 0, height - tall, width, tall, _DARK)
    box(frame, 0, height - tall, width * min(dash.percent, 100.0) / 100.0, tall, BLUE)
    for percent in dash.marks:
        at = min(width * percent / 100.0, width - 4 * unit)
        box(frame, at, height - 2.4 * tall, 4 * unit, 2.4 * tall, RED)


def _draw_captions(frame: np.ndarray, dash: Dashboard, unit: float) -> None:
    top = 14 * unit
    middle = 0.46 * frame.shape[1]
    for caption in dash.captions:
        fade = min(1.0, max((CAPTION_SECONDS - caption.age) / 0.6, 0.15))
        cost = f"   score x {caption.factor:.2g}" if caption.factor < 1.0 else ""
        size = 11.5 * unit
        wide = width_of(caption.text + cost, size, bold=True) + 34 * unit
        left = middle - 0.5 * wide
        panel(frame, left, top, wide, 34 * unit, PANEL, 0.82 * fade)
        box(frame, left, top, 5 * unit, 34 * unit, RED)
        done = write(frame, caption.text, left + 18 * unit, top + 23 * unit, size, INK, bold=True)
        if cost:
            write(frame, cost, left + 18 * unit + done, top + 23 * unit, size, ORANGE, bold=True)
        top += 40 * unit
