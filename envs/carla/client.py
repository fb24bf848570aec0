"""One client on one CARLA server: every call has a time-out, every failure a cause that people understand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING, Any

from envs.carla.options import CarlaOptions
from envs.carla.server_process import listens
from simulator.errors import SimulatorError
from simulator.state import TICK_SECONDS

if TYPE_CHECKING:
    import carla

    from simulator.roads.network import RoadNetwork

_PROBE_S = 2.0  # s for a question that only finds out whether the server lives
_STREAM = 1  # offset of the streaming port


def _nothing() -> None:
    return None


def _not_ended() -> str:
    return ""


class CarlaClient:
    """A connection, from `connect` on. The world is ours alone: synchronous, 0.05 s a tick.

    Attributes:
        version: of the server.
        world: `carla.World` of the town that is loaded.
        town: its name, '' before `load_town`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        options: CarlaOptions,
        *,
        ended: Callable[[], str] = _not_ended,
        beat: Callable[[], None] = _nothing,
    ) -> None:
        """
        Args:
            ended: how the server's process has ended, '' while it runs or where nobody knows.
            beat: called now and then during long waits.
        """
        self.host, self.port, self.options = host, port, options
        self._ended, self._beat = ended, beat
        self.version = ""
        self.town = ""
        self.world: carla.World
        self._client: carla.Client
        self._networks: dict[str, RoadNetwork] = {}

    @property
    def place(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def connect(self) -> None:
        """Wait until the server is up, and shake hands.

        Raises:
            SimulatorError: when it ends, does not come up in time, or is of another version than the client.
        """
        import carla

        began = time.monotonic()
        while not listens(self.host, self.port):
            self._beat()
            if how := self._ended():
                raise SimulatorError(f"the CARLA server {how} before it came up")
            if time.monotonic() - began > self.options.start_s:
                raise SimulatorError(
                    f"the CARLA server did not come up: nobody listens at {self.place} after {self.options.start_s:g} s"
                )
            time.sleep(0.05)
        self._client = carla.Client(self.host, self.port)
        while True:
            self._beat()
            left = self.options.start_s - (time.monotonic() - began)
            self._client.set_timeout(max(min(left, _PROBE_S), 0.1))
            try:
                self.version = self._client.get_server_version()
                break
            except RuntimeError as error:
                if how := self._ended():
                    raise SimulatorError(f"the CARLA server {how} before it answered") from error
                if left <= 0.0:
                    raise SimulatorError(
                        f"the CARLA server did not come up: {self.place} takes connections, but answers no call within "
                        f"{self.options.start_s:g} s"
                    ) from error
        ours = self._client.get_client_version()
        if self.version.split("-")[0] != ours.split("-")[0]:
            raise SimulatorError(
                f"the CARLA server at {self.place} is {self.version}, the client library {ours}: they misread each "
                f"other's data; install carla=={self.version.split('-')[0]} or start a server {ours}"
            )

    def load_town(self, town: str) -> RoadNetwork:
        """Load a town unless it is there already, take the world over, and return its roads, read from the server.

        Raises:
            SimulatorError: when the server has no such town, or fails.
            MapError: when its map cannot be read.
        """
        from simulator.roads.cache import load_town

        with self.calls(f"loading {town}", self.options.load_s, frames=True):
            if self.town != town:
                there = self.towns()
                if town not in there:
                    raise SimulatorError(
                        f"the CARLA server at {self.place} has no town {town}; it has {', '.join(there) or 'none'}"
                    )
                self._beat()
                # In asynchronous mode, as the official evaluator does: the client then waits for the new world itself.
                self.world = self._client.get_world()
                self._set_synchronous(False)
                self.world = self._client.load_world(town)
                self.town = town
                self._beat()
            self._set_synchronous(True)
            self.world.tick(self.options.load_s)
            if town not in self._networks:
                self._networks[town] = load_town(self.world.get_map().to_opendrive(), town)
        return self._networks[town]

    def towns(self) -> tuple[str, ...]:
        """Names of the towns that the server has, sorted."""
        with self.calls("asking for its towns", self.options.tick_s):
            return tuple(sorted({path.rsplit("/", 1)[-1] for path in self._client.get_available_maps()}))

    def tick(self) -> carla.WorldSnapshot:
        """One tick of 0.05 s; the snapshot is of it.

        Raises:
            SimulatorError: when no frame comes in time.
        """
        with self.calls("a tick", self.options.tick_s, frames=True):
            frame = self.world.tick(self.options.tick_s)
            snapshot = self.world.get_snapshot()
        if snapshot.frame < frame:
            raise SimulatorError(f"the CARLA server at {self.place} ticked frame {frame}, but sent {snapshot.frame}")
        return snapshot

    def batch(self, commands: list[Any], what: str) -> list[Any]:
        """Responses to commands, each with `actor_id` and `error`."""
        if not commands:
            return []
        with self.calls(what, self.options.tick_s):
            return list(self._client.apply_batch_sync(commands, False))

    @contextlib.contextmanager
    def calls(self, what: str, seconds: float, *, frames: bool = False) -> Iterator[None]:
        """What is called within fails with a `SimulatorError` that names `what`; each call may take `seconds`.

        `frames`: the calls also wait for a frame of the world's stream.
        """
        self._client.set_timeout(seconds)
        try:
            yield
        except RuntimeError as error:
            raise SimulatorError(self._cause(what, seconds, frames, str(error))) from error

    def release(self) -> None:
        """Leave the server to run by itself again; failures do not matter any more."""
        with contextlib.suppress(Exception):
            self._client.set_timeout(_PROBE_S)
            if self.town:
                self._set_synchronous(False)

    def _set_synchronous(self, wanted: bool) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = wanted
        settings.fixed_delta_seconds = TICK_SECONDS if wanted else None
        settings.deterministic_ragdolls = True
        self.world.apply_settings(settings, self.options.load_s)

    def _cause(self, what: str, seconds: float, frames: bool, error: str) -> str:
        """What happened to the server, as far as one can find out."""
        time.sleep(0.2)  # a process that has just been killed is still being cleared away
        if how := self._ended():
            return f"the CARLA server {how} during {what}"
        if not listens(self.host, self.port):
            return f"the CARLA server at {self.place} is gone: it refuses connections during {what}"
        if "time-out" not in error:
            return f"the CARLA server at {self.place} failed during {what}: {error}"
        if frames and self._answers():
            return (
                f"the CARLA server at {self.place} answers calls, but its stream (port {self.port + _STREAM}) brought "
                f"no frame within {seconds:g} s during {what}"
            )
        return f"the CARLA server at {self.place} hangs: no answer within {seconds:g} s during {what}"

    def _answers(self) -> bool:
        with contextlib.suppress(RuntimeError):
            self._client.set_timeout(_PROBE_S)
            self._client.get_server_version()
            return True
        return False


def client_version() -> str:
    """Version of the installed client library."""
    return metadata.version("carla")
