"""CARLA's own Traffic Manager, in the unmodified client, drives on our server."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.carla_servers import ROOT, free_port, run_client, running

pytest.importorskip("carla")


def test_it_drives_without_contact_on_its_lanes_and_obeys_red_lights():
    done = subprocess.run(
        [sys.executable, "benchmarks/traffic_manager.py", "--vehicles", "15", "--ticks", "600", "--json"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (town,) = json.loads(done.stdout.splitlines()[-1])["towns"]
    assert town["vehicles"] == 15
    assert town["contacts"] == 0
    assert town["red"] == 0
    assert town["kilometres"] > 2.0
    assert town["lane_error_mean"] < 0.3
    assert town["off_lane"] < 0.02


def test_cars_with_sensors_are_taken_away_over_and_over():
    """With `apply_batch_sync(..., True)` in place of `destroy_all` the client waits for itself in the second round."""
    code = """
        from tests.carla_servers import destroy_all
        manager = client.get_trafficmanager(%d)
        manager.set_synchronous_mode(True)
        synchronous(world)
        library = world.get_blueprint_library()
        points = world.get_map().get_spawn_points()
        for repeat in range(12):
            cars = [world.spawn_actor(library.find("vehicle.tesla.model3"), point) for point in points[:150:10]]
            sensors = []
            for car in cars:
                car.set_autopilot(True, manager.get_port())
                sensors.append(world.spawn_actor(library.find("sensor.other.imu"), carla.Transform(), attach_to=car))
                sensors[-1].listen(lambda measurement: None)
            for tick in range(5):
                world.tick()
            for sensor in sensors:
                sensor.stop()
            destroy_all(client, world, (*sensors, *cars))
            assert not len(world.get_actors().filter("vehicle.*"))
        manager.shut_down()
        print(repeat + 1, "times", flush=True)
        """
    with running() as server:
        assert "12 times" in run_client(server, code % free_port())
