"""The server speaks CARLA 0.9.15 to clients of that version; ROUTEGYM_PYTHON_0915 names a Python that has one."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.carla_servers import ROOT, free_port, running

PYTHON = os.environ.get("ROUTEGYM_PYTHON_0915", "")


@pytest.mark.skipif(not PYTHON, reason="ROUTEGYM_PYTHON_0915 names no Python that has carla==0.9.15")
def test_a_client_of_0_9_15_drives_senses_and_runs_its_traffic_manager():
    with running("--protocol", "0.9.15") as server:
        done = subprocess.run(
            [PYTHON, "tests/older_client.py", str(server.port), str(free_port())],
            cwd=ROOT, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["versions"] == ["0.9.15", "0.9.15"]
    assert seen["wheels"] == 4
    assert seen["refused"] == []
    assert seen["metres"][0] > 20.0
    assert seen["own_speed"] > 1.0
    assert seen["mass"] > 1000.0
    assert seen["lights"] > 0
    assert seen["left"] == 0
    pictures = 320 * 180 * 4
    sizes = {"sensor.camera.rgb": pictures, "sensor.camera.semantic_segmentation": pictures}
    for name, (count, every_tick, size) in seen["frames"].items():
        assert (name, count, every_tick) == (name, 600, True)
        assert size == sizes.get(name, size)
