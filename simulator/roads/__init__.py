"""Roads: an OpenDRIVE town as flat arrays. Kernels ask it through `simulator.roads.queries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from simulator.roads.cache import load_town


def __getattr__(name: str) -> Any:
    """Load `load_town` when it is first asked for: it brings Numba, which finding a town's file does not need."""
    if name != "load_town":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator.roads.cache import load_town

    return load_town
