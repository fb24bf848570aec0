"""Sensors that speak up when something happens: collision, lane invasion, obstacle."""

from __future__ import annotations

import math

from simulator.blueprints import Kind
from simulator.collisions import mass_of
from simulator.kernel import kernel
from simulator.roads.network import LaneType
from simulator.roads.queries import nearest_lane
from simulator.sensors.pose import previous_place, sensor_pose

_PROP = int(Kind.PROP)
_DRIVING = int(LaneType.DRIVING)
_ON_LANES = 0xFF & ~(1 << int(LaneType.NONE))
MAX_MARKS_CROSSED = 32
_STILL = 1e-6  # m; corners that move less have crossed nothing
_TOUCH = 1e-3  # m, what a sweep counts as a hit
_MAX_MARCH = 200


@kernel
def contact_normal(w, i, j):  # type: ignore[no-untyped-def]
    """Unit direction that pushes box i away from box j: the axis on which they overlap least, or are furthest apart."""
    dx = w.x[i] - w.x[j]
    dy = w.y[i] - w.y[j]
    turn = w.yaw[i] - w.yaw[j]
    cc = abs(math.cos(turn))
    sc = abs(math.sin(turn))
    best = 1e18
    nx = 1.0
    ny = 0.0
    for axis in range(4):
        yaw = w.yaw[i] if axis < 2 else w.yaw[j]
        own = i if axis < 2 else j
        other = j if axis < 2 else i
        ax, ay = math.cos(yaw), math.sin(yaw)
        if axis % 2 == 0:
            reach = w.half_length[own] + w.half_length[other] * cc + w.half_width[other] * sc
        else:
            ax, ay = -ay, ax
            reach = w.half_width[own] + w.half_length[other] * sc + w.half_width[other] * cc
        along = dx * ax + dy * ay
        depth = reach - abs(along)
        if depth < best:
            best = depth
            sign = 1.0 if along >= 0.0 else -1.0
            nx = ax * sign
            ny = ay * sign
    return nx, ny


@kernel
def measure_collisions(w, slot, others, impulses):  # type: ignore[no-untyped-def]
    """Contacts of this tick; only those of the ego vehicle (slot 0) are in the record.

    Args:
        others: int64[MAX_CONTACTS] slots, written.
        impulses: float64[MAX_CONTACTS, 3] N s on the vehicle, world, written.

    Returns:
        how many.
    """
    if slot != 0:
        return 0
    mass = mass_of(w, slot)
    for k in range(w.num_contacts):
        other = w.contact_slot[k]
        nx, ny = contact_normal(w, slot, other)
        others[k] = other
        impulses[k, 0] = w.contact_impulse[k] * mass * nx
        impulses[k, 1] = w.contact_impulse[k] * mass * ny
        impulses[k, 2] = 0.0
    return w.num_contacts


@kernel
def measure_lane_invasion(w, net, slot, marks):  # type: ignore[no-untyped-def]
    """Markings that the corners of a vehicle's box have crossed in this tick, corner by corner.

    CARLA's rule: a corner crosses what lies between the lanes that it was on and is on; nothing counts in junctions,
    from one road or lane section to another, or off the driving lanes.

    Args:
        marks: int64[MAX_MARKS_CROSSED], written: LaneMark + 16 * MarkColor.

    Returns:
        how many.
    """
    old_x, old_y, old_yaw = previous_place(w, slot)
    count = 0
    for corner in range(4):
        ahead = w.half_length[slot] * (1.0 if corner < 2 else -1.0)
        right = w.half_width[slot] * (1.0 if corner % 2 == 0 else -1.0)
        ax = old_x + ahead * math.cos(old_yaw) - right * math.sin(old_yaw)
        ay = old_y + ahead * math.sin(old_yaw) + right * math.cos(old_yaw)
        bx = w.x[slot] + ahead * math.cos(w.yaw[slot]) - right * math.sin(w.yaw[slot])
        by = w.y[slot] + ahead * math.sin(w.yaw[slot]) + right * math.cos(w.yaw[slot])
        if math.hypot(bx - ax, by - ay) < _STILL:
            continue
        a, s, lateral, gap = nearest_lane(net, ax, ay, w.z[slot], _ON_LANES)
        b, s, lateral, gap = nearest_lane(net, bx, by, w.z[slot], _ON_LANES)
        if a < 0 or b < 0 or a == b:
            continue
        if net.lane_road[a] != net.lane_road[b] or net.lane_section[a] != net.lane_section[b]:
            continue
        if net.lane_junction[a] >= 0 or net.lane_junction[b] >= 0:
            continue
        count = _marks_between(net, a, b, s, lateral, marks, count)
    return count


@kernel
def _marks_between(net, a, b, b_s, b_lateral, marks, count):  # type: ignore[no-untyped-def]
    """Add the markings from lane a to lane b of the same section, in the order of crossing."""
    share = b_s / net.lane_length[b]
    lane = a
    while lane != b and count < len(marks):
        step = 1 if net.lane_id[b] > net.lane_id[lane] else -1
        wanted = net.lane_id[lane] + step
        if wanted == 0:
            wanted += step
        beyond = _lane_in_section(net, lane, wanted)
        if beyond < 0:
            break
        if net.lane_type[lane] == _DRIVING or net.lane_type[beyond] == _DRIVING:
            # the marking is told by the lane nearer to the reference line, on the side that faces the other
            inner = lane if abs(net.lane_id[lane]) <= abs(net.lane_id[beyond]) else beyond
            outer = beyond if inner == lane else lane
            if (net.lane_id[lane] > 0) == (net.lane_id[beyond] > 0):
                on_left = net.lane_left[inner] == outer
            else:
                on_left = b_lateral < 0.0 or beyond != b  # the centre line, on the left unless traffic keeps left
            at = share if (net.lane_id[inner] > 0) == (net.lane_id[b] > 0) else 1.0 - share
            first = net.lane_first[inner]
            points = net.lane_first[inner + 1] - first
            p = first + min(max(int(at * (points - 1) + 0.5), 0), points - 1)
            marks[count] = net.point_left_mark[p] if on_left else net.point_right_mark[p]
            count += 1
        lane = beyond
    return count


@kernel
def _lane_in_section(net, lane, lane_id):  # type: ignore[no-untyped-def]
    """The lane of this id beside `lane`, or -1; lanes of one section are numbered one after the other."""
    for step in (-1, 1):
        k = lane + step
        while 0 <= k < len(net.lane_id):
            if net.lane_road[k] != net.lane_road[lane] or net.lane_section[k] != net.lane_section[lane]:
                break
            if net.lane_id[k] == lane_id:
                return k
            k += step
    return -1


@kernel
def measure_obstacle(w, slot, place, distance, radius, only_dynamics, pose, scratch):  # type: ignore[no-untyped-def]
    """First actor that a ball meets on its way straight ahead of the sensor.

    Args:
        distance: m that the ball travels, `radius`: m.
        only_dynamics: 1 to look through props.

    Returns:
        (slot or -1, metres that the ball has travelled).
    """
    sensor_pose(w, slot, place, pose, scratch)
    best = distance
    found = -1
    for j in range(w.num_slots):
        if j == slot or w.kind[j] == 0 or w.hidden[j] == 1 or (only_dynamics == 1 and w.kind[j] == _PROP):
            continue
        size = w.half_length[j] + w.half_width[j] + w.half_height[j]
        far = math.hypot(w.x[j] - pose[0, 0], w.y[j] - pose[0, 1]) - size - radius
        if far > best:
            continue
        travelled = 0.0
        for _ in range(_MAX_MARCH):
            gap = _distance_to_box(w, j, pose, travelled) - radius
            if gap < _TOUCH:
                best = travelled
                found = j
                break
            travelled += gap
            if travelled >= best:
                break
    return found, best


@kernel
def _distance_to_box(w, j, pose, travelled):  # type: ignore[no-untyped-def]
    """Metres from a point `travelled` ahead of a pose to an actor's box; 0 inside."""
    dx = pose[0, 0] + travelled * pose[1, 0] - w.x[j]
    dy = pose[0, 1] + travelled * pose[1, 1] - w.y[j]
    dz = pose[0, 2] + travelled * pose[1, 2] - w.z[j] - w.half_height[j]
    c, s = math.cos(w.yaw[j]), math.sin(w.yaw[j])
    ex = max(abs(dx * c + dy * s) - w.half_length[j], 0.0)
    ey = max(abs(-dx * s + dy * c) - w.half_width[j], 0.0)
    ez = max(abs(dz) - w.half_height[j], 0.0)
    return math.sqrt(ex * ex + ey * ey + ez * ez)
