"""Streams of vehicles along a track (docs/bench2drive.md 1.6 "Flows")."""

from __future__ import annotations

import math

from scenarios.director_cast import draw_blueprint
from scenarios.director_state import MAX_FLOWS
from simulator.actors import is_free, remove_actor, set_speed, spawn_actor
from simulator.blueprints import HALF_SIZE
from simulator.draws import uniform
from simulator.kernel import kernel
from simulator.state import Behaviour, DriverFlag, Role

_HALF_SIZE = HALF_SIZE
_FLOW = int(Role.FLOW)
_TRACK = int(Behaviour.TRACK)
_RECKLESS = int(DriverFlag.CONSTANT_VELOCITY | DriverFlag.IGNORE_VEHICLES)
_IMPOSED = int(DriverFlag.CONSTANT_VELOCITY)
_SPAWN_MARGIN = 0.5  # m kept free around a new vehicle


@kernel
def start_flow(w, d, routes, scripts, live, flow, f):  # type: ignore[no-untyped-def]
    """Begin flow number `flow` of a live scenario (row `f` of the tables), with its initial vehicles."""
    d.flow_on[live, flow] = 1
    d.flow_touched[live, flow] = 0
    d.flow_newest[live, flow] = -1
    d.flow_spacing[live, flow] = uniform(w, scripts.flow_spacing[f, 0], scripts.flow_spacing[f, 1])
    if scripts.flow_initial[f] == 0:
        return
    t = scripts.flow_track[f]
    end = (routes.track_first[t + 1] - routes.track_first[t] - 1) * routes.track_step[t] - scripts.flow_sink[f]
    last = 0.0
    s = routes.track_step[t]
    while s < end:
        in_junction = scripts.flow_junction[f, 0] <= s <= scripts.flow_junction[f, 1]
        if s - last > d.flow_spacing[live, flow] and (scripts.flow_initial[f] == 2 or not in_junction):
            if spawn_in_flow(w, d, routes, scripts, live, flow, f, s):
                last = s
        s += routes.track_step[t]


@kernel
def end_flow(w, d, live, flow):  # type: ignore[no-untyped-def]
    """End a flow; its vehicles go."""
    d.flow_on[live, flow] = 0
    for i in range(w.num_slots - 1, 0, -1):
        if d.slot_flow[i] == live * MAX_FLOWS + flow:
            d.slot_flow[i] = -1
            remove_actor(w, i)


@kernel
def tick_flow(w, d, routes, scripts, live, flow, f):  # type: ignore[no-untyped-def]
    """Take away vehicles at the sink, add one at the source, and mind the first collision."""
    mine = live * MAX_FLOWS + flow
    t = scripts.flow_track[f]
    first = routes.track_first[t]
    end = routes.track_first[t + 1] - 1
    sink_s = (end - first) * routes.track_step[t] - scripts.flow_sink[f]
    if d.flow_touched[live, flow] == 0 and (ego_hits_flow(w, d, mine) or somebody_hits_flow(w, d, mine)):
        d.flow_touched[live, flow] = 1
        for i in range(1, w.num_slots):
            if d.slot_flow[i] == mine:
                w.driver_flags[i] &= ~_RECKLESS
    for i in range(w.num_slots - 1, 0, -1):
        if d.slot_flow[i] != mine:
            continue
        away = math.hypot(w.x[i] - routes.track_x[end], w.y[i] - routes.track_y[end])
        if away < scripts.flow_sink[f] or w.track_s[i] > sink_s or w.behaviour[i] != _TRACK:
            d.slot_flow[i] = -1
            if d.flow_newest[live, flow] == i:
                d.flow_newest[live, flow] = -1
            remove_actor(w, i)
    newest = d.flow_newest[live, flow]
    if newest >= 0:
        gone = math.hypot(w.x[newest] - routes.track_x[first], w.y[newest] - routes.track_y[first])
        if gone <= d.flow_spacing[live, flow]:
            return
    spawn_in_flow(w, d, routes, scripts, live, flow, f, 0.0)


@kernel
def ego_hits_flow(w, d, mine):  # type: ignore[no-untyped-def]
    """True when the ego touches a vehicle of a flow in this tick."""
    hit = False
    for c in range(w.num_contacts):
        i = w.contact_slot[c]
        # a vehicle that has not moved yet has taken the slot of whoever was hit
        hit = hit or (i >= 0 and d.slot_flow[i] == mine and w.travelled[i] > 0.0)
    return hit


@kernel
def somebody_hits_flow(w, d, mine):  # type: ignore[no-untyped-def]
    """True when a vehicle of a flow no longer has the speed that is imposed on it: it has been in a collision."""
    for i in range(1, w.num_slots):
        if d.slot_flow[i] == mine and w.driver_flags[i] & _IMPOSED and w.travelled[i] > 0.0:
            if abs(w.speed[i] - w.target_speed[i]) > 0.1:
                return True
    return False


@kernel
def spawn_in_flow(w, d, routes, scripts, live, flow, f, s):  # type: ignore[no-untyped-def]
    """Put a vehicle on a flow's track, `s` metres along it, and draw the spacing to the next; False without room."""
    t = scripts.flow_track[f]
    p = min(routes.track_first[t] + int(s / routes.track_step[t]), routes.track_first[t + 1] - 1)
    yaw = routes.track_yaw[p]
    x = routes.track_x[p] - scripts.flow_offset[f] * math.sin(yaw)
    y = routes.track_y[p] + scripts.flow_offset[f] * math.cos(yaw)
    blueprint = draw_blueprint(w, scripts.choice, scripts.flow_choice_first[f], scripts.flow_choice_first[f + 1])
    if not is_free(w, x, y, yaw, _HALF_SIZE[blueprint, 0], _HALF_SIZE[blueprint, 1], _SPAWN_MARGIN):
        return False
    slot = spawn_actor(w, blueprint, _FLOW, x, y, routes.track_z[p], yaw)
    if slot < 0:
        return False
    flags = scripts.flow_flags[f]
    if d.flow_touched[live, flow] == 1:
        flags &= ~_RECKLESS
    w.behaviour[slot] = _TRACK
    w.driver_flags[slot] = flags
    w.track[slot] = t
    w.track_s[slot] = s
    w.desired_offset[slot] = scripts.flow_offset[f]
    w.target_speed[slot] = scripts.flow_speed[f]
    set_speed(w, slot, scripts.flow_speed[f])
    w.scenario[slot] = d.scenario[live]
    d.slot_flow[slot] = live * MAX_FLOWS + flow
    d.flow_newest[live, flow] = slot
    d.flow_spacing[live, flow] = uniform(w, scripts.flow_spacing[f, 0], scripts.flow_spacing[f, 1])
    return True
