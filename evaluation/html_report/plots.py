"""Speed, pedals and wheel over the time of a drive, as one SVG that is as wide as its page."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.html_report.route_map import Frame
from leaderboard_adapters.recordings import Recording
from leaderboard_adapters.story import Happening
from simulator.state import TICK_SECONDS

MOST_SAMPLES = 500

_KMH = 3.6
_SPEED_TOP, _SPEED_TALL = 26, 132
_PEDAL_TOP, _PEDAL_TALL = 190, 64
_STEER_TOP, _STEER_TALL = 286, 52
_HEIGHT = 366


@dataclass(frozen=True)
class Badge:
    """A numbered moment: an infraction."""

    number: int
    seconds: float


def sampled(recording: Recording) -> np.ndarray:
    """int64[n] the ticks that plots show."""
    every = max(math.ceil(recording.num_ticks / MOST_SAMPLES), 1)
    return np.arange(0, recording.num_ticks + 1, every)


def plots(recording: Recording, badges: Sequence[Badge]) -> str:
    """The SVG with its panels, events and a cursor that the page's script moves."""
    ticks = sampled(recording)
    ego = recording.ego
    seconds = max(recording.num_ticks, 1) * TICK_SECONDS
    speed = np.abs(ego["speed"][ticks]) * _KMH
    top = max(math.ceil(float(speed.max(initial=0.0)) * 1.02 / 10.0), 1) * 10.0
    at = ticks * TICK_SECONDS
    parts = [_bands(recording, seconds)]
    for y, tall, low, high, unit in (
        (_SPEED_TOP, _SPEED_TALL, 0.0, top, "km/h"),
        (_PEDAL_TOP, _PEDAL_TALL, -1.0, 1.0, ""),
        (_STEER_TOP, _STEER_TALL, -1.0, 1.0, ""),
    ):
        parts.append(_grid(y, tall, low, high, unit))
    parts.append(_panel(_SPEED_TOP, _SPEED_TALL, seconds, f'<path class="speed" d="{_curve(at, top - speed)}"/>', top))
    pedals = (
        f'<path class="throttle" d="{_area(at, 1.0 - ego["throttle"][ticks], 1.0)}"/>'
        f'<path class="brake" d="{_area(at, 1.0 + ego["brake"][ticks], 1.0)}"/>'
    )
    parts.append(_panel(_PEDAL_TOP, _PEDAL_TALL, seconds, pedals, 2.0))
    wheel = f'<path class="steer" d="{_curve(at, 1.0 - ego["steer"][ticks])}"/>'
    parts.append(_panel(_STEER_TOP, _STEER_TALL, seconds, wheel, 2.0))
    for y, text in (
        (_SPEED_TOP, "speed"),
        (_PEDAL_TOP, "throttle up, brake down"),
        (_STEER_TOP, "steer, right up"),
    ):
        parts.append(f'<text class="soft" x="0" y="{y - 6}">{text}</text>')
    parts.append(_time_axis(seconds))
    parts.append(_events(recording, badges, seconds))
    bottom = _STEER_TOP + _STEER_TALL
    parts.append(f'<line class="cursor" x1="0" x2="0" y1="{_SPEED_TOP - 8}" y2="{bottom}"/>')
    return (
        f'<div class="plots"><svg width="100%" height="{_HEIGHT}" role="img" '
        f'aria-label="speed, pedals and steering over time">{"".join(parts)}</svg></div>'
        '<div class="readout" aria-live="off">Point at the plots to read them.</div>'
    )


def drive_data(recording: Recording, frame: Frame) -> str:
    """What the page's script shows at the cursor, as a JSON element."""
    ticks = sampled(recording)
    ego = recording.ego
    spots = frame.percent(np.stack([ego["x"][ticks], ego["y"][ticks]], axis=1))
    frames = recording.frames
    percent = np.interp(ticks, frames["tick"], frames["percent"]) if len(frames["tick"]) else np.zeros(len(ticks))
    step = float(ticks[1] - ticks[0]) * TICK_SECONDS if len(ticks) > 1 else TICK_SECONDS
    data: dict[str, object] = {"step": round(step, 4), "seconds": max(recording.num_ticks, 1) * TICK_SECONDS}
    for name, values, digits in (
        ("speed", np.abs(ego["speed"][ticks]) * _KMH, 1),
        ("throttle", ego["throttle"][ticks], 2),
        ("brake", ego["brake"][ticks], 2),
        ("steer", ego["steer"][ticks], 2),
        ("percent", percent, 0),
        ("left", spots[:, 0], 2),
        ("top", spots[:, 1], 2),
    ):
        data[name] = np.round(values, digits).tolist()
    return f'<script type="application/json" id="drive">{json.dumps(data, separators=(",", ":"))}</script>'


def _panel(y: float, tall: float, seconds: float, content: str, height: float) -> str:
    return (
        f'<svg x="0" y="{y}" width="100%" height="{tall}" viewBox="0 0 {seconds:.2f} {height:g}" '
        f'preserveAspectRatio="none">{content}</svg>'
    )


def _curve(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{a:.2f} {b:.3g}" for a, b in zip(x, y))


def _area(x: np.ndarray, y: np.ndarray, base: float) -> str:
    return f"M{x[0]:.2f} {base:g}L" + "L".join(f"{a:.2f} {b:.3g}" for a, b in zip(x, y)) + f"L{x[-1]:.2f} {base:g}Z"


def _grid(y: float, tall: float, low: float, high: float, unit: str) -> str:
    parts = []
    for share, value in ((0.0, high), (0.5, 0.5 * (low + high)), (1.0, low)):
        line = y + share * tall
        text = f"{value:g}{f' {unit}' if unit and share == 0.0 else ''}"
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{line:g}" y2="{line:g}"/>')
        if unit or share != 0.5:
            parts.append(f'<text class="soft" x="100%" y="{line - 3:g}" text-anchor="end">{text}</text>')
    return "".join(parts)


def _time_axis(seconds: float) -> str:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100) if seconds / s <= 11 or s == 100)
    y = _STEER_TOP + _STEER_TALL + 16
    parts = []
    for k in range(int(seconds / step) + 1):
        at = 100.0 * k * step / seconds
        if at > 97.0:
            continue
        anchor = "start" if k == 0 else "middle"
        text = f"{k * step} s" if k == 0 else f"{k * step}"
        parts.append(f'<text class="soft" x="{at:.2f}%" y="{y}" text-anchor="{anchor}">{text}</text>')
    return "".join(parts)


def _bands(recording: Recording, seconds: float) -> str:
    """From trigger to end of each scenario."""
    begun: dict[str, float] = {}
    spans = []
    for moment in recording.timeline:
        at = moment.tick * TICK_SECONDS
        if moment.kind == Happening.TRIGGER:
            begun[moment.scenario] = at
        elif moment.kind == Happening.SCENARIO_END and moment.scenario in begun:
            spans.append((begun.pop(moment.scenario), at))
    spans += [(start, seconds) for start in begun.values()]
    tall = _STEER_TOP + _STEER_TALL - _SPEED_TOP
    return "".join(
        f'<rect class="active" x="{100 * a / seconds:.2f}%" width="{100 * (b - a) / seconds:.2f}%" y="{_SPEED_TOP}" '
        f'height="{tall}"/><line class="trigger" x1="{100 * a / seconds:.2f}%" x2="{100 * a / seconds:.2f}%" '
        f'y1="{_SPEED_TOP}" y2="{_SPEED_TOP + tall}"/>'
        for a, b in spans
    )


def _events(recording: Recording, badges: Sequence[Badge], seconds: float) -> str:
    bottom = _STEER_TOP + _STEER_TALL
    parts = []
    for badge in badges:
        at = f"{min(100.0 * badge.seconds / seconds, 100.0):.2f}%"
        parts.append(f'<line class="event" x1="{at}" x2="{at}" y1="{_SPEED_TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<circle cx="{at}" cy="{_SPEED_TOP - 14}" r="8" fill="var(--bad)"/>')
        parts.append(
            f'<text x="{at}" y="{_SPEED_TOP - 10}" text-anchor="middle" '
            f'style="fill:var(--paper);font-weight:650">{badge.number}</text>'
        )
    return "".join(parts)
