"""Slow or opening obstacles at the roadside: bicycles, a car door (BENCH2DRIVE.md 1.7 "Obstacles in the lane")."""

from __future__ import annotations

from scenarios.lane_points import LanePoint
from scenarios.parameters import SIDE, Interval, Quantity, kmh, metres
from scenarios.parts import BICYCLE, PASS_AGAINST_TRAFFIC, STOP_PASSING, oncoming_flow, toward
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.tracks import ahead_stretches, track
from scenarios.vocabulary import (
    CAREFUL,
    Arriving,
    Between,
    Drove,
    EgoPassed,
    End,
    ExtraSpace,
    Follow,
    Forever,
    LeaveSpaceInFront,
    MaxSpeed,
    Member,
    Near,
    OncomingSpacing,
    OpenDoor,
    Passed,
    StopBehind,
    Wait,
    WrongDirectionTest,
)
from simulator.blueprints import filter_blueprints
from simulator.state import DriverFlag

CAR_WITH_DOORS: tuple[int, ...] = tuple(int(i) for i in filter_blueprints(base_type="car", has_dynamic_doors=True))

_ASIDE = 0.55  # of half the lane's width, to the right, that the bicycles ride off its centre
_USUAL_SPACING = 40.0  # metres between oncoming vehicles of the background traffic


@scenario_type(
    "HazardAtSideLane",
    distance=metres(100.0),
    speed=kmh(60.0),
    bicycle_drive_distance=metres(50.0),
    bicycle_speed=kmh(10.0, low=1.0),
)
def hazard_at_side_lane(
    at: Site, distance: float, speed: float, bicycle_drive_distance: float, bicycle_speed: float
) -> Script:
    """Two bicycles ride slowly at the right of the ego's lane; the neighbour lane goes by.

    They are `distance` m ahead, 9 m apart, ride `bicycle_drive_distance` m at `bicycle_speed`, and stop. 5 s after the
    ego has come within 50 m, traffic slows to `speed`. Ends 50 m after the ego has passed the second bicycle.
    """
    cast, strands = _bicycles(at, distance, bicycle_drive_distance, bicycle_speed)
    return Script(
        cast=cast,
        strands=(*strands, (Near("first bicycle", 50.0), Wait(5.0), MaxSpeed(speed), Forever())),
        finish=(MaxSpeed(0.0), ExtraSpace(0.0)),
        timeout=True,
    )


@scenario_type(
    "HazardAtSideLaneTwoWays",
    distance=metres(100.0),
    frequency=Quantity(100.0, "m", 1.0, 1000.0),
    bicycle_drive_distance=metres(50.0),
    bicycle_speed=kmh(10.0, low=1.0),
)
def hazard_at_side_lane_two_ways(
    at: Site, distance: float, frequency: float, bicycle_drive_distance: float, bicycle_speed: float
) -> Script:
    """Two bicycles ride slowly in the ego's lane of a two-way road; pass through a gap in the oncoming traffic.

    As HazardAtSideLane, but 5 s after the ego has come within 50 m, the traffic's oncoming vehicles come `frequency` m
    apart and driving against the traffic is allowed, as in the official code until the route's end.
    """
    cast, strands = _bicycles(at, distance, bicycle_drive_distance, bicycle_speed)
    passing: Strand = (WrongDirectionTest(False), OncomingSpacing(frequency))
    return Script(
        cast=cast,
        strands=(*strands, (Near("first bicycle", 50.0), Wait(5.0), *passing, Forever())),
        # the official code switches the test off once more where it means to switch it on (BENCH2DRIVE.md B.4)
        finish=(WrongDirectionTest(False), OncomingSpacing(_USUAL_SPACING), ExtraSpace(0.0)),
        timeout=True,
    )


def _bicycles(at: Site, distance: float, ride: float, speed: float) -> tuple[tuple[Member, ...], tuple[Strand, ...]]:
    """Two bicycles, and the strands in which they ride and the scenario ends."""
    first = at.trigger.walk(distance)
    second = first.walk(9.0)
    names = ("first bicycle", "second bicycle")
    points = dict(zip(names, (first, second), strict=True))
    right = _ASIDE * 0.5 * first.width

    def rides(name: str, point: LanePoint) -> Strand:
        way = track(at.net, ahead_stretches(point, ride))
        return (Follow(name, way, speed, CAREFUL | DriverFlag.STOP_AT_END, offset=right), Forever())

    return (
        tuple(Member(name, BICYCLE, point.beside(right=right)) for name, point in points.items()),
        (
            (LeaveSpaceInFront(distance + 29.0), ExtraSpace(30.0), EgoPassed("second bicycle"), Drove(50.0), End()),
            *(rides(name, point) for name, point in points.items()),
        ),
    )


@scenario_type(
    "VehicleOpensDoorTwoWays", distance=metres(50.0), direction=SIDE, frequency=Interval((20.0, 100.0), low=1.0)
)
def vehicle_opens_door_two_ways(at: Site, distance: float, direction: str, frequency: Between) -> Script:
    """A parked car opens its door into the ego's lane.

    It stands `distance` m ahead. When the ego is 3 s or 10 m away, the door opens and the traffic behind stops; 5 s
    later driving against the traffic is allowed. The flow that is meant to come towards the ego comes from behind it,
    in its own lane, as in the official code: it is laid on the lane left of the parked car's. Ends 50 m beyond.
    """
    meeting = at.trigger.ahead(distance)
    parking = meeting.to_the(direction)
    if parking is None:
        raise NotPlaced(f"there is no lane on the {direction} for the parked car")
    inward = -toward(direction)
    place = parking.beside(right=inward * parking.width / 4)
    return Script(
        cast=(Member("car", CAR_WITH_DOORS, place, half_widths_right=-inward / 4),),
        flows=(oncoming_flow(at, parking, frequency),),
        strands=(
            (LeaveSpaceInFront(distance + 20.0), Passed(meeting.walk(50.0).place), End()),
            (
                Arriving(meeting.place, 3.0, 10.0),
                OpenDoor("car", 0 if direction == "right" else 1),
                StopBehind(True),
                Wait(5.0),
                *PASS_AGAINST_TRAFFIC,
                Forever(),
            ),
        ),
        finish=(*STOP_PASSING, StopBehind(False)),
        timeout=True,
    )
