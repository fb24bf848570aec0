"""Nothing that comes in over its ports takes the CARLA server down, and it says clearly why it does not start."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from simulator.carla_server.methods import load_methods
from tests.carla_servers import ROOT, RawClient, Server, free_port, run_client, running, start

MESSAGES = 10_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def assert_it_serves(server: Server) -> None:
    """A normal client connects, drives and leaves."""
    out = run_client(
        server,
        """
        synchronous(world)
        point = world.get_map().get_spawn_points()[100]
        car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), point)
        for _ in range(15):
            world.tick()
        car.apply_control(carla.VehicleControl(throttle=1.0))
        for _ in range(20):
            world.tick()
        print(car.get_velocity().length() > 2.0)
        car.destroy()
        world.tick()
        world.apply_settings(carla.WorldSettings(synchronous_mode=False))
        """,
    )
    assert out.strip() == "True"


# Garbage


def some_value(draws: random.Random, depth: int = 0) -> Any:
    """Any value that msgpack knows, biased to those that hurt."""
    kind = draws.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return draws.choice([0, 1, -1, 2**31, 2**32, 2**63, -(2**63), draws.randrange(200)])
    if kind == 1:
        return draws.choice([0.0, -1.5, 1e300, float("nan"), float("inf"), -float("inf")])
    if kind == 2:
        return draws.choice([True, False, None])
    if kind == 3:
        return draws.choice(["", "vehicle.audi.tt", "Town99", "../../etc/passwd", "\0", "ä" * 50])
    if kind == 4:
        return draws.randbytes(draws.randrange(40))
    if kind == 5:
        return draws.randrange(1, 120)  # perhaps an actor
    if kind == 6:
        return {"a": some_value(draws, depth + 1)}
    return [some_value(draws, depth + 1) for _ in range(draws.randrange(6))]


def request(draws: random.Random, names: list[str]) -> bytes:
    """A well-formed request with nonsense in it."""
    name = draws.choice(names)
    count = draws.randrange(6) if draws.random() < 0.2 else load_methods()[name].arity
    arguments = [some_value(draws) for _ in range(count)]
    if name == "apply_batch":
        arguments = [[[[draws.randrange(23), some_value(draws)]] for _ in range(5)], draws.random() < 0.1]
    return msgpack.packb([0, draws.randrange(2**32), name, [[draws.random() < 0.5], *arguments]])


def garbage(draws: random.Random, names: list[str]) -> bytes:
    """One message of any kind."""
    kind = draws.randrange(10)
    if kind < 6:
        return request(draws, names)
    if kind == 6:
        return draws.randbytes(draws.randrange(1, 300))
    if kind == 7:  # announces far more than it holds
        return draws.choice(
            [b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
        )
    if kind == 8:
        return b"\x91" * draws.randrange(1, 3000)  # an array in an array in an array
    return msgpack.packb(some_value(draws))


def drain(sock: socket.socket) -> None:
    """Take what has come, without waiting."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass
    sock.setblocking(True)


def test_ten_thousand_messages_of_nonsense(server):
    """Both ports, connections that are used until the server ends them; maps are not loaded, which takes long."""
    draws = random.Random(20)
    names = sorted(set(load_methods()) - {"load_new_episode", "copy_opendrive_to_file"})
    memory = server.resident()
    connections: list[tuple[socket.socket, bool]] = []
    for _ in range(MESSAGES):
        if len(connections) < 12:
            streaming = draws.random() < 0.3
            place = ("127.0.0.1", server.port + streaming)
            connections.append((socket.create_connection(place, timeout=10.0), streaming))
        sock, streaming = draws.choice(connections)
        data = draws.randbytes(draws.choice([1, 3, 4, 4, 5, 60])) if streaming else garbage(draws, names)
        try:
            drain(sock)
            sock.sendall(data)
        except OSError:
            connections.remove((sock, streaming))
            sock.close()
            continue
        if draws.random() < 0.05:
            connections.remove((sock, streaming))
            sock.close()
    for sock, _ in connections:
        sock.close()
    assert server.process.poll() is None
    raw = RawClient(server.port)
    raw.call("load_new_episode", "MiniTown", True, 65535)  # sweep away what the nonsense has spawned
    raw.close()
    assert_it_serves(server)
    assert server.resident() < memory + 150e6


@pytest.mark.parametrize("name", sorted(load_methods()))
def test_every_method_refuses_nonsense_in_carlas_way(server, name: str):
    """The answer is an error of the method's own kind, or, where nonsense happens to be fine, a result."""
    method = load_methods()[name]
    if method.arity == 0:
        pytest.skip("takes no arguments")
    raw = RawClient(server.port)
    for value in (None, "x" * 5000, [[]], -1, float("nan")):
        answer = raw.call(name, *[value] * method.arity)
        if method.result.value == "void":
            assert answer in ([[False]], [[True, answer[0][1]]] if len(answer[0]) > 1 else None)
        elif method.result.value == "value":
            assert answer[0][0] in (0, 1)
            if answer[0][0] == 0:
                assert isinstance(answer[0][1][0], str)
                assert "failed in the server" not in answer[0][1][0]
    raw.close()


def test_an_unknown_method_and_a_wrong_count_of_arguments_are_named(server):
    raw = RawClient(server.port)
    with pytest.raises(LookupError, match="could not find function 'fly_to_the_moon' with argument count 2"):
        raw.call("fly_to_the_moon", 1)
    with pytest.raises(LookupError, match="could not find function 'version' with argument count 3"):
        raw.call("version", 1, 2)
    assert raw.call("version") == [[1, "0.9.16"]]
    raw.close()


# Slow, silent and many


def test_half_a_request_and_silence_hold_nobody_up(server):
    half = RawClient(server.port)
    half.send(msgpack.packb([0, 1, "version", [[False]]])[:5])
    silent = socket.create_connection(("127.0.0.1", server.port + 1))
    assert_it_serves(server)
    half.close()
    silent.close()


def test_a_request_may_come_byte_by_byte_and_many_in_one_piece(server):
    raw = RawClient(server.port)
    for byte in msgpack.packb([0, 900, "version", [[False]]]):
        raw.send(bytes([byte]))
    raw.send(b"".join(msgpack.packb([0, 1000 + k, "version", [[True]]]) for k in range(500)))
    assert raw.call("version") == [[1, "0.9.16"]]
    raw.close()


def test_a_reader_that_never_reads_costs_one_frame(server):
    lazy = socket.create_connection(("127.0.0.1", server.port + 1))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(struct.pack("<I", 1))
    raw = RawClient(server.port)
    memory = server.resident()
    for _ in range(2000):
        raw.call("tick_cue")
    assert server.resident() < memory + 20e6
    raw.close()
    lazy.close()
    assert_it_serves(server)


def test_a_tick_waits_for_no_reader_of_a_sensor_that_is_destroyed_with_it(server):
    """The reader is not let go for being slow either: what it was sent still reaches it, whole."""
    raw = RawClient(server.port)
    (_, settings), (_, definitions) = raw.call("get_episode_settings")[0], raw.call("get_actor_definitions")[0]
    raw.call("set_episode_settings", [True, False, [True, 0.05], *settings[3:]])
    uid, name, _, attributes = next(d for d in definitions if d[1] == "sensor.camera.rgb")
    large = {"image_size_x": "1920", "image_size_y": "1080"}  # 8 MB, more than sockets hold by themselves
    values = [[a[0], a[1], large.get(a[0], a[2])] for a in attributes]
    camera = raw.call("spawn_actor", [uid, name, values], [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])[0][1]
    slow = socket.create_connection(("127.0.0.1", server.port + 1))
    slow.settimeout(20.0)
    slow.sendall(camera[5][:4])  # the stream's number is at the head of its token
    while not select.select([slow], [], [], 0.0)[0]:
        raw.call("tick_cue")
    raw.call("apply_batch", [[[1, [camera[0]]]]], True)
    raw.call("tick_cue")
    left = struct.unpack("<I", slow.recv(4, socket.MSG_WAITALL))[0]
    while left and (data := slow.recv(min(left, 1 << 20))):
        left -= len(data)
    assert left == 0
    slow.close()
    raw.call("set_episode_settings", [False, False, [False], *settings[3:]])
    raw.close()


def test_a_thousand_clients_come_and_go(server):
    raw = RawClient(server.port)
    raw.call("version")
    memory = server.resident()
    for k in range(1000):
        short = RawClient(server.port)
        if k % 2:
            short.call("get_episode_info")
        stream = socket.create_connection(("127.0.0.1", server.port + 1))
        stream.sendall(struct.pack("<I", 1 + k % 3))
        short.close()
        stream.close()
    assert raw.call("version") == [[1, "0.9.16"]]
    raw.close()
    assert server.resident() < memory + 20e6


@pytest.mark.slow
def test_fifty_maps_leave_no_memory_behind(server):
    raw = RawClient(server.port)
    sizes = []
    for _ in range(50):
        raw.call("load_new_episode", "MiniTown", True, 65535)
        sizes.append(server.resident())
    raw.close()
    assert max(sizes[25:]) < max(sizes[:10]) + 30e6
    assert_it_serves(server)


# Start and end


def command(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "simulator.carla_server", *options],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--town", "Town99"), "Town99: no map of this town"),
        (("--maps", "/nowhere/at/all"), "/nowhere/at/all: no such folder"),
        (("--port", "70000"), "the streams port cannot be opened"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_one_line(options: tuple[str, ...], said: str):
    done = command(*options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named(server):
    done = command("--port", str(server.port))
    assert done.returncode == 2
    assert f"{server.port + 1}: the streams port cannot be opened (Address already in use)" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_clients_connected(number: int):
    server = start()
    raw = RawClient(server.port)
    raw.call("version")
    began = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(20) == 0
    assert time.monotonic() - began < 10.0
    assert raw.socket.recv(100) == b""
    again = start(port=server.port)  # the port is free at once
    assert again.stop() == 0


def test_it_listens_on_this_machine_only_unless_told(server):
    out = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=False).stdout
    rows = [line.split()[3] for line in out.splitlines() if line.split()[3].endswith(f":{server.port}")]
    assert rows in ([f"127.0.0.1:{server.port}"], [])


def test_free_ports_come_in_pairs():
    assert free_port() > 1024
