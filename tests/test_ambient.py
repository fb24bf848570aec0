"""Pedestrians and parked cars: where they are, what they do, and that nothing of it happens unless it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sim_world import CAR, SOUTH, avenue, smoke

from agents.registry import make_agent
from envs import RouteEnv
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from evaluation.tasks import plan_run
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.worlds import incomparable
from simulator import WORLD
from simulator.actors import set_speed, spawn_actor
from simulator.ambient import MAX_PARKED, MAX_PEDESTRIANS, ROOM
from simulator.blueprints import Kind, blueprint_index
from simulator.densities import Ambient
from simulator.errors import EvaluationError
from simulator.pedestrians import AT_KERB, CROSSING, STROLLING, head_for, lane_under, may_cross, walk_on
from simulator.roads.network import PARKING_MASK, SIDEWALK_MASK
from simulator.roads.queries import nearest_lane
from simulator.state import EGO, MAX_ACTORS, Behaviour, Role


def begin(ambient: Ambient, count: int = 4, seed: int = 3, routes: RouteBatch | None = None) -> tuple[WorldBatch, Any]:
    """Worlds with the first routes of the smoke suite, or `routes`, and somebody who drives."""
    batch = WorldBatch(routes or smoke(), count, ambient=ambient)
    agent = make_agent("autopilot")
    agent.bind(batch)
    for b in range(count):
        batch.reset(b, EpisodeStart(b % len(batch.routes.routes), seed + b))
        agent.reset(b, seed)
    return batch, agent


def drive(batch: WorldBatch, agent, ticks: int):
    for _ in range(ticks):
        batch.tick(agent.act())
        yield batch.worlds[~batch.finished]


def pedestrians(w: np.void) -> np.ndarray:
    return np.flatnonzero((w["kind"] == Kind.WALKER) & (w["role"] == Role.AMBIENT))


def parked(w: np.void) -> np.ndarray:
    return np.flatnonzero((w["kind"] == Kind.VEHICLE) & (w["role"] == Role.AMBIENT))


def test_there_are_none_unless_asked_for() -> None:
    batch, agent = begin(Ambient())
    for worlds in drive(batch, agent, 200):
        assert not (worlds["role"] == Role.AMBIENT).any()


@pytest.mark.parametrize("density", [-0.1, 1.5, float("nan")])
def test_densities_are_shares(density: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        Ambient(pedestrians=density)
    with pytest.raises(EvaluationError, match="--parked-cars"):
        plan_run("smoke", agent="idle", seed=0, parked_cars=density)


def test_they_leave_scenarios_their_slots() -> None:
    batch, agent = begin(Ambient(1.0, 1.0))
    most = 0
    for worlds in drive(batch, agent, 600):
        for w in worlds:
            assert len(pedestrians(w)) <= MAX_PEDESTRIANS
            assert len(parked(w)) <= MAX_PARKED
            own = (w["kind"] != 0) & np.isin(w["role"], (Role.AMBIENT, Role.BACKGROUND, Role.HERO))
            most = max(most, int(own.sum()))
    assert 20 < most <= MAX_ACTORS - 36


def test_half_the_density_is_half_as_many_pedestrians() -> None:
    batch, _ = begin(Ambient(pedestrians=0.5))
    assert max(len(pedestrians(w)) for w in batch.worlds) == MAX_PEDESTRIANS // 2


def test_parked_cars_stand_on_parking_lanes_and_out_of_the_way_of_scenarios() -> None:
    batch, agent = begin(Ambient(parked_cars=1.0), count=8)
    net, routes = batch.routes.net, batch.routes.arrays
    seen: dict[tuple[int, float, float], int] = {}  # the same car on the same place, whenever one comes by
    for worlds in drive(batch, agent, 500):
        for w in worlds[:: 1 if worlds["tick"][0] % 10 == 0 else 100]:
            for i in parked(w):
                lane, _, lateral, _ = nearest_lane(net, w["x"][i], w["y"][i], w["z"][i], PARKING_MASK)
                assert abs(lateral) < 0.1
                assert w["speed"][i] == 0.0
                room = slice(routes.room_first[w["route"]], routes.room_first[w["route"] + 1])
                away = np.hypot(routes.room_x[room] - w["x"][i], routes.room_y[room] - w["y"][i])
                assert away.min(initial=np.inf) >= ROOM
                place = (int(w["seed"]), round(float(w["x"][i]), 2), round(float(w["y"][i]), 2))
                assert seen.setdefault(place, int(w["blueprint"][i])) == w["blueprint"][i]
    assert len(seen) > 8


def test_pedestrians_keep_to_sidewalks_and_cross_roads_in_a_straight_line() -> None:
    batch, agent = begin(Ambient(pedestrians=1.0), count=6, routes=avenue())
    net = batch.routes.net
    strolled = crossed = 0
    for worlds in drive(batch, agent, 1400):
        if len(worlds) == 0 or worlds["tick"][0] % 20:
            continue
        for w in worlds:
            for i in pedestrians(w):
                _, _, lateral, distance = nearest_lane(net, w["x"][i], w["y"][i], w["z"][i], SIDEWALK_MASK)
                if w["stopped_at_sign"][i] == STROLLING:
                    assert distance < 2.5
                    assert lane_under(net, w["x"][i], w["y"][i], w["z"][i]) < 0
                    strolled += 1
                elif w["stopped_at_sign"][i] == CROSSING:
                    crossed += 1
                else:
                    assert w["speed"][i] < 0.01 or w["speed"][i] == w["speed_factor"][i]
    assert strolled > 500
    assert crossed > 3


def test_nobody_is_hit_and_nobody_falls() -> None:
    batch, agent = begin(Ambient(pedestrians=1.0), count=8, seed=5)
    for worlds in drive(batch, agent, 1200):
        assert (worlds["behaviour"][(worlds["role"] == Role.AMBIENT)] == Behaviour.WALK).all()


def test_the_same_seed_gives_the_same_life_and_copies_go_on_alike() -> None:
    first, agent = begin(Ambient(0.8, 0.8), count=2)
    second, other = begin(Ambient(0.8, 0.8), count=2)
    for _ in zip(drive(first, agent, 200), drive(second, other, 200)):
        pass
    assert first.worlds.tobytes() == second.worlds.tobytes()
    branch = first.fork(0, 2)
    still = np.array([[0.0, 1.0, 0.0]])
    for _ in range(200):
        branch.tick(np.repeat(still, 2, axis=0))
        second.tick(np.repeat(still, 2, axis=0))
    assert branch.worlds[0].tobytes() == branch.worlds[1].tobytes() == second.worlds[0].tobytes()


# Crossing


class Kerb:
    """A pedestrian who wants to walk 12 m south over an avenue of MiniTown, with nobody else in the world."""

    def __init__(self) -> None:
        self.batch = WorldBatch(smoke())
        self.batch.reset(0, EpisodeStart(0, 0))
        self.w, self.net = self.batch.worlds[0], self.batch.routes.net
        self.w["kind"][1:] = 0
        self.w["x"][EGO] = self.w["y"][EGO] = 5000.0
        self.walker = self.put("walker.pedestrian.0001", -300.0, -99.0, SOUTH, Role.AMBIENT)
        self.w["behaviour"][self.walker] = int(Behaviour.WALK)
        self.w["speed_factor"][self.walker] = 1.4
        head_for(self.w, self.net, self.batch.routes.arrays, self.walker, -300.0, -79.0)

    def put(self, blueprint: str, x: float, y: float, heading: float, role: Role = Role.SCENARIO) -> int:
        return int(spawn_actor(self.w, blueprint_index(blueprint), int(role), x, y, 0.0, heading))


def test_with_a_road_between_a_pedestrian_waits_at_the_kerb_first() -> None:
    kerb = Kerb()
    assert kerb.w["stopped_at_sign"][kerb.walker] == AT_KERB
    assert may_cross(kerb.w, kerb.net, kerb.walker)


@pytest.mark.parametrize(("metres", "speed", "free"), [(40.0, 10.0, False), (300.0, 10.0, True), (40.0, 0.0, True)])
def test_a_pedestrian_goes_when_no_vehicle_will_come_by(metres: float, speed: float, free: bool) -> None:
    kerb = Kerb()
    car = kerb.put(CAR, -300.0 - metres, -88.25, 0.0)
    set_speed(kerb.w, car, speed)
    assert may_cross(kerb.w, kerb.net, kerb.walker) == free


def test_a_pedestrian_who_may_cross_does() -> None:
    kerb = Kerb()
    for _ in range(600):
        kerb.w["tick"] += 1
        walk_on(kerb.w, kerb.net, kerb.batch.routes.arrays, kerb.walker)
        if kerb.w["stopped_at_sign"][kerb.walker] == CROSSING:
            return
    raise AssertionError("it still waits")


# Results


def test_another_density_is_another_world_in_results() -> None:
    assert Ambient().world == WORLD
    worlds = {Ambient(0.5).world, Ambient(0.0, 0.5).world, Ambient(0.5, 0.5).world, WORLD}
    assert len(worlds) == 4
    plain, lively = (plan_run("smoke", agent="idle", seed=0, pedestrians=p).tasks[0] for p in (0.0, 0.5))
    assert (plain.world, lively.world) == (WORLD, Ambient(0.5).world)
    env = RouteEnv("smoke", pedestrians=0.5)
    env.reset(seed=0)
    result = env._vector.result(0)
    assert result.world == Ambient(0.5).world
    other = RouteEnv("smoke")
    other.reset(seed=0)
    assert "different worlds" in incomparable([result], [other._vector.result(0)])
    assert isinstance(result, RouteResult)
