"""Walkers who cross the ego's way (docs/bench2drive.md 1.7 "Emergency braking")."""

from __future__ import annotations

import math

from scenarios.parameters import SIDE, BlueprintId, degrees, metres
from scenarios.parts import QUARTER_TURN, toward
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import (
    WALKER,
    Arriving,
    Between,
    ClearEgoEntry,
    Drove,
    End,
    FreeJunction,
    LeaveCrossingSpace,
    LeaveSpaceInFront,
    LeftJunction,
    Member,
    Raise,
    Remove,
    Stands,
    Wait,
    Walk,
)
from simulator.blueprints import HALF_SIZE
from simulator.roads.network import LaneType


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

    The object stands beside the lane `distance` m ahead. The walker sets out at 2 m/s when the ego is 2.1 s (0.1 s more
    for every 5 degrees of `crossing_angle`) or 6 m away. Afterwards both go; ends 40 m later.
    """
    meeting = at.trigger.ahead(distance)
    roadside, is_sidewalk = meeting.outward(direction, LaneType.SIDEWALK)
    outward = toward(direction)
    aside = 0.0 if is_sidewalk else outward * 1.5
    length, width, _ = (float(v) for v in HALF_SIZE[blocker_model[0]])
    # half its length and 0.5 m in the official code; it stands across the road, so its width must be passed as well
    behind = roadside.ahead(max(length + 0.5, width + 0.3))
    start = behind.beside(right=outward * 1.2, turned=-outward * (QUARTER_TURN + crossing_angle))
    way = 2.0 * start.distance(meeting.place)
    patience = 2.1 + 0.1 * math.floor(math.degrees(crossing_angle) / 5.0 + 1e-9)
    return Script(
        cast=(
            Member("blocker", blocker_model, roadside.beside(right=aside, turned=QUARTER_TURN)),
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
