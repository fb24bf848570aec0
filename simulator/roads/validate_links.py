"""Checks of how roads, lanes and junctions hang together. Part of `validate`."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from simulator.roads.validate_report import Report, RoadNode, SectionNode


def check_links(report: Report, root: Element, roads: dict[int, RoadNode]) -> None:
    """Road links, lane links and junctions."""
    junctions = _read_junctions(report, root)
    for road in roads.values():
        _check_membership(report, road, junctions)
        for tag in ("predecessor", "successor"):
            _check_road_link(report, road, tag, roads, junctions)
        _check_section_links(report, road)
    for junction in junctions.values():
        for connection in junction.findall("connection"):
            _check_connection(report, junction, connection, roads)


def _read_junctions(report: Report, root: Element) -> dict[int, Element]:
    junctions: dict[int, Element] = {}
    for element in root.findall("junction"):
        where = f"junction {element.get('id')}"
        number = report.identifier(element, "id", where)
        if number is None:
            continue
        if number in junctions:
            wrong = "another junction has the same id, and CARLA merges the two"
            report.defect(element, where, wrong, "number it anew")
        junctions[number] = element
    return junctions


def _check_membership(report: Report, road: RoadNode, junctions: dict[int, Element]) -> None:
    text = road.element.get("junction")
    if text is None:
        wrong = "no junction, which CARLA reads as junction 0"
        report.defect(road.element, road.where, wrong, 'write junction="-1", or the id of its junction')
        return
    if text == "-1":
        return
    if not text.isdigit() or int(text) not in junctions:
        wrong = f'junction "{text}", of which the road is said to be part, does not exist'
        report.defect(road.element, road.where, wrong, "write -1, or the id of its junction")


def _check_road_link(
    report: Report, road: RoadNode, tag: str, roads: dict[int, RoadNode], junctions: dict[int, Element]
) -> None:
    link = road.element.find(f"link/{tag}")
    if link is None or not road.sections:
        return
    kind, text = link.get("elementType"), link.get("elementId", "")
    if kind == "junction":
        if not text.isdigit() or int(text) not in junctions:
            wrong = f'{tag} junction "{text}" does not exist'
            report.defect(link, road.where, wrong, f"correct the id, or take the {tag} out")
        return
    if kind != "road":
        report.defect(link, road.where, f'{tag} elementType "{kind}" is unknown', "write road or junction")
        return
    other = roads.get(int(text)) if text.isdigit() else None
    if other is None:
        report.defect(link, road.where, f'{tag} road "{text}" does not exist', f"correct the id, or take the {tag} out")
        return
    contact = link.get("contactPoint")
    if contact not in ("start", "end"):
        wrong = f'{tag} contactPoint "{contact}" is unknown'
        report.defect(link, road.where, wrong, "write start or end: where the other road is met")
        return
    own = road.sections[0 if tag == "predecessor" else -1]
    if other.sections:
        same_way = (tag == "successor") == (contact == "start")
        _check_lane_links(report, own, tag, other.sections[0 if contact == "start" else -1], same_way)


def _check_lane_links(report: Report, section: SectionNode, tag: str, target: SectionNode, same_way: bool) -> None:
    """Each lane's link must name a lane of the section that it leads to; CARLA crashes on others.

    A driving lane must lead to one that runs on (`same_way`: s of both sections grows in the same direction).
    Sidewalks of stock towns do not keep to this, and CARLA copes.
    """
    for number, lane in section.lanes.items():
        for link in lane.findall(f"link/{tag}"):
            text = link.get("id", "")
            try:
                known = int(text) in target.lanes
            except ValueError:
                known = False
            if not known:
                wrong = f'{tag} lane "{text}" does not exist in {target.where}'
            elif lane.get("type") == "driving" and number * int(text) * (1 if same_way else -1) < 0:
                wrong = f"{tag} lane {text} of {target.where} runs the other way"
            else:
                continue
            report.defect(link, f"{section.where}, lane {number}", wrong, "correct the id, or take the link out")


def _check_section_links(report: Report, road: RoadNode) -> None:
    left_hand = (road.element.get("rule") or "RHT").upper() == "LHT"
    for before, after in zip(road.sections, road.sections[1:]):
        _check_lane_links(report, before, "successor", after, True)
        _check_lane_links(report, after, "predecessor", before, True)
        for number, lane in before.lanes.items():
            if number and (number < 0) != left_hand:
                _check_continues(report, before, number, lane, "successor", after)
        for number, lane in after.lanes.items():
            if number and (number < 0) == left_hand:
                _check_continues(report, after, number, lane, "predecessor", before)


def _check_continues(
    report: Report, section: SectionNode, number: int, lane: Element, tag: str, target: SectionNode
) -> None:
    """A driving lane that ends inside its road: CARLA's next_until_lane_end crashes on it."""
    if lane.get("type") != "driving" or lane.find(f"link/{tag}") is not None:
        return
    where = f"{section.where}, lane {number}"
    same = target.lanes.get(number)
    if same is not None and same.get("type") == "driving":
        wrong = f"no {tag} link, though lane {number} goes on in {target.where}"
        report.defect(lane, where, wrong, f'add <link><{tag} id="{number}"/></link>')
    else:
        report.warn(lane, where, "a driving lane ends inside its road", f"link it to a lane of {target.where}")


def _check_connection(report: Report, junction: Element, connection: Element, roads: dict[int, RoadNode]) -> None:
    where = f"junction {junction.get('id')}, connection {connection.get('id')}"
    ends: dict[str, RoadNode] = {}
    for name in ("incomingRoad", "connectingRoad"):
        text = connection.get(name, "")
        road = roads.get(int(text)) if text.isdigit() else None
        if road is None:
            wrong = f'{name} "{text}" does not exist'
            report.defect(connection, where, wrong, "correct it, or take the connection out")
        else:
            ends[name] = road
    if len(ends) < 2 or not all(road.sections for road in ends.values()):
        return
    incoming, connecting = ends["incomingRoad"], ends["connectingRoad"]
    first, last = connecting.sections[0], connecting.sections[-1]
    targets = {"start": first.lanes, "end": last.lanes}.get(connection.get("contactPoint", ""))
    if targets is None:
        wrong = f'contactPoint "{connection.get("contactPoint")}" is unknown'
        report.defect(connection, where, wrong, "write start or end of the connecting road")
        return
    sources = _lanes_at_junction(incoming, junction.get("id", ""))
    for link in connection.findall("laneLink"):
        for name, lanes, road in (("from", sources, incoming), ("to", targets, connecting)):
            text = link.get(name, "")
            if text.lstrip("+-").isdigit() and int(text) in lanes:
                continue
            wrong = f'laneLink {name}="{text}": {road.where} has no such lane there, and CARLA drops the connection'
            report.defect(link, where, wrong, "correct the lane id, or take the link out")


def _lanes_at_junction(road: RoadNode, junction: str) -> dict[int, Element]:
    """Lanes of the section with which a road meets a junction; of both ends where its links do not tell."""
    lanes: dict[int, Element] = {}
    for tag, section in (("predecessor", road.sections[0]), ("successor", road.sections[-1])):
        link = road.element.find(f"link/{tag}")
        if link is not None and link.get("elementType") == "junction" and link.get("elementId") == junction:
            lanes.update(section.lanes)
    return lanes or {**road.sections[0].lanes, **road.sections[-1].lanes}
