"""From the roads of a town to its scenery: ground, paint, signals, dressing."""

from __future__ import annotations

import cv2
import numpy as np

from simulator.roads.network import RoadNetwork
from simulator.scenery.borders import Section, read_sections
from simulator.scenery.ground import GroundMap, map_ground
from simulator.scenery.junction_fill import add_junctions
from simulator.scenery.markings import add_crosswalks, add_markings, add_stop_lines
from simulator.scenery.mesh import Mesh, MeshBuilder
from simulator.scenery.surfaces import add_surfaces
from simulator.scenery.tags import Tag
from simulator.scenery.terrain import add_terrain
from simulator.scenery.town import CHUNK, TownScenery

_RAISED_CELL = 0.4  # metres
_ELEVATED = 1.2  # metres above the terrain from which a road is a bridge


def compile_scenery(network: RoadNetwork) -> TownScenery:
    """Everything that stands in a town; the same for the same map."""
    sections = read_sections(network)
    ground = map_ground(sections)
    out = MeshBuilder()
    height = add_terrain(out, ground)
    for section in sections:
        add_surfaces(out, section, _is_bridge(section, ground, height))
        add_markings(out, section)
    add_junctions(out, sections)
    add_crosswalks(out, network.arrays, lambda x, y: float(ground.at(ground.lane_height, x, y)))
    add_stop_lines(out, network.arrays)
    mesh = out.build(CHUNK)
    raised, origin = _raised(mesh)
    return TownScenery(
        mesh=mesh,
        raised=raised,
        raised_origin=origin,
        raised_cell=_RAISED_CELL,
        lamp_triangle=np.zeros(0, np.int32),
        lamp_light=np.zeros(0, np.int64),
        lamp_kind=np.zeros(0, np.int64),
        street_lamp=np.zeros((0, 3), np.float32),
        ground=height,
        ground_origin=ground.origin,
    )


def _is_bridge(section: Section, ground: GroundMap, height: np.ndarray) -> bool:
    points = section.edge.reshape(-1, 3)
    return bool((points[:, 2] - ground.smooth(height, points[:, 0], points[:, 1])).max() > _ELEVATED)


def _raised(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Map of the raised sidewalks, from their triangles."""
    flat = (mesh.tag == Tag.SIDEWALK) & (mesh.normal[:, 2] > 0.7)
    corner = mesh.vertex[mesh.triangle[flat]][:, :, :2].astype(np.float64)
    if not len(corner):
        return np.zeros((1, 1), np.uint8), np.zeros(2)
    origin = np.floor(corner.min(axis=(0, 1)))
    size = np.ceil((corner.max(axis=(0, 1)) - origin) / _RAISED_CELL).astype(int) + 2
    out = np.zeros((size[1], size[0]), np.uint8)
    for triangle in np.round((corner - origin) / _RAISED_CELL * 16).astype(np.int32):
        cv2.fillConvexPoly(out, triangle, 1, cv2.LINE_8, 4)
    return out, origin
