"""Conflicts with other vehicles in a junction (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math
import zlib

from scenarios.geometry import Polyline
from scenarios.lane_points import LanePoint
from scenarios.parameters import Choice, Interval, metres_per_second
from scenarios.parts import KMH, hold_lights, note_missing_lights
from scenarios.placement import NotPlaced, Site, line_intersection
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.vocabulary import (
    EMERGENCY_VEHICLE,
    RECKLESS,
    Arriving,
    Between,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    Drove,
    End,
    ExtendExit,
    Flow,
    Follow,
    FreeJunction,
    LeftJunction,
    Member,
    Oncoming,
    Raise,
    Remove,
    ReopenLanes,
    StartFlow,
    Wait,
)
from simulator.state import SPECIAL, DriverFlag, LightState

_STRAIGHT = math.radians(45.0)  # a way through a junction that turns less counts as straight on


@scenario_type("OppositeVehicleRunningRedLight", direction=Choice(("left", "right", "opposite"), "right"))
def opposite_vehicle_running_red_light(at: Site, direction: str) -> Script:
    """An emergency vehicle runs its red light and crosses the junction in front of the ego, who has green.

    It waits up to 30 m before the junction, on the entry that lies in `direction`, and sets out at 60 km/h when the ego
    is 2.2 s or 12 m away from where their ways cross. Ends when the ego has left the junction.
    """
    entries = at.entries_from(direction)
    source = next((entry for entry in entries if _crosses(at, entry)), entries[0])
    note_missing_lights(at)
    start = source.walk_back(30.0)
    line, sink = at.track_through_junction(start, beyond=10.0)
    meeting = line_intersection(at.entry.place, source.place) or at.crossing_point(line)
    speed = 60.0 * KMH
    junction = at.junction.junction
    closed = (source.lane, sink.lane)
    return Script(
        cast=(Member("vehicle", EMERGENCY_VEHICLE, start.place, hidden=True, lights=SPECIAL),),
        strands=(
            (
                ClearJunction(junction),
                ClearEgoEntry(),
                CloseLanes(closed),
                *hold_lights(at, ego=LightState.GREEN, others=LightState.RED),
                Raise(("vehicle",)),
                Arriving(meeting, 2.2, 12.0),
                Follow("vehicle", line, speed, RECKLESS | DriverFlag.STOP_AT_END),
                Wait(start.place.distance(sink.place) / speed),
                Remove(("vehicle",)),
                LeftJunction(junction),
                End(),
            ),
        ),
        finish=(FreeJunction(), ReopenLanes(closed)),
    )


@scenario_type(
    "SignalizedJunctionLeftTurn",
    flow_speed=metres_per_second(20.0),
    source_dist_interval=Interval((25.0, 50.0), low=1.0),
)
def signalized_junction_left_turn(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns left with a permissive green, across a stream of oncoming cars.

    Cars come straight on at `flow_speed`, spaced by `source_dist_interval`. The ego's light is red for 5 s, then green;
    theirs is green all the time. Ends 10 m after the junction.
    """
    ways = [way for way in (_straight_way(at, e, flow_speed) for e in at.entries_from("opposite")) if way is not None]
    if not ways:
        raise NotPlaced("no oncoming lane leads straight across the ego's way in the junction")
    note_missing_lights(at)
    source, line, sink = ways[zlib.crc32(at.spec.route_id.encode()) % len(ways)]  # the official code draws one
    beyond = 2.5 * flow_speed
    junction = at.junction.junction
    closed = tuple(p.lane for p in (*source.same_direction_lanes(), *sink.same_direction_lanes()))
    theirs = dict.fromkeys(at.lights_of([source.lane]), LightState.GREEN)
    return Script(
        flows=(Flow("oncoming", line, source_dist_interval, flow_speed),),
        strands=(
            (
                ClearJunction(junction),
                ClearEgoEntry(),
                CloseLanes(closed),
                ExtendExit(beyond + 20.0),
                Oncoming(False),
                StartFlow("oncoming"),
                *hold_lights(at, ego=LightState.RED, others=LightState.RED, also=theirs),
                Wait(5.0),
                *hold_lights(at, ego=LightState.GREEN, others=LightState.RED, also=theirs),
            ),
            (LeftJunction(junction), Drove(10.0), End()),
        ),
        finish=(Oncoming(True), FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


def _straight_way(at: Site, entry: LanePoint, speed: float) -> tuple[LanePoint, Polyline, LanePoint] | None:
    """Entry, track and end of the way straight on from up to 4 s before a junction to 2.5 s beyond it."""
    line, sink = at.track_through_junction(entry.walk_back(4.0 * speed, step=5.0), beyond=2.5 * speed)
    return (entry, line, sink) if _leads_straight(at, entry) and _meets(at, line) else None


def _crosses(at: Site, entry: LanePoint) -> bool:
    """True when a vehicle that goes straight on from an entry crosses the ego's way."""
    return _leads_straight(at, entry) and _meets(at, at.track_through_junction(entry, beyond=10.0)[0])


def _leads_straight(at: Site, entry: LanePoint) -> bool:
    line, _ = at.track_through_junction(entry, beyond=1.0)
    return abs(math.remainder(float(line.yaw[-1] - line.yaw[0]), 2.0 * math.pi)) < _STRAIGHT


def _meets(at: Site, line: Polyline) -> bool:
    try:
        at.crossing_point(line)
    except NotPlaced:
        return False
    return True
