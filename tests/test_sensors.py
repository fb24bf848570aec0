"""IMU, GNSS, speedometer, collision, lane invasion, obstacle: layouts, units and signs on worlds made by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from envs.world import EpisodeStart, WorldBatch
from simulator.collisions import collide
from simulator.errors import SensorError
from simulator.roads.network import LaneMark, MarkColor
from simulator.sensors import SensorRig, parse_sensors
from simulator.sensors.geo import from_geo, to_geo
from simulator.sensors.measurements import Collision, Obstacle
from simulator.sensors.rig import is_due, ticks_since
from simulator.state import EGO
from tests.sensor_worlds import moving_car, network_at, put, rig, standing_car
from tests.sim_world import Ride, avenue, smoke

IMU = {"type": "sensor.other.imu"}
GNSS = {"type": "sensor.other.gnss"}
ALL_OWN = [
    {"type": "sensor.other.imu", "id": "imu"},
    {"type": "sensor.other.gnss", "id": "gps", "z": 1.6},
    {"type": "sensor.speedometer", "id": "speed"},
]
EAST, SOUTH, WEST, NORTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi


def imu(worlds: np.ndarray, **sensor: float) -> np.ndarray:
    frame, data = rig(worlds, IMU | sensor).read()["s0"]
    assert (data.dtype, data.shape, frame) == (np.float64, (7,), int(worlds["tick"][0]))
    return np.asarray(data)


# ---- IMU -------------------------------------------------------------------------------------------------------------


def test_a_standing_car_feels_gravity_upwards_and_nothing_else():
    assert imu(standing_car())[:6] == pytest.approx([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("heading", "compass"), [(NORTH, 0.0), (EAST, 0.5 * math.pi), (SOUTH, math.pi), (WEST, 1.5 * math.pi)]
)
def test_the_compass_is_0_in_the_north_and_grows_clockwise(heading: float, compass: float):
    assert math.cos(imu(standing_car(heading))[6] - compass) == pytest.approx(1.0)
    assert 0.0 <= imu(standing_car(heading))[6] < 2.0 * math.pi


@pytest.mark.parametrize("heading", [EAST, NORTH, 2.0])
def test_pressing_the_throttle_pushes_forwards_whatever_the_heading(heading: float):
    worlds = moving_car(10.0, heading)
    worlds["ax"][0, EGO], worlds["ay"][0, EGO] = 3.0 * math.cos(heading), 3.0 * math.sin(heading)
    assert imu(worlds)[:3] == pytest.approx([3.0, 0.0, 9.81])


def test_a_right_turn_reads_positive_yaw_rate_and_a_pull_to_the_right():
    speed, radius = 10.0, 25.0
    worlds = moving_car(speed)
    worlds["yaw_rate"][0, EGO] = speed / radius
    worlds["ay"][0, EGO] = speed * speed / radius  # right of a car that heads east is south, +y
    found = imu(worlds)
    assert found[1] == pytest.approx(speed * speed / radius)
    assert found[3:6] == pytest.approx([0.0, 0.0, speed / radius])


def test_an_imu_out_on_the_bonnet_feels_the_turn_pull_it_back():
    worlds = standing_car()
    worlds["yaw_rate"][0, EGO] = 2.0
    assert imu(worlds, x=1.5)[:2] == pytest.approx([-2.0 * 2.0 * 1.5, 0.0])
    assert imu(worlds, y=-0.5)[:2] == pytest.approx([0.0, 2.0 * 2.0 * 0.5])


def test_standing_uphill_gravity_pulls_backwards():
    worlds = standing_car(NORTH)
    worlds["pitch"][0, EGO] = 0.1
    assert imu(worlds)[:3] == pytest.approx([9.81 * math.sin(0.1), 0.0, 9.81 * math.cos(0.1)])


def test_a_turned_imu_reads_in_its_own_axes():
    worlds = moving_car(10.0)
    worlds["ax"][0, EGO] = 3.0
    assert imu(worlds, yaw=90.0)[:3] == pytest.approx([0.0, -3.0, 9.81])
    assert imu(worlds, yaw=90.0)[6] == pytest.approx(math.pi)  # looks south


def test_a_real_turn_agrees_with_its_own_pull():
    drive = Ride(avenue())
    drive.w["speed"][EGO] = 12.0
    drive._controls = np.array([[0.3, 0.0, 0.2]])
    for _ in range(40):
        super(Ride, drive).tick()
    worlds = drive.worlds
    found = imu(worlds)
    assert found[5] > 0.2
    assert found[1] == pytest.approx(found[5] * float(worlds["speed"][0, EGO]), rel=0.2)


def test_noise_has_the_asked_deviation_and_bias():
    worlds = standing_car()
    unit = rig(worlds, IMU | {"noise_accel_stddev_x": 0.5, "noise_gyro_stddev_z": 0.1, "noise_gyro_bias_z": 2.0})
    samples = []
    for tick in range(2000):
        worlds["tick"] = tick
        samples.append(unit.read()["s0"][1])
    found = np.array(samples)
    assert found[:, 0].mean() == pytest.approx(0.0, abs=0.05)
    assert found[:, 0].std() == pytest.approx(0.5, rel=0.1)
    assert found[:, 5].mean() == pytest.approx(2.0, abs=0.01)
    assert found[:, 5].std() == pytest.approx(0.1, rel=0.1)
    assert (found[:, 1] == 0.0).all()


# ---- GNSS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [(42.0, 2.0), (49.0, 8.0), (-33.9, 151.2), (0.0, 0.0)])
def test_places_are_found_again_from_their_latitude_and_longitude(origin: tuple[float, float]):
    for x, y in ((0.0, 0.0), (1000.0, -350.0), (-5200.5, 4100.25)):
        assert from_geo(*origin, *to_geo(*origin, x, y)) == pytest.approx((x, y), abs=1e-5)


def test_the_origin_lies_at_the_reference_and_north_is_where_y_falls():
    reader = rig(standing_car(), GNSS, network=network_at(42.0, 2.0))
    frame, data = reader.read()["s0"]
    assert (data.dtype, data.shape) == (np.float64, (3,))
    assert data == pytest.approx([42.0, 2.0, 0.0])
    degree = 6378137.0 * math.pi / 180.0  # m of a great circle
    north = rig(standing_car(y=-degree / 1000.0), GNSS, network=network_at(42.0, 2.0)).read()["s0"][1]
    assert north == pytest.approx([42.001, 2.0, 0.0], abs=1e-6)
    east = rig(standing_car(x=degree / 1000.0 * math.cos(math.radians(42.0))), GNSS, network=network_at(42.0, 2.0))
    assert east.read()["s0"][1] == pytest.approx([42.0, 2.001, 0.0], abs=1e-9)


def test_the_gps_route_of_the_leaderboard_is_the_same_projection():
    """The formula of docs/bench2drive.md 1.2, written out."""
    lat0, lon0, x, y = 49.0, 8.0, 321.5, -78.25
    scale, radius = math.cos(math.radians(lat0)), 6378137.0
    mx = scale * lon0 * math.pi * radius / 180.0 + x
    my = scale * radius * math.log(math.tan((90.0 + lat0) * math.pi / 360.0)) - y
    lon = mx * 180.0 / (math.pi * radius * scale)
    lat = 360.0 * math.atan(math.exp(my / (radius * scale))) / math.pi - 90.0
    assert to_geo(lat0, lon0, x, y) == pytest.approx((lat, lon), abs=1e-12)


def test_the_antenna_is_where_it_is_mounted():
    low, high = (rig(standing_car(NORTH), GNSS | {"x": 2.0, "z": z}).read()["s0"][1] for z in (0.0, 1.5))
    assert high[2] - low[2] == pytest.approx(1.5)
    assert low[0] > rig(standing_car(NORTH), GNSS).read()["s0"][1][0]  # two metres further north


# ---- speedometer, map ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.0, 13.25, -2.5])
def test_the_speedometer_reads_forward_speed(speed: float):
    worlds = moving_car(speed, 1.0)
    assert rig(worlds, {"type": "sensor.speedometer"}).read()["s0"][1] == {"speed": pytest.approx(speed)}


def test_the_speedometer_leaves_out_what_slides_sideways():
    worlds = moving_car(10.0)
    worlds["vy"][0, EGO] = 3.0
    assert rig(worlds, {"type": "sensor.speedometer"}).read()["s0"][1]["speed"] == pytest.approx(10.0)


def test_the_map_sensor_hands_out_the_towns_opendrive():
    reader = rig(standing_car(), {"type": "sensor.opendrive_map"})
    assert reader.read()["s0"][1] == {"opendrive": reader.network.xodr}


# ---- collision, lane invasion, obstacle ------------------------------------------------------------------------------


def test_a_collision_tells_with_whom_and_how_hard():
    worlds = moving_car(10.0)
    other = put(worlds, "vehicle.audi.tt", 4.4, 0.0)
    assert rig(worlds, {"type": "sensor.other.collision"}).read() == {}
    collide(worlds[0])
    ((event,),) = (data for frame, data in rig(worlds, {"type": "sensor.other.collision"}).read().values())
    assert isinstance(event, Collision)
    assert (event.other_slot, event.other_id) == (other, int(worlds["actor_id"][0, other]))
    assert event.normal_impulse[0] < -1000.0  # thrown back, N s
    assert event.normal_impulse[1:] == pytest.approx((0.0, 0.0), abs=1e-6)


def test_a_collision_sensor_needs_the_ego_vehicle():
    worlds = standing_car()
    slot = put(worlds, "vehicle.audi.tt", 30.0, 0.0)
    with pytest.raises(SensorError, match="ego vehicle only"):
        rig(worlds, {"type": "sensor.other.collision"}, slot=slot)


def cross(y_from: float, y_to: float, heading: float = EAST) -> list[tuple[LaneMark, MarkColor]]:
    """Markings crossed by a car that moves sideways in one tick, on the main street (centre line at y = 0)."""
    worlds = standing_car(heading, x=100.0, y=y_to)
    worlds["tick"] = 1
    dt = 0.05
    slip = math.atan2((y_to - y_from) / dt, 1.0)
    speed = math.hypot((y_to - y_from) / dt, 1.0)
    w = worlds[0]
    course = heading + slip * (1.0 if heading == EAST else -1.0)
    w["vx"][EGO], w["vy"][EGO], w["speed"][EGO] = speed * math.cos(course), speed * math.sin(course), speed
    rear = 1.4178275  # m, as in simulator.dynamics: makes the record's yaw rate fit its slip
    w["yaw_rate"][EGO] = speed / rear * math.sin(course - heading)
    w["yaw"][EGO] = heading + w["yaw_rate"][EGO] * dt
    found = rig(worlds, {"type": "sensor.other.lane_invasion"}).read()
    return [tuple(mark) for mark in found["s0"][1]] if found else []


def test_staying_in_the_lane_invades_nothing():
    assert cross(1.75, 1.75) == []


def test_crossing_the_centre_line_names_its_marking():
    crossed = cross(1.25, 0.85)
    assert crossed
    assert {mark for mark, color in crossed} <= {LaneMark.SOLID_SOLID, LaneMark.SOLID, LaneMark.BROKEN}
    assert {color for mark, color in crossed} == {MarkColor.YELLOW}


def test_a_driven_lane_change_is_noticed_once_for_every_corner():
    drive = Ride(avenue())
    drive.w["kind"][1:], drive.w["bg_enabled"] = 0, 0
    drive.w["speed"][EGO] = 12.0
    reader = SensorRig(
        parse_sensors([{"type": "sensor.other.lane_invasion", "id": "lane"}]), avenue().network, drive.worlds
    )
    lane, marks = int(drive.w["lane"][EGO]), []
    for tick in range(60):
        drive._controls = np.array([[0.4, 0.0, -0.12 if tick < 18 else (0.12 if tick < 36 else 0.0)]])
        super(Ride, drive).tick()
        if (event := reader.read().get("lane")) is not None:
            marks += [mark.type for mark in event[1]]
    assert int(drive.w["lane"][EGO]) != lane
    assert marks == [LaneMark.BROKEN] * 4


def test_an_obstacle_ahead_is_found_at_its_bumper():
    worlds = standing_car()
    slot = put(worlds, "vehicle.audi.tt", 10.0, 0.0)
    sensor = {"type": "sensor.other.obstacle", "x": 2.5, "z": 0.7, "distance": 20.0, "hit_radius": 0.5}
    ((found,),) = (data for frame, data in rig(worlds, sensor).read().values())
    assert isinstance(found, Obstacle)
    assert found.other_slot == slot
    assert found.distance == pytest.approx(10.0 - 2.09 - 2.5 - 0.5, abs=2e-3)


@pytest.mark.parametrize(
    ("blueprint", "y", "options", "seen"),
    [
        ("vehicle.audi.tt", 1.4, {}, True),  # its side is 0.4 m away, the ball's radius is 0.5
        ("vehicle.audi.tt", 1.6, {}, False),
        ("vehicle.audi.tt", 0.0, {"distance": 4.0}, False),
        ("static.prop.barrel", 0.0, {}, True),
        ("static.prop.barrel", 0.0, {"only_dynamics": True}, False),
        ("vehicle.audi.tt", 0.0, {"yaw": 90.0}, False),
    ],
)
def test_what_counts_as_an_obstacle(blueprint: str, y: float, options: dict, seen: bool):
    worlds = standing_car()
    put(worlds, blueprint, 10.0, y)
    sensor = {"type": "sensor.other.obstacle", "x": 2.5, "z": 0.7, "distance": 20.0} | options
    assert bool(rig(worlds, sensor).read()) is seen


# ---- timing, determinism, bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor_tick", "ticks"), [(0.0, [0, 1, 2, 3]), (0.05, [0, 1, 2, 3]), (0.1, [0, 2, 4, 6]), (0.12, [0, 3, 5, 8])]
)
def test_sensor_tick_thins_out_the_measurements(sensor_tick: float, ticks: list[int]):
    assert [tick for tick in range(ticks[-1] + 1) if is_due(tick, sensor_tick)] == ticks
    for before, now in pairwise(ticks[1:]):
        assert ticks_since(now, sensor_tick) == now - before
    worlds = standing_car()
    unit = rig(worlds, IMU | {"sensor_tick": sensor_tick}, {"type": "sensor.speedometer"})
    heard = []
    for tick in range(ticks[-1] + 1):
        worlds["tick"] = tick
        data = unit.read()
        assert data["s1"][0] == tick
        heard += [tick] if "s0" in data else []
    assert heard == ticks


def test_noise_is_the_same_after_a_restore_and_in_any_batch():
    specs = parse_sensors(ALL_OWN)
    batch = WorldBatch(smoke(), 1)
    batch.reset(0, EpisodeStart(0, 5))
    reader = SensorRig(specs, batch.routes.network, batch.worlds)
    snapshot = batch.snapshot(0)
    controls = np.array([[0.6, 0.0, 0.1]])

    def record() -> list[bytes]:
        seen = []
        for _ in range(5):
            batch.tick(controls)
            data = reader.read()
            seen.append(data["imu"][1].tobytes() + data["gps"][1].tobytes())
        return seen

    first = record()
    batch.restore(0, snapshot)
    reader.read()  # one more look in between changes nothing
    assert record() == first
    many = WorldBatch(smoke(), 3)
    for index, seed in enumerate((8, 5, 9)):
        many.reset(index, EpisodeStart(0, seed))
    for _ in range(5):
        many.tick(np.repeat(controls, 3, axis=0))
    data = SensorRig(specs, many.routes.network, many.worlds, world=1).read()
    assert data["imu"][1].tobytes() + data["gps"][1].tobytes() == first[-1]
    other = SensorRig(specs, many.routes.network, many.worlds, world=0).read()
    assert other["imu"][1].tobytes() != data["imu"][1].tobytes()


def test_two_sensors_of_one_kind_have_noises_of_their_own():
    unit = rig(standing_car(), IMU | {"noise_accel_stddev_x": 1.0}, IMU | {"noise_accel_stddev_x": 1.0})
    data = unit.read()
    assert data["s0"][1][0] != data["s1"][1][0]
    seeded = rig(standing_car(), IMU | {"noise_accel_stddev_x": 1.0, "noise_seed": 4}).read()["s0"][1]
    assert seeded[0] != data["s0"][1][0]


def test_reading_sensors_leaves_the_world_as_it_was():
    batch = WorldBatch(smoke(), 1)
    batch.reset(0, EpisodeStart(2, 5))
    before = batch.worlds.tobytes()
    sensors = [
        *ALL_OWN,
        {"type": "sensor.other.lane_invasion", "id": "lane"},
        {"type": "sensor.other.collision", "id": "c"},
    ]
    SensorRig(parse_sensors(sensors), batch.routes.network, batch.worlds).read()
    assert batch.worlds.tobytes() == before


def test_raw_measurements_know_when_and_where():
    worlds = standing_car(NORTH, x=7.0, y=3.0)
    worlds["tick"], worlds["time"] = 40, 2.0
    found = rig(worlds, IMU | {"x": 1.0, "z": 2.0, "pitch": 10.0, "yaw": 30.0, "roll": 5.0}).measure()["s0"]
    assert (found.frame, found.timestamp) == (40, 2.0)
    assert found.placement == pytest.approx((7.0, 2.0, 2.0, 10.0, -60.0, 5.0))


@pytest.mark.parametrize(("options", "told"), [({"world": 3}, "no world 3"), ({"slot": 400}, "no actor slot 400")])
def test_a_rig_is_bound_to_a_world_that_is_there(options: dict, told: str):
    with pytest.raises(SensorError, match=told):
        rig(standing_car(), IMU, **options)


def test_a_rig_on_nobody_says_so():
    with pytest.raises(SensorError, match="nobody is in slot 5"):
        rig(standing_car(), IMU, slot=5).read()
