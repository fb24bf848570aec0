"""The map of a recording's figure: the road from above, the ego's way, and who was where at the decisive moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.story_beats import BLUEPRINT_OF, MOVED, Beat, trigger_tick
from leaderboard_adapters.recordings import Recording, ScenarioCard
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Kind
from simulator.roads.network import RoadNetwork
from simulator.state import LightState

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import patheffects
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.patches import Polygon
except ImportError as error:  # pragma: no cover
    raise SystemExit("pictures need matplotlib: pip install 'routegym[view]'") from error

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

JUNCTION_GAP = 7.0  # m between lanes of a junction that are asphalt as well
CELL = 0.15  # m
STAR_METRES = 3.4  # left of the lane centre
MIN_PROP = 0.45  # m, half size that small props are drawn with
MAX_LENGTH = 170.0  # m of the ego's way that are shown


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


def shown_ticks(recording: Recording) -> slice:
    """The part of the drive that the map shows: from before the trigger to after the scenario."""
    ego = recording.ego
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(ego["x"]), np.diff(ego["y"])))])
    at = way[trigger_tick(recording)]
    first = int(np.searchsorted(way, max(at - 30.0, 0.0)))
    last = int(np.searchsorted(way, min(way[first] + MAX_LENGTH, way[-1]), side="right"))
    return slice(first, max(last, first + 2))


def extent(recording: Recording, view: View, shown: slice, beats: Sequence[Beat]) -> tuple[np.ndarray, np.ndarray]:
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


def fit(axes: Any, low: np.ndarray, high: np.ndarray, aspect: float) -> None:
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


def key_tick(recording: Recording, beats: Sequence[Beat]) -> int:
    """The moment at which traffic is drawn: the first step after the trigger, or the trigger."""
    after = [beat.tick for beat in beats if beat.tick > trigger_tick(recording)]
    return after[0] if after else trigger_tick(recording)


def draw_road(axes: Any, view: View, strips: Sequence[dict[str, Any]]) -> None:
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


def draw_crosswalks(axes: Any, view: View, network: RoadNetwork) -> None:
    net = network.arrays
    for a, b in zip(net.crosswalk_first[:-1], net.crosswalk_first[1:]):
        outline = view(net.crosswalk_x[a:b], net.crosswalk_y[a:b])
        if len(outline) > 2 and _inside(axes, outline):
            axes.add_patch(Polygon(outline, facecolor="#f6f6f4", edgecolor="none", hatch="", zorder=2.1))


def draw_stop_points(axes: Any, view: View, recording: Recording, network: RoadNetwork, tick: int) -> None:
    """A bar across each lane before a traffic light, in its colour at the key moment."""
    net = network.arrays
    for light, state in recording.light_states(tick).items():
        for k in range(net.light_stop_first[light], net.light_stop_first[light + 1]):
            yaw, half = float(net.light_stop_yaw[k]), float(net.light_stop_width[k]) / 2
            box = view.box(float(net.light_stop_x[k]), float(net.light_stop_y[k]), yaw, 0.55, half * 0.9)
            if _inside(axes, box):
                axes.add_patch(Polygon(box, facecolor=LIGHT_COLORS[LightState(state)], edgecolor="none", zorder=3))


def draw_others(axes: Any, view: View, recording: Recording, beats: Sequence[Beat], shown: slice, key: int) -> None:
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


def draw_ego(axes: Any, view: View, recording: Recording, beats: Sequence[Beat], shown: slice) -> LineCollection:
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


def draw_trigger(axes: Any, view: View, recording: Recording) -> None:
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


def draw_scale(axes: Any) -> None:
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
