"""`--agent remote:HOST:PORT`: drives with an agent that a policy server has (`agents.server`).

A decision that does not come in time, or a server that is gone, is a format failure of `agents.policy_agent`: the
vehicle does what is documented there, and the next decision connects afresh. An agent that is no policy cannot miss a
tick: its failure ends the route as an agent crash.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Agent
from agents.frames import PROTOCOL, FrameError, receive_frame, send_frame
from agents.policy import Decisions, LogProb, Observer, Policy, Rows
from agents.policy_agent import PolicyAgent
from agents.views import make_view
from envs.world import WorldBatch
from simulator import WORLD
from simulator.errors import AgentError


class Line:
    """A connection that asks one question at a time, and is made again after a failure."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        """
        Raises:
            AgentError: when nobody answers, or it is no server for this version.
        """
        self._where, self._timeout = (host, port), timeout
        self._connection: socket.socket | None = None
        self._number = 0
        try:
            self.welcome = self._connect()
        except (OSError, FrameError) as error:
            raise AgentError(f"no policy server answers on {host}:{port}: {error}") from error

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request.

        Raises:
            TimeoutError, ConnectionError, FrameError: the request is lost; the next one connects again.
            ValueError: what the server says is wrong with the request.
        """
        if self._connection is None:
            self._connect()
        assert self._connection is not None
        self._number += 1
        try:
            send_frame(self._connection, {**message, "id": self._number})
            answer = receive_frame(self._connection)
        except (OSError, FrameError):
            self.close()
            raise
        if answer["type"] == "error":
            raise ValueError(answer["reason"])
        if answer.get("id") != self._number:
            self.close()
            raise FrameError(f"the answer is for request {answer.get('id')}, expected {self._number}")
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> dict[str, Any]:
        connection = socket.create_connection(self._where, timeout=self._timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            send_frame(connection, {"type": "hello", "protocol": PROTOCOL, "world": WORLD})
            welcome = receive_frame(connection)
        except (OSError, FrameError):
            connection.close()
            raise
        if welcome["type"] != "welcome" or welcome.get("protocol") != PROTOCOL:
            connection.close()
            raise AgentError(f"the policy server refuses: {welcome.get('reason', 'it speaks another protocol')}")
        self._connection = connection
        return welcome


class RemotePolicy(Policy):
    """A policy on a server; it sees what the server says it sees."""

    name = "remote"

    def __init__(self, line: Line) -> None:
        self._line = line
        self.sample_size = int(line.welcome["sample_size"])
        self.decision_ticks = int(line.welcome["decision_ticks"])
        self._view = dict(line.welcome["view"])

    def observer(self, batch: WorldBatch) -> Observer:
        return make_view(self._view, batch)

    def view_spec(self) -> dict[str, Any]:
        return self._view

    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        answer = self._line.ask({"type": "act", "rows": rows, "uniforms": uniforms, "n": n, "temperature": temperature})
        return Decisions(**{name: value for name, value in answer.items() if name not in ("type", "id")})

    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        raise NotImplementedError("a policy on a server is not trained from here")

    def trainable(self) -> Iterable[Any]:
        return ()

    def size(self) -> tuple[int, int]:
        total, trainable = self._line.welcome["parameters"]
        return int(total), int(trainable)

    def save(self, folder: str) -> None:
        raise NotImplementedError("a policy on a server is saved there")


class RemoteAgent(Agent):
    """An agent on a server that gets the records of all worlds every tick."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        routes = [prepared.route for prepared in batch.routes.routes]
        files = {route.file for route in routes}
        if len(files) != 1 or not routes[0].file:
            raise AgentError("a remote agent needs routes of one route file")
        self._line.ask(
            {
                "type": "bind",
                "routes": Path(routes[0].file).read_text(encoding="utf-8"),
                "ids": [route.id for route in routes],
                "worlds": batch.num_worlds,
                "corridor": bool(batch.routes.network.synthetic),
            }
        )

    def reset(self, index: int, seed: int) -> None:
        self._line.ask({"type": "reset", "index": index, "seed": seed})

    def act(self) -> np.ndarray:
        records = [records.view(np.uint8).reshape(len(records), -1) for records in self.batch.state]
        return np.asarray(self._line.ask({"type": "tick", "records": records})["controls"])


def remote_agent(argument: str) -> Agent:
    """The agent of `HOST:PORT[,timeout=SECONDS][,temperature=T]`.

    Raises:
        ValueError: for another form.
        AgentError: when no server answers.
    """
    where, *rest = argument.split(",")
    host, colon, port = where.rpartition(":")
    options = dict(part.partition("=")[::2] for part in rest)
    if not colon or not port.isdigit() or not options.keys() <= {"timeout", "temperature"}:
        raise ValueError(f"expected HOST:PORT[,timeout=SECONDS][,temperature=T], got {argument!r}")
    line = Line(host, int(port), float(options.get("timeout", 10.0)))
    if line.welcome["kind"] == "policy":
        return PolicyAgent(RemotePolicy(line), temperature=float(options.get("temperature", 0.0)))
    return RemoteAgent(line)
