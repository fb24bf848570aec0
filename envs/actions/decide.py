"""From decisions to lines: trajectories, paths, offsets from the route, and meta-actions on the lane graph."""

from __future__ import annotations

import math

import numpy as np

from envs.actions.tracking import lay_line, pace_by_times
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.roads.queries import lane_pose
from simulator.state import EGO, MAX_PLAN
from simulator.tracking import path_point

_DRIVING = int(LaneType.DRIVING)
_STEP = 2.0  # m between points that are laid along lanes
_POINTS = 40
#: Speed words of a meta-action, and what they mean for the speed of the next two seconds.
ACCELERATE, DECELERATE, MAINTAIN, STOP = range(4)
#: Path words.
KEEP, TURN_LEFT, TURN_RIGHT, CHANGE_LEFT, CHANGE_RIGHT = range(5)
_GAIN, _LOSS = 4.0, 4.0  # m/s that accelerating or decelerating is worth
_CHANGE_SECONDS, _CHANGE_METRES = 2.5, 12.0  # a lane change takes so long, and is at least so long


@kernel
def to_world(w, ahead, right):  # type: ignore[no-untyped-def]
    """World coordinates of a place in the ego's frame, metres."""
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    return w.x[EGO] + ahead * c - right * s, w.y[EGO] + ahead * s + right * c


@kernel
def decide_trajectories(worlds, tracks, actions, interval, points):  # type: ignore[no-untyped-def]
    """Waypoints of the ego's frame, float64[B, K, 2], to be reached every `interval` seconds from now on."""
    for b in range(worlds.shape[0]):
        w, t = worlds[b], tracks[b]
        count = actions.shape[1]
        for k in range(count):
            points[k, 0], points[k, 1] = to_world(w, actions[b, k, 0], actions[b, k, 1])
        lay_line(t, w, points, count, True)
        pace_by_times(t, w.speed[EGO], count, interval)


@kernel
def decide_paths(worlds, tracks, actions, points):  # type: ignore[no-untyped-def]
    """A target speed (m/s) and points of the ego's frame, float64[B, 1 + 2 K]."""
    for b in range(worlds.shape[0]):
        w, t = worlds[b], tracks[b]
        count = (actions.shape[1] - 1) // 2
        for k in range(count):
            points[k, 0], points[k, 1] = to_world(w, actions[b, 1 + 2 * k], actions[b, 2 + 2 * k])
        lay_line(t, w, points, count, False)
        t.timed = 0
        t.target_speed = max(actions[b, 0], 0.0)


@kernel
def decide_on_route(worlds, tracks, actions, routes, points):  # type: ignore[no-untyped-def]
    """A target speed (m/s) and an offset from the route's path (m, right positive), float64[B, 2]."""
    for b in range(worlds.shape[0]):
        w, t = worlds[b], tracks[b]
        blend = max(1.5 * w.speed[EGO], 8.0)
        for k in range(_POINTS // 2):
            ahead = (k + 1) * _STEP
            x, y, yaw, curvature = path_point(routes, w.route, w.path_s + ahead)
            share = min(ahead / blend, 1.0)
            share = share * share * (3.0 - 2.0 * share)
            offset = (1.0 - share) * w.path_offset + share * actions[b, 1]
            points[k, 0] = x - offset * math.sin(yaw)
            points[k, 1] = y + offset * math.cos(yaw)
        lay_line(t, w, points, _POINTS // 2, False)
        t.timed = 0
        t.target_speed = max(actions[b, 0], 0.0)


@kernel
def choose_lane(w, net, lane, turn):  # type: ignore[no-untyped-def]
    """The lane that follows `lane`: the one that turns as wanted (-1, +1), else the route's, else the straightest."""
    first, last = net.succ_first[lane], net.succ_first[lane + 1]
    if first == last:
        return -1
    best = -1
    straightest = 1e9
    for k in range(first, last):
        following = net.succ_lane[k]
        if turn != 0 and net.lane_turn[following] == turn:
            return following
        bend = abs(net.point_yaw[net.lane_first[following + 1] - 1] - net.point_yaw[net.lane_first[following]])
        if bend < straightest:
            straightest = bend
            best = following
    if turn == 0:
        for k in range(first, last):
            for p in range(MAX_PLAN):
                if w.plan[EGO, p] == net.succ_lane[k]:
                    return net.succ_lane[k]
    return best


@kernel
def decide_meta(worlds, tracks, actions, net, points):  # type: ignore[no-untyped-def]
    """Meta-actions, int64[B]: speed word times 5 plus path word."""
    for b in range(worlds.shape[0]):
        w, t = worlds[b], tracks[b]
        speed_word, path_word = actions[b] // 5, actions[b] % 5
        speed = max(w.speed[EGO], 0.0)
        lane, s, offset = w.lane[EGO], w.lane_s[EGO], w.lane_offset[EGO]
        if lane >= 0 and path_word in (CHANGE_LEFT, CHANGE_RIGHT):
            beside = net.lane_left[lane] if path_word == CHANGE_LEFT else net.lane_right[lane]
            if beside >= 0 and net.lane_type[beside] == _DRIVING:
                s = s / net.lane_length[lane] * net.lane_length[beside]
                lane = beside
                x, y, _, yaw = lane_pose(net, lane, s)
                offset = -(w.x[EGO] - x) * math.sin(yaw) + (w.y[EGO] - y) * math.cos(yaw)
        turn = -1 if path_word == TURN_LEFT else (1 if path_word == TURN_RIGHT else 0)
        blend = max(_CHANGE_SECONDS * speed, _CHANGE_METRES) if abs(offset) > 1.2 else max(speed, 6.0)
        count = 0
        if lane >= 0:
            for k in range(_POINTS):
                s += _STEP
                while s > net.lane_length[lane]:
                    following = choose_lane(w, net, lane, turn)
                    if following < 0:
                        break
                    s -= net.lane_length[lane]
                    lane = following
                if s > net.lane_length[lane]:
                    break
                x, y, _, yaw = lane_pose(net, lane, s)
                share = min((k + 1) * _STEP / blend, 1.0)
                left = offset * (1.0 - share * share * (3.0 - 2.0 * share))
                points[k, 0] = x - left * math.sin(yaw)
                points[k, 1] = y + left * math.cos(yaw)
                count = k + 1
        if count == 0:
            points[0, 0], points[0, 1] = to_world(w, 5.0, 0.0)
            count = 1
        lay_line(t, w, points, count, False)
        t.timed = 0
        limit = net.lane_speed_limit[w.lane[EGO]] if w.lane[EGO] >= 0 else 8.0
        if speed_word == ACCELERATE:
            t.target_speed = min(speed + _GAIN, max(limit, speed))
        elif speed_word == DECELERATE:
            t.target_speed = max(speed - _LOSS, 0.0)
        elif speed_word == MAINTAIN:
            t.target_speed = speed
        else:
            t.target_speed = 0.0


def scratch_points(count: int = 0) -> np.ndarray:
    """float64[N, 2] for the kernels above."""
    return np.zeros((max(count, _POINTS), 2))
