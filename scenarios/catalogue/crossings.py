"""Walkers who cross the ego's way (docs/bench2drive.md 1.7 "Emergency braking")."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

from scenarios.lane_points import LanePoint, angle_between
from scenarios.parameters import SIDE, BlueprintId, degrees, metres
from scenarios.parts import QUARTER_TURN, toward
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import (
    OBSTACLE_CAR,
    WALKER,
    Arriving,
    Between,
    ClearEgoEntry,
    CountCollisionsTwice,
    Drove,
    End,
    FreeJunction,
    LeaveCrossingSpace,
    LeaveSpaceInFront,
    LeftJunction,
    Member,
    Place,
    Raise,
    Remove,
    Stands,
    Wait,
    Walk,
    exactly,
)
from simulator.blueprints import HALF_SIZE
from simulator.roads.network import LaneType

_CROSSING_SPEED = 1.8  # m/s of those who cross behind a turn
_WALKER_ROOM = 0.32  # m from a walker's centre to what it passes: half its width over the corner, and 5 cm
_PAST_BOX = 8.0  # m of a walk in which what hides the walker lies behind it
_MOST_ROOM = 4.0  # m that a walker starts further away than officially, at most
_ROOM_STEP = 0.1  # m


@scenario_type(
    "DynamicObjectCrossing",
    distance=metres(12.0),
    direction=SIDE,
    blocker_model=BlueprintId("static.prop.vendingmachine"),
    crossing_angle=degrees(0.0, -90.0, 90.0),
)
def dynamic_object_crossing(
    at: Site, distance: float, direction: str, blocker_model: tuple[int, ...], crossing_angle: float
) -> Script:
    """A walker steps out from behind an object on the sidewalk, into the ego's way.

    The object stands beside the lane `distance` m ahead, the walker beyond it, as near as it can be to get past. It
    sets out at 2 m/s when the ego is 2.1 s (0.1 s more for every 5 degrees of `crossing_angle`) or 6 m away. Afterwards
    both go; ends 40 m later.
    """
    meeting = at.trigger.ahead(distance)
    roadside, is_sidewalk = meeting.outward(direction, LaneType.SIDEWALK)
    outward = toward(direction)
    aside = 0.0 if is_sidewalk else outward * 1.5
    blocker = roadside.beside(right=aside, turned=QUARTER_TURN)
    length, width, _ = (float(v) for v in HALF_SIZE[blocker_model[0]])

    def beyond(metres: float) -> Place:
        return roadside.ahead(metres).beside(right=outward * 1.2, turned=-outward * (QUARTER_TURN + crossing_angle))

    start = _free_start(beyond, length + 0.5, Box(blocker, length, width))
    way = 2.0 * start.distance(meeting.place)
    patience = 2.1 + _more_patience(crossing_angle)
    return Script(
        cast=(
            Member("blocker", blocker_model, blocker),
            Member("walker", WALKER, start, hidden=True),
        ),
        strands=(
            (
                LeaveSpaceInFront(distance + 10.0),
                Raise(("walker",)),
                Arriving(meeting.place, patience, 6.0),
                LeaveCrossingSpace(meeting.place),
                Walk("walker", 2.0, way),
                Stands("walker", way / 2.0),
                Remove(("walker", "blocker")),
                Drove(40.0),
                End(),
            ),
        ),
    )


def _more_patience(crossing_angle: float) -> float:
    """Seconds that a walker sets out earlier when it does not walk straight across."""
    return 0.1 * math.floor(math.degrees(crossing_angle) / 5.0 + 1e-9)


class Box(NamedTuple):
    """What hides a walker: where it stands, half its length and half its width, metres."""

    place: Place
    half_length: float
    half_width: float


def _free_start(beyond: Callable[[float], Place], metres: float, box: Box) -> Place:
    """The first place from `metres` beyond a box from which a walker gets past it.

    With a crossing angle the walker comes back toward the box while it walks in, so the official half length and 0.5 m
    do not always do. One that walks nearly along the road gets what room there is.
    """
    for k in range(int(_MOST_ROOM / _ROOM_STEP) + 1):
        start = beyond(metres + k * _ROOM_STEP)
        if _gets_past(start, box):
            return start
    return start


def _gets_past(start: Place, box: Box) -> bool:
    """True when a walker who goes straight on for `_PAST_BOX` m never comes closer to the box than `_WALKER_ROOM`."""
    c, s = math.cos(box.place.yaw), math.sin(box.place.yaw)
    for k in range(int(_PAST_BOX / 0.1)):
        here = start.moved(forward=0.1 * k)
        dx, dy = here.x - box.place.x, here.y - box.place.y
        along, across = abs(dx * c + dy * s) - box.half_length, abs(dy * c - dx * s) - box.half_width
        if max(along, across) < _WALKER_ROOM:
            return False
    return True


@scenario_type(
    "ParkingCrossingPedestrian",
    distance=metres(12.0),
    direction=SIDE,
    crossing_angle=degrees(0.0, -90.0, 90.0),
)
def parking_crossing_pedestrian(at: Site, distance: float, direction: str, crossing_angle: float) -> Script:
    """A walker steps out from in front of a parked car, into the ego's way.

    The car stands `distance` m ahead, a lane's width beside the lane, the walker right beyond it. The walker sets out
    at 2 m/s when the ego is 2.15 s (0.1 s more for every 5 degrees of `crossing_angle`) or 6 m away, and walks 8 m.
    Afterwards both go; ends 40 m later.
    """
    spot = at.trigger.ahead(distance)
    # the walker's place needs the car's length, so the car is drawn here
    car = OBSTACLE_CAR[zlib.crc32(at.spec.route_id.encode()) % len(OBSTACLE_CAR)]
    length, width, _ = (float(v) for v in HALF_SIZE[car])
    meeting = spot.ahead(length + 0.5)
    outward = toward(direction)
    parked = spot.beside(right=outward * spot.width)

    def beyond(metres: float) -> Place:
        point = spot.ahead(metres)
        return point.beside(right=outward * point.width, turned=-outward * (QUARTER_TURN + crossing_angle))

    start = _free_start(beyond, length + 0.5, Box(parked, length, width))
    return Script(
        cast=(
            Member("car", (car,), parked),
            Member("walker", WALKER, start, hidden=True),
        ),
        strands=(
            (
                LeaveSpaceInFront(distance + 15.0),
                Raise(("walker",)),
                Arriving(meeting.place, 2.15 + _more_patience(crossing_angle), 6.0),
                Walk("walker", 2.0, 8.0),
                Stands("walker", 4.0),
                Remove(("walker", "car")),
                Drove(40.0),
                End(),
            ),
        ),
    )


@scenario_type("VehicleTurningRoute")
def vehicle_turning_route(at: Site) -> Script:
    """A bicycle crosses the road that the ego turns into, 11 m after the junction.

    It comes from the right edge at 1.8 m/s when the ego is 1.8 s or 6 m away from the lane there, and rides twice the
    way to the lane. Then it goes; ends 40 m later.
    """
    meeting = at.exit.ahead(11.0)
    start = _at_right_edge(meeting)
    way = 2.0 * start.distance(meeting.place)
    return Script(
        cast=(Member("bicycle", exactly("vehicle.diamondback.century"), start),),
        strands=(_cross_after_turn("bicycle", meeting.place, 1.8, way),),
    )


@scenario_type("VehicleTurningRoutePedestrian")
def vehicle_turning_route_pedestrian(at: Site) -> Script:
    """A walker crosses the road that the ego turns into, right after the junction; collisions count twice.

    It comes from the right side after a left turn, else from the left side, at 1.8 m/s when the ego is 2.2 s or 6 m
    away from the lane there, and walks to the other side. Then it goes; ends 40 m later.
    """
    meeting = at.exit.ahead(0.5)
    right = _at_right_edge(meeting)
    left = _at_left_edge(meeting)
    turns_left = angle_between(at.trigger.place.yaw, at.exit.place.yaw) < 0.0
    start = right if turns_left else left
    return Script(
        cast=(Member("walker", WALKER, start, hidden=True),),
        strands=(
            (
                CountCollisionsTwice(True),
                Raise(("walker",)),
                *_cross_after_turn("walker", meeting.place, 2.2, right.distance(left)),
            ),
        ),
        finish=(CountCollisionsTwice(False),),
    )


def _cross_after_turn(name: str, meeting: Place, patience: float, way: float) -> Strand:
    """A member crosses `way` metres at 1.8 m/s when the ego arrives, and goes; the scenario ends 40 m later."""
    return (
        Arriving(meeting, patience, 6.0),
        LeaveCrossingSpace(meeting),
        Walk(name, _CROSSING_SPEED, way),
        Stands(name, way / _CROSSING_SPEED),
        Remove((name,)),
        Drove(40.0),
        End(),
    )


def _at_right_edge(point: LanePoint) -> Place:
    """On the sidewalk right of a lane, or 1.5 m right of the outermost lane's centre; facing the road."""
    edge, is_sidewalk = point.outward("right", LaneType.SIDEWALK)
    return edge.beside(right=0.0 if is_sidewalk else 1.5, turned=-QUARTER_TURN)


def _at_left_edge(point: LanePoint) -> Place:
    """As `_at_right_edge` on the other side of the road, beyond the oncoming lanes if there are any."""
    leftmost = point.same_direction_lanes()[-1] if _is_driving(point.to_the("left")) else point
    oncoming = leftmost.opposite()
    if oncoming is not None:
        return _at_right_edge(oncoming)
    edge, is_sidewalk = leftmost.outward("left", LaneType.SIDEWALK)
    return edge.beside(right=0.0 if is_sidewalk else -1.5, turned=QUARTER_TURN)


def _is_driving(point: LanePoint | None) -> bool:
    return point is not None and point.type == LaneType.DRIVING


@scenario_type("PedestrianCrossing")
def pedestrian_crossing(at: Site) -> Script:
    """Three walkers cross in front of the junction ahead, one after the other.

    They set out when the ego is 3.5 s or 12 m away, each after up to 1.5 s, at 1.3 to 2.0 m/s. As in the official code
    the scenario itself never ends; here the traffic gets its freedom back once the ego has left the junction.
    """
    meeting = at.trigger.walk(200.0)
    if meeting.way_to_junction() > 2.0:
        raise NotPlaced("the road has no junction within 200 m")
    sidewalk, _ = meeting.outward("right", LaneType.SIDEWALK)
    names = ("first walker", "second walker", "third walker")
    starts = [
        sidewalk.beside(right, forward, turned=-QUARTER_TURN) for forward, right in ((0.4, 1.5), (1.0, 2.5), (1.6, 0.5))
    ]

    def cross(name: str, metres: float) -> Strand:
        return (
            Arriving(meeting.place, 3.5, 12.0),
            Wait(Between(0.0, 1.5)),
            Walk(name, Between(1.3, 2.0), 2.3 * metres),
            Stands(name, 2.3 * metres / 1.3),
            Remove((name,)),
        )

    return Script(
        cast=tuple(Member(name, WALKER, start, hidden=True) for name, start in zip(names, starts, strict=True)),
        strands=(
            (ClearEgoEntry(), Raise(names), LeftJunction(), FreeJunction()),
            *(cross(name, start.distance(meeting.place)) for name, start in zip(names, starts, strict=True)),
        ),
    )
