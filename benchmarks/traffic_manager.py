"""CARLA's own Traffic Manager, in the unmodified client, drives vehicles on our server: contacts, red lights, lanes.

`python benchmarks/traffic_manager.py [--towns MiniTown Town04] [--maps DIR] [--vehicles 50] [--ticks 6000] [--json]`
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SECONDS = 0.05  # of a tick
LANE_EVERY = 10  # ticks between two looks at every vehicle's lane
STUCK_SECONDS = 90.0  # standing longer than any red light lasts, queue and all


def drive(client: Any, manager_port: int, vehicles: int, ticks: int, seed: int = 7) -> dict[str, Any]:
    """Drive, and watch.

    Returns:
        vehicles, ticks, seconds, contacts (pairs), crossed (stop lines of lights), red (those crossed on red),
        lane_error_mean and lane_error_p99 (m from the lane's centre, outside junctions), off_lane (share of looks at
        which it was over 1 m), moving (share of vehicles that have driven at least 100 m), stuck (vehicles that have
        stood for 90 s at the end, or were taken away by the Traffic Manager for it).
    """
    import carla

    from tests.carla_servers import destroy_all

    world = client.get_world()
    town = world.get_map()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, SECONDS
    world.apply_settings(settings)
    manager = client.get_trafficmanager(manager_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(seed)
    cars = spawn_cars(client, world, manager, vehicles, seed)
    contacts: set[tuple[int, int]] = set()
    blueprint = world.get_blueprint_library().find("sensor.other.collision")
    sensors = []
    for car in cars:
        sensor = world.spawn_actor(blueprint, carla.Transform(), attach_to=car)
        sensor.listen(lambda event: contacts.add(tuple(sorted((event.actor.id, event.other_actor.id)))))
        sensors.append(sensor)
    watch = RedLights(world)
    errors: list[float] = []
    number = len(cars)
    travelled = dict.fromkeys((car.id for car in cars), 0.0)
    stood = dict.fromkeys((car.id for car in cars), 0.0)
    began = time.perf_counter()
    for tick in range(ticks):
        world.tick()
        snapshot = world.get_snapshot()
        cars = [car for car in cars if snapshot.find(car.id) is not None]  # it takes away those that stand for 90 s
        for car in cars:
            speed = snapshot.find(car.id).get_velocity().length()
            travelled[car.id] += speed * SECONDS
            stood[car.id] = 0.0 if speed > 0.1 else stood[car.id] + SECONDS
        watch.look(cars)
        if tick % LANE_EVERY == 0:
            errors += [e for e in (lane_error(town, car) for car in cars) if e is not None]
    seconds = time.perf_counter() - began
    for sensor in sensors:
        sensor.stop()
    destroy_all(client, world, (*sensors, *cars))
    manager.shut_down()
    errors.sort()
    return {
        "town": town.name.rpartition("/")[2],
        "vehicles": number,
        "ticks": ticks,
        "seconds": round(seconds, 1),
        "contacts": len(contacts),
        "red": watch.crossed,
        "crossed": watch.passed,
        "lane_error_mean": round(statistics.fmean(errors), 3) if errors else 0.0,
        "lane_error_p99": round(errors[int(0.99 * len(errors))], 3) if errors else 0.0,
        "off_lane": round(sum(e > 1.0 for e in errors) / max(len(errors), 1), 4),
        "kilometres": round(sum(travelled.values()) / 1000.0, 2),
        "moving": round(sum(t > 100.0 for t in travelled.values()) / max(number, 1), 3),
        "stuck": number - len(cars) + sum(stood[car.id] > STUCK_SECONDS for car in cars),
    }


def spawn_cars(client: Any, world: Any, manager: Any, vehicles: int, seed: int) -> list[Any]:
    """Cars on spawn points all over the town, under autopilot."""
    import random

    import carla

    draws = random.Random(seed)
    points = world.get_map().get_spawn_points()
    draws.shuffle(points)
    library = [b for b in world.get_blueprint_library().filter("vehicle.*") if b.get_attribute("base_type") == "car"]
    port = manager.get_port()
    batch = []
    for k, point in enumerate(points[:vehicles]):
        blueprint = library[k % len(library)]
        blueprint.set_attribute("role_name", "autopilot")
        after = carla.command.SetAutopilot(carla.command.FutureActor, True, port)
        batch.append(carla.command.SpawnActor(blueprint, point).then(after))
    ids = [answer.actor_id for answer in client.apply_batch_sync(batch, False) if not answer.error]
    world.tick()
    return list(world.get_actors(ids))


def lane_error(town: Any, car: Any) -> float | None:
    """Metres from the centre of the nearest driving lane; None in junctions."""
    location = car.get_location()
    waypoint = town.get_waypoint(location)
    if waypoint is None or waypoint.is_junction:
        return None
    centre = waypoint.transform.location
    return math.hypot(location.x - centre.x, location.y - centre.y)


class RedLights:
    """Who crosses a stop line while its light is red.

    A light's line is where its lane ends before the junction (CARLA's get_stop_waypoints). A car crosses it when its
    centre, on that lane before, goes past. Crossing on red counts from the second second of red on: before, a car may
    have had no room to halt. Where a lane has several lights, for its several turns, all of them must be red.
    """

    def __init__(self, world: Any) -> None:
        lines: dict[tuple[int, int], tuple[list[Any], float, float, float, float]] = {}
        for light in world.get_actors().filter("traffic.traffic_light"):
            for waypoint in light.get_stop_waypoints():
                pose = waypoint.transform
                yaw = math.radians(pose.rotation.yaw)
                place = (round(pose.location.x / 2.0), round(pose.location.y / 2.0))
                fresh: list[Any] = []
                line = lines.setdefault(place, (fresh, pose.location.x, pose.location.y, pose.location.z, yaw))
                line[0].append(light)
        self.lines = list(lines.values())
        self.lights = {light.id: light for line in self.lines for light in line[0]}
        self.red_since: dict[int, int] = {}
        self.before: dict[tuple[int, int], float] = {}
        self.crossed = 0
        self.passed = 0

    def look(self, cars: list[Any]) -> None:
        """After a tick."""
        import carla

        red = carla.TrafficLightState.Red
        for light in self.lights.values():
            self.red_since[light.id] = self.red_since.get(light.id, 0) + 1 if light.state == red else 0
        places = [(car.id, car.get_transform()) for car in cars]
        for k, (lights, x, y, z, yaw) in enumerate(self.lines):
            c, s = math.cos(yaw), math.sin(yaw)
            for car_id, pose in places:
                dx, dy = pose.location.x - x, pose.location.y - y
                if dx * dx + dy * dy > 400.0 or abs(pose.location.z - z) > 3.0:
                    self.before.pop((k, car_id), None)
                    continue
                along, aside = dx * c + dy * s, -dx * s + dy * c
                if abs(aside) > 1.75 or math.cos(math.radians(pose.rotation.yaw) - yaw) < 0.7:
                    self.before.pop((k, car_id), None)
                    continue
                was = self.before.get((k, car_id))
                self.before[k, car_id] = along
                if was is not None and was < 0.0 <= along:
                    self.passed += 1
                    self.crossed += min(self.red_since[light.id] for light in lights) * SECONDS > 1.0


def main() -> None:
    """Print one row a town."""
    from tests.carla_servers import free_port, running

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--towns", nargs="+", default=["MiniTown"])
    parser.add_argument("--maps", default=None, help="folder of .xodr files")
    parser.add_argument("--vehicles", type=int, default=50)
    parser.add_argument("--ticks", type=int, default=6000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for town in options.towns:
        maps = ["--maps", options.maps] if options.maps else []
        with running("--town", town, *maps) as server:
            rows.append(drive(server.client(), free_port(), options.vehicles, options.ticks))
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    if options.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "towns": rows}))


if __name__ == "__main__":
    main()
