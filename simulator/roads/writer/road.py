"""Roads: a reference line, lane sections on both sides of it, and what stands along it.

A cross-section is written as a string, from the centre outwards, one letter a lane: `"ddpbw"` is two driving lanes,
parking, a bike lane and a sidewalk (`LANE_KINDS`). Right lanes have negative ids and drive along the reference line;
left lanes have positive ids and drive against it (right-hand traffic).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from simulator.roads.writer.geometry import Path, Pose, Profile

Contact = Literal["start", "end"]

#: letter -> (OpenDRIVE lane type, width in metres)
LANE_KINDS = {
    "d": ("driving", 3.5),
    "h": ("driving", 3.75),
    "r": ("driving", 5.0),
    "s": ("shoulder", 0.6),
    "S": ("shoulder", 2.5),
    "p": ("parking", 2.4),
    "b": ("biking", 1.6),
    "w": ("sidewalk", 2.4),
}

POCKET = "pocket"
POCKET_WIDTH = 3.25


class Mark(NamedTuple):
    """A road mark, and which lane changes it allows ("both" or "none")."""

    type: str
    color: str = "standard"
    lane_change: str = "none"


LANE_LINE = Mark("broken", "white", "both")
EDGE_LINE = Mark("solid", "white")
CURB = Mark("curb")
NO_MARK = Mark("none")
NO_PASSING = Mark("solid", "yellow")
DOUBLE_YELLOW = Mark("solid solid", "yellow")
PASSING_ALLOWED = Mark("broken", "yellow", "both")


@dataclass(frozen=True)
class Lane:
    """One lane of one section. `key` names it along the road, to link sections; `mark` is its outer line."""

    key: str
    type: str
    width: Profile  # over metres from the section's start
    mark: Mark


@dataclass
class Section:
    """Lanes between `s` and the next section, each side from the centre outwards."""

    s: float
    left: list[Lane]
    right: list[Lane]


@dataclass(frozen=True)
class Signal:
    """A light's pole or a sign. `lanes` is its validity (0, 0: none, the lanes are named by references)."""

    id: str
    type: str
    name: str
    s: float
    t: float
    orientation: str
    heading_offset: float
    lanes: tuple[int, int]
    dynamic: bool = False
    subtype: str = "-1"
    value: float = -1.0


@dataclass(frozen=True)
class SignalReference:
    """Where a signal of another road rules lanes of this one."""

    id: str
    s: float
    lanes: tuple[int, int]


@dataclass(frozen=True)
class Crosswalk:
    """A closed outline around (s, 0): corners (forward, left) in metres."""

    id: str
    s: float
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Stencil:
    """A STOP stencil painted on a lane."""

    id: str
    s: float
    t: float
    orientation: str


class Link(NamedTuple):
    """What a road's end touches."""

    kind: Literal["road", "junction"]
    id: int
    contact: Contact | None = None


@dataclass
class Road:
    """One `<road>`. `lane_links[lane id] = (lane before, lane after)` leads across its ends to other roads."""

    id: int
    name: str
    path: Path
    sections: list[Section]
    center: Mark
    speed_kmh: float
    kind: str = "town"
    junction: int = -1
    elevation: Profile = field(default_factory=Profile)
    lane_offset: Profile = field(default_factory=Profile)
    predecessor: Link | None = None
    successor: Link | None = None
    lane_links: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    references: list[SignalReference] = field(default_factory=list)
    crosswalks: list[Crosswalk] = field(default_factory=list)
    stencils: list[Stencil] = field(default_factory=list)

    @property
    def length(self) -> float:
        return self.path.length

    def lane(self, lane_id: int, section: Section) -> Lane:
        """Lane by OpenDRIVE id in one of the road's sections."""
        return (section.right if lane_id < 0 else section.left)[abs(lane_id) - 1]

    def border(self, lane_id: int, s: float, outer: bool) -> float:
        """t of a lane's inner or outer border at `s`."""
        section = self.section_at(s)
        lanes = (section.right if lane_id < 0 else section.left)[: abs(lane_id) - (0 if outer else 1)]
        width = sum(lane.width.value(s - section.s) for lane in lanes)
        return self.lane_offset.value(s) + (width if lane_id > 0 else -width)

    def edge(self, side: int, s: float, without: tuple[str, ...] = ()) -> float:
        """t of the outer edge of one side (-1 right, 1 left) at `s`, without outermost lanes of the types `without`."""
        section = self.section_at(s)
        lanes = list(section.right if side < 0 else section.left)
        while lanes and lanes[-1].type in without:
            lanes.pop()
        return self.border(side * len(lanes), s, True) if lanes else self.lane_offset.value(s)

    def section_at(self, s: float) -> Section:
        return [section for section in self.sections if section.s <= s + 1e-9][-1]

    def elevate(self, *knots: tuple[float, float]) -> Road:
        """Set heights (share of the length, metres), level at each knot, smooth between. Returns the road."""
        self.elevation = Profile.eased([(share * self.length, z) for share, z in knots])
        return self

    def split_at(self, s: float) -> None:
        """Start a new section at `s` with the same lanes."""
        for i, section in enumerate(self.sections):
            end = self.sections[i + 1].s if i + 1 < len(self.sections) else self.length
            if section.s + 1e-6 < s < end - 1e-6:
                ds = s - section.s
                left, right = (
                    [replace(lane, width=lane.width.shifted(ds)) for lane in lanes]
                    for lanes in (section.left, section.right)
                )
                self.sections.insert(i + 1, Section(s, left, right))
                return

    def add_pocket(self, contact: Contact, length: float = 45.0, taper: float = 35.0) -> None:
        """Open a left-turn lane before the junction at `contact`.

        The parking lane of that side ends where the pocket opens, and the centre line moves by half the pocket's width,
        so that pockets of opposite arms leave the through lanes in line.
        """
        opening, full = self.length - length - taper, self.length - length
        if contact == "start":
            opening, full = length + taper, length
        for s in sorted((opening, full)):
            self.split_at(s)
        growing = Profile.eased([(0.0, 0.0), (taper, POCKET_WIDTH)])
        shrinking = Profile.eased([(0.0, POCKET_WIDTH), (taper, 0.0)])
        for section in self.sections:
            tapering = abs(section.s - min(opening, full)) < 1e-6
            is_full = section.s >= full - 1e-6 if contact == "end" else section.s < full - 1e-6
            if not tapering and not is_full:
                continue
            width = Profile.constant(POCKET_WIDTH)
            if tapering:
                width = growing if contact == "end" else shrinking
            pocket = Lane(POCKET, "driving", width, LANE_LINE if tapering else EDGE_LINE)
            lanes = section.right if contact == "end" else section.left
            if tapering:
                lanes[:] = [_closing(lane, taper, contact) if lane.type == "parking" else lane for lane in lanes]
            else:
                lanes[:] = _marked([lane for lane in lanes if lane.type != "parking"])
            lanes.insert(0, pocket)
        self._shift_center(contact, opening, full)

    def _shift_center(self, contact: Contact, opening: float, full: float) -> None:
        shift = POCKET_WIDTH / 2 if contact == "end" else -POCKET_WIDTH / 2
        knots = [(p.s, p.a) for p in self.lane_offset.pieces]
        if contact == "end":
            knots = [*knots, (opening, knots[-1][1]), (full, shift)]
        else:
            knots = [(0.0, shift), (full, shift), (opening, 0.0), *knots[1:]]
        self.lane_offset = Profile.eased([k for i, k in enumerate(knots) if i == 0 or k[0] > knots[i - 1][0] + 1e-6])


def _closing(lane: Lane, taper: float, contact: Contact) -> Lane:
    width = lane.width.value(0.0)
    ends = (width, 0.0) if contact == "end" else (0.0, width)
    return replace(lane, width=Profile.eased([(0.0, ends[0]), (taper, ends[1])]))


def cross_section(letters: str, lane_width: float | None = None) -> list[Lane]:
    """Lanes of one side from its letters, with the marks between such lanes; `lane_width` overrules driving lanes."""
    lanes = []
    counts: dict[str, int] = {}
    for i, letter in enumerate(letters):
        kind, width = LANE_KINDS[letter]
        if kind == "driving" and lane_width is not None:
            width = lane_width
        outside = LANE_KINDS[letters[i + 1]][0] if i + 1 < len(letters) else ""
        counts[kind] = counts.get(kind, 0) + 1
        lanes.append(Lane(f"{kind}{counts[kind]}", kind, Profile.constant(width), _mark_between(kind, outside)))
    return lanes


def _marked(lanes: list[Lane]) -> list[Lane]:
    """The same lanes with marks for their present neighbours."""
    outside = [*(lane.type for lane in lanes[1:]), ""]
    return [replace(lane, mark=_mark_between(lane.type, next_type)) for lane, next_type in zip(lanes, outside)]


def _mark_between(inside: str, outside: str) -> Mark:
    if outside == "sidewalk":
        return CURB
    if inside == "driving":
        return LANE_LINE if outside in ("driving", "parking") else EDGE_LINE
    if inside == "biking" or outside == "biking":
        return EDGE_LINE
    return NO_MARK


class Arm(NamedTuple):
    """One end of a road, seen from the junction that it touches."""

    road: Road
    contact: Contact

    @property
    def s(self) -> float:
        return self.road.length if self.contact == "end" else 0.0

    @property
    def section(self) -> Section:
        return self.road.sections[-1 if self.contact == "end" else 0]

    @property
    def outward(self) -> Pose:
        """Pose of the reference line at the mouth, looking away from the junction."""
        pose = self.road.path.end if self.contact == "end" else self.road.path.start
        return pose.reversed() if self.contact == "end" else pose

    def side(self, incoming: bool) -> int:
        """-1 where the lanes in question are right lanes, 1 where they are left lanes."""
        return -1 if (self.contact == "end") == incoming else 1

    def lanes(self, incoming: bool, kind: str = "driving") -> list[int]:
        """Lane ids of one type and direction, from the centre outwards."""
        side = self.side(incoming)
        lanes = self.section.right if side < 0 else self.section.left
        return [side * (i + 1) for i, lane in enumerate(lanes) if lane.type == kind]

    def lane(self, lane_id: int) -> Lane:
        return self.road.lane(lane_id, self.section)

    def width(self, lane_id: int) -> float:
        return self.lane(lane_id).width.value(self.s - self.section.s)

    def lane_pose(self, lane_id: int, incoming: bool) -> Pose:
        """Pose on the left border of a lane (seen in its direction of travel) at the mouth."""
        pose = self.outward.reversed() if incoming else self.outward
        across = abs(self.road.border(lane_id, self.s, False) - self.road.lane_offset.value(self.s))
        return pose.moved(0.0, self._center(incoming) - across)

    def _center(self, incoming: bool) -> float:
        """Offset of the lanes' centre line to the left of the direction of travel."""
        offset = self.road.lane_offset.value(self.s)
        return offset if (self.contact == "end") == incoming else -offset

    def height(self) -> float:
        return self.road.elevation.value(self.s)

    def climb(self, incoming: bool) -> float:
        """Slope at the mouth in the direction of travel."""
        slope = self.road.elevation.slope(self.s)
        return slope if (self.contact == "end") == incoming else -slope
