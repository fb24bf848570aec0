"""RPC: what a town is built of: rays, boxes, objects, street lights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.methods import Result, Support, method
from simulator.carla_server.objects import ANY_TAG, town_objects
from simulator.carla_server.rays import Hit, cast

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_LONGEST_RAY = 10_000.0  # m


def _point(origin: encoding.Vector, direction: encoding.Vector, hit: Hit) -> list[Any]:
    size = math.sqrt(sum(d * d for d in direction))
    return [[o + hit.distance * d / size for o, d in zip(origin, direction)], hit.tag]


@method(Result.VALUE, note="against the triangles that cameras and LiDAR see, and actors' boxes")
def project_point(server: CarlaServer, location: Any, direction: Any, distance: Any) -> list[Any]:
    origin, along = encoding.vector(location, "Location"), encoding.vector(direction)
    hits = cast(server.episode, origin, along, min(encoding.number(distance, "distance"), _LONGEST_RAY))
    return [True, _point(origin, along, hits[0])] if hits else [False, [[0.0, 0.0, 0.0], 0]]


@method(Result.VALUE, note="against the triangles that cameras and LiDAR see, and actors' boxes")
def cast_ray(server: CarlaServer, start: Any, end: Any) -> list[Any]:
    origin, target = encoding.vector(start, "Location"), encoding.vector(end, "Location")
    along = (target[0] - origin[0], target[1] - origin[1], target[2] - origin[2])
    length = math.sqrt(sum(d * d for d in along))
    return [_point(origin, along, hit) for hit in cast(server.episode, origin, along, min(length, _LONGEST_RAY))]


@method(Result.VALUE, note="boxes of the town's scenery")
def get_all_level_BBs(server: CarlaServer, tag: Any) -> list[Any]:
    wanted = encoding.whole(tag, "CityObjectLabel", 0, ANY_TAG)
    return [o.box() for o in town_objects(server.episode) if wanted in (ANY_TAG, o.tag)]


@method(Result.VALUE, note="the town's scenery; ids are those of the instance segmentation camera")
def get_environment_objects(server: CarlaServer, tag: Any) -> list[Any]:
    wanted = encoding.whole(tag, "CityObjectLabel", 0, ANY_TAG)
    return [o.wire() for o in town_objects(server.episode) if wanted in (ANY_TAG, o.tag)]


@method(Result.VOID, Support.REFUSES, "the town's scenery cannot be taken away")
def enable_environment_objects(server: CarlaServer, ids: Any, on: Any) -> None:
    if encoding.flag(on, "enable") is False and encoding.items(ids, "ids"):
        raise encoding.RpcError("environment objects cannot be switched off: the town is one mesh")


@method(Result.VALUE)
def get_names_of_all_objects(server: CarlaServer) -> list[str]:
    return [o.name for o in town_objects(server.episode)]


@method(Result.VALUE, note="all lamps of the town")
def query_lights_state(server: CarlaServer, endpoint: Any) -> list[Any]:
    return server.episode.street_lights()


@method(Result.VOID, Support.APPROXIMATES, "states are kept and reported; cameras light the lamps when it is dark")
def update_lights_state(server: CarlaServer, endpoint: Any, states: Any, discard: Any) -> None:
    lights = {light[0]: light for light in server.episode.street_lights()}
    for state in encoding.items(states, "lights"):
        number, _, intensity, group, colour, active = encoding.fields(state, 6, "LightState")
        light = lights.get(encoding.whole(number, "light id"))
        if light is not None:
            red, green, blue = encoding.fields(colour, 3, "Color")
            light[2] = encoding.number(intensity, "intensity")
            light[3] = encoding.whole(group, "group", 0, 255)
            light[4] = [encoding.whole(v, "colour", 0, 255) for v in (red, green, blue)]
            light[5] = encoding.flag(active, "active")
    server.street_lights_changed()


@method(Result.VOID, Support.ACCEPTS, "day and night follow the weather's sun alone")
def update_day_night_cycle(server: CarlaServer, endpoint: Any, active: Any) -> None:
    encoding.flag(active, "active")
