"""Draw a recording as a figure: the road from above, the ego's way, who was where at the decisive moments, the speed.

`story_figure` is what `benchmarks/scenario_pictures.py` calls. Needs matplotlib (the `view` extra).
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leaderboard_adapters.recordings import ActorCard, Recording, ScenarioCard
from leaderboard_adapters.story import Happening, Moment
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Kind
from simulator.roads.network import RoadNetwork
from simulator.state import TICK_SECONDS, LightState

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import patheffects
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon
except ImportError as error:  # pragma: no cover
    raise SystemExit("pictures need matplotlib: pip install 'routegym[view]'") from error

WIDTH_IN = 9.0
DPI = 140
LEGEND_IN = 0.26
MAP_HEIGHT_IN = (1.7, 4.6)  # least and most

PAPER = "#fcfbf8"
INK = "#22262b"
FAINT = "#7d838b"
LANES = {
    "driving": "#d5d8dc",
    "parking": "#c6cbd6",
    "biking": "#e6d3cb",
    "shoulder": "#e4e4df",
    "sidewalk": "#efede6",
    "median": "#e3ead9",
}
MARKS = {"Yellow": "#e0ae2b"}
ROLE_COLORS = {"scenario": "#d1495b", "flow": "#2f7fb5", "background": "#9aa1aa", "ambient": "#b9b2a3"}
EGO_COLOR = "#1d1f23"
STAR = "#f2c14e"
SPEED_MAP = "viridis"
LIGHT_COLORS = {
    LightState.RED: "#d62839",
    LightState.YELLOW: "#f0a202",
    LightState.GREEN: "#2a9d4e",
    LightState.OFF: "#777777",
}

BLUEPRINT_OF = {blueprint.id: blueprint for blueprint in BLUEPRINTS}
MERGE_TICKS = 8  # moments this near to each other are told as one
MAX_BEATS = 6
CLOSE_AFTER_TICKS = 30  # after the trigger, from when on the closest approach is looked for
CLOSE_METRES = 30.0
MOVED = 2.0  # m that an actor has to go between two moments to be drawn at both
JUNCTION_GAP = 7.0  # m between lanes of a junction that are asphalt as well
CELL = 0.15  # m
STAR_METRES = 3.4  # left of the lane centre
MIN_PROP = 0.45  # m, half size that small props are drawn with
MAX_LENGTH = 170.0  # m of the ego's way that are shown


@dataclass(frozen=True)
class Beat:
    """A decisive moment, numbered in the figure."""

    tick: int
    text: str
    weight: int  # what is left out first when there are too many: the lightest


class View:
    """From the world to the picture: turned so that the ego comes from the left at the trigger, metres, y up."""

    def __init__(self, recording: Recording) -> None:
        ego, trigger = recording.ego, trigger_tick(recording)
        yaw = float(ego["yaw"][trigger])
        self.cos, self.sin = math.cos(yaw), math.sin(yaw)
        self.x, self.y = float(ego["x"][trigger]), float(ego["y"][trigger])
        self.yaw = yaw

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """float64[n, 2] for world coordinates."""
        dx, dy = np.asarray(x, float) - self.x, np.asarray(y, float) - self.y
        return np.stack([dx * self.cos + dy * self.sin, dx * self.sin - dy * self.cos], axis=-1)

    def box(self, x: float, y: float, yaw: float, half_length: float, half_width: float) -> np.ndarray:
        """float64[4, 2] corners."""
        along = np.array([math.cos(yaw), math.sin(yaw)]) * half_length
        aside = np.array([-math.sin(yaw), math.cos(yaw)]) * half_width
        at = np.array([x, y])
        corners = np.array([at + along + aside, at + along - aside, at - along - aside, at - along + aside])
        return self(corners[:, 0], corners[:, 1])


def trigger_tick(recording: Recording) -> int:
    """Tick of the first trigger; 0 where nothing triggered."""
    return next((m.tick for m in recording.timeline if m.kind == Happening.TRIGGER), 0)


# What is told


def beats_of(recording: Recording) -> list[Beat]:
    """The decisive moments in order: trigger, steps of the scenario, the closest approach, its end, infractions."""
    groups: list[list[Moment]] = []
    told = (Happening.TRIGGER, Happening.PHASE, Happening.SCENARIO_END, Happening.INFRACTION)
    for moment in recording.timeline:
        if moment.kind not in told:
            continue
        if groups and moment.tick - groups[-1][0].tick <= MERGE_TICKS:
            groups[-1].append(moment)
        else:
            groups.append([moment])
    beats = [beat for group in groups if (beat := _beat(group)).text]
    closest = _closest(recording)
    if closest is not None:
        near = [i for i, beat in enumerate(beats) if abs(closest.tick - beat.tick) <= MERGE_TICKS]
        if near:
            told = beats[near[0]]
            beats[near[0]] = replace(told, text=f"{told.text}; {closest.text}", weight=max(told.weight, closest.weight))
        else:
            beats.append(closest)
    beats.sort(key=lambda beat: beat.tick)
    if sum(beat.weight > 2 for beat in beats) > 2:
        beats = [beat for beat in beats if beat.weight > 2]
    while len(beats) > MAX_BEATS:
        lightest = min(range(len(beats)), key=lambda i: (beats[i].weight, -i))
        beats.pop(lightest)
    return beats


def _beat(group: Sequence[Moment]) -> Beat:
    kinds = {moment.kind for moment in group}
    texts: list[str] = []
    weight = 1
    for moment in group:
        if moment.kind == Happening.TRIGGER:
            weight = 9
        elif moment.kind == Happening.INFRACTION:
            texts.append(moment.text.partition(" at (")[0])
            weight = 9
        elif moment.kind == Happening.SCENARIO_END:
            texts.append(f"the scenario ends: {moment.because}" if moment.because else "the scenario ends")
            weight = max(weight, 5)
        else:
            done = [part for part in moment.text.split("; ") if not part.startswith("waits until")]
            stages = [
                part
                for part in done
                if re.search(r"(^|\s)'", part) or "light" in part or "control" in part or "brake" in part
            ]
            if done:
                going = all("taken away" in part or "again" in part for part in stages or done)
                weight = max(weight, 2 if going else 7 if stages else 3)
                because = _because(moment.because) if Happening.TRIGGER not in kinds else ""
                texts.append(because + ", ".join(stages or done[:2]))
    text = "; ".join(dict.fromkeys(texts))
    if Happening.TRIGGER in kinds:
        text = f"trigger{': ' if text else ''}{text}"
    return Beat(group[0].tick, text, weight)


def _because(clause: str) -> str:
    waited = re.fullmatch(r"([\d.]+(?: to [\d.]+)?) s have gone by", clause)
    if waited:
        return f"after {waited[1]} s: "
    if not clause or re.search(r"(less than|or more).* the place", clause):
        return ""
    return f"{clause}: "


def _closest(recording: Recording) -> Beat | None:
    """When the ego was nearest to the scenario's actors, after the trigger."""
    best: tuple[bool, float, int, ActorCard] | None = None
    start = trigger_tick(recording) + CLOSE_AFTER_TICKS
    for i, card in enumerate(recording.actors):
        if card.role not in ("scenario", "flow") or BLUEPRINT_OF[card.blueprint].kind == Kind.PROP:
            continue
        rows = recording.rows_of(i)
        ticks = rows["tick"]
        metres: Any = np.hypot(rows["x"] - recording.ego["x"][ticks], rows["y"] - recording.ego["y"][ticks])
        lowest = np.zeros(len(metres), bool)  # comes nearer, then goes
        lowest[1:-1] = (metres[1:-1] < metres[:-2]) & (metres[1:-1] <= metres[2:]) & (ticks[1:-1] >= start)
        if not lowest.any():
            continue
        k = int(np.argmin(np.where(lowest, metres, np.inf)))
        if metres[k] > CLOSE_METRES:
            continue
        stands = float(max(np.ptp(rows["x"]), np.ptp(rows["y"]))) < MOVED  # who moves is of more interest
        found = (stands, float(metres[k]), int(ticks[k]), card)
        best = found if best is None else min(best, found)
    if best is None:
        return None
    _, metres, tick, card = best
    name = f"flow '{card.member}'" if card.role == "flow" else f"'{card.member}'"
    return Beat(tick, f"closest to {name}: {metres:.1f} m between centres", 4)


# The figure


def story_figure(recording: Recording, network: RoadNetwork, strips: Sequence[dict[str, Any]], summary: str) -> Figure:
    """The figure of one recording. `strips`: of its town, from `benchmarks.draw_town.lane_strips`."""
    view = View(recording)
    beats = beats_of(recording)
    shown = _shown_ticks(recording)
    low, high = _extent(recording, view, shown, beats)
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
    _fit(axes, low, high, WIDTH_IN * 0.97 / map_height)
    _draw_road(axes, view, strips)
    _draw_crosswalks(axes, view, network)
    key = _key_tick(recording, beats)
    _draw_stop_points(axes, view, recording, network, key)
    _draw_others(axes, view, recording, beats, shown, key)
    paint = _draw_ego(axes, view, recording, beats, shown)
    _draw_trigger(axes, view, recording)
    _draw_scale(axes)
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


def _shown_ticks(recording: Recording) -> slice:
    """The part of the drive that the map shows: from before the trigger to after the scenario."""
    ego = recording.ego
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(ego["x"]), np.diff(ego["y"])))])
    at = way[trigger_tick(recording)]
    first = int(np.searchsorted(way, max(at - 30.0, 0.0)))
    last = int(np.searchsorted(way, min(way[first] + MAX_LENGTH, way[-1]), side="right"))
    return slice(first, max(last, first + 2))


def _extent(recording: Recording, view: View, shown: slice, beats: Sequence[Beat]) -> tuple[np.ndarray, np.ndarray]:
    points = [view(recording.ego["x"][shown], recording.ego["y"][shown])]
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    start = trigger_tick(recording)
    for i, card in enumerate(recording.actors):
        if card.role != "scenario":
            continue
        rows = recording.rows_of(i)
        keep = (rows["tick"] >= start) & (rows["tick"] <= recording.num_ticks)
        spots = view(rows["x"][keep], rows["y"][keep])
        near = np.abs(spots - np.clip(spots, low, high)).max(axis=1) < 30.0 if len(spots) else np.zeros(0, bool)
        points.append(spots[near])
    cloud = np.concatenate(points)
    margin = np.array([8.0, 11.0])
    return cloud.min(axis=0) - margin, cloud.max(axis=0) + margin


def _fit(axes: Any, low: np.ndarray, high: np.ndarray, aspect: float) -> None:
    size, centre = high - low, (low + high) / 2
    size = np.array([max(size[0], size[1] * aspect), max(size[1], size[0] / aspect)])
    axes.set_xlim(centre[0] - size[0] / 2, centre[0] + size[0] / 2)
    axes.set_ylim(centre[1] - size[1] / 2, centre[1] + size[1] / 2)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c9ccd0")
        spine.set_linewidth(0.8)


def _metre(axes: Any) -> float:
    """Points of line width that one metre takes."""
    left, right = axes.get_xlim()
    return float(axes.get_position().width * axes.figure.get_figwidth() * 72 / (right - left))


def _inside(axes: Any, points: np.ndarray, margin: float = 0.0) -> bool:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(
        high[0] > left - margin and low[0] < right + margin and high[1] > bottom - margin and low[1] < top + margin
    )


def _draw_road(axes: Any, view: View, strips: Sequence[dict[str, Any]]) -> None:
    solid: dict[str, list[np.ndarray]] = {}
    junctions: list[np.ndarray] = []
    others: list[np.ndarray] = []
    for strip in strips:
        color = LANES.get(strip["type"])
        left, right = view(*strip["left"].T), view(*strip["right"].T)
        outline = np.concatenate([left, right[::-1]])
        if color is None or not _inside(axes, outline):
            continue
        axes.add_collection(PolyCollection([outline], facecolors=color, edgecolors=color, linewidths=0.5, zorder=1))
        if strip["in_junction"]:
            (junctions if strip["type"] == "driving" else others).append(outline)
            continue
        others.append(outline)
        for side, line in (("left", left), ("right", right)):
            mark = strip[f"{side}_mark"]
            if mark is None or str(mark.type) in ("NONE", "Curb", "Other"):
                continue
            ink = MARKS.get(str(mark.color), "#ffffff")
            if str(mark.type).startswith("Broken"):
                pitch = max(round(3.0 / max(np.hypot(*(line[1] - line[0])), 0.1)), 1)
                dashes = [line[i : i + pitch + 1] for i in range(0, len(line) - 1, 3 * pitch)]
                axes.add_collection(LineCollection(dashes, colors=ink, linewidths=0.9, zorder=2))
            else:
                solid.setdefault(ink, []).append(line)
    for outline in _closed(junctions, others, axes):
        axes.add_patch(Polygon(outline, facecolor=LANES["driving"], edgecolor="none", zorder=0.9))
    for ink, lines in solid.items():
        axes.add_collection(LineCollection(lines, colors=ink, linewidths=1.0, zorder=2))


def _closed(junctions: Sequence[np.ndarray], others: Sequence[np.ndarray], axes: Any) -> list[np.ndarray]:
    """What is asphalt in junctions: their lanes, and the gaps between these and the lanes of other kinds."""
    import cv2

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    margin = 2 * JUNCTION_GAP
    low = np.array([left - margin, bottom - margin])
    size = ((np.array([right + margin, top + margin]) - low) / CELL).astype(int)

    def filled(outlines: Sequence[np.ndarray]) -> np.ndarray:
        mask = np.zeros((size[1], size[0]), np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [np.round((outline - low) / CELL).astype(np.int32)], 1)
        return mask

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(JUNCTION_GAP / CELL / 2) + 1,) * 2)
    inside = filled(junctions)
    closed = cv2.morphologyEx(inside | filled(others), cv2.MORPH_CLOSE, disc)
    mask = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, disc) | (closed & cv2.dilate(inside, disc))
    mask = cv2.medianBlur(mask, 2 * round(1.0 / CELL) + 1)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0] * CELL + low for contour in found if len(contour) > 2]


def _draw_crosswalks(axes: Any, view: View, network: RoadNetwork) -> None:
    net = network.arrays
    for a, b in zip(net.crosswalk_first[:-1], net.crosswalk_first[1:]):
        outline = view(net.crosswalk_x[a:b], net.crosswalk_y[a:b])
        if len(outline) > 2 and _inside(axes, outline):
            axes.add_patch(Polygon(outline, facecolor="#f6f6f4", edgecolor="none", hatch="", zorder=2.1))


def _draw_stop_points(axes: Any, view: View, recording: Recording, network: RoadNetwork, tick: int) -> None:
    """A bar across each lane before a traffic light, in its colour at the key moment."""
    net = network.arrays
    for light, state in recording.light_states(tick).items():
        for k in range(net.light_stop_first[light], net.light_stop_first[light + 1]):
            yaw, half = float(net.light_stop_yaw[k]), float(net.light_stop_width[k]) / 2
            box = view.box(float(net.light_stop_x[k]), float(net.light_stop_y[k]), yaw, 0.55, half * 0.9)
            if _inside(axes, box):
                axes.add_patch(Polygon(box, facecolor=LIGHT_COLORS[LightState(state)], edgecolor="none", zorder=3))


def _key_tick(recording: Recording, beats: Sequence[Beat]) -> int:
    """The moment at which traffic is drawn: the first step after the trigger, or the trigger."""
    after = [beat.tick for beat in beats if beat.tick > trigger_tick(recording)]
    return after[0] if after else trigger_tick(recording)


def _draw_others(axes: Any, view: View, recording: Recording, beats: Sequence[Beat], shown: slice, key: int) -> None:
    labels: list[tuple[np.ndarray, str, str]] = []
    boxes: list[np.ndarray] = []
    named: set[str] = set()
    start, end = trigger_tick(recording), shown.stop
    for i, card in enumerate(recording.actors):
        rows = recording.rows_of(i)
        color = ROLE_COLORS.get(card.role, "#9aa1aa")
        blueprint = BLUEPRINT_OF[card.blueprint]
        staged = card.role == "scenario"
        line = view(rows["x"], rows["y"])
        during = (rows["tick"] >= start) & (rows["tick"] <= end)
        track = line[during]
        if len(track) > 1 and np.ptp(track, axis=0).max() > MOVED and card.role != "ambient":
            axes.plot(*track.T, color=color, linewidth=1.2 if staged else 0.7, alpha=0.75 if staged else 0.3, zorder=4)
        moves = len(track) > 1 and float(np.ptp(track, axis=0).max()) > MOVED
        ticks = [(number, beat.tick) for number, beat in enumerate(beats, 1)] if staged else [(0, key)]
        if staged and not moves:
            ticks = [(0, int(rows["tick"][np.argmax(during)]))]
        last: np.ndarray | None = None
        for number, tick in ticks:
            k = int(np.argmin(np.abs(rows["tick"] - tick)))
            if abs(int(rows["tick"][k]) - tick) > 2 * 4:
                continue
            spot = line[k]
            if last is not None and np.hypot(*(spot - last)) < MOVED:
                continue
            half = (blueprint.half_length, blueprint.half_width)
            if blueprint.kind == Kind.PROP:
                half = (max(half[0], MIN_PROP), max(half[1], MIN_PROP))
            box = view.box(rows["x"][k], rows["y"][k], rows["yaw"][k], *half)
            if not _inside(axes, box):
                continue
            last = spot
            solid = not (staged and moves) or abs(tick - key) <= 1
            _draw_actor(axes, box, spot, blueprint.kind, color, faded=not solid, above=staged)
            if staged or card.role == "flow":
                boxes.append(box)
            door = int(rows["door"][during].max(initial=0))
            if door:
                _draw_door(axes, box, door - 1, color)
            alone = all(np.hypot(*(spot - at)) > 4.0 for at, text, _ in labels if text == str(number))
            if number and moves and alone:
                labels.append((spot, str(number), color))
        name = card.member if card.role in ("scenario", "flow") else ""
        stem = name.rstrip("0123456789 ")
        if stem and last is not None and stem not in named:
            named.add(stem)
            text = f"flow '{name}'" if card.role == "flow" else stem
            labels.append((last, text, color))
    _place_labels(axes, labels, view, recording, shown, beats, boxes)


def _draw_actor(
    axes: Any, box: np.ndarray, spot: np.ndarray, kind: int, color: str, *, faded: bool, above: bool
) -> None:
    look = {"facecolor": color, "edgecolor": color if faded else "white", "linewidth": 0.7}
    alpha = 0.35 if faded else (1.0 if above else 0.9)
    order = 7 if above else 5
    if kind in (Kind.WALKER, Kind.BICYCLE):
        axes.plot(*spot, marker="o", markersize=5.5, color=color, markeredgecolor="white", markeredgewidth=0.7,
                  alpha=0.55 if faded else 1.0, zorder=order + 0.5, linestyle="none")  # fmt: skip
    else:
        axes.add_patch(Polygon(box, zorder=order, alpha=alpha, **look))
        if kind == Kind.VEHICLE:
            front = (box[0] + box[1]) / 2
            glass = front + (spot - front) * 0.45
            aside = (box[0] - box[1]) * 0.36
            axes.plot(
                *np.stack([glass - aside, glass + aside]).T,
                color="white",
                linewidth=1.1,
                alpha=0.85,
                zorder=order + 0.1,
            )


def _draw_door(axes: Any, box: np.ndarray, door: int, color: str) -> None:
    """An open door: CARLA counts front left, front right, rear left, rear right; `box` begins at the front right."""
    right_front, left_front = box[0], box[1]
    along = (box[2] - left_front) * (0.42 if door < 2 else 0.68)
    aside = (left_front - right_front) * (1.0 if door % 2 == 0 else -1.0)
    hinge = (left_front if door % 2 == 0 else right_front) + along * 0.7
    line = np.stack([hinge, hinge + aside * 0.45 + along * 0.3])
    axes.plot(*line.T, color="white", linewidth=4.2, zorder=7.1, solid_capstyle="round")
    axes.plot(*line.T, color=color, linewidth=2.6, zorder=7.2, solid_capstyle="round")


def _place_labels(
    axes: Any,
    labels: Sequence[tuple[np.ndarray, str, str]],
    view: View,
    recording: Recording,
    shown: slice,
    beats: Sequence[Beat],
    boxes: Sequence[np.ndarray],
) -> None:
    """Write names beside their actors, away from the ego's way, where they cover no other name and no ego."""
    metre = _metre(axes)
    ego = view(recording.ego["x"], recording.ego["y"])
    way = ego[shown]
    egos = [ego[beat.tick] for beat in beats]
    taken = [(spot[0] - 2.6, spot[1] - 2.0, spot[0] + 2.6, spot[1] + 2.0) for spot in egos]
    stars = [_star(view, scenario) for scenario in recording.scenarios]
    taken += [(x - 1.5, y - 1.5, x + 1.5, y + 1.5) for x, y in stars]
    taken += [(*(box.min(axis=0)), *(box.max(axis=0))) for box in boxes]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for spot, text, color in sorted(labels, key=lambda label: -len(label[1])):
        half = (0.5 * len(text) * 4.4 + 1.5) / metre
        tall = 4.6 / metre
        best: tuple[float, np.ndarray] | None = None
        for reach in (1.9, 3.0, 4.5, 6.5, 9.0, 12.0):
            for angle in np.radians((90, 270, 60, 120, 240, 300, 0, 180, 30, 150, 210, 330)):
                aim = np.array([math.cos(angle), math.sin(angle)])
                at = spot + aim * (np.array([half, tall]) * np.abs(aim) + reach)
                box = (at[0] - half, at[1] - tall, at[0] + half, at[1] + tall)
                inside = box[0] > left and box[2] < right and box[1] > bottom and box[3] < top
                if not inside or any(_overlap(box, other) for other in taken):
                    continue
                on_way = bool((np.abs(way - at) < np.array([half, tall]) + 1.2).all(axis=1).any())
                cost = reach + 5.0 * on_way + 0.6 * abs(aim[0])
                if best is None or cost < best[0]:
                    best = (cost, at)
        if best is None:
            continue
        at = best[1]
        taken.append((at[0] - half, at[1] - tall, at[0] + half, at[1] + tall))
        end = np.clip(spot, [at[0] - half, at[1] - tall], [at[0] + half, at[1] + tall])
        if np.hypot(*(end - spot)) > 3.4:
            axes.plot(*np.stack([spot, end]).T, color=color, linewidth=0.6, alpha=0.7, zorder=8)
        written = axes.text(
            *at, text, color=color, size=7.2, ha="center", va="center_baseline", zorder=11, weight="bold"
        )
        written.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground=PAPER)])


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_ego(axes: Any, view: View, recording: Recording, beats: Sequence[Beat], shown: slice) -> LineCollection:
    ego = recording.ego
    route = view(recording.path["x"], recording.path["y"])
    axes.plot(*route.T, color=INK, linewidth=0.8, linestyle=(0, (2, 2.5)), alpha=0.45, zorder=5.5)
    way = view(ego["x"], ego["y"])[shown]
    axes.plot(*way.T, color="white", linewidth=4.4, zorder=6, solid_capstyle="round")
    pieces = np.stack([way[:-1], way[1:]], axis=1)
    paint = LineCollection(pieces, cmap=SPEED_MAP, linewidths=2.9, zorder=6.1, capstyle="round")
    speed = np.maximum(ego["speed"][shown][:-1], 0.0) * 3.6
    paint.set_array(speed)
    paint.set_clim(0.0, max(math.ceil(float(ego["speed"].max()) * 3.6 / 10) * 10, 10))
    axes.add_collection(paint)
    blueprint = BLUEPRINTS[EGO_BLUEPRINT]
    numbers: list[tuple[np.ndarray, str]] = []
    for number, beat in enumerate(beats, 1):
        if not shown.start <= beat.tick < shown.stop:
            continue
        pose = (float(ego[name][beat.tick]) for name in ("x", "y", "yaw"))
        box = view.box(*pose, blueprint.half_length, blueprint.half_width)
        spot = view(ego["x"][beat.tick], ego["y"][beat.tick])
        same = next((i for i, (other, _) in enumerate(numbers) if np.hypot(*(other - spot)) < 3.0), None)
        if same is not None:
            numbers[same] = (numbers[same][0], f"{numbers[same][1]},{number}")
            continue
        numbers.append((spot, str(number)))
        axes.add_patch(Polygon(box, facecolor=EGO_COLOR, edgecolor="white", linewidth=0.8, zorder=8))
    for spot, text in numbers:
        axes.text(*spot, text, size=7, color="white", weight="bold", ha="center", va="center_baseline", zorder=12)
    return paint


def _star(view: View, scenario: ScenarioCard) -> np.ndarray:
    """Where the star of a trigger stands: left of its lane."""
    yaw = math.radians(scenario.yaw)
    return view(scenario.x + STAR_METRES * math.sin(yaw), scenario.y - STAR_METRES * math.cos(yaw))


def _draw_trigger(axes: Any, view: View, recording: Recording) -> None:
    """A line across the lane at the trigger point, and a star at its left end."""
    for scenario in recording.scenarios:
        yaw = math.radians(scenario.yaw)
        right = np.array([-math.sin(yaw), math.cos(yaw)])
        ends = np.array([scenario.x, scenario.y]) + right * np.array([[-STAR_METRES], [2.2]])
        line = view(ends[:, 0], ends[:, 1])
        if _inside(axes, line):
            axes.plot(*line.T, color=STAR, linewidth=1.4, zorder=5.8)
            look = {"color": STAR, "markeredgecolor": INK, "markeredgewidth": 0.7, "linestyle": "none"}
            axes.plot(*_star(view, scenario), marker="*", markersize=11, zorder=9, **look)


def _draw_scale(axes: Any) -> None:
    (left, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    length = 20.0 if right - left > 70 else 10.0
    x, y = right - (right - left) * 0.015 - length, bottom + 9 / _metre(axes)
    axes.plot([x, x + length], [y, y], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=20)
    label = axes.text(
        x + length / 2,
        y + 3.5 / _metre(axes),
        f"{length:.0f} m",
        size=7.2,
        color=INK,
        ha="center",
        va="bottom",
        zorder=20,
    )
    label.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground=PAPER)])


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
