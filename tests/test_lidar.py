"""LiDAR and radar: against known walls, against Embree, and against CARLA's rules of what comes back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from envs.world import EpisodeStart, WorldBatch
from simulator.errors import SensorError
from simulator.scenery.mesh import MeshBuilder
from simulator.scenery.tags import Material, Tag
from simulator.sensors import SensorRig, parse_sensors
from simulator.sensors.lidar import scan_of
from simulator.sensors.measurements import SEMANTIC_POINT, Lidar, SemanticLidar
from simulator.sensors.scene import Scene
from simulator.state import EGO
from tests.sensor_worlds import HandScene, moving_car, put, rig, room, solid_triangles, standing_car
from tests.sim_world import crossroads, smoke

#: A LiDAR that loses nothing: all that it casts comes back.
LIDAR = {"type": "sensor.lidar.ray_cast", "z": 2.0, "channels": 8, "points_per_second": 8 * 90 * 20, "range": 100.0,
         "rotation_frequency": 20.0, "dropoff_general_rate": 0.0, "dropoff_intensity_limit": 0.0,
         "dropoff_zero_intensity": 0.0}  # fmt: skip
SEMANTIC = {"type": "sensor.lidar.ray_cast_semantic", "z": 2.0, "channels": 8, "points_per_second": 8 * 90 * 20,
            "range": 100.0, "rotation_frequency": 20.0}  # fmt: skip
RADAR = {"type": "sensor.other.radar", "x": 0.0, "z": 1.0}


def scan(worlds: np.ndarray, sensor: dict[str, Any], **change: Any) -> Lidar | SemanticLidar:
    """One measurement in the room."""
    return rig(worlds, sensor | change, scene=room()).measure()["s0"].data  # type: ignore[return-value]


def distance_in_room(azimuth: np.ndarray, elevation: np.ndarray, z: float = 2.0) -> np.ndarray:
    """m from (0, 0, z) to the walls, floor or ceiling of the room."""
    azimuth, elevation = np.broadcast_arrays(azimuth, elevation)
    x, y = np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)
    up = np.sin(elevation)
    with np.errstate(divide="ignore"):
        return np.minimum.reduce([10.0 / abs(x), 10.0 / abs(y), np.where(up > 0.0, (5.0 - z) / up, -z / up)])


# ---- geometry --------------------------------------------------------------------------------------------------------


def test_every_ray_meets_the_wall_it_points_at():
    points = scan(standing_car(), LIDAR).points
    assert (points.dtype, points.shape) == (np.float32, (8 * 90, 4))
    found = points[:, :3].reshape(8, 90, 3)
    azimuth = np.radians(-180.0 + 4.0 * np.arange(90))
    elevation = np.radians(np.linspace(10.0, -30.0, 8))
    expected = distance_in_room(azimuth[None, :], elevation[:, None])
    assert np.linalg.norm(found, axis=2) == pytest.approx(expected, abs=1e-4)
    assert np.arctan2(found[..., 1], found[..., 0])[:, 1:] == pytest.approx(np.tile(azimuth[1:], (8, 1)), abs=1e-5)
    assert np.arcsin(found[..., 2] / expected) == pytest.approx(np.tile(elevation[:, None], (1, 90)), abs=1e-5)


@pytest.mark.parametrize("yaw", [0.0, 30.0, 200.0])
def test_points_are_in_the_sensors_own_axes(yaw: float):
    """Turned by `yaw`, the vehicle and the sensor back by as much, the room looks the same as unturned."""
    turned = scan(standing_car(math.radians(yaw)), LIDAR, yaw=-yaw)
    assert turned.points == pytest.approx(scan(standing_car(), LIDAR).points, abs=1e-3)


def test_a_wall_ahead_has_positive_x_and_one_on_the_right_positive_y():
    points = scan(standing_car(x=4.0, y=6.0), LIDAR, upper_fov=0.0, lower_fov=0.0, channels=1).points
    assert points[:, 0].max() == pytest.approx(6.0, abs=1e-4)
    assert points[:, 1].max() == pytest.approx(4.0, abs=1e-4)
    assert points[:, 2] == pytest.approx(0.0, abs=1e-6)


def test_a_tilted_sensor_looks_down_ahead():
    points = scan(standing_car(), LIDAR, pitch=-20.0, channels=1, upper_fov=0.0, lower_fov=0.0).points
    ahead = points[np.argmax(points[:, 0] / np.linalg.norm(points[:, :3], axis=1))]
    assert ahead[0] == pytest.approx(2.0 / math.sin(math.radians(20.0)), abs=1e-3)


def test_nothing_beyond_the_range_comes_back():
    points = scan(standing_car(), LIDAR, range=10.5).points
    distance = np.linalg.norm(points[:, :3], axis=1)
    assert 0 < len(points) < 8 * 90
    assert distance.max() <= 10.5


def first_hits(scene: HandScene, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """float64[N] m to the nearest front along unit vectors float64[N, 3], infinite without: every pair is tried."""
    a, b, c = (scene.vertex[scene.triangle[:, k]].astype(np.float64) - origin for k in range(3))
    normal = np.cross(b - a, c - a)
    level = (normal * a).sum(axis=1)
    along = rays @ normal.T
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = level / along
    inside = np.ones(distance.shape, bool)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= rays @ np.cross(p, q).T <= 0.0
    return np.where(inside & (level < 0.0) & (distance > 0.0), distance, np.inf).min(axis=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_jumble_of_triangles_is_hit_as_if_every_ray_had_tried_every_triangle(seed: int):
    draws = np.random.default_rng(seed)
    spread = (1.0, 3.0, 30.0)[seed % 3]  # m, size of the triangles
    middle = draws.normal(0.0, 8.0, (400, 1, 3))
    corners = (middle + draws.normal(0.0, spread, (400, 3, 3))).reshape(-1, 3)
    out = MeshBuilder()
    out.add(corners, np.arange(1200).reshape(400, 3), (0.5, 0.5, 0.5), Tag.OTHER, Material.PLAIN)
    scene = HandScene(out.build(10.0))
    unit = rig(standing_car(0.7), SEMANTIC | {"upper_fov": 60.0, "lower_fov": -70.0, "roll": 10.0}, scene=scene)
    data = unit.measure()["s0"].data
    elevation = np.radians(np.linspace(60.0, -70.0, 8))[:, None]
    azimuth = np.radians(-180.0 + 4.0 * np.arange(90))[None, :]
    level = np.cos(elevation)
    ray = np.stack(np.broadcast_arrays(level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)), axis=-1)
    pose = unit._mounts[0].pose
    expected = first_hits(scene, pose[0], ray.reshape(-1, 3) @ pose[1:]).reshape(8, 90)
    expected[expected > 100.0] = np.inf
    assert data.counts.tolist() == np.isfinite(expected).sum(axis=1).tolist()
    own = np.sqrt(data.points["x"] ** 2 + data.points["y"] ** 2 + data.points["z"] ** 2)
    assert own == pytest.approx(expected[np.isfinite(expected)], rel=1e-4)
    assert np.isfinite(expected).mean() > 0.05


@pytest.mark.parametrize("scene_of", ["crossroads", "smoke"])
def test_hits_agree_with_embree(scene_of: str):
    embree = pytest.importorskip("embreex.rtcore_scene")
    mesh_construction = pytest.importorskip("embreex.mesh_construction")
    batch = WorldBatch({"crossroads": crossroads, "smoke": smoke}[scene_of]())
    batch.reset(0, EpisodeStart(0, 3))
    scene = Scene(batch.routes.network)
    sensor = SEMANTIC | {
        "id": "l",
        "channels": 32,
        "points_per_second": 32 * 720 * 20,
        "roll": 3.0,
        "pitch": -2.0,
        "yaw": 40.0,
    }
    specs = parse_sensors([sensor], leaderboard=False)
    reader = SensorRig(specs, batch.routes.network, batch.worlds, scene=scene)
    measured = reader.measure()["l"]
    pose = reader._mounts[0].pose
    world = embree.EmbreeScene()
    mesh_construction.TriangleMesh(world, scene.vertex, solid_triangles(scene, pose[0]))
    elevation = np.radians(np.linspace(10.0, -30.0, 32))[:, None]
    azimuth = scan_of(specs[0], 0, 1).azimuth[None, :]
    level = np.cos(elevation)
    ray = np.stack(np.broadcast_arrays(level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)), axis=-1)
    ray = np.ascontiguousarray(ray.reshape(-1, 3) @ pose[1:], np.float32)
    start = np.broadcast_to(pose[0].astype(np.float32), ray.shape).copy()
    found = world.run(start, ray, query="INTERSECT", output=True)
    distance = found["tfar"].reshape(32, -1)
    hits = (found["primID"].reshape(32, -1) >= 0) & (distance <= 100.0)
    counts = measured.data.counts.astype(int)
    assert abs(counts - hits.sum(axis=1)).max() <= 0.002 * hits.shape[1]
    points = measured.data.points
    own = np.sqrt(points["x"] ** 2 + points["y"] ** 2 + points["z"] ** 2)
    if (counts == hits.sum(axis=1)).all():
        assert (abs(own - distance[hits]) < 0.02).mean() >= 0.999
    assert {int(Tag.ROAD), int(Tag.CAR)} <= set(points["object_tag"].tolist())


# ---- what CARLA says of the rays -------------------------------------------------------------------------------------


def test_at_10_hz_the_leaderboards_lidar_makes_half_a_turn_a_tick():
    (spec,) = parse_sensors([{"type": "sensor.lidar.ray_cast", "id": "l"}])
    first, second = scan_of(spec, 1, 1), scan_of(spec, 2, 1)
    assert len(first.azimuth) == 469  # 600000 / 20 / 64, rounded
    assert first.azimuth[0] == pytest.approx(-math.pi)
    assert second.azimuth[0] == pytest.approx(0.0)
    assert first.azimuth[-1] == pytest.approx(-math.pi / 469)
    assert scan_of(spec, 3, 1).azimuth[0] == pytest.approx(-math.pi)
    assert (first.angle_after, second.angle_after) == pytest.approx((math.pi, 0.0))


def test_half_a_turn_sees_half_the_room():
    worlds = standing_car()
    for tick, side in ((1, -1.0), (2, 1.0)):
        worlds["tick"] = tick
        points = scan(worlds, LIDAR, rotation_frequency=10.0, points_per_second=8 * 45 * 20).points
        assert len(points) == 8 * 45
        assert (side * points[:, 1] > -1e-4).all()


def test_more_than_a_turn_a_tick_hits_everything_twice():
    points = scan(standing_car(), LIDAR, rotation_frequency=40.0, points_per_second=8 * 180 * 20).points.reshape(
        8, 180, 4
    )
    assert points[:, :90] == pytest.approx(points[:, 90:], abs=1e-4)


def test_a_narrow_lidar_sweeps_its_field_of_view_only():
    points = scan(standing_car(), LIDAR, horizontal_fov=60.0).points
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    assert len(points) == 8 * 90
    assert (azimuth.min(), azimuth.max()) == (pytest.approx(-30.0, abs=1e-3), pytest.approx(30.0 - 60.0 / 90, abs=1e-3))


def test_points_come_channel_by_channel_from_the_top():
    measured = scan(standing_car(), LIDAR, dropoff_general_rate=0.5)
    elevation = np.degrees(np.arctan2(measured.points[:, 2], np.hypot(measured.points[:, 0], measured.points[:, 1])))
    channel = np.repeat(np.arange(8), measured.counts)
    assert elevation == pytest.approx(np.linspace(10.0, -30.0, 8)[channel], abs=1e-3)


def test_intensity_falls_with_the_distance():
    points = scan(standing_car(), LIDAR, atmosphere_attenuation_rate=0.05).points
    assert points[:, 3] == pytest.approx(np.exp(-0.05 * np.linalg.norm(points[:, :3], axis=1)), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ({"dropoff_general_rate": 0.45}, 0.55),
        ({"dropoff_general_rate": 1.0}, 0.0),
        # all intensities lie under the limit: kept with 1 - p0 + p0 I / limit, here with I close to 0
        ({"atmosphere_attenuation_rate": 9.0, "dropoff_intensity_limit": 0.8, "dropoff_zero_intensity": 0.4}, 0.6),
        ({"atmosphere_attenuation_rate": 0.0, "dropoff_intensity_limit": 0.8, "dropoff_zero_intensity": 0.4}, 1.0),
    ],
)
def test_points_are_dropped_as_often_as_asked(change: dict, share: float):
    points = scan(standing_car(), LIDAR, points_per_second=8 * 900 * 20, **change).points
    assert len(points) / (8 * 900) == pytest.approx(share, abs=0.02)


def test_noise_moves_points_along_their_ray():
    still = scan(standing_car(), LIDAR).points[:, :3]
    shaken = scan(standing_car(), LIDAR, noise_stddev=0.2).points[:, :3]
    distance = np.linalg.norm(still, axis=1)
    shift = np.linalg.norm(shaken, axis=1) - distance
    assert shift.std() == pytest.approx(0.2, rel=0.1)
    assert (still * shaken).sum(axis=1) == pytest.approx(distance * np.linalg.norm(shaken, axis=1), rel=1e-5)


def test_lidar_noise_is_the_same_for_the_same_world_and_tick_only():
    worlds = standing_car()
    one, again = (scan(worlds, LIDAR, dropoff_general_rate=0.5).points.tobytes() for _ in range(2))
    assert one == again
    worlds["tick"] = 1
    assert scan(worlds, LIDAR, dropoff_general_rate=0.5).points.tobytes() != one
    assert scan(standing_car(seed=2), LIDAR, dropoff_general_rate=0.5).points.tobytes() != one


def test_semantic_points_say_what_they_hit_and_how_squarely():
    points = scan(standing_car(), SEMANTIC, upper_fov=0.0, lower_fov=0.0, channels=1, points_per_second=90 * 20).points
    assert points.dtype == SEMANTIC_POINT
    assert set(points["object_tag"].tolist()) == {int(Tag.BUILDING)}
    ahead = np.argmin(np.hypot(points["y"], points["x"] - 10.0))
    assert points["cos_inc_angle"][ahead] == pytest.approx(1.0, abs=1e-3)
    corner = np.argmax(np.hypot(points["x"], points["y"]))
    assert points["cos_inc_angle"][corner] == pytest.approx(math.cos(math.radians(45.0)), abs=0.05)


def test_actors_are_hit_under_their_ids():
    worlds = standing_car(x=100.0, y=1.75)
    slot = put(worlds, "vehicle.audi.tt", 115.0, 1.75)
    points = rig(worlds, SEMANTIC | {"channels": 64, "points_per_second": 64 * 360 * 20}).measure()["s0"].data.points
    on = points[points["object_idx"] == int(worlds["actor_id"][0, slot])]
    assert len(on) > 20
    assert set(on["object_tag"].tolist()) == {int(Tag.CAR)}
    assert on["x"].min() == pytest.approx(15.0 - 2.09, abs=0.15)
    assert abs(on["y"]).max() < 1.1


def test_too_many_rays_at_once_are_refused():
    with pytest.raises(SensorError, match="Lower points_per_second"):
        scan(standing_car(), LIDAR, points_per_second=100_000_000, sensor_tick=60.0)


# ---- radar -----------------------------------------------------------------------------------------------------------


def detections(worlds: np.ndarray, **change: Any) -> np.ndarray:
    """float32[N, 4] velocity, azimuth, altitude, depth in the room."""
    return rig(worlds, RADAR | change, scene=room()).measure()["s0"].data.points  # type: ignore[union-attr]


def test_a_radar_casts_its_share_of_rays_into_its_cone():
    points = detections(standing_car())
    assert (points.dtype, points.shape) == (np.float32, (75, 4))  # 1500 / 20
    edge = math.tan(math.radians(15.0))
    inside = (np.tan(points[:, 1]) / edge) ** 2 + (np.tan(points[:, 2]) / np.cos(points[:, 1]) / edge) ** 2
    assert inside.max() <= 1.0 + 1e-5


def test_radar_depth_is_the_way_along_the_ray():
    points = detections(standing_car(), vertical_fov=4.0)
    assert points[:, 3] == pytest.approx(10.0 / np.cos(points[:, 1]) / np.cos(points[:, 2]), rel=1e-4)


@pytest.mark.parametrize("speed", [8.0, -3.0])
def test_a_wall_that_one_drives_towards_has_negative_velocity(speed: float):
    points = detections(moving_car(speed), vertical_fov=4.0)
    assert points[:, 0] == pytest.approx(-speed * np.cos(points[:, 1]) * np.cos(points[:, 2]), rel=1e-4)


def test_a_leader_that_drives_away_has_positive_velocity():
    worlds = standing_car(x=100.0, y=1.75)
    slot = put(worlds, "vehicle.mercedes.sprinter", 112.0, 1.75)
    worlds["vx"][0, slot] = 6.0
    found = rig(worlds, RADAR | {"x": 2.5, "horizontal_fov": 10.0, "vertical_fov": 6.0}).read()["s0"][1]
    depth, altitude, azimuth, velocity = found.T  # the leaderboard's order
    near = depth < 10.0
    assert near.sum() > 40
    assert depth[near].min() == pytest.approx(112.0 - 2.957 - 102.5, abs=0.2)
    assert velocity[near] == pytest.approx(6.0, rel=0.02)


def test_the_leaderboard_mirrors_the_radars_columns():
    unit = rig(standing_car(), RADAR, scene=room())
    assert unit.read()["s0"][1][:, ::-1].tobytes() == unit.measure()["s0"].data.points.tobytes()


# ---- cameras beside them ---------------------------------------------------------------------------------------------


def test_cameras_and_lidar_of_one_rig_see_the_same_things():
    worlds = standing_car(x=100.0, y=1.75)
    put(worlds, "vehicle.mercedes.sprinter", 115.0, 1.75)
    place = {"x": 2.4, "z": 1.0}
    size = {"width": 65, "height": 33, "fov": 90}
    unit = rig(
        worlds,
        {"type": "sensor.camera.depth"} | place | size,
        {"type": "sensor.camera.semantic_segmentation"} | place | size,
        SEMANTIC | place | {"channels": 1, "upper_fov": 0.0, "lower_fov": 0.0, "points_per_second": 3600 * 20},
    )
    found = {name: data for name, (frame, data) in unit.read().items()}
    depth, classes, points = found["s0"], found["s1"], found["s2"]
    assert (depth.dtype, depth.shape, classes.shape) == (np.uint8, (33, 65, 4), (33, 65, 4))
    blue, green, red = (depth[16, 32, k].astype(float) for k in range(3))
    metres = 1000.0 * (red + 256.0 * green + 65536.0 * blue) / (2**24 - 1)
    ahead = points[np.argmin(abs(points["y"]) + 1e3 * (points["x"] < 0.0))]
    assert metres == pytest.approx(float(ahead["x"]), abs=0.05)
    assert classes[16, 32, 2] == ahead["object_tag"]
    assert classes[16, 32, 2] in (Tag.CAR, Tag.TRUCK)


# ---- together --------------------------------------------------------------------------------------------------------


def test_looking_leaves_the_world_as_it_was_and_repeats_itself():
    batch = WorldBatch(smoke(), 2)
    for index in range(2):
        batch.reset(index, EpisodeStart(1, 4))
    sensors = [{"type": "sensor.lidar.ray_cast", "id": "lidar", "z": 2.4}, RADAR | {"id": "radar", "x": 2.4}]
    scene = Scene(batch.routes.network)
    rigs = [
        SensorRig(parse_sensors(sensors), batch.routes.network, batch.worlds, world=k, scene=scene) for k in range(2)
    ]
    before = batch.worlds.tobytes()
    one, other = (reader.read() for reader in rigs)
    assert batch.worlds.tobytes() == before
    for name in ("lidar", "radar"):
        assert len(one[name][1]) > 10
        assert one[name][1].tobytes() == other[name][1].tobytes()
    assert one["lidar"][1].dtype == np.float32
    assert batch.worlds["kind"][0, EGO] > 0
