"""docs/environments.md names everything that can be chosen, and its tables say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import gymnasium as gym
import pytest
from sim_world import smoke

from envs import RouteVectorEnv
from envs.actions import ACTIONS
from envs.observations import vector
from envs.observations.registry import OBSERVATIONS
from envs.rewards import PRESETS, TERMS
from leaderboard_adapters.records import INFRACTION_NAMES

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "environments.md").read_text()


def test_ids_and_names_are_documented() -> None:
    for name in [i for i in gym.registry if i.startswith("RouteGym/") and "Carla" not in i]:
        assert f"`{name}`" in TEXT
    for name in (*ACTIONS, *OBSERVATIONS):
        assert f'`"{name}"`' in TEXT, name
    for name in PRESETS:
        assert f"`{name}`" in TEXT, name


def test_the_table_of_terms_is_the_codes() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", TEXT.split("| term |")[1].split("\n\n")[0], re.MULTILINE))
    lists = [name for name in INFRACTION_NAMES if name != "min_speed_infractions"]
    assert rows == {name: meaning for name, meaning in TERMS.items() if name not in lists}


@pytest.mark.parametrize("name", ["control", "vehicle_control", "grid", "trajectory", "route_speed", "meta", "path"])
def test_the_table_of_actions_has_their_spaces(name: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f'| `"{name}"`'))
    space = RouteVectorEnv(1, smoke(), action=name).single_action_space
    if isinstance(space, gym.spaces.Discrete):
        assert f"Discrete({space.n})" in row
    else:
        assert str(space.shape) in row


def test_the_table_of_the_vector_reaches_its_last_index() -> None:
    table = TEXT.split("| index | meaning |")[1].split("\n\n")[0]
    first, per = re.findall(r"^\| (\d+) \+ (\d+)k", table, re.MULTILINE)[-1]
    assert int(first) + 15 * int(per) == vector.SIZE - 1
    assert f"float32[{vector.SIZE}]" in TEXT


def test_observations_stay_within_the_documented_bounds() -> None:
    env = RouteVectorEnv(len(smoke().routes), smoke())
    observations, _ = env.reset(seed=0, options={"route": list(range(len(smoke().routes)))})
    rows = re.findall(r"^\| ([\d, ]+) \|[^|]*\| (\S+) \| (\S+) \|", TEXT.split("| index | meaning |")[1], re.MULTILINE)
    bounds = {int(i): (float(low), float(high)) for index, low, high in rows for i in index.split(",")}
    assert len(bounds) == 12
    env.action_space.seed(0)
    for _ in range(150):
        for index, (low, high) in bounds.items():
            assert (observations[:, index] >= low).all()
            assert (observations[:, index] <= high).all()
        observations = env.step(env.action_space.sample())[0]
