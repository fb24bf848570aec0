"""Which RPC calls a CARLA client makes: a tap between client and server, and the list that it leaves.

    --carla-start 'python -m benchmarks.record_calls --listen {port} --out calls.json -- SERVER'

SERVER is the command of a server, with `{behind}` where its port belongs: the port after next of the one that the
client uses; streams go to it directly. The list has one entry for each kind of call: a method (or a command of
`apply_batch`) with arguments of certain kinds. Each entry has an example, in which numbers of actors are replaced by
what they stood for, so that it can be sent to another server (`tests/test_official_calls.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack

COMMANDS = (
    *("SpawnActor", "DestroyActor", "ApplyVehicleControl", "ApplyVehicleAckermannControl", "ApplyWalkerControl"),
    *("ApplyVehiclePhysicsControl", "ApplyTransform", "ApplyWalkerState", "ApplyTargetVelocity"),
    *("ApplyTargetAngularVelocity", "ApplyImpulse", "ApplyForce", "ApplyAngularImpulse", "ApplyTorque"),
    *("SetSimulatePhysics", "SetEnableGravity", "SetAutopilot", "ShowDebugTelemetry", "SetVehicleLightState"),
    *("ApplyLocation", "ConsoleCommand", "SetTrafficLightState"),
)
BATCH = "apply_batch"
_LONG = 2000  # characters of an example's JSON beyond which it is left out: a list of the same again


def kind_of(value: Any) -> str:
    """Kinds of a decoded value: b i f s bin nil, and lists of them; `[f*]` for any number of the same."""
    if isinstance(value, bool):
        return "b"
    if isinstance(value, (list, tuple)):
        kinds = [kind_of(item) for item in value]
        return f"[{kinds[0]}*]" if len(set(kinds)) == 1 and len(kinds) > 3 else f"[{','.join(kinds)}]"
    names = {int: "i", float: "f", str: "s", bytes: "bin", type(None): "nil"}
    return names.get(type(value), type(value).__name__)


class Recorder:
    """Takes in requests and answers of all connections, and keeps one example of each kind."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], dict[str, Any]] = {}
        self._kinds: dict[int, str] = {}  # of actors, by number
        self._lock = threading.Lock()

    def request(self, method: str, arguments: list[Any]) -> None:
        """Note a call; `arguments` without metadata."""
        with self._lock:
            if method != BATCH:
                self._note(method, arguments)
                return
            for command in arguments[0]:
                index, body = command[0]
                self._note(f"{BATCH}:{COMMANDS[index]}", body)

    def answer(self, method: str, result: Any) -> None:
        """Learn what actors are from an answer."""
        with self._lock:
            for actor in _actors_in(method, result):
                self._kinds[actor[0]] = actor_kind(actor[2][1])

    def _note(self, method: str, arguments: list[Any]) -> None:
        # a description has as many attributes as its blueprint: that is no kind of its own
        if method in ("spawn_actor", "spawn_actor_with_parent", f"{BATCH}:SpawnActor"):
            kinds = f"{actor_kind(arguments[0][1])} {','.join(kind_of(a) for a in arguments[1:])}"
        else:
            kinds = ",".join(kind_of(argument) for argument in arguments)
        entry = self.calls.get((method, kinds))
        if entry is None:
            example = self._example(method, arguments)
            entry = {"method": method, "kinds": kinds, "count": 0, "example": example}
            self.calls[method, kinds] = entry
        entry["count"] += 1

    def _example(self, method: str, arguments: list[Any]) -> Any:
        example = plain(arguments)
        if arguments and type(arguments[0]) is int and arguments[0] in self._kinds and "sensor_token" not in method:
            example[0] = {"actor": self._kinds[arguments[0]]}
        if method == "spawn_actor_with_parent":
            example[2] = {"actor": self._kinds.get(arguments[2], "vehicle")}
        return example if len(json.dumps(example)) < _LONG else None


def actor_kind(type_id: str) -> str:
    """vehicle, walker, prop, sensor, controller, traffic_light, traffic_sign, spectator."""
    first, _, rest = type_id.partition(".")
    if first == "static":
        return "prop"
    if first == "traffic":
        return "traffic_light" if rest == "traffic_light" else "traffic_sign"
    return first


def plain(value: Any) -> Any:
    """A decoded value as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"bytes": value.hex()} if isinstance(value, bytes) else value


def _actors_in(method: str, result: Any) -> list[Any]:
    try:
        if method in ("spawn_actor", "spawn_actor_with_parent", "get_spectator") and result[0][0] == 1:
            return [result[0][1]]
        if method == "get_actors_by_id" and result[0][0] == 1:
            return list(result[0][1])
    except (TypeError, IndexError):
        pass
    return []


class Tap:
    """Carries bytes between clients and the server, and shows them to the recorder."""

    def __init__(self, listen: int, server: int, recorder: Recorder) -> None:
        self._listen, self._server, self._recorder = listen, server, recorder

    def run(self) -> None:
        """Serve for ever."""
        with socket.create_server(("127.0.0.1", self._listen)) as listener:
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = connect(self._server)
        asked: dict[int, str] = {}

        def requests(message: list[Any]) -> None:
            _, number, method, parameters = message
            asked[number] = method
            self._recorder.request(method, parameters[1:])

        def answers(message: list[Any]) -> None:
            _, number, error, result = message
            method = asked.pop(number, "")
            if error is None:
                self._recorder.answer(method, result)

        back = threading.Thread(target=_pump, args=(server, client, answers), daemon=True)
        back.start()
        _pump(client, server, requests)
        back.join()


def _pump(source: socket.socket, sink: socket.socket, look: Any) -> None:
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 30)
    try:
        while data := source.recv(1 << 18):
            unpacker.feed(data)
            for message in unpacker:
                look(message)
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def connect(port: int, seconds: float = 600.0) -> socket.socket:
    """A connection to a server that may still be starting."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the server, listen, write the list every second and add to one that is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record_calls", description="Record RPC calls.")
    parser.add_argument("--listen", type=int, required=True, help="port for clients")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("server", nargs="+", help="command of the server, with {behind} in it")
    options = parser.parse_args(arguments)
    port = options.listen + 2
    recorder = Recorder()
    if options.out.exists():
        for entry in json.loads(options.out.read_text()):
            recorder.calls[entry["method"], entry["kinds"]] = entry
    command = [word.replace("{behind}", str(port)) for word in options.server]
    server = subprocess.Popen(command)
    threading.Thread(target=Tap(options.listen, port, recorder).run, daemon=True).start()
    try:
        while server.poll() is None:
            time.sleep(1.0)
            write(options.out, recorder)
    finally:
        server.terminate()
        write(options.out, recorder)
    print(f"{shlex.join(command)} ended", file=sys.stderr)


def write(path: Path, recorder: Recorder) -> None:
    """The list, sorted, one entry a line."""
    entries = sorted(list(recorder.calls.values()), key=lambda entry: (entry["method"], entry["kinds"]))
    text = ",\n".join(json.dumps(entry) for entry in entries)
    temporary = path.with_suffix(".part")
    temporary.write_text(f"[\n{text}\n]\n")
    temporary.replace(path)


if __name__ == "__main__":
    main()
