"""Worlds made by hand for the tests of the simulator.

`crossroads()` is a small town drawn for these tests. Seen from above, CARLA's frame (x east, y south), metres; every
road has one lane of 3.5 m each way, driven on the right, 50 km/h:

                 x 0                      x 200
                  |                         |
                North                    Mill lane            y -140
                  |                         |
    West ---- A (lights) ---- Main ---- B (stop) ---- East ---.      y 0
                  |                         |                  \\  bend of 20 m radius
                South                    Mill lane              |
                                                                |    y 140
    x -200                                                    x 320

At A the main street and the side street are green in turn (10 s green, 3 s yellow, 2 s all red). At B the side street
has stop signs, the main street has the right of way.

`Traffic` is one world in a town, without an ego in sight: its actors are put there by name of lane and metre, and
`tick` is the tick of `envs.tick` without scenarios and criteria.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from agents.autopilot import Autopilot
from envs.routes import RouteBatch, prepare_routes
from envs.tick import tick_traffic
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import empty_criteria
from scenarios.director_state import empty_directors
from scenarios.geometry import Polyline, lanes_along
from scenarios.route import Location, Route
from simulator.actors import set_speed, spawn_actor
from simulator.array_bundle import bundle
from simulator.background import spawn_background
from simulator.blueprints import blueprint_index
from simulator.draws import seed_draws
from simulator.roads.cache import load_town
from simulator.roads.network import LaneType, RoadArrays
from simulator.roads.writer.geometry import Path, Pose
from simulator.roads.writer.road import Arm
from simulator.roads.writer.town import Town
from simulator.roads.writer.xml import to_xodr
from simulator.route_arrays import RouteArrays
from simulator.signals import reset_lights
from simulator.state import EGO, MAX_PLAN, TICK_SECONDS, Behaviour, LightState, Role, empty_worlds
from simulator.tracking import stand_on_lane

EAST, SOUTH, WEST, NORTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi  # headings, rad
BEND_RADIUS = 20.0  # m, of the reference line
CAR = "vehicle.lincoln.mkz_2020"

_MOUTH = 12.0  # m from the middle of a crossing to its roads


def _draw_crossroads() -> Town:
    town = Town("Crossroads")

    def street(name: str, x: float, y: float, heading: float, length: float) -> Path:
        path = Path(Pose(x, y, heading)).line(length)
        town.road(name, path, "d", "d")
        return path

    quarter = 0.5 * math.pi
    street("West", -200.0, 0.0, 0.0, 200.0 - _MOUTH)
    street("Main", _MOUTH, 0.0, 0.0, 200.0 - 2.0 * _MOUTH)
    bend = Path(Pose(200.0 + _MOUTH, 0.0, 0.0)).line(88.0).arc(BEND_RADIUS * quarter, -1.0 / BEND_RADIUS).line(120.0)
    town.road("East", bend, "d", "d")
    for x, names in ((0.0, ("North", "South")), (200.0, ("Mill Lane North", "Mill Lane South"))):
        street(names[0], x, _MOUTH, quarter, 128.0)
        street(names[1], x, -_MOUTH, -quarter, 128.0)
    west, main, east, north_a, south_a, north_b, south_b = town.roads.values()
    a = town.junction("A", [Arm(main, "start"), Arm(north_a, "start"), Arm(west, "end"), Arm(south_a, "start")])
    b = town.junction("B", [Arm(east, "start"), Arm(north_b, "start"), Arm(main, "end"), Arm(south_b, "start")])
    town.signalise(a, [{0: "LSR", 2: "LSR"}, {1: "LSR", 3: "LSR"}])
    town.stop(b, 1, 3)
    return town


@lru_cache(maxsize=1)
def crossroads() -> RouteBatch:
    """The town of this module's picture, with one route from West to East."""
    network = load_town(to_xodr(_draw_crossroads()), "Crossroads")
    ends = (Location(-190.0, 1.75, 0.0), Location(290.0, 1.75, 0.0))
    return prepare_routes(network, [Route("1", "Crossroads", ends)])


def lane_at(net: RoadArrays, x: float, y: float, heading: float) -> tuple[int, float]:
    """Driving lane outside junctions and metres on it at a place, among the lanes that lead that way."""
    near = np.hypot(net.point_x - x, net.point_y - y)
    lane = net.point_lane
    fits = (np.cos(net.point_yaw - heading) > 0.8) & (net.lane_type[lane] == LaneType.DRIVING)
    near[~fits | (net.lane_junction[lane] >= 0)] = np.inf
    p = int(near.argmin())
    assert near[p] < 2.5, f"no lane leads that way at ({x}, {y})"
    return int(lane[p]), float((p - net.lane_first[lane[p]]) * net.lane_step[lane[p]])


def lanes_onward(net: RoadArrays, lane: int, turns: str = "SSSS") -> list[int]:
    """The lanes of a plan that begins on `lane` and takes `turns` (L, S, R) at the junctions."""
    plan = [lane]
    wanted = list(turns)
    while len(plan) < MAX_PLAN:
        after = net.succ_lane[net.succ_first[plan[-1]] : net.succ_first[plan[-1] + 1]]
        after = [int(k) for k in after if net.lane_type[k] == LaneType.DRIVING]
        if not after:
            break
        if net.lane_junction[after[0]] >= 0 and net.lane_junction[plan[-1]] < 0:
            turn = "LSR".index(wanted.pop(0)) - 1
            after = [k for k in after if net.lane_turn[k] == turn] or after
        plan.append(after[0])
    return plan


class Traffic:
    """One world whose actors are placed by hand; nobody is in the ego's slot."""

    def __init__(self, batch: RouteBatch) -> None:
        self.batch = batch
        self.net, self.routes = batch.net, batch.arrays
        self.worlds = empty_worlds(1)
        self.directors = empty_directors(1)
        self.criteria = empty_criteria(1)
        self._controls = np.zeros((1, 3))
        self.w["bg_enabled"] = 0
        self.hold_lights(LightState.GREEN)

    @property
    def w(self) -> np.void:
        return self.worlds[0]

    def spawn(self, blueprint: str, x: float, y: float, heading: float = EAST) -> int:
        """A standing actor anywhere; returns its slot."""
        slot = int(spawn_actor(self.w, blueprint_index(blueprint), int(Role.SCENARIO), x, y, 0.0, heading))
        assert slot > 0
        return slot

    def drive(
        self, x: float, y: float, heading: float, speed: float = 0.0, turns: str = "SSSS", blueprint: str = CAR
    ) -> int:
        """A traffic vehicle on the lane there, with `speed` m/s, that takes `turns` at the next junctions."""
        lane, s = lane_at(self.net, x, y, heading)
        slot = self.spawn(blueprint, x, y, heading)
        self.w["behaviour"][slot] = int(Behaviour.LANES)
        self.w["target_speed"][slot] = -1.0
        stand_on_lane(self.w, self.net, slot, lane, s)
        plan = lanes_onward(self.net, lane, turns)
        self.w["plan"][slot, : len(plan)] = plan
        set_speed(self.w, slot, speed)
        return slot

    def walk(self, x: float, y: float, heading: float, speed: float = 1.4) -> int:
        """A walker who goes straight on."""
        slot = self.spawn("walker.pedestrian.0001", x, y, heading)
        self.w["behaviour"][slot] = int(Behaviour.WALK)
        self.w["target_speed"][slot] = speed
        set_speed(self.w, slot, speed)
        return slot

    def hold_lights(self, state: LightState) -> None:
        """All lights show `state` from now on."""
        self.w["group_frozen"] = 1
        self.w["light_state"] = int(state)

    def run_lights(self) -> None:
        """All groups at the start of their first phase, as when a route begins."""
        reset_lights(self.w, self.net)

    def tick(self, count: int = 1) -> None:
        """Advance by ticks of 0.05 s."""
        for _ in range(count):
            tick_traffic(self.worlds, self.directors, self.criteria, self._controls, self.net, self.routes)

    def seconds(self, count: float) -> None:
        """Advance by seconds."""
        self.tick(round(count / TICK_SECONDS))

    def front(self, slot: int, heading: float = EAST) -> float:
        """Metres of an actor's front along a heading, from the origin."""
        centre = self.w["x"][slot] * math.cos(heading) + self.w["y"][slot] * math.sin(heading)
        return float(centre + self.w["half_length"][slot])

    def speed(self, slot: int) -> float:
        return float(self.w["speed"][slot])


@lru_cache(maxsize=1)
def smoke() -> RouteBatch:
    """The routes of the suite `smoke`, on MiniTown."""
    return load_routes("smoke")


def crowd(traffic: Traffic, count: int, seed: int) -> int:
    """Put up to `count` traffic vehicles on random lanes outside junctions; they draw their ways themselves.

    Returns how many found room.
    """
    net, draws = traffic.net, np.random.default_rng(seed)
    roads = (net.lane_type == LaneType.DRIVING) & (net.lane_junction < 0) & (net.lane_length > 15.0)
    seed_draws(traffic.w, seed, 0)
    found = 0
    for lane in draws.permutation(np.flatnonzero(roads)):
        place = float(draws.uniform(5.0, net.lane_length[lane] - 8.0))
        found += int(spawn_background(traffic.w, net, int(lane), place, 5.0, 0)) >= 0
        if found == count:
            break
    return found


def with_track(batch: RouteBatch, points: list[tuple[float, float]], step: float = 0.5) -> RouteBatch:
    """The same batch with one track, number 0: a polyline through `points`, resampled every `step` metres."""
    corners = np.array(points)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    s = np.arange(0.0, along[-1], step)
    x, y = (np.interp(s, along, corners[:, k]) for k in (0, 1))
    yaw = np.arctan2(np.gradient(y), np.gradient(x))
    packed = RouteArrays(*(getattr(batch.arrays, name) for name in RouteArrays._fields))
    track = packed._replace(
        track_first=np.array([0, len(s)]),
        track_x=x,
        track_y=y,
        track_z=np.zeros(len(s)),
        track_yaw=yaw,
        track_lane=lanes_along(batch.network.arrays, Polyline(x, y, 0.0 * x, yaw, step)),
        track_step=np.array([step]),
    )
    return replace(batch, arrays=bundle(track))


@lru_cache(maxsize=1)
def avenue() -> RouteBatch:
    """One route without scenarios on MiniTown: 820 m east along the avenues, over the crossings A, B, C and on to E1.

    The ego begins at x = -400 on the right one of two lanes and never changes lanes; the first crossing is 180 m ahead.
    """
    ends = (Location(-400.0, -84.75, 0.0), Location(420.0, -88.25, 0.0))
    return prepare_routes(smoke().network, [Route("avenue", "MiniTown", ends)])


class Ride(Traffic):
    """A world as `WorldBatch.reset` begins it, with background traffic around an ego, without scenarios and criteria.

    The ego stands until `driven` is set; the autopilot then drives it.
    """

    def __init__(self, batch: RouteBatch, seed: int = 0) -> None:
        super().__init__(batch)
        world_batch = WorldBatch(batch)
        world_batch.reset(0, EpisodeStart(0, seed))
        self.worlds, self.directors, self.criteria = world_batch.worlds, world_batch.directors, world_batch.criteria
        self._autopilot = Autopilot()
        self._autopilot.bind(world_batch)
        self.driven = False

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self._controls = self._autopilot.act() if self.driven else np.array([[0.0, 1.0, 0.0]])
            super().tick()

    def background(self) -> np.ndarray:
        """int[n] slots of background vehicles."""
        return np.flatnonzero((self.w["kind"] != 0) & (self.w["role"] == Role.BACKGROUND))

    def along(self, slots: np.ndarray) -> np.ndarray:
        """float64[n] metres ahead of the ego, along its heading."""
        w = self.w
        dx, dy = w["x"][slots] - w["x"][EGO], w["y"][slots] - w["y"][EGO]
        return dx * math.cos(w["yaw"][EGO]) + dy * math.sin(w["yaw"][EGO])

    def distance(self, slots: np.ndarray) -> np.ndarray:
        """float64[n] metres from the ego, centre to centre."""
        w = self.w
        return np.hypot(w["x"][slots] - w["x"][EGO], w["y"][slots] - w["y"][EGO])
