"""Where a town has streams of vehicles to merge into, to cross, or to be cut in from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from scenarios.geometry import junction_entries
from scenarios.lane_points import LanePoint, angle_between, heading_change, lanes_after, straightest
from scenarios.suite_checks import stream_meets_ego
from scenarios.suite_recipes import (
    SIDES,
    Draft,
    Draws,
    Parameters,
    Recipe,
    enters_flow,
    entry_of,
    flow_to_enter,
    interval,
    is_driving,
    is_signalled,
    location,
    movement_key,
    movements,
    through,
    turn_of,
    value,
    whole,
)
from simulator.roads.network import LaneType, RoadArrays

_SHARP = 50.0  # degrees from which a bend in a junction is a turn
_CUT_IN_BEYOND = 10.0  # metres beyond the junction where a car that cuts in is to be when the ego leaves it
_MERGE_ANGLE = 0.6  # rad up to which two roads come together as on a motorway


def _slow_flow(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    drawn = dict(flow_to_enter(lane, leaving, draws))
    drawn["flow_speed"] = value(whole(draws, 9, 10))
    drawn["source_dist_interval"] = interval(draws, (14, 16), (33, 42))
    return drawn


def _straight_entry(lane: LanePoint, side: str) -> tuple[LanePoint, LanePoint] | None:
    """From a side: the end of a lane that leads straight through the junction, and the start of the lane behind."""
    net, entry = lane.net, entry_of(lane)
    for other in junction_entries(net, int(net.lane_junction[lane.lane])):
        end = LanePoint(net, other, float(net.lane_length[other]))
        low, high = SIDES[side]
        angle = np.degrees(angle_between(entry.place.yaw, end.place.yaw)) % 360.0
        if not low < angle < high or end.way_from_junction() < 45.0 or is_driving(end.to_the("left")):
            continue
        for inside in lanes_after(net, other):
            target = straightest(net, inside)
            if abs(heading_change(net, inside)) < 0.6 and target >= 0 and net.lane_junction[target] < 0:
                return end, LanePoint(net, target, 0.0)
    return None


def _leaves_interurban(lane: LanePoint) -> bool:
    net = lane.net
    leaving = straightest(net, lane.lane)
    beside = LanePoint(net, leaving, min(10.0, float(net.lane_length[leaving]))).left() if leaving >= 0 else None
    return _turns_left_without_light(lane) and is_driving(beside) and _straight_entry(lane, "opposite") is not None


def _enters_interurban(lane: LanePoint) -> bool:
    found = _straight_entry(lane, "left")
    if found is None or not _turns_left_without_light(lane):
        return False
    return all(is_driving(p.left()) for p in (found[0].walk_back(40.0), found[1].ahead(30.0)))


def _turns_left_without_light(lane: LanePoint) -> bool:
    return not is_signalled(lane) and turn_of(lane) < -_SHARP


def _interurban(side: str) -> Callable[[LanePoint, LanePoint, Draws], Parameters]:
    def parameters(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
        found = _straight_entry(lane, side)
        assert found is not None  # the recipe has found it
        return {
            "start_actor_flow": location(found[0].walk_back(40.0)),
            "end_actor_flow": location(found[1].ahead(30.0)),
            "flow_speed": value(whole(draws, 9, 11)),
            "source_dist_interval": interval(draws, (25, 28), (36, 39)),
        }

    return parameters


def _movements_again(net: RoadArrays) -> Iterator[LanePoint]:
    """Each movement several times: few places merge, but a route can begin nearer to them or further away."""
    for _ in range(4):
        yield from movements(net)


def _merging_entry(lane: LanePoint) -> LanePoint | None:
    """The end of another road's lane that joins, on the right, the road on which the ego goes straight on."""
    net, own_road = lane.net, lane.net.lane_road[entry_of(lane).lane]
    leaving = straightest(net, lane.lane)
    if leaving < 0 or abs(turn_of(lane)) > 20.0 or not rolls_through(lane):
        return None
    beside = LanePoint(net, leaving, 0.0).to_the("right")
    for other in junction_entries(net, int(net.lane_junction[lane.lane])):
        end = LanePoint(net, other, float(net.lane_length[other]))
        if beside is None or net.lane_road[other] == own_road or end.way_from_junction() < 60.0:
            continue
        if any(straightest(net, inside) == beside.lane for inside in lanes_after(net, other)):
            if abs(angle_between(lane.place.yaw, end.place.yaw)) < _MERGE_ANGLE:
                return end
    return None


def rolls_through(lane: LanePoint) -> bool:
    """Neither light nor stop sign makes those halt who enter by this junction lane."""
    return not is_signalled(lane) and int(lane.net.lane_stop_sign[entry_of(lane).lane]) < 0


def _is_merged_into(lane: LanePoint) -> bool:
    return _merging_entry(lane) is not None


def _joined_by_car(start: LanePoint, draws: Draws) -> Draft | None:
    """The car that cuts in has as far to go as the ego, so that both are equally fast where the roads come together."""
    draft = _MERGED_INTO.draft(start, draws)
    entry = _merging_entry(start)
    if draft is None or entry is None:
        return None
    back = draft.trigger.way_to_junction() - _CUT_IN_BEYOND + whole(draws, -3, 3)
    if entry.way_from_junction() < back + 2.0:
        return None
    end = LanePoint(start.net, straightest(start.net, start.lane), 0.0).ahead(30.0)
    return draft._replace(
        parameters={"other_actor_location": location(entry.walk_back(back)), "end_location": location(end)}
    )


def _bicycles_beside(lane: LanePoint) -> bool:
    return turn_of(lane) > _SHARP and entry_of(lane).outward("right", LaneType.BIKING)[1]


def _bicycle_flow(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    beside, _ = entry_of(lane).outward("right", LaneType.BIKING)
    start = location(beside.walk_back(float(whole(draws, 40, 50))))
    return {
        "start_actor_flow": start,
        "end_actor_flow": start,
        "flow_speed": value(whole(draws, 8, 12)),
        "source_dist_interval": interval(draws, (5, 15), (25, 30)),
    }


def _leave_by_right_lane(start: LanePoint, draws: Draws) -> Draft | None:
    """From the lane left of the one that turns off, whose stream is to be crossed."""
    draft = _TURN_OFF.draft(start, draws)
    if draft is None or len(draft.stretches) < 3:
        return None
    (right, s_from, s_to), *rest = draft.stretches
    left = LanePoint(start.net, right, s_from).to_the("left")
    if left is None or not is_driving(left) or s_to - s_from < 45.0:
        return None
    change = s_to - 30.0
    there = LanePoint(start.net, right, change).to_the("left")
    trigger = draft.trigger.to_the("left")
    if there is None or trigger is None:
        return None
    return Draft(((left.lane, left.s, there.s), (right, change, s_to), *rest), trigger, draft.parameters)


def _exit_flow(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    return {
        "start_actor_flow": location(entry_of(lane).walk_back(110.0)),
        "end_actor_flow": location(leaving.ahead(30.0)),
        "flow_speed": value(whole(draws, 10, 12)),
        "source_dist_interval": interval(draws, (18, 20), (33, 46)),
    }


def _turns_off(lane: LanePoint) -> bool:
    """The lane on the left leads to another road, and nothing makes the stream, which would run into the ego, halt."""
    net, beside = lane.net, entry_of(lane).to_the("left")
    if beside is None or not is_driving(beside) or is_signalled(lane):
        return False
    if int(net.lane_stop_sign[entry_of(lane).lane]) >= 0:
        return False
    inside = straightest(net, beside.lane)
    ways_out = [straightest(net, lane.lane), straightest(net, inside) if inside >= 0 else -1]
    return min(ways_out) >= 0 and len({int(net.lane_road[i]) for i in ways_out}) == 2


_TURN_OFF = through(_turns_off, 55.0, (40.0, 50.0), _exit_flow)


_MERGED_INTO = through(_is_merged_into, (40.0, 95.0), (60.0, 70.0))

FLOW_RECIPES: Mapping[str, Recipe] = {
    "MergerIntoSlowTraffic": through(enters_flow, 25.0, (34.0, 40.0), _slow_flow),
    "MergerIntoSlowTrafficV2": through(enters_flow, 25.0, (34.0, 40.0), _slow_flow),
    "HighwayExit": Recipe(movements, _leave_by_right_lane, movement_key, detour=8.0),
    "HighwayCutIn": Recipe(_movements_again, _joined_by_car, movement_key),
    "InterurbanActorFlow": through(_leaves_interurban, 45.0, (34.0, 40.0), _interurban("opposite"), stream_meets_ego),
    "InterurbanAdvancedActorFlow": through(
        _enters_interurban, 45.0, (44.0, 50.0), _interurban("left"), stream_meets_ego
    ),
    "CrossingBicycleFlow": through(_bicycles_beside, 30.0, (30.0, 40.0), _bicycle_flow, stream_meets_ego),
}
