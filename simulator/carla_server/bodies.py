"""What a server world knows of an actor's body beyond the world's record: one BODIES record beside each WORLD record.

CARLA clients switch physics, gravity and collisions of single actors, park them under the ground, push them and let
them fall; routes never do, so the world's record has no place for it.
"""

from __future__ import annotations

import numpy as np

from simulator.state import MAX_ACTORS

MAX_PAIRS = 64  # contacts noted in one tick

_PER_ACTOR: tuple[tuple[str, type], ...] = (
    ("physics", np.int64),  # 1: it moves by itself; 0: it stays where it is put
    ("gravity", np.int64),  # 1: it falls
    ("collides", np.int64),  # 1: others touch it
    ("settled", np.int64),  # 1: it stands, and its lane and ground are known
    ("mass", np.float64),  # kg
    ("centre", np.float64),  # m, of CARLA's actor location above the ground: half a walker's height, 0 for the rest
    ("ground", np.float64),  # m, z of the ground under it
    ("roll", np.float64),  # rad; of what has no physics
    ("vz", np.float64),  # m/s
    ("spin", np.float64),  # rad/s, turning that does not come from its wheels; wears off
    ("push_x", np.float64),  # m/s, change of velocity that forces and impulses bring in the next tick
    ("push_y", np.float64),
    ("push_z", np.float64),
    # constant velocity, in its own axes
    ("constant", np.int64),  # 1: it moves at:
    ("constant_x", np.float64),  # m/s
    ("constant_y", np.float64),
    ("constant_z", np.float64),
    # WalkerControl
    ("walk_x", np.float64),
    ("walk_y", np.float64),
    ("walk_z", np.float64),
    ("walk_speed", np.float64),  # m/s
    ("jump", np.int64),
    ("led", np.int64),  # 1: a controller has placed it for this tick, walking at walk_speed (WalkerState)
    ("mortal", np.int64),  # 1: not `is_invincible`
    ("dead", np.int64),  # 1: it has been run over, and walks no more
    # VehicleControl beyond the world's record
    ("manual", np.int64),
    ("gear", np.int64),
    # what traffic rules say to it
    ("light", np.int64),  # traffic light in whose trigger volume it is, -1 none
    ("limit", np.float64),  # km/h
    ("attached", np.int64),  # 1: it is carried by another actor
)

BODIES = np.dtype(
    [(name, kind, (MAX_ACTORS,)) for name, kind in _PER_ACTOR]
    + [
        # contacts of this tick, each pair once
        ("num_pairs", np.int64),
        ("pair_first", np.int64, (MAX_PAIRS,)),
        ("pair_second", np.int64, (MAX_PAIRS,)),
        ("pair_impulse", np.float64, (MAX_PAIRS,)),  # N s along the normal
        ("pair_normal", np.float64, (MAX_PAIRS, 2)),  # unit, from the second to the first
    ],
    align=True,
)

DEFAULT_LIMIT = 30.0  # km/h, CARLA's, until an actor has met a road
