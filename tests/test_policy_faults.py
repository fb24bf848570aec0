"""What a policy may do wrong: it is counted, the vehicle does what is documented, and nothing crashes."""

from __future__ import annotations

import numpy as np
import pytest
from token_samples import small_codebook

from agents.policy import Decisions, LogProb, Policy, Rows
from agents.policy_agent import PolicyAgent
from envs.vector_env import load_routes
from envs.world import EpisodeStart, WorldBatch
from evaluation.inference import inference_line, inference_summary
from leaderboard_adapters.records import RouteResult

AHEAD = 22  # token: 7 m/s, straight on


class Blind:
    """Sees nothing."""

    def __init__(self, batch: WorldBatch) -> None:
        self.batch = batch

    def reset(self, index: int) -> None: ...

    def observe(self, indices: np.ndarray) -> Rows:
        return {"index": indices}

    def snapshot(self, index: int) -> tuple:
        return ()

    def restore(self, index: int, snapshot: tuple) -> None: ...


class Scripted(Policy):
    """Drives straight on at 7 m/s until `fault` takes over from decision `after` on."""

    name = "scripted"
    sample_size = 1

    def __init__(self, fault: str = "", after: int = 6) -> None:
        self.tokens, self.fault, self.after, self.calls = small_codebook(1), fault, after, 0

    def observer(self, batch: WorldBatch) -> Blind:
        return Blind(batch)

    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        self.calls += 1
        count = len(rows["index"])
        tokens = np.full((count, 1), AHEAD)
        zeros, mask = np.zeros((count, 1), np.float32), np.ones((count, 1), bool)
        plans = self.tokens.decode(tokens, np.full(count, 7.0))
        found = Decisions(tokens, zeros, zeros, mask, mask[:, 0].copy(), plans, 0.1, [""] * count, np.ones(count))
        if self.fault and self.calls > self.after:
            if self.fault == "exception":
                raise RuntimeError("out of memory")
            if self.fault == "nan":
                found.trajectories[:] = np.nan
            else:
                found.valid[:] = False
                found.reasons = [self.fault] * count
        return found

    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        raise NotImplementedError

    def trainable(self) -> tuple:
        return ()

    def save(self, folder: str) -> None: ...


def drive(agent: PolicyAgent, ticks: int) -> np.ndarray:
    """Speeds float64[ticks, B] m/s of two worlds on a straight piece of a smoke route."""
    batch = WorldBatch(load_routes("smoke"), 2)
    agent.bind(batch)
    for b in range(2):
        batch.reset(b, EpisodeStart(0, b))
        agent.reset(b, b)
    speeds = []
    for _ in range(ticks):
        controls = agent.act()
        assert np.isfinite(controls).all()
        batch.tick(controls)
        speeds.append(batch.worlds["speed"][:, 0].copy())
    return np.array(speeds)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("garbage", "garbage"),
        ("too few tokens", "too few tokens"),
        ("nan", "trajectory"),
        ("exception", "RuntimeError"),
    ],
)
def test_a_fault_is_counted_and_the_vehicle_stops_safely(fault: str, reason: str):
    agent = PolicyAgent(Scripted(fault))
    speeds = drive(agent, 160)
    assert agent.inference_costs()["format_failures_by_reason"] == {reason: 2 * 10}
    assert agent.inference_costs()["decisions"] == 2 * 16
    # the last plan is followed to its end and half a second on, then 3 m/s2
    assert speeds[59].min() > 4.0
    assert speeds[69].min() > 4.0
    assert speeds[-1].max() < 0.1
    fall = np.diff(speeds[72:84], axis=0) / 0.05
    assert np.allclose(fall, -3.0, atol=0.6)


def test_a_policy_without_faults_counts_none():
    agent = PolicyAgent(Scripted())
    speeds = drive(agent, 60)
    costs = agent.inference_costs()
    assert costs["format_failures"] == 0
    assert costs["tokens_per_decision"] == costs["prompt_tokens_per_decision"] == 1.0
    assert costs["latency_ms_p95"] >= costs["latency_ms_p50"] >= 0.0
    assert costs["peak_memory_mb"] > 10.0
    assert speeds[-1].min() > 5.0


def test_a_slow_policy_in_real_time_sets_off_late():
    prompt = drive(PolicyAgent(Scripted(), realtime=True, latency=0.0), 60)
    late = drive(PolicyAgent(Scripted(), realtime=True, latency=0.4), 60)
    assert np.array_equal(late[8:], prompt[:-8]) or late[12].max() < prompt[12].min()
    assert late[7].max() < 0.05
    assert prompt[7].min() > 0.1
    slow = PolicyAgent(Scripted(), realtime=True, latency=0.4)
    drive(slow, 60)
    assert slow.inference_costs()["late_ticks_mean"] == 8.0


@pytest.mark.parametrize("fault", ["", "garbage", "exception"])
def test_a_policy_too_slow_for_its_plans_keeps_stopping(fault: str):
    agent = PolicyAgent(Scripted(fault, after=0), realtime=True, latency=3.0)
    speeds = drive(agent, 200)
    assert agent.inference_costs()["late_ticks_mean"] == 60.0
    assert agent.policy.calls == 4  # it is asked again when it has answered
    assert speeds[119].max() < 0.1


def test_costs_of_a_run_are_added_up():
    def result(decisions: int, p50: float) -> RouteResult:
        agent = PolicyAgent(Scripted())
        costs = {**agent.inference_costs(), "decisions": decisions, "latency_ms_p50": p50}
        return RouteResult(*"rstuvwx", (), 100.0, 1.0, 100.0, 100.0, 1.0, 1.0, inference=costs)  # type: ignore[arg-type]

    found = inference_summary([result(10, 2.0), result(30, 6.0)])
    assert found is not None
    assert found["decisions"] == 40
    assert found["latency_ms_p50"] == 5.0
    assert "40 decisions, p50 5.0 ms" in inference_line(found)
    assert inference_summary([]) is None
