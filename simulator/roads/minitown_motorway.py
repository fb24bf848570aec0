"""MiniTown's motorway: two carriageways on a deck, two diamond interchanges, a rest area, ring roads at both ends.

Eastbound runs inside the town's rim, westbound outside of it. Along its way each carriageway passes

    rise (3 lanes) | exit lane (4) | bridge (3) | weaving lane (4) | bridge (3) | entry lane (4) | descent (3)

where each bar is a junction of 25 m in which the fourth lane opens, leaves as a ramp, arrives as a ramp, or ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.roads.writer.geometry import Path, Pose, Profile, polyline_path
from simulator.roads.writer.road import EDGE_LINE, Arm, Road
from simulator.roads.writer.town import Town

MIDDLE_Y = 310.0
SIDE_X = 500.0
CURVE_RADIUS = 75.0
BEGIN_Y = 215.0  # where the carriageways begin
RING_END_Y = 180.0  # where the ring roads end
DECK = 6.0  # height of the bridges
HALF_MEDIAN = 4.0
RAMP_GAP = 19.0  # from the middle to a ramp's left edge where it leaves
STRETCHES = {  # begin and end of the straight parts, metres in the direction of travel from the town's middle
    "exit lane": (-385, -330),
    "first bridge": (-305, -95),
    "weaving lane": (-70, 70),
    "second bridge": (95, 305),
    "entry lane": (330, 385),
}
CREST = 410.0  # where curve and bridge meet
MAIN_LANES = [(-1, -1), (-2, -2), (-3, -3)]

REST_AREA_OFFSET = 18.0  # from the carriageway's left edge to that of the rest area's lane
REST_AREA_ANGLES = (12, 30, 60, 78)  # degrees of the curve: exit begins, ends, entry begins, ends


class Motorway:
    """Draws the motorway into a town.

    Args:
        town: receives the roads and the motorway's own junctions.
        crossings: name -> x, y, z, setback of the crossings of ramps and ring roads (AS, BS, AN, BN, W1, E1).

    `arms` lists what the crossings get: (crossing, name of the arm, arm).
    """

    def __init__(self, town: Town, crossings: Mapping[str, tuple[float, float, float, float]]) -> None:
        self.town = town
        self.crossings = crossings
        self.arms: list[tuple[str, str, Arm]] = []
        ramps = {name: (self._ramp(name, "exit"), self._ramp(name, "entry")) for name in ("AS", "BS", "BN", "AN")}
        eastbound = self._carriageway("eastbound", 1, *ramps["AS"], *ramps["BS"])
        westbound = self._carriageway("westbound", -1, *ramps["BN"], *ramps["AN"])
        self._join_ring("West Ring North", "W1", eastbound[0], westbound[1])
        self._join_ring("East Ring North", "E1", westbound[0], eastbound[1])

    def _ramp(self, crossing: str, use: str) -> Road:
        """A one-lane ramp between a crossing and the outer lane; north ones are south ones turned by half a turn."""
        x, y, z, setback = self.crossings[crossing]
        flip = 1 if y < MIDDLE_Y else -1
        top = MIDDLE_Y - flip * RAMP_GAP
        points = [(x - flip * 105, top), (x - flip * 84, top - flip * 3), (x - flip * 45, y), (x - flip * setback, y)]
        if use == "entry":
            points = [(2 * x - px, py) for px, py in reversed(points)]
        road = self.town.road(
            f"Ramp {crossing} {use}", polyline_path(points, 35.0), "", "ds", center=EDGE_LINE, speed=50, kind="rural"
        )
        road.elevate((0, DECK), (1, z)) if use == "exit" else road.elevate((0, z), (1, DECK))
        self.arms.append((crossing, use, Arm(road, "end" if use == "exit" else "start")))
        return road

    def _carriageway(
        self, name: str, side: int, exit1: Road, entry1: Road, exit2: Road, entry2: Road
    ) -> tuple[Road, Road]:
        """One direction (side 1: eastbound, -1: westbound). Returns its first and its last road."""
        y = MIDDLE_Y - side * HALF_MEDIAN
        column = side * (SIDE_X - side * HALF_MEDIAN)
        radius = CURVE_RADIUS - side * HALF_MEDIAN
        up = polyline_path([(-column, BEGIN_Y), (-column, y), (-side * CREST, y)], radius)
        down = polyline_path([(side * CREST, y), (column, y), (column, BEGIN_Y)], radius)
        rising = Profile.eased([(0.0, 0.0), (up.length, DECK)])
        if side > 0:
            first = crest = self._road(f"{name} rise", up, rising)
        else:
            first, crest = self._rest_area(name, up, rising, radius)
        parts = {}
        for part, (begin, end) in STRETCHES.items():
            path = polyline_path([(side * begin, y), (side * end, y)], ())
            lanes = "hhhhS" if part.endswith("lane") else "hhhS"
            parts[part] = self._road(f"{name} {part}", path, Profile.constant(DECK), lanes)
        descent = self._road(f"{name} descent", down, Profile.eased([(0.0, DECK), (down.length, 0.0)]))
        exit_lane, bridge1, weave, bridge2, entry_lane = parts.values()
        leave, arrive = {(0, 1): MAIN_LANES, (0, 2): [(-4, -1)]}, {(0, 1): MAIN_LANES, (2, 1): [(-1, -4)]}
        self._junction(f"{name} exit lane opens", [crest, exit_lane], {(0, 1): [*MAIN_LANES, (-3, -4)]})
        self._junction(f"{name} first exit", [exit_lane, bridge1, exit1], leave)
        self._junction(f"{name} first entry", [bridge1, weave, entry1], arrive)
        self._junction(f"{name} second exit", [weave, bridge2, exit2], leave)
        self._junction(f"{name} second entry", [bridge2, entry_lane, entry2], arrive)
        self._junction(f"{name} entry lane ends", [entry_lane, descent], {(0, 1): [*MAIN_LANES, (-4, -3)]})
        return first, descent

    def _rest_area(self, name: str, up: Path, rising: Profile, radius: float) -> tuple[Road, Road]:
        """A one-lane road with parking beside the rising curve. Returns the carriageway's roads before and after it."""
        straight = up.pieces[0].length
        s1, s2, s3, s4 = (straight + radius * math.radians(angle) for angle in REST_AREA_ANGLES)
        rise = self._road(f"{name} rise", up.part(0.0, s1), rising.part(0.0, s1))
        bend = self._road(f"{name} bend", up.part(s2, s3), rising.part(s2, s3))
        crest = self._road(f"{name} crest", up.part(s4, up.length), rising.part(s4, up.length))
        outer = radius + REST_AREA_OFFSET
        path = Path(up.at(s2).moved(0.0, -REST_AREA_OFFSET)).arc(outer * (s3 - s2) / radius, 1 / outer)
        rest = self.town.road("Rest Area", path, "", "dp", center=EDGE_LINE, speed=40)
        rest.elevation = Profile.eased([(0.0, rising.value(s2)), (path.length, rising.value(s3))])
        self._junction(f"{name} rest area exit", [rise, bend, rest], {(0, 1): MAIN_LANES, (0, 2): [(-3, -1)]})
        self._junction(f"{name} rest area entry", [bend, crest, rest], {(0, 1): MAIN_LANES, (2, 1): [(-1, -3)]})
        return rise, crest

    def _join_ring(self, name: str, crossing: str, leaving: Road, arriving: Road) -> None:
        """The ring road of 2+2 lanes from a crossing to where the carriageways part."""
        x, y, _, setback = self.crossings[crossing]
        path = Path(Pose(x, RING_END_Y, -math.pi / 2)).line(RING_END_Y - y - setback)
        ring = self.town.road(name, path, "dds", "dds", speed=70, kind="rural")
        self.arms.append((crossing, name, Arm(ring, "end")))
        self._junction(
            f"ends in {name}",
            [arriving, ring, leaving],
            {(1, 2): [(1, -1), (2, -2), (2, -3)], (0, 1): [(-1, -1), (-2, -2), (-3, -2)]},
        )

    def _road(self, part: str, path: Path, elevation: Profile, lanes: str = "hhhS") -> Road:
        road = self.town.road(f"Motorway {part}", path, "", lanes, center=EDGE_LINE, speed=90, kind="motorway")
        road.elevation = elevation
        return road

    def _junction(self, name: str, roads: list[Road], moves: dict[tuple[int, int], list[tuple[int, int]]]) -> None:
        """A junction of the motorway: one-way roads end here where `moves` lets them enter, a two-way road begins."""
        entering = {i for i, _ in moves}
        arms = [Arm(r, "end" if i in entering and not r.sections[0].left else "start") for i, r in enumerate(roads)]
        self.town.junction(f"Motorway {name}", arms, moves, shoulders=True)
