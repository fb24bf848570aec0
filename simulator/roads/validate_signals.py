"""Checks of signals, controllers and objects. Part of `validate`."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from simulator.roads.opendrive import STOP_SIGN_TYPE, TRAFFIC_LIGHT_TYPES, YIELD_SIGN_TYPE
from simulator.roads.validate_report import Report, RoadNode, SectionNode

_MOST_LANES = 100  # to a side; CARLA walks through every lane that a validity names
_RULING_TYPES = TRAFFIC_LIGHT_TYPES | {STOP_SIGN_TYPE, YIELD_SIGN_TYPE}


def check_signals(report: Report, root: Element, roads: dict[int, RoadNode]) -> None:
    """Signals, their references, controllers, and the objects that CARLA reads."""
    signals = _read_signals(report, roads)
    ruled: set[str] = set()
    for road in roads.values():
        for element in road.element.findall("signals/signal"):
            _check_position(report, road, element, f"{road.where}, signal {element.get('id')}")
            if element.get("type") in _RULING_TYPES and _check_validity(report, road, element):
                ruled.add(element.get("id", ""))
        for element in road.element.findall("signals/signalReference"):
            name = element.get("id", "")
            where = f"{road.where}, signalReference {name}"
            _check_position(report, road, element, where)
            if name not in signals:
                report.defect(element, where, "there is no signal of this id", "correct the id, or take it out")
            elif signals[name].get("type") in _RULING_TYPES and _check_validity(report, road, element):
                ruled.add(name)
    for name, element in signals.items():
        if element.get("type") in _RULING_TYPES and name not in ruled:
            wrong = f"a {_kind(element)} that applies to no lane"
            report.warn(element, f"signal {name}", wrong, "give it a validity or a signalReference")
    _check_controllers(report, root, signals)
    for road in roads.values():
        for thing in road.element.findall("objects/object"):
            _check_object(report, road, thing)


def _kind(signal: Element) -> str:
    kinds = {STOP_SIGN_TYPE: "stop sign", YIELD_SIGN_TYPE: "yield sign"}
    return kinds.get(signal.get("type", ""), "traffic light")


def _read_signals(report: Report, roads: dict[int, RoadNode]) -> dict[str, Element]:
    signals: dict[str, Element] = {}
    for road in roads.values():
        for element in road.element.findall("signals/signal"):
            name = element.get("id", "")
            where = f"{road.where}, signal {name}"
            if not name:
                report.warn(element, where, "a signal without id", "give it one, so that others can refer to it")
            if name in signals:
                wrong = "another signal has the same id, and CARLA puts both in one place"
                report.defect(element, where, wrong, "give it an id of its own")
            signals[name] = element
    return signals


def _check_position(report: Report, road: RoadNode, element: Element, where: str) -> None:
    s = report.number(element, "s", where)
    for name in ("t", "zOffset", "hOffset"):
        report.number(element, name, where, default=0.0)
    if s is None:
        return
    if s < 0.0:
        report.defect(element, where, f"s={s:g} lies before its road", f"write an s from 0 to {road.length:g}")
    elif s > road.length + 1e-3:
        report.warn(element, where, "s lies beyond its road and is moved to the road's end", "write an s on the road")


def _check_validity(report: Report, road: RoadNode, element: Element) -> bool:
    """True where the element applies to at least one lane."""
    where = f"{road.where}, {element.tag} {element.get('id')}"
    section = _section_at(road, element)
    if section is None:
        return False
    validities = element.findall("validity")
    if not validities:
        wrong = "no <validity>: CARLA takes the positive lanes for orientation +, the negative for -"
        report.warn(element, where, wrong, 'write <validity fromLane=".." toLane=".."/>')
        return any(section.lanes)
    applies = False
    for validity in validities:
        try:
            ends = sorted(int(validity.get(name, "0")) for name in ("fromLane", "toLane"))
        except ValueError:
            report.defect(validity, where, "a validity whose lanes are no whole numbers", "write lane ids")
            continue
        if max(-ends[0], ends[1]) > _MOST_LANES:
            wrong = f"a validity from lane {ends[0]} to lane {ends[1]}"
            report.defect(validity, where, wrong, "name lanes of the section at its s")
            continue
        lanes = [n for n in range(ends[0], ends[1] + 1) if n != 0]
        applies |= any(n in section.lanes for n in lanes)
        if lanes and not all(n in section.lanes for n in lanes):
            wrong = "a validity names lanes that the road does not have there"
            report.warn(validity, where, wrong, "name lanes of the section at its s")
    return applies


def _section_at(road: RoadNode, element: Element) -> SectionNode | None:
    try:
        s = float(element.get("s", "0"))
    except ValueError:
        return None
    before = [section for section in road.sections if section.s <= max(s, 0.0)]
    return before[-1] if before else None


def _check_controllers(report: Report, root: Element, signals: dict[str, Element]) -> None:
    controllers: dict[str, Element] = {}
    used = {c.get("id", "") for c in root.findall("junction/controller")}
    for element in root.findall("controller"):
        name = element.get("id", "")
        where = f"controller {name}"
        if name in controllers:
            report.defect(element, where, "another controller has the same id", "give it an id of its own")
        controllers[name] = element
        for control in element.findall("control"):
            signal = control.get("signalId", "")
            if signal in signals:
                continue
            wrong, mend = f'it controls signal "{signal}", which does not exist', "correct the id, or take it out"
            if name in used:
                report.defect(control, where, wrong, mend)
            else:
                report.warn(control, where, wrong, mend)
    for junction in root.findall("junction"):
        for reference in junction.findall("controller"):
            if reference.get("id", "") not in controllers:
                wrong = f'controller "{reference.get("id", "")}" does not exist and is left out'
                report.warn(reference, f"junction {junction.get('id')}", wrong, "correct the id, or take it out")


def _check_object(report: Report, road: RoadNode, thing: Element) -> None:
    name = thing.get("name", "")
    where = f'{road.where}, object {thing.get("id")} "{name}"'
    if thing.get("type") == "crosswalk":
        report.number(thing, "s", where)
        report.number(thing, "t", where, default=0.0)
        _check_crosswalk(report, thing, where)
        return
    speed = name[:6] in ("Speed_", "speed_")
    if speed and not re.match(r"\s*[-+]?\.?\d", name[6:]):
        wrong = "CARLA reads a speed after Speed_, and here is no number"
        report.defect(thing, where, wrong, "name it Speed_30 or the like, or else")
    if speed or name.startswith("Stencil_"):
        s = report.number(thing, "s", where)
        if s is not None and s < 0.0:
            report.defect(thing, where, f"s={s:g} lies before its road", f"write an s from 0 to {road.length:g}")


def _check_crosswalk(report: Report, thing: Element, where: str) -> None:
    outline = thing.find("outline")
    if outline is None:
        nested = thing.find("outlines") is not None
        wrong = "CARLA ignores a crosswalk " + ("whose outline stands in <outlines>" if nested else "without <outline>")
        report.warn(thing, where, wrong, "put <outline> directly into the object")
        return
    corners = [tuple(corner.get(k) for k in "uvz") for corner in outline.findall("cornerLocal")]
    if len(corners) < 4 or corners[0] != corners[-1]:
        wrong = "a crosswalk's outline is not closed, and CARLA joins it with the next one"
        report.warn(outline, where, wrong, "repeat its first cornerLocal as the last")
