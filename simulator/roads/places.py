"""Where each scenario type fits in a town: the places that a suite of routes can be laid on.

A place is a lane from which a route can start, with what the scenario needs ahead of it: so many metres without a
junction beside the right kind of lane, or a junction with the right movements and control. Needs are stated for
routes as long as the official ones.

Frame: CARLA's (metres, yaw in degrees).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import carla

TRAFFIC_LIGHT, STOP_SIGN = "1000001", "206"

OBSTACLE_RUN = 140.0  # 10 m to the trigger, 45 m to the obstacle, 20 m of it, 50 m beyond it, and room behind
SHORT_RUN = 95.0
APPROACH = 30.0  # straight road before a junction, for the route's start and for flows
CURVE_DEGREES = 25.0
STEP = 5.0


class Place(NamedTuple):
    """A start for a route: the lane, the pose on it, and for junctions the road that the route leaves by."""

    road: int
    lane: int
    x: float
    y: float
    z: float
    yaw: float
    exit_road: int = -1


class Movement(NamedTuple):
    """One lane through a junction: the waypoints just before and just behind it, and what it does."""

    junction: int
    entry: carla.Waypoint
    exit: carla.Waypoint
    turn: str  # "left", "straight", "right"
    connecting_road: int


@dataclass(frozen=True)
class Control:
    """How a junction is ruled."""

    lights: frozenset[int]  # connecting roads that a traffic light rules
    stops: frozenset[tuple[int, int]]  # (road, lane) that a stop sign rules


def scenario_places(town: carla.Map) -> dict[str, list[Place]]:
    """Places of a town by scenario type (the 44 of bench2drive220), in a fixed order, one per lane (or movement)."""
    return _Finder(town).places()


def _places_of_stretches(stretches: list[_Stretch], fits: Callable[[_Stretch], bool]) -> list[Place]:
    found: dict[tuple[int, int], Place] = {}
    for stretch in stretches:
        key = (stretch.waypoint.road_id, stretch.waypoint.lane_id)
        if key not in found and fits(stretch):
            found[key] = _place(stretch.waypoint.next(1.0)[0])  # clear of the junction behind
    return list(found.values())


def _place(waypoint: carla.Waypoint, exit_road: int = -1) -> Place:
    pose = waypoint.transform
    spot = pose.location
    return Place(waypoint.road_id, waypoint.lane_id, spot.x, spot.y, spot.z, pose.rotation.yaw, exit_road)


@dataclass(frozen=True)
class _Stretch:
    """A waypoint outside junctions, the free way ahead of it, and its neighbours."""

    waypoint: carla.Waypoint
    free: float  # metres to the next junction, counted up to OBSTACLE_RUN
    left: carla.Waypoint | None
    right: tuple[carla.LaneType, ...]  # types of the lanes to the right, nearest first
    turned: float  # degrees of heading over the next 40 m

    @property
    def has_lane_at_left(self) -> bool:
        return self._left_is_driving and self.left.lane_id * self.waypoint.lane_id > 0  # type: ignore[union-attr]

    @property
    def has_oncoming_at_left(self) -> bool:
        return self._left_is_driving and self.left.lane_id * self.waypoint.lane_id < 0  # type: ignore[union-attr]

    @property
    def may_pass(self) -> bool:
        mark = self.waypoint.left_lane_marking
        return self.has_oncoming_at_left and mark is not None and mark.type == carla.LaneMarkingType.Broken

    @property
    def _left_is_driving(self) -> bool:
        return self.left is not None and self.left.lane_type == carla.LaneType.Driving

    def beside(self, kind: carla.LaneType) -> bool:
        """The next lane to the right is of this type."""
        return bool(self.right) and self.right[0] == kind


class _Finder:
    def __init__(self, town: carla.Map) -> None:
        self.town = town
        waypoints = town.generate_waypoints(STEP)
        self.stretches = [_stretch(w) for w in waypoints if not w.is_junction]
        self.movements = self._movements(waypoints)
        self.control = self._control()
        self.by_junction: dict[int, list[Movement]] = defaultdict(list)
        for movement in self.movements:
            self.by_junction[movement.junction].append(movement)

    def places(self) -> dict[str, list[Place]]:
        parking, sidewalk = carla.LaneType.Parking, carla.LaneType.Sidewalk
        long, short = (lambda w: w.free >= OBSTACLE_RUN), (lambda w: w.free >= SHORT_RUN)

        def along(fits: Callable[[_Stretch], bool]) -> list[Place]:
            return _places_of_stretches(self.stretches, fits)

        def at(fits: Callable[[Movement], bool]) -> list[Place]:
            return self._places_of_movements(fits)

        obstacle = along(lambda w: long(w) and w.has_lane_at_left)
        two_ways = along(lambda w: long(w) and w.may_pass)
        parked = along(lambda w: short(w) and w.beside(parking))
        signal_left = at(lambda m: self._signalised(m) and m.turn == "left" and self._opposite(m, "straight"))
        signal_enter = at(lambda m: self._signalised(m) and m.turn == "left" and self._opposite(m, "right"))
        signal_right = at(lambda m: self._signalised(m) and m.turn == "right" and self._from_left(m))
        plain_left = at(lambda m: not self._signalised(m) and m.turn == "left" and self._opposite(m, "straight"))
        plain_enter = at(lambda m: not self._signalised(m) and m.turn == "left" and self._opposite(m, "right"))
        plain_right = at(lambda m: not self._signalised(m) and m.turn == "right" and self._from_left(m))
        red_runner = at(lambda m: self._signalised(m) and self._crossed(m))
        priority_taker = at(lambda m: not self._signalised(m) and self._crossed(m) and m.turn != "right")
        turning = at(lambda m: m.turn != "straight" and _has_right(m.exit, sidewalk))
        exits, entries = at(self._leaves_motorway), at(self._enters_motorway)
        return {
            "Accident": obstacle,
            "AccidentTwoWays": two_ways,
            "BlockedIntersection": at(lambda m: _lane_length(m.exit) > 20.0 and m.turn != "straight"),
            "ConstructionObstacle": obstacle,
            "ConstructionObstacleTwoWays": two_ways,
            "ControlLoss": along(long),
            "CrossingBicycleFlow": at(self._crosses_bikes),
            "DynamicObjectCrossing": along(lambda w: short(w) and sidewalk in w.right),
            "EnterActorFlow": entries + plain_enter,
            "HardBreakRoute": along(long),
            "HazardAtSideLane": obstacle,
            "HazardAtSideLaneTwoWays": two_ways,
            "HighwayCutIn": entries,
            "HighwayExit": exits,
            "InterurbanActorFlow": at(lambda m: self._interurban(m) and self._opposite(m, "straight")),
            "InterurbanAdvancedActorFlow": at(lambda m: self._onto_interurban(m)),
            "InvadingTurn": along(lambda w: w.free >= 90 and w.turned > CURVE_DEGREES and w.has_oncoming_at_left),
            "MergerIntoSlowTraffic": entries,
            "MergerIntoSlowTrafficV2": entries,
            "NonSignalizedJunctionLeftTurn": plain_left,
            "NonSignalizedJunctionLeftTurnEnterFlow": plain_enter,
            "NonSignalizedJunctionRightTurn": plain_right,
            "OppositeVehicleRunningRedLight": red_runner,
            "OppositeVehicleTakingPriority": priority_taker,
            "ParkedObstacle": obstacle,
            "ParkedObstacleTwoWays": two_ways,
            "ParkingCrossingPedestrian": parked,
            "ParkingCutIn": parked,
            "ParkingExit": parked,
            "PedestrianCrossing": at(lambda m: m.turn != "straight" and _has_right(m.entry, sidewalk)),
            "SequentialLaneChange": along(lambda w: long(w) and w.has_lane_at_left),
            "SignalizedJunctionLeftTurn": signal_left,
            "SignalizedJunctionLeftTurnEnterFlow": signal_enter,
            "SignalizedJunctionRightTurn": signal_right,
            "StaticCutIn": along(lambda w: long(w) and (w.beside(carla.LaneType.Driving) or w.beside(parking))),
            "T_Junction": at(lambda m: m.turn != "straight" and self._arm_count(m.junction) == 3),
            "VanillaNonSignalizedTurn": at(
                lambda m: not self._signalised(m) and m.turn != "straight" and not self._stops(m)
            ),
            "VanillaNonSignalizedTurnEncounterStopsign": at(lambda m: m.turn != "straight" and self._stops(m)),
            "VanillaSignalizedTurnEncounterGreenLight": at(lambda m: self._signalised(m) and m.turn != "straight"),
            "VanillaSignalizedTurnEncounterRedLight": at(lambda m: self._signalised(m) and m.turn != "straight"),
            "VehicleOpensDoorTwoWays": along(lambda w: long(w) and w.may_pass and w.beside(parking)),
            "VehicleTurningRoute": turning,
            "VehicleTurningRoutePedestrian": turning,
            "YieldToEmergencyVehicle": along(lambda w: short(w) and w.has_lane_at_left),
        }

    # ---- junctions ---------------------------------------------------------------------------------------------------

    def _movements(self, waypoints: list[carla.Waypoint]) -> list[Movement]:
        junctions = {w.junction_id: w for w in waypoints if w.is_junction}
        found = []
        for junction_id in sorted(junctions):
            pairs = junctions[junction_id].get_junction().get_waypoints(carla.LaneType.Driving)
            for begin, end in sorted(pairs, key=lambda pair: (pair[0].road_id, -pair[0].lane_id)):
                before, after = begin.previous(0.5), end.next(0.5)
                if before and after:
                    turn = _turn(begin.transform.rotation.yaw, end.transform.rotation.yaw)
                    found.append(Movement(junction_id, before[0], after[0], turn, begin.road_id))
        return found

    def _control(self) -> Control:
        lights: set[int] = set()
        stops: set[tuple[int, int]] = set()
        for landmark in self.town.get_all_landmarks():
            lanes = [
                lane
                for low, high in (sorted(pair) for pair in landmark.get_lane_validities())
                for lane in range(low, high + 1)
                if lane != 0
            ]
            if landmark.type == TRAFFIC_LIGHT and lanes:
                lights.add(landmark.road_id)
            elif landmark.type == STOP_SIGN:
                stops.update((landmark.road_id, lane) for lane in lanes)
        return Control(frozenset(lights), frozenset(stops))

    def _places_of_movements(self, fits: Callable[[Movement], bool]) -> list[Place]:
        """One place for each way (entry lane, exit road) that fits and has room before the junction."""
        found: dict[tuple[int, int, int], Place] = {}
        for movement in self.movements:
            entry, leave = movement.entry, movement.exit
            key = (entry.road_id, entry.lane_id, leave.road_id)
            room = _lane_length(entry, forward=False)
            if key not in found and room >= APPROACH and fits(movement):
                found[key] = _place(entry.previous(min(room, 60.0) - 1.0)[0], leave.road_id)
        return list(found.values())

    def _signalised(self, movement: Movement) -> bool:
        return movement.connecting_road in self.control.lights

    def _stops(self, movement: Movement) -> bool:
        return (movement.entry.road_id, movement.entry.lane_id) in self.control.stops

    def _others(self, movement: Movement, low: float, high: float) -> Iterator[Movement]:
        """Movements whose entry lies at an angle of [low, high] degrees to the own one (clockwise, 0 to 360)."""
        own = movement.entry.transform.rotation.yaw
        for other in self.by_junction[movement.junction]:
            angle = (other.entry.transform.rotation.yaw - own) % 360
            if low <= angle <= high and _lane_length(other.entry, forward=False) >= APPROACH:
                yield other

    def _opposite(self, movement: Movement, turn: str) -> bool:
        """Oncoming traffic goes straight; or turns right into the road that the own movement enters."""
        return any(
            other.turn == turn and (turn == "straight" or other.exit.road_id == movement.exit.road_id)
            for other in self._others(movement, 135, 225)
        )

    def _from_left(self, movement: Movement) -> bool:
        """Traffic from the left goes straight into the road that the own right turn enters."""
        return any(
            other.turn == "straight" and other.exit.road_id == movement.exit.road_id
            for other in self._others(movement, 30, 135)
        )

    def _crossed(self, movement: Movement) -> bool:
        """Traffic from the left or the right goes straight across."""
        crossing = [*self._others(movement, 45, 135), *self._others(movement, 225, 315)]
        return any(other.turn == "straight" for other in crossing)

    def _crosses_bikes(self, movement: Movement) -> bool:
        """A bike lane beside the own entry goes straight on where the own movement turns right."""
        if movement.turn != "right" or not _has_right(movement.entry, carla.LaneType.Biking):
            return False
        junction = self.town.get_waypoint_xodr(movement.connecting_road, -1, 0.1).get_junction()
        for begin, end in junction.get_waypoints(carla.LaneType.Biking):
            before = begin.previous(0.5)
            if before and before[0].road_id == movement.entry.road_id:
                if _turn(begin.transform.rotation.yaw, end.transform.rotation.yaw) == "straight":
                    return True
        return False

    def _interurban(self, movement: Movement) -> bool:
        """A left turn off a through road without lights."""
        return (
            movement.turn == "left"
            and not self._signalised(movement)
            and not self._stops(movement)
            and self._arm_count(movement.junction) >= 3
            and _lane_length(movement.entry, forward=False) > 50.0
            and _is_open_road(movement.entry)
        )

    def _onto_interurban(self, movement: Movement) -> bool:
        """A left turn onto a through road without lights, across one direction and into the other."""
        return (
            movement.turn == "left"
            and not self._signalised(movement)
            and _is_open_road(movement.exit)
            and any(other.turn == "straight" for other in self._others(movement, 45, 135))
            and any(other.turn == "straight" for other in self._others(movement, 225, 315))
        )

    def _leaves_motorway(self, movement: Movement) -> bool:
        return _one_way_lanes(movement.entry) >= 3 and _one_way_lanes(movement.exit) == 1

    def _enters_motorway(self, movement: Movement) -> bool:
        return _one_way_lanes(movement.entry) == 1 and _one_way_lanes(movement.exit) >= 3

    def _arm_count(self, junction: int) -> int:
        roads = {r for m in self.by_junction[junction] for r in (m.entry.road_id, m.exit.road_id)}
        return len(roads)


# ---- waypoints -------------------------------------------------------------------------------------------------------


def _stretch(waypoint: carla.Waypoint) -> _Stretch:
    free, ahead, turned = 0.0, waypoint, 0.0
    while free < OBSTACLE_RUN:
        following = ahead.next(STEP)
        if len(following) != 1 or following[0].is_junction:
            break
        ahead, free = following[0], free + STEP
        if free == 40.0:
            turned = abs(_angle(ahead.transform.rotation.yaw - waypoint.transform.rotation.yaw))
    return _Stretch(waypoint, free, waypoint.get_left_lane(), tuple(w.lane_type for w in _to_right(waypoint)), turned)


def _to_right(waypoint: carla.Waypoint) -> Iterator[carla.Waypoint]:
    beside = waypoint.get_right_lane()
    while beside is not None and beside.lane_id * waypoint.lane_id > 0:
        yield beside
        beside = beside.get_right_lane()


def _to_left(waypoint: carla.Waypoint) -> Iterator[carla.Waypoint]:
    beside = waypoint.get_left_lane()
    while beside is not None and beside.lane_id * waypoint.lane_id > 0:
        yield beside
        beside = beside.get_left_lane()


def _has_right(waypoint: carla.Waypoint, kind: carla.LaneType) -> bool:
    return any(w.lane_type == kind for w in _to_right(waypoint))


def _one_way_lanes(waypoint: carla.Waypoint) -> int:
    """Number of driving lanes of a one-way road; 0 on a two-way road."""
    innermost = waypoint
    count = 1 + sum(w.lane_type == carla.LaneType.Driving for w in _to_right(waypoint))
    for innermost in _to_left(waypoint):
        count += innermost.lane_type == carla.LaneType.Driving
    return count if innermost.get_left_lane() is None else 0


def _is_open_road(waypoint: carla.Waypoint) -> bool:
    """A two-way road outside of built-up parts: no parking beside it and no one-way traffic."""
    return _one_way_lanes(waypoint) == 0 and not _has_right(waypoint, carla.LaneType.Parking)


def _lane_length(waypoint: carla.Waypoint, forward: bool = True) -> float:
    """Metres of the lane's road from here to its end (or beginning), in steps of 5 m, at most 60."""
    length, here = 0.0, waypoint
    while length < 60.0:
        following = here.next(STEP) if forward else here.previous(STEP)
        if len(following) != 1 or following[0].is_junction:
            break
        here, length = following[0], length + STEP
    return length


def _turn(yaw_in: float, yaw_out: float) -> str:
    angle = _angle(yaw_out - yaw_in)
    if abs(angle) < 35:
        return "straight"
    return "right" if angle > 0 else "left"


def _angle(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
