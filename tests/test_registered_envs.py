"""The registered ids: any town, and files with routes on several towns."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from sim_world import smoke

import envs  # noqa: F401 - registers the ids
from envs import RouteEnv, RouteVectorEnv
from simulator.errors import MissingMapError, RouteFileError

TYPES = ("ParkedObstacle", "HardBreakRoute")


def test_a_town_gets_routes_made_for_it() -> None:
    env = gym.make("RouteGym/Town-v0", town="MiniTown", types=TYPES, routes_seed=4)
    _, info = env.reset(seed=0, options={"route": 1})
    assert isinstance(env.unwrapped, RouteEnv)
    assert env.step(np.zeros(2, np.float32))[4]["tick"] == 2
    many = gym.make_vec("RouteGym/Town-v0", 2, "vector_entry_point", town="MiniTown", types=TYPES, routes_seed=4)
    assert isinstance(many, RouteVectorEnv)
    _, infos = many.reset(seed=0, options={"route": [0, 1]})
    assert infos["route_id"].tolist()[1] == info["route_id"]
    assert {p.route.scenario_type for p in many.batch.routes.routes} == set(TYPES)


def test_a_town_takes_a_route_file_too() -> None:
    env = gym.make("RouteGym/Town-v0", routes="smoke", town="MiniTown")
    assert env.reset(seed=0, options={"route": "103"})[1]["route_id"] == "103"


def test_a_town_without_a_map_says_so() -> None:
    with pytest.raises(MissingMapError):
        gym.make("RouteGym/Town-v0", town="Town99")


def test_bench2drive_asks_for_its_file() -> None:
    for make in (lambda: gym.make("RouteGym/Bench2Drive-v0"), lambda: gym.make_vec("RouteGym/Bench2Drive-v0", 2)):
        with pytest.raises(ValueError, match=r"bench2drive220\.xml"):
            make()


@pytest.fixture
def two_towns(tmp_path: Path) -> Path:
    """A route of the smoke suite, and the same on a town without a map."""
    from scenarios.route_file import read_routes, write_routes
    from scenarios.suites import find_suite

    routes = read_routes(find_suite("smoke"))[3:5]
    path = tmp_path / "two.xml"
    write_routes(path, routes)
    text = path.read_text()
    at = text.rindex('town="MiniTown"')
    path.write_text(text[:at] + 'town="Town77"' + text[at + len('town="MiniTown"') :])
    return path


def test_towns_without_maps_are_skipped_rebuilt_or_refused(two_towns: Path) -> None:
    with pytest.raises(MissingMapError, match="Town77"):
        gym.make("RouteGym/Bench2Drive-v0", routes=two_towns)
    skipping = gym.make("RouteGym/Bench2Drive-v0", routes=two_towns, missing_maps="skip")
    assert {skipping.reset(seed=k)[1]["route_id"] for k in range(4)} == {smoke().routes[3].route.id}
    with pytest.raises(ValueError, match="did you mean 'skip'"):
        gym.make("RouteGym/Bench2Drive-v0", routes=two_towns, missing_maps="skipp")
    with pytest.raises(RouteFileError, match="none on Town01"):
        gym.make("RouteGym/Bench2Drive-v0", routes=two_towns, town="Town01")


def test_a_single_environment_goes_from_place_to_place(two_towns: Path) -> None:
    env = RouteEnv(two_towns, missing_maps="corridor", tick_cap=6)
    ids = [smoke().routes[3].route.id, smoke().routes[4].route.id]
    seen = [str(env.reset(seed=1)[1]["route_id"])] + [str(env.reset()[1]["route_id"]) for _ in range(9)]
    assert set(seen) == set(ids)
    again = [str(env.reset(seed=1)[1]["route_id"])] + [str(env.reset()[1]["route_id"]) for _ in range(9)]
    assert again == seen
    observation, info = env.reset(options={"route": ids[1]})
    assert info["route_id"] == ids[1]
    assert env.observation_space.contains(observation)
    for _ in range(4):
        *_, info = env.step(np.zeros(2, np.float32))
    assert info["result"].synthetic
    with pytest.raises(ValueError, match="several towns"):
        env.reset(options={"route": 0})
    with pytest.raises(ValueError, match="no route 'abc'"):
        env.reset(options={"route": "abc"})
    env.close()


@pytest.mark.official_data
def test_bench2drive_routes_run_on_their_towns(official_data: Path) -> None:
    file, maps = official_data / "routes" / "bench2drive220.xml", official_data / "towns"
    many = gym.make_vec("RouteGym/Bench2Drive-v0", 2, "vector_entry_point", routes=file, maps=maps, town="Town01")
    _, infos = many.reset(seed=0)
    assert all(many.batch.routes.routes[k].route.town == "Town01" for k in many.batch.worlds["route"])
    assert len(infos["route_id"]) == 2
    many.step(np.zeros((2, 2)))
