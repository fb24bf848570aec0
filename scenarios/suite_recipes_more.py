"""Recipes of the scenario types that the first built-in suites do not hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scenarios.geometry import RouteGeometry, junction_exits
from scenarios.lane_points import LanePoint
from scenarios.script import Script
from scenarios.suite_checks import blind_driver_is_met
from scenarios.suite_recipes import (
    RECIPES,
    SIDES,
    Draws,
    Parameters,
    Recipe,
    along,
    can_pass_against_traffic,
    can_pass_on_left,
    entry_of,
    from_angle,
    interval,
    is_driving,
    is_signalled,
    is_type,
    left_across_traffic,
    left_turn,
    obstacle,
    through,
    turn_of,
    two_ways,
    value,
    whole,
)
from simulator.roads.network import LaneType, RoadArrays

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
    return all(p.to_the("left") is None and is_driving(p.left()) for p in points)


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
    return {"distance": value(whole(draws, 50, 60)), "offset": value(whole(draws, 18, 34) / 100.0)}


# Through a junction


def _any_way(lane: LanePoint) -> bool:
    return True


def _turns(lane: LanePoint) -> bool:
    return abs(turn_of(lane)) > _SHARP


def _turns_with_light(lane: LanePoint) -> bool:
    return _turns(lane) and is_signalled(lane)


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
    return is_signalled(lane) and turn_of(lane) > _SHARP and from_angle(lane, *SIDES["left"])


def _right_without_light(lane: LanePoint) -> bool:
    return not is_signalled(lane) and turn_of(lane) > _SHARP and from_angle(lane, *SIDES["left"])


def _priority_taken(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    sides = [side for side in ("left", "right") if from_angle(lane, *SIDES[side])]
    return {"direction": {"value": sides[whole(draws, 0, len(sides) - 1)]}}


def _right_turn(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    return {"flow_speed": value(whole(draws, 8, 10)), "source_dist_interval": interval(draws, (19, 22), (26, 30))}


def _stream_meets_ego(net: RoadArrays, geometry: RouteGeometry, script: Script) -> bool:
    """The stream comes from at least 20 m before the junction, and comes within 1 m of the ego's path."""
    flow = script.flows[0]
    count = int(geometry.path_end / geometry.path_step) + 1
    dx, dy = geometry.path_x[:count, None] - flow.track.x, geometry.path_y[:count, None] - flow.track.y
    return float(np.min(np.hypot(dx, dy))) < 1.0 and (not flow.initial or flow.junction_from > 20.0)


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
    "NonSignalizedJunctionLeftTurn": through(_left_without_light, 25.0, (30.0, 40.0), left_turn, _stream_meets_ego),
    "SignalizedJunctionRightTurn": through(_right_into_traffic, 25.0, (30.0, 40.0), _right_turn, _stream_meets_ego),
    "NonSignalizedJunctionRightTurn": through(_right_without_light, 25.0, (30.0, 40.0), _right_turn, _stream_meets_ego),
    "SignalizedJunctionLeftTurnEnterFlow": through(
        left_across_traffic, 25.0, (30.0, 40.0), left_turn, _stream_meets_ego
    ),
    "NonSignalizedJunctionLeftTurnEnterFlow": through(
        _left_without_light, 25.0, (30.0, 40.0), left_turn, _stream_meets_ego
    ),
    "T_Junction": through(_at_t_junction, 25.0, (30.0, 40.0)),
    "SequentialLaneChange": along(can_pass_on_left, 100.0, (115.0, 125.0)),
    "VanillaNonSignalizedTurn": through(_turns_without_light, 25.0, (25.0, 35.0)),
    "VanillaNonSignalizedTurnEncounterStopsign": through(_turns_behind_stop_sign, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterGreenLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "VanillaSignalizedTurnEncounterRedLight": through(_turns_with_light, 25.0, (25.0, 35.0)),
    "InvadingTurn": along(_oncoming_beside, 95.0, (100.0, 114.0), _invaders),
}

ALL_RECIPES: Mapping[str, Recipe] = {**RECIPES, **MORE_RECIPES}
