"""Commands as tokens: which ones lead along a trajectory, and that they drive as the action space of that name does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.following import CommandFollower
from agents.policy import Decisions
from agents.token_view import CommandView
from agents.tokens.commands import CommandTokens
from agents.tokens.files import load_tokens, save_tokens
from envs.actions.registry import make_action
from envs.actions.route_command import CHOICES, SPEEDS
from envs.routes import RouteBatch
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from simulator.state import EGO


@pytest.fixture(scope="module")
def routes() -> RouteBatch:
    return load_routes("smoke")


def straight(speed: float, later: float) -> np.ndarray:
    """float64[1, 8, 3], straight on; the speed after half a second is `later` m/s, and changes evenly."""
    at = np.arange(1, 9) * 0.1
    ways = speed * at + (later - speed) * at**2
    return np.stack([ways, np.zeros(8), np.zeros(8)], axis=1)[None]


def chosen(speed: float, later: float, offset: float = 0.0, wanted: float = 0.0) -> tuple[float, int]:
    """Share of an allowed speed of 10 m/s, and shift."""
    one = (np.array([value]) for value in (speed, 10.0, wanted))
    token = CommandTokens().choose(straight(speed, later), np.full((1, 8), offset), *one)
    return float(SPEEDS[token[0, 0] // CHOICES[1]]), int(token[0, 0] % CHOICES[1]) - 1


def decisions(token: int) -> Decisions:
    tokens = np.array([[token]])
    plain = np.zeros((1, 1), np.float32)
    return Decisions(tokens, plain, plain, np.ones((1, 1), bool), np.ones(1, bool), np.zeros((1, 0, 3)), 0.1, [""])


@pytest.mark.parametrize(
    ("speed", "later", "share"),
    [(10.0, 10.0, 1.0), (6.0, 6.0, 0.6), (0.0, 0.0, 0.0), (8.0, 6.0, 0.4), (4.0, 5.0, 0.6), (10.0, 4.0, 0.0)],
)
def test_the_speed_is_the_one_to_aim_at(speed: float, later: float, share: float):
    assert chosen(speed, later)[0] == share


def test_the_offset_is_shifted_towards_where_the_trajectory_ends():
    assert chosen(8.0, 8.0, offset=-3.0, wanted=0.0)[1] == -1
    assert chosen(8.0, 8.0, offset=-3.0, wanted=-2.8)[1] == 0
    assert chosen(8.0, 8.0, offset=0.0, wanted=-2.8)[1] == 1


def test_commands_drive_as_the_action_space_does(routes: RouteBatch):
    first, second = WorldBatch(routes, 1), WorldBatch(routes, 1)
    follower, actions = CommandFollower(first, np.zeros(1)), make_action("route_command", second)
    for batch in (first, second):
        batch.reset(0, EpisodeStart(0, 0))
    follower.reset(0)
    actions.begin(0)
    for token in [16, 16, 15, 15, 10, 16]:  # speed choice 5 and 3, shift left twice
        follower.install(0, follower.prepare(0, decisions(token), 0))
        actions.decide(np.array([divmod(token, CHOICES[1])]))
        for _ in range(10):
            first.tick(follower.control())
            actions.control()
            second.tick(actions.controls)
    assert first.worlds["speed"][0, EGO] > 2.0
    assert first.worlds["x"][0, EGO] == second.worlds["x"][0, EGO]
    assert follower.wanted[0] == pytest.approx(-1.4)
    # what is wanted is part of what is seen, and of a snapshot
    kept = follower.snapshot(0)
    follower.install(0, (5, 2))
    follower.restore(0, kept)
    assert follower.wanted[0] == pytest.approx(-1.4)


def test_a_ride_of_somebody_else_is_seen_as_if_commands_had_driven_it(routes: RouteBatch):
    batch = WorldBatch(routes, 1)
    batch.reset(0, EpisodeStart(0, 0))
    view = CommandView("frenet", batch)
    row = view.observe(np.array([0]))
    assert row["ego"].shape == (1, 69)
    rows = {name: np.repeat(array, 4, axis=0) for name, array in row.items()}
    again = view.retrace(rows, np.repeat(straight(5.0, 5.0), 4, axis=0), np.full((4, 8), 1.5))
    assert np.allclose(again["wanted"], [0.0, 0.7, 1.4, 1.4])
    assert np.allclose(again["ego"][:, -1], again["wanted"] / 3.5)


def test_commands_are_kept_in_a_folder_like_other_tokens(tmp_path: Path):
    save_tokens(CommandTokens(), tmp_path)
    assert isinstance(load_tokens(tmp_path), CommandTokens)
    with pytest.raises(ValueError, match="relative to the path"):
        CommandTokens().encode(straight(5.0, 5.0), np.array([5.0]))


@pytest.mark.parametrize("flat", [False, True])
def test_a_policy_that_says_commands_drives_from_its_folder(flat: bool, routes: RouteBatch, tmp_path: Path):
    pytest.importorskip("torch")
    from agents.registry import make_agent
    from agents.server import PolicyServer
    from agents.token_agent import TokenAgent
    from agents.token_policy import TokenPolicy, TokenPolicyConfig
    from agents.token_view import make_token_view, view_shape

    batch = WorldBatch(routes, 1)
    batch.reset(0, EpisodeStart(0, 0))
    seen = make_token_view("frenet", CommandTokens(), flat, batch).observe(np.array([0]))
    config = TokenPolicyConfig("frenet", width=16, layers=1, heads=2, decision_ticks=5, flat=flat)
    TokenPolicy(config, CommandTokens(), view_shape(seen)).save(tmp_path)
    agent = TokenAgent(f"{tmp_path},temperature=1.0")
    assert agent.decision_ticks == 5
    agent.bind(batch)
    agent.reset(0, 0)
    heard = []
    agent.listener = lambda due, rows, decisions: heard.append(rows["wanted"][0])
    for _ in range(60):
        batch.tick(agent.act())
    assert len(heard) == 12
    assert len(set(np.round(heard, 3))) > 1
    assert batch.criteria["driven_distance"][0] > 1.0
    again = WorldBatch(routes, 1)
    again.reset(0, EpisodeStart(0, 0))
    with PolicyServer(f"token:{tmp_path}") as server:  # as often, and by the same controllers
        remote = make_agent(f"remote:127.0.0.1:{server.address[1]},temperature=1.0")
        remote.bind(again)
        remote.reset(0, 0)
        for _ in range(60):
            again.tick(remote.act())
    assert remote.inference_costs()["decisions"] == 12
    assert np.array_equal(again.worlds["x"], batch.worlds["x"])
