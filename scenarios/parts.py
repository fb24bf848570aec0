"""What several scenario types have in common."""

from __future__ import annotations

import math

from scenarios.geometry import Polyline
from scenarios.lane_points import LanePoint
from scenarios.placement import NotPlaced, Site
from scenarios.script import Strand
from scenarios.tracks import ahead_stretches, track
from scenarios.vocabulary import (
    CAREFUL,
    Between,
    Flow,
    HoldLights,
    Member,
    Oncoming,
    Place,
    StartFlow,
    WrongDirectionTest,
    exactly,
)
from simulator.blueprints import BICYCLES
from simulator.roads.network import LaneType
from simulator.state import LightState

QUARTER_TURN = math.pi / 2
KMH = 1.0 / 3.6
BICYCLE: tuple[int, ...] = tuple(int(i) for i in BICYCLES)  # to draw members and flows from


def toward(side: str) -> float:
    """+1 for the right, -1 for the left."""
    return 1.0 if side == "right" else -1.0


def off_centre(point: LanePoint, side: str, share: float) -> Place:
    """A place on a lane, moved to a side by a share of half its width."""
    return point.beside(right=toward(side) * share * 0.5 * point.width)


def in_parking_lane(name: str, choices: tuple[int, ...], point: LanePoint, side: str) -> Member:
    """A member parked in the parking lane beside a place: outward by (lane width - half the car's width) / 4.

    Raises:
        NotPlaced: when there is no parking lane on that side.
    """
    parking, found = point.outward(side, LaneType.PARKING)
    if not found:
        raise NotPlaced(f"there is no parking lane on the {side}")
    outward = toward(side)
    return Member(name, choices, parking.beside(right=outward * parking.width / 4), half_widths_right=-outward / 4)


def warning_sign(at: Site, prop: str, side: str) -> Member:
    """The side prop: beyond the outermost driving or parking lane at the trigger, facing the traffic."""
    outermost = at.trigger
    beyond = outermost.to_the(side)
    while beyond is not None and beyond.type in (LaneType.DRIVING, LaneType.PARKING):
        outermost, beyond = beyond, beyond.to_the(side)
    outward = toward(side) * 0.3 * outermost.width
    if beyond is None:  # the road ends there
        place = outermost.beside(right=outward + toward(side) * 0.5 * outermost.width, turned=QUARTER_TURN)
    else:
        place = beyond.beside(right=outward, turned=QUARTER_TURN)
    return Member("sign", exactly(f"static.prop.{prop}"), place)


# Passing on the oncoming lane


def oncoming_flow(at: Site, beside: LanePoint, spacing: Between) -> Flow:
    """OppositeActorFlow on the lane to the left: careful drivers at the ego's speed limit, from junction to junction.

    Raises:
        NotPlaced: when there is no driving lane on the left.
    """
    lane = beside.left()
    if lane is None or lane.type != LaneType.DRIVING:
        raise NotPlaced("there is no lane on the left to pass on")
    limit = at.trigger.speed_limit
    reach = 1.5 * limit / KMH + 30.0  # the official code takes km/h for metres
    line = at.track_between(lane.walk_back(reach), lane.walk(reach))
    return Flow("oncoming", line, spacing, limit, flags=CAREFUL)


PASS_AGAINST_TRAFFIC: Strand = (WrongDirectionTest(False), Oncoming(False), StartFlow("oncoming"))
STOP_PASSING: Strand = (WrongDirectionTest(True), Oncoming(True))


# Junctions


def hold_lights(at: Site, ego: LightState, others: LightState, also: dict[int, LightState] | None = None) -> Strand:
    """Lights of the junction ahead: the ego's, some others by index, and all the rest; nothing where it has none."""
    if at.ego_light < 0:
        return ()
    return (HoldLights(at.junction.junction, others, (*(also or {}).items(), (at.ego_light, ego))),)


def note_missing_lights(at: Site) -> None:
    """Remark that a junction has no light for the ego."""
    if at.ego_light < 0:
        at.remarks.append("the junction has no traffic light for the ego; it runs without")


def joining_track(at: Site, lane: LanePoint, start: Place, metres: float, blend: float) -> Polyline:
    """A track from beside a lane onto it, joined within `blend` metres, and on along it."""
    dx, dy = start.x - lane.place.x, start.y - lane.place.y
    yaw = lane.place.yaw
    right = -dx * math.sin(yaw) + dy * math.cos(yaw)
    return track(at.net, ahead_stretches(lane, metres), start_right=right, blend=blend)
