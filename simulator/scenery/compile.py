"""From the roads of a town to its scenery: ground, paint, signals, dressing."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from simulator.roads.network import RoadNetwork
from simulator.scenery.borders import Section, read_sections
from simulator.scenery.buildings import add_buildings
from simulator.scenery.furniture import STREET_LAMP, add_pillars, add_rails, add_street_lamps
from simulator.scenery.ground import CELL, GroundMap, map_ground
from simulator.scenery.junction_fill import add_junctions
from simulator.scenery.markings import add_crosswalks, add_markings, add_stop_lines
from simulator.scenery.mesh import Mesh, MeshBuilder
from simulator.scenery.plants import add_open_trees, add_street_trees
from simulator.scenery.plot import Plot
from simulator.scenery.signals import TRAFFIC_LAMP, add_signs, add_traffic_lights
from simulator.scenery.surfaces import add_surfaces
from simulator.scenery.tags import Material, Tag
from simulator.scenery.terrain import add_terrain
from simulator.scenery.town import CHUNK, TownScenery

_RAISED_CELL = 0.4  # metres
_ELEVATED = 1.2  # metres above the terrain from which a road is a bridge


def compile_scenery(network: RoadNetwork) -> TownScenery:
    """Everything that stands in a town; the same for the same map."""
    sections, landmarks = read_sections(network)
    net = network.arrays
    ground = map_ground(sections)
    out = MeshBuilder()
    height = add_terrain(out, ground)
    for section in sections:
        add_surfaces(out, section, _is_bridge(section, ground, height))
        add_markings(out, section)
    add_junctions(out, sections)
    add_crosswalks(out, net, lambda x, y: float(ground.at(ground.lane_height, x, y)))
    add_stop_lines(out, net)

    draws = np.random.default_rng(int(network.digest[:16], 16))
    plot = Plot(_with_asphalt(ground, out))
    heads = add_traffic_lights(out, net, plot)
    signs, faces = add_signs(out, net, landmarks, plot)
    lamps = add_street_lamps(out, sections, plot, draws)
    add_rails(out, sections, plot, height)
    add_pillars(out, sections, plot, height)
    add_buildings(out, sections, plot, draws)
    add_street_trees(out, sections, plot, draws)
    add_open_trees(out, plot, draws)

    mesh = out.build(CHUNK)
    raised, origin = _raised(mesh)
    lamp = np.flatnonzero((mesh.material == Material.LAMP) & (mesh.aux >= TRAFFIC_LAMP))
    return TownScenery(
        mesh=mesh,
        raised=raised,
        raised_origin=origin,
        raised_cell=_RAISED_CELL,
        lamp_triangle=lamp.astype(np.int32),
        lamp_light=(mesh.aux[lamp].astype(np.int64) - TRAFFIC_LAMP) // 4,
        lamp_kind=(mesh.aux[lamp].astype(np.int64) - TRAFFIC_LAMP) % 4,
        street_triangle=np.flatnonzero((mesh.material == Material.LAMP) & (mesh.aux == STREET_LAMP)).astype(np.int32),
        street_lamp=lamps,
        pictures=faces,
        signal_heads=np.array([(h.light, h.x, h.y, h.z, h.yaw) for h in heads], np.float64).reshape(-1, 5),
        sign_faces=np.array([(g.x, g.y, g.z, g.yaw) for g in signs], np.float64).reshape(-1, 4),
        ground=height,
        ground_origin=ground.origin,
    )


def _with_asphalt(ground: GroundMap, out: MeshBuilder) -> GroundMap:
    """The ground map with distances to all asphalt, that between the paths of junctions included."""
    asphalt = np.zeros(ground.road.shape, np.uint8)
    for vertices, triangles, rest, first in zip(out.vertices, out.triangles, out.attributes, out.firsts):
        if rest[0, 0] != Tag.ROAD:
            continue
        cells = (vertices[:, :2] - ground.origin) / CELL
        for triangle in np.round(cells[triangles - first] * 16).astype(np.int32):
            cv2.fillConvexPoly(asphalt, triangle, 1, cv2.LINE_8, 4)
    away = cv2.distanceTransform(1 - asphalt, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * CELL
    return replace(ground, road=np.minimum(ground.road, away))


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
