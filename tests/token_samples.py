"""A small codebook, and token policies over made-up observations, for tests."""

from __future__ import annotations

import numpy as np

from agents.policy import Rows
from agents.token_policy import TokenPolicy, TokenPolicyConfig
from agents.token_view import view_shape
from agents.tokens.codebook import SegmentCodebook
from agents.tokens.poses import compose


def small_codebook(length: int = 1) -> SegmentCodebook:
    """Seven speeds 0..12 m/s times five curvatures, held for half a second."""
    segments = []
    for speed in (0.0, 1.0, 2.5, 4.5, 7.0, 9.5, 12.0):
        for curvature in (-0.12, -0.04, 0.0, 0.04, 0.12):
            way = 0.1 * speed
            pose, found = np.zeros(3), []
            for _ in range(5):
                pose = compose(pose, np.array([way, 0.5 * curvature * way**2, curvature * way]))
                found.append(pose)
            segments.append(found)
    return SegmentCodebook(np.array(segments), 0.1, length, "k-means")


def made_up_rows(count: int, seed: int = 0) -> Rows:
    """Rows as the vector observation gives them."""
    draws = np.random.default_rng(seed)
    return {
        "ego": draws.normal(size=(count, 36)).astype(np.float32),
        "actors": draws.normal(size=(count, 16, 8)).astype(np.float32),
        "actors_mask": draws.random((count, 16)) < 0.5,
        "speed": draws.uniform(0.0, 12.0, count),
    }


def small_policy(length: int = 1, width: int = 32, seed: int = 0, layers: int = 1) -> TokenPolicy:
    """Untrained, for the vector observation."""
    config = TokenPolicyConfig(width=width, layers=layers, heads=2, seed=seed)
    return TokenPolicy(config, small_codebook(length), view_shape(made_up_rows(2)))
