"""`Town`: the roads, junctions and lights of a map while it is being drawn.

Ids are given in the order of the calls, so the same calls write the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from simulator.roads.writer.geometry import Path, Profile
from simulator.roads.writer.junction import (
    Connection,
    Junction,
    Movement,
    Pairs,
    bike_movements,
    connecting_road,
    curb_movements,
    driving_movements,
    explicit_movements,
    side_by_side,
    turn_between,
)
from simulator.roads.writer.road import (
    DOUBLE_YELLOW,
    Arm,
    Crosswalk,
    Link,
    Mark,
    Road,
    Section,
    Signal,
    SignalReference,
    Stencil,
    cross_section,
)

TRAFFIC_LIGHT, STOP_SIGN, YIELD_SIGN, SPEED_SIGN = "1000001", "206", "205", "274"

_FIRST_JUNCTION_ID = 1000  # keeps junction ids apart from road ids, for people who read the file


class Controller:
    """One phase of a junction's lights: the signals that are green together."""

    def __init__(self, id: str, sequence: int, signals: list[str]) -> None:
        self.id, self.sequence, self.signals = id, sequence, signals


class Town:
    """A map that grows road by road; `simulator.roads.writer.xml.to_xodr` writes it."""

    def __init__(self, name: str, latitude: float = 49.0, longitude: float = 8.0) -> None:
        self.name = name
        self.latitude, self.longitude = latitude, longitude
        self.roads: dict[int, Road] = {}
        self.junctions: dict[int, Junction] = {}
        self.controllers: list[Controller] = []
        self._signals = 0

    # ---- roads -------------------------------------------------------------------------------------------------------

    def road(
        self,
        name: str,
        path: Path,
        left: str,
        right: str,
        *,
        center: Mark = DOUBLE_YELLOW,
        speed: float = 50.0,
        kind: str = "town",
        lane_width: float | None = None,
    ) -> Road:
        """Add a road outside junctions.

        Args:
            name: for people.
            path: reference line: the border between right and left lanes.
            left, right: cross-sections as letters from the centre outwards (`road.LANE_KINDS`).
            center: mark on the reference line.
            speed: limit in km/h.
            kind: OpenDRIVE road type ("town", "rural", "motorway").
            lane_width: metres of the driving lanes, where it is not the usual one of their letter.
        """
        road = Road(
            id=len(self.roads) + 1,
            name=name,
            path=path,
            sections=[Section(0.0, cross_section(left, lane_width), cross_section(right, lane_width))],
            center=center,
            speed_kmh=speed,
            kind=kind,
        )
        self.roads[road.id] = road
        return road

    def prolong(self, road: Road, length: float) -> Road:
        """Add a straight, level road with the same lanes behind the end of one that has a single section."""
        lanes = road.sections[0]
        more = Road(
            id=len(self.roads) + 1,
            name=road.name,
            path=Path(road.path.end).line(length),
            sections=[Section(0.0, list(lanes.left), list(lanes.right))],
            center=road.center,
            speed_kmh=road.speed_kmh,
            kind=road.kind,
            elevation=Profile.constant(road.elevation.value(road.length)),
            predecessor=Link("road", road.id, "end"),
        )
        road.successor = Link("road", more.id, "start")
        ids = [*(-(i + 1) for i in range(len(lanes.right))), *(i + 1 for i in range(len(lanes.left)))]
        for lane in ids:
            before, _ = road.lane_links.get(lane, (None, None))
            road.lane_links[lane] = (before, lane)
            more.lane_links[lane] = (lane, None)
        self.roads[more.id] = more
        return more

    # ---- junctions ---------------------------------------------------------------------------------------------------

    def junction(
        self,
        name: str,
        arms: Sequence[Arm],
        moves: Mapping[tuple[int, int], Pairs] | None = None,
        *,
        shoulders: bool = False,
    ) -> Junction:
        """Join road ends in a junction.

        Args:
            name: for people.
            arms: the road ends that meet here.
            moves: (entry arm, exit arm) -> lane pairs, to overrule the usual movements of driving lanes.
            shoulders: carry shoulders through as well (motorways; in a street the curb takes their place).

        Returns:
            The junction, with a connecting road for each movement of driving, bike and sidewalk lanes.
        """
        junction = Junction(_FIRST_JUNCTION_ID + len(self.junctions), name, list(arms))
        self.junctions[junction.id] = junction
        for arm in arms:
            link = Link("junction", junction.id)
            if arm.contact == "end":
                arm.road.successor = link
            else:
                arm.road.predecessor = link
        driving = driving_movements(arms) if moves is None else explicit_movements(arms, moves)
        for kind, movements in (
            ("driving", driving),
            ("biking", bike_movements(arms)),
            ("sidewalk", curb_movements(arms, "sidewalk")),
            ("shoulder", curb_movements(arms, "shoulder") if shoulders else []),
        ):
            for movement in movements:
                self._add_connections(junction, movement, kind)
        return junction

    def add_movement(self, junction: Junction, entry: int, leave: int, pairs: Pairs) -> None:
        """Add a way for driving lanes from one arm of a junction to another."""
        turn = turn_between(junction.arms[entry], junction.arms[leave])[0]
        self._add_connections(junction, Movement(entry, leave, turn, tuple(pairs)), "driving")

    def _add_connections(self, junction: Junction, movement: Movement, kind: str) -> None:
        entry, leave = junction.arms[movement.entry], junction.arms[movement.exit]
        for run in side_by_side(movement.pairs):
            road = connecting_road(len(self.roads) + 1, junction.id, entry, leave, run, kind)
            self.roads[road.id] = road
            junction.connections.append(
                Connection(movement.entry, movement.exit, movement.turn, kind, tuple(run), road)
            )

    # ---- control -----------------------------------------------------------------------------------------------------

    def signalise(self, junction: Junction, phases: Sequence[Mapping[int, str]]) -> None:
        """Give a junction traffic lights.

        Args:
            phases: one a green phase, in order: arm -> letters of the turns that are green ("LSR"). Each arm gets one
                signal head a phase that it takes part in.
        """
        for sequence, phase in enumerate(phases):
            ids = []
            for arm_index, letters in phase.items():
                arm = junction.arms[arm_index]
                light = self._signal(arm, TRAFFIC_LIGHT, "Signal_3Light_Post01", back=1.0, out=0.6 + 0.7 * sequence)
                ids.append(light.id)
                turns = [turn for turn in ("left", "straight", "right") if turn[0].upper() in letters]
                for connection in junction.driving(arm_index, turns):
                    lanes = (-len(connection.pairs), -1)
                    connection.road.references.append(SignalReference(light.id, 0.1, lanes))
            controller = Controller(str(len(self.controllers) + 1), sequence, ids)
            self.controllers.append(controller)
            junction.controllers.append(controller.id)

    def stop(self, junction: Junction, *arms: int) -> None:
        """Put STOP signs and stencils on arms of a junction."""
        for index in arms:
            arm = junction.arms[index]
            sign = self._signal(arm, STOP_SIGN, "Sign_Stop", back=2.0, out=0.6)
            s = max(0.5, arm.s - 4.0) if arm.contact == "end" else 4.0
            lane = arm.lanes(incoming=True)[-1]
            middle = (arm.road.border(lane, s, False) + arm.road.border(lane, s, True)) / 2
            arm.road.stencils.append(Stencil(f"stop{sign.id}", s, middle, sign.orientation))

    def give_way(self, junction: Junction, *arms: int) -> None:
        """Put YIELD signs on arms of a junction."""
        for index in arms:
            self._signal(junction.arms[index], YIELD_SIGN, "Sign_Yield", back=2.0, out=0.6)

    def speed_signs(self, road: Road, after: float = 15.0) -> None:
        """Put a speed limit sign for each direction of a road, `after` metres from where its traffic enters."""
        for side, s in ((-1, min(after, road.length / 2)), (1, road.length - min(after, road.length / 2))):
            lanes = Arm(road, "end").lanes(incoming=side < 0)
            if lanes:
                t = road.edge(side, s) + side * 0.6
                limit = round(road.speed_kmh)
                self._place(road, side, s, t, SPEED_SIGN, f"Speed_{limit}", lanes, subtype=str(limit), value=limit)

    def _signal(self, arm: Arm, type: str, name: str, back: float, out: float) -> Signal:
        side = arm.side(incoming=True)
        back = min(back, arm.road.length / 2)
        s = arm.road.length - back if arm.contact == "end" else back
        t = arm.road.edge(side, s) + side * out
        lanes = [] if type == TRAFFIC_LIGHT else arm.lanes(incoming=True)
        return self._place(arm.road, side, s, t, type, name, lanes)

    def _place(
        self,
        road: Road,
        side: int,
        s: float,
        t: float,
        type: str,
        name: str,
        lanes: list[int],
        subtype: str = "-1",
        value: float = -1.0,
    ) -> Signal:
        self._signals += 1
        signal = Signal(
            id=str(self._signals),
            type=type,
            name=name,
            s=s,
            t=t,
            orientation="+" if side < 0 else "-",
            heading_offset=0.0 if side < 0 else math.pi,
            lanes=(min(lanes), max(lanes)) if lanes else (0, 0),
            dynamic=type == TRAFFIC_LIGHT,
            subtype=subtype,
            value=value,
        )
        road.signals.append(signal)
        return signal

    # ---- crosswalks --------------------------------------------------------------------------------------------------

    def crosswalk(self, road: Road, s: float, width: float = 3.0, shift: float = 0.0) -> None:
        """Paint a crosswalk from curb to curb, centred `shift` metres along the road from `s`."""
        right, left = (road.edge(side, s, without=("sidewalk",)) for side in (-1, 1))
        near, far = shift - width / 2, shift + width / 2
        corners = ((near, right), (far, right), (far, left), (near, left), (near, right))
        road.crosswalks.append(Crosswalk(f"crosswalk{road.id}_{len(road.crosswalks)}", s, corners))

    def crosswalk_at(self, junction: Junction, *arms: int) -> None:
        """Paint crosswalks over the mouths of arms, beyond the line where vehicles halt."""
        for index in arms:
            arm = junction.arms[index]
            self.crosswalk(arm.road, arm.s, shift=2.3 if arm.contact == "end" else -2.3)
