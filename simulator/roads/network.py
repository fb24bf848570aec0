"""The road network of a town as flat arrays: what every kernel reads.

Frame: CARLA's (x forward/east, y right/south, z up, metres); yaw in radians, clockwise seen from above as in CARLA.
A lane is one lane of one OpenDRIVE lane section. Its points run **in the direction of travel**, so `s` (metres from the
lane's start, along the lane's own centreline) always grows as a vehicle drives. Lanes are numbered 0..L-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np


class LaneType(IntEnum):
    """Kind of a lane; kernels filter by the bit mask `1 << type`."""

    NONE = 0
    DRIVING = 1
    PARKING = 2
    BIKING = 3
    SHOULDER = 4
    SIDEWALK = 5
    MEDIAN = 6
    OTHER = 7


DRIVING_MASK = 1 << LaneType.DRIVING
PARKING_MASK = 1 << LaneType.PARKING
SIDEWALK_MASK = 1 << LaneType.SIDEWALK
ANY_LANE_MASK = 0xFF

LANE_CHANGE_RIGHT = 1
LANE_CHANGE_LEFT = 2


class LaneMark(IntEnum):
    """Kind of the marking along one side of a lane (CARLA's LaneMarkingType and its numbers)."""

    OTHER = 0
    BROKEN = 1
    SOLID = 2
    SOLID_SOLID = 3
    SOLID_BROKEN = 4
    BROKEN_SOLID = 5
    BROKEN_BROKEN = 6
    BOTTS_DOTS = 7
    GRASS = 8
    CURB = 9
    NONE = 10


class MarkColor(IntEnum):
    """Colour of a lane marking (CARLA's LaneMarkingColor and its numbers)."""

    WHITE = 0
    BLUE = 1
    GREEN = 2
    RED = 3
    YELLOW = 4
    OTHER = 5


MARK_COLOR = 16  # a marking is stored as LaneMark + MARK_COLOR * MarkColor


class Turn(IntEnum):
    """What a junction lane does, seen from its entry."""

    LEFT = -1
    STRAIGHT = 0
    RIGHT = 1


class Yield(IntEnum):
    """Who waits where two junction lanes cross (`conflict_rule`, from the own lane's view)."""

    HAS_PRIORITY = -1
    EQUAL = 0
    GIVES_WAY = 1


class RoadArrays(NamedTuple):
    """Flat arrays of one town; every `*_first` is a CSR offset array of one more entry than its owner.

    L lanes, P lane points, S traffic lights, W light stop points, G light groups, H phases, T stop signs,
    C crosswalk corners.
    """

    # lanes
    lane_road: np.ndarray  # int32[L] OpenDRIVE road id
    lane_section: np.ndarray  # int32[L] OpenDRIVE lane section index
    lane_id: np.ndarray  # int32[L] OpenDRIVE lane id (negative: drives along the road's s)
    lane_type: np.ndarray  # int8[L] LaneType
    lane_length: np.ndarray  # float64[L] metres along the centreline
    lane_step: np.ndarray  # float64[L] metres between its points (<= 1, uniform; last point is the lane's end)
    lane_first: np.ndarray  # int32[L+1] offset of its points
    lane_speed_limit: np.ndarray  # float64[L] m/s
    lane_junction: np.ndarray  # int32[L] junction index 0..J-1, or -1 outside
    lane_turn: np.ndarray  # int8[L] Turn (junction lanes; 0 elsewhere)
    lane_left: np.ndarray  # int32[L] neighbour on the left with the same direction, any type, or -1
    lane_right: np.ndarray  # int32[L] neighbour on the right with the same direction, any type, or -1
    lane_opposite: np.ndarray  # int32[L] leftmost lane: the driving lane beyond the centre line, against it, or -1
    succ_first: np.ndarray  # int32[L+1]
    succ_lane: np.ndarray  # int32[...] lanes that follow
    pred_first: np.ndarray  # int32[L+1]
    pred_lane: np.ndarray  # int32[...] lanes that lead here
    lane_light: np.ndarray  # int32[L] junction lane: traffic light that rules its entry, or -1
    lane_stop_sign: np.ndarray  # int32[L] lane before a junction: stop sign that rules its end, or -1
    lane_yield_sign: np.ndarray  # int8[L] lane before a junction: 1 where a yield sign rules its end
    lane_stop_line: np.ndarray  # float64[L] lane before a junction: s where a vehicle's front halts, or -1
    # lane points
    point_x: np.ndarray  # float64[P] metres
    point_y: np.ndarray  # float64[P] metres
    point_z: np.ndarray  # float64[P] metres
    point_yaw: np.ndarray  # float64[P] rad, direction of travel; begins in [-pi, pi) and is continuous along a lane
    point_pitch: np.ndarray  # float64[P] rad, slope in the direction of travel (up positive)
    point_width: np.ndarray  # float64[P] metres
    point_curvature: np.ndarray  # float64[P] 1/m, positive turns right (yaw grows)
    point_bend_speed: np.ndarray  # float64[P] m/s that the bends from here on allow (2 m/s2 aside, 1.5 m/s2 braking)
    point_change: np.ndarray  # uint8[P] LANE_CHANGE_* bits allowed by the markings here
    point_left_mark: np.ndarray  # uint8[P] marking along the lane's left edge, LaneMark + 16 * MarkColor
    point_right_mark: np.ndarray  # uint8[P] likewise on its right, seen in the direction of travel
    # spatial index over lane points
    grid_origin: np.ndarray  # float64[2] metres, lower corner
    grid_size: np.ndarray  # int64[2] cells in x and y
    grid_cell: np.ndarray  # float64[1] metres
    cell_first: np.ndarray  # int32[cells+1], cell = iy * size_x + ix
    cell_point: np.ndarray  # int32[P] point indices
    point_lane: np.ndarray  # int32[P] lane of each point
    # traffic lights
    light_x: np.ndarray  # float64[S] metres, the light's own position
    light_y: np.ndarray  # float64[S]
    light_z: np.ndarray  # float64[S]
    light_yaw: np.ndarray  # float64[S] rad, the light actor's heading; its x axis runs across the lanes that it rules
    light_box_x: np.ndarray  # float64[S] centre of the trigger volume, world
    light_box_y: np.ndarray  # float64[S]
    light_box_z: np.ndarray  # float64[S]
    light_box_extent_x: np.ndarray  # float64[S] half size along the light's own x axis; 0 where it rules no lane
    light_box_extent_y: np.ndarray  # float64[S] half size along the light's own y axis
    light_group: np.ndarray  # int32[S] group: one per signalised junction, and one for each light that rules none
    light_phase: np.ndarray  # int32[S] phase of its group in which it is green
    light_stop_first: np.ndarray  # int32[S+1]
    light_stop_lane: np.ndarray  # int32[W] lane of a stop point: the last waypoint before the intersection
    light_stop_x: np.ndarray  # float64[W]
    light_stop_y: np.ndarray  # float64[W]
    light_stop_yaw: np.ndarray  # float64[W] rad
    light_stop_width: np.ndarray  # float64[W] lane width
    light_affected_first: np.ndarray  # int32[S+1]
    light_affected_lane: np.ndarray  # int32[...] lanes of CARLA's get_affected_lane_waypoints
    light_affected_x: np.ndarray  # float64[...] those waypoints
    light_affected_y: np.ndarray  # float64[...]
    light_affected_z: np.ndarray  # float64[...]
    group_junction: np.ndarray  # int32[G] junction index, or -1
    group_first: np.ndarray  # int32[G+1] offset of its phases
    phase_green: np.ndarray  # float64[H] seconds
    phase_yellow: np.ndarray  # float64[H] seconds
    phase_red: np.ndarray  # float64[H] seconds of all-red after it
    # stop signs (trigger volumes)
    stop_lane: np.ndarray  # int32[T] the lane before a junction whose end the sign rules
    stop_x: np.ndarray  # float64[T] centre, world
    stop_y: np.ndarray  # float64[T]
    stop_z: np.ndarray  # float64[T]
    stop_extent_x: np.ndarray  # float64[T] half size along world x (the official test does not rotate the box)
    stop_extent_y: np.ndarray  # float64[T] half size along world y
    # junction conflicts, per junction lane
    conflict_first: np.ndarray  # int32[L+1]
    conflict_lane: np.ndarray  # int32[...] the other lane
    conflict_enter: np.ndarray  # float64[...] own s at which the shared area begins
    conflict_exit: np.ndarray  # float64[...] own s at which it ends
    conflict_other_enter: np.ndarray  # float64[...] the other lane's s at which it begins
    conflict_other_exit: np.ndarray  # float64[...]
    conflict_rule: np.ndarray  # int8[...] Yield
    # crosswalks (closed polygons)
    crosswalk_first: np.ndarray  # int32[crosswalks+1]
    crosswalk_x: np.ndarray  # float64[C]
    crosswalk_y: np.ndarray  # float64[C]


@dataclass(frozen=True)
class RoadNetwork:
    """A town: its arrays, and what only people and files need."""

    town: str
    digest: str  # sha256 of the OpenDRIVE text: the map's identity
    arrays: RoadArrays
    xodr: str  # the OpenDRIVE text itself
    junction_ids: tuple[int, ...]  # OpenDRIVE id of junction index j
    light_ids: tuple[str, ...]  # OpenDRIVE signal id of light index i
    stop_ids: tuple[str, ...]
    geo_reference: tuple[float, float] = (42.0, 2.0)  # latitude, longitude of the origin, degrees
    synthetic: bool = False  # a corridor rebuilt from a route, not the real town
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def num_lanes(self) -> int:
        return len(self.arrays.lane_length)
