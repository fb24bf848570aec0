"""Observations in words, from sensors, and several together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_world import smoke

from envs import RouteEnv, RouteVectorEnv
from envs.observations.registry import OBSERVATIONS, register_observation
from envs.observations.sensors import Leaderboard, Sensors
from envs.observations.text import TextConfig, TextObservation
from envs.observations.vector import VectorObservation
from envs.world import EpisodeStart, WorldBatch
from simulator.actors import spawn_actor
from simulator.blueprints import blueprint_index
from simulator.sensors import SensorRig, parse_sensors
from simulator.state import EGO, Role

CAMERA = {"type": "sensor.camera.rgb", "id": "front", "x": 1.3, "z": 1.6, "width": 64, "height": 36, "fov": 90}
LIDAR = {"type": "sensor.lidar.ray_cast", "id": "lidar", "x": 0.0, "z": 2.5, "yaw": -90.0}
SMALL = [{"type": "sensor.speedometer", "id": "speed"}, {"type": "sensor.other.gnss", "id": "gps"}]


class Scene:
    """A lone ego on its route, described."""

    def __init__(self, route: int = 3, **settings) -> None:
        self.batch = WorldBatch(smoke(), 1)
        self.batch.reset(0, EpisodeStart(route, 0))
        self.w = self.batch.worlds[0]
        self.w["kind"][1:] = 0
        self.observation = TextObservation(self.batch.routes, TextConfig(**settings))

    def put(self, blueprint: str, ahead: float, right: float, *, speed: float = 0.0, turned: float = 0.0) -> int:
        yaw = float(self.w["yaw"][EGO])
        x = self.w["x"][EGO] + ahead * math.cos(yaw) - right * math.sin(yaw)
        y = self.w["y"][EGO] + ahead * math.sin(yaw) + right * math.cos(yaw)
        slot = spawn_actor(self.w, blueprint_index(blueprint), int(Role.SCENARIO), x, y, self.w["z"][EGO], yaw + turned)
        assert slot > 0
        self.w["speed"][slot] = speed
        return slot

    def text(self) -> str:
        return self.observation.describe(self.w)


def test_an_empty_road_in_words() -> None:
    text = Scene().text().splitlines()
    assert text[0] == "Ego: 0.0 m/s (0 km/h), limit 60 km/h, on the path, heading +0 deg."
    assert text[1].startswith("Route: 0% done, ")
    assert text[-3:] == ["Lead: none.", "Hazards: none.", "Others: none."]


def test_a_leader_is_told_by_the_gap_between_bumpers() -> None:
    scene = Scene()
    slot = scene.put("vehicle.lincoln.mkz_2020", 20.0, 0.0, speed=5.0)
    scene.w["brake"][slot] = 0.5
    assert "Lead: car 15 m ahead, same direction, 5.0 m/s, braking." in scene.text()
    assert "- car, 20 m ahead, same direction, 5.0 m/s, braking" in scene.text()


def test_who_is_beside_the_path_leads_nobody() -> None:
    scene = Scene()
    scene.put("vehicle.audi.a2", 15.0, -3.8, speed=8.0, turned=math.pi)
    assert "Lead: none." in scene.text()
    assert "- car, 15 m ahead, 4 m left, oncoming, 8.0 m/s" in scene.text()


def test_a_pedestrian_near_the_path_is_a_hazard() -> None:
    scene = Scene()
    scene.put("walker.pedestrian.0001", 20.0, 3.0, speed=1.2, turned=-math.pi / 2)
    assert "Hazards: pedestrian near the path 20 m ahead." in scene.text()
    assert "- pedestrian, 20 m ahead, 3 m right, crossing to the left, 1.2 m/s" in scene.text()


def test_turns_lights_and_junctions_are_told() -> None:
    seen = ""
    for route in range(len(smoke().routes)):
        scene = Scene(route)
        end = float(scene.batch.routes.arrays.path_end[route])
        for share in (0.05, 0.3, 0.5, 0.7):
            scene.w["path_s"] = share * end
            seen += scene.text()
    for words in ("turn left", "turn right", "Junction: ", "Light: "):
        assert words in seen, words


def test_texts_are_bounded_and_repeat_themselves() -> None:
    env = RouteVectorEnv(3, smoke(), observation=TextConfig(neighbours=30, radius=150.0, max_length=400))
    texts, _ = env.reset(seed=0)
    assert env.observation_space.contains(texts)
    assert all(len(text) <= 400 and not text.endswith("\n") for text in texts)
    other = RouteVectorEnv(3, smoke(), observation=TextConfig(neighbours=30, radius=150.0, max_length=400))
    assert other.reset(seed=0)[0] == texts
    assert RouteEnv(smoke(), observation="text").reset(seed=0)[0].startswith("Ego: ")


@pytest.mark.parametrize("settings", [{"neighbours": -1}, {"radius": 0.0}, {"max_length": 10}])
def test_impossible_texts_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="max_length"):
        TextConfig(**settings)


# Sensors


def test_sensors_are_arrays_of_a_fixed_size() -> None:
    env = RouteEnv(smoke(), observation=Sensors([CAMERA, LIDAR, *SMALL]))
    observation, _ = env.reset(seed=0, options={"route": 2})
    for _ in range(3):
        assert env.observation_space.contains(observation)
        rig = SensorRig(
            parse_sensors([CAMERA, LIDAR, *SMALL], leaderboard=False),
            smoke().network, env._vector.batch.worlds, net=smoke().net,
        )  # fmt: skip
        measured = rig.read()
        assert (observation["front"] == measured["front"][1][..., 2::-1]).all()
        count = int(observation["lidar_count"])
        assert count == len(measured["lidar"][1]) > 0
        assert (observation["lidar"][:count] == measured["lidar"][1]).all()
        assert (observation["lidar"][count:] == 0).all()
        assert observation["speed"][0] == measured["speed"][1]["speed"]
        observation = env.step(np.array([0.5, 0.1]))[0]


def test_the_leaderboards_form_is_frame_and_data() -> None:
    env = RouteEnv(smoke(), observation=Leaderboard([CAMERA, *SMALL]))
    env.reset(seed=0)
    observation = env.step(np.array([0.5, 0.0]))[0]
    assert env.observation_space.contains(observation)
    frame, image = observation["front"]
    assert int(frame) == 2
    assert image.shape == (36, 64, 4)


def test_sensors_of_a_batch_are_those_of_its_worlds() -> None:
    many = RouteVectorEnv(3, smoke(), observation=Sensors([CAMERA, *SMALL]), threads=2)
    together, _ = many.reset(seed=[5, 6, 7])
    assert many.observation_space.contains(together)
    alone, _ = RouteVectorEnv(1, smoke(), observation=Sensors([CAMERA, *SMALL])).reset(seed=[6])
    assert (together["front"][1] == alone["front"][0]).all()
    many.close()


@pytest.mark.parametrize(
    ("sensors", "message"),
    [
        ([], "at least one"),
        ([{"type": "sensor.other.collision", "id": "hit"}], "no array of a fixed size"),
        ([{"type": "sensor.other.gnss", "id": "gps", "sensor_tick": 0.5}], "every tick"),
    ],
)
def test_sensors_that_give_no_array_are_refused(sensors: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RouteEnv(smoke(), observation=Sensors(sensors))


# Several, and one's own


def test_several_observations_come_by_name() -> None:
    env = RouteVectorEnv(2, smoke(), observation={"row": "vector", "words": "text", "eyes": Sensors([CAMERA])})
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    plain, _ = RouteVectorEnv(2, smoke()).reset(seed=0)
    assert (observation["row"] == plain).all()
    assert isinstance(observation["words"][1], str)


def test_ones_own_observation_plugs_in_by_name() -> None:
    register_observation("row_again", lambda batch: VectorObservation(batch.routes))
    try:
        assert RouteEnv(smoke(), observation="row_again").reset(seed=0)[0].shape == (164,)
        with pytest.raises(ValueError, match="exists"):
            register_observation("row_again", lambda batch: VectorObservation(batch.routes))
    finally:
        del OBSERVATIONS["row_again"]
