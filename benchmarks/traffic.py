"""How traffic behaves: contacts, lanes, lights, signs, jams and comfort of everybody but the ego.

    python benchmarks/traffic.py
    python benchmarks/traffic.py --maps CarlaUE4/Content/Carla/Maps --towns MiniTown Town01 Town04 --json
    python benchmarks/traffic.py --rides --maps CarlaUE4/Content/Carla/Maps --suite bench2drive220.xml

First every town alone: `--vehicles` of them, spread over all of it, for `--minutes` and each of `--seeds`. With
`--rides`, routes are driven by an agent, and the background traffic around it is watched. `ROUTEGYM_DATA`
names a folder with `towns/` and `routes/` and stands in for `--maps` and `--suite`.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from agents.registry import make_agent
from envs.routes import load_network, prepare_routes
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.array_bundle import bundle
from simulator.background import spawn_background, tick_background
from simulator.collisions import collide
from simulator.densities import Ambient
from simulator.draws import seed_draws
from simulator.drivers import decide_all, move_actors
from simulator.errors import MissingMapError, RouteGymError
from simulator.kernel import kernel
from simulator.roads.network import LaneType, RoadNetwork
from simulator.roads.towns import available_towns, load_named_town
from simulator.signals import reset_lights, tick_lights
from simulator.state import TICK_SECONDS, empty_worlds
from simulator.tracking import track_actors
from simulator.traffic_watch import (
    ACCELERATION_BIN,
    OFFSET_BIN,
    TIME_GAP_BIN,
    add_tallies,
    empty_tallies,
    histogram_mean,
    histogram_quantile,
    watch_traffic,
)

DATA = os.environ.get("ROUTEGYM_DATA", "")


@dataclass(frozen=True)
class Options:
    """What to watch."""

    towns: tuple[str, ...] = ()
    """Only these towns. Default: all that have a map."""
    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = Path(DATA) / "towns" if DATA else None
    """Folder with further maps (.xodr)."""
    vehicles: int = 50
    """Vehicles in a town, at most 60."""
    minutes: float = 5.0
    """Simulated time of each seed."""
    seeds: tuple[int, ...] = (1, 2, 3, 4)
    """Each gives another start and other turns."""
    lane_changes: bool = False
    """Traffic changes lanes (Bench2Drive's does not)."""
    rides: bool = False
    """Watch the background traffic around an ego instead."""
    suites: tuple[str, ...] = ("minitown60", *((f"{DATA}/routes/bench2drive220.xml",) if DATA else ()))
    """With --rides: route files or built-in suites."""
    agent: str = "expert"
    """With --rides: NAME[:ARG] of who drives."""
    pedestrians: float = 0.0
    """With --rides: density of pedestrians, 0..1."""
    parked_cars: float = 0.0
    """With --rides: share of the parking places that are taken, 0..1."""
    where: bool = False
    """Tell where the first contact, run and jam of each seed happened: x, y, tick, actor."""
    json: bool = False
    """Print one JSON object as the last line."""


@kernel
def run_traffic(w, net, routes, tally, ticks):  # type: ignore[no-untyped-def]
    """Traffic without an ego: the tick of `envs.tick` but for what belongs to the ego and scenarios, watched."""
    for _ in range(ticks):
        decide_all(w, net, routes)
        move_actors(w, net, routes)
        collide(w)
        track_actors(w, net)
        tick_lights(w, net)
        w.tick += 1
        w.time = w.tick * TICK_SECONDS
        tick_background(w, net, routes)
        watch_traffic(w, net, tally)


@kernel
def watch_all(worlds, net, tallies, running):  # type: ignore[no-untyped-def]
    """Watch every world that ran in this tick."""
    for b in range(worlds.shape[0]):
        if running[b]:
            watch_traffic(worlds[b], net, tallies[b])


def fill_town(w: np.void, net: Any, vehicles: int, seed: int) -> int:
    """Put vehicles on random places outside junctions.

    Returns how many found room.
    """
    draws = np.random.default_rng(seed)
    roads = (net.lane_type == LaneType.DRIVING) & (net.lane_junction < 0) & (net.lane_length > 15.0)
    lanes = np.flatnonzero(roads)
    weights = net.lane_length[lanes] / net.lane_length[lanes].sum()
    seed_draws(w, seed, 0)
    found = 0
    for lane in draws.choice(lanes, 20 * vehicles, p=weights):
        if found == vehicles:
            break
        place = float(draws.uniform(5.0, net.lane_length[lane] - 8.0))
        found += int(spawn_background(w, net, int(lane), place, 2.0, 0)) >= 0
    return found


def watch_town(network: RoadNetwork, options: Options, routes: Any) -> np.ndarray:
    """TALLY[seeds] of one town."""
    net = bundle(network.arrays)
    tallies = empty_tallies(len(options.seeds))
    for k, seed in enumerate(options.seeds):
        worlds = empty_worlds(1)
        worlds["bg_enabled"] = 0
        worlds["bg_lane_changes"] = int(options.lane_changes)
        reset_lights(worlds[0], net)
        fill_town(worlds[0], network.arrays, options.vehicles, seed)
        run_traffic(worlds[0], net, routes, tallies[k], round(options.minutes * 60.0 / TICK_SECONDS))
    return tallies


def watch_rides(routes: list[Route], options: Options, seed: int) -> tuple[np.ndarray, RoadNetwork]:
    """TALLY[routes] of the traffic around an agent that drives all routes of one town.

    Raises:
        MissingMapError: when there is no map of the town.
    """
    network = load_network(routes[0], options.maps)
    ambient = Ambient(options.pedestrians, options.parked_cars)
    batch = WorldBatch(prepare_routes(network, routes), len(routes), ambient=ambient)
    agent = make_agent(options.agent)
    agent.bind(batch)
    for i in range(len(routes)):
        batch.reset(i, EpisodeStart(i, seed))
        agent.reset(i, seed)
    tallies = empty_tallies(len(routes))
    while not batch.finished.all():
        running = ~batch.finished
        batch.tick(agent.act())
        watch_all(batch.worlds, batch.routes.net, tallies, running)
    return tallies, network


def figures(tallies: np.ndarray, network: RoadNetwork | None) -> dict[str, float]:
    """The figures of the table, from TALLY[n]."""
    t = add_tallies(tallies)
    hours = float(t["ticks"]) * TICK_SECONDS / 3600.0
    km = float(t["metres"]) / 1000.0
    row: dict[str, float] = {
        "km": km,
        "contacts_per_1000km": 1000.0 * int(t["contacts"]) / max(km, 1e-9),
        "contacts": int(t["contacts"]),
        "scripted_contacts": int(t["scripted_contacts"]),
        "walker_contacts": int(t["walker_contacts"]),
        "overlap_max_m": float(t["deepest"]),
        "lane_error_mean_m": histogram_mean(t["offset_bins"], OFFSET_BIN),
        "lane_error_p99_m": histogram_quantile(t["offset_bins"], OFFSET_BIN, 0.99),
        "lane_error_max_m": float(t["offset_max"]),
        "off_lane_percent": 100.0 * int(t["off_lane_ticks"]) / max(int(t["vehicle_ticks"]), 1),
        "red_runs": int(t["red_runs"]),
        "stop_runs": int(t["stop_runs"]),
        "stuck": int(t["stuck"]),
        "longest_stuck_s": float(t["longest_stuck"]),
        "stuck_at_end": int(t["stuck_now"]),
        "speed_per_limit": float(t["metres"] / max(t["limit_metres"], 1e-9)),
        "acceleration_p99": histogram_quantile(t["acceleration_bins"], ACCELERATION_BIN, 0.99),
        "hardest_brake": float(t["hardest_brake"]),
        "sideways_max": float(t["sideways_max"]),
        "time_gap_p1_s": histogram_quantile(t["time_gap_bins"], TIME_GAP_BIN, 0.01),
        "time_gap_min_s": float(t["time_gap_min"]),
    }
    if network is not None:
        arrays = network.arrays
        inside = arrays.lane_junction >= 0
        lit = {int(j) for j in arrays.lane_junction[inside & (arrays.lane_light >= 0)]}
        other = {int(j) for j in arrays.lane_junction[inside & (arrays.lane_type == LaneType.DRIVING)]} - lit
        row["per_hour_lights"] = int(t["entries_lights"]) / hours / len(lit) if lit else float("nan")
        row["per_hour_other"] = int(t["entries_other"]) / hours / len(other) if other else float("nan")
    return row


_COLUMNS = (
    ("km", "km", "7.1f"),
    ("contacts /1000 km", "contacts_per_1000km", "8.1f"),
    ("with scripted", "scripted_contacts", "8.0f"),
    ("with walkers", "walker_contacts", "7.0f"),
    ("overlap m", "overlap_max_m", "7.2f"),
    ("lane error mean", "lane_error_mean_m", "6.2f"),
    ("p99 m", "lane_error_p99_m", "6.2f"),
    ("max m", "lane_error_max_m", "6.2f"),
    ("off lane %", "off_lane_percent", "8.4f"),
    ("red runs", "red_runs", "5.0f"),
    ("stop runs", "stop_runs", "5.0f"),
    ("stuck > 60 s", "stuck", "6.0f"),
    ("longest s", "longest_stuck_s", "8.0f"),
    ("at the end", "stuck_at_end", "5.0f"),
    ("speed /limit", "speed_per_limit", "7.2f"),
    ("acc. p99", "acceleration_p99", "6.1f"),
    ("brake max", "hardest_brake", "6.1f"),
    ("time gap p1 s", "time_gap_p1_s", "7.2f"),
    ("min s", "time_gap_min_s", "6.2f"),
    ("veh/h lit jn.", "per_hour_lights", "7.0f"),
    ("other jn.", "per_hour_other", "7.0f"),
)


def print_table(rows: dict[str, dict[str, float]]) -> None:
    """One line a figure, one column a town."""
    width = max(12, *(len(name) + 2 for name in rows))
    print(f"{'':20s}" + "".join(f"{name:>{width}s}" for name in rows))
    for title, key, form in _COLUMNS:
        form = "." + form.split(".")[1]
        cells = [f"{row[key]:{form}}" if key in row and np.isfinite(row[key]) else "-" for row in rows.values()]
        print(f"{title:20s}" + "".join(f"{cell:>{width}s}" for cell in cells))


def print_places(name: str, tallies: np.ndarray, seeds: tuple[int, ...] | list[str]) -> None:
    """Where the first of each kind happened."""
    for seed, tally in zip(seeds, tallies, strict=True):
        for what in ("first_contact", "first_red_run", "first_stop_run", "first_stuck", "worst_offset"):
            place = tally[what]
            if place[2] > 0 and (what != "worst_offset" or tally["offset_max"] > 0.5):
                print(
                    f"  {name} {seed} {what}: x {place[0]:.1f} y {place[1]:.1f} tick {place[2]:.0f} id {place[3]:.0f}"
                )


def main(options: Options) -> None:
    """Watch and print."""
    began = time.perf_counter()
    rows: dict[str, dict[str, float]] = {}
    if options.rides:
        for suite in options.suites:
            by_town: dict[str, list[Route]] = defaultdict(list)
            for route in read_routes(find_suite(suite)):
                by_town[route.town].append(route)
            for town, routes in sorted(by_town.items()):
                if options.towns and town not in options.towns:
                    continue
                try:
                    found = [watch_rides(routes, options, seed) for seed in options.seeds]
                except MissingMapError:
                    continue
                except RouteGymError as error:
                    print(f"{town}: {error}")
                    continue
                tallies = np.concatenate([tally for tally, _ in found])
                rows[f"{town} ({len(routes)})"] = figures(tallies, None)
                if options.where:
                    print_places(town, tallies, [f"{r.id} {r.scenario_type}" for r in routes] * len(found))
    else:
        scenery = load_routes("smoke").arrays  # nobody follows a route here; kernels ask for one
        for town in options.towns or available_towns(options.maps):
            network = load_named_town(town, options.maps)
            tallies = watch_town(network, options, scenery)
            rows[town] = figures(tallies, network)
            if options.where:
                print_places(town, tallies, options.seeds)
    if not rows:
        print("no town has a map")
        return
    print_table(rows)
    what = f"routes driven by {options.agent}" if options.rides else f"{options.vehicles} vehicles"
    each = "" if options.rides else f" of {options.minutes:g} min"
    print(f"{what}, {len(options.seeds)} seed(s){each}; {time.perf_counter() - began:.0f} s")
    if options.json:
        print(json.dumps({"options": {"seeds": options.seeds, "rides": options.rides}, "towns": rows}))


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
