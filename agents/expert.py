"""The expert: a rule-based planner that sees the whole world and masters the scenarios of Bench2Drive.

One tick of it:

| order | what | where |
|---|---|---|
| 1 | who is near, and where they will be | `agents.expert_forecast` |
| 2 | which line: the path, past an obstacle, aside for a siren, | `agents.expert_passing`, `agents.expert_make_way` |
| | to the right for invaders, out of a parking space | `agents.expert_nudge`, `agents.expert_pull_out` |
| 3 | which stretches of the line are taken, when | `agents.expert_space` |
| 4 | halts: lights, stop signs, blocked junctions | `agents.expert_rules` |
| 5 | gaps in crossing and merging traffic | `agents.expert_gaps` |
| 6 | speed: caps, following, the search for a profile that meets nobody | `agents.expert_speed` |
| 7 | steering along the line, pedals | `envs.path_control` |

Its memory is one EXPERT record a world, so that it can be copied with the world.
"""

from __future__ import annotations

import math

import numpy as np

from agents.base import Agent
from agents.expert_forecast import find_near, forecast_near
from agents.expert_gaps import rush, take_gap
from agents.expert_make_way import make_way
from agents.expert_memory import LONG_STEPS, PASS, STEPS, empty_memory, new_sheet
from agents.expert_nudge import nudge
from agents.expert_passing import find_cluster, pass_obstacles, watch_standing
from agents.expert_path import line_curvature, offset_at, path_pose, place_on_path, prepare_coarse
from agents.expert_pull_out import pull_out
from agents.expert_rules import find_halts
from agents.expert_space import lay_out
from agents.expert_speed import (
    MAX_ACCELERATION,
    PASS_ACCELERATION,
    safe_acceleration,
    set_caps,
    smooth,
    wanted_acceleration,
)
from envs.path_control import steer_on_line
from envs.world import WorldBatch
from simulator.array_bundle import ArrayBundle
from simulator.dynamics import pedals
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS

_REACH = 90.0  # m of path ahead that is looked at
_PREVIEW = 0.12  # s, for the lag of the steering


@kernel
def drive(w, e, net, routes, sheet, wrong_way_ok, control):  # type: ignore[no-untyped-def]
    """Control of one ego: float64[3] throttle, brake, steer.

    `wrong_way_ok`: the oncoming lane may be used (the leaderboard does not judge it now).
    """
    speed = w.speed[EGO]
    e.still = e.still + TICK_SECONDS if speed < 0.1 else 0.0
    prepare_coarse(sheet, routes, w.route, w.path_s, _REACH)
    find_near(w, e, routes, sheet, _REACH)
    forecast_near(w, e, net, routes, sheet, LONG_STEPS)
    nudge(w, e, net, routes, sheet)
    watch_standing(w, e)
    blocked = find_cluster(w, e, sheet, sheet.cluster)
    lay_out(w, e, routes, sheet, False, STEPS)
    find_halts(w, e, net, routes, sheet)
    tried = make_way(w, e, net, routes, sheet)
    tried = pass_obstacles(w, e, net, routes, sheet, blocked, wrong_way_ok) or tried
    if pull_out(w, e, net, routes, sheet) or tried:
        lay_out(w, e, routes, sheet, False, STEPS)
    set_caps(w, e, net, routes, sheet, False)
    wanted = wanted_acceleration(w, e, sheet)
    take_gap(w, e, net, routes, sheet, wanted)
    if e.rushing == 1:
        chosen = rush(w, sheet)
    else:
        tail = PASS_ACCELERATION if e.manoeuvre == PASS else MAX_ACCELERATION
        chosen = safe_acceleration(sheet, w.path_s, speed, min(wanted, wanted_acceleration(w, e, sheet)), tail)
    acceleration = smooth(w, e, chosen)
    throttle, brake = pedals(speed, acceleration)
    if speed < 0.3 and acceleration < 0.05:
        throttle, brake = 0.0, 1.0
    control[0] = throttle
    control[1] = brake
    control[2] = steer_line(w, e, routes)


@kernel
def steer_line(w, e, routes):  # type: ignore[no-untyped-def]
    """Steering (-1..1) that keeps the ego on its line."""
    speed = w.speed[EGO]
    ahead = speed * _PREVIEW
    s = place_on_path(w, routes) + ahead
    x, y, yaw, curvature = path_pose(routes, w.route, s)
    offset, slope, second = offset_at(e, s, w.path_s)
    bend = line_curvature(curvature, offset, slope, second)
    return steer_on_line(w, x - math.sin(yaw) * offset, y + math.cos(yaw) * offset, yaw + math.atan(slope), bend, ahead)


@kernel
def drive_all(worlds, memory, criteria, switches, net, routes, sheet, controls):  # type: ignore[no-untyped-def]
    """`drive` for every world whose route has not ended."""
    for b in range(worlds.shape[0]):
        if criteria[b].finished == 0:
            wrong_way_ok = switches[b].wrong_direction_test == 0
            drive(worlds[b], memory[b], net, routes, sheet, wrong_way_ok, controls[b])


class Expert(Agent):
    """Privileged planner over the world's records: forecasts, yields, overtakes, merges. Deterministic.

    Attributes:
        memory: EXPERT[B], what it remembers of each world; copy it along with the world's records.
    """

    description = "privileged rule-based planner: forecasts, yields, overtakes, merges"

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        self.memory = empty_memory(batch.num_worlds)
        self._sheet = ArrayBundle(new_sheet())
        self._controls = np.zeros((batch.num_worlds, 3))

    def reset(self, index: int, seed: int) -> None:
        self.memory[index] = empty_memory(1)[0]

    def act(self) -> np.ndarray:
        batch = self.batch
        drive_all(
            batch.worlds,
            self.memory,
            batch.criteria,
            batch.switches,
            batch.routes.net,
            batch.routes.arrays,
            self._sheet,
            self._controls,
        )
        return self._controls
