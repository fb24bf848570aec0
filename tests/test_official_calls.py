"""One call of each kind that the official evaluator makes, sent to our server: the recorded list, not the code itself.

`tests/official_calls.json` is what `python -m benchmarks.record_calls` wrote beside the official evaluator
(docs/official.md).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import carla_servers
import msgpack
import pytest

from benchmarks.record_calls import BATCH, COMMANDS, actor_kind

CALLS = json.loads(Path(__file__).with_name("official_calls.json").read_text())
SPAWN_FAR = [[10.0, 20.0, 150.0], [0.0, 0.0, 0.0]]  # a transform where nobody is
TYPES = {
    "vehicle": "vehicle.lincoln.mkz_2020",
    "walker": "walker.pedestrian.0001",
    "prop": "static.prop.constructioncone",
    "sensor": "sensor.other.collision",
    "controller": "controller.ai.walker",
}


class Session:
    """A raw connection to the server, with an actor of each kind in its world."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self._number = 0
        definitions = self.value("get_actor_definitions")
        self._definitions = {definition[1]: definition for definition in definitions}
        self.populate()

    def populate(self) -> None:
        """Put an actor of each kind into a fresh world."""
        self.actors: dict[str, int] = {"spectator": self.value("get_spectator")[0]}
        self.value("tick_cue")
        for k, (kind, type_id) in enumerate(TYPES.items()):
            self.actors[kind] = self.spawn(type_id, [[10.0 * k, 0.0, 80.0 + 10.0 * k], [0.0, 0.0, 0.0]])
        for number, _, description, *_ in self.value("get_actors_by_id", list(range(1, 2000))):
            self.actors.setdefault(actor_kind(description[1]), number)

    def call(self, method: str, *arguments: Any) -> tuple[Any, Any]:
        """(error, result) of a method."""
        self._number += 1
        message = [0, self._number, method, [[False], *arguments]]
        self._socket.sendall(msgpack.packb(message, use_single_float=False))
        while True:
            self._unpacker.feed(self._socket.recv(1 << 18))
            for kind, number, error, result in self._unpacker:
                assert kind == 1
                assert number == self._number
                return error, result

    def value(self, method: str, *arguments: Any) -> Any:
        """Result of a method that succeeds."""
        error, result = self.call(method, *arguments)
        assert error is None, error
        index, value = result[0]
        assert index == 1, value
        return value

    def describe(self, description: list[Any]) -> list[Any]:
        """A recorded blueprint with its number in this server's library."""
        return [self._definitions[description[1]][0], *description[1:]]

    def spawn(self, type_id: str, place: list[Any]) -> int:
        """Number of a new actor with its blueprint's defaults."""
        uid, name, _, attributes = self._definitions[type_id]
        values = [[attribute[0], attribute[1], attribute[2]] for attribute in attributes]
        return self.value("spawn_actor", [uid, name, values], place)[0]

    def fill(self, value: Any) -> Any:
        """A recorded argument: bytes and numbers of actors put in."""
        if isinstance(value, dict):
            return bytes.fromhex(value["bytes"]) if "bytes" in value else self.actors[value["actor"]]
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    server = carla_servers.start("--protocol", "0.9.15")  # the clients whose calls were recorded
    try:
        session = Session(server.port)
        yield session
        session.close()
    finally:
        server.stop()


def name_of(call: dict[str, Any]) -> str:
    return f"{call['method']}({call['kinds']})"


def test_the_list_is_of_whole_evaluations():
    methods = {call["method"] for call in CALLS}
    assert {"load_new_episode", "tick_cue", "spawn_actor", f"{BATCH}:SpawnActor", "destroy_actor"} <= methods
    assert len(methods) > 30


@pytest.mark.parametrize("call", [call for call in CALLS if call["example"] is not None], ids=name_of)
def test_a_recorded_call_is_served(call: dict[str, Any], session: Session):
    method, arguments = call["method"], session.fill(call["example"])
    if method == "load_new_episode":
        arguments[0] = "MiniTown"
    if method == "request_file":
        arguments[0] = session.value("get_required_files", "Nav")[0]
    if method in ("spawn_actor", "spawn_actor_with_parent", f"{BATCH}:SpawnActor"):
        arguments[0] = session.describe(arguments[0])
        if not arguments[2:] or method == f"{BATCH}:SpawnActor":
            arguments[1] = SPAWN_FAR
    if method == "destroy_actor" or method == f"{BATCH}:DestroyActor":
        arguments[0] = session.spawn(TYPES["prop"], SPAWN_FAR)
    if method.startswith(BATCH):
        error, result = session.call(BATCH, [[[COMMANDS.index(method.partition(":")[2]), arguments]]], False)
        assert error is None, error
        assert len(result) == 1
        index, answer = result[0][0]
        assert index == 1, answer
        if method.endswith("SpawnActor"):
            assert session.value("destroy_actor", answer)
        return
    error, result = session.call(method, *arguments)
    assert error is None, error
    assert len(result) == 1
    state, *answer = result[0]
    # a method without value answers [False], one with value [1, value]; errors are [True, text] and [0, text]
    assert state is False or (state is not True and state == 1), answer
    if method == "load_new_episode":
        session.populate()
    if method.startswith("spawn_actor"):
        assert session.value("destroy_actor", answer[0][0])
