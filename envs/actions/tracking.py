"""Following a line on the ground: the controller under trajectories, paths and meta-actions.

A decision lays a line from where the ego is through the points that were asked for (a Catmull-Rom spline over chord
length, whose first direction is the ego's course), and says how fast to go along it: at a target speed, or by times at
which points are to be reached. Every tick then steers and accelerates:

| | law | |
|---|---|---|
| steering | kappa = kappa_line - e / L^2 - 2 psi / L, L = 3 m + 0.3 s v, for the pose 0.12 s ahead | `steer_on_line` |
| speed by time | a = a_line + 2.0/s (v_line - v) + 1.0/s2 (s_line - s) | `pedals`: the dynamics, inverted |
| target speed | a = 1.5/s (v_target - v), within -6 and +3 m/s2; bends ahead are taken at 3.5 m/s2 at most | `pedals` |

`controller="pid"` replaces it by the pair of PID controllers that imitation-learning agents of the leaderboard use
(TransFuser, TCP): steering by the angle to a point 0.5 s (at least 2.5 m) ahead, gains 1.25, 0.75, 0.3; throttle by the
speed error, clipped to 0.25 m/s, gains 5, 0.5, 1, at most 0.75; full brake where the target is below 0.4 m/s or under
1 / 1.1 of the speed; both over the last 20 errors.
"""

from __future__ import annotations

import math

import numpy as np

from envs.path_control import pedals, steer_on_line
from simulator.dynamics import brake_acceleration
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS

MAX_LINE = 320  # points of a line
SPACING = 0.5  # m between them
MAX_TIMES = 64  # points that are to be reached at a time
PID_WINDOW = 20  # errors that a PID remembers

TRACK = np.dtype(
    [
        ("tick", np.int64),  # ticks since the decision
        ("count", np.int64),  # points of the line, 0: none yet
        ("x", np.float64, (MAX_LINE,)),  # m, world
        ("y", np.float64, (MAX_LINE,)),
        ("yaw", np.float64, (MAX_LINE,)),  # rad, continuous
        ("curvature", np.float64, (MAX_LINE,)),  # 1/m, right positive
        ("place", np.float64),  # m along the line, of the ego
        ("timed", np.int64),  # 1: speed by time, 0: by target
        ("num_times", np.int64),
        ("interval", np.float64),  # s from one time to the next
        ("reach", np.float64, (MAX_TIMES,)),  # m along the line at each time; the first is now
        ("rate", np.float64, (MAX_TIMES,)),  # m/s there
        ("target_speed", np.float64),  # m/s
        ("speed_errors", np.float64, (PID_WINDOW,)),
        ("angle_errors", np.float64, (PID_WINDOW,)),
    ],
    align=True,
)

_PREVIEW = 0.12  # s, for the lag of the steering
_APART = 0.15  # m; points closer to the one before do not shape the line
_SPEED_GAIN, _PLACE_GAIN = 2.0, 1.0  # 1/s, 1/s2
_TARGET_GAIN = 1.5  # 1/s
_MOST, _LEAST = 3.0, -6.0  # m/s2
_BEND = 3.5  # m/s2 sideways
_BEND_BRAKING = 3.0  # m/s2 ahead of a bend
_STAND = 0.15  # m/s
_LARGEST_BEND = 0.35  # 1/m


@kernel
def lay_line(t, w, points, count, times):  # type: ignore[no-untyped-def]
    """Lay the line of a decision from the ego through `points`; notes the metres along it at each point in `reach`.

    Args:
        points: float64[N, 2] world, metres, of which `count` count. times: whether `reach` and `rate` are wanted.
    """
    t.tick = 0
    t.place = 0.0
    x0, y0 = w.x[EGO], w.y[EGO]
    course = w.yaw[EGO]
    tangent_x, tangent_y = math.cos(course), math.sin(course)
    t.x[0], t.y[0], t.yaw[0] = x0, y0, course
    filled = 1
    placed = 0.0  # m along the line where the last segment ended
    wanted = SPACING  # m along the line of the next point
    t.reach[0] = 0.0
    last_x, last_y = x0, y0
    for k in range(count):
        px, py = points[k, 0], points[k, 1]
        chord = math.hypot(px - last_x, py - last_y)
        if chord < _APART:
            if times:
                t.reach[k + 1] = placed
            continue
        # direction at the end: towards the next point that is far enough, weighed by the chords
        end_x, end_y = (px - last_x) / chord, (py - last_y) / chord
        for n in range(k + 1, count):
            ahead = math.hypot(points[n, 0] - px, points[n, 1] - py)
            if ahead >= _APART:
                share = chord / (chord + ahead)
                end_x = (1.0 - share) * end_x + share * (points[n, 0] - px) / ahead
                end_y = (1.0 - share) * end_y + share * (points[n, 1] - py) / ahead
                break
        else:
            # nothing follows: the arc goes on turning as it came
            turn = 2.0 * (end_x * tangent_x + end_y * tangent_y)
            end_x, end_y = turn * end_x - tangent_x, turn * end_y - tangent_y
        size = max(math.hypot(end_x, end_y), 1e-9)
        end_x, end_y = end_x / size, end_y / size
        steps = max(int(chord / 0.1), 4)
        before_x, before_y = last_x, last_y
        for n in range(1, steps + 1):
            u = n / steps
            a = 2.0 * u**3 - 3.0 * u * u + 1.0
            b = (u**3 - 2.0 * u * u + u) * chord
            c = (u**3 - u * u) * chord
            x = a * last_x + b * tangent_x + (1.0 - a) * px + c * end_x
            y = a * last_y + b * tangent_y + (1.0 - a) * py + c * end_y
            piece = math.hypot(x - before_x, y - before_y)
            while filled < MAX_LINE and piece > 0.0 and placed + piece >= wanted:
                f = (wanted - placed) / piece
                t.x[filled] = before_x + f * (x - before_x)
                t.y[filled] = before_y + f * (y - before_y)
                filled += 1
                wanted += SPACING
            placed += piece
            before_x, before_y = x, y
        tangent_x, tangent_y = end_x, end_y
        last_x, last_y = px, py
        if times:
            t.reach[k + 1] = placed
    # it goes on straight for a few points, to be looked ahead on
    for _ in range(8):
        if filled < MAX_LINE:
            t.x[filled] = last_x + (wanted - placed) * tangent_x
            t.y[filled] = last_y + (wanted - placed) * tangent_y
            filled += 1
            wanted += SPACING
    t.count = filled
    for k in range(1, filled):
        heading = math.atan2(t.y[k] - t.y[k - 1], t.x[k] - t.x[k - 1])
        turn = heading - t.yaw[k - 1]
        t.yaw[k] = t.yaw[k - 1] + math.atan2(math.sin(turn), math.cos(turn))
    for k in range(filled):  # headings of pieces: those of points lie between them
        low, high = max(k - 1, 1), min(k + 2, filled - 1)
        bend = (t.yaw[high] - t.yaw[low]) / ((high - low) * SPACING) if high > low else 0.0
        t.curvature[k] = min(max(bend, -_LARGEST_BEND), _LARGEST_BEND)
    for k in range(1, filled - 1):
        t.yaw[k] = 0.5 * (t.yaw[k] + t.yaw[k + 1])


@kernel
def pace_by_times(t, speed, count, interval):  # type: ignore[no-untyped-def]
    """Speed along the line by the times at which its points are to be reached. `speed`: m/s now."""
    t.timed = 1
    t.num_times = count + 1
    t.interval = interval
    t.rate[0] = max(speed, 0.0)
    for k in range(1, count + 1):
        behind = (t.reach[k] - t.reach[k - 1]) / interval
        if k < count:
            ahead = (t.reach[k + 1] - t.reach[k]) / interval
            # the harmonic mean keeps the way monotone
            t.rate[k] = 2.0 * behind * ahead / (behind + ahead) if behind > 0.0 and ahead > 0.0 else 0.0
        else:
            t.rate[k] = max(1.5 * behind - 0.5 * t.rate[k - 1], 0.0)


@kernel
def wanted_at(t, seconds):  # type: ignore[no-untyped-def]
    """Place (m), speed (m/s) and acceleration (m/s2) along the line at a time since the decision."""
    last = t.num_times - 1
    k = int(seconds / t.interval)
    if k >= last:
        return t.reach[last] + t.rate[last] * (seconds - last * t.interval), t.rate[last], 0.0
    u = seconds / t.interval - k
    h = t.interval
    rise = t.reach[k + 1] - t.reach[k]
    m0, m1 = t.rate[k] * h, t.rate[k + 1] * h
    a = -2.0 * rise + m0 + m1
    b = 3.0 * rise - 2.0 * m0 - m1
    place = t.reach[k] + u * (m0 + u * (b + u * a))
    speed = (m0 + u * (2.0 * b + u * 3.0 * a)) / h
    return place, max(speed, 0.0), (2.0 * b + 6.0 * a * u) / (h * h)


@kernel
def line_pose(t, place):  # type: ignore[no-untyped-def]
    """x, y, yaw, curvature of the line at `place` metres."""
    f = min(max(place / SPACING, 0.0), t.count - 1.001)
    k = int(f)
    f -= k
    return (
        t.x[k] * (1.0 - f) + t.x[k + 1] * f,
        t.y[k] * (1.0 - f) + t.y[k + 1] * f,
        t.yaw[k] * (1.0 - f) + t.yaw[k + 1] * f,
        t.curvature[k] * (1.0 - f) + t.curvature[k + 1] * f,
    )


@kernel
def find_place(t, x, y):  # type: ignore[no-untyped-def]
    """Metres along the line of the point nearest to (x, y), from a little behind the last place on."""
    low = max(int(t.place / SPACING) - 4, 0)
    high = min(int(t.place / SPACING) + 12, t.count - 2)
    best = 1e18
    found = t.place
    for k in range(low, high + 1):
        dx, dy = t.x[k + 1] - t.x[k], t.y[k + 1] - t.y[k]
        size = dx * dx + dy * dy
        if size < 1e-12:
            continue
        f = min(max(((x - t.x[k]) * dx + (y - t.y[k]) * dy) / size, 0.0), 1.0)
        ex, ey = x - t.x[k] - f * dx, y - t.y[k] - f * dy
        if ex * ex + ey * ey < best:
            best = ex * ex + ey * ey
            found = (k + f) * SPACING
    return found


@kernel
def bend_limit(t, speed):  # type: ignore[no-untyped-def]
    """Speed (m/s) that the bends of the line within braking distance allow."""
    reach = 6.0 + speed * speed / (2.0 * _BEND_BRAKING)
    allowed = 1e3
    first = int(t.place / SPACING)
    for k in range(first, min(first + int(reach / SPACING) + 1, t.count)):
        bend = abs(t.curvature[k])
        if bend > 0.004:
            ahead = max((k - first) * SPACING - 1.0, 0.0)
            allowed = min(allowed, math.sqrt(_BEND / bend + 2.0 * _BEND_BRAKING * ahead))
    return allowed


@kernel
def remember_error(errors, value):  # type: ignore[no-untyped-def]
    """Append an error to the window of a PID; returns (mean of the window, change)."""
    total = 0.0
    for k in range(len(errors) - 1):
        errors[k] = errors[k + 1]
        total += errors[k]
    errors[len(errors) - 1] = value
    return (total + value) / len(errors), value - errors[len(errors) - 2]


@kernel
def track(w, t, pid, control):  # type: ignore[no-untyped-def]
    """Control of this tick: float64[3] throttle, brake, steer. Without a line the ego stands."""
    if t.count == 0:
        control[0], control[1], control[2] = 0.0, 1.0, 0.0
        return
    speed = max(w.speed[EGO], 0.0)
    t.place = find_place(t, w.x[EGO], w.y[EGO])
    seconds = t.tick * TICK_SECONDS
    t.tick += 1
    if t.timed == 1:
        place, wanted, push = wanted_at(t, seconds + TICK_SECONDS)
        acceleration = push + _SPEED_GAIN * (wanted - speed) + _PLACE_GAIN * (place - t.place - speed * TICK_SECONDS)
        end, rest, _ = wanted_at(t, t.num_times * t.interval)
        standing = rest < _STAND and wanted < _STAND and place - t.place < 0.5
    else:
        wanted = min(t.target_speed, bend_limit(t, speed))
        acceleration = min(max(_TARGET_GAIN * (wanted - speed), _LEAST), _MOST)
        standing = t.target_speed < _STAND
    if pid == 1:
        track_by_pid(w, t, speed, wanted, control)
        return
    if standing:
        braking = -brake_acceleration(max(speed, 0.5), 1.0)
        control[0] = 0.0
        control[1] = 1.0 if speed < 0.5 or t.timed == 1 else min(-_LEAST / braking, 1.0)
    else:
        control[0], control[1] = pedals(speed, acceleration)
    ahead = speed * _PREVIEW
    x, y, yaw, curvature = line_pose(t, t.place + ahead)
    control[2] = steer_on_line(w, x, y, yaw, curvature, ahead)


@kernel
def track_by_pid(w, t, speed, wanted, control):  # type: ignore[no-untyped-def]
    """The pair of PID controllers."""
    x, y, _, _ = line_pose(t, t.place + max(0.5 * speed, 2.5))
    c, s = math.cos(w.yaw[EGO]), math.sin(w.yaw[EGO])
    dx, dy = x - w.x[EGO], y - w.y[EGO]
    angle = math.atan2(-dx * s + dy * c, dx * c + dy * s) / (0.5 * math.pi)
    if speed < 0.01:
        angle = 0.0
    mean, change = remember_error(t.angle_errors, angle)
    control[2] = min(max(1.25 * angle + 0.75 * mean + 0.3 * change, -1.0), 1.0)
    if wanted < 0.4 or speed > 1.1 * wanted:
        control[0], control[1] = 0.0, 1.0
        remember_error(t.speed_errors, 0.0)
        return
    error = min(max(wanted - speed, 0.0), 0.25)
    mean, change = remember_error(t.speed_errors, error)
    control[0] = min(max(5.0 * error + 0.5 * mean + 1.0 * change, 0.0), 0.75)
    control[1] = 0.0


@kernel
def track_all(worlds, tracks, pid, controls):  # type: ignore[no-untyped-def]
    """`track` for every world; `controls`: float64[B, 3]."""
    for b in range(worlds.shape[0]):
        track(worlds[b], tracks[b], pid, controls[b])
