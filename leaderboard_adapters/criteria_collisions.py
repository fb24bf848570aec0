"""CollisionTest: contacts of the ego, told apart by place and by partner (docs/bench2drive.md 2.3).

The collision sensor reports while the world ticks, before the data provider is refreshed, so a contact is judged by the
ego's place and speed at the end of the tick before. That a crash stops the ego does not hide it.
"""

from __future__ import annotations

import math

from leaderboard_adapters.criteria_events import add_event
from leaderboard_adapters.criteria_state import (
    LAYOUT,
    MAP_GEOMETRY,
    PEDESTRIAN,
    TICK_STEP,
    UNCLASSIFIED,
    VEHICLE,
)
from simulator.blueprints import KIND, Kind
from simulator.kernel import kernel
from simulator.state import EGO

SAME_PLACE = 5.0  # m within which two collisions count as one
SAME_PARTNER = 5.0  # s within which two collisions with one actor count as one
STANDING = 0.1  # m/s; whoever is hit below it is not at fault

_KIND = KIND
_WALKER = int(Kind.WALKER)
_PROP = int(Kind.PROP)


@kernel
def note_contacts(w, c):  # type: ignore[no-untyped-def]
    """What the collision sensors report of this tick: to the route's test, and to a scenario's own where it listens."""
    for k in range(w.num_contacts):
        note_contact(w, c, w.contact_slot[k], 0)
        if c.double_collision == 1:
            note_contact(w, c, w.contact_slot[k], 1)


@kernel
def note_contact(w, c, slot, test):  # type: ignore[no-untyped-def]
    """Book one contact, unless it is another moment of a collision already booked.

    `slot` of the partner, or `MAP_GEOMETRY`, or `UNCLASSIFIED`.
    """
    partner = w.actor_id[slot] if slot >= 0 else 0
    if c.hit_id[test] == partner:
        return
    if c.hit_known[test] == 1 and _distance_to_hit(c, test, c.cached_x, c.cached_y, c.cached_z) <= SAME_PLACE:
        return
    if c.cached_speed < STANDING:
        return
    c.hit_tick[test] = c.tick - 1
    c.hit_known[test] = 1
    c.hit_x[test] = c.cached_x
    c.hit_y[test] = c.cached_y
    c.hit_z[test] = c.cached_z
    if slot >= 0:
        c.hit_id[test] = partner
    if slot <= UNCLASSIFIED:
        return  # it has no event, but has hidden what else is hit here
    # By blueprint: a scenario may have taken the actor out since, its slot still tells what it was.
    code = LAYOUT
    blueprint = -1
    if slot != MAP_GEOMETRY:
        blueprint = w.blueprint[slot]
        kind = _KIND[blueprint]
        if kind == _WALKER:
            code = PEDESTRIAN
        elif kind != _PROP:
            code = VEHICLE
    add_event(c, code, test, c.cached_x, c.cached_y, c.cached_z, partner, blueprint)


@kernel
def update_collisions(w, c, switches):  # type: ignore[no-untyped-def]
    """Forget places that the ego has left and partners hit long ago; switch the second test on or off."""
    for test in range(2):
        if c.hit_known[test] == 1 and _distance_to_hit(c, test, w.x[EGO], w.y[EGO], w.z[EGO]) > SAME_PLACE:
            c.hit_known[test] = 0
        if c.hit_id[test] >= 0 and (c.tick - c.hit_tick[test]) * TICK_STEP > SAME_PARTNER:
            c.hit_id[test] = -1
    # Its sensor is made when the scenario becomes active, without memory, and hears from the next tick on.
    if switches.double_collision != c.double_collision:
        c.double_collision = switches.double_collision
        c.hit_id[1] = -1
        c.hit_known[1] = 0


@kernel
def _distance_to_hit(c, test, x, y, z):  # type: ignore[no-untyped-def]
    dx = x - c.hit_x[test]
    dy = y - c.hit_y[test]
    dz = z - c.hit_z[test]
    return math.sqrt(dx * dx + dy * dy + dz * dz)
