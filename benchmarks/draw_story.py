"""Draw a recording as a figure: the road from above, the ego's way, who was where at the decisive moments, the speed.

`story_figure` is what `benchmarks/scenario_pictures.py` calls. Needs matplotlib (the `view` extra).
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.story_beats import Beat, beats_of, trigger_tick
from benchmarks.story_map import (
    EGO_COLOR,
    FAINT,
    INK,
    LANES,
    LIGHT_COLORS,
    MARKS,
    PAPER,
    ROLE_COLORS,
    SPEED_MAP,
    STAR,
    View,
    draw_crosswalks,
    draw_ego,
    draw_others,
    draw_road,
    draw_scale,
    draw_stop_points,
    draw_trigger,
    extent,
    fit,
    key_tick,
    shown_ticks,
)  # fmt: skip
from leaderboard_adapters.recordings import Recording
from leaderboard_adapters.story import Happening
from simulator.roads.network import RoadNetwork
from simulator.state import TICK_SECONDS

try:
    import matplotlib
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
except ImportError as error:  # pragma: no cover
    raise SystemExit("pictures need matplotlib: pip install 'routegym[view]'") from error

WIDTH_IN = 9.0
DPI = 140
LEGEND_IN = 0.26
MAP_HEIGHT_IN = (1.7, 4.6)  # least and most


def story_figure(recording: Recording, network: RoadNetwork, strips: Sequence[dict[str, Any]], summary: str) -> Figure:
    """The figure of one recording. `strips`: of its town, from `benchmarks.draw_town.lane_strips`."""
    view = View(recording)
    beats = beats_of(recording)
    shown = shown_ticks(recording)
    low, high = extent(recording, view, shown, beats)
    width = high[0] - low[0]
    map_height = float(np.clip(WIDTH_IN * 0.97 * (high[1] - low[1]) / width, *MAP_HEIGHT_IN))
    lines = [_wrapped(beat.text) for beat in beats]
    below = max(1.55, 0.17 * sum(map(len, lines)) + 0.35)
    height = 0.62 + map_height + LEGEND_IN + below
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor=PAPER)
    figure.text(
        0.015, 1 - 0.24 / height, recording.header["scenario_type"], size=14, weight="bold", color=INK, va="center"
    )
    figure.text(0.015, 1 - 0.47 / height, summary, size=8.8, color=FAINT, va="center")
    axes = figure.add_axes((0.015, (below + LEGEND_IN) / height, 0.97, map_height / height), facecolor=PAPER)
    fit(axes, low, high, WIDTH_IN * 0.97 / map_height)
    draw_road(axes, view, strips)
    draw_crosswalks(axes, view, network)
    key = key_tick(recording, beats)
    draw_stop_points(axes, view, recording, network, key)
    draw_others(axes, view, recording, beats, shown, key)
    paint = draw_ego(axes, view, recording, beats, shown)
    draw_trigger(axes, view, recording)
    draw_scale(axes)
    _draw_legend(figure, recording, paint, (below + LEGEND_IN / 2) / height)
    chart = figure.add_axes((0.055, 0.42 / height, 0.40, (below - 0.62) / height), facecolor=PAPER)
    _draw_speed(chart, recording, beats)
    _draw_beats(figure, lines, beats, height, below)
    return figure


def save_figure(figure: Figure, path: Path) -> int:
    """Write a PNG with one palette for all figures; returns its bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor=PAPER)
    buffer.seek(0)
    picture = Image.open(buffer).convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    return path.stat().st_size


@cache
def _palette() -> Any:
    """The colours of the figures, those of the speed, and the steps between inks and grounds that smooth edges."""
    from matplotlib.colors import to_rgb
    from PIL import Image

    inks = [INK, FAINT, EGO_COLOR, STAR, *ROLE_COLORS.values(), *LIGHT_COLORS.values()]
    grounds = [PAPER, LANES["driving"], "#ffffff"]
    colors = [to_rgb(color) for color in (*inks, *grounds, *LANES.values(), *MARKS.values())]
    colors += [matplotlib.colormaps[SPEED_MAP](share)[:3] for share in np.linspace(0.0, 1.0, 64)]
    for ink in inks:
        for ground in grounds:
            a, b = np.array(to_rgb(ink)), np.array(to_rgb(ground))
            colors += [tuple(a + (b - a) * share) for share in (0.33, 0.66, 0.84)]
    colors = list(dict.fromkeys(colors))[:256]
    picture = Image.new("P", (1, 1))
    picture.putpalette([round(255 * value) for color in colors for value in color])
    return picture


def _draw_legend(figure: Figure, recording: Recording, paint: LineCollection, y: float) -> None:
    from matplotlib.lines import Line2D

    def square(color: str, label: str) -> Line2D:
        return Line2D([], [], marker="s", linestyle="none", color=color, markersize=6, label=label)

    roles = {card.role for card in recording.actors}
    names = {"scenario": "scenario actor", "flow": "scenario flow", "background": "traffic"}
    handles: list[Line2D] = [square(EGO_COLOR, "ego")]
    handles += [square(ROLE_COLORS[role], name) for role, name in names.items() if role in roles]
    handles.append(
        Line2D([], [], marker="*", linestyle="none", color=STAR, markeredgecolor=INK, markersize=9, label="trigger")
    )
    height = figure.get_figheight()
    legend = figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=(0.008, y), ncols=len(handles), frameon=False,
        fontsize=7.6, handletextpad=0.1, columnspacing=0.9, labelcolor=INK,
    )  # fmt: skip
    legend.set_zorder(30)
    bar_axes = figure.add_axes((0.845, 1 - 0.22 / height, 0.14, 0.085 / height))
    bar = figure.colorbar(paint, cax=bar_axes, orientation="horizontal")
    top = paint.get_clim()[1]
    bar.set_ticks([0, top / 2, top])
    bar.ax.tick_params(labelsize=6.5, length=2, pad=1, colors=INK)
    bar.outline.set_visible(False)  # type: ignore[operator]
    figure.text(0.915, 1 - 0.085 / height, "ego speed, km/h", size=6.8, color=INK, ha="center", va="center")


def _draw_speed(chart: Any, recording: Recording, beats: Sequence[Beat]) -> None:
    ego = recording.ego
    time = np.arange(len(ego["speed"])) * TICK_SECONDS
    ends = [m.tick for m in recording.timeline if m.kind == Happening.SCENARIO_END]
    start = trigger_tick(recording) * TICK_SECONDS
    stop = ends[0] * TICK_SECONDS if ends else time[-1]
    chart.axvspan(start, stop, color=STAR, alpha=0.16, linewidth=0)
    chart.plot(time, ego["speed"] * 3.6, color=INK, linewidth=1.5)
    chart.set_xlim(0, time[-1])
    top = max(float(ego["speed"].max()) * 3.6 * 1.28, 12.0)
    chart.set_ylim(0, top)
    for number, beat in enumerate(beats, 1):
        at = beat.tick * TICK_SECONDS
        chart.axvline(at, color=FAINT, linewidth=0.7, linestyle=(0, (2, 2)))
        badge = {"boxstyle": "round,pad=0.2", "facecolor": EGO_COLOR, "edgecolor": "white", "linewidth": 0.5}
        place = {"ha": "center", "va": "center"}
        chart.text(at, top * 0.93, str(number), size=6.3, color="white", weight="bold", bbox=badge, **place)
    chart.locator_params(axis="x", integer=True)
    chart.set_xlabel("time, s", size=7.5, color=INK, labelpad=1)
    chart.set_ylabel("ego speed, km/h", size=7.5, color=INK, labelpad=2)
    chart.tick_params(labelsize=7, length=2.5, colors=INK)
    for side in ("top", "right"):
        chart.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        chart.spines[side].set_color(FAINT)


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text[:1].upper() + text[1:], 78)
    return lines if len(lines) <= 3 else [*lines[:2], lines[2][:75].rstrip(",; ") + " ..."]


def _draw_beats(
    figure: Figure, texts: Sequence[Sequence[str]], beats: Sequence[Beat], height: float, below: float
) -> None:
    y = below - 0.14
    for number, (lines, beat) in enumerate(zip(texts, beats), 1):
        figure.text(0.492, y / height, str(number), size=6.5, color="white", weight="bold", ha="center", va="center",
                    bbox={"boxstyle": "round,pad=0.22", "facecolor": EGO_COLOR, "edgecolor": "none"})  # fmt: skip
        figure.text(0.508, y / height, f"{beat.tick * TICK_SECONDS:.1f} s", size=7.4, color=FAINT, va="center")
        for line in lines:
            figure.text(0.553, y / height, line, size=7.4, color=INK, va="center")
            y -= 0.145
        y -= 0.05
