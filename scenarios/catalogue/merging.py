"""Merging into a stream of vehicles (docs/bench2drive.md 1.7 "Merging and crossing flows")."""

from __future__ import annotations

from scenarios.director_state import MAX_FLOWS
from scenarios.parameters import Interval, Point, metres_per_second
from scenarios.placement import Site
from scenarios.registry import scenario_type
from scenarios.route import Location
from scenarios.script import Script
from scenarios.vocabulary import (
    Between,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    End,
    ExtendExit,
    Flow,
    FreeJunction,
    Near,
    ReopenLanes,
    RouteSources,
    StartFlow,
)


@scenario_type(
    "EnterActorFlow",
    start_actor_flow=Point(),
    end_actor_flow=Point(),
    flow_speed=metres_per_second(10.0),
    source_dist_interval=Interval((20.0, 50.0), low=1.0),
)
def enter_actor_flow(
    at: Site, start_actor_flow: Location, end_actor_flow: Location, flow_speed: float, source_dist_interval: Between
) -> Script:
    """The ego must enter a stream of cars that does not give way.

    Streams run from `start_actor_flow` to `end_actor_flow` on every lane of that direction, and are there from the
    beginning. Ends where the ego comes within 2 m of the end of one of them.
    """
    start = at.lane_at(start_actor_flow, what="start_actor_flow")
    end = at.lane_at(end_actor_flow, what="end_actor_flow")
    pairs = list(zip(start.same_direction_lanes(), end.same_direction_lanes(), strict=False))[:MAX_FLOWS]
    flows = tuple(
        Flow(
            f"lane {k}",
            at.track_between(source, sink),
            source_dist_interval,
            flow_speed,
            initial=True,
            initial_in_junction=True,
        )
        for k, (source, sink) in enumerate(pairs)
    )
    junction = at.junction.junction
    entries = tuple(source.lane for source, _ in pairs)
    last_sink = pairs[-1][1]
    return Script(
        flows=flows,
        strands=(
            (
                ClearJunction(junction),
                ClearEgoEntry(),
                CloseLanes(entries),
                ExtendExit(20.0 + last_sink.way_from_junction()),
                RouteSources(False),
                *(StartFlow(flow.name) for flow in flows),
            ),
            *((Near(sink.place, 2.0), End()) for _, sink in pairs),
        ),
        finish=(RouteSources(True), FreeJunction(), ReopenLanes(entries)),
        timeout=True,
    )
