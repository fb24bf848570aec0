"""Route files of the CARLA Leaderboard and Bench2Drive: XML to `Route` and back (docs/bench2drive.md 1.1).

Read with expat directly, because its line numbers belong into every error message. A file with a document type
declaration is refused: that is where XML hides external and exploding entities, and no route file has one.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from scenarios.route import Location, Route, ScenarioSpec, TriggerPoint, WeatherKeyframe
from scenarios.weather import WEATHER_FIELDS
from simulator.errors import RouteFileError

log = logging.getLogger(__name__)

# Children of <scenario> that are not parameters.
_TRIGGER = "trigger_point"
_ACTOR = "other_actor"

_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")


def read_routes(path: str | Path) -> list[Route]:
    """Read every `<route>` of a file, in file order.

    Attributes that the format does not know are ignored; a weather attribute that CARLA does not know is reported
    through `logging` and kept.

    Raises:
        RouteFileError: with file, line and route id, when the file cannot be read or a route is malformed.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RouteFileError(f"{path}: no such route file") from None
    except OSError as error:
        raise RouteFileError(f"{path}: cannot be read: {error.strerror or error}") from error

    routes: list[Route] = []
    first_line: dict[str, int] = {}
    for element in _parse(content, str(path)).iter("route"):
        route = _RouteReader(str(path), element).read()
        if route.id in first_line:
            raise RouteFileError(
                f"{path}:{route.line}: route id '{route.id}' is already taken by the route in line "
                f"{first_line[route.id]}; ids must be unique in a file"
            )
        first_line[route.id] = route.line
        routes.append(route)
    if not routes:
        raise RouteFileError(f"{path}: holds no <route> element; is it a Leaderboard route file?")
    return routes


def write_routes(path: str | Path, routes: Iterable[Route]) -> None:
    """Write a route file that `read_routes` and the official parser read back as the same routes.

    Raises:
        RouteFileError: when a scenario parameter has a name that XML does not allow, or the file cannot be written.
    """
    lines = ["<routes>"]
    for route in routes:
        lines += _route_lines(route)
    lines.append("</routes>")
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise RouteFileError(f"{path}: cannot be written: {error.strerror or error}") from error


# Reading


@dataclass
class _Element:
    """One XML element with the line it begins in."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)

    def iter(self, tag: str) -> Iterator[_Element]:
        """Itself and all descendants of this tag, in file order."""
        if self.tag == tag:
            yield self
        for child in self.children:
            yield from child.iter(tag)

    def find(self, tag: str) -> _Element | None:
        return next((child for child in self.children if child.tag == tag), None)


def _parse(content: bytes, file: str) -> _Element:
    parser = expat.ParserCreate()
    document = _Element("", {}, 0)
    stack = [document]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = _Element(tag, attributes, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)
        if len(stack) > 100:
            raise RouteFileError(f"{file}:{element.line}: elements are nested more than 100 deep; not a route file")

    def end(_tag: str) -> None:
        stack.pop()

    def doctype(*_: object) -> None:
        raise RouteFileError(
            f"{file}:{parser.CurrentLineNumber}: document type declarations are not allowed; remove <!DOCTYPE ...>"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        open_element = stack[-1]
        where = f"; <{open_element.tag}> of line {open_element.line} is still open" if len(stack) > 1 else ""
        raise RouteFileError(f"{file}:{error.lineno}: not well-formed XML ({reason}){where}") from None
    return document


class _RouteReader:
    """Turns one `<route>` element into a `Route`; every complaint names file, line and route."""

    def __init__(self, file: str, element: _Element) -> None:
        self._file = file
        self._element = element
        self._id = element.attributes.get("id", "")

    def read(self) -> Route:
        element = self._element
        if not self._id:
            raise self._error(element, "has no id; give it an integer")
        if not (self._id.isascii() and self._id.isdigit()):
            raise self._error(element, "its id must be an integer, because result files are sorted by int(id)")
        town = element.attributes.get("town", "")
        if not town:
            raise self._error(element, 'has no town; name the CARLA map, such as town="Town12"')
        return Route(
            id=self._id,
            town=town,
            positions=self._positions(),
            scenarios=self._scenarios(),
            weathers=self._weathers(),
            file=self._file,
            line=element.line,
        )

    def _positions(self) -> tuple[Location, ...]:
        waypoints = self._element.find("waypoints")
        if waypoints is None:
            raise self._error(self._element, "has no <waypoints>; add at least two <position> elements in it")
        found = [
            Location(self._number(p, "x"), self._number(p, "y"), self._number(p, "z"))
            for p in waypoints.iter("position")
        ]
        if len(found) < 2:
            raise self._error(waypoints, f"has {len(found)} positions; a route needs at least 2")
        return tuple(found)

    def _scenarios(self) -> tuple[ScenarioSpec, ...]:
        parent = self._element.find("scenarios")
        return tuple(self._scenario(e) for e in parent.iter("scenario")) if parent is not None else ()

    def _scenario(self, element: _Element) -> ScenarioSpec:
        name = element.attributes.get("name", "")
        kind = element.attributes.get("type", "")
        if not kind:
            raise self._error(element, f"scenario '{name}' has no type")
        trigger = element.find(_TRIGGER)
        if trigger is None:
            raise self._error(element, f'scenario \'{name}\' has no <{_TRIGGER} x="" y="" z="" yaw=""/>')
        x, y, z, yaw = (self._number(trigger, axis) for axis in ("x", "y", "z", "yaw"))
        return ScenarioSpec(
            name=name,
            type=kind,
            trigger_point=TriggerPoint(x, y, z, yaw),
            parameters={c.tag: c.attributes for c in element.children if c.tag not in (_TRIGGER, _ACTOR)},
            other_actors=tuple(c.attributes for c in element.children if c.tag == _ACTOR),
            line=element.line,
            route_id=self._id,
        )

    def _weathers(self) -> tuple[WeatherKeyframe, ...]:
        parent = self._element.find("weathers")
        if parent is None:
            return ()
        keyframes = [self._weather(e) for e in parent.iter("weather")]
        return tuple(sorted(keyframes, key=lambda k: k.route_percentage))

    def _weather(self, element: _Element) -> WeatherKeyframe:
        percentage = self._number(element, "route_percentage")
        attributes = {k: v for k, v in element.attributes.items() if k != "route_percentage"}
        for name in attributes:
            if name in WEATHER_FIELDS:
                self._number(element, name)
            else:
                log.warning("%s", self._error(element, f"'{name}' is no weather parameter of CARLA; it has no effect"))
        return WeatherKeyframe(percentage, attributes)

    def _number(self, element: _Element, name: str) -> float:
        text = element.attributes.get(name)
        if text is None:
            raise self._error(element, f"<{element.tag}> has no attribute '{name}'")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._error(element, f"<{element.tag} {name}={text!r}> must be a finite number")
        return value

    def _error(self, element: _Element, text: str) -> RouteFileError:
        return RouteFileError(f"{self._file}:{element.line}: route '{self._id}': {text}")


# Writing


def _route_lines(route: Route) -> Iterator[str]:
    yield f"   <route {_attributes({'id': route.id, 'town': route.town})}>"
    if route.weathers:
        yield "      <weathers>"
        for keyframe in route.weathers:
            percentage = {"route_percentage": repr(keyframe.route_percentage)}
            yield f"         <weather {_attributes({**percentage, **keyframe.attributes})}/>"
        yield "      </weathers>"
    yield "      <waypoints>"
    for position in route.positions:
        yield f"         <position {_coordinates(position)}/>"
    yield "      </waypoints>"
    yield "      <scenarios>"
    for spec in route.scenarios:
        yield from _scenario_lines(spec, route)
    yield "      </scenarios>"
    yield "   </route>"


def _scenario_lines(spec: ScenarioSpec, route: Route) -> Iterator[str]:
    yield f"         <scenario {_attributes({'name': spec.name, 'type': spec.type})}>"
    trigger = spec.trigger_point
    yield f'            <{_TRIGGER} {_coordinates(trigger)} yaw="{trigger.yaw!r}"/>'
    for tag, attributes in spec.parameters.items():
        if not _XML_NAME.fullmatch(tag) or tag in (_TRIGGER, _ACTOR):
            raise RouteFileError(f"route '{route.id}', scenario '{spec.name}': {tag!r} cannot name a parameter element")
        yield f"            <{tag} {_attributes(attributes)}/>"
    for actor in spec.other_actors:
        yield f"            <{_ACTOR} {_attributes(actor)}/>"
    yield "         </scenario>"


def _attributes(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in values.items())


def _coordinates(point: Location | TriggerPoint) -> str:
    return f'x="{point.x!r}" y="{point.y!r}" z="{point.z!r}"'
