"""Vehicles that the ego must make room for (docs/bench2drive.md 1.7 "Give way")."""

from __future__ import annotations

import math

from scenarios.parameters import metres
from scenarios.parts import off_centre
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.tracks import ahead_stretches, track
from scenarios.vocabulary import (
    CAREFUL,
    EMERGENCY_VEHICLE,
    AheadOfEgo,
    Between,
    Chase,
    CloseLanes,
    Drove,
    EgoSpeed,
    End,
    Flow,
    Follow,
    JudgeYielding,
    Member,
    Near,
    Oncoming,
    Passed,
    Raise,
    ReopenLanes,
    StartFlow,
    Wait,
    exactly,
)
from simulator.roads.network import LaneType
from simulator.state import SPECIAL, DriverFlag

_ONWARD = 400.0  # metres beyond the trigger that the emergency vehicle knows its way
_BEYOND_INVASION = 30.0  # metres beyond `distance` where the invading vehicles come from
_INVADERS_PITCH = 40.0  # metres between them
_INVADER_HALF_WIDTH = 0.7  # metres, as the official code has it


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


@scenario_type("InvadingTurn", distance=metres(100.0, 15.0, 200.0), offset=metres(0.25, 0.0, 3.0))
def invading_turn(at: Site, distance: float, offset: float) -> Script:
    """Oncoming vehicles keep away from cones at their edge of the road, and come part of the way into the ego's lane.

    They come every 40 m, from `distance` + 30 m ahead to the trigger; the cones stand every 5 m over the first half of
    `distance`, from 10 m after their source. Ends where they come from.
    """
    far = at.trigger.ahead(distance + _BEYOND_INVASION)
    source, sink = far.left(), at.trigger.left()
    if source is None or sink is None or not source.type == sink.type == LaneType.DRIVING:
        raise NotPlaced("there is no oncoming lane on the left")
    edge = [source.ahead(10.0 + 5.0 * k) for k in range(math.ceil(0.1 * distance))]
    cones = tuple(
        Member(f"cone {k}", exactly("static.prop.constructioncone"), off_centre(point, "right", 0.8), hidden=True)
        for k, point in enumerate(edge, start=1)
    )
    invasion = offset + 0.5 * far.width - _INVADER_HALF_WIDTH
    spacing = Between(_INVADERS_PITCH, _INVADERS_PITCH)
    line, limit = at.track_between(source, sink), at.trigger.speed_limit
    lane = (at.trigger.lane,)
    return Script(
        cast=cones,
        flows=(Flow("invaders", line, spacing, limit, flags=CAREFUL, offset=-invasion),),
        strands=(
            (
                CloseLanes(lane),
                Oncoming(False),
                Raise(tuple(cone.name for cone in cones)),
                StartFlow("invaders"),
                Passed(far.place, within=50.0),
                End(),
            ),
        ),
        finish=(Oncoming(True), ReopenLanes(lane)),
        timeout=True,
    )
