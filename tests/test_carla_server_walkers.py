"""Walkers over the wire: controls, the client's own AI on our navigation mesh, bones, death; and what is refused."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import carla
import numpy as np
import pytest

from simulator.carla_server.navigation_mesh import load_navigation
from simulator.carla_server.walkable import TILE, Area, walkable_tiles
from simulator.roads import load_named_town
from simulator.roads.network import LaneType
from simulator.scenery.town import load_scenery
from tests.carla_servers import running, synchronous

STEP = 0.05  # s


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running() as server:
        client = server.client(60.0)
        client.set_files_base_folder(f"{tmp_path_factory.mktemp('files')}/")
        yield client


@pytest.fixture(scope="module")
def world(client: Any) -> Any:
    world = client.get_world()
    synchronous(world)
    world.set_pedestrians_seed(7)
    return world


def walker_at(world: Any, location: Any, number: int = 20, **attributes: str) -> Any:
    blueprint = world.get_blueprint_library().find(f"walker.pedestrian.{number:04d}")
    for name, value in attributes.items():
        blueprint.set_attribute(name, value)
    walker = world.spawn_actor(blueprint, carla.Transform(location + carla.Location(z=1.2)))
    for _ in range(20):
        world.tick()
    return walker


def straight_sidewalk(world: Any) -> Any:
    """A waypoint of a level sidewalk with 30 m more of it ahead."""
    town = world.get_map()
    for point in town.get_spawn_points():
        beside = town.get_waypoint(point.location, lane_type=carla.LaneType.Sidewalk)
        ahead = beside.next(30.0) if beside is not None else []
        if ahead and abs(ahead[0].transform.rotation.yaw - beside.transform.rotation.yaw) < 1.0:
            return beside
    raise AssertionError("the town has no straight sidewalk")


def sidewalk_height(world: Any, location: Any) -> float:
    lanes = carla.LaneType.Sidewalk | carla.LaneType.Driving | carla.LaneType.Biking | carla.LaneType.Shoulder
    return world.get_map().get_waypoint(location, lane_type=lanes).transform.location.z


def test_a_walker_goes_where_and_as_fast_as_it_is_told(world: Any):
    start = straight_sidewalk(world)
    walker = walker_at(world, start.transform.location)
    before, forward = walker.get_location(), start.transform.get_forward_vector()
    walker.apply_control(carla.WalkerControl(direction=forward, speed=1.5))
    for _ in range(60):
        world.tick()
    way = walker.get_location() - before
    assert way.dot(forward) == pytest.approx(1.5 * 60 * STEP, abs=0.1)
    assert walker.get_velocity().length() == pytest.approx(1.5, abs=0.05)
    assert abs(walker.get_transform().rotation.yaw - start.transform.rotation.yaw) % 360.0 < 1.0
    assert walker.get_control().speed == pytest.approx(1.5)
    ground = sidewalk_height(world, walker.get_location())
    assert walker.get_location().z == pytest.approx(ground + walker.bounding_box.extent.z, abs=0.15)
    walker.apply_control(carla.WalkerControl())
    world.tick()
    assert walker.get_velocity().length() == 0.0
    walker.destroy()


# The navigation mesh


@pytest.fixture(scope="module")
def mesh() -> tuple[Any, np.ndarray, list[Any]]:
    network = load_named_town("MiniTown", maps_dir=None)
    return network, *walkable_tiles(load_scenery(network).mesh, network.arrays)


def test_polygons_are_convex_and_small_enough_for_detour(mesh: tuple[Any, np.ndarray, list[Any]]):
    _, _, tiles = mesh
    for tile in tiles:
        for polygon in tile.polygons:
            corner = tile.vertex[polygon, :2]
            edge = np.roll(corner, -1, axis=0) - corner
            after = np.roll(edge, -1, axis=0)
            assert 3 <= len(polygon) <= 6
            assert (edge[:, 0] * after[:, 1] - edge[:, 1] * after[:, 0] >= -1e-9).all()


def test_neighbours_share_whole_edges(mesh: tuple[Any, np.ndarray, list[Any]]):
    _, origin, tiles = mesh
    inner = loose = 0
    for tile in tiles:
        edges = {(a, b) for p in tile.polygons for a, b in zip(p, [*p[1:], p[0]])}
        assert len(edges) == sum(len(p) for p in tile.polygons), "two polygons on one side of an edge"
        inner += sum((b, a) in edges for a, b in edges)
        loose += sum((b, a) not in edges for a, b in edges)
        low = origin + TILE * np.array([tile.column, tile.row])
        assert (np.abs(tile.vertex[:, :2] - low - TILE / 2) <= TILE / 2 + 1e-6).all()
    assert inner > loose > 0


def test_sidewalks_and_crosswalks_are_covered_by_their_own_kind(mesh: tuple[Any, np.ndarray, list[Any]]):
    network, origin, tiles = mesh
    net = network.arrays
    by_place = {(t.column, t.row): t for t in tiles}
    walk = np.flatnonzero((net.lane_type[net.point_lane] == LaneType.SIDEWALK) & (net.point_width > 1.5))[::20]
    spots = [(net.point_x[k], net.point_y[k], Area.SIDEWALK) for k in walk if net.lane_junction[net.point_lane[k]] < 0]
    first = net.crosswalk_first
    spots += [
        (net.crosswalk_x[a:b].mean(), net.crosswalk_y[a:b].mean(), Area.CROSSWALK) for a, b in pairwise(first.tolist())
    ]  # fmt: skip
    hits = [area_at(by_place, origin, x, y) == area for x, y, area in spots]
    assert len(spots) > 200
    assert np.mean(hits) > 0.98


def area_at(tiles: dict[tuple[int, int], Any], origin: np.ndarray, x: float, y: float) -> int:
    tile = tiles.get((math.floor((x - origin[0]) / TILE), math.floor((y - origin[1]) / TILE)))
    for polygon, area in zip(tile.polygons, tile.area) if tile is not None else ():
        corner = tile.vertex[polygon, :2]
        edge = np.roll(corner, -1, axis=0) - corner
        if (edge[:, 0] * (y - corner[:, 1]) - edge[:, 1] * (x - corner[:, 0]) >= 0.0).all():
            return area
    return Area.NONE


def test_the_file_is_a_set_of_detour_tiles(mesh: tuple[Any, np.ndarray, list[Any]]):
    network, _, tiles = mesh
    content = load_navigation(network)
    magic, version, count = struct.unpack_from("<4sii", content)
    assert (magic, version, count) == (b"TESM", 1, len(tiles))
    at = 40
    for tile in tiles:
        _, size = struct.unpack_from("<Ii", content, at)
        kind, revision, column, row = struct.unpack_from("<4siii", content, at + 8)
        assert (kind, revision, column, row) == (b"VAND", 7, tile.column, tile.row)
        at += 8 + size
    assert at == len(content)


# The client's walker AI


def test_random_locations_are_on_sidewalks(world: Any):
    places = [world.get_random_location_from_navigation() for _ in range(100)]
    town = world.get_map()
    near = [town.get_waypoint(p, lane_type=carla.LaneType.Sidewalk).transform.location for p in places]
    off = [math.hypot(p.x - q.x, p.y - q.y) for p, q in zip(places, near)]
    heights = [abs(p.z - sidewalk_height(world, p)) for p in places]
    assert np.quantile(off, 0.8) < 1.5
    assert max(off) < 20.0  # corners of junctions have no sidewalk lane
    assert np.median(heights) < 0.25


def test_the_clients_ai_walks_to_its_goal_and_stays_off_the_road(client: Any, world: Any):
    world.set_pedestrians_cross_factor(0.0)
    start = straight_sidewalk(world)
    walker = walker_at(world, start.transform.location)
    goal = start.next(25.0)[0].transform.location
    controller = world.spawn_actor(
        world.get_blueprint_library().find("controller.ai.walker"), carla.Transform(), walker
    )  # fmt: skip
    world.tick()
    controller.start()
    controller.set_max_speed(1.4)
    controller.go_to_location(goal)
    kinds, speeds, distance = set(), [], math.inf
    for k in range(500):
        world.tick()
        place = walker.get_location()
        distance = min(distance, math.hypot(place.x - goal.x, place.y - goal.y))
        if distance < 1.5:
            break
        if k % 20 == 0:
            kinds.add(world.get_map().get_waypoint(place, lane_type=carla.LaneType.Any).lane_type)
            speeds.append(walker.get_velocity().length())
    assert distance < 1.5
    assert np.median(speeds) == pytest.approx(1.4, abs=0.1)
    assert carla.LaneType.Driving not in kinds
    ground = sidewalk_height(world, walker.get_location())
    assert walker.get_location().z == pytest.approx(ground + walker.bounding_box.extent.z, abs=0.2)
    controller.stop()
    world.tick()
    world.tick()
    rest = walker.get_location()
    for _ in range(20):
        world.tick()
    assert walker.get_location().distance(rest) < 1e-3
    controller.destroy()
    walker.destroy()


def test_a_crowd_walks(world: Any):
    world.set_pedestrians_cross_factor(0.5)
    library = world.get_blueprint_library()
    crowd = []
    for number in range(1, 13):
        place = world.get_random_location_from_navigation()
        walker = world.try_spawn_actor(
            library.find(f"walker.pedestrian.{number:04d}"), carla.Transform(place + carla.Location(z=1.0))
        )  # fmt: skip
        if walker is not None:
            crowd.append((walker, world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), walker)))
    world.tick()
    before = [walker.get_location() for walker, _ in crowd]
    for _, controller in crowd:
        controller.start()
        controller.go_to_location(world.get_random_location_from_navigation())
    for _ in range(100):
        world.tick()
    walked = [walker.get_location().distance(b) for (walker, _), b in zip(crowd, before)]
    assert len(crowd) >= 10
    assert np.median(walked) > 3.0
    for walker, controller in crowd:
        controller.stop()
        controller.destroy()
        walker.destroy()


# Death


@pytest.mark.parametrize(("invincible", "survives"), [("true", True), ("false", False)])
def test_who_is_not_invincible_dies_under_a_car(world: Any, invincible: str, survives: bool):
    point = world.get_map().get_spawn_points()[20]
    forward = point.get_forward_vector()
    walker = walker_at(world, point.location, is_invincible=invincible)
    behind = carla.Transform(point.location - 8.0 * forward, point.rotation)
    car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), behind)
    world.tick()
    car.set_target_velocity(9.0 * forward)
    for _ in range(30):
        world.tick()
    car.destroy()
    walker.apply_control(carla.WalkerControl(direction=forward, speed=1.0))
    for _ in range(4):
        world.tick()
    assert (walker.get_velocity().length() > 0.5) == survives
    for _ in range(200):
        world.tick()
    assert (walker.id in {actor.id for actor in world.get_actors()}) == survives
    if survives:
        walker.destroy()


# Bones


def test_bones_stand_like_a_person_and_swing_as_it_walks(world: Any):
    start = straight_sidewalk(world)
    walker = walker_at(world, start.transform.location)
    forward = start.transform.get_forward_vector()
    walker.apply_control(carla.WalkerControl(direction=forward, speed=1.4))
    world.tick()
    reaches = []
    for _ in range(12):
        world.tick()
        bones = {b.name: b for b in walker.get_bones().bone_transforms}
        feet = [bones[f"crl_foot__{side}"].component.location.x for side in "LR"]
        hands = [bones[f"crl_hand__{side}"].component.location.x for side in "LR"]
        assert feet[0] == pytest.approx(-feet[1], abs=1e-4)
        assert feet[0] * hands[0] <= 0.0
        reaches.append(abs(feet[0]))
    assert max(reaches) > 0.15
    head, root = bones["crl_Head__C"].world.location, bones["crl_root"].world.location
    assert head.z - root.z == pytest.approx(1.64, abs=0.05)
    assert root.z == pytest.approx(walker.get_location().z - walker.bounding_box.extent.z, abs=1e-3)
    left, right = (bones[f"crl_hand__{side}"].world.location for side in "LR")
    assert (right - left).dot(start.transform.get_right_vector()) > 0.3
    walker.destroy()


def test_a_pose_is_blended_with_the_walk(world: Any):
    walker = walker_at(world, straight_sidewalk(world).transform.location)
    pose = carla.WalkerBoneControlIn()
    pose.bone_transforms = [("crl_arm__R", carla.Transform(carla.Location(y=0.2), carla.Rotation(pitch=90.0)))]
    walker.set_bones(pose)
    for share in (0.0, 0.5, 1.0):
        walker.blend_pose(share)
        bones = {b.name: b for b in walker.get_bones().bone_transforms}
        assert bones["crl_arm__R"].relative.rotation.pitch == pytest.approx(90.0 * share, abs=0.1)
    hand, shoulder = bones["crl_hand__R"].component.location, bones["crl_shoulder__R"].component.location
    assert hand.x - shoulder.x == pytest.approx(0.30 * 2 * walker.bounding_box.extent.z, abs=0.01)
    walker.destroy()


# What is refused


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.start_recorder("drive.log"),
        lambda client: client.show_recorder_file_info("drive.log", False),
        lambda client: client.show_recorder_collisions("drive.log", "a", "a"),
        lambda client: client.show_recorder_actors_blocked("drive.log", 1.0, 1.0),
        lambda client: client.replay_file("drive.log", 0.0, 1.0, 0),
    ],
)
def test_the_recorder_says_that_there_is_none(client: Any, call: Any):
    with pytest.raises(RuntimeError, match="recorder files"):
        call(client)
