"""Where in a town each scenario type fits, and what its routes look like."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scenarios.geometry import RouteGeometry, junction_entries
from scenarios.lane_points import LanePoint, angle_between, heading_change, lanes_after, straightest
from scenarios.script import Script
from scenarios.suite_checks import blind_driver_is_met
from scenarios.tracks import Stretch, ahead_stretches
from simulator.roads.network import LaneType, RoadArrays

Parameters = Mapping[str, Mapping[str, str]]
Draws = np.random.Generator

_PITCH = 10.0  # metres between candidate starts on a lane
# Metres from the start of a route to its trigger, as in the official files (docs/bench2drive.md 1.5)
_TRIGGER_ALONG = (10.0, 14.0)
_TRIGGER_BEFORE_JUNCTION = (3.0, 9.0)
_SIDE_LIMIT = 4.8  # metres from the lane's centre to the sidewalk's, so that a walker gets in the way in time


class Draft(NamedTuple):
    """A route to be: the lanes it runs along, its trigger, its parameters."""

    stretches: tuple[Stretch, ...]
    trigger: LanePoint
    parameters: Parameters


@dataclass(frozen=True)
class Recipe:
    """How routes of one type are laid: candidate starts, and a draft from a start, or None where it does not fit."""

    starts: Callable[[RoadArrays], Iterator[LanePoint]]
    draft: Callable[[LanePoint, Draws], Draft | None]
    key: Callable[[LanePoint], tuple[int, ...]]  # starts with the same key are alike
    check: Callable[[RoadArrays, RouteGeometry, Script], bool] = lambda net, geometry, script: True
    detour: float = 5.0  # metres by which trace and path may differ from the stretches


# Candidate starts


def lane_starts(net: RoadArrays) -> Iterator[LanePoint]:
    """Places every 10 m on all driving lanes outside junctions."""
    for lane in range(len(net.lane_length)):
        if net.lane_type[lane] == LaneType.DRIVING and net.lane_junction[lane] < 0:
            for k in range(int(net.lane_length[lane] / _PITCH)):
                yield LanePoint(net, lane, 2.0 + k * _PITCH)


def movements(net: RoadArrays) -> Iterator[LanePoint]:
    """The starts of all driving lanes that lead into a junction from outside."""
    for lane in range(len(net.lane_length)):
        if net.lane_type[lane] == LaneType.DRIVING and net.lane_junction[lane] >= 0:
            before = [int(i) for i in net.pred_lane[net.pred_first[lane] : net.pred_first[lane + 1]]]
            if before and net.lane_junction[before[0]] < 0:
                yield LanePoint(net, lane, 0.0)


def road_key(start: LanePoint) -> tuple[int, ...]:
    return int(start.net.lane_road[start.lane]), int(np.sign(start.net.lane_id[start.lane]))


def movement_key(start: LanePoint) -> tuple[int, ...]:
    return (int(start.net.lane_junction[start.lane]),)


# Along a road


def along(
    fits: Callable[[LanePoint, LanePoint], bool],
    free: float,
    length: tuple[float, float],
    parameters: Callable[[Draws], Parameters] = lambda draws: {},
) -> Recipe:
    """A route along one road.

    Args:
        fits: whether the scenario can take place, from the trigger and the place of the event 40 m further.
        free: metres from the trigger without a junction.
        length: of the route, metres, from and to.
    """

    def draft(start: LanePoint, draws: Draws) -> Draft | None:
        trigger = start.ahead(float(draws.uniform(*_TRIGGER_ALONG)))
        metres = float(draws.uniform(*length))
        drawn = parameters(draws)
        if trigger.way_to_junction() < free or trigger.junction >= 0 or not fits(trigger, trigger.ahead(40.0)):
            return None
        return Draft(tuple(ahead_stretches(start, metres)), trigger, drawn)

    return Recipe(lane_starts, draft, road_key)


def can_pass_on_left(trigger: LanePoint, event: LanePoint) -> bool:
    return all(is_driving(p.to_the("left")) for p in (trigger, event, event.ahead(30.0)))


def can_pass_against_traffic(trigger: LanePoint, event: LanePoint) -> bool:
    """One lane a side, passing allowed by the markings, oncoming traffic with room to come from."""
    net = event.net
    marks = net.point_change[net.lane_first[event.lane] : net.lane_first[event.lane + 1]]
    opposite = event.opposite()
    alone = all(net.lane_left[p.lane] < 0 and not is_driving(p.to_the("right")) for p in (trigger, event))
    return alone and opposite is not None and bool(np.any(marks & 2)) and opposite.walk_back(60.0).s >= 0.0


def _has_sidewalk(trigger: LanePoint, event: LanePoint) -> bool:
    sidewalk, found = event.outward("right", LaneType.SIDEWALK)
    return found and lateral(event, sidewalk) < _SIDE_LIMIT


def has_parking(trigger: LanePoint, event: LanePoint) -> bool:
    return all(is_type(trigger.ahead(m).to_the("right"), LaneType.PARKING) for m in (20.0, 28.0, 35.0, 50.0))


def _can_make_room(trigger: LanePoint, event: LanePoint) -> bool:
    beside = [is_driving(p.to_the(side)) for p in (trigger, event, event.ahead(20.0)) for side in ("left", "right")]
    return (all(beside[::2]) or all(beside[1::2])) and trigger.way_from_junction() > 45.0


def is_driving(point: LanePoint | None) -> bool:
    return is_type(point, LaneType.DRIVING)


def is_type(point: LanePoint | None, kind: LaneType) -> bool:
    return point is not None and point.type == kind


def lateral(a: LanePoint, b: LanePoint) -> float:
    return math.hypot(a.place.x - b.place.x, a.place.y - b.place.y)


# Through a junction


def through(
    fits: Callable[[LanePoint], bool],
    approach: float,
    beyond: tuple[float, float],
    parameters: Callable[[LanePoint, LanePoint, Draws], Parameters] = lambda lane, exit, draws: {},
    check: Callable[[RoadArrays, RouteGeometry, Script], bool] = lambda net, geometry, script: True,
) -> Recipe:
    """A route through a junction.

    Args:
        fits: whether the scenario can take place, from the first junction lane.
        approach: metres from the trigger to the junction.
        beyond: metres from the junction to the route's end, from and to.
        check: whether the laid route and its script are worth having.
    """

    def draft(lane: LanePoint, draws: Draws) -> Draft | None:
        run_up = float(draws.uniform(*_TRIGGER_BEFORE_JUNCTION))
        after = float(draws.uniform(*beyond))
        net = lane.net
        before = int(net.pred_lane[net.pred_first[lane.lane]])
        entry = LanePoint(net, before, float(net.lane_length[before]))
        if entry.way_from_junction() < approach + run_up + 5.0 or not fits(lane):
            return None
        start = entry.back(approach + run_up)
        chain = ahead_stretches(start, approach + run_up)
        inside = lane.lane
        while inside >= 0 and net.lane_junction[inside] == net.lane_junction[lane.lane]:
            chain.append((inside, 0.0, float(net.lane_length[inside])))
            inside = straightest(net, inside)
        if inside < 0 or LanePoint(net, inside, 0.0).way_to_junction() < 15.0:
            return None
        leaving = LanePoint(net, inside, 0.0)
        drawn = parameters(lane, leaving, draws)
        return Draft((*chain, *ahead_stretches(leaving, after)), entry.back(approach), drawn)

    return Recipe(movements, draft, movement_key, check)


def entry_of(lane: LanePoint) -> LanePoint:
    net = lane.net
    before = int(net.pred_lane[net.pred_first[lane.lane]])
    return LanePoint(net, before, float(net.lane_length[before]))


def turn_of(lane: LanePoint) -> float:
    return math.degrees(heading_change(lane.net, lane.lane))


def from_angle(lane: LanePoint, low: float, high: float) -> bool:
    """Another road enters the junction at this angle to the ego's entry, and can go straight on."""
    net, entry = lane.net, entry_of(lane)
    for other in junction_entries(net, int(net.lane_junction[lane.lane])):
        end = LanePoint(net, other, float(net.lane_length[other]))
        if net.lane_road[other] == net.lane_road[entry.lane] or end.way_from_junction() < 30.0:
            continue
        angle = math.degrees(angle_between(entry.place.yaw, end.place.yaw)) % 360.0
        if low < angle < high and any(abs(heading_change(net, i)) < 0.6 for i in lanes_after(net, other)):
            return True
    return False


def is_signalled(lane: LanePoint) -> bool:
    return int(lane.net.lane_light[lane.lane]) >= 0


def has_own_light(lane: LanePoint) -> bool:
    """One light rules all ways out of the entry lane: where there are several, the leaderboard judges by each."""
    lights = {int(lane.net.lane_light[after]) for after in lanes_after(lane.net, entry_of(lane).lane)}
    return is_signalled(lane) and len(lights) == 1


def left_across_traffic(lane: LanePoint) -> bool:
    return has_own_light(lane) and turn_of(lane) < -50.0 and from_angle(lane, 150.0, 210.0)


SIDES = {"left": (60.0, 120.0), "opposite": (150.0, 210.0), "right": (240.0, 300.0)}


def _crossed_by_red_runner(lane: LanePoint) -> bool:
    return has_own_light(lane) and any(from_angle(lane, *angles) for angles in SIDES.values())


def _has_walkers_at_entry(lane: LanePoint) -> bool:
    entry = entry_of(lane)
    sidewalk, found = entry.outward("right", LaneType.SIDEWALK)
    return found and lateral(entry, sidewalk) < _SIDE_LIMIT


def enters_flow(lane: LanePoint) -> bool:
    return not is_signalled(lane) and abs(turn_of(lane)) > 20.0 and main_entry(lane) is not None


def main_entry(lane: LanePoint) -> LanePoint | None:
    """The end of a lane of another road that goes straight on into the lane by which the ego leaves."""
    net, own_road = lane.net, lane.net.lane_road[entry_of(lane).lane]
    target = straightest(net, lane.lane)
    for other in junction_entries(net, int(net.lane_junction[lane.lane])):
        end = LanePoint(net, other, float(net.lane_length[other]))
        if net.lane_road[other] == own_road or end.way_from_junction() < 55.0:
            continue
        for inside in lanes_after(net, other):
            if abs(heading_change(net, inside)) < 0.6 and straightest(net, inside) == target:
                return end
    return None


# Parameters, from the ranges of docs/bench2drive.md 1.5


def value(number: float) -> dict[str, str]:
    return {"value": f"{number:g}"}


def whole(draws: Draws, low: int, high: int) -> int:
    return int(draws.integers(low, high + 1))


def interval(draws: Draws, low: tuple[int, int], high: tuple[int, int]) -> dict[str, str]:
    return {"from": str(whole(draws, *low)), "to": str(whole(draws, *high))}


def location(point: LanePoint) -> dict[str, str]:
    return {axis: str(round(v, 1) + 0.0) for axis, v in zip("xyz", point.place[:3], strict=True)}


def obstacle(draws: Draws) -> Parameters:
    return {
        "distance": value(whole(draws, 40, 44)),
        "direction": {"value": "right"},
        "speed": value(whole(draws, 40, 59)),
    }


def two_ways(draws: Draws) -> Parameters:
    return {"distance": value(whole(draws, 40, 44)), "frequency": interval(draws, (32, 63), (150, 184))}


def _walker(draws: Draws) -> Parameters:
    prop = ("advertisement", "container")[whole(draws, 0, 1)]
    return {
        "distance": value(whole(draws, 40, 50)),
        "direction": {"value": "right"},
        "blocker_model": {"value": f"static.prop.{prop}"},
        "crossing_angle": value(whole(draws, 0, 11)),
    }


def left_turn(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    return {
        "flow_speed": value(whole(draws, 9, 10)),
        "source_dist_interval": interval(draws, (19, 24), (27, 28)),
    }


def _red_runner(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    sides = [side for side, angles in SIDES.items() if from_angle(lane, *angles)]
    return {"direction": {"value": sides[whole(draws, 0, len(sides) - 1)]}}


def flow_to_enter(lane: LanePoint, leaving: LanePoint, draws: Draws) -> Parameters:
    main = main_entry(lane)
    assert main is not None  # `enters_flow` has found it
    return {
        "start_actor_flow": location(main.walk_back(50.0)),
        "end_actor_flow": location(leaving.ahead(30.0)),
        "flow_speed": value(whole(draws, 9, 11)),
        "source_dist_interval": interval(draws, (20, 28), (36, 39)),
    }


RECIPES: Mapping[str, Recipe] = {
    "ParkedObstacle": along(can_pass_on_left, 95.0, (115.0, 140.0), obstacle),
    "AccidentTwoWays": along(can_pass_against_traffic, 115.0, (125.0, 140.0), two_ways),
    "ConstructionObstacle": along(can_pass_on_left, 95.0, (115.0, 140.0), obstacle),
    "DynamicObjectCrossing": along(_has_sidewalk, 60.0, (100.0, 135.0), _walker),
    "PedestrianCrossing": through(_has_walkers_at_entry, 25.0, (25.0, 40.0)),
    "HardBreakRoute": along(lambda trigger, event: True, 100.0, (102.0, 146.0)),
    "OppositeVehicleRunningRedLight": through(
        _crossed_by_red_runner, 30.0, (25.0, 40.0), _red_runner, blind_driver_is_met
    ),
    "SignalizedJunctionLeftTurn": through(left_across_traffic, 25.0, (30.0, 40.0), left_turn),
    "EnterActorFlow": through(enters_flow, 25.0, (34.0, 40.0), flow_to_enter),
    "ParkingCutIn": along(has_parking, 80.0, (100.0, 137.0), lambda draws: {"direction": {"value": "right"}}),
    "YieldToEmergencyVehicle": along(
        _can_make_room, 100.0, (105.0, 130.0), lambda draws: {"distance": value(whole(draws, 26, 30))}
    ),
    "ControlLoss": along(lambda trigger, event: True, 100.0, (110.0, 134.0)),
}
