"""MiniTown: the town that ships with the package, drawn so that every scenario type finds its place.

Frame of the tables below: OpenDRIVE (x east, y north, metres); CARLA's y is the negative of it.

```
         ,------ Hill Road ------- N ------- Hill Road ------.            y  460   1+1 rural, hill, passing allowed
        AN  ramps                  |                ramps   BN            y  375   stop signs
    ,=== motorway 3+3, 6 m up: exits, entries, weaving, rest area ==.     y  310   underpasses at x -200, 0, 200
    |   AS  ramps                  |                ramps   BS      |     y  245   stop | lights, left pocket
    W1 -- A (lights, pockets) -- B (lights) -------- C (lights) -- E1     y   90   avenues 2+2 and 3+3, parking, bikes
    |     |                        |                 |              |
    W2 -- D (lights) -------- roundabout ----------- F (stop) ---- E2     y  -90   residential, passing allowed
    |     |                        |                 |              |
     `-- S1 (yield) ---------- S2 (lights) --------- S3 (stop) ----'      y -270   Old Road, parking
  x -500 -200                      0                 200           500
```

`python -m simulator.roads.minitown [OUT]` writes the file.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import NamedTuple

from simulator.roads.minitown_motorway import Motorway
from simulator.roads.writer.geometry import Path, Pose, polyline_path
from simulator.roads.writer.junction import Junction
from simulator.roads.writer.road import (
    DOUBLE_YELLOW,
    EDGE_LINE,
    NO_PASSING,
    PASSING_ALLOWED,
    Arm,
    Contact,
    Mark,
)
from simulator.roads.writer.town import Town
from simulator.roads.writer.xml import to_xodr

TOWN_FILE = FilePath(__file__).parent / "towns" / "MiniTown.xodr"


class Crossing(NamedTuple):
    """Middle of a crossing, and the distance from there to the mouths of its arms."""

    x: float
    y: float
    z: float
    setback: float


CROSSINGS = {
    "W1": Crossing(-500, 90, 0.0, 22),
    "W2": Crossing(-500, -90, 0.0, 20),
    "A": Crossing(-200, 90, 0.0, 22),
    "B": Crossing(0, 90, 0.0, 24),
    "C": Crossing(200, 90, 1.5, 24),
    "D": Crossing(-200, -90, -1.0, 20),
    "F": Crossing(200, -90, 1.0, 20),
    "E1": Crossing(500, 90, 0.0, 22),
    "E2": Crossing(500, -90, 0.0, 20),
    "S1": Crossing(-200, -270, 0.0, 18),
    "S2": Crossing(0, -270, 0.0, 18),
    "S3": Crossing(200, -270, 0.0, 18),
    "AS": Crossing(-200, 245, 1.0, 20),
    "BS": Crossing(200, 245, 1.0, 20),
    "AN": Crossing(-200, 375, 1.0, 20),
    "BN": Crossing(200, 375, 1.0, 20),
    "N": Crossing(0, 460, 2.0, 20),
}


@dataclass(frozen=True)
class Street:
    """A two-way street between two crossings, with the same cross-section on both sides."""

    name: str
    start: str
    end: str
    lanes: str  # letters of `writer.road.LANE_KINDS`
    center: Mark = DOUBLE_YELLOW
    speed: float = 50.0
    kind: str = "town"
    hill: float = 0.0  # metres above the line between its ends, halfway
    via: tuple[tuple[float, float], ...] = ()
    radius: tuple[float, ...] = ()
    pockets: tuple[tuple[Contact, float, float], ...] = ()  # left-turn lanes: end, full length, taper


_WINDING = ((-500.0, -190.0), (-445.0, -285.0), (-340.0, -285.0), (-290.0, -270.0))

STREETS = (
    # row 1: avenues
    Street("West Avenue", "W1", "A", "ddpbw", pockets=(("end", 45.0, 35.0),)),
    Street("Grand Avenue", "A", "B", "ddbw", pockets=(("start", 45.0, 35.0),)),
    Street("Broad Avenue", "B", "C", "dddbw", speed=60),
    Street("East Avenue", "C", "E1", "ddpbw"),
    # row 2: residential
    Street("Chestnut Street", "W2", "D", "dpbw", PASSING_ALLOWED, speed=30, hill=1.5),
    Street("Orchard Street", "F", "E2", "dbw", PASSING_ALLOWED),
    # row 3: Old Road
    Street("Old Road", "W2", "S1", "dpw", PASSING_ALLOWED, 40, hill=2.0, via=_WINDING, radius=(45, 45, 60, 60)),
    Street("Old Road East", "S1", "S2", "dpw", PASSING_ALLOWED, 40),
    Street("Market Street", "S2", "S3", "ddpw", speed=40),
    Street("South Bend", "S3", "E2", "dsw", PASSING_ALLOWED, 60, "rural", 3.0, ((500.0, -270.0),), (55.0,)),
    # columns
    Street("School Street", "S1", "D", "dsw", PASSING_ALLOWED, speed=40),
    Street("Garden Street", "S3", "F", "dsw", PASSING_ALLOWED, speed=40, hill=2.0),
    Street("Mill Street", "D", "A", "ddbw"),
    Street("Church Street", "F", "C", "ddbw"),
    Street("North Mill Street", "A", "AS", "ddsw"),
    Street("North Church Street", "C", "BS", "ddsw"),
    Street("Park Street", "B", "N", "ddsw", hill=-1.0),
    Street("West Underpass", "AS", "AN", "dsw", NO_PASSING, hill=-1.0),
    Street("East Underpass", "BS", "BN", "dsw", NO_PASSING, hill=-1.0, pockets=(("start", 25.0, 25.0),)),
    # the rim
    Street("West Ring", "W1", "W2", "ddbw", speed=70, kind="rural"),
    Street("East Ring", "E2", "E1", "ddbw", speed=70, kind="rural"),
    Street("Hill Road West", "AN", "N", "ds", PASSING_ALLOWED, 70, "rural", 6.0, ((-200.0, 460.0),), (45.0,)),
    Street("Hill Road East", "N", "BN", "ds", PASSING_ALLOWED, 70, "rural", 6.0, ((200.0, 460.0),), (45.0,)),
)

#: crossing -> green phases; street (or ramp) -> turns that are green in it
LIGHTS: dict[str, tuple[dict[str, str], ...]] = {
    "A": (
        {"West Avenue": "SR", "Grand Avenue": "SR"},
        {"West Avenue": "L", "Grand Avenue": "L"},
        {"Mill Street": "LSR", "North Mill Street": "LSR"},
    ),
    "B": (
        {"Grand Avenue": "SR", "Broad Avenue": "SR"},
        {"Grand Avenue": "L", "Broad Avenue": "L"},
        {"Park Street": "LSR"},
        {"Bridge Street": "LSR"},
    ),
    "C": (
        {"Broad Avenue": "LSR", "East Avenue": "LSR"},
        {"Church Street": "LSR", "North Church Street": "LSR"},
    ),
    "D": (
        {"Chestnut Street": "LSR", "Poplar Street West": "LSR"},
        {"Mill Street": "LSR", "School Street": "LSR"},
    ),
    "S2": (
        {"Old Road East": "LSR", "Market Street": "LSR"},
        {"Station Street": "LSR"},
    ),
    "BS": (
        {"North Church Street": "SR", "East Underpass": "SR"},
        {"East Underpass": "L"},
        {"exit": "LSR"},
    ),
}

STOPS = {
    "W1": ("West Avenue",),
    "E1": ("East Avenue",),
    "E2": ("Orchard Street",),
    "F": ("Orchard Street", "Poplar Street East"),
    "S3": ("Garden Street",),
    "AS": ("exit",),
    "AN": ("exit",),
    "BN": ("exit",),
}

YIELDS = {"W2": ("Chestnut Street",), "S1": ("School Street",), "N": ("Park Street",)}

CROSSWALKS = ("A", "B", "C", "D", "S2", "F")

ROUNDABOUT = (0.0, -90.0)
RING_RADIUS = 19.0  # of the inner edge
RING_ARM = 40.0  # from the middle to the mouths of the arms
RING_JUNCTION = math.radians(30)  # half angle of the ring that belongs to an arm's junction

#: spokes in the order of their bearing: unit vector, street, its lanes, the crossing at its far end
SPOKES = (
    ((1, 0), "Poplar Street East", "dsw", "F"),
    ((0, 1), "Bridge Street", "dsw", "B"),
    ((-1, 0), "Poplar Street West", "dsw", "D"),
    ((0, -1), "Station Street", "dpw", "S2"),
)


class MiniTown:
    """Draws the town part by part. `town` holds the result, `junctions` its crossings by name."""

    def __init__(self) -> None:
        self.town = Town("MiniTown")
        self.arms: dict[str, dict[str, Arm]] = {name: {} for name in CROSSINGS}
        self.junctions: dict[str, Junction] = {}
        for street in STREETS:
            self._draw_street(street)
        self._draw_roundabout()
        ends = {name: (c.x, c.y, c.z, c.setback) for name, c in CROSSINGS.items()}
        for crossing, name, arm in Motorway(self.town, ends).arms:
            self.arms[crossing][name] = arm
        for crossing in CROSSINGS:
            self._draw_crossing(crossing)
        for road in list(self.town.roads.values()):
            if road.junction == -1 and road.length > 50:
                self.town.speed_signs(road)

    def _draw_street(self, street: Street) -> None:
        start, end = CROSSINGS[street.start], CROSSINGS[street.end]
        corners = [(start.x, start.y), *street.via, (end.x, end.y)]
        first, last = towards(corners[0], corners[1], start.setback), towards(corners[-1], corners[-2], end.setback)
        road = self.town.road(
            street.name,
            polyline_path([first, *street.via, last], street.radius),
            street.lanes,
            street.lanes,
            center=street.center,
            speed=street.speed,
            kind=street.kind,
        )
        top = [(0.5, (start.z + end.z) / 2 + street.hill)] if street.hill else []
        road.elevate((0, start.z), *top, (1, end.z))
        for contact, length, taper in street.pockets:
            road.add_pocket(contact, length, taper)
        self.arms[street.start][street.name] = Arm(road, "start")
        self.arms[street.end][street.name] = Arm(road, "end")

    def _draw_roundabout(self) -> None:
        """One lane around, counter-clockwise; every entry yields."""
        x, y = ROUNDABOUT
        spokes = []
        for (east, north), name, lanes, other in SPOKES:
            far = CROSSINGS[other]
            mouth = (x + RING_ARM * east, y + RING_ARM * north)
            path = polyline_path([mouth, towards((far.x, far.y), (x, y), far.setback)], ())
            road = self.town.road(name, path, lanes, lanes, center=PASSING_ALLOWED).elevate((0, 0.0), (1, far.z))
            self.arms[other][name] = Arm(road, "end")
            spokes.append(Arm(road, "start"))
        ring = []  # ring[i] runs from spoke i to spoke i + 1
        for quarter in range(4):
            angle = quarter * math.pi / 2 + RING_JUNCTION
            start = Pose(x + RING_RADIUS * math.cos(angle), y + RING_RADIUS * math.sin(angle), angle + math.pi / 2)
            path = Path(start).arc(RING_RADIUS * (math.pi / 2 - 2 * RING_JUNCTION), 1 / RING_RADIUS)
            ring.append(self.town.road("Roundabout", path, "", "rw", center=EDGE_LINE, speed=30))
        for i, spoke in enumerate(spokes):
            arms = [spoke, Arm(ring[i - 1], "end"), Arm(ring[i], "start")]
            around = {(0, 2): [(1, -1)], (1, 2): [(-1, -1)], (1, 0): [(-1, -1)]}
            junction = self.town.junction(f"Roundabout, {spoke.road.name}", arms, around)
            self.town.give_way(junction, 0)
            self.town.crosswalk(spoke.road, 7.0)

    def _draw_crossing(self, name: str) -> None:
        by_bearing = sorted(self.arms[name].items(), key=lambda item: item[1].outward.heading % (2 * math.pi))
        index = {street: i for i, (street, _) in enumerate(by_bearing)}
        junction = self.town.junction(f"Crossing {name}", [arm for _, arm in by_bearing])
        self.junctions[name] = junction
        if name in LIGHTS:
            self.town.signalise(junction, [{index[s]: turns for s, turns in phase.items()} for phase in LIGHTS[name]])
        self.town.stop(junction, *(index[street] for street in STOPS.get(name, ())))
        self.town.give_way(junction, *(index[street] for street in YIELDS.get(name, ())))
        if name in CROSSWALKS:
            self.town.crosswalk_at(junction, *range(len(junction.arms)))


def towards(a: tuple[float, float], b: tuple[float, float], distance: float) -> tuple[float, float]:
    """The point `distance` metres from a towards b."""
    full = math.hypot(b[0] - a[0], b[1] - a[1])
    return (a[0] + (b[0] - a[0]) * distance / full, a[1] + (b[1] - a[1]) * distance / full)


def minitown_xodr() -> str:
    """OpenDRIVE text of MiniTown; the same bytes on every call."""
    return to_xodr(MiniTown().town)


def main() -> None:
    """Write the town to the file named on the command line, or to the one that ships."""
    out = FilePath(sys.argv[1]) if len(sys.argv) > 1 else TOWN_FILE
    out.write_text(minitown_xodr(), encoding="utf-8")
    print(f"wrote {out} ({out.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
