"""What of a town CARLA has actors for, and where it lets vehicles begin: lights, signs, spawn points."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.carla_server.encoding import Transform
from simulator.carla_server.signs import town_signs
from simulator.roads.network import LaneType, RoadArrays, RoadNetwork
from simulator.roads.queries import lane_pitch, lane_pose, lane_width

SPAWN_HEIGHT = 0.5  # m above the road, as CARLA's spawn points
_SPAWN_PITCH = 25.0  # m between spawn points of a lane
_SPAWN_MARGIN = 6.0  # m from a lane's ends
_SPAWN_CLEAR = 7.0  # m between any two
_MAX_SPAWN_POINTS = 400
_NARROWEST = 2.5  # m; nothing begins on narrower lanes
_BOX_HEIGHT = 1.5  # m, half, of trigger volumes


class TownActor(NamedTuple):
    """An actor that belongs to the town."""

    type_id: str
    pose: Transform
    sign: str  # OpenDRIVE signal id
    box: tuple[tuple[float, float, float], tuple[float, float, float]]  # trigger volume: centre, half sizes, own axes


def traffic_lights(network: RoadNetwork) -> list[TownActor]:
    """One for each light of the town, in its order."""
    a = network.arrays
    found = []
    for k, sign in enumerate(network.light_ids):
        place = (float(a.light_x[k]), float(a.light_y[k]), float(a.light_z[k]))
        yaw = float(a.light_yaw[k])
        centre = _local(place, yaw, float(a.light_box_x[k]), float(a.light_box_y[k]), float(a.light_box_z[k]))
        half = (float(a.light_box_extent_x[k]), float(a.light_box_extent_y[k]), _BOX_HEIGHT)
        found.append(TownActor("traffic.traffic_light", (*place, 0.0, math.degrees(yaw), 0.0), sign, (centre, half)))
    return found


def stop_signs(network: RoadNetwork) -> list[TownActor]:
    """One for each stop sign of the town; those that are only painted on the road have no OpenDRIVE id."""
    a = network.arrays
    found = []
    for k, sign in enumerate(network.stop_ids):
        lane = int(a.stop_lane[k])
        x, y, z, yaw = lane_pose(a, lane, float(a.lane_length[lane]))
        aside = 0.5 * lane_width(a, lane, float(a.lane_length[lane])) + 0.7
        place = (x - aside * math.sin(yaw), y + aside * math.cos(yaw), z)
        facing = yaw + math.pi / 2  # as the lights: the x axis runs across the lane
        centre = _local(place, facing, float(a.stop_x[k]), float(a.stop_y[k]), float(a.stop_z[k]))
        half = (float(a.stop_extent_x[k]), float(a.stop_extent_y[k]), _BOX_HEIGHT)
        name = "" if sign.startswith("stencil") else sign
        found.append(TownActor("traffic.stop", (*place, 0.0, math.degrees(facing), 0.0), name, (centre, half)))
    return found


def other_signs(network: RoadNetwork) -> list[TownActor]:
    """Yield and speed signs."""
    found = []
    for sign in town_signs(network):
        x, y, z, yaw = sign["pose"]
        box = (tuple(sign["centre"]), tuple(sign["half"]))
        found.append(TownActor(sign["type_id"], (x, y, z, 0.0, yaw, 0.0), sign["sign"], box))
    return found


def spawn_points(arrays: RoadArrays) -> list[Transform]:
    """Places on driving lanes outside junctions, half a metre above the road, as CARLA's maps have them."""
    found: list[Transform] = []
    cells: dict[tuple[int, int], list[Transform]] = {}
    for lane in np.flatnonzero((arrays.lane_type == LaneType.DRIVING) & (arrays.lane_junction < 0)):
        length = float(arrays.lane_length[lane])
        if length < 2.0 * _SPAWN_MARGIN:
            continue
        count = max(int((length - 2.0 * _SPAWN_MARGIN) / _SPAWN_PITCH), 0) + 1
        for s in np.linspace(_SPAWN_MARGIN, length - _SPAWN_MARGIN, count) if count > 1 else (0.5 * length,):
            if lane_width(arrays, int(lane), float(s)) < _NARROWEST:
                continue
            x, y, z, yaw = lane_pose(arrays, int(lane), float(s))
            pitch = lane_pitch(arrays, int(lane), float(s))
            pose = (x, y, z + SPAWN_HEIGHT, math.degrees(pitch), math.degrees(yaw), 0.0)
            if not _near(cells, pose):
                cells.setdefault(_cell(pose), []).append(pose)
                found.append(pose)
    if len(found) <= _MAX_SPAWN_POINTS:
        return found
    return [found[int(k)] for k in np.linspace(0, len(found) - 1, _MAX_SPAWN_POINTS)]


def _cell(pose: Transform) -> tuple[int, int]:
    return int(pose[0] // _SPAWN_CLEAR), int(pose[1] // _SPAWN_CLEAR)


def _near(cells: dict[tuple[int, int], list[Transform]], pose: Transform) -> bool:
    cx, cy = _cell(pose)
    around = (p for ix in (-1, 0, 1) for iy in (-1, 0, 1) for p in cells.get((cx + ix, cy + iy), ()))
    return any(math.hypot(p[0] - pose[0], p[1] - pose[1]) < _SPAWN_CLEAR and abs(p[2] - pose[2]) < 3.0 for p in around)


def _local(place: tuple[float, float, float], yaw: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A point of the world in the axes of an actor."""
    dx, dy = x - place[0], y - place[1]
    c, s = math.cos(yaw), math.sin(yaw)
    return dx * c + dy * s, -dx * s + dy * c, z - place[2]
