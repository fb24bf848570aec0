"""The director: runs the scenarios of a route, tick by tick, on the world's record.

One tick:

| step | what |
|---|---|
| progress | the nearest of the next trace points becomes the route index |
| trigger | a waiting scenario whose trigger point is at that point starts, once (docs/bench2drive.md 1.6 "active") |
| cast | now and then, scenarios that come within reach get their actors |
| strands | each running scenario's strands go on as far as their conditions let them |
| flows | vehicles of its flows come and go |
| end | a strand says so, or the scenario times out: traffic, lights and criteria are restored, its actors go |
"""

from __future__ import annotations

from scenarios.director_cast import remove_cast, spawn_cast
from scenarios.director_commands import execute, release_junction
from scenarios.director_conditions import begin_waiting, holds
from scenarios.director_state import MAX_FLOWS, MAX_LIVE, MAX_SCENARIOS, Stage, Status
from scenarios.flows import end_flow, tick_flow
from scenarios.opcodes import FIRST_COMMAND, Op
from simulator.draws import choose, normal
from simulator.kernel import kernel
from simulator.state import EGO, MAX_ACTORS

_WAITING = int(Status.WAITING)
_NEAR = int(Status.NEAR)
_ACTIVE = int(Status.ACTIVE)
_DONE = int(Status.DONE)
_BLOCKED = int(Status.BLOCKED)
_MISSED = int(Status.MISSED)
_FREE = int(Stage.FREE)
_SPAWNED = int(Stage.SPAWNED)
_READY = int(Stage.READY)
_TRIGGERED = int(Stage.TRIGGERED)
_RUNNING = int(Stage.RUNNING)
_FIRST_COMMAND = FIRST_COMMAND

PROGRESS_WINDOW = 5  # trace points ahead among which the nearest is looked for
TRIGGER_DISTANCE = 2.0  # m from that point to the trigger point, 3-D
SPAWN_DISTANCE = 500.0  # m along the route within which a scenario's actors are in the world
MISSED_DISTANCE = 100.0  # m behind the ego at which a scenario that never triggered is given up
FORGET_DISTANCE = 500.0  # m behind the ego at which one ends that officially goes on without effect
SPAWN_TICKS = 20  # ticks between looks for scenarios that come within reach
TIMEOUT_SECONDS = 240.0  # ScenarioTimeout


@kernel
def reset_director(w, d, s, net, routes, scripts):  # type: ignore[no-untyped-def]
    """Start a route: everything waits, scenarios within reach get their actors.

    Call it with the ego in place; a script may place it anew. Draws from the world's draws.
    """
    d.route_index = -1
    d.num_live = 0
    for n in range(MAX_SCENARIOS):
        d.status[n] = _WAITING
    for live in range(MAX_LIVE):
        d.scenario[live] = -1
        d.stage[live] = _FREE
        d.held_junction[live] = -1
        d.judges[live] = 0
        for f in range(MAX_FLOWS):
            d.flow_on[live, f] = 0
    for i in range(MAX_ACTORS):
        d.slot_flow[i] = -1
    for k in range(4):
        d.noise[k] = 0.0
    for k in range(2):
        d.noise_sign[k] = 1.0 if choose(w, 2) == 1 else -1.0
    bring_in(w, d, routes, scripts)
    run_live(w, d, s, net, routes, scripts)


@kernel
def tick_director(w, d, s, net, routes, scripts):  # type: ignore[no-untyped-def]
    """One tick, after physics and background traffic have moved, before the criteria look."""
    moved_on = advance_on_trace(w, d, routes)
    if w.tick % SPAWN_TICKS == 0:
        bring_in(w, d, routes, scripts)
    if d.num_live == 0:
        return
    if moved_on:
        trigger(w, d, routes, scripts)
    run_live(w, d, s, net, routes, scripts)


@kernel
def perturb_control(w, d):  # type: ignore[no-untyped-def]
    """Add the noise that a scenario wants to the ego's control, after the agent has set it and before physics."""
    n = d.noise
    if n[0] == 0.0 and n[1] == 0.0 and n[2] == 0.0 and n[3] == 0.0:
        return
    w.throttle[EGO] = min(max(w.throttle[EGO] + normal(w, d.noise_sign[0] * n[0], n[1]), 0.0), 1.0)
    w.steer[EGO] = min(max(w.steer[EGO] + normal(w, d.noise_sign[1] * n[2], n[3]), -1.0), 1.0)


# Progress and trigger


@kernel
def advance_on_trace(w, d, routes):  # type: ignore[no-untyped-def]
    """Move the route index to the nearest of the next trace points (ties: the later one); True when it changed."""
    first = routes.trace_first[w.route]
    last = routes.trace_first[w.route + 1] - 1
    start = max(d.route_index, 0)
    best = start
    nearest = 1e18
    for k in range(start, min(start + PROGRESS_WINDOW, last - first) + 1):
        p = first + k
        dx = routes.trace_x[p] - w.x[EGO]
        dy = routes.trace_y[p] - w.y[EGO]
        dz = routes.trace_z[p] - w.z[EGO]
        d2 = dx * dx + dy * dy + dz * dz
        if d2 <= nearest:
            nearest = d2
            best = k
    changed = best != d.route_index
    d.route_index = best
    return changed


@kernel
def trigger(w, d, routes, scripts):  # type: ignore[no-untyped-def]
    """Trigger the scenarios whose trigger point is at the route index."""
    p = routes.trace_first[w.route] + d.route_index
    for live in range(MAX_LIVE):
        if d.stage[live] != _READY:
            continue
        n = scripts.scenario_first[w.route] + d.scenario[live]
        dx = routes.trace_x[p] - scripts.trigger_place[n, 0]
        dy = routes.trace_y[p] - scripts.trigger_place[n, 1]
        dz = routes.trace_z[p] - scripts.trigger_place[n, 2]
        if dx * dx + dy * dy + dz * dz < TRIGGER_DISTANCE * TRIGGER_DISTANCE:
            d.stage[live] = _TRIGGERED


# Coming and going


@kernel
def bring_in(w, d, routes, scripts):  # type: ignore[no-untyped-def]
    """Give actors to the scenarios within reach, nearest first, and give up those that were passed untriggered."""
    first = scripts.scenario_first[w.route]
    last = scripts.scenario_first[w.route + 1]
    if first == last:
        return
    here = routes.trace_distance[routes.trace_first[w.route] + max(d.route_index, 0)]
    for live in range(MAX_LIVE):
        n = first + d.scenario[live]
        if d.stage[live] == _READY and way_behind(w, d, routes, scripts, n) > MISSED_DISTANCE:
            remove_cast(w, d, live)
            retire(d, live, _MISSED)
    for live in range(MAX_LIVE):
        if d.stage[live] != _FREE:
            continue
        nearest = SPAWN_DISTANCE
        chosen = -1
        for n in range(first, last):
            ahead = scripts.trigger_distance[n] - here
            if d.status[n - first] == _WAITING and -MISSED_DISTANCE <= ahead < nearest:
                nearest = ahead
                chosen = n - first
        if chosen < 0:
            return
        if spawn_cast(w, d, scripts, live, chosen):
            d.status[chosen] = _NEAR
            d.scenario[live] = chosen
            d.stage[live] = _SPAWNED
            d.num_live += 1
        else:
            d.status[chosen] = _BLOCKED


@kernel
def way_behind(w, d, routes, scripts, n):  # type: ignore[no-untyped-def]
    """Metres along the route from a scenario's trigger to the ego."""
    here = routes.trace_distance[routes.trace_first[w.route] + max(d.route_index, 0)]
    return here - scripts.trigger_distance[n]


@kernel
def retire(d, live, status):  # type: ignore[no-untyped-def]
    """Free a live index."""
    d.status[d.scenario[live]] = status
    d.scenario[live] = -1
    d.stage[live] = _FREE
    d.num_live -= 1


# Running


@kernel
def run_live(w, d, s, net, routes, scripts):  # type: ignore[no-untyped-def]
    """Let every live scenario go on: its setup, its start, its strands and flows, its end."""
    for live in range(MAX_LIVE):
        if d.stage[live] == _FREE or d.stage[live] == _READY:
            continue
        n = scripts.scenario_first[w.route] + d.scenario[live]
        first = scripts.strand_first[n]
        setup = scripts.strand_first[n + 1] - 2
        if d.stage[live] == _SPAWNED:
            d.pc[live, 0] = scripts.begin[setup]
            tick_strand(w, d, s, net, routes, scripts, live, 0, scripts.begin[setup + 1])
            d.stage[live] = _READY
            continue
        if d.stage[live] == _TRIGGERED:
            start(w, d, s, scripts, live, n)
        ended = False
        if scripts.timeout[n] == 1 and w.time - d.since[live] > TIMEOUT_SECONDS:
            s.scenario_timeouts += 1
            ended = True
        if way_behind(w, d, routes, scripts, n) > FORGET_DISTANCE:
            ended = True
        for strand in range(setup - first):
            if not ended:
                last = scripts.begin[first + strand + 1]
                ended = tick_strand(w, d, s, net, routes, scripts, live, strand, last)
        for f in range(scripts.flow_first[n + 1] - scripts.flow_first[n]):
            if d.flow_on[live, f] == 1:
                tick_flow(w, d, routes, scripts, live, f, scripts.flow_first[n] + f)
        if ended:
            d.pc[live, 0] = scripts.begin[setup + 1]
            tick_strand(w, d, s, net, routes, scripts, live, 0, scripts.begin[setup + 2])
            leave(w, d, s, net, scripts, live, n)


@kernel
def tick_strand(w, d, s, net, routes, scripts, live, strand, end):  # type: ignore[no-untyped-def]
    """Go on from where the strand waits, as far as its conditions hold; True when it says that the scenario ends."""
    pc = d.pc[live, strand]
    while pc < end:
        op = scripts.op[pc]
        if op == Op.END:
            return True
        if op < _FIRST_COMMAND:
            if not holds(w, d, net, routes, scripts, live, strand, pc):
                break
            begin_waiting(w, d, live, strand)
        else:
            execute(w, d, s, net, routes, scripts, live, pc)
        pc += 1
        d.pc[live, strand] = pc
    return False


@kernel
def start(w, d, s, scripts, live, n):  # type: ignore[no-untyped-def]
    """Let a scenario that has triggered run: all its strands begin."""
    d.stage[live] = _RUNNING
    d.status[d.scenario[live]] = _ACTIVE
    d.since[live] = w.time
    if scripts.timeout[n] == 1:
        s.blocked_test_off += 1
    first = scripts.strand_first[n]
    for strand in range(scripts.strand_first[n + 1] - 2 - first):
        d.pc[live, strand] = scripts.begin[first + strand]
        begin_waiting(w, d, live, strand)


@kernel
def leave(w, d, s, net, scripts, live, n):  # type: ignore[no-untyped-def]
    """Take a scenario that has ended out of the world: flows, lights, its wishes to the criteria, its cast."""
    for f in range(MAX_FLOWS):
        if d.flow_on[live, f] == 1:
            end_flow(w, d, live, f)
    release_junction(w, d, net, live)
    if d.judges[live] == 1:
        s.emergency_done = 1
        d.judges[live] = 0
    if scripts.timeout[n] == 1:
        s.blocked_test_off -= 1
    remove_cast(w, d, live)
    retire(d, live, _DONE)
