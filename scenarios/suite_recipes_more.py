"""Recipes of the scenario types that the first built-in suites do not hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from scenarios.geometry import RouteGeometry, junction_entries, junction_exits
from scenarios.lane_points import LanePoint, angle_between, heading_change, lanes_after, straightest
from scenarios.script import Script
from scenarios.suite_checks import blind_driver_is_met, stream_is_there_first
from scenarios.suite_recipes import (
    RECIPES,
    SIDES,
    Draft,
    Draws,
    Parameters,
    Recipe,
    along,
    can_pass_against_traffic,
    can_pass_on_left,
    enters_flow,
    entry_of,
    flow_to_enter,
    from_angle,
    has_own_light,
    interval,
    is_driving,
    is_signalled,
    is_type,
    lane_starts,
    left_across_traffic,
    left_turn,
    location,
    movement_key,
    movements,
    obstacle,
    road_key,
    through,
    turn_of,
    two_ways,
    value,
    whole,
)
from scenarios.tracks import ahead_stretches
from simulator.roads.network import LaneType, RoadArrays

_BEND = 20.0  # degrees over 90 m of road, in which boxes swing out and invaders cannot be missed
_SHARP = 50.0  # degrees from which a bend in a junction is a turn


# Along a road


def _anywhere(trigger: LanePoint, event: LanePoint) -> bool:
    return True


def _door_opens(trigger: LanePoint, event: LanePoint) -> bool:
    return _parking_beside(trigger, event) and can_pass_against_traffic(trigger, event)


def _parking_beside(trigger: LanePoint, event: LanePoint) -> bool:
    return all(is_type(event.ahead(m).to_the("right"), LaneType.PARKING) for m in (-4.0, 4.0, 20.0))


def _lane_on_the_right(trigger: LanePoint, event: LanePoint) -> bool:
    return all(is_driving(trigger.ahead(m).to_the("right")) for m in (0.0, 40.0, 70.0, 105.0))


def _oncoming_beside(trigger: LanePoint, event: LanePoint) -> bool:
    points = [trigger.ahead(m) for m in (0.0, 40.0, 90.0)]
    bend = abs(math.degrees(angle_between(points[0].place.yaw, points[2].place.yaw)))
    return bend > _BEND and all(p.to_the("left") is None and is_driving(p.left()) for p in points)


def _bicycles(draws: Draws) -> Parameters:
    return {
        "distance": value(whole(draws, 41, 45)),
        "speed": value(whole(draws, 32, 59)),
        "bicycle_drive_distance": value(whole(draws, 40, 60)),
        "bicycle_speed": value(whole(draws, 6, 12)),
    }


def _bicycles_two_ways(draws: Draws) -> Parameters:
    return {
        "distance": value(whole(draws, 41, 45)),
        "frequency": value(whole(draws, 75, 100)),
        "bicycle_drive_distance": value(whole(draws, 40, 60)),
        "bicycle_speed": value(whole(draws, 7, 11)),
    }


def _door(draws: Draws) -> Parameters:
    return {"distance": value(whole(draws, 37, 45)), "frequency": interval(draws, (30, 40), (89, 98))}


def _walker_at_parked_car(draws: Draws) -> Parameters:
    return {
        "distance": value(whole(draws, 36, 45)),
        "direction": {"value": "right"},
        "crossing_angle": value(whole(draws, 0, 12)),
    }


def _queue(draws: Draws) -> Parameters:
    return {"distance": value(whole(draws, 40, 45)), "direction": {"value": "right"}}


def _invaders(draws: Draws) -> Parameters:
    return {"distance": value(whole(draws, 50, 60)), "offset": value(whole(draws, 28, 34) / 100.0)}


# Through a junction


def _any_way(lane: LanePoint) -> bool:
    return True


def _turns(lane: LanePoint) -> bool:
    return abs(turn_of(lane)) > _SHARP


def _turns_with_light(lane: LanePoint) -> bool:
    return _turns(lane) and has_own_light(lane)


def _turns_without_light(lane: LanePoint) -> bool:
    return _turns(lane) and not is_signalled(lane)


def _turns_behind_stop_sign(lane: LanePoint) -> bool:
    return _turns_without_light(lane) and int(lane.net.lane_stop_sign[entry_of(lane).lane]) >= 0


def _at_t_junction(lane: LanePoint) -> bool:
    net = lane.net
    exits = junction_exits(net, int(net.lane_junction[lane.lane]))
    return _turns(lane) and len({int(net.lane_road[i]) for i in exits}) == 3


def _crossed_without_light(lane: LanePoint) -> bool:
    return not is_signalled(lane) and any(from_angle(lane, *SIDES[side]) for side in ("left", "right"))


def _left_without_light(lane: LanePoint) -> bool:
    return not is_signalled(lane) and turn_of(lane) < -_SHARP and from_angle(lane, 150.0, 210.0)


def _right_into_traffic(lane: LanePoint) -> bool:
    return has_own_light(lane) and turn_of(lane) > _SHARP and from_angle(lane, *SIDES["left"])


def _right_without_light(lane: LanePoint) -> bool:
    return not is_signalled(lane) and turn_of(lane) > _SHARP and from_angle(lane, *SIDES["left"])


def _priority_taken(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    sides = [side for side in ("left", "right") if from_angle(lane, *SIDES[side])]
    return {"direction": {"value": sides[whole(draws, 0, len(sides) - 1)]}}


def _across_fast_stream(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    """The stream sets out 4 s before the junction, so a fast one is there first; sparse enough to be crossed."""
    return {"flow_speed": value(whole(draws, 10, 11)), "source_dist_interval": interval(draws, (20, 24), (29, 30))}


def _into_fast_stream(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    return {"flow_speed": value(whole(draws, 10, 11)), "source_dist_interval": interval(draws, (15, 18), (25, 27))}


def _right_turn(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    return {"flow_speed": value(whole(draws, 8, 10)), "source_dist_interval": interval(draws, (19, 22), (26, 30))}


def _stream_meets_ego(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """The stream comes from at least 20 m before the junction, and within 1 m of the ego's path."""
    flow = script.flows[0]
    count = int(geometry.path_end / geometry.path_step) + 1
    dx, dy = geometry.path_x[:count, None] - flow.track.x, geometry.path_y[:count, None] - flow.track.y
    return float(np.min(np.hypot(dx, dy))) < 1.0 and (not flow.initial or flow.junction_from > 20.0)


def _stream_before_ego(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    return _stream_meets_ego(net, geometry, script) and stream_is_there_first(net, geometry, script)


# Merging and crossing flows


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


def _lane_beside_through(lane: LanePoint) -> bool:
    """A lane on the right, and both go straight on through the junction."""
    net, entry = lane.net, entry_of(lane)
    right, leaving = entry.to_the("right"), straightest(net, lane.lane)
    if right is None or not is_driving(right) or leaving < 0 or abs(turn_of(lane)) > 20.0:
        return False
    inside = straightest(net, right.lane)
    beyond = LanePoint(net, leaving, 0.0).to_the("right")
    return beyond is not None and inside >= 0 and straightest(net, inside) == beyond.lane


def _cutting_in(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    right = entry_of(lane).to_the("right")
    assert right is not None  # the recipe has found it
    return {
        "other_actor_location": location(right.walk_back(float(whole(draws, 40, 45)))),
        "end_location": location(leaving.ahead(30.0)),
    }


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


def _parked(start: LanePoint, draws: Draws) -> Draft | None:
    """The route begins beside a parking lane, and the trigger is its beginning."""
    places = [start.ahead(m) for m in (0.0, 15.0)] + [start.back(m) for m in (8.0, 15.0)]
    if start.way_to_junction() < 60.0 or start.way_from_junction() < 20.0:
        return None
    if not all(is_type(place.to_the("right"), LaneType.PARKING) for place in places):
        return None
    distances = {"front_vehicle_distance": value(9), "behind_vehicle_distance": value(9)}
    length = float(draws.uniform(120.0, 136.0))
    return Draft(tuple(ahead_stretches(start, length)), start, {"direction": {"value": "right"}, **distances})


MORE_RECIPES: Mapping[str, Recipe] = {
    "ParkedObstacleTwoWays": along(can_pass_against_traffic, 115.0, (125.0, 140.0), two_ways),
    "ConstructionObstacleTwoWays": along(can_pass_against_traffic, 115.0, (125.0, 140.0), two_ways),
    "Accident": along(can_pass_on_left, 100.0, (125.0, 140.0), obstacle),
    "HazardAtSideLane": along(can_pass_on_left, 100.0, (130.0, 155.0), _bicycles),
    "HazardAtSideLaneTwoWays": along(can_pass_against_traffic, 110.0, (132.0, 140.0), _bicycles_two_ways),
    "VehicleOpensDoorTwoWays": along(_door_opens, 90.0, (102.0, 134.0), _door),
    "ParkingCrossingPedestrian": along(_parking_beside, 80.0, (104.0, 134.0), _walker_at_parked_car),
    "VehicleTurningRoute": through(_turns, 25.0, (30.0, 40.0)),
    "VehicleTurningRoutePedestrian": through(_turns, 25.0, (30.0, 40.0)),
    "BlockedIntersection": through(_any_way, 25.0, (25.0, 40.0)),
    "StaticCutIn": along(_lane_on_the_right, 110.0, (130.0, 139.0), _queue),
    "OppositeVehicleTakingPriority": through(
        _crossed_without_light, 30.0, (25.0, 40.0), _priority_taken, blind_driver_is_met
    ),
    "NonSignalizedJunctionLeftTurn": through(
        _left_without_light, 55.0, (30.0, 40.0), _across_fast_stream, _stream_before_ego
    ),
    "SignalizedJunctionRightTurn": through(_right_into_traffic, 25.0, (30.0, 40.0), _right_turn, _stream_meets_ego),
    "NonSignalizedJunctionRightTurn": through(_right_without_light, 25.0, (30.0, 40.0), _right_turn, _stream_meets_ego),
    "SignalizedJunctionLeftTurnEnterFlow": through(
        left_across_traffic, 25.0, (30.0, 40.0), left_turn, _stream_meets_ego
    ),
    "NonSignalizedJunctionLeftTurnEnterFlow": through(
        _left_without_light, 55.0, (30.0, 40.0), _into_fast_stream, _stream_before_ego
    ),
    "T_Junction": through(_at_t_junction, 25.0, (30.0, 40.0)),
    "SequentialLaneChange": along(can_pass_on_left, 100.0, (115.0, 125.0)),
    "VanillaNonSignalizedTurn": through(_turns_without_light, 25.0, (25.0, 35.0)),
    "VanillaNonSignalizedTurnEncounterStopsign": through(_turns_behind_stop_sign, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterGreenLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterRedLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "InvadingTurn": along(_oncoming_beside, 95.0, (100.0, 114.0), _invaders),
    "MergerIntoSlowTraffic": through(enters_flow, 25.0, (34.0, 40.0), _slow_flow),
    "MergerIntoSlowTrafficV2": through(enters_flow, 25.0, (34.0, 40.0), _slow_flow),
    "HighwayExit": Recipe(movements, _leave_by_right_lane, movement_key, detour=8.0),
    "HighwayCutIn": through(_lane_beside_through, 45.0, (70.0, 80.0), _cutting_in),
    "InterurbanActorFlow": through(
        _leaves_interurban, 45.0, (34.0, 40.0), _interurban("opposite"), _stream_meets_ego
    ),
    "InterurbanAdvancedActorFlow": through(
        _enters_interurban, 45.0, (44.0, 50.0), _interurban("left"), _stream_meets_ego
    ),
    "CrossingBicycleFlow": through(_bicycles_beside, 30.0, (30.0, 40.0), _bicycle_flow, _stream_meets_ego),
    "ParkingExit": Recipe(lane_starts, _parked, road_key),
}

ALL_RECIPES: Mapping[str, Recipe] = {**RECIPES, **MORE_RECIPES}
