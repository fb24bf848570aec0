"""Single vehicles that block or cross the junction ahead (BENCH2DRIVE.md 1.7)."""

from __future__ import annotations

from scenarios.parameters import Choice
from scenarios.parts import KMH, hold_lights, note_missing_lights
from scenarios.placement import Site, line_intersection
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import (
    EMERGENCY_VEHICLE,
    FLOW_CAR,
    RECKLESS,
    Arriving,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    End,
    Follow,
    FreeJunction,
    LeftJunction,
    Member,
    Near,
    Raise,
    Remove,
    ReopenLanes,
    StopOtherEntries,
    Wait,
)
from scenarios.ways import crosses_ego
from simulator.state import SPECIAL, DriverFlag, LightState, VehicleLight


@scenario_type("OppositeVehicleRunningRedLight", direction=Choice(("left", "right", "opposite"), "right"))
def opposite_vehicle_running_red_light(at: Site, direction: str) -> Script:
    """An emergency vehicle runs its red light and crosses the junction in front of the ego, who has green.

    It waits up to 30 m before the junction, on the entry that lies in `direction`, and sets out at 60 km/h when the ego
    is 2.2 s or 12 m away from where their ways cross. Ends when the ego has left the junction.
    """
    note_missing_lights(at)
    return _crossing_emergency(at, direction, hold_lights(at, ego=LightState.GREEN, others=LightState.RED))


@scenario_type("OppositeVehicleTakingPriority", direction=Choice(("left", "right", "opposite"), "right"))
def opposite_vehicle_taking_priority(at: Site, direction: str) -> Script:
    """An emergency vehicle crosses a junction without lights in front of the ego, whoever has priority.

    As OppositeVehicleRunningRedLight, but without lights; the vehicles on the other entries stand.
    """
    return _crossing_emergency(at, direction, (StopOtherEntries(),))


def _crossing_emergency(at: Site, direction: str, rules: Strand) -> Script:
    """An emergency vehicle on an entry of the junction ahead crosses it in front of the ego."""
    entries = at.entries_from(direction)
    source = next((entry for entry in entries if crosses_ego(at, entry)), entries[0])
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
                *rules,
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


@scenario_type("BlockedIntersection")
def blocked_intersection(at: Site) -> Script:
    """A car stands in the ego's way, 5 m past the exit of the junction ahead.

    Junction and entry are cleared and the other entries stand. The car goes 10 s after the ego has come within 13 m of
    it; that ends the scenario.
    """
    spot = at.exit.ahead(5.0)
    return Script(
        cast=(Member("car", FLOW_CAR, spot.place, hidden=True, lights=int(VehicleLight.BRAKE)),),
        strands=(
            (
                ClearJunction(at.junction.junction),
                ClearEgoEntry(),
                StopOtherEntries(),
                Raise(("car",)),
                Near("car", 13.0),
                Wait(10.0),
                Remove(("car",)),
                End(),
            ),
        ),
        finish=(FreeJunction(),),
        timeout=True,
    )
