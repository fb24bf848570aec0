"""Online GRPO on the smoke routes: groups, what they teach, and runs that stop and go on."""

from __future__ import annotations

import dataclasses
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

from rl.group_members import Member, set_advantages  # noqa: E402 - needs torch
from rl.groups import make_sampler  # noqa: E402
from rl.grpo import GrpoTrainer  # noqa: E402
from rl.grpo_settings import GrpoSettings, recipe  # noqa: E402
from rl.single_rides import generalised_advantages  # noqa: E402


@pytest.fixture(scope="module")
def routes() -> RouteBatch:
    return load_routes("smoke")


def settings(kind: str, **changes) -> GrpoSettings:
    few = {"group_groups": 2, "group_size": 3, "group_max_seconds": 4.0, "group_horizon": 20, "group_stagger": 0.0}
    changes = {**few, **changes}
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


def test_first_rides_branch_at_different_times(routes: RouteBatch):
    chosen = settings("decision", group_groups=8, group_stagger=6.0)
    found = make_sampler(small_policy(), routes, [0, 4], chosen).collect(np.random.default_rng(0))
    ticks = {group[0].records[0].tick for group in found.groups}
    assert len(ticks) > 3
    assert all(tick % 10 == 0 and tick <= 120 for tick in ticks)


def test_decisions_on_the_way_are_judged_by_what_came_after_them(routes: RouteBatch):
    chosen = settings("decision", group_credit="all", group_continuation="sample", group_discount=0.9)
    [group, _] = make_sampler(small_policy(), routes, [0, 4], chosen).collect(np.random.default_rng(0)).groups
    set_advantages([group], chosen)
    assert [len(member.records) for member in group] == [2, 2, 2]
    for d, earned in enumerate(np.stack([member.returns(0.9) for member in group], axis=1)):
        advantages = [member.records[d].advantage for member in group]
        assert np.argsort(advantages).tolist() == np.argsort(earned).tolist()
        assert abs(sum(advantages)) < 1e-6
    assert group[0].records[1].tick == group[0].records[0].tick + 10
    first = group[0].earned[0] + 0.9 * group[0].earned[1]
    assert group[0].records[0].value_target == pytest.approx(first)


def test_what_is_left_of_a_route_counts_for_those_who_are_still_driving(routes: RouteBatch):
    chosen = settings("decision", group_bootstrap=True)
    policy = small_policy()
    policy.add_critic()
    with torch.no_grad():
        policy.critic.value_head.bias.fill_(7.0)
    sampler = make_sampler(policy, routes, [0, 4], chosen)
    [first, second] = sampler.collect(np.random.default_rng(0)).groups
    assert all(member.left > 5.0 for member in first + second)
    without = Member(first[0].task, [], first[0].earned, {}, True, 0.0)
    assert first[0].returns(1.0)[0] == pytest.approx(without.returns(1.0)[0] + first[0].left)


def test_generalised_advantages_of_a_hand_made_ride():
    rewards, values = np.array([[1.0], [0.0], [2.0]]), np.array([[0.5], [1.0], [0.0], [4.0]])
    ended = np.array([[False], [True], [False]])
    last = 2.0 + 0.9 * 4.0 - 0.0
    middle = 0.0 - 1.0  # the ride ended: nothing beyond counts
    first = 1.0 + 0.9 * 1.0 - 0.5 + 0.9 * 0.8 * middle
    assert np.allclose(generalised_advantages(rewards, values, ended, 0.9, 0.8)[:, 0], [first, middle, last])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"group_credit": "all"}, "continuation is sampled"),
        ({"group_kind": "episode", "group_bootstrap": True}, "bootstrap is for decision groups"),
        ({"reward": "nonsense"}, "nonsense"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict, words: str):
    with pytest.raises(TrainingError, match=words):
        settings(changes.pop("group_kind", "decision"), **changes)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("episode", {}),
        ("decision", {"final_rate": 0.1}),
        ("single", {"group_rollout": 5, "group_value_warmup": 0}),
        # A window of PDMS takes 40 states of 0.1 s: the first ends in the second half.
        ("single", {"group_rollout": 25, "group_value_warmup": 0, "reward": "pdms"}),
    ],
)
def test_a_resumed_run_ends_with_the_same_weights(kind: str, changes: dict, routes: RouteBatch, tmp_path: Path):
    chosen = settings(kind, loss_kl=0.05, **changes)
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


def test_an_update_ends_where_the_policy_has_gone_far_enough(routes: RouteBatch, tmp_path: Path):
    free = settings("episode", epochs=4, learning_rate=1e-2)
    held = dataclasses.replace(free, target_kl=1e-3)
    steps = {}
    for name, chosen in (("free", free), ("held", held)):
        steps[name] = GrpoTrainer(small_policy(), routes, chosen, tmp_path / name, train=[0, 4]).step()["steps"]
    assert steps["free"] == 4 * 3  # 48 decisions
    assert steps["held"] < steps["free"]


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
    progress = [trainer.step()["reward_completion"] for _ in range(chosen.updates)]
    assert np.mean(progress[-3:]) > np.mean(progress[:2]) + 0.1
