"""Imitation: decisions of the expert and of its corrections, their files, and policies that drive after them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from token_samples import made_up_rows, small_codebook, small_policy

from agents.token_view import TokenView, view_shape
from agents.tokens.codebook import SegmentCodebook, fit_k_means
from agents.tokens.poses import compose
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from simulator.errors import TrainingError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from agents.policy_agent import PolicyAgent  # noqa: E402 - needs torch
from agents.token_policy import TokenPolicy, TokenPolicyConfig  # noqa: E402
from rl.held_out import drive_all, score_of  # noqa: E402
from rl.sft import balance_weights, split_rides, train_sft  # noqa: E402
from rl.sft_data import DecisionSet, collect_dagger, collect_expert, join_sets, load_sets, save_set  # noqa: E402
from rl.sft_settings import SftSettings  # noqa: E402


@pytest.fixture(scope="module")
def routes() -> RouteBatch:
    return load_routes("smoke")


@pytest.fixture(scope="module")
def rides(routes: RouteBatch) -> DecisionSet:
    """The expert on two routes, half a second ahead, a decision every quarter of a second."""
    return collect_expert(routes, [(0, 0), (4, 0)], lambda batch: TokenView("vector", batch), waypoints=5, interval=0.1)


def made_up_set(count: int, rides: int) -> DecisionSet:
    draws = np.random.default_rng(0)
    plans = draws.normal(size=(count, 5, 3))
    offsets = draws.normal(size=(count, 5))
    return DecisionSet(made_up_rows(count), plans, offsets, draws.integers(rides, size=count), np.arange(count), 0.1)


def test_labels_are_where_the_expert_then_went(rides: DecisionSet):
    first = rides.take(np.flatnonzero(rides.ride == 0))
    assert first.tick[:3].tolist() == [0, 5, 10]
    assert first.rows["speed"][0] == 0.0
    # decisions of half a second, end to end, are the ride
    here = np.zeros(3)
    for row in first.trajectories[::2]:
        here = compose(here, row[-1])
    assert np.hypot(*here[:2]) > 40.0


def test_a_policy_that_has_imitated_two_rides_drives_one_of_them(routes: RouteBatch, rides: DecisionSet):
    both = np.concatenate([rides.trajectories, rides.trajectories * [1.0, -1.0, -1.0]])
    book = SegmentCodebook(fit_k_means(both, 64, 0), 0.1, 1, "k-means")
    policy = TokenPolicy(TokenPolicyConfig(width=48, layers=1, heads=2), book, view_shape(rides.rows))
    seen: list[dict[str, float]] = []
    settings = SftSettings(epochs=60, batch=64, learning_rate=3e-3, held_out=0.0)
    train_sft(policy, rides, settings, lambda epoch, measures: seen.append(measures))
    assert seen[-1]["train_nll"] < 0.4 * seen[0]["train_nll"]
    results = drive_all(PolicyAgent(policy), routes, [(0, 0)])
    assert results[0].score_route > 50.0
    score = score_of(results).document()
    assert score["routes"] == 1
    hit = sum(infraction.name == "collisions_vehicle" for infraction in results[0].infractions)
    km = results[0].route_length / 1000.0 * results[0].score_route / 100.0
    assert score["collisions_vehicle_per_km"] == pytest.approx(hit / km, abs=1e-3)
    assert score["infraction_penalty"] == pytest.approx(results[0].score_penalty, abs=1e-3)


def test_the_expert_corrects_a_student_where_it_has_gone(routes: RouteBatch):
    found = collect_dagger(
        small_policy(1), routes, [(0, 0), (4, 1)], waypoints=5, interval=0.1, max_seconds=3.0, width=2
    )
    assert len(found) == 2 * 6
    assert sorted(set(found.ride)) == [0, 1]
    assert sorted(set(found.tick)) == [0, 10, 20, 30, 40, 50]
    standing = found.rows["speed"] < 0.1
    assert (found.trajectories[standing, -1, 0] < 2.0).all()
    assert np.isfinite(found.trajectories).all()
    # with the expert at the wheel the student's states are the expert's
    expert = collect_dagger(
        small_policy(1), routes, [(0, 0)], waypoints=5, interval=0.1, beta=1.0, max_seconds=3.0, width=1
    )
    assert expert.rows["speed"][-1] > 3.0


def test_a_dataset_comes_back_from_its_shards(tmp_path: Path):
    first, second = made_up_set(50, 3), made_up_set(20, 2)
    save_set(first, tmp_path, {"name": "expert"}, shard=16)
    save_set(second, tmp_path, {"name": "dagger1"}, shard=16)
    again = load_sets(tmp_path)
    assert len(again) == 70
    assert again.ride.max() == 4
    assert np.allclose(again.trajectories, join_sets([first, second]).trajectories, atol=1e-6)
    assert np.allclose(again.offsets[50:], second.offsets, atol=1e-6)
    assert np.array_equal(again.rows["actors"][50:], second.rows["actors"])
    index = json.loads((tmp_path / "index.json").read_text())
    assert [shard["decisions"] for shard in index["shards"]] == [16, 16, 16, 2, 16, 4]
    (tmp_path / index["shards"][1]["file"]).write_bytes(b"changed")
    with pytest.raises(TrainingError, match="SHA-256"):
        load_sets(tmp_path)


def test_whole_rides_are_held_out():
    train, held = split_rides(made_up_set(200, 10), 0.2, np.random.default_rng(0))
    assert len(np.unique(held.ride)) == 2
    assert not set(train.ride) & set(held.ride)


def test_rare_tokens_can_count_more():
    tokens = np.array([3] * 99 + [5])
    weights = balance_weights(tokens, 0.5)
    assert np.isclose(weights.mean(), 1.0)
    assert weights[-1] > 4.0 * weights[0]
    assert (balance_weights(tokens, 0.0) == 1.0).all()


def test_nothing_to_imitate_is_refused(tmp_path: Path):
    with pytest.raises(TrainingError, match="no dataset"):
        load_sets(tmp_path)
    with pytest.raises(TrainingError, match="epochs"):
        train_sft(small_policy(1), made_up_set(10, 2), SftSettings(epochs=0))
    assert small_codebook(1).size == 35
