"""Tokens in closed loop: the expert's plans, said in tokens and tracked, complete a route."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agents.registry import make_agent
from agents.tokens.codebook import SegmentCodebook, fit_k_means
from agents.tokens.files import save_tokens
from agents.tokens.rides import cut_trajectories, drive_rides, mirrored
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd


def test_the_expert_drives_through_tokens_of_its_own_ride(tmp_path: Path):
    routes = load_routes("smoke")
    ride = next(drive_rides(routes, [0], width=1))
    segments, _ = cut_trajectories([ride], 5, 0.1)
    both = np.concatenate([segments, mirrored(segments)])
    save_tokens(SegmentCodebook(fit_k_means(both, 400, 0), 0.1, 2, "k-means"), tmp_path)
    agent = make_agent(f"expert-tokens:{tmp_path}")
    batch = WorldBatch(routes, 1)
    agent.bind(batch)
    batch.reset(0, EpisodeStart(0, 0))
    agent.reset(0, 0)
    while not batch.finished.all():
        batch.tick(agent.act())
    assert batch.criteria["finished"][0] == RouteEnd.COMPLETED
    costs = agent.inference_costs()
    assert costs["format_failures"] == 0
    assert costs["tokens_per_decision"] == 2.0
