"""The words that scenario scripts are written in: conditions that wait, and commands that act at once.

A *member* is an actor of the script's cast, a *flow* a stream of vehicles; both are referred to by name. Units are
metres, seconds, m/s and radians unless a field says otherwise. "The ego" is the ego vehicle; distances to it are
between centres, in 3-D, as in the official scenarios (docs/bench2drive.md 1.6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from scenarios.geometry import Polyline
from scenarios.opcodes import Op
from simulator.blueprints import EMERGENCY_VEHICLES, OBSTACLE_CARS, TRAFFIC_CARS, WALKERS, blueprint_index
from simulator.state import DriverFlag, LightState

#: What members are drawn from (docs/bench2drive.md 1.6); a draw happens when the scenario's actors are spawned.
OBSTACLE_CAR: tuple[int, ...] = tuple(int(i) for i in OBSTACLE_CARS)
FLOW_CAR: tuple[int, ...] = tuple(int(i) for i in TRAFFIC_CARS)
EMERGENCY_VEHICLE: tuple[int, ...] = tuple(int(i) for i in EMERGENCY_VEHICLES)
WALKER: tuple[int, ...] = tuple(int(i) for i in WALKERS)

#: CARLA's BasicAgent told to disregard lights: brakes for what is ahead.
CAREFUL = DriverFlag.IGNORE_LIGHTS | DriverFlag.IGNORE_SIGNS
#: CARLA's ConstantVelocityAgent told to disregard vehicles and lights: nothing makes it brake.
RECKLESS = CAREFUL | DriverFlag.CONSTANT_VELOCITY | DriverFlag.IGNORE_VEHICLES


def exactly(blueprint_id: str) -> tuple[int, ...]:
    """A choice of one blueprint."""
    return (blueprint_index(blueprint_id),)


class Place(NamedTuple):
    """A pose in the world: metres, yaw in radians."""

    x: float
    y: float
    z: float
    yaw: float

    def moved(self, forward: float = 0.0, right: float = 0.0, turned: float = 0.0) -> Place:
        """The place `forward` and `right` metres away in its own frame, turned by `turned` radians."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return Place(self.x + forward * c - right * s, self.y + forward * s + right * c, self.z, self.yaw + turned)

    def distance(self, other: Place) -> float:
        """3-D distance in metres."""
        return math.dist(self[:3], other[:3])


class Between(NamedTuple):
    """A number drawn evenly from an interval, from the world's seeded draws, each time it is needed."""

    low: float
    high: float


class EgoSpeed(NamedTuple):
    """A speed relative to the ego's at that moment: `share` of it, and `plus` m/s."""

    share: float = 1.0
    plus: float = 0.0


Number = float | Between
Speed = float | Between | EgoSpeed


@dataclass(frozen=True)
class Member:
    """An actor of the cast, spawned with the scenario and taken away when it ends.

    `choices` are blueprint indices of which one is drawn. `half_widths_right` moves the place right by that many half
    widths of the drawn actor. A hidden member is out of the world until `Raise`.
    """

    name: str
    choices: tuple[int, ...]
    place: Place
    hidden: bool = False
    lights: int = 0
    half_widths_right: float = 0.0


@dataclass(frozen=True)
class Flow:
    """A stream of vehicles along a track (docs/bench2drive.md 1.6 "Flows").

    A new one appears at the source once the newest is farther away than the current spacing, which is then drawn anew;
    one that comes within `sink_distance` of the track's end is taken away. When the ego touches one of them, constant
    velocity and blindness end for all. `initial`: vehicles stand along the whole track when the flow starts,
    except between `junction_from` and `junction_to` metres, unless `initial_in_junction`.
    """

    name: str
    track: Polyline
    spacing: Between
    speed: float
    choices: tuple[int, ...] = FLOW_CAR
    flags: DriverFlag = RECKLESS
    sink_distance: float = 2.0
    offset: float = 0.0
    initial: bool = False
    initial_in_junction: bool = False
    junction_from: float = 0.0
    junction_to: float = 0.0


# How words become table rows


class Instruction(NamedTuple):
    """One row of the instruction table: up to 3 whole numbers and 5 numbers beside the operation."""

    op: Op
    whole: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()


class Names(Protocol):
    """What a script's words refer to, as table indices."""

    def member(self, name: str) -> int:
        """Position in the cast."""

    def flow(self, name: str) -> int:
        """Position among the flows."""

    def track(self, line: Polyline) -> int:
        """Number of a track within the script; equal lines share one."""


class Word(Protocol):
    """A condition or command."""

    def rows(self, names: Names) -> list[Instruction]:
        """The table rows that it stands for."""


def _interval(number: Number) -> tuple[float, float]:
    return (number.low, number.high) if isinstance(number, Between) else (number, number)


def _speed(speed: Speed) -> tuple[float, float, float]:
    """low, high, share of the ego's speed."""
    if isinstance(speed, EgoSpeed):
        return speed.plus, speed.plus, speed.share
    return (*_interval(speed), 0.0)


# Conditions


@dataclass(frozen=True)
class Wait:
    """`seconds` have gone by."""

    seconds: Number

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.WAIT, (), _interval(self.seconds))]


@dataclass(frozen=True)
class Near:
    """The ego is less than `metres` from a member or place."""

    what: str | Place
    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        if isinstance(self.what, str):
            return [Instruction(Op.NEAR, (names.member(self.what),), (self.metres,))]
        return [Instruction(Op.NEAR_PLACE, (), (*self.what[:3], self.metres))]


@dataclass(frozen=True)
class AwayFrom:
    """The ego is at least `metres` from a place."""

    place: Place
    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.AWAY_FROM, (), (*self.place[:3], self.metres))]


@dataclass(frozen=True)
class Arriving:
    """At its speed the ego reaches the place in less than `seconds`, or is nearer than `metres`."""

    place: Place
    seconds: float
    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.ARRIVING, (), (*self.place[:3], self.seconds, self.metres))]


@dataclass(frozen=True)
class Passed:
    """The ego is in front of the place, seen along the place's yaw, and less than `within` metres from it."""

    place: Place
    within: float = math.inf

    def rows(self, names: Names) -> list[Instruction]:
        x, y, _, yaw = self.place
        return [Instruction(Op.PASSED, (), (x, y, math.cos(yaw), math.sin(yaw), self.within))]


@dataclass(frozen=True)
class Drove:
    """The ego, or a member, has covered more than `metres` since the strand began to wait here."""

    metres: float
    member: str = ""

    def rows(self, names: Names) -> list[Instruction]:
        if self.member:
            return [Instruction(Op.MEMBER_DROVE, (names.member(self.member),), (self.metres,))]
        return [Instruction(Op.DROVE, (), (self.metres,))]


@dataclass(frozen=True)
class Stands:
    """A member has come to the end of its walk or track, or had `seconds` for it: what was hit may never get there."""

    member: str
    seconds: float = math.inf

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.MEMBER_STANDS, (names.member(self.member),), (self.seconds,))]


@dataclass(frozen=True)
class AheadOfEgo:
    """A member is in front of the ego, and less than `within` metres away."""

    member: str
    within: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.MEMBER_AHEAD, (names.member(self.member),), (self.within,))]


@dataclass(frozen=True)
class EgoPassed:
    """The ego has a member behind it, by at least the sum of their half lengths along the member's heading."""

    member: str

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.MEMBER_PASSED, (names.member(self.member),))]


@dataclass(frozen=True)
class LeftJunction:
    """The ego has been in a junction, and is out of it; `junction` -1 means any."""

    junction: int = -1

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.LEFT_JUNCTION, (self.junction,))]


@dataclass(frozen=True)
class Forever:
    """Never: the strand stays here until the scenario ends."""

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.FOREVER)]


@dataclass(frozen=True)
class Chase:
    """Forever: every tick a member on a track with imposed speed takes `speed`.

    With something in its way nearer than `look` + `look_seconds` * its speed, it takes the speed of that instead.
    """

    member: str
    speed: Speed
    look: float
    look_seconds: float

    def rows(self, names: Names) -> list[Instruction]:
        return [
            Instruction(Op.CHASE, (names.member(self.member),), (*_speed(self.speed), self.look, self.look_seconds))
        ]


@dataclass(frozen=True)
class MeetEgo:
    """A member is within `metres` of `goal`.

    Until then it gets the speed that brings it there when the ego is at `ego_goal`; while the ego stands, so does it.
    """

    member: str
    goal: Place
    ego_goal: Place
    metres: float = 5.0

    def rows(self, names: Names) -> list[Instruction]:
        numbers = (*self.goal[:2], *self.ego_goal[:2], self.metres)
        return [Instruction(Op.MEET_EGO, (names.member(self.member),), numbers)]


# Commands to the cast


@dataclass(frozen=True)
class Raise:
    """Bring hidden members into the world; background vehicles in their place go."""

    members: tuple[str, ...]

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.RAISE, (names.member(m),)) for m in self.members]


@dataclass(frozen=True)
class Remove:
    """Take members out of the world for good."""

    members: tuple[str, ...]

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.REMOVE, (names.member(m),)) for m in self.members]


@dataclass(frozen=True)
class Hold:
    """A member stops, with the hand brake on."""

    member: str

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.HOLD, (names.member(self.member),))]


@dataclass(frozen=True)
class Walk:
    """A member goes straight on at an imposed speed, and stops after `metres` (0: never)."""

    member: str
    speed: Speed
    metres: float = 0.0

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.WALK, (names.member(self.member),), (*_speed(self.speed), self.metres))]


@dataclass(frozen=True)
class Follow:
    """A vehicle follows a track, `offset` metres right of it, and stops after `metres` (0: never).

    At the end of the track it goes on along lanes, or stops with `DriverFlag.STOP_AT_END`. With
    `DriverFlag.CONSTANT_VELOCITY` it has the speed at once.
    """

    member: str
    track: Polyline
    speed: Speed
    flags: DriverFlag = CAREFUL
    offset: float = 0.0
    metres: float = 0.0

    def rows(self, names: Names) -> list[Instruction]:
        whole = names.member(self.member), names.track(self.track), int(self.flags)
        return [Instruction(Op.FOLLOW, whole, (*_speed(self.speed), self.offset, self.metres))]


@dataclass(frozen=True)
class SetSpeed:
    """A member on its way takes another speed."""

    member: str
    speed: Speed

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.SET_SPEED, (names.member(self.member),), _speed(self.speed))]


@dataclass(frozen=True)
class Lights:
    """Switch the lights of a vehicle: `VehicleLight` bits."""

    member: str
    lights: int

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.SET_LIGHTS, (names.member(self.member), self.lights))]


@dataclass(frozen=True)
class OpenDoor:
    """Open a door of a vehicle; CARLA's numbers: 0 front left, 1 front right, 2 rear left, 3 rear right."""

    member: str
    door: int

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.OPEN_DOOR, (names.member(self.member), self.door))]


@dataclass(frozen=True)
class StartFlow:
    """A flow begins."""

    flow: str

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.START_FLOW, (names.flow(self.flow),))]


@dataclass(frozen=True)
class EndFlow:
    """A flow ends and its vehicles go. The end of the scenario does so too."""

    flow: str

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.END_FLOW, (names.flow(self.flow),))]


# Commands to traffic lights


@dataclass(frozen=True)
class HoldLights:
    """All lights of a junction take the state `others`, those in `lights` the given one, and stay so until released.

    `lights` are pairs of light index and state. The end of the scenario releases them.
    """

    junction: int
    others: LightState
    lights: tuple[tuple[int, LightState], ...] = ()

    def rows(self, names: Names) -> list[Instruction]:
        rows = [Instruction(Op.HOLD_LIGHTS, (self.junction, int(self.others)))]
        return rows + [Instruction(Op.SET_LIGHT, (light, int(state))) for light, state in self.lights]


@dataclass(frozen=True)
class ReleaseLights:
    """The lights of a junction run on from where they were held."""

    junction: int

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.RELEASE_LIGHTS, (self.junction,))]


# Commands to the background traffic (docs/bench2drive.md 1.6). The end of the scenario takes none of them back.


@dataclass(frozen=True)
class LeaveSpaceInFront:
    """Vehicles ahead in the ego's lane jump forward until the nearest is `metres` away."""

    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.LEAVE_SPACE, (), (self.metres,))]


@dataclass(frozen=True)
class CloseLanes:
    """RemoveRoadLane, removed entries and exits: background vehicles leave these lanes of their roads for good."""

    lanes: tuple[int, ...]

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.CLOSE_LANE, (lane,)) for lane in self.lanes]


@dataclass(frozen=True)
class ReopenLanes:
    """Background vehicles may use these lanes again."""

    lanes: tuple[int, ...]

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.REOPEN_LANE, (lane,)) for lane in self.lanes]


@dataclass(frozen=True)
class ClearJunction:
    """Background vehicles leave a junction, and keep out of it until `FreeJunction` or until the ego has crossed it."""

    junction: int

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.CLEAR_JUNCTION, (self.junction,))]


@dataclass(frozen=True)
class ClearEgoEntry:
    """Background vehicles ahead on the ego's road go, its sources stop, and those behind do not pass the ego."""

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.CLEAR_EGO_ENTRY)]


@dataclass(frozen=True)
class ExtendExit:
    """Vehicles behind the route's next junction exit move `metres` forward."""

    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.EXTEND_EXIT, (), (self.metres,))]


@dataclass(frozen=True)
class StopOtherEntries:
    """Vehicles on the junction entries that are not the route's stand."""

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.STOP_ENTRIES)]


@dataclass(frozen=True)
class FreeJunction:
    """Takes back `ClearJunction`, `ClearEgoEntry` and `StopOtherEntries`."""

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.FREE_JUNCTION)]


@dataclass(frozen=True)
class RouteSources:
    """Switch the sources on the ego's road."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.ROUTE_SOURCES, (int(self.on),))]


@dataclass(frozen=True)
class Oncoming:
    """Switch the oncoming sources."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.ONCOMING, (int(self.on),))]


@dataclass(frozen=True)
class OncomingSpacing:
    """Metres between oncoming vehicles (40 unless changed); they appear twice as far ahead of the ego."""

    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.ONCOMING_SPACING, (), (self.metres,))]


@dataclass(frozen=True)
class MaxSpeed:
    """No background vehicle wants to be faster than this, m/s; 0 takes it back."""

    speed: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.MAX_SPEED, (), (self.speed,))]


@dataclass(frozen=True)
class ExtraSpace:
    """Metres that vehicles ahead keep from the ego beyond the usual."""

    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.EXTRA_SPACE, (), (self.metres,))]


@dataclass(frozen=True)
class Spacing:
    """Metres between the vehicles on the ego's road (15 unless changed)."""

    metres: float

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.SPACING, (), (self.metres,))]


@dataclass(frozen=True)
class StopAhead:
    """Vehicles ahead of the ego brake to a stop, or drive on."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.STOP_AHEAD, (int(self.on),))]


@dataclass(frozen=True)
class StopBehind:
    """Vehicles behind the ego brake to a stop, or drive on."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.STOP_BEHIND, (int(self.on),))]


@dataclass(frozen=True)
class LeaveCrossingSpace:
    """Oncoming vehicles near a place go or stand still."""

    place: Place

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.LEAVE_CROSSING_SPACE, (), self.place[:2])]


# Commands to the criteria, the ego and the scenario itself


@dataclass(frozen=True)
class WrongDirectionTest:
    """Whether driving against the traffic counts as leaving the route's lanes."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.WRONG_DIRECTION_TEST, (int(self.on),))]


@dataclass(frozen=True)
class CountCollisionsTwice:
    """Whether the scenario's own collision test runs beside the route's."""

    on: bool

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.COUNT_COLLISIONS_TWICE, (int(self.on),))]


@dataclass(frozen=True)
class JudgeYielding:
    """From now to the scenario's end the ego is to let this emergency vehicle pass; its last state decides."""

    member: str

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.JUDGE_YIELDING, (names.member(self.member),))]


@dataclass(frozen=True)
class DisturbControl:
    """Every tick the ego's throttle and steering get normal noise with these means and deviations; all 0 ends it.

    The signs of the two means are drawn once an episode.
    """

    throttle: float = 0.0
    throttle_deviation: float = 0.0
    steer: float = 0.0
    steer_deviation: float = 0.0

    def rows(self, names: Names) -> list[Instruction]:
        numbers = self.throttle, self.throttle_deviation, self.steer, self.steer_deviation
        return [Instruction(Op.DISTURB_CONTROL, (), numbers)]


@dataclass(frozen=True)
class PlaceEgo:
    """Put the ego somewhere, standing; for scripts that begin a route beside the road."""

    place: Place
    half_widths_right: float = 0.0

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.PLACE_EGO, (), (*self.place, self.half_widths_right))]


@dataclass(frozen=True)
class End:
    """The scenario ends."""

    def rows(self, names: Names) -> list[Instruction]:
        return [Instruction(Op.END)]
