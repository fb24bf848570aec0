"""Merging into a stream of vehicles, and crossing one (BENCH2DRIVE.md 1.7 "Merging and crossing flows")."""

from __future__ import annotations

from scenarios.director_state import MAX_FLOWS, MAX_STRANDS
from scenarios.geometry import junction_entries, junction_exits
from scenarios.lane_points import LanePoint, lane_point_at
from scenarios.parameters import SIDE, Interval, Parameter, Point, Unused, metres_per_second
from scenarios.parts import BICYCLE, hold_lights
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.route import Location
from scenarios.script import Script, Strand
from scenarios.tracks import stretches_between
from scenarios.vocabulary import (
    CAREFUL,
    Between,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    End,
    ExtendExit,
    Flow,
    Forever,
    FreeJunction,
    LeftJunction,
    Near,
    Oncoming,
    Passed,
    ReopenLanes,
    RouteSources,
    StartFlow,
    StopOtherEntries,
    Wait,
)
from scenarios.ways import way_ahead
from simulator.roads.network import LaneType
from simulator.state import DriverFlag, LightState

_FLOW: dict[str, Parameter] = {
    "start_actor_flow": Point(),
    "end_actor_flow": Point(),
    "flow_speed": metres_per_second(10.0),
    "source_dist_interval": Interval((20.0, 50.0), low=1.0),
}


@scenario_type("EnterActorFlow", **_FLOW)
def enter_actor_flow(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must enter a stream of cars that does not give way.

    Streams run from `start_actor_flow` to `end_actor_flow` on every lane of that direction, and are there from the
    beginning. Ends where the ego comes within 2 m of the end of one of them.
    """
    start, end = _ends(at, start_actor_flow, end_actor_flow)
    pairs = list(zip(start.same_direction_lanes(), end.same_direction_lanes(), strict=False))[:MAX_FLOWS]
    flows = tuple(
        _flow(at, f"lane {k}", source, sink, source_dist_interval, flow_speed, initial=True)
        for k, (source, sink) in enumerate(pairs)
    )
    return _enter(at, flows, [source for source, _ in pairs], [sink for _, sink in pairs])


@scenario_type("MergerIntoSlowTraffic", **_FLOW)
def merger_into_slow_traffic(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must merge into a slow stream of cars.

    As EnterActorFlow, but with a stream on one lane only; ends beside the end of that stream, on whatever lane.
    """
    start, end = _ends(at, start_actor_flow, end_actor_flow)
    flow = _flow(at, "slow", start, end, source_dist_interval, flow_speed, initial=True)
    return _enter(at, (flow,), [start], end.same_direction_lanes())


@scenario_type("MergerIntoSlowTrafficV2", **_FLOW)
def merger_into_slow_traffic_v2(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must merge into a slow stream of cars beyond a junction.

    As MergerIntoSlowTraffic, but the junction itself is not cleared, its exits on the ego's way are closed, and the
    vehicles behind it move forward only when the ego has left it.
    """
    return _enter_beyond(at, "slow", start_actor_flow, end_actor_flow, flow_speed, source_dist_interval)


@scenario_type("EnterActorFlowV2", **_FLOW)
def enter_actor_flow_v2(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must enter a fast stream of cars beyond a junction, as at a motorway's entry with a lane of its own.

    A type of Leaderboard 2.0 that does what MergerIntoSlowTrafficV2 does.
    """
    return _enter_beyond(at, "fast", start_actor_flow, end_actor_flow, flow_speed, source_dist_interval)


@scenario_type("HighwayExit", **_FLOW)
def highway_exit(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must cross the stream of cars beside it to leave the road.

    The stream runs from `start_actor_flow` to `end_actor_flow` and is there from the beginning; its lane is closed to
    the other traffic. Ends when the ego has left the first junction on the stream's way.
    """
    start, end = _ends(at, start_actor_flow, end_actor_flow)
    flow = _flow(at, "beside", start, end, source_dist_interval, flow_speed, initial=True)
    junctions = [int(at.net.lane_junction[lane]) for lane, _, _ in stretches_between(start, end) or ()]
    first = next((j for j in junctions if j >= 0), -1)
    return Script(
        flows=(flow,),
        strands=(
            (CloseLanes((start.lane,)), StartFlow(flow.name)),
            (LeftJunction(first), End()),
        ),
        finish=(ReopenLanes((start.lane,)),),
        timeout=True,
    )


@scenario_type("InterurbanActorFlow", **_FLOW)
def interurban_actor_flow(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego turns left off an interurban road, across a stream of oncoming cars.

    The entries of the ego, of the stream, and of the road that the ego turns into are closed to the other traffic, and
    no other vehicles come towards the ego. Ends when the ego has left the junction.
    """
    start, end = _ends(at, start_actor_flow, end_actor_flow)
    facing = _driving_on_the_left(at.exit.ahead(10.0), "the road that the ego turns into")
    flow = _flow(at, "oncoming", start, end, source_dist_interval, flow_speed)
    closed = (at.junction.entry_lane, facing.lane, start.lane)
    return Script(
        flows=(flow,),
        strands=(
            (ClearEgoEntry(), CloseLanes(closed), Oncoming(False), StartFlow(flow.name)),
            (LeftJunction(), End()),
        ),
        finish=(Oncoming(True), FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


@scenario_type("InterurbanAdvancedActorFlow", direction=SIDE, **_FLOW)
def interurban_advanced_actor_flow(
    at: Site,
    direction: str,
    start_actor_flow: Location,
    end_actor_flow: Location,
    flow_speed: float,
    source_dist_interval: Between,
) -> Script:
    """The ego turns left onto an interurban road: across one stream of cars, and into another.

    The first stream runs from `start_actor_flow` to `end_actor_flow`, the second back on the lanes to the left of
    these. The junction belongs to them and the ego alone. Ends at the end of the second stream; `direction` has no
    effect, as officially.
    """
    start, end = _ends(at, start_actor_flow, end_actor_flow)
    source = _driving_on_the_left(end, "end_actor_flow")
    sink = _driving_on_the_left(start, "start_actor_flow")
    flows = (
        _flow(at, "to cross", start, end, source_dist_interval, flow_speed),
        _flow(at, "to enter", source, sink, source_dist_interval, flow_speed),
    )
    crossing = at.junction
    around = (*junction_entries(at.net, crossing.junction), *junction_exits(at.net, crossing.junction))
    closed = tuple(lane for lane in around if lane not in (crossing.entry_lane, crossing.exit_lane))
    return Script(
        flows=flows,
        strands=(
            (
                ClearJunction(crossing.junction),
                ClearEgoEntry(),
                CloseLanes(closed),
                ExtendExit(20.0 + sink.way_from_junction()),
                RouteSources(False),
                Oncoming(False),
                *(StartFlow(flow.name) for flow in flows),
            ),
            (Passed(sink.place, within=10.0), End()),
        ),
        finish=(RouteSources(True), Oncoming(True), FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


@scenario_type("CrossingBicycleFlow", **{**_FLOW, "end_actor_flow": Unused()})
def crossing_bicycle_flow(
    at: Site, start_actor_flow: Location, end_actor_flow: None, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must turn across a stream of bicycles.

    They ride on the bicycle lane at `start_actor_flow`, through the junction and 40 m further, and are there from the
    beginning. Where there are lights, the ego's is red for 5 s, then green; the others are red. Ends when the ego has
    left the junction; `end_actor_flow` has no effect, as officially.
    """
    found = lane_point_at(at.net, *start_actor_flow, mask=1 << LaneType.BIKING)
    if found is None or found[1] > 10.0:
        raise NotPlaced("there is no bicycle lane within 10 m of its start_actor_flow")
    way = way_ahead(at, found[0], beyond=40.0)
    flow = Flow(
        "bicycles",
        way.line,
        source_dist_interval,
        flow_speed,
        choices=BICYCLE,
        flags=CAREFUL | DriverFlag.IGNORE_VEHICLES,
        initial=True,
        junction_from=way.junction_from,
        junction_to=way.junction_to,
    )
    return Script(
        flows=(flow,),
        strands=(
            (
                ClearJunction(at.junction.junction),
                ClearEgoEntry(),
                StopOtherEntries(),
                StartFlow(flow.name),
                *hold_lights(at, ego=LightState.RED, others=LightState.RED),
                Wait(5.0),
                *hold_lights(at, ego=LightState.GREEN, others=LightState.RED),
            ),
            (LeftJunction(), End()),
        ),
        finish=(FreeJunction(),),
        timeout=True,
    )


# Shared parts


def _ends(at: Site, start: Location, end: Location) -> tuple[LanePoint, LanePoint]:
    return at.lane_at(start, what="start_actor_flow"), at.lane_at(end, what="end_actor_flow")


def _flow(
    at: Site, name: str, start: LanePoint, end: LanePoint, spacing: Between, speed: float, initial: bool = False
) -> Flow:
    """A stream from one place to another, if `initial` there from the beginning, also in junctions."""
    line = at.track_between(start, end)
    return Flow(name, line, spacing, speed, initial=initial, initial_in_junction=initial)


def _enter(at: Site, flows: tuple[Flow, ...], sources: list[LanePoint], sinks: list[LanePoint]) -> Script:
    """Streams that own the lanes that they come from; the scenario ends at the end of one of them."""
    junction = at.junction.junction
    closed = tuple(source.lane for source in sources)
    return Script(
        flows=flows,
        strands=(
            (
                ClearJunction(junction),
                ClearEgoEntry(),
                CloseLanes(closed),
                ExtendExit(20.0 + sinks[-1].way_from_junction()),
                RouteSources(False),
                *(StartFlow(flow.name) for flow in flows),
            ),
            *_end_near(sinks),
        ),
        finish=(RouteSources(True), FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


def _enter_beyond(at: Site, name: str, first: Location, last: Location, speed: float, spacing: Between) -> Script:
    """A stream on one lane; the exits on the ego's way are closed, and what stands behind them moves when it is out."""
    start, end = _ends(at, first, last)
    flow = _flow(at, name, start, end, spacing, speed, initial=True)
    closed = (start.lane, *(p.lane for p in at.exit.ahead(10.0).same_direction_lanes()))
    return Script(
        flows=(flow,),
        strands=(
            (ClearEgoEntry(), CloseLanes(closed), RouteSources(False), StartFlow(flow.name)),
            (LeftJunction(), ExtendExit(20.0 + end.way_from_junction()), Forever()),
            *_end_near(end.same_direction_lanes()),
        ),
        finish=(RouteSources(True), FreeJunction(), ReopenLanes(closed)),
        timeout=True,
    )


def _end_near(sinks: list[LanePoint]) -> tuple[Strand, ...]:
    """The scenario ends within 2 m of one of these places."""
    return tuple((Near(sink.place, 2.0), End()) for sink in sinks[: MAX_STRANDS - 2])


def _driving_on_the_left(point: LanePoint, what: str) -> LanePoint:
    left = point.left()
    if left is None or left.type != LaneType.DRIVING:
        raise NotPlaced(f"there is no driving lane on the left of {what}")
    return left
