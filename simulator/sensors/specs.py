"""What sensors an agent or a CARLA client asks for, checked and complete: `SensorSpec`.

Two spellings lead here: the dicts of a leaderboard agent's `sensors()`
(`{"type": ..., "id": ..., "x": ..., "width": ...}`), and the attributes of a CARLA blueprint, which are texts.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import SensorError
from simulator.sensors.catalogue import SENSOR_TYPES, Attribute, SensorType, Value
from simulator.sensors.leaderboard_presets import PRESETS

MAX_DISTANCE = 100.0  # m from the vehicle's origin; the most that Bench2Drive ever allows
PLACE = ("x", "y", "z", "roll", "pitch", "yaw")

_ALIASES = {"width": "image_size_x", "height": "image_size_y"}  # the leaderboard's words for a camera's


@dataclass(frozen=True)
class SensorSpec:
    """One sensor: where it is mounted and every attribute of its type."""

    id: str  # unique among a vehicle's sensors
    type: str  # such as `sensor.lidar.ray_cast`
    x: float = 0.0  # m ahead of the vehicle's origin, which lies under its centre on the ground
    y: float = 0.0  # m to the right
    z: float = 0.0  # m up
    roll: float = 0.0  # deg, CARLA's signs
    pitch: float = 0.0  # deg, up positive
    yaw: float = 0.0  # deg, right positive
    attributes: Mapping[str, Value] = field(default_factory=dict)  # all of them, defaults filled in
    ignored: tuple[str, ...] = ()  # keys that the leaderboard disregards, and so do we

    @property
    def kind(self) -> SensorType:
        """Its entry in the catalogue."""
        return SENSOR_TYPES[self.type]

    def number(self, name: str) -> float:
        """A numeric attribute."""
        return float(self.attributes[name])

    @property
    def place(self) -> tuple[float, float, float, float, float, float]:
        """x, y, z in metres; roll, pitch, yaw in degrees."""
        return self.x, self.y, self.z, self.roll, self.pitch, self.yaw


def parse_sensors(sensors: Iterable[Mapping[str, Any]], *, leaderboard: bool = True) -> tuple[SensorSpec, ...]:
    """Check the list that an agent's `sensors()` returns.

    Args:
        sensors: dicts with `type`, `id`, place (metres, degrees) and attributes; cameras say `width` and `height`.
        leaderboard: give lidar, radar, GNSS and IMU the attributes that the leaderboard fixes, whatever the dict says,
            and disregard keys that it disregards (`SensorSpec.ignored` names them). False: the dict's attributes
            count, unknown ones are errors.

    Raises:
        SensorError: unknown type or attribute, value out of range, double id, absurd place.
    """
    specs: list[SensorSpec] = []
    for number, sensor in enumerate(sensors):
        if not isinstance(sensor, Mapping):
            raise SensorError(f"sensor {number}: expected a dict with 'type' and 'id', got {type(sensor).__name__}")
        specs.append(_parse(dict(sensor), number, leaderboard))
    seen: dict[str, int] = {}
    for number, spec in enumerate(specs):
        if spec.id in seen:
            raise SensorError(f"sensor {number}: the id {spec.id!r} is taken by sensor {seen[spec.id]}; ids are unique")
        seen[spec.id] = number
    return tuple(specs)


def parse_blueprint(
    type_id: str, attributes: Mapping[str, Any], place: Mapping[str, float] | None = None, name: str = ""
) -> SensorSpec:
    """A sensor from a CARLA blueprint.

    Args:
        type_id: such as `sensor.other.imu`.
        attributes: by name; texts (`"true"`, `"0.5"`) or values. Those left out have CARLA's defaults.
        place: x, y, z (m), roll, pitch, yaw (deg) on the vehicle.
        name: the sensor's id; its type by default.

    Raises:
        SensorError: as `parse_sensors`.
    """
    return _parse({"type": type_id, "id": name or type_id, **(place or {}), **attributes}, 0, False)


def _parse(sensor: dict[str, Any], number: int, leaderboard: bool) -> SensorSpec:
    type_id = sensor.pop("type", None)
    name = sensor.pop("id", None)
    where = f"sensor {number}" + (f" ({name!r})" if isinstance(name, str) else "")
    kind = SENSOR_TYPES.get(type_id) if isinstance(type_id, str) else None
    if kind is None:
        raise SensorError(f"{where}: unknown type {type_id!r}{_nearest(type_id, SENSOR_TYPES)}")
    if not isinstance(name, str) or not name:
        raise SensorError(f"{where}, {type_id}: needs an 'id', a text that names it among the vehicle's sensors")
    where = f"{where}, {type_id}"
    place = {key: _coordinate(sensor.pop(key, 0.0), key, where) for key in PLACE}
    distance = math.hypot(place["x"], place["y"], place["z"])
    if distance > MAX_DISTANCE:
        raise SensorError(
            f"{where}: mounted {distance:.0f} m from its vehicle; at most {MAX_DISTANCE:.0f} m are allowed (metres)"
        )
    fixed = PRESETS.get(kind.id, {}) if leaderboard else {}
    given: dict[str, Value] = {}
    ignored: list[str] = []
    for key, value in sensor.items():
        attribute = kind.attributes.get(_ALIASES.get(key, key) if kind.camera else key)
        if leaderboard and (attribute is None or (kind.id in PRESETS and attribute.name not in _honoured(kind))):
            ignored.append(key)
        elif attribute is None:
            raise SensorError(f"{where}: unknown attribute {key!r}{_nearest(key, kind.attributes)}")
        else:
            given[attribute.name] = _value(attribute, value, where)
    attributes = {a.name: a.default for a in kind.attributes.values()} | given | dict(fixed)
    if "upper_fov" in attributes and float(attributes["upper_fov"]) < float(attributes["lower_fov"]):
        upper, lower = attributes["upper_fov"], attributes["lower_fov"]
        raise SensorError(f"{where}: upper_fov {upper} lies under lower_fov {lower}; exchange them")
    return SensorSpec(name, kind.id, **place, attributes=attributes, ignored=tuple(ignored))


def _honoured(kind: SensorType) -> frozenset[str]:
    """Attributes that a leaderboard agent chooses itself, among the types whose attributes the leaderboard sets."""
    if kind.camera:
        return frozenset({"image_size_x", "image_size_y", "fov"})
    if kind.id == "sensor.other.radar":
        return frozenset({"horizontal_fov", "vertical_fov"})
    return frozenset()


def _coordinate(value: Any, key: str, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise SensorError(f"{where}: {key}={value!r} is no number") from None
    limit = 360.0 if key in ("roll", "pitch", "yaw") else math.inf
    if not math.isfinite(number) or abs(number) > limit:
        unit = "degrees, at most 360" if limit < math.inf else "metres"
        raise SensorError(f"{where}: {key}={value!r} is no place; expected a finite number of {unit}")
    return number


def _value(attribute: Attribute, value: Any, where: str) -> Value:
    """`value` as the attribute's type, from a value or CARLA's text."""
    wrong = SensorError(
        f"{where}: {attribute.name}={value!r}; expected {attribute.type}: {attribute.range}"
        + (f" ({attribute.unit})" if attribute.unit else "")
    )
    default = attribute.default
    if isinstance(default, bool):
        text = str(value).strip().lower()
        if text not in ("true", "false", "1", "0"):
            raise wrong
        return text in ("true", "1")
    if isinstance(default, str):
        if attribute.choices and str(value) not in attribute.choices:
            raise wrong
        return str(value)
    if isinstance(value, bool):
        raise wrong
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise wrong from None
    if not attribute.low <= number <= attribute.high or not math.isfinite(number):
        raise wrong
    if isinstance(default, int):
        if number != int(number):
            raise wrong
        return int(number)
    return number


def _nearest(name: Any, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" Known: {', '.join(names)}"
