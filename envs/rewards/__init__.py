"""Rewards: named terms with weights, computed in kernels over the batch. docs/environments.md has the tables."""

from envs.rewards.presets import PRESETS, make_reward
from envs.rewards.spec import RewardSettings, RewardSpec
from envs.rewards.terms import STOPS, TERMS, register_term

__all__ = ["PRESETS", "STOPS", "TERMS", "RewardSettings", "RewardSpec", "make_reward", "register_term"]
