"""Actors of the CARLA server, seen by the real client: spawn, place, push, fall, destroy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.carla_servers import destroy_all, synchronous

carla = pytest.importorskip("carla")


@pytest.fixture(scope="module")
def shared(carla_server) -> Iterator:
    client = carla_server.client()
    world = client.load_world("MiniTown")
    synchronous(world)
    yield world, client
    world.apply_settings(carla.WorldSettings(synchronous_mode=False))


@pytest.fixture
def world(shared) -> Iterator:
    """The world, as empty as it was."""
    world, client = shared
    yield world
    world.tick()
    kinds = ("vehicle.", "walker.", "sensor.", "static.", "controller.")
    destroy_all(client, world, [actor for actor in world.get_actors() if actor.type_id.startswith(kinds)])


def spawn(world, blueprint: str = "vehicle.lincoln.mkz_2020", point: int = 0, **place: float):
    pose = world.get_map().get_spawn_points()[point]
    for name, value in place.items():
        setattr(pose.location, name, value)
    actor = world.spawn_actor(world.get_blueprint_library().find(blueprint), pose)
    world.tick()
    return actor


def ticks(world, count: int) -> None:
    for _ in range(count):
        world.tick()


def test_a_vehicle_stands_where_it_was_spawned_and_falls_on_its_wheels(world):
    point = world.get_map().get_spawn_points()[3]
    car = spawn(world, point=3)
    assert car.get_location().z > point.location.z - 0.2
    ticks(world, 20)
    road = world.get_map().get_waypoint(point.location).transform.location
    assert car.get_location().distance(road) < 0.05
    assert car.get_transform().rotation.yaw == pytest.approx(point.rotation.yaw, abs=0.1)
    assert car.get_velocity().length() == 0.0


def test_a_vehicle_has_the_attributes_and_the_box_of_its_blueprint(world):
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    blueprint.set_attribute("role_name", "hero")
    car = world.spawn_actor(blueprint, world.get_map().get_spawn_points()[0])
    world.tick()
    assert car.attributes["role_name"] == "hero"
    assert car.bounding_box.extent.x == pytest.approx(2.396, abs=0.01)
    assert car.bounding_box.location.z == pytest.approx(0.744, abs=0.01)
    assert [int(t) for t in car.semantic_tags] == [14]
    assert world.get_actor(car.id).type_id == "vehicle.tesla.model3"


def test_a_taken_place_is_refused(world):
    spawn(world)
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    point = world.get_map().get_spawn_points()[0]
    assert world.try_spawn_actor(blueprint, point) is None
    with pytest.raises(RuntimeError, match="Spawn failed because of collision at spawn position"):
        world.spawn_actor(blueprint, point)


def test_an_actor_under_the_ground_takes_no_place(world):
    below = spawn(world, z=-500.0)
    below.set_simulate_physics(False)
    above = spawn(world)
    ticks(world, 40)
    assert below.get_location().z == pytest.approx(-500.0, abs=2.0)
    assert above.get_location().z == pytest.approx(0.0, abs=0.1)


def test_without_physics_nothing_moves_and_with_gravity_things_fall(world):
    car = spawn(world, z=50.0)
    car.set_simulate_physics(False)
    ticks(world, 10)
    height = car.get_location().z
    assert height > 49.0
    car.set_simulate_physics(True)
    car.set_enable_gravity(False)
    ticks(world, 10)
    assert car.get_location().z == pytest.approx(height, abs=1e-3)
    car.set_enable_gravity(True)
    ticks(world, 20)
    assert car.get_location().z == pytest.approx(height - 0.5 * 9.81, abs=0.5)  # after a second
    ticks(world, 60)
    assert car.get_location().z == pytest.approx(0.0, abs=0.05)


def test_a_parked_actor_is_teleported_in(world):
    car = spawn(world, z=-1000.0)
    car.set_simulate_physics(False)
    target = world.get_map().get_spawn_points()[5]
    car.set_transform(target)
    car.set_simulate_physics(True)
    ticks(world, 20)
    assert car.get_location().distance(target.location) == pytest.approx(0.5, abs=0.1)
    car.set_location(world.get_map().get_spawn_points()[6].location)
    world.tick()
    assert car.get_location().distance(world.get_map().get_spawn_points()[6].location) < 0.1


def test_controls_drive_and_are_reported(world):
    car = spawn(world)
    ticks(world, 15)
    car.apply_control(carla.VehicleControl(throttle=0.75, steer=0.1, gear=2, manual_gear_shift=True))
    ticks(world, 40)
    control = car.get_control()
    assert (round(control.throttle, 3), round(control.steer, 3), control.gear) == (0.75, 0.1, 2)
    assert control.manual_gear_shift
    assert 5.0 < car.get_velocity().length() < 20.0
    assert car.get_angular_velocity().z > 5.0  # deg/s, to the right
    car.apply_control(carla.VehicleControl(brake=1.0))
    ticks(world, 60)
    assert car.get_velocity().length() == 0.0
    car.apply_control(carla.VehicleControl(throttle=0.7, reverse=True))
    ticks(world, 40)
    forward = car.get_transform().get_forward_vector()
    assert car.get_velocity().dot(forward) < -1.0


def test_a_target_velocity_is_taken_over_and_a_constant_one_is_kept(world):
    car = spawn(world)
    ticks(world, 15)
    forward = car.get_transform().get_forward_vector()
    car.set_target_velocity(10.0 * forward)
    world.tick()
    assert car.get_velocity().length() == pytest.approx(10.0, abs=0.2)
    car.apply_control(carla.VehicleControl(brake=1.0))
    ticks(world, 60)
    assert car.get_velocity().length() == 0.0
    car.enable_constant_velocity(carla.Vector3D(6.0, 0.0, 0.0))
    ticks(world, 20)
    assert car.get_velocity().length() == pytest.approx(6.0, abs=1e-3)
    car.disable_constant_velocity()
    ticks(world, 40)
    assert car.get_velocity().length() == 0.0


@pytest.mark.parametrize(("push", "seconds"), [("add_impulse", 1.0), ("add_force", 0.05)])
def test_a_push_changes_the_speed_by_momentum_over_mass(world, push: str, seconds: float):
    car = spawn(world)
    ticks(world, 15)
    mass = car.get_physics_control().mass
    momentum = 5.0 * mass
    getattr(car, push)((momentum / seconds) * car.get_transform().get_forward_vector())
    world.tick()
    assert car.get_velocity().length() == pytest.approx(5.0, abs=0.1)


def test_a_heavier_mass_is_pushed_less(world):
    car = spawn(world)
    ticks(world, 15)
    physics = car.get_physics_control()
    impulse = 2.0 * physics.mass * car.get_transform().get_forward_vector()
    physics.mass *= 2.0
    physics.use_sweep_wheel_collision = False
    car.apply_physics_control(physics)
    car.add_impulse(impulse)
    world.tick()
    assert car.get_velocity().length() == pytest.approx(1.0, abs=0.1)
    read = car.get_physics_control()
    assert read.mass == pytest.approx(physics.mass)
    assert not read.use_sweep_wheel_collision
    assert len(read.wheels) == 4
    assert len(read.torque_curve) == len(physics.torque_curve)


def test_a_target_angular_velocity_turns_the_vehicle(world):
    car = spawn(world)
    ticks(world, 15)
    before = car.get_transform().rotation.yaw
    car.set_target_angular_velocity(carla.Vector3D(0.0, 0.0, 90.0))
    ticks(world, 40)
    turned = (car.get_transform().rotation.yaw - before + 180.0) % 360.0 - 180.0
    assert turned == pytest.approx(22.5, abs=5.0)  # 90 deg/s that wear off in 0.25 s


@pytest.mark.parametrize("speed", [8.0, -3.0])
def test_ackermann_control_reaches_its_speed(world, speed: float):
    car = spawn(world)
    ticks(world, 15)
    car.apply_ackermann_control(carla.VehicleAckermannControl(speed=speed, acceleration=4.0))
    ticks(world, 120)
    forward = car.get_transform().get_forward_vector()
    assert car.get_velocity().dot(forward) == pytest.approx(speed, abs=0.4)
    settings = car.get_ackermann_controller_settings()
    settings.speed_kp = 0.3
    car.apply_ackermann_controller_settings(settings)
    assert car.get_ackermann_controller_settings().speed_kp == pytest.approx(0.3)
    car.apply_control(carla.VehicleControl(brake=1.0))
    ticks(world, 60)
    assert car.get_velocity().length() == 0.0


def test_lights_and_doors(world):
    car = spawn(world)
    state = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.LeftBlinker)
    car.set_light_state(state)
    world.tick()
    assert car.get_light_state() == state
    assert world.get_vehicles_light_states()[car.id] == state
    car.open_door(carla.VehicleDoor.FL)
    car.close_door(carla.VehicleDoor.All)
    world.tick()


def test_telemetry_and_wheels_follow_the_motion(world):
    car = spawn(world)
    ticks(world, 15)
    car.apply_control(carla.VehicleControl(throttle=0.7, steer=0.5))
    ticks(world, 40)
    telemetry = car.get_telemetry_data()
    assert telemetry.speed == pytest.approx(car.get_velocity().length(), abs=0.01)
    assert len(telemetry.wheels) == 4
    assert car.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel) == pytest.approx(35.0, abs=1.0)


def test_a_walker_walks_where_it_is_told(world):
    walker = spawn(world, "walker.pedestrian.0001", z=1.0)
    ticks(world, 20)
    start = walker.get_location()
    assert start.z == pytest.approx(0.93, abs=0.1)
    walker.apply_control(carla.WalkerControl(carla.Vector3D(0.0, 1.0, 0.0), 1.5, False))
    ticks(world, 40)
    moved = walker.get_location() - start
    assert (moved.x, moved.y) == (pytest.approx(0.0, abs=0.01), pytest.approx(3.0, abs=0.1))
    assert walker.get_transform().rotation.yaw == pytest.approx(90.0, abs=0.1)
    assert walker.get_control().speed == pytest.approx(1.5)


def test_what_is_attached_goes_along_and_dies_with_its_parent(shared, world):
    car = spawn(world)
    camera = world.get_blueprint_library().find("sensor.other.gnss")
    sensor = world.spawn_actor(camera, carla.Transform(carla.Location(x=1.0, z=2.0)), attach_to=car)
    prop = world.get_blueprint_library().find("static.prop.trafficcone01")
    cone = world.spawn_actor(prop, carla.Transform(carla.Location(z=1.6)), attach_to=car)
    ticks(world, 15)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    ticks(world, 40)
    for actor, place in ((sensor, carla.Location(x=1.0, z=2.0)), (cone, carla.Location(z=1.6))):
        assert actor.parent.id == car.id
        assert actor.get_location().distance(car.get_transform().transform(place)) < 0.01
    gone = {car.id, sensor.id, cone.id}
    assert car.destroy()
    destroy = carla.command.DestroyActor
    answers = shared[1].apply_batch_sync([destroy(sensor.id), destroy(sensor.id), destroy(car.id)])
    assert [answer.has_error() for answer in answers] == [False, True, True]  # in CARLA the sensor is still there
    world.tick()
    assert not gone & {actor.id for actor in world.get_actors()}


def test_an_actor_that_another_client_destroyed_still_answers_until_the_next_frame(shared, world):
    car = spawn(world)
    _, client = shared
    client.apply_batch([carla.command.DestroyActor(car.id)])
    assert car.bounding_box.extent.x > 2.0
    assert car.get_light_state() == carla.VehicleLightState.NONE
    world.tick()
    assert car.id not in {actor.id for actor in world.get_actors()}


def test_every_vehicle_feels_its_contacts(world):
    behind, ahead = spawn(world, point=0), spawn(world, "vehicle.audi.tt", point=0, z=3.0)
    ahead.set_transform(
        carla.Transform(
            behind.get_transform().transform(carla.Location(x=8.0)), world.get_map().get_spawn_points()[0].rotation
        )
    )
    blueprint = world.get_blueprint_library().find("sensor.other.collision")
    events: dict[int, list] = {behind.id: [], ahead.id: []}
    sensors = []
    for car in (behind, ahead):
        sensor = world.spawn_actor(blueprint, carla.Transform(), attach_to=car)
        sensor.listen(lambda e, of=car.id: events[of].append((e.other_actor.id, e.normal_impulse.length(), e.frame)))
        sensors.append(sensor)
    ticks(world, 15)
    behind.apply_control(carla.VehicleControl(throttle=1.0))
    ticks(world, 60)
    for sensor in sensors:
        sensor.stop()
    assert {other for other, _, _ in events[behind.id]} == {ahead.id}
    assert {other for other, _, _ in events[ahead.id]} == {behind.id}
    assert max(impulse for _, impulse, _ in events[ahead.id]) > 1000.0
    assert ahead.get_velocity().length() > 0.5


def test_the_world_is_full_at_some_point_and_says_so(world):
    blueprint = world.get_blueprint_library().find("vehicle.micro.microlino")
    points = world.get_map().get_spawn_points()
    while world.try_spawn_actor(blueprint, points.pop(0)) is not None:
        pass
    with pytest.raises(RuntimeError, match="the world is full"):
        world.spawn_actor(blueprint, points.pop(0))


@pytest.mark.parametrize(
    "call",
    [
        lambda car, world: car.apply_control(carla.VehicleControl(throttle=float("nan"))),
        lambda car, world: car.set_transform(carla.Transform(carla.Location(x=float("inf")))),
        lambda car, world: car.set_target_velocity(carla.Vector3D(1e30, 0.0, 0.0)),
    ],
    ids=["nan", "inf", "huge"],
)
def test_numbers_that_no_world_can_bear_change_nothing(world, call):
    car = spawn(world)
    ticks(world, 15)
    before = car.get_location()
    call(car, world)
    ticks(world, 3)
    assert car.get_location().distance(before) < 0.01
