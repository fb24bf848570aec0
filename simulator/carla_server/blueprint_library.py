"""CARLA's blueprint library: what a client may spawn, with every attribute, as 0.9.15 and 0.9.16 list it.

Ids, attributes, types and defaults are those of CARLA's blueprint library, its catalogues of vehicles, pedestrians and
props, and its sensors reference. Sizes and models are the embedded town's (`simulator.blueprints`); sensors are those of
`simulator.sensors.catalogue`. Values travel as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache

from simulator.blueprints import BLUEPRINTS, Blueprint, Kind, blueprint_index
from simulator.sensors.catalogue import SENSOR_TYPES, Attribute, Value
from simulator.sensors.scene_actors import BODY_COLOURS


class AttributeType(IntEnum):
    """Type of an attribute, as CARLA 0.9.15 numbers it; 0.9.16 counts from 1."""

    BOOL = 0
    INT = 1
    FLOAT = 2
    STRING = 3
    COLOR = 4

    def wire(self, version: str) -> int:
        """Its number in the protocol of a CARLA version."""
        return int(self) + (version >= "0.9.16")


@dataclass(frozen=True)
class BlueprintAttribute:
    """One attribute of a blueprint."""

    id: str
    type: AttributeType
    default: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True
    restricted: bool = False  # only recommended values are allowed


@dataclass(frozen=True)
class ActorDefinition:
    """One entry of the library."""

    uid: int
    id: str
    attributes: Mapping[str, BlueprintAttribute] = field(repr=False)

    @property
    def tags(self) -> str:
        """The parts of the id, which clients filter by."""
        return self.id.replace(".", ",")

    def wire(self, version: str) -> list[object]:
        """As `get_actor_definitions` sends it."""
        rows = [
            [a.id, a.type.wire(version), a.default, list(a.recommended), a.modifiable, a.restricted]
            for a in self.attributes.values()
        ]
        return [self.uid, self.id, self.tags, rows]

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """All attributes as texts: those given, and the defaults of the others. Unknown names are left out."""
        return {name: str(given.get(name, a.default)) for name, a in self.attributes.items()}

    def wire_values(self, values: Mapping[str, str], version: str) -> list[list[object]]:
        """Values as an actor's description carries them."""
        return [[name, a.type.wire(version), values.get(name, a.default)] for name, a in self.attributes.items()]


_BOOL, _INT, _FLOAT, _STRING = AttributeType.BOOL, AttributeType.INT, AttributeType.FLOAT, AttributeType.STRING
_ROLES = ("autopilot", "scenario", "ego_vehicle")
_CHILDREN = frozenset((*range(9, 15), 48, 49))
_FIRST_OF_GENERATION_2 = 15  # walker.pedestrian.0015
_PRICE_OF_SIZE = ((0.05, "tiny"), (0.3, "small"), (2.0, "medium"))  # box volume in m3 up to which a prop has that size

#: Signs and lights that a map brings along; listed, never spawned by clients.
TRAFFIC_IDS = (
    "traffic.traffic_light",
    "traffic.stop",
    "traffic.yield",
    "traffic.unknown",
    *(f"traffic.speed_limit.{limit}" for limit in (20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120)),
)


def _fixed(name: str, kind: AttributeType, value: object) -> BlueprintAttribute:
    return BlueprintAttribute(name, kind, _text(value), (), modifiable=False)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)


def _role(*recommended: str) -> BlueprintAttribute:
    return BlueprintAttribute("role_name", _STRING, recommended[0], recommended)


def _colors() -> tuple[str, ...]:
    return tuple(",".join(str(int(c)) for c in colour) for colour in BODY_COLOURS)


def _vehicle(b: Blueprint) -> list[BlueprintAttribute]:
    two = b.kind == Kind.BICYCLE
    colors = _colors()
    attributes = [
        _fixed("object_type", _STRING, ""),
        _fixed("base_type", _STRING, b.base_type),
        _fixed("special_type", _STRING, b.special_type),
        _fixed("number_of_wheels", _INT, 2 if two else 4),
        _fixed("generation", _INT, b.generation),
        _fixed("has_lights", _BOOL, b.has_lights),
        _fixed("has_dynamic_doors", _BOOL, b.has_dynamic_doors),
        BlueprintAttribute("color", AttributeType.COLOR, colors[0], colors),
        _role(*_ROLES),
        BlueprintAttribute("sticky_control", _BOOL, "true"),
        BlueprintAttribute("terramechanics", _BOOL, "false"),
    ]
    if two:
        attributes.append(BlueprintAttribute("driver_id", _INT, "0", ("0", "1")))
    return attributes


def _walker(b: Blueprint) -> list[BlueprintAttribute]:
    number = int(b.id.rpartition(".")[2])
    return [
        _fixed("gender", _STRING, "female" if number % 2 else "male"),  # the catalogue does not tell
        _fixed("age", _STRING, "child" if number in _CHILDREN else "adult"),
        _fixed("generation", _INT, 2 if number >= _FIRST_OF_GENERATION_2 else 1),
        BlueprintAttribute("speed", _FLOAT, "0.0", ("0.0", "1.4", "2.8") if number not in _CHILDREN else ("0.0", "1.1", "2.2")),
        BlueprintAttribute("is_invincible", _BOOL, "true"),
        _fixed("can_use_wheelchair", _BOOL, False),
        BlueprintAttribute("use_wheelchair", _BOOL, "false"),
        _role("pedestrian"),
    ]


def _prop(b: Blueprint) -> list[BlueprintAttribute]:
    volume = 8.0 * b.half_length * b.half_width * b.half_height
    size = next((name for limit, name in _PRICE_OF_SIZE if volume <= limit), "big")
    attributes = [_fixed("size", _STRING, size), _role("prop")]
    if b.id == "static.prop.mesh":
        attributes += [
            BlueprintAttribute("mesh_path", _STRING, ""),
            BlueprintAttribute("mass", _FLOAT, "0.0"),
            BlueprintAttribute("scale", _FLOAT, "1.0"),
        ]
    return attributes


def _sensor(attribute: Attribute) -> BlueprintAttribute:
    default: Value = attribute.default
    kinds = {bool: _BOOL, int: _INT, float: _FLOAT, str: _STRING}
    if attribute.name == "role_name":
        return _role("default")
    return BlueprintAttribute(
        attribute.name, kinds[type(default)], _text(default), attribute.choices, restricted=bool(attribute.choices)
    )


def _entries() -> Iterator[tuple[str, list[BlueprintAttribute]]]:
    makers = {Kind.VEHICLE: _vehicle, Kind.BICYCLE: _vehicle, Kind.WALKER: _walker, Kind.PROP: _prop}
    for blueprint in BLUEPRINTS:
        yield blueprint.id, makers[blueprint.kind](blueprint)
    for kind in SENSOR_TYPES.values():
        if not kind.pseudo:
            yield kind.id, [_sensor(a) for a in kind.attributes.values()]
    yield "controller.ai.walker", [_role("default")]
    for name in TRAFFIC_IDS:
        yield name, [_role("default")]
    yield "spectator", [_role("spectator")]


@cache
def library() -> Mapping[str, ActorDefinition]:
    """All definitions by id, in the order in which clients list them. Ids of traffic lights, signs and the spectator are
    known, too; `spawnable` tells them apart."""
    return {
        name: ActorDefinition(uid, name, {a.id: a for a in attributes})
        for uid, (name, attributes) in enumerate(_entries(), start=1)
    }


def spawnable(definition: ActorDefinition) -> bool:
    """Whether clients may spawn it; the others come with the map."""
    return not definition.id.startswith(("traffic.", "spectator"))


def wire_library(version: str) -> list[list[object]]:
    """The answer to `get_actor_definitions`: what can be spawned."""
    return [d.wire(version) for d in library().values() if spawnable(d)]


#: Parts of Unreal mesh paths that Bench2Drive parks, and the blueprint that looks like them.
_MESHES = (
    ("lincoln", "vehicle.lincoln.mkz_2020"),
    ("charger", "vehicle.dodge.charger_2020"),
    ("mercedes", "vehicle.mercedes.coupe_2020"),
    ("mini", "vehicle.mini.cooper_s_2021"),
    ("nissan", "vehicle.nissan.patrol_2021"),
    ("tesla", "vehicle.tesla.model3"),
    ("t2", "vehicle.volkswagen.t2_2021"),
    ("prius", "vehicle.toyota.prius"),
    ("etron", "vehicle.audi.etron"),
    ("audi", "vehicle.audi.a2"),
    ("bmw", "vehicle.bmw.grandtourer"),
    ("impala", "vehicle.chevrolet.impala"),
    ("citroen", "vehicle.citroen.c3"),
    ("seat", "vehicle.seat.leon"),
    ("vehicle", "vehicle.lincoln.mkz_2020"),
)


def model_of(definition: ActorDefinition, values: Mapping[str, str]) -> int | None:
    """Index into `BLUEPRINTS` of what an actor looks like and how large it is; None for what has no body.

    `static.prop.mesh` looks like the car that its `mesh_path` names, as Bench2Drive's parked vehicles do.
    """
    if not definition.id.startswith(("vehicle.", "walker.", "static.")):
        return None
    if definition.id == "static.prop.mesh":
        path = values.get("mesh_path", "").lower()
        for part, looks in _MESHES:
            if part in path:
                return blueprint_index(looks)
    return blueprint_index(definition.id)


