"""A CARLA server for one process, from its start to its end: the place where routes ask for a town."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from envs.carla.client import CarlaClient
from envs.carla.options import CarlaOptions
from envs.carla.ports import PortLock, reserve_address
from envs.carla.server_process import ServerProcess, resident_bytes
from simulator.errors import SimulatorError, SimulatorStartError

if TYPE_CHECKING:
    from simulator.roads.network import RoadNetwork

_STARTS = 2  # tries to start a server before a route counts as failed


def _nothing() -> None:
    return None


class CarlaSession:
    """One server at a time, started or found, with a client on it. Close it when done; a lost process closes it too.

    Attributes:
        server: the process that was started, None for a running server of somebody else.
    """

    def __init__(self, options: CarlaOptions) -> None:
        """Nothing starts before `client` is asked for."""
        self.options = options
        self.server: ServerProcess | None = None
        self._client: CarlaClient | None = None
        self._address: PortLock | None = None
        self._started = 0
        self._last_port = 0

    def client(self, beat: Callable[[], None] = _nothing) -> CarlaClient:
        """The connected client; starts and connects what is not there.

        Args:
            beat: called now and then while it waits.

        Raises:
            SimulatorError: when no server comes up.
        """
        if self._client is not None:
            return self._client
        if not self.options.start:
            self._address = self._address or reserve_address(self.options.addresses)
            self._client = self._connect(self._address.host, self._address.port, beat)
            return self._client
        for attempt in range(1, _STARTS + 1):
            self._started += 1
            self.server = ServerProcess(self.options, self._started, after=self._last_port)
            self._last_port = self.server.ports.port
            try:
                self._client = self._connect("127.0.0.1", self.server.ports.port, beat)
                return self._client
            except SimulatorError as error:
                words = self.server.last_words()
                self.close()
                if attempt == _STARTS:
                    told = f"; its last words: {words}" if words else ""
                    raise SimulatorStartError(f"{error} (start command tried {attempt} times){told}") from error
        raise AssertionError("unreachable")

    def network(self, town: str, beat: Callable[[], None] = _nothing) -> RoadNetwork:
        """The roads of a town, which the server has loaded when this returns.

        Raises:
            SimulatorError: when the server fails or has no such town.
        """
        return self.client(beat).load_town(town)

    def too_big(self) -> str:
        """What has outgrown the memory limit, '' when nothing has."""
        limit = self.options.memory_gb
        if not limit or self.server is None:
            return ""
        size = self.server.memory_gb
        return f"the CARLA server had grown to {size:.2f} GB, the limit is {limit:g} GB" if size > limit else ""

    def close(self) -> None:
        """End what was started and let the address go; the session may be used again."""
        if self._client is not None and self.server is None:
            self._client.release()
        self._client = None
        if self.server is not None:
            self.server.stop()
            self.server = None
        if self._address is not None:
            self._address.release()
            self._address = None

    def _connect(self, host: str, port: int, beat: Callable[[], None]) -> CarlaClient:
        client = CarlaClient(host, port, self.options, ended=self._how_it_ended, beat=beat)
        client.connect()
        return client

    def _how_it_ended(self) -> str:
        return self.server.ended if self.server is not None else ""


def own_memory_gb() -> float:
    """Resident memory of this process."""
    return resident_bytes(os.getpid()) / 1e9
