"""What sensors may be asked for, and how a wrong wish is answered."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from simulator.errors import SensorError
from simulator.sensors import SENSOR_TYPES, check_leaderboard_rules, parse_blueprint, parse_sensors
from simulator.sensors.__main__ import attribute_table, preset_table
from simulator.sensors.leaderboard_presets import PRESETS

CAMERA = {"type": "sensor.camera.rgb", "id": "front", "x": 0.8, "y": 0.0, "z": 1.6, "roll": 0.0, "pitch": 0.0,
          "yaw": 0.0, "width": 1600, "height": 900, "fov": 70}  # fmt: skip


def test_every_carla_sensor_of_the_leaderboard_and_of_data_collection_is_there():
    names = ["camera.rgb", "camera.depth", "camera.semantic_segmentation", "camera.instance_segmentation"]
    names += ["lidar.ray_cast", "lidar.ray_cast_semantic", "other.radar", "other.imu", "other.gnss", "other.collision"]
    names += ["other.lane_invasion", "other.obstacle", "speedometer", "opendrive_map"]
    names += ["camera.normals", "camera.optical_flow", "camera.dvs"]
    assert set(SENSOR_TYPES) == {f"sensor.{name}" for name in names}


def test_a_leaderboard_camera_says_width_and_height():
    (spec,) = parse_sensors([CAMERA])
    assert (spec.attributes["image_size_x"], spec.attributes["image_size_y"], spec.attributes["fov"]) == (1600, 900, 70)
    assert spec.attributes["lens_circle_falloff"] == 5.0  # CARLA's default
    assert spec.place == (0.8, 0.0, 1.6, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("sensor", "name", "value"),
    [
        ("sensor.lidar.ray_cast", "channels", 64),
        ("sensor.lidar.ray_cast", "points_per_second", 600_000),
        ("sensor.lidar.ray_cast", "range", 85.0),
        ("sensor.lidar.ray_cast", "dropoff_general_rate", 0.45),
        ("sensor.other.radar", "range", 100.0),
        ("sensor.other.gnss", "noise_lat_stddev", 5e-6),
        ("sensor.other.imu", "noise_accel_stddev_z", 0.015),
    ],
)
def test_the_leaderboard_sets_these_itself(sensor: str, name: str, value: float):
    (spec,) = parse_sensors([{"type": sensor, "id": "it", "z": 2.0, name: 7}])
    assert spec.attributes[name] == value
    assert spec.ignored == (name,)
    (own,) = parse_sensors([{"type": sensor, "id": "it", name: 0.5 if value < 1 else 7}], leaderboard=False)
    assert own.attributes[name] == (0.5 if value < 1 else 7)


def test_presets_are_attributes_within_their_ranges():
    for type_id, preset in PRESETS.items():
        parse_blueprint(type_id, preset)


def test_the_documentation_has_the_tables_that_the_catalogue_prints():
    page = (Path(__file__).parent.parent / "docs" / "sensors.md").read_text(encoding="utf-8")
    assert attribute_table() in page
    assert preset_table() in page


def test_a_radar_keeps_its_fields_of_view_on_the_leaderboard():
    (spec,) = parse_sensors([{"type": "sensor.other.radar", "id": "r", "horizontal_fov": 45, "vertical_fov": 10}])
    assert (spec.attributes["horizontal_fov"], spec.attributes["vertical_fov"]) == (45.0, 10.0)


def test_blueprint_attributes_are_texts():
    spec = parse_blueprint(
        "sensor.other.obstacle", {"only_dynamics": "True", "distance": "12.5", "role_name": "front"}, {"x": 2.0}
    )
    assert (spec.attributes["only_dynamics"], spec.attributes["distance"], spec.x) == (True, 12.5, 2.0)
    lidar = parse_blueprint("sensor.lidar.ray_cast", {"channels": "16"})
    assert lidar.attributes["channels"] == 16
    assert isinstance(lidar.attributes["channels"], int)


@pytest.mark.parametrize(
    ("sensor", "told"),
    [
        ({"type": "sensor.lidar.raycast", "id": "l"}, "did you mean 'sensor.lidar.ray_cast'"),
        ({"type": 7, "id": "l"}, "unknown type 7"),
        ({"type": "sensor.other.imu"}, "needs an 'id'"),
        ({"type": "sensor.other.imu", "id": ""}, "needs an 'id'"),
        ({"type": "sensor.other.imu", "id": "i", "noise_acel_stddev_x": 1}, "did you mean 'noise_accel_stddev_x'"),
        ({"type": "sensor.other.imu", "id": "i", "noise_accel_stddev_x": -1}, "0 or more"),
        ({"type": "sensor.other.imu", "id": "i", "noise_seed": 1.5}, "expected int"),
        ({"type": "sensor.lidar.ray_cast", "id": "l", "channels": 0}, "1 to 1024"),
        ({"type": "sensor.lidar.ray_cast", "id": "l", "range": "far"}, "expected float"),
        ({"type": "sensor.lidar.ray_cast", "id": "l", "range": math.nan}, "expected float"),
        ({"type": "sensor.lidar.ray_cast", "id": "l", "upper_fov": -40}, "under lower_fov"),
        ({"type": "sensor.other.obstacle", "id": "o", "only_dynamics": "perhaps"}, "true, false"),
        ({"type": "sensor.camera.rgb", "id": "c", "exposure_mode": "auto"}, "manual, histogram"),
        ({"type": "sensor.other.imu", "id": "i", "x": 500.0}, "500 m from its vehicle"),
        ({"type": "sensor.other.imu", "id": "i", "x": "left"}, "no number"),
        ({"type": "sensor.other.imu", "id": "i", "yaw": 4000.0}, "degrees"),
        ({"type": "sensor.other.imu", "id": "i", "z": math.inf}, "finite"),
        ("sensor.other.imu", "expected a dict"),
    ],
)
def test_a_wrong_sensor_is_named_with_what_is_allowed(sensor: object, told: str):
    with pytest.raises(SensorError, match="sensor 0") as error:
        parse_sensors([sensor], leaderboard=False)  # type: ignore[list-item]
    assert told in str(error.value)


def test_ids_are_unique():
    with pytest.raises(SensorError, match="sensor 1: the id 'front' is taken by sensor 0"):
        parse_sensors([CAMERA, CAMERA])


@pytest.mark.parametrize(
    ("sensors", "track", "told"),
    [
        ([{"type": "sensor.camera.depth", "id": "d"}], "SENSORS", "not allowed"),
        ([{"type": "sensor.opendrive_map", "id": "m"}], "SENSORS", "not allowed in track SENSORS"),
        ([CAMERA | {"id": f"c{k}"} for k in range(9)], "SENSORS", "9 sensors of type sensor.camera.rgb"),
        ([CAMERA | {"id": f"c{k}"} for k in range(5)], "MAP_QUALIFIER", "allows 4"),
        ([CAMERA | {"x": 4.0}], "SENSORS", "more than 3 m"),
    ],
)
def test_what_the_leaderboard_rejects(sensors: list[dict], track: str, told: str):
    specs = parse_sensors(sensors)
    with pytest.raises(SensorError, match=told):
        check_leaderboard_rules(specs, track, saving=False)


def test_what_the_leaderboard_accepts():
    sensors = [CAMERA, {"type": "sensor.opendrive_map", "id": "m", "reading_frequency": 1}]
    check_leaderboard_rules(parse_sensors(sensors), "MAP")
    check_leaderboard_rules(parse_sensors([CAMERA | {"x": 4.0}]), "SENSORS", saving=True)
