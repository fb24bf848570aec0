"""Frames on a socket between environments and a policy server: four bytes of length, then a msgpack map. No pickle.

Arrays travel as `{"dtype", "shape", "data"}`; only numbers and booleans are taken. What is not a frame raises
`FrameError`, what takes too long `TimeoutError`, and a connection that ends `ConnectionError`.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import msgpack
import numpy as np

PROTOCOL = 2
MAX_FRAME = 256 * 2**20  # bytes
_LENGTH = struct.Struct(">I")
_KINDS = "biuf"


class FrameError(Exception):
    """Raised for bytes that are no frame of this protocol."""


def send_frame(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one map; arrays in it may be nested in maps."""
    body = msgpack.packb(message, default=_pack_array)
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive_frame(connection: socket.socket) -> dict[str, Any]:
    """The next map."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if not 0 < length <= MAX_FRAME:
        raise FrameError(f"a frame has 1 to {MAX_FRAME} bytes, got a length of {length}")
    body = _exactly(connection, length)
    try:
        message = msgpack.unpackb(body, object_hook=_unpack_array, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise FrameError(f"not a msgpack map: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise FrameError('a frame is a map with a "type"')
    return message


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        part = connection.recv(min(count - len(found), 2**20))
        if not part:
            raise ConnectionError("the other side has closed the connection")
        found += part
    return bytes(found)


def _pack_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": np.ascontiguousarray(value).tobytes()}
    raise TypeError(f"cannot send {type(value).__name__}")


def _unpack_array(value: dict[str, Any]) -> Any:
    if value.keys() != {"dtype", "shape", "data"}:
        return value
    dtype = np.dtype(str(value["dtype"]))
    if dtype.kind not in _KINDS:
        raise ValueError(f"arrays of {dtype} are not taken")
    return np.frombuffer(value["data"], dtype).reshape([int(n) for n in value["shape"]])
