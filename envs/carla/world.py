"""One route world on a CARLA server, driven like any other batch of worlds.

The record is kept by the same kernels as in the embedded town; CARLA stands in for one of them, the one that moves the
ego vehicle. One tick:

| order | what | by whom |
|---|---|---|
| 1-3 | control, decisions, everybody but the ego rolls | `envs.tick.move_world` |
| 3a | puppets, lights, weather and the ego's control go to CARLA, which ticks | `puppets`, `traffic_lights`, `ego` |
| 3b | the ego's motion and collisions come back into the record | `ego` |
| 4 | others that touch are pushed apart; who was hit by the ego is pushed | `simulator.collisions` |
| 5-10 | as in the embedded town | `envs.tick` |
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NoReturn

import numpy as np

from envs.carla.client import CarlaClient
from envs.carla.ego import LATE_S, EgoVehicle, Hit
from envs.carla.names import carla_world_name
from envs.carla.puppets import Puppets
from envs.carla.sensors import CarlaRig
from envs.carla.traffic_lights import TrafficLights
from envs.routes import RouteBatch
from envs.tick import log_ego, move_world, settle_world, tick_rules
from envs.world import SETTLING_TICKS, EpisodeStart, Snapshot, WorldBatch
from leaderboard_adapters.criteria import reset_criteria
from leaderboard_adapters.criteria_state import MAP_GEOMETRY, UNCLASSIFIED, empty_criteria
from scenarios.weather import WEATHER_FIELDS
from simulator.collisions import collide, mass_of, overlap, strike
from simulator.densities import NO_AMBIENT, Ambient
from simulator.errors import SimulatorError
from simulator.sensors.specs import SensorSpec
from simulator.state import EGO, MAX_CONTACTS
from simulator.tracking import track_actor, track_ego

NEARLY = 0.5  # m between boxes that may have touched before CARLA pushed them apart
CLOSE = 0.1  # m between boxes at which word of a collision is waited for: one that CARLA has just pushed apart
FALLEN = 5.0  # m below its lane from which the ego has left the town through the ground
_FRESH_CRITERIA = empty_criteria(1)
_SCENERY = ("static.", "traffic.")  # type ids of what is part of the town
#: Fields of the ego that CARLA decides.
_EGO_FIELDS = ("x", "y", "yaw", "vx", "vy", "ax", "ay", "speed", "yaw_rate")


class CarlaWorld(WorldBatch):
    """A batch of one world whose ego vehicle lives on a CARLA server.

    Attributes:
        client: the connection; its town is the routes' town.
        ego: the ego vehicle of the running route.
        hits: collisions that CARLA has told of this tick.
    """

    def __init__(
        self, routes: RouteBatch, client: CarlaClient, *, log: bool = False, ambient: Ambient = NO_AMBIENT
    ) -> None:
        super().__init__(routes, 1, log=log, ambient=ambient)
        self.client = client
        self.ego: EgoVehicle | None = None
        self.hits: list[Hit] = []
        self._rigs: list[CarlaRig] = []
        self._puppets = Puppets(client)
        self._lights = TrafficLights(client, routes.network, client.options.lights)
        self._weather: bytes = b""
        self._unheard = 0
        self._silent: set[int] = set()  # who was close to the ego at the last tick, and CARLA said nothing
        self._unseen = 0

    def reset(self, index: int, start: EpisodeStart) -> None:
        """Begin an episode: decided in the record, then made so in CARLA.

        Raises:
            IndexError: for another world than 0, or a route that the batch does not have.
            SimulatorError: when the server fails.
        """
        self._only(index)
        super().reset(0, start)
        w = self.worlds[0]
        self._remove_ego()
        self._puppets.clear(float(w["x"][EGO]), float(w["y"][EGO]), float(w["z"][EGO]))
        self._weather = b""
        self._unheard = self._unseen = 0
        self._silent = set()
        self._send_weather(w)
        self._lights.begin(w)
        self.client.batch(self._puppets.commands(w), "placing actors")
        self.client.tick()
        self.ego = EgoVehicle(self.client, *(float(w[name][EGO]) for name in ("x", "y", "z", "yaw")))
        for _ in range(SETTLING_TICKS):
            self.client.batch([self.ego.standing()], "placing the ego vehicle")
            snapshot = self.client.tick()
        self.ego.listen()
        height = self.ego.read(w, snapshot)
        track_actor(w, self.routes.net, EGO)
        track_ego(w, self.routes.net, self.routes.arrays)
        self._check_height(w, height)
        self._lights.receive(w)
        self.criteria[:] = _FRESH_CRITERIA
        reset_criteria(w, self.criteria[0], self.routes.net, self.routes.arrays)

    def tick(self, controls: np.ndarray) -> None:
        """Advance by 0.05 s. `controls`: float64[1, 3] throttle, brake, steer.

        Raises:
            SimulatorError: when the server fails.
        """
        if self.finished[0]:
            return
        if self.ego is None:
            raise SimulatorError("no route has begun; reset the world first")
        w, net, routes = self.worlds[0], self.routes.net, self.routes.arrays
        move_world(w, self.directors[0], np.asarray(controls, np.float64)[0], net, routes)
        self._send_weather(w)
        self._lights.send(w)
        self.client.batch([*self._puppets.commands(w), self.ego.control(w)], "moving actors")
        snapshot = self.client.tick()
        for rig in self._rigs:
            rig.frame = snapshot.frame
        height = self.ego.read(w, snapshot)
        with self._ego_untouched(w):
            collide(w)
        self._take_hits(w, snapshot.frame)
        self._lights.receive(w)
        settle_world(w, net, routes)
        self._check_height(w, height)
        tick_rules(self.worlds, self.directors, self.criteria, self.switches, net, routes, self.routes.scripts)
        if self._log:
            log_ego(self.worlds, self.criteria, self.log)

    def snapshot(self, index: int) -> NoReturn:
        """Refused: a CARLA server cannot be copied."""
        self._refuse("snapshot")

    def restore(self, index: int, snapshot: Snapshot) -> None:
        """Only what `reset` needs; a copy of a running world is refused, as a CARLA server cannot be put back."""
        if snapshot.world["tick"][0] or snapshot.world["num_slots"][0]:
            self._refuse("restore")
        super().restore(index, snapshot)

    def fork(self, index: int, count: int) -> NoReturn:
        """Refused: a CARLA server cannot be copied."""
        self._refuse("fork")

    def notes(self) -> tuple[str, ...]:
        """What a result should tell of the drive on this server."""
        found = []
        if self._puppets.stand_ins:
            shown = ", ".join(f"{a} by {b}" for a, b in sorted(self._puppets.stand_ins.items()))
            found.append(f"blueprints that the server lacks are shown by others: {shown}")
        if self._lights.missing:
            found.append(f"{len(self._lights.missing)} traffic lights of the map are not on the server")
        if self._unheard:
            found.append(f"{self._unheard} ticks in which boxes touched and CARLA reported no collision")
        if self._unseen:
            found.append(f"{self._unseen} collisions with actors that CARLA reported where boxes were apart")
        return tuple(found)

    @property
    def world_name(self) -> str:
        """Name of this kind of world in results."""
        return carla_world_name(self.client.version, self.client.towns(), self.client.options.lights, self.ambient)

    def close(self) -> None:
        """Take the ego vehicle and all others out of CARLA's world."""
        self._remove_ego()
        self._puppets.destroy()

    def sensor_rig(self, specs: Sequence[SensorSpec], index: int = 0) -> CarlaRig:
        """CARLA's own sensors on the ego vehicle of the running route. The server ticks once for them to measure.

        Raises:
            SimulatorError: before a route has begun, or when the server fails.
        """
        self._only(index)
        if self.ego is None:
            raise SimulatorError("no route has begun; reset the world first")
        rig = CarlaRig(
            specs,
            self.client,
            self.ego,
            self.routes.network,
            self.worlds,
            lambda actor: self._puppets.slots.get(actor, -1),
        )
        self._rigs.append(rig)
        if not self.worlds["tick"][0]:
            self.client.batch([self.ego.standing()], "placing the ego vehicle")
        rig.frame = self.client.tick().frame
        return rig

    def _remove_ego(self) -> None:
        for rig in self._rigs:
            rig.destroy()
        self._rigs = []
        if self.ego is not None:
            self.ego.destroy()
            self.ego = None

    @contextlib.contextmanager
    def _ego_untouched(self, w: np.void) -> Iterator[None]:
        """Our own contacts push others, not the ego: what they do to it is CARLA's affair."""
        kept = [w[name][EGO] for name in _EGO_FIELDS]
        yield
        for name, value in zip(_EGO_FIELDS, kept, strict=True):
            w[name][EGO] = value

    def _take_hits(self, w: np.void, frame: int) -> None:
        """Contacts of the record: those that CARLA's sensor tells of. Who was hit without our seeing it is pushed."""
        assert self.ego is not None
        touched = set(w["contact_slot"][: int(w["num_contacts"])].tolist())
        close = touched | {slot for slot in _around(w) if _within(w, slot, CLOSE)}
        known = close <= self._silent  # who stays so close without a word is not waited for again
        self.hits = self.ego.hits(frame, patience=0.0 if known else LATE_S)
        contacts: dict[int, float] = {}
        for hit in self.hits:
            slot = self._puppets.slots.get(hit.actor, UNCLASSIFIED)
            if slot == UNCLASSIFIED and hit.type_id.startswith(_SCENERY):
                slot = UNCLASSIFIED if "sidewalk" in hit.type_id else MAP_GEOMETRY
            strength = float(np.hypot(*hit.impulse[:2])) / self.ego.mass
            contacts[slot] = max(contacts.get(slot, 0.0), strength)
            if slot > EGO and slot not in touched:
                self._unseen += not _within(w, slot, NEARLY)
                mass = mass_of(w, slot)
                strike(w, slot, -hit.impulse[0] / mass, -hit.impulse[1] / mass)
        self._silent = set() if self.hits else close
        if touched and not self.hits:
            self._unheard += 1
        w["num_contacts"] = min(len(contacts), MAX_CONTACTS)
        for k, (slot, strength) in enumerate(list(contacts.items())[:MAX_CONTACTS]):
            w["contact_slot"][k], w["contact_impulse"][k] = slot, strength

    def _check_height(self, w: np.void, height: float) -> None:
        if w["lane"][EGO] >= 0 and height < float(w["z"][EGO]) - FALLEN:
            raise SimulatorError(
                f"the ego vehicle has fallen through the ground: it is at height {height:.1f} m, its lane at "
                f"{float(w['z'][EGO]):.1f} m"
            )

    def _send_weather(self, w: np.void) -> None:
        weather = w["weather"].astype(np.float32)
        if weather.tobytes() == self._weather:
            return
        import carla

        self._weather = weather.tobytes()
        values = dict(zip(WEATHER_FIELDS, weather.tolist(), strict=True))
        with self.client.calls("setting the weather", self.client.options.tick_s):
            self.client.world.set_weather(carla.WeatherParameters(**values))

    def _only(self, index: int) -> None:
        if index != 0:
            raise IndexError(f"a CARLA server has one world, 0; got {index}")

    def _refuse(self, what: str) -> NoReturn:
        raise SimulatorError(
            f"{what}: a world on a CARLA server cannot be copied or put back; use the embedded town for that"
        )


def _around(w: np.void) -> list[int]:
    """Slots of those whose boxes may be near the ego's."""
    n = int(w["num_slots"])
    reach = 2.0 * (w["half_length"][:n] + w["half_width"][:n])  # more than any corner, whatever is open or has fallen
    near = np.hypot(w["x"][:n] - w["x"][EGO], w["y"][:n] - w["y"][EGO]) < reach + reach[EGO]
    near &= (w["kind"][:n] > 0) & (w["hidden"][:n] == 0)
    near[EGO] = False
    return [int(slot) for slot in np.flatnonzero(near)]


def _within(w: np.void, slot: int, margin: float) -> bool:
    """Whether the box of the ego, grown by `margin` (m), meets that of an actor."""
    sizes = [float(w[name][EGO]) for name in ("half_length", "half_width")]
    w["half_length"][EGO], w["half_width"][EGO] = (size + margin for size in sizes)
    depth, _, _ = overlap(w, EGO, slot)
    w["half_length"][EGO], w["half_width"][EGO] = sizes
    return bool(depth > 0.0)
