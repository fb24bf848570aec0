"""The policy server: several clients, bad frames, silence, and agents that go in mid-episode."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from token_samples import made_up_rows, small_policy

from agents.frames import PROTOCOL, FrameError, receive_frame, send_frame
from agents.policy_agent import PolicyAgent
from agents.registry import make_agent
from agents.remote import Line, RemotePolicy
from agents.server import PolicyServer
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from simulator import WORLD
from simulator.errors import AgentError


@pytest.fixture
def server():
    with PolicyServer("token:somewhere", agent=PolicyAgent(small_policy(2)), window_s=0.05) as served:
        yield served


def where(server: PolicyServer) -> str:
    return f"{server.address[0]}:{server.address[1]}"


def test_frames_carry_arrays_of_numbers_and_nothing_else():
    a, b = socket.socketpair()
    with a, b:
        message = {"type": "x", "rows": {"image": np.arange(6, dtype=np.uint8).reshape(2, 3)}, "none": None}
        send_frame(a, message)
        got = receive_frame(b)
        assert np.array_equal(got["rows"]["image"], message["rows"]["image"])
        assert got["none"] is None
        with pytest.raises(TypeError, match="object"):
            send_frame(a, {"type": "x", "value": object()})
        for body in (b"\xc1", b"\x93\x01\x02\x03", b"\x80"):  # never used; a list; no type
            a.sendall(struct.pack(">I", len(body)) + body)
            with pytest.raises(FrameError):
                receive_frame(b)
        a.sendall(struct.pack(">I", 2**31))
        with pytest.raises(FrameError, match="length"):
            receive_frame(b)


def test_a_remote_policy_decides_as_the_policy_itself(server: PolicyServer):
    remote, rows = RemotePolicy(Line(*server.address, timeout=10.0)), made_up_rows(5)
    uniforms = np.random.default_rng(0).random((5, 3, 2))
    there, here = remote.act(rows, uniforms, n=3), small_policy(2).act(rows, uniforms, n=3)
    assert np.array_equal(there.tokens, here.tokens)
    assert np.allclose(there.logp, here.logp, atol=1e-6)
    assert np.allclose(there.trajectories, here.trajectories)
    assert there.valid.all()
    assert remote.size() == small_policy(2).size()


def test_two_clients_share_a_pass_and_get_their_own_answers(server: PolicyServer):
    policies = [RemotePolicy(Line(*server.address, timeout=10.0)) for _ in range(2)]
    rows = [made_up_rows(3, seed=k) for k in range(2)]
    found: dict[int, np.ndarray] = {}
    barrier = threading.Barrier(2)

    def ask(k: int) -> None:
        barrier.wait()
        found[k] = policies[k].act(rows[k]).tokens

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(2):
        assert np.array_equal(found[k], small_policy(2).act(rows[k]).tokens)
    assert server.decisions == 6
    assert server.calls == 1


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        ({"type": "hello", "protocol": PROTOCOL + 1, "world": WORLD}, "protocol"),
        ({"type": "hello", "protocol": PROTOCOL, "world": "another/1"}, "worlds"),
        ({"type": "act"}, "hello"),
    ],
)
def test_a_client_of_another_version_is_refused_with_the_reason(server: PolicyServer, hello: dict, reason: str):
    with socket.create_connection(server.address, timeout=5.0) as connection:
        send_frame(connection, hello)
        answer = receive_frame(connection)
        assert answer["type"] == "refused"
        assert reason in answer["reason"]


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 3) + b"\xc1\xc1\xc1", b"\x00\x00"])
def test_nonsense_costs_its_sender_the_connection_and_nobody_else(server: PolicyServer, nonsense: bytes):
    remote = RemotePolicy(Line(*server.address, timeout=10.0))
    with socket.create_connection(server.address, timeout=5.0) as connection:
        connection.sendall(nonsense)
    assert remote.act(made_up_rows(2)).valid.all()


def test_a_request_that_cannot_be_answered_is_an_error_for_its_sender_alone(server: PolicyServer):
    line, remote = Line(*server.address, timeout=10.0), RemotePolicy(Line(*server.address, timeout=10.0))
    rows = {**made_up_rows(2), "ego": np.zeros((2, 3), np.float32)}
    with pytest.raises(ValueError, match="RuntimeError"):
        line.ask({"type": "act", "rows": rows, "uniforms": None, "n": 1, "temperature": 1.0})
    with pytest.raises(ValueError, match="not served"):
        line.ask({"type": "tick", "records": []})
    assert remote.act(made_up_rows(2)).valid.all()


def test_nobody_there_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(AgentError, match="no policy server answers"):
        make_agent(f"remote:127.0.0.1:{port}")
    with pytest.raises(AgentError, match="HOST:PORT"):
        make_agent("remote:nowhere")


def drive(agent, ticks: int, between=None) -> WorldBatch:
    batch = WorldBatch(load_routes("smoke"), 2)
    agent.bind(batch)
    for b in range(2):
        batch.reset(b, EpisodeStart(0, b))
        agent.reset(b, b)
    for tick in range(ticks):
        if between is not None:
            between(tick)
        controls = agent.act()
        assert np.isfinite(controls).all()
        batch.tick(controls)
    return batch


def test_a_remote_policy_drives_as_the_policy_itself(server: PolicyServer):
    there = drive(make_agent(f"remote:{where(server)}"), 60)
    here = drive(PolicyAgent(small_policy(2)), 60)
    assert np.array_equal(there.worlds["x"], here.worlds["x"])


def test_a_server_that_goes_in_mid_episode_leaves_a_vehicle_that_stops():
    served = PolicyServer("token:x", agent=PolicyAgent(small_policy(1)))
    agent = make_agent(f"remote:{where(served)},timeout=2")
    batch = drive(agent, 120, between=lambda tick: served.close() if tick == 25 else None)
    costs = agent.inference_costs()
    assert costs["format_failures"] == 2 * 9
    assert np.abs(batch.worlds["speed"][:, 0]).max() < 0.1


def test_a_server_that_comes_back_in_mid_episode_is_found_again():
    served = PolicyServer("token:x", agent=PolicyAgent(small_policy(1)))
    agent, port = make_agent(f"remote:{where(served)},timeout=2"), served.address[1]
    later: list[PolicyServer] = []

    def between(tick: int) -> None:
        if tick == 15:
            served.close()
        if tick == 35:
            later.append(PolicyServer("token:x", port=port, agent=PolicyAgent(small_policy(1))))

    drive(agent, 60, between)
    later[0].close()
    assert agent.inference_costs()["decisions"] == 2 * 6
    assert agent.inference_costs()["format_failures"] == 2 * 2  # at ticks 20 and 30
    assert later[0].decisions == 2 * 2


def test_nonsense_from_a_server_is_counted_and_the_vehicle_stops():
    """Something answers the handshake, and then with bytes that are no frame."""
    listener = socket.create_server(("127.0.0.1", 0))
    policy = small_policy(1)
    welcome = {
        "type": "welcome", "protocol": PROTOCOL, "agent": "x", "kind": "policy", "view": policy.view_spec(),
        "sample_size": 1, "decision_ticks": 10, "parameters": [1, 1],
    }  # fmt: skip

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    receive_frame(connection)
                    send_frame(connection, welcome)
                    receive_frame(connection)
                    connection.sendall(struct.pack(">I", 3) + b"\xc1\xc1\xc1")

    threading.Thread(target=answer, daemon=True).start()
    with listener:
        agent = make_agent(f"remote:127.0.0.1:{listener.getsockname()[1]},timeout=2")
        batch = drive(agent, 40)
    assert agent.inference_costs()["format_failures_by_reason"] == {"FrameError": 2 * 4}
    assert np.abs(batch.worlds["speed"][:, 0]).max() < 0.1


def test_a_client_that_hangs_up_over_its_question_leaves_the_others_their_answers(server: PolicyServer):
    remote = RemotePolicy(Line(*server.address, timeout=10.0))
    for _ in range(3):
        line = Line(*server.address, timeout=10.0)
        assert line._connection is not None
        send_frame(
            line._connection,
            {"type": "act", "id": 1, "rows": made_up_rows(2), "uniforms": None, "n": 1, "temperature": 1.0},
        )
        line.close()
        assert remote.act(made_up_rows(2)).valid.all()


def test_an_answer_that_comes_too_late_is_a_failure_and_the_next_one_counts():
    class Slow:
        """A policy that sleeps through its first call."""

        def __init__(self) -> None:
            self.policy, self.calls = small_policy(1), 0
            self.sample_size, self.view_spec, self.size = 1, self.policy.view_spec, self.policy.size
            self.observer, self.decision_ticks = self.policy.observer, self.policy.decision_ticks

        def act(self, *arguments, **options):
            self.calls += 1
            if self.calls == 1:
                time.sleep(0.6)
            return self.policy.act(*arguments, **options)

    with PolicyServer("token:x", agent=PolicyAgent(Slow())) as served:  # type: ignore[arg-type]
        agent = make_agent(f"remote:{where(served)},timeout=0.3")
        drive(agent, 41, between=lambda tick: time.sleep(0.4) if tick == 1 else None)
        assert agent.inference_costs()["format_failures_by_reason"] == {"TimeoutError": 2}


def test_any_other_agent_is_served_with_the_records_of_the_worlds():
    with PolicyServer("autopilot") as served:
        there = drive(make_agent(f"remote:{where(served)}"), 40)
    here = drive(make_agent("autopilot"), 40)
    for name in there.worlds.dtype.names:
        assert np.array_equal(there.worlds[name], here.worlds[name]), name


def test_the_suite_knows_where_its_routes_come_from():
    assert Path(load_routes("smoke").routes[0].route.file).exists()
