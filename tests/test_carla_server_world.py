"""The world of the CARLA server, seen by the real client: time, maps, weather, lights, batches, many clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from simulator.roads.towns import BUILT_IN_FOLDER
from tests.carla_servers import destroy_all, run_client, synchronous

carla = pytest.importorskip("carla")


@pytest.fixture
def server(carla_server):
    return carla_server


@pytest.fixture
def client(server) -> Iterator:
    """A client of a world in synchronous mode, which is left empty and asynchronous."""
    client = server.client()
    world = client.get_world()
    synchronous(world)
    yield client
    world = client.get_world()
    kinds = ("vehicle.", "walker.", "sensor.", "static.", "controller.")
    destroy_all(client, world, [actor for actor in world.get_actors() if actor.type_id.startswith(kinds)])
    world.apply_settings(carla.WorldSettings(synchronous_mode=False))


@pytest.fixture
def world(client):
    return client.get_world()


def blueprint(world, name: str = "vehicle.lincoln.mkz_2020"):
    return world.get_blueprint_library().find(name)


# Time


def test_a_tick_is_a_frame_and_five_hundredths_of_a_second(world):
    before = world.get_snapshot()
    frames = [world.tick() for _ in range(5)]
    after = world.get_snapshot()
    assert frames == list(range(before.frame + 1, before.frame + 6))
    assert after.frame == frames[-1]
    assert after.timestamp.elapsed_seconds - before.timestamp.elapsed_seconds == pytest.approx(0.25)
    assert after.timestamp.delta_seconds == pytest.approx(0.05)


def test_a_world_that_nobody_ticks_stands_still(world):
    before = world.get_snapshot().frame
    time.sleep(0.3)
    assert world.get_snapshot().frame == before


@pytest.mark.parametrize("seconds", [0.01, 0.02, 0.1, 0.25])
def test_another_fixed_delta_covers_the_same_road_in_the_same_time(world, seconds: float):
    synchronous(world, seconds)
    point = world.get_map().get_spawn_points()[0]
    car = world.spawn_actor(blueprint(world), point)
    car.set_target_velocity(10.0 * point.get_forward_vector())
    car.enable_constant_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    start = world.get_snapshot().timestamp.elapsed_seconds
    for _ in range(round(2.0 / seconds)):
        world.tick()
    elapsed = world.get_snapshot().timestamp.elapsed_seconds - start
    assert elapsed == pytest.approx(2.0)
    assert car.get_location().distance(point.location) == pytest.approx(20.0, abs=0.3)


def test_settings_come_back_as_they_were_set(world):
    settings = world.get_settings()
    settings.no_rendering_mode = True
    settings.substepping = True
    settings.max_substep_delta_time = 0.02
    settings.max_substeps = 5
    settings.tile_stream_distance = 1234.0
    world.apply_settings(settings)
    read = world.get_settings()
    for name in (
        "synchronous_mode", "no_rendering_mode", "fixed_delta_seconds", "max_substep_delta_time", "max_substeps",
        "tile_stream_distance",
    ):  # fmt: skip
        assert getattr(read, name) == pytest.approx(getattr(settings, name)), name
    settings.no_rendering_mode = False
    world.apply_settings(settings)


def test_an_asynchronous_world_keeps_wall_time(server):
    client = server.client()
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=False))
    first = world.wait_for_tick()
    heard: list[int] = []
    number = world.on_tick(lambda snapshot: heard.append(snapshot.frame))
    while world.wait_for_tick().frame < first.frame + 20:
        pass
    world.remove_on_tick(number)
    assert heard == sorted(set(heard))
    assert len(heard) >= 15
    passed = world.get_snapshot().timestamp
    assert passed.elapsed_seconds - first.timestamp.elapsed_seconds == pytest.approx(1.0, abs=0.2)


def test_a_snapshot_has_every_actor_as_it_was(world):
    car = world.spawn_actor(blueprint(world), world.get_map().get_spawn_points()[0])
    car.set_target_velocity(5.0 * car.get_transform().get_forward_vector())
    frame = world.tick()
    snapshot = world.get_snapshot()
    assert snapshot.frame == frame
    assert {actor.id for actor in world.get_actors()} == {actor.id for actor in snapshot}
    held = snapshot.find(car.id)
    world.tick()
    assert held.get_transform().location.distance(car.get_location()) > 0.1


def test_the_spectator_is_moved(world):
    pose = carla.Transform(carla.Location(10.0, 20.0, 30.0), carla.Rotation(-30.0, 45.0, 0.0))
    world.get_spectator().set_transform(pose)
    world.tick()
    assert world.get_spectator().get_location().distance(pose.location) < 1e-3
    assert world.get_spectator().get_transform().rotation.yaw == pytest.approx(45.0)


# Maps


def test_the_map_is_the_towns_own_text(client, world):
    town = world.get_map()
    assert town.name == "Carla/Maps/MiniTown"
    assert town.to_opendrive() == (BUILT_IN_FOLDER / "MiniTown.xodr").read_text(encoding="utf-8")
    assert "/Game/Carla/Maps/MiniTown" in client.get_available_maps()
    points = town.get_spawn_points()
    assert len(points) > 100
    for point in points[::20]:
        waypoint = town.get_waypoint(point.location)
        assert waypoint.transform.location.distance(point.location) == pytest.approx(0.5, abs=0.1)
        assert not waypoint.is_junction
        turn = (waypoint.transform.rotation.yaw - point.rotation.yaw + 180.0) % 360.0 - 180.0
        assert turn == pytest.approx(0.0, abs=1.0)


def test_an_unknown_map_is_refused_and_the_old_one_stays(client, world):
    number = world.id
    with pytest.raises(RuntimeError, match=r"map not found: Town77.*available: MiniTown"):
        client.load_world("Town77")
    assert client.get_world().id == number


@pytest.mark.parametrize("mode", [True, False], ids=["synchronous", "asynchronous"])
def test_maps_are_loaded_again_and_again(server, mode: bool):
    """In a process of its own: a frame at the wrong moment would crash the client."""
    out = run_client(
        server,
        f"""
        if {mode}:
            synchronous(world)
        before = world.get_snapshot()
        for _ in range(8):
            old = world.id
            place = world.get_map().get_spawn_points()[0]
            world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), place)
            world = client.reload_world(False)
            assert world.id != old
            assert not world.get_actors().filter("vehicle.*")
            assert world.get_settings().synchronous_mode == {mode}
        world = client.load_world("MiniTown")
        assert not world.get_settings().synchronous_mode
        after = world.wait_for_tick()
        assert after.frame > before.frame and after.timestamp.elapsed_seconds > before.timestamp.elapsed_seconds
        print("done", world.get_map().name)
        """,
    )
    assert out.strip() == "done Carla/Maps/MiniTown"


def test_a_world_is_generated_from_an_opendrive_text(server):
    out = run_client(
        server,
        """
        text = world.get_map().to_opendrive()
        world = client.generate_opendrive_world(text, carla.OpendriveGenerationParameters())
        print(world.get_map().name, len(world.get_map().get_spawn_points()) > 100)
        client.load_world("MiniTown")
        """,
    )
    assert out.strip() == "Carla/Maps/OpenDriveMap True"


def test_a_damaged_opendrive_text_is_refused_with_its_reason(client):
    with pytest.raises(RuntimeError, match="well-formed"):
        client.generate_opendrive_world("<OpenDRIVE><road></OpenDRIVE>", carla.OpendriveGenerationParameters())
    assert client.get_world().get_map().name == "Carla/Maps/MiniTown"


# Batches


def test_a_batch_answers_every_command_for_itself(client, world):
    point = world.get_map().get_spawn_points()
    car = blueprint(world)
    command = carla.command
    answers = client.apply_batch_sync(
        [
            command.SpawnActor(car, point[0]),
            command.SpawnActor(car, point[0]),
            command.DestroyActor(99999),
            command.SpawnActor(car, point[1]).then(
                command.ApplyVehicleControl(command.FutureActor, carla.VehicleControl(throttle=0.5))
            ),
        ],
        True,
    )
    assert [bool(answer.error) for answer in answers] == [False, True, True, False]
    assert "collision at spawn position" in answers[1].error
    assert "Actor not found. Actor Id: 99999" in answers[2].error
    assert world.get_actor(answers[3].actor_id).get_control().throttle == pytest.approx(0.5)


def test_every_command_of_a_batch_does_what_its_method_does(client, world):
    point = world.get_map().get_spawn_points()
    cars = [world.spawn_actor(blueprint(world), point[k]) for k in range(6)]
    walker = world.spawn_actor(blueprint(world, "walker.pedestrian.0001"), carla.Transform(carla.Location(300, 300, 2)))
    for _ in range(15):
        world.tick()
    c, v = carla.command, carla.Vector3D
    mass = cars[0].get_physics_control().mass
    ahead = [car.get_transform().get_forward_vector() for car in cars]
    physics = cars[5].get_physics_control()
    physics.mass = 1000.0
    answers = client.apply_batch_sync(
        [
            c.ApplyImpulse(cars[0], 4.0 * mass * ahead[0]),
            c.ApplyForce(cars[1], 20.0 * 4.0 * mass * ahead[1]),
            c.ApplyTargetVelocity(cars[2], 4.0 * ahead[2]),
            c.ApplyTransform(cars[3], point[20]),
            c.SetSimulatePhysics(cars[3], False),
            c.SetEnableGravity(cars[4], True),
            c.ApplyTargetAngularVelocity(cars[4], v(0, 0, 60)),
            c.ApplyAngularImpulse(cars[4], v(0, 0, 10)),
            c.ApplyTorque(cars[4], v(0, 0, 10)),
            c.ApplyVehiclePhysicsControl(cars[5], physics),
            c.ApplyVehicleAckermannControl(cars[5], carla.VehicleAckermannControl(speed=5.0)),
            c.SetVehicleLightState(cars[5], carla.VehicleLightState.Position),
            c.SetAutopilot(cars[5], False),
            c.ApplyWalkerControl(walker, carla.WalkerControl(v(1, 0, 0), 2.0, False)),
            c.ApplyWalkerState(walker, carla.Transform(carla.Location(300, 310, 2)), 1.0),
        ],
        True,
    )
    assert [answer.error for answer in answers] == [""] * 15
    for car in cars[:3]:
        assert car.get_velocity().length() == pytest.approx(4.0, abs=0.1)
    assert cars[3].get_location().distance(point[20].location) < 1e-3
    assert abs(cars[4].get_angular_velocity().z) > 20.0
    assert cars[5].get_physics_control().mass == pytest.approx(1000.0)
    assert cars[5].get_light_state() == carla.VehicleLightState.Position
    assert walker.get_location().y == pytest.approx(310.0, abs=0.2)
    for _ in range(40):
        world.tick()
    assert cars[5].get_velocity().length() > 2.0


# Traffic lights and signs


def lights_of(world):
    return list(world.get_actors().filter("traffic.traffic_light"))


def test_lights_run_through_green_yellow_and_all_red(world):
    world.reset_all_traffic_lights()
    group = max((light.get_group_traffic_lights() for light in lights_of(world)), key=len)
    seen = []
    for _ in range(round(15.5 / 0.05)):
        world.tick()
        states = {light.state for light in group}
        main = next((s for s in (carla.TrafficLightState.Green, carla.TrafficLightState.Yellow) if s in states), None)
        if not seen or seen[-1] != main:
            seen.append(main)
    assert seen == [carla.TrafficLightState.Green, carla.TrafficLightState.Yellow, None, carla.TrafficLightState.Green]


def test_a_light_that_a_client_sets_stays_so_until_its_own_group_changes(world):
    """As the official scenarios hold lights: a state, and times so long that the group does not change."""
    light, *others = world.get_actors().filter("traffic.traffic_light")
    group = light.get_group_traffic_lights()
    times = (light.get_green_time(), light.get_yellow_time(), light.get_red_time())
    for one in group:
        one.set_green_time(1000.0)
        one.set_yellow_time(1000.0)
        one.set_red_time(1000.0)
    elsewhere = next(other for other in others if other.id not in {one.id for one in group})
    state = elsewhere.get_state()
    for wanted in (carla.TrafficLightState.Green, carla.TrafficLightState.Red):
        light.set_state(wanted)
        for _ in range(400):
            world.tick()
            if elsewhere.get_state() != state:
                break
        assert elsewhere.get_state() != state
        assert light.get_state() == wanted
        state = elsewhere.get_state()
    for one in group:
        one.set_green_time(times[0])
        one.set_yellow_time(times[1])
        one.set_red_time(times[2])
    world.reset_all_traffic_lights()


def test_a_light_that_was_set_stays_while_it_is_frozen(world):
    light = lights_of(world)[0]
    light.freeze(True)
    light.set_state(carla.TrafficLightState.Green)
    for _ in range(400):
        world.tick()
    assert light.is_frozen()
    assert light.state == carla.TrafficLightState.Green
    light.freeze(False)
    world.freeze_all_traffic_lights(True)
    world.tick()
    assert all(other.is_frozen() for other in lights_of(world))
    world.freeze_all_traffic_lights(False)
    world.reset_all_traffic_lights()
    world.tick()
    assert not light.is_frozen()


def test_times_of_a_light_are_those_of_its_phase(world):
    light = lights_of(world)[0]
    before = light.get_green_time(), light.get_yellow_time(), light.get_red_time()
    light.set_green_time(1.0)
    light.set_yellow_time(0.5)
    light.set_red_time(0.5)
    world.reset_all_traffic_lights()
    world.tick()
    assert (light.get_green_time(), light.get_yellow_time(), light.get_red_time()) == (1.0, 0.5, 0.5)
    for set_time, value in zip((light.set_green_time, light.set_yellow_time, light.set_red_time), before, strict=True):
        set_time(value)
    light.reset_group()
    world.tick()
    assert light.get_elapsed_time() == pytest.approx(0.05, abs=0.051)


def test_lights_know_their_lanes_poles_and_boxes(world):
    town = world.get_map()
    poles: dict[tuple, list[int]] = {}
    for light in lights_of(world):
        group = light.get_group_traffic_lights()
        assert light.id in {other.id for other in group}
        poles.setdefault(tuple(sorted(other.id for other in group)), []).append(light.get_pole_index())
        assert light.get_opendrive_id()
        assert light.get_affected_lane_waypoints()
        assert light.get_light_boxes()
        pose, box = light.get_transform(), light.trigger_volume
        centre = pose.transform(box.location)
        near = town.get_waypoint(centre)
        assert near.transform.location.distance(centre) < 4.0
        assert 0.5 < box.extent.x < 20.0
    for indices in poles.values():
        assert sorted(indices) == list(range(len(indices)))


def test_a_vehicle_before_a_light_is_told_of_it(world):
    light = next(light for light in lights_of(world) if light.get_stop_waypoints())
    stop = light.get_stop_waypoints()[0]
    before = stop.previous(2.0)[0].transform
    before.location.z += 0.3
    car = world.spawn_actor(blueprint(world), before)
    light.freeze(True)
    light.set_state(carla.TrafficLightState.Red)
    for _ in range(10):
        world.tick()
    assert car.is_at_traffic_light()
    assert car.get_traffic_light().id == light.id
    assert car.get_traffic_light_state() == carla.TrafficLightState.Red
    far = stop.previous(40.0)[0].transform
    far.location.z += 0.3
    car.set_transform(far)
    world.tick()
    assert not car.is_at_traffic_light()
    assert car.get_traffic_light() is None
    light.freeze(False)


def test_stop_signs_lie_across_their_lanes(world):
    signs = world.get_actors().filter("traffic.stop")
    assert len(signs) > 3
    for sign in signs:
        centre = sign.get_transform().transform(sign.trigger_volume.location)
        lane = world.get_map().get_waypoint(centre)
        assert lane.transform.location.distance(centre) < 1.5


def test_signs_stand_beside_the_lanes_that_they_rule(world):
    signs = [
        a for a in world.get_actors().filter("traffic.*") if a.type_id.startswith(("traffic.yield", "traffic.speed"))
    ]
    assert {s.type_id for s in signs} >= {"traffic.yield", "traffic.speed_limit.50", "traffic.speed_limit.30"}
    for sign in signs[::5]:
        centre = sign.get_transform().transform(sign.trigger_volume.location)
        lane = world.get_map().get_waypoint(centre)
        assert lane.transform.location.distance(centre) < 4.0


def test_the_speed_limit_is_that_of_the_lane(world):
    town = world.get_map()
    for point in town.get_spawn_points()[::80]:
        car = world.try_spawn_actor(blueprint(world), point)
        world.tick()
        assert car.get_speed_limit() in {30.0, 40.0, 50.0, 60.0, 70.0, 90.0, 100.0, 110.0, 120.0, 130.0}


# Weather, ground, street lights, scenery


def test_weather_comes_back_and_begins_anew_with_an_episode(client, world):
    weather = carla.WeatherParameters.HardRainSunset
    world.set_weather(weather)
    world.tick()
    read = world.get_weather()
    for name in ("cloudiness", "precipitation", "wetness", "sun_altitude_angle", "fog_density"):
        assert getattr(read, name) == pytest.approx(getattr(weather, name), rel=1e-5), name


def test_points_are_projected_on_the_ground(world):
    point = world.get_map().get_spawn_points()[7].location
    hit = world.ground_projection(carla.Location(point.x, point.y, 20.0), 100.0)
    assert hit.location.z == pytest.approx(point.z - 0.5, abs=0.06)
    assert hit.label in {carla.CityObjectLabel.Roads, carla.CityObjectLabel.RoadLines}
    assert world.project_point(carla.Location(0.0, 0.0, 500.0), carla.Vector3D(0.0, 0.0, 1.0), 10.0) is None


def test_a_ray_meets_vehicles_and_the_road(world):
    car = world.spawn_actor(blueprint(world), world.get_map().get_spawn_points()[7])
    for _ in range(15):
        world.tick()
    at = car.get_location()
    hits = world.cast_ray(carla.Location(at.x, at.y, at.z + 5.0), carla.Location(at.x, at.y, at.z - 1.0))
    assert hits[0].label == carla.CityObjectLabel.Car
    assert hits[0].location.z == pytest.approx(at.z + 1.49, abs=0.02)
    assert carla.CityObjectLabel.Roads in [hit.label for hit in hits] or len(hits) > 1


def test_the_town_has_buildings_with_boxes(world):
    objects = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    boxes = world.get_level_bbs(carla.CityObjectLabel.Buildings)
    assert len(objects) == len(boxes) > 10
    assert all(o.type == carla.CityObjectLabel.Buildings and o.name for o in objects)
    assert all(box.extent.z > 1.0 for box in boxes)


def test_street_lights_are_switched_by_a_client_and_seen_by_another(server, client, world):
    lights = world.get_lightmanager().get_all_lights(carla.LightGroup.Street)
    assert len(lights) > 100
    world.get_lightmanager().turn_on(lights[:3])
    world.tick()
    other = server.client().get_world()
    again = other.get_lightmanager().get_all_lights(carla.LightGroup.Street)
    assert sum(light.is_on for light in again) == 3
    world.get_lightmanager().turn_off(lights[:3])
    world.tick()


def test_debug_drawing_is_taken(world):
    world.debug.draw_point(carla.Location(0, 0, 1))
    world.debug.draw_line(carla.Location(0, 0, 1), carla.Location(1, 0, 1))
    world.debug.draw_string(carla.Location(0, 0, 1), "here")
    world.tick()


# Several clients


def test_two_clients_see_one_world(server, client, world):
    other = server.client().get_world()
    car = world.spawn_actor(blueprint(world), world.get_map().get_spawn_points()[0])
    frame = world.tick()
    while other.get_snapshot().frame < frame:
        time.sleep(0.01)
    theirs = other.get_actor(car.id)
    theirs.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(40):
        other.tick()
    while world.get_snapshot().frame < other.get_snapshot().frame:
        time.sleep(0.01)
    assert car.get_velocity().length() > 3.0
    assert car.get_location().distance(theirs.get_location()) < 1e-3


def test_one_client_waits_while_another_ticks(server, client, world):
    other = server.client().get_world()
    frames: list[int] = []
    waiting = threading.Thread(target=lambda: frames.append(other.wait_for_tick(10.0).frame))
    waiting.start()
    while waiting.is_alive():
        world.tick()
    assert frames


def test_a_client_goes_on_while_another_loads_a_map(server):
    out = run_client(
        server,
        f"""
        second = carla.Client("127.0.0.1", {server.port})
        second.set_timeout(20.0)
        theirs = second.get_world()
        old = theirs.id
        for _ in range(3):
            world = client.load_world("MiniTown")
            theirs = second.get_world()
            assert theirs.id == world.id
            theirs.wait_for_tick()
        print("both", theirs.id != old)
        """,
    )
    assert out.strip() == "both True"
