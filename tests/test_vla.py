"""Vision-language policies on tiny checkpoints of each family, through the code that loads real ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from token_samples import small_codebook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)
#: What transformers no longer wants to be called with is an error here.
pytestmark = pytest.mark.filterwarnings("error::FutureWarning")

from agents.policy import Rows  # noqa: E402 - after the switch to offline
from agents.vla.answers import format_waypoints, read_waypoints, split_think  # noqa: E402
from agents.vla.checkpoint import embedding_matrices, is_tied, load_parts  # noqa: E402
from agents.vla.policy import VlaConfig, VlaPolicy  # noqa: E402
from agents.vla.tiny import TINY_FAMILIES, make_tiny_checkpoint  # noqa: E402
from rl.losses import LossSettings, policy_loss  # noqa: E402
from simulator.errors import AgentError  # noqa: E402


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for family in TINY_FAMILIES:
        make_tiny_checkpoint(family, folder / family, width=64)
    make_tiny_checkpoint("qwen2_5_vl", folder / "tied", tied=True)
    return folder


def made_up_rows(count: int, cameras: int = 1, seed: int = 0) -> Rows:
    """Observations whose prompts have different lengths."""
    draws = np.random.default_rng(seed)
    return {
        "images": draws.integers(0, 255, (count, cameras, 96, 96, 3), dtype=np.uint8),
        "command": np.array([1 + k % 6 for k in range(count)]),
        "speed": draws.uniform(0.0, 9.0, count) * (1.0 + 99.0 * (np.arange(count) % 2)),
        "acceleration": draws.normal(size=count),
        "points": draws.normal(size=(count, 2, 2)),
        "history": draws.normal(size=(count, 3, 2)),
    }


def some(rows: Rows, at: int) -> Rows:
    return {name: array[at : at + 1] for name, array in rows.items()}


def repeated(rows: Rows, n: int) -> Rows:
    return {name: np.repeat(array, n, axis=0) for name, array in rows.items()}


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_recomputed_log_probabilities_are_those_of_sampling(family: str, checkpoints: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / family)), VlaConfig(), small_codebook(3))
    rows = made_up_rows(2, cameras=2)
    uniforms = np.random.default_rng(0).random((2, 2, 3))
    said = policy.act(rows, uniforms, n=2, temperature=0.3)  # cold: small differences of logits show
    assert said.valid.all()
    assert said.tokens.min() >= policy.parts.action_low
    assert said.tokens.max() < policy.parts.action_high
    now = policy.logp(repeated(rows, 2), said.tokens, said.mask, temperature=0.3)
    assert np.abs(now.logp.detach().numpy() - said.logp).max() < 1e-5
    assert np.abs(now.entropy.detach().numpy() - said.entropy).max() < 1e-4
    _, metrics = policy_loss(
        now.logp, torch.from_numpy(said.logp), torch.ones(4, 3), now.mask, torch.ones(4), LossSettings()
    )
    assert abs(metrics["ratio_max"] - 1.0) < 1e-5
    assert abs(metrics["ratio_min"] - 1.0) < 1e-5
    # a left-padded batch says what each says alone
    assert len(set(said.prompt_tokens)) > 1
    for k in range(2):
        alone = policy.act(some(rows, k), uniforms[k : k + 1], n=2, temperature=0.3)
        assert np.array_equal(alone.tokens, said.tokens[2 * k : 2 * k + 2])
        assert np.abs(alone.logp - said.logp[2 * k : 2 * k + 2]).max() < 1e-5


@pytest.mark.parametrize("answer", ["tokens", "text"])
@pytest.mark.parametrize("family", ["qwen3_vl", "smolvlm"])
def test_thinking_first_keeps_the_log_probabilities(family: str, answer: str, checkpoints: Path):
    config = VlaConfig(answer=answer, think=True, max_think=5, max_text=6)  # type: ignore[arg-type]
    policy = VlaPolicy(load_parts(str(checkpoints / family)), config, small_codebook(2))
    rows = made_up_rows(2)
    said = policy.act(rows, np.random.default_rng(1).random((2, 1, policy.sample_size)), temperature=0.9)
    now = policy.logp(rows, said.tokens, said.mask, temperature=0.9)
    assert np.abs(now.logp.detach().numpy() - said.logp).max() < 1e-5
    if answer == "tokens":
        assert said.valid.all()
        assert (said.tokens[:, :5] < policy.parts.action_low).all()  # five tokens of thought, then the answer
        assert (said.tokens[:, 5:7] >= policy.parts.action_low).all()
    else:
        assert not said.valid.any()  # an untrained model writes garbage
        assert set(said.reasons) <= {"no waypoints", "too few waypoints"}


@pytest.mark.parametrize("family", ["qwen2_5_vl", "tied", "internvl"])
def test_lora_trains_adapters_and_action_rows_alone(family: str, checkpoints: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / family)), VlaConfig(lora_rank=4), small_codebook(2))
    assert is_tied(policy.model) == (family == "tied")
    rows = made_up_rows(2)
    said = policy.act(rows, np.random.default_rng(2).random((2, 1, 2)))
    with policy.reference():
        before = policy.logp(rows, said.tokens, said.mask).logp.detach()
    actions = [value for name, value in policy.state().items() if name.startswith("action_rows.")]
    assert len(actions) == (1 if family == "tied" else 2)
    frozen = {name: p.detach().clone() for name, p in policy.model.named_parameters() if not p.requires_grad}
    optimiser = torch.optim.AdamW(list(policy.trainable()), lr=1e-2, weight_decay=0.0)
    for _ in range(2):
        loss = -policy.logp(rows, said.tokens, said.mask).logp.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    now = policy.state()
    assert not any(torch.equal(now[f"action_rows.{k}"], rows) for k, rows in enumerate(actions))
    assert {matrix.requires_grad for matrix in embedding_matrices(policy.model)} == {False}
    assert all(torch.equal(p, frozen[name]) for name, p in policy.model.named_parameters() if name in frozen)
    with policy.reference():
        assert torch.allclose(policy.logp(rows, said.tokens, said.mask).logp.detach(), before, atol=1e-6)
    after = policy.logp(rows, said.tokens, said.mask).logp.detach()
    assert after.mean() > before.mean() + 0.1
    total, trained = policy.size()
    assert trained < 0.5 * total


@pytest.mark.parametrize("rank", [0, 4])
def test_it_comes_back_from_disk(rank: int, checkpoints: Path, tmp_path: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / "smolvlm")), VlaConfig(lora_rank=rank), small_codebook(2))
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.trainable():
            parameter += 0.01 * torch.randn(parameter.shape, generator=noise)
    policy.save(tmp_path)
    again = VlaPolicy.load(tmp_path)
    rows = made_up_rows(2)
    uniforms = np.random.default_rng(0).random((2, 1, 2))
    here, there = policy.act(rows, uniforms), again.act(rows, uniforms)
    assert np.array_equal(here.tokens, there.tokens)
    assert np.allclose(here.logp, there.logp, atol=1e-6)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "idefics3", "llava"])
def test_checkpointing_changes_no_gradient(family: str, checkpoints: Path):
    def learned(checkpointing: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        config = VlaConfig(lora_rank=2, checkpointing=checkpointing)
        policy = VlaPolicy(load_parts(str(checkpoints / family)), config, small_codebook(2))
        rows = made_up_rows(2)
        said = policy.act(rows, np.full((2, 1, 2), 0.3))
        found = policy.logp(rows, said.tokens, said.mask).logp
        found.sum().backward()
        return found.detach(), [p.grad for p in policy.trainable() if p.grad is not None]

    (logp, plain), (again, computed_again) = learned(False), learned(True)
    assert torch.equal(logp, again)
    assert len(plain) == len(computed_again) > 2
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, computed_again, strict=True))


def test_adapters_learn_in_float32_on_weights_of_bfloat16(checkpoints: Path):
    parts = load_parts(str(checkpoints / "qwen2_5_vl"), dtype="bfloat16")
    policy = VlaPolicy(parts, VlaConfig(lora_rank=2, dtype="bfloat16"), small_codebook(2))
    assert {p.dtype for p in policy.trainable()} == {torch.float32}
    assert policy.model.get_input_embeddings().weight.dtype == torch.bfloat16
    before = policy.state()
    rows = made_up_rows(2)
    said = policy.act(rows)
    optimiser = torch.optim.AdamW(list(policy.trainable()), lr=1e-6)  # below what bfloat16 can hold
    for _ in range(2):
        optimiser.zero_grad()
        (-policy.logp(rows, said.tokens, said.mask).logp.mean()).backward()
        optimiser.step()
    moved = [name for name, value in policy.state().items() if not torch.equal(value, before[name])]
    assert {"action_rows.0", "action_rows.1"} < set(moved)
    assert any("lora_A" in name for name in moved)


def test_a_large_batch_goes_through_the_model_in_pieces(checkpoints: Path):
    rows, uniforms = made_up_rows(5), np.random.default_rng(0).random((5, 2, 3))
    whole, pieces = (
        VlaPolicy(load_parts(str(checkpoints / "internvl")), VlaConfig(max_batch=most), small_codebook(3))
        for most in (64, 2)
    )
    there, here = whole.act(rows, uniforms, n=2), pieces.act(rows, uniforms, n=2)
    assert np.array_equal(there.tokens, here.tokens)
    assert np.allclose(there.logp, here.logp, atol=1e-5)
    assert np.allclose(there.trajectories, here.trajectories)
    assert len(here.reasons) == len(here.valid) == 10
    with torch.no_grad():
        again = pieces.logp(repeated(rows, 2), here.tokens, here.mask)
    assert np.allclose(again.logp.numpy(), here.logp, atol=1e-5)
    assert again.mask.all()


def test_new_rows_come_behind_spare_ones_and_never_shrink(checkpoints: Path):
    parts = load_parts(str(checkpoints / "qwen2_5_vl"))
    parts.model.resize_token_embeddings(len(parts.tokenizer) + 500, mean_resizing=False)  # spare rows, as Qwen has
    policy = VlaPolicy(parts, VlaConfig(), small_codebook(1))
    assert policy.parts.action_high - policy.parts.action_low == 35
    assert policy.model.get_input_embeddings().weight.shape[0] == policy.parts.action_low + 500
    assert policy.act(made_up_rows(1)).valid.all()


def test_a_checkpoint_with_another_codebook_is_refused(checkpoints: Path, tmp_path: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / "llava")), VlaConfig(), small_codebook(1))
    policy.save(tmp_path)
    parts = load_parts(str(tmp_path / "model"))
    assert (parts.action_low, parts.action_high) == (policy.parts.action_low, policy.parts.action_high)
    book = small_codebook(1)
    book.size = 12
    with pytest.raises(AgentError, match="has 35 action tokens, the codebook 12"):
        VlaPolicy(parts, VlaConfig(), book)


def test_a_regression_head_learns_from_the_pictures(checkpoints: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / "llava")), VlaConfig(answer="regression", waypoints=2))
    rows = made_up_rows(4)
    rows["images"][:2], rows["images"][2:] = 20, 230
    for name in ("command", "speed", "acceleration", "points", "history"):
        rows[name][:] = rows[name][0]
    wanted = torch.zeros(4, 2, 3)
    wanted[:2, :, 0], wanted[2:, :, 0] = 1.0, 3.0
    optimiser = torch.optim.AdamW(list(policy.trainable()), lr=3e-3)
    for _ in range(40):
        loss = (policy.regress(rows) - wanted).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = policy.act(rows)
    assert found.valid.all()
    assert np.abs(found.trajectories[:, :, 0] - wanted[:, :, 0].numpy()).max() < 0.5
    with pytest.raises(AgentError, match="no log-probabilities"):
        policy.logp(rows, found.tokens, found.mask)


def test_logits_that_are_not_finite_are_a_format_failure(checkpoints: Path):
    policy = VlaPolicy(load_parts(str(checkpoints / "smolvlm")), VlaConfig(), small_codebook(1))
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.fill_(float("nan"))
    said = policy.act(made_up_rows(2))
    assert not said.valid.any()
    assert set(said.reasons) == {"logits are not finite"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(1.0, 0.1), (2.0, 0.2)", ""),
        ("<think>(9, 9) is wrong</think> (1,0) (2, -0.5) (3, 0)", ""),
        ("I cannot drive.", "no waypoints"),
        ("(1.0, 0.1)", "too few waypoints"),
        ("(1e9, 2), (3, 4)", "too few waypoints"),
        ("(99999, 2), (3, 4)", "absurd waypoints"),
        ("", "no waypoints"),
    ],
)
def test_written_answers_are_read_or_refused(text: str, reason: str):
    found, why = read_waypoints(text, 2)
    assert why == reason
    assert (found is None) == bool(reason)
    if found is not None:
        assert found[0, 0] == 1.0


def test_waypoints_survive_being_written():
    points = np.array([[1.5, -0.2], [3.0, 0.4]])
    assert np.allclose(read_waypoints(format_waypoints(points), 2)[0], points)
    assert split_think("<think>slow</think>go") == ("slow", "go")


def test_what_is_no_checkpoint_is_said_so(tmp_path: Path):
    with pytest.raises(AgentError, match="no vision-language checkpoint"):
        load_parts(str(tmp_path / "nothing"))
    with pytest.raises(AgentError, match="no vision-language policy"):
        VlaPolicy.load(tmp_path)


def test_rl_through_pictures_learns_a_small_task(checkpoints: Path):
    """Red asks for low tokens, green for high ones; GRPO finds out from rewards alone."""
    policy = VlaPolicy(load_parts(str(checkpoints / "qwen2_5_vl")), VlaConfig(train_vision=True), small_codebook(1))
    optimiser = torch.optim.AdamW(list(policy.trainable()), lr=3e-3, weight_decay=0.0)
    draws = np.random.default_rng(0)
    rows = made_up_rows(2)
    for name in ("command", "speed", "acceleration", "points", "history"):
        rows[name][:] = rows[name][0]
    shares = []
    for _ in range(60):
        pictures = draws.integers(0, 40, rows["images"].shape, dtype=np.uint8)
        pictures[0, ..., 0] += 180
        pictures[1, ..., 1] += 180
        rows["images"] = pictures
        said = policy.act(rows, draws.random((2, 8, 1)), n=8)
        high = (said.tokens[:, 0] - policy.parts.action_low >= 18).reshape(2, 8)
        reward = np.stack([~high[0], high[1]]).astype(float)
        shares.append(reward.mean())
        advantage = torch.tensor((reward - reward.mean(1, keepdims=True)).reshape(16, 1), dtype=torch.float32)
        now = policy.logp(repeated(rows, 8), said.tokens, said.mask)
        loss, _ = policy_loss(
            now.logp, torch.from_numpy(said.logp), advantage, now.mask, torch.ones(16), LossSettings()
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.trainable(), 1.0)
        optimiser.step()
        if len(shares) > 15 and np.mean(shares[-8:]) > 0.9:
            break
    assert np.mean(shares[-8:]) >= 0.75
    assert np.mean(shares[:4]) <= 0.7
