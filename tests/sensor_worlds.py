"""Hand-built worlds and scenes for the tests of sensors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from simulator.actors import place_actor, set_speed, spawn_actor
from simulator.blueprints import EGO_BLUEPRINT, blueprint_index
from simulator.roads.network import RoadNetwork
from simulator.scenery.mesh import Mesh, MeshBuilder, box
from simulator.scenery.tags import Material, Tag
from simulator.sensors import SensorRig, parse_sensors
from simulator.sensors.scene import Scene
from simulator.state import EGO, MAX_ACTORS, Role, empty_worlds
from tests.sim_world import crossroads


def standing_car(yaw: float = 0.0, x: float = 0.0, y: float = 0.0, seed: int = 1) -> np.ndarray:
    """WORLD[1] with the ego alone, at rest."""
    worlds = empty_worlds(1)
    worlds["seed"] = seed
    place_actor(worlds[0], EGO, EGO_BLUEPRINT, int(Role.HERO), x, y, 0.0, yaw)
    return worlds


def moving_car(speed: float, yaw: float = 0.0) -> np.ndarray:
    """WORLD[1] with the ego alone, at a steady speed (m/s)."""
    worlds = standing_car(yaw)
    set_speed(worlds[0], EGO, speed)
    return worlds


def put(worlds: np.ndarray, blueprint: str, x: float, y: float, yaw: float = 0.0) -> int:
    """One more actor; returns its slot."""
    return int(spawn_actor(worlds[0], blueprint_index(blueprint), int(Role.SCENARIO), x, y, 0.0, yaw))


def rig(worlds: np.ndarray, *sensors: dict[str, Any], **options: Any) -> SensorRig:
    """A rig of sensors with CARLA's own attributes, on the town `crossroads`."""
    specs = parse_sensors([{"id": f"s{k}"} | sensor for k, sensor in enumerate(sensors)], leaderboard=False)
    network = options.pop("network", crossroads().network)
    return SensorRig(specs, network, worlds, **options)


def network_at(latitude: float, longitude: float) -> RoadNetwork:
    """The town `crossroads`, somewhere else on the globe."""
    return replace(crossroads().network, geo_reference=(latitude, longitude))


@dataclass
class HandScene:
    """The arrays of `simulator.sensors.scene.Scene` over a mesh of one's own, without actors."""

    mesh: Mesh
    num_actors: int = 0
    actor_vertex: np.ndarray = field(default_factory=lambda: np.zeros((MAX_ACTORS, 2), np.int32))
    actor_triangle: np.ndarray = field(default_factory=lambda: np.zeros((MAX_ACTORS, 3), np.int32))
    actor_sphere: np.ndarray = field(default_factory=lambda: np.zeros((MAX_ACTORS, 4)))
    actor_slot: np.ndarray = field(default_factory=lambda: np.zeros(MAX_ACTORS, np.int64))

    def __post_init__(self) -> None:
        self.vertex, self.triangle, self.normal, self.tag = (
            self.mesh.vertex,
            self.mesh.triangle,
            self.mesh.normal,
            self.mesh.tag,
        )
        self.num_static = len(self.triangle)
        self.town = SimpleNamespace(mesh=self.mesh)

    def place(self, world: np.void) -> None:
        """Nobody is in it."""


@lru_cache(maxsize=1)
def room() -> HandScene:
    """A hall around the origin: x and y from -10 to 10 m, z from 0 to 5 m, seen from inside."""
    out = MeshBuilder()
    vertices, triangles = box((-10.0, -10.0, 0.0), (10.0, 10.0, 5.0))
    out.add(vertices, triangles[:, ::-1], (0.5, 0.5, 0.5), Tag.BUILDING, Material.PLAIN)
    return HandScene(out.build(8.0))


def solid_triangles(scene: Scene, eye: np.ndarray) -> np.ndarray:
    """int32[n, 3] what a LiDAR at `eye` can hit: fronts, without what stands for the detail of a town from afar."""
    number = np.arange(scene.num_triangles)
    level = (np.searchsorted(scene.town.mesh.chunk_triangle, number, side="right") - 1) % 3
    real = (number >= scene.num_static) | (level != 2)
    corner = scene.vertex[scene.triangle[: scene.num_triangles]].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    fronts = ((eye - corner[:, 0]) * normal).sum(axis=1) > 0.0
    return np.ascontiguousarray(scene.triangle[: scene.num_triangles][real & fronts], np.int32)
