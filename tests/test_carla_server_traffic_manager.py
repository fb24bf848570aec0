"""CARLA's own Traffic Manager, in the unmodified client, drives on our server."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.carla_servers import ROOT

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
