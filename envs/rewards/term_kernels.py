"""The terms of a reward, tick by tick, for every world of a batch."""

from __future__ import annotations

import math

from envs.rewards.comfort_terms import SAMPLE_TICKS, judge_comfort, sample_motion
from envs.rewards.hazards import collision_ahead, desired_share, off_the_road
from envs.rewards.terms import (
    ARRIVAL,
    CARL,
    CARL_HINT,
    COMPLETION,
    DISCOMFORT,
    INFRACTIONS,
    NAMES,
    OFF_CENTRE,
    OFF_ROAD,
    PROGRESS,
    ROACH_END,
    ROACH_POSITION,
    ROACH_ROTATION,
    ROACH_SPEED,
    ROACH_STEER,
    SCORE,
    SPEEDING,
    STANDING,
    STEERING,
    TIME,
    TTC,
    WRONG_WAY,
)
from leaderboard_adapters.criteria import finish_criteria
from leaderboard_adapters.criteria_events import penalty_so_far
from leaderboard_adapters.criteria_progress import route_length
from leaderboard_adapters.criteria_state import LAYOUT, MIN_SPEED, PEDESTRIAN, RED_LIGHT, STOP, VEHICLE, RouteEnd
from leaderboard_adapters.records import INFRACTION_NAMES
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS
from simulator.tracking import path_point

#: Columns of `needs`: what a reward wants computed.
NEEDS_OFF_ROAD, NEEDS_TTC, NEEDS_COMFORT, NEEDS_ROACH = range(4)
#: Columns of `settings`, as the fields of `RewardSettings`.
OVERSPEED, PENALTY_SECONDS, TTC_FACTOR, COMFORT_FACTOR, LANE_OFFSET, LANE_SECONDS, LANE_FACTOR, ROACH_FREE = range(8)

_LISTS = len(INFRACTION_NAMES)
_FIRST_LIST = NAMES.index(INFRACTION_NAMES[0])  # lists stand in order, without the min-speed one
_OFF_ROAD_STOP = _LISTS  # column of `stops`
_COMPLETED = int(RouteEnd.COMPLETED)
_INTERRUPTED = int(RouteEnd.INTERRUPTED)
_UNIT = TICK_SECONDS / 0.1  # Roach's terms are those of steps of 0.1 s


@kernel
def begin_reward(w, c, m):  # type: ignore[no-untyped-def]
    """Begin to reward a world that has just been reset; whatever the record held is forgotten."""
    m.tick = c.tick
    m.stopped = 0
    m.route_percent = c.route_percent
    m.wrong_distance = c.wrong_distance
    m.score = 0.0
    m.counts[:] = c.counts[:]
    m.steer = w.steer[EGO]
    m.off_road = 0
    m.ttc_left = 0
    m.comfort_left[:] = 0
    m.off_centre_ticks = 0
    m.num_samples = 0
    m.longitudinal[:] = 0.0
    m.lateral[:] = 0.0
    m.magnitude[:] = 0.0
    m.yaw[:] = 0.0
    m.last_vx = w.vx[EGO]
    m.last_vy = w.vy[EGO]
    m.exceeded = 0
    m.ttc_now = 0


@kernel
def count_infractions(w, c, m, net, needs, terms):  # type: ignore[no-untyped-def]
    """Terms of new infractions; returns (new ones, worst kind: 0 none, 1 any, 2 red light or stop, 3 collision)."""
    fresh = 0
    grave = 0
    column = _FIRST_LIST
    for code in range(_LISTS):
        more = c.counts[code] - m.counts[code]
        if code == MIN_SPEED:
            continue
        if more > 0:
            fresh += more
            terms[column] += more
            kind = 1
            if code in (RED_LIGHT, STOP):
                kind = 2
            if code in (LAYOUT, PEDESTRIAN, VEHICLE):
                kind = 3
            grave = max(grave, kind)
            if code == RED_LIGHT or kind == 3:
                terms[CARL_HINT] = 1.0
        column += 1
    terms[INFRACTIONS] += fresh
    if needs[NEEDS_OFF_ROAD] == 1 and m.off_road == 0 and c.outside_lane == 1 and off_the_road(w, net):
        m.off_road = 1
        terms[OFF_ROAD] += 1.0
    return fresh, grave


@kernel
def soft_penalty(w, c, m, net, switches, settings, over, centred):  # type: ignore[no-untyped-def]
    """CaRL's factor 0..1 of all soft penalties.

    Args:
        over: speed above the limit, m/s. centred: whether the ego is near the centre of its lane, or in a junction.
    """
    m.off_centre_ticks = max(m.off_centre_ticks - 1, 0) if centred else m.off_centre_ticks + 1
    if c.outside_lane == 1 or (c.wrong_lane == 1 and switches.wrong_direction_test == 1):
        return 0.0
    factor = 1.0
    if over > 0.0:
        factor *= max(0.0, 1.0 - over / settings[OVERSPEED]) if settings[OVERSPEED] > 0.0 else 0.0
    if m.ttc_left > 0:
        factor *= settings[TTC_FACTOR]
    violated = 0
    for k in range(6):
        if m.comfort_left[k] > 0:
            violated += 1
    factor *= 1.0 - settings[COMFORT_FACTOR] * violated / 6.0
    if m.off_centre_ticks * TICK_SECONDS > settings[LANE_SECONDS]:
        factor *= settings[LANE_FACTOR]
    return factor


@kernel
def roach_terms(w, c, net, routes, settings, heading, terms):  # type: ignore[no-untyped-def]
    """Roach's dense terms. `heading`: rad against the path."""
    free = max(settings[ROACH_FREE], 1e-6)
    desired = free * desired_share(w, c, net, routes)
    terms[ROACH_SPEED] += _UNIT * (1.0 - abs(abs(w.speed[EGO]) - desired) / free)
    terms[ROACH_POSITION] -= _UNIT * 0.5 * abs(w.path_offset)
    terms[ROACH_ROTATION] -= _UNIT * abs(heading)


@kernel
def tick_reward(w, c, m, switches, net, routes, settings, needs, stops, terms):  # type: ignore[no-untyped-def]
    """Add one tick to the terms of one world; end its episode where an infraction of `stops` is new."""
    if c.tick == m.tick:
        return
    m.tick = c.tick
    percent = 100.0 if c.finished == _COMPLETED else c.route_percent  # the official score rounds an arrival up
    gained = percent - m.route_percent
    speed = abs(w.speed[EGO])
    score = percent * penalty_so_far(c)
    terms[PROGRESS] += gained / 100.0 * route_length(w, routes)
    terms[COMPLETION] += gained
    terms[SCORE] += score - m.score
    terms[TIME] += TICK_SECONDS
    if speed < 0.1:
        terms[STANDING] += TICK_SECONDS
    terms[WRONG_WAY] += c.wrong_distance - m.wrong_distance
    lane = w.lane[EGO]
    over = max(speed - net.lane_speed_limit[lane], 0.0) if lane >= 0 else 0.0
    terms[SPEEDING] += over * TICK_SECONDS
    terms[OFF_CENTRE] += abs(w.path_offset) * TICK_SECONDS
    turned = abs(w.steer[EGO] - m.steer)
    terms[STEERING] += turned
    if turned > 0.01:
        terms[ROACH_STEER] -= 0.1
    m.steer = w.steer[EGO]
    if c.finished == _COMPLETED:
        terms[ARRIVAL] += 1.0

    sampling = c.tick % SAMPLE_TICKS == 0
    hold = int(settings[PENALTY_SECONDS] / TICK_SECONDS + 0.5)
    if needs[NEEDS_TTC] == 1:
        if sampling:
            m.ttc_left = max(m.ttc_left - SAMPLE_TICKS, 0)
            m.ttc_now = 1 if collision_ahead(w) else 0
            if m.ttc_now == 1:
                m.ttc_left = hold
        terms[TTC] += m.ttc_now * TICK_SECONDS
    if needs[NEEDS_COMFORT] == 1:
        if sampling:
            sample_motion(w, m)
            judge_comfort(m, hold, SAMPLE_TICKS)
        terms[DISCOMFORT] += m.exceeded * TICK_SECONDS
    x, y, yaw, curvature = path_point(routes, w.route, w.path_s)
    turn = w.yaw[EGO] - yaw
    if needs[NEEDS_ROACH] == 1:
        roach_terms(w, c, net, routes, settings, math.atan2(math.sin(turn), math.cos(turn)), terms)
    fresh, grave = count_infractions(w, c, m, net, needs, terms)
    centred = lane < 0 or net.lane_junction[lane] >= 0 or abs(w.lane_offset[EGO]) <= settings[LANE_OFFSET]
    terms[CARL] += gained * soft_penalty(w, c, m, net, switches, settings, over, centred)

    stop = stops[_OFF_ROAD_STOP] == 1 and m.off_road == 1
    for code in range(_LISTS):
        if stops[code] == 1 and c.counts[code] > m.counts[code]:
            stop = True
    if stop and c.finished == 0:
        m.stopped = 1
        finish_criteria(w, c, switches, net, routes, _INTERRUPTED)
    if c.finished != 0 and c.finished != _COMPLETED:
        terms[ROACH_END] -= 1.0
    if grave >= 2:
        terms[ROACH_END] -= speed
        if c.finished == 0:
            terms[ROACH_END] -= 1.0
    m.route_percent = percent
    m.wrong_distance = c.wrong_distance
    m.score = score
    for code in range(_LISTS):
        m.counts[code] = c.counts[code]


@kernel
def tick_rewards(worlds, criteria, memory, switches, net, routes, settings, needs, stops, terms):  # type: ignore[no-untyped-def]
    """`tick_reward` for every world that has ticked. `terms`: float64[B, terms], to which the tick is added."""
    for b in range(worlds.shape[0]):
        tick_reward(
            worlds[b], criteria[b], memory[b], switches[b], net, routes, settings, needs, stops, terms[b]
        )  # fmt: skip


@kernel
def weigh(terms, weights, rewards):  # type: ignore[no-untyped-def]
    """Turn terms float64[B, terms] into what they contribute, and their sums float64[B]."""
    for b in range(terms.shape[0]):
        total = 0.0
        for k in range(terms.shape[1]):
            terms[b, k] *= weights[k]
            total += terms[b, k]
        rewards[b] = total
