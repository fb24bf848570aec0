"""The commands relative to the path: speeds are reached, offsets are held, nonsense is refused."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions.route_command import CHOICES, FULL_SPEED, MAX_OFFSET, SHIFT, RouteCommands
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from simulator.state import EGO

KEEP = 1


@pytest.fixture(scope="module")
def routes():
    return load_routes("smoke")


@pytest.fixture
def world(routes):
    """A world without others, and its commands."""
    batch = WorldBatch(routes, 1)
    batch.reset(0, EpisodeStart(0, 3))
    batch.worlds["kind"][0, 1:] = 0
    batch.worlds["bg_enabled"] = 0
    return batch, RouteCommands(batch)


def drive(batch, commands, speed, shift, decisions):
    for _ in range(decisions):
        commands.decide(np.array([[speed, shift]]))
        for _ in range(4):
            commands.control()
            batch.tick(commands.controls)


def test_full_speed_follows_the_path_at_the_limit(world):
    batch, commands = world
    drive(batch, commands, FULL_SPEED, KEEP, 40)
    lane = batch.worlds["lane"][0, EGO]
    limit = batch.routes.network.arrays.lane_speed_limit[lane]
    assert batch.worlds["speed"][0, EGO] == pytest.approx(limit, rel=0.15)
    assert abs(batch.worlds["path_offset"][0]) < 0.3


def test_speed_zero_stands_still(world):
    batch, commands = world
    drive(batch, commands, FULL_SPEED, KEEP, 20)
    drive(batch, commands, 0, KEEP, 25)
    assert batch.worlds["speed"][0, EGO] < 0.05


@pytest.mark.parametrize(("shift", "sign"), [(0, -1), (2, 1)])
def test_shifts_add_up_and_the_offset_is_reached_and_held(world, shift, sign):
    batch, commands = world
    drive(batch, commands, 3, KEEP, 10)
    drive(batch, commands, 3, shift, 3)
    drive(batch, commands, 3, KEEP, 20)
    assert commands.offsets[0] == pytest.approx(sign * 3 * SHIFT)
    assert batch.worlds["path_offset"][0] == pytest.approx(sign * 3 * SHIFT, abs=0.3)
    drive(batch, commands, 3, shift, 20)
    assert commands.offsets[0] == sign * MAX_OFFSET


def test_memory_travels_with_snapshots_and_ends_with_the_episode(world):
    batch, commands = world
    commands.decide(np.array([[4, 2]]))
    kept = commands.snapshot(0)
    commands.decide(np.array([[4, 2]]))
    commands.restore(0, kept)
    assert commands.offsets[0] == SHIFT
    commands.begin(0)
    assert commands.offsets[0] == 0.0


@pytest.mark.parametrize("choice", [[-1, 0], [CHOICES[0], 0], [0, 3]])
def test_choices_that_do_not_exist_are_refused(world, choice):
    with pytest.raises(ValueError, match="choices must be"):
        world[1].decide(np.array([choice]))
