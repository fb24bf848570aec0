"""MiniTown: the town that ships with the package, drawn so that every scenario type finds its place.

Frame of the tables below: OpenDRIVE (x east, y north, metres); CARLA's y is the negative of it.

```
        ,------- Hill Road ------- N ------- Hill Road -------.          y  460   1+1 rural, hill, passing allowed
     ramps A north                 |                  ramps B north      y  375   stop signs
   ,==== motorway, 3+3 lanes, 6 m up, exits, entries, weaving ====.      y  310   underpasses at x -200, 0, 200
   | ramps A south                 |                  ramps B south |    y  245   stop | lights
   W1 ---- A (3 phases) ------ B (4 phases) ------ C (lights) ---- E1    y   90   avenues 2+2 and 3+3, parking, bikes
   |       |                       |                  |            |
   W2 ---- D (lights) ---- roundabout ---------- F (stop) ------- E2     y  -90   residential, passing allowed
   |       |                       |                  |            |
    `--S1 (yield) ----------- S2 (lights) ------- S3 (stop) ------'      y -270   Old Road, parking
 x -500  -200                      0                 200          500
```

`python -m simulator.roads.minitown [OUT]` writes the file.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path as FilePath

from simulator.roads.writer.geometry import Path, Pose, polyline_path
from simulator.roads.writer.junction import Junction
from simulator.roads.writer.road import (
    DOUBLE_YELLOW,
    EDGE_LINE,
    NO_PASSING,
    PASSING_ALLOWED,
    Arm,
    Mark,
    Road,
)
from simulator.roads.writer.town import Town
from simulator.roads.writer.xml import to_xodr

TOWN_FILE = FilePath(__file__).parent / "towns" / "MiniTown.xodr"

#: crossing -> x, y, z of its middle, and the distance from there to the mouths of its arms
CROSSINGS: dict[str, tuple[float, float, float, float]] = {
    "W1": (-500, 90, 0.0, 22),
    "W2": (-500, -90, 0.0, 20),
    "A": (-200, 90, 0.0, 22),
    "B": (0, 90, 0.0, 24),
    "C": (200, 90, 1.5, 24),
    "D": (-200, -90, -1.0, 20),
    "F": (200, -90, 1.0, 20),
    "E1": (500, 90, 0.0, 22),
    "E2": (500, -90, 0.0, 20),
    "S1": (-200, -270, 0.0, 18),
    "S2": (0, -270, 0.0, 18),
    "S3": (200, -270, 0.0, 18),
    "AS": (-200, 245, 1.0, 20),
    "BS": (200, 245, 1.0, 20),
    "AN": (-200, 375, 1.0, 20),
    "BN": (200, 375, 1.0, 20),
    "N": (0, 460, 2.0, 20),
}

ROUNDABOUT = (0.0, -90.0)
RING_RADIUS = 19.0  # of the inner edge
RING_ARM = 40.0  # from the middle to the mouths of the arms
RING_JUNCTION = math.radians(30)  # half angle of the ring that belongs to an arm's junction

MOTORWAY_Y = 310.0
MOTORWAY_X = 500.0
MOTORWAY_RADIUS = 75.0
MOTORWAY_END = 215.0  # y at which the carriageways begin
DECK = 6.0  # height of the motorway
HALF_MEDIAN = 4.0


class MiniTown:
    """Draws the town part by part; `town` holds the result."""

    def __init__(self) -> None:
        self.town = Town("MiniTown")
        self.arms: dict[str, dict[str, Arm]] = {name: {} for name in CROSSINGS}
        self.draw_streets()
        self.draw_roundabout()
        self.draw_motorway()
        self.draw_crossings()
        self.draw_signs()

    # ---- streets -----------------------------------------------------------------------------------------------------

    def street(
        self,
        name: str,
        start: str,
        end: str,
        lanes: str,
        *,
        via: tuple[tuple[float, float], ...] = (),
        radius: float | tuple[float, ...] = 40.0,
        center: Mark = DOUBLE_YELLOW,
        speed: float = 50.0,
        kind: str = "town",
        hill: float = 0.0,
        left: str | None = None,
    ) -> Road:
        """A street from one crossing to another, the same on both sides unless `left` is given."""
        corners = [CROSSINGS[start][:2], *via, CROSSINGS[end][:2]]
        points = [
            _towards(corners[0], corners[1], CROSSINGS[start][3]),
            *via,
            _towards(corners[-1], corners[-2], CROSSINGS[end][3]),
        ]
        path = polyline_path(points, radius)
        road = self.town.road(
            name, path, lanes if left is None else left, lanes, center=center, speed=speed, kind=kind
        )
        low, high = CROSSINGS[start][2], CROSSINGS[end][2]
        road.elevate((0, low), (0.5, (low + high) / 2 + hill), (1, high)) if hill else road.elevate((0, low), (1, high))
        self.arms[start][name] = Arm(road, "start")
        self.arms[end][name] = Arm(road, "end")
        return road

    def draw_streets(self) -> None:
        street = self.street
        # row 1: avenues
        west = street("West Avenue", "W1", "A", "ddpbw")
        grand = street("Grand Avenue", "A", "B", "ddbw")
        street("Broad Avenue", "B", "C", "dddbw", speed=60)
        street("East Avenue", "C", "E1", "ddpbw")
        west.add_pocket("end")
        grand.add_pocket("start")
        # row 2: residential
        calm = {"center": PASSING_ALLOWED}
        street("Chestnut Street", "W2", "D", "dpbw", speed=30, hill=1.5, **calm)  # type: ignore[arg-type]
        street("Orchard Street", "F", "E2", "dbw", **calm)  # type: ignore[arg-type]
        # row 3: old road
        street("Old Road East", "S1", "S2", "dpw", speed=40, **calm)  # type: ignore[arg-type]
        street("Market Street", "S2", "S3", "ddpw", speed=40)
        # columns
        street("Mill Street", "D", "A", "ddbw")
        street("Church Street", "F", "C", "ddbw")
        street("School Street", "S1", "D", "dsw", speed=40, **calm)  # type: ignore[arg-type]
        street("Garden Street", "S3", "F", "dsw", speed=40, hill=2.0, **calm)  # type: ignore[arg-type]
        street("Park Street", "B", "N", "ddsw", hill=-1.0)
        street("North Mill Street", "A", "AS", "ddsw")
        street("North Church Street", "C", "BS", "ddsw").add_pocket("end", length=30, taper=25)
        street("West Underpass", "AS", "AN", "dsw", center=NO_PASSING, hill=-1.0)
        street("East Underpass", "BS", "BN", "dsw", center=NO_PASSING, hill=-1.0)
        # the rim
        street("West Ring", "W1", "W2", "ddbw", kind="rural", speed=70)
        street("East Ring", "E2", "E1", "ddbw", kind="rural", speed=70)
        rural = {"center": PASSING_ALLOWED, "kind": "rural"}
        winding = ((-500.0, -190.0), (-445.0, -285.0), (-340.0, -285.0), (-290.0, -270.0))
        street("Old Road", "W2", "S1", "dpw", via=winding, radius=(45, 45, 60, 60), speed=40, hill=2.0, **calm)  # type: ignore[arg-type]
        street("South Bend", "S3", "E2", "ds", via=((500.0, -270.0),), radius=55, speed=60, hill=3.0, **rural)  # type: ignore[arg-type]
        hills = {"speed": 70.0, "hill": 6.0, **rural}
        street("Hill Road West", "AN", "N", "ds", via=((-200.0, 460.0),), radius=45, **hills)  # type: ignore[arg-type]
        street("Hill Road East", "N", "BN", "ds", via=((200.0, 460.0),), radius=45, **hills)  # type: ignore[arg-type]

    # ---- roundabout --------------------------------------------------------------------------------------------------

    def draw_roundabout(self) -> None:
        """One lane around, counter-clockwise; every entry yields."""
        x, y = ROUNDABOUT
        spokes = []  # arms in the order of their bearing
        for bearing, name, other in (
            (0, "Poplar Street East", "F"),
            (90, "Bridge Street", "B"),
            (180, "Poplar Street West", "D"),
            (270, "Station Street", "S2"),
        ):
            end_x, end_y, z, setback = CROSSINGS[other]
            start = (x + RING_ARM * _cos(bearing), y + RING_ARM * _sin(bearing))
            path = polyline_path([start, _towards((end_x, end_y), (x, y), setback)], ())
            lanes = "dpw" if name == "Station Street" else "dsw"
            road = self.town.road(name, path, lanes, lanes, center=PASSING_ALLOWED)
            road.elevate((0, 0.0), (1, z))
            self.arms[other][name] = Arm(road, "end")
            spokes.append(Arm(road, "start"))
        ring = []  # ring[i] runs from spoke i to spoke i + 1
        for bearing in (0, 90, 180, 270):
            angle = math.radians(bearing) + RING_JUNCTION
            start_pose = Pose(x + RING_RADIUS * math.cos(angle), y + RING_RADIUS * math.sin(angle), angle + math.pi / 2)
            path = Path(start_pose).arc(RING_RADIUS * (math.pi / 2 - 2 * RING_JUNCTION), 1 / RING_RADIUS)
            ring.append(self.town.road("Roundabout", path, "", "rw", center=EDGE_LINE, speed=30))
        for i, spoke in enumerate(spokes):
            arms = [spoke, Arm(ring[i - 1], "end"), Arm(ring[i], "start")]
            moves = {(0, 2): [(1, -1)], (1, 2): [(-1, -1)], (1, 0): [(-1, -1)]}
            junction = self.town.junction(f"Roundabout, {spoke.road.name}", arms, moves)
            self.town.give_way(junction, 0)
            self.town.crosswalk(spoke.road, 6.0)

    # ---- motorway ----------------------------------------------------------------------------------------------------

    def draw_motorway(self) -> None:
        """Two carriageways with two interchanges; at both ends they join the ring road."""
        west_end = self.town.road(
            "West Ring North", Path(Pose(-MOTORWAY_X, 180, -math.pi / 2)).line(180 - 90 - 22), "dds", "dds", speed=70
        )
        east_end = self.town.road(
            "East Ring North", Path(Pose(MOTORWAY_X, 180, -math.pi / 2)).line(180 - 90 - 22), "dds", "dds", speed=70
        )
        for crossing, road in (("W1", west_end), ("E1", east_end)):
            road.kind = "rural"
            self.arms[crossing][road.name] = Arm(road, "end")
        ramps = {}
        for name in ("AS", "BS", "AN", "BN"):
            for use in ("exit", "entry"):
                ramps[name, use] = self._ramp(name, use)
        eastbound = self._carriageway("eastbound", 1.0, ramps["AS", "exit"], ramps["AS", "entry"], ramps["BS", "exit"], ramps["BS", "entry"])
        westbound = self._carriageway("westbound", -1.0, ramps["BN", "exit"], ramps["BN", "entry"], ramps["AN", "exit"], ramps["AN", "entry"])
        for road, leaving, entering in ((west_end, eastbound[0], westbound[1]), (east_end, westbound[0], eastbound[1])):
            self.town.junction(
                f"Motorway end, {road.name}",
                [Arm(road, "start"), Arm(leaving, "start"), Arm(entering, "end")],
                {(0, 1): [(1, -1), (2, -2), (2, -3)], (2, 0): [(-1, -1), (-2, -2), (-3, -2)]},
            )

    def _ramp(self, crossing: str, use: str) -> Road:
        """A one-lane ramp between a crossing and the motorway's outer lane; drawn for AS and mirrored for the others."""
        x, y, z, setback = CROSSINGS[crossing]
        flip = 1 if crossing.endswith("S") else -1  # ramps north of the motorway are turned by half a turn
        top = MOTORWAY_Y - 19.0 if flip > 0 else MOTORWAY_Y + 19.0
        points = [(x - flip * 105, top), (x - flip * 84, top - flip * 3), (x - flip * 45, y), (x - flip * setback, y)]
        if use == "entry":
            points = [(2 * x - px, py) for px, py in reversed(points)]
        path = polyline_path(points, 35.0)
        road = self.town.road(f"Ramp {crossing} {use}", path, "", "ds", center=EDGE_LINE, speed=50, kind="rural")
        road.elevate((0, DECK), (1, z)) if use == "exit" else road.elevate((0, z), (1, DECK))
        self.arms[crossing][use] = Arm(road, "end" if use == "exit" else "start")
        return road

    def _carriageway(self, name: str, side: float, exit1: Road, entry1: Road, exit2: Road, entry2: Road) -> tuple[Road, Road]:
        """One direction of the motorway: lanes 3-4-3 (exit), 3-4-3 (weaving), 3-4-3 (entry). Returns its first and last road."""
        inner = side > 0  # eastbound runs inside the ring
        def at(x: float) -> tuple[float, float]:
            return (side * x, MOTORWAY_Y - side * HALF_MEDIAN)
        def road(part: str, path: Path, lanes: str = "hhhS") -> Road:
            return self.town.road(
                f"Motorway {name}, {part}", path, "", lanes, center=EDGE_LINE, speed=90, kind="motorway"
            ).elevate((0, DECK), (1, DECK))
        column = MOTORWAY_X - HALF_MEDIAN if inner else MOTORWAY_X + HALF_MEDIAN
        radius = MOTORWAY_RADIUS - side * HALF_MEDIAN
        first = road(
            "rise", polyline_path([(-side * column, MOTORWAY_END), (-side * column, at(0)[1]), at(-410)], radius)
        ).elevate((0, 0), (1, DECK))
        exit_lane = road("exit lane", polyline_path([at(-385), at(-330)], ()), "hhhhS")
        over1 = road("first bridge", polyline_path([at(-305), at(-95)], ()))
        weave = road("weaving lane", polyline_path([at(-70), at(70)], ()), "hhhhS")
        over2 = road("second bridge", polyline_path([at(95), at(305)], ()))
        entry_lane = road("entry lane", polyline_path([at(330), at(385)], ()), "hhhhS")
        last = road(
            "descent", polyline_path([at(410), (side * column, at(0)[1]), (side * column, MOTORWAY_END)], radius)
        ).elevate((0, DECK), (1, 0))
        main = [(-1, -1), (-2, -2), (-3, -3)]
        self._motorway_junction(f"{name} exit lane opens", [first, exit_lane], {(0, 1): [*main, (-3, -4)]})
        self._motorway_junction(f"{name} first exit", [exit_lane, over1, exit1], {(0, 1): main, (0, 2): [(-4, -1)]})
        self._motorway_junction(f"{name} first entry", [over1, weave, entry1], {(0, 1): main, (2, 1): [(-1, -4)]})
        self._motorway_junction(f"{name} second exit", [weave, over2, exit2], {(0, 1): main, (0, 2): [(-4, -1)]})
        self._motorway_junction(f"{name} second entry", [over2, entry_lane, entry2], {(0, 1): main, (2, 1): [(-1, -4)]})
        self._motorway_junction(f"{name} entry lane ends", [entry_lane, last], {(0, 1): [*main, (-4, -3)]})
        return first, last

    def _motorway_junction(self, name: str, roads: list[Road], moves: dict) -> None:
        entering = {i for i, _ in moves}
        arms = [Arm(road, "end" if i in entering else "start") for i, road in enumerate(roads)]
        self.town.junction(f"Motorway {name}", arms, moves)

    # ---- crossings ---------------------------------------------------------------------------------------------------

    def draw_crossings(self) -> None:
        self.junctions: dict[str, Junction] = {}
        for name, arms in self.arms.items():
            by_name = sorted(arms.items(), key=lambda item: item[1].outward.heading % (2 * math.pi))
            self.junctions[name] = self.town.junction(f"Crossing {name}", [arm for _, arm in by_name])
        self._lights("A", [{"West Avenue": "SR", "Grand Avenue": "SR"}, {"West Avenue": "L", "Grand Avenue": "L"}, {"Mill Street": "LSR", "North Mill Street": "LSR"}])
        self._lights("B", [{"Grand Avenue": "SR", "Broad Avenue": "SR"}, {"Grand Avenue": "L", "Broad Avenue": "L"}, {"Park Street": "LSR"}, {"Bridge Street": "LSR"}])
        self._lights("C", [{"Broad Avenue": "LSR", "East Avenue": "LSR"}, {"Church Street": "LSR", "North Church Street": "LSR"}])
        self._lights("D", [{"Chestnut Street": "LSR", "Poplar Street West": "LSR"}, {"Mill Street": "LSR", "School Street": "LSR"}])
        self._lights("S2", [{"Old Road East": "LSR", "Market Street": "LSR"}, {"Station Street": "LSR"}])
        self._lights("BS", [{"North Church Street": "SR", "East Underpass": "LSR"}, {"exit": "LSR"}])
        for name, stops in (("W1", ["West Avenue"]), ("E1", ["East Avenue"]), ("E2", ["Orchard Street"]), ("F", ["Orchard Street", "Poplar Street East"]), ("S3", ["Garden Street"]), ("AS", ["exit"]), ("AN", ["exit"]), ("BN", ["exit"])):
            self.town.stop(self.junctions[name], *(self._arm_index(name, road) for road in stops))
        for name, yields in (("W2", ["Chestnut Street"]), ("S1", ["School Street"]), ("N", ["Park Street"])):
            self.town.give_way(self.junctions[name], *(self._arm_index(name, road) for road in yields))
        for name in ("A", "B", "C", "D", "S2", "F"):
            junction = self.junctions[name]
            self.town.crosswalk_at(junction, *range(len(junction.arms)))

    def _arm_index(self, crossing: str, road: str) -> int:
        return self.junctions[crossing].arms.index(self.arms[crossing][road])

    def _lights(self, crossing: str, phases: list[dict[str, str]]) -> None:
        self.town.signalise(
            self.junctions[crossing],
            [{self._arm_index(crossing, road): turns for road, turns in phase.items()} for phase in phases],
        )

    def draw_signs(self) -> None:
        for road in list(self.town.roads.values()):
            if road.junction == -1 and road.length > 50:
                self.town.speed_signs(road)


def _towards(a: tuple[float, float], b: tuple[float, float], distance: float) -> tuple[float, float]:
    """The point `distance` metres from a towards b."""
    full = math.hypot(b[0] - a[0], b[1] - a[1])
    return (a[0] + (b[0] - a[0]) * distance / full, a[1] + (b[1] - a[1]) * distance / full)


def _cos(degrees: int) -> int:
    return (1, 0, -1, 0)[degrees // 90]


def _sin(degrees: int) -> int:
    return (0, 1, 0, -1)[degrees // 90]


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
