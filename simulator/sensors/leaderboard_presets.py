"""What the CARLA Leaderboard 2.0 and Bench2Drive fix about an agent's sensors (docs/bench2drive.md 4.2).

Their agent wrapper sets these attributes itself, whatever the agent's dict says; all others keep CARLA's defaults. A
camera gets the agent's width, height and fov, a radar its two fields of view.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from simulator.errors import SensorError

if TYPE_CHECKING:
    from simulator.sensors.catalogue import Value
    from simulator.sensors.specs import SensorSpec

#: Attributes by sensor type; a type without an entry is not in the leaderboard's list, and keeps what its dict says.
PRESETS: Mapping[str, Mapping[str, Value]] = {
    "sensor.camera.rgb": {},
    "sensor.lidar.ray_cast": {
        "range": 85.0,
        "rotation_frequency": 10.0,
        "channels": 64,
        "upper_fov": 10.0,
        "lower_fov": -30.0,
        "points_per_second": 600_000,
        "atmosphere_attenuation_rate": 0.004,
        "dropoff_general_rate": 0.45,
        "dropoff_intensity_limit": 0.8,
        "dropoff_zero_intensity": 0.4,
    },
    "sensor.other.radar": {"points_per_second": 1500, "range": 100.0},
    "sensor.other.gnss": {
        **{f"noise_{axis}_stddev": 5e-6 for axis in ("lat", "lon", "alt")},
        **{f"noise_{axis}_bias": 0.0 for axis in ("lat", "lon", "alt")},
    },
    "sensor.other.imu": {
        "noise_accel_stddev_x": 0.001,
        "noise_accel_stddev_y": 0.001,
        "noise_accel_stddev_z": 0.015,
        **{f"noise_gyro_stddev_{axis}": 0.001 for axis in "xyz"},
    },
    "sensor.speedometer": {},
    "sensor.opendrive_map": {},
}

#: How many of a type an agent may have: in the tracks SENSORS and MAP, and in their qualifier tracks.
MOST: Mapping[str, tuple[int, int]] = {
    "sensor.camera.rgb": (8, 4),
    "sensor.lidar.ray_cast": (2, 1),
    "sensor.other.radar": (4, 2),
    "sensor.other.gnss": (1, 1),
    "sensor.other.imu": (1, 1),
    "sensor.opendrive_map": (1, 1),
    "sensor.speedometer": (1, 1),
}

RADIUS = 3.0  # m around the vehicle's origin in which sensors must be mounted
RADIUS_SAVING = 100.0  # m, where SAVE_PATH is set, which Bench2Drive's script always does


def check_leaderboard_rules(specs: tuple[SensorSpec, ...], track: str = "SENSORS", *, saving: bool = True) -> None:
    """Raise what the leaderboard would reject an agent for.

    Args:
        specs: of `parse_sensors`.
        track: SENSORS, MAP, SENSORS_QUALIFIER or MAP_QUALIFIER.
        saving: whether the evaluation runs with SAVE_PATH set.

    Raises:
        SensorError: a type that is not allowed, too many of one, or mounted too far away.
    """
    radius = RADIUS_SAVING if saving else RADIUS
    for spec in specs:
        if spec.type not in MOST or (spec.type == "sensor.opendrive_map" and track == "SENSORS"):
            allowed = ", ".join(t for t in MOST if track != "SENSORS" or t != "sensor.opendrive_map")
            raise SensorError(f"sensor {spec.id!r}: {spec.type} is not allowed in track {track}; allowed: {allowed}")
        if math.hypot(spec.x, spec.y, spec.z) > radius:
            raise SensorError(f"sensor {spec.id!r}: mounted more than {radius:g} m from the vehicle's origin")
    for kind, count in Counter(spec.type for spec in specs).items():
        most = MOST[kind][track.endswith("QUALIFIER")]
        if count > most:
            raise SensorError(f"{count} sensors of type {kind}; track {track} allows {most}")
