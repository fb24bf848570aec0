"""Our CARLA server as a child process, and clients of it: in this process, or in one of their own that may crash."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300  # the very first start compiles the kernels


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen
    port: int

    def client(self, timeout: float = 20.0) -> Any:
        """A `carla.Client` of it."""
        import carla

        client = carla.Client("127.0.0.1", self.port)
        client.set_timeout(timeout)
        return client

    def resident(self) -> int:
        """Bytes of memory it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self) -> int:
        """End it as a user would, and return its exit code."""
        self.process.terminate()
        return self.process.wait(30)


def free_port() -> int:
    """A port P such that P and P + 1 are free."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def start(*options: str, port: int | None = None, witness: Path | None = None) -> Server:
    """Start a server and wait until clients can connect. `witness`: file that gets the world's record every tick."""
    port = free_port() if port is None else port
    module = ["simulator.carla_server"] if witness is None else ["tests.carla_server_child", str(witness)]
    command = [sys.executable, "-m", *module, "--port", str(port), "--quiet", *options]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if "is served" not in line:
        process.kill()
        raise RuntimeError(f"the server did not start: {line!r}")
    return Server(process, port)


@contextmanager
def running(*options: str, witness: Path | None = None) -> Iterator[Server]:
    """A server for the length of a `with` block."""
    server = start(*options, witness=witness)
    try:
        yield server
    finally:
        assert server.stop() == 0, "the server did not end cleanly"


def synchronous(world: Any, seconds: float = 0.05) -> None:
    """Switch a world to synchronous mode."""
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = seconds
    world.apply_settings(settings)


def destroy_all(client: Any, world: Any, actors: Iterable[Any]) -> None:
    """Destroy actors, and tick.

    The tick is one of its own: `apply_batch_sync(..., True)` waits for its frame with Python locked, and where sensors
    have just been stopped, the threads that should take the frame wait for Python to let their callbacks go.
    """
    import carla

    client.apply_batch_sync([carla.command.DestroyActor(actor.id) for actor in actors], False)
    world.tick()


def run_client(server: Server, code: str, timeout: float = 120.0) -> str:
    """Run client code, which has `carla`, `client` and `world`, in a process of its own; returns what it printed."""
    head = f"""
        import time
        import carla
        from tests.carla_servers import synchronous
        client = carla.Client("127.0.0.1", {server.port})
        client.set_timeout(20.0)
        world = client.get_world()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, f"the client ended with {done.returncode}:\n{done.stderr[-2000:]}"
    return done.stdout


class RawClient:
    """A client that says what it likes: msgpack-rpc without CARLA's library."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60.0)
        self._unpacker = msgpack.Unpacker(raw=False)
        self._number = 0

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, name: str, *arguments: Any) -> Any:
        """The result slot of the answer.

        Raises:
            LookupError: the error slot, where it is filled.
        """
        self._number += 1
        self.send(msgpack.packb([0, self._number, name, [[False], *arguments]]))
        while True:
            for answer in self._unpacker:
                if answer[1] == self._number:
                    if answer[2] is not None:
                        raise LookupError(answer[2])
                    return answer[3]
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionResetError("the server has closed the connection")
            self._unpacker.feed(data)

    def close(self) -> None:
        self.socket.close()
