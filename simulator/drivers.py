"""Drivers of everybody but the ego: traffic on lanes (IDM), scripted tracks, walkers.

A driver decides an acceleration and a line from the state at the start of the tick; `move_actors` then rolls all
of them. Gaps are bumper to bumper, metres.
"""

from __future__ import annotations

import math

from simulator.actors import DOOR_WIDTH
from simulator.blueprints import Kind
from simulator.collisions import FLAT
from simulator.dynamics import drive_controlled, move, steer_along
from simulator.junctions import CRAWL, STANDING, junction_gap, see_junctions
from simulator.kernel import kernel
from simulator.lane_change import consider_lane_change, end_lane_change
from simulator.roads.queries import lane_curvature, lane_pose
from simulator.state import EGO, MAX_PLAN, TICK_SECONDS, Behaviour, DriverFlag

_LANES = int(Behaviour.LANES)
_TRACK = int(Behaviour.TRACK)
_WALK = int(Behaviour.WALK)
_HOLD = int(Behaviour.HOLD)
_CONTROLLED = int(Behaviour.CONTROLLED)
_IGNORE_VEHICLES = int(DriverFlag.IGNORE_VEHICLES)
_CONSTANT_VELOCITY = int(DriverFlag.CONSTANT_VELOCITY)
_NO_LANE_CHANGE = int(DriverFlag.NO_LANE_CHANGE)
_STOP_AT_END = int(DriverFlag.STOP_AT_END)
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)

FREE = 1e6  # m, nothing ahead
SIDE_MARGIN = 0.2  # m kept to either side
STANDSTILL_GAP = 2.0  # m, IDM s0
MAX_ACCELERATION = 1.8  # m/s2, IDM a
COMFORT_BRAKE = 3.0  # m/s2, IDM b
HARD_BRAKE = 8.0  # m/s2
BEND_BRAKE = 1.5  # m/s2 before a bend
LOOK_AHEAD = 80.0  # m
FORK_SIGHT = 40.0  # m to a fork
BRANCH = 25.0  # m behind a fork in which those on the other branch may still be in the way
CROSSING_SIGHT = 2.5  # s for which the way of crossing actors is foreseen
LANE_CHANGE_TICKS = 40  # it thinks about changing lanes every 2 s
DECISION_TICKS = 2  # a traffic driver decides every 0.1 s


@kernel
def idm(speed, wanted, gap, leader_speed, headway, standstill):  # type: ignore[no-untyped-def]
    """Intelligent Driver Model acceleration, m/s2 (Treiber et al. 2000, delta = 4)."""
    if wanted < 0.1:
        free = -COMFORT_BRAKE if speed > 0.0 else 0.0
    else:
        ratio = speed / wanted
        free = MAX_ACCELERATION * (1.0 - ratio * ratio * ratio * ratio)
        if free < -COMFORT_BRAKE:
            free = -COMFORT_BRAKE
    if gap >= FREE:
        return free
    closing = speed * (speed - leader_speed) / (2.0 * math.sqrt(MAX_ACCELERATION * COMFORT_BRAKE))
    desired = standstill + max(speed * headway + closing, 0.0)
    ratio = desired / max(gap, 0.1)
    return max(min(free, MAX_ACCELERATION * (1.0 - ratio * ratio)), -HARD_BRAKE)


@kernel
def leader_on_plan(w, net, i):  # type: ignore[no-untyped-def]
    """Nearest actor ahead on the lanes of i's plan, or just behind a fork on the branch that i does not take.

    Returns (gap metres or FREE, its speed along i's way).
    """
    best = FREE
    leader = -1
    start = -w.lane_s[i]  # from i to the start of the lane
    for k in range(MAX_PLAN):
        lane = w.plan[i, k]
        if lane < 0 or start > LOOK_AHEAD or start > best:
            break
        leader, best = nearest_on_lane(w, net, i, lane, start, False, leader, best)
        start += net.lane_length[lane]
        following = w.plan[i, k + 1] if k + 1 < MAX_PLAN else -1
        first = net.succ_first[lane]
        last = net.succ_first[lane + 1]
        if following >= 0 and last - first > 1 and start < FORK_SIGHT and start < best:
            for q in range(first, last):
                if net.succ_lane[q] != following:
                    leader, best = nearest_on_lane(w, net, i, net.succ_lane[q], start, True, leader, best)
    if leader < 0:
        return FREE, 0.0
    x, y, z, yaw = lane_pose(net, w.lane[leader], w.lane_s[leader])
    return best, max(w.vx[leader] * math.cos(yaw) + w.vy[leader] * math.sin(yaw), 0.0)


@kernel
def nearest_on_lane(w, net, i, lane, start, branch, leader, best):  # type: ignore[no-untyped-def]
    """The nearest actor on a lane that begins `start` metres ahead of i, if it is nearer than `leader`, `best` ahead.

    `branch`: i takes another way where this lane begins; only who still is in its way counts.
    Returns (slot or -1, gap).
    """
    for j in range(w.num_slots):
        if w.lane[j] != lane or j == i or w.kind[j] == 0:
            continue
        ahead = start + w.lane_s[j]
        gap = ahead - w.half_length[j] - w.half_length[i]
        if ahead < 0.0 or (ahead == 0.0 and j > i) or gap >= best or gap > LOOK_AHEAD or w.hidden[j] == 1:
            continue
        reach = w.half_width[i] + w.half_width[j] + 0.3
        if branch:
            if w.lane_s[j] > BRANCH or beside_plan(w, net, i, j, ahead) > reach:
                continue
        elif abs(w.lane_offset[j] - w.lane_offset[i]) > reach and w.changing_lane[j] == 0 and w.changing_lane[i] == 0:
            continue
        best = gap
        leader = j
    return leader, best


@kernel
def beside_plan(w, net, i, j, ahead):  # type: ignore[no-untyped-def]
    """Metres that the nearer end of j is away, sideways, from the line that i will drive `ahead` metres from now."""
    x, y, yaw = plan_pose(w, net, i, ahead)
    c = math.cos(yaw)
    s = math.sin(yaw)
    across = -(w.x[j] - x) * s + (w.y[j] - y) * c - w.desired_offset[i]
    slant = -math.cos(w.yaw[j]) * s + math.sin(w.yaw[j]) * c
    return max(abs(across) - abs(slant) * w.half_length[j], 0.0)


@kernel
def time_to_pass(w, i, gap):  # type: ignore[no-untyped-def]
    """Seconds, at most `CROSSING_SIGHT`, until i's rear has passed what is `gap` metres before its front."""
    return min((max(gap, 0.0) + 2.0 * w.half_length[i]) / max(w.speed[i], 1.0), CROSSING_SIGHT)


@kernel
def obstacle_in_corridor(w, i, curvature, reach):  # type: ignore[no-untyped-def]
    """Nearest actor within `reach` metres in the strip that i is about to sweep, whatever lane it is on.

    Catches walkers, scripted vehicles and cars that stick out of the next lane; crossing actors are taken on the way
    that they make until i has gone by (at most 2.5 s). Returns (gap or FREE, its speed along i's heading).
    """
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    best = FREE
    best_speed = 0.0
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.hidden[j] == 1:
            continue
        dx = w.x[j] - w.x[i]
        dy = w.y[j] - w.y[i]
        along = dx * c + dy * s
        if along <= 0.0 or along > reach or abs(w.z[j] - w.z[i]) > 3.0 or 2.0 * w.half_height[j] < FLAT:
            continue
        across = -dx * s + dy * c - 0.5 * curvature * along * along
        gap = gap_in_strip(w, i, j, along, across, w.yaw[i] + curvature * along)
        if gap < best:
            best = gap
            best_speed = max(w.vx[j] * c + w.vy[j] * s, 0.0)
    return best, best_speed


@kernel
def gap_in_strip(w, i, j, along, across, yaw):  # type: ignore[no-untyped-def]
    """Metres from i's front to j where j is, or will be when i comes by, in the strip that i sweeps; else FREE.

    Args:
        along: metres from i to j along i's line.
        across: metres of j beside that line, right positive.
        yaw: rad, direction of the line at j.
    """
    if abs(across) > 8.0:
        return FREE
    cj = abs(math.cos(w.yaw[j] - yaw))
    sj = abs(math.sin(w.yaw[j] - yaw))
    width = w.half_length[j] * sj + w.half_width[j] * cj
    if w.door[j] != 0:
        width += DOOR_WIDTH
    gap = along - w.half_length[j] * cj - w.half_width[j] * sj - w.half_length[i]
    if gap < -w.half_length[i]:
        return FREE
    margin = w.half_width[i] + width + SIDE_MARGIN
    hit = abs(across) < margin
    if not hit and w.speed[j] != 0.0:
        sideways = -w.vx[j] * math.sin(yaw) + w.vy[j] * math.cos(yaw)
        later = across + sideways * time_to_pass(w, i, gap)
        hit = abs(sideways) > 0.4 and (abs(later) < margin or across * later < 0.0)
    return max(gap, 0.05) if hit else FREE


@kernel
def plan_pose(w, net, i, ahead):  # type: ignore[no-untyped-def]
    """Pose (x, y, yaw) that is `ahead` metres along i's plan."""
    s = w.lane_s[i] + ahead
    k = 0
    lane = w.plan[i, 0]
    while k < MAX_PLAN - 1 and s > net.lane_length[lane] and w.plan[i, k + 1] >= 0:
        s -= net.lane_length[lane]
        k += 1
        lane = w.plan[i, k]
    x, y, z, yaw = lane_pose(net, lane, s)
    return x, y, yaw


@kernel
def obstacle_on_plan(w, net, i, reach):  # type: ignore[no-untyped-def]
    """Nearest actor within `reach` metres in the strip along i's planned lanes, whatever lane it is on itself.

    Catches walkers, scripted vehicles and cars that stick out of the next lane; crossing actors are taken on the way
    that they make until i has gone by (at most 2.5 s). Returns (gap or FREE, its speed along the plan).
    """
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    best = FREE
    best_speed = 0.0
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.hidden[j] == 1:
            continue
        dx = w.x[j] - w.x[i]
        dy = w.y[j] - w.y[i]
        along = dx * c + dy * s
        if along <= 0.0 or dx * dx + dy * dy > reach * reach:
            continue
        if abs(w.z[j] - w.z[i]) > 3.0 or 2.0 * w.half_height[j] < FLAT:
            continue
        px, py, yaw = plan_pose(w, net, i, along)
        pc = math.cos(yaw)
        ps = math.sin(yaw)
        across = -(w.x[j] - px) * ps + (w.y[j] - py) * pc - w.desired_offset[i]
        gap = gap_in_strip(w, i, j, along + (w.x[j] - px) * pc + (w.y[j] - py) * ps, across, yaw)
        if gap < best:
            best = gap
            best_speed = max(w.vx[j] * pc + w.vy[j] * ps, 0.0)
    return best, best_speed


@kernel
def track_pose(w, routes, i, ahead):  # type: ignore[no-untyped-def]
    """Pose (x, y, yaw) that is `ahead` metres along i's track; straight on beyond its end."""
    t = w.track[i]
    first = routes.track_first[t]
    count = routes.track_first[t + 1] - first
    f = max((w.track_s[i] + ahead) / routes.track_step[t], 0.0)
    k = min(int(f), count - 2)
    p = first + k
    f -= k
    yaw = routes.track_yaw[p] if f < 0.5 else routes.track_yaw[p + 1]
    x = routes.track_x[p] + f * (routes.track_x[p + 1] - routes.track_x[p])
    y = routes.track_y[p] + f * (routes.track_y[p + 1] - routes.track_y[p])
    return x, y, yaw


@kernel
def obstacle_on_track(w, routes, i, reach):  # type: ignore[no-untyped-def]
    """As `obstacle_on_plan`, in the strip along the track of a scripted vehicle, at the offset that it wants."""
    if w.behaviour[i] != _TRACK or w.track[i] < 0:
        return obstacle_in_corridor(w, i, 0.0, reach)
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    best = FREE
    best_speed = 0.0
    for j in range(w.num_slots):
        if j == i or w.kind[j] == 0 or w.hidden[j] == 1:
            continue
        dx = w.x[j] - w.x[i]
        dy = w.y[j] - w.y[i]
        along = dx * c + dy * s
        if along <= 0.0 or dx * dx + dy * dy > reach * reach:
            continue
        if abs(w.z[j] - w.z[i]) > 3.0 or 2.0 * w.half_height[j] < FLAT:
            continue
        for _ in range(2):  # the second look is from the place that the first has found
            px, py, yaw = track_pose(w, routes, i, along)
            pc = math.cos(yaw)
            ps = math.sin(yaw)
            along += (w.x[j] - px) * pc + (w.y[j] - py) * ps
        across = -(w.x[j] - px) * ps + (w.y[j] - py) * pc - w.desired_offset[i]
        gap = gap_in_strip(w, i, j, along, across, yaw)
        if gap < best:
            best = gap
            best_speed = max(w.vx[j] * pc + w.vy[j] * ps, 0.0)
    return best, best_speed


@kernel
def curve_speed(w, net, i):  # type: ignore[no-untyped-def]
    """Speed (m/s) that the bends ahead of a traffic vehicle allow."""
    lane = w.plan[i, 0]
    point = min(int(w.lane_s[i] / net.lane_step[lane]) + net.lane_first[lane], net.lane_first[lane + 1] - 1)
    allowed = net.point_bend_speed[point]
    ahead = net.lane_length[lane] - w.lane_s[i]
    for k in range(1, MAX_PLAN):
        lane = w.plan[i, k]
        if lane < 0 or ahead > max(LOOK_AHEAD, w.speed[i] * w.speed[i] / (2.0 * BEND_BRAKE)):
            break
        speed = net.point_bend_speed[net.lane_first[lane]]
        allowed = min(allowed, math.sqrt(speed * speed + 2.0 * BEND_BRAKE * ahead))
        ahead += net.lane_length[lane]
    return allowed


@kernel
def decide_on_lanes(w, net, i):  # type: ignore[no-untyped-def]
    """Set the acceleration of a traffic vehicle: target speed, bends, leader, junction rules."""
    flags = w.driver_flags[i]
    speed = w.speed[i]
    lane = w.plan[i, 0]
    limit = net.lane_speed_limit[lane] * w.speed_factor[i]
    wanted = limit if w.target_speed[i] < 0.0 else w.target_speed[i]
    wanted = min(wanted, curve_speed(w, net, i))
    acceleration = idm(speed, wanted, FREE, 0.0, 1.0, STANDSTILL_GAP)
    if flags & _IGNORE_VEHICLES == 0:
        gap, leader_speed = leader_on_plan(w, net, i)
        acceleration = min(acceleration, idm(speed, max(wanted, 0.1), gap, leader_speed, w.headway[i], STANDSTILL_GAP))
        gap, leader_speed = obstacle_on_plan(w, net, i, 8.0 + 1.2 * speed)
        acceleration = min(acceleration, idm(speed, max(wanted, 0.1), gap, leader_speed, 0.3, 1.0))
        if w.changing_lane[i] != 0:  # it is still in the way of those on the lane that it leaves, and they in its
            gap, leader_speed = obstacle_in_corridor(w, i, 0.0, 8.0 + 1.2 * speed)
            acceleration = min(acceleration, idm(speed, max(wanted, 0.1), gap, leader_speed, 0.3, 1.0))
    gap = junction_gap(w, net, i)
    if gap < FREE:
        acceleration = min(acceleration, idm(speed, max(wanted, 0.1), max(gap, 0.05), 0.0, 0.2, 0.4))
    if w.plan[i, 1] < 0:  # the road ends here
        left = net.lane_length[lane] - w.lane_s[i] - w.half_length[i]
        acceleration = min(acceleration, idm(speed, max(wanted, 0.1), max(left, 0.05), 0.0, 0.2, 0.5))
    w.acceleration[i] = acceleration


@kernel
def decide_on_track(w, routes, i):  # type: ignore[no-untyped-def]
    """Set the acceleration of a scripted vehicle; with constant velocity it is imposed in `roll_on_track`."""
    flags = w.driver_flags[i]
    acceleration = idm(w.speed[i], w.target_speed[i], FREE, 0.0, 1.0, STANDSTILL_GAP)
    if flags & _IGNORE_VEHICLES == 0:
        gap, leader_speed = obstacle_on_track(w, routes, i, 6.0 + 1.6 * abs(w.speed[i]))
        acceleration = min(
            acceleration, idm(w.speed[i], max(w.target_speed[i], 0.1), gap, leader_speed, 0.6, STANDSTILL_GAP)
        )
    w.acceleration[i] = acceleration


@kernel
def roll_on_lanes(w, net, i):  # type: ignore[no-untyped-def]
    """Move a traffic vehicle one tick along its lane."""
    lane = w.lane[i]
    s = w.lane_s[i]
    x, y, z, yaw = lane_pose(net, lane, s)
    heading = math.atan2(math.sin(w.yaw[i] - yaw), math.cos(w.yaw[i] - yaw))
    preview = min(s + 0.1 * w.speed[i], net.lane_length[lane])
    slip = steer_along(w, i, w.lane_offset[i] - w.desired_offset[i], heading, lane_curvature(net, lane, preview))
    move(w, i, slip, max(w.speed[i] + w.acceleration[i] * TICK_SECONDS, 0.0))


@kernel
def roll_on_track(w, routes, i):  # type: ignore[no-untyped-def]
    """Move a scripted vehicle one tick along its track.

    Returns True when it has passed the track's end.
    """
    t = w.track[i]
    first = routes.track_first[t]
    count = routes.track_first[t + 1] - first
    step = routes.track_step[t]
    k = min(max(int(w.track_s[i] / step), 0), count - 2)
    best = 1e18
    offset = 0.0
    for q in range(max(k - 1, 0), min(k + 4, count - 1)):
        p = first + q
        dx = routes.track_x[p + 1] - routes.track_x[p]
        dy = routes.track_y[p + 1] - routes.track_y[p]
        ex = w.x[i] - routes.track_x[p]
        ey = w.y[i] - routes.track_y[p]
        along = (ex * dx + ey * dy) / max(dx * dx + dy * dy, 1e-12)
        along = max(along, 0.0) if q < count - 2 else along
        clipped = min(along, 1.0)
        rx = ex - clipped * dx
        ry = ey - clipped * dy
        d2 = rx * rx + ry * ry
        if d2 < best:
            best = d2
            w.track_s[i] = (q + along if q == count - 2 else q + clipped) * step
            offset = (dx * ey - dy * ex) / max(math.sqrt(dx * dx + dy * dy), 1e-9)
    p = first + min(max(int(w.track_s[i] / step), 0), count - 2)
    share = min(max(w.track_s[i] / step - (p - first), 0.0), 1.0)
    turn = routes.track_yaw[p + 1] - routes.track_yaw[p]
    turn = math.atan2(math.sin(turn), math.cos(turn))
    yaw = routes.track_yaw[p] + share * turn
    curvature = turn / step
    heading = math.atan2(math.sin(w.yaw[i] - yaw), math.cos(w.yaw[i] - yaw))
    w.z[i] = routes.track_z[p]
    if w.driver_flags[i] & _CONSTANT_VELOCITY:
        following = w.target_speed[i]
    else:
        decide_on_track(w, routes, i)
        following = max(w.speed[i] + w.acceleration[i] * TICK_SECONDS, 0.0)
    slip = steer_along(w, i, offset - w.desired_offset[i], heading, curvature)
    move(w, i, slip, following)
    return w.track_s[i] >= (count - 1) * step - 0.3


@kernel
def count_waiting(w, net):  # type: ignore[no-untyped-def]
    """Time that traffic vehicles and the ego have crawled, or stood in a junction; counted for all at once."""
    for i in range(w.num_slots):
        if w.kind[i] == 0:
            continue
        inside = w.lane[i] >= 0 and net.lane_junction[w.lane[i]] >= 0
        if (i == EGO or w.behaviour[i] == _LANES) and abs(w.speed[i]) < (STANDING if inside else CRAWL):
            w.waiting[i] += TICK_SECONDS
        else:
            w.waiting[i] = 0.0


@kernel
def decide_all(w, net, routes):  # type: ignore[no-untyped-def]
    """Accelerations of traffic vehicles, from one and the same state; each decides every other tick (0.1 s)."""
    see_junctions(w, net, routes)
    count_waiting(w, net)
    for i in range(1, w.num_slots):
        if w.kind[i] == 0 or w.behaviour[i] != _LANES or w.hidden[i] == 1:
            continue
        if w.changing_lane[i] != 0:
            end_lane_change(w, net, i)
        elif w.bg_lane_changes == 1 and (i * 7 + w.tick) % LANE_CHANGE_TICKS == 0:
            if w.driver_flags[i] & _NO_LANE_CHANGE == 0:
                consider_lane_change(w, net, i)
        if (i + w.tick) % DECISION_TICKS != 0 and w.travelled[i] > 0.0:
            continue
        if w.lane[i] < 0 or w.plan[i, 0] < 0:
            w.acceleration[i] = -COMFORT_BRAKE
            continue
        decide_on_lanes(w, net, i)


@kernel
def move_actors(w, net, routes):  # type: ignore[no-untyped-def]
    """Roll every actor one tick."""
    for i in range(w.num_slots):
        if w.kind[i] == 0 or w.kind[i] == _PROP or w.hidden[i] == 1:
            continue
        behaviour = w.behaviour[i]
        if behaviour == _CONTROLLED:
            drive_controlled(w, i)
        elif behaviour == _LANES:
            if w.lane[i] >= 0:
                roll_on_lanes(w, net, i)
            else:
                move(w, i, 0.0, max(w.speed[i] - COMFORT_BRAKE * TICK_SECONDS, 0.0))
        elif behaviour == _TRACK:
            if roll_on_track(w, routes, i):
                leave_track(w, i)
        elif behaviour == _WALK:
            move(w, i, 0.0, w.target_speed[i])
            w.yaw_rate[i] = 0.0
        elif w.speed[i] != 0.0:  # HOLD: whatever still rolls comes to a stop
            slowed = max(abs(w.speed[i]) - HARD_BRAKE * TICK_SECONDS, 0.0)
            move(w, i, 0.0, slowed if w.speed[i] > 0.0 else -slowed)
        else:
            w.ax[i] = 0.0
            w.ay[i] = 0.0
            w.yaw_rate[i] = 0.0
        if i != EGO and w.travel_limit[i] > 0.0 and w.travelled[i] >= w.travel_limit[i]:
            w.behaviour[i] = _HOLD
            w.travel_limit[i] = 0.0
            w.target_speed[i] = 0.0


@kernel
def leave_track(w, i):  # type: ignore[no-untyped-def]
    """At the end of its track a vehicle stops, or goes on as traffic on the lane it is on."""
    if w.driver_flags[i] & _STOP_AT_END or w.lane[i] < 0:
        w.behaviour[i] = _HOLD
        w.target_speed[i] = 0.0
        return
    w.behaviour[i] = _LANES
    w.driver_flags[i] &= ~_CONSTANT_VELOCITY
    for k in range(MAX_PLAN):
        w.plan[i, k] = -1
    w.plan[i, 0] = w.lane[i]
