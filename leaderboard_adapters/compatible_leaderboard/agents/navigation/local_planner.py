"""The names of what a route does at a point, for agents that import them from CARLA's navigation package."""

from enum import IntEnum


class RoadOption(IntEnum):
    """CARLA's values."""

    VOID = -1
    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANEFOLLOW = 4
    CHANGELANELEFT = 5
    CHANGELANERIGHT = 6
