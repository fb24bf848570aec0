"""Would a driver who does not look get into the conflict? Checks on places that suites are laid on."""

from __future__ import annotations

import math

import numpy as np

from scenarios.geometry import Polyline, RouteGeometry
from scenarios.script import Script
from scenarios.vocabulary import Arriving, Follow
from simulator.roads.network import RoadArrays

# Plain drivers, as fast as limit and bends allow: how they speed up and slow down, and what they accept in bends, m/s2
_CALM, _USUAL, _BRISK = 2.0, 2.5, 3.0
_TICK = 0.05  # s
_HALF_EGO = 2.4  # m, half length of the ego
_HALF_OTHER = 2.6  # m, half length of the vehicle that it meets
_HALF_WIDTH = 1.1  # m of either
_RUN_UP = 9.0  # m from the start of a route to a trigger before a junction, at most
_OVERLAP = 0.15  # s that both are in the shared place
_SHARED = 1.5  # m between two ways that lead through the same place


def blind_driver_is_met(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """True when a driver of the route who ignores everybody, calm or brisk, is in the way of a scripted vehicle.

    The script must hold an `Arriving` that lets a member `Follow` a track across the ego's path.
    """
    words = [word for strand in script.strands for word in strand]
    arriving = next(word for word in words if isinstance(word, Arriving))
    follow = next(word for word in words if isinstance(word, Follow))
    ego_s, track_s, gap = _meeting(geometry, follow.track)
    if not isinstance(follow.speed, float) or gap > _SHARED:
        return False
    for pace in (_CALM, _USUAL, _BRISK):
        times, places = blind_drive(net, geometry, pace)
        x, y = (np.interp(places, _along(geometry), v) for v in (geometry.path_x, geometry.path_y))
        ego_speed = np.gradient(places, times)
        distance = np.hypot(x - arriving.place.x, y - arriving.place.y)
        starts = (distance < arriving.metres) | (distance < arriving.seconds * ego_speed)
        if not starts.any():
            return False
        set_off = float(times[int(np.argmax(starts))])
        reach = _HALF_EGO + _HALF_WIDTH
        ego = np.interp([ego_s - reach, ego_s + reach], places, times)
        reach = _HALF_OTHER + _HALF_WIDTH
        other = set_off + np.array([track_s - reach, track_s + reach]) / follow.speed
        if float(min(ego[1], other[1]) - max(ego[0], other[0])) < _OVERLAP:
            return False
    return True


def stream_is_there_first(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """True when the head of the script's stream has come to the ego's path before a driver who ignores it has.

    The stream sets out when the scenario triggers, at most `_RUN_UP` metres from the start of the route.
    """
    flow = script.flows[0]
    ego_s, track_s, _ = _meeting(geometry, flow.track)
    times, places = blind_drive(net, geometry, _USUAL)
    triggered, met = np.interp([_RUN_UP, ego_s - _HALF_EGO], places, times)
    return bool(triggered + track_s / flow.speed < met)


def stream_meets_ego(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """The stream comes from at least 20 m before the junction, and within 1 m of the ego's path."""
    flow = script.flows[0]
    count = int(geometry.path_end / geometry.path_step) + 1
    dx, dy = geometry.path_x[:count, None] - flow.track.x, geometry.path_y[:count, None] - flow.track.y
    return float(np.min(np.hypot(dx, dy))) < 1.0 and (not flow.initial or flow.junction_from > 20.0)


def stream_before_ego(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """`stream_meets_ego` and `stream_is_there_first`."""
    return stream_meets_ego(net, geometry, script) and stream_is_there_first(net, geometry, script)


def _along(geometry: RouteGeometry) -> np.ndarray:
    return np.arange(len(geometry.path_x)) * geometry.path_step


def blind_drive(net: RoadArrays, geometry: RouteGeometry, pace: float) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and metres along the path of a drive from standstill to the path's end; `pace` m/s2."""
    limit = np.where(geometry.path_lane >= 0, net.lane_speed_limit[np.maximum(geometry.path_lane, 0)], 8.0)
    bend = np.sqrt(pace / np.maximum(np.abs(geometry.path_curvature), 1e-6))
    allowed = np.minimum(limit, bend)
    for k in range(len(allowed) - 2, -1, -1):
        allowed[k] = min(allowed[k], math.sqrt(allowed[k + 1] ** 2 + 2.0 * pace * geometry.path_step))
    places, speed = [0.0], 0.0
    end = (len(allowed) - 1) * geometry.path_step
    while places[-1] < end:
        speed = min(speed + pace * _TICK, float(allowed[int(places[-1] / geometry.path_step)]))
        places.append(places[-1] + max(speed, 0.5) * _TICK)
    return np.arange(len(places)) * _TICK, np.array(places)


def _meeting(geometry: RouteGeometry, line: Polyline) -> tuple[float, float, float]:
    """Metres along the path and along the track where the two are nearest, up to the route's end; metres between."""
    count = int(geometry.path_end / geometry.path_step) + 1
    gaps = np.hypot(geometry.path_x[:count, None] - line.x, geometry.path_y[:count, None] - line.y)
    k, j = np.unravel_index(int(np.argmin(gaps)), gaps.shape)
    return float(k * geometry.path_step), float(j * line.step), float(gaps[k, j])
