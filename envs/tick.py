"""One tick of a world: the whole order, in one place.

| order | what | from |
|---|---|---|
| 1 | the ego's control is taken, with the noise that a scenario adds to it | agent, `scenarios.director` |
| 2 | drivers of all others decide, from one and the same state | `simulator.drivers` |
| 3 | everybody rolls for 0.05 s | `simulator.drivers`, `simulator.dynamics` |
| 4 | boxes that overlap are pushed apart; contacts of the ego are noted | `simulator.collisions` |
| 5 | lanes, heights, the ego's place on its path | `simulator.tracking` |
| 6 | traffic lights | `simulator.signals` |
| 7 | background traffic: plans, wanted speeds, who comes and goes | `simulator.background` |
| 7a | pedestrians and parked cars, where a world has any | `simulator.ambient` |
| 8 | weather along the route, and who drives with lights | `leaderboard_adapters.criteria_weather` |
| 9 | scenarios: triggers, strands, flows, commands to 6 and 7 | `scenarios.director` |
| 10 | criteria: events, scores, end of the route | `leaderboard_adapters.criteria` |

The official loop ticks the world, calls the agent, then ticks background, scenarios and criteria on the same state
(docs/bench2drive.md 2.1); seen from the agent that is this order. On a CARLA server (`envs.carla`) the server's own
tick stands between 3 and 4: it moves the ego, and what it says of the ego is what the rest of the order goes on with.
"""

from __future__ import annotations

from leaderboard_adapters.criteria import update_criteria
from leaderboard_adapters.criteria_weather import update_headlights, update_weather
from scenarios.director import perturb_control, tick_director
from simulator.ambient import tick_ambient
from simulator.background import tick_background
from simulator.collisions import collide
from simulator.drivers import decide_all, move_actors
from simulator.kernel import kernel
from simulator.signals import tick_lights
from simulator.state import EGO, TICK_SECONDS
from simulator.tracking import track_actors, track_ego


@kernel
def move_world(w, d, control, net, routes):  # type: ignore[no-untyped-def]
    """Steps 1-3 of one world. `control`: float64[3] throttle, brake, steer."""
    w.throttle[EGO] = control[0]
    w.brake[EGO] = control[1]
    w.steer[EGO] = control[2]
    perturb_control(w, d)
    decide_all(w, net, routes)
    move_actors(w, net, routes)


@kernel
def settle_world(w, net, routes):  # type: ignore[no-untyped-def]
    """Steps 5-7 of one world."""
    track_actors(w, net)
    track_ego(w, net, routes)
    tick_lights(w, net)
    w.tick += 1
    w.time = w.tick * TICK_SECONDS
    tick_background(w, net, routes)
    if w.pedestrians > 0.0 or w.parked_cars > 0.0:
        tick_ambient(w, net, routes)


@kernel
def tick_traffic(worlds, directors, criteria, controls, net, routes):  # type: ignore[no-untyped-def]
    """Steps 1-7 for every world whose route has not ended. `controls`: float64[B, 3] throttle, brake, steer."""
    for b in range(worlds.shape[0]):
        if criteria[b].finished != 0:
            continue
        w = worlds[b]
        move_world(w, directors[b], controls[b], net, routes)
        collide(w)
        settle_world(w, net, routes)


@kernel
def tick_rules(worlds, directors, criteria, switches, net, routes, scripts):  # type: ignore[no-untyped-def]
    """Steps 8-10 for every world whose route has not ended."""
    for b in range(worlds.shape[0]):
        if criteria[b].finished != 0:
            continue
        w = worlds[b]
        update_weather(w, criteria[b], routes)
        update_headlights(w, criteria[b])
        tick_director(w, directors[b], switches[b], net, routes, scripts)
        update_criteria(w, criteria[b], switches[b], net, routes)


@kernel
def log_ego(worlds, criteria, log):  # type: ignore[no-untyped-def]
    """Append the ego's motion to `log`: float64[B, T, 12], row = tick - 1, columns as `envs.world.LOG_COLUMNS`."""
    for b in range(worlds.shape[0]):
        w = worlds[b]
        row = w.tick - 1
        if row < 0 or row >= log.shape[1]:
            continue
        log[b, row, 0] = w.x[EGO]
        log[b, row, 1] = w.y[EGO]
        log[b, row, 2] = w.z[EGO]
        log[b, row, 3] = w.yaw[EGO]
        log[b, row, 4] = w.speed[EGO]
        log[b, row, 5] = w.ax[EGO]
        log[b, row, 6] = w.ay[EGO]
        log[b, row, 7] = w.yaw_rate[EGO]
        log[b, row, 8] = w.pitch[EGO]
        log[b, row, 9] = w.throttle[EGO]
        log[b, row, 10] = w.brake[EGO]
        log[b, row, 11] = w.steer[EGO]
