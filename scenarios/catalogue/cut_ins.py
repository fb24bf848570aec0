"""Vehicles that cut into the ego's lane (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

from scenarios.parameters import SIDE, Point, Unused, metres
from scenarios.parts import KMH, in_parking_lane, joining_track
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.route import Location
from scenarios.script import Script
from scenarios.vocabulary import (
    CAREFUL,
    FLOW_CAR,
    OBSTACLE_CAR,
    Arriving,
    ClearJunction,
    CloseLanes,
    Drove,
    EgoSpeed,
    End,
    ExtendExit,
    ExtraSpace,
    Follow,
    FreeJunction,
    LeaveSpaceInFront,
    MeetEgo,
    Member,
    Raise,
    Remove,
    ReopenLanes,
    SetSpeed,
    Wait,
)
from simulator.state import DriverFlag, VehicleLight

_USUAL_ACCELERATION = 2.0  # m/s2 of an ego that sets out at the beginning of its route
_JOIN_METRES = 8.0  # along the road within which a BasicAgent gets from the kerb into its lane


@scenario_type("ParkingCutIn", direction=SIDE)
def parking_cut_in(at: Site, direction: str) -> Script:
    """A parked car pulls out from behind another one, right in front of the ego.

    It stands 35 m ahead in the parking lane, and drives off at 20 km/h when the ego is 2.35 s or 10 m away. Once it has
    driven 30 m, both parked cars go.
    """
    meeting = at.trigger.ahead(35.0)
    blocker = in_parking_lane("blocker", OBSTACLE_CAR, at.trigger.ahead(28.0), direction)
    car = in_parking_lane("car", OBSTACLE_CAR, meeting, direction)
    return Script(
        cast=(blocker, car),
        strands=(
            (
                LeaveSpaceInFront(45.0),
                Arriving(meeting.place, 2.35, 10.0),
                ExtraSpace(20.0),
                Follow("car", joining_track(at, meeting, car.place, 80.0, blend=_JOIN_METRES), 20.0 * KMH),
                Drove(30.0, "car"),
                Remove(("car", "blocker")),
                End(),
            ),
        ),
        finish=(ExtraSpace(0.0),),
    )


_QUEUE_PITCH = 11.0  # metres between the cars of the queue
_CHANGE_METRES = 8.0  # that the adversary drives before its lane change is over


@scenario_type("StaticCutIn", distance=metres(100.0), direction=SIDE)
def static_cut_in(at: Site, distance: float, direction: str) -> Script:
    """A car leaves a queue that stands in the neighbour lane, right in front of the ego.

    The queue begins `distance` m ahead: two cars, the one that cuts in, three more, 11 m apart. It cuts in at the ego's
    speed when the ego is 2.7 s or 15 m away from the place beside it, then wants 60 km/h. Ends when it has driven 70 m
    further, at the latest after 30 s.
    """
    beside = [at.trigger.ahead(distance + k * _QUEUE_PITCH) for k in range(6)]
    queue = [point.to_the(direction) for point in beside]
    if any(point is None for point in queue):
        raise NotPlaced(f"there is no lane on the {direction} for the queue")
    names = ("first", "second", "adversary", "fourth", "fifth", "sixth")
    cast = tuple(
        Member(name, OBSTACLE_CAR, point.place, hidden=True)
        for name, point in zip(names, queue, strict=True)
        if point is not None
    )
    meeting, adversary = beside[2], cast[2]
    side_lane = queue[2].lane if queue[2] is not None else -1
    arriving = Arriving(meeting.place, 2.7, 15.0)
    line = joining_track(at, meeting, adversary.place, 150.0, blend=_CHANGE_METRES)
    return Script(
        cast=cast,
        strands=(
            (
                LeaveSpaceInFront(distance + 66.0),
                Raise(names),
                arriving,
                ExtraSpace(30.0),
                CloseLanes((side_lane,)),
                Follow("adversary", line, EgoSpeed(1.0)),
                Drove(_CHANGE_METRES, "adversary"),
                SetSpeed("adversary", 60.0 * KMH),
                Drove(70.0, "adversary"),
                End(),
            ),
            (arriving, Wait(30.0), End()),
        ),
        finish=(ExtraSpace(0.0), ReopenLanes((side_lane,))),
    )


@scenario_type("HighwayCutIn", other_actor_location=Point(), end_location=Unused())
def highway_cut_in(at: Site, other_actor_location: Location, end_location: None) -> Script:
    """A car enters the road through the junction ahead at the same time as the ego, and cuts in from the right.

    It drives so as to be 10 m beyond its junction exit when the ego is at its own, changes to the lane on its left
    within 2.3 s at 80 % of the ego's speed, stays there for 3 s, and goes. Ends then; `end_location` has no effect, as
    officially.
    """
    start = at.lane_at(other_actor_location, what="other_actor_location")
    line, goal = at.track_through_junction(start, beyond=10.0)
    beside = goal.to_the("left")
    if beside is None:
        raise NotPlaced("there is no lane on the left for the car to cut into")
    # the official code measures these ways by the car's speed at that moment, which is about the ego's
    speed = min(beside.speed_limit, math.sqrt(2.0 * _USUAL_ACCELERATION * at.junction.exit))
    way = (0.3 + 2.0 + 3.0) * speed
    change = joining_track(at, beside, goal.place, way + 20.0, blend=2.3 * speed)
    junction = at.junction.junction
    return Script(
        cast=(Member("car", FLOW_CAR, start.place, hidden=True, lights=int(VehicleLight.LOW_BEAM)),),
        strands=(
            (
                ClearJunction(junction),
                CloseLanes((start.lane,)),
                ExtendExit(170.0),
                Raise(("car",)),
                Follow("car", line, EgoSpeed(1.0), CAREFUL | DriverFlag.CONSTANT_VELOCITY),
                MeetEgo("car", goal.place, at.exit.place),
                Follow("car", change, EgoSpeed(0.8)),
                Drove(way, "car"),
                Remove(("car",)),
                End(),
            ),
        ),
        finish=(FreeJunction(), ReopenLanes((start.lane,))),
    )
