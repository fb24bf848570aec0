"""Online GRPO on the smoke routes: groups, what they teach, and runs that stop and go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from token_samples import small_policy

from envs.routes import RouteBatch
from envs.vector_env import load_routes
from simulator.errors import TrainingError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from rl.groups import make_sampler, set_advantages  # noqa: E402 - needs torch
from rl.grpo import GrpoTrainer  # noqa: E402
from rl.grpo_settings import GrpoSettings, recipe  # noqa: E402


@pytest.fixture(scope="module")
def routes() -> RouteBatch:
    return load_routes("smoke")


def settings(kind: str, **changes) -> GrpoSettings:
    changes = {"group_groups": 2, "group_size": 3, "group_max_seconds": 4.0, "group_horizon": 20, **changes}
    return recipe("grpo", 1, group_kind=kind, updates=2, minibatch=16, checkpoint_every=1, **changes)


def test_members_of_an_episode_group_begin_alike_and_end_apart(routes: RouteBatch):
    sampler = make_sampler(small_policy(), routes, [0, 4], settings("episode"))
    found = sampler.collect(np.random.default_rng(0))
    assert [len(group) for group in found.groups] == [3, 3]
    assert found.ticks == 2 * 3 * 80
    for group in found.groups:
        assert len({member.task for member in group}) == 1
        first = [member.records[0].rows["ego"] for member in group]
        assert all(np.array_equal(first[0], each) for each in first)
        assert len({tuple(r.tokens[0] for r in member.records) for member in group}) == 3
        assert [record.tick for record in group[0].records] == list(range(0, 80, 10))


def test_members_of_a_decision_group_share_their_state_and_differ_in_one_decision(routes: RouteBatch):
    chosen = settings("decision")
    sampler = make_sampler(small_policy(), routes, [0, 4], chosen)
    draws = np.random.default_rng(0)
    found = [sampler.collect(draws) for _ in range(2)]
    for collection in found:
        set_advantages(collection.groups, chosen)
        for group in collection.groups:
            assert {len(member.records) for member in group} == {1}
            first = [member.records[0] for member in group]
            assert len({record.tick for record in first}) == 1
            assert all(np.array_equal(first[0].rows["actors"], record.rows["actors"]) for record in first)
            assert abs(sum(record.advantage for record in first)) < 1e-6
    # the rides have gone on in between
    assert found[1].groups[0][0].records[0].tick == 20
    # equal decisions have equal rewards: the copies of a world run alike
    for group in found[0].groups:
        for a in group:
            for b in group:
                if np.array_equal(a.records[0].tokens, b.records[0].tokens):
                    assert a.reward == b.reward


def test_rides_of_a_group_count_alike_however_long(routes: RouteBatch):
    chosen = settings("episode")
    found = make_sampler(small_policy(), routes, [0], chosen).collect(np.random.default_rng(1))
    set_advantages(found.groups, chosen)
    for group in found.groups:
        assert np.allclose([sum(record.weight for record in member.records) for member in group], 1.0)
        assert all(len({record.advantage for record in member.records}) == 1 for member in group)


def test_groups_without_spread_are_dropped_and_counted(routes: RouteBatch):
    policy = small_policy()
    with torch.no_grad():  # sure of one token
        policy.net.embedding.weight.zero_()
        policy.net.geometry.weight.zero_()
        policy.net.embedding.weight[22] = 50.0 * policy.net.norm.bias.new_ones(32)
        policy.net.norm.bias.fill_(1.0)
    chosen = recipe("dapo", 1, group_groups=1, group_size=3, group_max_seconds=2.0, group_oversample=2.0)
    found = make_sampler(policy, routes, [0], chosen).collect(np.random.default_rng(0))
    assert found.groups == []
    assert found.dropped == 2


@pytest.mark.parametrize("kind", ["episode", "decision"])
def test_a_resumed_run_ends_with_the_same_weights(kind: str, routes: RouteBatch, tmp_path: Path):
    chosen = settings(kind, loss_kl=0.05)
    whole, halves = small_policy(), small_policy()
    last = GrpoTrainer(whole, routes, chosen, tmp_path / "whole", train=[0, 4]).run()
    assert abs(last["ratio_first"] - 1.0) < 1e-5
    half = GrpoTrainer(halves, routes, chosen, tmp_path / "half", train=[0, 4])
    half.step()
    half.checkpoint()
    again = small_policy(seed=9)
    resumed = GrpoTrainer(again, routes, chosen, tmp_path / "half", train=[0, 4], resume=True)
    assert resumed.update == 1
    resumed.run()
    for name, value in whole.state().items():
        assert torch.equal(value, again.state()[name]), name
    assert json.loads((tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()[-1])["update"] == 2
    assert list((tmp_path / "whole" / "tensorboard").iterdir())


def test_a_folder_is_not_overwritten_and_settings_do_not_change(routes: RouteBatch, tmp_path: Path):
    trainer = GrpoTrainer(small_policy(), routes, settings("episode"), tmp_path, train=[0])
    with pytest.raises(TrainingError, match="already holds a run"):
        GrpoTrainer(small_policy(), routes, settings("episode"), tmp_path, train=[0])
    trainer.checkpoint()
    with pytest.raises(TrainingError, match="other settings"):
        GrpoTrainer(small_policy(), routes, settings("episode", loss_kl=0.1), tmp_path, train=[0], resume=True)


def test_an_untrained_policy_learns_to_set_off(routes: RouteBatch, tmp_path: Path):
    chosen = recipe(
        "dr_grpo", 1, group_kind="episode", group_groups=2, group_size=12, group_max_seconds=2.5,
        updates=15, minibatch=64, learning_rate=3e-3, loss_entropy=0.01,
    )  # fmt: skip
    trainer = GrpoTrainer(small_policy(), routes, chosen, tmp_path, train=[0])
    progress = [trainer.step()["reward_progress"] for _ in range(chosen.updates)]
    assert np.mean(progress[-3:]) > np.mean(progress[:2]) + 0.2
