"""How fast our CARLA server is under the real client: synchronous ticks a second.

A loop is `apply_batch_sync` (one control a vehicle) and `world.tick()`. Beside it: the same against a server that does
nothing with what it is told (the client's own share), and the sketch that the server grew from.

`python benchmarks/carla_server.py [--vehicles 1 20 50] [--seconds 5] [--repeats 3] [--json]`
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

#: Milliseconds a loop of a pure Python sketch of a server on a comparable machine: no sensors, one 800x600 camera.
SKETCH = {1: (0.53, 6.7), 20: (1.60, 7.5), 50: (2.78, 8.5)}


def serve_nothing(port: int) -> None:
    """A server whose ticks change nothing but the frame number, and whose batches are answered unread."""
    from dataclasses import replace

    from simulator.carla_server.log import start_log
    from simulator.carla_server.methods import METHODS
    from simulator.carla_server.protocol import WORLD_STREAM
    from simulator.carla_server.server import CarlaServer

    class Mute(CarlaServer):
        def tick(self) -> int:
            self.clock.frame += 1
            self.clock.elapsed += self.settings.seconds
            self.streams.publish(WORLD_STREAM, self.world_frame(), droppable=False)
            return self.clock.frame

    start_log(quiet=True)
    server = Mute(port=port)
    batch = METHODS["apply_batch"]

    def unread(server: Any, commands: Any, tick: Any) -> Any:
        if commands[0][0][0] == 2:  # ApplyVehicleControl
            return [[[1, 0]]] * len(commands)
        return batch.run(server, commands, tick)

    server.rpc.methods["apply_batch"] = replace(batch, run=unread)
    server.serve(lambda: print("it is served", flush=True))


def loops(client: Any, vehicles: int, seconds: float, repeats: int, camera: bool) -> list[float]:
    """Milliseconds a loop, median of each repeat."""
    import carla

    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    library = world.get_blueprint_library()
    blueprint = library.find("vehicle.lincoln.mkz_2020")
    points = world.get_map().get_spawn_points()
    stride = len(points) // vehicles
    cars = [world.spawn_actor(blueprint, point) for point in points[: stride * vehicles : stride]]
    sensors = []
    images: list[int] = []
    if camera:
        place = carla.Transform(carla.Location(x=1.5, z=2.4))
        sensors.append(world.spawn_actor(library.find("sensor.camera.rgb"), place, attach_to=cars[0]))
        sensors[0].listen(lambda image: images.append(image.frame))
    world.tick()
    commands = [carla.command.ApplyVehicleControl(car, carla.VehicleControl(throttle=0.4, steer=0.3)) for car in cars]
    medians = []
    for _ in range(repeats):
        times = []
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            client.apply_batch_sync(commands, False)
            frame = world.tick()
            while camera and (not images or images[-1] < frame):
                time.sleep(0.0002)
            times.append(1000.0 * (time.perf_counter() - now))
        medians.append(statistics.median(times))
    for sensor in sensors:
        sensor.stop()
    client.apply_batch_sync([carla.command.DestroyActor(a) for a in (*sensors, *cars)], True)
    return medians


def under_traffic_manager(client: Any, vehicles: int, seconds: float, repeats: int) -> list[float]:
    """Milliseconds a `world.tick()` while CARLA's Traffic Manager drives."""
    from benchmarks.traffic_manager import spawn_cars
    from tests.carla_servers import free_port

    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    manager = client.get_trafficmanager(free_port())
    manager.set_synchronous_mode(True)
    spawn_cars(client, world, manager, vehicles, 7)
    medians = []
    for _ in range(repeats):
        times = []
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            world.tick()
            times.append(1000.0 * (time.perf_counter() - now))
        medians.append(statistics.median(times))
    manager.shut_down()
    return medians


def mute_server(measure: Callable[[Any], list[float]]) -> list[float]:
    """Measure against `serve_nothing`."""
    import carla

    from tests.carla_servers import free_port

    port = free_port()
    command = [sys.executable, __file__, "--mute-server", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(20.0)
        return measure(client)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1, 20, 50])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--camera", action="store_true", help="also with one 800x600 camera")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mute-server", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mute_server:
        serve_nothing(options.mute_server)
        return
    from tests.carla_servers import running

    rows = []
    print(f"{os.cpu_count()} cores, {options.repeats} x {options.seconds:g} s; ms a loop: median (range)")
    for vehicles in options.vehicles:
        row: dict[str, Any] = {"vehicles": vehicles}

        def measure(client: Any, vehicles: int = vehicles, camera: bool = False) -> list[float]:
            return loops(client, vehicles, options.seconds, options.repeats, camera)

        with running() as server:
            row["ours"] = measure(server.client())
        row["client alone"] = mute_server(measure)
        if options.camera:
            with running() as server:
                row["with a camera"] = measure(server.client(), camera=True)
        with running() as server:
            row["traffic manager"] = under_traffic_manager(
                server.client(), vehicles, options.seconds, options.repeats
            )  # fmt: skip
        cells = [
            f"{name} {statistics.median(times):.2f} ({min(times):.2f}-{max(times):.2f})"
            for name, times in row.items()
            if name != "vehicles"
        ]
        if vehicles in SKETCH:
            cells.append(f"sketch {SKETCH[vehicles][0]:.2f}, with a camera {SKETCH[vehicles][1]:.1f}")
        print(f"{vehicles:3d} vehicles: {'; '.join(cells)}", flush=True)
        rows.append(row)
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "rows": rows}))


if __name__ == "__main__":
    main()
