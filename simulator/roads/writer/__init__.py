"""Drawing OpenDRIVE maps that `carla.Map` reads: `Town` collects roads and junctions, `to_xodr` writes them."""

from simulator.roads.writer.geometry import Path, Pose, Profile, connect, polyline_path
from simulator.roads.writer.junction import Junction
from simulator.roads.writer.road import Arm, Road
from simulator.roads.writer.town import Town
from simulator.roads.writer.xml import to_xodr

__all__ = ["Arm", "Junction", "Path", "Pose", "Profile", "Road", "Town", "connect", "polyline_path", "to_xodr"]
