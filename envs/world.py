"""A batch of running worlds on one town: reset, tick, snapshot, restore, fork.

This is the one implementation under every environment; a single environment is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envs.entry import entry
from envs.routes import RouteBatch
from envs.tick import log_ego, tick_rules, tick_traffic
from leaderboard_adapters.criteria import finish_criteria, reset_criteria
from leaderboard_adapters.criteria_state import CRITERIA, RouteEnd, empty_criteria
from scenarios.director import reset_director
from scenarios.director_state import DIRECTOR, empty_directors
from scenarios.switches import SWITCHES, empty_switches
from simulator.actors import place_actor
from simulator.ambient import populate_ambient
from simulator.background import populate
from simulator.blueprints import EGO_BLUEPRINT
from simulator.densities import NO_AMBIENT, Ambient
from simulator.draws import seed_draws
from simulator.kernel import kernel
from simulator.signals import reset_lights, tick_lights
from simulator.state import EGO, WORLD, Behaviour, Role, empty_worlds
from simulator.tracking import track_actor, track_ego

LOG_COLUMNS = ("x", "y", "z", "yaw", "speed", "ax", "ay", "yaw_rate", "pitch", "throttle", "brake", "steer")
MAX_LOG_TICKS = 4001  # the leaderboard ends a route after 4000 ticks
SETTLING_TICKS = 12  # the official loop ticks the world 12 times between the lights' reset and the first agent call

_HERO = int(Role.HERO)
_CONTROLLED = int(Behaviour.CONTROLLED)


@kernel
def begin_world(w, net, routes, seed):  # type: ignore[no-untyped-def]
    """The state at the first agent call, but for scenarios and criteria: lights, ego, background traffic."""
    seed_draws(w, seed, routes.stream[w.route])
    reset_lights(w, net)
    for _ in range(SETTLING_TICKS):
        tick_lights(w, net)
    p = routes.trace_first[w.route]
    place_actor(
        w,
        EGO,
        EGO_BLUEPRINT,
        _HERO,
        routes.trace_x[p],
        routes.trace_y[p],
        routes.trace_z[p],
        routes.trace_yaw[p],
    )
    w.behaviour[EGO] = _CONTROLLED
    w.path_s = 0.0
    track_actor(w, net, EGO)
    track_ego(w, net, routes)


@kernel
def begin_traffic(w, net, routes):  # type: ignore[no-untyped-def]
    """Background vehicles and ambient life of the start; scenarios have been placed before and keep their room."""
    populate(w, net, routes)
    populate_ambient(w, net, routes)


class Snapshot(NamedTuple):
    """Every bit of one running world: four records, each an array of one. Copying them is a matter of microseconds."""

    world: np.ndarray  # WORLD[1]
    director: np.ndarray  # DIRECTOR[1]
    criteria: np.ndarray  # CRITERIA[1]
    switches: np.ndarray  # SWITCHES[1]

    @property
    def route(self) -> int:
        """Index of its route in the batch."""
        return int(self.world["route"][0])

    @property
    def finished(self) -> bool:
        """Whether its route had ended."""
        return bool(self.criteria["finished"][0] != RouteEnd.RUNNING)


def _bytes(records: np.ndarray) -> np.ndarray:
    """uint8[B, itemsize] view: NumPy copies bytes fifty times faster than fields."""
    return records.view(np.uint8).reshape(len(records), records.dtype.itemsize)


def _copy(records: np.ndarray, index: int) -> np.ndarray:
    copy = np.empty(1, records.dtype)
    _bytes(copy)[0] = _bytes(records)[index]
    return copy


_FRESH = Snapshot(empty_worlds(1), empty_directors(1), empty_criteria(1), empty_switches(1))


@dataclass
class EpisodeStart:
    """What begins an episode: which route of the batch, and the seed of all its draws."""

    route: int
    seed: int


class WorldBatch:
    """B worlds on one town.

    Attributes:
        worlds: WORLD[B], directors: DIRECTOR[B], criteria: CRITERIA[B], switches: SWITCHES[B]: the whole state.
        routes: the compiled routes that the worlds choose from.
        log: float64[B, T, 12] motion and controls of the ego per tick (`LOG_COLUMNS`), or T = 0 without logging. Not
        part of a snapshot.
        ambient: what lives beside the road.
    """

    def __init__(
        self, routes: RouteBatch, num_worlds: int = 1, *, log: bool = False, ambient: Ambient = NO_AMBIENT
    ) -> None:
        self.routes = routes
        self.num_worlds = num_worlds
        self.worlds = empty_worlds(num_worlds)
        self.directors = empty_directors(num_worlds)
        self.criteria = empty_criteria(num_worlds)
        self.switches = empty_switches(num_worlds)
        self.criteria["finished"] = RouteEnd.INTERRUPTED  # nothing runs before `reset`
        self.log = np.zeros((num_worlds, MAX_LOG_TICKS if log else 0, len(LOG_COLUMNS)))
        self._log = log
        self._tick: tuple[Callable[..., None], Callable[..., None]] | None = None
        self.ambient = ambient

    def reset(self, index: int, start: EpisodeStart) -> None:
        """Begin an episode in world `index`.

        Raises:
            IndexError: for a route that the batch does not have.
        """
        if not 0 <= start.route < len(self.routes.routes):
            raise IndexError(f"route index {start.route} is not in 0..{len(self.routes.routes) - 1}")
        net, routes, scripts = self.routes.net, self.routes.arrays, self.routes.scripts
        self.restore(index, _FRESH)
        w, d, c, sw = self.worlds[index], self.directors[index], self.criteria[index], self.switches[index]
        w["route"] = start.route
        w["seed"] = start.seed
        w["pedestrians"] = self.ambient.pedestrians
        w["parked_cars"] = self.ambient.parked_cars
        begin_world(w, net, routes, start.seed)
        reset_director(w, d, sw, net, routes, scripts)
        begin_traffic(w, net, routes)
        reset_criteria(w, c, net, routes)
        if self._log:
            self.log[index] = 0.0

    def part(self, first: int, last: int) -> WorldBatch:
        """The worlds `first` to `last - 1` as a batch of their own, on the same memory."""
        part = WorldBatch(self.routes, 0, ambient=self.ambient)
        part.num_worlds = last - first
        part.worlds, part.directors, part.criteria, part.switches = (records[first:last] for records in self.state)
        part.log, part._log = self.log[first:last], self._log
        return part

    def tick(self, controls: np.ndarray) -> None:
        """Advance every world whose route has not ended by 0.05 s. `controls`: float64[B, 3] throttle, brake, steer.

        Raises:
            ValueError: for controls of another shape.
        """
        controls = np.ascontiguousarray(controls, np.float64)
        if controls.shape != (self.num_worlds, 3):
            raise ValueError(f"controls must be of shape ({self.num_worlds}, 3), got {controls.shape}")
        if self._tick is None:
            self._tick = self._compiled_tick(controls)
        move, judge = self._tick
        routes = self.routes
        move(self.worlds, self.directors, self.criteria, controls, routes.net, routes.arrays)
        judge(self.worlds, self.directors, self.criteria, self.switches, routes.net, routes.arrays, routes.scripts)
        if self._log:
            log_ego(self.worlds, self.criteria, self.log)

    def _compiled_tick(self, controls: np.ndarray) -> tuple[Callable[..., None], Callable[..., None]]:
        routes = self.routes
        begun = (self.worlds, self.directors, self.criteria)
        return (
            entry(tick_traffic, *begun, controls, routes.net, routes.arrays),
            entry(tick_rules, *begun, self.switches, routes.net, routes.arrays, routes.scripts),
        )

    def finish(self, index: int, reason: RouteEnd = RouteEnd.INTERRUPTED) -> None:
        """End a running route from outside; what is pending is booked. A route that has ended stays as it is."""
        finish_criteria(
            self.worlds[index],
            self.criteria[index],
            self.switches[index],
            self.routes.net,
            self.routes.arrays,
            int(reason),
        )

    @property
    def finished(self) -> np.ndarray:
        """bool[B]: whose route has ended."""
        return np.asarray(self.criteria["finished"] != 0)

    def snapshot(self, index: int) -> Snapshot:
        """Copy of one running world."""
        return Snapshot(*(_copy(records, index) for records in self.state))

    def restore(self, index: int, snapshot: Snapshot) -> None:
        """Put a copy back, into this or another place of a batch over the same routes."""
        for records, copy in zip(self.state, snapshot, strict=True):
            _bytes(records)[index] = _bytes(copy)[0]

    def fork(self, index: int, count: int) -> WorldBatch:
        """A new batch of `count` worlds that all go on from world `index`."""
        batch = WorldBatch(self.routes, count, ambient=self.ambient)
        for records, source in zip(batch.state, self.state, strict=True):
            _bytes(records)[:] = _bytes(source)[index]
        return batch

    @property
    def state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The records of all worlds: world, director, criteria, switches."""
        return self.worlds, self.directors, self.criteria, self.switches

    @property
    def bytes_per_world(self) -> int:
        """Bytes of state that one more world needs."""
        return int(WORLD.itemsize + DIRECTOR.itemsize + CRITERIA.itemsize + SWITCHES.itemsize)
