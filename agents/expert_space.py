"""Which stretches of the ego's line are taken, and when: forecasts laid over the line that the ego drives.

A stretch [low, high] is where the ego's centre must not be at that time. Things that stand are tested box against box
along the line; those that move, as boxes clipped to the strip that the ego sweeps.
"""

from __future__ import annotations

import math

from agents.expert_forecast import TRUST_BRAKES_AFTER
from agents.expert_memory import KEEP_LANE, MAX_BUSY, PASS, TURN_BACK
from agents.expert_path import body_pose, line_at, line_curvature, path_pose
from simulator.actors import solid_box
from simulator.blueprints import Kind
from simulator.kernel import kernel
from simulator.state import EGO, Behaviour, DriverFlag, Role

_WALKER = int(Kind.WALKER)
_BICYCLE = int(Kind.BICYCLE)
_PROP = int(Kind.PROP)
_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)

_FLOW = int(Role.FLOW)

PATIENCE = 10.0  # s of standing after which the ego takes smaller gaps
FRONT_SWING = 6.5  # m of the front corners to the outside of a bend, times its curvature (the box turns late)
_EMPTY_LOW = 1e9
_EMPTY_HIGH = -1e9
ROOM_TO_TURN_OUT = 10.0  # m behind an obstacle that is to be passed
YIELD_BRAKE = 3.0  # m/s2 that a follower may be made to brake by a lane change
STARTING = 3.0  # m/s2 of the ego when it moves out
#: The same for an ego that has waited behind an obstacle for `TRUST_BRAKES_AFTER`: it starts with all it has
LATE_YIELD_BRAKE, LATE_STARTING = 5.0, 4.5


@kernel
def boxes_touch(ax, ay, ayaw, al, aw, bx, by, byaw, bl, bw):  # type: ignore[no-untyped-def]
    """Separating-axis test of two boxes with half lengths and half widths."""
    dx = bx - ax
    dy = by - ay
    reach = al + aw + bl + bw
    if dx * dx + dy * dy > reach * reach:
        return False
    ca = math.cos(ayaw)
    sa = math.sin(ayaw)
    cb = math.cos(byaw)
    sb = math.sin(byaw)
    cc = abs(ca * cb + sa * sb)
    sc = abs(sa * cb - ca * sb)
    if abs(dx * ca + dy * sa) > al + bl * cc + bw * sc:
        return False
    if abs(-dx * sa + dy * ca) > aw + bl * sc + bw * cc:
        return False
    if abs(dx * cb + dy * sb) > bl + al * cc + aw * sc:
        return False
    return abs(-dx * sb + dy * cb) <= bw + al * sc + aw * cc


@kernel
def clip_to_strip(half_length, half_width, turn, low, high):  # type: ignore[no-untyped-def]
    """Extent along x of a turned box at the origin within the strip low < y < high; (huge, -huge) when outside."""
    c = math.cos(turn)
    s = math.sin(turn)
    across = half_length * abs(s) + half_width * abs(c)
    if low >= across or high <= -across:
        return _EMPTY_LOW, _EMPTY_HIGH
    along = half_length * abs(c) + half_width * abs(s)
    if (low <= -across and high >= across) or abs(s) < 0.05:
        return -along, along
    first = _EMPTY_LOW
    last = _EMPTY_HIGH
    x0 = -half_length * c + half_width * s
    y0 = -half_length * s - half_width * c
    for q in range(4):
        ux = half_length if q == 0 or q == 1 else -half_length
        uy = half_width if q == 1 or q == 2 else -half_width
        x1 = ux * c - uy * s
        y1 = ux * s + uy * c
        if low <= y1 <= high:
            first = min(first, x1)
            last = max(last, x1)
        for edge in (low, high):
            if (y0 < edge) != (y1 < edge):
                x = x0 + (x1 - x0) * (edge - y0) / (y1 - y0)
                first = min(first, x)
                last = max(last, x)
        x0 = x1
        y0 = y1
    return first, last


@kernel
def is_tight(w, e, j):  # type: ignore[no-untyped-def]
    """True for those foreseen well enough to pass close by: flows; traffic, once the ego has waited for long."""
    return (w.role[j] == _FLOW and w.behaviour[j] == _TRACK) or (w.behaviour[j] == _LANES and e.still > PATIENCE)


@kernel
def side_margin(w, j, turn, moving, tight):  # type: ignore[no-untyped-def]
    """Metres to keep beside an actor."""
    if w.kind[j] == _WALKER or w.kind[j] == _BICYCLE:
        return 0.5 if moving else 0.35
    if not moving or tight:
        return 0.25
    if math.cos(turn) < -0.5:
        return 0.3
    return 0.3 if abs(math.sin(turn)) < 0.5 else 0.45


@kernel
def stretch_moving(w, e, routes, sheet, trial, n, k, side, ends):  # type: ignore[no-untyped-def]
    """Blocked stretch of a moving actor at step k: (low, high)."""
    j = sheet.slot[n]
    s = sheet.s[n, k]
    d = sheet.d[n, k]
    if abs(d) > 14.0 + w.half_length[j]:
        return _EMPTY_LOW, _EMPTY_HIGH
    offset, slope, second = line_at(e, sheet, trial, s, w.path_s)
    reach = w.half_width[EGO] + side
    if abs(d - offset) > reach + w.half_length[j] + w.half_width[j] + 1.5:
        return _EMPTY_LOW, _EMPTY_HIGH
    x, y, yaw, curvature = path_pose(routes, w.route, s)
    bend = min(max(line_curvature(curvature, offset, slope, second), -0.15), 0.15)
    # to the outside of a bend the front swings out
    left = offset - reach - max(bend, 0.0) * FRONT_SWING - d
    right = offset + reach - min(bend, 0.0) * FRONT_SWING - d
    first, last = clip_to_strip(w.half_length[j], w.half_width[j], sheet.turn[n, k] - math.atan(slope), left, right)
    if first > last:
        return _EMPTY_LOW, _EMPTY_HIGH
    low = s + first - w.half_length[EGO] - ends
    high = s + last + w.half_length[EGO] + ends
    if trial or e.num_knots > 0:  # where the ego itself is still, or again, aside
        reach = (w.half_width[EGO] + side) + w.half_length[j] * abs(math.sin(sheet.turn[n, k]))
        reach += w.half_width[j] * abs(math.cos(sheet.turn[n, k]))
        for _ in range(6):
            there, slope, second = line_at(e, sheet, trial, low + 1.0, w.path_s)
            if low > high or abs(d - there) < reach + abs(slope) * w.half_length[EGO]:
                break
            low += 1.0
        for _ in range(6):
            there, slope, second = line_at(e, sheet, trial, high - 1.0, w.path_s)
            if low > high or abs(d - there) < reach + abs(slope) * w.half_length[EGO]:
                break
            high -= 1.0
    return low, high


@kernel
def stretch_standing(w, e, routes, sheet, trial, n, side, ends):  # type: ignore[no-untyped-def]
    """Blocked stretch of something that stands: box against box, every half metre along the line."""
    j = sheet.slot[n]
    s = sheet.s[n, 0]
    if abs(sheet.d[n, 0]) > 12.0:
        return _EMPTY_LOW, _EMPTY_HIGH
    other_x, other_y, half_length, half_width = solid_box(w, j)
    reach = half_length + half_width + w.half_length[EGO] + 1.5
    near = 1e9
    for q in range(5):
        offset, slope, second = line_at(e, sheet, trial, s + 0.5 * (q - 2) * reach, w.path_s)
        near = min(near, abs(sheet.d[n, 0] - offset))
    if near > half_length + half_width + w.half_width[EGO] + 2.0:
        return _EMPTY_LOW, _EMPTY_HIGH
    low = _EMPTY_LOW
    high = _EMPTY_HIGH
    at = s - reach
    while at <= s + reach:
        offset, slope, second = line_at(e, sheet, trial, at, w.path_s)
        x, y, yaw = body_pose(routes, w.route, at, offset, slope, second)
        if boxes_touch(
            x, y, yaw, w.half_length[EGO], w.half_width[EGO] + side,
            other_x, other_y, w.yaw[j], half_length, half_width,
        ):
            low = min(low, at)
            high = max(high, at)
        at += 0.5
    if low > high:
        return _EMPTY_LOW, _EMPTY_HIGH
    return low - 0.5 - ends, high + 0.5 + ends


@kernel
def lay_out(w, e, routes, sheet, trial, steps):  # type: ignore[no-untyped-def]
    """Blocked stretches of all listed actors on the line in use (or on trial), steps 0..steps-1, then `gather` them."""
    here = w.path_s
    slim = 0.5 if e.still > 25.0 else 1.0  # who has waited long takes less room
    committed = not trial and (e.rushing == 1 or e.manoeuvre == PASS)
    if committed:
        slim = 0.4  # a gap that has been taken is given up only for a real conflict
    turning_back = not trial and e.manoeuvre == TURN_BACK
    if turning_back:
        slim = 0.1  # out of the way of those who stand before its nose
    for n in range(sheet.count[0]):
        j = sheet.slot[n]
        moving = sheet.fixed[n] == 0
        tight = is_tight(w, e, j)
        side = side_margin(w, j, sheet.turn[n, 0], moving, tight)
        if moving or turning_back or e.still > 25.0:
            side *= slim
        ends = slim * (0.3 if not moving or tight else 0.5 + 0.05 * abs(w.speed[j]))
        sheet.keep[n] = ROOM_TO_TURN_OUT if sheet.obstacle[n] == 3 and e.manoeuvre == KEEP_LANE else 2.0
        if not moving:
            low, high = stretch_standing(w, e, routes, sheet, trial, n, side, ends)
            if low < here < high:  # squeezed in already: what is left must do
                low, high = stretch_standing(w, e, routes, sheet, trial, n, 0.03, -0.45)
                if low < here < high and sheet.s[n, 0] < here + 0.5:
                    low, high = _EMPTY_LOW, _EMPTY_HIGH
            for k in range(steps):
                sheet.low[n, k] = low
                sheet.high[n, k] = high
            continue
        low, high = stretch_moving(w, e, routes, sheet, trial, n, 0, side, ends)
        if low < here < high:
            side = 0.05
            ends = 0.1
            low, high = stretch_moving(w, e, routes, sheet, trial, n, 0, side, ends)
            abreast = 0.5 if not trial else -w.half_length[EGO]
            if low < here < high and sheet.s[n, 0] < here + abreast:  # it touches the ego from behind: away from it
                for k in range(steps):
                    sheet.low[n, k] = _EMPTY_LOW
                    sheet.high[n, k] = _EMPTY_HIGH
                continue
        for k in range(steps):
            sheet.low[n, k], sheet.high[n, k] = stretch_moving(w, e, routes, sheet, trial, n, k, side, ends)
    judge_followers(w, e, sheet, trial)
    gather(w, e, sheet, steps, committed)


@kernel
def judge_followers(w, e, sheet, trial):  # type: ignore[no-untyped-def]
    """Mark those behind the ego that will brake for it: nobody needs to make way for them.

    A driver behind in another lane sees the ego once it sticks out into that lane; what counts is the gap then.
    """
    here = w.path_s
    speed = w.speed[EGO]
    late = e.blocked > TRUST_BRAKES_AFTER
    brake = LATE_YIELD_BRAKE if late else YIELD_BRAKE
    if e.manoeuvre == PASS:
        brake *= 1.6
    starting = LATE_STARTING if late else STARTING
    for n in range(sheet.count[0]):
        j = sheet.slot[n]
        sheet.yielding[n] = 0
        behind = here - sheet.s[n, 0] - w.half_length[EGO] - w.half_length[j]
        if sheet.fixed[n] == 1 or behind < -1.0 or math.cos(sheet.turn[n, 0]) < 0.6:
            continue
        if w.driver_flags[j] & _IGNORE_VEHICLES or not (w.behaviour[j] == _LANES or w.behaviour[j] == _TRACK):
            continue
        reach = w.half_width[EGO] + w.half_width[j]
        if behind > 0.0 and abs(sheet.d[n, 0] - w.path_offset) < reach - 0.2:
            sheet.yielding[n] = 1
            continue
        ahead = 0.0
        while ahead < 40.0:
            offset, slope, second = line_at(e, sheet, trial, here + ahead, here)
            if abs(sheet.d[n, 0] - offset) < reach + 0.2:
                break
            ahead += 1.0
        seconds = (math.sqrt(speed * speed + 2.0 * starting * ahead) - speed) / starting
        gap = behind + ahead - sheet.speed[n] * seconds
        closing = max(sheet.speed[n] - speed - starting * seconds, 0.0)
        if ahead < 40.0 and gap > 2.0 + 0.3 * closing + closing * closing / (2.0 * brake):
            sheet.yielding[n] = 1


@kernel
def gather(w, e, sheet, steps, exact):  # type: ignore[no-untyped-def]
    """Per step, the stretches that are taken then or nearly then: crossing traffic 0.25 s before to 0.5 s after.

    Oncoming traffic gets 0.75 s after. `exact`: no margins in time.
    """
    for k in range(steps):
        sheet.busy_count[k] = 0
    for n in range(sheet.count[0]):
        if sheet.yielding[n] == 1:
            continue
        if sheet.fixed[n] == 1:
            if sheet.low[n, 0] < sheet.high[n, 0]:
                for k in range(steps):
                    add_busy(sheet, k, sheet.low[n, 0], sheet.high[n, 0], sheet.keep[n], 0.0)
            continue
        tight = is_tight(w, e, sheet.slot[n])
        reckless = w.driver_flags[sheet.slot[n]] & _IGNORE_VEHICLES != 0
        for k in range(steps):
            facing = math.cos(sheet.turn[n, k])
            before = 0
            after = 1
            if facing < -0.97:
                before = 1
                after = 1 if e.blocked > TRUST_BRAKES_AFTER and not reckless else 3
            elif facing < 0.7:
                before = 0 if tight else 1
                after = 1 if tight else 2
            if exact:
                before = 0
                after = 0
            low = _EMPTY_LOW
            high = _EMPTY_HIGH
            for q in range(max(k - before, 0), min(k + after, steps - 1) + 1):
                low = min(low, sheet.low[n, q])
                high = max(high, sheet.high[n, q])
            if low < high:
                speed = 0.0
                if k + 1 < steps and sheet.low[n, k + 1] < sheet.high[n, k + 1]:
                    speed = (sheet.s[n, k + 1] - sheet.s[n, k]) * 4.0
                elif k > 0:
                    speed = (sheet.s[n, k] - sheet.s[n, k - 1]) * 4.0
                if facing > 0.5:
                    # a leader is followed at the place that it has, not at the one that it had
                    start = sheet.low[n, k] if sheet.low[n, k] < 1e8 else low
                    add_busy(sheet, k, start, high, sheet.keep[n], max(speed, 0.0))
                else:
                    add_busy(sheet, k, low, high, -1.0, 0.0)


@kernel
def add_busy(sheet, k, low, high, keep, speed):  # type: ignore[no-untyped-def]
    """Enter one stretch in the list of step k."""
    m = sheet.busy_count[k]
    if m < MAX_BUSY:
        sheet.busy_low[k, m] = low
        sheet.busy_high[k, m] = high
        sheet.busy_keep[k, m] = keep
        sheet.busy_speed[k, m] = speed
        sheet.busy_count[k] = m + 1
