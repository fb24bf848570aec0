"""Roads: an OpenDRIVE town as flat arrays. Kernels ask it through `simulator.roads.queries`."""

from simulator.roads.cache import load_town
from simulator.roads.network import LaneType, RoadArrays, RoadNetwork, Turn, Yield
from simulator.roads.towns import available_towns, find_town, load_named_town

__all__ = [
    "LaneType",
    "RoadArrays",
    "RoadNetwork",
    "Turn",
    "Yield",
    "available_towns",
    "find_town",
    "load_named_town",
    "load_town",
]
