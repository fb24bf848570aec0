"""The token policy: what it says, how likely it says it was, and what it does when its numbers go wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from token_samples import made_up_rows, small_codebook, small_policy

from agents.policy import pick, take_rows
from agents.token_policy import TokenPolicy
from envs.vector_env import load_routes
from simulator.errors import AgentError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from agents.token_agent import TokenAgent  # noqa: E402 - needs torch
from rl.held_out import drive_all, score_of  # noqa: E402
from rl.losses import LossSettings, policy_loss  # noqa: E402


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_recomputed_log_probabilities_are_those_of_sampling(length: int, temperature: float):
    policy, rows = small_policy(length), made_up_rows(6)
    uniforms = np.random.default_rng(1).random((6, 4, length))
    said = policy.act(rows, uniforms, n=4, temperature=temperature)
    assert said.tokens.shape == (24, length)
    again = {name: np.repeat(array, 4, axis=0) for name, array in rows.items()}
    lp = policy.logp(again, said.tokens, said.mask, temperature=temperature)
    assert np.abs(lp.logp.detach().numpy() - said.logp).max() < 1e-5
    assert np.abs(lp.entropy.detach().numpy() - said.entropy).max() < 1e-4
    old, advantage = torch.from_numpy(said.logp), torch.ones(24, length)
    _, metrics = policy_loss(lp.logp, old, advantage, lp.mask, torch.ones(24), LossSettings())
    assert abs(metrics["ratio_max"] - 1.0) < 1e-5
    assert abs(metrics["ratio_min"] - 1.0) < 1e-5


def test_the_same_numbers_give_the_same_decision_whoever_else_is_asked():
    policy, rows = small_policy(2), made_up_rows(8)
    uniforms = np.random.default_rng(2).random((8, 1, 2))
    together = policy.act(rows, uniforms)
    for k in range(8):
        alone = policy.act(take_rows(rows, np.array([k])), uniforms[k : k + 1])
        assert np.array_equal(alone.tokens[0], together.tokens[k])
        assert np.allclose(alone.logp[0], together.logp[k], atol=1e-5)


def test_without_numbers_it_says_the_likeliest():
    policy, rows = small_policy(1), made_up_rows(5)
    said = policy.act(rows)
    every = np.arange(policy.tokens.size)
    for k in range(5):
        row = {name: np.repeat(array[k : k + 1], len(every), axis=0) for name, array in rows.items()}
        logp = policy.logp(row, every[:, None], np.ones((len(every), 1), bool)).logp.detach().numpy()
        assert said.tokens[k, 0] == logp[:, 0].argmax()
        assert np.isclose(np.exp(logp).sum(), 1.0, atol=1e-4)


def test_hidden_neighbours_do_not_matter():
    policy, rows = small_policy(1), made_up_rows(4)
    other = {**rows, "actors": np.where(rows["actors_mask"][..., None], rows["actors"], 99.0).astype(np.float32)}
    assert np.allclose(policy.act(rows).logp, policy.act(other).logp, atol=1e-6)


def test_drawing_follows_the_probabilities():
    p = np.array([[0.5, 0.0, 0.3, 0.2]])
    drawn = pick(np.repeat(p, 20000, axis=0), (np.arange(20000) + 0.5) / 20000)
    assert np.allclose(np.bincount(drawn, minlength=4) / 20000, p[0], atol=1e-3)


def test_logits_that_are_not_finite_are_a_format_failure():
    policy, rows = small_policy(2), made_up_rows(3)
    rows["ego"][1] = np.nan
    said = policy.act(rows, np.full((3, 1, 2), 0.5))
    assert said.valid.tolist() == [True, False, True]
    assert said.reasons[1] == "logits are not finite"
    assert np.isfinite(said.logp).all()
    assert not said.trajectories[1].any()


def test_it_comes_back_from_disk(tmp_path: Path):
    policy, rows = small_policy(2, seed=3), made_up_rows(4)
    policy.fit_scale(made_up_rows(100, seed=5))
    policy.save(tmp_path)
    again = TokenPolicy.load(tmp_path)
    uniforms = np.random.default_rng(0).random((4, 1, 2))
    assert np.array_equal(policy.act(rows, uniforms).logp, again.act(rows, uniforms).logp)
    assert again.size() == policy.size()
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(AgentError, match="no token policy"):
        TokenPolicy.load(tmp_path)


def test_what_hardly_varied_in_the_data_is_not_blown_up_where_it_does():
    policy, data, rows = small_policy(1), made_up_rows(100, seed=5), made_up_rows(4)
    data["ego"][:, 0] = 0.0
    policy.fit_scale(data)
    said = []
    for value in (0.0, 0.9, 1.0, 50.0):  # ten deviations of the least size are 1.0
        rows["ego"][:, 0] = value
        said.append(policy.act(rows).logp)
    assert not np.array_equal(said[1], said[2])
    assert np.array_equal(said[2], said[3])


def test_the_reference_stays_as_it_was():
    policy, rows = small_policy(1), made_up_rows(4)
    policy.freeze_reference()
    tokens, mask = np.zeros((4, 1), np.int64), np.ones((4, 1), bool)
    before = policy.logp(rows, tokens, mask).logp.detach()
    with torch.no_grad():
        for parameter in policy.trainable():
            parameter += 0.1 * torch.randn_like(parameter)
    with policy.reference():
        assert torch.allclose(policy.logp(rows, tokens, mask).logp.detach(), before, atol=1e-5)
    assert not torch.allclose(policy.logp(rows, tokens, mask).logp.detach(), before, atol=1e-3)


def test_every_part_of_the_network_learns():
    policy, rows = small_policy(2), made_up_rows(8)
    lp = policy.logp(rows, np.random.default_rng(0).integers(35, size=(8, 2)), np.ones((8, 2), bool))
    (lp.logp.sum() + policy.value(rows).sum()).backward()
    assert [name for name, p in policy.net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_tokens_of_like_motion_begin_alike():
    book = small_codebook()
    policy = small_policy(1)
    table = (policy.net.embedding.weight + policy.net.geometry(policy.net.features)).detach().numpy()
    near = np.linalg.norm(table[17] - table[16])  # the same speed, a little less curved
    far = np.linalg.norm(table[34] - table[0])
    assert book.size == 35
    assert near < far


def test_the_policy_that_ships_drives():
    routes = load_routes("smoke")
    agent = TokenAgent(str(Path(__file__).parent.parent / "rl" / "checkpoints" / "minitown-grpo-1"))
    results = drive_all(agent, routes, [(k, 0) for k in range(len(routes.routes))])
    assert score_of(results).driving_score > 55.0
