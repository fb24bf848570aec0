"""What differs between the versions of CARLA's wire protocol, and the numbers of it that have names.

Nothing in the handshake tells which numbering a client uses, so the version is an option of the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

#: Sensors whose number is the same in both versions.
_SENSORS = {
    "sensor.other.collision": 0,
    "sensor.camera.depth": 1,
    "sensor.camera.normals": 2,
    "sensor.camera.dvs": 3,
    "sensor.other.gnss": 4,
    "sensor.other.imu": 5,
    "sensor.other.lane_invasion": 6,
    "sensor.other.obstacle": 7,
    "sensor.camera.optical_flow": 8,
    "sensor.other.radar": 9,
    "sensor.lidar.ray_cast_semantic": 10,
    "sensor.lidar.ray_cast": 11,
    "sensor.other.rss": 12,
    "sensor.camera.rgb": 13,
    "sensor.camera.semantic_segmentation": 14,
    "sensor.camera.instance_segmentation": 15,
}


@dataclass(frozen=True)
class Protocol:
    """Constants of one version."""

    version: str
    world_state_type: int  # sensor type number of episode-state frames
    first_attribute_type: int  # number of the attribute type Bool; Int, Float, String, RGBColor follow
    spawn_fields: int  # of the command SpawnActor in `apply_batch`

    def sensor_type(self, type_id: str) -> int | None:
        """Number of a sensor's stream frames, or None for what sends none."""
        return _SENSORS.get(type_id)


PROTOCOLS = {
    "0.9.15": Protocol("0.9.15", world_state_type=16, first_attribute_type=0, spawn_fields=4),
    "0.9.16": Protocol("0.9.16", world_state_type=17, first_attribute_type=1, spawn_fields=6),
}

WORLD_STREAM = 1  # id of the stream of episode-state frames


class AttributeType(IntEnum):
    """Type of a blueprint's attribute, counted from `Protocol.first_attribute_type`."""

    BOOL = 0
    INT = 1
    FLOAT = 2
    STRING = 3
    RGB_COLOR = 4


class Attachment(IntEnum):
    """How an actor hangs on its parent."""

    RIGID = 0
    SPRING_ARM = 1
    SPRING_ARM_GHOST = 2


class Command(IntEnum):
    """Commands of `apply_batch`."""

    SPAWN_ACTOR = 0
    DESTROY_ACTOR = 1
    APPLY_VEHICLE_CONTROL = 2
    APPLY_VEHICLE_ACKERMANN_CONTROL = 3
    APPLY_WALKER_CONTROL = 4
    APPLY_VEHICLE_PHYSICS_CONTROL = 5
    APPLY_TRANSFORM = 6
    APPLY_WALKER_STATE = 7
    APPLY_TARGET_VELOCITY = 8
    APPLY_TARGET_ANGULAR_VELOCITY = 9
    APPLY_IMPULSE = 10
    APPLY_FORCE = 11
    APPLY_ANGULAR_IMPULSE = 12
    APPLY_TORQUE = 13
    SET_SIMULATE_PHYSICS = 14
    SET_ENABLE_GRAVITY = 15
    SET_AUTOPILOT = 16
    SHOW_DEBUG_TELEMETRY = 17
    SET_VEHICLE_LIGHT_STATE = 18
    APPLY_LOCATION = 19
    CONSOLE_COMMAND = 20
    SET_TRAFFIC_LIGHT_STATE = 21
