"""Curricula draw the routes that they should."""

from __future__ import annotations

import numpy as np
import pytest
from sim_world import smoke

from envs import CurriculumConfig, RouteVectorEnv
from envs.curriculum import Curriculum
from envs.vector_env import load_routes
from leaderboard_adapters.records import RouteResult

ROUTES = smoke().routes
TYPES = [prepared.route.scenario_type for prepared in ROUTES]


def result(score: float) -> RouteResult:
    env = RouteVectorEnv(1, smoke())
    env.reset(seed=0)
    found = env.result(0)
    found.score_composed = score
    return found


def drawn(curriculum: Curriculum, count: int = 4000) -> np.ndarray:
    draws = np.random.default_rng(0)
    return np.bincount([curriculum.draw(draws) for _ in range(count)], minlength=len(curriculum.route_ids)) / count


def test_by_default_all_routes_are_drawn_alike() -> None:
    np.testing.assert_allclose(drawn(Curriculum(ROUTES)), 1.0 / len(ROUTES), atol=0.02)


def test_types_can_be_weighed() -> None:
    config = CurriculumConfig(type_weights={name: 0.0 for name in TYPES if name != TYPES[2]} | {TYPES[2]: 3.0})
    assert drawn(Curriculum(ROUTES, config), 50)[2] == 1.0


def test_types_can_count_alike() -> None:
    routes = load_routes("minitown60").routes[:7]
    types = [prepared.route.scenario_type for prepared in routes]
    shares = Curriculum(routes, CurriculumConfig(by_type=True)).probabilities
    for name in set(types):
        assert sum(p for p, t in zip(shares, types, strict=True) if t == name) == pytest.approx(1.0 / len(set(types)))


def test_routes_that_fail_are_drawn_more_often() -> None:
    curriculum = Curriculum(ROUTES, CurriculumConfig(failure=1.0, warm_up=1))
    failed, passed = result(10.0), result(100.0)
    for k in range(len(ROUTES)):
        for _ in range(3):
            curriculum.record(k, failed if k == 4 else passed)
    shares = curriculum.probabilities
    assert shares[4] == pytest.approx(10.0 * shares[0])
    assert curriculum.failures[4] == 1.0
    assert curriculum.scores[0] == 100.0


def test_a_range_of_difficulty_is_kept() -> None:
    curriculum = Curriculum(ROUTES, CurriculumConfig(difficulty=(0.2, 0.8), warm_up=1))
    failed, passed = result(0.0), result(100.0)
    for k in range(len(ROUTES)):
        for n in range(4):
            curriculum.record(k, failed if n < k % 5 else passed)
    shares = curriculum.probabilities
    assert ((shares > 0) == ((curriculum.failures >= 0.2) & (curriculum.failures <= 0.8))).all()
    assert 0 < (shares > 0).sum() < len(ROUTES)


def test_where_nothing_is_as_hard_as_wanted_all_count() -> None:
    curriculum = Curriculum(ROUTES, CurriculumConfig(difficulty=(0.9, 1.0), warm_up=0))
    assert (curriculum.probabilities > 0).all()


def test_an_environment_tells_its_curriculum_how_routes_ended() -> None:
    env = RouteVectorEnv(3, smoke(), curriculum={"failure": 0.5}, tick_cap=10, autoreset_mode="SameStep")
    env.reset(seed=0)
    for _ in range(20):
        env.step(np.zeros((3, 2)))
    assert env.curriculum.attempts.sum() == 9
    assert env.curriculum.failures.max() == 1.0


def test_saved_counts_go_on_with_the_same_routes() -> None:
    def play(env: RouteVectorEnv, steps: int) -> list[str]:
        return [r for _ in range(steps) for r in env.step(np.zeros((2, 2)))[4]["route_id"].tolist()]

    settings = {"curriculum": {"failure": 1.0, "warm_up": 1}, "tick_cap": 4, "autoreset_mode": "SameStep"}
    env = RouteVectorEnv(2, smoke(), **settings)
    env.reset(seed=0)
    play(env, 30)
    saved = env.curriculum.to_json()
    other = RouteVectorEnv(2, smoke(), **settings)
    other.curriculum.load_json(saved)
    assert (other.curriculum.probabilities == env.curriculum.probabilities).all()
    env.reset(seed=9)
    other.reset(seed=9)
    assert play(env, 20) == play(other, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type_weights": {"ParkedObstacles": 1.0}}, "did you mean 'ParkedObstacle'"),
        ({"type_weights": dict.fromkeys(TYPES, 0.0)}, "at least one route"),
        ({"difficulty": (0.9, 0.1)}, "difficulty"),
        ({"failure": 2.0}, "failure"),
        ({"memory": 1.0}, "memory"),
    ],
)
def test_impossible_curricula_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curriculum(ROUTES, CurriculumConfig(**settings))


def test_another_curriculum_is_not_loaded() -> None:
    with pytest.raises(ValueError, match="another failure"):
        Curriculum(ROUTES, CurriculumConfig(failure=0.5)).load_json(Curriculum(ROUTES).to_json())
    with pytest.raises(ValueError, match="version 1"):
        Curriculum(ROUTES).load_json("[]")
