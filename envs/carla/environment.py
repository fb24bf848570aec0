"""A world on a CARLA server for an environment: the server, its town, the routes on it, in one object to close."""

from __future__ import annotations

import contextlib
from pathlib import Path

from envs.carla.options import CarlaOptions
from envs.carla.session import CarlaSession
from envs.carla.world import CarlaWorld
from envs.routes import RouteBatch, prepare_routes
from simulator.densities import NO_AMBIENT, Ambient
from simulator.errors import SimulatorError

#: CARLA's own default address.
HERE = CarlaOptions(address="127.0.0.1:2000")


class EnvironmentWorld(CarlaWorld):
    """A `CarlaWorld` with the session that it came from."""

    def __init__(self, routes: RouteBatch, session: CarlaSession, ambient: Ambient) -> None:
        super().__init__(routes, session.client(), ambient=ambient)
        self._session = session

    def close(self) -> None:
        """Leave the server as it was found, or end it when it was started here."""
        with contextlib.suppress(SimulatorError):  # it may be gone already
            super().close()
        self._session.close()


def open_world(
    routes: RouteBatch | str | Path,
    num_worlds: int = 1,
    options: CarlaOptions | None = None,
    ambient: Ambient = NO_AMBIENT,
    *,
    maps: str | Path | None = None,
    town: str | None = None,
) -> EnvironmentWorld:
    """Start or find a server, load the town of the routes, and lay them on it.

    Args:
        routes: a suite, a route file, or a batch that is prepared already for the server's map.
        num_worlds: must be 1.
        options: the server; a running one on 127.0.0.1:2000 without it.
        ambient: life beside the road.
        maps: unused, since the server's own map counts; allowed so that both backends take the same arguments.
        town: which town, for a file with several.

    Raises:
        SimulatorError: when the server fails.
        RouteFileError: when the routes lie on several towns.
    """
    from envs.vector_env import routes_on_one_town

    if num_worlds != 1:
        raise SimulatorError(f"a CARLA server runs one world, not {num_worlds}; make one environment a server")
    session = CarlaSession(options or HERE)
    try:
        if isinstance(routes, RouteBatch):
            session.network(routes.network.town)
            batch = routes
        else:
            found = routes_on_one_town(routes, town)
            batch = prepare_routes(session.network(found[0].town), found)
        return EnvironmentWorld(batch, session, ambient)
    except BaseException:
        session.close()
        raise
