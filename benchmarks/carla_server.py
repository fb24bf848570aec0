"""How fast our CARLA server is under the real client: synchronous ticks a second.

A loop is `apply_batch_sync` (one control a vehicle) and `world.tick()`. Beside it: the same against a server that does
nothing with what it is told (the client's own share), and the sketch that the server grew from. On a busy machine wall
time says little; the processor time that server and client took for a loop is told, too.

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
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

#: Milliseconds a loop of a pure Python sketch of a server on a comparable machine: no sensors, one 800x600 camera.
SKETCH = {1: (0.53, 6.7), 20: (1.60, 7.5), 50: (2.78, 8.5)}
TRIES = 6


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
            self._delta = self.settings.seconds
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


def processor_ms(pid: int) -> float:
    """Processor time that a process has taken so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000.0 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """Times loops: wall time of each, processor time of server and client over all."""

    def __init__(self, server: int) -> None:
        self.server = server
        self.medians: list[float] = []
        self.count = 0
        self.server_ms, self.client_ms = -processor_ms(server), -processor_ms(os.getpid())

    def run(self, loop: Callable[[], None], seconds: float) -> None:
        """Loop for a while."""
        times = []
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            loop()
            times.append(1000.0 * (time.perf_counter() - now))
        self.medians.append(statistics.median(times))
        self.count += len(times)

    def result(self) -> dict[str, Any]:
        """`ms`: median of each repeat; `server_ms`, `client_ms`: processor time a loop."""
        server, client = self.server_ms + processor_ms(self.server), self.client_ms + processor_ms(os.getpid())
        return {"ms": self.medians, "server_ms": server / self.count, "client_ms": client / self.count}


def loops(client: Any, server: int, vehicles: int, seconds: float, repeats: int, camera: bool) -> dict[str, Any]:
    """Batch and tick."""
    import carla

    from tests.carla_servers import destroy_all

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

    def loop() -> None:
        client.apply_batch_sync(commands, False)
        frame = world.tick()
        while camera and (not images or images[-1] < frame):
            time.sleep(0.0002)

    loop()
    watch = Stopwatch(server)
    for _ in range(repeats):
        watch.run(loop, seconds)
    result = watch.result()
    for sensor in sensors:
        sensor.stop()
    destroy_all(client, world, (*sensors, *cars))
    return result


def under_traffic_manager(client: Any, server: int, vehicles: int, seconds: float, repeats: int) -> dict[str, Any]:
    """`world.tick()` while CARLA's Traffic Manager drives."""
    from benchmarks.traffic_manager import spawn_cars
    from tests.carla_servers import destroy_all, free_port

    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    manager = client.get_trafficmanager(free_port())
    manager.set_synchronous_mode(True)
    cars = spawn_cars(client, world, manager, vehicles, 7)
    world.tick()
    watch = Stopwatch(server)
    for _ in range(repeats):
        watch.run(world.tick, seconds)
    result = watch.result()
    destroy_all(client, world, cars)
    manager.shut_down()
    return result


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "ours": partial(loops, camera=False),
    "client alone": partial(loops, camera=False),
    "with a camera": partial(loops, camera=True),
    "traffic manager": under_traffic_manager,
}


def measure(name: str, vehicles: int, seconds: float, repeats: int) -> dict[str, Any]:
    """One cell of the table; `hung` in it: how often the client stood still for ever and was started again.

    The Traffic Manager does (`docs/carla_server.md`): a race of its two threads that fast ticks run into.
    """
    for hung in range(TRIES):
        with suppress(subprocess.TimeoutExpired):
            return measure_once(name, vehicles, seconds, repeats) | {"hung": hung}
    raise RuntimeError(f"{name}, {vehicles} vehicles: the client hung {TRIES} times")


def measure_once(name: str, vehicles: int, seconds: float, repeats: int) -> dict[str, Any]:
    """A server and a client, each in a process of its own; the client ends first."""
    from tests.carla_servers import free_port

    port = free_port()
    server = [sys.executable, "-m", "simulator.carla_server", "--port", str(port), "--quiet"]
    if name == "client alone":
        server = [sys.executable, __file__, "--mute-server", str(port)]
    process = subprocess.Popen(server, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        arguments = ["--measure", name, *map(str, (port, process.pid, vehicles, seconds, repeats))]
        limit = 30.0 + 2.0 * seconds * repeats
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, timeout=limit)
        if done.returncode != 0:
            raise RuntimeError(f"{name}, {vehicles} vehicles: the client failed:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    finally:
        process.terminate()
        process.wait(30)


def run_measure(name: str, port: str, server: str, vehicles: str, seconds: str, repeats: str) -> None:
    """The client's side of `measure`."""
    import carla

    client = carla.Client("127.0.0.1", int(port))
    client.set_timeout(20.0)
    print(json.dumps(MEASURES[name](client, int(server), int(vehicles), float(seconds), int(repeats))), flush=True)
    os._exit(0)  # the client library's threads have nothing left to do


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1, 20, 50])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--camera", action="store_true", help="also with one 800x600 camera")
    parser.add_argument("--only", choices=list(MEASURES), nargs="+", default=None, help="these measures alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mute-server", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=6, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mute_server:
        serve_nothing(options.mute_server)
        return
    if options.measure:
        run_measure(*options.measure)
        return
    names = options.only or [name for name in MEASURES if options.camera or name != "with a camera"]
    print(f"{os.cpu_count()} cores, {options.repeats} x {options.seconds:g} s; ms a loop: median (range)")
    rows = []
    for vehicles in options.vehicles:
        row: dict[str, Any] = {"vehicles": vehicles}
        cells = []
        for name in names:
            try:
                found = row[name] = measure(name, vehicles, options.seconds, options.repeats)
            except RuntimeError as error:
                cells.append(str(error))
                continue
            times = found["ms"]
            cells.append(
                f"{name} {statistics.median(times):.2f} ({min(times):.2f}-{max(times):.2f}), "
                f"processor: server {found['server_ms']:.2f}, client {found['client_ms']:.2f}"
                + (f"; the client hung {found['hung']} times before" if found["hung"] else "")
            )
        if vehicles in SKETCH:
            cells.append(f"sketch {SKETCH[vehicles][0]:.2f}, with a camera {SKETCH[vehicles][1]:.1f}")
        print(f"{vehicles} vehicles:", *cells, sep="\n    ", flush=True)
        rows.append(row)
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "rows": rows}))


if __name__ == "__main__":
    main()
