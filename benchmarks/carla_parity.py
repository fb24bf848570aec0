"""The same agent, route and seed in the embedded town and on this project's own CARLA server: how far do they differ?

The server rolls the ego with the same dynamics kernel, behind CARLA's protocol and the real client, whose numbers are
float32. What differs beyond that is the backend's doing.

    python benchmarks/carla_parity.py --suite minitown220 --per-type 1 --agent expert
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from agents.registry import make_agent
from envs.carla.options import CarlaOptions
from envs.carla.session import CarlaSession
from envs.carla.world import CarlaWorld
from envs.routes import load_network, prepare_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import LAYOUT, PEDESTRIAN, VEHICLE, RouteEnd
from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.suites import find_suite

ROOT = Path(__file__).resolve().parent.parent
SERVER = f"cd {shlex.quote(str(ROOT))} && exec {sys.executable} -m simulator.carla_server --quiet --port {{port}}"
OWN = CarlaOptions(start=SERVER)


COLLISIONS = [LAYOUT, PEDESTRIAN, VEHICLE]


@dataclass(frozen=True)
class Options:
    """What to compare."""

    suite: str = "smoke"
    """Suite or route file."""
    per_type: int = 0
    """Routes of each scenario type; 0: all of the suite."""
    agent: str = "expert"
    """Who drives."""
    seed: int = 0
    """Seed of traffic and agent."""
    until_contact: bool = False
    """End a drive at its first collision: from there on a puppet of infinite mass stands for what is pushed here."""
    json: bool = False
    """One JSON object as the last line."""


@dataclass(frozen=True)
class Drive:
    """One drive: every event with its tick, how it ended, and the ego's way."""

    end: RouteEnd
    ticks: int
    percent: float
    events: tuple[tuple[int, ...], ...]  # code, tick
    way: np.ndarray  # float64[T, 2] metres


def drive(worlds: WorldBatch, agent_name: str, seed: int, until_contact: bool) -> Drive:
    """Drive the one route of a batch of one that keeps a log."""
    agent = make_agent(agent_name)
    agent.bind(worlds)
    worlds.reset(0, EpisodeStart(route=0, seed=seed))
    agent.reset(0, seed)
    counts = worlds.criteria["counts"][0]
    while not worlds.finished[0] and not (until_contact and counts[COLLISIONS].any()):
        worlds.tick(agent.act())
    criteria = worlds.criteria[0]
    ticks, count = int(worlds.worlds["tick"][0]), int(criteria["num_events"])
    events = tuple(zip(criteria["event_code"][:count].tolist(), criteria["event_tick"][:count].tolist()))
    percent = float(criteria["route_percent"])
    return Drive(RouteEnd(int(criteria["finished"])), ticks, percent, events, worlds.log[0, :ticks, :2].copy())


def compare(
    session: CarlaSession, route: Route, agent: str, seed: int = 0, until_contact: bool = False
) -> tuple[Drive, Drive]:
    """The route in the embedded town, and on the session's server."""
    there = drive(WorldBatch(prepare_routes(load_network(route), [route]), 1, log=True), agent, seed, until_contact)
    worlds = CarlaWorld(prepare_routes(session.network(route.town), [route]), session.client(), log=True)
    with contextlib.closing(worlds):
        here = drive(worlds, agent, seed, until_contact)
    return there, here


def apart(first: Drive, second: Drive) -> float:
    """Greatest distance of the two ways at the same tick, metres."""
    both = min(len(first.way), len(second.way))
    return float(np.hypot(*(first.way[:both] - second.way[:both]).T).max())


def chosen(options: Options) -> list[Route]:
    """Routes of the suite, as many of each type as asked for."""
    taken: dict[str, int] = {}
    found = []
    for route in read_routes(find_suite(options.suite)):
        taken[route.scenario_type] = taken.get(route.scenario_type, 0) + 1
        if not options.per_type or taken[route.scenario_type] <= options.per_type:
            found.append(route)
    return found


def main(options: Options) -> None:
    """Compare, and print a table."""
    rows = []
    print(f"{'route':>6} {'scenario type':42} {'end':16} {'ticks':>11} {'events':>9} {'apart m':>8}  same")
    with contextlib.closing(CarlaSession(OWN)) as session:
        for route in chosen(options):
            there, here = compare(session, route, options.agent, options.seed, options.until_contact)
            codes = [sorted(code for code, _ in each.events) for each in (there, here)]
            same = (there.end, there.ticks, there.events) == (here.end, here.ticks, here.events)
            kinds = there.end == here.end and codes[0] == codes[1]
            word = "equal" if same else "same events" if kinds else "NO"
            distance = apart(there, here)
            rows.append({"route": route.id, "type": route.scenario_type, "same": word, "apart_m": distance})
            print(
                f"{route.id:>6} {route.scenario_type:42} {there.end.name:16} {there.ticks:>5}/{here.ticks:<5} "
                f"{len(there.events):>4}/{len(here.events):<4} {distance:8.4f}  {word}",
                flush=True,
            )
    counts = {word: sum(row["same"] == word for row in rows) for word in ("equal", "same events", "NO")}
    distances = [row["apart_m"] for row in rows]
    print(f"{options.agent}: {len(rows)} routes, {counts}; apart: median {np.median(distances):.5f} m, "
          f"worst {max(distances):.3f} m")  # fmt: skip
    if options.json:
        print(json.dumps({"agent": options.agent, "suite": options.suite, "counts": counts, "rows": rows}))


if __name__ == "__main__":
    main(tyro.cli(Options))
