"""The agent file for the official evaluator and the host behind it, on a world of ours: one drives, the other rolls."""

from __future__ import annotations

import hashlib
import math
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from agents.official_host import Host, plan_points
from agents.seen_world import SeenWorld
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.official_agent import VERSION, Link, sensor_arrays, sensor_data
from simulator.blueprints import BLUEPRINTS
from simulator.roads.planner import RoadOption
from simulator.state import Behaviour, Role


@pytest.fixture
def links() -> Iterator[tuple[Link, Link]]:
    """Two ends of a connection."""
    ends = [Link(end) for end in socket.socketpair()]
    yield ends[0], ends[1]
    for end in ends:
        end.close()


class Drive:
    """A route of the embedded town, seen and driven through the messages of `official_agent`."""

    def __init__(self, agent: str, route: int, link: Link, *, version: int = VERSION) -> None:
        self.worlds = WorldBatch(load_routes("smoke"), 1)
        self.worlds.reset(0, EpisodeStart(route=route, seed=0))
        self.prepared = self.worlds.routes.routes[route]
        self.link = link
        trace, network = self.prepared.trace, self.worlds.routes.network
        text = network.xodr.encode()
        places = np.stack([trace.x, trace.y, trace.z, np.degrees(trace.pitch), np.degrees(trace.yaw)], axis=1)
        link.send(
            "begin",
            {"plan": places, "plan_option": trace.option.astype(np.int64), "plan_gps": places[:, :3]},
            version=version,
            seed=0,
            save_name=f"{self.prepared.route.name}_rep0_MiniTown_x_1",
            town=network.town,
            map=hashlib.sha256(text).hexdigest(),
        )
        self.answer = link.receive()
        if self.answer[0] == "sensors" and self.answer[1]["map"]:
            link.send("map", {"opendrive": np.frombuffer(text, np.uint8)})
            self.answer = link.receive()

    def run(self) -> str:
        """Drive to the end; returns the status."""
        known: set[int] = set()
        while self.worlds.criteria["finished"][0] == RouteEnd.RUNNING:
            arrays, new = seen(self.worlds, known)
            self.link.send("step", arrays, step=0, time=0.0, sensors={}, known=new)
            kind, answer, _ = self.link.receive()
            assert kind == "control", answer
            self.worlds.tick(np.array([[answer["throttle"], answer["brake"], answer["steer"]]]))
        self.link.send("end")
        fields = self.prepared.result_fields(self.worlds.directors[0])
        network = self.worlds.routes.network
        return build_result(self.worlds.criteria[0], self.prepared.route, network=network, **fields).status


def seen(worlds: WorldBatch, known: set[int]) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """What `WorldReader` would tell of a world of ours."""
    w, network = worlds.worlds[0], worlds.routes.network
    rows, new = [], {}
    for i in range(int(w["num_slots"])):
        if w["kind"][i] == 0:
            continue
        number, half = int(w["actor_id"][i]), [float(w[f"half_{side}"][i]) for side in ("length", "width", "height")]
        pose = [float(w[name][i]) for name in "xyz"]
        turn = [0.0, math.degrees(w["pitch"][i]), math.degrees(w["yaw"][i])]
        motion = [float(w["vx"][i]), float(w["vy"][i]), 0.0, float(w["ax"][i]), float(w["ay"][i]), 0.0]
        pedals = [float(w[name][i]) for name in ("throttle", "brake", "steer")]
        rows.append([float(number), *pose, *turn, *motion, math.degrees(w["yaw_rate"][i]), *pedals])
        if number not in known:
            role = "background" if w["role"][i] == Role.BACKGROUND else "scenario"
            kind = BLUEPRINTS[int(w["blueprint"][i])].id
            new[str(number)] = {"type": kind, "role": role, "half": half, "centre": [0.0, 0.0, half[2]]}
            known.add(number)
    lights = [[1000 + k, int(w["light_state"][k])] for k in range(len(network.light_ids))]
    if 1000 not in known:
        new |= {str(1000 + k): {"type": "light", "opendrive": name} for k, name in enumerate(network.light_ids)}
        known.add(1000)
    return {"actors": np.array(rows), "lights": np.array(lights, np.int64).reshape(-1, 2)}, new


@pytest.fixture
def host(links: tuple[Link, Link]) -> Iterator[Link]:
    """The link to a running host of the expert."""
    ours, theirs = links
    thread = threading.Thread(target=Host("expert").serve, args=(theirs,))
    thread.start()
    yield ours
    ours.close()
    thread.join(timeout=60)
    assert not thread.is_alive()


@pytest.mark.parametrize("route", [0, 4, 9])
def test_the_expert_drives_a_world_that_it_only_sees_through_messages(host: Link, route: int):
    drive = Drive("expert", route, host)
    assert drive.answer[0] == "sensors"
    assert drive.run() in ("Completed", "Perfect")


def test_another_version_of_the_protocol_is_refused(host: Link):
    drive = Drive("expert", 0, host, version=VERSION + 1)
    kind, answer, _ = drive.answer
    assert kind == "error"
    assert "take both from one RouteGym" in answer["message"]


def test_messages_carry_arrays_of_every_shape_and_values(links: tuple[Link, Link]):
    data = {
        "front": (7, np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)),
        "lidar": (7, np.zeros((0, 4), np.float32)),
        "gps": (7, np.array([42.0, 2.0, 1.0])),
        "speed": (7, {"speed": 3.5}),
        "map": (1, {"opendrive": "<OpenDRIVE/>"}),
    }
    arrays, values = sensor_arrays(data)
    links[0].send("step", arrays, sensors=values)
    kind, fields, received = links[1].receive()
    back = sensor_data(received, fields["sensors"])
    assert kind == "step"
    assert back.keys() == data.keys()
    for name, (frame, value) in data.items():
        assert back[name][0] == frame
        if isinstance(value, np.ndarray):
            assert back[name][1].dtype == value.dtype
            np.testing.assert_array_equal(back[name][1], value)
        else:
            assert back[name][1] == value


@pytest.mark.parametrize(
    "bytes_sent",
    [b"GET / HTTP/1.1\r\n", b"[]\n", b'{"kind": "step"}\n', b'{"kind": "x", "arrays": [["a", "|O", [1]]]}\n'],
)
def test_what_is_no_message_is_refused(bytes_sent: bytes):
    ours, theirs = socket.socketpair()
    ours.sendall(bytes_sent)
    ours.close()
    with pytest.raises(ValueError, match=r"message|objects"):
        Link(theirs).receive()


def test_points_of_a_plan_keep_away_from_lane_changes():
    places = np.stack([np.arange(100.0), np.zeros(100), np.zeros(100)], axis=1)
    options = np.full(100, int(RoadOption.LANEFOLLOW))
    options[45:50] = int(RoadOption.CHANGELANELEFT)
    x = plan_points(places, options)[:, 0]
    assert x[0] == 0.0
    assert x[-1] == 99.0
    assert not ((x > 38.0) & (x < 57.0)).any()
    assert (np.diff(x) >= 7.0).all()


class Sight:
    """A seen world of the first smoke route: the ego at its start, one actor some metres ahead of it on its path."""

    def __init__(self, kind: str, role: str) -> None:
        routes = load_routes("smoke")
        self.world = SeenWorld(routes)
        self.trace = routes.routes[0].trace
        half = [1.0, 0.3, 0.8] if "century" in kind else [2.4, 1.0, 0.8]
        box = {"half": half, "centre": [0.0, 0.0, half[2]]}
        self.world.meet({"7": {"type": "vehicle.lincoln.mkz_2020", "role": "hero", **box}})
        self.world.meet({"8": {"type": kind, "role": role, **box}})

    def look(self, ahead: float, speed: float, acceleration: float = 0.0) -> dict[str, float]:
        """What the record holds of the actor once it has been seen `ahead` of the ego, m, at a speed."""
        trace = self.trace
        k = int(np.searchsorted(np.cumsum(np.hypot(np.diff(trace.x), np.diff(trace.y))), ahead))
        rows = np.repeat(self.world.alone(), 2, axis=0)
        rows[:, 0] = 7, 8
        c, s = math.cos(trace.yaw[k]), math.sin(trace.yaw[k])
        rows[1, 1:4], rows[1, 6] = (trace.x[k], trace.y[k], trace.z[k]), math.degrees(trace.yaw[k])
        rows[1, 7:9], rows[1, 10:12] = (speed * c, speed * s), (acceleration * c, acceleration * s)
        self.world.see(rows, np.zeros((0, 2), np.int64))
        w = self.world.batch.worlds[0]
        return {name: float(w[name][1]) for name in ("behaviour", "target_speed", "acceleration", "speed")}


def test_a_scenarios_bicycle_that_crawls_or_has_stopped_is_something_to_pass():
    sight = Sight("vehicle.diamondback.century", "scenario")
    assert sight.look(20.0, 0.0)["behaviour"] == Behaviour.HOLD
    assert sight.look(20.0, 2.8)["behaviour"] == Behaviour.WALK
    assert sight.look(22.0, 0.0)["behaviour"] == Behaviour.HOLD
    assert sight.look(22.0, 9.0)["behaviour"] == Behaviour.LANES
