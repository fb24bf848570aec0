"""Traffic lights: groups cycle through their phases; scenarios may hold a group and set its lights.

CARLA's rule: one controller is one phase; a group runs its phases in order, each green, yellow, all red.
"""

from __future__ import annotations

from simulator.kernel import kernel
from simulator.state import TICK_SECONDS, LightState

_RED = int(LightState.RED)
_YELLOW = int(LightState.YELLOW)
_GREEN = int(LightState.GREEN)


@kernel
def reset_lights(w, net):  # type: ignore[no-untyped-def]
    """All groups at the start of their first phase (the leaderboard resets all lights at world load)."""
    for g in range(net.group_junction.shape[0]):
        w.group_phase[g] = 0
        w.group_time[g] = 0.0
        w.group_frozen[g] = 0
    show_lights(w, net)


@kernel
def tick_lights(w, net):  # type: ignore[no-untyped-def]
    """Advance all groups by one tick and set their lights."""
    run_lights(w, net, TICK_SECONDS)


@kernel
def run_lights(w, net, seconds):  # type: ignore[no-untyped-def]
    """Advance all groups by `seconds` and set the lights of those that change.

    A light that somebody has set by hand keeps its state until its own group changes, as in CARLA.
    """
    for g in range(net.group_junction.shape[0]):
        if w.group_frozen[g] == 1:
            continue
        first = net.group_first[g]
        count = net.group_first[g + 1] - first
        if count == 0:
            continue
        before = w.group_time[g]
        w.group_time[g] = before + seconds
        h = first + w.group_phase[g]
        green = net.phase_green[h]
        yellow = green + net.phase_yellow[h]
        total = yellow + net.phase_red[h]
        if w.group_time[g] >= total - 1e-9:
            w.group_time[g] = 0.0
            w.group_phase[g] = (w.group_phase[g] + 1) % count
            show_group(w, net, g)
        elif (before < green <= w.group_time[g] + 1e-9) or (before < yellow <= w.group_time[g] + 1e-9):
            show_group(w, net, g)


@kernel
def show_lights(w, net):  # type: ignore[no-untyped-def]
    """Set every light that no scenario holds from its group's phase and time."""
    for g in range(net.group_junction.shape[0]):
        if w.group_frozen[g] == 0:
            show_group(w, net, g)


@kernel
def show_group(w, net, g):  # type: ignore[no-untyped-def]
    """Set the lights of one group from its phase and time."""
    h = net.group_first[g] + w.group_phase[g]
    t = w.group_time[g] + 1e-9
    for i in range(net.light_group.shape[0]):
        if net.light_group[i] != g:
            continue
        if net.light_phase[i] != w.group_phase[g]:
            w.light_state[i] = _RED
        elif t < net.phase_green[h]:
            w.light_state[i] = _GREEN
        elif t < net.phase_green[h] + net.phase_yellow[h]:
            w.light_state[i] = _YELLOW
        else:
            w.light_state[i] = _RED


@kernel
def hold_lights(w, net, group, state):  # type: ignore[no-untyped-def]
    """Freeze a group and set all its lights to `state`; the caller may then set single lights."""
    w.group_frozen[group] = 1
    for i in range(net.light_group.shape[0]):
        if net.light_group[i] == group:
            w.light_state[i] = state


@kernel
def release_lights(w, net, group):  # type: ignore[no-untyped-def]
    """Let a group run on from where it was held."""
    w.group_frozen[group] = 0
    show_group(w, net, group)
