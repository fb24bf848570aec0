"""The blueprints that a client can spawn.

`blueprint_library(protocol)` returns a `BlueprintLibrary`: what the rest of the server asks for is

- `library.find(type_id)`: the `Definition` of an id, or None: its kind, its half sizes, its look;
- `library.wire()`: the list of `ActorDefinition` that `get_actor_definitions` answers.

A definition's `look` is an index into `simulator.blueprints.BLUEPRINTS`: what kernels and cameras take the actor for.
Half sizes need not be those of the look.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from simulator.blueprints import BLUEPRINTS, Blueprint, Kind
from simulator.carla_server.protocol import AttributeType, Protocol
from simulator.scenery.tags import Tag


class ActorKind(IntEnum):
    """What an actor is to the server."""

    VEHICLE = 1
    WALKER = 2
    PROP = 3
    SENSOR = 4
    CONTROLLER = 5
    TRAFFIC_LIGHT = 6
    TRAFFIC_SIGN = 7
    SPECTATOR = 8


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint."""

    id: str
    type: AttributeType
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True
    restricted: bool = False  # to the recommended values


@dataclass(frozen=True)
class Definition:
    """One blueprint."""

    uid: int
    id: str
    kind: ActorKind
    attributes: tuple[Attribute, ...] = ()
    look: int = -1  # index into simulator.blueprints.BLUEPRINTS; -1 for what has no body
    half_size: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m
    tag: int = 0  # semantic class, 0 for what has no body

    @property
    def tags(self) -> str:
        return self.id.replace(".", ",")


class BlueprintLibrary:
    """All definitions, in order."""

    def __init__(self, definitions: list[Definition], protocol: Protocol) -> None:
        self.definitions = definitions
        self.protocol = protocol
        self._by_id = {d.id: d for d in definitions}

    def find(self, type_id: str) -> Definition | None:
        return self._by_id.get(type_id)

    def wire(self) -> list[Any]:
        first = self.protocol.first_attribute_type
        return [
            [
                d.uid,
                d.id,
                d.tags,
                [
                    [a.id, a.type + first, a.value, list(a.recommended), a.modifiable, a.restricted]
                    for a in d.attributes
                ],
            ]
            for d in self.definitions
        ]


_B, _I, _F, _S, _C = AttributeType
_ROLE = Attribute("role_name", _S, "default")
_SENSORS: dict[str, dict[str, str]] = {
    "sensor.other.collision": {},
    "sensor.other.lane_invasion": {},
    "sensor.other.gnss": {"sensor_tick": "0.0", "noise_seed": "0"},
    "sensor.other.imu": {"sensor_tick": "0.0", "noise_seed": "0"},
    "sensor.camera.rgb": {"image_size_x": "800", "image_size_y": "600", "fov": "90.0", "sensor_tick": "0.0"},
}


def blueprint_library(protocol: Protocol) -> BlueprintLibrary:
    """The library that a server of this protocol offers."""
    definitions: list[Definition] = []
    for index, blueprint in enumerate(BLUEPRINTS):
        definitions.append(_with_body(len(definitions) + 1, index, blueprint))
    for type_id, values in _SENSORS.items():
        attributes = tuple(
            Attribute(k, _I if k.startswith(("image", "noise_seed")) else _F, v) for k, v in values.items()
        )
        definitions.append(Definition(len(definitions) + 1, type_id, ActorKind.SENSOR, (*attributes, _ROLE)))
    definitions.append(Definition(len(definitions) + 1, "controller.ai.walker", ActorKind.CONTROLLER, (_ROLE,)))
    return BlueprintLibrary(definitions, protocol)


_TAG_OF = {"truck": Tag.TRUCK, "bus": Tag.BUS, "motorcycle": Tag.MOTORCYCLE, "bicycle": Tag.BICYCLE}


def _with_body(uid: int, look: int, b: Blueprint) -> Definition:
    size = (b.half_length, b.half_width, b.half_height)
    if b.kind in (Kind.VEHICLE, Kind.BICYCLE):
        fixed = {
            "base_type": (_S, b.base_type),
            "special_type": (_S, b.special_type),
            "number_of_wheels": (_I, "4" if b.kind == Kind.VEHICLE else "2"),
            "generation": (_I, str(b.generation)),
            "has_lights": (_B, str(b.has_lights).lower()),
            "has_dynamic_doors": (_B, str(b.has_dynamic_doors).lower()),
        }
        attributes = (
            *(Attribute(k, kind, v, modifiable=False) for k, (kind, v) in fixed.items()),
            Attribute("color", _C, "17,37,103", ("17,37,103", "180,44,44")),
            Attribute("role_name", _S, "autopilot", ("autopilot", "scenario", "ego_vehicle")),
            Attribute("sticky_control", _B, "true"),
        )
        tag = int(_TAG_OF.get(b.base_type, Tag.CAR))
        return Definition(uid, b.id, ActorKind.VEHICLE, attributes, look, size, tag)
    if b.kind == Kind.WALKER:
        attributes = (
            Attribute("speed", _F, "1.4", ("0.0", "1.4", "2.8")),
            Attribute("is_invincible", _B, "true"),
            Attribute("role_name", _S, "pedestrian"),
        )
        return Definition(uid, b.id, ActorKind.WALKER, attributes, look, size, int(Tag.PEDESTRIAN))
    return Definition(uid, b.id, ActorKind.PROP, (Attribute("role_name", _S, "prop"),), look, size, int(Tag.STATIC))
