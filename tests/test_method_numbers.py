"""Numbers that the methods must give, worked out by hand from their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.scores import route_scores
from rl.advantages import AdvantageSettings, chain_discounts, group_advantages
from rl.curation import difficulty, in_window, keep_task
from rl.grpo_settings import PRESETS, GrpoSettings, load_settings, recipe
from rl.plan_rewards import goal_reward, preference_reward
from simulator.errors import TrainingError

torch = pytest.importorskip("torch")

from rl import losses  # noqa: E402 - needs torch

REWARDS = np.array([1, 0, 0, 0.5, 1, 0, 0.25, 0.25])


def close(got, wanted, tolerance=1e-5):
    assert np.allclose(np.asarray(got), np.asarray(wanted), atol=tolerance), (got, wanted)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_grpo_divides_by_the_unbiased_deviation():
    wanted = [1.47867, -0.88720, -0.88720, 0.29573, 1.47867, -0.88720, -0.29573, -0.29573]
    close(group_advantages(REWARDS, AdvantageSettings(epsilon=1e-4)), wanted)


def test_dr_grpo_divides_by_nothing_and_rloo_holds_each_against_the_others():
    dr = group_advantages(REWARDS, AdvantageSettings(divisor="none"))
    close(dr, [0.625, -0.375, -0.375, 0.125, 0.625, -0.375, -0.125, -0.125])
    rloo = group_advantages(REWARDS, AdvantageSettings(baseline="others", divisor="none"))
    close(rloo, dr * 8 / 7)
    close(rloo[:2], [0.714286, -0.428571], 1e-6)


def test_a_refined_answer_lifts_a_group_that_failed():
    rewards = np.array([0.0] * 8 + [0.9])
    union = group_advantages(rewards, AdvantageSettings(epsilon=1e-6))
    close(union, [-0.33333] * 8 + [2.66666])
    on_policy = group_advantages(rewards, AdvantageSettings(epsilon=1e-6), counted=np.arange(9) < 8)
    close(on_policy, [0.0] * 8 + [0.9])


def test_anchors_outside_of_the_statistics_have_huge_advantages_unless_clamped():
    rewards = np.array([0.3, 0.4, 0.5, 0.35, 0.45, 0.4, 0.95, 0.05])
    samples = np.arange(8) < 6
    found = group_advantages(rewards, AdvantageSettings(epsilon=0.0), samples)
    close(found, [-1.414, 0, 1.414, -0.707, 0.707, 0, 7.778, -4.950], 1e-3)
    clamped = group_advantages(rewards, AdvantageSettings(epsilon=0.0, clamp=2.0), samples)
    close(clamped[-2:], [2.0, -2.0])


def test_policy_shaping_lets_rare_tokens_learn():
    p = tensor([0.001, 0.01, 0.1, 1.0])
    logp = p.log().requires_grad_()
    value = losses.shaped_objective(logp, torch.ones_like(p), 0.1)
    close(value.detach(), [0.0099, 0.0909, 0.5, 0.9091], 1e-4)
    value.sum().backward()
    close(logp.grad, [0.0098, 0.0826, 0.25, 0.0826], 1e-4)


def test_discounts_of_a_denoising_chain_end_with_one():
    close(chain_discounts(5, 0.6), [0.1296, 0.216, 0.36, 0.6, 1.0])


def test_gspo_takes_the_geometric_mean_of_the_token_ratios():
    logp, mask = tensor([[0.1, -0.2, 0.3]]), torch.ones((1, 3), dtype=torch.float64)
    old = torch.zeros_like(logp)
    close(losses.log_ratio(logp, old, mask, "sequence").exp(), [[1.068939] * 3], 1e-6)
    close(losses.log_ratio(logp, old, mask, "token").exp(), [[1.10517, 0.81873, 1.34986]])


def test_the_gspo_gradient_reaches_each_token():
    logp = tensor([[0.1, -0.2, 0.3]]).requires_grad_()
    losses.log_ratio(logp, torch.zeros_like(logp), torch.ones_like(logp), "sequence").exp().sum().backward()
    close(logp.grad, [[1.068939] * 3], 1e-6)


def test_dpo_loss():
    loss = losses.dpo(tensor([-3.0]), tensor([-2.0]), tensor([-3.5]), tensor([-1.8]), beta=0.1)
    close(loss, [0.658760], 1e-6)


def test_k3_is_never_negative():
    reference = tensor([-0.5, 0.0, 0.5])
    close(losses.k3(torch.zeros(3, dtype=torch.float64), reference), [0.10653, 0.0, 0.14872])


def test_rewards_of_plans():
    close(goal_reward(np.array([0, 1, 3, 6])), [1, 0.7165, 0.3679, 0.1353], 1e-4)
    close(preference_reward(np.array([0, 0.5, 1.0, 1.5, 4.0]), np.ones(5)), [0, 0.3333, 0.6667, 1, 1], 1e-4)


@pytest.mark.parametrize(
    ("completion", "names", "wanted"),
    [
        (100.0, ("collisions_vehicle", "red_light"), 42.0),
        (80.0, ("collisions_pedestrian",), 40.0),
    ],
)
def test_driving_scores(completion: float, names: tuple[str, ...], wanted: float):
    scores = route_scores(completion, [Infraction(name, "") for name in names])
    close(scores.score_composed, wanted, 1e-9)


@pytest.mark.parametrize(
    ("status", "names", "success"),
    [
        ("Completed", ("min_speed_infractions", "min_speed_infractions"), True),
        ("Perfect", (), True),
        ("Completed", ("min_speed_infractions", "red_light"), False),
        ("Failed - Agent timed out", (), False),
    ],
)
def test_success(status: str, names: tuple[str, ...], success: bool):
    result = RouteResult(
        *("r", "s", "t", "town", None, "save", status), tuple(Infraction(name, "") for name in names),
        *(100.0, 1.0, 100.0, 100.0, 10.0, 1.0),
    )  # fmt: skip
    assert result.success is success


def test_difficulty_of_a_frame_and_its_window():
    assert difficulty([np.array([[40, 20]]), np.array([[60, 60]])]) == 45.0
    assert in_window(45.0, 25, 45)
    assert not in_window(46.0, 25, 45)
    assert not keep_task(0.9, 0.01)
    assert keep_task(0.1, 0.0)
    assert keep_task(0.9, 0.3)


@pytest.mark.parametrize("divisor", ["std", "none", "fixed", "floor"])
def test_a_group_without_spread_teaches_nothing(divisor):
    assert not group_advantages(np.full(6, 0.3), AdvantageSettings(divisor=divisor, constant=0.1)).any()


def test_the_dual_clip_bounds_the_loss_of_bad_decisions():
    ratio, advantage = tensor([[5.0, 0.1, 5.0]]), tensor([[-1.0, -1.0, 1.0]])
    close(losses.clipped_objective(ratio, advantage, 0.2, 0.28), [[-5.0, -0.8, 1.28]])
    close(losses.clipped_objective(ratio, advantage, 0.2, 0.28, dual=3.0), [[-3.0, -0.8, 1.28]])


def test_the_three_ways_to_average():
    values, mask = tensor([[1.0, 0, 0, 0], [3.0, 3.0, 3.0, 3.0]]), tensor([[1.0, 0, 0, 0], [1.0, 1, 1, 1]])
    weight = torch.ones(2, dtype=torch.float64)
    close(losses.aggregate(values, mask, weight, "sequence"), 2.0)
    close(losses.aggregate(values, mask, weight, "token"), 13 / 5)
    close(losses.aggregate(values, mask, weight, "constant", 4), (0.25 + 3.0) / 2)
    close(losses.aggregate(values, mask, tensor([3.0, 1.0]), "sequence"), 6 / 4)


def test_at_the_first_update_all_ratios_give_the_same_gradient():
    old, advantage = tensor([[-1.0, -2.0], [-0.5, -0.1]]), tensor([[1.0, 1.0], [-2.0, -2.0]])
    mask, weight = torch.ones((2, 2), dtype=torch.bool), torch.ones(2, dtype=torch.float64)
    found = []
    for ratio in ("token", "sequence", "none"):
        logp = old.clone().requires_grad_()
        loss, metrics = losses.policy_loss(logp, old, advantage, mask, weight, losses.LossSettings(ratio=ratio))
        loss.backward()
        assert metrics["ratio_min"] == metrics["ratio_max"] == 1.0
        assert metrics["clip_share"] == 0.0
        found.append(logp.grad)
    close(found[0], found[1])
    close(found[0], found[2])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_recipes_make_sense_and_come_back_from_their_file(name: str, tmp_path: Path):
    settings = recipe(name, 4, group_size=4, loss_entropy=0.01)
    path = tmp_path / "settings.json"
    path.write_text(settings.to_json())
    assert load_settings(path) == settings
    assert settings.group.size == 4
    assert settings.loss.max_tokens == (4 if name == "dr_grpo" else 0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"group_size": 1}, "nobody to be judged"),
        ({"loss_ratio": "none", "epochs": 2, "recipe": "custom"}, "REINFORCE"),
        ({"loss_ratio": "sequence", "loss_aggregate": "token", "recipe": "custom"}, "GSPO"),
        ({"loss_clip_low": 1.5}, "clip_low"),
        ({"loss_dual_clip": 1.1}, "dual_clip"),
        ({"loss_max_tokens": 5}, "max_tokens"),
        ({"advantage_divisor": "none"}, "recipe grpo has advantage.divisor std"),
        ({"advantage_baseline": "others", "recipe": "custom"}, "RLOO"),
        ({"advantage_divisor": "fixed", "advantage_constant": 0.0, "recipe": "custom"}, "constant"),
        ({"temperature": 0.0}, "temperature"),
        ({"nonsense": 3}, "nonsense"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, complaint):
    with pytest.raises(TrainingError, match=complaint):
        recipe("grpo", 4, **changes)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(TrainingError, match="known: grpo"):
        recipe("grop", 4)
    with pytest.raises(TrainingError, match="surprise"):
        GrpoSettings.from_json('{"surprise": 1}')
