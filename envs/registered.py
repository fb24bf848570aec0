"""What the registered ids make: environments on any town, and on Bench2Drive files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from envs.route_env import RouteEnv
from envs.routes import RouteBatch, prepare_routes
from envs.vector_env import RouteVectorEnv
from scenarios.suite_maker import lay_suite
from scenarios.suite_recipes import RECIPES
from simulator.errors import ScenarioError
from simulator.roads.towns import load_named_town

_HINT = "pass routes='bench2drive220.xml' (a Bench2Drive or Leaderboard file), and maps=... for towns of CARLA"


@lru_cache(maxsize=8)
def made_routes(town: str, maps: str | None, types: tuple[str, ...], per_type: int, seed: int) -> RouteBatch:
    """Routes made for a town: `per_type` of each scenario type for which it has room.

    Raises:
        MissingMapError: when the town has no map.
        ScenarioError: when it has no room for any.
    """
    network = load_named_town(town, Path(maps) if maps else None)
    laid = lay_suite(network, types, per_type, seed=seed)
    if not laid.routes:
        raise ScenarioError(f"{town}: no room for any route of {', '.join(types)}: {laid.left_out}")
    return prepare_routes(network, laid.routes)


def _town_routes(
    routes: Any, town: str, maps: str | Path | None, types: Sequence[str] | None, per_type: int, routes_seed: int
) -> Any:
    if routes is not None:
        return routes
    return made_routes(town, str(maps) if maps else None, tuple(types or RECIPES), per_type, routes_seed)


def make_town_env(
    routes: Any = None,
    *,
    town: str = "MiniTown",
    maps: str | Path | None = None,
    types: Sequence[str] | None = None,
    per_type: int = 1,
    routes_seed: int = 0,
    **settings: Any,
) -> RouteEnv:
    """`RouteGym/Town-v0`.

    Args:
        routes: a route file with routes on `town`; without it routes are made for the town, once a process.
        town, maps: which town, and the folder with its OpenDRIVE map; MiniTown needs none.
        types, per_type, routes_seed: scenario types of the made routes, how many of each, and the seed of their places.
        settings: as of `RouteVectorEnv`.
    """
    found = _town_routes(routes, town, maps, types, per_type, routes_seed)
    return RouteEnv(found, **settings) if routes is None else RouteEnv(found, maps=maps, town=town, **settings)


def make_town_vector_env(
    num_envs: int = 1,
    routes: Any = None,
    *,
    town: str = "MiniTown",
    maps: str | Path | None = None,
    types: Sequence[str] | None = None,
    per_type: int = 1,
    routes_seed: int = 0,
    **settings: Any,
) -> RouteVectorEnv:
    """The native batch of `RouteGym/Town-v0`; arguments as of `make_town_env`."""
    found = _town_routes(routes, town, maps, types, per_type, routes_seed)
    load: dict[str, Any] = {} if routes is None else {"maps": maps, "town": town}
    return RouteVectorEnv(num_envs, found, **load, **settings)


def make_bench2drive_env(routes: Any = None, **settings: Any) -> RouteEnv:
    """`RouteGym/Bench2Drive-v0`: routes of one or several towns.

    Args:
        routes: the route file. settings: `maps`, `town`, `missing_maps` ("error", "skip", "corridor"), and those of
            `RouteVectorEnv`.

    Raises:
        ValueError: without a route file.
    """
    if routes is None:
        raise ValueError(f"RouteGym/Bench2Drive-v0 comes without routes: {_HINT}")
    return RouteEnv(routes, **settings)


def make_bench2drive_vector_env(num_envs: int = 1, routes: Any = None, **settings: Any) -> RouteVectorEnv:
    """The native batch of `RouteGym/Bench2Drive-v0`, on one town: `town=` picks it.

    Raises:
        ValueError: without a route file.
    """
    if routes is None:
        raise ValueError(f"RouteGym/Bench2Drive-v0 comes without routes: {_HINT}")
    return RouteVectorEnv(num_envs, routes, **settings)
