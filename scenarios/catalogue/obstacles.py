"""Obstacles in the ego's lane: pass on the neighbour lane, or against the traffic (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

from scenarios.lane_points import LanePoint
from scenarios.parameters import SIDE, Interval, kmh, metres
from scenarios.parts import (
    PASS_AGAINST_TRAFFIC,
    QUARTER_TURN,
    STOP_PASSING,
    off_centre,
    oncoming_flow,
    toward,
    warning_sign,
)
from scenarios.placement import Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import (
    OBSTACLE_CAR,
    Between,
    CloseLanes,
    End,
    Forever,
    LeaveSpaceInFront,
    MaxSpeed,
    Member,
    Near,
    Passed,
    Raise,
    ReopenLanes,
    Wait,
    exactly,
)
from simulator.state import HAZARD, SPECIAL


@scenario_type("ParkedObstacle", distance=metres(120.0), direction=SIDE, speed=kmh(60.0))
def parked_obstacle(at: Site, distance: float, direction: str, speed: float) -> Script:
    """A car with hazard lights stands in the ego's lane; the neighbour lane goes by.

    The car is `distance` m ahead, towards the side. Traffic leaves the space up to 20 m behind it. 5 s after the ego
    has come within 50 m, traffic slows to `speed`. Ends 50 m beyond the car.
    """
    spot = at.trigger.walk(distance)
    return Script(
        cast=_parked_car(at, spot, direction),
        strands=(
            (LeaveSpaceInFront(distance + 20.0), Passed(spot.walk(50.0).place), End()),
            (Near("car", 50.0), Wait(5.0), MaxSpeed(speed), Forever()),
        ),
        finish=(MaxSpeed(0.0),),
        timeout=True,
    )


@scenario_type(
    "ParkedObstacleTwoWays", distance=metres(120.0), direction=SIDE, frequency=Interval((20.0, 100.0), low=1.0)
)
def parked_obstacle_two_ways(at: Site, distance: float, direction: str, frequency: Between) -> Script:
    """A car with hazard lights stands in the ego's lane of a two-way road; pass through a gap in the oncoming traffic.

    As ParkedObstacle, but 5 s after the ego has come within 50 m, oncoming cars come at spacings from `frequency`, and
    driving against the traffic is allowed.
    """
    spot = at.trigger.walk(distance)
    return Script(
        cast=_parked_car(at, spot, direction),
        flows=(oncoming_flow(at, spot, frequency),),
        strands=(
            (LeaveSpaceInFront(distance + 20.0), Passed(spot.walk(50.0).place), End()),
            (Near("car", 50.0), Wait(5.0), *PASS_AGAINST_TRAFFIC, Forever()),
        ),
        finish=STOP_PASSING,
        timeout=True,
    )


def _parked_car(at: Site, spot: LanePoint, side: str) -> tuple[Member, ...]:
    """A warning sign at the trigger, and a car with hazard lights towards one side of its lane."""
    return (
        warning_sign(at, "warningaccident", side),
        Member("car", OBSTACLE_CAR, off_centre(spot, side, 0.7), lights=HAZARD),
    )


@scenario_type("Accident", distance=metres(120.0), direction=SIDE, speed=kmh(60.0))
def accident(at: Site, distance: float, direction: str, speed: float) -> Script:
    """A police car and two wrecks block the ego's lane; the neighbour lane goes by.

    The police car is `distance` m ahead, the wrecks 10 and 16 m further. Traffic leaves the space up to 20 m behind
    them. 5 s after the ego has come within 50 m of the first wreck, traffic slows to `speed`. Ends 50 m beyond the
    second wreck.
    """
    cast, second = _wrecks(at, distance, direction)
    return Script(
        cast=cast,
        strands=(
            (LeaveSpaceInFront(distance + 36.0), Passed(second.walk(50.0).place), End()),
            (Near("first wreck", 50.0), Wait(5.0), MaxSpeed(speed), Forever()),
        ),
        finish=(MaxSpeed(0.0),),
        timeout=True,
    )


@scenario_type("AccidentTwoWays", distance=metres(120.0), direction=SIDE, frequency=Interval((20.0, 100.0), low=1.0))
def accident_two_ways(at: Site, distance: float, direction: str, frequency: Between) -> Script:
    """A police car and two wrecks block the ego's lane of a two-way road; pass through a gap in the oncoming traffic.

    As Accident, but 5 s after the ego has come within 50 m of the first wreck, oncoming cars come at spacings from
    `frequency`, and driving against the traffic is allowed.
    """
    cast, second = _wrecks(at, distance, direction)
    return Script(
        cast=cast,
        flows=(oncoming_flow(at, second, frequency),),
        strands=(
            (LeaveSpaceInFront(distance + 36.0), Passed(second.walk(50.0).place), End()),
            (Near("first wreck", 50.0), Wait(5.0), *PASS_AGAINST_TRAFFIC, Forever()),
        ),
        finish=STOP_PASSING,
        timeout=True,
    )


def _wrecks(at: Site, distance: float, side: str) -> tuple[tuple[Member, ...], LanePoint]:
    """A warning sign, a police car and two wrecks towards one side of the lane; and the place of the second wreck."""
    police = at.trigger.walk(distance)
    first = police.walk(10.0)
    second = first.walk(6.0)
    police_car = exactly("vehicle.dodge.charger_police_2020")
    cast = (
        warning_sign(at, "warningaccident", side),
        Member("police", police_car, off_centre(police, side, 0.6), lights=SPECIAL),
        Member("first wreck", OBSTACLE_CAR, off_centre(first, side, 0.6)),
        Member("second wreck", OBSTACLE_CAR, off_centre(second, side, 0.6)),
    )
    return cast, second


@scenario_type("ConstructionObstacle", distance=metres(100.0), direction=SIDE, speed=kmh(60.0))
def construction_obstacle(at: Site, distance: float, direction: str, speed: float) -> Script:
    """A construction site takes the ego's lane; the neighbour lane goes by.

    Cones, debris and a traffic warning stand `distance` m ahead; the lane is closed to the other traffic. 5 s after the
    ego has come within 30 m, traffic slows to `speed`. Ends 50 m beyond.
    """
    site = at.trigger.ahead(distance)
    works = construction_site(site, direction)
    return Script(
        cast=(warning_sign(at, "warningconstruction", direction), *works),
        strands=(
            (*_open_works(at, works), Passed(site.walk(50.0).place), End()),
            (Near(site.place, 30.0), Wait(5.0), MaxSpeed(speed), Forever()),
        ),
        finish=(MaxSpeed(0.0), ReopenLanes((at.trigger.lane,))),
        timeout=True,
    )


@scenario_type(
    "ConstructionObstacleTwoWays", distance=metres(100.0), direction=SIDE, frequency=Interval((20.0, 100.0), low=1.0)
)
def construction_obstacle_two_ways(at: Site, distance: float, direction: str, frequency: Between) -> Script:
    """A construction site takes the ego's lane of a two-way road; pass through a gap in the oncoming traffic.

    As ConstructionObstacle, but 5 s after the ego has come within 30 m, oncoming cars come at spacings from
    `frequency`, and driving against the traffic is allowed.
    """
    site = at.trigger.ahead(distance)
    works = construction_site(site, direction)
    return Script(
        cast=(warning_sign(at, "warningconstruction", direction), *works),
        flows=(oncoming_flow(at, site, frequency),),
        strands=(
            (*_open_works(at, works), Passed(site.walk(50.0).place), End()),
            (Near(site.place, 30.0), Wait(5.0), *PASS_AGAINST_TRAFFIC, Forever()),
        ),
        finish=(*STOP_PASSING, ReopenLanes((at.trigger.lane,))),
        timeout=True,
    )


def _open_works(at: Site, works: tuple[Member, ...]) -> Strand:
    """The construction site appears, and its lane is closed to the other traffic."""
    return (CloseLanes((at.trigger.lane,)), Raise(tuple(m.name for m in works)))


def construction_site(site: LanePoint, side: str) -> tuple[Member, ...]:
    """The props of a construction site, hidden.

    A traffic warning 5 m before it, debris 2 m into it, 4 cones at 2 m pitch along the lane's inner edge, then 3 at 1 m
    pitch across the lane.
    """
    outward = toward(side)
    inner_edge = site.beside(right=-outward * 0.85 * 0.5 * site.width)
    warning = exactly("static.prop.trafficwarning")
    debris = exactly("static.prop.dirtdebris02")
    cone = exactly("static.prop.constructioncone")
    along = [inner_edge.moved(forward=2.0 * k) for k in range(1, 5)]
    across = [along[-1].moved(right=outward * k) for k in range(1, 4)]
    return (
        Member("traffic warning", warning, site.beside(0.0, -5.0, math.pi + QUARTER_TURN), hidden=True),
        Member("debris", debris, site.beside(0.0, 2.0, QUARTER_TURN), hidden=True),
        *(Member(f"cone {k}", cone, place, hidden=True) for k, place in enumerate([*along, *across], start=1)),
    )
