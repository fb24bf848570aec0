"""The world of another simulator, as told by `leaderboard_adapters.official_agent.WorldReader`, as a WORLD record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.seen_tracking import COLUMNS, see_world
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Kind
from simulator.state import EGO, MAX_ACTORS, SPECIAL, Role

_ID, _X, _Y, _Z, _YAW = 0, 1, 2, 3, 6  # columns of an actor's row


class SeenWorld:
    """A batch of one world that is filled from outside, tick by tick.

    Attributes:
        batch: what an agent binds to.
    """

    def __init__(self, routes: RouteBatch, *, oncoming_allowed: bool = False) -> None:
        """`oncoming_allowed`: the leaderboard does not judge driving on the oncoming lane on this route."""
        self.batch = WorldBatch(routes, 1)
        self.batch.reset(0, EpisodeStart(route=0, seed=0))
        worlds = self.batch.worlds
        for name in ("kind", "hidden"):
            worlds[name][0, 1:] = 0
        worlds["num_slots"] = 1
        worlds["bg_enabled"] = 0
        worlds["tick"] = 0
        self.batch.criteria["finished"] = RouteEnd.RUNNING
        self.batch.switches["wrong_direction_test"] = 0 if oncoming_allowed else 1
        self._light_index = {name: i for i, name in enumerate(routes.network.light_ids)}
        self._ego = -1  # actor id
        self._centres = np.zeros((MAX_ACTORS, 3))  # m, of the boxes on their actors, by slot
        self._known: dict[int, Mapping[str, Any]] = {}
        self._slots: dict[int, int] = {}
        self._light_of: dict[int, int] = {}  # actor id -> light index
        self._moved = np.zeros(MAX_ACTORS, np.int64)
        self._followed = np.full(len(routes.network.arrays.lane_length), -1, np.int64)

    def meet(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Learn what hardly ever changes about actors, as `WorldReader` tells it."""
        for name, facts in known.items():
            number = int(name)
            if "opendrive" in facts:
                if facts["opendrive"] in self._light_index:
                    self._light_of[number] = self._light_index[facts["opendrive"]]
                continue
            self._known[number] = facts
            if number == self._ego:
                self._dress(EGO, number)
            elif number in self._slots:
                self._dress(self._slots[number], number)

    def see(self, actors: np.ndarray, lights: np.ndarray) -> None:
        """Take in one tick.

        Args:
            actors: float64[N, 17], columns `ACTOR_COLUMNS`, the ego vehicle first.
            lights: int64[K, 2] actor id and state.

        Raises:
            ValueError: for arrays of another shape, or an ego vehicle that is not there.
        """
        if actors.ndim != 2 or actors.shape[1] != COLUMNS or not len(actors):
            raise ValueError(f"actors must have shape (N, {COLUMNS}), the ego vehicle first")
        w = self.batch.worlds[0]
        numbers = [int(number) for number in actors[:, _ID].tolist()]
        for number in self._slots.keys() - set(numbers):
            self._forget(w, self._slots.pop(number))
        if numbers[0] != self._ego:
            self._ego = numbers[0]
            self._dress(EGO, self._ego)
        if len(actors) > MAX_ACTORS:
            actors = _nearest(actors)
            numbers = [int(number) for number in actors[:, _ID].tolist()]
        slots = [EGO, *(self._slot(w, number) for number in numbers[1:])]
        w["num_slots"] = max(self._slots.values(), default=0) + 1
        see_world(
            self.batch.worlds,
            self.batch.routes.net,
            self.batch.routes.arrays,
            np.array(actors, np.float64),
            np.array(slots, np.int64),
            self._centres,
            np.array([self._light_of.get(number, -1) for number in lights[:, 0].tolist()], np.int64),
            np.array(lights[:, 1], np.int64),
            self._moved,
            self._followed,
        )

    def alone(self) -> np.ndarray:
        """float64[1, 17], the ego vehicle where it is now, at rest: a tick of `actors` before there are any."""
        w, row = self.batch.worlds[0], np.zeros((1, COLUMNS))
        row[0, [_X, _Y, _Z, _YAW]] = w["x"][EGO], w["y"][EGO], w["z"][EGO], np.degrees(w["yaw"][EGO])
        return row

    def _slot(self, w: np.void, number: int) -> int:
        """Where an actor is kept, -1 when there is no room for it."""
        if (known := self._slots.get(number)) is not None:
            return known
        taken = set(self._slots.values())
        free = next((slot for slot in range(1, MAX_ACTORS) if slot not in taken), -1)
        if free >= 0:
            self._forget(w, free)
            self._slots[number] = free
            w["role"][free] = _role(self._known.get(number, {}))
            self._dress(free, number)
        return free

    def _dress(self, slot: int, number: int) -> None:
        """Kind, size and lamps of the actor in a slot."""
        w, known = self.batch.worlds[0], self._known.get(number, {})
        number_of = _blueprint(known) if slot != EGO else EGO_BLUEPRINT
        blueprint = BLUEPRINTS[number_of]
        half = known.get("half") or (blueprint.half_length, blueprint.half_width, blueprint.half_height)
        w["kind"][slot], w["blueprint"][slot], w["actor_id"][slot] = blueprint.kind, number_of, number
        w["half_length"][slot], w["half_width"][slot], w["half_height"][slot] = half
        self._centres[slot] = known.get("centre") or (0.0, 0.0, half[2])
        if slot != EGO:
            siren = SPECIAL if blueprint.special_type == "emergency" else 0
            w["lights"][slot] = int(known.get("lamps", 0)) | siren

    def _forget(self, w: np.void, slot: int) -> None:
        w["kind"][slot] = Kind.NONE
        w["lane"][slot] = w["track"][slot] = w["scenario"][slot] = w["junction_lane"][slot] = -1
        w["plan"][slot] = -1
        for name in ("waiting", "lights", "door", "driver_flags", "stopped_at_sign"):
            w[name][slot] = 0
        self._moved[slot] = 0


def _nearest(actors: np.ndarray) -> np.ndarray:
    """The ego vehicle and the nearest others, as many as a world holds."""
    distance = np.hypot(actors[:, _X] - actors[0, _X], actors[:, _Y] - actors[0, _Y])
    distance[0] = -1.0
    return np.asarray(actors[np.sort(np.argsort(distance, kind="stable")[:MAX_ACTORS])])


def _role(known: Mapping[str, Any]) -> int:
    return int(Role.BACKGROUND if known.get("role") == "background" else Role.SCENARIO)


_BY_ID = {blueprint.id: number for number, blueprint in enumerate(BLUEPRINTS)}
_TWO_WHEELS = ("bike", "century", "omafiets", "low_rider", "ninja", "vespa", "yzf", "harley", "kawasaki", "yamaha")


def _blueprint(known: Mapping[str, Any]) -> int:
    """Index of an actor's blueprint, or of one of its kind where the library lacks it."""
    name = str(known.get("type", "vehicle."))
    if name in _BY_ID:
        return _BY_ID[name]
    if name.startswith("walker."):
        kind = Kind.WALKER
    elif name.startswith("static."):
        kind = Kind.PROP
    else:
        kind = Kind.BICYCLE if any(part in name for part in _TWO_WHEELS) else Kind.VEHICLE
    return next(number for number, blueprint in enumerate(BLUEPRINTS) if blueprint.kind == kind)
