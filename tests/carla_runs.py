"""Evaluations on CARLA servers for tests: real processes, marked so that none can hide, and a proxy that cuts."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from envs.carla.options import CarlaOptions
from evaluation.carla_command import CARLA_DRIVER
from evaluation.pool import Pool, PoolEvent, RouteEnded, RouteProgress
from evaluation.tasks import RouteTask, plan_run

ROOT = Path(__file__).resolve().parent.parent
SERVER = f"cd {shlex.quote(str(ROOT))} && exec {sys.executable} -m simulator.carla_server --quiet --port {{port}}"
MARK = "ROUTEGYM_TEST_MARK"
GONE_SECONDS = 20.0  # for the last process of a run to be gone


def tasks(options: CarlaOptions, *routes: str, agent: str = "route-follower") -> list[RouteTask]:
    """Routes of the smoke suite, to be driven on the servers of `options`."""
    plan = plan_run("smoke", agent=agent, seed=0, route_ids=",".join(routes), maps_elsewhere=True)
    carla = dataclasses.asdict(options)
    return [dataclasses.replace(task, carla=carla) for task in plan.in_world("a test").tasks]


def pool(folder: Path, options: CarlaOptions, *routes: str, **rest: object) -> Pool:
    """A pool of one worker; logs go to `folder`."""
    options = dataclasses.replace(options, log_folder=str(folder))
    return Pool(tasks(options, *routes), driver=CARLA_DRIVER, log_folder=folder, **rest)  # type: ignore[arg-type]


def until_driving(events: Iterator[PoolEvent]) -> None:
    """Let a route get under way."""
    while not (isinstance(event := next(events), RouteProgress) and event.tick > 0):
        continue


def endings(events: Iterator[PoolEvent]) -> list[RouteEnded]:
    """All ends of attempts that are still to come."""
    return [event for event in events if isinstance(event, RouteEnded)]


def marked(mark: str) -> dict[int, str]:
    """Command lines of the running processes that carry the mark, by process id."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{name}/environ").read_bytes()
            command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"{MARK}={mark}".encode() in environment.split(b"\0") and command:
                found[int(name)] = command
    return found


def server_pid(mark: str) -> int:
    """The server of a marked run."""
    found = marked(mark).items()
    return next(pid for pid, command in found if "-m simulator.carla_server" in command and "keeper" not in command)


def nobody_left(mark: str) -> dict[int, str]:
    """Processes of a marked run that do not go away, {} when all are gone."""
    limit = time.monotonic() + GONE_SECONDS
    while (left := marked(mark)) and time.monotonic() < limit:
        time.sleep(0.05)
    return left


def send(pid: int, number: signal.Signals) -> None:
    """A signal to one process."""
    os.kill(pid, number)


class CuttingProxy:
    """Stands before a server's two ports; `cut` breaks its stream connections, for good or until they come again."""

    def __init__(self, port: int, target: int) -> None:
        """Listens on `port` and `port + 1` for the server on `target` and `target + 1`."""
        self._old = struct.pack("<H", target + 1)
        self._new = struct.pack("<H", port + 1)
        self._streams: list[socket.socket] = []
        self._dead = False
        self._listeners = [socket.create_server(("127.0.0.1", port + k)) for k in range(2)]
        for k, listener in enumerate(self._listeners):
            threading.Thread(target=self._accept, args=(listener, target + k, k == 1), daemon=True).start()

    def cut(self, *, for_good: bool) -> None:
        """Break all streams; `for_good`: and take no more."""
        self._dead = for_good
        streams, self._streams = self._streams, []
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let nobody in any more."""
        for listener in self._listeners:
            listener.close()

    def _accept(self, listener: socket.socket, target: int, stream: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                if stream and self._dead:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", target))
                if stream:
                    self._streams += [client, server]
                for pair in ((client, server), (server, client)):
                    pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pump, args=(*pair, stream), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, stream: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not stream:  # tokens name the port of the streams: that of the proxy
                    data = re.sub(rb"(\xc4\x18.{4})" + re.escape(self._old), rb"\g<1>" + self._new, data, flags=re.S)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
