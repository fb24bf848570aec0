"""What CARLA does to people, done on purpose: whatever dies, hangs or never starts, every route is accounted for.

The processes are real and really killed; the server is this project's own, which speaks CARLA's protocol to the real
client.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import carla_servers
import numpy as np
import pytest
from carla_runs import (
    MARK,
    ROOT,
    SERVER,
    CuttingProxy,
    endings,
    marked,
    nobody_left,
    pool,
    send,
    server_pid,
    until_driving,
)

from envs.carla.environment import open_world
from envs.carla.options import CarlaOptions
from envs.world import EpisodeStart
from evaluation.ledger import read_ledger
from evaluation.pool import RouteEnded
from evaluation.tasks import CRASHED

ROUTE = "108"
PATIENCE = {"start_s": 300.0, "load_s": 60.0, "tick_s": 1.5}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """All kernels are compiled before a second counts."""
    with contextlib.closing(open_world("smoke", 1, CarlaOptions(start=SERVER, start_s=300.0, tick_s=300.0))) as world:
        world.reset(0, EpisodeStart(0, 0))
        for _ in range(5):
            world.tick(np.array([[0.5, 0.0, 0.0]]))


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Carried by every process of the test; at the end none of them may be left."""
    monkeypatch.setenv(MARK, str(tmp_path))
    yield str(tmp_path)
    left = nobody_left(str(tmp_path))
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            send(pid, signal.SIGKILL)
    assert left == {}


def drive_and_spoil(folder: Path, spoil, options: CarlaOptions | None = None, *routes: str) -> list[RouteEnded]:
    """Endings of a run on a server of ours, with `spoil` done to it while the first route is under way."""
    run = pool(folder, options or CarlaOptions(start=SERVER, **PATIENCE), *(routes or (ROUTE,)))
    with contextlib.closing(run.events()) as events:
        until_driving(events)
        spoil()
        return endings(events)


def told_once_and_driven_again(found: list[RouteEnded]) -> str:
    """The reason of a first attempt that failed, where the second one drove the route to its end."""
    assert [(event.attempt.number, event.final) for event in found] == [(1, False), (2, True)]
    first, second = (event.attempt.result for event in found)
    assert first.status == CRASHED
    assert second.num_ticks > 100
    assert second.notes[0] == f"attempt 1 failed: {found[0].attempt.reason}"
    return found[0].attempt.reason


def test_a_killed_server_is_replaced_and_the_route_driven_again(tmp_path: Path, mark: str):
    reason = told_once_and_driven_again(drive_and_spoil(tmp_path, lambda: send(server_pid(mark), signal.SIGKILL)))
    assert "the CARLA server was killed by SIGKILL during" in reason
    assert "at tick" in reason


def test_a_server_that_stands_still_is_told_from_a_dead_one(tmp_path: Path, mark: str):
    reason = told_once_and_driven_again(drive_and_spoil(tmp_path, lambda: send(server_pid(mark), signal.SIGSTOP)))
    assert "hangs: no answer within 1.5 s" in reason


def test_a_killed_worker_takes_its_server_along(tmp_path: Path, mark: str):
    def spoil() -> None:
        send(next(pid for pid, command in marked(mark).items() if "evaluation.worker" in command), signal.SIGKILL)

    reason = told_once_and_driven_again(drive_and_spoil(tmp_path, spoil))
    assert "the worker was killed by SIGKILL" in reason


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_a_cut_stream_is_named(tmp_path: Path, mark: str, for_good: bool):
    server = carla_servers.start()
    port = carla_servers.free_port()
    proxy = CuttingProxy(port, server.port)
    try:
        options = CarlaOptions(address=f"127.0.0.1:{port}", **PATIENCE)
        found = drive_and_spoil(tmp_path, lambda: proxy.cut(for_good=for_good), options)
    finally:
        proxy.close()
        server.stop()
    assert found[-1].final
    if for_good:
        assert found[-1].attempt.result.status == CRASHED
        for event in found:
            assert "answers calls, but its stream (port " in event.attempt.reason
    else:
        assert found[-1].attempt.result.num_ticks > 100


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("echo the GPU is gone; exit 3 # {port}", r"exited with code 3 before it came up.*last words: the GPU is gone"),
        ("exec sleep 1000 # {port}", r"did not come up: nobody listens at 127.0.0.1:\d+ after 0.5 s"),
        ("sleep 1000 & setsid sleep 1000 & kill -SEGV $$ # {port}", r"was killed by SIGSEGV before it came up"),
    ],
    ids=["fails", "never comes up", "crashes"],
)
def test_a_server_that_does_not_start_costs_no_route_its_record(tmp_path: Path, mark: str, start: str, reason: str):
    options = CarlaOptions(start=start, start_s=0.5)
    found = endings(pool(tmp_path, options, ROUTE).events())
    assert [(event.task.route_id, event.attempt.number, event.final) for event in found] == [
        (ROUTE, 1, False),
        (ROUTE, 2, True),
    ]
    for event in found:
        assert event.attempt.result.status == CRASHED
        assert re.search(reason, event.attempt.reason), event.attempt.reason


def test_a_full_range_of_ports_is_named(tmp_path: Path, mark: str):
    first = 18000
    with contextlib.ExitStack() as stack:
        for port in (first + 1, first + 8):  # a port of either block
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
        options = CarlaOptions(start=SERVER, ports=f"{first}-{first + 15}", **PATIENCE)
        found = endings(pool(tmp_path, options, ROUTE).events())
    assert [event.attempt.result.status for event in found] == [CRASHED, CRASHED]
    assert (
        f"no free ports for a CARLA server in {first}-{first + 15}: of 2 blocks of 8 ports" in found[-1].attempt.reason
    )
    assert "2 by other programs" in found[-1].attempt.reason


def test_two_workers_cannot_share_a_running_server(tmp_path: Path, mark: str):
    from envs.carla.ports import reserve_address

    port = carla_servers.free_port()
    lock = reserve_address((("127.0.0.1", port),))
    try:
        found = endings(pool(tmp_path, CarlaOptions(address=f"127.0.0.1:{port}"), ROUTE).events())
    finally:
        lock.release()
    assert f"every CARLA server of 127.0.0.1:{port} is in use" in found[-1].attempt.reason


def test_a_server_that_has_grown_is_replaced_between_routes(tmp_path: Path, mark: str):
    options = CarlaOptions(start=SERVER, memory_gb=0.01, **PATIENCE)
    (event,) = endings(pool(tmp_path, options, ROUTE).events())
    assert event.attempt.reason == ""
    note = event.attempt.result.notes[-1]
    assert note.startswith("a fresh worker followed: the CARLA server had grown to ")
    assert note.endswith("GB, the limit is 0.01 GB")


def test_an_evaluation_that_is_killed_leaves_nobody_behind_and_is_resumed(tmp_path: Path, mark: str):
    folder = tmp_path / "run"
    command = [sys.executable, str(ROOT / "run_eval.py"), "--agent", "route-follower", "--route-ids", f"{ROUTE},112"]
    command += ["--backend", "carla", "--carla-start", SERVER, "--out", str(folder), "--carla-timeouts", "300,60,10"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    first = next(line for line in run.stderr if line.startswith("[1/2]"))
    run.kill()  # the second route is about to begin
    run.wait()
    run.stderr.close()
    assert "108" in first or "112" in first
    assert nobody_left(mark) == {}
    done = subprocess.run([*command, "--resume"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 are already driven and kept" in done.stderr
    header, attempts = read_ledger(folder)
    assert sorted(attempt.route_id for attempt in attempts if attempt.driven) == ["108", "112"]
    assert header["versions"]["world"].startswith("routegym-embedded/")
    assert header["versions"]["world"].endswith("behind CARLA 0.9.16 protocol")
