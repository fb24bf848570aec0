"""A route world on a CARLA server is the embedded town's, but for the ego's physics; the server here is our own."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from threading import Timer

import gymnasium as gym
import numpy as np
import pytest
from carla_runs import SERVER

import envs  # noqa: F401 - registers the environments
from agents.registry import make_agent
from envs.carla.ego import EgoVehicle
from envs.carla.mirror import MirroredWorld
from envs.carla.names import carla_world_name
from envs.carla.options import CarlaOptions
from envs.carla.poses import Box, Place, origin_at, place_of
from envs.carla.session import CarlaSession
from envs.carla.world import CarlaWorld
from envs.observations.registry import make_observation
from envs.routes import RouteBatch, load_network, prepare_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from scenarios.weather import WEATHER_FIELDS
from simulator import WORLD
from simulator.blueprints import Kind
from simulator.densities import Ambient
from simulator.errors import SimulatorError
from simulator.sensors.specs import parse_sensors
from simulator.state import EGO

PATIENCE = {"start_s": 300.0, "tick_s": 20.0}


@pytest.fixture(scope="module")
def session() -> Iterator[CarlaSession]:
    """One server for all tests here."""
    with contextlib.closing(CarlaSession(CarlaOptions(start=SERVER, **PATIENCE))) as found:
        yield found


def routes(session: CarlaSession | None, *ids: str) -> RouteBatch:
    """Routes of the smoke suite on the server's map, or on the embedded town without a server."""
    found = [route for route in read_routes(find_suite("smoke")) if route.id in ids]
    return prepare_routes(session.network("MiniTown") if session else load_network(found[0]), found)


@contextlib.contextmanager
def world_on(session: CarlaSession, *ids: str, seed: int = 0, ambient: Ambient | None = None) -> Iterator[CarlaWorld]:
    """A world at the start of the first route."""
    batch = routes(session, *ids)
    world = CarlaWorld(batch, session.client(), log=True, ambient=ambient or Ambient())
    with contextlib.closing(world):
        world.reset(0, EpisodeStart(0, seed))
        yield world


def drive(worlds: WorldBatch, agent_name: str, ticks: int = 10**6) -> None:
    agent = make_agent(agent_name)
    agent.bind(worlds)
    if worlds.criteria["finished"][0] != RouteEnd.RUNNING:
        worlds.reset(0, EpisodeStart(0, 0))
    agent.reset(0, 0)
    while ticks > 0 and not worlds.finished[0]:
        worlds.tick(agent.act())
        ticks -= 1


@pytest.mark.parametrize("route", ["105", "108", "110", "112"])
def test_the_expert_drives_the_same_route_as_in_the_embedded_town(session: CarlaSession, route: str):
    here = WorldBatch(routes(None, route), 1, log=True)
    drive(here, "expert")
    with world_on(session, route) as there:
        drive(there, "expert")
    ticks = int(here.worlds["tick"][0])
    assert int(there.worlds["tick"][0]) == ticks
    for name in ("finished", "completed", "num_events", "counts", "event_code", "event_tick"):
        assert np.array_equal(here.criteria[name], there.criteria[name]), name
    # CARLA's numbers are float32; what an agent makes of that grows to some centimetres
    assert np.hypot(*(here.log[0, :ticks, :2] - there.log[0, :ticks, :2]).T).max() < 0.5


@pytest.mark.parametrize(("route", "late"), [("101", 0.0), ("101", 0.4), ("104", 0.0)])
def test_a_collision_is_the_one_of_the_embedded_town(
    session: CarlaSession, route: str, late: float, monkeypatch: pytest.MonkeyPatch
):
    """Also when CARLA's word of it comes `late` seconds after the tick, as on a busy machine."""
    if late:
        hear = EgoVehicle._hear
        monkeypatch.setattr(EgoVehicle, "_hear", lambda ego, event: Timer(late, hear, (ego, event)).start())
    here = WorldBatch(routes(None, route), 1)
    here.reset(0, EpisodeStart(0, 0))
    with world_on(session, route) as there:
        agents = [make_agent("route-follower"), make_agent("route-follower")]
        for agent, worlds in zip(agents, (here, there), strict=True):
            agent.bind(worlds)
            agent.reset(0, 0)
        while not here.criteria["num_events"][0]:
            for agent, worlds in zip(agents, (here, there), strict=True):
                worlds.tick(agent.act())
        assert there.criteria["num_events"][0] == here.criteria["num_events"][0]
        assert there.criteria["event_code"][0, 0] == here.criteria["event_code"][0, 0]
        slots = [int(worlds.worlds["contact_slot"][0, 0]) for worlds in (here, there)]
        assert here.worlds["blueprint"][0, slots[0]] == there.worlds["blueprint"][0, slots[1]]
        assert there.worlds["contact_impulse"][0, 0] > 0.0


def shown(world: CarlaWorld) -> list[int]:
    """Slots of everybody but the ego that are on stage."""
    w = world.worlds[0]
    return [s for s in range(1, int(w["num_slots"])) if w["kind"][s] and not w["hidden"][s]]


def test_puppets_stand_where_the_record_says(session: CarlaSession):
    with world_on(session, "105", ambient=Ambient(pedestrians=0.3, parked_cars=0.3)) as world:
        drive(world, "autopilot", 60)
        w = world.worlds[0]
        before = {slot: (float(w["x"][slot]), float(w["y"][slot])) for slot in shown(world)}
        world.client.batch(world._puppets.commands(w), "the record as it is now")
        snapshot = world.client.tick()
        slots = world._puppets.slots
        assert set(slots.values()) == set(shown(world))
        assert len(slots) > 10
        kinds = {int(w["kind"][slot]) for slot in slots.values()}
        assert {int(Kind.VEHICLE), int(Kind.WALKER)} <= kinds
        for actor, slot in slots.items():
            place = place_of(snapshot.find(actor).get_transform(), world._puppets.box(slot))
            assert math.hypot(place.x - before[slot][0], place.y - before[slot][1]) < 1e-3
            assert abs(math.remainder(place.yaw - float(w["yaw"][slot]), 2.0 * math.pi)) < 1e-4


def test_lights_and_weather_are_those_of_the_record(session: CarlaSession):
    with world_on(session, "108") as world:
        drive(world, "autopilot", 40)
        world.client.tick()
        w = world.worlds[0]
        by_id = {actor.get_opendrive_id(): actor for actor in world.client.world.get_actors().filter("*traffic_light*")}
        states = [int(by_id[name].get_state()) for name in world.routes.network.light_ids]
        assert states == w["light_state"][: len(states)].tolist()
        assert len(set(states)) > 1
        weather = world.client.world.get_weather()
        assert [getattr(weather, name) for name in WEATHER_FIELDS] == pytest.approx(w["weather"].tolist(), abs=1e-4)


def test_lights_of_the_server_reach_the_record(session: CarlaSession):
    client = session.client()
    ours = client.options
    client.options = CarlaOptions(start=SERVER, lights="server", **PATIENCE)
    try:
        with world_on(session, "108") as world:
            drive(world, "autopilot", 260)  # past a change of lights
            w = world.worlds[0]
            by_id = {a.get_opendrive_id(): a for a in client.world.get_actors().filter("*traffic_light*")}
            states = [int(by_id[name].get_state()) for name in world.routes.network.light_ids]
            assert states == w["light_state"][: len(states)].tolist()
            assert (w["group_frozen"] == 1).all()
            assert world.world_name.endswith("lights of the server")
    finally:
        client.options = ours


def test_the_server_is_left_as_empty_as_it_was(session: CarlaSession):
    with world_on(session, "101", "105") as world:
        drive(world, "autopilot", 30)
        world.reset(0, EpisodeStart(1, 1))
        drive(world, "autopilot", 30)
    session.client().tick()
    left = session.client().world.get_actors()
    assert [actor.type_id for actor in left if actor.type_id.startswith(("vehicle.", "walker.", "sensor."))] == []


def test_a_world_on_a_server_cannot_be_copied(session: CarlaSession):
    with world_on(session, "108") as world:
        for refused in (lambda: world.snapshot(0), lambda: world.fork(0, 2)):
            with pytest.raises(SimulatorError, match="cannot be copied or put back; use the embedded town"):
                refused()
        copy = WorldBatch(routes(None, "108"))
        copy.reset(0, EpisodeStart(0, 0))
        with pytest.raises(SimulatorError, match="restore"):
            world.restore(0, copy.snapshot(0))


def test_a_mirror_sees_what_is_there(session: CarlaSession):
    with world_on(session, "105") as world:
        assert world.ego is not None
        mirror = MirroredWorld(world.routes, world.client.world, world.ego.actor.id)
        agent = make_agent("autopilot")
        agent.bind(world)
        agent.reset(0, 0)
        for _ in range(80):
            world.tick(agent.act())
            mirror.look(world.client.world.get_snapshot())
        w, m = world.worlds[0], mirror.worlds[0]
        assert m["tick"] == w["tick"] == 80
        assert m["path_s"] == pytest.approx(float(w["path_s"]), abs=1e-3)
        assert m["lane"][EGO] == w["lane"][EGO]
        world.client.tick()
        mirror.look(world.client.world.get_snapshot())
        assert m["light_state"][:10].tolist() == w["light_state"][:10].tolist()
        seen = 0
        for actor, slot in world._puppets.slots.items():
            mirrored = mirror.slot_of(actor)
            if mirrored < 0 or not w["kind"][slot]:
                continue
            seen += 1
            assert m["kind"][mirrored] == w["kind"][slot]
            assert m["blueprint"][mirrored] == w["blueprint"][slot]
            assert m["half_length"][mirrored] == pytest.approx(float(w["half_length"][slot]), abs=1e-3)
            assert (
                math.hypot(m["x"][mirrored] - w["x"][slot], m["y"][mirrored] - w["y"][slot]) < 1.0
            )  # up to a tick late
        assert seen > 5
        assert mirror.criteria["finished"][0] == RouteEnd.RUNNING
        observations = [make_observation("vector", each).observe(each.worlds) for each in (world, mirror)]
        assert np.abs(observations[0][:, :8] - observations[1][:, :8]).max() < 0.01  # what it sees of the ego
        with pytest.raises(SimulatorError, match="ticked by others"):
            mirror.tick(np.zeros((1, 3)))


def test_sensors_come_in_the_form_of_the_embedded_town(session: CarlaSession):
    wanted = [{"type": "sensor.speedometer", "id": "speed"}, {"type": "sensor.opendrive_map", "id": "map"}]
    wanted.append({"type": "sensor.other.collision", "id": "bump"})
    specs = parse_sensors(wanted)
    with world_on(session, "101") as world:
        rig = world.sensor_rig(specs)
        for _ in range(200):
            world.tick(np.array([[0.6, 0.0, 0.0]]))
            data = rig.read()
            if "bump" in data:
                break
        tick = int(world.worlds["tick"][0])
        assert data["speed"] == (tick, {"speed": pytest.approx(float(world.worlds["speed"][0, EGO]), abs=1e-6)})
        assert data["map"][1]["opendrive"] == world.routes.network.xodr
        (bump,) = data["bump"][1][:1]
        assert world.worlds["kind"][0, bump.other_slot] == Kind.VEHICLE
        assert bump.normal_impulse[0] ** 2 + bump.normal_impulse[1] ** 2 > 0.0


def test_an_environment_on_carla_is_made_by_its_id():
    options = CarlaOptions(start=SERVER, **PATIENCE)
    with contextlib.closing(gym.make("RouteGym/Carla-v0", routes="smoke", carla=options)) as env:
        embedded = gym.make("RouteGym/MiniTown-v0", routes="smoke")
        assert env.observation_space == embedded.observation_space
        first, info = env.reset(seed=3, options={"route": 7})
        again, _ = embedded.reset(seed=3, options={"route": 7})
        assert info["route_id"] == "108"
        assert np.abs(first - again).max() < 1e-4
        for _ in range(5):
            stepped, told = (each.step(np.array([0.7, 0.0])) for each in (env, embedded))
            assert np.abs(stepped[0] - told[0]).max() < 1e-3
            assert stepped[1] == pytest.approx(told[1], abs=1e-3)


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_a_box_and_its_actor_find_each_other(yaw: float):
    import carla

    box = Box(0.3, -0.1, -0.9, 2.0, 1.0, 0.9)
    place = Place(10.0, -5.0, 1.0, yaw, 0.0)
    x, y, z = origin_at(place, box)
    transform = carla.Transform(carla.Location(x, y, z), carla.Rotation(yaw=math.degrees(yaw)))
    assert place_of(transform, box) == pytest.approx(place, abs=1e-5)


def test_worlds_are_named_so_that_they_are_not_mixed():
    real = carla_world_name("0.9.16", ("Town01", "Town10HD_Opt"))
    assert real.startswith("carla 0.9.16 server")
    own = carla_world_name("0.9.16", ("MiniTown", "Town01"))
    assert own.startswith(WORLD)
    names = {real, own, WORLD, carla_world_name("0.9.15", ("Town01",))}
    names |= {carla_world_name("0.9.16", ("Town01",), "server"), carla_world_name("0.9.16", (), ambient=Ambient(0.5))}
    assert len(names) == 6


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "needs either the address"),
        ({"address": "h:1", "start": "x {port}"}, "needs either the address"),
        ({"start": "./CarlaUE4.sh"}, "has no {port}"),
        ({"address": "localhost"}, "HOST:PORT, got 'localhost'"),
        ({"address": "a:1", "ports": "9-3"}, "a range of ports is FIRST-LAST"),
        ({"address": "a:1", "lights": "mine"}, "those of 'routegym' or of the 'server'"),
        ({"address": "a:1", "tick_s": 0.0}, "tick_s = 0.0"),
        ({"address": "a:1", "memory_gb": -1.0}, "at least 0 GB"),
    ],
)
def test_options_that_make_no_sense_are_refused(fields: dict, words: str):
    with pytest.raises(SimulatorError, match=words):
        CarlaOptions(**fields)
