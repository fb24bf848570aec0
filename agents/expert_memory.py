"""What the expert remembers of a world, and the sheet on which it works out one tick."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.state import MAX_ACTORS

MAX_NEAR = 48  # actors that are looked at in one tick
KNOTS = 8  # of a sideways profile
STEP_SECONDS = 0.25  # between forecast steps
STEPS = 25  # steps 0..24: 6 s, the horizon of driving
LONG_STEPS = 49  # steps 0..48: 12 s, the horizon of passing on the wrong side
CAPS = 72  # places ahead at which a speed cap is worked out
CAP_METRES = 1.5  # between them
COARSE = 48  # coarse points of the path around the ego
COARSE_STRIDE = 8  # path points between them
MAX_PATH_LIGHTS = 48
MAX_BUSY = 24  # blocked stretches of the path in one forecast step

#: Manoeuvres that move the ego off its path.
KEEP_LANE, PASS, MAKE_WAY, LATE_TURN, TURN_BACK = 0, 1, 2, 3, 4

#: One record a world; all zero but for -1 ids at the start of an episode (`empty_memory`).
EXPERT = np.dtype(
    [
        # sideways profile: places along the path and offsets (right positive), joined by quintics; none = on the path
        ("num_knots", np.int32),
        ("knot_s", np.float64, (KNOTS,)),  # m along the path
        ("knot_d", np.float64, (KNOTS,)),  # m
        ("first_slope", np.float64),  # of the profile at its first knot
        ("first_bend", np.float64),  # 1/m, its second derivative there
        ("nudge", np.float64),  # m, small shift inside the lane for those who come too near
        ("nudge_target", np.float64),
        ("manoeuvre", np.int8),
        ("pass_until", np.float64),  # m along the path at which the manoeuvre has ended
        ("blocked", np.float64),  # s behind an obstacle
        ("wait_offset", np.float64),  # m, place beside the path at which the ego waits to pass it, or began to
        ("acceleration", np.float64),  # m/s2 commanded last
        ("rushing", np.int8),  # 1: on its way through a gap
        ("still", np.float64),  # s the ego has stood
        ("at_line", np.float64),  # s the ego has stood at a blocked junction
        ("stop_sign", np.int32),  # sign that has been obeyed, -1 none
        ("sign_time", np.float64),  # s stood at the sign ahead
        ("held_green", np.float64),  # s for which a scenario has held the next light green
        ("prepared", np.int8),  # 1: the lights below are known
        ("num_lights", np.int32),
        ("light", np.int32, (MAX_PATH_LIGHTS,)),  # lights whose stop points lie on the path
        ("light_s", np.float64, (MAX_PATH_LIGHTS,)),  # m along the path of that point
        ("stood", np.float64, (MAX_ACTORS,)),  # s each actor has stood
        ("stood_id", np.int32, (MAX_ACTORS,)),  # whose time that is
    ],
    align=True,
)


def empty_memory(count: int) -> np.ndarray:
    """EXPERT[count] at the start of an episode."""
    memory = np.zeros(count, EXPERT)
    memory["stop_sign"] = -1
    return memory


class Sheet(NamedTuple):
    """Scratch of one tick; nothing in it outlives the tick. N = MAX_NEAR, T = LONG_STEPS.

    Path frame: s metres along the path, d metres right of it, turn rad of the heading against the path.
    """

    count: np.ndarray  # type: ignore[assignment]  # int64[1] actors in the lists
    slot: np.ndarray  # int64[N] slot in the world
    s: np.ndarray  # float64[N, T] forecast of the box centre, path frame
    d: np.ndarray  # float64[N, T]
    turn: np.ndarray  # float64[N, T] rad
    fixed: np.ndarray  # int64[N] 1: stands and will stand
    yielding: np.ndarray  # int64[N] 1: a follower that brakes for the ego
    obstacle: np.ndarray  # int64[N] 3: of the cluster to pass, 2: in the way, 1: near the way, 0: none
    cluster: np.ndarray  # float64[5] what is passed in one go (`expert_passing.find_cluster`)
    # float64[N] m behind the actor in its slot: the next one of a flow, yet to come; 0 the actor itself
    behind: np.ndarray
    speed: np.ndarray  # float64[N] m/s along the path now
    low: np.ndarray  # float64[N, T] where the ego's centre must not be: from
    high: np.ndarray  # float64[N, T] to; low > high where nothing is blocked
    keep: np.ndarray  # float64[N] m to keep behind it at standstill
    busy_count: np.ndarray  # int64[T] blocked stretches per step, margins in time included
    busy_low: np.ndarray  # float64[T, MAX_BUSY]
    busy_high: np.ndarray  # float64[T, MAX_BUSY]
    busy_keep: np.ndarray  # float64[T, MAX_BUSY] m to keep at standstill; negative for those that one does not follow
    busy_speed: np.ndarray  # float64[T, MAX_BUSY] m/s along the path
    cap: np.ndarray  # float64[CAPS] m/s allowed at cap_start + k * CAP_METRES
    pace: np.ndarray  # float64[CAPS] metres of path per metre driven there: less than 1 on the outside of a bend
    cap_start: np.ndarray  # float64[1] m
    coarse_x: np.ndarray  # float64[COARSE] m
    coarse_y: np.ndarray  # float64[COARSE]
    coarse_first: np.ndarray  # int64[2] path index of the first, and how many
    trial_s: np.ndarray  # float64[KNOTS] a profile that is being tried
    trial_d: np.ndarray  # float64[KNOTS]
    trial_count: np.ndarray  # int64[1] its knots
    trial_slope: np.ndarray  # float64[1] its first slope
    trial_bend: np.ndarray  # float64[1] 1/m its first second derivative
    stop: np.ndarray  # float64[1] m along the path where the centre must halt, huge for nowhere


def new_sheet() -> Sheet:
    """A sheet for one thread."""
    n, t, m = MAX_NEAR, LONG_STEPS, MAX_BUSY
    return Sheet(
        count=np.zeros(1, np.int64),
        slot=np.zeros(n, np.int64),
        s=np.zeros((n, t)),
        d=np.zeros((n, t)),
        turn=np.zeros((n, t)),
        fixed=np.zeros(n, np.int64),
        yielding=np.zeros(n, np.int64),
        obstacle=np.zeros(n, np.int64),
        cluster=np.zeros(5),
        behind=np.zeros(n),
        speed=np.zeros(n),
        low=np.zeros((n, t)),
        high=np.zeros((n, t)),
        keep=np.zeros(n),
        busy_count=np.zeros(t, np.int64),
        busy_low=np.zeros((t, m)),
        busy_high=np.zeros((t, m)),
        busy_keep=np.zeros((t, m)),
        busy_speed=np.zeros((t, m)),
        cap=np.zeros(CAPS),
        pace=np.ones(CAPS),
        cap_start=np.zeros(1),
        coarse_x=np.zeros(COARSE),
        coarse_y=np.zeros(COARSE),
        coarse_first=np.zeros(2, np.int64),
        trial_s=np.zeros(KNOTS),
        trial_d=np.zeros(KNOTS),
        trial_count=np.zeros(1, np.int64),
        trial_slope=np.zeros(1),
        trial_bend=np.zeros(1),
        stop=np.zeros(1),
    )
