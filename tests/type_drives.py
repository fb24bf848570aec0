"""Routes of MiniTown for every scenario type, and what tests of their scenarios ask of a drive."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from envs.routes import RouteBatch, prepare_routes
from scenarios.director_state import Status
from scenarios.registry import LEADERBOARD_TYPES
from scenarios.suite_maker import make_suite
from scenarios.suite_recipes_more import MORE_RECIPES
from simulator.roads.towns import load_named_town
from simulator.state import EGO, LightState
from tests.scenario_drive import Drive

SPEED = 8.0  # m/s of the ego where nothing else is said
LANE = 3.5  # m, width of most of MiniTown's lanes
MORE_TYPES = (*MORE_RECIPES, *LEADERBOARD_TYPES)  # those that the smoke suite lacks


@lru_cache(maxsize=1)
def batch() -> RouteBatch:
    """One route for each of `MORE_TYPES`."""
    town = load_named_town("MiniTown", None)
    return prepare_routes(town, make_suite(town, MORE_TYPES, 1, seed=3))


@lru_cache(maxsize=4)
def many(kind: str, count: int, seed: int = 3) -> RouteBatch:
    """Several routes of one type."""
    town = load_named_town("MiniTown", None)
    return prepare_routes(town, make_suite(town, [kind], count, seed=seed))


def drive_of(kind: str, *, traffic: bool = False) -> Drive:
    return Drive(batch(), MORE_TYPES.index(kind), traffic=traffic)


def end_of(drive: Drive, speed: float = SPEED, right: float = 0.0) -> None:
    """Drive until the scenario has ended."""
    drive.until(lambda: drive.status == Status.DONE, speed, right)


def exit_s(drive: Drive) -> float:
    """Metres along the path where the first junction after the trigger ends."""
    arrays = drive.batch.arrays
    exits = arrays.crossing_exit[arrays.crossing_first[drive.route] : arrays.crossing_first[drive.route + 1]]
    return float(min(s for s in exits if s > drive.trigger_s))


def lights(drive: Drive) -> tuple[LightState, set[LightState]]:
    """State of the ego's light at the junction ahead, and the states of all others there."""
    net = drive.batch.network.arrays
    lanes = drive.geometry.path_lane[int(drive.trigger_s / drive.geometry.path_step) :]
    first = next(int(i) for i in lanes if i >= 0 and net.lane_junction[i] >= 0)
    groups = np.flatnonzero(net.group_junction == net.lane_junction[first])
    own = int(net.lane_light[first])
    others = [int(i) for i in np.flatnonzero(np.isin(net.light_group, groups)) if i != own]
    return drive.light(own), {drive.light(i) for i in others}


def has_light(routes: RouteBatch, k: int) -> bool:
    """Whether a route's first junction has a light for the ego."""
    net, lanes = routes.network.arrays, routes.routes[k].geometry.path_lane
    return int(net.lane_light[next(int(i) for i in lanes if i >= 0 and net.lane_junction[i] >= 0)]) >= 0


def junction_ahead(drive: Drive) -> int:
    net = drive.batch.network.arrays
    lanes = drive.geometry.path_lane[int(drive.trigger_s / drive.geometry.path_step) :]
    return next(int(net.lane_junction[i]) for i in lanes if i >= 0 and net.lane_junction[i] >= 0)


def ego_distance(drive: Drive, place) -> float:  # type: ignore[no-untyped-def]
    return math.dist(drive.place(EGO), place[:3])
