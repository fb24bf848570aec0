"""How well an agent masters each scenario type: success rate, driving score, comfort and cost over a suite of routes.

    python benchmarks/expert_table.py
    python benchmarks/expert_table.py --suite bench2drive220.xml --maps CarlaUE4/Content/Carla/Maps --json

Routes on towns without a map are left out, and counted. All routes of a town run side by side in one batch.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents.registry import make_agent
from envs.routes import load_network, prepare_routes
from envs.world import EpisodeStart, WorldBatch
from evaluation.drive import ride_log
from leaderboard_adapters.comfort import comfort
from leaderboard_adapters.infractions import infraction_list, route_status, scores
from scenarios.route import Route
from scenarios.route_file import read_routes
from simulator.errors import MissingMapError, RouteGymError

MINITOWN60 = Path(__file__).parent.parent / "scenarios" / "suites" / "minitown60.xml"


@dataclass
class Row:
    """One driven route."""

    route_id: str
    scenario_type: str
    town: str
    status: str
    driving_score: float
    success: bool
    comfort: float
    seconds: float
    infractions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Cost:
    """Process time spent in driving, microseconds a world tick."""

    agent: float = 0.0
    world: float = 0.0
    ticks: int = 0


def drive_town(routes: list[Route], maps: Path | None, agent_name: str, seed: int, cost: Cost) -> list[Row]:
    """Drive all routes of one town side by side.

    Raises:
        MissingMapError: when there is no map of the town.
    """
    network = load_network(routes[0], maps)
    batch = WorldBatch(prepare_routes(network, routes), len(routes), log=True)
    agent = make_agent(agent_name)
    agent.bind(batch)
    for i in range(len(routes)):
        batch.reset(i, EpisodeStart(i, seed))
        agent.reset(i, seed)
    batch.tick(agent.act())  # compiles what is not yet compiled
    while not batch.finished.all():
        running = int(np.count_nonzero(~batch.finished))
        began = time.process_time()
        controls = agent.act()
        decided = time.process_time()
        batch.tick(controls)
        cost.agent += decided - began
        cost.world += time.process_time() - decided
        cost.ticks += running
    rows = []
    for i, route in enumerate(routes):
        record = batch.criteria[i]
        found = [f for f in infraction_list(record, network) if f.name != "min_speed_infractions"]
        status = route_status(record)
        smooth = comfort(ride_log(batch.log[i, : int(batch.worlds["tick"][i])]))
        rows.append(
            Row(
                route_id=route.id,
                scenario_type=route.scenario_type,
                town=route.town,
                status=status,
                driving_score=scores(record).score_composed,
                success=status in ("Completed", "Perfect") and not found,
                comfort=smooth.corrected or 0.0,
                seconds=float(batch.worlds["time"][i]),
                infractions=[f.message for f in found],
                notes=list(batch.routes.routes[i].notes),
            )
        )
    return rows


def print_table(rows: list[Row]) -> None:
    """Type by type, then the routes that were no success."""
    by_type: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_type[row.scenario_type or "(none)"].append(row)
    print(f"{'scenario type':40s} {'n':>4s} {'SR %':>6s} {'DS':>7s} {'comfort':>8s} {'time s':>7s}")
    for name in [*sorted(by_type), "all"]:
        group = rows if name == "all" else by_type[name]
        print(
            f"{name:40s} {len(group):4d} {100 * np.mean([r.success for r in group]):6.1f} "
            f"{np.mean([r.driving_score for r in group]):7.2f} {np.mean([r.comfort for r in group]):8.2f} "
            f"{np.mean([r.seconds for r in group]):7.1f}"
        )
    for row in rows:
        if not row.success:
            said = "; ".join(row.infractions + row.notes)
            print(f"  {row.route_id} {row.town} {row.scenario_type}: {row.status}, DS {row.driving_score:.1f}, {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, default=MINITOWN60, help="route file")
    parser.add_argument("--maps", type=Path, help="folder with .xodr files of towns that are not built in")
    parser.add_argument("--agent", default="expert", help="NAME[:ARG]")
    parser.add_argument("--types", nargs="*", default=[], help="only these scenario types")
    parser.add_argument("--ids", nargs="*", default=[], help="only these routes")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="every route once per seed")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()

    by_town: dict[str, list[Route]] = defaultdict(list)
    for route in read_routes(options.suite):
        if (not options.types or route.scenario_type in options.types) and (not options.ids or route.id in options.ids):
            by_town[route.town].append(route)
    cost = Cost()
    rows: list[Row] = []
    left_out = 0
    for town in sorted(by_town):
        for seed in options.seeds:
            try:
                rows += drive_town(by_town[town], options.maps, options.agent, seed, cost)
            except MissingMapError:
                left_out += len(by_town[town])
            except RouteGymError as error:
                print(f"{town}: {error}")
                left_out += len(by_town[town])
    if not rows:
        print(f"no route could be driven; {left_out} are on towns without a map")
        return
    print_table(rows)
    agent_us = 1e6 * cost.agent / max(cost.ticks, 1)
    world_us = 1e6 * cost.world / max(cost.ticks, 1)
    print(f"{options.agent}: {agent_us:.1f} us a tick, world {world_us:.1f} us a tick, {cost.ticks} ticks, one process")
    print(f"{len(rows)} routes driven, {left_out} left out (no map); {platform.processor() or platform.machine()}")
    if options.json:
        totals = {
            "agent": options.agent,
            "suite": options.suite.name,
            "routes": len(rows),
            "left_out": left_out,
            "success_rate": float(np.mean([r.success for r in rows])),
            "driving_score": float(np.mean([r.driving_score for r in rows])),
            "comfort": float(np.mean([r.comfort for r in rows])),
            "agent_us_per_tick": agent_us,
            "world_us_per_tick": world_us,
        }
        print(json.dumps(totals))


if __name__ == "__main__":
    main()
