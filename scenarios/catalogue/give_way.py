"""Vehicles that the ego must make room for (docs/bench2drive.md 1.7 "Give way")."""

from __future__ import annotations

from scenarios.parameters import metres
from scenarios.placement import Site
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.tracks import ahead_stretches, track
from scenarios.vocabulary import (
    CAREFUL,
    EMERGENCY_VEHICLE,
    AheadOfEgo,
    Chase,
    CloseLanes,
    Drove,
    EgoSpeed,
    End,
    Follow,
    JudgeYielding,
    Member,
    Near,
    Raise,
    ReopenLanes,
    Wait,
)
from simulator.state import SPECIAL, DriverFlag

_ONWARD = 400.0  # metres beyond the trigger that the emergency vehicle knows its way


@scenario_type("YieldToEmergencyVehicle", distance=metres(140.0))
def yield_to_emergency_vehicle(at: Site, distance: float) -> Script:
    """An emergency vehicle comes up behind the ego and wants to pass.

    It starts `distance` m behind, 25 m/s faster than the ego, and stays close behind it until the ego leaves the lane.
    Ends 10 s after it has come within 50 m, or once it is 50 m past the ego; the ego has failed if it is then still
    ahead.
    """
    start = at.trigger.back(distance)
    faster = EgoSpeed(1.0, plus=25.0)
    lane = (at.trigger.lane,)
    return Script(
        cast=(Member("vehicle", EMERGENCY_VEHICLE, start.place, hidden=True, lights=SPECIAL),),
        strands=(
            (
                CloseLanes(lane),
                Raise(("vehicle",)),
                JudgeYielding("vehicle"),
                Follow(
                    "vehicle",
                    track(at.net, ahead_stretches(start, distance + _ONWARD)),
                    faster,
                    CAREFUL | DriverFlag.CONSTANT_VELOCITY,
                ),
                Chase("vehicle", faster, look=10.0, look_seconds=0.15),
            ),
            (Near("vehicle", 50.0), Wait(10.0), End()),
            (AheadOfEgo("vehicle", 10.0), Drove(50.0, "vehicle"), End()),
        ),
        finish=(ReopenLanes(lane),),
    )
