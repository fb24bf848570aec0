"""The built-in expert: what it does on the road, and that its drives repeat bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from agents.expert import Expert
from agents.expert_memory import Sheet
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import LOG_COLUMNS, EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd


@pytest.fixture(scope="module")
def smoke() -> RouteBatch:
    return load_routes("smoke")


def ride(routes: RouteBatch, chosen: list[int], ticks: int = 4001, *, log: bool = False) -> tuple[WorldBatch, Expert]:
    batch = WorldBatch(routes, len(chosen), log=log)
    expert = Expert()
    expert.bind(batch)
    for b, route in enumerate(chosen):
        batch.reset(b, EpisodeStart(route, seed=7))
        expert.reset(b, 7)
    for _ in range(ticks):
        if batch.finished.all():
            break
        batch.tick(expert.act())
    return batch, expert


def test_every_smoke_route_is_completed_without_a_penalty(smoke: RouteBatch) -> None:
    batch, _ = ride(smoke, list(range(len(smoke.routes))))
    assert set(batch.criteria["finished"]) == {int(RouteEnd.COMPLETED)}
    assert batch.criteria["num_events"].sum() == 0
    assert batch.worlds["num_contacts"].sum() == 0


def test_a_drive_alone_equals_the_same_drive_among_others(smoke: RouteBatch) -> None:
    alone, _ = ride(smoke, [4], ticks=500)
    among, _ = ride(smoke, [0, 1, 2, 3, 4, 5, 6, 7], ticks=500)
    for mine, theirs in zip(alone.state, among.state, strict=True):
        assert mine[0].tobytes() == theirs[4].tobytes()


def test_nothing_on_its_sheet_outlives_a_tick() -> None:
    routes = load_routes("minitown60")
    chosen = [5, 22, 36, 41, 50]  # passing, stepping out, turning, merging, making way

    def drive(ink: float) -> bytes:
        batch = WorldBatch(routes, len(chosen))
        expert = Expert()
        expert.bind(batch)
        for b, route in enumerate(chosen):
            batch.reset(b, EpisodeStart(route, seed=7))
            expert.reset(b, 7)
        for _ in range(500):
            for name in Sheet._fields:
                getattr(expert._sheet, name)[...] = ink
            batch.tick(expert.act())
        return batch.worlds.tobytes()

    assert drive(ink=0) == drive(ink=7)


def test_world_and_memory_copied_together_go_on_alike(smoke: RouteBatch) -> None:
    batch, expert = ride(smoke, [1], ticks=250)
    snapshot, memory = batch.snapshot(0), expert.memory.copy()

    def go_on() -> bytes:
        for _ in range(200):
            batch.tick(expert.act())
        return b"".join(records.tobytes() for records in batch.state)

    first = go_on()
    batch.restore(0, snapshot)
    expert.memory[:] = memory
    assert go_on() == first


def test_it_brakes_gently_and_turns_within_grip(smoke: RouteBatch) -> None:
    """95 % of each ride brakes with less than 4.05 m/s2 (official comfort bound); 98 % turns with less than 8 m/s2."""
    batch, _ = ride(smoke, list(range(len(smoke.routes))), log=True)
    column = {name: k for k, name in enumerate(LOG_COLUMNS)}
    for b in range(batch.num_worlds):
        log = batch.log[b, : int(batch.worlds["tick"][b])]
        yaw, ax, ay = (log[:, column[name]] for name in ("yaw", "ax", "ay"))
        assert np.quantile(ax * np.cos(yaw) + ay * np.sin(yaw), 0.05) > -4.05
        assert np.quantile(np.abs(ay * np.cos(yaw) - ax * np.sin(yaw)), 0.98) < 8.0


@pytest.fixture(scope="module")
def minitown220() -> RouteBatch:
    return load_routes("minitown220")


def routes_of(routes: RouteBatch, kind: str) -> list[int]:
    return [k for k, prepared in enumerate(routes.routes) if prepared.route.scenario_type == kind]


def test_it_keeps_right_of_those_who_invade_its_lane(minitown220: RouteBatch) -> None:
    chosen = routes_of(minitown220, "InvadingTurn")
    batch = WorldBatch(minitown220, len(chosen))
    expert = Expert()
    expert.bind(batch)
    for b, route in enumerate(chosen):
        batch.reset(b, EpisodeStart(route, seed=7))
    furthest = np.zeros(len(chosen))
    while not batch.finished.all():
        batch.tick(expert.act())
        furthest = np.maximum(furthest, np.where(batch.finished, furthest, batch.worlds["path_offset"]))
        assert batch.worlds["num_contacts"].sum() == 0
    assert furthest.min() > 0.3
    assert set(batch.criteria["finished"]) == {int(RouteEnd.COMPLETED)}


def test_it_leaves_a_parking_space_without_a_contact(minitown220: RouteBatch) -> None:
    chosen = routes_of(minitown220, "ParkingExit")
    batch = WorldBatch(minitown220, len(chosen))
    expert = Expert()
    expert.bind(batch)
    for b, route in enumerate(chosen):
        batch.reset(b, EpisodeStart(route, seed=7))
    batch.tick(expert.act())
    assert (batch.worlds["path_offset"] > 2.0).all()  # beside its path, between two cars
    out = np.zeros(len(chosen), bool)
    for _ in range(2000):
        batch.tick(expert.act())
        out |= np.abs(batch.worlds["path_offset"]) < 0.5
        assert batch.worlds["num_contacts"].sum() == 0
    assert out.all()
