"""Turns across or into a stream of vehicles at the junction ahead (BENCH2DRIVE.md 1.7)."""

from __future__ import annotations

import zlib

from scenarios.parameters import Interval, Parameter, metres_per_second
from scenarios.parts import QUARTER_TURN, hold_lights, note_missing_lights
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import (
    Between,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    Drove,
    End,
    ExtendExit,
    Flow,
    FreeJunction,
    LeftJunction,
    Oncoming,
    ReopenLanes,
    StartFlow,
    StopOtherEntries,
    Wait,
)
from scenarios.ways import Way, crosses_ego, way_through
from simulator.roads.network import LaneType
from simulator.state import LightState

_FLOW: dict[str, Parameter] = {
    "flow_speed": metres_per_second(20.0),
    "source_dist_interval": Interval((25.0, 50.0), low=1.0),
}


@scenario_type("SignalizedJunctionLeftTurn", **_FLOW)
def signalized_junction_left_turn(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns left with a permissive green, across a stream of oncoming cars.

    Cars come straight on at `flow_speed`, spaced by `source_dist_interval`. The ego's light is red for 5 s, then green;
    theirs is green all the time. Ends 10 m after the junction.
    """
    note_missing_lights(at)
    way = _straight_across(at, flow_speed)
    return _left_turn(at, way, flow_speed, source_dist_interval, _permissive_green(at, way))


@scenario_type("NonSignalizedJunctionLeftTurn", **_FLOW)
def non_signalized_junction_left_turn(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns left at a junction without lights, across a stream of oncoming cars.

    As SignalizedJunctionLeftTurn, but the vehicles on the other entries stand.
    """
    way = _straight_across(at, flow_speed)
    return _left_turn(at, way, flow_speed, source_dist_interval, (StopOtherEntries(),))


@scenario_type("SignalizedJunctionLeftTurnEnterFlow", **_FLOW)
def signalized_junction_left_turn_enter_flow(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns left with a permissive green, into a road that a stream of oncoming cars turns into as well.

    As SignalizedJunctionLeftTurn, but the stream turns right.
    """
    note_missing_lights(at)
    way = _into_the_same_road(at, flow_speed)
    return _left_turn(at, way, flow_speed, source_dist_interval, _permissive_green(at, way))


@scenario_type("NonSignalizedJunctionLeftTurnEnterFlow", **_FLOW)
def non_signalized_junction_left_turn_enter_flow(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns left without lights, into a road that a stream of oncoming cars turns into as well.

    As NonSignalizedJunctionLeftTurn, but the stream turns right.
    """
    way = _into_the_same_road(at, flow_speed)
    return _left_turn(at, way, flow_speed, source_dist_interval, (StopOtherEntries(),))


@scenario_type("SignalizedJunctionRightTurn", **_FLOW)
def signalized_junction_right_turn(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns right with a green light, into a stream of cars that comes from its left.

    Cars come straight on at `flow_speed` in the rightmost lane, spaced by `source_dist_interval`, and are there from
    the beginning. The ego's light is red for 5 s, then green; theirs is green all the time. Ends 10 m after the
    junction.
    """
    note_missing_lights(at)
    way = _from_the_left(at, flow_speed)
    return _right_turn(at, way, flow_speed, source_dist_interval, _permissive_green(at, way))


@scenario_type("NonSignalizedJunctionRightTurn", **_FLOW)
def non_signalized_junction_right_turn(at: Site, flow_speed: float, source_dist_interval: Between) -> Script:
    """The ego turns right at a junction without lights, into a stream of cars that comes from its left.

    As SignalizedJunctionRightTurn, but the vehicles on the other entries stand.
    """
    way = _from_the_left(at, flow_speed)
    return _right_turn(at, way, flow_speed, source_dist_interval, (StopOtherEntries(),))


# Scripts


def _left_turn(at: Site, way: Way, speed: float, spacing: Between, rules: Strand) -> Script:
    """A stream along a way, whose lanes belong to it alone, and no other oncoming traffic."""
    closed = tuple(p.lane for p in (*way.entry.same_direction_lanes(), *way.sink.same_direction_lanes()))
    flow = Flow("oncoming", way.line, spacing, speed)
    begin = (ExtendExit(2.5 * speed + 20.0), Oncoming(False), StartFlow(flow.name))
    return _turn(at, flow, closed, (*begin, *rules), finish=(Oncoming(True),))


def _right_turn(at: Site, way: Way, speed: float, spacing: Between, rules: Strand) -> Script:
    """A stream along a way, there from the beginning except in the junction, whose source lanes belong to it alone."""
    closed = tuple(p.lane for p in way.entry.same_direction_lanes())
    flow = Flow(
        "from the left",
        way.line,
        spacing,
        speed,
        initial=True,
        junction_from=way.junction_from,
        junction_to=way.junction_to,
    )
    return _turn(at, flow, closed, (ExtendExit(3.0 * speed + 20.0), StartFlow(flow.name), *rules))


def _turn(at: Site, flow: Flow, closed: tuple[int, ...], begin: Strand, finish: Strand = ()) -> Script:
    junction = at.junction.junction
    return Script(
        flows=(flow,),
        strands=(
            (ClearJunction(junction), ClearEgoEntry(), CloseLanes(closed), *begin),
            (LeftJunction(junction), Drove(10.0), End()),
        ),
        finish=(*finish, FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


def _permissive_green(at: Site, way: Way) -> Strand:
    """Red for the ego for 5 s, then green; the stream has green all the time, the others red."""
    theirs = dict.fromkeys(at.lights_of([way.entry.lane]), LightState.GREEN)
    return (
        *hold_lights(at, ego=LightState.RED, others=LightState.RED, also=theirs),
        Wait(5.0),
        *hold_lights(at, ego=LightState.GREEN, others=LightState.RED, also=theirs),
    )


# Ways of the streams


def _straight_across(at: Site, speed: float) -> Way:
    """From up to 4 s before the opposite entry straight on to 2.5 s beyond the junction, across the ego's way."""
    ways = (way_through(at, e, before=4.0 * speed, beyond=2.5 * speed) for e in at.entries_from("opposite"))
    found = [way for way in ways if way.is_straight and way.meets_ego(at)]
    if not found:
        raise NotPlaced("no oncoming lane leads straight across the ego's way in the junction")
    return _drawn(at, found)


def _into_the_same_road(at: Site, speed: float) -> Way:
    """As `_straight_across`, but to the right, into the road that the ego turns into."""
    ways = (
        way_through(at, e, before=4.0 * speed, beyond=2.5 * speed, turn=QUARTER_TURN)
        for e in at.entries_from("opposite")
    )
    found = [way for way in ways if way.exit_lane in at.junction.exit_lanes]
    if not found:
        raise NotPlaced("no oncoming lane leads to the right into the road that the ego turns into")
    return _drawn(at, [way for way in found if way.meets_ego(at)] or found)


def _from_the_left(at: Site, speed: float) -> Way:
    """From up to 5 s before the entry on the left, in its rightmost lane, straight on to 3 s beyond the junction."""
    entries = at.entries_from("left")
    entry = next((e for e in entries if crosses_ego(at, e)), entries[0])
    beside = entry.to_the("right")
    while beside is not None and beside.type == LaneType.DRIVING:
        entry, beside = beside, beside.to_the("right")
    way = way_through(at, entry, before=5.0 * speed, beyond=3.0 * speed)
    if not way.is_straight:
        raise NotPlaced("the lane that enters the junction from the left does not lead straight on")
    return way


def _drawn(at: Site, ways: list[Way]) -> Way:
    """One of several, always the same for a route; the official code draws one."""
    return ways[zlib.crc32(at.spec.route_id.encode()) % len(ways)]
