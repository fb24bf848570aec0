"""Recipes of the scenario types that the first built-in suites do not hold."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scenarios.geometry import junction_exits
from scenarios.lane_points import LanePoint, angle_between
from scenarios.suite_checks import blind_driver_is_met, stream_before_ego, stream_meets_ego
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
    entry_of,
    from_angle,
    has_own_light,
    interval,
    is_driving,
    is_signalled,
    is_type,
    lane_starts,
    left_across_traffic,
    left_turn,
    obstacle,
    road_key,
    through,
    turn_of,
    two_ways,
    value,
    whole,
)
from scenarios.suite_recipes_flows import FLOW_RECIPES
from scenarios.tracks import ahead_stretches
from simulator.roads.network import LANE_CHANGE_LEFT, LANE_CHANGE_RIGHT, LaneType

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


# Beside and between lanes


# Metres of road in each lane, and between positions, as in the official files (route 17563: 5 m, changes at 36 and 82)
_IN_EACH_LANE = ((34.0, 40.0), (44.0, 47.0), (33.0, 36.0))
_CHANGE_PITCH = 5.0
_CHANGE_ROOM = 15.0  # metres to either side of a change in which the markings allow it


def _changing_lanes(start: LanePoint, draws: Draws) -> Draft | None:
    """To the left twice where there are three lanes, else to the left and back; the route begins with its trigger."""
    ways = [float(draws.uniform(*way)) for way in _IN_EACH_LANE]
    if start.way_to_junction() < sum(ways) + 5.0 or is_driving(start.to_the("right")):
        return None
    here, stretches = start, []
    for k, way in enumerate(ways):
        stretches += ahead_stretches(here, way)
        change = here.ahead(way)
        if k < len(ways) - 1:
            side = "left" if k == 0 or is_driving(change.to_the("left")) else "right"
            beside = change.to_the(side)
            if beside is None or not is_driving(beside) or not _may_change(change, side):
                return None
            here = beside
    return Draft(tuple(stretches), start, {}, pitch=_CHANGE_PITCH)


def _may_change(point: LanePoint, side: str) -> bool:
    """The markings allow a change to a side, here and on either side of here."""
    bit = LANE_CHANGE_LEFT if side == "left" else LANE_CHANGE_RIGHT
    return all(
        p.junction < 0 and is_driving(p.to_the(side)) and p.lane_change & bit
        for p in (point.back(_CHANGE_ROOM), point, point.ahead(_CHANGE_ROOM))
    )


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
        _left_without_light, 55.0, (30.0, 40.0), _across_fast_stream, stream_before_ego
    ),
    "SignalizedJunctionRightTurn": through(_right_into_traffic, 25.0, (30.0, 40.0), _right_turn, stream_meets_ego),
    "NonSignalizedJunctionRightTurn": through(_right_without_light, 25.0, (30.0, 40.0), _right_turn, stream_meets_ego),
    "SignalizedJunctionLeftTurnEnterFlow": through(
        left_across_traffic, 25.0, (30.0, 40.0), left_turn, stream_meets_ego
    ),
    "NonSignalizedJunctionLeftTurnEnterFlow": through(
        _left_without_light, 55.0, (30.0, 40.0), _into_fast_stream, stream_before_ego
    ),
    "T_Junction": through(_at_t_junction, 25.0, (30.0, 40.0)),
    "SequentialLaneChange": Recipe(lane_starts, _changing_lanes, road_key, detour=8.0),
    "VanillaNonSignalizedTurn": through(_turns_without_light, 25.0, (25.0, 35.0)),
    "VanillaNonSignalizedTurnEncounterStopsign": through(_turns_behind_stop_sign, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterGreenLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterRedLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "InvadingTurn": along(_oncoming_beside, 95.0, (100.0, 114.0), _invaders),
    **FLOW_RECIPES,
    "ParkingExit": Recipe(lane_starts, _parked, road_key),
}

#: Of the 44 types of Bench2Drive, in the order of the built-in suites.
BENCH2DRIVE_RECIPES: Mapping[str, Recipe] = {**RECIPES, **MORE_RECIPES}

ALL_RECIPES: Mapping[str, Recipe] = {
    **BENCH2DRIVE_RECIPES,
    "EnterActorFlowV2": RECIPES["EnterActorFlow"],
    "PriorityAtJunction": through(is_signalled, 40.0, (25.0, 40.0)),
}
