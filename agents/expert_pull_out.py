"""Back to the path from a place beside it, such as a parking space: a tight line past whoever is parked ahead."""

from __future__ import annotations

import math

from agents.expert_memory import KEEP_LANE, PASS, STEPS
from agents.expert_path import profile_at, take_trial
from agents.expert_space import lay_out
from agents.expert_speed import MAX_ACCELERATION, roll, set_caps
from simulator.kernel import kernel
from simulator.state import EGO

OFF_THE_LINE = 1.2  # m beside its line from which a standing ego needs a new one
TIGHTEST_BEND = 0.24  # 1/m, near the steering's limit
_QUINTIC = 5.78  # largest second derivative of a quintic step of height and length 1
LONGER = 1.15  # from one try to the next
TRIES = 8


@kernel
def pull_out(w, e, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Plan a way to the path once there is one that meets nobody; until then the ego stands.

    Returns True when trials have overwritten what the sheet says of the line in use.
    """
    now, slope, second = profile_at(e.knot_s, e.knot_d, e.num_knots, e.first_slope, w.path_s)
    if e.manoeuvre != KEEP_LANE or w.speed[EGO] > 0.5 or abs(w.path_offset - now) < OFF_THE_LINE:
        return False
    length = math.sqrt(_QUINTIC * abs(w.path_offset) / TIGHTEST_BEND)
    for _ in range(TRIES):
        sheet.trial_s[0] = w.path_s
        sheet.trial_d[0] = w.path_offset
        sheet.trial_s[1] = w.path_s + length
        sheet.trial_d[1] = 0.0
        sheet.trial_count[0] = 2
        sheet.trial_slope[0] = 0.0
        lay_out(w, e, routes, sheet, True, STEPS)
        set_caps(w, e, net, routes, sheet, True)
        k, end, left = roll(sheet, w.path_s, w.speed[EGO], 1.0, MAX_ACCELERATION, True, STEPS)
        if k == STEPS and end > w.path_s + length:
            take_trial(e, sheet)
            e.manoeuvre = PASS
            e.pass_until = w.path_s + length
            return True
        length *= LONGER
    sheet.stop[0] = w.path_s
    return True
