"""The RPC port: msgpack-rpc requests in, answers out, in the order of the wire."""

from __future__ import annotations

import selectors
import socket
import traceback
from typing import TYPE_CHECKING, Any

import msgpack

from simulator.carla_server.encoding import RpcError
from simulator.carla_server.log import LOG, one_line
from simulator.carla_server.methods import load_methods
from simulator.carla_server.sockets import Connection, Listener

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

MAX_MESSAGE = 256 << 20  # bytes; the largest message is an OpenDRIVE text
MAX_ARRAY = 16_384  # elements: of `apply_batch`, and of anything else
MAX_UNREAD = 256 << 20  # bytes of answers that a client has not read
_CHUNK = 1 << 18


class RpcConnection(Connection):
    """A connection with its own decoder."""

    def __init__(self, owner: Listener, sock: socket.socket, peer: str) -> None:
        super().__init__(owner, sock, peer)
        self.unpacker = msgpack.Unpacker(
            raw=False,
            strict_map_key=False,
            max_buffer_size=MAX_MESSAGE,
            max_array_len=MAX_ARRAY,
            max_map_len=64,
            max_ext_len=0,
        )


class RpcServer(Listener):
    """Decodes requests, calls methods, encodes answers. Whatever a client sends, only its own connection ends."""

    name = "rpc"

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int, server: CarlaServer) -> None:
        super().__init__(selector, host, port)
        self.server = server
        self.methods = load_methods()
        self._packer = msgpack.Packer(use_bin_type=True)
        self._complained: set[str] = set()

    def connect(self, sock: socket.socket, peer: str) -> RpcConnection:
        return RpcConnection(self, sock, peer)

    def readable(self, connection: RpcConnection) -> None:
        data = connection.receive(_CHUNK)
        if data is None:
            return
        replies = []
        try:
            connection.unpacker.feed(data)
            for message in connection.unpacker:
                replies.append(self._answer(message))
        except (ValueError, TypeError, RecursionError, MemoryError, msgpack.exceptions.UnpackException) as error:
            connection.close(f"not a msgpack-rpc request: {one_line(error) or type(error).__name__}")
            return
        if replies:
            connection.send(b"".join(replies))
            if connection.pending_bytes > MAX_UNREAD:
                connection.close("it does not read its answers")

    def _answer(self, message: Any) -> bytes:
        if not isinstance(message, list) or len(message) != 4 or message[0] != 0:
            raise ValueError("the message is not [0, id, method, parameters]")
        _, number, name, parameters = message
        if not isinstance(number, int) or not isinstance(name, str) or not isinstance(parameters, list):
            raise ValueError("the message is not [0, id, method, parameters]")
        method = self.methods.get(name)
        if method is None or not method.required < len(parameters) <= method.arity + 1:
            text = f"rpclib: server could not find function '{name}' with argument count {len(parameters)}."
            self._complain(name, one_line(text))
            return self._pack([1, number, text, None])
        try:
            result = method.answer(method.run(self.server, *parameters[1:]))
            return self._pack([1, number, None, result])
        except RpcError as error:
            LOG.info("rpc: %s: %s", name, one_line(error))
            return self._pack([1, number, None, method.refuse(str(error))])
        except Exception as error:  # whatever one request does to us, the others go on
            where = traceback.extract_tb(error.__traceback__)[-1]
            LOG.error("rpc: %s failed: %r at %s:%s", name, error, where.filename, where.lineno)
            return self._pack([1, number, None, method.refuse(f"{name} failed in the server: {one_line(error)}")])

    def _pack(self, message: list[Any]) -> bytes:
        packed = self._packer.pack(message)
        return bytes(packed)

    def _complain(self, name: str, text: str) -> None:
        """Log what clients ask for in vain, once each."""
        if name not in self._complained and len(self._complained) < 1000:
            self._complained.add(name)
            LOG.warning("rpc: %s", text)
