"""Half a minute with our server in a client of CARLA 0.9.15, run by that client's Python (3.8 will do): `PORT TM_PORT`.

Prints one JSON object: what it saw.
"""

import json
import os
import sys

import carla

TICKS = 600
CAMERA = {"image_size_x": "320", "image_size_y": "180"}
SENSORS = {
    "sensor.camera.rgb": CAMERA,
    "sensor.camera.semantic_segmentation": CAMERA,
    "sensor.lidar.ray_cast": {"range": "50.0"},
    "sensor.other.imu": {},
    "sensor.other.gnss": {},
}


def main():
    client = carla.Client("127.0.0.1", int(sys.argv[1]))
    client.set_timeout(30.0)
    seen = {"versions": [client.get_client_version(), client.get_server_version()]}
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    manager = client.get_trafficmanager(int(sys.argv[2]))
    manager.set_synchronous_mode(True)
    library = world.get_blueprint_library()
    blueprint = library.find("vehicle.tesla.model3")
    seen["wheels"] = blueprint.get_attribute("number_of_wheels").as_int()
    autopilot = carla.command.SetAutopilot(carla.command.FutureActor, True, manager.get_port())
    points = world.get_map().get_spawn_points()[:100:10]
    answers = client.apply_batch_sync([carla.command.SpawnActor(blueprint, p).then(autopilot) for p in points], False)
    world.tick()
    seen["refused"] = [answer.error for answer in answers if answer.error]
    cars = list(world.get_actors([answer.actor_id for answer in answers if not answer.error]))

    own = world.spawn_actor(library.find("vehicle.lincoln.mkz_2020"), world.get_map().get_spawn_points()[105])
    own.apply_control(carla.VehicleControl(throttle=0.4))
    frames = {}
    sensors = []
    for name, attributes in SENSORS.items():
        wanted = library.find(name)
        for attribute, value in attributes.items():
            wanted.set_attribute(attribute, value)
        sensor = world.spawn_actor(wanted, carla.Transform(carla.Location(x=1.0, z=2.0)), attach_to=own)
        frames[name] = []
        sensor.listen(lambda data, name=name: frames[name].append((data.frame, len(getattr(data, "raw_data", b"")))))
        sensors.append(sensor)

    metres = {car.id: 0.0 for car in cars}
    first = world.get_snapshot().frame + 1
    for _ in range(TICKS):
        world.tick()
        snapshot = world.get_snapshot()
        for car in cars:
            metres[car.id] += snapshot.find(car.id).get_velocity().length() * 0.05
    seen["metres"] = sorted(metres.values())
    seen["own_speed"] = own.get_velocity().length()
    for sensor in sensors:
        sensor.stop()
    seen["frames"] = {
        name: [len(got), all(frame == first + k for k, (frame, _) in enumerate(got)), max(size for _, size in got)]
        for name, got in frames.items()
    }
    seen["mass"] = cars[0].get_physics_control().mass
    seen["lights"] = len(world.get_actors().filter("traffic.traffic_light"))
    client.apply_batch_sync([carla.command.DestroyActor(a.id) for a in sensors + cars + [own]], False)
    world.tick()
    seen["left"] = len(world.get_actors().filter("vehicle.*"))
    manager.shut_down()
    print(json.dumps(seen), flush=True)
    os._exit(0)  # the library's threads have nothing left to do


main()
