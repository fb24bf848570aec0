"""The actors of a live scenario: spawning, raising, removing."""

from __future__ import annotations

import math

from scenarios.director_state import MAX_CAST
from simulator.actors import remove_actor, spawn_actor
from simulator.blueprints import HALF_SIZE
from simulator.collisions import overlap
from simulator.draws import choose
from simulator.kernel import kernel
from simulator.state import EGO, Role

_HALF_SIZE = HALF_SIZE
_SCENARIO = int(Role.SCENARIO)
_BACKGROUND = int(Role.BACKGROUND)
_AMBIENT = int(Role.AMBIENT)


@kernel
def spawn_cast(w, d, scripts, live, scenario):  # type: ignore[no-untyped-def]
    """Spawn the cast of a scenario; False, with nobody spawned, when the world is full or the ego stands in the way."""
    number = scripts.scenario_first[w.route] + scenario
    first = scripts.cast_first[number]
    for m in range(MAX_CAST):
        d.cast_slot[live, m] = -1
    for c in range(first, scripts.cast_first[number + 1]):
        slot = spawn_member(w, scripts, c)
        if slot < 0:
            remove_cast(w, d, live)
            return False
        d.cast_slot[live, c - first] = slot
        w.scenario[slot] = scenario
        if scripts.cast_hidden[c] == 1:
            w.hidden[slot] = 1
        else:
            clear_place(w, slot)
    return True


@kernel
def spawn_member(w, scripts, c):  # type: ignore[no-untyped-def]
    """Spawn one member, of a blueprint drawn from its choices.

    Returns its slot, or -1.
    """
    blueprint = draw_blueprint(w, scripts.choice, scripts.cast_choice_first[c], scripts.cast_choice_first[c + 1])
    place = scripts.cast_place[c]
    right = scripts.cast_half_widths_right[c] * _HALF_SIZE[blueprint, 1]
    x = place[0] - right * math.sin(place[3])
    y = place[1] + right * math.cos(place[3])
    slot = spawn_actor(w, blueprint, _SCENARIO, x, y, place[2], place[3])
    if slot < 0:
        return -1
    w.lights[slot] = scripts.cast_lights[c]
    if scripts.cast_hidden[c] == 0 and meets_ego(w, slot):
        remove_actor(w, slot)
        return -1
    return slot


@kernel
def draw_blueprint(w, choice, first, last):  # type: ignore[no-untyped-def]
    """One of `choice[first:last]`; a single one costs no draw."""
    if last - first == 1:
        return choice[first]
    return choice[first + choose(w, last - first)]


@kernel
def meets_ego(w, slot):  # type: ignore[no-untyped-def]
    """True when an actor's box overlaps the ego's."""
    return w.kind[EGO] != 0 and overlap(w, EGO, slot)[0] > 0.0


@kernel
def clear_place(w, slot):  # type: ignore[no-untyped-def]
    """Take away the background and ambient actors that stand where this actor is."""
    for i in range(w.num_slots - 1, 0, -1):
        if w.kind[i] != 0 and (w.role[i] == _BACKGROUND or w.role[i] == _AMBIENT):
            if overlap(w, i, slot)[0] > 0.0:
                remove_actor(w, i)


@kernel
def raise_member(w, slot):  # type: ignore[no-untyped-def]
    """Bring a hidden actor into the world."""
    if slot >= 0 and w.hidden[slot] == 1:
        w.hidden[slot] = 0
        w.lane[slot] = -1  # to be looked up
        clear_place(w, slot)


@kernel
def remove_member(w, d, live, member):  # type: ignore[no-untyped-def]
    """Take a member out of the world for good."""
    slot = d.cast_slot[live, member]
    if slot >= 0:
        remove_actor(w, slot)
        w.scenario[slot] = -1
        d.cast_slot[live, member] = -1


@kernel
def remove_cast(w, d, live):  # type: ignore[no-untyped-def]
    """Take all members out of the world."""
    for m in range(MAX_CAST):
        remove_member(w, d, live, m)
