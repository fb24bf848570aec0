"""The bird's-eye view and the structured observation: what is where, in which value, and that copies repeat it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from envs.observations.bev import BevConfig, BevObservation, to_picture
from envs.observations.registry import make_observation
from envs.observations.structured import MASKS, SHAPES, StructuredObservation
from envs.vector_env import RouteVectorEnv
from envs.world import EpisodeStart, WorldBatch
from simulator.actors import set_speed
from simulator.sensors import bev_map
from simulator.sensors.bev import fill_box
from simulator.state import EGO, LightState, VehicleLight
from tests.sensor_worlds import put, standing_car
from tests.sim_world import crossroads, smoke

SCALE = 4.0  # px/m
WEST_OF_A = -40.0  # m, x on West, 28 m before the crossing with the lights
LANE_Y = 1.75


def west_of_the_lights(x: float = WEST_OF_A) -> np.ndarray:
    """WORLD[1]: the ego on its lane, heading east, with nobody else; all lights red."""
    worlds = standing_car(x=x, y=LANE_Y)
    worlds["light_state"] = int(LightState.RED)
    worlds["path_s"] = x + 190.0  # the route begins at x = -190
    return worlds


def see(worlds: np.ndarray, **config: object) -> dict[str, np.ndarray]:
    """Planes by name of a fresh view."""
    view = BevObservation(crossroads(), len(worlds), BevConfig(**config))  # type: ignore[arg-type]
    image = view.observe(worlds)[0]
    assert image.dtype == np.uint8
    return dict(zip(view.config.channels, image, strict=True))


def at(plane: np.ndarray, ahead: float, right: float, *, behind: float = 10.0) -> int:
    """Value of a plane at a place in the ego's frame, metres; the view is 192 x 192 px of 4 px/m."""
    return int(plane[int(192 - (behind + ahead) * SCALE), int(96 + right * SCALE)])


# ---- the view --------------------------------------------------------------------------------------------------------


def test_road_and_surroundings_lie_where_they_are():
    planes = see(west_of_the_lights())
    assert at(planes["road"], 10.0, 0.0) == 255
    assert at(planes["road"], 10.0, -3.5) == 255  # the oncoming lane, to the left
    assert at(planes["road"], 10.0, 20.0) == 0
    assert at(planes["road"], 37.5, -15.0) == 255  # the side street beyond the corner


def test_the_centre_line_is_a_marking():
    planes = see(west_of_the_lights())
    assert at(planes["markings"], 10.0, -1.75) > 0
    assert at(planes["markings"], 10.0, 0.0) == 0


def test_the_route_runs_ahead_of_the_ego_as_wide_as_asked():
    planes = see(west_of_the_lights(), route_width=2.0)
    row = planes["route"][int(192 - 20.0 * SCALE)]
    assert row.sum() == 255 * 8
    assert row[92:100].tolist() == [255] * 8


def test_the_route_ends_where_it_ends():
    planes = see(west_of_the_lights(x=280.0))
    assert at(planes["route"], 5.0, 0.0) == 255
    assert at(planes["route"], 20.0, 0.0) == 0


@pytest.mark.parametrize(
    ("state", "value"), [(LightState.RED, 255), (LightState.YELLOW, 170), (LightState.GREEN, 85), (LightState.OFF, 0)]
)
def test_the_stop_line_of_a_light_shows_its_state(state: LightState, value: int):
    worlds = west_of_the_lights()
    worlds["light_state"] = int(state)
    lane_ahead = see(worlds)["signals"][:, 96]
    assert set(lane_ahead.tolist()) == ({0, value} if value else {0})
    if value:
        rows = np.flatnonzero(lane_ahead)
        ahead = (192 - rows.mean() - 0.5) / SCALE - 10.0
        net = crossroads().network.arrays
        lane = int(np.flatnonzero(net.lane_stop_line >= 0.0)[0])
        assert 20.0 < ahead < 28.0, lane


def test_stop_signs_have_lines_of_their_own():
    worlds = standing_car(-0.5 * math.pi, x=201.75, y=40.0)  # up Mill lane, towards its stop sign
    planes = see(worlds)
    rows = np.flatnonzero(planes["stops"][:, 96])
    assert len(rows)
    assert (planes["stops"][rows, 96] == 255).all()
    assert (planes["signals"] == 0).all()


@pytest.mark.parametrize(
    ("blueprint", "channel", "value"),
    [
        ("vehicle.audi.tt", "vehicles", 255),
        ("vehicle.gazelle.omafiets", "vehicles", 170),
        ("walker.pedestrian.0001", "walkers", 255),
        ("static.prop.trafficcone01", "props", 255),
    ],
)
def test_everybody_is_drawn_in_their_channel(blueprint: str, channel: str, value: int):
    worlds = west_of_the_lights()
    put(worlds, blueprint, WEST_OF_A + 12.0, LANE_Y + 3.0)
    planes = see(worlds)
    assert at(planes[channel], 12.0, 3.0) == value
    others = {"vehicles", "walkers", "props"} - {channel}
    assert all((planes[name] == 0).all() for name in others)


@pytest.mark.parametrize("yaw", [0.0, 0.4, 1.2, 2.5, -2.0])
def test_a_vehicle_covers_its_box(yaw: float):
    worlds = west_of_the_lights()
    slot = put(worlds, "vehicle.audi.tt", WEST_OF_A + 15.0, LANE_Y - 4.0, yaw)
    plane = see(worlds)["vehicles"]
    half = worlds["half_length"][0, slot], worlds["half_width"][0, slot]
    assert (plane > 0).sum() == pytest.approx(4.0 * half[0] * half[1] * SCALE**2, rel=0.06)
    rows, columns = np.nonzero(plane)
    assert (192 - rows.mean() - 0.5) / SCALE - 10.0 == pytest.approx(15.0, abs=0.05)
    assert (columns.mean() + 0.5 - 96) / SCALE == pytest.approx(-4.0, abs=0.05)
    nose = (15.0 + 0.9 * half[0] * math.cos(yaw), -4.0 + 0.9 * half[0] * math.sin(yaw))
    assert at(plane, *nose) == 255


def test_the_view_turns_with_the_ego():
    worlds = west_of_the_lights()
    put(worlds, "vehicle.audi.tt", WEST_OF_A, LANE_Y - 15.0, 0.0)  # north of it
    worlds["yaw"][0, EGO] = -0.5 * math.pi
    plane = see(worlds)["vehicles"]
    assert at(plane, 15.0, 0.0) == 255
    assert at(plane, 15.0, 1.5) == 255  # it stands across
    assert at(plane, 16.5, 0.0) == 0


def test_the_ego_the_hidden_and_those_under_a_bridge_are_not_drawn():
    worlds = west_of_the_lights()
    hidden = put(worlds, "vehicle.audi.tt", WEST_OF_A + 12.0, LANE_Y)
    below = put(worlds, "vehicle.audi.tt", WEST_OF_A + 20.0, LANE_Y)
    worlds["hidden"][0, hidden] = 1
    worlds["z"][0, below] = -7.0
    assert (see(worlds)["vehicles"] == 0).all()


@pytest.mark.parametrize("turn", np.linspace(0.0, math.pi, 7).tolist())
def test_no_walker_is_too_small_to_be_seen(turn: float):
    for row, column in np.random.default_rng(0).uniform(5.0, 11.0, (40, 2)):
        plane = np.zeros((16, 16), np.uint8)
        fill_box(plane, row, column, 0.1, 0.1, turn, 255)
        assert 1 <= (plane > 0).sum() <= 4


def test_size_resolution_and_offset_are_as_asked():
    worlds = west_of_the_lights()
    put(worlds, "vehicle.audi.tt", WEST_OF_A + 12.0, LANE_Y)
    view = BevObservation(crossroads(), 1, BevConfig(64, 96, 2.0, behind=20.0, right=-5.0, history=(3,)))
    image = view.observe(worlds)[0]
    assert image.shape == view.shape == (12, 96, 64)
    vehicles = image[view.config.channels.index("vehicles")]
    assert vehicles[96 - (20 + 12) * 2, 32 - 5 * 2] == 255


def test_beyond_the_town_there_is_nothing():
    worlds = standing_car(x=5000.0, y=-9000.0)
    planes = see(worlds)
    assert all((planes[name] == 0).all() for name in ("road", "sidewalk", "markings", "stops", "signals", "vehicles"))


def test_a_town_that_is_too_large_is_drawn_more_coarsely(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bev_map, "_MOST_BYTES", 1)
    coarse = bev_map._drawn.__wrapped__(bev_map._Key(crossroads().network), 8.0)
    fine = bev_map.town_from_above(crossroads().network, 8.0)
    assert (coarse.scale, fine.scale) == (4.0, 8.0)
    assert coarse.tiles.nbytes < 0.6 * fine.tiles.nbytes


# ---- its past --------------------------------------------------------------------------------------------------------


def test_history_shows_where_others_were_seen_from_where_the_ego_is():
    worlds = west_of_the_lights()
    slot = put(worlds, "vehicle.audi.tt", WEST_OF_A + 10.0, LANE_Y)
    view = BevObservation(crossroads(), 1, BevConfig(history=(4, 8)))
    for tick in range(0, 11, 2):
        worlds["tick"] = tick
        worlds["x"][0, slot] = WEST_OF_A + 10.0 + tick
        worlds["x"][0, EGO] = WEST_OF_A + 0.1 * tick
        image = view.observe(worlds)[0]
    planes = dict(zip(view.config.channels, image, strict=True))
    for name, ahead in (("vehicles", 19.0), ("vehicles@-4", 15.0), ("vehicles@-8", 11.0)):
        rows = np.nonzero(planes[name])[0]
        assert (192 - rows.mean() - 0.5) / SCALE - 10.0 == pytest.approx(ahead, abs=0.13), name


def test_lights_have_a_past_too_and_the_first_frame_stands_in_for_it():
    worlds = west_of_the_lights()
    view = BevObservation(crossroads(), 1, BevConfig(history=(4,)))
    image = view.observe(worlds)[0]
    names = view.config.channels
    assert (image[names.index("signals")] == image[names.index("signals@-4")]).all()
    worlds["tick"], worlds["light_state"] = 4, int(LightState.GREEN)
    image = view.observe(worlds)[0]
    assert image[names.index("signals")].max() == 85
    assert image[names.index("signals@-4")].max() == 255


def test_another_episode_forgets_the_last():
    worlds = west_of_the_lights()
    slot = put(worlds, "vehicle.audi.tt", WEST_OF_A + 10.0, LANE_Y)
    view = BevObservation(crossroads(), 1, BevConfig(history=(4,)))
    view.observe(worlds)
    worlds["seed"], worlds["kind"][0, slot], worlds["tick"] = 99, 0, 4
    assert (view.observe(worlds)[0, view.config.channels.index("vehicles@-4")] == 0).all()


def test_a_restored_environment_sees_the_same_past():
    env = RouteVectorEnv(2, smoke(), observation=BevConfig(96, 96, 2.0, history=(2, 6, 10)))
    env.reset(seed=3)
    action = np.array([[0.6, 0.1], [0.4, -0.1]], np.float32)
    for _ in range(6):
        env.step(action)
    snapshot = env.snapshot(1)
    first = [env.step(action)[0][1].tobytes() for _ in range(4)]
    env.restore(snapshot, 1)
    assert [env.step(action)[0][1].tobytes() for _ in range(4)] == first
    env.restore(snapshot, 0)  # and so it does in another place
    action[0] = action[1]
    assert [env.step(action)[0][0].tobytes() for _ in range(4)] == first


def test_a_batch_sees_what_its_worlds_see_alone():
    batch = WorldBatch(smoke(), 3)
    for index in range(3):
        batch.reset(index, EpisodeStart(index, index))
    together = BevObservation(smoke(), 3).observe(batch.worlds)
    before = batch.worlds.tobytes()
    for index in range(3):
        alone = BevObservation(smoke(), 1).observe(batch.worlds[index : index + 1])
        assert (alone[0] == together[index]).all()
    assert batch.worlds.tobytes() == before


# ---- wrong wishes, pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"width": 0}, "width and height"),
        ({"pixels_per_metre": 0.0}, "pixels_per_metre"),
        ({"history": (0,)}, "history"),
        ({"route_width": -1.0}, "route_width"),
        ({"behind": math.inf}, "behind"),
    ],
)
def test_a_view_that_cannot_be_is_refused(wrong: dict, told: str):
    with pytest.raises(ValueError, match=told):
        BevConfig(**wrong)


def test_another_number_of_worlds_is_refused():
    with pytest.raises(ValueError, match="expected 2 worlds"):
        BevObservation(crossroads(), 2).observe(west_of_the_lights())


def test_unknown_observations_are_named():
    with pytest.raises(ValueError, match="did you mean 'structured'"):
        make_observation("structure", WorldBatch(crossroads(), 1))


def test_a_picture_for_people_has_the_ego_in_white():
    config = BevConfig(history=(5,))
    picture = to_picture(BevObservation(crossroads(), 1, config).observe(west_of_the_lights())[0], config)
    assert (picture.shape, picture.dtype) == ((192, 192, 3), np.uint8)
    assert picture[152, 96].tolist() == [240, 240, 240]


# ---- the structured observation --------------------------------------------------------------------------------------


def structure(worlds: np.ndarray) -> dict[str, np.ndarray]:
    """The first world's arrays."""
    return {name: value[0] for name, value in StructuredObservation(crossroads(), len(worlds)).observe(worlds).items()}


def test_arrays_have_their_shapes_and_lie_in_their_space():
    observation = StructuredObservation(crossroads(), 1)
    found = observation.observe(west_of_the_lights())
    assert {name: value.shape[1:] for name, value in found.items()} == SHAPES | {n: (k,) for n, k in MASKS.items()}
    assert observation.space.contains({name: value[0] for name, value in found.items()})


def test_actors_come_nearest_first_in_the_egos_frame():
    worlds = west_of_the_lights()
    worlds["yaw"][0, EGO] = 0.5 * math.pi  # heads south: east is to its left
    far, near = (
        put(worlds, "vehicle.audi.tt", WEST_OF_A + 30.0, LANE_Y),
        put(worlds, "walker.pedestrian.0001", WEST_OF_A, 12.0),
    )
    set_speed(worlds[0], far, 5.0)
    worlds["lights"][0, far] = int(VehicleLight.BRAKE | VehicleLight.LEFT_BLINKER)
    found = structure(worlds)
    assert found["actors_mask"].tolist() == [1, 1] + [0] * 30
    walker, car = found["actors"][:2]
    assert walker[:2] == pytest.approx([12.0 - LANE_Y, 0.0], abs=1e-5)
    assert walker[8:12].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert car[:6] == pytest.approx([0.0, -30.0, 0.0, -1.0, 0.0, -5.0], abs=1e-5)
    assert car[6:8] == pytest.approx([worlds["half_length"][0, far], worlds["half_width"][0, far]])
    assert car[12:].tolist() == [1.0, -1.0]
    assert near
    assert (found["actors"][2:] == 0.0).all()


def test_the_route_is_ahead_and_ends():
    found = structure(west_of_the_lights(x=265.0))
    count = int(found["route_mask"].sum())
    assert 8 <= count <= 12  # it ends at x = 290, a point every 2.5 m
    assert found["route"][:count, 0] == pytest.approx(2.5 * np.arange(count), abs=0.3)
    assert found["route"][:count, 1] == pytest.approx(0.0, abs=0.1)
    assert (found["route"][count:] == 0.0).all()


def test_the_light_on_the_way_is_told_with_its_line():
    worlds = west_of_the_lights()
    found = structure(worlds)
    mine = found["lights"][(found["lights"][:, 8] == 1.0)]
    ahead = mine[(mine[:, 2] > 0.9)]
    assert len(ahead) == 1
    assert 20.0 < ahead[0, 0] < 28.0
    assert ahead[0, 1] == pytest.approx(0.0, abs=0.1)
    assert ahead[0, 5:8].tolist() == [1.0, 0.0, 0.0]
    assert found["ego"][10] == pytest.approx(28.0, abs=1.0)


def test_lanes_are_pieces_with_widths_limits_and_marks():
    found = structure(west_of_the_lights())
    rows = int(found["lanes_mask"].sum())
    assert rows > 10
    own = found["lanes"][0]
    assert abs(own[:, 1]).max() < 0.1  # the nearest piece is that of its own lane
    assert np.hypot(*np.diff(own, axis=0).T).max() < 2.5
    half, limit, left, right, junction, route = found["lane_features"][0]
    assert half == pytest.approx(1.75)
    assert limit == pytest.approx(50.0 / 3.6)
    assert left > 0.0
    assert (junction, route) == (0.0, 1.0)
    assert found["lane_features"][:rows, 4].max() == 1.0  # the crossing is in sight


def test_stop_signs_are_told():
    found = structure(standing_car(-0.5 * math.pi, x=201.75, y=40.0))
    ahead = found["stops"][(found["stops"][:, 2] > 0.9) & (found["stops_mask"] == 1)]
    assert len(ahead) == 1
    assert ahead[0, 5:].tolist() == [1.0, 0.0]
    assert 20.0 < ahead[0, 0] < 30.0


def test_an_environment_gives_the_structure_by_name():
    env = RouteVectorEnv(2, smoke(), observation="structured")
    found, info = env.reset(seed=1)
    assert found["actors"].shape == (2, 32, 14)
    after = env.step(np.zeros((2, 2), np.float32))[0]
    assert env.observation_space.contains(after)
