"""Checks of an OpenDRIVE text before CARLA's parser sees it.

The parser ends the process on some defects, raises without a place on others, and silently reads another map on the
rest. Here every defect is found beforehand, all of them together, each with file, line, element and mend. What CARLA
makes of each was found by feeding it malformed maps (`tests/bad_maps.py` keeps one of every kind).
"""

from __future__ import annotations

import math
import re
from xml.etree.ElementTree import Element

from simulator.roads.opendrive import Document
from simulator.roads.validate_links import check_links
from simulator.roads.validate_report import Report, RoadNode, SectionNode
from simulator.roads.validate_signals import check_signals

_WIDEST = 100.0  # metres; a lane's width beyond it is a mistake in its coefficients
_HIGHEST = 10_000.0  # metres, likewise for elevations
_GEOMETRIES = ("line", "arc", "spiral", "poly3", "paramPoly3")
_LANE_TYPES = frozenset(
    ["none", "driving", "stop", "shoulder", "biking", "sidewalk", "border", "restricted", "parking", "bidirectional"]
    + ["median", "special1", "special2", "special3", "roadWorks", "tram", "rail", "entry", "exit", "offRamp", "onRamp"]
)
_MARK_TYPES = frozenset(
    ["none", "solid", "broken", "grass", "curb", "custom", "edge", "botts dots"]
    + ["solid solid", "solid broken", "broken solid", "broken broken"]
)
_SPEED_UNITS = ("m/s", "km/h", "mph")


def validate(document: Document) -> list[str]:
    """Check a map; returns warnings.

    Raises:
        MapError: with every defect that would crash CARLA's parser or make it read another map.
    """
    report = Report(document)
    root = document.root
    if root.tag != "OpenDRIVE":
        report.defect(root, f"<{root.tag}>", "the root element is not <OpenDRIVE>", "give an OpenDRIVE file")
        return report.finish()
    _check_header(report, root)
    roads = _read_roads(report, root)
    for road in roads.values():
        for kind in road.element.findall("type"):
            report.number(kind, "s", road.where, default=0.0)
            for speed in kind.findall("speed"):
                _check_speed(report, speed, road.where)
        _check_plan(report, road)
        _check_profile(report, road)
        _check_lanes(report, road)
    check_links(report, root, roads)
    check_signals(report, root, roads)
    sections = [section for road in roads.values() for section in road.sections]
    if not any(lane.get("type") == "driving" for section in sections for lane in section.lanes.values()):
        wrong = "no road has a lane of type driving"
        report.defect(root, "<OpenDRIVE>", wrong, 'give lanes for vehicles type="driving"')
    return report.finish()


def _check_header(report: Report, root: Element) -> None:
    element = root.find("header/geoReference")
    if element is None or not (element.text or "").strip():
        place = root if element is None else element
        wrong = "no geoReference, so that CARLA puts the origin at latitude 42, longitude 2"
        report.warn(place, "<header>", wrong, "write +lat_0 and +lon_0")
        return
    for key in ("lat_0", "lon_0"):
        found = re.search(rf"\+{key}=(\S*)", element.text or "")
        if found and not re.match(r"[-+]?\.?\d", found.group(1)):
            report.defect(element, "<geoReference>", f'+{key}="{found.group(1)}" is not a number', "write degrees")


def _read_roads(report: Report, root: Element) -> dict[int, RoadNode]:
    roads: dict[int, RoadNode] = {}
    for element in root.findall("road"):
        where = f"road {element.get('id')}"
        number = report.identifier(element, "id", where)
        length = report.number(element, "length", where)
        if length is not None and length <= 0.0:
            report.defect(element, where, f"length {length:g} is not positive", "write the length of its geometries")
            length = math.inf
        if number is None or length is None:
            continue
        if number in roads:
            report.defect(element, where, "another road has the same id, and CARLA merges the two", "number it anew")
            continue
        roads[number] = RoadNode(element, number, length, where)
    return roads


def _check_plan(report: Report, road: RoadNode) -> None:
    geometries = road.element.findall("planView/geometry")
    if not geometries:
        report.defect(road.element, road.where, "no <planView> with a <geometry>", "draw the road's reference line")
        return
    begins = []
    for geometry in geometries:
        values = {name: report.number(geometry, name, road.where) for name in ("s", "x", "y", "hdg", "length")}
        begins.append(values["s"])
        length = values["length"]
        if length is not None and length < 0.0:
            report.defect(geometry, road.where, f"a geometry of length {length:g}", "write a positive length")
        _check_shape(report, geometry, road.where, geometry is geometries[-1])
    if begins[0] is not None and begins[0] > 0.0:
        report.defect(geometries[0], road.where, f"the first geometry begins at s={begins[0]:g}", "begin at s=0")
    drawn = _end_of(geometries[-1])
    if math.isfinite(drawn) and math.isfinite(road.length) and abs(drawn - road.length) > max(1.0, 0.01 * road.length):
        wrong = f"the road is {road.length:g} m long, but its geometries end at s={drawn:g}"
        report.defect(road.element, road.where, wrong, "write the length of its geometries")
    _check_ascending(report, geometries, begins, road.where, "geometries")


def _check_shape(report: Report, geometry: Element, where: str, last: bool) -> None:
    shapes = [child for child in geometry if child.tag in _GEOMETRIES]
    if not shapes:
        names = ", ".join(f"<{child.tag}>" for child in geometry) or "nothing"
        report.defect(geometry, where, f"a geometry that holds {names}", f"use one of {', '.join(_GEOMETRIES)}")
        return
    shape = shapes[0]
    if shape.tag == "arc":
        curvature = report.number(shape, "curvature", where)
        if curvature == 0.0:
            report.defect(shape, where, "an arc of curvature 0", "use <line/>")
    elif shape.tag == "spiral":
        bends = [report.number(shape, name, where) for name in ("curvStart", "curvEnd")]
        if None not in bends and bends[0] == bends[1]:
            report.defect(shape, where, f"a spiral of constant curvature {bends[0]:g}", "use <arc/> or <line/>")
    elif shape.tag == "poly3":
        for name in "abcd":
            report.number(shape, name, where, default=0.0)
    elif shape.tag == "paramPoly3":
        values = [report.number(shape, f"{n}{axis}", where, default=0.0) for axis in "UV" for n in "abcd"]
        if not any(values[1:4] + values[5:8]) and None not in values:
            report.defect(shape, where, "a paramPoly3 that does not move", "write its coefficients")


def _end_of(geometry: Element) -> float:
    try:
        return float(geometry.get("s", "0")) + float(geometry.get("length", ""))
    except ValueError:
        return math.nan


def _check_profile(report: Report, road: RoadNode) -> None:
    records = (
        ("elevationProfile/elevation", "elevations"),
        ("lateralProfile/superelevation", "superelevations"),
        ("lanes/laneOffset", "lane offsets"),
    )
    for path, what in records:
        elements = road.element.findall(path)
        begins = [report.number(e, "s", road.where) for e in elements]
        lengths = _lengths(begins, road.length)
        for element, length in zip(elements, lengths):
            _begin, end = _polynomial_ends(report, element, road.where, length)
            if abs(end) > _HIGHEST:
                wrong = f"the {what} reach {end:.3g}"
                report.defect(element, road.where, wrong, "correct the coefficients a, b, c, d")
        if elements and begins[0] is not None and begins[0] > 0.0:
            report.defect(elements[0], road.where, f"the {what} begin at s={begins[0]:g}", "begin at s=0")
        _check_ascending(report, elements, begins, road.where, what)


def _lengths(begins: list[float | None], end: float) -> list[float]:
    """Lengths of records from their begins and the end of the last; 0 where one is unknown."""
    ends = [*begins[1:], end]
    return [max(b - a, 0.0) if a is not None and b is not None else 0.0 for a, b in zip(begins, ends)]


def _polynomial_ends(report: Report, element: Element, where: str, length: float) -> tuple[float, float]:
    """A record's cubic at its begin and end; 0 where a coefficient is no number (which is reported)."""
    found = [report.number(element, name, where, default=0.0) for name in "abcd"]
    values = [value for value in found if value is not None]
    if len(values) < 4 or not math.isfinite(length):
        return 0.0, 0.0
    return values[0], sum(value * length**power for power, value in enumerate(values))


def _check_ascending(
    report: Report, elements: list[Element], begins: list[float | None], where: str, what: str
) -> None:
    for element, before, here in zip(elements[1:], begins, begins[1:]):
        if before is not None and here is not None and here < before:
            report.defect(element, where, f"the {what} are not in order of s", "sort them by s")
            return


def _check_lanes(report: Report, road: RoadNode) -> None:
    sections = road.element.findall("lanes/laneSection")
    if not sections:
        report.defect(road.element, road.where, "no <laneSection>", "give the road lanes, or take it out")
        return
    before: float | None = None
    for section in sections:
        s = report.number(section, "s", road.where)
        if s is None:
            continue
        where = f"{road.where}, section s={s:g}"
        if s < 0.0 or s > road.length:
            wrong = f"the section begins outside the road (length {road.length:g})"
            report.defect(section, where, wrong, "write an s on the road")
        if before is None and s > 0.0:
            report.defect(section, where, "the first section does not begin at s=0", "begin at s=0")
        if before is not None and s <= before:
            wrong = "another section has the same s" if s == before else "sections are not in order of s"
            report.defect(section, where, wrong, "take one out" if s == before else "sort them by s")
        before = s
        lanes = _read_lanes(report, section, where)
        road.sections.append(SectionNode(section, s, lanes, where))
    for node, length in zip(road.sections, _lengths([n.s for n in road.sections], road.length)):
        for lane_id, lane in node.lanes.items():
            if lane_id != 0:
                _check_lane(report, lane, f"{node.where}, lane {lane_id}", length)


def _read_lanes(report: Report, section: Element, where: str) -> dict[int, Element]:
    lanes: dict[int, Element] = {}
    for tag in ("left", "center", "right"):
        for again in section.findall(tag)[1:]:
            wrong = f"a second <{tag}>, which CARLA does not read"
            report.defect(again, where, wrong, f"move its lanes to the first <{tag}>")
    for side in section:
        for lane in side.findall("lane") if side.tag in ("left", "center", "right") else ():
            text = lane.get("id") or ""
            if not re.fullmatch(r"[-+]?\d+", text):
                said = f'a lane whose id "{text}" is no whole number' if text else "a lane without id"
                report.defect(lane, where, said, "number lanes outward: 1, 2 ... left, -1, -2 ... right")
                continue
            number = int(text)
            if number in lanes:
                report.defect(lane, where, f"two lanes have the id {number}", "number lanes outward from the centre")
                continue
            lanes[number] = lane
            side_of = "center" if number == 0 else "left" if number > 0 else "right"
            if side.tag != side_of:
                wrong = f"a lane of id {'0' if number == 0 else '> 0' if number > 0 else '< 0'} stands in <{side.tag}>"
                report.warn(lane, f"{where}, lane {number}", wrong, f"move it to <{side_of}>")
    if 0 not in lanes:
        report.defect(section, where, "no centre lane", 'add <center><lane id="0" type="none"/></center>')
    for sign in (1, -1):
        mine = sorted(abs(n) for n in lanes if n * sign > 0)
        missing = [n for n in range(1, len(mine) + 1) if n not in mine]
        if missing:
            wrong = f"lane ids leave out {sign * missing[0]}"
            report.defect(section, where, wrong, "number lanes outward without gaps")
    return lanes


def _check_lane(report: Report, lane: Element, where: str, length: float) -> None:
    kind = lane.get("type")
    if kind not in _LANE_TYPES:
        wrong = f'CARLA does not know lane type "{kind}" and reads it as none'
        report.warn(lane, where, wrong, "use driving where vehicles drive")
    _check_width(report, lane, where, length)
    if kind == "driving":
        _check_marks(report, lane, where)
    for speed in lane.findall("speed"):
        report.number(speed, "sOffset", where, default=0.0)
        _check_speed(report, speed, where)


def _check_width(report: Report, lane: Element, where: str, length: float) -> None:
    widths = lane.findall("width")
    kind = lane.get("type")
    if not widths:
        if lane.find("border") is not None:
            report.defect(lane, where, "CARLA ignores <border>: the lane has no width", "write <width> instead")
        elif kind == "driving":
            report.defect(lane, where, "a driving lane without <width>", "write its width")
        elif kind != "none":
            report.warn(lane, where, "no <width>, so that the lane is 0 m wide", "write its width")
        return
    begins = [report.number(width, "sOffset", where, default=0.0) for width in widths]
    for width, part in zip(widths, _lengths(begins, length)):
        for value in _polynomial_ends(report, width, where, part):
            if not -0.05 <= value <= _WIDEST:
                wrong = f"width {value:g} m is {'negative' if value < 0.0 else 'too large'}"
                report.defect(width, where, wrong, "correct the coefficients a, b, c, d")
                break
    if begins[0] is not None and begins[0] > 0.0:
        report.defect(widths[0], where, f"the widths begin at sOffset={begins[0]:g}", "begin at sOffset=0")
    _check_ascending(report, widths, begins, where, "widths")


def _check_marks(report: Report, lane: Element, where: str) -> None:
    marks = lane.findall("roadMark")
    if not marks:
        report.warn(lane, where, "no <roadMark>, so that CARLA has no lane marking there", 'add type="none" at least')
    for mark in marks:
        if mark.get("type") not in _MARK_TYPES:
            wrong = f'CARLA does not know roadMark type "{mark.get("type")}"'
            report.warn(mark, where, wrong, "use solid, broken, curb or none")
        if mark.get("laneChange") is None:
            wrong = "a roadMark without laneChange allows changes both ways, even if solid"
            report.warn(mark, where, wrong, 'write laneChange="none", "increase", "decrease" or "both"')


def _check_speed(report: Report, speed: Element, where: str) -> None:
    try:
        value = float(speed.get("max", ""))
    except ValueError:
        if speed.get("max") not in ("no limit", "undefined"):
            report.warn(speed, where, f'speed max "{speed.get("max")}" is not a number and is left out', "write one")
        return
    unit = speed.get("unit")
    if unit is None and value > 40.0:
        report.warn(speed, where, "a speed without unit counts as m/s", f'write unit="km/h" if {value:g} means that')
    elif unit is not None and unit not in _SPEED_UNITS:
        report.warn(speed, where, f'speed unit "{unit}" is unknown and counts as m/s', "use m/s, km/h or mph")
