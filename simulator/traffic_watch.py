"""Watching traffic: what happens between vehicles, counted tick by tick.

`watch_traffic` reads a world after a tick and changes nothing in it. A `TALLY` adds up one world; tallies of several
worlds are added with `add_tallies`. Counted are vehicles that follow lanes (`Behaviour.LANES`); the ego, scripted
vehicles and walkers only where they touch one of them.
"""

from __future__ import annotations

import numpy as np

from simulator.blueprints import Kind
from simulator.collisions import FLAT, overlap
from simulator.kernel import kernel
from simulator.roads.queries import lane_width
from simulator.state import EGO, MAX_ACTORS, MAX_LIGHTS, MAX_PLAN, TICK_SECONDS, Behaviour, DriverFlag, LightState

_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)
_RED = int(LightState.RED)
_GREEN = int(LightState.GREEN)
_OFF = int(LightState.OFF)
_IGNORE_LIGHTS = int(DriverFlag.IGNORE_LIGHTS)
_IGNORE_SIGNS = int(DriverFlag.IGNORE_SIGNS)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)

STUCK_SECONDS = 60.0  # of standing, red lights not counted
_STANDS = 0.3  # m/s
_MOVES = 3.0  # m/s that end a time of standing: creeping up in a queue does not
_QUEUE = 15.0  # m to the rear of who stands ahead in a queue
_TOUCH = 0.01  # m between boxes that a tick has pushed apart
_APART_TICKS = 20  # ticks without touch after which a touch is a new contact
_TIME_GAP_FROM = 3.0  # m/s from which a distance is told as a time

#: Histograms: upper end of the first bin 0, bins of equal width, the last one open.
OFFSET_BIN = 0.02  # m
ACCELERATION_BIN = 0.1  # m/s2
TIME_GAP_BIN = 0.05  # s
BINS = 200

TALLY = np.dtype(
    [
        ("ticks", np.int64),
        ("vehicle_ticks", np.int64),
        ("metres", np.float64),
        ("limit_metres", np.float64),  # what they had driven at the speed limit
        ("contacts", np.int64),  # between two traffic vehicles
        ("scripted_contacts", np.int64),  # between a traffic vehicle and a scripted actor
        ("walker_contacts", np.int64),  # between a traffic vehicle and a walker
        ("ego_contacts", np.int64),  # between the ego and a traffic vehicle
        ("deepest", np.float64),  # m that two boxes overlap after a tick
        ("offset_bins", np.int64, (BINS,)),  # distance from the wanted line
        ("offset_max", np.float64),  # m
        ("off_lane_ticks", np.int64),  # centre beyond the edge of its lane, or on none
        ("red_runs", np.int64),
        ("stop_runs", np.int64),
        ("entries_lights", np.int64),  # into junctions with lights
        ("entries_other", np.int64),
        ("acceleration_bins", np.int64, (BINS,)),  # along the heading, either sign
        ("hardest_brake", np.float64),  # m/s2, positive
        ("sideways_max", np.float64),  # m/s2
        ("time_gap_bins", np.int64, (BINS,)),
        ("time_gap_min", np.float64),  # s
        ("stuck", np.int64),  # times that a vehicle has stood for `STUCK_SECONDS`
        ("longest_stuck", np.float64),  # s
        ("stuck_now", np.int64),  # vehicles that stand so at the last tick watched
        # what has to be remembered from the tick before
        ("other_contacts", np.int64),
        ("actor_id", np.int64, (MAX_ACTORS,)),
        ("lane", np.int64, (MAX_ACTORS,)),
        ("front", np.float64, (MAX_ACTORS,)),
        ("speed", np.float64, (MAX_ACTORS,)),
        ("halted", np.int64, (MAX_ACTORS,)),
        ("standing", np.float64, (MAX_ACTORS,)),
        ("light_state", np.int64, (MAX_LIGHTS,)),
        ("touched", np.int64, (MAX_ACTORS, MAX_ACTORS)),  # tick after their last touch
        # where the first of each kind happened: x, y, tick, actor id
        ("first_contact", np.float64, (4,)),
        ("first_red_run", np.float64, (4,)),
        ("first_stop_run", np.float64, (4,)),
        ("first_stuck", np.float64, (4,)),
        ("worst_offset", np.float64, (4,)),
    ],
    align=True,
)

_ADDED = (
    "ticks", "vehicle_ticks", "metres", "limit_metres", "contacts", "scripted_contacts", "walker_contacts",
    "ego_contacts", "offset_bins", "off_lane_ticks", "red_runs", "stop_runs", "entries_lights", "entries_other",
    "acceleration_bins", "time_gap_bins", "stuck", "stuck_now",
)  # fmt: skip
_HIGHEST = ("deepest", "offset_max", "hardest_brake", "sideways_max", "longest_stuck")


def empty_tallies(count: int) -> np.ndarray:
    """TALLY[count] with nothing seen yet."""
    tallies = np.zeros(count, TALLY)
    tallies["time_gap_min"] = np.inf
    tallies["lane"] = -1
    return tallies


def add_tallies(tallies: np.ndarray) -> np.void:
    """One TALLY that sums up TALLY[n]; what is remembered between ticks is left empty."""
    total = empty_tallies(1)
    for name in _ADDED:
        total[name] = tallies[name].sum(axis=0)
    for name in _HIGHEST:
        total[name] = tallies[name].max(initial=0.0)
    total["time_gap_min"] = tallies["time_gap_min"].min(initial=np.inf)
    one: np.void = total[0]
    return one


def histogram_mean(bins: np.ndarray, width: float) -> float:
    """Mean of a histogram whose bin k holds values from k to k + 1 widths."""
    return float((bins * (np.arange(len(bins)) + 0.5)).sum() * width / max(bins.sum(), 1))


def histogram_quantile(bins: np.ndarray, width: float, share: float) -> float:
    """Upper end of the bin in which `share` of all values is reached."""
    if bins.sum() == 0:
        return 0.0
    return float((np.searchsorted(np.cumsum(bins), share * bins.sum()) + 1) * width)


@kernel
def note_place(w, place, i):  # type: ignore[no-untyped-def]
    """Where and when something happened first."""
    if place[2] == 0.0:
        place[0] = w.x[i]
        place[1] = w.y[i]
        place[2] = w.tick
        place[3] = w.actor_id[i]


@kernel
def add_to_bin(bins, value, width):  # type: ignore[no-untyped-def]
    """Count a value >= 0."""
    bins[min(int(value / width), BINS - 1)] += 1


@kernel
def watch_contacts(w, t):  # type: ignore[no-untyped-def]
    """Pairs whose boxes touch; a pair that has been apart for a second touches anew."""
    pushed = w.other_contacts > t.other_contacts or w.num_contacts > 0
    t.other_contacts = w.other_contacts
    for i in range(w.num_slots):
        if w.kind[i] == 0 or w.hidden[i] == 1 or w.behaviour[i] != _LANES:
            continue
        for j in range(w.num_slots):
            if j == i or w.kind[j] == 0 or w.hidden[j] == 1 or (w.behaviour[j] == _LANES and j < i):
                continue
            dx = w.x[i] - w.x[j]
            dy = w.y[i] - w.y[j]
            reach = w.half_length[i] + w.half_width[i] + w.half_length[j] + w.half_width[j]
            if dx * dx + dy * dy > reach * reach or 2.0 * w.half_height[j] < FLAT:
                continue
            if abs(w.z[i] - w.z[j]) > w.half_height[i] + w.half_height[j]:
                continue
            w.half_length[i] += _TOUCH
            w.half_width[i] += _TOUCH
            depth, nx, ny = overlap(w, i, j)
            w.half_length[i] -= _TOUCH
            w.half_width[i] -= _TOUCH
            if depth <= 0.0 or (not pushed and depth < 3.0 * _TOUCH):
                continue
            t.deepest = max(t.deepest, depth - _TOUCH)
            fresh = t.touched[i, j] == 0 or w.tick - t.touched[i, j] > _APART_TICKS
            t.touched[i, j] = w.tick + 1
            if not fresh:
                continue
            if j == EGO:
                t.ego_contacts += 1
            elif w.kind[j] == _WALKER:
                t.walker_contacts += 1
            elif w.behaviour[j] == _LANES:
                t.contacts += 1
                note_place(w, t.first_contact, i)
            else:
                t.scripted_contacts += 1


@kernel
def watch_line(w, net, t, i):  # type: ignore[no-untyped-def]
    """A vehicle that has crossed the line before a junction in this tick: on red, or past a stop sign in one go."""
    before = t.lane[i]
    if before < 0 or net.lane_junction[before] >= 0:
        return
    line = net.lane_stop_line[before]
    if line < 0.0:
        line = net.lane_length[before]
    front = w.lane_s[i] + w.half_length[i]
    moved_on = w.lane[i] != before
    if t.front[i] >= line or (not moved_on and front < line):
        return
    entering = w.lane[i] if moved_on else w.plan[i, 1]
    if entering < 0 or net.lane_junction[entering] < 0:
        return
    light = net.lane_light[entering]
    if light >= 0 and t.light_state[light] == _RED and w.driver_flags[i] & _IGNORE_LIGHTS == 0:
        t.red_runs += 1
        note_place(w, t.first_red_run, i)
    ruled_by_light = light >= 0 and t.light_state[light] != _OFF
    if net.lane_stop_sign[before] >= 0 and not ruled_by_light and w.driver_flags[i] & _IGNORE_SIGNS == 0:
        if t.halted[i] == 0:
            t.stop_runs += 1
            note_place(w, t.first_stop_run, i)


@kernel
def standing_leader(w, net, i):  # type: ignore[no-untyped-def]
    """Who stands next ahead on i's lanes, or -1. A junction, which queues leave clear, does not count as distance."""
    best = _QUEUE
    leader = -1
    start = -w.lane_s[i]
    for k in range(MAX_PLAN):
        lane = w.plan[i, k]
        if lane < 0 or start > _QUEUE:
            break
        for j in range(w.num_slots):
            if j != i and w.kind[j] != 0 and w.hidden[j] == 0 and w.lane[j] == lane and abs(w.speed[j]) < _MOVES:
                ahead = start + w.lane_s[j]
                if 0.0 < ahead - w.half_length[j] < best:
                    best = ahead - w.half_length[j]
                    leader = j
        start += net.lane_length[lane] if net.lane_junction[lane] < 0 else 0.0
    return leader


@kernel
def is_held(w, net, i):  # type: ignore[no-untyped-def]
    """True when i stands by rule or by script.

    So stands who waits at a light or for the ego, who is behind a scripted actor, and the queue behind one of these.
    """
    for _ in range(MAX_ACTORS):
        if w.behaviour[i] != _LANES or 0.0 <= w.target_speed[i] < 0.1:
            return True
        ahead = w.junction_lane[i]
        if ahead >= 0 and w.junction_distance[i] > 0.0:
            light = net.lane_light[ahead]
            if light >= 0 and w.light_state[light] != _GREEN and w.light_state[light] != _OFF:
                return True
        i = standing_leader(w, net, i)
        if i < 0:
            return False
    return False


@kernel
def watch_standing(w, net, t, i):  # type: ignore[no-untyped-def]
    """Time that a vehicle has stood without being held by a light or a script."""
    if w.speed[i] > _MOVES:
        t.standing[i] = 0.0
        return
    if w.speed[i] < _STANDS and not is_held(w, net, i):
        before = t.standing[i]
        t.standing[i] = before + TICK_SECONDS
        if before < STUCK_SECONDS <= t.standing[i]:
            t.stuck += 1
            note_place(w, t.first_stuck, i)
        t.longest_stuck = max(t.longest_stuck, t.standing[i])
    if t.standing[i] >= STUCK_SECONDS:
        t.stuck_now += 1


@kernel
def watch_following(w, net, t, i):  # type: ignore[no-untyped-def]
    """Time from i's front to the rear of who is ahead on its lane or the next."""
    if w.speed[i] < _TIME_GAP_FROM:
        return
    lane = w.lane[i]
    following = w.plan[i, 1]
    best = 1e9
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.kind[j] == _PROP or w.hidden[j] == 1:
            continue
        if w.lane[j] == lane and w.lane_s[j] > w.lane_s[i]:
            gap = w.lane_s[j] - w.lane_s[i]
        elif w.lane[j] == following and following >= 0:
            gap = net.lane_length[lane] - w.lane_s[i] + w.lane_s[j]
        else:
            continue
        if abs(w.lane_offset[j] - w.lane_offset[i]) < w.half_width[i] + w.half_width[j]:
            best = min(best, gap - w.half_length[i] - w.half_length[j])
    if best < 1e8:
        time = max(best, 0.0) / w.speed[i]
        t.time_gap_min = min(t.time_gap_min, time)
        add_to_bin(t.time_gap_bins, time, TIME_GAP_BIN)


@kernel
def watch_traffic(w, net, t):  # type: ignore[no-untyped-def]
    """Note in tally `t` what the tick that has just ended brought."""
    t.ticks += 1
    t.stuck_now = 0
    watch_contacts(w, t)
    for i in range(w.num_slots):
        driving = w.kind[i] != 0 and w.hidden[i] == 0 and w.behaviour[i] == _LANES and i != EGO
        known = driving and t.actor_id[i] == w.actor_id[i]
        if not known:
            t.lane[i] = -1
            t.halted[i] = 0
            t.standing[i] = 0.0
            t.actor_id[i] = w.actor_id[i] if driving else 0
        if not driving:
            continue
        t.vehicle_ticks += 1
        t.metres += abs(w.speed[i]) * TICK_SECONDS
        lane = w.lane[i]
        if lane < 0:
            t.off_lane_ticks += 1
            continue
        t.limit_metres += net.lane_speed_limit[lane] * TICK_SECONDS
        if known and t.lane[i] >= 0:
            watch_line(w, net, t, i)
            if net.lane_junction[lane] >= 0 and net.lane_junction[t.lane[i]] < 0:
                if net.lane_light[lane] >= 0:
                    t.entries_lights += 1
                else:
                    t.entries_other += 1
        if t.lane[i] != lane:
            t.halted[i] = 0
        if w.speed[i] < _STANDS:
            t.halted[i] = 1
        if w.changing_lane[i] == 0 and known:
            error = abs(w.lane_offset[i] - w.desired_offset[i])
            add_to_bin(t.offset_bins, error, OFFSET_BIN)
            if error > t.offset_max:
                t.offset_max = error
                t.worst_offset[2] = 0.0
                note_place(w, t.worst_offset, i)
            if abs(w.lane_offset[i]) > 0.5 * lane_width(net, lane, w.lane_s[i]):
                t.off_lane_ticks += 1
        if known:
            along = (w.speed[i] - t.speed[i]) / TICK_SECONDS
            add_to_bin(t.acceleration_bins, abs(along), ACCELERATION_BIN)
            t.hardest_brake = max(t.hardest_brake, -along)
            t.sideways_max = max(t.sideways_max, abs(w.speed[i] * w.yaw_rate[i]))
            watch_standing(w, net, t, i)
            watch_following(w, net, t, i)
        t.lane[i] = lane
        t.front[i] = w.lane_s[i] + w.half_length[i]
        t.speed[i] = w.speed[i]
    for k in range(net.light_group.shape[0]):
        t.light_state[k] = w.light_state[k]
