"""Vehicles that cut into the ego's lane (docs/bench2drive.md 1.7)."""

from __future__ import annotations

from scenarios.parameters import SIDE
from scenarios.parts import KMH, in_parking_lane, joining_track
from scenarios.placement import Site
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.vocabulary import (
    OBSTACLE_CAR,
    Arriving,
    Drove,
    End,
    ExtraSpace,
    Follow,
    LeaveSpaceInFront,
    Remove,
)

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
