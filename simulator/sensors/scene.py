"""A town with the actors of a world in it, ready to be looked at.

`Scene(network)` holds the town's triangles, and after `place(world)` those of the actors behind them. `look` draws a
pinhole view of them into a visibility buffer: for every pixel the triangle that is seen and the inverse of its depth.
Cameras (`camera.py`) colour such buffers; a LiDAR reads ranges out of them:

    scene.place(world)
    view = scene.look(axes, position, width, height, fov)
    t = view.triangle[row, column]                      # -1: nothing
    r = scene.range_to(t, position, direction)          # exact: where the ray meets the triangle's plane

A scene is one worker's: buffers are used again by the next call. `twin()` gives another one on the same town.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from simulator.array_bundle import bundle
from simulator.roads.network import RoadNetwork
from simulator.scenery.model import load_models
from simulator.scenery.surfaces import KERB_HEIGHT
from simulator.scenery.town import TownScenery, load_scenery
from simulator.sensors.camera_geometry import Pose, check_camera, check_world, focal_length, mounted, pose_matrix
from simulator.sensors.raster import BUCKETS, DETAIL_PIXELS, TILE, WORK, draw_view
from simulator.sensors.scene_actors import BODY_COLOURS, PARTS, light_signals, place_actors
from simulator.sensors.scene_weather import is_dark
from simulator.state import MAX_ACTORS

FAR = 1000.0  # metres: the depth camera's range, and how far one sees

_ORIGIN, _AXES = np.zeros(3), np.eye(3)  # where nobody looks
_DETAIL_METRES, _DETAIL_FOCAL = 36.0, 0.11  # metres, and metres per pixel of focal length, of full detail


class View(NamedTuple):
    """A visibility buffer. Its arrays belong to the scene: the next `look` of the same size writes into them."""

    triangle: np.ndarray  # int32[H, W] index into the scene's triangles, -1 nothing
    inverse_depth: np.ndarray  # float32[H, W] 1 / metres along the view axis, 0 nothing
    axes: np.ndarray  # float64[3, 3] columns forward, right, up
    position: np.ndarray  # float64[3]
    focal: float  # pixels
    centre: tuple[float, float]  # pixels

    def depth(self) -> np.ndarray:
        """float32[H, W] metres along the view axis; infinite where nothing is seen."""
        with np.errstate(divide="ignore"):
            return np.float32(1.0) / self.inverse_depth


class Scene:
    """Triangles of a town and of the actors of one world.

    Attributes (the town's `num_static` triangles first, then the actors' up to `num_triangles`):
        vertex: float32[V, 3] metres, world. triangle: int32[T, 3].
        normal: float32[T, 3] unit, towards the front.
        tag: uint8[T] CARLA's semantic class (`scenery.tags.Tag`). material: uint8[T].
        thing: int32[T] instance number: the actor's id, or from 20000 on for what stands in the town; 0 ground.
        paint: float32[T, 3] RGB 0..255. glow: float32[T] light of its own, 0..1.
        actor_slot: int64[A] slots of the actors placed, actor_triangle: int32[A, 3] first triangle, end from afar, end.
    """

    def __init__(self, network: RoadNetwork, *, threads: int = 1) -> None:
        """
        Args:
            network: the town.
            threads: 1 or 2 row bands drawn at once; the pictures are the same.
        """
        self._setup(_shared(network), threads)

    def twin(self) -> Scene:
        """Another scene on the same town, for another thread."""
        scene = Scene.__new__(Scene)
        scene._setup(self.town, self.threads)
        return scene

    def _setup(self, town: TownScenery, threads: int) -> None:
        self.town = town
        self.threads = max(1, int(threads))
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        models = load_models()
        self._models = bundle(models)
        mesh = town.mesh
        most_vertices = int(np.diff(models.first_vertex).max()) * MAX_ACTORS
        most_triangles = int(np.diff(models.first_triangle).max()) * MAX_ACTORS
        self.num_static = self.num_triangles = len(mesh.triangle)
        self._static_vertices = len(mesh.vertex)
        v, t = self._static_vertices + most_vertices, self.num_static + most_triangles
        self.vertex = _extended(mesh.vertex, v)
        self.triangle = _extended(mesh.triangle, t)
        self.normal = _extended(mesh.normal, t)
        self.tag = _extended(mesh.tag, t)
        self.material = _extended(mesh.material, t)
        self.thing = _extended(mesh.object, t)
        self.aux = _extended(mesh.aux, t)
        self.paint = _extended(mesh.colour.astype(np.float32), t)
        self.glow = np.zeros(t, np.float32)
        self.actor_triangle = np.zeros((MAX_ACTORS, 3), np.int32)
        self.actor_vertex = np.zeros((MAX_ACTORS, 2), np.int32)
        self.actor_sphere = np.zeros((MAX_ACTORS, 4))
        self.actor_slot = np.zeros(MAX_ACTORS, np.int64)
        self.num_actors = 0
        self.shader: Any = None  # what paints its views, made by the first camera and shared by all (`shade.Shader`)
        self.work = np.zeros((self.threads, len(WORK)), np.int64)  # of the last `look`, by row band (`raster.WORK`)
        most = max(int(np.diff(mesh.chunk_vertex).max(initial=1)), int(np.diff(models.first_vertex).max()))
        self._screen = np.zeros((self.threads, 3, most))
        self._order = np.zeros((self.threads, 3, len(mesh.chunk_low) + MAX_ACTORS), np.int32)
        self._filled = np.zeros((self.threads, BUCKETS + 1), np.int64)
        self._turns = np.zeros((PARTS, 2))
        self._views: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def place(
        self,
        world: np.ndarray,
        *,
        skip_slot: int = -1,
        viewer: np.ndarray | None = None,
        focal: float = 0.0,
        axes: np.ndarray | None = None,
        size: tuple[int, int] = (0, 0),
    ) -> None:
        """Put the actors of a world record, and the state of its traffic lights, into the scene.

        Args:
            world: one record `worlds[b]`; only read.
            skip_slot: an actor to leave out, such as the one that carries a LiDAR.
            viewer: position of the only camera that will look, and its focal length in pixels: actors that it sees
                small are placed without their details, which it would not draw.
            axes: and its axes, and the size of its picture in pixels: actors that it does not see are placed without
                triangles.

        Raises:
            SensorError: `world` is not one WORLD record.
        """
        check_world(world)
        town = self.town
        reach = math.inf if viewer is None else focal / DETAIL_PIXELS
        half_width, half_height = (0.0, 0.0) if axes is None else (0.5 * size[0] / focal, 0.5 * size[1] / focal)
        self.num_actors, _, self.num_triangles = place_actors(
            world, self._models, BODY_COLOURS, town.raised, town.raised_origin, town.raised_cell, KERB_HEIGHT,
            is_dark(world["weather"]), skip_slot, _ORIGIN if viewer is None else viewer,
            _AXES if axes is None else axes, reach, half_width, half_height, self.vertex, self.triangle, self.normal,
            self.paint, self.glow, self.tag, self.material, self.thing, self._static_vertices, self.num_static,
            self.actor_triangle, self.actor_vertex,
            self.actor_sphere, self.actor_slot, self._turns,
        )  # fmt: skip
        light_signals(world, town.lamp_light, town.lamp_kind, town.lamp_triangle, self.paint, self.glow)

    def look(
        self,
        axes: np.ndarray,
        position: np.ndarray,
        width: int,
        height: int,
        fov: float,
        *,
        far: float = FAR,
        detail: float | None = None,
        hide: bool = True,
    ) -> View:
        """Visibility buffer of a pinhole camera (`camera_geometry` states the conventions).

        Args:
            axes: float64[3, 3], columns forward, right and up of the camera. position: float64[3].
            fov: horizontal, degrees.
            far: metres along the view axis beyond which whole chunks are left out.
            detail: metres within which trees and the like are drawn in full; by default it depends on the focal length.
            hide: skip what boxes show to be hidden; without, the same picture takes longer.

        Raises:
            SensorError: impossible resolution or field of view.
        """
        check_camera(width, height, fov)
        if (height, width) not in self._views:
            self._views[height, width] = (
                np.zeros((height, width), np.int32),
                np.zeros((height, width), np.float32),
                np.zeros((self.threads, height // TILE + 2, width // TILE + 1), np.float32),
            )
        ids, inverse, tiles = self._views[height, width]
        f = focal_length(width, fov)
        near = detail if detail is not None else _DETAIL_METRES + _DETAIL_FOCAL * f
        mesh = self.town.mesh

        def band(number: int) -> None:
            low, high = height * number // self.threads, height * (number + 1) // self.threads
            draw_view(
                self.vertex, self.triangle, mesh.chunk_triangle, mesh.chunk_vertex, mesh.chunk_low, mesh.chunk_high,
                self.actor_triangle, self.actor_vertex, self.actor_sphere, self.num_actors, axes, position, f,
                width / 2, height / 2, far, near, hide, self._screen[number], self._order[number],
                self._filled[number], tiles[number], self.work[number], inverse, ids, low, high,
            )  # fmt: skip

        self.in_bands(band)
        return View(ids, inverse, axes, position, f, (width / 2, height / 2))

    def look_from(self, pose: Pose, width: int, height: int, fov: float, *, far: float = FAR) -> View:
        """`look` from a pose in the world."""
        check_camera(width, height, fov, pose)
        return self.look(*pose_matrix(pose), width, height, fov, far=far)

    def look_from_actor(
        self, world: np.ndarray, slot: int, mount: Pose, width: int, height: int, fov: float, *, far: float = FAR
    ) -> View:
        """`look` of a camera that is fixed to an actor."""
        check_camera(width, height, fov, mount)
        return self.look(*mounted(world, slot, mount), width, height, fov, far=far)

    def in_bands(self, work: Callable[[int], None]) -> None:
        """Call `work(n)` for every band of rows n, each in a thread of its own."""
        jobs = [self._pool.submit(work, n) for n in range(1, self.threads)] if self._pool else []
        work(0)
        for job in jobs:
            job.result()

    def light_street(self, on: bool) -> None:
        """Switch the street lamps."""
        lamps = self.town.street_triangle
        self.glow[lamps] = 1.0 if on else 0.0
        self.paint[lamps] = (255.0, 224.0, 160.0) if on else (215.0, 215.0, 205.0)

    def range_to(self, triangle: np.ndarray, position: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """float64[...] metres from `position` along unit vectors float[..., 3] to the planes of triangles int[...].

        nan where the triangle is -1. Good for rays that pass near the pixel in which the triangle is seen.
        """
        known = np.maximum(triangle, 0)
        normal = self.normal[known].astype(np.float64)
        corner = self.vertex[self.triangle[known, 0]].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = ((corner - position) * normal).sum(axis=-1) / (direction * normal).sum(axis=-1)
        return np.where(triangle >= 0, found, math.nan)


_TOWNS: dict[str, TownScenery] = {}  # by the map's digest; scenery is never written to


def _shared(network: RoadNetwork) -> TownScenery:
    if network.digest not in _TOWNS:
        _TOWNS[network.digest] = load_scenery(network)
    return _TOWNS[network.digest]


def _extended(array: np.ndarray, length: int) -> np.ndarray:
    out = np.zeros((length, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out
