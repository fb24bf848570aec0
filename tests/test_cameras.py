"""Cameras: geometry, encodings, agreement with an independent ray caster, determinism, errors."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from camera_world import busy_world, empty_world, lane_place, put, scene, town

from scenarios.weather import WEATHER_FIELDS, Weather, is_night
from simulator.errors import SensorError
from simulator.scenery.surfaces import KERB_HEIGHT
from simulator.scenery.tags import Tag
from simulator.sensors.camera import OUTPUTS, Camera
from simulator.sensors.camera_encode import decode_depth
from simulator.sensors.camera_geometry import Pose, focal_length, mounted, pose_matrix, project, rotation
from simulator.sensors.raster import WORK
from simulator.sensors.scene import Scene, View
from simulator.sensors.scene_weather import Field, is_dark
from simulator.state import MAX_ACTORS

ROOT = Path(__file__).resolve().parent.parent
BLUE, GREEN, RED, ALPHA = range(4)


# ---- geometry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angles", [(0, 0, 0), (10, -20, 130), (-35, 60, -80), (90, 0, 45)])
def test_axes_of_a_pose_are_those_of_carla(angles: tuple[float, float, float]) -> None:
    carla = pytest.importorskip("carla")
    roll, pitch, yaw = angles
    matrix = np.array(carla.Transform(carla.Location(), carla.Rotation(pitch=pitch, yaw=yaw, roll=roll)).get_matrix())
    np.testing.assert_allclose(rotation(roll, pitch, yaw), matrix[:3, :3], atol=1e-6)


def test_a_point_ahead_right_and_up_falls_where_the_pinhole_model_says() -> None:
    axes, position = pose_matrix(Pose(10.0, 5.0, 2.0, yaw=90.0))  # looks along +y; its right is -x
    pixel = project(np.array([[9.0, 15.0, 3.0]]), axes, position, 800, 600, 90.0)[0]
    assert focal_length(800, 90.0) == pytest.approx(400.0)
    np.testing.assert_allclose(pixel, [400.0 + 400.0 * 0.1, 300.0 - 400.0 * 0.1, 10.0], atol=1e-9)


@pytest.mark.parametrize("fov", [40.0, 90.0, 120.0])
@pytest.mark.parametrize("size", [(96, 96), (160, 90), (641, 359)])
def test_a_prop_is_seen_in_the_pixels_that_it_projects_to(size: tuple[int, int], fov: float) -> None:
    world = empty_world()
    draws = np.random.default_rng(4)
    x, y, z, yaw = lane_place(town(), draws)
    put(world, "vehicle.lincoln.mkz_2020", x, y, z, yaw)
    ahead = np.array([x + 9.0 * math.cos(yaw) - 1.5 * math.sin(yaw), y + 9.0 * math.sin(yaw) + 1.5 * math.cos(yaw), z])
    slot = put(world, "static.prop.vendingmachine", *ahead)
    camera = Camera(scene(), *size, fov, Pose(x=2.5, z=1.0, pitch=-3.0))
    image = camera.render(world, ["instance_segmentation"])["instance_segmentation"]
    mine = (image[..., GREEN].astype(int) + 256 * image[..., BLUE].astype(int)) == world["actor_id"][slot]
    axes, position = mounted(world, 0, camera.mount)
    corners = [ahead + np.array([dx, dy, dz]) for dx in (-0.6, 0.6) for dy in (-0.45, 0.45) for dz in (0.0, 2.1)]
    columns, rows, _ = project(np.array(corners), axes, position, *size, fov).T
    seen_rows, seen_columns = np.nonzero(mine)
    assert mine.any()
    assert abs(seen_columns.mean() + 0.5 - columns.mean()) < 1.0 + 0.02 * size[0]
    assert columns.min() - 1.0 <= seen_columns.min() + 0.5 <= seen_columns.max() + 0.5 <= columns.max() + 1.0
    assert rows.min() - 3.0 <= seen_rows.min() + 0.5 <= seen_rows.max() + 0.5 <= rows.max() + 3.0


# ---- encodings -------------------------------------------------------------------------------------------------------


def test_depth_is_metres_along_the_view_axis_in_24_bits() -> None:
    world = busy_world(town(), 1)
    camera = Camera(scene(), 200, 120, 90.0, Pose(x=0.8, z=1.6))
    image = camera.render(world, ["depth"])["depth"]
    view = scene().look_from_actor(world, 0, camera.mount, 200, 120, 90.0)
    metres = decode_depth(image)
    seen = (view.triangle >= 0) & (view.depth() < 1000.0)
    np.testing.assert_allclose(metres[seen], view.depth()[seen], rtol=1e-5, atol=1e-4)
    assert (image[~seen][:, :3] == 255).all()
    assert (metres[~seen] == 1000.0).all()
    # the carla client's own rule
    b, g, r = (image[0, 0, k].astype(float) for k in (BLUE, GREEN, RED))
    assert metres[0, 0] == pytest.approx(1000.0 * (r + g * 256 + b * 65536) / (256**3 - 1))


def test_classes_and_instances_share_the_red_channel() -> None:
    world = busy_world(town(), 2)
    images = Camera(scene(), 320, 180, 100.0, Pose(x=-4.0, z=3.0)).render(world, OUTPUTS)
    semantic, instance = images["semantic_segmentation"], images["instance_segmentation"]
    assert all(image.shape == (180, 320, 4) and image.dtype == np.uint8 for image in images.values())
    assert all((image[..., ALPHA] == 255).all() for image in images.values())
    np.testing.assert_array_equal(semantic[..., RED], instance[..., RED])
    assert not semantic[..., [BLUE, GREEN]].any()
    assert {int(Tag.SKY), int(Tag.ROAD), int(Tag.CAR)} <= set(np.unique(semantic[..., RED]).tolist())
    number = instance[..., GREEN].astype(int) + 256 * instance[..., BLUE].astype(int)
    ego = number == int(world["actor_id"][0])
    assert ego.any()
    assert (semantic[..., RED][ego] == Tag.CAR).all()


@pytest.mark.parametrize(
    ("blueprint", "classes"),
    [
        ("vehicle.lincoln.mkz_2020", {Tag.CAR}),
        ("vehicle.carlamotors.firetruck", {Tag.TRUCK}),
        ("vehicle.mitsubishi.fusorosa", {Tag.BUS}),
        ("vehicle.bh.crossbike", {Tag.BICYCLE, Tag.RIDER}),
        ("vehicle.yamaha.yzf", {Tag.MOTORCYCLE, Tag.RIDER}),
        ("walker.pedestrian.0007", {Tag.PEDESTRIAN}),
        ("static.prop.trafficcone01", {Tag.DYNAMIC}),
    ],
)
def test_every_kind_of_actor_has_its_class(blueprint: str, classes: set[Tag]) -> None:
    world = empty_world()
    x, y, z, yaw = lane_place(town(), np.random.default_rng(9))
    slot = put(world, blueprint, x, y, z, yaw, actor_id=4321)
    camera = Camera(scene(), 160, 120, 90.0, Pose(x=-7.0, y=-2.0, z=3.0, pitch=-15.0, yaw=15.0), slot=slot)
    image = camera.render(world, ["instance_segmentation"])["instance_segmentation"]
    mine = (image[..., GREEN].astype(int) + 256 * image[..., BLUE].astype(int)) == 4321
    assert set(np.unique(image[..., RED][mine]).tolist()) == {int(c) for c in classes}


def test_brake_lights_and_blinkers_are_seen() -> None:
    def red_light(bits: int, tick: int) -> np.ndarray:
        world = empty_world()
        x, y, z, yaw = lane_place(town(), np.random.default_rng(9))
        slot = put(world, "vehicle.dodge.charger_2020", x, y, z, yaw, lights=bits)
        world["tick"] = tick
        camera = Camera(scene(), 240, 160, 60.0, Pose(x=-6.0, z=1.2), slot=slot)
        image = camera.render(world)["rgb"].astype(int)
        return (image[..., RED] > 200) & (image[..., BLUE] < 70)

    dark, braking, blinking = red_light(0, 0), red_light(8, 0), red_light(16, 0)
    assert braking.sum() > dark.sum() + 20
    assert blinking.sum() > dark.sum()
    assert np.nonzero(blinking)[1].min() > 120  # the right one
    assert red_light(16, 8).sum() == dark.sum()  # between two blinks


def test_traffic_lights_show_their_state() -> None:
    network = town()
    world = empty_world()
    heads = scene().town.signal_heads
    light, x, y, z, yaw = heads[0]
    pose = Pose(x + 1.6 * math.cos(yaw), y + 1.6 * math.sin(yaw), z, yaw=math.degrees(yaw) + 180.0)
    camera = Camera(scene(), 120, 120, 40.0, pose, slot=-1)
    colours = []
    for state in range(3):
        world["light_state"][int(light)] = state
        image = camera.render(world)["rgb"].astype(int)
        bright = image[(image[..., :3].max(axis=2) > 200) & (np.ptp(image[..., :3], axis=2) > 120)]
        colours.append(bright.mean(axis=0))
    red, yellow, green = colours
    assert red[RED] > 2 * red[GREEN]
    assert yellow[RED] > 200
    assert yellow[GREEN] > 0.45 * yellow[RED]
    assert green[GREEN] > 2 * green[RED]
    assert len(network.light_ids) >= len(set(heads[:, 0]))


# ---- agreement with embree -------------------------------------------------------------------------------------------


def ray_caster(where: Scene) -> Callable:
    """A function from a view to class and depth of every pixel by Embree; sky where nothing is hit."""
    rtcore = pytest.importorskip("embreex.rtcore_scene")
    from embreex.mesh_construction import TriangleMesh

    mesh = where.town.mesh
    kept = np.ones(where.num_triangles, bool)
    for first, end in zip(mesh.chunk_triangle[2::3], mesh.chunk_triangle[3::3]):
        kept[first:end] = False  # what stands for trees from afar
    triangles = np.flatnonzero(kept)
    embree = rtcore.EmbreeScene()
    TriangleMesh(embree, where.vertex, where.triangle[triangles])

    def cast(view: View) -> tuple[np.ndarray, np.ndarray]:
        height, width = view.triangle.shape
        column = (np.arange(width) + 0.5 - width / 2) / view.focal
        row = (np.arange(height) + 0.5 - height / 2) / view.focal
        column, row = np.meshgrid(column, row)
        rays = view.axes[:, 0] + column[..., None] * view.axes[:, 1] - row[..., None] * view.axes[:, 2]
        origins = np.broadcast_to(view.position, (width * height, 3)).astype(np.float32)
        hit = embree.run(origins.copy(), rays.reshape(-1, 3).astype(np.float32), query="INTERSECT", output=True)
        found = hit["primID"].reshape(height, width)
        tags = np.where(found >= 0, where.tag[triangles[np.maximum(found, 0)]], int(Tag.SKY))
        return tags, np.where(found >= 0, hit["tfar"].reshape(height, width), np.inf)

    return cast


def agreement(where: Scene, name: str, maps: Path | None, seed: int) -> tuple[float, float]:
    network = town(name, maps)
    draws = np.random.default_rng(seed)
    world = busy_world(network, seed)
    where.place(world)
    cast = ray_caster(where)
    same_class, same_depth, pixels = 0, 0, 0
    for _ in range(6):
        x, y, z, yaw = lane_place(network, draws)
        while np.hypot(world["x"] - x, world["y"] - y)[: world["num_slots"]].min() < 6.0:  # not inside a vehicle
            x, y, z, _ = lane_place(network, draws)
        pose = Pose(
            x, y, z + draws.uniform(1.2, 5.0), draws.uniform(-5, 5), draws.uniform(-25, 10), draws.uniform(0, 360)
        )
        axes, position = pose_matrix(pose)
        fov = float(draws.uniform(50, 110))
        view = where.look(axes, position, 320, 180, fov, far=1e6, detail=1e9)
        tags, depth = cast(view)
        mine = np.where(view.triangle >= 0, where.tag[view.triangle], int(Tag.SKY))
        same_class += int((mine == tags).sum())
        with np.errstate(invalid="ignore"):
            near = np.abs(view.depth() - depth) <= 0.01 * depth + 0.02
        same_depth += int((near | (np.isinf(depth) & (view.triangle < 0))).sum())
        pixels += tags.size
    return same_class / pixels, same_depth / pixels


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_and_depths_agree_with_a_ray_caster(seed: int) -> None:
    same_class, same_depth = agreement(scene(), "MiniTown", None, seed)
    assert same_class >= 0.999
    assert same_depth >= 0.999


@pytest.mark.official_data
def test_classes_and_depths_agree_with_a_ray_caster_in_a_stock_town(official_data: Path) -> None:
    maps = official_data / "towns"
    same_class, same_depth = agreement(scene("Town10HD", maps), "Town10HD", maps, 3)
    assert same_class >= 0.999
    assert same_depth >= 0.999


def test_the_ray_to_a_seen_triangle_has_the_range_of_its_depth() -> None:
    where = scene()
    world = busy_world(town(), 5)
    where.place(world)
    view = where.look_from_actor(world, 0, Pose(x=3.0, z=1.8), 200, 100, 90.0)
    f = view.focal
    column, row = np.meshgrid((np.arange(200) + 0.5 - 100) / f, (np.arange(100) + 0.5 - 50) / f)
    rays = view.axes[:, 0] + column[..., None] * view.axes[:, 1] - row[..., None] * view.axes[:, 2]
    length = np.linalg.norm(rays, axis=-1)
    ranges = where.range_to(view.triangle, view.position, rays / length[..., None])
    seen = (view.triangle >= 0) & (view.depth() < 200.0)
    np.testing.assert_allclose(ranges[seen], (view.depth() * length)[seen], rtol=2e-3, atol=0.01)
    assert np.isnan(ranges[view.triangle < 0]).all()


# ---- what is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_what_is_skipped_as_hidden_changes_no_bit(seed: int) -> None:
    where, draws = scene(), np.random.default_rng(seed)
    where.place(busy_world(town(), seed))
    for _ in range(5):
        x, y, z, _ = lane_place(town(), draws)
        height, roll, pitch, yaw = draws.uniform((0.5, -9.0, -30.0, 0.0), (20.0, 9.0, 10.0, 360.0))
        pose = Pose(x, y, z + height, roll, pitch, yaw)
        axes, position = pose_matrix(pose)
        size = (320, 180) if seed % 2 else (97, 61)
        quick = [np.copy(a) for a in where.look(axes, position, *size, 90.0)[:2]]
        boxes_drawn = where.work[0, 1]
        thorough = where.look(axes, position, *size, 90.0, hide=False)
        np.testing.assert_array_equal(quick[0], thorough.triangle)
        np.testing.assert_array_equal(quick[1], thorough.inverse_depth)
        assert boxes_drawn < where.work[0, 1]


def test_actors_that_a_camera_does_not_see_are_not_built_and_still_cast_shadows() -> None:
    where, world = scene(), busy_world(town(), 6)
    camera = Camera(where, 200, 120, 90.0, Pose(x=-5.0, z=3.0))
    seen = camera.render(world, OUTPUTS)
    built = where.num_triangles
    axes, position = mounted(world, 0, camera.mount)
    where.place(world, viewer=position, focal=camera.focal)  # all of them
    assert built < where.num_triangles
    everything = camera.render(world, OUTPUTS, place=False)
    for name in OUTPUTS:
        np.testing.assert_array_equal(seen[name], everything[name])


def test_a_street_costs_a_small_part_of_the_town() -> None:
    where, world = scene(), busy_world(town(), 2)
    where.place(world)
    where.look_from_actor(world, 0, Pose(x=0.8, z=1.6), 160, 90, 90.0)
    work = dict(zip(WORK, where.work[0]))
    assert work["boxes drawn"] < 0.25 * work["boxes in view"]
    assert work["triangles"] < 0.06 * where.num_triangles


# ---- determinism -----------------------------------------------------------------------------------------------------

WEATHERS = [{5: 60.0}, {5: -90.0, 9: 80.0, 2: 60.0, 1: 60.0}, {5: 10.0, 0: 60.0, 6: 30.0}]


@pytest.mark.parametrize("weather", WEATHERS)
def test_two_threads_and_a_second_scene_give_the_same_bytes(weather: dict[int, float]) -> None:
    world = busy_world(town(), 6)
    for field, value in weather.items():
        world["weather"][field] = value
    pictures = []
    for other in (scene(), scene().twin(), Scene(town(), threads=2)):
        camera = Camera(other, 322, 181, 90.0, Pose(x=-5.0, z=3.0))
        camera.render(busy_world(town(), 7))  # what was seen before leaves no trace
        images = camera.render(world, OUTPUTS)
        pictures.append(b"".join(images[name].tobytes() for name in OUTPUTS))
    assert pictures[0] == pictures[1] == pictures[2]


def test_another_process_gives_the_same_bytes() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import hashlib\n"
        "from camera_world import busy_world, scene, town\n"
        "from simulator.sensors.camera import OUTPUTS, Camera\n"
        "images = Camera(scene(), 160, 90).render(busy_world(town(), 8), OUTPUTS)\n"
        "print(hashlib.sha256(b''.join(images[n].tobytes() for n in OUTPUTS)).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    images = Camera(scene(), 160, 90).render(busy_world(town(), 8), OUTPUTS)
    assert done.stdout.strip() == hashlib.sha256(b"".join(images[n].tobytes() for n in OUTPUTS)).hexdigest()


def test_a_camera_only_reads_the_record() -> None:
    world = busy_world(town(), 6)
    before = world.tobytes()
    Camera(scene(), 64, 64).render(world, OUTPUTS)
    assert world.tobytes() == before


def test_smoothing_leaves_the_other_outputs_alone() -> None:
    world = busy_world(town(), 6)
    plain = Camera(scene(), 120, 80).render(world, OUTPUTS)
    smooth = Camera(scene(), 120, 80, antialias=2).render(world, OUTPUTS)
    assert smooth["rgb"].shape == plain["rgb"].shape
    assert np.abs(smooth["rgb"].astype(int) - plain["rgb"]).mean() < 12.0
    for name in OUTPUTS[1:]:
        assert (smooth[name] != plain[name]).any(axis=2).mean() < 0.02  # details drawn for the finer picture


# ---- weather ---------------------------------------------------------------------------------------------------------


def brightness(weather: dict[int, float]) -> float:
    world = busy_world(town(), 3)
    world["weather"] = 0.0
    for field, value in weather.items():
        world["weather"][field] = value
    return float(Camera(scene(), 160, 90).render(world)["rgb"][..., :3].mean())


def test_night_is_darker_than_dusk_and_dusk_than_day() -> None:
    assert brightness({5: -90.0}) < 0.6 * brightness({5: 3.0}) < brightness({5: 60.0})


def test_fog_hides_what_is_far() -> None:
    def contrast(density: float) -> float:
        world = empty_world({5: 60.0, 6: density})
        x, y, z, yaw = lane_place(town(), np.random.default_rng(2))
        camera = Camera(scene(), 160, 90, 90.0, Pose(x, y, z + 2.0, yaw=math.degrees(yaw)), slot=-1)
        image = camera.render(world)["rgb"][..., :3].astype(float)
        depth = decode_depth(camera.render(world, ["depth"])["depth"])
        return float(image[(depth > 100.0) & (depth < 900.0)].std(axis=0).mean())

    assert contrast(100.0) < 0.35 * contrast(0.0)


def test_weather_is_read_in_carlas_order_and_dark_is_what_the_leaderboard_calls_night() -> None:
    order = [name.replace("_", "") for name in WEATHER_FIELDS]
    assert len(order) == len(Field)
    for field in Field:
        assert field.name.replace("_", "").lower() in order[field], (field, order[field])
    draws = np.random.default_rng(0)
    for _ in range(300):
        values = draws.uniform(0.0, 100.0, len(Field))
        values[Field.SUN_ALTITUDE] = draws.uniform(-90.0, 180.0)
        assert is_dark(values) == is_night(Weather(*values.tolist()))


# ---- actors in the scene  -----------------------------------------------------------------------------------------


def test_a_full_record_fits_whatever_its_models() -> None:
    world = empty_world()
    for _ in range(MAX_ACTORS):
        x, y, z, yaw = lane_place(town(), np.random.default_rng(1))
        put(world, "vehicle.nissan.patrol_2021", x, y, z, yaw)
    where = scene()
    where.place(world)
    assert where.num_actors == MAX_ACTORS


def test_hidden_actors_and_the_one_that_is_left_out_are_not_in_the_scene() -> None:
    world = busy_world(town(), 4, vehicles=3, walkers=2)
    world["hidden"][1] = 1
    where = scene()
    where.place(world, skip_slot=0)
    assert where.actor_slot[: where.num_actors].tolist() == [2, 3, 4]


def test_walkers_stand_on_the_kerb_and_step_as_they_walk() -> None:
    world = empty_world()
    x, y, z, _ = lane_place(town(), np.random.default_rng(5), 5)
    put(world, "walker.pedestrian.0003", x, y, z, speed=1.4)
    where = scene()

    def lowest_and_stride() -> tuple[float, float]:
        where.place(world)
        points = where.vertex[where.actor_vertex[0, 0] : where.actor_vertex[0, 1]]
        return float(points[:, 2].min()) - z, float(np.ptp(points[:, 0]))

    world["travelled"][0] = 0.0
    low, together = lowest_and_stride()
    world["travelled"][0] = 0.375  # half a step
    _, apart = lowest_and_stride()
    assert low == pytest.approx(KERB_HEIGHT, abs=0.02)
    assert apart > together + 0.3


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "width 0: must be a whole number of pixels from 1 to 4096"),
        ({"height": 5000}, "height 5000"),
        ({"width": 64.5}, "width 64.5"),
        ({"fov": 0.0}, "fov 0.0: must be 1 to 170 degrees"),
        ({"fov": 180.0}, "fov 180.0"),
        ({"fov": math.nan}, "fov nan"),
        ({"mount": Pose(x=math.inf)}, "camera x inf: must be a finite number"),
        ({"mount": Pose(yaw=math.nan)}, "camera yaw nan"),
        ({"antialias": 3}, "antialias 3: must be 1"),
    ],
)
def test_an_impossible_camera_is_refused_with_what_is_allowed(options: dict, told: str) -> None:
    with pytest.raises(SensorError, match=told.replace("(", r"\(")):
        Camera(scene(), **options)


def test_an_unknown_output_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(SensorError, match="'lidar': must be one of rgb, depth"):
        Camera(scene(), 16, 16).render(empty_world(), ["lidar"])


def test_a_batch_instead_of_one_world_is_refused() -> None:
    from simulator.state import empty_worlds

    with pytest.raises(SensorError, match=r"such as batch\.worlds\[0\]"):
        Camera(scene(), 16, 16).render(empty_worlds(2))
