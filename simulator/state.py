"""The state of worlds: one NumPy record a world, everything of a running world inside.

`numpy.zeros(B, WORLD)` is B worlds. A field of the batch is an array with a leading world axis: `worlds["x"]` is
`float64[B, A]`. Inside a kernel, `w = worlds[b]` is one world and `w.x[i]` one actor's x. Copying a
record copies the world.

Frame: CARLA's (x forward/east, y right/south, z up), metres, radians, seconds. Slot 0 is the ego vehicle.
Integers are int64 throughout: one integer type means one compiled version of each kernel.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np

TICK_SECONDS = 0.05  # one simulation step (CARLA fixed delta of the leaderboard)

MAX_ACTORS = 96
MAX_LIGHTS = 1024
MAX_GROUPS = 256
MAX_PLAN = 6  # lanes a traffic vehicle has decided on, current one first
MAX_CONTACTS = 8
SLOTS_FOR_SCENARIOS = 36  # slots that background traffic and ambient life leave free
MAX_MARKS = 24  # lanes that scenarios have closed for background traffic

EGO = 0


class Role(IntEnum):
    """Who an actor belongs to (CARLA's role_name)."""

    NONE = 0
    HERO = 1
    BACKGROUND = 2
    SCENARIO = 3
    FLOW = 4
    AMBIENT = 5  # pedestrians on sidewalks, parked cars


class Behaviour(IntEnum):
    """How an actor is moved each tick."""

    HOLD = 0  # stands, hand brake
    CONTROLLED = 1  # follows throttle/brake/steer from outside
    LANES = 2  # traffic: follows lanes, leaders, lights, signs
    TRACK = 3  # follows polyline `track` at `target_speed`
    WALK = 4  # straight on at `target_speed` towards its yaw


class DriverFlag(IntFlag):
    """What a moved actor disregards."""

    NONE = 0
    IGNORE_LIGHTS = 1
    IGNORE_SIGNS = 2
    IGNORE_VEHICLES = 4
    CONSTANT_VELOCITY = 8  # speed is imposed, not reached by accelerating
    NO_LANE_CHANGE = 16
    STOP_AT_END = 32  # of its track; otherwise it goes on along lanes


class LightState(IntEnum):
    """State of a traffic light (CARLA's numbers)."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3


class VehicleLight(IntFlag):
    """Vehicle lights (CARLA's bits)."""

    NONE = 0
    POSITION = 1
    LOW_BEAM = 2
    HIGH_BEAM = 4
    BRAKE = 8
    RIGHT_BLINKER = 16
    LEFT_BLINKER = 32
    REVERSE = 64
    SPECIAL1 = 512
    SPECIAL2 = 1024


HAZARD = int(VehicleLight.RIGHT_BLINKER | VehicleLight.LEFT_BLINKER | VehicleLight.POSITION)
SPECIAL = int(VehicleLight.SPECIAL1 | VehicleLight.SPECIAL2)

#: Fields of an actor slot.
ACTOR_FIELDS: tuple[tuple[str, type], ...] = (
    # identity
    ("kind", np.int64),  # Kind; NONE = free slot
    ("role", np.int64),  # Role
    ("blueprint", np.int64),
    ("actor_id", np.int64),  # unique in the episode, as in infraction messages
    ("hidden", np.int64),  # 1: spawned but out of the world (CARLA scenarios park actors underground)
    ("half_length", np.float64),
    ("half_width", np.float64),
    ("half_height", np.float64),
    # pose of the box centre on the ground, world
    ("x", np.float64),
    ("y", np.float64),
    ("z", np.float64),
    ("yaw", np.float64),  # rad
    ("pitch", np.float64),  # rad, up positive
    # motion
    ("speed", np.float64),  # m/s along the heading, negative backwards
    ("vx", np.float64),  # m/s world
    ("vy", np.float64),
    ("ax", np.float64),  # m/s2 world
    ("ay", np.float64),
    ("yaw_rate", np.float64),  # rad/s
    ("steer_angle", np.float64),  # rad, front wheels, after the steering lag
    # control (CARLA VehicleControl)
    ("throttle", np.float64),  # 0..1
    ("brake", np.float64),  # 0..1
    ("steer", np.float64),  # -1..1, right positive
    ("hand_brake", np.int64),
    ("reverse", np.int64),
    # nearest driving lane
    ("lane", np.int64),  # lane index, -1 off the map
    ("lane_s", np.float64),  # metres
    ("lane_offset", np.float64),  # metres, right positive
    # driver
    ("behaviour", np.int64),  # Behaviour
    ("driver_flags", np.int64),  # DriverFlag
    ("target_speed", np.float64),  # m/s wanted
    ("desired_offset", np.float64),  # m, lateral place wanted on its lane or track, right positive
    ("track", np.int64),  # index of the polyline it follows, -1 none
    ("track_s", np.float64),  # metres along it
    ("acceleration", np.float64),  # m/s2 wanted by its driver this tick
    ("travelled", np.float64),  # metres since its behaviour was set
    ("travel_limit", np.float64),  # metres after which it stops (walkers, tracks); <= 0 none
    ("headway", np.float64),  # s, IDM time gap
    ("speed_factor", np.float64),  # share of the speed limit it likes
    ("waiting", np.float64),  # s it has stood or crawled
    ("stopped_at_sign", np.int64),  # 1: has made its stop, may go when free
    ("changing_lane", np.int64),  # -1 left, +1 right, 0 not
    ("junction_lane", np.int64),  # junction lane it is on or will take next within sight, -1 none
    ("junction_distance", np.float64),  # m to the start of that lane, negative on it
    # looks
    ("lights", np.int64),  # VehicleLight bits
    ("door", np.int64),  # 0 closed, else 1 + CARLA door index
    # ownership
    ("scenario", np.int64),  # index of the scenario (within its route) that owns it, -1 none
)

WORLD = np.dtype(
    [(name, kind, (MAX_ACTORS,)) for name, kind in ACTOR_FIELDS]
    + [
        ("plan", np.int64, (MAX_ACTORS, MAX_PLAN)),  # lanes ahead of a traffic vehicle, -1 where undecided
        # world
        ("route", np.int64),  # index into RouteArrays
        ("seed", np.int64),
        ("rng", np.uint64),  # state of the world's random draws
        ("tick", np.int64),
        ("time", np.float64),  # s
        ("num_slots", np.int64),  # slots in use are below this
        ("next_actor_id", np.int64),
        ("weather", np.float64, (14,)),  # scenarios/weather.py lists the fields
        # ego on its route
        ("path_s", np.float64),  # m along the drivable path, projection of the ego
        ("path_offset", np.float64),  # m, right positive
        # contacts of the ego in this tick
        ("num_contacts", np.int64),
        ("contact_slot", np.int64, (MAX_CONTACTS,)),
        ("contact_impulse", np.float64, (MAX_CONTACTS,)),  # m/s of speed change of the ego
        ("other_contacts", np.int64),  # pairs of other actors in contact since reset
        # traffic lights
        ("light_state", np.int64, (MAX_LIGHTS,)),  # LightState
        ("group_phase", np.int64, (MAX_GROUPS,)),
        ("group_time", np.float64, (MAX_GROUPS,)),  # s since the phase began
        ("group_frozen", np.int64, (MAX_GROUPS,)),  # 1: a scenario holds its lights
        # background traffic: settings (docs/bench2drive.md 1.8) and commands (1.6)
        ("bg_enabled", np.int64),
        ("bg_lane_changes", np.int64),  # 1: traffic changes lanes (Bench2Drive's never does)
        ("pedestrians", np.float64),  # density of ambient pedestrians, 0..1
        ("parked_cars", np.float64),  # share of the parking places that are taken, 0..1
        ("bg_spawn_dist", np.float64),  # m, pitch of vehicles on the ego's road
        ("bg_extra_space", np.float64),  # m, added to the space ahead of the ego
        ("bg_max_speed", np.float64),  # m/s cap, 0 off
        ("bg_front_stopped", np.int64),
        ("bg_back_stopped", np.int64),
        ("bg_opposite_active", np.int64),
        ("bg_opposite_dist", np.float64),  # m, pitch of oncoming vehicles
        ("bg_opposite_source", np.float64),  # m ahead of the ego where they appear
        ("bg_route_sources", np.int64),  # 1: sources on the ego's road are on
        ("bg_entries_stopped", np.int64),  # 1: vehicles on junction entries other than the route's stand
        ("bg_clear_junction", np.int64),  # junction kept free of background vehicles, -1 none
        ("bg_keep_behind", np.int64),  # 1: nobody passes the ego before the junction
        ("num_closed", np.int64),
        # lanes (with all of their road's sections) without background vehicles
        ("closed_lane", np.int64, (MAX_MARKS,)),
        ("bg_junction", np.int64),  # index of the junction on the route that has been populated, -1 none yet
        ("bg_timer", np.float64, (4,)),  # scratch of the background kernels
    ],
    align=True,
)


def empty_worlds(count: int) -> np.ndarray:
    """WORLD[count]: worlds without any actor, all lanes and plans unset."""
    worlds = np.zeros(count, WORLD)
    for name in ("lane", "track", "scenario", "junction_lane"):
        worlds[name] = -1
    worlds["plan"] = -1
    worlds["closed_lane"] = -1
    worlds["bg_clear_junction"] = -1
    worlds["bg_junction"] = -1
    worlds["bg_enabled"] = 1
    worlds["bg_opposite_active"] = 1
    worlds["bg_route_sources"] = 1
    worlds["bg_spawn_dist"] = 15.0
    worlds["bg_opposite_dist"] = 40.0
    worlds["bg_opposite_source"] = 80.0
    worlds["next_actor_id"] = 100
    return worlds
