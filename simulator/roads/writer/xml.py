"""OpenDRIVE 1.4 text of a town, in the dialect that `carla.Map` reads.

Numbers are rounded, so that the last bit of a platform's sine does not reach the file. laneChange is always written,
because CARLA reads a missing one as "both"; crosswalks use `<outline>` directly, because CARLA ignores `<outlines>`.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from simulator.roads.writer.geometry import Cubic, Piece, Profile
from simulator.roads.writer.road import Lane, Mark, Road, Section, Signal, SignalReference
from simulator.roads.writer.town import Controller, Town


def to_xodr(town: Town) -> str:
    """The town as OpenDRIVE text, ending in a newline."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<OpenDRIVE>", _header(town)]
    lines += [_road(road) for road in town.roads.values()]
    lines += [_controller(controller) for controller in town.controllers]
    lines += [_junction(town, junction_id) for junction_id in town.junctions]
    return "\n".join([*lines, "</OpenDRIVE>", ""])


def number(value: float, digits: int = 5) -> str:
    """Shortest decimal text of a rounded number; never "-0"."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _coefficients(cubic: Cubic) -> str:
    a, b, c, d = number(cubic.a), number(cubic.b, 8), number(cubic.c, 10), number(cubic.d, 12)
    return f'a="{a}" b="{b}" c="{c}" d="{d}"'


def _header(town: Town) -> str:
    ends = [pose for road in town.roads.values() for pose in (road.path.start, road.path.end)]
    east, west = max(p.x for p in ends), min(p.x for p in ends)
    north, south = max(p.y for p in ends), min(p.y for p in ends)
    geo = (
        f"+proj=tmerc +lat_0={number(town.latitude)} +lon_0={number(town.longitude)} "
        "+k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +vunits=m +no_defs"
    )
    return (
        f'<header revMajor="1" revMinor="4" name={quoteattr(town.name)} version="1" date="" vendor="RouteGym" '
        f'north="{number(north, 0)}" south="{number(south, 0)}" east="{number(east, 0)}" west="{number(west, 0)}">'
        f"<geoReference><![CDATA[{geo}]]></geoReference></header>"
    )


def _road(road: Road) -> str:
    name = quoteattr(road.name or f"Road {road.id}")
    parts = [f'<road name={name} length="{number(road.length)}" id="{road.id}" junction="{road.junction}"><link>']
    for tag, link in (("predecessor", road.predecessor), ("successor", road.successor)):
        if link:
            contact = f' contactPoint="{link.contact}"' if link.contact else ""
            parts.append(f'<{tag} elementType="{link.kind}" elementId="{link.id}"{contact}/>')
    parts.append(
        f'</link><type s="0" type="{road.kind}"><speed max="{number(road.speed_kmh)}" unit="km/h"/></type><planView>'
    )
    s = 0.0
    for piece in road.path.pieces:
        parts.append(_geometry(piece, s))
        s += piece.length
    parts.append("</planView><elevationProfile>")
    parts += [f'<elevation s="{number(c.s)}" {_coefficients(c)}/>' for c in _within(road.elevation, road.length)]
    parts.append("</elevationProfile><lanes>")
    parts += [f'<laneOffset s="{number(c.s)}" {_coefficients(c)}/>' for c in _within(road.lane_offset, road.length)]
    parts += [_section(road, i) for i in range(len(road.sections))]
    parts.append("</lanes>")
    parts += _objects(road)
    if road.signals or road.references:
        signals = [_signal(signal) for signal in road.signals] + [_reference(r) for r in road.references]
        parts += ["<signals>", *signals, "</signals>"]
    parts.append("</road>")
    return "".join(parts)


def _geometry(piece: Piece, s: float) -> str:
    start = piece.start
    if piece.u is not None and piece.v is not None:
        u = " ".join(f'{k}U="{number(value, 6)}"' for k, value in zip("bcd", piece.u))
        v = " ".join(f'{k}V="{number(value, 6)}"' for k, value in zip("bcd", piece.v))
        shape = f'<paramPoly3 pRange="normalized" aU="0" {u} aV="0" {v}/>'
    elif piece.curvature:
        shape = f'<arc curvature="{number(piece.curvature, 10)}"/>'
    else:
        shape = "<line/>"
    return (
        f'<geometry s="{number(s)}" x="{number(start.x)}" y="{number(start.y)}" hdg="{number(start.heading, 8)}" '
        f'length="{number(piece.length)}">{shape}</geometry>'
    )


def _section(road: Road, index: int) -> str:
    section = road.sections[index]
    parts = [f'<laneSection s="{number(section.s)}">']
    if section.left:
        parts.append("<left>")
        parts += [_lane(road, index, i + 1) for i in reversed(range(len(section.left)))]
        parts.append("</left>")
    parts.append(f'<center><lane id="0" type="none" level="false">{_mark(road.center)}</lane></center>')
    if section.right:
        parts.append("<right>")
        parts += [_lane(road, index, -(i + 1)) for i in range(len(section.right))]
        parts.append("</right>")
    parts.append("</laneSection>")
    return "".join(parts)


def _lane(road: Road, index: int, lane_id: int) -> str:
    lane = road.lane(lane_id, road.sections[index])
    before, after = _lane_links(road, index, lane_id, lane)
    link = "".join(
        f'<{tag} id="{other}"/>' for tag, other in (("predecessor", before), ("successor", after)) if other is not None
    )
    end = road.sections[index + 1].s if index + 1 < len(road.sections) else road.length
    pieces = _within(lane.width, end - road.sections[index].s)
    widths = "".join(f'<width sOffset="{number(c.s)}" {_coefficients(c)}/>' for c in pieces)
    limit = f'<speed sOffset="0" max="{number(road.speed_kmh)}" unit="km/h"/>' if lane.type == "driving" else ""
    return (
        f'<lane id="{lane_id}" type="{lane.type}" level="false">'
        f"<link>{link}</link>{widths}{_mark(lane.mark)}{limit}</lane>"
    )


def _within(profile: Profile, length: float) -> list[Cubic]:
    """Pieces that begin before `length`."""
    return [c for c in profile.pieces if c.s < length - 1e-4]


def _lane_links(road: Road, index: int, lane_id: int, lane: Lane) -> tuple[int | None, int | None]:
    """Ids of the lane before and after along s: in the neighbouring section, or across the road's ends."""
    before, after = road.lane_links.get(lane_id, (None, None))
    if index > 0:
        before = _same_lane(road.sections[index - 1], lane_id, lane)
    if index + 1 < len(road.sections):
        after = _same_lane(road.sections[index + 1], lane_id, lane)
    return before, after


def _same_lane(section: Section, lane_id: int, lane: Lane) -> int | None:
    side = -1 if lane_id < 0 else 1
    lanes = section.right if side < 0 else section.left
    return next((side * (i + 1) for i, other in enumerate(lanes) if other.key == lane.key), None)


def _mark(mark: Mark) -> str:
    return (
        f'<roadMark sOffset="0" type="{mark.type}" weight="standard" color="{mark.color}" width="0.15" '
        f'laneChange="{mark.lane_change}"/>'
    )


def _objects(road: Road) -> list[str]:
    if not (road.crosswalks or road.stencils):
        return []
    parts = ["<objects>"]
    for walk in road.crosswalks:
        corners = "".join(f'<cornerLocal u="{number(u)}" v="{number(v)}" z="0"/>' for u, v in walk.corners)
        parts.append(
            f'<object id="{walk.id}" name="SolidZebra" type="crosswalk" s="{number(walk.s)}" t="0" zOffset="0" hdg="0" '
            f'pitch="0" roll="0" orientation="-" width="3" length="10"><outline>{corners}</outline></object>'
        )
    for stencil in road.stencils:
        parts.append(
            f'<object id="{stencil.id}" name="Stencil_STOP" type="-1" s="{number(stencil.s)}" t="{number(stencil.t)}" '
            f'zOffset="0" hdg="0" pitch="0" roll="0" orientation="{stencil.orientation}" width="2" length="3"/>'
        )
    parts.append("</objects>")
    return parts


def _signal(signal: Signal) -> str:
    return (
        f'<signal name="{signal.name}" id="{signal.id}" s="{number(signal.s)}" t="{number(signal.t)}" zOffset="0" '
        f'hOffset="{number(signal.heading_offset, 8)}" roll="0" pitch="0" orientation="{signal.orientation}" '
        f'dynamic="{"yes" if signal.dynamic else "no"}" country="OpenDRIVE" type="{signal.type}" '
        f'subtype="{signal.subtype}" value="{number(signal.value)}" text="" height="1.16" width="0.52">'
        f'<validity fromLane="{signal.lanes[0]}" toLane="{signal.lanes[1]}"/></signal>'
    )


def _reference(reference: SignalReference) -> str:
    return (
        f'<signalReference s="{number(reference.s)}" t="0" id="{reference.id}" orientation="-">'
        f'<validity fromLane="{reference.lanes[0]}" toLane="{reference.lanes[1]}"/></signalReference>'
    )


def _controller(controller: Controller) -> str:
    controls = "".join(f'<control signalId="{signal}" type="0"/>' for signal in controller.signals)
    return (
        f'<controller name="Phase{controller.id}" id="{controller.id}" sequence="{controller.sequence}">'
        f"{controls}</controller>"
    )


def _junction(town: Town, junction_id: int) -> str:
    junction = town.junctions[junction_id]
    parts = [f'<junction id="{junction.id}" name={quoteattr(junction.name)}>']
    for n, connection in enumerate(junction.connections):
        incoming = junction.arms[connection.entry].road.id
        links = "".join(f'<laneLink from="{a}" to="{-(i + 1)}"/>' for i, (a, _) in enumerate(connection.pairs))
        parts.append(
            f'<connection id="{n}" incomingRoad="{incoming}" connectingRoad="{connection.road.id}" '
            f'contactPoint="start">{links}</connection>'
        )
    sequence = {c.id: c.sequence for c in town.controllers}
    parts += [f'<controller id="{c}" type="0" sequence="{sequence[c]}"/>' for c in junction.controllers]
    parts.append("</junction>")
    return "".join(parts)
