"""How fast: caps from limits, bends and halts; following; and the search for a speed profile that meets nobody.

The rule of the search: take the acceleration that is wanted unless no safe way would be left afterwards. A safe way is
to drive on, following whoever is ahead, or to brake to a stop; both are rolled out against the blocked stretches of the
line (`agents.expert_space`). Gentle ways are tried before harsh ones.
"""

from __future__ import annotations

import math

from agents.expert_memory import CAP_METRES, CAPS, KEEP_LANE, MAKE_WAY, PASS, STEP_SECONDS, STEPS
from agents.expert_path import TIGHTEST_BEND, line_at, line_curvature
from simulator.blueprints import Kind
from simulator.dynamics import throttle_acceleration
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS

_WALKER = int(Kind.WALKER)

FREE = 1e6
BEND_ACCELERATION = 2.4  # m/s2 sideways
PASS_BEND_ACCELERATION = 3.4  # m/s2 sideways, when passing
TIGHT_START = 2.5  # m with the wheels turned as far as they go,
TIGHT_SPEED = 1.8  # m/s there
COMFORT_BRAKE = 2.0  # m/s2 towards caps
MAX_ACCELERATION = 2.2  # m/s2
PASS_ACCELERATION = 4.0  # m/s2, beside an obstacle
HURRY_ACCELERATION = 6.5  # m/s2, through a gap or out of somebody's way, where the engine gives as much
SLOW = 0.6  # times the cap, while somebody with a siren passes
HASTE = 1.5  # times the caps, when in a hurry
HEADWAY = 0.9  # s
HURRY_HEADWAY = 0.3  # s
STANDSTILL = 2.0  # m
GENTLE_BRAKE = 2.5  # m/s2 that is planned with
FIRM_BRAKE = 4.0  # m/s2 where that is not enough; the official bound of comfort is 4.05
HARDEST_BRAKE = 7.5  # m/s2
OUT_OF_THE_WAY = 30.0  # m to the next halt from which the ego may run ahead of somebody
KERB_SIGHT = 7.0  # m beside the path within which walkers are minded who face the road,
BEFORE_WALKERS = 4.0  # m before them from where on the ego is slow,
BESIDE_WALKERS = 5.0  # m/s
COMFORT_JERK = 4.0  # m/s3


@kernel
def set_caps(w, e, net, routes, sheet, trial):  # type: ignore[no-untyped-def]
    """Speed caps along the line ahead: speed limits and bends, each reachable by gentle braking."""
    r = w.route
    first = routes.path_first[r]
    last = routes.path_first[r + 1] - 1
    step = routes.path_step[r]
    sheet.cap_start[0] = w.path_s
    sideways = PASS_BEND_ACCELERATION if trial or e.manoeuvre != KEEP_LANE else BEND_ACCELERATION
    wheels_turned = -FREE  # m along the path to which a tight start needs the wheels as they are
    if trial and sheet.trial_count[0] > 0 and abs(sheet.trial_bend[0]) > 0.9 * TIGHTEST_BEND:
        wheels_turned = sheet.trial_s[0] + TIGHT_START
    if not trial and e.num_knots > 0 and abs(e.first_bend) > 0.9 * TIGHTEST_BEND:
        wheels_turned = e.knot_s[0] + TIGHT_START
    limit = 0.0
    for k in range(CAPS):
        s = w.path_s + k * CAP_METRES
        p = min(first + int(s / step), last)
        lane = routes.path_lane[p]
        if lane >= 0:
            limit = net.lane_speed_limit[lane]
        elif limit == 0.0:
            limit = 8.0
        offset, slope, second = line_at(e, sheet, trial, s, w.path_s)
        bend = abs(line_curvature(routes.path_curvature[p], offset, slope, second))
        sheet.pace[k] = 1.0 / (max(1.0 - routes.path_curvature[p] * offset, 0.3) * math.sqrt(1.0 + slope * slope))
        cap = limit
        if bend > 0.002:
            cap = min(cap, math.sqrt(sideways / bend))
        if s < wheels_turned:
            cap = min(cap, TIGHT_SPEED)
        sheet.cap[k] = cap
    slow_for_walkers(w, sheet)
    for k in range(CAPS - 2, -1, -1):
        cap = math.sqrt(sheet.cap[k + 1] * sheet.cap[k + 1] + 2.0 * COMFORT_BRAKE * CAP_METRES)
        if cap < sheet.cap[k]:
            sheet.cap[k] = cap


@kernel
def slow_for_walkers(w, sheet):  # type: ignore[no-untyped-def]
    """Cap the speed beside walkers who stand at the road and face it: they may step out."""
    for n in range(sheet.count[0]):
        d = sheet.d[n, 0]
        if w.kind[sheet.slot[n]] != _WALKER or sheet.fixed[n] == 0 or abs(d) > KERB_SIGHT:
            continue
        if math.sin(sheet.turn[n, 0]) * d > -0.5 * abs(d):
            continue
        first = int((sheet.s[n, 0] - BEFORE_WALKERS - sheet.cap_start[0]) / CAP_METRES)
        for k in range(max(first, 0), min(first + int(BEFORE_WALKERS / CAP_METRES) + 2, CAPS)):
            sheet.cap[k] = min(sheet.cap[k], BESIDE_WALKERS)


@kernel
def cap_at(sheet, s):  # type: ignore[no-untyped-def]
    """Speed allowed at `s`, m/s; a halt counts as a cap, too."""
    f = min(max((s - sheet.cap_start[0]) / CAP_METRES, 0.0), CAPS - 1.001)
    k = int(f)
    f -= k
    cap = sheet.cap[k] * (1.0 - f) + sheet.cap[k + 1] * f
    left = sheet.stop[0] - s
    if left < 60.0:
        cap = min(cap, math.sqrt(2.0 * COMFORT_BRAKE * max(left, 0.0)))
    return cap


@kernel
def pace_at(sheet, s):  # type: ignore[no-untyped-def]
    """Metres of path per metre driven at `s`."""
    return sheet.pace[min(max(int((s - sheet.cap_start[0]) / CAP_METRES), 0), CAPS - 1)]


@kernel
def follow(speed, gap, leader_speed, keep, most, headway):  # type: ignore[no-untyped-def]
    """Intelligent Driver Model (Treiber et al. 2000), the expert's numbers, no free term; m/s2, up to `most`."""
    closing = speed * (speed - leader_speed) / (2.0 * math.sqrt(MAX_ACCELERATION * 2.5))
    desired = keep + max(speed * headway + closing, 0.0)
    ratio = desired / max(gap, 0.1)
    free = 1.0 - ratio * ratio
    return max(free * (most if free > 0.0 else MAX_ACCELERATION), -HARDEST_BRAKE)


@kernel
def wanted_acceleration(w, e, sheet):  # type: ignore[no-untyped-def]
    """Acceleration that caps, halts and present leaders ask for, m/s2."""
    s = w.path_s
    speed = w.speed[EGO]
    cap = cap_at(sheet, s + 0.15 * speed)
    most = PASS_ACCELERATION if e.manoeuvre == PASS else MAX_ACCELERATION
    if e.manoeuvre == MAKE_WAY and e.knot_d[e.num_knots - 1] != 0.0:
        cap *= SLOW
    acceleration = min(max((cap - speed) / 0.5, -FIRM_BRAKE if e.manoeuvre != MAKE_WAY else -2.5), most)
    for m in range(sheet.busy_count[0]):
        if sheet.busy_keep[0, m] >= 0.0 and sheet.busy_low[0, m] >= s - 0.5 and sheet.busy_low[0, m] < s + 80.0:
            gap = sheet.busy_low[0, m] - s
            leader = sheet.busy_speed[0, m]
            acceleration = min(acceleration, follow(speed, gap, leader, sheet.busy_keep[0, m], most, HEADWAY))
    return acceleration


@kernel
def engine_limit(speed):  # type: ignore[no-untyped-def]
    """Acceleration that a hurrying ego counts on, m/s2."""
    return min(HURRY_ACCELERATION, throttle_acceleration(speed, 1.0) - 0.3)


@kernel
def roll(sheet, s, speed, first, tail, drive_on, steps):  # type: ignore[no-untyped-def]
    """Roll the ego along its line: one step with acceleration `first`, then on.

    With `drive_on` it then drives as it would, accelerating by at most `tail` (and faster in bends when in a hurry);
    otherwise it brakes with `tail` < 0.
    Returns (first step at which it is in a blocked stretch, or `steps`; metres along the path at the end; speed there).
    """
    haste = HASTE if tail > PASS_ACCELERATION else 1.0
    headway = HURRY_HEADWAY if haste > 1.0 else HEADWAY
    acceleration = min(first, engine_limit(speed)) if haste > 1.0 else first
    for k in range(1, steps):
        if k > 1:
            acceleration = tail
            if drive_on:
                if haste > 1.0:
                    acceleration = engine_limit(speed)
                acceleration = min(acceleration, max((haste * cap_at(sheet, s + 0.25 * speed) - speed) / 0.5, -3.0))
                for m in range(sheet.busy_count[k - 1]):
                    low = sheet.busy_low[k - 1, m]
                    if low >= s and sheet.busy_keep[k - 1, m] >= 0.0 and low < s + 60.0:
                        following = follow(speed, low - s, sheet.busy_speed[k - 1, m], 1.0, tail, headway)
                        acceleration = min(acceleration, max(following, -4.0))
        after = max(speed + acceleration * STEP_SECONDS, 0.0)
        s += 0.5 * (speed + after) * STEP_SECONDS * pace_at(sheet, s)
        speed = after
        for m in range(sheet.busy_count[k]):
            if sheet.busy_low[k, m] < s < sheet.busy_high[k, m]:
                return k, s, speed
    return steps, s, speed


@kernel
def is_safe(sheet, s, speed, first, drive_on, tail, brake):  # type: ignore[no-untyped-def]
    """True when, after one step with `first`, braking with `brake` meets nobody; or, with `drive_on`, driving on.

    Driving on, the ego accelerates by at most `tail`.
    """
    if drive_on:
        k, end, left = roll(sheet, s, speed, first, tail, True, STEPS)
        if k == STEPS:
            return True
    k, end, left = roll(sheet, s, speed, first, -brake, False, STEPS)
    return k == STEPS


@kernel
def safe_acceleration(sheet, s, speed, wanted, tail):  # type: ignore[no-untyped-def]
    """The highest acceleration up to `wanted` after which a safe way is left, m/s2; `tail` as in `is_safe`."""
    if is_safe(sheet, s, speed, wanted, True, tail, GENTLE_BRAKE):
        return wanted
    for harshness in range(3):
        brake = GENTLE_BRAKE if harshness == 0 else FIRM_BRAKE if harshness == 1 else HARDEST_BRAKE
        upper = wanted + 1e-9
        trial = wanted if harshness > 0 else wanted - 0.8
        while upper > -brake:
            trial = max(trial, -brake)
            if is_safe(sheet, s, speed, trial, harshness == 0, tail, brake):
                for _ in range(3):  # between the last unsafe and the first safe one
                    middle = 0.5 * (trial + upper)
                    if is_safe(sheet, s, speed, middle, harshness == 0, tail, brake):
                        trial = middle
                    else:
                        upper = middle
                return trial
            upper = trial
            trial -= 0.8
        if harshness == 1 and sheet.stop[0] > s + OUT_OF_THE_WAY:
            k, end, left = roll(sheet, s, speed, HURRY_ACCELERATION, HURRY_ACCELERATION, True, STEPS)
            if k == STEPS:
                return engine_limit(speed)
    # nothing is safe: whatever meets somebody last
    brake_until, end, left = roll(sheet, s, speed, -HARDEST_BRAKE, -HARDEST_BRAKE, False, STEPS)
    drive_until, end, left = roll(sheet, s, speed, HURRY_ACCELERATION, HURRY_ACCELERATION, True, STEPS)
    return engine_limit(speed) if drive_until > brake_until + 2 else -HARDEST_BRAKE


@kernel
def smooth(w, e, acceleration):  # type: ignore[no-untyped-def]
    """Limit the jerk of gentle driving; harsh braking comes at once, and so does haste beside an obstacle."""
    step = (COMFORT_JERK if e.manoeuvre == KEEP_LANE else 4.0 * COMFORT_JERK) * TICK_SECONDS
    before = e.acceleration if w.speed[EGO] > 0.05 else max(e.acceleration, 0.0)
    if acceleration < -3.2 or acceleration > MAX_ACCELERATION:
        e.acceleration = acceleration
    else:
        e.acceleration = min(max(acceleration, before - 2.5 * step), before + step)
    return e.acceleration
