"""Where the routes of a file lie: one town, several towns, or corridors rebuilt from the routes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envs.names import unknown_name
from envs.routes import RouteBatch, load_network, prepare_routes
from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.errors import MissingMapError, RouteFileError

MISSING_MAPS = ("error", "skip", "corridor")


class Places:
    """The routes of a file by place; each place is loaded when it is driven first.

    Attributes:
        routes: routes of each place, by its name: a town, or "Town12 (route 2091)" for a rebuilt corridor.
    """

    def __init__(
        self,
        routes: str | Path,
        *,
        maps: str | Path | None = None,
        town: str | None = None,
        missing_maps: str = "error",
    ) -> None:
        """
        Args:
            routes: name of a suite, or a route file.
            maps: folder with the OpenDRIVE maps of the towns.
            town: only routes on this town.
            missing_maps: what becomes of towns without a map: "error", "skip" their routes, or rebuild the "corridor"
                of each route from the route itself.

        Raises:
            RouteFileError: when no route is left.
            MissingMapError: when a town has no map and `missing_maps` is "error".
            ValueError: for an unknown `missing_maps`.
        """
        if missing_maps not in MISSING_MAPS:
            raise ValueError(unknown_name("choice for missing_maps", missing_maps, MISSING_MAPS))
        self._maps = Path(maps) if maps else None
        self._loaded: dict[str, RouteBatch] = {}
        file = find_suite(routes)
        found: dict[str, list[Route]] = {}
        for route in read_routes(file):
            if town is None or route.town == town:
                found.setdefault(route.town, []).append(route)
        if not found:
            raise RouteFileError(f"{file}: none on {town}" if town else f"{file}: it has no routes")
        self.routes: Mapping[str, list[Route]] = found
        self._corridors: set[str] = set()
        if len(found) > 1 or missing_maps != "error":
            self.routes = self._places(found, missing_maps)
        if not self.routes:
            raise RouteFileError(f"{file}: no town of it has a map; pass maps=..., or missing_maps='corridor'")

    def _places(self, found: Mapping[str, list[Route]], missing_maps: str) -> dict[str, list[Route]]:
        places: dict[str, list[Route]] = {}
        for town, routes in sorted(found.items()):
            try:
                load_network(routes[0], self._maps)
            except MissingMapError:
                if missing_maps == "error":
                    raise
                if missing_maps == "skip":
                    continue
                for route in routes:
                    name = f"{town} (route {route.id})"
                    places[name] = [route]
                    self._corridors.add(name)
                continue
            places[town] = routes
        return places

    def place_of(self, route_id: str) -> str:
        """Name of the place of a route.

        Raises:
            ValueError: for an id that no route has.
        """
        for name, routes in self.routes.items():
            if any(route.id == route_id for route in routes):
                return name
        raise ValueError(
            unknown_name("route", route_id, [r.id for routes in self.routes.values() for r in routes][:40])
        )

    def load(self, name: str) -> RouteBatch:
        """The routes of a place, ready to run."""
        if name not in self._loaded:
            routes = self.routes[name]
            network = load_network(routes[0], self._maps, corridor=name in self._corridors)
            self._loaded[name] = prepare_routes(network, routes)
        return self._loaded[name]
