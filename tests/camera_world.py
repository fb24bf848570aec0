"""Worlds with actors where a test wants them, for cameras to look at."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from simulator.blueprints import BLUEPRINTS, HALF_SIZE, KIND, blueprint_index
from simulator.roads import load_named_town
from simulator.roads.network import RoadNetwork
from simulator.scenery.markings import lane_point
from simulator.sensors.scene import Scene
from simulator.state import empty_worlds

NOON = {5: 60.0, 0: 10.0}  # sun altitude, clouds


@cache
def town(name: str = "MiniTown", maps: Path | None = None) -> RoadNetwork:
    return load_named_town(name, maps)


@cache
def scene(name: str = "MiniTown", maps: Path | None = None) -> Scene:
    return Scene(town(name, maps))


def empty_world(weather: dict[int, float] | None = None) -> np.void:
    world = empty_worlds(1)[0]
    for field, value in (weather or NOON).items():
        world["weather"][field] = value
    return world


def put(world: np.void, blueprint: str | int, x: float, y: float, z: float = 0.0, yaw: float = 0.0, **fields) -> int:
    """Add an actor; yaw in rad. Returns its slot."""
    index = blueprint_index(blueprint) if isinstance(blueprint, str) else blueprint
    slot = int(world["num_slots"])
    world["num_slots"] = slot + 1
    values = {"kind": KIND[index], "blueprint": index, "actor_id": 200 + slot, "x": x, "y": y, "z": z, "yaw": yaw}
    half = dict(zip(("half_length", "half_width", "half_height"), HALF_SIZE[index]))
    for name, value in {**values, **half, **fields}.items():
        world[name][slot] = value
    return slot


def lane_place(
    network: RoadNetwork, draws: np.random.Generator, lane_type: int = 1
) -> tuple[float, float, float, float]:
    """x, y, z, yaw of a random place on a lane."""
    arrays = network.arrays
    lanes = np.flatnonzero((arrays.lane_type == lane_type) & (arrays.lane_length > 5.0))
    lane = int(draws.choice(lanes))
    return lane_point(arrays, lane, float(draws.uniform(1.0, arrays.lane_length[lane] - 1.0)))[:4]


def busy_world(network: RoadNetwork, seed: int, vehicles: int = 40, walkers: int = 30) -> np.void:
    """A world full of actors, the first of them the ego."""
    draws = np.random.default_rng(seed)
    world = empty_world()
    cars = [i for i, b in enumerate(BLUEPRINTS) if b.id.startswith("vehicle.")]
    people = [i for i, b in enumerate(BLUEPRINTS) if not b.id.startswith("vehicle.")]
    x, y, z, yaw = lane_place(network, draws)
    put(world, "vehicle.lincoln.mkz_2020", x, y, z, yaw)
    for k in range(vehicles - 1):
        x, y, z, yaw = lane_place(network, draws)
        put(world, int(draws.choice(cars)), x, y, z, yaw, lights=int(draws.integers(0, 128)), door=k % 5)
    for k in range(walkers):
        x, y, z, _ = lane_place(network, draws, 5)
        put(
            world,
            int(draws.choice(people)),
            x,
            y,
            z,
            float(draws.uniform(-math.pi, math.pi)),
            speed=1.3,
            travelled=0.3 * k,
        )
    return world
