"""Which lanes a corridor gets for a scenario type: made up, but such that the scenario finds what it looks for."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.roads.corridor_runs import LANE_WIDTH
from simulator.roads.writer.road import (
    DOUBLE_YELLOW,
    EDGE_LINE,
    LANE_KINDS,
    NO_PASSING,
    PASSING_ALLOWED,
    Mark,
)

TWO_WAYS_TYPES = frozenset(
    {
        "AccidentTwoWays",
        "ConstructionObstacleTwoWays",
        "HazardAtSideLaneTwoWays",
        "ParkedObstacleTwoWays",
        "VehicleOpensDoorTwoWays",
    }
)

MOTORWAY_TYPES = frozenset(
    {
        "HighwayCutIn",
        "HighwayExit",
        "InterurbanActorFlow",
        "InterurbanAdvancedActorFlow",
        "MergerIntoSlowTraffic",
        "MergerIntoSlowTrafficV2",
    }
)

LIT_TYPES = frozenset(
    {
        "OppositeVehicleRunningRedLight",
        "SignalizedJunctionLeftTurn",
        "SignalizedJunctionLeftTurnEnterFlow",
        "SignalizedJunctionRightTurn",
        "VanillaSignalizedTurnEncounterGreenLight",
        "VanillaSignalizedTurnEncounterRedLight",
    }
)

STOP_SIGN_TYPES = frozenset({"VanillaNonSignalizedTurnEncounterStopsign"})


@dataclass(frozen=True)
class Layout:
    """A cross-section. `route_lane` is the index of the route's lane in the right side's letters."""

    left: str
    right: str
    route_lane: int
    center: Mark = DOUBLE_YELLOW
    speed: float = 50.0
    kind: str = "town"

    def route_offset(self, lane_width: float = LANE_WIDTH) -> float:
        """Metres from the centre line to the middle of the route's lane."""
        widths = [lane_width if letter == "d" else LANE_KINDS[letter][1] for letter in self.right]
        return sum(widths[: self.route_lane]) + widths[self.route_lane] / 2

    def outer_offset(self) -> float:
        """Metres from the centre line to the middle of the outermost driving lane."""
        return self._offset(max(i for i, letter in enumerate(self.right) if letter in "dh"))

    def bike_offset(self) -> float:
        """Metres from the centre line to the middle of the bike lane."""
        return self._offset(self.right.index("b"))

    def widths(self) -> tuple[float, float]:
        """Metres of the left and of the right side."""
        left, right = (sum(LANE_KINDS[letter][1] for letter in side) for side in (self.left, self.right))
        return left, right

    def _offset(self, index: int) -> float:
        widths = [LANE_KINDS[letter][1] for letter in self.right]
        return sum(widths[:index]) + widths[index] / 2


#: streets without a gap, and what they keep where they have one
_STREETS = {
    "VehicleOpensDoorTwoWays": Layout("dpw", "dpw", 0, PASSING_ALLOWED),
    **{name: Layout("dsw", "dsw", 0, PASSING_ALLOWED) for name in TWO_WAYS_TYPES - {"VehicleOpensDoorTwoWays"}},
    "InvadingTurn": Layout("ds", "ds", 0, NO_PASSING, 60.0, "rural"),
    "ParkingCutIn": Layout("", "pdpw", 1, EDGE_LINE),  # one way: the official ones come from either side
    "ParkingExit": Layout("ddpw", "ddpw", 1),
    "ParkingCrossingPedestrian": Layout("ddpw", "ddpw", 1),
    "StaticCutIn": Layout("ddsw", "dddsw", 1, speed=60.0),  # a lane on either side
    "YieldToEmergencyVehicle": Layout("ddsw", "dddsw", 1, speed=60.0),
}

_AVENUE = Layout("ddsw", "ddsw", 1, speed=60.0)
_SIDE_STREET = Layout("dsw", "dsw", 0, NO_PASSING)


def layout_for(scenario_type: str, lanes: tuple[int, int], turn: float | None, *, arm: bool = False) -> Layout:
    """The cross-section of a route's road, or of an arm that is added at a crossing.

    Args:
        scenario_type: decides the lanes.
        lanes: leftmost and rightmost lane that the route uses, relative to its first one.
        turn: radians that the route turns at its gap, left positive; None without a gap.
        arm: whether it is for an added arm.
    """
    if scenario_type == "CrossingBicycleFlow":
        # a left turn leaves from the inner lane and a right turn from the outer one
        return _widened(Layout("ddbw", "ddbw", 0 if (turn or 0.0) >= 0 else 1), lanes)
    if arm:
        return _SIDE_STREET
    if scenario_type in MOTORWAY_TYPES or scenario_type == "SequentialLaneChange":
        inner = max(-lanes[0], 1)
        count = max(inner + 1 + max(lanes[1], 0), 3)
        return Layout("", "d" * count + "S", inner, EDGE_LINE, 90.0, "motorway")
    return _widened(_STREETS.get(scenario_type, _AVENUE if turn is None else _SIDE_STREET), lanes)


def _widened(layout: Layout, lanes: tuple[int, int]) -> Layout:
    """The same street with enough driving lanes for the route's lane changes."""
    right, route = layout.right, layout.route_lane
    inner = max(0, -lanes[0] - route)
    right, route = "d" * inner + right, route + inner
    outer = max(0, route + lanes[1] - max(i for i, letter in enumerate(right) if letter == "d"))
    last = max(i for i, letter in enumerate(right) if letter == "d") + 1
    right = right[:last] + "d" * outer + right[last:]
    return Layout(layout.left, right, route, layout.center, layout.speed, layout.kind)
