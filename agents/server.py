"""A policy server: one agent behind a socket, for any number of environments. `python -m agents.server --help`.

A **policy** (token, vision-language) gets observations and answers with decisions; requests of several clients that
arrive together are answered by one pass of the model. Any **other agent** gets the records of the client's worlds every
tick and answers with controls; each client has an agent of its own.

| client sends | server answers |
|---|---|
| `hello`: protocol, world version | `welcome`: what it serves; or `refused`: reason |
| `act`: id, rows, uniforms, n, temperature | `decisions`: id, the fields of `Decisions`; or `error`: id, reason |
| `bind`: route file, route ids, worlds | `bound` |
| `reset`: index, seed | `done` |
| `tick`: id, records of the worlds | `controls`: id, float64[B, 3] |

A frame that cannot be read ends that client's connection, and nobody else's. An idle connection is closed after
`idle_s`.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from agents.base import Agent
from agents.frames import PROTOCOL, FrameError, receive_frame, send_frame
from agents.policy import Decisions, Policy, Rows, stack_rows
from agents.policy_agent import PolicyAgent
from agents.registry import make_agent
from envs.routes import load_network, prepare_routes
from envs.world import WorldBatch
from scenarios.route_file import read_routes
from simulator import WORLD
from simulator.errors import RouteGymError

_FIELDS = tuple(field.name for field in fields(Decisions))


@dataclass
class _Request:
    message: dict[str, Any]
    client: _Client
    at: float


class _Client:
    """One connection; answers are sent by whoever has them."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.connection, self.name = connection, name
        self.open = True
        self.agent: Agent | None = None
        self.batch: WorldBatch | None = None
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send, or find out that nobody listens any more."""
        try:
            with self._sending:
                send_frame(self.connection, message)
        except OSError:
            self.close()

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


class PolicyServer:
    """Serves one agent until `close`.

    Attributes:
        address: (host, port) that it listens on.
        calls, decisions: passes of the policy so far, and decisions made in them.
    """

    def __init__(
        self,
        spec: str,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        window_s: float = 0.004,
        max_batch: int = 256,
        idle_s: float = 600.0,
        maps: str = "",
        agent: Agent | None = None,
    ) -> None:
        """
        Args:
            spec: NAME[:ARG] of the agent.
            port: 0 picks a free one.
            window_s: how long the first request waits for others to join its pass.
            maps: folder with maps that clients' routes may need.
            agent: serve this one in place of `spec`'s.

        Raises:
            AgentError: when the agent cannot be made, or not served.
            OSError: when the port is taken.
        """
        self._spec, self._maps = spec, maps
        made = agent or make_agent(spec)
        self.policy: Policy | None = made.policy if isinstance(made, PolicyAgent) else None
        self._view: dict[str, Any] = {} if self.policy is None else self.policy.view_spec()
        self._window_s, self._max_batch, self._idle_s = window_s, max_batch, idle_s
        self.calls = self.decisions = 0
        self._requests: queue.Queue[_Request | None] = queue.Queue()
        self._clients: set[_Client] = set()
        self._listener = socket.create_server((host, port))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads += [threading.Thread(target=self._answer, daemon=True)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Hang up on everybody and stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._requests.put(None)
        for client in list(self._clients):
            client.close()
        for thread in self._threads:
            thread.join(5.0)

    def __enter__(self) -> PolicyServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            connection.settimeout(self._idle_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection, f"{address[0]}:{address[1]}")
            self._clients.add(client)
            threading.Thread(target=self._listen, args=(client,), daemon=True).start()

    def _listen(self, client: _Client) -> None:
        """Read one client's frames until it goes or talks nonsense."""
        try:
            if self._greet(client, receive_frame(client.connection)):
                while client.open:
                    self._requests.put(_Request(receive_frame(client.connection), client, time.monotonic()))
        except FrameError as error:
            client.send({"type": "error", "id": -1, "reason": str(error)})
        except OSError:
            pass  # it went, or was silent for too long
        finally:
            client.close()
            self._clients.discard(client)

    def _greet(self, client: _Client, hello: dict[str, Any]) -> bool:
        reason = ""
        if hello["type"] != "hello" or hello.get("protocol") != PROTOCOL:
            reason = f"expected a hello of protocol {PROTOCOL}, got {hello['type']} of {hello.get('protocol')}"
        elif hello.get("world") != WORLD:
            reason = f"this server is for worlds {WORLD}, the client has {hello.get('world')}"
        if reason:
            client.send({"type": "refused", "reason": reason})
            return False
        welcome: dict[str, Any] = {"type": "welcome", "protocol": PROTOCOL, "agent": self._spec, "kind": "agent"}
        if self.policy is not None:
            total, trainable = self.policy.size()
            welcome |= {
                "kind": "policy",
                "view": self._view,
                "sample_size": self.policy.sample_size,
                "decision_ticks": self.policy.decision_ticks,
                "parameters": [total, trainable],
            }
        client.send(welcome)
        return True

    def _answer(self) -> None:
        """Answer requests, policy requests that wait together in one pass."""
        while (first := self._requests.get()) is not None:
            if first.message["type"] != "act" or self.policy is None:
                self._serve_agent(first)
                continue
            waiting = [first]
            until = time.monotonic() + self._window_s
            others: list[_Request] = []
            while len(waiting) < self._max_batch:
                try:
                    following = self._requests.get(timeout=max(until - time.monotonic(), 0.0))
                except queue.Empty:
                    break
                if following is None:
                    return
                (waiting if following.message["type"] == "act" else others).append(following)
            self._act(waiting)
            for request in others:
                self._serve_agent(request)

    def _act(self, requests: list[_Request]) -> None:
        """Group what can share a pass, and run each group; a request that breaks it alone gets the error."""
        groups: dict[Any, list[_Request]] = {}
        for request in requests:
            if request.client.open:
                try:
                    groups.setdefault(_likeness(request.message), []).append(request)
                except Exception as error:
                    _fail(request, error)
        for group in groups.values():
            try:
                self._act_together(group)
            except Exception as error:
                if len(group) == 1:
                    _fail(group[0], error)
                    continue
                for request in group:
                    try:
                        self._act_together([request])
                    except Exception as single:
                        _fail(request, single)

    def _act_together(self, group: list[_Request]) -> None:
        assert self.policy is not None
        messages = [request.message for request in group]
        rows: Rows = stack_rows([message["rows"] for message in messages])
        uniforms = None
        if messages[0]["uniforms"] is not None:
            uniforms = np.concatenate([message["uniforms"] for message in messages])
        n = int(messages[0]["n"])
        found = self.policy.act(rows, uniforms, n=n, temperature=float(messages[0]["temperature"]))
        self.calls += 1
        self.decisions += len(found.valid)
        first = 0
        for request in group:
            count = len(next(iter(request.message["rows"].values()))) * n
            part = {name: getattr(found, name) for name in _FIELDS}
            for name, value in part.items():
                if isinstance(value, (np.ndarray, list)) and len(value):
                    part[name] = value[first : first + count]
            first += count
            request.client.send({"type": "decisions", "id": request.message.get("id"), **part})

    def _serve_agent(self, request: _Request) -> None:
        """Requests to an agent of the client's own."""
        client, message = request.client, request.message
        if not client.open:
            return
        try:
            client.send(self._agent_answer(client, message))
        except Exception as error:
            _fail(request, error)

    def _agent_answer(self, client: _Client, message: dict[str, Any]) -> dict[str, Any]:
        kind = message["type"]
        if kind == "bind" and self.policy is None:
            client.batch = self._rebuild(message)
            client.agent = make_agent(self._spec)
            client.agent.bind(client.batch)
            return {"type": "bound", "id": message["id"]}
        if client.agent is None or client.batch is None:
            raise ValueError(f"{kind!r} before bind, or not served here")
        if kind == "reset":
            client.agent.reset(int(message["index"]), int(message["seed"]))
            return {"type": "done", "id": message["id"]}
        if kind == "tick":
            for records, sent in zip(client.batch.state, message["records"], strict=True):
                bytes_in = np.asarray(sent, np.uint8)
                records.view(np.uint8).reshape(len(records), -1)[:] = bytes_in.reshape(len(records), -1)
            return {"type": "controls", "id": message["id"], "controls": np.asarray(client.agent.act(), np.float64)}
        raise ValueError(f"requests of type {kind!r} are not served")

    def _rebuild(self, message: dict[str, Any]) -> WorldBatch:
        """The client's batch, as far as an agent sees it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "routes.xml"
            path.write_text(str(message["routes"]), encoding="utf-8")
            known = {route.id: route for route in read_routes(path)}
        routes = [known[str(name)] for name in message["ids"]]
        network = load_network(routes[0], Path(self._maps) if self._maps else None, corridor=bool(message["corridor"]))
        return WorldBatch(prepare_routes(network, routes), int(message["worlds"]))


def _likeness(message: dict[str, Any]) -> tuple[Any, ...]:
    """Requests with the same one can share a pass."""
    rows = message["rows"]
    shapes = tuple((name, array.shape[1:], array.dtype.str) for name, array in sorted(rows.items()))
    counts = {len(array) for array in rows.values()}
    if len(counts) != 1:
        raise ValueError("the rows of a request must have one length")
    uniforms = message["uniforms"]
    return shapes, int(message["n"]), float(message["temperature"]), uniforms is None


def _fail(request: _Request, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}"
    request.client.send({"type": "error", "id": request.message.get("id", -1), "reason": reason})


@dataclass(frozen=True)
class ServerOptions:
    """Serve an agent to environments on other processes or machines, who drive with `--agent remote:HOST:PORT`."""

    agent: Annotated[str, tyro.conf.arg(metavar="NAME[:ARG]")]
    """The agent to serve."""

    host: str = "127.0.0.1"
    """Address to listen on. Whoever reaches it can ask the agent; there is no password."""

    port: int = 7070
    """Port to listen on; 0 picks a free one."""

    window_ms: float = 4.0
    """How long the first request of a pass waits for others."""

    max_batch: int = 256
    """Most requests a pass."""

    maps: Annotated[str, tyro.conf.arg(metavar="DIR")] = ""
    """Folder with the OpenDRIVE maps that clients' routes may need (agents that are no policies)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    import sys

    options = tyro.cli(ServerOptions, args=arguments)
    try:
        server = PolicyServer(
            options.agent, options.host, options.port, window_s=options.window_ms / 1e3,
            max_batch=options.max_batch, maps=options.maps,
        )  # fmt: skip
    except (RouteGymError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with server:
        print(f"serving {options.agent} on {server.address[0]}:{server.address[1]}", flush=True)
        try:
            while True:
                time.sleep(3600.0)
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    raise SystemExit(main())
