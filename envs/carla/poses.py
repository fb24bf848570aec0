"""Between CARLA's actors (a transform, a box somewhere in its frame) and slots of a record (a box that stands upright).

A record says where the centre of an actor's box is, seen from above, and how high its lower side lies. CARLA's
transforms are of the actor's own origin: on the ground under a vehicle or prop, in the middle of a walker.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import carla


class Box(NamedTuple):
    """Where the box of an actor lies in its own frame (ahead, right, height of its lower side), and its half sizes."""

    ahead: float  # m
    right: float
    bottom: float
    half_length: float
    half_width: float
    half_height: float


def box_of(actor: carla.Actor, half_sizes: tuple[float, float, float]) -> Box:
    """The box of a CARLA actor; `half_sizes` where it tells none (some two-wheelers and props have no extent)."""
    bounds = actor.bounding_box
    sizes = (bounds.extent.x, bounds.extent.y, bounds.extent.z)
    if min(sizes) < 0.01 or not all(math.isfinite(size) for size in sizes):
        lies_in_middle = actor.type_id.startswith("walker.")
        return Box(0.0, 0.0, -half_sizes[2] if lies_in_middle else 0.0, *half_sizes)
    return Box(bounds.location.x, bounds.location.y, bounds.location.z - sizes[2], *sizes)


class Place(NamedTuple):
    """A slot's pose: centre of the box, m, and its angles, rad."""

    x: float
    y: float
    z: float
    yaw: float
    pitch: float


def place_of(transform: carla.Transform, box: Box) -> Place:
    """Where the box is when its actor is there."""
    yaw = math.radians(transform.rotation.yaw)
    yaw = math.atan2(math.sin(yaw), math.cos(yaw))
    c, s = math.cos(yaw), math.sin(yaw)
    location = transform.location
    return Place(
        location.x + c * box.ahead - s * box.right,
        location.y + s * box.ahead + c * box.right,
        location.z + box.bottom,
        yaw,
        math.radians(transform.rotation.pitch),
    )


def origin_at(place: Place, box: Box) -> tuple[float, float, float]:
    """Location of the actor whose box is at a place: the inverse of `place_of`."""
    c, s = math.cos(place.yaw), math.sin(place.yaw)
    return (
        place.x - c * box.ahead + s * box.right,
        place.y - s * box.ahead - c * box.right,
        place.z - box.bottom,
    )
