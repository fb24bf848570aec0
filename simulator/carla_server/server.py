"""The CARLA server: one thread, one loop, two ports.

A single thread keeps CARLA's order: what a client sends before a tick is applied before it. A tick is

| order | what |
|---|---|
| 1 | in synchronous mode: every reader has taken its last frame (`StreamServer.drain`) |
| 2 | Ackermann controllers set pedals |
| 3 | the world moves on (`tick.py`) |
| 4 | the episode-state frame goes out |
| 5 | sensors measure and send (`sensor_actors.py`) |
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from simulator.carla_server.ackermann import AckermannControl, control_for
from simulator.carla_server.actors import Actor
from simulator.carla_server.blueprint_library import ActorKind, blueprint_library
from simulator.carla_server.encoding import write_token
from simulator.carla_server.episode import Episode
from simulator.carla_server.frames import MAP_CHANGED, STREET_LIGHTS_CHANGED
from simulator.carla_server.log import LOG
from simulator.carla_server.maps import OPENDRIVE_WORLD, Maps
from simulator.carla_server.preparation import prepare_sensors, prepare_town
from simulator.carla_server.protocol import PROTOCOLS, WORLD_STREAM
from simulator.carla_server.rpc_server import RpcServer
from simulator.carla_server.rpc_walkers import bury
from simulator.carla_server.sensor_actors import SensorActors
from simulator.carla_server.settings import Settings
from simulator.carla_server.stream_server import StreamServer

FIRST_ACTOR_ID = 24
_LATEST = 0.5  # s; an asynchronous server that is further behind its clock lets the lost time go


@dataclass
class Clock:
    """Time over all episodes: frame numbers and seconds never go back."""

    frame: int = 0
    elapsed: float = 0.0  # s


class CarlaServer:
    """A world on host:port."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 2000, town: str = "MiniTown", maps_dir: Path | None = None,
        version: str = "0.9.16",
    ) -> None:  # fmt: skip
        """
        Args:
            port: of RPC; streams are on the port after it.
            town: loaded at the start.
            maps_dir: folder of OpenDRIVE files.
            version: key of `PROTOCOLS`.

        Raises:
            ServerError: a port is taken, or the folder is missing.
            MissingMapError, MapError: the town cannot be had.
        """
        self.protocol = PROTOCOLS[version]
        self.blueprints = blueprint_library(self.protocol)
        self.maps = Maps(maps_dir)
        self.settings = Settings()
        self.clock = Clock()
        self.traffic_managers: dict[int, str] = {}  # port -> host
        self.ackermann: dict[int, AckermannControl] = {}  # actor id -> what it is to do
        self.stopping = False
        self._next_stream = WORLD_STREAM + 1
        self._next_tick = 0.0
        network = self.maps.load(town)
        prepare_sensors(network)
        self.navigation = prepare_town(network)
        self.selector = selectors.DefaultSelector()
        self.streams = StreamServer(self.selector, host, port + 1, self.world_frame)
        try:
            self.rpc = RpcServer(self.selector, host, port, self)
        except BaseException:
            self.streams.close()
            raise
        self._delta = 0.0
        self._flags = 0
        self.episode = Episode(
            network, self.protocol, map_name=self.maps.name(town), number=1, first_id=FIRST_ACTOR_ID
        )  # fmt: skip
        self.sensors = SensorActors(self)
        self.tick()  # a client that comes first sees frame 1, and every kernel is loaded

    # The loop

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop`, SIGINT or SIGTERM. `ready` is called when clients can connect."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        self.selector.register(wake, selectors.EVENT_READ, lambda mask: self.stop())
        old_fd = signal.set_wakeup_fd(waker.fileno())
        old = {s: signal.signal(s, self._signalled) for s in (signal.SIGINT, signal.SIGTERM)}
        self._next_tick = time.monotonic() + self.settings.seconds
        try:
            if ready is not None:
                ready()
            while not self.stopping:
                try:
                    for key, mask in self.selector.select(self._patience()):
                        key.data(mask)
                    self._keep_time()
                except Exception as error:  # whatever one event does to us, the others go on
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    LOG.error("event failed: %r at %s:%s", error, where.filename, where.lineno)
                    self._next_tick = time.monotonic() + self.settings.seconds
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_fd)
            self.selector.unregister(wake)
            wake.close()
            waker.close()
            self.close()

    def stop(self) -> None:
        """End `serve` after the present event."""
        self.stopping = True

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def close(self) -> None:
        """Close both ports and all connections."""
        self.sensors.close()
        self.rpc.close()
        self.streams.close()
        self.selector.close()

    def _patience(self) -> float | None:
        if self.settings.synchronous:
            return None
        return max(self._next_tick - time.monotonic(), 0.0)

    def _keep_time(self) -> None:
        """In asynchronous mode: tick when it is time to, in step with the wall clock."""
        if self.settings.synchronous:
            return
        now = time.monotonic()
        if now >= self._next_tick:
            self.tick()
            self._next_tick += self.settings.seconds
            if self._next_tick < now - _LATEST:
                self._next_tick = now

    # Time

    def tick(self) -> int:
        """One tick; returns its frame number."""
        synchronous = self.settings.synchronous
        if synchronous:
            self.streams.drain()
        seconds = self.settings.seconds
        if self.ackermann:
            self._steer_ackermann(seconds)
        self.episode.tick(seconds)
        self.clock.frame += 1
        self.clock.elapsed += seconds
        self._delta = seconds
        self.streams.publish(WORLD_STREAM, self.world_frame(), droppable=not synchronous)
        if not self.streams.holding:
            self._flags = 0
        self.sensors.publish()
        bury(self)
        return self.clock.frame

    def _steer_ackermann(self, seconds: float) -> None:
        """Pedals and steering of the vehicles under Ackermann control."""
        w = self.episode.worlds
        for actor_id, wanted in list(self.ackermann.items()):
            actor = self.episode.registry.actors.get(actor_id)
            if actor is None:
                del self.ackermann[actor_id]
                continue
            speed, half = float(w["speed"][0, actor.slot]), float(w["half_length"][0, actor.slot])
            throttle, steer, brake, reverse = control_for(wanted, speed, half, seconds)
            w["throttle"][0, actor.slot], w["steer"][0, actor.slot] = throttle, steer
            w["brake"][0, actor.slot], w["reverse"][0, actor.slot] = brake, reverse
            w["hand_brake"][0, actor.slot] = 0

    def street_lights_changed(self) -> None:
        """Tell every client with the next frame to ask for the street lights again."""
        self._flags |= STREET_LIGHTS_CHANGED

    def world_frame(self) -> bytes:
        """The episode-state frame of the present."""
        frame = self.episode.frame
        header = frame.header
        header["frame"], header["timestamp"] = self.clock.frame, self.clock.elapsed
        header["episode"], header["platform_time"] = self.episode.number, time.time()
        header["delta"], header["flags"] = self._delta, self._flags
        return frame.bytes()

    def apply_settings(self, settings: Settings) -> None:
        """Change the settings; an asynchronous clock starts anew."""
        if settings.synchronous != self.settings.synchronous:
            LOG.info("settings: %s", "synchronous" if settings.synchronous else "asynchronous")
        self.settings = settings
        self._next_tick = time.monotonic() + settings.seconds

    # Episodes

    def load_episode(self, town: str, *, reset_settings: bool) -> None:
        """Load a town in place of the present one.

        Raises:
            MissingMapError, MapError: it cannot be had; the present one stays.
        """
        began = time.monotonic()
        network = self.maps.load(town)
        navigation = prepare_town(network)
        old = self.episode
        episode = Episode(
            network, self.protocol, map_name=self.maps.name(town), number=old.number + 1,
            first_id=old.registry.next_id,
        )  # fmt: skip
        self.streams.hold_world()
        for actor in old.registry.actors.values():
            self.streams.end(actor.stream)
        if reset_settings:
            self.settings = Settings(no_rendering=self.settings.no_rendering)
        self.episode, self.navigation = episode, navigation
        self.sensors.close()
        self.sensors = SensorActors(self)
        self.clock.frame += 1  # the state of the new episode is a new frame
        self._flags = MAP_CHANGED
        self._next_tick = time.monotonic() + self.settings.seconds
        LOG.info("episode %d: %s loaded in %.2f s", episode.number, network.town, time.monotonic() - began)

    def load_opendrive(self, text: str) -> None:
        """Keep an OpenDRIVE text as the town `OpenDriveMap`, which the next load may ask for."""
        self.maps.keep(OPENDRIVE_WORLD, text)

    # Actors

    def added(self, actor: Actor) -> None:
        """Give a new sensor its stream."""
        if actor.kind == ActorKind.SENSOR:
            actor.stream = self._next_stream
            self._next_stream += 1
            actor.token = write_token(actor.stream, self.streams.port)
            self.sensors.added(actor)

    def destroy(self, actor: Actor) -> None:
        """Destroy an actor and what hangs on it."""
        for gone in self.episode.destroy(actor):
            if gone.kind == ActorKind.SENSOR:
                self.sensors.removed(gone)
                self.streams.end(gone.stream)

    def change_settings(self, **changes: object) -> None:
        """Change single settings."""
        self.apply_settings(replace(self.settings, **changes))  # type: ignore[arg-type]
