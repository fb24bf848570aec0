"""Town geometry: it covers no lane, hides no signal, faces outwards, and is kept on disk."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from camera_world import town

from simulator.blueprints import BLUEPRINTS, KIND, Kind
from simulator.roads.cache import load_town
from simulator.roads.corridor import build_corridor
from simulator.roads.network import RoadNetwork
from simulator.scenery.borders import read_sections
from simulator.scenery.ground import ROAD_TYPES, lane_cells
from simulator.scenery.mesh import MeshBuilder, box, column, prism, ring, side_profile, strip, wall
from simulator.scenery.model import load_models
from simulator.scenery.tags import Tag
from simulator.scenery.town import TownScenery, load_scenery
from simulator.scenery.triangulate import area, triangulate

GROUND_TAGS = (Tag.ROAD, Tag.ROAD_LINE, Tag.SIDEWALK, Tag.TERRAIN, Tag.GROUND, Tag.BRIDGE)
CLEARANCE = 4.4  # metres above a lane that are kept free; its vehicles are lower
TOWNS = [
    "MiniTown",
    *(pytest.param(n, marks=pytest.mark.official_data) for n in ("Town01", "Town02", "Town04", "Town10HD")),
]


@pytest.fixture(params=TOWNS)
def network(request: pytest.FixtureRequest) -> RoadNetwork:
    if request.param == "MiniTown":
        return town()
    return town(request.param, request.getfixturevalue("official_data") / "towns")


def solid_volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


# ---- solids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (box((0, 0, 0), (2, 3, 4)), 24.0),
        (prism(ring(1.0, 2.0, 1.0, 4), 0.0, 3.0, bottom=True), 6.0),
        (column(5.0, 5.0, 1.0, 2.0, 1.0, 1.0, 4, bottom=True), 2.0),
        (side_profile(((0, 0), (2, 0), (2, 1), (0, 1)), 0.5), 2.0),
    ],
    ids=["box", "prism", "column", "profile"],
)
def test_solids_face_outwards(solid: tuple[np.ndarray, np.ndarray], volume: float) -> None:
    vertices, triangles = solid
    assert solid_volume(vertices - vertices.mean(axis=0), triangles) == pytest.approx(volume)


def test_bands_face_up_and_walls_to_their_right() -> None:
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    out = MeshBuilder()
    out.add(*strip(line, line + np.array([0, 1, 0])), (1, 1, 1), Tag.ROAD, 0)
    out.add(*wall(line, 1.0), (1, 1, 1), Tag.WALL, 0)
    mesh = out.build()
    np.testing.assert_allclose(mesh.normal[mesh.tag == Tag.ROAD], [[0, 0, 1]] * 4)
    np.testing.assert_allclose(mesh.normal[mesh.tag == Tag.WALL], [[0, 1, 0]] * 4)


@pytest.mark.parametrize("index", [i for i, k in enumerate(KIND) if k == Kind.VEHICLE], ids=lambda i: BLUEPRINTS[i].id)
def test_vehicle_bodies_face_outwards_and_fill_their_box(index: int) -> None:
    models = load_models()
    vertex = models.vertex[models.first_vertex[index] : models.first_vertex[index + 1]].astype(float)
    triangle = models.triangle[models.first_triangle[index] : models.first_triangle[index + 1]]
    blueprint = BLUEPRINTS[index]
    low, high = vertex.min(axis=0), vertex.max(axis=0)
    size = (high - low) / (2.0 * np.array([blueprint.half_length, blueprint.half_width, blueprint.half_height]))
    assert (size > 0.93).all()
    assert (size < 1.08).all()
    assert solid_volume(vertex, triangle) > 0.25 * np.prod(high - low)
    # seen from outside the nearest face is a front: cast rays from around towards the middle
    rays = np.random.default_rng(index)
    for _ in range(40):
        angle, rise = rays.uniform(0, 2 * math.pi), rays.uniform(0.1, 0.9)
        eye = np.array([12 * math.cos(angle), 12 * math.sin(angle), 12 * rise])
        target = rays.uniform(low + 0.2 * (high - low), high - 0.2 * (high - low))
        hit = first_hit(vertex, triangle, eye, target - eye)
        assert hit is None or hit > 0


def first_hit(vertex: np.ndarray, triangle: np.ndarray, eye: np.ndarray, ray: np.ndarray) -> float | None:
    """Positive when the nearest triangle on the ray shows its front; None when there is none."""
    a, b, c = (vertex[triangle[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    facing = normal @ ray
    with np.errstate(divide="ignore", invalid="ignore"):
        t = ((a - eye) * normal).sum(axis=1) / facing
        spot = eye + t[:, None] * ray
        inside = np.ones(len(t), bool)
        for p, q in ((a, b), (b, c), (c, a)):
            inside &= (np.cross(q - p, spot - p) * normal).sum(axis=1) >= 0.0
    t = np.where(inside & (t > 0) & np.isfinite(t), t, np.inf)
    return None if np.isinf(t.min()) else -float(facing[int(np.argmin(t))])


def test_every_blueprint_has_a_model_inside_its_sphere() -> None:
    models = load_models()
    assert len(models.radius) == len(BLUEPRINTS)
    for index in range(len(BLUEPRINTS)):
        vertex = models.vertex[models.first_vertex[index] : models.first_vertex[index + 1]]
        assert len(vertex) > 20
        assert np.linalg.norm(vertex, axis=1).max() <= models.radius[index] + 1e-5
        assert models.first_triangle[index] < models.coarse_end[index] <= models.first_triangle[index + 1]


@pytest.mark.parametrize("holes", [0, 1, 3])
def test_polygons_with_holes_are_cut_without_loss(holes: int) -> None:
    outline = ring(0.0, 0.0, 10.0, 23)
    inner = [ring(-5.0 + 4.5 * k, 0.5 * k, 1.5, 7 + k) for k in range(holes)]
    points, triangles = triangulate(outline, inner)
    corner = points[triangles]
    pieces = [area(t) for t in corner]
    assert min(pieces) > 0.0
    assert sum(pieces) == pytest.approx(area(outline) - sum(area(h) for h in inner), rel=1e-9)


# ---- towns -----------------------------------------------------------------------------------------------------------


def over_lanes(mesh, chosen: np.ndarray, points: np.ndarray, gap: float) -> int:
    """How many of the lane points have one of the chosen triangles `gap` metres to CLEARANCE above them."""
    corner = mesh.vertex[mesh.triangle[chosen]].astype(np.float64)
    low, high = corner.min(axis=1), corner.max(axis=1)
    # lane points counted in squares of 2 m, summed up, tell at once which triangles have none below
    cell, origin = 2.0, points[:, :2].min(axis=0) - 4.0
    cells = np.floor((points[:, :2] - origin) / cell).astype(int)
    counts = np.zeros(cells.max(axis=0) + 3, int)
    np.add.at(counts, (cells[:, 0] + 1, cells[:, 1] + 1), 1)
    total = counts.cumsum(axis=0).cumsum(axis=1)
    last = np.array(total.shape) - 1
    i0, j0 = np.clip(np.floor((low[:, :2] - origin) / cell).astype(int), 0, last).T
    i1, j1 = np.clip(np.floor((high[:, :2] - origin) / cell).astype(int) + 1, 0, last).T
    near = np.flatnonzero(total[i1, j1] - total[i0, j1] - total[i1, j0] + total[i0, j0])
    order = np.lexsort((cells[:, 1], cells[:, 0]))
    key = cells[order, 0] * 100000 + cells[order, 1]
    covered = set()
    for t in near:
        k = []
        for i in range(i0[t], i1[t]):
            a, b = np.searchsorted(key, (i * 100000 + j0[t], i * 100000 + j1[t]))
            k.append(order[a:b])
        p = points[np.concatenate(k)]
        p = p[(p[:, 2] + gap < high[t, 2]) & (p[:, 2] + CLEARANCE > low[t, 2])]
        if not len(p):
            continue
        x, y = corner[t, :, 0], corner[t, :, 1]
        sign = [
            (x[(e + 1) % 3] - x[e]) * (p[:, 1] - y[e]) - (y[(e + 1) % 3] - y[e]) * (p[:, 0] - x[e]) for e in range(3)
        ]
        p = p[(np.min(sign, axis=0) > 1e-9) | (np.max(sign, axis=0) < -1e-9)]
        normal = mesh.normal[chosen[t]].astype(np.float64)
        above = corner[t, 0, 2] - ((p[:, :2] - corner[t, 0, :2]) @ normal[:2]) / normal[2] if normal[2] else high[t, 2]
        p = p[(p[:, 2] + gap < above) & (p[:, 2] + CLEARANCE > above)]
        covered.update(map(tuple, np.round(p, 2)))
    return len(covered)


def test_dressing_covers_no_lane(network: RoadNetwork) -> None:
    mesh = load_scenery(network).mesh
    sections, _ = read_sections(network)
    points = np.concatenate([lane_cells(s, i, 1.0) for s in sections for i, t in enumerate(s.type) if t in ROAD_TYPES])
    dressing = np.flatnonzero(~np.isin(mesh.tag, GROUND_TAGS))
    assert len(dressing) > 1000
    assert over_lanes(mesh, dressing, points, 0.25) == 0


def test_terrain_and_sidewalks_leave_the_driving_lanes_free(network: RoadNetwork) -> None:
    arrays, mesh = network.arrays, load_scenery(network).mesh
    driving = arrays.lane_type[arrays.point_lane] == 1
    points = np.stack([arrays.point_x, arrays.point_y, arrays.point_z], axis=1)[driving][::2]
    ground = np.flatnonzero(np.isin(mesh.tag, (Tag.TERRAIN, Tag.SIDEWALK, Tag.GROUND)) & (mesh.normal[:, 2] > 0.5))
    assert over_lanes(mesh, ground, points, 0.02) <= 0.002 * len(points)


def blocked(scenery: TownScenery, eye: np.ndarray, spot: np.ndarray) -> bool:
    """Whether anything stands in the straight line, but for the last half metre."""
    rtcore = pytest.importorskip("embreex.rtcore_scene")
    from embreex.mesh_construction import TriangleMesh

    if not hasattr(blocked, "scenes"):
        blocked.scenes = {}
    key = id(scenery)
    if key not in blocked.scenes:
        embree = rtcore.EmbreeScene()
        TriangleMesh(embree, scenery.mesh.vertex, scenery.mesh.triangle)
        blocked.scenes[key] = embree
    ray = (spot - eye).astype(np.float32)
    hit = blocked.scenes[key].run(eye[None].astype(np.float32), ray[None], query="INTERSECT", output=True)
    length = float(np.linalg.norm(ray))
    return bool(hit["primID"][0] >= 0) and float(hit["tfar"][0]) * length < length - 0.5


def test_lights_are_seen_from_their_stop_lines(network: RoadNetwork) -> None:
    """From a windscreen behind the line at least one head of the light is ahead, in sight, and turned this way."""
    net, scenery = network.arrays, load_scenery(network)
    unseen, stops = [], 0
    for light in range(len(net.light_x)):
        heads = scenery.signal_heads[scenery.signal_heads[:, 0] == light]
        for s in range(int(net.light_stop_first[light]), int(net.light_stop_first[light + 1])):
            stops += 1
            yaw = float(net.light_stop_yaw[s])
            z = float(
                net.point_z[np.argmin(np.hypot(net.point_x - net.light_stop_x[s], net.point_y - net.light_stop_y[s]))]
            )
            x, y = float(net.light_stop_x[s]) - 4.0 * math.cos(yaw), float(net.light_stop_y[s]) - 4.0 * math.sin(yaw)
            eye = np.array([x, y, z + 1.4])
            for _, hx, hy, hz, facing in heads:
                bearing = math.atan2(hy - y, hx - x) - yaw
                ahead = abs(math.remainder(bearing, 2 * math.pi)) < math.radians(40.0)
                turned = math.cos(facing - yaw) < -0.7
                if ahead and turned and not blocked(scenery, eye, np.array([hx, hy, hz])):
                    break
            else:
                unseen.append((light, s))
    assert len(unseen) <= 0.05 * stops, unseen


def test_signs_are_seen_from_the_road(network: RoadNetwork) -> None:
    scenery = load_scenery(network)
    hidden = 0
    for x, y, z, yaw in scenery.sign_faces:
        eye = np.array([x + 14.0 * math.cos(yaw), y + 14.0 * math.sin(yaw), z - 0.9])
        hidden += blocked(scenery, eye, np.array([x, y, z]))
    assert hidden <= 0.05 * len(scenery.sign_faces)


def test_chunks_hold_their_triangles(network: RoadNetwork) -> None:
    mesh = load_scenery(network).mesh
    chunks = len(mesh.chunk_low)
    assert mesh.chunk_triangle[0] == 0
    assert mesh.chunk_triangle[-1] == len(mesh.triangle)
    for c in range(chunks):
        triangles = mesh.triangle[mesh.chunk_triangle[3 * c] : mesh.chunk_triangle[3 * c + 3]]
        vertices = mesh.vertex[triangles]
        assert (vertices >= mesh.chunk_low[c] - 1e-4).all()
        assert (vertices <= mesh.chunk_high[c] + 1e-4).all()
        assert triangles.min() >= mesh.chunk_vertex[3 * c]
        assert triangles.max() < mesh.chunk_vertex[3 * c + 3]
    np.testing.assert_allclose(np.linalg.norm(mesh.normal, axis=1), 1.0, atol=1e-4)


# ---- cache -----------------------------------------------------------------------------------------------------------


def test_scenery_is_the_same_from_the_cache_and_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTEGYM_CACHE", str(tmp_path))
    points = np.array([(2.0 * k, 0.0, 0.0) for k in range(60)])
    network = load_town(build_corridor("Street", points, "ParkedObstacle", {}), "Street")
    first = load_scenery(network)
    files = list((tmp_path / "scenery").glob("*.npz"))
    assert len(files) == 1
    again = load_scenery(network)
    files[0].write_bytes(files[0].read_bytes()[:1000])  # a damaged entry is made again
    mended = load_scenery(network)
    assert len(first.mesh.triangle) > 100
    for name in first.mesh._fields:
        np.testing.assert_array_equal(getattr(first.mesh, name), getattr(again.mesh, name))
        np.testing.assert_array_equal(getattr(first.mesh, name), getattr(mended.mesh, name))
