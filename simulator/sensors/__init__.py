"""Sensors: what a vehicle in a world can measure. Everything here reads worlds and changes none."""

from simulator.sensors.catalogue import SENSOR_TYPES, Attribute, SensorType
from simulator.sensors.leaderboard_presets import check_leaderboard_rules
from simulator.sensors.rig import SensorRig
from simulator.sensors.specs import SensorSpec, parse_blueprint, parse_sensors

__all__ = [
    "SENSOR_TYPES",
    "Attribute",
    "SensorRig",
    "SensorSpec",
    "SensorType",
    "check_leaderboard_rules",
    "parse_blueprint",
    "parse_sensors",
]
