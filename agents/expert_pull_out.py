"""Back to the path from a place beside it, such as a parking space: a tight line past whoever is parked ahead."""

from __future__ import annotations

import math

from agents.expert_gaps import stays_on_lanes
from agents.expert_memory import KEEP_LANE, PASS, STEPS
from agents.expert_path import STANDING, TIGHTEST_BEND, place_on_path, profile_now, start_of_line, take_trial
from agents.expert_space import lay_out
from agents.expert_speed import MAX_ACCELERATION, roll, set_caps
from simulator.kernel import kernel
from simulator.state import EGO

OFF_THE_LINE = 1.2  # m beside its line from which a standing ego needs a new one
LONGER = 1.2  # from one try to the next
TRIES = 6
_QUINTIC = 5.78  # largest second derivative of a quintic step of height and length 1
_BEYOND = 0.6  # m beyond the path that the tightest lines aim at
_BACK = 10.0  # m in which they come back


@kernel
def pull_out(w, e, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Plan a way to the path once there is one that meets nobody; until then the ego stands.

    Returns True when trials have overwritten what the sheet says of the line in use.
    """
    now, slope, second = profile_now(e, w.path_s)
    if e.manoeuvre != KEEP_LANE or w.speed[EGO] > STANDING or abs(w.path_offset - now) < OFF_THE_LINE:
        return False
    here = place_on_path(w, routes)
    inside = w.lane[EGO] >= 0 and net.lane_junction[w.lane[EGO]] >= 0
    now = w.path_offset
    side = -1 if now > 0.0 else 1
    for n in range(TRIES, -2, -1):  # the gentlest first, the tightest last
        beyond = -math.copysign(_BEYOND, now) if n < 0 else 0.0
        length = math.sqrt(_QUINTIC * abs(now - beyond) / TIGHTEST_BEND) * LONGER ** max(n, 0)
        sheet.trial_s[0] = here
        sheet.trial_d[0] = now
        sheet.trial_s[1] = here + length
        sheet.trial_d[1] = beyond
        sheet.trial_s[2] = here + length + _BACK
        sheet.trial_d[2] = 0.0
        sheet.trial_count[0] = 3
        now, sheet.trial_slope[0], sheet.trial_bend[0] = start_of_line(w, e, routes, side if n <= 0 else 0)
        if inside and not stays_on_lanes(w, net, routes, sheet, here, here + length):
            continue
        lay_out(w, e, routes, sheet, True, STEPS)
        set_caps(w, e, net, routes, sheet, True)
        k, end, left = roll(sheet, here, w.speed[EGO], 1.0, MAX_ACCELERATION, True, STEPS)
        if k == STEPS and end > here + length:
            take_trial(e, sheet)
            e.manoeuvre = PASS
            e.pass_until = here + length + _BACK
            e.still = 0.0
            return True
    sheet.stop[0] = here
    return True
