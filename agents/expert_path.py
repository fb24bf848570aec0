"""The line that the expert drives: the route's path, shifted sideways by a smooth profile; and places seen from it.

A profile is a row of knots (s along the path, d right of it) joined by quintics that are flat at the knots, so that
curvature has no jumps. Path frame: s metres along the path, d metres right of it, turn rad against its heading.
"""

from __future__ import annotations

import math

from agents.expert_memory import COARSE, COARSE_STRIDE
from simulator.dynamics import REAR_AXLE
from simulator.kernel import kernel
from simulator.state import EGO

NUDGE_METRES = 12.0  # m within which the line reaches a nudge
STANDING = 0.5  # m/s, below which a new line may start where and as the ego stands
TIGHTEST_BEND = 0.26  # 1/m, near the steering's limit
_BEHIND = 40.0  # m of path behind the ego that is searched


@kernel
def profile_at(knot_s, knot_d, count, first_slope, first_bend, s):  # type: ignore[no-untyped-def]
    """Offset (m), slope and second derivative (1/m) of a profile at `s`."""
    if count == 0:
        return 0.0, 0.0, 0.0
    if s <= knot_s[0]:
        return knot_d[0], 0.0, 0.0
    for k in range(count - 1):
        if s < knot_s[k + 1]:
            length = knot_s[k + 1] - knot_s[k]
            t = (s - knot_s[k]) / length
            rise = knot_d[k + 1] - knot_d[k]
            m = first_slope * length if k == 0 else 0.0
            b = first_bend * length * length if k == 0 else 0.0
            t2 = t * t
            d = knot_d[k] + rise * t2 * t * (10.0 - 15.0 * t + 6.0 * t2)
            d += m * t * (1.0 - t2 * (6.0 - 8.0 * t + 3.0 * t2))
            d += 0.5 * b * t2 * (1.0 - t) * (1.0 - t) * (1.0 - t)
            slope = rise * 30.0 * t2 * (1.0 - 2.0 * t + t2) + m * (1.0 - 18.0 * t2 + 32.0 * t2 * t - 15.0 * t2 * t2)
            slope += b * t * (1.0 - t) * (1.0 - t) * (1.0 - 2.5 * t)
            second = rise * 60.0 * t * (1.0 - 3.0 * t + 2.0 * t2) + m * (-36.0 * t + 96.0 * t2 - 60.0 * t2 * t)
            second += b * (1.0 - t) * (1.0 - 8.0 * t + 10.0 * t2)
            return d, slope / length, second / (length * length)
    return knot_d[count - 1], 0.0, 0.0


@kernel
def profile_now(e, s):  # type: ignore[no-untyped-def]
    """Offset (m), slope and second derivative (1/m) of the profile in use at `s`."""
    return profile_at(e.knot_s, e.knot_d, e.num_knots, e.first_slope, e.first_bend, s)


@kernel
def trial_at(sheet, s):  # type: ignore[no-untyped-def]
    """As `profile_now`, for the profile on trial."""
    return profile_at(sheet.trial_s, sheet.trial_d, sheet.trial_count[0], sheet.trial_slope[0], sheet.trial_bend[0], s)


@kernel
def offset_at(e, s, here):  # type: ignore[no-untyped-def]
    """Offset (m), slope and second derivative of the line in use: profile, and the nudge that grows ahead of `here`."""
    d, slope, second = profile_now(e, s)
    share = min(max((s - here) / NUDGE_METRES, 0.0), 1.0)
    if share < 1.0:
        slope += (e.nudge_target - e.nudge) / NUDGE_METRES
    return d + e.nudge + (e.nudge_target - e.nudge) * share, slope, second


@kernel
def line_at(e, sheet, trial, s, here):  # type: ignore[no-untyped-def]
    """As `offset_at`, for the profile on trial where `trial` is set."""
    if trial:
        return trial_at(sheet, s)
    return offset_at(e, s, here)


@kernel
def glide_to(w, e, offset, length):  # type: ignore[no-untyped-def]
    """Make the profile lead from here to `offset` within `length` metres, and stay there."""
    now, slope, second = profile_now(e, w.path_s)
    e.knot_s[0] = w.path_s
    e.knot_d[0] = now
    e.knot_s[1] = w.path_s + length
    e.knot_d[1] = offset
    e.num_knots = 2
    e.first_slope = slope
    e.first_bend = second


@kernel
def take_trial(e, sheet):  # type: ignore[no-untyped-def]
    """The trial becomes the profile in use."""
    for k in range(sheet.trial_count[0]):
        e.knot_s[k] = sheet.trial_s[k]
        e.knot_d[k] = sheet.trial_d[k]
    e.num_knots = sheet.trial_count[0]
    e.first_slope = sheet.trial_slope[0]
    e.first_bend = sheet.trial_bend[0]


@kernel
def path_pose(routes, route, s):  # type: ignore[no-untyped-def]
    """Pose on the path at `s` metres: x, y, yaw, curvature. Straight on beyond its end, and before its start."""
    first = routes.path_first[route]
    count = routes.path_first[route + 1] - first
    f = s / routes.path_step[route]
    beyond = min(s, 0.0)
    if f > count - 1.001:
        beyond = (f - (count - 1.001)) * routes.path_step[route]
        f = count - 1.001
    f = max(f, 0.0)
    k = int(f)
    f -= k
    p = first + k
    turn = routes.path_yaw[p + 1] - routes.path_yaw[p]
    if abs(turn) > 3.0:
        turn = math.atan2(math.sin(turn), math.cos(turn))
    yaw = routes.path_yaw[p] + f * turn
    x = routes.path_x[p] * (1.0 - f) + routes.path_x[p + 1] * f + beyond * math.cos(yaw)
    y = routes.path_y[p] * (1.0 - f) + routes.path_y[p + 1] * f + beyond * math.sin(yaw)
    return x, y, yaw, routes.path_curvature[p] * (1.0 - f) + routes.path_curvature[p + 1] * f


@kernel
def start_of_line(w, e, routes, side):  # type: ignore[no-untyped-def]
    """What a new line starts with, as `profile_now` gives it: the line in use, or the place of an ego that stands.

    `side`: -1 or 1 if it first turns the wheels to the left or right as far as they go, else 0. The centre of the box
    then sets out obliquely (the slip of the kinematic bicycle, `simulator.dynamics`).
    """
    if w.speed[EGO] >= STANDING:
        return profile_now(e, w.path_s)
    x, y, yaw, curvature = path_pose(routes, w.route, place_on_path(w, routes))
    turn = math.atan2(math.sin(w.yaw[EGO] - yaw), math.cos(w.yaw[EGO] - yaw))
    turn += side * math.asin(REAR_AXLE * TIGHTEST_BEND)
    return w.path_offset, math.tan(min(max(turn, -1.0), 1.0)), side * TIGHTEST_BEND


@kernel
def place_on_path(w, routes):  # type: ignore[no-untyped-def]
    """The ego's place along its path, m; negative before the path's start, where `w.path_s` is 0."""
    if w.path_s > 0.0:
        return w.path_s
    p = routes.path_first[w.route]
    yaw = routes.path_yaw[p]
    return min((w.x[EGO] - routes.path_x[p]) * math.cos(yaw) + (w.y[EGO] - routes.path_y[p]) * math.sin(yaw), 0.0)


@kernel
def lane_there(routes, route, s):  # type: ignore[no-untyped-def]
    """Lane of the path at `s`, and metres along it."""
    first = routes.path_first[route]
    last = routes.path_first[route + 1] - 1
    p = min(max(first + int(s / routes.path_step[route]), first), last)
    return routes.path_lane[p], routes.path_lane_s[p]


@kernel
def body_pose(routes, route, s, d, slope, second):  # type: ignore[no-untyped-def]
    """Box centre and heading (x, y, yaw) of an ego that tracks the line at `s` with offset `d`.

    The centre follows the line; the heading lags by the slip of the kinematic bicycle (`simulator.dynamics`).
    """
    x, y, yaw, curvature = path_pose(routes, route, s)
    bend = line_curvature(curvature, d, slope, second)
    slip = math.asin(min(max(REAR_AXLE * bend, -0.7), 0.7))
    return x - math.sin(yaw) * d, y + math.cos(yaw) * d, yaw + math.atan(slope) - slip


@kernel
def line_curvature(curvature, d, slope, second):  # type: ignore[no-untyped-def]
    """Curvature (1/m) of a line at offset `d` from a path of the given curvature."""
    shrink = max(1.0 - curvature * d, 0.2)
    return curvature / shrink + second / (1.0 + slope * slope)


@kernel
def prepare_coarse(sheet, routes, route, s, reach):  # type: ignore[no-untyped-def]
    """Collect every eighth path point around `s`, for `to_path`."""
    first = routes.path_first[route]
    count = routes.path_first[route + 1] - first
    step = routes.path_step[route]
    low = max(int((s - _BEHIND) / step), 0)
    high = min(int((s + reach) / step), count - 1)
    n = min((high - low) // COARSE_STRIDE + 1, COARSE)
    sheet.coarse_first[0] = low
    sheet.coarse_first[1] = n
    for k in range(n):
        sheet.coarse_x[k] = routes.path_x[first + low + k * COARSE_STRIDE]
        sheet.coarse_y[k] = routes.path_y[first + low + k * COARSE_STRIDE]


@kernel
def nearest_coarse(sheet, x, y):  # type: ignore[no-untyped-def]
    """Path index of the coarse point nearest to (x, y)."""
    best = 1e18
    found = 0
    for k in range(sheet.coarse_first[1]):
        dx = sheet.coarse_x[k] - x
        dy = sheet.coarse_y[k] - y
        d2 = dx * dx + dy * dy
        if d2 < best:
            best = d2
            found = k
    return sheet.coarse_first[0] + found * COARSE_STRIDE


@kernel
def to_path(routes, route, hint, x, y):  # type: ignore[no-untyped-def]
    """Project (x, y) on the path, walking from path index `hint` to the nearest place.

    Returns (s, d, path yaw, index): metres, metres right of the path, rad, and the hint for a place near by.
    """
    first = routes.path_first[route]
    last = routes.path_first[route + 1] - first - 1
    k = min(max(hint, 0), last)
    dx = routes.path_x[first + k] - x
    dy = routes.path_y[first + k] - y
    best = dx * dx + dy * dy
    way = 1
    for _ in range(2):
        while 0 <= k + way <= last:
            dx = routes.path_x[first + k + way] - x
            dy = routes.path_y[first + k + way] - y
            d2 = dx * dx + dy * dy
            if d2 >= best:
                break
            best = d2
            k += way
        way = -1
    p = first + min(k, last)
    yaw = routes.path_yaw[p]
    dx = x - routes.path_x[p]
    dy = y - routes.path_y[p]
    c = math.cos(yaw)
    s = math.sin(yaw)
    along = dx * c + dy * s
    across = -dx * s + dy * c
    # one Newton step for the bend between path points
    half = routes.path_step[route]
    if 0 < k < last:
        along = min(max(along, -half), half)
    bend = routes.path_curvature[p] * along
    return k * routes.path_step[route] + along, across - 0.5 * bend * along, yaw + bend, k
