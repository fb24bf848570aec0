"""The world of another simulator, as told by `leaderboard_adapters.official_agent.WorldReader`, as a WORLD record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.seen_tracking import place_seen
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.official_agent import ACTOR_COLUMNS
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT, Kind
from simulator.dynamics import STEERING_GAIN, STEERING_LAG
from simulator.state import EGO, MAX_ACTORS, SPECIAL, TICK_SECONDS, LightState, Role

_ID, _X, _Y, _Z, _ROLL, _PITCH, _YAW, _VX, _VY, _VZ, _AX, _AY, _AZ, _WZ, _THROTTLE, _BRAKE, _STEER = range(17)
_FROZEN = 256
_OUT_OF_SIGHT = 40.0  # m above or below the ego: parked out of the world by a scenario
_DECAY = 1.0 - math.exp(-TICK_SECONDS / STEERING_LAG)


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
        self._network = routes.network
        self._known: dict[int, Mapping[str, Any]] = {}
        self._slots: dict[int, int] = {}
        self._light_of: dict[int, int] = {}  # actor id -> light index
        self._moved = np.zeros(MAX_ACTORS, np.int64)
        self._followed = np.full(len(routes.network.arrays.lane_length), -1, np.int64)

    def meet(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Learn what never changes about actors, as `WorldReader` tells it."""
        index = {name: i for i, name in enumerate(self._network.light_ids)}
        for number, facts in known.items():
            if "opendrive" in facts:
                if facts["opendrive"] in index:
                    self._light_of[int(number)] = index[facts["opendrive"]]
            else:
                self._known[int(number)] = facts

    def see(self, actors: np.ndarray, lights: np.ndarray) -> None:
        """Take in one tick.

        Args:
            actors: float64[N, 17], columns `ACTOR_COLUMNS`, the ego vehicle first.
            lights: int64[K, 2] actor id and state.

        Raises:
            ValueError: for arrays of another shape, or an ego vehicle that is not there.
        """
        if actors.ndim != 2 or actors.shape[1] != len(ACTOR_COLUMNS) or not len(actors):
            raise ValueError(f"actors must have shape (N, {len(ACTOR_COLUMNS)}), the ego vehicle first")
        w = self.batch.worlds[0]
        steer_angle = float(w["steer_angle"][EGO])
        present = {int(row[_ID]) for row in actors}
        for number in [n for n in self._slots if n not in present]:
            self._forget(w, self._slots.pop(number))
        for row in _nearest(actors):
            number = int(row[_ID])
            slot = EGO if number == int(actors[0, _ID]) else self._slot(w, number)
            if slot < 0:
                continue
            _put(w, slot, row, self._known.get(number, {}))
            w["hidden"][slot] = int(abs(row[_Z] - actors[0, _Z]) > _OUT_OF_SIGHT)
        wanted = STEERING_GAIN * float(w["steer"][EGO])
        w["steer_angle"][EGO] = steer_angle + (wanted - steer_angle) * _DECAY
        w["num_slots"] = max(self._slots.values(), default=0) + 1
        self._see_lights(w, lights)
        w["tick"] += 1
        w["time"] = w["tick"] * TICK_SECONDS
        place_seen(w, self.batch.routes.net, self.batch.routes.arrays, self._moved, self._followed)

    def _slot(self, w: np.void, number: int) -> int:
        if number in self._slots:
            return self._slots[number]
        taken = set(self._slots.values())
        free = next((slot for slot in range(1, MAX_ACTORS) if slot not in taken), -1)
        if free >= 0:
            self._forget(w, free)
            self._slots[number] = free
            w["role"][free] = _role(self._known.get(number, {}))
        return free

    def _forget(self, w: np.void, slot: int) -> None:
        w["kind"][slot] = Kind.NONE
        w["lane"][slot] = w["track"][slot] = w["scenario"][slot] = w["junction_lane"][slot] = -1
        w["plan"][slot] = -1
        for name in ("waiting", "lights", "door", "driver_flags", "stopped_at_sign"):
            w[name][slot] = 0
        self._moved[slot] = 0

    def _see_lights(self, w: np.void, lights: np.ndarray) -> None:
        net = self._network.arrays
        group_time = w["group_time"]
        group_time += TICK_SECONDS
        for number, told in lights.tolist():
            light = self._light_of.get(number, -1)
            if light < 0:
                continue
            state, group = told & 255, int(net.light_group[light])
            if state == LightState.YELLOW and w["light_state"][light] != LightState.YELLOW:
                phase = int(net.light_phase[light])
                w["group_phase"][group] = phase
                group_time[group] = net.phase_green[int(net.group_first[group]) + phase]
            w["light_state"][light] = state
            w["group_frozen"][group] = int(bool(told & _FROZEN))


def _nearest(actors: np.ndarray) -> np.ndarray:
    """The ego vehicle and the nearest others, as many as a world holds."""
    distance = np.hypot(actors[:, _X] - actors[0, _X], actors[:, _Y] - actors[0, _Y])
    distance[0] = -1.0
    return np.asarray(actors[np.sort(np.argsort(distance, kind="stable")[:MAX_ACTORS])])


def _put(w: np.void, slot: int, row: np.ndarray, known: Mapping[str, Any]) -> None:
    """Pose, size and motion of one actor."""
    yaw = math.radians(row[_YAW])
    c, s = math.cos(yaw), math.sin(yaw)
    blueprint = _blueprint(known) if slot != EGO else EGO_BLUEPRINT
    half = known.get("half") or (
        BLUEPRINTS[blueprint].half_length,
        BLUEPRINTS[blueprint].half_width,
        BLUEPRINTS[blueprint].half_height,
    )
    centre = known.get("centre") or (0.0, 0.0, half[2])
    w["kind"][slot] = BLUEPRINTS[blueprint].kind
    w["blueprint"][slot] = blueprint
    w["actor_id"][slot] = int(row[_ID])
    w["half_length"][slot], w["half_width"][slot], w["half_height"][slot] = half
    w["x"][slot] = row[_X] + c * centre[0] - s * centre[1]
    w["y"][slot] = row[_Y] + s * centre[0] + c * centre[1]
    w["z"][slot] = row[_Z] + centre[2] - half[2]
    w["yaw"][slot], w["pitch"][slot] = yaw, math.radians(row[_PITCH])
    along = c * row[_VX] + s * row[_VY]
    dt_speed = c * row[_AX] + s * row[_AY]
    w["speed"][slot] = along
    w["vx"][slot], w["vy"][slot], w["ax"][slot], w["ay"][slot] = row[_VX], row[_VY], row[_AX], row[_AY]
    w["acceleration"][slot] = dt_speed
    w["yaw_rate"][slot] = math.radians(row[_WZ])
    w["throttle"][slot], w["brake"][slot], w["steer"][slot] = row[_THROTTLE], row[_BRAKE], row[_STEER]
    if slot != EGO:
        siren = SPECIAL if BLUEPRINTS[blueprint].special_type == "emergency" else 0
        w["lights"][slot] = int(known.get("lamps", 0)) | siren


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
