"""What CARLA's parser does not hand out, read from the OpenDRIVE text: section ends, speeds, references, controllers.

`read_facts` assumes a text that passed `simulator.roads.validate`. Units are metres and seconds; OpenDRIVE's own road
coordinates (s, t) are kept as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element
from xml.parsers import expat

from simulator.errors import MapError

TRAFFIC_LIGHT_TYPES = frozenset(["1000001", "1000002", *(str(1000007 + i) for i in range(8)), "F"])
STOP_SIGN_TYPE = "206"
YIELD_SIGN_TYPE = "205"

MPS_PER_UNIT = {"m/s": 1.0, "km/h": 1.0 / 3.6, "mph": 0.44704}

_BOM = "\ufeff"


class Document:
    """An XML tree that remembers on which line each element starts."""

    def __init__(self, text: str, what: str) -> None:
        """Parse `text`; `what` names it in errors.

        Raises:
            MapError: the text is not well-formed XML.
        """
        self.what = what
        self._line: dict[Element, int] = {}
        self.root = self._parse(text)

    def line(self, element: Element) -> int:
        """Line on which `element` starts, counted from 1."""
        return self._line[element]

    def _parse(self, text: str) -> Element:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        top = Element("")
        stack = [top]
        lines = self._line

        def start(tag: str, attributes: dict[str, str]) -> None:
            element = Element(tag, attributes)
            lines[element] = parser.CurrentLineNumber
            stack[-1].append(element)
            stack.append(element)

        def end(_tag: str) -> None:
            stack.pop()

        def data(piece: str) -> None:
            element = stack[-1]
            if element.tag == "geoReference":
                element.text = (element.text or "") + piece

        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
        try:
            parser.Parse(text.removeprefix(_BOM).encode("utf-8"), True)
        except (expat.ExpatError, ValueError) as error:
            raise MapError(
                f"{self.what}: not well-formed XML ({error}); the file is damaged or cut off: export it again"
            ) from None
        return top[0]


@dataclass(frozen=True)
class LaneFacts:
    """One lane of one lane section."""

    road: int
    section: int
    lane: int
    type: str
    s_start: float  # road s of the section's begin
    s_end: float  # road s of the section's end
    forward: bool  # True: traffic runs with the road's s
    speed: float  # m/s, or nan where neither lane nor road says one


@dataclass(frozen=True)
class Reference:
    """Where a signal applies: a road position and lanes (CARLA's `SignalReference`)."""

    signal: str
    road: int
    s: float
    lanes: tuple[int, ...]


@dataclass
class Signal:
    """One `<signal>` and every lane it applies to."""

    id: str
    name: str
    type: str
    road: int
    s: float
    t: float
    references: list[Reference] = field(default_factory=list)


@dataclass(frozen=True)
class Junction:
    """One `<junction>`: its id and its controllers in file order."""

    id: int
    controllers: tuple[str, ...]


@dataclass(frozen=True)
class MapFacts:
    """Everything that compiling a town takes from the text."""

    lanes: tuple[LaneFacts, ...]  # by road (file order), section, lane id
    signals: tuple[Signal, ...]  # file order
    controllers: dict[str, tuple[str, ...]]  # controller id -> signal ids
    junctions: tuple[Junction, ...]  # by id
    crosswalk_corners: tuple[int, ...]  # corners of each crosswalk that CARLA reads, file order


def read_facts(document: Document) -> MapFacts:
    """Read lanes, signals, controllers and junctions of a validated map."""
    root = document.root
    roads = root.findall("road")
    signals = {s.id: s for road in roads for s in _signals_of(road)}
    for road in roads:
        for element in road.iterfind("signals/*"):
            if element.tag in ("signal", "signalReference") and element.get("id") in signals:
                reference = _reference(element, road)
                if reference.lanes:
                    signals[reference.signal].references.append(reference)
    return MapFacts(
        lanes=tuple(lane for road in roads for lane in _lanes_of(road)),
        signals=tuple(signals.values()),
        controllers={
            c.get("id", ""): tuple(dict.fromkeys(k.get("signalId", "") for k in c.iterfind("control")))
            for c in root.iterfind("controller")
        },
        junctions=tuple(
            sorted(
                (
                    Junction(int(j.get("id", "-1")), tuple(c.get("id", "") for c in j.iterfind("controller")))
                    for j in root.iterfind("junction")
                ),
                key=lambda j: j.id,
            )
        ),
        crosswalk_corners=tuple(
            len(outline.findall("cornerLocal"))
            for road in roads
            for thing in road.iterfind("objects/object")
            if thing.get("type") == "crosswalk"
            for outline in thing.iterfind("outline")
        ),
    )


def speed_mps(value: str, unit: str | None, default_unit: str) -> float:
    """A speed in m/s; nan for OpenDRIVE's "no limit" and "undefined", and for what is no number.

    `default_unit` counts where the file names none (the standard: m/s).
    """
    try:
        return float(value) * MPS_PER_UNIT.get(unit or default_unit, 1.0)
    except ValueError:
        return float("nan")


def section_spans(road: Element) -> list[tuple[Element, float, float]]:
    """Lane sections of a road with the s at which each begins and ends."""
    sections = road.findall("lanes/laneSection")
    starts = [float(s.get("s", "0")) for s in sections]
    return list(zip(sections, starts, [*starts[1:], float(road.get("length", "0"))]))


def lanes_of_section(section: Element) -> list[Element]:
    """`<lane>` elements of a section, left, centre and right."""
    return [lane for side in section if side.tag in ("left", "center", "right") for lane in side.iterfind("lane")]


def _lanes_of(road: Element) -> list[LaneFacts]:
    road_id = int(road.get("id", "-1"))
    left_hand = (road.get("rule") or "RHT").upper() == "LHT"
    lanes = []
    for index, (section, start, end) in enumerate(section_spans(road)):
        for lane in sorted(lanes_of_section(section), key=lambda e: int(e.get("id", "0"))):
            lane_id = int(lane.get("id", "0"))
            if lane_id == 0:
                continue
            speed = _lane_speed(lane, end - start)
            if speed != speed:
                speed = _road_speed(road, 0.5 * (start + end))
            forward = (lane_id < 0) != left_hand
            lanes.append(
                LaneFacts(road_id, index, lane_id, lane.get("type") or "none", start, end, forward, speed),
            )
    return lanes


def _lane_speed(lane: Element, length: float) -> float:
    """The speed record that holds on most of the lane."""
    records = [(float(e.get("sOffset", "0")), e) for e in lane.iterfind("speed")]
    best, covered = float("nan"), -1.0
    for (start, element), end in zip(records, [*(start for start, _ in records[1:]), length]):
        if end - start > covered:
            best, covered = speed_mps(element.get("max", ""), element.get("unit"), "m/s"), end - start
    return best


def _road_speed(road: Element, s: float) -> float:
    """The `<type>` record's speed that holds at `s`."""
    value = float("nan")
    for kind in road.iterfind("type"):
        if float(kind.get("s", "0")) <= s:
            speed = kind.find("speed")
            value = float("nan") if speed is None else speed_mps(speed.get("max", ""), speed.get("unit"), "m/s")
    return value


def _signals_of(road: Element) -> list[Signal]:
    road_id = int(road.get("id", "-1"))
    return [
        Signal(
            id=e.get("id", ""),
            name=e.get("name", ""),
            type=e.get("type", ""),
            road=road_id,
            s=float(e.get("s", "0")),
            t=float(e.get("t", "0")),
        )
        for e in road.iterfind("signals/signal")
    ]


def _reference(element: Element, road: Element) -> Reference:
    s = min(max(float(element.get("s", "0")), 0.0), float(road.get("length", "0")))
    return Reference(element.get("id", ""), int(road.get("id", "-1")), s, referenced_lanes(element, road, s))


def referenced_lanes(element: Element, road: Element, s: float) -> tuple[int, ...]:
    """Lane ids a `<signal>` or `<signalReference>` applies to, by CARLA's rules.

    A validity of lane 0 alone marks a mere pole. Without any validity CARLA takes the positive lanes for orientation
    '+', the negative ones for '-', and all otherwise (its `SignalParser`).
    """
    spans = [section for section, start, end in section_spans(road) if start <= s]
    present = {int(lane.get("id", "0")) for lane in lanes_of_section(spans[-1])} - {0} if spans else set()
    validities = element.findall("validity")
    if validities:
        wanted: set[int] = set()
        for validity in validities:
            ends = sorted((int(validity.get("fromLane", "0")), int(validity.get("toLane", "0"))))
            wanted.update(range(ends[0], ends[1] + 1))
    else:
        orientation = element.get("orientation")
        wanted = {lane for lane in present if orientation not in ("+", "-") or (lane > 0) == (orientation == "+")}
    return tuple(sorted(wanted & present))


def geo_reference(document: Document) -> tuple[float, float]:
    """Latitude and longitude of the map's origin in degrees; CARLA's (42, 2) where the map has none."""
    element = document.root.find("header/geoReference")
    text = "" if element is None else element.text or ""
    found = [re.search(rf"\+{key}=([-+.\deE]+)", text) for key in ("lat_0", "lon_0")]
    values = [float(match.group(1)) if match else default for match, default in zip(found, (42.0, 2.0))]
    return values[0], values[1]
