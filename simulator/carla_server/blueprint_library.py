"""CARLA's blueprint library: what a client may spawn, with every attribute, as 0.9.15 and 0.9.16 list it.

`blueprint_library(protocol)` returns a `BlueprintLibrary`: what the rest of the server asks for is

- `library.find(type_id)`: the `Definition` of an id, or None: its kind, its half sizes, its look;
- `library.wire()`: the list of `ActorDefinition` that `get_actor_definitions` answers.

Ids, attributes, types and defaults are those of CARLA's blueprint library, its catalogues of vehicles, pedestrians and
props, and its sensors reference; sizes are those of `simulator.blueprints`, sensors those of
`simulator.sensors.catalogue`. The catalogues do not tell colours (here those that cameras paint), genders (here odd
numbers are women) and sizes of props (here by volume). A definition's `look` is an index into `BLUEPRINTS`: what
kernels and cameras take the actor for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from simulator.blueprints import BLUEPRINTS, Blueprint, Kind, blueprint_index
from simulator.carla_server.protocol import AttributeType, Protocol
from simulator.scenery.tags import Tag
from simulator.sensors.catalogue import SENSOR_TYPES
from simulator.sensors.catalogue import Attribute as SensorAttribute
from simulator.sensors.scene_actors import BODY_COLOURS


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
        """The parts of the id, which clients filter by."""
        return self.id.replace(".", ",")


class BlueprintLibrary:
    """All definitions, in order."""

    def __init__(self, definitions: list[Definition], protocol: Protocol) -> None:
        self.definitions = definitions
        self.protocol = protocol
        self._by_id = {d.id: d for d in definitions}

    def find(self, type_id: str) -> Definition | None:
        """The definition of an id."""
        return self._by_id.get(type_id)

    def wire(self) -> list[Any]:
        """The answer to `get_actor_definitions`."""
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


_BOOL, _INT, _FLOAT, _STRING, _COLOR = AttributeType
_CHILDREN = frozenset((*range(9, 15), 48, 49))
_SPEEDS, _CHILDREN_SPEEDS = ("0.0", "1.4", "2.8"), ("0.0", "1.1", "2.2")  # m/s: stand, walk, run
_SECOND_GENERATION = 15  # walker.pedestrian.0015 and on
_COLORS = tuple(",".join(str(int(c)) for c in colour) for colour in BODY_COLOURS)
_SIZES = ((0.05, "tiny"), (0.3, "small"), (2.0, "medium"))  # m3 of its box up to which a prop has that size
_TAGS = {"truck": Tag.TRUCK, "bus": Tag.BUS, "motorcycle": Tag.MOTORCYCLE, "bicycle": Tag.BICYCLE}


def blueprint_library(protocol: Protocol) -> BlueprintLibrary:
    """The library that a server of this protocol offers."""
    definitions = [
        Definition(uid, type_id, kind, tuple(attributes), look, half_size, int(tag))
        for uid, (type_id, kind, attributes, look, half_size, tag) in enumerate(_entries(), start=1)
    ]
    return BlueprintLibrary(definitions, protocol)


_Entry = tuple[str, ActorKind, list[Attribute], int, tuple[float, float, float], int]


def _entries() -> Iterator[_Entry]:
    for look, b in enumerate(BLUEPRINTS):
        size = (b.half_length, b.half_width, b.half_height)
        if b.kind in (Kind.VEHICLE, Kind.BICYCLE):
            yield b.id, ActorKind.VEHICLE, _vehicle(b), look, size, _TAGS.get(b.base_type, Tag.CAR)
        elif b.kind == Kind.WALKER:
            yield b.id, ActorKind.WALKER, _walker(b), look, size, Tag.PEDESTRIAN
        else:
            yield b.id, ActorKind.PROP, _prop(b), look, size, Tag.DYNAMIC
    for kind in SENSOR_TYPES.values():
        if not kind.pseudo:
            yield kind.id, ActorKind.SENSOR, [_sensor(a) for a in kind.attributes.values()], -1, (0.0, 0.0, 0.0), 0
    yield "controller.ai.walker", ActorKind.CONTROLLER, [_role("default")], -1, (0.0, 0.0, 0.0), 0


def _fixed(name: str, kind: AttributeType, value: object) -> Attribute:
    return Attribute(name, kind, _text(value), modifiable=False)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _role(*recommended: str) -> Attribute:
    return Attribute("role_name", _STRING, recommended[0], recommended)


def _vehicle(b: Blueprint) -> list[Attribute]:
    two_wheels = b.kind == Kind.BICYCLE
    attributes = [
        _fixed("object_type", _STRING, ""),
        _fixed("base_type", _STRING, b.base_type),
        _fixed("special_type", _STRING, b.special_type),
        _fixed("number_of_wheels", _INT, 2 if two_wheels else 4),
        _fixed("generation", _INT, b.generation),
        _fixed("has_lights", _BOOL, b.has_lights),
        _fixed("has_dynamic_doors", _BOOL, b.has_dynamic_doors),
        Attribute("color", _COLOR, _COLORS[0], _COLORS),
        _role("autopilot", "scenario", "ego_vehicle"),
        Attribute("sticky_control", _BOOL, "true"),
        Attribute("terramechanics", _BOOL, "false"),
    ]
    return [*attributes, Attribute("driver_id", _INT, "0", ("0", "1"))] if two_wheels else attributes


def _walker(b: Blueprint) -> list[Attribute]:
    number = int(b.id.rpartition(".")[2])
    child = number in _CHILDREN
    return [
        _fixed("gender", _STRING, "female" if number % 2 else "male"),
        _fixed("age", _STRING, "child" if child else "adult"),
        _fixed("generation", _INT, 2 if number >= _SECOND_GENERATION else 1),
        Attribute("speed", _FLOAT, "0.0", _CHILDREN_SPEEDS if child else _SPEEDS),
        Attribute("is_invincible", _BOOL, "true"),
        _fixed("can_use_wheelchair", _BOOL, False),
        Attribute("use_wheelchair", _BOOL, "false"),
        _role("pedestrian"),
    ]


def _prop(b: Blueprint) -> list[Attribute]:
    volume = 8.0 * b.half_length * b.half_width * b.half_height
    size = next((name for limit, name in _SIZES if volume <= limit), "big")
    attributes = [_fixed("size", _STRING, size), _role("prop")]
    if b.id == "static.prop.mesh":
        attributes += [
            Attribute("mesh_path", _STRING, ""),
            Attribute("mass", _FLOAT, "0.0"),
            Attribute("scale", _FLOAT, "1.0"),
        ]
    return attributes


def _sensor(a: SensorAttribute) -> Attribute:
    if a.name == "role_name":
        return _role("default")
    kinds = {bool: _BOOL, int: _INT, float: _FLOAT, str: _STRING}
    return Attribute(a.name, kinds[type(a.default)], _text(a.default), a.choices, restricted=bool(a.choices))


#: Parts of the paths of the meshes that Bench2Drive parks, and the vehicle that looks like them.
_MESHES = {
    "charger": "vehicle.dodge.charger_2020",
    "mercedes": "vehicle.mercedes.coupe_2020",
    "mini": "vehicle.mini.cooper_s_2021",
    "nissan": "vehicle.nissan.patrol_2021",
    "tesla": "vehicle.tesla.model3",
    "volkswagen": "vehicle.volkswagen.t2_2021",
    "vehicle": "vehicle.lincoln.mkz_2020",
}


def as_described(definition: Definition, values: Mapping[str, str]) -> Definition:
    """The definition of an actor with these attributes: `static.prop.mesh` looks like the vehicle that its `mesh_path`
    names, as Bench2Drive's parked cars do."""
    if definition.id != "static.prop.mesh":
        return definition
    path = values.get("mesh_path", "").lower()
    for part, looks in _MESHES.items():
        if part in path:
            look = blueprint_index(looks)
            b = BLUEPRINTS[look]
            return replace(definition, look=look, half_size=(b.half_length, b.half_width, b.half_height))
    return definition
