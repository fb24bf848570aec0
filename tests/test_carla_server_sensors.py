"""Sensors over the wire: what the real client gets is, bit for bit, what `simulator.sensors` measures."""

from __future__ import annotations

import hashlib
import queue
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import carla
import msgpack
import numpy as np
import pytest

from simulator.carla_server.sensor_coverage import coverage_table
from simulator.roads import load_named_town
from simulator.sensors import SENSOR_TYPES, SensorRig, parse_blueprint
from simulator.sensors.camera import Camera
from simulator.sensors.camera_geometry import Pose
from simulator.sensors.catalogue import SensorType
from simulator.sensors.scene import Scene
from tests.carla_server_child import read_witness
from tests.carla_servers import ROOT, run_client, running, synchronous

#: On the roof, turned a little; numbers that float32 holds exactly.
MOUNT = {"x": 0.5, "y": -0.25, "z": 2.0, "roll": 1.5, "pitch": -4.0, "yaw": 12.0}
SMALL = {"image_size_x": "160", "image_size_y": "96", "fov": "100.0"}
ATTRIBUTES: dict[str, dict[str, str]] = {
    **{k: SMALL for k in SENSOR_TYPES if k.startswith("sensor.camera.")},
    "sensor.lidar.ray_cast": {"range": "60.0", "noise_stddev": "0.02"},
    "sensor.lidar.ray_cast_semantic": {"range": "60.0"},
    "sensor.other.imu": {"noise_accel_stddev_x": "0.1", "noise_gyro_bias_z": "0.01"},
    "sensor.other.gnss": {"noise_lat_stddev": "0.00001"},
}
#: In the order in which they are spawned: a sensor's stream is part of the hash that makes its noise.
EQUAL = tuple(
    k.id for k in SENSOR_TYPES.values() if not (k.pseudo or k.served or k.event)
)  # cameras, LiDARs, radar, IMU, GNSS
FIRST_STREAM = 2


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A fresh server with a moving car that carries one sensor of each kind, two other cars, and the town."""
    witness = tmp_path_factory.mktemp("server") / "world.bin"
    with running(witness=witness) as server:
        client = server.client(60.0)
        world = client.get_world()
        synchronous(world)
        point = world.get_map().get_spawn_points()[10]
        car = spawn(world, "vehicle.lincoln.mkz_2020", point)
        ahead = spawn(world, "vehicle.audi.tt", beyond(point, 14.0))
        car.apply_control(carla.VehicleControl(throttle=0.6, steer=0.05))
        sensors = {k: listening(world, k, ATTRIBUTES.get(k, {}), transform(**MOUNT), car) for k in EQUAL}
        yield SimpleNamespace(
            server=server, client=client, world=world, witness=witness, point=point, car=car, ahead=ahead,
            sensors=sensors, network=load_named_town("MiniTown", maps_dir=None),
        )  # fmt: skip
        for sensor in world.get_actors().filter("sensor.*"):
            sensor.destroy()


def spawn(world: Any, blueprint: str, pose: Any, **attributes: str) -> Any:
    found = world.get_blueprint_library().find(blueprint)
    for name, value in attributes.items():
        found.set_attribute(name, value)
    return world.spawn_actor(found, pose)


def beyond(pose: Any, metres: float, aside: float = 0.0, z: float = 0.0) -> Any:
    """A pose `metres` ahead of another."""
    forward, right = pose.get_forward_vector(), pose.get_right_vector()
    place = pose.location + carla.Location(
        metres * forward.x + aside * right.x, metres * forward.y + aside * right.y, z
    )  # fmt: skip
    return carla.Transform(place, pose.rotation)


def transform(x: float, y: float, z: float, roll: float, pitch: float, yaw: float) -> Any:
    return carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))


def listening(world: Any, kind: str, attributes: dict[str, str], pose: Any, parent: Any = None) -> SimpleNamespace:
    """A sensor and the queue of what it sends."""
    blueprint = world.get_blueprint_library().find(kind)
    for name, value in attributes.items():
        blueprint.set_attribute(name, value)
    actor = world.spawn_actor(blueprint, pose, attach_to=parent)
    arrived: queue.Queue = queue.Queue()
    actor.listen(arrived.put)
    return SimpleNamespace(actor=actor, arrived=arrived, take=lambda: arrived.get(timeout=20.0))


def tick_for(world: Any, sensor: SimpleNamespace) -> Any:
    """Tick, and the measurement of that tick; the first ticks may pass before the server knows its reader."""
    for _ in range(50):
        frame = world.tick()
        while True:
            try:
                data = sensor.arrived.get(timeout=0.4)
            except queue.Empty:
                break
            if data.frame == frame:
                return data
    raise AssertionError("nothing has come")


def slot_of(worlds: np.ndarray, actor: Any) -> int:
    return int(np.flatnonzero(worlds["actor_id"][0] == actor.id)[0])


# What is measured


def test_every_measurement_is_that_of_the_simulator_bit_for_bit(served: SimpleNamespace):
    for sensor in served.sensors.values():
        tick_for(served.world, sensor)
    specs = [parse_blueprint("sensor.other.imu", {}, name=f"place {k}") for k in range(FIRST_STREAM)]
    specs += [parse_blueprint(k, ATTRIBUTES.get(k, {}), MOUNT, k) for k in EQUAL]
    scene = Scene(served.network)
    for _ in range(3):
        frame = served.world.tick()
        came = {}
        for kind, sensor in served.sensors.items():
            data = sensor.take()
            while data.frame < frame:
                data = sensor.take()
            came[kind] = data
        worlds = read_witness(served.witness)
        rig = SensorRig(specs, served.network, worlds, slot=slot_of(worlds, served.car), scene=scene)
        for kind, wanted in rig.measure().items():
            if kind in came:
                assert content(came[kind]) == content_of(wanted.data.wire_body(), SENSOR_TYPES[kind]), kind


def content(data: Any) -> object:
    """What the client has read out of a frame."""
    if isinstance(data, carla.IMUMeasurement):
        a, g = data.accelerometer, data.gyroscope
        return a.x, a.y, a.z, g.x, g.y, g.z, data.compass
    if isinstance(data, carla.GnssMeasurement):
        return data.latitude, data.longitude, data.altitude
    if isinstance(data, carla.LidarMeasurement | carla.SemanticLidarMeasurement):
        counts = [data.get_point_count(k) for k in range(data.channels)]
        return data.horizontal_angle, counts, bytes(data.raw_data)
    if isinstance(data, carla.Image):
        return data.width, data.height, data.fov, bytes(data.raw_data)
    return bytes(data.raw_data)


def content_of(body: bytes, kind: SensorType) -> object:
    """The same out of the bytes that our sensor would send."""
    if kind.id == "sensor.other.imu":
        a, g, compass = msgpack.unpackb(body)
        return *a, *g, compass
    if kind.id == "sensor.other.gnss":
        return tuple(msgpack.unpackb(body))
    if kind.id.startswith("sensor.lidar."):
        angle, channels = struct.unpack_from("<fI", body)
        counts = list(struct.unpack_from(f"<{channels}I", body, 8))
        return angle, counts, body[8 + 4 * channels :]
    if kind.camera:
        return *struct.unpack_from("<IIf", body), body[12:]
    return body


def test_headers_tell_frame_time_and_place(served: SimpleNamespace):
    for sensor in served.sensors.values():
        data = tick_for(served.world, sensor)
        snapshot = served.world.get_snapshot()
        assert (data.frame, data.timestamp) == (snapshot.frame, snapshot.timestamp.elapsed_seconds)
        assert data.transform == sensor.actor.get_transform()
        assert data.transform == snapshot.find(sensor.actor.id).get_transform()


def test_a_sensor_measures_at_its_own_interval(served: SimpleNamespace):
    sensor = listening(served.world, "sensor.other.gnss", {"sensor_tick": "0.15"}, carla.Transform(), served.car)
    first = tick_for(served.world, sensor)
    frames = [served.world.tick() for _ in range(9)]
    came = [sensor.take().frame for _ in range(3)]
    sensor.actor.destroy()
    assert came == [first.frame + 3, first.frame + 6, first.frame + 9] == frames[2::3]


@pytest.mark.parametrize("parent", [None, "walker.pedestrian.0020", "static.prop.container", "traffic.traffic_light"])
def test_cameras_look_from_anything_and_from_nothing(served: SimpleNamespace, parent: str | None):
    world = served.world
    carrier = None
    if parent == "traffic.traffic_light":
        carrier = world.get_actors().filter("traffic.traffic_light")[0]
    elif parent is not None:
        carrier = spawn(world, parent, beyond(served.point, -12.0, z=1.0))
    mount = transform(0.0, 0.0, 6.0, 0.0, -30.0, 90.0)
    pose = mount if carrier is not None else beyond(served.point, 0.0, z=6.0)
    sensor = listening(world, "sensor.camera.rgb", SMALL, pose, carrier)
    for _ in range(30):  # until the walker has landed
        world.tick()
    data = tick_for(world, sensor)
    eye = sensor.actor.get_transform()
    worlds = read_witness(served.witness)
    place = Pose(*(float(v) for v in (eye.location.x, eye.location.y, eye.location.z)), eye.rotation.roll,
                 eye.rotation.pitch, eye.rotation.yaw)  # fmt: skip
    camera = Camera(Scene(served.network), 160, 96, 100.0, place, slot=-1)
    expected = camera.render(worlds[0])["rgb"]
    sensor.actor.destroy()
    if carrier is not None and parent != "traffic.traffic_light":
        carrier.destroy()
    seen = np.frombuffer(data.raw_data, np.uint8).reshape(96, 160, 4)
    # the client's pose is a float32: a pixel on an edge may fall to the other side
    assert (seen != expected).any(axis=2).mean() < 0.02


# Events


def test_collisions_tell_both_actors_and_the_impulse(served: SimpleNamespace):
    world = served.world
    place = beyond(world.get_map().get_spawn_points()[40], 0.0)
    target = spawn(world, "vehicle.audi.tt", place)
    car = spawn(world, "vehicle.tesla.model3", beyond(place, -9.0))
    bumpers = [listening(world, "sensor.other.collision", {}, carla.Transform(), a) for a in (car, target)]
    world.tick()
    car.set_target_velocity(10.0 * place.get_forward_vector())
    for _ in range(40):
        world.tick()
    hit, struck = (b.take() for b in bumpers)
    forward = place.get_forward_vector()
    assert (hit.actor.id, hit.other_actor.id) == (car.id, target.id)
    assert (struck.actor.id, struck.other_actor.id) == (target.id, car.id)
    assert struck.normal_impulse.dot(forward) > 1000.0
    assert hit.normal_impulse.dot(forward) == pytest.approx(-struck.normal_impulse.dot(forward))
    for actor in (*(b.actor for b in bumpers), car, target):
        actor.destroy()


def test_an_obstacle_is_told_with_its_distance(served: SimpleNamespace):
    world = served.world
    place = world.get_map().get_spawn_points()[40]
    car = spawn(world, "vehicle.tesla.model3", place)
    thing = spawn(world, "vehicle.audi.tt", beyond(place, 12.0))
    sensor = listening(world, "sensor.other.obstacle", {"distance": "20"}, carla.Transform(carla.Location(z=1)), car)
    found = tick_for(world, sensor)
    assert (found.actor.id, found.other_actor.id) == (car.id, thing.id)
    assert found.distance == pytest.approx(12.0 - thing.bounding_box.extent.x - 0.5, abs=0.1)
    for actor in (sensor.actor, car, thing):
        actor.destroy()


def test_lane_invasions_are_worked_out_by_the_client(served: SimpleNamespace):
    world = served.world
    place = world.get_map().get_spawn_points()[60]
    car = spawn(world, "vehicle.tesla.model3", place)
    sensor = listening(world, "sensor.other.lane_invasion", {}, carla.Transform(), car)
    car.set_simulate_physics(False)
    for k in range(30):
        car.set_transform(beyond(place, 0.5 * k, aside=-0.15 * k))
        world.tick()
    assert sensor.take().crossed_lane_markings
    sensor.actor.destroy()
    car.destroy()


# Normals, motion, events


def test_normals_of_the_ground_point_up(served: SimpleNamespace):
    down = carla.Transform(served.point.location + carla.Location(z=10.0), carla.Rotation(pitch=-90.0))
    sensor = listening(served.world, "sensor.camera.normals", SMALL, down)
    picture = np.frombuffer(tick_for(served.world, sensor).raw_data, np.uint8).reshape(96, 160, 4)
    sensor.actor.destroy()
    blue, green, red = (int(np.median(picture[:, :, k])) for k in range(3))
    assert [blue, green, red] == pytest.approx([254, 128, 128], abs=3)


def test_nothing_flows_before_a_camera_that_stands_and_the_road_comes_towards_one_that_drives(served: SimpleNamespace):
    world, car = served.world, served.car
    standing = listening(world, "sensor.camera.optical_flow", SMALL, beyond(served.point, 60.0, z=3.0))
    driving = listening(world, "sensor.camera.optical_flow", SMALL, transform(2.5, 0, 2, 0, 0, 0), car)
    for _ in range(2):
        still, moving = tick_for(world, standing), tick_for(world, driving)
        world.tick()
    flow = np.frombuffer(moving.raw_data, np.float32).reshape(96, 160, 2)
    speed = car.get_velocity().length()
    assert np.abs(np.frombuffer(still.raw_data, np.float32)).max() < 1e-6
    assert speed > 1.0
    assert flow[90, 80, 1] > 4.0 * flow[60, 80, 1] > 0.0
    # a point of the road straight ahead was at v' = f z / (x + dx)
    focal = 80.0 / np.tan(np.radians(50.0))
    row = 90.5 - 48.0
    ahead = focal * 2.0 / row
    step = speed * 0.05
    assert flow[90, 80, 1] * 48.0 == pytest.approx(row * step / (ahead + step), rel=0.1)
    for sensor in (standing, driving):
        sensor.actor.destroy()


def test_a_vision_sensor_fires_where_brightness_changes_within_the_tick(served: SimpleNamespace):
    world = served.world
    sensor = listening(world, "sensor.camera.dvs", SMALL, transform(0, 0, 2, 0, 0, 0), served.car)
    tick_for(world, sensor)
    data = tick_for(world, sensor)
    events = np.frombuffer(data.raw_data, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("pol", "u1")])
    sensor.actor.destroy()
    assert len(events) > 20
    assert set(events["pol"]) == {0, 1}
    assert (events["x"].max() < 160) & (events["y"].max() < 96)
    assert (np.diff(events["t"]) >= 0).all()
    assert events["t"][-1] - events["t"][0] <= 50_000_000


def test_the_documentation_has_the_table_of_sensors():
    assert coverage_table() in (ROOT / "docs" / "carla_server_sensors.md").read_text()


# Readers


def test_two_clients_read_one_camera_alike_and_one_may_vanish(served: SimpleNamespace):
    camera = served.sensors["sensor.camera.rgb"]
    code = f"""
        import os, queue
        sensor = next(s for s in world.get_actors().filter("sensor.camera.rgb") if s.id == {camera.actor.id})
        frames = queue.Queue()
        sensor.listen(frames.put)
        for _ in range(40):
            world.tick()
            if not frames.empty():
                break
            time.sleep(0.1)
        image = frames.get(timeout=10)
        import hashlib
        print(image.frame, hashlib.sha256(bytes(image.raw_data)).hexdigest(), flush=True)
        os._exit(0)  # no farewell
    """
    frame, digest = run_client(served.server, code).split()[:2]
    own = {}
    while not camera.arrived.empty():
        data = camera.arrived.get()
        own[data.frame] = hashlib.sha256(bytes(data.raw_data)).hexdigest()
    assert own[int(frame)] == digest
    assert tick_for(served.world, camera).frame == served.world.get_snapshot().frame


def test_no_rendering_mode_silences_cameras_alone(served: SimpleNamespace):
    world = served.world
    camera, lidar = served.sensors["sensor.camera.rgb"], served.sensors["sensor.lidar.ray_cast"]
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    drained(camera)
    tick_for(world, lidar)
    silent = camera.arrived.empty()
    settings.no_rendering_mode = False
    world.apply_settings(settings)
    assert silent
    assert tick_for(world, camera)


def test_a_reader_that_never_reads_holds_up_nobody_in_asynchronous_mode(served: SimpleNamespace):
    world = served.world
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
    with socket.create_connection(("127.0.0.1", served.server.port + 1)) as deaf:
        deaf.sendall(struct.pack("<I", FIRST_STREAM))
        camera = served.sensors["sensor.camera.rgb"]
        drained(camera)
        frames = [camera.take().frame for _ in range(60)]
    synchronous(world)
    assert frames == sorted(set(frames))
    assert frames[-1] - frames[0] < 120


def drained(sensor: SimpleNamespace) -> None:
    while not sensor.arrived.empty():
        sensor.arrived.get()
