"""Every sensor type of the embedded town: CARLA's ids and attributes, with unit, default and allowed range.

Names, types and defaults are those of CARLA 0.9.15's blueprints (its sensors reference and
`ActorBlueprintFunctionLibrary`); the ranges are ours, CARLA itself checks none. The two last types are the
leaderboard's: no CARLA blueprints, but asked for in the same `sensors()` list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | float | str

_ANY = float("inf")


@dataclass(frozen=True)
class Attribute:
    """One attribute of a sensor blueprint."""

    name: str
    default: Value  # its Python type is the attribute's type
    unit: str = ""
    low: float = -_ANY  # smallest allowed number
    high: float = _ANY  # largest allowed number
    choices: tuple[str, ...] = ()  # allowed texts; any where empty

    @property
    def type(self) -> str:
        """CARLA's name of the type: bool, int, float or string."""
        kinds = {bool: "bool", int: "int", float: "float", str: "string"}
        return kinds[type(self.default)]

    @property
    def range(self) -> str:
        """The allowed values, for people."""
        if self.choices:
            return ", ".join(self.choices)
        if isinstance(self.default, bool):
            return "true, false"
        if isinstance(self.default, str) or (self.low, self.high) == (-_ANY, _ANY):
            return "any"
        if self.high == _ANY:
            return f"{self.low:g} or more"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class SensorType:
    """One sensor type."""

    id: str
    attributes: Mapping[str, Attribute]
    event: bool = False  # measures only when something happens
    pseudo: bool = False  # the leaderboard's own, no CARLA blueprint
    served: bool = False  # only the CARLA server streams it

    @property
    def camera(self) -> bool:
        """Whether it yields an image."""
        return self.id.startswith("sensor.camera.")


_TICK = Attribute("sensor_tick", 0.0, "s between measurements, 0: every tick", 0.0, 3600.0)
_SEED = Attribute("noise_seed", 0)
_ROLE = Attribute("role_name", "default")

_IMAGE = (
    Attribute("image_size_x", 800, "px", 1, 4096),
    Attribute("image_size_y", 600, "px", 1, 4096),
    Attribute("fov", 90.0, "deg, horizontal", 1.0, 170.0),
    Attribute("lens_circle_falloff", 5.0, "", 0.0, 10.0),
    Attribute("lens_circle_multiplier", 0.0, "", 0.0, 10.0),
    Attribute("lens_k", -1.0),
    Attribute("lens_kcube", 0.0),
    Attribute("lens_x_size", 0.08, "", 0.0, 1.0),
    Attribute("lens_y_size", 0.08, "", 0.0, 1.0),
)

_POSTPROCESS = (
    Attribute("enable_postprocess_effects", True),
    Attribute("bloom_intensity", 0.675, "", 0.0),
    Attribute("fstop", 1.4, "", 0.1),
    Attribute("iso", 100.0, "", 0.0),
    Attribute("gamma", 2.2, "", 0.01),
    Attribute("lens_flare_intensity", 0.1, "", 0.0),
    Attribute("shutter_speed", 200.0, "1/s", 0.01),
    Attribute("min_fstop", 1.2, "", 0.1),
    Attribute("blade_count", 5, "", 4, 16),
    Attribute("exposure_mode", "histogram", choices=("manual", "histogram")),
    Attribute("exposure_compensation", 0.0, "stops"),
    Attribute("exposure_min_bright", 10.0, "", 0.0),
    Attribute("exposure_max_bright", 12.0, "", 0.0),
    Attribute("exposure_speed_up", 3.0, "", 0.0),
    Attribute("exposure_speed_down", 1.0, "", 0.0),
    Attribute("calibration_constant", 16.0, "", 0.0),
    Attribute("focal_distance", 1000.0, "cm", 0.0),
    Attribute("blur_amount", 1.0, "", 0.0),
    Attribute("blur_radius", 0.0, "px", 0.0),
    Attribute("motion_blur_intensity", 0.45, "", 0.0, 1.0),
    Attribute("motion_blur_max_distortion", 0.35, "", 0.0),
    Attribute("motion_blur_min_object_screen_size", 0.1, "", 0.0),
    Attribute("slope", 0.88, "", 0.0, 1.0),
    Attribute("toe", 0.55, "", 0.0, 1.0),
    Attribute("shoulder", 0.26, "", 0.0, 1.0),
    Attribute("black_clip", 0.0, "", 0.0, 1.0),
    Attribute("white_clip", 0.04, "", 0.0, 1.0),
    Attribute("temp", 6500.0, "K", 0.0),
    Attribute("tint", 0.0),
    Attribute("chromatic_aberration_intensity", 0.0),
    Attribute("chromatic_aberration_offset", 0.0),
)

_EVENTS = (
    Attribute("positive_threshold", 0.3, "", 0.0, 10.0),
    Attribute("negative_threshold", 0.3, "", 0.0, 10.0),
    Attribute("sigma_positive_threshold", 0.0, "", 0.0, 10.0),
    Attribute("sigma_negative_threshold", 0.0, "", 0.0, 10.0),
    Attribute("refractory_period_ns", 0, "ns", 0, 1_000_000_000),
    Attribute("use_log", True),
    Attribute("log_eps", 0.001, "", 1e-9, 1.0),
)

_RAYS = (
    Attribute("channels", 32, "lasers", 1, 1024),
    Attribute("range", 10.0, "m", 0.01, 2000.0),
    Attribute("points_per_second", 56000, "1/s, all lasers", 1, 100_000_000),
    Attribute("rotation_frequency", 10.0, "Hz", 0.01, 1000.0),
    Attribute("upper_fov", 10.0, "deg", -89.0, 89.0),
    Attribute("lower_fov", -30.0, "deg", -89.0, 89.0),
    Attribute("horizontal_fov", 360.0, "deg", 0.01, 360.0),
)

_RETURN = (
    Attribute("atmosphere_attenuation_rate", 0.004, "1/m", 0.0, 10.0),
    Attribute("dropoff_general_rate", 0.45, "share of the rays", 0.0, 1.0),
    Attribute("dropoff_intensity_limit", 0.8, "", 0.0, 1.0),
    Attribute("dropoff_zero_intensity", 0.4, "", 0.0, 1.0),
    Attribute("noise_stddev", 0.0, "m along the ray", 0.0, 100.0),
)

_RADAR = (
    Attribute("horizontal_fov", 30.0, "deg", 0.01, 179.0),
    Attribute("vertical_fov", 30.0, "deg", 0.01, 179.0),
    Attribute("points_per_second", 1500, "1/s", 1, 10_000_000),
    Attribute("range", 100.0, "m", 0.01, 2000.0),
)

_IMU = (
    *(Attribute(f"noise_accel_stddev_{axis}", 0.0, "m/s2", 0.0) for axis in "xyz"),
    *(Attribute(f"noise_gyro_stddev_{axis}", 0.0, "rad/s", 0.0) for axis in "xyz"),
    *(Attribute(f"noise_gyro_bias_{axis}", 0.0, "rad/s") for axis in "xyz"),
)

_GNSS = (
    Attribute("noise_lat_bias", 0.0, "deg"),
    Attribute("noise_lat_stddev", 0.0, "deg", 0.0),
    Attribute("noise_lon_bias", 0.0, "deg"),
    Attribute("noise_lon_stddev", 0.0, "deg", 0.0),
    Attribute("noise_alt_bias", 0.0, "m"),
    Attribute("noise_alt_stddev", 0.0, "m", 0.0),
)

_OBSTACLE = (
    Attribute("distance", 5.0, "m", 0.0, 1000.0),
    Attribute("hit_radius", 0.5, "m", 0.0, 100.0),
    Attribute("only_dynamics", False),
    Attribute("debug_linetrace", False),
)

_READING = Attribute("reading_frequency", 20.0, "Hz; the embedded town reads every tick", 0.01, 1000.0)


def _type(
    name: str, *attributes: Attribute, event: bool = False, pseudo: bool = False, served: bool = False
) -> SensorType:
    common = () if pseudo else (_ROLE,)
    return SensorType(f"sensor.{name}", {a.name: a for a in (*attributes, *common)}, event, pseudo, served)


_TYPES = (
    _type("camera.rgb", *_IMAGE, *_POSTPROCESS, _TICK),
    _type("camera.depth", *_IMAGE, _TICK),
    _type("camera.semantic_segmentation", *_IMAGE, _TICK),
    _type("camera.instance_segmentation", *_IMAGE, _TICK),
    _type("camera.normals", *_IMAGE, _TICK, served=True),
    _type("camera.optical_flow", *_IMAGE, _TICK, served=True),
    _type("camera.dvs", *_IMAGE, *_POSTPROCESS, *_EVENTS, _TICK, served=True),
    _type("lidar.ray_cast", *_RAYS, *_RETURN, _SEED, _TICK),
    _type("lidar.ray_cast_semantic", *_RAYS, _TICK),
    _type("other.radar", *_RADAR, _SEED, _TICK),
    _type("other.imu", *_IMU, _SEED, _TICK),
    _type("other.gnss", *_GNSS, _SEED, _TICK),
    _type("other.collision", event=True),
    _type("other.lane_invasion", event=True),
    _type("other.obstacle", *_OBSTACLE, _TICK, event=True),
    _type("speedometer", _READING, pseudo=True),
    _type("opendrive_map", _READING, pseudo=True),
)

#: All sensor types by id.
SENSOR_TYPES: Mapping[str, SensorType] = {t.id: t for t in _TYPES}
