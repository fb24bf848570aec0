"""One tick of a server world: the whole order, in one place.

| order | what | from |
|---|---|---|
| 1 | vehicles and walkers roll under their controls; pushes, constant velocities, free fall | `dynamics`, here |
| 2 | boxes that overlap are pushed apart; every pair is noted | `simulator.collisions`, here |
| 3 | lanes, heights | `simulator.tracking`, here |
| 4 | traffic lights | `simulator.signals` |
| 5 | which light each vehicle stands at, and its speed limit | here |

Steps 1 to 3 are repeated where a client's fixed delta is longer than 0.05 s. Slot 0, whose contacts the record keeps
apart for routes, stays empty: no actor of a server is "the ego".
"""

from __future__ import annotations

import math

from simulator.blueprints import Kind
from simulator.carla_server.bodies import MAX_PAIRS
from simulator.collisions import boxes_overlap, contact, part
from simulator.dynamics import drive_for, roll_for, turn_wheels
from simulator.kernel import kernel
from simulator.roads.network import ANY_LANE_MASK, DRIVING_MASK
from simulator.roads.queries import lane_pose, nearest_lane
from simulator.signals import run_lights
from simulator.tracking import track_actor

GRAVITY = 9.81  # m/s2
AIRBORNE = 0.05  # m above the ground from which wheels and feet have no grip
BURIED = 2.0  # m below the ground from which an actor is under the town, and falls on
SPIN_FADES = 0.25  # s
LETHAL = 100.0  # N s, some 5 km/h of a walker
LIGHT_REACH = 30.0  # m within which trigger volumes are looked at

_VEHICLE = int(Kind.VEHICLE)
_BICYCLE = int(Kind.BICYCLE)
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)
_ANY = ANY_LANE_MASK & ~1  # every lane type but NONE
_DRIVING = DRIVING_MASK


@kernel
def tick_world(w, bodies, net, seconds, steps):  # type: ignore[no-untyped-def]
    """One tick of `steps` steps of `seconds` each."""
    bodies.num_pairs = 0
    for _ in range(steps):
        move_bodies(w, bodies, seconds)
        collide_bodies(w, bodies)
        stand_bodies(w, bodies, net, seconds)
    for i in range(w.num_slots):
        if bodies.led[i] == 1:  # for one tick only: a controller that stops leaves a walker that stands
            bodies.led[i] = 0
            bodies.walk_speed[i] = 0.0
    run_lights(w, net, steps * seconds)
    watch_lights(w, bodies, net)
    w.tick += 1
    w.time += steps * seconds


@kernel
def move_bodies(w, bodies, seconds):  # type: ignore[no-untyped-def]
    """Step 1."""
    for i in range(w.num_slots):
        kind = w.kind[i]
        if kind == 0 or kind == _PROP:
            continue
        if bodies.led[i] == 1:
            show_led(w, bodies, i, seconds)
            continue
        if bodies.physics[i] == 0:
            rest(w, bodies, i)
            continue
        push(w, bodies, i)
        if bodies.constant[i] == 1:
            roll_at_constant_velocity(w, bodies, i, seconds)
        elif w.z[i] > bodies.ground[i] + AIRBORNE or w.z[i] < bodies.ground[i] - BURIED:
            fly(w, i, seconds)
        elif kind == _WALKER:
            walk(w, bodies, i, seconds)
        else:
            drive_for(w, i, seconds)
        if bodies.spin[i] != 0.0:
            w.yaw[i] += bodies.spin[i] * seconds
            w.yaw_rate[i] += bodies.spin[i]
            bodies.spin[i] *= math.exp(-seconds / SPIN_FADES)
            if abs(bodies.spin[i]) < 1e-3:
                bodies.spin[i] = 0.0


@kernel
def rest(w, bodies, i):  # type: ignore[no-untyped-def]
    """An actor without physics stays where it is put."""
    w.speed[i] = 0.0
    w.vx[i] = 0.0
    w.vy[i] = 0.0
    w.ax[i] = 0.0
    w.ay[i] = 0.0
    w.yaw_rate[i] = 0.0
    bodies.vz[i] = 0.0


@kernel
def push(w, bodies, i):  # type: ignore[no-untyped-def]
    """Forces and impulses since the last tick; vehicles keep what lies along their wheels."""
    if bodies.push_x[i] == 0.0 and bodies.push_y[i] == 0.0 and bodies.push_z[i] == 0.0:
        return
    c = math.cos(w.yaw[i])
    s = math.sin(w.yaw[i])
    w.speed[i] += bodies.push_x[i] * c + bodies.push_y[i] * s
    w.vx[i] = w.speed[i] * c
    w.vy[i] = w.speed[i] * s
    bodies.vz[i] += bodies.push_z[i]
    bodies.push_x[i] = 0.0
    bodies.push_y[i] = 0.0
    bodies.push_z[i] = 0.0
    bodies.settled[i] = 0


@kernel
def roll_at_constant_velocity(w, bodies, i, seconds):  # type: ignore[no-untyped-def]
    """The velocity is imposed, in the actor's own axes; it still turns with its wheels."""
    slip = turn_wheels(w, i, seconds)
    w.speed[i] = bodies.constant_x[i]
    roll_for(w, i, slip, bodies.constant_x[i], seconds)
    aside = bodies.constant_y[i]
    if aside != 0.0:
        w.x[i] -= aside * math.sin(w.yaw[i]) * seconds
        w.y[i] += aside * math.cos(w.yaw[i]) * seconds
        w.vx[i] -= aside * math.sin(w.yaw[i])
        w.vy[i] += aside * math.cos(w.yaw[i])
        bodies.settled[i] = 0
    if bodies.constant_z[i] != 0.0:
        bodies.vz[i] = bodies.constant_z[i]


@kernel
def fly(w, i, seconds):  # type: ignore[no-untyped-def]
    """In the air nothing pulls but gravity."""
    w.x[i] += w.vx[i] * seconds
    w.y[i] += w.vy[i] * seconds
    w.ax[i] = 0.0
    w.ay[i] = 0.0
    w.yaw_rate[i] = 0.0


@kernel
def walk(w, bodies, i, seconds):  # type: ignore[no-untyped-def]
    """WalkerControl: at its speed in its direction, facing that way."""
    dx = bodies.walk_x[i]
    dy = bodies.walk_y[i]
    length = math.hypot(dx, dy)
    speed = bodies.walk_speed[i] if length > 1e-6 and bodies.dead[i] == 0 else 0.0
    vx = 0.0
    vy = 0.0
    if speed != 0.0:
        vx = dx / length * speed
        vy = dy / length * speed
        yaw = math.atan2(vy, vx)
        w.yaw_rate[i] = math.atan2(math.sin(yaw - w.yaw[i]), math.cos(yaw - w.yaw[i])) / seconds
        w.yaw[i] = yaw
    else:
        w.yaw_rate[i] = 0.0
    w.ax[i] = (vx - w.vx[i]) / seconds
    w.ay[i] = (vy - w.vy[i]) / seconds
    w.vx[i] = vx
    w.vy[i] = vy
    w.speed[i] = abs(speed)
    w.x[i] += vx * seconds
    w.y[i] += vy * seconds
    w.travelled[i] += abs(speed) * seconds
    if bodies.jump[i] == 1:
        bodies.vz[i] = 4.2  # CARLA's ACharacter::JumpZVelocity, 420 cm/s
        bodies.jump[i] = 0
        bodies.settled[i] = 0


@kernel
def show_led(w, bodies, i, seconds):  # type: ignore[no-untyped-def]
    """How a walker moves that its controller has just placed (WalkerState): at its speed, and no further.

    Clients take physics from the walkers that they lead.
    """
    vx = bodies.walk_speed[i] * math.cos(w.yaw[i])
    vy = bodies.walk_speed[i] * math.sin(w.yaw[i])
    w.ax[i] = (vx - w.vx[i]) / seconds
    w.ay[i] = (vy - w.vy[i]) / seconds
    w.vx[i] = vx
    w.vy[i] = vy
    w.yaw_rate[i] = 0.0
    w.speed[i] = abs(bodies.walk_speed[i])
    w.travelled[i] += w.speed[i] * seconds
    bodies.settled[i] = 0


@kernel
def collide_bodies(w, bodies):  # type: ignore[no-untyped-def]
    """Step 2: contacts of all pairs; what has no physics, or is carried, is not moved by them."""
    n = w.num_slots
    for i in range(n):
        if w.kind[i] == 0 or w.kind[i] == _PROP or bodies.collides[i] == 0:
            continue
        for j in range(n):
            if w.kind[j] == 0 or (w.kind[j] != _PROP and j <= i) or bodies.collides[j] == 0:
                continue
            depth, nx, ny = contact(w, i, j)
            if depth <= 0.0:
                continue
            impulse = 0.0
            inverse_i = bodies.physics[i] / bodies.mass[i]
            inverse_j = bodies.physics[j] / bodies.mass[j]
            if inverse_i + inverse_j > 0.0:
                impulse = part(w, i, j, depth, nx, ny, inverse_i, inverse_j)
                bodies.settled[i] = 0
                bodies.settled[j] = 0
            note_pair(bodies, i, j, impulse, nx, ny)
            wound(w, bodies, i, j, impulse)
            wound(w, bodies, j, i, impulse)


@kernel
def wound(w, bodies, i, by, impulse):  # type: ignore[no-untyped-def]
    """A walker that is not invincible dies when a vehicle hits it hard."""
    if bodies.mortal[i] == 1 and impulse >= LETHAL and (w.kind[by] == _VEHICLE or w.kind[by] == _BICYCLE):
        bodies.dead[i] = 1


@kernel
def note_pair(bodies, i, j, impulse, nx, ny):  # type: ignore[no-untyped-def]
    """Enter a contact, or add to the one of an earlier step of this tick."""
    for k in range(bodies.num_pairs):
        if bodies.pair_first[k] == i and bodies.pair_second[k] == j:
            bodies.pair_impulse[k] += impulse
            return
    k = bodies.num_pairs
    if k < MAX_PAIRS:
        bodies.pair_first[k] = i
        bodies.pair_second[k] = j
        bodies.pair_impulse[k] = impulse
        bodies.pair_normal[k, 0] = nx
        bodies.pair_normal[k, 1] = ny
        bodies.num_pairs = k + 1


@kernel
def stand_bodies(w, bodies, net, seconds):  # type: ignore[no-untyped-def]
    """Step 3: the lane of every actor that moves, the ground under it, and its height above."""
    for i in range(w.num_slots):
        if w.kind[i] == 0 or w.kind[i] == _PROP:
            continue
        if bodies.settled[i] == 1 and w.speed[i] == 0.0 and bodies.vz[i] == 0.0:
            continue
        stand(w, bodies, net, i, seconds)


@kernel
def stand(w, bodies, net, i, seconds):  # type: ignore[no-untyped-def]
    """Look up one actor's lane and ground, and let it fall on that ground."""
    z = w.z[i]
    pitch = w.pitch[i]
    track_actor(w, net, i)  # stands it on its lane's surface
    if w.lane[i] >= 0:
        bodies.ground[i] = w.z[i]
    if bodies.physics[i] == 0:
        w.z[i] = z
        w.pitch[i] = pitch
        bodies.settled[i] = 1
        return
    ground = bodies.ground[i]
    if bodies.gravity[i] == 1 and bodies.constant_z[i] == 0.0:
        bodies.vz[i] -= GRAVITY * seconds
    fallen = z + bodies.vz[i] * seconds
    if z < ground - BURIED:
        w.z[i] = fallen
        w.pitch[i] = pitch
    elif fallen > ground and (z > ground + AIRBORNE or bodies.vz[i] > 0.0):
        w.z[i] = fallen
        w.pitch[i] = pitch
    else:
        w.z[i] = ground
        bodies.vz[i] = 0.0
        bodies.settled[i] = 1


@kernel
def ground_below(net, x, y, z, otherwise):  # type: ignore[no-untyped-def]
    """Height of the road, or of the plane of the nearest lane, at (x, y) on the level nearest to z (m).

    `otherwise`: where no lane is within 100 m.
    """
    lane, s, lateral, gap = nearest_lane(net, x, y, z, _ANY)
    if lane < 0:
        return otherwise
    return lane_pose(net, lane, s)[2]


@kernel
def blocking(w, bodies, x, y, z, yaw, half_length, half_width, half_height):  # type: ignore[no-untyped-def]
    """Slot of an actor that a box standing at (x, y, z) would overlap, or -1."""
    for j in range(w.num_slots):
        if w.kind[j] == 0 or w.hidden[j] == 1 or bodies.collides[j] == 0:
            continue
        if z > w.z[j] + 2.0 * w.half_height[j] or w.z[j] > z + 2.0 * half_height:
            continue
        depth, nx, ny = boxes_overlap(
            x, y, yaw, half_length, half_width, w.x[j], w.y[j], w.yaw[j], w.half_length[j], w.half_width[j]
        )
        if depth > 0.0:
            return j
    return -1


@kernel
def watch_lights(w, bodies, net):  # type: ignore[no-untyped-def]
    """Step 5: CARLA's rule: a vehicle is at the light whose trigger volume its box touches, if it drives that way."""
    for i in range(w.num_slots):
        if w.kind[i] != _VEHICLE and w.kind[i] != _BICYCLE:
            continue
        if w.lane[i] >= 0:
            bodies.limit[i] = net.lane_speed_limit[w.lane[i]] * 3.6
        bodies.light[i] = light_at(w, net, i)


@kernel
def light_at(w, net, i):  # type: ignore[no-untyped-def]
    """The light whose trigger volume vehicle i touches; of several the one that it stands most squarely before."""
    best = 1e18
    found = -1
    for k in range(net.light_box_x.shape[0]):
        if net.light_box_extent_x[k] <= 0.0 or net.light_stop_first[k] == net.light_stop_first[k + 1]:
            continue
        dx = net.light_box_x[k] - w.x[i]
        dy = net.light_box_y[k] - w.y[i]
        if dx * dx + dy * dy > LIGHT_REACH * LIGHT_REACH or abs(net.light_box_z[k] - w.z[i]) > 3.0:
            continue
        if math.cos(net.light_stop_yaw[net.light_stop_first[k]] - w.yaw[i]) < 0.5:
            continue
        depth, nx, ny = boxes_overlap(
            w.x[i], w.y[i], w.yaw[i], w.half_length[i], w.half_width[i],
            net.light_box_x[k], net.light_box_y[k], net.light_yaw[k],
            net.light_box_extent_x[k], net.light_box_extent_y[k],
        )  # fmt: skip
        if depth <= 0.0:
            continue
        aside = abs(-dx * math.sin(w.yaw[i]) + dy * math.cos(w.yaw[i])) - net.light_box_extent_x[k]
        if aside < best:
            best = aside
            found = k
    return found
