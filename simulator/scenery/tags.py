"""What a triangle is: CARLA's semantic class, and the material it is painted with."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Tag(IntEnum):
    """Semantic classes of CARLA 0.9.14 and later (`LibCarla/source/carla/rpc/ObjectLabel.h`)."""

    NONE = 0
    ROAD = 1
    SIDEWALK = 2
    BUILDING = 3
    WALL = 4
    FENCE = 5
    POLE = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    VEGETATION = 9
    TERRAIN = 10
    SKY = 11
    PEDESTRIAN = 12
    RIDER = 13
    CAR = 14
    TRUCK = 15
    BUS = 16
    TRAIN = 17
    MOTORCYCLE = 18
    BICYCLE = 19
    STATIC = 20
    DYNAMIC = 21
    OTHER = 22
    WATER = 23
    ROAD_LINE = 24
    GROUND = 25
    BRIDGE = 26
    RAIL_TRACK = 27
    GUARD_RAIL = 28


class Material(IntEnum):
    """How the colour camera paints a triangle. Values below `FIRST_PLAIN` have a texture of their own."""

    ASPHALT = 0
    MARKING = 1
    PAVING = 2
    KERB = 3
    GRASS = 4
    FACADE = 5
    PICTURE = 6  # a sign face: its picture is stretched over a quad
    LEAVES = 7
    PLAIN = 8
    CONCRETE = 9
    METAL = 10
    GLASS = 11
    PAINT = 12  # vehicle bodies
    LAMP = 13  # gives light of its own while it is on
    ROOF = 14


FIRST_PLAIN = int(Material.PLAIN)

#: uint8[29, 3] RGB: colours of CARLA's CityScapes palette (docs "Sensors reference", semantic segmentation camera)
PALETTE = np.array(
    [
        (0, 0, 0), (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
        (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
        (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32), (110, 190, 160),
        (170, 120, 50), (55, 90, 80), (45, 60, 150), (157, 234, 50), (81, 0, 81), (150, 100, 100), (230, 150, 140),
        (180, 165, 180),
    ],
    np.uint8,
)  # fmt: skip
