"""Driving a route with an ego that moves on rails, to watch what its scenario does."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from envs.routes import RouteBatch, prepare_routes
from envs.world import EpisodeStart, WorldBatch
from scenarios.compiler import CompiledScripts, assemble, compile_scripts, pack_scripts
from scenarios.director import tick_director
from scenarios.director_state import MAX_LIVE, Status
from scenarios.geometry import RouteGeometry, pack_routes
from scenarios.placement import find_trigger
from scenarios.route_file import read_routes
from scenarios.script import Script
from scenarios.suites import find_suite
from simulator.array_bundle import bundle
from simulator.background import tick_background
from simulator.collisions import collide
from simulator.drivers import decide_all, move_actors
from simulator.kernel import kernel
from simulator.roads.towns import load_named_town
from simulator.signals import tick_lights
from simulator.state import EGO, TICK_SECONDS, LightState, Role
from simulator.tracking import track_actors, track_ego


@kernel
def tick_others(w, d, s, net, routes, scripts, x, y, z, yaw, speed):  # type: ignore[no-untyped-def]
    """One tick of the world in which the ego is where it is put."""
    decide_all(w, net, routes)
    move_actors(w, net, routes)
    w.x[EGO] = x
    w.y[EGO] = y
    w.z[EGO] = z
    w.yaw[EGO] = yaw
    w.speed[EGO] = speed
    w.vx[EGO] = speed * math.cos(yaw)
    w.vy[EGO] = speed * math.sin(yaw)
    collide(w)
    track_actors(w, net)
    track_ego(w, net, routes)
    tick_lights(w, net)
    w.tick += 1
    w.time = w.tick * TICK_SECONDS
    tick_background(w, net, routes)
    tick_director(w, d, s, net, routes, scripts)


class Drive:
    """One route of a batch, driven along its path at speeds of the test's choosing.

    Attributes:
        worlds: the batch of one world that holds the state.
        w, d, s: its records of world, director and switches.
        path_s: metres along the path.
    """

    def __init__(
        self, batch: RouteBatch, route: int, *, seed: int = 0, traffic: bool = True, script: Script | None = None
    ) -> None:
        self.batch = batch
        self.route = route
        prepared = batch.routes[route]
        self.geometry = prepared.geometry
        self.spec = prepared.route.scenarios[0]
        self.script = script or compile_scripts(batch.network, prepared.route, prepared.geometry).scenarios[0].script
        self.worlds = WorldBatch(batch)
        self.worlds.reset(0, EpisodeStart(route, seed))
        self.w, self.d, self.s = self.worlds.worlds[0], self.worlds.directors[0], self.worlds.switches[0]
        if not traffic:
            self.remove_traffic()
        self.path_s = 0.0

    def remove_traffic(self) -> None:
        """Nobody but the ego and the scenario's actors, now and later."""
        self.w["bg_enabled"] = 0
        self.w["kind"][self.w["role"] == Role.BACKGROUND] = 0

    def tick(self, speed: float = 0.0, right: float = 0.0) -> None:
        """0.05 s, in which the ego goes on along its path, `right` metres beside it."""
        self.path_s += speed * TICK_SECONDS
        g = self.geometry
        at = np.arange(len(g.path_x)) * g.path_step
        x, y, z, yaw = (
            float(np.interp(self.path_s, at, v)) for v in (g.path_x, g.path_y, g.path_z, np.unwrap(g.path_yaw))
        )
        b = self.batch
        x, y = x - right * math.sin(yaw), y + right * math.cos(yaw)
        tick_others(self.w, self.d, self.s, b.net, b.arrays, b.scripts, x, y, z, yaw, speed)

    def until(self, holds: Callable[[], bool], speed: float = 0.0, right: float = 0.0, limit: float = 60.0) -> float:
        """Drive until something holds; seconds that it took.

        Raises:
            AssertionError: when it does not within `limit` seconds.
        """
        for k in range(int(limit / TICK_SECONDS)):
            if holds():
                return k * TICK_SECONDS
            self.tick(speed, right)
        raise AssertionError(f"not within {limit} s")

    def to_trigger(self, speed: float = 8.0) -> None:
        """Drive until the scenario has started."""
        self.until(lambda: self.status == Status.ACTIVE, speed)

    def wait(self, seconds: float, speed: float = 0.0) -> None:
        for _ in range(round(seconds / TICK_SECONDS)):
            self.tick(speed)

    @property
    def status(self) -> Status:
        return Status(int(self.d["status"][0]))

    @property
    def live(self) -> int:
        """Index of the scenario among the live ones."""
        return next(k for k in range(MAX_LIVE) if self.d["scenario"][k] == 0)

    def slot(self, member: str) -> int:
        """Actor slot of a member of the cast, -1 when it is gone."""
        if self.status in (Status.DONE, Status.MISSED):
            return -1
        names = [m.name for m in self.script.cast]
        return int(self.d["cast_slot"][self.live, names.index(member)])

    def cast_slots(self) -> list[int]:
        """Slots of all members that are there."""
        return [slot for slot in map(self.slot, (m.name for m in self.script.cast)) if slot >= 0]

    def place(self, slot: int) -> np.ndarray:
        """float64[3] centre of an actor, metres."""
        return np.array([self.w["x"][slot], self.w["y"][slot], self.w["z"][slot]])

    def distance(self, slot: int) -> float:
        """Metres from the ego to an actor."""
        return float(np.linalg.norm(self.place(slot) - self.place(EGO)))

    def beside_path(self, slot: int) -> tuple[float, float]:
        """Metres along the path of its point nearest to an actor, and metres right of it."""
        return beside_path(self.geometry, self.place(slot))

    @property
    def trigger_s(self) -> float:
        """Metres along the path of the trigger point."""
        t = self.spec.trigger_point
        return beside_path(self.geometry, np.array([t.x, t.y, t.z]))[0]

    def value(self, tag: str, name: str = "value") -> float:
        """A parameter of the scenario, as in the route file."""
        return float(self.spec.parameters[tag][name])

    def light(self, index: int) -> LightState:
        return LightState(int(self.w["light_state"][index]))

    def flow_slots(self) -> list[int]:
        """Slots of all flow vehicles, ascending."""
        return [int(i) for i in np.flatnonzero(self.d["slot_flow"] >= 0)]


def beside_path(geometry: RouteGeometry, place: np.ndarray) -> tuple[float, float]:
    """Metres along a route's path of its point nearest to a place, and metres right of it."""
    k = int(np.argmin(np.hypot(geometry.path_x - place[0], geometry.path_y - place[1])))
    yaw = geometry.path_yaw[k]
    dx, dy = place[0] - geometry.path_x[k], place[1] - geometry.path_y[k]
    along = k * geometry.path_step + dx * math.cos(yaw) + dy * math.sin(yaw)
    return float(along), float(-dx * math.sin(yaw) + dy * math.cos(yaw))


@lru_cache(maxsize=1)
def smoke_batch() -> RouteBatch:
    """The routes of the built-in suite `smoke`, one for each scenario type."""
    return prepare_routes(load_named_town("MiniTown", None), read_routes(find_suite("smoke")))


def smoke_drive(kind: str, *, seed: int = 0, traffic: bool = True) -> Drive:
    """A drive of the smoke route of a scenario type."""
    batch = smoke_batch()
    types = [prepared.route.scenario_type for prepared in batch.routes]
    return Drive(batch, types.index(kind), seed=seed, traffic=traffic)


def scripted_drive(script: Script, *, kind: str = "ControlLoss", traffic: bool = False) -> Drive:
    """A drive of the smoke route of some type, with another script in place of its scenario."""
    batch = smoke_batch()
    prepared = next(p for p in batch.routes if p.route.scenario_type == kind)
    spec = prepared.route.scenarios[0]
    trigger = find_trigger(prepared.geometry, spec)
    compiled = assemble(script, spec, float(prepared.geometry.trace_distance[trigger]))
    scripts, tracks = pack_scripts([CompiledScripts(prepared.route.id, (compiled,))])
    arrays = pack_routes([prepared.geometry], [prepared.route], batch.network.arrays, tracks)
    one = RouteBatch(batch.network, (prepared,), batch.net, bundle(arrays), bundle(scripts))
    drive = Drive(one, 0, traffic=traffic, script=script)
    return drive
