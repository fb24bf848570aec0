"""Connections that never block the server: what they still have to send waits in a queue of limited size."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from simulator.carla_server.log import LOG
from simulator.errors import ServerError

MAX_CONNECTIONS = 512  # on one port; a client needs one for RPC, one for the world, one a sensor
Callback = Callable[[int], None]  # takes the selector's event mask


class Connection:
    """One accepted connection."""

    def __init__(self, owner: Listener, sock: socket.socket, peer: str) -> None:
        self.owner, self.socket, self.peer = owner, sock, peer
        self.open = True
        self.pending: deque[memoryview] = deque()
        self.pending_bytes = 0

    def send(self, data: bytes | memoryview) -> None:
        """Send what goes out at once, and queue the rest."""
        if not self.open:
            return
        view = memoryview(data)
        if not self.pending:
            try:
                sent = self.socket.send(view)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.close(f"sending failed: {error.strerror}")
                return
            if sent == len(view):
                return
            view = view[sent:]
            self.owner.watch(self, writing=True)
        self.pending.append(view)
        self.pending_bytes += len(view)

    def flush(self) -> None:
        """Send from the queue."""
        while self.pending and self.open:
            view = self.pending[0]
            try:
                sent = self.socket.send(view)
            except BlockingIOError:
                return
            except OSError as error:
                self.close(f"sending failed: {error.strerror}")
                return
            self.pending_bytes -= sent
            if sent < len(view):
                self.pending[0] = view[sent:]
                return
            self.pending.popleft()
        if self.open:
            self.owner.watch(self, writing=False)

    def receive(self, most: int) -> bytes | None:
        """What has come in; None when there is nothing, or the connection has ended."""
        try:
            data = self.socket.recv(most)
        except BlockingIOError:
            return None
        except OSError as error:
            self.close(f"receiving failed: {error.strerror}")
            return None
        if not data:
            self.close("")
            return None
        return data

    def close(self, why: str) -> None:
        """End the connection; `why` goes into the log unless empty."""
        if not self.open:
            return
        self.open = False
        self.pending.clear()
        self.pending_bytes = 0
        self.owner.forget(self)
        self.socket.close()
        if why:
            LOG.warning("%s: connection of %s closed: %s", self.owner.name, self.peer, why)
        else:
            LOG.info("%s: %s has left", self.owner.name, self.peer)


class Listener:
    """A port and its connections; what they say is read by a subclass."""

    name = "server"

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int) -> None:
        """
        Raises:
            ServerError: the port cannot be had.
        """
        self.selector = selector
        self.connections: set[Any] = set()
        self.socket = _listen(host, port, self.name)
        selector.register(self.socket, selectors.EVENT_READ, self._accept)

    def _accept(self, mask: int) -> None:
        try:
            sock, address = self.socket.accept()
        except OSError as error:  # gone again already, or out of file descriptors
            LOG.warning("%s: a connection could not be accepted: %s", self.name, error.strerror)
            return
        peer = f"{address[0]}:{address[1]}"
        if len(self.connections) >= MAX_CONNECTIONS:
            LOG.warning("%s: %s turned away: %d connections are open", self.name, peer, MAX_CONNECTIONS)
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self.connect(sock, peer)
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, lambda mask: self._event(connection, mask))
        LOG.info("%s: %s has come", self.name, peer)

    def _event(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            connection.flush()
        if mask & selectors.EVENT_READ and connection.open:
            self.readable(connection)

    def connect(self, sock: socket.socket, peer: str) -> Connection:
        """The connection object of an accepted socket."""
        return Connection(self, sock, peer)

    def readable(self, connection: Any) -> None:
        """Something has come in."""
        raise NotImplementedError

    def watch(self, connection: Connection, *, writing: bool) -> None:
        """Be told when a connection takes more, or no longer."""
        key = self.selector.get_key(connection.socket)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if key.events != events:
            self.selector.modify(connection.socket, events, key.data)

    def forget(self, connection: Connection) -> None:
        """A connection is closing."""
        self.connections.discard(connection)
        self.selector.unregister(connection.socket)

    def close(self) -> None:
        """Close the port and all connections."""
        for connection in list(self.connections):
            connection.close("")
        self.selector.unregister(self.socket)
        self.socket.close()


def _listen(host: str, port: int, name: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        sock.close()
        why = getattr(error, "strerror", None) or str(error)
        raise ServerError(
            f"{host}:{port}: the {name} port cannot be opened ({why}); is another server running there? "
            "Choose another --port (the one after it is used, too) or --host"
        ) from None
    return sock
