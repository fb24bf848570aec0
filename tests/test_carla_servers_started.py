"""Servers that are started by a command: ports that nobody shares, and an end that nothing survives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import carla_servers
import pytest

from envs.carla.client import CarlaClient
from envs.carla.options import CarlaOptions
from envs.carla.ports import BLOCK, reserve_address, reserve_block
from envs.carla.server_process import ServerProcess
from simulator.errors import SimulatorError, SimulatorStartError

FIRST = 18100


def test_blocks_of_ports_are_never_given_twice():
    taken = [reserve_block(FIRST, FIRST + 3 * BLOCK - 1) for _ in range(3)]
    try:
        assert [block.port for block in taken] == [FIRST, FIRST + BLOCK, FIRST + 2 * BLOCK]
        with pytest.raises(SimulatorStartError, match="of 3 blocks of 8 ports 3 are held by running evaluations"):
            reserve_block(FIRST, FIRST + 3 * BLOCK - 1)
        taken[1].release()
        taken[1] = reserve_block(FIRST, FIRST + 3 * BLOCK - 1)
        assert taken[1].port == FIRST + BLOCK
    finally:
        for block in taken:
            block.release()


def test_another_process_keeps_its_block_until_it_ends():
    take = f"block = reserve_block({FIRST}, {FIRST + 15})"
    code = f"from envs.carla.ports import reserve_block; {take}; print(block.port, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(carla_servers.ROOT)},
    )  # fmt: skip
    assert other.stdout is not None
    assert int(other.stdout.readline()) == FIRST
    ours = reserve_block(FIRST, FIRST + 15)
    assert ours.port == FIRST + BLOCK
    other.kill()
    other.communicate()
    freed = reserve_block(FIRST, FIRST + 15)
    assert freed.port == FIRST
    freed.release()
    ours.release()


def test_a_port_in_use_by_anybody_is_passed_over():
    with socket.create_server(("127.0.0.1", FIRST + 1)):
        block = reserve_block(FIRST, FIRST + 15)
        assert block.port == FIRST + BLOCK
        block.release()


def test_the_block_after_the_last_one_is_taken_first():
    block = reserve_block(FIRST, FIRST + 31, after=FIRST + BLOCK)
    assert block.port == FIRST + 2 * BLOCK
    block.release()


def test_running_servers_are_shared_out():
    addresses = (("127.0.0.1", FIRST), ("127.0.0.1", FIRST + 100))
    locks = [reserve_address(addresses) for _ in addresses]
    assert [lock.port for lock in locks] == [FIRST, FIRST + 100]
    with pytest.raises(SimulatorStartError, match="in use by another worker"):
        reserve_address(addresses)
    for lock in locks:
        lock.release()


STUBBORN = "trap '' TERM; setsid sleep 1000 & (trap '' TERM; sleep 1000) & echo up; wait # {port}"


def test_everything_a_command_has_started_ends_with_it(tmp_path: Path):
    options = CarlaOptions(start=STUBBORN, stop=f"echo {{port}} > {tmp_path}/stopped", log_folder=str(tmp_path))
    server = ServerProcess(options, 1)
    while server.last_words() != "up" or len(server.pids) < 3:
        time.sleep(0.02)
    pids = server.pids
    assert server.ended == ""
    assert server.memory_gb > 0.0
    port = server.ports.port
    server.stop()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in state(pid)] == []
    assert (tmp_path / "stopped").read_text() == f"{port}\n"


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_how_a_command_ended_is_told():
    for command, words in (
        ("exit 4", "exited with code 4"),
        ("kill -ABRT $$", "was killed by SIGABRT"),
        ("exit 0", ""),
    ):
        server = ServerProcess(CarlaOptions(start=command + " # {port}"), 1)
        deadline = time.monotonic() + 10.0
        while not server.ended and server._exit is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.ended == words
        server.stop()


def test_a_server_of_another_version_is_refused():
    with carla_servers.running("--protocol", "0.9.15") as server:
        client = CarlaClient("127.0.0.1", server.port, CarlaOptions(address=f"127.0.0.1:{server.port}"))
        with pytest.raises(
            SimulatorError, match=r"is 0\.9\.15, the client library 0\.9\.16: .*install carla==0\.9\.15"
        ):
            client.connect()
