"""A tiny vision-language model with a camera, from imitation to online GRPO, on the embedded town."""

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

from agents.registry import make_agent  # noqa: E402
from agents.tokens.files import save_tokens  # noqa: E402
from agents.vla.__main__ import main as vla_main  # noqa: E402
from agents.vla.policy import VlaPolicy  # noqa: E402
from envs.vector_env import load_routes  # noqa: E402
from envs.world import EpisodeStart, WorldBatch  # noqa: E402
from rl.grpo import GrpoTrainer  # noqa: E402
from rl.grpo_settings import recipe  # noqa: E402
from rl.sft import train_sft  # noqa: E402
from rl.sft_data import collect_expert  # noqa: E402
from rl.sft_settings import SftSettings  # noqa: E402


@pytest.mark.slow
def test_a_tiny_model_with_a_camera_imitates_then_learns_online_and_is_an_agent(tmp_path: Path):
    routes = load_routes("smoke")
    save_tokens(small_codebook(1), tmp_path / "tokens")
    made = ["--base", "tiny:smolvlm", "--tokens", str(tmp_path / "tokens"), "--out", str(tmp_path / "new")]
    assert vla_main([*made, "--lora-rank", "4", "--width", "64", "--height", "64", "--dtype", "float32"]) == 0
    policy = VlaPolicy.load(tmp_path / "new")
    rides = collect_expert(routes, [(0, 0)], policy.observer, waypoints=5, interval=0.1, every=10)
    assert rides.rows["images"].shape[1:] == (1, 64, 64, 3)
    assert rides.rows["images"].std() > 10.0
    assert rides.rows["history"][5:, :, 0].max() <= 0.1  # where it has been lies behind
    epochs: list[float] = []
    settings = SftSettings(epochs=6, batch=16, learning_rate=1e-2, held_out=0.0)
    train_sft(policy, rides, settings, lambda epoch, measures: epochs.append(measures["train_nll"]))
    assert epochs[-1] < 0.8 * epochs[0]
    chosen = recipe(
        "dr_grpo", 1, group_kind="decision", group_groups=2, group_size=4, group_horizon=20, group_spacing=1,
        updates=2, minibatch=8, learning_rate=1e-3, checkpoint_every=2,
    )  # fmt: skip
    trainer = GrpoTrainer(policy, routes, chosen, tmp_path / "run", train=[0])
    for _ in range(2):
        measures = trainer.step()
        assert measures["format_failures"] == 0.0
        if measures["steps"]:
            assert abs(measures["ratio_first"] - 1.0) < 1e-5
    policy.save(tmp_path / "policy")
    agent = make_agent(f"vla:{tmp_path / 'policy'}")
    assert make_agent(f"vla:{tmp_path / 'policy'}").policy is agent.policy  # loaded once for all routes
    batch = WorldBatch(routes, 1)
    agent.bind(batch)
    batch.reset(0, EpisodeStart(0, 0))
    agent.reset(0, 0)
    for _ in range(60):
        batch.tick(agent.act())
    costs = agent.inference_costs()
    assert costs["decisions"] == 6
    assert costs["format_failures"] == 0
    assert costs["prompt_tokens_per_decision"] > 50.0
    assert np.isfinite(batch.worlds["x"][0, 0])
