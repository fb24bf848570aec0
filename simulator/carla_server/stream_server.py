"""The streaming port: clients name a stream, the server pushes frames.

In synchronous mode every frame reaches every reader: the next tick waits for them (`drain`), though not for readers of
a sensor that is no more. In asynchronous mode a reader that has not taken its last frame misses the next one.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable

from simulator.carla_server.log import LOG
from simulator.carla_server.protocol import WORLD_STREAM
from simulator.carla_server.sockets import Connection, Listener

HOLD_SECONDS = 2.0  # how long a client may take to subscribe again after a map change
DRAIN_SECONDS = 10.0  # how long a synchronous tick waits for readers


class Subscriber(Connection):
    """A connection; `stream` is 0 until the client has named one."""

    stream = 0
    received = b""
    ended = False  # its stream has: it gets the rest of what it was sent, but nobody waits for it


class StreamServer(Listener):
    """Who reads which stream."""

    name = "streams"

    def __init__(
        self, selector: selectors.BaseSelector, host: str, port: int, world_frame: Callable[[], bytes]
    ) -> None:
        """`world_frame` gives the present episode-state frame, which a new reader of that stream gets at once."""
        super().__init__(selector, host, port)
        self.port = port
        self._world_frame = world_frame
        self._readers: dict[int, set[Subscriber]] = defaultdict(set)
        self._held_until = 0.0

    def connect(self, sock: socket.socket, peer: str) -> Subscriber:
        return Subscriber(self, sock, peer)

    def readable(self, connection: Subscriber) -> None:
        data = connection.receive(64)
        if data is None:
            return
        connection.received += data
        if connection.stream or len(connection.received) > 4:
            connection.close("a reader of a stream has nothing to say after its four bytes")
        elif len(connection.received) == 4:
            connection.stream = struct.unpack("<I", connection.received)[0]
            if not connection.stream:
                connection.close("there is no stream 0")
                return
            self._readers[connection.stream].add(connection)
            if connection.stream == WORLD_STREAM:
                self._subscribed_to_world(connection)

    def forget(self, connection: Connection) -> None:
        super().forget(connection)
        if isinstance(connection, Subscriber) and connection.stream:
            readers = self._readers[connection.stream]
            readers.discard(connection)
            if not readers:
                del self._readers[connection.stream]

    def has_readers(self, stream: int) -> bool:
        """Whether anybody would get a frame of this stream."""
        return stream in self._readers

    def publish(self, stream: int, *parts: bytes | memoryview, droppable: bool) -> None:
        """Send a frame, size and all, to every reader of a stream.

        `droppable`: a reader that has not taken the last one yet goes without.
        """
        if stream == WORLD_STREAM and self.holding:
            return
        for reader in list(self._readers.get(stream, ())):
            if droppable and reader.pending:
                continue
            for part in parts:
                reader.send(part)

    def end(self, stream: int) -> None:
        """A stream's sensor is no more.

        Its readers stay connected, since a client whose connection is closed connects again at once, and for ever.
        """
        for reader in self._readers.get(stream, ()):
            reader.ended = True

    # Map changes

    @property
    def holding(self) -> bool:
        """Whether episode-state frames are held back."""
        return time.monotonic() < self._held_until

    def hold_world(self) -> None:
        """Send no episode state until a client has subscribed again.

        A client that loads a map drops its old episode right after the reply; a frame that arrives at that instant
        makes its streaming thread destroy the object inside the object's own callback, and the client crashes.
        """
        self._held_until = time.monotonic() + HOLD_SECONDS

    def _subscribed_to_world(self, connection: Subscriber) -> None:
        if not self.holding:
            connection.send(self._world_frame())
            return
        self._held_until = 0.0
        for reader in list(self._readers[WORLD_STREAM]):
            if reader is not connection:
                _look_for_end(reader)  # of the connection that this one replaces
        self.publish(WORLD_STREAM, self._world_frame(), droppable=False)

    # Synchronous mode

    def drain(self) -> None:
        """Wait until every reader has taken what it was sent; one that takes too long is let go."""
        waiting = [c for c in self.connections if c.pending and not c.ended]
        if not waiting:
            return
        end = time.monotonic() + DRAIN_SECONDS
        with selectors.DefaultSelector() as selector:
            for connection in waiting:
                selector.register(connection.socket, selectors.EVENT_WRITE, connection)
            while selector.get_map() and time.monotonic() < end:
                for key, _ in selector.select(end - time.monotonic()):
                    key.data.flush()
                    if not key.data.pending:
                        selector.unregister(key.fileobj)
        for connection in waiting:
            if connection.pending:
                connection.close(f"it has not read for {DRAIN_SECONDS:.0f} s")


def _look_for_end(connection: Subscriber) -> None:
    """Close a connection whose other side has."""
    try:
        if connection.socket.recv(1, socket.MSG_PEEK) == b"":
            connection.close("")
    except BlockingIOError:
        return
    except OSError as error:
        LOG.info("streams: %s is gone: %s", connection.peer, error.strerror)
        connection.close("")
