"""Draw a top view of any OpenDRIVE town: lanes by type, marks, signals, crosswalks, as CARLA's parser understands them.

    python benchmarks/draw_town.py simulator/roads/towns/MiniTown.xodr --out minitown.png
    python benchmarks/draw_town.py TOWN.xodr --out detail.png --center 0 -90 --size 120

North is up; coordinates are CARLA's (x right, y down). Lanes of higher roads are drawn over lower ones.
"""

from __future__ import annotations

import argparse
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import carla
import cv2
import numpy as np

# BGR
BACKGROUND = (214, 232, 222)
LANE_COLORS = {
    "driving": (112, 108, 106),
    "parking": (168, 146, 120),
    "biking": (92, 92, 178),
    "shoulder": (150, 150, 150),
    "sidewalk": (196, 202, 206),
    "median": (150, 190, 160),
}
JUNCTION_DRIVING = (128, 122, 118)
MARK_COLORS = {"White": (250, 250, 250), "Yellow": (40, 190, 245), "Standard": (250, 250, 250)}
SIGNAL_COLORS = {"1000001": (40, 40, 230), "206": (30, 30, 150), "205": (0, 140, 255), "274": (200, 60, 160)}


def lane_strips(town: carla.Map, xodr: str, step: float) -> list[dict[str, Any]]:
    """One record per lane of each section: centre points, half widths, type, left and right marks, mean height."""
    strips = []
    for road in ElementTree.fromstring(xodr).iter("road"):
        road_id, length = int(road.get("id", "0")), float(road.get("length", "0"))
        sections = road.findall("lanes/laneSection")
        starts = [float(section.get("s", "0")) for section in sections] + [length]
        for section, start, end in zip(sections, starts, starts[1:]):
            stations = np.linspace(start + 0.01, end - 0.01, max(2, math.ceil((end - start) / step) + 1))
            for lane in section.iter("lane"):
                if lane.get("id") == "0":
                    continue
                waypoints = [town.get_waypoint_xodr(road_id, int(lane.get("id", "0")), float(s)) for s in stations]
                waypoints = [w for w in waypoints if w is not None]
                if len(waypoints) > 1:
                    strips.append(_strip(waypoints, lane.get("type", "none"), road.get("junction") != "-1"))
    # sidewalks and the like below, then by height, so that bridges lie over what passes under them
    strips.sort(key=lambda strip: (round(strip["z"] / 3), strip["in_junction"] and strip["type"] == "driving"))
    return strips


def _strip(waypoints: list[carla.Waypoint], lane_type: str, in_junction: bool) -> dict[str, Any]:
    poses = [w.transform for w in waypoints]
    center = np.array([(p.location.x, p.location.y) for p in poses])
    yaw = np.radians([p.rotation.yaw for p in poses])
    half = np.array([w.lane_width for w in waypoints])[:, None] / 2
    right = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1) * half
    middle = waypoints[len(waypoints) // 2]
    return {
        "type": lane_type,
        "in_junction": in_junction,
        "z": float(np.mean([p.location.z for p in poses])),
        "left": center - right,
        "right": center + right,
        "left_mark": middle.left_lane_marking,
        "right_mark": middle.right_lane_marking,
    }


def draw(xodr: str, name: str, center: tuple[float, float] | None, size: float | None, width: int) -> np.ndarray:
    """uint8[H, W, 3] BGR picture, `width` pixels wide, of the whole town or of `size` metres around `center`."""
    town = carla.Map(name, xodr)
    strips = lane_strips(town, xodr, 2.0)
    points = np.concatenate([strip["left"] for strip in strips])
    low, high = points.min(axis=0) - 12, points.max(axis=0) + 12
    if center is not None and size is not None:
        low, high = np.array(center) - size / 2, np.array(center) + size / 2
    scale = width / (high[0] - low[0])
    image = np.full((round((high[1] - low[1]) * scale), width, 3), BACKGROUND, np.uint8)

    def pixels(xy: np.ndarray) -> np.ndarray:
        return np.round((xy - low) * scale * 16).astype(np.int32)

    for strip in strips:
        color = LANE_COLORS.get(strip["type"])
        if color is None:
            continue
        if strip["in_junction"] and strip["type"] == "driving":
            color = JUNCTION_DRIVING
        outline = np.concatenate([strip["left"], strip["right"][::-1]])
        cv2.fillPoly(image, [pixels(outline)], color, cv2.LINE_AA, 4)
        _draw_marks(image, strip, pixels, scale)
    _draw_crosswalks(image, town, pixels)
    _draw_signals(image, town, pixels, scale)
    return image


def _draw_marks(image: np.ndarray, strip: dict[str, Any], pixels: Any, scale: float) -> None:
    if scale < 1.2:  # finer than the pixels
        return
    for side in ("left", "right"):
        mark = strip[f"{side}_mark"]
        if mark is None or str(mark.type) in ("NONE", "Curb", "Other"):
            continue
        line, color = pixels(strip[side]), MARK_COLORS.get(str(mark.color), (250, 250, 250))
        if str(mark.type).startswith("Broken"):
            for i in range(0, len(line) - 1, 3):
                cv2.polylines(image, [line[i : i + 2]], False, color, 1, cv2.LINE_AA, 4)
        else:
            cv2.polylines(image, [line], False, color, 1, cv2.LINE_AA, 4)


def _draw_crosswalks(image: np.ndarray, town: carla.Map, pixels: Any) -> None:
    corners: list[tuple[float, float]] = []
    for location in town.get_crosswalks():
        point = (location.x, location.y)
        if len(corners) > 2 and math.dist(point, corners[0]) < 1e-3:
            cv2.fillPoly(image, [pixels(np.array(corners))], (255, 255, 255), cv2.LINE_AA, 4)
            corners = []
        else:
            corners.append(point)


def _draw_signals(image: np.ndarray, town: carla.Map, pixels: Any, scale: float) -> None:
    for landmark in town.get_all_landmarks():
        color = SIGNAL_COLORS.get(landmark.type)
        location = landmark.transform.location
        if color is not None:
            spot = pixels(np.array([[location.x, location.y]]))[0]
            cv2.circle(image, (int(spot[0]), int(spot[1])), int(max(2.5, 0.8 * scale) * 16), color, -1, cv2.LINE_AA, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("xodr", type=Path, help="the town's OpenDRIVE file")
    parser.add_argument("--out", type=Path, required=True, help="picture to write (.png)")
    parser.add_argument(
        "--center", type=float, nargs=2, metavar=("X", "Y"), help="CARLA metres; the whole town without it"
    )
    parser.add_argument("--size", type=float, default=150.0, help="metres across, with --center")
    parser.add_argument("--width", type=int, default=1600, help="pixels")
    arguments = parser.parse_args()
    center = tuple(arguments.center) if arguments.center else None
    text = arguments.xodr.read_text(encoding="utf-8")
    image = draw(text, arguments.xodr.stem, center, arguments.size if center else None, arguments.width)
    cv2.imwrite(str(arguments.out), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {arguments.out} ({image.shape[1]} x {image.shape[0]})")


if __name__ == "__main__":
    main()
