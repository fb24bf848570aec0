"""Leaving a parking lane (BENCH2DRIVE.md 1.7 "ParkingExit")."""

from __future__ import annotations

from scenarios.parameters import SIDE, metres
from scenarios.parts import in_parking_lane, toward
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.tracks import ahead_stretches, track
from scenarios.vocabulary import OBSTACLE_CAR, Drove, End, Follow, Forever, Member, PlaceEgo, Raise, Remove, Spacing
from simulator.roads.network import LaneType
from simulator.state import DriverFlag

_USUAL_SPACING = 15.0  # metres between the vehicles on the ego's road
_SIDE_CAR_DRIVES = 50.0  # metres, and then it goes


@scenario_type(
    "ParkingExit",
    direction=SIDE,
    front_vehicle_distance=metres(20.0, 1.0),
    behind_vehicle_distance=metres(10.0, 1.0),
    flow_distance=metres(25.0, 1.0),
)
def parking_exit(
    at: Site, direction: str, front_vehicle_distance: float, behind_vehicle_distance: float, flow_distance: float
) -> Script:
    """The ego begins its route parked between two cars, and must get out into the traffic.

    They stand `front_vehicle_distance` m ahead and `behind_vehicle_distance` m behind in the parking lane. A car beside
    the ego drives off and goes after 50 m; the traffic behind comes `flow_distance` m apart. Ends when the ego has
    driven 15 m more than the distance to the car ahead.
    """
    parking, found = at.trigger.outward(direction, LaneType.PARKING)
    if not found:
        raise NotPlaced(f"there is no parking lane on the {direction}")
    outward = toward(direction)
    way = track(at.net, ahead_stretches(at.trigger, _SIDE_CAR_DRIVES + 50.0))
    return Script(
        cast=(
            in_parking_lane("front", OBSTACLE_CAR, at.trigger.ahead(front_vehicle_distance), direction),
            in_parking_lane("behind", OBSTACLE_CAR, at.trigger.back(behind_vehicle_distance), direction),
            Member("side", OBSTACLE_CAR, at.trigger.place, hidden=True),
        ),
        setup=(
            PlaceEgo(parking.beside(right=outward * parking.width / 4), half_widths_right=-outward / 4),
            Raise(("side",)),
        ),
        strands=(
            (
                Spacing(flow_distance),
                Follow("side", way, at.trigger.speed_limit, DriverFlag.NONE),
                Drove(_SIDE_CAR_DRIVES, "side"),
                Remove(("side",)),
                Forever(),
            ),
            (Drove(front_vehicle_distance + 15.0), End()),
        ),
        finish=(Spacing(_USUAL_SPACING),),
        timeout=True,
    )
