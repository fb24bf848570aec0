"""A world is its records: the same seed gives the same bits, copies go on alike, nothing is kept elsewhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_world import smoke

from agents.autopilot import Autopilot
from envs.world import LOG_COLUMNS, EpisodeStart, Snapshot, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import infraction_list
from scenarios.director_state import Status
from simulator.state import ACTOR_FIELDS, EGO, MAX_ACTORS

ROOT = Path(__file__).resolve().parent.parent
FLOAT_FIELDS = [name for name, kind in ACTOR_FIELDS if kind is np.float64]


class Drive:
    """A batch of worlds driven by the autopilot, plus a wobble that makes its controls depend on the tick."""

    def __init__(self, routes: list[int], seed: int = 0, log: bool = False) -> None:
        self.batch = WorldBatch(smoke(), len(routes), log=log)
        self._agent = Autopilot()
        self._agent.bind(self.batch)
        for index, route in enumerate(routes):
            self.batch.reset(index, EpisodeStart(route, seed))

    def ticks(self, count: int, wobble: float = 0.02) -> Drive:
        for _ in range(count):
            controls = self._agent.act().copy()
            controls[:, 2] += wobble * np.sin(0.1 * self.batch.worlds["tick"])
            self.batch.tick(controls)
        return self

    def until_scenario(self, index: int = 0) -> Drive:
        """Drive until a scenario of a world runs."""
        for _ in range(1000):
            if (self.batch.directors["status"][index] == Status.ACTIVE).any():
                return self
            self.ticks(1)
        raise AssertionError("no scenario has begun within 1000 ticks")


def bits(batch: WorldBatch, index: int = 0) -> bytes:
    """Every bit of one world."""
    return b"".join(record.tobytes() for record in batch.snapshot(index))


def digest(batch: WorldBatch, index: int = 0) -> str:
    return hashlib.sha256(bits(batch, index)).hexdigest()


def routes() -> range:
    return range(len(smoke().routes))


def route_of(scenario_type: str) -> int:
    """Index of the smoke route with a scenario type."""
    return next(k for k, route in enumerate(smoke().routes) if route.route.scenario_type == scenario_type)


# The same seed


def test_every_route_drives_the_same_bits_twice() -> None:
    for route in routes():
        first, second = Drive([route], seed=5).ticks(400), Drive([route], seed=5).ticks(400)
        assert bits(first.batch) == bits(second.batch), smoke().routes[route].route.id
        assert infraction_list(first.batch.criteria[0]) == infraction_list(second.batch.criteria[0])


def test_another_process_drives_the_same_bits() -> None:
    script = (
        "from test_world import Drive, digest, routes\n"
        "for k in routes():\n"
        "    print(digest(Drive([k], seed=7).ticks(300).batch))\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "PYTHONHASHSEED": "77"}
    there = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, cwd=ROOT, check=True
    )
    here = [digest(Drive([k], seed=7).ticks(300).batch) for k in routes()]
    assert there.stdout.split() == here


def test_a_world_does_not_notice_the_worlds_beside_it() -> None:
    others = [route % len(smoke().routes) for route in range(3, 10)]
    for place in (0, 4, 7):
        for route in (route_of("ParkedObstacle"), route_of("ParkingCutIn")):
            alone = Drive([route], seed=3).ticks(300)
            among = Drive(others[:place] + [route] + others[place:], seed=3).ticks(300)
            assert bits(among.batch, place) == bits(alone.batch)


def test_a_world_does_not_notice_when_the_worlds_beside_it_begin_anew() -> None:
    alone, among = Drive([0], seed=3), Drive([0, 1, 2], seed=3)
    for k in range(6):
        alone.ticks(50)
        among.ticks(50)
        among.batch.reset(1 + k % 2, EpisodeStart(k % 3, k))
    assert bits(among.batch, 0) == bits(alone.batch)


def test_other_seeds_draw_other_worlds() -> None:
    assert len({digest(Drive([0], seed).batch) for seed in range(8)}) == 8


def test_reset_leaves_nothing_of_the_episode_before() -> None:
    used, fresh = Drive([route_of("ControlLoss")], seed=1).ticks(500), Drive([2], seed=9)
    used.batch.reset(0, EpisodeStart(2, 9))
    assert bits(used.batch) == bits(fresh.batch)
    assert bits(used.ticks(200).batch) == bits(fresh.ticks(200).batch)


# Snapshots


@pytest.mark.parametrize("scenario", ["ParkedObstacle", "DynamicObjectCrossing", "ControlLoss", "HardBreakRoute"])
def test_a_restored_world_has_the_same_future(scenario: str) -> None:
    drive = Drive([route_of(scenario)], seed=2).until_scenario().ticks(10)
    snapshot = drive.batch.snapshot(0)
    future = bits(drive.ticks(250).batch)
    drive.batch.restore(0, snapshot)
    assert bits(drive.batch) == b"".join(record.tobytes() for record in snapshot)
    assert bits(drive.ticks(250).batch) == future


def test_a_snapshot_can_be_restored_into_another_place_of_another_batch() -> None:
    drive = Drive([route_of("AccidentTwoWays")], seed=2).until_scenario()
    other = Drive([0, 1, 2, 3], seed=8).ticks(77)
    other.batch.restore(2, drive.batch.snapshot(0))
    assert bits(other.ticks(200).batch, 2) == bits(drive.ticks(200).batch)


def test_a_snapshot_does_not_change_with_its_world() -> None:
    drive = Drive([0]).ticks(50)
    snapshot = drive.batch.snapshot(0)
    before = Snapshot(*(record.copy() for record in snapshot))
    drive.ticks(20)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(snapshot, before))
    assert snapshot.world["tick"] == 50
    assert drive.batch.worlds["tick"][0] == 70


def test_the_end_of_a_route_can_be_undone() -> None:
    drive = Drive([route_of("PedestrianCrossing")]).ticks(100)
    snapshot = drive.batch.snapshot(0)
    drive.batch.finish(0)
    assert drive.batch.finished[0]
    drive.batch.restore(0, snapshot)
    assert not drive.batch.finished[0]
    drive.ticks(1)
    assert drive.batch.worlds["tick"][0] == 101


# Forks


def test_forks_with_equal_controls_stay_equal() -> None:
    drive = Drive([route_of("DynamicObjectCrossing")], seed=4).until_scenario()
    fork = drive.batch.fork(0, 4)
    agent = Autopilot()
    agent.bind(fork)
    for _ in range(250):
        fork.tick(agent.act())
        drive.ticks(1, wobble=0.0)
    assert {bits(fork, k) for k in range(4)} == {bits(drive.batch)}


def test_forks_with_different_controls_part() -> None:
    drive = Drive([route_of("ParkedObstacle")], seed=4).ticks(60)
    before = bits(drive.batch)
    fork = drive.batch.fork(0, 4)
    for _ in range(60):
        fork.tick(np.array([[0.7, 0.0, 0.0], [0.7, 0.0, 0.05], [0.0, 0.4, 0.0], [0.7, 0.0, 0.0]]))
    x = fork.worlds["x"][:, EGO]
    assert bits(fork, 0) == bits(fork, 3)
    assert len({bits(fork, k) for k in range(4)}) == 3
    assert abs(x[2] - x[0]) > 3.0  # who braked is behind
    assert bits(drive.batch) == before  # the parent has not moved


def test_others_react_to_what_a_fork_does() -> None:
    drive = Drive([route_of("HardBreakRoute")], seed=4).ticks(100)
    fork = drive.batch.fork(0, 2)
    for _ in range(100):
        fork.tick(np.array([[0.6, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    moved = (fork.worlds["kind"] != 0).all(axis=0) & (fork.worlds["x"][0] != fork.worlds["x"][1])
    assert moved[1:].sum() >= 2


# Ends


def test_a_world_whose_route_has_ended_stands_still() -> None:
    drive = Drive([0, 1]).ticks(30)
    drive.batch.finish(1)
    before = bits(drive.batch, 1)
    drive.ticks(30)
    assert bits(drive.batch, 1) == before
    assert drive.batch.worlds["tick"].tolist() == [60, 30]
    assert drive.batch.finished.tolist() == [False, True]


def test_nothing_runs_before_reset() -> None:
    batch = WorldBatch(smoke(), 2)
    before = bits(batch)
    batch.tick(np.zeros((2, 3)))
    assert bits(batch) == before
    assert batch.finished.all()


def test_finish_says_why_and_keeps_what_ended_before() -> None:
    drive = Drive([0]).ticks(10)
    drive.batch.finish(0, RouteEnd.AGENT_CRASHED)
    drive.batch.finish(0, RouteEnd.INTERRUPTED)
    assert drive.batch.criteria["finished"][0] == RouteEnd.AGENT_CRASHED


@pytest.mark.parametrize("route", [-1, 1000])
def test_a_route_that_is_not_there_is_refused(route: int) -> None:
    with pytest.raises(IndexError, match="route index"):
        WorldBatch(smoke()).reset(0, EpisodeStart(route, 0))


# What the records hold


def test_copying_a_world_is_copying_its_bytes() -> None:
    drive = Drive([0]).ticks(20)
    assert drive.batch.bytes_per_world == len(bits(drive.batch))
    assert drive.batch.bytes_per_world < 200_000


def test_all_actors_stay_finite_and_in_their_slots_on_every_route() -> None:
    drive = Drive(list(routes()), seed=6)
    for _ in range(60):
        drive.ticks(20)
        w = drive.batch.worlds
        live = w["kind"] != 0
        for name in FLOAT_FIELDS:
            assert np.isfinite(w[name][live]).all(), name
        assert not (live & (np.arange(MAX_ACTORS) >= w["num_slots"][:, None])).any()
        for b in routes():
            ids = w["actor_id"][b][live[b]]
            assert len(set(ids.tolist())) == len(ids)


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**31 - 1),
    pedals=st.lists(st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)), min_size=4, max_size=4),
)
def test_any_driving_keeps_the_world_finite_and_repeatable(seed: int, pedals: list) -> None:
    ends = []
    for _ in range(2):
        batch = WorldBatch(smoke(), 1)
        batch.reset(0, EpisodeStart(seed % len(smoke().routes), seed))
        for pedal, steer in pedals:
            for _ in range(60):
                batch.tick(np.array([[max(pedal, 0.0), max(-pedal, 0.0), steer]]))
        w = batch.worlds[0]
        assert np.isfinite([w[name][w["kind"] != 0] for name in ("x", "y", "z", "yaw", "speed")]).all()
        ends.append(bits(batch))
    assert ends[0] == ends[1]


def test_the_log_holds_the_egos_motion_tick_by_tick() -> None:
    drive = Drive([0], log=True)
    seen = []
    for _ in range(50):
        drive.ticks(1)
        seen.append([float(drive.batch.worlds[name][0, EGO]) for name in LOG_COLUMNS])
    assert drive.batch.log[0, :50].tolist() == seen
    assert (drive.batch.log[0, 50:] == 0.0).all()


def test_logging_changes_nothing() -> None:
    assert bits(Drive([1], log=True).ticks(100).batch) == bits(Drive([1]).ticks(100).batch)
