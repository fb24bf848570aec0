"""Yield and speed signs of a town, which its road arrays have no place for: where CARLA's parser puts their landmarks.

The parser runs in a child process (`simulator.roads.child`); what it finds is kept in the cache folder.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from simulator.roads.child import Payload, call_in_child
from simulator.roads.network import RoadNetwork

VERSION = 1
_YIELD, _SPEED = "205", "274"
_UNITS = {"mph": 1.609344, "m/s": 3.6}


def town_signs(network: RoadNetwork) -> list[dict[str, Any]]:
    """One dict a sign: `type_id`, `sign` (OpenDRIVE id), `pose` [x, y, z, yaw] (m, deg), and its box.

    The box has its `centre` and `half` sizes in the sign's own axes, m; it covers the lanes that the sign rules.
    """
    from simulator.kernel import cache_root

    path = cache_root() / "signs" / f"{network.digest[:32]}-v{VERSION}.json"
    try:
        kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    except (OSError, ValueError):
        pass
    asked = {"xodr": network.xodr}
    found: list[dict[str, Any]] = call_in_child(f"{__name__}:find_signs", asked, what=network.town)["signs"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_suffix(f".{os.getpid()}")
        work.write_text(json.dumps(found), encoding="utf-8")
        os.replace(work, path)
    except OSError:
        pass  # no place to keep it: it is at hand
    return found


def find_signs(payload: Payload) -> Payload:
    """The child's side: all yield and speed signs that CARLA's parser knows."""
    import carla

    town = carla.Map("town", payload["xodr"])
    signs: dict[str, dict[str, Any]] = {}
    for landmark in town.get_all_landmarks():
        if landmark.type not in (_YIELD, _SPEED) or landmark.id in signs:
            continue
        pose = landmark.transform
        yaw = math.radians(pose.rotation.yaw)
        corners = []
        for first, last in landmark.get_lane_validities():
            for lane in range(min(first, last), max(first, last) + 1):
                waypoint = town.get_waypoint_xodr(landmark.road_id, lane, landmark.s) if lane else None
                if waypoint is not None and waypoint.lane_type == carla.LaneType.Driving:
                    corners.append((waypoint.transform.location, 0.5 * waypoint.lane_width))
        signs[landmark.id] = {
            "type_id": "traffic.yield" if landmark.type == _YIELD else f"traffic.speed_limit.{_kmh(landmark)}",
            "sign": landmark.id,
            "pose": [pose.location.x, pose.location.y, pose.location.z, pose.rotation.yaw],
            **_box(pose.location, yaw, corners),
        }
    return {"signs": list(signs.values())}


def _kmh(landmark: Any) -> int:
    value = float(landmark.value) if float(landmark.value) > 0 else float(landmark.sub_type or 0)
    return round(value * _UNITS.get(landmark.unit, 1.0))


def _box(place: Any, yaw: float, lanes: list[tuple[Any, float]]) -> dict[str, list[float]]:
    """Around the middles of lanes: their widths across, 1.5 m to either side along."""
    if not lanes:
        return {"centre": [0.0, 0.0, 0.0], "half": [0.0, 0.0, 0.0]}
    c, s = math.cos(yaw), math.sin(yaw)
    along = [(p.x - place.x) * c + (p.y - place.y) * s for p, _ in lanes]
    across = [-(p.x - place.x) * s + (p.y - place.y) * c for p, _ in lanes]
    low = min(a - half for a, (_, half) in zip(across, lanes, strict=True))
    high = max(a + half for a, (_, half) in zip(across, lanes, strict=True))
    middle = sum(along) / len(along)
    height = sum(p.z - place.z for p, _ in lanes) / len(lanes)
    return {"centre": [middle, (low + high) / 2.0, height], "half": [1.5, (high - low) / 2.0, 1.5]}
