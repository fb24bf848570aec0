"""The path-relative observation: what stands where, and what it remembers."""

from __future__ import annotations

import numpy as np
import pytest

from envs.observations import frenet
from envs.observations.base import allocate
from envs.observations.frenet import FrenetObservation
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from simulator.actors import place_actor
from simulator.blueprints import BLUEPRINTS
from simulator.state import EGO, LightState, Role
from simulator.tracking import path_point

NEAR = frenet._FIRST_NEIGHBOUR


@pytest.fixture(scope="module")
def routes():
    return load_routes("smoke")


@pytest.fixture
def world(routes):
    """One world in which nobody but the ego is about."""
    batch = WorldBatch(routes, 1)
    batch.reset(0, EpisodeStart(0, 5))
    batch.worlds["kind"][0, 1:] = 0
    return batch


def see(batch: WorldBatch, view: FrenetObservation | None = None) -> np.ndarray:
    view = view or FrenetObservation(batch.routes, batch.num_worlds)
    out = allocate(view.space, batch.num_worlds)
    view.write(batch.worlds, out)
    return out[0]


def put(batch: WorldBatch, along: float, beside: float, speed: float = 0.0, blueprint: int = 1) -> int:
    """A vehicle on the path, facing along it."""
    w, slot = batch.worlds[0], 1
    x, y, yaw, _ = path_point(batch.routes.arrays, w["route"], w["path_s"] + along)
    x, y = x - beside * np.sin(yaw), y + beside * np.cos(yaw)
    place_actor(w, slot, blueprint, int(Role.SCENARIO), x, y, 0.0, yaw)
    batch.worlds["speed"][0, slot] = speed
    batch.worlds["vx"][0, slot], batch.worlds["vy"][0, slot] = speed * np.cos(yaw), speed * np.sin(yaw)
    return slot


def test_an_empty_road_is_free_in_every_strip_and_at_every_time(world):
    seen = see(world)
    assert seen.shape == (frenet.SIZE,)
    assert np.isfinite(seen).all()
    assert seen[46:62:4] == pytest.approx(2.0)  # gaps ahead, 60 m
    assert seen[48:62:4] == pytest.approx(2.0)  # gaps behind
    assert seen[62:68] == pytest.approx(2.0)
    assert not seen[NEAR:].any()


def test_a_vehicle_ahead_stands_in_its_strip_with_gap_and_speed(world):
    put(world, 20.0, 0.0, speed=6.0)
    seen = see(world)
    half = BLUEPRINTS[0].half_length + BLUEPRINTS[1].half_length
    assert seen[50] * 30.0 == pytest.approx(20.0 - half, abs=0.2)
    assert seen[51] * 15.0 == pytest.approx(6.0, abs=0.05)
    assert seen[46] * 30.0 == seen[54] * 30.0 == pytest.approx(60.0)  # the strips beside are free
    assert seen[NEAR] * 40.0 == pytest.approx(20.0, abs=0.1)
    assert seen[NEAR + 2] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("beside", "strip"), [(-3.5, 46), (0.0, 50), (3.5, 54)])
def test_the_strip_is_that_of_the_side(world, beside, strip):
    put(world, 15.0, beside)
    gaps = see(world)[46:58:4]
    assert list(gaps < 1.0) == [k == (strip - 46) // 4 for k in range(3)]


def test_whoever_comes_closer_is_forecast_closer(world):
    put(world, 40.0, 0.0, speed=-8.0)
    times = see(world)[62:68]
    assert (np.diff(times) < 0.0).all()


def test_the_next_signal_and_its_colour(routes):
    batch = WorldBatch(routes, 1)
    view = FrenetObservation(routes)
    with_signal = [r for r in range(len(routes.routes)) if (view._points.kind[r] == 0).any()]
    assert with_signal
    batch.reset(0, EpisodeStart(with_signal[0], 5))
    k = int(np.flatnonzero(view._points.kind[with_signal[0]] == 0)[0])
    light, line = view._points.which[with_signal[0], k], view._points.place[with_signal[0], k]
    batch.worlds["path_s"][0] = line - 30.0
    for state, column in ((LightState.RED, 32), (LightState.YELLOW, 33), (LightState.GREEN, 34)):
        batch.worlds["light_state"][0, light] = state
        seen = see(batch, view)
        assert seen[30] == 1.0
        assert seen[31] * 40.0 == pytest.approx(30.0 - batch.worlds["half_length"][0, EGO], abs=1e-3)
        assert [c for c in (32, 33, 34) if seen[c]] == [column]


def test_a_stop_sign_is_remembered_as_done_and_travels_with_a_snapshot(routes):
    view = FrenetObservation(routes, 2)
    with_sign = [r for r in range(len(routes.routes)) if (view._points.kind[r] == 1).any()]
    if not with_sign:
        pytest.skip("no stop sign on these routes")
    batch = WorldBatch(routes, 2)
    for b in range(2):
        batch.reset(b, EpisodeStart(with_sign[0], 5))
    k = int(np.flatnonzero(view._points.kind[with_sign[0]] == 1)[0])
    batch.worlds["path_s"] = view._points.place[with_sign[0], k]
    batch.worlds["tick"] = 10
    batch.worlds["speed"][:, EGO] = [0.0, 3.0]
    out = allocate(view.space, 2)
    view.write(batch.worlds, out)
    assert out[:, 37].tolist() == [1.0, 1.0]
    assert out[:, 38].tolist() == [1.0, 0.0]  # who stood has obeyed
    view.restore(1, view.snapshot(0))
    view.write(batch.worlds, out)
    assert out[1, 38] == 1.0
    batch.reset(0, EpisodeStart(with_sign[0], 5))
    batch.worlds["path_s"][0] = view._points.place[with_sign[0], k] - 20.0
    view.write(batch.worlds, out)
    assert out[0, 38] == 0.0  # a new episode


def test_rows_do_not_depend_on_the_size_of_the_batch(routes):
    batch = WorldBatch(routes, 3)
    for b in range(3):
        batch.reset(b, EpisodeStart(b, 7))
    for _ in range(40):
        batch.tick(np.tile([0.5, 0.0, 0.0], (3, 1)))
    whole = allocate(FrenetObservation(routes, 3).space, 3)
    FrenetObservation(routes, 3).write(batch.worlds, whole)
    for b in range(3):
        alone = WorldBatch(routes, 1)
        alone.restore(0, batch.snapshot(b))
        assert np.array_equal(see(alone), whole[b])
