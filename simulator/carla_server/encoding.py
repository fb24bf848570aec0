"""CARLA's values as msgpack arrays: what a client sent is checked here, once, before anything reads it.

Every reader raises `BadArgument` for a value of the wrong shape or type, and for numbers that are not finite or beyond
any town: past this border kernels meet only numbers that they can bear.
"""

from __future__ import annotations

import math
import struct
from typing import Any

LARGEST = 1e7  # of any number a client may send
_MAX_TEXT = 4096

Vector = tuple[float, float, float]
Transform = tuple[float, float, float, float, float, float]  # x, y, z (m), pitch, yaw, roll (deg)


class RpcError(Exception):
    """What a method answers instead of a result; its text becomes that of the client's RuntimeError."""


class BadArgument(RpcError):
    """The client sent a value that the method cannot take."""


def number(value: Any, what: str = "number") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        raise BadArgument(f"{what} is not a finite number within {LARGEST:.0e}")
    return float(value)


def whole(value: Any, what: str = "integer", low: int = 0, high: int = 0xFFFFFFFF) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadArgument(f"{what} is not an integer from {low} to {high}")
    return value


def flag(value: Any, what: str = "flag") -> bool:
    if not isinstance(value, bool):
        raise BadArgument(f"{what} is not a boolean")
    return value


def text(value: Any, what: str = "text", longest: int = _MAX_TEXT) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise BadArgument(f"{what} is not a text of at most {longest} characters")
    return value


def fields(value: Any, count: int, what: str) -> list[Any]:
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise BadArgument(f"{what} is not an array of {count} fields")
    return list(value)


def items(value: Any, what: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise BadArgument(f"{what} is not an array")
    return list(value)


def vector(value: Any, what: str = "Vector3D") -> Vector:
    x, y, z = fields(value, 3, what)
    return number(x, what), number(y, what), number(z, what)


def transform(value: Any) -> Transform:
    location, rotation = fields(value, 2, "Transform")
    return *vector(location, "Location"), *vector(rotation, "Rotation")


def optional(value: Any, what: str) -> Any:
    """The value inside a `std::optional`, or None."""
    if isinstance(value, (list, tuple)) and len(value) == 1 and value[0] is False:
        return None
    present, inner = fields(value, 2, what)
    if present is not True:
        raise BadArgument(f"{what} is not an optional value")
    return inner


def write_transform(pose: Transform) -> list[list[float]]:
    return [list(pose[:3]), list(pose[3:])]


def write_box(centre: Vector, extent: Vector, actor_id: int, yaw: float = 0.0) -> list[Any]:
    """BoundingBox: centre and half sizes (m), yaw (deg)."""
    return [list(centre), list(extent), [0.0, yaw, 0.0], actor_id]


def write_token(stream_id: int, port: int) -> bytes:
    """Where a stream is: TCP on `port` of the host that the client has dialled (address type 0)."""
    return struct.pack("<IHBB16x", stream_id, port, 1, 0)


def wrap_degrees(angle: float) -> float:
    """An angle in [-180, 180)."""
    return math.fmod(math.fmod(angle + 180.0, 360.0) + 360.0, 360.0) - 180.0
